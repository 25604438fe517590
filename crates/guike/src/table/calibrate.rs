//! Probabilities that mean what they say, learned from out-of-fold predictions.
//!
//! ln p′ₖ = a · ln pₖ + bₖ + constant: one slope for all classes, one shift per class. With two classes this is Platt's
//! scaling of the log-odds (Platt 1999), with more it is temperature scaling with shifts (Guo et al. 2017, section 4.2). A
//! slope above 1 makes timid probabilities bolder, one below 1 tames overconfident ones; ranking within two classes stays.
//! Little data hardly moves it: slope and shifts are drawn towards "nothing to correct" with the weight of one row each.

use serde::{Deserialize, Serialize};

use super::target::Outcome;

/// Probabilities are taken to lie this far from 0 and 1.
pub(super) const EDGE: f64 = 1e-6;
/// More classes than this have too few rows each for shifts.
const MOST_CLASSES: usize = 20;
const NEWTON_STEPS: usize = 50;

/// The correction; the default changes nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Calibrator {
    /// What log-probabilities are multiplied with, above 0.
    pub slope: f64,
    /// What is then added, one per class, the first 0; empty for none.
    pub shifts: Vec<f64>,
}

impl Default for Calibrator {
    fn default() -> Calibrator {
        Calibrator { slope: 1.0, shifts: Vec::new() }
    }
}

impl Calibrator {
    /// Whether it changes nothing.
    pub(super) fn is_identity(&self) -> bool {
        *self == Calibrator::default()
    }

    /// The correction that makes these out-of-fold predictions most likely.
    pub(super) fn fit(predicted: &[f64], y: &[f64], outcome: &Outcome) -> Calibrator {
        let Outcome::Classification { classes, .. } = outcome else { return Calibrator::default() };
        let k = classes.len();
        if k > MOST_CLASSES || y.is_empty() || predicted.iter().any(|p| !p.is_finite()) {
            return Calibrator::default();
        }
        let logs: Vec<f64> = predicted.iter().map(|p| p.clamp(EDGE, 1.0 - EDGE).ln()).collect();
        let mut at = vec![0.0; k];
        at[0] = 1.0;
        let mut loss = objective(&logs, y, k, &at);
        for _ in 0..NEWTON_STEPS {
            let (gradient, hessian) = derivatives(&logs, y, k, &at);
            let Some(step) = solve(hessian, &gradient, k) else { break };
            let mut size = 1.0;
            let next = loop {
                let tried: Vec<f64> = at.iter().zip(&step).map(|(a, s)| a - size * s).collect();
                let value = objective(&logs, y, k, &tried);
                if value <= loss && tried[0] > 0.0 {
                    break Some((tried, value));
                }
                size /= 2.0;
                if size < 1e-10 {
                    break None;
                }
            };
            let Some((tried, value)) = next else { break };
            let done = loss - value <= 1e-12 * loss.abs();
            (at, loss) = (tried, value);
            if done {
                break;
            }
        }
        let shifts = std::iter::once(0.0).chain(at[1..].iter().copied()).collect();
        Calibrator { slope: at[0], shifts }
    }

    /// The corrected predictions, row-major with `k` values per row.
    pub(super) fn apply(&self, predicted: &[f64], k: usize) -> Vec<f64> {
        if self.is_identity() || k < 2 {
            return predicted.to_vec();
        }
        let mut out = Vec::with_capacity(predicted.len());
        for p in predicted.chunks_exact(k) {
            let sum =
                |c: usize| self.slope * p[c].clamp(EDGE, 1.0 - EDGE).ln() + self.shifts.get(c).copied().unwrap_or(0.0);
            let sums: Vec<f64> = (0..k).map(sum).collect();
            out.extend(softmax(&sums));
        }
        out
    }
}

fn softmax(sums: &[f64]) -> Vec<f64> {
    let top = sums.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let e: Vec<f64> = sums.iter().map(|s| (s - top).exp()).collect();
    let total: f64 = e.iter().sum();
    e.into_iter().map(|v| v / total).collect()
}

/// A row's probabilities under slope `at[0]` and shifts 0, `at[1]`, …
fn row(logs: &[f64], at: &[f64]) -> Vec<f64> {
    let shift = |c: usize| if c == 0 { 0.0 } else { at[c] };
    softmax(&logs.iter().enumerate().map(|(c, l)| at[0] * l + shift(c)).collect::<Vec<f64>>())
}

/// How far slope and shifts are from changing nothing.
fn prior(at: &[f64]) -> f64 {
    0.5 * ((at[0] - 1.0).powi(2) + at[1..].iter().map(|b| b * b).sum::<f64>())
}

