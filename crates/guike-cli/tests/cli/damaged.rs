//! Every file of ours with a bit that is another one, or cut short: it is refused by its name, or it says what it said before.
//!
//! Two flipped bits and two cuts of every file, or as many as `GUIKE_FAULTS` says.
#![cfg(unix)]

use std::io::Write as _;

use serde_json::Value;

use crate::serve::{Server, ask};
use crate::support::{Desk, Numbers, shop_csv};

/// Flipped bits of a file, and as many cuts.
fn n_faults() -> u64 {
    std::env::var("GUIKE_FAULTS").ok().and_then(|n| n.parse().ok()).unwrap_or(2)
}

/// A file with some bit of it flipped, or some of its end gone: what was done, and what it holds then.
fn faults(whole: &[u8], numbers: &mut Numbers) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for n in 0..n_faults() {
        let bit = numbers.below(whole.len() as u64 * 8) as usize;
        let mut flipped = whole.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        all.push((format!("bit {bit} flipped"), flipped));
        let cut = if n == 0 { 0 } else { numbers.below(whole.len() as u64) as usize };
        all.push((format!("cut after {cut} bytes"), whole[..cut].to_vec()));
    }
    all
}

/// Does something with every fault of every one of these files, each of which is whole again afterwards.
fn with_each_fault(desk: &Desk, names: &[String], mut look: impl FnMut(&str, &str)) {
    let mut numbers = Numbers(5);
    for name in names {
        let whole = std::fs::read(desk.path(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
        for (what, bytes) in faults(&whole, &mut numbers) {
            desk.put(name, bytes);
            look(name, &format!("{name}, {what}"));
        }
        desk.put(name, &whole);
    }
}

fn files(desk: &Desk, folder: &str) -> Vec<String> {
    desk.files(folder).into_iter().map(|(name, _)| format!("{folder}/{name}")).collect()
}

/// What a server of a run says of its customers; `None` stands for what it has no answer to, with a problem that says so.
fn said(address: &str, what: &str) -> Vec<Option<String>> {
    let paths =
        ["summary", "tiers", "customers?limit=1000", "customers/C00001/history", "customers/C00001/explanation"];
    let get = |path: &&str| loop {
        let (status, body) =
            ask(address, "GET", &format!("/v1/{path}"), "", "").unwrap_or_else(|| panic!("{what}: {path}"));
        match status {
            200 => return Some(body),
            // the log of the run is read after it listens
            503 => std::thread::sleep(std::time::Duration::from_millis(10)),
            _ => {
                let problem: Value = serde_json::from_str(&body).unwrap_or_else(|_| panic!("{what}: {path}: {body}"));
                assert_eq!(problem["code"], "no-history", "{what}: {path}: {body}");
                return None;
            }
        }
    };
    paths.iter().map(get).collect()
}

fn base(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

#[test]
fn a_damaged_file_of_a_run_is_refused_by_name_and_never_another_forecast() {
    let desk = Desk::new();
    desk.put("orders.csv", shop_csv(40));
    let run = desk.guike(&["run", "orders.csv", "--budget", "fast", "--model", "zero", "--out", "run"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let serve = ["serve", "run", "--addr", "127.0.0.1:0"];
    let truth = said(&Server::start(&desk, &serve).address, "whole");
    assert!(truth.iter().all(Option::is_some), "{truth:?}");
    let forecast = ["forecast", "orders.csv", "--model-dir", "run"];
    let forecasts = desk.guike(&forecast);
    assert_eq!(forecasts.code, 0, "{}", forecasts.stderr);
    let (mut n, mut n_refused) = (0, 0);
    with_each_fault(&desk, &files(&desk, "run"), |name, what| {
        n += 1;
        match Server::tried(&desk, &serve) {
            Ok(server) => {
                let now = said(&server.address, what);
                let fits = now.iter().zip(&truth).all(|(now, truth)| now.is_none() || now == truth);
                assert!(fits, "{what}: {now:?} in place of {truth:?}");
            }
            Err(words) => {
                assert!(words.contains(base(name)) && !words.contains("panicked"), "{what}: {words}");
                n_refused += 1;
            }
        }
        // who forecasts with its model, or reads its log again, is refused, too
        let again = desk.guike(&forecast);
        let is_same = again.code == 0 && again.stdout == forecasts.stdout;
        assert!(is_same || (again.code == 5 && again.stderr.contains(base(name))), "{what}: {}", again.stderr);
        if name.ends_with("log.parquet") {
            let again = desk.guike(&["run", name, "--budget", "fast", "--model", "zero", "--out", "again"]);
            assert!(again.code != 0 && again.stderr.contains("log.parquet"), "{what}: {}", again.stderr);
        }
    });
    assert!(n_refused > 0, "no server was refused");
    assert_eq!(said(&Server::start(&desk, &serve).address, "whole again"), truth);
    println!("{n} faults of the files of a run, {n_refused} of them refused by name when it is served");
}

#[test]
fn the_doctor_names_every_damaged_file() {
    let desk = Desk::new();
    let simulated = desk.guike(&["simulate", "customers", "--n", "120", "--seed", "1"]);
    desk.put("customers.csv", simulated.stdout);
    let train = ["train", "customers.csv", "--target", "value", "--model", "logistic-regression", "--out", "model"];
    assert_eq!(desk.guike(&train).code, 0);
    let predict = ["predict", "model", "customers.csv"];
    let truth = desk.guike(&predict);
    assert_eq!(truth.code, 0, "{}", truth.stderr);
    with_each_fault(&desk, &files(&desk, "model"), |name, what| {
        let ended = desk.guike(&["doctor", "model", "--format", "csv"]);
        assert!(ended.code == 5 && ended.stdout.contains(base(name)), "{what}: {}", ended.stdout);
        let again = desk.guike(&predict);
        let is_same = again.code == 0 && again.stdout == truth.stdout;
        assert!(is_same || (again.code == 5 && again.stderr.contains(base(name))), "{what}: {}", again.stderr);
    });
    let ended = desk.guike(&["doctor", "model", "--format", "csv"]);
    assert!(ended.code == 0 && ended.stdout.contains("whole"), "{}", ended.stdout);
}

#[test]
fn damaged_logs_and_lists_of_a_server_are_refused_or_harmless_and_come_back_whole() {
    let desk = Desk::new();
    let simulated = desk.guike(&["simulate", "customers", "--n", "120", "--seed", "1"]);
    desk.put("customers.csv", simulated.stdout);
    let train = ["train", "customers.csv", "--target", "value", "--model", "logistic-regression"];
    assert_eq!(desk.guike(&[&train[..], &["--workspace", "w", "--name", "value"]].concat()).code, 0);
    let key = desk.guike(&["keys", "add", "keys.json", "shop", "--scope", "predict", "--scope", "events"]);
    assert_eq!(key.code, 0, "{}", key.stderr);
    let mut user = desk.command(&["users", "add", "users.json", "mei", "--role", "viewer"]);
    let mut user = user.stdin(std::process::Stdio::piped()).spawn().expect("the binary starts");
    user.stdin.take().expect("a pipe").write_all(b"correct horse battery\n").expect("taken");
    assert!(user.wait().expect("it ends").success());
    let serve = [
        "serve",
        "w",
        "--addr",
        "127.0.0.1:0",
        "--events",
        "events.log",
        "--keys",
        "keys.json",
        "--users",
        "users.json",
        "--audit",
        "audit.jsonl",
    ];
    let head = |n: u64| {
        let key = key.stdout.trim();
        format!("authorization: Bearer {key}\r\ncontent-type: application/json\r\nidempotency-key: e{n}\r\n")
    };
    let tell = |server: &Server, n: u64, what: &str| -> Value {
        let body = format!(r#"{{"customer_id":"C{n}","time":"2024-01-05","amount":12.5}}"#);
        let (status, said) = ask(&server.address, "POST", "/v1/events", &head(n), &body).expect("an answer");
        assert_eq!(status, 200, "{what}: {said}");
        serde_json::from_str(&said).expect("JSON")
    };
    let server = Server::start(&desk, &serve);
    (0..3).for_each(|n| assert_eq!(tell(&server, n, "whole")["repeated"], false));
    drop(server);
    let names = [
        "events.log",
        "events.log.head",
        "audit.jsonl",
        "audit.jsonl.head",
        "audit.jsonl.key",
        "keys.json",
        "users.json",
    ];
    let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
    let before: Vec<Vec<u8>> = names.iter().map(|n| std::fs::read(desk.path(n)).expect("read")).collect();
    let (mut n, mut n_refused) = (0, 0);
    with_each_fault(&desk, &names, |name, what| {
        n += 1;
        match Server::tried(&desk, &serve) {
            // nothing that was acknowledged is gone: the same again was there before
            Ok(server) => {
                (0..3).for_each(|n| assert_eq!(tell(&server, n, what)["repeated"], true, "{what}"));
            }
            Err(words) => {
                let beside = name.trim_end_matches(".head").trim_end_matches(".key");
                assert!(words.contains(beside) && !words.contains("panicked"), "{what}: {words}");
                n_refused += 1;
            }
        }
        for (name, bytes) in names.iter().zip(&before) {
            desk.put(name, bytes);
        }
    });
    let server = Server::start(&desk, &serve);
    (0..3).for_each(|n| assert_eq!(tell(&server, n, "whole again")["repeated"], true));
    drop(server);
    println!("{n} faults of a server's files, {n_refused} of them refused by name");
    // what the workspace notes beside its database
    for (file, args) in [
        ("w/events.json", &["backup", "w", "saved"][..]),
        ("w/jobs.json", &["serve", "w", "--addr", "127.0.0.1:0", "--quiet"]),
    ] {
        if file.ends_with("jobs.json") {
            desk.put(file, "{\"checksum\": \"xxh3-0\", \"content\": []}\n");
        }
        with_each_fault(&desk, &[file.to_owned()], |_, what| {
            let ended = desk.guike(args);
            assert!(ended.code == 5 && ended.stderr.contains(base(file)), "{what}: {}", ended.stderr);
        });
    }
}
