//! Precision over recall: of what is called, how much is true, as more of the true cases are found.

use crate::curve::{Curve, draw, thin};
use crate::plot::Frame;
use crate::text::percent;

/// Draws the curve through `points` (recall, precision) with ascending recall, beside the share of true cases among all,
/// which calling by chance would have; `average` is the average precision.
///
/// ```
/// use guike_explain::{Frame, Lang, precision_recall::precision_recall};
/// let frame = Frame::new(Lang::En, "Precision and recall", "recall", "precision");
/// assert!(precision_recall(&[(0.0, 1.0), (0.5, 1.0), (1.0, 0.5)], 0.75, 0.4, &frame).contains("0.750"));
/// ```
pub fn precision_recall(points: &[(f64, f64)], average: f64, base_rate: f64, frame: &Frame<'_>) -> String {
    if points.is_empty() || !average.is_finite() || !base_rate.is_finite() {
        return frame.empty();
    }
    let desc = frame.lang.pick(
        format!(
            "Precision over recall: the average precision is {average:.3}; calling by chance would have {}.",
            percent(base_rate)
        ),
        format!("精确率-召回率曲线：平均精确率为 {average:.3}；随机判断为 {}。", percent(base_rate)),
    );
    let curves = [
        Curve { name: frame.lang.pick("model", "模型"), class: "l1", points: thin(points.to_vec()), tinted: false },
        Curve {
            name: frame.lang.pick("guessing", "瞎猜"),
            class: "dash",
            points: vec![(0.0, base_rate), (1.0, base_rate)],
            tinted: false,
        },
    ];
    draw(frame, &desc, &curves, &format!("{} {average:.3}", frame.lang.pick("average", "平均")))
}
