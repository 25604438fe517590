//! Files against their JSON Schema, read strictly: what a schema does not mention, a file may not hold.
//!
//! Knows the keywords that docs/model.schema.json uses and no others.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

/// Words for people, and what is looked up elsewhere.
const PASSED_OVER: [&str; 6] = ["description", "title", "$schema", "$id", "$defs", "pattern"];

/// Panics with the place in `json` that the schema in docs/ does not describe.
pub(crate) fn check(json: &str, schema: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(schema);
    let root: Value = serde_json::from_str(&std::fs::read_to_string(path).expect("the schema")).expect("JSON");
    let value: Value = serde_json::from_str(json).expect("JSON");
    if let Err(trouble) = whole(&root, &root, &value) {
        panic!("{schema} does not describe the file: {trouble}");
    }
}

/// Whether the value is as described, with nothing beside it.
fn whole(root: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    let mut known = BTreeSet::new();
    part(root, schema, value, &mut known)?;
    match value.as_object().and_then(|o| o.keys().find(|k| !known.contains(*k) && !known.contains("*"))) {
        Some(key) => Err(format!("`{key}` is not described")),
        None => Ok(()),
    }
}

/// Whether the value is as described; adds the properties that the description mentions, `*` for any.
fn part(root: &Value, schema: &Value, value: &Value, known: &mut BTreeSet<String>) -> Result<(), String> {
    let says = |wrong: bool, rule: &str, limit: &Value| {
        let shown: String = value.to_string().chars().take(60).collect();
        if wrong { Err(format!("{shown} breaks {rule} {limit}")) } else { Ok(()) }
    };
    let number = |v: &Value| v.as_f64().unwrap_or(f64::NAN);
    for (keyword, rule) in schema.as_object().expect("a schema is an object") {
        match keyword.as_str() {
            "$ref" => {
                let place = rule.as_str().and_then(|r| r.strip_prefix('#')).expect("a place in the same file");
                part(root, root.pointer(place).unwrap_or_else(|| panic!("{place}")), value, known)?;
            }
            "const" => says(value != rule, keyword, rule)?,
            "enum" => says(!rule.as_array().expect("a list").contains(value), keyword, rule)?,
            "type" => says(!is(value, rule), keyword, rule)?,
            "minimum" => says(number(value) < number(rule), keyword, rule)?,
            "maximum" => says(number(value) > number(rule), keyword, rule)?,
            "exclusiveMinimum" => says(number(value) <= number(rule), keyword, rule)?,
            "minItems" => says(value.as_array().is_some_and(|a| (a.len() as f64) < number(rule)), keyword, rule)?,
            "required" => {
                let lacks = |k: &Value| value.get(k.as_str().expect("a name")).is_none();
                says(rule.as_array().expect("a list").iter().any(lacks), keyword, rule)?;
            }
            "items" => {
                for (i, item) in value.as_array().into_iter().flatten().enumerate() {
                    whole(root, rule, item).map_err(|e| format!("[{i}] {e}"))?;
                }
            }
            "properties" => {
                for (name, rule) in rule.as_object().expect("an object") {
                    known.insert(name.clone());
                    if let Some(value) = value.get(name) {
                        whole(root, rule, value).map_err(|e| format!("{name}: {e}"))?;
                    }
                }
            }
            "additionalProperties" => {
                known.insert("*".to_owned());
                for (name, value) in value.as_object().into_iter().flatten() {
                    whole(root, rule, value).map_err(|e| format!("{name}: {e}"))?;
                }
            }
            "oneOf" => {
                let tried = rule.as_array().expect("a list").iter().map(|branch| {
                    let mut names = BTreeSet::new();
                    part(root, branch, value, &mut names).map(|()| names)
                });
                let (fits, fails): (Vec<_>, Vec<_>) = tried.partition(Result::is_ok);
                if fits.len() != 1 {
                    let why: Vec<String> = fails.into_iter().filter_map(Result::err).collect();
                    return Err(format!("{} branches fit; the others: {}", fits.len(), why.join("; ")));
                }
                known.extend(fits.into_iter().flatten().flatten());
            }
            word => assert!(PASSED_OVER.contains(&word), "the checker does not know `{word}`"),
        }
    }
    Ok(())
}

fn is(value: &Value, kind: &Value) -> bool {
    let one = |kind: &str| match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        _ => panic!("the checker does not know the type `{kind}`"),
    };
    match kind {
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).any(one),
        kind => one(kind.as_str().expect("a name")),
    }
}

#[test]
fn the_checker_notices_what_is_not_described() {
    let schema: Value = serde_json::json!({
        "type": "object", "required": ["a"],
        "properties": {"a": {"enum": [1, 2]}, "b": {"items": {"exclusiveMinimum": 0}}},
        "oneOf": [{"properties": {"c": {"const": "x"}}, "required": ["c"]}, {"properties": {"d": {"type": "integer"}}, "required": ["d"]}]
    });
    let said = |text: &str| whole(&schema, &schema, &serde_json::from_str(text).expect("JSON"));
    assert_eq!(said(r#"{"a": 1, "b": [0.5], "d": 3}"#), Ok(()));
    for (text, words) in [
        (r#"{"d": 3}"#, "required"),
        (r#"{"a": 3, "d": 3}"#, "enum"),
        (r#"{"a": 1, "b": [1, 0], "d": 3}"#, "b: [1] 0 breaks exclusiveMinimum"),
        (r#"{"a": 1}"#, "0 branches fit"),
        (r#"{"a": 1, "c": "x", "e": 1}"#, "`e` is not described"),
    ] {
        assert!(said(text).expect_err(text).contains(words), "{text}: {:?}", said(text));
    }
}
