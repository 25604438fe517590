//! `guike pretrain`: killed in the middle it ends with the same weights, and it refuses other work in the same folder.
#![cfg(unix)]

use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::support::{Desk, shop_csv};

const PRETRAIN: [&str; 10] =
    ["pretrain", "--steps", "8", "--shops", "1", "--checkpoint-every", "1", "--out", "net", "--quiet"];

#[test]
fn killed_in_the_middle_it_ends_with_the_same_weights() {
    let whole = Desk::new();
    let ended = whole.guike(&PRETRAIN);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let names: Vec<String> = whole.files("net").into_iter().map(|f| f.0).collect();
    assert_eq!(names, ["checkpoint.safetensors", "metrics.jsonl", "weights.safetensors"]);
    // what the work is, and a line per step
    assert_eq!(whole.text("net/metrics.jsonl").lines().count(), 9);

    let desk = Desk::new();
    let mut child =
        desk.command(&PRETRAIN).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the binary starts");
    let begun = Instant::now();
    while std::fs::read(desk.path("net/metrics.jsonl")).unwrap_or_default().iter().filter(|&&b| b == b'\n').count() < 4
    {
        assert!(child.try_wait().expect("a child").is_none(), "it ended before it could be killed");
        assert!(begun.elapsed() < Duration::from_secs(120), "no step in two minutes");
        std::thread::sleep(Duration::from_millis(2));
    }
    // SIGKILL: no handler, no destructor
    child.kill().expect("killed");
    child.wait().expect("ended");
    assert!(!desk.path("net/weights.safetensors").exists(), "weights appear when training is complete");
    let again = desk.guike(&PRETRAIN);
    assert_eq!(again.code, 0, "{}", again.stderr);
    let weights = |d: &Desk| std::fs::read(d.path("net/weights.safetensors")).expect("weights");
    assert!(weights(&whole) == weights(&desk), "the same bytes");

    let other = desk.guike(&[&PRETRAIN[..], &["--seed", "2"]].concat());
    assert_eq!(other.code, 2, "{}", other.stderr);
    assert!(other.stderr.contains("seed"), "{}", other.stderr);
}

#[test]
fn it_learns_from_a_real_log_too_and_says_what_it_does_not_know() {
    let desk = Desk::new();
    desk.put("shop.csv", shop_csv(80));
    let with_log = ["pretrain", "--steps", "2", "--shops", "2", "--log", "shop.csv", "--real", "1", "--out", "net"];
    let ended = desk.guike(&with_log);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(ended.stderr.contains("2 steps (2 now)"), "{}", ended.stderr);
    let refused = desk.guike(&["pretrain", "--without", "telepathy"]);
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    assert!(refused.stderr.contains("telepathy") && refused.stderr.contains("pareto-nbd"), "{}", refused.stderr);
    assert!(!desk.path("guike-pretrained").exists());
}
