//! Parquet: typed columns straight from the file, only those that are needed, row groups on several threads.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};

use arrow_array::RecordBatch;
use arrow_schema::{DataType, Field, Schema};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::file::statistics::Statistics;

use crate::block::{Block, Column};
use crate::error::DataError;
use crate::input::Input;
use crate::quality::SourceInfo;
use crate::source::{Message, Piece, Shape, Stream};

/// Rows per block: its columns fit the second-level cache.
const BATCH_ROWS: usize = 32_768;
/// Blocks a reading thread may be ahead: half a million rows.
const AHEAD: usize = 16;
/// Rows from which formats are guessed.
const SAMPLE_ROWS: usize = 20_000;
/// Above this many rows of typed columns, duplicates are judged by the mapped columns alone: reading every other column as
/// well would cost more than all the rest of the import.
const WHOLE_ROW_LIMIT: u64 = 5_000_000;

/// A Parquet file.
#[derive(Debug)]
pub(crate) struct ParquetSource {
    pub(crate) input: Input,
    pub(crate) columns: Vec<String>,
    pub(crate) n_rows: u64,
    metadata: ArrowReaderMetadata,
}

fn damaged(input: &Input, error: impl std::fmt::Display) -> DataError {
    DataError::Damaged { path: input.path.clone(), detail: format!("its Parquet data cannot be read ({error})") }
}

impl ParquetSource {
    pub(crate) fn open(input: Input) -> Result<ParquetSource, DataError> {
        let file = input.file()?;
        let plain = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new()).map_err(|e| damaged(&input, e))?;
        // text keeps the file's dictionaries: names are then hashed once per page and not once per row
        let fields: Vec<Field> = plain.schema().fields().iter().map(as_dictionary).collect();
        let options = ArrowReaderOptions::new().with_schema(Arc::new(Schema::new(fields)));
        let metadata = ArrowReaderMetadata::try_new(Arc::clone(plain.metadata()), options).unwrap_or(plain);
        let columns = metadata.schema().fields().iter().map(|f| f.name().clone()).collect();
        let n_rows = u64::try_from(metadata.metadata().file_metadata().num_rows()).unwrap_or(0);
        Ok(ParquetSource { input, columns, n_rows, metadata })
    }

    /// Smallest and largest value by the row groups' statistics.
    pub(crate) fn range(&self, column: usize) -> Option<(i64, i64)> {
        let leaf = self.leaf(column)?;
        let mut range: Option<(i64, i64)> = None;
        for group in self.metadata.metadata().row_groups() {
            let (low, high) = match group.column(leaf).statistics()? {
                Statistics::Int64(s) => (*s.min_opt()?, *s.max_opt()?),
                Statistics::Int32(s) => (i64::from(*s.min_opt()?), i64::from(*s.max_opt()?)),
                _ => return None,
            };
            range = Some(range.map_or((low, high), |(a, b)| (a.min(low), b.max(high))));
        }
        range
    }

    /// The leaf of a flat column.
    fn leaf(&self, column: usize) -> Option<usize> {
        let name = &self.columns[column];
        let descriptor = self.metadata.parquet_schema();
        (0..descriptor.num_columns()).find(|&i| descriptor.column(i).path().parts() == [name.clone()])
    }

    fn builder(&self) -> Result<ParquetRecordBatchReaderBuilder<File>, DataError> {
        let file = self.input.file()?;
        Ok(ParquetRecordBatchReaderBuilder::new_with_metadata(file, self.metadata.clone()))
    }

    pub(crate) fn sample(&self) -> Result<Block, DataError> {
        let reader = self.builder()?.with_batch_size(SAMPLE_ROWS).with_limit(SAMPLE_ROWS).build();
        let batch = match reader.map_err(|e| damaged(&self.input, e))?.next() {
            Some(batch) => batch.map_err(|e| damaged(&self.input, e))?,
            None => return Ok(Block::default()),
        };
        let all: Vec<usize> = (0..self.columns.len()).collect();
        Ok(block(&batch, &all, &all, false))
    }

    pub(crate) fn stream(&self, wanted: &[usize], hash: bool) -> Result<Stream, DataError> {
        let n_groups = self.metadata.metadata().num_row_groups();
        let n_threads = rayon::current_num_threads().clamp(1, n_groups.max(1));
        let taken = Arc::new(AtomicU64::new(0));
        let mut parts = Vec::with_capacity(n_threads);
        for thread in 0..n_threads {
            let (sender, receiver) = sync_channel(AHEAD);
            let mut columns: Vec<usize> = if hash { (0..self.columns.len()).collect() } else { wanted.to_vec() };
            columns.sort_unstable();
            columns.dedup();
            let reader = GroupReader {
                input: self.input.clone(),
                metadata: self.metadata.clone(),
                columns,
                wanted: wanted.to_vec(),
                hash,
                sender,
                taken: Arc::clone(&taken),
            };
            std::thread::spawn(move || {
                for group in (thread..n_groups).step_by(n_threads) {
                    let end = reader.read(group);
                    if reader.sender.send(end.map(|()| None)).is_err() {
                        return;
                    }
                }
            });
            parts.push(receiver);
        }
        Ok(Stream::new(Shape::Ready, parts, n_groups, taken))
    }

    pub(crate) fn notes(&self) -> Vec<String> {
        let note = "duplicates were judged by the mapped columns alone, because the file has more than 5,000,000 rows";
        let judged = (!self.compares_whole_rows()).then(|| note.to_owned());
        self.input.origin().map(|o| o.notes.clone()).unwrap_or_default().into_iter().chain(judged).collect()
    }

    /// Whether duplicates are rows that agree in every column. Of a copy of a database they always are: its mapped columns
    /// alone may agree in millions of rows that are different by their ids.
    pub(crate) fn compares_whole_rows(&self) -> bool {
        let fields = self.metadata.schema().fields();
        let is_copy = fields.iter().all(|f| matches!(f.data_type(), DataType::Dictionary(..) | DataType::Utf8));
        is_copy || self.n_rows <= WHOLE_ROW_LIMIT
    }

    /// The table that was copied and those that were not, of a database.
    pub(crate) fn others(&self) -> Option<(&str, &[String])> {
        let origin = self.input.origin().filter(|o| !o.left_out.is_empty())?;
        Some((origin.table.as_deref()?, &origin.left_out))
    }

    pub(crate) fn info(&self) -> SourceInfo {
        let origin = self.input.origin();
        SourceInfo {
            file: self.input.short_name(),
            format: origin.map_or("parquet", |o| o.format).into(),
            header: true,
            sheets: origin.and_then(|o| o.table.clone()).into_iter().collect(),
            sheets_left_out: origin.map(|o| o.left_out.clone()).unwrap_or_default(),
            columns: self.columns.clone(),
            bytes: self.input.bytes,
            ..SourceInfo::default()
        }
    }
}

