//! One exact decision tree: CART (Breiman, Friedman, Olshen & Stone 1984) on sorted values.
//!
//! The one idea: every column is sorted once; a split then only divides the sorted orders stably, so that each node finds
//! all its rows in order in every column and tries every cut between two different values. Of equally good cuts the first
//! column and the lowest threshold win (scikit-learn draws by lot).

use std::collections::BinaryHeap;

use guike_core::tree::{Node, Tree};
use guike_core::{Cancelled, FitContext};
use rayon::prelude::*;

use super::problem::Problem;
use super::{Criterion, DecisionTree};
use crate::tabular::Task;

/// Rows × columns of a node above which its columns are searched by several threads.
const PARALLEL: usize = 1 << 16;

/// The best question found for a node.
#[derive(Debug, Clone, Copy)]
struct Cut {
    column: usize,
    /// Largest value that goes left.
    threshold: f64,
    missing_left: bool,
    /// By how much weight × impurity falls, up to rounding.
    gain: f64,
}

/// A node that may still be split.
#[derive(Debug)]
struct Open {
    node: usize,
    start: usize,
    end: usize,
    depth: u32,
    cut: Cut,
}

/// Best first: the larger gain, then the older node.
impl Ord for Open {
    fn cmp(&self, other: &Open) -> std::cmp::Ordering {
        self.cut.gain.total_cmp(&other.cut.gain).then(other.node.cmp(&self.node))
    }
}

impl PartialOrd for Open {
    fn partial_cmp(&self, other: &Open) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Open {
    fn eq(&self, other: &Open) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Open {}

/// What is known of a node while the tree grows.
#[derive(Debug, Clone)]
struct Grown {
    cut: Option<Cut>,
    left: usize,
    cover: f64,
    /// Weight × impurity.
    loss: f64,
}

/// Grows and prunes the tree of a problem.
pub(super) fn grow(settings: &DecisionTree, problem: &Problem, cx: &FitContext<'_>) -> Result<Tree, Cancelled> {
    let mut grower = Grower::new(settings, problem);
    grower.grow(cx)?;
    Ok(grower.finish())
}

struct Grower<'a> {
    settings: &'a DecisionTree,
    problem: &'a Problem,
    outputs: usize,
    /// Per column all rows, by node and within it by value, missing last.
    order: Vec<Vec<u32>>,
    /// Labels; for a number less the mean of the node being searched.
    centred: Vec<f64>,
    goes_left: Vec<bool>,
    nodes: Vec<Grown>,
    values: Vec<f64>,
}

impl<'a> Grower<'a> {
    fn new(settings: &'a DecisionTree, problem: &'a Problem) -> Grower<'a> {
        let n = problem.n_rows();
        let order = (0..problem.x.n_columns())
            .into_par_iter()
            .map(|j| {
                let column = problem.x.column(j);
                let mut rows: Vec<u32> = (0..n as u32).collect();
                // +0 and −0 are one value, and every NaN comes last
                let key = |r: u32| column[r as usize] + 0.0;
                rows.sort_by(|&a, &b| {
                    key(a).is_nan().cmp(&key(b).is_nan()).then(key(a).total_cmp(&key(b))).then(a.cmp(&b))
                });
                rows
            })
            .collect::<Vec<_>>();
        Grower {
            settings,
            problem,
            outputs: problem.task.n_outputs(),
            // without a column the rows are still needed once
            order: if order.is_empty() { vec![(0..n as u32).collect()] } else { order },
            centred: vec![0.0; n],
            goes_left: vec![false; n],
            nodes: Vec::new(),
            values: Vec::new(),
        }
    }

