//! Trees: boosting against LightGBM and a random forest against scikit-learn's, on the same simulated tables.
//!
//! Each turn is a process of its own, which reads a table (not counted), fits, predicts other rows, and prints what each took
//! and the AUC. Every turn of the smaller table is another table, so that the AUC is a mean over several.

use std::path::{Path, PathBuf};

use guike_core::{FitContext, Matrix, Quiet, Seed};
use guike_learn::boosting::GradientBoosting;
use guike_learn::{ColumnKind, Examples, RandomForest, TabularLearner, Task};
use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};
use serde::{Deserialize, Serialize};

use crate::record::{Case, Contender, Record};
use crate::usage::{Cost, answer, timed};
use crate::{Setting, peers};

const COLUMNS: usize = 30;
const TEST_ROWS: usize = 100_000;
const ROUNDS: usize = 5;
/// Of a million rows, because a turn takes minutes; the forest too.
const ROUNDS_LARGE: usize = 3;

/// What one turn prints; `bench/peers/trees.py` prints the same.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Turn {
    fit: Cost,
    predict: Cost,
    /// Of the test rows.
    auc: f64,
}

/// One turn of ours.
///
/// # Errors
/// When a file is not a table or the fit fails.
pub(crate) fn fit_once(learner: &str, train: &Path, test: &Path) -> Result<(), String> {
    let learner: Box<dyn TabularLearner> = match learner {
        "boosting" => Box::new(GradientBoosting::default()),
        "forest" => Box::new(RandomForest { trees: 50, ..RandomForest::default() }),
        other => return Err(format!("there is no learner `{other}`")),
    };
    let ((x, y), (x_test, y_test)) = (read(train)?, read(test)?);
    let kinds = [ColumnKind::Number; COLUMNS];
    let examples = Examples { x: &x, kinds: &kinds, y: &y, weight: None, task: Task::Classification { classes: 2 } };
    let (model, fit) = timed(|| learner.fit(&examples, &FitContext { seed: Seed(1), progress: &Quiet }));
    let model = model.map_err(|e| e.to_string())?;
    let (predicted, predict) = timed(|| model.predict(&x_test));
    let scores: Vec<f64> = predicted.chunks_exact(2).map(|p| p[1]).collect();
    let turn = Turn { fit, predict, auc: auc(&y_test, &scores) };
    println!("{}", serde_json::to_string(&turn).map_err(|e| e.to_string())?);
    Ok(())
}

/// The comparison.
///
/// # Errors
/// When a peer is missing or a fit fails.
pub(crate) fn run(setting: &Setting) -> Result<Record, String> {
    let python = peers::python(&setting.root)?;
    let mut record = Record::begin(
        &setting.root,
        "trees",
        "Simulated tables of 30 columns (normal, log-normal and counts; a curved truth with interactions of two classes), \
         100,000 other rows to be predicted; reading the files is not counted.\n\
         Boosting: 100 rounds, 31 leaves, learning rate 0.1, 255 bins, at least 20 rows per leaf, 2 threads; LightGBM's \
         threads wait without spinning (`OMP_WAIT_POLICY=PASSIVE`), because spinning would count as work.\n\
         Random forest: 50 trees grown to the end, √30 columns per split, 2 threads.\n\
         The result column is the AUC on the other rows, mean over the turns.",
    );
    record.versions = peers::versions(&python, &["lightgbm", "scikit-learn", "numpy"]);
    let name = |package: &str| record.versions.iter().find(|v| v.starts_with(package)).cloned().unwrap_or_default();
    let (lightgbm, sklearn) = (name("lightgbm"), name("scikit-learn"));
    for (work, learner, peer, n, rounds) in [
        ("boosting", "boosting", &lightgbm, 100_000, ROUNDS),
        ("boosting", "boosting", &lightgbm, 1_000_000, ROUNDS_LARGE),
        ("random forest", "forest", &sklearn, 100_000, ROUNDS_LARGE),
    ] {
        let rounds = setting.rounds.unwrap_or(rounds);
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for round in 0..rounds {
            eprintln!("{work}, {n} rows: round {} of {rounds}", round + 1);
            let (train, test) = tables(&setting.scratch, n, if n > 100_000 { 1 } else { 1 + round as u64 })?;
            let this = std::env::current_exe().map_err(|e| e.to_string())?.display().to_string();
            ours.push(turn(setting, &[&this, "grow"], learner, &train, &test)?);
            let script = setting.root.join("bench/peers/trees.py").display().to_string();
            theirs.push(turn(setting, &[&python.display().to_string(), &script], learner, &train, &test)?);
        }
        let data = format!("{n} × {COLUMNS}");
        for (what, of) in [("fit", fit_cost as fn(&Turn) -> Cost), ("predict 100,000 rows", predict_cost)] {
            let contenders = vec![contender("guike", &ours, of), contender(peer, &theirs, of)];
            record.cases.push(Case { work: format!("{work}, {what}"), data: data.clone(), contenders });
        }
    }
    Ok(record)
}

