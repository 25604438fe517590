//! Where a log comes from: several files, a folder, standard input, an earlier import.

use std::io::Write;
use std::process::Stdio;

use crate::support::{Desk, Ended, ended, shop_csv};

const FORECASTS: [&str; 4] = ["forecasts.csv", "forecasts.parquet", "tiers.csv", "model/model.json"];

/// `guike ARGS` with this on standard input.
fn piped(desk: &Desk, args: &[&str], input: &[u8]) -> Ended {
    let mut command = desk.command(args);
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.expect("the binary starts");
    let mut stdin = child.stdin.take().expect("piped");
    let input = input.to_vec();
    // from a thread of its own: the program may answer before it has read everything
    let writer = std::thread::spawn(move || {
        let _ = stdin.write_all(&input);
    });
    let output = child.wait_with_output().expect("it ends");
    writer.join().expect("the writer ends");
    ended(&output)
}

fn run(desk: &Desk, logs: &[&str], out: &str) {
    let args = [&["run"], logs, &["--out", out, "--horizon", "90d", "--budget", "fast"]].concat();
    let done = desk.guike(&args);
    assert_eq!(done.code, 0, "{}", done.stderr);
}

fn same_forecasts(desk: &Desk, a: &str, b: &str) {
    for name in FORECASTS {
        let bytes = |out: &str| std::fs::read(desk.path(out).join(name)).expect("a result");
        assert!(bytes(a) == bytes(b), "{name} of {a} and {b} differ");
    }
}

fn quality(desk: &Desk, out: &str) -> serde_json::Value {
    serde_json::from_str(&desk.text(&format!("{out}/quality.json"))).expect("JSON")
}

/// The shop's log as one file per year.
fn yearly(desk: &Desk) {
    let whole = shop_csv(120);
    let mut lines = whole.lines();
    let header = lines.next().unwrap_or_default();
    let of_year = |year: &str| {
        let rows = whole.lines().filter(|l| l.split(',').nth(1).is_some_and(|d| d.starts_with(year)));
        format!("{header}\n{}\n", rows.collect::<Vec<_>>().join("\n"))
    };
    std::fs::create_dir(desk.path("exports")).expect("can create a folder");
    desk.put("exports/orders-2022.csv", of_year("2022"));
    desk.put("exports/orders-2023.csv", of_year("2023"));
    desk.put("exports/read me.pdf", "%PDF");
    desk.put("whole.csv", &whole);
}

#[test]
fn yearly_exports_a_folder_and_a_pattern_give_the_forecasts_of_the_whole_file() {
    let desk = Desk::new();
    yearly(&desk);
    run(&desk, &["whole.csv"], "whole");
    run(&desk, &["exports/orders-2022.csv", "exports/orders-2023.csv"], "two");
    run(&desk, &["exports"], "folder");
    same_forecasts(&desk, "whole", "two");
    same_forecasts(&desk, "whole", "folder");
    let q = quality(&desk, "two");
    let files: Vec<&str> = q["sources"].as_array().expect("a list").iter().filter_map(|s| s["file"].as_str()).collect();
    assert_eq!(files, ["orders-2022.csv", "orders-2023.csv"]);
    let rows = |s: &serde_json::Value| s["rows_read"].as_u64().expect("a count");
    assert_eq!(q["sources"].as_array().expect("a list").iter().map(rows).sum::<u64>(), rows(&q));
    assert!(quality(&desk, "folder")["notes"].to_string().contains("read me.pdf"));
    assert!(desk.text("two/report.html").contains("orders-2022.csv and 1 more"));
}

#[test]
fn standard_input_is_a_log() {
    let desk = Desk::new();
    let text = shop_csv(120);
    desk.put("whole.csv", &text);
    run(&desk, &["whole.csv"], "file");
    let done = piped(&desk, &["run", "-", "--out", "piped", "--horizon", "90d", "--budget", "fast"], text.as_bytes());
    assert_eq!(done.code, 0, "{}", done.stderr);
    same_forecasts(&desk, "file", "piped");
    assert_eq!(quality(&desk, "piped")["sources"][0]["file"], "standard input");

    let nothing = piped(&desk, &["profile", "-"], b"");
    assert_eq!((nothing.code, nothing.stdout.as_str()), (3, ""));
    assert!(nothing.stderr.contains("`standard input` is empty"), "{}", nothing.stderr);
    let both = piped(&desk, &["profile", "-", "whole.csv"], text.as_bytes());
    assert_eq!(both.code, 2);
    assert!(both.stderr.contains("a whole log by itself"), "{}", both.stderr);
}

