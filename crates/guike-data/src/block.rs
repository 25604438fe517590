//! A piece of the source as columns of raw cells, the same for text and for typed formats.
//!
//! Blocks are what threads work on: the reader cuts the source into pieces at row boundaries, each piece becomes a
//! [`Block`] and is then interpreted on its own. Text cells are spans of shared bytes, typed cells stay numbers.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Date64Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    Time32MillisecondType, Time32SecondType, Time64MicrosecondType, Time64NanosecondType, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type,
    UInt64Type,
};
use arrow_array::{Array, ArrayRef};
use arrow_buffer::{Buffer, NullBuffer, ScalarBuffer};
use arrow_schema::{DataType, TimeUnit};
use xxhash_rust::xxh3::xxh3_64;

/// From and to, in the column's bytes.
pub(crate) type Span = (u32, u32);

/// The raw cells of one column.
#[derive(Debug, Clone)]
pub(crate) enum Column {
    /// One span per row; an empty span is an empty cell.
    Text { bytes: Buffer, spans: Vec<Span> },
    /// Text by key; key `u32::MAX` is an empty cell.
    Coded { keys: Vec<u32>, bytes: Buffer, spans: Vec<Span> },
    /// Whole numbers.
    Ints { values: ScalarBuffer<i64>, nulls: Option<NullBuffer> },
    /// Fractions.
    Floats { values: ScalarBuffer<f64>, nulls: Option<NullBuffer> },
    /// Moments in ticks since 1970.
    Times { values: ScalarBuffer<i64>, nulls: Option<NullBuffer>, ticks_per_second: i64 },
}

/// A run of rows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Block {
    /// The columns that were asked for, in the order asked.
    pub(crate) columns: Vec<Column>,
    /// Rows in `columns`.
    pub(crate) n_rows: usize,
    /// Rows of the source in this block, misshapen ones included.
    pub(crate) n_source_rows: usize,
    /// Which row of the block each row of `columns` is; empty when all are well formed.
    pub(crate) positions: Vec<u32>,
    /// Rows with another number of cells than the header.
    pub(crate) misshapen: Vec<u32>,
    /// Hash of the whole raw row, one per row of `columns`, or empty.
    pub(crate) hash: Vec<u64>,
    /// Hashes of the misshapen rows, or empty.
    pub(crate) misshapen_hash: Vec<u64>,
}

impl Block {
    /// Which source row of the block row `i` of the columns is.
    #[inline]
    pub(crate) fn position(&self, i: usize) -> u32 {
        if self.positions.is_empty() { i as u32 } else { self.positions[i] }
    }
}

/// Rows of text per block, and rows of a table from which columns and formats are guessed.
pub(crate) const TEXT_ROWS: usize = 16_384;
/// Most bytes of text per block, below what a span can point at.
const TEXT_BYTES: usize = 64 << 20;
/// Most bytes of a cell: what is longer than any cell of a log is not read to its end.
pub(crate) const CELL_BYTES: usize = 1 << 20;

/// Rows of text on their way into a block, cell by cell.
#[derive(Debug)]
pub(crate) struct TextRows {
    text: Vec<u8>,
    spans: Vec<Vec<Span>>,
    /// The column of the next cell.
    column: usize,
}

impl TextRows {
    pub(crate) fn new(n_columns: usize) -> TextRows {
        TextRows { text: Vec::new(), spans: vec![Vec::new(); n_columns], column: 0 }
    }

    /// The next cell of the row at hand, without blanks around it; bytes that are no UTF-8 are replaced.
    pub(crate) fn push(&mut self, cell: Option<&[u8]>) {
        let from = self.text.len() as u32;
        if let Some(bytes) = cell {
            let text = String::from_utf8_lossy(&bytes[..bytes.len().min(CELL_BYTES)]);
            self.text.extend_from_slice(text.trim().as_bytes());
        }
        self.spans[self.column].push((from, self.text.len() as u32));
        self.column = (self.column + 1) % self.spans.len();
    }

    fn n_rows(&self) -> usize {
        self.spans.last().map_or(0, Vec::len)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.n_rows() == 0
    }

    /// Whether the rows make a block.
    pub(crate) fn is_full(&self) -> bool {
        self.n_rows() >= TEXT_ROWS || self.text.len() > TEXT_BYTES
    }

    /// The rows so far.
    pub(crate) fn finish(&mut self) -> Block {
        let n = self.n_rows();
        let bytes = Buffer::from_vec(std::mem::take(&mut self.text));
        let text = |spans: &mut Vec<Span>| Column::Text { bytes: bytes.clone(), spans: std::mem::take(spans) };
        Block { columns: self.spans.iter_mut().map(text).collect(), n_rows: n, n_source_rows: n, ..Block::default() }
    }
}

