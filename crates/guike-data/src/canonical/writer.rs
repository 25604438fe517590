//! Writing the canonical log, a batch of rows at a time.
//!
//! The one idea: batches have the same number of rows wherever pieces of the log begin, so that a log in memory and one in
//! pieces are the same file, byte for byte.

use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use arrow_array::builder::{Float32Builder, UInt32Builder};
use arrow_array::{
    ArrayRef, Decimal128Array, DictionaryArray, Int32Array, RecordBatch, StringArray, TimestampMillisecondArray,
};
use arrow_schema::{ArrowError, DataType, Field, Schema, TimeUnit};
use guike_core::{EventKind, EventLog, EventLogBuilder, Events, Progress, Quiet};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use tempfile::NamedTempFile;

use super::checksum::{Checksum, Through};
use super::{
    AMOUNT, Attribute, BATCH_ROWS, CANONICAL_FORMAT, CHECKSUM_KEY, FORMAT_KEY, HEADER_KEY, Header, names_type,
};
use crate::error::DataError;
use crate::piecewise::{PiecewiseLog, Reads};
use crate::quality::QualityReport;
use crate::rows::RowColumns;

/// Writes the log and its quality report to `path`; the file appears whole or not at all.
///
/// # Errors
/// When the file cannot be written.
///
/// # Example
/// ```
/// use guike_core::EventLogBuilder;
/// use guike_data::canonical::{read_canonical, write_canonical};
/// use guike_data::QualityReport;
///
/// let builder = EventLogBuilder {
///     customer_ids: vec!["U7".into()],
///     offsets: vec![0, 1],
///     time: vec![852_076_800],
///     kind: vec![0],
///     amount: vec![11_770_000],
///     ..Default::default()
/// };
/// let path = tempfile::tempdir().unwrap().keep().join("log.parquet");
/// write_canonical(&builder.build(), &QualityReport::default(), &path).unwrap();
/// assert_eq!(read_canonical(&path).unwrap().log.all().amount, [11_770_000]);
/// std::fs::write(&path, "no Parquet").unwrap();
/// assert!(read_canonical(&path).is_err());
/// # std::fs::remove_dir_all(path.parent().unwrap()).unwrap();
/// ```
pub fn write_canonical(log: &EventLog, quality: &QualityReport, path: &Path) -> Result<(), DataError> {
    write_whole(log, quality, path, &Quiet)
}

fn write_whole(log: &EventLog, quality: &QualityReport, path: &Path, progress: &dyn Progress) -> Result<(), DataError> {
    let idle = log.offsets().windows(2).any(|w| w[0] == w[1]);
    let e = log.all();
    let columns = RowColumns {
        quantity: !e.quantity.is_empty(),
        item: !e.item.is_empty(),
        category: !e.category.is_empty(),
        order: !e.order.is_empty(),
        ..RowColumns::default()
    };
    let header = Header {
        currency: log.currency().map(str::to_owned),
        items: log.items().to_vec(),
        categories: log.categories().to_vec(),
        attributes: log.attributes().map_or(Vec::new(), |t| t.columns().iter().map(Attribute::of).collect()),
        customers: idle.then(|| log.customer_ids().to_vec()),
        quality: Some(quality.clone()),
    };
    let mut writer = Writer::begin(&header, columns, path)?;
    writer.append(log, progress)?;
    writer.finish()
}

/// The same of a log in pieces.
///
/// # Errors
/// When the file cannot be written, a temporary file cannot be read, or the caller asked to stop.
pub fn write_piecewise(
    log: &PiecewiseLog,
    quality: &QualityReport,
    path: &Path,
    progress: &dyn Progress,
) -> Result<(), DataError> {
    progress.stage("write the log", log.n_events() as u64);
    if let Some(whole) = log.in_memory() {
        return write_whole(whole, quality, path, progress);
    }
    let header = Header {
        currency: log.currency().map(str::to_owned),
        items: log.items().to_vec(),
        categories: log.categories().to_vec(),
        attributes: log.attributes().map_or(Vec::new(), |t| t.columns().iter().map(Attribute::of).collect()),
        customers: None,
        quality: Some(quality.clone()),
    };
    let mut writer = Writer::begin(&header, log.columns(), path)?;
    log.fold(
        Reads::Everything,
        |_, piece| Ok::<EventLog, DataError>(piece.clone()),
        |piece| writer.append(&piece, progress),
    )?;
    writer.finish()
}

