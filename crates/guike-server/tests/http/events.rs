//! Events that clients tell of: safe before they are answered, and taken once.

use std::path::PathBuf;

use guike::keys::{NewKey, add};
use guike_core::{Day, Money};
use guike_guard::Scope;
use guike_server::{Guard, Limits};

use crate::support::{Answer, Running, Trained, results};

fn tell(server: &Running, head: &str, body: &str) -> Answer {
    let n = body.len();
    let head = format!(
        "POST /v1/events HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n{head}content-length: {n}\r\nconnection: close\r\n\r\n"
    );
    server.send((head + body).as_bytes())
}

/// A server that takes events, and where it keeps them.
fn taking(trained: &Trained, keys: Option<PathBuf>) -> (Running, tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("events.log");
    let limits = Limits { rows: 3, ..Limits::default() };
    let server = Running::taking(vec![trained.model()], Some(file.clone()), limits, keys, Guard::default());
    (server, folder, file)
}

const ONE: &str = r#"{"customer_id":"Canary","time":"2026-11-01T10:00","amount":12.5}"#;

#[test]
fn events_are_on_disk_when_they_are_answered_and_the_same_again_is_taken_once() {
    let (server, _folder, file) = taking(&Trained::logistic(), None);
    let key = "idempotency-key: a-1\r\n";
    let first = tell(&server, key, ONE);
    assert_eq!((first.status, first.body.as_str()), (200, r#"{"events":1,"repeated":false}"#));
    let kept = guike::events::read(&file).expect("read");
    assert_eq!((kept.len(), kept[0].amount), (1, Money(12_500_000)));
    // written otherwise it is the same
    let again = tell(&server, key, &format!("[ {ONE} ]"));
    assert_eq!((again.status, again.body.as_str()), (200, r#"{"events":1,"repeated":true}"#));
    tell(&server, key, &ONE.replace("12.5", "13")).is_problem(422, "reused-key", &["new one"]);
    let two = tell(&server, "idempotency-key: a-2\r\n", &format!("[{ONE},{ONE}]"));
    assert_eq!(two.body, r#"{"events":2,"repeated":false}"#);
    assert_eq!(guike::events::read(&file).expect("read").len(), 3);
    assert!(!server.log.text().contains("Canary"), "{}", server.log.text());
}

#[test]
fn what_is_no_event_is_a_problem_and_none_of_its_list_is_taken() {
    let (server, _folder, file) = taking(&Trained::logistic(), None);
    let key = "idempotency-key: b\r\n";
    tell(&server, "", ONE).is_problem(400, "no-idempotency-key", &["random number"]);
    tell(&server, key, "{").is_problem(400, "malformed-json", &["line 1"]);
    tell(&server, key, &format!("[{ONE},{ONE},{ONE},{ONE}]")).is_problem(413, "too-many-rows", &["more than 3"]);
    let bad = tell(&server, key, &format!("[{ONE},{}]", ONE.replace("12.5", "true")));
    bad.is_problem(422, "wrong-type", &["`amount` of event 2"]);
    assert_eq!((&bad.json()["row"], &bad.json()["column"]), (&2.into(), &"amount".into()));
    tell(&server, key, &ONE.replace("amount", "Amount")).is_problem(
        422,
        "unknown-column",
        &["customer_id, time, amount"],
    );
    tell(&server, key, &ONE.replace("2026", "2199")).is_problem(422, "wrong-type", &["until now"]);
    assert!(guike::events::read(&file).expect("read").is_empty());
    let without = Running::of(&Trained::logistic());
    tell(&without, key, ONE).is_problem(404, "no-events", &["--events FILE"]);
}

#[test]
fn only_a_key_for_events_may_tell_of_them() {
    let (trained, folder) = (Trained::logistic(), tempfile::tempdir().expect("a temporary folder"));
    let keys = folder.path().join("keys.json");
    let key = |name: &str, scope, random| {
        let new = NewKey { name, scopes: &[scope], created: Day(20_000), expires: None, random: [random; 32] };
        format!("x-api-key: {}\r\nidempotency-key: 1\r\n", add(&keys, &new).expect("added").reveal())
    };
    let (shop, till, other) =
        (key("shop", Scope::Events, 1), key("till", Scope::Events, 2), key("crm", Scope::Read, 3));
    let (server, _events, file) = taking(&trained, Some(keys));
    tell(&server, "idempotency-key: 1\r\n", ONE).is_problem(401, "no-key", &[]);
    tell(&server, &other, ONE).is_problem(403, "foreign-scope", &["--scope events"]);
    // two clients may take the same number
    assert_eq!(tell(&server, &shop, ONE).body, r#"{"events":1,"repeated":false}"#);
    assert_eq!(tell(&server, &till, ONE).body, r#"{"events":1,"repeated":false}"#);
    assert_eq!(guike::events::read(&file).expect("read").len(), 2);
}

/// Asks until the answer is as wanted, for ten seconds at most.
fn until(server: &Running, path: &str, is_it: impl Fn(&Answer) -> bool) -> Answer {
    for _ in 0..400 {
        let answer = server.get(path);
        if is_it(&answer) {
            return answer;
        }
        std::thread::sleep(std::time::Duration::from_millis(25));
    }
    panic!("{path} stays: {:?}", server.get(path));
}

#[test]
fn what_is_told_of_a_customer_is_seen_in_her_forecast_and_her_tier() {
    let (_folder, run) = results();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("events.log");
    let start = || Running::taking(vec![run.clone()], Some(file.clone()), Limits::default(), None, Guard::default());
    let server = start();
    let path = "/v1/customers/C00";
    let before = server.get(path);
    let page = server.get("/v1/customers?limit=1").json();
    until(&server, "/v1/customers/C00/history", |a| a.status == 200);
    let body = r#"[{"customer_id":"C00","time":"2024-01-05","amount":900},{"customer_id":"Eve","time":"2024-01-05","amount":5}]"#;
    assert_eq!(tell(&server, "idempotency-key: live\r\n", body).status, 200);
    let after = until(&server, path, |a| a.json()["as_of"] == "2024-01-05");
    let (old, new) = (before.json(), after.json());
    let number = |v: &serde_json::Value, name: &str| v[name].as_f64().expect("a number");
    assert_eq!(number(&new, "purchase_days"), number(&old, "purchase_days") + 1.0);
    assert_eq!(number(&new, "spend_so_far"), number(&old, "spend_so_far") + 900.0);
    assert_eq!(number(&new, "days_since_last_order"), 0.0);
    assert!(number(&new, "expected_spend") > number(&old, "expected_spend"), "{new}");
    let score = new["rfm_score"].as_str().expect("a score");
    assert!(score.starts_with('5') && score.ends_with('5'), "{new}");
    // by the borders of the run
    let tiers = server.get("/v1/tiers").json();
    let borders = tiers["rule"]["borders"]["at_least"].as_array().expect("borders");
    let spend = number(&new, "expected_spend");
    let at = borders.iter().position(|b| b.as_f64().is_some_and(|b| spend >= b)).unwrap_or(borders.len());
    assert_eq!(new["tier"], tiers["tiers"][at]["name"]["key"]);
    assert_ne!(before.header("etag"), after.header("etag"));
    // who was not told of stays as the run left her, and pages that were begun before go on
    assert_eq!(server.get("/v1/customers/C01").json()["as_of"], old["as_of"]);
    let next = format!("/v1/customers?limit=1&cursor={}", page["next"].as_str().expect("more than one"));
    let (first, second) = (&page["customers"][0], &server.get(&next).json()["customers"][0]);
    assert!(number(second, "expected_spend") <= number(first, "expected_spend") && second != first);
    let best = server.get("/v1/customers?sort=-spend_so_far&limit=1000").json();
    assert_eq!(
        best["customers"].as_array().map(Vec::len),
        Some(server.get("/v1/summary").json()["customers"].as_u64().expect("a number") as usize)
    );
    assert!(best["customers"].as_array().expect("a list").iter().any(|c| c["customer_id"] == "Eve"));

    let history = server.get("/v1/customers/C00/history").json();
    let days = history["purchases"].as_array().expect("a list");
    assert_eq!(days.len() as f64, number(&new, "purchase_days"));
    assert_eq!(days[days.len() - 1], serde_json::json!({ "day": "2024-01-05", "spend": 900.0 }));
    let ahead = history["ahead"].as_array().expect("a list");
    assert!((number(&ahead[ahead.len() - 1], "expected_spend") - number(&new, "expected_spend")).abs() < 1e-4);
    let why = server.get("/v1/customers/Eve/explanation").json();
    let parts: f64 = why["themes"].as_array().expect("themes").iter().map(|t| number(t, "expected_spend")).sum();
    assert!((parts + number(&why["base"], "expected_spend") - number(&why["expected"], "expected_spend")).abs() < 1e-6);
    for page in ["/customers/Eve", "/customers/C00/why", "/customers/C00/why?lang=zh"] {
        let shown = server.get(page);
        assert!(shown.status == 200 && shown.body.contains("</html>"), "{page}: {}", shown.status);
    }
    assert!(!server.log.text().contains("Eve"), "{}", server.log.text());
    drop(server);
    // after a restart the same is said again
    let again = until(&start(), path, |a| a.json()["as_of"] == "2024-01-05");
    assert_eq!(again.body, after.body);
}

#[test]
fn a_run_that_kept_no_log_says_so_and_its_customers_stay() {
    let (_folder, run) = results();
    std::fs::remove_file(run.join("log.parquet")).expect("it is there");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("events.log");
    let server = Running::taking(vec![run], Some(file), Limits::default(), None, Guard::default());
    let problem = until(&server, "/v1/customers/C00/history", |a| a.status != 503);
    problem.is_problem(404, "no-history", &["--without-log", "run again"]);
    server.get("/v1/customers/C00/explanation").is_problem(404, "no-history", &[]);
    let told = r#"{"customer_id":"C00","time":"2024-01-05","amount":900}"#;
    assert_eq!(tell(&server, "idempotency-key: x\r\n", told).status, 200, "the next run reads it");
    assert_eq!(server.get("/customers/C00").status, 200);
}
