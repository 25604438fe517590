//! Result tables as CSV and Parquet, from the same columns.
//!
//! CSV numbers carry nine significant digits, which is more than any forecast deserves and enough to keep the ranking;
//! Parquet keeps all bits. Infinite and missing numbers are empty cells in CSV and nulls in Parquet.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow_schema::{ArrowError, DataType, Field, Schema};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::{DEFAULT_MAX_ROW_GROUP_ROW_COUNT, WriterProperties};
use parquet::schema::types::ColumnPath;

use crate::{StoreError, io};

/// The values of an output column.
#[derive(Debug, Clone, Copy)]
pub enum OutData<'a> {
    /// Text.
    Text(&'a [String]),
    /// Numbers; non-finite ones are empty.
    Number(&'a [f64]),
    /// Whole numbers.
    Integer(&'a [i64]),
}

/// A named output column.
#[derive(Debug, Clone, Copy)]
pub struct OutColumn<'a> {
    /// Column name.
    pub name: &'a str,
    /// Its values; all columns of a table have the same length.
    pub data: OutData<'a>,
}

impl OutData<'_> {
    fn len(&self) -> usize {
        match self {
            OutData::Text(v) => v.len(),
            OutData::Number(v) => v.len(),
            OutData::Integer(v) => v.len(),
        }
    }
}

/// `x` rounded to nine significant digits.
///
/// ```
/// assert_eq!(guike_store::significant(1234.567_891_234), 1234.56789);
/// assert_eq!(guike_store::significant(0.000_123_456_789_12), 0.000_123_456_789);
/// ```
pub fn significant(x: f64) -> f64 {
    if x == 0.0 || !x.is_finite() {
        return x;
    }
    let digits = 8 - x.abs().log10().floor() as i32;
    if digits.abs() > 300 {
        return x;
    }
    // dividing by an exact power of ten rounds correctly where multiplying by its inverse would not
    if digits >= 0 {
        let p = 10f64.powi(digits);
        (x * p).round() / p
    } else {
        let p = 10f64.powi(-digits);
        (x / p).round() * p
    }
}

/// Appends a text as a cell of CSV, quoted where it has to be.
pub fn push_csv_text(out: &mut Vec<u8>, text: &str) {
    if text.bytes().any(|b| matches!(b, b',' | b'"' | b'\n' | b'\r')) {
        out.push(b'"');
        for b in text.bytes() {
            if b == b'"' {
                out.push(b'"');
            }
            out.push(b);
        }
        out.push(b'"');
    } else {
        out.extend_from_slice(text.as_bytes());
    }
}

/// Appends a number as a cell of CSV: nine significant digits, nothing where it is not finite.
pub fn push_csv_number(out: &mut Vec<u8>, x: f64) {
    if x.is_finite() {
        write!(out, "{}", significant(x)).expect("a Vec takes all");
    }
}

/// Appends a whole number.
pub(crate) fn push_number(out: &mut Vec<u8>, n: i64) {
    write!(out, "{n}").expect("a Vec takes all");
}

