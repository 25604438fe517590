//! What a purchase is worth: differences between customers, within a customer, and over time.
//!
//! The families: Gamma-Gamma (Colombo & Jiang 1999), lognormal between and within, Pareto tails, a few price points,
//! and prices that are nearly fixed (subscriptions). Around them: bulk buyers, spend that goes with the rate, inflation,
//! a first purchase unlike the others, habits that persist or drift, goods that come back.

use rand::{Rng, RngExt};

use super::draw::{chance, gamma, log_uniform, normal, uniform};

const YEAR_DAYS: f64 = 365.25;
/// Customers' means stay within these factors of the shop's scale: a heavy tail, but a number.
const MEAN_RANGE: (f64, f64) = (1e-3, 1e4);

/// Hyper-parameters of spend in a shop.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Spending {
    /// About the mean over customers, in currency units.
    scale: f64,
    family: Family,
    bulk: Option<Bulk>,
    /// Exponent with which faster customers spend more per purchase.
    by_rate: f64,
    /// Exponent with which the pace of the shop moves spend.
    by_pace: f64,
    /// Growth of prices per year, in the logarithm.
    inflation: f64,
    /// Factor of a first purchase.
    first: f64,
    /// Deviation over customers of the exponent in (1 + purchases so far)^exponent.
    drift: f64,
    /// A deviation in the logarithm that persists from purchase to purchase.
    habit: Option<Habit>,
    /// Probability that something comes back.
    returns: f64,
    rounding: Option<f64>,
}

#[derive(Debug, Clone, PartialEq)]
enum Family {
    /// Gamma with shape `p` within, inverse Gamma with shape `q` between.
    GammaGamma {
        p: f64,
        q: f64,
    },
    LogNormal {
        between: f64,
        within: f64,
    },
    /// Lognormal between; Pareto with this exponent within.
    Pareto {
        between: f64,
        exponent: f64,
    },
    /// Relative prices; a customer has a favourite and takes it with probability `loyal`, in pieces.
    PricePoints {
        prices: Vec<f64>,
        loyal: f64,
        more: f64,
    },
}

/// A few customers who buy for a business.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Bulk {
    share: f64,
    spend: f64,
    rate: f64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Habit {
    persistence: f64,
    sd: f64,
}

/// What one customer spends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Purse {
    /// True mean spend per purchase at the prices of day 0, first purchases and drift apart.
    pub(super) mean: f64,
    favourite: usize,
    exponent: f64,
    habit: f64,
}

/// What is known of a purchase beside the customer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) day: f64,
    pub(super) log_pace: f64,
    /// Purchases before it, those before the log too.
    pub(super) nth: usize,
}

impl Spending {
    /// A Gamma-Gamma shop and nothing else.
    pub(super) fn plain(rng: &mut impl Rng) -> Spending {
        Spending {
            scale: log_uniform(1.0, 10_000.0, rng),
            family: Family::GammaGamma { p: log_uniform(0.5, 20.0, rng), q: log_uniform(2.0, 12.0, rng) },
            bulk: None,
            by_rate: 0.0,
            by_pace: 0.0,
            inflation: 0.0,
            first: 1.0,
            drift: 0.0,
            habit: None,
            returns: 0.0,
            rounding: None,
        }
    }

    /// `subscriptions` have prices that are nearly fixed, more often than not.
    pub(super) fn draw(subscriptions: bool, rng: &mut impl Rng) -> Spending {
        let some = |p: f64, none: f64, value: f64, rng: &mut _| if chance(p, rng) { value } else { none };
        let bulk = Bulk {
            share: log_uniform(0.003, 0.05, rng),
            spend: log_uniform(5.0, 100.0, rng),
            rate: log_uniform(0.3, 8.0, rng),
        };
        let habit = Habit { persistence: uniform(0.2, 0.95, rng), sd: log_uniform(0.1, 0.5, rng) };
        let by_rate = (0.25 * normal(rng)).clamp(-0.6, 0.6);
        let (by_pace, inflation) = (uniform(-0.2, 0.4, rng), 0.02 + 0.04 * normal(rng));
        let (first, drift, returns) =
            (log_uniform(0.5, 2.0, rng), log_uniform(0.03, 0.2, rng), uniform(0.01, 0.3, rng));
        Spending {
            scale: log_uniform(1.0, 10_000.0, rng),
            family: Family::draw(subscriptions && chance(0.65, rng), rng),
            bulk: chance(0.12, rng).then_some(bulk),
            by_rate: some(0.55, 0.0, by_rate, rng),
            by_pace: some(0.4, 0.0, by_pace, rng),
            inflation: some(0.5, 0.0, inflation, rng),
            first: some(0.3, 1.0, first, rng),
            drift: some(0.25, 0.0, drift, rng),
            habit: chance(0.25, rng).then_some(habit),
            returns: some(0.2, 0.0, returns, rng),
            rounding: chance(0.5, rng).then(|| if chance(0.3, rng) { 1.0 } else { 0.01 }),
        }
    }

