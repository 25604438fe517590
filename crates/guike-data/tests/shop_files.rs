//! What shops' files look like beyond the clean table: titles, totals, split times, concatenated exports, odd digits.
//!
//! Each test is a file that a person has handed in somewhere, and what must become of it: the right events, or words that
//! help.

use guike_core::{EventKind, Money, Quiet};
use guike_data::{ImportOptions, Imported, Reason, import};

fn with(bytes: impl AsRef<[u8]>, change: impl FnOnce(&mut ImportOptions)) -> Result<Imported, String> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("log.csv");
    std::fs::write(&path, bytes).expect("room for a small file");
    let mut options = ImportOptions::default();
    change(&mut options);
    let imported = import(&path, &options, &Quiet).map_err(|e| e.to_string())?;
    let dropped: u64 = imported.quality.dropped.iter().map(|d| d.rows).sum();
    assert_eq!(imported.quality.rows_read, imported.quality.rows_kept + dropped, "every row is accounted for");
    Ok(imported)
}

fn read(bytes: impl AsRef<[u8]>) -> Imported {
    with(&bytes, |_| {}).unwrap_or_else(|e| panic!("{e}:\n{}", String::from_utf8_lossy(bytes.as_ref())))
}

fn refused(bytes: impl AsRef<[u8]>) -> String {
    with(bytes, |_| {}).expect_err("refused")
}

/// Every event as `customer time kind amount`.
fn events(i: &Imported) -> Vec<String> {
    let mut lines = Vec::new();
    for (c, id) in i.log.customer_ids().iter().enumerate() {
        let e = i.log.customer(c);
        for r in 0..e.len() {
            let kind = match EventKind::from_u8(e.kind[r]).expect("a kind") {
                EventKind::Purchase => String::new(),
                other => format!(" {}", other.name()),
            };
            let time = guike_core::Timestamp(e.time[r]).to_string();
            let time = time.strip_suffix(" 00:00:00").unwrap_or(&time).to_owned();
            lines.push(format!("{id} {time}{kind} {}", Money(e.amount[r])));
        }
    }
    lines
}

#[test]
fn a_date_and_a_time_of_day_in_columns_of_their_own() {
    let expected = ["U1 2024-05-01 14:23:00 5.00", "U2 2024-05-02 09:05:30 6.00"];
    for (day, clock, first, second) in [
        ("date", "time", "14:23", "9:05:30"),
        ("下单日期", "下单时间", "14:23:00", "09:05:30"),
        ("日期", "时间", "下午2:23", "上午9:05:30"),
        ("Date", "Time", "2:23 PM", "9:05:30 AM"),
        ("trans_date", "trans_time", "142300", "90530"),
    ] {
        let text = format!("customer_id,{day},{clock},amount\nU1,2024-05-01,{first},5\nU2,2024-05-02,{second},6\n");
        let i = read(&text);
        assert_eq!(events(&i), expected, "{text}");
        assert!(i.quality.mapping.iter().any(|m| m.role == "clock" && m.column == clock), "{:?}", i.quality.mapping);
    }
    // minutes and hours of a till
    let i = read("household_key,DAY,BASKET,SALES_VALUE,TRANS_TIME\n1,2024-05-01,7,5,1423\n1,2024-05-02,8,6,905\n");
    assert_eq!(events(&i), ["1 2024-05-01 14:23:00 5.00", "1 2024-05-02 09:05:00 6.00"]);
    // a broken clock is a broken time, an empty one leaves the day
    let i = read(
        "customer_id,date,time,amount\nU1,2024-05-01,25:99,5\nU1,2024-05-02,,6\nU1,2024-05-03,10:00,7\nU1,2024-05-04,10:00,7\nU1,2024-05-05,10:00,7\nU1,2024-05-06,10:00,7\nU1,2024-05-07,10:00,7\nU1,2024-05-08,10:00,7\nU1,2024-05-09,10:00,7\nU1,2024-05-10,10:00,7\nU1,2024-05-11,10:00,7\nU1,2024-05-12,10:00,7\n",
    );
    assert_eq!(events(&i)[0], "U1 2024-05-02 6.00");
    let dropped = &i.quality.dropped[0];
    assert_eq!((dropped.reason, dropped.examples[0].column.as_deref()), (Reason::UnparsableTime, Some("time")));
    // a column beside full moments is something else
    let i = read("customer_id,order_date,delivery_time,amount\nU1,2024-05-01 08:00:00,14:23,5\n");
    assert_eq!(events(&i), ["U1 2024-05-01 08:00:00 5.00"]);
}

