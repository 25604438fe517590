//! DBSCAN: clusters are where points lie densely; what lies nowhere densely is noise.
//!
//! The one idea (Ester, Kriegel, Sander & Xu 1996): a point with enough neighbours within a radius is a core point, core
//! points within the radius of each other share a cluster, and other points join the cluster of a core point that reaches
//! them. Neighbours are found exactly, through the same k-d tree as for nearest neighbours.
//!
//! The number of clusters comes out and cannot be asked for, and clusters may have any shape. [`DbScan::radius_of`] proposes
//! a radius. Clusters of very different density need another method.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::neighbours::search::Index;
use crate::points::Points;

/// How to cluster.
///
/// Counterpart: scikit-learn's `DBSCAN(eps=radius, min_samples=min_points)`, label by label.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct DbScan {
    /// Points at most this far apart are neighbours, in the units of the points; at least 0.
    pub radius: f64,
    /// A point with at least so many neighbours, itself among them, is a core point. Twice the number of coordinates is
    /// usual (Sander et al. 1998), and at least 4.
    pub min_points: usize,
}

/// The clusters found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DbScanFit {
    /// Cluster of every point, `None` for noise. Clusters are numbered by their first core point; a point that several
    /// clusters reach is in the first of them.
    pub labels: Vec<Option<u32>>,
    /// Number of clusters.
    pub n_clusters: usize,
    /// Number of core points.
    pub n_core: usize,
}

impl DbScan {
    /// Clusters the points.
    ///
    /// ```
    /// use guike_learn::{DbScan, Points};
    /// let values = [0.0, 0.1, 0.2, 5.0, 9.0, 9.1, 9.2, 9.3];
    /// let fit = DbScan { radius: 0.15, min_points: 2 }.fit(Points::new(&values, 1));
    /// let (a, b) = (Some(0), Some(1));
    /// assert_eq!(fit.labels, vec![a, a, a, None, b, b, b, b]);
    /// ```
    pub fn fit(&self, points: Points<'_>) -> DbScanFit {
        let n = points.len();
        let index = Index::new(points.values(), points.width());
        let within = self.radius * self.radius;
        let mut labels: Vec<Option<u32>> = vec![None; n];
        let mut seen = vec![false; n];
        let (mut n_clusters, mut n_core) = (0, 0);
        let (mut neighbours, mut frontier) = (Vec::new(), Vec::new());
        for first in 0..n {
            if seen[first] {
                continue;
            }
            index.within(points.row(first), within, &mut neighbours);
            if neighbours.len() < self.min_points {
                // noise unless a cluster reaches it later; whoever reaches it looks again
                continue;
            }
            seen[first] = true;
            labels[first] = Some(n_clusters);
            n_core += 1;
            frontier.extend_from_slice(&neighbours);
            while let Some(at) = frontier.pop() {
                let at = at as usize;
                if std::mem::replace(&mut seen[at], true) {
                    continue;
                }
                labels[at] = Some(n_clusters);
                index.within(points.row(at), within, &mut neighbours);
                if neighbours.len() >= self.min_points {
                    n_core += 1;
                    frontier.extend(neighbours.iter().filter(|&&i| !seen[i as usize]));
                }
            }
            n_clusters += 1;
        }
        DbScanFit { labels, n_clusters: n_clusters as usize, n_core }
    }

    /// A radius for these points: the distances from every distinct point to its `min_points`-th distinct neighbour, itself
    /// the first, sorted, rise slowly within clusters and steeply towards noise; the radius is where the curve bends most,
    /// below the line between its ends. `None` for fewer points than that.
    ///
    /// Rows on top of each other count once: counted one by one, a few whole numbers that many rows share are all at
    /// distance 0 of their neighbours, and every single number would be a cluster. With no more distinct points than
    /// `min_points` there is no other scale than that: the radius is then 0.
    ///
    /// # Source
    /// Ester et al. (1996), section 4.2, for the sorted distances; Breunig, Kriegel, Ng & Sander (2000), section 3.2, for
    /// distinct neighbours; Satopää et al. (2011) for the bend.
    ///
    /// ```
    /// use guike_learn::{DbScan, Points};
    /// // ten customers each with 1 to 9 and with 40 to 44 visits
    /// let visits: Vec<f64> = (0..10).flat_map(|_| (1..10).chain(40..45)).map(f64::from).collect();
    /// let points = Points::new(&visits, 1);
    /// let radius = DbScan::radius_of(points, 4).unwrap();
    /// assert_eq!(DbScan { radius, min_points: 4 }.fit(points).n_clusters, 2);
    /// ```
    pub fn radius_of(points: Points<'_>, min_points: usize) -> Option<f64> {
        let n = points.len();
        if min_points == 0 || n < min_points.max(2) {
            return None;
        }
        let distinct = distinct(points);
        let n_distinct = distinct.len() / points.width();
        if n_distinct <= min_points && n_distinct < n {
            return Some(0.0);
        }
        let index = Index::new(&distinct, points.width());
        let mut far: Vec<f64> = distinct
            .par_chunks_exact(points.width())
            .map_init(Vec::new, |found, point| {
                index.nearest(point, min_points, found);
                found[min_points - 1].0.sqrt()
            })
            .collect();
        far.sort_by(f64::total_cmp);
        let (low, high) = (far[0], far[far.len() - 1]);
        let last = far.len() - 1;
        let below_line = |i: usize| low + (high - low) * i as f64 / last.max(1) as f64 - far[i];
        let bend = (1..=last).fold(0, |best, i| if below_line(i) > below_line(best) { i } else { best });
        // equal distances have no bend: everybody is everybody's neighbour then
        Some(if bend == 0 { high } else { far[bend] })
    }
}

