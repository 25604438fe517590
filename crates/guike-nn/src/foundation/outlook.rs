//! From what the network says about a customer to her orders over any horizon, and the loss of what then happened.
//!
//! The one idea: the network gives a *rate curve*, not a number for one horizon, so that forecasts grow with the horizon by
//! construction. A customer has left for good, or buys at one of two paces; each pace is a mixture of exponentially fading
//! rates and one that stays,
//!
//! λ_m(t) = e^(ρ_m) · g(t) · Σ_j s_mj e^(−t/τ_j),   μ_m(h) = ∫₀ʰ λ_m(t) dt,
//!
//! with the season g of the whole shop in four-week steps. Orders by h are then zero-inflated negative binomial with means
//! μ_m(h) and shapes k_m: P(N = 0) = w_0 + Σ w_m (1 + μ_m/k_m)^(−k_m), which falls in h as a survival curve should.

use crate::told::Base;

/// Days after which a fading rate has fallen to 1/e; the last never does.
const FADES: [f64; 5] = [14.0, 60.0, 240.0, 960.0, 1e9];
/// Paces at which a customer may buy.
const PACES: usize = 2;
/// Steps of the season.
pub(super) const SEASON: usize = 13;
const STEP_DAYS: f64 = 28.0;
/// Where each group of outputs begins.
const RATE: usize = 1 + PACES;
const FADE: usize = RATE + PACES;
const SHAPE: usize = FADE + PACES * FADES.len();
const SPEND: usize = SHAPE + PACES;
const SPREAD: usize = SPEND + 1;
/// How many numbers the network says about a customer.
pub(super) const OUTPUTS: usize = SPREAD + 1;

/// Integrals of the fading rates over a horizon, with the season in them.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Basis {
    /// ∫ g(t) e^(−t/τ_j) dt.
    whole: [f64; FADES.len()],
    /// The same by step of the season.
    by_step: [[f64; FADES.len()]; SEASON],
}

impl Basis {
    /// `season`: logarithms of g by step, [`SEASON`] numbers.
    pub(super) fn new(season: &[f32], days: f64) -> Basis {
        let mut basis = Basis { whole: [0.0; FADES.len()], by_step: [[0.0; FADES.len()]; SEASON] };
        let mut from = 0.0;
        let mut step = 0;
        while from < days {
            let to = (from + STEP_DAYS).min(days);
            let level = f64::from(season[step % SEASON]).exp();
            for (j, fade) in FADES.into_iter().enumerate() {
                // τ (e^(−from/τ) − e^(−to/τ)), without cancellation where τ is long
                let part = level * fade * (-from / fade).exp() * -(-(to - from) / fade).exp_m1();
                basis.whole[j] += part;
                basis.by_step[step % SEASON][j] += part;
            }
            (from, step) = (to, step + 1);
        }
        basis
    }
}

fn softmax<const N: usize>(z: &[f32]) -> [f64; N] {
    let most = z.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut p = [0.0; N];
    p.iter_mut().zip(z).for_each(|(p, &z)| *p = f64::from(z - most).exp());
    let total: f64 = p.iter().sum();
    p.map(|p| p / total)
}

/// One customer's rate curve and spend.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Outlook {
    /// P(has left for good), then the probability of each pace.
    classes: [f64; 1 + PACES],
    log_rate: [f64; PACES],
    shares: [[f64; FADES.len()]; PACES],
    shape: [f64; PACES],
    /// Logarithm of the expected spend per purchase day relative to the shop's median.
    pub(super) log_spend: f64,
    /// Variance of the logarithm of spend over a horizon, given any.
    log_spend_variance: f64,
}

/// Orders by a horizon.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Orders {
    pub(super) expected: f64,
    /// P(at least one).
    pub(super) active: f64,
}

impl Outlook {
    pub(super) fn read(out: &[f32], base: Base) -> Outlook {
        let rate = |m: usize| base.log_rate + f64::from(out[RATE + m].clamp(-8.0, 6.0)) + [-0.7, 0.7][m];
        let shares = |m: usize| softmax(&out[FADE + m * FADES.len()..][..FADES.len()]);
        let shape = |m: usize| (f64::from(out[SHAPE + m].clamp(-4.0, 4.0)) + 0.5).exp();
        Outlook {
            classes: softmax(&out[..RATE]),
            log_rate: std::array::from_fn(rate),
            shares: std::array::from_fn(shares),
            shape: std::array::from_fn(shape),
            log_spend: base.log_spend + f64::from(out[SPEND].clamp(-5.0, 5.0)),
            log_spend_variance: f64::from(out[SPREAD].clamp(-4.0, 3.0)).exp(),
        }
    }

