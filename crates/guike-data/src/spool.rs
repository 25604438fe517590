//! Rows on their way from a database into a temporary Parquet file of text.
//!
//! A log is looked at more than once (columns, formats, rows), and a database may not hold still that long: the copy does. It
//! is compressed, and memory does not grow with it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use guike_core::Progress;
use guike_db::{Stop, TakeRows};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use tempfile::{NamedTempFile, TempPath};

use crate::block::CELL_BYTES;
use crate::error::DataError;

/// Rows that are encoded at once.
const BATCH_ROWS: usize = 16_384;
/// Bytes of text that are encoded at once, where rows are long.
const BATCH_BYTES: usize = 16 << 20;
/// Rows per row group: what several threads read side by side.
const GROUP_ROWS: usize = 1 << 17;

/// A file that rows are written into.
pub(crate) struct Spool<'a> {
    name: PathBuf,
    folder: Option<&'a Path>,
    progress: &'a dyn Progress,
    open: Option<Open>,
}

struct Open {
    writer: ArrowWriter<NamedTempFile>,
    schema: Arc<Schema>,
    columns: Vec<StringBuilder>,
    rows: usize,
    bytes: usize,
}

impl<'a> Spool<'a> {
    /// A file in `folder`, or among the system's temporary ones, for rows of what errors call `name`.
    pub(crate) fn new(name: PathBuf, folder: Option<&'a Path>, progress: &'a dyn Progress) -> Spool<'a> {
        Spool { name, folder, progress, open: None }
    }

    fn failed(&self, error: impl std::fmt::Display) -> DataError {
        let folder = self.folder.map_or_else(std::env::temp_dir, Path::to_owned);
        let words = format!("a copy of {} cannot be kept in {}: {error}", self.name.display(), folder.display());
        DataError::io("write", &folder, std::io::Error::other(words))
    }

    fn flush(&mut self) -> Result<(), DataError> {
        let Some(open) = &mut self.open else { return Ok(()) };
        if open.rows == 0 {
            return Ok(());
        }
        let columns: Vec<ArrayRef> = open.columns.iter_mut().map(|c| Arc::new(c.finish()) as ArrayRef).collect();
        let rows = std::mem::take(&mut open.rows);
        open.bytes = 0;
        let batch = RecordBatch::try_new(Arc::clone(&open.schema), columns).map_err(|e| e.to_string());
        let written = batch.and_then(|batch| open.writer.write(&batch).map_err(|e| e.to_string()));
        written.map_err(|e| self.failed(e))?;
        self.progress.advance(rows as u64);
        Ok(self.progress.check()?)
    }

    /// Says something in the file about the file.
    pub(crate) fn mark(&mut self, key: &str, value: String) {
        if let Some(open) = &mut self.open {
            open.writer.append_key_value_metadata(KeyValue::new(key.to_owned(), value));
        }
    }

    /// The whole file, on disk; `None` where nobody named any column.
    pub(crate) fn finish(mut self) -> Result<Option<TempPath>, DataError> {
        self.flush()?;
        let Some(open) = self.open.take() else { return Ok(None) };
        let file = open.writer.into_inner().map_err(|e| self.failed(e))?;
        file.as_file().sync_all().map_err(|e| self.failed(e))?;
        Ok(Some(file.into_temp_path()))
    }
}

impl TakeRows for Spool<'_> {
    fn columns(&mut self, names: &[String]) -> Result<(), Stop> {
        let file = match self.folder {
            Some(folder) => NamedTempFile::new_in(folder),
            None => NamedTempFile::new(),
        };
        let file = file.map_err(|e| self.failed(e))?;
        let fields: Vec<Field> = names.iter().map(|name| Field::new(name, DataType::Utf8, true)).collect();
        let schema = Arc::new(Schema::new(fields));
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
            .set_statistics_enabled(EnabledStatistics::None)
            .set_max_row_group_row_count(Some(GROUP_ROWS))
            .build();
        let writer = ArrowWriter::try_new(file, Arc::clone(&schema), Some(properties)).map_err(|e| self.failed(e))?;
        let columns = names.iter().map(|_| StringBuilder::new()).collect();
        self.open = Some(Open { writer, schema, columns, rows: 0, bytes: 0 });
        Ok(())
    }

    fn waiting(&self) -> Result<(), Stop> {
        Ok(self.progress.check().map_err(DataError::from)?)
    }

    fn row(&mut self, cells: &[Option<&[u8]>]) -> Result<(), Stop> {
        let Some(open) = &mut self.open else { return Err("rows before columns".into()) };
        for (column, cell) in open.columns.iter_mut().zip(cells) {
            match cell {
                None => column.append_null(),
                Some(bytes) => {
                    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(CELL_BYTES)]);
                    column.append_value(text.trim());
                    open.bytes += text.len();
                }
            }
        }
        open.rows += 1;
        if open.rows == BATCH_ROWS || open.bytes > BATCH_BYTES {
            self.flush()?;
        }
        Ok(())
    }
}
