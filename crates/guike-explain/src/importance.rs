//! Which features matter: one bar per feature, longest first, with an interval where it is known.

use crate::plot::{Area, Axis, Frame, Interval, TEXT, max_of};
use crate::text::{fit, width};

/// A feature and how much it matters.
#[derive(Debug, Clone, PartialEq)]
pub struct Importance {
    /// Name of the feature.
    pub name: String,
    /// Importance with its interval; both ends equal to the value where no interval is known.
    pub weight: Interval,
}

/// Draws the features in the order given; negative weights count as zero.
pub fn importance(features: &[Importance], frame: &Frame<'_>) -> String {
    const ROW: f64 = 24.0;
    let shown: Vec<&Importance> = features.iter().filter(|f| f.weight.mid.is_finite()).collect();
    if shown.is_empty() {
        return frame.empty();
    }
    let lang = frame.lang;
    let most = max_of(shown.iter().flat_map(|f| [f.weight.mid, f.weight.hi]), 1e-12);
    let axis = Axis::round(0.0, most, 4, |v| frame.short(v));
    let names = (shown.iter().map(|f| width(&f.name, TEXT)).fold(40.0, f64::max) + 12.0).min(frame.width * 0.42);
    let top = frame.head() + 8.0;
    let area = Area { left: names, right: frame.width - 16.0, top, bottom: top + ROW * shown.len() as f64 };
    let list = shown
        .iter()
        .take(3)
        .map(|f| format!("{} ({})", f.name, frame.short(f.weight.mid)))
        .collect::<Vec<_>>()
        .join(lang.pick(", ", "、"));
    let desc = lang.pick(
        format!("{} features by importance; the most important: {list}.", shown.len()),
        format!("{} 个特征的重要性；最重要的是：{list}。", shown.len()),
    );
    let mut svg = frame.begin(area.bottom + 42.0, &desc);
    let x = axis.draw_bottom(&mut svg, area, frame.x);
    for (i, f) in shown.iter().enumerate() {
        let y = top + ROW * i as f64;
        svg.text(names - 8.0, y + ROW / 2.0 + 4.0, "e", &fit(&f.name, TEXT, names - 10.0));
        let end = x.clamped(f.weight.mid);
        svg.tag("rect")
            .area(area.left, y + 4.0, end - area.left, ROW - 8.0)
            .attr("rx", "1.5")
            .class("f1")
            .tip(&format!("{}: {}", f.name, frame.short(f.weight.mid)));
        if f.weight.is_finite() && f.weight.hi > f.weight.lo {
            svg.whisker_x(y + ROW / 2.0, x.clamped(f.weight.lo), x.clamped(f.weight.hi), "wh");
        }
    }
    svg.finish()
}
