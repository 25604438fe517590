//! How customers buy and when they leave: Pareto/NBD, BG/NBD and MBG/NBD, with timing from random to regular.
//!
//! The first purchase is at time 0 and given; the processes describe the repeat purchases after it.

use rand::Rng;
use rand::RngExt;
use rand_distr::{Beta, Distribution, Exp1, Gamma};
use serde::{Deserialize, Serialize};

use crate::error::{SimError, positive};

/// How customers leave; heterogeneity over customers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DropOut {
    /// At any time, at a rate that is Gamma(shape `s`, rate `beta`) over customers (Schmittlein, Morrison & Colombo 1987).
    ParetoNbd {
        /// Shape.
        s: f64,
        /// Rate, in the time unit.
        beta: f64,
    },
    /// After each repeat purchase, with a probability that is Beta(`a`, `b`) over customers (Fader, Hardie & Lee 2005).
    BgNbd {
        /// First shape.
        a: f64,
        /// Second shape.
        b: f64,
    },
    /// After each purchase, the first one too (Batislam, Denizel & Filiztekin 2007).
    MbgNbd {
        /// First shape.
        a: f64,
        /// Second shape.
        b: f64,
    },
}

/// A population of buyers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Buying {
    /// Shape of the Gamma distribution of purchase rates over customers.
    pub r: f64,
    /// Its rate, in the time unit: the mean purchase rate is `r / alpha`.
    pub alpha: f64,
    /// How customers leave.
    pub drop_out: DropOut,
    /// Erlang shape of the waiting times: 1 is Poisson, larger is more regular. The mean stays 1 / rate.
    pub regularity: u32,
    /// Days in the time unit of all rates; the literature counts in weeks.
    pub unit_days: f64,
}

impl Default for Buying {
    /// Pareto/NBD with the estimates for the CDNOW sample, in weeks (Fader, Hardie & Lee 2005, table 2: r 0.553,
    /// α 10.578, s 0.606, β 11.669).
    fn default() -> Buying {
        let drop_out = DropOut::ParetoNbd { s: 0.606, beta: 11.669 };
        Buying { r: 0.553, alpha: 10.578, drop_out, regularity: 1, unit_days: 7.0 }
    }
}

/// The parameters of one customer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Buyer {
    /// Purchases per day while alive.
    pub rate_per_day: f64,
    /// Rate of leaving per day; 0 where customers leave at purchases only.
    pub death_rate_per_day: f64,
    /// Probability of leaving at a purchase; 0 where customers leave at any time.
    pub drop_out: f64,
    leaves_at_first: bool,
    regularity: u32,
}

impl Buying {
    /// Whether a population can have these parameters.
    ///
    /// # Errors
    /// The first parameter outside its range.
    pub fn validate(&self) -> Result<(), SimError> {
        positive("r", self.r)?;
        positive("alpha", self.alpha)?;
        positive("unit_days", self.unit_days)?;
        positive("regularity", f64::from(self.regularity))?;
        let shapes = match self.drop_out {
            DropOut::ParetoNbd { s, beta } => [("s", s), ("beta", beta)],
            DropOut::BgNbd { a, b } | DropOut::MbgNbd { a, b } => [("a", a), ("b", b)],
        };
        shapes.into_iter().try_for_each(|(name, value)| positive(name, value))
    }

    /// Draws a customer. The parameters must be valid.
    pub fn draw(&self, rng: &mut impl Rng) -> Buyer {
        let gamma = |shape: f64, rng: &mut _| Gamma::new(shape, 1.0).expect("validated").sample(rng);
        let rate_per_day = gamma(self.r, rng) / (self.alpha * self.unit_days);
        let mut buyer = Buyer {
            rate_per_day,
            death_rate_per_day: 0.0,
            drop_out: 0.0,
            leaves_at_first: matches!(self.drop_out, DropOut::MbgNbd { .. }),
            regularity: self.regularity,
        };
        match self.drop_out {
            DropOut::ParetoNbd { s, beta } => buyer.death_rate_per_day = gamma(s, rng) / (beta * self.unit_days),
            DropOut::BgNbd { a, b } | DropOut::MbgNbd { a, b } => {
                buyer.drop_out = Beta::new(a, b).expect("validated").sample(rng);
            }
        }
        buyer
    }
}

impl Buyer {
    /// Lives through `days` from the first purchase: calls `purchase` with the day (a fraction counts) of every repeat
    /// purchase, and gives the day of leaving, infinite if that is not within `days`.
    ///
    /// `at` maps time at the customer's own pace to calendar days, both from the first purchase on and increasing:
    /// the identity without a season.
    pub(crate) fn live(
        &self,
        days: f64,
        at: impl Fn(f64) -> f64,
        rng: &mut impl Rng,
        mut purchase: impl FnMut(f64),
    ) -> f64 {
        let mut death = f64::INFINITY;
        if self.death_rate_per_day > 0.0 {
            let wait: f64 = Exp1.sample(rng);
            death = wait / self.death_rate_per_day;
        }
        if self.leaves_at_first && rng.random::<f64>() < self.drop_out {
            return 0.0;
        }
        let mut pace = 0.0;
        loop {
            pace += self.wait(rng);
            let day = at(pace);
            // a rate that underflowed to 0 waits for ever
            if day.is_nan() || day > days.min(death) {
                break;
            }
            purchase(day);
            if self.drop_out > 0.0 && rng.random::<f64>() < self.drop_out {
                return day;
            }
        }
        if death <= days { death } else { f64::INFINITY }
    }

    fn wait(&self, rng: &mut impl Rng) -> f64 {
        let k = self.regularity;
        let wait: f64 = if k == 1 {
            Exp1.sample(rng)
        } else {
            Gamma::new(f64::from(k), 1.0 / f64::from(k)).expect("k is at least 1").sample(rng)
        };
        wait / self.rate_per_day
    }
}
