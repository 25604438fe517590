//! The linear machine: squared hinge loss by Newton's method.
//!
//! The one idea: the objective is a quadratic whose rows come and go; on the rows inside the margin it is least squares, so a
//! Newton step solves that, and where the rows inside do not change any more, the step was exact. Rows whose cost is 0 (held
//! out) are only scored. The intercept is the weight of a column of ones and is penalised like every other weight, which
//! keeps the objective strictly convex.

use guike_core::{FitContext, FitError};
use rayon::prelude::*;

use crate::linalg::{Cholesky, add_scaled, dot, sum_rows};

/// Newton steps are few (5 to 15 as a rule); beyond this something is wrong.
const STEPS_MAX: usize = 200;
/// Where the objective can fall by no more than this share of itself, in f64, it is at its minimum.
const SMALLEST_FALL: f64 = 1e-17;
/// Full steps in a row that left every row on its side of the margin: one is exact but for rounding, two mend that.
const EXACT_ENOUGH: u32 = 2;
/// Steps of the line search, which ends exactly as soon as it meets the right piece.
const LINE_STEPS_MAX: usize = 50;
/// The slope that is left after a line search, as a share of the slope at its start.
const LINE_SLOPE: f64 = 1e-3;
/// Rows per piece of parallel work.
const CHUNK: usize = 512;

/// Weights and, last, the intercept.
pub(super) type Weights = Vec<f64>;

/// Minimises ½‖w‖² + Σ costᵢ max(0, 1 − yᵢ f(xᵢ))² over w (with the intercept as last weight), f(x) = w·(x, 1).
///
/// `rows` are row-major with `p` columns, `y` is ±1, `start` is any first guess. Returns the weights and f of every row.
///
/// Source: Keerthi & DeCoste (2005), "A modified finite Newton method for fast solution of large scale linear SVMs", JMLR 6,
/// section 3 (generalised Hessian I + 2 Σ_active costᵢ xᵢxᵢᵀ, exact line search over the piecewise linear slope).
pub(super) fn squared_hinge(
    rows: &[f64],
    p: usize,
    y: &[f64],
    cost: &[f64],
    start: Option<&Weights>,
    learner: &'static str,
    cx: &FitContext<'_>,
) -> Result<(Weights, Vec<f64>), FitError> {
    let n = y.len();
    let mut w = start.cloned().unwrap_or_else(|| vec![0.0; p + 1]);
    let mut scores = times(rows, p, &w);
    let mut exact = 0;
    for _ in 0..STEPS_MAX {
        cx.progress.check()?;
        let inside = |i: usize, f: f64| cost[i] > 0.0 && y[i] * f < 1.0;
        // gradient of the losses, and the losses themselves last
        let mut sums = sum_rows(
            n,
            p + 2,
            || (),
            |piece, sums, ()| {
                for i in piece.filter(|&i| inside(i, scores[i])) {
                    let residual = scores[i] - y[i];
                    let g = 2.0 * cost[i] * residual;
                    add_scaled(&mut sums[..p], g, &rows[i * p..(i + 1) * p]);
                    sums[p] += g;
                    sums[p + 1] += cost[i] * residual * residual;
                }
            },
        );
        let objective = 0.5 * dot(&w, &w) + sums[p + 1];
        sums.truncate(p + 1);
        let mut step: Vec<f64> = sums.iter().zip(&w).map(|(g, w)| -(g + w)).collect();
        let gradient = step.clone();
        if !(objective.is_finite() && gradient.iter().all(|g| g.is_finite())) {
            return Err(failed(learner, "its objective left the range of numbers; scale the columns or lower C"));
        }
        let hessian = hessian(rows, p, cost, |i| inside(i, scores[i]));
        Cholesky::with_floor(hessian, p + 1, 1.0).solve(&mut step);
        let fall = dot(&gradient, &step);
        if exact == EXACT_ENOUGH || fall <= SMALLEST_FALL * objective {
            return Ok((w, scores));
        }
        let along = times(rows, p, &step);
        let t = search(&Line { y, cost, scores: &scores, along: &along, w: &w, step: &step });
        let same = t == 1.0 && (0..n).all(|i| inside(i, scores[i]) == inside(i, scores[i] + along[i]));
        exact = if same { exact + 1 } else { 0 };
        add_scaled(&mut w, t, &step);
        // anew from the weights, so that rounding does not pile up
        scores = times(rows, p, &w);
    }
    Err(failed(learner, &format!("{STEPS_MAX} Newton steps did not reach the minimum; scale the columns or lower C")))
}

