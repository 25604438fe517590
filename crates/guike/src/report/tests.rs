//! Facts about the finished page.

use guike_explain::Lang;

use super::training::{Shown, TrainingView, Tried, render_training};
use super::view::Bilingual;
use super::{render, sample};

/// The first thing that is wrong with the nesting of elements, if any.
fn nesting_flaw(html: &str) -> Option<String> {
    const VOID: [&str; 4] = ["meta", "link", "input", "!doctype"];
    let mut open: Vec<&str> = Vec::new();
    let mut rest = html;
    while let Some(start) = rest.find('<') {
        let end = start + rest[start..].find('>')?;
        let tag = &rest[start + 1..end];
        rest = &rest[end + 1..];
        let name = tag.trim_start_matches('/').split(' ').next().unwrap_or("");
        if name == "style" || name == "script" {
            rest = &rest[rest.find("</")?..];
            if tag.starts_with('/') {
                open.pop();
            } else {
                open.push(name);
            }
        } else if tag.starts_with('/') {
            let last = open.pop();
            if last != Some(name) {
                return Some(format!("</{name}> closes {last:?}"));
            }
        } else if !tag.ends_with('/') && !VOID.contains(&name) {
            open.push(name);
        }
    }
    (!open.is_empty()).then(|| format!("left open: {open:?}"))
}

fn pages() -> Vec<(&'static str, String)> {
    vec![
        ("shop", render(&sample::shop(Lang::En)).expect("renders")),
        ("shop zh", render(&sample::shop(Lang::Zh)).expect("renders")),
        ("tiny", render(&sample::tiny(Lang::Zh)).expect("renders")),
    ]
}

#[test]
fn the_page_is_whole_and_loads_nothing() {
    for (name, html) in pages() {
        assert_eq!(nesting_flaw(&html), None, "{name}");
        let local = html.replace("http://www.w3.org/2000/svg", "");
        for outside in ["http://", "https://", "src=\"", "@import", "url("] {
            assert!(!local.contains(outside), "{name} has {outside}");
        }
        assert!(
            !html.contains("NaN") && !html.contains(|c| ('\u{e000}'..='\u{e003}').contains(&c)) && !html.contains("**"),
            "{name}"
        );
    }
}

#[test]
fn a_large_shop_makes_a_page_under_400_kb() {
    for (name, html) in pages() {
        assert!(html.len() < 400_000, "{name}: {} bytes", html.len());
    }
}

#[test]
fn the_language_asked_for_is_checked_first_and_the_other_is_there_too() {
    let html = render(&sample::shop(Lang::Zh)).expect("renders");
    assert!(html.contains("<html lang=\"zh\">") && html.contains("id=\"lang-zh\" aria-label=\"中文\" checked"));
    assert!(html.contains("Customer value report") && html.contains("客户价值报告"));
}

#[test]
fn names_from_the_log_are_text_and_never_markup() {
    let html = render(&sample::tiny(Lang::En)).expect("renders");
    assert!(!html.contains("<b>小店</b>"));
    assert!(html.contains("&lt;b&gt;小店&lt;/b&gt; &amp; Co.csv"));
}

#[test]
fn a_missing_part_says_why_in_both_languages() {
    let html = render(&sample::tiny(Lang::En)).expect("renders");
    assert!(html.contains("at least 20 customers, and there are 3"));
    assert!(html.contains("至少需要 60 天的历史，目前只有 14 天"));
    assert!(html.contains("could not be tested against the past"));
}

#[test]
fn headings_go_down_one_step_at_a_time() {
    for (name, html) in pages() {
        let levels: Vec<u32> =
            html.match_indices("<h").filter_map(|(i, _)| html[i + 2..].chars().next()?.to_digit(10)).collect();
        assert_eq!(levels.iter().filter(|l| **l == 1).count(), 1, "{name}");
        assert!(levels.windows(2).all(|w| w[1] <= w[0] + 1), "{name}: {levels:?}");
    }
}

#[test]
fn every_chart_has_words() {
    let html = render(&sample::shop(Lang::En)).expect("renders");
    let charts = html.matches("role=\"img\"").count();
    assert!(charts >= 24, "{charts}");
    assert_eq!(html.matches("<desc>").count(), charts);
    assert!(!html.contains("<desc></desc>") && !html.contains("<title></title>"));
}

