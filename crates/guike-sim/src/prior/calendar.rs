//! What a shop's pace follows: the year, the week, the month, trends, shocks and promotions.
//!
//! Effects add up in the logarithm of the pace. Some customers are *keen*: promotions and the holidays move them more
//! than the others, so that a shop has two clocks.

use std::f64::consts::TAU;

use guike_core::Day;
use rand::{Rng, RngExt};

use super::clock::Clock;
use super::draw::{chance, log_uniform, normal, uniform};

const YEAR_DAYS: f64 = 365.25;
const MONTH_DAYS: f64 = YEAR_DAYS / 12.0;
/// The share of a year at which one holiday season ends and the next begins.
const SPRING: f64 = 0.3;
/// Days of the annual tables.
const TABLE: usize = 366;

/// The time that is simulated.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Span {
    /// Days of the shop before the log begins.
    pub(super) before: u32,
    /// Days of the log.
    pub(super) days: u32,
    /// Date of day 0.
    pub(super) start: Day,
}

impl Span {
    /// Days since new year of day 0.
    pub(super) fn start_day_of_year(self) -> u16 {
        let new_year = Day::from_ymd(self.start.ymd().0, 1, 1).expect("every year begins");
        (self.start.0 - new_year.0) as u16
    }

    /// Days from the beginning of the shop to the end of the log.
    pub(super) fn total(self) -> u32 {
        self.before + self.days
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Calendar {
    /// The clocks of ordinary and of keen customers. The ordinary one has mean pace 1 over the log.
    pub(super) clocks: [Clock; 2],
    /// Logarithm of the ordinary pace per day of the log, closed days as if they were open.
    pub(super) log_pace: Vec<f32>,
}

impl Calendar {
    /// Every day alike.
    pub(super) fn flat(span: Span) -> Calendar {
        let clock = Clock::new(span.before, std::iter::repeat_n(1.0, span.total() as usize));
        Calendar { clocks: [clock.clone(), clock], log_pace: vec![0.0; span.days as usize] }
    }

    pub(super) fn draw(span: Span, rng: &mut impl Rng) -> Calendar {
        let year = Year::draw(rng);
        let week = week(rng);
        let month = month(rng);
        let course = course(span.total() as usize, rng);
        let promotions = Promotions::draw(span.total() as usize, rng);
        let gift = if chance(0.3, rng) { uniform(0.3, 2.0, rng) } else { 0.0 };
        let heights: Vec<f64> = (0..span.total() / 365 + 3).map(|_| (0.2 * normal(rng)).exp()).collect();
        let first = f64::from(span.start_day_of_year()) - f64::from(span.before);
        let first_season = (first / YEAR_DAYS - SPRING).floor();
        let weekday = span.start.plus(-(span.before as i32)).weekday() as usize;
        let n = span.total() as usize;
        let mut rho = [Vec::with_capacity(n), Vec::with_capacity(n)];
        let mut log_pace = Vec::with_capacity(n);
        for d in 0..n {
            let years = (first + d as f64) / YEAR_DAYS;
            let part = years - years.floor();
            let i = ((part * TABLE as f64) as usize).min(TABLE - 1);
            // a holiday season is one from spring to spring, and every one has its own height
            let nth = ((years - SPRING).floor() - first_season) as usize;
            let holiday = year.holiday[i] * heights[nth];
            let of_month = month[((part * YEAR_DAYS) % MONTH_DAYS) as usize];
            let common = year.log[i] + of_month + course[d];
            let [few, many] = promotions.log[d];
            let open = week[(weekday + d) % 7];
            log_pace.push((common + holiday + few).clamp(-4.0, 3.0) as f32);
            let exp = |log: f64| log.clamp(-4.0, 3.0).exp() * open;
            rho[0].push(exp(common + holiday + few));
            rho[1].push(exp(common + holiday * (1.0 + gift) + many));
        }
        let in_log = &rho[0][span.before as usize..];
        let mean = in_log.iter().sum::<f64>() / f64::from(span.days);
        log_pace.drain(..span.before as usize);
        let clocks = rho.map(|r| Clock::new(span.before, r.into_iter().map(|x| x / mean)));
        Calendar { clocks, log_pace }
    }
}

/// What comes back every year, in the logarithm.
struct Year {
    log: [f64; TABLE],
    /// Apart, because its height differs between years and customers.
    holiday: [f64; TABLE],
}

/// A hill of height 1 around `centre`, with one width before and one after it; the year is a circle.
fn hill(day: f64, centre: f64, rise: f64, fall: f64) -> f64 {
    let mut from = (day - centre).rem_euclid(YEAR_DAYS);
    if from > YEAR_DAYS / 2.0 {
        from -= YEAR_DAYS;
    }
    let width = if from < 0.0 { rise } else { fall };
    (-0.5 * (from / width).powi(2)).exp()
}

impl Year {
    fn draw(rng: &mut impl Rng) -> Year {
        let mut year = Year { log: [0.0; TABLE], holiday: [0.0; TABLE] };
        let add = |to: &mut [f64; TABLE], of: &dyn Fn(f64) -> f64| {
            to.iter_mut().enumerate().for_each(|(day, log)| *log += of(day as f64));
        };
        if chance(0.55, rng) {
            let (size, second) = (log_uniform(0.05, 0.8, rng), uniform(0.0, 0.6, rng));
            let (phase, phase_2) = (uniform(0.0, TAU, rng), uniform(0.0, TAU, rng));
            add(&mut year.log, &|day| {
                let at = TAU * day / YEAR_DAYS;
                size * ((at + phase).cos() + second * (2.0 * at + phase_2).cos())
            });
        }
        if chance(0.15, rng) {
            let (centre, width, depth) = (uniform(180.0, 225.0, rng), uniform(12.0, 40.0, rng), uniform(0.1, 0.8, rng));
            add(&mut year.log, &|day| -depth * hill(day, centre, width, width));
        }
        if chance(0.25, rng) {
            for _ in 0..rng.random_range(1..=4) {
                let (centre, width) = (uniform(0.0, YEAR_DAYS, rng), uniform(1.0, 6.0, rng));
                let height = uniform(0.2, 1.5, rng);
                add(&mut year.log, &|day| height * hill(day, centre, width, 0.7 * width));
            }
        }
        if chance(0.45, rng) {
            year.add_year_end(log_uniform(0.2, 3.0, rng), rng);
        }
        year
    }

    /// The weeks before the end of the year, by `height` (1 doubles the pace), and what January lacks.
    fn add_year_end(&mut self, height: f64, rng: &mut impl Rng) {
        let peak = (1.0 + height).ln();
        let (centre, rise, fall) = (uniform(345.0, 357.0, rng), log_uniform(6.0, 40.0, rng), uniform(2.0, 6.0, rng));
        let january = if chance(0.5, rng) { uniform(0.0, 0.6, rng) } else { 0.0 };
        let friday = if chance(0.3, rng) { uniform(0.2, 1.3, rng) } else { 0.0 };
        for (day, log) in self.holiday.iter_mut().enumerate() {
            let day = day as f64;
            // the last Friday of November and the Monday after it
            let sale = friday * hill(day, 330.0, 1.5, 2.5);
            *log += peak * hill(day, centre, rise, fall) + sale - january * hill(day, 15.0, 12.0, 12.0);
        }
    }
}

/// Factors of the days of the week, Monday first; 0 is closed.
fn week(rng: &mut impl Rng) -> [f64; 7] {
    let mut factors = [1.0; 7];
    if chance(0.55, rng) {
        let spread = log_uniform(0.08, 0.6, rng);
        factors = factors.map(|_| (spread * normal(rng)).exp());
    }
    if chance(0.25, rng) {
        factors[6] = 0.0;
        if chance(0.2, rng) {
            factors[rng.random_range(0..6)] = 0.0;
        }
    }
    factors
}

/// Effects of the day of the month: the days after payday.
fn month(rng: &mut impl Rng) -> [f64; 32] {
    let mut effects = [0.0; 32];
    if chance(0.1, rng) {
        let (first, n, height) = (rng.random_range(0..30), rng.random_range(2..6), uniform(0.2, 0.8, rng));
        (0..n).for_each(|i| effects[(first + i) % 30] = height);
    }
    effects
}

/// What does not come back: trends, a random walk, shifts of the level, weeks without business.
fn course(n: usize, rng: &mut impl Rng) -> Vec<f64> {
    let slope = |rng: &mut _| 0.3 / YEAR_DAYS * normal(rng);
    let (mut daily, mut change) = (0.0, 0.0);
    if chance(0.55, rng) {
        daily = slope(rng);
        change = if chance(0.35, rng) { 1.0 / log_uniform(120.0, 900.0, rng) } else { 0.0 };
    }
    let walk = if chance(0.4, rng) { log_uniform(0.01, 0.08, rng) } else { 0.0 };
    let mut level = 0.0;
    let mut course: Vec<f64> = (0..n)
        .map(|d| {
            if change > 0.0 && chance(change, rng) {
                daily = slope(rng);
            }
            if walk > 0.0 && d % 7 == 0 {
                level += walk * normal(rng);
            }
            level = (level + daily).clamp(-2.0, 2.0);
            level
        })
        .collect();
    if chance(0.15, rng) {
        let (from, by) = (rng.random_range(0..n), 0.5 * normal(rng));
        course[from..].iter_mut().for_each(|c| *c += by);
    }
    if chance(0.04, rng) {
        let (from, weeks) = (rng.random_range(0..n), rng.random_range(2..9));
        course[from..].iter_mut().take(7 * weeks).for_each(|c| *c -= 3.0);
    }
    course
}

/// Effects of promotions per day, on ordinary and on keen customers.
struct Promotions {
    log: Vec<[f64; 2]>,
}

impl Promotions {
    fn draw(n: usize, rng: &mut impl Rng) -> Promotions {
        let mut log = vec![[0.0; 2]; n];
        if chance(0.35, rng) {
            let every = YEAR_DAYS / uniform(1.0, 12.0, rng);
            let (height, share) = (log_uniform(0.15, 1.6, rng), uniform(0.0, 0.7, rng));
            let days = uniform(2.0, 15.0, rng);
            let mut at = every * super::draw::exp1(rng);
            while at < n as f64 {
                let this = height * (0.3 * normal(rng)).exp();
                let to = ((at + days) as usize).min(n);
                log[at as usize..to].iter_mut().for_each(|e| *e = [this * share, this]);
                // never two at once, and not in a strict rhythm
                at += days + every * uniform(0.5, 1.5, rng);
            }
        }
        Promotions { log }
    }
}
