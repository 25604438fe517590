//! The main job from outside: files in, files out, on the built-in sample.
#![expect(clippy::disallowed_methods, reason = "a test of files writes and reads them")]

use std::fs;
use std::path::{Path, PathBuf};

use guike::{Language, LogFiles, RunSummary, Settings};
use guike_core::{Cutoff, Day, Quiet};
use guike_data::{FeatureImport, ImportOptions, import, import_features};

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
    let (columns, rows) =
        guike::forecast_with(&LogFiles::from(&log), &tmp.path().join("out/model"), s.forecast.cutoff, None, &s, &Quiet)
            .expect("the model is read back");
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
