//! One training example: a shop, a moment in it, some of its customers, and what they then did.

use guike_core::{Purchases, Seed};
use rand::RngExt;
use serde::{Deserialize, Serialize};

use super::context::{Context, looks};
use super::outlook::Truth;
use crate::told::{Base, Rows, Scene, drawn, happened};

/// A whole shop to learn from, its future included.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Lesson {
    /// Everything that was bought, from the first day to the last.
    pub shop: Purchases,
    /// The last day on which a purchase would have been seen.
    pub last_day: i32,
    /// When each customer left for good, where that is known; days since 1970-01-01, infinite for never.
    pub left: Option<Vec<f64>>,
}

/// How episodes are drawn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EpisodeConfig {
    /// Customers to forecast per shop.
    pub customers: usize,
    /// Most labelled rows to look at.
    pub examples: usize,
    /// Share of episodes without any labelled row.
    pub without_examples: f64,
    /// Share of looks that are left out of an episode.
    pub without_look: f64,
}

impl Default for EpisodeConfig {
    fn default() -> EpisodeConfig {
        EpisodeConfig { customers: 160, examples: 320, without_examples: 0.08, without_look: 0.15 }
    }
}

/// Horizons that each customer is judged at.
const HORIZONS: usize = 3;
/// Fewest days of history and of future, and fewest customers.
const MIN_HISTORY: i32 = 21;
const MIN_FUTURE: i32 = 7;
const MIN_CUSTOMERS: usize = 20;

/// A shop at a cutoff with its future.
#[derive(Debug, Clone)]
pub(super) struct Episode {
    pub(super) scene: Scene,
    pub(super) context: Context,
    pub(super) rows: Rows,
    pub(super) bases: Vec<Base>,
    /// Ascending days.
    pub(super) horizons: Vec<i32>,
    pub(super) truths: Vec<Truth>,
}

impl Episode {
    /// Draws a cutoff, horizons and customers; `None` when the shop is too small or too short for the draw.
    pub(super) fn draw(lesson: &Lesson, config: &EpisodeConfig, seed: Seed) -> Option<Episode> {
        let mut rng = seed.derive("episode").rng();
        let shop = &lesson.shop;
        let start = (0..shop.len()).filter_map(|i| shop.case(i).0.first().copied()).min()?;
        let whole = lesson.last_day - start + 1;
        let history = (f64::from(whole) * rng.random_range(0.25..0.92)) as i32;
        let future = whole - history;
        if history < MIN_HISTORY || future < MIN_FUTURE {
            return None;
        }
        let cutoff = start + history - 1;
        let shortest = f64::from((future / 8).max(MIN_FUTURE));
        let longest = (shortest.ln() + rng.random::<f64>() * (f64::from(future) / shortest).ln()).exp();
        let longest = (longest.round() as i32).clamp(MIN_FUTURE, future);
        let mut horizons: Vec<i32> = (1..HORIZONS)
            .map(|_| ((f64::from(longest) * rng.random_range(0.08..0.9)) as i32).max(1))
            .chain([longest])
            .collect();
        horizons.sort_unstable();
        let examples = if rng.random_bool(config.without_examples) {
            0
        } else {
            rng.random_range(config.examples / 8..=config.examples)
        };
        let mut looks = looks(history, longest);
        looks.retain(|_| !rng.random_bool(config.without_look));
        let context = match examples {
            0 => Context::none(),
            n => Context::draw(shop, cutoff, &looks, n, seed.derive("examples")),
        };
        Episode::at(lesson, cutoff, horizons, context, config.customers, seed)
    }

    /// The episode at this cutoff, with at most `most` customers.
    pub(super) fn at(
        lesson: &Lesson,
        cutoff: i32,
        horizons: Vec<i32>,
        context: Context,
        most: usize,
        seed: Seed,
    ) -> Option<Episode> {
        let shop = &lesson.shop;
        let scene = Scene::read(shop, cutoff)?;
        let known: Vec<u32> =
            (0..shop.len() as u32).filter(|&i| shop.case(i as usize).0.first().is_some_and(|&d| d <= cutoff)).collect();
        if known.len() < MIN_CUSTOMERS {
            return None;
        }
        let mut episode =
            Episode { scene, context, rows: Rows::new(), bases: Vec::new(), horizons, truths: Vec::new() };
        for case in drawn(shop, known, cutoff, most, seed.derive("customers")) {
            let (day, spend) = shop.case(case as usize);
            let n = day.partition_point(|&d| d <= cutoff);
            episode.rows.push(&day[..n], &spend[..n], &episode.scene);
            episode.bases.push(Base::of(&day[..n], &spend[..n], cutoff, episode.scene.log_spend));
            let mut truth = Truth::default();
            for &h in &episode.horizons {
                let (orders, spent) = happened(day, spend, cutoff, h);
                truth.orders.push(orders);
                truth.spend = spent / episode.scene.log_spend.exp();
            }
            truth.alive = lesson.left.as_ref().map(|left| left[case as usize] >= f64::from(cutoff) + 1.0);
            episode.truths.push(truth);
        }
        Some(episode)
    }
}
