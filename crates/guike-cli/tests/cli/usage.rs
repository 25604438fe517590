//! Mistakes in what was typed: code 2, the mistake and the nearest right thing; and what is not there: code 4.

use crate::support::{Desk, shop_csv};

fn check(args: &[&str], code: i32, words: &[&str]) {
    let desk = Desk::new();
    desk.put("log.csv", shop_csv(60));
    let ended = desk.guike(args);
    assert_eq!(ended.code, code, "{args:?}: {}", ended.stderr);
    for word in words {
        assert!(ended.stderr.contains(word), "{args:?}: `{word}` is not in: {}", ended.stderr);
    }
    assert_eq!(desk.names(), ["log.csv"], "{args:?} leaves nothing behind");
}

#[test]
fn a_misspelt_flag_gets_a_proposal() {
    check(&["run", "log.csv", "--horzion", "90d"], 2, &["--horzion", "--horizon"]);
}

#[test]
fn a_misspelt_command_gets_a_proposal() {
    check(&["evalute", "log.csv"], 2, &["evalute", "evaluate"]);
}

#[test]
fn values_outside_their_range_say_the_rule() {
    check(&["run", "log.csv", "--horizon", "0d"], 2, &["0d", "90d"]);
    check(&["run", "log.csv", "--horizon", "soon"], 2, &["soon", "90d"]);
    check(&["run", "log.csv", "--cutoff", "1997-02-30"], 2, &["1997-02-30"]);
    check(&["run", "log.csv", "--tiers", "1"], 2, &["tiers"]);
    check(&["run", "log.csv", "--tiers", "some"], 2, &["some", "2 to 10, or auto"]);
    check(&["run", "log.csv", "--tier-method", "k-mean"], 2, &["k-mean", "k-means"]);
    let both = ["run", "log.csv", "--tier-method", "k-means", "--tiers", "auto"];
    check(&both, 2, &["`k-means` cannot find its number of tiers", "--tier-method mixture"]);
    check(&["run", "log.csv", "--threads", "0"], 2, &["threads"]);
}

#[test]
fn a_model_that_does_not_exist_is_named_with_those_that_do() {
    check(&["run", "log.csv", "--model", "bg-nbt"], 2, &["bg-nbt", "bg-nbd"]);
}

#[test]
fn a_log_that_is_not_there() {
    check(&["run", "orders-of-yesterday.csv"], 4, &["orders-of-yesterday.csv"]);
}

#[test]
fn a_settings_file_with_a_mistake_is_named_with_its_line() {
    let desk = Desk::new();
    desk.put("log.csv", shop_csv(60));
    desk.put("guike.toml", "horizon = [\n");
    let ended = desk.guike(&["run", "log.csv"]);
    assert_eq!(ended.code, 2, "{}", ended.stderr);
    assert!(ended.stderr.contains("guike.toml"), "{}", ended.stderr);
}

#[test]
fn every_command_has_an_example_in_its_help() {
    let desk = Desk::new();
    for command in [
        "demo", "run", "refresh", "import", "profile", "features", "evaluate", "forecast", "train", "predict",
        "cluster", "explain", "serve", "models", "config", "backup", "restore",
    ] {
        let ended = desk.guike(&[command, "--help"]);
        assert_eq!(ended.code, 0, "{command}: {}", ended.stderr);
        assert!(ended.stdout.contains("Example"), "{command}: {}", ended.stdout);
        assert!(ended.stdout.contains(&format!("guike {command}")), "{command}: {}", ended.stdout);
    }
}
