//! Customer-level cleaning: exact duplicates, cancellations and refunds among one customer's sorted rows.
//!
//! The one idea: what a cutoff could not know must not be cleaned away. A cancellation on the day of its purchase undoes
//! it, because every cutoff is the end of a day; a later one is an event of its own day, a refund. (Matching across days
//! exists for accounting and is off by default.) Of the last purchase of a customer's first day only the money is undone:
//! it stays with amount 0, because that she came is a fact, and a customer must not vanish from the log because she
//! changed her mind.
//!
//! Row-level trouble (a missing customer, a broken date) was dealt with before; see [`crate::quality::Reason`].

use guike_core::{EventKind, Events, SECONDS_PER_DAY};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::options::{Cancellations, Refunds};
use crate::quality::{Ledger, Reason};
use crate::rows::{CustomerRows, flag};

/// Which rules customer-level cleaning follows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rules {
    /// Whether exact duplicates are dropped (they are counted in any case).
    pub drop_duplicates: bool,
    /// What becomes of cancellations.
    pub cancellations: Cancellations,
    /// What becomes of refunds.
    pub refunds: Refunds,
}

const PURCHASE: u8 = EventKind::Purchase as u8;
const REFUND: u8 = EventKind::Refund as u8;

/// Cleans one customer's rows in place: clears `keep` of rows that go, reduces purchases, and counts everything.
///
/// ```
/// use guike_data::clean::{Rules, clean_customer};
/// use guike_data::quality::{Ledger, Reason};
/// use guike_data::rows::CustomerRows;
///
/// // two identical rows in the same second
/// let (mut kind, mut amount, mut keep) = ([0, 0], [5, 5], [true, true]);
/// let mut rows = CustomerRows {
///     time: &[60, 60], kind: &mut kind, amount: &mut amount, row: &[0, 1], keep: &mut keep,
///     quantity: &mut [], item: &[], category: &[], order: &[], hash: &[], flags: &[],
/// };
/// let mut ledger = Ledger::default();
/// clean_customer(&mut rows, &Rules { drop_duplicates: true, ..Rules::default() }, &mut ledger);
/// assert_eq!((keep, ledger.dropped(Reason::ExactDuplicate)), ([true, false], 1));
/// ```
pub fn clean_customer(rows: &mut CustomerRows<'_>, rules: &Rules, ledger: &mut Ledger) {
    duplicates(rows, rules.drop_duplicates, ledger);
    // most customers never gave anything back
    if rows.kind.contains(&REFUND) {
        cancellations(rows, rules.cancellations, ledger);
        refunds(rows, rules.refunds, ledger);
    }
    for i in 0..rows.len() {
        if rows.keep[i] && rows.kind[i] == PURCHASE {
            ledger.sizes.add(rows.amount[i]);
        }
    }
}

fn remove(rows: &mut CustomerRows<'_>, i: usize, reason: Reason, ledger: &mut Ledger) {
    rows.keep[i] = false;
    ledger.drop_row(reason, u64::from(rows.row[i]), || (None, None));
}

fn equal(rows: &CustomerRows<'_>, i: usize, j: usize) -> bool {
    if !rows.hash.is_empty() {
        return rows.hash[i] == rows.hash[j];
    }
    let same = |column: &[u32]| column.is_empty() || column[i] == column[j];
    rows.amount[i] == rows.amount[j]
        && rows.kind[i] == rows.kind[j]
        && same(rows.item)
        && same(rows.category)
        && same(rows.order)
        && (rows.quantity.is_empty() || rows.quantity[i].to_bits() == rows.quantity[j].to_bits())
}

/// Rows equal to an earlier one of the same second; the first stays.
fn duplicates(rows: &mut CustomerRows<'_>, drop: bool, ledger: &mut Ledger) {
    // beyond this many rows in one second a set is faster than comparing pairs
    const PAIRS: usize = 16;
    let n = rows.len();
    let mut from = 0;
    while from < n {
        let mut to = from + 1;
        while to < n && rows.time[to] == rows.time[from] {
            to += 1;
        }
        // most seconds hold one row
        if to - from == 1 {
            from = to;
            continue;
        }
        let mut seen = FxHashSet::default();
        for i in from..to {
            let again = if to - from <= PAIRS {
                (from..i).any(|j| equal(rows, i, j))
            } else {
                !seen.insert(fingerprint(rows, i))
            };
            if again {
                ledger.found.exact_duplicates += 1;
                if drop {
                    remove(rows, i, Reason::ExactDuplicate, ledger);
                }
            }
        }
        from = to;
    }
}

