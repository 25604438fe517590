//! Runs: a few ten thousand rows, grouped by partition, every column packed to the bytes that its values need.
//!
//! Within a run each column is stored as `base + scale × delta` with deltas of 0, 1, 2, 4 or 8 bytes: a constant kind
//! costs nothing, a category one byte, a moment four. Rows of one partition are adjacent and keep their source order, so
//! partition `p` of the whole log is the concatenation of the runs' segments `p`: no buffer per partition is ever grown,
//! and the order of the runs, not of the threads, decides.

use std::sync::Arc;

use guike_core::Events;

use crate::rows::{RowBatch, RowColumns};
use crate::seen::Seen;

/// Rows per run: the lanes of a run stay in the second-level cache, and row numbers fit two bytes.
pub(crate) const RUN_ROWS: usize = 1 << 16;

/// A hundredth of the currency unit, in millionths.
const CENT: i64 = 10_000;

/// One column of a run.
#[derive(Debug, Clone, Default)]
pub(crate) struct Packed {
    width: u8,
    base: i64,
    scale: i64,
    bytes: Vec<u8>,
}

impl Packed {
    /// Packs `lane`, whose value `i` goes to position `dest[i]`.
    fn pack(lane: &[i64], dest: &[u32]) -> Packed {
        let (Some(&min), Some(&max)) = (lane.iter().min(), lane.iter().max()) else { return Packed::default() };
        let range = max.wrapping_sub(min) as u64;
        // amounts are mostly whole cents: worth half their bytes; a range beyond 63 bits is left alone
        let small = range <= u64::from(u16::MAX) || range > i64::MAX as u64;
        let scale = if !small && lane.iter().all(|v| v % CENT == 0) { CENT } else { 1 };
        let mut packed = Packed { width: 0, base: min, scale, bytes: Vec::new() };
        let top = range / scale as u64;
        match top {
            0 => {}
            1..=0xff => packed.scatter::<1>(lane, dest),
            0x100..=0xffff => packed.scatter::<2>(lane, dest),
            0x1_0000..=0xffff_ffff => packed.scatter::<4>(lane, dest),
            _ => packed.scatter::<8>(lane, dest),
        }
        packed
    }

    fn scatter<const W: usize>(&mut self, lane: &[i64], dest: &[u32]) {
        self.width = W as u8;
        self.bytes = vec![0; lane.len() * W];
        let (cells, _) = self.bytes.as_chunks_mut::<W>();
        let put = |cell: &mut [u8; W], delta: i64| cell.copy_from_slice(&delta.to_le_bytes()[..W]);
        if self.scale == 1 {
            for (&v, &d) in lane.iter().zip(dest) {
                put(&mut cells[d as usize], v.wrapping_sub(self.base));
            }
        } else {
            let base = self.base / CENT;
            for (&v, &d) in lane.iter().zip(dest) {
                put(&mut cells[d as usize], v / CENT - base);
            }
        }
    }

    /// Bytes of positions `from..to`, of a column that is in memory.
    pub(crate) fn segment(&self, from: u32, to: u32) -> &[u8] {
        let w = usize::from(self.width);
        &self.bytes[from as usize * w..to as usize * w]
    }

    /// Length of a segment of `rows` rows.
    pub(crate) fn segment_len(&self, rows: u32) -> usize {
        rows as usize * usize::from(self.width)
    }

    /// Lets the bytes go, once they are on disk.
    pub(crate) fn forget(&mut self) {
        self.bytes = Vec::new();
    }

    /// Appends the values of a segment of `rows` rows to `out`.
    pub(crate) fn unpack<T>(&self, segment: &[u8], rows: u32, out: &mut Vec<T>, value: impl Fn(i64) -> T + Copy) {
        match self.width {
            0 => out.extend(std::iter::repeat_with(|| value(self.base)).take(rows as usize)),
            1 => self.widen::<1, T>(segment, out, value),
            2 => self.widen::<2, T>(segment, out, value),
            4 => self.widen::<4, T>(segment, out, value),
            _ => self.widen::<8, T>(segment, out, value),
        }
    }

    fn widen<const W: usize, T>(&self, segment: &[u8], out: &mut Vec<T>, value: impl Fn(i64) -> T) {
        let (cells, _) = segment.as_chunks::<W>();
        out.extend(cells.iter().map(|cell| {
            let mut wide = [0; 8];
            wide[..W].copy_from_slice(cell);
            value(self.base.wrapping_add(i64::from_le_bytes(wide).wrapping_mul(self.scale)))
        }));
    }
}

/// The columns of a run, by place.
pub(crate) mod column {
    pub(crate) const CUSTOMER: usize = 0;
    pub(crate) const TIME: usize = 1;
    pub(crate) const KIND: usize = 2;
    pub(crate) const AMOUNT: usize = 3;
    pub(crate) const QUANTITY: usize = 4;
    pub(crate) const ITEM: usize = 5;
    pub(crate) const CATEGORY: usize = 6;
    pub(crate) const ORDER: usize = 7;
    pub(crate) const ROW: usize = 8;
    pub(crate) const HASH: usize = 9;
    pub(crate) const FLAGS: usize = 10;
    pub(crate) const N: usize = 11;
}

/// Rows grouped by partition.
#[derive(Debug, Clone, Default)]
pub(crate) struct Run {
    /// Where each partition's rows begin, and the number of rows at the end.
    pub(crate) offsets: Vec<u32>,
    pub(crate) columns: [Packed; column::N],
    /// Log-wide category codes by the run's own, where these differ.
    pub(crate) category_codes: Option<Arc<[u32]>>,
    /// What the rows have shown.
    pub(crate) seen: Seen,
}

