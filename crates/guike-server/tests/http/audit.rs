//! The audit log of a server: what is recorded, who sees whom, and that nothing is told that is not recorded.

use std::path::{Path, PathBuf};

use guike::audit::{AuditFiles, check, records};
use guike::keys::{NewKey, add};
use guike::workspace::{Ask, promote, rollback};
use guike_core::{Day, Timestamp};
use guike_guard::Scope;
use guike_server::{Guard, Limits};
use serde_json::Value;

use crate::support::{Answer, Running, results};
use crate::workspace::Shop;

/// A server on a run that keeps an audit log, with a key that reads.
fn serving(folder: &Path, out: PathBuf) -> (Running, AuditFiles, String) {
    let keys = folder.join("keys.json");
    let new = NewKey { name: "crm", scopes: &[Scope::Read], created: Day(20_000), expires: None, random: [1; 32] };
    let key = add(&keys, &new).expect("added").reveal().to_owned();
    let files = AuditFiles::new(&folder.join("audit.jsonl"), None);
    let guard = Guard { audit: Some(files.clone()), ..Guard::default() };
    (Running::recorded(vec![out], Limits::default(), Some(keys), guard), files, key)
}

fn ids(answer: &Answer) -> Vec<String> {
    let customers = answer.json()["customers"].as_array().expect("customers").clone();
    customers.iter().map(|c| c["customer_id"].as_str().expect("an id").to_owned()).collect()
}

#[test]
fn customers_are_told_by_pseudonyms_until_a_purpose_is_stated_and_all_of_it_is_recorded() {
    let ((_shop, out), folder) = (results(), tempfile::tempdir().expect("a temporary folder"));
    let (mut server, files, key) = serving(folder.path(), out);
    let get = |path: &str, head: &str| server.get_with(path, &format!("x-api-key: {key}{head}"));
    let masked = get("/v1/customers?limit=5", "");
    let open = get("/v1/customers?limit=5", "\r\nx-purpose: service");
    let (names, known) = (ids(&masked), ids(&open));
    assert!(
        names.iter().all(|n| n.starts_with("c~")) && known.iter().all(|n| n.starts_with('C')),
        "{names:?} {known:?}"
    );
    assert_ne!(masked.header("etag"), open.header("etag"), "a browser must not take the one for the other");
    // the same customers, in the same order
    let spend = |a: &Answer| a.json()["customers"][3]["expected_spend"].clone();
    assert_eq!(spend(&masked), spend(&open));
    // a pseudonym leads to a customer, and her id only where it is not hidden
    assert_eq!(get(&format!("/v1/customers/{}", names[0]), "").json()["customer_id"], names[0].as_str());
    assert_eq!(get(&format!("/v1/customers/{}?purpose=credit", names[0]), "").json()["customer_id"], known[0].as_str());
    assert_eq!(
        get(&format!("/v1/customers/{}", known[1]), "\r\nx-purpose: fraud").json()["customer_id"],
        known[1].as_str()
    );
    get(&format!("/v1/customers/{}", known[0]), "").is_problem(404, "no-customer", &[]);
    get("/v1/customers/c~0000000000000000", "").is_problem(404, "no-customer", &[]);
    // nothing else tells ids, either
    for query in ["prefix=C0", "sort=customer_id", "sort=-customer_id"] {
        get(&format!("/v1/customers?{query}"), "").is_problem(403, "needs-purpose", &["x-purpose", "`service`"]);
        assert_eq!(get(&format!("/v1/customers?{query}&purpose=quality"), "").status, 200);
    }
    get("/v1/customers", "\r\nx-purpose: because mei@example.org asked").is_problem(
        400,
        "malformed-query",
        &["`service`"],
    );
    assert_eq!(get("/v1/summary", "").status, 200);
    server.end();
    let verified = check(&files, &[]).expect("whole");
    let (records, is_whole) = records(&files).expect("read");
    assert!(is_whole && verified.n == 13 && records.len() == 13, "{records:#?}");
    let of = |i: usize, name: &str| records[i][name].clone();
    assert_eq!((of(0, "action"), of(0, "customers"), of(0, "who")), ("read".into(), 5.into(), "crm".into()));
    assert_eq!((of(1, "action"), of(1, "purpose")), ("reveal".into(), "service".into()));
    assert_eq!((of(3, "about"), of(3, "purpose")), (names[0].as_str().into(), "credit".into()));
    assert_eq!((of(4, "about"), of(4, "purpose")), (names[1].as_str().into(), "fraud".into()));
    assert_eq!((of(5, "result"), of(5, "about")), ("no-customer".into(), names[0].as_str().into()));
    let text = std::fs::read_to_string(&files.log).expect("read");
    assert!(!known.iter().any(|id| text.contains(&format!("\"{id}\""))) && !text.contains("mei@"), "{text}");
    let log: Vec<Value> = server.log.text().lines().map(|l| serde_json::from_str(l).expect("JSON")).collect();
    assert_eq!(log[0]["id"], of(0, "request"));
}

