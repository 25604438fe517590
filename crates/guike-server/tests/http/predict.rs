//! `POST /predict`: what comes back for good rows, and for every kind of bad one.

use guike_server::Limits;
use serde_json::json;

use crate::support::{Running, Trained, post};

const ANN: &str = r#"{"age":30,"income":6000,"purchase_frequency":5,"amount":500,"category":"books"}"#;

#[test]
fn an_object_is_answered_by_an_object_and_a_list_by_a_list() {
    let trained = Trained::logistic();
    let server = Running::of(&trained);
    let one = server.post("/predict", ANN);
    assert_eq!(one.status, 200, "{}", one.body);
    let said = one.json();
    let p = said["probabilities"].as_object().expect("probabilities");
    let sum: f64 = p.values().map(|v| v.as_f64().expect("a number")).sum();
    assert!((sum - 1.0).abs() < 1e-12 && p.contains_key("high") && p.contains_key("low"), "{said}");
    let called = said["predicted"].as_str().expect("a class");
    assert_eq!(said["probability"], p[called]);
    assert!(one.header("guike-model").is_some_and(|m| m.starts_with("value-model/")), "{}", one.head);
    assert!(one.header("x-request-id").is_some());
    let list = server.post("/predict", &format!("[{ANN}, {ANN}]")).json();
    assert_eq!(list, json!([said, said]));
    assert_eq!(server.post("/predict", "[]").json(), json!([]));
}

#[test]
fn the_answers_are_those_of_guike_predict() {
    for learner in ["logistic-regression", "random-forest", "boosting"] {
        let trained = Trained::new(learner, |_| ());
        let server = Running::of(&trained);
        let table = trained.model().parent().expect("a folder").join("customers.csv");
        let read = guike::table::ReadOptions::default();
        let expected = guike::table::predict(&trained.model(), &table, &read, &guike_core::Quiet).expect("predicted");
        let text = std::fs::read_to_string(&table).expect("read");
        let mut lines = text.lines().map(|l| l.split(',').collect::<Vec<_>>());
        let names = lines.next().expect("a header");
        let rows: Vec<serde_json::Value> = lines
            .map(|cells| {
                let wanted = |n: &str| !["customer_id", "value"].contains(&n);
                let value = |c: &str| c.parse::<f64>().map_or_else(|_| json!(c), |v| json!(v));
                names.iter().zip(cells).filter(|(n, _)| wanted(n)).map(|(n, c)| ((*n).to_owned(), value(c))).collect()
            })
            .collect();
        let answered = server.post("/predict", &json!(rows).to_string()).json();
        let (columns, cells) = expected.cells();
        let high = columns.iter().position(|c| c == "p_high").expect("a column");
        for (said, row) in answered.as_array().expect("a list").iter().zip(&cells) {
            let (p, q) = (said["probabilities"]["high"].as_f64(), row[high].as_f64());
            // guike predict prints nine digits
            assert!((p.expect("a number") - q.expect("a number")).abs() < 1e-8, "{learner}: {said} {row:?}");
            assert_eq!(said["predicted"], row[1], "{learner}");
        }
        assert_eq!(answered.as_array().map(Vec::len), Some(cells.len()));
    }
}

#[test]
fn reasons_come_when_asked_for_and_add_up() {
    for (learner, unit) in [("logistic-regression", "log_odds"), ("random-forest", "probability")] {
        let trained = Trained::new(learner, |_| ());
        let server = Running::of(&trained);
        let answer = server.post("/predict?reasons=true", &format!("[{ANN},{ANN}]"));
        assert_eq!(answer.status, 200, "{}", answer.body);
        let said = answer.json();
        let reasons = &said[1]["reasons"];
        assert_eq!((&reasons["class"], &reasons["unit"]), (&json!("high"), &json!(unit)), "{reasons}");
        let parts = reasons["parts"].as_array().expect("parts");
        let amounts: Vec<f64> = parts.iter().map(|p| p["amount"].as_f64().expect("a number")).collect();
        assert!(amounts.len() == 5 && amounts.windows(2).all(|w| w[0].abs() >= w[1].abs()), "{reasons}");
        let output = reasons["base"].as_f64().expect("a number") + amounts.iter().sum::<f64>();
        assert!(unit != "probability" || (0.0..=1.0).contains(&output), "{output}");
    }
    let trained = Trained::new("k-nearest-neighbours", |_| ());
    let server = Running::of(&trained);
    server.post("/predict?reasons=true", ANN).is_problem(422, "no-reasons", &["guike explain"]);
    server.post("/predict?reasons=yes", ANN).is_problem(400, "malformed-query", &["true or false"]);
    server.post("/predict?why=1", ANN).is_problem(400, "malformed-query", &["`reasons`"]);
}

