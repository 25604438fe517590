//! Points in a few dimensions, row by row.

/// n points of `width` coordinates, row-major. Coordinates must be finite: scale and fill first.
#[derive(Debug, Clone, Copy)]
pub struct Points<'a> {
    values: &'a [f64],
    width: usize,
}

impl<'a> Points<'a> {
    /// The rows of `values`.
    ///
    /// # Panics
    /// When `width` is zero or does not divide the number of values.
    ///
    /// ```
    /// let p = guike_learn::Points::new(&[1.0, 2.0, 3.0, 4.0], 2);
    /// assert_eq!((p.len(), p.row(1)), (2, &[3.0, 4.0][..]));
    /// ```
    pub fn new(values: &'a [f64], width: usize) -> Points<'a> {
        assert!(width > 0 && values.len().is_multiple_of(width), "{} values are no rows of {width}", values.len());
        Points { values, width }
    }

    /// Number of points.
    pub fn len(&self) -> usize {
        self.values.len() / self.width
    }

    /// Whether there is no point.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Coordinates per point.
    pub fn width(&self) -> usize {
        self.width
    }

    /// All coordinates, row by row.
    pub fn values(&self) -> &'a [f64] {
        self.values
    }

    /// One point.
    pub fn row(&self, i: usize) -> &'a [f64] {
        &self.values[i * self.width..(i + 1) * self.width]
    }

    /// The points at `rows`, copied.
    pub(crate) fn gather(&self, rows: &[usize]) -> Vec<f64> {
        rows.iter().flat_map(|&r| self.row(r)).copied().collect()
    }
}

/// Squared Euclidean distance.
pub(crate) fn squared_distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| (x - y) * (x - y)).sum()
}

/// A seeded sample of `size` of `n` rows without replacement, ascending (Floyd's method through `rand`).
pub(crate) fn sample_rows(n: usize, size: usize, seed: guike_core::Seed) -> Vec<usize> {
    let mut rows = rand::seq::index::sample(&mut seed.rng(), n, size.min(n)).into_vec();
    rows.sort_unstable();
    rows
}
