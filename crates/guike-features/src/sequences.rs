//! Per-customer event sequences for sequence models, as of the cutoff.

use guike_core::{Events, Money, Past, SECONDS_PER_DAY};

use crate::chunks::map_chunks;

/// The last events of n customers, oldest first, one customer after the other.
///
/// Customer `i` has positions `offsets[i]..offsets[i + 1]` of every column. Item and category columns are empty when the
/// log has none.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sequences {
    /// n + 1 entries.
    pub offsets: Vec<u64>,
    /// Days from the event to the end of the cutoff's last day, with fractions; above 0.
    pub days_before: Vec<f32>,
    /// Days since the customer's previous event, with fractions; NaN for her very first.
    pub gap_days: Vec<f32>,
    /// Currency units, with sign.
    pub amount: Vec<f32>,
    /// `guike_core::EventKind` numbers.
    pub kind: Vec<u8>,
    /// Item codes, or empty.
    pub item: Vec<u32>,
    /// Category codes, or empty.
    pub category: Vec<u32>,
}

impl Sequences {
    /// Number of customers.
    pub fn n_customers(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    /// Positions of one customer's events in the columns.
    pub fn range(&self, at: usize) -> std::ops::Range<usize> {
        self.offsets[at] as usize..self.offsets[at + 1] as usize
    }

    /// Appends the latest `cap` of these events, which end before `end` (seconds since the epoch).
    fn push(&mut self, events: &Events<'_>, end: i64, cap: usize) {
        let from = events.len().saturating_sub(cap);
        let days = |seconds: i64| (seconds as f64 / SECONDS_PER_DAY as f64) as f32;
        for row in from..events.len() {
            let t = events.time[row];
            self.days_before.push(days(end - t));
            self.gap_days.push(if row == 0 { f32::NAN } else { days(t - events.time[row - 1]) });
            self.amount.push(Money(events.amount[row]).units() as f32);
            self.kind.push(events.kind[row]);
        }
        self.item.extend(events.item.iter().skip(from));
        self.category.extend(events.category.iter().skip(from));
        self.offsets.push(self.days_before.len() as u64);
    }
}

/// The latest `cap` events of each of these customers before the cutoff; of all kinds.
///
/// # Shapes
/// `customer_idx`: n customers of the log → n sequences of 0 to `cap` events, same order
pub fn sequences(past: &Past<'_>, customer_idx: &[u32], cap: usize) -> Sequences {
    let end = past.cutoff().end().0;
    let parts = map_chunks(customer_idx, |chunk, _| {
        let mut part = Sequences::default();
        for &customer in chunk {
            part.push(&past.customer(customer as usize), end, cap);
        }
        part
    });
    let mut all = Sequences { offsets: vec![0], ..Sequences::default() };
    for part in parts {
        let base = all.days_before.len() as u64;
        all.offsets.extend(part.offsets.iter().map(|o| base + o));
        all.days_before.extend(part.days_before);
        all.gap_days.extend(part.gap_days);
        all.amount.extend(part.amount);
        all.kind.extend(part.kind);
        all.item.extend(part.item);
        all.category.extend(part.category);
    }
    all
}
