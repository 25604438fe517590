//! Persons who log in: name, role, and a slow hash of the password.
//!
//! The one idea: people choose passwords, so guessing them must be dear. argon2id makes every guess cost 19 MiB of memory
//! and two passes over it, for a thief of the file as for the server; a name that is not there costs the same, so that the
//! time taken tells nobody who has an account.
//!
//! What it does not do: it sends no mail, and knows no second factor.

use argon2::{Algorithm, Argon2, Params, Version};
use guike_core::Day;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use crate::hash::{bytes, fits_name, hexadecimal, not_as_sealed, sealed};
use crate::roles::Role;

/// Newest format of the file.
const FORMAT: u32 = 1;
/// KiB of memory, passes and lanes of argon2id: the least that the OWASP Password Storage Cheat Sheet asks for
/// (m = 19 MiB, t = 2, p = 1), <https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html>.
const COST: Cost = Cost { kib: 19 * 1024, passes: 2, lanes: 1 };
/// What a file may ask for at most, so that a foreign one does not take the machine's memory.
const MOST: Cost = Cost { kib: 256 * 1024, passes: 16, lanes: 8 };
/// NIST SP 800-63B-4, 3.1.1.2 asks for 15 where the password is all there is and 8 beside a second factor; it is all there
/// is here, behind a lock that makes guessing slow, so that 12 is the least and long sentences are welcome.
const SHORTEST: usize = 12;
/// Bytes; a longer one only makes the hash slow.
const LONGEST: usize = 1024;
/// Fewer different characters than this are a pattern and no password.
const DIFFERENT: usize = 5;

/// Random bytes that make equal passwords look different.
pub type Salt = [u8; 16];

/// How dear a guess is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Cost {
    kib: u32,
    passes: u32,
    lanes: u32,
}

/// A password as it is kept.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Hashed {
    #[serde(flatten)]
    cost: Cost,
    salt: String,
    argon2id: String,
}

impl std::fmt::Debug for Hashed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// A person who may log in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// By what she is known.
    pub name: String,
    /// What she may do.
    pub role: Role,
    /// The day on which she was added.
    pub created: Day,
    /// Whether logging in is refused, until somebody enables it again.
    #[serde(default)]
    pub is_disabled: bool,
    /// Counts changes of password, role and state: a session of an earlier number is over.
    pub revision: u32,
    password: Hashed,
}

/// What is wrong with a file of users, or a change of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UserError {
    /// Not a file of users.
    #[error("it is no file of users: {0}")]
    Damaged(String),
    /// From a later version.
    #[error("it has format {found}, and this Guike reads up to {FORMAT}; update Guike to open it")]
    Newer {
        /// Its format.
        found: u32,
    },
    /// The name is taken.
    #[error("a user is already called `{0}`; choose another name")]
    Taken(String),
    /// Nobody has this name.
    #[error("no user is called `{0}`; `guike users list` shows the names")]
    NoSuchUser(String),
    /// The name is no name.
    #[error("a name has 1 to 40 letters, digits, `-`, `_` and `.`")]
    Name,
    /// A password that is too easy.
    #[error("{0}")]
    Password(&'static str),
    /// Nobody could look after users any more.
    #[error("`{0}` is the last admin who can log in; make another one first")]
    LastAdmin(String),
}

#[derive(Serialize, Deserialize)]
struct File {
    guike_users: u32,
    #[serde(default)]
    checksum: String,
    users: Vec<User>,
}

/// All users.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Users {
    users: Vec<User>,
}

