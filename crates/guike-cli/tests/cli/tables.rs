//! Tables with a column to predict: what `train` and `predict` give, and what they say about bad tables.

use std::fmt::Write as _;

use crate::support::{Desk, Ended, Numbers, cells};

/// Exit code of a table that cannot be read or does not support an answer.
const DATA: i32 = 3;
/// Exit code of a wrong flag or setting.
const CONFIG: i32 = 2;

/// `n` rows of two numbers, a colour and a label that follows from them most of the time.
fn table(n: u64) -> String {
    let mut numbers = Numbers(11);
    let mut text = String::from("age,income,colour,label\n");
    for _ in 0..n {
        let (age, income, colour) = (18 + numbers.below(60), 1_000 + numbers.below(9_000), numbers.below(3));
        let score = age * 50 + income + 1_500 * colour + numbers.below(3_000);
        let label = if score > 11_000 { "yes" } else { "no" };
        let _ = writeln!(text, "{age},{income},{},{label}", ["red", "green", "blue"][colour as usize]);
    }
    text
}

fn train(desk: &Desk, args: &[&str]) -> Ended {
    let folds: &[&str] = if args.contains(&"--folds") { &[] } else { &["--folds", "3"] };
    desk.guike(&[&["train", "t.csv", "--target", "label", "--budget", "fast"], folds, args].concat())
}

/// Trains on this text; asserts the code, the words, and that nothing is left behind.
fn refused(text: &str, args: &[&str], code: i32, words: &[&str]) {
    let desk = Desk::new();
    desk.put("t.csv", text);
    let ended = train(&desk, args);
    assert_eq!(ended.code, code, "{}", ended.stderr);
    assert_eq!(ended.stdout, "");
    for word in words {
        assert!(ended.stderr.contains(word), "`{word}` is not in: {}", ended.stderr);
    }
    assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
    assert_eq!(desk.names(), ["t.csv"]);
}

/// Trains on this text and predicts it again; asserts success and gives what was said.
fn accepted(text: &str, args: &[&str]) -> (Desk, Ended) {
    let desk = Desk::new();
    desk.put("t.csv", text);
    let ended = train(&desk, &[args, &["--out", "out"]].concat());
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let again = desk.guike(&["predict", "out/model.json", "t.csv"]);
    assert_eq!(again.code, 0, "{}", again.stderr);
    let (_, rows) = cells(&again.stdout);
    assert_eq!(rows.len(), text.lines().count() - 1);
    (desk, ended)
}

/// The table with another label per row.
fn relabelled(n: u64, label: impl Fn(usize) -> String) -> String {
    let mut out = String::new();
    for (i, line) in table(n).lines().enumerate() {
        let (rest, name) = line.rsplit_once(',').expect("four cells");
        let _ = writeln!(out, "{rest},{}", if i == 0 { name.to_owned() } else { label(i - 1) });
    }
    out
}

/// The table with one more column in front.
fn with_column(n: u64, name: &str, cell: impl Fn(usize) -> String) -> String {
    let cell = |i: usize| if i == 0 { name.to_owned() } else { cell(i - 1) };
    table(n).lines().enumerate().map(|(i, line)| format!("{},{line}\n", cell(i))).collect()
}

#[test]
fn a_table_becomes_a_model_figures_predictions_and_a_page() {
    let (desk, ended) = accepted(&table(400), &[]);
    assert!(
        ended.stderr.contains("chosen: ") && ended.stderr.contains("80 rows that took no part"),
        "{}",
        ended.stderr
    );
    let files: Vec<String> = desk.files("out").into_iter().map(|f| f.0).collect();
    assert_eq!(
        files,
        ["checksums.json", "evaluation.json", "model.json", "predictions.csv", "report.html", "train.toml"]
    );
    let predictions = desk.text("out/predictions.csv");
    let (header, rows) = cells(&predictions);
    assert_eq!(header, ["row", "part", "actual", "predicted", "p_no", "p_yes"]);
    assert_eq!(rows.iter().filter(|r| r[1] == "test").count(), 80);
    let right = rows.iter().filter(|r| r[2] == r[3]).count();
    assert!(right > 300, "{right} of 400");
    assert!(
        rows.iter().all(|r| (r[4].parse::<f64>().expect("p") + r[5].parse::<f64>().expect("p") - 1.0).abs() < 1e-6)
    );
    let page = desk.text("out/report.html");
    assert!(page.contains("What predicts label") && page.contains("如何预测 label"));
}

