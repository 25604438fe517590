//! What the kernel remembers of one customer: the running state and what is read off it at an anchor.
//!
//! Purchase days are kept as an array with prefix sums of spend, so that any look-back window at any anchor is two
//! look-ups. Money is added in whole millionths (128 bits), gaps in whole days: those sums are exact.

use guike_core::{EventKind, Events, Money, Timestamp};

use crate::set::FeatureSet;
use crate::tally::Tally;

/// Hours of the day per share: six bands of four hours.
pub(crate) const HOUR_BAND: u32 = 4;

/// The groups of state a feature set needs; each is one bit.
pub(crate) mod group {
    pub(crate) const DAYS: u16 = 0;
    pub(crate) const SPREAD: u16 = 1;
    pub(crate) const MEDIAN: u16 = 1 << 1;
    pub(crate) const CALENDAR: u16 = 1 << 2;
    pub(crate) const HOUR: u16 = 1 << 3;
    pub(crate) const QUANTITY: u16 = 1 << 4;
    pub(crate) const ITEM: u16 = 1 << 5;
    pub(crate) const CATEGORY: u16 = 1 << 6;
    pub(crate) const ORDER: u16 = 1 << 7;
    pub(crate) const REFUND: u16 = 1 << 8;
    pub(crate) const BEHAVIOUR: u16 = 1 << 9;
}

/// Month of the year (0–11) of a day counted from 1970-01-01, in the proleptic Gregorian calendar.
///
/// Source: Hinnant, "chrono-compatible low-level date algorithms", `civil_from_days`.
pub(crate) fn month_of(day: i32) -> usize {
    let z = i64::from(day) + 719_468;
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    ((month_from_march + 2) % 12) as usize
}

/// Millionths in currency units; equal to [`Money::sum_units`], without a 128-bit division where 64 bits hold the sum.
pub(crate) fn units(micros: i128) -> f64 {
    match i64::try_from(micros) {
        Ok(m) => (m / Money::PER_UNIT) as f64 + (m % Money::PER_UNIT) as f64 / Money::PER_UNIT as f64,
        Err(_) => Money::sum_units(micros),
    }
}

/// The running state of one customer; every buffer is kept from customer to customer.
#[derive(Debug, Default)]
pub(crate) struct State {
    // closed purchase days, ascending, and the spend before each of them (one entry more)
    pub(crate) days: Vec<i32>,
    pub(crate) spend_before: Vec<i128>,
    // the purchase day being read
    open: bool,
    open_day: i32,
    open_spend: i128,

    pub(crate) purchase_rows: u64,
    pub(crate) min_day_spend: i128,
    pub(crate) max_day_spend: i128,
    // Welford's running mean and sum of squared deviations of day spends, in units
    mean: f64,
    m2: f64,
    pub(crate) max_gap: i32,
    pub(crate) gap_squares: i128,

    pub(crate) first_rows: u64,
    pub(crate) first_items: usize,
    pub(crate) first_quantity: f64,
    pub(crate) first_category: u32,

    pub(crate) weekday: [u32; 7],
    pub(crate) month: [u32; 12],
    pub(crate) hour: [u32; (24 / HOUR_BAND) as usize],

    pub(crate) quantity: f64,
    pub(crate) items: Tally,
    pub(crate) categories: Tally,
    pub(crate) orders: Tally,
    pub(crate) repeat_item_rows: u64,
    pub(crate) item_rows: u64,

    pub(crate) refund_rows: u64,
    pub(crate) refunded: i128,
    pub(crate) last_refund_day: i32,
    // days of the events of each kind, ascending
    pub(crate) kind_days: [Vec<i32>; EventKind::ALL.len()],

    // read off at an anchor
    window_start: Vec<u32>,
    pub(crate) median: f64,
    pub(crate) entropy: f64,
    middle: Vec<i128>,
    c_ln_c: Vec<f64>,
}

impl State {
    /// Forgets the previous customer.
    pub(crate) fn begin(&mut self, groups: u16) {
        if self.c_ln_c.is_empty() {
            self.c_ln_c = (0..256).map(|c| if c == 0 { 0.0 } else { f64::from(c) * f64::from(c).ln() }).collect();
        }
        self.days.clear();
        self.spend_before.clear();
        self.spend_before.push(0);
        self.open = false;
        self.open_spend = 0;
        self.purchase_rows = 0;
        (self.min_day_spend, self.max_day_spend) = (0, 0);
        (self.mean, self.m2) = (0.0, 0.0);
        (self.max_gap, self.gap_squares) = (0, 0);
        (self.first_rows, self.first_items, self.first_quantity) = (0, 0, 0.0);
        self.first_category = Events::MISSING;
        if groups & (group::CALENDAR | group::HOUR) != 0 {
            self.weekday = [0; 7];
            self.month = [0; 12];
            self.hour = [0; 6];
        }
        self.quantity = 0.0;
        self.items.clear();
        self.categories.clear();
        self.orders.clear();
        (self.repeat_item_rows, self.item_rows) = (0, 0);
        (self.refund_rows, self.refunded, self.last_refund_day) = (0, 0, 0);
        if groups & group::BEHAVIOUR != 0 {
            self.kind_days.iter_mut().for_each(Vec::clear);
        }
    }

