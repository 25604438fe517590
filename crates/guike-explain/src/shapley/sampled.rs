//! Permutations are drawn, each with its reverse: unbiased, with an error that can be told.
//!
//! The one idea: a draw's attributions add up to f(case) − f(its background case), and the mean of f over the background is
//! known. So that total is a control variate: regressing on it makes the sum exact and takes its share out of the error.

use rand::seq::SliceRandom;

use crate::error::ExplainError;

use super::coalition::Coalition;
use super::{Asked, BATCH, Found, Game, Hybrid};

/// Pairs of a turn, at most.
const MOST_PER_TURN: usize = 3;

/// Draws that are made however few calls are allowed: a standard error wants that many.
const LEAST_PAIRS: usize = 16;

/// Draws permutations until the calls are used up.
///
/// Every background case has the same number of pairs, so that the background is averaged out and only the orders are left
/// to chance; where the calls do not last for one pair each, a random part of the background has one. Turns have two or three
/// pairs where that is possible: how far these stand apart tells the error.
pub(super) fn sampled<E, F>(asked: &mut Asked<F>, game: &Game, background: &[usize]) -> Result<Found, E>
where
    E: From<ExplainError>,
    F: FnMut(&[Hybrid]) -> Result<Vec<f64>, E>,
{
    let (p, k, n_background) = (asked.n_groups, asked.n_outputs, background.len());
    let whole = asked.batch(&[Hybrid { coalition: Coalition::of(p, 0..p), background: background[0] }])?;
    let mut empty = Vec::with_capacity(n_background * k);
    let nothing = Coalition::of(p, []);
    let none = background.iter().map(|&b| Hybrid { coalition: nothing.clone(), background: b });
    asked.each(none, |_, outputs| empty.extend_from_slice(outputs))?;

    // the ends of both permutations are known, so a pair costs 2 (p − 1) calls
    let per_pair = 2 * (p - 1);
    let n_pairs = (game.calls.saturating_sub(asked.calls) / per_pair).max(LEAST_PAIRS);
    let rounds = rounds(n_pairs / n_background);
    let n_turns = if n_pairs < n_background { n_pairs } else { rounds.len() * n_background };
    let mut moments = vec![Moments::default(); k * p];
    let mut places: Vec<usize> = (0..n_background).collect();
    let seed = game.seed.derive("permutations");
    let together = (BATCH / (per_pair * rounds[0])).max(1);
    let mut values = vec![vec![0.0; p]; MOST_PER_TURN];
    let mut n_drawn = 0;
    for from in (0..n_turns).step_by(together) {
        let mut turns = Vec::with_capacity(together);
        let mut hybrids = Vec::with_capacity(together * rounds[0] * per_pair);
        for turn in from..(from + together).min(n_turns) {
            let round = turn / n_background;
            if turn % n_background == 0 {
                places.shuffle(&mut seed.derive("turns").at(round as u64).rng());
            }
            let place = places[turn % n_background];
            let orders: Vec<Vec<usize>> =
                (n_drawn..n_drawn + rounds[round]).map(|at| order(p, seed.at(at as u64))).collect();
            n_drawn += orders.len();
            for order in &orders {
                for size in 1..p {
                    for groups in [&order[..size], &order[p - size..]] {
                        let coalition = Coalition::of(p, groups.iter().copied());
                        hybrids.push(Hybrid { coalition, background: background[place] });
                    }
                }
            }
            turns.push((place, orders));
        }
        let mut said = Vec::with_capacity(hybrids.len() * k);
        asked.each(hybrids.into_iter(), |_, outputs| said.extend_from_slice(outputs))?;
        let mut said = said.chunks_exact(per_pair * k);
        for (place, orders) in &turns {
            let said: Vec<&[f64]> = said.by_ref().take(orders.len()).collect();
            for output in 0..k {
                let (first, last) = (empty[place * k + output], whole[output]);
                for ((order, said), values) in orders.iter().zip(&said).zip(&mut values) {
                    pair_values(order, first, last, |at| said[at * k + output], values);
                }
                for (j, m) in moments[output * p..(output + 1) * p].iter_mut().enumerate() {
                    m.add(values[..orders.len()].iter().map(|v| v[j]), last - first);
                }
            }
        }
    }
    let expected: Vec<f64> =
        (0..k).map(|o| empty.iter().skip(o).step_by(k).sum::<f64>() / n_background as f64).collect();
    let (mut values, mut errors) = (Vec::with_capacity(k * p), Vec::with_capacity(k * p));
    for output in 0..k {
        let total = whole[output] - expected[output];
        for m in &moments[output * p..(output + 1) * p] {
            let slope = m.slope(p);
            values.push(m.mean_v + slope * (total - m.mean_t));
            errors.push(m.error());
        }
    }
    Ok((expected, values, errors))
}

