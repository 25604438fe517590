//! A training example as plain arrays, for whoever trains the same network with another program.

use guike_core::Seed;

use super::episode::EpisodeConfig;
use super::net::Net;
use super::train::{Stream, episode_of};
use crate::told::{EVENT_FEATURES, Pieces, ROW_FEATURES, SCENE_FEATURES};
use crate::weights::Weights;

/// The episode of a shop of a stream, as a [`super::Trainer`] of this seed draws it and the network sees it; `None` when the shop
/// is too small or too short.
///
/// Of n customers to forecast and m examples, all n + m after one another:
///
/// # Shapes
/// `rows`: (n + m) × pieces of all numbers; `events`: events × 6, with `offsets` (n + m + 1), `since` (events) and `idle`
/// (n + m); `scenes`: 1 + looks × numbers of a scene, with `runs` (rows of each); `labels`: m × 8; `bases`: n × 2 (logarithms
/// of the naive rate and spend); `horizons`: 3; `orders`: n × 3; `spend`: n; `alive`: n, −1 where it is not known
pub fn episode_arrays(net: &Net, stream: Stream<'_>, shop: u64, config: &EpisodeConfig, seed: Seed) -> Option<Weights> {
    let episode = episode_of(stream, shop, config, seed)?;
    let (n, m) = (episode.rows.len(), episode.context.rows.len());
    let mut rows = episode.rows.clone();
    rows.append(&episode.context.rows);
    let width = Pieces::EACH * ROW_FEATURES.len();
    let mut coded = vec![0.0; (n + m) * width];
    net.pieces.code(&rows.features, &mut coded);
    let mut all = Weights::default();
    let mut put = |name: &str, shape: Vec<usize>, values: Vec<f32>| all.arrays.push((name.to_owned(), shape, values));
    put("rows", vec![n + m, width], coded);
    put("events", vec![rows.since.len(), EVENT_FEATURES], rows.events);
    put("offsets", vec![n + m + 1], rows.offsets.iter().map(|&o| o as f32).collect());
    put("since", vec![rows.since.len()], rows.since);
    put("idle", vec![n + m], rows.idle);
    let scenes: Vec<f32> = std::iter::once(&episode.scene)
        .chain(&episode.context.scenes)
        .flat_map(|s| s.features.iter().copied())
        .collect();
    put("scenes", vec![scenes.len() / SCENE_FEATURES, SCENE_FEATURES], scenes);
    let runs: Vec<f32> =
        std::iter::once(n as u32).chain(episode.context.counts.iter().copied()).map(|r| r as f32).collect();
    put("runs", vec![runs.len()], runs);
    put("labels", vec![m, episode.context.labels.len() / m.max(1)], episode.context.labels);
    put("bases", vec![n, 2], episode.bases.iter().flat_map(|b| [b.log_rate as f32, b.log_spend as f32]).collect());
    put("horizons", vec![episode.horizons.len()], episode.horizons.iter().map(|&h| h as f32).collect());
    let orders: Vec<f32> = episode.truths.iter().flat_map(|t| t.orders.iter().map(|&o| o as f32)).collect();
    put("orders", vec![n, episode.horizons.len()], orders);
    put("spend", vec![n], episode.truths.iter().map(|t| t.spend as f32).collect());
    let alive = |a: Option<bool>| a.map_or(-1.0, |a| f32::from(u8::from(a)));
    put("alive", vec![n], episode.truths.iter().map(|t| alive(t.alive)).collect());
    Some(all)
}
