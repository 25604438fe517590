//! What a classifier does at every threshold: precision and recall, Kolmogorov–Smirnov, lift by group, cost.
//!
//! The one idea: cases are walked through from the highest score down, equal scores in one step, and everything is a function
//! of how many of the called cases were positive so far. Definitions are scikit-learn's where it has them; the tests hold its
//! numbers. A single threshold is [`crate::metrics::confusion`]'s work, the ROC curve [`crate::curves::roc`]'s.

use serde::{Deserialize, Serialize};

use crate::order::{argsort_descending, group_ends};

/// Cases called from a threshold up.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Called {
    /// Scores at or above this are called.
    pub threshold: f64,
    /// Called cases that are positive.
    pub hits: f64,
    /// Called cases that are not.
    pub alarms: f64,
}

/// All cases of both kinds, and what is called at every distinct score, highest first.
#[derive(Debug, Clone, PartialEq)]
pub struct Thresholds {
    steps: Vec<Called>,
    positives: f64,
    negatives: f64,
}

impl Thresholds {
    /// Walks through the cases.
    ///
    /// # Panics
    /// When the slices differ in length.
    ///
    /// # Example
    /// ```
    /// use guike_eval::thresholds::Thresholds;
    /// let t = Thresholds::of(&[true, false, true, false], &[0.9, 0.8, 0.7, 0.1]);
    /// assert_eq!(t.average_precision(), Some((1.0 + 2.0 / 3.0) / 2.0));
    /// assert_eq!(t.ks(), Some(0.5));
    /// assert_eq!(t.cheapest(1.0, 10.0).map(|c| c.threshold), Some(0.7));
    /// ```
    pub fn of(positive: &[bool], score: &[f64]) -> Thresholds {
        assert_eq!(positive.len(), score.len(), "one score per case");
        let order = argsort_descending(score);
        let (mut hits, mut alarms, mut start) = (0.0, 0.0, 0);
        let mut steps = Vec::new();
        for end in group_ends(score, &order) {
            for &i in &order[start..end as usize] {
                if positive[i as usize] { hits += 1.0 } else { alarms += 1.0 }
            }
            steps.push(Called { threshold: score[order[start] as usize], hits, alarms });
            start = end as usize;
        }
        Thresholds { steps, positives: hits, negatives: alarms }
    }

    /// What is called at every distinct score, highest first.
    pub fn steps(&self) -> &[Called] {
        &self.steps
    }

    fn both_kinds(&self) -> bool {
        self.positives > 0.0 && self.negatives > 0.0
    }

    /// (recall, precision) from the highest threshold down, beginning at (0, 1): scikit-learn's `precision_recall_curve`,
    /// reversed. Empty when all cases are of one kind.
    pub fn precision_recall(&self) -> Vec<(f64, f64)> {
        if !self.both_kinds() {
            return Vec::new();
        }
        let at = |c: &Called| (c.hits / self.positives, c.hits / (c.hits + c.alarms));
        std::iter::once((0.0, 1.0)).chain(self.steps.iter().map(at)).collect()
    }

    /// Σ (Rₙ − Rₙ₋₁) Pₙ, scikit-learn's `average_precision_score`; `None` when all cases are of one kind.
    pub fn average_precision(&self) -> Option<f64> {
        let curve = self.precision_recall();
        (!curve.is_empty()).then(|| curve.windows(2).map(|w| (w[1].0 - w[0].0) * w[1].1).sum())
    }

    /// (share of cases called, share of positives called, share of negatives called) from (0, 0, 0): the two curves whose
    /// largest distance is the Kolmogorov–Smirnov statistic. Empty when all cases are of one kind.
    pub fn shares(&self) -> Vec<(f64, f64, f64)> {
        if !self.both_kinds() {
            return Vec::new();
        }
        let n = self.positives + self.negatives;
        let at = |c: &Called| ((c.hits + c.alarms) / n, c.hits / self.positives, c.alarms / self.negatives);
        std::iter::once((0.0, 0.0, 0.0)).chain(self.steps.iter().map(at)).collect()
    }

