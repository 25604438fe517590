//! Files of rows that are predicted while they are sent.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::time::{Duration, Instant};

use guike::audit::{AuditFiles, records};
use guike::keys::{NewKey, add};
use guike::table::{Label, ReadOptions};
use guike_core::{Day, Quiet, Seed};
use guike_guard::Scope;
use guike_server::{BatchLimits, Guard, Limits};

use crate::support::{Running, Trained};

const PATH: &str = "/v1/models/value-model/batch";

/// What a client gets that reads while it sends.
struct Got {
    status: u16,
    head: String,
    body: Vec<u8>,
    /// Whether the transfer came to its end.
    is_whole: bool,
}

/// Sends a file in chunks by one thread, as one gets it from a pipe, and reads by another.
fn send(server: &Running, path: &str, (kind, head): (&str, &str), file: &[u8]) -> Got {
    let mut stream = server.connect();
    let mut sending = stream.try_clone().expect("another handle");
    let begin = format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: {kind}\r\n{head}transfer-encoding: chunked\r\nconnection: close\r\n\r\n"
    );
    let file = file.to_vec();
    let sender = std::thread::spawn(move || {
        // a server that refuses reads no more
        let _ = sending.write_all(begin.as_bytes());
        for piece in file.chunks(50_000) {
            let chunk = [format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat();
            if sending.write_all(&chunk).is_err() {
                return;
            }
        }
        let _ = sending.write_all(b"0\r\n\r\n");
    });
    let mut bytes = Vec::new();
    let ended = stream.read_to_end(&mut bytes);
    let _ = stream.shutdown(Shutdown::Both);
    sender.join().expect("sent");
    let at = bytes.windows(4).position(|w| w == b"\r\n\r\n").expect("a head");
    let head = String::from_utf8_lossy(&bytes[..at]).to_lowercase();
    let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).expect("a status");
    let rest = &bytes[at + 4..];
    let (body, is_whole) =
        if head.contains("transfer-encoding: chunked") { unchunked(rest) } else { (rest.to_vec(), ended.is_ok()) };
    Got { status, head, body, is_whole }
}

/// The body, and whether its last chunk came.
fn unchunked(mut rest: &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    loop {
        let Some(end) = rest.windows(2).position(|w| w == b"\r\n") else { return (body, false) };
        let length = usize::from_str_radix(std::str::from_utf8(&rest[..end]).expect("digits"), 16).expect("a length");
        if length == 0 {
            return (body, true);
        }
        rest = &rest[end + 2..];
        let n = length.min(rest.len());
        body.extend_from_slice(&rest[..n]);
        if rest.len() < length + 2 {
            return (body, false);
        }
        rest = &rest[length + 2..];
    }
}

/// So many simulated customers as CSV, without the column that is predicted.
fn customers(folder: &std::path::Path, n: usize) -> (std::path::PathBuf, String) {
    let file = folder.join("new.csv");
    let table = guike::table::simulate_customers(n, Label::Drawn, Seed(5)).expect("simulated");
    guike::table::write_table_csv(&table, &file).expect("written");
    let text = std::fs::read_to_string(&file).expect("read");
    (file, text)
}

/// Kilobytes of memory that this process has in use.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"));
    line.and_then(|l| l.trim().strip_suffix(" kB")?.parse().ok()).unwrap_or(0)
}

