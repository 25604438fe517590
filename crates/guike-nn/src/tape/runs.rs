//! Operations on runs of rows: the weeks or events of each customer, one customer after the other.
//!
//! `offsets` has n + 1 entries: customer i has rows `offsets[i]..offsets[i + 1]`, perhaps none.

use super::{Op, Tape, Var};

/// What a run of rows becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pooling {
    Mean,
    Last,
}

impl Tape<'_> {
    /// The mean of every run of rows; zeros where it is empty.
    ///
    /// # Shapes
    /// x: rows × c, offsets: n + 1 → n × c
    pub fn mean_of_runs(&mut self, x: Var, offsets: &[u32]) -> Var {
        self.pool(x, offsets, Pooling::Mean)
    }

    /// The last row of every run; zeros where it is empty.
    ///
    /// # Shapes
    /// x: rows × c, offsets: n + 1 → n × c
    pub fn last_of_runs(&mut self, x: Var, offsets: &[u32]) -> Var {
        self.pool(x, offsets, Pooling::Last)
    }

    fn pool(&mut self, x: Var, offsets: &[u32], how: Pooling) -> Var {
        let c = self.shape(x).1;
        let (v, mut y) = self.begin(Op::Pool { x, offsets: offsets.to_vec(), how }, offsets.len() - 1, c);
        for (y, run) in y.chunks_exact_mut(c).zip(offsets.windows(2)) {
            let (rows, share) = rows_of(run, how);
            for row in self.value(x)[rows.start * c..rows.end * c].chunks_exact(c) {
                y.iter_mut().zip(row).for_each(|(y, x)| *y += share * x);
            }
        }
        self.end(v, y)
    }

    /// Every row beside its neighbours of the same run, `before` of them before and `after` after it, zeros beyond the ends:
    /// what makes a linear map a convolution.
    ///
    /// # Shapes
    /// x: rows × c → rows × (before + 1 + after)·c
    pub fn neighbours(&mut self, x: Var, offsets: &[u32], before: usize, after: usize) -> Var {
        let (n, c) = self.shape(x);
        let width = before + 1 + after;
        let op = Op::Neighbours { x, offsets: offsets.to_vec(), before, width };
        let (v, mut y) = self.begin(op, n, width * c);
        let values = self.value(x);
        each_neighbour(offsets, before, width, |row, slot, from| {
            y[(row * width + slot) * c..][..c].copy_from_slice(&values[from * c..][..c]);
        });
        self.end(v, y)
    }

    /// The same numbers in another shape.
    ///
    /// # Shapes
    /// x: n × c with n·c = rows·cols → rows × cols
    pub fn reshape(&mut self, x: Var, rows: usize, cols: usize) -> Var {
        let (v, mut y) = self.begin(Op::Reshape { x }, rows, cols);
        y.copy_from_slice(self.value(x));
        self.end(v, y)
    }
}

/// The rows of a run that count, and how much each.
fn rows_of(run: &[u32], how: Pooling) -> (std::ops::Range<usize>, f32) {
    let (from, to) = (run[0] as usize, run[1] as usize);
    match how {
        _ if from == to => (from..to, 0.0),
        Pooling::Mean => (from..to, 1.0 / (to - from) as f32),
        Pooling::Last => (to - 1..to, 1.0),
    }
}

/// Calls `with` for every row, slot beside it, and the row that stands there.
fn each_neighbour(offsets: &[u32], before: usize, width: usize, mut with: impl FnMut(usize, usize, usize)) {
    for run in offsets.windows(2) {
        let (from, to) = (run[0] as usize, run[1] as usize);
        for row in from..to {
            for slot in 0..width {
                let there = row + slot;
                if there >= from + before && there < to + before {
                    with(row, slot, there - before);
                }
            }
        }
    }
}

/// Adds the gradient of what was pooled.
pub(super) fn pool_back(offsets: &[u32], how: Pooling, dy: &[f32], c: usize, dx: &mut [f32]) {
    for (dy, run) in dy.chunks_exact(c).zip(offsets.windows(2)) {
        let (rows, share) = rows_of(run, how);
        for row in dx[rows.start * c..rows.end * c].chunks_exact_mut(c) {
            row.iter_mut().zip(dy).for_each(|(d, g)| *d += share * g);
        }
    }
}

/// Adds the gradient of what was put beside its neighbours.
pub(super) fn neighbours_back(offsets: &[u32], before: usize, width: usize, dy: &[f32], c: usize, dx: &mut [f32]) {
    each_neighbour(offsets, before, width, |row, slot, from| {
        let dy = &dy[(row * width + slot) * c..][..c];
        dx[from * c..][..c].iter_mut().zip(dy).for_each(|(d, g)| *d += g);
    });
}
