//! Exact Shapley values of trees against a background: what is not known comes from other rows, not from the trees' covers.
//!
//! The one idea: row x and background row b reach a leaf together only when every column on its path stays with one of
//! them. Then the columns that only x satisfies earn the leaf's value and those that only b satisfies pay it, by weights
//! that depend on how many there are. A leaf knows a row by the pattern of columns that it satisfies, so rows and background
//! are sorted into patterns first, and explaining costs patterns × patterns instead of rows × background.
//!
//! It breaks the bond between features that go together, as every interventional value does: the sum is true to the model,
//! not to the data (Janzing et al. 2020). [`super::TreeShap`] is the other choice.

use guike_core::{Matrix, Tree, Trees};

use super::pattern::{Kinds, Path, ROWS, Satisfied};
use super::plan::Plan;
use crate::attribution::Attributions;
use crate::error::ExplainError;

/// Trees and the answers of a background to their questions.
///
/// # Shapes
/// a matrix of n rows and at least the columns that the trees ask about → n × K outputs × p columns
///
/// # Units
/// those of the raw outputs
///
/// # Cost
/// memory: one bit per edge and background row, besides the result; 100 trees of 31 leaves and 1,000 background rows take
/// 0.8 MB. No call of a model.
///
/// # Source
/// Lundberg et al. (2020), *From local explanations to global understanding with explainable AI for trees*, Nature Machine
/// Intelligence 2, algorithm 3 (`interventional`), with rows and background gathered by pattern. Checked against sums over
/// all subsets.
///
/// # Example
/// ```
/// use guike_core::tree::{Node, Split, Tree, Trees};
/// use guike_core::Matrix;
/// use guike_explain::tree_shap::interventional::InterventionalShap;
///
/// let leaf = |cover| Node { split: None, left: 0, right: 0, cover, gain: 0.0 };
/// let split = Split::Number { column: 1, threshold: 2.0, missing_left: true };
/// let root = Node { split: Some(split), left: 1, right: 2, cover: 4.0, gain: 1.0 };
/// let nodes = vec![root, leaf(3.0), leaf(1.0)];
/// let tree = Tree { nodes, values: vec![0.0, -1.0, 1.0], first_output: 0, n_outputs: 1 };
/// let trees = Trees { base: vec![10.0], trees: vec![tree] };
///
/// let background = Matrix::from_row_major(2, &[0.0, 1.0, 0.0, 3.0]);
/// let shap = InterventionalShap::new(&trees, &background)?;
/// assert_eq!(shap.expected(), [10.0], "one of two background rows goes right, whatever the covers");
/// let explained = shap.attribute(&Matrix::from_row_major(2, &[0.0, 5.0]))?;
/// assert_eq!(explained.of(0, 0), [0.0, 1.0]);
///
/// assert!(InterventionalShap::new(&trees, &background.select_rows(&[])).is_err(), "nothing to compare with");
/// # Ok::<(), guike_explain::ExplainError>(())
/// ```
#[derive(Debug, Clone)]
pub struct InterventionalShap<'a> {
    trees: &'a Trees,
    plans: Vec<Plan>,
    background: Vec<Satisfied>,
    n_background: usize,
    weights: Weights,
    expected: Vec<f64>,
    n_columns: usize,
}

