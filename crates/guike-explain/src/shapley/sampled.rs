//! Permutations are drawn, each with its reverse: unbiased, with an error that can be told.
//!
//! The one idea: a draw's attributions add up to f(case) − f(its background case), and the mean of f over the background is
//! known. So that total is a control variate: regressing on it makes the sum exact and takes its share out of the error.

use rand::seq::SliceRandom;

use crate::error::ExplainError;

use super::coalition::Coalition;
use super::{Asked, BATCH, Found, Game, Hybrid};

/// Draws that are made however few calls are allowed: a standard error wants that many.
const LEAST_PAIRS: usize = 16;

/// Draws permutations until the calls are used up.
///
/// Background cases take turns in a shuffled order, so that each is used equally often. Where the calls allow, a turn has
/// two pairs: how far these stand apart tells the error that is left when the background is averaged out.
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
    let per_turn = if n_pairs >= 2 * n_background { 2 } else { 1 };
    let n_turns = n_pairs / per_turn;
    let mut moments = vec![Moments::default(); k * p];
    let mut places: Vec<usize> = (0..n_background).collect();
    let seed = game.seed.derive("permutations");
    let together = (BATCH / (per_pair * per_turn)).max(1);
    let mut values = [vec![0.0; p], vec![0.0; p]];
    for from in (0..n_turns).step_by(together) {
        let mut turns = Vec::with_capacity(together);
        let mut hybrids = Vec::with_capacity(together * per_turn * per_pair);
        for turn in from..(from + together).min(n_turns) {
            if turn % n_background == 0 {
                places.shuffle(&mut seed.derive("turns").at((turn / n_background) as u64).rng());
            }
            let place = places[turn % n_background];
            let orders: Vec<Vec<usize>> =
                (0..per_turn).map(|i| order(p, seed.at((turn * per_turn + i) as u64))).collect();
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
        for ((place, orders), said) in turns.iter().zip(said.chunks_exact(per_turn * per_pair * k)) {
            for output in 0..k {
                let (first, last) = (empty[place * k + output], whole[output]);
                for ((order, said), values) in orders.iter().zip(said.chunks_exact(per_pair * k)).zip(&mut values) {
                    pair_values(order, first, last, |at| said[at * k + output], values);
                }
                for (j, m) in moments[output * p..(output + 1) * p].iter_mut().enumerate() {
                    m.add(values[0][j], values[per_turn - 1][j], last - first);
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
            errors.push(if per_turn == 2 { m.error_of_two(n_background) } else { m.error_of_one() });
        }
    }
    Ok((expected, values, errors))
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

/// Running means, squares and products of a group's values v by turn and their totals t (Welford 1962).
#[derive(Debug, Clone, Default)]
struct Moments {
    n: f64,
    mean_v: f64,
    mean_t: f64,
    vv: f64,
    vt: f64,
    tt: f64,
    /// Squared distances of the two values of a turn.
    apart: f64,
}

impl Moments {
    /// Adds a turn: its two values, the same twice where there is but one.
    fn add(&mut self, v1: f64, v2: f64, t: f64) {
        self.n += 1.0;
        let v = 0.5 * (v1 + v2);
        let (dv, dt) = (v - self.mean_v, t - self.mean_t);
        self.mean_v += dv / self.n;
        self.mean_t += dt / self.n;
        self.vv += dv * (v - self.mean_v);
        self.vt += dv * (t - self.mean_t);
        self.tt += dt * (t - self.mean_t);
        self.apart += (v1 - v2).powi(2);
    }

    /// How v moves with t. The values of a turn's groups add up to t, so the slopes add up to one, and the results to the
    /// known total. Where t never varied the groups share alike what is missing.
    fn slope(&self, n_groups: usize) -> f64 {
        if self.tt > 0.0 { self.vt / self.tt } else { 1.0 / n_groups as f64 }
    }

    /// The variance of v between turns that t does not explain.
    fn between(&self) -> f64 {
        let explained = if self.tt > 0.0 { self.vt * self.vt / self.tt } else { 0.0 };
        (self.vv - explained).max(0.0) / (self.n - 2.0)
    }

    /// The standard error when every turn is a draw of its own; too large where most of the background had its turn.
    fn error_of_one(&self) -> f64 {
        (self.between() / self.n).sqrt()
    }

    /// The standard error when turns have two pairs and every background case had as many turns as any other, but for the
    /// last, incomplete round (two-stage sampling, Cochran 1977, eq. 10.15).
    fn error_of_two(&self, n_background: usize) -> f64 {
        // of the mean of a turn's two pairs, for a given background case
        let within = self.apart / (4.0 * self.n);
        let (all, round) = (n_background as f64, self.n % n_background as f64);
        let between = (self.between() - within).max(0.0);
        ((within + between * round / self.n * (1.0 - round / all)) / self.n).sqrt()
    }
}
