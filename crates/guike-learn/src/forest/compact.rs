//! Trees laid out for prediction: the same answers as [`Trees::predict_row`], bit for bit, several times faster.
//!
//! The one idea: a row is first turned into small codes, for each column the number of the trees' thresholds below its
//! value. A node is then eight bytes, one comparison of codes takes the place of the question, and 64 rows go down a
//! tree together, so that the processor waits for all of them at once. Rows are taken in blocks, trees one after the
//! other, so that a tree stays in the cache while a block goes through it. Small trees are not walked at all ([`super::lanes`]).

use guike_core::Matrix;
use guike_core::tree::{Split, Tree, Trees};
use rayon::prelude::*;

use super::lanes::{Lanes, Test};

/// Most rows per block. Measured with 100 trees of 28,000 nodes: 1024 rows read each tree too often to profit from the
/// cache, and take twice the time of 8192.
const BLOCK: usize = 8192;
/// Rows that go down together; their codes lie column by column.
pub(super) const GROUP: usize = 64;
/// Rows from which asking a whole tree at once is faster than walking it.
const LEAST_LANES: usize = 8;
/// Trees that one row goes down at the same time.
const TOGETHER: usize = 16;
/// The code of a missing value.
const MISSING: u16 = u16::MAX;

/// How the values of a column become codes.
#[derive(Debug, Clone, PartialEq)]
enum Coding {
    /// No tree asks about it.
    Unused,
    /// Distinct thresholds, ascending, then infinity up to a power of two: the code is how many lie below the value.
    Number(Vec<f64>),
    /// By category code; all others have the code `beyond`.
    Category { codes: Vec<(u32, u16)>, beyond: u16 },
}

impl Coding {
    fn code(&self, value: f64) -> u16 {
        if value.is_nan() {
            return MISSING;
        }
        match self {
            Coding::Unused => 0,
            Coding::Number(thresholds) => {
                // no branch to mispredict, so that several values are on their way at once
                let (mut below, mut step) = (0, thresholds.len() / 2);
                while step > 0 {
                    below += step * usize::from(thresholds[below + step - 1] < value);
                    step /= 2;
                }
                below as u16
            }
            Coding::Category { codes, beyond } => {
                if !(value >= 0.0 && value <= f64::from(u32::MAX)) {
                    return *beyond;
                }
                codes.binary_search_by_key(&(value as u32), |c| c.0).map_or(*beyond, |at| codes[at].1)
            }
        }
    }
}

/// A question on codes. The value goes right when its code plus `shift`, wrapping, is above `limit`; `shift` is 1 where a
/// missing value goes left, because its code then wraps to 0. A leaf sends everything back to itself.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Compact {
    left: u32,
    limit: u16,
    /// Column × 2 + shift.
    column: u16,
}

impl Compact {
    fn test(self) -> Test {
        Test { column: self.column >> 1, shift: self.column & 1, limit: self.limit, keep: 0 }
    }
}

/// Trees in their fast form.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CompactTrees {
    codings: Vec<Coding>,
    nodes: Vec<Compact>,
    /// Where each tree's nodes begin.
    starts: Vec<u32>,
    /// The trees that are small or symmetric.
    lanes: Vec<Option<Lanes>>,
    n_columns: usize,
}

impl CompactTrees {
    /// `None` where the trees do not fit: siblings apart, category sets that are not nested, too many thresholds.
    pub(crate) fn new(trees: &Trees, n_columns: usize) -> Option<CompactTrees> {
        let total: usize = trees.trees.iter().map(|t| t.nodes.len()).sum();
        if n_columns >= 1 << 15 || u32::try_from(total).is_err() {
            return None;
        }
        let mut thresholds: Vec<Vec<f64>> = vec![Vec::new(); n_columns];
        let mut sets: Vec<Vec<&[u32]>> = vec![Vec::new(); n_columns];
        for split in trees.trees.iter().flat_map(|t| &t.nodes).filter_map(|n| n.split.as_ref()) {
            match split {
                Split::Number { column, threshold, .. } => thresholds.get_mut(*column as usize)?.push(*threshold),
                Split::Category { column, left, .. } => sets.get_mut(*column as usize)?.push(left),
            }
        }
        let codings: Vec<Coding> = thresholds
            .into_iter()
            .zip(sets)
            .map(|(mut numbers, sets)| match (numbers.is_empty(), sets.is_empty()) {
                (true, true) => Some(Coding::Unused),
                (false, true) => {
                    numbers.sort_by(f64::total_cmp);
                    numbers.dedup();
                    let fits = numbers.len() < usize::from(MISSING) - 1;
                    numbers.resize((numbers.len() + 1).next_power_of_two(), f64::INFINITY);
                    fits.then_some(Coding::Number(numbers))
                }
                (true, false) => nested(sets),
                (false, false) => None,
            })
            .collect::<Option<_>>()?;
        let mut nodes = Vec::with_capacity(total);
        let mut starts = Vec::with_capacity(trees.trees.len());
        let mut lanes = Vec::with_capacity(trees.trees.len());
        for tree in &trees.trees {
            let start = nodes.len() as u32;
            starts.push(start);
            for (at, node) in tree.nodes.iter().enumerate() {
                nodes.push(match &node.split {
                    None => Compact { left: start + at as u32, limit: MISSING, column: 0 },
                    Some(split) => {
                        if node.right != node.left + 1 {
                            return None;
                        }
                        compact(split, start + node.left, &codings[split.column()])
                    }
                });
            }
            lanes.push(Lanes::new(tree, |at| nodes[start as usize + at].test()));
        }
        Some(CompactTrees { codings, nodes, starts, lanes, n_columns })
    }

