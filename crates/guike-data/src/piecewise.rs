//! A log by customer that need not fit in memory, looked at a piece of it at a time.
//!
//! The one idea: sorted rows of a log that is too large to be held are put into partitions once more, this time by the
//! customer's place in the final order, packed and beyond the limit on disk as before. A partition is then a *piece*: some
//! neighbouring customers with all their rows, itself an [`EventLog`]. A log that fits is one piece, so that whoever looks at
//! pieces need not ask how large the log is; what is found must not depend on where pieces begin.

mod placing;

use guike_core::{Attributes, Cutoff, Day, EventLog, EventLogBuilder};
use guike_features::LogShape;
use rayon::prelude::*;

use crate::error::DataError;
use crate::partition::Partitioned;
use crate::quality::Ledger;
use crate::rows::RowColumns;
use crate::sorted::Buffers;

/// Pieces for each thread whose results wait for their turn.
const AHEAD: usize = 4;

/// Which columns of a log are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reads {
    /// All that it has.
    Everything,
    /// When, what kind and for how much; a log in memory shows all the same.
    Purchases,
}

/// A cleaned log, in memory or not: customers in their order, each with her events in the order of time.
///
/// # Example
/// ```
/// use guike_core::{EventLogBuilder, Events};
/// use guike_data::{DataError, PiecewiseLog, Reads};
///
/// let mut b = EventLogBuilder::default();
/// for id in ["ann", "bob"] {
///     b.push_customer(id.to_owned(), Events { time: &[1, 2], kind: &[0, 0], amount: &[5, 5], ..Events::default() });
/// }
/// let log = PiecewiseLog::from(b.build());
/// let events = log.map(Reads::Purchases, |_first, piece| Ok::<_, DataError>(piece.n_events())).unwrap();
/// assert_eq!(events.iter().sum::<usize>(), 4);
/// assert_eq!(log.only(&[1]).unwrap().customer_ids(), ["bob"]);
/// let stopped: Result<Vec<()>, DataError> = log.map(Reads::Everything, |_, _| Err(guike_core::Cancelled.into()));
/// assert!(stopped.is_err());
/// ```
#[derive(Debug)]
pub struct PiecewiseLog(Held);

#[derive(Debug)]
enum Held {
    Whole(EventLog),
    Apart(Apart),
}

/// What is known of a log whose rows are packed, and these.
#[derive(Debug)]
struct Apart {
    customer_ids: Vec<String>,
    items: Vec<String>,
    categories: Vec<String>,
    currency: Option<String>,
    attributes: Option<Attributes>,
    purchase_span: Option<(Day, Day)>,
    rows: Partitioned,
    /// Where each piece's customers begin, and their number at the end.
    firsts: Vec<u32>,
}

impl From<EventLog> for PiecewiseLog {
    fn from(log: EventLog) -> PiecewiseLog {
        PiecewiseLog(Held::Whole(log))
    }
}

impl PiecewiseLog {
    /// Number of customers.
    pub fn n_customers(&self) -> usize {
        self.customer_ids().len()
    }

    /// Number of events.
    pub fn n_events(&self) -> usize {
        match &self.0 {
            Held::Whole(log) => log.n_events(),
            Held::Apart(apart) => apart.rows.n_rows() as usize,
        }
    }

    /// Customer ids, in the order of every per-customer result.
    pub fn customer_ids(&self) -> &[String] {
        match &self.0 {
            Held::Whole(log) => log.customer_ids(),
            Held::Apart(apart) => &apart.customer_ids,
        }
    }

    /// Item names by code.
    pub fn items(&self) -> &[String] {
        match &self.0 {
            Held::Whole(log) => log.items(),
            Held::Apart(apart) => &apart.items,
        }
    }

    /// Category names by code.
    pub fn categories(&self) -> &[String] {
        match &self.0 {
            Held::Whole(log) => log.categories(),
            Held::Apart(apart) => &apart.categories,
        }
    }

    /// The log's currency, where it names one.
    pub fn currency(&self) -> Option<&str> {
        match &self.0 {
            Held::Whole(log) => log.currency(),
            Held::Apart(apart) => apart.currency.as_deref(),
        }
    }

    /// Customer attributes, where there are any.
    pub fn attributes(&self) -> Option<&Attributes> {
        match &self.0 {
            Held::Whole(log) => log.attributes(),
            Held::Apart(apart) => apart.attributes.as_ref(),
        }
    }