    fn grow(&mut self, cx: &FitContext<'_>) -> Result<(), Cancelled> {
        let n = self.problem.n_rows();
        let best_first = self.settings.max_leaves.is_some();
        let mut leaves_left = self.settings.max_leaves.unwrap_or(usize::MAX).saturating_sub(1);
        let (mut heap, mut stack) = (BinaryHeap::new(), Vec::new());
        let root = self.open(0, n, 0);
        if best_first {
            heap.extend(root)
        } else {
            stack.extend(root)
        }
        while leaves_left > 0 {
            let Some(open) = (if best_first { heap.pop() } else { stack.pop() }) else { break };
            cx.progress.check()?;
            leaves_left -= 1;
            let middle = self.divide(&open);
            self.nodes[open.node].cut = Some(open.cut);
            self.nodes[open.node].left = self.nodes.len();
            // children are neighbours, so the left one's own children come after the right one
            let left = self.open(open.start, middle, open.depth + 1);
            let right = self.open(middle, open.end, open.depth + 1);
            if best_first {
                heap.extend(left.into_iter().chain(right))
            } else {
                stack.extend(right.into_iter().chain(left))
            }
        }
        Ok(())
    }

    /// Records a node and searches its best cut; `None` where it must stay a leaf.
    fn open(&mut self, start: usize, end: usize, depth: u32) -> Option<Open> {
        let node = self.nodes.len();
        let rows = &self.order[0][start..end];
        let (y, problem) = (&self.problem.y, self.problem);
        let first = y[rows[0] as usize];
        let pure = rows.iter().all(|&r| y[r as usize] == first);
        let (cover, loss);
        if problem.task == Task::Regression {
            let (mut w, mut sum) = (0.0, 0.0);
            for &r in rows {
                w += problem.weight_at(r as usize);
                sum += problem.weight_at(r as usize) * (y[r as usize] - first);
            }
            let mean = if pure { first } else { first + sum / w };
            let mut squares = 0.0;
            for &r in rows {
                let c = y[r as usize] - mean;
                self.centred[r as usize] = c;
                squares += problem.weight_at(r as usize) * c * c;
            }
            (cover, loss) = (w, squares);
            self.values.push(mean * problem.y_unit);
        } else {
            let mut counts = vec![0.0; self.outputs];
            rows.iter().for_each(|&r| counts[y[r as usize] as usize] += problem.weight_at(r as usize));
            cover = counts.iter().sum();
            loss = cover * self.settings.criterion.impurity(&counts, cover);
            self.values.extend(counts.iter().map(|c| c / cover));
        }
        self.nodes.push(Grown { cut: None, left: 0, cover, loss });
        let s = self.settings;
        let stays = pure
            || s.max_depth.is_some_and(|d| depth >= d)
            || end - start < s.min_samples_split.max(2)
            || end - start < 2 * s.min_samples_leaf;
        if stays {
            return None;
        }
        let cut = self.best_cut(start, end, loss)?;
        let unit = self.problem.y_unit;
        let root = self.nodes[0].cover;
        // scikit-learn's rule, with its guard against rounding
        let enough = cut.gain / root * unit * unit + f64::EPSILON >= s.min_impurity_decrease;
        enough.then_some(Open { node, start, end, depth, cut })
    }

    fn best_cut(&self, start: usize, end: usize, loss: f64) -> Option<Cut> {
        let p = self.problem.x.n_columns();
        let search = |j: usize| match self.problem.task {
            Task::Regression => self.search(j, start, end, loss, Moments::default()),
            Task::Classification { .. } => {
                let side = Counts { counts: vec![0.0; self.outputs], criterion: self.settings.criterion };
                self.search(j, start, end, loss, side)
            }
        };
        let cuts: Vec<Option<Cut>> = if (end - start) * p >= PARALLEL {
            (0..p).into_par_iter().map(search).collect()
        } else {
            (0..p).map(search).collect()
        };
        cuts.into_iter().flatten().reduce(|a, b| if b.gain > a.gain { b } else { a })
    }

