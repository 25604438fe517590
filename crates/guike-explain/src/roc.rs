//! The ROC curve of a score against what happened, with the area under it.

use crate::curve::{Curve, by_score, draw, thin};
use crate::plot::Frame;

/// Points `(false positive rate, true positive rate)` over all thresholds, from `(0, 0)` to `(1, 1)`.
///
/// Equal scores share a threshold. Empty when one of the two outcomes never happened.
///
/// # Panics
/// When the slices differ in length.
///
/// ```
/// use guike_explain::roc::points;
/// assert_eq!(points(&[0.9, 0.1], &[true, false]), [(0.0, 0.0), (0.0, 1.0), (1.0, 1.0)]);
/// assert!(points(&[0.9, 0.1], &[true, true]).is_empty());
/// ```
pub fn points(score: &[f64], happened: &[bool]) -> Vec<(f64, f64)> {
    assert_eq!(score.len(), happened.len(), "one score and one outcome per case");
    let positive = happened.iter().filter(|&&h| h).count() as f64;
    let negative = happened.len() as f64 - positive;
    if positive == 0.0 || negative == 0.0 {
        return Vec::new();
    }
    let order = by_score(score);
    let (mut hits, mut alarms) = (0.0, 0.0);
    let mut out = vec![(0.0, 0.0)];
    for (i, &row) in order.iter().enumerate() {
        if happened[row] {
            hits += 1.0
        } else {
            alarms += 1.0
        }
        let tied = order.get(i + 1).is_some_and(|&next| score[next].total_cmp(&score[row]).is_eq());
        if !tied {
            out.push((alarms / negative, hits / positive));
        }
    }
    out
}

/// The area under the curve: the chance that a case where it happened scores above one where it did not, ties half.
///
/// `None` when one of the two outcomes never happened.
///
/// ```
/// assert_eq!(guike_explain::roc::auc(&[0.9, 0.4, 0.4], &[true, false, true]), Some(0.75));
/// ```
pub fn auc(score: &[f64], happened: &[bool]) -> Option<f64> {
    let points = points(score, happened);
    (!points.is_empty()).then(|| points.windows(2).map(|w| (w[1].0 - w[0].0) * (w[0].1 + w[1].1) / 2.0).sum())
}

/// Draws the ROC curve.
///
/// # Panics
/// When the slices differ in length.
pub fn roc(score: &[f64], happened: &[bool], frame: &Frame<'_>) -> String {
    let Some(auc) = auc(score, happened) else { return frame.empty() };
    let desc = frame.lang.pick(
        format!(
            "ROC curve of {} customers: the area under it is {auc:.3}; 0.5 would be guessing, 1 would be perfect.",
            score.len()
        ),
        format!("{} 位顾客的 ROC 曲线：曲线下面积为 {auc:.3}；0.5 相当于瞎猜，1 为完美。", score.len()),
    );
    let curves = [
        Curve {
            name: frame.lang.pick("model", "模型"),
            class: "l1",
            points: thin(points(score, happened)),
            tinted: true,
        },
        Curve {
            name: frame.lang.pick("guessing", "瞎猜"),
            class: "dash",
            points: vec![(0.0, 0.0), (1.0, 1.0)],
            tinted: false,
        },
    ];
    draw(frame, &desc, &curves, &format!("AUC {auc:.3}"))
}
