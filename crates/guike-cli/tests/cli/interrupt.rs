//! Ctrl-C: the command ends with 130 and nothing half-written stands anywhere.
#![cfg(unix)]

use std::process::{Command, Stdio};
use std::time::Duration;

use crate::support::{Desk, ended, shop_csv};

#[test]
fn an_interrupted_run_leaves_nothing_behind() {
    // big enough that the last of these pauses still falls into the run, however fast the machine
    let log = shop_csv(60_000);
    for pause_ms in [20, 150, 600, 1_200] {
        let desk = Desk::new();
        desk.put("log.csv", &log);
        let child = desk
            .command(&["run", "log.csv", "--out", "out", "--threads", "1"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        std::thread::sleep(Duration::from_millis(pause_ms));
        let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill starts");
        assert!(sent.success(), "the run had ended before {pause_ms} ms");
        let ended = ended(&child.wait_with_output().expect("the run ends"));
        // before its handler stands, the signal ends the process directly, which has no code
        assert!(ended.code == 130 || (pause_ms < 100 && ended.code == -1), "{pause_ms} ms: {ended:?}");
        assert_eq!(desk.names(), ["log.csv"], "{pause_ms} ms");
    }
}
