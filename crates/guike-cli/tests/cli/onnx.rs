//! `guike export --to onnx`: the file against `guike predict`, run by onnxruntime, which knows nothing of Guike.
//!
//! The Python with onnxruntime is named by the variable `GUIKE_ONNX_PYTHON`; `./check` installs it and runs the ignored
//! tests.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::scorer::agree;
use crate::support::{Desk, Numbers, date};

/// Learners of `guike models` that can be exported, whatever the target; those for classes only; those for numbers only.
const LEARNERS: [&str; 5] = ["decision-tree", "random-forest", "extra-trees", "boosting", "symmetric-boosting"];
const FOR_CLASSES: [&str; 4] = ["logistic-regression", "logistic-gradient-descent", "linear-svm", "kernel-svm"];
const FOR_NUMBERS: [&str; 3] = ["linear-regression", "poisson-regression", "tweedie-regression"];
const TARGETS: [&str; 3] = ["answer", "grade", "spend"];

/// `n` rows of numbers, dates and categories, some cells missing, and targets of three kinds. Categories come from `colours`,
/// and from some 90 towns and some 400 streets.
fn table(n: u64, seed: u64, colours: [&str; 4]) -> String {
    let mut numbers = Numbers(seed);
    let mut text = String::from("age,income,savings,visits,joined,colour,town,street,answer,grade,spend\n");
    for _ in 0..n {
        let (age, income, colour) = (18 + numbers.below(60), 1_000 + numbers.below(9_000), numbers.below(4));
        let (town, street, joined) = (numbers.below(90), numbers.below(400), numbers.below(1_000));
        let pull = 40 * ((town * 37) % 90) + 10 * ((street * 53) % 400);
        let score = age * 50 + income + 1_500 * colour + pull + numbers.below(3_000);
        let answer = if score > 14_000 { "yes" } else { "no" };
        let grade = ["low", "middle", "high"][(score / 7_000).min(2) as usize];
        let mut shown = |text: String, often: u64| if numbers.below(often) == 0 { String::new() } else { text };
        let cells = [
            shown(age.to_string(), 9),
            shown(format!("{}.{}", income / 7, income % 7), 30),
            shown((income % 97).pow(4).to_string(), 25),
            shown((age % 5).to_string(), 1_000_000),
            shown(date(joined), 20),
            shown(colours[colour as usize].to_owned(), 12),
            shown(format!("town {town}"), 15),
            shown(format!("street {street}"), 40),
        ];
        let _ = writeln!(text, "{},{answer},{grade},{}.5", cells.join(","), score / 100);
    }
    text
}

const SEEN: [&str; 4] = ["red", "green", "blue", "grey"];

fn train(desk: &Desk, target: &str, learner: &str) -> String {
    let out = format!("{target}-{learner}");
    let dropped: Vec<&str> = TARGETS.into_iter().filter(|t| *t != target).collect();
    let dropped = dropped.join(",");
    let flags = ["train", "t.csv", "--target", target, "--model", learner, "--folds", "2", "--test", "0"];
    let ended = desk.guike(&[&flags[..], &["--drop", &dropped, "--out", &out]].concat());
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    out
}

/// Trains, exports, and predicts 10,000 rows twice.
fn check(target: &str, learners: &[&str]) {
    let python = std::env::var("GUIKE_ONNX_PYTHON").expect("GUIKE_ONNX_PYTHON names a Python with onnxruntime");
    let desk = Desk::new();
    desk.put("t.csv", table(600, 3, SEEN));
    desk.put("new.csv", table(10_000, 4, ["red", "green", "never seen", "grey"]));
    for learner in learners {
        let model = train(&desk, target, learner);
        let ended = desk.guike(&["export", &model, "--to", "onnx"]);
        assert_eq!(ended.code, 0, "{}", ended.stderr);
        let ours = desk.guike(&["predict", &model, "new.csv"]);
        assert_eq!(ours.code, 0, "{}", ours.stderr);
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scorers/guike_onnx.py");
        let theirs = Command::new(&python)
            .arg(script)
            .args([desk.path(&model).join("model.onnx"), desk.path("new.csv")])
            .stdin(Stdio::null())
            .output()
            .expect("Python starts");
        assert!(theirs.status.success(), "{model}: {}", String::from_utf8_lossy(&theirs.stderr));
        agree(&ours.stdout, &String::from_utf8(theirs.stdout).expect("utf-8"), &model);
    }
}

#[test]
#[ignore = "needs onnxruntime, which ./check installs"]
fn onnxruntime_agrees_with_every_learner_of_two_classes() {
    check("answer", &[&LEARNERS[..], &FOR_CLASSES].concat());
}

#[test]
#[ignore = "needs onnxruntime, which ./check installs"]
fn onnxruntime_agrees_with_every_learner_of_several_classes() {
    check("grade", &[&LEARNERS[..], &FOR_CLASSES].concat());
}

#[test]
#[ignore = "needs onnxruntime, which ./check installs"]
fn onnxruntime_agrees_with_every_learner_of_numbers() {
    check("spend", &[&LEARNERS[..], &FOR_NUMBERS].concat());
}

#[test]
fn an_export_is_the_same_bytes_each_time_and_says_where_it_went() {
    let desk = Desk::new();
    desk.put("t.csv", table(200, 3, SEEN));
    let model = train(&desk, "answer", "decision-tree");
    let ended = desk.guike(&["export", &model, "--to", "onnx"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (0, ""), "{}", ended.stderr);
    assert!(ended.stderr.contains("model.onnx"), "{}", ended.stderr);
    let again = desk.guike(&["export", &format!("{model}/model.json"), "--to", "onnx", "--out", "other.onnx"]);
    assert_eq!(again.code, 0, "{}", again.stderr);
    let bytes = std::fs::read(desk.path(&model).join("model.onnx")).expect("written");
    assert_eq!(bytes, std::fs::read(desk.path("other.onnx")).expect("written"));
    let holds = |text: &str| bytes.windows(text.len()).any(|w| w == text.as_bytes());
    for fact in ["guike.fingerprint", "guike.classes", r#"["no","yes"]"#, "decision-tree", "TreeEnsemble"] {
        assert!(holds(fact), "{fact}");
    }
}

#[test]
fn what_cannot_be_exported_says_why_and_what_to_do() {
    let desk = Desk::new();
    desk.put("t.csv", table(200, 3, SEEN));
    let model = train(&desk, "answer", "k-nearest-neighbours");
    let before = desk.names();
    let ended = desk.guike(&["export", &model, "--to", "onnx", "--out", "m.onnx"]);
    assert_eq!(ended.code, 2, "{}", ended.stderr);
    for word in ["k-nearest-neighbours", "training rows", "--model"] {
        assert!(ended.stderr.contains(word), "{}", ended.stderr);
    }
    assert_eq!(desk.names(), before, "nothing was written");
    let ended = desk.guike(&["export", &model, "--to", "pmml"]);
    assert_eq!(ended.code, 2, "{}", ended.stderr);
    let ended = desk.guike(&["export", "no-such-model", "--to", "onnx"]);
    assert_eq!(ended.code, 4, "{}", ended.stderr);
}
