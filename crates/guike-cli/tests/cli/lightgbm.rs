//! Models that LightGBM saved as text, in the hands of who owns one. The files and the expected predictions are those of
//! the importer's own tests.

use crate::support::Desk;

const ROWS: &str = include_str!("../../../guike-learn/tests/lightgbm/rows.csv");
const EXPECTED: &str = include_str!("../../../guike-learn/tests/lightgbm/expected.csv");

fn model(name: &str) -> &'static str {
    match name {
        "binary" => include_str!("../../../guike-learn/tests/lightgbm/binary.txt"),
        "multiclass" => include_str!("../../../guike-learn/tests/lightgbm/multiclass.txt"),
        "zero_missing" => include_str!("../../../guike-learn/tests/lightgbm/zero_missing.txt"),
        _ => unreachable!("the models above"),
    }
}

/// The numbers of a column of a CSV text.
fn numbers(csv: &str, name: &str) -> Vec<f64> {
    let mut lines = csv.lines();
    let at = lines.next().and_then(|h| h.split(',').position(|n| n == name));
    let at = at.unwrap_or_else(|| panic!("no column {name} in {csv}"));
    lines.map(|l| l.split(',').nth(at).and_then(|c| c.parse().ok()).expect("a number")).collect()
}

#[test]
fn a_text_model_predicts_the_rows_of_a_file_as_lightgbm_does() {
    for (name, columns) in [
        ("binary", vec![("p_1", "binary")]),
        ("multiclass", vec![("p_0", "multiclass_0"), ("p_1", "multiclass_1"), ("p_2", "multiclass_2")]),
        ("zero_missing", vec![("predicted", "zero_missing")]),
    ] {
        let desk = Desk::new();
        desk.put("model.txt", model(name));
        // an infinite cell of a file is no number, and LightGBM was given one
        let is_read = |(_, row): &(usize, &str)| !row.contains("inf");
        let rows: Vec<(usize, &str)> = ROWS.lines().enumerate().filter(is_read).collect();
        desk.put("rows.csv", rows.iter().map(|(_, row)| format!("{row}\n")).collect::<String>());
        let ended = desk.guike(&["predict", "model.txt", "rows.csv"]);
        assert_eq!(ended.code, 0, "{}", ended.stderr);
        for (ours, theirs) in columns {
            let ours = numbers(&ended.stdout, ours);
            let all = numbers(EXPECTED, theirs);
            let theirs: Vec<f64> = rows[1..].iter().map(|(line, _)| all[line - 1]).collect();
            assert_eq!(ours.len(), theirs.len());
            // as many digits as are printed
            let apart = ours.iter().zip(&theirs).map(|(a, b)| (a - b).abs() / b.abs().max(1e-3)).fold(0.0, f64::max);
            assert!(apart < 1e-7, "{name}: {apart}");
        }
    }
}

#[test]
fn a_missing_feature_and_an_unknown_objective_are_named() {
    let desk = Desk::new();
    desk.put("model.txt", model("binary"));
    desk.put("other.txt", model("binary").replace("objective=binary", "objective=cross_entropy_lambda"));
    desk.put("rows.csv", "a,B,c\n1,2,3\n");
    let ended = desk.guike(&["predict", "model.txt", "rows.csv"]);
    assert!(ended.code != 0 && ended.stderr.contains("`b`") && ended.stderr.contains("`city`"), "{}", ended.stderr);
    let ended = desk.guike(&["predict", "other.txt", "rows.csv"]);
    assert!(
        ended.code != 0 && ended.stderr.contains("objective `cross_entropy_lambda` is not supported"),
        "{}",
        ended.stderr
    );
}
