//! Who the customers of one mechanism are: how fast they buy, how they leave, and how that differs between them.
//!
//! The hyper-parameters of a population are drawn once per shop, a [`Person`] once per customer; the families of
//! timing beside this file say what a person then does.

use rand::Rng;

use super::calendar::Span;
use super::draw::{beta, chance, gamma, log_uniform, normal, uniform};
use super::timing::{Live, Timing};
use super::{Mechanism, bursty, contractual, dormant, renewal};

/// Hyper-parameters: how persons are drawn.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Population {
    /// Purchases per day at pace 1, on average over customers.
    pub(super) rate_mean: f64,
    /// How rates differ between customers.
    pub(super) rates: Rates,
    pub(super) leaving: Leaving,
    /// Share of customers who never come back.
    pub(super) one_time: f64,
    /// Exponent with which faster customers leave sooner (above 0) or later (below 0).
    pub(super) leaving_by_rate: f64,
    /// How purchases thin out with the time since the first.
    pub(super) fading: Option<Fading>,
    /// How a customer's own pace wanders.
    pub(super) wander: Option<Wander>,
    pub(super) timing: TimingOf,
}

/// How rates differ between customers; both have mean 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Rates {
    /// Gamma with this shape: what the negative binomial family assumes.
    Gamma { shape: f64 },
    /// Log-normal with this standard deviation of the logarithm: a heavier tail, and few who hardly ever buy.
    LogNormal { sd: f64 },
}

impl Rates {
    fn draw(plain: bool, rng: &mut impl Rng) -> Rates {
        match !plain && chance(0.3, rng) {
            true => Rates::LogNormal { sd: log_uniform(0.3, 1.8, rng) },
            false => Rates::Gamma { shape: log_uniform(0.15, 10.0, rng) },
        }
    }

    fn person(self, rng: &mut impl Rng) -> f64 {
        match self {
            Rates::Gamma { shape } => gamma(shape, rng) / shape,
            Rates::LogNormal { sd } => spread(sd, rng) * (-0.5 * sd * sd).exp(),
        }
    }
}

/// How customers leave; heterogeneity over customers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Leaving {
    Never,
    /// At any time, by a rate that is Gamma over customers with this shape and mean (per day).
    AnyTime {
        shape: f64,
        mean: f64,
    },
    /// After a purchase (`first`: the first one too), with a probability that is Beta over customers.
    AtPurchase {
        a: f64,
        b: f64,
        first: bool,
    },
}

/// The rate falls as (1 + t / scale)^(exponent − 1) with operational time t.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Fading {
    pub(super) exponent: f64,
    pub(super) scale: f64,
}

impl Fading {
    /// Time that a fading customer has felt after `t`.
    pub(super) fn felt(self, t: f64) -> f64 {
        self.scale / self.exponent * ((1.0 + t / self.scale).powf(self.exponent) - 1.0)
    }

    /// Its inverse.
    pub(super) fn time(self, felt: f64) -> f64 {
        self.scale * ((1.0 + self.exponent * felt / self.scale).powf(1.0 / self.exponent) - 1.0)
    }
}

/// A customer's own pace that wanders: its logarithm is a stationary Ornstein–Uhlenbeck process in steps, so that what she
/// did lately says more than what she did long ago.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Wander {
    /// Standard deviation of the logarithm.
    pub(super) sd: f64,
    /// Days after which the pace has forgotten all but 1/e of what it was.
    pub(super) memory: f64,
    /// Days that the steps cover; the pace of the last goes on after them.
    pub(super) days: f64,
}

/// Steps of a customer's pace: enough for a few months each in a log of some years.
const STEPS: usize = 24;

/// The pace of one customer over the time since her first purchase.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Path {
    step: f64,
    /// Time that she has felt at the beginning of each step, and at the end of the last.
    felt: [f64; STEPS + 1],
}

impl Wander {
    pub(super) fn person(&self, rng: &mut impl Rng) -> Path {
        let step = self.days / STEPS as f64;
        let keep = (-step / self.memory).exp();
        let fresh = self.sd * (1.0 - keep * keep).sqrt();
        let mut log = self.sd * normal(rng);
        let mut felt = [0.0; STEPS + 1];
        for i in 0..STEPS {
            // half the variance keeps the mean pace
            felt[i + 1] = felt[i] + step * (log - 0.5 * self.sd * self.sd).exp();
            log = keep * log + fresh * normal(rng);
        }
        Path { step, felt }
    }
}

