//! One tree over one block of rows: down with the products of the path, up with the sums of the leaves.
//!
//! The one idea: rows of a block take every step together. A split is asked once for all rows into a bit mask, an edge's
//! coefficients stay in registers while the rows go by, and `Q` quadrature points are the lanes of a vector. Rows never
//! meet, so neither the size of a block nor the thread that works on it can move a bit.

use std::ops::Range;

use guike_core::{Matrix, Tree};

use super::plan::{Edge, NONE, Plan, Step};

/// Rows that walk together at most: the bits of a mask.
pub(super) const BLOCK: usize = 64;

/// Numbers that the stack of a walk may hold before blocks are made smaller: a share of the second-level cache.
const STACK: usize = 1 << 15;

/// What a thread needs again and again.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    left: Vec<u64>,
    satisfied: Vec<u64>,
    products: Vec<f64>,
    sums: Vec<f64>,
}

/// By state, the factor that turns the parent's product into the child's and what the sum below gives to the feature.
struct Coefficients<const Q: usize> {
    factor: [[f64; Q]; 3],
    gain: [[f64; Q]; 3],
}

impl<const Q: usize> Coefficients<Q> {
    /// A row is in state 0 when it left the path at an earlier split on this column, 1 when it leaves it here, and 2 when
    /// it stays.
    fn new(edge: &Edge, edges: &[Edge], points: &[f64; Q], weights: &[f64; Q]) -> Self {
        let mut c = Coefficients { factor: [[edge.ratio; Q], [0.0; Q], [0.0; Q]], gain: [[0.0; Q]; 3] };
        let before = if edge.previous == NONE { 1.0 } else { edges[edge.previous as usize].share };
        for q in 0..Q {
            let (t, w) = (points[q], weights[q]);
            // the factor of a column that the row satisfies up to here, above and below this edge; both are at least t
            let (above, below) = (t + (1.0 - t) * before, t + (1.0 - t) * edge.share);
            let slope_above = (1.0 - before) / above;
            c.factor[1][q] = (1.0 - t) * edge.share / above;
            c.factor[2][q] = below / above;
            c.gain[1][q] = w * (-1.0 / (1.0 - t) - slope_above);
            c.gain[2][q] = w * ((1.0 - edge.share) / below - slope_above);
        }
        c
    }
}

/// Adds what the tree attributes to `phi`, which is outputs × columns × rows of the block.
pub(super) fn walk<const Q: usize>(
    (tree, plan): (&Tree, &Plan),
    (points, weights): (&[f64; Q], &[f64; Q]),
    x: &Matrix,
    rows: Range<usize>,
    scratch: &mut Scratch,
    phi: &mut [f64],
) {
    let k = tree.n_outputs as usize;
    let size = (STACK / ((plan.depth + 1) * Q * (1 + k))).clamp(1, BLOCK);
    let mut from = rows.start;
    while from < rows.end {
        let part = from..(from + size).min(rows.end);
        ask(tree, x, part.clone(), &mut scratch.left);
        scratch.satisfied.resize(plan.edges.len(), 0);
        let b = part.len();
        let levels = (plan.depth + 1) * b;
        scratch.products.resize(levels * Q, 0.0);
        scratch.sums.resize(levels * Q * k, 0.0);
        let (products, _) = scratch.products[..levels * Q].as_chunks_mut::<Q>();
        let (sums, _) = scratch.sums[..levels * Q * k].as_chunks_mut::<Q>();
        products[..b].fill([1.0; Q]);
        let mut walker = Walker {
            tree,
            edges: &plan.edges,
            left: &scratch.left,
            satisfied: &mut scratch.satisfied,
            products,
            sums,
            b,
            offset: from - rows.start,
            stride: rows.len(),
            n_columns: x.n_columns(),
            phi,
        };
        for &step in &plan.steps {
            let (Step::Down(at) | Step::Leaf(at) | Step::Up(at)) = step;
            let c = Coefficients::new(&plan.edges[at as usize], &plan.edges, points, weights);
            match step {
                Step::Down(_) => walker.down(at as usize, &c),
                Step::Leaf(_) => walker.leaf(at as usize, &c),
                Step::Up(_) => walker.up(at as usize, &c),
            }
        }
        from = part.end;
    }
}

