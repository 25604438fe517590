//! Shapley interaction values of trees: how much of what two columns add belongs to their being together.
//!
//! The one idea: where a Shapley value is the integral of a slope ([`super`]), an interaction is the integral of the mixed
//! second slope, and on one leaf both are products of the same few factors. So a pair costs one more multiplication, and
//! the diagonal is what is left of a column's own value.
//!
//! It keeps no matrix per row: a heat map wants means over rows, and those are added up as the rows go by.

use std::ops::Range;

use guike_core::Matrix;
use rayon::prelude::*;

use super::TreeShap;
use super::pattern::{Kinds, Path, Satisfied};
use super::quadrature::Rule;
use crate::error::ExplainError;

/// A symmetric matrix of columns × columns for each output.
///
/// ```
/// use guike_explain::tree_shap::interactions::Interactions;
/// let pairs = Interactions::new(2, vec![1.0, 0.5, 0.5, -2.0]);
/// assert_eq!((pairs.n_outputs(), pairs.of(0, 0, 1)), (1, 0.5));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Interactions {
    n_features: usize,
    values: Vec<f64>,
}

impl Interactions {
    /// From outputs × features × features values.
    ///
    /// # Panics
    /// When the number of values is no multiple of features².
    pub fn new(n_features: usize, values: Vec<f64>) -> Interactions {
        let square = n_features * n_features;
        assert!(values.len().is_multiple_of(square.max(1)), "interactions are outputs × features × features");
        Interactions { n_features, values }
    }

    /// Number of features.
    pub fn n_features(&self) -> usize {
        self.n_features
    }

    /// Number of outputs.
    pub fn n_outputs(&self) -> usize {
        self.values.len() / (self.n_features * self.n_features).max(1)
    }

    /// What belongs to these two together, each being credited with it once; for one and the same, what it adds alone.
    pub fn of(&self, output: usize, i: usize, j: usize) -> f64 {
        assert!(i < self.n_features && j < self.n_features, "the features exist");
        self.values[(output * self.n_features + i) * self.n_features + j]
    }

    /// All values: outputs × features × features.
    pub fn values(&self) -> &[f64] {
        &self.values
    }
}

/// Pairs of columns × rows that are held at once: 8 MiB per thread.
const HELD: usize = 1 << 20;

