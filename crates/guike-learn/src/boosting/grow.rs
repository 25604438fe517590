//! One boosted tree: the best question of every leaf, the best leaf first.
//!
//! The one idea: a leaf is a range of the rows' order. Splitting moves its rows, counts the smaller half ([`super::histogram`])
//! and takes the larger half's histograms as the difference. Rows that were not drawn to be learned from move along, so that
//! at the end every row's leaf is known without asking again.

use guike_core::tree::{Node, Split};
use rayon::prelude::*;

use super::codes::{Binned, Words};
use super::histogram::{Histogram, Packed, fill, unpack};
use super::search::{Ask, Cut, Limits, Search, UNBOUNDED, better};
use crate::bins::ColumnBins;

/// Counters above which the two halves of a split are searched by two threads.
const PARALLEL_COUNTERS: usize = 4_096;

/// The rows as bytes, and what may be done with them; `B` is [`Binned::places`].
pub(super) struct Grower<'a, const B: usize> {
    pub(super) binned: &'a Binned,
    /// Columns that may be asked about.
    pub(super) columns: &'a [usize],
    /// Their bytes, row by row.
    pub(super) words: &'a Words,
    pub(super) packed: Packed<'a>,
    pub(super) limits: Limits,
    /// −1, 0 or 1 per column; empty without constraints.
    pub(super) monotone: &'a [i8],
}

/// A grown tree.
pub(super) struct Grown {
    pub(super) nodes: Vec<Node>,
    pub(super) leaves: Vec<GrownLeaf>,
}

/// A leaf of a grown tree.
pub(super) struct GrownLeaf {
    pub(super) node: usize,
    /// Where its rows stand in the order.
    pub(super) rows: Rows,
    /// Bounds of its value where columns are monotone.
    pub(super) bounds: (f64, f64),
}

/// Stretches of [`Orders`].
#[derive(Debug, Clone)]
pub(super) struct Rows {
    pub(super) drawn: std::ops::Range<usize>,
    pub(super) others: std::ops::Range<usize>,
}

/// The rows, leaf by leaf; kept from tree to tree for its memory.
#[derive(Debug, Default)]
pub(super) struct Orders {
    /// Rows that are learned from.
    pub(super) drawn: Vec<u32>,
    /// Rows that only need to know their leaf.
    pub(super) others: Vec<u32>,
    spare: Vec<u32>,
}

/// Histograms that nobody needs any more, to be used again.
type Pool<const B: usize> = Vec<Vec<Histogram<B>>>;

struct Leaf<const B: usize> {
    node: usize,
    rows: Rows,
    depth: usize,
    /// One per column of the grower; empty where nobody will ask.
    histograms: Vec<Histogram<B>>,
    best: Option<Cut>,
    bounds: (f64, f64),
}