/// Writes the columns as UTF-8 CSV with a header line.
///
/// # Errors
/// [`StoreError::Io`].
pub fn write_csv(path: &Path, columns: &[OutColumn<'_>]) -> Result<(), StoreError> {
    let mut table = TableFile::csv(path)?;
    table.append(columns)?;
    table.finish()
}

/// Writes the columns as Parquet (zstd).
///
/// # Errors
/// [`StoreError::Io`], [`StoreError::Encode`].
pub fn write_parquet(path: &Path, columns: &[OutColumn<'_>]) -> Result<(), StoreError> {
    let mut table = TableFile::parquet(path)?;
    table.append(columns)?;
    table.finish()
}

/// A table that is written part by part, each with the same columns.
///
/// # Example
/// ```
/// use guike_store::{OutColumn, OutData, TableFile};
/// let path = tempfile::tempdir().unwrap().keep().join("t.csv");
/// let mut table = TableFile::csv(&path).unwrap();
/// for x in [[1, 2], [3, 4]] {
///     table.append(&[OutColumn { name: "x", data: OutData::Integer(&x) }]).unwrap();
/// }
/// table.finish().unwrap();
/// assert_eq!(std::fs::read_to_string(&path).unwrap(), "x\n1\n2\n3\n4\n");
/// assert!(TableFile::csv(&path.join("below a file")).is_err());
/// # std::fs::remove_dir_all(path.parent().unwrap()).unwrap();
/// ```
#[derive(Debug)]
pub struct TableFile {
    path: PathBuf,
    form: Form,
}

#[derive(Debug)]
enum Form {
    Csv {
        file: BufWriter<File>,
        has_header: bool,
    },
    /// The writer begins with the first part, which says what the columns are.
    Parquet {
        file: Option<File>,
        writer: Option<Box<ArrowWriter<File>>>,
    },
}

impl TableFile {
    /// UTF-8 CSV with a header line.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn csv(path: &Path) -> Result<TableFile, StoreError> {
        let file = BufWriter::with_capacity(1 << 18, File::create(path).map_err(io("create", path))?);
        Ok(TableFile { path: path.to_owned(), form: Form::Csv { file, has_header: false } })
    }

    /// Parquet (zstd).
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn parquet(path: &Path) -> Result<TableFile, StoreError> {
        let file = Some(File::create(path).map_err(io("create", path))?);
        Ok(TableFile { path: path.to_owned(), form: Form::Parquet { file, writer: None } })
    }

    /// Adds rows.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::Encode`].
    pub fn append(&mut self, columns: &[OutColumn<'_>]) -> Result<(), StoreError> {
        let rows = checked_rows(columns);
        match &mut self.form {
            Form::Csv { file, has_header } => {
                let names = !std::mem::replace(has_header, true);
                append_csv(file, columns, rows, names).map_err(io("write", &self.path))
            }
            Form::Parquet { file, writer } => {
                let encode =
                    |e: &dyn std::fmt::Display| StoreError::Encode { path: self.path.clone(), reason: e.to_string() };
                let batch = batch_of(columns).map_err(|e| encode(&e))?;
                if let Some(file) = file.take() {
                    let begun = ArrowWriter::try_new(file, batch.schema(), Some(properties(columns)));
                    *writer = Some(Box::new(begun.map_err(|e| encode(&e))?));
                }
                let writer = writer.as_mut().expect("begun with the first part");
                writer.write(&batch).map_err(|e| encode(&e))
            }
        }
    }

    /// Ends the file.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::Encode`].
    pub fn finish(self) -> Result<(), StoreError> {
        let path = &self.path;
        match self.form {
            Form::Csv { mut file, .. } => file.flush().map_err(io("write", path)),
            Form::Parquet { writer: Some(writer), .. } => {
                let encode =
                    |e: &dyn std::fmt::Display| StoreError::Encode { path: path.clone(), reason: e.to_string() };
                writer.close().map(drop).map_err(|e| encode(&e))
            }
            Form::Parquet { writer: None, .. } => {
                Err(StoreError::Encode { path: path.clone(), reason: "a Parquet table needs columns".to_owned() })
            }
        }
    }
}

fn append_csv(
    file: &mut impl Write,
    columns: &[OutColumn<'_>],
    rows: usize,
    names: bool,
) -> Result<(), std::io::Error> {
    let mut line = Vec::with_capacity(256);
    if names {
        for (j, c) in columns.iter().enumerate() {
            if j > 0 {
                line.push(b',');
            }
            push_csv_text(&mut line, c.name);
        }
        line.push(b'\n');
    }
    for i in 0..rows {
        for (j, c) in columns.iter().enumerate() {
            if j > 0 {
                line.push(b',');
            }
            match c.data {
                OutData::Text(v) => push_csv_text(&mut line, &v[i]),
                OutData::Number(v) => push_csv_number(&mut line, v[i]),
                OutData::Integer(v) => write!(line, "{}", v[i])?,
            }
        }
        line.push(b'\n');
        file.write_all(&line)?;
        line.clear();
    }
    // a table without rows still has its header
    file.write_all(&line)
}

pub(crate) fn batch_of(columns: &[OutColumn<'_>]) -> Result<RecordBatch, ArrowError> {
    let mut fields = Vec::new();
    let mut arrays: Vec<ArrayRef> = Vec::new();
    for c in columns {
        let (kind, array): (DataType, ArrayRef) = match c.data {
            OutData::Text(v) => (DataType::Utf8, Arc::new(StringArray::from_iter_values(v))),
            OutData::Number(v) => {
                (DataType::Float64, Arc::new(v.iter().map(|&x| x.is_finite().then_some(x)).collect::<Float64Array>()))
            }
            OutData::Integer(v) => (DataType::Int64, Arc::new(Int64Array::from_iter_values(v.iter().copied()))),
        };
        fields.push(Field::new(c.name, kind, matches!(c.data, OutData::Number(_))));
        arrays.push(array);
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)
}

fn properties(columns: &[OutColumn<'_>]) -> WriterProperties {
    row_groups(columns, DEFAULT_MAX_ROW_GROUP_ROW_COUNT)
}

/// With so many rows of a group, which are in memory at a time.
pub(crate) fn row_groups(columns: &[OutColumn<'_>], rows: usize) -> WriterProperties {
    // measured numbers hardly repeat: a dictionary of them costs time and saves nothing
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_max_row_group_row_count(Some(rows));
    for c in columns.iter().filter(|c| matches!(c.data, OutData::Number(_))) {
        properties = properties.set_column_dictionary_enabled(ColumnPath::from(c.name), false);
    }
    properties.build()
}

pub(crate) fn checked_rows(columns: &[OutColumn<'_>]) -> usize {
    let rows = columns.first().map_or(0, |c| c.data.len());
    assert!(columns.iter().all(|c| c.data.len() == rows), "columns of one table have one length");
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

    #[test]
    fn csv_quotes_what_needs_it_and_leaves_the_infinite_empty() {
        let tmp = tempfile::tempdir().expect("a temporary folder");
        let path = tmp.path().join("t.csv");
        let ids = ["a,b".to_owned(), "say \"hi\"".to_owned()];
        let columns = [
            OutColumn { name: "id", data: OutData::Text(&ids) },
            OutColumn { name: "x", data: OutData::Number(&[0.1 + 0.2, f64::INFINITY]) },
            OutColumn { name: "n", data: OutData::Integer(&[-1, 2]) },
        ];
        write_csv(&path, &columns).expect("written");
        let text = std::fs::read_to_string(&path).expect("read");
        assert_eq!(text, "id,x,n\n\"a,b\",0.3,-1\n\"say \"\"hi\"\"\",,2\n");
    }

    #[test]
    fn parquet_reads_back_the_same_bits() {
        let tmp = tempfile::tempdir().expect("a temporary folder");
        let path = tmp.path().join("t.parquet");
        let x = [0.1 + 0.2, f64::INFINITY, 3.0];
        write_parquet(&path, &[OutColumn { name: "x", data: OutData::Number(&x) }]).expect("written");
        let file = File::open(&path).expect("opened");
        let mut reader = ParquetRecordBatchReaderBuilder::try_new(file).expect("parquet").build().expect("reader");
        let batch = reader.next().expect("a batch").expect("decoded");
        let column = batch.column(0).as_any().downcast_ref::<Float64Array>().expect("numbers");
        let back: Vec<Option<f64>> = column.iter().collect();
        assert_eq!(back, [Some(0.1 + 0.2), None, Some(3.0)]);
    }

    #[test]
    fn rounding_keeps_nine_digits_at_any_size() {
        for (x, want) in
            [(123_456_789_123.0, 123_456_789_000.0), (-1.000_000_001_4, -1.0), (5e-324, 5e-324), (0.0, 0.0)]
        {
            assert_eq!(significant(x), want, "{x}");
        }
    }
}
