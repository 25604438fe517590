//! Tiers by clusters of several indicators.
//!
//! The one idea: clusters are found on scaled indicators, ordered by the mean of the first indicator, and kept as their
//! centres: a customer belongs to the nearest. So a cluster is a rule like any other, for new customers too, and equal
//! customers share a tier.

use guike_core::Seed;
use guike_learn::{Hierarchical, KMeans, Linkage, Points, Scaler, Scaling};
use serde::{Deserialize, Serialize};

use crate::borders::spread;

/// Clusters as centres in scaled space, best tier first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Centers {
    /// How indicators are scaled.
    pub scaler: Scaler,
    /// One row of scaled coordinates per cluster, best first.
    pub centers: Vec<Vec<f64>>,
    /// The tier of each cluster; rising.
    pub tier: Vec<usize>,
    /// Number of centroids that hierarchical clustering worked on, where it did.
    pub on_centroids: Option<usize>,
    /// Number of sampled customers on which the restarts of k-means ran, where they did.
    pub sampled: Option<usize>,
}

/// Which clustering.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Clustering {
    KMeans,
    Hierarchical(Linkage),
}

/// Average and complete linkage store all distances: 100 MB at this many customers.
const MAX_MATRIX_ROWS: usize = 5_000;

impl Centers {
    /// Finds clusters of the rows of `values` (n × `width`).
    pub(crate) fn fit(
        values: &[f64],
        width: usize,
        tiers: usize,
        how: Clustering,
        scaling: Scaling,
        seed: Seed,
    ) -> Centers {
        let points = Points::new(values, width);
        let scaler = Scaler::fit(points, scaling);
        let scaled = scaler.apply(points);
        let scaled_points = Points::new(&scaled, width);
        let (labels, on_centroids, sampled) = match how {
            Clustering::KMeans => {
                let fit = KMeans { k: tiers, ..Default::default() }.fit(scaled_points, seed);
                (fit.labels, None, fit.sampled)
            }
            Clustering::Hierarchical(linkage) => {
                let max_rows =
                    if linkage == Linkage::Ward { Hierarchical::default().max_rows } else { MAX_MATRIX_ROWS };
                let tree = Hierarchical { linkage, max_rows, ..Default::default() }.fit(scaled_points, seed);
                let sampled = None;
                (tree.cut(tiers), tree.on_centroids(), sampled)
            }
        };
        let k = labels.iter().max().map_or(0, |&m| m as usize + 1);
        let mut sums = vec![vec![0.0; width]; k];
        let mut worth = vec![0.0; k];
        let mut counts = vec![0.0; k];
        for (i, &label) in labels.iter().enumerate() {
            let c = label as usize;
            counts[c] += 1.0;
            let first = points.row(i)[0];
            worth[c] += if first.is_nan() { 0.0 } else { first };
            sums[c].iter_mut().zip(scaled_points.row(i)).for_each(|(s, x)| *s += x);
        }
        let mut order: Vec<usize> = (0..k).filter(|&c| counts[c] > 0.0).collect();
        order.sort_by(|&a, &b| (worth[b] / counts[b]).total_cmp(&(worth[a] / counts[a])).then(a.cmp(&b)));
        let classes = order.len();
        Centers {
            scaler,
            centers: order.iter().map(|&c| sums[c].iter().map(|s| s / counts[c]).collect()).collect(),
            tier: (0..classes).map(|rank| spread(rank, classes, tiers)).collect(),
            on_centroids,
            sampled,
        }
    }

    fn distances(&self, row: &[f64]) -> Vec<f64> {
        let z: Vec<f64> = row.iter().zip(&self.scaler.columns).map(|(&x, c)| c.apply(x)).collect();
        self.centers.iter().map(|c| c.iter().zip(&z).map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt()).collect()
    }

    /// The tier of a customer with these (unscaled) indicators; of equally near centres the better.
    pub fn tier(&self, row: &[f64]) -> usize {
        let d = self.distances(row);
        let best = (0..d.len()).reduce(|a, b| if d[b] < d[a] { b } else { a });
        best.map_or(0, |c| self.tier[c])
    }

    /// The tier of a customer who was in `previous` before: she moves only when the nearest centre is nearer than her old
    /// one's by the share `margin`.
    pub fn tier_after(&self, row: &[f64], previous: usize, margin: f64) -> usize {
        let d = self.distances(row);
        let new = self.tier(row);
        let old = (0..d.len()).filter(|&c| self.tier[c] == previous).map(|c| d[c]).reduce(f64::min);
        let nearest = d.iter().copied().fold(f64::INFINITY, f64::min);
        match old {
            Some(old) if nearest >= old * (1.0 - margin) => previous,
            _ => new,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shop() -> Vec<f64> {
        // (value, days since the last purchase): big and recent, small and recent, small and long ago
        (0..300)
            .flat_map(|i| {
                let wiggle = f64::from(i % 7);
                match i % 3 {
                    0 => [1000.0 + 30.0 * wiggle, 5.0 + wiggle],
                    1 => [40.0 + wiggle, 6.0 + wiggle],
                    _ => [20.0 + wiggle, 400.0 + 5.0 * wiggle],
                }
            })
            .collect()
    }

    #[test]
    fn clusters_are_ordered_by_the_first_indicator() {
        let v = shop();
        for how in
            [Clustering::KMeans, Clustering::Hierarchical(Linkage::Ward), Clustering::Hierarchical(Linkage::Complete)]
        {
            let c = Centers::fit(&v, 2, 3, how, Scaling::Log1p, Seed(1));
            let tiers: Vec<usize> = v.chunks_exact(2).map(|r| c.tier(r)).collect();
            assert!((0..300).all(|i| tiers[i] == i % 3), "{how:?}");
        }
    }

    #[test]
    fn a_customer_between_two_centres_stays_where_she_was() {
        let c = Centers {
            scaler: Scaler::fit(Points::new(&[0.0, 1.0], 1), Scaling::None),
            centers: vec![vec![10.0], vec![0.0]],
            tier: vec![0, 1],
            on_centroids: None,
            sampled: None,
        };
        assert_eq!(c.tier(&[5.2]), 0);
        assert_eq!(c.tier_after(&[5.2], 1, 0.1), 1, "4.8 is not clearly nearer than 5.2");
        assert_eq!(c.tier_after(&[6.0], 1, 0.1), 0);
        assert_eq!(c.tier_after(&[6.0], 7, 0.1), 0, "a tier that is gone keeps nobody");
    }

    #[test]
    fn fewer_distinct_customers_than_tiers_take_the_ends() {
        let c = Centers::fit(&[1.0, 1.0, 9.0], 1, 5, Clustering::KMeans, Scaling::Log1p, Seed(1));
        assert_eq!((c.tier(&[9.0]), c.tier(&[1.0])), (0, 4));
        let h = Centers::fit(&[], 1, 5, Clustering::KMeans, Scaling::Log1p, Seed(1));
        assert!(h.centers.is_empty());
    }
}
