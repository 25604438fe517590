//! What the model is told about the shop as of an anchor: size, age, season so far, growth, how customers come back.
//!
//! A scene is read off the whole population once per anchor and then describes any customer, also one who was not there.

use guike_core::Purchases;
use serde::{Deserialize, Serialize};

use super::rows::{calendar, spread};

/// Four-week blocks of the past that are told one by one.
const BLOCKS: usize = 14;
const BLOCK_DAYS: i32 = 28;
/// Windows over which the population is compared with itself.
const SPANS: [i32; 4] = [28, 91, 182, 364];

/// Where the calendar stands among them.
const CALENDAR: usize = 12;

/// How many numbers describe a shop.
pub const SCENE_FEATURES: usize = CALENDAR + 6 + 3 * BLOCKS + 4 * SPANS.len();

/// Numbers that differ by less are the same in rank.
const TIE: f32 = 1e-3;

/// The distribution of a number over customers, at 33 points.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Grid(Vec<f32>);

impl Grid {
    const POINTS: usize = 33;

    fn of(mut values: Vec<f32>) -> Grid {
        values.sort_unstable_by(f32::total_cmp);
        let at = |i: usize| values[i * (values.len() - 1) / (Grid::POINTS - 1)];
        Grid((0..Grid::POINTS).map(at).collect())
    }

    /// Share of customers below, from 0 to 1; the middle of ties.
    pub(crate) fn rank(&self, value: f32) -> f32 {
        // rounding in another currency must not move anybody past those who spend the same
        let (low, high) = (value - TIE, value + TIE);
        let (below, upto) = (self.0.partition_point(|&g| g < low), self.0.partition_point(|&g| g <= high));
        (below + upto) as f32 / (2 * Grid::POINTS) as f32
    }
}

/// A shop as of an anchor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Scene {
    /// The last day that is known, in days since 1970-01-01.
    pub(crate) anchor: i32,
    /// The day of the first purchase.
    pub(crate) start: i32,
    /// Logarithm of the median spend of a purchase day.
    pub(crate) log_spend: f64,
    /// Median of the logarithms of mean gaps, and their spread.
    pub(crate) log_gap: f64,
    pub(crate) log_gap_sd: f64,
    pub(crate) repeats: Grid,
    pub(crate) recency: Grid,
    pub(crate) spend: Grid,
    /// [`SCENE_FEATURES`] numbers.
    pub(crate) features: Vec<f32>,
}

/// Sums over the population within one span.
#[derive(Debug, Clone, Copy, Default)]
struct Span {
    known: f64,
    active: f64,
    orders: f64,
    orders_before: f64,
}

