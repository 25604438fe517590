//! Several files as one log, a folder of them, a stream, and a log that was imported before.

use std::path::{Path, PathBuf};

use guike_core::{Cutoff, EventKind, Horizon, Money, Quiet};
use guike_data::{
    DataError, FeatureImport, ImportOptions, Imported, LogFiles, Reason, import, import_features, read_canonical,
    write_canonical,
};

fn put(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).expect("room for a small file");
    path
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn read(paths: &[PathBuf]) -> Result<Imported, DataError> {
    import(LogFiles::find(paths)?, &ImportOptions::default(), &Quiet)
}

/// Every event as `customer time amount`.
fn events(i: &Imported) -> Vec<String> {
    let mut lines = Vec::new();
    for (c, id) in i.log.customer_ids().iter().enumerate() {
        let e = i.log.customer(c);
        for r in 0..e.len() {
            assert!(EventKind::from_u8(e.kind[r]).is_some());
            lines.push(format!("{id} {} {}", guike_core::Timestamp(e.time[r]), Money(e.amount[r])));
        }
    }
    lines
}

#[test]
fn months_are_one_log_and_every_file_has_its_count() {
    let f = folder();
    // columns in another order, another delimiter and other dates: each file is understood by itself
    let a = put(
        f.path(),
        "2024-01.csv",
        "customer_id,date,amount\n7,2024-01-05,10\n8,2024-01-06,11.5\n7,2024-01-07,broken\n",
    );
    let b = put(f.path(), "2024-02.csv", "amount;customer_id;date\n12,5;7;13.02.2024\n;8;14.02.2024\n3;9;15.02.2024\n");
    let i = read(&[a.clone(), b.clone()]).expect("one log");
    assert_eq!(
        events(&i),
        [
            "7 2024-01-05 00:00:00 10.00",
            "7 2024-02-13 00:00:00 12.50",
            "8 2024-01-06 00:00:00 11.50",
            "9 2024-02-15 00:00:00 3.00"
        ]
    );
    let q = &i.quality;
    let counts: Vec<(String, u64, String)> = q
        .sources
        .iter()
        .map(|s| (s.file.clone(), s.rows_read, s.last_day.expect("rows have days").to_string()))
        .collect();
    assert_eq!(
        counts,
        [("2024-01.csv".into(), 3, "2024-01-06".into()), ("2024-02.csv".into(), 3, "2024-02-15".into())]
    );
    assert_eq!(q.rows_read, 6);
    let example = |reason| {
        let e = &q.dropped.iter().find(|d| d.reason == reason).expect("dropped").examples[0];
        (e.file.clone().expect("named"), e.row)
    };
    assert_eq!(example(Reason::UnparsableAmount), ("2024-01.csv".to_owned(), 3));
    assert_eq!(example(Reason::MissingAmount), ("2024-02.csv".to_owned(), 2));
    assert!(q.notes.iter().any(|n| n.contains("2024-02.csv") && n.contains("dmy")), "{:?}", q.notes);

    let whole = read(&[f.path().to_owned()]).expect("the folder");
    assert_eq!((events(&whole), &whole.quality), (events(&i), q));
    let pattern = read(&[f.path().join("2024-0?.csv")]).expect("the pattern");
    assert_eq!(events(&pattern), events(&i));
    // the order of the files is the order of the rows, and the log does not depend on it here
    assert_eq!(events(&read(&[b, a]).expect("the other way round")), events(&i));
}

#[test]
fn day_and_month_of_one_file_are_decided_by_the_others() {
    let f = folder();
    let a = put(f.path(), "a.csv", "customer_id,date,amount\n7,03/02/2024,10\n8,04/02/2024,11\n");
    let b = put(f.path(), "b.csv", "customer_id,date,amount\n7,13/01/2024,10\n8,14/01/2024,11\n");
    let alone = read(std::slice::from_ref(&a)).expect_err("nobody can tell").to_string();
    assert!(alone.contains("--date-format dmy"), "{alone}");
    let i = read(&[a, b]).expect("the second file tells");
    assert_eq!(events(&i)[1], "7 2024-02-03 00:00:00 10.00");
}

#[test]
fn rows_that_two_exports_share_count_once_where_they_can_be_told_apart() {
    let f = folder();
    let a = put(f.path(), "a.csv", "customer_id,time,amount\n7,2024-01-05 10:00:00,10\n7,2024-01-31 11:00:00,5\n");
    let b = put(f.path(), "b.csv", "customer_id,time,amount\n7,2024-01-31 11:00:00,5\n7,2024-02-01 11:00:00,6\n");
    let i = read(&[a, b]).expect("one log");
    assert_eq!((i.log.n_events(), i.quality.dropped(Reason::ExactDuplicate)), (3, 1));
    assert!(!i.quality.notes.iter().any(|n| n.contains("counts twice")));
    let c = put(f.path(), "c.csv", "customer_id,date,amount\n7,2024-01-05,10\n7,2024-01-31,5\n");
    let d = put(f.path(), "d.csv", "customer_id,date,amount\n7,2024-01-31,5\n7,2024-02-01,6\n");
    let i = read(&[c, d]).expect("one log");
    assert_eq!(i.log.n_events(), 4);
    assert!(
        i.quality.notes.iter().any(|n| n.contains("2024-01-31") && n.contains("counts twice")),
        "{:?}",
        i.quality.notes
    );
}

