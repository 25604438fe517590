//! What boosting minimises: the first two derivatives of each loss in the raw sum, and where the sums begin.

use serde::{Deserialize, Serialize};

use crate::tabular::{Link, Task, sigmoid};

/// A loss.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Objective {
    /// Half the squared error; the prediction is a mean.
    #[default]
    SquaredError,
    /// Log loss of two classes.
    Logistic,
    /// Log loss of more classes, one tree per class and round.
    Softmax,
    /// Poisson deviance of counts, log link.
    Poisson,
    /// Tweedie deviance of amounts with a spike at zero, log link.
    Tweedie {
        /// Variance power, strictly between 1 (Poisson) and 2 (gamma).
        power: f64,
    },
    /// Pinball loss; the prediction is a quantile.
    Quantile {
        /// In (0, 1).
        level: f64,
    },
}

/// Poisson's second derivative is taken a little ahead, so that a leaf of zeros takes no endless step (as LightGBM's
/// `poisson_max_delta_step`).
const POISSON_AHEAD: f64 = 0.7;
/// Raw sums of log links stay within this, so that their exponentials are numbers.
pub(crate) const MAX_LOG: f64 = 100.0;

impl Objective {
    /// How sums become predictions.
    pub fn link(self) -> Link {
        match self {
            Objective::SquaredError | Objective::Quantile { .. } => Link::Identity,
            Objective::Logistic => Link::Logit,
            Objective::Softmax => Link::Softmax,
            Objective::Poisson | Objective::Tweedie { .. } => Link::Log,
        }
    }

    /// What it predicts, where a number of classes is given for [`Objective::Softmax`].
    pub(crate) fn task(self, classes: u32) -> Task {
        match self {
            Objective::Logistic => Task::Classification { classes: 2 },
            Objective::Softmax => Task::Classification { classes },
            _ => Task::Regression,
        }
    }

    /// First and second derivative of one row's loss in its raw sum; for softmax see [`softmax`].
    #[inline]
    pub(crate) fn derivatives(self, y: f64, sum: f64) -> (f64, f64) {
        match self {
            Objective::SquaredError => (sum - y, 1.0),
            Objective::Logistic | Objective::Softmax => {
                let p = sigmoid(sum);
                (p - y, (p * (1.0 - p)).max(1e-16))
            }
            Objective::Poisson => {
                let rate = sum.min(MAX_LOG).exp();
                (rate - y, rate * f64::exp(POISSON_AHEAD))
            }
            Objective::Tweedie { power } => {
                let s = sum.clamp(-MAX_LOG, MAX_LOG);
                let (a, b) = (((1.0 - power) * s).exp(), ((2.0 - power) * s).exp());
                (b - y * a, (2.0 - power) * b - y * (1.0 - power) * a)
            }
            Objective::Quantile { level } => (if y > sum { -level } else { 1.0 - level }, 1.0),
        }
    }

    /// One row's loss, up to what does not depend on the sum.
    pub(crate) fn loss(self, y: f64, sum: f64) -> f64 {
        match self {
            Objective::SquaredError => 0.5 * (y - sum) * (y - sum),
            // ln(1 + e^s) − y s, without overflow
            Objective::Logistic | Objective::Softmax => sum.max(0.0) + (-sum.abs()).exp().ln_1p() - y * sum,
            Objective::Poisson => sum.min(MAX_LOG).exp() - y * sum,
            Objective::Tweedie { power } => {
                let s = sum.clamp(-MAX_LOG, MAX_LOG);
                ((2.0 - power) * s).exp() / (2.0 - power) - y * ((1.0 - power) * s).exp() / (1.0 - power)
            }
            Objective::Quantile { level } => (level - f64::from(u8::from(y < sum))) * (y - sum),
        }
    }

