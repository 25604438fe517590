//! What the three learners promise together.

use guike_core::tree::Split;
use guike_core::{FitContext, FitError, Matrix, Progress, Quiet, Seed};
use rand::RngExt;

use super::{ClassWeights, Criterion, DecisionTree, ExtraTrees, Features, RandomForest, TreesModel};
use crate::tabular::{ColumnKind, Examples, Link, TabularLearner, TabularModel, Task};

const TWO: Task = Task::Classification { classes: 2 };
const THREE: Task = Task::Classification { classes: 3 };

/// A labelled table that owns its parts.
#[derive(Clone)]
struct Rows {
    x: Matrix,
    kinds: Vec<ColumnKind>,
    y: Vec<f64>,
    weight: Option<Vec<f64>>,
    task: Task,
}

impl Rows {
    fn new(x: Matrix, y: Vec<f64>, task: Task) -> Rows {
        Rows { kinds: vec![ColumnKind::Number; x.n_columns()], x, y, weight: None, task }
    }

    fn examples(&self) -> Examples<'_> {
        Examples { x: &self.x, kinds: &self.kinds, y: &self.y, weight: self.weight.as_deref(), task: self.task }
    }
}

fn cx<'a>() -> FitContext<'a> {
    FitContext { seed: Seed(7), progress: &Quiet }
}

fn small(trees: usize) -> RandomForest {
    RandomForest { trees, ..Default::default() }
}

/// Noisy rows of six columns; the label depends on the first three.
fn noisy(n: usize, task: Task, seed: u64) -> Rows {
    let mut rng = Seed(seed).rng();
    let mut rows = Vec::new();
    let mut y = Vec::new();
    for _ in 0..n {
        let row: [f64; 6] = std::array::from_fn(|_| rng.random::<f64>());
        let s = row[0] + row[1] * row[2] + 0.3 * (rng.random::<f64>() - 0.5);
        y.push(match task {
            Task::Regression => (3.0 * s).exp(),
            Task::Classification { classes } => {
                (s / 2.0 * f64::from(classes)).floor().clamp(0.0, f64::from(classes - 1))
            }
        });
        rows.extend(row);
    }
    Rows::new(Matrix::from_row_major(6, &rows), y, task)
}

/// Every learner under one name.
fn learners() -> Vec<Box<dyn TabularLearner>> {
    let extra = ExtraTrees { trees: 6, ..Default::default() };
    vec![Box::new(DecisionTree::default()), Box::new(small(6)), Box::new(extra)]
}

/// The golden table: 4 columns of 1024ths, which 32-bit numbers hold exactly.
fn golden(n: u32, tilt: f64) -> Matrix {
    let g = 0.618_033_988_749_894_9_f64;
    let at = |i: u32, j: u32| (f64::from(i) * f64::from(j + 1) * g * (1.0 + tilt * f64::from(j))).fract();
    let rows: Vec<f64> = (1..=n).flat_map(|i| (0..4).map(move |j| (at(i, j) * 1024.0).floor() / 1024.0)).collect();
    Matrix::from_row_major(4, &rows)
}

