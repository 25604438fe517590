//! Curves over shares: the core of Lorenz, gain, ROC, precision–recall, KS and cost pictures.

use crate::plot::{Area, Axis, Frame, Key, legend, legend_extra};
use crate::svg::Path;
use crate::text::percent;

/// Most points a curve is drawn with: more cannot be seen at this size.
const MAX_POINTS: usize = 120;

/// A curve through points of the unit square.
pub(crate) struct Curve<'a> {
    pub(crate) name: &'a str,
    /// Class of its stroke.
    pub(crate) class: &'static str,
    /// Points with ascending x.
    pub(crate) points: Vec<(f64, f64)>,
    /// Whether the area between it and the diagonal is tinted.
    pub(crate) tinted: bool,
}

/// At most [`MAX_POINTS`] of the points, evenly by index, first and last included.
pub(crate) fn thin(points: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    if points.len() <= MAX_POINTS {
        return points;
    }
    let last = points.len() - 1;
    (0..MAX_POINTS).map(|i| points[i * last / (MAX_POINTS - 1)]).collect()
}

/// Draws curves over the unit square, with the first curve on top.
pub(crate) fn draw(frame: &Frame<'_>, desc: &str, curves: &[Curve<'_>], note: &str) -> String {
    draw_over(frame, desc, curves, note, &Axis::exact(0.0, 1.0, 5, percent), None)
}

/// Draws curves over [0, 1] on a vertical axis of their own, with an upright line at `mark`.
pub(crate) fn draw_over(
    frame: &Frame<'_>,
    desc: &str,
    curves: &[Curve<'_>],
    note: &str,
    y_axis: &Axis,
    mark: Option<f64>,
) -> String {
    let entries: Vec<(Key, &str)> = curves.iter().map(|c| (Key::Line(c.class), c.name)).collect();
    let x_axis = Axis::exact(0.0, 1.0, 5, percent);
    let left = y_axis.room().max(40.0);
    let extra = legend_extra(&entries, 0.0, frame.width);
    let top = frame.head() + 49.0 + extra;
    let area = Area { left, right: frame.width - 14.0, top, bottom: top + (frame.width - left) * 0.58 };
    let mut svg = frame.begin(area.bottom + 42.0, desc);
    legend(&mut svg, &entries, 0.0, frame.width, frame.head() + 8.0);
    let y = y_axis.draw_left(&mut svg, area, frame.y);
    let x = x_axis.draw_bottom(&mut svg, area, frame.x);
    if let Some(at) = mark.filter(|m| m.is_finite()).map(|m| x.clamped(m)) {
        svg.line((at, area.top), (at, area.bottom), "ax");
    }
    for curve in curves.iter().rev() {
        let at: Vec<(f64, f64)> = curve
            .points
            .iter()
            .filter(|p| p.0.is_finite() && p.1.is_finite())
            .map(|p| (x.clamped(p.0), y.clamped(p.1)))
            .collect();
        if curve.tinted {
            let mut closed = Path::through(at.iter().copied());
            closed.close();
            svg.path(&closed, "f1 veil");
        }
        svg.path(&Path::through(at), curve.class);
    }
    if !note.is_empty() {
        svg.text(area.right - 10.0, area.bottom - 12.0, "b e halo", note);
    }
    svg.finish()
}

/// Rows ordered by `score` from high to low; ties keep their order, so that the result is the same everywhere.
pub(crate) fn by_score(score: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..score.len()).collect();
    order.sort_by(|&a, &b| score[b].total_cmp(&score[a]));
    order
}

/// Finite, not negative.
pub(crate) fn clean(value: f64) -> f64 {
    if value.is_finite() { value.max(0.0) } else { 0.0 }
}
