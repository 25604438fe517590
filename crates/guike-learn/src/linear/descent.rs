//! Gradient descent as textbooks print it: start at zero, take the mean gradient of all rows, step against it.
//!
//! It works on the columns as they come in, so that what it computes is what a reader of the textbook computes.

use guike_core::{FitContext, FitError};

use super::design::{Design, Natural};
use super::losses::{Logistic, Loss};
use crate::linalg::{add_scaled, dot, times, transposed_times};

/// Rate, length and penalty.
#[derive(Debug, Clone, Copy)]
pub(super) struct Descent {
    pub(super) rate: f64,
    pub(super) iterations: usize,
    /// Factor of ½ Σ coefficient² in the mean loss.
    pub(super) squared: f64,
}

/// Descends for two classes (one sum) or more (`classes` sums).
///
/// # Errors
/// [`FitError::NotConverged`] when the loss is no longer finite.
pub(super) fn gradient_descent(
    learner: &'static str,
    design: &Design<'_>,
    codes: &[usize],
    classes: usize,
    how: Descent,
    cx: &FitContext<'_>,
) -> Result<Vec<Natural>, FitError> {
    let (n, p) = (design.n_rows(), design.x.n_columns());
    let n_sums = if classes == 2 { 1 } else { classes };
    let mut sums: Vec<Natural> = (0..n_sums).map(|_| Natural { coefficients: vec![0.0; p], intercept: 0.0 }).collect();
    // what a row adds to the gradient of each sum
    let mut slopes = vec![vec![0.0; n]; n_sums];
    for iteration in 0..=how.iterations {
        cx.progress.check()?;
        let scores: Vec<Vec<f64>> = sums.iter().map(|s| times(design.x, &s.coefficients)).collect();
        let mut loss = 0.0;
        let mut row_sums = vec![0.0; n_sums];
        for i in 0..n {
            for (k, s) in sums.iter().enumerate() {
                row_sums[k] = scores[k][i] + s.intercept;
            }
            let weight = design.weight[i];
            if weight > 0.0 {
                loss += weight * row(&mut row_sums, codes[i]);
            } else {
                row_sums.fill(0.0);
            }
            for (slope, s) in slopes.iter_mut().zip(&row_sums) {
                slope[i] = weight * s;
            }
        }
        let penalty: f64 = sums.iter().map(|s| dot(&s.coefficients, &s.coefficients)).sum();
        let loss = loss / design.total_weight + 0.5 * how.squared * penalty;
        if !loss.is_finite() {
            let cause = format!(
                "the loss is not a finite number after {iteration} steps of gradient descent; lower `rate` or scale \
                 the columns"
            );
            return Err(FitError::NotConverged { learner, cause });
        }
        if iteration == how.iterations {
            break;
        }
        for (sum, slope) in sums.iter_mut().zip(&slopes) {
            let mut gradient = transposed_times(design.x, slope);
            gradient.iter_mut().for_each(|g| *g /= design.total_weight);
            add_scaled(&mut gradient, how.squared, &sum.coefficients);
            add_scaled(&mut sum.coefficients, -how.rate, &gradient);
            sum.intercept -= how.rate * (slope.iter().sum::<f64>() / design.total_weight);
        }
    }
    Ok(sums)
}

/// The loss of a row; its sums become their derivatives.
fn row(sums: &mut [f64], code: usize) -> f64 {
    if let [sum] = sums {
        let share = Logistic.share(*sum, code as f64);
        *sum = share.slope;
        return share.loss;
    }
    let top = sums.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let own = sums[code];
    let total: f64 = sums.iter().map(|s| (s - top).exp()).sum();
    for (k, s) in sums.iter_mut().enumerate() {
        *s = (*s - top).exp() / total - f64::from(u8::from(k == code));
    }
    total.ln() + top - own
}
