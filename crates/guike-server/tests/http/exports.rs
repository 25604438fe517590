//! Customers as files: every form, the same customers, and nothing that a spreadsheet would run.

use std::io::{Read, Write};

use guike_server::Limits;

use crate::support::{Running, results, results_of};

/// The whole answer, and its body without the frame of the transfer.
fn file(server: &Running, path: &str) -> (String, Vec<u8>) {
    let mut stream = server.connect();
    let head = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).expect("sent");
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).expect("an answer in time");
    let end = bytes.windows(4).position(|w| w == b"\r\n\r\n").expect("an end of the head");
    let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
    let (mut at, mut body) = (end + 4, Vec::new());
    assert!(head.contains("transfer-encoding: chunked"), "{head}");
    loop {
        let line = bytes[at..].windows(2).position(|w| w == b"\r\n").expect("a length") + at;
        let length = std::str::from_utf8(&bytes[at..line]).expect("text");
        let length = usize::from_str_radix(length, 16).expect("a length");
        if length == 0 {
            return (head, body);
        }
        body.extend_from_slice(&bytes[line + 2..line + 2 + length]);
        at = line + 2 + length + 2;
    }
}

#[test]
fn customers_are_saved_in_every_form_with_the_filter_of_the_page() {
    let (_folder, out) = results();
    let server = Running::with(vec![out], Limits::default());
    let gold = server.get("/v1/customers?tier=gold&limit=1000&sort=customer_id").json();
    let gold = gold["customers"].as_array().expect("customers").clone();
    let (head, csv) = file(&server, "/v1/customers/export?tier=gold&sort=customer_id");
    assert!(head.contains("content-type: text/csv") && head.contains("filename=\"customers.csv\""), "{head}");
    let csv = String::from_utf8(csv).expect("text");
    assert!(csv.starts_with("\u{feff}customer_id,tier,as_of,expected_orders,"), "{csv}");
    let ids: Vec<&str> = csv.lines().skip(1).map(|l| l.split(',').next().expect("an id")).collect();
    assert_eq!(ids, gold.iter().map(|c| c["customer_id"].as_str().expect("an id")).collect::<Vec<_>>());
    // JSON Lines are the objects of the pages
    let (head, lines) = file(&server, "/v1/customers/export?tier=gold&sort=customer_id&format=ndjson");
    assert!(head.contains("content-type: application/x-ndjson"), "{head}");
    let lines: Vec<serde_json::Value> =
        String::from_utf8(lines).expect("text").lines().map(|l| serde_json::from_str(l).expect("JSON")).collect();
    assert_eq!(lines, gold);
    let (head, xlsx) = file(&server, "/customers.xlsx?tier=gold");
    assert!(head.contains("spreadsheetml.sheet") && head.contains("nosniff") && xlsx.starts_with(b"PK"), "{head}");
    let (head, parquet) = file(&server, "/customers.parquet?tier=gold");
    assert!(head.contains("filename=\"customers.parquet\"") && parquet.ends_with(b"PAR1"), "{head}");
    // nobody is a file, too
    for form in ["csv", "xlsx", "parquet", "ndjson"] {
        let (head, _) = file(&server, &format!("/v1/customers/export?format={form}&prefix=nobody"));
        assert!(head.starts_with("http/1.1 200"), "{form}: {head}");
    }
    server.get("/v1/customers/export?format=pdf").is_problem(400, "malformed-query", &["`xlsx`"]);
    server.get("/v1/customers/export?limit=1").is_problem(400, "malformed-query", &["`format`"]);
}

#[test]
fn numbers_bound_who_is_found_and_bounds_that_are_none_say_so() {
    let (_folder, out) = results();
    let server = Running::with(vec![out], Limits::default());
    let of = |query: &str| -> Vec<f64> {
        let page = server.get(&format!("/v1/customers?limit=1000&{query}")).json();
        let all = page["customers"].as_array().expect("customers").iter();
        all.map(|c| c["expected_spend"].as_f64().expect("a number")).collect()
    };
    let all = of("");
    let middle = all[all.len() / 2];
    let few = of(&format!("min_expected_spend={middle}"));
    assert_eq!(few, all.iter().copied().filter(|v| *v >= middle).collect::<Vec<_>>());
    assert!(few.len() < all.len());
    assert_eq!(of(&format!("min_expected_spend={middle}&max_expected_spend={middle}")), [middle]);
    for (query, words) in [
        ("min_p_active=much", "takes a number"),
        ("max_p_active=nan", "takes a number"),
        ("min_p_active=0.9&max_p_active=0.1", "is above"),
        ("min_luck=1", "`min_p_active`"),
    ] {
        server.get(&format!("/v1/customers?{query}")).is_problem(400, "malformed-query", &[words]);
    }
    let (_, csv) = file(&server, &format!("/customers.csv?min_expected_spend={middle}"));
    assert_eq!(String::from_utf8(csv).expect("text").lines().count() - 1, few.len());
    let page = server.get(&format!("/customers?min_expected_spend={middle}"));
    assert!(page.body.contains(&format!("<b>{}</b> of {} customers", few.len(), all.len())), "{}", page.body);
    assert!(page.body.contains(&format!("/customers.xlsx?min_expected_spend={middle}")), "{}", page.body);
}

#[test]
fn a_spreadsheet_never_runs_an_id() {
    let (_folder, out) = results_of(|i| if i == 0 { "=cmd()".to_owned() } else { format!("{i:05}") });
    let server = Running::with(vec![out], Limits::default());
    let (_, csv) = file(&server, "/customers.csv");
    let csv = String::from_utf8(csv).expect("text");
    assert!(csv.contains("\n'=cmd(),") && csv.contains("\n00007,"), "{csv}");
    let (_, lines) = file(&server, "/v1/customers/export?format=ndjson");
    assert!(
        String::from_utf8(lines).expect("text").contains("\"customer_id\":\"=cmd()\""),
        "programs get ids as they are"
    );
}
