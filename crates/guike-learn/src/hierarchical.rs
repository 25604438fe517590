//! Hierarchical clustering: merge the two nearest clusters until one is left, then cut the tree anywhere.
//!
//! The one idea: Ward's distance between two clusters follows from their centroids and sizes alone, and a
//! nearest-neighbour chain (Benzécri 1982; Murtagh 1983) finds every merge without ever storing the n² distances: O(n·p)
//! memory and O(n²·p) time. Average and complete linkage do need all distances and use the crate `kodama`.
//!
//! With [`Hierarchical::max_rows`] points or more, the tree is built on k-means centroids weighted by their sizes instead
//! ([`Dendrogram::on_centroids`] says so): the lower branches, which nobody cuts at, are then missing.
//!
//! Heights are scipy's: for Ward the square root of twice the growth of the within-cluster sum of squares.

use guike_core::Seed;
use serde::{Deserialize, Serialize};

use crate::kmeans::KMeans;
use crate::points::{Points, squared_distance};

/// How far apart two clusters are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Linkage {
    /// By how much merging them raises the within-cluster sum of squares (Ward 1963): compact clusters of similar size.
    #[default]
    Ward,
    /// Mean distance between their points.
    Average,
    /// Largest distance between their points.
    Complete,
}

/// How to cluster.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Hierarchical {
    /// Distance between clusters.
    pub linkage: Linkage,
    /// From this many points on the tree is built on centroids. Ward needs some seconds at 20,000 points; average and
    /// complete linkage need 8 · n²/2 bytes (1.6 GB at 20,000), so lower it for them where memory is short.
    pub max_rows: usize,
    /// Number of centroids in that case: far more than anybody wants clusters, few enough to be fast.
    pub centroids: usize,
}

impl Default for Hierarchical {
    fn default() -> Hierarchical {
        Hierarchical { linkage: Linkage::Ward, max_rows: 20_000, centroids: 400 }
    }
}

/// One merge: leaves are 0 … n − 1, and merge i makes cluster n + i.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Merge {
    /// The smaller cluster number.
    pub a: u32,
    /// The larger cluster number.
    pub b: u32,
    /// Distance between the two.
    pub height: f64,
    /// Number of leaves in the result.
    pub leaves: u32,
}

/// The tree, in scipy's numbering.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Dendrogram {
    /// By rising height; one fewer than there are leaves.
    pub merges: Vec<Merge>,
    n_leaves: usize,
    /// The leaf of every point where leaves are centroids, else empty.
    leaf_of: Vec<u32>,
    n_points: usize,
}

impl Hierarchical {
    /// Builds the tree.
    ///
    /// ```
    /// use guike_core::Seed;
    /// use guike_learn::{Hierarchical, Points};
    /// let tree = Hierarchical::default().fit(Points::new(&[0.0, 1.0, 10.0, 11.0, 50.0], 1), Seed(1));
    /// assert_eq!(tree.cut(3), vec![0, 0, 1, 1, 2]);
    /// assert_eq!(tree.cut(2), vec![0, 0, 0, 0, 1]);
    /// assert_eq!(tree.on_centroids(), None);
    /// ```
    pub fn fit(&self, points: Points<'_>, seed: Seed) -> Dendrogram {
        let n = points.len();
        if n < self.max_rows.max(2) {
            let merges = self.merges(points, &vec![1.0; n]);
            return Dendrogram { merges, n_leaves: n, leaf_of: Vec::new(), n_points: n };
        }
        let rough =
            KMeans { k: self.centroids, restarts: 1, max_iterations: 30, tolerance: 1e-3, ..Default::default() };
        let fit = rough.fit(points, seed.derive("hierarchical"));
        let mut sizes = vec![0.0; fit.k()];
        fit.labels.iter().for_each(|&l| sizes[l as usize] += 1.0);
        let merges = self.merges(Points::new(&fit.centers, fit.width), &sizes);
        Dendrogram { merges, n_leaves: fit.k(), leaf_of: fit.labels, n_points: n }
    }