#[test]
fn a_hundred_thousand_rows_come_back_as_guike_predict_writes_them() {
    let (trained, folder) = (Trained::logistic(), tempfile::tempdir().expect("a temporary folder"));
    let (file, text) = customers(folder.path(), 100_000);
    let predictions = guike::table::predict(&trained.model(), file.as_path(), &ReadOptions::default(), &Quiet);
    let written = folder.path().join("predictions.csv");
    predictions.expect("predicted").write_csv(&written).expect("written");
    let expected = std::fs::read_to_string(&written).expect("read");
    let server = Running::of(&trained);
    let id = expected.split(',').next().expect("a header");
    let keep = if id == "predicted" { "none" } else { id };
    let got = send(&server, &format!("{PATH}?keep={keep}"), ("text/csv", ""), text.as_bytes());
    assert_eq!((got.status, got.is_whole), (200, true), "{}", got.head);
    assert!(got.head.contains("guike-model: value-model/") && got.head.contains("content-type: text/csv"));
    assert!(got.body == expected.as_bytes(), "the bytes are those of `guike predict`");
    // all columns: the row as it was, then its prediction
    let kept = send(&server, PATH, ("text/csv; charset=utf-8", ""), text.as_bytes());
    let kept = String::from_utf8(kept.body).expect("text");
    assert_eq!(kept.lines().count(), 100_001);
    for ((line, row), prediction) in kept.lines().zip(text.lines()).zip(expected.lines()) {
        let prediction = if keep == "none" { prediction } else { prediction.split_once(',').expect("an id").1 };
        assert_eq!(line, format!("{row},{prediction}"));
    }
    let metrics = server.get("/metrics").body;
    assert!(metrics.contains("guike_batches_total{result=\"whole\"} 2"), "{metrics}");
    assert!(metrics.contains("} 200000\n"), "{metrics}");
}

#[test]
fn json_lines_are_answered_as_json_lines() {
    let server = Running::of(&Trained::logistic());
    let row = r#"{"id":"C1","age":30,"income":6000,"purchase_frequency":5,"amount":1,"category":"books"}"#;
    let got = send(&server, PATH, ("application/x-ndjson", ""), format!("{row}\n{row}\n").as_bytes());
    let text = String::from_utf8(got.body).expect("text");
    assert_eq!((got.status, text.lines().count()), (200, 2), "{text}");
    assert!(text.starts_with(&format!("{},\"predicted\":\"", row.trim_end_matches('}'))), "{text}");
}

#[test]
fn a_bad_row_in_the_middle_is_the_last_line_and_the_transfer_breaks_off() {
    let (trained, folder) = (Trained::logistic(), tempfile::tempdir().expect("a temporary folder"));
    let (_, text) = customers(folder.path(), 20_000);
    let column = text.lines().next().expect("a header").split(',').position(|n| n == "age").expect("a column");
    let spoiled = |line: &str| {
        let cells = line.split(',').enumerate().map(|(i, c)| if i == column { "Canary" } else { c });
        cells.collect::<Vec<_>>().join(",")
    };
    let at = |row: usize| {
        let lines = text.lines().enumerate().map(|(i, l)| if i == row { spoiled(l) } else { l.to_owned() });
        lines.collect::<Vec<_>>().join("\n")
    };
    let server = Running::of(&trained);
    let got = send(&server, PATH, ("text/csv", ""), at(15_000).as_bytes());
    let body = String::from_utf8(got.body).expect("text");
    assert_eq!((got.status, got.is_whole), (200, false), "{}", got.head);
    let lines: Vec<&str> = body.lines().collect();
    assert_eq!(lines.len(), 15_001, "a header, the rows before it, and the problem");
    let last = lines[15_000].trim_matches('"').replace("\"\"", "\"");
    let problem: serde_json::Value = serde_json::from_str(&last).expect("JSON");
    assert_eq!(
        (&problem["code"], &problem["row"], &problem["column"]),
        (&"wrong-type".into(), &15_000.into(), &"age".into())
    );
    assert!(!body.contains("Canary") && !server.log.text().contains("Canary"));
    // among the first rows it is a problem as everywhere
    let early = send(&server, PATH, ("text/csv", ""), at(3).as_bytes());
    let problem: serde_json::Value = serde_json::from_slice(&early.body).expect("JSON");
    assert_eq!((early.status, &problem["code"], &problem["row"]), (422, &"wrong-type".into(), &3.into()));
    let metrics = server.get("/metrics").body;
    for (result, n) in [("whole", 0), ("refused", 1), ("cut", 1)] {
        assert!(metrics.contains(&format!("guike_batches_total{{result=\"{result}\"}} {n}\n")), "{metrics}");
    }
}

