//! The RFM summary that probability models read, and the labels they are judged by.
//!
//! Both count purchase days: all purchases of a customer on one calendar day are one, worth the day's spend.

use guike_core::{Events, Future, Labels, Past, Purchases, RfmTable};

use crate::chunks::map_chunks;
use crate::state::units;

/// What a customer bought on one calendar day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PurchaseDay {
    /// Days since 1970-01-01.
    pub day: i32,
    /// Millionths of the currency unit.
    pub micros: i128,
}

/// A customer's purchase days, ascending; other kinds of event are passed over.
///
/// ```
/// use guike_core::{Events, SECONDS_PER_DAY};
/// let time = [10, 20, 2 * SECONDS_PER_DAY];
/// let e = Events { time: &time, kind: &[0, 0, 0], amount: &[1, 2, 4], ..Events::default() };
/// let days: Vec<_> = guike_features::purchase_days(e).map(|d| (d.day, d.micros)).collect();
/// assert_eq!(days, [(0, 3), (2, 4)]);
/// ```
pub fn purchase_days(events: Events<'_>) -> impl Iterator<Item = PurchaseDay> {
    let mut row = 0;
    std::iter::from_fn(move || {
        while row < events.len() && !events.is_purchase(row) {
            row += 1;
        }
        if row == events.len() {
            return None;
        }
        let day = events.day(row);
        let mut micros = 0;
        while row < events.len() && (!events.is_purchase(row) || events.day(row) == day) {
            if events.is_purchase(row) {
                micros += i128::from(events.amount[row]);
            }
            row += 1;
        }
        Some(PurchaseDay { day, micros })
    })
}

/// Recency, frequency, age and spend of every customer with a purchase by the cutoff, in the order of the log.
///
/// `window_days` is the length of the look-back window of the last two columns (the baseline that repeats it).
///
/// # Units
/// days, purchase days, currency units
/// # Source
/// Fader, Hardie & Lee (2005), "Counting your customers" the easy way; spend per repeat day as in Fader & Hardie (2013),
/// "The Gamma-Gamma model of monetary value"
pub fn rfm(past: &Past<'_>, window_days: u32) -> RfmTable {
    let last_day = past.cutoff().last_day().0;
    let window_start = last_day.saturating_sub(i32::try_from(window_days).unwrap_or(i32::MAX));
    let customers: Vec<u32> = (0..past.n_customers() as u32).collect();
    let parts = map_chunks(&customers, |chunk, _| {
        let mut part = RfmTable::default();
        let mut first_of_all = i32::MAX;
        for &customer in chunk {
            let mut days = purchase_days(past.customer(customer as usize));
            let Some(first) = days.next() else { continue };
            let (mut n, mut last, mut later_spend) = (1_u32, first.day, 0_i128);
            let in_window = |day: i32| day > window_start;
            let (mut window_n, mut window_spend) = if in_window(first.day) { (1, first.micros) } else { (0, 0) };
            for d in days {
                n += 1;
                last = d.day;
                later_spend += d.micros;
                if in_window(d.day) {
                    window_n += 1;
                    window_spend += d.micros;
                }
            }
            let repeats = n - 1;
            let spend = units(first.micros + later_spend);
            first_of_all = first_of_all.min(first.day);
            part.customer_idx.push(customer);
            part.repeats.push(repeats);
            part.recency_days.push(f64::from(last - first.day));
            part.age_days.push(f64::from(last_day - first.day));
            part.repeat_spend_mean.push(if repeats > 0 { units(later_spend) / f64::from(repeats) } else { 0.0 });
            part.spend_mean.push(spend / f64::from(n));
            part.spend_total.push(spend);
            part.window_purchase_days.push(window_n);
            part.window_spend.push(units(window_spend));
        }
        (part, first_of_all)
    });
    let first_of_all = parts.iter().map(|(_, first)| *first).min().unwrap_or(i32::MAX);
    let mut all = RfmTable { window_days, ..RfmTable::default() };
    all.reserve(parts.iter().map(|(part, _)| part.len()).sum());
    parts.into_iter().for_each(|(part, _)| all.append(part));
    if !all.is_empty() {
        all.history_days = (last_day - first_of_all + 1) as u32;
    }
    all
}

/// The whole histories of these customers by the cutoff.
///
/// # Shapes
/// `customer_idx`: n customers of the log → n runs of purchase days, same order
/// # Units
/// currency units
pub fn purchases(past: &Past<'_>, customer_idx: &[u32]) -> Purchases {
    let parts = map_chunks(customer_idx, |chunk, _| {
        let mut part = Purchases::default();
        for &customer in chunk {
            for d in purchase_days(past.customer(customer as usize)) {
                part.day.push(d.day);
                part.spend.push(units(d.micros) as f32);
            }
            part.offsets.push(part.day.len() as u64);
        }
        part
    });
    let mut all = Purchases { offsets: vec![0], ..Purchases::default() };
    for part in parts {
        let base = all.day.len() as u64;
        all.offsets.extend(part.offsets.iter().map(|o| base + o));
        all.day.extend(part.day);
        all.spend.extend(part.spend);
    }
    all
}

/// What truly happened within the horizon: purchase days and spend on purchases.
///
/// # Shapes
/// `customer_idx`: n customers of the log → n values each, same order
/// # Units
/// purchase days; currency units
pub fn labels(future: &Future<'_>, customer_idx: &[u32]) -> Labels {
    let parts = map_chunks(customer_idx, |chunk, _| {
        let count = |&customer: &u32| {
            purchase_days(future.customer(customer as usize))
                .fold((0_u32, 0_i128), |(n, spend), d| (n + 1, spend + d.micros))
        };
        chunk.iter().map(count).collect::<Vec<_>>()
    });
    let all = || parts.iter().flatten();
    Labels {
        orders: all().map(|&(n, _)| f64::from(n)).collect(),
        spend: all().map(|&(_, micros)| units(micros)).collect(),
    }
}
