//! Which columns the model leans on: shuffle one, and see how much worse it gets (Breiman 2001, section 10).

use guike_core::{Column, ColumnData, Progress, Seed, Table};

use crate::error::Error;

use super::choose::around;
use super::figures::losses;
use super::output::Importance;
use super::pipeline::Fitted;
use super::target::Outcome;

/// Rows that are looked at; more would not change the order.
const MOST_ROWS: usize = 2_000;
/// How often each column is shuffled.
const REPEATS: u32 = 3;

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
    let names: Vec<&str> = table.columns().iter().map(|c| c.name.as_str()).collect();
    let mut begun = 0;
    let grown = guike_explain::permutation::permutation(&names, &before, REPEATS, seed, |at, order| {
        progress.check()?;
        progress.advance((at - begun) as u64);
        begun = at;
        Ok::<_, Error>(losses(&fitted.predict(&with_shuffled(&table, &table.columns()[at], order)), &y, outcome))
    })?;
    progress.advance((names.len() - begun) as u64);
    let mut found: Vec<Importance> = names
        .iter()
        .zip(grown)
        .map(|(name, g)| Importance { column: (*name).to_owned(), loss: around(g.mean, g.standard_error) })
        .collect();
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
