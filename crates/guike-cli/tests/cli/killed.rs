//! `kill -9` at random moments: whatever was going on, the workspace opens, and everything that it knows is whole.
//!
//! Twenty rounds, or as many as `GUIKE_KILL_ROUNDS` says; the moments come from `GUIKE_KILL_SEED`, or from the process id.
#![cfg(unix)]

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::serve::{Server, ask};
use crate::support::{Desk, Numbers, shop_csv};

/// Longest that opening may take.
const OPENS_WITHIN: Duration = Duration::from_secs(2);
/// What is killed in turn.
const KINDS: [&str; 6] =
    ["train", "promote or roll back", "run", "backup", "server that refreshes", "server that trains"];

const TRAIN: [&str; 13] = [
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
    "--folds=2",
];
const RUN: [&str; 8] = ["run", "orders.csv", "--workspace", "w", "--budget", "fast", "--model", "zero"];
const SERVE: [&str; 8] = ["serve", "w", "--addr", "127.0.0.1:0", "--events", "events.log", "--orders", "orders.csv"];

/// A version: its name, number and stage.
type Listed = (String, u64, String);

/// A workspace with versions, and what the rounds have found.
struct Rounds {
    desk: Desk,
    numbers: Numbers,
    round: u64,
    known: Vec<Listed>,
    /// Events that were acknowledged.
    told: u64,
    /// How long each of [`KINDS`] takes when nobody kills it.
    whole: [Duration; KINDS.len()],
    slowest_open: Duration,
}

impl Rounds {
    fn begun() -> Rounds {
        let seed = std::env::var("GUIKE_KILL_SEED").ok().and_then(|n| n.parse().ok());
        let numbers = Numbers(seed.unwrap_or_else(|| std::process::id().into()));
        let desk = Desk::new();
        let simulated = desk.guike(&["simulate", "customers", "--n", "120", "--seed", "1"]);
        desk.put("customers.csv", simulated.stdout);
        desk.put("orders.csv", shop_csv(40));
        let took = |args: &[&str]| {
            let begun = Instant::now();
            let ended = desk.guike(args);
            assert_eq!(ended.code, 0, "{}", ended.stderr);
            begun.elapsed()
        };
        for args in [&TRAIN[..], &RUN] {
            took(args);
        }
        let (train, run) = (took(&TRAIN), took(&RUN));
        let promote = took(&["models", "promote", "value", "2", "--workspace", "w"]);
        let backup = took(&["backup", "w", "first"]);
        // a job has one thread
        let whole = [train, promote, run, backup, run * 3 / 2, train];
        let known = Vec::new();
        let mut rounds = Rounds { desk, numbers, round: 0, known, told: 0, whole, slowest_open: Duration::ZERO };
        rounds.known = rounds.listed();
        // a log of events is there from the beginning, and the workspace knows where
        drop(Server::start(&rounds.desk, &SERVE));
        rounds
    }

    fn below(&mut self, longest: Duration) -> Duration {
        Duration::from_micros(self.numbers.below(1 + longest.as_micros() as u64))
    }

    /// Runs a command, kills it after a while, and says whether it had ended by then.
    fn killed(&mut self, args: &[&str], earliest: Duration, longest: Duration) -> bool {
        let mut child: Command = self.desk.command(args);
        let mut child = child.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the binary starts");
        std::thread::sleep(earliest + self.below(longest));
        let had_ended = child.try_wait().expect("asked").is_some();
        let _ = child.kill();
        child.wait().expect("it ends");
        had_ended
    }

    /// One round; whether what was to be killed had ended before.
    fn go(&mut self) -> bool {
        let kind = self.round as usize % KINDS.len();
        let whole = self.whole[kind];
        match kind {
            // every other one at its end, where files get their names and the database learns of them
            kind @ (0 | 2) => {
                let args: &[&str] = if kind == 0 { &TRAIN } else { &RUN };
                if self.round % 12 < 6 {
                    self.killed(args, whole * 3 / 4, whole / 3)
                } else {
                    self.killed(args, Duration::ZERO, whole * 5 / 4)
                }
            }
            1 => {
                // the newest against the champion: the same model, which passes; back again where it is champion already
                let newest = self.known.iter().rfind(|v| v.0 == "value").expect("there are versions").clone();
                let number = newest.1.to_string();
                let args: &[&str] = if newest.2 == "champion" {
                    &["models", "rollback", "value", "--workspace", "w"]
                } else {
                    &["models", "promote", "value", &number, "--workspace", "w"]
                };
                self.killed(args, Duration::ZERO, whole * 5 / 4)
            }
            3 => self.backup(whole),
            _ => self.job(kind == 4, whole),
        }
    }

    /// A backup is there and comes back whole, with every event that was acknowledged, or is not there.
    fn backup(&mut self, whole: Duration) -> bool {
        // there is more to copy with every round
        let ended = self.killed(&["backup", "w", "saved"], Duration::ZERO, whole * 5 / 2);
        if !self.desk.path("saved").exists() {
            assert!(!ended, "round {}: it ended and left no backup", self.round);
            return ended;
        }
        let restored = self.desk.guike(&["restore", "saved", "back"]);
        assert_eq!(restored.code, 0, "round {}: {}", self.round, restored.stderr);
        self.check_whole("back");
        self.check_events("back/events.log");
        for folder in ["back", "saved"] {
            std::fs::remove_dir_all(self.desk.path(folder)).expect("removed");
        }
        ended
    }

