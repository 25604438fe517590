//! Training: many shops a step, each on a thread of its own, their gradients added in a fixed order.

use guike_core::Seed;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::episode::{Episode, EpisodeConfig, Lesson};
use super::net::{Net, NetConfig};
use super::outlook::{Basis, Losses, OUTPUTS, SEASON, loss};
use crate::optimizer::{AdamW, Schedule, shorten};
use crate::tape::{Tape, Workspace};
use crate::told::{Pieces, ROW_FEATURES, Rows};

/// How to train.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainConfig {
    /// Steps of the optimizer.
    pub steps: u64,
    /// Shops per step.
    pub shops: usize,
    /// Learning rate over the steps.
    pub schedule: Schedule,
    /// The optimizer.
    pub optimizer: AdamW,
    /// Longest gradient of one shop: a few shops of very frequent customers would drown the others of their step.
    pub shop_clip: f32,
    /// Memory of the running average of the parameters that is kept in the end.
    pub average: f32,
    /// How episodes are drawn.
    pub episode: EpisodeConfig,
}

impl Default for TrainConfig {
    fn default() -> TrainConfig {
        TrainConfig {
            steps: 10_000,
            shops: 8,
            schedule: Schedule::default(),
            optimizer: AdamW::default(),
            shop_clip: 1.0,
            average: 0.999,
            episode: EpisodeConfig::default(),
        }
    }
}

/// Where shops come from: the lesson of an index, the same whenever it is asked.
pub type Stream<'a> = &'a (dyn Fn(u64) -> Lesson + Sync);

/// Shops that are drawn anew when one is too small for an episode.
const TRIES: u64 = 20;

/// A network in training.
#[derive(Debug)]
pub struct Trainer {
    /// The network as it is being trained.
    pub net: Net,
    /// Steps taken.
    pub step: u64,
    pub(super) config: TrainConfig,
    pub(super) seed: Seed,
    /// Means and variances of gradients, and the running average of the parameters.
    pub(super) moments: [Vec<f32>; 2],
    pub(super) averaged: Vec<f32>,
    slots: Vec<Slot>,
}

/// What one shop of a step needs.
#[derive(Debug, Default)]
struct Slot {
    ws: Workspace,
    gradient: Vec<f32>,
    losses: Losses,
}

/// What a step tells.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct StepReport {
    /// Steps taken, this one included.
    pub step: u64,
    /// Mean losses over the shops of the step.
    pub losses: Losses,
    /// Length of the gradient before it was clipped.
    pub gradient: f32,
    /// The learning rate.
    pub rate: f32,
}

/// The episode of an index of the stream; shops that are too small are passed over.
pub(super) fn episode_of(stream: Stream<'_>, index: u64, config: &EpisodeConfig, seed: Seed) -> Option<Episode> {
    (0..TRIES).find_map(|again| {
        let at = index * TRIES + again;
        Episode::draw(&stream(at), config, seed.derive("draw").at(at))
    })
}

impl Trainer {
    /// Begins: the pieces that numbers are cut into are read off the first shops of the stream.
    pub fn begin(net: NetConfig, config: TrainConfig, seed: Seed, stream: Stream<'_>) -> Trainer {
        let mut rows = Rows::new();
        // shops at the far end of the stream, so that training never meets them
        let first = u64::MAX / TRIES / 2;
        let parts: Vec<Option<Episode>> =
            (0..96).into_par_iter().map(|i| episode_of(stream, first + i, &config.episode, seed)).collect();
        parts.iter().flatten().for_each(|e| rows.append(&e.rows));
        let net = Net::new(net, Pieces::of(&rows.features, ROW_FEATURES.len()), seed);
        let zeros = vec![0.0; net.params.len()];
        let averaged = net.params.values.clone();
        Trainer::at(net, config, seed, 0, [zeros.clone(), zeros], averaged)
    }

    /// The shop of an index that a stream is asked for: where one is too small, the next indices are tried for it.
    pub fn shop_of(index: u64) -> u64 {
        index / TRIES
    }

    /// In the middle of training.
    pub(super) fn at(
        net: Net,
        config: TrainConfig,
        seed: Seed,
        step: u64,
        moments: [Vec<f32>; 2],
        averaged: Vec<f32>,
    ) -> Trainer {
        Trainer { net, step, config, seed, moments, averaged, slots: Vec::new() }
    }

    /// The network with the running average of its parameters: what forecasts best.
    pub fn averaged(&self) -> Net {
        let mut net = self.net.clone();
        net.params.values.copy_from_slice(&self.averaged);
        net
    }