fn turn(setting: &Setting, program: &[&str], learner: &str, train: &Path, test: &Path) -> Result<Turn, String> {
    let mut command: Vec<String> = program.iter().map(|p| (*p).to_owned()).collect();
    command.extend([learner.to_owned(), train.display().to_string(), test.display().to_string()]);
    answer(&command, &setting.scratch)
}

fn fit_cost(turn: &Turn) -> Cost {
    turn.fit
}

fn predict_cost(turn: &Turn) -> Cost {
    turn.predict
}

fn contender(name: &str, turns: &[Turn], of: fn(&Turn) -> Cost) -> Contender {
    let auc = turns.iter().map(|t| t.auc).sum::<f64>() / turns.len().max(1) as f64;
    Contender {
        name: name.to_owned(),
        cpu_s: turns.iter().map(|t| of(t).cpu_s).collect(),
        wall_s: turns.iter().map(|t| of(t).wall_s).collect(),
        peak_mib: None,
        result: format!("AUC {auc:.4}"),
    }
}

/// A training and a test table of this seed, made where they are not there yet.
fn tables(scratch: &Path, n: usize, seed: u64) -> Result<(PathBuf, PathBuf), String> {
    let file = |part: &str| scratch.join(format!("trees-{n}-{seed}-{part}.f64"));
    let (train, test) = (file("train"), file("test"));
    if !test.is_file() {
        write(&train, n, Seed(seed).derive("train"))?;
        write(&test, TEST_ROWS, Seed(seed).derive("test"))?;
    }
    Ok((train, test))
}

/// Little-endian f64s, column after column, the label last.
fn write(path: &Path, n: usize, seed: Seed) -> Result<(), String> {
    let mut rng = seed.rng();
    let mut columns = (0..=COLUMNS).map(|_| Vec::with_capacity(n)).collect::<Vec<_>>();
    for _ in 0..n {
        let x: [f64; COLUMNS] = std::array::from_fn(|j| {
            let normal: f64 = StandardNormal.sample(&mut rng);
            match j {
                0..10 | 25.. => normal,
                10..20 => (0.7 * normal).exp(),
                _ => normal.exp().floor(),
            }
        });
        let score = 1.2 * x[0] * x[1]
            + (2.0 * x[2]).sin()
            + if x[3] > 0.5 { 0.8 * x[4] } else { 0.0 }
            + 0.6 * x[10].ln_1p() * x[5]
            - 0.5 * x[11]
            + 0.4 * x[20].min(4.0)
            - 0.3 * x[6] * x[6]
            + 0.5 * x[7]
            - 0.9;
        let label = f64::from(u8::from(rng.random::<f64>() < 1.0 / (1.0 + (-score).exp())));
        columns.iter_mut().zip(x.into_iter().chain([label])).for_each(|(column, v)| column.push(v));
    }
    let bytes: Vec<u8> = columns.iter().flatten().flat_map(|v| v.to_le_bytes()).collect();
    std::fs::write(path, bytes).map_err(|e| format!("{}: {e}", path.display()))
}

fn read(path: &Path) -> Result<(Matrix, Vec<f64>), String> {
    let bytes = std::fs::read(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let (words, _) = bytes.as_chunks::<8>();
    let mut values: Vec<f64> = words.iter().map(|w| f64::from_le_bytes(*w)).collect();
    let n = values.len() / (COLUMNS + 1);
    let y = values.split_off(n * COLUMNS);
    Ok((Matrix::from_column_major(n, COLUMNS, values), y))
}

/// Area under the ROC curve by ranks, ties half.
fn auc(y: &[f64], scores: &[f64]) -> f64 {
    let mut order: Vec<usize> = (0..y.len()).collect();
    order.sort_by(|&a, &b| scores[a].total_cmp(&scores[b]));
    let (mut rank, mut sum) = (0.0, 0.0);
    for ties in order.chunk_by(|&a, &b| scores[a] == scores[b]) {
        let middle = rank + (ties.len() as f64 + 1.0) / 2.0;
        sum += ties.iter().map(|&i| y[i] * middle).sum::<f64>();
        rank += ties.len() as f64;
    }
    let ones: f64 = y.iter().sum();
    (sum - ones * (ones + 1.0) / 2.0) / (ones * (y.len() as f64 - ones))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_auc_counts_pairs_in_order_and_ties_half() {
        for (y, scores, expected) in
            [([0.0, 1.0], [0.1, 0.9], 1.0), ([1.0, 0.0], [0.1, 0.9], 0.0), ([1.0, 0.0], [0.4, 0.4], 0.5)]
        {
            assert_eq!(auc(&y, &scores), expected);
        }
    }

    #[test]
    fn a_table_survives_its_file_and_has_both_classes() {
        let path = std::env::temp_dir().join(format!("guike-bench-trees-{}.f64", std::process::id()));
        write(&path, 500, Seed(1)).expect("can write");
        let (x, y) = read(&path).expect("can read");
        std::fs::remove_file(&path).expect("can remove");
        assert_eq!((x.n_rows(), x.n_columns(), y.len()), (500, COLUMNS, 500));
        let ones = y.iter().sum::<f64>();
        assert!(ones > 100.0 && ones < 400.0, "{ones}");
    }
}
