//! The canonical log: Parquet, one row per event, sorted by customer and time, zstd, readable by any tool.
//!
//! Columns: `customer_id`, `time` (milliseconds), `kind` (by name), `amount` (decimal with six places: exact), and where
//! the log has them `quantity`, `item`, `category`, `order`. What rows cannot carry stands in the file's metadata: the
//! format's version, the currency, the order of item and category names (so that codes come back as they were),
//! attributes, customers without events, and the quality report of the import, so that the account of the original's
//! rows is not lost. Reading gives the log that was written, code for code; nothing is cleaned a second time.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use arrow_array::builder::{Float32Builder, UInt32Builder};
use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Float32Type, Int32Type, TimestampMillisecondType, UInt32Type};
use arrow_array::{
    ArrayRef, Decimal128Array, DictionaryArray, Int32Array, RecordBatch, StringArray, TimestampMillisecondArray,
};
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use guike_core::{Column, ColumnData, EventKind, EventLog, EventLogBuilder, Events, Table};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use crate::error::DataError;
use crate::import::Imported;
use crate::quality::{QualityReport, SourceInfo};

/// Version of the format. A change that old readers would misread raises it.
pub const CANONICAL_FORMAT: u32 = 1;

const FORMAT_KEY: &str = "guike.format";
const HEADER_KEY: &str = "guike.header";
/// Rows that are written and read at once.
const BATCH_ROWS: usize = 1 << 16;
/// 10^12 units, the largest amount of an event, have 19 digits in millionths.
const AMOUNT: DataType = DataType::Decimal128(19, 6);

/// What rows cannot carry.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Header {
    currency: Option<String>,
    items: Vec<String>,
    categories: Vec<String>,
    /// Attributes, numbers with `null` for missing.
    attributes: Vec<Attribute>,
    /// All customers, only where some have no event and so no row.
    customers: Option<Vec<String>>,
    /// What the import read, kept and dropped.
    quality: Option<QualityReport>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Attribute {
    name: String,
    numbers: Option<Vec<Option<f64>>>,
    codes: Vec<u32>,
    levels: Vec<String>,
}

impl Attribute {
    fn of(column: &Column) -> Attribute {
        let name = column.name.clone();
        match &column.data {
            ColumnData::Numeric(v) => {
                let numbers = v.iter().map(|x| x.is_finite().then_some(*x)).collect();
                Attribute { name, numbers: Some(numbers), codes: Vec::new(), levels: Vec::new() }
            }
            ColumnData::Categorical { codes, levels } => {
                Attribute { name, numbers: None, codes: codes.clone(), levels: levels.clone() }
            }
        }
    }

    fn column(self) -> Column {
        let data = match self.numbers {
            Some(v) => ColumnData::Numeric(v.into_iter().map(|x| x.unwrap_or(f64::NAN)).collect()),
            None => ColumnData::Categorical { codes: self.codes, levels: self.levels },
        };
        Column { name: self.name, data }
    }
}

fn names_type() -> DataType {
    DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
}

fn damaged(path: &Path, detail: impl std::fmt::Display) -> DataError {
    DataError::Damaged { path: path.to_owned(), detail: detail.to_string() }
}

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
    let failed = |e: std::io::Error| DataError::io("write", path, e);
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    let schema = schema_of(log);
    let key = |key: &str, value: String| KeyValue::new(key.to_owned(), value);
    let header = serde_json::to_string(&header_of(log, quality)).map_err(|e| failed(e.into()))?;
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_key_value_metadata(Some(vec![key(FORMAT_KEY, CANONICAL_FORMAT.to_string()), key(HEADER_KEY, header)]))
        .build();
    let buffered = BufWriter::with_capacity(1 << 20, file);
    let io = |e: parquet::errors::ParquetError| failed(std::io::Error::other(e));
    let mut writer = ArrowWriter::try_new(buffered, schema.clone(), Some(properties)).map_err(io)?;
    let names = Names { items: dictionary(log.items()), categories: dictionary(log.categories()), kinds: kinds() };
    let mut customer = 0;
    let mut from = 0;
    while from < log.n_events() {
        let to = log.n_events().min(from + BATCH_ROWS);
        let batch =
            batch_of(log, &names, &schema, from, to, &mut customer).map_err(|e| failed(std::io::Error::other(e)))?;
        writer.write(&batch).map_err(io)?;
        from = to;
    }
    let mut buffered = writer.into_inner().map_err(io)?;
    buffered.flush().map_err(failed)?;
    let file = buffered.into_inner().map_err(|e| failed(e.into_error()))?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist(path).map_err(|e| failed(e.error))?;
    Ok(())
}

