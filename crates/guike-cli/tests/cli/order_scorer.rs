//! The probability models of `guike run`, scored by a second process that knows nothing of Guike.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::scorer::python;
use crate::support::{Desk, cells, shop_csv};

const MODELS: [&str; 8] = [
    "nbd+gamma-gamma",
    "bg-nbd+gamma-gamma",
    "mbg-nbd+gamma-gamma-all",
    "pareto-nbd+gamma-gamma",
    "pareto-nbd+gamma-gamma-all",
    "bg-cnbd-k+gamma-gamma",
    "mbg-cnbd-k+gamma-gamma-all",
    "average",
];

/// Columns that both write, by customer.
fn rows<'a>(csv: &'a str, columns: &[&str]) -> Vec<(&'a str, Vec<f64>)> {
    let (head, rows) = cells(csv);
    let at = |name: &&str| head.iter().position(|h| h == name).unwrap_or_else(|| panic!("{name} in {head:?}"));
    let at: Vec<usize> = columns.iter().map(at).collect();
    let number = |row: &Vec<&str>, i: usize| row[i].parse::<f64>().expect("a number");
    let mut rows: Vec<_> = rows.iter().map(|r| (r[0], at.iter().map(|&i| number(r, i)).collect())).collect();
    rows.sort_by_key(|r: &(&str, Vec<f64>)| r.0);
    rows
}

#[test]
fn the_python_scorer_agrees_with_every_probability_model() {
    let Some(python) = python() else { return };
    let desk = Desk::new();
    desk.put("log.csv", shop_csv(400));
    let columns = ["expected_orders", "expected_spend", "p_active"];
    for model in MODELS {
        let flags = ["run", "log.csv", "--model", model, "--cutoff", "2023-06-30", "--horizon", "120d"];
        let ended = desk.guike(&[&flags[..], &["--out", model]].concat());
        assert_eq!(ended.code, 0, "{}", ended.stderr);
        let scorer = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scorers/guike_score_orders.py");
        let theirs = Command::new(python)
            .arg(scorer)
            .args([desk.path(model).join("model"), desk.path("log.csv")])
            .stdin(Stdio::null())
            .output()
            .expect("Python starts");
        assert!(theirs.status.success(), "{model}: {}", String::from_utf8_lossy(&theirs.stderr));
        let ours = desk.text(&format!("{model}/forecasts.csv"));
        let theirs = String::from_utf8(theirs.stdout).expect("utf-8");
        let (ours, theirs) = (rows(&ours, &columns), rows(&theirs, &columns));
        assert_eq!(ours.len(), theirs.len(), "{model}");
        for ((customer, ours), (same, theirs)) in ours.iter().zip(&theirs) {
            assert_eq!(customer, same, "{model}");
            for (column, (a, b)) in columns.iter().zip(ours.iter().zip(theirs)) {
                assert!((a - b).abs() <= 1e-6 * b.abs().max(1.0), "{model}, {customer}, {column}: {a} and {b}");
            }
        }
    }
}

#[test]
fn the_scorer_is_short_and_needs_the_standard_library_only() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scorers/guike_score_orders.py");
    let text = std::fs::read_to_string(path).expect("the scorer is in the repository");
    assert!(text.lines().count() <= 200);
    let imported: Vec<&str> = text.lines().filter_map(|l| l.strip_prefix("import ")).collect();
    assert_eq!(imported, ["csv", "datetime", "json", "math", "os", "sys"]);
    assert!(!text.lines().any(|l| l.starts_with("from ")));
}
