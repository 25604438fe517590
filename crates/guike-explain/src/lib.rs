//! Why a model says what it says, and pictures as SVG.
//!
//! The calculating half says how much each feature adds to a prediction, as [`Attributions`]: exactly for trees
//! ([`tree_shap`]) and linear scores ([`linear`]), and by asking for anything else ([`mod@shapley`]). It says how
//! predictions move with a feature ([`mod@dependence`]), how much a model leans on it ([`mod@permutation`]), which straight
//! line follows a model around one row ([`mod@lime`]), which rules stand for it ([`mod@rules`]), and what would take a
//! prediction over a border ([`mod@counterfactual`]). These are pure functions; where a model must be asked, the caller
//! makes the cases and asks.
//!
//! The drawing half turns plain data into one small SVG text. Its one idea: a chart knows no colour and no font. It writes
//! marks with classes, and [`theme`] says once what the classes look like in light and in dark, so one picture serves both
//! and needs no script. A page that shows many charts includes [`theme::chart_css`] and [`theme::variables`] once; a single
//! file is made by [`theme::standalone`].
//!
//! Every chart carries `role="img"`, a `<title>` and a `<desc>` that says in a sentence what it shows with its key numbers,
//! writes in the [`Lang`] it is given, survives any number (NaN and infinities are left out), and stays small however
//! many customers it shows. This crate fits no model and reads no file.
//!
//! ```
//! use guike_explain::{gain, Frame, Lang};
//! let frame = Frame::new(Lang::En, "Gain", "customers contacted", "value captured");
//! let svg = gain::gain(&[9.0, 4.0, 1.0, 0.5], &[12.0, 0.0, 3.0, 0.0], &frame);
//! assert!(svg.starts_with("<svg") && svg.contains("role=\"img\""));
//! ```

mod curve;
mod grid;
mod plot;
mod svg;

pub mod attribution;
pub mod beeswarm;
pub mod calibration;
pub mod candidates;
pub mod cohort;
pub mod confusion;
pub mod cost;
pub mod counterfactual;
pub mod dependence;
pub mod dependence_picture;
pub mod error;
pub mod gain;
pub mod histogram;
pub mod importance;
pub mod interaction_map;
pub mod ks;
pub mod lift;
pub mod lime;
pub mod linear;
pub mod lorenz;
pub mod migration;
pub mod permutation;
pub mod precision_recall;
pub mod pyramid;
pub mod quality;
pub mod rfm;
pub mod roc;
pub mod rules;
pub mod scale;
pub mod scatter;
pub mod shapley;
pub mod text;
pub mod theme;
pub mod totals;
pub mod tree_picture;
pub mod tree_shap;
pub mod waterfall;

pub use attribution::Attributions;
pub use error::ExplainError;
pub use plot::{Frame, Interval};
pub use svg::escape;
pub use text::{Lang, Measure};

#[cfg(test)]
mod conformance;