#[test]
fn the_same_table_gives_the_same_bytes_at_any_number_of_threads() {
    let desk = Desk::new();
    desk.put("t.csv", table(300));
    for (out, threads) in [("one", "1"), ("two", "2")] {
        let ended = train(&desk, &["--out", out, "--threads", threads]);
        assert_eq!(ended.code, 0, "{}", ended.stderr);
    }
    assert_eq!(desk.files("one"), desk.files("two"));
}

#[test]
fn predictions_go_to_a_file_or_to_standard_output_and_are_the_same() {
    let (desk, _) = accepted(&with_column(120, "customer_id", |i| format!("C{i:04}")), &[]);
    let printed = desk.guike(&["predict", "out", "t.csv"]).stdout;
    assert_eq!(desk.guike(&["predict", "out/model.json", "t.csv", "--out", "p.csv"]).code, 0);
    assert_eq!(desk.text("p.csv"), printed);
    assert!(printed.starts_with("customer_id,predicted,p_no,p_yes\nC0000,"), "{printed}");
}

#[test]
fn numbers_and_many_classes_are_targets_too() {
    let (desk, _) =
        accepted(&table(200).replace("age,income", "age,label").replace("colour,label", "colour,answer"), &[]);
    assert!(desk.text("out/evaluation.json").contains("\"task\": \"regression\""));
    let (desk, _) = accepted(&relabelled(200, |i| format!("class {}", i % 3)), &[]);
    assert!(cells(&desk.text("out/predictions.csv")).0.contains(&"p_class 2"));
}

#[test]
fn a_constant_target() {
    refused(&relabelled(60, |_| "yes".to_owned()), &[], DATA, &["every row of the target `label`", "`yes`"]);
    refused(&relabelled(60, |_| "5".to_owned()), &[], DATA, &["same value, `5`"]);
}

#[test]
fn a_target_without_any_value() {
    refused(&relabelled(60, |_| String::new()), &[], DATA, &["every cell of the target `label` is empty", "--target"]);
}

#[test]
fn a_target_with_some_missing_values_is_learned_from_the_others() {
    let text = relabelled(200, |i| if i % 10 == 0 { "NaN".to_owned() } else { ["yes", "no"][i % 2].to_owned() });
    let (desk, ended) = accepted(&text, &[]);
    assert!(ended.stderr.contains("20 rows without a value in the target `label`"), "{}", ended.stderr);
    assert_eq!(cells(&desk.text("out/predictions.csv")).1.len(), 180);
}

#[test]
fn a_target_that_names_every_row() {
    refused(&relabelled(300, |i| format!("n{i}")), &[], DATA, &["300 different values", "--target"]);
}

#[test]
fn a_class_with_a_single_row() {
    let text = relabelled(80, |i| if i == 7 { "odd" } else { ["yes", "no"][i % 2] }.to_owned());
    refused(&text, &[], DATA, &["class `odd`", "1 row"]);
}

#[test]
fn too_few_rows() {
    refused(&table(12), &[], DATA, &["12 rows", "at least 20"]);
}

#[test]
fn a_column_without_any_value_is_left_out() {
    let (_, ended) = accepted(&with_column(100, "nothing", |_| String::new()), &[]);
    assert!(ended.stderr.contains("column `nothing` is not learned from: every cell is empty"), "{}", ended.stderr);
}

#[test]
fn enormous_and_infinite_values() {
    let text = with_column(150, "big", |i| ["1e308", "-1e308", "3", "inf", "0"][i % 5].to_owned());
    let (_, ended) = accepted(&text, &[]);
    assert!(ended.stderr.contains("infinite values in 30 rows were read as missing"), "{}", ended.stderr);
}

