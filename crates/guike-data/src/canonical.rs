//! The canonical log: Parquet, one row per event, sorted by customer and time, zstd, readable by any tool.
//!
//! Columns: `customer_id`, `time` (milliseconds), `kind` (by name), `amount` (decimal with six places: exact), and where
//! the log has them `quantity`, `item`, `category`, `order`. What rows cannot carry stands in the file's metadata: the
//! format's version, the currency, the order of item and category names (so that codes come back as they were),
//! attributes, customers without events, and the quality report of the import, so that the account of the original's
//! rows is not lost. Reading gives the log that was written, code for code, or refuses what is another one by its checksum;
//! nothing is cleaned a second time.

mod checksum;
mod writer;

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Float32Type, Int32Type, TimestampMillisecondType, UInt32Type};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Schema};
use guike_core::{Column, ColumnData, EventKind, EventLog, EventLogBuilder, Events, Table};
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use crate::error::DataError;
use crate::import::Imported;
use crate::quality::{QualityReport, SourceInfo};
use crate::rows::RowColumns;

pub use writer::{write_canonical, write_piecewise};

/// Version of the format. A change that old readers would misread raises it.
pub const CANONICAL_FORMAT: u32 = 1;

const FORMAT_KEY: &str = "guike.format";
const HEADER_KEY: &str = "guike.header";
/// Not there in a log of an earlier Guike, which is read as it is.
const CHECKSUM_KEY: &str = "guike.checksum";
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

/// Whether the Parquet file at `path` bears the mark of a canonical log; what is no readable Parquet bears none.
pub(crate) fn is_canonical(path: &Path) -> bool {
    let metadata = File::open(path).ok().and_then(|f| metadata_of(&f).ok());
    // each of them alone: a log whose mark is damaged is no other shop's file
    let marks = [FORMAT_KEY, HEADER_KEY, CHECKSUM_KEY];
    metadata.is_some_and(|m| marks.iter().any(|key| value_of(&m, key).is_some()))
}

/// Reads a log that [`write_canonical`] wrote, and the report of its import.
///
/// # Errors
/// When the file cannot be read, is not a canonical log, is of a newer format, its rows are not in order, or they are not those
/// that were written.
pub fn read_canonical(path: &Path) -> Result<Imported, DataError> {
    let file = File::open(path).map_err(|e| DataError::io("read", path, e))?;
    let not = |found: String| DataError::NotALog { path: path.to_owned(), found };
    let metadata = metadata_of(&file).map_err(|e| damaged(path, e))?;
    let mut header = header_from(&metadata, &not)?;
    let quality = header.quality.take();
    let said: Vec<String> =
        [FORMAT_KEY, HEADER_KEY].iter().filter_map(|key| value_of(&metadata, key)).map(str::to_owned).collect();
    let expected = value_of(&metadata, CHECKSUM_KEY).map(str::to_owned);
    let expected = match &expected {
        None => None,
        Some(expected) => Some(untouched(&file, path, expected)?),
    };
    // its types are those of this format: what else the file says of them is not believed
    let described = metadata.file_metadata().schema_descr();
    let has = |name: &str| described.columns().iter().any(|c| c.name() == name);
    let schema = writer::schema_of(RowColumns {
        quantity: has("quantity"),
        item: has("item"),
        category: has("category"),
        order: has("order"),
        ..RowColumns::default()
    });
    let rows = metadata.file_metadata().num_rows();
    let mut reading = Reading::new(&header);
    reading.reserve(&schema, rows).map_err(|detail| damaged(path, detail))?;
    let options = ArrowReaderOptions::new().with_schema(schema);
    let metadata = ArrowReaderMetadata::try_new(Arc::new(metadata), options).map_err(|e| damaged(path, e))?;
    let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata)
        .with_batch_size(BATCH_ROWS)
        .build()
        .map_err(|e| damaged(path, e))?;
    for batch in reader {
        let batch = batch.map_err(|e| damaged(path, e))?;
        reading.take(&batch).map_err(|detail| damaged(path, detail))?;
    }
    let builder = reading.builder;
    if let Some(expected) = expected {
        let found = checksum::of(&builder, &said.iter().map(String::as_str).collect::<Vec<&str>>());
        if found != expected {
            return Err(damaged(path, other_rows(&found, expected)));
        }
    }
    let log = build(builder, header).map_err(|detail| damaged(path, detail))?;
    let quality = quality.unwrap_or_else(|| report_of(&log));
    Ok(Imported { log, quality })
}

/// Whether the file's bytes are those that were written, up to its metadata; gives the checksum of its rows.
fn untouched<'a>(file: &File, path: &Path, expected: &'a str) -> Result<&'a str, DataError> {
    let mut parts = expected.splitn(3, ':');
    let (bytes, of_bytes, of_rows) = (parts.next(), parts.next(), parts.next());
    let (Some(bytes), Some(of_bytes), Some(of_rows)) = (bytes.and_then(|b| b.parse().ok()), of_bytes, of_rows) else {
        return Err(damaged(path, format!("`{expected}` is no checksum")));
    };
    let found = checksum::of_begin(file, bytes).map_err(|e| DataError::io("read", path, e))?;
    if found == of_bytes { Ok(of_rows) } else { Err(damaged(path, other_rows(&found, of_bytes))) }
}

fn other_rows(found: &str, expected: &str) -> String {
    format!("its rows have the checksum {found} where it says {expected}, so they are not those that were written")
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

fn metadata_of(file: &File) -> Result<ParquetMetaData, ParquetError> {
    ParquetMetaDataReader::new().parse_and_finish(file)
}

fn value_of<'a>(metadata: &'a ParquetMetaData, key: &str) -> Option<&'a str> {
    let pairs = metadata.file_metadata().key_value_metadata();
    pairs.into_iter().flatten().find(|p| p.key == key)?.value.as_deref()
}

fn header_from(metadata: &ParquetMetaData, not: &dyn Fn(String) -> DataError) -> Result<Header, DataError> {
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

    /// Makes room for all rows at once: columns that grow by doubling would hold up to twice their rows.
    fn reserve(&mut self, schema: &Schema, rows: i64) -> Result<(), String> {
        let rows = usize::try_from(rows).map_err(|_| format!("it tells of {rows} rows"))?;
        let too_many = |_| format!("it tells of {rows} rows, more than there is memory for");
        let has = |name: &str| schema.field_with_name(name).is_ok();
        let b = &mut self.builder;
        b.time.try_reserve_exact(rows).map_err(too_many)?;
        b.kind.try_reserve_exact(rows).map_err(too_many)?;
        b.amount.try_reserve_exact(rows).map_err(too_many)?;
        if has("quantity") {
            b.quantity.try_reserve_exact(rows).map_err(too_many)?;
        }
        for (name, column) in [("item", &mut b.item), ("category", &mut b.category), ("order", &mut b.order)] {
            if has(name) {
                column.try_reserve_exact(rows).map_err(too_many)?;
            }
        }
        Ok(())
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
