//! What the model is told about one customer: hand-made aggregates of her purchase days, as numbers of moderate size.
//!
//! Times go in as logarithms of days and money as logarithms relative to the shop's median purchase day, so that a grocer
//! and a furniture shop, yuan and pounds, look alike where they are alike.

use guike_core::{Purchases, Seed};
use serde::{Deserialize, Serialize};

use super::scene::Scene;

/// Windows back from the anchor whose purchase days are counted.
const WINDOWS: [i32; 8] = [7, 14, 28, 56, 91, 182, 364, 728];
/// Days of a year, for the calendar: 1970 began with one, and the rest drifts by less than a day in a century.
pub(crate) const YEAR_DAYS: f64 = 365.242_5;

/// Names of the numbers, in their order.
pub const ROW_FEATURES: [&str; 41] = [
    "repeats",
    "recency",
    "age",
    "span",
    "recency_of_age",
    "one_time",
    "mean_gap",
    "recency_over_mean_gap",
    "gap_variation",
    "last_gap",
    "longest_gap",
    "recency_surprise",
    "days_7",
    "days_14",
    "days_28",
    "days_56",
    "days_91",
    "days_182",
    "days_364",
    "days_728",
    "days_same_quarter_last_year",
    "first_seen",
    "first_seen_share",
    "spend_mean",
    "spend_last",
    "spend_first",
    "spend_spread",
    "spend_largest",
    "spend_total",
    "spend_91",
    "spend_364",
    "spend_trend",
    "rank_repeats",
    "rank_recency",
    "rank_spend",
    "first_sine",
    "first_cosine",
    "last_sine",
    "last_cosine",
    "gap_trend",
    "mean_gap_in_shop",
];

/// ln(1 + x).
fn log(x: f64) -> f32 {
    x.max(0.0).ln_1p() as f32
}

/// Sine and cosine of the place in the year.
pub(crate) fn calendar(day: i32, harmonic: f64) -> (f32, f32) {
    let (sin, cos) = (std::f64::consts::TAU * harmonic * f64::from(day) / YEAR_DAYS).sin_cos();
    (sin as f32, cos as f32)
}

/// Mean and standard deviation from sums.
pub(crate) fn spread(sum: f64, squares: f64, n: f64) -> (f64, f64) {
    let mean = sum / n;
    (mean, (squares / n - mean * mean).max(0.0).sqrt())
}

/// Describes a customer as of the scene's anchor.
///
/// # Shapes
/// `day` and `spend`: her purchase days up to the anchor, at least one; `out`: [`ROW_FEATURES`]
pub(crate) fn describe(day: &[i32], spend: &[f32], scene: &Scene, out: &mut [f32]) {
    let n = day.len();
    let (first, last) = (day[0], day[n - 1]);
    let anchor = scene.anchor;
    let (age, recency, span) = (f64::from(anchor - first), f64::from(anchor - last), f64::from(last - first));
    let repeats = (n - 1) as f64;
    let (mut gap_sum, mut gap_squares, mut longest) = (0.0, 0.0, 0.0_f64);
    for pair in day.windows(2) {
        let gap = f64::from(pair[1] - pair[0]);
        let l = gap.ln_1p();
        gap_sum += l;
        gap_squares += l * l;
        longest = longest.max(gap);
    }
    let mean_gap = if n > 1 { span / repeats } else { 0.0 };
    // of gaps one has seen few: the shop's typical gap counts as one more
    let (log_gap, gap_sd) = spread(gap_sum + scene.log_gap, gap_squares + scene.log_gap.powi(2), repeats + 1.0);
    let usual = (gap_sd.powi(2) * repeats + scene.log_gap_sd.powi(2)) / (repeats + 1.0);
    let surprise = (recency.ln_1p() - log_gap) / (usual.sqrt() + 0.2);
    let since = |days: i32| n - day.partition_point(|&d| d <= anchor - days);
    let last_year = day.partition_point(|&d| d <= anchor - 364 + 91) - day.partition_point(|&d| d <= anchor - 364);
    let relative = |s: f32| scene.relative(s);
    let (mut log_sum, mut log_squares, mut total, mut largest) = (0.0, 0.0, 0.0, f64::NEG_INFINITY);
    for &s in spend {
        let r = relative(s);
        log_sum += r;
        log_squares += r * r;
        total += f64::from(s);
        largest = largest.max(r);
    }
    let (_, spend_sd) = spread(log_sum, log_squares, n as f64);
    let typical = scene.log_spend.exp();
    let mean_spend = scene.relative((total / n as f64) as f32);
    let spent_since = |days: i32| {
        let from = n - since(days);
        spend[from..].iter().map(|&s| f64::from(s)).sum::<f64>() / typical
    };
    let recent = spend[n.saturating_sub(3)..].iter().map(|&s| relative(s)).sum::<f64>() / n.min(3) as f64;
    let recent_gap = if n > 3 { f64::from(day[n - 1] - day[n - 4]) / 3.0 } else { mean_gap };
    let (first_sin, first_cos) = calendar(first, 1.0);
    let (last_sin, last_cos) = calendar(last, 1.0);
    let counts = WINDOWS.map(|w| log(since(w) as f64));
    let head = [
        log(repeats),
        log(recency),
        log(age),
        log(span),
        (recency / age.max(1.0)) as f32,
        f32::from(u8::from(n == 1)),
        log(mean_gap),
        if n > 1 { log(recency) - log(mean_gap) } else { 0.0 },
        if n > 2 { gap_sd as f32 } else { -0.5 },
        if n > 1 { log(f64::from(day[n - 1] - day[n - 2])) } else { 0.0 },
        log(longest),
        surprise.clamp(-4.0, 4.0) as f32,
    ];
    let tail = [
        log(last_year as f64),
        log(f64::from(first - scene.start)),
        (f64::from(first - scene.start) / scene.history_days()) as f32,
        mean_spend as f32,
        relative(spend[n - 1]) as f32,
        relative(spend[0]) as f32,
        if n > 1 { spend_sd as f32 } else { -0.5 },
        largest as f32,
        log(total / typical),
        log(spent_since(91)),
        log(spent_since(364)),
        (recent - log_sum / n as f64) as f32,
        scene.repeats.rank(repeats as f32),
        scene.recency.rank(recency as f32),
        scene.spend.rank(mean_spend as f32),
        first_sin,
        first_cos,
        last_sin,
        last_cos,
        if n > 3 { log(recent_gap) - log(mean_gap) } else { 0.0 },
        if n > 1 { (mean_gap.ln_1p() - scene.log_gap) as f32 } else { 0.0 },
    ];
    out[..12].copy_from_slice(&head);
    out[12..20].copy_from_slice(&counts);
    out[20..].copy_from_slice(&tail);
}

