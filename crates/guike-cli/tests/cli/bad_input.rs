//! Trouble in the world: each bad log gets its own words and code, and leaves nothing behind.

use std::io::Write;
use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, RecordBatch};
use parquet::arrow::ArrowWriter;

use crate::support::{Desk, Ended, Numbers, date, shop_csv};

/// Exit code of a log that cannot be read or does not support an answer.
const DATA: i32 = 3;
/// Exit code of a wrong flag or setting.
const CONFIG: i32 = 2;

/// Runs `guike run FILE --out out ARGS` and asserts: this code, these words on stderr, nothing on stdout, and nothing
/// new in the folder.
fn refused(desk: &Desk, file: &str, args: &[&str], code: i32, words: &[&str]) -> Ended {
    let before = desk.names();
    let ended = desk.guike(&[&["run", file, "--out", "out"], args].concat());
    assert_eq!(ended.code, code, "{}", ended.stderr);
    assert_eq!(ended.stdout, "", "an error prints nothing on stdout");
    for word in words {
        assert!(ended.stderr.contains(word), "`{word}` is not in: {}", ended.stderr);
    }
    assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
    assert_eq!(desk.names(), before, "a refused run leaves nothing behind");
    ended
}

fn refused_csv(content: impl AsRef<[u8]>, args: &[&str], code: i32, words: &[&str]) {
    let desk = Desk::new();
    desk.put("log.csv", content);
    refused(&desk, "log.csv", args, code, words);
}

#[test]
fn an_empty_file() {
    refused_csv("", &[], DATA, &["log.csv", "empty"]);
}

#[test]
fn a_header_without_rows() {
    refused_csv("customer_id,date,amount\n", &[], DATA, &["log.csv", "no rows"]);
}

#[test]
fn one_customer() {
    let rows: String = (0..12).map(|i| format!("anna,{},10.5\n", date(i * 20))).collect();
    refused_csv(format!("customer_id,date,amount\n{rows}"), &[], DATA, &["1 customer"]);
}

#[test]
fn one_order() {
    refused_csv("customer_id,date,amount\nanna,2022-01-05,10.5\n", &[], DATA, &["1 customer"]);
}

#[test]
fn all_orders_on_one_day() {
    let rows: String = (0..200).map(|i| format!("c{i},2022-01-05,{}\n", 5 + i % 7)).collect();
    refused_csv(format!("customer_id,date,amount\n{rows}"), &[], DATA, &["2022-01-05", "one day"]);
}

#[test]
fn only_future_dates() {
    let rows: String = (0..200).map(|i| format!("c{},20{}{},5.5\n", i % 50, 90 + i % 9, &date(i)[4..])).collect();
    refused_csv(format!("customer_id,date,amount\n{rows}"), &[], DATA, &["future"]);
}

#[test]
fn a_binary_file() {
    let mut numbers = Numbers(1);
    let bytes: Vec<u8> = (0..200_000).map(|_| numbers.below(256) as u8).collect();
    refused_csv([b"\x7fELF\x02\x01\x01\0".as_slice(), &bytes].concat(), &[], DATA, &["log.csv"]);
}

#[test]
fn a_gzip_file_that_was_cut_short() {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(shop_csv(400).as_bytes()).expect("compresses in memory");
    let whole = encoder.finish().expect("compresses in memory");
    let desk = Desk::new();
    desk.put("log.csv.gz", &whole[..whole.len() / 2]);
    refused(&desk, "log.csv.gz", &[], DATA, &["log.csv.gz", "gzip"]);
}

#[test]
fn a_parquet_file_with_the_wrong_types() {
    let flags: ArrayRef = Arc::new(BooleanArray::from(vec![true, false, true]));
    let columns = ["customer_id", "date", "amount"].map(|name| (name, Arc::clone(&flags)));
    let batch = RecordBatch::try_from_iter(columns).expect("columns of one length");
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).expect("a Parquet writer");
    writer.write(&batch).expect("writes into memory");
    writer.close().expect("writes into memory");
    let desk = Desk::new();
    desk.put("log.parquet", bytes);
    refused(&desk, "log.parquet", &[], DATA, &["column `", "holds", "needs"]);
}

#[test]
fn a_parquet_file_that_was_cut_short() {
    let desk = Desk::new();
    desk.put("log.parquet", b"PAR1 and then something went wrong");
    refused(&desk, "log.parquet", &[], DATA, &["log.parquet"]);
}

