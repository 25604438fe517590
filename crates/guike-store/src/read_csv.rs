//! Reading back the CSV that we wrote.

use std::path::Path;

use crate::{StoreError, io};

/// The named columns of one of our CSV files, as text, row by row.
///
/// # Errors
/// [`StoreError::Io`]; [`StoreError::Corrupt`] when a column is missing or a row is cut short.
///
/// ```
/// let dir = tempfile::tempdir().unwrap();
/// let path = dir.path().join("tiers.csv");
/// std::fs::write(&path, "customer_id,tier,value\nann,gold,12\n").unwrap();
/// let rows = guike_store::read_csv_columns(&path, &["tier", "customer_id"]).unwrap();
/// assert_eq!(rows, [["gold", "ann"]]);
/// assert!(guike_store::read_csv_columns(&path, &["city"]).is_err());
/// ```
pub fn read_csv_columns(path: &Path, columns: &[&str]) -> Result<Vec<Vec<String>>, StoreError> {
    let corrupt = |reason: String| StoreError::Corrupt { path: path.to_owned(), reason };
    crate::check_listed(path)?;
    let file = std::fs::File::open(path).map_err(io("read", path))?;
    let mut reader = csv::Reader::from_reader(file);
    let header = reader.headers().map_err(|e| corrupt(e.to_string()))?.clone();
    let at = columns
        .iter()
        .map(|c| header.iter().position(|h| h == *c).ok_or_else(|| corrupt(format!("it has no column `{c}`"))))
        .collect::<Result<Vec<_>, _>>()?;
    reader
        .records()
        .map(|record| {
            let record = record.map_err(|e| corrupt(e.to_string()))?;
            Ok(at.iter().map(|&i| record.get(i).unwrap_or_default().to_owned()).collect())
        })
        .collect()
}
