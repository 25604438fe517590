//! How far a distribution has moved: population stability index, Kolmogorov–Smirnov distance, and what chance alone gives.
//!
//! The one idea: two numbers answer two questions. The index adds up, over bins that held equal shares of the reference, how
//! much each share has changed; the distance is the largest gap between the two distribution functions, wherever it is. Both
//! come with what two samples of this size from one distribution would show, because small shops always "drift".
//!
//! They compare shares, not customers: whether the same customers moved is not asked here.

use serde::{Deserialize, Serialize};

/// Bins of equal shares of the reference; ten is what the thresholds .1 and .25 are used with.
pub const BINS: usize = 10;
/// An index from here on is commonly called a change worth a look. A convention of credit scoring and no law.
///
/// # Source
/// Siddiqi (2006), *Credit Risk Scorecards*, chapter 9.
pub const NOTICEABLE: f64 = 0.1;
/// An index from here on is commonly called a large change; same source.
pub const LARGE: f64 = 0.25;
/// Added to the count of every bin, so that an empty one does not make the index infinite: Jeffreys' prior.
const SMOOTHING: f64 = 0.5;
/// Below this argument the Kolmogorov distribution's tail is 1 to ten digits, and its series converges slowly.
const SMALL: f64 = 0.3;

/// A population stability index and the bins that it adds up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stability {
    /// `Σ (qᵢ − pᵢ) ln(qᵢ / pᵢ)` over bins; 0 for equal shares.
    pub psi: f64,
    /// What two samples of these sizes from one distribution stay below with probability .95.
    pub by_chance: f64,
    /// The bins in ascending order, missing values last where there are any.
    pub bins: Vec<Bin>,
}

/// Values above `above`, up to and including `up_to`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Bin {
    /// Lower border, itself not inside; `None` for the first bin and for missing values.
    pub above: Option<f64>,
    /// Upper border, itself inside; `None` for the last bin and for missing values.
    pub up_to: Option<f64>,
    /// Whether it holds missing values.
    pub is_missing: bool,
    /// Number in the reference.
    pub before: u64,
    /// Number now.
    pub after: u64,
}

/// The Kolmogorov–Smirnov distance of two samples.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Distance {
    /// `sup |F₁ − F₂|`, from 0 to 1.
    pub distance: f64,
    /// Chance of at least this distance between two independent samples of one continuous distribution. With ties it is too
    /// large, and customers who are in both samples make it too large as well: it errs towards "nothing moved".
    pub p_value: f64,
    /// Distance that has a chance of .05.
    pub critical: f64,
}

/// The population stability index of values against a reference, over at most [`BINS`] bins between the reference's
/// quantiles; NaN is missing and has a bin of its own. `None` where one of the two is empty.
///
/// A value that is frequent in the reference (one purchase day) has a bin for itself and those that would be empty are left
/// out, so that there may be fewer bins. Shares are `(nᵢ + ½) / (N + ½ B)`, so that the index is finite.
///
/// # Source
/// Siddiqi (2006), chapter 9. That the index of two samples of one distribution is about `(1/n + 1/m) χ²` with one degree of
/// freedom less than bins: Yurdakul (2018), *Statistical properties of population stability index*, chapter 3.
///
/// # Example
/// ```
/// use guike_eval::drift::stability;
/// let before: Vec<f64> = (0..1000).map(f64::from).collect();
/// let same = stability(&before, &before).unwrap();
/// assert!(same.psi < 1e-12 && same.bins.len() == 10);
/// let twice: Vec<f64> = before.iter().map(|v| 2.0 * v).collect();
/// assert!(stability(&before, &twice).unwrap().psi > 0.25);
/// assert!(stability(&before, &[]).is_none());
/// ```
pub fn stability(reference: &[f64], current: &[f64]) -> Option<Stability> {
    if reference.is_empty() || current.is_empty() {
        return None;
    }
    let borders = borders(reference);
    let (before, after) = (counts(reference, &borders), counts(current, &borders));
    let n_bins = borders.len() + 1;
    let bins = (0..=n_bins).map(|i| Bin {
        above: if i == 0 || i == n_bins { None } else { Some(borders[i - 1]) },
        up_to: borders.get(i).copied(),
        is_missing: i == n_bins,
        before: before[i],
        after: after[i],
    });
    let bins: Vec<Bin> = bins.filter(|b| !b.is_missing || b.before + b.after > 0).collect();
    let of = |count: fn(&Bin) -> u64| bins.iter().map(count).collect::<Vec<u64>>();
    let (psi, by_chance) = stability_of_counts(&of(|b| b.before), &of(|b| b.after))?;
    Some(Stability { psi, by_chance, bins })
}

