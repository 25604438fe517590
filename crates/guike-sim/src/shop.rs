//! A whole shop: customers arrive, buy, give back and leave; what they did and who they are.

use std::f64::consts::TAU;
use std::ops::Range;

use guike_core::{Day, EventKind, EventLog, EventLogBuilder, Money, SECONDS_PER_DAY, Seed};
use rand::Rng;
use rand::RngExt;
use rand_distr::{Distribution, Exp1, Poisson};
use serde::{Deserialize, Serialize};

use crate::browsing::Browsing;
use crate::buying::Buying;
use crate::error::{SimError, positive, share};
use crate::spend::GammaGamma;

const YEAR_DAYS: f64 = 365.25;

/// When customers arrive.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Acquisition {
    /// Arrivals fall within the first so many days (at most the shop's days).
    pub days: u32,
    /// Rate of arrival at the end over that at the beginning: 1 is steady, 3 is a growing shop.
    pub growth: f64,
}

/// A yearly wave in the pace of buying: `1 + strength × cos` around its peak.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Season {
    /// 0 (none) to below 1.
    pub strength: f64,
    /// Days from the shop's first day to a peak.
    pub peak_day: f64,
}

impl Season {
    /// Time at the shop's pace that has passed by calendar day `day`.
    fn pace(&self, day: f64) -> f64 {
        day + self.strength * YEAR_DAYS / TAU * (TAU * (day - self.peak_day) / YEAR_DAYS).sin()
    }

    /// The calendar day by which `pace` has passed: the inverse, by bisection (the pace rises strictly).
    fn day(&self, pace: f64) -> f64 {
        if self.strength == 0.0 {
            return pace;
        }
        let reach = self.strength * YEAR_DAYS / TAU;
        let (mut low, mut high) = (pace - reach, pace + reach);
        // 60 halvings of half a year end below a nanosecond
        for _ in 0..60 {
            let middle = 0.5 * (low + high);
            if self.pace(middle) < pace { low = middle } else { high = middle }
        }
        0.5 * (low + high)
    }
}

/// Money given back.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Refunds {
    /// Share of purchase rows that come back.
    pub rate: f64,
    /// Mean days until they do (exponential).
    pub lag_days: f64,
}

impl Default for Refunds {
    fn default() -> Refunds {
        Refunds { rate: 0.0, lag_days: 7.0 }
    }
}

/// What can be bought.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Goods {
    /// Number of categories.
    pub categories: u32,
    /// Items per category; low numbers sell best.
    pub items_per_category: u32,
    /// Share of rows that are in the customer's favourite category.
    pub loyalty: f64,
    /// Mean rows of one purchase, at least 1; rows beyond the first are Poisson.
    pub rows_mean: f64,
}

impl Default for Goods {
    fn default() -> Goods {
        Goods { categories: 12, items_per_category: 80, loyalty: 0.4, rows_mean: 2.0 }
    }
}

/// A shop to simulate. The default is small, steady and without season or refunds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Shop {
    /// Customers who ever arrive.
    pub customers: u32,
    /// First day of the log.
    pub start: Day,
    /// Length of the log in days.
    pub days: u32,
    /// How they buy and leave.
    pub buying: Buying,
    /// What a purchase is worth.
    pub spend: GammaGamma,
    /// When they arrive.
    pub acquisition: Acquisition,
    /// The yearly wave.
    pub season: Season,
    /// What comes back.
    pub refunds: Refunds,
    /// What can be bought.
    pub goods: Goods,
    /// What is looked at.
    pub browsing: Browsing,
}

impl Default for Acquisition {
    fn default() -> Acquisition {
        Acquisition { days: 90, growth: 1.0 }
    }
}

impl Default for Shop {
    /// 1,000 customers who arrive within 90 days of 2023-01-01 and are followed for two years.
    fn default() -> Shop {
        Shop {
            customers: 1000,
            start: Day(19_358),
            days: 730,
            buying: Buying::default(),
            spend: GammaGamma::default(),
            acquisition: Acquisition::default(),
            season: Season::default(),
            refunds: Refunds::default(),
            goods: Goods::default(),
            browsing: Browsing::default(),
        }
    }
}

impl Goods {
    /// One item of this category.
    pub(crate) fn item(&self, category: u32, rng: &mut impl Rng) -> u32 {
        // the square of a uniform: a tenth of the items makes a third of the sales
        let popular = rng.random::<f64>().powi(2) * f64::from(self.items_per_category);
        category * self.items_per_category + popular as u32
    }
}

/// Who the customers are, in the order of the log. Days count from the shop's first day, fractions included.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Truth {
    /// Day of the first purchase.
    pub first_day: Vec<f64>,
    /// Purchases per day while alive, without the season.
    pub rate_per_day: Vec<f64>,
    /// Rate of leaving per day (Pareto/NBD), else 0.
    pub death_rate_per_day: Vec<f64>,
    /// Probability of leaving at a purchase (BG/NBD, MBG/NBD), else 0.
    pub drop_out: Vec<f64>,
    /// Day of leaving; infinite for those who outlive the log.
    pub death_day: Vec<f64>,
    /// True mean spend per purchase, in currency units.
    pub spend_mean: Vec<f64>,
}

