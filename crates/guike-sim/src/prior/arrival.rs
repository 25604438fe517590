//! When customers arrive, and whether the log saw it.
//!
//! A shop is older than its log more often than not: customers who arrived before it have been thinned by those who
//! left, are buying at their own pace when it begins, and show a first purchase that is not their first.

use rand::{Rng, RngExt};

use super::calendar::Span;
use super::clock::Clock;
use super::draw::{chance, log_uniform, normal, pick, uniform};

/// Arrivals of a shop, in days from the beginning of the log; negative before it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Arrivals {
    from: f64,
    until: f64,
    shape: Shape,
    /// Whether the pace of the shop moves arrivals as it moves purchases.
    with_pace: bool,
}

#[derive(Debug, Clone, PartialEq)]
enum Shape {
    Steady,
    /// Density exp(`growth` × u) over the share u of the time.
    Ramp {
        growth: f64,
    },
    /// A logistic curve of customers so far, with this middle and scale as shares of the time.
    SCurve {
        middle: f64,
        scale: f64,
    },
    /// Steady for the rest, and bursts at these shares of the time.
    Campaigns {
        starts: Vec<f64>,
        days: f64,
        rest: f64,
    },
}

impl Arrivals {
    /// Everybody on day 0 or within the first tenth of the log.
    pub(super) fn plain(span: Span, rng: &mut impl Rng) -> Arrivals {
        let until = uniform(1.0, 0.1 * f64::from(span.days), rng);
        Arrivals { from: 0.0, until, shape: Shape::Steady, with_pace: false }
    }

    /// How long the shop existed before its log of `days`, and its arrivals.
    pub(super) fn draw(days: u32, rng: &mut impl Rng) -> (u32, Arrivals) {
        let length = f64::from(days);
        // the past is limited because it is simulated too
        let past = |rng: &mut _| log_uniform(0.2 * length, 3.0 * length, rng).min(1500.0).floor();
        match pick(&[0.2, 0.12, 0.68], rng) {
            // a cohort as in the CDNOW log: all arrive at the beginning, nobody later
            0 => {
                let until = log_uniform(5.0, (0.45 * length).min(150.0), rng).ceil();
                let shape = if chance(0.5, rng) { Shape::Steady } else { Shape::Ramp { growth: normal(rng) } };
                (0, Arrivals { from: 0.0, until, shape, with_pace: false })
            }
            // a panel: everybody is a customer from the beginning, as households are of a grocer
            1 => {
                let before = past(rng);
                (before as u32, Arrivals { from: -before, until: 0.0, shape: Shape::Steady, with_pace: false })
            }
            _ => {
                let before = if chance(0.6, rng) { past(rng) } else { 0.0 };
                let until = if chance(0.2, rng) { uniform(0.3, 1.0, rng) * length } else { length };
                let shape = Shape::draw(rng);
                (before as u32, Arrivals { from: -before, until, shape, with_pace: chance(0.5, rng) })
            }
        }
    }

    /// When one customer arrives.
    pub(super) fn sample(&self, clock: &Clock, rng: &mut impl Rng) -> f64 {
        let share = self.shape.sample(self.until - self.from, rng);
        let mut day = self.from + share * (self.until - self.from);
        if self.with_pace {
            let (from, until) = (clock.pace(self.from), clock.pace(self.until));
            day = clock.day(from + share * (until - from), &mut 0);
        }
        clock.open(day)
    }

    /// When one arrives of whom the log must see something: after its beginning.
    pub(super) fn sample_seen(&self, clock: &Clock, rng: &mut impl Rng) -> f64 {
        // a panel has nobody new; a few who came in its first week are the nearest to that
        if self.until <= 7.0 {
            return clock.open(uniform(0.0, 7.0, rng));
        }
        let day = (0..8).map(|_| self.sample(clock, rng)).find(|&d| d >= 0.0);
        day.unwrap_or_else(|| clock.open(uniform(0.0, self.until, rng))).max(0.0)
    }
}

impl Shape {
    fn draw(rng: &mut impl Rng) -> Shape {
        match pick(&[0.35, 0.3, 0.15, 0.2], rng) {
            0 => Shape::Steady,
            1 => Shape::Ramp { growth: uniform(-3.0, 3.0, rng) },
            2 => Shape::SCurve { middle: uniform(0.2, 0.8, rng), scale: log_uniform(0.03, 0.2, rng) },
            _ => {
                let starts = (0..rng.random_range(1..=6)).map(|_| rng.random()).collect();
                Shape::Campaigns { starts, days: log_uniform(1.0, 28.0, rng), rest: uniform(0.1, 0.9, rng) }
            }
        }
    }

    /// A share of the time, from 0 to below 1.
    fn sample(&self, days: f64, rng: &mut impl Rng) -> f64 {
        let u: f64 = rng.random();
        let share = match self {
            Shape::Steady => u,
            Shape::Ramp { growth } if growth.abs() < 1e-3 => u,
            // the inverse of the distribution function
            Shape::Ramp { growth } => (u * growth.exp_m1()).ln_1p() / growth,
            Shape::SCurve { middle, scale } => {
                let below = |share: f64| 1.0 / (1.0 + ((middle - share) / scale).exp());
                let q = below(0.0) + u * (below(1.0) - below(0.0));
                middle + scale * (q / (1.0 - q)).ln()
            }
            Shape::Campaigns { starts, days: burst, rest } => {
                if chance(*rest, rng) {
                    u
                } else {
                    starts[rng.random_range(0..starts.len())] + u * burst / days
                }
            }
        };
        share.clamp(0.0, 1.0 - 1e-9)
    }
}
