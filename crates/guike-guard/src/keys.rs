//! API keys: random, shown once, kept as hashes, with scopes and an end.
//!
//! The one idea: a key is 256 random bits, so nobody can guess it and its hash need not be slow. A password hash such as
//! argon2id makes guessing dear where people choose the secret; here it would cost milliseconds of every request and gain
//! nothing. SHA-256 takes a fraction of a microsecond, and whoever reads the file learns no key.

use std::str::FromStr;

use guike_core::Day;
use serde::{Deserialize, Serialize};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

use crate::hash::{bytes, fits_name, hexadecimal, not_as_sealed, sealed, sha256};
use crate::roles::Rights;

/// What every key begins with, so that it is recognised where it should not be.
pub const KEY_BEGINS: &str = "guike_";
/// Newest format of the file.
const FORMAT: u32 = 1;

/// What a key opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Asking models for predictions.
    Predict,
    /// Reading models, forecasts and customers.
    Read,
    /// Reading counters.
    Metrics,
    /// Telling what happened in the shop.
    Events,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Scope; 4] = [Scope::Predict, Scope::Read, Scope::Metrics, Scope::Events];

    /// Its name in files and flags.
    pub fn name(self) -> &'static str {
        match self {
            Scope::Predict => "predict",
            Scope::Read => "read",
            Scope::Metrics => "metrics",
            Scope::Events => "events",
        }
    }
}

impl FromStr for Scope {
    type Err = String;

    fn from_str(text: &str) -> Result<Scope, String> {
        let names = Scope::ALL.map(Scope::name).join(", ");
        Scope::ALL.into_iter().find(|s| s.name() == text).ok_or_else(|| format!("a scope is one of {names}"))
    }
}

/// A key as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// Whose it is.
    pub name: String,
    /// SHA-256 of the key, in hexadecimal.
    sha256: String,
    /// What it opens.
    pub scopes: Vec<Scope>,
    /// The day on which it was made.
    pub created: Day,
    /// The last day on which it opens anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Day>,
}

impl Key {
    /// What it may do.
    pub fn rights(&self) -> Rights {
        Rights::of_scopes(&self.scopes)
    }
}

/// A key, a session or a link as its owner gets it, once; it does not print itself.
pub struct Secret(String);

impl Secret {
    /// 32 random bytes as text.
    pub fn from_random(random: &[u8; 32]) -> Secret {
        Secret(hexadecimal(random))
    }

    /// The text, for its owner.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// Why a key opens nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// No such key.
    Unknown,
    /// Its last day is over; it is the key at this position.
    Expired(usize),
}

/// What is wrong with a file of keys, or a key that is to be added.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not a file of keys.
    #[error("it is no file of keys: {0}")]
    Damaged(String),
    /// From a later version.
    #[error("it has format {found}, and this Guike reads up to {FORMAT}; update Guike to open it")]
    Newer {
        /// Its format.
        found: u32,
    },
    /// The name is taken.
    #[error("a key is already called `{0}`; choose another name, or revoke that one first")]
    Taken(String),
    /// No key has this name.
    #[error("no key is called `{0}`; `guike keys list` shows the names")]
    NoSuchKey(String),
    /// The name is no name.
    #[error("a name has 1 to 40 letters, digits, `-`, `_` and `.`")]
    Name,
    /// A key for nothing.
    #[error("a key opens at least one of predict, read, metrics and events")]
    NoScope,
}

#[derive(Serialize, Deserialize)]
struct File {
    guike_keys: u32,
    #[serde(default)]
    checksum: String,
    keys: Vec<Key>,
}

/// All keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keyring {
    keys: Vec<Key>,
    hashes: Vec<[u8; 32]>,
}