fn schema_of(log: &EventLog) -> Arc<Schema> {
    let e = log.all();
    let mut fields = vec![
        Field::new("customer_id", names_type(), false),
        Field::new("time", DataType::Timestamp(TimeUnit::Millisecond, None), false),
        Field::new("kind", names_type(), false),
        Field::new("amount", AMOUNT, false),
    ];
    let optional = [
        ("quantity", DataType::Float32, e.quantity.is_empty()),
        ("item", names_type(), e.item.is_empty()),
        ("category", names_type(), e.category.is_empty()),
        ("order", DataType::UInt32, e.order.is_empty()),
    ];
    let present = optional.into_iter().filter(|(_, _, absent)| !absent);
    fields.extend(present.map(|(name, kind, _)| Field::new(name, kind, true)));
    Arc::new(Schema::new(fields))
}

fn header_of(log: &EventLog, quality: &QualityReport) -> Header {
    let idle = log.offsets().windows(2).any(|w| w[0] == w[1]);
    Header {
        currency: log.currency().map(str::to_owned),
        items: log.items().to_vec(),
        categories: log.categories().to_vec(),
        attributes: log.attributes().map_or(Vec::new(), |t| t.columns().iter().map(Attribute::of).collect()),
        customers: idle.then(|| log.customer_ids().to_vec()),
        quality: Some(quality.clone()),
    }
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

fn kinds() -> ArrayRef {
    Arc::new(StringArray::from_iter_values(EventKind::ALL.map(EventKind::name)))
}

/// Rows `from..to`; `customer` is the one that row `from` belongs to, and moves on.
fn batch_of(
    log: &EventLog,
    names: &Names,
    schema: &Arc<Schema>,
    from: usize,
    to: usize,
    customer: &mut usize,
) -> Result<RecordBatch, arrow_schema::ArrowError> {
    let e = log.all().slice(from, to);
    let mut ids = Vec::new();
    let mut of_row = Vec::with_capacity(to - from);
    for row in from..to {
        while log.offsets()[*customer + 1] <= row as u64 {
            *customer += 1;
        }
        if row == from || log.offsets()[*customer] == row as u64 {
            ids.push(log.customer_ids()[*customer].as_str());
        }
        of_row.push(ids.len() as i32 - 1);
    }
    let named = |codes: &[u32], names: &ArrayRef| -> Result<ArrayRef, arrow_schema::ArrowError> {
        let key = |&c: &u32| (c != Events::MISSING).then_some(c as i32);
        Ok(Arc::new(DictionaryArray::try_new(Int32Array::from_iter(codes.iter().map(key)), names.clone())?))
    };
    let ms = e.time.iter().map(|t| {
        t.checked_mul(1000).ok_or_else(|| arrow_schema::ArrowError::ComputeError(format!("{t} s is no calendar time")))
    });
    let ms = ms.collect::<Result<Vec<i64>, _>>()?;
    let kind: Int32Array = e.kind.iter().map(|&k| Some(i32::from(k))).collect();
    let amount = Decimal128Array::from_iter_values(e.amount.iter().map(|&a| i128::from(a)));
    let ids: ArrayRef = Arc::new(StringArray::from_iter_values(ids));
    let mut columns: Vec<ArrayRef> = vec![
        Arc::new(DictionaryArray::try_new(Int32Array::from(of_row), ids)?),
        Arc::new(TimestampMillisecondArray::from(ms)),
        Arc::new(DictionaryArray::try_new(kind, names.kinds.clone())?),
        Arc::new(amount.with_data_type(AMOUNT)),
    ];
    if !e.quantity.is_empty() {
        let mut quantity = Float32Builder::with_capacity(e.len());
        e.quantity.iter().for_each(|&q| quantity.append_option((!q.is_nan()).then_some(q)));
        columns.push(Arc::new(quantity.finish()));
    }
    if !e.item.is_empty() {
        columns.push(named(e.item, &names.items)?);
    }
    if !e.category.is_empty() {
        columns.push(named(e.category, &names.categories)?);
    }
    if !e.order.is_empty() {
        let mut order = UInt32Builder::with_capacity(e.len());
        e.order.iter().for_each(|&o| order.append_option((o != Events::MISSING).then_some(o)));
        columns.push(Arc::new(order.finish()));
    }
    RecordBatch::try_new(schema.clone(), columns)
}

/// Whether the Parquet file at `path` bears the mark of a canonical log; what is no readable Parquet bears none.
pub(crate) fn is_canonical(path: &Path) -> bool {
    let metadata = File::open(path).ok().and_then(|f| ArrowReaderMetadata::load(&f, ArrowReaderOptions::new()).ok());
    metadata.is_some_and(|m| value_of(&m, FORMAT_KEY).is_some())
}

/// Reads a log that [`write_canonical`] wrote, and the report of its import.
///
/// # Errors
/// When the file cannot be read, is not a canonical log, is of a newer format, or its rows are not in order.
pub fn read_canonical(path: &Path) -> Result<Imported, DataError> {
    let file = File::open(path).map_err(|e| DataError::io("read", path, e))?;
    let not = |found: String| DataError::NotALog { path: path.to_owned(), found };
    let metadata = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new()).map_err(|e| damaged(path, e))?;
    let mut header = header_from(&metadata, &not)?;
    let schema = metadata.schema().clone();
    let expected = |name: &str, kind: &DataType| schema.field_with_name(name).is_ok_and(|f| f.data_type() == kind);
    let required = [
        ("customer_id", names_type()),
        ("time", DataType::Timestamp(TimeUnit::Millisecond, None)),
        ("kind", names_type()),
        ("amount", AMOUNT),
    ];
    if let Some((name, kind)) = required.iter().find(|(name, kind)| !expected(name, kind)) {
        return Err(damaged(path, format!("column `{name}` is not {kind}")));
    }
    let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata)
        .with_batch_size(BATCH_ROWS)
        .build()
        .map_err(|e| damaged(path, e))?;
    let quality = header.quality.take();
    let mut reading = Reading::new(&header);
    for batch in reader {
        let batch = batch.map_err(|e| damaged(path, e))?;
        reading.take(&batch).map_err(|detail| damaged(path, detail))?;
    }
    let builder = reading.builder;
    let log = build(builder, header).map_err(|detail| damaged(path, detail))?;
    let quality = quality.unwrap_or_else(|| report_of(&log));
    Ok(Imported { log, quality })
}

