//! Which questions on the way to a leaf a row answers as the leaf wants: all that a leaf has to know about a row.
//!
//! The one idea: a path of m columns sees at most 2^m kinds of rows, usually a few dozen among thousands. What one leaf
//! gives to its columns is worked out once per kind, and rows only look it up.

use std::ops::Range;

use guike_core::{Matrix, Tree};

use super::plan::{NONE, Plan, Step};
use super::walk::ask;

/// Rows of a block: at least enough to fill a machine word, at most as many as keep their sums in the cache.
pub(super) const ROWS: Range<usize> = 64..513;

/// Paths of up to this many columns find a kind by its bits, longer ones by sorting.
const DIRECT: usize = 10;

/// The way to a leaf.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Path {
    /// The leaf.
    pub(super) node: u32,
    /// By column on the path, the last edge that asks about it.
    pub(super) edges: Vec<u32>,
}

impl Path {
    /// The ways to all leaves, in the order of the walk; none for a tree without a split.
    pub(super) fn all(plan: &Plan) -> Vec<Path> {
        let mut open: Vec<u32> = Vec::new();
        let mut paths = Vec::new();
        for step in &plan.steps {
            match *step {
                Step::Down(at) => open.push(at),
                Step::Up(_) => {
                    open.pop();
                }
                Step::Leaf(at) => {
                    open.push(at);
                    let later = |e: &u32| open.iter().any(|&l| plan.edges[l as usize].previous == *e);
                    let edges = open.iter().copied().filter(|e| !later(e)).collect();
                    paths.push(Path { node: plan.edges[at as usize].child, edges });
                    open.pop();
                }
            }
        }
        paths
    }

    /// Words that hold one bit per column.
    pub(super) fn words(&self) -> usize {
        self.edges.len().div_ceil(64)
    }
}

/// By edge and row, whether the row satisfies all splits on the edge's column down to it.
#[derive(Debug, Clone, Default)]
pub(super) struct Satisfied {
    bits: Vec<u64>,
    words: usize,
    n_rows: usize,
}

impl Satisfied {
    /// Puts all questions of a tree to these rows.
    pub(super) fn ask(&mut self, tree: &Tree, plan: &Plan, x: &Matrix, rows: Range<usize>) {
        let mut left = Vec::new();
        (self.words, self.n_rows) = (rows.len().div_ceil(64), rows.len());
        self.bits.resize(plan.edges.len() * self.words, 0);
        for word in 0..self.words {
            let from = rows.start + 64 * word;
            ask(tree, x, from..(from + 64).min(rows.end), &mut left);
            for (at, edge) in plan.edges.iter().enumerate() {
                let left = left[edge.parent as usize];
                let way = if edge.is_left { left } else { !left };
                let before = if edge.previous == NONE {
                    u64::MAX
                } else {
                    self.bits[edge.previous as usize * self.words + word]
                };
                self.bits[at * self.words + word] = before & way;
            }
        }
    }

    fn of(&self, edge: u32, row: usize) -> u64 {
        self.bits[edge as usize * self.words + row / 64] >> (row % 64) & 1
    }
}

/// The kinds of the rows of a block, seen from one leaf.
#[derive(Debug, Default)]
pub(super) struct Kinds {
    /// By row, its kind.
    pub(super) of_row: Vec<u32>,
    /// By kind, one bit per column of the path: whether the row stays on the path; [`Path::words`] words each.
    pub(super) patterns: Vec<u64>,
    by_row: Vec<u64>,
    known: Vec<u32>,
}

impl Kinds {
    /// Sorts the rows that were asked into kinds.
    pub(super) fn find(&mut self, path: &Path, satisfied: &Satisfied) {
        let (words, n) = (path.words(), satisfied.n_rows);
        self.by_row.clear();
        self.by_row.resize(n * words, 0);
        for (k, &edge) in path.edges.iter().enumerate() {
            for row in 0..n {
                self.by_row[row * words + k / 64] |= satisfied.of(edge, row) << (k % 64);
            }
        }
        self.patterns.clear();
        self.of_row.clear();
        if path.edges.len() <= DIRECT {
            self.find_by_bits(1 << path.edges.len());
        } else {
            self.find_by_sorting(words);
        }
    }

    fn find_by_bits(&mut self, n_patterns: usize) {
        self.known.clear();
        self.known.resize(n_patterns, NONE);
        for &pattern in &self.by_row {
            let kind = &mut self.known[pattern as usize];
            if *kind == NONE {
                *kind = self.patterns.len() as u32;
                self.patterns.push(pattern);
            }
            self.of_row.push(*kind);
        }
    }

    fn find_by_sorting(&mut self, words: usize) {
        let of = |row: u32| &self.by_row[row as usize * words..(row as usize + 1) * words];
        let n = self.by_row.len() / words;
        let mut order: Vec<u32> = (0..n as u32).collect();
        order.sort_unstable_by(|&a, &b| of(a).cmp(of(b)));
        self.of_row.resize(n, 0);
        for (i, &row) in order.iter().enumerate() {
            if i == 0 || of(order[i - 1]) != of(row) {
                self.patterns.extend_from_slice(of(row));
            }
            self.of_row[row as usize] = (self.patterns.len() / words - 1) as u32;
        }
    }
}