#[inline]
fn is_null(nulls: &Option<NullBuffer>, row: usize) -> bool {
    nulls.as_ref().is_some_and(|n| n.is_null(row))
}

impl Column {
    /// The cell's text; numbers are printed.
    pub(crate) fn cell_text(&self, row: usize) -> Vec<u8> {
        match self {
            Column::Text { bytes, spans } => bytes[spans[row].0 as usize..spans[row].1 as usize].to_vec(),
            Column::Coded { keys, bytes, spans } => match spans.get(keys[row] as usize) {
                Some(&(a, b)) => bytes[a as usize..b as usize].to_vec(),
                None => Vec::new(),
            },
            Column::Ints { nulls, .. } | Column::Floats { nulls, .. } | Column::Times { nulls, .. }
                if is_null(nulls, row) =>
            {
                Vec::new()
            }
            Column::Ints { values, .. } => values[row].to_string().into_bytes(),
            Column::Floats { values, .. } => {
                if values[row].is_nan() {
                    Vec::new()
                } else {
                    values[row].to_string().into_bytes()
                }
            }
            Column::Times { values, ticks_per_second, .. } => {
                guike_core::Timestamp(values[row].div_euclid(*ticks_per_second)).to_string().into_bytes()
            }
        }
    }

    /// Folds the cells into one running hash per row.
    pub(crate) fn hash_into(&self, hashes: &mut [u64]) {
        let fold = |h: &mut u64, v: u64| *h = (h.rotate_left(23) ^ v).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        match self {
            Column::Text { bytes, spans } => {
                for (h, &(a, b)) in hashes.iter_mut().zip(spans) {
                    fold(h, xxh3_64(&bytes[a as usize..b as usize]));
                }
            }
            Column::Coded { keys, bytes, spans } => {
                let of: Vec<u64> = spans.iter().map(|&(a, b)| xxh3_64(&bytes[a as usize..b as usize])).collect();
                for (h, &k) in hashes.iter_mut().zip(keys) {
                    fold(h, of.get(k as usize).copied().unwrap_or(1));
                }
            }
            Column::Ints { values, nulls } | Column::Times { values, nulls, .. } => {
                for (row, (h, &v)) in hashes.iter_mut().zip(values.iter()).enumerate() {
                    fold(h, if is_null(nulls, row) { 0x6e75_6c6c } else { v as u64 });
                }
            }
            Column::Floats { values, nulls } => {
                for (row, (h, &v)) in hashes.iter_mut().zip(values.iter()).enumerate() {
                    // every empty cell is alike, whatever bits stand behind it
                    fold(h, if is_null(nulls, row) || v.is_nan() { 0x6e75_6c6c } else { v.to_bits() });
                }
            }
        }
    }

