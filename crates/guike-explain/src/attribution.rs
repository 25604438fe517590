//! What every additive explanation looks like: a base, and for each row and output one number per feature.
//!
//! The one idea: `expected[output] + Σ features = prediction`. Whichever method computed the numbers, they are read in
//! the same way, in the unit of the model's raw output (log-odds for a classifier that was boosted on log-odds). This
//! module only holds and sums them; [`crate::tree_shap`], [`crate::linear`] and [`mod@crate::shapley`] compute them.

/// Attributions of n rows × K outputs to p features.
///
/// ```
/// use guike_explain::attribution::Attributions;
/// let a = Attributions::new(vec![10.0], 2, 2, vec![1.0, -3.0, 0.5, 1.0]);
/// assert_eq!(a.of(1, 0), [0.5, 1.0]);
/// assert_eq!(a.prediction(0, 0), 8.0);
/// assert_eq!(a.importance(0), [0.75, 2.0]);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Attributions {
    expected: Vec<f64>,
    n_rows: usize,
    n_features: usize,
    values: Vec<f64>,
}

impl Attributions {
    /// From the base of each output and the values, row after row, within a row output after output.
    ///
    /// # Panics
    /// When there are not n × K × p values.
    pub fn new(expected: Vec<f64>, n_rows: usize, n_features: usize, values: Vec<f64>) -> Attributions {
        assert_eq!(values.len(), n_rows * expected.len() * n_features, "attributions are rows × outputs × features");
        Attributions { expected, n_rows, n_features, values }
    }

    /// The prediction that is explained by nothing: one per output.
    pub fn expected(&self) -> &[f64] {
        &self.expected
    }

    /// Number of explained rows.
    pub fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// Number of features.
    pub fn n_features(&self) -> usize {
        self.n_features
    }

    /// Number of outputs.
    pub fn n_outputs(&self) -> usize {
        self.expected.len()
    }

    /// All values: rows × outputs × features.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// What each feature adds to this output of this row.
    pub fn of(&self, row: usize, output: usize) -> &[f64] {
        assert!(row < self.n_rows && output < self.n_outputs(), "the row and the output exist");
        let at = (row * self.n_outputs() + output) * self.n_features;
        &self.values[at..at + self.n_features]
    }

    /// The prediction that the attributions add up to.
    pub fn prediction(&self, row: usize, output: usize) -> f64 {
        self.expected[output] + self.of(row, output).iter().sum::<f64>()
    }

    /// Attributions of groups of features: the sum of their features' for each row and output. Columns of one category, or of
    /// one subject, become one line of a picture; features of no group are left out, and the sum is then short of them.
    ///
    /// # Panics
    /// When a group names a feature that does not exist.
    ///
    /// ```
    /// use guike_explain::attribution::Attributions;
    /// let a = Attributions::new(vec![10.0], 1, 3, vec![1.0, -3.0, 0.5]);
    /// assert_eq!(a.grouped(&[vec![0, 2], vec![1]]).of(0, 0), [1.5, -3.0]);
    /// ```
    #[must_use]
    pub fn grouped(&self, groups: &[Vec<usize>]) -> Attributions {
        let by_output = self.values.chunks_exact(self.n_features.max(1));
        let values =
            by_output.flat_map(|of| groups.iter().map(|group| group.iter().map(|&j| of[j]).sum::<f64>())).collect();
        Attributions::new(self.expected.clone(), self.n_rows, groups.len(), values)
    }

    /// Mean absolute attribution of each feature over the rows: the global importance of a feature.
    ///
    /// Zero for every feature where there is no row.
    ///
    /// # Source
    /// Lundberg et al. (2020), *From local explanations to global understanding with explainable AI for trees*,
    /// Nature Machine Intelligence 2, section "Global explanations".
    pub fn importance(&self, output: usize) -> Vec<f64> {
        let mut sums = vec![0.0; self.n_features];
        for row in 0..self.n_rows {
            for (sum, v) in sums.iter_mut().zip(self.of(row, output)) {
                *sum += v.abs();
            }
        }
        let n = self.n_rows.max(1) as f64;
        sums.iter_mut().for_each(|s| *s /= n);
        sums
    }
}