/// The index of counts by category (tiers, groups), and what it stays below by chance alone; see [`stability`]. `None` where
/// one of the two counts nothing.
///
/// ```
/// use guike_eval::drift::stability_of_counts;
/// let (psi, by_chance) = stability_of_counts(&[500, 500], &[250, 750]).unwrap();
/// assert!((psi - 0.2740).abs() < 1e-4 && by_chance < 0.01);
/// assert!(stability_of_counts(&[0, 0], &[1, 2]).is_none());
/// ```
///
/// # Panics
/// When there are not as many counts before as after.
pub fn stability_of_counts(before: &[u64], after: &[u64]) -> Option<(f64, f64)> {
    assert_eq!(before.len(), after.len(), "a count before and one after for every category");
    let (n, m) = (before.iter().sum::<u64>() as f64, after.iter().sum::<u64>() as f64);
    if n == 0.0 || m == 0.0 {
        return None;
    }
    let room = SMOOTHING * before.len() as f64;
    let share = |count: u64, all: f64| (count as f64 + SMOOTHING) / (all + room);
    let terms = before.iter().zip(after).map(|(&b, &a)| {
        let (p, q) = (share(b, n), share(a, m));
        (q - p) * (q / p).ln()
    });
    let freedom = before.len() as f64 - 1.0;
    Some((terms.sum(), (1.0 / n + 1.0 / m) * chi_square_95(freedom)))
}

/// The Kolmogorov–Smirnov distance between two samples, NaN left out. `None` where one of them has no number.
///
/// # Source
/// The tail of the Kolmogorov distribution, `2 Σ (−1)^{j−1} exp(−2 j² λ²)` (Smirnov 1948), at
/// `λ = (√e + .12 + .11 / √e) D` with `e = n m / (n + m)` (Stephens 1970, which is good from `e = 4` on).
///
/// # Example
/// ```
/// use guike_eval::drift::distance;
/// let one: Vec<f64> = (0..100).map(f64::from).collect();
/// let other: Vec<f64> = (50..150).map(f64::from).collect();
/// let d = distance(&one, &other).unwrap();
/// assert!((d.distance - 0.5).abs() < 1e-12 && d.p_value < 1e-9 && d.distance > d.critical);
/// assert_eq!(distance(&one, &one).unwrap().p_value, 1.0);
/// assert!(distance(&one, &[f64::NAN]).is_none());
/// ```
pub fn distance(one: &[f64], other: &[f64]) -> Option<Distance> {
    let (a, b) = (sorted(one), sorted(other));
    if a.is_empty() || b.is_empty() {
        return None;
    }
    let (n, m) = (a.len() as f64, b.len() as f64);
    let (mut i, mut j, mut distance) = (0, 0, 0.0_f64);
    while i < a.len() && j < b.len() {
        // all equal values of both before the functions are compared: a tie is one step
        let at = a[i].min(b[j]);
        i += a[i..].partition_point(|v| *v <= at);
        j += b[j..].partition_point(|v| *v <= at);
        distance = distance.max((i as f64 / n - j as f64 / m).abs());
    }
    let root = (n * m / (n + m)).sqrt();
    let stretch = root + 0.12 + 0.11 / root;
    // Kolmogorov's λ with a tail of .05
    Some(Distance { distance, p_value: tail(stretch * distance), critical: 1.358_1 / stretch })
}

/// The tail of the Kolmogorov distribution.
fn tail(lambda: f64) -> f64 {
    if lambda < SMALL {
        return 1.0;
    }
    let term = |j: i32| (-2.0 * f64::from(j * j) * lambda * lambda).exp();
    // with λ ≥ .3 the term after the tenth is below 1e-9
    let sum: f64 = (1..=10).map(|j| if j % 2 == 1 { term(j) } else { -term(j) }).sum();
    (2.0 * sum).clamp(0.0, 1.0)
}

/// The 95 % point of χ², by Wilson & Hilferty (1931); within 2 % from two degrees on.
fn chi_square_95(freedom: f64) -> f64 {
    if freedom < 1.0 {
        return 0.0;
    }
    let c = 2.0 / (9.0 * freedom);
    freedom * (1.0 - c + 1.644_854 * c.sqrt()).powi(3)
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut known: Vec<f64> = values.iter().copied().filter(|v| !v.is_nan()).collect();
    known.sort_unstable_by(f64::total_cmp);
    known
}