/// The report of a log whose import left none: every row is kept.
fn report_of(log: &EventLog) -> QualityReport {
    let rows = log.n_events() as u64;
    let span = log.purchase_span();
    QualityReport {
        sources: vec![SourceInfo { format: "parquet".into(), header: true, rows_read: rows, ..SourceInfo::default() }],
        rows_read: rows,
        rows_kept: rows,
        customers: log.n_customers() as u64,
        first_day: span.map(|s| s.0),
        last_day: span.map(|s| s.1),
        currency: log.currency().map(str::to_owned),
        ..QualityReport::default()
    }
}

fn value_of<'a>(metadata: &'a ArrowReaderMetadata, key: &str) -> Option<&'a str> {
    let pairs = metadata.metadata().file_metadata().key_value_metadata();
    pairs.into_iter().flatten().find(|p| p.key == key)?.value.as_deref()
}

fn header_from(metadata: &ArrowReaderMetadata, not: &dyn Fn(String) -> DataError) -> Result<Header, DataError> {
    let value = |key: &str| value_of(metadata, key);
    let Some(format) = value(FORMAT_KEY) else {
        return Err(not("a Parquet file without the mark of a canonical log (import it first)".to_owned()));
    };
    if format.parse::<u32>().ok().is_none_or(|f| f > CANONICAL_FORMAT) {
        return Err(not(format!(
            "a canonical log of format {format}, and this version reads up to {CANONICAL_FORMAT}"
        )));
    }
    let header = value(HEADER_KEY).and_then(|text| serde_json::from_str(text).ok());
    header.ok_or_else(|| not("a canonical log without a legible header".to_owned()))
}

/// Rows so far, and the codes of names.
struct Reading {
    builder: EventLogBuilder,
    items: FxHashMap<String, u32>,
    categories: FxHashMap<String, u32>,
}

fn codes_of(names: &[String]) -> FxHashMap<String, u32> {
    names.iter().enumerate().map(|(code, name)| (name.clone(), code as u32)).collect()
}

impl Reading {
    fn new(header: &Header) -> Reading {
        let builder = EventLogBuilder { offsets: vec![0], ..EventLogBuilder::default() };
        Reading { builder, items: codes_of(&header.items), categories: codes_of(&header.categories) }
    }

