//! `guike explain` on order logs and tables: parts that add up, in words of both languages, and what it says to questions
//! it cannot answer.

use serde_json::Value;

use crate::support::{Desk, cells, shop_csv};

/// A desk with a run of a small shop in `out`.
fn shop(model: &[&str]) -> Desk {
    let desk = Desk::new();
    desk.put("log.csv", shop_csv(300));
    let ended = desk.guike(&[&["run", "log.csv", "--out", "out"], model].concat());
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    desk
}

fn json(desk: &Desk, args: &[&str]) -> Value {
    let ended = desk.guike(&[&["explain", "out", "log.csv"], args, &["--format", "json"]].concat());
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    serde_json::from_str(&ended.stdout).unwrap_or_else(|e| panic!("{e}: {}", ended.stdout))
}

fn number(v: &Value, path: &str) -> f64 {
    v.pointer(path).and_then(Value::as_f64).unwrap_or_else(|| panic!("{path} is no number in {v:#}"))
}

/// Base and parts of a customer against what the run forecast.
fn adds_up(desk: &Desk, id: &str) {
    let found = json(desk, &[id]);
    for (output, column) in [("spend", "expected_spend"), ("p_active", "p_active")] {
        let parts: Vec<f64> =
            found["themes"].as_array().expect("themes").iter().map(|t| number(t, &format!("/{output}"))).collect();
        let total = number(&found, &format!("/base/{output}")) + parts.iter().sum::<f64>();
        let expected = number(&found, &format!("/expected/{output}"));
        assert!((total - expected).abs() <= 1e-9 * expected.abs().max(1.0), "{output}: {total} and {expected}");
        let forecasts = desk.text("out/forecasts.csv");
        let (head, rows) = cells(&forecasts);
        let at = head.iter().position(|h| *h == column).expect("a column of forecasts.csv");
        let told: f64 = rows.iter().find(|r| r[0] == id).expect("the customer")[at].parse().expect("a number");
        assert!(
            (told - expected).abs() <= 1e-8 * told.abs().max(1.0),
            "{output}: forecast {told}, explained {expected}"
        );
    }
    assert!(found["exact"].as_bool().expect("exact"), "{found:#}");
}

#[test]
fn the_parts_of_a_customer_add_up_to_the_forecast_of_the_run() {
    let desk = shop(&["--budget", "fast"]);
    adds_up(&desk, "C00003");
    adds_up(&desk, "C00200");
}

#[test]
fn a_model_on_features_is_explained_with_all_that_it_reads() {
    let desk = shop(&["--model", "blend"]);
    adds_up(&desk, "C00017");
    let found = json(&desk, &["C00017"]);
    let themes: Vec<&str> =
        found["themes"].as_array().expect("themes").iter().filter_map(|t| t["theme"].as_str()).collect();
    for theme in ["recency", "frequency", "tenure", "spend", "rhythm", "calendar"] {
        assert!(themes.contains(&theme), "{themes:?}");
    }
    let page = desk.guike(&["explain", "out/model/model.json", "log.csv", "C00017", "--out", "why.html"]);
    assert_eq!(page.code, 0, "{}", page.stderr);
    let html = desk.text("why.html");
    assert!(html.contains("Why customer C00017") && html.contains("为什么预计顾客 C00017"));
    assert!(html.matches("role=\"img\"").count() == 4 && !html.contains("NaN"), "a picture of each width and language");
}

#[test]
fn a_customer_is_explained_in_words_of_both_languages() {
    let desk = shop(&["--budget", "fast"]);
    for (lang, words) in [
        (
            "en",
            ["customer C00003 is expected to spend", "last bought", "(median ", "One order more today", "Tier now: "],
        ),
        ("zh", ["预计顾客 C00003 消费", "上次购买在", "（中位数 ", "今天再下一单", "目前层级："]),
    ] {
        let ended = desk.guike(&["explain", "out", "log.csv", "C00003", "--lang", lang]);
        assert_eq!(ended.code, 0, "{}", ended.stderr);
        for word in words {
            assert!(ended.stdout.contains(word), "`{word}` is not in: {}", ended.stdout);
        }
    }
}

