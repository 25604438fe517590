//! Rows of a Parquet file as they stand in it, some thousands at a time.
//!
//! The one idea: only the columns that are wanted are decoded, texts stay in the dictionaries of the file, and a piece has
//! fewer rows where rows are wide; so the memory is that of the file's largest pages, however many rows it has. Cells mean
//! what they mean in [`crate::read_table`]. Columns of lists and records, which have no bound per row, are not read.

use std::borrow::Cow;
use std::fs::File;
use std::sync::Arc;

use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use guike_core::SECONDS_PER_DAY;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};

use crate::block::Column;

/// Rows of a piece, and the bytes that they may take.
const ROWS: usize = 8_192;
const BYTES: usize = 16 << 20;

/// Why the rows of a file cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParquetTrouble {
    /// It is no Parquet file, or damaged.
    #[error("it is no Parquet file, is damaged or cut off, or packed otherwise than with snappy, gzip or zstd")]
    Damaged,
    /// Two columns have this name.
    #[error("two columns are called `{0}`")]
    Twice(String),
    /// The column holds lists, records, or blobs.
    #[error("column `{0}` holds lists, records or other things than numbers, texts and dates")]
    Nested(String),
}

/// A cell.
#[derive(Debug, Clone, PartialEq)]
pub enum ParquetCell<'a> {
    /// Nothing stands there.
    Missing,
    /// A number; truth is 1 and 0.
    Number(f64),
    /// A moment, in days since 1970-01-01, and as text.
    Moment(f64, String),
    /// A text, without blanks around it.
    Text(Cow<'a, str>),
}

/// A file whose rows are about to be read.
#[derive(Debug)]
pub struct ParquetRows {
    file: File,
    metadata: ArrowReaderMetadata,
    /// As the file says it, without dictionaries.
    plain: Arc<Schema>,
}

/// The rows on their way.
pub struct ParquetPieces {
    reader: ParquetRecordBatchReader,
    /// Per wanted column its place among those that are read.
    places: Vec<usize>,
}

impl std::fmt::Debug for ParquetPieces {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ParquetPieces").field("places", &self.places).finish_non_exhaustive()
    }
}

/// Rows that were read together.
#[derive(Debug)]
pub struct ParquetPiece {
    batch: RecordBatch,
    columns: Vec<Column>,
    /// Per wanted column its place in the batch.
    places: Vec<usize>,
}

impl ParquetRows {
    /// Reads what a file says of itself.
    ///
    /// # Errors
    /// [`ParquetTrouble`].
    pub fn open(file: File) -> Result<ParquetRows, ParquetTrouble> {
        let plain = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new()).map_err(|_| ParquetTrouble::Damaged)?;
        let fields: Vec<Field> = plain.schema().fields().iter().map(|f| with_dictionary(f)).collect();
        let options = ArrowReaderOptions::new().with_schema(Arc::new(Schema::new(fields)));
        let metadata = ArrowReaderMetadata::try_new(Arc::clone(plain.metadata()), options);
        let rows = ParquetRows {
            file,
            metadata: metadata.map_err(|_| ParquetTrouble::Damaged)?,
            plain: Arc::clone(plain.schema()),
        };
        let names = rows.names();
        match names.iter().enumerate().find(|(i, n)| names[..*i].contains(n)) {
            Some((_, name)) => Err(ParquetTrouble::Twice((*name).to_owned())),
            None => Ok(rows),
        }
    }

    /// The names of the columns.
    pub fn names(&self) -> Vec<&str> {
        self.plain.fields().iter().map(|f| f.name().as_str()).collect()
    }

    /// What the columns of these names are, as the file says it.
    pub fn schema_of(&self, columns: &[usize]) -> Schema {
        Schema::new(columns.iter().map(|&c| Arc::clone(&self.plain.fields()[c])).collect::<Vec<_>>())
    }

    /// Reads the columns at these places.
    ///
    /// # Errors
    /// [`ParquetTrouble`].
    pub fn pieces(self, wanted: &[usize]) -> Result<ParquetPieces, ParquetTrouble> {
        for &c in wanted {
            let field = &self.plain.fields()[c];
            if !is_flat(field.data_type()) {
                return Err(ParquetTrouble::Nested(field.name().clone()));
            }
        }
        let mut read = wanted.to_vec();
        read.sort_unstable();
        read.dedup();
        let place = |c: &usize| read.binary_search(c).expect("every wanted column is read");
        let places = wanted.iter().map(place).collect();
        let mask = ProjectionMask::roots(self.metadata.parquet_schema(), read.iter().copied());
        let groups = self.metadata.metadata().row_groups();
        // by what the widest group says of itself
        let width = |g: &parquet::file::metadata::RowGroupMetaData| g.total_byte_size().max(0) / g.num_rows().max(1);
        let widest = groups.iter().map(width).max().unwrap_or(0).max(1);
        let rows = (BYTES / usize::try_from(widest).unwrap_or(BYTES).max(1)).clamp(1, ROWS);
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(self.file, self.metadata)
            .with_projection(mask)
            .with_batch_size(rows)
            .build()
            .map_err(|_| ParquetTrouble::Damaged)?;
        Ok(ParquetPieces { reader, places })
    }
}