/// For every inner node, which rows go left.
pub(super) fn ask(tree: &Tree, x: &Matrix, rows: Range<usize>, left: &mut Vec<u64>) {
    left.clear();
    left.extend(tree.nodes.iter().map(|node| {
        node.split.as_ref().map_or(0, |split| {
            let values = &x.column(split.column())[rows.clone()];
            values.iter().enumerate().fold(0, |mask, (r, &v)| mask | (u64::from(split.goes_left(v)) << r))
        })
    }));
}

struct Walker<'a, const Q: usize> {
    tree: &'a Tree,
    edges: &'a [Edge],
    left: &'a [u64],
    /// By edge, the rows that satisfy all splits on its column down to it.
    satisfied: &'a mut [u64],
    /// By level and row, the product of the factors of the path's columns.
    products: &'a mut [[f64; Q]],
    /// By level, row and output, the leaves below, each times its product.
    sums: &'a mut [[f64; Q]],
    /// Rows that walk.
    b: usize,
    /// Where they stand among the rows of `phi`.
    offset: usize,
    stride: usize,
    n_columns: usize,
    phi: &'a mut [f64],
}

impl<const Q: usize> Walker<'_, Q> {
    /// The rows that satisfied the column before this edge, and those that still do.
    fn masks(&mut self, at: usize) -> (u64, u64) {
        let edge = &self.edges[at];
        let before = if edge.previous == NONE { u64::MAX } else { self.satisfied[edge.previous as usize] };
        let left = self.left[edge.parent as usize];
        let now = before & if edge.is_left { left } else { !left };
        self.satisfied[at] = now;
        (before, now)
    }

    fn phi(&mut self, edge: &Edge, output: usize) -> &mut [f64] {
        let place = (self.tree.first_output as usize + output) * self.n_columns + edge.column as usize;
        let from = place * self.stride + self.offset;
        &mut self.phi[from..from + self.b]
    }

    fn down(&mut self, at: usize, c: &Coefficients<Q>) {
        let (before, now) = self.masks(at);
        let (b, k, level) = (self.b, self.tree.n_outputs as usize, self.edges[at].depth as usize);
        let (above, below) = self.products.split_at_mut(level * b);
        for (r, (child, parent)) in below.iter_mut().zip(&above[(level - 1) * b..]).enumerate() {
            let factor = &c.factor[state(before, now, r)];
            for q in 0..Q {
                child[q] = parent[q] * factor[q];
            }
        }
        self.sums[level * b * k..(level + 1) * b * k].fill([0.0; Q]);
    }

    fn leaf(&mut self, at: usize, c: &Coefficients<Q>) {
        let (before, now) = self.masks(at);
        let edges = self.edges;
        let (b, k, edge) = (self.b, self.tree.n_outputs as usize, &edges[at]);
        let level = edge.depth as usize - 1;
        for output in 0..k {
            let value = self.tree.value(edge.child as usize)[output];
            for r in 0..b {
                let s = state(before, now, r);
                let parent = &self.products[level * b + r];
                let sum = &mut self.sums[(level * b + r) * k + output];
                let mut h = [0.0; Q];
                for q in 0..Q {
                    h[q] = parent[q] * c.factor[s][q] * value;
                    sum[q] += h[q];
                }
                let given = dot(&h, &c.gain[s]);
                self.phi(edge, output)[r] += given;
            }
        }
    }

    fn up(&mut self, at: usize, c: &Coefficients<Q>) {
        let edges = self.edges;
        let (b, k, edge) = (self.b, self.tree.n_outputs as usize, &edges[at]);
        let before = if edge.previous == NONE { u64::MAX } else { self.satisfied[edge.previous as usize] };
        let now = self.satisfied[at];
        let level = edge.depth as usize;
        for output in 0..k {
            for r in 0..b {
                let below = self.sums[(level * b + r) * k + output];
                let above = &mut self.sums[((level - 1) * b + r) * k + output];
                for q in 0..Q {
                    above[q] += below[q];
                }
                let given = dot(&below, &c.gain[state(before, now, r)]);
                self.phi(edge, output)[r] += given;
            }
        }
    }
}

fn state(before: u64, now: u64, r: usize) -> usize {
    (((before >> r) & 1) + ((now >> r) & 1)) as usize
}

fn dot<const Q: usize>(a: &[f64; Q], b: &[f64; Q]) -> f64 {
    let mut sum = 0.0;
    for q in 0..Q {
        sum += a[q] * b[q];
    }
    sum
}
