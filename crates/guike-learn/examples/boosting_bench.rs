//! CPU time of a boosting fit and of its predictions, to be held against LightGBM's on the same numbers.
//!
//! `boosting_bench TRAIN TEST COLUMNS [ROUNDS [SHAPE]]`: each file holds little-endian `f64`s, column after column, the 0/1
//! label last; SHAPE is `best-first` or `symmetric`. Prints CPU seconds (user and system, all threads) and the AUC on the
//! test rows. Threads are chosen by `RAYON_NUM_THREADS`. CPU time is read from Linux.

#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "a measuring tool, not the library")]

use std::error::Error;
use std::io::Write;

use guike_core::{FitContext, Matrix, Quiet, Seed};
use guike_learn::boosting::{Extra, GradientBoosting, Shape};
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
    let shape = if rest.get(1).is_some_and(|s| s == "symmetric") { Shape::Symmetric } else { Shape::BestFirst };
    let learner = GradientBoosting { rounds, shape, ..GradientBoosting::default() };
    let begun = cpu_seconds()?;
    let model = learner.fit_with(&examples, Extra::default(), &FitContext { seed: Seed(1), progress: &Quiet })?;
    let fitted = cpu_seconds()?;
    let p: Vec<f64> = model.predict(&xt).chunks(2).map(|c| c[1]).collect();
    let predicted = cpu_seconds()?;
    let mut out = std::io::stdout();
    writeln!(
        out,
        "rows {} rounds {} fit {:.2} s, predict {:.2} s, auc {:.5}",
        x.n_rows(),
        model.rounds(),
        fitted - begun,
        predicted - fitted,
        auc(&yt, &p)
    )?;
    Ok(())
}

/// User and system time of this process.
fn cpu_seconds() -> Result<f64, Box<dyn Error>> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    // fields 14 and 15, counted after the name in brackets, in hundredths of a second
    let after = stat.rsplit(')').next().unwrap_or_default();
    let ticks: Vec<f64> = after.split_whitespace().skip(11).take(2).map(str::parse).collect::<Result<_, _>>()?;
    Ok(ticks.iter().sum::<f64>() / 100.0)
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
