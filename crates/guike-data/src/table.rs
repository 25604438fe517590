//! A general table: any file of rows and named columns as numbers and categories.
//!
//! The one idea: a column's kind is decided once, from its cells, and travels with whatever is learned from it, so that the
//! same column of tomorrow's file is read in the same way ([`read_table`]'s `expected`). Filled cells that are all numbers
//! make numbers; dates make days since 1970; codes with leading zeros and everything else make categories. A few cells
//! that do not fit their column are read as missing, and said so.
//!
//! What a column means (target, id, feature) is not decided here.

use guike_core::{Column as TableColumn, ColumnData, Progress, SECONDS_PER_DAY, Table};
use serde::{Deserialize, Serialize};

use crate::block::{Block, Column};
use crate::dates::{DateDecision, DateEvidence, DateFormat};
use crate::dictionary::StrCoder;
use crate::error::DataError;
use crate::files::LogFile;
use crate::input::Input;
use crate::mapping::list;
use crate::numbers::{self, DecimalSign, NumberEvidence};
use crate::options::ReadOptions;
use crate::source::Source;

/// How the cells of a column are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CellKind {
    /// As numbers.
    Number,
    /// As names of groups.
    Category,
    /// As moments in this format, in days since 1970-01-01.
    Date(DateFormat),
}

/// A table and how its columns were read.
#[derive(Debug, Clone, PartialEq)]
pub struct TableRead {
    /// The columns, in the file's order; categories have their levels in order (by number where all are numbers).
    pub table: Table,
    /// How each was read.
    pub kinds: Vec<CellKind>,
    /// Rows in the file.
    pub rows_read: u64,
    /// Rows left out because they have another number of cells than the header.
    pub rows_misshapen: u64,
    /// What a reader should know.
    pub notes: Vec<String>,
}

/// Cells that do not fit may be one in this many, to be read as missing.
const ODD_ONE_IN: usize = 50;
/// … and may have at most this many different texts.
const ODD_TEXTS: usize = 3;

/// Reads a table, from a path or a kept stream; columns named in `expected` are read as that kind, others as their cells
/// suggest.
///
/// # Errors
/// As [`crate::import`], without anything about roles: the file cannot be read, has no row, or names a column twice.
pub fn read_table(
    table: impl Into<LogFile>,
    options: &ReadOptions,
    expected: &[(String, CellKind)],
    progress: &dyn Progress,
) -> Result<TableRead, DataError> {
    let file = table.into();
    let path = file.name();
    let input = Input::open(&file)?;
    progress.stage("read table", input.bytes);
    let source = Source::open(input, options)?;
    let names = named(source.columns())?;
    let sample = source.sample()?;
    if sample.n_source_rows == 0 {
        return Err(DataError::HeaderOnly { path: path.to_owned(), columns: list(&names) });
    }
    let mut notes = Vec::new();
    let mut plans: Vec<Plan> = Vec::with_capacity(names.len());
    for (name, column) in names.iter().zip(&sample.columns) {
        let asked = expected.iter().find(|(n, _)| n == name).map(|(_, kind)| *kind);
        plans.push(Plan::of(column, sample.n_rows, asked, options, name, &mut notes));
    }
    let all: Vec<usize> = (0..names.len()).collect();
    let (mut columns, counts) = gather(&source, &all, &plans, progress)?;
    if counts.read == counts.misshapen {
        return Err(DataError::RowsUnlikeHeader {
            path: path.to_owned(),
            rows: counts.read as usize,
            cells: names.len(),
            columns: list(&names),
        });
    }
    // a column whose sample looked like numbers and which is none after all is read again as text
    let again: Vec<usize> = (0..names.len()).filter(|&c| !plans[c].asked && columns[c].is_another_kind()).collect();
    if !again.is_empty() {
        again.iter().for_each(|&c| plans[c].kind = CellKind::Category);
        let texts: Vec<Plan> = again.iter().map(|&c| plans[c]).collect();
        let (columns_again, _) = gather(&source, &again, &texts, progress)?;
        for (c, column) in again.into_iter().zip(columns_again) {
            columns[c] = column;
        }
    }
    notes.extend(source.notes());
    if counts.misshapen > 0 {
        notes.push(format!(
            "{} of {} rows have another number of cells than the header and were left out",
            counts.misshapen, counts.read
        ));
    }
    for (name, column) in names.iter().zip(&columns) {
        notes.extend(column.remark(name));
    }
    let table = names.into_iter().zip(columns).map(|(name, c)| TableColumn { name, data: c.finish() }).collect();
    Ok(TableRead {
        table: Table::new(table).expect("names were checked and every column has one cell per row"),
        kinds: plans.iter().map(|p| p.kind).collect(),
        rows_read: counts.read,
        rows_misshapen: counts.misshapen,
        notes,
    })
}

