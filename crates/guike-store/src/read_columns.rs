//! Reading back the CSV that we wrote, column by column, for tables of millions of rows.

use std::path::Path;

use crate::{StoreError, io};

/// What a column is read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadAs {
    /// A text of its own per row.
    Text,
    /// Numbers; an empty cell is NaN.
    Number,
    /// Few texts that repeat.
    Name,
}

/// Many texts, one after the other in one piece of memory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Texts {
    bytes: String,
    ends: Vec<usize>,
}

impl Texts {
    /// Appends a text.
    pub fn push(&mut self, text: &str) {
        self.bytes.push_str(text);
        self.ends.push(self.bytes.len());
    }

    /// The text at a position.
    pub fn get(&self, at: usize) -> &str {
        let start = if at == 0 { 0 } else { self.ends[at - 1] };
        &self.bytes[start..self.ends[at]]
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }
}

/// A column that was read.
#[derive(Debug, Clone, PartialEq)]
pub enum InColumn {
    /// See [`ReadAs::Text`].
    Text(Texts),
    /// See [`ReadAs::Number`].
    Number(Vec<f64>),
    /// See [`ReadAs::Name`]: positions in `names`, which stand in the order of their first rows.
    Name {
        /// One per row.
        codes: Vec<u32>,
        /// The texts.
        names: Vec<String>,
    },
}

/// The named columns of one of our CSV files, in the order asked for.
///
/// # Errors
/// [`StoreError::Io`]; [`StoreError::Corrupt`] when a column is missing, a row is cut short, or a cell is no number.
///
/// ```
/// use guike_store::{InColumn, ReadAs, read_csv_typed};
/// let dir = tempfile::tempdir().unwrap();
/// let path = dir.path().join("tiers.csv");
/// std::fs::write(&path, "customer_id,tier,value\nann,gold,12\nbo,gold,\n").unwrap();
/// let columns = read_csv_typed(&path, &[("value", ReadAs::Number), ("tier", ReadAs::Name)]).unwrap();
/// assert!(matches!(&columns[0], InColumn::Number(v) if v[0] == 12.0 && v[1].is_nan()));
/// assert_eq!(columns[1], InColumn::Name { codes: vec![0, 0], names: vec!["gold".to_owned()] });
/// assert!(read_csv_typed(&path, &[("tier", ReadAs::Number)]).is_err());
/// ```
pub fn read_csv_typed(path: &Path, columns: &[(&str, ReadAs)]) -> Result<Vec<InColumn>, StoreError> {
    let corrupt = |reason: String| StoreError::Corrupt { path: path.to_owned(), reason };
    crate::check_listed(path)?;
    let file = std::fs::File::open(path).map_err(io("read", path))?;
    let mut reader = csv::ReaderBuilder::new().buffer_capacity(1 << 18).from_reader(file);
    let header = reader.headers().map_err(|e| corrupt(e.to_string()))?.clone();
    let at = columns
        .iter()
        .map(|(c, _)| header.iter().position(|h| h == *c).ok_or_else(|| corrupt(format!("it has no column `{c}`"))))
        .collect::<Result<Vec<_>, _>>()?;
    let mut read: Vec<InColumn> = columns
        .iter()
        .map(|(_, kind)| match kind {
            ReadAs::Text => InColumn::Text(Texts::default()),
            ReadAs::Number => InColumn::Number(Vec::new()),
            ReadAs::Name => InColumn::Name { codes: Vec::new(), names: Vec::new() },
        })
        .collect();
    let mut record = csv::StringRecord::new();
    while reader.read_record(&mut record).map_err(|e| corrupt(e.to_string()))? {
        for (column, (&at, (name, _))) in read.iter_mut().zip(at.iter().zip(columns)) {
            let cell = record.get(at).unwrap_or_default();
            match column {
                InColumn::Text(texts) => texts.push(cell),
                InColumn::Number(v) if cell.is_empty() => v.push(f64::NAN),
                InColumn::Number(v) => v.push(cell.parse().map_err(|_| {
                    // the cell may be personal: it is not repeated
                    corrupt(format!("column `{name}` holds something that is no number, in row {}", v.len() + 1))
                })?),
                InColumn::Name { codes, names } => {
                    let code = names.iter().position(|n| n == cell).unwrap_or_else(|| {
                        names.push(cell.to_owned());
                        names.len() - 1
                    });
                    codes.push(code as u32);
                }
            }
        }
    }
    Ok(read)
}