/// scikit-learn 1.9.1 with `R`/`C` = `DecisionTreeRegressor`/`DecisionTreeClassifier`; all trees were the same for
/// `random_state` 0 to 7, so that no tie was broken by lot.
/// ```python
/// def data(n, tilt):
///     i = arange(1, n+1)[:,None]; j = arange(4)[None,:]
///     t = i*(j+1)*0.6180339887498949*(1+tilt*j); return floor((t-floor(t))*1024)/1024
/// x = data(300, 0.137); q = data(6, 0.211); s = x[:,0]+x[:,1]*x[:,2]+0.3*sin(40*x[:,3])
/// y = floor(3*(s-floor(s))); v = exp(2*s); w = 0.25+floor(4*x[:,3])
/// xm = x.copy(); xm[x[:,1]>0.7,0] = nan; xm[arange(300)%7==0,2] = nan
/// qm = q.copy(); qm[::2,0] = nan; qm[1::2,2] = nan
/// m = C(min_samples_leaf=15).fit(x, y)                  # and so on, as in `golden_case`
/// t = m.tree_; inner = t.children_left >= 0
/// m.get_n_leaves(); sum((t.feature[inner]+1) * t.threshold[inner])
/// m.predict_proba(q)[:,-1] (or m.predict(q)); m.feature_importances_
/// ```
type Golden = (&'static str, usize, f64, [f64; 6], [f64; 4]);

#[rustfmt::skip]
const GOLDEN: [Golden; 14] = [
        ("gini", 15, 15.466308594, [0.55, 0.55, 0.2608695652, 0.2608695652, 0.4375, 0.2608695652], [0.4922991, 0.0, 0.0, 0.5077009]),
        ("entropy", 6, 7.22265625, [0.3971631206, 0.2474226804, 0.3971631206, 0.3971631206, 0.2474226804, 0.3971631206], [0.58817944, 0.0, 0.0, 0.41182056]),
        ("leaves", 9, 11.379394531, [0.4055944056, 0.1666666667, 0.4055944056, 0.4055944056, 0.1666666667, 0.4055944056], [0.63740248, 0.0, 0.13263847, 0.22995905]),
        ("pruned", 16, 16.15625, [0.2068965517, 0.4, 0.2068965517, 0.2068965517, 0.0, 0.2068965517], [0.6466166, 0.0, 0.14198743, 0.21139596]),
        ("decrease", 17, 17.888671875, [0.2068965517, 0.1666666667, 0.2068965517, 0.2068965517, 0.1666666667, 0.2068965517], [0.63585639, 0.03781468, 0.13841923, 0.18790969]),
        ("balanced", 12, 13.415527344, [0.5964035964, 0.6633333333, 0.0789056305, 0.5964035964, 0.6633333333, 0.0789056305], [0.31686261, 0.10633223, 0.24632209, 0.33048307]),
        ("weighted", 14, 21.262695312, [0.6170212766, 0.1896551724, 0.1789473684, 0.6170212766, 0.1896551724, 0.1234567901], [0.23150856, 0.05544314, 0.05535634, 0.65769196]),
        ("missing", 14, 20.578613281, [0.3103448276, 0.4375, 0.3103448276, 0.5625, 0.0526315789, 0.6315789474], [0.26201486, 0.0, 0.30538082, 0.43260433]),
        ("value", 24, 21.795410156, [7.6416698593, 2.3305097253, 18.4704865641, 5.3453289757, 1.2595162152, 18.4704865641], [0.41139703, 0.12414152, 0.46446145, 0.0]),
        ("value leaves", 12, 12.982910156, [4.8313034034, 3.9065021164, 14.1921497882, 3.9065021164, 2.4475960708, 23.9341423344], [0.37955824, 0.1339651, 0.48647666, 0.0]),
        ("value pruned", 14, 15.412597656, [4.8313034034, 3.9065021164, 14.1921497882, 3.9065021164, 2.4475960708, 23.9341423344], [0.37304231, 0.14060277, 0.48635492, 0.0]),
        ("value decrease", 18, 17.418457031, [7.6416698593, 2.8600825824, 18.4704865641, 5.3453289757, 2.2497399732, 18.4704865641], [0.40690239, 0.11035332, 0.47950172, 0.00324257]),
        ("value weighted", 9, 12.797363281, [5.5022814125, 2.1763240685, 11.0924462049, 5.5022814125, 2.1763240685, 5.5022814125], [0.32169617, 0.06185263, 0.6164512, 0.0]),
        ("value missing", 16, 16.662109375, [6.9913902063, 2.1085288343, 18.7098420291, 4.7764388379, 3.7628186809, 18.7098420291], [0.30533842, 0.05504352, 0.58324949, 0.05636857]),
];

fn golden_case(name: &str) -> (DecisionTree, Rows, Matrix) {
    let (x, q) = (golden(300, 0.137), golden(6, 0.211));
    let s: Vec<f64> =
        (0..300).map(|i| x.at(i, 0) + x.at(i, 1) * x.at(i, 2) + 0.3 * (40.0 * x.at(i, 3)).sin()).collect();
    let classes: Vec<f64> = s.iter().map(|s| (3.0 * (s - s.floor())).floor()).collect();
    let values = s.iter().map(|s| (2.0 * s).exp()).collect();
    let weight: Vec<f64> = x.column(3).iter().map(|v| 0.25 + (4.0 * v).floor()).collect();
    let (mut xm, mut qm) = (x.clone(), q.clone());
    for i in 0..300 {
        if x.at(i, 1) > 0.7 {
            xm.column_mut(0)[i] = f64::NAN;
        }
        if i % 7 == 0 {
            xm.column_mut(2)[i] = f64::NAN;
        }
    }
    (0..6).for_each(|i| qm.column_mut(if i % 2 == 0 { 0 } else { 2 })[i] = f64::NAN);
    let mut rows = Rows::new(x, classes, THREE);
    if name.starts_with("value") {
        (rows.y, rows.task) = (values, Task::Regression);
    }
    if name.ends_with("weighted") {
        rows.weight = Some(weight);
    }
    let queries = if name.ends_with("missing") {
        rows.x = xm;
        qm
    } else {
        q
    };
    let d = DecisionTree::default();
    let leaf = |min_samples_leaf| DecisionTree { min_samples_leaf, ..d.clone() };
    let learner = match name {
        "gini" => leaf(15),
        "entropy" => DecisionTree { criterion: Criterion::Entropy, max_depth: Some(4), ..leaf(14) },
        "leaves" => DecisionTree { max_leaves: Some(9), min_samples_split: 20, ..leaf(4) },
        "pruned" => DecisionTree { ccp_alpha: 0.006, ..leaf(12) },
        "decrease" => DecisionTree { min_impurity_decrease: 0.006, ..leaf(9) },
        "balanced" => {
            rows.y.iter_mut().for_each(|y| *y = f64::max(*y - 1.0, 0.0));
            rows.task = TWO;
            DecisionTree { class_weights: ClassWeights::Balanced, max_depth: Some(5), ..leaf(18) }
        }
        "weighted" => leaf(17),
        "missing" => leaf(16),
        "value" => leaf(10),
        "value leaves" => DecisionTree { max_leaves: Some(12), ..leaf(7) },
        "value pruned" => DecisionTree { ccp_alpha: 0.2, ..leaf(7) },
        "value decrease" => DecisionTree { min_impurity_decrease: 0.1, ..leaf(8) },
        "value weighted" => DecisionTree { max_depth: Some(4), ..leaf(6) },
        "value missing" => DecisionTree { max_depth: Some(5), ..leaf(6) },
        _ => unreachable!("{name}"),
    };
    (learner, rows, queries)
}

#[test]
fn a_decision_tree_is_scikit_learns() {
    for (name, leaves, thresholds, predictions, importance) in GOLDEN {
        let (learner, rows, queries) = golden_case(name);
        let model = learner.grow(&rows.examples(), &cx()).unwrap();
        let tree = &model.trees().unwrap().0.trees[0];
        let sum: f64 = tree
            .nodes
            .iter()
            .filter_map(|n| match n.split.as_ref()? {
                Split::Number { column, threshold, .. } if *threshold < 1e300 => {
                    Some(f64::from(column + 1) * threshold)
                }
                _ => None,
            })
            .sum();
        assert_eq!(tree.n_leaves(), leaves, "{name}");
        assert!((sum - thresholds).abs() < 1e-8, "{name}: {sum} {thresholds}");
        let k = rows.task.n_outputs();
        let predicted = model.predict(&queries);
        for (got, expected) in predicted.chunks_exact(k).zip(predictions) {
            assert!((got[k - 1] - expected).abs() < 1e-9, "{name}: {} {expected}", got[k - 1]);
        }
        for (got, expected) in model.importance().iter().zip(importance) {
            assert!((got - expected).abs() < 1e-7, "{name}: {got} {expected}");
        }
    }
}

/// scikit-learn 1.9.1 on `x = data(1500, 0.137)`, tested on `data(1000, 0.211)`, mean (standard deviation) of 10 seeds:
/// ```python
/// roc_auc_score(tc, RandomForestClassifier(100).fit(x, s > 0.8).predict_proba(t)[:,1])      # and ExtraTreesClassifier
/// RandomForestRegressor(100, max_features=1/3, min_samples_leaf=3).fit(x, exp(2*s))         # R² on t
/// ```
#[test]
fn forests_predict_as_well_as_scikit_learns() {
    let part = |n, tilt| {
        let x = golden(n, tilt);
        let s: Vec<f64> =
            (0..n as usize).map(|i| x.at(i, 0) + x.at(i, 1) * x.at(i, 2) + 0.3 * (40.0 * x.at(i, 3)).sin()).collect();
        (x, s)
    };
    let ((x, s), (tx, ts)) = (part(1500, 0.137), part(1000, 0.211));
    let classes = Rows::new(x.clone(), s.iter().map(|&s| f64::from(u8::from(s > 0.8))).collect(), TWO);
    let values = Rows::new(x, s.iter().map(|s| (2.0 * s).exp()).collect(), Task::Regression);
    let auc = |model: &TreesModel| {
        let scored: Vec<(f64, bool)> =
            model.predict(&tx).chunks_exact(2).map(|p| p[1]).zip(ts.iter().map(|&s| s > 0.8)).collect();
        let of = |class: bool| scored.iter().filter(move |s| s.1 == class).map(|s| s.0);
        let wins: f64 = of(true)
            .map(|p| {
                of(false)
                    .map(|q| {
                        if p > q {
                            1.0
                        } else if p == q {
                            0.5
                        } else {
                            0.0
                        }
                    })
                    .sum::<f64>()
            })
            .sum();
        wins / (of(true).count() * of(false).count()) as f64
    };
    let truth: Vec<f64> = ts.iter().map(|s| (2.0 * s).exp()).collect();
    let fitness = |model: &TreesModel| r_squared(&truth, &model.predict(&tx));
    let forest = RandomForest { min_samples_leaf: 3, ..small(100) };
    let extra = ExtraTrees { min_samples_leaf: 3, ..Default::default() };
    let cases = [
        (auc(&small(100).grow(&classes.examples(), &cx()).unwrap()), (0.935_886, 0.001_1)),
        (fitness(&forest.grow(&values.examples(), &cx()).unwrap()), (0.688_878, 0.008_6)),
        (auc(&ExtraTrees::default().grow(&classes.examples(), &cx()).unwrap()), (0.924_801, 0.001_2)),
        (fitness(&extra.grow(&values.examples(), &cx()).unwrap()), (0.640_425, 0.008_5)),
    ];
    for (got, (mean, deviation)) in cases {
        assert!((got - mean).abs() < 4.0 * deviation, "{got} {mean} ± {deviation}");
    }
}

fn r_squared(y: &[f64], predicted: &[f64]) -> f64 {
    let mean = y.iter().sum::<f64>() / y.len() as f64;
    let error: f64 = y.iter().zip(predicted).map(|(y, p)| (y - p) * (y - p)).sum();
    1.0 - error / y.iter().map(|y| (y - mean) * (y - mean)).sum::<f64>()
}

#[test]
fn one_tree_of_a_forest_that_sees_everything_is_the_exact_tree() {
    for task in [Task::Regression, TWO, THREE] {
        let mut rows = noisy(600, task, 3);
        // at most 100 values per column, some missing, so that bins lose nothing
        for j in 0..6 {
            rows.x.column_mut(j).iter_mut().for_each(|v| *v = if *v < 0.03 { f64::NAN } else { (*v * 100.0).floor() });
        }
        for weight in [None, Some((0..600).map(|i| f64::from(i % 4)).collect())] {
            rows.weight = weight;
            // counts of classes tie in small nodes, numbers hardly ever
            let max_depth = (task != Task::Regression).then_some(2);
            let exact = DecisionTree { min_samples_leaf: 25, max_depth, ..Default::default() };
            let features = Features::All;
            let forest = RandomForest { features, bootstrap: false, min_samples_leaf: 25, max_depth, ..small(1) };
            let exact = exact.grow(&rows.examples(), &cx()).unwrap();
            let forest = forest.grow(&rows.examples(), &cx()).unwrap();
            let kept: Vec<usize> = (0..600).filter(|i| rows.weight.as_ref().is_none_or(|w| w[*i] > 0.0)).collect();
            let seen = rows.x.select_rows(&kept);
            for (a, b) in exact.predict(&seen).iter().zip(forest.predict(&seen)) {
                assert!((a - b).abs() < 1e-9 * a.abs().max(1.0), "{task:?}: {a} {b}");
            }
            for (a, b) in exact.importance().iter().zip(forest.importance()) {
                assert!((a - b).abs() < 1e-6, "{task:?}: {a} {b}");
            }
        }
    }
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    for task in [Task::Regression, TWO, THREE] {
        let rows = noisy(400, task, 1);
        for learner in learners() {
            let with = |threads| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| {
                    let model = learner.fit(&rows.examples(), &cx()).unwrap();
                    (model.trees().unwrap().0.clone(), model.predict(&rows.x))
                })
            };
            let one = with(1);
            assert!(one == with(2) && one == with(4), "{}", learner.name());
        }
    }
}