impl<'a> InterventionalShap<'a> {
    /// Puts the background to the trees; do it once for many rows.
    ///
    /// # Errors
    /// [`ExplainError::NoBackground`]; [`ExplainError::Columns`] when a tree asks about a column that the background does
    /// not have; [`ExplainError::Tree`] for a damaged tree, as [`super::TreeShap::new`].
    pub fn new(trees: &'a Trees, background: &Matrix) -> Result<InterventionalShap<'a>, ExplainError> {
        if background.n_rows() == 0 {
            return Err(ExplainError::NoBackground);
        }
        let plans = Plan::all(trees)?;
        let n_columns = plans.iter().map(|p| p.n_columns).max().unwrap_or(0);
        if background.n_columns() < n_columns {
            return Err(ExplainError::Columns { needed: n_columns, found: background.n_columns() });
        }
        let n = background.n_rows();
        let mut expected = vec![0.0; trees.base.len()];
        for b in 0..n {
            for (e, v) in expected.iter_mut().zip(trees.predict_row(|j| background.at(b, j))) {
                *e += v / n as f64;
            }
        }
        let answers = |(tree, plan): (&Tree, &Plan)| {
            let mut satisfied = Satisfied::default();
            satisfied.ask(tree, plan, background, 0..n);
            satisfied
        };
        let background = trees.trees.iter().zip(&plans).map(answers).collect();
        let longest = plans.iter().map(|p| p.n_distinct).max().unwrap_or(0);
        let weights = Weights::new(longest);
        Ok(InterventionalShap { trees, plans, background, n_background: n, weights, expected, n_columns })
    }

    /// The mean prediction over the background: one value per output.
    pub fn expected(&self) -> &[f64] {
        &self.expected
    }

    /// What each column adds to each output of each row; together with [`expected`](Self::expected) it is the prediction.
    ///
    /// Rows are worked on in parallel, and the bits do not depend on the number of threads.
    ///
    /// # Errors
    /// [`ExplainError::Columns`] when a tree asks about a column that the matrix does not have.
    pub fn attribute(&self, x: &Matrix) -> Result<Attributions, ExplainError> {
        let (p, k) = (x.n_columns(), self.expected.len());
        if p < self.n_columns {
            return Err(ExplainError::Columns { needed: self.n_columns, found: p });
        }
        let values = super::by_blocks(x.n_rows(), p * k, ROWS, Scratch::default, |scratch, rows, phi| {
            for i in 0..self.plans.len() {
                self.add(i, x, rows.clone(), scratch, phi);
            }
        });
        Ok(Attributions::new(self.expected.clone(), x.n_rows(), p, values))
    }

    /// Adds tree `i` to `phi`, which is outputs × columns × rows of the block.
    fn add(&self, i: usize, x: &Matrix, rows: std::ops::Range<usize>, scratch: &mut Scratch, phi: &mut [f64]) {
        let (tree, plan, b, p) = (&self.trees.trees[i], &self.plans[i], rows.len(), x.n_columns());
        scratch.satisfied.ask(tree, plan, x, rows);
        for path in Path::all(plan) {
            scratch.background.find(&path, &self.background[i]);
            scratch.rows.find(&path, &scratch.satisfied);
            let leaf = Leaf::new(path.edges.len(), &scratch.background, self.n_background);
            let (m, words) = (leaf.n_columns, path.words());
            scratch.given.clear();
            scratch.given.resize(scratch.rows.patterns.len() / words * m, 0.0);
            for (pattern, given) in scratch.rows.patterns.chunks_exact(words).zip(scratch.given.chunks_exact_mut(m)) {
                leaf.give(pattern, &self.weights, given);
            }
            for (output, &value) in tree.value(path.node as usize).iter().enumerate() {
                for (at, &edge) in path.edges.iter().enumerate() {
                    let column = plan.edges[edge as usize].column as usize;
                    let from = ((tree.first_output as usize + output) * p + column) * b;
                    for (sum, &kind) in phi[from..from + b].iter_mut().zip(&scratch.rows.of_row) {
                        *sum += value * scratch.given[kind as usize * m + at];
                    }
                }
            }
        }
    }
}

/// What a thread needs again and again.
#[derive(Debug, Default)]
struct Scratch {
    satisfied: Satisfied,
    rows: Kinds,
    background: Kinds,
    /// By kind of row and column of the path, what a leaf of value 1 gives.
    given: Vec<f64>,
}

/// The background as a leaf sees it.
struct Leaf {
    /// Columns of the path.
    n_columns: usize,
    /// By kind of background row, the columns that leave the path; [`Path::words`] words each.
    broken: Vec<u64>,
    /// By kind, its share of the background.
    shares: Vec<f64>,
}

impl Leaf {
    fn new(n_columns: usize, kinds: &Kinds, n_background: usize) -> Leaf {
        let words = n_columns.div_ceil(64);
        let broken = kinds.patterns.iter().enumerate().map(|(i, p)| !p & mask(n_columns, i % words)).collect();
        let mut counts = vec![0_u32; kinds.patterns.len() / words];
        kinds.of_row.iter().for_each(|&kind| counts[kind as usize] += 1);
        let shares = counts.iter().map(|&c| f64::from(c) / n_background as f64).collect();
        Leaf { n_columns, broken, shares }
    }

    /// What a leaf of value 1 gives each column of its path when the row satisfies those of `pattern`.
    fn give(&self, pattern: &[u64], weights: &Weights, given: &mut [f64]) {
        let words = pattern.len();
        let n_missing = self.n_columns - pattern.iter().map(|w| w.count_ones() as usize).sum::<usize>();
        let mut paid = 0.0;
        for (broken, share) in self.broken.chunks_exact(words).zip(&self.shares) {
            // a column that neither row satisfies: no mixture of the two gets here
            if broken.iter().zip(pattern).any(|(b, p)| b & !p != 0) {
                continue;
            }
            let n_earning = broken.iter().map(|w| w.count_ones() as usize).sum::<usize>();
            if n_earning > 0 {
                let earned = share * weights.of(n_earning, n_missing);
                each_bit(broken, |j| given[j] += earned);
            }
            if n_missing > 0 {
                paid += share * weights.of(n_missing, n_earning);
            }
        }
        for (j, g) in given.iter_mut().enumerate() {
            if pattern[j / 64] >> (j % 64) & 1 == 0 {
                *g -= paid;
            }
        }
    }
}

/// The bits of word `w` that stand for one of `m` columns.
fn mask(m: usize, w: usize) -> u64 {
    match m - 64 * w {
        in_word @ 0..64 => (1 << in_word) - 1,
        _ => u64::MAX,
    }
}

fn each_bit(words: &[u64], mut visit: impl FnMut(usize)) {
    for (w, &word) in words.iter().enumerate() {
        let mut left = word;
        while left != 0 {
            visit(64 * w + left.trailing_zeros() as usize);
            left &= left - 1;
        }
    }
}

/// (a − 1)! b! / (a + b)!: the chance that, of a columns that must come before and b that must not, a given one of the a
/// comes last and none of the b earlier.
#[derive(Debug, Clone, PartialEq)]
struct Weights {
    table: Vec<f64>,
    width: usize,
}

impl Weights {
    fn new(most: usize) -> Weights {
        let width = most + 1;
        let mut table = vec![0.0; width * width];
        for a in 1..=most {
            table[a * width] = 1.0 / a as f64;
            for b in 1..=most - a {
                table[a * width + b] = table[a * width + b - 1] * b as f64 / (a + b) as f64;
            }
        }
        Weights { table, width }
    }

    fn of(&self, a: usize, b: usize) -> f64 {
        self.table[a * self.width + b]
    }
}
