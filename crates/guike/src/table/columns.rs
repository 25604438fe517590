//! Which columns of a table are learned from, and why the others are not.

use guike_core::{Column, ColumnData, Table};
use guike_data::CellKind;
use guike_data::names::squeeze;
use serde::{Deserialize, Serialize};

use crate::error::Error;

use super::settings::TableSettings;
use super::target::no_such_column;

/// Endings of names that say "this names a row", without case, spaces and punctuation.
const ID_NAMES: [&str; 14] =
    ["id", "ids", "key", "uuid", "guid", "number", "no", "nr", "num", "index", "序号", "编号", "号", "编码"];
/// Texts of a column that differ in more than this share of its rows name the rows.
const ID_SHARE: f64 = 0.9;

/// A column the model reads, with how its cells are read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct InputColumn {
    /// Name in the file.
    pub name: String,
    /// How its cells are read.
    pub kind: CellKind,
}

/// A column that is not learned from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct LeftOut {
    /// Name in the file.
    pub name: String,
    /// Why.
    pub why: WhyLeftOut,
}

/// Why a column is not learned from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum WhyLeftOut {
    /// The caller asked.
    Asked,
    /// It names the rows.
    Id,
    /// Every cell is empty.
    Empty,
    /// Every filled cell is the same and none is empty.
    Constant,
    /// It orders the rows in time.
    Time,
    /// It says which rows belong together.
    Group,
}

impl WhyLeftOut {
    /// In words.
    pub(super) fn words(self) -> &'static str {
        match self {
            WhyLeftOut::Asked => "left out on request",
            WhyLeftOut::Id => "it names the rows; --keep learns from it all the same",
            WhyLeftOut::Empty => "every cell is empty",
            WhyLeftOut::Constant => "every row has the same value",
            WhyLeftOut::Time => "it orders the rows in time",
            WhyLeftOut::Group => "it says which rows belong together",
        }
    }

    /// In Chinese.
    pub(super) fn words_zh(self) -> &'static str {
        match self {
            WhyLeftOut::Asked => "按要求不使用",
            WhyLeftOut::Id => "它是各行的标识；--keep 可仍然使用",
            WhyLeftOut::Empty => "所有单元格为空",
            WhyLeftOut::Constant => "所有行的值都相同",
            WhyLeftOut::Time => "它是各行的时间次序",
            WhyLeftOut::Group => "它表明哪些行属于同一组",
        }
    }
}

/// The columns to learn from, and the rest.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Features {
    /// In the order of the file.
    pub inputs: Vec<InputColumn>,
    /// In the order of the file, the target apart.
    pub left_out: Vec<LeftOut>,
    /// The first column that names the rows.
    pub id: Option<String>,
}

/// Divides the columns of a table, judged by the labelled `rows`.
///
/// # Errors
/// [`Error::Config`] for a column that is asked for and not there, [`Error::NoAnswer`] when nothing is left to learn from.
pub(super) fn divide(
    table: &Table,
    kinds: &[CellKind],
    rows: &[usize],
    settings: &TableSettings,
) -> Result<Features, Error> {
    for (flag, names) in [("--drop", &settings.drop), ("--keep", &settings.keep), ("--category", &settings.categories)]
    {
        if let Some(name) = names.iter().find(|n| table.column(n).is_none()) {
            return Err(no_such_column(flag, name, table));
        }
    }
    for (flag, name) in [("--cutoff-column", &settings.time), ("--group", &settings.group)] {
        if let Some(name) = name.as_deref().filter(|n| table.column(n).is_none()) {
            return Err(no_such_column(flag, name, table));
        }
    }
    let mut features = Features::default();
    for (column, &kind) in table.columns().iter().zip(kinds).filter(|(c, _)| c.name != settings.target) {
        let name = column.name.clone();
        match reason(column, kind, rows, settings) {
            Some(why) => {
                if why == WhyLeftOut::Id && features.id.is_none() {
                    features.id = Some(name.clone());
                }
                features.left_out.push(LeftOut { name, why });
            }
            None => features.inputs.push(InputColumn { name, kind }),
        }
    }
    if features.inputs.is_empty() {
        let why: Vec<String> = features.left_out.iter().map(|l| format!("`{}`: {}", l.name, l.why.words())).collect();
        return Err(Error::NoAnswer(if why.is_empty() {
            format!("the table has no column besides the target `{}` to learn from", settings.target)
        } else {
            format!("no column is left to learn from ({})", why.join("; "))
        }));
    }
    Ok(features)
}

fn reason(column: &Column, kind: CellKind, rows: &[usize], settings: &TableSettings) -> Option<WhyLeftOut> {
    if settings.drop.contains(&column.name) {
        return Some(WhyLeftOut::Asked);
    }
    if settings.time.as_ref() == Some(&column.name) {
        return Some(WhyLeftOut::Time);
    }
    if settings.group.as_ref() == Some(&column.name) {
        return Some(WhyLeftOut::Group);
    }
    let (filled, distinct) = tally(column, rows);
    if filled == 0 {
        return Some(WhyLeftOut::Empty);
    }
    // "filled or not" tells something even where all filled cells agree
    if distinct == 1 && filled == rows.len() {
        return Some(WhyLeftOut::Constant);
    }
    let names_rows = !settings.keep.contains(&column.name) && is_id(column, kind, rows, filled, distinct);
    names_rows.then_some(WhyLeftOut::Id)
}

