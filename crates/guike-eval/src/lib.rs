//! Honest evaluation: metrics, anchors, bootstrap comparisons, selection, calibrated intervals and level.
//!
//! The one idea: a number about accuracy is only worth printing with the spread it has over customers, and a model is only
//! worth choosing on futures it could not see. Everything here works over plain slices and returns plain, serialisable
//! reports.
//!
//! * [`metrics`], [`curves`], [`thresholds`] and [`distribution`] hold the definitions; [`Scores`] collects them for one forecast.
//! * [`bootstrap`] gives intervals and paired comparisons; [`selection`] picks among candidates with them.
//! * [`anchors`] plans the earlier cutoffs on which candidates are compared and learners are trained.
//! * [`drift`] says how far a distribution has moved.
//! * [`survival`] says how long until something happens that for some has not happened yet.
//! * [`stacking`] weighs forecasts against each other.
//! * [`conformal`] corrects intervals and [`level`] corrects totals, both from what inner anchors showed.
//!
//! This crate knows no concrete model and does no input or output.

pub mod anchors;
pub mod bootstrap;
pub mod conformal;
pub mod curves;
pub mod distribution;
pub mod drift;
pub mod level;
pub mod metrics;
mod order;
mod scores;
pub mod selection;
pub mod stacking;
pub mod survival;
pub mod thresholds;

pub use anchors::{Anchor, AnchorConfig, AnchorPlan};
pub use bootstrap::{Bootstrap, Interval, Metric};
pub use conformal::{Conformal, ConformalConfig};
pub use level::{Level, LevelConfig};
pub use scores::{Prediction, Scores, Truth};
pub use selection::{Candidate, Criterion, Selection, SelectionConfig, select};
pub use survival::{SurvivalStep, kaplan_meier};