    /// One step over the next shops of the stream.
    pub fn advance(&mut self, stream: Stream<'_>) -> StepReport {
        let (config, seed, step, net) = (&self.config, self.seed, self.step, &self.net);
        self.slots.resize_with(config.shops, Slot::default);
        self.slots.par_iter_mut().enumerate().for_each(|(i, slot)| {
            slot.gradient.clear();
            slot.gradient.resize(net.params.len(), 0.0);
            slot.losses = Losses::default();
            let index = step * config.shops as u64 + i as u64;
            if let Some(episode) = episode_of(stream, index, &config.episode, seed) {
                slot.losses = learn(net, &episode, &mut slot.ws, Some(&mut slot.gradient));
                shorten(&mut slot.gradient, config.shop_clip);
            }
        });
        let share = 1.0 / config.shops as f32;
        let mut losses = Losses::default();
        let (first, rest) = self.slots.split_first_mut().expect("at least one shop a step");
        losses.add(&first.losses, f64::from(share));
        for slot in rest {
            losses.add(&slot.losses, f64::from(share));
            first.gradient.iter_mut().zip(&slot.gradient).for_each(|(a, b)| *a += b);
        }
        first.gradient.iter_mut().for_each(|g| *g *= share);
        let rate = config.schedule.rate(step, config.steps);
        let length = config.optimizer.step(&mut self.net.params, &mut first.gradient, &mut self.moments, step, rate);
        self.step += 1;
        // the average of few steps must forget where it began
        let keep = config.average.min(1.0 - 1.0 / (1.0 + self.step as f32 / 4.0));
        for (a, &p) in self.averaged.iter_mut().zip(&self.net.params.values) {
            *a += (1.0 - keep) * (p - *a);
        }
        StepReport { step: self.step, losses, gradient: length, rate }
    }
}

/// Mean losses of a network over `count` episodes of a stream that is kept for this.
pub fn examine(net: &Net, stream: Stream<'_>, count: u64, config: &EpisodeConfig, seed: Seed) -> Losses {
    let parts: Vec<Losses> = (0..count)
        .into_par_iter()
        .map_init(Workspace::default, |ws, i| {
            episode_of(stream, i, config, seed).map_or_else(Losses::default, |e| learn(net, &e, ws, None))
        })
        .collect();
    let mut mean = Losses::default();
    parts.iter().for_each(|l| mean.add(l, 1.0 / count as f64));
    mean
}

/// One shop forward, and back where a gradient is wanted; mean losses over its customers.
pub(super) fn learn(net: &Net, episode: &Episode, ws: &mut Workspace, gradient: Option<&mut [f32]>) -> Losses {
    let mut tape = Tape::new(&net.params, ws);
    let n = episode.rows.len();
    let mut rows = episode.rows.clone();
    rows.append(&episode.context.rows);
    let scenes: Vec<_> = std::iter::once(&episode.scene).chain(&episode.context.scenes).collect();
    let scene_tokens = net.scenes(&mut tape, &scenes);
    let counts = std::iter::once(n as u32).chain(episode.context.counts.iter().copied());
    let runs: Vec<(u32, u32)> = counts.zip(0..).collect();
    let all = net.encode(&mut tape, &rows, scene_tokens, &runs);
    let encoded = tape.rows(all, 0, n);
    let others = (rows.len() > n).then(|| tape.rows(all, n, rows.len() - n));
    let tokens = net.tokens(&mut tape, others, &episode.context);
    let examples = net.looks_at(&mut tape, tokens);
    let considered = net.consider(&mut tape, encoded, &examples);
    let out = net.say(&mut tape, considered);
    let own = tape.rows(scene_tokens, 0, 1);
    let season = net.season(&mut tape, own);
    let bases: Vec<Basis> = {
        let season = tape.value(season);
        episode.horizons.iter().map(|&h| Basis::new(season, f64::from(h))).collect()
    };
    let mut d_out = vec![0.0; n * OUTPUTS];
    let mut d_season = [0.0; SEASON];
    let mut losses = Losses::default();
    let share = 1.0 / n as f64;
    for i in 0..n {
        let row = &tape.value(out)[i * OUTPUTS..][..OUTPUTS];
        let d = &mut d_out[i * OUTPUTS..][..OUTPUTS];
        let one = loss(row, episode.bases[i], &bases, &episode.truths[i], share, d, &mut d_season);
        losses.add(&one, share);
    }
    if let Some(gradient) = gradient {
        let d_season = d_season.map(|d| d as f32);
        tape.backward(&[(out, &d_out), (season, &d_season)], gradient);
    }
    losses
}
