//! Which columns the model leans on: shuffle one, and see how much worse it gets (Breiman 2001, section 10).

use guike_core::{Column, ColumnData, Progress, Seed, Table};
use rand::seq::SliceRandom;

use crate::error::Error;

use super::choose::estimate;
use super::figures::losses;
use super::output::Importance;
use super::pipeline::Fitted;
use super::target::Outcome;

/// Rows that are looked at; more would not change the order.
const MOST_ROWS: usize = 2_000;
/// How often each column is shuffled.
const REPEATS: u64 = 3;

/// Every column's importance for these rows, the most important first.
pub(super) fn permutation(
    fitted: &Fitted,
    data: &Table,
    y: &[f64],
    outcome: &Outcome,
    seed: Seed,
    progress: &dyn Progress,
) -> Result<Vec<Importance>, Error> {
    let rows: Vec<usize> = (0..y.len()).step_by(y.len().div_ceil(MOST_ROWS).max(1)).collect();
    let table = super::rows::select(data, &rows);
    let y: Vec<f64> = rows.iter().map(|&i| y[i]).collect();
    let before = losses(&fitted.predict(&table), &y, outcome);
    progress.stage("see which columns matter", table.columns().len() as u64);
    let mut found = Vec::with_capacity(table.columns().len());
    for column in table.columns() {
        progress.check()?;
        let mut extra = vec![0.0; y.len()];
        for repeat in 0..REPEATS {
            let mut order: Vec<usize> = (0..y.len()).collect();
            order.shuffle(&mut seed.derive(&column.name).at(repeat).rng());
            let after = losses(&fitted.predict(&with_shuffled(&table, column, &order)), &y, outcome);
            for ((e, a), b) in extra.iter_mut().zip(&after).zip(&before) {
                *e += (a - b) / REPEATS as f64;
            }
        }
        found.push(Importance { column: column.name.clone(), loss: estimate(&extra) });
        progress.advance(1);
    }
    found.sort_by(|a, b| b.loss.mid.total_cmp(&a.loss.mid));
    Ok(found)
}

fn with_shuffled(table: &Table, column: &Column, order: &[usize]) -> Table {
    let shuffled = |c: &Column| {
        if c.name != column.name {
            return c.clone();
        }
        let data = match &c.data {
            ColumnData::Numeric(v) => ColumnData::Numeric(order.iter().map(|&i| v[i]).collect()),
            ColumnData::Categorical { codes, levels } => {
                ColumnData::Categorical { codes: order.iter().map(|&i| codes[i]).collect(), levels: levels.clone() }
            }
        };
        Column { name: c.name.clone(), data }
    };
    Table::new(table.columns().iter().map(shuffled).collect()).expect("the table's own columns")
}
