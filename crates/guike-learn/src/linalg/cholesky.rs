//! A symmetric positive definite matrix as L·Lᵀ.

/// The lower triangular factor of a symmetric positive definite matrix.
#[derive(Debug, Clone)]
pub(crate) struct Cholesky {
    n: usize,
    /// Row-major n × n; zero above the diagonal.
    lower: Vec<f64>,
    jitter: f64,
}

/// A pivot that has lost all but this share of its diagonal is rounding error: the column is a sum of earlier ones.
const SMALLEST_PIVOT: f64 = 1e-13;
/// The same where jitter was added on purpose and is all that is left of some pivots.
const SMALLEST_PIVOT_WITH_JITTER: f64 = 1e-16;
/// First amount added to the diagonal, as a share of its mean; every further attempt adds a hundred times more.
const FIRST_JITTER: f64 = 1e-12;
const ATTEMPTS: i32 = 5;

impl Cholesky {
    /// The factor of a row-major n × n matrix, of which the lower triangle is read; `None` unless it is positive
    /// definite beyond rounding error.
    pub(crate) fn new(a: &[f64], n: usize) -> Option<Cholesky> {
        Cholesky::beyond_rounding(a.to_vec(), n, 0.0)
    }

    /// The factor of a matrix whose eigenvalues are known to be at least `floor`, as those of S + floor · I with S
    /// positive semi-definite: a pivot that is smaller, or NaN, is rounding error and is lifted to it.
    pub(crate) fn with_floor(a: Vec<f64>, n: usize, floor: f64) -> Cholesky {
        // `max` turns NaN into the floor
        Cholesky::of(a, n, 0.0, |pivot, _| Some(pivot.max(floor))).expect("every pivot is lifted")
    }

    /// The factor of the matrix, or of the matrix with a small multiple of the mean diagonal added to its diagonal
    /// where it is not positive definite ([`Cholesky::jitter`] says how much); `None` when even 1e-4 of it does not
    /// help.
    pub(crate) fn with_jitter(a: &[f64], n: usize) -> Option<Cholesky> {
        if let Some(exact) = Cholesky::new(a, n) {
            return Some(exact);
        }
        let mean = (0..n).map(|i| a[i * n + i].abs()).sum::<f64>() / n as f64;
        let unit = if mean > 0.0 { mean } else { 1.0 };
        (0..ATTEMPTS).find_map(|attempt| {
            let jitter = unit * FIRST_JITTER * 100f64.powi(attempt);
            let mut a = a.to_vec();
            for i in 0..n {
                a[i * n + i] += jitter;
            }
            Cholesky::beyond_rounding(a, n, jitter)
        })
    }

    fn beyond_rounding(a: Vec<f64>, n: usize, jitter: f64) -> Option<Cholesky> {
        let smallest = if jitter > 0.0 { SMALLEST_PIVOT_WITH_JITTER } else { SMALLEST_PIVOT };
        // NaN is refused too
        let sound = |pivot: f64, diagonal: f64| pivot > smallest * diagonal.abs() && pivot < f64::INFINITY;
        Cholesky::of(a, n, jitter, |pivot, diagonal| sound(pivot, diagonal).then_some(pivot))
    }

    /// `accept` gets each pivot and its diagonal element, and says what to take for the pivot.
    fn of(mut a: Vec<f64>, n: usize, jitter: f64, accept: impl Fn(f64, f64) -> Option<f64>) -> Option<Cholesky> {
        assert_eq!(a.len(), n * n, "a square matrix has n × n values");
        for i in 0..n {
            let (above, row) = a.split_at_mut(i * n);
            let row = &mut row[..n];
            for j in 0..i {
                let lower = &above[j * n..j * n + j + 1];
                row[j] = (row[j] - super::dot(&row[..j], &lower[..j])) / lower[j];
            }
            let pivot = row[i] - super::dot(&row[..i], &row[..i]);
            row[i] = accept(pivot, row[i])?.sqrt();
            row[i + 1..].fill(0.0);
        }
        Some(Cholesky { n, lower: a, jitter })
    }

    /// What was added to every diagonal element; 0 when nothing was.
    pub(crate) fn jitter(&self) -> f64 {
        self.jitter
    }

