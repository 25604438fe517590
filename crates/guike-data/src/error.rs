//! What can stop an import: one enum, each text naming the thing, the value, the rule and the way out.

use std::path::{Path, PathBuf};

use guike_core::Cancelled;

/// Why a file could not be turned into an event log.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The operating system refused.
    #[error("cannot {action} `{}`: {source}", path.display())]
    Io {
        /// What was tried: "read", "write", "create".
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The caller asked to stop.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

impl DataError {
    /// An [`DataError::Io`] for `path`.
    pub fn io(action: &'static str, path: &Path, source: std::io::Error) -> DataError {
        DataError::Io { action, path: path.to_owned(), source }
    }
}
