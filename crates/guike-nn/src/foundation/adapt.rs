//! Learning from a shop when allowed: the last step of the network is fitted to the shop's own earlier anchors.
//!
//! The one idea: everything before the last step stays, so what it makes of each labelled customer is computed once and
//! fitting is a small regression with the loss that the network was trained with. How many steps help is found on the
//! newest anchor; the first round learns only from windows that end before its own begins. When none helps plainly (by more
//! than twice the standard error over customers), nothing is changed. What is learned is who buys more than whom: how much all buy together, how rates fade and the season stay what the network said, because the last
//! windows of one shop say little about a longer horizon and its next season, and whoever uses the model corrects the level
//! with the evidence of a backtest.

use std::sync::Arc;

use guike_core::{Cutoff, FitContext, FitError, Horizon, Purchases, Seed};
use serde::{Deserialize, Serialize};

use super::context::{Look, looks};
use super::forecast::KnownShop;
use super::net::Net;
use super::outlook::{Basis, OUTPUTS, Outlook, SEASON, Truth, keep_fades, loss, shift_level};
use crate::optimizer::AdamW;
use crate::params::{Params, Start};
use crate::tape::{Mat, MatMut, product};
use crate::told::{Base, drawn, happened};

/// How the last step is fitted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdaptConfig {
    /// Most steps.
    pub steps: u32,
    /// Learning rate.
    pub rate: f32,
    /// Most customers per anchor.
    pub customers: usize,
    /// Share by which the loss on the newest anchor must fall for anything to be changed.
    pub gain: f64,
}

impl Default for AdaptConfig {
    fn default() -> AdaptConfig {
        AdaptConfig { steps: 60, rate: 4e-3, customers: 1000, gain: 0.002 }
    }
}

/// The last step as it was fitted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Adapted {
    /// Steps taken.
    steps: u32,
    /// Loss on the newest anchor before and after.
    losses: [f64; 2],
    /// What is added to the parameters of the last step.
    change: Vec<f32>,
}

impl Adapted {
    pub(super) fn in_words(&self) -> String {
        let ([before, after], steps) = (self.losses, self.steps);
        format!(
            "the foundation model's last step was fitted in {steps} steps: loss on the newest anchor, the level apart, \
             {before:.4} before, {after:.4} after"
        )
    }

    pub(super) fn fits(&self, net: &Net) -> bool {
        self.change.len() == net.last_step().iter().map(ExactSizeIterator::len).sum::<usize>()
    }

    /// The network with its last step changed.
    pub(super) fn applied_to(&self, net: &Net) -> Net {
        let mut net = net.clone();
        let at: Vec<usize> = net.last_step().into_iter().flatten().collect();
        for (at, d) in at.into_iter().zip(&self.change) {
            net.params.values[at] += d;
        }
        net
    }
}

/// What came of it.
#[derive(Debug)]
pub(super) enum Adaptation {
    /// The last step was fitted.
    Fitted(Adapted),
    /// Nothing was changed, and why.
    Left(&'static str),
}

/// Why nothing was changed.
const TOO_SHORT: &str = "the foundation model was left as it is: the history is too short for two anchors, one to learn from \
                         and one to judge by";
/// See [`TOO_SHORT`].
const NO_GAIN: &str =
    "the foundation model was left as it is: fitting its last step to earlier anchors did not help on the newest";

/// One anchor as the network sees it just before the last step, and what then happened.
struct Anchor {
    /// n × width.
    considered: Vec<f32>,
    /// 1 × width.
    scene: Vec<f32>,
    bases: Vec<Base>,
    truths: Vec<Truth>,
    window: f64,
    look: Look,
}

/// The parameters of the last step by themselves.
struct LastStep {
    params: Params,
    width: usize,
}

impl LastStep {
    fn of(net: &Net) -> LastStep {
        let mut params = Params::default();
        for (i, range) in net.last_step().into_iter().enumerate() {
            let cols = if i < 2 { OUTPUTS } else { SEASON };
            let id = params.add(&i.to_string(), range.len() / cols, cols, Start::Constant(0.0), Seed(0));
            let own = params.tensor(id).range();
            params.values[own].copy_from_slice(&net.params.values[range]);
        }
        LastStep { params, width: net.config.width }
    }

    /// What is said of every customer of an anchor.
    fn say(&self, anchor: &Anchor) -> (Vec<f32>, Vec<f32>) {
        let affine = |x: &[f32], n: usize, w: usize| {
            let [w, b] = [w, w + 1].map(|i| &self.params.values[self.params.tensors[i].range()]);
            let mut y = b.repeat(n);
            product(Mat::of(x, n, self.width), Mat::of(w, self.width, b.len()), MatMut::of(&mut y, n, b.len()), true);
            y
        };
        (affine(&anchor.considered, anchor.bases.len(), 0), affine(&anchor.scene, 1, 2))
    }

