//! A tree laid out for the walk: its edges in pre-order, each with what the features on its path expect.
//!
//! The one idea: all that depends on the tree alone is worked out once, so that a walk over rows meets plain numbers and
//! neither searches the path nor recurses. Damaged trees are refused here, and the walk believes what it gets.

use guike_core::{Tree, Trees};

use crate::error::ExplainError;

/// No earlier edge asks about the same column.
pub(super) const NONE: u32 = u32::MAX;

/// The way from a node to one of its children.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Edge {
    /// The node above.
    pub(super) parent: u32,
    /// The node below.
    pub(super) child: u32,
    /// Whether `child` is the left one.
    pub(super) is_left: bool,
    /// The column that `parent` asks about.
    pub(super) column: u32,
    /// The nearest edge above that asks about the same column, or [`NONE`].
    pub(super) previous: u32,
    /// Edges from the root down to `child`.
    pub(super) depth: u32,
    /// Share of the cover of `parent` that goes this way.
    pub(super) ratio: f64,
    /// Product of `ratio` over this edge and those above that ask about the same column.
    pub(super) share: f64,
}

/// What to do at an edge, in the order of a walk.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Step {
    /// Go down to an inner node.
    Down(u32),
    /// Go down to a leaf and back.
    Leaf(u32),
    /// Come back from an inner node.
    Up(u32),
}

/// A tree, ready to be walked.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Plan {
    /// In pre-order.
    pub(super) edges: Vec<Edge>,
    /// Every inner edge is gone down and up, every leaf edge once.
    pub(super) steps: Vec<Step>,
    /// Edges on the longest path.
    pub(super) depth: usize,
    /// Distinct columns on the path that has most of them.
    pub(super) n_distinct: usize,
    /// Columns that must exist.
    pub(super) n_columns: usize,
    /// Mean of the leaves, weighted by cover: one per output of the tree.
    pub(super) expected: Vec<f64>,
}

impl Plan {
    /// Lays out all trees.
    pub(super) fn all(trees: &Trees) -> Result<Vec<Plan>, ExplainError> {
        let n_outputs = trees.base.len();
        trees.trees.iter().enumerate().map(|(i, t)| Plan::new(t, i, n_outputs)).collect()
    }

    /// Lays out tree number `index` of an ensemble with `n_outputs` outputs.
    fn new(tree: &Tree, index: usize, n_outputs: usize) -> Result<Plan, ExplainError> {
        check(tree, n_outputs).map_err(|(node, rule)| ExplainError::Tree { tree: index, node, rule })?;
        let mut plan = Plan {
            edges: Vec::with_capacity(tree.nodes.len()),
            steps: Vec::with_capacity(2 * tree.nodes.len()),
            depth: 0,
            n_distinct: 0,
            n_columns: 0,
            expected: vec![0.0; tree.n_outputs as usize],
        };
        plan.n_columns = tree.nodes.iter().filter_map(|n| n.split.as_ref()).map(|s| s.column() + 1).max().unwrap_or(0);
        // by column, the last edge of the current path that asks about it
        let mut last = vec![NONE; plan.n_columns];
        let mut n_distinct = 0;
        let mut reach = vec![1.0];
        plan.leaf(tree, 0, 1.0);
        // whether to enter (false) or leave (true), edge or pending child
        let mut stack: Vec<Task> = Vec::new();
        push_children(&mut stack, tree, 0);
        while let Some(task) = stack.pop() {
            match task {
                Task::Enter { parent, is_left } => {
                    let edge = plan.enter(tree, parent, is_left, reach.len(), &mut last);
                    let at = plan.edges.len() as u32;
                    n_distinct += usize::from(edge.previous == NONE);
                    plan.n_distinct = plan.n_distinct.max(n_distinct);
                    plan.depth = plan.depth.max(reach.len());
                    reach.push(reach[reach.len() - 1] * edge.ratio);
                    let child = edge.child as usize;
                    let inner = tree.nodes[child].split.is_some();
                    last[edge.column as usize] = at;
                    plan.edges.push(edge);
                    plan.steps.push(if inner { Step::Down(at) } else { Step::Leaf(at) });
                    stack.push(Task::Leave { edge: at, inner });
                    plan.leaf(tree, child, reach[reach.len() - 1]);
                    push_children(&mut stack, tree, child);
                }
                Task::Leave { edge: at, inner } => {
                    let edge = &plan.edges[at as usize];
                    last[edge.column as usize] = edge.previous;
                    n_distinct -= usize::from(edge.previous == NONE);
                    reach.pop();
                    if inner {
                        plan.steps.push(Step::Up(at));
                    }
                }
            }
        }
        Ok(plan)
    }

    /// Adds a leaf that this share of the cover reaches to the expected value.
    fn leaf(&mut self, tree: &Tree, node: usize, reach: f64) {
        if tree.nodes[node].split.is_none() {
            for (e, v) in self.expected.iter_mut().zip(tree.value(node)) {
                *e += reach * v;
            }
        }
    }

    fn enter(&self, tree: &Tree, parent: u32, is_left: bool, depth: usize, last: &mut [u32]) -> Edge {
        let node = &tree.nodes[parent as usize];
        let column = node.split.as_ref().expect("only inner nodes have children").column();
        let (child, sibling) = if is_left { (node.left, node.right) } else { (node.right, node.left) };
        let (mine, other) = (tree.nodes[child as usize].cover, tree.nodes[sibling as usize].cover);
        // shares of the children's own sum, so that they add up to one whatever the learner counted; a split that no
        // training row came by is taken as even
        let ratio = if mine + other > 0.0 { mine / (mine + other) } else { 0.5 };
        let previous = last[column];
        let share = ratio * if previous == NONE { 1.0 } else { self.edges[previous as usize].share };
        Edge { parent, child, is_left, column: column as u32, previous, depth: depth as u32, ratio, share }
    }
}

enum Task {
    Enter { parent: u32, is_left: bool },
    Leave { edge: u32, inner: bool },
}

fn push_children(stack: &mut Vec<Task>, tree: &Tree, node: usize) {
    if tree.nodes[node].split.is_some() {
        stack.push(Task::Enter { parent: node as u32, is_left: false });
        stack.push(Task::Enter { parent: node as u32, is_left: true });
    }
}

/// The first node that breaks a rule, and the rule.
pub(crate) fn check(tree: &Tree, n_outputs: usize) -> Result<(), (usize, &'static str)> {
    let n = tree.nodes.len();
    if n == 0 {
        return Err((0, "a tree has at least one node"));
    }
    if tree.n_outputs == 0 || tree.first_output as usize + tree.n_outputs as usize > n_outputs {
        return Err((0, "a tree adds to outputs that the ensemble has"));
    }
    if tree.values.len() != n * tree.n_outputs as usize {
        return Err((0, "there is one value per node and output"));
    }
    let mut has_parent = vec![false; n];
    for (at, node) in tree.nodes.iter().enumerate() {
        if !(node.cover.is_finite() && node.cover >= 0.0) {
            return Err((at, "a cover is a finite number that is not negative"));
        }
        if node.split.is_some() {
            for child in [node.left as usize, node.right as usize] {
                if child <= at || child >= n {
                    return Err((at, "a child must come after its parent and exist"));
                }
                if std::mem::replace(&mut has_parent[child], true) {
                    return Err((child, "a node has one parent"));
                }
            }
        } else if !tree.value(at).iter().all(|v| v.is_finite()) {
            return Err((at, "the value of a leaf is finite"));
        }
    }
    Ok(())
}
