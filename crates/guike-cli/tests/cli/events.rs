//! Events that a server takes: none is lost or taken twice when it is killed, and `guike refresh` runs with them.
#![cfg(unix)]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

use crate::serve::Server;
use crate::support::{Desk, Numbers, shop_csv};

/// Tells of an event whose customer is called like its key; what the server said to it, if it did.
fn tell(address: &str, key: &str) -> Option<Value> {
    let body = format!(r#"{{"customer_id":"{key}","time":"2024-01-05","amount":12.5}}"#);
    let head = format!(
        "POST /v1/events HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\nidempotency-key: {key}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(30))).ok()?;
    stream.write_all((head + &body).as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    assert!(head.starts_with("HTTP/1.1 200"), "{answer}");
    serde_json::from_str(body).ok()
}

/// How often each customer stands in the log.
fn kept(desk: &Desk) -> BTreeMap<String, usize> {
    let mut kept = BTreeMap::new();
    for line in desk.text("events.log").lines() {
        let (_, text) = line.split_once(' ').expect("a checksum and a text");
        let request: Value = serde_json::from_str(text).expect("JSON");
        for event in request["events"].as_array().expect("events") {
            *kept.entry(event[0].as_str().expect("an id").to_owned()).or_default() += 1;
        }
    }
    kept
}

#[test]
fn events_survive_kills_at_any_moment_and_none_is_taken_twice() {
    const CLIENTS: usize = 3;
    let rounds: u64 = std::env::var("GUIKE_KILL_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(20);
    let desk = Desk::new();
    let simulated = desk.guike(&["simulate", "customers", "--n", "120", "--seed", "1"]);
    desk.put("customers.csv", simulated.stdout);
    let trained =
        desk.guike(&["train", "customers.csv", "--target", "value", "--model", "logistic-regression", "--out", "m"]);
    assert_eq!(trained.code, 0, "{}", trained.stderr);
    let mut numbers = Numbers(std::process::id().into());
    let start = || Server::start(&desk, &["serve", "m", "--addr", "127.0.0.1:0", "--events", "events.log"]);
    let mut next = [0; CLIENTS];
    let mut n_unsure = 0;
    for round in 0..rounds {
        let server = start();
        let address = server.address.clone();
        let clients: Vec<_> = next
            .into_iter()
            .enumerate()
            .map(|(client, from)| {
                let address = address.clone();
                // each begins with the event of which it does not know whether it was heard
                std::thread::spawn(move || {
                    (from..).find(|n| tell(&address, &format!("c{client}-{n}")).is_none()).expect("it is killed")
                })
            })
            .collect();
        std::thread::sleep(Duration::from_micros(numbers.below(100_000)));
        drop(server); // SIGKILL
        for (client, told) in clients.into_iter().enumerate() {
            next[client] = told.join().expect("a client");
        }
        // the next start cuts off what nobody was told
        drop(start());
        let kept = kept(&desk);
        for (client, &n) in next.iter().enumerate() {
            for told in 0..n {
                assert_eq!(kept.get(&format!("c{client}-{told}")), Some(&1), "round {round}: {client}-{told}");
            }
            n_unsure += kept.get(&format!("c{client}-{n}")).copied().unwrap_or(0);
        }
        let n_told: usize = next.iter().sum();
        let n_kept: usize = kept.values().sum();
        assert!((n_told..=n_told + CLIENTS).contains(&n_kept), "round {round}: {n_kept} of {n_told}");
    }
    let n_told: usize = next.iter().sum();
    assert!(n_told > CLIENTS, "nothing was told before the kills");
    println!("{rounds} rounds, {n_told} events acknowledged, {n_unsure} kept whose answer was lost");
}

#[test]
fn a_refresh_runs_with_the_events_and_the_settings_of_the_champion() {
    let desk = Desk::new();
    desk.put("log.csv", shop_csv(60));
    let day = "2023-09-30";
    let run = desk.guike(&["run", "log.csv", "--workspace", "w", "--budget", "fast", "--cutoff", day]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let server = Server::start(&desk, &["serve", "w", "--addr", "127.0.0.1:0", "--events", "events.log"]);
    for key in ["new-1", "new-2"] {
        assert_eq!(tell(&server.address, key).expect("an answer")["repeated"], false);
    }
    // also while the server goes on
    let refreshed = desk.guike(&["refresh", "log.csv", "--events", "events.log", "--workspace", "w"]);
    assert_eq!(refreshed.code, 0, "{}", refreshed.stderr);
    assert!(refreshed.stderr.contains("version 2"), "{}", refreshed.stderr);
    let shown = desk.guike(&["models", "show", "shop", "2", "--workspace", "w", "--format", "json"]);
    assert!(shown.stdout.contains("fast") && shown.stdout.contains("events.log"), "{}", shown.stdout);
    let second = desk.text("w/runs/0002/forecasts.csv");
    let first = desk.text("w/runs/0001/forecasts.csv");
    let has = |text: &str, id: &str| text.lines().any(|l| l.starts_with(&format!("{id},")));
    assert!(has(&second, "new-1") && has(&second, "new-2") && !has(&first, "new-1"));
    // the champion's day is left behind
    assert!(desk.text("w/runs/0001/evaluation.json").contains("\"cutoff\": \"2023-09-30\""));
    assert!(desk.text("w/runs/0002/evaluation.json").contains("\"cutoff\": \"2024-01-05\""));
    let none = desk.guike(&["refresh", "log.csv", "--events", "nothing.log", "--out", "o"]);
    assert!(none.code != 0 && none.stderr.contains("nothing.log"), "{}", none.stderr);
}
