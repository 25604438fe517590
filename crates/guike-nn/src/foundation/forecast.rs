//! Reading a shop, and forecasting its customers: one forward pass, nothing is fitted.
//!
//! A shop is read once: its scene, the season it expects, and its labelled examples as the network sees them. Customers
//! then go through the network a few hundred at a time, each batch on a thread of its own, and the same bits come out
//! whoever is beside them.

use std::sync::Arc;

use guike_core::{Cutoff, Forecasts, Horizon, INTERVAL_LEVELS, Purchases, Quantiles, Seed, normal_quantile};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::context::{Context, looks};
use super::net::Net;
use super::outlook::{Basis, OUTPUTS, Outlook};
use crate::tape::{Tape, Var, Workspace};
use crate::told::{Base, Rows, Scene};

/// Labelled rows a shop is read with; more cost time for every customer and were never met in training.
const EXAMPLES: usize = 320;
/// Customers that go through the network together: their numbers stay in the cache.
const BATCH: usize = 256;
/// Days at which the chance of no order yet is looked at, for the median wait: 1.15 apart.
const WAITS: usize = 60;

/// What is kept of a shop that was read: everything a forecast needs besides the network and the customer herself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Read {
    scene: Scene,
    /// Examples as the network sees them: rows × width.
    tokens: Vec<f32>,
}

impl Read {
    /// Whether this is of a shop that a network of these sizes has read.
    pub(super) fn fits(&self, net: &Net) -> bool {
        let width = net.config.width;
        self.scene.fits() && !self.tokens.is_empty() && self.tokens.len().is_multiple_of(width)
    }
}

/// A shop as the network knows it.
#[derive(Debug, Clone)]
pub struct KnownShop {
    net: Arc<Net>,
    read: Read,
    season: Vec<f32>,
    /// The scene as the network sees it: 1 × width.
    scene: Vec<f32>,
    /// Keys and values of the examples, for each look.
    examples: Vec<[Vec<f32>; 2]>,
}

impl KnownShop {
    /// Reads a shop as of a cutoff, with a horizon in view; `None` when nobody has bought by then.
    ///
    /// Purchase days after the cutoff are passed over. `seed` draws the labelled rows.
    pub fn read(net: &Arc<Net>, shop: &Purchases, cutoff: Cutoff, horizon: Horizon, seed: Seed) -> Option<KnownShop> {
        let anchor = cutoff.last_day().0;
        let scene = Scene::read(shop, anchor)?;
        let looks = looks(scene.history_days() as i32, horizon.days() as i32);
        let context = Context::draw(shop, anchor, &looks, EXAMPLES, seed.derive("examples"));
        let mut ws = Workspace::default();
        let mut tape = Tape::new(&net.params, &mut ws);
        let encoded = if context.rows.len() > 0 {
            let scenes: Vec<&Scene> = context.scenes.iter().collect();
            let scenes = net.scenes(&mut tape, &scenes);
            let runs: Vec<(u32, u32)> = context.counts.iter().copied().zip(0..).collect();
            Some(net.encode(&mut tape, &context.rows, scenes, &runs))
        } else {
            None
        };
        let tokens = net.tokens(&mut tape, encoded, &context);
        let tokens = tape.value(tokens).to_vec();
        Some(KnownShop::of(Arc::clone(net), Read { scene, tokens }))
    }

    /// From what was kept of it.
    pub(super) fn of(net: Arc<Net>, read: Read) -> KnownShop {
        let mut ws = Workspace::default();
        let mut tape = Tape::new(&net.params, &mut ws);
        let scene = net.scenes(&mut tape, &[&read.scene]);
        let season = net.season(&mut tape, scene);
        let width = net.config.width;
        let tokens = tape.input(read.tokens.len() / width, width, |v| v.copy_from_slice(&read.tokens));
        let examples = net.looks_at(&mut tape, tokens);
        let examples = examples.iter().map(|&(k, v)| [k, v].map(|x| tape.value(x).to_vec())).collect();
        let (season, scene) = (tape.value(season).to_vec(), tape.value(scene).to_vec());
        KnownShop { net, read, season, scene, examples }
    }

    /// What to keep of it.
    pub(super) fn kept(&self) -> &Read {
        &self.read
    }

    /// The rate curves of these customers.
    fn ask(&self, cases: &Purchases, from: usize, to: usize, ws: &mut Workspace) -> Vec<Outlook> {
        let (mut tape, considered, bases) = self.considered(cases, from, to, ws);
        let out = self.net.say(&mut tape, considered);
        let out = tape.value(out);
        bases.iter().zip(out.chunks_exact(OUTPUTS)).map(|(&base, out)| Outlook::read(out, base)).collect()
    }