    /// Row `i` of L up to its diagonal.
    pub(crate) fn lower_row(&self, i: usize) -> &[f64] {
        &self.lower[i * self.n..i * self.n + i + 1]
    }

    /// Solves A·x = b in place.
    pub(crate) fn solve(&self, b: &mut [f64]) {
        self.solve_lower(b);
        self.solve_upper(b);
    }

    /// Solves L·z = b in place.
    pub(crate) fn solve_lower(&self, b: &mut [f64]) {
        for i in 0..self.n {
            let row = &self.lower[i * self.n..i * self.n + i + 1];
            b[i] = (b[i] - super::dot(&row[..i], &b[..i])) / row[i];
        }
    }

    /// Solves Lᵀ·x = b in place.
    pub(crate) fn solve_upper(&self, b: &mut [f64]) {
        for i in (0..self.n).rev() {
            let row = &self.lower[i * self.n..i * self.n + i + 1];
            b[i] /= row[i];
            let value = b[i];
            super::add_scaled(&mut b[..i], -value, &row[..i]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::noise;
    use super::*;

    /// BᵀB + I/10 for a random B.
    fn positive_definite(n: usize) -> Vec<f64> {
        let b = noise(n * n, 11);
        let entry = |i: usize, j: usize| (0..n).map(|k| b[k * n + i] * b[k * n + j]).sum::<f64>();
        (0..n * n).map(|ij| entry(ij / n, ij % n) + if ij / n == ij % n { 0.1 } else { 0.0 }).collect()
    }

    #[test]
    fn the_factor_gives_the_matrix_back() {
        for n in [1, 2, 5, 19] {
            let a = positive_definite(n);
            let c = Cholesky::new(&a, n).expect("positive definite");
            for i in 0..n {
                for j in 0..n {
                    let got: f64 = (0..n).map(|k| c.lower[i * n + k] * c.lower[j * n + k]).sum();
                    assert!((got - a[i * n + j]).abs() < 1e-13);
                }
            }
            assert_eq!(c.jitter(), 0.0);
        }
    }

    #[test]
    fn solutions_solve() {
        let n = 12;
        let a = positive_definite(n);
        let b = noise(n, 12);
        let mut x = b.clone();
        Cholesky::new(&a, n).expect("positive definite").solve(&mut x);
        for i in 0..n {
            assert!((super::super::dot(&a[i * n..(i + 1) * n], &x) - b[i]).abs() < 1e-12);
        }
    }

    #[test]
    fn a_singular_matrix_is_refused_or_helped_and_says_how_much() {
        let a = [1.0, 1.0, 1.0, 1.0];
        assert!(Cholesky::new(&a, 2).is_none());
        let helped = Cholesky::with_jitter(&a, 2).expect("a little on the diagonal is enough");
        assert!(helped.jitter() > 0.0 && helped.jitter() < 1e-9);
        let zero = Cholesky::with_jitter(&[0.0; 4], 2).expect("a little on the diagonal is enough");
        assert!(zero.jitter() > 0.0);
    }

    #[test]
    fn a_solution_solves_and_a_singular_part_is_lifted() {
        let a = vec![4.0, 0.0, 0.0, 2.0, 5.0, 0.0, 2.0, 3.0, 6.0];
        let mut b = [8.0, 10.0, 11.0];
        Cholesky::with_floor(a, 3, 1.0).solve(&mut b);
        assert!(b.iter().all(|v| (v - 1.0).abs() < 1e-12), "{b:?}");
        let singular = Cholesky::with_floor(vec![1e20, 0.0, 1e20, 1e20], 2, 1.0);
        assert_eq!(singular.lower[3], 1.0);
    }

    #[test]
    fn no_jitter_helps_an_indefinite_matrix_or_nan() {
        assert!(Cholesky::with_jitter(&[1.0, 2.0, 2.0, 1.0], 2).is_none());
        assert!(Cholesky::with_jitter(&[f64::NAN, 0.0, 0.0, 1.0], 2).is_none());
        assert!(Cholesky::with_jitter(&[f64::INFINITY, 0.0, 0.0, 1.0], 2).is_none());
    }
}
