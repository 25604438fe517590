//! Tuning: which hyper-parameters are better than the ones that come along, and by how much on what took no part.
//!
//! The one idea: drawing settings by chance and giving the better half twice the folds finds good ones with a fraction of the
//! fits (`halving`), and the best of many trials always looks better than it is. So a part of the data is kept apart, where
//! the found settings meet the default ones once; what does not win there is not proposed.
//!
//! Tables are tuned by [`crate::table::tune`], order logs by [`log()`]. What may be tuned stands beside each learner's entry
//! (`space`).

mod halving;
mod log;
mod result;
mod space;

pub use log::{LogTuning, log};
pub use result::{OneAnswer, Proposal, TrialLine, TuneSummary, names as file_names};
pub use space::{Given, Knob, Range, Values, check};

pub(crate) use halving::{Piece, Trial, Work, search};
pub(crate) use result::{Findings, write};

use guike_core::Progress;

/// Lets nothing through but the wish to stop: learners inside a trial have stages of their own.
pub(crate) struct Within<'a>(pub(crate) &'a dyn Progress);

impl Progress for Within<'_> {
    fn stage(&self, _name: &str, _total: u64) {}
    fn advance(&self, _amount: u64) {}
    fn cancelled(&self) -> bool {
        self.0.cancelled()
    }
}