    /// The same log with attributes of its customers.
    ///
    /// # Panics
    /// When there is not one row per customer.
    #[must_use]
    pub fn with_attributes(self, attributes: Attributes) -> PiecewiseLog {
        match self.0 {
            Held::Whole(log) => log.with_attributes(attributes).into(),
            Held::Apart(mut apart) => {
                assert_eq!(attributes.n_rows(), apart.customer_ids.len(), "one attribute row per customer");
                apart.attributes = Some(attributes);
                PiecewiseLog(Held::Apart(apart))
            }
        }
    }

    /// Which optional columns the rows have.
    pub(crate) fn columns(&self) -> RowColumns {
        match &self.0 {
            Held::Apart(apart) => apart.rows.columns(),
            Held::Whole(log) => {
                let e = log.all();
                RowColumns {
                    quantity: !e.quantity.is_empty(),
                    item: !e.item.is_empty(),
                    category: !e.category.is_empty(),
                    order: !e.order.is_empty(),
                    ..RowColumns::default()
                }
            }
        }
    }

    /// First and last day with a purchase, or `None` in a log without purchases.
    pub fn purchase_span(&self) -> Option<(Day, Day)> {
        match &self.0 {
            Held::Whole(log) => log.purchase_span(),
            Held::Apart(apart) => apart.purchase_span,
        }
    }

    /// What the log offers, as it was known at the cutoff.
    pub fn shape(&self, cutoff: Cutoff) -> LogShape {
        match &self.0 {
            Held::Whole(log) => LogShape::of(&log.before(cutoff)),
            Held::Apart(apart) => apart.rows.shape(cutoff),
        }
    }

    /// The log, where it is in memory.
    pub fn in_memory(&self) -> Option<&EventLog> {
        match &self.0 {
            Held::Whole(log) => Some(log),
            Held::Apart(_) => None,
        }
    }

    /// `work` on every piece, on all threads, told which customer of the log is the piece's first; the results in the order of
    /// the customers.
    ///
    /// # Errors
    /// Whatever `work` returns, and when a temporary file cannot be read.
    pub fn map<R: Send, E: From<DataError> + Send>(
        &self,
        reads: Reads,
        work: impl Fn(usize, &EventLog) -> Result<R, E> + Sync,
    ) -> Result<Vec<R>, E> {
        let mut all = Vec::new();
        self.fold(reads, work, |result| {
            all.push(result);
            Ok(())
        })?;
        Ok(all)
    }

    /// The same, each result given to `take` in the order of the customers while few others wait: where all results together
    /// would be as large as the log.
    ///
    /// # Errors
    /// As [`PiecewiseLog::map`], and whatever `take` returns.
    pub fn fold<R: Send, E: From<DataError> + Send>(
        &self,
        reads: Reads,
        work: impl Fn(usize, &EventLog) -> Result<R, E> + Sync,
        mut take: impl FnMut(R) -> Result<(), E>,
    ) -> Result<(), E> {
        match &self.0 {
            Held::Whole(log) => take(work(0, log)?),
            Held::Apart(apart) => apart.fold(&(0..apart.n_pieces()).collect::<Vec<usize>>(), reads, work, take),
        }
    }

    /// The log of these customers alone, in memory.
    ///
    /// # Errors
    /// When a temporary file cannot be read.
    ///
    /// # Panics
    /// When the customers do not ascend.
    pub fn only(&self, customers: &[u32]) -> Result<EventLog, DataError> {
        assert!(customers.is_sorted_by(|a, b| a < b), "customers ascend, each once");
        match &self.0 {
            Held::Whole(log) => Ok(log.only(customers)),
            Held::Apart(apart) => apart.only(customers),
        }
    }

    /// All of the log, in memory.
    ///
    /// # Errors
    /// When a temporary file cannot be read.
    pub fn whole(self) -> Result<EventLog, DataError> {
        match self.0 {
            Held::Whole(log) => Ok(log),
            Held::Apart(apart) => apart.whole(),
        }
    }
}

impl Apart {
    fn n_pieces(&self) -> usize {
        self.firsts.len() - 1
    }

