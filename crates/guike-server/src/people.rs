//! Persons: who is logged in, who may try to, and the link with which the first admin is made.
//!
//! The one idea: a name and a password are looked at only here, and only when three waits allow it: that of the name, that of
//! the address, and that for one of a few places, since every look costs 19 MiB of memory. Nothing that is typed leaves this
//! file but as a yes or a no.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use guike::Error;
use guike::users::{NewUser, UserChange};
use guike_guard::{Attempts, Link, Role, Secret, Sessions, Users, check_rules};

use crate::access::{Bucket, today};
use crate::log::moment;
use crate::oidc::Gate;
use crate::watched::{Stamp, stamp};
use crate::who::Who;

/// Seconds of the longest wait of a name: short, so that nobody is kept out for long by somebody who guesses.
const LONGEST_OF_NAME: u64 = 60;
/// Seconds of the longest wait of an address.
const LONGEST_OF_ADDRESS: u64 = 900;
/// Passwords that are looked at at a time.
const PLACES: usize = 4;
/// How often it is asked whether the file of users is another one.
const ASKED_EVERY: Duration = Duration::from_secs(1);

/// Everybody who may log in, and who has.
#[derive(Debug)]
pub(crate) struct People {
    /// The users who log in with a password; without it, none does.
    file: Option<PathBuf>,
    /// The way through an identity provider, where there is one.
    pub(crate) gate: Option<Gate>,
    /// Whether another program takes requests in and says from where they come.
    pub(crate) is_behind_proxy: bool,
    begun: Instant,
    known: Mutex<Known>,
    sessions: Mutex<Sessions>,
    of_names: Mutex<Attempts>,
    of_addresses: Mutex<Attempts>,
    looking: AtomicUsize,
    /// What opens the page of the first admin.
    link: Mutex<Option<Link>>,
    buckets: Mutex<BTreeMap<String, Bucket>>,
    /// With what users choose their passwords, by name.
    invited: Mutex<BTreeMap<String, Link>>,
    /// When users last logged in.
    last_logins: Mutex<BTreeMap<String, Duration>>,
    /// Held while the file is changed: of two changes none is lost.
    turn: Mutex<()>,
}

/// The file of users as it was read last.
#[derive(Debug)]
struct Known {
    users: Arc<Users>,
    asked: Instant,
    stamp: Stamp,
}

/// Why nobody was logged in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotIn {
    /// Name or password is wrong, or the user may not.
    Wrong,
    /// So many seconds have to pass before the next try.
    Wait(u64),
    /// Too many are trying.
    Busy,
}

/// Why no first admin was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NotMade {
    /// The link was used, is too old, or never was.
    Link,
    /// The name or the password is not good, in the words of the rule.
    Rule(&'static str),
    /// The file could not be written.
    File,
}

impl People {
    /// Reads the file; `link` opens the page of the first admin where there is no user yet.
    ///
    /// # Errors
    /// [`Error`] for a file that is none of users.
    pub(crate) fn open(file: Option<PathBuf>, link: Option<&Secret>, is_behind_proxy: bool) -> Result<People, Error> {
        let users = file.as_deref().map(guike::users::read_if_there).transpose()?.unwrap_or_default();
        let now = Instant::now();
        let is_first = file.is_some() && users.users().is_empty();
        let link = link.filter(|_| is_first).map(|secret| Link::new(secret, 0));
        let known = Known { stamp: file.as_deref().and_then(stamp), users: Arc::new(users), asked: now };
        Ok(People {
            file,
            gate: None,
            is_behind_proxy,
            begun: now,
            known: Mutex::new(known),
            sessions: Mutex::default(),
            of_names: Mutex::new(Attempts::new(LONGEST_OF_NAME)),
            of_addresses: Mutex::new(Attempts::new(LONGEST_OF_ADDRESS)),
            looking: AtomicUsize::new(0),
            link: Mutex::new(link),
            buckets: Mutex::default(),
            invited: Mutex::default(),
            last_logins: Mutex::default(),
            turn: Mutex::default(),
        })
    }

    /// The same, and persons log in at an identity provider, too.
    pub(crate) fn through(mut self, gate: Option<Gate>) -> People {
        self.gate = gate;
        self
    }

    /// Whether there are users who log in with a password.
    pub(crate) fn has_users(&self) -> bool {
        self.file.is_some()
    }

    fn file(&self) -> Result<&Path, Error> {
        self.file.as_deref().ok_or_else(|| Error::NotThere("the server was started without --users".to_owned()))
    }

    /// Who has this session.
    ///
    /// # Errors
    /// Whose it was until that user was changed; anybody where it never was, or ended long ago.
    pub(crate) fn who(&self, session: &str) -> Result<Who, Who> {
        let now = self.now();
        let (name, revision, role) = {
            let mut sessions = locked(&self.sessions);
            let session = sessions.find(session, now).ok_or(Who::ANYBODY)?;
            (session.user.clone(), session.revision, session.role)
        };
        if let Some(role) = role {
            return Ok(Who::user(Arc::from(name), role));
        }
        let users = self.users();
        match users.user(&name).filter(|u| u.revision == revision && !u.is_disabled) {
            Some(user) => Ok(Who::user(Arc::from(name), user.role)),
            None => {
                locked(&self.sessions).end(session);
                Err(self.named(&name))
            }
        }
    }