    /// The Kolmogorov–Smirnov statistic of the scores of the two kinds, scipy's `ks_2samp`; `None` when all are of one kind.
    pub fn ks(&self) -> Option<f64> {
        self.both_kinds().then(|| self.shares().iter().map(|s| (s.1 - s.2).abs()).fold(0.0, f64::max))
    }

    /// Mean cost per case at a threshold, when an alarm costs `cost_fp` and a missed positive `cost_fn`.
    pub fn cost(&self, called: &Called, cost_fp: f64, cost_fn: f64) -> f64 {
        (called.alarms * cost_fp + (self.positives - called.hits) * cost_fn) / (self.positives + self.negatives)
    }

    /// What is called at this threshold.
    pub fn at(&self, threshold: f64) -> Called {
        let n = self.steps.partition_point(|c| c.threshold >= threshold);
        let none = Called { threshold, hits: 0.0, alarms: 0.0 };
        Called { threshold, ..n.checked_sub(1).map_or(none, |i| self.steps[i]) }
    }

    /// The threshold of least cost on these cases; the highest of several. `None` without cases.
    ///
    /// It is the best in hindsight: on other cases it will cost more than here.
    pub fn cheapest(&self, cost_fp: f64, cost_fn: f64) -> Option<Called> {
        let cost = |c: &Called| self.cost(c, cost_fp, cost_fn);
        self.steps.iter().copied().min_by(|a, b| cost(a).total_cmp(&cost(b)))
    }
}

/// A group of cases with neighbouring scores.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LiftRow {
    /// Cases in it.
    pub n: usize,
    /// Their mean score.
    pub mean_score: f64,
    /// Positives among them.
    pub positives: f64,
    /// Share of positives among them.
    pub rate: f64,
    /// That share over the share among all cases.
    pub lift: f64,
    /// Share of all positives in this group and those above it.
    pub captured: f64,
    /// Share of positives less share of negatives in this group and those above it; the largest is about the KS statistic.
    pub gap: f64,
}

