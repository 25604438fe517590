//! Who may ask, and how often: keys of programs against what a route needs.
//!
//! The one idea: with a file of keys everything but health is refused that no key opens; without one, only programs of this
//! machine can ask, under its own name.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use guike_core::{Day, SECONDS_PER_DAY};
use guike_guard::{Keyring, Refusal, Scope, scopes_for};

use crate::problem::{Code, Problem};
use crate::who::{Needs, Who};

/// Who may ask.
#[derive(Debug)]
pub(crate) struct Access {
    keyring: Option<Keyring>,
    /// Who each key is.
    of_keys: Vec<Who>,
    /// Whether only programs of this machine can reach it.
    is_local: bool,
    /// Requests a second that a key may make, where that is limited.
    rate: Option<u32>,
    /// What each key (or everybody, without keys) may still ask.
    buckets: Vec<Mutex<Bucket>>,
}

/// Requests that may still be made; a full one holds those of one second.
#[derive(Debug)]
struct Bucket {
    left: f64,
    at: Instant,
}

impl Access {
    pub(crate) fn new(keyring: Option<Keyring>, is_local: bool, rate: Option<u32>) -> Access {
        let n = keyring.as_ref().map_or(1, |k| k.keys().len());
        let full = || Mutex::new(Bucket { left: f64::from(rate.unwrap_or(0)), at: Instant::now() });
        let of_key = |k: &guike_guard::Key| Who::key(Arc::from(k.name.as_str()), k.rights());
        let of_keys = keyring.iter().flat_map(|k| k.keys().iter().map(of_key)).collect();
        Access { keyring, of_keys, is_local, rate, buckets: (0..n).map(|_| full()).collect() }
    }

    /// Who asks, if that one may ask for this.
    ///
    /// # Errors
    /// [`Problem`] for who may not ask this, or not so often.
    pub(crate) fn admit(&self, parts: &Parts, needs: Option<Needs>) -> Result<Who, Problem> {
        let Some(keyring) = &self.keyring else {
            // a page of another site may send its reader's browser here under a name that it makes point to this machine
            let host = parts.headers.get(header::HOST).and_then(|v| v.to_str().ok());
            if self.is_local && !host.is_some_and(is_this_machine) {
                let detail = "this server answers only for localhost; ask it as http://localhost or http://127.0.0.1";
                return Err(Problem::new(Code::ForeignHost, detail));
            }
            if needs.is_some() {
                self.take(0)?;
            }
            return Ok(Who::LOCAL);
        };
        let Some((resource, action)) = needs else { return Ok(Who::ANYBODY) };
        let missing = "send a key in the header `authorization: Bearer KEY`; `guike keys add` makes one";
        let key = sent(&parts.headers).ok_or_else(|| Problem::new(Code::NoKey, missing))?;
        let at = keyring.check(key, today()).map_err(|refusal| match refusal {
            Refusal::Unknown => {
                Problem::new(Code::UnknownKey, "no such key is in force; was it revoked, or cut short?")
            }
            Refusal::Expired => {
                Problem::new(Code::ExpiredKey, "the last day of this key is over; `guike keys add` makes a new one")
            }
        })?;
        let who = &self.of_keys[at];
        if !who.may(resource, action) {
            let way = match scopes_for(resource, action) {
                [] => "no key opens it".to_owned(),
                scopes => {
                    let flags: Vec<String> = scopes.iter().map(|s| format!("--scope {}", Scope::name(*s))).collect();
                    format!("ask with one that was made with {}", flags.join(" or "))
                }
            };
            let detail = format!("this key does not open `{} {}`; {way}", action.name(), resource.name());
            return Err(Problem::new(Code::ForeignScope, detail));
        }
        self.take(at)?;
        Ok(who.clone())
    }

    /// Takes one request from what a key may still ask.
    fn take(&self, at: usize) -> Result<(), Problem> {
        let Some(rate) = self.rate.map(f64::from) else { return Ok(()) };
        let mut bucket = self.buckets[at].lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        bucket.left = (bucket.left + now.duration_since(bucket.at).as_secs_f64() * rate).min(rate);
        bucket.at = now;
        if bucket.left < 1.0 {
            let detail = format!("more than {rate} requests a second, as --max-rate allows; try again later");
            return Err(Problem::new(Code::TooManyRequests, detail).retry_after(1));
        }
        bucket.left -= 1.0;
        Ok(())
    }
}

/// The key in a request: `authorization: Bearer KEY`, or `x-api-key: KEY`.
fn sent(headers: &HeaderMap) -> Option<&str> {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok()).and_then(|v| {
        let (kind, key) = v.split_once(' ')?;
        kind.eq_ignore_ascii_case("bearer").then(|| key.trim())
    });
    bearer.or_else(|| headers.get("x-api-key").and_then(|v| v.to_str().ok()))
}

/// Today, at Greenwich.
fn today() -> Day {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    Day(i32::try_from(seconds / SECONDS_PER_DAY as u64).unwrap_or(i32::MAX))
}

/// Whether a `Host` header names this machine: `localhost:5000`, `127.0.0.1`, `[::1]:5000`.
fn is_this_machine(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_this_machine_are_known_with_and_without_a_port() {
        for host in ["localhost", "LOCALHOST:5000", "127.0.0.1:5000", "127.9.9.9", "[::1]", "[::1]:5000"] {
            assert!(is_this_machine(host), "{host}");
        }
        for host in ["example.org", "example.org:5000", "localhost.example.org", "10.0.0.1", "", "127.0.0.1.nip.io"] {
            assert!(!is_this_machine(host), "{host}");
        }
    }
}