/// Every column by a name of its own.
fn named(columns: &[String]) -> Result<Vec<String>, DataError> {
    let name = |c: usize| if columns[c].is_empty() { format!("column_{}", c + 1) } else { columns[c].clone() };
    let names: Vec<String> = (0..columns.len()).map(name).collect();
    for (c, n) in names.iter().enumerate() {
        if let Some(first) = names[..c].iter().position(|m| m == n) {
            return Err(DataError::DuplicateColumn { name: n.clone(), first: first + 1, second: c + 1 });
        }
    }
    Ok(names)
}

/// How one column will be read.
#[derive(Debug, Clone, Copy)]
struct Plan {
    kind: CellKind,
    sign: DecimalSign,
    /// Whether the caller said so.
    asked: bool,
}

impl Plan {
    fn of(
        column: &Column,
        n_rows: usize,
        asked: Option<CellKind>,
        options: &ReadOptions,
        name: &str,
        notes: &mut Vec<String>,
    ) -> Plan {
        let texts: Vec<Vec<u8>> =
            (0..n_rows).map(|r| column.cell_text(r)).filter(|c| !numbers::is_missing(c)).collect();
        let mut evidence = NumberEvidence::default();
        texts.iter().for_each(|t| evidence.add(t));
        let (sign, remark) = match options.decimal {
            Some(sign) => (sign, None),
            None => evidence.decide(),
        };
        let plan = |kind, asked| Plan { kind, sign, asked };
        if let Some(kind) = asked {
            return plan(kind, true);
        }
        match column {
            Column::Ints { .. } | Column::Floats { .. } => return plan(CellKind::Number, false),
            Column::Times { .. } => return plan(CellKind::Date(DateFormat::YearFirst), false),
            Column::Text { .. } | Column::Coded { .. } => {}
        }
        let mut odd = Odd::default();
        texts.iter().enumerate().filter(|(_, t)| number(t, sign).is_none()).for_each(|(r, t)| odd.add(r as u64, t));
        if odd.is_few(texts.len()) && !texts.iter().any(|t| is_code(t)) {
            notes.extend(remark.map(|r| format!("column `{name}`: {r}")));
            return plan(CellKind::Number, false);
        }
        let mut dates = DateEvidence::default();
        texts.iter().for_each(|t| dates.add(t));
        match (options.date_format, dates.decide(None)) {
            (Some(format), _) if texts.iter().all(|t| format.parse(t).is_some()) => plan(CellKind::Date(format), false),
            (None, DateDecision::Found(format, _)) if dates.share() > 0.98 => plan(CellKind::Date(format), false),
            (None, DateDecision::Ambiguous) => {
                notes.push(format!(
                    "column `{name}` holds dates that can be read day first or month first; it was read as text, and \
                     --date-format dmy or mdy reads it as dates"
                ));
                plan(CellKind::Category, false)
            }
            _ => plan(CellKind::Category, false),
        }
    }
}

/// A number with leading zeros names something and counts nothing.
fn is_code(cell: &[u8]) -> bool {
    cell.len() > 1 && cell[0] == b'0' && cell.iter().all(u8::is_ascii_digit)
}

