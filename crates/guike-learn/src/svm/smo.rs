//! The kernel machine: C-SVC by sequential minimal optimisation.
//!
//! The one idea: two multipliers are the fewest that can move while Σ yᵢαᵢ stays 0, and two can be moved exactly; the pair is
//! the one that violates optimality most and, of its partners, promises the largest gain. A row whose upper bound is 0 (held
//! out) can never be chosen, yet its gradient is kept up to date: that is its out-of-fold score, for free. No shrinking.

use guike_core::{FitContext, FitError};

use super::rbf::KernelRows;

/// Stands in for a curvature that is not positive (LIBSVM's τ).
const TAU: f64 = 1e-12;
/// Iterations between two looks whether to stop.
const LOOK: usize = 256;

/// A solved machine: f(x) = Σ coefficientᵢ K(xᵢ, x) + intercept.
pub(super) struct Solved {
    /// αᵢyᵢ, one per row; 0 unless it is a support vector.
    pub(super) coefficients: Vec<f64>,
    pub(super) intercept: f64,
    /// f of every row.
    pub(super) scores: Vec<f64>,
}

/// Minimises ½αᵀQα − Σα over 0 ≤ αᵢ ≤ upperᵢ, Σ yᵢαᵢ = 0, Qᵢⱼ = yᵢyⱼK(xᵢ, xⱼ), until no pair violates optimality by more than
/// `tolerance`.
///
/// Source: Fan, Chen & Lin (2005), "Working set selection using second order information for training support vector
/// machines", JMLR 6, WSS 2 and section 4; update and intercept as in Chang & Lin (2011), "LIBSVM", sections 4.1.2 and 4.1.5.
pub(super) fn c_svc(
    kernel: &mut KernelRows<'_>,
    y: &[f64],
    upper: &[f64],
    tolerance: f64,
    learner: &'static str,
    cx: &FitContext<'_>,
) -> Result<Solved, FitError> {
    let n = y.len();
    let mut alpha = vec![0.0; n];
    // of ½αᵀQα − Σα
    let mut gradient = vec![-1.0; n];
    let iterations_max = 10_000_000.max(100 * n);
    for iteration in 0.. {
        if iteration % LOOK == 0 {
            cx.progress.check()?;
        }
        let bounds = Bounds { y, upper, alpha: &alpha };
        let Some((i, j)) = choose(kernel, &bounds, &gradient, tolerance) else { break };
        if iteration >= iterations_max {
            let cause = format!("{iteration} steps did not reach the minimum; scale the columns or lower C");
            return Err(FitError::NotConverged { learner, cause });
        }
        let (row_i, row_j) = kernel.two(i, j);
        // along α_i += y_i·d, α_j −= y_j·d the sum Σ yα stays as it is
        let curvature = positive(2.0 - 2.0 * f64::from(row_i[j]));
        let best = (y[j] * gradient[j] - y[i] * gradient[i]) / curvature;
        let room_i = if y[i] > 0.0 { upper[i] - alpha[i] } else { alpha[i] };
        let room_j = if y[j] > 0.0 { alpha[j] } else { upper[j] - alpha[j] };
        let d = best.min(room_i).min(room_j);
        // who reaches a bound is put on it, not beside it by rounding
        alpha[i] = if d < room_i { alpha[i] + y[i] * d } else { end(y[i], upper[i]) };
        alpha[j] = if d < room_j { alpha[j] - y[j] * d } else { end(-y[j], upper[j]) };
        for ((g, y), (ki, kj)) in gradient.iter_mut().zip(y).zip(row_i.iter().zip(row_j)) {
            *g += y * d * (f64::from(*ki) - f64::from(*kj));
        }
    }
    let intercept = intercept(&Bounds { y, upper, alpha: &alpha }, &gradient);
    Ok(Solved {
        coefficients: alpha.iter().zip(y).map(|(a, y)| a * y).collect(),
        intercept,
        scores: gradient.iter().zip(y).map(|(g, y)| y * (g + 1.0) + intercept).collect(),
    })
}

/// The end of the box in this direction.
fn end(direction: f64, upper: f64) -> f64 {
    if direction > 0.0 { upper } else { 0.0 }
}

fn positive(curvature: f64) -> f64 {
    if curvature > 0.0 { curvature } else { TAU }
}

/// Multipliers within their bounds.
struct Bounds<'a> {
    y: &'a [f64],
    upper: &'a [f64],
    alpha: &'a [f64],
}

impl Bounds<'_> {
    /// Whether yα can grow.
    fn can_rise(&self, t: usize) -> bool {
        if self.y[t] > 0.0 { self.alpha[t] < self.upper[t] } else { self.alpha[t] > 0.0 }
    }

    /// Whether yα can shrink.
    fn can_fall(&self, t: usize) -> bool {
        if self.y[t] > 0.0 { self.alpha[t] > 0.0 } else { self.alpha[t] < self.upper[t] }
    }
}

/// The pair to move: i of largest −yG among those that can rise, j of largest second-order gain among those that can fall.
fn choose(
    kernel: &mut KernelRows<'_>,
    bounds: &Bounds<'_>,
    gradient: &[f64],
    tolerance: f64,
) -> Option<(usize, usize)> {
    let y = bounds.y;
    let mut top: Option<(usize, f64)> = None;
    for t in (0..y.len()).filter(|&t| bounds.can_rise(t)) {
        let value = -y[t] * gradient[t];
        if top.is_none_or(|(_, most)| value > most) {
            top = Some((t, value));
        }
    }
    let (i, most) = top?;
    let row = kernel.row(i);
    let (mut best, mut least) = (None, f64::INFINITY);
    for t in (0..y.len()).filter(|&t| bounds.can_fall(t)) {
        let value = -y[t] * gradient[t];
        least = least.min(value);
        let fall = most - value;
        if fall > 0.0 {
            let gain = fall * fall / positive(2.0 - 2.0 * f64::from(row[t]));
            if best.is_none_or(|(_, largest)| gain > largest) {
                best = Some((t, gain));
            }
        }
    }
    let (j, _) = best?;
    (most - least > tolerance).then_some((i, j))
}

/// The mean of −yG over free rows, or the middle between the bounds where there is none.
fn intercept(bounds: &Bounds<'_>, gradient: &[f64]) -> f64 {
    let (mut sum, mut free) = (0.0, 0.0);
    let (mut low, mut high) = (f64::NEG_INFINITY, f64::INFINITY);
    for t in (0..gradient.len()).filter(|&t| bounds.upper[t] > 0.0) {
        let value = -bounds.y[t] * gradient[t];
        match (bounds.can_rise(t), bounds.can_fall(t)) {
            (true, true) => (sum, free) = (sum + value, free + 1.0),
            (true, false) => low = low.max(value),
            (false, _) => high = high.min(value),
        }
    }
    if free > 0.0 { sum / free } else { 0.5 * (low + high) }
}