    /// The one sum for all rows that is best when no tree is there, on top of `offset`.
    ///
    /// Exact for the mean, the quantile, Poisson with any offset, and logistic without one; Newton steps otherwise.
    pub(crate) fn start(self, rows: impl Iterator<Item = (f64, f64, f64)> + Clone, has_offset: bool) -> f64 {
        // rows: (label, weight, offset)
        let total: f64 = rows.clone().map(|(_, w, _)| w).sum();
        if total <= 0.0 {
            return 0.0;
        }
        let mean = |of: fn(f64, f64) -> f64| rows.clone().map(|(y, w, o)| w * of(y, o)).sum::<f64>() / total;
        match self {
            Objective::SquaredError => mean(|y, o| y - o),
            Objective::Quantile { level } => {
                let mut gaps: Vec<(f64, f64)> = rows.map(|(y, w, o)| (y - o, w)).collect();
                weighted_quantile(&mut gaps, level)
            }
            Objective::Logistic | Objective::Softmax if !has_offset => {
                let p = mean(|y, _| y).clamp(1e-12, 1.0 - 1e-12);
                (p / (1.0 - p)).ln()
            }
            Objective::Poisson => {
                let expected = mean(|_, o| o.min(MAX_LOG).exp());
                (mean(|y, _| y).max(1e-12) / expected).ln()
            }
            Objective::Tweedie { .. } if !has_offset => mean(|y, _| y).max(1e-12).ln(),
            _ => self.newton(rows),
        }
    }

    fn newton(self, rows: impl Iterator<Item = (f64, f64, f64)> + Clone) -> f64 {
        let mut at = 0.0;
        for _ in 0..50 {
            let (g, h) = rows.clone().fold((0.0, 0.0), |(g, h), (y, w, o)| {
                let (dg, dh) = self.derivatives(y, at + o);
                (g + w * dg, h + w * dh)
            });
            let step = (g / h.max(1e-300)).clamp(-2.0, 2.0);
            at -= step;
            if step.abs() < 1e-10 {
                break;
            }
        }
        at
    }
}

/// First and second derivatives of the log loss of one row over K classes (factor K / (K − 1) as Friedman 2001, eq. 46).
pub(crate) fn softmax(class: usize, sums: &[f64], derivatives: &mut [(f64, f64)]) {
    let top = sums.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let total: f64 = sums.iter().map(|s| (s - top).exp()).sum();
    let factor = sums.len() as f64 / (sums.len() as f64 - 1.0);
    for (k, s) in sums.iter().enumerate() {
        let p = (s - top).exp() / total;
        derivatives[k] = (p - f64::from(u8::from(k == class)), (factor * p * (1.0 - p)).max(1e-16));
    }
}

/// The smallest value with at least `level` of the weight at or below it; reorders `values`.
pub(crate) fn weighted_quantile(values: &mut [(f64, f64)], level: f64) -> f64 {
    values.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let wanted = level * values.iter().map(|v| v.1).sum::<f64>();
    let mut below = 0.0;
    for &(v, w) in values.iter() {
        below += w;
        if below >= wanted {
            return v;
        }
    }
    values.last().map_or(0.0, |v| v.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Objective; 4] = [
        Objective::SquaredError,
        Objective::Logistic,
        Objective::Tweedie { power: 1.5 },
        Objective::Tweedie { power: 1.9 },
    ];

    #[test]
    fn derivatives_are_those_of_the_loss() {
        for objective in ALL {
            for (y, s) in [(0.0, -1.3), (1.0, 0.2), (1.0, 2.0), (0.0, 0.7)] {
                let e = 1e-5;
                let slope = (objective.loss(y, s + e) - objective.loss(y, s - e)) / (2.0 * e);
                let (g, h) = objective.derivatives(y, s);
                assert!((g - slope).abs() < 1e-8, "{objective:?} {y} {s}: {g} {slope}");
                let bend = (objective.derivatives(y, s + e).0 - objective.derivatives(y, s - e).0) / (2.0 * e);
                assert!((h - bend).abs() < 1e-8, "{objective:?} {y} {s}: {h} {bend}");
            }
        }
    }

    #[test]
    fn the_start_is_where_the_slopes_cancel() {
        let rows = [(0.0, 1.0, 0.3), (2.0, 2.0, -0.1), (5.0, 0.5, 0.9)];
        for objective in [Objective::SquaredError, Objective::Poisson, Objective::Tweedie { power: 1.4 }] {
            let at = objective.start(rows.iter().copied(), true);
            let slope: f64 = rows.iter().map(|&(y, w, o)| w * objective.derivatives(y, at + o).0).sum();
            assert!(slope.abs() < 1e-6, "{objective:?} {slope}");
        }
    }

    #[test]
    fn a_softmax_of_two_classes_has_the_logistic_slope() {
        let mut derivatives = [(0.0, 0.0); 2];
        softmax(1, &[0.0, 0.8], &mut derivatives);
        assert!((derivatives[1].0 - Objective::Logistic.derivatives(1.0, 0.8).0).abs() < 1e-15);
    }
}