    /// Expected orders and spend of all customers of an anchor within its window.
    fn totals(&self, anchor: &Anchor) -> [f64; 2] {
        let (out, season) = self.say(anchor);
        let basis = Basis::new(&season, anchor.window);
        let mut totals = [0.0; 2];
        for (out, &base) in out.chunks_exact(OUTPUTS).zip(&anchor.bases) {
            let outlook = Outlook::read(out, base);
            let orders = outlook.orders(&basis).expected;
            totals[0] += orders;
            totals[1] += orders * outlook.log_spend.exp();
        }
        totals
    }

    /// The same with all rates and all spends moved by one factor each, so that what are `now` totals become `wanted`.
    fn levelled(&self, now: [f64; 2], wanted: [f64; 2]) -> LastStep {
        let mut moved = LastStep { params: self.params.clone(), width: self.width };
        let log = |to: f64, from: f64| if to > 0.0 && from > 0.0 { (to / from).ln() } else { 0.0 };
        let orders = log(wanted[0], now[0]);
        let bias = moved.params.tensors[1].range();
        shift_level(&mut moved.params.values[bias], orders, log(wanted[1], now[1]) - orders);
        moved
    }

    /// Each customer's loss on an anchor when the level is right, so that only who buys more than whom counts.
    fn losses_at_level(&self, anchor: &Anchor) -> Vec<f64> {
        let happened = anchor
            .truths
            .iter()
            .fold([0.0; 2], |sum, t| [sum[0] + f64::from(t.orders.last().copied().unwrap_or(0)), sum[1] + t.spend]);
        self.levelled(self.totals(anchor), happened).learn(anchor, None)
    }

    /// The loss of each customer of an anchor; adds the gradient of their mean where one is wanted.
    fn learn(&self, anchor: &Anchor, gradient: Option<&mut [f32]>) -> Vec<f64> {
        let (n, width) = (anchor.bases.len(), self.width);
        let [head, bias] = [0, 1].map(|i| self.params.tensors[i].range());
        let (out, season) = self.say(anchor);
        let basis = [Basis::new(&season, anchor.window)];
        let (mut d_out, mut d_season) = (vec![0.0; n * OUTPUTS], [0.0; SEASON]);
        let share = 1.0 / n as f64;
        let mut one = |i: usize| {
            let (row, d) = (&out[i * OUTPUTS..][..OUTPUTS], &mut d_out[i * OUTPUTS..][..OUTPUTS]);
            loss(row, anchor.bases[i], &basis, &anchor.truths[i], share, d, &mut d_season).total()
        };
        let losses = (0..n).map(&mut one).collect();
        if let Some(gradient) = gradient {
            d_out.chunks_exact_mut(OUTPUTS).for_each(keep_fades);
            let dw = MatMut::of(&mut gradient[head], width, OUTPUTS);
            product(Mat::of(&anchor.considered, n, width).t(), Mat::of(&d_out, n, OUTPUTS), dw, true);
            for row in d_out.chunks_exact(OUTPUTS) {
                gradient[bias.clone()].iter_mut().zip(row).for_each(|(a, g)| *a += g);
            }
        }
        losses
    }

