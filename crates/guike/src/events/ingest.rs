//! Events from a stream of lines, such as what a consumer of a message broker prints.

use std::io::BufRead;
use std::path::Path;
use std::sync::mpsc::channel;

use guike_core::Timestamp;
use serde_json::Value;

use super::parse::event;
use super::{Event, Events, Refused, Taken};
use crate::error::Error;

/// Most bytes of a line.
const LONGEST: usize = 1 << 20;
/// Keeps apart the keys of streams and those of clients of the server.
const WHO: &str = "ingest";

/// What has been put on disk so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ingested {
    /// Events that were new.
    pub taken: u64,
    /// Events that were there before.
    pub repeated: u64,
    /// The key of the last one: everything up to it is safe.
    pub key: String,
}

/// Puts the events of `lines`, a JSON object each, into the log of events at `path`, once each: `key` names the members that tell
/// them apart (partition and offset). `tell` hears what is on disk after every flush; there is one for all lines that come
/// together. A line that is no event ends it, when those before are safe.
///
/// # Errors
/// [`Error::NoAnswer`] for a line that is no event or a key that stood for something else; [`Error::Store`] as
/// [`Events::open`], and when a flush fails; [`Error::Internal`] for a stream that breaks. The same stream may be sent again.
///
/// # Example
/// ```
/// use guike_core::Day;
/// let folder = tempfile::tempdir().unwrap();
/// let now = || Day::from_ymd(2026, 11, 27).unwrap().start();
/// let mut lines = &br#"{"offset":7,"customer_id":"C7","time":"2026-11-26","amount":12.5}"#[..];
/// let key = ["offset".to_owned()];
/// let done = guike::events::ingest(&mut lines, &folder.path().join("events.log"), &key, &now, &mut |_| {}).unwrap();
/// assert_eq!((done.taken, done.key.as_str()), (1, "7"));
/// ```
pub fn ingest(
    lines: &mut dyn BufRead,
    path: &Path,
    key: &[String],
    now: &dyn Fn() -> Timestamp,
    tell: &mut dyn FnMut(&Ingested),
) -> Result<Ingested, Error> {
    let events = Events::open(path)?;
    let mut so_far = Ingested::default();
    let mut rest: Vec<u8> = Vec::new();
    let mut n_lines = 0;
    loop {
        let come = lines.fill_buf().map_err(|e| Error::Internal(format!("the stream of events broke ({e})")))?;
        let (n, at_end) = (come.len(), come.is_empty());
        rest.extend_from_slice(come);
        lines.consume(n);
        let whole = match rest.iter().rposition(|&b| b == b'\n') {
            _ if at_end => rest.len(),
            Some(last) => last + 1,
            None if rest.len() > LONGEST => return Err(too_long(n_lines + 1)),
            None => continue,
        };
        let now = now();
        let mut together = Vec::new();
        let mut wrong = None;
        for line in rest[..whole].split_inclusive(|&b| b == b'\n') {
            n_lines += 1;
            if line.trim_ascii().is_empty() {
                continue;
            }
            match read(line, n_lines, key, now) {
                Ok(told) => together.push(told),
                Err(e) => {
                    wrong = Some(e);
                    break;
                }
            }
        }
        rest.drain(..whole);
        if !together.is_empty() {
            put(&events, together, &mut so_far)?;
            tell(&so_far);
        }
        match wrong {
            Some(error) => return Err(error),
            None if at_end => return Ok(so_far),
            None => {}
        }
    }
}

fn too_long(line: usize) -> Error {
    Error::NoAnswer(format!(
        "line {line} is longer than {} KiB and is no event; everything before is safe",
        LONGEST >> 10
    ))
}

/// A line's key and event.
fn read(line: &[u8], number: usize, key: &[String], now: Timestamp) -> Result<(String, Event), Error> {
    let wrong = |what: String| Error::NoAnswer(format!("{what}; everything before line {number} is safe"));
    if line.len() > LONGEST {
        return Err(too_long(number));
    }
    let mut value: Value = serde_json::from_slice(line)
        .map_err(|e| wrong(format!("line {number} stops being JSON at column {}", e.column())))?;
    let members = value.as_object_mut().ok_or_else(|| wrong(format!("line {number} is no object")))?;
    let mut parts = Vec::with_capacity(key.len());
    for name in key {
        let part = members.get(name).and_then(|v| match v {
            Value::String(text) => Some(text.clone()),
            Value::Number(n) => Some(n.to_string()),
            _ => None,
        });
        let rule =
            || wrong(format!("event {number} has no `{name}`, a text or a number, by which it is told from others"));
        parts.push(part.ok_or_else(rule)?);
    }
    // a part of the key may be one of what an event tells
    for name in key.iter().filter(|name| !super::parse::MEMBERS.contains(&name.as_str())) {
        members.remove(name);
    }
    let event = event(number, value, now).map_err(|e| wrong(e.detail))?;
    Ok((parts.join("/"), event))
}

/// Waits until they are on disk.
fn put(events: &Events, together: Vec<(String, Event)>, so_far: &mut Ingested) -> Result<(), Error> {
    let (sender, receiver) = channel();
    let n = together.len();
    let last = together.last().map(|(key, _)| key.clone()).unwrap_or_default();
    for (key, event) in together {
        let sender = sender.clone();
        let named = key.clone();
        // nobody listens any more after the first that is refused
        let done = move |said, _| drop(sender.send((named, said)));
        events.add(WHO, &key, vec![event], Box::new(done));
    }
    for _ in 0..n {
        let lost = |_| Error::Internal("the writer of events ended".to_owned());
        match receiver.recv().map_err(lost)? {
            (_, Ok(Taken::Now)) => so_far.taken += 1,
            (_, Ok(Taken::Before)) => so_far.repeated += 1,
            (key, Err(Refused::OtherBefore)) => {
                return Err(Error::NoAnswer(format!(
                    "the key `{key}` stood for something else before; name members by --key that tell events apart"
                )));
            }
            (_, Err(Refused::NotWritten)) => {
                let words =
                    "the events cannot be put on disk; make room, and send the stream again from the last key told";
                return Err(Error::Internal(words.to_owned()));
            }
        }
    }
    so_far.key = last;
    Ok(())
}