/// A log that is being written; nothing of it is there unless it is finished.
struct Writer<'p> {
    path: &'p Path,
    parquet: ArrowWriter<Through<BufWriter<NamedTempFile>>>,
    schema: Arc<Schema>,
    columns: RowColumns,
    names: Names,
    header: String,
    checksum: Checksum,
    /// Rows that wait for a batch to be full.
    waiting: EventLogBuilder,
}

/// Dictionaries that all batches share.
struct Names {
    items: ArrayRef,
    categories: ArrayRef,
    kinds: ArrayRef,
}

fn dictionary(names: &[String]) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(names))
}

fn not_written(path: &Path) -> impl Fn(ParquetError) -> DataError {
    move |e| DataError::io("write", path, std::io::Error::other(e))
}

impl<'p> Writer<'p> {
    fn begin(header: &Header, columns: RowColumns, path: &'p Path) -> Result<Writer<'p>, DataError> {
        let failed = |e: std::io::Error| DataError::io("write", path, e);
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let file = NamedTempFile::new_in(folder).map_err(failed)?;
        let schema = schema_of(columns);
        let names = Names {
            items: dictionary(&header.items),
            categories: dictionary(&header.categories),
            kinds: Arc::new(StringArray::from_iter_values(EventKind::ALL.map(EventKind::name))),
        };
        let header = serde_json::to_string(header).map_err(|e| failed(e.into()))?;
        let properties = WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default())).build();
        let buffered = BufWriter::with_capacity(1 << 20, file);
        let parquet = ArrowWriter::try_new(Through::new(buffered), schema.clone(), Some(properties))
            .map_err(not_written(path))?;
        let (checksum, waiting) = (Checksum::default(), EventLogBuilder::default());
        Ok(Writer { path, parquet, schema, columns, names, header, checksum, waiting })
    }

    /// Puts the customers of `log` behind those before.
    fn append(&mut self, log: &EventLog, progress: &dyn Progress) -> Result<(), DataError> {
        for (customer, id) in log.customer_ids().iter().enumerate() {
            let events = log.customer(customer);
            if events.is_empty() {
                continue;
            }
            self.checksum.customer(id, events.len() as u64);
            let mut from = 0;
            while from < events.len() {
                let to = events.len().min(from + BATCH_ROWS - self.waiting.time.len());
                self.waiting.push_customer(id.clone(), events.slice(from, to));
                if self.waiting.time.len() == BATCH_ROWS {
                    self.flush()?;
                    progress.check()?;
                    progress.advance(BATCH_ROWS as u64);
                }
                from = to;
            }
        }
        Ok(())
    }

    /// Writes what waits.
    fn flush(&mut self) -> Result<(), DataError> {
        let mut rows = std::mem::take(&mut self.waiting);
        // what is missing is read back with these bits
        rows.quantity.iter_mut().filter(|q| q.is_nan()).for_each(|q| *q = f32::NAN);
        let e = Events {
            time: &rows.time,
            kind: &rows.kind,
            amount: &rows.amount,
            quantity: &rows.quantity,
            item: &rows.item,
            category: &rows.category,
            order: &rows.order,
        };
        self.checksum.rows(e);
        let failed = |e: ArrowError| DataError::io("write", self.path, std::io::Error::other(e));
        let batch = self.batch(&rows, e).map_err(failed)?;
        self.parquet.write(&batch).map_err(not_written(self.path))
    }

    fn batch(&self, rows: &EventLogBuilder, e: Events<'_>) -> Result<RecordBatch, ArrowError> {
        let mut of_row = Vec::with_capacity(e.len());
        for (customer, w) in rows.offsets.windows(2).enumerate() {
            of_row.resize(w[1] as usize, customer as i32);
        }
        let named = |codes: &[u32], names: &ArrayRef| -> Result<ArrayRef, ArrowError> {
            let key = |&c: &u32| (c != Events::MISSING).then_some(c as i32);
            Ok(Arc::new(DictionaryArray::try_new(Int32Array::from_iter(codes.iter().map(key)), names.clone())?))
        };
        let ms = e
            .time
            .iter()
            .map(|t| t.checked_mul(1000).ok_or_else(|| ArrowError::ComputeError(format!("{t} s is no calendar time"))));
        let ms = ms.collect::<Result<Vec<i64>, _>>()?;
        let kind: Int32Array = e.kind.iter().map(|&k| Some(i32::from(k))).collect();
        let amount = Decimal128Array::from_iter_values(e.amount.iter().map(|&a| i128::from(a)));
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(DictionaryArray::try_new(Int32Array::from(of_row), dictionary(&rows.customer_ids))?),
            Arc::new(TimestampMillisecondArray::from(ms)),
            Arc::new(DictionaryArray::try_new(kind, self.names.kinds.clone())?),
            Arc::new(amount.with_data_type(AMOUNT)),
        ];
        if self.columns.quantity {
            let mut quantity = Float32Builder::with_capacity(e.len());
            e.quantity.iter().for_each(|&q| quantity.append_option((!q.is_nan()).then_some(q)));
            columns.push(Arc::new(quantity.finish()));
        }
        if self.columns.item {
            columns.push(named(e.item, &self.names.items)?);
        }
        if self.columns.category {
            columns.push(named(e.category, &self.names.categories)?);
        }
        if self.columns.order {
            let mut order = UInt32Builder::with_capacity(e.len());
            e.order.iter().for_each(|&o| order.append_option((o != Events::MISSING).then_some(o)));
            columns.push(Arc::new(order.finish()));
        }
        RecordBatch::try_new(self.schema.clone(), columns)
    }

    /// Writes the rest, and makes the file appear.
    fn finish(mut self) -> Result<(), DataError> {
        if !self.waiting.time.is_empty() {
            self.flush()?;
        }
        let Writer { path, mut parquet, header, checksum, .. } = self;
        let format = CANONICAL_FORMAT.to_string();
        let failed = |e: std::io::Error| DataError::io("write", path, e);
        parquet.flush().map_err(not_written(path))?;
        parquet.sync().map_err(failed)?;
        let (bytes, of_bytes) = parquet.inner().so_far();
        let checksum = format!("{bytes}:{of_bytes}:{}", checksum.finish(&[&format, &header]));
        for (key, value) in [(FORMAT_KEY, format), (HEADER_KEY, header), (CHECKSUM_KEY, checksum)] {
            parquet.append_key_value_metadata(KeyValue::new(key.to_owned(), value));
        }
        let mut buffered = parquet.into_inner().map_err(not_written(path))?.inner;
        buffered.flush().map_err(failed)?;
        let file = buffered.into_inner().map_err(|e| failed(e.into_error()))?;
        file.as_file().sync_all().map_err(failed)?;
        file.persist(path).map_err(|e| failed(e.error))?;
        Ok(())
    }
}

pub(super) fn schema_of(columns: RowColumns) -> Arc<Schema> {
    let mut fields = vec![
        Field::new("customer_id", names_type(), false),
        Field::new("time", DataType::Timestamp(TimeUnit::Millisecond, None), false),
        Field::new("kind", names_type(), false),
        Field::new("amount", AMOUNT, false),
    ];
    let optional = [
        ("quantity", DataType::Float32, columns.quantity),
        ("item", names_type(), columns.item),
        ("category", names_type(), columns.category),
        ("order", DataType::UInt32, columns.order),
    ];
    let present = optional.into_iter().filter(|(_, _, is_there)| *is_there);
    fields.extend(present.map(|(name, kind, _)| Field::new(name, kind, true)));
    Arc::new(Schema::new(fields))
}
