//! Every answer against the description that the server gives of itself.

use guike_server::Limits;
use serde_json::{Value, json};

use crate::support::{Answer, Running, Trained, results, results_into, results_until};
use crate::workspace::Shop;

const ANN: &str = r#"{"age":30,"income":6000,"purchase_frequency":5,"amount":500,"category":"spaceships"}"#;

/// What does not fit, as paths into the value: the part of JSON Schema that the description uses.
fn misfits(document: &Value, schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    if let Some(name) = schema["$ref"].as_str() {
        let name = name.rsplit('/').next().expect("a name");
        return misfits(document, &document["components"]["schemas"][name], value, at, found);
    }
    if let Some(choices) = schema["oneOf"].as_array() {
        let fits = |s: &&Value| {
            let mut inner = Vec::new();
            misfits(document, s, value, at, &mut inner);
            inner.is_empty()
        };
        if choices.iter().filter(fits).count() != 1 {
            found.push(format!("{at}: not exactly one of the choices"));
        }
        return;
    }
    let kinds: Vec<&str> = match &schema["type"] {
        Value::String(kind) => vec![kind],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => return,
    };
    let is = |kind: &&str| match *kind {
        "null" => value.is_null(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("unknown type {other}"),
    };
    if !kinds.iter().any(is) {
        found.push(format!("{at}: {value} is no {kinds:?}"));
    }
    for (i, v) in value.as_array().into_iter().flatten().enumerate() {
        misfits(document, &schema["items"], v, &format!("{at}[{i}]"), found);
    }
    let Some(members) = value.as_object() else { return };
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !members.contains_key(name) {
            found.push(format!("{at}.{name}: missing"));
        }
    }
    for (name, v) in members {
        match (&schema["properties"][name], &schema["additionalProperties"]) {
            (Value::Null, Value::Bool(false)) => found.push(format!("{at}.{name}: not described")),
            (Value::Null, more) => misfits(document, more, v, &format!("{at}.{name}"), found),
            (described, _) => misfits(document, described, v, &format!("{at}.{name}"), found),
        }
    }
}

#[test]
fn every_answer_is_as_described() {
    let (_folder, out) = results();
    let trained = Trained::logistic();
    check(&Running::with(vec![trained.model(), out], Limits::default()));
}

#[test]
fn every_answer_about_a_workspace_is_as_described() {
    let shop = Shop::new();
    shop.train("value-model", "logistic-regression");
    results_until(&Shop::place(&shop.root(), "shop"), "2023-08-31", "90d");
    results_into(&Shop::place(&shop.root(), "shop"));
    check(&shop.serve());
}

fn check(server: &Running) {
    let document = server.get("/openapi.json").json();
    let tensors: Vec<Value> =
        [("age", json!(30)), ("income", json!(6000)), ("purchase_frequency", json!(5)), ("amount", json!(1))]
            .into_iter()
            .chain([("category", json!("books"))])
            .map(|(name, v)| json!({ "name": name, "shape": [1], "datatype": "FP64", "data": [v] }))
            .collect();
    let infer = json!({ "inputs": tensors }).to_string();
    let id =
        server.get("/v1/customers?limit=1").json()["customers"][0]["customer_id"].as_str().expect("an id").to_owned();
    let version = server.get("/v2/models/value-model").json()["versions"][0].as_str().expect("a version").to_owned();
    let concrete =
        |path: &str| path.replace("{id}", &id).replace("{version}", &version).replace("{name}", "value-model");
    let mut checked = 0;
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for (method, operation) in methods.as_object().expect("methods") {
            let asked = |query: &str, body: &str| match method.as_str() {
                "get" => server.get(&(concrete(path) + query)),
                "delete" => server.send(
                    format!(
                        "DELETE {}{query} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n",
                        concrete(path)
                    )
                    .as_bytes(),
                ),
                _ => server.post(&(concrete(path) + query), body),
            };
            let good = if path.ends_with("infer") { infer.as_str() } else { ANN };
            let list = format!("[{ANN},{ANN}]");
            let mut answers: Vec<Answer> = vec![asked("", good), asked("?nonsense=1", good)];
            if path == "/predict" {
                answers.extend([asked("?reasons=true", &list), asked("", "[]"), asked("", "{}"), asked("", "x")]);
            }
            for answer in answers {
                let described = &operation["responses"][answer.status.to_string()];
                assert!(described.is_object(), "{method} {path}: {} is not described: {}", answer.status, answer.body);
                let kind = answer.header("content-type").expect("a type").split(';').next().expect("a type").to_owned();
                let schema = &described["content"][&kind]["schema"];
                assert!(schema.is_object(), "{method} {path}: {kind} is not described");
                if !kind.starts_with("text/") {
                    let mut found = Vec::new();
                    misfits(&document, schema, &answer.json(), "$", &mut found);
                    assert!(found.is_empty(), "{method} {path}: {found:#?}\n{}", answer.body);
                }
                checked += 1;
            }
        }
    }
    assert!(checked > 40, "{checked}");
}