    /// P(has not left for good).
    pub(super) fn alive(&self) -> f64 {
        1.0 - self.classes[0]
    }

    /// Expected orders at each pace.
    fn means(&self, basis: &Basis) -> [f64; PACES] {
        std::array::from_fn(|m| {
            let curve: f64 = self.shares[m].iter().zip(&basis.whole).map(|(s, b)| s * b).sum();
            // rates above 60 a day are none of a customer's
            (self.log_rate[m].min(4.1)).exp() * curve
        })
    }

    pub(super) fn orders(&self, basis: &Basis) -> Orders {
        let means = self.means(basis);
        let (mut expected, mut none) = (0.0, self.classes[0]);
        for m in 0..PACES {
            expected += self.classes[1 + m] * means[m];
            none += self.classes[1 + m] * (-self.shape[m] * (means[m] / self.shape[m]).ln_1p()).exp();
        }
        Orders { expected, active: (1.0 - none).clamp(0.0, 1.0) }
    }

    /// The quantile of spend over a horizon, relative to the shop's median: nothing with P(no order), else log-normal about
    /// the expected spend of those who order.
    pub(super) fn spend_quantile(&self, orders: Orders, level: f64, normal_quantile: impl Fn(f64) -> f64) -> f64 {
        let none = 1.0 - orders.active;
        if level <= none || orders.active <= 0.0 {
            return 0.0;
        }
        let v = self.log_spend_variance;
        let mean = self.log_spend + (orders.expected / orders.active).ln();
        (mean - v / 2.0 + v.sqrt() * normal_quantile((level - none) / orders.active)).exp()
    }
}

/// Moves the logarithms of all rates, and of spend per order, in the biases of the last step.
pub(super) fn shift_level(bias: &mut [f32], log_orders: f64, log_spend: f64) {
    bias[RATE..RATE + PACES].iter_mut().for_each(|b| *b += log_orders as f32);
    bias[SPEND] += log_spend as f32;
}

/// Takes what would change how rates fade out of a gradient by the outputs.
pub(super) fn keep_fades(d_out: &mut [f32]) {
    d_out[FADE..SHAPE].fill(0.0);
}

/// What truly happened to a customer, as far as it is known.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Truth {
    /// Purchase days by each horizon.
    pub(super) orders: Vec<u32>,
    /// Spend over the longest horizon, relative to the shop's median.
    pub(super) spend: f64,
    /// Whether she had not left at the anchor; simulated shops tell.
    pub(super) alive: Option<bool>,
}

/// Mean losses by part.
#[derive(Debug, Clone, Copy, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Losses {
    /// Negative log-likelihood of the numbers of orders.
    pub orders: f64,
    /// Gamma deviance of spend per order.
    pub spend: f64,
    /// Negative log-likelihood of spend about its mean.
    pub spread: f64,
    /// Cross-entropy of being alive.
    pub alive: f64,
}

impl Losses {
    /// How much each part counts.
    const WEIGHTS: [f64; 4] = [1.0, 0.4, 0.1, 0.2];

    /// The weighted sum that training lowers.
    pub fn total(&self) -> f64 {
        let parts = [self.orders, self.spend, self.spread, self.alive];
        parts.iter().zip(Losses::WEIGHTS).map(|(l, w)| l * w).sum()
    }

    /// Adds another's parts, `times` over.
    pub fn add(&mut self, other: &Losses, times: f64) {
        self.orders += times * other.orders;
        self.spend += times * other.spend;
        self.spread += times * other.spread;
        self.alive += times * other.alive;
    }
}

/// ln Γ(n + k) − ln Γ(k) and its derivative by k.
fn rising(k: f64, n: u32) -> (f64, f64) {
    if n <= 64 {
        return (0..n).fold((0.0, 0.0), |(l, d), i| (l + (k + f64::from(i)).ln(), d + 1.0 / (k + f64::from(i))));
    }
    let (l, d) = rising(k, 64);
    let (low, high) = (k + 64.0, k + f64::from(n));
    // Stirling's series; its first correction is enough from 64 on
    let stirling = |x: f64| ((x - 0.5) * x.ln() - x + 1.0 / (12.0 * x), x.ln() - 0.5 / x - 1.0 / (12.0 * x * x));
    let ((lh, dh), (ll, dl)) = (stirling(high), stirling(low));
    (l + lh - ll, d + dh - dl)
}