impl Scene {
    /// Reads the shop as of `anchor`: purchase days after it are passed over. `None` when nobody had bought by then.
    pub(crate) fn read(shop: &Purchases, anchor: i32) -> Option<Scene> {
        let start = shop.offsets.windows(2).filter(|w| w[1] > w[0]).map(|w| shop.day[w[0] as usize]).min()?;
        if start > anchor {
            return None;
        }
        let (mut repeats, mut recency, mut means, mut spends) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (mut gaps, mut log_spread) = (Vec::new(), (0.0, 0.0));
        let (mut orders, mut newcomers) = ([0.0_f64; BLOCKS], [0.0_f64; BLOCKS]);
        let mut spans = [Span::default(); SPANS.len()];
        let mut new = [0.0_f64; 2];
        for case in 0..shop.len() {
            let (day, spend) = shop.case(case);
            let n = day.partition_point(|&d| d <= anchor);
            if n == 0 {
                continue;
            }
            let (day, spend) = (&day[..n], &spend[..n]);
            let first = day[0];
            repeats.push((n - 1) as f32);
            recency.push((anchor - day[n - 1]) as f32);
            means.push(spend.iter().sum::<f32>() / n as f32);
            if n > 1 {
                gaps.push((f64::from(day[n - 1] - first) / (n - 1) as f64).ln_1p() as f32);
            }
            if n > 2 {
                let logs = day.windows(2).map(|w| f64::from(w[1] - w[0]).ln_1p());
                let (sum, squares) = logs.fold((0.0, 0.0), |(s, q), l| (s + l, q + l * l));
                let (_, sd) = spread(sum, squares, (n - 1) as f64);
                log_spread = (log_spread.0 + sd, log_spread.1 + 1.0);
            }
            // a customer with very many days says nothing new about the typical spend of the shop
            spends.extend(spend.iter().rev().take(64));
            for &d in day.iter().rev() {
                let block = ((anchor - d) / BLOCK_DAYS) as usize;
                if block >= BLOCKS {
                    break;
                }
                orders[block] += 1.0;
            }
            if let Some(block) = newcomers.get_mut(((anchor - first) / BLOCK_DAYS) as usize) {
                *block += 1.0;
            }
            new[0] += f64::from(u8::from(anchor - first < 28));
            new[1] += f64::from(u8::from(anchor - first < 91));
            for (span, width) in spans.iter_mut().zip(SPANS) {
                let known = day.partition_point(|&d| d <= anchor - width);
                if known == 0 {
                    continue;
                }
                let before = known - day.partition_point(|&d| d <= anchor - 2 * width);
                span.known += 1.0;
                span.active += f64::from(u8::from(n > known));
                span.orders += (n - known) as f64;
                span.orders_before += before as f64;
            }
        }
        let n = repeats.len() as f64;
        let median = |values: &mut Vec<f32>, otherwise: f32| {
            if values.is_empty() {
                return otherwise;
            }
            let middle = values.len() / 2;
            *values.select_nth_unstable_by(middle, f32::total_cmp).1
        };
        let log_gap = f64::from(median(&mut gaps, (30.0_f32).ln_1p()));
        let log_spend = f64::from(median(&mut spends, 1.0).max(1e-6)).ln();
        let log_gap_sd = if log_spread.1 > 0.0 { log_spread.0 / log_spread.1 } else { 1.0 };
        let history = f64::from(anchor - start + 1);
        let one_time = repeats.iter().filter(|&&x| x == 0.0).count() as f64 / n;
        let mean_repeats = repeats.iter().map(|&x| f64::from(x)).sum::<f64>() / n;
        let spend_logs: Vec<f32> = means.iter().map(|&m| relative(m, log_spend) as f32).collect();
        let (s, q) = spend_logs.iter().fold((0.0, 0.0), |(s, q), &l| (s + f64::from(l), q + f64::from(l).powi(2)));
        let (spend_mean, spend_sd) = spread(s, q, n);
        let mut features = Vec::with_capacity(SCENE_FEATURES);
        let mut tell = |x: f64| features.push(x as f32);
        // shops of the training stream are no larger; what a larger one shows, they show with more noise
        tell(n.min(600.0).ln() / 4.0 - 1.0);
        tell(history.ln() - 6.0);
        tell(mean_repeats.ln_1p());
        tell(one_time);
        tell(new[0] / n);
        tell(new[1] / n);
        tell(log_gap - 3.5);
        tell(log_gap_sd);
        tell(spend_mean);
        tell(spend_sd);
        tell((mean_repeats / history * 100.0).ln_1p());
        let mut recent = recency.clone();
        tell(f64::from(median(&mut recent, 0.0)).ln_1p() - 4.0);
        for harmonic in [1.0, 2.0, 3.0] {
            let (sin, cos) = calendar(anchor, harmonic);
            tell(f64::from(sin));
            tell(f64::from(cos));
        }
        let seen = |block: usize| history >= (block as f64 + 0.5) * f64::from(BLOCK_DAYS);
        let blocks = (0..BLOCKS).filter(|&b| seen(b)).count().max(1) as f64;
        let usual = orders.iter().sum::<f64>() / blocks;
        for block in 0..BLOCKS {
            tell(if seen(block) { orders[block].ln_1p() - usual.ln_1p() } else { 0.0 });
            tell(if seen(block) { newcomers[block].ln_1p() - usual.ln_1p() } else { 0.0 });
            tell(f64::from(u8::from(seen(block))));
        }
        for (span, width) in spans.into_iter().zip(SPANS) {
            let there = span.known >= 10.0;
            let whole = history >= 2.0 * f64::from(width);
            tell(if there && whole { ((span.orders + 1.0) / (span.orders_before + 1.0)).ln() } else { 0.0 });
            tell(if there { span.active / span.known } else { 0.0 });
            tell(if there { (span.orders / span.known).ln_1p() } else { 0.0 });
            tell(f64::from(u8::from(there)) + f64::from(u8::from(there && whole)));
        }
        Some(Scene {
            anchor,
            start,
            log_spend,
            log_gap,
            log_gap_sd,
            repeats: Grid::of(repeats),
            recency: Grid::of(recency),
            spend: Grid::of(spend_logs),
            features,
        })
    }

    /// The same shop seen from another day: the calendar moves, what was counted stays.
    pub(crate) fn move_to(&mut self, anchor: i32) {
        self.anchor = anchor;
        self.start = self.start.min(anchor);
        for (i, x) in self.features[CALENDAR..CALENDAR + 6].chunks_exact_mut(2).enumerate() {
            (x[0], x[1]) = calendar(anchor, (i + 1) as f64);
        }
    }

    /// Whether it has the sizes of a scene.
    pub(crate) fn fits(&self) -> bool {
        self.features.len() == SCENE_FEATURES
            && [&self.repeats, &self.recency, &self.spend].iter().all(|g| g.0.len() == Grid::POINTS)
    }

    /// Logarithm of a spend relative to the shop's median purchase day.
    pub(crate) fn relative(&self, spend: f32) -> f64 {
        relative(spend, self.log_spend)
    }

    /// Days from the first purchase to the anchor.
    pub(crate) fn history_days(&self) -> f64 {
        f64::from(self.anchor - self.start + 1)
    }
}

/// Gifts and samples count as a hundredth of the usual spend: the logarithm of nothing would drown all else.
fn relative(spend: f32, log_median: f64) -> f64 {
    (f64::from(spend) / log_median.exp()).max(0.01).ln()
}