/// The cell as a number of full precision; signs, grouping and currencies as in [`numbers::parse`], and percent signs.
///
/// ```
/// use guike_data::{numbers::DecimalSign, table::number};
/// assert_eq!(number(b"1e308", DecimalSign::Point), Some(1e308));
/// assert_eq!(number("￥1,234.5".as_bytes(), DecimalSign::Point), Some(1234.5));
/// assert_eq!(number(b"12,5 %", DecimalSign::Comma), Some(12.5));
/// assert_eq!(number(b"abc", DecimalSign::Point), None);
/// ```
pub fn number(cell: &[u8], sign: DecimalSign) -> Option<f64> {
    let cell = cell.trim_ascii();
    let cell = cell.strip_suffix(b"%").map_or(cell, <[u8]>::trim_ascii_end);
    let simple = |c: &u8| c.is_ascii_digit() || matches!(c, b'.' | b'+' | b'-' | b'e' | b'E');
    if cell.first().is_some_and(|c| c.is_ascii_digit() || matches!(c, b'-' | b'+' | b'.')) && cell.iter().all(simple) {
        if sign == DecimalSign::Point {
            if let Some(v) = fast_float2::parse::<f64, _>(cell).ok().filter(|v| v.is_finite()) {
                return Some(v);
            }
        } else if !cell.contains(&b'.') {
            return fast_float2::parse::<f64, _>(cell).ok().filter(|v| v.is_finite());
        }
    }
    if sign == DecimalSign::Comma && cell.iter().filter(|&&c| c == b',').count() == 1 && !cell.contains(&b'.') {
        let point: Vec<u8> = cell.iter().map(|&c| if c == b',' { b'.' } else { c }).collect();
        if point.iter().all(simple) {
            return fast_float2::parse::<f64, _>(&point).ok().filter(|v| v.is_finite());
        }
    }
    let bare = cell.strip_prefix(b"-").or_else(|| cell.strip_prefix(b"+")).unwrap_or(cell);
    if bare.eq_ignore_ascii_case(b"inf") || bare.eq_ignore_ascii_case(b"infinity") {
        return Some(if cell[0] == b'-' { f64::NEG_INFINITY } else { f64::INFINITY });
    }
    numbers::parse(cell, sign).map(|p| p.micros as f64 / 1e6)
}

/// Cells that do not fit their column.
#[derive(Debug, Clone, Default)]
struct Odd {
    cells: usize,
    texts: Vec<Vec<u8>>,
    first_row: u64,
}

impl Odd {
    fn add(&mut self, row: u64, text: &[u8]) {
        if self.cells == 0 {
            self.first_row = row;
        }
        self.cells += 1;
        if self.texts.len() <= ODD_TEXTS && !self.texts.iter().any(|t| t == text) {
            self.texts.push(text.to_vec());
        }
    }

    /// Whether so few of the `filled` cells are odd that the column is still what it seems.
    fn is_few(&self, filled: usize) -> bool {
        self.cells == 0 || (self.cells * ODD_ONE_IN <= filled && self.texts.len() <= ODD_TEXTS)
    }
}

/// A column while its rows arrive.
#[derive(Debug)]
enum Gathered {
    Numbers { values: Vec<f64>, odd: Odd, infinite: usize, filled: usize, codes: usize, what: &'static str },
    Texts { codes: Vec<u32>, levels: StrCoder },
}

impl Gathered {
    fn new(plan: Plan) -> Gathered {
        let what = match plan.kind {
            CellKind::Category => return Gathered::Texts { codes: Vec::new(), levels: StrCoder::default() },
            CellKind::Number => "number",
            CellKind::Date(_) => "date",
        };
        Gathered::Numbers { values: Vec::new(), odd: Odd::default(), infinite: 0, filled: 0, codes: 0, what }
    }

    /// Adds the cells of a block; `before` rows came earlier.
    fn add(&mut self, column: &Column, block: &Block, plan: Plan, before: u64) {
        let n_rows = block.n_rows;
        match self {
            Gathered::Texts { codes, levels } => {
                for row in 0..n_rows {
                    with_text(column, row, |text| {
                        let text = text.trim_ascii();
                        codes.push(if numbers::is_missing(text) { TableColumn::MISSING } else { levels.code(text) });
                    });
                }
            }
            Gathered::Numbers { values, odd, infinite, filled, codes, .. } => {
                let mut push = |value: Option<f64>| {
                    *filled += usize::from(value.is_some());
                    *infinite += usize::from(value.is_some_and(f64::is_infinite));
                    values.push(value.filter(|v| v.is_finite()).unwrap_or(f64::NAN));
                };
                for row in 0..n_rows {
                    match (column, plan.kind) {
                        (Column::Ints { values, nulls }, CellKind::Number) => {
                            push((!nulls.as_ref().is_some_and(|n| n.is_null(row))).then(|| values[row] as f64));
                        }
                        (Column::Floats { values, nulls }, CellKind::Number) => {
                            let value = Some(values[row]).filter(|v| !v.is_nan());
                            push(value.filter(|_| !nulls.as_ref().is_some_and(|n| n.is_null(row))));
                        }
                        (Column::Times { values, nulls, ticks_per_second }, CellKind::Date(_)) => {
                            let days = values[row] as f64 / (*ticks_per_second * SECONDS_PER_DAY) as f64;
                            push((!nulls.as_ref().is_some_and(|n| n.is_null(row))).then_some(days));
                        }
                        _ => with_text(column, row, |text| {
                            let text = text.trim_ascii();
                            if numbers::is_missing(text) {
                                return push(None);
                            }
                            let value = match plan.kind {
                                CellKind::Date(format) => format.parse(text).map(|s| s as f64 / SECONDS_PER_DAY as f64),
                                _ => number(text, plan.sign),
                            };
                            *codes += usize::from(plan.kind == CellKind::Number && is_code(text));
                            if value.is_none() {
                                odd.add(before + u64::from(block.position(row)), text);
                            }
                            push(value);
                        }),
                    }
                }
            }
        }
    }

