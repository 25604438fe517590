//! From sorted rows to pieces: every customer's rows under a code that says where she stands in the final order.

use std::sync::{Mutex, PoisonError};

use guike_core::{Events, Progress, Timestamp};

use super::{Apart, Held, PiecewiseLog};
use crate::error::DataError;
use crate::packed::Run;
use crate::partition::{Cleaning, PartitionConfig, Partitioned, Rows};
use crate::quality::Ledger;
use crate::rows::{Dictionaries, RowBatch, RowColumns};
use crate::sorted::SortedPartition;

/// Rows of a piece, about: some 10 MB for each thread that looks at one.
const PIECE_ROWS: u64 = 200_000;
/// Pieces as a power of two, at most: beyond some 200 million rows pieces grow.
const MAX_BITS: u32 = 10;

/// Where a customer's rows go. Her piece is the high bits of her place; it stands in the low bits of her code, where
/// partitions look for it.
#[derive(Debug, Clone, Copy)]
struct Layout {
    piece_bits: u32,
    customer_bits: u32,
    pieces: usize,
}

impl Layout {
    fn of(customers: usize, rows: u64) -> Layout {
        let log2 = |n: u64| n.next_power_of_two().trailing_zeros();
        let customers = customers.max(1) as u64;
        let piece_bits = log2(rows.div_ceil(PIECE_ROWS)).min(MAX_BITS);
        let customer_bits = log2(customers).saturating_sub(piece_bits);
        Layout { piece_bits, customer_bits, pieces: ((customers - 1) >> customer_bits) as usize + 1 }
    }

    fn piece(self, place: u32) -> u32 {
        (u64::from(place) >> self.customer_bits) as u32
    }

    fn code(self, place: u32) -> u32 {
        let within = u64::from(place) & ((1 << self.customer_bits) - 1);
        (within << self.piece_bits) as u32 | self.piece(place)
    }
}

/// What a partition of the unsorted log leaves besides its rows.
#[derive(Debug, Default)]
struct Left {
    places: Vec<u32>,
    purchases: Option<(i64, i64)>,
}

impl Left {
    fn see(&mut self, place: u32, events: Events<'_>) {
        self.places.push(place);
        for row in (0..events.len()).filter(|&row| events.is_purchase(row)) {
            let t = events.time[row];
            self.purchases = Some(self.purchases.map_or((t, t), |(a, b)| (a.min(t), b.max(t))));
        }
    }
}

impl Partitioned {
    /// The log by customer, customers in the order of the dictionaries; those without a kept row are left out. In memory if it
    /// takes no more of it than the limit of the configuration.
    ///
    /// # Errors
    /// As [`Partitioned::map`].
    pub fn into_piecewise(
        self,
        names: Dictionaries,
        clean: Option<Cleaning<'_>>,
        config: &PartitionConfig,
        progress: &dyn Progress,
    ) -> Result<(PiecewiseLog, Ledger), DataError> {
        let columns = self.columns();
        let optional = [columns.quantity, columns.item, columns.category, columns.order];
        let bytes_of_a_row = 17 + 4 * optional.iter().filter(|is_there| **is_there).count() as u64;
        if !self.spilled() && self.n_rows().saturating_mul(bytes_of_a_row) <= config.memory_limit as u64 {
            let (log, ledger) = self.into_log(names, clean, progress)?;
            return Ok((log.into(), ledger));
        }
        let (apart, ledger) = self.apart(names, clean, config, progress)?;
        Ok((PiecewiseLog(Held::Apart(apart)), ledger))
    }

    fn apart(
        self,
        names: Dictionaries,
        clean: Option<Cleaning<'_>>,
        config: &PartitionConfig,
        progress: &dyn Progress,
    ) -> Result<(Apart, Ledger), DataError> {
        let columns = RowColumns { hash: false, flags: false, ..self.columns() };
        let layout = Layout::of(names.customer_ids.len(), self.n_rows());
        // the unsorted rows are still there meanwhile
        let half = PartitionConfig { memory_limit: config.memory_limit / 2, ..config.clone() };
        let rows = Mutex::new(Rows::default());
        let (left, ledger) = self.map(clean, progress, |sorted| {
            let (batch, left) = by_place(sorted, &names.customer_rank, layout);
            if !batch.is_empty() {
                let run = Run::build(&[batch], columns, layout.piece_bits);
                // a customer's rows are all in one run, so that it does not matter which run comes first
                let mut rows = rows.lock().unwrap_or_else(PoisonError::into_inner);
                rows.push(run, &half, 1 << layout.piece_bits)?;
            }
            Ok(left)
        })?;
        drop(self);
        let mut kept = vec![false; names.customer_ids.len()];
        left.iter().flat_map(|l| &l.places).for_each(|&place| kept[place as usize] = true);
        let mut firsts = vec![0_u32; layout.pieces + 1];
        for (place, _) in kept.iter().enumerate().filter(|(_, kept)| **kept) {
            firsts[layout.piece(place as u32) as usize + 1] += 1;
        }
        for piece in 0..layout.pieces {
            firsts[piece + 1] += firsts[piece];
        }
        let mut is_kept = kept.iter();
        let mut customer_ids = names.customer_ids;
        customer_ids.retain(|_| *is_kept.next().expect("one flag per customer"));
        let moments = left.iter().filter_map(|l| l.purchases);
        let moments = moments.reduce(|(a, b), (c, d)| (a.min(c), b.max(d)));
        let rows = rows.into_inner().unwrap_or_else(PoisonError::into_inner);
        let apart = Apart {
            customer_ids,
            items: names.items,
            categories: names.categories,
            currency: names.currency,
            attributes: None,
            purchase_span: moments.map(|(first, last)| (Timestamp(first).day(), Timestamp(last).day())),
            rows: Partitioned::of(columns, layout.piece_bits, rows),
            firsts,
        };
        Ok((apart, ledger))
    }
}

/// The rows of a sorted partition under the codes of the layout.
fn by_place(sorted: &SortedPartition<'_>, places: &[u32], layout: Layout) -> (RowBatch, Left) {
    let mut left = Left::default();
    let mut batch = RowBatch::default();
    for (code, e) in sorted.customers() {
        let place = places[code as usize];
        left.see(place, e);
        batch.customer.resize(batch.customer.len() + e.len(), layout.code(place));
        batch.time.extend(e.time);
        batch.kind.extend(e.kind);
        batch.amount.extend(e.amount);
        batch.quantity.extend(e.quantity);
        batch.item.extend(e.item);
        batch.category.extend(e.category);
        batch.order.extend(e.order);
    }
    // rows have their order already
    batch.row = vec![0; batch.time.len()];
    (batch, left)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_has_a_code_of_its_own_and_pieces_are_neighbours() {
        for (customers, rows) in [(1, 1), (1, 10_000_000), (7, 500_000), (1_000, 900_000), (4_097, 400_001), (300, 0)] {
            let layout = Layout::of(customers, rows);
            let mut codes: Vec<u32> = (0..customers as u32).map(|place| layout.code(place)).collect();
            let piece = |code: u32| code & ((1 << layout.piece_bits) - 1);
            assert!(codes.iter().map(|&c| piece(c)).is_sorted(), "{customers} customers, {rows} rows");
            assert!(codes.iter().all(|&c| (piece(c) as usize) < layout.pieces));
            codes.sort_unstable();
            codes.dedup();
            assert_eq!(codes.len(), customers, "{customers} customers, {rows} rows");
        }
        let whole_range = Layout::of(u32::MAX as usize, u64::MAX);
        assert_eq!(whole_range.piece(u32::MAX), 1023);
    }
}