    fn merges(&self, points: Points<'_>, sizes: &[f64]) -> Vec<Merge> {
        match self.linkage {
            Linkage::Ward => ward(points, sizes),
            Linkage::Average => by_matrix(points, kodama::Method::Average),
            Linkage::Complete => by_matrix(points, kodama::Method::Complete),
        }
    }
}

impl Dendrogram {
    /// Number of centroids that the tree was built on, where it was not built on the points themselves.
    pub fn on_centroids(&self) -> Option<usize> {
        (!self.leaf_of.is_empty()).then_some(self.n_leaves)
    }

    /// The clusters when `k` are left (fewer when there are fewer leaves), numbered by first appearance among the points.
    pub fn cut(&self, k: usize) -> Vec<u32> {
        let undone = k.max(1).min(self.n_leaves.max(1)) - 1;
        let kept = self.merges.len().saturating_sub(undone);
        // parent of every leaf and merge
        let mut parent: Vec<u32> = (0..(self.n_leaves + self.merges.len()) as u32).collect();
        for (i, m) in self.merges[..kept].iter().enumerate() {
            let made = (self.n_leaves + i) as u32;
            parent[m.a as usize] = made;
            parent[m.b as usize] = made;
        }
        // parents have larger numbers, so one pass from the top finds every root
        for i in (0..parent.len()).rev() {
            parent[i] = parent[parent[i] as usize];
        }
        let mut name = vec![u32::MAX; parent.len()];
        let mut next = 0;
        (0..self.n_points)
            .map(|i| {
                let leaf = self.leaf_of.get(i).copied().unwrap_or(i as u32);
                let root = parent[leaf as usize] as usize;
                if name[root] == u32::MAX {
                    name[root] = next;
                    next += 1;
                }
                name[root]
            })
            .collect()
    }
}

/// Clusters that are compared with one at once: their costs fit in registers and the first cache.
const LANES: usize = 32;

/// The clusters that are left, side by side and coordinate by coordinate, so that the search for a neighbour is one sweep in
/// which vector instructions look at several of them.
struct Live {
    /// A column of centroids for each coordinate.
    centers: Vec<Vec<f64>>,
    weight: Vec<f64>,
    /// The smallest point of each, which is its name.
    leaf: Vec<u32>,
    slot_of: Vec<usize>,
}

impl Live {
    fn new(points: Points<'_>, sizes: &[f64]) -> Live {
        let (n, p) = (points.len(), points.width());
        let column = |j: usize| (0..n).map(|i| points.values()[i * p + j]).collect();
        Live {
            centers: (0..p).map(column).collect(),
            weight: sizes.to_vec(),
            leaf: (0..n as u32).collect(),
            slot_of: (0..n).collect(),
        }
    }

    /// Twice the growth of the sum of squares when the clusters in these slots merge.
    fn cost(&self, at: usize, s: usize) -> f64 {
        let squares = self.centers.iter().fold(0.0, |sum, c| sum + (c[at] - c[s]) * (c[at] - c[s]));
        squares * (2.0 * self.weight[at] * self.weight[s] / (self.weight[at] + self.weight[s]))
    }

    /// The same for the slots from `from` on, in the same steps and so to the same bits.
    fn costs(&self, at: usize, from: usize, into: &mut [f64; LANES]) -> usize {
        let to = self.leaf.len().min(from + LANES);
        let n = to - from;
        if n < LANES {
            *into = [f64::INFINITY; LANES];
            (from..to).zip(into.iter_mut()).for_each(|(s, cost)| *cost = self.cost(at, s));
            return n;
        }
        *into = [0.0; LANES];
        for column in &self.centers {
            let own = column[at];
            for (sum, c) in into.iter_mut().zip(&column[from..to]) {
                *sum += (own - c) * (own - c);
            }
        }
        let w = self.weight[at];
        for (cost, v) in into.iter_mut().zip(&self.weight[from..to]) {
            *cost *= 2.0 * w * v / (w + v);
        }
        n
    }

