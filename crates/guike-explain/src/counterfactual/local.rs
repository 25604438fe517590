//! A good combination where the best is too far to be found by cost: greedy steps, random combinations, then making them
//! smaller.

use guike_core::Seed;
use rand::RngExt;

use super::{Asked, ExplainError};

/// Values of a lever that a greedy step looks at.
const LOOKED_AT: u32 = 24;

/// A combination that reaches the goal and its prediction, or `None`.
pub(super) fn search<E, F>(asked: &mut Asked<'_, F>, now: f64, seed: Seed) -> Result<Option<(Vec<u32>, f64)>, E>
where
    E: From<ExplainError>,
    F: FnMut(&[Vec<f64>]) -> Result<Vec<f64>, E>,
{
    let keep = asked.left() / 2;
    let greedy = greedy(asked, now, keep)?;
    let drawn = drawn(asked, seed, keep)?;
    let cost = |found: &(Vec<u32>, f64)| asked.levers.cost(&found.0);
    let Some(best) = greedy.into_iter().chain(drawn).min_by(|a, b| cost(a).total_cmp(&cost(b))) else {
        return Ok(None);
    };
    smaller(asked, best).map(Some)
}

/// Moves one lever after the other, each time where most is won per cost.
fn greedy<E, F>(asked: &mut Asked<'_, F>, now: f64, keep: usize) -> Result<Option<(Vec<u32>, f64)>, E>
where
    E: From<ExplainError>,
    F: FnMut(&[Vec<f64>]) -> Result<Vec<f64>, E>,
{
    let (levers, goal) = (asked.levers, asked.goal);
    let mut at = (vec![0; levers.len()], now);
    loop {
        let n_changes = at.0.iter().filter(|&&v| v > 0).count();
        let open = (0..levers.len()).filter(|&l| at.0[l] > 0 || n_changes < levers.most_changes);
        let next: Vec<Vec<u32>> = open
            .flat_map(|l| looked_at(at.0[l], levers.n_values(l)).map(move |v| (l, v)))
            .map(|(l, v)| with(&at.0, l, v))
            .collect();
        if next.is_empty() || asked.left() < keep + next.len() {
            return Ok(None);
        }
        let said = asked.batch(&next)?;
        let (missing, spent) = (goal.missing(at.1), levers.cost(&at.0));
        let worth = |i: usize| {
            // what is won beyond the goal is worth nothing
            let won = missing - goal.missing(said[i]).max(0.0);
            won / (levers.cost(&next[i]) - spent).max(f64::MIN_POSITIVE)
        };
        let best = (0..next.len()).max_by(|&a, &b| worth(a).total_cmp(&worth(b)).then(b.cmp(&a)));
        let best = best.expect("next is not empty");
        if worth(best) <= 0.0 {
            return Ok(None);
        }
        at = (next[best].clone(), said[best]);
        if goal.missing(at.1) <= 0.0 {
            return Ok(Some(at));
        }
    }
}

/// Values beyond the present one, near ones all and far ones at growing distances, the farthest included.
fn looked_at(from: u32, n: u32) -> impl Iterator<Item = u32> {
    let room = n.saturating_sub(from);
    let ratio = f64::from(room.max(1)).powf(1.0 / f64::from(LOOKED_AT));
    let mut last = 0;
    (1..=LOOKED_AT).filter_map(move |i| {
        let step = (ratio.powi(i as i32).round() as u32).max(last + 1).min(room);
        let new = step > last;
        last = last.max(step);
        new.then_some(from + step)
    })
}

/// The cheapest of random combinations that reaches the goal: finds levers that do nothing but together.
fn drawn<E, F>(asked: &mut Asked<'_, F>, seed: Seed, keep: usize) -> Result<Option<(Vec<u32>, f64)>, E>
where
    E: From<ExplainError>,
    F: FnMut(&[Vec<f64>]) -> Result<Vec<f64>, E>,
{
    let levers = asked.levers;
    let rng = &mut seed.derive("counterfactual").rng();
    let movable: Vec<usize> = (0..levers.len()).filter(|&l| levers.n_values(l) > 0).collect();
    let most = levers.most_changes.min(movable.len());
    let n = asked.left().saturating_sub(keep);
    let states: Vec<Vec<u32>> = (0..n)
        .map(|_| {
            let mut state = vec![0; levers.len()];
            let n_changes = rng.random_range(1..=most);
            for i in rand::seq::index::sample(rng, movable.len(), n_changes) {
                state[movable[i]] = rng.random_range(1..=levers.n_values(movable[i]));
            }
            state
        })
        .collect();
    let said = asked.batch(&states)?;
    let reached = states.into_iter().zip(said).filter(|(_, v)| asked.goal.missing(*v) <= 0.0);
    Ok(reached.min_by(|a, b| levers.cost(&a.0).total_cmp(&levers.cost(&b.0))))
}

/// Takes back what is not needed, and trades a lever's move for a smaller one with a bit more of another, while it helps.
fn smaller<E, F>(asked: &mut Asked<'_, F>, mut best: (Vec<u32>, f64)) -> Result<(Vec<u32>, f64), E>
where
    E: From<ExplainError>,
    F: FnMut(&[Vec<f64>]) -> Result<Vec<f64>, E>,
{
    let levers = asked.levers;
    loop {
        let spent = levers.cost(&best.0);
        let mut next = Vec::new();
        for lever in (0..levers.len()).filter(|&l| best.0[l] > 0) {
            let at = best.0[lever];
            for less in [0, at / 2, at - at.div_ceil(4), at - at.div_ceil(16), at.saturating_sub(2), at - 1] {
                let state = with(&best.0, lever, less);
                for other in (0..levers.len()).filter(|&o| o != lever && state[o] < levers.n_values(o)) {
                    let (from, room) = (state[other], levers.n_values(other) - state[other]);
                    let steps = [1, 2, (at - less).div_ceil(2), at - less];
                    next.extend(steps.into_iter().filter(|s| *s <= room).map(|s| with(&state, other, from + s)));
                }
                next.push(state);
            }
        }
        let few_enough = |s: &Vec<u32>| s.iter().filter(|&&v| v > 0).count() <= levers.most_changes;
        next.retain(|s| few_enough(s) && levers.cost(s) < spent);
        next.sort_by(|a, b| levers.cost(a).total_cmp(&levers.cost(b)).then_with(|| a.cmp(b)));
        next.dedup();
        next.truncate(asked.left());
        let said = asked.batch(&next)?;
        let reached = said.iter().position(|&v| asked.goal.missing(v) <= 0.0);
        let Some(at) = reached else { return Ok(best) };
        best = (next.swap_remove(at), said[at]);
    }
}

fn with(state: &[u32], lever: usize, at: u32) -> Vec<u32> {
    let mut state = state.to_vec();
    state[lever] = at;
    state
}
