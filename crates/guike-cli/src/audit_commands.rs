//! `guike audit`: the record of who did what, shown and verified.

use std::path::PathBuf;

use clap::Subcommand;
use guike::Error;
use guike::audit::AuditFiles;
use serde_json::{Value, json};

use crate::args::{Format, Output};
use crate::show::{self, Rows};

/// Columns of `guike audit show`, as members of a record.
const COLUMNS: [&str; 13] = [
    "n",
    "time",
    "kind",
    "who",
    "role",
    "action",
    "resource",
    "version",
    "about",
    "customers",
    "purpose",
    "result",
    "request",
];

/// `guike audit`.
#[derive(Debug, Subcommand)]
pub(crate) enum Audit {
    /// Follow a log from its first line, and say whether anything was changed.
    #[command(after_help = "Examples:\n  guike audit verify audit.jsonl\n  \
        guike audit verify audit.jsonl --anchor 1204:5b1c0c8c9d7e2a41…   (as an earlier verification printed it)")]
    Verify {
        /// The log.
        file: PathBuf,
        /// Its key; default `FILE.key`. Without it only the chain is followed, which whoever rewrites all of it can forge.
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
        /// A record and its hash that were noted elsewhere; once for each.
        #[arg(long, value_name = "N:HASH")]
        anchor: Vec<String>,
        #[command(flatten)]
        output: Output,
    },
    /// Print the records, as far as the log can be followed.
    #[command(
        after_help = "Examples:\n  guike audit show audit.jsonl --last 20\n  guike audit show audit.jsonl --format json"
    )]
    Show {
        /// The log.
        file: PathBuf,
        /// Only so many of the last ones.
        #[arg(long, value_name = "N")]
        last: Option<usize>,
        #[command(flatten)]
        output: Output,
    },
}

/// `guike audit`.
///
/// # Errors
/// The façade's; a log that was tampered with is damaged.
pub(crate) fn audit(what: &Audit, quiet: bool) -> Result<(), Error> {
    match what {
        Audit::Verify { file, key, anchor, output } => {
            let found = guike::audit::check(&AuditFiles::new(file, key.as_deref()), anchor)?;
            if output.format == Format::Table {
                show::data(&format!(
                    "{} records, nothing was changed; to note elsewhere: {}:{}\n",
                    found.n, found.n, found.hash
                ));
            } else {
                let columns = ["records", "hash", "sealed", "end_checked"].map(str::to_owned).to_vec();
                let row = vec![json!(found.n), json!(found.hash), json!(found.has_key), json!(found.has_head)];
                Rows { columns, rows: vec![row] }.print(output.format);
            }
            if !quiet && !found.has_key {
                show::message("without the key: whoever rewrote the whole log, or cut its end off, is not found");
            } else if !quiet && !found.has_head {
                show::message("without the head beside the log: whoever cut its end off is not found");
            }
        }
        Audit::Show { file, last, output } => {
            let (records, is_whole) = guike::audit::records(&AuditFiles::new(file, None))?;
            let from = last.map_or(0, |n| records.len().saturating_sub(n));
            let row = |r: &Value| COLUMNS.map(|c| r.get(c).cloned().unwrap_or(Value::Null)).to_vec();
            let rows = records[from..].iter().map(row).collect();
            Rows { columns: COLUMNS.map(str::to_owned).to_vec(), rows }.print(output.format);
            if !quiet && !is_whole {
                let n = records.len();
                show::message(&format!("after record {n} the log cannot be followed; `guike audit verify` says why"));
            }
        }
    }
    Ok(())
}