#[test]
fn what_is_not_there_or_there_twice() {
    let desk = Desk::new();
    yearly(&desk);
    for (args, code, words) in [
        (&["profile", "nowhere.csv"][..], 4, "nowhere.csv"),
        (&["profile", "exports/*.parquet"], 4, "no file in `exports` matches it"),
        (&["profile", "whole.csv", "./whole.csv"], 2, "named twice"),
    ] {
        let done = desk.guike(args);
        assert_eq!(done.code, code, "{}", done.stderr);
        assert!(done.stderr.contains(words), "{}", done.stderr);
    }
    std::fs::create_dir(desk.path("empty")).expect("can create a folder");
    let done = desk.guike(&["profile", "empty"]);
    assert_eq!(done.code, 4);
    assert!(done.stderr.contains("no file in this folder ends in one of csv"), "{}", done.stderr);
}

/// Invoices with cancellations, refunds, duplicates and rows that only look alike once order ids have lost their letters.
fn invoices() -> String {
    let mut text = String::from("InvoiceNo,StockCode,Quantity,InvoiceDate,UnitPrice,CustomerID\n");
    for (i, line) in shop_csv(150).lines().skip(1).enumerate() {
        let cells: Vec<&str> = line.split(',').collect();
        let (customer, day, price) = (cells[0], cells[1], cells[2]);
        text += &format!("{},SKU{},2,{day} 10:00:00,{price},{customer}\n", 1000 + i, i % 7);
        if i % 9 == 0 {
            // the same again, on the same invoice and on another one
            text += &format!("{},SKU{},2,{day} 10:00:00,{price},{customer}\n", 1000 + i, i % 7);
            text += &format!("{},SKU{},2,{day} 10:00:00,{price},{customer}\n", 90_000 + i, i % 7);
        }
        if i % 13 == 0 {
            text += &format!("C{},SKU{},-1,{day} 11:00:00,{price},{customer}\n", 50_000 + i, i % 7);
        }
    }
    text
}

#[test]
fn an_imported_log_gives_the_forecasts_of_the_original() {
    let desk = Desk::new();
    desk.put("orders.csv", invoices());
    run(&desk, &["orders.csv"], "raw");
    let done = desk.guike(&["import", "orders.csv", "--out", "orders.parquet"]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    run(&desk, &["orders.parquet"], "imported");
    same_forecasts(&desk, "raw", "imported");
    let (raw, imported) = (quality(&desk, "raw"), quality(&desk, "imported"));
    for field in ["rows_read", "rows_kept", "dropped", "found", "rules", "sources", "mapping"] {
        assert_eq!(raw[field], imported[field], "{field}");
    }
    assert!(imported["notes"].to_string().contains("not cleaned a second time"));
    assert!(raw["dropped"].as_array().is_some_and(|d| d.len() >= 2), "{}", raw["dropped"]);
}

#[test]
fn the_report_of_the_rows_names_today_only_where_it_mattered() {
    let desk = Desk::new();
    desk.put("log.csv", shop_csv(120));
    desk.put("later.csv", format!("{}C00001,2099-01-05,5.00\n", shop_csv(120)));
    let rules = |name: &str| {
        let done = desk.guike(&["profile", name, "--format", "json"]);
        assert_eq!(done.code, 0, "{}", done.stderr);
        let profile: serde_json::Value = serde_json::from_str(&done.stdout).expect("JSON");
        profile["quality"]["rules"].to_string()
    };
    assert!(rules("log.csv").contains("rows in the future dropped"), "{}", rules("log.csv"));
    assert!(rules("later.csv").contains("rows after 20"), "{}", rules("later.csv"));
}
