//! A small table of named columns: numbers with NaN for missing, or categories by code.

use serde::{Deserialize, Serialize};

/// A column's values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnData {
    /// Numbers; NaN is missing.
    Numeric(Vec<f64>),
    /// Codes into `levels`; [`Column::MISSING`] is missing.
    Categorical {
        /// One code per row.
        codes: Vec<u32>,
        /// Names by code.
        levels: Vec<String>,
    },
}

/// A named column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Column {
    /// Unique within its table.
    pub name: String,
    /// The values.
    pub data: ColumnData,
}

impl Column {
    /// The code of a missing category.
    pub const MISSING: u32 = u32::MAX;

    /// A column of numbers.
    pub fn numeric(name: impl Into<String>, values: Vec<f64>) -> Column {
        Column { name: name.into(), data: ColumnData::Numeric(values) }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        match &self.data {
            ColumnData::Numeric(v) => v.len(),
            ColumnData::Categorical { codes, .. } => codes.len(),
        }
    }

    /// Whether it has no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The values at `rows`, in that order; of a row that is not there nothing is known.
    #[must_use]
    pub fn take(&self, rows: &[usize]) -> Column {
        let data = match &self.data {
            ColumnData::Numeric(v) => {
                ColumnData::Numeric(rows.iter().map(|&i| v.get(i).copied().unwrap_or(f64::NAN)).collect())
            }
            ColumnData::Categorical { codes, levels } => {
                let code = |&i: &usize| codes.get(i).copied().unwrap_or(Column::MISSING);
                ColumnData::Categorical { codes: rows.iter().map(code).collect(), levels: levels.clone() }
            }
        };
        Column { name: self.name.clone(), data }
    }

    /// The numbers, or `None` for categories.
    pub fn as_numeric(&self) -> Option<&[f64]> {
        match &self.data {
            ColumnData::Numeric(v) => Some(v),
            ColumnData::Categorical { .. } => None,
        }
    }
}

/// Columns that do not make a table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// Two columns share a name.
    #[error("column `{0}` is named twice; names must differ")]
    DuplicateName(String),
    /// Lengths differ.
    #[error("column `{name}` has {found} rows where the others have {expected}")]
    Ragged {
        /// The odd column.
        name: String,
        /// Its rows.
        found: usize,
        /// The others' rows.
        expected: usize,
    },
}

/// Columns of equal length with distinct names.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Table {
    columns: Vec<Column>,
    n_rows: usize,
}

impl Table {
    /// A table of these columns.
    ///
    /// # Errors
    /// When two columns share a name or differ in length.
    ///
    /// ```
    /// use guike_core::{Column, Table};
    /// let t = Table::new(vec![Column::numeric("age", vec![30.0, 41.0])]).unwrap();
    /// assert_eq!((t.n_rows(), t.columns().len()), (2, 1));
    /// assert!(Table::new(vec![Column::numeric("a", vec![]), Column::numeric("a", vec![])]).is_err());
    /// ```
    pub fn new(columns: Vec<Column>) -> Result<Table, TableError> {
        let n_rows = columns.first().map_or(0, Column::len);
        for (i, c) in columns.iter().enumerate() {
            if c.len() != n_rows {
                return Err(TableError::Ragged { name: c.name.clone(), found: c.len(), expected: n_rows });
            }
            if columns[..i].iter().any(|d| d.name == c.name) {
                return Err(TableError::DuplicateName(c.name.clone()));
            }
        }
        Ok(Table { columns, n_rows })
    }

    /// The rows at `rows`, in that order; of a row that is not there nothing is known.
    #[must_use]
    pub fn take(&self, rows: &[usize]) -> Table {
        Table { columns: self.columns.iter().map(|c| c.take(rows)).collect(), n_rows: rows.len() }
    }

    /// Puts the rows of a table with the same columns behind these.
    ///
    /// # Panics
    /// When the columns are others: that is a mistake in the code that asks.
    pub fn append(&mut self, further: Table) {
        assert_eq!(self.columns.len(), further.columns.len(), "tables with the same columns");
        for (column, more) in self.columns.iter_mut().zip(further.columns) {
            assert_eq!(column.name, more.name, "tables with the same columns");
            match (&mut column.data, more.data) {
                (ColumnData::Numeric(v), ColumnData::Numeric(more)) => v.extend(more),
                (ColumnData::Categorical { codes, levels }, ColumnData::Categorical { codes: more, levels: same }) => {
                    assert_eq!(*levels, same, "codes of the same names");
                    codes.extend(more);
                }
                _ => panic!("column `{}` holds numbers in one table and names in the other", column.name),
            }
        }
        self.n_rows += further.n_rows;
    }

    /// Number of rows.
    pub fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// The columns, in order.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The column of this name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|c| c.name == name)
    }
}
