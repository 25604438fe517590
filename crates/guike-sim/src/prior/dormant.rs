//! Customers who fall asleep and wake up again: silence that is not the end.
//!
//! Two states with exponential sojourns, purchases only in the one (a Markov-modulated Poisson process; for customers:
//! Schwartz, Bradlow & Fader 2014; Romero, van der Lans & Wierenga 2013), and leaving for good from either. All begin
//! awake, with their first purchase.

use rand::Rng;

use super::draw::{exp1, gamma, log_uniform};
use super::population::Person;
use super::timing::Live;

/// Mean days awake and asleep over the customers of a shop.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sojourns {
    awake: f64,
    asleep: f64,
}

/// One customer's mean days.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Sojourn {
    awake: f64,
    asleep: f64,
}

/// Gamma shape of the mean sojourns over customers: most within a factor of three.
const ALIKE: f64 = 2.0;

impl Sojourns {
    pub(super) fn draw(days: f64, rng: &mut impl Rng) -> Sojourns {
        // much shorter is chance, much longer is leaving
        Sojourns { awake: log_uniform(7.0, days.max(30.0), rng), asleep: log_uniform(14.0, days.max(60.0), rng) }
    }

    pub(super) fn person(&self, rng: &mut impl Rng) -> Sojourn {
        let own = |mean: f64, rng: &mut _| (mean * gamma(ALIKE, rng) / ALIKE).max(1.0);
        Sojourn { awake: own(self.awake, rng), asleep: own(self.asleep, rng) }
    }
}

impl Sojourn {
    /// Share of time awake.
    pub(super) fn awake(self) -> f64 {
        self.awake / (self.awake + self.asleep)
    }

    pub(super) fn live(self, person: &Person, live: Live<'_>, times: &mut Vec<f64>, rng: &mut impl Rng) -> f64 {
        let last = live.death.min(live.end);
        let start = live.clock.pace(live.arrival);
        let felt = |day: f64| person.felt(live.clock.pace(day) - start);
        let (mut from, mut cursor) = (live.arrival, 0);
        while from < last {
            let to = (from + self.awake * exp1(rng)).min(last);
            let (mut at, stop) = (felt(from), felt(to));
            loop {
                at += exp1(rng) / person.rate;
                if at.is_nan() || at >= stop {
                    break;
                }
                let day = live.clock.day(start + person.time(at), &mut cursor);
                times.push(day);
                if person.leaves_now(rng) {
                    return day;
                }
            }
            from = to + self.asleep * exp1(rng);
        }
        live.death
    }
}
