//! `guike simulate shop`: logs whose truth is known, which Guike reads like any other.

use serde_json::Value;

use crate::support::{Desk, cells};

/// Simulates into `log.csv` and `truth.csv`, and gives the profile of the log.
fn check(desk: &Desk, args: &[&str], customers: usize) -> Value {
    let simulate = ["simulate", "shop", "--out", "log.csv", "--truth", "truth.csv"];
    let ended = desk.guike(&[&simulate, args].concat());
    assert_eq!(ended.code, 0, "{args:?}: {}", ended.stderr);
    assert_eq!(desk.names(), ["log.csv", "truth.csv"]);
    let truth = desk.text("truth.csv");
    let (header, rows) = cells(&truth);
    assert_eq!(header, ["customer_id", "alive", "rate_per_day", "death_day", "spend_mean"]);
    assert_eq!(rows.len(), customers);
    // who has left says when, who has not does not
    assert!(rows.iter().all(|r| (r[1] == "1") == r[3].is_empty()), "{args:?}");
    assert!(rows.iter().all(|r| r[4].parse::<f64>().is_ok_and(|spend| spend > 0.0)), "{args:?}");
    let profile = desk.guike(&["profile", "log.csv", "--format", "json"]);
    assert_eq!(profile.code, 0, "{args:?}: {}", profile.stderr);
    let profile: Value = serde_json::from_str(&profile.stdout).expect("JSON");
    let quality = &profile["quality"];
    // goods that come back within the hour, or twice the same in one order, are what any log has
    let n = |name: &str| quality[name].as_f64().expect("a number");
    assert!(n("rows_kept") >= 0.98 * n("rows_read"), "{args:?}: {quality}");
    assert_eq!(quality["customers"], customers, "{args:?}: {quality}");
    profile
}

#[test]
fn every_kind_of_shop_is_a_log_that_guike_reads() {
    let mechanisms = ["pareto-nbd", "bg-nbd", "mbg-nbd", "regular", "contractual", "dormant", "bursty", "mixed", "any"];
    let desk = Desk::new();
    for mechanism in mechanisms {
        check(&desk, &["--mechanism", mechanism, "--customers", "40"], 40);
        check(&desk, &["--mechanism", mechanism, "--customers", "30", "--plain", "--days", "200"], 30);
    }
    for like in ["cdnow", "grocery", "online-store"] {
        check(&desk, &["--like", like, "--customers", "50"], 50);
        check(&desk, &["--like", like, "--customers", "50", "--browse", "--days", "120"], 50);
    }
}

