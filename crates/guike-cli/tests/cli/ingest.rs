//! `guike ingest`: events from a stream.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Stdio};

use crate::support::{Desk, ended};

const ARGS: [&str; 6] = ["ingest", "-", "--events", "events.log", "--key", "partition,offset"];

fn line(offset: usize) -> String {
    format!(
        "{{\"partition\":{},\"offset\":{offset},\"customer_id\":\"C{}\",\"time\":\"2024-05-{:02}\",\"amount\":{}.5}}\n",
        offset % 3,
        offset % 40,
        1 + offset % 28,
        offset % 90
    )
}

fn started(desk: &Desk) -> Child {
    let mut command = desk.command(&ARGS);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("the binary starts")
}

/// The words, the code and the last thing told when these lines were sent.
fn sent(desk: &Desk, text: &str) -> (i32, String, serde_json::Value) {
    let mut child = started(desk);
    child.stdin.take().expect("piped").write_all(text.as_bytes()).expect("taken");
    let ended = ended(&child.wait_with_output().expect("it ends"));
    let last = ended.stdout.lines().last().map(|l| serde_json::from_str(l).expect("JSON")).unwrap_or_default();
    (ended.code, ended.stderr, last)
}

#[test]
fn events_of_a_stream_are_taken_once_however_often_they_come() {
    let desk = Desk::new();
    let lines: Vec<String> = (0..3_000).map(line).collect();
    // killed when something is safe, and sent again from the beginning
    let mut child = started(&desk);
    let mut stdin = child.stdin.take().expect("piped");
    stdin.write_all(lines[..1_500].concat().as_bytes()).expect("taken");
    let mut told = String::new();
    BufReader::new(child.stdout.take().expect("piped")).read_line(&mut told).expect("told");
    child.kill().expect("ours");
    child.wait().expect("it ends");
    let safe: serde_json::Value = serde_json::from_str(&told).expect("JSON");
    let (code, words, last) = sent(&desk, &lines.concat());
    assert_eq!(code, 0, "{words}");
    let count = |name: &str| last[name].as_u64().expect("a number");
    assert_eq!((count("taken") + count("repeated"), last["key"].as_str()), (3_000, Some("2/2999")));
    assert!(count("repeated") >= safe["taken"].as_u64().expect("a number"), "{safe} was told to be safe, {last}");
    let (_, _, again) = sent(&desk, &lines.concat());
    assert_eq!((again["taken"].as_u64(), again["repeated"].as_u64()), (Some(0), Some(3_000)));
}

#[test]
fn a_line_that_is_no_event_ends_it_when_those_before_are_safe() {
    for (bad, word) in [
        ("{\"partition\":1,\"offset\":9,\"customer_id\":\"C1\",\"amount\":1}", "event 3 has no `time`"),
        ("{\"partition\":1,\"customer_id\":\"C1\",\"time\":\"2024-05-01\",\"amount\":1}", "event 3 has no `offset`"),
        ("{\"partition\":1", "line 3 stops being JSON"),
        ("[1]", "line 3 is no object"),
        (
            "{\"partition\":0,\"offset\":0,\"customer_id\":\"C9\",\"time\":\"2024-05-01\",\"amount\":1}",
            "stood for something else",
        ),
    ] {
        let desk = Desk::new();
        let (code, words, last) = sent(&desk, &format!("{}{}{bad}\n{}", line(0), line(1), line(2)));
        assert_eq!(code, 3, "{words}");
        assert!(words.contains(word) && !words.contains("C9"), "{words}");
        if word.starts_with("stood") {
            continue;
        }
        assert_eq!((last["taken"].as_u64(), last["key"].as_str()), (Some(2), Some("1/1")));
    }
}
