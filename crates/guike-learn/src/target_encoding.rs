//! Categories as numbers: the mean label of a category, without telling a row its own label.
//!
//! The one idea: what stands in a training row for its category is the mean over the rows *before* it in a random order
//! (Prokhorenkova et al. 2018, "CatBoost: unbiased boosting with categorical features", section 3.2), drawn towards the mean
//! of all rows. So a column of categories that say nothing gives numbers that say nothing, where the plain mean would repeat
//! each row's own label. New rows get the mean over all training rows, drawn alike.
//!
//! How strongly rare categories are drawn is read from the labels: the variance within categories over the variance between
//! them (the empirical Bayes rule of Micci-Barreca 2001). No combinations of categories here, and no counts.

use guike_core::Seed;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

/// How to encode.
///
/// Counterpart: scikit-learn's `TargetEncoder(smooth=prior_weight)` for new rows; its training rows are encoded out of fold,
/// ours in CatBoost's order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct TargetEncoder {
    /// How many rows of mean label every category is given beforehand, above 0; `None` reads it from the labels.
    pub prior_weight: Option<f64>,
}

/// What was learned of one column and one label.
#[derive(Debug, Clone, PartialEq)]
pub struct TargetEncoding {
    /// The number for each category.
    pub values: Vec<f64>,
    /// The number for a category without rows: the mean label.
    pub prior: f64,
    /// Rows of mean label that every category was given beforehand.
    pub prior_weight: f64,
}

/// Least and most weight of the prior that is read from labels. One row is what CatBoost gives; beyond the most, the
/// categories have been found to say nothing.
const WEIGHTS: (f64, f64) = (1.0, 1e9);

impl TargetEncoder {
    /// Learns one number per category, and gives the numbers that stand in the training rows.
    ///
    /// # Shapes
    /// `codes` (each below `n_levels`) and `labels` (finite): n rows → `n_levels` numbers, and n numbers for these rows.
    ///
    /// # Example
    /// ```
    /// use guike_core::Seed;
    /// use guike_learn::target_encoding::TargetEncoder;
    /// let encoder = TargetEncoder { prior_weight: Some(1.0) };
    /// let (encoding, rows) = encoder.fit(&[0, 0, 0, 1], &[3.0, 3.0, 3.0, 7.0], 2, Seed(1));
    /// assert_eq!((encoding.prior, encoding.values), (4.0, vec![(9.0 + 4.0) / 4.0, (7.0 + 4.0) / 2.0]));
    /// assert_eq!(rows[3], 4.0, "the first row of a category knows the prior only");
    /// ```
    ///
    /// # Panics
    /// When there are not as many labels as codes, or a code has no level.
    pub fn fit(&self, codes: &[u32], labels: &[f64], n_levels: usize, seed: Seed) -> (TargetEncoding, Vec<f64>) {
        assert_eq!(codes.len(), labels.len(), "one label per row");
        // labels of 1e308 would overflow in sums
        let most = labels.iter().fold(0.0_f64, |m, y| m.max(y.abs()));
        let unit = if most > 1e100 { most } else { 1.0 };
        let y: Vec<f64> = labels.iter().map(|y| y / unit).collect();
        let prior = y.iter().sum::<f64>() / (y.len() as f64).max(1.0);
        let (counts, sums) = totals(codes, &y, n_levels);
        let weight = self.prior_weight.unwrap_or_else(|| evidence(codes, &y, &counts, &sums, prior));
        let number = |sum: f64, n: f64| unit * ((sum + weight * prior) / (n + weight));
        let values = sums.iter().zip(&counts).map(|(&s, &n)| number(s, n)).collect();

        let mut order: Vec<usize> = (0..codes.len()).collect();
        order.shuffle(&mut seed.derive("ordered target encoding").rng());
        let mut before = vec![(0.0, 0.0); n_levels];
        let mut rows = vec![0.0; codes.len()];
        for i in order {
            let (sum, n) = &mut before[codes[i] as usize];
            rows[i] = number(*sum, *n);
            *sum += y[i];
            *n += 1.0;
        }
        (TargetEncoding { values, prior: unit * prior, prior_weight: weight }, rows)
    }
}

fn totals(codes: &[u32], y: &[f64], n_levels: usize) -> (Vec<f64>, Vec<f64>) {
    let (mut counts, mut sums) = (vec![0.0; n_levels], vec![0.0; n_levels]);
    for (&c, y) in codes.iter().zip(y) {
        counts[c as usize] += 1.0;
        sums[c as usize] += y;
    }
    (counts, sums)
}

