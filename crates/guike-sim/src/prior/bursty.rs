//! Purchases that bring purchases: a Hawkes process with an exponential kernel (Hawkes 1971).
//!
//! Every purchase raises the rate for some days; `branching` is the mean number of purchases that one brings, directly.
//! The background is lowered so that the mean rate stays that of the customer: 1 / (1 − branching) purchases in all
//! come of one. Drawn exactly, gap by gap (Dassios & Zhao 2013, algorithm 3.1 for constant marks).

use rand::{Rng, RngExt};

use super::draw::{exp1, log_uniform, uniform};
use super::population::{Person, spread};
use super::timing::Live;

/// Bursts of a shop's customers.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Bursts {
    branching: f64,
    /// Mean days from a purchase to one that it brought.
    days: f64,
}

/// One customer's bursts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Burst {
    branching: f64,
    decay: f64,
}

impl Bursts {
    pub(super) fn draw(rng: &mut impl Rng) -> Bursts {
        Bursts { branching: uniform(0.1, 0.8, rng), days: log_uniform(1.0, 60.0, rng) }
    }

    pub(super) fn person(&self, rng: &mut impl Rng) -> Burst {
        // at 1 a burst would never end
        let branching = (self.branching * spread(0.2, rng)).min(0.85);
        Burst { branching, decay: 1.0 / (self.days * spread(0.3, rng)) }
    }
}

impl Burst {
    pub(super) fn live(self, person: &Person, live: Live<'_>, times: &mut Vec<f64>, rng: &mut impl Rng) -> f64 {
        let (start, stop) = (live.clock.pace(live.arrival), live.stop());
        let background = person.rate * (1.0 - self.branching);
        let jump = self.branching * self.decay;
        let (mut felt, mut excited, mut cursor) = (0.0, jump, 0);
        loop {
            let mut wait = exp1(rng) / background;
            // the excitement may die away before it brings anything: then the logarithm has no argument
            let left = 1.0 + self.decay * rng.random::<f64>().ln() / excited;
            if left > 0.0 {
                wait = wait.min(-left.ln() / self.decay);
            }
            felt += wait;
            let at = start + person.time(felt);
            if at.is_nan() || at >= stop {
                return live.death;
            }
            excited = excited * (-self.decay * wait).exp() + jump;
            let day = live.clock.day(at, &mut cursor);
            times.push(day);
            if person.leaves_now(rng) {
                return day;
            }
        }
    }
}