#[test]
fn large_nodes_are_the_same_bits_at_any_number_of_threads_too() {
    let rows = noisy(15_000, TWO, 1);
    let learner = DecisionTree { max_depth: Some(4), ..Default::default() };
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| learner.grow(&rows.examples(), &cx()).unwrap())
    };
    assert!(with(1) == with(3));
}

#[test]
fn the_fast_reading_is_the_plain_reading_to_the_bit_and_probabilities_sum_to_one() {
    for task in [Task::Regression, TWO, THREE, Task::Classification { classes: 11 }] {
        let mut rows = noisy(500, task, 2);
        (0..500).step_by(3).for_each(|i| rows.x.column_mut(i % 6)[i] = f64::NAN);
        rows.kinds[5] = ColumnKind::Category;
        rows.x.column_mut(5).iter_mut().for_each(|v| *v = (*v * 12.0).floor());
        for learner in learners() {
            let model = learner.fit(&rows.examples(), &cx()).unwrap();
            let (trees, link) = model.trees().unwrap();
            assert_eq!(link, Link::Identity);
            // also codes and values that were not seen
            let mut queries = noisy(300, task, 9).x;
            queries
                .column_mut(5)
                .iter_mut()
                .enumerate()
                .for_each(|(i, v)| *v = (*v * 15.0).floor() - 1.0 + (i % 2) as f64 / 2.0);
            (0..300).step_by(4).for_each(|i| queries.column_mut(i % 6)[i] = [f64::NAN, f64::INFINITY, -1e308][i % 3]);
            let plain: Vec<f64> = (0..300).flat_map(|i| trees.predict_row(|j| queries.at(i, j))).collect();
            let mut fast = model.predict(&queries);
            assert!(fast.iter().all(|p| task == Task::Regression || *p <= 1.0));
            if task != Task::Regression {
                // predictions are the plain sums, rid of the rounding of their total
                for (p, sums) in fast.chunks_exact_mut(task.n_outputs()).zip(plain.chunks_exact(task.n_outputs())) {
                    let total: f64 = sums.iter().sum();
                    p.iter_mut().zip(sums).for_each(|(p, s)| *p = if *p == s / total { *s } else { f64::NAN });
                }
            }
            assert_eq!(plain, fast, "{} {task:?}", learner.name());
            if task != Task::Regression {
                let k = task.n_outputs();
                assert!(fast.chunks_exact(k).all(|p| (p.iter().sum::<f64>() - 1.0).abs() < 1e-12));
            }
        }
    }
}

