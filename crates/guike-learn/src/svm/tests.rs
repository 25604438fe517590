//! Machines against scikit-learn, and what must hold for any table.

use guike_core::{FitContext, FitError, Matrix, Quiet, Seed};

use super::{Gamma, KernelSvm, LinearSvm, PlattSigmoid, SvmModel};
use crate::tabular::{ColumnKind, Examples, TabularModel, Task};

const TWO: Task = Task::Classification { classes: 2 };
const THREE: Task = Task::Classification { classes: 3 };
const G: f64 = 0.618_033_988_749_894_9;

/// Either learner.
#[derive(Clone, Copy)]
enum Machine {
    Line(LinearSvm),
    Curve(KernelSvm),
}
use Machine::{Curve, Line};

fn cx() -> FitContext<'static> {
    FitContext { seed: Seed(1), progress: &Quiet }
}

fn fit(machine: Machine, x: &Matrix, y: &[f64], weight: Option<&[f64]>, task: Task) -> Result<SvmModel, FitError> {
    let kinds = vec![ColumnKind::Number; x.n_columns()];
    let examples = Examples { x, kinds: &kinds, y, weight, task };
    match machine {
        Line(learner) => learner.fit_svm(&examples, &cx()),
        Curve(learner) => learner.fit_svm(&examples, &cx()),
    }
}

fn line(c: f64) -> Machine {
    Line(LinearSvm { c, ..LinearSvm::default() })
}

fn curve(c: f64) -> Machine {
    Curve(KernelSvm { c, tolerance: 1e-8, ..KernelSvm::default() })
}

fn nystroem(landmarks: usize) -> Machine {
    Curve(KernelSvm { c: 2.0, most_rows: 1, landmarks, ..KernelSvm::default() })
}

/// The golden set: rows, two classes, three classes, weights and queries from a formula.
struct Golden {
    x: Matrix,
    two: Vec<f64>,
    three: Vec<f64>,
    weight: Vec<f64>,
    queries: Matrix,
}

fn golden() -> Golden {
    let at = |a: f64, j: usize, tilt: f64| 2.0 * (a * (j as f64 + 1.0) * G * (1.0 + tilt * j as f64)).fract() - 1.0;
    let rows: Vec<f64> = (0..60).flat_map(|a| (0..3).map(move |j| at(f64::from(a) + 1.0, j, 0.137))).collect();
    let queries: Vec<f64> = (0..4).flat_map(|a| (0..3).map(move |j| at(f64::from(a) + 0.5, j, 0.211))).collect();
    let noise = |a: usize| 0.6 * ((a as f64 * 0.754_877_666_246_692_7).fract() - 0.5);
    let u: Vec<f64> = rows.chunks_exact(3).enumerate().map(|(a, r)| r[0] + r[1] * r[2] + noise(a)).collect();
    let count = |u: f64, cuts: &[f64]| cuts.iter().filter(|&&c| u > c).count() as f64;
    Golden {
        x: Matrix::from_row_major(3, &rows),
        two: u.iter().map(|&u| count(u, &[0.1])).collect(),
        three: u.iter().map(|&u| count(u, &[-0.3, 0.4])).collect(),
        weight: (0..60).map(|a| 1.0 + f64::from(a % 3)).collect(),
        queries: Matrix::from_row_major(3, &queries),
    }
}

fn close(got: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(got.len(), expected.len());
    got.iter().zip(expected).for_each(|(g, e)| assert!((g - e).abs() < tolerance, "{got:?} {expected:?}"));
}

