//! Linear models against scikit-learn, against each other, and on data that is not kind.

mod behaviour;
mod golden;
mod hostile;

use guike_core::{FitContext, FitError, Matrix, Quiet, Seed};

use crate::tabular::{ColumnKind, Examples, Linear, TabularLearner, TabularModel, Task};

const TWO: Task = Task::Classification { classes: 2 };
const THREE: Task = Task::Classification { classes: 3 };

fn weighted(
    learner: &dyn TabularLearner,
    x: &Matrix,
    y: &[f64],
    weight: Option<&[f64]>,
    task: Task,
) -> Result<Box<dyn TabularModel>, FitError> {
    let kinds = vec![ColumnKind::Number; x.n_columns()];
    let examples = Examples { x, kinds: &kinds, y, weight, task };
    learner.fit(&examples, &FitContext { seed: Seed(1), progress: &Quiet })
}

fn fit(learner: &dyn TabularLearner, x: &Matrix, y: &[f64], task: Task) -> Result<Box<dyn TabularModel>, FitError> {
    weighted(learner, x, y, None, task)
}

fn linear(model: &dyn TabularModel) -> Linear<'_> {
    model.linear().expect("every linear model has coefficients")
}

/// Coefficients, then intercepts.
fn parameters(model: &dyn TabularModel) -> Vec<f64> {
    let Linear { coefficients, intercepts, .. } = linear(model);
    coefficients.iter().chain(intercepts).copied().collect()
}

fn assert_close(got: &[f64], want: &[f64], relative: f64, what: &str) {
    assert_eq!(got.len(), want.len(), "{what}");
    for (g, w) in got.iter().zip(want) {
        assert!((g - w).abs() <= relative * w.abs() + 1e-9, "{what}: {got:?} is not {want:?}");
    }
}

/// Forty rows, three columns and labels of every kind, from formulas.
struct Sample {
    x: Matrix,
    numbers: Vec<f64>,
    counts: Vec<f64>,
    amounts: Vec<f64>,
    two: Vec<f64>,
    three: Vec<f64>,
    weight: Vec<f64>,
}

fn sample() -> Sample {
    let g = 0.618_033_988_749_894_9_f64;
    let f = |t: f64| t - t.floor();
    let index: Vec<f64> = (1..=40).map(f64::from).collect();
    let column = |of: &dyn Fn(f64) -> f64| index.iter().map(|&i| of(i)).collect::<Vec<f64>>();
    let first = column(&|i| f(i * g));
    let second = column(&|i| 100.0 * f(i * i * g));
    let third = column(&|i| f(i * g) - 3.0 * f(7.0 * i * g));
    let label = |of: &dyn Fn(f64, f64, f64) -> f64| (0..40).map(|r| of(index[r], first[r], second[r])).collect();
    Sample {
        numbers: label(&|i, a, b| 2.0 + 3.0 * a - 0.05 * b + f(i * i * i * g)),
        counts: label(&|i, a, _| (4.0 * f(i * g) * f(5.0 * i * g) * (1.0 + a)).floor()),
        amounts: label(&|i, a, b| (a + 0.01 * b).exp() * (0.1 + f(3.0 * i * g))),
        two: label(&|i, a, _| f64::from(u8::from(f(11.0 * i * g) + 0.4 * a > 0.7))),
        three: label(&|i, a, _| (3.0 * f(a + f(i * i * i * g) * 0.5)).floor()),
        weight: label(&|i, _, _| i % 4.0 + 0.5),
        x: Matrix::from_columns(40, &[first, second, third]),
    }
}
