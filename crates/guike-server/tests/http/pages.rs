//! The dashboard from outside: what a browser gets, in both languages, and what it must never get.

use std::io::{Read, Write};

use guike_server::Limits;

use crate::support::{Answer, Running, Trained, results, results_of};

const OF_RUN: [&str; 9] =
    ["/", "/customers", "/audiences", "/customers/C07", "/tiers", "/rfm", "/quality", "/explain", "/retention"];
const OF_MODELS: [&str; 2] = ["/models", "/models/value-model"];

/// As a browser asks.
pub(crate) fn browse(server: &Running, path: &str, head: &str) -> Answer {
    let head = format!("host: localhost\r\naccept: text/html,application/xhtml+xml,*/*;q=0.8\r\n{head}");
    server.send(format!("GET {path} HTTP/1.1\r\n{head}connection: close\r\n\r\n").as_bytes())
}

/// Everything that comes, whatever its length and bytes.
fn whole(server: &Running, path: &str) -> Vec<u8> {
    let mut stream = server.connect();
    let head = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).expect("sent");
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).expect("an answer in time");
    bytes
}

/// What a page must not hold, whatever its data: code or style of its own, or anything from elsewhere.
pub(crate) fn is_kept_to_itself(answer: &Answer, path: &str) {
    let policy = answer.header("content-security-policy").expect("a policy");
    for part in ["default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'"] {
        assert!(policy.contains(part), "{path}: {policy}");
    }
    assert!(!policy.contains("unsafe"), "{path}: {policy}");
    for (name, value) in [("x-content-type-options", "nosniff"), ("referrer-policy", "same-origin")] {
        assert_eq!(answer.header(name), Some(value), "{path}");
    }
    for tag in answer.body.split("<script").skip(1) {
        let tag = tag.split('>').next().expect("an end");
        assert!(tag.contains("src=\"/assets/") || tag.contains("type=\"application/json\""), "{path}: <script{tag}>");
    }
    for tag in answer.body.split('<').skip(1).map(|t| t.split('>').next().unwrap_or_default()) {
        // names of attributes, without what stands between quotes
        let names: String = tag.split('"').step_by(2).collect();
        for bad in [" style=", " onclick=", " onload=", " onerror=", " on"] {
            assert!(!names.contains(bad), "{path}: <{tag}>");
        }
        for bad in ["href=\"http", "src=\"http", "href=\"//", "src=\"//", "href=\"javascript:", "action=\"http"] {
            assert!(!tag.contains(bad), "{path}: <{tag}>");
        }
    }
    assert!(!answer.body.contains("<style"), "{path}");
}

#[test]
fn every_page_is_there_in_both_languages_and_keeps_to_itself() {
    let (_folder, out) = results();
    let trained = Trained::logistic();
    let server = Running::with(vec![trained.model(), out], Limits::default());
    for path in OF_RUN.into_iter().chain(OF_MODELS) {
        let en = browse(&server, path, "");
        assert_eq!((en.status, en.header("content-type")), (200, Some("text/html; charset=utf-8")), "{path}");
        is_kept_to_itself(&en, path);
        assert!(en.body.starts_with("<!doctype html>") && en.body.contains("<html lang=\"en\""), "{path}");
        let asked = browse(&server, &format!("{path}?lang=zh&theme=dark"), "");
        assert!(asked.body.contains("<html lang=\"zh-CN\" data-theme=\"dark\""), "{path}");
        let cookies = asked.head.matches("set-cookie: guike_").count();
        assert_eq!(cookies, 2, "{path}: {}", asked.head);
        let kept = browse(&server, path, "cookie: guike_lang=zh\r\naccept-language: en\r\n");
        let by_browser = browse(&server, path, "accept-language: zh-CN,zh;q=0.9\r\n");
        for zh in [&kept, &by_browser] {
            assert!(zh.body.contains("跳到正文") && zh.body.contains("客"), "{path}");
        }
        is_kept_to_itself(&kept, path);
        // one heading, one main part, a way past the navigation, and a table for every chart
        for (what, n) in [("<h1>", 1), ("<main", 1), ("class=\"skip\"", 1), ("<nav", 1)] {
            assert_eq!(en.body.matches(what).count(), n, "{path}: {what}");
        }
        assert_eq!(en.body.matches("data-chart=").count(), en.body.matches("<details>").count(), "{path}");
        assert!(en.body.matches("data-chart=").count() <= 12, "{path}");
    }
}

