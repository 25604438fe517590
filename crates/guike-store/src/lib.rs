//! Files that are whole or absent: everything Guike writes goes through here.
//!
//! The one idea: results are written into a hidden staging folder beside their destination, flushed to disk, and appear by
//! rename only when all of them are complete ([`Staged`]). A run that is stopped, killed or out of disk leaves the
//! destination as it was. Only a [`Journal`] and an [`AppendOnly`] log grow in place: work of hours goes on from the one
//! after any end, and nothing that the other acknowledged is lost; [`SealedLines`] are such a log with checksums.
//! A [`Workspace`] keeps such folders by name and version, with a database that says which of them is in use.
//!
//! What it does not do: it knows no model and no event; it writes tables, JSON and text, and reads its own files back.

mod append_only;
mod artifact;
mod checked;
mod checksums;
mod journal;
mod parquet_stream;
mod read_columns;
mod read_csv;
mod scratch;
mod sealed_lines;
mod staged;
mod table_file;
mod table_stream;
mod unchanged;
pub mod workspace;
mod xlsx;

pub use append_only::AppendOnly;
pub use artifact::{
    ARTIFACT_FORMAT, file_among, file_of, is_there, read_artifact, read_bytes, read_json, read_json_if_there,
    read_sealed, read_text, read_text_beginning, read_with_seal, write_artifact, write_sealed,
};
pub use checked::{read_checked, write_checked};
pub use checksums::{CHECKSUMS_JSON, check_folder, check_listed, is_left_over};
pub use journal::{Journal, fingerprint, fingerprint_of};
pub use parquet_stream::ParquetStream;
pub use read_columns::{InColumn, ReadAs, Texts, read_csv_typed};
pub use read_csv::read_csv_columns;
pub use scratch::Scratch;
pub use sealed_lines::{SealedLines, copy_sealed_lines, digest, read_sealed_lines};
pub use staged::{Staged, write_bytes, write_file};
pub use table_file::{
    OutColumn, OutData, TableFile, push_csv_number, push_csv_text, significant, write_csv, write_parquet,
};
pub use table_stream::{TableForm, TableStream};
pub use unchanged::UnchangedFile;
pub use workspace::Workspace;

use std::path::{Path, PathBuf};

/// What can go wrong with our own files.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The operating system refused.
    #[error("cannot {action} `{}`: {source}", path.display())]
    Io {
        /// What was tried: "write", "rename" …
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// Another run is writing to the same place.
    #[error("another run is writing to `{}`; wait for it to end or choose another --out", .0.display())]
    Busy(PathBuf),
    /// The destination is a file.
    #[error("`{}` is a file; --out needs a folder", .0.display())]
    NotAFolder(PathBuf),
    /// Another process holds the database of a workspace.
    #[error("`{}` is being written by another process; repeat this when it has ended", .0.display())]
    InUse(PathBuf),
    /// No workspace is there.
    #[error("`{}` is no workspace: it has no {}; `guike run` and `guike train` make one with --workspace", .0.display(), workspace::DATABASE)]
    NoWorkspace(PathBuf),
    /// Results that are complete and could not be registered.
    #[error("{source}; the results are complete in `{}` and have no version", folder.display())]
    Unregistered {
        /// Where they are.
        folder: PathBuf,
        /// Why.
        source: Box<StoreError>,
    },
    /// What a workspace does not allow.
    #[error("{what} = `{value}`: {rule}")]
    Refused {
        /// What was named.
        what: &'static str,
        /// Its value.
        value: String,
        /// The rule and the way out.
        rule: String,
    },
    /// A name or version that is not registered.
    #[error("{0}")]
    NotRegistered(String),
    /// A table could not be encoded.
    #[error("cannot encode `{}`: {reason}", path.display())]
    Encode {
        /// Which file.
        path: PathBuf,
        /// The encoder's reason.
        reason: String,
    },
    /// A file of ours that was changed, cut short or is not ours.
    #[error("`{}` is damaged: {reason}", path.display())]
    Corrupt {
        /// Which file.
        path: PathBuf,
        /// What does not fit.
        reason: String,
    },
    /// The log of work that was begun with other data or settings.
    #[error(
        "`{}` belongs to other work ({what}); repeat that work as it was, remove the file, or choose another --out",
        path.display()
    )]
    OtherWork {
        /// Which file.
        path: PathBuf,
        /// The first difference.
        what: String,
    },
    /// A file written by a newer Guike.
    #[error("`{}` has format {found}, and this Guike reads up to {known}; update Guike to open it", path.display())]
    Newer {
        /// Which file.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The newest format known here.
        known: u32,
    },
}

/// Attaches the action and path to a system error.
fn io<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(std::io::Error) -> StoreError + 'a {
    move |source| StoreError::Io { action, path: path.to_owned(), source }
}
