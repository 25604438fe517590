//! Small random draws by which hyper-priors are written down.

use rand::{Rng, RngExt};
use rand_distr::{Distribution, Exp1, Gamma, StandardNormal};

pub(super) fn uniform(low: f64, high: f64, rng: &mut impl Rng) -> f64 {
    low + (high - low) * rng.random::<f64>()
}

/// Every factor as likely as every other: for what is known only in its order of magnitude.
pub(super) fn log_uniform(low: f64, high: f64, rng: &mut impl Rng) -> f64 {
    uniform(low.ln(), high.ln(), rng).exp()
}

pub(super) fn chance(probability: f64, rng: &mut impl Rng) -> bool {
    rng.random::<f64>() < probability
}

pub(super) fn normal(rng: &mut impl Rng) -> f64 {
    StandardNormal.sample(rng)
}

pub(super) fn exp1(rng: &mut impl Rng) -> f64 {
    Exp1.sample(rng)
}

/// Gamma with this shape and scale 1.
pub(super) fn gamma(shape: f64, rng: &mut impl Rng) -> f64 {
    Gamma::new(shape, 1.0).expect("hyper-priors draw shapes above 0").sample(rng)
}

/// Beta, as a share of two Gammas: it stays a number for shapes far below 1, where it is nearly a coin.
pub(super) fn beta(a: f64, b: f64, rng: &mut impl Rng) -> f64 {
    let (x, y) = (gamma(a, rng), gamma(b, rng));
    if x + y > 0.0 { x / (x + y) } else { f64::from(u8::from(chance(a / (a + b), rng))) }
}

/// An index with these weights.
pub(super) fn pick(weights: &[f64], rng: &mut impl Rng) -> usize {
    let mut at = rng.random::<f64>() * weights.iter().sum::<f64>();
    for (i, &w) in weights.iter().enumerate() {
        if at < w {
            return i;
        }
        at -= w;
    }
    weights.iter().rposition(|&w| w > 0.0).unwrap_or(0)
}
