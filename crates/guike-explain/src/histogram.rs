//! A histogram on a logarithmic axis: how values that span decades are spread, with zeros in a bar of their own.

use crate::plot::{Area, Axis, Frame, draw_spaced, name_below};
use crate::scale::Log;
use crate::text::{compact, count};

/// Number of bins.
const BINS: usize = 28;

/// Draws how many of the values (none negative, any order) fall into bins of equal width on a logarithmic axis.
///
/// Bins run from the 0.5th percentile of the positive values to the largest; smaller ones count in the first bin.
pub fn histogram(values: &[f64], frame: &Frame<'_>) -> String {
    let mut positive: Vec<f64> = values.iter().copied().filter(|v| v.is_finite() && *v > 1e-300).collect();
    let n_zero = values.iter().filter(|v| **v == 0.0).count();
    if positive.is_empty() {
        return frame.empty();
    }
    positive.sort_by(f64::total_cmp);
    let n = positive.len();
    let (low, high) = (positive[n / 200].max(positive[n - 1] / 1e8), positive[n - 1] * 1.000_001);
    let unit = Log::new((low, high), (0.0, 1.0));
    let mut counts = [0_u64; BINS];
    for v in &positive {
        counts[((unit.at(*v) * BINS as f64) as usize).min(BINS - 1)] += 1;
    }
    let median = frame.short(positive[n / 2]);
    let largest = frame.short(positive[n - 1]);
    let desc = frame.lang.pick(
        format!(
            "{} values above zero, half of them below {median}, the largest {largest}; {} are zero.",
            count(n as u64),
            count(n_zero as u64)
        ),
        format!("{} 个大于零的值，中位数 {median}，最大 {largest}；{} 个为零。", count(n as u64), count(n_zero as u64)),
    );

    let most = counts.iter().copied().max().unwrap_or(1).max(n_zero as u64) as f64;
    let axis = Axis::round(0.0, most, 4, |v| compact(v, frame.lang));
    let top = frame.head() + 24.0;
    let area = Area { left: axis.room(), right: frame.width - 8.0, top, bottom: top + 180.0 };
    let strip = if n_zero > 0 { 30.0 } else { 0.0 };
    let mut svg = frame.begin(area.bottom + 42.0, &desc);
    let y = axis.draw_left(&mut svg, area, frame.y);
    if n_zero > 0 {
        let at = y.at(n_zero as f64);
        svg.tag("rect")
            .area(area.left + 2.0, at, 16.0, area.bottom - at)
            .attr("rx", "1")
            .class("f3")
            .tip(&format!("0: {}", count(n_zero as u64)));
        svg.text(area.left + 10.0, area.bottom + 16.0, "m s c", "0");
    }
    let x = Log::new((low, high), (area.left + strip, area.right));
    let step = (area.right - area.left - strip) / BINS as f64;
    for (i, &c) in counts.iter().enumerate().filter(|(_, c)| **c > 0) {
        let at = y.at(c as f64);
        let edge = |k: usize| frame.short(unit.value_at(k as f64 / BINS as f64));
        svg.tag("rect")
            .area(area.left + strip + step * i as f64 + 0.5, at, step - 1.0, area.bottom - at)
            .attr("rx", "1")
            .class("f1")
            .tip(&format!("{} – {}: {}", edge(i), edge(i + 1), count(c)));
    }
    svg.line((area.left, area.bottom), (area.right, area.bottom), "ax");
    let ticks: Vec<(f64, String)> = x.ticks().into_iter().map(|t| (x.at(t), frame.short(t))).collect();
    let labels: Vec<(f64, &str)> = ticks
        .iter()
        .map(|(at, t)| (*at, t.as_str()))
        .filter(|(at, _)| n_zero == 0 || *at > area.left + strip + 12.0)
        .collect();
    for (at, _) in &labels {
        svg.line((*at, area.bottom), (*at, area.bottom + 4.0), "ax");
    }
    draw_spaced(&mut svg, &labels, area.bottom + 16.0);
    name_below(&mut svg, area, 34.0, frame.x);
    svg.finish()
}