impl Users {
    /// Reads the text of a file of users.
    ///
    /// # Errors
    /// [`UserError::Damaged`], [`UserError::Newer`].
    ///
    /// # Example
    /// ```
    /// use guike_core::Day;
    /// use guike_guard::{Role, Users};
    /// let mut users = Users::default();
    /// // the salt comes from the system's random numbers
    /// users.add("mei", Role::Analyst, "a long sentence is easy", Day(20_000), [7; 16]).unwrap();
    /// let users = Users::parse(&users.to_text()).unwrap();
    /// assert_eq!(users.check("mei", "a long sentence is easy").unwrap().role, Role::Analyst);
    /// assert!(users.check("mei", "another sentence").is_none());
    /// assert!(users.check("nobody", "a long sentence is easy").is_none());
    /// ```
    pub fn parse(text: &str) -> Result<Users, UserError> {
        // what stands in the file is not repeated: it may be anybody's file
        let damaged = |e: serde_json::Error| UserError::Damaged(format!("line {} is not as it should be", e.line()));
        let whole: serde_json::Value = serde_json::from_str(text).map_err(damaged)?;
        match whole.get("guike_users").and_then(serde_json::Value::as_u64) {
            None => return Err(UserError::Damaged("it has no `guike_users` format number".to_owned())),
            Some(f) if f > u64::from(FORMAT) => {
                return Err(UserError::Newer { found: u32::try_from(f).unwrap_or(u32::MAX) });
            }
            Some(_) => {}
        }
        if let Some(why) = not_as_sealed(&whole, "users") {
            return Err(UserError::Damaged(why.to_owned()));
        }
        let file: File = serde_json::from_str(text).map_err(damaged)?;
        for (i, user) in file.users.iter().enumerate() {
            let is_hash = bytes::<32>(&user.password.argon2id).is_some() && bytes::<16>(&user.password.salt).is_some();
            let cost = user.password.cost;
            let is_fair = cost.kib <= MOST.kib && cost.passes <= MOST.passes && cost.lanes <= MOST.lanes;
            if !is_hash || !is_fair || argon2(cost).is_none() {
                return Err(UserError::Damaged(format!(
                    "the password of user {} is no hash that can be checked",
                    i + 1
                )));
            }
            if !fits_name(&user.name) || file.users[..i].iter().any(|u| u.name == user.name) {
                return Err(UserError::Damaged(format!("the name of user {} is none, or there twice", i + 1)));
            }
        }
        Ok(Users { users: file.users })
    }

    /// The text of the file.
    pub fn to_text(&self) -> String {
        let users = serde_json::to_value(&self.users).expect("names and numbers are JSON");
        let file = File { guike_users: FORMAT, checksum: sealed(&users), users: self.users.clone() };
        serde_json::to_string_pretty(&file).expect("names and numbers are JSON") + "\n"
    }

    /// The users, without their passwords.
    pub fn users(&self) -> &[User] {
        &self.users
    }

    /// The user of this name.
    pub fn user(&self, name: &str) -> Option<&User> {
        self.users.iter().find(|u| u.name == name)
    }

    /// Adds a user.
    ///
    /// # Errors
    /// [`UserError`] for a name that is taken or none, and a password that is too easy.
    pub fn add(&mut self, name: &str, role: Role, password: &str, created: Day, salt: Salt) -> Result<(), UserError> {
        check_rules(name, password)?;
        if self.user(name).is_some() {
            return Err(UserError::Taken(name.to_owned()));
        }
        let password = hashed(password, salt);
        self.users.push(User { name: name.to_owned(), role, created, is_disabled: false, revision: 1, password });
        Ok(())
    }

    /// Gives a user another password.
    ///
    /// # Errors
    /// [`UserError::NoSuchUser`], [`UserError::Password`].
    pub fn set_password(&mut self, name: &str, password: &str, salt: Salt) -> Result<(), UserError> {
        self.user(name).ok_or_else(|| UserError::NoSuchUser(name.to_owned()))?;
        good_password(name, password)?;
        self.change(name, |user| user.password = hashed(password, salt))
    }

    /// Gives a user another role.
    ///
    /// # Errors
    /// [`UserError::NoSuchUser`], [`UserError::LastAdmin`].
    pub fn set_role(&mut self, name: &str, role: Role) -> Result<(), UserError> {
        self.change(name, |user| user.role = role)
    }

    /// Keeps a user from logging in, or lets her again.
    ///
    /// # Errors
    /// [`UserError::NoSuchUser`], [`UserError::LastAdmin`].
    pub fn set_disabled(&mut self, name: &str, is_disabled: bool) -> Result<(), UserError> {
        self.change(name, |user| user.is_disabled = is_disabled)
    }

