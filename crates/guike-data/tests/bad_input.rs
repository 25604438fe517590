//! What people hand in by mistake: each gets a clear text, quickly, and never a wrong log.

use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use guike_core::{Quiet, Timestamp};
use guike_data::{DataError, ImportOptions, Imported, Reason, import};

/// Imports `bytes` as a file of this name.
fn file(name: &str, bytes: &[u8], options: &ImportOptions) -> Result<Imported, DataError> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).expect("room for a small file");
    import(&path, options, &Quiet)
}

/// The error's text, with the folder taken out.
fn refused(name: &str, bytes: &[u8]) -> String {
    refused_with(name, bytes, &ImportOptions::default())
}

fn refused_with(name: &str, bytes: &[u8], options: &ImportOptions) -> String {
    let started = Instant::now();
    let error = file(name, bytes, options).map(|i| i.quality).expect_err("a refusal").to_string();
    assert!(started.elapsed() < Duration::from_secs(5), "{name} took {:?}", started.elapsed());
    match (error.find("`/"), error.find(name)) {
        (Some(from), Some(to)) if from < to => format!("{}`{}", &error[..from], &error[to..]),
        _ => error,
    }
}

fn accepted(text: &str, options: &ImportOptions) -> Imported {
    file("log.csv", text.as_bytes(), options).unwrap_or_else(|e| panic!("{text}: {e}"))
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("writing to memory");
    encoder.finish().expect("writing to memory")
}

/// Bytes without a pattern.
fn noise(n: usize) -> Vec<u8> {
    let mut x = 1_u64;
    let next = || {
        x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (x >> 33) as u8
    };
    std::iter::repeat_with(next).take(n).collect()
}

fn rows(n: usize) -> String {
    let rows = (0..n).map(|i| format!("c{},2024-01-{:02} 10:{:02}:00,{}.50\n", i % 97, i % 28 + 1, i % 60, i % 50));
    std::iter::once("customer_id,time,amount\n".to_owned()).chain(rows).collect()
}

#[test]
fn nothing_in_it() {
    assert_eq!(refused("a.csv", b""), "`a.csv` is empty; a table has a header line and at least one row");
    assert_eq!(refused("a.csv", b" \n\r\n "), "`a.csv` is empty; a table has a header line and at least one row");
    assert_eq!(
        refused("a.csv", b"customer_id,date,amount\n"),
        "`a.csv` has a header (`customer_id`, `date`, `amount`) but no rows"
    );
    assert!(refused("a.gz", &gzip(b"")).ends_with("is empty; a table has a header line and at least one row"));
}

#[test]
fn no_such_file_and_folders() {
    let missing = PathBuf::from("there/is/no/such.csv");
    let error =
        import(&missing, &ImportOptions::default(), &Quiet).map(|i| i.quality).expect_err("no file").to_string();
    assert!(error.starts_with("cannot read `there/is/no/such.csv`: "), "{error}");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let error = import(folder.path(), &ImportOptions::default(), &Quiet).map(|i| i.quality).expect_err("a folder");
    assert!(error.to_string().contains("it is a folder; give a file"));
}

#[test]
fn binary_files() {
    let png = [&b"\x89PNG\r\n\x1a\n"[..], &noise(4000)].concat();
    assert_eq!(
        refused("a.csv", &png),
        "`a.csv` is not a table: it looks like a PNG picture; give CSV, TSV, JSON Lines, Parquet or XLSX (gzip and zstd are fine)"
    );
    assert!(refused("a.csv", &noise(1 << 20)).contains("it looks like binary data"));
    assert!(refused("a.csv", &[0; 4096]).contains("it looks like binary data"));
    assert!(refused("a.csv.gz", &gzip(&noise(1 << 20))).contains("it looks like binary data"));
    assert!(refused("a.xlsx", b"PK\x03\x04 and then nothing").contains("not a workbook that can be read"));
    assert!(refused("a.parquet", b"PAR1 and then nothing").contains("Parquet data cannot be read"));
    assert!(refused("a.csv", b"<!DOCTYPE html><html>log in first</html>").contains("a web page"));
}

#[test]
fn truncated_and_damaged_archives() {
    let whole = gzip(rows(20_000).as_bytes());
    assert_eq!(
        refused("a.csv.gz", &whole[..whole.len() / 2]),
        "`a.csv.gz` is cut off: its gzip data ends before its end mark; copy or download the file again"
    );
    let mut flipped = whole.clone();
    let middle = flipped.len() - 6;
    flipped[middle] ^= 0xff;
    assert!(refused("a.csv.gz", &flipped).contains("is damaged: its gzip data cannot be unpacked"));
    assert_eq!(
        refused("a.jsonl", b"{\"customer_id\":1,\"date\":\"2024-01-01\",\"amount\":1}\n{\"customer_id\":1,\"da"),
        "`a.jsonl` is cut off: its JSON data ends before its end mark; copy or download the file again"
    );
    assert!(refused("a.json", b"{ not json at all }").contains("it begins like JSON and has no readable object"));
    let whole = zstd::stream::encode_all(rows(20_000).as_bytes(), 1).expect("writing to memory");
    assert!(refused("a.csv.zst", &whole[..whole.len() / 2]).contains("is cut off: its zstd data ends"));
}