    /// The sums of every row, row-major.
    pub(crate) fn predict(&self, trees: &Trees, x: &Matrix) -> Vec<f64> {
        let k = trees.base.len();
        let mut out = vec![0.0; x.n_rows() * k];
        // a row's sum does not depend on its block, so blocks may be smaller where all threads need work
        let block = x.n_rows().div_ceil(8).clamp(512, BLOCK);
        out.par_chunks_mut(block * k).enumerate().for_each(|(b, out)| {
            out.chunks_exact_mut(k).for_each(|row| row.copy_from_slice(&trees.base));
            let codes = self.codes(x, b * block, out.len() / k);
            for (t, tree) in trees.trees.iter().enumerate() {
                let (first, width) = (tree.first_output as usize, tree.n_outputs as usize);
                for (out, codes) in out.chunks_mut(GROUP * k).zip(codes.chunks_exact(GROUP * self.n_columns.max(1))) {
                    let size = out.len() / k;
                    let rows = out.chunks_exact_mut(k);
                    match self.lanes_for(t, size) {
                        Some(lanes) if width == 1 => {
                            rows.zip(lanes.ranks(codes)).for_each(|(row, rank)| row[first] += lanes.value(rank));
                        }
                        _ => {
                            for (row, leaf) in rows.zip(self.leaf_nodes(t, codes, size)) {
                                row[first..].iter_mut().zip(tree.value(leaf as usize)).for_each(|(o, v)| *o += v);
                            }
                        }
                    }
                }
            }
        });
        out
    }

    /// The sums of one row. Several trees go down together, as several rows do in [`CompactTrees::predict`], and are added
    /// in the same order.
    fn predict_row(&self, trees: &Trees, row: &[f64]) -> Vec<f64> {
        let codes: Vec<u16> = self.codings.iter().zip(row).map(|(coding, &v)| coding.code(v)).collect();
        let mut sums = trees.base.clone();
        for (starts, trees) in self.starts.chunks(TOGETHER).zip(trees.trees.chunks(TOGETHER)) {
            let mut at = [0_u32; TOGETHER];
            at[..starts.len()].copy_from_slice(starts);
            let mut moved = true;
            while moved {
                moved = false;
                for at in &mut at[..starts.len()] {
                    let node = self.nodes[*at as usize];
                    let code = codes[usize::from(node.column >> 1)];
                    let next = node.left + u32::from(code.wrapping_add(node.column & 1) > node.limit);
                    moved |= next != *at;
                    *at = next;
                }
            }
            for ((tree, at), start) in trees.iter().zip(at).zip(starts) {
                let to = sums[tree.first_output as usize..].iter_mut();
                to.zip(tree.value((at - start) as usize)).for_each(|(sum, v)| *sum += v);
            }
        }
        sums
    }

    /// Calls `reached(tree, row, leaf)` for the `n` rows from `start` on (counted from 0 here), tree by tree.
    pub(super) fn leaves(&self, x: &Matrix, start: usize, n: usize, mut reached: impl FnMut(usize, usize, usize)) {
        let codes = self.codes(x, start, n);
        for t in 0..self.starts.len() {
            for (g, codes) in codes.chunks_exact(GROUP * self.n_columns.max(1)).enumerate() {
                let size = GROUP.min(n - g * GROUP);
                for (lane, &leaf) in self.leaf_nodes(t, codes, size)[..size].iter().enumerate() {
                    reached(t, g * GROUP + lane, leaf as usize);
                }
            }
        }
    }

