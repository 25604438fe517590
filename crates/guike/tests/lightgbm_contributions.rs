//! TreeSHAP of models that LightGBM saved, against what LightGBM's own `pred_contrib` says of them.
//!
//! The models and rows are those of the importer's tests (`guike-learn/tests/lightgbm.rs`): missing values in every column,
//! zeros that count as missing, columns in which nothing may be missing, and a pandas column of cities that is split into
//! sets. `regression.txt` adds squared error with two sets of cities in nearly every tree. `contributions.csv` was written
//! by LightGBM 4.7.0, every third row of `rows.csv`:
//!
//! ```python
//! X = pd.DataFrame(dict(a=a, b=b, c=c, city=pd.Categorical.from_codes(city, cities)))  # 900 rows, 15 % NaN in a and b
//! p = dict(objective="regression", num_leaves=8, min_data_in_leaf=20, max_cat_to_onehot=1, cat_smooth=1,
//!          min_data_per_group=5, learning_rate=.3, seed=1, num_threads=1, deterministic=True)
//! lgb.train(p, lgb.Dataset(X, y), 6).save_model("regression.txt")
//! # for every model, with the columns that it knows; the last of each output is the base
//! lgb.Booster(model_file="regression.txt").predict(rows, pred_contrib=True)[::3]
//! ```

use guike_core::{Matrix, Trees};
use guike_explain::tree_shap::TreeShap;
use guike_learn::TabularModel;
use guike_learn::boosting::lightgbm::{Input, InputKind, ZERO, read};

const ROWS: &str = include_str!("../../guike-learn/tests/lightgbm/rows.csv");
const CONTRIBUTIONS: &str = include_str!("../../guike-learn/tests/lightgbm/contributions.csv");

/// The cells of a column of a small CSV file, if it has one of this name.
fn column(csv: &'static str, name: &str) -> Option<Vec<&'static str>> {
    let mut lines = csv.lines();
    let at = lines.next()?.split(',').position(|n| n == name)?;
    Some(lines.map(|l| l.split(',').nth(at).expect("rows have all columns")).collect())
}

fn value(cell: &str, kind: &InputKind) -> f64 {
    let number = || if cell.is_empty() { f64::NAN } else { cell.parse().expect("a number") };
    match kind {
        InputKind::Category(levels) => levels.iter().position(|l| l == cell).map_or(f64::NAN, |code| code as f64),
        InputKind::NonZero if number().abs() <= ZERO => f64::NAN,
        InputKind::Number | InputKind::NonZero => number(),
    }
}

/// Every third row, as the model reads it.
fn rows(inputs: &[Input]) -> Matrix {
    let columns: Vec<Vec<f64>> = inputs
        .iter()
        .map(|i| {
            let cells = column(ROWS, &i.name).expect("the rows have every feature");
            cells.into_iter().step_by(3).map(|cell| value(cell, &i.kind)).collect()
        })
        .collect();
    Matrix::from_columns(columns[0].len(), &columns)
}

/// The largest distance between our parts and theirs; `unit` is what LightGBM's raw score is multiplied by in its link.
fn apart(name: &str, output: usize, (trees, inputs): (&Trees, &[Input]), unit: f64) -> f64 {
    let label = if trees.base.len() > 1 { format!("{name}_{output}") } else { name.to_owned() };
    let shap = TreeShap::new(trees).expect("sound trees");
    let ours = shap.attribute(&rows(inputs)).expect("every column is there");
    let theirs = |part: &str| -> Vec<f64> {
        let cells = column(CONTRIBUTIONS, &format!("{label}_{part}")).unwrap_or_else(|| panic!("no {label}_{part}"));
        cells.iter().map(|c| unit * c.parse::<f64>().expect("a number")).collect()
    };
    assert_eq!(ours.n_rows(), theirs("base").len());
    let mut worst = theirs("base").iter().map(|b| (b - ours.expected()[output]).abs()).fold(0.0, f64::max);
    for feature in ["a", "b", "c", "city"] {
        let columns: Vec<usize> = (0..inputs.len()).filter(|&j| inputs[j].name == feature).collect();
        if column(CONTRIBUTIONS, &format!("{label}_{feature}")).is_none() {
            assert!(columns.is_empty(), "{name} was trained without {feature}");
            continue;
        }
        for (row, their) in theirs(feature).into_iter().enumerate() {
            let our: f64 = columns.iter().map(|&j| ours.of(row, output)[j]).sum();
            worst = worst.max((our - their).abs());
        }
    }
    worst
}

#[test]
fn the_parts_of_an_imported_model_are_lightgbms_own() {
    for (name, text, unit) in [
        ("regression", include_str!("../../guike-learn/tests/lightgbm/regression.txt"), 1.0),
        ("binary", include_str!("../../guike-learn/tests/lightgbm/binary.txt"), 0.7),
        ("multiclass", include_str!("../../guike-learn/tests/lightgbm/multiclass.txt"), 1.0),
        ("zero_missing", include_str!("../../guike-learn/tests/lightgbm/zero_missing.txt"), 1.0),
        ("none_missing", include_str!("../../guike-learn/tests/lightgbm/none_missing.txt"), 1.0),
    ] {
        let imported = read(text).unwrap_or_else(|e| panic!("{name}: {e}"));
        let (trees, _) = imported.model.trees().expect("it is made of trees");
        for output in 0..trees.base.len() {
            let worst = apart(name, output, (trees, &imported.inputs), unit);
            assert!(worst < 1e-9, "{name} {output}: {worst}");
        }
    }
}