    /// Takes in the event at `row`.
    #[inline]
    pub(crate) fn event(&mut self, e: &Events<'_>, row: usize, groups: u16) {
        let kind = e.kind[row];
        if kind == EventKind::Purchase as u8 {
            self.purchase(e, row, groups);
        } else if kind == EventKind::Refund as u8 {
            self.refund_rows += 1;
            self.refunded -= i128::from(e.amount[row]);
            self.last_refund_day = e.day(row);
        } else if groups & group::BEHAVIOUR != 0 {
            self.kind_days[usize::from(kind)].push(e.day(row));
        }
    }

    #[inline]
    fn purchase(&mut self, e: &Events<'_>, row: usize, groups: u16) {
        let day = e.day(row);
        if day != self.open_day || !self.open {
            self.close_day(groups);
            self.open = true;
            self.open_day = day;
        }
        self.open_spend += i128::from(e.amount[row]);
        self.purchase_rows += 1;
        if groups & group::CATEGORY != 0 {
            let code = e.category[row];
            if code != Events::MISSING {
                self.categories.add(code, day);
                if self.categories.total() == 1 {
                    self.first_category = code;
                }
            }
        }
        if groups & group::HOUR != 0 {
            self.hour[(Timestamp(e.time[row]).hour() / HOUR_BAND) as usize] += 1;
        }
        if groups & group::QUANTITY != 0 && !e.quantity[row].is_nan() {
            self.quantity += f64::from(e.quantity[row]);
        }
        if groups & group::ITEM != 0 && e.item[row] != Events::MISSING {
            self.item_rows += 1;
            self.repeat_item_rows += u64::from(self.items.add(e.item[row], day) < day);
        }
        if groups & group::ORDER != 0 && e.order[row] != Events::MISSING {
            self.orders.add(e.order[row], day);
        }
    }

    /// Books the open purchase day, if there is one. Anchors lie between days, so no day is ever booked in two parts.
    #[inline]
    pub(crate) fn close_day(&mut self, groups: u16) {
        if !self.open {
            return;
        }
        self.open = false;
        let (day, spend) = (self.open_day, self.open_spend);
        self.open_spend = 0;
        if let Some(&last) = self.days.last() {
            let gap = day - last;
            self.max_gap = self.max_gap.max(gap);
            self.gap_squares += i128::from(gap) * i128::from(gap);
            self.min_day_spend = self.min_day_spend.min(spend);
            self.max_day_spend = self.max_day_spend.max(spend);
        } else {
            (self.min_day_spend, self.max_day_spend) = (spend, spend);
            self.first_rows = self.purchase_rows;
            self.first_items = self.items.distinct();
            self.first_quantity = self.quantity;
        }
        self.days.push(day);
        self.spend_before.push(self.total() + spend);
        if groups & group::SPREAD != 0 {
            let x = units(spend);
            let delta = x - self.mean;
            self.mean += delta / self.days.len() as f64;
            self.m2 += delta * (x - self.mean);
        }
        if groups & group::CALENDAR != 0 {
            self.weekday[guike_core::Day(day).weekday() as usize] += 1;
            self.month[month_of(day)] += 1;
        }
    }

    fn total(&self) -> i128 {
        *self.spend_before.last().expect("begin() pushed the zero before the first day")
    }

    /// Prepares what several features share, and gives the view that features are read from.
    pub(crate) fn snapshot<'a>(&'a mut self, last_day: i32, set: &'a FeatureSet) -> Snapshot<'a> {
        let groups = set.groups();
        self.close_day(groups);
        self.window_start.clear();
        // windows ascend, so each start lies at or before that of the window before it
        let mut end = self.days.len();
        for &w in set.windows() {
            end = self.days[..end].partition_point(|&d| d <= last_day - w as i32);
            self.window_start.push(end as u32);
        }
        if groups & group::MEDIAN != 0 {
            self.median = self.median_day_spend();
        }
        if groups & group::CATEGORY != 0 {
            self.entropy = if self.categories.total() == 0 { f64::NAN } else { self.categories.entropy(&self.c_ln_c) };
        }
        Snapshot { state: self, last_day, set }
    }

    fn median_day_spend(&mut self) -> f64 {
        let n = self.days.len();
        if n == 0 {
            return f64::NAN;
        }
        self.middle.clear();
        self.middle.extend(self.spend_before.windows(2).map(|w| w[1] - w[0]));
        let (below, &mut upper, _) = self.middle.select_nth_unstable(n / 2);
        if n % 2 == 1 {
            return units(upper);
        }
        let lower = below.iter().copied().max().expect("an even number of days above zero is at least two");
        units(lower + upper) / 2.0
    }
}

/// One customer as of one anchor: what the catalogue's functions read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Snapshot<'a> {
    pub(crate) state: &'a State,
    pub(crate) last_day: i32,
    pub(crate) set: &'a FeatureSet,
}