/// All typed cells of a row but its time.
type Fingerprint = (u64, i64, u8, [u32; 4]);

fn fingerprint(rows: &CustomerRows<'_>, i: usize) -> Fingerprint {
    if !rows.hash.is_empty() {
        return (rows.hash[i], 0, 0, [0; 4]);
    }
    let code = |column: &[u32]| column.get(i).copied().unwrap_or(0);
    let quantity = rows.quantity.get(i).map_or(0, |q| q.to_bits());
    (0, rows.amount[i], rows.kind[i], [code(rows.item), code(rows.category), code(rows.order), quantity])
}

/// Whether row `i` takes an earlier purchase back, rather than money for other reasons.
fn cancels(rows: &CustomerRows<'_>, i: usize) -> bool {
    let flagged = rows.flags.get(i).is_some_and(|f| f & flag::CANCELLATION != 0);
    let negative = rows.quantity.get(i).is_some_and(|&q| q < 0.0);
    let in_order = rows.order.get(i).is_some_and(|&o| o != Events::MISSING);
    rows.keep[i] && rows.kind[i] == REFUND && (flagged || (negative && in_order))
}

/// What is left of a purchase, in pieces, or in millionths where rows have no quantity.
fn extent(rows: &CustomerRows<'_>, i: usize) -> f64 {
    match rows.quantity.get(i) {
        Some(q) if !q.is_nan() => f64::from(q.abs()),
        _ => rows.amount[i].unsigned_abs() as f64,
    }
}

/// The day and how many kept purchases it has, of the customer's first day with a purchase.
fn first_day(rows: &CustomerRows<'_>) -> (i64, usize) {
    let mut days = (0..rows.len())
        .filter(|&i| rows.keep[i] && rows.kind[i] == PURCHASE)
        .map(|i| rows.time[i].div_euclid(SECONDS_PER_DAY));
    match days.next() {
        Some(first) => (first, 1 + days.take_while(|&d| d == first).count()),
        None => (i64::MIN, 0),
    }
}

fn cancellations(rows: &mut CustomerRows<'_>, rule: Cancellations, ledger: &mut Ledger) {
    let n = rows.len();
    if !(0..n).any(|i| cancels(rows, i)) {
        return;
    }
    if rule == Cancellations::Drop {
        for i in 0..n {
            if cancels(rows, i) {
                remove(rows, i, Reason::Cancellation, ledger);
            }
        }
        return;
    }
    let day = |t: i64| t.div_euclid(SECONDS_PER_DAY);
    let (first_day, mut left_on_first_day) = first_day(rows);
    let mut left: Vec<f64> = (0..n).map(|i| extent(rows, i)).collect();
    // purchases so far, by item, latest last
    let mut open: FxHashMap<u32, Vec<usize>> = FxHashMap::default();
    for i in 0..n {
        let item = rows.item.get(i).copied().unwrap_or(0);
        if rows.keep[i] && rows.kind[i] == PURCHASE {
            open.entry(item).or_default().push(i);
        }
        if !cancels(rows, i) {
            continue;
        }
        let wanted = extent(rows, i);
        let stack = open.entry(item).or_default();
        let Some(place) = stack.iter().rposition(|&j| left[j] >= wanted) else {
            ledger.found.cancellations_unmatched += 1;
            continue;
        };
        let j = stack[place];
        left[j] -= wanted;
        let whole = left[j] <= 0.0;
        if whole {
            stack.remove(place);
        }
        let same_day = day(rows.time[i]) == day(rows.time[j]);
        if same_day {
            ledger.found.cancellations_matched_same_day += 1;
        } else {
            ledger.found.cancellations_matched_later += 1;
        }
        let undo = match rule {
            Cancellations::SameDay => same_day,
            Cancellations::AnyDay => true,
            Cancellations::Refund | Cancellations::Drop => false,
        };
        let on_first_day = day(rows.time[j]) == first_day;
        if !undo {
            continue;
        }
        if whole && !(on_first_day && left_on_first_day == 1) {
            left_on_first_day -= usize::from(on_first_day);
            remove(rows, j, Reason::CancelledPurchase, ledger);
        } else {
            rows.amount[j] = (rows.amount[j] + rows.amount[i]).max(0);
            if let Some(&given_back) = rows.quantity.get(i).filter(|q| !q.is_nan()) {
                rows.quantity[j] -= given_back.abs();
            }
            ledger.found.purchases_reduced += 1;
        }
        remove(rows, i, Reason::Cancellation, ledger);
    }
}