#[test]
fn garbage_text() {
    let letters: Vec<u8> = noise(8 << 20).into_iter().map(|b| b'a' + b % 26).collect();
    assert!(refused("a.csv", &letters).starts_with("line 1 of `a.csv` is longer than 1024 KiB"));
    let lines: Vec<u8> = letters.iter().enumerate().map(|(i, &b)| if i % 61 == 60 { b'\n' } else { b }).collect();
    assert!(refused("a.csv", &lines).starts_with("found no column for the customer id; "));
    let headed = [&b"customer_id,date,amount\n"[..], &lines[..6100]].concat();
    assert_eq!(
        refused("a.csv", &headed),
        "none of the first 100 rows of `a.csv` has 3 cells as the header has (`customer_id`, `date`, `amount`); say the \
         delimiter with --delimiter, or fix the file"
    );
}

#[test]
fn a_ten_megabyte_line() {
    let mut text = rows(50_000);
    text.push_str("c1,2024-01-01 10:00:00,");
    text.push_str(&"7".repeat(10 << 20));
    text.push_str("\nc1,2024-01-01 10:00:00,5\n");
    let error = refused("a.csv", text.as_bytes());
    assert!(error.contains("line 50002 of `a.csv` is longer than 1024 KiB, the most one row may have"), "{error}");
}

#[test]
fn a_quote_that_is_never_closed() {
    let mut text = rows(100);
    text.push_str("c1,2024-01-01 10:00:00,\"5\nc2,2024-01-01 10:00:00,5\n");
    assert_eq!(
        refused("a.csv", text.as_bytes()),
        "a quote opened in line 102 of `a.csv` is never closed; close it, or remove stray quotes"
    );
}

#[test]
fn nul_bytes() {
    let text = rows(100_000).replace("c33,", "c3\0,");
    assert!(refused("a.csv", text.as_bytes()).contains("`a.csv` has a NUL byte in line 35, which no text has"));
    let mut late = rows(100_000).into_bytes();
    late.extend_from_slice(b"c1,2024-01-01 10:00:00,\x005\n");
    assert!(refused("a.csv", &late).contains("has a NUL byte in line 100002"));
}

#[test]
fn columns_missing_twice_or_unknown() {
    assert_eq!(
        refused("a.csv", b"customer_id,date,amount,amount\na,2024-01-01,1,2\n"),
        "column `amount` is named twice (columns 3 and 4); rename one of them"
    );
    let error = refused("a.csv", b"customer_id,date,colour\na,2024-01-01,red\n");
    assert_eq!(
        error,
        "found no column for the amount paid; the columns are `customer_id`, `date`, `colour`; name it with --amount, or \
         --price and --quantity"
    );
    let mut options = ImportOptions::default();
    options.read.time = Some("dates".into());
    assert_eq!(
        refused_with("a.csv", b"customer_id,date,amount\na,2024-01-01,1\n", &options),
        "there is no column `dates` (asked for by --time); did you mean `date`? the columns are `customer_id`, `date`, `amount`"
    );
}

#[test]
fn ambiguous_dates_are_refused_with_the_way_out() {
    let text = b"customer_id,date,amount\na,01/02/2024,1\nb,03/04/2024,2\n";
    assert_eq!(
        refused("a.csv", text),
        "the dates in column `date` can be read day first or month first (no number is above 12 in the wrong place); \
         say which with --date-format dmy or --date-format mdy"
    );
    let mut options = ImportOptions::default();
    options.read.date_format = Some("dmy".parse().expect("a format"));
    let imported = file("a.csv", text, &options).expect("told so");
    assert_eq!(imported.quality.first_day.map(|d| d.to_string()).as_deref(), Some("2024-02-01"));
}

#[test]
fn one_late_row_decides_day_and_month() {
    let mut text = String::from("customer_id,date,amount\n");
    for i in 0..100_000 {
        text.push_str(&format!("c{},{:02}/{:02}/2023,{}\n", i % 100, i % 12 + 1, (i / 7) % 12 + 1, i % 9 + 1));
    }
    assert!(refused("a.csv", text.as_bytes()).contains("day first or month first"));
    text.push_str("c1,31/12/2023,5\n");
    let imported = accepted(&text, &ImportOptions::default());
    assert_eq!(imported.quality.last_day.map(|d| d.to_string()).as_deref(), Some("2023-12-31"));
    assert!(imported.quality.date_format.starts_with("dmy: "));
}

