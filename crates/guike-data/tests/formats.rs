//! One small log in every dress a shop may give it; and the cleaning rules from the outside.

use std::io::Write;

use guike_core::{EventKind, Money, Quiet};
use guike_data::options::{Cancellations, Duplicates, Refunds, ZeroAmounts};
use guike_data::{ImportOptions, Imported, QualityReport, Reason, import, read_customers};

fn read(name: &str, bytes: &[u8], options: &ImportOptions) -> Imported {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).expect("room for a small file");
    import(&path, options, &Quiet).unwrap_or_else(|e| panic!("{name}: {e}"))
}

fn plain(text: &str) -> Imported {
    read("log.csv", text.as_bytes(), &ImportOptions::default())
}

fn with(text: &str, change: impl FnOnce(&mut ImportOptions)) -> Imported {
    let mut options = ImportOptions::default();
    change(&mut options);
    read("log.csv", text.as_bytes(), &options)
}

/// Every event as `customer time kind amount`.
fn events(i: &Imported) -> Vec<String> {
    let mut lines = Vec::new();
    for (c, id) in i.log.customer_ids().iter().enumerate() {
        let e = i.log.customer(c);
        for r in 0..e.len() {
            let kind = EventKind::from_u8(e.kind[r]).expect("a kind").name();
            lines.push(format!("{id} {} {kind} {}", guike_core::Timestamp(e.time[r]), Money(e.amount[r])));
        }
    }
    lines
}

const TABLE: &str = "会员ID,下单时间,实付金额,数量,商品编号\n张三,2024-05-01 10:00:00,1234.5,2,G1\n李四,2024-05-13 09:30:00,8.25,1,G2\n张三,2024-06-02 12:00:00,20,1,G1\n";

fn expected() -> Vec<String> {
    vec![
        "张三 2024-05-01 10:00:00 purchase 1234.50".into(),
        "张三 2024-06-02 12:00:00 purchase 20.00".into(),
        "李四 2024-05-13 09:30:00 purchase 8.25".into(),
    ]
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("writing to memory");
    encoder.finish().expect("writing to memory")
}

