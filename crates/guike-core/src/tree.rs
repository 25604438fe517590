//! Fitted trees as plain data: what tree learners grow, explanations walk and exporters write.
//!
//! The one idea: a prediction is `base` plus the values of the leaves that a row reaches, one leaf per tree. Averaging
//! (forests) and shrinkage (boosting) are already in the leaf values, so every ensemble is read in the same way.

use serde::{Deserialize, Serialize};

/// The question at an inner node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// `x ≤ threshold` goes left; NaN goes where `missing_left` says.
    Number {
        /// Column of the matrix.
        column: u32,
        /// Largest value that goes left.
        threshold: f64,
        /// Whether a missing value goes left.
        missing_left: bool,
    },
    /// A whole-numbered category code in `left` goes left, any other right; NaN goes where `missing_left` says.
    Category {
        /// Column of the matrix.
        column: u32,
        /// Codes that go left, ascending.
        left: Vec<u32>,
        /// Whether a missing value goes left.
        missing_left: bool,
    },
}

impl Split {
    /// The column that is asked about.
    pub fn column(&self) -> usize {
        match self {
            Split::Number { column, .. } | Split::Category { column, .. } => *column as usize,
        }
    }

    /// Whether a row with this value in the column goes left.
    pub fn goes_left(&self, value: f64) -> bool {
        match self {
            Split::Number { threshold, missing_left, .. } => {
                if value.is_nan() {
                    *missing_left
                } else {
                    value <= *threshold
                }
            }
            Split::Category { left, missing_left, .. } => {
                if value.is_nan() {
                    *missing_left
                } else {
                    value >= 0.0 && value <= f64::from(u32::MAX) && left.binary_search(&(value as u32)).is_ok()
                }
            }
        }
    }
}

/// A node; its children come after it in the tree.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// The question, or `None` at a leaf.
    pub split: Option<Split>,
    /// Position of the left child; 0 at a leaf.
    pub left: u32,
    /// Position of the right child; 0 at a leaf.
    pub right: u32,
    /// Weight of the training rows that came by.
    pub cover: f64,
    /// By how much the split lowered the training loss; 0 at a leaf.
    pub gain: f64,
}

/// One tree; node 0 is the root.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tree {
    /// Parents before children.
    pub nodes: Vec<Node>,
    /// Row-major, nodes × `n_outputs`: what is added when a row ends here. Inner nodes carry the value they would have as
    /// a leaf where the learner knows it, else 0.
    pub values: Vec<f64>,
    /// The first output that this tree adds to: the class of a one-against-all tree, else 0.
    pub first_output: u32,
    /// How many outputs it adds to.
    pub n_outputs: u32,
}

impl Tree {
    /// The leaf that a row reaches, given a look-up of its value by column.
    pub fn leaf(&self, value: impl Fn(usize) -> f64) -> usize {
        let mut at = 0;
        while let Some(split) = &self.nodes[at].split {
            at = if split.goes_left(value(split.column())) { self.nodes[at].left } else { self.nodes[at].right }
                as usize;
        }
        at
    }

    /// What node `at` adds to outputs `first_output ..`.
    pub fn value(&self, at: usize) -> &[f64] {
        let k = self.n_outputs as usize;
        &self.values[at * k..(at + 1) * k]
    }

    /// Number of leaves.
    pub fn n_leaves(&self) -> usize {
        self.nodes.iter().filter(|n| n.split.is_none()).count()
    }
}

/// Trees whose leaf values are added up.
///
/// ```
/// use guike_core::tree::{Node, Split, Tree, Trees};
/// let leaf = Node { split: None, left: 0, right: 0, cover: 1.0, gain: 0.0 };
/// let split = Split::Number { column: 0, threshold: 2.0, missing_left: true };
/// let root = Node { split: Some(split), left: 1, right: 2, cover: 2.0, gain: 1.0 };
/// let nodes = vec![root, leaf.clone(), leaf];
/// let tree = Tree { nodes, values: vec![0.0, -1.0, 1.0], first_output: 0, n_outputs: 1 };
/// let trees = Trees { base: vec![10.0], trees: vec![tree] };
/// assert_eq!(trees.predict_row(|_| 2.5), [11.0]);
/// assert_eq!(trees.predict_row(|_| f64::NAN), [9.0]);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Trees {
    /// What every row begins with, one per output.
    pub base: Vec<f64>,
    /// The trees.
    pub trees: Vec<Tree>,
}

impl Trees {
    /// The raw outputs of a row: the plain reading that faster predictors must agree with.
    pub fn predict_row(&self, value: impl Fn(usize) -> f64) -> Vec<f64> {
        let mut out = self.base.clone();
        for tree in &self.trees {
            let leaf = tree.leaf(&value);
            for (o, v) in out[tree.first_output as usize..].iter_mut().zip(tree.value(leaf)) {
                *o += v;
            }
        }
        out
    }
}
