//! Facts about events and their log.
#![allow(clippy::disallowed_methods)] // reads and writes in a temporary folder

use std::sync::mpsc;

use guike_core::{Day, EventLog, Quiet};
use guike_data::{ImportOptions, LogFiles, import};

use super::*;
use crate::run::Language;
use crate::settings::{Budget, Settings};

fn event(id: &str, day: i32, amount: i64) -> Event {
    Event { customer_id: id.to_owned(), time: Day(day).start(), amount: Money(amount * Money::PER_UNIT) }
}

/// Tells, and waits.
fn tell(log: &Events, who: &str, key: &str, events: Vec<Event>) -> Result<Taken, Refused> {
    let (send, told) = mpsc::channel();
    log.add(who, key, events, Box::new(move |said, _| send.send(said).expect("somebody waits")));
    told.recv().expect("told")
}

#[test]
fn what_is_told_twice_under_one_key_is_taken_once_also_after_another_start() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("events.log");
    for start in 0..3 {
        let log = Events::open(&path).expect("opened");
        let expected = if start == 0 { Taken::Now } else { Taken::Before };
        assert_eq!(tell(&log, "crm", "k1", vec![event("a", 1, 5)]), Ok(expected));
        assert_eq!(tell(&log, "crm", "k1", vec![event("a", 1, 5)]), Ok(Taken::Before));
        assert_eq!(tell(&log, "crm", "k1", vec![event("a", 1, 6)]), Err(Refused::OtherBefore));
        // another client knows nothing of the keys of this one
        assert_eq!(tell(&log, "web", "k1", vec![event("b", 2, -7)]), Ok(expected));
        assert_eq!(read(&path).expect("read while it is open"), [event("a", 1, 5), event("b", 2, -7)]);
    }
}

#[test]
fn many_who_tell_at_a_time_are_all_heard_once() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("events.log");
    let log = Events::open(&path).expect("opened");
    let (send, told) = mpsc::channel();
    for i in 0..300 {
        let (send, id) = (send.clone(), format!("c{}", i % 100));
        // every key three times, before anybody is answered
        let done = Box::new(move |said, _| send.send(said).expect("somebody waits"));
        log.add("crm", &id, vec![event(&id, 1, 1), event(&id, 2, 2)], done);
    }
    let said: Vec<_> = told.iter().take(300).collect();
    assert_eq!(said.iter().filter(|s| **s == Ok(Taken::Now)).count(), 100);
    assert_eq!(said.iter().filter(|s| **s == Ok(Taken::Before)).count(), 200);
    assert_eq!(read(&path).expect("read").len(), 200);
}

