//! What mistakes cost at every threshold: where to draw the line.

use crate::curve::{Curve, draw_over, thin};
use crate::plot::{Axis, Frame, max_of};

/// Draws mean cost per case over the threshold through `points` (threshold, cost), with an upright line at the threshold that
/// is used; `chosen` is that threshold and its cost.
///
/// ```
/// use guike_explain::{Frame, Lang, cost::cost};
/// let frame = Frame::new(Lang::En, "Cost", "threshold", "cost per row");
/// assert!(cost(&[(0.0, 0.9), (0.4, 0.2), (1.0, 0.5)], (0.4, 0.2), &frame).contains("0.2"));
/// ```
pub fn cost(points: &[(f64, f64)], chosen: (f64, f64), frame: &Frame<'_>) -> String {
    let usable: Vec<(f64, f64)> = points.iter().copied().filter(|p| p.0.is_finite() && p.1.is_finite()).collect();
    let Some(least) = usable.iter().copied().min_by(|a, b| a.1.total_cmp(&b.1)) else { return frame.empty() };
    if !(chosen.0.is_finite() && chosen.1.is_finite()) {
        return frame.empty();
    }
    let (here, best) = (frame.short(chosen.1), frame.short(least.1));
    let desc = frame.lang.pick(
        format!(
            "Mean cost per case over the threshold: {here} at the threshold in use, {:.2}; the least in hindsight is {best} at \
             {:.2}.",
            chosen.0, least.0
        ),
        format!("不同阈值下的平均成本：所用阈值 {:.2} 处为 {here}；事后最低为 {:.2} 处的 {best}。", chosen.0, least.0),
    );
    let axis = Axis::round(0.0, max_of(usable.iter().map(|p| p.1), 0.0), 5, |v| frame.short(v));
    let curves = [Curve {
        name: frame.lang.pick("mean cost per case", "每例平均成本"),
        class: "l1",
        points: thin(usable),
        tinted: false,
    }];
    draw_over(frame, &desc, &curves, &here, &axis, Some(chosen.0))
}
