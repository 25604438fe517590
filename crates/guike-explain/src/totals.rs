//! Totals per period: what happened, then what is expected with its interval.

use serde::{Deserialize, Serialize};

use crate::plot::{Area, Axis, Frame, Interval, Key, legend, legend_extra, max_of, standing};
use crate::scale::Band;

/// A lonely bar is not drawn wider than this.
const WIDEST_BAR: f64 = 60.0;

/// A period that has happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Period {
    /// Label, for example `2024-03`.
    pub label: String,
    /// Total of the period.
    pub value: f64,
    /// Whether the log covers the whole period; others are drawn pale.
    pub complete: bool,
}

/// A period that is expected.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Expected {
    /// Label.
    pub label: String,
    /// Expected total with its interval.
    pub total: Interval,
}

/// History and forecast.
#[derive(Debug, Clone, Copy)]
pub struct Totals<'a> {
    /// Periods that have happened, in order.
    pub history: &'a [Period],
    /// Periods that are expected, in order, after the history.
    pub forecast: &'a [Expected],
    /// Level of the intervals, for example 0.8.
    pub level: f64,
}

/// Draws bars of the history, then of the forecast with whiskers, with a line at the cutoff between them.
pub fn totals(data: &Totals<'_>, frame: &Frame<'_>) -> String {
    let n = data.history.len() + data.forecast.len();
    if n == 0 {
        return frame.empty();
    }
    let lang = frame.lang;
    let interval = format!("{:.0}% {}", data.level * 100.0, lang.pick("interval", "区间"));
    let mut entries = vec![(Key::Box("f3"), lang.pick("actual", "实际"))];
    if data.history.iter().any(|p| !p.complete) {
        entries.push((Key::Box("f3 soft"), lang.pick("part of a period", "不完整的时段")));
    }
    if !data.forecast.is_empty() {
        entries.push((Key::Box("f1"), lang.pick("expected", "预测")));
        entries.push((Key::Whisker, &interval));
    }

    let high = max_of(
        data.history.iter().map(|p| p.value).chain(data.forecast.iter().flat_map(|e| [e.total.hi, e.total.mid])),
        0.0,
    );
    let low = -max_of(data.history.iter().map(|p| -p.value), 0.0);
    let axis = Axis::round(low, high, 5, |v| frame.short(v));
    let left = axis.room();
    let labels: Vec<&str> =
        data.history.iter().map(|p| p.label.as_str()).chain(data.forecast.iter().map(|e| e.label.as_str())).collect();
    let band = Band::new(n, (left, frame.width - 6.0), 0.24);
    let standing = standing(&labels, band.step(), true);
    let top = frame.head() + 50.0 + legend_extra(&entries, 0.0, frame.width);
    let plot_height = if frame.width > 600.0 { 230.0 } else { 200.0 };
    let area = Area { left, right: frame.width, top, bottom: top + plot_height };
    let name_room = if frame.x.is_empty() { 4.0 } else { 20.0 };
    let mut svg = frame.begin(area.bottom + standing.height() + name_room, &describe(data, frame));
    legend(&mut svg, &entries, 0.0, frame.width, frame.head() + 8.0);
    let y = axis.draw_left(&mut svg, area, frame.y);
    let zero = y.at(0.0);

    let mut bar = |at: usize, value: f64, class: &str, tip: &str| {
        if value.is_finite() {
            let (a, b) = (y.at(value).min(zero), y.at(value).max(zero));
            let wide = band.width.min(WIDEST_BAR);
            svg.tag("rect").area(band.centre(at) - wide / 2.0, a, wide, b - a).attr("rx", "1.5").class(class).tip(tip);
        }
    };
    for (i, p) in data.history.iter().enumerate() {
        let class = if p.complete { "f3" } else { "f3 soft" };
        bar(i, p.value, class, &format!("{}: {}", p.label, frame.short(p.value)));
    }
    for (i, e) in data.forecast.iter().enumerate() {
        let t = e.total;
        let tip = format!("{}: {} ({} – {})", e.label, frame.short(t.mid), frame.short(t.lo), frame.short(t.hi));
        bar(data.history.len() + i, t.mid, "f1", &tip);
    }
    for (i, e) in data.forecast.iter().enumerate() {
        if e.total.is_finite() {
            let x = band.centre(data.history.len() + i);
            svg.whisker_y(x, y.clamped(e.total.lo), y.clamped(e.total.hi), (band.width * 0.25).min(5.0), "wh");
        }
    }
    svg.line((area.left, zero), (area.right, zero), "ax");
    if !data.history.is_empty() && !data.forecast.is_empty() {
        let x = band.centre(data.history.len()) - band.step() / 2.0;
        svg.line((x, area.top - 4.0), (x, area.bottom), "dash");
    }
    standing.draw(&mut svg, band, &labels, area.bottom);
    if !frame.x.is_empty() {
        crate::plot::name_below(&mut svg, area, standing.height() + 14.0, frame.x);
    }
    svg.finish()
}

fn describe(data: &Totals<'_>, frame: &Frame<'_>) -> String {
    let lang = frame.lang;
    let mut text = String::new();
    if let (Some(first), Some(last)) = (data.history.first(), data.history.last()) {
        let peak = data.history.iter().filter(|p| p.value.is_finite()).max_by(|a, b| a.value.total_cmp(&b.value));
        text.push_str(&lang.pick(
            format!("{} periods from {} to {}", data.history.len(), first.label, last.label),
            format!("{} 个时段（{} 至 {}）", data.history.len(), first.label, last.label),
        ));
        if let Some(peak) = peak {
            text.push_str(&lang.pick(
                format!(", highest in {} with {}", peak.label, frame.short(peak.value)),
                format!("，最高为 {} 的 {}", peak.label, frame.short(peak.value)),
            ));
        }
        text.push_str(lang.pick(". ", "。"));
    }
    if let (Some(first), Some(last)) = (data.forecast.first(), data.forecast.last()) {
        let (a, b) = (first.total, last.total);
        text.push_str(&lang.pick(
            format!(
                "Expected for {}: {}, {:.0}% interval {} to {}",
                first.label,
                frame.short(a.mid),
                data.level * 100.0,
                frame.short(a.lo),
                frame.short(a.hi)
            ),
            format!(
                "{} 预测 {}，{:.0}% 区间 {} 至 {}",
                first.label,
                frame.short(a.mid),
                data.level * 100.0,
                frame.short(a.lo),
                frame.short(a.hi)
            ),
        ));
        if data.forecast.len() > 1 {
            text.push_str(&lang.pick(
                format!("; for {}: {}, {} to {}", last.label, frame.short(b.mid), frame.short(b.lo), frame.short(b.hi)),
                format!(
                    "；{} 预测 {}，区间 {} 至 {}",
                    last.label,
                    frame.short(b.mid),
                    frame.short(b.lo),
                    frame.short(b.hi)
                ),
            ));
        }
        text.push_str(lang.pick(".", "。"));
    }
    text
}
