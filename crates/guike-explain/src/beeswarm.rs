//! A beeswarm: what each feature adds to many predictions, one dot per prediction, dark where the feature's value is high.
//!
//! Bars of importance say how much a feature matters; a swarm says in which direction and for how many. Dots that would
//! cover each other are stacked, so that the width of a swarm is its density. At most [`MOST_DOTS`] per feature are drawn.

use crate::plot::{Area, Axis, Frame, SMALL, TEXT};
use crate::svg::Path;
use crate::text::{fit, width};
use crate::theme::STEPS;

/// More dots per feature cannot be told apart in a row of this height.
pub const MOST_DOTS: usize = 300;
/// Height of a feature's row.
const ROW: f64 = 38.0;
/// Diameter of a dot.
const DOT: f64 = 4.4;
/// The palest step of the ramp that stands out from the paper.
const FIRST_STEP: usize = 2;

/// One feature's swarm.
#[derive(Debug, Clone, PartialEq)]
pub struct Swarm {
    /// Name of the feature.
    pub name: String,
    /// What it adds to each prediction.
    pub effects: Vec<f64>,
    /// Its value in each prediction, for the shade: any scale, compared within the feature; NaN where it has none or no
    /// order.
    pub values: Vec<f64>,
}

/// Draws the features in the order given, the first on top. Effects that are not finite are left out.
///
/// # Panics
/// When a feature has not one value per effect.
pub fn beeswarm(features: &[Swarm], frame: &Frame<'_>) -> String {
    let shown: Vec<(&str, Vec<Dot>)> = features.iter().map(|f| (f.name.as_str(), dots(f))).collect();
    let all = || shown.iter().flat_map(|f| f.1.iter().map(|d| d.effect));
    if all().next().is_none() {
        return frame.empty();
    }
    let (lo, hi) = (all().fold(0.0, f64::min), all().fold(0.0, f64::max));
    let axis = Axis::round(lo, hi, 5, |v| frame.short(v));
    let names = (features.iter().map(|f| width(&f.name, TEXT)).fold(40.0, f64::max) + 14.0).min(frame.width * 0.36);
    let top = frame.head() + 8.0;
    let bottom = top + ROW * shown.len() as f64;
    let area = Area { left: names, right: frame.width - 12.0, top, bottom };
    let mut svg = frame.begin(bottom + 66.0, &describe(frame, &shown));
    let x = axis.draw_bottom(&mut svg, area, frame.x);
    svg.line((x.at(0.0), top), (x.at(0.0), bottom), "ax");
    for (i, (name, dots)) in shown.iter().enumerate() {
        let middle = top + ROW * (i as f64 + 0.5);
        svg.text(names - 10.0, middle + 4.0, "e", &fit(name, TEXT, names - 12.0));
        let mut paths: Vec<Path> = (0..=STEPS).map(|_| Path::default()).collect();
        let mut used = [false; STEPS + 1];
        for (dot, down) in dots.iter().zip(stacked(dots, |v| x.clamped(v))) {
            let class = dot.level.map_or(STEPS, step_of);
            used[class] = true;
            paths[class].dot(x.clamped(dot.effect), middle + down);
        }
        svg.tag("g").class("dots").num("stroke-width", DOT).begin();
        for (class, path) in paths.iter().enumerate().filter(|(c, _)| used[*c]) {
            svg.path(path, CLASSES[class]);
        }
        svg.end();
    }
    draw_key(&mut svg, frame, area);
    svg.finish()
}

/// A dot to draw.
struct Dot {
    effect: f64,
    /// Rank of the value within the feature, from 0 to 1.
    level: Option<f64>,
}

const CLASSES: [&str; STEPS + 1] = ["q0", "q1", "q2", "q3", "q4", "q5", "q6", "q7", "q8", "none"];

fn step_of(level: f64) -> usize {
    FIRST_STEP + (level * (STEPS - 1 - FIRST_STEP) as f64).round() as usize
}

/// At most [`MOST_DOTS`] dots, evenly by position, shaded by rank.
fn dots(f: &Swarm) -> Vec<Dot> {
    assert_eq!(f.effects.len(), f.values.len(), "one value per effect");
    let mut sorted: Vec<f64> = f.values.iter().copied().filter(|v| v.is_finite()).collect();
    sorted.sort_by(f64::total_cmp);
    // the middle of its equals, so that a feature with two values has two clear shades
    let level = |v: f64| {
        let (below, upto) = (sorted.partition_point(|s| *s < v), sorted.partition_point(|s| *s <= v));
        match (sorted.first(), sorted.last()) {
            (Some(a), Some(b)) if v.is_finite() && a < b => Some(if v == *a {
                0.0
            } else if v == *b {
                1.0
            } else {
                (below + upto) as f64 / (2 * sorted.len()) as f64
            }),
            _ => None,
        }
    };
    let finite: Vec<usize> = (0..f.effects.len()).filter(|&i| f.effects[i].is_finite()).collect();
    let n = finite.len().min(MOST_DOTS);
    (0..n)
        .map(|k| finite[k * finite.len() / n])
        .map(|i| Dot { effect: f.effects[i], level: level(f.values[i]) })
        .collect()
}

