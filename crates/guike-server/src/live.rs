//! Events as they change what is served: told, safe on disk, and then seen in the forecasts of whom they tell of.
//!
//! The one idea: two steps that do not wait for each other. An event is answered when it is on disk, in a list in the order of
//! the log. A thread of its own follows that list and, as soon as anything is new, asks the run's [`History`] about the
//! customers that are told of, all at once; what comes out takes the place of what was served, in one step. So a burst of
//! events costs one look, and nobody who reads waits for it.
//!
//! When another run takes its place, or the server starts, everything that the run has not read is told again.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use guike::Error;
use guike::events::{self, Done, Event, Events, Refused, Taken};
use guike::history::{History, Unread};

use crate::app::Door;
use crate::served::{Served, ServedRun};

/// How often it is asked whether another run is served.
const EVERY: Duration = Duration::from_millis(500);

/// The log of events of a server, with what it holds in memory.
#[derive(Debug)]
pub(crate) struct Live {
    log: Events,
    heard: Arc<Heard>,
}

/// Every event of the log in its order.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    all: Mutex<All>,
    come: Condvar,
}

#[derive(Debug, Default)]
struct All {
    events: Vec<Event>,
    has_ended: bool,
}

impl Heard {
    fn all(&self) -> MutexGuard<'_, All> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was told of this customer and the run has not read, in the order of the log.
    fn of(&self, id: &str, unread: Unread) -> Vec<Event> {
        let all = self.all();
        let hers = all.events.iter().enumerate().filter(|(at, e)| e.customer_id == id && unread.holds(*at, e));
        hers.map(|(_, e)| e.clone()).collect()
    }
}

impl Live {
    /// Opens the log, or begins one.
    ///
    /// # Errors
    /// As [`Events::open`].
    pub(crate) fn open(path: &Path) -> Result<Live, Error> {
        // first: it cuts off what was acknowledged to nobody
        let log = Events::open(path)?;
        let events = events::read(path)?;
        Ok(Live {
            log,
            heard: Arc::new(Heard { all: Mutex::new(All { events, has_ended: false }), ..Heard::default() }),
        })
    }

    /// Hands over events; `tell` is told what became of them, after those who read can see them.
    pub(crate) fn add(
        &self,
        who: &str,
        key: &str,
        events: Vec<Event>,
        tell: tokio::sync::oneshot::Sender<Result<Taken, Refused>>,
    ) {
        // not the log itself: the thread that calls this belongs to it
        let heard = Arc::clone(&self.heard);
        let done: Done = Box::new(move |said, events| {
            if said == Ok(Taken::Now) {
                heard.all().events.extend(events);
                heard.come.notify_all();
            }
            // who asked may have gone away meanwhile; what she told of stands all the same
            let _: Result<(), _> = tell.send(said);
        });
        self.log.add(who, key, events, done);
    }

    /// What was told of this customer since the run.
    pub(crate) fn told(&self, id: &str, history: &History) -> Vec<Event> {
        let unread = history.unread(&self.heard.all().events);
        self.heard.of(id, unread)
    }

    /// What is heard, for the thread that follows it.
    pub(crate) fn heard(&self) -> Arc<Heard> {
        Arc::clone(&self.heard)
    }
}

/// The thread that follows what is told; it ends with this.
#[derive(Debug)]
pub(crate) struct Follower {
    heard: Arc<Heard>,
    thread: Option<JoinHandle<()>>,
}

impl Follower {
    pub(crate) fn start(heard: Arc<Heard>, door: Arc<Door>) -> Follower {
        let of_thread = Arc::clone(&heard);
        let thread = std::thread::spawn(move || follow(&of_thread, &door));
        Follower { heard, thread: Some(thread) }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.heard.all().has_ended = true;
        self.heard.come.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// How far the thread has come.
struct Place {
    /// The run that is followed.
    run: Arc<ServedRun>,
    unread: Unread,
    /// Events of the log that were looked at.
    looked_at: usize,
    /// What was told of each customer.
    told: BTreeMap<String, Vec<Event>>,
}

fn follow(heard: &Heard, door: &Door) {
    let mut place: Option<Place> = None;
    let mut failed = String::new();
    loop {
        {
            let all = heard.all();
            let looked_at = place.as_ref().map_or(0, |p| p.looked_at);
            let idle = |all: &mut All| !all.has_ended && all.events.len() == looked_at;
            let (all, _) = heard.come.wait_timeout_while(all, EVERY, idle).unwrap_or_else(PoisonError::into_inner);
            if all.has_ended {
                return;
            }
        }
        let app = door.app();
        let found = app.served.run.as_ref().map(|run| (run, run.history()));
        let Some((run, Ok(history))) = found else {
            // one whose log is still being read is looked at again soon, one that kept none when another may be served
            let is_soon = found.is_some_and(|(_, history)| history.is_err_and(|problem| problem.status() == 503));
            let pause = if is_soon { EVERY / 10 } else { EVERY };
            drop(heard.come.wait_timeout_while(heard.all(), pause, |all| !all.has_ended));
            continue;
        };
        if place.as_ref().is_none_or(|p| !p.run.is_same_run(run)) {
            let unread = history.unread(&heard.all().events);
            place = Some(Place { run: Arc::clone(run), unread, looked_at: 0, told: BTreeMap::new() });
        }
        let Some(place) = &mut place else { continue };
        match look(place, history, heard, door) {
            Ok(n) => {
                failed.clear();
                app.metrics.rescored.fetch_add(n as u64, Ordering::Relaxed);
            }
            Err(e) => {
                // the events are safe and the next run reads them; who they tell of stays as the run left her
                let words = e.to_string();
                if words != failed {
                    app.logger.note("events-not-scored", &words);
                    failed = words;
                }
            }
        }
    }
}

/// Takes in what is new and serves what comes of it; says of how many customers it tells.
fn look(place: &mut Place, history: &History, heard: &Heard, door: &Door) -> Result<usize, Error> {
    let mut changed = BTreeSet::new();
    {
        let all = heard.all();
        for (at, event) in all.events.iter().enumerate().skip(place.looked_at) {
            if place.unread.holds(at, event) {
                place.told.entry(event.customer_id.clone()).or_default().push(event.clone());
                changed.insert(event.customer_id.clone());
            }
        }
        place.looked_at = all.events.len();
    }
    if changed.is_empty() {
        return Ok(0);
    }
    let asked = changed.iter().filter_map(|id| Some((id.clone(), place.told.get(id)?.clone()))).collect();
    let now = history.now(&asked)?;
    door.change(|served| {
        let run = served.run.as_ref().filter(|run| run.is_same_run(&place.run))?;
        let run = Some(Arc::new(run.revised(&now, place.looked_at)));
        Some(Served { models: served.models.clone(), run, kept: served.kept.clone() })
    });
    Ok(now.len())
}