    fn take(&mut self, batch: &RecordBatch) -> Result<(), String> {
        let column = |name: &str| batch.column_by_name(name);
        let must = |name: &str| column(name).ok_or_else(|| format!("there is no column `{name}`"));
        let b = &mut self.builder;
        for id in texts(must("customer_id")?) {
            let id = id.ok_or("a row has no customer")?;
            if b.customer_ids.last().map(String::as_str) != Some(id) {
                b.customer_ids.push(id.to_owned());
                b.offsets.push(b.offsets.last().copied().unwrap_or(0));
            }
            *b.offsets.last_mut().expect("begins with 0") += 1;
        }
        let time = must("time")?.as_primitive::<TimestampMillisecondType>();
        b.time.extend(time.values().iter().map(|ms| ms.div_euclid(1000)));
        let kind = |name: &str| EventKind::ALL.into_iter().find(|k| k.name() == name);
        for name in texts(must("kind")?) {
            let known = name.and_then(kind).ok_or_else(|| format!("`{}` is no kind of event", name.unwrap_or("")))?;
            b.kind.push(known as u8);
        }
        for &amount in must("amount")?.as_primitive::<Decimal128Type>().values() {
            b.amount.push(i64::try_from(amount).map_err(|_| format!("amount {amount} is beyond 64 bits"))?);
        }
        if let Some(q) = column("quantity").and_then(|q| q.as_primitive_opt::<Float32Type>()) {
            b.quantity.extend(q.iter().map(|q| q.unwrap_or(f32::NAN)));
        }
        if let Some(o) = column("order").and_then(|o| o.as_primitive_opt::<UInt32Type>()) {
            b.order.extend(o.iter().map(|o| o.unwrap_or(Events::MISSING)));
        }
        for (name, codes, to) in [("item", &self.items, &mut b.item), ("category", &self.categories, &mut b.category)] {
            let Some(array) = column(name) else { continue };
            for text in texts(array) {
                let code = text.map_or(Some(Events::MISSING), |t| codes.get(t).copied());
                to.push(code.ok_or_else(|| format!("{name} `{}` is not in the header", text.unwrap_or("")))?);
            }
        }
        Ok(())
    }
}

/// The cells of a column of names.
fn texts(array: &ArrayRef) -> impl Iterator<Item = Option<&str>> {
    let array = array.as_dictionary_opt::<Int32Type>();
    let names = array.and_then(|a| a.values().as_string_opt::<i32>());
    let keys = array.into_iter().flat_map(|a| a.keys().iter());
    keys.map(move |key| key.and_then(|k| Some(names?.value(k as usize))))
}

/// Checks what the builder takes for granted, and builds.
fn build(mut b: EventLogBuilder, header: Header) -> Result<EventLog, String> {
    let rows = b.time.len();
    let optional = [b.quantity.len(), b.item.len(), b.category.len(), b.order.len()];
    if optional.iter().any(|&n| n != 0 && n != rows) || b.kind.len() != rows || b.amount.len() != rows {
        return Err("columns differ in length or type".to_owned());
    }
    for (id, w) in b.customer_ids.iter().zip(b.offsets.windows(2)) {
        if !b.time[w[0] as usize..w[1] as usize].is_sorted() {
            return Err(format!("the rows of customer `{id}` are not in the order of time"));
        }
    }
    if codes_of(&b.customer_ids).len() != b.customer_ids.len() {
        return Err("the rows of a customer are not together".to_owned());
    }
    if let Some(all) = header.customers {
        (b.customer_ids, b.offsets) = with_idle(all, &b.customer_ids, &b.offsets)?;
    }
    (b.items, b.categories, b.currency) = (header.items, header.categories, header.currency);
    if !header.attributes.is_empty() {
        let table = Table::new(header.attributes.into_iter().map(Attribute::column).collect());
        let table = table.map_err(|e| e.to_string())?;
        if table.n_rows() != b.customer_ids.len() {
            return Err(format!("{} attribute rows for {} customers", table.n_rows(), b.customer_ids.len()));
        }
        b.attributes = Some(table);
    }
    Ok(b.build())
}

/// The customers with those that have no row put back in their places.
fn with_idle(all: Vec<String>, with_rows: &[String], offsets: &[u64]) -> Result<(Vec<String>, Vec<u64>), String> {
    let mut placed = vec![0];
    let mut next = 0;
    for id in &all {
        if with_rows.get(next) == Some(id) {
            next += 1;
        }
        placed.push(offsets[next]);
    }
    if next == with_rows.len() {
        Ok((all, placed))
    } else {
        Err(format!("customer `{}` is not in the header", with_rows[next]))
    }
}
