//! One boosted tree: histograms of derivatives, the best split of every leaf, the best leaf first.
//!
//! The one idea: both derivatives of a row are rounded at random to whole numbers and packed into one 64-bit integer (the
//! first in the upper half, the second in the lower), so that a histogram is filled by one integer addition per value, and
//! its sums are exact: they do not depend on the order of rows or threads, and the larger of two siblings is its parent
//! minus the smaller. Rounding at random keeps the sums unbiased (Shi et al. 2022, "Quantized training of gradient boosting
//! decision trees"). Leaf values come from the unrounded derivatives.

use guike_core::tree::{Node, Split};
use rayon::prelude::*;

use crate::bins::{Bins, ColumnBins, MISSING};

/// Histogram of one column: packed sums by bin.
type Histogram = [i64; 256];
/// Rows above which a histogram is filled by several threads.
const PARALLEL_ROWS: usize = 65_536;
/// Categories of a column that may be ordered by their mean and cut; more would only fit noise.
const MAX_SORTED_CATEGORIES: usize = 64;
/// Extra ridge on splits of ordered categories (as LightGBM's `cat_l2`), and the count added when ordering them.
const CATEGORY_L2: f64 = 10.0;
/// Columns whose smoothed means are compared need this much second derivative in a category.
const CATEGORY_SMOOTH: f64 = 10.0;

/// The rows as bytes, and what may be done with them.
pub(super) struct Grower<'a> {
    /// Row-major, n × p.
    pub(super) codes: &'a [u8],
    pub(super) bins: &'a Bins,
    pub(super) limits: Limits,
    /// −1, 0 or 1 per column; empty without constraints.
    pub(super) monotone: &'a [i8],
}

/// What ends the growth.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) max_leaves: usize,
    pub(super) max_depth: usize,
    pub(super) min_leaf_rows: f64,
    pub(super) min_leaf_hessian: f64,
    pub(super) l2: f64,
    pub(super) min_gain: f64,
    pub(super) symmetric: bool,
}

/// Packed derivatives by row and what one unit of each is worth.
pub(super) struct Packed<'a> {
    pub(super) values: &'a [i64],
    pub(super) unit: (f64, f64),
}

/// A grown tree: its leaves are ranges of `order`.
pub(super) struct Grown {
    pub(super) nodes: Vec<Node>,
    /// Which bins go left, by inner node; for walking rows that were not drawn.
    pub(super) goes_left: Vec<Option<(u32, Box<[bool; 256]>)>>,
    /// Leaf nodes and their rows.
    pub(super) leaves: Vec<(usize, std::ops::Range<usize>)>,
    /// The rows, leaf by leaf.
    pub(super) order: Vec<u32>,
    /// Bounds of each leaf's value where columns are monotone.
    pub(super) bounds: Vec<(f64, f64)>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    g: f64,
    h: f64,
}

#[derive(Clone)]
struct Candidate {
    gain: f64,
    column: usize,
    goes_left: Box<[bool; 256]>,
    split: Split,
    values: (f64, f64),
}

struct Leaf {
    node: usize,
    rows: std::ops::Range<usize>,
    depth: usize,
    histograms: Vec<Histogram>,
    best: Option<Candidate>,
    bounds: (f64, f64),
}

const HALF: i64 = 1 << 32;

/// One packed value from two whole numbers; `h` is not negative.
#[inline]
pub(super) fn pack(g: i64, h: i64) -> i64 {
    g * HALF + h
}

impl Packed<'_> {
    #[inline]
    fn unpack(&self, sum: i64) -> Sums {
        let h = sum & (HALF - 1);
        Sums { g: ((sum - h) >> 32) as f64 * self.unit.0, h: h as f64 * self.unit.1 }
    }
}

impl Sums {
    fn plus(self, o: Sums) -> Sums {
        Sums { g: self.g + o.g, h: self.h + o.h }
    }

    fn minus(self, o: Sums) -> Sums {
        Sums { g: self.g - o.g, h: self.h - o.h }
    }

    fn value(self, l2: f64) -> f64 {
        -self.g / (self.h + l2).max(1e-300)
    }

