//! The event log: what happened, sorted by customer and time, in columns.
//!
//! One customer's events are a contiguous run of rows, so that one sequential pass computes whatever is asked of her.
//! [`EventLog::before`] gives the [`Past`] as of a cutoff and [`EventLog::after`] the [`Future`] within a horizon: features
//! accept only the one and labels only the other.

use serde::{Deserialize, Serialize};

use crate::table::Table;
use crate::time::{Cutoff, Day, Horizon, SECONDS_PER_DAY, Timestamp};

/// What kind of thing happened. The numbers are stored in files and never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum EventKind {
    /// Goods or services paid for; the amount is positive or zero.
    Purchase = 0,
    /// Money given back; the amount is negative or zero.
    Refund = 1,
    /// A product page was looked at.
    View = 2,
    /// Something was put into the cart.
    Cart = 3,
    /// Something was marked as a favourite.
    Favourite = 4,
    /// The customer logged in or opened the app.
    Login = 5,
    /// The customer wrote to the shop.
    Message = 6,
    /// A bill was paid (telecom, finance); counts as activity, not as a purchase.
    Payment = 7,
    /// Anything else.
    Other = 8,
}

impl EventKind {
    /// Every kind, in the order of its number.
    pub const ALL: [EventKind; 9] = [
        EventKind::Purchase,
        EventKind::Refund,
        EventKind::View,
        EventKind::Cart,
        EventKind::Favourite,
        EventKind::Login,
        EventKind::Message,
        EventKind::Payment,
        EventKind::Other,
    ];

    /// The kind with this number.
    pub fn from_u8(code: u8) -> Option<EventKind> {
        Self::ALL.get(usize::from(code)).copied()
    }

    /// Stable name in files and flags.
    pub fn name(self) -> &'static str {
        match self {
            EventKind::Purchase => "purchase",
            EventKind::Refund => "refund",
            EventKind::View => "view",
            EventKind::Cart => "cart",
            EventKind::Favourite => "favourite",
            EventKind::Login => "login",
            EventKind::Message => "message",
            EventKind::Payment => "payment",
            EventKind::Other => "other",
        }
    }
}

/// A run of events in columns, sorted by time; usually one customer's.
///
/// `time`, `kind` and `amount` always have the same length; each of the other columns has that length too or is empty
/// because the log has no such column. Codes index the log's dictionaries; [`Events::MISSING`] marks an empty cell.
#[derive(Debug, Clone, Copy, Default)]
pub struct Events<'a> {
    /// Seconds since the epoch, ascending.
    pub time: &'a [i64],
    /// [`EventKind`] numbers.
    pub kind: &'a [u8],
    /// Millionths of the currency unit.
    pub amount: &'a [i64],
    /// Pieces; NaN where missing.
    pub quantity: &'a [f32],
    /// Item codes.
    pub item: &'a [u32],
    /// Category codes.
    pub category: &'a [u32],
    /// Order codes.
    pub order: &'a [u32],
}

fn part<T>(column: &[T], from: usize, to: usize) -> &[T] {
    if column.is_empty() { column } else { &column[from..to] }
}

impl<'a> Events<'a> {
    /// The code of an empty item, category or order cell.
    pub const MISSING: u32 = u32::MAX;

    /// Number of events.
    pub fn len(&self) -> usize {
        self.time.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.time.is_empty()
    }

    /// Rows `from..to`.
    #[must_use]
    pub fn slice(&self, from: usize, to: usize) -> Events<'a> {
        Events {
            time: &self.time[from..to],
            kind: &self.kind[from..to],
            amount: &self.amount[from..to],
            quantity: part(self.quantity, from, to),
            item: part(self.item, from, to),
            category: part(self.category, from, to),
            order: part(self.order, from, to),
        }
    }

    /// The events strictly before `end`.
    #[must_use]
    pub fn until(&self, end: Timestamp) -> Events<'a> {
        let n = self.time.partition_point(|&t| t < end.0);
        self.slice(0, n)
    }

    /// The events in `[from, to)`.
    #[must_use]
    pub fn between(&self, from: Timestamp, to: Timestamp) -> Events<'a> {
        let a = self.time.partition_point(|&t| t < from.0);
        let b = self.time.partition_point(|&t| t < to.0);
        self.slice(a, b.max(a))
    }

    /// Whether the event at `row` is a purchase.
    pub fn is_purchase(&self, row: usize) -> bool {
        self.kind[row] == EventKind::Purchase as u8
    }

    /// The civil day number of the event at `row`.
    pub fn day(&self, row: usize) -> i32 {
        self.time[row].div_euclid(SECONDS_PER_DAY) as i32
    }
}