impl TreeShap<'_> {
    /// What each pair of columns adds to the outputs of one row. Every line of the matrix adds up to the column's
    /// attribution, so the whole adds up to the prediction less [`expected`](Self::expected).
    ///
    /// # Errors
    /// [`ExplainError::Columns`] when a tree asks about a column that the matrix does not have.
    ///
    /// # Panics
    /// When there is no such row.
    ///
    /// # Source
    /// Lundberg et al. (2020), Nature Machine Intelligence 2, methods, "SHAP interaction values", eq. 5 to 7; the integral is
    /// that of Grabisch & Roubens (1999), *An axiomatic approach to the concept of interaction among players in cooperative
    /// games*, for the Shapley interaction index. Checked against sums over all subsets.
    ///
    /// # Example
    /// ```
    /// use guike_core::tree::{Node, Split, Tree, Trees};
    /// use guike_core::Matrix;
    /// use guike_explain::tree_shap::TreeShap;
    ///
    /// // only rows above 0.5 in both columns are worth something
    /// let leaf = |cover| Node { split: None, left: 0, right: 0, cover, gain: 0.0 };
    /// let ask = |column, left, cover| Node {
    ///     split: Some(Split::Number { column, threshold: 0.5, missing_left: true }),
    ///     left,
    ///     right: left + 1,
    ///     cover,
    ///     gain: 1.0,
    /// };
    /// let nodes = vec![ask(0, 1, 4.0), leaf(2.0), ask(1, 3, 2.0), leaf(1.0), leaf(1.0)];
    /// let tree = Tree { nodes, values: vec![0.0, 0.0, 0.0, 0.0, 1.0], first_output: 0, n_outputs: 1 };
    /// let trees = Trees { base: vec![0.0], trees: vec![tree] };
    ///
    /// let pairs = TreeShap::new(&trees)?.interactions(&Matrix::from_row_major(2, &[1.0, 1.0]), 0)?;
    /// assert_eq!((pairs.of(0, 0, 0), pairs.of(0, 0, 1), pairs.of(0, 1, 1)), (0.25, 0.125, 0.25));
    /// # Ok::<(), guike_explain::ExplainError>(())
    /// ```
    pub fn interactions(&self, x: &Matrix, row: usize) -> Result<Interactions, ExplainError> {
        self.check(x)?;
        let sums = self.sum_over(&x.select_rows(&[row]), |v| v);
        Ok(self.mirrored(&sums, x.n_columns(), 1.0))
    }

    /// The mean over rows of each pair's absolute interaction: the numbers of a heat map.
    ///
    /// Rows are worked on in parallel, and the bits do not depend on the number of threads.
    ///
    /// # Cost
    /// memory: outputs × columns² × 8 bytes for every thread, whatever the number of rows. Time grows with rows, leaves
    /// and the square of a path's columns; a few thousand sampled rows are enough for a picture.
    ///
    /// # Errors
    /// [`ExplainError::Columns`] when a tree asks about a column that the matrix does not have.
    pub fn mean_interactions(&self, x: &Matrix) -> Result<Interactions, ExplainError> {
        self.check(x)?;
        let sums = self.sum_over(x, f64::abs);
        Ok(self.mirrored(&sums, x.n_columns(), x.n_rows().max(1) as f64))
    }

    /// By output and pair (upper triangle), the sum over rows of what `of` makes of each value.
    fn sum_over(&self, x: &Matrix, of: fn(f64) -> f64) -> Vec<f64> {
        let (p, k) = (x.n_columns(), self.expected.len());
        let width = k * triangle(p);
        // the size of a block, and so the order of additions, depends on the shape of the data alone
        let block = (HELD / width.max(1)).clamp(1, 64);
        let n_blocks = x.n_rows().div_ceil(block);
        let mut sums = vec![0.0; width];
        // a few blocks at a time, so that their sums need not all be held
        for group in (0..n_blocks).step_by(32) {
            let parts: Vec<Vec<f64>> = (group..(group + 32).min(n_blocks))
                .into_par_iter()
                .map_init(Scratch::default, |scratch, at| {
                    self.block(x, at * block..((at + 1) * block).min(x.n_rows()), of, scratch)
                })
                .collect();
            for part in parts {
                sums.iter_mut().zip(part).for_each(|(s, v)| *s += v);
            }
        }
        sums
    }

    fn block(&self, x: &Matrix, rows: Range<usize>, of: fn(f64) -> f64, scratch: &mut Scratch) -> Vec<f64> {
        let (p, k, b) = (x.n_columns(), self.expected.len(), rows.len());
        let mut values = vec![0.0; k * triangle(p) * b];
        for i in 0..self.plans.len() {
            self.add_pairs(i, x, rows.clone(), scratch, &mut values);
        }
        let mut sums = vec![0.0; k * triangle(p)];
        for (output, values) in values.chunks_exact_mut((triangle(p) * b).max(1)).enumerate() {
            for i in 0..p {
                for r in 0..b {
                    let others = (0..p).filter(|&j| j != i).map(|j| values[pair(p, i, j) * b + r]).sum::<f64>();
                    values[pair(p, i, i) * b + r] -= others;
                }
            }
            for (sum, by_row) in sums[output * triangle(p)..].iter_mut().zip(values.chunks_exact(b)) {
                *sum = by_row.iter().map(|&v| of(v)).sum();
            }
        }
        sums
    }

    /// Adds tree `i` to `values`, which is outputs × pairs × rows of the block; the diagonal gets the columns' attributions.
    fn add_pairs(&self, i: usize, x: &Matrix, rows: Range<usize>, scratch: &mut Scratch, values: &mut [f64]) {
        let (tree, plan, p, b) = (&self.trees.trees[i], &self.plans[i], x.n_columns(), rows.len());
        let rule = self.rule(plan);
        let Scratch { satisfied, kinds, factors, given } = scratch;
        satisfied.ask(tree, plan, x, rows);
        for path in Path::all(plan) {
            kinds.find(&path, satisfied);
            let (m, words) = (path.edges.len(), path.words());
            let shares: Vec<f64> = path.edges.iter().map(|&e| plan.edges[e as usize].share).collect();
            given.clear();
            given.resize(kinds.patterns.len() / words * triangle(m), 0.0);
            for (pattern, given) in kinds.patterns.chunks_exact(words).zip(given.chunks_exact_mut(triangle(m))) {
                give(pattern, &shares, rule, factors, given);
            }
            for (output, &value) in tree.value(path.node as usize).iter().enumerate() {
                let first = (tree.first_output as usize + output) * triangle(p);
                for i in 0..m {
                    for j in i..m {
                        let column = |at: usize| plan.edges[path.edges[at] as usize].column as usize;
                        let from = (first + pair(p, column(i), column(j))) * b;
                        let at = pair(m, i, j);
                        for (sum, &kind) in values[from..from + b].iter_mut().zip(&kinds.of_row) {
                            *sum += value * given[kind as usize * triangle(m) + at];
                        }
                    }
                }
            }
        }
    }

    fn mirrored(&self, sums: &[f64], p: usize, n: f64) -> Interactions {
        let values = sums
            .chunks_exact(triangle(p).max(1))
            .flat_map(|of| (0..p * p).map(move |at| of[pair(p, at / p, at % p)] / n))
            .collect();
        Interactions::new(p, values)
    }
}

