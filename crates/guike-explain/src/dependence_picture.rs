//! A dependence as a picture: what the model predicts as one feature changes and everything else stays.
//!
//! The thick line is the average over the rows (partial dependence, Friedman 2001), each thin line is one row (individual
//! conditional expectation, Goldstein et al. 2015). Where thin lines cross or part, the average hides an interaction. Marks
//! under the axis show where the rows are: between far marks the line is the model's guess.

use crate::plot::{Area, Axis, Frame, Key, SMALL, legend, legend_extra, standing};
use crate::scale::{Band, Linear};
use crate::svg::{Path, Svg};
use crate::text::compact;

/// More thin lines make a surface.
const MOST_LINES: usize = 40;

/// Where the feature was set to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Places<'a> {
    /// Ascending numbers.
    Numbers(&'a [f64]),
    /// Names of categories.
    Names(&'a [String]),
}

/// What the model predicts at each place.
#[derive(Debug, Clone, Copy)]
pub struct Curves<'a> {
    /// k places.
    pub places: Places<'a>,
    /// k averages.
    pub mean: &'a [f64],
    /// Rows × k predictions; at most 40 rows are drawn.
    pub rows: &'a [Vec<f64>],
    /// Where the data lie: values of the feature, for the marks under the axis; empty for categories.
    pub data: &'a [f64],
}

/// Draws the average and the rows. Places whose average is not finite are left out.
///
/// # Panics
/// When places, averages and rows differ in length.
pub fn curves(d: &Curves<'_>, frame: &Frame<'_>) -> String {
    let k = match d.places {
        Places::Numbers(v) => v.len(),
        Places::Names(v) => v.len(),
    };
    assert!(d.mean.len() == k && d.rows.iter().all(|r| r.len() == k), "one prediction per place");
    let usable = |i: &usize| {
        d.mean[*i].is_finite()
            && match d.places {
                Places::Numbers(v) => v[*i].is_finite(),
                Places::Names(_) => true,
            }
    };
    let kept: Vec<usize> = (0..k).filter(usable).collect();
    if kept.is_empty() {
        return frame.empty();
    }
    let n = d.rows.len().min(MOST_LINES);
    let lines: Vec<&Vec<f64>> = (0..n).map(|i| &d.rows[i * d.rows.len() / n]).collect();
    let entries = [
        (Key::Line("l1"), frame.lang.pick("average", "平均")),
        (Key::Line("thin"), frame.lang.pick("single rows", "单行")),
    ];
    let entries = if lines.is_empty() { &entries[..1] } else { &entries[..] };
    let all =
        || kept.iter().flat_map(|&i| lines.iter().map(move |l| l[i]).chain([d.mean[i]])).filter(|v| v.is_finite());
    let (lo, hi) = (all().fold(f64::INFINITY, f64::min), all().fold(f64::NEG_INFINITY, f64::max));
    let y_axis = Axis::round(lo, hi, 5, |v| frame.short(v));
    let extra = legend_extra(entries, 0.0, frame.width);
    let top = frame.head() + 49.0 + extra;
    let area = Area { left: y_axis.room(), right: frame.width - 14.0, top, bottom: top + frame.width * 0.5 };
    let names: Vec<&str> = match d.places {
        Places::Numbers(_) => Vec::new(),
        Places::Names(v) => kept.iter().map(|&i| v[i].as_str()).collect(),
    };
    let band = Band::new(names.len(), (area.left, area.right), 0.3);
    let stands = standing(&names, band.step(), false);
    let below = if names.is_empty() { 42.0 } else { stands.height() + 22.0 };
    let mut svg = frame.begin(area.bottom + below, &describe(d, &kept, frame));
    legend(&mut svg, entries, 0.0, frame.width, frame.head() + 8.0);
    let y = y_axis.draw_left(&mut svg, area, frame.y);
    match d.places {
        Places::Numbers(places) => {
            let (first, last) = (places[kept[0]], places[kept[kept.len() - 1]]);
            let axis = Axis::exact(first, last, 6, |v| compact(v, frame.lang));
            let x = axis.draw_bottom(&mut svg, area, frame.x);
            draw_data(&mut svg, d.data, x, area);
            let through = |values: &[f64]| {
                let points = kept.iter().filter(|&&i| values[i].is_finite());
                Path::through(points.map(|&i| (x.clamped(places[i]), y.clamped(values[i]))))
            };
            lines.iter().for_each(|l| svg.path(&through(l), "thin"));
            svg.path(&through(d.mean), "l1");
        }
        Places::Names(_) => {
            stands.draw(&mut svg, band, &names, area.bottom);
            let down = stands.height() + 14.0;
            svg.text(
                (area.left + area.right) / 2.0,
                area.bottom + down,
                "m s c",
                &crate::text::fit(frame.x, SMALL, area.right - area.left),
            );
            for (b, &i) in kept.iter().enumerate() {
                let at = band.centre(b);
                let mut path = Path::default();
                for l in lines.iter().filter(|l| l[i].is_finite()) {
                    path.move_to(at - 7.0, y.clamped(l[i]));
                    path.line_to(at + 7.0, y.clamped(l[i]));
                }
                svg.path(&path, "thin");
                svg.circle(at, y.clamped(d.mean[i]), 4.5, "f1");
            }
        }
    }
    svg.finish()
}

