//! Who may see what: keys of programs, and what each of them opens.
//!
//! The one idea: everything is refused that is not allowed by a key that is known, in force and made for it. This crate
//! decides and keeps nothing: random bytes, today's date and the text of the file of keys are handed in.
//!
//! Persons with passwords are not known here.

mod keys;

pub use keys::{Key, KeyError, Keyring, Refusal, Scope, Secret};