impl Truth {
    /// Whether the customer has arrived and not left by the end of this day (0 is the shop's first).
    pub fn alive_after(&self, customer_idx: usize, day: u32) -> bool {
        let end = f64::from(day) + 1.0;
        self.first_day[customer_idx] < end && self.death_day[customer_idx] >= end
    }
}

/// What happened, and who the customers are.
#[derive(Debug, Clone)]
pub struct Simulated {
    /// The events.
    pub log: EventLog,
    /// The truth behind them.
    pub truth: Truth,
}

/// One row of the log in the making.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    pub(crate) second: i64,
    pub(crate) kind: EventKind,
    pub(crate) micros: i64,
    pub(crate) quantity: f32,
    pub(crate) item: u32,
    pub(crate) category: u32,
    pub(crate) order: u32,
}

impl Shop {
    /// Whether such a shop can be.
    ///
    /// # Errors
    /// The first parameter outside its range.
    pub fn validate(&self) -> Result<(), SimError> {
        self.buying.validate()?;
        self.spend.validate()?;
        positive("days", f64::from(self.days))?;
        positive("acquisition.days", f64::from(self.acquisition.days))?;
        positive("acquisition.growth", self.acquisition.growth)?;
        positive("refunds.lag_days", self.refunds.lag_days)?;
        share("refunds.rate", self.refunds.rate)?;
        share("goods.loyalty", self.goods.loyalty)?;
        positive("goods.categories", f64::from(self.goods.categories))?;
        positive("goods.items_per_category", f64::from(self.goods.items_per_category))?;
        let (strength, rows) = (self.season.strength, self.goods.rows_mean);
        if !((0.0..1.0).contains(&strength) && self.season.peak_day.is_finite()) {
            return Err(SimError { name: "season.strength", value: strength, rule: "at least 0 and below 1" });
        }
        self.browsing.validate()?;
        if !(1.0..=1000.0).contains(&rows) {
            return Err(SimError { name: "goods.rows_mean", value: rows, rule: "between 1 and 1000" });
        }
        Ok(())
    }

    /// Lets the shop run.
    ///
    /// # Errors
    /// The first parameter outside its range.
    ///
    /// # Example
    /// ```
    /// use guike_core::Seed;
    /// use guike_sim::Shop;
    /// let shop = Shop { customers: 50, ..Shop::default() };
    /// let simulated = shop.simulate(Seed(1)).unwrap();
    /// assert_eq!(simulated.log.n_customers(), 50);
    /// assert_eq!(simulated.truth.rate_per_day.len(), 50);
    /// assert!(Shop { days: 0, ..shop }.simulate(Seed(1)).is_err());
    /// ```
    pub fn simulate(&self, seed: Seed) -> Result<Simulated, SimError> {
        self.part(seed, 0..self.customers)
    }

    /// Lets some of its customers buy, so that a large shop need not be in memory at once. Orders count from 0.
    ///
    /// # Errors
    /// The first parameter outside its range.
    ///
    /// # Example
    /// ```
    /// use guike_core::Seed;
    /// use guike_sim::Shop;
    /// let shop = Shop { customers: 50, ..Shop::default() };
    /// let (whole, part) = (shop.simulate(Seed(1)).unwrap(), shop.part(Seed(1), 40..50).unwrap());
    /// assert_eq!(whole.log.customer(45).time, part.log.customer(5).time);
    /// ```
    pub fn part(&self, seed: Seed, customers: Range<u32>) -> Result<Simulated, SimError> {
        self.validate()?;
        let seed = seed.derive("shop");
        let categories = self.goods.categories;
        let items = (0..categories).flat_map(|c| (0..self.goods.items_per_category).map(move |i| (c, i)));
        let mut log = EventLogBuilder {
            offsets: vec![0],
            items: items.map(|(c, i)| format!("item {:02}-{:03}", c + 1, i + 1)).collect(),
            categories: (0..categories).map(|c| format!("category {:02}", c + 1)).collect(),
            ..EventLogBuilder::default()
        };
        let mut truth = Truth::default();
        let mut order = 0;
        let mut rows = Vec::new();
        for i in customers {
            rows.clear();
            let seed = seed.at(u64::from(i));
            self.customer(&mut seed.rng(), &mut order, &mut rows, &mut truth);
            if self.browsing.views > 0.0 {
                self.browse(&mut seed.derive("browse").rng(), &mut rows, &truth);
            }
            rows.sort_by_key(|r| r.second);
            log.customer_ids.push(format!("{:07}", i + 1));
            for r in &rows {
                log.time.push(r.second);
                log.kind.push(r.kind as u8);
                log.amount.push(r.micros);
                log.quantity.push(r.quantity);
                log.item.push(r.item);
                log.category.push(r.category);
                log.order.push(r.order);
            }
            log.offsets.push(log.time.len() as u64);
        }
        Ok(Simulated { log: log.build(), truth })
    }

