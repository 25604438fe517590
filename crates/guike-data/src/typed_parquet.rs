//! The short way in for typed Parquet logs: numbers stay numbers, row groups are decoded on threads.
//!
//! A log whose customers are integers, whose times are timestamps and whose amounts are numbers needs no text, no
//! guessing of formats and, where the customers' numbers are dense, no dictionary: code = number − smallest number, as
//! the file's own statistics tell. Each thread packs what it decodes at once, so that a row is never held unpacked for
//! longer than a run. Nothing is cleaned here: rows without customer, time or amount are counted and left out. Logs
//! that do not fit this mould go through the general reader.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int32Type, Int64Type, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
};
use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use guike_core::{EventKind, Events, Money, Progress, SECONDS_PER_DAY};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::file::statistics::Statistics;
use rayon::prelude::*;
use rustc_hash::FxHashMap;

use crate::driver::CustomerNames;
use crate::error::DataError;
use crate::numbers::float_micros;
use crate::packed::{RUN_ROWS, Run};
use crate::partition::{PartitionConfig, Partitioned, Partitioner};
use crate::rows::{RowBatch, RowColumns, RowSink};

/// Which columns of the file play which role.
#[derive(Debug, Clone, Copy)]
pub struct TypedColumns<'a> {
    /// Integer numbers of the customers.
    pub customer: &'a str,
    /// Timestamps or dates.
    pub time: &'a str,
    /// Floating-point, integer or decimal amounts in currency units.
    pub amount: &'a str,
    /// Integer numbers of the items.
    pub item: Option<&'a str>,
    /// Category names.
    pub category: Option<&'a str>,
}

/// A typed log, partitioned by customer.
#[derive(Debug)]
pub struct TypedLog {
    /// The rows.
    pub rows: Partitioned,
    /// Names of the category codes, in the order of first sight.
    pub categories: Vec<String>,
    /// Rows without customer, time or amount, or with an amount beyond the largest.
    pub rows_left_out: u64,
    customers: Customers,
}

#[derive(Debug)]
enum Customers {
    Range { first: i64 },
    Numbers { ids: Vec<i64>, rank: Vec<u32> },
}

impl TypedLog {
    /// Who the customer codes are; in results customers ascend by number.
    pub fn customers(&self) -> CustomerNames<'_> {
        match &self.customers {
            Customers::Range { first } => CustomerNames::Range { first: *first },
            Customers::Numbers { ids, rank } => CustomerNames::Numbers { ids, rank },
        }
    }
}

/// Reads and partitions a typed log; `None` when its columns are not of the types this way serves.
///
/// # Errors
/// When the file cannot be read or is damaged, rows cannot be kept, or the caller asked to stop.
pub fn read_typed_parquet(
    path: &Path,
    columns: TypedColumns<'_>,
    config: PartitionConfig,
    progress: &dyn Progress,
) -> Result<Option<TypedLog>, DataError> {
    let file = File::open(path).map_err(|e| DataError::io("read", path, e))?;
    let options = ArrowReaderOptions::new();
    let plain = ArrowReaderMetadata::load(&file, options.clone()).map_err(|e| damaged(path, &e))?;
    let Some(schema) = expected_schema(plain.schema(), columns) else { return Ok(None) };
    // names as dictionaries: the file stores them so, and each is looked at once per page instead of once per row
    let Ok(metadata) = ArrowReaderMetadata::try_new(plain.metadata().clone(), options.with_schema(schema)) else {
        return Ok(None);
    };
    let item_range = match columns.item {
        Some(name) => match range_of(&metadata, name) {
            Some((first, last)) if width(first, last) < u64::from(Events::MISSING) => Some(first),
            _ => return Ok(None),
        },
        None => None,
    };
    let n_rows = metadata.metadata().file_metadata().num_rows().max(0) as u64;
    // numbers that fill at least a quarter of their range need no dictionary
    let dense = range_of(&metadata, columns.customer)
        .filter(|&(first, last)| width(first, last) < (4 * n_rows).max(1 << 20).min(u64::from(u32::MAX)))
        .map(|(first, _)| first);

    let mut partitioner = Partitioner::new(config);
    let row_columns =
        RowColumns { item: columns.item.is_some(), category: columns.category.is_some(), ..RowColumns::default() };
    partitioner.begin(row_columns, Some(n_rows))?;
    let source = Source { path: path.to_owned(), metadata, columns, row_columns, dense, item_first: item_range };
    let mut merge = Merge::default();
    let groups: Vec<usize> = (0..source.metadata.metadata().num_row_groups()).collect();
    progress.stage("read", n_rows);
    // as many row groups at a time as there are threads: what is decoded ahead stays small
    for wave in groups.chunks(rayon::current_num_threads().max(1)) {
        progress.check()?;
        let bits = partitioner.bits();
        let decoded: Vec<Decoded> =
            wave.par_iter().map(|&group| source.decode(group, bits)).collect::<Result<_, DataError>>()?;
        for part in decoded {
            let runs = merge.take(part, row_columns, bits);
            progress.advance(runs.iter().map(Run::rows).sum());
            partitioner.push_runs(runs)?;
        }
    }
    let customers = match dense {
        Some(first) => Customers::Range { first },
        None => merge.ranked(),
    };
    let rows = partitioner.finish()?;
    Ok(Some(TypedLog { rows, categories: merge.categories, rows_left_out: merge.left_out, customers }))
}

