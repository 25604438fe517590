//! The façade: import, backtest, forecast, tier, explain and report as plain functions over plain data.
//!
//! The one idea: [`run`] is the whole main job, and every step of it is a function of its own that a program may call:
//! [`import_to`], [`profile`], [`features_to`], [`evaluate`], [`forecast_with`]. [`Settings`] is everything that can be
//! asked for, [`Error`] everything that can go wrong, and [`learners`] the one table of models.
//!
//! It reads logs through `guike-data`, writes results through `guike-store` and into databases through `guike-db`; it opens no
//! file, socket or clock itself.

pub mod audit;
pub mod backtest;
pub mod board;
mod checkup;
pub mod combination;
mod crowd;
mod demo;
pub mod drift;
mod error;
pub mod events;
pub mod explain;
mod fill;
pub mod forecast;
mod forecast_table;
pub mod history;
pub mod jobs;
pub mod keys;
pub mod learners;
mod output;
pub mod pretrain;
pub mod report;
pub mod results;
mod run;
mod saved;
mod settings;
pub mod simulate;
pub mod sources;
mod steps;
pub mod table;
mod tier;
mod together;
pub mod tune;
pub mod users;
pub mod value;
pub mod workspace;

pub use checkup::{Figure, check_folder, checkup};
pub use demo::demo;
pub use error::{Error, ErrorKind};
pub use forecast_table::{ForecastTable, forecast_with};
pub use guike_data::numbers::DecimalSign;
pub use guike_data::{LogFile, LogFiles, QualityReport, ReadOptions};
pub use guike_eval::selection::Standing;
pub use guike_eval::{Scores, Selection};
pub use learners::{LearnerInfo, describe as describe_learners};
pub use output::names as file_names;
pub use run::{
    DailyTotals, Findings, Holdout, Language, RunSummary, Total, contenders, cutoff_and_horizon, find_out, run,
};
pub use settings::{AUTO, Budget, ForecastSettings, LevelRule, Settings, date_format};
pub use steps::{
    CatalogueEntry, FeatureRequest, Profile, catalogue, evaluate, features_to, import_to, in_pool, profile,
};
pub use tier::{PreviousTiers, Tiers};
