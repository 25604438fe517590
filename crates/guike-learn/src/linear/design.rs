//! Labelled rows, checked, with columns that are centred and scaled on the fly.

use std::ops::Range;

use guike_core::{FitError, Matrix};
use rayon::prelude::*;

use crate::linalg::{Block, dot};
use crate::tabular::Examples;

/// Largest absolute value that is taken: squares, times weights, times rows, stay far from the largest f64.
pub(super) const LARGEST: f64 = 1e100;
/// A spread below this share of the column's size is rounding error: the column is constant.
const CONSTANT: f64 = 1e-13;

/// Rows whose columns read as (x − centre) · scale, with a last column of ones.
pub(super) struct Design<'a> {
    pub(super) x: &'a Matrix,
    pub(super) y: &'a [f64],
    pub(super) weight: Vec<f64>,
    pub(super) total_weight: f64,
    /// Weighted means.
    centre: Vec<f64>,
    /// 1 / weighted standard deviation; 0 for a constant column.
    pub(super) scale: Vec<f64>,
}

/// Some rows of a design, in its units.
pub(super) struct Part {
    x: Matrix,
    y: Vec<f64>,
    weight: Vec<f64>,
    centre: Vec<f64>,
    scale: Vec<f64>,
}

impl Part {
    /// The rows as a design of their own; parameters mean the same in both.
    pub(super) fn design(&self) -> Design<'_> {
        Design {
            x: &self.x,
            y: &self.y,
            weight: self.weight.clone(),
            total_weight: self.weight.iter().sum(),
            centre: self.centre.clone(),
            scale: self.scale.clone(),
        }
    }
}

/// Coefficients and intercept in the units of the columns.
pub(super) struct Natural {
    pub(super) coefficients: Vec<f64>,
    pub(super) intercept: f64,
}

impl<'a> Design<'a> {
    /// Checks rows, labels and weights, and measures the columns.
    ///
    /// # Errors
    /// [`FitError`] for no rows, weights that are negative, not finite or all 0, and values that are not finite or
    /// beyond ±1e100.
    pub(super) fn new(learner: &'static str, examples: &Examples<'a>) -> Result<Design<'a>, FitError> {
        let (x, y) = (examples.x, examples.y);
        let n = x.n_rows();
        if n == 0 {
            return Err(FitError::TooLittle { learner, needs: "at least one row".into(), found: "are none".into() });
        }
        assert_eq!(y.len(), n, "one label per row");
        check_values(learner, y, "a label", "labels", -LARGEST)?;
        let weight = match examples.weight {
            Some(weight) => {
                assert_eq!(weight.len(), n, "one weight per row");
                check_values(learner, weight, "a weight", "weights", 0.0)?;
                weight.to_vec()
            }
            None => vec![1.0; n],
        };
        let total_weight: f64 = weight.iter().sum();
        if total_weight <= 0.0 {
            let needs = "at least one row with a weight above 0".to_owned();
            return Err(FitError::TooLittle { learner, needs, found: "is none".into() });
        }
        // of several wrong columns always the first
        if let Some(error) = (0..x.n_columns()).into_par_iter().find_map_first(|j| check_column(learner, x, j).err()) {
            return Err(error);
        }
        let measure = |j| measure(x.column(j), &weight, total_weight);
        let (centre, scale) = (0..x.n_columns()).into_par_iter().map(measure).unzip();
        Ok(Design { x, y, weight, total_weight, centre, scale })
    }

    /// Every so many-th row.
    pub(super) fn every(&self, step: usize) -> Part {
        let rows: Vec<usize> = (0..self.n_rows()).step_by(step).collect();
        Part {
            x: self.x.select_rows(&rows),
            y: rows.iter().map(|&i| self.y[i]).collect(),
            weight: rows.iter().map(|&i| self.weight[i]).collect(),
            centre: self.centre.clone(),
            scale: self.scale.clone(),
        }
    }

    /// Number of rows.
    pub(super) fn n_rows(&self) -> usize {
        self.x.n_rows()
    }

    /// Number of columns and one for the intercept.
    pub(super) fn n_terms(&self) -> usize {
        self.x.n_columns() + 1
    }

    /// Writes a block of at most [`crate::linalg::BLOCK`] rows, row-major.
    pub(super) fn fill(&self, rows: Range<usize>, block: &mut Block) {
        for j in 0..self.x.n_columns() {
            let (centre, scale) = (self.centre[j], self.scale[j]);
            block.set_column(j, self.x.column(j)[rows.clone()].iter().map(|v| (v - centre) * scale));
        }
        block.set_column(self.x.n_columns(), rows.map(|_| 1.0));
    }

    /// The sums of some rows with a parameter for every term, straight from the columns: without second derivatives there
    /// is no need for a row-major block.
    pub(super) fn times(&self, rows: Range<usize>, theta: &[f64], out: &mut [f64]) {
        let p = self.x.n_columns();
        out.fill(theta[p]);
        let column = |j: usize| (&self.x.column(j)[rows.clone()], self.centre[j], theta[j] * self.scale[j]);
        // four columns at a time, so that a sum is read and written once for four products
        for first in (0..p / 4 * 4).step_by(4) {
            let [(a, a0, at), (b, b0, bt), (c, c0, ct), (d, d0, dt)] = [0, 1, 2, 3].map(|k| column(first + k));
            for (i, out) in out.iter_mut().enumerate() {
                *out += ((a[i] - a0) * at + (b[i] - b0) * bt) + ((c[i] - c0) * ct + (d[i] - d0) * dt);
            }
        }
        for j in p / 4 * 4..p {
            let (x, centre, times) = column(j);
            for (out, x) in out.iter_mut().zip(x) {
                *out += (x - centre) * times;
            }
        }
    }

    /// Adds Σᵢ vᵢ · row i to `sums`, one per term.
    pub(super) fn add_products(&self, rows: Range<usize>, v: &[f64], sums: &mut [f64]) {
        let p = self.x.n_columns();
        for j in 0..p {
            sums[j] += self.scale[j] * dot_from(&self.x.column(j)[rows.clone()], self.centre[j], v);
        }
        sums[p] += v.iter().sum::<f64>();
    }

    /// A penalty of `amount` times the squared coefficients, for every term, in the units of the columns.
    /// Constant columns get one whatever the amount, which holds their coefficient at 0.
    pub(super) fn squared_penalty(&self, amount: f64) -> Vec<f64> {
        let one = |s: &f64| match *s {
            0.0 => self.total_weight,
            s => amount * s * s,
        };
        self.scale.iter().map(one).chain([0.0]).collect()
    }

    /// The same for a penalty on absolute coefficients.
    pub(super) fn absolute_penalty(&self, amount: f64) -> Vec<f64> {
        self.scale.iter().map(|s| amount * s).chain([0.0]).collect()
    }

    /// Parameters of the scaled columns in the units of the columns.
    pub(super) fn natural(&self, theta: &[f64]) -> Natural {
        let p = self.x.n_columns();
        let coefficients: Vec<f64> = theta[..p].iter().zip(&self.scale).map(|(t, s)| t * s).collect();
        let intercept = theta[p] - dot(&coefficients, &self.centre);
        Natural { coefficients, intercept }
    }
}

