//! Curves behind the single numbers: ROC, cumulative gain and Lorenz, ready to draw.
//!
//! A curve of n customers is thinned to at most the number of points asked for, always keeping its ends, because a report
//! does not need 100,000 vertices.

use serde::{Deserialize, Serialize};

use crate::order::{argsort, argsort_descending, group_ends};

/// One point of a curve; both axes run from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Horizontal axis.
    pub x: f64,
    /// Vertical axis.
    pub y: f64,
}

/// One point of an ROC curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RocPoint {
    /// Scores at or above this are called positive; `None` at the origin, where nothing is.
    pub threshold: Option<f64>,
    /// Share of negatives called positive.
    pub false_positive_rate: f64,
    /// Share of positives called positive.
    pub true_positive_rate: f64,
}

/// ROC points from (0, 0) to (1, 1), one per distinct score, thinned to about `max_points`; empty when all cases are of one
/// kind.
///
/// ```
/// let roc = guike_eval::curves::roc(&[true, false], &[0.9, 0.1], 100);
/// assert_eq!(roc.len(), 3);
/// assert_eq!((roc[1].false_positive_rate, roc[1].true_positive_rate), (0.0, 1.0));
/// ```
pub fn roc(positive: &[bool], score: &[f64], max_points: usize) -> Vec<RocPoint> {
    assert_eq!(positive.len(), score.len(), "one score per case");
    let n1 = positive.iter().filter(|&&y| y).count() as f64;
    let n0 = positive.len() as f64 - n1;
    if n1 == 0.0 || n0 == 0.0 {
        return Vec::new();
    }
    let order = argsort_descending(score);
    let mut points = vec![RocPoint { threshold: None, false_positive_rate: 0.0, true_positive_rate: 0.0 }];
    let (mut hits, mut alarms, mut start) = (0.0, 0.0, 0);
    for end in group_ends(score, &order) {
        for &i in &order[start..end as usize] {
            if positive[i as usize] { hits += 1.0 } else { alarms += 1.0 }
        }
        points.push(RocPoint {
            threshold: Some(score[order[start] as usize]),
            false_positive_rate: alarms / n0,
            true_positive_rate: hits / n1,
        });
        start = end as usize;
    }
    thin(points, max_points)
}

/// Cumulative gain: share of revenue (y) held by the best-ranked share of customers (x); tied scores rise on a straight
/// line. Empty without revenue.
pub fn gain(actual: &[f64], score: &[f64], max_points: usize) -> Vec<Point> {
    assert_eq!(actual.len(), score.len(), "one score per case");
    cumulate(actual, score, &argsort_descending(score), max_points)
}

/// Lorenz curve of the values: share of the total (y) held by the poorest share of customers (x). Empty without revenue.
pub fn lorenz(values: &[f64], max_points: usize) -> Vec<Point> {
    cumulate(values, values, &argsort(values), max_points)
}

fn cumulate(actual: &[f64], score: &[f64], order: &[u32], max_points: usize) -> Vec<Point> {
    let total: f64 = actual.iter().sum();
    if total == 0.0 {
        return Vec::new();
    }
    let n = order.len() as f64;
    let mut points = vec![Point { x: 0.0, y: 0.0 }];
    let (mut sum, mut start) = (0.0, 0);
    for end in group_ends(score, order) {
        sum += order[start..end as usize].iter().map(|&i| actual[i as usize]).sum::<f64>();
        start = end as usize;
        points.push(Point { x: start as f64 / n, y: sum / total });
    }
    thin(points, max_points)
}

/// About `max_points` points spread evenly over the indices, first and last kept.
fn thin<T: Copy>(points: Vec<T>, max_points: usize) -> Vec<T> {
    let (n, keep) = (points.len(), max_points.max(2));
    if n <= keep {
        return points;
    }
    (0..keep).map(|i| points[i * (n - 1) / (keep - 1)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_roc_area_is_the_auc() {
        let score: Vec<f64> = (0..200).map(|i| f64::from((i * 37) % 50)).collect();
        let y: Vec<bool> = (0..200).map(|i| (i * 13) % 7 < 3).collect();
        let area: f64 = roc(&y, &score, usize::MAX)
            .windows(2)
            .map(|w| {
                (w[1].false_positive_rate - w[0].false_positive_rate)
                    * (w[0].true_positive_rate + w[1].true_positive_rate)
                    / 2.0
            })
            .sum();
        assert!((area - crate::metrics::auc(&y, &score).expect("both kinds")).abs() < 1e-12);
    }

    #[test]
    fn thinned_curves_keep_both_ends() {
        let v: Vec<f64> = (0..1000).map(f64::from).collect();
        let l = lorenz(&v, 50);
        assert_eq!(l.len(), 50);
        assert_eq!(l[0], Point { x: 0.0, y: 0.0 });
        assert_eq!(l[49], Point { x: 1.0, y: 1.0 });
        assert!(l.iter().all(|p| p.y <= p.x + 1e-12), "a Lorenz curve lies below the diagonal");
    }

    #[test]
    fn equal_values_make_a_straight_lorenz_curve() {
        assert_eq!(lorenz(&[2.0; 5], 100), vec![Point { x: 0.0, y: 0.0 }, Point { x: 1.0, y: 1.0 }]);
        assert!(lorenz(&[0.0; 5], 100).is_empty());
    }
}
