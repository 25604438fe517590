//! Users, keys and the audit log through the server: read by admins and auditors, changed by admins, recorded, told once.

use std::path::Path;

use guike::audit::{AuditFiles, records};
use guike::keys::NewKey;
use guike_core::Day;
use guike_guard::{Role, Scope};
use guike_server::{Guard, Limits};
use serde_json::Value;

use crate::pages::is_kept_to_itself;
use crate::people::{PASSWORD, cookie, form, log_in, users};
use crate::support::{Answer, Running, Trained};

/// A server with users of three roles, a key, and what is needed to look at its files.
fn serving(trained: &Trained, folder: &Path) -> Running {
    let users = users(folder, &[("root", Role::Admin), ("ute", Role::Auditor), ("vi", Role::Viewer)]);
    let keys = folder.join("keys.json");
    let new = NewKey { name: "crm", scopes: &[Scope::Read], created: Day(20_000), expires: None, random: [1; 32] };
    guike::keys::add(&keys, &new).expect("added");
    let audit = Some(AuditFiles::new(&folder.join("audit.jsonl"), None));
    let guard = Guard { users: Some(users), audit, ..Guard::default() };
    Running::recorded(vec![trained.model()], Limits::default(), Some(keys), guard)
}

/// The token that forms of a session carry.
fn token(server: &Running, cookie: &str) -> String {
    let page = server.get_with("/login", cookie).body;
    page.split(r#"name="csrf" value=""#).nth(1).and_then(|s| s.split('"').next()).expect("a token").to_owned()
}

/// Sends JSON as a script of our own page would.
fn send(server: &Running, path: &str, cookie: &str, csrf: &str, body: &str) -> Answer {
    let length = body.len();
    server.send(
        format!(
            "POST {path} HTTP/1.1\r\nhost: localhost:5000\r\n{cookie}\r\nx-csrf-token: {csrf}\r\ncontent-type: \
             application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
        )
        .as_bytes(),
    )
}

#[test]
fn an_admin_adds_a_user_who_chooses_her_own_password_with_a_link_that_works_once() {
    let (trained, folder) = (Trained::logistic(), tempfile::tempdir().expect("a temporary folder"));
    let mut server = serving(&trained, folder.path());
    let root = cookie(&log_in(&server, "root", PASSWORD));
    let csrf = token(&server, &root);
    let added = send(&server, "/v1/users", &root, &csrf, r#"{"name":"mei","role":"analyst"}"#);
    assert_eq!(added.status, 200, "{}", added.body);
    let link = added.json()["link"].as_str().expect("a link").to_owned();
    assert!(link.starts_with("/setup?token="), "{link}");
    let twice = send(&server, "/v1/users", &root, &csrf, r#"{"name":"mei","role":"analyst"}"#);
    twice.is_problem(422, "not-changed", &["already called `mei`"]);
    send(&server, "/v1/users", &root, &csrf, r#"{"name":"a b","role":"analyst"}"#).is_problem(
        422,
        "not-changed",
        &["letters"],
    );
    send(&server, "/v1/users", &root, &csrf, r#"{"name":"bo","role":"king"}"#).is_problem(
        422,
        "not-changed",
        &["auditor"],
    );
    send(&server, "/v1/users", &root, &csrf, r#"{"name":"bo"}"#).is_problem(400, "malformed-json", &["role"]);
    // she chooses, and nobody after her
    let page = server.get(&link);
    assert!(page.status == 200 && page.body.contains(r#"value="mei" readonly"#), "{}", page.body);
    assert!(server.get(&format!("{link}&lang=zh")).body.contains("设置密码"));
    let secret = link.split('=').nth(1).expect("a token");
    let easy = form(&server, "/setup", "", &format!("token={secret}&name=mei&password=short"));
    assert!(easy.status == 422 && easy.body.contains("12 characters"), "{}", easy.body);
    // the name of the form is not believed
    let hers = format!("token={secret}&name=root&password=another+long+sentence");
    assert_eq!(form(&server, "/setup", "", &hers).header("location"), Some("/login"));
    assert_eq!(form(&server, "/setup", "", &hers).status, 403, "it works once");
    cookie(&log_in(&server, "root", PASSWORD));
    let mei = cookie(&log_in(&server, "mei", "another long sentence"));
    assert_eq!(server.get_with("/v1/models", &mei).status, 200);
    // another role ends her session at once, and so does being kept out
    let role = send(&server, "/v1/users/mei", &root, &csrf, r#"{"role":"auditor"}"#);
    assert_eq!((role.status, role.json()["role"].as_str()), (200, Some("auditor")), "{}", role.body);
    server.get_with("/v1/models", &mei).is_problem(401, "no-session", &[]);
    let out = send(&server, "/v1/users/mei", &root, &csrf, r#"{"may_log_in":false}"#);
    assert_eq!(out.json()["may_log_in"], false);
    assert_eq!(log_in(&server, "mei", "another long sentence").status, 401);
    send(&server, "/v1/users/mei", &root, &csrf, r#"{"may_log_in":true,"role":"agent"}"#).is_problem(
        400,
        "malformed-json",
        &[],
    );
    send(&server, "/v1/users/nobody", &root, &csrf, r#"{"link":true}"#).is_problem(404, "no-user", &[]);
    send(&server, "/v1/users/root", &root, &csrf, r#"{"may_log_in":false}"#).is_problem(
        422,
        "not-changed",
        &["last admin"],
    );
    server.end();
    let files = AuditFiles::new(&folder.path().join("audit.jsonl"), None);
    guike::audit::check(&files, &[]).expect("the log verifies");
    let told: Vec<String> = records(&files)
        .expect("read")
        .0
        .iter()
        .filter(|r| r["resource"] == "users" || r["action"] == "password")
        .map(|r| [&r["who"], &r["action"], &r["result"]].map(|v| v.as_str().unwrap_or("").to_owned()).join(" "))
        .collect();
    // asked before it is done, and how it ended
    assert_eq!(told[..2], ["root change asked", "root add mei analyst 200"]);
    for line in ["root change not-changed", "mei password 303", "root role mei auditor 200", "root disable mei 200"] {
        assert!(told.iter().any(|t| t == line), "{line}: {told:#?}");
    }
    let text = std::fs::read_to_string(folder.path().join("audit.jsonl")).expect("read") + &server.log.text();
    assert!(!text.contains(secret) && !text.contains("sentence"), "a secret stands in a log");
}

#[test]
fn a_key_is_made_and_revoked_while_the_server_runs_and_told_once() {
    let (trained, folder) = (Trained::logistic(), tempfile::tempdir().expect("a temporary folder"));
    let mut server = serving(&trained, folder.path());
    let root = cookie(&log_in(&server, "root", PASSWORD));
    let csrf = token(&server, &root);
    let body = r#"{"name":"till","scopes":["read","predict"],"expires":"2999-12-31"}"#;
    let made = send(&server, "/v1/keys", &root, &csrf, body);
    assert_eq!(made.status, 200, "{}", made.body);
    let key = made.json()["key"].as_str().expect("a key").to_owned();
    let with_key = || server.get_with("/v1/models", &format!("x-api-key: {key}"));
    assert_eq!(with_key().status, 200, "it is in force at once");
    let listed = server.get_with("/v1/keys", &root);
    assert!(!listed.body.contains(&key[6..]) && !listed.body.contains("sha256"), "{}", listed.body);
    assert_eq!(listed.json()["keys"][1]["expires"], "2999-12-31");
    send(&server, "/v1/keys", &root, &csrf, body).is_problem(422, "not-changed", &["already called `till`"]);
    send(&server, "/v1/keys", &root, &csrf, r#"{"name":"x","scopes":[]}"#).is_problem(422, "not-changed", &["opens"]);
    send(&server, "/v1/keys", &root, &csrf, r#"{"name":"x","scopes":["write"]}"#).is_problem(
        422,
        "not-changed",
        &["metrics"],
    );
    assert_eq!(send(&server, "/v1/keys/till/revoke", &root, &csrf, "{}").status, 200);
    with_key().is_problem(401, "unknown-key", &[]);
    send(&server, "/v1/keys/till/revoke", &root, &csrf, "{}").is_problem(404, "no-such-key", &[]);
    // what the command line does is seen, too
    guike::keys::revoke(&folder.path().join("keys.json"), "crm").expect("revoked");
    let crm = "x-api-key: guike_0101010101010101010101010101010101010101010101010101010101010101";
    std::thread::sleep(std::time::Duration::from_millis(1_200));
    server.get_with("/v1/models", crm).is_problem(401, "unknown-key", &[]);
    server.end();
    assert!(!server.log.text().contains(&key[6..]), "a key stands in the log");
}

#[test]
fn auditors_read_and_change_nothing_and_others_see_none_of_it() {
    let (trained, folder) = (Trained::logistic(), tempfile::tempdir().expect("a temporary folder"));
    let server = serving(&trained, folder.path());
    let ute = cookie(&log_in(&server, "ute", PASSWORD));
    let csrf = token(&server, &ute);
    let users = server.get_with("/v1/users", &ute).json();
    let of = |i: usize| (&users["users"][i]["name"], &users["users"][i]["role"], &users["users"][i]["may_log_in"]);
    assert_eq!(of(1), (&"ute".into(), &"auditor".into(), &true.into()));
    assert!(users["users"][1]["last_login"].is_string() && users["users"][0]["last_login"].is_null(), "{users}");
    assert!(!users.to_string().contains("argon2"), "{users}");
    let audit = server.get_with("/v1/audit?last=5", &ute).json();
    assert_eq!(audit["verified"], true, "{audit}");
    assert!(audit["records"].as_array().is_some_and(|r| r.iter().any(|r| r["action"] == "log-in")), "{audit}");
    server.get_with("/v1/audit?last=0", &ute).is_problem(400, "malformed-query", &["`last`"]);
    for (path, body) in [
        ("/v1/users", r#"{"name":"mei","role":"admin"}"#),
        ("/v1/users/ute", r#"{"role":"admin"}"#),
        ("/v1/keys", r#"{"name":"x","scopes":["read"]}"#),
        ("/v1/keys/crm/revoke", "{}"),
    ] {
        send(&server, path, &ute, &csrf, body).is_problem(403, "foreign-role", &["`admin`"]);
    }
    let page = server.get_with("/admin", &ute);
    assert!(
        page.status == 200 && page.body.contains("audit") && !page.body.contains("action=\"/admin"),
        "{}",
        page.body
    );
    let vi = cookie(&log_in(&server, "vi", PASSWORD));
    for path in ["/v1/users", "/v1/keys", "/v1/audit", "/admin"] {
        server.get_with(path, &vi).is_problem(403, "foreign-role", &[]);
    }
    assert!(!server.get_with("/models", &vi).body.contains("href=\"/admin\""));
    // an edited log is found
    let file = folder.path().join("audit.jsonl");
    let text = std::fs::read_to_string(&file).expect("read");
    std::fs::write(&file, text.replacen("\"log-in\"", "\"log-on\"", 1)).expect("written");
    let audit: Value = server.get_with("/v1/audit", &ute).json();
    assert!(audit["verified"] == false && audit["trouble"].as_str().is_some_and(|t| t.contains("line 2")), "{audit}");
    assert!(server.get_with("/admin", &ute).body.contains("does not verify"));
    // without users, keys and a log the page says so
    let open = Running::of(&trained);
    assert!(open.get("/admin").body.contains("--users"));
    for path in ["/v1/users", "/v1/keys", "/v1/audit"] {
        open.get(path).is_problem(404, "no-such-path", &["--"]);
    }
}

#[test]
fn the_page_changes_with_forms_that_carry_the_token() {
    let (trained, folder) = (Trained::logistic(), tempfile::tempdir().expect("a temporary folder"));
    let server = serving(&trained, folder.path());
    let root = cookie(&log_in(&server, "root", PASSWORD));
    let csrf = token(&server, &root);
    for lang in ["en", "zh"] {
        let page = server.get_with(&format!("/admin?lang={lang}"), &root);
        assert_eq!(page.status, 200, "{}", page.body);
        is_kept_to_itself(&page, "/admin");
        assert!(page.body.contains(&format!("name=\"csrf\" value=\"{csrf}\"")), "{}", page.body);
    }
    let head = format!("{root}\r\n");
    let send = |path: &str, body: &str| form(&server, path, &head, &format!("csrf={csrf}&{body}"));
    form(&server, "/admin/users", &head, "do=disable&name=vi").is_problem(403, "foreign-page", &[]);
    let added = send("/admin/users", "do=add&name=mei&role=marketer");
    assert!(added.status == 200 && added.body.contains("localhost:5000/setup?token="), "{}", added.body);
    assert!(!server.get_with("/admin", &root).body.contains("/setup?token="), "it is shown once");
    assert_eq!(send("/admin/users", "do=disable&name=vi").header("location"), Some("/admin"));
    assert!(server.get_with("/admin", &root).body.contains("may not log in"));
    let wrong = send("/admin/users", "do=role&name=root&role=viewer");
    assert!(wrong.status == 422 && wrong.body.contains("last admin"), "{}", wrong.body);
    let none = send("/admin/keys", "do=add&name=till");
    assert!(none.status == 422 && none.body.contains("a key opens at least one"), "{}", none.body);
    let key = send("/admin/keys", "do=add&name=till&scope-read=on&scope-metrics=on&expires=");
    assert!(key.status == 200 && key.body.contains("guike_"), "{}", key.body);
    assert_eq!(send("/admin/keys", "do=revoke&name=till").header("location"), Some("/admin"));
    assert_eq!(server.get_with("/v1/keys", &root).json()["keys"].as_array().map(Vec::len), Some(1));
}