    /// Logs in: a session, and who has it.
    pub(crate) fn log_in(&self, name: &str, password: &str, from: IpAddr) -> Result<(Secret, Who), NotIn> {
        let (now, address) = (self.now(), network(from));
        let wait = locked(&self.of_names).wait(name, now).max(locked(&self.of_addresses).wait(&address, now));
        if wait > 0 {
            return Err(NotIn::Wait(wait));
        }
        let _place = Place::take(&self.looking).ok_or(NotIn::Busy)?;
        // counted before the look, so that many tries at once do not share one wait
        locked(&self.of_names).failed(name, now);
        locked(&self.of_addresses).failed(&address, now);
        let users = self.users();
        // a slow hash: other requests of this thread go to another one meanwhile
        let user = tokio::task::block_in_place(|| users.check(name, password)).ok_or(NotIn::Wrong)?;
        locked(&self.of_names).forget(name);
        locked(&self.of_addresses).forget(&address);
        let random = random().map_err(|_| NotIn::Busy)?;
        let session = locked(&self.sessions).begin(user, now, random);
        let moment = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        locked(&self.last_logins).insert(user.name.clone(), moment);
        Ok((session, Who::user(Arc::from(user.name.as_str()), user.role)))
    }

    /// Begins a session of who logged in at the identity provider, of so many seconds at most; `None` where the system gives
    /// no random numbers.
    pub(crate) fn let_in(&self, name: &str, role: Role, seconds: u64) -> Option<Secret> {
        let random = random().ok()?;
        Some(locked(&self.sessions).begin_for(name, role, (self.now(), seconds), random))
    }

    /// The user of this name, for the audit log; nobody where there is none.
    pub(crate) fn named(&self, name: &str) -> Who {
        self.users().user(name).map_or(Who::ANYBODY, |u| Who::user(Arc::from(name), u.role))
    }

    /// Ends a session.
    pub(crate) fn log_out(&self, session: &str) {
        locked(&self.sessions).end(session);
    }

    /// Whether this is the link of the first admin, and good.
    pub(crate) fn is_link(&self, sent: &str) -> bool {
        locked(&self.link).as_ref().is_some_and(|link| link.opens(sent, self.now()))
    }

    /// Makes the first admin; the link is used up.
    pub(crate) fn first_admin(&self, sent: &str, name: &str, password: &str) -> Result<(), NotMade> {
        // held to the end: of two who have the link, one is first
        let mut link = locked(&self.link);
        if !link.as_ref().is_some_and(|link| link.opens(sent, self.now())) {
            return Err(NotMade::Link);
        }
        check_rules(name, password).map_err(|e| NotMade::Rule(rule(&e)))?;
        let file = self.file().map_err(|_| NotMade::File)?;
        if !guike::users::read_if_there(file).map_err(|_| NotMade::File)?.users().is_empty() {
            *link = None;
            return Err(NotMade::Link);
        }
        let salt = random().map_err(|_| NotMade::File)?;
        let new = NewUser { name, role: Role::Admin, password, created: today(), salt };
        tokio::task::block_in_place(|| guike::users::add(file, &new)).map_err(|_| NotMade::File)?;
        *link = None;
        self.reread(true);
        Ok(())
    }

    /// When a user last logged in since the start.
    pub(crate) fn last_login(&self, name: &str) -> Option<String> {
        locked(&self.last_logins).get(name).map(|at| moment(*at))
    }

    /// Adds a user; what comes back opens the page on which she chooses her password.
    ///
    /// # Errors
    /// As [`guike::users::add`].
    pub(crate) fn invite(&self, name: &str, role: Role) -> Result<Secret, Error> {
        {
            let file = self.file()?;
            let _turn = locked(&self.turn);
            // a password that nobody knows, until she has chosen hers
            let password = Secret::from_random(&random().map_err(no_random)?);
            let salt = random().map_err(no_random)?;
            let new = NewUser { name, role, password: password.reveal(), created: today(), salt };
            tokio::task::block_in_place(|| guike::users::add(file, &new))?;
            self.reread(true);
        }
        self.invite_again(name)
    }

    /// What opens the page on which a user chooses another password; an earlier link opens nothing any more.
    ///
    /// # Errors
    /// [`Error::NotThere`] when nobody has this name.
    pub(crate) fn invite_again(&self, name: &str) -> Result<Secret, Error> {
        if self.users().user(name).is_none() {
            return Err(Error::NotThere("nobody has this name".to_owned()));
        }
        let secret = Secret::from_random(&random().map_err(no_random)?);
        locked(&self.invited).insert(name.to_owned(), Link::new(&secret, self.now()));
        Ok(secret)
    }