    fn change(&mut self, name: &str, change: impl FnOnce(&mut User)) -> Result<(), UserError> {
        let at = self.users.iter().position(|u| u.name == name);
        let at = at.ok_or_else(|| UserError::NoSuchUser(name.to_owned()))?;
        let before = self.users[at].clone();
        let rules = |u: &User| u.role == Role::Admin && !u.is_disabled;
        let had_admin = self.users.iter().any(rules);
        change(&mut self.users[at]);
        if had_admin && !self.users.iter().any(rules) {
            self.users[at] = before;
            return Err(UserError::LastAdmin(name.to_owned()));
        }
        self.users[at].revision = self.users[at].revision.saturating_add(1);
        Ok(())
    }

    /// The user with this name and password, unless she may not log in.
    ///
    /// It takes as long for a name that is not there as for one that is.
    pub fn check(&self, name: &str, password: &str) -> Option<&User> {
        let user = self.user(name);
        let dummy = Hashed { cost: COST, salt: "00".repeat(16), argon2id: "00".repeat(32) };
        let is_right = matches(user.map_or(&dummy, |u| &u.password), password);
        user.filter(|u| is_right && !u.is_disabled)
    }
}

/// Whether these may be the name and the password of a user.
///
/// # Errors
/// [`UserError::Name`], [`UserError::Password`].
pub fn check_rules(name: &str, password: &str) -> Result<(), UserError> {
    if !fits_name(name) {
        return Err(UserError::Name);
    }
    good_password(name, password)
}

fn good_password(name: &str, password: &str) -> Result<(), UserError> {
    let mut characters: Vec<char> = password.chars().collect();
    if characters.len() < SHORTEST {
        return Err(UserError::Password("a password has at least 12 characters; a sentence is easy to remember"));
    }
    if password.len() > LONGEST {
        return Err(UserError::Password("a password has at most 1,024 bytes"));
    }
    let (lower, name) = (password.to_lowercase(), name.to_lowercase());
    if lower.replace(&name, "").chars().count() < DIFFERENT {
        return Err(UserError::Password("the password is little else than the name; choose another one"));
    }
    characters.sort_unstable();
    characters.dedup();
    if characters.len() < DIFFERENT {
        return Err(UserError::Password("the password repeats a few characters; choose another one"));
    }
    Ok(())
}

