//! What a network says about a customer's window, and the loss of what then happened.
//!
//! Outputs are relative to the naive forecast: with the rate so far, orders within the window are Poisson with mean μ₀, so that
//! p₀ = 1 − e^(−μ₀) buy and those who do spend μ₀/p₀ usual amounts.

use guike_core::normal_quantile;
use serde::{Deserialize, Serialize};

use super::lessons::Happened;
use crate::told::Base;

/// How the spend of those who buy is distributed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ValueHead {
    /// Log-normal; with P(nothing) the zero-inflated log-normal of Wang, Liu & Miao (2019).
    ZeroInflatedLogNormal,
    /// Seven quantiles and a mean.
    Quantiles,
}

/// Levels of the quantile head.
const LEVELS: [f64; 7] = [0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95];
const MIDDLE: usize = 3;
/// Where outputs lie.
const ACTIVE: usize = 0;
const ORDERS: usize = 1;
const SPEND: usize = 2;
const SPREAD: usize = 3;
/// Shape of the negative binomial loss of orders: a customer who buys often must not drown the others.
const SHAPE: f64 = 3.0;
/// What the parts of the loss count.
const ORDERS_WEIGHT: f64 = 0.5;
const SPEND_WEIGHT: f64 = 0.5;
/// The most that one customer's spend, relative to what is expected, may pull.
const PULL: f64 = 8.0;

impl ValueHead {
    /// Numbers a network says per customer.
    pub(super) fn outputs(self) -> usize {
        match self {
            ValueHead::ZeroInflatedLogNormal => SPREAD + 1,
            ValueHead::Quantiles => SPREAD + LEVELS.len(),
        }
    }
}

/// The spend of a customer who buys within the window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Given {
    LogNormal { mean: f64, sd: f64 },
    Quantiles([f64; LEVELS.len()]),
}

/// What is said of a customer's window; money relative to the shop's median purchase day.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Said {
    /// Log-odds of any purchase.
    pub(super) log_odds: f64,
    pub(super) orders: f64,
    /// Expected spend of those who buy.
    pub(super) spend: f64,
    pub(super) given: Given,
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// Logarithms of the naive forecast: odds of a purchase, orders, spend of those who buy.
fn naive(base: Base, window: f64) -> [f64; 3] {
    let orders = base.log_rate.exp() * window;
    let active = -(-orders).exp_m1();
    let log_odds = (active / (1.0 - active).max(1e-4)).ln();
    [log_odds, orders.ln(), base.log_spend + (orders / active).ln()]
}

impl Said {
    pub(super) fn read(head: ValueHead, out: &[f32], base: Base, window: f64) -> Said {
        let [log_odds, log_orders, log_spend] = naive(base, window);
        let o = |i: usize| f64::from(out[i].clamp(-8.0, 8.0));
        let location = log_spend + o(SPEND);
        let (spend, given) = match head {
            ValueHead::ZeroInflatedLogNormal => {
                let sd = sd(o(SPREAD));
                ((location + sd * sd / 2.0).exp(), Given::LogNormal { mean: location, sd })
            }
            ValueHead::Quantiles => (location.exp(), Given::Quantiles(quantiles(out, log_spend))),
        };
        Said { log_odds: log_odds + o(ACTIVE), orders: (log_orders + o(ORDERS)).exp(), spend, given }
    }

    /// P(any purchase).
    pub(super) fn active(&self) -> f64 {
        sigmoid(self.log_odds).clamp(1e-9, 1.0 - 1e-9)
    }

    /// The mean of what members say: probabilities, orders and spend as they are, distributions by their parameters.
    pub(super) fn mean(all: &[Said]) -> Said {
        let n = all.len() as f64;
        let mean = |of: &dyn Fn(&Said) -> f64| all.iter().map(of).sum::<f64>() / n;
        let active = mean(&Said::active);
        let given = match all[0].given {
            Given::LogNormal { .. } => {
                let part = |s: &Said| match s.given {
                    Given::LogNormal { mean, sd } => [mean, sd * sd],
                    Given::Quantiles(_) => [0.0; 2],
                };
                Given::LogNormal { mean: mean(&|s| part(s)[0]), sd: mean(&|s| part(s)[1]).sqrt() }
            }
            Given::Quantiles(_) => Given::Quantiles(std::array::from_fn(|j| {
                mean(&|s| match s.given {
                    Given::Quantiles(q) => q[j],
                    Given::LogNormal { .. } => 0.0,
                })
            })),
        };
        Said {
            log_odds: (active / (1.0 - active)).ln(),
            orders: mean(&|s| s.orders),
            spend: mean(&|s| s.active() * s.spend) / active,
            given,
        }
    }

    /// Logarithm of the quantile of spend of those who buy.
    pub(super) fn log_quantile(&self, level: f64) -> f64 {
        let z = normal_quantile(level.clamp(1e-6, 1.0 - 1e-6));
        match self.given {
            Given::LogNormal { mean, sd } => mean + sd * z,
            Given::Quantiles(q) => {
                // straight between and beyond the levels, in units of a normal distribution
                let at: [f64; LEVELS.len()] = LEVELS.map(normal_quantile);
                let i = at[1..LEVELS.len() - 1].partition_point(|&a| a <= z);
                q[i] + (q[i + 1] - q[i]) * (z - at[i]) / (at[i + 1] - at[i])
            }
        }
    }
}

/// The spread of a log-normal from its output.
fn sd(out: f64) -> f64 {
    (out - 0.3).clamp(-2.5, 0.8).exp()
}

