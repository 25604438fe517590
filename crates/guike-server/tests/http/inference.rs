//! The Open Inference Protocol: a model's tensors, and the same predictions as `POST /predict`.

use serde_json::{Value, json};

use crate::support::{Running, Trained};

fn tensors() -> Vec<Value> {
    let tensor = |name: &str, datatype: &str, shape: Value, data: Value| json!({ "name": name, "shape": shape, "datatype": datatype, "data": data });
    vec![
        tensor("category", "BYTES", json!([2, 1]), json!(["books", "sports"])),
        tensor("age", "INT64", json!([2]), json!([30, 41])),
        tensor("income", "FP64", json!([2, 1]), json!([[6000.0], [5000.5]])),
        tensor("purchase_frequency", "FP32", json!([2]), json!([5, 9])),
        tensor("amount", "FP64", json!([2]), json!([500, null])),
    ]
}

#[test]
fn tensors_are_answered_as_objects_are() {
    let trained = Trained::logistic();
    let server = Running::of(&trained);
    let rows = r#"[{"age":30,"income":6000,"purchase_frequency":5,"amount":500,"category":"books"},
        {"age":41,"income":5000.5,"purchase_frequency":9,"amount":null,"category":"sports"}]"#;
    let expected = server.post("/predict", rows).json();
    let request = json!({ "id": "q1", "inputs": tensors() });
    let version = server.get("/v2/models/value-model").json()["versions"][0].as_str().expect("a version").to_owned();
    for path in ["/v2/models/value-model/infer".to_owned(), format!("/v2/models/value-model/versions/{version}/infer")]
    {
        let said = server.post(&path, &request.to_string()).json();
        assert_eq!((&said["model_name"], &said["id"]), (&json!("value-model"), &json!("q1")), "{said}");
        let outputs = said["outputs"].as_array().expect("outputs");
        let names: Vec<&str> = outputs.iter().map(|o| o["name"].as_str().expect("a name")).collect();
        assert_eq!(names, ["predicted", "p_high", "p_low"]);
        for i in 0..2 {
            assert_eq!(outputs[0]["data"][i], expected[i]["predicted"]);
            assert_eq!(outputs[1]["data"][i], expected[i]["probabilities"]["high"]);
        }
        assert_eq!((&outputs[0]["datatype"], &outputs[1]["shape"]), (&json!("BYTES"), &json!([2, 1])));
    }
    let only = json!({ "inputs": tensors(), "outputs": [{ "name": "p_high" }] });
    let said = server.post("/v2/models/value-model/infer", &only.to_string()).json();
    assert_eq!(said["outputs"].as_array().map(Vec::len), Some(1));
}

#[test]
fn the_server_and_its_model_describe_themselves() {
    let trained = Trained::logistic();
    let server = Running::of(&trained);
    assert_eq!(server.get("/v2").json()["name"], "guike");
    assert_eq!(server.get("/v2/health/live").json(), json!({ "live": true }));
    assert_eq!(server.get("/v2/health/ready").json(), json!({ "ready": true }));
    assert_eq!(server.get("/v2/models/value-model/ready").json(), json!({ "name": "value-model", "ready": true }));
    let metadata = server.get("/v2/models/value-model").json();
    assert_eq!(metadata["inputs"][0], json!({ "name": "age", "datatype": "FP64", "shape": [-1, 1] }));
    assert_eq!(metadata["outputs"].as_array().map(Vec::len), Some(3), "{metadata}");
    server.get("/v2/models/other").is_problem(404, "no-model", &["`value-model`"]);
    server.get("/v2/models/value-model/versions/1/ready").is_problem(404, "no-model", &["no other"]);
}

#[test]
fn tensors_that_do_not_fit_are_named_without_their_values() {
    let trained = Trained::logistic();
    let server = Running::of(&trained);
    let change = |at: usize, key: &str, value: Value| {
        let mut inputs = tensors();
        inputs[at][key] = value;
        json!({ "inputs": inputs })
    };
    let mut twice = tensors();
    twice.push(twice[1].clone());
    for (request, code, word) in [
        (change(1, "name", json!("agee")), "unknown-column", "is `age` meant?"),
        (change(1, "shape", json!([3])), "wrong-tensor", "[2, 1]"),
        (change(1, "datatype", json!("COMPLEX")), "wrong-tensor", "`FP64`"),
        (change(1, "data", json!([1])), "wrong-tensor", "1 values for 2 rows"),
        (change(1, "data", json!([1, "CANARY"])), "wrong-type", "`age` holds a value in row 2"),
        (json!({ "inputs": twice }), "duplicate-column", "`age` is there twice"),
        (json!({ "inputs": &tensors()[1..] }), "missing-column", "`category`"),
        (json!({ "inputs": tensors(), "outputs": [{ "name": "CANARY" }] }), "wrong-tensor", "`p_high`"),
    ] {
        let answer = server.post("/v2/models/value-model/infer", &request.to_string());
        answer.is_problem(422, code, &[word]);
        assert!(!answer.body.contains("CANARY"));
        assert_eq!(answer.json()["error"], answer.json()["detail"], "clients of the protocol read `error`");
    }
    server.post("/v2/models/value-model/infer", "{}").is_problem(400, "malformed-json", &[]);
}

/// Triton's clients name no type; pages of other sites can leave it out too, but not hide where they are from.
#[test]
fn a_body_without_a_type_is_json_unless_a_page_sent_it() {
    let trained = Trained::logistic();
    let server = Running::of(&trained);
    let body = json!({ "inputs": tensors() }).to_string();
    let ask = |more: &str| {
        let head =
            format!("POST /v2/models/value-model/infer HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}", body.len());
        server.send(format!("{head}\r\nconnection: close\r\n{more}\r\n{body}").as_bytes())
    };
    assert_eq!(ask("").status, 200);
    ask("origin: https://example.org\r\n").is_problem(415, "not-json", &["content-type"]);
    ask("sec-fetch-site: cross-site\r\n").is_problem(415, "not-json", &["content-type"]);
    ask("content-type: text/plain\r\n").is_problem(415, "not-json", &["content-type"]);
}
