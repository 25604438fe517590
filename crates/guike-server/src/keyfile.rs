//! The keys that are in force: read from their file, and again when it is another one.
//!
//! The one idea: as with users, whoever changes the file changes who may ask, within about a second and without a start. A
//! file that cannot be read leaves everything as it was: nobody gains by damaging it.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Instant;

use guike::Error;
use guike::keys::NewKey;
use guike_core::Day;
use guike_guard::{Key, Keyring, Refusal, Scope, Secret};

use crate::access::{Bucket, today};
use crate::people::random;
use crate::watched::{Stamp, stamp};
use crate::who::Who;

/// Milliseconds after which it is asked whether the file is another one.
const ASKED_EVERY: u64 = 1_000;

/// All keys.
#[derive(Debug)]
pub(crate) struct Keys {
    /// `None` in tests of the table of routes.
    file: Option<PathBuf>,
    known: RwLock<Arc<Known>>,
    begun: Instant,
    /// Milliseconds from `begun` until the file is asked for again.
    due: AtomicU64,
    /// Held while the file is changed: of two changes none is lost.
    turn: Mutex<()>,
}

/// The keys as the file had them.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) keyring: Keyring,
    /// Who each key is.
    of_keys: Vec<Who>,
    /// What each may still ask.
    buckets: Vec<Mutex<Bucket>>,
    stamp: Stamp,
}

impl Known {
    fn new(keyring: Keyring, rate: Option<f64>, stamp: Stamp) -> Known {
        let of_key = |k: &Key| Who::key(Arc::from(k.name.as_str()), k.rights());
        Known {
            of_keys: keyring.keys().iter().map(of_key).collect(),
            buckets: keyring.keys().iter().map(|_| Mutex::new(Bucket::full(rate.unwrap_or(0.0)))).collect(),
            keyring,
            stamp,
        }
    }

    /// Whose key this text is, if it is in force, with its position.
    ///
    /// # Errors
    /// [`Refusal`].
    pub(crate) fn check(&self, text: &str) -> Result<(usize, &Who), Refusal> {
        let at = self.keyring.check(text, today())?;
        Ok((at, &self.of_keys[at]))
    }

    /// Who the key at this position is, in force or not.
    pub(crate) fn at(&self, at: usize) -> &Who {
        &self.of_keys[at]
    }

    /// Takes one request from what a key may still ask.
    pub(crate) fn take(&self, at: usize, rate: f64) -> bool {
        locked(&self.buckets[at]).take(rate)
    }
}

impl Keys {
    pub(crate) fn new(keyring: Keyring, file: Option<PathBuf>, rate: Option<f64>) -> Keys {
        let stamp = file.as_deref().and_then(stamp);
        Keys {
            file,
            known: RwLock::new(Arc::new(Known::new(keyring, rate, stamp))),
            begun: Instant::now(),
            due: AtomicU64::new(ASKED_EVERY),
            turn: Mutex::default(),
        }
    }

    /// The keys as the file has them, or had them a second ago; `rate` is what each may ask a second.
    pub(crate) fn known(&self, rate: Option<f64>) -> Arc<Known> {
        let now = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let due = self.due.load(Ordering::Relaxed);
        // one of those who come at the same time looks
        let is_mine = now >= due
            && self.due.compare_exchange(due, now + ASKED_EVERY, Ordering::AcqRel, Ordering::Relaxed).is_ok();
        if is_mine {
            self.reread(rate);
        }
        Arc::clone(&self.known.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn reread(&self, rate: Option<f64>) {
        let Some(file) = &self.file else { return };
        let stamp = stamp(file);
        if stamp == self.known.read().unwrap_or_else(PoisonError::into_inner).stamp {
            return;
        }
        if let Ok(keyring) = guike::keys::read(file) {
            let known = Arc::new(Known::new(keyring, rate, stamp));
            *self.known.write().unwrap_or_else(PoisonError::into_inner) = known;
        }
    }

    /// Makes a key, which is in force at once.
    ///
    /// # Errors
    /// As [`guike::keys::add`].
    pub(crate) fn add(
        &self,
        name: &str,
        scopes: &[Scope],
        expires: Option<Day>,
        rate: Option<f64>,
    ) -> Result<Secret, Error> {
        let _turn = locked(&self.turn);
        let random = random().map_err(|_| Error::Internal("the system gives no random numbers".to_owned()))?;
        let secret = guike::keys::add(self.file()?, &NewKey { name, scopes, created: today(), expires, random })?;
        self.reread(rate);
        Ok(secret)
    }

    /// Takes a key out of force, at once.
    ///
    /// # Errors
    /// As [`guike::keys::revoke`].
    pub(crate) fn revoke(&self, name: &str, rate: Option<f64>) -> Result<(), Error> {
        let _turn = locked(&self.turn);
        guike::keys::revoke(self.file()?, name)?;
        self.reread(rate);
        Ok(())
    }

    fn file(&self) -> Result<&std::path::Path, Error> {
        self.file.as_deref().ok_or_else(|| Error::Internal("these keys have no file".to_owned()))
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
