//! The file of API keys: read, one more, one less.
//!
//! What a key is and what it opens is decided in [`guike_guard`]; here is only the file, which is written whole or not at all.

use std::path::Path;

use guike_core::Day;
use guike_guard::{KeyError, Keyring, Scope, Secret};

use crate::error::Error;

/// A key that is to be made.
#[derive(Debug, Clone, Copy)]
pub struct NewKey<'a> {
    /// Whose it is.
    pub name: &'a str,
    /// What it opens.
    pub scopes: &'a [Scope],
    /// Today.
    pub created: Day,
    /// The last day on which it opens anything.
    pub expires: Option<Day>,
    /// 32 bytes of the system's random numbers.
    pub random: [u8; 32],
}

/// Reads a file of keys.
///
/// # Errors
/// [`Error::Store`] when it is not there, [`Error::ConfigFile`] when it is no file of keys.
pub fn read(file: &Path) -> Result<Keyring, Error> {
    let text = guike_store::read_text(file)?;
    Keyring::parse(&text).map_err(|e| in_file(file, &e))
}

/// Adds a key to a file, which is made where there is none. What comes back is the only place where the key is in full.
///
/// # Errors
/// As [`read`], and [`Error::ConfigFile`] for a name that is taken or none, or a key that opens nothing.
pub fn add(file: &Path, new: &NewKey<'_>) -> Result<Secret, Error> {
    let mut keyring = match read(file) {
        Err(e) if e.kind() == crate::ErrorKind::NotFound => Keyring::default(),
        other => other?,
    };
    let made = keyring.add(new.name, new.scopes, new.created, new.expires, new.random);
    let secret = made.map_err(|e| in_file(file, &e))?;
    guike_store::write_bytes(file, keyring.to_text().as_bytes())?;
    Ok(secret)
}

/// Takes a key out of a file.
///
/// # Errors
/// As [`read`], and [`Error::NotThere`] when no key has this name.
pub fn revoke(file: &Path, name: &str) -> Result<(), Error> {
    let mut keyring = read(file)?;
    keyring.revoke(name).map_err(|e| match e {
        KeyError::NoSuchKey(_) => Error::NotThere(format!("`{}`: {e}", file.display())),
        other => in_file(file, &other),
    })?;
    Ok(guike_store::write_bytes(file, keyring.to_text().as_bytes())?)
}

fn in_file(file: &Path, e: &KeyError) -> Error {
    Error::ConfigFile { path: file.to_owned(), reason: e.to_string() }
}
