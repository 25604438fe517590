//! Checks of the workspace itself: `cargo xtask check` runs all of them, `cargo xtask tidy` only the written rules.
//!
//! The one idea: every habit that ARCHITECTURE.md and STYLE.md promise and that a machine can check is checked here, so
//! that a reviewer reads for sense. It does not know what the product does, and it changes no file.
#![allow(clippy::print_stdout, clippy::print_stderr)] // this is a command: printing is its work

mod check;
mod dashboard;
mod tidy;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// A command: its name, what it does, and how to run it in the root of the workspace; `true` when all is well.
pub(crate) type XtaskCommand = (&'static str, &'static str, fn(&Path) -> bool);

/// Every command.
pub(crate) const COMMANDS: [XtaskCommand; 2] = [
    ("check", "everything that must hold before a commit: fmt, tidy, clippy, tests, doctests, docs", check::run),
    ("tidy", "the written rules: crate edges, guests, headers, sizes, links, commands in README", tidy::run),
];

fn main() -> ExitCode {
    let name = std::env::args().nth(1).unwrap_or_default();
    match COMMANDS.iter().find(|(n, ..)| *n == name) {
        Some((_, _, run)) => {
            if run(&root()) {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
        None => {
            eprintln!("usage: cargo xtask COMMAND\n");
            for (name, about, _) in COMMANDS {
                eprintln!("  {name:8}{about}");
            }
            ExitCode::from(2)
        }
    }
}

/// The root of the workspace: the folder above this crate.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().expect("xtask lies inside the workspace").to_path_buf()
}