    /// Half the loss that a leaf of this value takes away, times two.
    fn score(self, value: f64, l2: f64) -> f64 {
        -(2.0 * self.g * value + (self.h + l2) * value * value)
    }
}

impl Grower<'_> {
    fn width(&self) -> usize {
        self.bins.columns.len()
    }

    /// Grows one tree over the rows of `order` with splits on `columns`.
    pub(super) fn grow(&self, order: Vec<u32>, columns: &[usize], packed: &Packed<'_>) -> Grown {
        let mut tree = Grown {
            nodes: vec![leaf_node(order.len())],
            goes_left: vec![None],
            leaves: Vec::new(),
            bounds: Vec::new(),
            order,
        };
        let all = 0..tree.order.len();
        let histograms = self.fill(&tree.order, columns, packed);
        let mut root =
            Leaf { node: 0, rows: all, depth: 0, histograms, best: None, bounds: (f64::NEG_INFINITY, f64::INFINITY) };
        let mut spare = Vec::new();
        let leaves = if self.limits.symmetric {
            self.grow_symmetric(&mut tree, root, columns, packed, &mut spare)
        } else {
            self.search(&mut root, columns, packed);
            self.grow_best_first(&mut tree, root, columns, packed, &mut spare)
        };
        for leaf in leaves {
            tree.leaves.push((leaf.node, leaf.rows));
            tree.bounds.push(leaf.bounds);
        }
        tree
    }

    fn grow_best_first(
        &self,
        tree: &mut Grown,
        root: Leaf,
        columns: &[usize],
        packed: &Packed<'_>,
        spare: &mut Vec<u32>,
    ) -> Vec<Leaf> {
        let mut leaves = vec![root];
        while leaves.len() < self.limits.max_leaves {
            // the first of equals: the older leaf
            let best = leaves
                .iter()
                .enumerate()
                .filter_map(|(i, l)| l.best.as_ref().map(|b| (b.gain, i)))
                .fold(None, |top: Option<(f64, usize)>, x| if top.is_some_and(|t| t.0 >= x.0) { top } else { Some(x) });
            let Some((_, at)) = best else { break };
            let chosen = leaves[at].best.take().expect("it has the best split");
            let more = leaves.len() + 2 <= self.limits.max_leaves;
            let parent = std::mem::replace(
                &mut leaves[at],
                Leaf { node: 0, rows: 0..0, depth: 0, histograms: Vec::new(), best: None, bounds: (0.0, 0.0) },
            );
            let (mut left, mut right) = self.split(tree, parent, &chosen, columns, packed, spare, more);
            if more {
                self.search(&mut left, columns, packed);
                self.search(&mut right, columns, packed);
            }
            leaves[at] = left;
            leaves.push(right);
        }
        leaves
    }

    /// All leaves of a level ask the same question (Prokhorenkova et al. 2018, CatBoost).
    fn grow_symmetric(
        &self,
        tree: &mut Grown,
        root: Leaf,
        columns: &[usize],
        packed: &Packed<'_>,
        spare: &mut Vec<u32>,
    ) -> Vec<Leaf> {
        let mut leaves = vec![root];
        let levels = (usize::BITS - 1 - self.limits.max_leaves.max(2).leading_zeros()) as usize;
        for _ in 0..levels.min(self.limits.max_depth) {
            let best = columns
                .par_iter()
                .enumerate()
                .filter_map(|(slot, &column)| self.best_for_all(&leaves, slot, column, packed))
                .reduce_with(|a, b| if b.gain > a.gain || (b.gain == a.gain && b.column < a.column) { b } else { a });
            let Some(best) = best else { break };
            let mut next = Vec::with_capacity(2 * leaves.len());
            for leaf in leaves {
                let (left, right) = self.split(tree, leaf, &best, columns, packed, spare, true);
                next.extend([left, right]);
            }
            leaves = next;
        }
        leaves
    }

    /// Divides a leaf. The smaller half counts its histograms, the larger takes the difference.
    fn split(
        &self,
        tree: &mut Grown,
        parent: Leaf,
        by: &Candidate,
        columns: &[usize],
        packed: &Packed<'_>,
        spare: &mut Vec<u32>,
        histograms: bool,
    ) -> (Leaf, Leaf) {
        let Leaf { node, rows, depth, histograms: mut theirs, bounds, .. } = parent;
        let middle = rows.start + self.divide(&mut tree.order[rows.clone()], by, spare);
        let (l, r) = (rows.start..middle, middle..rows.end);
        let first = tree.nodes.len();
        let (mut split, mut goes_left) = (by.split.clone(), by.goes_left.clone());
        if let Split::Number { missing_left, .. } = &mut split {
            // where nothing was missing, a missing value follows the many
            if !any_missing(&theirs, columns, by.column) {
                *missing_left = l.len() >= r.len();
                goes_left[usize::from(MISSING)] = *missing_left;
            }
        }
        tree.nodes[node].split = Some(split);
        tree.nodes[node].left = first as u32;
        tree.nodes[node].right = first as u32 + 1;
        tree.nodes[node].gain = by.gain;
        tree.goes_left[node] = Some((by.column as u32, goes_left));
        tree.nodes.extend([leaf_node(l.len()), leaf_node(r.len())]);
        tree.goes_left.extend([None, None]);
        let (mut ours, mut others) = (Vec::new(), Vec::new());
        if histograms {
            let small = if l.len() <= r.len() { l.clone() } else { r.clone() };
            let counted = self.fill(&tree.order[small], columns, packed);
            for (a, b) in theirs.iter_mut().zip(&counted) {
                for (x, y) in a.iter_mut().zip(b) {
                    *x -= y;
                }
            }
            (ours, others) = if l.len() <= r.len() { (counted, theirs) } else { (theirs, counted) };
        }
        let (mut below, mut above) = (bounds, bounds);
        if self.monotone.get(by.column).is_some_and(|&m| m != 0) {
            let mid = 0.5 * (by.values.0 + by.values.1);
            if self.monotone[by.column] > 0 {
                (below.1, above.0) = (mid, mid);
            } else {
                (below.0, above.1) = (mid, mid);
            }
        }
        (
            Leaf { node: first, rows: l, depth: depth + 1, histograms: ours, best: None, bounds: below },
            Leaf { node: first + 1, rows: r, depth: depth + 1, histograms: others, best: None, bounds: above },
        )
    }

    /// Moves the rows that go left to the front, both sides in their old order; gives their number.
    fn divide(&self, rows: &mut [u32], by: &Candidate, spare: &mut Vec<u32>) -> usize {
        spare.clear();
        let width = self.width();
        let mut kept = 0;
        for i in 0..rows.len() {
            let row = rows[i];
            if by.goes_left[usize::from(self.codes[row as usize * width + by.column])] {
                rows[kept] = row;
                kept += 1;
            } else {
                spare.push(row);
            }
        }
        rows[kept..].copy_from_slice(spare);
        kept
    }

    fn fill(&self, rows: &[u32], columns: &[usize], packed: &Packed<'_>) -> Vec<Histogram> {
        let width = self.width();
        let count = |rows: &[u32]| {
            let mut histograms = vec![[0_i64; 256]; columns.len()];
            if columns.len() == width {
                for &row in rows {
                    let q = packed.values[row as usize];
                    let codes = &self.codes[row as usize * width..(row as usize + 1) * width];
                    for (h, &c) in histograms.iter_mut().zip(codes) {
                        h[usize::from(c)] += q;
                    }
                }
            } else {
                for &row in rows {
                    let q = packed.values[row as usize];
                    let codes = &self.codes[row as usize * width..(row as usize + 1) * width];
                    for (h, &column) in histograms.iter_mut().zip(columns) {
                        h[usize::from(codes[column])] += q;
                    }
                }
            }
            histograms
        };
        if rows.len() < PARALLEL_ROWS {
            return count(rows);
        }
        // sums of integers are the same in any order
        let add = |mut a: Vec<Histogram>, b: Vec<Histogram>| {
            for (x, y) in a.iter_mut().flatten().zip(b.iter().flatten()) {
                *x += y;
            }
            a
        };
        rows.par_chunks(PARALLEL_ROWS / 2).map(count).reduce_with(add).unwrap_or_default()
    }

    fn search(&self, leaf: &mut Leaf, columns: &[usize], packed: &Packed<'_>) {
        let too_small = (leaf.rows.len() as f64) < 2.0 * self.limits.min_leaf_rows;
        if leaf.depth >= self.limits.max_depth || too_small {
            return;
        }
        let one = |(slot, &column): (usize, &usize)| self.best_of_column(leaf, slot, column, packed);
        let better = |a: Candidate, b: Candidate| {
            if b.gain > a.gain || (b.gain == a.gain && b.column < a.column) { b } else { a }
        };
        leaf.best = columns.iter().enumerate().filter_map(one).reduce(better);
    }

    fn best_of_column(&self, leaf: &Leaf, slot: usize, column: usize, packed: &Packed<'_>) -> Option<Candidate> {
        let search = Search::new(self, leaf, slot, column, packed);
        match &self.bins.columns[column] {
            ColumnBins::Number { borders } => {
                let mut top: Option<(f64, usize, bool, (f64, f64))> = None;
                search.each_cut(borders.len() + 1, |gain, bin, missing_left, values| {
                    if top.is_none_or(|t| gain > t.0) {
                        top = Some((gain, bin, missing_left, values));
                    }
                });
                let (gain, bin, missing_left, values) = top?;
                Some(number_candidate(column, borders, bin, missing_left, gain, values))
            }
            ColumnBins::Category { levels } => search.categories(levels),
        }
    }

    /// The cut of one column whose gains, summed over all leaves, are largest.
    fn best_for_all(&self, leaves: &[Leaf], slot: usize, column: usize, packed: &Packed<'_>) -> Option<Candidate> {
        let ColumnBins::Number { borders } = &self.bins.columns[column] else { return None };
        let n = borders.len() + 1;
        let mut gains = vec![0.0; 2 * n];
        for leaf in leaves {
            Search::new(self, leaf, slot, column, packed)
                .each_cut(n, |gain, bin, missing_left, _| gains[2 * bin + usize::from(missing_left)] += gain.max(0.0));
        }
        let (at, &gain) = gains.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1).then(b.0.cmp(&a.0)))?;
        (gain > self.limits.min_gain).then(|| number_candidate(column, borders, at / 2, at % 2 == 1, gain, (0.0, 0.0)))
    }
}

