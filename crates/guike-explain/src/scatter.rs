//! Predicted against actual for any number of customers: a density of hexagonal bins on logarithmic axes.
//!
//! A million discs would be a black cloud and a large file; bins keep both small. Zeros, which a logarithm cannot show and
//! which most customers are, get a strip of their own beside each axis.

use std::collections::BTreeMap;

use crate::plot::{Area, Frame, SMALL, draw_spaced, name_below};
use crate::scale::Log;
use crate::svg::{Path, Svg};
use crate::text::{compact, count, fit, percent, width};
use crate::theme::STEPS;

/// Distance of neighbouring bins on the page.
const PITCH: f64 = 9.0;
/// Thickness of the strip for zeros.
const STRIP: f64 = 16.0;

/// Draws predicted (horizontal) against actual (vertical) values, one pair per customer, in the same unit.
///
/// Values are the measure's; pairs with a value that is negative or undefined are left out.
///
/// # Panics
/// When the slices differ in length.
pub fn scatter(predicted: &[f64], actual: &[f64], frame: &Frame<'_>) -> String {
    assert_eq!(predicted.len(), actual.len(), "one predicted and one actual value per customer");
    let pairs = || predicted.iter().copied().zip(actual.iter().copied()).filter(|(p, a)| valid(*p) && valid(*a));
    let n = pairs().count();
    let Some(domain) = shared_domain(pairs()) else { return frame.empty() };

    let scale = Log::new(domain, (0.0, 1.0));
    let ticks: Vec<(f64, String)> = scale.ticks().into_iter().map(|t| (t, frame.short(t))).collect();
    let left = ticks.iter().map(|(_, t)| width(t, SMALL)).fold(12.0, f64::max) + 10.0;
    let zero_predicted = pairs().any(|(p, _)| p == 0.0);
    let zero_actual = pairs().any(|(_, a)| a == 0.0);
    let top = frame.head() + 24.0;
    let side = frame.width - left - 10.0;
    let area = Area { left, right: frame.width - 10.0, top, bottom: top + side * 0.72 };
    // the plane inside the strips
    let plane = Area {
        left: area.left + if zero_predicted { STRIP + 6.0 } else { PITCH },
        right: area.right - PITCH,
        top: area.top + PITCH,
        bottom: area.bottom - if zero_actual { STRIP + 6.0 } else { PITCH },
    };
    let x = Log::new(domain, (plane.left, plane.right));
    let y = Log::new(domain, (plane.bottom, plane.top));

    let mut svg = frame.begin(area.bottom + 68.0, &describe(frame, n, predicted, actual));
    draw_axes(&mut svg, frame, area, plane, &ticks, (x, y));
    if zero_actual {
        svg.text(area.left - 7.0, area.bottom - STRIP / 2.0 + 2.0, "m s e", "0");
        svg.line((area.left, plane.bottom + 5.0), (area.right, plane.bottom + 5.0), "ax");
    }
    if zero_predicted {
        svg.text(area.left + STRIP / 2.0, area.bottom + 16.0, "m s c", "0");
        svg.line((plane.left - 5.0, area.top), (plane.left - 5.0, area.bottom), "ax");
    }
    let place = |p: f64, a: f64| {
        let px = if p == 0.0 { area.left + STRIP / 2.0 } else { x.at(p) };
        let py = if a == 0.0 { area.bottom - STRIP / 2.0 - 1.0 } else { y.at(a) };
        (px, py)
    };
    let bins = bin(pairs(), place, &area, zero_actual);
    let most = draw_bins(&mut svg, &bins);
    svg.line((plane.left, plane.bottom), (plane.right, plane.top), "dash");
    draw_key(&mut svg, frame, area, most);
    svg.finish()
}

fn valid(v: f64) -> bool {
    v.is_finite() && v >= 0.0
}