#[test]
fn numbers_of_the_pages_are_those_of_the_files() {
    let (_folder, out) = results();
    let server = Running::with(vec![out.clone()], Limits::default());
    let forecasts = std::fs::read_to_string(out.join("forecasts.csv")).expect("read");
    let n = forecasts.lines().count() - 1;
    let all = browse(&server, "/customers", "").body;
    assert!(all.contains(&format!("<b>{n}</b> customers")), "{all}");
    let first = all.split("<th scope=\"row\"><a href=\"/customers/").nth(1).expect("a customer");
    let best = forecasts
        .lines()
        .skip(1)
        .map(|l| l.split(',').collect::<Vec<_>>())
        .max_by(|a, b| a[2].parse::<f64>().expect("a number").total_cmp(&b[2].parse().expect("a number")))
        .expect("a customer");
    assert!(first.starts_with(&format!("{}\"", best[0])), "{first}");
    let gold = forecasts.lines().filter(|l| l.ends_with(",gold")).count();
    let filtered = browse(&server, "/customers?tier=gold&sort=customer_id", "").body;
    assert!(filtered.contains(&format!("<b>{gold}</b> of {n} customers")), "{gold}: {filtered}");
    let nobody = browse(&server, "/customers?prefix=nobody", "").body;
    assert!(nobody.contains("No customer is like that"), "{nobody}");
    // page by page
    let next =
        all.split("href=\"").find(|l| l.contains("cursor=")).and_then(|l| l.split('"').next()).expect("a next page");
    let second = browse(&server, &next.replace("&amp;", "&").replace("&#38;", "&"), "").body;
    assert_eq!(second.matches("<th scope=\"row\">").count(), n - 50);
    // the file
    let file = String::from_utf8(whole(&server, "/customers.csv?tier=gold")).expect("text");
    assert!(file.to_lowercase().contains("content-disposition: attachment"), "{file}");
    assert_eq!(file.lines().filter(|l| l.contains(",gold,")).count(), gold, "{file}");
    assert!(file.contains("customer_id,tier,as_of,expected_orders"), "{file}");
}

#[test]
fn ids_of_customers_are_never_code() {
    let ids =
        ["<script>alert(1)</script>", "=cmd()", "\"'><img src=x onerror=alert(1)>", "a&b/c?d#e", "{{7*7}}", "贵 客"];
    let id = |i: usize| ids.get(i).map_or_else(|| format!("C{i}"), |id| format!("\"{}\"", id.replace('"', "\"\"")));
    let (_folder, out) = results_of(id);
    let mut server = Running::with(vec![out], Limits::default());
    let mut pages =
        vec!["/".to_owned(), "/customers?sort=customer_id".to_owned(), "/customers?sort=-customer_id".to_owned()];
    for id in ids {
        let encoded: String = id.bytes().map(|b| format!("%{b:02X}")).collect();
        pages.push(format!("/customers/{encoded}"));
        pages.push(format!("/customers?prefix={encoded}"));
    }
    for path in &pages {
        let page = browse(&server, path, "");
        assert_eq!(page.status, 200, "{path}");
        is_kept_to_itself(&page, path);
        assert!(!page.body.contains("<script>") && !page.body.contains("<img"), "{path}: {}", page.body);
    }
    assert!(
        browse(&server, &pages[4], "").body.contains("&#60;script&#62;")
            || browse(&server, &pages[4], "").body.contains("&lt;script&gt;")
    );
    let file = String::from_utf8(whole(&server, "/customers.csv")).expect("text");
    assert!(file.contains("\n'=cmd(),") && !file.contains("\n=cmd()"), "{file}");
    // neither ids nor what was searched for reach the log
    server.end();
    let log = server.log.text();
    assert!(!log.contains("cmd") && !log.contains("script%") && log.contains("/customers/{id}"), "{log}");
}

#[test]
fn other_borders_show_who_would_move_and_save_nothing() {
    let (_folder, out) = results();
    let server = Running::with(vec![out.clone()], Limits::default());
    let before = std::fs::read(out.join("tiers.json")).expect("read");
    assert!(browse(&server, "/tiers", "").body.contains("With these borders nobody moves."));
    let all_up = browse(&server, "/tiers?from1=0.004&from2=0.003&from3=0.002&from4=0.001", "").body;
    assert!(all_up.contains("would move:") && all_up.contains("Who would move where"), "{all_up}");
    let wrong = browse(&server, "/tiers?from1=1&from2=2", "").body;
    assert!(wrong.contains("is not below the tier above it"), "{wrong}");
    assert!(browse(&server, "/tiers?from1=many", "").body.contains("must be a number"));
    assert_eq!(before, std::fs::read(out.join("tiers.json")).expect("read"));
    let zh = browse(&server, "/quality?threshold=30&alarm=1&miss=5&lang=zh", "").body;
    assert!(zh.contains("阈值 30%"), "{zh}");
    assert!(browse(&server, "/quality?threshold=130", "").body.contains("percentage from 0 to 100"));
}

