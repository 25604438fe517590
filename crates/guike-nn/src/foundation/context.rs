//! What a shop's own past teaches: customers at earlier anchors together with what they then did.
//!
//! These labelled rows are not fitted to; the network looks at them while it forecasts, as a person looks at examples.

use guike_core::{Purchases, Seed};
use serde::{Deserialize, Serialize};

use crate::told::{Base, Rows, Scene, drawn, happened};

/// How many numbers describe what a labelled customer did.
pub(super) const LABEL_FEATURES: usize = 8;
/// Fewest customers at an anchor that is worth looking at.
const MIN_KNOWN: usize = 10;
/// Fewest days of a label window.
const MIN_WINDOW: i32 = 7;

/// An earlier anchor and the length of its label window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Look {
    /// Days before the cutoff.
    pub(super) back: i32,
    /// Days of the label window; at most `back`.
    pub(super) window: i32,
}

/// Where to look back from a cutoff with so much history before it, for a horizon: at most five, the first the newest whose
/// window is as long as the horizon or the history allows.
///
/// Windows as long as the horizon where the history is long enough, shorter ones where not, one long window from an early
/// anchor, and the same season a year before.
pub(super) fn looks(history: i32, horizon: i32) -> Vec<Look> {
    let mut looks = Vec::new();
    let mut add = |back: i32, window: i32| {
        let look = Look { back, window };
        if window >= MIN_WINDOW && back < history && !looks.contains(&look) {
            looks.push(look);
        }
    };
    let near = horizon.min(history * 2 / 5);
    add(near, near);
    let long = horizon.min(history * 13 / 20);
    if f64::from(long) > 1.3 * f64::from(near) {
        add(long, long);
    }
    if history >= near * 5 / 2 {
        add(2 * near, near);
    }
    if history >= 364 + 56 {
        add(364, horizon.min(364));
    }
    let short = (near / 3).max(MIN_WINDOW);
    if f64::from(short) < 0.7 * f64::from(near) {
        add(short, short);
    }
    looks
}

/// The labelled rows of a shop, by anchor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Context {
    /// One scene per anchor that is used.
    pub(super) scenes: Vec<Scene>,
    /// Rows per anchor.
    pub(super) counts: Vec<u32>,
    pub(super) rows: Rows,
    /// n × [`LABEL_FEATURES`].
    pub(super) labels: Vec<f32>,
}

impl Context {
    /// No labelled rows: what a shop without a past has.
    pub(super) fn none() -> Context {
        Context { scenes: Vec::new(), counts: Vec::new(), rows: Rows::new(), labels: Vec::new() }
    }

    /// About `most` labelled rows from anchors before `cutoff`; purchase days after it are passed over.
    pub(super) fn draw(shop: &Purchases, cutoff: i32, looks: &[Look], most: usize, seed: Seed) -> Context {
        let mut context = Context::none();
        let scenes: Vec<(Look, Scene)> =
            looks.iter().filter_map(|&l| Scene::read(shop, cutoff - l.back).map(|s| (l, s))).collect();
        let each = most / scenes.len().max(1);
        for (look, scene) in scenes {
            let known: Vec<u32> = (0..shop.len() as u32)
                .filter(|&i| shop.case(i as usize).0.first().is_some_and(|&d| d <= scene.anchor))
                .collect();
            if known.len() < MIN_KNOWN {
                continue;
            }
            let seed = seed.at(look.back as u64).at(look.window as u64);
            let chosen = drawn(shop, known, scene.anchor, each, seed);
            for &case in &chosen {
                let (day, spend) = shop.case(case as usize);
                let n = day.partition_point(|&d| d <= scene.anchor);
                context.rows.push(&day[..n], &spend[..n], &scene);
                let (orders, spent) = happened(day, spend, scene.anchor, look.window);
                let base = Base::of(&day[..n], &spend[..n], scene.anchor, scene.log_spend);
                let naive = base.log_rate.exp() * f64::from(look.window);
                let log_window = f64::from(look.window).ln();
                context.labels.extend([
                    f64::from(orders).ln_1p() as f32,
                    f32::from(u8::from(orders > 0)),
                    (spent / scene.log_spend.exp()).ln_1p() as f32,
                    (log_window - 4.5) as f32,
                    (f64::from(orders) * 30.0 / f64::from(look.window)).ln_1p() as f32,
                    (f64::from(orders).ln_1p() - naive.ln_1p()) as f32,
                    (f64::from(look.back - look.window) / 100.0).ln_1p() as f32,
                    if orders > 0 {
                        ((spent / f64::from(orders)).max(1e-6).ln() - scene.log_spend - base.log_spend) as f32
                    } else {
                        0.0
                    },
                ]);
            }
            context.counts.push(chosen.len() as u32);
            context.scenes.push(scene);
        }
        context
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_stay_within_the_history_and_never_reach_beyond_the_cutoff() {
        for history in [10, 30, 90, 273, 400, 730, 3000] {
            for horizon in [7, 30, 90, 273, 730] {
                let looks = looks(history, horizon);
                assert!(looks.iter().all(|l| l.back < history && l.window <= l.back && l.window <= horizon.max(7)));
                assert!(history < 30 || !looks.is_empty(), "{history} {horizon}");
            }
        }
        assert!(looks(730, 90).contains(&Look { back: 364, window: 90 }));
    }

    #[test]
    fn what_happens_after_the_cutoff_changes_no_context() {
        let shop = |late: i32| {
            let mut p = Purchases { offsets: vec![0], ..Purchases::default() };
            for i in 0..40 {
                p.day.extend([i, 60 + i, 120 + i % 30, late]);
                p.spend.extend([1.0, 2.0, 3.0 + i as f32, 500.0]);
                p.offsets.push(p.day.len() as u64);
            }
            p
        };
        let of = |late| Context::draw(&shop(late), 150, &looks(150, 60), 100, Seed(1));
        assert_eq!(of(151), of(199));
        assert!(of(151).rows.len() > 60);
    }
}
