//! Cohort retention: of the customers who first bought in a period, how many bought again 1, 2, 3 … periods later.

use serde::{Deserialize, Serialize};

use crate::grid::{Cell, Grid};
use crate::plot::Frame;
use crate::text::{count, percent};

/// Customers who first bought in the same period.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cohort {
    /// The period, for example `2024-03`.
    pub label: String,
    /// Customers in it.
    pub n_customers: u64,
    /// Share that bought in the first, second … period after; `None` where that is not known.
    pub retained: Vec<Option<f64>>,
}

/// Draws one row per cohort and one column per period after the first purchase. Colour runs to the highest share shown.
pub fn cohorts(cohorts: &[Cohort], frame: &Frame<'_>) -> String {
    let lang = frame.lang;
    let n_columns = cohorts.iter().map(|c| c.retained.len()).max().unwrap_or(0);
    let share_at = |c: &Cohort, k: usize| {
        c.retained.get(k).copied().flatten().filter(|s| s.is_finite()).map(|s| s.clamp(0.0, 1.0))
    };
    let shares = || cohorts.iter().flat_map(|c| (0..c.retained.len()).filter_map(move |k| share_at(c, k)));
    if n_columns == 0 || shares().count() == 0 {
        return frame.empty();
    }
    let most = shares().fold(0.0, f64::max).max(1e-9);
    let average = |k: usize| {
        let seen = cohorts.iter().filter_map(|c| Some((c.n_customers as f64, share_at(c, k)?)));
        let (n, kept) = seen.fold((0.0, 0.0), |(n, kept), (size, share)| (n + size, kept + size * share));
        if n > 0.0 { kept / n } else { f64::NAN }
    };
    let desc = lang.pick(
        format!(
            "{} cohorts; on average {} of customers bought again one period after their first purchase, {} after {n_columns} periods.",
            cohorts.len(),
            percent(average(0)),
            percent(average(n_columns - 1))
        ),
        format!(
            "{} 个同期群；首购后第 1 期平均有 {} 的顾客复购，第 {n_columns} 期为 {}。",
            cohorts.len(),
            percent(average(0)),
            percent(average(n_columns - 1))
        ),
    );
    let rows: Vec<String> = cohorts.iter().map(|c| format!("{} ({})", c.label, count(c.n_customers))).collect();
    let columns: Vec<String> = (1..=n_columns).map(|k| k.to_string()).collect();
    let cells: Vec<Option<Cell>> = cohorts
        .iter()
        .flat_map(|c| (0..n_columns).map(move |k| (c, k)))
        .map(|(c, k)| {
            let share = share_at(c, k)?;
            let main = if share > 0.0 && share < 0.005 { "<1".to_owned() } else { format!("{:.0}", share * 100.0) };
            Some(Cell {
                level: share / most,
                main,
                sub: String::new(),
                tip: format!("{} +{}: {}", c.label, k + 1, percent(share)),
                marked: false,
            })
        })
        .collect();
    Grid {
        rows: &rows,
        columns: &columns,
        cells: &cells,
        row_height: 25.0,
        scale: Some(("0%".to_owned(), percent(most))),
    }
    .draw(frame, &desc)
}
