//! Quantiles from a forest (Meinshausen 2006): the training labels that share a leaf with a row, not only their mean.
//!
//! The one idea: each tree gives the rows of its leaf equal parts of weight 1 (in proportion to draws and weights); the
//! labels with the average of these weights are an estimate of the whole distribution.

use guike_core::Matrix;
use serde::{Deserialize, Serialize};

use super::grow::GrownTree;
use super::problem::Problem;

/// The rows of each leaf of one tree.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct LeafRows {
    /// Places in the ascending labels, leaf after leaf.
    labels: Vec<u32>,
    /// Share of each in its leaf.
    shares: Vec<f32>,
    /// Stretch of `labels` per node; empty for inner nodes.
    stretches: Vec<(u32, u32)>,
}

impl LeafRows {
    pub(super) fn new(problem: &Problem, grown: &GrownTree, times: &[u16]) -> LeafRows {
        let mut shares = vec![0.0f32; grown.rows.len()];
        let mut stretches = grown.stretches.clone();
        for (node, stretch) in grown.tree.nodes.iter().zip(&mut stretches) {
            if node.split.is_some() {
                *stretch = (0, 0);
                continue;
            }
            let range = stretch.0 as usize..stretch.1 as usize;
            let weight = |&r: &u32| f64::from(times[r as usize]) * problem.weight_at(r as usize);
            let total: f64 = grown.rows[range.clone()].iter().map(weight).sum();
            for at in range {
                shares[at] = (weight(&grown.rows[at]) / total) as f32;
            }
        }
        LeafRows { labels: grown.rows.clone(), shares, stretches }
    }
}

/// The labels of all leaves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct LeafLabels {
    /// All labels, ascending.
    labels: Vec<f64>,
    trees: Vec<LeafRows>,
}

impl LeafLabels {
    pub(super) fn new(problem: &Problem, mut trees: Vec<LeafRows>) -> LeafLabels {
        let mut order: Vec<usize> = (0..problem.n_rows()).collect();
        order.sort_by(|&a, &b| problem.y[a].total_cmp(&problem.y[b]).then(a.cmp(&b)));
        let mut place = vec![0u32; order.len()];
        order.iter().enumerate().for_each(|(at, &row)| place[row] = at as u32);
        trees.iter_mut().flat_map(|t| &mut t.labels).for_each(|row| *row = place[*row as usize]);
        LeafLabels { labels: order.iter().map(|&row| problem.y[row] * problem.y_unit).collect(), trees }
    }

    /// Whether it belongs to trees of these numbers of nodes.
    pub(super) fn fits(&self, nodes: impl ExactSizeIterator<Item = usize>) -> bool {
        let in_range = |t: &LeafRows| {
            t.labels.len() == t.shares.len()
                && t.labels.iter().all(|&l| (l as usize) < self.labels.len())
                && t.stretches.iter().all(|s| s.0 <= s.1 && s.1 as usize <= t.labels.len())
        };
        self.trees.len() == nodes.len()
            && self.trees.iter().zip(nodes).all(|(t, n)| t.stretches.len() == n && in_range(t))
            && self.labels.is_sorted()
    }

    /// The quantiles of one row from its leaf in each tree: for each level the smallest label whose share of weight up to
    /// it reaches the level.
    pub(super) fn quantiles(&self, leaves: &[usize], levels: &[f64], out: &mut [f64]) {
        let mut seen: Vec<(u32, f32)> = Vec::new();
        for (tree, &leaf) in self.trees.iter().zip(leaves) {
            let (start, end) = tree.stretches[leaf];
            let range = start as usize..end as usize;
            seen.extend(tree.labels[range.clone()].iter().copied().zip(tree.shares[range].iter().copied()));
        }
        // labels in order, and one fixed order of equal ones, so that sums are the same bits everywhere
        seen.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
        let total: f64 = seen.iter().map(|s| f64::from(s.1)).sum();
        for (out, level) in out.iter_mut().zip(levels) {
            let mut sum = 0.0;
            let reached = seen.iter().find(|s| {
                sum += f64::from(s.1);
                // shares are rounded to 24 bits
                sum >= level * total * (1.0 - 1e-6)
            });
            *out = self.labels[reached.or(seen.last()).expect("a leaf has a row").0 as usize];
        }
    }
}

/// Leaves of a row in every tree, by the plain reading.
pub(super) fn leaves_of(trees: &guike_core::Trees, x: &Matrix, row: usize) -> Vec<usize> {
    trees.trees.iter().map(|t| super::compact::plain_leaf(t, x, row)).collect()
}