impl Keyring {
    /// Reads the text of a file of keys.
    ///
    /// # Errors
    /// [`KeyError::Damaged`], [`KeyError::Newer`].
    ///
    /// # Example
    /// ```
    /// use guike_core::Day;
    /// use guike_guard::{Keyring, Refusal, Scope};
    /// let mut keyring = Keyring::default();
    /// // the bytes come from the system's random numbers
    /// let secret = keyring.add("crm", &[Scope::Predict], Day(20_000), Some(Day(20_365)), [7; 32]).unwrap();
    /// let keyring = Keyring::parse(&keyring.to_text()).unwrap();
    /// assert_eq!(keyring.check(secret.reveal(), Day(20_365)).unwrap(), 0);
    /// assert_eq!(keyring.check(secret.reveal(), Day(20_366)), Err(Refusal::Expired(0)));
    /// assert_eq!(keyring.check("guike_00", Day(20_000)), Err(Refusal::Unknown));
    /// ```
    pub fn parse(text: &str) -> Result<Keyring, KeyError> {
        let whole: serde_json::Value = serde_json::from_str(text).map_err(|e| KeyError::Damaged(e.to_string()))?;
        match whole.get("guike_keys").and_then(serde_json::Value::as_u64) {
            None => return Err(KeyError::Damaged("it has no `guike_keys` format number".to_owned())),
            Some(f) if f > u64::from(FORMAT) => {
                return Err(KeyError::Newer { found: u32::try_from(f).unwrap_or(u32::MAX) });
            }
            Some(_) => {}
        }
        if let Some(why) = not_as_sealed(&whole, "keys") {
            return Err(KeyError::Damaged(why.to_owned()));
        }
        let file: File = serde_json::from_value(whole).map_err(|e| KeyError::Damaged(e.to_string()))?;
        let hashes = file
            .keys
            .iter()
            .map(|k| bytes(&k.sha256).ok_or_else(|| KeyError::Damaged(format!("the hash of `{}` is none", k.name))))
            .collect::<Result<_, _>>()?;
        Ok(Keyring { keys: file.keys, hashes })
    }

    /// The text of the file.
    pub fn to_text(&self) -> String {
        let keys = serde_json::to_value(&self.keys).expect("names and numbers are JSON");
        let file = File { guike_keys: FORMAT, checksum: sealed(&keys), keys: self.keys.clone() };
        serde_json::to_string_pretty(&file).expect("names and numbers are JSON") + "\n"
    }

    /// The keys, without what opens them.
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// Makes a key from 32 random bytes; its text is nowhere but in what comes back.
    ///
    /// # Errors
    /// [`KeyError`] for a name that is taken or none, and a key without a scope.
    pub fn add(
        &mut self,
        name: &str,
        scopes: &[Scope],
        created: Day,
        expires: Option<Day>,
        random: [u8; 32],
    ) -> Result<Secret, KeyError> {
        if !fits_name(name) {
            return Err(KeyError::Name);
        }
        if self.keys.iter().any(|k| k.name == name) {
            return Err(KeyError::Taken(name.to_owned()));
        }
        if scopes.is_empty() {
            return Err(KeyError::NoScope);
        }
        let mut scopes = scopes.to_vec();
        scopes.sort_unstable();
        scopes.dedup();
        let secret = Secret(format!("{KEY_BEGINS}{}", hexadecimal(&random)));
        let hash = hash(secret.reveal());
        self.keys.push(Key { name: name.to_owned(), sha256: hexadecimal(&hash), scopes, created, expires });
        self.hashes.push(hash);
        Ok(secret)
    }

    /// Takes a key out of force.
    ///
    /// # Errors
    /// [`KeyError::NoSuchKey`].
    pub fn revoke(&mut self, name: &str) -> Result<(), KeyError> {
        let at = self.keys.iter().position(|k| k.name == name).ok_or_else(|| KeyError::NoSuchKey(name.to_owned()))?;
        self.keys.remove(at);
        self.hashes.remove(at);
        Ok(())
    }

    /// The position of the key that this text is, if it is in force on this day.
    ///
    /// All hashes are compared to their ends, so that the time taken tells nothing about any of them.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn check(&self, text: &str, today: Day) -> Result<usize, Refusal> {
        let asked = hash(text);
        let mut at = u64::MAX;
        for (i, known) in self.hashes.iter().enumerate() {
            let same: Choice = known.ct_eq(&asked);
            at.conditional_assign(&(i as u64), same);
        }
        let at = usize::try_from(at).unwrap_or(usize::MAX);
        let key = self.keys.get(at).ok_or(Refusal::Unknown)?;
        if key.expires.is_some_and(|last| today > last) {
            return Err(Refusal::Expired(at));
        }
        Ok(at)
    }
}

