//! Learners that read features: what the probability models cannot see, learned at earlier anchors.
//!
//! The one idea: the probability models stay the backbone. Standing at a cutoff, their average (the *prior*) is fitted at
//! every training anchor, its forecasts become features beside the catalogue's, and learners are taught what then happened
//! within the window. Three things keep the learners honest:
//!
//! * **Carrying to the horizon.** Labels end at the window that the history allows. A customer's learned value is carried
//!   from the window h to the horizon H by the customer's own ratio E\[X(T, T+H)\] / E\[X(T, T+h)\] of the prior, never by
//!   H / h: people drop out, and a linear stretch is what ruins the level of learned forecasts.
//! * **Level.** Who is worth more than whom is learned; how much all are worth together is the prior's, because the last few
//!   anchors of one shop say little about its next season. Each learner's total is put on the prior's when it is fitted.
//! * **Weights.** The final forecast is a weighted mean of the prior and the learners with weights found out of time
//!   ([`guike_eval::stacking`]), shrunk towards [half the prior](starting_weights).
//!
//! What each learner does is in [`guike_learn::value`].

mod blend;
mod lessons;
mod rows;

pub use blend::{Blend, BlendLearner, Learned, Said, features_of};
pub use lessons::{Ahead, Lessons, as_fit_error};

use guike_learn::value::SpendHead;

/// Stable name of the weighted mean of prior and learners.
pub const BLEND: &str = "blend";

/// Stands for "many parameters": of two candidates that do not differ, the smaller is preferred.
pub const COMPLEXITY: u32 = 1_000;

/// Names of the members of the blend: the prior, then the learners.
pub fn members() -> Vec<&'static str> {
    std::iter::once(crate::combination::NAME).chain(SpendHead::ALL.iter().map(|h| h.name())).collect()
}

/// The weights to shrink towards: half for the prior, the rest shared equally by the learners.
///
/// Equal weights of unlike forecasts are hard to beat (Clemen 1989), and the prior and the learners are the two unlike
/// groups: learners are relatives of each other.
pub fn starting_weights() -> Vec<f64> {
    let learners = SpendHead::ALL.len() as f64;
    std::iter::once(0.5).chain(SpendHead::ALL.iter().map(|_| 0.5 / learners)).collect()
}
