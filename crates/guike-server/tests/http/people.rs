//! Persons: the first admin, logging in and out, wrong passwords, forms of other sites, and who may see what.

use std::path::{Path, PathBuf};

use guike::audit::{AuditFiles, records};
use guike::users::{NewUser, UserChange, add, change};
use guike_core::Day;
use guike_guard::{Role, Secret};
use guike_server::{Guard, Limits};

use crate::support::{Answer, Running, Trained};

pub(crate) const PASSWORD: &str = "correct horse battery";

/// A file with users of these names and roles.
pub(crate) fn users(folder: &Path, roles: &[(&str, Role)]) -> PathBuf {
    let file = folder.join("users.json");
    for (name, role) in roles {
        let new = NewUser { name, role: *role, password: PASSWORD, created: Day(20_000), salt: [7; 16] };
        add(&file, &new).expect("added");
    }
    file
}

fn serving(trained: &Trained, users: PathBuf, link: Option<Secret>) -> Running {
    let audit = Some(AuditFiles::new(&users.with_file_name("audit.jsonl"), None));
    let guard = Guard { users: Some(users), audit, link, ..Guard::default() };
    Running::recorded(vec![trained.model()], Limits::default(), None, guard)
}

/// Sends a form as a browser does.
pub(crate) fn form(server: &Running, path: &str, head: &str, body: &str) -> Answer {
    let host = "localhost:5000";
    server.send(
        format!(
            "POST {path} HTTP/1.1\r\nhost: {host}\r\norigin: http://{host}\r\n{head}content-type: application/x-www-form-urlencoded\r\n\
             content-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        )
        .as_bytes(),
    )
}

pub(crate) fn log_in(server: &Running, name: &str, password: &str) -> Answer {
    form(server, "/login", "", &format!("name={name}&password={}&next=%2Fv1%2Fmodels", password.replace(' ', "+")))
}

/// The cookie of a login that went well, as the browser sends it back.
pub(crate) fn cookie(answer: &Answer) -> String {
    assert_eq!(answer.status, 303, "{}", answer.body);
    let set = answer.header("set-cookie").expect("a cookie");
    // header names and values are compared in lower case here
    for part in ["; path=/", "; secure", "; httponly", "; samesite=lax"] {
        assert!(set.contains(part), "{set}");
    }
    let value = set.split(';').next().and_then(|c| c.strip_prefix("__host-guike=")).expect("the session");
    assert!(value.len() == 64 && !set.contains("domain"), "{set}");
    format!("cookie: __Host-guike={value}")
}

#[test]
fn the_first_admin_is_made_with_a_link_that_works_once() {
    let (trained, folder) = (Trained::logistic(), tempfile::tempdir().expect("a temporary folder"));
    let file = folder.path().join("users.json");
    let secret = Secret::from_random(&[9; 32]);
    let token = secret.reveal().to_owned();
    let mut server = serving(&trained, file.clone(), Some(secret));
    let wrong = server.get("/setup?token=00");
    assert_eq!(wrong.status, 403, "{}", wrong.body);
    let page = server.get(&format!("/setup?token={token}"));
    assert!(page.status == 200 && page.body.contains(r#"name="password""#), "{}", page.body);
    assert!(server.get(&format!("/setup?token={token}&lang=zh")).body.contains("第一位管理员"));
    let make = |token: &str, password: &str| {
        form(&server, "/setup", "", &format!("token={token}&name=root&password={}", password.replace(' ', "+")))
    };
    assert_eq!(make("00", PASSWORD).status, 403);
    let easy = make(&token, "short");
    assert!(easy.status == 422 && easy.body.contains("12 characters") && !easy.body.contains("short"), "{}", easy.body);
    assert_eq!(make(&token, PASSWORD).header("location"), Some("/login"));
    assert_eq!(make(&token, PASSWORD).status, 403, "it works once");
    assert_eq!(server.get(&format!("/setup?token={token}")).status, 403);
    let admin = cookie(&log_in(&server, "root", PASSWORD));
    assert_eq!(server.get_with("/metrics", &admin).status, 200);
    server.end();
    assert!(!server.log.text().contains(&token), "the link stands in the log");
    // with a user there is no link any more
    let again = serving(&trained, file, Some(Secret::from_random(&[9; 32])));
    assert_eq!(again.get(&format!("/setup?token={token}")).status, 403);
}

#[test]
fn a_session_opens_what_the_role_may_until_it_ends() {
    let (trained, folder) = (Trained::logistic(), tempfile::tempdir().expect("a temporary folder"));
    let file = users(folder.path(), &[("root", Role::Admin), ("mei", Role::Auditor)]);
    let mut server = serving(&trained, file.clone(), None);
    server.get("/v1/models").is_problem(401, "no-key", &["/login"]);
    let answer = log_in(&server, "mei", PASSWORD);
    assert_eq!(answer.header("location"), Some("/v1/models"));
    let mei = cookie(&answer);
    assert_eq!(server.get_with("/v1/models", &mei).status, 200);
    server.get_with("/v1/summary", &mei).is_problem(403, "foreign-role", &["`viewer`"]);
    server.get_with("/metrics", &mei).is_problem(403, "foreign-role", &["`admin`"]);
    // a key is no session and a session is no key
    server.get_with("/v1/models", "x-api-key: guike_00").is_problem(401, "unknown-key", &[]);
    let page = server.get_with("/login", &mei);
    assert!(page.body.contains("mei · auditor"), "{}", page.body);
    // a new login is a new session
    let other = cookie(&log_in(&server, "mei", PASSWORD));
    assert_ne!(mei, other);
    let csrf = page.body.split(r#"name="csrf" value=""#).nth(1).and_then(|s| s.split('"').next()).expect("a token");
    let out = form(&server, "/logout", &format!("{mei}\r\n"), &format!("csrf={csrf}"));
    assert!(out.status == 303 && out.header("set-cookie").is_some_and(|c| c.contains("max-age=0")), "{}", out.head);
    server.get_with("/v1/models", &mei).is_problem(401, "no-session", &["/login"]);
    assert_eq!(server.get_with("/v1/models", &other).status, 200);
    // another role, another password or none at all ends what goes on
    change(&file, "mei", UserChange::Role(Role::Viewer)).expect("changed");
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    server.get_with("/v1/models", &other).is_problem(401, "no-session", &[]);
    let viewer = cookie(&log_in(&server, "mei", PASSWORD));
    server.get_with("/metrics", &viewer).is_problem(403, "foreign-role", &[]);
    change(&file, "mei", UserChange::Disable).expect("changed");
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    server.get_with("/v1/models", &viewer).is_problem(401, "no-session", &[]);
    assert_eq!(log_in(&server, "mei", PASSWORD).status, 401);
    server.end();
    let log = server.log.text();
    assert!(log.contains("\"user\":\"mei\"") && !log.contains(&mei[20..]) && !log.contains("horse"), "{log}");
    let recorded = records(&AuditFiles::new(&folder.path().join("audit.jsonl"), None)).expect("read").0;
    let of = |r: &serde_json::Value| {
        [&r["action"], &r["who"], &r["role"], &r["result"]].map(|v| v.as_str().unwrap_or("").to_owned())
    };
    let told: Vec<String> = recorded.iter().map(|r| of(r).join(" ")).collect();
    assert_eq!(
        told,
        [
            "log-in mei auditor 303",
            "read mei auditor foreign-role",
            "read mei auditor foreign-role",
            "log-in mei auditor 303",
            "log-out mei auditor 303",
            "read mei viewer no-session",
            "log-in mei viewer 303",
            "read mei viewer foreign-role",
            "read mei viewer no-session",
            "log-in mei viewer 401",
        ]
    );
}

#[test]
fn a_wrong_password_and_a_wrong_name_are_told_alike_and_then_there_is_a_wait() {
    let (trained, folder) = (Trained::logistic(), tempfile::tempdir().expect("a temporary folder"));
    let file = users(folder.path(), &[("root", Role::Admin)]);
    let server = serving(&trained, file, None);
    let known = log_in(&server, "root", "wrong wrong wrong");
    let unknown = log_in(&server, "nobody", "wrong wrong wrong");
    assert_eq!((known.status, unknown.status), (401, 401));
    assert_eq!(known.body, unknown.body);
    assert!(known.body.contains("Name or password is wrong") && !known.body.contains("nobody"), "{}", known.body);
    let mut last = 401;
    for _ in 0..5 {
        last = log_in(&server, "root", "wrong wrong wrong").status;
    }
    assert_eq!(last, 429);
    let waits = log_in(&server, "root", PASSWORD);
    assert!(waits.status == 429 && waits.header("retry-after").is_some(), "the right password waits, too");
    assert!(waits.body.contains("Too many tries"), "{}", waits.body);
}

#[test]
fn forms_and_scripts_of_other_sites_change_nothing() {
    let (trained, folder) = (Trained::logistic(), tempfile::tempdir().expect("a temporary folder"));
    let file = users(folder.path(), &[("ann", Role::Analyst)]);
    let server = serving(&trained, file, None);
    let ann = cookie(&log_in(&server, "ann", PASSWORD));
    let csrf = {
        let page = server.get_with("/login", &ann).body;
        page.split(r#"name="csrf" value=""#).nth(1).and_then(|s| s.split('"').next()).expect("a token").to_owned()
    };
    let row = r#"{"age":30,"income":6000,"purchase_frequency":5,"amount":500,"category":"books"}"#;
    let predict = |head: &str| {
        let length = row.len();
        server.send(
            format!(
                "POST /predict HTTP/1.1\r\nhost: localhost:5000\r\n{ann}\r\n{head}content-type: application/json\r\ncontent-length: {length}\r\n\
                 connection: close\r\n\r\n{row}"
            )
            .as_bytes(),
        )
    };
    assert_eq!(predict(&format!("x-csrf-token: {csrf}\r\n")).status, 200);
    assert_eq!(predict(&format!("x-csrf-token: {csrf}\r\norigin: http://localhost:5000\r\n")).status, 200);
    predict("").is_problem(403, "foreign-page", &["x-csrf-token"]);
    predict("x-csrf-token: 00\r\n").is_problem(403, "foreign-page", &[]);
    predict(&format!("x-csrf-token: {csrf}\r\norigin: https://evil.example\r\n")).is_problem(403, "foreign-page", &[]);
    predict(&format!("x-csrf-token: {csrf}\r\norigin: null\r\n")).is_problem(403, "foreign-page", &[]);
    let evil = server.send(
        "POST /login HTTP/1.1\r\nhost: localhost:5000\r\norigin: https://evil.example\r\ncontent-type: \
         application/x-www-form-urlencoded\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            .as_bytes(),
    );
    evil.is_problem(403, "foreign-page", &["another site"]);
    form(&server, "/logout", &format!("{ann}\r\n"), "").is_problem(403, "foreign-page", &["csrf"]);
    assert_eq!(server.get_with("/v1/models", &ann).status, 200, "still logged in");
}

#[test]
fn a_browser_is_sent_to_the_form_and_a_program_gets_a_problem() {
    let (trained, folder) = (Trained::logistic(), tempfile::tempdir().expect("a temporary folder"));
    let file = users(folder.path(), &[("root", Role::Admin)]);
    let server = serving(&trained, file, None);
    let sent = server.get_with("/v1/customers?tier=gold&sort=customer_id", "accept: text/html,*/*;q=0.8");
    let to = sent.header("location").expect("a place").to_owned();
    assert_eq!((sent.status, to.as_str()), (303, "/login?next=%2fv1%2fcustomers%3ftier%3dgold%26sort%3dcustomer_id"));
    server.get_with("/v1/customers", "accept: application/json").is_problem(401, "no-key", &[]);
    let page = server.get(&to);
    assert!(page.body.contains("/v1/customers?tier=gold&#38;sort=customer_id"), "{}", page.body);
    for head in ["content-security-policy: default-src 'none'", "x-content-type-options: nosniff"] {
        assert!(page.head.contains(head), "{}", page.head);
    }
    assert!(server.get_with("/login", "accept-language: zh-CN,zh;q=0.9").body.contains("用户名"));
    let elsewhere =
        form(&server, "/login", "", &format!("name=root&password={}&next=//evil.example", PASSWORD.replace(' ', "+")));
    assert_eq!(elsewhere.header("location"), Some("/"));
    assert!(server.get("/login.css").body.contains("prefers-color-scheme"));
    // without users there is no way in
    let open = Running::of(&trained);
    open.get("/login").is_problem(404, "no-such-path", &["--users"]);
}

#[test]
fn beyond_this_machine_users_need_somebody_who_speaks_https() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let audit = AuditFiles::new(&folder.path().join("audit.jsonl"), None);
    let config = |is_behind_proxy, audit| guike_server::Config {
        sources: vec!["nothing".into()],
        run: None,
        events: None,
        orders: Vec::new(),
        address: "0.0.0.0:0".parse().expect("an address"),
        keys: None,
        guard: Guard { users: Some(users(folder.path(), &[])), is_behind_proxy, audit, ..Guard::default() },
        limits: Limits::default(),
        threads: 1,
        log: guike_server::Log::Off,
    };
    let serve = |config| {
        let never = |_: std::net::SocketAddr, _: &[&str]| panic!("it listens");
        guike_server::serve(config, never, &guike_core::Quiet).expect_err("refused").to_string()
    };
    assert!(serve(config(false, Some(audit.clone()))).contains("--behind-proxy"));
    assert!(serve(config(true, None)).contains("--audit"), "what persons see is recorded");
    assert!(serve(config(true, Some(audit))).contains("nothing"), "then the models are looked for");
}
