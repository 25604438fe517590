//! Independent gaps: from pure chance to a rhythm.
//!
//! * Pareto/NBD: exponential gaps, leaving at any time (Schmittlein, Morrison & Colombo 1987).
//! * BG/NBD: exponential gaps, leaving after a repeat purchase (Fader, Hardie & Lee 2005).
//! * MBG/NBD: after any purchase, the first one too (Batislam, Denizel & Filiztekin 2007).
//! * Regular: gaps are Gamma with a shape k of the customer's own, itself Gamma over customers (Pareto/GGG: Platzer &
//!   Reutterer 2016; BG/CNBD-k: Reutterer, Platzer & Schröder 2021), or lognormal, for what is bought when it runs out.

use rand::Rng;

use super::draw::{chance, exp1, gamma, log_uniform, normal};
use super::population::Person;
use super::timing::Live;

/// How regular the customers of a shop are.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Regularity {
    Poisson,
    /// Gamma shape of the gaps: Gamma over customers with this mean and shape.
    Gamma {
        mean: f64,
        shape: f64,
    },
    /// Deviation of the logarithm of the gaps: lognormal over customers around this.
    LogNormal {
        middle: f64,
    },
}

/// How one customer spaces her purchases; the mean gap is 1 / rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Gaps {
    Exponential,
    Gamma { k: f64 },
    LogNormal { sd: f64 },
}

impl Regularity {
    pub(super) fn draw(rng: &mut impl Rng) -> Regularity {
        if chance(0.7, rng) {
            Regularity::Gamma { mean: log_uniform(1.3, 15.0, rng), shape: log_uniform(0.8, 10.0, rng) }
        } else {
            Regularity::LogNormal { middle: log_uniform(0.15, 1.2, rng) }
        }
    }

    pub(super) fn person(&self, rng: &mut impl Rng) -> Gaps {
        match *self {
            Regularity::Poisson => Gaps::Exponential,
            // below a third gaps are so clumped that the mean says nothing any more; above a hundred they are a clock
            Regularity::Gamma { mean, shape } => {
                Gaps::Gamma { k: (gamma(shape, rng) / shape * mean).clamp(0.33, 100.0) }
            }
            Regularity::LogNormal { middle } => Gaps::LogNormal { sd: middle * (0.3 * normal(rng)).exp() },
        }
    }
}

impl Gaps {
    fn wait(self, rng: &mut impl Rng) -> f64 {
        match self {
            Gaps::Exponential => exp1(rng),
            Gaps::Gamma { k } => gamma(k, rng) / k,
            Gaps::LogNormal { sd } => (sd * normal(rng) - 0.5 * sd * sd).exp(),
        }
    }

    pub(super) fn live(self, person: &Person, live: Live<'_>, times: &mut Vec<f64>, rng: &mut impl Rng) -> f64 {
        let (start, stop) = (live.clock.pace(live.arrival), live.stop());
        let (mut felt, mut cursor) = (0.0, 0);
        loop {
            felt += self.wait(rng) / person.rate;
            let at = start + person.time(felt);
            // a rate that underflowed to 0 waits for ever
            if at.is_nan() || at >= stop {
                return live.death;
            }
            let day = live.clock.day(at, &mut cursor);
            times.push(day);
            if person.leaves_now(rng) {
                return day;
            }
        }
    }
}
