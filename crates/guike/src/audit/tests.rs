//! A log that is opened again after every kind of end.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // writes and damages files in a temporary folder, and takes time

use std::fs;
use std::sync::mpsc::channel;

use super::*;
use crate::ErrorKind;

const RANDOM: [u8; 32] = [7; 32];

fn desk() -> (tempfile::TempDir, AuditFiles) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let files = AuditFiles::new(&folder.path().join("audit.jsonl"), None);
    (folder, files)
}

fn record(i: usize) -> Record {
    Record { time: format!("t{i}"), kind: "user", action: "read".into(), resource: "customers", ..Record::default() }
}

/// Adds so many records and waits until all of them are on disk.
fn add(audit: &Audit, n: usize) -> bool {
    let (tell, told) = channel();
    for i in 0..n {
        let tell = tell.clone();
        audit.add(record(i), Box::new(move |is_written| tell.send(is_written).expect("the test waits")));
    }
    (0..n).all(|_| told.recv().expect("told"))
}

#[test]
fn what_is_acknowledged_is_there_when_it_is_opened_again() {
    let (_folder, files) = desk();
    for round in 1..=3_u64 {
        let audit = Audit::open(&files, &RANDOM).expect("opened");
        assert!(add(&audit, 10));
        assert_eq!(Audit::open(&files, &RANDOM).expect_err("in use").kind(), ErrorKind::Busy);
        drop(audit);
        let found = check(&files, &[]).expect("whole");
        assert_eq!((found.n, found.has_key, found.has_head), (10 * round, true, true));
        assert_eq!(records(&files).expect("read"), (records(&files).expect("read").0, true));
        assert!(check(&files, &[format!("{}:{}", found.n, found.hash)]).is_ok());
    }
    assert_eq!(check(&files, &["3:abc".to_owned()]).expect_err("no anchor").kind(), ErrorKind::Config);
}

#[test]
fn a_machine_that_goes_down_at_any_byte_loses_nothing_that_was_acknowledged() {
    let (_folder, files) = desk();
    let audit = Audit::open(&files, &RANDOM).expect("opened");
    assert!(add(&audit, 3));
    drop(audit);
    let (log, head) = (fs::read(&files.log).expect("read"), fs::read(files.head()).expect("read"));
    let audit = Audit::open(&files, &RANDOM).expect("opened");
    assert!(add(&audit, 2));
    drop(audit);
    let longer = fs::read(&files.log).expect("read");
    for cut in log.len()..=longer.len() {
        // the head is that of before: nothing behind it was acknowledged
        fs::write(&files.log, &longer[..cut]).expect("written");
        fs::write(files.head(), &head).expect("written");
        let audit = Audit::open(&files, &RANDOM).expect("opened");
        assert!(add(&audit, 1));
        drop(audit);
        let found = check(&files, &[]).expect("whole").n;
        assert!((4..=6).contains(&found) && (cut < longer.len() || found == 6), "{cut}: {found}");
    }
    // a head that was being written leaves the one before, whose log is shorter by what nobody was told
    let mut torn = fs::read(files.head()).expect("read");
    let newest =
        (0..2).max_by_key(|i| Head::parse(&torn[i * 256..(i + 1) * 256], &AuditKey::new(&RANDOM)).map(|h| h.n));
    torn[newest.expect("two places") * 256 + 20] = b'?';
    fs::write(files.head(), &torn).expect("written");
    assert!(add(&Audit::open(&files, &RANDOM).expect("opened"), 1));
    assert!(check(&files, &[]).is_ok());
}

#[test]
fn a_log_that_was_tampered_with_is_not_written_on() {
    let (folder, files) = desk();
    let audit = Audit::open(&files, &RANDOM).expect("opened");
    assert!(add(&audit, 20));
    drop(audit);
    let (log, head) = (fs::read(&files.log).expect("read"), fs::read(files.head()).expect("read"));
    let refused = |what: &str| {
        let e = Audit::open(&files, &RANDOM).expect_err(what);
        assert_eq!(e.kind(), ErrorKind::Corrupt, "{what}: {e}");
        fs::write(&files.log, &log).expect("written");
        fs::write(files.head(), &head).expect("written");
    };
    fs::write(&files.log, &log[..log.len() - 200]).expect("written");
    refused("the end was cut off");
    fs::write(&files.log, "").expect("written");
    fs::remove_file(files.head()).expect("removed");
    refused("all was cut off, with the head");
    fs::remove_file(&files.log).expect("removed");
    refused("the log was removed");
    fs::write(files.head(), vec![b' '; 512]).expect("written");
    refused("the head was emptied");
    // an edit in the middle is found when it is verified
    fs::write(&files.log, String::from_utf8_lossy(&log).replacen("t11", "t12", 1)).expect("written");
    assert_eq!(check(&files, &[]).expect_err("edited").kind(), ErrorKind::Corrupt);
    assert_eq!(records(&files).expect("read").0.len(), 11);
    fs::write(&files.log, &log).expect("written");
    fs::rename(&files.key, folder.path().join("elsewhere")).expect("moved");
    refused("the key is gone");
    assert!(check(&files, &[]).is_ok_and(|f| !f.has_key && !f.has_head));
}

#[test]
fn many_at_a_time_share_a_flush() {
    let (_folder, files) = desk();
    let audit = Audit::open(&files, &RANDOM).expect("opened");
    let begun = std::time::Instant::now();
    assert!((0..50).all(|_| add(&audit, 1)));
    let alone = begun.elapsed().as_secs_f64() / 50.0;
    let begun = std::time::Instant::now();
    assert!(add(&audit, 5_000));
    let together = begun.elapsed().as_secs_f64() / 5_000.0;
    println!("one at a time {:.0} µs, 5,000 at a time {:.1} µs a record", alone * 1e6, together * 1e6);
    assert!(together < alone, "{together} {alone}");
}
