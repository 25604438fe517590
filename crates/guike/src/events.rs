//! Events that come one by one: what may be told of one, and the log in which it is safe.
//!
//! The one idea: who tells of events is answered when they are on disk, together with the key under which she told of them.
//! So whoever does not know whether she was heard says the same again under the same key, and nothing is taken twice.
//! Requests that come while the disk is at work are written together afterwards.
//!
//! The next run reads them behind its log (`join`); until then [`crate::history`] says what they change for whom they tell of.

mod ingest;
mod join;
mod parse;
mod writer;

use std::path::Path;

use guike_core::{Money, Timestamp};
use guike_store::read_sealed_lines;
use serde_json::{Value, json};

use crate::error::Error;

pub use ingest::{Ingested, ingest};
pub(crate) use join::{Has, joined, joined_as};
pub use parse::{EventError, EventTrouble, parse};
pub use writer::{Done, Events, Refused, Taken};

/// Something that happened in the shop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Whose it is, as the order log writes customers.
    pub customer_id: String,
    /// When, in the shop's own time.
    pub time: Timestamp,
    /// What was paid; below zero what was given back.
    pub amount: Money,
}

impl Event {
    /// Whether money was given back.
    pub(crate) fn is_refund(&self) -> bool {
        self.amount.0 < 0
    }
}

/// Every event of a log in the order in which they were taken, also while a server appends to it.
///
/// # Errors
/// [`Error::Store`] for a log that is missing or damaged.
pub fn read(path: &Path) -> Result<Vec<Event>, Error> {
    let mut events = Vec::new();
    read_sealed_lines(path, &mut |line| {
        events.extend(Request::from_line(line)?.events);
        Ok(())
    })?;
    Ok(events)
}

/// A checksum of these events in this order.
pub(crate) fn digest(events: &[Event]) -> String {
    let chained = events.iter().fold(0, |before: u128, e| {
        guike_store::digest(format!("{before:032x}{}", cells(std::slice::from_ref(e))).as_bytes())
    });
    format!("{chained:032x}")
}

/// Events that were told of together, as a line of the log keeps them.
struct Request {
    /// Tells keys apart.
    key: u128,
    /// Tells apart what was said under a key.
    said: u128,
    events: Vec<Event>,
}

impl Request {
    /// `who` keeps apart the keys of clients who do not know of each other.
    fn new(who: &str, key: &str, events: Vec<Event>) -> Request {
        let key = guike_store::digest(format!("{who}\n{key}").as_bytes());
        let said = guike_store::digest(cells(&events).to_string().as_bytes());
        Request { key, said, events }
    }

    fn to_line(&self) -> String {
        let digits = |n: u128| format!("{n:032x}");
        json!({ "key": digits(self.key), "said": digits(self.said), "events": cells(&self.events) }).to_string()
    }

    fn from_line(line: &str) -> Result<Request, String> {
        let parsed: Option<Request> = serde_json::from_str(line).ok().and_then(|line: Value| {
            let digits = |name: &str| u128::from_str_radix(line[name].as_str()?, 16).ok();
            let event = |cells: &Value| {
                Some(Event {
                    customer_id: cells[0].as_str()?.to_owned(),
                    time: Timestamp(cells[1].as_i64()?),
                    amount: Money(cells[2].as_i64()?),
                })
            };
            let events = line["events"].as_array()?.iter().map(event).collect::<Option<_>>()?;
            Some(Request { key: digits("key")?, said: digits("said")?, events })
        });
        parsed.ok_or_else(|| "is not of a log of events".to_owned())
    }
}

/// Customer, seconds since 1970 and millionths of each event.
fn cells(events: &[Event]) -> Value {
    events.iter().map(|e| json!([e.customer_id, e.time.0, e.amount.0])).collect()
}

#[cfg(test)]
mod tests;