#[test]
fn a_saved_model_is_the_same_model() {
    for task in [Task::Regression, THREE] {
        let mut rows = noisy(200, task, 4);
        rows.kinds[0] = ColumnKind::Category;
        rows.x.column_mut(0).iter_mut().for_each(|v| *v = (*v * 9.0).floor());
        rows.x.column_mut(1)[3] = f64::NAN;
        for learner in learners() {
            let model = learner.fit(&rows.examples(), &cx()).unwrap();
            let text = serde_json::to_string(&model.save()).unwrap();
            let loaded = TreesModel::load(&serde_json::from_str(&text).unwrap()).unwrap();
            assert_eq!(model.trees().unwrap().0, loaded.trees().unwrap().0);
            assert_eq!(model.predict(&rows.x), loaded.predict(&rows.x));
        }
    }
    let rows = noisy(200, Task::Regression, 4);
    let forest = RandomForest { out_of_bag: true, quantiles: true, ..small(5) };
    let model = forest.grow(&rows.examples(), &cx()).unwrap();
    let loaded = TreesModel::load(&serde_json::from_str(&model.save().to_string()).unwrap()).unwrap();
    assert_eq!(model.out_of_bag_score(), loaded.out_of_bag_score());
    let levels = [0.1, 0.5, 0.9];
    assert_eq!(model.predict_quantiles(&rows.x, &levels), loaded.predict_quantiles(&rows.x, &levels));
}

