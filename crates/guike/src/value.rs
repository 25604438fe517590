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
//! * **Weights.** The final forecast is a weighted mean of the prior, the foundation model, which has learned from other
//!   shops, and the learners, with weights found out of time ([`guike_eval::stacking`]) and shrunk towards
//!   [a third each](starting_weights).
//!
//! What each learner does is in [`guike_learn::value`].

mod blend;
mod lessons;
mod rows;

pub use blend::{Blend, BlendLearner, Learned, Reads, Said, features_of};
pub use lessons::{Ahead, Lessons, as_fit_error};

use guike_learn::value::SpendHead;

/// Stable name of the weighted mean of prior and learners.
pub const BLEND: &str = "blend";

/// Stands for "many parameters": of two candidates that do not differ, the smaller is preferred.
pub const COMPLEXITY: u32 = 1_000;

/// Names of the members of the blend: the prior, the foundation model, then the learners.
pub fn members() -> Vec<&'static str> {
    [crate::combination::NAME, guike_nn::foundation::ZERO_SHOT].into_iter().chain(learners()).collect()
}

/// Names of the members that learn from features.
pub fn learners() -> impl Iterator<Item = &'static str> {
    SpendHead::ALL.iter().map(|h| h.name())
}

/// The weights to shrink towards: a third for the prior, a third for the foundation model, the rest shared equally by the
/// learners.
///
/// Equal weights of unlike forecasts are hard to beat (Clemen 1989), and these are the three unlike groups: the learners are
/// relatives of each other.
pub fn starting_weights() -> Vec<f64> {
    let third = 1.0 / 3.0;
    let each = third / SpendHead::ALL.len() as f64;
    [third, third].into_iter().chain(learners().map(|_| each)).collect()
}