    /// Who may choose a password with this link.
    pub(crate) fn invited(&self, sent: &str) -> Option<String> {
        let now = self.now();
        locked(&self.invited).iter().find(|(_, link)| link.opens(sent, now)).map(|(name, _)| name.clone())
    }

    /// Gives a user the password that she chose; the link is used up.
    pub(crate) fn choose(&self, sent: &str, password: &str) -> Result<Who, NotMade> {
        let name = self.invited(sent).ok_or(NotMade::Link)?;
        check_rules(&name, password).map_err(|e| NotMade::Rule(rule(&e)))?;
        // of two who have the link, one is first
        let taken = {
            let mut invited = locked(&self.invited);
            let is_hers = invited.get(&name).is_some_and(|link| link.opens(sent, self.now()));
            is_hers.then(|| invited.remove(&name)).flatten()
        };
        let link = taken.ok_or(NotMade::Link)?;
        let salt = random().map_err(|_| NotMade::File)?;
        if self.change(&name, UserChange::Password(password, salt)).is_err() {
            locked(&self.invited).insert(name, link);
            return Err(NotMade::File);
        }
        Ok(self.named(&name))
    }

    /// Changes a user; her sessions are over.
    ///
    /// # Errors
    /// As [`guike::users::change`].
    pub(crate) fn change(&self, name: &str, change: UserChange<'_>) -> Result<(), Error> {
        let _turn = locked(&self.turn);
        tokio::task::block_in_place(|| guike::users::change(self.file()?, name, change))?;
        self.reread(true);
        Ok(())
    }

    /// Takes one request from what a user may still ask.
    pub(crate) fn take(&self, name: &str, rate: f64) -> bool {
        let mut buckets = locked(&self.buckets);
        if !buckets.contains_key(name) {
            buckets.insert(name.to_owned(), Bucket::full(rate));
        }
        buckets.get_mut(name).is_some_and(|b| b.take(rate))
    }

    /// The users as the file has them, or had them a second ago.
    pub(crate) fn users(&self) -> Arc<Users> {
        self.reread(false);
        Arc::clone(&locked(&self.known).users)
    }

    fn reread(&self, at_once: bool) {
        let mut known = locked(&self.known);
        if !at_once && known.asked.elapsed() < ASKED_EVERY {
            return;
        }
        let Some(file) = self.file.as_deref() else { return };
        known.asked = Instant::now();
        let stamp = stamp(file);
        if stamp == known.stamp {
            return;
        }
        // a file that cannot be read now leaves everything as it was: nobody gains by damaging it
        if let Ok(users) = guike::users::read(file) {
            *known = Known { users: Arc::new(users), stamp, asked: known.asked };
        }
    }

    /// Seconds since the start.
    fn now(&self) -> u64 {
        self.begun.elapsed().as_secs()
    }
}

/// One of the places where passwords are looked at.
struct Place<'a>(&'a AtomicUsize);

impl Place<'_> {
    fn take(looking: &AtomicUsize) -> Option<Place<'_>> {
        let place = Place(looking);
        // given back when it is dropped, also where there was none left
        (looking.fetch_add(1, Ordering::AcqRel) < PLACES).then_some(place)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Random bytes of the system.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], getrandom::Error> {
    let mut random = [0; N];
    getrandom::fill(&mut random)?;
    Ok(random)
}

fn no_random(e: getrandom::Error) -> Error {
    Error::Internal(format!("the system gives no random numbers ({e})"))
}

/// The address for which wrong passwords are counted; of IPv6 the network of a household.
pub(crate) fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => {
            let s = v6.segments();
            format!("{:x}:{:x}:{:x}:{:x}::/64", s[0], s[1], s[2], s[3])
        }
    }
}

/// The rule that is broken, without what was typed.
fn rule(e: &guike_guard::UserError) -> &'static str {
    match e {
        guike_guard::UserError::Password(rule) => rule,
        _ => "a name has 1 to 40 letters, digits, `-`, `_` and `.`",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_addresses_of_a_household_are_one() {
        let of = |text: &str| network(text.parse().expect("an address"));
        assert_eq!(of("2001:db8:1:2:3::4"), of("2001:db8:1:2::9"));
        assert_ne!(of("2001:db8:1:2::9"), of("2001:db8:1:3::9"));
        assert_eq!(of("::ffff:10.0.0.1"), "10.0.0.1");
    }

    #[test]
    fn there_are_so_many_places_and_they_are_given_back() {
        let looking = AtomicUsize::new(0);
        let places: Vec<_> = (0..PLACES).map(|_| Place::take(&looking).expect("free")).collect();
        assert!(Place::take(&looking).is_none());
        drop(places);
        assert!(Place::take(&looking).is_some() && looking.load(Ordering::Relaxed) == 0);
    }
}