/// Borders between bins: distinct quantiles of the reference below its maximum.
fn borders(reference: &[f64]) -> Vec<f64> {
    let known = sorted(reference);
    let (Some(&least), Some(&most)) = (known.first(), known.last()) else { return Vec::new() };
    if least == most {
        // one value for all: what is below and what is above it is apart from it
        return vec![least.next_down(), least];
    }
    let mut borders: Vec<f64> =
        (1..BINS).map(|k| known[(k * known.len()).div_ceil(BINS) - 1]).filter(|b| *b < most).collect();
    borders.dedup();
    borders
}

/// How many values every bin holds, and last how many are missing.
fn counts(values: &[f64], borders: &[f64]) -> Vec<u64> {
    let mut counts = vec![0; borders.len() + 2];
    for v in values {
        let bin = if v.is_nan() { borders.len() + 1 } else { borders.partition_point(|b| b < v) };
        counts[bin] += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frequent_value_has_a_bin_of_its_own_and_the_borders_belong_below() {
        let reference: Vec<f64> = (0..100).map(|i| if i < 60 { 1.0 } else { f64::from(i / 10) - 4.0 }).collect();
        let s = stability(&reference, &[1.0, 2.0, 2.5, 99.0, f64::NAN]).expect("both have values");
        let shown: Vec<_> = s.bins.iter().map(|b| (b.above, b.up_to, b.before, b.after)).collect();
        assert_eq!(
            shown,
            [
                (None, Some(1.0), 60, 1),
                (Some(1.0), Some(2.0), 10, 1),
                (Some(2.0), Some(3.0), 10, 1),
                (Some(3.0), Some(4.0), 10, 0),
                (Some(4.0), None, 10, 1),
                (None, None, 0, 1),
            ]
        );
        assert!(s.bins[5].is_missing && s.psi.is_finite() && s.psi > LARGE);
    }

    #[test]
    fn a_reference_of_one_value_sees_what_leaves_it_to_either_side() {
        let s = stability(&[3.0; 50], &[2.0, 3.0, 3.0, 4.0]).expect("both have values");
        let after: Vec<u64> = s.bins.iter().map(|b| b.after).collect();
        assert_eq!(after, [1, 2, 1]);
        assert!(s.psi > NOTICEABLE);
    }

    #[test]
    fn what_chance_gives_falls_with_the_size_of_the_samples() {
        // a permutation of 0..997 as a sample that is not sorted; halves of it are two samples of one distribution
        let all: Vec<f64> = (0..996_u64).map(|i| (i * 389 % 997) as f64).collect();
        let s = stability(&all[..498], &all[498..]).expect("both have values");
        assert!(s.psi < s.by_chance, "{} {}", s.psi, s.by_chance);
        let few = stability(&all[..40], &all[40..80]).expect("both have values");
        assert!(few.by_chance > 10.0 * s.by_chance && few.by_chance > LARGE, "{}", few.by_chance);
    }

    #[test]
    fn the_tails_are_those_of_the_tables() {
        // Smirnov (1948), table: λ with a tail of .10, .05, .01 and .001
        for (lambda, p) in [(1.2238, 0.1), (1.3581, 0.05), (1.6276, 0.01), (1.9495, 0.001)] {
            assert!((tail(lambda) - p).abs() < 2e-5 + p * 1e-3, "{lambda}: {}", tail(lambda));
        }
        for (freedom, point) in [(1.0, 3.841), (4.0, 9.488), (9.0, 16.919)] {
            assert!((chi_square_95(freedom) / point - 1.0).abs() < 0.025, "{freedom}");
        }
        assert!((tail(SMALL) - 1.0).abs() < 1e-4);
    }

    #[test]
    fn ties_are_one_step_and_order_does_not_matter() {
        let d = distance(&[1.0, 1.0, 1.0, 2.0], &[2.0, 1.0, 2.0, 2.0]).expect("numbers");
        assert!((d.distance - 0.5).abs() < 1e-12, "{}", d.distance);
        assert_eq!(distance(&[5.0], &[5.0]).expect("numbers").distance, 0.0);
        let one_way = distance(&[1.0, 2.0], &[3.0]).expect("numbers");
        assert_eq!(one_way, distance(&[3.0], &[2.0, 1.0]).expect("numbers"));
        assert_eq!(one_way.distance, 1.0);
    }
}
