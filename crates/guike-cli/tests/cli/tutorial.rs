//! The tutorial on tables, step by step: what it says is what comes out.

use std::path::Path;

use crate::support::Desk;

/// The tutorial's commands, one per line.
fn commands() -> (String, Vec<String>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/tutorial-table.md");
    let text = std::fs::read_to_string(path).expect("docs/tutorial-table.md");
    let commands = text.lines().filter(|l| l.starts_with("guike ")).map(str::to_owned).collect();
    (text, commands)
}

/// The AUC on the rows that were kept apart, with three decimals.
fn auc(said: &str) -> String {
    let line = said.lines().find(|l| l.contains("that took no part")).expect("figures on rows kept apart");
    let (_, rest) = line.split_once("AUC ").expect("an AUC");
    let number: f64 = rest.split(',').next().and_then(|n| n.parse().ok()).expect("a number");
    format!("{number:.3}")
}

#[test]
fn the_tutorial_says_what_comes_out() {
    let (text, commands) = commands();
    let desk = Desk::new();
    let mut said = Vec::new();
    for command in &commands {
        let args: Vec<&str> = command.split_whitespace().skip(1).collect();
        let ended = desk.guike(&args);
        assert_eq!(ended.code, 0, "{command}: {}", ended.stderr);
        said.push((command.as_str(), ended.stderr));
    }
    let of = |words: &str| &said.iter().find(|(c, _)| c.contains(words)).expect("a step of the tutorial").1;
    let (descent, exact) = (auc(of("--out by-descent")), auc(of("--out exact")));
    assert!(text.contains(&format!("AUC {descent} on the rows kept apart, against {exact} of")), "{descent} {exact}");
    let kernel = auc(of("--out by-kernel"));
    assert!(text.contains(&format!("reaches AUC {kernel} on")), "{kernel}");
    assert!(of("--out value-model").contains("chosen: logistic-regression"), "{}", of("--out value-model"));
    let leak = of("--out leak-model");
    assert!(text.contains(&format!("an AUC of {}", auc(leak))), "{leak}");
    let warning = text.lines().find_map(|l| l.strip_prefix("> ")).expect("the warning is quoted");
    assert!(leak.contains(warning), "{leak}");
    let rows = std::fs::read_to_string(desk.path("predictions.csv")).expect("predictions were written");
    assert_eq!(rows.lines().count(), 1_001);
}
