//! Flags of the commands on a workspace: `guike models list`, `show`, `promote`, `rollback`, `archive`, `remove`, `check`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::args::{Output, Told};

/// `guike models`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Models {
    /// Without one, the models that Guike can learn are listed.
    #[command(subcommand)]
    pub(crate) what: Option<Registered>,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// What can be done with the models and runs of a workspace.
#[derive(Debug, Subcommand)]
pub(crate) enum Registered {
    /// List what a workspace keeps: every version with its stage and how good it is.
    #[command(after_help = "Example:\n  guike models list --workspace my-shop")]
    List {
        #[command(flatten)]
        at: At,
        #[command(flatten)]
        output: Output,
    },
    /// Show a version: what it is, how good it is, where it comes from, and what was decided about its name.
    #[command(after_help = "Examples:\n  guike models show value-model --workspace my-shop\n  \
        guike models show value-model 2 --workspace my-shop --format json")]
    Show {
        /// Its name.
        name: String,
        /// Its number; default the champion.
        version: Option<u32>,
        #[command(flatten)]
        at: At,
        /// How to print.
        #[arg(long, value_enum, default_value_t = Told::Text)]
        format: Told,
    },
    /// Make a version the champion of its name, if its evaluation rules out that it is more than 0.5 % worse.
    #[command(after_help = "Examples:\n  guike models promote value-model 2 --workspace my-shop\n  \
        guike models promote value-model 2 --workspace my-shop --force --reason \"the new table has this year's customers\"")]
    Promote {
        /// Its name.
        name: String,
        /// Its number.
        version: u32,
        #[command(flatten)]
        at: At,
        #[command(flatten)]
        who: Who,
        /// Promote it against the figures, or where there are none; needs --reason.
        #[arg(long, requires = "reason")]
        force: bool,
    },
    /// Bring back the champion before the one that there is; the same again goes one step further back.
    #[command(
        after_help = "Example:\n  guike models rollback value-model --workspace my-shop --reason \"too many false alarms\""
    )]
    Rollback {
        /// The name.
        name: String,
        #[command(flatten)]
        at: At,
        #[command(flatten)]
        who: Who,
    },
    /// Put a candidate aside.
    #[command(after_help = "Example:\n  guike models archive value-model 2 --workspace my-shop")]
    Archive {
        /// Its name.
        name: String,
        /// Its number.
        version: u32,
        #[command(flatten)]
        at: At,
        #[command(flatten)]
        who: Who,
    },
    /// Remove an archived version and its files; what was decided about it stays, and its number is not used again.
    #[command(
        after_help = "Example:\n  guike models remove value-model 1 --workspace my-shop --reason \"two years old\""
    )]
    Remove {
        /// Its name.
        name: String,
        /// Its number.
        version: u32,
        #[command(flatten)]
        at: At,
        #[command(flatten)]
        who: Who,
    },
    /// Hold every file of a workspace against its checksum.
    #[command(after_help = "Example:\n  guike models check --workspace my-shop")]
    Check {
        #[command(flatten)]
        at: At,
    },
}

/// Where the workspace is.
#[derive(Debug, Clone, Args)]
pub(crate) struct At {
    /// The workspace that `guike run` or `guike train` made.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) workspace: PathBuf,
}

/// Who decides and why; both are kept.
#[derive(Debug, Clone, Args)]
pub(crate) struct Who {
    /// Why.
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub(crate) reason: String,
    /// Who decides; default the user of this machine.
    #[arg(long, value_name = "NAME")]
    pub(crate) by: Option<String>,
}
