//! Who may ask, and how often: keys and tokens of programs and sessions of persons against what a route needs.
//!
//! The one idea: with a file of keys or of users everything but health and the way in is refused to who is none of them;
//! without any, only programs of this machine can ask, under its own name.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use guike_core::{Day, SECONDS_PER_DAY};
use guike_guard::{KEY_BEGINS, Refusal, Scope, TokenFault, roles_for, scopes_for};

use crate::bearers::Bearers;
use crate::keyfile::Keys;
use crate::listen::Peer;
use crate::people::People;
use crate::problem::{Code, Problem};
use crate::query::list;
use crate::who::{Needs, Who};

/// Who may ask.
#[derive(Debug)]
pub(crate) struct Access {
    /// The keys, where any are asked for.
    pub(crate) keys: Option<Keys>,
    /// Who may log in, where persons may.
    pub(crate) people: Option<People>,
    /// Whose tokens are believed.
    bearers: Option<Arc<Bearers>>,
    /// Whether only programs of this machine can reach it.
    is_local: bool,
    /// Requests a second that a key or a user may make, where that is limited.
    pub(crate) rate: Option<f64>,
    /// What everybody together may still ask, where nobody says who asks.
    bucket: Mutex<Bucket>,
}

/// Requests that may still be made; a full one holds those of one second.
#[derive(Debug)]
pub(crate) struct Bucket {
    left: f64,
    at: Instant,
}

impl Bucket {
    pub(crate) fn full(rate: f64) -> Bucket {
        Bucket { left: rate, at: Instant::now() }
    }

    /// Whether nothing was asked for a while.
    pub(crate) fn is_full(&self, rate: f64) -> bool {
        self.left + self.at.elapsed().as_secs_f64() * rate >= rate
    }

    /// Takes one, if there is one.
    pub(crate) fn take(&mut self, rate: f64) -> bool {
        let now = Instant::now();
        self.left = (self.left + now.duration_since(self.at).as_secs_f64() * rate).min(rate);
        self.at = now;
        let is_left = self.left >= 1.0;
        self.left -= f64::from(u8::from(is_left));
        is_left
    }
}

impl Access {
    pub(crate) fn new(keys: Option<Keys>, people: Option<People>, is_local: bool, rate: Option<u32>) -> Access {
        let rate = rate.map(f64::from);
        let bucket = Mutex::new(Bucket::full(rate.unwrap_or(0.0)));
        Access { keys, people, bearers: None, is_local, rate, bucket }
    }

    /// The same, and tokens are believed.
    pub(crate) fn believing(mut self, bearers: Option<Arc<Bearers>>) -> Access {
        self.bearers = bearers;
        self
    }

    /// Who asks, if that one may ask for this.
    ///
    /// # Errors
    /// [`Problem`] for who may not ask this, or not so often.
    pub(crate) fn admit(&self, parts: &Parts, needs: Option<Needs>) -> Result<Who, Problem> {
        if self.keys.is_none() && self.people.is_none() && self.bearers.is_none() {
            // a page of another site may send its reader's browser here under a name that it makes point to this machine
            let host = parts.headers.get(header::HOST).and_then(|v| v.to_str().ok());
            if self.is_local && !host.is_some_and(is_this_machine) {
                let detail = "this server answers only for localhost; ask it as http://localhost or http://127.0.0.1";
                return Err(Problem::new(Code::ForeignHost, detail));
            }
            if needs.is_some() {
                self.take()?;
            }
            return Ok(Who::LOCAL);
        }
        if let (Some(sent), Some(needs)) = (sent(&parts.headers), needs) {
            return match &self.bearers {
                Some(bearers) if !sent.starts_with(KEY_BEGINS) => self.admit_bearer(bearers, sent, needs),
                _ => self.admit_key(sent, needs),
            };
        }
        let who = match (&self.people, session(&parts.headers)) {
            (Some(people), Some(session)) => people.who(session),
            _ => Err(Who::ANYBODY),
        };
        match (who, needs) {
            (who, None) => Ok(who.unwrap_or(Who::ANYBODY)),
            (Ok(who), Some(needs)) => self.admit_user(who, needs),
            (Err(who), Some(_)) if session(&parts.headers).is_some() && self.people.is_some() => {
                let detail = "the session is over, or never was; log in again at /login";
                Err(Problem::new(Code::NoSession, detail).by(&who))
            }
            (Err(_), Some(_)) => {
                let ways = [
                    (self.people.is_some(), "log in at /login"),
                    (self.keys.is_some(), "send a key of `guike keys add` in the header `authorization: Bearer KEY`"),
                    (self.bearers.is_some(), "send a token in the header `authorization: Bearer TOKEN`"),
                ];
                let ways: Vec<&str> = ways.into_iter().filter(|way| way.0).map(|way| way.1).collect();
                Err(Problem::new(Code::NoKey, ways.join(", or ")))
            }
        }
    }

