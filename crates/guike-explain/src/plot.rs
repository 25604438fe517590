//! What charts share: the frame a caller passes in, the plot area, axes whose labels never touch, and the legend.

use serde::{Deserialize, Deserializer, Serialize};

use crate::scale::{Band, Linear, nice, ticks};
use crate::svg::Svg;
use crate::text::{Lang, Measure, fit, width};

/// Size of ordinary chart text, in units of the view box.
pub(crate) const TEXT: f64 = 12.0;
/// Size of tick labels.
pub(crate) const SMALL: f64 = 11.0;

/// A value with the ends of its interval.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Interval {
    /// The value itself (mean, estimate).
    #[serde(deserialize_with = "number_or_nan")]
    pub mid: f64,
    /// Lower end.
    #[serde(deserialize_with = "number_or_nan")]
    pub lo: f64,
    /// Upper end.
    #[serde(deserialize_with = "number_or_nan")]
    pub hi: f64,
}

/// A number; NaN, which JSON writes as null, where there is none.
fn number_or_nan<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or(f64::NAN))
}

impl Interval {
    pub(crate) fn is_finite(&self) -> bool {
        self.mid.is_finite() && self.lo.is_finite() && self.hi.is_finite()
    }
}

/// How a chart is to be labelled: language, names and units.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    /// Language of number formats and of the description.
    pub lang: Lang,
    /// Accessible name.
    pub title: &'a str,
    /// Whether the title is drawn too (a page usually has its own heading).
    pub title_shown: bool,
    /// Name of the horizontal axis with its unit.
    pub x: &'a str,
    /// Name of the vertical axis with its unit.
    pub y: &'a str,
    /// What the chart's values count.
    pub measure: Measure<'a>,
    /// Width of the view box, set by [`Frame::wide`].
    pub(crate) width: f64,
}

impl<'a> Frame<'a> {
    /// A frame of half-page width for plain numbers, without a drawn title.
    pub fn new(lang: Lang, title: &'a str, x: &'a str, y: &'a str) -> Frame<'a> {
        Frame { lang, title, title_shown: false, x, y, measure: Measure::Number, width: 480.0 }
    }

    /// The same frame for values that count something else.
    #[must_use]
    pub fn measuring(self, measure: Measure<'a>) -> Frame<'a> {
        Frame { measure, ..self }
    }

    /// The same frame with another width of the view box, in units of 1/12 of the text size: 480 (the default) fits half a
    /// page or a phone, 860 a full page. Held between 280 and 2000.
    #[must_use]
    pub fn wide(self, width: f64) -> Frame<'a> {
        Frame { width: if width.is_finite() { width.clamp(280.0, 2000.0) } else { self.width }, ..self }
    }

    pub(crate) fn short(&self, value: f64) -> String {
        self.measure.short(value, self.lang)
    }

    /// Height taken by a drawn title.
    pub(crate) fn head(&self) -> f64 {
        if self.title_shown { 26.0 } else { 0.0 }
    }

    /// Begins the picture and draws the title if asked.
    pub(crate) fn begin(&self, height: f64, desc: &str) -> Svg {
        let mut svg = Svg::new(self.width, height, self.lang, self.title, desc);
        if self.title_shown {
            svg.text(0.0, 15.0, "h", &fit(self.title, 14.0, self.width));
        }
        svg
    }

    /// A picture that says there is nothing to show.
    pub(crate) fn empty(&self) -> String {
        let words = self.lang.pick("no data to show", "没有可显示的数据");
        let mut svg = self.begin(self.head() + 60.0, words);
        svg.text(self.width / 2.0, self.head() + 34.0, "m c", words);
        svg.finish()
    }
}

/// The area between the axes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Area {
    pub(crate) left: f64,
    pub(crate) right: f64,
    pub(crate) top: f64,
    pub(crate) bottom: f64,
}

/// A linear axis with its tick labels.
#[derive(Debug, Clone)]
pub(crate) struct Axis {
    pub(crate) domain: (f64, f64),
    pub(crate) ticks: Vec<(f64, String)>,
}

