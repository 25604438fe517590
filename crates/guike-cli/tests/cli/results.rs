//! The main job when all goes well: every file is there, whole, and the same at any number of threads.

use crate::support::{Desk, cells, shop_csv};

const FILES: [&str; 11] = [
    "checksums.json",
    "evaluation.json",
    "forecasts.csv",
    "forecasts.parquet",
    "guike.toml",
    "model/calibration.json",
    "model/model.json",
    "quality.json",
    "report.html",
    "tiers.csv",
    "tiers.json",
];
const COLUMNS: [&str; 11] = [
    "customer_id",
    "expected_orders",
    "expected_spend",
    "median_spend",
    "spend_p05",
    "spend_p10",
    "spend_p90",
    "spend_p95",
    "p_active",
    "next_order_days",
    "tier",
];

/// Asserts that a folder of results is complete and that its forecasts keep their promises; gives the customers.
fn complete(desk: &Desk, out: &str) -> Vec<String> {
    let files: Vec<String> = desk.files(out).into_iter().map(|(name, _)| name).collect();
    for name in FILES {
        assert!(files.iter().any(|f| f == name), "{name} is missing among {files:?}");
    }
    let text = desk.text(&format!("{out}/forecasts.csv"));
    let (header, rows) = cells(&text);
    assert_eq!(header, COLUMNS);
    for row in &rows {
        let number = |i: usize| row[i].parse::<f64>().unwrap_or_else(|_| panic!("{} of {row:?}", COLUMNS[i]));
        for i in 1..10 {
            // an empty waiting time means that the next order may never come
            let never = COLUMNS[i] == "next_order_days" && row[i].is_empty();
            assert!(never || (number(i) >= 0.0 && number(i).is_finite()), "{} of {row:?}", COLUMNS[i]);
        }
        assert!(number(8) <= 1.0, "{row:?}");
        let quantiles = [4, 5, 3, 6, 7].map(number);
        assert!(quantiles.is_sorted(), "quantiles ascend: {row:?}");
        assert!(!row[10].is_empty(), "{row:?}");
    }
    let tiers = desk.text(&format!("{out}/tiers.csv"));
    let tier_of = |line: &str| line.split(',').take(2).map(str::to_owned).collect::<Vec<_>>();
    for (line, row) in tiers.lines().skip(1).zip(&rows) {
        assert_eq!(tier_of(line), [row[0], row[10]], "both files name the same tier");
    }
    assert_eq!(tiers.lines().count(), rows.len() + 1, "one row per customer");
    let report = desk.text(&format!("{out}/report.html"));
    assert!(report.contains("<svg") && report.contains("</html>"), "the report has pictures and an end");
    for outside in ["src=\"http", "href=\"http", "url(http", "@import"] {
        assert!(!report.contains(outside), "the report loads `{outside}…` from outside");
    }
    for name in FILES.iter().filter(|f| f.ends_with(".json")) {
        let parsed: Result<serde_json::Value, _> = serde_json::from_str(&desk.text(&format!("{out}/{name}")));
        assert!(parsed.is_ok(), "{name}: {parsed:?}");
    }
    rows.iter().map(|r| r[0].to_owned()).collect()
}