/// One domain for both axes, so that equal values lie on the diagonal: from the 1st percentile of positive values (at
/// most six decades below the top) to the largest. `None` without a positive value.
fn shared_domain(pairs: impl Iterator<Item = (f64, f64)>) -> Option<(f64, f64)> {
    let mut positive: Vec<f64> = pairs.flat_map(|(p, a)| [p, a]).filter(|&v| v > 1e-300).collect();
    if positive.is_empty() {
        return None;
    }
    let low_rank = positive.len() / 100;
    let (_, low, _) = positive.select_nth_unstable_by(low_rank, f64::total_cmp);
    let low = *low;
    let high = positive.iter().copied().fold(0.0, f64::max);
    Some((low.max(high / 1e6), high * 1.05))
}

/// Customers per place of a hexagonal lattice; places in tenths of a unit, in reading order.
fn bin(
    pairs: impl Iterator<Item = (f64, f64)>,
    place: impl Fn(f64, f64) -> (f64, f64),
    area: &Area,
    zero_actual: bool,
) -> BTreeMap<(i32, i32), u64> {
    let row_height = PITCH * 3f64.sqrt() / 2.0;
    let strip_y = area.bottom - STRIP / 2.0 - 1.0;
    let strip_x = area.left + STRIP / 2.0;
    let mut bins = BTreeMap::new();
    for (p, a) in pairs {
        let (px, py) = place(p, a);
        let snap = |v: f64, from: f64, pitch: f64| from + ((v - from) / pitch).round() * pitch;
        let at = if a == 0.0 && zero_actual {
            (if p == 0.0 { strip_x } else { snap(px, area.left, PITCH) }, strip_y)
        } else if p == 0.0 {
            (strip_x, snap(py, area.top, PITCH))
        } else {
            hexagon(px - area.left, py - area.top, PITCH, row_height, (area.left, area.top))
        };
        *bins.entry(((at.1 * 10.0).round() as i32, (at.0 * 10.0).round() as i32)).or_insert(0) += 1;
    }
    bins
}

/// The nearest centre of a lattice whose odd rows are shifted by half a pitch.
fn hexagon(x: f64, y: f64, pitch: f64, row_height: f64, origin: (f64, f64)) -> (f64, f64) {
    let nearest_in_row = |row: f64| {
        let shift = if row.rem_euclid(2.0) == 1.0 { pitch / 2.0 } else { 0.0 };
        let cx = ((x - shift) / pitch).round() * pitch + shift;
        let cy = row * row_height;
        (cx, cy, (cx - x).powi(2) + (cy - y).powi(2))
    };
    let below = nearest_in_row((y / row_height).floor());
    let above = nearest_in_row((y / row_height).floor() + 1.0);
    let (cx, cy, _) = if below.2 <= above.2 { below } else { above };
    (cx + origin.0, cy + origin.1)
}

/// Draws the bins in steps of the ramp, logarithmic in the count, and gives the largest count.
fn draw_bins(svg: &mut Svg, bins: &BTreeMap<(i32, i32), u64>) -> u64 {
    let most = bins.values().copied().max().unwrap_or(1);
    let mut paths: Vec<Path> = (0..STEPS).map(|_| Path::default()).collect();
    let mut used = [false; STEPS];
    for (&(y, x), &n) in bins {
        let step = step_of(n, most);
        used[step] = true;
        paths[step].dot(f64::from(x) / 10.0, f64::from(y) / 10.0);
    }
    svg.tag("g").class("dots").num("stroke-width", PITCH - 1.0).begin();
    for (step, path) in paths.iter().enumerate().filter(|(s, _)| used[*s]) {
        svg.path(path, CLASSES[step]);
    }
    svg.end();
    most
}

const CLASSES: [&str; STEPS] = ["q0", "q1", "q2", "q3", "q4", "q5", "q6", "q7", "q8"];
/// The palest step that still stands out from the paper.
const FIRST_STEP: usize = 2;

fn step_of(n: u64, most: u64) -> usize {
    let share = if most > 1 { (n as f64).ln() / (most as f64).ln() } else { 0.5 };
    FIRST_STEP + (share * (STEPS - 1 - FIRST_STEP) as f64).round() as usize
}