/// Where the rows are: one mark for every twentieth of them.
fn draw_data(svg: &mut Svg, data: &[f64], x: Linear, area: Area) {
    let mut sorted: Vec<f64> = data.iter().copied().filter(|v| v.is_finite()).collect();
    if sorted.is_empty() {
        return;
    }
    sorted.sort_by(f64::total_cmp);
    let mut marks = Path::default();
    for k in 0..=20 {
        let at = x.clamped(sorted[k * (sorted.len() - 1) / 20]);
        marks.move_to(at, area.bottom);
        marks.line_to(at, area.bottom - 6.0);
    }
    svg.path(&marks, "dash solid");
}

fn describe(d: &Curves<'_>, kept: &[usize], frame: &Frame<'_>) -> String {
    let by = |i: &usize, j: &usize| d.mean[*i].total_cmp(&d.mean[*j]);
    let place = |i: usize| match d.places {
        Places::Numbers(v) => compact(v[i], frame.lang),
        Places::Names(v) => v[i].clone(),
    };
    let say = |i: Option<usize>| i.map_or(String::new(), |i| format!("{} ({})", frame.short(d.mean[i]), place(i)));
    let (least, most) =
        (say(kept.iter().copied().min_by(|a, b| by(a, b))), say(kept.iter().copied().max_by(|a, b| by(a, b))));
    let name = frame.x;
    frame.lang.pick(
        format!("Average prediction as {name} changes: lowest {least}, highest {most}."),
        format!("平均预测随{name}变化：最低 {least}，最高 {most}。"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Lang;

    #[test]
    fn the_average_and_at_most_forty_rows_are_drawn() {
        let places = [0.0, 1.0, 2.0];
        let rows: Vec<Vec<f64>> = (0..500).map(|i| vec![f64::from(i), f64::from(i + 1), f64::from(2 * i)]).collect();
        let d = Curves { places: Places::Numbers(&places), mean: &[1.0, 2.0, 3.0], rows: &rows, data: &places };
        let svg = curves(&d, &Frame::new(Lang::En, "t", "age", "spend"));
        assert_eq!(svg.matches("class=\"thin\"").count(), MOST_LINES + 1, "the lines and the legend's");
        assert!(svg.contains("<desc>Average prediction as age changes: lowest 1 (0), highest 3 (2).</desc>"), "{svg}");
    }

    #[test]
    fn categories_stand_side_by_side_with_their_names() {
        let names = ["red".to_owned(), "blue".to_owned()];
        let d = Curves { places: Places::Names(&names), mean: &[1.0, 2.0], rows: &[vec![0.0, 3.0]], data: &[] };
        let svg = curves(&d, &Frame::new(Lang::En, "t", "colour", "spend"));
        assert!(svg.contains(">red</text>") && svg.contains(">blue</text>"));
    }
}
