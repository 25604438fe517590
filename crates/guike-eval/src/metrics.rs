//! Point metrics of a forecast against what happened.
//!
//! Every function takes parallel slices (one entry per customer) and states what it does with ties. A metric that the data
//! do not define (no revenue, nobody active, a constant score) is `None`, never NaN. Inputs must be finite; a length
//! mismatch is a mistake of the caller and panics.
//!
//! Distributional scores are in [`crate::distribution`], curves in [`crate::curves`].

use serde::{Deserialize, Serialize};

use crate::order::{argsort, argsort_descending, average_ranks, group_ends, split_sizes};

/// Rates below this count as this in [`poisson_deviance`], so that a forecast of exactly zero is very bad but not infinite.
pub const MIN_RATE: f64 = 1e-9;

fn same_length(a: usize, b: usize) {
    assert_eq!(a, b, "one prediction per observation");
}

/// Mean absolute error; 0 without observations.
///
/// ```
/// assert_eq!(guike_eval::metrics::mae(&[0.0, 10.0], &[2.0, 6.0]), 3.0);
/// ```
pub fn mae(actual: &[f64], predicted: &[f64]) -> f64 {
    same_length(actual.len(), predicted.len());
    mean(actual.iter().zip(predicted).map(|(y, p)| (p - y).abs()), actual.len())
}

/// Root of the mean squared error; 0 without observations.
pub fn rmse(actual: &[f64], predicted: &[f64]) -> f64 {
    same_length(actual.len(), predicted.len());
    mean(actual.iter().zip(predicted).map(|(y, p)| (p - y) * (p - y)), actual.len()).sqrt()
}

fn mean(values: impl Iterator<Item = f64>, n: usize) -> f64 {
    if n == 0 { 0.0 } else { values.sum::<f64>() / n as f64 }
}

/// One customer's Poisson deviance `2 (y ln(y/μ) − y + μ)`.
pub(crate) fn deviance_term(count: f64, rate: f64) -> f64 {
    let mu = rate.max(MIN_RATE);
    let log_part = if count > 0.0 { count * (count / mu).ln() } else { 0.0 };
    2.0 * (log_part - count + mu)
}

/// Mean Poisson deviance of predicted rates for counts; rates below [`MIN_RATE`] count as that.
///
/// It is a proper score for the mean of counts: no forecast does better in expectation than the true mean.
///
/// # Source
/// McCullagh & Nelder (1989), §2.3; equals scikit-learn's `mean_poisson_deviance` for rates above the floor.
pub fn poisson_deviance(counts: &[f64], rates: &[f64]) -> f64 {
    same_length(counts.len(), rates.len());
    mean(counts.iter().zip(rates).map(|(&y, &p)| deviance_term(y, p)), counts.len())
}

/// Spearman's rank correlation with average ranks for ties; `None` when either side is constant.
pub fn spearman(actual: &[f64], predicted: &[f64]) -> Option<f64> {
    same_length(actual.len(), predicted.len());
    pearson(&average_ranks(predicted), &average_ranks(actual))
}

fn pearson(a: &[f64], b: &[f64]) -> Option<f64> {
    let n = a.len();
    let (ma, mb) = (mean(a.iter().copied(), n), mean(b.iter().copied(), n));
    let (mut saa, mut sbb, mut sab) = (0.0, 0.0, 0.0);
    for (x, y) in a.iter().zip(b) {
        saa += (x - ma) * (x - ma);
        sbb += (y - mb) * (y - mb);
        sab += (x - ma) * (y - mb);
    }
    (saa > 0.0 && sbb > 0.0).then(|| sab / (saa * sbb).sqrt())
}