#[test]
fn titles_above_and_totals_below_the_table() {
    let text = "2024年5月销售明细,,,\n店铺：旗舰店,,导出时间：2024-06-01 09:00,\n,,,\n会员ID,下单日期,实付金额,备注\nU1,2024-05-01,5,\nU2,2024-05-02,6,急\n合计,,11,\n";
    let i = read(text);
    assert_eq!(events(&i), ["U1 2024-05-01 5.00", "U2 2024-05-02 6.00"]);
    let source = &i.quality.sources[0];
    assert_eq!((source.title_lines, source.rows_read), (3, 3));
    assert_eq!(i.quality.dropped(Reason::TotalLine), 1);
    for text in [
        "Orders of the web shop\n\ncustomer_id,date,amount\n1,2024-05-01,5\n2,2024-05-02,6\nGrand total,,11\n",
        "# exported by till 7\ncustomer_id;date;amount\n1;2024-05-01;5\n2;2024-05-02;6\nSubtotal;;11\nTotal;;11\n",
        "sep=;\ncustomer_id;date;amount\n1;2024-05-01;5\n2;2024-05-02;6\n",
        "customer_id,date,amount\n1,2024-05-01,5\n2,2024-05-02,6\n,Total:,11\n",
    ] {
        assert_eq!(events(&read(text)), ["1 2024-05-01 5.00", "2 2024-05-02 6.00"], "{text}");
    }
    let given = with("1;x\n2;y\nkunde;tag;wert\nA;2024-05-01;5,5\nA;2024-05-02;6\n", |o| {
        o.read.title_lines = Some(2);
        (o.read.customer, o.read.amount) = (Some("kunde".into()), Some("wert".into()));
    });
    assert_eq!(events(&given.expect("read")), ["A 2024-05-01 5.50", "A 2024-05-02 6.00"]);
    // a customer may be called Total as long as she buys on a day
    assert_eq!(events(&read("customer,date,amount\nTotal,2024-05-01,5\n")), ["Total 2024-05-01 5.00"]);
}

#[test]
fn exports_that_were_put_one_after_another_repeat_their_header() {
    let part = "customer_id,date,amount\n17850.0,2024-05-01,5\n";
    let i = read(format!("{part}{part}{}", part.replace("05-01", "06-01")));
    assert_eq!(events(&i), ["17850 2024-05-01 5.00", "17850 2024-05-01 5.00", "17850 2024-06-01 5.00"]);
    assert_eq!(i.quality.dropped(Reason::RepeatedHeader), 2);
}

#[test]
fn ids_that_a_spreadsheet_has_rounded_are_refused() {
    let error = refused("会员ID,下单时间,金额\n2.02401E+17,2024-05-01,5\n2.02401E+17,2024-05-02,6\n");
    assert!(error.contains("会员ID") && error.contains("text"), "{error}");
    let error = refused("customer_id,date,amount\n202405010001230000,2024-05-01,5\n202405010001240000,2024-05-02,6\n");
    assert!(error.contains("rounded"), "{error}");
    // long ids that are whole are fine
    let i = read("customer_id,date,amount\n202405010001230001,2024-05-01,5\n202405010001240002,2024-05-02,6\n");
    assert_eq!(i.log.n_customers(), 2);
}

#[test]
fn amounts_as_people_write_them() {
    for (cell, amount) in [
        ("\"(1,234.50)\"", "-1234.50"),
        ("-￥5.00", "-5.00"),
        ("5.00 元", "5.00"),
        ("５．００", "5.00"),
        ("￥１２３", "123.00"),
        ("RMB 5", "5.00"),
        ("1.2万", "12000.00"),
        ("\"1 234,5\"", "1234.50"),
        ("5-", "-5.00"),
        ("\"US$1,000\"", "1000.00"),
        ("1e2", "100.00"),
    ] {
        let text = format!("customer_id,date,amount\nU1,2024-05-01,{cell}\n");
        let i = read(&text);
        let line = events(&i).pop().expect("an event");
        assert!(line.ends_with(&format!(" {amount}")), "{cell}: {line}");
    }
}

