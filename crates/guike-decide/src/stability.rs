//! Would other customers of the same kind have given the same tiers?
//!
//! The one idea: fit the rule again on customers drawn with replacement, place everybody by it, and compare with the tiers
//! they have. *Agreement* is the share that keeps its tier, which is what a customer feels; the *adjusted Rand index*
//! (Hubert & Arabie 1985) is 1 for the same grouping and 0 for chance. Clusters often keep the grouping but swap ranks, so
//! that the second is high and the first is not: a reason to prefer borders for anything that customers are told.

use serde::{Deserialize, Serialize};

use crate::rules::{Method, TierPlan};
use crate::tiers::Matrix;

/// Customers used at most: enough to place a border, few enough to be quick (a tree costs the square of their number, a
/// mixture dozens of passes).
fn most_customers(method: &Method) -> usize {
    match method {
        Method::Hierarchical { .. } | Method::Mixture { .. } => 1_500,
        Method::KMeans => 5_000,
        _ => 20_000,
    }
}

/// How firm tiers are under resampling.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Stability {
    /// Number of resamples.
    pub draws: u32,
    /// Mean share of customers who keep their tier.
    pub agreement: f64,
    /// Mean adjusted Rand index against the tiers.
    pub adjusted_rand: f64,
    /// Least agreement of any resample.
    pub agreement_min: f64,
}

pub(crate) fn stability(plan: &TierPlan, matrix: &Matrix, tiers: &[u8]) -> Option<Stability> {
    let fixed = matches!(plan.method, Method::Thresholds { .. });
    if plan.stability_draws == 0 || fixed || tiers.is_empty() {
        return None;
    }
    let seed = plan.seed.derive("tier-stability");
    let n = tiers.len();
    // every step-th customer stands for all in a large shop; customers come in no order of value
    let step = n.div_ceil(most_customers(&plan.method));
    let rows: Vec<usize> = (0..n).step_by(step).collect();
    let own: Vec<u8> = rows.iter().map(|&r| tiers[r]).collect();
    let (mut agreement, mut rand, mut least) = (0.0, 0.0, 1.0f64);
    for draw in 0..plan.stability_draws {
        let drawn = resample(matrix, &rows, seed.at(u64::from(draw)));
        let rule = plan.fit(&drawn, plan.seed.at(u64::from(draw)));
        let again: Vec<u8> = rows.iter().map(|&r| rule.tier(matrix.row(r)) as u8).collect();
        let same = own.iter().zip(&again).filter(|(a, b)| a == b).count() as f64 / own.len() as f64;
        agreement += same;
        least = least.min(same);
        rand += adjusted_rand_index(&own, &again);
    }
    let draws = f64::from(plan.stability_draws);
    Some(Stability {
        draws: plan.stability_draws,
        agreement: agreement / draws,
        adjusted_rand: rand / draws,
        agreement_min: least,
    })
}

fn resample(matrix: &Matrix, rows: &[usize], seed: guike_core::Seed) -> Matrix {
    use rand::RngExt;
    let mut rng = seed.rng();
    let values = (0..rows.len()).flat_map(|_| matrix.row(rows[rng.random_range(0..rows.len())])).copied().collect();
    Matrix { values, width: matrix.width }
}

/// Adjusted Rand index of two groupings of the same items.
///
/// # Source
/// Hubert & Arabie (1985), eq. 5; equals scikit-learn's `adjusted_rand_score`.
///
/// ```
/// use guike_decide::stability::adjusted_rand_index;
/// assert_eq!(adjusted_rand_index(&[0, 0, 1, 1], &[1, 1, 0, 0]), 1.0);
/// assert!((adjusted_rand_index(&[0, 0, 1, 1], &[0, 1, 0, 1]) + 0.5).abs() < 1e-12);
/// ```
///
/// # Panics
/// When the groupings differ in length.
pub fn adjusted_rand_index(a: &[u8], b: &[u8]) -> f64 {
    assert_eq!(a.len(), b.len(), "two groupings of the same items");
    let pairs = |n: u64| (n * n.saturating_sub(1) / 2) as f64;
    let mut table = vec![0u64; 256 * 256];
    let (mut rows, mut columns) = ([0u64; 256], [0u64; 256]);
    for (&x, &y) in a.iter().zip(b) {
        table[usize::from(x) * 256 + usize::from(y)] += 1;
        rows[usize::from(x)] += 1;
        columns[usize::from(y)] += 1;
    }
    let sum = |counts: &[u64]| counts.iter().map(|&n| pairs(n)).sum::<f64>();
    let (both, first, second) = (sum(&table), sum(&rows), sum(&columns));
    let all = pairs(a.len() as u64);
    let expected = if all > 0.0 { first * second / all } else { 0.0 };
    let largest = (first + second) / 2.0;
    // both put everybody together, or everybody apart
    if largest == expected { 1.0 } else { (both - expected) / (largest - expected) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_is_scikit_learns() {
        // adjusted_rand_score([0,0,1,1,2,2,2], [0,0,1,2,2,2,1])
        let ari = adjusted_rand_index(&[0, 0, 1, 1, 2, 2, 2], &[0, 0, 1, 2, 2, 2, 1]);
        assert!((ari - 0.2125).abs() < 1e-12, "{ari}");
        assert_eq!(adjusted_rand_index(&[3, 3, 3], &[1, 1, 1]), 1.0);
        assert_eq!(adjusted_rand_index(&[], &[]), 1.0);
    }
}
