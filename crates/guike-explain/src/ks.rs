//! The Kolmogorov–Smirnov picture of credit scoring: how far the true cases run ahead of the others.

use crate::curve::{Curve, draw_over, thin};
use crate::plot::{Axis, Frame};
use crate::text::percent;

/// Draws (share of cases called, share of true cases among them, share of other cases among them), ascending, with an upright
/// line where the two are furthest apart.
///
/// ```
/// use guike_explain::{Frame, Lang, ks::ks};
/// let frame = Frame::new(Lang::En, "KS", "share of rows", "share found");
/// let svg = ks(&[(0.0, 0.0, 0.0), (0.5, 0.9, 0.3), (1.0, 1.0, 1.0)], &frame);
/// assert!(svg.contains("KS 0.600"));
/// ```
pub fn ks(points: &[(f64, f64, f64)], frame: &Frame<'_>) -> String {
    let gap = |p: &(f64, f64, f64)| (p.1 - p.2).abs();
    let finite = |p: &&(f64, f64, f64)| gap(p).is_finite();
    let Some(widest) = points.iter().filter(finite).max_by(|a, b| gap(a).total_cmp(&gap(b))) else {
        return frame.empty();
    };
    let value = gap(widest);
    let desc = frame.lang.pick(
        format!(
            "True and other cases found from the highest score down: they are furthest apart, by {value:.3}, after {} of the \
             cases, with {} of the true ones and {} of the others.",
            percent(widest.0),
            percent(widest.1),
            percent(widest.2)
        ),
        format!(
            "按分数从高到低的真例与非真例累积占比：在前 {} 处差距最大，为 {value:.3}，此时真例占 {}，非真例占 {}。",
            percent(widest.0),
            percent(widest.1),
            percent(widest.2)
        ),
    );
    let curves = [
        Curve {
            name: frame.lang.pick("true cases", "真例"),
            class: "l1",
            points: thin(points.iter().map(|p| (p.0, p.1)).collect()),
            tinted: false,
        },
        Curve {
            name: frame.lang.pick("other cases", "非真例"),
            class: "l3",
            points: thin(points.iter().map(|p| (p.0, p.2)).collect()),
            tinted: false,
        },
    ];
    draw_over(frame, &desc, &curves, &format!("KS {value:.3}"), &Axis::exact(0.0, 1.0, 5, percent), Some(widest.0))
}