/// How many numbers each event is described by.
pub(crate) const EVENT_FEATURES: usize = 6;

/// Describes the events of a customer, oldest first; `from` is the first that counts.
///
/// # Shapes
/// pushes [`EVENT_FEATURES`] numbers per event to `out` and the time since the event before, in log days, to `since`
pub(crate) fn describe_events(
    day: &[i32],
    spend: &[f32],
    from: usize,
    scene: &Scene,
    out: &mut Vec<f32>,
    since: &mut Vec<f32>,
) {
    for i in from..day.len() {
        let gap = if i > 0 { f64::from(day[i] - day[i - 1]) } else { 0.0 };
        let (sin, cos) = calendar(day[i], 1.0);
        let log_gap = log(gap);
        out.extend([
            log_gap,
            if i > 0 { (f64::from(log_gap) - scene.log_gap) as f32 } else { 0.0 },
            f32::from(u8::from(i == 0)),
            scene.relative(spend[i]) as f32,
            sin,
            cos,
        ]);
        since.push(months(gap));
    }
}

/// Days in the unit of the recurrence's forgetting.
pub(crate) fn months(days: f64) -> f32 {
    (days / 30.0) as f32
}

/// Latest purchase days that the recurrence reads; before them the aggregates speak.
pub(crate) const MAX_EVENTS: usize = 64;

/// Rows of customers as the network reads them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Rows {
    /// n × [`ROW_FEATURES`].
    pub(crate) features: Vec<f32>,
    /// n + 1 positions into the events.
    pub(crate) offsets: Vec<u32>,
    /// Events × [`EVENT_FEATURES`].
    pub(crate) events: Vec<f32>,
    /// Time since the event before, per event.
    pub(crate) since: Vec<f32>,
    /// Time since the last event, per row.
    pub(crate) idle: Vec<f32>,
}

impl Rows {
    pub(crate) fn new() -> Rows {
        Rows { offsets: vec![0], ..Rows::default() }
    }

    pub(crate) fn len(&self) -> usize {
        self.idle.len()
    }

    /// Adds a customer with at least one purchase day, all of them up to the scene's anchor.
    pub(crate) fn push(&mut self, day: &[i32], spend: &[f32], scene: &Scene) {
        let at = self.features.len();
        self.features.resize(at + ROW_FEATURES.len(), 0.0);
        describe(day, spend, scene, &mut self.features[at..]);
        let from = day.len().saturating_sub(MAX_EVENTS);
        describe_events(day, spend, from, scene, &mut self.events, &mut self.since);
        self.offsets.push((self.events.len() / EVENT_FEATURES) as u32);
        self.idle.push(months(f64::from(scene.anchor - day[day.len() - 1])));
    }

