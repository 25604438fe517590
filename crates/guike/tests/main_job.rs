//! The main job from outside: files in, files out, on the built-in sample.
#![expect(clippy::disallowed_methods, reason = "a test of files writes and reads them")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use guike::events::{Event, Events, Taken};
use guike::explain::Found;
use guike::history::History;
use guike::{Language, LogFiles, RunSummary, Settings};
use guike_core::{Cutoff, Day, Quiet, Timestamp};
use guike_data::options::MemoryLimit;
use guike_data::{FeatureImport, ImportOptions, import, import_features};
use serde_json::Value;

/// The sample's file, as the demonstration writes it.
fn sample(folder: &Path) -> PathBuf {
    let path = folder.join("orders.csv.gz");
    fs::write(&path, include_bytes!("../assets/cdnow_sample.csv.gz")).expect("written");
    path
}

fn settings(cutoff: &str, horizon: &str) -> Settings {
    let mut s = Settings::default();
    s.forecast.cutoff = cutoff.parse().ok();
    s.forecast.horizon = horizon.parse().ok();
    s
}

fn run_in(folder: &Path, out: &str, s: &Settings) -> RunSummary {
    let log = sample(folder);
    guike::run(&LogFiles::from(&log), &folder.join(out), None, s, Language::English, &Quiet).expect("the sample runs")
}

/// Columns and rows of what a saved model says, the rows a few at a time.
fn forecast(log: &LogFiles, model: &Path, cutoff: Option<Day>, s: &Settings) -> (Vec<String>, Vec<Vec<Value>>) {
    let table = guike::forecast_with(log, model, cutoff, None, s, &Quiet).expect("the model is read back");
    let rows = |from: usize| table.rows(from..table.len().min(from + 1_000)).expect("rows");
    (table.columns().expect("columns"), (0..table.len()).step_by(1_000).flat_map(rows).collect())
}

