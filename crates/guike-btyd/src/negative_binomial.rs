//! The number of random events in a window when the rate is gamma distributed: the negative binomial distribution.
//!
//! The one idea: probabilities come from their recurrence, all terms positive, started where they are large enough for
//! doubles and normalised by their own sum; so counts in the ten thousands lose no digits and need no `lgamma`.

/// P(N = n) ∝ Γ(shape + n) / n! · zⁿ, for a rate of Gamma(shape, rate) watched for a time t: z = t / (rate + t).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct NegativeBinomial {
    shape: f64,
    z: f64,
}

/// A brake: no customer of a shop makes more events than this within a hundred years.
const MOST_EVENTS: usize = 50_000_000;

impl NegativeBinomial {
    /// Events within `horizon` at a rate of Gamma(shape, rate).
    pub(crate) fn new(shape: f64, rate: f64, horizon: f64) -> NegativeBinomial {
        NegativeBinomial { shape, z: horizon / (rate + horizon) }
    }

    /// P(N = 0).
    pub(crate) fn zero(&self) -> f64 {
        (self.shape * (-self.z).ln_1p()).exp()
    }

    /// P(N ≥ 1), accurate when it is small.
    pub(crate) fn positive(&self) -> f64 {
        -(self.shape * (-self.z).ln_1p()).exp_m1()
    }

    /// P(N < n), for a small n.
    pub(crate) fn below(&self, n: usize) -> f64 {
        let mut p = self.zero();
        let mut sum = 0.0;
        for i in 0..n {
            sum += p;
            p *= (self.shape + i as f64) / (i as f64 + 1.0) * self.z;
        }
        sum
    }

    /// Calls `f(n, p)` for n = first, first + 1, … with p proportional to P(N = n), until the rest adds less than
    /// `tail` to Σ p and to the mean. Returns Σ p: the norm.
    ///
    /// When P(N = 0) underflows, the walk begins far in the lower tail.
    pub(crate) fn visit(&self, tail: f64, mut f: impl FnMut(usize, f64)) -> f64 {
        let (r, z) = (self.shape, self.z);
        let log_zero = r * (-z).ln_1p();
        let (mut n, mut p) = if log_zero > -600.0 {
            (0, log_zero.exp())
        } else {
            // twelve standard deviations below the mean, on the scale of cube roots (Wilson & Hilferty 1931)
            let mean = r * z / (1.0 - z);
            let variation = 1.0 / (r * z);
            ((mean * (1.0 - variation / 9.0 - 4.0 * variation.sqrt()).max(0.0).powi(3)) as usize, 1e-60)
        };
        let mut norm = 0.0;
        loop {
            f(n, p);
            norm += p;
            let count = n as f64;
            let ratio = (r + count) / (count + 1.0) * z;
            // later ratios lie between this one and z
            let bound = ratio.max(z);
            if bound < 1.0 {
                let rest = p * bound / (1.0 - bound);
                if rest * (count + 1.0 / (1.0 - bound)) <= tail * norm * (1.0 + count) {
                    return norm;
                }
            }
            if n >= MOST_EVENTS {
                return norm;
            }
            p *= ratio;
            n += 1;
        }
    }

    /// Probabilities of `first`, `first + 1`, … until the rest is below `tail`.
    pub(crate) fn list(&self, tail: f64) -> (usize, Vec<f64>) {
        let (mut first, mut list) = (None, Vec::new());
        let norm = self.visit(tail, |n, p| {
            first.get_or_insert(n);
            list.push(p);
        });
        let first = first.unwrap_or(0);
        if first > 0 {
            list.iter_mut().for_each(|p| *p /= norm);
        }
        (first, list)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_list_is_a_distribution_with_the_known_mean(
            shape in 0.01_f64..20_000.0, rate in 0.1_f64..500.0, horizon in 0.0_f64..500.0,
        ) {
            let (first, list) = NegativeBinomial::new(shape, rate, horizon).list(1e-15);
            let total: f64 = list.iter().sum();
            let mean: f64 = list.iter().enumerate().map(|(i, p)| (first + i) as f64 * p).sum();
            prop_assert!((total - 1.0).abs() < 1e-11, "{}", total);
            let expected = shape * horizon / rate;
            prop_assert!((mean - expected).abs() <= 1e-9 * (1.0 + expected), "{} {}", mean, expected);
        }
    }

    #[test]
    fn small_chances_keep_their_digits() {
        let n = NegativeBinomial::new(1e-3, 1e6, 1e-6);
        assert!((n.positive() / 1e-15 - 1.0).abs() < 1e-9);
    }
}