    /// The column behind an Arrow array, or `None` for nested and other types that no role can use.
    pub(crate) fn from_arrow(array: &ArrayRef) -> Option<Column> {
        let nulls = array.nulls().cloned();
        macro_rules! ints {
            ($t:ty) => {
                Column::Ints { values: array.as_primitive::<$t>().values().iter().map(|&v| v as i64).collect(), nulls }
            };
        }
        let times =
            |values: ScalarBuffer<i64>, nulls, ticks_per_second| Column::Times { values, nulls, ticks_per_second };
        Some(match array.data_type() {
            DataType::Int64 => Column::Ints { values: array.as_primitive::<Int64Type>().values().clone(), nulls },
            DataType::Int32 => ints!(Int32Type),
            DataType::Int16 => ints!(Int16Type),
            DataType::Int8 => ints!(Int8Type),
            DataType::UInt8 => ints!(UInt8Type),
            DataType::UInt16 => ints!(UInt16Type),
            DataType::UInt32 => ints!(UInt32Type),
            DataType::UInt64 => ints!(UInt64Type),
            DataType::Float64 => Column::Floats { values: array.as_primitive::<Float64Type>().values().clone(), nulls },
            DataType::Float32 => Column::Floats {
                // the shortest decimal of the f32 is what the shop wrote: 11.77, not 11.770000457763672
                values: array
                    .as_primitive::<Float32Type>()
                    .values()
                    .iter()
                    .map(|v| v.to_string().parse().unwrap_or(f64::NAN))
                    .collect(),
                nulls,
            },
            DataType::Decimal128(_, scale) => {
                let divisor = 10_f64.powi(i32::from(*scale));
                let values = array.as_primitive::<Decimal128Type>().values();
                Column::Floats { values: values.iter().map(|&v| v as f64 / divisor).collect(), nulls }
            }
            DataType::Timestamp(unit, _) => match unit {
                TimeUnit::Second => times(array.as_primitive::<TimestampSecondType>().values().clone(), nulls, 1),
                TimeUnit::Millisecond => {
                    times(array.as_primitive::<TimestampMillisecondType>().values().clone(), nulls, 1_000)
                }
                TimeUnit::Microsecond => {
                    times(array.as_primitive::<TimestampMicrosecondType>().values().clone(), nulls, 1_000_000)
                }
                TimeUnit::Nanosecond => {
                    times(array.as_primitive::<TimestampNanosecondType>().values().clone(), nulls, 1_000_000_000)
                }
            },
            DataType::Date32 => times(
                array.as_primitive::<Date32Type>().values().iter().map(|&d| i64::from(d) * 86_400).collect(),
                nulls,
                1,
            ),
            DataType::Date64 => times(array.as_primitive::<Date64Type>().values().clone(), nulls, 1_000),
            DataType::Time32(_) | DataType::Time64(_) => {
                let time = seconds_of_day(array)?;
                let (mut bytes, mut spans) = (Vec::new(), Vec::with_capacity(time.len()));
                for seconds in time {
                    let start = bytes.len() as u32;
                    if let Some(s) = seconds {
                        let text = format!("{:02}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60);
                        bytes.extend_from_slice(text.as_bytes());
                    }
                    spans.push((start, bytes.len() as u32));
                }
                Column::Text { bytes: Buffer::from_vec(bytes), spans }
            }
            DataType::Boolean => {
                let values = array.as_boolean();
                Column::Ints { values: (0..values.len()).map(|i| i64::from(values.value(i))).collect(), nulls }
            }
            DataType::Utf8 => {
                let a = array.as_string::<i32>();
                Column::Text { bytes: a.values().clone(), spans: spans(a.value_offsets(), a.nulls())? }
            }
            DataType::LargeUtf8 => {
                let a = array.as_string::<i64>();
                Column::Text { bytes: a.values().clone(), spans: spans(a.value_offsets(), a.nulls())? }
            }
            DataType::Binary => {
                let a = array.as_binary::<i32>();
                Column::Text { bytes: a.values().clone(), spans: spans(a.value_offsets(), a.nulls())? }
            }
            DataType::LargeBinary => {
                let a = array.as_binary::<i64>();
                Column::Text { bytes: a.values().clone(), spans: spans(a.value_offsets(), a.nulls())? }
            }
            DataType::Utf8View => {
                let a = array.as_string_view();
                let (mut bytes, mut spans) = (Vec::new(), Vec::with_capacity(a.len()));
                for i in 0..a.len() {
                    let start = bytes.len() as u32;
                    if a.is_valid(i) {
                        bytes.extend_from_slice(a.value(i).as_bytes());
                    }
                    spans.push((start, bytes.len() as u32));
                }
                Column::Text { bytes: Buffer::from_vec(bytes), spans }
            }
            DataType::Dictionary(_, _) => {
                let dictionary = array.as_any_dictionary();
                let keys: Vec<u32> = dictionary.normalized_keys().iter().map(|&k| k as u32).collect();
                let empty = dictionary.values().is_empty();
                let keys = keys
                    .into_iter()
                    .enumerate()
                    .map(|(i, k)| if empty || dictionary.is_null(i) { u32::MAX } else { k })
                    .collect();
                match Column::from_arrow(dictionary.values())? {
                    Column::Text { bytes, spans } => Column::Coded { keys, bytes, spans },
                    _ => return None,
                }
            }
            DataType::Null => {
                Column::Text { bytes: Buffer::from_vec(Vec::<u8>::new()), spans: vec![(0, 0); array.len()] }
            }
            _ => return None,
        })
    }
}

/// Seconds since midnight of an array of times of day.
fn seconds_of_day(array: &ArrayRef) -> Option<Vec<Option<i64>>> {
    Some(match array.data_type() {
        DataType::Time32(TimeUnit::Second) => {
            array.as_primitive::<Time32SecondType>().iter().map(|v| v.map(i64::from)).collect()
        }
        DataType::Time32(_) => {
            array.as_primitive::<Time32MillisecondType>().iter().map(|v| v.map(|v| i64::from(v) / 1_000)).collect()
        }
        DataType::Time64(TimeUnit::Microsecond) => {
            array.as_primitive::<Time64MicrosecondType>().iter().map(|v| v.map(|v| v / 1_000_000)).collect()
        }
        DataType::Time64(_) => {
            array.as_primitive::<Time64NanosecondType>().iter().map(|v| v.map(|v| v / 1_000_000_000)).collect()
        }
        _ => return None,
    })
}

fn spans<O: Copy + TryInto<u32>>(offsets: &[O], nulls: Option<&NullBuffer>) -> Option<Vec<Span>> {
    let mut out = Vec::with_capacity(offsets.len().saturating_sub(1));
    for (i, w) in offsets.windows(2).enumerate() {
        let (a, b) = (w[0].try_into().ok()?, w[1].try_into().ok()?);
        out.push(if nulls.is_some_and(|n| n.is_null(i)) { (a, a) } else { (a, b) });
    }
    Some(out)
}