#[test]
fn files_that_do_not_tell_the_same_things() {
    let f = folder();
    let plain = put(f.path(), "plain.csv", "customer_id,date,amount\n7,2024-01-05,10\n");
    let status =
        put(f.path(), "status.csv", "customer_id,date,amount,status\n7,2024-02-05,10,paid\n7,2024-02-06,9,cancelled\n");
    let error = read(&[plain.clone(), status.clone()]).expect_err("cancelled orders in one file only").to_string();
    assert!(error.contains("status.csv") && error.contains("plain.csv") && error.contains("--status none"), "{error}");

    let category = put(f.path(), "category.csv", "customer_id,date,amount,category\n7,2024-02-05,10,tea\n");
    let i = read(&[plain.clone(), category]).expect("detail that one file lacks is left out");
    assert!(i.log.categories().is_empty());
    assert!(i.quality.notes.iter().any(|n| n.contains("category") && n.contains("plain.csv")), "{:?}", i.quality.notes);

    let other = put(f.path(), "other.csv", "product,stock\n7,10\n");
    let error = read(&[plain.clone(), other]).expect_err("no log").to_string();
    assert!(error.starts_with("in `") && error.contains("other.csv"), "{error}");
    let empty = put(f.path(), "empty.csv", "customer_id,date,amount\n");
    let i = read(&[plain.clone(), empty.clone()]).expect("a month without orders");
    assert!(i.quality.notes.iter().any(|n| n.contains("empty.csv")), "{:?}", i.quality.notes);
    assert!(matches!(read(&[empty]), Err(DataError::HeaderOnly { .. })));
    assert!(matches!(read(&[plain.clone(), plain]), Err(DataError::FileTwice { .. })));
    assert!(matches!(read(&[f.path().join("*.parquet")]), Err(DataError::NoFiles { .. })));
}

#[test]
fn a_stream_is_a_log_of_any_format() {
    let text = "customer_id,date,amount\n7,2024-01-05,10\n8,2024-01-06,11.5\n";
    let packed = zstd::stream::encode_all(text.as_bytes(), 1).expect("packed in memory");
    for bytes in [text.as_bytes(), &packed] {
        let files = LogFiles::of_stream(&mut &bytes[..], "standard input").expect("kept");
        let i = import(&files, &ImportOptions::default(), &Quiet).expect("read");
        assert_eq!((i.log.n_events(), i.quality.sources[0].file.as_str()), (2, "standard input"));
    }
    let nothing = LogFiles::of_stream(&mut &b""[..], "standard input").expect("kept");
    let error = import(&nothing, &ImportOptions::default(), &Quiet).expect_err("empty").to_string();
    assert!(error.starts_with("`standard input` is empty"), "{error}");
}

const INVOICES: &str = "InvoiceNo,StockCode,Quantity,InvoiceDate,UnitPrice,CustomerID\n\
    536365,22423,2,2010-12-01 08:26:00,12.75,17850\n\
    536366,85123A,6,2010-12-02 08:26:00,2.55,17850\n\
    C536367,85123A,-5,2010-12-02 08:26:00,2.55,17850\n\
    536368,22423,1,2010-12-02 08:26:00,2.55,17850\n\
    536369,22423,1,2010-12-02 08:26:00,2.55,17850\n\
    536370,85123A,1,2010-12-02 08:26:00,2.55,13047\n";

#[test]
fn an_imported_log_is_not_cleaned_a_second_time() {
    let f = folder();
    let csv = put(f.path(), "orders.csv", INVOICES);
    let raw = import(&csv, &ImportOptions::default(), &Quiet).expect("read");
    let parquet = f.path().join("orders.parquet");
    write_canonical(&raw.log, &raw.quality, &parquet).expect("written");
    let again = import(&parquet, &ImportOptions::default(), &Quiet).expect("read again");
    assert_eq!(events(&again), events(&raw));
    assert_eq!((again.quality.rows_read, &again.quality.dropped), (6, &raw.quality.dropped));
    let remark = |n: &String| n.contains("not cleaned a second time");
    assert!(again.quality.notes.iter().any(remark), "{:?}", again.quality.notes);
    // and however often it is imported, the remark stands there once
    write_canonical(&again.log, &again.quality, &parquet).expect("written");
    let thrice = import(&parquet, &ImportOptions::default(), &Quiet).expect("read again");
    assert_eq!(thrice.quality, again.quality);
    assert_eq!(read_canonical(&parquet).expect("read").quality, again.quality);

    let what = FeatureImport { cutoff: None, horizon: Horizon::from_days(30).expect("a horizon"), only: &[] };
    // printed, because a missing feature is not equal to itself
    let features = |path: &PathBuf, what| {
        format!("{:?}", import_features(path, &ImportOptions::default(), what, &Quiet).expect("features"))
    };
    assert_eq!(features(&csv, what), features(&parquet, what));
    let only = ["orders".to_owned(), "spend".to_owned()];
    let what = FeatureImport { cutoff: Some(Cutoff::after("2010-12-01".parse().expect("a day"))), only: &only, ..what };
    assert_eq!(features(&csv, what), features(&parquet, what));

    let error = read(&[csv, parquet]).expect_err("clean and raw rows").to_string();
    assert!(error.contains("clean already"), "{error}");
}

#[test]
fn cleaning_that_comes_too_late_is_said_so() {
    let f = folder();
    let raw = import(&put(f.path(), "orders.csv", INVOICES), &ImportOptions::default(), &Quiet).expect("read");
    let parquet = f.path().join("orders.parquet");
    write_canonical(&raw.log, &raw.quality, &parquet).expect("written");
    let mut options = ImportOptions::default();
    options.clean.drop_non_goods = true;
    let again = import(&parquet, &options, &Quiet).expect("read again");
    assert!(again.quality.notes.iter().any(|n| n.contains("give them to the import")), "{:?}", again.quality.notes);
}