    /// One customer's rows and truth.
    fn customer(&self, rng: &mut impl Rng, order: &mut u32, rows: &mut Vec<Row>, truth: &mut Truth) {
        let first = self.arrival(rng.random());
        let buyer = self.buying.draw(rng);
        let mean = self.spend.draw_mean(rng);
        let favourite = rng.random_range(0..self.goods.categories);
        let mut days = vec![first];
        let start_pace = self.season.pace(first);
        let at = |pace: f64| self.season.day(start_pace + pace) - first;
        let left = f64::from(self.days) - first;
        let death = buyer.live(left, at, rng, |day| days.push(first + day));
        for day in days {
            self.purchase(day, mean, favourite, *order, rng, rows);
            *order += 1;
        }
        truth.first_day.push(first);
        truth.rate_per_day.push(buyer.rate_per_day);
        truth.death_rate_per_day.push(buyer.death_rate_per_day);
        truth.drop_out.push(buyer.drop_out);
        truth.death_day.push(first + death);
        truth.spend_mean.push(mean);
    }

    /// The day of arrival at this quantile: the density rises linearly to `growth` times its beginning.
    fn arrival(&self, quantile: f64) -> f64 {
        let slope = self.acquisition.growth - 1.0;
        // (u + slope u²/2) / (1 + slope/2) = quantile, solved in the form that holds for slope 0 too
        let c = quantile * (1.0 + slope / 2.0);
        let u = 2.0 * c / (1.0 + (1.0 + 2.0 * slope * c).sqrt());
        u * f64::from(self.acquisition.days.min(self.days))
    }

    /// The rows of one purchase, and what of them comes back.
    fn purchase(&self, day: f64, mean: f64, favourite: u32, order: u32, rng: &mut impl Rng, rows: &mut Vec<Row>) {
        let second = |day: f64| {
            let last = i64::from(self.days) * SECONDS_PER_DAY - 1;
            self.start.start().0 + ((day * SECONDS_PER_DAY as f64) as i64).min(last)
        };
        let more: f64 = if self.goods.rows_mean > 1.0 {
            Poisson::new(self.goods.rows_mean - 1.0).expect("validated").sample(rng)
        } else {
            0.0
        };
        let n = more as u32 + 1;
        let spend = self.spend.draw_total(mean, 1, rng).min(1e9);
        // at least a cent per row, so that every purchase is one
        let cents = ((spend * 100.0).round() as i64).max(i64::from(n));
        let cent = Money::PER_UNIT / 100;
        for k in 0..i64::from(n) {
            // whole cents that add up to the spend
            let micros = (cents * (k + 1) / i64::from(n) - cents * k / i64::from(n)) * cent;
            let loyal = rng.random::<f64>() < self.goods.loyalty;
            let category = if loyal { favourite } else { rng.random_range(0..self.goods.categories) };
            let item = self.goods.item(category, rng);
            let quantity = 1.0 + (rng.random::<f64>().powi(3) * 4.0).floor() as f32;
            rows.push(Row { second: second(day), kind: EventKind::Purchase, micros, quantity, item, category, order });
            if rng.random::<f64>() < self.refunds.rate {
                let wait: f64 = Exp1.sample(rng);
                let back = day + wait * self.refunds.lag_days;
                if back < f64::from(self.days) {
                    let (kind, micros, quantity) = (EventKind::Refund, -micros, -quantity);
                    rows.push(Row { second: second(back), kind, micros, quantity, item, category, order });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_calendar_day_is_the_inverse_of_the_pace() {
        let season = Season { strength: 0.9, peak_day: 340.0 };
        for day in (0..2000).map(f64::from) {
            assert!((season.day(season.pace(day)) - day).abs() < 1e-9);
        }
    }

    #[test]
    fn arrivals_follow_the_ramp() {
        let shop = Shop { acquisition: Acquisition { days: 100, growth: 3.0 }, ..Shop::default() };
        assert_eq!((shop.arrival(0.0), shop.arrival(1.0)), (0.0, 100.0));
        // a quarter and an eighth of the time of rising density: (u + u²) / 2 of the customers
        for u in [0.125, 0.25, 0.5] {
            assert!((shop.arrival((u + u * u) / 2.0) - 100.0 * u).abs() < 1e-9);
        }
        let steady = Shop { acquisition: Acquisition { days: 100, growth: 1.0 }, ..Shop::default() };
        assert!((steady.arrival(0.3) - 30.0).abs() < 1e-12);
    }
}
