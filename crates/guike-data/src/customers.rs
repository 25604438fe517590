//! Customer attributes from a table of their own, joined to a log.
//!
//! One row per customer: a column with her id, and any others. A column whose filled cells are all numbers becomes numeric,
//! any other categorical. Names, addresses and columns with nearly as many values as rows say nothing about anybody else
//! and are left out, and said so.

use std::path::Path;

use guike_core::{Attributes, Column as Attribute, ColumnData, Progress, Table};

use crate::dictionary::StrCoder;
use crate::error::DataError;
use crate::import::positions;
use crate::input::Input;
use crate::interpret::{Keys, is_integral, keys};
use crate::mapping::list;
use crate::names::{Role, squeeze};
use crate::numbers::{self, DecimalSign, NumberEvidence};
use crate::options::ReadOptions;
use crate::source::Source;
use crate::table;

/// Attributes for a log's customers, and how well they matched.
#[derive(Debug, Clone, PartialEq)]
pub struct CustomersRead {
    /// One row per customer of the log, in its order; cells of customers the file lacks are missing.
    pub attributes: Attributes,
    /// Rows in the file.
    pub rows_read: u64,
    /// Customers of the log that the file names.
    pub matched: u64,
    /// Rows whose customer is not in the log, or was named before (the first row counts).
    pub unused: u64,
    /// Columns left out, and why.
    pub notes: Vec<String>,
}

/// Most distinct values of a categorical attribute.
const MOST_LEVELS: usize = 1_000;

/// Reads the attributes file at `path` for a log's customers, in their order. `options.customer` names the id column.
///
/// # Errors
/// As [`crate::import`]; and when the file has no id column or names none of the log's customers.
pub fn read_customers(
    path: &Path,
    options: &ReadOptions,
    customer_ids: &[String],
    progress: &dyn Progress,
) -> Result<CustomersRead, DataError> {
    let input = Input::open(&path.into())?;
    progress.stage("read customers", input.bytes);
    let source = Source::open(input, options)?;
    let sample = source.sample()?;
    let names = source.columns();
    if sample.n_source_rows == 0 {
        return Err(DataError::HeaderOnly { path: path.to_owned(), columns: list(names) });
    }
    let id = id_column(names, options, &sample, customer_ids)?;
    let integral = is_integral(&sample.columns[id], sample.n_rows, &names[id]);
    let place = positions(customer_ids);
    let wanted: Vec<usize> = (0..names.len()).collect();
    let mut cells: Vec<Vec<Option<Vec<u8>>>> = vec![vec![None; customer_ids.len()]; names.len()];
    let mut seen = vec![false; customer_ids.len()];
    let (mut rows_read, mut unused) = (0, 0);
    let mut stream = source.stream(&wanted, false)?;
    while let Some(piece) = stream.next_piece()? {
        progress.check()?;
        let block = stream.shape.block(piece);
        rows_read += block.n_source_rows as u64;
        unused += block.misshapen.len() as u64;
        let ids = id_texts(keys(Some(&block.columns[id]), integral));
        for (row, customer) in ids.iter().enumerate() {
            match customer.as_deref().and_then(|c| place.get(c)) {
                Some(&at) if !seen[at] => {
                    seen[at] = true;
                    for (column, cells) in block.columns.iter().zip(&mut cells) {
                        cells[at] = Some(column.cell_text(row)).filter(|c| !numbers::is_missing(c));
                    }
                }
                _ => unused += 1,
            }
        }
        progress.advance(stream.advance());
    }
    let matched = seen.iter().filter(|&&s| s).count() as u64;
    if matched == 0 {
        return Err(DataError::NoCustomerMatches { path: path.to_owned(), column: names[id].clone(), rows: rows_read });
    }
    let mut columns: Vec<Attribute> = Vec::new();
    let mut notes = Vec::new();
    for (c, cells) in cells.into_iter().enumerate().filter(|(c, _)| *c != id) {
        let name = if names[c].is_empty() { format!("column_{}", c + 1) } else { names[c].clone() };
        if columns.iter().any(|a| a.name == name) {
            return Err(DataError::DuplicateColumn {
                name,
                first: names.iter().position(|n| *n == names[c]).unwrap_or(0) + 1,
                second: c + 1,
            });
        }
        match attribute(&cells, matched as usize) {
            Ok(data) => columns.push(Attribute { name, data }),
            Err(why) => notes.push(format!("column `{name}` was left out: {why}")),
        }
    }
    if columns.is_empty() {
        // a table without columns has no rows either: one constant column keeps the customers' order
        columns.push(Attribute::numeric("known", seen.iter().map(|&s| f64::from(u8::from(s))).collect()));
    }
    let attributes = Table::new(columns).expect("names were checked and every column has one cell per customer");
    Ok(CustomersRead { attributes, rows_read, matched, unused, notes })
}

