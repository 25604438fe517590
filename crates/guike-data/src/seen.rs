//! What a log has shown by when: the first moment of each kind of event, so that its shape is known as of any cutoff.

use guike_core::{Cutoff, EventKind, SECONDS_PER_DAY, Timestamp};
use guike_features::LogShape;

use crate::rows::RowColumns;

/// First moments, in seconds since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seen {
    first_of_kind: [Option<i64>; EventKind::ALL.len()],
    first_clock: Option<i64>,
}

impl Default for Seen {
    fn default() -> Seen {
        Seen { first_of_kind: [None; EventKind::ALL.len()], first_clock: None }
    }
}

fn earlier(a: Option<i64>, b: Option<i64>) -> Option<i64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

impl Seen {
    /// Looks at rows in any order.
    pub(crate) fn observe(&mut self, time: &[i64], kind: &[u8]) {
        let mut first = [i64::MAX; EventKind::ALL.len()];
        let mut clock = i64::MAX;
        for (&t, &k) in time.iter().zip(kind) {
            let seen = &mut first[usize::from(k)];
            *seen = t.min(*seen);
            // midnights are rare in a log with a clock, and then the first event settles it
            if t < clock && t % SECONDS_PER_DAY != 0 {
                clock = t;
            }
        }
        let some = |t: i64| (t < i64::MAX).then_some(t);
        self.merge(&Seen { first_of_kind: first.map(some), first_clock: some(clock) });
    }

    /// Adds what was seen elsewhere.
    pub(crate) fn merge(&mut self, other: &Seen) {
        for (a, b) in self.first_of_kind.iter_mut().zip(other.first_of_kind) {
            *a = earlier(*a, b);
        }
        self.first_clock = earlier(self.first_clock, other.first_clock);
    }

    /// The shape of the log as it was known at the cutoff; equal to [`LogShape::of`] the same log in memory.
    pub(crate) fn shape(&self, columns: RowColumns, cutoff: Cutoff) -> LogShape {
        let known = |first: Option<i64>| first.is_some_and(|t| t < cutoff.end().0);
        let any = self.first_of_kind.iter().any(|&t| known(t));
        let purchase = self.first_of_kind[EventKind::Purchase as usize].filter(|&t| known(Some(t)));
        LogShape {
            clock: known(self.first_clock),
            quantity: any && columns.quantity,
            item: any && columns.item,
            category: any && columns.category,
            order: any && columns.order,
            kinds: self.first_of_kind.map(known),
            history_days: purchase.map_or(0, |t| (cutoff.last_day().0 - Timestamp(t).day().0 + 1) as u32),
        }
    }
}