    /// The best cut of one column.
    fn search<S: Side>(&self, j: usize, start: usize, end: usize, loss: f64, empty: S) -> Option<Cut> {
        let column = self.problem.x.column(j);
        let rows = &self.order[j][start..end];
        let value = |i: usize| column[rows[i] as usize];
        let missing = rows.iter().rev().take_while(|&&r| column[r as usize].is_nan()).count();
        let known = rows.len() - missing;
        let label = |r: u32| if S::CENTRED { self.centred[r as usize] } else { self.problem.y[r as usize] };
        let sum = |rows: &[u32]| {
            let mut side = empty.clone();
            rows.iter().for_each(|&r| side.add(self.problem.weight_at(r as usize), label(r)));
            side
        };
        let total = sum(rows);
        let leaf = self.settings.min_samples_leaf.max(1);
        let mut best: Option<Cut> = None;
        // as scikit-learn: first the missing to the right, then to the left
        for missing_left in [false, true] {
            if missing_left && missing == 0 {
                break;
            }
            let n_before = if missing_left { missing } else { 0 };
            let mut left = if missing_left { sum(&rows[known..]) } else { empty.clone() };
            for i in 0..known {
                left.add(self.problem.weight_at(rows[i] as usize), label(rows[i]));
                // the last cut parts the missing from the rest
                let last = i + 1 == known;
                if last && (missing == 0 || missing_left || self.problem.has_others(j)) {
                    break;
                }
                if !last && value(i + 1) <= value(i) {
                    continue;
                }
                let n_left = n_before + i + 1;
                if n_left < leaf || rows.len() - n_left < leaf {
                    continue;
                }
                let gain = loss - left.loss_with(&total);
                // a side whose weight is lost in rounding
                if !gain.is_finite() {
                    continue;
                }
                if best.is_none_or(|b| gain > b.gain) {
                    let threshold = if last { f64::MAX } else { between(value(i), value(i + 1)) };
                    let missing_left = if missing > 0 { missing_left } else { 2 * n_left > rows.len() };
                    best = Some(Cut { column: j, threshold, missing_left, gain });
                }
            }
        }
        best
    }

    /// Divides the rows of a node in every order; gives where the right child begins.
    fn divide(&mut self, open: &Open) -> usize {
        let Open { start, end, cut, .. } = *open;
        let column = self.problem.x.column(cut.column);
        let mut n_left = 0;
        for &r in &self.order[0][start..end] {
            let v = column[r as usize];
            let left = if v.is_nan() { cut.missing_left } else { v <= cut.threshold };
            self.goes_left[r as usize] = left;
            n_left += usize::from(left);
        }
        let goes_left = &self.goes_left;
        let divide = |order: &mut Vec<u32>| {
            let range = &mut order[start..end];
            let right: Vec<u32> = range.iter().copied().filter(|&r| !goes_left[r as usize]).collect();
            let mut at = 0;
            for i in 0..range.len() {
                if goes_left[range[i] as usize] {
                    range[at] = range[i];
                    at += 1;
                }
            }
            range[at..].copy_from_slice(&right);
        };
        if (end - start) * self.order.len() >= PARALLEL {
            self.order.par_iter_mut().for_each(divide);
        } else {
            self.order.iter_mut().for_each(divide);
        }
        start + n_left
    }

    /// The nodes that pruning leaves, as a tree.
    fn finish(self) -> Tree {
        let unit = self.problem.y_unit;
        let n = self.nodes.len();
        let kept = self.pruned();
        let mut tree = Tree { nodes: Vec::new(), values: Vec::new(), first_output: 0, n_outputs: self.outputs as u32 };
        // parents come before children in both numberings, and children stay neighbours
        let mut place = vec![0u32; n];
        let mut queue = vec![0usize];
        let mut at = 0;
        while at < queue.len() {
            let old = queue[at];
            place[old] = at as u32;
            let grown = &self.nodes[old];
            let mut node = Node { split: None, left: 0, right: 0, cover: self.problem.cover(grown.cover), gain: 0.0 };
            if let Some(cut) = grown.cut.filter(|_| kept[old]) {
                node.split = Some(self.problem.question(cut.column, cut.threshold, cut.missing_left));
                (node.left, node.right) = (queue.len() as u32, queue.len() as u32 + 1);
                let gain = grown.loss - self.nodes[grown.left].loss - self.nodes[grown.left + 1].loss;
                node.gain = (gain.max(0.0) * unit * unit * self.problem.weight_unit).min(f64::MAX);
                queue.extend([grown.left, grown.left + 1]);
            }
            tree.nodes.push(node);
            tree.values.extend_from_slice(&self.values[old * self.outputs..][..self.outputs]);
            at += 1;
        }
        tree
    }