/// Area-based Gini of `actual` ordered by descending `score`; tied scores are averaged over. `None` without revenue.
///
/// # Source
/// Wang, Liu & Miao (2019), "A Deep Probabilistic Model for Customer Lifetime Value Prediction", §4.2.
pub fn gini(actual: &[f64], score: &[f64]) -> Option<f64> {
    same_length(actual.len(), score.len());
    let order = argsort_descending(score);
    let total: f64 = actual.iter().sum();
    if total == 0.0 || actual.is_empty() {
        return None;
    }
    let n = actual.len() as f64;
    let (mut area, mut cumulative, mut start) = (0.0, 0.0, 0);
    for end in group_ends(score, &order) {
        let end = end as usize;
        let size = (end - start) as f64;
        let sum: f64 = order[start..end].iter().map(|&i| actual[i as usize]).sum();
        // every member of a tied group counts with the group's mean: c + s/m · j for j = 1 … m
        area += size * cumulative + sum * (size + 1.0) / 2.0;
        cumulative += sum;
        start = end;
    }
    Some(area / total / n - (n + 1.0) / (2.0 * n))
}

/// Smallest Gini of a perfect ordering that still says something; below it all customers are worth the same.
pub(crate) const MIN_IDEAL_GINI: f64 = 1e-12;

/// [`gini`] of the score over the Gini of the perfect ordering: 1 is perfect, 0 is random.
///
/// ```
/// use guike_eval::metrics::gini_normalized;
/// let spend = [0.0, 5.0, 100.0];
/// assert_eq!(gini_normalized(&spend, &[1.0, 2.0, 3.0]), Some(1.0));
/// assert_eq!(gini_normalized(&[0.0, 0.0], &[1.0, 2.0]), None, "no revenue, nothing to rank");
/// ```
pub fn gini_normalized(actual: &[f64], score: &[f64]) -> Option<f64> {
    let ideal = gini(actual, actual)?;
    let own = gini(actual, score)?;
    (ideal.abs() > MIN_IDEAL_GINI).then(|| own / ideal)
}

/// Share of the total that the `ceil(n · fraction)` customers ranked highest hold; a tied group on the border counts pro
/// rata. `None` without revenue.
pub fn top_share(actual: &[f64], score: &[f64], fraction: f64) -> Option<f64> {
    same_length(actual.len(), score.len());
    let total: f64 = actual.iter().sum();
    if total == 0.0 {
        return None;
    }
    // 10 % of 20 customers is 2, also where 0.1 · 20 rounds to slightly more
    let wanted = (actual.len() as f64 * fraction - 1e-9).ceil().max(0.0) as usize;
    let order = argsort_descending(score);
    let (mut held, mut start) = (0.0, 0);
    for end in group_ends(score, &order) {
        let end = end as usize;
        let sum: f64 = order[start..end].iter().map(|&i| actual[i as usize]).sum();
        if end >= wanted {
            held += sum * (wanted - start) as f64 / (end - start) as f64;
            break;
        }
        held += sum;
        start = end;
    }
    Some(held / total)
}

/// Share of revenue held by the best-ranked tenth: [`top_share`] at 0.1.
pub fn top_decile_capture(actual: &[f64], score: &[f64]) -> Option<f64> {
    top_share(actual, score, 0.1)
}

/// Mean prediction and mean outcome of one tenth of the customers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct DecilePoint {
    /// Number of customers.
    pub n: usize,
    /// Mean of the predictions.
    pub predicted: f64,
    /// Mean of what happened.
    pub actual: f64,
}

/// Ten groups of customers by predicted value, lowest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DecileCalibration {
    /// Up to ten points (fewer than ten customers give fewer).
    pub points: Vec<DecilePoint>,
    /// Mean of |predicted − actual| / actual over the groups with a positive actual mean; `None` when there is none.
    pub mape: Option<f64>,
}

/// Calibration by deciles of the prediction. Ties stay in the given order (a stable sort cut into ten nearly equal parts).
pub fn decile_calibration(actual: &[f64], predicted: &[f64]) -> DecileCalibration {
    same_length(actual.len(), predicted.len());
    let order = argsort(predicted);
    let mut rest = order.as_slice();
    let mut points = Vec::with_capacity(10);
    for size in split_sizes(order.len() as u64, 10) {
        let (part, tail) = rest.split_at(size as usize);
        rest = tail;
        if part.is_empty() {
            continue;
        }
        points.push(DecilePoint {
            n: part.len(),
            predicted: mean(part.iter().map(|&i| predicted[i as usize]), part.len()),
            actual: mean(part.iter().map(|&i| actual[i as usize]), part.len()),
        });
    }
    let errors: Vec<f64> =
        points.iter().filter(|d| d.actual > 0.0).map(|d| (d.predicted - d.actual).abs() / d.actual).collect();
    let mape = (!errors.is_empty()).then(|| errors.iter().sum::<f64>() / errors.len() as f64);
    DecileCalibration { points, mape }
}