impl Axis {
    /// An axis over `[lo, hi]` widened to round numbers.
    pub(crate) fn round(lo: f64, hi: f64, count: usize, label: impl Fn(f64) -> String) -> Axis {
        let hi = if hi > lo { hi } else { lo + 1.0 };
        let domain = nice(lo, hi, count);
        Axis { domain, ticks: ticks(domain.0, domain.1, count).into_iter().map(|t| (t, label(t))).collect() }
    }

    /// An axis over exactly `[lo, hi]`.
    pub(crate) fn exact(lo: f64, hi: f64, count: usize, label: impl Fn(f64) -> String) -> Axis {
        let scale = Linear::new((lo, hi), (0.0, 1.0));
        let (lo, hi) = scale.domain;
        Axis { domain: (lo, hi), ticks: ticks(lo, hi, count).into_iter().map(|t| (t, label(t))).collect() }
    }

    /// Room the labels need on the left of a vertical axis.
    pub(crate) fn room(&self) -> f64 {
        self.ticks.iter().map(|(_, t)| width(t, SMALL)).fold(0.0, f64::max) + 10.0
    }

    /// Draws it as a vertical axis with grid lines and its name above, and gives the scale.
    pub(crate) fn draw_left(&self, svg: &mut Svg, area: Area, name: &str) -> Linear {
        let scale = Linear::new(self.domain, (area.bottom, area.top));
        for (value, label) in &self.ticks {
            let y = scale.at(*value);
            svg.line((area.left, y), (area.right, y), "g");
            svg.text(area.left - 7.0, y + 4.0, "m s e", label);
        }
        svg.text(0.0, area.top - 14.0, "m s", &fit(name, SMALL, area.right));
        scale
    }

    /// Draws it as a horizontal axis with its name below, and gives the scale. Labels that would touch are left out.
    pub(crate) fn draw_bottom(&self, svg: &mut Svg, area: Area, name: &str) -> Linear {
        let scale = Linear::new(self.domain, (area.left, area.right));
        let labels: Vec<(f64, &str)> = self.ticks.iter().map(|(v, t)| (scale.at(*v), t.as_str())).collect();
        for &(x, _) in &labels {
            svg.line((x, area.top), (x, area.bottom), "g");
        }
        draw_spaced(svg, &labels, area.bottom + 16.0);
        name_below(svg, area, 34.0, name);
        scale
    }
}

/// The name of a horizontal axis, centred under it.
pub(crate) fn name_below(svg: &mut Svg, area: Area, down: f64, name: &str) {
    svg.text((area.left + area.right) / 2.0, area.bottom + down, "m s c", &fit(name, SMALL, area.right - area.left));
}

/// Centred labels at ascending places; one that would touch the label before it is left out.
pub(crate) fn draw_spaced(svg: &mut Svg, labels: &[(f64, &str)], y: f64) {
    let mut free_from = f64::NEG_INFINITY;
    for &(x, label) in labels {
        let half = width(label, SMALL) / 2.0;
        if x - half >= free_from {
            svg.text(x, y, "m s c", label);
            free_from = x + half + 6.0;
        }
    }
}

/// How labels of bands stand: side by side (every `skip`-th), or turned.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Standing {
    Level { skip: usize },
    Turned { room: f64 },
}

/// Decides how labels under bands stand. Labels in a running order (months, deciles) may be skipped; names may not.
///
/// The skip fits the label of median width: a single long one costs only its neighbours (see [`Standing::draw`]).
pub(crate) fn standing(labels: &[&str], step: f64, in_order: bool) -> Standing {
    let mut widths: Vec<f64> = labels.iter().map(|l| width(l, SMALL)).collect();
    widths.sort_by(f64::total_cmp);
    let (Some(&usual), Some(&widest)) = (widths.get(widths.len() / 2), widths.last()) else {
        return Standing::Level { skip: 1 };
    };
    if in_order {
        return Standing::Level { skip: ((usual + 4.0) / step).ceil().max(1.0) as usize };
    }
    if widest + 4.0 <= step { Standing::Level { skip: 1 } } else { Standing::Turned { room: widest.min(110.0) } }
}

impl Standing {
    /// Height the labels need.
    pub(crate) fn height(self) -> f64 {
        match self {
            Standing::Level { .. } => 20.0,
            // at 40 degrees
            Standing::Turned { room } => 14.0 + room * 0.643,
        }
    }