fn refunds(rows: &mut CustomerRows<'_>, rule: Refunds, ledger: &mut Ledger) {
    for i in 0..rows.len() {
        if !rows.keep[i] || rows.kind[i] != REFUND {
            continue;
        }
        match rule {
            Refunds::Separate => {}
            Refunds::Drop => remove(rows, i, Reason::Refund, ledger),
            Refunds::Net => net(rows, i, ledger),
        }
        ledger.found.refunds_kept += u64::from(rows.keep[i]);
    }
}

/// Takes refund `i` off the latest earlier purchases, those of the same item first.
fn net(rows: &mut CustomerRows<'_>, i: usize, ledger: &mut Ledger) {
    let mut owed = -rows.amount[i].min(0);
    let item = |r: usize| rows.item.get(r).copied();
    let order: Vec<usize> = (0..i)
        .rev()
        .filter(|&j| item(j) == item(i))
        .chain((0..i).rev().filter(|&j| item(j) != item(i)))
        .filter(|&j| rows.keep[j] && rows.kind[j] == PURCHASE && rows.amount[j] > 0)
        .collect();
    for j in order {
        if owed == 0 {
            break;
        }
        let taken = owed.min(rows.amount[j]);
        rows.amount[j] -= taken;
        owed -= taken;
        ledger.found.purchases_reduced += 1;
    }
    if owed == 0 {
        remove(rows, i, Reason::Refund, ledger);
    } else {
        rows.amount[i] = -owed;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = SECONDS_PER_DAY;

    /// Rows as (time, amount, quantity, item, order); negative amounts are refunds.
    fn check(input: &[(i64, i64, f32, u32, u32)], rules: Rules) -> (Vec<(i64, i64)>, Ledger) {
        let time: Vec<i64> = input.iter().map(|r| r.0).collect();
        let mut kind: Vec<u8> = input.iter().map(|r| if r.1 < 0 { REFUND } else { PURCHASE }).collect();
        let mut amount: Vec<i64> = input.iter().map(|r| r.1).collect();
        let mut quantity: Vec<f32> = input.iter().map(|r| r.2).collect();
        let item: Vec<u32> = input.iter().map(|r| r.3).collect();
        let order: Vec<u32> = input.iter().map(|r| r.4).collect();
        let row: Vec<u32> = (0..input.len() as u32).collect();
        let mut keep = vec![true; input.len()];
        let mut ledger = Ledger::default();
        let mut rows = CustomerRows {
            time: &time,
            kind: &mut kind,
            amount: &mut amount,
            quantity: &mut quantity,
            item: &item,
            category: &[],
            order: &order,
            row: &row,
            hash: &[],
            flags: &[],
            keep: &mut keep,
        };
        clean_customer(&mut rows, &rules, &mut ledger);
        let kept: Vec<(i64, i64)> = (0..input.len()).filter(|&i| keep[i]).map(|i| (time[i], amount[i])).collect();
        assert_eq!(kept.len() as u64 + ledger.dropped_total(), input.len() as u64, "every row is accounted for");
        (kept, ledger)
    }

    fn rules(cancellations: Cancellations, refunds: Refunds) -> Rules {
        Rules { drop_duplicates: true, cancellations, refunds }
    }

    #[test]
    fn a_purchase_cancelled_on_its_day_leaves_nothing() {
        let log = [(0, 10, 1.0, 7, 1), (DAY, 50, 5.0, 8, 2), (DAY + 60, -50, -5.0, 8, 3)];
        let (kept, ledger) = check(&log, Rules::default());
        assert_eq!(kept, [(0, 10)]);
        assert_eq!((ledger.dropped(Reason::CancelledPurchase), ledger.dropped(Reason::Cancellation)), (1, 1));
    }

    #[test]
    fn a_later_cancellation_is_a_refund_because_nobody_knew() {
        let log = [(0, 10, 1.0, 7, 1), (DAY, 50, 5.0, 8, 2), (2 * DAY, -50, -5.0, 8, 3)];
        let (kept, ledger) = check(&log, Rules::default());
        assert_eq!(kept, [(0, 10), (DAY, 50), (2 * DAY, -50)]);
        assert_eq!((ledger.found.cancellations_matched_later, ledger.found.refunds_kept), (1, 1));
        let (kept, _) = check(&log, rules(Cancellations::AnyDay, Refunds::Separate));
        assert_eq!(kept, [(0, 10)]);
    }

    #[test]
    fn a_partly_cancelled_purchase_is_reduced() {
        let log = [(0, 50, 5.0, 8, 2), (60, -20, -2.0, 8, 3)];
        let (kept, ledger) = check(&log, Rules::default());
        assert_eq!((kept, ledger.found.purchases_reduced), (vec![(0, 30)], 1));
    }

    #[test]
    fn a_customer_never_vanishes_because_she_cancelled() {
        let log = [(0, 50, 5.0, 8, 2), (60, -50, -5.0, 8, 3)];
        assert_eq!(check(&log, Rules::default()).0, [(0, 0)]);
    }

    #[test]
    fn the_latest_large_enough_purchase_is_the_one_cancelled() {
        let log = [
            (0, 60, 6.0, 8, 1),
            (10, 50, 5.0, 8, 2),
            (20, 10, 1.0, 8, 3),
            (30, -20, -2.0, 8, 4),
            (40, -90, -9.0, 8, 5),
        ];
        let (kept, ledger) = check(&log, Rules::default());
        assert_eq!(kept, [(0, 60), (10, 30), (20, 10), (40, -90)]);
        assert_eq!(ledger.found.cancellations_unmatched, 1);
    }

    #[test]
    fn net_refunds_come_off_the_same_item_first_and_the_rest_stays() {
        let log = [(0, 40, 1.0, 1, 1), (DAY, 30, 1.0, 2, 2), (2 * DAY, -50, f32::NAN, 1, 3)];
        let (kept, _) = check(&log, rules(Cancellations::Refund, Refunds::Net));
        assert_eq!(kept, [(0, 0), (DAY, 20)]);
        let (kept, _) =
            check(&[(0, 10, 1.0, 1, 1), (DAY, -15, f32::NAN, 1, 2)], rules(Cancellations::Refund, Refunds::Net));
        assert_eq!(kept, [(0, 0), (DAY, -5)]);
    }

    #[test]
    fn duplicates_are_counted_even_when_kept() {
        let log: Vec<_> = (0..40).map(|i| (0, 10, 1.0, (i / 2) as u32, 1)).collect();
        let (kept, ledger) = check(&log, Rules::default());
        assert_eq!((kept.len(), ledger.found.exact_duplicates), (40, 20));
        let (kept, ledger) = check(&log, rules(Cancellations::SameDay, Refunds::Separate));
        assert_eq!((kept.len(), ledger.dropped(Reason::ExactDuplicate)), (20, 20));
        let (kept, _) = check(&log[..10], rules(Cancellations::SameDay, Refunds::Separate));
        assert_eq!(kept.len(), 5);
    }

    #[test]
    fn dropping_cancellations_keeps_the_purchases() {
        let log = [(0, 50, 5.0, 8, 2), (60, -50, -5.0, 8, 3)];
        assert_eq!(check(&log, rules(Cancellations::Drop, Refunds::Separate)).0, [(0, 50)]);
    }
}
