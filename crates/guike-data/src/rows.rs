//! The seam between reading and sorting: batches of rows that survived row-level cleaning, and what goes with them.
//!
//! The reader pushes [`RowBatch`]es in file order into a [`RowSink`]; the partitioner behind it splits them by customer,
//! sorts every customer's rows by (time, source row), hands each customer to [`crate::clean::clean_customer`] as a
//! [`CustomerRows`] view and keeps what that leaves. Cells are numbers only: names live in the reader's dictionaries, and
//! come back as [`Dictionaries`] when reading is over.
//!
//! This module decides nothing: what a row means is the reader's business, where it lies is the partitioner's.

use crate::error::DataError;

/// Bits of [`RowBatch::flags`].
pub mod flag {
    /// The row belongs to an invoice that cancels an earlier one.
    pub const CANCELLATION: u8 = 1;
    /// The row names a code that is not goods (postage, fees, samples, corrections).
    pub const NON_GOODS: u8 = 2;
}

/// Which optional columns the batches of one import carry; the same for every batch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RowColumns {
    /// [`RowBatch::quantity`] is filled.
    pub quantity: bool,
    /// [`RowBatch::item`] is filled.
    pub item: bool,
    /// [`RowBatch::category`] is filled.
    pub category: bool,
    /// [`RowBatch::order`] is filled.
    pub order: bool,
    /// [`RowBatch::hash`] is filled; otherwise rows are compared by their typed cells.
    pub hash: bool,
    /// [`RowBatch::flags`] is filled; otherwise every flag is 0.
    pub flags: bool,
}

/// Rows that survived row-level cleaning, in the order of the source.
///
/// `customer`, `time`, `kind`, `amount` and `row` always have the same length; each other column has that length too, or
/// is empty when [`RowColumns`] says that the log has no such column.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RowBatch {
    /// Customer code, numbered in the order of first sight.
    pub customer: Vec<u32>,
    /// Seconds since the epoch, in the shop's civil time.
    pub time: Vec<i64>,
    /// `guike_core::EventKind` numbers.
    pub kind: Vec<u8>,
    /// Millionths of the currency unit, with sign.
    pub amount: Vec<i64>,
    /// Pieces, with sign; NaN where missing.
    pub quantity: Vec<f32>,
    /// Item codes; `Events::MISSING` where empty.
    pub item: Vec<u32>,
    /// Category codes; `Events::MISSING` where empty.
    pub category: Vec<u32>,
    /// Order codes; `Events::MISSING` where empty.
    pub order: Vec<u32>,
    /// Number of the source's data row, from 0 (header lines are not counted).
    pub row: Vec<u32>,
    /// xxh3 of the whole raw row: equal for exact duplicates.
    pub hash: Vec<u64>,
    /// Bits of [`flag`].
    pub flags: Vec<u8>,
}

impl RowBatch {
    /// Number of rows.
    pub fn len(&self) -> usize {
        self.time.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.time.is_empty()
    }

    /// Whether every column has the length that `columns` promises.
    pub fn fits(&self, columns: RowColumns) -> bool {
        let n = self.len();
        let optional = |filled: bool, len: usize| len == if filled { n } else { 0 };
        self.customer.len() == n
            && self.kind.len() == n
            && self.amount.len() == n
            && self.row.len() == n
            && optional(columns.quantity, self.quantity.len())
            && optional(columns.item, self.item.len())
            && optional(columns.category, self.category.len())
            && optional(columns.order, self.order.len())
            && optional(columns.hash, self.hash.len())
            && optional(columns.flags, self.flags.len())
    }
}

/// Takes rows while the source is read.
pub trait RowSink {
    /// Called once before the first batch. `rows_hint` is the number of rows in the source where its format says so.
    ///
    /// # Errors
    /// When there is no room to work in.
    fn begin(&mut self, columns: RowColumns, rows_hint: Option<u64>) -> Result<(), DataError>;

    /// Takes the next batch; never empty, and every batch fits the columns that [`RowSink::begin`] announced.
    ///
    /// # Errors
    /// When the rows cannot be kept (disk full, stopped on request).
    fn push(&mut self, batch: RowBatch) -> Result<(), DataError>;
}

/// The names behind the codes, when reading is over.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dictionaries {
    /// Customer ids in the log's final order (numeric when every id is an integer without leading zeros, else bytewise).
    pub customer_ids: Vec<String>,
    /// Final position of each customer code: `customer_ids[customer_rank[code]]` is the id of `code`.
    pub customer_rank: Vec<u32>,
    /// Item names by code.
    pub items: Vec<String>,
    /// Category names by code.
    pub categories: Vec<String>,
    /// Currency code or sign, where the log names one.
    pub currency: Option<String>,
}

/// One customer's rows sorted by (time, source row), open to correction.
///
/// Optional columns are empty exactly as in the batches. `keep` has one entry per row and is all true on entry; rows
/// whose entry is false afterwards are left out. Times, codes and order never change.
#[derive(Debug)]
pub struct CustomerRows<'a> {
    /// Seconds since the epoch, ascending.
    pub time: &'a [i64],
    /// `guike_core::EventKind` numbers.
    pub kind: &'a mut [u8],
    /// Millionths of the currency unit.
    pub amount: &'a mut [i64],
    /// Pieces, or empty.
    pub quantity: &'a mut [f32],
    /// Item codes, or empty.
    pub item: &'a [u32],
    /// Category codes, or empty.
    pub category: &'a [u32],
    /// Order codes, or empty.
    pub order: &'a [u32],
    /// Source rows.
    pub row: &'a [u32],
    /// Row hashes, or empty.
    pub hash: &'a [u64],
    /// Bits of [`flag`], or empty.
    pub flags: &'a [u8],
    /// Which rows stay.
    pub keep: &'a mut [bool],
}

impl CustomerRows<'_> {
    /// Number of rows, kept or not.
    pub fn len(&self) -> usize {
        self.time.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.time.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_fits_only_the_columns_it_carries() {
        let batch = RowBatch {
            customer: vec![0],
            time: vec![1],
            kind: vec![0],
            amount: vec![2],
            row: vec![0],
            ..Default::default()
        };
        assert!(batch.fits(RowColumns::default()));
        assert!(!batch.fits(RowColumns { item: true, ..Default::default() }));
    }
}
