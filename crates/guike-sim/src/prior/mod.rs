//! Shops drawn from hyper-priors: what a model of customers can be trained on before it sees a real one.
//!
//! The one idea: real logs differ in more ways than any one model has parameters for (span, pace, season, how customers
//! come, leave and fall asleep, what they spend), so that a model that has learned from *all* of these ways can read the
//! right one off a new log (prior-data fitted networks: Müller et al. 2022). A [`Prior`] draws the ways, one
//! [`PriorShop`] at a time, with purchase days only: the form in which training reads them.
//!
//! Beside a shop's [`Mechanism`] a draw decides: the length of the log; how much older than its log the shop is (left
//! truncation: customers who are old when the log begins, and whose first purchase was not seen); arrivals in a cohort,
//! steadily, in ramps, curves and campaigns, and cohorts that get better or worse; customers whose own pace wanders; season, holidays, days of the week,
//! trends, shocks and promotions that move some customers more than others; spend with tails, bulk buyers, prices,
//! habits. [`Prior::plain`] leaves all of that out, so that a shop follows its paper to the letter.
//!
//! It does not try to imitate any one shop; [`crate::Shop`] is for a log with items, refunds and categories.

mod arrival;
mod bursty;
mod calendar;
mod clock;
mod contractual;
mod dormant;
mod draw;
mod population;
mod renewal;
mod shop;
mod spend;
#[cfg(test)]
mod tests;
mod timing;

use std::ops::Range;

use guike_core::{Day, Seed};
use serde::{Deserialize, Serialize};

use crate::error::{SimError, positive};
pub use shop::PriorShop;

/// How the customers of a shop space their purchases and leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mechanism {
    /// Purchases at random, leaving at any time (Schmittlein, Morrison & Colombo 1987).
    ParetoNbd,
    /// Purchases at random, leaving after a repeat purchase (Fader, Hardie & Lee 2005).
    BgNbd,
    /// The same, leaving also after the first purchase (Batislam, Denizel & Filiztekin 2007).
    MbgNbd,
    /// Purchases in a rhythm that differs between customers (Pareto/GGG: Platzer & Reutterer 2016), or lognormal gaps.
    Regular,
    /// Subscriptions with renewals (sBG: Fader & Hardie 2007).
    Contractual,
    /// Customers who fall asleep and wake up again, and leave (Schwartz, Bradlow & Fader 2014).
    Dormant,
    /// Purchases that bring purchases (Hawkes 1971).
    Bursty,
    /// Every customer follows one of two or three of the others.
    Mixed,
}

impl Mechanism {
    /// All of them, in the order of [`Prior::weights`].
    pub const ALL: [Mechanism; 8] = [
        Mechanism::ParetoNbd,
        Mechanism::BgNbd,
        Mechanism::MbgNbd,
        Mechanism::Regular,
        Mechanism::Contractual,
        Mechanism::Dormant,
        Mechanism::Bursty,
        Mechanism::Mixed,
    ];

    /// Stable name in files and flags.
    ///
    /// ```
    /// use guike_sim::Mechanism;
    /// assert_eq!(Mechanism::ParetoNbd.name(), "pareto-nbd");
    /// ```
    pub fn name(self) -> &'static str {
        match self {
            Mechanism::ParetoNbd => "pareto-nbd",
            Mechanism::BgNbd => "bg-nbd",
            Mechanism::MbgNbd => "mbg-nbd",
            Mechanism::Regular => "regular",
            Mechanism::Contractual => "contractual",
            Mechanism::Dormant => "dormant",
            Mechanism::Bursty => "bursty",
            Mechanism::Mixed => "mixed",
        }
    }
}

/// Draws whole shops from hyper-priors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Prior {
    /// Customers per shop, each with at least one purchase in the log.
    pub customers: u32,
    /// Mechanisms left out, for ablations; [`Mechanism::Mixed`] then mixes without them too.
    pub without: Vec<Mechanism>,
    /// Relative frequency of the mechanisms, in the order of [`Mechanism::ALL`]; 0 leaves one out but not of mixtures.
    pub weights: [f64; 8],
    /// Shortest and longest log, in days; most last from half a year to three years.
    pub days: (u32, u32),
    /// First day of the log; drawn from the years since 2000 where it is not given.
    pub start: Option<Day>,
    /// Nothing but the mechanism: no season, trend, truncation, drift or tails; spend is Gamma-Gamma.
    pub plain: bool,
}