fn objective(logs: &[f64], y: &[f64], k: usize, at: &[f64]) -> f64 {
    let loss: f64 = logs.chunks_exact(k).zip(y).map(|(l, &y)| -row(l, at)[y as usize].max(1e-300).ln()).sum();
    loss + prior(at)
}

/// Gradient and Hessian of the objective: parameter 0 multiplies the logs, parameter c > 0 adds to class c.
fn derivatives(logs: &[f64], y: &[f64], k: usize, at: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let mut gradient: Vec<f64> = at.to_vec();
    gradient[0] -= 1.0;
    let mut hessian = vec![0.0; k * k];
    (0..k).for_each(|i| hessian[i * k + i] = 1.0);
    for (l, &y) in logs.chunks_exact(k).zip(y) {
        let p = row(l, at);
        let mean: f64 = p.iter().zip(l).map(|(p, l)| p * l).sum();
        let square: f64 = p.iter().zip(l).map(|(p, l)| p * l * l).sum();
        gradient[0] += mean - l[y as usize];
        hessian[0] += square - mean * mean;
        for c in 1..k {
            gradient[c] += p[c] - f64::from(u8::from(y as usize == c));
            let cross = p[c] * (l[c] - mean);
            hessian[c] += cross;
            hessian[c * k] += cross;
            for d in 1..k {
                hessian[c * k + d] += p[c] * (f64::from(u8::from(c == d)) - p[d]);
            }
        }
    }
    (gradient, hessian)
}

/// Solves a small positive definite system by Gauss-Jordan elimination with pivots on the diagonal.
fn solve(mut a: Vec<f64>, b: &[f64], k: usize) -> Option<Vec<f64>> {
    let mut x = b.to_vec();
    for i in 0..k {
        let pivot = a[i * k + i];
        if !(pivot > 1e-12 && pivot.is_finite()) {
            return None;
        }
        for r in (0..k).filter(|&r| r != i) {
            let factor = a[r * k + i] / pivot;
            for c in i..k {
                a[r * k + c] -= factor * a[i * k + c];
            }
            x[r] -= factor * x[i];
        }
    }
    Some((0..k).map(|i| x[i] / a[i * k + i]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(k: usize) -> Outcome {
        let classes = (0..k).map(|c| c.to_string()).collect();
        Outcome::Classification { classes, positive: (k == 2).then_some(1) }
    }

    fn logit(p: f64) -> f64 {
        (p / (1.0 - p)).ln()
    }

    #[test]
    fn a_distortion_of_the_log_odds_is_undone() {
        // truth happens exactly as often as p says; what is predicted has log-odds halved and shifted
        let (mut predicted, mut y) = (Vec::new(), Vec::new());
        for step in 1..20 {
            let p = f64::from(step) / 20.0;
            let q = 1.0 / (1.0 + (-(0.5 * logit(p) + 0.4)).exp());
            for i in 0..1000 {
                predicted.extend([1.0 - q, q]);
                y.push(f64::from(u8::from(f64::from(i) < 1000.0 * p)));
            }
        }
        let c = Calibrator::fit(&predicted, &y, &outcome(2));
        assert!((c.slope - 2.0).abs() < 0.01 && (c.shifts[1] + 0.8).abs() < 0.01, "{c:?}");
        let q = 1.0 / (1.0 + (-(0.5 * logit(0.3) + 0.4)).exp());
        assert!((c.apply(&[1.0 - q, q], 2)[1] - 0.3).abs() < 0.003);
    }

    #[test]
    fn three_classes_are_corrected_and_still_sum_to_one() {
        let (mut predicted, mut y) = (Vec::new(), Vec::new());
        for i in 0..900 {
            predicted.extend([0.98, 0.01, 0.01]);
            y.push([0.0, 0.0, 0.0, 1.0, 1.0, 2.0][i % 6]);
        }
        let c = Calibrator::fit(&predicted, &y, &outcome(3));
        let p = c.apply(&[0.98, 0.01, 0.01], 3);
        for (p, expected) in p.iter().zip([0.5, 1.0 / 3.0, 1.0 / 6.0]) {
            assert!((p - expected).abs() < 0.01, "{p} {expected}");
        }
        assert!((p.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_few_rows_and_certainties_hardly_move_it() {
        let c = Calibrator::fit(&[0.0, 1.0, 1.0, 0.0], &[1.0, 0.0], &outcome(2));
        assert!(c.slope > 0.0 && c.slope < 3.0 && c.shifts[1].abs() < 3.0, "{c:?}");
        assert!(Calibrator::fit(&[1.0, 2.0], &[1.0, 2.0], &Outcome::Regression).is_identity());
    }
}