/// scikit-learn 1.9, with `frac(t) = t - floor(t)` and `g = 0.6180339887498949`:
/// ```python
/// x = [[2*frac((a+1)*(j+1)*g*(1+0.137*j))-1 for j in range(3)] for a in range(60)]
/// q = [[2*frac((a+0.5)*(j+1)*g*(1+0.211*j))-1 for j in range(3)] for a in range(4)]
/// u = x[:,0] + x[:,1]*x[:,2] + 0.6*(frac(arange(60)*0.7548776662466927)-0.5)
/// two = (u>0.1).astype(int); three = (u>-0.3).astype(int)+(u>0.4); w = 1.0+arange(60)%3
/// lin = lambda: LinearSVC(C=2.0, loss="squared_hinge", dual=False, tol=1e-12, max_iter=100000)
/// rbf = lambda: SVC(C=2.0, tol=1e-9)
/// for f in (lin, rbf):
///     f().fit(x, two).decision_function(q)
///     f().fit(x, two, sample_weight=w).decision_function(q)
///     ravel(array([f().fit(x, (three==k).astype(int)).decision_function(q) for k in range(3)]).T)
/// ```
#[test]
fn scores_are_scikit_learns() {
    let Golden { x, two, three, weight, queries } = golden();
    type Case = (Machine, [f64; 4], [f64; 4], [f64; 12]);
    let cases: [Case; 2] = [
        (
            line(2.0),
            [-1.1170054066696955, 2.055278730334878, 0.022606002118988236, -1.546865152995093],
            [-1.325719579322083, 2.200344816404343, -0.01687802862186344, -1.9722875413032714],
            [
                0.0009968328008315153,
                -0.028202094887018525,
                -1.6969178414198376,
                -1.8254528533938155,
                -0.5096729788921606,
                1.1030436080419599,
                -0.7033459976172867,
                -0.17313270603167663,
                -0.5003440290569738,
                0.46807808026612685,
                -0.1292428277414516,
                -2.674410630074027,
            ],
        ),
        (
            curve(2.0),
            [-1.6634203357151855, 0.8010066575300412, 0.29294544503613645, -1.4225876706590141],
            [-1.9217723175571981, 0.722404443970701, 0.44971816881885907, -1.572888876127481],
            [
                0.41476362186726223,
                -0.1895777200589307,
                -1.6920473245913175,
                -1.3734321065941737,
                -0.47871335687366245,
                0.5633341185174674,
                -1.3537660709159764,
                0.7788338309189952,
                -0.5903327490885065,
                0.08156810611074361,
                -0.06164519121424594,
                -1.5286456965361075,
            ],
        ),
    ];
    for (machine, plain, weighted, rest) in cases {
        // the classes against the rest, a row of three scores per query
        let by_query: Vec<f64> = rest.to_vec();
        close(&fit(machine, &x, &two, None, TWO).unwrap().decision(&queries), &plain, 1e-4);
        close(&fit(machine, &x, &two, Some(&weight), TWO).unwrap().decision(&queries), &weighted, 1e-4);
        close(&fit(machine, &x, &three, None, THREE).unwrap().decision(&queries), &by_query, 1e-4);
    }
}

/// `sklearn.calibration._sigmoid_calibration(round(u, 1), two)` of scikit-learn 1.9, without and with the weights.
#[test]
fn the_sigmoid_is_scikit_learns() {
    let Golden { x, two, weight, .. } = golden();
    let noise = |a: usize| 0.6 * ((a as f64 * 0.754_877_666_246_692_7).fract() - 0.5);
    let u = |a: usize| x.at(a, 0) + x.at(a, 1) * x.at(a, 2) + noise(a);
    let scores: Vec<f64> = (0..60).map(|a| (u(a) * 10.0).round() / 10.0).collect();
    let positive: Vec<bool> = two.iter().map(|&y| y == 1.0).collect();
    let plain = PlattSigmoid::fit(&scores, &positive, &[1.0; 60]);
    close(&[plain.a, plain.b], &[-6.473991881211115, 0.602166075009861], 1e-3);
    let weighted = PlattSigmoid::fit(&scores, &positive, &weight);
    close(&[weighted.a, weighted.b], &[-8.482103246916488, 0.7652144309258583], 1e-3);
}

#[test]
fn probabilities_are_the_sigmoid_of_the_score_and_add_up_to_one() {
    let Golden { x, two, three, queries, .. } = golden();
    for machine in [line(2.0), curve(2.0), nystroem(20)] {
        let model = fit(machine, &x, &two, None, TWO).unwrap();
        let p = model.predict(&queries);
        for (p, score) in p.chunks_exact(2).zip(model.decision(&queries)) {
            assert!((p[1] - model.sigmoids()[0].probability(score)).abs() < 1e-15 && (p[0] + p[1] - 1.0).abs() < 1e-12);
        }
        let p = fit(machine, &x, &three, None, THREE).unwrap().predict(&queries);
        for p in p.chunks_exact(3) {
            assert!((p.iter().sum::<f64>() - 1.0).abs() < 1e-12 && p.iter().all(|v| *v > 0.0), "{p:?}");
        }
    }
}

/// Inside the circle or outside: no line tells them apart.
#[test]
fn a_kernel_bends_and_its_approximation_comes_close() {
    let at = |i: usize, step: f64| 2.0 * (i as f64 * step).fract() - 1.0;
    let rows: Vec<f64> = (1..=600).flat_map(|i| [at(i, G), at(i, 0.754_877_666_246_692_7)]).collect();
    let y: Vec<f64> = rows.chunks_exact(2).map(|r| f64::from(r[0] * r[0] + r[1] * r[1] < 0.6)).collect();
    let x = Matrix::from_row_major(2, &rows);
    let right = |machine| {
        let model = fit(machine, &x, &y, None, TWO).unwrap();
        let hits = model.decision(&x).iter().zip(&y).filter(|(s, y)| (**s > 0.0) == (**y == 1.0)).count();
        (hits as f64 / 600.0, model.is_approximate(), model.n_vectors())
    };
    let (line_share, _, none) = right(line(1.0));
    let (curve_share, exact, vectors) = right(curve(2.0));
    let (near_share, approximate, landmarks) = right(nystroem(60));
    assert!(line_share < 0.65 && curve_share > 0.96 && near_share > 0.96, "{line_share} {curve_share} {near_share}");
    assert!(!exact && approximate && none == 0 && vectors < 600 && landmarks <= 60);
}