    /// Customers just before the last step, and what is said is relative to.
    fn considered<'w>(
        &'w self,
        cases: &Purchases,
        from: usize,
        to: usize,
        ws: &'w mut Workspace,
    ) -> (Tape<'w>, Var, Vec<Base>) {
        let (net, scene) = (&self.net, &self.read.scene);
        let mut rows = Rows::new();
        let mut bases = Vec::with_capacity(to - from);
        for i in from..to {
            let (day, spend) = cases.case(i);
            // at least the first: whoever is asked about has bought
            let n = day.partition_point(|&d| d <= scene.anchor).max(1);
            rows.push(&day[..n], &spend[..n], scene);
            bases.push(Base::of(&day[..n], &spend[..n], scene.anchor, scene.log_spend));
        }
        let width = net.config.width;
        let mut tape = Tape::new(&net.params, ws);
        let mut given = |x: &[f32]| tape.input(x.len() / width, width, |v| v.copy_from_slice(x));
        let scene = given(&self.scene);
        let examples: Vec<(Var, Var)> = self.examples.iter().map(|[k, v]| (given(k), given(v))).collect();
        let encoded = net.encode(&mut tape, &rows, scene, &[((to - from) as u32, 0)]);
        let considered = net.consider(&mut tape, encoded, &examples);
        (tape, considered, bases)
    }

    /// All customers just before the last step, n × width, and what is said of them is relative to.
    pub(super) fn consider(&self, cases: &Purchases) -> (Vec<f32>, Vec<Base>) {
        let n = cases.len();
        let batch = |ws: &mut Workspace, b: usize| {
            let (tape, considered, bases) = self.considered(cases, b * BATCH, n.min((b + 1) * BATCH), ws);
            (tape.value(considered).to_vec(), bases)
        };
        let parts: Vec<(Vec<f32>, Vec<Base>)> =
            (0..n.div_ceil(BATCH)).into_par_iter().map_init(Workspace::default, batch).collect();
        let (rows, bases): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
        (rows.concat(), bases.concat())
    }

    /// The scene as the network sees it: 1 × width.
    pub(super) fn scene(&self) -> &[f32] {
        &self.scene
    }

    /// Currency units of a median purchase day.
    pub(super) fn median_spend(&self) -> f64 {
        self.read.scene.log_spend.exp()
    }

    /// Forecasts of customers, in their order; each has a purchase day by the cutoff the shop was read at.
    pub fn forecast(&self, cases: &Purchases, cutoff: Cutoff, horizon: Horizon) -> Forecasts {
        let moved;
        let this = match cutoff.last_day().0 == self.read.scene.anchor {
            true => self,
            false => {
                moved = self.moved_to(cutoff);
                &moved
            }
        };
        let n = cases.len();
        let days = f64::from(horizon.days());
        let basis = Basis::new(&this.season, days);
        let waits: Vec<(f64, Basis)> =
            (0..WAITS).map(|i| 1.15_f64.powi(i as i32)).map(|days| (days, Basis::new(&this.season, days))).collect();
        let median = self.read.scene.log_spend.exp();
        let parts: Vec<Forecasts> = (0..n.div_ceil(BATCH))
            .into_par_iter()
            .map_init(Workspace::default, |ws, batch| {
                let (from, to) = (batch * BATCH, n.min((batch + 1) * BATCH));
                let mut part = nothing(horizon);
                for outlook in this.ask(cases, from, to, ws) {
                    let orders = outlook.orders(&basis);
                    part.expected_orders.push(orders.expected);
                    part.expected_spend.push(orders.expected * outlook.log_spend.exp() * median);
                    part.p_active.push(orders.active);
                    part.next_order_days.push(median_wait(&outlook, &waits));
                    let quantile = |&level: &f64| median * outlook.spend_quantile(orders, level, normal_quantile);
                    part.spend.values.extend(INTERVAL_LEVELS.iter().map(quantile));
                }
                part
            })
            .collect();
        let mut all = nothing(horizon);
        for part in parts {
            all.expected_orders.extend(part.expected_orders);
            all.expected_spend.extend(part.expected_spend);
            all.p_active.extend(part.p_active);
            all.next_order_days.extend(part.next_order_days);
            all.spend.values.extend(part.spend.values);
        }
        all
    }

    /// The same shop as of another day: what is told of it stays, and the calendar moves.
    fn moved_to(&self, cutoff: Cutoff) -> KnownShop {
        let mut read = self.read.clone();
        read.scene.move_to(cutoff.last_day().0);
        KnownShop::of(Arc::clone(&self.net), read)
    }

    /// P(has not left for good) by customer.
    pub fn alive(&self, cases: &Purchases) -> Vec<f64> {
        let n = cases.len();
        let batches = (0..n.div_ceil(BATCH)).into_par_iter();
        let ask = |ws: &mut Workspace, batch: usize| self.ask(cases, batch * BATCH, n.min((batch + 1) * BATCH), ws);
        batches.map_init(Workspace::default, ask).flatten_iter().map(|o| o.alive()).collect()
    }
}

pub(crate) fn nothing(horizon: Horizon) -> Forecasts {
    Forecasts {
        horizon,
        expected_orders: Vec::new(),
        expected_spend: Vec::new(),
        p_active: Vec::new(),
        next_order_days: Vec::new(),
        spend: Quantiles { levels: INTERVAL_LEVELS.to_vec(), values: Vec::new() },
    }
}

/// When it is as likely as not that an order has come; infinite where that takes more than ten years.
fn median_wait(outlook: &Outlook, waits: &[(f64, Basis)]) -> f64 {
    let at = waits.partition_point(|(_, basis)| outlook.orders(basis).active < 0.5);
    let Some((to, basis)) = waits.get(at) else { return f64::INFINITY };
    let high = outlook.orders(basis).active;
    let (from, low) = match at.checked_sub(1) {
        Some(before) => (waits[before].0, outlook.orders(&waits[before].1).active),
        None => (0.0, 0.0),
    };
    from + (to - from) * (0.5 - low) / (high - low)
}
