//! Neighbours against brute force and scikit-learn.

use guike_core::{FitContext, FitError, Matrix, Quiet, Seed};

use super::{KNearestNeighbours, NeighboursModel, Vote};
use crate::tabular::{ColumnKind, Examples, TabularLearner, TabularModel, Task};

const THREE: Task = Task::Classification { classes: 3 };

fn fit(learner: KNearestNeighbours, x: &Matrix, y: &[f64], task: Task) -> Result<Box<dyn TabularModel>, FitError> {
    weighted(learner, x, y, None, task)
}

fn weighted(
    learner: KNearestNeighbours,
    x: &Matrix,
    y: &[f64],
    weight: Option<&[f64]>,
    task: Task,
) -> Result<Box<dyn TabularModel>, FitError> {
    let kinds = vec![ColumnKind::Number; x.n_columns()];
    let examples = Examples { x, kinds: &kinds, y, weight, task };
    learner.fit(&examples, &FitContext { seed: Seed(1), progress: &Quiet })
}

/// The golden set: columns, classes, values and queries from a formula.
fn golden(p: usize) -> (Matrix, Vec<f64>, Vec<f64>, Matrix) {
    let g = 0.618_033_988_749_894_9_f64;
    let at = |a: f64, j: usize, tilt: f64| (a * (j as f64 + 1.0) * g * (1.0 + tilt * j as f64)).fract();
    let rows: Vec<f64> = (0..400).flat_map(|a| (0..p).map(move |j| at(f64::from(a) + 1.0, j, 0.137))).collect();
    let queries: Vec<f64> = (0..3).flat_map(|a| (0..p).map(move |j| at(f64::from(a) + 0.5, j, 0.211))).collect();
    let classes = rows.chunks_exact(p).map(|r| (3.0 * (r[0] + r[1] * r[2]).fract()).floor()).collect();
    let values = rows.chunks_exact(p).map(|r| (2.0 * r[0]).exp() * (1.0 + r[1])).collect();
    (Matrix::from_row_major(p, &rows), classes, values, Matrix::from_row_major(p, &queries))
}

/// scikit-learn 1.9.1, with `frac(t) = t - floor(t)` and `g = 0.6180339887498949`:
/// ```python
/// for p in (3, 20):
///     x = [[frac((a+1)*(j+1)*g*(1+0.137*j)) for j in range(p)] for a in range(400)]
///     y = floor(3*frac(x[:,0]+x[:,1]*x[:,2])); v = exp(2*x[:,0])*(1+x[:,1])
///     q = [[frac((a+0.5)*(j+1)*g*(1+0.211*j)) for j in range(p)] for a in range(3)]
///     for w in ("uniform", "distance"):
///         KNeighborsClassifier(7, weights=w).fit(x, y).predict_proba(q)
///         KNeighborsRegressor(7, weights=w).fit(x, v).predict(q)
/// ```
#[test]
fn predictions_are_scikit_learns() {
    type Case = (usize, Vote, [f64; 9], [f64; 3]);
    let cases: [Case; 4] = [
        (
            3,
            Vote::Uniform,
            [
                0.0,
                0.7142857142857143,
                0.2857142857142857,
                0.8571428571428571,
                0.0,
                0.14285714285714285,
                0.42857142857142855,
                0.0,
                0.5714285714285714,
            ],
            [3.2843419399071165, 7.541393811786334, 5.094221481971169],
        ),
        (
            3,
            Vote::Distance,
            [
                0.0,
                0.8246188690733275,
                0.17538113092667262,
                0.9290299432152138,
                0.0,
                0.07097005678478614,
                0.4499974796953669,
                0.0,
                0.550002520304633,
            ],
            [3.2949002320404026, 7.985932218330779, 5.098719487358408],
        ),
        (
            20,
            Vote::Uniform,
            [
                0.2857142857142857,
                0.5714285714285714,
                0.14285714285714285,
                0.42857142857142855,
                0.0,
                0.5714285714285714,
                0.14285714285714285,
                0.5714285714285714,
                0.2857142857142857,
            ],
            [3.3957503117480305, 5.603755556209945, 5.523440389663777],
        ),
        (
            20,
            Vote::Distance,
            [
                0.26549445295601404,
                0.5939527370512038,
                0.14055280999278216,
                0.4438173114366915,
                0.0,
                0.5561826885633085,
                0.13754221293913987,
                0.5834566072980223,
                0.2790011797628379,
            ],
            [3.3697259935281756, 5.664152261470397, 5.585663695593113],
        ),
    ];
    for (p, vote, probabilities, values) in cases {
        let (x, classes, spend, queries) = golden(p);
        let learner = KNearestNeighbours { k: 7, vote };
        let close = |got: Vec<f64>, expected: &[f64]| {
            assert_eq!(got.len(), expected.len());
            got.iter().zip(expected).for_each(|(g, e)| assert!((g - e).abs() < 1e-12 * e.abs().max(1.0), "{g} {e}"));
        };
        close(fit(learner, &x, &classes, THREE).unwrap().predict(&queries), &probabilities);
        close(fit(learner, &x, &spend, Task::Regression).unwrap().predict(&queries), &values);
    }
}