#[test]
fn a_weight_of_two_is_a_row_twice_and_a_weight_of_zero_is_none() {
    let Golden { x, two, queries, .. } = golden();
    let twice: Vec<usize> = (0..60).flat_map(|a| vec![a; a % 3]).collect();
    let weight: Vec<f64> = (0..60).map(|a| f64::from(a % 3)).collect();
    let y: Vec<f64> = twice.iter().map(|&a| two[a]).collect();
    for c in [0.5, 2.0] {
        let weighted = fit(line(c), &x, &two, Some(&weight), TWO).unwrap().decision(&queries);
        close(&weighted, &fit(line(c), &x.select_rows(&twice), &y, None, TWO).unwrap().decision(&queries), 1e-6);
        // the width of the kernel comes from the rows as they are, so it is given here
        let fixed = |c| Curve(KernelSvm { c, gamma: Gamma::Value(0.8), tolerance: 1e-8, ..KernelSvm::default() });
        let weighted = fit(fixed(c), &x, &two, Some(&weight), TWO).unwrap().decision(&queries);
        close(&weighted, &fit(fixed(c), &x.select_rows(&twice), &y, None, TWO).unwrap().decision(&queries), 1e-4);
    }
}

#[test]
fn a_saved_machine_says_the_same_and_a_damaged_one_is_refused() {
    let Golden { x, two, three, queries, .. } = golden();
    for machine in [line(2.0), curve(2.0), nystroem(20)] {
        for (y, task) in [(&two, TWO), (&three, THREE)] {
            let model = fit(machine, &x, y, None, task).unwrap();
            let text = model.save().to_string();
            let back = SvmModel::load(&serde_json::from_str(&text).unwrap()).unwrap();
            assert_eq!(back.predict(&queries), model.predict(&queries));
            let mut damaged = model.save();
            damaged["coefficients"].as_array_mut().unwrap().pop();
            assert!(SvmModel::load(&damaged).unwrap_err().contains("do not fit together"));
        }
    }
    let other = SvmModel::load(&serde_json::json!({"kind": "boosting"})).unwrap_err();
    assert_eq!(other, "a model of kind `boosting` is no `linear-svm` or `kernel-svm`");
}

#[test]
fn the_bits_do_not_depend_on_threads_and_a_missing_value_is_the_mean() {
    let Golden { x, three, queries, .. } = golden();
    for machine in [line(2.0), curve(2.0), nystroem(20)] {
        let with = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| fit(machine, &x, &three, None, THREE).unwrap())
        };
        let (one, four) = (with(1), with(4));
        assert_eq!(one.save(), four.save());
        let mut holes = queries.clone();
        let mut means = queries.clone();
        holes.column_mut(1)[0] = f64::NAN;
        means.column_mut(1)[0] = x.column(1).iter().map(|v| v / 60.0).sum();
        close(&one.predict(&holes), &one.predict(&means), 1e-12);
    }
}

#[test]
fn what_cannot_be_learned_is_refused_in_words() {
    let Golden { x, two, .. } = golden();
    let said = |machine, x: &Matrix, y: &[f64], task| fit(machine, x, y, None, task).unwrap_err().to_string();
    for (machine, name) in [(line(1.0), "linear-svm"), (curve(1.0), "kernel-svm")] {
        let one = said(machine, &x, &[1.0; 60], TWO);
        assert!(one.starts_with(name) && one.contains("two classes"), "{one}");
        let mut holes = x.clone();
        holes.column_mut(2)[7] = f64::NAN;
        let missing = said(machine, &holes, &two, TWO);
        assert!(missing.contains("row 7 of column 2 = NaN") && missing.contains("fill and scale"), "{missing}");
        assert!(said(machine, &x, &two, Task::Regression).contains("it learns classes"));
    }
    assert!(said(line(0.0), &x, &two, TWO).contains("linear-svm cannot use"));
    let wide = Curve(KernelSvm { gamma: Gamma::Value(-1.0), ..KernelSvm::default() });
    assert!(said(wide, &x, &two, TWO).contains("the width of the kernel is above 0"));
}
