//! The file of users: read, one more, a change of one.
//!
//! Who may log in and what a good password is is decided in [`guike_guard`]; here is only the file, which is written whole or
//! not at all, and readable by its owner only.

use std::path::Path;

use guike_core::Day;
use guike_guard::{Role, Salt, UserError, Users};

use crate::error::Error;

/// A user who is to be added.
#[derive(Clone, Copy)]
pub struct NewUser<'a> {
    /// By what she is known.
    pub name: &'a str,
    /// What she may do.
    pub role: Role,
    /// Her password; it goes no further than into a hash.
    pub password: &'a str,
    /// Today.
    pub created: Day,
    /// 16 bytes of the system's random numbers.
    pub salt: Salt,
}

/// A change of one user.
#[derive(Clone, Copy)]
pub enum UserChange<'a> {
    /// Another password, with 16 bytes of the system's random numbers.
    Password(&'a str, Salt),
    /// Another role.
    Role(Role),
    /// She may not log in.
    Disable,
    /// She may log in again.
    Enable,
}

/// Reads a file of users.
///
/// # Errors
/// [`Error::Store`] when it is not there, [`Error::ConfigFile`] when it is no file of users.
pub fn read(file: &Path) -> Result<Users, Error> {
    let text = guike_store::read_text(file)?;
    Users::parse(&text).map_err(|e| in_file(file, &e))
}

/// Reads a file of users; a file that is not there has none.
///
/// # Errors
/// [`Error::ConfigFile`] when it is no file of users, [`Error::Store`] when it cannot be read.
pub fn read_if_there(file: &Path) -> Result<Users, Error> {
    match read(file) {
        Err(e) if e.kind() == crate::ErrorKind::NotFound => Ok(Users::default()),
        other => other,
    }
}

/// Adds a user to a file, which is made where there is none.
///
/// # Errors
/// As [`read`], and [`Error::ConfigFile`] for a name that is taken or none, or a password that is too easy.
pub fn add(file: &Path, new: &NewUser<'_>) -> Result<(), Error> {
    let mut users = read_if_there(file)?;
    users.add(new.name, new.role, new.password, new.created, new.salt).map_err(|e| in_file(file, &e))?;
    write(file, &users)
}

/// Changes a user in a file.
///
/// # Errors
/// As [`read`]; [`Error::NotThere`] when nobody has this name, [`Error::ConfigFile`] for what is not allowed.
pub fn change(file: &Path, name: &str, change: UserChange<'_>) -> Result<(), Error> {
    let mut users = read(file)?;
    let changed = match change {
        UserChange::Password(password, salt) => users.set_password(name, password, salt),
        UserChange::Role(role) => users.set_role(name, role),
        UserChange::Disable => users.set_disabled(name, true),
        UserChange::Enable => users.set_disabled(name, false),
    };
    changed.map_err(|e| match e {
        UserError::NoSuchUser(_) => Error::NotThere(format!("`{}`: {e}", file.display())),
        other => in_file(file, &other),
    })?;
    write(file, &users)
}

fn write(file: &Path, users: &Users) -> Result<(), Error> {
    Ok(guike_store::write_bytes(file, users.to_text().as_bytes())?)
}

fn in_file(file: &Path, e: &UserError) -> Error {
    Error::ConfigFile { path: file.to_owned(), reason: e.to_string() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods)] // writes and looks at a file in a temporary folder

    use super::*;
    use crate::ErrorKind;

    const GOOD: &str = "correct horse battery";

    #[test]
    fn a_file_grows_and_changes_and_only_its_owner_reads_it() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("users.json");
        let new = |name| NewUser { name, role: Role::Admin, password: GOOD, created: Day(20_000), salt: [1; 16] };
        assert!(read(&file).is_err_and(|e| e.kind() == ErrorKind::NotFound));
        add(&file, &new("root")).expect("added");
        add(&file, &new("mei")).expect("added");
        assert_eq!(add(&file, &new("mei")).expect_err("twice").kind(), ErrorKind::Config);
        change(&file, "mei", UserChange::Role(Role::Agent)).expect("changed");
        change(&file, "mei", UserChange::Password("another sentence", [2; 16])).expect("changed");
        change(&file, "mei", UserChange::Disable).expect("changed");
        assert!(read(&file).expect("read").check("mei", "another sentence").is_none());
        change(&file, "mei", UserChange::Enable).expect("changed");
        assert_eq!(read(&file).expect("read").check("mei", "another sentence").map(|u| u.role), Some(Role::Agent));
        assert_eq!(change(&file, "x", UserChange::Disable).expect_err("nobody").kind(), ErrorKind::NotFound);
        assert_eq!(change(&file, "root", UserChange::Disable).expect_err("last").kind(), ErrorKind::Config);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(&file).expect("there").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        std::fs::write(&file, "{\"secret\":\"mei@example.org\"").expect("written");
        assert!(!read(&file).expect_err("damaged").to_string().contains("example"));
    }
}
