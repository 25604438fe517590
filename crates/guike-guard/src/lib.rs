//! Who may see what: roles of persons, keys and tokens of programs, sessions, what each of them opens, and the record of it.
//!
//! The one idea: everything is refused that the one table of [`Rights`] does not allow to who asks. This crate decides and
//! keeps nothing: random bytes, the clock and the texts of files are handed in.

mod audit;
mod hash;
mod identity;
mod jwks;
mod keys;
mod logins;
mod roles;
mod sessions;
mod tokens;
mod users;

pub use audit::{AUDIT_BEGINS, AuditKey, HEAD_BYTES, Head, Pseudonyms, Record, Tampered, hash_from_text, verify};
pub use identity::{Answered, IdRules, Person, is_from_elsewhere};
pub use jwks::{TokenKeys, TokenKeysError};
pub use keys::{KEY_BEGINS, Key, KeyError, Keyring, Refusal, Scope, Secret};
pub use logins::{Begun, Leaving, Logins, basic};
pub use roles::{Action, Resource, Rights, Role, roles_for, scopes_for};
pub use sessions::{Attempts, Link, Session, Sessions, csrf_token};
pub use tokens::{Bearer, TokenFault, TokenRules};
pub use users::{Salt, User, UserError, Users, check_rules};