fn id_column(
    names: &[String],
    options: &ReadOptions,
    sample: &crate::block::Block,
    customer_ids: &[String],
) -> Result<usize, DataError> {
    let squeezed: Vec<String> = names.iter().map(|n| squeeze(n)).collect();
    if let Some(asked) = &options.customer {
        let wanted = squeeze(asked);
        if let Some(at) = names.iter().position(|n| n == asked).or_else(|| squeezed.iter().position(|s| *s == wanted)) {
            return Ok(at);
        }
    }
    let by_name = Role::Customer.synonyms().iter().find_map(|s| squeezed.iter().position(|n| n == s));
    // else the column that names the log's customers
    let place = positions(customer_ids);
    let hits = |c: usize| {
        let integral = is_integral(&sample.columns[c], sample.n_rows, &names[c]);
        id_texts(keys(Some(&sample.columns[c]), integral))
            .iter()
            .flatten()
            .filter(|id| place.contains_key(id.as_str()))
            .count()
    };
    let by_content = || {
        let best = (0..names.len()).map(|c| (c, hits(c))).max_by_key(|&(c, n)| (n, std::cmp::Reverse(c)))?;
        (best.1 * 2 >= sample.n_rows.min(customer_ids.len()).max(1)).then_some(best.0)
    };
    by_name.or_else(by_content).ok_or_else(|| DataError::NoColumnFor {
        role: "customer id",
        hint: String::new(),
        columns: list(names),
        flag: Role::Customer.flag(),
    })
}

fn id_texts(keys: Keys) -> Vec<Option<String>> {
    match keys {
        Keys::Absent => Vec::new(),
        Keys::Ints(values) => values.into_iter().map(|v| (v != Keys::NO_INT).then(|| v.to_string())).collect(),
        Keys::Local { codes, names } => {
            let text = |c: u32| String::from_utf8_lossy(names.name(c as usize)).into_owned();
            codes.into_iter().map(|c| (c != guike_core::Events::MISSING).then(|| text(c))).collect()
        }
    }
}

/// The cells as numbers or categories, or why not.
fn attribute(cells: &[Option<Vec<u8>>], matched: usize) -> Result<ColumnData, String> {
    let mut evidence = NumberEvidence::default();
    cells.iter().flatten().for_each(|c| evidence.add(c));
    let (sign, _): (DecimalSign, _) = evidence.decide();
    let filled = cells.iter().flatten().count();
    if filled == 0 {
        return Err("every cell is empty".into());
    }
    let number = |c: &Option<Vec<u8>>| match c {
        None => Some(f64::NAN),
        Some(c) => table::number(c, sign).map(|v| if v.is_finite() { v } else { f64::NAN }),
    };
    if let Some(values) = cells.iter().map(number).collect::<Option<Vec<f64>>>() {
        return Ok(ColumnData::Numeric(values));
    }
    let mut levels = StrCoder::default();
    let codes = cells.iter().map(|c| c.as_ref().map_or(Attribute::MISSING, |c| levels.code(c))).collect();
    if levels.len() > MOST_LEVELS || (matched > 20 && levels.len() * 10 > filled * 9) {
        return Err(format!(
            "{} different texts in {filled} cells describe single customers and no group",
            levels.len()
        ));
    }
    let levels = (0..levels.len()).map(|i| String::from_utf8_lossy(levels.name(i)).into_owned()).collect();
    Ok(ColumnData::Categorical { codes, levels })
}
