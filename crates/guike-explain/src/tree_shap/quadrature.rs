//! Gauss–Legendre quadrature on [0, 1]: `q` points integrate every polynomial of degree `2q − 1` exactly.
//!
//! The one idea: a Shapley value is the integral of a polynomial ([`super`] says which), so a handful of points gives it
//! without any sum over subsets. Points and weights are found by Newton's method on the Legendre recurrence; there is no
//! error estimate because none is needed.

use std::f64::consts::PI;

/// A rule: points strictly inside (0, 1), ascending, and positive weights that sum to one.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Rule {
    pub(super) points: Vec<f64>,
    pub(super) weights: Vec<f64>,
}

impl Rule {
    /// The rule of `n` points.
    ///
    /// # Source
    /// Abramowitz & Stegun (1964), 25.4.30, moved from [−1, 1] to [0, 1]; the first guess is Tricomi's, 22.16.6.
    pub(super) fn gauss_legendre(n: usize) -> Rule {
        let mut rule = Rule { points: vec![0.0; n], weights: vec![0.0; n] };
        for i in 0..n.div_ceil(2) {
            let mut x = (PI * (i as f64 + 0.75) / (n as f64 + 0.5)).cos();
            let mut slope = 1.0;
            // Newton's method doubles the digits each time: from Tricomi's guess four steps are enough
            for _ in 0..8 {
                let (value, derivative) = legendre(n, x);
                slope = derivative;
                x -= value / derivative;
            }
            let weight = 1.0 / ((1.0 - x * x) * slope * slope);
            // x is in the upper half; its mirror image has the same weight
            (rule.points[i], rule.weights[i]) = (0.5 - 0.5 * x, weight);
            (rule.points[n - 1 - i], rule.weights[n - 1 - i]) = (0.5 + 0.5 * x, weight);
        }
        rule
    }
}

/// The Legendre polynomial of degree `n` and its derivative at `x` inside (−1, 1).
fn legendre(n: usize, x: f64) -> (f64, f64) {
    let (mut before, mut value) = (1.0, x);
    for k in 2..=n {
        let k = k as f64;
        (before, value) = (value, ((2.0 * k - 1.0) * x * value - (k - 1.0) * before) / k);
    }
    (value, n as f64 * (x * value - before) / (x * x - 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_points_are_the_printed_ones() {
        let rule = Rule::gauss_legendre(2);
        let half = 0.5 / 3.0_f64.sqrt();
        assert!((rule.points[0] - (0.5 - half)).abs() < 1e-15 && (rule.points[1] - (0.5 + half)).abs() < 1e-15);
        assert!(rule.weights.iter().all(|w| (w - 0.5).abs() < 1e-15));
    }

    #[test]
    fn every_rule_integrates_all_powers_it_should() {
        for n in [1, 2, 3, 4, 6, 8, 12, 16, 32, 64, 192] {
            let rule = Rule::gauss_legendre(n);
            assert!(rule.points.windows(2).all(|w| w[0] < w[1]), "{n}");
            assert!(rule.points[0] > 0.0 && rule.points[n - 1] < 1.0, "{n}");
            for power in 0..2 * n as i32 {
                let sum: f64 = rule.points.iter().zip(&rule.weights).map(|(t, w)| w * t.powi(power)).sum();
                let exact = 1.0 / f64::from(power + 1);
                assert!((sum - exact).abs() < 1e-13, "{n} points, power {power}: {sum} and not {exact}");
            }
        }
    }
}
