//! The few dense factorisations that linear learners need.
//!
//! The one idea: sums over rows are taken in pieces whose borders depend on the shape of the data alone, and the pieces
//! are added in order, so that a result has the same bits at any number of threads. Square matrices are slices,
//! row-major. This is no general linear algebra: matrices are small (columns × columns), symmetric and positive
//! definite.

mod cholesky;
mod gram;

pub(crate) use cholesky::Cholesky;
pub(crate) use gram::{Block, mirror};

use std::ops::Range;

use guike_core::Matrix;
use rayon::prelude::*;

/// Rows per block: a block of 32 columns fits the second-level cache beside its weighted copy.
pub(crate) const BLOCK: usize = 256;
/// Fewest rows per piece: below, starting a task costs more than the work.
const ROWS_PER_PIECE: usize = 2 * BLOCK;
/// Most pieces: enough for every thread of a large machine, few enough that adding them up is free.
const PIECES: usize = 64;
/// Most numbers held in all pieces' sums together (32 MiB), so that wide tables do not fill memory.
const HELD: usize = 1 << 22;

/// Adds up `width` sums over rows: `work` gets the first row and the number of rows of a block, and the sums to add to,
/// and a scratch value of its own piece.
///
/// The order of additions depends on `n_rows` and `width` only.
pub(crate) fn sum_rows<S, I, F>(n_rows: usize, width: usize, scratch: I, work: F) -> Vec<f64>
where
    S: Send,
    I: Fn() -> S + Sync,
    F: Fn(Range<usize>, &mut [f64], &mut S) + Sync,
{
    let pieces = n_rows.div_ceil(ROWS_PER_PIECE).min(PIECES).min((HELD / width.max(1)).max(4)).max(1);
    let rows_per_piece = n_rows.div_ceil(pieces).next_multiple_of(BLOCK);
    let piece = |piece: usize| {
        let mut sums = vec![0.0; width];
        let mut own = scratch();
        let end = ((piece + 1) * rows_per_piece).min(n_rows);
        for start in (piece * rows_per_piece..end).step_by(BLOCK) {
            work(start..(start + BLOCK).min(end), &mut sums, &mut own);
        }
        sums
    };
    if pieces == 1 {
        return piece(0);
    }
    let parts: Vec<Vec<f64>> = (0..pieces).into_par_iter().map(piece).collect();
    let mut parts = parts.into_iter();
    let mut total = parts.next().expect("at least one piece");
    for part in parts {
        add_scaled(&mut total, 1.0, &part);
    }
    total
}

/// X·v, one value per row.
pub(crate) fn times(x: &Matrix, v: &[f64]) -> Vec<f64> {
    debug_assert_eq!(x.n_columns(), v.len());
    let mut out = vec![0.0; x.n_rows()];
    out.par_chunks_mut(16 * BLOCK).enumerate().for_each(|(piece, out)| {
        for (block, out) in out.chunks_mut(BLOCK).enumerate() {
            let start = piece * 16 * BLOCK + block * BLOCK;
            for (j, &vj) in v.iter().enumerate() {
                add_scaled(out, vj, &x.column(j)[start..start + out.len()]);
            }
        }
    });
    out
}

/// Xᵀ·v, one value per column.
pub(crate) fn transposed_times(x: &Matrix, v: &[f64]) -> Vec<f64> {
    debug_assert_eq!(x.n_rows(), v.len());
    sum_rows(
        x.n_rows(),
        x.n_columns(),
        || (),
        |rows, sums, ()| {
            for (j, sum) in sums.iter_mut().enumerate() {
                *sum += dot(&x.column(j)[rows.clone()], &v[rows.clone()]);
            }
        },
    )
}

/// Σ aᵢbᵢ in eight interleaved sums, so that the processor need not wait for each addition.
pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    debug_assert_eq!(a.len(), b.len());
    let mut lanes = [0.0; 8];
    let (a8, b8) = (a.chunks_exact(8), b.chunks_exact(8));
    let tail: f64 = a8.remainder().iter().zip(b8.remainder()).map(|(x, y)| x * y).sum();
    for (x, y) in a8.zip(b8) {
        for lane in 0..8 {
            lanes[lane] += x[lane] * y[lane];
        }
    }
    ((lanes[0] + lanes[4]) + (lanes[1] + lanes[5])) + ((lanes[2] + lanes[6]) + (lanes[3] + lanes[7])) + tail
}

/// `to` += `factor` · `add`.
pub(crate) fn add_scaled(to: &mut [f64], factor: f64, add: &[f64]) {
    debug_assert_eq!(to.len(), add.len());
    for (t, a) in to.iter_mut().zip(add) {
        *t += factor * a;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers without a pattern, the same on every machine.
    pub(super) fn noise(n: usize, seed: u64) -> Vec<f64> {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let draw = |state: &mut u64| {
            *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (*state >> 11) as f64 / (1u64 << 53) as f64 - 0.5
        };
        (0..n).map(|_| draw(&mut state)).collect()
    }

    #[test]
    fn products_are_those_of_the_definition() {
        for (n, p) in [(1, 1), (3, 2), (257, 5), (5000, 3), (40_000, 2)] {
            let x = Matrix::from_column_major(n, p, noise(n * p, 1));
            let (u, v) = (noise(p, 2), noise(n, 3));
            for (i, got) in times(&x, &u).into_iter().enumerate() {
                let want: f64 = (0..p).map(|j| x.at(i, j) * u[j]).sum();
                assert!((got - want).abs() < 1e-14);
            }
            for (j, got) in transposed_times(&x, &v).into_iter().enumerate() {
                let want: f64 = (0..n).map(|i| x.at(i, j) * v[i]).sum();
                assert!((got - want).abs() < 1e-11, "{n} × {p}: {got} {want}");
            }
        }
    }

    #[test]
    fn every_row_is_summed_once_whatever_the_shape() {
        for n in [0, 1, 255, 256, 257, 512, 513, 1024, 1025, 33_000, 40_000, 70_001] {
            for width in [1, 1 << 20] {
                let sums = sum_rows(n, width, || (), |rows, sums, ()| sums[0] += rows.len() as f64);
                assert_eq!(sums[0], n as f64);
            }
        }
    }
}