#[test]
fn every_dress_holds_the_same_log() {
    let gbk = encoding_rs::GBK.encode(TABLE).0.into_owned();
    let utf16: Vec<u8> = std::iter::once(0xfeff).chain(TABLE.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let json = "{\"会员ID\":\"张三\",\"下单时间\":\"2024-05-01T10:00:00Z\",\"实付金额\":1234.5}\n\
                {\"会员ID\":\"李四\",\"下单时间\":\"2024-05-13T09:30:00Z\",\"实付金额\":8.25}\n\
                {\"会员ID\":\"张三\",\"下单时间\":\"2024-06-02T12:00:00Z\",\"实付金额\":\"20\"}\n";
    let array = format!("[{}]", json.trim().replace('\n', ","));
    let two_members = [gzip(&TABLE.as_bytes()[..80]), gzip(&TABLE.as_bytes()[80..])].concat();
    for (name, bytes) in [
        ("plain.csv", TABLE.as_bytes().to_vec()),
        ("bom.csv", [b"\xef\xbb\xbf", TABLE.as_bytes()].concat()),
        ("gbk.csv", gbk.clone()),
        ("gbk.csv.gz", gzip(&gbk)),
        ("utf16.csv", utf16),
        ("windows.csv", TABLE.replace('\n', "\r\n").into_bytes()),
        ("old-mac.csv", TABLE.replace('\n', "\r").into_bytes()),
        ("no-end.csv", TABLE.trim_end().as_bytes().to_vec()),
        ("tabs.tsv", TABLE.replace(',', "\t").into_bytes()),
        ("pipes.txt", TABLE.replace(',', "|").into_bytes()),
        ("semicolons.csv", TABLE.replace(',', ";").into_bytes()),
        ("german.csv", TABLE.replace(',', ";").replace("1234.5", "1.234,50 €").replace("8.25", "8,25").into_bytes()),
        ("thousands.csv", TABLE.replace("1234.5", "\"￥1,234.50\"").into_bytes()),
        (
            "slashes.csv",
            TABLE
                .replace("2024-05-01", "01/05/2024")
                .replace("2024-05-13", "13/05/2024")
                .replace("2024-06-02", "02/06/2024")
                .into_bytes(),
        ),
        (
            "chinese-dates.csv",
            TABLE
                .replace("2024-05-01", "2024年5月1日")
                .replace("2024-05-13", "2024年5月13日")
                .replace("2024-06-02", "2024年6月2日")
                .into_bytes(),
        ),
        ("members.gz", two_members),
        ("named.wrong", zstd::stream::encode_all(TABLE.as_bytes(), 1).expect("writing to memory")),
        ("lines.jsonl", json.as_bytes().to_vec()),
        ("array.json", array.into_bytes()),
    ] {
        let imported = read(name, &bytes, &ImportOptions::default());
        assert_eq!(events(&imported), expected(), "{name}: {:?}", imported.quality.sources);
    }
}

#[test]
fn the_report_says_what_the_file_is() {
    let gbk = encoding_rs::GBK.encode(TABLE).0.replace_semicolons();
    let q = read("a.csv.gz", &gzip(&gbk), &ImportOptions::default()).quality;
    let source = &q.sources[0];
    assert_eq!((source.format.as_str(), source.compression.as_deref()), ("csv", Some("gzip")));
    assert_eq!(
        (source.encoding.as_deref(), source.delimiter.as_deref(), source.header),
        (Some("gb18030"), Some(";"), true)
    );
    assert_eq!(q.mapping[0].column, "会员ID");
    assert_eq!(q.amount, "column `实付金额`");
}

trait Semicolons {
    fn replace_semicolons(&self) -> Vec<u8>;
}

impl Semicolons for [u8] {
    fn replace_semicolons(&self) -> Vec<u8> {
        self.iter().map(|&b| if b == b',' { b';' } else { b }).collect()
    }
}

#[test]
fn fixed_width_cdnow_without_a_header() {
    let text = " 00001 19970101  1   11.77\n 00002 19970112  1   12.00\n 00002 19970112  5   77.00\n 00003 19970102  2   20.76\n";
    let i = read("CDNOW_master.txt", text.as_bytes(), &ImportOptions::default());
    assert_eq!(i.log.customer_ids(), ["00001", "00002", "00003"]);
    assert_eq!(events(&i)[2], "00002 1997-01-12 00:00:00 purchase 77.00");
    assert!(!i.quality.sources[0].header);
}

#[test]
fn any_number_of_threads_gives_the_same_log_and_report() {
    let mut text = String::from("user,time,amount,item\n");
    for i in 0..60_000_u64 {
        let x = i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        text.push_str(&format!(
            "u{},2024-{:02}-{:02} 1{}:00:00,{}.{:02},i{}\n",
            x % 999,
            x % 12 + 1,
            x % 31,
            x % 9,
            x % 77,
            x % 100,
            x % 321
        ));
    }
    let run = |threads: usize| -> (Vec<String>, QualityReport) {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        let imported = pool.install(|| plain(&text));
        (events(&imported), imported.quality)
    };
    let one = run(1);
    assert_eq!(one, run(3));
    assert!(one.1.dropped(Reason::UnparsableTime) > 0, "31 June and day 0 are no days");
}

#[test]
fn ids_keep_their_zeros_and_lose_a_float_columns_fraction() {
    let i = plain("customer_id,date,amount\n17850.0,2024-01-01,1\n9.0,2024-01-02,1\n,2024-01-03,1\n");
    assert_eq!(i.log.customer_ids(), ["9", "17850"]);
    let i = plain("customer_id,date,amount\n00010,2024-01-01,1\n9,2024-01-02,1\n");
    assert_eq!(i.log.customer_ids(), ["00010", "9"]);
}

#[test]
fn exact_duplicates_by_what_can_be_told_apart() {
    let daily = "customer_id,date,amount\na,2024-01-01,1\na,2024-01-01,1\n";
    let timed = "customer_id,date,amount\na,2024-01-01 10:00:00,1\na,2024-01-01 10:00:00,1\n";
    let ordered = "customer_id,date,amount,order_id\na,2024-01-01,1,7\na,2024-01-01,1,7\n";
    for (text, kept) in [(daily, 2), (timed, 1), (ordered, 1)] {
        let i = plain(text);
        assert_eq!((i.log.n_events(), i.quality.found.exact_duplicates), (kept, 1), "{text}");
    }
    assert_eq!(with(daily, |o| o.clean.duplicates = Duplicates::Drop).log.n_events(), 1);
    assert_eq!(with(timed, |o| o.clean.duplicates = Duplicates::Keep).log.n_events(), 2);
}

const INVOICES: &str = "InvoiceNo,StockCode,Quantity,InvoiceDate,UnitPrice,CustomerID\n\
    536365,22423,2,2010-12-01 08:26:00,12.75,17850\n\
    536366,85123A,6,2010-12-02 08:26:00,2.55,17850\n\
    C536367,85123A,-6,2010-12-02 09:00:00,2.55,17850\n\
    C536368,22423,-1,2010-12-09 09:00:00,12.75,17850\n\
    C536369,POST,-1,2010-12-10 09:00:00,18,17850\n\
    536370,22423,1,2010-12-11 09:00:00,0,17850\n\
    536371,TEST001,1,2010-12-11 09:00:00,4.5,17850\n\
    536372,POST,1,2010-12-12 09:00:00,18,17850\n";

#[test]
fn cancellations_refunds_tests_and_non_goods() {
    let i = plain(INVOICES);
    let f = &i.quality.found;
    assert_eq!(
        events(&i),
        [
            "17850 2010-12-01 08:26:00 purchase 25.50",
            "17850 2010-12-09 09:00:00 refund -12.75",
            "17850 2010-12-10 09:00:00 refund -18.00",
            "17850 2010-12-12 09:00:00 purchase 18.00",
        ]
    );
    assert_eq!((f.cancellation_rows, f.non_goods_rows, f.test_rows, f.zero_price), (3, 2, 1, 1));
    assert_eq!((f.cancellations_matched_same_day, f.cancellations_matched_later, f.cancellations_unmatched), (1, 1, 1));
    for reason in [Reason::CancelledPurchase, Reason::Cancellation, Reason::ZeroAmount, Reason::TestOrder] {
        assert_eq!(i.quality.dropped(reason), 1, "{reason:?}");
    }
    let i = with(INVOICES, |o| o.clean.cancellations = Cancellations::AnyDay);
    assert_eq!(events(&i)[0], "17850 2010-12-01 08:26:00 purchase 12.75");
    let i = with(INVOICES, |o| (o.clean.refunds, o.clean.cancellations) = (Refunds::Net, Cancellations::Refund));
    // 12.75, 15.30 and 18.00 given back of 25.50 and 15.30: both purchases are used up and 5.25 stay a refund
    assert_eq!(events(&i)[1..3], ["17850 2010-12-02 08:26:00 purchase 0.00", "17850 2010-12-10 09:00:00 refund -5.25"]);
    let i = with(INVOICES, |o| o.clean.drop_non_goods = true);
    assert_eq!(i.quality.dropped(Reason::NonGoods), 2);
    let i = with(INVOICES, |o| o.clean.zero_amounts = ZeroAmounts::Keep);
    assert_eq!(i.quality.dropped(Reason::ZeroAmount), 0);
}

#[test]
fn a_free_order_is_an_order_where_amounts_are_given() {
    assert_eq!(plain("customer_id,date,amount\na,2024-01-01,0\n").log.n_events(), 1);
}

#[test]
fn behaviour_logs_and_order_statuses() {
    let i = plain(
        "user_id,event_type,event_time,price,category\n1,view,2024-01-01 10:00:00,9.9,tea\n1,cart,2024-01-01 10:01:00,9.9,tea\n1,purchase,2024-01-01 10:02:00,9.9,tea\n1,refund,2024-01-03 10:02:00,9.9,tea\n",
    );
    assert_eq!(
        events(&i),
        [
            "1 2024-01-01 10:00:00 view 0.00",
            "1 2024-01-01 10:01:00 cart 0.00",
            "1 2024-01-01 10:02:00 purchase 9.90",
            "1 2024-01-03 10:02:00 refund -9.90",
        ]
    );
    assert_eq!(i.log.categories(), ["tea"]);
    let i = plain("用户ID,行为类型,时间戳,金额\n1,浏览,1704067200,\n1,购买,1704067260,5\n");
    // a view has no amount and needs none
    assert_eq!(events(&i), ["1 2024-01-01 00:00:00 view 0.00", "1 2024-01-01 00:01:00 purchase 5.00"]);
    let i = plain(
        "买家,订单创建时间,实付金额,订单状态\na,2024-01-01 10:00:00,5,交易成功\na,2024-01-02 10:00:00,6,交易关闭\nb,2024-01-03 10:00:00,7,已退款\n",
    );
    assert_eq!(events(&i), ["a 2024-01-01 10:00:00 purchase 5.00", "b 2024-01-03 10:00:00 refund -7.00"]);
    assert_eq!(i.quality.dropped(Reason::NotCompleted), 1);
}

#[test]
fn examples_never_show_an_id_or_a_name() {
    let i = plain(
        "customer_id,date,amount\nAnn Smith,Ann's birthday,1\nBob,2024-01-02,1\nBob,2024-01-03,1\nEve,2024-01-04,12 apples\nEve,2024-01-05,3\nEve,2024-01-05,3\nEve,2024-01-05,3\nEve,2024-01-05,3\nEve,2024-01-05,3\nEve,2024-01-06,3\nEve,2024-01-07,3\n",
    );
    let json = serde_json::to_string(&i.quality).expect("a report is plain data");
    assert!(json.contains(r#"{"row":1,"column":"date","value":"xxx'x xxxxxxxx"}"#), "{json}");
    assert!(json.contains(r#"{"row":4,"column":"amount","value":"99 xxxxxx"}"#), "{json}");
    assert!(!json.contains("Ann") && !json.contains("apples"));
}

#[test]
fn attributes_are_joined_to_the_logs_customers() {
    let i = plain("customer_id,date,amount\n10,2024-01-01,1\n9,2024-01-02,1\n8,2024-01-02,1\n");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("customers.csv");
    std::fs::write(&path, "customer_id,age,city\n10.0,\"30,5\",Köln\n7.0,20,Bonn\n9.0,,Bonn\n9.0,99,Bonn\n")
        .expect("room");
    let read = read_customers(&path, &Default::default(), i.log.customer_ids(), &Quiet).expect("attributes");
    assert_eq!((read.rows_read, read.matched, read.unused), (4, 2, 2));
    let age = read.attributes.column("age").and_then(|c| c.as_numeric()).expect("numbers");
    assert!(age[0].is_nan() && age[1].is_nan() && age[2] == 30.5, "{age:?}");
    std::fs::write(&path, "customer_id,age\nx,1\n").expect("room");
    let error =
        read_customers(&path, &Default::default(), i.log.customer_ids(), &Quiet).expect_err("nobody").to_string();
    assert!(error.contains("names a customer of the log"), "{error}");
}

/// A zip archive without compression: enough for a workbook.
fn zip(files: &[(&str, String)]) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for (name, text) in files {
        let mut crc = flate2::Crc::new();
        crc.update(text.as_bytes());
        let mut header = vec![20, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        header.extend_from_slice(&crc.sum().to_le_bytes());
        header.extend_from_slice(&(text.len() as u32).to_le_bytes());
        header.extend_from_slice(&(text.len() as u32).to_le_bytes());
        header.extend_from_slice(&(name.len() as u16).to_le_bytes());
        header.extend_from_slice(&[0, 0]);
        let offset = out.len() as u32;
        out.extend_from_slice(b"PK\x03\x04");
        out.extend_from_slice(&header);
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(text.as_bytes());
        directory.extend_from_slice(b"PK\x01\x02\x14\x00");
        directory.extend_from_slice(&header);
        directory.extend_from_slice(&[0; 10]);
        directory.extend_from_slice(&offset.to_le_bytes());
        directory.extend_from_slice(name.as_bytes());
    }
    let (start, size, n) = (out.len() as u32, directory.len() as u32, files.len() as u16);
    out.append(&mut directory);
    out.extend_from_slice(b"PK\x05\x06\0\0\0\0");
    out.extend_from_slice(&n.to_le_bytes());
    out.extend_from_slice(&n.to_le_bytes());
    out.extend_from_slice(&size.to_le_bytes());
    out.extend_from_slice(&start.to_le_bytes());
    out.extend_from_slice(&[0, 0]);
    out
}

#[test]
fn workbooks_of_several_sheets() {
    let sheet = |rows: &[&[&str]]| {
        let cell = |text: &&str| match text.strip_prefix('@') {
            // style 1 is a date
            Some(serial) => format!("<c s=\"1\"><v>{serial}</v></c>"),
            None if text.parse::<f64>().is_ok() => format!("<c><v>{text}</v></c>"),
            None => format!("<c t=\"inlineStr\"><is><t>{text}</t></is></c>"),
        };
        let row = |row: &&[&str]| format!("<row>{}</row>", row.iter().map(cell).collect::<String>());
        let rows: String = rows.iter().map(row).collect();
        format!(
            "<?xml version=\"1.0\"?><worksheet xmlns=\"http://schemas.openxmlformats.org/spreadsheetml/2006/main\"><sheetData>{rows}</sheetData></worksheet>"
        )
    };
    let header: &[&str] = &["Customer ID", "InvoiceDate", "Price", "Quantity", "Invoice"];
    let main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
    let relations = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    let package = "http://schemas.openxmlformats.org/package/2006/relationships";
    let book = zip(&[
        (
            "_rels/.rels",
            format!(
                "<Relationships xmlns=\"{package}\"><Relationship Id=\"r0\" Type=\"{relations}/officeDocument\" Target=\"xl/workbook.xml\"/></Relationships>"
            ),
        ),
        (
            "xl/workbook.xml",
            format!(
                "<workbook xmlns=\"{main}\" xmlns:r=\"{relations}\"><sheets><sheet name=\"2009\" sheetId=\"1\" r:id=\"r1\"/><sheet name=\"2010\" sheetId=\"2\" r:id=\"r2\"/><sheet name=\"notes\" sheetId=\"3\" r:id=\"r3\"/></sheets></workbook>"
            ),
        ),
        (
            "xl/_rels/workbook.xml.rels",
            format!(
                "<Relationships xmlns=\"{package}\"><Relationship Id=\"r1\" Type=\"{relations}/worksheet\" Target=\"worksheets/sheet1.xml\"/><Relationship Id=\"r2\" Type=\"{relations}/worksheet\" Target=\"worksheets/sheet2.xml\"/><Relationship Id=\"r3\" Type=\"{relations}/worksheet\" Target=\"worksheets/sheet3.xml\"/><Relationship Id=\"r4\" Type=\"{relations}/styles\" Target=\"styles.xml\"/></Relationships>"
            ),
        ),
        (
            "xl/styles.xml",
            format!(
                "<styleSheet xmlns=\"{main}\"><cellXfs count=\"2\"><xf numFmtId=\"0\"/><xf numFmtId=\"22\" applyNumberFormat=\"1\"/></cellXfs></styleSheet>"
            ),
        ),
        (
            "xl/worksheets/sheet1.xml",
            sheet(&[
                header,
                &["17850", "@40513.3513888889", "2.5", "6", "536365"],
                &["13047", "@40513.5", "1", "1", "536366"],
            ]),
        ),
        ("xl/worksheets/sheet2.xml", sheet(&[header, &["17850", "@40544", "2", "3", "536367"]])),
        ("xl/worksheets/sheet3.xml", sheet(&[&["anything else"], &["1"]])),
    ]);
    let i = read("orders.xlsx", &book, &ImportOptions::default());
    assert_eq!(i.quality.sources[0].sheets, ["2009", "2010"]);
    assert_eq!(
        events(&i),
        [
            "13047 2010-12-01 12:00:00 purchase 1.00",
            "17850 2010-12-01 08:26:00 purchase 15.00",
            "17850 2011-01-01 00:00:00 purchase 6.00",
        ]
    );
    let mut options = ImportOptions::default();
    options.read.sheet = Some("2010".into());
    assert_eq!(read("orders.bin", &book, &options).log.n_events(), 1);
}

/// A database with a table that is no log before the one that is, and a view of it.
fn database(folder: &std::path::Path) -> std::path::PathBuf {
    let path = folder.join("shop.db");
    let db = rusqlite::Connection::open(&path).expect("room for a database");
    let statements = "CREATE TABLE \"a \"\"note\"\"\" (id INTEGER PRIMARY KEY, said TEXT);
         INSERT INTO \"a \"\"note\"\"\" VALUES (1, 'call back'), (2, NULL);
         CREATE TABLE no_rows (customer_id TEXT, date TEXT, amount REAL);
         CREATE TABLE orders (会员ID TEXT, 下单时间 TEXT, 实付金额 REAL, 数量 INTEGER, 商品编号 TEXT, 备注 BLOB);
         INSERT INTO orders VALUES ('张三', '2024-05-01 10:00:00', 1234.5, 2, 'G1', NULL),
             ('李四', '2024-05-13 09:30:00', 8.25, 1, 'G2', x'00ff'), (' 张三', '2024-06-02 12:00:00', 20, 1, 'G1', NULL);
         CREATE VIEW recent AS SELECT * FROM orders WHERE 下单时间 >= '2024-05-10';";
    db.execute_batch(statements).expect("plain SQL");
    path
}

#[test]
fn a_database_holds_the_same_log_in_one_of_its_tables() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = database(folder.path());
    let read = import(&path, &ImportOptions::default(), &Quiet).expect("the log is there");
    assert_eq!(events(&read), expected());
    let source = &read.quality.sources[0];
    assert_eq!((source.format.as_str(), source.sheets.as_slice()), ("sqlite", &["orders".to_owned()][..]));
    assert_eq!(source.sheets_left_out, ["a \"note\"", "no_rows", "recent"]);
    let named = |table: &str| {
        let mut options = ImportOptions::default();
        options.read.sheet = Some(table.to_owned());
        import(&path, &options, &Quiet)
    };
    assert_eq!(events(&named("recent").expect("a view")), expected()[1..]);
    let unknown = named("order").expect_err("there is none").to_string();
    assert!(unknown.contains("--sheet") && unknown.contains("orders") && unknown.contains("recent"), "{unknown}");
}

#[test]
fn a_large_table_of_a_database_is_the_log_that_a_file_of_it_is() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("large.db");
    let mut db = rusqlite::Connection::open(&path).expect("room for a database");
    let all = db.transaction().expect("nobody else writes");
    all.execute_batch("CREATE TABLE orders (customer_id INTEGER, date TEXT, amount REAL)").expect("plain SQL");
    let mut text = String::from("customer_id,date,amount\n");
    for i in 0..40_000_u32 {
        let (customer, day, amount) =
            (i % 977, format!("2024-{:02}-{:02}", i / 28 % 12 + 1, i % 28 + 1), f64::from(i % 9999) / 100.0 + 1.0);
        all.execute("INSERT INTO orders VALUES (?1, ?2, ?3)", (customer, &day, amount)).expect("a row");
        text += &format!("{customer},{day},{amount}\n");
    }
    all.commit().expect("room");
    let read = import(&path, &ImportOptions::default(), &Quiet).expect("the log is there");
    assert_eq!(events(&read), events(&plain(&text)));
    assert_eq!(read.quality.rows_read, 40_000);
}

#[test]
fn a_database_that_cannot_be_read_says_so() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let bytes = std::fs::read(database(folder.path())).expect("it was written");
    let refused = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).expect("room");
        import(&path, &ImportOptions::default(), &Quiet).expect_err(name).to_string()
    };
    let cut = refused("cut.db", &bytes[..5000]);
    assert!(cut.contains("cut.db") && cut.contains("SQLite database"), "{cut}");
    let packed = refused("packed.db.gz", &gzip(&bytes));
    assert!(packed.contains("unpack it first"), "{packed}");
    let path = folder.path().join("empty.db");
    rusqlite::Connection::open(&path)
        .and_then(|db| db.execute_batch("CREATE TABLE t (a); DROP TABLE t"))
        .expect("room");
    let empty = import(&path, &ImportOptions::default(), &Quiet).expect_err("no table").to_string();
    assert!(empty.contains("empty.db"), "{empty}");
}
