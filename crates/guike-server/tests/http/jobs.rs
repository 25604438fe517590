//! Jobs: trained and refreshed while requests are answered, cancelled, refused beyond the queue, found after an end.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use guike::audit::AuditFiles;
use guike::table::Label;
use guike::workspace::Workspace;
use guike_core::{Quiet, Seed};
use guike_guard::Role;
use guike_server::{Guard, JobLimits, Limits};
use serde_json::Value;

use crate::pages::{browse, is_kept_to_itself};
use crate::people::{PASSWORD, cookie, form, log_in, users};
use crate::support::{Answer, Running, orders};
use crate::workspace::{SOON, Shop};

const ROW: &str = r#"{"age":30,"income":6000,"purchase_frequency":5,"amount":500,"category":"books"}"#;
/// Longer than any of these jobs takes.
const LONG: &str = "kind=train&name=value-model&target=value&budget=thorough";

/// A table of so many simulated customers.
fn table(n: u32) -> String {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("customers.csv");
    let table = guike::table::simulate_customers(n as usize, Label::Drawn, Seed(1)).expect("simulated");
    guike::table::write_table_csv(&table, &file).expect("written");
    std::fs::read_to_string(&file).expect("read")
}

/// An empty workspace.
fn empty() -> Shop {
    let shop = Shop::new();
    drop(Workspace::open_or_create(&shop.root()).expect("made"));
    shop
}

fn send(server: &Running, path: &str, kind: &str, head: &str, body: &str) -> Answer {
    server.send(
        format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\n{head}content-type: {kind}\r\ncontent-length: {}\r\nconnection: \
             close\r\n\r\n{body}",
            body.len()
        )
        .as_bytes(),
    )
}

fn train(server: &Running, query: &str, body: &str) -> Answer {
    send(server, &format!("/v1/jobs?{query}"), "text/csv", "", body)
}