fn hash(text: &str) -> [u8; 32] {
    sha256(&[text.as_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;

    const TODAY: Day = Day(20_000);

    fn keyring() -> (Keyring, Vec<Secret>) {
        let mut keyring = Keyring::default();
        let secrets = (0..3_u8)
            .map(|i| keyring.add(&format!("k{i}"), &[Scope::ALL[usize::from(i)]], TODAY, None, [i; 32]).expect("added"))
            .collect();
        (keyring, secrets)
    }

    #[test]
    fn a_flipped_bit_is_damage_and_a_file_without_a_checksum_is_taken() {
        let (keyring, _) = keyring();
        let text = keyring.to_text();
        let mut n_damaged = 0;
        for bit in 0..text.len() * 8 {
            let mut flipped = text.clone().into_bytes();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let Ok(flipped) = String::from_utf8(flipped) else { continue };
            // the name of a member that may be left out may be another one; what the file says is not
            match Keyring::parse(&flipped) {
                Ok(same) => assert_eq!(same, keyring, "bit {bit}"),
                Err(_) => n_damaged += 1,
            }
        }
        assert!(n_damaged > 7 * (text.len() - 100));
        let by_hand: Vec<&str> = text.lines().filter(|l| !l.contains("checksum")).collect();
        let by_hand = by_hand.join("\n").replace("\"k0\"", "\"crm\"");
        assert_eq!(Keyring::parse(&by_hand).expect("taken").keys()[0].name, "crm");
        let changed = Keyring::parse(&text.replace("\"k0\"", "\"crm\"")).expect_err("refused").to_string();
        assert!(changed.contains("take the member `checksum` out"), "{changed}");
    }

    #[test]
    fn every_key_is_known_by_its_whole_text_and_has_the_rights_of_its_scopes() {
        let (keyring, secrets) = keyring();
        for (i, secret) in secrets.iter().enumerate() {
            assert_eq!(keyring.check(secret.reveal(), TODAY), Ok(i));
            assert_eq!(keyring.keys()[i].rights(), Rights::of_scopes(&[Scope::ALL[i]]));
        }
        for text in ["", "guike_", "guike_00", &secrets[0].reveal()[..69], &secrets[0].reveal().to_uppercase()] {
            assert_eq!(keyring.check(text, TODAY), Err(Refusal::Unknown), "{text}");
        }
        assert_eq!(Keyring::default().check(secrets[0].reveal(), TODAY), Err(Refusal::Unknown));
    }

    #[test]
    fn the_file_holds_no_key_and_a_revoked_one_opens_nothing() {
        let (mut keyring, secrets) = keyring();
        let text = keyring.to_text();
        assert_eq!(Keyring::parse(&text).expect("its own text"), keyring);
        for s in &secrets {
            assert!(!text.contains(&s.reveal()[6..]) && format!("{s:?}") == "***");
        }
        keyring.revoke("k0").expect("revoked");
        assert_eq!(keyring.check(secrets[0].reveal(), TODAY), Err(Refusal::Unknown));
        assert_eq!(keyring.check(secrets[1].reveal(), TODAY), Ok(0));
        assert_eq!(keyring.revoke("k0"), Err(KeyError::NoSuchKey("k0".to_owned())));
    }

    #[test]
    fn names_scopes_and_files_that_are_none_are_refused() {
        let (mut keyring, _) = keyring();
        assert_eq!(keyring.add("k0", &[Scope::Read], TODAY, None, [9; 32]).err(), Some(KeyError::Taken("k0".into())));
        assert_eq!(keyring.add("a b", &[Scope::Read], TODAY, None, [9; 32]).err(), Some(KeyError::Name));
        assert_eq!(keyring.add("", &[Scope::Read], TODAY, None, [9; 32]).err(), Some(KeyError::Name));
        assert_eq!(keyring.add("x", &[], TODAY, None, [9; 32]).err(), Some(KeyError::NoScope));
        assert!(matches!(Keyring::parse("{}"), Err(KeyError::Damaged(_))));
        assert!(matches!(Keyring::parse(r#"{"guike_keys":2,"keys":[]}"#), Err(KeyError::Newer { found: 2 })));
        let text = keyring.to_text().replace("\"sha256\": \"", "\"sha256\": \"zz");
        assert!(matches!(Keyring::parse(&text), Err(KeyError::Damaged(_))));
        assert_eq!("read".parse::<Scope>(), Ok(Scope::Read));
        assert!("write".parse::<Scope>().is_err());
    }
}
