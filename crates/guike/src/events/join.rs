//! Events behind a log: the same log as if its file had gone on with them.

use std::collections::BTreeMap;

use guike_core::{EventKind, EventLog, EventLogBuilder, Events};
use guike_data::customer_order;

use super::Event;
use crate::error::Error;

/// The log with these events. At the same moment what the log has comes first, then events as they were told. What events do
/// not tell (item, category, order, pieces) is missing.
///
/// # Errors
/// [`Error::NoAnswer`] for new customers of a log that carries attributes of its own: nobody told theirs.
pub(crate) fn joined(log: EventLog, events: &[Event]) -> Result<EventLog, Error> {
    let has = Has::of(&log);
    joined_as(log, events, has)
}

/// Which columns a log has that it may lack.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Has {
    pub(crate) quantity: bool,
    pub(crate) item: bool,
    pub(crate) category: bool,
    pub(crate) order: bool,
}

impl Has {
    pub(crate) fn of(log: &EventLog) -> Has {
        let all = log.all();
        Has {
            quantity: !all.quantity.is_empty(),
            item: !all.item.is_empty(),
            category: !all.category.is_empty(),
            order: !all.order.is_empty(),
        }
    }
}

/// The same for a part of a log, which may be empty and still is of a log with these columns.
///
/// # Errors
/// As [`joined`].
pub(crate) fn joined_as(log: EventLog, events: &[Event], has: Has) -> Result<EventLog, Error> {
    if events.is_empty() {
        return Ok(log);
    }
    let mut ids = log.customer_ids().to_vec();
    let mut codes: BTreeMap<&str, u32> = BTreeMap::new();
    for (code, id) in log.customer_ids().iter().enumerate() {
        codes.insert(id, code as u32);
    }
    let mut added: Vec<(u32, &Event)> = Vec::with_capacity(events.len());
    for event in events {
        let code = *codes.entry(&event.customer_id).or_insert_with(|| {
            ids.push(event.customer_id.clone());
            (ids.len() - 1) as u32
        });
        added.push((code, event));
    }
    if log.attributes().is_some() && ids.len() > log.n_customers() {
        return Err(Error::NoAnswer(format!(
            "the log carries attributes of its customers, and {} customers of the events are not in it; give the attributes \
             as a file with --customers",
            ids.len() - log.n_customers()
        )));
    }
    // stable: at the same moment as they were told
    added.sort_by_key(|(code, event)| (*code, event.time));
    let mut joined = Columns::new(&log, added.len(), has);
    // who is known already stays where she is, as her attributes do
    let is_new = ids.len() > log.n_customers();
    let order = if is_new { customer_order(&ids) } else { (0..ids.len() as u32).collect() };
    for &code in &order {
        joined.offsets.push(joined.time.len() as u64);
        let known = (code as usize) < log.n_customers();
        let old = if known { log.customer(code as usize) } else { Events::default() };
        let mut at = 0;
        let from = added.partition_point(|(c, _)| *c < code);
        for (_, event) in added[from..].iter().take_while(|(c, _)| *c == code) {
            while at < old.len() && old.time[at] <= event.time.0 {
                joined.push_old(old, at);
                at += 1;
            }
            joined.push_new(event);
        }
        (at..old.len()).for_each(|row| joined.push_old(old, row));
    }
    joined.offsets.push(joined.time.len() as u64);
    Ok(EventLogBuilder {
        customer_ids: order.iter().map(|&code| ids[code as usize].clone()).collect(),
        offsets: joined.offsets,
        time: joined.time,
        kind: joined.kind,
        amount: joined.amount,
        quantity: joined.quantity,
        item: joined.item,
        category: joined.category,
        order: joined.order,
        items: log.items().to_vec(),
        categories: log.categories().to_vec(),
        currency: log.currency().map(str::to_owned),
        attributes: log.attributes().cloned(),
    }
    .build())
}

/// The columns of the log that is being made; those that the old one does not have stay empty.
struct Columns {
    offsets: Vec<u64>,
    time: Vec<i64>,
    kind: Vec<u8>,
    amount: Vec<i64>,
    quantity: Vec<f32>,
    item: Vec<u32>,
    category: Vec<u32>,
    order: Vec<u32>,
    has: Has,
}

impl Columns {
    fn new(log: &EventLog, more: usize, has: Has) -> Columns {
        let n = log.n_events() + more;
        Columns {
            offsets: Vec::with_capacity(log.n_customers() + 1),
            time: Vec::with_capacity(n),
            kind: Vec::with_capacity(n),
            amount: Vec::with_capacity(n),
            quantity: Vec::new(),
            item: Vec::new(),
            category: Vec::new(),
            order: Vec::new(),
            has,
        }
    }

    fn push_old(&mut self, old: Events<'_>, row: usize) {
        self.time.push(old.time[row]);
        self.kind.push(old.kind[row]);
        self.amount.push(old.amount[row]);
        self.quantity.extend(old.quantity.get(row));
        self.item.extend(old.item.get(row));
        self.category.extend(old.category.get(row));
        self.order.extend(old.order.get(row));
    }

    fn push_new(&mut self, event: &Event) {
        let kind = if event.is_refund() { EventKind::Refund } else { EventKind::Purchase };
        self.time.push(event.time.0);
        self.kind.push(kind as u8);
        self.amount.push(event.amount.0);
        let Has { quantity, item, category, order } = self.has;
        self.quantity.extend(quantity.then_some(f32::NAN));
        self.item.extend(item.then_some(Events::MISSING));
        self.category.extend(category.then_some(Events::MISSING));
        self.order.extend(order.then_some(Events::MISSING));
    }
}
