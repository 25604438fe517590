//! One tree of a forest, from bins.
//!
//! The one idea: rows are kept in the order of the leaves together with their labels, so that a node is a stretch of two
//! lists; a column of a node is one pass that adds whole numbers into at most 256 counters, and a bit per counter says
//! which of them were touched, so that deep nodes of a few rows cost a few steps and not 256. Columns are drawn as
//! scikit-learn draws them: constant ones count as tried, but the search goes on until one column is not constant.

use guike_core::Seed;
use guike_core::tree::{Node, Tree};
use rand::Rng;

use super::binned::{Binned, MISSING};
use super::labels::Labels;
use super::problem::Problem;

/// Rows of a node above which its bins are read column by column.
const BY_COLUMN: usize = 1024;
/// Columns counted in one pass.
const TOGETHER: usize = 4;

/// When a tree stops growing, and how it draws.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    /// Columns tried per split.
    pub(super) features: usize,
    pub(super) max_depth: u32,
    pub(super) min_samples_split: usize,
    pub(super) min_samples_leaf: usize,
    /// One threshold drawn per column (extra trees) instead of the best.
    pub(super) random_thresholds: bool,
}

/// The best question found for a node.
#[derive(Debug, Clone, Copy)]
struct Cut<T> {
    column: usize,
    /// Largest bin that goes left.
    bin: u8,
    missing_left: bool,
    merit: f64,
    left: T,
}

/// A node while its tree grows; children are neighbours.
#[derive(Debug, Clone, Copy)]
struct Grown {
    start: u32,
    end: u32,
    /// 0 at a leaf.
    left: u32,
    column: u32,
    bin: u8,
    missing_left: bool,
    gain: f64,
}

struct Open<T> {
    node: u32,
    depth: u32,
    total: T,
}

struct Grower<'a, L: Labels, R> {
    binned: &'a Binned,
    labels: &'a L,
    rules: Rules,
    rng: R,
    /// Rows in the order of the leaves, and their labels.
    rows: Vec<u32>,
    row_labels: Vec<L::Row>,
    spare_rows: Vec<u32>,
    spare_labels: Vec<L::Row>,
    /// 256 for each of the columns counted together; all zero between nodes.
    counters: Vec<L::Tally>,
    /// All columns; the first ones are those drawn for the current node.
    columns: Vec<u32>,
    /// Ends of all columns in the current node; only with random thresholds.
    spans: Spans,
    nodes: Vec<Grown>,
}

/// The ends of every column among some rows.
#[derive(Debug, Default)]
struct Spans {
    /// Smallest bin; that of missing values where nothing else is.
    lowest: Vec<u8>,
    /// Largest bin of a known value plus one; 0 where nothing is known.
    above: Vec<u8>,
    /// Largest bin, that of missing values included.
    top: Vec<u8>,
}

impl Spans {
    /// All columns of a row lie side by side, so that one instruction compares sixteen of them.
    fn measure(&mut self, binned: &Binned, rows: &[u32]) {
        let width = binned.row(rows[0]).len();
        for (list, start) in [(&mut self.lowest, MISSING), (&mut self.above, 0), (&mut self.top, 0)] {
            list.clear();
            list.resize(width, start);
        }
        let (lowest, above, top) = (&mut self.lowest[..width], &mut self.above[..width], &mut self.top[..width]);
        for &row in rows {
            let bins = &binned.row(row)[..width];
            for j in 0..width {
                lowest[j] = lowest[j].min(bins[j]);
                // the bin of missing values wraps to 0
                above[j] = above[j].max(bins[j].wrapping_add(1));
                top[j] = top[j].max(bins[j]);
            }
        }
    }
}

/// A tree whose leaves hold means or shares, not yet divided by the number of trees, and the rows in leaf order.
pub(super) struct GrownTree {
    pub(super) tree: Tree,
    /// Drawn rows, leaf after leaf.
    pub(super) rows: Vec<u32>,
    /// Stretch of `rows` per node.
    pub(super) stretches: Vec<(u32, u32)>,
}