#[test]
fn numbers_are_predicted_as_numbers() {
    let trained = Trained::new("linear-regression", |s| s.target = "amount".to_owned());
    let server = Running::of(&trained);
    let row = r#"{"age":30,"income":6000,"purchase_frequency":5,"value":"high","category":null}"#;
    let said = server.post("/predict", row).json();
    let members: Vec<&str> = said.as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!((members.as_slice(), said["predicted"].is_f64()), (&["interval", "predicted", "tier"][..], true));
}

#[test]
fn missing_values_and_categories_never_seen_are_answered() {
    let trained = Trained::logistic();
    let server = Running::of(&trained);
    let row = r#"{"age":null,"income":6000,"purchase_frequency":5,"amount":null,"category":"spaceships"}"#;
    let said = server.post("/predict", row);
    assert_eq!(said.status, 200, "{}", said.body);
    assert_eq!(said.json()["unknown_categories"], json!(["category"]));
    assert!(!said.body.contains("spaceships"));
}

#[test]
fn what_is_wrong_with_a_row_is_said_without_its_values() {
    let trained = Trained::logistic();
    let server = Running::of(&trained);
    let with = |change: &str| ANN.replace(r#""age":30"#, change);
    for (body, status, code, words) in [
        (with(r#""agee":30"#), 422, "unknown-column", vec!["row 1", "`agee`", "is `age` meant?", "`income`"]),
        (with(r#""canary@example.org":1"#), 422, "unknown-column", vec!["a column of another name"]),
        (ANN.replace(r#""age":30,"#, ""), 422, "missing-column", vec!["row 1 lacks a column", "`age`", "null"]),
        (r#"{"age":30}"#.to_owned(), 422, "missing-column", vec!["`income`", "`category`"]),
        (with(r#""age":30,"age":31"#), 422, "duplicate-column", vec!["`age` twice"]),
        (with(r#""age":"CANARY""#), 422, "wrong-type", vec!["`age` of row 1 holds a text", "a number"]),
        (with(r#""age":["CANARY"]"#), 422, "wrong-type", vec!["holds a list"]),
        (with(r#""age":{"CANARY":1}"#), 422, "wrong-type", vec!["holds an object"]),
        (with(r#""age":true"#), 422, "wrong-type", vec!["holds true or false"]),
        (format!("[{ANN},{}]", with(r#""age":"CANARY""#)), 422, "wrong-type", vec!["row 2"]),
        (with(r#""age":NaN"#), 400, "malformed-json", vec!["line 1", "null"]),
        (with(r#""age":1e999"#), 400, "malformed-json", vec!["line 1"]),
        (format!("{ANN} CANARY"), 400, "malformed-json", vec!["line 1"]),
        (ANN[..20].to_owned(), 400, "malformed-json", vec!["ends too early"]),
        ("[\"CANARY\"]".to_owned(), 400, "malformed-json", vec!["other than objects"]),
        ("CANARY".to_owned(), 400, "malformed-json", vec!["begins with something else"]),
        (String::new(), 400, "malformed-json", vec!["is empty"]),
    ] {
        let answer = server.post("/predict", &body);
        answer.is_problem(status, code, &words);
        assert!(!answer.body.to_lowercase().contains("canary"), "{body} is repeated in {}", answer.body);
    }
    assert!(!server.log.text().to_lowercase().contains("canary"));
}

#[test]
fn limits_on_rows_and_bytes_say_where_they_are_set() {
    let trained = Trained::logistic();
    let limits = Limits { rows: 3, body_bytes: 2_000, ..Limits::default() };
    let server = Running::with(vec![trained.model()], limits);
    assert_eq!(server.post("/predict", &format!("[{ANN},{ANN},{ANN}]")).status, 200);
    server.post("/predict", &format!("[{ANN},{ANN},{ANN},{ANN}]")).is_problem(413, "too-many-rows", &["--max-rows"]);
    server.post("/predict", &" ".repeat(2_001)).is_problem(413, "body-too-large", &["2000 bytes", "--max-body"]);
}

#[test]
fn pages_of_other_sites_are_not_answered() {
    let trained = Trained::logistic();
    let server = Running::of(&trained);
    let text = server.send(post("/predict", "localhost", "text/plain", ANN).as_bytes());
    text.is_problem(415, "not-json", &["content-type: application/json"]);
    let other = server.send(post("/predict", "rebound.example.org", "application/json", ANN).as_bytes());
    other.is_problem(403, "foreign-host", &["localhost"]);
    let with_charset =
        server.send(post("/predict", "127.0.0.1:5000", "application/json; charset=utf-8", ANN).as_bytes());
    assert_eq!(with_charset.status, 200);
}

#[test]
fn an_answer_says_in_which_tier_it_stands_and_how_sure_it_is() {
    let trained = Trained::logistic();
    let server = Running::of(&trained);
    let tiers = server.get("/v1/models/value-model").json()["tiers"].as_array().expect("tiers").clone();
    let keys: Vec<&str> = tiers.iter().map(|t| t["tier"].as_str().expect("a key")).collect();
    assert_eq!(keys, ["very-high", "high", "middle", "low", "very-low"]);
    for income in [500, 3_000, 5_000, 7_000, 60_000] {
        let said = server.post("/predict", &ANN.replace("6000", &income.to_string())).json();
        let p = said["probabilities"]["high"].as_f64().expect("a number");
        let expected = tiers.iter().find(|t| t["at_least"].as_f64().is_none_or(|b| p >= b)).expect("a tier");
        assert_eq!(said["tier"], expected["tier"], "{said}");
        let end = |name: &str| said["interval"][name].as_f64().expect("a number");
        let of_called = said["probability"].as_f64().expect("a number");
        assert!(0.0 <= end("lower") && end("lower") <= of_called && of_called <= end("upper") && end("upper") <= 1.0);
        assert!(end("lower") < end("upper") && said["interval"]["level"].is_null(), "{said}");
    }
    let evaluation = server.get("/v1/models/value-model").json()["evaluation"].clone();
    assert!(evaluation["intervals"]["mean_lower"].as_f64() < evaluation["intervals"]["mean_upper"].as_f64());
    let form = "c0=30&c1=6000&c2=5&c3=500&c4=books";
    let page =
        server.send(post("/models/value-model", "localhost", "application/x-www-form-urlencoded", form).as_bytes());
    assert!(page.body.contains("Two ways to calibrate it") && page.body.contains("the probability of “high” is"));
}

#[test]
fn a_number_has_the_tiers_and_the_interval_that_its_training_was_told_and_shown() {
    let trained = Trained::new("linear-regression", |s| {
        s.target = "income".to_owned();
        s.tier_borders = vec![7_000.0, 3_000.0];
    });
    let server = Running::of(&trained);
    let row = |age: u32| {
        json!({"age": age, "purchase_frequency": 5, "amount": 500, "category": "books", "value": "high"}).to_string()
    };
    let said = server.post("/predict", &row(30)).json();
    let (at, end) = (said["predicted"].as_f64().expect("a number"), |name: &str| said["interval"][name].as_f64());
    assert_eq!(end("level"), Some(0.8));
    assert!(end("lower").is_some_and(|l| l < at) && end("upper").is_some_and(|u| u > at), "{said}");
    let expected = if at >= 7_000.0 {
        "gold"
    } else if at >= 3_000.0 {
        "silver"
    } else {
        "bronze"
    };
    assert_eq!(said["tier"], expected);
    let apart = server.get("/v1/models/value-model").json()["evaluation"]["intervals"].clone();
    assert!(apart["within"].as_f64().is_some_and(|w| (0.6..=1.0).contains(&w)) && apart["level"] == 0.8, "{apart}");
}

#[test]
fn a_model_that_was_saved_without_tiers_answers_without_them() {
    let text = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../guike-learn/tests/lightgbm/binary.txt");
    let server = Running::with(vec![text], Limits::default());
    let name = server.get("/v1/models").json()["models"][0]["name"].as_str().expect("a name").to_owned();
    let model = server.get(&format!("/v1/models/{name}")).json();
    let columns = model["inputs"].as_array().expect("columns").iter().map(|c| (c["name"].as_str(), json!(null)));
    let row: serde_json::Map<String, serde_json::Value> =
        columns.map(|(n, v)| (n.expect("a name").to_owned(), v)).collect();
    let said = server.post("/predict", &json!(row).to_string()).json();
    assert!(said["probability"].is_number() && said["tier"].is_null() && said["interval"].is_null(), "{said}");
    assert!(model["tiers"].is_null());
}