impl<const B: usize> Grower<'_, B> {
    /// Grows one tree; afterwards the rows in `orders` stand leaf by leaf.
    pub(super) fn grow(&self, orders: &mut Orders) -> Grown {
        let rows = Rows { drawn: 0..orders.drawn.len(), others: 0..orders.others.len() };
        let mut nodes = vec![leaf_node(rows.drawn.len())];
        let mut pool = Pool::new();
        let histograms = self.count(&orders.drawn, &mut pool);
        let mut root = Leaf { node: 0, rows, depth: 0, histograms, best: None, bounds: UNBOUNDED };
        let leaves = if self.limits.symmetric {
            self.grow_symmetric(&mut nodes, root, orders, &mut pool)
        } else {
            root.best = self.search(&root);
            self.grow_best_first(&mut nodes, root, orders, &mut pool)
        };
        let leaves = leaves.into_iter().map(|l| GrownLeaf { node: l.node, rows: l.rows, bounds: l.bounds }).collect();
        Grown { nodes, leaves }
    }

    fn grow_best_first(
        &self,
        nodes: &mut Vec<Node>,
        root: Leaf<B>,
        orders: &mut Orders,
        pool: &mut Pool<B>,
    ) -> Vec<Leaf<B>> {
        let mut leaves = vec![root];
        while leaves.len() < self.limits.max_leaves {
            // the first of equals: the older leaf
            let best = leaves
                .iter()
                .enumerate()
                .filter_map(|(i, l)| l.best.as_ref().map(|b| (b.gain, i)))
                .fold(None, |top: Option<(f64, usize)>, x| if top.is_some_and(|t| t.0 >= x.0) { top } else { Some(x) });
            let Some((_, at)) = best else { break };
            let parent = leaves.swap_remove(at);
            let cut = parent.best.clone().expect("it has the best cut");
            let more = leaves.len() + 2 < self.limits.max_leaves;
            let (mut left, mut right) = self.split(nodes, parent, &cut, orders, pool, more);
            let counters = B * (left.histograms.len() + right.histograms.len());
            (left.best, right.best) = if counters > PARALLEL_COUNTERS {
                rayon::join(|| self.search(&left), || self.search(&right))
            } else {
                (self.search(&left), self.search(&right))
            };
            for leaf in [&mut left, &mut right] {
                if leaf.best.is_none() && !leaf.histograms.is_empty() {
                    pool.push(std::mem::take(&mut leaf.histograms));
                }
            }
            // the left half takes its parent's place
            leaves.push(left);
            let last = leaves.len() - 1;
            leaves.swap(at, last);
            leaves.push(right);
        }
        leaves
    }

    /// All leaves of a level ask the same question (Prokhorenkova et al. 2018, CatBoost).
    fn grow_symmetric(
        &self,
        nodes: &mut Vec<Node>,
        root: Leaf<B>,
        orders: &mut Orders,
        pool: &mut Pool<B>,
    ) -> Vec<Leaf<B>> {
        let mut leaves = vec![root];
        let levels = (usize::BITS - 1 - self.limits.max_leaves.max(2).leading_zeros()) as usize;
        let levels = levels.min(self.limits.max_depth);
        for level in 1..=levels {
            let about = |leaf: &Leaf<B>| self.about(&leaf.histograms, leaf.rows.drawn.len(), leaf.bounds);
            let searches: Vec<Search<'_>> = leaves.iter().map(about).collect();
            let slots = (0..self.columns.len()).into_par_iter();
            let best = slots.filter_map(|slot| self.best_for_all(&leaves, &searches, slot));
            let Some(best) = best.reduce_with(better) else { break };
            let mut next = Vec::with_capacity(2 * leaves.len());
            for leaf in leaves {
                let (left, right) = self.split(nodes, leaf, &best, orders, pool, level < levels);
                next.extend([left, right]);
            }
            leaves = next;
        }
        leaves
    }

    /// Divides a leaf; its halves have histograms where one of them may be split again and `more` leaves are wanted.
    fn split(
        &self,
        nodes: &mut Vec<Node>,
        parent: Leaf<B>,
        by: &Cut,
        orders: &mut Orders,
        pool: &mut Pool<B>,
        more: bool,
    ) -> (Leaf<B>, Leaf<B>) {
        let Leaf { node, rows, depth, mut histograms, bounds, .. } = parent;
        let (mut split, mut goes_left) = self.question(by);
        let codes = self.binned.column(by.column);
        let Orders { drawn, others, spare } = orders;
        let middle = rows.drawn.start + divide(&mut drawn[rows.drawn.clone()], codes, &goes_left, spare);
        let slot = self.columns.iter().position(|&c| c == by.column).expect("cuts are on searched columns");
        if let Split::Number { missing_left, .. } = &mut split {
            // where nothing was missing, a missing value follows the many; a whole level goes the same way
            if histograms[slot][B - 1] == 0 && !self.limits.symmetric {
                *missing_left = 2 * (middle - rows.drawn.start) >= rows.drawn.len();
                goes_left[B - 1] = *missing_left;
            }
        }
        let other = rows.others.start + divide(&mut others[rows.others.clone()], codes, &goes_left, spare);
        let l = Rows { drawn: rows.drawn.start..middle, others: rows.others.start..other };
        let r = Rows { drawn: middle..rows.drawn.end, others: other..rows.others.end };
        let left = histograms[slot].iter().zip(&goes_left).filter(|(_, left)| **left).map(|(sum, _)| sum).sum();
        let about = self.about(&histograms, rows.drawn.len(), bounds);
        let (below, above) = about.bounds_of_halves(left, self.monotone_of(by.column));
        let first = nodes.len();
        let asked = &mut nodes[node];
        (asked.split, asked.gain) = (Some(split), by.gain);
        (asked.left, asked.right) = (first as u32, first as u32 + 1);
        nodes.extend([leaf_node(l.drawn.len()), leaf_node(r.drawn.len())]);
        let (mut ours, mut others) = (Vec::new(), Vec::new());
        // the level of a symmetric tree may ask what suits another leaf, so that one half is empty or all are small
        let wanted = more && (self.limits.symmetric || self.may_split(depth + 1, &l) || self.may_split(depth + 1, &r));
        if wanted {
            let left_is_smaller = l.drawn.len() <= r.drawn.len();
            let smaller = if left_is_smaller { &l } else { &r };
            let counted = self.count(&orders.drawn[smaller.drawn.clone()], pool);
            for (x, y) in histograms.as_flattened_mut().iter_mut().zip(counted.as_flattened()) {
                *x -= y;
            }
            (ours, others) = if left_is_smaller { (counted, histograms) } else { (histograms, counted) };
        } else {
            pool.push(histograms);
        }
        let half =
            |node, rows, histograms, bounds| Leaf { node, rows, depth: depth + 1, histograms, best: None, bounds };
        (half(first, l, ours, below), half(first + 1, r, others, above))
    }

    /// A cut in the columns' own units, and which bins go left.
    fn question(&self, by: &Cut) -> (Split, [bool; 256]) {
        let mut goes_left = [false; 256];
        let column = by.column as u32;
        match (&by.ask, &self.binned.bins.columns[by.column]) {
            (&Ask::Number { bin, missing_left }, ColumnBins::Number { borders }) => {
                goes_left[..=bin].fill(true);
                goes_left[B - 1] = missing_left;
                // above the last bin every number goes left
                let threshold = borders.get(bin).copied().unwrap_or(f64::MAX);
                (Split::Number { column, threshold, missing_left }, goes_left)
            }
            (Ask::Category { bins }, ColumnBins::Category { levels }) => {
                bins.iter().for_each(|&bin| goes_left[bin] = true);
                let mut left: Vec<u32> = bins.iter().map(|&bin| levels[bin]).collect();
                left.sort_unstable();
                (Split::Category { column, left, missing_left: false }, goes_left)
            }
            _ => unreachable!("a cut is of its column's kind"),
        }
    }

    fn count(&self, rows: &[u32], pool: &mut Pool<B>) -> Vec<Histogram<B>> {
        let mut histograms = pool.pop().unwrap_or_default();
        histograms.clear();
        histograms.resize(self.columns.len(), [0; B]);
        fill(self.words, rows, self.packed.values, &mut histograms);
        histograms
    }

    fn monotone_of(&self, column: usize) -> i8 {
        self.monotone.get(column).copied().unwrap_or(0)
    }

    fn may_split(&self, depth: usize, rows: &Rows) -> bool {
        depth < self.limits.max_depth && rows.drawn.len() as f64 >= 2.0 * self.limits.min_leaf_rows
    }

    fn about(&self, histograms: &[Histogram<B>], rows: usize, bounds: (f64, f64)) -> Search<'_> {
        let total = histograms.first().map_or(0, |h| h.iter().sum());
        Search::new(&self.limits, &self.packed, total, rows, bounds)
    }

    fn search(&self, leaf: &Leaf<B>) -> Option<Cut> {
        if leaf.histograms.is_empty() || !self.may_split(leaf.depth, &leaf.rows) {
            return None;
        }
        let search = self.about(&leaf.histograms, leaf.rows.drawn.len(), leaf.bounds);
        let columns = self.columns.iter().zip(&leaf.histograms);
        let cuts = columns.filter_map(|(&column, histogram)| {
            search.best(histogram, &self.binned.bins.columns[column], column, self.monotone_of(column))
        });
        cuts.reduce(better)
    }

    /// The cut of one column whose gains, summed over all leaves, are largest.
    fn best_for_all(&self, leaves: &[Leaf<B>], searches: &[Search<'_>], slot: usize) -> Option<Cut> {
        let column = self.columns[slot];
        let ColumnBins::Number { borders } = &self.binned.bins.columns[column] else { return None };
        let n = borders.len() + 1;
        let mut gains = vec![0.0; 2 * n];
        for (leaf, search) in leaves.iter().zip(searches) {
            search.each_cut(&leaf.histograms[slot], n, self.monotone_of(column), |gain, bin, missing_left| {
                gains[2 * bin + usize::from(missing_left)] += gain.max(0.0);
            });
        }
        let (at, &gain) = gains.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1).then(b.0.cmp(&a.0)))?;
        let bin = at / 2;
        let none_missing = leaves.iter().all(|leaf| leaf.histograms[slot][B - 1] == 0);
        let missing_left = if none_missing {
            let second = |sums: &[i64]| sums.iter().map(|&s| unpack(s).1).sum::<i64>();
            let of = |range: std::ops::Range<usize>| {
                leaves.iter().map(|l| second(&l.histograms[slot][range.clone()])).sum::<i64>()
            };
            of(0..bin + 1) >= of(bin + 1..B)
        } else {
            at % 2 == 1
        };
        let ask = Ask::Number { bin, missing_left };
        (gain > self.limits.min_gain).then_some(Cut { gain, column, ask })
    }
}

/// Moves the rows that go left to the front, both sides in their old order; gives their number.
fn divide(rows: &mut [u32], codes: &[u8], goes_left: &[bool; 256], spare: &mut Vec<u32>) -> usize {
    if spare.len() < rows.len() {
        spare.resize(rows.len(), 0);
    }
    let spare = &mut spare[..rows.len()];
    let (mut n_left, mut n_right) = (0, 0);
    for i in 0..rows.len() {
        let row = rows[i];
        let left = goes_left[usize::from(codes[row as usize])];
        // written to both sides, counted on one: no branch to mispredict
        rows[n_left] = row;
        spare[n_right] = row;
        n_left += usize::from(left);
        n_right += usize::from(!left);
    }
    rows[n_left..].copy_from_slice(&spare[..n_right]);
    n_left
}

fn leaf_node(rows: usize) -> Node {
    Node { split: None, left: 0, right: 0, cover: rows as f64, gain: 0.0 }
}