#[test]
fn what_cannot_be_a_batch_is_refused_before_it_is_read() {
    let trained = Trained::logistic();
    let batch = BatchLimits { body_bytes: 200_000, rows: 5, ..BatchLimits::default() };
    let server = Running::with(vec![trained.model()], Limits { batch, ..Limits::default() });
    let row = "30,6000,5,1,books\n";
    let file = |n: usize| format!("age,income,purchase_frequency,amount,category\n{}", row.repeat(n));
    for (path, kind, file, status, code) in [
        (PATH, "application/json", file(1), 415, "not-rows"),
        ("/v1/models/another/batch", "text/csv", file(1), 404, "no-model"),
        (PATH, "text/csv", file(6), 413, "too-many-rows"),
        (PATH, "text/csv", String::new(), 400, "malformed-rows"),
        (PATH, "text/csv", "age;income\n1;2\n".to_owned(), 422, "missing-column"),
        (PATH, "text/csv", file(0) + "\"" + &"x".repeat(300_000), 413, "body-too-large"),
        ("/v1/models/value-model/batch?keep=city", "text/csv", file(1), 422, "missing-column"),
        ("/v1/models/value-model/batch?kept=city", "text/csv", file(1), 400, "malformed-query"),
    ] {
        let got = send(&server, path, (kind, ""), file.as_bytes());
        let problem: serde_json::Value = serde_json::from_slice(&got.body).expect("JSON");
        assert_eq!((got.status, problem["code"].as_str()), (status, Some(code)), "{problem}");
    }
}

#[test]
fn a_key_without_the_scope_is_refused_and_who_took_a_file_is_recorded() {
    let (trained, folder) = (Trained::logistic(), tempfile::tempdir().expect("a temporary folder"));
    let (_, text) = customers(folder.path(), 5_000);
    let (keys, log) = (folder.path().join("keys.json"), folder.path().join("audit.jsonl"));
    let key = |name: &str, scope, random| {
        let new = NewKey { name, scopes: &[scope], created: Day(20_000), expires: None, random: [random; 32] };
        format!("x-api-key: {}\r\n", add(&keys, &new).expect("added").reveal())
    };
    let (good, other) = (key("good", Scope::Predict, 1), key("other", Scope::Read, 2));
    let files = AuditFiles::new(&log, None);
    let guard = Guard { audit: Some(files.clone()), ..Guard::default() };
    let server = Running::recorded(vec![trained.model()], Limits::default(), Some(keys), guard);
    assert_eq!(send(&server, PATH, ("text/csv", &other), text.as_bytes()).status, 403);
    let got = send(&server, PATH, ("text/csv", &good), text.as_bytes());
    assert!(got.status == 200 && got.is_whole, "{}", got.head);
    let (all, _) = records(&files).expect("a log");
    let of: Vec<_> = all.iter().filter(|r| r["resource"] == "predictions").collect();
    assert_eq!(of.len(), 3, "that one was refused, that the other began, and that it ended");
    assert!(of[0]["who"] == "other" && of[0]["result"] == "foreign-scope", "{of:?}");
    let of = &of[1..];
    assert!(of.iter().all(|r| r["action"] == "export" && r["who"] == "good"), "{of:?}");
    assert!(of[0]["result"] == "200" && of[1]["result"] == "whole" && of[1]["customers"] == 5_000, "{of:?}");
}