/// Filled cells and different values among them.
fn tally(column: &Column, rows: &[usize]) -> (usize, usize) {
    match &column.data {
        ColumnData::Numeric(v) => {
            let mut bits: Vec<u64> =
                rows.iter().map(|&i| v[i]).filter(|x| !x.is_nan()).map(|x| (x + 0.0).to_bits()).collect();
            let filled = bits.len();
            bits.sort_unstable();
            bits.dedup();
            (filled, bits.len())
        }
        ColumnData::Categorical { codes, levels } => {
            let mut seen = vec![false; levels.len()];
            let mut filled = 0;
            for &i in rows {
                if let Some(s) = seen.get_mut(codes[i] as usize) {
                    (*s, filled) = (true, filled + 1);
                }
            }
            (filled, seen.iter().filter(|s| **s).count())
        }
    }
}

/// Whether a column names the rows.
pub(super) fn is_id_column(column: &Column, kind: CellKind, rows: &[usize]) -> bool {
    let (filled, distinct) = tally(column, rows);
    filled > 0 && is_id(column, kind, rows, filled, distinct)
}

fn is_id(column: &Column, kind: CellKind, rows: &[usize], filled: usize, distinct: usize) -> bool {
    match &column.data {
        ColumnData::Categorical { .. } => filled > 20 && distinct as f64 > ID_SHARE * filled as f64,
        ColumnData::Numeric(v) => {
            let whole = kind == CellKind::Number && rows.iter().all(|&i| v[i].is_nan() || v[i].fract() == 0.0);
            if !whole || distinct < filled || filled <= 20 {
                return false;
            }
            let name = squeeze(&column.name);
            let named = ID_NAMES.iter().any(|n| name.ends_with(n));
            let counts_up = rows.windows(2).all(|w| v[w[1]] - v[w[0]] == (w[1] - w[0]) as f64);
            named || counts_up
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> (Table, Vec<CellKind>) {
        let n = 50;
        let number = |name: &str, of: fn(usize) -> f64| Column::numeric(name, (0..n).map(of).collect());
        let text = |name: &str, of: fn(usize) -> usize| {
            let levels: Vec<String> = (0..n).map(|i| format!("v{i:03}")).collect();
            let codes = (0..n).map(|i| of(i) as u32).collect();
            Column { name: name.to_owned(), data: ColumnData::Categorical { codes, levels } }
        };
        let columns = vec![
            number("Customer ID", |i| (i * 7 + 3) as f64),
            number("row", |i| i as f64 + 1.0),
            number("empty", |_| f64::NAN),
            number("same", |_| 4.0),
            number("sometimes", |i| if i % 2 == 0 { 4.0 } else { f64::NAN }),
            number("income", |i| (i * 13 % 50) as f64 + 0.5),
            number("orders", |i| (i * 13 % 50) as f64),
            text("email", |i| i),
            text("city", |i| i % 4),
            number("y", |i| (i % 2) as f64),
        ];
        let kinds = columns
            .iter()
            .map(|c| if c.as_numeric().is_some() { CellKind::Number } else { CellKind::Category })
            .collect();
        (Table::new(columns).expect("a table"), kinds)
    }

    fn divided(change: impl FnOnce(&mut TableSettings)) -> Result<Features, Error> {
        let mut settings = TableSettings { target: "y".to_owned(), ..TableSettings::default() };
        change(&mut settings);
        let (table, kinds) = table();
        let rows: Vec<usize> = (0..50).collect();
        divide(&table, &kinds, &rows, &settings)
    }

    #[test]
    fn ids_empty_and_constant_columns_are_not_learned_from() {
        let f = divided(|_| ()).expect("divided");
        let names: Vec<&str> = f.inputs.iter().map(|c| c.name.as_str()).collect();
        assert_eq!(names, ["sometimes", "income", "orders", "city"]);
        let why: Vec<WhyLeftOut> = f.left_out.iter().map(|l| l.why).collect();
        use WhyLeftOut::{Constant, Empty, Id};
        assert_eq!(why, [Id, Id, Empty, Constant, Id]);
        assert_eq!(f.id.as_deref(), Some("Customer ID"));
    }

    #[test]
    fn columns_can_be_kept_and_dropped_by_name() {
        let f = divided(|s| {
            s.keep = vec!["row".to_owned()];
            s.drop = vec!["income".to_owned()];
        });
        let f = f.expect("divided");
        let names: Vec<&str> = f.inputs.iter().map(|c| c.name.as_str()).collect();
        assert_eq!(names, ["row", "sometimes", "orders", "city"]);
        let e = divided(|s| s.drop = vec!["incom".to_owned()]).expect_err("refused").to_string();
        assert!(e.contains("--drop = `incom`") && e.contains("did you mean `income`"), "{e}");
    }

    #[test]
    fn a_table_with_nothing_to_learn_from_says_so() {
        let all = ["sometimes", "income", "orders", "city"].map(str::to_owned).to_vec();
        let e = divided(|s| s.drop = all).expect_err("refused").to_string();
        assert!(e.starts_with("no column is left to learn from"), "{e}");
    }
}
