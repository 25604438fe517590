//! The access log: a JSON object per request on a stream, with a request id and nothing about a customer.
//!
//! The one idea: answering never waits for the log. Lines gather in memory and a thread of its own writes them a few times a
//! second; when nobody takes them any more, lines are dropped and counted.
//!
//! A line names the route and not the path, the length of a body and not its text, because both may tell of a customer.

use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use guike_core::{Day, SECONDS_PER_DAY};

/// Bytes that wait at most.
const WAITING: usize = 4 << 20;
/// How often lines are written.
const EVERY: Duration = Duration::from_millis(100);

/// Where the access log goes.
pub enum Log {
    /// Nowhere.
    Off,
    /// Here, a line per request.
    To(Box<dyn Write + Send>),
}

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Log::Off => "Off",
            Log::To(_) => "To(..)",
        })
    }
}

#[derive(Debug, Default)]
struct Shared {
    lines: Mutex<Vec<u8>>,
    dropped: AtomicU64,
    ended: AtomicBool,
}

/// A log that is being written.
#[derive(Debug)]
pub(crate) struct Logger {
    shared: Arc<Shared>,
    writer: Option<JoinHandle<()>>,
}

/// What a line tells.
#[derive(Debug)]
pub(crate) struct Line<'a> {
    pub(crate) id: &'a str,
    pub(crate) method: &'a str,
    pub(crate) route: &'a str,
    pub(crate) status: u16,
    /// The code of the problem, where there was one.
    pub(crate) code: Option<&'static str>,
    /// What did not hold of a token, which is told to nobody else.
    pub(crate) fault: Option<&'static str>,
    pub(crate) took: Duration,
    pub(crate) bytes_in: usize,
    pub(crate) bytes_out: usize,
    /// The name of the key that was used.
    pub(crate) key: Option<&'a str>,
    /// The name of who came with a token.
    pub(crate) token: Option<&'a str>,
    /// The name of the user who is logged in.
    pub(crate) user: Option<&'a str>,
}

impl Logger {
    /// Starts the thread that writes.
    pub(crate) fn start(log: Log) -> Logger {
        let shared = Arc::<Shared>::default();
        let Log::To(mut to) = log else { return Logger { shared, writer: None } };
        let of_thread = Arc::clone(&shared);
        let writer = std::thread::spawn(move || {
            loop {
                let is_last = of_thread.ended.load(Ordering::Acquire);
                let lines = std::mem::take(&mut *of_thread.lines.lock().unwrap_or_else(PoisonError::into_inner));
                // a log that cannot be written is no reason to stop serving
                let _ = to.write_all(&lines).and_then(|()| to.flush());
                if is_last {
                    return;
                }
                std::thread::park_timeout(EVERY);
            }
        });
        Logger { shared, writer: Some(writer) }
    }

    /// Adds a line.
    pub(crate) fn add(&self, line: &Line<'_>) {
        if self.writer.is_none() {
            return;
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut lines = self.shared.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() > WAITING {
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        // every text here is one of ours, without anything that JSON would have to escape
        let Line { id, method, route, status, code, fault, took, bytes_in, bytes_out, key, token, user } = line;
        let code = code.map_or_else(String::new, |c| format!(",\"code\":\"{c}\""));
        let fault = fault.map_or_else(String::new, |f| format!(",\"fault\":\"{f}\""));
        let key = key.map_or_else(String::new, |k| format!(",\"key\":\"{k}\""));
        let token = token.map_or_else(String::new, |t| format!(",\"token\":\"{t}\""));
        let user = user.map_or_else(String::new, |u| format!(",\"user\":\"{u}\""));
        let written = writeln!(
            lines,
            "{{\"time\":\"{}\",\"id\":\"{id}\",\"method\":\"{method}\",\"route\":\"{route}\",\"status\":{status}{code}{fault},\
             \"micros\":{},\"bytes_in\":{bytes_in},\"bytes_out\":{bytes_out}{key}{token}{user}}}",
            moment(now),
            took.as_micros()
        );
        written.expect("a Vec takes all");
    }

    /// Adds a line about the server itself: what happened, and in which words.
    pub(crate) fn note(&self, event: &str, detail: &str) {
        if self.writer.is_none() {
            return;
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let line = serde_json::json!({ "time": moment(now), "event": event, "detail": detail });
        let mut lines = self.shared.lines.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(lines, "{line}").expect("a Vec takes all");
    }

    /// Lines that were dropped.
    pub(crate) fn dropped(&self) -> u64 {
        self.shared.dropped.load(Ordering::Relaxed)
    }
}

impl Drop for Logger {
    /// Writes what waits.
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Release);
        if let Some(writer) = self.writer.take() {
            writer.thread().unpark();
            let _ = writer.join();
        }
    }
}

/// `2026-01-31T23:59:59.999Z`.
pub(crate) fn moment(since_1970: Duration) -> String {
    let seconds = since_1970.as_secs();
    let (day, second) = (seconds / SECONDS_PER_DAY as u64, seconds % SECONDS_PER_DAY as u64);
    let date = Day(i32::try_from(day).unwrap_or(i32::MAX));
    let (h, m, s) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{date}T{h:02}:{m:02}:{s:02}.{:03}Z", since_1970.subsec_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_those_of_the_calendar() {
        assert_eq!(moment(Duration::from_millis(1_769_903_999_987)), "2026-01-31T23:59:59.987Z");
        assert_eq!(moment(Duration::ZERO), "1970-01-01T00:00:00.000Z");
    }
}