#[test]
fn the_demonstration_forecasts_every_customer_of_the_sample() {
    let desk = Desk::new();
    let ended = desk.guike(&["demo", "--out", "demo"]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert_eq!(complete(&desk, "demo").len(), 2357);
    assert!(format!("{}{}", ended.stdout, ended.stderr).contains("report.html"), "it says where the report lies");
}

#[test]
fn tiers_are_made_as_asked_and_a_mixture_finds_how_many() {
    let desk = Desk::new();
    desk.put("log.csv", shop_csv(300));
    let run = |out: &str, flags: &[&str]| {
        let ended = desk.guike(&[&["run", "log.csv", "--budget", "fast", "--out", out], flags].concat());
        assert_eq!(ended.code, 0, "{}", ended.stderr);
        complete(&desk, out);
        let text = desk.text(&format!("{out}/tiers.json"));
        serde_json::from_str::<serde_json::Value>(&text).expect("JSON")
    };
    for method in ["quantiles", "natural-breaks", "k-means", "hierarchical"] {
        let tiers = run(method, &["--tier-method", method, "--tiers", "4"]);
        assert_eq!(tiers["plan"]["method"]["name"], *method);
        assert_eq!(tiers["tiers"].as_array().map(Vec::len), Some(4));
    }
    let found = run("found", &["--tiers", "auto"]);
    let n = found["plan"]["tiers"].as_u64().expect("a number");
    assert_eq!((found["plan"]["method"]["name"].as_str(), (2..=10).contains(&n)), (Some("mixture"), true));
    assert_eq!(found["tiers"].as_array().map(Vec::len), Some(n as usize));
    let means: Vec<f64> =
        found["tiers"].as_array().expect("tiers").iter().filter_map(|t| t["value_mean"].as_f64()).collect();
    assert!(means.windows(2).all(|w| w[0] > w[1]), "better tiers are worth more: {means:?}");
    let said = found["notes"][0].as_str().expect("a note");
    assert!(said.contains("lowest Bayesian information criterion"), "{said}");
    let report = desk.text("found/report.html");
    assert!(report.contains("as describe the customers best") && report.contains("贝叶斯信息准则"));
    // the same customers again: nobody moves, and the keys of the earlier run are understood
    let again = run("again", &["--tiers", "auto", "--previous", "found/tiers.csv"]);
    assert_eq!((&again["plan"]["tiers"], &again["migration"]["up"]), (&found["plan"]["tiers"], &0.into()));
}

#[test]
fn a_run_gives_the_same_bytes_at_any_number_of_threads() {
    let desk = Desk::new();
    desk.put("log.csv", shop_csv(600));
    for threads in ["1", "2"] {
        let ended = desk.guike(&["run", "log.csv", "--out", threads, "--threads", threads, "--seed", "7"]);
        assert_eq!(ended.code, 0, "{}", ended.stderr);
    }
    let (one, two) = (desk.files("1"), desk.files("2"));
    assert_eq!(complete(&desk, "1").len(), 600);
    assert_eq!(one.len(), two.len());
    for ((name, a), (_, b)) in one.iter().zip(&two) {
        assert!(a == b, "{name} differs between 1 and 2 threads");
    }
}

#[test]
fn only_customers_who_bought_before_the_cutoff_are_forecast_and_none_is_missing() {
    let desk = Desk::new();
    let log = shop_csv(300);
    desk.put("log.csv", &log);
    let ended = desk.guike(&["run", "log.csv", "--out", "out", "--cutoff", "2022-12-31", "--horizon", "120d"]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let (_, rows) = cells(&log);
    let mut expected: Vec<&str> = rows.iter().filter(|r| r[1] <= "2022-12-31").map(|r| r[0]).collect();
    expected.dedup();
    let mut found = complete(&desk, "out");
    found.sort();
    assert_eq!(found, expected);
}

#[test]
fn leading_zeros_and_chinese_names_survive() {
    let desk = Desk::new();
    let log = shop_csv(120).replace("customer_id,date,amount", "会员ID,下单时间,实付金额").replace("\nC0", "\n00会员");
    desk.put("订单.csv", log);
    let ended = desk.guike(&["run", "订单.csv", "--out", "结果"]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(complete(&desk, "结果").iter().all(|c| c.starts_with("00会员")));
}

#[test]
fn every_row_is_accounted_for() {
    let desk = Desk::new();
    let mut log = shop_csv(200);
    let good = log.lines().count() - 1;
    log += ",2022-03-01,5.00\nC00001,yesterday,5.00\nC00001,2022-03-01,five\n";
    desk.put("log.csv", &log);
    let ended = desk.guike(&["profile", "log.csv", "--format", "json"]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let json: serde_json::Value = serde_json::from_str(&ended.stdout).expect("JSON on stdout and nothing else");
    assert!(json.to_string().contains(&(good + 3).to_string()), "{json}");
}

#[test]
fn a_horizon_longer_than_the_history_is_allowed_and_said() {
    let desk = Desk::new();
    desk.put("log.csv", shop_csv(200));
    let ended = desk.guike(&["run", "log.csv", "--out", "out", "--horizon", "5y"]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    complete(&desk, "out");
    let said = "the history is too short to test 1825 days ahead";
    assert!(ended.stderr.contains(said), "{}", ended.stderr);
    assert!(desk.text("out/report.html").contains(said), "the report says so too");
}

#[test]
fn quiet_says_nothing() {
    let desk = Desk::new();
    desk.put("log.csv", shop_csv(100));
    let ended = desk.guike(&["run", "log.csv", "--out", "out", "--quiet"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
}