/// What a thread needs again and again.
#[derive(Debug, Default)]
struct Scratch {
    satisfied: Satisfied,
    kinds: Kinds,
    /// By column of a path, its slope over its factor at one point.
    factors: Vec<f64>,
    /// By kind of row and pair of the path's columns, what a leaf of value 1 gives.
    given: Vec<f64>,
}

/// What a leaf of value 1 gives each pair of its path's columns, and on the diagonal each column.
///
/// With zₖ the share of the cover that column k lets through, oₖ whether the row stays and rₖ = (1 − t) zₖ + t oₖ: a column
/// gets ∫ Π r · (oᵢ − zᵢ) / rᵢ, and a pair half of ∫ Π r · (oᵢ − zᵢ) / rᵢ · (oⱼ − zⱼ) / rⱼ.
fn give(pattern: &[u64], shares: &[f64], rule: &Rule, slopes: &mut Vec<f64>, given: &mut [f64]) {
    for (&t, &weight) in rule.points.iter().zip(&rule.weights) {
        let mut product = weight;
        slopes.clear();
        for (k, &z) in shares.iter().enumerate() {
            let stays = pattern[k / 64] >> (k % 64) & 1 == 1;
            let r = (1.0 - t) * z + if stays { t } else { 0.0 };
            product *= r;
            // where the row leaves, z cancels; where no cover is let through either, the product is 0 as it should be
            slopes.push(if stays { (1.0 - z) / r } else { -1.0 / (1.0 - t) });
        }
        let mut at = 0;
        for (i, a) in slopes.iter().enumerate() {
            let first = product * a;
            given[at] += first;
            for (g, b) in given[at + 1..].iter_mut().zip(&slopes[i + 1..]) {
                *g += 0.5 * first * b;
            }
            at += slopes.len() - i;
        }
    }
}

/// Pairs of n things, each with itself included.
fn triangle(n: usize) -> usize {
    n * (n + 1) / 2
}

/// Where the pair stands in the upper triangle, row after row.
fn pair(n: usize, i: usize, j: usize) -> usize {
    let (a, b) = (i.min(j), i.max(j));
    a * n - a * (a + 1) / 2 + b
}