#[test]
fn dates_as_people_write_them() {
    for cell in [
        "2024年05月01日",
        "2024年5月1日",
        "2024/5/1",
        "2024.05.01",
        "２０２４－０５－０１",
        "20240501",
        "2024-05-01T00:00:00+08:00",
        "1 May 2024",
        "May 1, 2024",
        "Wed May 01 2024",
        "2024-5-1",
        "45413",
        "1714521600",
    ] {
        let text = format!("customer_id,date,amount\nU1,\"{cell}\",5\n");
        assert_eq!(events(&read(&text)), ["U1 2024-05-01 5.00"], "{cell}");
    }
    for (cell, time) in [
        ("2024-05-01 14:23", "14:23:00"),
        ("2024/5/1 2:23:00 PM", "14:23:00"),
        ("2024年5月1日 下午2:23", "14:23:00"),
        ("2024年5月1日14时23分", "14:23:00"),
        ("2024-05-01 14：23：00", "14:23:00"),
        ("2024-05-01  14:23:00.123", "14:23:00"),
        ("2024-05-01 14:23:00 CST", "14:23:00"),
        ("2024-05-01 14:23:00 +0800 CST", "14:23:00"),
        ("Wed May 01 14:23:00 2024", "14:23:00"),
        ("01-May-2024 02:23 PM", "14:23:00"),
    ] {
        let text = format!("customer_id,date,amount\nU1,\"{cell}\",5\n");
        assert_eq!(events(&read(&text)), [format!("U1 2024-05-01 {time} 5.00")], "{cell}");
    }
}

#[test]
fn columns_that_are_empty_and_rows_that_are_ragged() {
    // trailing delimiters, empty columns in between, blank rows
    let i = read("customer_id,,date,amount,,\n1,,2024-05-01,5,,\n,,,,,\n2,,2024-05-02,6,,\n");
    assert_eq!(events(&i), ["1 2024-05-01 5.00", "2 2024-05-02 6.00"]);
    // an unquoted comma in a text cell gives one cell more
    let i = read("customer_id,date,amount,note\n1,2024-05-01,5,ok\n2,2024-05-02,6,red, large\n3,2024-05-03,7,\n");
    assert_eq!(i.quality.dropped(Reason::CellCount), 1);
    // R leaves the name of the row names out
    let i = read("customer_id,date,amount\n1,A,2024-05-01,5\n2,B,2024-05-02,6\n");
    assert_eq!(events(&i), ["A 2024-05-01 5.00", "B 2024-05-02 6.00"]);
}

#[test]
fn thousands_points_behind_semicolons() {
    let i = read("Kunde;Datum;Betrag\nA;13.05.2024;1.234\nA;14.05.2024;999\nB;15.05.2024;12.500\n");
    assert_eq!(events(&i), ["A 2024-05-13 1234.00", "A 2024-05-14 999.00", "B 2024-05-15 12500.00"]);
    assert!(i.quality.notes.iter().any(|n| n.contains("--decimal point")), "{:?}", i.quality.notes);
    let i = read("customer_id,date,amount\nA,2024-05-13,1.234\nA,2024-05-14,999\n");
    assert!(i.quality.notes.iter().any(|n| n.contains("--decimal comma")), "{:?}", i.quality.notes);
}

#[test]
fn the_total_of_an_order_on_each_of_its_lines_is_noticed() {
    let lines = |amount: fn(usize) -> usize| -> String {
        (0..60)
            .map(|i| format!("{},C{},2024-05-{:02},p{},{}.50\n", i / 2, i / 2 % 7, i / 2 % 28 + 1, i % 5, amount(i)))
            .collect()
    };
    let header = "order_id,customer_id,date,product,amount\n";
    let remark = |text: String| read(text).quality.notes.iter().any(|n| n.contains("once per line"));
    assert!(remark(format!("{header}{}", lines(|i| 10 + i / 2))));
    assert!(!remark(format!("{header}{}", lines(|i| 10 + i))));
    assert!(!remark(format!("{header}{}", lines(|_| 10))));
}

#[test]
fn one_row_is_a_log() {
    assert_eq!(events(&read("customer_id,date,amount\n007,2024-05-01,5")), ["007 2024-05-01 5.00"]);
}

#[test]
fn a_part_in_another_encoding_is_said_so() {
    let mut bytes = "客户,日期,金额\n张三,2024-05-01,5\n".as_bytes().to_vec();
    bytes.extend(encoding_rs::GBK.encode("李四,2024-05-02,6\n").0.iter());
    let i = read(&bytes);
    assert_eq!(i.log.customer_ids(), ["张三", "李四"]);
    assert!(i.quality.notes.iter().any(|n| n.contains("encoding")), "{:?}", i.quality.notes);
}

#[test]
fn utf_16_without_a_mark_is_text() {
    let text = "customer_id,date,amount\n1,2024-05-01,5\n2,2024-05-02,6\n";
    let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    for bytes in [big, little] {
        assert_eq!(read(&bytes).log.n_events(), 2);
    }
}