impl Default for Prior {
    /// Every mechanism, 256 customers, logs from two months to ten years.
    fn default() -> Prior {
        // shops mix; subscriptions and bursts are rarer than shops where people come and go
        let weights = [0.16, 0.1, 0.1, 0.14, 0.08, 0.14, 0.1, 0.18];
        Prior { customers: 256, without: Vec::new(), weights, days: (60, 3650), start: None, plain: false }
    }
}

impl Prior {
    /// Shops of one mechanism, with everything else that varies.
    ///
    /// ```
    /// use guike_core::Seed;
    /// use guike_sim::{Mechanism, Prior};
    /// let prior = Prior { customers: 20, ..Prior::only(Mechanism::Dormant) };
    /// let shop = prior.shop(Seed(1));
    /// assert_eq!((shop.mechanism, shop.n_customers()), (Mechanism::Dormant, 20));
    /// assert_eq!(shop, prior.shop(Seed(1)));
    /// ```
    #[must_use]
    pub fn only(mechanism: Mechanism) -> Prior {
        let weights = Mechanism::ALL.map(|m| f64::from(u8::from(m == mechanism)));
        Prior { weights, ..Prior::default() }
    }

    /// Shops of one mechanism and nothing else, for checks against formulas.
    #[must_use]
    pub fn plain(mechanism: Mechanism) -> Prior {
        Prior { plain: true, ..Prior::only(mechanism) }
    }

    /// Whether shops can be drawn.
    ///
    /// # Errors
    /// The first parameter outside its range.
    ///
    /// ```
    /// use guike_sim::{Mechanism, Prior};
    /// assert!(Prior::default().validate().is_ok());
    /// let nothing = Prior { without: Mechanism::ALL.to_vec(), ..Prior::default() };
    /// assert!(nothing.validate().is_err());
    /// ```
    pub fn validate(&self) -> Result<(), SimError> {
        positive("customers", f64::from(self.customers))?;
        for &value in &self.weights {
            if !(value >= 0.0 && value.is_finite()) {
                return Err(SimError { name: "weights", value, rule: "at least 0 and finite" });
            }
        }
        let sum: f64 = self.weights_left().iter().sum();
        if sum <= 0.0 {
            return Err(SimError { name: "weights", value: sum, rule: "above 0 for a mechanism that is not left out" });
        }
        // fewer days hold no second month, more no longer any shop
        let (low, high) = (f64::from(self.days.0), f64::from(self.days.1));
        if !(30.0..=36_500.0).contains(&low) {
            return Err(SimError { name: "days.0", value: low, rule: "between 30 and 36500" });
        }
        if !(low..=36_500.0).contains(&high) {
            return Err(SimError { name: "days.1", value: high, rule: "at least days.0 and at most 36500" });
        }
        Ok(())
    }

    /// Draws a shop; it depends on the prior and the seed alone.
    ///
    /// # Panics
    /// When the prior is not valid ([`Prior::validate`]).
    pub fn shop(&self, seed: Seed) -> PriorShop {
        self.part(seed, 0..self.customers)
    }

    /// Draws some customers of a shop, so that a large one need not be in memory at once. A customer depends on the
    /// prior, the seed and her number alone.
    ///
    /// # Panics
    /// When the prior is not valid ([`Prior::validate`]).
    ///
    /// ```
    /// use guike_core::Seed;
    /// use guike_sim::Prior;
    /// let prior = Prior { customers: 30, ..Prior::default() };
    /// let (whole, part) = (prior.shop(Seed(1)), prior.part(Seed(1), 20..30));
    /// assert_eq!(whole.customer(25), part.customer(5));
    /// ```
    pub fn part(&self, seed: Seed, customers: Range<u32>) -> PriorShop {
        assert!(self.validate().is_ok(), "a prior is validated before it draws: {:?}", self.validate());
        shop::draw(self, seed, customers)
    }

    /// Weights of the mechanisms that are not left out.
    fn weights_left(&self) -> [f64; 8] {
        let mut weights = self.weights;
        for (weight, mechanism) in weights.iter_mut().zip(Mechanism::ALL) {
            if self.without.contains(&mechanism) || (mechanism == Mechanism::Mixed && self.parts().len() < 2) {
                *weight = 0.0;
            }
        }
        weights
    }

    /// What a mixed shop may mix.
    fn parts(&self) -> Vec<Mechanism> {
        let mixed = |m: &Mechanism| *m != Mechanism::Mixed && !self.without.contains(m);
        Mechanism::ALL.into_iter().filter(mixed).collect()
    }
}
