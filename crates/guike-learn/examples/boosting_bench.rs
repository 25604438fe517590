//! CPU time of a boosting fit and of its predictions, to be held against LightGBM's on the same numbers.
//!
//! `boosting_bench TRAIN TEST COLUMNS [ROUNDS]`: each file holds little-endian `f64`s, column after column, the 0/1 label
//! last. Prints seconds and the AUC on the test rows.

#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "a measuring tool, not the library")]

use std::error::Error;
use std::io::Write;
use std::time::Instant;

use guike_core::{FitContext, Matrix, Quiet, Seed};
use guike_learn::boosting::{Extra, GradientBoosting};
use guike_learn::{ColumnKind, Examples, TabularModel, Task};

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [train, test, columns, rest @ ..] = args.as_slice() else {
        return Err("give a training file, a test file and the number of columns".into());
    };
    let columns: usize = columns.parse()?;
    let rounds = rest.first().map_or(Ok(100), |r| r.parse())?;
    let (x, y) = read(train, columns)?;
    let (xt, yt) = read(test, columns)?;
    let kinds = vec![ColumnKind::Number; columns];
    let task = Task::Classification { classes: 2 };
    let examples = Examples { x: &x, kinds: &kinds, y: &y, weight: None, task };
    let learner = GradientBoosting { rounds, ..GradientBoosting::default() };
    let begin = Instant::now();
    let model = learner.fit_with(&examples, Extra::default(), &FitContext { seed: Seed(1), progress: &Quiet })?;
    let fit = begin.elapsed();
    let begin = Instant::now();
    let p: Vec<f64> = model.predict(&xt).chunks(2).map(|c| c[1]).collect();
    let predict = begin.elapsed();
    let mut out = std::io::stdout();
    writeln!(
        out,
        "rows {} rounds {} fit {:.3} s, predict {:.3} s, auc {:.5}",
        x.n_rows(),
        model.rounds(),
        fit.as_secs_f64(),
        predict.as_secs_f64(),
        auc(&yt, &p)
    )?;
    Ok(())
}

fn read(path: &str, columns: usize) -> Result<(Matrix, Vec<f64>), Box<dyn Error>> {
    let bytes = std::fs::read(path)?;
    let numbers: Vec<f64> =
        bytes.chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().expect("eight bytes"))).collect();
    let n = numbers.len() / (columns + 1);
    let y = numbers[n * columns..].to_vec();
    Ok((Matrix::from_column_major(n, columns, numbers[..n * columns].to_vec()), y))
}

fn auc(y: &[f64], score: &[f64]) -> f64 {
    let mut order: Vec<usize> = (0..y.len()).collect();
    order.sort_by(|&a, &b| score[a].total_cmp(&score[b]));
    let ranks: f64 = order.iter().enumerate().filter(|(_, i)| y[**i] == 1.0).map(|(r, _)| r as f64 + 1.0).sum();
    let positive = y.iter().filter(|&&v| v == 1.0).count() as f64;
    (ranks - positive * (positive + 1.0) / 2.0) / (positive * (y.len() as f64 - positive))
}