fn damaged(path: &Path, error: &dyn std::fmt::Display) -> DataError {
    DataError::Damaged { path: path.to_owned(), detail: error.to_string() }
}

fn width(first: i64, last: i64) -> u64 {
    last.wrapping_sub(first) as u64
}

/// The schema to read the file with, or `None` when a column is absent or of another type.
fn expected_schema(schema: &Schema, columns: TypedColumns<'_>) -> Option<Arc<Schema>> {
    let kind = |name: &str| Some(schema.field_with_name(name).ok()?.data_type().clone());
    let integer = |name: &str| kind(name).is_some_and(|t| matches!(t, DataType::Int32 | DataType::Int64));
    let time = matches!(kind(columns.time)?, DataType::Timestamp(_, None) | DataType::Date32);
    let number = |t: &DataType| {
        matches!(t, DataType::Float64 | DataType::Float32 | DataType::Int32 | DataType::Int64)
            || matches!(t, DataType::Decimal128(_, scale) if (0..=6).contains(scale))
    };
    let amount = number(&kind(columns.amount)?);
    if !(integer(columns.customer) && columns.item.is_none_or(integer) && time && amount) {
        return None;
    }
    let names = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let mut fields = Vec::new();
    for field in schema.fields() {
        fields.push(if Some(field.name().as_str()) == columns.category {
            let text = |t: &DataType| matches!(t, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
            match field.data_type() {
                t if text(t) => {}
                DataType::Dictionary(_, value) if text(value) => {}
                _ => return None,
            }
            Arc::new(Field::new(field.name(), names.clone(), field.is_nullable()))
        } else {
            field.clone()
        });
    }
    if columns.category.is_some_and(|c| schema.field_with_name(c).is_err()) {
        return None;
    }
    Some(Arc::new(Schema::new(fields)))
}

/// Smallest and largest value of an integer column, by the statistics of all row groups.
fn range_of(metadata: &ArrowReaderMetadata, name: &str) -> Option<(i64, i64)> {
    let parquet = metadata.parquet_schema();
    let at = (0..parquet.num_columns()).find(|&i| parquet.column(i).path().string() == name)?;
    let of_group = |statistics: &Statistics| match statistics {
        Statistics::Int64(s) => Some((*s.min_opt()?, *s.max_opt()?)),
        Statistics::Int32(s) => Some((i64::from(*s.min_opt()?), i64::from(*s.max_opt()?))),
        _ => None,
    };
    let mut range: Option<(i64, i64)> = None;
    for group in metadata.metadata().row_groups() {
        let (first, last) = of_group(group.column(at).statistics()?)?;
        range = Some(range.map_or((first, last), |(a, b)| (a.min(first), b.max(last))));
    }
    range
}

/// What every thread needs to decode a row group.
struct Source<'a> {
    path: PathBuf,
    metadata: ArrowReaderMetadata,
    columns: TypedColumns<'a>,
    row_columns: RowColumns,
    dense: Option<i64>,
    item_first: Option<i64>,
}

/// One decoded row group, category codes still its own.
#[derive(Default)]
struct Decoded {
    runs: Vec<Run>,
    /// Customer numbers and rows that await codes, where numbers are not dense.
    uncoded: Vec<(Vec<i64>, RowBatch)>,
    names: Vec<String>,
    left_out: u64,
}

