//! The nouns and contracts of Guike: events, cutoffs, horizons, money, tables, forecasts, learners and models.
//!
//! The one idea: a forecast is a function from *what happened before a cutoff* to *what we believe about the horizon
//! after it*. Leakage is blocked by type: features take a [`Past`], labels take a [`Future`], and both are cut from the
//! same [`EventLog`].
//!
//! This crate does no input or output, reads no clock and no environment, and knows no concrete model.

pub mod event;
pub mod folds;
pub mod forecast;
pub mod learner;
pub mod matrix;
pub mod money;
pub mod normal;
pub mod progress;
pub mod purchases;
pub mod rfm;
pub mod seed;
pub mod table;
pub mod time;
pub mod tree;

pub use event::{Attributes, EventKind, EventLog, EventLogBuilder, Events, Future, Past};
pub use forecast::{Forecasts, INTERVAL_LEVELS, Quantiles};
pub use learner::{
    Artifact, Cases, FitContext, FitError, Fitted, ForecastError, Inputs, Labelled, Labels, Learner, Model, ModelCard,
    Note, Target, TrainingSet,
};
pub use matrix::Matrix;
pub use money::Money;
pub use normal::normal_quantile;
pub use progress::{Cancelled, Progress, Quiet};
pub use purchases::Purchases;
pub use rfm::RfmTable;
pub use seed::Seed;
pub use table::{Column, ColumnData, Table, TableError};
pub use time::{Cutoff, Day, Horizon, SECONDS_PER_DAY, TimeError, Timestamp};
pub use tree::{Tree, Trees};
