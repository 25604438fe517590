//! `guike users`: the persons who may log in.
//!
//! A password is typed at the terminal, where it is not shown, or comes as a line on standard input; an argument would stand
//! in the history of the shell and in the list of processes.

use std::io::{BufRead as _, IsTerminal as _};
use std::path::PathBuf;

use clap::Subcommand;
use guike::Error;
use guike::users::{NewUser, UserChange};
use guike_guard::Role;
use serde_json::json;

use crate::args::Output;
use crate::serve_commands::{random, today};
use crate::show::{self, Rows};

/// `guike users`.
#[derive(Debug, Subcommand)]
pub(crate) enum Users {
    /// Add a user; her password is asked for, or read from standard input.
    #[command(after_help = "Examples:\n  guike users add users.json mei --role analyst\n  \
        pass show guike/mei | guike users add users.json mei --role analyst")]
    Add {
        /// The file of users; made where there is none.
        file: PathBuf,
        /// By what she is known: letters, digits, `-`, `_` and `.`.
        name: String,
        /// What she may do: viewer, analyst, marketer, agent, admin or auditor.
        #[arg(long, value_name = "ROLE")]
        role: Role,
    },
    /// List the users.
    #[command(after_help = "Example:\n  guike users list users.json")]
    List {
        /// The file of users.
        file: PathBuf,
        #[command(flatten)]
        output: Output,
    },
    /// Give a user another password, and end her sessions.
    #[command(after_help = "Example:\n  guike users password users.json mei")]
    Password {
        /// The file of users.
        file: PathBuf,
        /// Whose password it is.
        name: String,
    },
    /// Give a user another role, and end her sessions.
    #[command(after_help = "Example:\n  guike users role users.json mei marketer")]
    Role {
        /// The file of users.
        file: PathBuf,
        /// Who gets it.
        name: String,
        /// What she may do: viewer, analyst, marketer, agent, admin or auditor.
        role: Role,
    },
    /// Keep a user from logging in, and end her sessions.
    #[command(after_help = "Example:\n  guike users disable users.json mei")]
    Disable {
        /// The file of users.
        file: PathBuf,
        /// Who may not.
        name: String,
    },
    /// Let a user log in again.
    #[command(after_help = "Example:\n  guike users enable users.json mei")]
    Enable {
        /// The file of users.
        file: PathBuf,
        /// Who may.
        name: String,
    },
}

/// `guike users`.
///
/// # Errors
/// The façade's, and a password that is too easy or typed differently the second time.
pub(crate) fn users(what: &Users, quiet: bool) -> Result<(), Error> {
    let (file, name, change) = match what {
        Users::List { file, output } => {
            let columns = ["name", "role", "may_log_in", "created"].map(str::to_owned).to_vec();
            let row = |u: &guike_guard::User| {
                vec![json!(u.name), json!(u.role.name()), json!(!u.is_disabled), json!(u.created.to_string())]
            };
            let rows = guike::users::read(file)?.users().iter().map(row).collect();
            Rows { columns, rows }.print(output.format);
            return Ok(());
        }
        Users::Add { file, name, role } => {
            let password = asked_password()?;
            let new = NewUser { name, role: *role, password: &password, created: today(), salt: random()? };
            guike::users::add(file, &new)?;
            if !quiet {
                show::message(&format!("`{name}` may log in as {}", role.name()));
            }
            return Ok(());
        }
        Users::Password { file, name } => {
            let password = asked_password()?;
            let changed = guike::users::change(file, name, UserChange::Password(&password, random()?));
            return said(changed, quiet, &format!("`{name}` has another password; her sessions are over"));
        }
        Users::Role { file, name, role } => (file, name, UserChange::Role(*role)),
        Users::Disable { file, name } => (file, name, UserChange::Disable),
        Users::Enable { file, name } => (file, name, UserChange::Enable),
    };
    let words = match change {
        UserChange::Enable => format!("`{name}` may log in again"),
        UserChange::Disable => format!("`{name}` may not log in; her sessions are over"),
        UserChange::Role(role) => format!("`{name}` is {} now; her sessions are over", role.name()),
        UserChange::Password(..) => String::new(),
    };
    said(guike::users::change(file, name, change), quiet, &words)
}

fn said(changed: Result<(), Error>, quiet: bool, words: &str) -> Result<(), Error> {
    changed?;
    if !quiet {
        show::message(words);
    }
    Ok(())
}

/// A password, typed twice at a terminal or one line of standard input.
fn asked_password() -> Result<String, Error> {
    let refused =
        |rule: &str| Error::Config { what: "password".to_owned(), value: "***".to_owned(), rule: rule.to_owned() };
    let unread =
        |e: std::io::Error| refused(&format!("it cannot be read ({e}); type it, or send it on standard input"));
    if std::io::stdin().is_terminal() {
        let first = rpassword::prompt_password("password: ").map_err(unread)?;
        let second = rpassword::prompt_password("once more: ").map_err(unread)?;
        return if first == second { Ok(first) } else { Err(refused("the two are different; begin again")) };
    }
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).map_err(unread)?;
    let password = line.strip_suffix('\n').unwrap_or(&line);
    let password = password.strip_suffix('\r').unwrap_or(password);
    if password.is_empty() {
        return Err(refused("standard input is empty; send the password as its first line"));
    }
    Ok(password.to_owned())
}