/// Attributes of customers (age, city …), one row per customer of the log, in the log's customer order.
pub type Attributes = Table;

/// All events of all customers: columns sorted by customer and time, with the dictionaries that name the codes.
///
/// Invariants (checked when it is built): `offsets` has one entry more than there are customers, starts with 0, never
/// falls and ends with the number of rows; times ascend within a customer; optional columns are empty or full.
#[derive(Debug, Clone, Default)]
pub struct EventLog {
    customer_ids: Vec<String>,
    offsets: Vec<u64>,
    time: Vec<i64>,
    kind: Vec<u8>,
    amount: Vec<i64>,
    quantity: Vec<f32>,
    item: Vec<u32>,
    category: Vec<u32>,
    order: Vec<u32>,
    items: Vec<String>,
    categories: Vec<String>,
    currency: Option<String>,
    attributes: Option<Attributes>,
}

/// The public parts from which an [`EventLog`] is built; see its invariants.
#[derive(Debug, Clone, Default)]
pub struct EventLogBuilder {
    /// Distinct customer ids, in the order of the rows.
    pub customer_ids: Vec<String>,
    /// Row where each customer begins, and the total at the end.
    pub offsets: Vec<u64>,
    /// Seconds since the epoch.
    pub time: Vec<i64>,
    /// [`EventKind`] numbers.
    pub kind: Vec<u8>,
    /// Millionths of the currency unit.
    pub amount: Vec<i64>,
    /// Pieces, or empty.
    pub quantity: Vec<f32>,
    /// Item codes, or empty.
    pub item: Vec<u32>,
    /// Category codes, or empty.
    pub category: Vec<u32>,
    /// Order codes, or empty.
    pub order: Vec<u32>,
    /// Item names by code.
    pub items: Vec<String>,
    /// Category names by code.
    pub categories: Vec<String>,
    /// Currency code or sign, where the log names one.
    pub currency: Option<String>,
    /// Customer attributes, one row per customer.
    pub attributes: Option<Attributes>,
}

impl EventLogBuilder {
    /// Adds a customer with her events; the very first call may find `offsets` empty.
    pub fn push_customer(&mut self, id: String, events: Events<'_>) {
        if self.offsets.is_empty() {
            self.offsets.push(0);
        }
        self.customer_ids.push(id);
        self.time.extend_from_slice(events.time);
        self.kind.extend_from_slice(events.kind);
        self.amount.extend_from_slice(events.amount);
        self.quantity.extend_from_slice(events.quantity);
        self.item.extend_from_slice(events.item);
        self.category.extend_from_slice(events.category);
        self.order.extend_from_slice(events.order);
        self.offsets.push(self.time.len() as u64);
    }

    /// Checks the invariants and gives the log.
    ///
    /// # Panics
    /// When an invariant of [`EventLog`] does not hold: that is a mistake in the code that sorts, never in the data.
    pub fn build(self) -> EventLog {
        let rows = self.time.len();
        assert_eq!(self.kind.len(), rows, "one kind per row");
        assert_eq!(self.amount.len(), rows, "one amount per row");
        for (name, len) in [
            ("quantity", self.quantity.len()),
            ("item", self.item.len()),
            ("category", self.category.len()),
            ("order", self.order.len()),
        ] {
            assert!(len == 0 || len == rows, "column {name} has {len} of {rows} rows");
        }
        assert_eq!(self.offsets.len(), self.customer_ids.len() + 1, "one offset per customer and one at the end");
        assert_eq!(self.offsets.first(), Some(&0), "the first customer begins at row 0");
        assert_eq!(self.offsets.last(), Some(&(rows as u64)), "the last customer ends at the last row");
        for w in self.offsets.windows(2) {
            assert!(w[0] <= w[1], "offsets never fall");
            let run = &self.time[w[0] as usize..w[1] as usize];
            assert!(run.is_sorted(), "times ascend within a customer");
        }
        if let Some(a) = &self.attributes {
            assert_eq!(a.n_rows(), self.customer_ids.len(), "one attribute row per customer");
        }
        let EventLogBuilder {
            customer_ids,
            offsets,
            time,
            kind,
            amount,
            quantity,
            item,
            category,
            order,
            items,
            categories,
            currency,
            attributes,
        } = self;
        EventLog {
            customer_ids,
            offsets,
            time,
            kind,
            amount,
            quantity,
            item,
            category,
            order,
            items,
            categories,
            currency,
            attributes,
        }
    }
}

