//! Other cuts of recency, frequency and money: what they would change, and the customers by them as a file.

use std::io::{Read, Write};

use guike_server::Limits;

use crate::pages::{browse, is_kept_to_itself};
use crate::support::{Running, results};

/// The body of a file that comes in chunks, without its first mark.
fn lines(server: &Running, path: &str) -> Vec<Vec<String>> {
    let mut stream = server.connect();
    let head = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).expect("sent");
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).expect("an answer in time");
    let text = String::from_utf8_lossy(&bytes).into_owned();
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
    let from = text.find("customer_id,").expect("a header");
    let rows = text[from..].lines().filter(|l| l.contains(','));
    rows.map(|l| l.split(',').map(str::to_owned).collect()).collect()
}

#[test]
fn other_cuts_are_counted_as_a_page_and_given_out_as_a_file() {
    let (_folder, out) = results();
    let server = Running::with(vec![out], Limits::default());
    let page = browse(&server, "/rfm", "");
    assert!(page.body.contains("With these cuts nobody moves.") && page.body.contains("name=\"r5\""), "{}", page.body);
    is_kept_to_itself(&page, "/rfm");
    // the run's own cuts give the run's own scores and groups
    let (own, same) = (lines(&server, "/v1/customers/export?format=csv"), lines(&server, "/rfm.csv"));
    assert_eq!(own, same);
    let head = own[0].clone();
    let column = |name: &str| head.iter().position(|c| c == name).expect("a column");
    let (score, group, days) = (column("rfm_score"), column("rfm_group"), column("days_since_last_order"));
    // nobody is recent any more
    let cuts = "r2=1&r3=0.5&r4=0.2&r5=0";
    let moved = lines(&server, &format!("/rfm.csv?{cuts}"));
    for (before, after) in own[1..].iter().zip(&moved[1..]) {
        let old: f64 = after[days].parse().expect("a number");
        if old > 1.0 {
            assert!(after[score].starts_with('1'), "{after:?}");
            assert!(["lost", "at_risk", "cannot_lose"].contains(&after[group].as_str()), "{after:?}");
        }
        assert_eq!(before[score][1..], after[score][1..], "frequency and money stay");
    }
    let changed = own[1..].iter().zip(&moved[1..]).filter(|(a, b)| a[group] != b[group]).count();
    let page = browse(&server, &format!("/rfm?{cuts}"), "").body;
    assert!(page.contains(&format!("<b>{changed}</b> customers")), "{changed}: {page}");
    assert!(page.contains(&format!("href=\"/rfm.csv?{}\" download", cuts.replace('&', "&#38;"))), "{page}");
    assert!(browse(&server, &format!("/rfm?{cuts}&lang=zh"), "").body.contains("位顾客"));
    for (wrong, words) in
        [("r5=900", "must rise from score to score"), ("m2=-1", "must be a number"), ("f3=x", "number")]
    {
        assert!(browse(&server, &format!("/rfm?{wrong}"), "").body.contains(words), "{wrong}");
        server.get(&format!("/rfm.csv?{wrong}")).is_problem(400, "malformed-query", &[]);
    }
    server.get("/rfm?r1=1").is_problem(400, "malformed-query", &["`r2`"]);
}