    /// The codes of the `n` rows from `start` on: groups of rows, each column by column; the last group is filled up.
    fn codes(&self, x: &Matrix, start: usize, n: usize) -> Vec<u16> {
        let p = self.n_columns;
        let mut codes = vec![0u16; n.div_ceil(GROUP) * GROUP * p.max(1)];
        for (j, coding) in self.codings.iter().enumerate().filter(|(_, c)| **c != Coding::Unused) {
            let groups = codes.chunks_exact_mut(GROUP * p);
            for (group, values) in groups.zip(x.column(j)[start..start + n].chunks(GROUP)) {
                group[j * GROUP..].iter_mut().zip(values).for_each(|(code, &v)| *code = coding.code(v));
            }
        }
        codes
    }

    fn lanes_for(&self, tree: usize, size: usize) -> Option<&Lanes> {
        self.lanes[tree].as_ref().filter(|_| size >= LEAST_LANES)
    }

    /// The leaves that a group of rows reaches in a tree, as nodes of that tree.
    fn leaf_nodes(&self, tree: usize, codes: &[u16], size: usize) -> [u32; GROUP] {
        match self.lanes_for(tree, size) {
            Some(lanes) => lanes.ranks(codes).map(|rank| lanes.node(rank)),
            None => {
                let root = self.starts[tree];
                self.descend(root, codes, size).map(|at| at - root)
            }
        }
    }

    /// The leaves of a group of rows in the tree that begins at `root`, all rows one level at a time; who has arrived
    /// drops out of the list.
    fn descend(&self, root: u32, codes: &[u16], size: usize) -> [u32; GROUP] {
        let mut at = [root; GROUP];
        let mut under_way: [u8; GROUP] = std::array::from_fn(|lane| lane as u8);
        let mut left = size;
        while left > 0 {
            let mut kept = 0;
            for i in 0..left {
                let lane = usize::from(under_way[i]) % GROUP;
                let node = self.nodes[at[lane] as usize];
                let code = codes[usize::from(node.column >> 1) * GROUP + lane];
                let next = node.left + u32::from(code.wrapping_add(node.column & 1) > node.limit);
                // written always and counted only where it moved: no branch to mispredict
                under_way[kept] = lane as u8;
                kept += usize::from(next != at[lane]);
                at[lane] = next;
            }
            left = kept;
        }
        at
    }
}

/// Codes for category sets each of which contains the smaller ones.
fn nested(mut sets: Vec<&[u32]>) -> Option<Coding> {
    sets.sort_by(|a, b| a.len().cmp(&b.len()).then(a.cmp(b)));
    sets.dedup();
    let mut codes: Vec<(u32, u16)> = Vec::new();
    for (rank, set) in sets.iter().enumerate() {
        if codes.iter().any(|c| set.binary_search(&c.0).is_err()) {
            return None;
        }
        let fresh: Vec<u32> = set.iter().copied().filter(|v| codes.binary_search_by_key(v, |c| c.0).is_err()).collect();
        codes.extend(fresh.iter().map(|&v| (v, rank as u16)));
        codes.sort_unstable();
    }
    let beyond = u16::try_from(sets.len()).ok().filter(|&b| b < MISSING - 1)?;
    Some(Coding::Category { codes, beyond })
}

fn compact(split: &Split, left: u32, coding: &Coding) -> Compact {
    let (column, missing_left, limit) = match (split, coding) {
        (Split::Number { column, threshold, missing_left }, Coding::Number(thresholds)) => {
            (*column, *missing_left, thresholds.partition_point(|t| t < threshold) as u16)
        }
        (Split::Category { column, left, missing_left }, Coding::Category { codes, .. }) => {
            let limit =
                left.iter().filter_map(|v| codes.binary_search_by_key(v, |c| c.0).ok()).map(|at| codes[at].1).max();
            match limit {
                Some(limit) => (*column, *missing_left, limit),
                // the empty set has rank 0 and holds no code; every code is above it
                None => (*column, *missing_left, 0),
            }
        }
        _ => unreachable!("a column's coding was made from its own splits"),
    };
    let shift = u16::from(missing_left);
    Compact { left, limit: limit + shift, column: (column as u16) << 1 | shift }
}

/// The sums of one row, by the fast form where there is one.
pub(crate) fn row_sums(trees: &Trees, fast: Option<&CompactTrees>, row: &[f64]) -> Vec<f64> {
    match fast {
        Some(fast) => fast.predict_row(trees, row),
        None => trees.predict_row(|j| row[j]),
    }
}

/// Where one tree's leaf lies by the plain reading, for trees that do not fit.
pub(super) fn plain_leaf(tree: &Tree, x: &Matrix, row: usize) -> usize {
    tree.leaf(|j| x.at(row, j))
}
