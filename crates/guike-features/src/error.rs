//! Why a set of features cannot be had.

/// A feature that was asked for and cannot be computed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FeatureError {
    /// No feature has this name.
    #[error("feature `{0}` is not in the catalogue; `guike features --list` prints all names")]
    Unknown(String),
    /// The log lacks what the feature is computed from.
    #[error("feature `{name}` needs {needs}, which this log does not have; leave it out or map such a column")]
    Unavailable {
        /// The feature.
        name: String,
        /// What it is computed from.
        needs: &'static str,
    },
    /// The feature looks back further than the log goes.
    #[error("feature `{name}` looks back {window_days} days, and the history has {history_days}; use a shorter window")]
    TooLong {
        /// The feature.
        name: String,
        /// Its window.
        window_days: u32,
        /// Days of history at the (earliest) anchor.
        history_days: u32,
    },
}