    fn admit_key(&self, key: &str, (resource, action): Needs) -> Result<Who, Problem> {
        let keys = self.keys.as_ref().map(|k| k.known(self.rate));
        let unknown = || Problem::new(Code::UnknownKey, "no such key is in force; was it revoked, or cut short?");
        let keys = keys.as_deref().ok_or_else(unknown)?;
        let (at, who) = keys.check(key).map_err(|refusal| match refusal {
            Refusal::Unknown => unknown(),
            Refusal::Expired(at) => {
                let detail = "the last day of this key is over; `guike keys add` makes a new one";
                Problem::new(Code::ExpiredKey, detail).by(keys.at(at))
            }
        })?;
        if !who.may(resource, action) {
            let way = match scopes_for(resource, action) {
                [] => "no key opens it".to_owned(),
                scopes => {
                    let flags: Vec<String> = scopes.iter().map(|s| format!("--scope {}", Scope::name(*s))).collect();
                    format!("ask with one that was made with {}", flags.join(" or "))
                }
            };
            let detail = format!("this key does not open `{} {}`; {way}", action.name(), resource.name());
            return Err(Problem::new(Code::ForeignScope, detail).by(who));
        }
        match self.rate {
            Some(rate) if !keys.take(at, rate) => Err(too_many(rate)),
            _ => Ok(who.clone()),
        }
    }

    fn admit_bearer(&self, bearers: &Bearers, token: &str, needs: Needs) -> Result<Who, Problem> {
        // one sentence for whatever is wrong with it: who makes tokens up learns nothing from it
        let detail = "this token is not believed: it must be signed with a key of --jwt-keys, be in force, and be from the \
                      issuer, for the audience and with the role that the server was told; its log says what did not hold";
        let refused = |fault: TokenFault| Problem::new(Code::UnknownToken, detail).because(fault.name());
        let who = bearers.who(token).map_err(refused)?;
        needs_role(&who, needs)?;
        match (who.bearer_name(), self.rate) {
            (Some(name), Some(rate)) if !bearers.take(name, rate) => Err(too_many(rate)),
            _ => Ok(who),
        }
    }

    fn admit_user(&self, who: Who, needs: Needs) -> Result<Who, Problem> {
        needs_role(&who, needs)?;
        match (&self.people, who.logged_in(), self.rate) {
            (Some(people), Some((name, _)), Some(rate)) if !people.take(name, rate) => Err(too_many(rate)),
            _ => Ok(who),
        }
    }

    /// Takes one request from what everybody may still ask.
    fn take(&self) -> Result<(), Problem> {
        let Some(rate) = self.rate else { return Ok(()) };
        let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        if bucket.take(rate) { Ok(()) } else { Err(too_many(rate)) }
    }
}

fn needs_role(who: &Who, (resource, action): Needs) -> Result<(), Problem> {
    if who.may(resource, action) {
        return Ok(());
    }
    let roles: Vec<&str> = roles_for(resource, action).iter().map(|r| r.name()).collect();
    let detail =
        format!("your role does not allow `{} {}`; these do: {}", action.name(), resource.name(), list(&roles));
    Err(Problem::new(Code::ForeignRole, detail).by(who))
}

fn too_many(rate: f64) -> Problem {
    let detail = format!("more than {rate} requests a second, as --max-rate allows; try again later");
    Problem::new(Code::TooManyRequests, detail).retry_after(1)
}

/// The name of the cookie that holds a session. Browsers take `__Host-` only with `Secure`, for this host alone and for all
/// of its paths, so that no neighbouring host can set it.
pub(crate) const COOKIE: &str = "__Host-guike";

/// The session that a browser sends.
pub(crate) fn session(headers: &HeaderMap) -> Option<&str> {
    let mut ours = cookies(headers, COOKIE);
    let first = ours.next();
    // two of them were not both set by us
    first.filter(|_| ours.next().is_none())
}

/// The values of the cookies of this name.
pub(crate) fn cookies<'a>(headers: &'a HeaderMap, name: &'static str) -> impl Iterator<Item = &'a str> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|v| v.to_str().ok()).flat_map(|v| v.split(';'));
    all.filter_map(move |c| c.trim().strip_prefix(name)?.strip_prefix('='))
}

