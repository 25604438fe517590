//! Trees as one operator, `TreeEnsemble` of `ai.onnx.ml` 5.
//!
//! The operator lists inner nodes and leaves apart, and a leaf adds one number to one output. A tree whose leaves add to
//! several outputs is therefore written once per output, a tree of a single leaf under a question whose two answers lead to it.

use std::ops::Range;

use guike_core::tree::{Node, Split, Tree, Trees};

use crate::graph::{Attribute, Graph, Op, Tensor, Value};

/// The operator's ways of asking: x ≤ split, and x among the members.
const LESS_OR_EQUAL: u8 = 0;
const MEMBER: u8 = 6;
/// Leaf values are added up …
const SUM: i64 = 1;
/// … and given out as they are.
const NONE: i64 = 0;

/// The sums of the `outputs` of these trees, rows × outputs, from the matrix `x` (rows × columns).
///
/// Agrees with [`Trees::predict_row`] but for the order in which leaf values are added. Category codes must not be negative.
///
/// # Panics
/// When the trees do not have these outputs.
pub fn trees(graph: &mut Graph, name: &str, trees: &Trees, outputs: Range<usize>, x: &Value) -> Value {
    let base = Tensor::list(trees.base[outputs.clone()].to_vec());
    let mut lists = Lists::default();
    for tree in &trees.trees {
        for j in 0..tree.n_outputs as usize {
            let output = tree.first_output as usize + j;
            if outputs.contains(&output) {
                lists.tree(tree, j, output - outputs.start);
            }
        }
    }
    if lists.roots.is_empty() {
        let leaf = Node { split: None, left: 0, right: 0, cover: 0.0, gain: 0.0 };
        lists.tree(&Tree { nodes: vec![leaf], values: vec![0.0], first_output: 0, n_outputs: 1 }, 0, 0);
    }
    let sums = graph.node(&format!("{name}/trees"), lists.operator(outputs.len()), &[x]);
    let base = graph.constant(&format!("{name}/base"), base);
    graph.node(&format!("{name}/sums"), Op::named("Add"), &[&sums, &base])
}

/// The operator's settings: one entry per inner node, per leaf and per tree.
#[derive(Default)]
struct Lists {
    column: Vec<i64>,
    split: Vec<f64>,
    mode: Vec<u8>,
    missing_true: Vec<i64>,
    /// Position of the next inner node or leaf, and which of the two it is, when the answer is yes and when it is no.
    yes: Vec<i64>,
    yes_is_leaf: Vec<i64>,
    no: Vec<i64>,
    no_is_leaf: Vec<i64>,
    /// The members of every set, in the order of the nodes, each set ended by NaN.
    members: Vec<f64>,
    leaf_output: Vec<i64>,
    leaf_value: Vec<f64>,
    roots: Vec<i64>,
}

impl Lists {
    /// Adds a tree whose leaves add their value for the tree's output `j` to `output`.
    fn tree(&mut self, tree: &Tree, j: usize, output: usize) {
        let (first_node, first_leaf) = (self.column.len(), self.leaf_value.len());
        self.roots.push(first_node as i64);
        // where each node of the tree comes to stand, among inner nodes or among leaves
        let (mut inner, mut leaves) = (0, 0);
        let places: Vec<(i64, i64)> = tree
            .nodes
            .iter()
            .map(|n| {
                let (count, first, is_leaf) = match n.split {
                    Some(_) => (&mut inner, first_node, 0),
                    None => (&mut leaves, first_leaf, 1),
                };
                *count += 1;
                ((first + *count - 1) as i64, is_leaf)
            })
            .collect();
        if inner == 0 {
            self.ask(&Split::Number { column: 0, threshold: 0.0, missing_left: true }, places[0], places[0]);
        }
        for (at, node) in tree.nodes.iter().enumerate() {
            match &node.split {
                Some(split) => self.ask(split, places[node.left as usize], places[node.right as usize]),
                None => {
                    self.leaf_output.push(output as i64);
                    self.leaf_value.push(tree.value(at)[j]);
                }
            }
        }
    }