fn as_dictionary(field: &Arc<Field>) -> Field {
    let text = matches!(field.data_type(), DataType::Utf8 | DataType::LargeUtf8);
    if text {
        let data_type = DataType::Dictionary(Box::new(DataType::Int32), Box::new(field.data_type().clone()));
        field.as_ref().clone().with_data_type(data_type)
    } else {
        field.as_ref().clone()
    }
}

/// One thread's reader of row groups.
struct GroupReader {
    input: Input,
    metadata: ArrowReaderMetadata,
    columns: Vec<usize>,
    wanted: Vec<usize>,
    hash: bool,
    sender: SyncSender<Message>,
    taken: Arc<AtomicU64>,
}

impl GroupReader {
    fn read(&self, group: usize) -> Result<(), DataError> {
        let file = self.input.file()?;
        let mask = ProjectionMask::roots(self.metadata.parquet_schema(), self.columns.iter().copied());
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(file, self.metadata.clone())
            .with_row_groups(vec![group])
            .with_projection(mask)
            .with_batch_size(BATCH_ROWS)
            .build()
            .map_err(|e| damaged(&self.input, e))?;
        for batch in reader {
            let batch = batch.map_err(|e| damaged(&self.input, e))?;
            let block = block(&batch, &self.columns, &self.wanted, self.hash);
            if self.sender.send(Ok(Some(Piece::Ready(block)))).is_err() {
                return Ok(());
            }
        }
        let size = self.metadata.metadata().row_group(group).compressed_size();
        self.taken.fetch_add(u64::try_from(size).unwrap_or(0), Ordering::Relaxed);
        Ok(())
    }
}

/// The `wanted` of the `present` columns of a batch.
fn block(batch: &RecordBatch, present: &[usize], wanted: &[usize], hash: bool) -> Block {
    let n_rows = batch.num_rows();
    let nothing =
        || Column::Text { bytes: arrow_buffer::Buffer::from_vec(Vec::<u8>::new()), spans: vec![(0, 0); n_rows] };
    let all: Vec<Column> =
        batch.columns().iter().map(|array| Column::from_arrow(array).unwrap_or_else(nothing)).collect();
    let mut hashes = Vec::new();
    if hash {
        hashes = vec![0; n_rows];
        all.iter().for_each(|c| c.hash_into(&mut hashes));
    }
    let slot = |c: usize| present.iter().position(|&p| p == c).expect("every wanted column is read");
    let columns = wanted.iter().map(|&c| all[slot(c)].clone()).collect();
    Block { columns, n_rows, n_source_rows: n_rows, hash: hashes, ..Block::default() }
}