/// By round, the pairs of a turn, for `m` pairs per background case in all: twos, and a three where m is odd.
fn rounds(m: usize) -> Vec<usize> {
    match m {
        0 | 1 => vec![1],
        _ => {
            let mut rounds = vec![2; m / 2];
            rounds[0] += m % 2;
            rounds
        }
    }
}

fn order(p: usize, seed: guike_core::Seed) -> Vec<usize> {
    let mut order: Vec<usize> = (0..p).collect();
    order.shuffle(&mut seed.rng());
    order
}

/// What each group adds, the mean of an order and its reverse. `said(2 (s − 1) + r)` is the output with the first s groups
/// of the order (r = 0) or of its reverse (r = 1).
fn pair_values(order: &[usize], first: f64, last: f64, said: impl Fn(usize) -> f64, values: &mut [f64]) {
    let p = order.len();
    let path = |size: usize, reverse: usize| match size {
        0 => first,
        s if s == p => last,
        s => said(2 * (s - 1) + reverse),
    };
    for (at, &group) in order.iter().enumerate() {
        let back = p - 1 - at;
        values[group] = 0.5 * (path(at + 1, 0) - path(at, 0) + path(back + 1, 1) - path(back, 1));
    }
}

/// Running means, squares and products of a group's values v and their totals t (Welford 1962).
#[derive(Debug, Clone, Default)]
struct Moments {
    n: f64,
    mean_v: f64,
    mean_t: f64,
    vv: f64,
    vt: f64,
    tt: f64,
    /// Squared distances of values from the mean of their turn, and how many of them are free.
    within: f64,
    free: f64,
}

impl Moments {
    /// Adds the values of a turn.
    fn add(&mut self, values: impl ExactSizeIterator<Item = f64> + Clone, t: f64) {
        let size = values.len() as f64;
        let centre = values.clone().sum::<f64>() / size;
        self.free += size - 1.0;
        for v in values {
            self.n += 1.0;
            let (dv, dt) = (v - self.mean_v, t - self.mean_t);
            self.mean_v += dv / self.n;
            self.mean_t += dt / self.n;
            self.vv += dv * (v - self.mean_v);
            self.vt += dv * (t - self.mean_t);
            self.tt += dt * (t - self.mean_t);
            self.within += (v - centre).powi(2);
        }
    }

    /// How v moves with t. The values of a draw's groups add up to t, so the slopes add up to one, and the results to the
    /// known total. Where t never varied the groups share alike what is missing.
    fn slope(&self, n_groups: usize) -> f64 {
        if self.tt > 0.0 { self.vt / self.tt } else { 1.0 / n_groups as f64 }
    }

    /// The standard error: of a stratified sample where turns have several pairs (Cochran 1977, eq. 5.13); else that of draws
    /// of their own after the regression on t, too large where most of the background had its turn.
    fn error(&self) -> f64 {
        let variance = if self.free > 0.0 {
            self.within / self.free
        } else {
            let explained = if self.tt > 0.0 { self.vt * self.vt / self.tt } else { 0.0 };
            (self.vv - explained).max(0.0) / (self.n - 2.0)
        };
        (variance / self.n).sqrt()
    }
}
