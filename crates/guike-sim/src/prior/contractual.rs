//! Subscriptions: a purchase every period until the customer does not renew.
//!
//! The probability of not renewing is Beta over customers, so that who has stayed long is likelier to stay (the shifted
//! beta-geometric model: Fader & Hardie 2007, "How to project customer retention"). Renewals keep the calendar and
//! know no season; some are skipped, some come a few days late, and customers may buy in between.

use rand::{Rng, RngExt};

use super::draw::{beta, chance, exp1, log_uniform, pick, uniform};
use super::population::Person;
use super::timing::Live;

/// Plans of a shop and what holds for all of its subscribers.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Plans {
    /// Days of the periods that are on offer.
    periods: [f64; 2],
    /// Share of the first plan.
    first_share: f64,
    /// Largest delay of a renewal, in days.
    jitter: f64,
    /// Probability that a renewal is skipped (paused) without leaving.
    skip: f64,
    /// Not renewing: Beta over customers.
    churn: (f64, f64),
    /// Share of subscribers who also buy between renewals.
    extra: f64,
}

/// One subscription.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Contract {
    period: f64,
    jitter: f64,
    skip: f64,
    churn: f64,
    extra: bool,
}

impl Plans {
    pub(super) fn draw(days: f64, plain: bool, rng: &mut impl Rng) -> Plans {
        let period = |rng: &mut _| {
            let all =
                [(7.0, 0.1), (14.0, 0.1), (28.0, 0.1), (30.0, 0.15), (30.4375, 0.35), (91.3125, 0.1), (365.25, 0.1)];
            // one renewal at least must be seen
            let weights = all.map(|(period, weight)| if 2.0 * period <= days { weight } else { 0.0 });
            all[pick(&weights, rng)].0
        };
        let (mean, alike) = (log_uniform(0.005, 0.4, rng), log_uniform(0.5, 20.0, rng));
        let varied = |p: f64, rng: &mut _| !plain && chance(p, rng);
        Plans {
            periods: [period(rng), period(rng)],
            first_share: if varied(0.4, rng) { rng.random() } else { 1.0 },
            jitter: if varied(0.5, rng) { log_uniform(0.5, 6.0, rng) } else { 0.0 },
            skip: if varied(0.4, rng) { uniform(0.0, 0.3, rng) } else { 0.0 },
            churn: ((mean * alike).max(0.05), ((1.0 - mean) * alike).max(0.05)),
            extra: if varied(0.5, rng) { rng.random() } else { 0.0 },
        }
    }

    /// Beta of not renewing, and the period of the first plan in days.
    #[cfg(test)]
    pub(super) fn churn_and_period(&self) -> ((f64, f64), f64) {
        (self.churn, self.periods[0])
    }

    pub(super) fn person(&self, rng: &mut impl Rng) -> Contract {
        let period = self.periods[usize::from(!chance(self.first_share, rng))];
        Contract {
            period,
            // renewals may not overtake each other
            jitter: self.jitter.min(0.3 * period),
            skip: self.skip,
            churn: beta(self.churn.0, self.churn.1, rng),
            extra: chance(self.extra, rng),
        }
    }
}

impl Contract {
    /// Renewals and what is bought in between, per day.
    pub(super) fn rate_per_day(self, between: f64) -> f64 {
        (1.0 - self.skip) / self.period + if self.extra { between } else { 0.0 }
    }

    pub(super) fn live(self, person: &Person, live: Live<'_>, times: &mut Vec<f64>, rng: &mut impl Rng) -> f64 {
        let mut from = live.arrival;
        let mut cursor = 0;
        for nth in 1.. {
            let due = live.arrival + f64::from(nth) * self.period;
            let to = due + if self.jitter > 0.0 { self.jitter * rng.random::<f64>() } else { 0.0 };
            let churns = chance(self.churn, rng);
            // who does not renew is a customer until her period is over
            let until = if churns { due } else { to };
            if self.extra {
                let stop = live.clock.pace(until.min(live.end));
                let mut at = live.clock.pace(from);
                loop {
                    at += exp1(rng) / person.rate;
                    if at.is_nan() || at >= stop {
                        break;
                    }
                    times.push(live.clock.day(at, &mut cursor));
                }
            }
            if until >= live.end {
                break;
            }
            if churns {
                return due;
            }
            if !(self.skip > 0.0 && chance(self.skip, rng)) {
                times.push(to);
            }
            from = to;
        }
        f64::INFINITY
    }
}