    /// The rows at these places, in that order.
    pub(crate) fn take(&self, places: &[u32]) -> Rows {
        let mut taken = Rows::new();
        for &place in places {
            let i = place as usize;
            taken.features.extend_from_slice(&self.features[i * ROW_FEATURES.len()..][..ROW_FEATURES.len()]);
            let events = self.offsets[i] as usize..self.offsets[i + 1] as usize;
            taken.events.extend_from_slice(&self.events[events.start * EVENT_FEATURES..events.end * EVENT_FEATURES]);
            taken.since.extend_from_slice(&self.since[events]);
            taken.offsets.push(taken.since.len() as u32);
            taken.idle.push(self.idle[i]);
        }
        taken
    }

    /// Adds all rows of others.
    pub(crate) fn append(&mut self, other: &Rows) {
        let base = self.offsets[self.offsets.len() - 1];
        self.features.extend_from_slice(&other.features);
        self.offsets.extend(other.offsets[1..].iter().map(|o| o + base));
        self.events.extend_from_slice(&other.events);
        self.since.extend_from_slice(&other.since);
        self.idle.extend_from_slice(&other.idle);
    }
}

/// How many purchase days and how much spend within `window` days after `anchor`.
pub(crate) fn happened(day: &[i32], spend: &[f32], anchor: i32, window: i32) -> (u32, f64) {
    let (from, to) = (day.partition_point(|&d| d <= anchor), day.partition_point(|&d| d <= anchor + window));
    ((to - from) as u32, spend[from..to].iter().map(|&s| f64::from(s)).sum())
}

/// `most` of these customers, by what they did up to `anchor` and not by their place in the log, so that another order of
/// the same customers gives the same draw; in the order of the draw.
pub(crate) fn drawn(shop: &Purchases, known: Vec<u32>, anchor: i32, most: usize, seed: Seed) -> Vec<u32> {
    let seed = seed.derive("drawn");
    let mut keyed: Vec<(u64, u32, u32)> = known
        .into_iter()
        .map(|case| {
            let (day, spend) = shop.case(case as usize);
            let n = day.partition_point(|&d| d <= anchor);
            // the last days tell most histories apart; among equal ones spend decides
            let last = &day[n.saturating_sub(8)..n];
            let key = last.iter().fold(seed.at(n as u64).at(day[0] as u64), |s, &d| s.at(d as u64));
            (key.0, spend[n - 1].to_bits(), case)
        })
        .collect();
    if keyed.len() > most {
        keyed.select_nth_unstable(most);
        keyed.truncate(most);
    }
    keyed.sort_unstable();
    keyed.into_iter().map(|k| k.2).collect()
}

/// What the network's outputs are relative to: a customer's naive rate and mean spend.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Base {
    /// Logarithm of purchase days per day so far, shrunk.
    pub(crate) log_rate: f64,
    /// Logarithm of her mean spend relative to the shop's median, shrunk.
    pub(crate) log_spend: f64,
}

impl Base {
    /// Of a customer with these purchase days up to the anchor.
    pub(crate) fn of(day: &[i32], spend: &[f32], anchor: i32, log_median: f64) -> Base {
        let n = day.len() as f64;
        let age = f64::from(anchor - day[0]);
        let total: f64 = spend.iter().map(|&s| f64::from(s)).sum();
        Base {
            log_rate: ((n - 0.7) / (age + 60.0)).ln(),
            log_spend: ((total / log_median.exp() + 1.0) / (n + 1.0)).ln(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draw_is_the_same_in_any_order_of_the_customers() {
        let mut shop = Purchases { offsets: vec![0], ..Purchases::default() };
        for i in 0..500 {
            shop.day.extend([i % 50, 60 + i / 7, 150 + i % 30]);
            shop.spend.extend([1.0, 2.0, i as f32]);
            shop.offsets.push(shop.day.len() as u64);
        }
        let mixed: Vec<usize> = (0..500).map(|i| i * 7 % 500).collect();
        let one = drawn(&shop, (0..500).collect(), 140, 60, Seed(3));
        let other = drawn(&shop.take(&mixed), (0..500).collect(), 140, 60, Seed(3));
        assert_eq!(one, other.iter().map(|&i| mixed[i as usize] as u32).collect::<Vec<_>>());
        assert_eq!(one.len(), 60);
        assert_ne!(one, drawn(&shop, (0..500).collect(), 140, 60, Seed(4)));
    }
}
