//! `guike tune`: killed in the middle it goes on to the same bytes, and it refuses to mix two pieces of work.
#![cfg(unix)]

use std::fmt::Write as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::support::{Desk, Numbers, cells, shop_csv};

/// `n` rows whose label follows from the product of two columns: trees with few leaves miss it.
fn table(n: u64) -> String {
    let mut numbers = Numbers(5);
    let mut text = String::from("a,b,c,label\n");
    for _ in 0..n {
        let (a, b, c) = (numbers.below(100), numbers.below(100), numbers.below(100));
        let likely = if (a > 50) == (b > 50) { 80 } else { 20 };
        let _ = writeln!(text, "{a},{b},{c},{}", if numbers.below(100) < likely { "yes" } else { "no" });
    }
    text
}

const TUNE: [&str; 14] = [
    "tune", "table", "t.csv", "--target", "label", "--model", "boosting", "--folds", "3", "--trials", "6", "--out",
    "tuned", "--quiet",
];
const LOG: &str = "tuned.trials.ndjson";

/// Starts the tuning and kills it as soon as its log has this many lines.
fn killed(desk: &Desk, lines: usize) {
    let mut child = desk.command(&TUNE).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the binary starts");
    let begun = Instant::now();
    loop {
        let there = std::fs::read(desk.path(LOG)).unwrap_or_default();
        if there.iter().filter(|&&b| b == b'\n').count() >= lines {
            break;
        }
        assert!(child.try_wait().expect("a child").is_none(), "it ended before {lines} trials were logged");
        assert!(begun.elapsed() < Duration::from_secs(120), "no trial was logged for two minutes");
        std::thread::sleep(Duration::from_millis(2));
    }
    // SIGKILL: no handler, no destructor
    child.kill().expect("killed");
    child.wait().expect("ended");
    assert!(!desk.path("tuned").exists(), "nothing appears before it is complete");
}

#[test]
fn killed_twice_in_the_middle_it_ends_as_if_it_had_not_been() {
    let text = table(600);
    let whole = Desk::new();
    whole.put("t.csv", &text);
    let ended = whole.guike(&TUNE);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert_eq!(whole.names(), ["t.csv", "tuned"], "the log is gone when the answer is there");
    let files: Vec<String> = whole.files("tuned").into_iter().map(|f| f.0).collect();
    assert_eq!(files, ["settings.toml", "trials.csv", "tuning.json"]);

    let desk = Desk::new();
    desk.put("t.csv", &text);
    killed(&desk, 4);
    killed(&desk, 9);
    let again = desk.guike(&TUNE);
    assert_eq!((again.code, &again.stdout), (0, &ended.stdout), "{}", again.stderr);
    assert_eq!(desk.files("tuned"), whole.files("tuned"));
    assert_eq!(desk.names(), ["t.csv", "tuned"]);
}

#[test]
fn other_data_or_settings_are_not_mixed_into_a_log_that_was_begun() {
    let desk = Desk::new();
    desk.put("t.csv", table(600));
    killed(&desk, 3);
    let log = std::fs::read(desk.path(LOG)).expect("a log");
    let seeded = desk.guike(&[&TUNE[..], &["--seed", "2"]].concat());
    assert_eq!(seeded.code, 2, "{}", seeded.stderr);
    assert!(seeded.stderr.contains("settings.seed: 1 then, 2 now"), "{}", seeded.stderr);
    desk.put("t.csv", table(601));
    let other = desk.guike(&TUNE);
    assert_eq!(other.code, 2, "{}", other.stderr);
    assert!(other.stderr.contains("belongs to other work (data: "), "{}", other.stderr);
    assert_eq!(std::fs::read(desk.path(LOG)).expect("a log"), log, "what was done is untouched");
}