#[test]
fn a_category_with_as_many_values_as_rows_or_nearly() {
    let text = with_column(400, "street", |i| format!("street {}", i * 3 / 4));
    accepted(&text, &[]);
}

#[test]
fn a_category_of_a_hundred_thousand_values() {
    let text = with_column(115_000, "postcode", |i| format!("code {}", i % 100_000));
    let (desk, _) = accepted(&text, &["--model", "logistic-regression", "--folds", "2"]);
    assert!(desk.text("out/model.json").contains("\"encoded\""));
}

/// Loss without the column and its standard error, by `evaluation.json`.
fn importance(desk: &Desk, column: &str) -> (f64, f64) {
    let text = desk.text("out/evaluation.json");
    let found: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let list = found["importance"].as_array().expect("a list");
    let own = list.iter().find(|i| i["column"] == column).expect("every column has its importance");
    let number = |key: &str| own["loss"][key].as_f64().expect("a number");
    (number("mid"), (number("hi") - number("mid")) / 1.96)
}

#[test]
fn a_random_category_of_many_values_gets_no_importance() {
    let mut numbers = Numbers(77);
    let codes: Vec<u64> = (0..900).map(|_| numbers.below(400)).collect();
    let text = with_column(900, "coupon", |i| format!("coupon {}", codes[i]));
    for model in ["logistic-regression", "boosting", "random-forest"] {
        let (desk, _) = accepted(&text, &["--model", model]);
        let (income, _) = importance(&desk, "income");
        let (coupon, error) = importance(&desk, "coupon");
        assert!(
            income > 0.05 && coupon < 0.1 * income && coupon < 2.5 * error,
            "{model}: {coupon} ± {error}, {income}"
        );
    }
}

#[test]
fn a_category_of_many_values_that_tells_the_label_is_learned_from() {
    // 300 shops, each with its own share of `yes`; nothing else tells it
    let mut numbers = Numbers(78);
    let mut text = String::from("shop,age,label\n");
    for _ in 0..3_000 {
        let shop = numbers.below(300);
        let label = if numbers.below(100) < [5, 30, 90][(shop % 3) as usize] { "yes" } else { "no" };
        let _ = writeln!(text, "shop {shop},{},{label}", numbers.below(60));
    }
    for model in ["logistic-regression", "boosting"] {
        let (desk, _) = accepted(&text, &["--model", model]);
        let found: serde_json::Value = serde_json::from_str(&desk.text("out/evaluation.json")).expect("JSON");
        let auc = found["test"]["values"]["auc"].as_f64().expect("an AUC");
        assert!(auc > 0.8, "{model}: {auc}");
    }
}

#[test]
fn more_columns_than_rows() {
    let mut numbers = Numbers(5);
    let mut lines: Vec<String> = table(40).lines().map(str::to_owned).collect();
    for c in 0..60 {
        for (i, line) in lines.iter_mut().enumerate() {
            *line = if i == 0 { format!("x{c},{line}") } else { format!("{}.5,{line}", numbers.below(100)) };
        }
    }
    accepted(&(lines.join("\n") + "\n"), &[]);
}

#[test]
fn a_column_named_twice() {
    refused(&table(60).replacen("age,income", "age,age", 1), &[], DATA, &["`age` is named twice", "columns 1 and 2"]);
}

#[test]
fn a_table_with_nothing_but_the_target() {
    let text: String = table(60).lines().map(|l| l.rsplit(',').next().unwrap_or_default().to_owned() + "\n").collect();
    refused(&text, &[], DATA, &["no column besides the target"]);
}

