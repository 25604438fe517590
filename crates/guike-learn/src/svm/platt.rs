//! From scores to probabilities: Platt's sigmoid.
//!
//! The one idea: a machine's scores on its own training rows are too good, so the sigmoid is fitted to scores of rows that
//! were held out. The sigmoid has two parameters and cannot mend an order of scores that is wrong.

use serde::{Deserialize, Serialize};

use crate::tabular::sigmoid;

const STEPS_MAX: usize = 100;
/// Added to the diagonal of the Hessian (paper, section 2.3).
const RIDGE: f64 = 1e-12;
/// Gradient, as a share of the weight of all rows, at which the sigmoid is fitted; the paper's 1e-5 is for single rows.
const GRADIENT: f64 = 1e-10;
/// Shortest step of the line search.
const SHORTEST: f64 = 1e-10;

/// P(positive | score) = 1 / (1 + exp(a · score + b)); `a` is negative where larger scores are more likely positive.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PlattSigmoid {
    /// Slope.
    pub a: f64,
    /// Offset.
    pub b: f64,
}

impl PlattSigmoid {
    /// The sigmoid of largest likelihood, with targets (N₊ + 1)/(N₊ + 2) and 1/(N₋ + 2) in place of 1 and 0, where N are
    /// the weights of the classes; rows of weight 0 do not count.
    ///
    /// # Source
    /// Lin, Lin & Weng (2007), "A note on Platt's probabilistic outputs for support vector machines", Machine Learning 68,
    /// algorithm 1; counterpart of `CalibratedClassifierCV(method="sigmoid")`.
    ///
    /// # Example
    /// ```
    /// use guike_learn::svm::PlattSigmoid;
    /// let sigmoid = PlattSigmoid::fit(&[-2.0, -1.0, 1.0, 2.0], &[false, false, true, true], &[1.0; 4]);
    /// assert!((sigmoid.probability(0.0) - 0.5).abs() < 1e-9 && sigmoid.probability(2.0) > 0.7);
    /// ```
    pub fn fit(scores: &[f64], positive: &[bool], weight: &[f64]) -> PlattSigmoid {
        // on scores of size 1 and weights that sum to 1, so that no tolerance depends on their units
        let unit = scores.iter().fold(0.0, |m: f64, f| m.max(f.abs()));
        let unit = if unit > 0.0 { unit } else { 1.0 };
        let total_of = |side: bool| -> f64 { weight.iter().zip(positive).filter(|w| *w.1 == side).map(|w| w.0).sum() };
        let (n_positive, n_negative) = (total_of(true), total_of(false));
        let total = n_positive + n_negative;
        let (high, low) = ((n_positive + 1.0) / (n_positive + 2.0), 1.0 / (n_negative + 2.0));
        let rows = || {
            let each = scores.iter().zip(positive).zip(weight);
            each.map(|((f, &up), w)| (f / unit, if up { high } else { low }, w / total))
        };
        // −log-likelihood of one row: t·z + ln(1 + e⁻ᶻ), written so that nothing overflows
        let loss = |a: f64, b: f64| -> f64 {
            let of = |z: f64, t: f64| {
                if z >= 0.0 { t * z + (-z).exp().ln_1p() } else { (t - 1.0) * z + z.exp().ln_1p() }
            };
            rows().map(|(f, t, w)| w * of(a * f + b, t)).sum()
        };
        let (mut a, mut b) = (0.0, ((n_negative + 1.0) / (n_positive + 1.0)).ln());
        let mut at = loss(a, b);
        for _ in 0..STEPS_MAX {
            let (mut h11, mut h22, mut h21, mut g1, mut g2) = (RIDGE, RIDGE, 0.0, 0.0, 0.0);
            for (f, t, w) in rows() {
                let p = sigmoid(-(a * f + b));
                let (d1, d2) = (w * (t - p), w * p * (1.0 - p));
                h11 += f * f * d2;
                h22 += d2;
                h21 += f * d2;
                g1 += f * d1;
                g2 += d1;
            }
            if g1.abs() < GRADIENT && g2.abs() < GRADIENT {
                break;
            }
            let determinant = h11 * h22 - h21 * h21;
            let (da, db) = (-(h22 * g1 - h21 * g2) / determinant, -(h11 * g2 - h21 * g1) / determinant);
            let slope = g1 * da + g2 * db;
            let mut size = 1.0;
            let better = loop {
                let next = loss(a + size * da, b + size * db);
                if next < at + 1e-4 * size * slope {
                    break Some(next);
                }
                size /= 2.0;
                if size < SHORTEST {
                    break None;
                }
            };
            let Some(next) = better else { break };
            (a, b, at) = (a + size * da, b + size * db, next);
        }
        PlattSigmoid { a: a / unit, b }
    }

    /// The probability of the positive class.
    pub fn probability(&self, score: f64) -> f64 {
        sigmoid(-(self.a * score + self.b))
    }

    /// Its logarithm, which does not underflow.
    pub(super) fn ln_probability(&self, score: f64) -> f64 {
        let z = self.a * score + self.b;
        if z > 0.0 { -z - (-z).exp().ln_1p() } else { -z.exp().ln_1p() }
    }
}
