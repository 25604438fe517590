//! Weights of a weighted mean of forecasts, found out of time and shrunk towards where one would start without evidence.
//!
//! The one idea: the mean of unlike forecasts is hard to beat, and estimated weights beat it only where the evidence is
//! strong (Clemen 1989; Timmermann 2006, section 3.4). So the weights minimise
//!
//! Σ_anchors Σ_customers ω_i (y_i − Σ_k w_k f_ik)² + λ ‖w − w⁰‖², with w_k ≥ 0 and Σ w_k = 1,
//!
//! where ω_i = 1 / (m_i + m̄/10)^power, m_i is the mean forecast with the starting weights w⁰ and m̄ its mean over customers.
//! Spend varies about as its mean to the power of 1.5 to 2 (a Tweedie law), so the power keeps a few large customers from
//! deciding alone. λ falls with the number of customers: [`StackingConfig::prior_customers`] is how many customers' evidence
//! the start is worth.
//!
//! All members are put on the actual total of each anchor first: weights compare who gets how much, the level is corrected
//! elsewhere ([`crate::level`]).

use serde::{Deserialize, Serialize};

/// How to stack.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct StackingConfig {
    /// Variance power of spend.
    pub power: f64,
    /// Number of customers whose evidence the starting weights are worth.
    pub prior_customers: f64,
}

impl Default for StackingConfig {
    fn default() -> StackingConfig {
        StackingConfig { power: 1.5, prior_customers: 250.0 }
    }
}

/// What the members said at one anchor, and what happened.
#[derive(Debug, Clone)]
pub struct StackingAnchor<'a> {
    /// One forecast per member, each of n customers, not negative.
    pub members: Vec<&'a [f64]>,
    /// What happened, n customers.
    pub actual: &'a [f64],
    /// How much the anchor counts.
    pub weight: f64,
}

