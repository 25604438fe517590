//! A waterfall: from the average forecast to one customer's, feature by feature.

use crate::plot::{Area, Axis, Frame, TEXT};
use crate::text::{fit, width};

/// What one feature adds to the forecast.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Name of the feature, with its value where the reader wants it.
    pub name: String,
    /// What it adds (or takes, when negative).
    pub amount: f64,
}

/// Draws the way from `base` through the steps, in the order given, to their sum. Steps that are not finite are left out.
///
/// `base_name` and `end_name` name the first and the last row.
pub fn waterfall(base: f64, steps: &[Step], base_name: &str, end_name: &str, frame: &Frame<'_>) -> String {
    const ROW: f64 = 27.0;
    let steps: Vec<&Step> = steps.iter().filter(|s| s.amount.is_finite()).collect();
    let base = if base.is_finite() { base } else { 0.0 };
    let lang = frame.lang;
    let mut level = base;
    let spans: Vec<(f64, f64)> = steps
        .iter()
        .map(|s| {
            let from = level;
            level += s.amount;
            (from, level)
        })
        .collect();
    let end = level;
    let all = || spans.iter().flat_map(|s| [s.0, s.1]).chain([0.0, base, end]);
    let (lo, hi) = (all().fold(f64::INFINITY, f64::min), all().fold(f64::NEG_INFINITY, f64::max));
    let axis = Axis::round(lo, hi, 4, |v| frame.short(v));

    let all_names = steps.iter().map(|s| s.name.as_str()).chain([base_name, end_name]);
    let names = (all_names.map(|n| width(n, TEXT) * 1.06).fold(40.0, f64::max) + 12.0).min(frame.width * 0.38);
    let signed = |v: f64| if v > 0.0 { format!("+{}", frame.short(v)) } else { frame.short(v) };
    let value_room = steps
        .iter()
        .map(|s| width(&signed(s.amount), TEXT))
        .chain([width(&frame.short(end), TEXT)])
        .fold(30.0, f64::max)
        + 16.0;
    let top = frame.head() + 8.0;
    let n_rows = steps.len() + 2;
    let area = Area { left: names, right: frame.width - value_room, top, bottom: top + ROW * n_rows as f64 };
    let largest = steps.iter().max_by(|a, b| a.amount.abs().total_cmp(&b.amount.abs()));
    let most = largest.map_or(String::new(), |s| {
        lang.pick(
            format!("; the largest step is {} ({})", s.name, signed(s.amount)),
            format!("；影响最大的是 {}（{}）", s.name, signed(s.amount)),
        )
    });
    let desc = lang.pick(
        format!(
            "From {base_name} {} to {end_name} {} in {} steps{most}.",
            frame.short(base),
            frame.short(end),
            steps.len()
        ),
        format!("从{base_name} {} 经 {} 步到{end_name} {}{most}。", frame.short(base), steps.len(), frame.short(end)),
    );
    let mut svg = frame.begin(area.bottom + 42.0, &desc);
    let x = axis.draw_bottom(&mut svg, area, frame.x);
    let zero = x.at(0.0);
    let mut row = |i: usize, name: &str, span: (f64, f64), class: &str, value: &str, bold: bool| {
        let y = top + ROW * i as f64;
        let weight = if bold { "b" } else { "" };
        svg.text(names - 8.0, y + ROW / 2.0 + 4.0, &format!("e {weight}"), &fit(name, TEXT, names - 10.0));
        let (a, b) = (span.0.min(span.1), span.0.max(span.1));
        svg.tag("rect").area(a, y + 5.0, (b - a).max(1.0), ROW - 10.0).attr("rx", "1.5").class(class).close();
        svg.text(frame.width - 4.0, y + ROW / 2.0 + 4.0, &format!("e {weight}"), value);
        if i + 1 < n_rows {
            svg.line((span.1, y + ROW - 5.0), (span.1, y + ROW + 5.0), "ax");
        }
    };
    row(0, base_name, (zero, x.at(base)), "f3", &frame.short(base), true);
    for (i, (step, span)) in steps.iter().zip(&spans).enumerate() {
        let class = if step.amount >= 0.0 { "f1" } else { "f2" };
        row(i + 1, &step.name, (x.at(span.0), x.at(span.1)), class, &signed(step.amount), false);
    }
    row(n_rows - 1, end_name, (zero, x.at(end)), "f1", &frame.short(end), true);
    svg.finish()
}
