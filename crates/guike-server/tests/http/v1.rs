//! `/v1`: models, and the customers of a run.

use guike_server::Limits;

use crate::support::{Running, Trained, results};

#[test]
fn a_run_is_told_in_a_few_numbers_and_by_tier() {
    let (_folder, out) = results();
    let server = Running::with(vec![out.clone()], Limits::default());
    let summary = server.get("/v1/summary").json();
    let forecasts = std::fs::read_to_string(out.join("forecasts.csv")).expect("read");
    assert_eq!(summary["customers"], forecasts.lines().count() - 1);
    assert!(summary["total"]["expected"].is_number() && summary["horizon_days"] == 90, "{summary}");
    let in_tiers: f64 =
        summary["tiers"].as_array().expect("tiers").iter().map(|t| t["customers"].as_f64().expect("a number")).sum();
    assert_eq!(summary["customers"].as_f64(), Some(in_tiers));
    let tiers = server.get("/v1/tiers");
    assert_eq!(tiers.json()["tiers"].as_array().map(Vec::len), Some(5), "{}", tiers.body);
    let tag = tiers.header("etag").expect("a tag");
    let again = server.send(
        format!("GET /v1/tiers HTTP/1.1\r\nhost: localhost\r\nif-none-match: {tag}\r\nconnection: close\r\n\r\n")
            .as_bytes(),
    );
    assert_eq!((again.status, again.body.as_str()), (304, ""));
    let models = server.get("/v1/models").json();
    assert_eq!((&models["models"][0]["name"], &models["models"][0]["kind"]), (&"shop".into(), &"orders".into()));
    server.post("/predict", "{}").is_problem(404, "no-model", &["guike train"]);
}

#[test]
fn customers_are_found_searched_filtered_and_put_in_order() {
    let (_folder, out) = results();
    let server = Running::with(vec![out.clone()], Limits::default());
    let text = std::fs::read_to_string(out.join("forecasts.csv")).expect("read");
    let lines: Vec<Vec<&str>> = text.lines().skip(1).map(|l| l.split(',').collect()).collect();
    // one of them, to the digits of the file
    let one = server.get(&format!("/v1/customers/{}", lines[3][0])).json();
    assert_eq!((one["customer_id"].as_str(), one["tier"].as_str()), (Some(lines[3][0]), lines[3].last().copied()));
    assert_eq!(one["expected_spend"].as_f64(), lines[3][2].parse().ok());
    server.get("/v1/customers/nobody@example.org").is_problem(404, "no-customer", &["no customer has this id"]);
    assert!(!server.log.text().contains("nobody"));
    // all of them, page by page, in the order of the file's numbers
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = server.get(&format!("/v1/customers?limit=7{cursor}")).json();
        all.extend(
            page["customers"]
                .as_array()
                .expect("customers")
                .iter()
                .map(|c| c["expected_spend"].as_f64().expect("a number")),
        );
        let Some(next) = page["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert!(all.len() == lines.len() && all.windows(2).all(|w| w[0] >= w[1]), "{all:?}");
    let gold = server.get("/v1/customers?tier=gold&sort=customer_id&limit=1000").json();
    let gold: Vec<&str> = gold["customers"]
        .as_array()
        .expect("customers")
        .iter()
        .map(|c| c["customer_id"].as_str().expect("an id"))
        .collect();
    let mut expected: Vec<&str> = lines.iter().filter(|l| l.last() == Some(&"gold")).map(|l| l[0]).collect();
    expected.sort_unstable();
    assert_eq!(gold, expected);
    let some = server.get("/v1/customers?prefix=C0&limit=1000").json();
    assert_eq!(
        some["customers"].as_array().map(Vec::len),
        Some(lines.iter().filter(|l| l[0].starts_with("C0")).count())
    );
}

#[test]
fn questions_that_cannot_be_answered_say_what_can() {
    let (_folder, out) = results();
    let server = Running::with(vec![out], Limits::default());
    for (query, word) in [
        ("sort=luck", "`expected_spend`"),
        ("tier=tin", "`gold`"),
        ("limit=0", "from 1 to 1000"),
        ("limit=x", "from 1 to 1000"),
        ("cursor=1-2", "begin again"),
        ("cursor=zz", "begin again"),
        ("page=2", "`cursor`"),
        ("purpose=null", "x-purpose"),
    ] {
        server.get(&format!("/v1/customers?{query}")).is_problem(400, "malformed-query", &[word]);
    }
    // the cursor of one question is none of another
    let next = server.get("/v1/customers?limit=1").json()["next"].as_str().expect("a cursor").to_owned();
    assert_eq!(server.get(&format!("/v1/customers?limit=2&cursor={next}")).status, 200);
    server.get(&format!("/v1/customers?prefix=C&cursor={next}")).is_problem(
        400,
        "malformed-query",
        &["another question"],
    );
}

#[test]
fn models_and_results_are_served_side_by_side() {
    let (_folder, out) = results();
    let trained = Trained::logistic();
    let server = Running::with(vec![trained.model(), out.clone()], Limits::default());
    let model = server.get("/v1/models/value-model").json();
    assert_eq!((&model["target"], &model["positive"]), (&"value".into(), &"high".into()), "{model}");
    assert_eq!(model["inputs"].as_array().map(Vec::len), Some(5));
    assert!(model["evaluation"].is_object());
    assert_eq!(server.get("/v1/models/shop").json()["kind"], "orders");
    server.get("/v1/models/other").is_problem(404, "no-model", &["`value-model`"]);
    let only_model = Running::of(&trained);
    only_model.get("/v1/summary").is_problem(404, "no-results", &["guike run"]);
    let config = |sources| guike_server::Config {
        run: None,
        events: None,
        orders: Vec::new(),
        sources,
        address: "127.0.0.1:0".parse().expect("an address"),
        keys: None,
        guard: guike_server::Guard::default(),
        limits: Limits::default(),
        threads: 1,
        log: guike_server::Log::Off,
    };
    let never = |_: std::net::SocketAddr, _: &[&str]| panic!("it listens");
    let twice = guike_server::serve(config(vec![out.clone(), out]), never, &guike_core::Quiet).expect_err("refused");
    assert!(twice.to_string().contains("already called `shop`"), "{twice}");
}
