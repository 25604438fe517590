//! Models that LightGBM 4.7.0 saved, with the predictions that it makes of `rows.csv` itself.
//!
//! `tests/lightgbm` holds models of five or more trees on 900 rows of a, b (15 % NaN), c (40 % zeros) and a pandas column of
//! five cities: logistic with `sigmoid=0.7`, softmax of three classes, Tweedie with `zero_as_missing`, Poisson with
//! `use_missing=false`, and a random forest (`boosting=rf`). The rows to be predicted hold NaN in every column, infinities,
//! zeros, and cities that are missing.

use guike_core::Matrix;
use guike_learn::boosting::lightgbm::{Imported, InputKind, ZERO, read};
use guike_learn::{TabularModel, Task};

const ROWS: &str = include_str!("lightgbm/rows.csv");
const EXPECTED: &str = include_str!("lightgbm/expected.csv");
const BINARY: &str = include_str!("lightgbm/binary.txt");
const MULTICLASS: &str = include_str!("lightgbm/multiclass.txt");
const ZERO_MISSING: &str = include_str!("lightgbm/zero_missing.txt");
const NONE_MISSING: &str = include_str!("lightgbm/none_missing.txt");
const FOREST: &str = include_str!("lightgbm/forest.txt");

/// The cells of a column of a small CSV file.
fn column(csv: &'static str, name: &str) -> Vec<&'static str> {
    let mut lines = csv.lines();
    let at = lines.next().and_then(|h| h.split(',').position(|n| n == name));
    let at = at.unwrap_or_else(|| panic!("no column {name}"));
    lines.map(|l| l.split(',').nth(at).expect("rows have all columns")).collect()
}

/// What the model reads of the rows.
fn matrix(imported: &Imported) -> Matrix {
    let columns: Vec<Vec<f64>> = imported
        .inputs
        .iter()
        .map(|input| {
            let value = |cell: &str| match &input.kind {
                InputKind::Category(levels) => {
                    levels.iter().position(|l| l == cell).map_or(f64::NAN, |code| code as f64)
                }
                InputKind::Number if cell.is_empty() => f64::NAN,
                InputKind::NonZero if cell.is_empty() => f64::NAN,
                InputKind::Number => cell.parse().expect("a number"),
                InputKind::NonZero => {
                    let v: f64 = cell.parse().expect("a number");
                    if v.abs() <= ZERO { f64::NAN } else { v }
                }
            };
            column(ROWS, &input.name).into_iter().map(value).collect()
        })
        .collect();
    Matrix::from_columns(column(ROWS, "a").len(), &columns)
}

#[test]
fn imported_models_predict_what_lightgbm_predicts() {
    for (name, text, n_outputs) in [
        ("binary", BINARY, 2),
        ("multiclass", MULTICLASS, 3),
        ("zero_missing", ZERO_MISSING, 1),
        ("none_missing", NONE_MISSING, 1),
        ("forest", FOREST, 1),
    ] {
        let imported = read(text).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(imported.model.task().n_outputs(), n_outputs, "{name}");
        let found = imported.model.predict(&matrix(&imported));
        for class in 0..n_outputs {
            let (label, sign) = match (name, n_outputs) {
                ("binary", _) => (name.to_owned(), class as f64),
                (_, 1) => (name.to_owned(), 1.0),
                _ => (format!("{name}_{class}"), 1.0),
            };
            for (row, cell) in column(EXPECTED, &label).into_iter().enumerate() {
                let theirs: f64 = cell.parse().expect("a number");
                // LightGBM gives the second class of two only
                let theirs = if sign == 0.0 { 1.0 - theirs } else { theirs };
                let ours = found[row * n_outputs + class];
                assert!((ours - theirs).abs() <= 1e-12 * theirs.abs().max(1.0), "{label} {row}: {ours} {theirs}");
            }
        }
    }
}

#[test]
fn only_the_features_that_are_asked_about_are_read_and_categories_have_their_names() {
    let imported = read(BINARY).expect("a model");
    let names: Vec<&str> = imported.inputs.iter().map(|i| i.name.as_str()).collect();
    assert_eq!(names, ["a", "b", "c", "city"]);
    let cities = ["Bonn", "Kyiv", "Lima", "Oslo", "Rome"].map(str::to_owned).to_vec();
    assert_eq!(imported.inputs[3].kind, InputKind::Category(cities));
    let imported = read(ZERO_MISSING).expect("a model");
    assert!(imported.inputs.iter().all(|i| i.kind == InputKind::NonZero), "{:?}", imported.inputs);
}

#[test]
fn covers_and_gains_come_along() {
    let imported = read(BINARY).expect("a model");
    let (trees, _) = imported.model.trees().expect("it is made of trees");
    for tree in &trees.trees {
        assert_eq!(tree.nodes[0].cover, 900.0);
        for node in tree.nodes.iter().filter(|n| n.split.is_some()) {
            let below = tree.nodes[node.left as usize].cover + tree.nodes[node.right as usize].cover;
            assert!(node.cover == below && node.gain > 0.0);
        }
    }
}

#[test]
fn a_model_without_a_question_predicts_its_one_value() {
    let header = "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nmax_feature_idx=0\nobjective=regression\n\
                  feature_names=a\nfeature_infos=none\n\n";
    let tree = "Tree=0\nnum_leaves=1\nnum_cat=0\nsplit_feature=\nsplit_gain=\nthreshold=\ndecision_type=\nleft_child=\n\
                right_child=\nleaf_value=4.5\nleaf_weight=\nleaf_count=\ninternal_value=\ninternal_weight=\n\
                internal_count=\nis_linear=0\nshrinkage=1\n\n\nend of trees\n";
    let imported = read(&format!("{header}{tree}")).expect("a model");
    assert!(imported.inputs.is_empty() && imported.model.task() == Task::Regression);
    assert_eq!(imported.model.predict(&Matrix::from_column_major(2, 0, Vec::new())), [4.5, 4.5]);
}

#[test]
fn what_cannot_be_read_is_said() {
    for (text, said) in [
        ("hello".to_owned(), "does not begin"),
        (BINARY.replace("version=v4", "version=v9"), "format is `v9`"),
        (
            BINARY.replace("objective=binary sigmoid:0.7", "objective=multiclassova num_class:1 sigmoid:1"),
            "`multiclassova`",
        ),
        (BINARY.replace("objective=binary sigmoid:0.7", "objective=regression sqrt"), "square roots"),
        (BINARY.replace("objective=binary sigmoid:0.7", "objective=binary sigmoid:x"), "after `sigmoid`"),
        (BINARY.replacen("is_linear=0", "is_linear=1", 1), "tree 0: it has linear models"),
        (BINARY.replacen("left_child=1", "left_child=0", 1), "tree 0: its nodes do not make a tree"),
        (BINARY.replacen("left_child=1", "left_child=x", 1), "`left_child` holds something else"),
        (BINARY.replacen("leaf_value=", "leaf_value=1 ", 1), "`leaf_value` has 7 values instead of 6"),
        (BINARY.replacen("num_tree_per_iteration=1", "num_tree_per_iteration=2", 1), "2 trees per round do not fit"),
        (BINARY.replacen("split_feature=0", "split_feature=9", 1), "feature 9 of 4"),
        (BINARY.replace("[\"Bonn\",", "[\"A\"], [\"Bonn\","), "2 sets of categories for 1 columns"),
    ] {
        let error = read(&text).expect_err(said);
        assert!(error.contains(said), "{error}");
    }
}
