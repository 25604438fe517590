//! Keys: what each of them opens, and that nothing opens without one.

use std::path::{Path, PathBuf};

use guike::keys::{NewKey, add, revoke};
use guike_core::Day;
use guike_guard::Scope;
use guike_server::Limits;

use crate::support::{Answer, Running, Trained, not_started, post};

const ANN: &str = r#"{"age":30,"income":6000,"purchase_frequency":5,"amount":500,"category":"books"}"#;

/// A file with a key for each scope, one for all, and one that is over; the keys in this order.
fn keys(folder: &Path) -> (PathBuf, Vec<String>) {
    let file = folder.join("keys.json");
    let make = |name: &str, scopes: &[Scope], expires: Option<Day>, random: u8| {
        let new = NewKey { name, scopes, created: Day(20_000), expires, random: [random; 32] };
        add(&file, &new).expect("added").reveal().to_owned()
    };
    let secrets = vec![
        make("predicts", &[Scope::Predict], None, 1),
        make("reads", &[Scope::Read], None, 2),
        make("counts", &[Scope::Metrics], None, 3),
        make("all", &Scope::ALL, None, 4),
        make("over", &Scope::ALL, Some(Day(20_001)), 5),
    ];
    (file, secrets)
}

#[test]
fn every_key_opens_what_it_was_made_for_and_nothing_else() {
    let trained = Trained::logistic();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (file, secrets) = keys(folder.path());
    let mut server = Running::guarded(vec![trained.model()], Limits::default(), Some(file));
    let predict = |key: &str| {
        let request = post("/predict", "example.org", "application/json", ANN);
        server.send(request.replacen("\r\n", &format!("\r\nauthorization: Bearer {key}\r\n"), 1).as_bytes())
    };
    let get = |path: &str, key: &str| server.get_with(path, &format!("x-api-key: {key}"));
    type Ask<'a> = &'a dyn Fn(&str) -> Answer;
    let asks: [(usize, Ask<'_>); 3] =
        [(0, &|k| predict(k)), (1, &|k| get("/v1/models", k)), (2, &|k| get("/metrics", k))];
    for (scope, ask) in asks {
        for (i, key) in secrets.iter().enumerate() {
            let answer = ask(key);
            match i {
                3 => assert_eq!(answer.status, 200, "{}", answer.body),
                4 => answer.is_problem(401, "expired-key", &["guike keys add"]),
                i if i == scope => assert_eq!(answer.status, 200, "{}", answer.body),
                _ => answer.is_problem(403, "foreign-scope", &["--scope"]),
            }
        }
        let unknown = ask("guike_0000");
        unknown.is_problem(401, "unknown-key", &["no such key"]);
        assert_eq!(unknown.header("www-authenticate"), Some("bearer"));
    }
    for path in ["/v1/models", "/v1/customers", "/v2", "/metrics"] {
        server.get(path).is_problem(401, "no-key", &["authorization"]);
    }
    for path in ["/health", "/ready", "/openapi.json", "/v2/health/live"] {
        assert_eq!(server.get(path).status, 200, "{path}");
    }
    server.end();
    let log = server.log.text();
    assert!(log.contains("\"key\":\"predicts\""), "{log}");
    assert!(!secrets.iter().any(|s| log.contains(&s[6..])), "a key stands in the log");
}

#[test]
fn a_key_may_ask_so_often_and_no_more() {
    let trained = Trained::logistic();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (file, secrets) = keys(folder.path());
    let limits = Limits { rate: Some(3), ..Limits::default() };
    let server = Running::guarded(vec![trained.model()], limits, Some(file));
    let ask = |key: &str| server.get_with("/v1/models", &format!("x-api-key: {key}"));
    let answers: Vec<Answer> = (0..8).map(|_| ask(&secrets[1])).collect();
    let refused = answers.iter().find(|a| a.status != 200).expect("more than three a second");
    refused.is_problem(429, "too-many-requests", &["--max-rate"]);
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(ask(&secrets[3]).status, 200, "another key has its own rate");
}

#[test]
fn with_keys_an_address_of_the_network_is_served() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (file, _) = keys(folder.path());
    revoke(&file, "all").expect("revoked");
    let gone = revoke(&file, "all").expect_err("revoked already");
    assert_eq!(gone.kind(), guike::ErrorKind::NotFound);
    std::fs::write(&file, "{}").expect("written");
    // the file of keys is read before anything listens
    let error = not_started("0.0.0.0:0", Some(file), guike_server::Guard::default());
    assert!(error.to_string().contains("no file of keys"), "{error}");
}