    /// Which inner nodes stay inner: the smallest tree of least loss + `ccp_alpha` × leaves (Breiman et al., ch. 3),
    /// decided from the leaves upwards.
    fn pruned(&self) -> Vec<bool> {
        let total = self.nodes[0].cover;
        let alpha = self.settings.ccp_alpha / (self.problem.y_unit * self.problem.y_unit);
        let mut inner: Vec<bool> = self.nodes.iter().map(|g| g.cut.is_some()).collect();
        if self.settings.ccp_alpha == 0.0 {
            return inner;
        }
        let mut cost = vec![0.0; self.nodes.len()];
        for at in (0..self.nodes.len()).rev() {
            let grown = &self.nodes[at];
            let as_leaf = grown.loss / total + alpha;
            let below = if inner[at] { cost[grown.left] + cost[grown.left + 1] } else { f64::INFINITY };
            // rounding must not keep a split that gains nothing
            if as_leaf <= below * (1.0 + 1e-12) {
                inner[at] = false;
                cost[at] = as_leaf;
            } else {
                cost[at] = below;
            }
        }
        inner
    }
}

/// A threshold between two different values: their middle, or the lower where no number lies between.
pub(super) fn between(low: f64, high: f64) -> f64 {
    let middle = low / 2.0 + high / 2.0;
    if middle >= low && middle < high { middle } else { low }
}

/// The rows on one side of a cut.
trait Side: Clone + Send + Sync {
    /// Whether labels come less the node's mean.
    const CENTRED: bool;
    fn add(&mut self, weight: f64, label: f64);
    /// Weight × impurity of this side and of all the others in `total`.
    fn loss_with(&self, total: &Self) -> f64;
}

/// Of a number: weight, sum and sum of squares.
#[derive(Debug, Clone, Default)]
struct Moments {
    weight: f64,
    sum: f64,
    squares: f64,
}

impl Side for Moments {
    const CENTRED: bool = true;

    fn add(&mut self, weight: f64, label: f64) {
        self.weight += weight;
        self.sum += weight * label;
        self.squares += weight * label * label;
    }

    fn loss_with(&self, total: &Moments) -> f64 {
        let (w, sum) = (total.weight - self.weight, total.sum - self.sum);
        total.squares - self.sum * self.sum / self.weight - sum * sum / w
    }
}

/// Of a class: weight per class.
#[derive(Debug, Clone)]
struct Counts {
    counts: Vec<f64>,
    criterion: Criterion,
}

impl Side for Counts {
    const CENTRED: bool = false;

    fn add(&mut self, weight: f64, label: f64) {
        self.counts[label as usize] += weight;
    }

    fn loss_with(&self, total: &Counts) -> f64 {
        let (mut left, mut all) = (0.0, 0.0);
        for (c, t) in self.counts.iter().zip(&total.counts) {
            left += c;
            all += t;
        }
        let right = all - left;
        let (mut squares_left, mut squares_right) = (0.0, 0.0);
        match self.criterion {
            Criterion::Gini => {
                for (c, t) in self.counts.iter().zip(&total.counts) {
                    squares_left += c * c;
                    squares_right += (t - c) * (t - c);
                }
                (left - squares_left / left) + (right - squares_right / right)
            }
            Criterion::Entropy => {
                let surprise = |c: f64, w: f64| if c > 0.0 { -c * (c / w).log2() } else { 0.0 };
                let pairs = self.counts.iter().zip(&total.counts);
                pairs.map(|(&c, &t)| surprise(c, left) + surprise(t - c, right)).sum()
            }
        }
    }
}