impl Source<'_> {
    fn decode(&self, group: usize, bits: u32) -> Result<Decoded, DataError> {
        let damaged = |e: &dyn std::fmt::Display| damaged(&self.path, e);
        // a handle of its own: threads that share one would move each other's position
        let file = File::open(&self.path).map_err(|e| DataError::io("read", &self.path, e))?;
        let c = self.columns;
        let wanted = [Some(c.customer), Some(c.time), Some(c.amount), c.item, c.category];
        let mask = ProjectionMask::columns(self.metadata.parquet_schema(), wanted.into_iter().flatten());
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(file, self.metadata.clone())
            .with_projection(mask)
            .with_row_groups(vec![group])
            .with_batch_size(RUN_ROWS)
            .build()
            .map_err(|e| damaged(&e))?;
        let mut decoded = Decoded::default();
        let mut codes = FxHashMap::default();
        for batch in reader {
            let batch = batch.map_err(|e| damaged(&e))?;
            let (ids, mut rows) = self.interpret(&batch, &mut decoded, &mut codes);
            match self.dense {
                Some(first) => {
                    rows.customer = ids.iter().map(|id| id.wrapping_sub(first) as u32).collect();
                    decoded.runs.push(Run::build(&[rows], self.row_columns, bits));
                }
                None => decoded.uncoded.push((ids, rows)),
            }
        }
        Ok(decoded)
    }

    /// Customer numbers and rows, without their codes.
    fn interpret(
        &self,
        batch: &RecordBatch,
        decoded: &mut Decoded,
        codes: &mut FxHashMap<String, u32>,
    ) -> (Vec<i64>, RowBatch) {
        let column = |name: &str| batch.column_by_name(name).expect("projected by name");
        let c = self.columns;
        let mut ids = integers(column(c.customer));
        let time = seconds(column(c.time));
        let amount = micros(column(c.amount));
        let kind = amount.iter().map(|&a| if a < 0 { EventKind::Refund } else { EventKind::Purchase } as u8).collect();
        let mut rows = RowBatch { time, amount, kind, row: vec![0; batch.num_rows()], ..RowBatch::default() };
        if let (Some(name), Some(first)) = (c.item, self.item_first) {
            let array = column(name);
            let code = |v: &i64| v.wrapping_sub(first) as u32;
            rows.item = integers(array).iter().map(code).collect();
            mark_missing(array, &mut rows.item);
        }
        if let Some(name) = c.category {
            let array = column(name).as_dictionary::<Int32Type>();
            let names = array.values().as_string::<i32>();
            // the group's code of each dictionary entry
            let entry = |i: usize| {
                let name = names.value(i);
                codes.get(name).copied().unwrap_or_else(|| {
                    let code = decoded.names.len() as u32;
                    decoded.names.push(name.to_owned());
                    codes.insert(name.to_owned(), code);
                    code
                })
            };
            let map: Vec<u32> = (0..names.len()).map(entry).collect();
            let code = |&key: &i32| map.get(key as usize).copied().unwrap_or(Events::MISSING);
            rows.category = array.keys().values().iter().map(code).collect();
            mark_missing(column(name), &mut rows.category);
        }
        let limit = (Money::MAX_UNITS * Money::PER_UNIT as f64) as i64;
        let arrays = [c.customer, c.time, c.amount].map(column);
        let usable = |i: usize| arrays.iter().all(|a| a.is_valid(i)) && (-limit..=limit).contains(&rows.amount[i]);
        let complete = arrays.iter().all(|a| a.null_count() == 0);
        if !(complete && rows.amount.iter().all(|a| (-limit..=limit).contains(a))) {
            let keep: Vec<bool> = (0..batch.num_rows()).map(usable).collect();
            decoded.left_out += keep.iter().filter(|&&k| !k).count() as u64;
            filter(&mut ids, &keep);
            filter(&mut rows.time, &keep);
            filter(&mut rows.amount, &keep);
            filter(&mut rows.kind, &keep);
            filter(&mut rows.row, &keep);
            filter(&mut rows.item, &keep);
            filter(&mut rows.category, &keep);
        }
        (ids, rows)
    }
}

fn filter<T>(column: &mut Vec<T>, keep: &[bool]) {
    let mut kept = keep.iter();
    column.retain(|_| *kept.next().expect("one flag per row"));
}

fn mark_missing(array: &dyn Array, codes: &mut [u32]) {
    if array.null_count() > 0 {
        for (i, code) in codes.iter_mut().enumerate() {
            if array.is_null(i) {
                *code = Events::MISSING;
            }
        }
    }
}