    /// The cluster nearest to the one in slot `at`, by Ward; of equals the chain's previous one, else the smallest name.
    fn neighbour(&self, at: usize, before: Option<usize>) -> (u32, f64) {
        let (mut best, mut name) = before.map_or((f64::INFINITY, u32::MAX), |s| (self.cost(at, s), self.leaf[s]));
        let mut costs = [0.0; LANES];
        for from in (0..self.leaf.len()).step_by(LANES) {
            let n = self.costs(at, from, &mut costs);
            for s in [Some(at), before].into_iter().flatten().filter(|s| (from..from + n).contains(s)) {
                costs[s - from] = f64::INFINITY;
            }
            let mut least = [f64::INFINITY; 4];
            for some in costs.chunks_exact(4) {
                least.iter_mut().zip(some).for_each(|(l, &cost)| *l = if cost < *l { cost } else { *l });
            }
            if least.iter().all(|&l| l > best) {
                continue;
            }
            for (&cost, &leaf) in costs[..n].iter().zip(&self.leaf[from..]) {
                let of_equals = || cost == best && before.map(|b| self.leaf[b]) != Some(name) && leaf < name;
                if cost < best || of_equals() {
                    best = cost;
                    name = leaf;
                }
            }
        }
        (name, best.sqrt())
    }

    /// Merges the cluster in slot `at` into the one in slot `to`, which keeps its name; the last slot fills the hole.
    fn merge(&mut self, at: usize, to: usize) {
        let (wa, wb) = (self.weight[at], self.weight[to]);
        for column in &mut self.centers {
            column[to] = (column[at] * wa + column[to] * wb) / (wa + wb);
            column.swap_remove(at);
        }
        self.weight[to] = wa + wb;
        self.weight.swap_remove(at);
        self.leaf.swap_remove(at);
        if let Some(&moved) = self.leaf.get(at) {
            self.slot_of[moved as usize] = at;
        }
    }
}

/// Ward's tree of weighted points by a nearest-neighbour chain.
fn ward(points: Points<'_>, sizes: &[f64]) -> Vec<Merge> {
    let n = points.len();
    let mut live = Live::new(points, sizes);
    let mut chain: Vec<u32> = Vec::new();
    let mut found: Vec<(u32, u32, f64)> = Vec::with_capacity(n.saturating_sub(1));
    while live.leaf.len() > 1 {
        let top = *chain.last().unwrap_or(&live.leaf[0]);
        if chain.is_empty() {
            chain.push(top);
        }
        let at = live.slot_of[top as usize];
        let before = (chain.len() > 1).then(|| chain[chain.len() - 2]);
        let (next, distance) = live.neighbour(at, before.map(|b| live.slot_of[b as usize]));
        if before != Some(next) {
            chain.push(next);
            continue;
        }
        chain.truncate(chain.len() - 2);
        found.push((top, next, distance));
        live.merge(at, live.slot_of[next as usize]);
    }
    number(n, found)
}

/// Merges between named leaves, sorted by height and numbered as scipy does.
fn number(n: usize, mut found: Vec<(u32, u32, f64)>) -> Vec<Merge> {
    found.sort_by(|x, y| x.2.total_cmp(&y.2));
    let mut root: Vec<u32> = (0..(2 * n).max(1) as u32).collect();
    let mut leaves = vec![1u32; 2 * n];
    found
        .iter()
        .enumerate()
        .map(|(i, &(x, y, height))| {
            let (x, y) = (find(&mut root, x), find(&mut root, y));
            let made = n + i;
            root[x as usize] = made as u32;
            root[y as usize] = made as u32;
            leaves[made] = leaves[x as usize] + leaves[y as usize];
            Merge { a: x.min(y), b: x.max(y), height, leaves: leaves[made] }
        })
        .collect()
}

fn find(root: &mut [u32], mut i: u32) -> u32 {
    while root[i as usize] != i {
        root[i as usize] = root[root[i as usize] as usize];
        i = root[i as usize];
    }
    i
}

