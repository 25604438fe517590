//! A disk without room, and one that cannot be written: nothing is lost, everything says so, and a server goes on by itself when
//! it can write again. Needs a small disk of its own, which only root can make; skipped with a word where that is not possible.
#![cfg(target_os = "linux")]

use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::serve::{Server, ask};
use crate::support::{Desk, shop_csv};

/// A disk of a few MiB, gone with the test.
struct Disk {
    at: PathBuf,
}

impl Disk {
    /// `None` where none can be made.
    #[allow(clippy::print_stderr, reason = "a skipped test says why")]
    fn new(desk: &Desk) -> Option<Disk> {
        let at = desk.path("disk");
        std::fs::create_dir(&at).expect("made");
        let made = Command::new("mount").args(["-t", "tmpfs", "-o", "size=6m", "tmpfs"]).arg(&at).output();
        if made.is_ok_and(|m| m.status.success()) {
            return Some(Disk { at });
        }
        eprintln!("skipped: no disk can be mounted here");
        None
    }

    fn remounted(&self, how: &str) {
        let done = Command::new("mount").args(["-o", &format!("remount,{how}")]).arg(&self.at).output().expect("asked");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }

    /// Takes all the room there is.
    fn fill(&self) {
        let mut file = std::fs::File::create(self.at.join("filler")).expect("made");
        for size in [1 << 16, 1 << 12, 1] {
            while file.write_all(&vec![7; size]).is_ok() {}
        }
    }

    fn free(&self) {
        std::fs::remove_file(self.at.join("filler")).expect("removed");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.at).output();
    }
}

const TRAIN: [&str; 10] = [
    "train",
    "customers.csv",
    "--target",
    "value",
    "--model",
    "logistic-regression",
    "--workspace",
    "disk/w",
    "--name",
    "value",
];

/// A workspace with a model and a run on a disk of its own.
fn desk() -> Option<(Desk, Disk)> {
    let desk = Desk::new();
    let disk = Disk::new(&desk)?;
    let simulated = desk.guike(&["simulate", "customers", "--n", "120", "--seed", "1"]);
    desk.put("customers.csv", simulated.stdout);
    desk.put("orders.csv", shop_csv(40));
    let run = ["run", "orders.csv", "--workspace", "disk/w", "--budget", "fast", "--model", "zero"];
    for args in [&TRAIN[..], &run] {
        let ended = desk.guike(args);
        assert_eq!(ended.code, 0, "{}", ended.stderr);
    }
    Some((desk, disk))
}

/// Status, and the code of the problem where it is one.
fn asked(address: &str, method: &str, path: &str, head: &str, body: &str) -> (u16, String) {
    let (status, said) = ask(address, method, path, head, body).expect("an answer");
    let said: Value = serde_json::from_str(&said).unwrap_or_default();
    (status, said["code"].as_str().unwrap_or_default().to_owned())
}