impl EventLog {
    /// Number of customers.
    pub fn n_customers(&self) -> usize {
        self.customer_ids.len()
    }

    /// Number of events.
    pub fn n_events(&self) -> usize {
        self.time.len()
    }

    /// Customer ids, in the order of every per-customer result.
    pub fn customer_ids(&self) -> &[String] {
        &self.customer_ids
    }

    /// Item names by code.
    pub fn items(&self) -> &[String] {
        &self.items
    }

    /// Category names by code.
    pub fn categories(&self) -> &[String] {
        &self.categories
    }

    /// The log's currency, where it names one.
    pub fn currency(&self) -> Option<&str> {
        self.currency.as_deref()
    }

    /// Customer attributes, where there are any.
    pub fn attributes(&self) -> Option<&Attributes> {
        self.attributes.as_ref()
    }

    /// The same log with attributes of its customers.
    ///
    /// # Panics
    /// When there is not one row per customer.
    #[must_use]
    pub fn with_attributes(mut self, attributes: Attributes) -> EventLog {
        assert_eq!(attributes.n_rows(), self.n_customers(), "one attribute row per customer");
        self.attributes = Some(attributes);
        self
    }

    /// Every row, in customer and time order.
    pub fn all(&self) -> Events<'_> {
        Events {
            time: &self.time,
            kind: &self.kind,
            amount: &self.amount,
            quantity: &self.quantity,
            item: &self.item,
            category: &self.category,
            order: &self.order,
        }
    }

    /// Where each customer's rows begin, and the number of rows at the end.
    pub fn offsets(&self) -> &[u64] {
        &self.offsets
    }

    /// Everything one customer did.
    pub fn customer(&self, customer_idx: usize) -> Events<'_> {
        self.all().slice(self.offsets[customer_idx] as usize, self.offsets[customer_idx + 1] as usize)
    }

    /// The log of these customers alone, in this order, with all that the log knows of them.
    ///
    /// # Example
    /// ```
    /// use guike_core::{EventLogBuilder, Events};
    ///
    /// let mut all = EventLogBuilder::default();
    /// for (id, time) in [("ann", 10), ("bob", 20), ("eve", 30)] {
    ///     all.push_customer(id.to_owned(), Events { time: &[time], kind: &[0], amount: &[1], ..Events::default() });
    /// }
    /// let two = all.build().only(&[2, 0]);
    /// assert_eq!(two.customer_ids(), ["eve", "ann"]);
    /// assert_eq!(two.customer(0).time, [30]);
    /// ```
    #[must_use]
    pub fn only(&self, customers: &[u32]) -> EventLog {
        let mut few = EventLogBuilder {
            offsets: vec![0],
            items: self.items.clone(),
            categories: self.categories.clone(),
            currency: self.currency.clone(),
            attributes: self.attributes.as_ref().map(|table| {
                let rows: Vec<usize> = customers.iter().map(|&c| c as usize).collect();
                table.take(&rows)
            }),
            ..EventLogBuilder::default()
        };
        for &customer in customers {
            few.push_customer(self.customer_ids[customer as usize].clone(), self.customer(customer as usize));
        }
        few.build()
    }

    /// First and last day with a purchase, or `None` in a log without purchases.
    pub fn purchase_span(&self) -> Option<(Day, Day)> {
        let days = self
            .time
            .iter()
            .zip(&self.kind)
            .filter(|&(_, &k)| k == EventKind::Purchase as u8)
            .map(|(&t, _)| Timestamp(t).day());
        days.fold(None, |span, d| match span {
            None => Some((d, d)),
            Some((a, b)) => Some((a.min(d), b.max(d))),
        })
    }

    /// What is known at `cutoff`.
    pub fn before(&self, cutoff: Cutoff) -> Past<'_> {
        Past { log: self, cutoff }
    }

    /// What happens in the `horizon` after `cutoff`.
    pub fn after(&self, cutoff: Cutoff, horizon: Horizon) -> Future<'_> {
        Future { log: self, cutoff, horizon }
    }
}

