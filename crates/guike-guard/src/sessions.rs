//! Sessions of persons who have logged in, and the growing wait after wrong passwords.
//!
//! The one idea: a session is 256 random bits that only the browser has; here is its hash, in memory. Who reads the memory of
//! a server that has crashed can use none of them, and a restart ends them all.
//!
//! The clock is handed in as seconds since any fixed moment.

use std::collections::BTreeMap;

use subtle::ConstantTimeEq as _;

use crate::hash::{bytes, hexadecimal, sha256};
use crate::keys::Secret;
use crate::roles::Role;
use crate::users::User;

/// Seconds without a request after which a session is over.
const IDLE: u64 = 30 * 60;
/// Seconds after which it is over in any case.
const LONGEST: u64 = 12 * 3_600;
/// Sessions of one user; the oldest makes room.
const OF_ONE: usize = 20;
/// Sessions of all; the one that was idle longest makes room.
const OF_ALL: usize = 10_000;

/// A session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Whose it is.
    pub user: String,
    /// The user's revision when it began: another one ends it.
    pub revision: u32,
    /// The role of who logged in elsewhere, for as long as the session lasts; of a user of ours the file says it.
    pub role: Option<Role>,
    /// When it is over in any case.
    until: u64,
    begun: u64,
    seen: u64,
}

impl Session {
    fn is_over(&self, now: u64) -> bool {
        now >= self.seen.saturating_add(IDLE) || now >= self.until
    }
}

/// All sessions.
#[derive(Debug, Default)]
pub struct Sessions {
    by_hash: BTreeMap<[u8; 32], Session>,
}

impl Sessions {
    /// Begins a session; what comes back is all that opens it.
    ///
    /// # Example
    /// ```
    /// use guike_core::Day;
    /// use guike_guard::{Role, Sessions, Users};
    /// let mut users = Users::default();
    /// users.add("mei", Role::Agent, "a long sentence is easy", Day(20_000), [7; 16]).unwrap();
    /// let mut sessions = Sessions::default();
    /// let token = sessions.begin(&users.users()[0], 1_000, [9; 32]);
    /// assert_eq!(sessions.find(token.reveal(), 1_001).unwrap().user, "mei");
    /// assert!(sessions.find(token.reveal(), 1_001 + 30 * 60).is_none());
    /// ```
    pub fn begin(&mut self, user: &User, now: u64, random: [u8; 32]) -> Secret {
        let until = now.saturating_add(LONGEST);
        let session =
            Session { user: user.name.clone(), revision: user.revision, role: None, until, begun: now, seen: now };
        self.put(session, random)
    }

    /// Begins a session of who logged in elsewhere, which lasts so many seconds at most, and never longer than others.
    ///
    /// # Example
    /// ```
    /// use guike_guard::{Role, Sessions};
    /// let mut sessions = Sessions::default();
    /// let token = sessions.begin_for("oidc~mei", Role::Agent, (1_000, 600), [9; 32]);
    /// assert_eq!(sessions.find(token.reveal(), 1_599).unwrap().role, Some(Role::Agent));
    /// assert!(sessions.find(token.reveal(), 1_600).is_none());
    /// ```
    pub fn begin_for(&mut self, name: &str, role: Role, (now, longest): (u64, u64), random: [u8; 32]) -> Secret {
        let until = now.saturating_add(longest.min(LONGEST));
        let session = Session { user: name.to_owned(), revision: 0, role: Some(role), until, begun: now, seen: now };
        self.put(session, random)
    }

    fn put(&mut self, session: Session, random: [u8; 32]) -> Secret {
        let now = session.begun;
        self.by_hash.retain(|_, s| !s.is_over(now));
        let oldest_of_her = || {
            let hers = self.by_hash.iter().filter(|(_, s)| s.user == session.user);
            (hers.clone().count() >= OF_ONE).then(|| hers.min_by_key(|(_, s)| s.begun).map(|(h, _)| *h))?
        };
        let idlest = || {
            (self.by_hash.len() >= OF_ALL).then(|| self.by_hash.iter().min_by_key(|(_, s)| s.seen).map(|(h, _)| *h))?
        };
        if let Some(hash) = oldest_of_her().or_else(idlest) {
            self.by_hash.remove(&hash);
        }
        self.by_hash.insert(hash_of(&random), session);
        Secret::from_random(&random)
    }

