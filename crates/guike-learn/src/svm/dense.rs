//! The little dense algebra of the solvers: rows as slices, sums whose order does not depend on threads, one factorisation.
//!
//! The one idea: rows are cut into pieces at positions that depend on their number alone, each piece is summed in order and
//! the pieces are added in order. No general linear algebra: the only matrices are small and positive definite.

use std::ops::Range;

use rayon::prelude::*;

/// Fewest rows per piece.
const ROWS_PER_PIECE: usize = 1024;
/// Most pieces.
const PIECES: usize = 32;

/// Adds up `width` sums over `n` rows; `work` gets the rows of a piece and the sums to add to.
pub(super) fn sum_rows(n: usize, width: usize, work: impl Fn(Range<usize>, &mut [f64]) + Sync) -> Vec<f64> {
    let size = ROWS_PER_PIECE.max(n.div_ceil(PIECES));
    let pieces: Vec<Vec<f64>> = (0..n.div_ceil(size))
        .into_par_iter()
        .map(|piece| {
            let mut sums = vec![0.0; width];
            work(piece * size..((piece + 1) * size).min(n), &mut sums);
            sums
        })
        .collect();
    let mut total = vec![0.0; width];
    pieces.iter().for_each(|sums| add_scaled(&mut total, 1.0, sums));
    total
}

/// Σ aᵢbᵢ in four interleaved sums.
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    debug_assert_eq!(a.len(), b.len());
    let mut lanes = [0.0; 4];
    let (a4, b4) = (a.chunks_exact(4), b.chunks_exact(4));
    let tail: f64 = a4.remainder().iter().zip(b4.remainder()).map(|(x, y)| x * y).sum();
    for (x, y) in a4.zip(b4) {
        for lane in 0..4 {
            lanes[lane] += x[lane] * y[lane];
        }
    }
    (lanes[0] + lanes[2]) + (lanes[1] + lanes[3]) + tail
}

/// `to` += `factor` · `add`.
pub(super) fn add_scaled(to: &mut [f64], factor: f64, add: &[f64]) {
    for (t, a) in to.iter_mut().zip(add) {
        *t += factor * a;
    }
}

/// The lower factor L of A = L·Lᵀ, in place and row-major; only the lower triangle of `a` is read.
///
/// `floor` is a lower bound of the eigenvalues of A, known from its construction (A = S + floor · I with S positive
/// semi-definite). No pivot is smaller than it in exact arithmetic, so a smaller one is rounding error and is lifted.
pub(super) fn factor(a: &mut [f64], n: usize, floor: f64) {
    for i in 0..n {
        let (above, row) = a.split_at_mut(i * n);
        for j in 0..i {
            let other = &above[j * n..j * n + j + 1];
            row[j] = (row[j] - dot(&row[..j], &other[..j])) / other[j];
        }
        // `max` also turns NaN into the floor
        row[i] = (row[i] - dot(&row[..i], &row[..i])).max(floor).sqrt();
    }
}

/// Solves L·z = b in place.
pub(super) fn solve_lower(lower: &[f64], b: &mut [f64]) {
    let n = b.len();
    for i in 0..n {
        let row = &lower[i * n..i * n + i + 1];
        b[i] = (b[i] - dot(&row[..i], &b[..i])) / row[i];
    }
}

/// Solves Lᵀ·x = b in place.
pub(super) fn solve_upper(lower: &[f64], b: &mut [f64]) {
    let n = b.len();
    for i in (0..n).rev() {
        let row = &lower[i * n..i * n + i + 1];
        b[i] /= row[i];
        let value = b[i];
        add_scaled(&mut b[..i], -value, &row[..i]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_solution_solves_and_a_singular_part_is_lifted() {
        let mut a = [4.0, 0.0, 0.0, 2.0, 5.0, 0.0, 2.0, 3.0, 6.0];
        factor(&mut a, 3, 1.0);
        let mut b = [8.0, 10.0, 11.0];
        solve_lower(&a, &mut b);
        solve_upper(&a, &mut b);
        assert!(b.iter().all(|v| (v - 1.0).abs() < 1e-12), "{b:?}");
        let mut singular = [1e20, 0.0, 1e20, 1e20];
        factor(&mut singular, 2, 1.0);
        assert_eq!(singular[3], 1.0);
    }

    #[test]
    fn every_row_is_summed_once() {
        for n in [0, 1, 1024, 1025, 40_000] {
            assert_eq!(sum_rows(n, 2, |rows, sums| sums[1] += rows.len() as f64), [0.0, n as f64]);
        }
    }
}