    /// Whether too many cells do not fit.
    fn is_another_kind(&self) -> bool {
        match self {
            Gathered::Texts { .. } => false,
            Gathered::Numbers { odd, filled, codes, .. } => *codes > 0 || !odd.is_few(*filled + odd.cells),
        }
    }

    fn remark(&self, name: &str) -> Vec<String> {
        let Gathered::Numbers { odd, infinite, what, .. } = self else { return Vec::new() };
        let mut out = Vec::new();
        if odd.cells > 0 {
            let example = String::from_utf8_lossy(&odd.texts[0]).chars().take(30).collect::<String>();
            out.push(format!(
                "column `{name}`: {} {}{} (first `{example}` in row {}) and {} read as missing",
                odd.cells,
                if odd.cells == 1 { format!("cell is no {what}") } else { format!("cells are no {what}") },
                if odd.cells == 1 { "" } else { "s" },
                odd.first_row + 1,
                if odd.cells == 1 { "was" } else { "were" }
            ));
        }
        if *infinite > 0 {
            out.push(format!("column `{name}`: infinite values in {infinite} rows were read as missing"));
        }
        out
    }

    fn finish(self) -> ColumnData {
        match self {
            Gathered::Numbers { values, .. } => ColumnData::Numeric(values),
            Gathered::Texts { codes, levels } => in_order(codes, &levels),
        }
    }
}

/// Levels by number where all are numbers, else bytewise, so that they do not depend on the order of rows.
fn in_order(codes: Vec<u32>, levels: &StrCoder) -> ColumnData {
    let values: Vec<Option<f64>> =
        (0..levels.len()).map(|i| number(levels.name(i), DecimalSign::Point).filter(|v| v.is_finite())).collect();
    let numeric = values.iter().all(Option::is_some);
    let mut order: Vec<usize> = (0..levels.len()).collect();
    order.sort_by(|&a, &b| match (values[a], values[b]) {
        (Some(x), Some(y)) if numeric => x.total_cmp(&y).then_with(|| levels.name(a).cmp(levels.name(b))),
        _ => levels.name(a).cmp(levels.name(b)),
    });
    let mut rank = vec![0_u32; order.len()];
    for (to, &from) in order.iter().enumerate() {
        rank[from] = to as u32;
    }
    let codes = codes.into_iter().map(|c| if c == TableColumn::MISSING { c } else { rank[c as usize] }).collect();
    let levels = order.iter().map(|&i| String::from_utf8_lossy(levels.name(i)).into_owned()).collect();
    ColumnData::Categorical { codes, levels }
}

fn with_text(column: &Column, row: usize, use_it: impl FnOnce(&[u8])) {
    match column {
        Column::Text { bytes, spans } => use_it(&bytes[spans[row].0 as usize..spans[row].1 as usize]),
        other => use_it(&other.cell_text(row)),
    }
}

#[derive(Debug, Default)]
struct Counts {
    read: u64,
    misshapen: u64,
}

/// One pass over the file for these columns.
fn gather(
    source: &Source,
    wanted: &[usize],
    plans: &[Plan],
    progress: &dyn Progress,
) -> Result<(Vec<Gathered>, Counts), DataError> {
    let mut columns: Vec<Gathered> = plans.iter().map(|&p| Gathered::new(p)).collect();
    let mut counts = Counts::default();
    let mut stream = source.stream(wanted, false)?;
    while let Some(piece) = stream.next_piece()? {
        progress.check()?;
        let block: Block = stream.shape.block(piece);
        for ((gathered, column), &plan) in columns.iter_mut().zip(&block.columns).zip(plans) {
            gathered.add(column, &block, plan, counts.read);
        }
        counts.read += block.n_source_rows as u64;
        counts.misshapen += block.misshapen.len() as u64;
        progress.advance(stream.advance());
    }
    Ok((columns, counts))
}

#[cfg(test)]
mod tests {
    use super::*;
    use guike_core::Quiet;

