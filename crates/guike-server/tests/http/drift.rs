//! Drift between the runs of a workspace: the numbers, the page, the metrics, and what is said where there is one run.

use std::time::{Duration, Instant};

use crate::pages::{browse, is_kept_to_itself};
use crate::support::{Running, results, results_until};
use crate::workspace::Shop;
use guike_server::Limits;

/// A workspace with runs as of these days, 60 days ahead each.
fn shop(days: &[&str]) -> Shop {
    let shop = Shop::new();
    for day in days {
        results_until(&Shop::place(&shop.root(), "shop"), day, "60d");
    }
    shop
}

#[test]
fn two_runs_say_how_customers_moved_and_whether_the_forecast_came_true() {
    let shop = shop(&["2023-07-31", "2023-09-29"]);
    let server = shop.serve();
    let drift = server.get("/v1/drift");
    assert_eq!(drift.status, 200, "{}", drift.body);
    assert_eq!(drift.header("etag"), Some("\"shop-1-2\""));
    assert!(!drift.body.contains("C0"), "ids of customers are nobody's business here: {}", drift.body);
    let drift = drift.json();
    assert_eq!((&drift["run"]["version"], &drift["against"]["version"]), (&"2".into(), &"1".into()));
    assert_eq!(drift["run"]["cutoff"], "2023-09-29");
    let measures = drift["measures"].as_array().expect("a list");
    assert_eq!(measures.len(), 5);
    // the log says what happened: spend so far of the later run less that of the earlier one
    let column = |run: &str, customers: &dyn Fn(&str) -> bool| -> f64 {
        let text = std::fs::read_to_string(shop.root().join("runs").join(run).join("tiers.csv")).expect("read");
        let rows = text.lines().skip(1).map(|l| l.split(',').collect::<Vec<_>>());
        rows.filter(|c| customers(c[0])).map(|c| c[7].parse::<f64>().expect("a number")).sum()
    };
    let before = std::fs::read_to_string(shop.root().join("runs/0001/tiers.csv")).expect("read");
    let was_there = |id: &str| before.lines().any(|l| l.split(',').next() == Some(id));
    let actual = column("0002", &was_there) - column("0001", &was_there);
    let outcome = &drift["outcome"];
    assert!((outcome["actual"].as_f64().expect("a number") - actual).abs() < 1e-6, "{outcome} {actual}");
    assert_eq!((outcome["days"].as_u64(), outcome["horizon_days"].as_u64()), (Some(60), Some(60)));
    assert!(outcome["lower"].as_f64() < outcome["expected"].as_f64(), "{outcome}");
    // purchase days only grow, and every customer of then is counted in one bin
    let frequency = measures.iter().find(|m| m["measure"] == "purchase_days").expect("it is there");
    assert!(frequency["mean_after"].as_f64() > frequency["mean_before"].as_f64(), "{frequency}");
    let bins = frequency["bins"].as_array().expect("bins");
    let n: u64 = bins.iter().filter_map(|b| b["before"].as_u64()).sum();
    assert_eq!(Some(n), drift["against"]["customers"].as_u64());
    // the other way round: the earlier run knows nothing of what came later
    let back = server.get("/v1/drift?run=1&against=2").json();
    assert_eq!((&back["no_outcome"], back["outcome"].is_null()), (&"not_later".into(), true));
    server.get("/v1/drift?run=1&against=1").is_problem(400, "malformed-query", &["differ"]);
    server.get("/v1/drift?against=7").is_problem(400, "malformed-query", &["`against`", "/v1/runs"]);
}

#[test]
fn the_page_shows_the_history_in_both_languages_and_metrics_have_the_newest() {
    let shop = shop(&["2023-06-30", "2023-08-29", "2023-10-28"]);
    let server = shop.serve();
    for (path, words) in [
        ("/drift", "How customers have moved"),
        ("/drift?run=3&against=1", "run 1, until 2023-06-30"),
        ("/drift?lang=zh", "顾客的变化"),
    ] {
        let page = browse(&server, path, "");
        assert!(page.status == 200 && page.body.contains(words), "{path}: {}", page.body);
        is_kept_to_itself(&page, path);
        let charts = page.body.matches("data-chart=").count();
        assert!(charts == page.body.matches("<details>").count() && (9..=12).contains(&charts), "{path}: {charts}");
        assert!(page.body.contains("drift-history-data") && page.body.contains("outcomes-data"), "{path}");
        assert!(!page.body.contains(">C0"), "{path}");
    }
    assert!(browse(&server, "/drift", "").body.contains("a convention of credit scoring and no law"));
    assert_eq!(browse(&server, "/drift?against=9", "").status, 400);
    let begun = Instant::now();
    let metrics = loop {
        let text = server.get("/metrics").body;
        if text.contains("guike_drift_psi{") {
            break text;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{text}");
        std::thread::sleep(Duration::from_millis(20));
    };
    for measure in ["purchase_days", "p_active", "tier", "rfm_group"] {
        assert!(metrics.contains(&format!("guike_drift_psi{{measure=\"{measure}\"}} ")), "{metrics}");
    }
    let customers: f64 = metrics
        .lines()
        .filter(|l| l.starts_with("guike_tier_customers{"))
        .filter_map(|l| l.rsplit(' ').next()?.parse::<f64>().ok())
        .sum();
    assert_eq!(Some(customers), server.get("/v1/summary").json()["customers"].as_f64());
}

#[test]
fn without_a_second_run_there_is_nothing_to_compare_and_that_is_said() {
    let shop = shop(&["2023-09-30"]);
    let server = shop.serve();
    server.get("/v1/drift").is_problem(404, "no-results", &["one run", "guike refresh"]);
    assert!(browse(&server, "/drift", "").body.contains("There is one run (number 1)"));
    results_until(&Shop::place(&shop.root(), "shop"), "2023-10-31", "60d");
    let begun = Instant::now();
    while server.get("/v1/drift").status != 200 {
        assert!(begun.elapsed() < Duration::from_secs(20), "the second run was not seen");
        std::thread::sleep(Duration::from_millis(20));
    }
    // a run that is not served is damaged: a mistake that names no file
    std::fs::remove_file(shop.root().join("runs/0002/tiers.csv")).expect("removed");
    let other = shop.serve();
    other.get("/v1/drift").is_problem(500, "internal", &[]);
    let (_folder, out) = results();
    let folder = Running::with(vec![out], Limits::default());
    folder.get("/v1/drift").is_problem(404, "no-workspace", &["--workspace"]);
    assert!(browse(&folder, "/drift", "").body.contains("guike run orders.csv --workspace shop"));
}