/// So many events that they need more room than a file may have left in its last block.
fn tell(address: &str, key: &str) -> (u16, String) {
    let event = |n: usize| format!(r#"{{"customer_id":"{key}-{n}","time":"2024-01-05","amount":12.5}}"#);
    let body = format!("[{}]", (0..400).map(event).collect::<Vec<_>>().join(","));
    asked(
        address,
        "POST",
        "/v1/events",
        &format!("content-type: application/json\r\nidempotency-key: {key}\r\n"),
        &body,
    )
}

fn save(address: &str, name: &str) -> (u16, String) {
    let body = format!(r#"{{"name":"{name}","filter":"max_p_active=0.5"}}"#);
    asked(address, "POST", "/v1/audiences", "content-type: application/json\r\n", &body)
}

fn job(desk: &Desk, address: &str) -> (u16, String) {
    let path = "/v1/jobs?kind=train&name=value&target=value&model=logistic-regression&budget=fast";
    asked(address, "POST", path, "content-type: text/csv\r\n", &desk.text("customers.csv"))
}

fn problem(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

#[test]
fn a_server_on_a_full_disk_loses_nothing_and_goes_on_when_there_is_room() {
    let Some((desk, disk)) = desk() else { return };
    let serve = ["serve", "disk/w", "--addr", "127.0.0.1:0", "--events", "disk/events.log"];
    let server = Server::start(&desk, &serve);
    let at = server.address.as_str();
    let done = problem(200, "");
    assert_eq!((tell(at, "a"), save(at, "before")), (done.clone(), done.clone()));
    let before = desk.files("disk/w/models");
    disk.fill();
    for _ in 0..2 {
        assert_eq!(tell(at, "b"), problem(503, "not-stored"));
        assert_eq!(save(at, "during"), problem(503, "not-saved"));
        assert_eq!(job(&desk, at), problem(503, "not-written"));
    }
    // what needs no room is answered
    assert_eq!(asked(at, "GET", "/v1/customers", "", "").0, 200);
    assert_eq!(desk.guike(&["models", "list", "--workspace", "disk/w"]).code, 0);
    // commands say what is the matter, and leave nothing
    let trained = desk.guike(&TRAIN);
    assert!(trained.code != 0 && trained.stderr.contains("disk/w"), "{}", trained.stderr);
    let backup = desk.guike(&["backup", "disk/w", "disk/saved"]);
    assert!(backup.code != 0 && !desk.path("disk/saved").exists(), "{}", backup.stderr);
    assert_eq!(desk.guike(&["backup", "disk/w", "elsewhere"]).code, 0, "one to a disk with room goes well");
    assert_eq!(desk.files("disk/w/models"), before);
    disk.free();
    assert_eq!(tell(at, "b"), done);
    assert_eq!(save(at, "during"), done);
    assert_eq!(job(&desk, at), done);
    assert_eq!(desk.guike(&["backup", "disk/w", "disk/saved"]).code, 0);
    let begun = Instant::now();
    while ask(at, "GET", "/v1/jobs", "", "").expect("an answer").1.contains("\"running\"") {
        assert!(begun.elapsed() < Duration::from_secs(60), "the job does not end");
        std::thread::sleep(Duration::from_millis(50));
    }
    drop(server); // SIGKILL
    let again = Server::start(&desk, &serve);
    let is_there = |key: &str| desk.text("disk/events.log").matches(&format!("\"{key}-7\"")).count();
    assert_eq!((is_there("a"), is_there("b")), (1, 1));
    let said = ask(&again.address, "GET", "/v1/audiences", "", "").expect("an answer").1;
    assert!(said.contains("before") && said.contains("during"), "{said}");
    assert_eq!(desk.guike(&["models", "check", "--workspace", "disk/w"]).code, 0);
}

#[test]
fn where_an_audit_log_is_kept_nothing_is_told_while_it_cannot_be_written() {
    let Some((desk, disk)) = desk() else { return };
    let server = Server::start(&desk, &["serve", "disk/w", "--addr", "127.0.0.1:0", "--audit", "disk/audit.jsonl"]);
    let look = || asked(&server.address, "GET", "/v1/customers", "", "");
    assert_eq!(look(), problem(200, ""));
    disk.fill();
    // records go on as long as the last block of the log has room
    let begun = Instant::now();
    while look() != problem(503, "not-recorded") {
        assert!(begun.elapsed() < Duration::from_secs(30), "it is told without a record");
    }
    disk.free();
    assert_eq!(look(), problem(200, ""));
    drop(server);
    let verified = desk.guike(&["audit", "verify", "disk/audit.jsonl"]);
    assert_eq!(verified.code, 0, "{}", verified.stderr);
}

#[test]
fn a_workspace_that_cannot_be_written_is_served_and_changed_again_when_it_can() {
    let Some((desk, disk)) = desk() else { return };
    disk.remounted("ro");
    let serve = ["serve", "disk/w", "--addr", "127.0.0.1:0"];
    let refused = Server::tried(&desk, &[&serve[..], &["--events", "disk/events.log"]].concat());
    let words = refused.err().expect("events cannot be kept there");
    assert!(words.contains("disk/events.log"), "{words}");
    for args in [&TRAIN[..], &["models", "archive", "value", "1", "--workspace", "disk/w"]] {
        let ended = desk.guike(args);
        assert!(ended.code != 0 && ended.stderr.contains("disk/w"), "{}", ended.stderr);
    }
    let server = Server::start(&desk, &serve);
    let at = server.address.as_str();
    assert_eq!(asked(at, "GET", "/v1/customers", "", "").0, 200);
    assert_eq!(save(at, "mine"), problem(503, "not-saved"));
    assert_eq!(desk.guike(&["backup", "disk/w", "saved"]).code, 0, "it can be backed up");
    disk.remounted("rw");
    assert_eq!(save(at, "mine"), problem(200, ""));
    assert_eq!(desk.guike(&TRAIN).code, 0);
}