/// Grows one tree on the rows drawn `times[i]` times.
pub(super) fn grow<L: Labels>(
    problem: &Problem,
    binned: &Binned,
    labels: &L,
    rules: Rules,
    times: &[u16],
    seed: Seed,
) -> GrownTree {
    let rows: Vec<u32> = (0..times.len() as u32).filter(|&i| times[i as usize] > 0).collect();
    let row_labels: Vec<L::Row> = rows.iter().map(|&i| labels.row(i as usize, u32::from(times[i as usize]))).collect();
    let mut grower = Grower {
        binned,
        labels,
        rules,
        rng: seed.rng(),
        spare_rows: vec![0; rows.len()],
        spare_labels: vec![L::Row::default(); rows.len()],
        rows,
        row_labels,
        counters: vec![L::Tally::default(); 256 * TOGETHER],
        columns: (0..binned.n_columns as u32).collect(),
        spans: Spans::default(),
        nodes: Vec::new(),
    };
    grower.grow();
    let Grower { nodes, rows, .. } = grower;
    let tree = finish(problem, binned, &nodes, &rows, times);
    GrownTree { tree, rows, stretches: nodes.iter().map(|g| (g.start, g.end)).collect() }
}

impl<L: Labels, R: Rng> Grower<'_, L, R> {
    fn grow(&mut self) {
        let mut total = L::Tally::default();
        self.row_labels.iter().for_each(|&r| L::add(&mut total, r));
        let mut stack = vec![Open { node: 0, depth: 0, total }];
        self.push_node(0, self.rows.len() as u32);
        while let Some(open) = stack.pop() {
            let Some(cut) = self.best_cut(&open) else { continue };
            let Grown { start, end, .. } = self.nodes[open.node as usize];
            let middle = start + self.divide(start as usize, end as usize, &cut) as u32;
            let right_total = L::minus(&open.total, &cut.left);
            let left = self.nodes.len() as u32;
            let node = &mut self.nodes[open.node as usize];
            node.left = left;
            node.column = cut.column as u32;
            (node.bin, node.missing_left) = (cut.bin, cut.missing_left);
            node.gain = self.labels.gain(&cut.left, &right_total).max(0.0);
            self.push_node(start, middle);
            self.push_node(middle, end);
            let depth = open.depth + 1;
            // the left child next: its rows are in the cache
            stack.push(Open { node: left + 1, depth, total: right_total });
            stack.push(Open { node: left, depth, total: cut.left });
        }
    }

    fn push_node(&mut self, start: u32, end: u32) {
        self.nodes.push(Grown { start, end, left: 0, column: 0, bin: 0, missing_left: false, gain: 0.0 });
    }

    /// The best cut of the columns drawn; `None` where the node stays a leaf.
    fn best_cut(&mut self, open: &Open<L::Tally>) -> Option<Cut<L::Tally>> {
        let Grown { start, end, .. } = self.nodes[open.node as usize];
        let (start, end) = (start as usize, end as usize);
        let n = end - start;
        let rules = self.rules;
        let stays = open.depth >= rules.max_depth
            || n < rules.min_samples_split.max(2)
            || n < 2 * rules.min_samples_leaf
            || L::is_pure(&open.total, &self.row_labels[start..end]);
        if stays {
            return None;
        }
        if rules.random_thresholds {
            self.spans.measure(self.binned, &self.rows[start..end]);
        }
        let p = self.columns.len();
        let mut best = None;
        let mut one_varies = false;
        let mut counters = std::mem::take(&mut self.counters);
        let mut tried = 0;
        while tried < p && (tried < rules.features || !one_varies) {
            let together = if rules.features.saturating_sub(tried) >= TOGETHER { TOGETHER } else { 1 };
            (tried..tried + together).for_each(|at| self.draw_column(at));
            // four at once share the reading of rows and labels: a quarter less time with 100 columns of numbers
            one_varies |= if together == 1 {
                let columns = [self.columns[tried] as usize];
                self.try_columns(columns, start, end, &open.total, &mut counters, &mut best)
            } else {
                let columns: [usize; TOGETHER] = std::array::from_fn(|c| self.columns[tried + c] as usize);
                self.try_columns(columns, start, end, &open.total, &mut counters, &mut best)
            };
            tried += together;
        }
        self.counters = counters;
        best
    }

    /// Cuts of these columns, where they beat `best`; whether any of the columns varies in the node.
    fn try_columns<const C: usize>(
        &mut self,
        columns: [usize; C],
        start: usize,
        end: usize,
        total: &L::Tally,
        counters: &mut [L::Tally],
        best: &mut Option<Cut<L::Tally>>,
    ) -> bool {
        if self.rules.random_thresholds {
            return self.random_cuts(columns, start, end, total, best);
        }
        let mut one_varies = false;
        let touched = self.count(columns, start, end, counters);
        for (c, (&column, touched)) in columns.iter().zip(&touched).enumerate() {
            let counters = &mut counters[c * 256..(c + 1) * 256];
            let varies = touched.iter().map(|w| w.count_ones()).sum::<u32>() > 1;
            if varies {
                self.search(column, total, touched, counters, best);
            }
            one_varies |= varies;
            each_bin(touched, |b| counters[b] = L::Tally::default());
        }
        one_varies
    }

    /// Draws one of the columns not yet tried to place `at`.
    fn draw_column(&mut self, at: usize) {
        let others = (self.columns.len() - at) as u64;
        let drawn = at + (((self.rng.next_u64() >> 32) * others) >> 32) as usize;
        self.columns.swap(at, drawn);
    }

    /// Counts some columns of a node in one pass over its rows; one bit per counter touched.
    fn count<const C: usize>(
        &self,
        columns: [usize; C],
        start: usize,
        end: usize,
        counters: &mut [L::Tally],
    ) -> [[u64; 4]; C] {
        let (rows, labels) = (&self.rows[start..end], &self.row_labels[start..end]);
        let (counters, _) = counters.as_chunks_mut::<256>();
        let counters: &mut [[L::Tally; 256]; C] =
            (&mut counters[..C]).try_into().expect("there are counters for so many columns");
        let mut touched = [[0u64; 4]; C];
        if rows.len() > BY_COLUMN {
            let bins = columns.map(|j| self.binned.column(j));
            for (&row, &label) in rows.iter().zip(labels) {
                for c in 0..C {
                    L::add(&mut counters[c][usize::from(bins[c][row as usize])], label);
                }
            }
            for (touched, counters) in touched.iter_mut().zip(counters) {
                for (b, counter) in counters.iter().enumerate() {
                    touched[b >> 6] |= u64::from(L::count(counter) > 0) << (b & 63);
                }
            }
        } else {
            for (&row, &label) in rows.iter().zip(labels) {
                let bins = self.binned.row(row);
                for c in 0..C {
                    let b = usize::from(bins[columns[c]]);
                    L::add(&mut counters[c][b], label);
                    touched[c][b >> 6] |= 1 << (b & 63);
                }
            }
        }
        touched
    }

    /// The best cut of a counted column, where it beats `best`.
    fn search(
        &self,
        column: usize,
        total: &L::Tally,
        touched: &[u64; 4],
        counters: &[L::Tally],
        best: &mut Option<Cut<L::Tally>>,
    ) {
        let leaf = self.rules.min_samples_leaf.max(1);
        let n = L::count(total);
        let missing = counters[usize::from(MISSING)];
        let n_missing = L::count(&missing);
        let known = without_missing(touched);
        let mut top = best.as_ref().map_or(f64::NEG_INFINITY, |b| b.merit);
        let mut found: Option<(usize, usize, bool, L::Tally)> = None;
        for missing_left in [false, true] {
            if missing_left && n_missing == 0 {
                break;
            }
            let mut left = if missing_left { missing } else { L::Tally::default() };
            // a cut lies between two touched bins, and is tried when the second is met
            let mut last: Option<usize> = None;
            each_bin(&known, |b| {
                if let Some(low) = last {
                    let n_left = L::count(&left);
                    if n_left >= leaf && n - n_left >= leaf {
                        let merit = self.labels.merit(&left, &L::minus(total, &left));
                        if merit > top {
                            top = merit;
                            found = Some((low, b, missing_left, left));
                        }
                    }
                }
                left = L::plus(&left, &counters[b]);
                last = Some(b);
            });
            // the missing against all others
            let against_all = !missing_left && n_missing >= leaf && !self.binned.cuts[column].has_others;
            if let (true, Some(last)) = (against_all, last) {
                let n_left = L::count(&left);
                let merit = self.labels.merit(&left, &missing);
                if n_left >= leaf && merit > top {
                    top = merit;
                    found = Some((last, usize::from(MISSING), false, left));
                }
            }
        }
        if let Some((low, high, missing_left, left)) = found {
            *best = Some(self.cut(column, low, high, missing_left && n_missing > 0, n, n_missing, top, left));
        }
    }

    /// The cut half-way between two touched bins.
    fn cut(
        &self,
        column: usize,
        low: usize,
        high: usize,
        missing_left: bool,
        n: usize,
        n_missing: usize,
        merit: f64,
        left: L::Tally,
    ) -> Cut<L::Tally> {
        let bin = if high == usize::from(MISSING) { high - 1 } else { (low + high - 1) / 2 };
        // what was never missing here follows the larger side
        let missing_left = if n_missing > 0 { missing_left } else { 2 * L::count(&left) > n };
        Cut { column, bin: bin as u8, missing_left, merit, left }
    }

    /// The cuts of some columns at thresholds drawn between the smallest and largest values; whether any of them varies.
    ///
    /// One threshold needs no counters: with the ends of each column known, a pass adds up what lies below.
    fn random_cuts<const C: usize>(
        &mut self,
        columns: [usize; C],
        start: usize,
        end: usize,
        total: &L::Tally,
        best: &mut Option<Cut<L::Tally>>,
    ) -> bool {
        let spans = &self.spans;
        let (lowest, above, top) =
            (columns.map(|j| spans.lowest[j]), columns.map(|j| spans.above[j]), columns.map(|j| spans.top[j]));
        let mut one_varies = false;
        let mut limits: [Option<u8>; C] = [None; C];
        for c in 0..C {
            if above[c] == 0 || lowest[c] == top[c] {
                continue;
            }
            one_varies = true;
            let (lowest, highest) = (usize::from(lowest[c]), usize::from(above[c] - 1));
            let cuts = &self.binned.cuts[columns[c]];
            if lowest == highest {
                // nothing but the missing against all others
                limits[c] = (!cuts.has_others).then_some(MISSING - 1);
                continue;
            }
            let (low, high) = (cuts.edges(lowest).0, cuts.edges(highest).1);
            // 53 random bits
            let u = (self.rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
            limits[c] = Some(cuts.bin(low * (1.0 - u) + high * u).clamp(lowest as u8, highest as u8 - 1));
        }
        if !one_varies {
            return false;
        }
        let (mut below, mut missing) = ([L::Tally::default(); C], [L::Tally::default(); C]);
        let up_to = limits.map(|l| l.unwrap_or(0));
        if top.contains(&MISSING) {
            self.each_row(columns, start, end, |bins, label| {
                for c in 0..C {
                    L::add_where(&mut below[c], label, bins[c] <= up_to[c]);
                    L::add_where(&mut missing[c], label, bins[c] == MISSING);
                }
            });
        } else {
            self.each_row(columns, start, end, |bins, label| {
                for c in 0..C {
                    L::add_where(&mut below[c], label, bins[c] <= up_to[c]);
                }
            });
        }
        let (leaf, n) = (self.rules.min_samples_leaf.max(1), L::count(total));
        for c in 0..C {
            let Some(limit) = limits[c] else { continue };
            let n_missing = L::count(&missing[c]);
            for missing_left in [false, true] {
                if missing_left && (n_missing == 0 || limit == MISSING - 1) {
                    break;
                }
                let left = if missing_left { L::plus(&below[c], &missing[c]) } else { below[c] };
                let n_left = L::count(&left);
                if n_left < leaf || n - n_left < leaf {
                    continue;
                }
                let merit = self.labels.merit(&left, &L::minus(total, &left));
                if best.as_ref().is_none_or(|b| merit > b.merit) {
                    let at = usize::from(limit);
                    *best = Some(self.cut(columns[c], at, at + 1, missing_left, n, n_missing, merit, left));
                }
            }
        }
        true
    }

    /// Calls `visit` with the bins and the label of every row of a node.
    #[inline(always)]
    fn each_row<const C: usize>(
        &self,
        columns: [usize; C],
        start: usize,
        end: usize,
        mut visit: impl FnMut([u8; C], L::Row),
    ) {
        let (rows, labels) = (&self.rows[start..end], &self.row_labels[start..end]);
        if rows.len() > BY_COLUMN {
            let bins = columns.map(|j| self.binned.column(j));
            for (&row, &label) in rows.iter().zip(labels) {
                visit(bins.map(|b| b[row as usize]), label);
            }
        } else {
            for (&row, &label) in rows.iter().zip(labels) {
                let bins = self.binned.row(row);
                visit(columns.map(|j| bins[j]), label);
            }
        }
    }

    /// Moves the rows that go left to the front of the node's stretch, keeping their order; gives how many they are.
    fn divide(&mut self, start: usize, end: usize, cut: &Cut<L::Tally>) -> usize {
        // a missing bin wraps to 0 where it goes left
        let shift = u8::from(cut.missing_left);
        let limit = cut.bin + shift;
        let (mut n_left, mut n_right) = (0, 0);
        let (rows, labels) = (&mut self.rows[start..end], &mut self.row_labels[start..end]);
        let (spare_rows, spare_labels) = (&mut self.spare_rows[..end - start], &mut self.spare_labels[..end - start]);
        let mut place = |i: usize, bin: u8, rows: &mut [u32], labels: &mut [L::Row]| {
            let left = bin.wrapping_add(shift) <= limit;
            let (row, label) = (rows[i], labels[i]);
            // written to both sides, counted on one: no branch to mispredict
            (rows[n_left], labels[n_left]) = (row, label);
            (spare_rows[n_right], spare_labels[n_right]) = (row, label);
            n_left += usize::from(left);
            n_right += usize::from(!left);
        };
        if rows.len() > BY_COLUMN {
            let bins = self.binned.column(cut.column);
            for i in 0..rows.len() {
                place(i, bins[rows[i] as usize], rows, labels);
            }
        } else {
            for i in 0..rows.len() {
                place(i, self.binned.row(rows[i])[cut.column], rows, labels);
            }
        }
        rows[n_left..].copy_from_slice(&spare_rows[..n_right]);
        labels[n_left..].copy_from_slice(&spare_labels[..n_right]);
        debug_assert_eq!(n_left, L::count(&cut.left), "what was counted is what was moved");
        n_left
    }
}

