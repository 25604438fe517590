//! Small services on [`Table`]s: some of its rows, some of its columns, its cells for people.

use guike_core::{Column, ColumnData, Table};
use serde_json::{Value, json};

/// The rows at these positions, in this order; categories keep all their levels.
pub(super) fn select(table: &Table, rows: &[usize]) -> Table {
    let columns = table.columns().iter().map(|c| {
        let data = match &c.data {
            ColumnData::Numeric(v) => ColumnData::Numeric(rows.iter().map(|&i| v[i]).collect()),
            ColumnData::Categorical { codes, levels } => {
                ColumnData::Categorical { codes: rows.iter().map(|&i| codes[i]).collect(), levels: levels.clone() }
            }
        };
        Column { name: c.name.clone(), data }
    });
    Table::new(columns.collect()).expect("columns of a table, each with the same rows")
}

/// The columns of these names, in this order.
pub(super) fn columns<'a>(table: &Table, names: impl Iterator<Item = &'a str>) -> Table {
    let columns = names.map(|n| table.column(n).expect("the caller asked for columns of the table").clone()).collect();
    Table::new(columns).expect("columns of a table")
}

/// The group of every row: rows with the same cell are one group, a row without a cell is one of its own.
pub(super) fn groups(column: &Column) -> Vec<u32> {
    let mut known = std::collections::BTreeMap::new();
    let mut next = 0;
    (0..column.len())
        .map(|i| {
            let key = match &column.data {
                ColumnData::Numeric(v) => (!v[i].is_nan()).then(|| (v[i] + 0.0).to_bits()),
                ColumnData::Categorical { codes, .. } => (codes[i] != Column::MISSING).then(|| u64::from(codes[i])),
            };
            let mut new = || {
                next += 1;
                next - 1
            };
            match key {
                Some(key) => *known.entry(key).or_insert_with(new),
                None => new(),
            }
        })
        .collect()
}

/// The text of a cell; empty where it is missing.
pub(super) fn text(column: &Column, row: usize) -> String {
    match &column.data {
        ColumnData::Numeric(v) if v[row].is_nan() => String::new(),
        ColumnData::Numeric(v) => v[row].to_string(),
        ColumnData::Categorical { codes, levels } => levels.get(codes[row] as usize).cloned().unwrap_or_default(),
    }
}

/// Column names and rows, for printing.
pub fn table_cells(table: &Table) -> (Vec<String>, Vec<Vec<Value>>) {
    let cell = |c: &Column, i: usize| match &c.data {
        ColumnData::Numeric(v) => json!(v[i].is_finite().then(|| guike_store::significant(v[i]))),
        ColumnData::Categorical { .. } => json!(text(c, i)),
    };
    let rows = (0..table.n_rows()).map(|i| table.columns().iter().map(|c| cell(c, i)).collect()).collect();
    (table.columns().iter().map(|c| c.name.clone()).collect(), rows)
}