/// The cuts of one column within one leaf.
struct Search<'a> {
    limits: &'a Limits,
    histogram: &'a Histogram,
    packed: &'a Packed<'a>,
    column: usize,
    total: Sums,
    own_score: f64,
    missing: Sums,
    rows_per_hessian: f64,
    monotone: i8,
    bounds: (f64, f64),
}

impl<'a> Search<'a> {
    fn new(grower: &'a Grower<'_>, leaf: &'a Leaf, slot: usize, column: usize, packed: &'a Packed<'a>) -> Search<'a> {
        let histogram = &leaf.histograms[slot];
        let total = packed.unpack(histogram.iter().sum());
        let limits = &grower.limits;
        let value = total.value(limits.l2).clamp(leaf.bounds.0, leaf.bounds.1);
        Search {
            limits,
            histogram,
            packed,
            column,
            total,
            own_score: total.score(value, limits.l2),
            missing: packed.unpack(histogram[usize::from(MISSING)]),
            rows_per_hessian: leaf.rows.len() as f64 / total.h.max(1e-300),
            monotone: grower.monotone.get(column).copied().unwrap_or(0),
            bounds: leaf.bounds,
        }
    }

    /// The gain of sending `left` away from the rest, where both sides are large enough.
    fn gain(&self, left: Sums, l2: f64) -> Option<(f64, (f64, f64))> {
        let right = self.total.minus(left);
        let smaller = left.h.min(right.h);
        if smaller < self.limits.min_leaf_hessian || smaller * self.rows_per_hessian < self.limits.min_leaf_rows {
            return None;
        }
        let clamp = |v: f64| v.clamp(self.bounds.0, self.bounds.1);
        let (a, b) = (clamp(left.value(l2)), clamp(right.value(l2)));
        if (self.monotone > 0 && a > b) || (self.monotone < 0 && a < b) {
            return None;
        }
        let gain = left.score(a, l2) + right.score(b, l2) - self.own_score;
        (gain > self.limits.min_gain && gain.is_finite()).then_some((gain, (a, b)))
    }

    /// Calls `cut(gain, bin, missing_left, values)` for every cut above a bin.
    fn each_cut(&self, n_bins: usize, mut cut: impl FnMut(f64, usize, bool, (f64, f64))) {
        let any_missing = self.histogram[usize::from(MISSING)] != 0;
        let mut left = 0_i64;
        // above the last bin only the missing are left
        let last = if any_missing { n_bins } else { n_bins - 1 };
        for bin in 0..last {
            let here = self.histogram[bin];
            left += here;
            if here == 0 && bin + 1 < n_bins {
                continue;
            }
            let sums = self.packed.unpack(left);
            if let Some((gain, values)) = self.gain(sums, self.limits.l2) {
                cut(gain, bin, false, values);
            }
            if any_missing
                && bin + 1 < n_bins
                && let Some((gain, values)) = self.gain(sums.plus(self.missing), self.limits.l2)
            {
                cut(gain, bin, true, values);
            }
        }
    }

    /// Categories in the order of their mean step, cut as if they were numbers (Fisher 1958; as LightGBM).
    fn categories(&self, levels: &[u32]) -> Option<Candidate> {
        let mut order: Vec<(f64, usize, Sums)> = (0..levels.len())
            .map(|bin| (bin, self.packed.unpack(self.histogram[bin])))
            .filter(|(_, s)| s.h > 0.0)
            .map(|(bin, s)| (s.g / (s.h + CATEGORY_SMOOTH), bin, s))
            .collect();
        order.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let l2 = self.limits.l2 + if levels.len() > 4 { CATEGORY_L2 } else { 0.0 };
        let mut top: Option<(f64, usize, bool, (f64, f64))> = None;
        for from_end in [false, true] {
            let mut left = Sums::default();
            for k in 0..order.len().saturating_sub(1).min(MAX_SORTED_CATEGORIES) {
                let (_, _, sums) = order[if from_end { order.len() - 1 - k } else { k }];
                left = left.plus(sums);
                if let Some((gain, values)) = self.gain(left, l2)
                    && top.is_none_or(|t| gain > t.0)
                {
                    top = Some((gain, k + 1, from_end, values));
                }
            }
        }
        let (gain, n, from_end, values) = top?;
        let mut goes_left = Box::new([false; 256]);
        let mut left = Vec::with_capacity(n);
        for k in 0..n {
            let bin = order[if from_end { order.len() - 1 - k } else { k }].1;
            goes_left[bin] = true;
            left.push(levels[bin]);
        }
        left.sort_unstable();
        let split = Split::Category { column: self.column as u32, left, missing_left: false };
        Some(Candidate { gain, column: self.column, goes_left, split, values })
    }
}

fn number_candidate(
    column: usize,
    borders: &[f64],
    bin: usize,
    missing_left: bool,
    gain: f64,
    values: (f64, f64),
) -> Candidate {
    let mut goes_left = Box::new([false; 256]);
    goes_left[..=bin].fill(true);
    goes_left[usize::from(MISSING)] = missing_left;
    // above the last bin every number goes left
    let threshold = borders.get(bin).copied().unwrap_or(f64::MAX);
    let split = Split::Number { column: column as u32, threshold, missing_left };
    Candidate { gain, column, goes_left, split, values }
}

fn any_missing(histograms: &[Histogram], columns: &[usize], column: usize) -> bool {
    let slot = columns.iter().position(|&c| c == column).expect("splits are on the columns that were searched");
    histograms[slot][usize::from(MISSING)] != 0
}

fn leaf_node(rows: usize) -> Node {
    Node { split: None, left: 0, right: 0, cover: rows as f64, gain: 0.0 }
}