    /// Draws what a customer spends who buys at `relative` times the mean rate, and the factor of her rate.
    pub(super) fn purse(&self, relative: f64, rng: &mut impl Rng) -> (Purse, f64) {
        let (between, favourite) = self.family.between(rng);
        let mut factor = between * relative.clamp(1e-3, 1e3).powf(self.by_rate);
        let mut rate = 1.0;
        if let Some(bulk) = self.bulk.filter(|b| chance(b.share, rng)) {
            factor *= bulk.spend;
            rate = bulk.rate;
        }
        let exponent = if self.drift > 0.0 { self.drift * normal(rng) } else { 0.0 };
        let habit = self.habit.map_or(0.0, |h| h.sd * normal(rng));
        // what comes back is half of the purchase on average
        let kept = 1.0 - 0.5 * self.returns;
        let mean = self.scale * factor.clamp(MEAN_RANGE.0, MEAN_RANGE.1) * kept;
        (Purse { mean, favourite, exponent, habit }, rate)
    }

    /// Draws what a purchase is worth, above 0.
    pub(super) fn purchase(&self, purse: &mut Purse, moment: Moment, rng: &mut impl Rng) -> f64 {
        let mut spend = purse.mean / (1.0 - 0.5 * self.returns) * self.family.within(purse.favourite, rng);
        let mut log = self.by_pace * moment.log_pace + self.inflation * moment.day / YEAR_DAYS;
        if purse.exponent != 0.0 {
            log += purse.exponent * (1.0 + moment.nth as f64).ln();
        }
        if let Some(habit) = self.habit {
            // stationary with this deviation; half its square keeps the mean
            let fresh = (1.0 - habit.persistence * habit.persistence).sqrt();
            log += purse.habit - 0.5 * habit.sd * habit.sd;
            purse.habit = habit.persistence * purse.habit + fresh * habit.sd * normal(rng);
        }
        if log != 0.0 {
            spend *= log.clamp(-3.0, 3.0).exp();
        }
        if moment.nth == 0 {
            spend *= self.first;
        }
        if self.returns > 0.0 && chance(self.returns, rng) {
            spend *= uniform(0.02, 0.98, rng);
        }
        if let Some(unit) = self.rounding {
            spend = (spend / unit).round().max(1.0) * unit;
        }
        spend.max(1e-4)
    }
}

impl Family {
    fn draw(fixed: bool, rng: &mut impl Rng) -> Family {
        if fixed {
            return Family::LogNormal { between: log_uniform(0.05, 0.8, rng), within: log_uniform(0.002, 0.1, rng) };
        }
        match super::draw::pick(&[0.35, 0.35, 0.12, 0.18], rng) {
            0 => Family::GammaGamma { p: log_uniform(0.5, 20.0, rng), q: log_uniform(1.3, 12.0, rng) },
            1 => Family::LogNormal { between: log_uniform(0.1, 1.5, rng), within: log_uniform(0.05, 1.2, rng) },
            2 => Family::Pareto { between: log_uniform(0.1, 1.0, rng), exponent: uniform(1.3, 4.0, rng) },
            _ => {
                let spread = log_uniform(0.3, 1.2, rng);
                let prices = (0..rng.random_range(2..=10)).map(|_| (spread * normal(rng)).exp()).collect();
                Family::PricePoints { prices, loyal: uniform(0.2, 0.98, rng), more: uniform(0.0, 0.5, rng) }
            }
        }
    }

    /// A customer's mean relative to the scale, and her favourite price.
    fn between(&self, rng: &mut impl Rng) -> (f64, usize) {
        match self {
            Family::GammaGamma { q, .. } => ((q - 1.0) / gamma(*q, rng).max(f64::MIN_POSITIVE), 0),
            Family::LogNormal { between, .. } | Family::Pareto { between, .. } => {
                ((between * normal(rng) - 0.5 * between * between).exp(), 0)
            }
            Family::PricePoints { prices, loyal, more } => {
                let favourite = rng.random_range(0..prices.len());
                let any = prices.iter().sum::<f64>() / prices.len() as f64;
                ((loyal * prices[favourite] + (1.0 - loyal) * any) / (1.0 - more), favourite)
            }
        }
    }

    /// A purchase relative to the customer's mean; 1 on average.
    fn within(&self, favourite: usize, rng: &mut impl Rng) -> f64 {
        match self {
            Family::GammaGamma { p, .. } => gamma(*p, rng) / p,
            Family::LogNormal { within, .. } => (within * normal(rng) - 0.5 * within * within).exp(),
            Family::Pareto { exponent, .. } => {
                let most = 1e3; // a tail without end has no mean that a sample could show
                (rng.random::<f64>().max(f64::MIN_POSITIVE).powf(-1.0 / exponent) * (exponent - 1.0) / exponent)
                    .min(most)
            }
            Family::PricePoints { prices, loyal, more } => {
                let any = prices.iter().sum::<f64>() / prices.len() as f64;
                let mean = (loyal * prices[favourite] + (1.0 - loyal) * any) / (1.0 - more);
                let loyal = chance(*loyal, rng);
                let price = prices[if loyal { favourite } else { rng.random_range(0..prices.len()) }];
                let mut pieces = 1.0;
                while *more > 0.0 && pieces < 100.0 && chance(*more, rng) {
                    pieces += 1.0;
                }
                price * pieces / mean
            }
        }
    }
}
