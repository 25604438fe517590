//! How near synthetic rows come to real ones: whether a generator has learned customers by heart.

use guike_core::Matrix;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// Distances to the nearest row that was learned from.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Distances {
    /// Median over synthetic rows.
    pub synthetic: f64,
    /// Median over real rows that were not learned from.
    pub held_out: f64,
    /// Share of synthetic rows that are nearer than the nearest twentieth of the real rows that were not learned from; 0.05
    /// is what such rows have themselves.
    pub too_near: f64,
}

/// Euclidean distances of synthetic rows, and of real rows that were not learned from, to the nearest one that was.
///
/// Columns must be on one scale. Takes time by the product of rows; a few thousand of each are enough.
///
/// # Panics
/// When there is no row of a kind, or columns differ.
///
/// ```
/// use guike_core::Matrix;
/// use guike_nn::gan::nearest;
/// let learned = Matrix::from_columns(3, &[[0.0, 1.0, 2.0]]);
/// let held_out = Matrix::from_columns(2, &[[0.5, 1.5]]);
/// let copied = nearest(&learned, &held_out, &learned);
/// assert_eq!((copied.synthetic, copied.held_out, copied.too_near), (0.0, 0.5, 1.0));
/// ```
pub fn nearest(learned: &Matrix, held_out: &Matrix, synthetic: &Matrix) -> Distances {
    let p = learned.n_columns();
    assert!(held_out.n_columns() == p && synthetic.n_columns() == p, "the same columns");
    assert!(learned.n_rows() > 0 && held_out.n_rows() > 0 && synthetic.n_rows() > 0, "rows of every kind");
    let known = learned.to_row_major();
    let of = |rows: &Matrix| -> Vec<f64> {
        let rows = rows.to_row_major();
        let mut all: Vec<f64> = rows
            .par_chunks_exact(p)
            .map(|row| {
                let far = |k: &[f64]| row.iter().zip(k).map(|(a, b)| (a - b).powi(2)).sum::<f64>();
                known.chunks_exact(p).map(far).fold(f64::INFINITY, f64::min).sqrt()
            })
            .collect();
        all.sort_unstable_by(f64::total_cmp);
        all
    };
    let (theirs, ours) = (of(held_out), of(synthetic));
    let near = theirs[theirs.len() / 20];
    let below = ours.partition_point(|&d| d < near);
    // where a twentieth of the real rows are copies themselves, only copies can be too near
    let below = if near == 0.0 { ours.partition_point(|&d| d <= 0.0) } else { below };
    Distances {
        synthetic: ours[ours.len() / 2],
        held_out: theirs[theirs.len() / 2],
        too_near: below as f64 / ours.len() as f64,
    }
}