impl Path {
    /// Time that she has felt after `t`.
    pub(super) fn felt(&self, t: f64) -> f64 {
        let i = ((t / self.step) as usize).min(STEPS - 1);
        self.felt[i] + (t / self.step - i as f64) * (self.felt[i + 1] - self.felt[i])
    }

    /// Its inverse.
    pub(super) fn time(&self, felt: f64) -> f64 {
        let i = self.felt[1..STEPS].partition_point(|&f| f <= felt);
        self.step * (i as f64 + (felt - self.felt[i]) / (self.felt[i + 1] - self.felt[i]))
    }
}

/// Hyper-parameters of a family of timing.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum TimingOf {
    Renewal(renewal::Regularity),
    Contractual(contractual::Plans),
    Dormant(dormant::Sojourns),
    Bursty(bursty::Bursts),
}

/// True parameters of one customer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Person {
    /// Purchases per day at pace 1 while she is there (and awake).
    pub(super) rate: f64,
    /// Rate of leaving per day; 0 where she leaves at purchases or never.
    pub(super) death_rate: f64,
    /// Probability of leaving after a purchase; 0 where she leaves at any time or never.
    pub(super) drop_out: f64,
    /// Leaves after the first purchase already.
    pub(super) once: bool,
    /// Moved more by promotions and holidays: which clock she follows.
    pub(super) keen: bool,
    pub(super) fading: Option<Fading>,
    pub(super) path: Option<Path>,
    pub(super) timing: Timing,
}

impl Population {
    /// Hyper-parameters for a shop of this span. `plain` leaves out what the papers do not have.
    pub(super) fn draw(mechanism: Mechanism, span: Span, plain: bool, rng: &mut impl Rng) -> Population {
        let days = f64::from(span.days);
        // from every other day to once in several years; at most so many purchases per customer, to stay cheap
        let shortest = (f64::from(span.total()) / MOST_PURCHASES).max(2.0);
        let gap_mean = log_uniform(shortest, (3.0 * days).clamp(2.0 * shortest, 1500.0_f64.max(3.0 * shortest)), rng);
        let leaving = Leaving::draw(mechanism, days, plain, rng);
        let varied = |p: f64, rng: &mut _| !plain && chance(p, rng);
        let one_time = if varied(0.3, rng) { uniform(0.05, 0.8, rng) } else { 0.0 };
        let leaving_by_rate = if varied(0.3, rng) { uniform(-0.7, 0.7, rng) } else { 0.0 };
        let fading = varied(0.2, rng)
            .then(|| Fading { exponent: uniform(0.35, 0.95, rng), scale: log_uniform(0.02, 0.5, rng) * days });
        let wander = varied(0.6, rng).then(|| Wander {
            sd: log_uniform(0.15, 1.1, rng),
            memory: log_uniform(30.0, 1000.0, rng),
            days: f64::from(span.total()),
        });
        let timing = match mechanism {
            Mechanism::Regular => TimingOf::Renewal(renewal::Regularity::draw(rng)),
            Mechanism::Contractual => TimingOf::Contractual(contractual::Plans::draw(days, plain, rng)),
            Mechanism::Dormant => TimingOf::Dormant(dormant::Sojourns::draw(days, rng)),
            Mechanism::Bursty => TimingOf::Bursty(bursty::Bursts::draw(rng)),
            _ => TimingOf::Renewal(renewal::Regularity::Poisson),
        };
        let rates = Rates::draw(plain, rng);
        Population { rate_mean: 1.0 / gap_mean, rates, leaving, one_time, leaving_by_rate, fading, wander, timing }
    }

    /// Draws a customer; `faster` and `looser` are what her cohort changes in the rates of buying and leaving.
    pub(super) fn person(&self, faster: f64, looser: f64, rng: &mut impl Rng) -> Person {
        let relative = self.rates.person(rng);
        let mut person = Person {
            rate: (relative * self.rate_mean * faster).min(MOST_PER_DAY),
            death_rate: 0.0,
            drop_out: 0.0,
            once: self.one_time > 0.0 && chance(self.one_time, rng),
            keen: false,
            fading: self.fading,
            path: self.wander.map(|w| w.person(rng)),
            timing: self.timing.person(rng),
        };
        let looser = looser * relative.clamp(1e-3, 1e3).powf(self.leaving_by_rate);
        match self.leaving {
            Leaving::Never => {}
            Leaving::AnyTime { shape, mean } => person.death_rate = gamma(shape, rng) / shape * mean * looser,
            Leaving::AtPurchase { a, b, first } => {
                person.drop_out = (beta(a, b, rng) * looser).min(1.0);
                person.once |= first && chance(person.drop_out, rng);
            }
        }
        person
    }
}

