//! `guike explain` on tables: parts that add up, a line beside them, changes that do what they promise, rules of the whole
//! model, and what it says to questions it cannot answer.

use std::io::Write as _;
use std::process::Stdio;

use serde_json::Value;

use crate::support::{Desk, Ended, cells, ended, shop_csv};

fn number(v: &Value, path: &str) -> f64 {
    v.pointer(path).and_then(Value::as_f64).unwrap_or_else(|| panic!("{path} is no number in {v:#}"))
}

/// A desk with a table of 300 customers and a model of them in `m`.
fn trained(model: &str) -> Desk {
    let desk = Desk::new();
    assert_eq!(desk.guike(&["simulate", "customers", "--n", "300", "--out", "t.csv"]).code, 0);
    let ended = desk.guike(&[
        "train", "t.csv", "--target", "value", "--model", model, "--folds", "3", "--budget", "fast", "--out", "m",
    ]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    desk
}

fn of_table(desk: &Desk, args: &[&str]) -> Value {
    let ended = desk.guike(&[&["explain", "m", "t.csv", "--format", "json"], args].concat());
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    serde_json::from_str(&ended.stdout).unwrap_or_else(|e| panic!("{e}: {}", ended.stdout))
}

#[test]
fn the_parts_of_a_row_add_up_for_every_kind_of_model() {
    for (model, method, unit) in [
        ("logistic-regression", "linear", "log_odds"),
        ("boosting", "tree_shap", "log_odds"),
        ("random-forest", "tree_shap", "probability"),
        ("k-nearest-neighbours", "asked", "probability"),
    ] {
        let desk = trained(model);
        let found = of_table(&desk, &["--row", "7"]);
        assert_eq!((found["method"].as_str(), found["unit"].as_str()), (Some(method), Some(unit)), "{model}");
        let parts: f64 = found["parts"].as_array().expect("parts").iter().map(|p| number(p, "/amount")).sum();
        let (base, output) = (number(&found, "/base"), number(&found, "/output"));
        assert!((base + parts - output).abs() < 1e-9, "{model}: {base} + {parts} is not {output}");
        // the model's own answer: before calibration it is a monotone function of the output
        let p = number(&found, "/probability");
        let predictions = desk.guike(&["predict", "m", "t.csv"]).stdout;
        let (head, rows) = cells(&predictions);
        let at = head.iter().position(|h| *h == "p_high").expect("the probability of the class");
        assert!((rows[6][at].parse::<f64>().expect("a number") - p).abs() < 1e-8, "{model}");
    }
}

#[test]
fn a_model_on_a_table_is_explained_in_all_in_words_and_pictures() {
    let desk = trained("boosting");
    let found = of_table(&desk, &[]);
    let columns = found["columns"].as_array().expect("columns");
    assert!(columns.len() == 5 && found["curves"].as_array().expect("curves").len() == 4, "{found:#}");
    assert!(found["interactions"].is_array() && number(&found, "/tree_fidelity") > 0.3, "{found:#}");
    assert!(found["tree"].as_str().expect("DOT").starts_with("digraph"));
    for (lang, words) in [("en", "lean most on"), ("zh", "最倚重")] {
        let ended = desk.guike(&["explain", "m", "t.csv", "--lang", lang, "--out", "why.html"]);
        assert!(ended.stdout.contains(words), "{}", ended.stdout);
    }
    let page = desk.text("why.html");
    for words in [
        "What the predictions of value lean on",
        "How it depends on single columns",
        "Which columns work together",
        "The model as a small tree",
        "digraph tree",
    ] {
        assert!(page.contains(words), "{words}");
    }
    assert!(!page.contains("NaN") && page.len() < 500_000, "{} bytes", page.len());
}

#[test]
fn a_decision_tree_is_shown_itself() {
    let desk = trained("decision-tree");
    let text = desk.guike(&["explain", "m", "t.csv", "--out", "why.html"]).stdout;
    assert!(text.contains("This tree is the model itself"), "{text}");
}

#[test]
fn questions_that_a_table_cannot_answer_are_refused() {
    let desk = trained("logistic-regression");
    let refused = |args: &[&str], code: i32, words: &[&str]| {
        let ended = desk.guike(&[&["explain", "m", "t.csv"], args].concat());
        assert_eq!(ended.code, code, "{args:?}: {}", ended.stderr);
        for word in words {
            assert!(ended.stderr.contains(word), "{args:?}: `{word}` is not in: {}", ended.stderr);
        }
    };
    refused(&["--row", "301"], 2, &["--row", "rows 1 to 300"]);
    refused(&["--row", "0"], 2, &["rows 1 to 300"]);
    refused(&["--horizon", "90d"], 2, &["--horizon", "guike train"]);
    refused(&["13912345678"], 4, &["--row"]);
    refused(&["--lime"], 2, &["--lime", "name it by its number with --row"]);
    refused(&["--actionable", "age"], 2, &["--actionable", "--row"]);
    refused(&["--row", "3", "--goal", "high"], 2, &["--actionable"]);
    refused(&["--row", "3", "--actionable", "incom"], 2, &["incom", "is `income` meant?", "purchase_frequency"]);
    refused(&["--row", "3", "--actionable", "category:up"], 2, &["no up and down"]);
    refused(&["--row", "3", "--actionable", "age", "--goal", "gold"], 2, &["the classes", "a probability of high"]);
    desk.put("log.csv", shop_csv(60));
    assert_eq!(desk.guike(&["run", "log.csv", "--out", "out", "--budget", "fast"]).code, 0);
    let ended = desk.guike(&["explain", "out", "log.csv", "--row", "3"]);
    assert_eq!(ended.code, 2, "{}", ended.stderr);
    assert!(ended.stderr.contains("give a customer's id"), "{}", ended.stderr);
    let ended = desk.guike(&["explain", "out", "log.csv", "C00003", "--actionable", "orders"]);
    assert!(ended.code == 2 && ended.stderr.contains("what one more order would do"), "{}", ended.stderr);
}

#[test]
fn a_line_around_a_row_stands_beside_its_parts_with_its_stability() {
    for model in ["boosting", "logistic-regression", "k-nearest-neighbours"] {
        let desk = trained(model);
        let found = of_table(&desk, &["--row", "7", "--lime"]);
        let lime = &found["lime"];
        for share in ["/lime/r_squared", "/lime/stability"] {
            assert!((0.0..=1.0).contains(&number(&found, share)), "{model}: {lime:#}");
        }
        let columns = lime["columns"].as_array().expect("columns");
        let parts = found["parts"].as_array().expect("parts");
        assert_eq!(columns.len(), parts.len());
        for (line, part) in columns.iter().zip(parts) {
            assert_eq!((&line["column"], &line["part"]), (&part["column"], &part["amount"]));
        }
        if model == "logistic-regression" {
            // a sum of functions of single columns is followed well, and no direction is another
            assert!(number(&found, "/lime/r_squared") > 0.8, "{lime:#}");
            assert!(lime["disagree"].as_array().expect("a list").iter().all(|d| d["how"] != "opposite"), "{lime:#}");
        }
    }
}

#[test]
fn a_line_is_told_in_words_of_both_languages() {
    let desk = trained("boosting");
    let english = ["A straight line around this row", "By the line", "± between draws", "10,000 rows were disturbed"];
    let chinese = ["本行附近的直线近似", "按直线", "± 抽样间", "在本行周围扰动出 10,000 行"];
    for (lang, words) in [("en", english), ("zh", chinese)] {
        let ended = desk.guike(&["explain", "m", "t.csv", "--row", "7", "--lime", "--lang", lang, "--out", "why.html"]);
        for word in words {
            assert!(ended.stdout.contains(word), "`{word}` is not in: {}", ended.stdout);
            assert!(desk.text("why.html").contains(word), "{word}");
        }
    }
}

/// The table's row with the cells that a change names, as a table of its own.
fn changed(desk: &Desk, row: usize, found: &Value) -> String {
    let table = desk.text("t.csv");
    let (head, rows) = cells(&table);
    let mut row: Vec<String> = rows[row - 1].iter().map(|c| (*c).to_owned()).collect();
    for c in found["change"]["changes"].as_array().expect("changes") {
        let at = head.iter().position(|h| Some(*h) == c["column"].as_str()).expect("a column of the table");
        c["to"].as_str().expect("a cell").clone_into(&mut row[at]);
    }
    format!("{}\n{}\n", head.join(","), row.join(","))
}

/// What the model says of the first row of a file.
fn predicted(desk: &Desk, file: &str, column: &str) -> String {
    let ended = desk.guike(&["predict", "m", file]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let (head, rows) = cells(&ended.stdout);
    let at = head.iter().position(|h| *h == column).expect("a column of the predictions");
    rows[0][at].to_owned()
}

#[test]
fn a_change_of_actionable_columns_takes_a_row_to_the_other_class() {
    for model in ["boosting", "logistic-regression"] {
        let desk = trained(model);
        let mut n_changed = 0;
        for (row, flag) in [(3, "3"), (7, "7"), (12, "12"), (40, "40")] {
            let found = of_table(&desk, &["--row", flag, "--actionable", "income,purchase_frequency,category,amount"]);
            let change = &found["change"];
            let wanted = change["wanted"]["class"].as_str().expect("a class");
            assert_ne!(found["predicted"].as_str(), Some(wanted), "{change:#}");
            if change["ending"] != "changed" {
                continue;
            }
            n_changed += 1;
            let changes = change["changes"].as_array().expect("changes");
            assert!((1..=3).contains(&changes.len()) && changes.iter().all(|c| c["column"] != "age"), "{change:#}");
            desk.put("changed.csv", changed(&desk, row, &found));
            assert_eq!(predicted(&desk, "changed.csv", "predicted"), wanted, "{model} {row}: {change:#}");
        }
        assert!(n_changed >= 3, "{model}: {n_changed}");
    }
}

#[test]
fn a_change_over_a_probability_goes_only_where_it_may() {
    let desk = trained("boosting");
    for (row, flag) in [(7, "7"), (9, "9"), (20, "20")] {
        let flags = ["--row", flag, "--goal", "0.6", "--actionable", "amount:up,income:up,age:down"];
        let found = of_table(&desk, &flags);
        let change = &found["change"];
        assert_eq!(change["wanted"]["class"], "high");
        if change["ending"] != "changed" || change["wanted"]["at_least"].is_null() {
            continue;
        }
        for c in change["changes"].as_array().expect("changes") {
            assert_eq!(number(c, "/spreads") > 0.0, c["column"] != "age", "{c:#}");
        }
        desk.put("changed.csv", changed(&desk, row, &found));
        let p: f64 = predicted(&desk, "changed.csv", "p_high").parse().expect("a number");
        assert!(p >= 0.6 && number(&found, "/probability") < 0.6, "{row}: {p}");
    }
}

#[test]
fn a_change_is_told_in_words_of_both_languages_and_so_is_that_there_is_none() {
    let desk = trained("logistic-regression");
    for (lang, words, none) in [
        ("en", "this would be enough", "No change of category, within the values of this table"),
        ("zh", "以下改变即可", "在本表取值范围内，改变 category 无法达到"),
    ] {
        let told = |more: &[&str]| {
            let ended = desk.guike(&[&["explain", "m", "t.csv", "--row", "7", "--lang", lang], more].concat());
            assert_eq!(ended.code, 0, "{}", ended.stderr);
            ended.stdout
        };
        let text = told(&["--actionable", "amount,income"]);
        assert!(text.contains(words), "{text}");
        let text = told(&["--actionable", "category", "--goal", "0.999"]);
        assert!(text.contains(none), "{text}");
    }
}

#[test]
fn the_whole_model_is_told_as_rules_that_cover_all_rows() {
    let desk = trained("boosting");
    let found = of_table(&desk, &[]);
    let rules = found["rules"].as_array().expect("rules");
    assert!((2..=8).contains(&rules.len()), "{rules:#?}");
    let shares: f64 = rules.iter().map(|r| number(r, "/share")).sum();
    assert!((shares - 1.0).abs() < 1e-9 && rules.iter().all(|r| !r["when"].as_array().expect("conditions").is_empty()));
    for (lang, title) in [("en", "The same as rules"), ("zh", "写成规则")] {
        let text = desk.guike(&["explain", "m", "t.csv", "--lang", lang, "--out", "why.html"]).stdout;
        assert!(text.contains(title) && desk.text("why.html").contains(title), "{text}");
    }
}

const LIGHTGBM: &str = include_str!("../../../guike-learn/tests/lightgbm/binary.txt");
const ROWS: &str = include_str!("../../../guike-learn/tests/lightgbm/rows.csv");

/// `guike ARGS` with this on standard input.
fn piped(desk: &Desk, args: &[&str], input: &str) -> Ended {
    let mut command = desk.command(args);
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.expect("the binary starts");
    child.stdin.take().expect("piped").write_all(input.as_bytes()).expect("a small table fits into a pipe");
    ended(&child.wait_with_output().expect("it ends"))
}

#[test]
fn a_model_that_lightgbm_saved_is_explained_also_from_a_stream() {
    let desk = Desk::new();
    desk.put("model.txt", LIGHTGBM);
    // an infinite cell of a file is no number
    let rows: String = ROWS.lines().filter(|l| !l.contains("inf")).flat_map(|l| [l, "\n"]).collect();
    desk.put("rows.csv", &rows);
    let flags = ["--row", "2", "--lime", "--actionable", "b,city", "--format", "json"];
    let found = piped(&desk, &[&["explain", "model.txt", "-"][..], &flags].concat(), &rows);
    assert_eq!(found.code, 0, "{}", found.stderr);
    let v: Value = serde_json::from_str(&found.stdout).expect("JSON");
    let p = 1.0 / (1.0 + (-number(&v, "/output")).exp());
    assert!((p - number(&v, "/probability")).abs() < 1e-12 && v["method"] == "tree_shap", "{v:#}");
    let of_file = desk.guike(&["explain", "model.txt", "rows.csv"]);
    assert!(of_file.stdout.contains("the predictions of the target lean most on"), "{}", of_file.stdout);
    let predicted = piped(&desk, &["predict", "model.txt", "-"], &rows);
    assert_eq!(predicted.stdout, desk.guike(&["predict", "model.txt", "rows.csv"]).stdout);
}

#[test]
fn a_model_of_the_other_kind_is_called_what_it_is() {
    let desk = trained("logistic-regression");
    desk.put("log.csv", shop_csv(60));
    assert_eq!(desk.guike(&["run", "log.csv", "--out", "out", "--budget", "fast"]).code, 0);
    let refused = |args: &[&str], words: &[&str]| {
        let ended = desk.guike(args);
        assert_eq!((ended.code, ended.stdout.as_str()), (2, ""), "{args:?}: {}", ended.stderr);
        for word in words {
            assert!(ended.stderr.contains(word), "{args:?}: `{word}` is not in: {}", ended.stderr);
        }
    };
    for model in ["out", "out/model", "out/model/model.json"] {
        let words = ["`guike run` fitted to an order log", "guike forecast LOG --model-dir out/model", "guike explain"];
        refused(&["predict", model, "t.csv"], &words);
        refused(&["export", model, "--to", "onnx"], &words);
    }
    for model in ["m", "m/model.json"] {
        let words = ["reads tables (logistic-regression)", "guike predict m/model.json TABLE", "guike explain"];
        refused(&["forecast", "log.csv", "--model-dir", model], &words);
    }
    let forecast = |folder: &str| desk.guike(&["forecast", "log.csv", "--model-dir", folder]);
    assert_eq!((forecast("out").code, forecast("out").stdout), (0, forecast("out/model").stdout));
}
