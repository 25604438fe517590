//! One shop: its span, calendar, arrivals, populations and spend, then customer after customer.

use std::ops::Range;

use guike_core::{Day, Seed};
use rand::{Rng, RngExt};

use super::arrival::Arrivals;
use super::calendar::{Calendar, Span};
use super::draw::{chance, log_uniform, normal, pick, uniform};
use super::population::{Person, Population};
use super::renewal::Gaps;
use super::spend::{Moment, Spending};
use super::timing::{Live, Timing};
use super::{Mechanism, Prior};

const YEAR_DAYS: f64 = 365.25;

/// One simulated shop, purchase days only, in columns with one contiguous run per customer.
///
/// Customers have at least one purchase in the log. Where the shop is older than its log, purchases before it are cut
/// away, and a customer's first day here need not be her first.
#[derive(Debug, Clone, PartialEq)]
pub struct PriorShop {
    /// How customers space their purchases and leave.
    pub mechanism: Mechanism,
    /// Length of the log in days; day 0 is its first.
    pub days: u32,
    /// Days from new year to day 0 (0–365).
    pub start_day_of_year: u16,
    /// Date of day 0.
    pub start: Day,
    /// Where each customer's days begin, and the number of days at the end.
    pub offsets: Vec<u32>,
    /// Days with a purchase, strictly ascending per customer, from 0 to below `days`.
    pub day: Vec<i32>,
    /// What was spent that day, above 0, in currency units.
    pub spend: Vec<f32>,
    /// Day of leaving for good (a fraction counts); infinite for those who outlive the log.
    pub death_day: Vec<f64>,
    /// True mean spend per purchase, at the prices of day 0, without season, habit and first-purchase effects.
    pub spend_mean: Vec<f64>,
    /// Purchases per day while she is a customer, at the mean pace of the log.
    pub rate_per_day: Vec<f64>,
    calendar: Calendar,
    people: Vec<(Person, f64)>,
}

impl PriorShop {
    /// Number of customers.
    pub fn n_customers(&self) -> usize {
        self.offsets.len() - 1
    }

    /// A customer's purchase days and what she spent on each.
    pub fn customer(&self, customer_idx: usize) -> (&[i32], &[f32]) {
        let run = self.offsets[customer_idx] as usize..self.offsets[customer_idx + 1] as usize;
        (&self.day[run.clone()], &self.spend[run])
    }

    /// Whether a customer has not left by the end of this day. Whether she has been seen yet is another question.
    pub fn alive_after(&self, customer_idx: usize, day: i32) -> bool {
        self.death_day[customer_idx] >= f64::from(day) + 1.0
    }

    /// Expected number of purchase days in the `horizon` days after the day `cutoff`, given the true parameters and
    /// whether she is alive then; `None` where that has no closed form (any timing but random gaps) or the horizon
    /// reaches beyond the log.
    ///
    /// A Poisson process that is left at a rate μ, or after each purchase with probability p (a thinning: as if left at
    /// the rate p·λ), makes each day a competition of exponentials.
    ///
    /// # Panics
    /// For a customer who has not arrived by then.
    pub fn expected_days(&self, customer_idx: usize, cutoff: i32, horizon: u32) -> Option<f64> {
        let (person, arrival) = self.people[customer_idx];
        assert!(arrival < f64::from(cutoff) + 1.0, "customer {customer_idx} arrives after day {cutoff}");
        let last = cutoff + horizon as i32;
        if person.timing != Timing::Renewal(Gaps::Exponential) || last >= self.days as i32 {
            return None;
        }
        if !self.alive_after(customer_idx, cutoff) {
            return Some(0.0);
        }
        let clock = &self.calendar.clocks[usize::from(person.keen)];
        let start = clock.pace(arrival);
        let felt = |day: i32| {
            let t = clock.pace(f64::from(day)) - start;
            person.rate * person.felt(t)
        };
        let (mut expected, mut alive) = (0.0, 1.0);
        let mut before = felt(cutoff + 1);
        for day in cutoff + 1..=last {
            let after = felt(day + 1);
            let rate = after - before;
            before = after;
            let all = rate + person.death_rate;
            if rate > 0.0 {
                // buys before she leaves
                expected += alive * rate / all * -(-all).exp_m1();
            }
            alive *= (-person.death_rate - person.drop_out * rate).exp();
        }
        Some(expected)
    }
}

/// What makes a shop.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Setup {
    pub(super) mechanism: Mechanism,
    pub(super) span: Span,
    pub(super) calendar: Calendar,
    pub(super) arrivals: Arrivals,
    /// Populations with their shares.
    pub(super) populations: Vec<(Population, f64)>,
    pub(super) spending: Spending,
    /// Change of the logarithm of the rates of buying and of leaving per year of arrival.
    pub(super) cohort_drift: (f64, f64),
    /// Share of customers whom promotions and holidays move more.
    pub(super) keen: f64,
}

/// Draws these customers of the shop of this seed.
pub(super) fn draw(prior: &Prior, seed: Seed, customers: Range<u32>) -> PriorShop {
    let seed = seed.derive("prior");
    Setup::draw(prior, &mut seed.derive("setup").rng()).run(customers, seed.derive("customers"))
}