/// Logarithms of the quantiles: the middle one, and steps away from it that are never negative.
fn quantiles(out: &[f32], log_spend: f64) -> [f64; LEVELS.len()] {
    let o = |j: usize| f64::from(out[SPREAD + j].clamp(-8.0, 8.0));
    let mut q = [log_spend + o(MIDDLE); LEVELS.len()];
    for j in (0..MIDDLE).rev() {
        q[j] = q[j + 1] - softplus(o(j) - 0.5);
    }
    for j in MIDDLE + 1..LEVELS.len() {
        q[j] = q[j - 1] + softplus(o(j) - 0.5);
    }
    q
}

/// The loss of one customer; adds its gradient by the outputs, `weight` over, to `d_out`.
pub(super) fn loss(
    head: ValueHead,
    out: &[f32],
    base: Base,
    window: f64,
    happened: Happened,
    weight: f64,
    d_out: &mut [f32],
) -> f64 {
    let said = Said::read(head, out, base, window);
    let mut add = |at: usize, d: f64| d_out[at] += (weight * d) as f32;
    let (n, p) = (f64::from(happened.orders), sigmoid(said.log_odds));
    let active = f64::from(u8::from(happened.orders > 0));
    add(ACTIVE, p - active);
    let mut total = softplus(said.log_odds) - active * said.log_odds;
    let mu = said.orders.clamp(1e-9, 1e6);
    total -= ORDERS_WEIGHT * (n * (mu / (SHAPE + mu)).ln() + SHAPE * (SHAPE / (SHAPE + mu)).ln());
    add(ORDERS, -ORDERS_WEIGHT * SHAPE * (n - mu) / (SHAPE + mu));
    if happened.orders == 0 {
        return total;
    }
    let y = happened.spend.max(1e-4);
    match said.given {
        Given::LogNormal { mean, sd } => {
            let z = (y.ln() - mean) / sd;
            total += SPEND_WEIGHT * (z * z / 2.0 + sd.ln());
            add(SPEND, -SPEND_WEIGHT * (z / sd).clamp(-PULL, PULL));
            if (-2.5..0.8).contains(&(f64::from(out[SPREAD]) - 0.3)) {
                add(SPREAD, SPEND_WEIGHT * (1.0 - z * z).max(-PULL));
            }
        }
        Given::Quantiles(q) => {
            let ratio = y / said.spend;
            total += SPEND_WEIGHT * (ratio - 1.0 - ratio.ln());
            add(SPEND, SPEND_WEIGHT * (1.0 - ratio.min(PULL)));
            let mut d = [0.0; LEVELS.len()];
            for ((d, &q), level) in d.iter_mut().zip(&q).zip(LEVELS) {
                let off = y.ln() - q;
                total += SPEND_WEIGHT * off * if off > 0.0 { level } else { level - 1.0 };
                *d = SPEND_WEIGHT * if off > 0.0 { -level } else { 1.0 - level };
            }
            add(SPREAD + MIDDLE, d.iter().sum());
            let step = |j: usize| sigmoid(f64::from(out[SPREAD + j].clamp(-8.0, 8.0)) - 0.5);
            for j in 0..MIDDLE {
                add(SPREAD + j, -step(j) * d[..=j].iter().sum::<f64>());
            }
            for j in MIDDLE + 1..LEVELS.len() {
                add(SPREAD + j, step(j) * d[j..].iter().sum::<f64>());
            }
        }
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: Base = Base { log_rate: -3.0, log_spend: 0.2 };
    const HEADS: [ValueHead; 2] = [ValueHead::ZeroInflatedLogNormal, ValueHead::Quantiles];

    fn outputs(head: ValueHead) -> Vec<f32> {
        (0..head.outputs()).map(|i| ((i * 7919 % 13) as f32 - 6.0) / 9.0).collect()
    }

    #[test]
    fn gradients_are_the_slopes_of_the_loss() {
        for head in HEADS {
            for happened in
                [(0, 0.0), (1, 0.7), (4, 9.0), (90, 160.0)].map(|(orders, spend)| Happened { orders, spend })
            {
                let out = outputs(head);
                let at = |out: &[f32]| loss(head, out, BASE, 60.0, happened, 1.0, &mut vec![0.0; out.len()]);
                let mut d = vec![0.0; out.len()];
                loss(head, &out, BASE, 60.0, happened, 1.0, &mut d);
                for i in 0..out.len() {
                    let moved = |by: f32| {
                        let mut o = out.clone();
                        o[i] += by;
                        at(&o)
                    };
                    let slope = (moved(1e-3) - moved(-1e-3)) / 2e-3;
                    // one customer pulls so much and no more
                    let most = SPEND_WEIGHT * PULL - 0.1;
                    let close = (slope - f64::from(d[i])).abs() < 5e-3 * (1.0 + slope.abs());
                    assert!(close || slope.abs() > most, "{head:?} {happened:?} {i}: {slope} {}", d[i]);
                }
            }
        }
    }

    #[test]
    fn a_network_that_says_nothing_says_the_naive_forecast() {
        let said = Said::read(ValueHead::Quantiles, &[0.0; 10], BASE, 60.0);
        let orders = 60.0 * (-3.0_f64).exp();
        assert!((said.orders - orders).abs() < 1e-9);
        assert!((said.active() - (1.0 - (-orders).exp())).abs() < 1e-9);
        assert!((said.active() * said.spend - orders * 0.2_f64.exp()).abs() < 1e-9);
    }

    #[test]
    fn quantiles_ascend_and_go_through_their_levels() {
        for head in HEADS {
            let said = Said::read(head, &outputs(head), BASE, 60.0);
            let all: Vec<f64> = (1..200).map(|i| said.log_quantile(f64::from(i) / 200.0)).collect();
            assert!(all.is_sorted());
            if let Given::Quantiles(q) = said.given {
                for (level, q) in LEVELS.into_iter().zip(q) {
                    assert!((said.log_quantile(level) - q).abs() < 1e-9, "{level}");
                }
            }
        }
    }
}
