//! Every coalition is asked: the Shapley value by its definition.

use crate::error::ExplainError;

use super::coalition::Coalition;
use super::{Asked, Found, Hybrid};

/// Shapley's own formula over the mean outputs of all coalitions.
///
/// # Source
/// Shapley (1953), *A value for n-person games*, eq. 12.
pub(super) fn exact<E, F>(asked: &mut Asked<F>, background: &[usize]) -> Result<Found, E>
where
    E: From<ExplainError>,
    F: FnMut(&[Hybrid]) -> Result<Vec<f64>, E>,
{
    let (p, k) = (asked.n_groups, asked.n_outputs);
    let all = 1_usize << p;
    // the background does not matter where every group comes from the case
    let used = |mask: usize| if mask + 1 == all { &background[..1] } else { background };
    let hybrids = (0..all).flat_map(|mask| {
        let coalition = Coalition::of(p, (0..p).filter(|j| mask >> j & 1 == 1));
        used(mask).iter().map(move |&b| Hybrid { coalition: coalition.clone(), background: b })
    });
    let mut game = vec![0.0; all * k];
    let mut at = 0;
    let mut left = used(0).len();
    asked.each(hybrids, |_, outputs| {
        for (sum, v) in game[at * k..(at + 1) * k].iter_mut().zip(outputs) {
            *sum += v;
        }
        left -= 1;
        if left == 0 {
            game[at * k..(at + 1) * k].iter_mut().for_each(|v| *v /= used(at).len() as f64);
            at += 1;
            left = used(at.min(all - 1)).len();
        }
    })?;
    let weights = weights(p);
    let mut values = vec![0.0; k * p];
    for j in 0..p {
        for mask in (0..all).filter(|mask| mask >> j & 1 == 0) {
            let weight = weights[mask.count_ones() as usize];
            for output in 0..k {
                values[output * p + j] += weight * (game[(mask | 1 << j) * k + output] - game[mask * k + output]);
            }
        }
    }
    game.truncate(k);
    Ok((game, values, vec![0.0; k * p]))
}

/// s! (p − s − 1)! / p! for s = 0 … p − 1: the chance that exactly s given groups stand before a given one.
fn weights(p: usize) -> Vec<f64> {
    let mut weights = Vec::with_capacity(p);
    let mut weight = 1.0 / p as f64;
    for s in 0..p {
        weights.push(weight);
        weight *= (s + 1) as f64 / (p - s - 1) as f64;
    }
    weights
}