impl ParquetPieces {
    /// The next rows; `None` after the last.
    ///
    /// # Errors
    /// [`ParquetTrouble::Damaged`].
    pub fn next_piece(&mut self) -> Result<Option<ParquetPiece>, ParquetTrouble> {
        let Some(batch) = self.reader.next() else { return Ok(None) };
        let batch = batch.map_err(|_| ParquetTrouble::Damaged)?;
        let columns: Option<Vec<Column>> = batch.columns().iter().map(Column::from_arrow).collect();
        let columns = columns.ok_or(ParquetTrouble::Damaged)?;
        Ok(Some(ParquetPiece { batch, columns, places: self.places.clone() }))
    }
}

impl ParquetPiece {
    /// How many rows there are.
    pub fn n_rows(&self) -> usize {
        self.batch.num_rows()
    }

    /// The cell of a row in the wanted column of this number.
    pub fn cell(&self, row: usize, wanted: usize) -> ParquetCell<'_> {
        let at = self.places[wanted];
        if self.batch.column(at).is_null(row) {
            return ParquetCell::Missing;
        }
        let trimmed = |bytes: &'_ [u8]| -> Option<String> {
            Some(String::from_utf8_lossy(bytes).trim().to_owned()).filter(|t| !t.is_empty())
        };
        match &self.columns[at] {
            Column::Ints { values, .. } => ParquetCell::Number(values[row] as f64),
            Column::Floats { values, .. } if values[row].is_nan() => ParquetCell::Missing,
            Column::Floats { values, .. } => ParquetCell::Number(values[row]),
            column @ Column::Times { values, ticks_per_second, .. } => {
                let days = values[row] as f64 / (*ticks_per_second * SECONDS_PER_DAY) as f64;
                ParquetCell::Moment(days, String::from_utf8_lossy(&column.cell_text(row)).into_owned())
            }
            Column::Text { bytes, spans } => {
                let (from, to) = spans[row];
                match std::str::from_utf8(&bytes[from as usize..to as usize]).map(str::trim) {
                    Ok("") => ParquetCell::Missing,
                    Ok(text) => ParquetCell::Text(Cow::Borrowed(text)),
                    Err(_) => trimmed(&bytes[from as usize..to as usize])
                        .map_or(ParquetCell::Missing, |t| ParquetCell::Text(Cow::Owned(t))),
                }
            }
            coded @ Column::Coded { .. } => {
                trimmed(&coded.cell_text(row)).map_or(ParquetCell::Missing, |t| ParquetCell::Text(Cow::Owned(t)))
            }
        }
    }

    /// The first rows of the wanted columns from this number on, as they stand in the file.
    pub fn kept(&self, rows: usize, from: usize) -> Vec<arrow_array::ArrayRef> {
        self.places[from..].iter().map(|&at| self.batch.column(at).slice(0, rows)).collect()
    }
}

/// Texts by their dictionary, so that one that stands in every row is there once.
fn with_dictionary(field: &Field) -> Field {
    let is_text = matches!(field.data_type(), DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
    if !is_text {
        return field.clone();
    }
    // the reader makes no dictionaries of views
    let value = if *field.data_type() == DataType::LargeUtf8 { DataType::LargeUtf8 } else { DataType::Utf8 };
    field.clone().with_data_type(DataType::Dictionary(Box::new(DataType::Int32), Box::new(value)))
}

/// Whether a cell of this type has a bound, or stays in a dictionary.
fn is_flat(kind: &DataType) -> bool {
    match kind {
        DataType::Dictionary(_, value) => {
            matches!(**value, DataType::Utf8 | DataType::LargeUtf8)
        }
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Boolean | DataType::Null => true,
        DataType::Decimal128(..) | DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 => true,
        DataType::Time32(_) | DataType::Time64(_) => true,
        other => other.is_integer() || matches!(other, DataType::Float32 | DataType::Float64),
    }
}