fn failed(learner: &'static str, cause: &str) -> FitError {
    FitError::NotConverged { learner, cause: cause.to_owned() }
}

/// w·(x, 1) of every row.
pub(super) fn times(rows: &[f64], p: usize, w: &[f64]) -> Vec<f64> {
    let mut out = vec![0.0; rows.len() / p];
    rows.par_chunks(CHUNK * p).zip(out.par_chunks_mut(CHUNK)).for_each(|(rows, out)| {
        for (row, out) in rows.chunks_exact(p).zip(out) {
            *out = dot(row, &w[..p]) + w[p];
        }
    });
    out
}

/// I + 2 Σ costᵢ (xᵢ, 1)(xᵢ, 1)ᵀ over the rows inside the margin; the lower triangle of a row-major matrix.
fn hessian(rows: &[f64], p: usize, cost: &[f64], inside: impl Fn(usize) -> bool + Sync) -> Vec<f64> {
    let width = p + 1;
    let mut sums = sum_rows(
        cost.len(),
        width * width,
        || (),
        |piece, sums, ()| {
            for i in piece.filter(|&i| inside(i)) {
                let (row, factor) = (&rows[i * p..(i + 1) * p], 2.0 * cost[i]);
                for (j, &x) in row.iter().enumerate() {
                    add_scaled(&mut sums[j * width..j * width + j + 1], factor * x, &row[..=j]);
                }
                add_scaled(&mut sums[p * width..p * width + p], factor, row);
                sums[p * width + p] += factor;
            }
        },
    );
    for j in 0..width {
        sums[j * width + j] += 1.0;
    }
    sums
}

/// A line through the space of weights.
struct Line<'a> {
    y: &'a [f64],
    cost: &'a [f64],
    scores: &'a [f64],
    /// Change of the scores per unit of step.
    along: &'a [f64],
    w: &'a [f64],
    step: &'a [f64],
}

impl Line<'_> {
    /// First and second derivative of the objective at `t`.
    fn slope(&self, t: f64) -> (f64, f64) {
        let sums = sum_rows(
            self.y.len(),
            2,
            || (),
            |piece, sums, ()| {
                for i in piece.filter(|&i| self.cost[i] > 0.0) {
                    let f = self.scores[i] + t * self.along[i];
                    if self.y[i] * f < 1.0 {
                        sums[0] += 2.0 * self.cost[i] * (f - self.y[i]) * self.along[i];
                        sums[1] += 2.0 * self.cost[i] * self.along[i] * self.along[i];
                    }
                }
            },
        );
        let squared = dot(self.step, self.step);
        (dot(self.w, self.step) + t * squared + sums[0], squared + sums[1])
    }
}

/// Where the slope along the line is zero: Newton's method in one dimension, kept between brackets.
fn search(line: &Line<'_>) -> f64 {
    let enough = LINE_SLOPE * line.slope(0.0).0.abs();
    let (mut low, mut high, mut t) = (0.0, f64::INFINITY, 1.0);
    for _ in 0..LINE_STEPS_MAX {
        let (slope, curvature) = line.slope(t);
        if slope.abs() <= enough {
            break;
        }
        if slope > 0.0 {
            high = t;
        } else {
            low = t;
        }
        let next = t - slope / curvature;
        t = if next > low && next < high { next } else { 0.5 * (low + high.min(2.0 * t + 1.0)) };
    }
    t
}