#[test]
fn the_settings_it_writes_are_what_train_takes() {
    let desk = Desk::new();
    desk.put("t.csv", table(600));
    let ended = desk.guike(&TUNE[..13]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let settings = desk.text("tuned/settings.toml");
    let proposed = ended.stderr.contains("use them");
    assert_eq!(proposed, settings.contains("[learners.boosting]"), "{settings}\n{}", ended.stderr);
    let trained =
        desk.guike(&["train", "t.csv", "--settings", "tuned/settings.toml", "--folds", "2", "--out", "model"]);
    assert_eq!(trained.code, 0, "{}", trained.stderr);
    let used = desk.text("model/train.toml");
    assert!(used.contains("folds = 2") && used.contains("model = \"boosting\""), "flags win over the file: {used}");
    let trials = desk.text("tuned/trials.csv");
    let (header, rows) = cells(&trials);
    assert_eq!(header, ["trial", "learner", "settings", "folds", "loss", "end"]);
    assert_eq!(rows.len(), 7);
}

#[test]
fn rows_of_one_customer_count_as_one_when_a_gain_is_judged() {
    let desk = Desk::new();
    let of = |who: &dyn Fn(usize) -> String| {
        let rows = table(400);
        let line = |(i, l): (usize, &str)| if i == 0 { format!("who,{l}\n") } else { format!("{},{l}\n", who(i)) };
        rows.lines().enumerate().map(line).collect::<String>()
    };
    desk.put("t.csv", of(&|i| format!("c{}", i % 40)));
    let ended = desk.guike(&[&TUNE[..13], &["--group", "who"]].concat());
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(desk.text("tuned/tuning.json").contains("80 rows of 8 groups that took no part"), "{}", ended.stderr);
    // a customer with more than half of the rows is kept apart alone
    desk.put("t.csv", of(&|i| if i % 5 < 3 { "big".to_owned() } else { format!("c{}", i % 40) }));
    let refused = desk.guike(&[&TUNE[..11], &["--out", "few", "--group", "who", "--test", "0.5"]].concat());
    assert_eq!(refused.code, 3, "{}", refused.stderr);
    assert!(refused.stderr.contains("of one group"), "{}", refused.stderr);
}

#[test]
fn what_cannot_be_tuned_says_why() {
    let desk = Desk::new();
    desk.put("t.csv", table(100));
    for (args, words) in [
        (&["--test", "0"][..], "tuning needs rows kept apart"),
        (&["--trials", "0"], "give 1 to 10,000"),
        (&["--model", "logistic-gradient-descent"], "it has nothing to tune"),
    ] {
        let ended = desk.guike(&[&["tune", "table", "t.csv", "--target", "label"], args].concat());
        assert_eq!(ended.code, 2, "{}", ended.stderr);
        assert!(ended.stderr.contains(words), "{}", ended.stderr);
    }
    desk.put("wrong.toml", "target = \"label\"\n[learners.boosting]\nmax_leafs = 3\n");
    let ended = desk.guike(&["train", "t.csv", "--settings", "wrong.toml"]);
    assert_eq!(ended.code, 2, "{}", ended.stderr);
    assert!(ended.stderr.contains("did you mean `max_leaves`"), "{}", ended.stderr);
}

#[test]
fn a_log_of_orders_is_tuned_before_its_newest_window_and_judged_on_it() {
    let desk = Desk::new();
    desk.put("orders.csv", shop_csv(150));
    let ended = desk.guike(&["tune", "log", "orders.csv", "--horizon", "60d", "--trials", "1", "--out", "tuned"]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let answer = desk.text("tuned/tuning.json");
    assert!(answer.contains("60 days after ") && answer.contains("which took no part"), "{answer}");
    assert!(ended.stderr.contains("on what was kept apart"), "{}", ended.stderr);
    let read = desk.guike(&["config", "--config", "tuned/settings.toml"]);
    assert_eq!(read.code, 0, "{}", read.stderr);
    assert!(read.stdout.contains("horizon = \"60d\""), "{}", read.stdout);
    let short = desk.guike(&["tune", "log", "orders.csv", "--cutoff", "2022-02-10", "--horizon", "20d"]);
    assert_eq!(short.code, 3, "{}", short.stderr);
    assert!(short.stderr.contains("too short to keep a window of 20 days apart"), "{}", short.stderr);
}