#[test]
fn one_more_order_is_forecast_as_if_it_stood_in_the_log() {
    let desk = shop(&["--budget", "fast"]);
    let found = json(&desk, &["C00003"]);
    let steps = found["what_if"].as_array().expect("what if");
    assert!(steps.len() >= 2, "{found:#}");
    let log = desk.text("log.csv");
    let last_day = log.lines().skip(1).filter_map(|l| l.split(',').nth(1)).max().expect("a day");
    for step in steps {
        desk.put("more.csv", format!("{log}C00003,{last_day},{}\n", number(step, "/order")));
        let ended = desk.guike(&["forecast", "more.csv", "--model-dir", "out/model"]);
        assert_eq!(ended.code, 0, "{}", ended.stderr);
        let (head, rows) = cells(&ended.stdout);
        let at = head.iter().position(|h| *h == "expected_spend").expect("a column");
        let told: f64 = rows.iter().find(|r| r[0] == "C00003").expect("the customer")[at].parse().expect("a number");
        assert!((told - number(step, "/expected/spend")).abs() < 1e-6 * told, "{told} and {step:#}");
    }
}

#[test]
fn a_shop_is_explained_by_theme_most_important_first() {
    let desk = shop(&["--budget", "fast"]);
    let found = json(&desk, &[]);
    let weights: Vec<f64> = found["themes"].as_array().expect("themes").iter().map(|t| number(t, "/spend")).collect();
    assert!(weights.len() == 4 && weights.is_sorted_by(|a, b| a >= b), "{weights:?}");
    let text = desk.guike(&["explain", "out", "log.csv", "--out", "why.html"]).stdout;
    assert!(text.contains("the forecasts lean most on"), "{text}");
    assert!(desk.text("why.html").contains("预测的依据"));
}

#[test]
fn the_same_question_gets_the_same_answer_at_any_number_of_threads() {
    let desk = shop(&["--budget", "fast"]);
    let one = desk.guike(&["explain", "out", "log.csv", "C00009", "--threads", "1", "--format", "json"]);
    let two = desk.guike(&["explain", "out", "log.csv", "C00009", "--threads", "2", "--format", "json"]);
    assert_eq!((one.code, &one.stdout), (0, &two.stdout));
}

#[test]
fn errors_tell_the_way_out_and_no_id() {
    let desk = shop(&["--budget", "fast"]);
    let refused = |args: &[&str], code: i32, words: &[&str]| {
        let ended = desk.guike(&[&["explain"], args].concat());
        assert_eq!(ended.code, code, "{args:?}: {}", ended.stderr);
        assert_eq!(ended.stdout, "");
        for word in words {
            assert!(ended.stderr.contains(word), "{args:?}: `{word}` is not in: {}", ended.stderr);
        }
        assert!(
            !ended.stderr.to_lowercase().contains("c00003") && !ended.stderr.contains("13912345678"),
            "{}",
            ended.stderr
        );
    };
    refused(&["out", "log.csv", "13912345678"], 4, &["none of the 300 customers", "forecasts.csv lists all ids"]);
    refused(&["out", "log.csv", "c00003"], 4, &["differs from it only by case"]);
    refused(&["nowhere", "log.csv"], 4, &["nowhere"]);
    refused(&["out", "nothing.csv"], 4, &["nothing.csv"]);
    refused(&["log.csv", "log.csv"], 5, &["log.csv", "not valid JSON"]);
}

#[test]
fn the_report_of_a_run_tells_what_its_forecasts_lean_on_and_why_the_first_come_first() {
    for model in ["blend", "average"] {
        let desk = shop(&["--model", model]);
        let page = desk.text("out/report.html");
        for words in ["Groups of facts by importance", "各组信息的重要性", "Why the first of them", "为什么是前几位"]
        {
            assert!(page.contains(words), "{model}: {words}");
        }
        let forecasts = desk.text("out/forecasts.csv");
        let (head, rows) = cells(&forecasts);
        let at = head.iter().position(|h| *h == "expected_spend").expect("a column");
        let spend = |r: &Vec<&str>| r[at].parse::<f64>().expect("a number");
        let first = rows.iter().max_by(|a, b| spend(a).total_cmp(&spend(b))).expect("customers")[0];
        assert!(page.contains(&format!("<b>{first}</b> is expected to spend")), "{model}: {first}");
    }
}