    fn ask(&mut self, split: &Split, left: (i64, i64), right: (i64, i64)) {
        let (mode, value, missing_left) = match split {
            Split::Number { threshold, missing_left, .. } => (LESS_OR_EQUAL, *threshold, *missing_left),
            // a set may not be empty; no code is below 0
            Split::Category { left, missing_left, .. } if left.is_empty() => (LESS_OR_EQUAL, -1.0, *missing_left),
            Split::Category { left, missing_left, .. } => {
                self.members.extend(left.iter().map(|&code| f64::from(code)));
                self.members.push(f64::NAN);
                (MEMBER, 0.0, *missing_left)
            }
        };
        self.column.push(split.column() as i64);
        self.split.push(value);
        self.mode.push(mode);
        self.missing_true.push(i64::from(missing_left));
        self.yes.push(left.0);
        self.yes_is_leaf.push(left.1);
        self.no.push(right.0);
        self.no_is_leaf.push(right.1);
    }

    fn operator(self, n_outputs: usize) -> Op {
        let op = Op::ml("TreeEnsemble")
            .with("n_targets", Attribute::Int(n_outputs as i64))
            .with("aggregate_function", Attribute::Int(SUM))
            .with("post_transform", Attribute::Int(NONE))
            .with("tree_roots", Attribute::Ints(self.roots))
            .with("nodes_featureids", Attribute::Ints(self.column))
            .with("nodes_splits", Attribute::Tensor(Tensor::list(self.split)))
            .with("nodes_modes", Attribute::Tensor(Tensor::Bytes(self.mode)))
            .with("nodes_missing_value_tracks_true", Attribute::Ints(self.missing_true))
            .with("nodes_truenodeids", Attribute::Ints(self.yes))
            .with("nodes_trueleafs", Attribute::Ints(self.yes_is_leaf))
            .with("nodes_falsenodeids", Attribute::Ints(self.no))
            .with("nodes_falseleafs", Attribute::Ints(self.no_is_leaf))
            .with("leaf_targetids", Attribute::Ints(self.leaf_output))
            .with("leaf_weights", Attribute::Tensor(Tensor::list(self.leaf_value)));
        if self.members.is_empty() {
            return op;
        }
        op.with("membership_values", Attribute::Tensor(Tensor::list(self.members)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inner(split: Split, left: u32) -> Node {
        Node { split: Some(split), left, right: left + 1, cover: 1.0, gain: 1.0 }
    }

    fn leaf() -> Node {
        Node { split: None, left: 0, right: 0, cover: 1.0, gain: 0.0 }
    }

    /// Reads the lists as the operator is documented.
    fn walk(l: &Lists, root: usize, x: &[f64]) -> (i64, f64) {
        let mut at = l.roots[root] as usize;
        loop {
            let v = x[l.column[at] as usize];
            let set = l.mode[..at].iter().filter(|&&m| m == MEMBER).count();
            let members = l.members.split(|m| m.is_nan()).nth(set).unwrap_or_default();
            let holds = match l.mode[at] {
                LESS_OR_EQUAL => v <= l.split[at],
                _ => members.contains(&v),
            };
            let yes = holds || (v.is_nan() && l.missing_true[at] == 1);
            let (next, is_leaf) = if yes { (l.yes[at], l.yes_is_leaf[at]) } else { (l.no[at], l.no_is_leaf[at]) };
            if is_leaf == 1 {
                return (l.leaf_output[next as usize], l.leaf_value[next as usize]);
            }
            at = next as usize;
        }
    }

    #[test]
    fn the_lists_say_what_the_tree_says() {
        let number = Split::Number { column: 0, threshold: 2.5, missing_left: true };
        let set = Split::Category { column: 1, left: vec![0, 3], missing_left: false };
        let nothing = Split::Category { column: 1, left: vec![], missing_left: true };
        let nodes = vec![inner(number, 1), inner(set, 3), inner(nothing, 5), leaf(), leaf(), leaf(), leaf()];
        let values: Vec<f64> = (0..14).map(f64::from).collect();
        let tree = Tree { nodes, values, first_output: 0, n_outputs: 2 };
        let mut lists = Lists::default();
        lists.tree(&tree, 1, 4);
        lists.tree(&Tree { nodes: vec![leaf()], values: vec![7.0], first_output: 0, n_outputs: 1 }, 0, 2);
        lists.tree(&tree, 0, 5);
        for a in [1.0, 2.5, 3.0, f64::NAN] {
            for b in [0.0, 1.0, 3.0, f64::NAN] {
                let at = tree.leaf(|c| [a, b][c]);
                assert_eq!(walk(&lists, 0, &[a, b]), (4, tree.value(at)[1]), "{a} {b}");
                assert_eq!(walk(&lists, 1, &[a, b]), (2, 7.0));
                assert_eq!(walk(&lists, 2, &[a, b]), (5, tree.value(at)[0]), "{a} {b}");
            }
        }
    }
}