    /// Draws them under the bands. With a skip, the last label always stands.
    pub(crate) fn draw(self, svg: &mut Svg, band: Band, labels: &[&str], bottom: f64) {
        match self {
            Standing::Level { skip } => {
                // from the last label back: the last always stands, and what would touch its right neighbour gives way
                let (first, last) =
                    (band.centre(0) - band.step() / 2.0, band.centre(labels.len() - 1) + band.step() / 2.0);
                let mut free_to = f64::INFINITY;
                for (i, label) in labels.iter().enumerate().rev() {
                    let half = width(label, SMALL) / 2.0;
                    // the outermost labels stay within the picture
                    let x = band.centre(i).min(last + 4.0 - half).max(first + half - 20.0);
                    if (labels.len() - 1 - i).is_multiple_of(skip) && x + half <= free_to {
                        svg.text(x, bottom + 16.0, "m s c", label);
                        free_to = x - half - 4.0;
                    }
                }
            }
            Standing::Turned { room } => {
                for (i, label) in labels.iter().enumerate() {
                    let (x, y) = (band.centre(i) + 3.0, bottom + 13.0);
                    svg.tag("text")
                        .num("x", x)
                        .num("y", y)
                        .attr("transform", &format!("rotate(-40 {x:.1} {y:.1})"))
                        .class("m s e")
                        .text(&fit(label, SMALL, room));
                }
            }
        }
    }
}

/// A mark in a legend.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Key {
    Box(&'static str),
    Line(&'static str),
    Dot(&'static str),
    Whisker,
}

/// Draws a legend from the left at `y` (its middle), wrapping where it must; gives the height it took beyond one line.
pub(crate) fn legend(svg: &mut Svg, entries: &[(Key, &str)], x0: f64, x1: f64, y: f64) -> f64 {
    let (mut x, mut row) = (x0, 0.0);
    for (key, label) in entries {
        let wide = 20.0 + width(label, SMALL) + 16.0;
        if x > x0 && x + wide - 16.0 > x1 {
            x = x0;
            row += 17.0;
        }
        let yy = y + row;
        match key {
            Key::Box(class) => svg.rect(x, yy - 5.0, 12.0, 10.0, class),
            Key::Line(class) => svg.line((x, yy), (x + 14.0, yy), class),
            Key::Dot(class) => svg.circle(x + 7.0, yy, 4.0, class),
            Key::Whisker => svg.whisker_y(x + 7.0, yy - 6.0, yy + 6.0, 3.5, "wh"),
        }
        svg.text(x + 19.0, yy + 4.0, "m s", &fit(label, SMALL, x1 - x0 - 20.0));
        x += wide;
    }
    row
}

/// Height a legend takes beyond its first line.
pub(crate) fn legend_extra(entries: &[(Key, &str)], x0: f64, x1: f64) -> f64 {
    let mut scratch = Svg::new(1.0, 1.0, Lang::En, "", "");
    legend(&mut scratch, entries, x0, x1, 0.0)
}

/// The largest finite value, at least `floor`.
pub(crate) fn max_of(values: impl Iterator<Item = f64>, floor: f64) -> f64 {
    values.filter(|v| v.is_finite()).fold(floor, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn month_labels_are_skipped_and_names_are_turned() {
        let months = vec!["2024-01"; 24];
        assert_eq!(standing(&months, 18.0, true), Standing::Level { skip: 3 });
        assert_eq!(standing(&["01", "02", "03", "all of the next year"], 30.0, true), Standing::Level { skip: 1 });
        assert!(matches!(standing(&["a long category name"; 5], 60.0, false), Standing::Turned { .. }));
        assert_eq!(standing(&["1", "2"], 40.0, false), Standing::Level { skip: 1 });
    }

    #[test]
    fn a_legend_too_long_for_its_line_wraps() {
        let entries = [(Key::Whisker, "a first entry of some length"), (Key::Whisker, "a second entry of some length")];
        assert_eq!(legend_extra(&entries, 0.0, 500.0), 0.0);
        assert_eq!(legend_extra(&entries, 0.0, 250.0), 17.0);
    }
}