fn bytes(path: PathBuf) -> Vec<u8> {
    fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

#[test]
fn one_thread_and_two_write_the_same_bytes() {
    let tmp = tempfile::tempdir().expect("a temporary folder");
    let s = settings("1997-09-30", "39w");
    for (out, threads) in [("one", 1), ("two", 2)] {
        guike::in_pool(Some(threads), || Ok(run_in(tmp.path(), out, &s))).expect("the sample runs");
    }
    for name in
        ["forecasts.csv", "forecasts.parquet", "tiers.csv", "evaluation.json", "model/model.json", "report.html"]
    {
        assert!(bytes(tmp.path().join("one").join(name)) == bytes(tmp.path().join("two").join(name)), "{name} differs");
    }
}

#[test]
fn what_happens_after_the_cutoff_changes_no_forecast() {
    let tmp = tempfile::tempdir().expect("a temporary folder");
    let log = sample(tmp.path());
    let whole = import(&log, &ImportOptions::default(), &Quiet).expect("read").log;
    let short = tmp.path().join("short.csv");
    let mut text = String::from("customer_id,date,number_of_cds,dollar_value\n");
    for c in 0..whole.n_customers() {
        let e = whole.customer(c);
        for row in 0..e.len() {
            let day = Day(e.day(row));
            if day <= "1997-09-30".parse().expect("a day") {
                let amount = guike_core::Money(e.amount[row]).units();
                text += &format!("{},{day},{},{amount}\n", whole.customer_ids()[c], e.quantity[row]);
            }
        }
    }
    fs::write(&short, text).expect("written");
    let s = settings("1997-09-30", "39w");
    guike::run(&LogFiles::from(&log), &tmp.path().join("whole"), None, &s, Language::English, &Quiet).expect("runs");
    guike::run(&LogFiles::from(&short), &tmp.path().join("short"), None, &s, Language::English, &Quiet).expect("runs");
    assert!(bytes(tmp.path().join("whole/forecasts.csv")) == bytes(tmp.path().join("short/forecasts.csv")));
}

#[test]
fn a_saved_model_forecasts_what_the_run_forecast() {
    let tmp = tempfile::tempdir().expect("a temporary folder");
    let s = settings("1997-09-30", "39w");
    run_in(tmp.path(), "out", &s);
    let log = tmp.path().join("orders.csv.gz");
    let (columns, rows) = forecast(&LogFiles::from(&log), &tmp.path().join("out/model"), s.forecast.cutoff, &s);
    let spend = columns.iter().position(|c| c == "expected_spend").expect("a column of spend");
    let text = String::from_utf8(bytes(tmp.path().join("out/forecasts.csv"))).expect("utf-8");
    for (line, row) in text.lines().skip(1).zip(&rows) {
        let cells: Vec<&str> = line.split(',').collect();
        assert_eq!(cells[0], row[0].as_str().expect("an id"));
        assert_eq!(cells[2].parse::<f64>().ok(), row[spend].as_f64(), "{line}");
    }
    assert_eq!(text.lines().count(), rows.len() + 1);
}

#[test]
fn a_shop_with_more_customers_than_are_learned_from_has_all_of_them_forecast() {
    let tmp = tempfile::tempdir().expect("a temporary folder");
    let mut s = settings("1997-09-30", "39w");
    let of_all = run_in(tmp.path(), "all", &s);
    s.forecast.learn_from = 1_000;
    let of_some = run_in(tmp.path(), "some", &s);
    assert_eq!(of_some.customers, of_all.customers);
    let told = |summary: &RunSummary| summary.notes.iter().any(|n| n.contains("drawn by the seed (--learn-from)"));
    assert!(told(&of_some) && !told(&of_all), "{:?}", of_some.notes);
    let ratio = of_some.total.expected / of_all.total.expected;
    assert!((0.8..1.25).contains(&ratio), "{ratio}");
    let few: usize = of_some.tiers.iter().map(|t| t.1).sum();
    assert_eq!(few, of_all.customers);
    // the model that was kept says the same of them
    let log = LogFiles::from(&tmp.path().join("orders.csv.gz"));
    let model = tmp.path().join("some/model");
    let (columns, rows) = forecast(&log, &model, s.forecast.cutoff, &s);
    let spend = columns.iter().position(|c| c == "expected_spend").expect("a column of spend");
    let text = String::from_utf8(bytes(tmp.path().join("some/forecasts.csv"))).expect("utf-8");
    for (line, row) in text.lines().skip(1).zip(&rows) {
        assert_eq!(line.split(',').nth(2).and_then(|v| v.parse().ok()), row[spend].as_f64(), "{line}");
    }
    assert_eq!(text.lines().count(), rows.len() + 1);
}

#[test]
fn a_log_that_does_not_fit_into_memory_gives_the_same_bytes() {
    let tmp = tempfile::tempdir().expect("a temporary folder");
    let cities = (1..2_400).map(|id| format!("{id:04},{}\n", ["Paris", "Xi'an", "Lima"][id % 3])).collect::<String>();
    fs::write(tmp.path().join("customers.csv"), format!("customer_id,city\n{cities}")).expect("written");
    for (learn_from, attributes) in [(1_000, false), (1_000, true), (100_000, false)] {
        let mut s = settings("1997-09-30", "39w");
        s.forecast.learn_from = learn_from;
        s.forecast.model = "bg-nbd+gamma-gamma".to_owned();
        s.customers = attributes.then(|| tmp.path().join("customers.csv"));
        let whole = run_in(tmp.path(), "whole", &s);
        s.data.memory_mib = MemoryLimit(0);
        let apart = run_in(tmp.path(), "apart", &s);
        assert_eq!(whole.notes, apart.notes);
        for name in
            ["forecasts.csv", "forecasts.parquet", "tiers.csv", "tiers.json", "evaluation.json", "model/model.json"]
                .into_iter()
                .chain(["log.parquet", "quality.json", "report.html", "dashboard.json"])
        {
            // the settings stand in the report
            let told = |out: &str| {
                let bytes = bytes(tmp.path().join(out).join(name));
                match String::from_utf8(bytes) {
                    Ok(text) => text.replace("memory_mib = 0", "memory_mib = 1024").into_bytes(),
                    Err(e) => e.into_bytes(),
                }
            };
            assert!(told("whole") == told("apart"), "{name} differs, learning from {learn_from}");
        }
        let log = LogFiles::from(&tmp.path().join("orders.csv.gz"));
        let model = tmp.path().join("whole/model");
        let (_, rows) = forecast(&log, &model, s.forecast.cutoff, &s);
        s.data.memory_mib = MemoryLimit(1024);
        assert_eq!(rows, forecast(&log, &model, s.forecast.cutoff, &s).1);
    }
}

#[test]
fn features_streamed_from_the_file_are_those_of_the_log_in_memory() {
    let tmp = tempfile::tempdir().expect("a temporary folder");
    let path = sample(tmp.path());
    let cutoff = Cutoff::after("1998-06-30".parse().expect("a day"));
    let horizon = "90d".parse().expect("a horizon");
    let options = ImportOptions::default();
    let log = import(&path, &options, &Quiet).expect("read").log;
    let past = log.before(cutoff);
    let in_memory = guike_features::features(&past, &past.buyers(), horizon);
    for asked in [Some(cutoff), None] {
        let what = FeatureImport { cutoff: asked, horizon, only: &[] };
        let streamed = import_features(&path, &options, what, &Quiet).expect("streamed");
        assert_eq!(streamed.customer_ids.len(), in_memory.n_rows());
        assert_eq!(streamed.table.columns().len(), in_memory.columns().len());
        // NaN marks what is missing and equals nothing: compare the bits
        assert_eq!(format!("{:?}", streamed.table), format!("{in_memory:?}"));
    }
}

#[test]
fn every_customer_with_an_order_is_forecast_and_no_number_is_missing_or_negative() {
    let tmp = tempfile::tempdir().expect("a temporary folder");
    for (cutoff, horizon) in [("1997-01-03", "30d"), ("1997-02-15", "1y"), ("1998-06-30", "90d")] {
        let s = settings(cutoff, horizon);
        let out = format!("{cutoff}-{horizon}");
        let summary = run_in(tmp.path(), &out, &s);
        let log = import(&sample(tmp.path()), &ImportOptions::default(), &Quiet).expect("read").log;
        let known = log.before(Cutoff::after(cutoff.parse().expect("a day"))).buyers().len();
        assert_eq!(summary.customers, known, "{cutoff}");
        let text = String::from_utf8(bytes(tmp.path().join(out).join("forecasts.csv"))).expect("utf-8");
        for line in text.lines().skip(1) {
            for cell in line.split(',').skip(1).take(8) {
                let x: f64 = cell.parse().unwrap_or_else(|_| panic!("`{cell}` in {line}"));
                assert!(x.is_finite() && x >= 0.0, "{line}");
            }
        }
    }
}

#[test]
fn earlier_tiers_hold_customers_near_a_border_and_show_who_moved() {
    let tmp = tempfile::tempdir().expect("a temporary folder");
    run_in(tmp.path(), "june", &settings("1997-06-30", "90d"));
    let log = tmp.path().join("orders.csv.gz");
    let s = settings("1997-09-30", "90d");
    let previous = tmp.path().join("june/tiers.csv");
    guike::run(&LogFiles::from(&log), &tmp.path().join("later"), Some(&previous), &s, Language::English, &Quiet)
        .expect("runs");
    let tiers: serde_json::Value =
        serde_json::from_slice(&bytes(tmp.path().join("later/tiers.json"))).expect("valid JSON");
    let moved = tiers["migration"]["up"].as_u64().unwrap_or(0) + tiers["migration"]["down"].as_u64().unwrap_or(0);
    assert!(moved > 0 && tiers["held_by_margin"].as_u64().unwrap_or(0) > 0, "{}", tiers["migration"]);
}

/// Appends these events to a log of events, each acknowledged.
fn tell(log: &Path, told: &[(&str, &str, f64)]) -> Vec<Event> {
    let now = Timestamp(guike_core::SECONDS_PER_DAY * 20_000);
    let body = |(id, time, amount): &(&str, &str, f64)| {
        serde_json::json!({ "customer_id": id, "time": time, "amount": amount }).to_string()
    };
    let list = format!("[{}]", told.iter().map(body).collect::<Vec<_>>().join(","));
    let events = guike::events::parse(list.as_bytes(), 100, now).expect("events");
    let (send, said) = std::sync::mpsc::channel();
    let open = Events::open(log).expect("opened");
    open.add("shop", "k", events, Box::new(move |taken, _| send.send(taken).expect("somebody waits")));
    assert_eq!(said.recv().expect("told"), Ok(Taken::Now));
    guike::events::read(log).expect("read")
}

#[test]
fn after_events_a_customer_is_expected_what_the_log_with_them_says_to_the_last_bit() {
    let tmp = tempfile::tempdir().expect("a temporary folder");
    let (log, events_log) = (sample(tmp.path()), tmp.path().join("events.log"));
    let mut s = Settings::default();
    s.forecast.horizon = "26w".parse().ok();
    run_in(tmp.path(), "out", &s);
    let history = History::open(&tmp.path().join("out")).expect("read").expect("the run kept its log");
    let all = tell(
        &events_log,
        &[
            ("0111", "1998-07-10T12:00", 21.5),
            ("0018", "1998-07-12", 9.0),
            ("new", "1998-07-03", 30.0),
            ("0111", "1998-07-12", 5.25),
            ("new", "1998-07-12", -3.0),
            ("gave back only", "1998-07-12", -1.0),
            // what an order log may hold already is not counted twice
            ("0018", "1998-06-29", 500.0),
        ],
    );
    let unread = history.unread(&all);
    let mut told: BTreeMap<String, Vec<Event>> = BTreeMap::new();
    for (_, event) in all.iter().enumerate().filter(|(at, e)| unread.holds(*at, e)) {
        told.entry(event.customer_id.clone()).or_default().push(event.clone());
    }
    let now = history.now(&told).expect("said");
    assert_eq!(now.iter().map(|n| n.customer_id.as_str()).collect::<Vec<_>>(), ["0018", "0111", "new"]);

    // the same events, without the one that came before the end of the log
    let kept: Vec<(String, String, f64)> = told
        .values()
        .flatten()
        .map(|e| (e.customer_id.clone(), e.time.to_string().replacen(' ', "T", 1), e.amount.units()))
        .collect();
    let kept: Vec<(&str, &str, f64)> = kept.iter().map(|(id, time, a)| (id.as_str(), time.as_str(), *a)).collect();
    s.events = Some(tmp.path().join("kept.log"));
    let same = tell(&tmp.path().join("kept.log"), &kept);
    let cutoff = Some("1998-07-12".parse().expect("a day"));
    let model = tmp.path().join("out/model");
    let (columns, rows) = forecast(&LogFiles::from(&log), &model, cutoff, &s);
    for n in &now {
        let row = rows.iter().find(|r| r[0] == n.customer_id.as_str()).expect("she is there");
        for (value, (name, cell)) in n.numbers.iter().zip(columns[1..].iter().zip(&row[1..])) {
            let cell = cell.as_f64().unwrap_or(f64::NAN);
            assert!(value.to_bits() == cell.to_bits(), "{} {name}: {value}, {cell}", n.customer_id);
        }
        let steps = history.ahead(&n.customer_id, &told[&n.customer_id]).expect("said");
        let last = steps.last().expect("a step");
        assert_eq!((last.days, guike_store::significant(last.spend)), (182, n.numbers[1]), "{}", n.customer_id);
        assert!(steps.windows(2).all(|w| w[0].p_active <= w[1].p_active), "{}: {steps:?}", n.customer_id);
        let bought = history.bought(&n.customer_id, &told[&n.customer_id]);
        let spend: f64 = bought.iter().map(|b| b.spend).sum();
        assert_eq!((bought.len() as f64, guike_store::significant(spend)), (n.numbers[10], n.numbers[11]));
        if n.customer_id == "0018" {
            continue;
        }
        let why = history.explain(&n.customer_id, &told[&n.customer_id]).expect("explained");
        let Found::Customer { why, .. } = why.found else { panic!("a customer was asked about") };
        let parts: f64 = why.themes.iter().map(|t| t.spend).sum::<f64>() + why.base.spend;
        assert!((parts - why.expected.spend).abs() < 1e-6 && why.customer == n.customer_id);
        assert_eq!(why.standing.map(|s| s.tier.key), n.tier, "{}", n.customer_id);
    }

    // a run over both knows the same of her, and which events it has read
    run_in(tmp.path(), "again", &s);
    let again = tmp.path().join("again");
    let tiers = String::from_utf8(bytes(again.join("tiers.csv"))).expect("text");
    for n in &now {
        let line = tiers.lines().find(|l| l.starts_with(&format!("{},", n.customer_id))).expect("she is there");
        let cells: Vec<f64> = line.split(',').skip(5).take(3).map(|c| c.parse().expect("a number")).collect();
        assert_eq!(cells, n.numbers[9..], "{}", n.customer_id);
    }
    let again = History::open(&again).expect("read").expect("kept");
    assert!(same.iter().enumerate().all(|(at, e)| !again.unread(&same).holds(at, e)));
}