    /// The session that this text opens, which thereby was seen now.
    pub fn find(&mut self, token: &str, now: u64) -> Option<&Session> {
        let hash = hash_of(&bytes(token)?);
        if self.by_hash.get(&hash)?.is_over(now) {
            self.by_hash.remove(&hash);
            return None;
        }
        let session = self.by_hash.get_mut(&hash)?;
        session.seen = now;
        Some(session)
    }

    /// Ends the session that this text opens.
    pub fn end(&mut self, token: &str) {
        if let Some(random) = bytes(token) {
            self.by_hash.remove(&hash_of(&random));
        }
    }
}

fn hash_of(random: &[u8; 32]) -> [u8; 32] {
    sha256(&[b"guike session", random])
}

/// What a form of this session must carry, so that it was made by a page of ours: a page of another site can make the
/// browser send the cookie, but knows neither it nor what is computed from it.
pub fn csrf_token(session: &str) -> String {
    hexadecimal(&sha256(&[b"guike form", session.as_bytes()]))
}

/// Seconds for which a link is good.
const LINK: u64 = 3_600;

/// A link that opens a page once, within an hour; only its hash is kept.
#[derive(Debug)]
pub struct Link {
    hash: [u8; 32],
    until: u64,
}

impl Link {
    /// The link that this secret opens from now on.
    ///
    /// # Example
    /// ```
    /// use guike_guard::{Link, Secret};
    /// let secret = Secret::from_random(&[7; 32]);
    /// let link = Link::new(&secret, 0);
    /// assert!(link.opens(secret.reveal(), 3_599) && !link.opens(secret.reveal(), 3_600) && !link.opens("07", 0));
    /// ```
    pub fn new(secret: &Secret, now: u64) -> Link {
        Link { hash: Link::hash(secret.reveal()), until: now.saturating_add(LINK) }
    }

    /// Whether this text opens it now.
    pub fn opens(&self, text: &str, now: u64) -> bool {
        now < self.until && self.hash.ct_eq(&Link::hash(text)).into()
    }

    fn hash(text: &str) -> [u8; 32] {
        sha256(&[b"guike link", text.as_bytes()])
    }
}

/// Wrong passwords before there is a wait.
const FREE: u32 = 5;
/// Seconds after the last wrong password when all is forgotten.
const FORGOTTEN: u64 = 24 * 3_600;
/// Names and addresses that are remembered; the one that was quiet longest makes room.
const REMEMBERED: usize = 20_000;

/// Wrong passwords by name, or by address: after five of them each costs a wait that doubles.
#[derive(Debug)]
pub struct Attempts {
    by_hash: BTreeMap<[u8; 32], Failed>,
    /// Seconds of the longest wait.
    most: u64,
}

#[derive(Debug, Clone, Copy)]
struct Failed {
    times: u32,
    last: u64,
}

impl Attempts {
    /// With a wait of at most so many seconds.
    ///
    /// # Example
    /// ```
    /// let mut attempts = guike_guard::Attempts::new(900);
    /// for second in 0..6 {
    ///     assert_eq!(attempts.wait("mei", second), 0);
    ///     attempts.failed("mei", second);
    /// }
    /// assert_eq!(attempts.wait("mei", 5), 2);
    /// assert_eq!(attempts.wait("mei", 7), 0);
    /// ```
    pub fn new(most: u64) -> Attempts {
        Attempts { by_hash: BTreeMap::new(), most }
    }

    /// Seconds that this one still has to wait.
    pub fn wait(&self, who: &str, now: u64) -> u64 {
        let Some(failed) = self.by_hash.get(&key_of(who)) else { return 0 };
        if failed.times < FREE || now >= failed.last.saturating_add(FORGOTTEN) {
            return 0;
        }
        let wait = 1_u64.checked_shl(failed.times - FREE).unwrap_or(u64::MAX).min(self.most);
        failed.last.saturating_add(wait).saturating_sub(now)
    }