#[test]
fn the_same_view_gives_the_same_bytes() {
    assert_eq!(render(&sample::shop(Lang::En)).expect("renders"), render(&sample::shop(Lang::En)).expect("renders"));
}

/// A page about a model on a table, with names that try to be markup.
fn training(shown: Shown) -> TrainingView {
    let tried = |name: &str, loss: f64, failure: Option<&str>| Tried {
        name: name.to_owned(),
        idea: Bilingual::new("an idea", "一个思路"),
        loss: guike_explain::Interval { mid: loss, lo: loss - 0.01, hi: loss + 0.02 },
        yardstick: name == "no-model",
        more: vec![0.8],
        failure: failure.map(str::to_owned),
    };
    TrainingView {
        lang: Lang::En,
        source: "<i>t</i>.csv".to_owned(),
        version: "0.1.0".to_owned(),
        target: "va**lue".to_owned(),
        n_rows: 100,
        n_inputs: 3,
        chosen: "boosting".to_owned(),
        why: Bilingual::new("Why.", "原因。"),
        warnings: vec![Bilingual::new("A leak.", "泄漏。")],
        notes: vec![Bilingual::same("a note")],
        candidates: vec![
            tried("boosting", 0.4, None),
            tried("no-model", 0.6, None),
            tried("x", f64::NAN, Some("too few <rows>")),
        ],
        loss: Bilingual::new("log loss", "对数损失"),
        more: vec![Bilingual::same("AUC")],
        tested: true,
        n_tested: 20,
        figures: vec![(Bilingual::same("AUC"), Bilingual::new("meaning", "含义"), "0.8".to_owned()); 5],
        shown,
        importance: vec![guike_explain::importance::Importance {
            name: "age".to_owned(),
            weight: guike_explain::Interval { mid: 0.1, lo: 0.05, hi: 0.15 },
        }],
        importance_is: Bilingual::new("It is.", "它是。"),
        pictures: Vec::new(),
        columns: vec![("age".to_owned(), Bilingual::new("numbers", "数值"))],
        config: "target = \"value\"".to_owned(),
        steps: vec![Bilingual::new("A step.", "一步。")],
    }
}

#[test]
fn the_page_about_a_training_is_whole_for_every_kind_of_target() {
    let score: Vec<f64> = (0..20).map(|i| f64::from(i) / 20.0).collect();
    let binary = Shown::Binary {
        positive: "yes & <no>".to_owned(),
        negative: "no".to_owned(),
        happened: score.iter().map(|s| *s > 0.6).collect(),
        score: score.clone(),
        threshold: 0.5,
        costs: (1.0, 5.0),
    };
    let actual: Vec<usize> = (0..20).map(|i| usize::from(i % 3 == 0)).collect();
    let classes = Shown::Classes {
        names: vec!["a".to_owned(), "b".to_owned()],
        counts: vec![vec![3, 1], vec![0, 4]],
        probabilities: score.iter().flat_map(|s| [1.0 - s, *s]).collect(),
        actual,
    };
    let numbers = Shown::Numbers { predicted: score.clone(), actual: score };
    for shown in [binary, classes, numbers] {
        let titles: &[&str] = match shown {
            Shown::Binary { .. } => &[
                "Confusion matrix",
                "ROC curve",
                "Precision and recall",
                "KS curve",
                "Cumulative gain",
                "Lift by tenth",
                "Calibration",
                "Cost over the threshold",
                "Found so far",
            ],
            Shown::Classes { .. } => &["Confusion matrix", "ROC curves, each class against the rest"],
            Shown::Numbers { .. } => &["Predicted and actual by group", "Row by row"],
        };
        let html = render_training(&training(shown)).expect("renders");
        for title in titles {
            assert!(html.contains(title), "{title}");
        }
        assert_eq!(nesting_flaw(&html), None);
        assert!(!html.contains("NaN") && !html.contains("<i>t</i>") && !html.contains("<no>"));
        for outside in ["http://", "https://", "src=\"", "@import", "url("] {
            assert!(!html.replace("http://www.w3.org/2000/svg", "").contains(outside), "{outside}");
        }
        let levels: Vec<u32> =
            html.match_indices("<h").filter_map(|(i, _)| html[i + 2..].chars().next()?.to_digit(10)).collect();
        assert!(levels.windows(2).all(|w| w[1] <= w[0] + 1), "{levels:?}");
    }
}