#[test]
fn misspelt_columns_classes_and_models_get_a_proposal() {
    refused(&table(60), &["--drop", "incme"], CONFIG, &["--drop", "did you mean `income`"]);
    refused(&table(60), &["--positive", "yse"], CONFIG, &["--positive", "`no`, `yes`"]);
    refused(&table(60), &["--model", "bosting"], CONFIG, &["--model", "did you mean `boosting`"]);
    refused(&table(60), &["--folds", "1"], CONFIG, &["--folds", "2 to 50"]);
    refused(&table(60), &["--task", "regression"], CONFIG, &["--task", "holds text such as"]);
}

#[test]
fn columns_that_are_missing_at_prediction_are_all_named() {
    let (desk, _) = accepted(&table(100), &[]);
    desk.put("new.csv", "Age,colour\n30,red\n");
    let ended = desk.guike(&["predict", "out", "new.csv"]);
    assert_eq!(ended.code, DATA, "{}", ended.stderr);
    for word in ["`age` (is `Age` meant?)", "`income`", "trained on"] {
        assert!(ended.stderr.contains(word), "`{word}` is not in: {}", ended.stderr);
    }
}

#[test]
fn unknown_columns_and_categories_at_prediction_do_no_harm() {
    let (desk, _) = accepted(&table(200), &[]);
    desk.put("new.csv", "shoe,colour,income,age\n44,violet,5000,30\n45,red,none,\n");
    let ended = desk.guike(&["predict", "out", "new.csv"]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(
        ended
            .stderr
            .contains("`colour`: 1 row holds a category that training saw too seldom or not at all, such as `violet`"),
        "{}",
        ended.stderr
    );
    let (_, rows) = cells(&ended.stdout);
    assert!(rows.len() == 2 && rows.iter().all(|r| r[1].parse::<f64>().is_ok()), "{}", ended.stdout);
}

#[test]
fn a_damaged_model_is_refused() {
    let (desk, _) = accepted(&table(100), &[]);
    let text = desk.text("out/model.json");
    desk.put("broken.json", text.replacen("0.", "1.", 1));
    let ended = desk.guike(&["predict", "broken.json", "t.csv"]);
    assert_eq!((ended.code, ended.stderr.contains("checksum")), (5, true), "{}", ended.stderr);
    assert_eq!(desk.guike(&["predict", "nowhere.json", "t.csv"]).code, 4);
}

#[test]
fn a_column_that_is_the_answer_in_disguise_is_named() {
    let desk = Desk::new();
    assert_eq!(desk.guike(&["simulate", "customers", "--label", "amount", "--out", "t.csv"]).code, 0);
    let ended = desk.guike(&["train", "t.csv", "--target", "value", "--budget", "fast", "--folds", "3"]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(ended.stderr.contains("warning: column `amount` alone explains"), "{}", ended.stderr);
    let other = desk.guike(&["simulate", "customers", "--out", "t.csv"]);
    assert_eq!(other.code, 0);
    let ended = desk.guike(&["train", "t.csv", "--target", "value", "--budget", "fast", "--folds", "3"]);
    assert!(!ended.stderr.contains("warning"), "{}", ended.stderr);
}

#[test]
fn a_target_that_nothing_predicts_is_called_that() {
    let mut numbers = Numbers(3);
    let labels: Vec<String> = (0..300).map(|_| ["yes", "no"][numbers.below(2) as usize].to_owned()).collect();
    let (_, ended) = accepted(&relabelled(300, |i| labels[i].clone()), &[]);
    assert!(ended.stderr.contains("warning: no learner predicts the target better"), "{}", ended.stderr);
}

#[test]
fn folds_in_time_judge_the_newest_rows() {
    let (desk, _) = accepted(&with_column(200, "day", |i| crate::support::date(i as u64)), &["--cutoff-column", "day"]);
    let text = desk.text("out/predictions.csv");
    let (_, rows) = cells(&text);
    let test: Vec<usize> =
        rows.iter().filter(|r| r[1] == "test").map(|r| r[0].parse().expect("a row number")).collect();
    assert_eq!(test, (161..=200).collect::<Vec<usize>>());
    assert!(rows[0][1] == "learned" && rows[0][3].is_empty(), "{:?}", rows[0]);
}