#[test]
fn dates_that_are_none() {
    let text = b"customer_id,date,amount\na,spring,1\nb,autumn,2\n";
    let error = refused("a.csv", text);
    assert_eq!(
        error,
        "column `date` holds values like `xxxxxx`, and the time of the purchase needs dates; name another column with --time"
    );
    let mut options = ImportOptions::default();
    options.read.time = Some("date".into());
    assert!(refused_with("a.csv", text, &options).contains("a cell looks like `xxxxxx`"));
}

#[test]
fn mixed_currencies() {
    let text = "customer_id,date,amount\na,2024-01-01,$1\nb,2024-01-02,€2\na,2024-01-03,$3\n";
    assert_eq!(
        refused("a.csv", text.as_bytes()),
        "column `amount` mixes currencies: USD in 2 rows, EUR in 1 rows; keep one of them with --currency USD, or split the file"
    );
    let mut options = ImportOptions::default();
    options.read.currency = Some("usd".into());
    let imported = accepted(text, &options);
    assert_eq!((imported.log.n_events(), imported.quality.dropped(Reason::OtherCurrency)), (2, 1));
    let text = "customer_id,date,amount,currency\na,2024-01-01,1,CNY\nb,2024-01-02,2,usd\n";
    assert!(
        refused("a.csv", text.as_bytes())
            .starts_with("column `currency` mixes currencies: CNY in 1 rows, USD in 1 rows")
    );
}

#[test]
fn no_usable_row() {
    let error = refused(
        "a.csv",
        b"customer_id,date,amount\n,2024-01-01,1\nb,2024-01-02,free\nc,2024-01-03,\n,2024-01-03,3\n,2024-01-03,3\n",
    );
    assert_eq!(
        error,
        "no row of `a.csv` is usable: of 5 rows, 3 had no customer, 1 had no amount, 1 had an amount that is not a number"
    );
}

#[test]
fn future_rows_are_dropped_and_counted() {
    let options = ImportOptions { now: Some(Timestamp(1_704_240_000)), ..ImportOptions::default() };
    let text = "customer_id,date,amount\na,2024-01-01,1\nb,2024-01-02,2\na,2031-01-03,3\n";
    let imported = accepted(text, &options);
    assert_eq!((imported.log.n_events(), imported.quality.dropped(Reason::FutureTime)), (2, 1));
}

#[test]
fn one_customer_one_order_one_day() {
    let imported = accepted("customer_id,date,amount\na,2024-01-01,1\n", &ImportOptions::default());
    assert_eq!((imported.log.n_customers(), imported.log.n_events()), (1, 1));
    let imported = accepted("customer_id,date,amount\na,2024-01-01,1\nb,2024-01-01,2\n", &ImportOptions::default());
    assert_eq!(imported.quality.first_day, imported.quality.last_day);
}

#[test]
fn parquet_of_the_wrong_types() {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray};
    let write = |columns: Vec<(&str, ArrayRef)>| {
        let batch = RecordBatch::try_from_iter(columns).expect("columns of one length");
        let mut bytes = Vec::new();
        let mut writer = parquet::arrow::ArrowWriter::try_new(&mut bytes, batch.schema(), None).expect("a writer");
        writer.write(&batch).expect("writing to memory");
        writer.close().expect("writing to memory");
        bytes
    };
    let bytes = write(vec![
        ("customer_id", Arc::new(Int64Array::from(vec![1, 2]))),
        ("date", Arc::new(BooleanArray::from(vec![true, false]))),
        ("amount", Arc::new(Float64Array::from(vec![1.0, 2.0]))),
    ]);
    let error = refused("a.parquet", &bytes);
    assert!(
        error.starts_with("column `date` holds values like `9`, and the time of the purchase needs dates"),
        "{error}"
    );
    let bytes = write(vec![
        ("customer_id", Arc::new(Float64Array::from(vec![Some(17850.0), None]))),
        ("date", Arc::new(StringArray::from(vec!["2024-01-01", "2024-01-02"]))),
        ("amount", Arc::new(StringArray::from(vec!["1.5", "2.5"]))),
    ]);
    let imported = file("a.parquet", &bytes, &ImportOptions::default()).expect("text is fine");
    assert_eq!((imported.log.customer_ids(), imported.quality.found.missing_customer), (&["17850".to_owned()][..], 1));
    let bytes = write(vec![("customer_id", Arc::new(Int64Array::from(Vec::<i64>::new())))]);
    assert_eq!(refused("a.parquet", &bytes), "`a.parquet` has a header (`customer_id`) but no rows");
}

#[test]
fn unknown_option_values() {
    let log = b"customer_id,date,amount\na,2024-01-01,1\n";
    let mut options = ImportOptions::default();
    options.read.encoding = Some("klingon".into());
    assert!(refused_with("a.csv", log, &options).starts_with("encoding = `klingon` is not known; write utf-8"));
    let mut options = ImportOptions::default();
    options.read.delimiter = Some("->".into());
    assert!(refused_with("a.csv", log, &options).starts_with("delimiter = `->` is not known"));
}