    /// Counts a wrong password.
    pub fn failed(&mut self, who: &str, now: u64) {
        let key = key_of(who);
        if self.by_hash.len() >= REMEMBERED
            && !self.by_hash.contains_key(&key)
            && let Some(quietest) = self.by_hash.iter().min_by_key(|(_, f)| f.last).map(|(k, _)| *k)
        {
            self.by_hash.remove(&quietest);
        }
        let failed = self.by_hash.entry(key).or_insert(Failed { times: 0, last: now });
        let is_forgotten = now >= failed.last.saturating_add(FORGOTTEN);
        *failed =
            Failed { times: if is_forgotten { 1 } else { failed.times.saturating_add(1).min(FREE + 63) }, last: now };
    }

    /// Forgets this one, who knew the password.
    pub fn forget(&mut self, who: &str) {
        self.by_hash.remove(&key_of(who));
    }
}

/// What is typed as a name may be a password, so that not even here is it kept.
fn key_of(who: &str) -> [u8; 32] {
    sha256(&[b"guike attempt", who.as_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Users;
    use guike_core::Day;

    fn user(name: &str) -> User {
        let mut users = Users::default();
        users.add(name, Role::Viewer, "correct horse battery", Day(1), [1; 16]).expect("added");
        users.users()[0].clone()
    }

    #[test]
    fn a_session_ends_when_idle_when_old_and_when_asked() {
        let (mei, mut sessions) = (user("mei"), Sessions::default());
        let token = sessions.begin(&mei, 0, [1; 32]);
        let text = token.reveal();
        // never idle for 30 minutes, and over after 12 hours all the same
        let mut now = 0;
        while now + IDLE - 1 < LONGEST {
            now += IDLE - 1;
            assert_eq!(sessions.find(text, now).map(|s| s.user.as_str()), Some("mei"));
        }
        assert!(sessions.find(text, LONGEST).is_none() && sessions.by_hash.is_empty());
        let token = sessions.begin(&mei, 0, [2; 32]);
        assert!(sessions.find(token.reveal(), IDLE).is_none());
        let token = sessions.begin(&mei, 0, [3; 32]);
        sessions.end("nonsense");
        sessions.end(token.reveal());
        assert!(sessions.find(token.reveal(), 1).is_none());
        for bad in ["", "00", &token.reveal().to_uppercase(), &format!("{} ", token.reveal())] {
            assert!(sessions.find(bad, 1).is_none());
        }
    }

    #[test]
    fn memory_holds_no_token_and_the_oldest_of_too_many_makes_room() {
        let (mei, mut sessions) = (user("mei"), Sessions::default());
        let tokens: Vec<Secret> = (0..=OF_ONE as u8).map(|i| sessions.begin(&mei, i.into(), [i; 32])).collect();
        assert_eq!(sessions.by_hash.len(), OF_ONE);
        assert!(sessions.find(tokens[0].reveal(), 30).is_none() && sessions.find(tokens[1].reveal(), 30).is_some());
        assert!(sessions.by_hash.keys().all(|h| tokens.iter().all(|t| hexadecimal(h) != t.reveal())));
        assert_ne!(csrf_token(tokens[1].reveal()), csrf_token(tokens[2].reveal()));
    }

    #[test]
    fn the_wait_doubles_up_to_its_most_and_is_forgotten() {
        let mut attempts = Attempts::new(60);
        let mut waits = Vec::new();
        let mut now = 0;
        for _ in 0..14 {
            attempts.failed("a", now);
            let wait = attempts.wait("a", now);
            waits.push(wait);
            now += wait;
        }
        assert_eq!(waits, [0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60, 60]);
        assert_eq!(attempts.wait("b", now), 0);
        attempts.failed("a", now + FORGOTTEN);
        assert_eq!(attempts.wait("a", now + FORGOTTEN), 0);
        for _ in 0..100 {
            attempts.failed("c", now);
        }
        assert_eq!(attempts.wait("c", now), 60);
        attempts.forget("c");
        assert_eq!(attempts.wait("c", now), 0);
    }

    #[test]
    fn not_more_than_so_many_are_remembered() {
        let mut attempts = Attempts::new(60);
        (0..REMEMBERED + 10).for_each(|i| attempts.failed(&i.to_string(), i as u64));
        assert_eq!(attempts.by_hash.len(), REMEMBERED);
        assert!(!attempts.by_hash.contains_key(&key_of("0")));
    }
}
