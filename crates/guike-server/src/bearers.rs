//! Programs with tokens of the company's identity provider: the provider's public keys in a file, and who a token is.
//!
//! The one idea: the file of keys is what can be taken away. It is read again when it changes, so that a key that is no
//! longer in it opens nothing two seconds later; a file that is none leaves the old keys in force, and the log tells it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};

use guike::Error;
use guike_guard::{TokenFault, TokenKeys, TokenRules};

use crate::access::Bucket;
use crate::watched::{Found, Renewed, Watched};
use crate::who::Who;

/// Names whose rate is remembered; with more, those that ask seldom are forgotten.
const REMEMBERED: usize = 10_000;

/// Which tokens are believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tokens {
    /// The public keys of the identity provider: a JSON Web Key Set.
    pub keys: PathBuf,
    /// What a token must say.
    pub rules: TokenRules,
}

/// Who comes with tokens.
#[derive(Debug)]
pub(crate) struct Bearers {
    file: PathBuf,
    rules: TokenRules,
    keys: RwLock<Arc<TokenKeys>>,
    watched: Mutex<Watched>,
    buckets: Mutex<BTreeMap<String, Bucket>>,
}

impl Bearers {
    /// Reads the keys.
    ///
    /// # Errors
    /// [`Error`] for a file that is not there, is no key set, or has no key that can be used.
    pub(crate) fn open(tokens: Tokens) -> Result<Bearers, Error> {
        let watched = Mutex::new(Watched::new(vec![tokens.keys.clone()]));
        for (flag, value) in [("--jwt-issuer", &tokens.rules.issuer), ("--jwt-audience", &tokens.rules.audience)] {
            if value.is_empty() {
                let rule =
                    "an empty text would be said by tokens for anybody; give what the provider writes".to_owned();
                return Err(Error::Config { what: flag.to_owned(), value: String::new(), rule });
            }
        }
        let keys = read(&tokens.keys)?;
        // later an empty file takes every key out of force; at the start it is a mistake
        if keys.is_empty() {
            let reason = format!(
                "there is no key for RS256 (from 2,048 bits), ES256 or EdDSA in it, and {} for something else",
                keys.n_passed_over()
            );
            return Err(Error::ConfigFile { path: tokens.keys, reason });
        }
        let keys = RwLock::new(Arc::new(keys));
        Ok(Bearers { file: tokens.keys, rules: tokens.rules, keys, watched, buckets: Mutex::default() })
    }

    /// Who this token is now.
    ///
    /// # Errors
    /// [`TokenFault`].
    pub(crate) fn who(&self, token: &str) -> Result<Who, TokenFault> {
        let keys = Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner));
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
        let bearer = keys.check(token, &self.rules, now)?;
        Ok(Who::bearer(Arc::from(bearer.name), bearer.role))
    }

    /// Takes one request from what this name may still ask.
    pub(crate) fn take(&self, name: &str, rate: f64) -> bool {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= REMEMBERED && !buckets.contains_key(name) {
            buckets.retain(|_, bucket| !bucket.is_full(rate));
        }
        buckets.entry(name.to_owned()).or_insert_with(|| Bucket::full(rate)).take(rate)
    }
}

impl Renewed for Bearers {
    fn look(&self, _: u64) -> Found {
        if !self.watched.lock().unwrap_or_else(PoisonError::into_inner).are_others() {
            return Found::new();
        }
        match read(&self.file) {
            Ok(keys) => {
                let words = format!("{} keys of tokens are in force, and no others", keys.len());
                *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
                vec![("token-keys-read", words)]
            }
            Err(e) => vec![("token-keys-not-read", format!("{e}; the keys from before stay in force"))],
        }
    }
}

fn read(file: &Path) -> Result<TokenKeys, Error> {
    let text = std::fs::read_to_string(file).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => {
            Error::NotThere(format!("--jwt-keys = `{}`: there is no such file; check the path", file.display()))
        }
        _ => Error::ConfigFile { path: file.to_owned(), reason: format!("it cannot be read ({e})") },
    })?;
    TokenKeys::parse(&text).map_err(|e| Error::ConfigFile { path: file.to_owned(), reason: e.to_string() })
}