#[test]
fn a_model_is_tried_in_a_form() {
    let trained = Trained::logistic();
    let server = Running::of(&trained);
    assert!(
        browse(&server, "/", "").body.contains("/models/value-model"),
        "without a run, the models are the first page"
    );
    let post = |body: &str| {
        let head = format!(
            "host: localhost\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n",
            body.len()
        );
        server.send(format!("POST /models/value-model HTTP/1.1\r\n{head}connection: close\r\n\r\n{body}").as_bytes())
    };
    let answer = post("c0=30&c1=60000&c2=5&c3=500&c4=books");
    let asked = r#"{"age":30,"income":60000,"purchase_frequency":5,"amount":500,"category":"books"}"#;
    let says = server.post("/predict", asked).json()["predicted"].as_str().expect("a class").to_owned();
    assert!(answer.body.contains(&format!("The model says <b>{says}</b>")), "{}", answer.body);
    assert!(answer.body.contains("reasons-data"), "{}", answer.body);
    is_kept_to_itself(&answer, "the form");
    let wrong = post("c0=old&c1=&c2=&c3=&c4=%3Cb%3E").body;
    assert!(wrong.contains("`age` needs a number") && !wrong.contains("The model says"), "{wrong}");
    assert!(!wrong.contains("<b>\""), "{wrong}");
    assert_eq!(post("c9=1").status, 400);
    assert_eq!(post("x=%ff").status, 400);
}

#[test]
fn problems_of_pages_are_pages_and_those_of_programs_are_not() {
    let (_folder, out) = results();
    let server = Running::with(vec![out], Limits::default());
    for (path, status) in
        [("/customers/nobody", 404), ("/nope", 404), ("/customers?tier=tin", 400), ("/tiers?x=1", 400)]
    {
        let page = browse(&server, path, "");
        assert_eq!((page.status, page.header("content-type")), (status, Some("text/html; charset=utf-8")), "{path}");
        is_kept_to_itself(&page, path);
        // what was typed stands in the links to the other language, and in no sentence
        assert!(!page.body.split("<main").nth(1).expect("a main part").contains("nobody"), "{path}");
    }
    server.get("/nope").is_problem(404, "no-such-path", &[]);
    let api = browse(&server, "/v1/customers/nobody", "");
    api.is_problem(404, "no-customer", &[]);
    assert!(browse(&server, "/models", "").body.contains("guike train"));
}

#[test]
fn a_run_of_an_earlier_version_is_shown_as_far_as_it_goes() {
    let (_folder, out) = results();
    std::fs::remove_file(out.join("dashboard.json")).expect("removed");
    let server = Running::with(vec![out], Limits::default());
    for path in OF_RUN {
        let page = browse(&server, path, "");
        assert_eq!(page.status, 200, "{path}");
        let is_whole = path.starts_with("/customers") || path == "/audiences";
        assert_eq!(page.body.contains("made by an earlier version"), !is_whole, "{path}");
    }
}

#[test]
fn a_run_of_a_version_that_kept_less_says_what_is_missing() {
    let (_folder, out) = results();
    let server = Running::with(vec![out.clone()], Limits::default());
    let (tiers, retention, why) =
        (browse(&server, "/tiers", ""), browse(&server, "/retention", ""), browse(&server, "/explain", ""));
    assert!(tiers.body.contains("k-means clusters") && tiers.body.contains("ways-data"), "{}", tiers.body);
    assert!(retention.body.contains("After the first, second, third") && retention.body.contains("within 30 days"));
    assert!(why.body.contains("swarm-data") && why.body.contains("follows-1-data"), "{}", why.body);
    // who is explained stays unknown
    assert!(!why.body.contains("C0") && !why.body.contains("C1"), "{}", why.body);
    let file = out.join("dashboard.json");
    let mut board: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).expect("read")).expect("JSON");
    let members = board.as_object_mut().expect("an object");
    members.remove("alternatives").expect("kept");
    members.remove("returns").expect("kept");
    for theme in board["drivers"]["here"]["themes"].as_array_mut().expect("themes") {
        theme.as_object_mut().expect("a theme").retain(|name, _| matches!(name.as_str(), "name" | "weight"));
    }
    std::fs::write(&file, board.to_string()).expect("written");
    // nor a list of checksums
    std::fs::remove_file(out.join("checksums.json")).expect("listed");
    let server = Running::with(vec![out], Limits::default());
    for (path, words) in
        [("/tiers", "kept less"), ("/retention", "kept less"), ("/explain", "did not keep how single forecasts")]
    {
        let page = browse(&server, path, "");
        assert!(page.status == 200 && page.body.contains(words), "{path}: {}", page.body);
    }
}

#[test]
fn the_script_and_the_style_are_kept_for_good() {
    let (_folder, out) = results();
    let server = Running::with(vec![out], Limits::default());
    let page = browse(&server, "/", "").body;
    let mut found = 0;
    for part in page.split("\"/assets/").skip(1) {
        let path = format!("/assets/{}", part.split('"').next().expect("a quote"));
        let bytes = whole(&server, &path);
        let head = String::from_utf8_lossy(&bytes[..400]).to_lowercase();
        assert!(head.starts_with("http/1.1 200") && head.contains("immutable"), "{head}");
        assert!(head.contains("content-encoding: gzip") && head.contains("nosniff"), "{head}");
        let body = bytes.windows(4).position(|w| w == b"\r\n\r\n").expect("an end of the head") + 4;
        assert_eq!(bytes[body..body + 2], [0x1f, 0x8b], "packed");
        assert!(bytes.len() < 400_000, "{path}: {} bytes", bytes.len());
        found += 1;
    }
    assert_eq!(found, 2);
    assert_eq!(browse(&server, "/assets/app.js", "").status, 404);
}