/// ln n!, which does not depend on the forecast but makes losses of shops comparable.
fn log_factorial(n: u32) -> f64 {
    rising(1.0, n).0
}

/// The loss of one customer; adds weighted gradients by the outputs to `d_out` and by the season's logarithms to `d_season`.
pub(super) fn loss(
    out: &[f32],
    base: Base,
    bases: &[Basis],
    truth: &Truth,
    weight: f64,
    d_out: &mut [f32],
    d_season: &mut [f64; SEASON],
) -> Losses {
    let o = Outlook::read(out, base);
    let mut losses = Losses::default();
    let mut add = |at: usize, d: f64| d_out[at] += (d * weight) as f32;
    let share = 1.0 / bases.len() as f64;
    for (basis, &n) in bases.iter().zip(&truth.orders) {
        let means = o.means(basis);
        let mut logs = [f64::NEG_INFINITY; 1 + PACES];
        let mut by_shape = [0.0; PACES];
        if n == 0 {
            logs[0] = o.classes[0].max(1e-30).ln();
        }
        for m in 0..PACES {
            let (mu, k) = (means[m].max(1e-12), o.shape[m]);
            let (gamma, d_gamma) = rising(k, n);
            let fail = -(mu / k).ln_1p();
            let log_p = gamma - log_factorial(n) + k * fail + f64::from(n) * ((mu / k).ln() + fail);
            logs[1 + m] = o.classes[1 + m].max(1e-30).ln() + log_p;
            by_shape[m] = k * (d_gamma + fail + 1.0 - (f64::from(n) + k) / (k + mu));
        }
        let most = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let total: f64 = logs.iter().map(|l| (l - most).exp()).sum();
        losses.orders -= share * (most + total.ln());
        let scale = share * Losses::WEIGHTS[0];
        for c in 0..=PACES {
            let posterior = (logs[c] - most).exp() / total;
            add(c, scale * (o.classes[c] - posterior));
            let Some(m) = c.checked_sub(1) else { continue };
            let (mu, k) = (means[m].max(1e-12), o.shape[m]);
            let d_log_mean = -scale * posterior * k * (f64::from(n) - mu) / (k + mu);
            add(RATE + m, d_log_mean);
            add(SHAPE + m, -scale * posterior * by_shape[m]);
            let curve: f64 = o.shares[m].iter().zip(&basis.whole).map(|(s, b)| s * b).sum();
            for j in 0..FADES.len() {
                let s = o.shares[m][j];
                add(FADE + m * FADES.len() + j, d_log_mean * s * (basis.whole[j] / curve - 1.0));
            }
            for (d, step) in d_season.iter_mut().zip(&basis.by_step) {
                let part: f64 = o.shares[m].iter().zip(step).map(|(s, b)| s * b).sum();
                *d += weight * d_log_mean * part / curve;
            }
        }
    }
    if let (Some(&n), Some(basis)) = (truth.orders.last(), bases.last())
        && n > 0
    {
        // spend per order: Gamma with variance over n, capped because tastes drift and a regular is no better known than that
        let count = f64::from(n);
        let trust = count / (1.0 + 0.3 * count);
        let ratio = (truth.spend / count).max(1e-6) / o.log_spend.exp();
        losses.spend += trust * (ratio - 1.0 - ratio.ln());
        // one order in a million must not turn the whole step
        add(SPEND, trust * Losses::WEIGHTS[1] * (1.0 - ratio.min(15.0)));
        let orders = o.orders(basis);
        let v = o.log_spend_variance;
        let expected = o.log_spend + (orders.expected / orders.active.max(1e-9)).max(1e-12).ln();
        let off = truth.spend.max(1e-6).ln() - expected + v / 2.0;
        losses.spread += 0.5 * v.ln() + off * off / (2.0 * v);
        let d = 0.5 / v + off / (2.0 * v) - off * off / (2.0 * v * v);
        add(SPREAD, (d * v * Losses::WEIGHTS[2]).clamp(-3.0, 3.0));
    }
    if let Some(alive) = truth.alive {
        let gone = o.classes[0].clamp(1e-7, 1.0 - 1e-7);
        let scale = Losses::WEIGHTS[3];
        if alive {
            losses.alive -= (1.0 - gone).ln();
            add(0, scale * gone);
            (1..=PACES).for_each(|c| add(c, -scale * gone * o.classes[c] / (1.0 - gone)));
        } else {
            losses.alive -= gone.ln();
            add(0, scale * (gone - 1.0));
            (1..=PACES).for_each(|c| add(c, scale * o.classes[c]));
        }
    }
    losses
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: Base = Base { log_rate: -3.0, log_spend: 0.1 };

    fn outputs() -> Vec<f32> {
        (0..OUTPUTS).map(|i| ((i * 7919 % 13) as f32 - 6.0) / 8.0).collect()
    }

    fn season() -> Vec<f32> {
        (0..SEASON).map(|i| (i as f32 * 0.7).sin() * 0.5).collect()
    }

    #[test]
    fn orders_grow_with_the_horizon_and_silence_becomes_less_likely() {
        let outlook = Outlook::read(&outputs(), BASE);
        let mut before = Orders { expected: 0.0, active: 0.0 };
        for days in [1.0, 7.0, 30.0, 100.0, 364.0, 800.0, 3000.0] {
            let orders = outlook.orders(&Basis::new(&season(), days));
            assert!(orders.expected > before.expected && orders.active > before.active, "{days}");
            assert!(orders.active <= outlook.alive());
            before = orders;
        }
    }

    #[test]
    fn without_a_season_a_lasting_rate_adds_up() {
        let basis = Basis::new(&[0.0; SEASON], 500.0);
        assert!((basis.whole[4] - 500.0).abs() < 1e-3);
        assert!((basis.whole[0] - 14.0 * (1.0 - (-500.0_f64 / 14.0).exp())).abs() < 1e-9);
    }

    #[test]
    fn gradients_are_the_slopes_of_the_loss() {
        for (orders, alive) in [(vec![0, 0, 1], Some(true)), (vec![0, 0, 0], Some(false)), (vec![3, 7, 90], None)] {
            let truth = Truth { orders, spend: 3.7, alive };
            let total = |out: &[f32], season: &[f32]| {
                let bases: Vec<Basis> = [20.0, 90.0, 400.0].iter().map(|&d| Basis::new(season, d)).collect();
                loss(out, BASE, &bases, &truth, 1.0, &mut [0.0; OUTPUTS], &mut [0.0; SEASON])
            };
            let bases: Vec<Basis> = [20.0, 90.0, 400.0].iter().map(|&d| Basis::new(&season(), d)).collect();
            let (mut d, mut ds) = ([0.0; OUTPUTS], [0.0; SEASON]);
            loss(&outputs(), BASE, &bases, &truth, 1.0, &mut d, &mut ds);
            // the spread learns about the mean but does not move it
            let frozen = |l: Losses| l.total() - Losses::WEIGHTS[2] * l.spread;
            for i in 0..OUTPUTS {
                let e = 1e-3;
                let moved = |by: f32| {
                    let mut o = outputs();
                    o[i] += by;
                    let l = total(&o, &season());
                    if i == SPREAD { l.total() } else { frozen(l) }
                };
                let slope = (moved(e) - moved(-e)) / (2.0 * f64::from(e));
                assert!((slope - f64::from(d[i])).abs() < 2e-3 * (1.0 + slope.abs()), "output {i}: {slope} {}", d[i]);
            }
            for i in 0..SEASON {
                let e = 1e-3;
                let moved = |by: f32| {
                    let mut s = season();
                    s[i] += by;
                    frozen(total(&outputs(), &s))
                };
                let slope = (moved(e) - moved(-e)) / (2.0 * f64::from(e));
                assert!((slope - ds[i]).abs() < 2e-3 * (1.0 + slope.abs()), "step {i}: {slope} {}", ds[i]);
            }
        }
    }

    #[test]
    fn quantiles_rise_and_begin_with_nothing() {
        let outlook = Outlook::read(&outputs(), BASE);
        let orders = outlook.orders(&Basis::new(&season(), 30.0));
        // a stand-in for the normal quantile that rises is enough here
        let q: Vec<f64> =
            (1..20).map(|i| outlook.spend_quantile(orders, f64::from(i) / 20.0, |p| 4.0 * p - 2.0)).collect();
        assert!(q.is_sorted() && q[0] == 0.0 && q[18] > 0.0, "{q:?}");
    }
}
