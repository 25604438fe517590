//! `kill -9` at random moments: whatever was going on, the workspace opens, and everything that it knows is whole.
//!
//! Twenty rounds, or as many as `GUIKE_KILL_ROUNDS` says.
#![cfg(unix)]

use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Desk, Numbers};

/// Longest that opening may take.
const OPENS_WITHIN: Duration = Duration::from_secs(2);

fn train(desk: &Desk) -> std::process::Command {
    desk.command(&[
        "train",
        "customers.csv",
        "--target",
        "value",
        "--workspace",
        "w",
        "--name",
        "value",
        "--budget",
        "fast",
        "--model",
        "logistic-regression",
        "--folds",
        "2",
    ])
}

/// Runs a command, kills it after `pause`, and says whether it had ended by then.
fn killed_after(command: &mut std::process::Command, pause: Duration) -> bool {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the binary starts");
    std::thread::sleep(pause);
    let had_ended = child.try_wait().expect("asked").is_some();
    let _ = child.kill();
    child.wait().expect("it ends");
    had_ended
}

/// Name, version and stage of everything.
fn listed(desk: &Desk) -> Vec<(u64, String)> {
    let begun = Instant::now();
    let list = desk.guike(&["models", "list", "--workspace", "w", "--format", "json"]);
    assert_eq!(list.code, 0, "{}", list.stderr);
    assert!(begun.elapsed() < OPENS_WITHIN, "opening took {:?}", begun.elapsed());
    let rows: Vec<Value> = serde_json::from_str(&list.stdout).expect("JSON");
    let version = |r: &Value| (r["version"].as_u64().expect("a number"), r["stage"].as_str().unwrap_or("").to_owned());
    rows.iter().map(version).collect()
}

/// Everything that the workspace knows is whole; folders that it does not know are allowed.
fn check_whole(desk: &Desk, workspace: &str, round: u64) {
    let check = desk.guike(&["models", "check", "--workspace", workspace]);
    let is_known = |line: &&str| !line.contains("is not registered");
    let damage: Vec<&str> = check.stderr.lines().filter(is_known).filter(|l| !l.ends_with("are whole")).collect();
    assert!(damage.is_empty(), "round {round}: {damage:?}");
}

#[test]
fn a_workspace_survives_kills_at_any_moment() {
    let rounds: u64 = std::env::var("GUIKE_KILL_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(20);
    let desk = Desk::new();
    let simulated = desk.guike(&["simulate", "customers", "--n", "120", "--seed", "1"]);
    desk.put("customers.csv", simulated.stdout);
    let begun = Instant::now();
    for _ in 0..2 {
        assert!(train(&desk).output().expect("the binary starts").status.success());
    }
    let whole = begun.elapsed() / 2;
    let mut numbers = Numbers(std::process::id().into());
    let (mut n_ended, mut known) = (0, listed(&desk));
    for round in 0..rounds {
        let pause = |longest: Duration, numbers: &mut Numbers| {
            Duration::from_micros(numbers.below(1 + longest.as_micros() as u64 * 5 / 4))
        };
        let had_ended = match round % 3 {
            // every other one at its end, where files get their names and the database learns of them
            0 if round % 2 == 0 => killed_after(&mut train(&desk), whole * 3 / 4 + pause(whole / 3, &mut numbers)),
            0 => killed_after(&mut train(&desk), pause(whole, &mut numbers)),
            1 => {
                // the newest against the champion: the same model, which passes; back again where it is champion already
                let (number, stage) = known.last().expect("there are versions").clone();
                let number = number.to_string();
                let args: &[&str] = if stage == "champion" {
                    &["models", "rollback", "value", "--workspace", "w"]
                } else {
                    &["models", "promote", "value", &number, "--workspace", "w"]
                };
                killed_after(&mut desk.command(args), pause(Duration::from_millis(30), &mut numbers))
            }
            _ => {
                let ended = killed_after(
                    &mut desk.command(&["backup", "w", "saved"]),
                    pause(Duration::from_millis(40), &mut numbers),
                );
                if desk.path("saved").exists() {
                    let restored = desk.guike(&["restore", "saved", "back"]);
                    assert_eq!(restored.code, 0, "round {round}: {}", restored.stderr);
                    check_whole(&desk, "back", round);
                    std::fs::remove_dir_all(desk.path("back")).expect("removed");
                    std::fs::remove_dir_all(desk.path("saved")).expect("removed");
                } else {
                    assert!(!ended, "round {round}: it ended and left no backup");
                }
                ended
            }
        };
        n_ended += u64::from(had_ended);
        let now = listed(&desk);
        assert!(known.iter().all(|k| now.iter().any(|n| n.0 == k.0)), "round {round}: {known:?} became {now:?}");
        assert_eq!(now.iter().filter(|v| v.1 == "champion").count(), 1, "round {round}: {now:?}");
        check_whole(&desk, "w", round);
        known = now;
    }
    // and it goes on as if nothing had been
    assert!(train(&desk).output().expect("the binary starts").status.success());
    assert!(n_ended < rounds, "no command was killed: {whole:?} is no longer what it takes");
    println!("{rounds} rounds, {n_ended} had ended before the kill, {} versions", listed(&desk).len());
}