#[test]
fn a_saved_model_predicts_the_same_bits_at_any_number_of_threads() {
    for p in [3, 20] {
        let (x, classes, _, queries) = golden(p);
        let model = fit(KNearestNeighbours { k: 9, vote: Vote::Distance }, &x, &classes, THREE).unwrap();
        let text = serde_json::to_string(&model.save()).unwrap();
        let loaded = NeighboursModel::load(&serde_json::from_str(&text).unwrap()).unwrap();
        assert_eq!(model.predict(&queries), loaded.predict(&queries));
        let with = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| model.predict(&x))
        };
        let one = with(1);
        assert!(one == with(2) && one == with(4));
        assert!(one.chunks_exact(3).all(|q| (q.iter().sum::<f64>() - 1.0).abs() < 1e-12));
    }
}

#[test]
fn rows_of_weight_zero_are_not_there_and_weights_scale_votes() {
    let x = Matrix::from_columns(4, &[[0.0, 1.0, 2.0, 3.0]]);
    let learner = KNearestNeighbours { k: 2, ..Default::default() };
    let y = [8.0, 4.0, 0.0, 1.0];
    let w = [0.0, 3.0, 1.0, 1.0];
    let model = weighted(learner, &x, &y, Some(&w), Task::Regression).unwrap();
    assert_eq!(model.predict(&Matrix::from_columns(1, &[[0.1]])), [3.0]);
}

#[test]
fn equal_distances_are_broken_by_the_order_of_the_rows() {
    let x = Matrix::from_columns(600, &[vec![5.0; 600]]);
    let y: Vec<f64> = (0..600).map(f64::from).collect();
    let model = fit(KNearestNeighbours { k: 3, ..Default::default() }, &x, &y, Task::Regression).unwrap();
    assert!((model.predict(&Matrix::from_columns(1, &[[1.0]]))[0] - 1.0).abs() < 1e-15);
}

#[test]
fn odd_tables_get_a_clear_answer() {
    let say = |x: &Matrix, y: &[f64], task| {
        fit(KNearestNeighbours { k: 2, ..Default::default() }, x, y, task).unwrap_err().to_string()
    };
    let good = Matrix::from_columns(2, &[[0.0, 1.0]]);
    assert_eq!(
        say(&Matrix::from_columns(2, &[[0.0, f64::NAN]]), &[0.0, 1.0], Task::Regression),
        "k-nearest-neighbours cannot use row 1 of column 0 = NaN: distances need finite numbers; fill and scale the \
         columns first"
    );
    assert_eq!(
        say(&good, &[0.0, 3.0], THREE),
        "k-nearest-neighbours cannot use the label of row 1 = 3: labels are class codes 0 to 2"
    );
    assert_eq!(
        say(&Matrix::from_columns(1, &[[0.0]]), &[0.0], THREE),
        "k-nearest-neighbours needs at least k = 2 rows of positive weight, and there are 1"
    );
    // one class, a missing query, values at the end of the range
    let wide = Matrix::from_columns(2, &[[1e308, -1e308], [0.0, 0.0], [1.0, 2.0]]);
    for vote in [Vote::Uniform, Vote::Distance] {
        let model = fit(KNearestNeighbours { k: 2, vote }, &wide, &[1.0, 1.0], THREE).unwrap();
        let queries = Matrix::from_row_major(3, &[f64::NAN, f64::INFINITY, 0.0, 0.0, 0.0, 1.0]);
        assert_eq!(model.predict(&queries), [0.0, 1.0, 0.0, 0.0, 1.0, 0.0]);
    }
    assert!(NeighboursModel::load(&serde_json::json!({"kind": "svm"})).is_err());
}
