//! Training on one shop: a few networks from different starts, each until customers kept aside get worse.

use guike_core::{Cancelled, Progress, Seed};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::lessons::Lessons;
use super::net::{DeepNet, Reading};
use super::value::{Said, ValueHead, loss};
use crate::descend::{Dropout, Pace, Split, Step, descend};
use crate::params::Params;
use crate::tape::{Tape, Workspace};
use crate::told::Pieces;

/// How deep learners learn.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeepConfig {
    /// Networks of an ensemble.
    pub members: usize,
    /// Most passes over the customers that are learned from.
    pub epochs: usize,
    /// Passes without getting better after which a network stops.
    pub patience: usize,
    /// Customers per step.
    pub batch: usize,
    /// Most labelled customers, all anchors together.
    pub rows: usize,
    /// Numbers per customer inside.
    pub width: usize,
    /// Residual blocks.
    pub blocks: usize,
    /// Highest learning rate.
    pub rate: f32,
    /// Shrinkage of matrices per unit of learning rate.
    pub decay: f32,
    /// Share of numbers that are dropped while learning.
    pub dropout: f32,
}

impl Default for DeepConfig {
    fn default() -> DeepConfig {
        DeepConfig {
            members: 4,
            epochs: 24,
            patience: 4,
            batch: 128,
            rows: 12_000,
            width: 64,
            blocks: 2,
            rate: 2e-3,
            decay: 0.1,
            dropout: 0.15,
        }
    }
}

impl DeepConfig {
    fn pace(&self) -> Pace {
        let DeepConfig { epochs, patience, batch, rate, decay, dropout, .. } = *self;
        Pace { epochs, patience, batch, rate, decay, dropout }
    }
}

/// Customers that are asked about together.
pub(super) const TOGETHER: usize = 256;

/// An ensemble and the level it was set to.
#[derive(Debug, Clone)]
pub(super) struct Fit {
    pub(super) net: DeepNet,
    pub(super) members: Vec<Params>,
    pub(super) level: Level,
    /// Passes of each member.
    pub(super) passes: Vec<usize>,
}

/// What is added to the logarithms of odds, orders, and spend of those who buy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Level {
    pub(super) log_odds: f64,
    pub(super) log_orders: f64,
    pub(super) log_spend: f64,
}

/// Fits an ensemble; members learn at the same time, each on one thread.
pub(super) fn fit(
    lessons: &Lessons,
    pieces: &Pieces,
    (reading, head): (Reading, ValueHead),
    config: &DeepConfig,
    seed: Seed,
    progress: &dyn Progress,
) -> Result<Fit, Cancelled> {
    let (net, _) = DeepNet::new(reading, head, config, seed);
    let split = Split { learned: &lessons.learned, aside: &lessons.aside };
    let one = |i: u64| -> Result<(Params, usize), Cancelled> {
        let seed = seed.derive("member").at(i);
        let (net, params) = DeepNet::new(reading, head, config, seed);
        let learn = |params: &Params, places: &[u32], ws: &mut Workspace, step: Option<Step<'_>>| {
            learn(&net, lessons, pieces, head, (params, places), ws, step)
        };
        descend(params, split, &config.pace(), seed, progress, learn)
    };
    let (members, passes): (Vec<Params>, Vec<usize>) =
        (0..config.members as u64).into_par_iter().map(one).collect::<Result<Vec<_>, _>>()?.into_iter().unzip();
    let aside = lessons.told.take(&lessons.aside);
    let by_member: Vec<Vec<Said>> = members
        .iter()
        .map(|params| {
            let mut ws = Workspace::default();
            let mut tape = Tape::new(params, &mut ws);
            let out = net.say(&mut tape, &aside, pieces, None);
            let out = tape.value(out).chunks_exact(head.outputs());
            let bases = lessons.aside.iter().map(|&p| lessons.bases[p as usize]);
            out.zip(bases).map(|(out, base)| Said::read(head, out, base, f64::from(lessons.window))).collect()
        })
        .collect();
    let said: Vec<Said> =
        (0..aside.len()).map(|i| Said::mean(&by_member.iter().map(|m| m[i]).collect::<Vec<Said>>())).collect();
    Ok(Fit { net, level: level(&said, lessons), members, passes })
}

/// The level at which totals of those aside are what they were; with few who bought, less far from where it was.
fn level(said: &[Said], lessons: &Lessons) -> Level {
    let happened = || lessons.aside.iter().map(|&p| lessons.happened[p as usize]);
    let active = happened().filter(|h| h.orders > 0).count() as f64;
    let trust = active / (active + 30.0);
    let log = |is: f64, of: f64| if is > 0.0 && of > 0.0 { trust * (is / of).ln() } else { 0.0 };
    let orders: f64 = said.iter().map(|s| s.orders).sum();
    // the shift of log-odds that makes the expected number of buyers right, by bisection
    let buyers = |shift: f64| said.iter().map(|s| Said { log_odds: s.log_odds + shift, ..*s }.active()).sum::<f64>();
    let (mut low, mut high) = (-3.0, 3.0);
    for _ in 0..40 {
        let middle = 0.5 * (low + high);
        if buyers(middle) < active { low = middle } else { high = middle }
    }
    let log_odds = trust * 0.5 * (low + high);
    let spend: f64 = said.iter().map(|s| Said { log_odds: s.log_odds + log_odds, ..*s }.active() * s.spend).sum();
    Level {
        log_odds,
        log_orders: log(happened().map(|h| f64::from(h.orders)).sum(), orders),
        log_spend: log(happened().map(|h| h.spend).sum(), spend),
    }
}

/// Mean loss of the customers at these places; adds its gradient in a step of learning.
fn learn(
    net: &DeepNet,
    lessons: &Lessons,
    pieces: &Pieces,
    head: ValueHead,
    (params, places): (&Params, &[u32]),
    ws: &mut Workspace,
    step: Option<Step<'_>>,
) -> f64 {
    let told = lessons.told.take(places);
    let mut tape = Tape::new(params, ws);
    let dropout: Option<Dropout> = step.as_ref().map(|s| s.0);
    let out = net.say(&mut tape, &told, pieces, dropout);
    let outputs = head.outputs();
    let share = 1.0 / places.len() as f64;
    let mut d_out = vec![0.0; places.len() * outputs];
    let mut total = 0.0;
    let rows = tape.value(out).chunks_exact(outputs).zip(d_out.chunks_exact_mut(outputs));
    for ((out, d), &place) in rows.zip(places) {
        let (base, happened) = (lessons.bases[place as usize], lessons.happened[place as usize]);
        total += share * loss(head, out, base, f64::from(lessons.window), happened, share, d);
    }
    if let Some((_, gradient)) = step {
        tape.backward(&[(out, &d_out)], gradient);
    }
    total
}