impl Setup {
    pub(super) fn draw(prior: &Prior, rng: &mut impl Rng) -> Setup {
        let mechanism = Mechanism::ALL[pick(&prior.weights_left(), rng)];
        let days = span_days(prior.days, rng);
        let drawn = Day::from_ymd(2000, 1, 1).expect("a day").plus(rng.random_range(0..25 * 365));
        let start = prior.start.unwrap_or(drawn);
        let (before, arrivals) = if prior.plain {
            let span = Span { before: 0, days, start };
            (0, Arrivals::plain(span, rng))
        } else {
            Arrivals::draw(days, rng)
        };
        let span = Span { before, days, start };
        // what belongs to the calendar must not shift with what a mechanism draws
        let calendar = if prior.plain { Calendar::flat(span) } else { Calendar::draw(span, rng) };
        let spending =
            if prior.plain { Spending::plain(rng) } else { Spending::draw(mechanism == Mechanism::Contractual, rng) };
        let mut varied = |p: f64, sd: f64| if !prior.plain && chance(p, rng) { sd * normal(rng) } else { 0.0 };
        let cohort_drift = (varied(0.35, 0.3), varied(0.35, 0.3));
        let keen = if prior.plain { 0.0 } else { rng.random() };
        let mut parts = vec![mechanism];
        if mechanism == Mechanism::Mixed {
            parts = prior.parts();
            let n = rng.random_range(2..=3).min(parts.len());
            for i in 0..n {
                let other = rng.random_range(i..parts.len());
                parts.swap(i, other);
            }
            parts.truncate(n);
        }
        let populations = parts.into_iter().map(|part| {
            let population = Population::draw(part, span, prior.plain, rng);
            (population, uniform(0.1, 1.0, rng))
        });
        let populations = populations.collect();
        Setup { mechanism, span, calendar, arrivals, populations, spending, cohort_drift, keen }
    }

    pub(super) fn run(self, customers: Range<u32>, seed: Seed) -> PriorShop {
        let n = customers.len();
        let mut shop = PriorShop {
            mechanism: self.mechanism,
            days: self.span.days,
            start_day_of_year: self.span.start_day_of_year(),
            start: self.span.start,
            offsets: Vec::with_capacity(n + 1),
            day: Vec::new(),
            spend: Vec::new(),
            death_day: Vec::with_capacity(n),
            spend_mean: Vec::with_capacity(n),
            rate_per_day: Vec::with_capacity(n),
            calendar: Calendar::flat(Span { before: 0, days: 1, start: self.span.start }),
            people: Vec::with_capacity(n),
        };
        shop.offsets.push(0);
        let mut times = Vec::new();
        for i in customers {
            let mut rng = seed.at(u64::from(i)).rng();
            let clock = &self.calendar.clocks[0];
            // most who arrived long before the log left before it too; after so many the log takes a newer one
            let mut seen = (0..UNSEEN_MOST).any(|_| {
                let arrival = self.arrivals.sample(clock, &mut rng);
                self.customer(arrival, &mut shop, &mut times, &mut rng)
            });
            while !seen {
                let arrival = self.arrivals.sample_seen(clock, &mut rng);
                seen = self.customer(arrival, &mut shop, &mut times, &mut rng);
            }
        }
        shop.calendar = self.calendar;
        shop
    }

    /// Adds a customer if the log sees her.
    fn customer(&self, arrival: f64, shop: &mut PriorShop, times: &mut Vec<f64>, rng: &mut impl Rng) -> bool {
        let years = arrival / YEAR_DAYS;
        let drift = |per_year: f64| (per_year * years).clamp(-2.0, 2.0).exp();
        let of = if self.populations.len() == 1 { 0 } else { self.population(rng) };
        let population = &self.populations[of].0;
        let mut person = population.person(drift(self.cohort_drift.0), drift(self.cohort_drift.1), rng);
        person.keen = chance(self.keen, rng);
        let (mut purse, rate) = self.spending.purse(person.rate / population.rate_mean, rng);
        person.rate *= rate;
        let clock = &self.calendar.clocks[usize::from(person.keen)];
        let end = f64::from(self.span.days);
        let death = person.live(Live { clock, arrival, death: f64::INFINITY, end }, times, rng);
        if times.last().is_none_or(|&last| last < 0.0) {
            return false;
        }
        let mut last = i32::MIN;
        for (nth, &time) in times.iter().enumerate() {
            let day = time.floor() as i32;
            if day < 0 {
                continue;
            }
            let day = day.max(last).min(self.span.days as i32 - 1);
            let log_pace = f64::from(self.calendar.log_pace[day as usize]);
            let spend = self.spending.purchase(&mut purse, Moment { day: time, log_pace, nth }, rng) as f32;
            // all purchases of a day are one
            if day == last {
                *shop.spend.last_mut().expect("the day has one") += spend;
            } else {
                shop.day.push(day);
                shop.spend.push(spend);
            }
            last = day;
        }
        shop.offsets.push(shop.day.len() as u32);
        shop.death_day.push(death);
        shop.spend_mean.push(purse.mean);
        shop.rate_per_day.push(person.rate_per_day());
        shop.people.push((person, arrival));
        true
    }

    fn population(&self, rng: &mut impl Rng) -> usize {
        let sum: f64 = self.populations.iter().map(|p| p.1).sum();
        let mut at = rng.random::<f64>() * sum;
        let beyond = |(_, share): &(Population, f64)| {
            at -= share;
            at < 0.0
        };
        self.populations.iter().position(beyond).unwrap_or(self.populations.len() - 1)
    }
}

/// Customers in a row whom the log does not see before one is taken who arrives later.
const UNSEEN_MOST: u32 = 8;

/// The length of a log: mostly half a year to three years.
fn span_days((shortest, longest): (u32, u32), rng: &mut impl Rng) -> u32 {
    let (low, high) = (f64::from(shortest), f64::from(longest));
    let (usual_low, usual_high) = (180.0_f64.clamp(low, high), 1100.0_f64.clamp(low, high));
    let days = if chance(0.65, rng) { log_uniform(usual_low, usual_high, rng) } else { log_uniform(low, high, rng) };
    (days.round() as u32).clamp(shortest, longest)
}
