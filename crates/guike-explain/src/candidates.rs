//! Candidates side by side: one row per model with its score, the interval of the score, and the chosen one marked.

use crate::plot::{Area, Axis, Frame, Interval, TEXT};
use crate::text::{fit, width};

/// A model that was tried.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// Name.
    pub name: String,
    /// Score with its interval.
    pub score: Interval,
    /// Whether it is only a yardstick.
    pub baseline: bool,
    /// Whether it was chosen.
    pub chosen: bool,
}

/// Draws the candidates in the order given (best first reads best); `decimals` digits are printed.
///
/// Scores far outside the range of the others are drawn as an arrow at the edge; their number is printed like all others.
pub fn candidates(candidates: &[Candidate], decimals: usize, frame: &Frame<'_>) -> String {
    const ROW: f64 = 28.0;
    let shown: Vec<&Candidate> = candidates.iter().filter(|c| c.score.mid.is_finite()).collect();
    if shown.is_empty() {
        return frame.empty();
    }
    let (lo, hi) = domain(&shown);
    let axis = Axis::round(lo, hi, 4, |v| trim(v, decimals));
    let names = (shown.iter().map(|c| width(&c.name, TEXT) * 1.06).fold(40.0, f64::max) + 14.0).min(frame.width * 0.43);
    let value_room = shown.iter().map(|c| width(&trim(c.score.mid, decimals), TEXT)).fold(24.0, f64::max) * 1.06 + 14.0;
    let top = frame.head() + 12.0;
    let area = Area { left: names, right: frame.width - value_room - 8.0, top, bottom: top + ROW * shown.len() as f64 };
    let mut svg = frame.begin(area.bottom + 42.0, &describe(&shown, decimals, frame));
    // the row behind the chosen one, under everything else
    for (i, _) in shown.iter().enumerate().filter(|(_, c)| c.chosen) {
        svg.tag("rect")
            .area(0.0, top + ROW * i as f64 + 1.0, frame.width, ROW - 2.0)
            .attr("rx", "4")
            .class("f1 veil")
            .close();
    }
    let x = axis.draw_bottom(&mut svg, area, frame.x);
    for (i, c) in shown.iter().enumerate() {
        let y = top + ROW * (i as f64 + 0.5);
        let weight = if c.chosen { "b" } else { "" };
        svg.text(8.0, y + 4.0, weight, &fit(&c.name, TEXT, names - 12.0));
        svg.text(frame.width - 8.0, y + 4.0, &format!("e {weight}"), &trim(c.score.mid, decimals));
        if c.score.mid < axis.domain.0 || c.score.mid > axis.domain.1 {
            arrow(
                &mut svg,
                if c.score.mid < axis.domain.0 { (area.left + 8.0, -1.0) } else { (area.right - 8.0, 1.0) },
                y,
            );
            continue;
        }
        if c.score.is_finite() && c.score.hi > c.score.lo {
            svg.whisker_x(y, x.clamped(c.score.lo), x.clamped(c.score.hi), "wh");
        }
        let class = match (c.chosen, c.baseline) {
            (true, _) => "f1 halo",
            (false, true) => "ring",
            (false, false) => "f3",
        };
        svg.circle(x.at(c.score.mid), y, if c.chosen { 6.0 } else { 4.5 }, class);
    }
    svg.finish()
}

/// An arrow head at the edge: the score lies beyond.
fn arrow(svg: &mut crate::svg::Svg, (x, direction): (f64, f64), y: f64) {
    let p = crate::svg::Path::through([(x - 5.0 * direction, y - 5.0), (x, y), (x - 5.0 * direction, y + 5.0)]);
    svg.path(&p, "wh");
}

/// The range to draw: all intervals, unless some scores lie so far off that the others would melt together.
fn domain(shown: &[&Candidate]) -> (f64, f64) {
    let mut mids: Vec<f64> = shown.iter().map(|c| c.score.mid).collect();
    mids.sort_by(f64::total_cmp);
    let (q1, median, q3) = (mids[mids.len() / 4], mids[mids.len() / 2], mids[(mids.len() * 3 / 4).min(mids.len() - 1)]);
    let reach = ((q3 - q1) * 6.0).max(median.abs() * 0.05).max(1e-9);
    let near = |v: &f64| v.is_finite() && (*v - median).abs() <= reach;
    let ends = || {
        shown.iter().filter(|c| near(&c.score.mid) || c.chosen).flat_map(|c| {
            let lo = if c.score.lo.is_finite() { c.score.lo.max(median - 2.0 * reach) } else { c.score.mid };
            let hi = if c.score.hi.is_finite() { c.score.hi.min(median + 2.0 * reach) } else { c.score.mid };
            [lo.min(c.score.mid), hi.max(c.score.mid)]
        })
    };
    let (lo, hi) = (ends().fold(f64::INFINITY, f64::min), ends().fold(f64::NEG_INFINITY, f64::max));
    let pad = (hi - lo).max(1e-9) * 0.04;
    (lo - pad, hi + pad)
}

fn trim(value: f64, decimals: usize) -> String {
    crate::text::grouped(value, decimals)
}

fn describe(shown: &[&Candidate], decimals: usize, frame: &Frame<'_>) -> String {
    let lang = frame.lang;
    let one = |c: &Candidate| {
        let s = c.score;
        let interval = if s.is_finite() && s.hi > s.lo {
            format!(" ({} – {})", trim(s.lo, decimals), trim(s.hi, decimals))
        } else {
            String::new()
        };
        let chosen = if c.chosen { lang.pick(", chosen", "，入选") } else { "" };
        format!("{} {}{interval}{chosen}", c.name, trim(s.mid, decimals))
    };
    let list = shown.iter().map(|c| one(c)).collect::<Vec<_>>().join(lang.pick("; ", "；"));
    format!("{}{}{list}{}", frame.x, lang.pick(": ", "："), lang.pick(".", "。"))
}