/// How far from the middle of the row each dot stands: dots in one slot of the axis are stacked up and down in turn, and
/// stacks higher than the row are pressed together.
fn stacked(dots: &[Dot], place: impl Fn(f64) -> f64) -> Vec<f64> {
    let slot = |d: &Dot| (place(d.effect) / DOT).round() as i64;
    let mut count = std::collections::BTreeMap::new();
    let turns: Vec<u32> = dots
        .iter()
        .map(|d| {
            let n = count.entry(slot(d)).or_insert(0_u32);
            *n += 1;
            *n
        })
        .collect();
    let highest = count.values().copied().max().unwrap_or(1);
    let pitch = ((ROW - DOT - 4.0) / f64::from(highest.max(2) - 1)).min(DOT * 0.8);
    turns
        .into_iter()
        .map(|turn| {
            let side = if turn.is_multiple_of(2) { 1.0 } else { -1.0 };
            side * f64::from(turn / 2) * pitch
        })
        .collect()
}

fn draw_key(svg: &mut crate::svg::Svg, frame: &Frame<'_>, area: Area) {
    let y = area.bottom + 55.0;
    let (name, low, high) = frame.lang.pick(("value of the feature", "low", "high"), ("特征取值", "低", "高"));
    let mut x = area.left;
    for (text, class) in [(name, "m s b"), (low, "m s")] {
        svg.text(x, y + 4.0, class, text);
        // bold type is wider than the estimate
        x += width(text, SMALL) * 1.15 + 12.0;
    }
    for class in &CLASSES[FIRST_STEP..STEPS] {
        let mut dot = Path::default();
        dot.dot(x, y);
        svg.tag("g").class("dots").num("stroke-width", 8.0).begin();
        svg.path(&dot, class);
        svg.end();
        x += 11.0;
    }
    svg.text(x + 1.0, y + 4.0, "m s", high);
}

fn describe(frame: &Frame<'_>, shown: &[(&str, Vec<Dot>)]) -> String {
    let spread = |dots: &[Dot]| {
        let (lo, hi) =
            dots.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), d| (a.min(d.effect), b.max(d.effect)));
        format!("{} … {}", frame.short(lo), frame.short(hi))
    };
    let first: Vec<String> = shown
        .iter()
        .filter(|f| !f.1.is_empty())
        .take(3)
        .map(|(name, dots)| format!("{name} ({})", spread(dots)))
        .collect();
    let list = first.join(frame.lang.pick(", ", "、"));
    let most = shown.iter().map(|f| f.1.len()).max().unwrap_or(0);
    frame.lang.pick(
        format!("What {} features add to {most} predictions; the first ones: {list}.", shown.len()),
        format!("{} 个特征对 {most} 个预测的影响；居前的是：{list}。", shown.len()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Lang;

    fn swarm(n: usize) -> Swarm {
        let effects = (0..n).map(|i| ((i * 37 % 101) as f64 - 50.0) / 10.0).collect();
        Swarm { name: "recency".into(), effects, values: (0..n).map(|i| (i % 10) as f64).collect() }
    }

    #[test]
    fn a_swarm_of_a_million_is_as_small_as_one_of_three_hundred() {
        let frame = Frame::new(Lang::En, "t", "x", "");
        let svg = beeswarm(&[swarm(1_000_000)], &frame);
        assert_eq!(svg.matches("h0").count(), MOST_DOTS + STEPS - FIRST_STEP);
    }

    #[test]
    fn dots_of_one_slot_are_stacked_within_the_row() {
        let dots: Vec<Dot> = (0..200).map(|_| Dot { effect: 1.0, level: None }).collect();
        let down = stacked(&dots, |v| v);
        assert!(down.iter().all(|d| d.abs() <= ROW / 2.0 - DOT / 2.0), "{down:?}");
        let mut apart = down.clone();
        apart.sort_by(f64::total_cmp);
        apart.dedup();
        assert_eq!(apart.len(), 200);
    }

    #[test]
    fn two_values_get_the_two_ends_of_the_ramp_and_none_is_grey() {
        let f = Swarm { name: "f".into(), effects: vec![1.0; 4], values: vec![0.0, 7.0, 0.0, f64::NAN] };
        let levels: Vec<Option<f64>> = dots(&f).into_iter().map(|d| d.level).collect();
        assert_eq!(levels, [Some(0.0), Some(1.0), Some(0.0), None]);
    }
}