/// The points without repetition, in ascending order of their coordinates.
fn distinct(points: Points<'_>) -> Vec<f64> {
    let mut rows: Vec<&[f64]> = points.values().chunks_exact(points.width()).collect();
    let order = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x.total_cmp(y)).find(|o| o.is_ne());
    rows.par_sort_unstable_by(|a, b| order(a, b).unwrap_or(std::cmp::Ordering::Equal));
    // by value: the two zeros are one place
    rows.dedup_by(|a, b| a == b);
    rows.concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use guike_core::Seed;
    use rand::RngExt;

    /// Two rings around one another, and some noise.
    fn rings() -> (Vec<f64>, Vec<usize>) {
        let mut rng = Seed(8).rng();
        let mut values = Vec::new();
        let mut truth = Vec::new();
        for i in 0..1200 {
            let angle = rng.random::<f64>() * std::f64::consts::TAU;
            let radius = [3.0, 8.0][i % 2] + rng.random::<f64>() * 0.4;
            values.extend([radius * angle.cos(), radius * angle.sin()]);
            truth.push(i % 2);
        }
        values.extend([0.0, 0.0, 20.0, 20.0]);
        (values, truth)
    }

    #[test]
    fn clusters_of_any_shape_are_found() {
        let (values, truth) = rings();
        let points = Points::new(&values, 2);
        let fit = DbScan { radius: 1.0, min_points: 5 }.fit(points);
        assert_eq!(fit.n_clusters, 2);
        assert!(truth.iter().zip(&fit.labels).all(|(&t, l)| l.is_none_or(|l| l as usize == t)));
        let noise = fit.labels.iter().filter(|l| l.is_none()).count();
        assert!((2..100).contains(&noise) && fit.labels[1200..] == [None, None], "{noise}");
        // above what is usual within the rings, far below what is between them
        let radius = DbScan::radius_of(points, 5).expect("enough points");
        assert!((0.3..1.5).contains(&radius), "{radius}");
    }

    #[test]
    fn a_tree_and_plain_blocks_find_the_same_neighbours() {
        let mut rng = Seed(9).rng();
        let narrow: Vec<f64> = (0..1500).map(|_| rng.random::<f64>()).collect();
        // the same points with columns of zeros are too wide for a tree
        let wide: Vec<f64> = narrow.chunks_exact(3).flat_map(|r| r.iter().copied().chain([0.0; 12])).collect();
        for radius in [0.05, 0.12, 0.3] {
            let how = DbScan { radius, min_points: 4 };
            assert_eq!(how.fit(Points::new(&narrow, 3)), how.fit(Points::new(&wide, 15)));
        }
    }

    #[test]
    fn a_few_whole_numbers_that_many_rows_share_do_not_make_every_number_a_cluster() {
        // visits and pages: 1 to 6 by 1 to 5, or 20 to 24 by 30 to 33, a hundred rows each, and two strangers
        let mut rng = Seed(4).rng();
        let mut near = |from: [i32; 2], to: [i32; 2]| [0, 1].map(|j| f64::from(rng.random_range(from[j]..=to[j])));
        let values: Vec<f64> = (0..3_000)
            .flat_map(|i| if i % 2 == 0 { near([1, 1], [6, 5]) } else { near([20, 30], [24, 33]) })
            .chain([60.0, 0.0, 0.0, 70.0])
            .collect();
        let points = Points::new(&values, 2);
        for min_points in [4, 5, 8] {
            let radius = DbScan::radius_of(points, min_points).expect("enough points");
            let fit = DbScan { radius, min_points }.fit(points);
            assert_eq!(fit.n_clusters, 2, "{min_points} rows within {radius}");
            assert_eq!(fit.labels[3_000..], [None, None]);
            assert!((0..3_000).all(|i| fit.labels[i] == Some(i as u32 % 2)));
        }
    }

    #[test]
    fn rows_that_repeat_change_no_radius() {
        let (values, _) = rings();
        let twice: Vec<f64> = values.iter().chain(&values).copied().collect();
        let radius = |v: &[f64]| DbScan::radius_of(Points::new(v, 2), 5);
        assert_eq!(radius(&values), radius(&twice));
        assert_eq!(DbScan::radius_of(Points::new(&[0.0, -0.0, 0.0, 1.0], 1), 2), Some(0.0));
    }

    #[test]
    fn few_and_equal_points_are_no_trouble() {
        let how = DbScan { radius: 0.0, min_points: 2 };
        assert_eq!(how.fit(Points::new(&[], 2)).n_clusters, 0);
        assert_eq!(how.fit(Points::new(&[1.0, 1.0, 2.0], 1)).labels, vec![Some(0), Some(0), None]);
        assert_eq!(DbScan::radius_of(Points::new(&[1.0; 6], 1), 4), Some(0.0));
        assert_eq!(DbScan::radius_of(Points::new(&[1.0; 3], 1), 4), None);
    }
}