/// Calls `visit` for every bit that is set, ascending.
#[inline]
fn each_bin(touched: &[u64; 4], mut visit: impl FnMut(usize)) {
    for (w, &word) in touched.iter().enumerate() {
        let mut word = word;
        while word != 0 {
            visit(w << 6 | word.trailing_zeros() as usize);
            word &= word - 1;
        }
    }
}

fn without_missing(touched: &[u64; 4]) -> [u64; 4] {
    let mut known = *touched;
    known[3] &= !(1 << 63);
    known
}

/// The tree with thresholds in place of bins, and with exact values: leaves from their rows, inner nodes from below.
fn finish(problem: &Problem, binned: &Binned, grown: &[Grown], rows: &[u32], times: &[u16]) -> Tree {
    let k = problem.task.n_outputs();
    let mut covers = vec![0.0; grown.len()];
    let mut values = vec![0.0; grown.len() * k];
    for (at, g) in grown.iter().enumerate().rev() {
        let (cover, out) = (&mut covers[at..], &mut values[at * k..]);
        if g.left > 0 {
            let left = g.left as usize - at;
            let (a, b) = (cover[left], cover[left + 1]);
            cover[0] = a + b;
            for o in 0..k {
                out[o] = a / (a + b) * out[left * k + o] + b / (a + b) * out[(left + 1) * k + o];
            }
            continue;
        }
        let leaf = &rows[g.start as usize..g.end as usize];
        let weight = |i: usize| f64::from(times[i]) * problem.weight_at(i);
        cover[0] = leaf.iter().map(|&i| weight(i as usize)).sum();
        if k == 1 {
            // less the first label, so that equal labels give themselves
            let first = problem.y[leaf[0] as usize];
            let sum: f64 = leaf.iter().map(|&i| weight(i as usize) * (problem.y[i as usize] - first)).sum();
            out[0] = (first + sum / cover[0]) * problem.y_unit;
        } else {
            for &i in leaf {
                out[problem.y[i as usize] as usize] += weight(i as usize);
            }
            out[..k].iter_mut().for_each(|o| *o /= cover[0]);
        }
    }
    let nodes = grown.iter().zip(&covers).map(|(g, cover)| {
        let mut node = Node { split: None, left: 0, right: 0, cover: problem.cover(*cover), gain: 0.0 };
        if g.left > 0 {
            let thresholds = &binned.cuts[g.column as usize].thresholds;
            // above all thresholds: everything that is known goes left
            let threshold = thresholds.get(usize::from(g.bin)).copied().unwrap_or(f64::MAX);
            node.split = Some(problem.question(g.column as usize, threshold, g.missing_left));
            (node.left, node.right) = (g.left, g.left + 1);
            node.gain = (g.gain * problem.y_unit * problem.y_unit * problem.weight_unit).min(f64::MAX);
        }
        node
    });
    Tree { nodes: nodes.collect(), values, first_output: 0, n_outputs: k as u32 }
}
