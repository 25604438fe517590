//! Decile calibration: customers in ten groups by forecast, predicted against actual mean of each group.

use serde::{Deserialize, Serialize};

use crate::plot::{Area, Axis, Frame, Key, legend, legend_extra, max_of, name_below, standing};
use crate::scale::Band;
use crate::text::percent;

/// A group of customers with similar forecasts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// Mean forecast per customer.
    pub predicted: f64,
    /// Mean of what happened per customer.
    pub actual: f64,
    /// Ends of the interval of the actual mean (for example by bootstrap), where known.
    pub actual_interval: Option<(f64, f64)>,
}

/// Customers in `n_groups` groups of equal size by forecast, lowest first, with the 95 % interval of each actual mean
/// (normal approximation: mean ± 1.96 standard errors).
///
/// Fewer groups come back when there are fewer customers. Ties keep the order of rows.
///
/// # Panics
/// When the slices differ in length.
///
/// ```
/// let g = guike_explain::calibration::groups(&[1.0, 4.0, 2.0, 3.0], &[0.0, 5.0, 1.0, 3.0], 2);
/// assert_eq!((g[0].predicted, g[0].actual, g[1].predicted, g[1].actual), (1.5, 0.5, 3.5, 4.0));
/// ```
pub fn groups(predicted: &[f64], actual: &[f64], n_groups: usize) -> Vec<Group> {
    assert_eq!(predicted.len(), actual.len(), "one predicted and one actual value per customer");
    let n = predicted.len();
    let k = n_groups.min(n);
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&a, &b| predicted[a].total_cmp(&predicted[b]));
    (0..k)
        .map(|g| {
            let rows = &order[g * n / k..(g + 1) * n / k];
            let size = rows.len() as f64;
            let mean = |v: &[f64]| rows.iter().map(|&r| v[r]).sum::<f64>() / size;
            let (p, a) = (mean(predicted), mean(actual));
            let squares: f64 = rows.iter().map(|&r| (actual[r] - a).powi(2)).sum();
            let half = 1.96 * (squares / (size - 1.0).max(1.0) / size).sqrt();
            Group { predicted: p, actual: a, actual_interval: (size > 1.0).then_some(((a - half).max(0.0), a + half)) }
        })
        .collect()
}

/// Draws actual means as bars with their intervals and forecasts as discs, groups from the lowest forecast up.
pub fn calibration(groups: &[Group], frame: &Frame<'_>) -> String {
    if groups.is_empty() {
        return frame.empty();
    }
    let lang = frame.lang;
    let with_intervals = groups.iter().any(|g| g.actual_interval.is_some());
    let mut entries =
        vec![(Key::Dot("f1"), lang.pick("predicted", "预测")), (Key::Box("f3"), lang.pick("actual", "实际"))];
    if with_intervals {
        entries.push((Key::Whisker, lang.pick("interval of the actual mean", "实际均值的区间")));
    }
    let high = max_of(groups.iter().flat_map(|g| [g.predicted, g.actual, g.actual_interval.map_or(0.0, |i| i.1)]), 0.0);
    let axis = Axis::round(0.0, high, 5, |v| frame.short(v));
    let left = axis.room();
    let top = frame.head() + 50.0 + legend_extra(&entries, 0.0, frame.width);
    let area = Area { left, right: frame.width, top, bottom: top + 210.0 };
    let band = Band::new(groups.len(), (left, frame.width), 0.3);
    let mut svg = frame.begin(area.bottom + 42.0, &describe(groups, frame));
    legend(&mut svg, &entries, 0.0, frame.width, frame.head() + 8.0);
    let y = axis.draw_left(&mut svg, area, frame.y);
    for (i, g) in groups.iter().enumerate() {
        let tip = format!(
            "{}: {} {}, {} {}",
            i + 1,
            lang.pick("predicted", "预测"),
            frame.short(g.predicted),
            lang.pick("actual", "实际"),
            frame.short(g.actual)
        );
        if g.actual.is_finite() {
            let at = y.clamped(g.actual);
            svg.tag("rect").area(band.at(i), at, band.width, area.bottom - at).attr("rx", "1.5").class("f3").tip(&tip);
        }
        if let Some((lo, hi)) = g.actual_interval.filter(|i| i.0.is_finite() && i.1.is_finite()) {
            svg.whisker_y(
                band.at(i) + band.width * 0.72,
                y.clamped(lo),
                y.clamped(hi),
                (band.width * 0.16).min(4.0),
                "wh",
            );
        }
        if g.predicted.is_finite() {
            svg.circle(band.at(i) + band.width * 0.33, y.clamped(g.predicted), 4.5, "f1 halo");
        }
    }
    svg.line((area.left, area.bottom), (area.right, area.bottom), "ax");
    let names: Vec<String> = (1..=groups.len()).map(|i| i.to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    standing(&names, band.step(), true).draw(&mut svg, band, &names, area.bottom);
    name_below(&mut svg, area, 34.0, frame.x);
    svg.finish()
}

fn describe(groups: &[Group], frame: &Frame<'_>) -> String {
    let last = groups[groups.len() - 1];
    let errors: Vec<f64> = groups
        .iter()
        .filter(|g| g.actual.is_finite() && g.actual > 0.0 && g.predicted.is_finite())
        .map(|g| (g.predicted - g.actual).abs() / g.actual)
        .filter(|e| e.is_finite())
        .collect();
    let mape = percent(errors.iter().sum::<f64>() / errors.len().max(1) as f64);
    frame.lang.pick(
        format!(
            "{} groups of customers by forecast. In the highest group {} was predicted and {} happened, per customer; \
             on average a group is off by {mape}.",
            groups.len(),
            frame.short(last.predicted),
            frame.short(last.actual)
        ),
        format!(
            "按预测值分为 {} 组。最高一组人均预测 {}，实际 {}；各组平均偏差 {mape}。",
            groups.len(),
            frame.short(last.predicted),
            frame.short(last.actual)
        ),
    )
}