#[test]
fn who_is_refused_by_name_is_recorded_and_who_has_none_is_not() {
    let ((_shop, out), folder) = (results(), tempfile::tempdir().expect("a temporary folder"));
    let keys = folder.path().join("keys.json");
    let key = |name: &str, scope, expires, random| {
        let new = NewKey { name, scopes: &[scope], created: Day(20_000), expires, random: [random; 32] };
        add(&keys, &new).expect("added").reveal().to_owned()
    };
    let (scores, over) = (key("scores", Scope::Predict, None, 1), key("over", Scope::Read, Some(Day(20_001)), 2));
    let files = AuditFiles::new(&folder.path().join("audit.jsonl"), None);
    let guard = Guard { audit: Some(files.clone()), ..Guard::default() };
    let mut server = Running::recorded(vec![out], Limits::default(), Some(keys), guard);
    let get = |path: &str, key: &str| server.get_with(path, &format!("x-api-key: {key}"));
    get("/v1/customers/C01", &scores).is_problem(403, "foreign-scope", &[]);
    get("/metrics", &scores).is_problem(403, "foreign-scope", &[]);
    get("/v1/customers?prefix=C01", &over).is_problem(401, "expired-key", &[]);
    get("/v1/customers/C01", "guike_00").is_problem(401, "unknown-key", &[]);
    server.get("/v1/customers/C01").is_problem(401, "no-key", &[]);
    server.end();
    assert_eq!(check(&files, &[]).expect("whole").n, 3);
    let (records, _) = records(&files).expect("read");
    let of = |i: usize| ["who", "action", "resource", "result"].map(|m| records[i][m].as_str().unwrap_or_default());
    assert_eq!(of(0), ["scores", "read", "customers", "foreign-scope"]);
    assert_eq!(of(1), ["scores", "read", "metrics", "foreign-scope"]);
    assert_eq!(of(2), ["over", "read", "customers", "expired-key"]);
    assert!(records[0]["about"].as_str().is_some_and(|about| about.starts_with("c~")), "{}", records[0]);
    let log = server.log.text();
    assert!(log.contains("\"key\":\"scores\"") && log.contains("\"key\":\"over\""), "{log}");
    assert!(!std::fs::read_to_string(&files.log).expect("read").contains("C01"));
}

#[test]
fn what_is_decided_about_models_elsewhere_is_recorded_once() {
    let shop = Shop::new();
    assert_eq!((shop.train("scores", "logistic-regression"), shop.train("scores", "decision-tree")), (1, 2));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let files = AuditFiles::new(&folder.path().join("audit.jsonl"), None);
    let serving = || {
        let guard = Guard { audit: Some(files.clone()), ..Guard::default() };
        Running::recorded(vec![shop.root()], Limits::default(), None, guard)
    };
    let recorded = |n: u64| {
        let begun = std::time::Instant::now();
        while records(&files).map_or(0, |(records, _)| records.len() as u64) < n {
            assert!(begun.elapsed() < std::time::Duration::from_secs(20), "{n} records did not come");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    };
    let mut server = serving();
    let ask = Ask { by: "ann", reason: "a test", force: true, now: Timestamp(1_800_000_000) };
    promote(&shop.root(), "scores", 2, &ask).expect("promoted");
    recorded(1);
    rollback(&shop.root(), "scores", &ask).expect("rolled back");
    recorded(2);
    server.end();
    // a new start does not tell it again
    let mut server = serving();
    std::thread::sleep(std::time::Duration::from_millis(1_200));
    server.end();
    assert_eq!(check(&files, &[]).expect("whole").n, 2);
    let (records, _) = records(&files).expect("read");
    let of = |i: usize| {
        ["who", "kind", "action", "resource", "version", "result"].map(|m| records[i][m].as_str().unwrap_or_default())
    };
    assert_eq!(of(0), ["ann", "local", "promote", "models", "scores 2", "forced"]);
    assert_eq!(of(1)[..5], ["ann", "local", "rollback", "models", "scores 1"]);
}

#[test]
fn what_cannot_be_recorded_is_not_told_and_a_tampered_log_is_not_written_on() {
    let ((_shop, out), folder) = (results(), tempfile::tempdir().expect("a temporary folder"));
    let (mut server, files, key) = serving(folder.path(), out.clone());
    let get = |server: &Running, path: &str| server.get_with(path, &format!("x-api-key: {key}"));
    assert_eq!(get(&server, "/v1/customers?limit=1").status, 200);
    server.end();
    let log = std::fs::read(&files.log).expect("read");
    std::fs::write(&files.log, &log[..log.len() - 10]).expect("written");
    let config = guike_server::Config {
        sources: vec![out],
        run: None,
        events: None,
        orders: Vec::new(),
        address: "127.0.0.1:0".parse().expect("an address"),
        keys: Some(folder.path().join("keys.json")),
        guard: Guard { audit: Some(files), ..Guard::default() },
        limits: Limits::default(),
        threads: 1,
        log: guike_server::Log::Off,
    };
    let never = |_: std::net::SocketAddr, _: &[&str]| panic!("it listens");
    let error = guike_server::serve(config, never, &guike_core::Quiet).expect_err("refused");
    assert!(error.kind() == guike::ErrorKind::Corrupt && error.to_string().contains("cut off"), "{error}");
}
