//! Coordinate descent on a quadratic function with absolute and squared penalties: the lasso's engine.
//!
//! Minimises ½ vᵀQv − qᵀv + Σ aⱼ|vⱼ| + ½ Σ bⱼvⱼ². Most coefficients stay at zero: sweeps go over the others until those
//! settle, then over all.
//!
//! # Source
//! Friedman, Hastie & Tibshirani (2010), "Regularization paths for generalized linear models via coordinate descent",
//! section 2.2 (covariance updates); Kim et al. (2007) for the duality gap.

use guike_core::{FitContext, FitError};

use crate::linalg::{add_scaled, dot};

/// Most sweeps over the coefficients; correlated columns need hundreds.
const SWEEPS: usize = 100_000;
/// Sweeps between two looks at whether someone wants to stop.
const SWEEPS_PER_CHECK: usize = 64;
/// How far the value may be from the smallest, as a share of yᵀy: coefficients of scaled columns are then good to 1e-7.
const GAP: f64 = 1e-14;

/// q and Q.
#[derive(Debug, Clone)]
pub(super) struct Quadratic {
    /// q.
    pub(super) target: Vec<f64>,
    /// Q, row-major.
    pub(super) square: Vec<f64>,
    /// yᵀy of the least-squares problem that the quadratic comes from.
    pub(super) labels: f64,
}

impl Quadratic {
    fn row(&self, j: usize) -> &[f64] {
        let m = self.target.len();
        &self.square[j * m..(j + 1) * m]
    }

    /// q − Qv.
    fn left(&self, v: &[f64]) -> Vec<f64> {
        let mut left = self.target.clone();
        for (j, &v) in v.iter().enumerate() {
            if v != 0.0 {
                add_scaled(&mut left, -v, self.row(j));
            }
        }
        left
    }
}

/// The minimum, from zero: its value is within [`GAP`] · yᵀy of the smallest.
///
/// # Errors
/// [`FitError::NotConverged`] after very many sweeps.
pub(super) fn descend(
    learner: &'static str,
    quadratic: &Quadratic,
    absolute: &[f64],
    squared: &[f64],
    cx: &FitContext<'_>,
) -> Result<Vec<f64>, FitError> {
    let m = quadratic.target.len();
    let mut v = vec![0.0; m];
    let mut left = quadratic.target.clone();
    let all: Vec<usize> = (0..m).filter(|&j| quadratic.square[j * m + j] + squared[j] > 0.0).collect();
    let enough = GAP * quadratic.labels;
    let mut small = enough;
    let mut sweeps = 0;
    while sweeps < SWEEPS {
        let changed = sweep(quadratic, &all, absolute, squared, &mut v, &mut left);
        sweeps += 1;
        if changed <= small {
            left = quadratic.left(&v);
            // rounding error may be all there is
            if gap(quadratic, &left, absolute, squared, &v) <= enough || small <= 1e-30 * quadratic.labels {
                return Ok(v);
            }
            // not there yet: look again when changes are ten times smaller
            small /= 10.0;
        }
        let active: Vec<usize> = all.iter().copied().filter(|&j| v[j] != 0.0).collect();
        while sweeps < SWEEPS {
            if sweeps % SWEEPS_PER_CHECK == 0 {
                cx.progress.check()?;
            }
            sweeps += 1;
            if sweep(quadratic, &active, absolute, squared, &mut v, &mut left) <= small {
                break;
            }
        }
    }
    let cause = format!(
        "{SWEEPS} sweeps over the coefficients were not enough; raise `penalty` or drop columns that repeat others"
    );
    Err(FitError::NotConverged { learner, cause })
}

/// Minimises over each coefficient in turn; the largest gain.
fn sweep(
    quadratic: &Quadratic,
    which: &[usize],
    absolute: &[f64],
    squared: &[f64],
    v: &mut [f64],
    left: &mut [f64],
) -> f64 {
    let mut largest: f64 = 0.0;
    for &j in which {
        let curvature = quadratic.square[j * v.len() + j];
        let pull = left[j] + curvature * v[j];
        let new = (pull.abs() - absolute[j]).max(0.0).copysign(pull) / (curvature + squared[j]);
        let change = new - v[j];
        if change != 0.0 {
            v[j] = new;
            add_scaled(left, -change, quadratic.row(j));
            largest = largest.max((curvature + squared[j]) * change * change);
        }
    }
    largest
}

/// How far the function can be above its minimum: its value less that of a feasible point of the dual.
fn gap(quadratic: &Quadratic, left: &[f64], absolute: &[f64], squared: &[f64], v: &[f64]) -> f64 {
    let (target, square) = (&quadratic.target, quadratic.labels);
    // |y − Zv|² = yᵀy − 2qᵀv + vᵀQv, and Qv = q − left
    let fit = dot(target, v);
    let residual = square - fit - dot(left, v);
    let ridge: f64 = v.iter().zip(squared).map(|(v, b)| b * v * v).sum();
    let norm: f64 = v.iter().zip(absolute).map(|(v, a)| a * v.abs()).sum();
    let shrink = (0..v.len())
        .map(|j| (absolute[j], (left[j] - squared[j] * v[j]).abs()))
        .filter(|(bound, pull)| pull > bound)
        .map(|(bound, pull)| bound / pull)
        .fold(1.0, f64::min);
    let primal = 0.5 * (residual + ridge) + norm;
    let dual = shrink * (square - fit) - 0.5 * shrink * shrink * (residual + ridge);
    primal - dual
}