fn argon2(cost: Cost) -> Option<Argon2<'static>> {
    let params = Params::new(cost.kib, cost.passes, cost.lanes, Some(32)).ok()?;
    Some(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn hash_of(cost: Cost, password: &str, salt: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    let argon2 = argon2(cost).expect("costs are ours, or were checked when the file was read");
    argon2.hash_password_into(password.as_bytes(), salt, &mut out).expect("salt and output have good lengths");
    out
}

fn hashed(password: &str, salt: Salt) -> Hashed {
    let argon2id = hexadecimal(&hash_of(COST, password, &salt));
    Hashed { cost: COST, salt: hexadecimal(&salt), argon2id }
}

fn matches(kept: &Hashed, password: &str) -> bool {
    // no hash is made of more than anybody's password
    let password = if password.len() > LONGEST { "" } else { password };
    let salt = bytes::<16>(&kept.salt).expect("checked when the file was read");
    let expected = bytes::<32>(&kept.argon2id).expect("checked when the file was read");
    hash_of(kept.cost, password, &salt).ct_eq(&expected).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TODAY: Day = Day(20_000);
    const GOOD: &str = "correct horse battery";

    fn users() -> Users {
        let mut users = Users::default();
        users.add("root", Role::Admin, GOOD, TODAY, [1; 16]).expect("added");
        users.add("mei", Role::Agent, GOOD, TODAY, [2; 16]).expect("added");
        users
    }

    #[test]
    fn a_hash_is_that_of_the_reference() {
        // `echo -n password | argon2 somesalt -id -t 2 -k 65536 -p 1 -l 32`, from test.c of the reference implementation
        // (phc-winner-argon2, version 0x13)
        let cost = Cost { kib: 65_536, passes: 2, lanes: 1 };
        assert_eq!(
            hexadecimal(&hash_of(cost, "password", b"somesalt")),
            "09316115d5cf24ed5a15a31a3ba326e5cf32edc24702987c02b6566f61913cf7"
        );
    }

    #[test]
    fn a_flipped_bit_is_damage_and_a_file_without_a_checksum_is_taken() {
        let users = users();
        let text = users.to_text();
        for bit in (0..text.len() * 8).step_by(3) {
            let mut flipped = text.clone().into_bytes();
            flipped[bit / 8] ^= 1 << (bit % 8);
            // the name of a member that may be left out may be another one; what the file says is not
            let Ok(flipped) = String::from_utf8(flipped) else { continue };
            assert!(Users::parse(&flipped).map_or(true, |same| same == users), "bit {bit}");
        }
        let by_hand: Vec<&str> = text.lines().filter(|l| !l.contains("checksum")).collect();
        let by_hand = by_hand.join("\n").replace("\"mei\"", "\"bo\"");
        assert!(Users::parse(&by_hand).expect("taken").user("bo").is_some());
        assert!(Users::parse(&text.replace("\"mei\"", "\"bo\"")).is_err());
    }

    #[test]
    fn the_right_password_of_a_user_who_may_logs_in_and_nothing_else() {
        let mut users = users();
        assert_eq!(users.check("mei", GOOD).map(|u| u.role), Some(Role::Agent));
        let long = "x".repeat(2_000);
        for (name, password) in [("mei", "correct horse"), ("mei", ""), ("nobody", GOOD), ("", ""), ("mei", &long)] {
            assert_eq!(users.check(name, password), None);
        }
        users.set_disabled("mei", true).expect("disabled");
        assert_eq!(users.check("mei", GOOD), None);
        users.set_disabled("mei", false).expect("enabled");
        users.set_password("mei", "another sentence", [3; 16]).expect("changed");
        assert!(users.check("mei", GOOD).is_none());
        assert_eq!(users.check("mei", "another sentence").map(|u| u.revision), Some(4));
    }

    #[test]
    fn the_file_holds_no_password_and_reads_back_the_same() {
        let users = users();
        let text = users.to_text();
        assert!(!text.contains("horse") && !format!("{users:?}").contains("argon2id"));
        assert_ne!(users.users()[0].password, users.users()[1].password, "equal passwords look different");
        assert_eq!(Users::parse(&text), Ok(users));
        for (from, to) in [
            ("\"argon2id\": \"", "\"argon2id\": \"zz"),
            ("\"kib\": 19456", "\"kib\": 4000000000"),
            ("\"lanes\": 1", "\"lanes\": 0"),
            ("\"name\": \"mei\"", "\"name\": \"root\""),
            ("\"name\": \"mei\"", "\"name\": \"mei@example.org\""),
            ("\"role\": \"agent\"", "\"role\": \"king\""),
        ] {
            let e = Users::parse(&text.replace(from, to)).expect_err(to);
            assert!(matches!(&e, UserError::Damaged(_)) && !e.to_string().contains("king"), "{e}");
        }
        assert!(matches!(Users::parse("{}"), Err(UserError::Damaged(_))));
        assert_eq!(Users::parse(r#"{"guike_users":2,"users":[]}"#), Err(UserError::Newer { found: 2 }));
    }

    #[test]
    fn easy_passwords_foreign_names_and_the_loss_of_the_last_admin_are_refused() {
        let mut users = users();
        for easy in
            ["short", "elevenchars", "wang-feiwang-fei", "WANG-FEIwang-fei1234", "121212121212", &"ab".repeat(600)]
        {
            let e = users.add("wang-fei", Role::Viewer, easy, TODAY, [9; 16]).expect_err(easy);
            assert!(matches!(e, UserError::Password(_)) && !e.to_string().contains(easy), "{e}");
        }
        users.add("wang-fei", Role::Viewer, "马到成功万事如意贵客盈门", TODAY, [9; 16]).expect("twelve characters");
        assert_eq!(users.add("a b", Role::Viewer, GOOD, TODAY, [9; 16]), Err(UserError::Name));
        assert_eq!(users.add("mei", Role::Viewer, GOOD, TODAY, [9; 16]), Err(UserError::Taken("mei".into())));
        assert_eq!(users.set_role("x", Role::Admin), Err(UserError::NoSuchUser("x".into())));
        assert_eq!(users.set_role("root", Role::Viewer), Err(UserError::LastAdmin("root".into())));
        assert_eq!(users.set_disabled("root", true), Err(UserError::LastAdmin("root".into())));
        users.set_role("mei", Role::Admin).expect("changed");
        users.set_role("root", Role::Viewer).expect("there is another");
        assert_eq!(users.user("root").map(|u| (u.role, u.revision)), Some((Role::Viewer, 2)));
    }
}
