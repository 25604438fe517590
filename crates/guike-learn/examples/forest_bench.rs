//! Times the forests of this crate on a table in a file, for comparison with peers on the same file.
//!
//! ```text
//! forest_bench TRAIN TEST COLUMNS LEARNER [key=value …]
//! ```
//! Files hold little-endian f64 rows of COLUMNS values and the label (`numpy.c_[x, y].tofile(path)`). LEARNER is
//! `forest-class`, `forest-value`, `extra-class`, `extra-value`, `tree-class`, `tree-value`, `knn-class` or `knn-value`.
//! Keys: `rows` (first rows of TRAIN only), `trees`, `leaf` (fewest rows of a leaf), `share` (of the columns tried), `k`,
//! `repeats`, `seed`. Prints one line per repeat: CPU seconds (user and system, all threads) of fit and prediction, the AUC
//! or R² on TEST, and the number of nodes. Threads are chosen by `RAYON_NUM_THREADS`. CPU time is read from Linux.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::expect_used,
    reason = "a command for the terminal, not part of the library"
)]

use guike_core::{FitContext, Matrix, Quiet, Seed};
use guike_learn::forest::{DecisionTree, ExtraTrees, Features, RandomForest};
use guike_learn::neighbours::KNearestNeighbours;
use guike_learn::tabular::{ColumnKind, Examples, TabularLearner, Task};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [train, test, columns, learner, keys @ ..] = &args[..] else {
        println!("usage: forest_bench TRAIN TEST COLUMNS LEARNER [rows= trees= leaf= share= k= repeats= seed=]");
        return;
    };
    let key = |name: &str| keys.iter().find_map(|k| k.strip_prefix(name)?.strip_prefix('=')?.parse::<f64>().ok());
    let p: usize = columns.parse().expect("COLUMNS is a number");
    let (x, y) = read(train, p, key("rows").map_or(usize::MAX, |r| r as usize));
    let (test_x, test_y) = read(test, p, usize::MAX);
    let task = if learner.ends_with("class") { Task::Classification { classes: 2 } } else { Task::Regression };
    let trees = key("trees").map_or(100, |t| t as usize);
    let min_samples_leaf = key("leaf").map_or(1, |l| l as usize);
    let features = key("share").map_or(Features::Auto, Features::Share);
    let chosen: Box<dyn TabularLearner> = match learner.split('-').next() {
        Some("forest") => Box::new(RandomForest { trees, min_samples_leaf, features, ..Default::default() }),
        Some("extra") => Box::new(ExtraTrees { trees, min_samples_leaf, features, ..Default::default() }),
        Some("tree") => Box::new(DecisionTree { min_samples_leaf, ..Default::default() }),
        Some("knn") => Box::new(KNearestNeighbours { k: key("k").map_or(5, |k| k as usize), ..Default::default() }),
        _ => panic!("LEARNER is forest-, extra-, tree- or knn-, followed by class or value"),
    };
    let kinds = vec![ColumnKind::Number; p];
    let examples = Examples { x: &x, kinds: &kinds, y: &y, weight: None, task };
    for repeat in 0..key("repeats").map_or(1, |r| r as u64) {
        let seed = Seed(key("seed").map_or(1, |s| s as u64) + repeat);
        let start = cpu_seconds();
        let model = chosen.fit(&examples, &FitContext { seed, progress: &Quiet }).expect("the table can be learned");
        let fitted = cpu_seconds();
        let predicted = model.predict(&test_x);
        let end = cpu_seconds();
        let score = match task {
            Task::Regression => r_squared(&test_y, &predicted),
            Task::Classification { .. } => auc(&test_y, &predicted.chunks(2).map(|q| q[1]).collect::<Vec<_>>()),
        };
        let nodes: usize = model.trees().map_or(0, |(t, _)| t.trees.iter().map(|t| t.nodes.len()).sum());
        println!(
            "{learner} {} × {p}: fit {:.2} s, predict {} rows {:.2} s, score {score:.4}, {nodes} nodes",
            y.len(),
            fitted - start,
            test_y.len(),
            end - fitted,
        );
    }
}

fn read(path: &str, p: usize, rows: usize) -> (Matrix, Vec<f64>) {
    let bytes = std::fs::read(path).expect("the file can be read");
    let values: Vec<f64> =
        bytes.chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().expect("eight bytes"))).collect();
    let all: Vec<&[f64]> = values.chunks_exact(p + 1).take(rows).collect();
    let x: Vec<f64> = all.iter().flat_map(|row| &row[..p]).copied().collect();
    (Matrix::from_row_major(p, &x), all.iter().map(|row| row[p]).collect())
}

/// User and system time of this process.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux tells the time used");
    // fields 14 and 15, counted after the name in brackets, in hundredths of a second
    let after = stat.rsplit(')').next().expect("the name is in brackets");
    after.split_whitespace().skip(11).take(2).map(|f| f.parse::<f64>().expect("a number of ticks")).sum::<f64>() / 100.0
}

fn r_squared(y: &[f64], predicted: &[f64]) -> f64 {
    let mean = y.iter().sum::<f64>() / y.len() as f64;
    let error: f64 = y.iter().zip(predicted).map(|(y, p)| (y - p) * (y - p)).sum();
    1.0 - error / y.iter().map(|y| (y - mean) * (y - mean)).sum::<f64>()
}

/// Area under the ROC curve by ranks, ties half.
fn auc(y: &[f64], predicted: &[f64]) -> f64 {
    let mut order: Vec<usize> = (0..y.len()).collect();
    order.sort_by(|&a, &b| predicted[a].total_cmp(&predicted[b]));
    let (mut rank, mut sum) = (0.0, 0.0);
    for ties in order.chunk_by(|&a, &b| predicted[a] == predicted[b]) {
        let middle = rank + (ties.len() as f64 + 1.0) / 2.0;
        sum += ties.iter().map(|&i| y[i] * middle).sum::<f64>();
        rank += ties.len() as f64;
    }
    let ones: f64 = y.iter().sum();
    (sum - ones * (ones + 1.0) / 2.0) / (ones * (y.len() as f64 - ones))
}
