//! One error for the whole main job, and one table from its kind to exit code and HTTP status.

use std::path::PathBuf;

use guike_core::{Cancelled, FitError, ForecastError};
use guike_data::DataError;
use guike_db::DbError;
use guike_store::StoreError;

/// What kind of trouble it is, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// A file cannot be read as an order log.
    Input,
    /// A flag or setting is wrong.
    Config,
    /// The log is readable and does not support the answer asked for.
    Data,
    /// A file, model, customer or row is not there.
    NotFound,
    /// Not allowed.
    Denied,
    /// Somebody else is at it.
    Busy,
    /// One of our own files is damaged.
    Corrupt,
    /// Stopped on request.
    Interrupted,
    /// Our mistake, or the machine's.
    Internal,
}

impl ErrorKind {
    /// The command's exit code; `docs/exit-codes.md` lists them.
    pub fn exit_code(self) -> u8 {
        match self {
            ErrorKind::Internal => 1,
            ErrorKind::Config => 2,
            ErrorKind::Input | ErrorKind::Data => 3,
            ErrorKind::NotFound => 4,
            ErrorKind::Corrupt => 5,
            ErrorKind::Denied => 6,
            ErrorKind::Busy => 7,
            // 128 + SIGINT, as shells report it
            ErrorKind::Interrupted => 130,
        }
    }

    /// The status of an HTTP answer that failed in this way.
    pub fn http_status(self) -> u16 {
        match self {
            ErrorKind::Input | ErrorKind::Config => 400,
            ErrorKind::Denied => 403,
            ErrorKind::NotFound => 404,
            ErrorKind::Data => 422,
            ErrorKind::Busy | ErrorKind::Interrupted => 503,
            ErrorKind::Corrupt | ErrorKind::Internal => 500,
        }
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Reading the log.
    #[error(transparent)]
    Data(#[from] DataError),
    /// Reading or writing our own files.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A flag or a line of `guike.toml`.
    #[error("{what} = `{value}`: {rule}")]
    Config {
        /// The setting.
        what: String,
        /// Its value.
        value: String,
        /// The rule it breaks and the way out.
        rule: String,
    },
    /// A configuration file that cannot be read.
    #[error("`{}`: {reason}", path.display())]
    ConfigFile {
        /// The file.
        path: PathBuf,
        /// What is wrong, with the line.
        reason: String,
    },
    /// The log does not support a forecast.
    #[error("{0}")]
    NoAnswer(String),
    /// A customer or row that was asked about is not there.
    #[error("{0}")]
    NotThere(String),
    /// What a workspace holds is not what was registered.
    #[error("{}", .0.join("\n"))]
    Damaged(Vec<String>),
    /// The figures speak against a promotion.
    #[error("{0}")]
    Gate(String),
    /// The tier plan is not possible.
    #[error("[tiers]: {0}")]
    Plan(#[from] guike_decide::PlanError),
    /// The chosen model could not be fitted.
    #[error(transparent)]
    Fit(FitError),
    /// A fitted model could not forecast.
    #[error(transparent)]
    Forecast(#[from] ForecastError),
    /// Stopped on request.
    #[error("stopped on request; nothing was written")]
    Interrupted,
    /// A broken promise inside.
    #[error("{0}; this is a mistake in Guike, please report it")]
    Internal(String),
}

impl From<Cancelled> for Error {
    fn from(_: Cancelled) -> Error {
        Error::Interrupted
    }
}

impl From<FitError> for Error {
    fn from(e: FitError) -> Error {
        match e {
            FitError::Cancelled(_) => Error::Interrupted,
            other => Error::Fit(other),
        }
    }
}

impl Error {
    /// The kind, for exit codes and HTTP status.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::Data(e) => data_kind(e),
            Error::Store(e) => store_kind(e),
            Error::Config { .. } | Error::ConfigFile { .. } | Error::Plan(_) => ErrorKind::Config,
            Error::NoAnswer(_) | Error::Fit(_) => ErrorKind::Data,
            Error::NotThere(_) => ErrorKind::NotFound,
            Error::Gate(_) => ErrorKind::Denied,
            Error::Damaged(_) => ErrorKind::Corrupt,
            Error::Forecast(_) | Error::Internal(_) => ErrorKind::Internal,
            Error::Interrupted => ErrorKind::Interrupted,
        }
    }
}

fn store_kind(e: &StoreError) -> ErrorKind {
    match e {
        StoreError::Busy(_) | StoreError::InUse(_) => ErrorKind::Busy,
        StoreError::NotAFolder(_) | StoreError::OtherWork { .. } | StoreError::Refused { .. } => ErrorKind::Config,
        StoreError::NoWorkspace(_) | StoreError::NotRegistered(_) => ErrorKind::NotFound,
        StoreError::Corrupt { .. } | StoreError::Newer { .. } => ErrorKind::Corrupt,
        StoreError::Io { source, .. } => io_kind(source),
        StoreError::Encode { .. } => ErrorKind::Internal,
        StoreError::Unregistered { source, .. } => store_kind(source),
    }
}

fn io_kind(e: &std::io::Error) -> ErrorKind {
    match e.kind() {
        std::io::ErrorKind::NotFound => ErrorKind::NotFound,
        std::io::ErrorKind::PermissionDenied => ErrorKind::Denied,
        _ => ErrorKind::Internal,
    }
}

fn db_kind(e: &DbError) -> ErrorKind {
    match e {
        DbError::Address { .. } | DbError::Unfit { .. } => ErrorKind::Config,
        DbError::Connect { passing: true, .. } | DbError::Lost { .. } => ErrorKind::Busy,
        DbError::Connect { .. } => ErrorKind::Denied,
        DbError::NoTable { .. } => ErrorKind::NotFound,
        _ => ErrorKind::Input,
    }
}

fn data_kind(e: &DataError) -> ErrorKind {
    match e {
        DataError::Io { source, .. } => io_kind(source),
        DataError::InFile { error, .. } | DataError::InSheet { error, .. } => data_kind(error),
        DataError::NoFiles { .. } => ErrorKind::NotFound,
        DataError::Option { .. } | DataError::NoSuchColumn { .. } | DataError::FileTwice { .. } => ErrorKind::Config,
        DataError::Cancelled(_) => ErrorKind::Interrupted,
        DataError::Database(e) => db_kind(e),
        DataError::WhichTable { .. } | DataError::NoKey { .. } | DataError::NotItsCopy { .. } => ErrorKind::Config,
        _ => ErrorKind::Input,
    }
}
