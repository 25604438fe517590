//! Facts that hold for every chart, whatever numbers and names it is given.

use proptest::prelude::*;

use crate::plot::{Frame, Interval};
use crate::text::{Lang, Measure};

/// Every chart drawn from the same raw numbers and name.
fn all_charts(numbers: &[f64], name: &str, frame: &Frame<'_>) -> Vec<(&'static str, String)> {
    let at = |i: usize| if numbers.is_empty() { 0.0 } else { numbers[i % numbers.len()] };
    let n = numbers.len();
    let interval = |i: usize| Interval { mid: at(i), lo: at(i + 1), hi: at(i + 2) };
    let counts = |i: usize| at(i).abs().min(1e6) as u64;
    let name = name.to_owned();
    let names = vec![name.clone(); 3];
    let square: Vec<Vec<u64>> = (0..3).map(|r| (0..3).map(|c| counts(r * 3 + c)).collect()).collect();
    let mut cells = [[crate::rfm::RfmCell::default(); 5]; 5];
    for (i, c) in cells.iter_mut().flatten().enumerate() {
        *c = crate::rfm::RfmCell { n_customers: counts(i), value: at(i) };
    }
    let periods: Vec<_> =
        (0..n).map(|i| crate::totals::Period { label: name.clone(), value: at(i), complete: i % 2 == 0 }).collect();
    let expected: Vec<_> =
        (0..n / 2).map(|i| crate::totals::Expected { label: name.clone(), total: interval(i) }).collect();
    let tiers: Vec<_> =
        (0..n).map(|i| crate::pyramid::Tier { name: name.clone(), n_customers: counts(i), value: at(i) }).collect();
    let cohorts: Vec<_> = (0..n)
        .map(|i| crate::cohort::Cohort {
            label: name.clone(),
            n_customers: counts(i),
            retained: (0..i % 7).map(|k| (k % 3 != 1).then(|| at(i + k))).collect(),
        })
        .collect();
    let candidates: Vec<_> = (0..n)
        .map(|i| crate::candidates::Candidate {
            name: name.clone(),
            score: interval(i),
            baseline: i % 2 == 0,
            chosen: i == 1,
        })
        .collect();
    let dropped: Vec<_> = (0..n).map(|i| crate::quality::Dropped { reason: name.clone(), rows: counts(i) }).collect();
    let groups: Vec<_> = (0..n)
        .map(|i| crate::calibration::Group {
            predicted: at(i),
            actual: at(i + 1),
            actual_interval: (i % 2 == 0).then(|| (at(i + 2), at(i + 3))),
        })
        .collect();
    let steps: Vec<_> = (0..n).map(|i| crate::waterfall::Step { name: name.clone(), amount: at(i) }).collect();
    let weights: Vec<_> =
        (0..n).map(|i| crate::importance::Importance { name: name.clone(), weight: interval(i) }).collect();
    let shifted: Vec<f64> = (0..n).map(|i| at(i + 1)).collect();
    let happened: Vec<bool> = numbers.iter().map(|v| *v > 1.0).collect();
    let swarms: Vec<_> = (0..n.min(4))
        .map(|i| crate::beeswarm::Swarm {
            name: name.clone(),
            effects: numbers.to_vec(),
            values: shifted[i..].iter().chain(&shifted[..i]).copied().collect(),
        })
        .collect();
    let strength: Vec<Vec<f64>> = (0..3).map(|r| (0..3).map(|c| at(r + c)).collect()).collect();
    let lines: Vec<Vec<f64>> = (0..5).map(|r| (0..n).map(|i| at(i + r)).collect()).collect();
    let mut places = numbers.to_vec();
    places.sort_by(f64::total_cmp);
    let (by_number, by_name) = (crate::dependence_picture::Places::Numbers(&places), vec![name.clone(); n]);
    let by_name = crate::dependence_picture::Places::Names(&by_name);
    let depends = |places| crate::dependence_picture::Curves { places, mean: &shifted, rows: &lines, data: numbers };
    let tree = tree(numbers);
    let columns = [crate::tree_picture::TreeColumn { name: name.clone(), levels: names.clone() }];
    let picture = crate::tree_picture::TreePicture { tree: &tree, columns: &columns, base: at(0), output: 0 };
    let pairs: Vec<(f64, f64)> = (0..n).map(|i| (at(i), at(i + 1))).collect();
    let triples: Vec<(f64, f64, f64)> = (0..n).map(|i| (at(i), at(i + 1), at(i + 2))).collect();
    let classes = [crate::roc::OneClass { name: &name, score: numbers, happened: &happened }];
    vec![
        ("beeswarm", crate::beeswarm::beeswarm(&swarms, frame)),
        ("interactions", crate::interaction_map::interaction_map(&names, &strength, frame)),
        ("dependence", crate::dependence_picture::curves(&depends(by_number), frame)),
        ("dependence on categories", crate::dependence_picture::curves(&depends(by_name), frame)),
        ("tree", picture.svg(frame)),
        (
            "totals",
            crate::totals::totals(&crate::totals::Totals { history: &periods, forecast: &expected, level: 0.8 }, frame),
        ),
        ("pyramid", crate::pyramid::pyramid(&tiers, frame)),
        ("rfm", crate::rfm::rfm(&cells, frame)),
        ("lorenz", crate::lorenz::lorenz(numbers, frame)),
        ("gain", crate::gain::gain(numbers, &shifted, frame)),
        ("roc", crate::roc::roc(numbers, &happened, frame)),
        ("calibration", crate::calibration::calibration(&groups, frame)),
        ("roc by class", crate::roc::roc_by_class(&classes, frame)),
        ("precision and recall", crate::precision_recall::precision_recall(&pairs, at(0), at(1), frame)),
        ("ks", crate::ks::ks(&triples, frame)),
        ("cost", crate::cost::cost(&pairs, (at(0), at(1)), frame)),
        ("lift", crate::lift::lift(numbers, frame)),
        ("scatter", crate::scatter::scatter(numbers, &shifted, frame)),
        ("cohort", crate::cohort::cohorts(&cohorts, frame)),
        ("candidates", crate::candidates::candidates(&candidates, 3, frame)),
        ("quality", crate::quality::quality(counts(0), &dropped, frame)),
        ("confusion", crate::confusion::confusion(&names, &square, frame)),
        ("migration", crate::migration::migration(&names, &square, frame)),
        ("histogram", crate::histogram::histogram(numbers, frame)),
        ("waterfall", crate::waterfall::waterfall(at(0), &steps, &name, &name, frame)),
        ("importance", crate::importance::importance(&weights, frame)),
    ]
}