fn draw_axes(svg: &mut Svg, frame: &Frame<'_>, area: Area, plane: Area, ticks: &[(f64, String)], scales: (Log, Log)) {
    let (x, y) = scales;
    for (value, label) in ticks {
        let at = y.at(*value);
        svg.line((area.left, at), (area.right, at), "g");
        svg.text(area.left - 7.0, at + 4.0, "m s e", label);
        let at = x.at(*value);
        svg.line((at, area.top), (at, area.bottom), "g");
    }
    let labels: Vec<(f64, &str)> =
        ticks.iter().map(|(v, t)| (x.at(*v), t.as_str())).filter(|(at, _)| *at > plane.left + 4.0).collect();
    draw_spaced(svg, &labels, area.bottom + 16.0);
    svg.text(0.0, area.top - 11.0, "m s", &fit(frame.y, SMALL, area.right));
    name_below(svg, area, 34.0, frame.x);
    svg.line((area.left, area.bottom), (area.right, area.bottom), "ax");
    svg.line((area.left, area.top), (area.left, area.bottom), "ax");
}

/// What the shades mean: customers per disc.
fn draw_key(svg: &mut Svg, frame: &Frame<'_>, area: Area, most: u64) {
    let y = area.bottom + 55.0;
    let name = frame.lang.pick("customers per dot", "每点顾客数");
    svg.text(area.left, y + 4.0, "m s", name);
    let mut at = area.left + width(name, SMALL) + 16.0;
    let middle = (most as f64).sqrt().round() as u64;
    let mut shown = vec![1, middle, most];
    shown.dedup();
    for n in shown {
        let mut dot = Path::default();
        dot.dot(at, y);
        svg.tag("g").class("dots").num("stroke-width", PITCH - 1.0).begin();
        svg.path(&dot, CLASSES[step_of(n, most)]);
        svg.end();
        let label = compact(n as f64, frame.lang);
        svg.text(at + 9.0, y + 4.0, "m s", &label);
        at += 9.0 + width(&label, SMALL) + 18.0;
    }
    let equal = frame.lang.pick("forecast = actual", "预测 = 实际");
    let x = area.right - width(equal, SMALL) - 22.0;
    if x > at {
        svg.line((x, y), (x + 16.0, y), "dash");
        svg.text(x + 21.0, y + 4.0, "m s", equal);
    }
}

fn describe(frame: &Frame<'_>, n: usize, predicted: &[f64], actual: &[f64]) -> String {
    let sum = |v: &[f64]| v.iter().copied().filter(|v| valid(*v)).sum::<f64>();
    let none = actual.iter().filter(|&&a| a == 0.0).count() as f64 / n.max(1) as f64;
    let n = count(n as u64);
    let (p, a) = (frame.short(sum(predicted)), frame.short(sum(actual)));
    frame.lang.pick(
        format!("Forecast against actual for {n} customers: {p} predicted and {a} actual in total; {} had an actual value of zero.", percent(none)),
        format!("{n} 位顾客的预测值与实际值：合计预测 {p}，实际 {a}；{} 的顾客实际为零。", percent(none)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Lang;

    #[test]
    fn a_million_customers_make_a_small_picture() {
        let n = 1_000_000;
        let at = |i: usize, k: u64| ((i as u64).wrapping_mul(k) % 10_007) as f64;
        let predicted: Vec<f64> = (0..n).map(|i| (at(i, 7_919) / 1000.0).exp()).collect();
        let actual: Vec<f64> = (0..n).map(|i| if i % 3 == 0 { 0.0 } else { (at(i, 104_729) / 1000.0).exp() }).collect();
        let svg = scatter(&predicted, &actual, &Frame::new(Lang::En, "t", "x", "y"));
        assert!(svg.len() < 40_000, "{} bytes", svg.len());
    }

    #[test]
    fn every_customer_is_in_one_bin() {
        let area = Area { left: 10.0, right: 300.0, top: 10.0, bottom: 300.0 };
        let pairs: Vec<(f64, f64)> = (0..500).map(|i| (f64::from(i % 17), f64::from(i % 23))).collect();
        let bins = bin(pairs.iter().copied(), |p, a| (20.0 + p * 10.0, 200.0 - a * 5.0), &area, true);
        assert_eq!(bins.values().sum::<u64>(), 500);
    }
}