    /// A server is told of events and asked for a job, and killed while it is at it.
    fn job(&mut self, is_refresh: bool, whole: Duration) -> bool {
        let server = Server::start(&self.desk, &SERVE);
        let key = format!("e{}", self.round);
        let body = format!(r#"{{"customer_id":"{key}","time":"2024-01-05","amount":12.5}}"#);
        let head = format!("content-type: application/json\r\nidempotency-key: {key}\r\n");
        let said = ask(&server.address, "POST", "/v1/events", &head, &body).expect("an answer");
        assert_eq!(said.0, 200, "round {}: {}", self.round, said.1);
        self.told += 1;
        let (path, head, body) = if is_refresh {
            ("/v1/jobs?kind=refresh&promote=true", "content-type: application/json\r\n", "{}".to_owned())
        } else {
            let path = "/v1/jobs?kind=train&name=value&target=value&model=logistic-regression&budget=fast&promote=true";
            (path, "content-type: text/csv\r\n", self.desk.text("customers.csv"))
        };
        let said = ask(&server.address, "POST", path, head, &body).expect("an answer");
        assert_eq!(said.0, 200, "round {}: {}", self.round, said.1);
        let job: Value = serde_json::from_str(&said.1).expect("JSON");
        let id = job["id"].to_string();
        let pause = self.below(whole * 5 / 4);
        std::thread::sleep(pause);
        let state = |address: &str| {
            let said = ask(address, "GET", &format!("/v1/jobs/{id}"), "", "").expect("an answer").1;
            serde_json::from_str::<Value>(&said).expect("JSON")["state"].as_str().unwrap_or_default().to_owned()
        };
        let before = state(&server.address);
        drop(server); // SIGKILL
        // a job that was asked for is known afterwards, and as what it is
        let again = Server::start(&self.desk, &SERVE);
        let after = state(&again.address);
        let fits = if before == "done" { after == "done" } else { ["done", "interrupted"].contains(&after.as_str()) };
        assert!(fits, "round {}: the job was {before} and is {after}", self.round);
        before == "done"
    }

    /// Name, version and stage of everything; opening takes no more than it may.
    fn listed(&mut self) -> Vec<Listed> {
        let begun = Instant::now();
        let list = self.desk.guike(&["models", "list", "--workspace", "w", "--format", "json"]);
        let took = begun.elapsed();
        assert_eq!(list.code, 0, "round {}: {}", self.round, list.stderr);
        assert!(took < OPENS_WITHIN, "round {}: opening took {took:?}", self.round);
        self.slowest_open = self.slowest_open.max(took);
        let rows: Vec<Value> = serde_json::from_str(&list.stdout).expect("JSON");
        let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
        rows.iter().map(|r| (text(&r["name"]), r["version"].as_u64().expect("a number"), text(&r["stage"]))).collect()
    }

    /// Everything that the workspace knows is whole by checksum; folders that it does not know are allowed.
    fn check_whole(&self, workspace: &str) {
        let check = self.desk.guike(&["models", "check", "--workspace", workspace]);
        let is_known = |line: &&str| !line.contains("is not registered");
        let damage: Vec<&str> = check.stderr.lines().filter(is_known).filter(|l| !l.ends_with("are whole")).collect();
        assert!(damage.is_empty(), "round {}: {damage:?}", self.round);
    }

    /// Every event that was acknowledged is there, once.
    fn check_events(&self, log: &str) {
        let text = self.desk.text(log);
        let n = text.lines().filter(|l| l.contains("\"key\"")).count() as u64;
        assert_eq!(n, self.told, "round {}: events in {log}", self.round);
    }

    fn check(&mut self) {
        let (round, now) = (self.round, self.listed());
        let is_there = |k: &Listed| now.iter().any(|n| (&n.0, n.1) == (&k.0, k.1));
        assert!(self.known.iter().all(is_there), "round {round}: {:?} became {now:?}", self.known);
        for name in ["value", "shop"] {
            let champions = now.iter().filter(|v| v.0 == name && v.2 == "champion").count();
            assert_eq!(champions, 1, "round {round}: {now:?}");
        }
        self.check_whole("w");
        self.check_events("events.log");
        self.known = now;
    }
}

#[test]
fn a_workspace_survives_kills_at_any_moment() {
    let n_rounds: u64 = std::env::var("GUIKE_KILL_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(20);
    let mut rounds = Rounds::begun();
    let mut ended = [0; KINDS.len()];
    for round in 0..n_rounds {
        rounds.round = round;
        ended[round as usize % KINDS.len()] += u64::from(rounds.go());
        rounds.check();
    }
    // and it goes on as if nothing had been
    for args in [&TRAIN[..], &RUN, &["backup", "w", "saved"], &["restore", "saved", "back"]] {
        let done = rounds.desk.guike(args);
        assert_eq!(done.code, 0, "{}", done.stderr);
    }
    rounds.check();
    rounds.check_events("back/events.log");
    let drafts = std::fs::read_dir(rounds.desk.path("w/drafts")).expect("a folder").flatten();
    let left: Vec<_> = drafts.map(|e| e.file_name()).filter(|n| n != ".lock" && n != ".jobs").collect();
    assert!(left.is_empty(), "{left:?} was not cleared");
    assert!(ended.iter().sum::<u64>() < n_rounds, "nothing was killed: {:?} is no longer what it takes", rounds.whole);
    let each: Vec<String> = KINDS.iter().zip(ended).map(|(kind, n)| format!("{kind} {n}")).collect();
    println!(
        "{n_rounds} rounds; had ended before the kill: {}; {} versions, {} events, slowest opening {:?}",
        each.join(", "),
        rounds.known.len(),
        rounds.told,
        rounds.slowest_open
    );
}
