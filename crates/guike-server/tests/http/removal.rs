//! Archived versions are removed: who may, what may go, what stays.

use guike::audit::{AuditFiles, records};
use guike::keys::NewKey;
use guike::workspace::{self, Ask};
use guike_core::{Day, Timestamp};
use guike_guard::{Role, Scope};
use guike_server::{Guard, Limits};

use crate::people::{PASSWORD, cookie, log_in, users};
use crate::support::{Answer, Running};
use crate::workspace::{SOON, Shop};

const ASK: Ask<'_> = Ask { by: "ann", reason: "a test", force: true, now: Timestamp(1_800_000_000) };

fn delete(server: &Running, path: &str, head: &str) -> Answer {
    server.send(format!("DELETE {path} HTTP/1.1\r\nhost: localhost\r\n{head}connection: close\r\n\r\n").as_bytes())
}

#[test]
fn an_archived_version_is_removed_and_the_champion_never() {
    let shop = Shop::new();
    for learner in ["logistic-regression", "decision-tree", "decision-tree"] {
        shop.train("value-model", learner);
    }
    let server = shop.serve();
    let path = |version: &str| format!("/v1/models/value-model/versions/{version}");
    delete(&server, &path("1"), "").is_problem(422, "not-changed", &["champion", "never removed"]);
    delete(&server, &path("2"), "").is_problem(422, "not-changed", &["models archive value-model 2"]);
    delete(&server, &path("9"), "").is_problem(404, "no-model", &[]);
    delete(&server, &path("x"), "").is_problem(404, "no-model", &[]);
    delete(&server, "/v1/models/price/versions/1", "").is_problem(404, "no-model", &[]);
    workspace::archive(&shop.root(), "value-model", 3, &ASK).expect("archived");
    let gone = delete(&server, &format!("{}?reason=a%20try", path("3")), "");
    assert_eq!((gone.status, gone.json()["version"].as_str()), (200, Some("3")), "{}", gone.body);
    assert!(!shop.root().join("models/value-model/3").exists() && shop.root().join("models/value-model/2").is_dir());
    let begun = std::time::Instant::now();
    let told = loop {
        let told = server.get("/v1/models/value-model/versions").json();
        if told["versions"].as_array().is_some_and(|v| v.len() == 2) {
            break told;
        }
        assert!(begun.elapsed() < SOON, "{told}");
        std::thread::sleep(std::time::Duration::from_millis(20));
    };
    let last = told["decisions"].as_array().and_then(|d| d.last()).expect("a decision");
    assert_eq!((&last["action"], &last["version"], &last["reason"]), (&"remove".into(), &"3".into(), &"a try".into()));
    server.get(&format!("{}/model.json", path("3"))).is_problem(404, "no-model", &["1, 2"]);
    assert_eq!(shop.train("value-model", "decision-tree"), 4, "its number is not used again");
}

#[test]
fn analysts_remove_and_others_and_keys_do_not_and_the_audit_log_has_it() {
    let (shop, folder) = (Shop::new(), tempfile::tempdir().expect("a temporary folder"));
    for _ in 0..2 {
        shop.train("value-model", "decision-tree");
    }
    workspace::archive(&shop.root(), "value-model", 2, &ASK).expect("archived");
    let keys = folder.path().join("keys.json");
    let new = NewKey { name: "crm", scopes: &[Scope::Read], created: Day(20_000), expires: None, random: [1; 32] };
    let key = guike::keys::add(&keys, &new).expect("added");
    let users = users(folder.path(), &[("ann", Role::Analyst), ("mo", Role::Marketer)]);
    let files = AuditFiles::new(&folder.path().join("audit.jsonl"), None);
    let guard = Guard { users: Some(users), audit: Some(files.clone()), ..Guard::default() };
    let mut server = Running::recorded(vec![shop.root()], Limits::default(), Some(keys), guard);
    let path = "/v1/models/value-model/versions/2";
    let [ann, mo] = ["ann", "mo"].map(|name| format!("{}\r\n", cookie(&log_in(&server, name, PASSWORD))));
    let key = format!("authorization: Bearer {}\r\n", key.reveal());
    delete(&server, path, &key).is_problem(403, "foreign-scope", &[]);
    delete(&server, path, &mo).is_problem(403, "foreign-role", &["analyst"]);
    delete(&server, path, &ann).is_problem(403, "foreign-page", &["x-csrf-token"]);
    let page = server.get_with("/login", ann.trim_end()).body;
    let csrf = page.split(r#"name="csrf" value=""#).nth(1).and_then(|s| s.split('"').next()).expect("a token");
    assert_eq!(delete(&server, path, &format!("{ann}x-csrf-token: {csrf}\r\n")).status, 200);
    server.end();
    let (kept, _) = records(&files).expect("read");
    let written: Vec<String> = kept.iter().map(|r| format!("{r:?}")).collect();
    assert!(written.iter().any(|r| r.contains("remove value-model 2") && r.contains("ann")), "{written:#?}");
}
