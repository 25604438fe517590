//! Trees as JSON, one array per property: a tenth of the text that an object per node would take.
//!
//! A node is a leaf where `left` is 0; its right child follows the left one. A category question lists the codes that go
//! left under the node's number in `codes`.

use std::collections::BTreeMap;

use guike_core::tree::{Node, Split, Tree, Trees};
use serde::{Deserialize, Serialize};

/// One tree by property.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct TreeText {
    first_output: u32,
    n_outputs: u32,
    /// The column asked about; 0 at a leaf.
    column: Vec<u32>,
    /// Values up to this go left; 0 at a leaf or category.
    threshold: Vec<f64>,
    /// 1 where a missing value goes left.
    missing_left: Vec<u8>,
    /// Position of the left child, 0 at a leaf; the right child is the next.
    left: Vec<u32>,
    cover: Vec<f64>,
    gain: Vec<f64>,
    /// Row-major, nodes × outputs.
    value: Vec<f64>,
    /// By node: the category codes that go left.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    codes: BTreeMap<u32, Vec<u32>>,
}

/// All trees and what every row begins with.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct TreesText {
    base: Vec<f64>,
    trees: Vec<TreeText>,
}

impl From<&Trees> for TreesText {
    fn from(trees: &Trees) -> TreesText {
        TreesText { base: trees.base.clone(), trees: trees.trees.iter().map(TreeText::from).collect() }
    }
}

impl From<&Tree> for TreeText {
    fn from(tree: &Tree) -> TreeText {
        let mut text = TreeText {
            first_output: tree.first_output,
            n_outputs: tree.n_outputs,
            column: Vec::new(),
            threshold: Vec::new(),
            missing_left: Vec::new(),
            left: tree.nodes.iter().map(|n| n.left).collect(),
            cover: tree.nodes.iter().map(|n| n.cover).collect(),
            gain: tree.nodes.iter().map(|n| n.gain).collect(),
            value: tree.values.clone(),
            codes: BTreeMap::new(),
        };
        for (at, node) in tree.nodes.iter().enumerate() {
            let (column, threshold, missing_left) = match &node.split {
                None => (0, 0.0, false),
                Some(Split::Number { column, threshold, missing_left }) => (*column, *threshold, *missing_left),
                Some(Split::Category { column, left, missing_left }) => {
                    text.codes.insert(at as u32, left.clone());
                    (*column, 0.0, *missing_left)
                }
            };
            text.column.push(column);
            text.threshold.push(threshold);
            text.missing_left.push(u8::from(missing_left));
        }
        text
    }
}

impl TreesText {
    /// The trees, checked so that reading them cannot go wrong.
    pub(crate) fn read(self, n_columns: usize, n_outputs: usize) -> Result<Trees, String> {
        if self.base.len() != n_outputs {
            return Err(format!("there are {} bases for {n_outputs} outputs", self.base.len()));
        }
        let trees = self
            .trees
            .into_iter()
            .enumerate()
            .map(|(t, text)| text.read(n_columns, n_outputs).map_err(|e| format!("tree {t}: {e}")));
        Ok(Trees { base: self.base, trees: trees.collect::<Result<_, _>>()? })
    }
}

impl TreeText {
    fn read(mut self, n_columns: usize, n_outputs: usize) -> Result<Tree, String> {
        let n = self.left.len();
        let lengths =
            [self.column.len(), self.threshold.len(), self.missing_left.len(), self.cover.len(), self.gain.len()];
        if n == 0 || lengths.iter().any(|&l| l != n) || self.value.len() != n * self.n_outputs as usize {
            return Err("its lists differ in length".into());
        }
        if (self.first_output + self.n_outputs) as usize > n_outputs {
            return Err(format!("it adds to outputs beyond {n_outputs}"));
        }
        let mut nodes = Vec::with_capacity(n);
        for at in 0..n {
            let left = self.left[at];
            if left == 0 {
                nodes.push(Node { split: None, left: 0, right: 0, cover: self.cover[at], gain: self.gain[at] });
                continue;
            }
            if left as usize <= at || left as usize + 1 >= n || self.column[at] as usize >= n_columns {
                return Err(format!("node {at} points outside"));
            }
            let (column, missing_left) = (self.column[at], self.missing_left[at] != 0);
            let split = match self.codes.remove(&(at as u32)) {
                Some(left) if left.is_sorted() => Split::Category { column, left, missing_left },
                Some(_) => return Err(format!("the codes of node {at} are not in order")),
                None => Split::Number { column, threshold: self.threshold[at], missing_left },
            };
            nodes.push(Node { split: Some(split), left, right: left + 1, cover: self.cover[at], gain: self.gain[at] });
        }
        Ok(Tree { nodes, values: self.value, first_output: self.first_output, n_outputs: self.n_outputs })
    }
}
