//! How well clusters are apart: 1 for clear clusters, 0 for overlapping ones, negative for wrong ones.
//!
//! The one idea (Rousseeuw 1987): compare a point's mean distance `a` to its own cluster with the mean distance `b` to the
//! nearest other one: `(b − a) / max(a, b)`, 0 for a point alone. The mean over points is the silhouette. It needs all
//! pairs, so beyond [`MAX_EXACT`] points it is taken on a seeded sample; the simplified variant uses distances to
//! centroids and is fast for any number.

use guike_core::Seed;
use rayon::prelude::*;

use crate::points::{Points, sample_rows, squared_distance};

/// Most points whose pairs are all compared; a sample of this size estimates the mean to about ±0.01.
pub const MAX_EXACT: usize = 4000;

/// Mean silhouette of the labelled points (on a seeded sample beyond [`MAX_EXACT`]); `None` with fewer than two clusters.
///
/// ```
/// use guike_core::Seed;
/// use guike_learn::{silhouette, Points};
/// let v = [0.0, 1.0, 10.0, 11.0];
/// let s = silhouette(Points::new(&v, 1), &[0, 0, 1, 1], Seed(1)).unwrap();
/// assert!((s - (9.5 / 10.5 + 8.5 / 9.5) / 2.0).abs() < 1e-12);
/// assert_eq!(silhouette(Points::new(&v, 1), &[0; 4], Seed(1)), None);
/// ```
///
/// # Panics
/// When there is not one label per point.
pub fn silhouette(points: Points<'_>, labels: &[u32], seed: Seed) -> Option<f64> {
    assert_eq!(points.len(), labels.len(), "one label per point");
    if points.len() > MAX_EXACT {
        let rows = sample_rows(points.len(), MAX_EXACT, seed.derive("silhouette"));
        let values = points.gather(&rows);
        let labels: Vec<u32> = rows.iter().map(|&r| labels[r]).collect();
        return exact(Points::new(&values, points.width()), &labels);
    }
    exact(points, labels)
}

/// Labels as 0 … k − 1 without gaps, and the size of each cluster.
fn dense(labels: &[u32]) -> (Vec<usize>, Vec<usize>) {
    let mut names = labels.to_vec();
    names.sort_unstable();
    names.dedup();
    let dense: Vec<usize> = labels.iter().map(|l| names.binary_search(l).expect("every label was collected")).collect();
    let mut sizes = vec![0; names.len()];
    dense.iter().for_each(|&c| sizes[c] += 1);
    (dense, sizes)
}

fn exact(points: Points<'_>, labels: &[u32]) -> Option<f64> {
    let (labels, sizes) = dense(labels);
    let (n, k) = (points.len(), sizes.len());
    if k < 2 {
        return None;
    }
    let values: Vec<f64> = (0..n)
        .into_par_iter()
        .map(|i| {
            if sizes[labels[i]] == 1 {
                return 0.0;
            }
            let mut sums = vec![0.0; k];
            for j in 0..n {
                sums[labels[j]] += squared_distance(points.row(i), points.row(j)).sqrt();
            }
            let own = labels[i];
            let a = sums[own] / (sizes[own] - 1) as f64;
            let b = (0..k).filter(|&c| c != own).map(|c| sums[c] / sizes[c] as f64).fold(f64::INFINITY, f64::min);
            contrast(a, b)
        })
        .collect();
    Some(values.iter().sum::<f64>() / n as f64)
}

fn contrast(a: f64, b: f64) -> f64 {
    let larger = a.max(b);
    if larger > 0.0 { (b - a) / larger } else { 0.0 }
}

/// Mean simplified silhouette: distances to centroids instead of mean distances to points (Hruschka et al. 2004); `None`
/// with fewer than two clusters.
///
/// # Panics
/// When there is not one label per point.
pub fn simplified_silhouette(points: Points<'_>, labels: &[u32]) -> Option<f64> {
    assert_eq!(points.len(), labels.len(), "one label per point");
    let (labels, sizes) = dense(labels);
    let (k, p) = (sizes.len(), points.width());
    if k < 2 {
        return None;
    }
    let mut centers = vec![0.0; k * p];
    for (i, &c) in labels.iter().enumerate() {
        centers[c * p..(c + 1) * p].iter_mut().zip(points.row(i)).for_each(|(s, x)| *s += x / sizes[c] as f64);
    }
    let values = labels.iter().enumerate().map(|(i, &own)| {
        if sizes[own] == 1 {
            return 0.0;
        }
        let distance = |c: usize| squared_distance(points.row(i), &centers[c * p..(c + 1) * p]).sqrt();
        let b = (0..k).filter(|&c| c != own).map(distance).fold(f64::INFINITY, f64::min);
        contrast(distance(own), b)
    });
    Some(values.sum::<f64>() / labels.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::RngExt;

    #[test]
    fn a_sample_estimates_the_mean() {
        let mut rng = Seed(4).rng();
        let n = MAX_EXACT + 2000;
        let v: Vec<f64> = (0..n).map(|i| (i % 2) as f64 * 3.0 + rng.random::<f64>() * 2.0).collect();
        let labels: Vec<u32> = (0..n).map(|i| (i % 2) as u32).collect();
        let points = Points::new(&v, 1);
        let sampled = silhouette(points, &labels, Seed(1)).expect("two clusters");
        assert!((sampled - exact(points, &labels).expect("two clusters")).abs() < 0.02);
        assert!(simplified_silhouette(points, &labels).expect("two clusters") > sampled);
    }

    #[test]
    fn points_alone_and_equal_points_count_zero() {
        assert_eq!(silhouette(Points::new(&[0.0, 5.0], 1), &[3, 9], Seed(1)), Some(0.0));
        assert_eq!(silhouette(Points::new(&[1.0; 4], 1), &[0, 0, 1, 1], Seed(1)), Some(0.0));
        assert_eq!(simplified_silhouette(Points::new(&[1.0; 4], 1), &[0, 0, 1, 1]), Some(0.0));
    }
}