    /// `steps` steps over these anchors; after each, `after` sees the parameters.
    fn fit(&mut self, anchors: &[&Anchor], steps: u32, config: &AdaptConfig, mut after: impl FnMut(u32, &LastStep)) {
        let mut moments = [vec![0.0; self.params.len()], vec![0.0; self.params.len()]];
        let optimizer = AdamW { decay: 0.0, ..AdamW::default() };
        let start = self.params.values.clone();
        for step in 0..steps {
            let mut gradient = vec![0.0; self.params.len()];
            anchors.iter().for_each(|a| {
                self.learn(a, Some(&mut gradient));
            });
            let share = 1.0 / anchors.len() as f32;
            // a pull towards what was learned from all other shops
            for ((g, p), s) in gradient.iter_mut().zip(&self.params.values).zip(&start) {
                *g = *g * share + 0.02 * (p - s);
            }
            optimizer.step(&mut self.params, &mut gradient, &mut moments, u64::from(step), config.rate);
            after(step + 1, self);
        }
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Whether customers gain at least so much each, and more than twice the standard error of that.
fn is_plain(gains: &[f64], least: f64) -> bool {
    let (n, gain) = (gains.len() as f64, mean(gains));
    let variance = gains.iter().map(|g| (g - gain).powi(2)).sum::<f64>() / (n - 1.0).max(1.0);
    gain > 0.0 && gain >= least && gain > 2.0 * (variance / n).sqrt()
}

/// Fits the last step to the shop's anchors before `cutoff`.
///
/// # Errors
/// [`FitError::Cancelled`].
pub(super) fn adapt(
    net: &Arc<Net>,
    shop: &Purchases,
    cutoff: Cutoff,
    horizon: Horizon,
    config: &AdaptConfig,
    cx: &FitContext<'_>,
) -> Result<Adaptation, FitError> {
    let end = cutoff.last_day().0;
    let first = (0..shop.len()).filter_map(|i| shop.case(i).0.first()).min();
    let Some(&first) = first.filter(|&&d| d <= end) else { return Ok(Adaptation::Left(TOO_SHORT)) };
    let mut anchors = Vec::new();
    for look in looks(end - first + 1, horizon.days() as i32) {
        cx.progress.check()?;
        let at = cutoff.earlier(look.back as u32);
        let Some(window) = Horizon::from_days(look.window as u32) else { continue };
        let Some(known) = KnownShop::read(net, shop, at, window, cx.seed) else { continue };
        let anchor = at.last_day().0;
        let people: Vec<u32> =
            (0..shop.len() as u32).filter(|&i| shop.case(i as usize).0.first().is_some_and(|&d| d <= anchor)).collect();
        if people.len() < 50 {
            continue;
        }
        let people = drawn(shop, people, anchor, config.customers, cx.seed.derive("adapt").at(look.back as u64));
        let people: Vec<usize> = people.into_iter().map(|i| i as usize).collect();
        let cases = shop.take(&people);
        let (considered, bases) = known.consider(&cases);
        let truths = people
            .iter()
            .map(|&i| {
                let (day, spend) = shop.case(i);
                let (orders, spent) = happened(day, spend, anchor, look.window);
                Truth { orders: vec![orders], spend: spent / known.median_spend(), alive: None }
            })
            .collect();
        let scene = known.scene().to_vec();
        anchors.push(Anchor { considered, scene, bases, truths, window: f64::from(look.window), look });
    }
    let Some((newest, others)) = anchors.split_first() else { return Ok(Adaptation::Left(TOO_SHORT)) };
    // what happened in the window that judges may not have been learned from
    let older: Vec<&Anchor> = others.iter().filter(|a| a.look.back - a.look.window >= newest.look.back).collect();
    if older.is_empty() {
        return Ok(Adaptation::Left(TOO_SHORT));
    }
    let start = LastStep::of(net);
    let before = start.losses_at_level(newest);
    let mut best = (0, before.clone());
    LastStep::of(net).fit(&older, config.steps, config, |step, now| {
        let losses = now.losses_at_level(newest);
        if mean(&losses) < mean(&best.1) {
            best = (step, losses);
        }
    });
    let gains: Vec<f64> = before.iter().zip(&best.1).map(|(b, a)| b - a).collect();
    let (before, steps, after) = (mean(&before), best.0, mean(&best.1));
    if !is_plain(&gains, config.gain * before) {
        return Ok(Adaptation::Left(NO_GAIN));
    }
    cx.progress.check()?;
    let all: Vec<&Anchor> = anchors.iter().collect();
    let mut last = LastStep::of(net);
    last.fit(&all, steps, config, |_, _| {});
    let totals =
        |of: &LastStep| anchors.iter().map(|a| of.totals(a)).fold([0.0; 2], |sum, t| [sum[0] + t[0], sum[1] + t[1]]);
    let last = last.levelled(totals(&last), totals(&start));
    let change = last.params.values.iter().zip(&start.params.values).map(|(a, b)| a - b).collect();
    Ok(Adaptation::Fitted(Adapted { steps, losses: [before, after], change }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gain_that_chance_explains_is_none() {
        let alike: Vec<f64> = (0..100).map(|i| 0.05 + 0.01 * f64::from(i % 3)).collect();
        assert!(is_plain(&alike, 0.01));
        assert!(!is_plain(&alike, 0.1), "too little");
        let scattered: Vec<f64> = (0..100).map(|i| 0.05 + if i % 2 == 0 { 2.0 } else { -2.0 }).collect();
        assert!(!is_plain(&scattered, 0.01), "one half gains what the other loses");
        assert!(!is_plain(&[0.0; 100], 0.0) && !is_plain(&[-0.1; 100], 0.0));
    }
}