/// Whether a request was made by a page of this server, or by no page.
///
/// A browser says in `origin` which site a form or a script belongs to. Where it says nothing, `sec-fetch-site` tells. What
/// speaks HTTPS has no pages over HTTP: whoever sits on the way could have written those.
pub(crate) fn is_own_page(parts: &Parts) -> bool {
    let of = |name: &str| parts.headers.get(name).map(|v| v.to_str().unwrap_or("null"));
    let is_encrypted = parts.extensions.get::<Peer>().is_some_and(|p| p.is_encrypted);
    match (of("origin"), of("sec-fetch-site")) {
        (Some(origin), _) => {
            let plain = || origin.strip_prefix("http://").filter(|_| !is_encrypted);
            let place = origin.strip_prefix("https://").or_else(plain);
            place.is_some_and(|p| of("host").is_some_and(|host| host.eq_ignore_ascii_case(p)))
        }
        (None, Some(site)) => matches!(site, "same-origin" | "none"),
        (None, None) => true,
    }
}

/// The key or token in a request: `authorization: Bearer KEY`, or `x-api-key: KEY`.
fn sent(headers: &HeaderMap) -> Option<&str> {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok()).and_then(|v| {
        let (kind, key) = v.split_once(' ')?;
        kind.eq_ignore_ascii_case("bearer").then(|| key.trim())
    });
    bearer.or_else(|| headers.get("x-api-key").and_then(|v| v.to_str().ok()))
}

/// Today, at Greenwich.
pub(crate) fn today() -> Day {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    Day(i32::try_from(seconds / SECONDS_PER_DAY as u64).unwrap_or(i32::MAX))
}

/// Whether a `Host` header names this machine: `localhost:5000`, `127.0.0.1`, `[::1]:5000`.
pub(crate) fn is_this_machine(host: &str) -> bool {
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

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        let name = |n: &str| header::HeaderName::from_bytes(n.as_bytes()).expect("a name");
        pairs.iter().map(|(n, v)| (name(n), header::HeaderValue::from_str(v).expect("a value"))).collect()
    }

    fn parts(pairs: &[(&str, &str)]) -> Parts {
        let mut parts = axum::http::Request::new(()).into_parts().0;
        parts.headers = headers(pairs);
        parts
    }

    #[test]
    fn a_page_of_another_site_is_told_by_its_origin() {
        for (own, pairs) in [
            (true, &[("host", "guike.example:5000"), ("origin", "https://guike.example:5000")][..]),
            (true, &[("host", "localhost:5000"), ("origin", "http://localhost:5000")]),
            (true, &[("host", "localhost:5000"), ("sec-fetch-site", "same-origin")]),
            (true, &[("host", "localhost:5000")]),
            (false, &[("host", "guike.example"), ("origin", "https://evil.example")]),
            (false, &[("host", "guike.example"), ("origin", "https://guike.example.evil.example")]),
            (false, &[("host", "guike.example"), ("origin", "null")]),
            (false, &[("host", "guike.example"), ("origin", "https://guike.example:8443")]),
            (false, &[("host", "guike.example"), ("sec-fetch-site", "cross-site")]),
            (false, &[("host", "guike.example"), ("sec-fetch-site", "same-site")]),
            (false, &[("origin", "https://guike.example")]),
        ] {
            assert_eq!(is_own_page(&parts(pairs)), own, "{pairs:?}");
        }
        let mut over_http = parts(&[("host", "guike.example"), ("origin", "http://guike.example")]);
        assert!(is_own_page(&over_http));
        over_http.extensions.insert(Peer { address: [127, 0, 0, 1].into(), is_encrypted: true });
        assert!(!is_own_page(&over_http), "a page over HTTP is none of a server that speaks HTTPS");
    }

    #[test]
    fn the_session_is_found_among_other_cookies_and_two_are_none() {
        let of = |cookie: &str| session(&headers(&[("cookie", cookie)])).map(str::to_owned);
        assert_eq!(of("a=b; __Host-guike=xyz; c=d").as_deref(), Some("xyz"));
        assert_eq!(of("__Host-guike=xyz").as_deref(), Some("xyz"));
        for none in ["", "guike=xyz", "x__Host-guike=xyz", "__Host-guike=a; __Host-guike=b", "__Host-guikex=1"] {
            assert_eq!(of(none), None, "{none}");
        }
    }

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
