//! Why a method that asks the model got no answer.

use guike_explain::ExplainError;

use crate::error::Error;

/// Either the model had none, or we were told to stop; or the method itself cannot.
pub(crate) enum Asking {
    Model(Error),
    Method(ExplainError),
}

impl From<Error> for Asking {
    fn from(e: Error) -> Asking {
        Asking::Model(e)
    }
}

impl From<ExplainError> for Asking {
    fn from(e: ExplainError) -> Asking {
        Asking::Method(e)
    }
}

impl From<Asking> for Error {
    fn from(e: Asking) -> Error {
        match e {
            Asking::Model(e) => e,
            Asking::Method(e) => Error::Internal(format!("the model cannot be explained: {e}")),
        }
    }
}
