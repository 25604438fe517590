//! Databases as sources and targets, on real servers that each test starts for itself.
//!
//! A test whose server is not installed says so and passes; `./check` installs them where it may.

mod proxy;
mod servers;

use std::fmt::Write as _;
use std::fs::File;
use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::{Array, StringArray};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::support::{Desk, Ended, ended};
use proxy::BadLine;
use servers::{Kind, PASSWORD, Server, say};

/// A row of the shop: id, buyer, moment, what was paid, item.
type Order = (u64, String, String, String, Option<&'static str>);

/// Orders of every kind of text.
fn orders(n: u64) -> Vec<Order> {
    const ITEMS: [Option<&str>; 5] = [Some("茶🙂"), Some("it's \"it\""), Some("a\\b, c"), None, Some("Grün")];
    let order = |id: u64| {
        let minute = id * 37;
        let (day, hour, minute) = (minute / 1_440, minute / 60 % 24, minute % 60);
        let moment = format!("2024-{:02}-{:02} {hour:02}:{minute:02}:00", 1 + day / 28 % 12, 1 + day % 28);
        let paid = format!("{}.{:02}", 3 + id * 7919 % 400, id * 31 % 100);
        (id, format!("客{}", id * id % 97), moment, paid, ITEMS[(id % 5) as usize])
    };
    (1..=n).map(order).collect()
}

fn csv(orders: &[Order]) -> String {
    let mut text = "id,buyer,bought_at,paid,item\n".to_owned();
    for (id, buyer, moment, paid, item) in orders {
        let item = item.unwrap_or_default().replace('"', "\"\"");
        let _ = writeln!(text, "{id},{buyer},{moment},{paid},\"{item}\"");
    }
    text
}

fn inserted(orders: &[Order]) -> String {
    let text = |t: &str| format!("'{}'", t.replace('\'', "''"));
    let row = |(id, buyer, moment, paid, item): &Order| {
        let item = item.map_or("NULL".to_owned(), text);
        format!("({id},{},{},{paid},{item})", text(buyer), text(moment))
    };
    let rows: Vec<String> = orders.iter().map(row).collect();
    format!("INSERT INTO orders (id, buyer, bought_at, paid, item) VALUES {};", rows.join(",\n"))
}

/// `guike ARGS` with the password in its environment.
fn guike(desk: &Desk, args: &[&str]) -> Ended {
    let output = desk.command(args).env("GUIKE_DB_PASSWORD", PASSWORD).output();
    ended(&output.expect("the binary starts"))
}

fn done(desk: &Desk, args: &[&str]) -> String {
    let ended = guike(desk, args);
    assert_eq!(ended.code, 0, "{args:?}: {}", ended.stderr);
    ended.stderr
}

/// What fails, with its words, which never hold the secret and leave nothing behind.
fn refused(desk: &Desk, code: i32, args: &[&str], password: &str) -> String {
    let before = desk.names();
    let output = desk.command(args).env("GUIKE_DB_PASSWORD", password).output();
    let ended = ended(&output.expect("the binary starts"));
    assert_eq!(ended.code, code, "{args:?}: {}", ended.stderr);
    assert!(!ended.stderr.contains(password), "the secret is told: {}", ended.stderr);
    assert_eq!(desk.names(), before, "something is left of {args:?}");
    ended.stderr
}

/// The pages of a Parquet file, without the footer, which tells where the rows come from.
fn pages(path: &Path) -> Vec<u8> {
    let mut bytes = std::fs::read(path).expect("written");
    let at = bytes.len() - 8;
    let footer = u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes")) as usize;
    bytes.truncate(at - footer);
    bytes
}

/// The rows of a copy.
fn rows(path: &Path) -> Vec<Vec<Option<String>>> {
    let file = File::open(path).expect("written");
    let batches = ParquetRecordBatchReaderBuilder::try_new(file).expect("Parquet").build().expect("readable");
    let mut rows = Vec::new();
    for batch in batches {
        let batch = batch.expect("whole");
        let columns: Vec<&StringArray> = batch.columns().iter().map(|c| c.as_string()).collect();
        let cell = |c: &&StringArray, i: usize| c.is_valid(i).then(|| c.value(i).to_owned());
        rows.extend((0..batch.num_rows()).map(|i| columns.iter().map(|c| cell(c, i)).collect::<Vec<_>>()));
    }
    rows
}

/// The log as every source should tell it.
fn imported(desk: &Desk, source: &[&str], out: &str) -> Vec<u8> {
    done(desk, &[&["import"], source, &["--out", out]].concat());
    pages(&desk.path(out))
}

/// The cells of one row of a query, as text.
fn cells(desk: &Desk, server: &Server, sql: &str, zone: &str) -> Vec<Option<String>> {
    server.sql(&format!("DROP TABLE IF EXISTS odd; {sql}"));
    let address = format!("{}?timezone={zone}", server.address("reader"));
    done(desk, &["sync", &address, "--table", "odd", "--watermark", "id", "--into", "odd.parquet"]);
    let rows = rows(&desk.path("odd.parquet"));
    std::fs::remove_file(desk.path("odd.parquet")).expect("there");
    rows.into_iter().next().expect("one row")
}

fn texts(cells: &[Option<String>]) -> Vec<&str> {
    cells.iter().map(|c| c.as_deref().unwrap_or("NULL")).collect()
}

/// What a wrong password, an unknown table, missing rights, a missing database and no encryption are answered with.
fn mistakes(desk: &Desk, server: &Server, without_tls: &str, with_tls: &str) {
    let reader = server.address("reader");
    let words = refused(desk, 6, &["profile", &reader], "Wrong-Word");
    assert!(words.contains("cannot connect to") && words.contains(&reader), "{words}");
    let words = refused(desk, 4, &["profile", &reader, "--table", "order"], PASSWORD);
    assert!(words.contains("no table `order`") && words.contains("orders"), "{words}");
    let words = refused(desk, 3, &["import", &reader, "--query", "SELECT byer FROM orders", "--out", "x"], PASSWORD);
    assert!(words.contains("refused to answer the query") && words.contains("byer"), "{words}");
    let words = refused(desk, 6, &["profile", &format!("{reader}?{with_tls}")], PASSWORD);
    assert!(words.contains("TLS") && words.contains(without_tls), "{words}");
    let words = refused(desk, 2, &["profile", &reader, "orders.csv"], PASSWORD);
    assert!(words.contains("a log by itself"), "{words}");
    let words = refused(desk, 2, &["profile", "orders.csv", "--query", "SELECT 1"], PASSWORD);
    assert!(words.contains("--query"), "{words}");
    let nobody = server.address_at("reader", 1);
    let words = refused(desk, 7, &["sync", &nobody, "--table", "t", "--watermark", "id", "--into", "x"], PASSWORD);
    assert!(words.contains("check host, port"), "{words}");
}

/// Results go into a table, and again over themselves.
fn written_back(desk: &Desk, server: &Server, table: &str) {
    done(
        desk,
        &[
            "run",
            "orders.csv",
            "--out",
            "out",
            "--horizon",
            "60d",
            "--budget",
            "fast",
            "--model",
            "pareto-nbd+gamma-gamma",
        ],
    );
    let writer = server.address("writer");
    for _ in 0..2 {
        let words = done(desk, &["export", "out", "--to", &writer, "--table", table]);
        assert!(words.contains("wrote 97 customers") || words.contains("wrote 49 customers"), "{words}");
    }
}

#[test]
fn mysql_tells_what_the_csv_file_tells() {
    let Some(mut server) = Server::start(Kind::MariaDb) else { return };
    let (desk, orders) = (Desk::new(), orders(3_000));
    desk.put("orders.csv", csv(&orders));
    server.sql(
        "CREATE TABLE orders (id BIGINT UNSIGNED PRIMARY KEY, buyer VARCHAR(20), bought_at DATETIME, paid DECIMAL(10,2), \
         item VARCHAR(40), updated_at TIMESTAMP(6) DEFAULT CURRENT_TIMESTAMP(6)); \
         CREATE TABLE people (id INT PRIMARY KEY, name VARCHAR(20)); INSERT INTO people VALUES (1, 'x'); \
         CREATE VIEW broken AS SELECT id FROM people; SET sql_mode = 'NO_BACKSLASH_ESCAPES';",
    );
    server.sql(&format!("SET sql_mode = 'NO_BACKSLASH_ESCAPES'; {}", inserted(&orders)));
    server.sql("DROP TABLE people;");
    let file = imported(&desk, &["orders.csv"], "csv.parquet");
    let reader = server.address("reader");
    // the table is found among others, a view that cannot be read among them
    assert!(imported(&desk, &[&reader], "found.parquet") == file, "the table that was found tells something else");
    let query = "SELECT id, buyer, bought_at, paid, item FROM orders ORDER BY id;";
    assert!(imported(&desk, &[&reader, "--query", query], "query.parquet") == file, "the query tells something else");

    let odd = "CREATE TABLE odd (id BIGINT UNSIGNED PRIMARY KEY, gbk VARCHAR(20) CHARACTER SET gbk, emoji TEXT, money \
               DECIMAL(30,10), moment TIMESTAMP(3), day DATE, hour TIME, flag BIT(3), raw VARBINARY(4), f DOUBLE, kind ENUM('a','b'), \
               nothing INT, js JSON); SET time_zone = '+00:00'; INSERT INTO odd VALUES (18446744073709551615, '订单', '🙂\\t\\n茶', \
               12345678901234567890.0123456789, '2024-05-01 10:00:00.250', '2024-05-01', '23:59:59', b'101', x'00ff', 0.1, 'b', NULL, \
               '{\"a\":1}');";
    let found = cells(&desk, &server, odd, "%2B08:00");
    let expected = [
        "18446744073709551615",
        "订单",
        "🙂\t\n茶",
        "12345678901234567890.0123456789",
        "2024-05-01 18:00:00.250",
        "2024-05-01",
        "23:59:59",
        "5",
        "00ff",
        "0.1",
        "b",
        "NULL",
        "{\"a\":1}",
    ];
    assert_eq!(texts(&found), expected);

    mistakes(&desk, &server, "ssl-mode=DISABLED", "ssl-mode=REQUIRED");
    written_back(&desk, &server, "value");
    server.sql("SELECT 1 / (SELECT COUNT(*) FROM crm.value WHERE expected_spend > 0 AND as_of LIKE '2024-%');");
    let words = refused(&desk, 3, &["export", "out", "--to", &reader, "--table", "value"], PASSWORD);
    assert!(words.contains("refused to write `value`"), "{words}");
    // whoever waits for a slow query may stop waiting
    let slow = ["import", &reader, "--query", "SELECT SLEEP(60) AS id", "--out", "slow.parquet"];
    let mut command = desk.command(&slow);
    let mut child = command.env("GUIKE_DB_PASSWORD", PASSWORD).spawn().expect("the binary starts");
    std::thread::sleep(std::time::Duration::from_millis(1_500));
    let begun = std::time::Instant::now();
    let asked = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(asked.expect("kill is there").success());
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    assert!(begun.elapsed().as_secs() < 10 && !desk.path("slow.parquet").exists());
    // a model of tables is learned from a query as well
    let table = "SELECT buyer, COUNT(*) n, AVG(paid) mean, SUM(paid) total FROM orders GROUP BY buyer";
    done(
        &desk,
        &["train", &reader, "--query", table, "--target", "total", "--drop", "buyer", "--budget", "fast", "--out", "m"],
    );
    server.stop();
    let words = refused(&desk, 7, &["import", &reader, "--out", "late.parquet"], PASSWORD);
    assert!(words.contains("check host, port and whether the server runs"), "{words}");
}

#[test]
fn postgresql_tells_what_the_csv_file_tells() {
    let Some(mut server) = Server::start(Kind::Postgres) else { return };
    let (desk, orders) = (Desk::new(), orders(3_000));
    desk.put("orders.csv", csv(&orders));
    server.sql(
        "CREATE TABLE orders (id bigint PRIMARY KEY, buyer text, bought_at timestamptz, paid numeric(10,2), item text, \
         updated_at timestamptz DEFAULT now()); CREATE TABLE secret (id int, customer_id text, date date, amount numeric); \
         REVOKE ALL ON secret FROM reader; CREATE VIEW broken AS SELECT 1 / (id - id) AS id FROM orders; \
         GRANT SELECT ON broken TO reader;",
    );
    server.sql(&inserted(&orders));
    let file = imported(&desk, &["orders.csv"], "csv.parquet");
    let reader = server.address("reader");
    assert!(imported(&desk, &[&reader], "found.parquet") == file, "the table that was found tells something else");
    let query = "SELECT id, buyer, bought_at, paid, item FROM orders ORDER BY id;";
    assert!(imported(&desk, &[&reader, "--query", query], "query.parquet") == file, "the query tells something else");

    let odd = "CREATE TABLE odd (id bigint PRIMARY KEY, emoji text, money numeric, moment timestamptz, day date, flag boolean, raw \
               bytea, f double precision, list int[], nothing text, empty text, js jsonb); INSERT INTO odd VALUES \
               (9223372036854775807, E'🙂\\t\\n\\\\茶', 12345678901234567890.0123456789, '2024-05-01 10:00:00.25+00', '2024-05-01', true, \
               '\\x00ff', 0.1, '{1,2}', NULL, '', '{\"a\":1}');";
    let found = cells(&desk, &server, odd, "Asia/Shanghai");
    let expected = [
        "9223372036854775807",
        "🙂\t\n\\茶",
        "12345678901234567890.0123456789",
        "2024-05-01 18:00:00.25+08",
        "2024-05-01",
        "t",
        "\\x00ff",
        "0.1",
        "{1,2}",
        "NULL",
        "",
        "{\"a\": 1}",
    ];
    assert_eq!(texts(&found), expected);

    mistakes(&desk, &server, "sslmode=disable", "sslmode=require");
    let words = refused(&desk, 4, &["profile", &reader, "--table", "secret"], PASSWORD);
    assert!(words.contains("that this user may read"), "{words}");
    written_back(&desk, &server, "crm.value");
    server.sql("SELECT 1 / count(*) FROM crm.value WHERE expected_spend > 0 AND as_of LIKE '2024-%';");
    let words = refused(&desk, 3, &["export", "out", "--to", &reader, "--table", "crm.value"], PASSWORD);
    assert!(words.contains("refused to write `crm.value`"), "{words}");
    server.stop();
    let words = refused(&desk, 7, &["import", &reader, "--out", "late.parquet"], PASSWORD);
    assert!(words.contains("check host, port and whether the server runs"), "{words}");
}

#[test]
fn mongodb_tells_what_the_csv_file_tells() {
    let Some(server) = Server::start(Kind::Mongo) else { return };
    let (desk, orders) = (Desk::new(), orders(1_000));
    desk.put("orders.csv", csv(&orders));
    let mut lines = "rows = [\n".to_owned();
    for (id, buyer, moment, paid, item) in &orders {
        let item = item.map_or("None".to_owned(), |i| format!("{i:?}"));
        let _ = writeln!(
            lines,
            "{{'_id': {id}, 'buyer': {{'id': '{buyer}'}}, 'at': datetime.datetime.fromisoformat('{moment}'), 'paid': {paid}, \
             'item': {item}}},"
        );
    }
    lines.push_str("]\ndb['orders'].insert_many(rows)\ndb['people'].insert_one({'name': 'x'})\n");
    lines.push_str(
        "day = lambda d: datetime.datetime(2024, 1, 1) + datetime.timedelta(days=d)\n\
         line = lambda s, p, n: {'sku': s, 'price': p, 'qty': n}\n\
         db['baskets'].insert_many([{'buyer': 'u%d' % (i % 7), 'at': day(i), 'lines': [line('A', 1.5, 2), line('B', 3.25, 1)]} \
         for i in range(50)])\n",
    );
    server.python(&lines);
    let file = imported(&desk, &["orders.csv"], "csv.parquet");
    let place = server.address("reader");
    let orders = ["--table", "orders"];
    assert!(imported(&desk, &[&[place.as_str()], &orders[..]].concat(), "o.parquet") == file, "the collection differs");

    let baskets =
        ["sync", &place, "--table", "baskets", "--watermark", "at", "--unwind", "lines", "--into", "b.parquet"];
    assert!(done(&desk, &baskets).contains("100 rows, of which 100 were read now"));
    server.python("db['baskets'].insert_one({'buyer': 'u9', 'at': datetime.datetime(2024, 3, 1), 'lines': [{'sku': 'C', 'price': 9.0, 'qty': 1}]})\n");
    let words = done(&desk, &baskets);
    assert!(words.contains("101 rows, of which 5 were read now (4 in the place of older ones)"), "{words}");
    let profile = done_stdout(&desk, &["profile", "b.parquet", "--format", "json"]);
    assert!(profile.contains("lines.price") && profile.contains("lines.qty"), "{profile}");

    let words = refused(&desk, 4, &["profile", &place, "--table", "order"], PASSWORD);
    assert!(words.contains("no table `order`") && words.contains("orders"), "{words}");
    let words = refused(&desk, 2, &["profile", &place, "--query", "SELECT 1"], PASSWORD);
    assert!(words.contains("answers no SQL"), "{words}");
    written_back(&desk, &server, "value");
    let told =
        server.python("print(db['value'].count_documents({}), db['value'].find_one({'_id': '客1'})['as_of'][:4])\n");
    assert_eq!(told.trim(), "49 2024");
}

fn done_stdout(desk: &Desk, args: &[&str]) -> String {
    let ended = guike(desk, args);
    assert_eq!(ended.code, 0, "{args:?}: {}", ended.stderr);
    ended.stdout
}

/// Synchronises over a line that breaks, while the shop sells and changes orders; at the end every row is there once, as it is.
fn over_a_bad_line(server: &Server, schema: &str, touch: &str) {
    let (desk, all) = (Desk::new(), orders(6_000));
    server.sql(schema);
    let cuts: u64 = std::env::var("GUIKE_CUTS").ok().and_then(|n| n.parse().ok()).unwrap_or(20);
    let line = BadLine::before(server.port, 120_000, 7);
    let address = server.address_at("reader", line.port);
    let sync = [
        "sync",
        address.as_str(),
        "--table",
        "orders",
        "--watermark",
        "changed",
        "--look-back",
        "1",
        "--into",
        "o.parquet",
    ];
    let (mut sold, mut failed, mut came_through) = (0, 0, 0);
    while line.cuts() < cuts || sold < all.len() {
        let until = all.len().min(sold + 400);
        if sold < until {
            server.sql(&inserted(&all[sold..until]));
            server.sql(touch);
            sold = until;
        }
        let ended = guike(&desk, &sync);
        let (words, code) = (ended.stderr, ended.code);
        match code {
            0 => came_through += 1,
            7 => failed += 1,
            // garbage on the line may look like an answer of the server's
            _ => assert!(words.contains("127.0.0.1") || words.contains("lost"), "{code}: {words}"),
        }
        assert!(!words.contains(PASSWORD) && !words.contains("panicked"), "{words}");
    }
    assert!(came_through > 0, "nothing ever came through");
    say(&format!("{} cuts, {came_through} synchronisations came through, {failed} gave up", line.cuts()));
    let address = server.address("reader");
    let sync =
        ["sync", &address, "--table", "orders", "--watermark", "changed", "--look-back", "1", "--into", "o.parquet"];
    done(&desk, &sync);
    done(&desk, &["sync", &address, "--table", "orders", "--watermark", "changed", "--into", "whole.parquet"]);
    let sorted = |name: &str| {
        let mut rows = rows(&desk.path(name));
        rows.sort();
        rows
    };
    let (kept, whole) = (sorted("o.parquet"), sorted("whole.parquet"));
    assert_eq!(whole.len(), all.len());
    assert!(kept == whole, "the copy over the bad line has {} rows and differs", kept.len());
    assert_eq!(desk.names(), ["o.parquet", "whole.parquet"], "something else is left");
}

#[test]
fn nothing_is_lost_or_doubled_between_mysql_and_its_copy_over_a_bad_line() {
    let Some(server) = Server::start(Kind::MariaDb) else { return };
    over_a_bad_line(
        &server,
        "CREATE TABLE orders (id BIGINT PRIMARY KEY, buyer VARCHAR(20), bought_at DATETIME, paid DECIMAL(10,2), item VARCHAR(40), \
         changed BIGINT NOT NULL DEFAULT 0); CREATE TABLE clock (n BIGINT); INSERT INTO clock VALUES (0);",
        "UPDATE clock SET n = n + 1; UPDATE orders SET changed = (SELECT n FROM clock), paid = paid + 1 WHERE id % 13 = (SELECT n % \
         13 FROM clock) OR changed = 0;",
    );
}

#[test]
fn nothing_is_lost_or_doubled_between_postgresql_and_its_copy_over_a_bad_line() {
    let Some(server) = Server::start(Kind::Postgres) else { return };
    over_a_bad_line(
        &server,
        "CREATE TABLE orders (id bigint PRIMARY KEY, buyer text, bought_at timestamp, paid numeric(10,2), item text, changed bigint \
         NOT NULL DEFAULT 0); CREATE TABLE clock (n bigint); INSERT INTO clock VALUES (0);",
        "UPDATE clock SET n = n + 1; UPDATE orders SET changed = (SELECT n FROM clock), paid = paid + 1 WHERE id % 13 = (SELECT n % \
         13 FROM clock) OR changed = 0;",
    );
}
