//! What can go wrong with a database: each text names the place without its secret, what happened, and the way out.

/// Why a database could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DbError {
    /// An address that is not whole.
    #[error("`{address}` is not the address of a database: {rule}")]
    Address {
        /// The address without its secret.
        address: String,
        /// What it should be.
        rule: String,
    },
    /// No connection, or one that was not let in.
    #[error("cannot connect to {place}: {detail}")]
    Connect {
        /// The place without its secret.
        place: String,
        /// What happened and what may help.
        detail: String,
        /// Whether another try may help.
        passing: bool,
    },
    /// A table or collection that is not there, or that may not be read.
    #[error("{place} has no table `{table}` that this user may read; {rule}")]
    NoTable {
        /// The place.
        place: String,
        /// The name that was given.
        table: String,
        /// The names that are there.
        rule: String,
    },
    /// The server refused a statement.
    #[error("{place} refused to {action}: {detail}")]
    Refused {
        /// The place.
        place: String,
        /// What was tried.
        action: String,
        /// The server's words.
        detail: String,
    },
    /// The connection broke, or the server fell silent.
    #[error("the connection to {place} was lost {when}: {detail}")]
    Lost {
        /// The place.
        place: String,
        /// During what.
        when: String,
        /// The driver's words.
        detail: String,
    },
    /// Something that a system cannot do.
    #[error("{place}: {rule}")]
    Unfit {
        /// The place.
        place: String,
        /// What cannot be done and what can.
        rule: String,
    },
    /// Whoever takes the rows wants no more.
    #[error("{0}")]
    Taker(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl DbError {
    /// Whether the same may work at another moment: the server was away, the connection broke.
    pub fn may_pass(&self) -> bool {
        matches!(self, DbError::Lost { .. } | DbError::Connect { passing: true, .. })
    }
}
