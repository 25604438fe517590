//! One partition at a time: its rows unpacked, brought together by customer, sorted by time, cleaned.
//!
//! Everything lives in buffers that a thread keeps from partition to partition. Two customers are never compared:
//! codes are dense, so a counting sort places them; a customer's few rows are sorted by (time, source order).

use guike_core::Events;

use crate::packed::{Run, column, lane_to_code};
use crate::partition::Cleaning;
use crate::quality::Ledger;
use crate::rows::{CustomerRows, RowColumns};

/// Columns of rows, in some order.
#[derive(Debug, Default)]
struct Columns {
    time: Vec<i64>,
    kind: Vec<u8>,
    amount: Vec<i64>,
    quantity: Vec<f32>,
    item: Vec<u32>,
    category: Vec<u32>,
    order: Vec<u32>,
    row: Vec<u32>,
    hash: Vec<u64>,
    flags: Vec<u8>,
}

impl Columns {
    fn clear(&mut self) {
        self.time.clear();
        self.kind.clear();
        self.amount.clear();
        self.quantity.clear();
        self.item.clear();
        self.category.clear();
        self.order.clear();
        self.row.clear();
        self.hash.clear();
        self.flags.clear();
    }

    /// Becomes the rows of `from` in the order `rows`.
    fn gather(&mut self, from: &Columns, rows: &[u32], cleaned: bool) {
        fn pick<T: Copy>(to: &mut Vec<T>, from: &[T], rows: &[u32]) {
            to.clear();
            if !from.is_empty() {
                to.extend(rows.iter().map(|&r| from[r as usize]));
            }
        }
        pick(&mut self.time, &from.time, rows);
        pick(&mut self.kind, &from.kind, rows);
        pick(&mut self.amount, &from.amount, rows);
        pick(&mut self.quantity, &from.quantity, rows);
        pick(&mut self.item, &from.item, rows);
        pick(&mut self.category, &from.category, rows);
        pick(&mut self.order, &from.order, rows);
        if cleaned {
            pick(&mut self.row, &from.row, rows);
            pick(&mut self.hash, &from.hash, rows);
            pick(&mut self.flags, &from.flags, rows);
        }
    }

    /// Leaves out the rows that are not kept.
    fn retain(&mut self, keep: &[bool]) {
        fn filter<T: Copy>(column: &mut Vec<T>, keep: &[bool]) {
            let mut kept = keep.iter();
            column.retain(|_| *kept.next().expect("one flag per row"));
        }
        // row, hash and flags end with the cleaning
        filter(&mut self.time, keep);
        filter(&mut self.kind, keep);
        filter(&mut self.amount, keep);
        filter(&mut self.quantity, keep);
        filter(&mut self.item, keep);
        filter(&mut self.category, keep);
        filter(&mut self.order, keep);
    }
}

/// What a thread keeps from partition to partition.
#[derive(Debug, Default)]
pub(crate) struct Buffers {
    /// Bytes read back from disk.
    pub(crate) block: Vec<u8>,
    customer: Vec<u32>,
    unsorted: Columns,
    sorted: Columns,
    /// Where each customer's rows begin; by local code, one entry more.
    starts: Vec<u32>,
    cursor: Vec<u32>,
    rows: Vec<u32>,
    keys: Vec<u64>,
    wide_keys: Vec<u128>,
    keep: Vec<bool>,
}

impl Buffers {
    /// Forgets the previous partition.
    pub(crate) fn clear(&mut self) {
        self.customer.clear();
        self.unsorted.clear();
    }

    /// Appends a partition's rows of runs in memory.
    pub(crate) fn take(&mut self, runs: &[Run], partition: usize, columns: RowColumns) {
        for run in runs {
            let (from, to) = (run.offsets[partition], run.offsets[partition + 1]);
            self.append(run, to - from, std::array::from_fn(|c| run.columns[c].segment(from, to)), columns);
        }
    }

    /// Appends `rows` rows of a run, given the bytes of each column.
    pub(crate) fn append(&mut self, run: &Run, rows: u32, bytes: [&[u8]; column::N], columns: RowColumns) {
        if rows == 0 {
            return;
        }
        let c = &run.columns;
        let to = &mut self.unsorted;
        c[column::CUSTOMER].unpack(bytes[column::CUSTOMER], rows, &mut self.customer, |v| v as u32);
        c[column::TIME].unpack(bytes[column::TIME], rows, &mut to.time, |v| v);
        c[column::KIND].unpack(bytes[column::KIND], rows, &mut to.kind, |v| v as u8);
        c[column::AMOUNT].unpack(bytes[column::AMOUNT], rows, &mut to.amount, |v| v);
        c[column::ROW].unpack(bytes[column::ROW], rows, &mut to.row, |v| v as u32);
        if columns.quantity {
            c[column::QUANTITY].unpack(bytes[column::QUANTITY], rows, &mut to.quantity, |v| f32::from_bits(v as u32));
        }
        if columns.item {
            c[column::ITEM].unpack(bytes[column::ITEM], rows, &mut to.item, lane_to_code);
        }
        if columns.category {
            let (packed, bytes) = (&c[column::CATEGORY], bytes[column::CATEGORY]);
            match &run.category_codes {
                None => packed.unpack(bytes, rows, &mut to.category, lane_to_code),
                Some(codes) => packed.unpack(bytes, rows, &mut to.category, |v| {
                    codes.get(lane_to_code(v) as usize).copied().unwrap_or(Events::MISSING)
                }),
            }
        }
        if columns.order {
            c[column::ORDER].unpack(bytes[column::ORDER], rows, &mut to.order, lane_to_code);
        }
        if columns.hash {
            c[column::HASH].unpack(bytes[column::HASH], rows, &mut to.hash, |v| v as u64);
        }
        if columns.flags {
            c[column::FLAGS].unpack(bytes[column::FLAGS], rows, &mut to.flags, |v| v as u8);
        }
    }

