//! The `guike` command: arguments in, data on standard output, messages on standard error.
//!
//! Nothing is decided here: every command turns its flags into [`guike::Settings`], calls one function of the façade and
//! prints what comes back. This is the only crate that parses arguments, prints, reads the environment or the clock.

mod args;
mod audit_commands;
mod commands;
mod database_commands;
mod doctor;
mod ingest_command;
mod oidc_args;
mod pretrain_commands;
mod progress;
mod run_command;
mod serve_commands;
mod shell;
mod show;
mod simulate_commands;
mod table_args;
mod table_commands;
mod tune_commands;
mod user_commands;
mod workspace_args;
mod workspace_commands;

use std::process::ExitCode;

use clap::Parser;
use mimalloc::MiMalloc;

/// The system's own allocator may keep what a large log leaves behind when it is sorted.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    let args = args::Args::parse();
    match commands::dispatch(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            show::error(&error);
            ExitCode::from(error.kind().exit_code())
        }
    }
}