/// Average or complete linkage through the matrix of all distances.
fn by_matrix(points: Points<'_>, method: kodama::Method) -> Vec<Merge> {
    let n = points.len();
    if n < 2 {
        return Vec::new();
    }
    let mut distances = Vec::with_capacity(n * (n - 1) / 2);
    for i in 0..n {
        for j in i + 1..n {
            distances.push(squared_distance(points.row(i), points.row(j)).sqrt());
        }
    }
    kodama::linkage(&mut distances, n, method)
        .steps()
        .iter()
        .map(|s| Merge {
            a: s.cluster1.min(s.cluster2) as u32,
            b: s.cluster1.max(s.cluster2) as u32,
            height: s.dissimilarity,
            leaves: s.size as u32,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::RngExt;

    fn cloud(n: usize) -> Vec<f64> {
        let mut rng = Seed(2).rng();
        (0..2 * n).map(|_| rng.random::<f64>()).collect()
    }

    /// Ward by trying all pairs, with sums of squares from the definition.
    fn slow_ward(points: Points<'_>) -> Vec<f64> {
        let mut clusters: Vec<Vec<usize>> = (0..points.len()).map(|i| vec![i]).collect();
        let squares = |c: &[usize]| {
            let mean: Vec<f64> = (0..points.width())
                .map(|j| c.iter().map(|&i| points.row(i)[j]).sum::<f64>() / c.len() as f64)
                .collect();
            c.iter().map(|&i| squared_distance(points.row(i), &mean)).sum::<f64>()
        };
        let mut heights = Vec::new();
        while clusters.len() > 1 {
            let mut best = (f64::INFINITY, 0, 0);
            for a in 0..clusters.len() {
                for b in a + 1..clusters.len() {
                    let both = [clusters[a].as_slice(), clusters[b].as_slice()].concat();
                    let growth = squares(&both) - squares(&clusters[a]) - squares(&clusters[b]);
                    if growth < best.0 {
                        best = (growth, a, b);
                    }
                }
            }
            let moved = clusters.remove(best.2);
            clusters[best.1].extend(moved);
            heights.push((2.0 * best.0).sqrt());
        }
        heights
    }

    #[test]
    fn the_chain_finds_wards_tree() {
        let v = cloud(40);
        let tree = Hierarchical::default().fit(Points::new(&v, 2), Seed(1));
        for (m, h) in tree.merges.iter().zip(slow_ward(Points::new(&v, 2))) {
            assert!((m.height - h).abs() < 1e-9, "{} {h}", m.height);
        }
        assert_eq!(tree.merges.last().map(|m| m.leaves), Some(40));
    }

    #[test]
    fn every_cut_has_as_many_clusters_as_asked_for() {
        let v = cloud(60);
        for linkage in [Linkage::Ward, Linkage::Average, Linkage::Complete] {
            let tree = Hierarchical { linkage, ..Default::default() }.fit(Points::new(&v, 2), Seed(1));
            assert!(tree.merges.windows(2).all(|w| w[0].height <= w[1].height));
            for k in [1, 2, 7, 60, 99] {
                let labels = tree.cut(k);
                assert_eq!(labels.iter().max().map(|m| m + 1), Some(k.min(60) as u32));
                assert_eq!(labels[0], 0);
            }
        }
    }

    #[test]
    fn large_sets_work_on_centroids_and_say_so() {
        let v: Vec<f64> = cloud(3000).iter().enumerate().map(|(i, x)| x + ((i / 2) % 3) as f64 * 20.0).collect();
        let how = Hierarchical { max_rows: 1000, centroids: 50, ..Default::default() };
        let tree = how.fit(Points::new(&v, 2), Seed(1));
        assert_eq!(tree.on_centroids(), Some(50));
        let labels = tree.cut(3);
        assert!((0..3000).all(|i| labels[i] as usize == i % 3));
    }

    #[test]
    fn tiny_sets_are_no_trouble() {
        for n in 0..3 {
            let v: Vec<f64> = vec![1.0; n];
            for linkage in [Linkage::Ward, Linkage::Complete] {
                let tree = Hierarchical { linkage, ..Default::default() }.fit(Points::new(&v, 1), Seed(1));
                assert_eq!(tree.cut(2).len(), n);
                assert_eq!(tree.merges.len(), n.saturating_sub(1));
            }
        }
    }
}
