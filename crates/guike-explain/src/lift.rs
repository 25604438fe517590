//! Lift by group: how many times as many true cases as by chance, from the highest scores down.

use crate::plot::{Area, Axis, Frame, max_of, name_below, standing};
use crate::scale::Band;

/// Draws one bar per group, highest scores first, and a line at 1, which is chance.
///
/// ```
/// use guike_explain::{Frame, Lang, lift::lift};
/// assert!(lift(&[3.1, 1.0, 0.4], &Frame::new(Lang::En, "Lift", "tenth", "lift")).contains("3.1"));
/// ```
pub fn lift(lifts: &[f64], frame: &Frame<'_>) -> String {
    if !lifts.iter().any(|l| l.is_finite()) {
        return frame.empty();
    }
    let lang = frame.lang;
    let first = lifts.iter().copied().find(|l| l.is_finite()).unwrap_or(0.0);
    let desc = lang.pick(
        format!(
            "Lift of {} groups of equal size, highest scores first: the first has {} times as many true cases as by chance.",
            lifts.len(),
            frame.short(first)
        ),
        format!("按分数从高到低等分为 {} 组的提升度：第一组的真例是随机的 {} 倍。", lifts.len(), frame.short(first)),
    );
    let axis = Axis::round(0.0, max_of(lifts.iter().copied(), 1.0), 5, |v| frame.short(v));
    let (left, top) = (axis.room(), frame.head() + 26.0);
    let area = Area { left, right: frame.width, top, bottom: top + 210.0 };
    let band = Band::new(lifts.len(), (left, frame.width), 0.3);
    let mut svg = frame.begin(area.bottom + 42.0, &desc);
    let y = axis.draw_left(&mut svg, area, frame.y);
    for (i, &l) in lifts.iter().enumerate().filter(|(_, l)| l.is_finite()) {
        let at = y.clamped(l.max(0.0));
        let tip = format!("{}: {}", i + 1, frame.short(l));
        svg.tag("rect").area(band.at(i), at, band.width, area.bottom - at).attr("rx", "1.5").class("f3").tip(&tip);
    }
    let chance = y.clamped(1.0);
    svg.line((area.left, chance), (area.right, chance), "dash");
    svg.line((area.left, area.bottom), (area.right, area.bottom), "ax");
    let names: Vec<String> = (1..=lifts.len()).map(|i| i.to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    standing(&names, band.step(), true).draw(&mut svg, band, &names, area.bottom);
    name_below(&mut svg, area, 34.0, frame.x);
    svg.finish()
}