/// The log as it was known at a cutoff. Features and summaries accept only this.
#[derive(Debug, Clone, Copy)]
pub struct Past<'a> {
    log: &'a EventLog,
    cutoff: Cutoff,
}

impl<'a> Past<'a> {
    /// The cutoff.
    pub fn cutoff(&self) -> Cutoff {
        self.cutoff
    }

    /// Number of customers in the whole log, seen before the cutoff or not.
    pub fn n_customers(&self) -> usize {
        self.log.n_customers()
    }

    /// What one customer had done by the cutoff.
    pub fn customer(&self, customer_idx: usize) -> Events<'a> {
        self.log.customer(customer_idx).until(self.cutoff.end())
    }

    /// Attributes of all customers (they carry no time and must be known before any cutoff).
    pub fn attributes(&self) -> Option<&'a Attributes> {
        self.log.attributes()
    }

    /// Category names by code (names carry no time; a code that only occurs later names nothing in the past).
    pub fn categories(&self) -> &'a [String] {
        self.log.categories()
    }

    /// Customers with at least one purchase by the cutoff, ascending: the cases of every forecast.
    pub fn buyers(&self) -> Vec<u32> {
        (0..self.n_customers())
            .filter(|&i| {
                let e = self.customer(i);
                (0..e.len()).any(|r| e.is_purchase(r))
            })
            .map(|i| i as u32)
            .collect()
    }
}

/// What happened in the horizon after a cutoff. Labels accept only this.
#[derive(Debug, Clone, Copy)]
pub struct Future<'a> {
    log: &'a EventLog,
    cutoff: Cutoff,
    horizon: Horizon,
}

impl<'a> Future<'a> {
    /// The horizon.
    pub fn horizon(&self) -> Horizon {
        self.horizon
    }

    /// What one customer did after the cutoff and within the horizon.
    pub fn customer(&self, customer_idx: usize) -> Events<'a> {
        let last = self.cutoff.last_day().plus(self.horizon.days() as i32);
        self.log.customer(customer_idx).between(self.cutoff.end(), Cutoff::after(last).end())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log() -> EventLog {
        let day = |d: i64| d * SECONDS_PER_DAY;
        EventLogBuilder {
            customer_ids: vec!["a".into(), "b".into()],
            offsets: vec![0, 3, 4],
            time: vec![day(0), day(5) + SECONDS_PER_DAY - 1, day(6), day(7)],
            kind: vec![0, 0, 0, 0],
            amount: vec![1, 2, 3, 4],
            ..Default::default()
        }
        .build()
    }

    #[test]
    fn past_and_future_share_no_event_and_miss_none() {
        let log = log();
        for last in -1..9 {
            let cutoff = Cutoff::after(Day(last));
            let horizon = Horizon::from_days(100).expect("in range");
            for c in 0..2 {
                let (p, f) = (log.before(cutoff).customer(c), log.after(cutoff, horizon).customer(c));
                assert_eq!(p.len() + f.len(), log.customer(c).len());
                assert!(p.time.iter().all(|&t| t < cutoff.end().0));
                assert!(f.time.iter().all(|&t| t >= cutoff.end().0));
            }
        }
    }

    #[test]
    fn the_last_second_of_the_cutoff_day_is_past() {
        let log = log();
        assert_eq!(log.before(Cutoff::after(Day(5))).customer(0).len(), 2);
        assert_eq!(log.before(Cutoff::after(Day(4))).customer(0).len(), 1);
        assert_eq!(log.after(Cutoff::after(Day(5)), Horizon::from_days(1).expect("1")).customer(0).len(), 1);
    }

    #[test]
    fn only_customers_with_a_past_purchase_are_cases() {
        assert_eq!(log().before(Cutoff::after(Day(6))).buyers(), vec![0]);
        assert_eq!(log().before(Cutoff::after(Day(7))).buyers(), vec![0, 1]);
    }

    #[test]
    #[should_panic(expected = "times ascend")]
    fn an_unsorted_log_cannot_be_built() {
        EventLogBuilder {
            customer_ids: vec!["a".into()],
            offsets: vec![0, 2],
            time: vec![2, 1],
            kind: vec![0; 2],
            amount: vec![0; 2],
            ..Default::default()
        }
        .build();
    }
}