/// Codes with the missing one moved to 0, so that it does not cost four bytes.
fn code_to_lane(code: u32) -> i64 {
    i64::from(code.wrapping_add(1))
}

pub(crate) fn lane_to_code(lane: i64) -> u32 {
    (lane as u32).wrapping_sub(1)
}

const _: () = assert!(Events::MISSING == u32::MAX);

impl Run {
    /// Groups the rows of `batches` (at most a few [`RUN_ROWS`]) by the low `bits` of the customer code.
    pub(crate) fn build(batches: &[RowBatch], columns: RowColumns, bits: u32) -> Run {
        let mask = (1_u32 << bits) - 1;
        let rows: usize = batches.iter().map(RowBatch::len).sum();
        let mut offsets = vec![0_u32; (1 << bits) + 1];
        for code in batches.iter().flat_map(|b| &b.customer) {
            offsets[(code & mask) as usize + 1] += 1;
        }
        for p in 1..offsets.len() {
            offsets[p] += offsets[p - 1];
        }
        let mut next = offsets.clone();
        let mut dest = Vec::with_capacity(rows);
        for code in batches.iter().flat_map(|b| &b.customer) {
            let at = &mut next[(code & mask) as usize];
            dest.push(*at);
            *at += 1;
        }
        let mut run = Run { offsets, ..Run::default() };
        batches.iter().for_each(|b| run.seen.observe(&b.time, &b.kind));
        let mut lane: Vec<i64> = Vec::with_capacity(rows);
        let mut put = |at: usize, fill: &dyn Fn(&RowBatch, &mut Vec<i64>)| {
            lane.clear();
            batches.iter().for_each(|b| fill(b, &mut lane));
            run.columns[at] = Packed::pack(&lane, &dest);
        };
        put(column::CUSTOMER, &|b, l| l.extend(b.customer.iter().map(|&v| i64::from(v >> bits))));
        put(column::TIME, &|b, l| l.extend(&b.time));
        put(column::KIND, &|b, l| l.extend(b.kind.iter().map(|&v| i64::from(v))));
        put(column::AMOUNT, &|b, l| l.extend(&b.amount));
        put(column::ROW, &|b, l| l.extend(b.row.iter().map(|&v| i64::from(v))));
        if columns.quantity {
            put(column::QUANTITY, &|b, l| l.extend(b.quantity.iter().map(|v| i64::from(v.to_bits()))));
        }
        if columns.item {
            put(column::ITEM, &|b, l| l.extend(b.item.iter().map(|&v| code_to_lane(v))));
        }
        if columns.category {
            put(column::CATEGORY, &|b, l| l.extend(b.category.iter().map(|&v| code_to_lane(v))));
        }
        if columns.order {
            put(column::ORDER, &|b, l| l.extend(b.order.iter().map(|&v| code_to_lane(v))));
        }
        if columns.hash {
            put(column::HASH, &|b, l| l.extend(b.hash.iter().map(|&v| v as i64)));
        }
        if columns.flags {
            put(column::FLAGS, &|b, l| l.extend(b.flags.iter().map(|&v| i64::from(v))));
        }
        run
    }

    /// Bytes held in memory.
    pub(crate) fn bytes(&self) -> usize {
        self.offsets.len() * 4 + self.columns.iter().map(|c| c.bytes.capacity()).sum::<usize>()
    }

    /// Number of rows.
    pub(crate) fn rows(&self) -> u64 {
        u64::from(*self.offsets.last().expect("one entry more than there are partitions"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(lane: &[i64], width: u8) {
        let dest: Vec<u32> = (0..lane.len() as u32).rev().collect();
        let packed = Packed::pack(lane, &dest);
        assert_eq!(packed.width, width, "{lane:?}");
        let mut back = Vec::new();
        packed.unpack(packed.segment(0, lane.len() as u32), lane.len() as u32, &mut back, |v| v);
        back.reverse();
        assert_eq!(back, lane);
    }

    #[test]
    fn values_take_the_bytes_of_their_range() {
        check(&[], 0);
        check(&[7, 7, 7], 0);
        check(&[-100, 155], 1);
        check(&[1_000_000, 1_065_535], 2);
        check(&[10_134 * 86_400, 11_000 * 86_400 + 1], 4);
        check(&[0, 70_000, 12_345_670_000, -990_000], 4);
        check(&[1, 12_345_670_001], 8);
        check(&[i64::MIN, 0, i64::MAX], 8);
        // multiples of 10,000 whose range passes 63 bits
        check(&[-9_000_000_000_000_000_000, 9_000_000_000_000_000_000], 8);
    }

    proptest! {
        #[test]
        fn any_lane_comes_back(lane in prop::collection::vec(any::<i64>(), 1..50), shift in 0_u32..60, scale in 1_i64..20_000) {
            let lane: Vec<i64> = lane.iter().map(|v| (v >> shift).wrapping_mul(scale)).collect();
            let dest: Vec<u32> = (0..lane.len() as u32).collect();
            let packed = Packed::pack(&lane, &dest);
            let mut back = Vec::new();
            packed.unpack(packed.segment(0, lane.len() as u32), lane.len() as u32, &mut back, |v| v);
            prop_assert_eq!(back, lane);
        }
    }
}
