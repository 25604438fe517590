//! Weighted cross products of columns: (X − c)ᵀ W (X − c), the heart of least squares and Newton steps.
//!
//! The one idea: a block of rows is turned row-major once, so that four columns times eight columns can be kept in
//! registers while the rows go by. Each sum runs over the rows in their order, so that the result has the same bits on
//! every machine.

use super::{BLOCK, dot};

/// Columns of one side that are kept in registers.
const LEFT: usize = 4;
/// Columns of the other side.
const RIGHT: usize = 8;

/// Copies the upper triangle into the lower.
pub(crate) fn mirror(square: &mut [f64], p: usize) {
    for j in 0..p {
        for k in 0..j {
            square[j * p + k] = square[k * p + j];
        }
    }
}

/// At most [`BLOCK`] rows of p columns, row-major, and room for their weighted copy.
pub(crate) struct Block {
    n_columns: usize,
    /// Columns rounded up so that every register is full; the rest is 0.
    stride: usize,
    rows: Vec<f64>,
    weighted: Vec<f64>,
}

impl Block {
    /// An empty block.
    pub(crate) fn new(n_columns: usize) -> Block {
        let stride = n_columns.next_multiple_of(RIGHT);
        Block { n_columns, stride, rows: vec![0.0; BLOCK * stride], weighted: vec![0.0; BLOCK * stride] }
    }

    /// Writes a column from the first row on.
    pub(crate) fn set_column(&mut self, j: usize, values: impl Iterator<Item = f64>) {
        for (row, value) in self.rows.chunks_exact_mut(self.stride).zip(values) {
            row[j] = value;
        }
    }

    /// Adds Σᵢ wᵢ rᵢ rᵢᵀ over the first `weight.len()` rows to the upper triangle of `sums` (p × p, row-major). What it
    /// adds below the diagonal is for nobody: mirror when all blocks are in.
    pub(crate) fn add_gram(&mut self, weight: &[f64], sums: &mut [f64]) {
        let (stride, used) = (self.stride, weight.len() * self.stride);
        let rows = self.rows[..used].chunks_exact(stride).zip(self.weighted[..used].chunks_exact_mut(stride));
        for ((from, to), &w) in rows.zip(weight) {
            for (t, f) in to.iter_mut().zip(from) {
                *t = w * f;
            }
        }
        tiles(&self.weighted[..used], &self.rows[..used], stride, self.n_columns, sums);
    }

    /// rᵢ · v for the first `out.len()` rows; `v` has one value per column.
    pub(crate) fn times(&self, v: &[f64], out: &mut [f64]) {
        for (row, out) in self.rows.chunks_exact(self.stride).zip(out) {
            *out = dot(&row[..self.n_columns], v);
        }
    }

    /// Adds Σᵢ vᵢ rᵢ over the first `v.len()` rows to `sums`, one per column.
    pub(crate) fn add_products(&self, v: &[f64], sums: &mut [f64]) {
        for (row, &v) in self.rows.chunks_exact(self.stride).zip(v) {
            for (sum, x) in sums.iter_mut().zip(row) {
                *sum += v * x;
            }
        }
    }
}

/// Upper-triangle tiles of AᵀB for row-major A and B.
fn tiles(a: &[f64], b: &[f64], stride: usize, p: usize, sums: &mut [f64]) {
    for left in (0..p).step_by(LEFT) {
        for right in (left / RIGHT * RIGHT..p).step_by(RIGHT) {
            let mut tile = [[0.0; RIGHT]; LEFT];
            for (a, b) in a.chunks_exact(stride).zip(b.chunks_exact(stride)) {
                let a: &[f64; LEFT] = a[left..left + LEFT].try_into().expect("a slice of that length");
                let b: &[f64; RIGHT] = b[right..right + RIGHT].try_into().expect("a slice of that length");
                for l in 0..LEFT {
                    for r in 0..RIGHT {
                        tile[l][r] += a[l] * b[r];
                    }
                }
            }
            for (l, tile) in tile.iter().enumerate().take(p - left) {
                for (r, value) in tile.iter().enumerate().take(p - right) {
                    sums[(left + l) * p + right + r] += value;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use guike_core::Matrix;

    use super::super::sum_rows;
    use super::super::tests::noise;
    use super::*;

    /// Σᵢ wᵢ (xᵢ − c)(xᵢ − c)ᵀ as a full symmetric matrix.
    fn gram(x: &Matrix, weight: Option<&[f64]>, centre: Option<&[f64]>) -> Vec<f64> {
        let p = x.n_columns();
        let zeros = vec![0.0; p];
        let centre = centre.unwrap_or(&zeros);
        let ones = [1.0; BLOCK];
        let mut sums = sum_rows(
            x.n_rows(),
            p * p,
            || Block::new(p),
            |rows, sums, block| {
                for j in 0..p {
                    let c = centre[j];
                    block.set_column(j, x.column(j)[rows.clone()].iter().map(|v| v - c));
                }
                let weight = weight.map_or(&ones[..rows.len()], |w| &w[rows.clone()]);
                block.add_gram(weight, sums);
            },
        );
        mirror(&mut sums, p);
        sums
    }

    #[test]
    fn cross_products_are_those_of_the_definition() {
        for (n, p) in [(1, 1), (2, 3), (300, 4), (1000, 9), (3000, 17), (5, 33)] {
            let x = Matrix::from_column_major(n, p, noise(n * p, 4));
            let (w, c) = (noise(n, 5), noise(p, 6));
            let got = gram(&x, Some(&w), Some(&c));
            for j in 0..p {
                for k in 0..p {
                    let want: f64 = (0..n).map(|i| w[i] * (x.at(i, j) - c[j]) * (x.at(i, k) - c[k])).sum();
                    assert!((got[j * p + k] - want).abs() < 1e-11, "{n} × {p}: {} {want}", got[j * p + k]);
                    assert_eq!(got[j * p + k].to_bits(), got[k * p + j].to_bits());
                }
            }
        }
    }

    #[test]
    fn threads_do_not_change_a_bit() {
        let x = Matrix::from_column_major(20_000, 7, noise(140_000, 7));
        let with = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool of threads");
            pool.install(|| gram(&x, None, None))
        };
        assert_eq!(with(1), with(5));
    }
}