#[test]
fn a_simulated_shop_runs_to_the_end() {
    let desk = Desk::new();
    check(&desk, &["--browse", "--customers", "300", "--start", "2024-01-01", "--days", "400"], 300);
    let run = desk.guike(&["run", "log.csv", "--budget", "fast", "--out", "out"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(desk.text("out/forecasts.csv").lines().count() > 250);
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_a_larger_shop_begins_with_the_same_customers() {
    let desk = Desk::new();
    let log = |args: &[&str]| {
        let ended = desk.guike(&[&["simulate", "shop", "--out", "log.csv"], args].concat());
        assert_eq!(ended.code, 0, "{}", ended.stderr);
        desk.text("log.csv")
    };
    for kind in [&["--browse"][..], &["--mechanism", "any"]] {
        let few = log(&[kind, &["--customers", "100"]].concat());
        assert_eq!(few, log(&[kind, &["--customers", "100"]].concat()));
        assert!(log(&[kind, &["--customers", "5000"]].concat()).starts_with(&few));
        assert_ne!(few, log(&[kind, &["--customers", "100", "--seed", "2"]].concat()));
    }
}

#[test]
fn parquet_holds_the_same_events() {
    let desk = Desk::new();
    for name in ["log.csv", "log.parquet"] {
        let ended = desk.guike(&["simulate", "shop", "--browse", "--customers", "60", "--out", name]);
        assert_eq!(ended.code, 0, "{}", ended.stderr);
    }
    let features = |name: &str| {
        let out = format!("{name}.features");
        let ended = desk.guike(&["features", name, "--out", &out]);
        assert_eq!(ended.code, 0, "{}", ended.stderr);
        std::fs::read(desk.path(&out)).expect("features")
    };
    assert_eq!(features("log.csv"), features("log.parquet"));
}

#[test]
fn a_shop_that_cannot_be_says_why_and_leaves_nothing() {
    for (args, words) in [
        (&["--customers", "0"][..], &["--customers", "above 0"][..]),
        (&["--days", "0"], &["--days", "above 0"]),
        (&["--mechanism", "dormant", "--days", "10"], &["--days", "between 30 and 36500"]),
        (&["--mechanism", "dormand"], &["dormand", "dormant"]),
        (&["--mechanism", "dormant", "--browse"], &["--browse"]),
        (&["--plain"], &["--mechanism"]),
        (&["--start", "2023-02-30"], &["2023-02-30"]),
    ] {
        let desk = Desk::new();
        let ended = desk.guike(&[&["simulate", "shop", "--out", "log.csv"], args].concat());
        assert_eq!(ended.code, 2, "{args:?}: {}", ended.stderr);
        for word in words {
            assert!(ended.stderr.contains(word), "{args:?}: `{word}` is not in: {}", ended.stderr);
        }
        assert!(desk.names().is_empty(), "{args:?}");
    }
}

#[test]
fn rows_like_those_of_a_table_are_of_nobody_and_say_what_they_are_worth() {
    let desk = Desk::new();
    let ended = desk.guike(&["simulate", "customers", "--n", "400", "--out", "real.csv"]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let like = |out: &str| {
        let args = ["simulate", "like", "real.csv", "--target", "value", "--steps", "60", "--n", "150", "--out", out];
        let ended = desk.guike(&args);
        assert_eq!(ended.code, 0, "{}", ended.stderr);
        ended.stderr
    };
    let said = like("nobody.csv");
    for words in ["150 rows of nobody", "kept apart", "customer_id", "come nearer", "predicting `value`", "AUC"] {
        assert!(said.contains(words), "{words}: {said}");
    }
    like("again.csv");
    assert_eq!(desk.text("nobody.csv"), desk.text("again.csv"), "the same seed gives the same rows");
    let (real, nobody) = (desk.text("real.csv"), desk.text("nobody.csv"));
    let ((header, _), (columns, rows)) = (cells(&real), cells(&nobody));
    assert_eq!(rows.len(), 150);
    assert!(columns.iter().all(|c| header.contains(c) && *c != "customer_id"), "{columns:?}");
    // and they are a table to learn from
    let trained = desk.guike(&["train", "nobody.csv", "--target", "value", "--model", "boosting", "--out", "model"]);
    assert_eq!(trained.code, 0, "{}", trained.stderr);
}

#[test]
fn a_table_that_cannot_be_imitated_says_why_and_leaves_nothing() {
    let desk = Desk::new();
    desk.put("few.csv", "a,b\n1,2\n3,4\n");
    let ended = desk.guike(&["simulate", "like", "few.csv", "--out", "nobody.csv"]);
    assert_eq!(ended.code, 3, "{}", ended.stderr);
    assert!(ended.stderr.contains("rows"), "{}", ended.stderr);
    desk.put("ids.csv", format!("id\n{}", (0..300).map(|i| format!("{}\n", 7 * i + 3)).collect::<String>()));
    let ended = desk.guike(&["simulate", "like", "ids.csv", "--out", "nobody.csv", "--steps", "5"]);
    assert!(ended.code != 0 && ended.stderr.contains("identifiers"), "{}", ended.stderr);
    let ended = desk.guike(&["simulate", "like", "few.csv", "--target", "c", "--out", "nobody.csv"]);
    assert!(ended.code == 2 && ended.stderr.contains("`c`"), "{}", ended.stderr);
    assert_eq!(desk.names(), ["few.csv", "ids.csv"]);
}