/// A chain of questions with these numbers as thresholds, covers and values.
fn tree(numbers: &[f64]) -> guike_core::Tree {
    use guike_core::tree::{Node, Split, Tree};
    let leaf = |cover: f64| Node { split: None, left: 0, right: 0, cover, gain: 0.0 };
    let (mut nodes, mut values) = (vec![leaf(1.0)], vec![0.0]);
    for (i, &v) in numbers.iter().enumerate() {
        let split = match i % 3 {
            0 => Split::Category { column: 0, left: vec![0, 7], missing_left: true },
            k => Split::Number { column: k as u32 - 1, threshold: v, missing_left: false },
        };
        let last = nodes.len() as u32;
        *nodes.last_mut().expect("never empty") =
            Node { split: Some(split), left: last, right: last + 1, cover: v, gain: v };
        nodes.extend([leaf(v), leaf(1.0)]);
        values.extend([v, 0.0]);
    }
    Tree { nodes, values, first_output: 0, n_outputs: 1 }
}

/// The first thing that is wrong with an SVG text, if any.
fn flaw(svg: &str) -> Option<String> {
    if !svg.starts_with("<svg xmlns=") || !svg.contains("role=\"img\"") || !svg.contains("<desc>") {
        return Some("the root lacks role, title or description".into());
    }
    for bad in ["NaN", "inf", "script", "http://", "href"] {
        if svg.replace("http://www.w3.org/2000/svg", "").contains(bad) {
            return Some(format!("contains {bad}"));
        }
    }
    let mut open: Vec<&str> = Vec::new();
    let mut rest = svg;
    while let Some(start) = rest.find('<') {
        let end = start + rest[start..].find('>')?;
        let tag = &rest[start + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            if open.pop() != Some(name) {
                return Some(format!("</{name}> closes nothing"));
            }
        } else if !tag.ends_with('/') {
            open.push(tag.split(' ').next().unwrap_or(""));
        }
        if tag.matches('"').count() % 2 == 1 {
            return Some(format!("unbalanced quotes in <{tag}>"));
        }
    }
    (!open.is_empty()).then(|| format!("left open: {open:?}"))
}

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        6 => 0.0..5000.0_f64,
        2 => Just(0.0),
        1 => -1e4..1e12_f64,
        1 => prop::num::f64::ANY,
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn every_chart_survives_any_numbers_and_names(
        numbers in prop::collection::vec(number(), 0..40),
        name in "[ -~贵客<>&\"']{0,24}",
        zh in any::<bool>(),
        width in prop_oneof![Just(480.0), Just(860.0), Just(f64::NAN)],
    ) {
        // words that the check for foreign content looks for must not come from the random name
        let name = name.replace("script", "").replace("href", "").replace("http", "").replace("NaN", "").replace("inf", "");
        let frame = Frame::new(if zh { Lang::Zh } else { Lang::En }, &name, &name, &name)
            .measuring(Measure::Money(Some("GBP")))
            .wide(width);
        for (chart, svg) in all_charts(&numbers, &name, &frame) {
            let text = flaw(&svg);
            prop_assert!(text.is_none(), "{chart}: {} in {svg}", text.unwrap_or_default());
        }
    }
}

#[test]
fn charts_stay_small() {
    let numbers: Vec<f64> = (0..60).map(|i| f64::from(i) * 13.7 + 1.0).collect();
    for (chart, svg) in all_charts(&numbers, "a name of usual length", &Frame::new(Lang::En, "t", "x", "y")) {
        assert!(svg.len() < 40_000, "{chart}: {} bytes", svg.len());
    }
}

#[test]
fn the_same_data_give_the_same_bytes() {
    let numbers: Vec<f64> = (0..50).map(|i| f64::from(i * 37 % 50)).collect();
    let frame = Frame::new(Lang::Zh, "标题", "横轴", "纵轴");
    let (a, b) = (all_charts(&numbers, "名", &frame), all_charts(&numbers, "名", &frame));
    assert_eq!(a, b);
}