    /// One piece with its customers' rows.
    fn piece(&self, at: usize, columns: RowColumns, buffers: &mut Buffers) -> Result<EventLog, DataError> {
        // nothing is cleaned any more, so that nothing is counted
        let sorted = self.rows.sorted(at, columns, None, buffers, &mut Ledger::default())?;
        let customers = self.firsts[at] as usize..self.firsts[at + 1] as usize;
        let mut b = with_room(sorted.n_rows(), columns);
        b.customer_ids.reserve_exact(customers.len());
        for (id, (_, events)) in self.customer_ids[customers.clone()].iter().zip(sorted.customers()) {
            b.push_customer(id.clone(), events);
        }
        assert_eq!(b.customer_ids.len(), customers.len(), "every customer has a row");
        if columns.category {
            b.categories = self.categories.clone();
        }
        b.currency = self.currency.clone();
        b.attributes = self.attributes.as_ref().map(|a| a.take(&customers.collect::<Vec<usize>>()));
        Ok(b.build())
    }

    fn fold<R: Send, E: From<DataError> + Send>(
        &self,
        pieces: &[usize],
        reads: Reads,
        work: impl Fn(usize, &EventLog) -> Result<R, E> + Sync,
        mut take: impl FnMut(R) -> Result<(), E>,
    ) -> Result<(), E> {
        let columns = match reads {
            Reads::Everything => self.rows.columns(),
            Reads::Purchases => RowColumns::default(),
        };
        for some in pieces.chunks(AHEAD * rayon::current_num_threads().max(1)) {
            let done: Vec<R> = some
                .par_iter()
                .map_init(Buffers::default, |buffers, &at| {
                    work(self.firsts[at] as usize, &self.piece(at, columns, buffers)?)
                })
                .collect::<Result<_, E>>()?;
            done.into_iter().try_for_each(&mut take)?;
        }
        Ok(())
    }

    fn only(&self, customers: &[u32]) -> Result<EventLog, DataError> {
        let within = |at: usize| {
            let begin = |of: u32| customers.partition_point(|&c| c < of);
            begin(self.firsts[at])..begin(self.firsts[at + 1])
        };
        let pieces: Vec<usize> = (0..self.n_pieces()).filter(|&at| !within(at).is_empty()).collect();
        let mut few = EventLogBuilder { offsets: vec![0], ..EventLogBuilder::default() };
        let of_piece = |first: usize, piece: &EventLog| {
            let asked = customers.partition_point(|&c| (c as usize) < first);
            let end = customers.partition_point(|&c| (c as usize) < first + piece.n_customers());
            let local: Vec<u32> = customers[asked..end].iter().map(|&c| c - first as u32).collect();
            Ok::<EventLog, DataError>(piece.only(&local))
        };
        self.fold(&pieces, Reads::Everything, of_piece, |some| {
            append(&mut few, &some);
            Ok(())
        })?;
        (few.items, few.categories) = (self.items.clone(), self.categories.clone());
        few.currency = self.currency.clone();
        let rows: Vec<usize> = customers.iter().map(|&c| c as usize).collect();
        few.attributes = self.attributes.as_ref().map(|a| a.take(&rows));
        Ok(few.build())
    }

    fn whole(self) -> Result<EventLog, DataError> {
        let mut all = with_room(self.rows.n_rows() as usize, self.rows.columns());
        all.customer_ids.reserve_exact(self.customer_ids.len());
        let pieces: Vec<usize> = (0..self.n_pieces()).collect();
        self.fold(
            &pieces,
            Reads::Everything,
            |_, piece| Ok::<EventLog, DataError>(piece.clone()),
            |piece| {
                append(&mut all, &piece);
                Ok(())
            },
        )?;
        let Apart { items, categories, currency, attributes, .. } = self;
        Ok(EventLogBuilder { items, categories, currency, attributes, ..all }.build())
    }
}

/// A log without customers and with room for so many rows, so that its columns need not be moved while they grow.
fn with_room(rows: usize, columns: RowColumns) -> EventLogBuilder {
    let if_there = |is_there: bool| if is_there { rows } else { 0 };
    EventLogBuilder {
        offsets: vec![0],
        time: Vec::with_capacity(rows),
        kind: Vec::with_capacity(rows),
        amount: Vec::with_capacity(rows),
        quantity: Vec::with_capacity(if_there(columns.quantity)),
        item: Vec::with_capacity(if_there(columns.item)),
        category: Vec::with_capacity(if_there(columns.category)),
        order: Vec::with_capacity(if_there(columns.order)),
        ..EventLogBuilder::default()
    }
}

/// Puts the customers of `some` behind those of `all`.
fn append(all: &mut EventLogBuilder, some: &EventLog) {
    for (customer, id) in some.customer_ids().iter().enumerate() {
        all.push_customer(id.clone(), some.customer(customer));
    }
}