fn integers(array: &dyn Array) -> Vec<i64> {
    match array.data_type() {
        DataType::Int32 => array.as_primitive::<Int32Type>().values().iter().map(|&v| i64::from(v)).collect(),
        _ => array.as_primitive::<Int64Type>().values().to_vec(),
    }
}

fn seconds(array: &dyn Array) -> Vec<i64> {
    let whole = |values: &[i64], per_second: i64| values.iter().map(|v| v.div_euclid(per_second)).collect();
    match array.data_type() {
        DataType::Date32 => {
            array.as_primitive::<Date32Type>().values().iter().map(|&d| i64::from(d) * SECONDS_PER_DAY).collect()
        }
        DataType::Timestamp(TimeUnit::Second, _) => array.as_primitive::<TimestampSecondType>().values().to_vec(),
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            array.as_primitive::<TimestampMillisecondType>().values().iter().map(|v| v.div_euclid(1000)).collect()
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            // a constant divisor: several times faster than one that is handed over
            array.as_primitive::<TimestampMicrosecondType>().values().iter().map(|v| v.div_euclid(1_000_000)).collect()
        }
        _ => whole(array.as_primitive::<TimestampNanosecondType>().values(), 1_000_000_000),
    }
}

/// Amounts in millionths; `i64::MAX` where no amount can be made of the number.
fn micros(array: &dyn Array) -> Vec<i64> {
    match array.data_type() {
        DataType::Float64 => {
            array.as_primitive::<Float64Type>().values().iter().map(|&v| float_micros(v).unwrap_or(i64::MAX)).collect()
        }
        DataType::Float32 => array
            .as_primitive::<Float32Type>()
            .values()
            .iter()
            .map(|&v| float_micros(f64::from(v)).unwrap_or(i64::MAX))
            .collect(),
        DataType::Decimal128(_, scale) => {
            let factor = 10_i128.pow((6 - *scale) as u32);
            let micro = |&v: &i128| v.checked_mul(factor).and_then(|m| i64::try_from(m).ok()).unwrap_or(i64::MAX);
            array.as_primitive::<Decimal128Type>().values().iter().map(micro).collect()
        }
        _ => integers(array).iter().map(|v| v.checked_mul(Money::PER_UNIT).unwrap_or(i64::MAX)).collect(),
    }
}

/// Brings row groups together in file order.
#[derive(Default)]
struct Merge {
    categories: Vec<String>,
    category_codes: FxHashMap<String, u32>,
    customers: FxHashMap<i64, u32>,
    ids: Vec<i64>,
    left_out: u64,
}

impl Merge {
    /// The group's runs, with global codes.
    fn take(&mut self, part: Decoded, columns: RowColumns, bits: u32) -> Vec<Run> {
        self.left_out += part.left_out;
        let mut runs = part.runs;
        let mut batches = Vec::with_capacity(part.uncoded.len());
        for (ids, mut rows) in part.uncoded {
            rows.customer = ids.iter().map(|&id| self.customer(id)).collect();
            batches.push(rows);
        }
        runs.par_extend(batches.into_par_iter().map(|rows| Run::build(&[rows], columns, bits)));
        let own: Vec<u32> = part.names.into_iter().map(|name| self.category(name)).collect();
        let same = own.iter().enumerate().all(|(i, &code)| i == code as usize);
        if !same {
            let map: Arc<[u32]> = own.into();
            runs.iter_mut().for_each(|run| run.category_codes = Some(map.clone()));
        }
        runs
    }

    fn customer(&mut self, id: i64) -> u32 {
        *self.customers.entry(id).or_insert_with(|| {
            self.ids.push(id);
            (self.ids.len() - 1) as u32
        })
    }

    fn category(&mut self, name: String) -> u32 {
        if let Some(&code) = self.category_codes.get(&name) {
            return code;
        }
        let code = self.categories.len() as u32;
        self.categories.push(name.clone());
        self.category_codes.insert(name, code);
        code
    }

    fn ranked(&mut self) -> Customers {
        let ids = std::mem::take(&mut self.ids);
        let mut by_id: Vec<u32> = (0..ids.len() as u32).collect();
        by_id.sort_unstable_by_key(|&code| ids[code as usize]);
        let mut rank = vec![0; ids.len()];
        for (place, &code) in by_id.iter().enumerate() {
            rank[code as usize] = place as u32;
        }
        Customers::Numbers { ids, rank }
    }
}