/// Most purchases of a customer with the mean rate over the whole span, so that a shop stays cheap.
const MOST_PURCHASES: f64 = 250.0;
/// Most purchases of anybody per day.
const MOST_PER_DAY: f64 = 3.0;

impl Leaving {
    fn draw(mechanism: Mechanism, days: f64, plain: bool, rng: &mut impl Rng) -> Leaving {
        let at_purchase = |first: bool, rng: &mut _| {
            let (mean, alike) = (log_uniform(0.01, 0.6, rng), log_uniform(0.5, 20.0, rng));
            // below a twentieth a Beta is a coin for all that can be seen
            Leaving::AtPurchase { a: (mean * alike).max(0.05), b: ((1.0 - mean) * alike).max(0.05), first }
        };
        match mechanism {
            Mechanism::BgNbd => at_purchase(false, rng),
            Mechanism::MbgNbd => at_purchase(true, rng),
            // their own way of leaving is the renewal that does not come
            Mechanism::Contractual => Leaving::Never,
            Mechanism::Regular | Mechanism::Bursty if chance(0.3, rng) => at_purchase(chance(0.5, rng), rng),
            _ if !plain && chance(0.08, rng) => Leaving::Never,
            _ => {
                let mean = 1.0 / (days * log_uniform(0.1, 20.0, rng)).max(7.0);
                Leaving::AnyTime { shape: log_uniform(0.2, 5.0, rng), mean }
            }
        }
    }
}

impl TimingOf {
    fn person(&self, rng: &mut impl Rng) -> Timing {
        match self {
            TimingOf::Renewal(of) => Timing::Renewal(of.person(rng)),
            TimingOf::Contractual(of) => Timing::Contractual(of.person(rng)),
            TimingOf::Dormant(of) => Timing::Dormant(of.person(rng)),
            TimingOf::Bursty(of) => Timing::Bursty(of.person(rng)),
        }
    }
}

impl Person {
    /// Lives from her arrival to the end of the clock, puts the moment of every purchase (the first one too) into
    /// `times`, ascending, and gives the moment of leaving: infinite if it lies beyond the end.
    pub(super) fn live(&self, live: Live<'_>, times: &mut Vec<f64>, rng: &mut impl Rng) -> f64 {
        times.clear();
        times.push(live.arrival);
        if self.once {
            return live.arrival;
        }
        let wait = if self.death_rate > 0.0 { super::draw::exp1(rng) / self.death_rate } else { f64::INFINITY };
        let live = Live { death: live.arrival + wait, ..live };
        let death = match self.timing {
            Timing::Renewal(gaps) => gaps.live(self, live, times, rng),
            Timing::Contractual(contract) => contract.live(self, live, times, rng),
            Timing::Dormant(sojourns) => sojourns.live(self, live, times, rng),
            Timing::Bursty(burst) => burst.live(self, live, times, rng),
        };
        if death < live.end { death } else { f64::INFINITY }
    }

    /// Purchases per day at pace 1, on average over sleeping and waking, renewals and bursts.
    pub(super) fn rate_per_day(&self) -> f64 {
        match self.timing {
            Timing::Renewal(_) => self.rate,
            Timing::Contractual(contract) => contract.rate_per_day(self.rate),
            Timing::Dormant(sojourns) => self.rate * sojourns.awake(),
            // a burst redistributes purchases: the background is lower by as much
            Timing::Bursty(_) => self.rate,
        }
    }

    /// Time that she has felt, in which her rate is steady, after `t` of the shop's time since her first purchase.
    pub(super) fn felt(&self, t: f64) -> f64 {
        let faded = self.fading.map_or(t, |f| f.felt(t));
        self.path.map_or(faded, |p| p.felt(faded))
    }

    /// Its inverse.
    pub(super) fn time(&self, felt: f64) -> f64 {
        let faded = self.path.map_or(felt, |p| p.time(felt));
        self.fading.map_or(faded, |f| f.time(faded))
    }

    /// Whether she leaves after the purchase that has just been.
    pub(super) fn leaves_now(&self, rng: &mut impl Rng) -> bool {
        self.drop_out > 0.0 && chance(self.drop_out, rng)
    }
}

/// A spread around 1 in the logarithm.
pub(super) fn spread(sd: f64, rng: &mut impl Rng) -> f64 {
    (sd * normal(rng)).exp()
}
