//! Facts that hold for every learner on tables, whoever wrote it.

use guike::table::TableSettings;
use guike::table::learners::{ALL, Entry, named};
use guike_core::{FitContext, FitError, Matrix, Progress, Quiet, Seed};
use guike_learn::{ColumnKind, Examples, TabularModel, Task, Wants};

use crate::support::{Stop, same_bits, with_threads};

const TWO: Task = Task::Classification { classes: 2 };
const THREE: Task = Task::Classification { classes: 3 };

/// Rows whose label follows from their columns: two numbers, one of them with holes, and a code of five.
struct Data {
    x: Matrix,
    kinds: Vec<ColumnKind>,
    y: Vec<f64>,
    task: Task,
}

/// A number in 0..1 that looks random and is the same everywhere.
fn noise(i: usize, salt: u64) -> f64 {
    let h = (i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(salt.wrapping_mul(0xbf58_476d_1ce4_e5b9));
    let h = (h ^ (h >> 29)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((h ^ (h >> 32)) >> 11) as f64 / (1_u64 << 53) as f64
}

fn data(entry: &Entry, task: Task, n: usize) -> Data {
    let raw = entry.wants() == Wants::Raw;
    let a: Vec<f64> = (0..n).map(|i| noise(i, 1) * 4.0 - 2.0).collect();
    let b: Vec<f64> = (0..n).map(|i| noise(i, 2) * 4.0 - 2.0).collect();
    let code: Vec<f64> = (0..n).map(|i| (noise(i, 3) * 5.0).floor()).collect();
    let signal = |i: usize| a[i] + 0.7 * b[i] + if code[i] >= 3.0 { 1.0 } else { 0.0 } + noise(i, 4) - 0.5;
    let y = (0..n)
        .map(|i| match task {
            Task::Regression => 5.0 + signal(i),
            Task::Classification { classes: 2 } => f64::from(u8::from(signal(i) > 0.4)),
            Task::Classification { .. } => f64::from(u8::from(signal(i) > -0.5)) + f64::from(u8::from(signal(i) > 1.0)),
        })
        .collect();
    let mut columns = vec![a, b];
    let mut kinds = vec![ColumnKind::Number; 2];
    if raw {
        columns[1].iter_mut().enumerate().filter(|(i, _)| i % 11 == 0).for_each(|(_, v)| *v = f64::NAN);
        columns.push(code);
        kinds.push(ColumnKind::Category);
    } else {
        for c in 0..5 {
            columns.push(code.iter().map(|&v| f64::from(u8::from(v == f64::from(c)))).collect());
            kinds.push(ColumnKind::Number);
        }
    }
    Data { x: Matrix::from_columns(n, &columns), kinds, y, task }
}

impl Data {
    fn fit(
        &self,
        entry: &Entry,
        weight: Option<&[f64]>,
        progress: &dyn Progress,
    ) -> Result<Box<dyn TabularModel>, FitError> {
        let examples = Examples { x: &self.x, kinds: &self.kinds, y: &self.y, weight, task: self.task };
        entry.learner(&TableSettings::default(), self.y.len()).fit(&examples, &FitContext { seed: Seed(7), progress })
    }
}

/// Calls `check` for every learner and task that it can learn.
fn each(check: impl Fn(&'static Entry, Data, Box<dyn TabularModel>)) {
    for entry in ALL {
        for task in [Task::Regression, TWO, THREE] {
            if entry.can(task) {
                let data = data(entry, task, 240);
                let model = data.fit(entry, None, &Quiet).unwrap_or_else(|e| panic!("{}: {e}", entry.name));
                check(entry, data, model);
            }
        }
    }
}

/// Names in the table of learners that stand there with other settings, and what they call themselves.
const OTHER_SETTINGS: [(&str, &str); 4] = [
    ("gamma-regression", "generalised-linear"),
    ("poisson-regression", "generalised-linear"),
    ("tweedie-regression", "generalised-linear"),
    ("logistic-gradient-descent", "logistic-regression"),
];

#[test]
fn the_name_in_the_table_is_the_learners_own_and_finds_it() {
    for (i, entry) in ALL.iter().enumerate() {
        let own = entry.learner(&TableSettings::default(), 1_000).name();
        let is_own = entry.name.ends_with(own) || OTHER_SETTINGS.contains(&(entry.name, own));
        assert!(is_own, "{} is {own}", entry.name);
        assert!(ALL[..i].iter().all(|e| e.name != entry.name), "{} is there twice", entry.name);
        assert_eq!(named(entry.name).map(|e| e.name), Some(entry.name));
        assert!(!entry.idea.is_empty() && !entry.idea_zh.is_empty(), "{}", entry.name);
    }
}

#[test]
fn predictions_have_the_shape_and_the_range_of_the_task() {
    each(|entry, data, model| {
        assert_eq!((model.task(), model.n_columns()), (data.task, data.x.n_columns()), "{}", entry.name);
        let p = model.predict(&data.x);
        assert_eq!(p.len(), data.y.len() * data.task.n_outputs(), "{}", entry.name);
        assert!(p.iter().all(|v| v.is_finite()), "{}", entry.name);
        if let Task::Classification { classes } = data.task {
            for row in p.chunks_exact(classes as usize) {
                assert!(row.iter().all(|v| (0.0..=1.0 + 1e-12).contains(v)), "{}: {row:?}", entry.name);
                assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{}: {row:?}", entry.name);
            }
        }
    });
}

#[test]
fn a_row_by_itself_is_predicted_as_among_others() {
    each(|entry, mut data, model| {
        // and holes where training had none
        for j in 0..data.x.n_columns() {
            data.x.column_mut(j)[j] = f64::NAN;
        }
        let mut one_by_one = Vec::new();
        (0..data.y.len()).for_each(|i| model.predict_row(&data.x.row(i), &mut one_by_one));
        assert!(same_bits(&one_by_one, &model.predict(&data.x)), "{}", entry.name);
    });
}

#[test]
fn every_learner_learns_what_is_there() {
    each(|entry, data, model| {
        let k = data.task.n_outputs();
        let p = model.predict(&data.x);
        match data.task {
            Task::Regression => {
                let mean = data.y.iter().sum::<f64>() / data.y.len() as f64;
                let error: f64 = p.iter().zip(&data.y).map(|(p, y)| (p - y).powi(2)).sum();
                let spread: f64 = data.y.iter().map(|y| (y - mean).powi(2)).sum();
                assert!(error < 0.5 * spread, "{}: {}", entry.name, error / spread);
            }
            Task::Classification { .. } => {
                let best = |row: &[f64]| (0..k).fold(0, |b, c| if row[c] > row[b] { c } else { b });
                let right = p.chunks_exact(k).zip(&data.y).filter(|(row, y)| best(row) as f64 == **y).count();
                assert!(right > 180, "{}: {right} of 240", entry.name);
            }
        }
    });
}

#[test]
fn the_same_rows_and_seed_give_the_same_bits_at_any_number_of_threads() {
    each(|entry, data, model| {
        let again = with_threads(1, || data.fit(entry, None, &Quiet)).expect("fitted before");
        assert!(same_bits(&model.predict(&data.x), &again.predict(&data.x)), "{}", entry.name);
    });
}

#[test]
fn a_saved_model_predicts_the_same_bits() {
    each(|entry, data, model| {
        let text = serde_json::to_string(&model.save()).expect("JSON");
        let value = serde_json::from_str(&text).expect("its own text");
        let back = (entry.load)(&value).unwrap_or_else(|e| panic!("{}: {e}", entry.name));
        assert_eq!((back.task(), back.n_columns()), (model.task(), model.n_columns()));
        assert!(same_bits(&model.predict(&data.x), &back.predict(&data.x)), "{}", entry.name);
        assert!((entry.load)(&serde_json::json!({"kind": "another"})).is_err(), "{}", entry.name);
        assert!((entry.load)(&serde_json::json!([])).is_err(), "{}", entry.name);
    });
}

#[test]
fn a_row_is_predicted_alike_alone_and_in_any_company() {
    each(|entry, data, model| {
        let k = data.task.n_outputs();
        let all = model.predict(&data.x);
        let order: Vec<usize> = (0..data.y.len()).rev().collect();
        let reversed = model.predict(&data.x.select_rows(&order));
        for (slot, &i) in order.iter().enumerate() {
            assert!(same_bits(&reversed[slot * k..(slot + 1) * k], &all[i * k..(i + 1) * k]), "{} row {i}", entry.name);
        }
        for i in [0, 17, 239] {
            let one = model.predict(&data.x.select_rows(&[i]));
            assert!(same_bits(&one, &all[i * k..(i + 1) * k]), "{} row {i}", entry.name);
        }
        assert!(model.predict(&data.x.select_rows(&[])).is_empty(), "{}", entry.name);
    });
}

#[test]
fn a_constant_column_does_no_harm() {
    each(|entry, mut data, _| {
        let mut columns: Vec<Vec<f64>> = (0..data.x.n_columns()).map(|j| data.x.column(j).to_vec()).collect();
        columns.push(vec![3.0; data.y.len()]);
        data.kinds.push(ColumnKind::Number);
        data.x = Matrix::from_columns(data.y.len(), &columns);
        let model = data.fit(entry, None, &Quiet).unwrap_or_else(|e| panic!("{}: {e}", entry.name));
        assert!(model.predict(&data.x).iter().all(|v| v.is_finite()), "{}", entry.name);
    });
}

#[test]
fn missing_and_unseen_values_get_an_answer_from_learners_of_raw_columns() {
    each(|entry, data, model| {
        if entry.wants() == Wants::Raw {
            let strange = Matrix::from_row_major(3, &[f64::NAN, f64::NAN, f64::NAN, 1e308, -1e308, 77.0]);
            assert!(model.predict(&strange).iter().all(|v| v.is_finite()), "{}", entry.name);
        } else {
            // scaled columns have no holes; a learner that is given one says so
            let mut holes = data;
            holes.x.column_mut(0)[5] = f64::NAN;
            let refused = holes.fit(entry, None, &Quiet).expect_err("a hole among scaled columns");
            assert!(matches!(refused, FitError::Invalid { .. }), "{}: {refused}", entry.name);
            assert!(refused.to_string().contains("column 0"), "{}: {refused}", entry.name);
        }
    });
}

#[test]
fn in_another_currency_numbers_are_the_same() {
    each(|entry, mut data, model| {
        if data.task == Task::Regression {
            data.y.iter_mut().for_each(|y| *y *= 128.0);
            let other = data.fit(entry, None, &Quiet).unwrap_or_else(|e| panic!("{}: {e}", entry.name));
            // scikit-learn's penalty stands beside a deviance that has a unit itself, gamma's excepted
            let within = if entry.name.ends_with("-regression") { 1e-3 } else { 1e-6 };
            for (units, cents) in model.predict(&data.x).iter().zip(other.predict(&data.x)) {
                assert!((128.0 * units - cents).abs() <= within * cents.abs(), "{}: {units} {cents}", entry.name);
            }
        }
    });
}

#[test]
fn equal_weights_change_nothing_and_bad_ones_are_refused() {
    each(|entry, data, model| {
        let ones = vec![1.0; data.y.len()];
        let weighted = data.fit(entry, Some(&ones), &Quiet).unwrap_or_else(|e| panic!("{}: {e}", entry.name));
        for (a, b) in model.predict(&data.x).iter().zip(weighted.predict(&data.x)) {
            assert!((a - b).abs() < 1e-6, "{}: {a} {b}", entry.name);
        }
        for bad in [-1.0, f64::NAN, f64::INFINITY] {
            let mut weights = ones.clone();
            weights[3] = bad;
            assert!(data.fit(entry, Some(&weights), &Quiet).is_err(), "{} took a weight of {bad}", entry.name);
        }
    });
}

#[test]
fn labels_that_are_none_are_refused() {
    each(|entry, mut data, _| {
        let bad =
            if data.task == Task::Regression { vec![f64::NAN, f64::INFINITY] } else { vec![f64::NAN, 0.5, -1.0, 9.0] };
        for label in bad {
            let before = std::mem::replace(&mut data.y[4], label);
            assert!(data.fit(entry, None, &Quiet).is_err(), "{} took a label of {label}", entry.name);
            data.y[4] = before;
        }
    });
}

#[test]
fn one_class_gives_an_error_or_a_sound_answer() {
    each(|entry, mut data, _| {
        if data.task == TWO {
            data.y.fill(1.0);
            if let Ok(model) = data.fit(entry, None, &Quiet) {
                assert!(model.predict(&data.x).chunks_exact(2).all(|p| p[1] > 0.99), "{}", entry.name);
            }
        }
    });
}

#[test]
fn a_request_to_stop_stops() {
    each(|entry, data, _| {
        assert!(matches!(data.fit(entry, None, &Stop::default()), Err(FitError::Cancelled(_))), "{}", entry.name);
    });
}