/// Total predicted over total actual: 1 is a level met exactly. `None` when the actual total is 0.
pub fn total_bias(actual: &[f64], predicted: &[f64]) -> Option<f64> {
    same_length(actual.len(), predicted.len());
    let total: f64 = actual.iter().sum();
    (total != 0.0).then(|| predicted.iter().sum::<f64>() / total)
}

/// Area under the ROC curve: the chance that a positive case has a higher score than a negative one, ties counting half.
/// `None` when all cases are of one kind.
///
/// ```
/// use guike_eval::metrics::auc;
/// assert_eq!(auc(&[false, true, true], &[0.1, 0.1, 0.9]), Some(0.75));
/// assert_eq!(auc(&[true, true], &[0.1, 0.9]), None);
/// ```
pub fn auc(positive: &[bool], score: &[f64]) -> Option<f64> {
    same_length(positive.len(), score.len());
    let n1 = positive.iter().filter(|&&y| y).count() as f64;
    let n0 = positive.len() as f64 - n1;
    if n1 == 0.0 || n0 == 0.0 {
        return None;
    }
    let ranks = average_ranks(score);
    let sum: f64 = ranks.iter().zip(positive).filter(|(_, y)| **y).map(|(r, _)| r).sum();
    Some((sum - n1 * (n1 + 1.0) / 2.0) / (n1 * n0))
}

/// Counts of decisions "active when the score is at least the threshold".
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Confusion {
    /// Scores at or above this are called positive.
    pub threshold: f64,
    /// Positive and called positive.
    pub true_positive: usize,
    /// Negative but called positive.
    pub false_positive: usize,
    /// Negative and called negative.
    pub true_negative: usize,
    /// Positive but called negative.
    pub false_negative: usize,
}

impl Confusion {
    /// Share of right calls; `None` without cases.
    pub fn accuracy(&self) -> Option<f64> {
        ratio(self.true_positive + self.true_negative, self.n())
    }

    /// Share of positive calls that are right; `None` when nothing was called positive.
    pub fn precision(&self) -> Option<f64> {
        ratio(self.true_positive, self.true_positive + self.false_positive)
    }

    /// Share of positives found; `None` when there is no positive.
    pub fn recall(&self) -> Option<f64> {
        ratio(self.true_positive, self.true_positive + self.false_negative)
    }

    /// Share of negatives recognised; `None` when there is no negative.
    pub fn specificity(&self) -> Option<f64> {
        ratio(self.true_negative, self.true_negative + self.false_positive)
    }

    /// Harmonic mean of precision and recall; `None` when there is neither a positive nor a positive call.
    pub fn f1(&self) -> Option<f64> {
        ratio(2 * self.true_positive, 2 * self.true_positive + self.false_positive + self.false_negative)
    }

    /// Number of cases.
    pub fn n(&self) -> usize {
        self.true_positive + self.false_positive + self.true_negative + self.false_negative
    }
}