    /// Sorts and cleans what was appended.
    pub(crate) fn sort(
        &mut self,
        partition: u32,
        bits: u32,
        columns: RowColumns,
        clean: Option<Cleaning<'_>>,
        ledger: &mut Ledger,
    ) -> SortedPartition<'_> {
        let n = self.customer.len();
        self.group_by_customer();
        self.order_by_time();
        self.sorted.gather(&self.unsorted, &self.rows, clean.is_some());
        if let Some(clean) = clean {
            self.clean_customers(clean, columns, ledger);
        }
        SortedPartition { partition, bits, starts: &self.starts, columns: &self.sorted, n_rows_read: n }
    }

    /// Counting sort: `rows` becomes the rows by customer, in source order within each.
    fn group_by_customer(&mut self) {
        let n_codes = self.customer.iter().max().map_or(0, |&c| c as usize + 1);
        self.starts.clear();
        self.starts.resize(n_codes + 1, 0);
        for &c in &self.customer {
            self.starts[c as usize + 1] += 1;
        }
        for c in 0..n_codes {
            self.starts[c + 1] += self.starts[c];
        }
        self.cursor.clear();
        self.cursor.extend(&self.starts);
        self.rows.clear();
        self.rows.resize(self.customer.len(), 0);
        for (row, &c) in self.customer.iter().enumerate() {
            let at = &mut self.cursor[c as usize];
            self.rows[*at as usize] = row as u32;
            *at += 1;
        }
    }

    /// Sorts each customer's rows by (time, source order). Time and row share one 64-bit key wherever they fit.
    fn order_by_time(&mut self) {
        let time = &self.unsorted.time;
        let (Some(&min), Some(&max)) = (time.iter().min(), time.iter().max()) else { return };
        let row_bits = usize::BITS - time.len().leading_zeros();
        let narrow = (max.wrapping_sub(min) as u64) >> (64 - row_bits) == 0;
        let mask = (1_u64 << row_bits) - 1;
        for w in self.starts.windows(2) {
            let rows = &mut self.rows[w[0] as usize..w[1] as usize];
            if narrow {
                self.keys.clear();
                let key = |&r: &u32| (time[r as usize].wrapping_sub(min) as u64) << row_bits | u64::from(r);
                self.keys.extend(rows.iter().map(key));
                self.keys.sort_unstable();
                for (row, key) in rows.iter_mut().zip(&self.keys) {
                    *row = (key & mask) as u32;
                }
            } else {
                self.wide_keys.clear();
                let key = |&r: &u32| u128::from(time[r as usize].wrapping_sub(min) as u64) << 32 | u128::from(r);
                self.wide_keys.extend(rows.iter().map(key));
                self.wide_keys.sort_unstable();
                for (row, key) in rows.iter_mut().zip(&self.wide_keys) {
                    *row = *key as u32;
                }
            }
        }
    }

    /// Shows every customer to the cleaning and leaves out what it drops.
    fn clean_customers(&mut self, clean: Cleaning<'_>, columns: RowColumns, ledger: &mut Ledger) {
        fn part<T>(column: &[T], filled: bool, from: usize, to: usize) -> &[T] {
            if filled { &column[from..to] } else { &[] }
        }
        let s = &mut self.sorted;
        self.keep.clear();
        self.keep.resize(s.time.len(), true);
        for w in self.starts.windows(2) {
            let (from, to) = (w[0] as usize, w[1] as usize);
            if from == to {
                continue;
            }
            let mut rows = CustomerRows {
                time: &s.time[from..to],
                kind: &mut s.kind[from..to],
                amount: &mut s.amount[from..to],
                quantity: if columns.quantity { &mut s.quantity[from..to] } else { &mut [] },
                item: part(&s.item, columns.item, from, to),
                category: part(&s.category, columns.category, from, to),
                order: part(&s.order, columns.order, from, to),
                row: &s.row[from..to],
                hash: part(&s.hash, columns.hash, from, to),
                flags: part(&s.flags, columns.flags, from, to),
                keep: &mut self.keep[from..to],
            };
            clean(&mut rows, ledger);
        }
        if self.keep.iter().all(|&k| k) {
            return;
        }
        let mut kept = 0;
        let mut row = 0;
        for start in &mut self.starts {
            while row < *start as usize {
                kept += u32::from(self.keep[row]);
                row += 1;
            }
            *start = kept;
        }
        s.retain(&self.keep);
    }
}

/// The customers of one partition, sorted and cleaned.
#[derive(Debug)]
pub struct SortedPartition<'a> {
    partition: u32,
    bits: u32,
    starts: &'a [u32],
    columns: &'a Columns,
    n_rows_read: usize,
}

impl<'a> SortedPartition<'a> {
    /// Customer codes with at least one kept row, ascending, and their events.
    pub fn customers(&self) -> impl Iterator<Item = (u32, Events<'a>)> + use<'_, 'a> {
        let c = self.columns;
        let all = Events {
            time: &c.time,
            kind: &c.kind,
            amount: &c.amount,
            quantity: &c.quantity,
            item: &c.item,
            category: &c.category,
            order: &c.order,
        };
        let runs = self.starts.windows(2).enumerate().filter(|(_, w)| w[0] < w[1]);
        runs.map(move |(local, w)| {
            ((local as u32) << self.bits | self.partition, all.slice(w[0] as usize, w[1] as usize))
        })
    }

    /// Rows before cleaning.
    pub fn n_rows_read(&self) -> usize {
        self.n_rows_read
    }

    /// Rows kept.
    pub fn n_rows(&self) -> usize {
        self.columns.time.len()
    }
}