/// Cases in groups of equal size by score, highest first: the gain table of direct marketing and credit scoring.
///
/// Equal scores may lie on both sides of a border between groups; positives are then shared out evenly, so that the order of
/// rows does not matter. Empty when all cases are of one kind; fewer groups than cases allow are returned where there are
/// fewer cases.
///
/// # Panics
/// When the slices differ in length.
///
/// # Example
/// ```
/// use guike_eval::thresholds::lift_table;
/// let rows = lift_table(&[true, true, false, false], &[0.9, 0.8, 0.2, 0.1], 2);
/// assert_eq!((rows[0].lift, rows[0].captured, rows[1].positives), (2.0, 1.0, 0.0));
/// ```
pub fn lift_table(positive: &[bool], score: &[f64], groups: usize) -> Vec<LiftRow> {
    assert_eq!(positive.len(), score.len(), "one score per case");
    let n = score.len();
    let total = positive.iter().filter(|&&p| p).count() as f64;
    if total == 0.0 || total == n as f64 {
        return Vec::new();
    }
    let order = argsort_descending(score);
    // every case counts as the share of positives among the cases of its score
    let mut share = vec![0.0; n];
    let mut start = 0;
    for end in group_ends(score, &order) {
        let tied = &order[start..end as usize];
        let hits = tied.iter().filter(|&&i| positive[i as usize]).count() as f64;
        share[start..end as usize].fill(hits / tied.len() as f64);
        start = end as usize;
    }
    let k = groups.clamp(1, n);
    let mut above = 0.0;
    (0..k)
        .map(|g| {
            let (from, to) = (g * n / k, (g + 1) * n / k);
            let size = (to - from) as f64;
            let positives: f64 = share[from..to].iter().sum();
            above += positives;
            let captured = above / total;
            LiftRow {
                n: to - from,
                mean_score: order[from..to].iter().map(|&i| score[i as usize]).sum::<f64>() / size,
                positives,
                rate: positives / size,
                lift: positives / size / (total / n as f64),
                captured,
                gap: captured - (to as f64 - above) / (n as f64 - total),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    // scikit-learn 1.9.1, numpy default_rng(7): 17 of 40 positive, scores with many ties
    const Y: [u8; 40] = [
        0, 0, 0, 1, 1, 0, 1, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 1, 1, 0, 0, 0, 0, 0, 0, 1, 1, 1, 0, 1, 1,
        1, 0, 1,
    ];
    const P: [f64; 40] = [
        0.2, 0.6, 0.3, 0.9, 0.8, 0.5, 0.4, 0.4, 0.3, 0.6, 0.6, 0.7, 0.4, 0.3, 0.2, 0.1, 0.5, 0.2, 0.6, 0.4, 0.7, 0.8,
        0.4, 0.4, 0.6, 0.2, 0.3, 0.1, 0.6, 0.1, 0.4, 0.5, 0.9, 0.8, 0.1, 0.9, 1.0, 0.9, 0.4, 0.4,
    ];

    fn truth() -> Vec<bool> {
        Y.iter().map(|&y| y == 1).collect()
    }

    #[test]
    fn the_precision_recall_curve_and_its_area_are_scikit_learns() {
        let t = Thresholds::of(&truth(), &P);
        let precision =
            [0.425, 0.4722222222222222, 0.53125, 0.6071428571428571, 0.6842105263157895, 0.75, 1.0, 1.0, 1.0, 1.0, 1.0];
        let recall = [
            1.0,
            1.0,
            1.0,
            1.0,
            0.7647058823529411,
            0.7058823529411765,
            0.5882352941176471,
            0.47058823529411764,
            0.29411764705882354,
            0.058823529411764705,
            0.0,
        ];
        let curve = t.precision_recall();
        assert_eq!(curve.len(), 11);
        for ((r, p), (recall, precision)) in curve.iter().rev().zip(recall.iter().zip(&precision)) {
            assert!((r - recall).abs() < 1e-15 && (p - precision).abs() < 1e-15, "{r} {recall} {p} {precision}");
        }
        assert!((t.average_precision().expect("both kinds") - 0.8595754091110128).abs() < 1e-12);
        // max(tpr − fpr) of roc_curve
        assert!((t.ks().expect("both kinds") - 0.5882352941176471).abs() < 1e-15);
    }

    #[test]
    fn costs_are_those_of_scikit_learns_confusion_matrices() {
        let t = Thresholds::of(&truth(), &P);
        for (threshold, cost) in
            [(0.1, 0.575), (0.3, 0.375), (0.4, 0.275), (0.5, 0.45), (0.7, 0.525), (1.0, 1.2), (1.1, 1.275)]
        {
            assert!((t.cost(&t.at(threshold), 1.0, 3.0) - cost).abs() < 1e-12, "{threshold}");
        }
        assert_eq!(t.cheapest(1.0, 3.0).map(|c| c.threshold), Some(0.4));
    }

    #[test]
    fn a_lift_table_adds_up_and_does_not_know_the_order_of_rows() {
        let rows = lift_table(&truth(), &P, 10);
        assert_eq!(rows.iter().map(|r| r.n).sum::<usize>(), 40);
        assert!((rows.iter().map(|r| r.positives).sum::<f64>() - 17.0).abs() < 1e-12);
        let last = rows[9];
        assert!((last.captured - 1.0).abs() < 1e-12 && last.gap.abs() < 1e-12);
        // the five highest scores are all positive: the first four of them are
        assert!((rows[0].lift - 40.0 / 17.0).abs() < 1e-12);
        let reversed: (Vec<bool>, Vec<f64>) = truth().into_iter().zip(P).rev().unzip();
        for (a, b) in rows.iter().zip(lift_table(&reversed.0, &reversed.1, 10)) {
            assert!((a.lift - b.lift).abs() < 1e-12);
        }
    }

    #[test]
    fn cases_of_one_kind_have_no_curve() {
        let t = Thresholds::of(&[true, true], &[0.1, 0.2]);
        assert!(t.precision_recall().is_empty() && t.ks().is_none() && t.average_precision().is_none());
        assert!(lift_table(&[false; 3], &[0.1, 0.2, 0.3], 3).is_empty());
        assert!(Thresholds::of(&[], &[]).cheapest(1.0, 1.0).is_none());
    }
}
