//! What customers look at before they buy, and when they do not buy.
//!
//! Views lie before the purchase that they lead to, closer to it more often than far from it, and mostly of the same
//! category; visits that lead to nothing come as long as she is a customer, so that silence here says that she has left.

use guike_core::{EventKind, Events, SECONDS_PER_DAY};
use rand::{Rng, RngExt};
use rand_distr::{Distribution, Exp1, Poisson};
use serde::{Deserialize, Serialize};

use crate::error::{SimError, positive, share};
use crate::shop::{Row, Shop, Truth};

/// What customers look at. It draws from a stream of its own: purchases are the same with it and without.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Browsing {
    /// Mean product views before a purchase (Poisson); 0 for a log without views.
    pub views: f64,
    /// Mean days from a view to the purchase it leads to (exponential).
    pub lead_days: f64,
    /// Share of purchases of which an item was put into the cart before.
    pub carts: f64,
    /// Visits without a purchase, per purchase; each is a view or more, and some end with a cart that is left behind.
    pub idle: f64,
}

impl Default for Browsing {
    /// No views; where there are any, they begin two days before the purchase on average.
    fn default() -> Browsing {
        Browsing { views: 0.0, lead_days: 2.0, carts: 0.0, idle: 0.0 }
    }
}

impl Browsing {
    pub(crate) fn validate(&self) -> Result<(), SimError> {
        positive("browsing.lead_days", self.lead_days)?;
        share("browsing.carts", self.carts)?;
        for (name, value) in [("browsing.views", self.views), ("browsing.idle", self.idle)] {
            if !(0.0..=1000.0).contains(&value) {
                return Err(SimError { name, value, rule: "between 0 and 1000" });
            }
        }
        Ok(())
    }
}

/// Mean seconds between the views of one visit.
const VIEW_SECONDS: f64 = 90.0;
/// Share of views that are of the item's own category.
const SAME_CATEGORY: f64 = 0.8;
/// Share of idle visits that leave something in the cart.
const LEFT_IN_CART: f64 = 0.15;

impl Shop {
    /// Adds the last customer's views and carts to her rows.
    pub(crate) fn browse(&self, rng: &mut impl Rng, rows: &mut Vec<Row>, truth: &Truth) {
        let n_bought = rows.len();
        let mut order = None;
        for i in 0..n_bought {
            let bought = rows[i];
            // the first row of an order leads the others
            if bought.kind != EventKind::Purchase || order == Some(bought.order) {
                continue;
            }
            order = Some(bought.order);
            let views: f64 = Poisson::new(self.browsing.views).expect("validated").sample(rng);
            for _ in 0..views as u32 {
                let days: f64 = Exp1.sample(rng);
                let second = bought.second - 1 - (days * self.browsing.lead_days * SECONDS_PER_DAY as f64) as i64;
                self.look(EventKind::View, second, bought.category, rng, rows);
            }
            if rng.random::<f64>() < self.browsing.carts {
                let wait: f64 = Exp1.sample(rng);
                let second = bought.second - 1 - (wait * 10.0 * VIEW_SECONDS) as i64;
                let cart = Row { kind: EventKind::Cart, second, micros: 0, order: Events::MISSING, ..bought };
                self.keep(cart, rows);
            }
        }
        self.idle(rows[0].category, rng, rows, truth);
    }

    /// Visits without a purchase, at the pace of the customer, from the first purchase until she leaves.
    fn idle(&self, favourite: u32, rng: &mut impl Rng, rows: &mut Vec<Row>, truth: &Truth) {
        let last = |column: &[f64]| *column.last().expect("she has been drawn");
        let rate = last(&truth.rate_per_day) * self.browsing.idle;
        let mut day = last(&truth.first_day);
        let until = last(&truth.death_day).min(f64::from(self.days));
        loop {
            let wait: f64 = Exp1.sample(rng);
            day += wait / rate;
            // without a rate she waits for ever
            if day.is_nan() || day >= until {
                return;
            }
            let mut second = self.start.start().0 + (day * SECONDS_PER_DAY as f64) as i64;
            let more: f64 = Poisson::new(self.browsing.views).expect("validated").sample(rng);
            for _ in 0..=more as u32 {
                self.look(EventKind::View, second, favourite, rng, rows);
                let pause: f64 = Exp1.sample(rng);
                second += (pause * VIEW_SECONDS) as i64;
            }
            if rng.random::<f64>() < LEFT_IN_CART {
                self.look(EventKind::Cart, second, favourite, rng, rows);
            }
        }
    }

    fn look(&self, kind: EventKind, second: i64, category: u32, rng: &mut impl Rng, rows: &mut Vec<Row>) {
        let same = rng.random::<f64>() < SAME_CATEGORY;
        let category = if same { category } else { rng.random_range(0..self.goods.categories) };
        let item = self.goods.item(category, rng);
        self.keep(Row { kind, second, micros: 0, quantity: f32::NAN, item, category, order: Events::MISSING }, rows);
    }

    /// The log holds nothing from before its first day or after its last.
    fn keep(&self, row: Row, rows: &mut Vec<Row>) {
        let first = self.start.start().0;
        if (first..first + i64::from(self.days) * SECONDS_PER_DAY).contains(&row.second) {
            rows.push(row);
        }
    }
}

#[cfg(test)]
mod tests {
    use guike_core::Seed;

    use super::*;

    fn shop(views: f64) -> Shop {
        let browsing = Browsing { views, carts: 0.5, idle: 2.0, ..Browsing::default() };
        Shop { customers: 300, browsing, ..Shop::default() }
    }

    #[test]
    fn purchases_are_the_same_with_views_and_without() {
        let purchases = |views: f64| {
            let log = shop(views).simulate(Seed(1)).expect("valid").log;
            let all = log.all();
            let bought = |&i: &usize| all.kind[i] == EventKind::Purchase as u8;
            (0..all.len()).filter(bought).map(|i| (all.time[i], all.amount[i], all.item[i])).collect::<Vec<_>>()
        };
        assert_eq!(purchases(0.0), purchases(6.0));
    }

    #[test]
    fn views_come_before_purchases_and_end_with_the_customer() {
        let simulated = shop(6.0).simulate(Seed(2)).expect("valid");
        let (mut views, mut before) = (0, 0);
        for c in 0..simulated.log.n_customers() {
            let events = simulated.log.customer(c);
            let left = simulated.truth.death_day[c];
            for i in 0..events.len() {
                if events.kind[i] == EventKind::View as u8 {
                    let day = f64::from(events.day(i) - shop(6.0).start.0);
                    assert!(day <= left, "{day} {left}");
                    views += 1;
                    let soon =
                        |j: usize| events.is_purchase(j) && events.time[j] - events.time[i] < 10 * SECONDS_PER_DAY;
                    before += u32::from((i..events.len()).any(soon));
                }
            }
        }
        assert!(before * 5 > views && views > 3_000, "{before} of {views}");
        assert!(shop(-1.0).simulate(Seed(1)).is_err());
    }
}
