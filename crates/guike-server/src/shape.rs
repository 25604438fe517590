//! What answers look like, from the types that are answered: JSON Schema beside every view.
//!
//! The one idea: [`shaped!`] takes a struct with its comments once and gives both the struct and its schema, so that the
//! description of an answer cannot differ from the answer. A procedural macro would do the same for more crates and a longer
//! build.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// Schemas by name, as they stand under `#/components/schemas`.
pub(crate) type Schemas = BTreeMap<&'static str, Value>;

/// Something with a schema.
pub(crate) trait Shape {
    /// Whether a member of this type may be left out.
    const OPTIONAL: bool = false;
    /// Its schema; those that it names are added to `to`.
    fn schema(to: &mut Schemas) -> Value;
    /// Whether it is left out of the object that it is a member of.
    fn is_left_out(&self) -> bool {
        false
    }
}

macro_rules! simple {
    ($($type:ty => $schema:tt),* $(,)?) => {
        $(impl Shape for $type {
            fn schema(_: &mut Schemas) -> Value {
                json!($schema)
            }
        })*
    };
}

simple! {
    String => {"type": "string"},
    &str => {"type": "string"},
    bool => {"type": "boolean"},
    f64 => {"type": "number"},
    usize => {"type": "integer", "minimum": 0},
    u16 => {"type": "integer", "minimum": 0},
    i64 => {"type": "integer"},
    Value => {},
}

impl<T: Shape> Shape for Option<T> {
    const OPTIONAL: bool = true;
    fn schema(to: &mut Schemas) -> Value {
        T::schema(to)
    }
    fn is_left_out(&self) -> bool {
        self.is_none()
    }
}

impl<T: Shape> Shape for Vec<T> {
    fn schema(to: &mut Schemas) -> Value {
        json!({"type": "array", "items": T::schema(to)})
    }
}

impl<T: Shape> Shape for BTreeMap<String, T> {
    fn schema(to: &mut Schemas) -> Value {
        json!({"type": "object", "additionalProperties": T::schema(to)})
    }
}

/// A number that may be missing and is then `null`, not left out.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
#[serde(transparent)]
pub(crate) struct Nullable(pub(crate) Option<f64>);

impl Shape for Nullable {
    fn schema(_: &mut Schemas) -> Value {
        json!({"type": ["number", "null"]})
    }
}

/// A number, or the name of a class. Only described: predictions are written without values of this type.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub(crate) enum NumberOrText {}

impl Shape for NumberOrText {
    fn schema(_: &mut Schemas) -> Value {
        json!({"type": ["number", "string"]})
    }
}

/// The words of doc comments as one text.
pub(crate) fn words(lines: &[&str]) -> String {
    lines.iter().map(|l| l.trim()).collect::<Vec<_>>().join(" ")
}

/// The schema of an object.
pub(crate) fn object(about: &[&str], members: Vec<(&str, bool, &[&str], Value)>) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for (name, is_optional, about, mut schema) in members {
        let name = name.trim_start_matches("r#");
        let text = words(about);
        if !text.is_empty() {
            // beside a reference other members are allowed since draft 2019-09
            schema["description"] = json!(text);
        }
        properties.insert(name.to_owned(), schema);
        if !is_optional {
            required.push(json!(name));
        }
    }
    json!({
        "type": "object",
        "description": words(about),
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

/// Structs that are answered, with their schemas.
macro_rules! shaped {
    ($($(#[doc = $about:literal])* $name:ident { $($(#[doc = $field_about:literal])* $field:ident: $type:ty,)* })*) => {
        $(
            $(#[doc = $about])*
            #[derive(Debug, Clone, PartialEq, serde::Serialize)]
            pub(crate) struct $name {
                $(
                    $(#[doc = $field_about])*
                    #[serde(skip_serializing_if = "crate::shape::is_left_out")]
                    pub(crate) $field: $type,
                )*
            }

            impl crate::shape::Shape for $name {
                fn schema(to: &mut crate::shape::Schemas) -> serde_json::Value {
                    if !to.contains_key(stringify!($name)) {
                        // named first, so that it may hold itself
                        to.insert(stringify!($name), serde_json::Value::Null);
                        let members: Vec<(&str, bool, &[&str], serde_json::Value)> = vec![$((
                            stringify!($field),
                            <$type as crate::shape::Shape>::OPTIONAL,
                            &[$($field_about),*],
                            <$type as crate::shape::Shape>::schema(to),
                        )),*];
                        to.insert(stringify!($name), crate::shape::object(&[$($about),*], members));
                    }
                    serde_json::json!({"$ref": concat!("#/components/schemas/", stringify!($name))})
                }
            }
        )*
    };
}
pub(crate) use shaped;

/// Whether a member is left out: only an empty option is, which serialises as nothing.
pub(crate) fn is_left_out<T: Shape>(value: &T) -> bool {
    value.is_left_out()
}