#[test]
fn a_damaged_model_is_refused_in_words() {
    let rows = noisy(50, Task::Regression, 4);
    let good = small(1).grow(&rows.examples(), &cx()).unwrap().save();
    let refused = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut value = good.clone();
        change(&mut value);
        TreesModel::load(&value).unwrap_err()
    };
    assert_eq!(
        refused(&|v| v["kind"] = "svm".into()),
        "a model of kind `svm` is no `decision-tree`, `random-forest` or `extra-trees`"
    );
    assert_eq!(refused(&|v| v["n_columns"] = 0.into()), "random-forest: tree 0: node 0 points outside");
    assert_eq!(
        refused(&|v| v["trees"]["trees"][0]["left"][0] = 100_000.into()),
        "random-forest: tree 0: node 0 points outside"
    );
    assert_eq!(
        refused(&|v| v["trees"]["trees"][0]["cover"] = serde_json::json!([])),
        "random-forest: tree 0: its lists differ in length"
    );
    assert!(refused(&|v| v["trees"] = serde_json::json!(3)).starts_with("random-forest: "));
}

#[test]
fn whole_weights_are_repeated_rows() {
    for task in [Task::Regression, TWO, THREE] {
        let mut rows = noisy(150, task, 5);
        for j in 0..6 {
            rows.x.column_mut(j).iter_mut().for_each(|v| *v = (*v * 60.0).floor());
        }
        let times: Vec<usize> = (0..150).map(|i| i % 4).collect();
        let repeated: Vec<usize> = (0..150).flat_map(|i| std::iter::repeat_n(i, times[i])).collect();
        let many = Rows::new(rows.x.select_rows(&repeated), repeated.iter().map(|&i| rows.y[i]).collect(), task);
        rows.weight = Some(times.iter().map(|&t| t as f64).collect());
        // in deep nodes cuts tie, and sums of repeats round otherwise than products
        let max_depth = Some(4);
        let forest = RandomForest { bootstrap: false, features: Features::All, max_depth, ..small(3) };
        let extra = ExtraTrees { trees: 3, max_depth, ..Default::default() };
        let tree = DecisionTree { max_depth, ..Default::default() };
        let learners: [Box<dyn TabularLearner>; 3] = [Box::new(tree), Box::new(forest), Box::new(extra)];
        for learner in learners {
            let a = learner.fit(&rows.examples(), &cx()).unwrap().predict(&rows.x);
            let b = learner.fit(&many.examples(), &cx()).unwrap().predict(&rows.x);
            for (a, b) in a.iter().zip(&b) {
                assert!((a - b).abs() < 1e-9 * b.abs().max(1.0), "{} {task:?}: {a} {b}", learner.name());
            }
        }
    }
}

