//! The description of the interface against the server: schemathesis makes requests of it, good, odd and broken ones, and
//! holds every answer against it.
//!
//! The variable `GUIKE_SCHEMATHESIS` names its program `st`; `./check` installs it. `GUIKE_FUZZED=500` asks for more of
//! every operation than the 100 that `./check` takes.

use std::process::{Command, Stdio};
use std::time::Duration;

use crate::serve::Server;
use crate::support::{Desk, shop_csv};

/// What every answer is held against.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance";

#[allow(clippy::print_stderr, reason = "says why it checks nothing")]
fn skipped() {
    eprintln!("skipped: GUIKE_SCHEMATHESIS names no schemathesis");
}

/// The status of an answer.
fn status(address: &str, path: &str) -> Option<String> {
    let url = format!("http://{address}{path}");
    let asked = Command::new("curl").args(["-s", "-o", "/dev/null", "-w", "%{http_code}", &url]).output().ok()?;
    Some(String::from_utf8_lossy(&asked.stdout).into_owned())
}

#[test]
fn whatever_is_asked_is_answered_as_described() {
    let Some(schemathesis) = std::env::var_os("GUIKE_SCHEMATHESIS") else { return skipped() };
    let most = std::env::var("GUIKE_FUZZED").unwrap_or_else(|_| "100".to_owned());
    let desk = Desk::new();
    desk.put("log.csv", shop_csv(60));
    for args in [
        &["run", "log.csv", "--workspace", "w", "--budget", "fast"][..],
        &["simulate", "customers", "--n", "300", "--seed", "1", "--out", "t.csv"],
        &[
            "train",
            "t.csv",
            "--target",
            "value",
            "--model",
            "logistic-regression",
            "--workspace",
            "w",
            "--name",
            "value",
        ],
    ] {
        let ended = desk.guike(args);
        assert_eq!(ended.code, 0, "{}", ended.stderr);
    }
    let flags = ["serve", "w", "--addr", "127.0.0.1:0", "--events", "events.log", "--orders", "log.csv"];
    let server = Server::start(&desk, &flags);
    // an answer that the log is still being read is described, and is one of the server's troubles all the same
    for _ in 0..100 {
        if status(&server.address, "/v1/customers/C00001/history").is_none_or(|s| s != "503") {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let url = format!("http://{}/openapi.json", server.address);
    let asked = Command::new(schemathesis)
        .args(["run", &url, "--checks", CHECKS, "--phases", "examples,coverage,fuzzing,stateful"])
        .args(["--max-examples", &most, "--generation-deterministic", "--suppress-health-check", "all"])
        .args(["--continue-on-failure", "--no-color"])
        .current_dir(desk.path("."))
        .stdin(Stdio::null())
        .output()
        .expect("schemathesis starts");
    let said = String::from_utf8_lossy(&asked.stdout);
    assert!(asked.status.success(), "{said}\n{}", String::from_utf8_lossy(&asked.stderr));
    assert!(said.contains(" generated, "), "{said}");
    assert_eq!(status(&server.address, "/health").as_deref(), Some("200"));
}