/// Σ (xᵢ − centre) · vᵢ in eight interleaved sums.
fn dot_from(x: &[f64], centre: f64, v: &[f64]) -> f64 {
    let mut lanes = [0.0; 8];
    let (x8, v8) = (x.chunks_exact(8), v.chunks_exact(8));
    let tail: f64 = x8.remainder().iter().zip(v8.remainder()).map(|(x, v)| (x - centre) * v).sum();
    for (x, v) in x8.zip(v8) {
        for lane in 0..8 {
            lanes[lane] += (x[lane] - centre) * v[lane];
        }
    }
    lanes.iter().sum::<f64>() + tail
}

fn check_values(learner: &'static str, values: &[f64], one: &str, many: &str, smallest: f64) -> Result<(), FitError> {
    match values.iter().position(|v| !(*v >= smallest && *v <= LARGEST)) {
        None => Ok(()),
        Some(row) => Err(FitError::Invalid {
            learner,
            what: format!("{one} (row {row})"),
            value: format!("{:?}", values[row]),
            rule: format!("{many} are numbers from {smallest:?} to {LARGEST:?}"),
        }),
    }
}

fn check_column(learner: &'static str, x: &Matrix, j: usize) -> Result<(), FitError> {
    check_values(learner, x.column(j), &format!("a value of column {j}"), "values", -LARGEST)
}

/// Centre and scale of a column: its weighted mean, and 1 / weighted standard deviation or 0 where it is constant.
pub(super) fn measure(column: &[f64], weight: &[f64], total: f64) -> (f64, f64) {
    let centre = mean(column, weight, total);
    let mut squares = 0.0;
    let mut size: f64 = 0.0;
    for (v, w) in column.iter().zip(weight) {
        squares += w * (v - centre) * (v - centre);
        if *w > 0.0 {
            size = size.max(v.abs());
        }
    }
    let spread = (squares / total).sqrt();
    // 1 / spread is squared later
    let usable = spread > CONSTANT * size && spread > 1e-100;
    (centre, if usable { 1.0 / spread } else { 0.0 })
}

/// Weighted mean; a second look at what is left removes the rounding error of the first.
fn mean(values: &[f64], weight: &[f64], total: f64) -> f64 {
    let first = dot(values, weight) / total;
    let left: f64 = values.iter().zip(weight).map(|(v, w)| w * (v - first)).sum();
    first + left / total
}