#[test]
fn out_of_bag_is_close_to_a_holdout() {
    for task in [Task::Regression, THREE] {
        let (rows, fresh) = (noisy(1500, task, 6), noisy(1500, task, 66));
        let model = RandomForest { out_of_bag: true, ..small(60) }.grow(&rows.examples(), &cx()).unwrap();
        let predicted = model.predict(&fresh.x);
        let holdout = match task {
            Task::Regression => r_squared(&fresh.y, &predicted),
            Task::Classification { .. } => {
                let right = |(p, y): &(&[f64], &f64)| p.iter().all(|&q| q <= p[**y as usize]);
                predicted.chunks_exact(3).zip(&fresh.y).filter(right).count() as f64 / 1500.0
            }
        };
        let score = model.out_of_bag_score().unwrap();
        assert!((score - holdout).abs() < 0.03 && score > 0.7, "{task:?}: {score} {holdout}");
        let out_of_bag = model.out_of_bag().unwrap();
        assert_eq!((out_of_bag.n_rows, out_of_bag.predictions.len()), (1500, 1500 * task.n_outputs()));
        let first = &out_of_bag.predictions[..task.n_outputs()];
        assert!(task == Task::Regression || (first.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    }
    // one tree leaves the rows that it drew without a prediction
    let rows = noisy(100, Task::Regression, 6);
    let model = RandomForest { out_of_bag: true, ..small(1) }.grow(&rows.examples(), &cx()).unwrap();
    let out_of_bag = model.out_of_bag().unwrap();
    assert_eq!(out_of_bag.predictions.iter().filter(|p| !p.is_nan()).count(), out_of_bag.n_rows);
    assert!((20..60).contains(&out_of_bag.n_rows));
}

#[test]
fn quantiles_are_those_of_the_noise() {
    let mut rng = Seed(8).rng();
    let x: Vec<f64> = (0..3000).map(|_| rng.random::<f64>()).collect();
    let y: Vec<f64> = x.iter().map(|x| 10.0 * f64::from(u8::from(*x > 0.5)) + rng.random::<f64>()).collect();
    let rows = Rows::new(Matrix::from_columns(3000, &[x]), y, Task::Regression);
    let forest = RandomForest { quantiles: true, min_samples_leaf: 40, ..small(30) };
    let model = forest.grow(&rows.examples(), &cx()).unwrap();
    let levels = [0.1, 0.5, 0.9];
    let q = model.predict_quantiles(&Matrix::from_columns(2, &[[0.25, 0.75]]), &levels).unwrap();
    for (got, expected) in q.iter().zip([0.1, 0.5, 0.9, 10.1, 10.5, 10.9]) {
        assert!((got - expected).abs() < 0.12, "{q:?}");
    }
    assert_eq!(small(2).grow(&rows.examples(), &cx()).unwrap().predict_quantiles(&rows.x, &levels), None);
    let all = model.predict_quantiles(&rows.x, &[0.0, 0.3, 1.0]).unwrap();
    assert!(all.chunks_exact(3).all(|q| q[0] <= q[1] && q[1] <= q[2]));
}

#[test]
fn a_category_is_split_by_its_meaning_and_a_new_code_goes_right() {
    // even codes mean 1, odd ones 0: no cut of the codes' own order separates them
    let codes: Vec<f64> = (0..120).map(|i| f64::from(i % 12)).collect();
    let y: Vec<f64> = codes.iter().map(|c| (c + 1.0) % 2.0).collect();
    let mut rows = Rows::new(Matrix::from_columns(120, &[codes]), y, TWO);
    rows.kinds[0] = ColumnKind::Category;
    let model = DecisionTree::default().grow(&rows.examples(), &cx()).unwrap();
    let tree = &model.trees().unwrap().0.trees[0];
    let expected = Split::Category { column: 0, left: vec![1, 3, 5, 7, 9, 11], missing_left: false };
    assert_eq!((tree.nodes.len(), tree.nodes[0].split.as_ref()), (3, Some(&expected)));
    assert_eq!(model.predict(&Matrix::from_columns(2, &[[3.0, 77.0]])), [1.0, 0.0, 0.0, 1.0]);
    for learner in learners() {
        let model = learner.fit(&rows.examples(), &cx()).unwrap();
        let right =
            model.predict(&rows.x).chunks_exact(2).zip(&rows.y).filter(|(p, y)| (p[1] > 0.5) == (**y > 0.5)).count();
        assert_eq!(right, 120, "{}", learner.name());
    }
}

#[test]
fn three_classes_and_thousands_of_codes_are_ordered_too() {
    let codes: Vec<f64> = (0..4000).map(|i| f64::from(if i < 2000 { i % 40 } else { i })).collect();
    let y: Vec<f64> = codes.iter().map(|c| ((c / 2.0).floor() % 3.0).min(2.0)).collect();
    let mut rows = Rows::new(Matrix::from_columns(4000, &[codes, vec![f64::NAN; 4000]]), y, THREE);
    rows.kinds[0] = ColumnKind::Category;
    rows.x.column_mut(0)[..100].fill(f64::NAN);
    for learner in learners() {
        let model = learner.fit(&rows.examples(), &cx()).unwrap();
        let frequent = rows.x.select_rows(&(100..2000).collect::<Vec<_>>());
        let predicted = model.predict(&frequent);
        let right = predicted.chunks_exact(3).zip(&rows.y[100..]).filter(|(p, y)| p[**y as usize] > 0.5).count();
        assert!(right > 1850, "{}: {right}", learner.name());
        // the model's trees send every training row where it was counted
        let trees = model.trees().unwrap().0;
        assert!(trees.trees[0].nodes.iter().all(|n| n.cover > 0.0));
    }
}

#[test]
fn what_was_learned_is_what_is_predicted() {
    // without a bootstrap and with leaves of one row the training rows get their own labels back
    for task in [Task::Regression, TWO, THREE] {
        let rows = noisy(300, task, 12);
        let extra = ExtraTrees { trees: 3, ..Default::default() };
        let forest = RandomForest { bootstrap: false, ..small(3) };
        let learners: [Box<dyn TabularLearner>; 3] =
            [Box::new(DecisionTree::default()), Box::new(forest), Box::new(extra)];
        for learner in learners {
            let predicted = learner.fit(&rows.examples(), &cx()).unwrap().predict(&rows.x);
            // 300 different values share 255 bins, so that in a forest a few rows cannot be told apart in one column
            let wrong = match task {
                Task::Regression => {
                    predicted.iter().zip(&rows.y).filter(|(p, y)| (*p - *y).abs() > 1e-9 * y.abs()).count()
                }
                Task::Classification { classes } => predicted
                    .chunks_exact(classes as usize)
                    .zip(&rows.y)
                    .filter(|(p, y)| (p[**y as usize] - 1.0).abs() > 1e-12)
                    .count(),
            };
            assert_eq!(wrong, 0, "{} {task:?}", learner.name());
        }
    }
}

#[test]
fn odd_tables_get_a_sound_answer() {
    let cases = [
        ("one row", Rows::new(Matrix::from_columns(1, &[[1.0]]), vec![3.0], Task::Regression), vec![3.0]),
        ("one row of a class", Rows::new(Matrix::from_columns(1, &[[1.0]]), vec![1.0], TWO), vec![0.0, 1.0]),
        (
            "one class",
            Rows::new(Matrix::from_columns(3, &[[1.0, 2.0, 3.0]]), vec![1.0; 3], THREE),
            [0.0, 1.0, 0.0].repeat(3),
        ),
        (
            "constant target, missing and constant columns",
            Rows::new(Matrix::from_columns(2, &[[f64::NAN; 2], [7.0; 2]]), vec![0.1; 2], Task::Regression),
            vec![0.1; 2],
        ),
        (
            "one label at the end of the range",
            Rows::new(Matrix::from_columns(2, &[[-1e308, 1e308]]), vec![1e308; 2], Task::Regression),
            vec![1e308; 2],
        ),
    ];
    for (name, rows, expected) in cases {
        for learner in learners() {
            let model = learner.fit(&rows.examples(), &cx()).unwrap();
            let got = model.predict(&rows.x);
            let close = got.iter().zip(&expected).all(|(g, e)| (g / 2.0 - e / 2.0).abs() <= 1e-12 * e.abs());
            assert!(close, "{name}, {}: {got:?} {expected:?}", learner.name());
        }
    }
    // labels, values, weights and infinities at the end of the range, more columns than rows
    let mut rng = Seed(3).rng();
    let wild = [1e308, -1e308, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 0.0, -0.0, 5e-324];
    let x: Vec<f64> = (0..12 * 40).map(|_| wild[rng.random_range(0..wild.len())]).collect();
    let mut rows = Rows::new(Matrix::from_row_major(40, &x), Vec::new(), Task::Regression);
    for (y, task) in [([1e308, -1e308, 3.0], Task::Regression), ([0.0, 1.0, 2.0], THREE), ([0.0, 1.0, 1.0], TWO)] {
        (rows.y, rows.task) = (y.repeat(4), task);
        for weight in [None, Some([1e308, 1.0, 1e-308].repeat(4)), Some([1.0, 0.0, 2.0].repeat(4))] {
            rows.weight = weight;
            for learner in learners() {
                let model = learner.fit(&rows.examples(), &cx()).unwrap();
                let got = model.predict(&rows.x);
                assert!(got.iter().all(|v| v.is_finite()), "{} {task:?}: {got:?}", learner.name());
                let text = model.save().to_string();
                assert!(!text.contains("null"), "{} {task:?}: {text}", learner.name());
                let importance: f64 = model_importance(&text).iter().sum();
                assert!((importance - 1.0).abs() < 1e-9 || importance == 0.0, "{importance}");
            }
        }
    }
}

fn model_importance(text: &str) -> Vec<f64> {
    TreesModel::load(&serde_json::from_str(text).unwrap()).unwrap().importance()
}

#[test]
fn impossible_tables_and_settings_are_refused_in_words() {
    let rows = noisy(20, TWO, 1);
    let say = |learner: &dyn TabularLearner, rows: &Rows| learner.fit(&rows.examples(), &cx()).unwrap_err().to_string();
    let tree = DecisionTree::default();
    let mut bad = rows.clone();
    bad.y[3] = 2.0;
    assert_eq!(say(&tree, &bad), "decision-tree cannot use the label of row 3 = 2: labels are class codes 0 to 1");
    bad.task = Task::Regression;
    bad.y[3] = f64::NAN;
    assert_eq!(say(&small(1), &bad), "random-forest cannot use the label of row 3 = NaN: labels are finite numbers");
    let mut bad = rows.clone();
    bad.weight = Some(vec![-1.0; 20]);
    assert_eq!(
        say(&tree, &bad),
        "decision-tree cannot use the weight of row 0 = -1: weights are finite numbers of at least 0"
    );
    bad.weight = Some(vec![0.0; 20]);
    assert_eq!(say(&tree, &bad), "decision-tree needs at least 1 row of positive weight, and there is none");
    let none = Rows::new(Matrix::from_columns::<Vec<f64>>(2, &[]), vec![0.0, 1.0], TWO);
    assert_eq!(say(&ExtraTrees::default(), &none), "extra-trees needs at least 1 column, and there is none");
    let mut bad = rows.clone();
    bad.kinds[2] = ColumnKind::Category;
    assert!(say(&tree, &bad).starts_with("decision-tree cannot use row 0 of category column 2 = 0."));
    let settings: [(RandomForest, &str); 6] = [
        (small(0), "trees = 0: at least 1 is needed"),
        (RandomForest { min_samples_leaf: 0, ..small(1) }, "min_samples_leaf = 0: at least 1 is needed"),
        (RandomForest { min_samples_split: 1, ..small(1) }, "min_samples_split = 1: at least 2 is needed"),
        (
            RandomForest { sample_fraction: 1.5, ..small(1) },
            "sample_fraction = 1.5: a share above 0 and up to 1 is needed",
        ),
        (
            RandomForest { features: Features::Share(0.0), ..small(1) },
            "features = 0: a share above 0 and up to 1 is needed",
        ),
        (
            RandomForest { quantiles: true, ..small(1) },
            "quantiles = 1: only numbers have quantiles; leave it off for classes",
        ),
    ];
    for (learner, expected) in settings {
        assert_eq!(say(&learner, &rows), format!("random-forest cannot use {expected}"));
    }
    let weights = ClassWeights::Given(vec![1.0]);
    assert_eq!(
        say(&DecisionTree { class_weights: weights, ..tree }, &rows),
        "decision-tree cannot use class_weights = [1.0]: one weight from 1e-9 to 1e9 is needed for each of the 2 classes"
    );
    assert!(!small(1).can(Task::Classification { classes: 65 }) && small(1).can(TWO));
}

/// Stops at once.
struct Stop;

impl Progress for Stop {
    fn stage(&self, _name: &str, _total: u64) {}
    fn advance(&self, _amount: u64) {}
    fn cancelled(&self) -> bool {
        true
    }
}

#[test]
fn a_fit_stops_on_request() {
    let rows = noisy(50, TWO, 1);
    for learner in learners() {
        let result = learner.fit(&rows.examples(), &FitContext { seed: Seed(1), progress: &Stop });
        assert!(matches!(result, Err(FitError::Cancelled(_))), "{}", learner.name());
    }
}

#[test]
fn settings_hold() {
    let rows = noisy(400, Task::Regression, 1);
    let tree = |learner: &dyn TabularLearner| learner.fit(&rows.examples(), &cx()).unwrap().trees().unwrap().0.clone();
    let shallow = tree(&RandomForest { max_depth: Some(2), min_samples_leaf: 30, sample_fraction: 0.5, ..small(8) });
    assert!(shallow.trees.iter().all(|t| t.n_leaves() <= 4 && t.nodes[0].cover == 200.0));
    let cover = |t: &guike_core::Tree| t.nodes.iter().filter(|n| n.split.is_none()).all(|n| n.cover >= 30.0);
    assert!(shallow.trees.iter().all(cover));
    let wide = tree(&RandomForest { bootstrap: false, sample_fraction: 0.25, ..small(3) });
    assert!(wide.trees.iter().all(|t| t.nodes[0].cover == 100.0));
    assert_ne!(wide.trees[0], wide.trees[1]);
    // inner nodes carry what they would say as a leaf
    let root = &tree(&DecisionTree::default()).trees[0];
    let mean = rows.y.iter().sum::<f64>() / 400.0;
    assert!((root.value(0)[0] - mean).abs() < 1e-9);
    let forest = tree(&RandomForest { bootstrap: false, ..small(4) });
    assert!((forest.trees.iter().map(|t| t.value(0)[0]).sum::<f64>() - mean).abs() < 1e-9);
}

#[test]
fn balanced_classes_count_alike() {
    let mut rng = Seed(2).rng();
    let x: Vec<f64> = (0..600).map(|_| rng.random::<f64>()).collect();
    let y = (0..600).map(|i| f64::from(u8::from(i % 20 == 0))).collect();
    let rows = Rows::new(Matrix::from_columns(600, &[x]), y, TWO);
    let forest = RandomForest {
        class_weights: ClassWeights::Balanced,
        max_depth: Some(1),
        bootstrap: false,
        min_samples_leaf: 100,
        ..small(5)
    };
    let model = forest.grow(&rows.examples(), &cx()).unwrap();
    let root = model.trees().unwrap().0.trees.iter().map(|t| t.value(0)[1]).sum::<f64>();
    assert!((root - 0.5).abs() < 1e-12, "{root}");
}
