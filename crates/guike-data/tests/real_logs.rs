//! Five public logs, raw, without a flag: the counts their publishers give must come out.
//!
//! The logs are not part of the repository; a test whose log is absent says so and passes.

#![allow(clippy::print_stdout, reason = "a skipped test says so")]

use std::path::PathBuf;

use guike_core::{Money, Quiet};
use guike_data::{ImportOptions, Imported, Reason, import};

fn log(name: &str) -> Option<Imported> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data").join(name);
    if !path.exists() {
        println!("skipped: {name} is not on this machine");
        return None;
    }
    let imported = import(&path, &ImportOptions::default(), &Quiet).unwrap_or_else(|e| panic!("{name}: {e}"));
    let dropped: u64 = imported.quality.dropped.iter().map(|d| d.rows).sum();
    assert_eq!(imported.quality.rows_read, imported.quality.rows_kept + dropped);
    let json = serde_json::to_string_pretty(&imported.quality).expect("a report is plain data");
    assert_eq!(serde_json::from_str::<guike_data::QualityReport>(&json).expect("and comes back"), imported.quality);
    Some(imported)
}

fn total(imported: &Imported) -> f64 {
    Money::sum_units(imported.log.all().amount.iter().map(|&a| i128::from(a)).sum())
}

#[test]
fn cdnow_master() {
    let Some(i) = log("cdnow/cdnow_master.csv.gz") else { return };
    assert_eq!((i.quality.rows_read, i.log.n_events(), i.log.n_customers()), (69_659, 69_659, 23_570));
    assert_eq!(total(&i), 2_500_315.63);
    assert_eq!((i.quality.found.zero_amount, i.quality.found.exact_duplicates), (80, 255));
    assert_eq!(i.log.customer_ids()[0], "00001");
}

#[test]
fn cdnow_sample() {
    let Some(i) = log("cdnow/cdnow_sample.csv.gz") else { return };
    assert_eq!((i.quality.rows_read, i.log.n_events(), i.log.n_customers()), (6_919, 6_919, 2_357));
    assert_eq!(total(&i), 244_091.94);
}

#[test]
fn online_retail_as_csv() {
    let Some(i) = log("online_retail/online_retail.csv.gz") else { return };
    let (q, f) = (&i.quality, &i.quality.found);
    assert_eq!(q.rows_read, 541_909);
    assert_eq!((f.missing_customer, f.cancellation_rows, f.exact_duplicates), (135_080, 9_288, 5_268));
    assert_eq!(q.dropped(Reason::MissingCustomer), 135_080);
    assert_eq!(i.log.n_customers(), 4_371);
    assert_eq!(i.log.customer_ids()[0], "12346");
}

#[test]
fn online_retail_ii_as_parquet() {
    let Some(i) = log("online_retail_ii/online_retail_ii.parquet") else { return };
    let (q, f) = (&i.quality, &i.quality.found);
    assert_eq!(q.rows_read, 1_067_370);
    assert_eq!((f.missing_customer, f.cancellation_rows, f.exact_duplicates), (243_007, 19_494, 34_335));
    assert_eq!((f.negative_price, f.zero_price), (5, 6_202));
}

#[test]
fn complete_journey() {
    let Some(i) = log("complete_journey/transactions.parquet") else { return };
    assert_eq!((i.quality.rows_read, i.log.n_customers()), (1_469_307, 2_469));
    assert!((total(&i) - 4_596_039.58).abs() < 100.0, "{}", total(&i));
}

#[test]
fn superstore() {
    let Some(i) = log("superstore/superstore.csv.gz") else { return };
    assert_eq!((i.quality.rows_read, i.log.n_events(), i.log.n_customers()), (9_994, 9_994, 793));
    assert!((total(&i) - 2_297_200.86).abs() < 0.01);
}

#[test]
fn clvtools_apparel() {
    let Some(i) = log("clvtools_apparel/apparelTrans.csv.gz") else { return };
    assert_eq!((i.quality.rows_read, i.log.n_events(), i.log.n_customers()), (3_187, 3_187, 600));
    assert!((total(&i) - 124_356.90).abs() < 0.005);
    let path =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/clvtools_apparel/apparelStaticCov.csv.gz");
    let read =
        guike_data::read_customers(&path, &Default::default(), i.log.customer_ids(), &Quiet).expect("attributes");
    assert_eq!((read.rows_read, read.matched, read.unused), (600, 600, 0));
    assert_eq!(read.attributes.columns().iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), ["Gender", "Channel"]);
}

#[test]
fn online_retail_is_not_cleaned_a_second_time() {
    let Some(raw) = log("online_retail/online_retail.csv.gz") else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("orders.parquet");
    guike_data::write_canonical(&raw.log, &raw.quality, &path).expect("written");
    let again = import(&path, &ImportOptions::default(), &Quiet).expect("read again");
    let rows = |i: &Imported| {
        let e = i.log.all();
        (e.time.to_vec(), e.kind.to_vec(), e.amount.to_vec(), e.item.to_vec(), e.order.to_vec())
    };
    assert!(rows(&again) == rows(&raw), "every event is as it was");
    assert_eq!(again.log.customer_ids(), raw.log.customer_ids());
    assert_eq!((again.log.items(), again.log.offsets()), (raw.log.items(), raw.log.offsets()));
    assert_eq!(again.quality.dropped, raw.quality.dropped);
}