impl Snapshot<'_> {
    /// Purchase days.
    pub(crate) fn n_days(&self) -> f64 {
        self.state.days.len() as f64
    }

    /// First purchase day.
    pub(crate) fn first(&self) -> Option<i32> {
        self.state.days.first().copied()
    }

    /// Last purchase day.
    pub(crate) fn last(&self) -> Option<i32> {
        self.state.days.last().copied()
    }

    /// Days since the last purchase day; NaN without a purchase.
    pub(crate) fn recency(&self) -> f64 {
        self.last().map_or(f64::NAN, |d| f64::from(self.last_day - d))
    }

    /// Days since the first purchase day; NaN without a purchase.
    pub(crate) fn tenure(&self) -> f64 {
        self.first().map_or(f64::NAN, |d| f64::from(self.last_day - d))
    }

    /// Spend on all purchases, in units.
    pub(crate) fn spend(&self) -> f64 {
        units(self.state.total())
    }

    /// Mean spend per purchase day.
    pub(crate) fn spend_mean(&self) -> f64 {
        ratio(self.spend(), self.n_days())
    }

    /// Sample standard deviation of day spends; NaN below two days.
    pub(crate) fn spend_std(&self) -> f64 {
        let n = self.state.days.len();
        if n < 2 { f64::NAN } else { (self.state.m2 / (n - 1) as f64).sqrt() }
    }

    /// Spend of the purchase day at this position.
    pub(crate) fn day_spend(&self, at: usize) -> f64 {
        units(self.state.spend_before[at + 1] - self.state.spend_before[at])
    }

    /// Mean days between purchase days; NaN below two.
    pub(crate) fn gap_mean(&self) -> f64 {
        match (self.first(), self.last()) {
            (Some(a), Some(b)) => ratio(f64::from(b - a), self.n_days() - 1.0),
            _ => f64::NAN,
        }
    }

    /// Sample standard deviation of the gaps, from exact integer sums; NaN below two gaps.
    pub(crate) fn gap_std(&self) -> f64 {
        let (Some(a), Some(b)) = (self.first(), self.last()) else { return f64::NAN };
        let n = self.state.days.len() as i128 - 1;
        if n < 2 {
            return f64::NAN;
        }
        let sum = i128::from(b) - i128::from(a);
        let numerator = n * self.state.gap_squares - sum * sum;
        (numerator as f64 / (n * (n - 1)) as f64).sqrt()
    }

    /// The window's length in days.
    pub(crate) fn window_orders(&self, window: usize) -> f64 {
        (self.state.days.len() - self.state.window_start[window] as usize) as f64
    }

    /// Spend within the window that ends at the anchor.
    pub(crate) fn window_spend(&self, window: usize) -> f64 {
        units(self.state.total() - self.state.spend_before[self.state.window_start[window] as usize])
    }

    /// Purchase days and spend within days `from..to` (days since the epoch, `to` excluded).
    pub(crate) fn between(&self, from: i32, to: i32) -> (f64, f64) {
        let a = self.state.days.partition_point(|&d| d < from);
        let b = a + self.state.days[a..].partition_point(|&d| d < to);
        ((b - a) as f64, units(self.state.spend_before[b] - self.state.spend_before[a]))
    }

    /// The same stretch of the calendar as the horizon, one year earlier, as far as it is known.
    pub(crate) fn year_ago(&self) -> (f64, f64) {
        let from = self.last_day + 1 - 365;
        let to = from.saturating_add(self.set.horizon().days() as i32).min(self.last_day + 1);
        self.between(from, to)
    }

    /// Purchase days and spend in the earlier and in the later half of the tenure.
    pub(crate) fn halves(&self) -> Option<((f64, f64), (f64, f64))> {
        let first = self.first()?;
        let middle = first + (self.last_day - first + 2) / 2;
        Some((self.between(first, middle), self.between(middle, self.last_day + 1)))
    }

    /// Events of the kind up to `days` back.
    pub(crate) fn kind_within(&self, kind: usize, days: i32) -> f64 {
        let all = &self.state.kind_days[kind];
        (all.len() - all.partition_point(|&d| d <= self.last_day - days)) as f64
    }
}

/// `a / b`, NaN where `b` is not positive.
pub(crate) fn ratio(a: f64, b: f64) -> f64 {
    if b > 0.0 { a / b } else { f64::NAN }
}

#[cfg(test)]
mod tests {
    use super::*;
    use guike_core::Day;

    #[test]
    fn months_agree_with_the_calendar() {
        for day in (-200_000..200_000).step_by(13) {
            assert_eq!(month_of(day), Day(day).ymd().1 as usize - 1, "{}", Day(day));
        }
    }

    #[test]
    fn units_agree_with_money_in_and_beyond_64_bits() {
        for m in [0_i128, 1, -1, 11_770_000, -999_999, i128::from(i64::MAX), i128::from(i64::MIN), 1 << 80, -(1 << 80)]
        {
            assert_eq!(units(m).to_bits(), Money::sum_units(m).to_bits(), "{m}");
        }
    }
}