/// A gigabyte that is no log. The file is sparse, so that only its reading costs.
#[test]
fn a_gigabyte_of_nothing() {
    let desk = Desk::new();
    let file = std::fs::File::create(desk.path("log.csv")).expect("can create a file");
    file.set_len(1 << 30).expect("can make a sparse file");
    refused(&desk, "log.csv", &[], DATA, &["log.csv"]);
}

/// Printable garbage, line after line; `GUIKE_TEST_GARBAGE_MB=1024` makes it the whole gigabyte.
#[test]
fn megabytes_of_garbage() {
    let megabytes: u64 = std::env::var("GUIKE_TEST_GARBAGE_MB").ok().and_then(|v| v.parse().ok()).unwrap_or(24);
    let desk = Desk::new();
    let mut file = std::io::BufWriter::new(std::fs::File::create(desk.path("log.csv")).expect("can create a file"));
    let mut numbers = Numbers(3);
    for _ in 0..megabytes * 16 {
        let mut block = Vec::with_capacity(1 << 16);
        while block.len() < 1 << 16 {
            block.push(b' ' + numbers.below(95) as u8);
            if numbers.below(60) == 0 {
                block.push(b'\n');
            }
        }
        file.write_all(&block).expect("the disk has room");
    }
    drop(file);
    refused(&desk, "log.csv", &[], DATA, &["error: "]);
}

#[test]
fn a_column_that_is_missing() {
    let text = shop_csv(50).replace("amount", "colour");
    let ended = refused_text(&text, &["--amount", "amuont"], CONFIG);
    assert!(ended.contains("amuont"), "{ended}");
    let no_customer: String = (0..50).map(|i| format!("{},{}.5\n", date(i), i)).collect();
    refused_csv(format!("date,amount\n{no_customer}"), &[], DATA, &["customer", "--customer"]);
}

#[test]
fn a_misspelt_column_gets_a_proposal() {
    let ended = refused_text(&shop_csv(50), &["--customer", "custmer_id"], CONFIG);
    assert!(ended.contains("custmer_id") && ended.contains("customer_id"), "{ended}");
}

fn refused_text(content: &str, args: &[&str], code: i32) -> String {
    let desk = Desk::new();
    desk.put("log.csv", content);
    refused(&desk, "log.csv", args, code, &[]).stderr
}

#[test]
fn a_column_named_twice() {
    let text = shop_csv(50).replacen("customer_id,date,amount", "customer_id,date,date", 1);
    refused_csv(text, &[], DATA, &["date", "twice"]);
}

#[test]
fn mixed_currencies() {
    let mut text = String::from("customer_id,date,amount,currency\n");
    for (i, line) in shop_csv(80).lines().skip(1).enumerate() {
        text += &format!("{line},{}\n", if i % 3 == 0 { "EUR" } else { "USD" });
    }
    refused_csv(text, &[], DATA, &["EUR", "USD", "--currency"]);
}

#[test]
fn a_cutoff_before_the_first_order() {
    refused_csv(shop_csv(80), &["--cutoff", "2020-01-01"], CONFIG, &["--cutoff", "2020-01-01", "first purchase"]);
}

#[test]
fn nul_bytes() {
    let text = shop_csv(80).replacen("\nC00010,", "\nC000\x0010,", 1);
    assert!(text.contains('\0'));
    refused_csv(text, &[], DATA, &["log.csv", "NUL", "line"]);
}

#[test]
fn a_line_of_ten_megabytes() {
    let mut text = shop_csv(80);
    text += &"x".repeat(10 << 20);
    text += "\n";
    refused_csv(text, &[], DATA, &["line"]);
}

#[test]
fn a_failed_run_leaves_earlier_results_as_they_were() {
    let desk = Desk::new();
    desk.put("log.csv", "customer_id,date,amount\n");
    std::fs::create_dir(desk.path("out")).expect("can create a folder");
    desk.put("out/forecasts.csv", "earlier results\n");
    refused(&desk, "log.csv", &[], DATA, &[]);
    assert_eq!(desk.text("out/forecasts.csv"), "earlier results\n");
}

#[test]
fn an_out_that_is_a_file_is_not_overwritten() {
    let desk = Desk::new();
    desk.put("log.csv", shop_csv(80));
    desk.put("out", "mine");
    refused(&desk, "log.csv", &[], CONFIG, &["out", "folder"]);
    assert_eq!(desk.text("out"), "mine");
}