#[test]
fn a_client_that_takes_nothing_is_not_written_to_without_end_and_others_are_answered() {
    let (trained, folder) = (Trained::logistic(), tempfile::tempdir().expect("a temporary folder"));
    let (_, text) = customers(folder.path(), 10_000);
    let batch = BatchLimits { at_a_time: 1, ..BatchLimits::default() };
    let server = Running::with(vec![trained.model()], Limits { batch, ..Limits::default() });
    let before = resident();
    let mut stuck = server.connect();
    let head = format!(
        "POST {PATH} HTTP/1.1\r\nhost: localhost\r\ncontent-type: text/csv\r\ncontent-length: 900000000\r\n\r\n"
    );
    stuck.write_all(head.as_bytes()).expect("sent");
    stuck.write_all(text.as_bytes()).expect("sent");
    let rows = text.split_once('\n').expect("a header").1;
    // send what it takes, and take nothing: it stops reading when the sockets between are full
    stuck.set_write_timeout(Some(Duration::from_secs(1))).expect("a time limit");
    let mut sent = 0;
    while sent < 400_000_000 && stuck.write_all(rows.as_bytes()).is_ok() {
        sent += rows.len();
    }
    assert!(sent < 400_000_000, "it goes on reading though nothing is taken");
    let grown = resident().saturating_sub(before);
    assert!(grown < 64 << 10, "{grown} kB more");
    // the place is taken, and /predict does not mind
    let second = send(&server, PATH, ("text/csv", ""), text.as_bytes());
    assert!(second.status == 503 && second.head.contains("retry-after: 10"), "{}", second.head);
    let begun = Instant::now();
    let one = r#"{"age":30,"income":6000,"purchase_frequency":5,"amount":1,"category":"books"}"#;
    assert_eq!(server.post("/predict", one).status, 200);
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_parquet_file_comes_back_as_parquet_with_its_columns_and_their_predictions() {
    const KIND: (&str, &str) = ("application/vnd.apache.parquet", "");
    let (_folder, out) = crate::support::results();
    let desk = tempfile::tempdir().expect("a temporary folder");
    let shop = Running::with(vec![out], Limits::default());
    let saved = |form: &str| {
        let path = format!("/v1/customers/export?format={form}");
        let head = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        let mut stream = shop.connect();
        stream.write_all(head.as_bytes()).expect("sent");
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).expect("an answer");
        let at = bytes.windows(4).position(|w| w == b"\r\n\r\n").expect("a head");
        let file = desk.path().join(format!("customers.{form}"));
        std::fs::write(&file, unchunked(&bytes[at + 4..]).0).expect("written");
        file
    };
    let (csv, parquet) = (saved("csv"), saved("parquet"));
    let model = desk.path().join("spend");
    let settings = guike::table::TableSettings {
        target: "expected_spend".to_owned(),
        model: "linear-regression".to_owned(),
        ..Default::default()
    };
    guike::table::train(csv.as_path(), &model, &settings, guike::Language::English, &Quiet).expect("trained");
    let server = Running::with(vec![model.clone()], Limits::default());
    let whole = std::fs::read(&parquet).expect("read");
    let got = send(&server, "/v1/models/spend/batch", KIND, &whole);
    assert_eq!((got.status, got.is_whole), (200, true), "{}: {}", got.head, String::from_utf8_lossy(&got.body));
    assert!(got.head.contains("content-type: application/vnd.apache.parquet") && got.body.ends_with(b"PAR1"));
    // all columns went through: the answer is predicted like the question
    let answered = desk.path().join("answered.parquet");
    std::fs::write(&answered, &got.body).expect("written");
    let of = |file: &std::path::Path| {
        let predicted = guike::table::predict(&model, file, &ReadOptions::default(), &Quiet).expect("predicted");
        predicted.cells().1
    };
    assert_eq!(of(&answered), of(&parquet));

    let refused = |path: &str, body: &[u8], words: &[&str]| {
        let got = send(&server, path, KIND, body);
        let said = String::from_utf8_lossy(&got.body).into_owned();
        assert!(got.status >= 400 && words.iter().all(|w| said.contains(w)), "{}: {said}", got.status);
    };
    refused("/v1/models/spend/batch", &whole[..whole.len() - 9], &["malformed-rows", "damaged or cut off"]);
    refused("/v1/models/spend/batch", b"customer_id\n7\n", &["malformed-rows"]);
    refused("/v1/models/spend/batch?keep=luck", &whole, &["missing-column"]);
    refused("/v1/models/spend/batch", &got.body, &["duplicate-column", "`predicted`"]);
    let metrics = server.get("/metrics").body;
    assert!(metrics.contains("guike_batches_total{result=\"whole\"} 1"), "{metrics}");
    let limits = Limits { batch: BatchLimits { body_bytes: 1_000, ..BatchLimits::default() }, ..Limits::default() };
    let small = Running::with(vec![model.clone()], limits);
    let got = send(&small, "/v1/models/spend/batch", KIND, &whole);
    assert_eq!(got.status, 413, "{}", String::from_utf8_lossy(&got.body));
}