/// The weights, not negative and with sum 1; the starting weights when no anchor tells anything.
///
/// # Panics
/// When an anchor has another number of members than `start`, or lengths differ.
///
/// ```
/// use guike_eval::stacking::{StackingAnchor, StackingConfig, stack};
/// let (good, bad) = (vec![1.0, 5.0, 9.0, 2.0], vec![4.0, 4.0, 5.0, 4.0]);
/// let anchor = StackingAnchor { members: vec![&good, &bad], actual: &good, weight: 1.0 };
/// let sure = StackingConfig { prior_customers: 0.01, ..StackingConfig::default() };
/// assert!(stack(&[anchor.clone()], &[0.5, 0.5], &sure)[0] > 0.99, "a member that is right gets all");
/// let weights = stack(&[anchor], &[0.5, 0.5], &StackingConfig::default());
/// assert!(weights[0] > 0.5 && weights[0] < 0.6, "but four customers prove little");
/// ```
pub fn stack(anchors: &[StackingAnchor<'_>], start: &[f64], config: &StackingConfig) -> Vec<f64> {
    let k = start.len();
    let mut a = vec![0.0; k * k];
    let mut b = vec![0.0; k];
    let mut customers = 0;
    for anchor in anchors {
        assert_eq!(anchor.members.len(), k, "every member forecasts at every anchor");
        if add(anchor, start, config.power, &mut a, &mut b) {
            customers = customers.max(anchor.actual.len());
        }
    }
    if customers == 0 {
        return start.to_vec();
    }
    let lambda = config.prior_customers / customers as f64;
    for i in 0..k {
        a[i * k + i] += lambda;
        b[i] += lambda * start[i];
    }
    minimise(&a, &b, start)
}

/// Adds one anchor's normal equations, scaled so that every anchor counts by its weight; says whether it tells anything.
fn add(anchor: &StackingAnchor<'_>, start: &[f64], power: f64, a: &mut [f64], b: &mut [f64]) -> bool {
    let k = start.len();
    let n = anchor.actual.len();
    let total: f64 = anchor.actual.iter().sum();
    let sums: Vec<f64> = anchor.members.iter().map(|m| m.iter().sum()).collect();
    if total <= 0.0 || sums.iter().any(|&s| s <= 0.0 || !s.is_finite()) {
        return false;
    }
    let scale: Vec<f64> = sums.iter().map(|s| total / s).collect();
    let row = |i: usize, out: &mut [f64]| {
        for ((o, m), s) in out.iter_mut().zip(&anchor.members).zip(&scale) {
            *o = m[i] * s;
        }
    };
    let mut f = vec![0.0; k];
    let floor = 0.1 * total / n as f64;
    let (mut own_a, mut own_b, mut size) = (vec![0.0; k * k], vec![0.0; k], 0.0);
    for i in 0..n {
        row(i, &mut f);
        let mean: f64 = f.iter().zip(start).map(|(x, w)| x * w).sum();
        let omega = (mean + floor).powf(-power);
        size += omega * mean * mean;
        for p in 0..k {
            own_b[p] += omega * f[p] * anchor.actual[i];
            for q in 0..k {
                own_a[p * k + q] += omega * f[p] * f[q];
            }
        }
    }
    if !(size > 0.0 && size.is_finite()) {
        return false;
    }
    let share = anchor.weight / size;
    a.iter_mut().zip(&own_a).for_each(|(x, y)| *x += share * y);
    b.iter_mut().zip(&own_b).for_each(|(x, y)| *x += share * y);
    true
}

/// Least of wᵀAw − 2bᵀw over the simplex, by accelerated projected gradients (Beck & Teboulle 2009) from `start`.
fn minimise(a: &[f64], b: &[f64], start: &[f64]) -> Vec<f64> {
    let k = b.len();
    // no eigenvalue is larger than the largest sum of a row's sizes
    let steepest = a.chunks_exact(k).map(|r| r.iter().map(|v| v.abs()).sum::<f64>()).fold(1e-300, f64::max);
    let (mut w, mut ahead, mut t) = (start.to_vec(), start.to_vec(), 1.0_f64);
    for _ in 0..20_000 {
        let next: Vec<f64> = (0..k)
            .map(|i| {
                let slope: f64 = a[i * k..(i + 1) * k].iter().zip(&ahead).map(|(x, y)| x * y).sum::<f64>() - b[i];
                ahead[i] - slope / steepest
            })
            .collect();
        let next = onto_simplex(&next);
        let moved = next.iter().zip(&w).map(|(x, y)| (x - y).abs()).fold(0.0, f64::max);
        let turned: f64 = ahead.iter().zip(&next).zip(&w).map(|((y, n), o)| (y - n) * (n - o)).sum();
        // momentum is dropped when it points uphill (O'Donoghue & Candès 2015)
        let momentum = if turned > 0.0 { 1.0 } else { 0.5 * (1.0 + (1.0 + 4.0 * t * t).sqrt()) };
        let push = if turned > 0.0 { 0.0 } else { (t - 1.0) / momentum };
        ahead = next.iter().zip(&w).map(|(n, o)| n + push * (n - o)).collect();
        (w, t) = (next, momentum);
        if moved < 1e-13 {
            break;
        }
    }
    w
}

/// The nearest point with no negative part and sum 1 (Duchi et al. 2008).
fn onto_simplex(v: &[f64]) -> Vec<f64> {
    let mut sorted = v.to_vec();
    sorted.sort_unstable_by(|x, y| y.total_cmp(x));
    let (mut sum, mut shift) = (0.0, 0.0);
    for (i, x) in sorted.iter().enumerate() {
        sum += x;
        let candidate = (sum - 1.0) / (i + 1) as f64;
        if x - candidate > 0.0 {
            shift = candidate;
        }
    }
    v.iter().map(|x| (x - shift).max(0.0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use guike_core::Seed;
    use rand::RngExt;

    /// Two unlike members and an actual that is their mean with weights .3 and .7, with noise.
    fn world(n: usize, noise: f64) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
        let mut rng = Seed(5).rng();
        let mut draw = |scale: f64| (0..n).map(|_| scale * rng.random::<f64>()).collect::<Vec<f64>>();
        let (a, b, e) = (draw(10.0), draw(10.0), draw(noise));
        let y = a.iter().zip(&b).zip(&e).map(|((a, b), e)| 0.3 * a + 0.7 * b + e).collect();
        (a, b, y)
    }

    fn weights(n: usize, noise: f64) -> Vec<f64> {
        let (a, b, y) = world(n, noise);
        stack(
            &[StackingAnchor { members: vec![&a, &b], actual: &y, weight: 1.0 }],
            &[0.5, 0.5],
            &StackingConfig::default(),
        )
    }

    #[test]
    fn many_customers_reveal_the_true_mixture() {
        let w = weights(50_000, 0.01);
        assert!((w[0] - 0.3).abs() < 0.02, "{w:?}");
    }

    #[test]
    fn few_customers_leave_the_start_nearly_alone() {
        let w = weights(30, 0.01);
        assert!((w[0] - 0.5).abs() < 0.1, "{w:?}");
    }

    #[test]
    fn weights_are_a_mean_whatever_the_members_say() {
        let (a, _, y) = world(2_000, 1.0);
        let against: Vec<f64> = y.iter().map(|v| 10.0 - v.min(9.9)).collect();
        let w = stack(
            &[StackingAnchor { members: vec![&a, &against, &y], actual: &y, weight: 1.0 }],
            &[0.4, 0.3, 0.3],
            &StackingConfig { prior_customers: 1e-6, ..StackingConfig::default() },
        );
        assert!((w.iter().sum::<f64>() - 1.0).abs() < 1e-12 && w.iter().all(|v| *v >= 0.0), "{w:?}");
        assert!(w[2] > 0.999, "{w:?}");
    }

    #[test]
    fn an_anchor_without_spend_tells_nothing() {
        let (a, b, _) = world(10, 0.0);
        let anchor = StackingAnchor { members: vec![&a, &b], actual: &[0.0; 10], weight: 1.0 };
        assert_eq!(stack(&[anchor], &[0.5, 0.5], &StackingConfig::default()), [0.5, 0.5]);
    }

    #[test]
    fn the_projection_is_the_nearest_point() {
        assert_eq!(onto_simplex(&[0.2, 0.8]), [0.2, 0.8]);
        assert_eq!(onto_simplex(&[2.0, 0.0, 0.0]), [1.0, 0.0, 0.0]);
        assert_eq!(onto_simplex(&[0.5, 0.5, -3.0]), [0.5, 0.5, 0.0]);
    }
}
