//! Exact Shapley values of linear scores: coefficient × (value − background mean).
//!
//! The one idea: a sum has no interactions, so whatever the order in which features become known, each adds the same. It
//! holds for every score that is linear in its columns before the link (linear, logistic and Tweedie regression, linear
//! support vector machines), in the unit of that score. One-hot columns of one feature are added up by
//! [`Attributions::grouped`].

use guike_core::Matrix;

use crate::attribution::Attributions;
use crate::error::ExplainError;

/// Scores: `intercept + Σ coefficient × value`, one per output.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LinearScore<'a> {
    /// Row-major, outputs × columns.
    pub coefficients: &'a [f64],
    /// One per output.
    pub intercepts: &'a [f64],
}

impl LinearScore<'_> {
    /// What each column adds to each output of each row, compared with a customer whose columns have these means.
    ///
    /// NaN counts as 0, in rows as in [`means`], as the linear learners read it.
    ///
    /// # Shapes
    /// a matrix of n rows × p columns and p means → n × K outputs × p columns
    ///
    /// # Errors
    /// [`ExplainError::Columns`] when coefficients, means and matrix differ in their columns.
    ///
    /// # Source
    /// Štrumbelj & Kononenko (2014), *Explaining prediction models and individual predictions with feature contributions*,
    /// Knowledge and Information Systems 41, section 2; Lundberg & Lee (2017), corollary 1. Checked against sums over all
    /// subsets by [`crate::shapley`].
    ///
    /// # Example
    /// ```
    /// use guike_core::Matrix;
    /// use guike_explain::linear::{LinearScore, means};
    /// let score = LinearScore { coefficients: &[2.0, -1.0], intercepts: &[5.0] };
    /// let background = Matrix::from_row_major(2, &[0.0, 4.0, 2.0, 6.0]);
    /// let explained = score.attribute(&means(&background), &Matrix::from_row_major(2, &[4.0, 4.0]))?;
    /// assert_eq!(explained.expected(), [2.0]);
    /// assert_eq!(explained.of(0, 0), [6.0, 1.0]);
    ///
    /// assert!(score.attribute(&[1.0], &background).is_err(), "two coefficients and one mean");
    /// # Ok::<(), guike_explain::ExplainError>(())
    /// ```
    pub fn attribute(&self, means: &[f64], x: &Matrix) -> Result<Attributions, ExplainError> {
        let (p, k) = (x.n_columns(), self.intercepts.len());
        for (needed, found) in [(self.coefficients.len(), p * k), (means.len(), p)] {
            if needed != found {
                return Err(ExplainError::Columns { needed: needed / k.max(1), found: p });
            }
        }
        let by_output = || self.coefficients.chunks_exact(p.max(1));
        let expected = self
            .intercepts
            .iter()
            .enumerate()
            .map(|(o, b)| b + (0..p).map(|j| self.coefficients[o * p + j] * means[j]).sum::<f64>())
            .collect();
        let mut values = Vec::with_capacity(x.n_rows() * k * p);
        for i in 0..x.n_rows() {
            for coefficients in by_output() {
                values
                    .extend(coefficients.iter().zip(means).enumerate().map(|(j, (c, m))| c * (known(x.at(i, j)) - m)));
            }
        }
        Ok(Attributions::new(expected, x.n_rows(), p, values))
    }
}

/// The mean of every column, NaN counting as 0: what [`LinearScore::attribute`] compares with.
pub fn means(background: &Matrix) -> Vec<f64> {
    let n = background.n_rows().max(1) as f64;
    (0..background.n_columns()).map(|j| background.column(j).iter().map(|&v| known(v)).sum::<f64>() / n).collect()
}

fn known(value: f64) -> f64 {
    if value.is_nan() { 0.0 } else { value }
}

#[cfg(test)]
mod tests {
    use guike_core::Seed;
    use rand::RngExt;

    use super::*;
    use crate::shapley::{Game, Hybrid, compose, shapley};

    #[test]
    fn they_are_the_shapley_values_of_the_definition() {
        let rng = &mut Seed(4).rng();
        let mut random = |n: usize| (0..n).map(|_| rng.random_range(-2.0..2.0)).collect::<Vec<f64>>();
        let (p, k, n) = (6, 3, 7);
        let (coefficients, intercepts, mut cells) = (random(p * k), random(k), random(p * n));
        cells[3] = f64::NAN;
        let background = Matrix::from_row_major(p, &cells);
        let mut case = random(p);
        case[1] = f64::NAN;
        let score = LinearScore { coefficients: &coefficients, intercepts: &intercepts };
        let said = score.attribute(&means(&background), &Matrix::from_row_major(p, &case)).unwrap();

        let groups: Vec<Vec<usize>> = (0..p).map(|j| vec![j]).collect();
        let game = Game { n_groups: p, n_background: n, n_outputs: k, ..Game::default() };
        let exact = shapley(&game, |h: &[Hybrid]| {
            let rows = compose(&case, &background, &groups, h);
            let of = |i: usize, o: usize| {
                intercepts[o] + (0..p).map(|j| coefficients[o * p + j] * known(rows.at(i, j))).sum::<f64>()
            };
            Ok::<_, ExplainError>(
                (0..h.len()).flat_map(|i| (0..k).map(move |o| (i, o))).map(|(i, o)| of(i, o)).collect(),
            )
        })
        .unwrap();
        for output in 0..k {
            assert!((said.expected()[output] - exact.attributions.expected()[output]).abs() < 1e-12);
            for (a, b) in said.of(0, output).iter().zip(exact.attributions.of(0, output)) {
                assert!((a - b).abs() < 1e-12, "{a} and not {b}");
            }
        }
    }

    #[test]
    fn other_columns_are_refused() {
        let score = LinearScore { coefficients: &[1.0, 2.0], intercepts: &[0.0] };
        let error = score.attribute(&[0.0; 3], &Matrix::from_row_major(3, &[0.0; 3])).unwrap_err();
        assert_eq!(error, ExplainError::Columns { needed: 2, found: 3 });
    }
}
