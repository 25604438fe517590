//! The kernel: one sequential pass over one customer's events, read off at every anchor.

use guike_core::{Cutoff, Events};

use crate::set::FeatureSet;
use crate::state::State;

/// Buffers of the kernel. Make one per thread and use it for all its customers: nothing is allocated per customer.
#[derive(Debug, Default)]
pub struct Scratch {
    state: State,
}

/// Features of one customer as of each anchor.
///
/// `events` are one customer's, ascending in time; `anchors` ascend. Writes `anchors.len()` × `set.len()` values to
/// `out`, row by row: numbers with NaN where the catalogue says missing, and category codes as numbers (NaN where
/// missing). An event at or after an anchor's end never changes that anchor's row.
///
/// # Panics
/// When `out` has another length, anchors fall, or the set reads a column that `events` lacks: mistakes of the caller.
///
/// # Example
/// ```
/// use guike_core::{Cutoff, Day, Events, Horizon, SECONDS_PER_DAY};
/// use guike_features::{compute, FeatureSet, LogShape, Scratch};
///
/// let time = [0, 10, 10 * SECONDS_PER_DAY];
/// let events = Events { time: &time, kind: &[0, 0, 0], amount: &[1_000_000, 2_000_000, 5_000_000], ..Events::default() };
/// let shape = LogShape { history_days: 100, ..LogShape::default() };
/// let set = FeatureSet::named(&["orders", "spend"], &shape, Horizon::from_days(30).unwrap()).unwrap();
/// let anchors = [Cutoff::after(Day(9)), Cutoff::after(Day(10))];
/// let mut out = [0.0; 4];
/// compute(events, &anchors, &set, &mut Scratch::default(), &mut out);
/// assert_eq!(out, [1.0, 3.0, 2.0, 8.0]);
/// assert!(FeatureSet::named(&["spent"], &shape, Horizon::from_days(30).unwrap()).is_err());
/// ```
pub fn compute(events: Events<'_>, anchors: &[Cutoff], set: &FeatureSet, scratch: &mut Scratch, out: &mut [f64]) {
    assert_eq!(out.len(), anchors.len() * set.len(), "one value per anchor and feature");
    assert!(anchors.is_sorted(), "anchors ascend");
    let groups = set.groups();
    let state = &mut scratch.state;
    state.begin(groups);
    let mut row = 0;
    for (anchor, values) in anchors.iter().zip(out.chunks_exact_mut(set.len().max(1))) {
        let end = anchor.end().0;
        while row < events.len() && events.time[row] < end {
            state.event(&events, row, groups);
            row += 1;
        }
        let snapshot = state.snapshot(anchor.last_day().0, set);
        for (value, feature) in values.iter_mut().zip(set.iter()) {
            *value = feature.value(&snapshot);
        }
    }
}
