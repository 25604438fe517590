//! Events that clients tell of: safe before they are answered, and taken once.

use std::path::PathBuf;

use guike::keys::{NewKey, add};
use guike_core::{Day, Money};
use guike_guard::Scope;
use guike_server::{Guard, Limits};

use crate::support::{Answer, Running, Trained};

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
