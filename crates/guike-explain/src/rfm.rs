//! The RFM map: customers by how recently (R) and how often (F) they bought, five classes each.

use serde::{Deserialize, Serialize};

use crate::grid::{Cell, Grid};
use crate::plot::Frame;
use crate::text::{Measure, compact, count, percent};

/// One cell of the map.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct RfmCell {
    /// Customers in it.
    pub n_customers: u64,
    /// Their expected value, in currency units.
    pub value: f64,
}

/// Draws the map: `cells[r][f]` holds recency class `r + 1` and frequency class `f + 1`, 5 the best. The best recency is on
/// top, the best frequency on the right; colour is the cell's share of value, the number its customers.
pub fn rfm(cells: &[[RfmCell; 5]; 5], frame: &Frame<'_>) -> String {
    let lang = frame.lang;
    let all: u64 = cells.iter().flatten().map(|c| c.n_customers).sum();
    if all == 0 {
        return frame.empty();
    }
    let value_of = |c: &RfmCell| if c.value.is_finite() { c.value.max(0.0) } else { 0.0 };
    let total: f64 = cells.iter().flatten().map(value_of).sum();
    let share = |c: &RfmCell| if total > 0.0 { value_of(c) / total } else { 0.0 };
    let most = cells.iter().flatten().map(share).fold(0.0, f64::max).max(1e-12);
    let champions = &cells[4][4];
    let desc = lang.pick(
        format!(
            "{} customers in 25 classes of recency and frequency. The class bought most recently and most often has {} \
             customers and {} of the expected value.",
            count(all),
            count(champions.n_customers),
            percent(share(champions))
        ),
        format!(
            "{} 位顾客按最近购买与购买频率分为 25 格。最近且最常购买的一格有 {} 位顾客，占预期价值的 {}。",
            count(all),
            count(champions.n_customers),
            percent(share(champions))
        ),
    );
    let mark = |i: usize, low: &str, high: &str| match i {
        0 => format!("1 {low}"),
        4 => format!("5 {high}"),
        i => (i + 1).to_string(),
    };
    let rows: Vec<String> =
        (0..5).rev().map(|r| mark(r, lang.pick("long ago", "很久以前"), lang.pick("recent", "最近"))).collect();
    let columns: Vec<String> =
        (0..5).map(|f| mark(f, lang.pick("rarely", "很少"), lang.pick("often", "经常"))).collect();
    let cell = |r: usize, f: usize| {
        let c = &cells[r][f];
        Cell {
            // the square root keeps small classes apart when a few hold most of the value
            level: (share(c) / most).sqrt(),
            main: if c.n_customers < 10_000 { count(c.n_customers) } else { compact(c.n_customers as f64, lang) },
            sub: percent(share(c)),
            tip: format!(
                "R{} F{}: {} {}, {} ({})",
                r + 1,
                f + 1,
                count(c.n_customers),
                lang.pick("customers", "位顾客"),
                frame.measure.short(c.value, lang),
                percent(share(c))
            ),
            marked: false,
        }
    };
    let grid_cells: Vec<Option<Cell>> =
        (0..5).rev().flat_map(|r| (0..5).map(move |f| Some((r, f)))).map(|at| at.map(|(r, f)| cell(r, f))).collect();
    let frame = if frame.measure == Measure::Number { frame.measuring(Measure::Money(None)) } else { *frame };
    Grid {
        rows: &rows,
        columns: &columns,
        cells: &grid_cells,
        row_height: 48.0,
        scale: Some((lang.pick("0% of value", "价值 0%").to_owned(), percent(most))),
    }
    .draw(&frame, &desc)
}
