//! `model.json` scored by a second process that knows nothing of Guike: the Python reference scorer.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::schema;
use crate::support::{Desk, Numbers, cells};

/// Learners of `guike models` that learn from tables, whatever the target.
const LEARNERS: [&str; 7] = [
    "decision-tree",
    "k-nearest-neighbours",
    "random-forest",
    "extra-trees",
    "boosting",
    "symmetric-boosting",
    "neural-network",
];
/// Those for classes only, and for numbers only.
const FOR_CLASSES: [&str; 4] = ["logistic-regression", "logistic-gradient-descent", "linear-svm", "kernel-svm"];
const FOR_NUMBERS: [&str; 4] = ["linear-regression", "poisson-regression", "gamma-regression", "tweedie-regression"];

/// Python 3, where there is one.
#[allow(clippy::print_stderr, reason = "a skipped test says why")]
pub(crate) fn python() -> Option<&'static str> {
    let found = ["python3", "python"].into_iter().find(|p| {
        let mut version = Command::new(p);
        version.args(["-c", "import sys; sys.exit(sys.version_info < (3, 8))"]);
        version.stdin(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|s| s.success())
    });
    if found.is_none() {
        eprintln!("skipped: there is no Python 3.8 or newer on the PATH");
    }
    found
}

/// `n` rows with missing cells, skewed money, a category that only some files know, a column of some 300 categories, and
/// targets of three kinds.
fn table(n: u64, seed: u64, extra: &str) -> String {
    let mut numbers = Numbers(seed);
    let mut text = String::from("age,income,savings,colour,street,answer,grade,spend\n");
    for _ in 0..n {
        let (age, income, colour) = (18 + numbers.below(60), 1_000 + numbers.below(9_000), numbers.below(4));
        let score = age * 50 + income + 1_500 * colour + numbers.below(3_000);
        let answer = if score > 11_000 { "yes" } else { "no" };
        let grade = ["low", "middle", "high"][(score / 5_500).min(2) as usize];
        let shown = |v: u64, often: u64, numbers: &mut Numbers| {
            if numbers.below(often) == 0 { String::new() } else { v.to_string() }
        };
        let (age, income) = (shown(age, 9, &mut numbers), shown(income, 30, &mut numbers));
        let colour = ["red", "green", "blue", extra][colour as usize];
        let savings = shown((numbers.below(100)).pow(4), 20, &mut numbers);
        let street = shown(numbers.below(300), 40, &mut numbers);
        let street = if street.is_empty() { street } else { format!("street {street}") };
        let _ = writeln!(text, "{age},{income},{savings},{colour},{street},{answer},{grade},{}.5", score / 100);
    }
    text
}

/// The numbers of every cell after the id and the prediction's name; classes by name otherwise.
pub(crate) fn agree(ours: &str, theirs: &str, what: &str) {
    let ((head, ours), (their_head, theirs)) = (cells(ours), cells(theirs));
    let at = head.iter().position(|c| *c == "predicted").expect("a column of predictions");
    assert_eq!(head[at..], their_head[..], "{what}");
    assert_eq!(ours.len(), theirs.len(), "{what}");
    for (row, (a, b)) in ours.iter().zip(&theirs).enumerate() {
        for (a, b) in a[at..].iter().zip(b) {
            match (a.parse::<f64>(), b.parse::<f64>()) {
                (Ok(a), Ok(b)) => assert!((a - b).abs() <= 1e-6 * b.abs().max(1.0), "{what}, row {row}: {a} and {b}"),
                _ => assert_eq!(a, b, "{what}, row {row}"),
            }
        }
    }
}

fn compare(desk: &Desk, python: &str, target: &str, learner: &str) {
    let out = format!("{target}-{learner}");
    let trained = ["train", "t.csv", "--target", target, "--model", learner, "--folds", "2", "--out", &out];
    let dropped: Vec<&str> = ["answer", "grade", "spend"].into_iter().filter(|t| *t != target).collect();
    let ended = desk.guike(&[&trained[..], &["--drop", &dropped.join(",")]].concat());
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let model = format!("{out}/model.json");
    schema::check(&desk.text(&model), "model.schema.json");
    let ours = desk.guike(&["predict", &model, "new.csv"]);
    assert_eq!(ours.code, 0, "{}", ours.stderr);
    let scorer = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scorers/guike_score.py");
    let theirs = Command::new(python)
        .arg(scorer)
        .args([desk.path(&model), desk.path("new.csv")])
        .stdin(Stdio::null())
        .output()
        .expect("Python starts");
    assert!(theirs.status.success(), "{}", String::from_utf8_lossy(&theirs.stderr));
    agree(&ours.stdout, &String::from_utf8(theirs.stdout).expect("utf-8"), &out);
}

#[test]
fn the_python_scorer_agrees_with_every_learner_on_every_kind_of_target() {
    let Some(python) = python() else { return };
    let desk = Desk::new();
    desk.put("t.csv", table(600, 5, "grey"));
    desk.put("new.csv", table(200, 6, "never seen"));
    for (target, own) in [("answer", &FOR_CLASSES[..]), ("grade", &FOR_CLASSES), ("spend", &FOR_NUMBERS)] {
        for learner in LEARNERS.iter().chain(own) {
            compare(&desk, python, target, learner);
        }
    }
}

/// Ten thousand rows. Plain Python takes seconds for an ensemble, so each learner takes them once, with one kind of target and
/// few rows to learn from; networks, which would take minutes, are compared above only.
fn compare_on_ten_thousand_rows(target: &str, learners: &[&str]) {
    let Some(python) = python() else { return };
    let desk = Desk::new();
    desk.put("t.csv", table(150, 7, "grey"));
    desk.put("new.csv", table(10_000, 8, "grey"));
    for learner in learners {
        compare(&desk, python, target, learner);
    }
}

#[test]
fn the_python_scorer_agrees_with_linear_models_and_trees_on_ten_thousand_rows() {
    compare_on_ten_thousand_rows("spend", &[&FOR_NUMBERS[..], &LEARNERS[..2]].concat());
}

#[test]
fn the_python_scorer_agrees_with_forests_on_ten_thousand_rows() {
    compare_on_ten_thousand_rows("spend", &LEARNERS[2..4]);
}

#[test]
fn the_python_scorer_agrees_with_boosting_on_ten_thousand_rows() {
    compare_on_ten_thousand_rows("spend", &LEARNERS[4..6]);
}

#[test]
fn the_python_scorer_agrees_with_classifiers_on_ten_thousand_rows() {
    compare_on_ten_thousand_rows("grade", &FOR_CLASSES);
}

#[test]
fn the_scorer_is_short_and_needs_the_standard_library_only() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scorers/guike_score.py");
    let text = std::fs::read_to_string(path).expect("the scorer is in the repository");
    assert!(text.lines().count() <= 220);
    let imported: Vec<&str> = text.lines().filter_map(|l| l.strip_prefix("import ")).collect();
    assert_eq!(imported, ["csv", "datetime", "json", "math", "sys"]);
    assert!(!text.lines().any(|l| l.starts_with("from ")));
}
