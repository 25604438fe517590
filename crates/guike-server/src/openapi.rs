//! The description of the interface (OpenAPI 3.1), from the table of routes and the types of the answers.

use guike::results::export::TableForm;
use serde_json::{Map, Value, json};

use crate::app::{Answer, App, Call};
use crate::problem::Problem;
use crate::query::Query;
use crate::routes::{EXPORT, Method, ROUTES, Route, Work};
use crate::shape::{Schemas, Shape};
use crate::views::ProblemView;
use crate::{batch, events, filter};

/// Where jobs are asked for.
const JOBS: &str = "/v1/jobs";

/// A parameter after the `?`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parameter {
    pub(crate) name: &'static str,
    /// What it is for.
    pub(crate) about: &'static str,
    /// Its JSON Schema, as text.
    pub(crate) schema: &'static str,
}

/// A media type without its parameters.
fn plain(kind: &str) -> &str {
    kind.split(';').next().unwrap_or(kind)
}

/// `GET /openapi.json`.
pub(crate) fn answer(_: &App, call: &Call) -> Result<Answer, Problem> {
    Query::parse(&call.query, &[])?;
    Ok(Answer::json(document().to_string().into_bytes()))
}

/// The whole description.
pub(crate) fn document() -> Value {
    let mut schemas = Schemas::new();
    let mut paths: Map<String, Value> = Map::new();
    for route in ROUTES.iter().filter(|r| !r.is_page) {
        let method = match route.method {
            Method::Get => "get",
            Method::Post => "post",
            Method::Delete => "delete",
        };
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[method] = operation(route, &mut schemas);
    }
    ProblemView::schema(&mut schemas);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Guike",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Predictions of saved models, and the customers of a run with their forecasts and tiers",
            "description": "What `guike serve` answers. Errors are problem details (RFC 9457) with stable codes.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "http://127.0.0.1:5000" }],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A key of `guike keys add`, where the server was started with --keys; \
                                    `x-api-key` may be used in its place. Where it was started with --jwt-keys, a token of the \
                                    identity provider does the same.",
                },
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": "__Host-guike",
                    "description": "The session of a person who has logged in, where the server was started with --users; \
                                    what is not read needs the header `x-csrf-token`, too.",
                },
            },
        },
    })
}

fn operation(route: &Route, schemas: &mut Schemas) -> Value {
    let in_path = route.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).map(
        |name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string", "minLength": 1 } }),
    );
    let others = route.parameters.iter().map(|p| {
        let schema: Value = serde_json::from_str(p.schema).expect("a schema of ours is JSON");
        let is_key = p.name == events::KEY;
        let place = if is_key { "header" } else { "query" };
        json!({ "name": p.name, "in": place, "required": is_key, "description": p.about, "schema": schema })
    });
    let is_filtered = route.parameters.iter().any(|p| p.name == filter::NAMED[0]);
    let ends = filter::ENDS.as_flattened().iter().filter(|_| is_filtered).map(|name| {
        let (end, number) = name.split_once('_').expect("an end and a number");
        let about =
            format!("Only customers whose `{number}` is at {} this.", if end == "min" { "least" } else { "most" });
        json!({ "name": name, "in": "query", "required": false, "description": about, "schema": { "type": "number" } })
    });
    let parameters: Vec<Value> = in_path.chain(others).chain(ends).collect();
    let (kind, schema) = match route.answer {
        Some(schema) => ("application/json", schema(schemas)),
        None => ("text/plain", json!({ "type": "string" })),
    };
    // rows come and go as the kind that the body says it is
    let kinds = |of_others: &'static str, schema: &Value| -> Map<String, Value> {
        let kinds: Vec<&str> = match route.work {
            _ if route.path == EXPORT => TableForm::ALL.iter().map(|form| form.media_type()).map(plain).collect(),
            // a table comes, and what is said of the job goes
            Work::Streamed(_) if route.path == JOBS => vec![of_others],
            Work::Streamed(_) => batch::KINDS.iter().map(|k| k.0).collect(),
            Work::Whole(_) | Work::Slow(_) | Work::Waiting(_) => vec![of_others],
        };
        kinds.into_iter().map(|kind| (kind.to_owned(), json!({ "schema": schema }))).collect()
    };
    let mut responses = json!({ "200": { "description": "the answer", "content": kinds(kind, &schema) } });
    for status in route.problems() {
        responses[status.to_string()] = json!({
            "description": "a problem",
            "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/ProblemView" } } },
        });
    }
    let mut operation = json!({
        "operationId": route.id(),
        "summary": route.about,
        "parameters": parameters,
        "responses": responses,
    });
    if let Some(body) = route.body {
        let kind = if route.path == JOBS { "text/csv" } else { "application/json" };
        operation["requestBody"] = json!({ "required": true, "content": kinds(kind, &body(schemas)) });
    }
    operation["security"] = match route.needs {
        Some(_) => json!([{ "key": [] }, { "session": [] }, {}]),
        None => json!([]),
    };
    operation
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_description_is_the_one_that_is_served() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");
        let served = format!("{:#}\n", document());
        if std::env::var_os("GUIKE_WRITE_OPENAPI").is_some() {
            std::fs::write(path, &served).expect("docs/openapi.json can be written");
        }
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            committed == served,
            "docs/openapi.json is another one; write it with GUIKE_WRITE_OPENAPI=1 cargo nextest run the_committed_description"
        );
    }

    #[test]
    fn every_reference_leads_to_a_schema_and_every_operation_has_its_own_id() {
        let document = document();
        let text = document.to_string();
        for part in text.split("#/components/schemas/").skip(1) {
            let name = part.split('"').next().expect("a quote");
            assert!(document["components"]["schemas"][name].is_object(), "{name}");
        }
        let mut ids: Vec<String> = ROUTES.iter().map(Route::id).collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), ROUTES.len());
    }
}