#[test]
fn what_is_no_event_is_refused_with_its_place_and_without_its_value() {
    let now = Day::from_ymd(2026, 11, 27).expect("a day").start();
    for (body, trouble, row, member) in [
        ("", EventTrouble::Malformed, None, None),
        ("Canary", EventTrouble::Malformed, None, None),
        ("[]", EventTrouble::Malformed, None, None),
        ("[1]", EventTrouble::Malformed, Some(1), None),
        (r#"{"customer_id":"Canary","time":"2026-11-01"}"#, EventTrouble::MissingMember, Some(1), Some("amount")),
        (
            r#"{"customer_id":null,"time":"2026-11-01","amount":1}"#,
            EventTrouble::MissingMember,
            Some(1),
            Some("customer_id"),
        ),
        (
            r#"{"customer_id":"a","time":"2026-11-01","amount":1,"Canary":2}"#,
            EventTrouble::UnknownMember,
            Some(1),
            None,
        ),
        (
            r#"{"customer_id":" ","time":"2026-11-01","amount":1}"#,
            EventTrouble::WrongValue,
            Some(1),
            Some("customer_id"),
        ),
        (
            r#"{"customer_id":1.5,"time":"2026-11-01","amount":1}"#,
            EventTrouble::WrongValue,
            Some(1),
            Some("customer_id"),
        ),
        (
            r#"{"customer_id":"a\nb","time":"2026-11-01","amount":1}"#,
            EventTrouble::WrongValue,
            Some(1),
            Some("customer_id"),
        ),
        (r#"{"customer_id":"a","time":"Canary","amount":1}"#, EventTrouble::WrongValue, Some(1), Some("time")),
        (r#"{"customer_id":"a","time":"2026-11-31","amount":1}"#, EventTrouble::WrongValue, Some(1), Some("time")),
        (
            r#"{"customer_id":"a","time":"2026-11-01T24:00","amount":1}"#,
            EventTrouble::WrongValue,
            Some(1),
            Some("time"),
        ),
        (
            r#"{"customer_id":"a","time":"2026-11-01T10:00Z","amount":1}"#,
            EventTrouble::WrongValue,
            Some(1),
            Some("time"),
        ),
        (r#"{"customer_id":"a","time":"2026-11-29","amount":1}"#, EventTrouble::WrongValue, Some(1), Some("time")),
        (
            r#"{"customer_id":"a","time":"2026-11-01","amount":"Canary"}"#,
            EventTrouble::WrongValue,
            Some(1),
            Some("amount"),
        ),
        (r#"{"customer_id":"a","time":"2026-11-01","amount":1e13}"#, EventTrouble::WrongValue, Some(1), Some("amount")),
    ] {
        let e = parse(body.as_bytes(), 2, now).expect_err(body);
        assert_eq!((e.trouble, e.row, e.member), (trouble, row, member), "{body}: {e}");
        assert!(!e.detail.contains("Canary"), "{e}");
    }
    let good = r#"{"customer_id":7,"time":"2026-11-27 18:30","amount":-1.5}"#;
    let list = |n: usize| format!("[{}]", vec![good; n].join(","));
    assert_eq!(parse(list(3).as_bytes(), 2, now).expect_err("three").trouble, EventTrouble::TooMany);
    let two = parse(list(2).as_bytes(), 2, now).expect("two");
    assert_eq!(two[1].customer_id, "7");
    assert_eq!((two[1].time.0 - now.0, two[1].amount), (18 * 3600 + 1800, Money(-1_500_000)));
}

/// Lines of an order log with items, in the order of days; a customer every day or so.
fn orders() -> Vec<(String, String, f64)> {
    let mut seed = 7_u64;
    let mut below = |n: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % n
    };
    let first = Day::from_ymd(2023, 1, 1).expect("a day");
    (0..900)
        .map(|i| {
            let day = first.plus(i * 360 / 900);
            // amounts differ, so that no two rows are duplicates
            (format!("C{:02}", below(20 + i as u64 / 12)), day.to_string(), 10.0 + f64::from(i) / 8.0)
        })
        .collect()
}

fn csv(rows: &[(String, String, f64)]) -> String {
    let lines: Vec<String> = rows.iter().map(|(id, day, amount)| format!("{id},{day},{amount}\n")).collect();
    "customer_id,date,amount\n".to_owned() + &lines.concat()
}

fn told(rows: &[(String, String, f64)]) -> Vec<Event> {
    let event = |(id, day, amount): &(String, String, f64)| Event {
        customer_id: id.clone(),
        time: day.parse::<Day>().expect("a day").start(),
        amount: Money::from_units(*amount).expect("an amount"),
    };
    rows.iter().map(event).collect()
}

#[test]
fn a_log_with_events_behind_it_is_the_log_whose_file_had_gone_on() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (rows, file) = (orders(), folder.path().join("orders.csv"));
    let log_of = |rows: &[(String, String, f64)]| -> EventLog {
        std::fs::write(&file, csv(rows)).expect("written");
        import(LogFiles::from(&file), &ImportOptions::default(), &Quiet).expect("imported").log
    };
    let whole = log_of(&rows);
    for cut in [300, 750, 899] {
        let joined = joined(log_of(&rows[..cut]), &told(&rows[cut..])).expect("joined");
        assert_eq!(joined.customer_ids(), whole.customer_ids(), "{cut}");
        assert_eq!(joined.offsets(), whole.offsets(), "{cut}");
        let (a, b) = (joined.all(), whole.all());
        assert_eq!((a.time, a.kind, a.amount), (b.time, b.kind, b.amount), "{cut}");
    }
}

#[test]
fn a_run_with_events_gives_the_bytes_of_a_run_on_the_whole_log() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (rows, path) = (orders(), folder.path().join("events.log"));
    let (whole, part) = (folder.path().join("whole.csv"), folder.path().join("part.csv"));
    std::fs::write(&whole, csv(&rows)).expect("written");
    std::fs::write(&part, csv(&rows[..700])).expect("written");
    let log = Events::open(&path).expect("opened");
    for (i, chunk) in told(&rows[700..]).chunks(7).enumerate() {
        assert_eq!(tell(&log, "crm", &i.to_string(), chunk.to_vec()), Ok(Taken::Now));
    }
    let mut settings = Settings::default();
    settings.forecast.budget = Budget::Fast;
    let run = |file: &Path, out: &str, settings: &Settings| {
        let out = folder.path().join(out);
        crate::run(&LogFiles::from(file), &out, None, settings, Language::English, &Quiet).expect("run");
        ["forecasts.csv", "tiers.csv"].map(|name| std::fs::read_to_string(out.join(name)).expect("read"))
    };
    let of_whole = run(&whole, "whole", &settings);
    settings.events = Some(path);
    let refreshed = run(&part, "part", &settings);
    assert!(of_whole == refreshed, "the forecasts differ");
    assert!(of_whole[0].lines().count() > 50);
}
