//! Columns of a Parquet file with others behind them, sent as Parquet while they are written.
//!
//! The one idea: the columns that are kept go from file to file as they are, with the types that their file told; a group of
//! rows is encoded when there are enough of them, and its bytes are taken as soon as there are any.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::arrow::{ArrowWriter, add_encoded_arrow_schema_to_metadata};
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use crate::table_file::batch_of;
use crate::{OutColumn, OutData, StoreError};

/// Rows of a group, and the encoded bytes from which a group is ended before.
const GROUP: usize = 65_536;
const GROUP_BYTES: usize = 16 << 20;

/// Bytes that were written and not yet taken.
#[derive(Debug, Clone, Default)]
struct Waiting(Arc<Mutex<Vec<u8>>>);

impl io::Write for Waiting {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A Parquet table on its way.
pub struct ParquetStream {
    out: Waiting,
    /// What the kept columns are, as their file tells it.
    kept: Schema,
    /// Begins with the first rows, which say what the others are.
    writer: Option<Box<ArrowWriter<Waiting>>>,
}

impl std::fmt::Debug for ParquetStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ParquetStream").field("kept", &self.kept).finish_non_exhaustive()
    }
}

impl ParquetStream {
    /// Begins a table with columns of these kinds, to which others will be added.
    pub fn begin(kept: Schema) -> ParquetStream {
        ParquetStream { out: Waiting::default(), kept, writer: None }
    }

    /// Adds rows: the kept columns, and those that are added.
    ///
    /// # Errors
    /// [`StoreError::Encode`].
    pub fn append(&mut self, kept: Vec<ArrayRef>, added: &[OutColumn<'_>]) -> Result<(), StoreError> {
        let behind = batch_of(added).map_err(|e| encode(&e))?;
        let arrays: Vec<ArrayRef> = kept.into_iter().chain(behind.columns().iter().cloned()).collect();
        // texts come by their dictionary, and go as such
        let names = self.kept.fields().iter().map(|f| (f.name().clone(), f.is_nullable()));
        let added_kinds = behind.schema();
        let names = names.chain(added_kinds.fields().iter().map(|f| (f.name().clone(), f.is_nullable())));
        let fields: Vec<Field> =
            names.zip(&arrays).map(|((name, null), a)| Field::new(name, a.data_type().clone(), null)).collect();
        let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).map_err(|e| encode(&e))?;
        if self.writer.is_none() {
            self.writer = Some(Box::new(self.begun(&batch, added).map_err(|e| encode(&e))?));
        }
        let writer = self.writer.as_mut().expect("begun with the first rows");
        writer.write(&batch).map_err(|e| encode(&e))?;
        if writer.in_progress_size() > GROUP_BYTES {
            writer.flush().map_err(|e| encode(&e))?;
        }
        Ok(())
    }

    fn begun(
        &self,
        batch: &RecordBatch,
        added: &[OutColumn<'_>],
    ) -> Result<ArrowWriter<Waiting>, parquet::errors::ParquetError> {
        // readers are told the kinds of the kept columns' own file, and nothing of our dictionaries
        let told = self.kept.fields().iter().cloned().chain(added.iter().map(|c| {
            let kind = match c.data {
                OutData::Text(_) => DataType::Utf8,
                OutData::Number(_) => DataType::Float64,
                OutData::Integer(_) => DataType::Int64,
            };
            Arc::new(Field::new(c.name, kind, matches!(c.data, OutData::Number(_))))
        }));
        let told = Schema::new(told.collect::<Vec<_>>());
        let mut properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_max_row_group_row_count(Some(GROUP))
            .build();
        add_encoded_arrow_schema_to_metadata(&told, &mut properties);
        let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
        ArrowWriter::try_new_with_options(self.out.clone(), batch.schema(), options)
    }

    /// The bytes that were written since the last time.
    pub fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.out.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Ends the table, and gives its last bytes; none where there was no row.
    ///
    /// # Errors
    /// [`StoreError::Encode`].
    pub fn finish(&mut self) -> Result<Vec<u8>, StoreError> {
        if let Some(writer) = self.writer.take() {
            writer.close().map_err(|e| encode(&e))?;
        }
        Ok(self.take())
    }
}

fn encode(reason: &dyn std::fmt::Display) -> StoreError {
    StoreError::Encode { path: PathBuf::from("predictions.parquet"), reason: reason.to_string() }
}
