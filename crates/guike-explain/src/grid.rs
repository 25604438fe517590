//! A coloured grid with words in its cells: the core of every heat map.

use crate::plot::{Area, Frame, SMALL, name_below};
use crate::text::{fit, width};
use crate::theme::ramp_class;

/// One cell.
#[derive(Debug, Clone)]
pub(crate) struct Cell {
    /// From 0 (light) to 1 (dark); on dark paper the other way round.
    pub(crate) level: f64,
    /// Main text.
    pub(crate) main: String,
    /// Second line, or empty.
    pub(crate) sub: String,
    /// Text under the pointer, or empty.
    pub(crate) tip: String,
    /// Whether it gets an outline.
    pub(crate) marked: bool,
}

/// A grid and its labels.
pub(crate) struct Grid<'a> {
    pub(crate) rows: &'a [String],
    pub(crate) columns: &'a [String],
    /// Row by row; `None` leaves the place empty.
    pub(crate) cells: &'a [Option<Cell>],
    /// Height of a row.
    pub(crate) row_height: f64,
    /// What the colour means: texts for the light and the dark end, or `None` for no scale.
    pub(crate) scale: Option<(String, String)>,
}

impl Grid<'_> {
    /// Draws the grid with the row name above the row labels and the column name below.
    pub(crate) fn draw(&self, frame: &Frame<'_>, desc: &str) -> String {
        let (n_rows, n_columns) = (self.rows.len(), self.columns.len());
        assert_eq!(self.cells.len(), n_rows * n_columns, "one cell per row and column");
        if n_rows == 0 || n_columns == 0 {
            return frame.empty();
        }
        let label_room = (self.rows.iter().map(|r| width(r, SMALL)).fold(0.0, f64::max) + 10.0).min(frame.width * 0.34);
        let top = frame.head() + 22.0;
        let area = Area { left: label_room, right: frame.width, top, bottom: top + self.row_height * n_rows as f64 };
        let scale_room = if self.scale.is_some() { 26.0 } else { 0.0 };
        let mut svg = frame.begin(area.bottom + 42.0 + scale_room, desc);
        svg.text(0.0, top - 9.0, "m s", &fit(frame.y, SMALL, frame.width));

        let step = (area.right - area.left) / n_columns as f64;
        let gap = if step > 24.0 { 2.0 } else { 1.0 };
        for (r, name) in self.rows.iter().enumerate() {
            let y = top + self.row_height * r as f64;
            svg.text(label_room - 8.0, y + self.row_height / 2.0 + 4.0, "m s e", &fit(name, SMALL, label_room - 10.0));
            for c in 0..n_columns {
                let Some(cell) = &self.cells[r * n_columns + c] else { continue };
                let x = area.left + step * c as f64;
                svg.group(ramp_class(cell.level));
                let mut rect = svg.tag("rect").area(x, y, step - gap, self.row_height - gap).attr("rx", "2");
                if cell.marked {
                    rect = rect.class("pick");
                }
                if cell.tip.is_empty() {
                    rect.close()
                } else {
                    rect.tip(&cell.tip)
                }
                self.draw_words(&mut svg, cell, x + (step - gap) / 2.0, y, step - gap);
                svg.end();
            }
        }
        self.draw_column_labels(&mut svg, area, step);
        name_below(&mut svg, area, 34.0, frame.x);
        if let Some((low, high)) = &self.scale {
            draw_scale(&mut svg, area, low, high);
        }
        svg.finish()
    }

    fn draw_words(&self, svg: &mut crate::svg::Svg, cell: &Cell, centre: f64, y: f64, room: f64) {
        let (size, class) =
            if width(&cell.main, TEXT_IN_CELL) + 4.0 <= room { (TEXT_IN_CELL, "c") } else { (10.0, "xs c") };
        // a cell too narrow for its number stays without one; the pointer and the table still tell
        if cell.main.is_empty() || width(&cell.main, size) + 1.0 > room {
            return;
        }
        let middle = y + self.row_height / 2.0 + 3.5;
        let two = !cell.sub.is_empty() && self.row_height >= 34.0 && width(&cell.sub, 10.0) + 2.0 <= room;
        svg.text(centre, if two { middle - 6.0 } else { middle }, class, &cell.main);
        if two {
            svg.text(centre, middle + 8.5, "xs c", &cell.sub);
        }
    }

    fn draw_column_labels(&self, svg: &mut crate::svg::Svg, area: Area, step: f64) {
        let widest = self.columns.iter().map(|c| width(c, SMALL)).fold(0.0, f64::max);
        let fits = widest + 4.0 <= step;
        for (c, name) in self.columns.iter().enumerate() {
            let x = area.left + step * (c as f64 + 0.5) - 1.0;
            let text = if fits { name.clone() } else { fit(name, SMALL, step - 3.0) };
            svg.text(x, area.bottom + 16.0, "m s c", &text);
        }
    }
}

const TEXT_IN_CELL: f64 = 12.0;

/// The ramp as a row of swatches between two words.
fn draw_scale(svg: &mut crate::svg::Svg, area: Area, low: &str, high: &str) {
    const SWATCH: f64 = 14.0;
    let y = area.bottom + 50.0;
    let total = width(low, SMALL) + width(high, SMALL) + SWATCH * crate::theme::STEPS as f64 + 14.0;
    let x = (area.right - total).max(0.0);
    svg.text(x, y + 9.0, "m s", low);
    let from = x + width(low, SMALL) + 7.0;
    for i in 0..crate::theme::STEPS {
        let class = ramp_class(i as f64 / (crate::theme::STEPS - 1) as f64);
        svg.rect(from + SWATCH * i as f64, y, SWATCH, 10.0, class);
    }
    svg.text(from + SWATCH * crate::theme::STEPS as f64 + 7.0, y + 9.0, "m s", high);
}