/// Matthews' correlation of call and truth from `counts[actual][called]`, for two or more classes: 1 is perfect, 0 guessing;
/// 0 when calls or truth are all of one class, as scikit-learn has it.
///
/// # Source
/// Gorodkin (2004), "Comparing two K-category assignments by a K-category correlation coefficient", eq. 8
///
/// # Example
/// ```
/// let mcc = guike_eval::metrics::matthews(&[vec![2, 2], vec![1, 3]]);
/// assert!((mcc - 0.2581988897471611).abs() < 1e-15, "scikit-learn's matthews_corrcoef");
/// ```
pub fn matthews(counts: &[Vec<u64>]) -> f64 {
    let k = counts.len();
    let actual: Vec<f64> = counts.iter().map(|row| row.iter().sum::<u64>() as f64).collect();
    let called: Vec<f64> = (0..k).map(|c| counts.iter().map(|row| row[c]).sum::<u64>() as f64).collect();
    let right: f64 = (0..k).map(|c| counts[c][c] as f64).sum();
    let n: f64 = actual.iter().sum();
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
    let under = ((n * n - dot(&called, &called)) * (n * n - dot(&actual, &actual))).sqrt();
    if under > 0.0 { (right * n - dot(&actual, &called)) / under } else { 0.0 }
}

fn ratio(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// The confusion matrix of `score >= threshold`.
pub fn confusion(positive: &[bool], score: &[f64], threshold: f64) -> Confusion {
    same_length(positive.len(), score.len());
    let mut c = Confusion { threshold, true_positive: 0, false_positive: 0, true_negative: 0, false_negative: 0 };
    for (&y, &s) in positive.iter().zip(score) {
        match (y, s >= threshold) {
            (true, true) => c.true_positive += 1,
            (false, true) => c.false_positive += 1,
            (false, false) => c.true_negative += 1,
            (true, false) => c.false_negative += 1,
        }
    }
    c
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constant_score_has_gini_zero_and_captures_its_share() {
        let y = [1.0, 2.0, 3.0, 4.0, 0.0, 0.0, 5.0, 9.0, 1.0, 2.0, 7.0];
        let s = [1.0; 11];
        assert!(gini_normalized(&y, &s).expect("revenue").abs() < 1e-12);
        assert!(
            (top_decile_capture(&y, &s).expect("revenue") - 2.0 / 11.0).abs() < 1e-12,
            "ceil(11/10) of 11 customers"
        );
        assert_eq!(spearman(&y, &s), None);
        assert_eq!(auc(&y.map(|v| v > 0.0), &s), Some(0.5));
    }

    #[test]
    fn the_top_share_of_everybody_is_everything() {
        let y = [1.0, 2.0, 3.0];
        assert!((top_share(&y, &y, 1.0).expect("revenue") - 1.0).abs() < 1e-12);
        assert_eq!(top_share(&y, &y, 0.0), Some(0.0));
    }

    #[test]
    fn deviance_is_zero_only_at_the_truth_and_finite_at_zero() {
        assert_eq!(poisson_deviance(&[2.0, 5.0], &[2.0, 5.0]), 0.0);
        let d = poisson_deviance(&[1.0], &[0.0]);
        assert!(d > 30.0 && d.is_finite());
        // scikit-learn: mean_poisson_deviance([2, 0, 1, 4], [0.5, 0.5, 2, 2]) = 1.4260151319598084
        assert!((poisson_deviance(&[2.0, 0.0, 1.0, 4.0], &[0.5, 0.5, 2.0, 2.0]) - 1.4260151319598).abs() < 1e-9);
    }

    #[test]
    fn fewer_than_ten_customers_give_fewer_points() {
        let d = decile_calibration(&[1.0, 2.0, 3.0], &[1.0, 2.0, 6.0]);
        assert_eq!(d.points.len(), 3);
        assert!((d.mape.expect("positive means") - 1.0 / 3.0).abs() < 1e-12);
        assert_eq!(decile_calibration(&[], &[]).mape, None);
    }

    #[test]
    fn the_confusion_matrix_counts_every_case_once() {
        let c = confusion(&[true, true, false, false, true], &[0.9, 0.2, 0.8, 0.1, 0.5], 0.5);
        assert_eq!((c.true_positive, c.false_positive, c.true_negative, c.false_negative), (2, 1, 1, 1));
        assert_eq!(c.accuracy(), Some(0.6));
        assert_eq!(c.recall(), Some(2.0 / 3.0));
        assert_eq!(c.specificity(), Some(0.5));
        assert_eq!(c.f1(), Some(2.0 / 3.0));
        assert_eq!(confusion(&[], &[], 0.5).accuracy(), None);
    }
}