    fn read_as(text: &str, expected: &[(String, CellKind)]) -> Result<TableRead, DataError> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("t.csv");
        std::fs::write(&path, text).expect("written");
        read_table(path.as_path(), &ReadOptions::default(), expected, &Quiet)
    }

    fn read(text: &str) -> TableRead {
        read_as(text, &[]).expect("a table")
    }

    fn levels(read: &TableRead, column: &str) -> Vec<String> {
        match &read.table.column(column).expect("there").data {
            ColumnData::Categorical { levels, .. } => levels.clone(),
            ColumnData::Numeric(_) => panic!("{column} is numeric"),
        }
    }

    #[test]
    fn columns_become_numbers_categories_and_days() {
        let t = read("age,city,joined,zip,big\n30,Rome,2020-01-02,00184,1e308\n,Oslo,2020-01-01,10115,-2.5\n");
        assert_eq!(
            t.kinds,
            [
                CellKind::Number,
                CellKind::Category,
                CellKind::Date(DateFormat::YearFirst),
                CellKind::Category,
                CellKind::Number
            ]
        );
        let numbers = |name: &str| t.table.column(name).and_then(|c| c.as_numeric()).expect("numbers").to_vec();
        assert!(numbers("age")[1].is_nan());
        assert_eq!(numbers("big"), [1e308, -2.5]);
        assert_eq!(numbers("joined")[0] - numbers("joined")[1], 1.0);
        assert_eq!(levels(&t, "city"), ["Oslo", "Rome"]);
        assert_eq!((t.rows_read, t.notes.len()), (2, 0));
    }

    #[test]
    fn levels_that_are_numbers_are_in_the_order_of_numbers() {
        let kinds = [("k".to_owned(), CellKind::Category)];
        let t = read_as("k\n10\n9\n2\n", &kinds).expect("a table");
        assert_eq!(levels(&t, "k"), ["2", "9", "10"]);
    }

    #[test]
    fn a_few_cells_that_do_not_fit_are_missing_and_said_so() {
        let mut text = String::from("x\n");
        (0..200).for_each(|i| text += &format!("{i}\n"));
        let t = read(&(text.clone() + "unknown\ninf\n"));
        assert_eq!(t.kinds, [CellKind::Number]);
        assert!(
            t.notes.iter().any(|n| n.contains("`x`: 1 cell is no number (first `unknown` in row 201)")),
            "{:?}",
            t.notes
        );
        assert!(t.notes.iter().any(|n| n.contains("infinite values in 1 rows")));
        let t = read(&(text + &"low\nhigh\n".repeat(10)));
        assert_eq!(t.kinds, [CellKind::Category]);
    }

    #[test]
    fn a_column_that_turns_out_to_be_text_far_below_is_text_throughout() {
        // the sample is the first mebibyte
        let mut text = String::from("a,b\n");
        (0..150_000).for_each(|i| text += &format!("{i},{}\n", i % 7));
        (0..20_000).for_each(|i| text += &format!("A{i},x\n"));
        let t = read(&text);
        assert_eq!(t.kinds, [CellKind::Category, CellKind::Category]);
        assert_eq!(levels(&t, "b"), ["0", "1", "2", "3", "4", "5", "6", "x"]);
        assert_eq!(t.table.n_rows(), 170_000);
    }

    #[test]
    fn an_expected_kind_is_kept_whatever_the_cells_look_like() {
        let number = [("x".to_owned(), CellKind::Number)];
        let t = read_as("x\nred\n5\n", &number).expect("a table");
        let x = t.table.column("x").and_then(|c| c.as_numeric()).expect("numbers");
        assert!(x[0].is_nan() && x[1] == 5.0);
        assert!(t.notes[0].contains("`red`"), "{:?}", t.notes);
    }

    #[test]
    fn two_columns_of_one_name_and_a_header_alone_are_refused() {
        let e = read_as("a,b,a\n1,2,3\n", &[]).expect_err("refused").to_string();
        assert_eq!(e, "column `a` is named twice (columns 1 and 3); rename one of them");
        assert!(matches!(read_as("a,b\n", &[]), Err(DataError::HeaderOnly { .. })));
    }
}