/// The job, once it is in this state.
fn until(server: &Running, id: u64, state: &str) -> Value {
    let begun = Instant::now();
    loop {
        let job = server.get(&format!("/v1/jobs/{id}")).json();
        if job["state"] == state {
            return job;
        }
        assert!(begun.elapsed() < 4 * SOON, "not {state}: {job}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn tables_left(shop: &Shop) -> usize {
    let entries = std::fs::read_dir(shop.root().join("drafts")).expect("a folder").flatten();
    entries.filter(|e| e.file_name().to_string_lossy().starts_with("job-")).count()
}

#[test]
fn a_table_that_is_sent_becomes_a_version_that_is_served() {
    let shop = empty();
    let server = shop.serve();
    let asked = train(&server, "kind=train&name=value-model&target=value&model=logistic-regression", &table(300));
    assert_eq!(asked.status, 200, "{}", asked.body);
    assert_eq!((asked.json()["id"].as_u64(), asked.json()["by"].as_str()), (Some(1), Some("local")));
    let job = until(&server, 1, "done");
    assert_eq!((&job["version"], &job["champion"]), (&"1".into(), &true.into()));
    assert!(job["begun"].is_string() && job["ended"].is_string() && job["trouble"].is_null(), "{job}");
    let begun = Instant::now();
    while server.post("/predict", ROW).status != 200 {
        assert!(begun.elapsed() < SOON, "the model is not served");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(tables_left(&shop), 0, "the table is kept");
    // the gate decides about the next one
    let query = "kind=train&name=value-model&target=value&model=decision-tree&promote=true";
    assert_eq!(train(&server, query, &table(300)).status, 200);
    let job = until(&server, 2, "done");
    assert_eq!(job["version"], "2", "{job}");
    assert_eq!(job["champion"] == false, job["gate"].as_str().is_some_and(|g| g.contains("not promoted")), "{job}");
    let listed = server.get("/v1/jobs").json();
    assert_eq!((&listed["jobs"][0]["id"], &listed["jobs"][1]["id"]), (&2.into(), &1.into()));
}

#[test]
fn what_cannot_be_done_is_said_before_it_begins_or_in_the_job() {
    let shop = empty();
    let server = shop.serve();
    let good = table(50);
    train(&server, "kind=dance", &good).is_problem(400, "malformed-query", &["`train`", "`refresh`"]);
    train(&server, "kind=train&name=value-model", &good).is_problem(400, "malformed-query", &["target"]);
    train(&server, "kind=train&name=..%2Fsecrets&target=value", &good).is_problem(400, "malformed-query", &["name"]);
    train(&server, "kind=train&name=a&target=value&budget=all", &good).is_problem(
        400,
        "malformed-query",
        &["`budget`", "`fast`"],
    );
    send(&server, "/v1/jobs?kind=train&name=a&target=value", "application/json", "", &good).is_problem(
        415,
        "not-rows",
        &["text/csv"],
    );
    // a page of another site can send a form, and no JSON
    send(&server, "/v1/jobs?kind=refresh", "text/plain", "", "").is_problem(415, "not-json", &[]);
    send(&server, "/v1/jobs?kind=refresh", "application/json", "origin: https://evil.example\r\n", "{}").is_problem(
        403,
        "foreign-page",
        &[],
    );
    send(&server, "/v1/jobs?kind=refresh", "application/json", "", "{}").is_problem(422, "not-changed", &["--orders"]);
    server.get("/v1/jobs/7").is_problem(404, "no-job", &[]);
    assert!(server.get("/v1/jobs").json()["jobs"].as_array().is_some_and(Vec::is_empty));
    assert_eq!(train(&server, "kind=train&name=a&target=nothing", &good).status, 200);
    let job = until(&server, 1, "failed");
    let trouble = job["trouble"].as_str().expect("words");
    assert!(trouble.contains("nothing") && !trouble.contains(&shop.root().display().to_string()), "{trouble}");
    assert_eq!(tables_left(&shop), 0);
    let small = Limits { jobs: JobLimits { table_bytes: 1_000, ..JobLimits::default() }, ..Limits::default() };
    let shop = empty();
    let server = Running::with(vec![shop.root()], small);
    train(&server, "kind=train&name=a&target=value", &good).is_problem(413, "body-too-large", &["--max-job-body"]);
    assert_eq!(tables_left(&shop), 0, "what arrived is removed");
    let folders = Running::with(vec![crate::support::Trained::logistic().model()], Limits::default());
    folders.get("/v1/jobs").is_problem(404, "no-workspace", &["--workspace"]);
    assert!(browse(&folders, "/jobs", "").body.contains("guike serve shop"));
}

#[test]
fn jobs_wait_are_cancelled_and_refused_beyond_the_queue_while_answers_go_on() {
    let shop = empty();
    let limits = Limits { jobs: JobLimits { queue: 1, ..JobLimits::default() }, ..Limits::default() };
    let server = Running::with(vec![shop.root()], limits);
    assert_eq!(train(&server, LONG, &table(3_000)).status, 200);
    let job = until(&server, 1, "running");
    assert!(job["begun"].is_string() && job["ended"].is_null(), "{job}");
    assert_eq!(train(&server, LONG, &table(100)).json()["state"], "queued");
    let refused = train(&server, LONG, &table(100));
    refused.is_problem(429, "too-many-jobs", &["--max-jobs"]);
    assert!(refused.header("retry-after").is_some());
    let page = browse(&server, "/jobs", "");
    assert!(page.body.contains("<progress") && page.body.contains("hx-trigger=\"every 2s\""), "{}", page.body);
    is_kept_to_itself(&page, "/jobs");
    let cancel = |id: u64| send(&server, &format!("/v1/jobs/{id}/cancel"), "application/json", "", "{}");
    assert_eq!(cancel(2).json()["state"], "cancelled");
    cancel(2).is_problem(422, "job-over", &["cancelled"]);
    assert_eq!(server.get("/health").status, 200);
    assert_eq!(cancel(1).status, 200);
    until(&server, 1, "cancelled");
    cancel(9).is_problem(404, "no-job", &[]);
    assert_eq!(tables_left(&shop), 0);
    let kept = Workspace::open(&shop.root()).expect("opened").versions().expect("read");
    assert!(kept.is_empty(), "{kept:?}");
    assert!(browse(&server, "/jobs?lang=zh", "").body.contains("已取消"));
}

#[test]
fn a_job_that_went_on_when_the_server_ended_is_found_interrupted() {
    let shop = empty();
    let mut server = shop.serve();
    assert_eq!(train(&server, LONG, &table(3_000)).status, 200);
    until(&server, 1, "running");
    // another server leaves the jobs of this one alone
    let other = shop.serve();
    other.get("/v1/jobs").is_problem(404, "no-workspace", &[]);
    drop(other);
    server.end();
    // as a kill leaves it: the file says running, and a table lies there
    let file = shop.root().join("jobs.json");
    let text = std::fs::read_to_string(&file).expect("read");
    assert!(text.contains("\"interrupted\""), "{text}");
    // without a checksum, as an earlier version wrote it
    let kept: Value = serde_json::from_str(&text).expect("JSON");
    std::fs::write(&file, kept["content"].to_string().replace("\"interrupted\"", "\"running\"")).expect("written");
    std::fs::write(shop.root().join("drafts/job-1.csv"), "a,b\n").expect("written");
    let server = shop.serve();
    let job = server.get("/v1/jobs/1").json();
    assert_eq!(job["state"], "interrupted", "{job}");
    assert_eq!(tables_left(&shop), 0);
    assert!(Workspace::open(&shop.root()).expect("opened").versions().expect("read").is_empty());
    // the next one has another number
    assert_eq!(train(&server, "kind=train&name=a&target=value&model=decision-tree", &table(100)).json()["id"], 2);
    until(&server, 2, "done");
}

#[test]
fn a_refresh_puts_the_events_behind_the_order_log() {
    let (folder, files, settings) = orders(|customer| format!("C{customer:02}"));
    let log: Vec<PathBuf> = vec![folder.path().join("orders.csv")];
    let shop = Shop::new();
    let root = shop.root();
    let place = Shop::place(&root, "shop");
    guike::workspace::run(&place, &files, None, &settings, guike::Language::English, &Quiet).expect("run");
    let events = Some(folder.path().join("events.log"));
    let server = Running::refreshing(vec![root.clone()], log, events);
    let event = r#"[{"customer_id":"NEW1","time":"2023-12-27","amount":70},{"customer_id":"C01","time":"2023-12-28","amount":9}]"#;
    let told = send(&server, "/v1/events", "application/json", "idempotency-key: 1\r\n", event);
    assert_eq!(told.status, 200, "{}", told.body);
    let asked = send(&server, "/v1/jobs?kind=refresh&promote=true", "application/json", "", "{}");
    assert_eq!((asked.status, asked.json()["name"].as_str()), (200, Some("shop")), "{}", asked.body);
    let job = until(&server, 1, "done");
    assert_eq!(job["version"], "2", "{job}");
    let tiers = std::fs::read_to_string(root.join("runs/0002/tiers.csv")).expect("read");
    assert!(tiers.lines().any(|l| l.starts_with("NEW1,")), "{tiers}");
    assert_eq!(job["champion"] == false, job["gate"].is_string(), "{job}");
    send(&server, "/v1/jobs?kind=refresh&target=x", "application/json", "", "{}").is_problem(
        400,
        "malformed-query",
        &["`target`"],
    );
}

#[test]
fn analysts_ask_for_jobs_and_others_look() {
    let (shop, folder) = (empty(), tempfile::tempdir().expect("a temporary folder"));
    let file = users(folder.path(), &[("root", Role::Admin), ("ann", Role::Analyst), ("vi", Role::Viewer)]);
    let audit = Some(AuditFiles::new(&folder.path().join("audit.jsonl"), None));
    let guard = Guard { users: Some(file), audit, ..Guard::default() };
    let server = Running::recorded(vec![shop.root()], Limits::default(), None, guard);
    let (ann, vi) = (cookie(&log_in(&server, "ann", PASSWORD)), cookie(&log_in(&server, "vi", PASSWORD)));
    let page = server.get_with("/jobs", &ann);
    let csrf = page.body.split(r#"name="csrf" value=""#).nth(1).and_then(|s| s.split('"').next()).expect("a token");
    let body = table(100);
    let path = "/v1/jobs?kind=train&name=a&target=nothing";
    let head = |who: &str| format!("{who}\r\nx-csrf-token: {csrf}\r\n");
    send(&server, path, "text/csv", &head(&vi), &body).is_problem(403, "foreign-role", &["`analyst`"]);
    send(&server, path, "text/csv", &format!("{ann}\r\n"), &body).is_problem(403, "foreign-page", &["x-csrf-token"]);
    let asked = send(&server, path, "text/csv", &head(&ann), &body);
    assert_eq!((asked.status, asked.json()["by"].as_str()), (200, Some("ann")), "{}", asked.body);
    let begun = Instant::now();
    let job = loop {
        let job = server.get_with("/v1/jobs/1", &ann).json();
        if job["state"] == "failed" {
            break job;
        }
        assert!(begun.elapsed() < SOON, "{job}");
    };
    assert!(job["trouble"].is_string(), "{job}");
    // what is wrong with a table may tell of its rows
    let seen = server.get_with("/v1/jobs/1", &vi).json();
    assert!(seen["state"] == "failed" && seen["trouble"].is_null(), "{seen}");
    let page = server.get_with("/jobs", &vi);
    assert!(page.status == 200 && !page.body.contains("action=\"/jobs\""), "{}", page.body);
    let cancelled = form(&server, "/jobs", &format!("{ann}\r\n"), &format!("csrf={csrf}&do=cancel&job=1"));
    assert!(cancelled.status == 422 && cancelled.body.contains("failed already"), "{}", cancelled.body);
    form(&server, "/jobs", &format!("{ann}\r\n"), "do=cancel&job=1").is_problem(403, "foreign-page", &[]);
    let recorded = guike::audit::records(&AuditFiles::new(&folder.path().join("audit.jsonl"), None)).expect("read").0;
    assert!(recorded.iter().any(|r| r["action"] == "train job 1" && r["who"] == "ann"), "{recorded:?}");
}

/// A form with a table, as a browser sends it: the fields first, then the file.
fn upload(server: &Running, head: &str, fields: &[(&str, &str)], file: Option<(&str, &[u8])>) -> Answer {
    let mut body = Vec::new();
    for (name, value) in fields {
        let part = format!("--edge\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        body.extend_from_slice(part.as_bytes());
    }
    if let Some((name, table)) = file {
        let head = format!("--edge\r\nContent-Disposition: form-data; name=\"table\"; filename=\"{name}\"\r\n");
        body.extend_from_slice(format!("{head}Content-Type: application/octet-stream\r\n\r\n").as_bytes());
        body.extend_from_slice(table);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--edge--\r\n");
    let mut request = format!(
        "POST /jobs/train HTTP/1.1\r\nhost: localhost\r\naccept: text/html\r\n{head}content-type: multipart/form-data; \
         boundary=edge\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    )
    .into_bytes();
    request.extend_from_slice(&body);
    server.send(&request)
}

const FORM: [(&str, &str); 6] = [
    ("name", "value-model"),
    ("target", "value"),
    ("positive", "high"),
    ("drop", "category"),
    ("budget", "fast"),
    ("promote", "on"),
];

#[test]
fn a_table_of_the_form_is_learned_from_under_its_own_name_in_the_language_of_who_sent_it() {
    let shop = empty();
    let server = shop.serve();
    let page = browse(&server, "/jobs", "").body;
    assert!(page.contains(r#"enctype="multipart/form-data""#) && page.contains(r#"type="file""#), "{page}");
    let sent = upload(&server, "accept-language: zh\r\n", &FORM, Some(("../顾客 2026.csv", table(300).as_bytes())));
    assert_eq!((sent.status, sent.header("location")), (303, Some("/jobs")), "{}", sent.body);
    let job = until(&server, 1, "done");
    assert_eq!((&job["table"], &job["champion"]), (&"顾客 2026.csv".into(), &true.into()), "{job}");
    let notes = job["notes"].to_string();
    assert!(notes.contains("`category` is not learned from"), "{job}");
    let report = shop.root().join("models/value-model/1/report.html");
    let report = std::fs::read_to_string(report).expect("read");
    assert!(report.contains("lang=\"zh") && report.contains("顾客 2026.csv"), "{}", &report[..600]);
    assert!(browse(&server, "/jobs", "").body.contains("顾客 2026.csv"));
    assert_eq!(tables_left(&shop), 0, "the table is kept");
}

#[test]
fn a_form_that_is_none_or_a_table_that_cannot_be_taken_leaves_nothing() {
    let shop = empty();
    let limits = Limits { jobs: JobLimits { table_bytes: 100_000, ..JobLimits::default() }, ..Limits::default() };
    let server = Running::with(vec![shop.root()], limits);
    let sqlite = [&b"SQLite format 3\0"[..], &[0; 100]].concat();
    let large = vec![b'a'; 200_000];
    for (fields, file, status, words) in [
        (&FORM[..], None, 400, "choose a file"),
        (&FORM[..], Some(("", &b""[..])), 400, "choose a file"),
        (&FORM[1..], Some(("a.csv", &b"a,value\n1,2\n"[..])), 400, "a name has letters"),
        (&FORM[..1], Some(("a.csv", &b"a,value\n1,2\n"[..])), 400, "target"),
        (&FORM[..], Some(("a.csv", &b""[..])), 400, "the table is empty"),
        (&FORM[..], Some(("a.csv", &sqlite[..])), 415, "SQLite"),
        (&FORM[..], Some(("a.csv", &large[..])), 413, "--max-job-body"),
    ] {
        let said = upload(&server, "", fields, file);
        assert!(said.status == status && said.body.contains(words), "{words}: {} {}", said.status, said.body);
    }
    let foreign = upload(&server, "origin: https://evil.example\r\n", &FORM, Some(("a.csv", b"a,value\n1,2\n")));
    assert_eq!(foreign.status, 403, "{}", foreign.body);
    assert_eq!((server.get("/v1/jobs").json()["jobs"].as_array().map(Vec::len), tables_left(&shop)), (Some(0), 0));
    // what the command line says of a table, the job says
    assert_eq!(upload(&server, "", &FORM, Some(("a.csv", b"a,b\n1,2\n"))).status, 303);
    // tables that were refused had a number, too
    let id = server.get("/v1/jobs").json()["jobs"][0]["id"].as_u64().expect("a job");
    let job = until(&server, id, "failed");
    assert!(job["trouble"].as_str().is_some_and(|t| t.contains("value")), "{job}");
}

#[test]
fn the_form_needs_the_token_of_the_session_and_the_right_to_ask_for_jobs() {
    let (shop, folder) = (empty(), tempfile::tempdir().expect("a temporary folder"));
    let users = users(folder.path(), &[("ann", Role::Analyst), ("vi", Role::Viewer)]);
    let audit = Some(AuditFiles::new(&folder.path().join("audit.jsonl"), None));
    let guard = Guard { users: Some(users), audit, ..Guard::default() };
    let server = Running::recorded(vec![shop.root()], Limits::default(), None, guard);
    let ann = format!("{}\r\n", cookie(&log_in(&server, "ann", PASSWORD)));
    let page = browse(&server, "/jobs", &ann).body;
    let csrf =
        page.split(r#"name="csrf" value=""#).nth(1).and_then(|s| s.split('"').next()).expect("a token").to_owned();
    let good = table(100);
    let file = Some(("a.csv", good.as_bytes()));
    assert_eq!(upload(&server, &ann, &FORM, file).status, 403);
    let wrong = [&[("csrf", "00")][..], &FORM].concat();
    assert_eq!(upload(&server, &ann, &wrong, file).status, 403);
    assert_eq!(tables_left(&shop), 0);
    let right = [&[("csrf", csrf.as_str())][..], &FORM].concat();
    let sent = upload(&server, &ann, &right, file);
    assert_eq!(sent.status, 303, "{}", sent.body);
    let vi = format!("{}\r\n", cookie(&log_in(&server, "vi", PASSWORD)));
    assert_eq!(upload(&server, &vi, &right, file).status, 403);
    assert!(!browse(&server, "/jobs", &vi).body.contains("type=\"file\""));
}

#[test]
#[cfg(target_os = "linux")]
fn jobs_stand_back_behind_those_who_answer() {
    let shop = empty();
    let server = shop.serve();
    assert_eq!(train(&server, LONG, &table(2_000)).status, 200);
    until(&server, 1, "running");
    // names and nice values of all threads of this process
    let mut seen = Vec::new();
    for task in std::fs::read_dir("/proc/self/task").expect("threads").flatten() {
        let Ok(text) = std::fs::read_to_string(task.path().join("stat")) else { continue };
        let (head, rest) = text.rsplit_once(')').expect("a name");
        let name = head.split_once('(').expect("a name").1.to_owned();
        seen.push((name, rest.split_whitespace().nth(16).and_then(|n| n.parse::<i32>().ok()).expect("a number")));
    }
    let nice = |stat: &str| stat.rsplit_once(')').and_then(|s| s.1.split_whitespace().nth(16)?.parse::<i32>().ok());
    let own = nice(&std::fs::read_to_string("/proc/thread-self/stat").expect("a thread")).expect("a number");
    let of = |name: &str| seen.iter().filter(|t| t.0.starts_with(name)).map(|t| t.1).collect::<Vec<i32>>();
    assert!(of("jobs").contains(&(own + 10).min(19)), "{seen:?}");
    assert!(!of("tokio").is_empty() && of("tokio").iter().all(|n| *n == own), "{seen:?}");
    send(&server, "/v1/jobs/1/cancel", "application/json", "", "{}");
    until(&server, 1, "cancelled");
}
