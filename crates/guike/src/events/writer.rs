//! One thread writes for all who tell of events: everything that waits at a time, with one flush.

use std::collections::BTreeMap;
use std::path::Path;

use guike_store::SealedLines;

use super::{Event, Request};
use crate::error::Error;
use crate::together::Together;

/// Events that are on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// Since now.
    Now,
    /// Since the same was said before under the same key.
    Before,
}

/// Why events were not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// Something else was said before under the same key.
    OtherBefore,
    /// They could not be put on disk; the same may go well later.
    NotWritten,
}

/// What is told when it is known what became of events, with the events, from another thread: those that are taken come in the
/// order of the log.
pub type Done = Box<dyn FnOnce(Result<Taken, Refused>, Vec<Event>) + Send>;

/// A log of events that is being written; when it is dropped everything that waits is written.
#[derive(Debug)]
pub struct Events {
    writer: Together<(Request, Done)>,
}

/// What was said under every key: 32 bytes a request, and what a map needs.
type Known = BTreeMap<u128, u128>;

impl Events {
    /// Opens the log, or begins one; what was being written when the process was killed was acknowledged to nobody and is
    /// cut off.
    ///
    /// # Errors
    /// [`Error::Store`] when an acknowledged event is missing or changed, another process writes the log, or it cannot be
    /// written.
    pub fn open(path: &Path) -> Result<Events, Error> {
        let mut known = Known::new();
        let mut file = SealedLines::open(path, &mut |line| {
            let request = Request::from_line(line)?;
            known.insert(request.key, request.said);
            Ok(())
        })?;
        let writer = Together::start(move |requests| {
            for (done, said, events) in written(requests, &mut file, &mut known) {
                done(said, events);
            }
        });
        Ok(Events { writer })
    }

    /// Hands over events that `who` tells of under `key`; all of them count or none.
    pub fn add(&self, who: &str, key: &str, events: Vec<Event>, done: Done) {
        self.writer.add((Request::new(who, key, events), done));
    }
}

/// What becomes of requests that came together.
fn written(
    requests: Vec<(Request, Done)>,
    file: &mut SealedLines,
    known: &mut Known,
) -> Vec<(Done, Result<Taken, Refused>, Vec<Event>)> {
    let (mut lines, mut new, mut said) = (Vec::new(), Known::new(), Vec::with_capacity(requests.len()));
    for (request, done) in requests {
        // (what it is if this is written, whether it hangs on that)
        let verdict = match (known.get(&request.key), new.get(&request.key)) {
            (Some(before), _) => (same(*before, &request), false),
            (None, Some(before)) => (same(*before, &request), true),
            (None, None) => {
                lines.push(request.to_line());
                new.insert(request.key, request.said);
                (Ok(Taken::Now), true)
            }
        };
        said.push((done, verdict, request.events));
    }
    let is_written = file.append(lines.iter().map(String::as_str)).is_ok();
    if is_written {
        known.append(&mut new);
    }
    let become_of = |(done, (verdict, hangs), events)| {
        (done, if hangs && !is_written { Err(Refused::NotWritten) } else { verdict }, events)
    };
    said.into_iter().map(become_of).collect()
}

fn same(before: u128, request: &Request) -> Result<Taken, Refused> {
    if before == request.said { Ok(Taken::Before) } else { Err(Refused::OtherBefore) }
}