/// Variance within categories over variance between them, by the method of moments of a one-way analysis of variance
/// (Searle, Casella & McCulloch 1992, section 3.6).
fn evidence(codes: &[u32], y: &[f64], counts: &[f64], sums: &[f64], prior: f64) -> f64 {
    let n = y.len() as f64;
    let used = counts.iter().filter(|&&c| c > 0.0).count() as f64;
    if used < 2.0 || n - used < 1.0 {
        return WEIGHTS.0;
    }
    let mean = |l: usize| sums[l] / counts[l];
    let within = codes.iter().zip(y).map(|(&c, y)| (y - mean(c as usize)).powi(2)).sum::<f64>() / (n - used);
    let filled = (0..counts.len()).filter(|&l| counts[l] > 0.0);
    let between = filled.map(|l| counts[l] * (mean(l) - prior).powi(2)).sum::<f64>() / (used - 1.0);
    let size = (n - counts.iter().map(|c| c * c).sum::<f64>() / n) / (used - 1.0);
    let true_between = (between - within) / size;
    if true_between > 0.0 { (within / true_between).clamp(WEIGHTS.0, WEIGHTS.1) } else { WEIGHTS.1 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::RngExt;

    fn codes() -> Vec<u32> {
        (0..24).map(|i: u32| (i * 7 + i * i) % 5).collect()
    }

    fn labels() -> Vec<f64> {
        codes().iter().enumerate().map(|(i, &c)| ((i * 5) % 11) as f64 / 2.0 + f64::from(c)).collect()
    }

    fn correlation(a: &[f64], b: &[f64]) -> f64 {
        let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
        let (ma, mb) = (mean(a), mean(b));
        let sum = |f: &dyn Fn(f64, f64) -> f64| a.iter().zip(b).map(|(x, y)| f(x - ma, y - mb)).sum::<f64>();
        sum(&|x, y| x * y) / (sum(&|x, _| x * x) * sum(&|_, y| y * y)).sqrt().max(f64::MIN_POSITIVE)
    }

    #[test]
    fn new_rows_get_scikit_learns_numbers() {
        // scikit-learn 1.9.1, TargetEncoder(smooth=3) on the numbers and TargetEncoder(smooth=2) on y > 4
        let (codes, y) = (codes(), labels());
        let (got, _) = TargetEncoder { prior_weight: Some(3.0) }.fit(&codes, &y, 5, Seed(1));
        let expected = [2.802_884_615_384_615_4, 4.3125, 4.3125, 5.110_576_923_076_923, 5.633_928_571_428_571];
        assert!(got.values.iter().zip(expected).all(|(g, e)| (g - e).abs() < 1e-12), "{got:?}");
        let above: Vec<f64> = y.iter().map(|&v| f64::from(v > 4.0)).collect();
        let (got, _) = TargetEncoder { prior_weight: Some(2.0) }.fit(&codes, &above, 5, Seed(1));
        for (level, expected) in
            [(0, 0.256_944_444_444_444_4), (3, 0.673_611_111_111_111_1), (4, 0.847_222_222_222_222_2)]
        {
            assert!((got.values[level] - expected).abs() < 1e-12, "{got:?}");
        }
    }

    #[test]
    fn a_row_never_knows_its_own_label() {
        let (codes, mut y) = (codes(), labels());
        let encoder = TargetEncoder { prior_weight: Some(1.0) };
        let (before, rows) = encoder.fit(&codes, &y, 5, Seed(3));
        y[7] += 24.0; // the mean of all goes up by 1
        let (after, again) = encoder.fit(&codes, &y, 5, Seed(3));
        assert!((after.prior - before.prior - 1.0).abs() < 1e-12);
        // only the prior reaches row 7, with less than its whole weight
        assert!(again[7] - rows[7] <= 1.0 + 1e-12 && again[7] > rows[7]);
        assert!(after.values[codes[7] as usize] - before.values[codes[7] as usize] > 2.0);
    }

    #[test]
    fn random_categories_say_nothing_where_the_plain_mean_repeats_the_label() {
        let mut rng = Seed(4).rng();
        let codes: Vec<u32> = (0..4000).map(|_| rng.random_range(0..1500)).collect();
        let y: Vec<f64> = (0..4000).map(|_| f64::from(rng.random::<f64>() < 0.3)).collect();
        let (counts, sums) = totals(&codes, &y, 1500);
        let plain: Vec<f64> = codes.iter().map(|&c| sums[c as usize] / counts[c as usize]).collect();
        assert!(correlation(&plain, &y) > 0.5);
        for prior_weight in [None, Some(1.0)] {
            let (_, rows) = TargetEncoder { prior_weight }.fit(&codes, &y, 1500, Seed(5));
            let r = correlation(&rows, &y);
            assert!(r.abs() < 0.04, "{prior_weight:?}: {r}");
        }
    }

    #[test]
    fn categories_that_tell_the_label_are_drawn_little_and_others_wholly() {
        let mut rng = Seed(6).rng();
        let codes: Vec<u32> = (0..3000).map(|i| i % 100).collect();
        let told: Vec<f64> = codes.iter().map(|&c| f64::from(c % 10) + rng.random::<f64>()).collect();
        let (encoding, rows) = TargetEncoder::default().fit(&codes, &told, 100, Seed(1));
        assert_eq!(encoding.prior_weight, 1.0);
        assert!(correlation(&rows, &told) > 0.9);
        let noise: Vec<f64> = codes.iter().map(|_| rng.random()).collect();
        let weight = TargetEncoder::default().fit(&codes, &noise, 100, Seed(1)).0.prior_weight;
        assert!(weight > 100.0, "{weight}");
    }

    #[test]
    fn enormous_labels_and_no_rows_stay_finite() {
        let (encoding, rows) =
            TargetEncoder::default().fit(&[0, 0, 1, 1, 1], &[1e308, 1e308, -1e308, 1e308, 9.0], 2, Seed(1));
        assert!(encoding.values.iter().chain(&rows).all(|v| v.is_finite()), "{encoding:?}");
        let (encoding, rows) = TargetEncoder::default().fit(&[], &[], 3, Seed(1));
        assert_eq!((encoding.values, rows), (vec![0.0; 3], vec![]));
    }
}
