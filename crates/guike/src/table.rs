//! The second way in: a table with a column to predict.
//!
//! The one idea: [`train`] is one honest experiment. Rows are kept apart before anything is learned, every learner of
//! [`learners`] predicts the same rows out of fold behind its own preparation, the simplest of those that cannot be told from
//! the best is chosen, and what is said about it comes from rows that took no part. [`predict`] applies what was saved.
//!
//! [`mod@cluster`] finds rows that are alike, without a target.
//!
//! It knows nothing of customers, horizons or money; order logs go through [`crate::run()`].

pub mod batch;
mod calibrate;
mod choose;
pub mod cluster;
mod columns;
pub mod explain;
mod export;
mod figures;
mod importance;
mod leaks;
pub mod learners;
mod lightgbm;
mod model;
mod onnx;
pub mod outcomes;
mod output;
mod pipeline;
mod predict;
mod prepare;
pub mod reasons;
mod rows;
pub mod score;
mod settings;
mod split;
mod standing;
pub mod synthetic;
mod target;
mod train;
mod tune;
mod view;

use std::path::Path;

use guike_core::{ColumnData, Progress, Seed, Table};
use guike_data::LogFile;
use guike_store::{OutColumn, OutData, Staged};

use crate::error::Error;
use crate::run::Language;

pub use choose::Estimate;
pub(crate) use choose::estimate;
pub use export::{ExportFormat, export};
pub(crate) use figures::losses;
pub use figures::{keys as figure_keys, words as figure_words};
pub use guike_data::ReadOptions;
pub use guike_sim::Label;
pub(crate) use lightgbm::BEGINS as LIGHTGBM_BEGINS;
pub(crate) use model::{Loaded, is_table_model};
pub use output::{CandidateLine, TrainSummary, names as file_names};
pub use predict::{Predictions, predict};
pub use rows::table_cells;
pub use settings::{ScalingChoice, TableSettings, TaskChoice};
pub use standing::Interval;
pub use target::Outcome;
pub use tune::{TuneBudget, tune};

pub(crate) use tune::journal_path;

/// Learns to predict a column of `table` (a path, or a [`LogFile`]) and writes model, figures, predictions and page into the folder `out`,
/// which appears only when everything is complete.
///
/// # Errors
/// [`Error`]; `out` is then as it was before.
pub fn train(
    table: impl Into<LogFile>,
    out: &Path,
    settings: &TableSettings,
    language: Language,
    progress: &dyn Progress,
) -> Result<TrainSummary, Error> {
    settings.validate()?;
    let table = table.into();
    let staged = Staged::begin(out)?;
    let findings = train::learn(&table, settings, progress)?;
    output::write(&staged, &findings, settings, table.name(), language)?;
    progress.check()?;
    staged.list()?;
    staged.commit()?;
    Ok(output::summary(&findings, settings, out))
}

/// A simulated table of customers; see [`guike_sim::CustomersTable`].
///
/// # Errors
/// [`Error::Config`] for fewer than 2 customers.
pub fn simulate_customers(n: usize, label: Label, seed: Seed) -> Result<Table, Error> {
    match guike_sim::CustomersTable::simulate(n, label, seed) {
        Ok(simulated) => Ok(simulated.table),
        Err(e) => Err(Error::Config {
            what: format!("--{}", e.name),
            value: e.value.to_string(),
            rule: format!("it must be {}", e.rule),
        }),
    }
}

/// Writes a table as CSV, whole or not at all.
///
/// # Errors
/// [`Error::Store`].
pub fn write_table_csv(table: &Table, out: &Path) -> Result<(), Error> {
    let texts: Vec<Vec<String>> = table
        .columns()
        .iter()
        .map(|c| match c.data {
            ColumnData::Numeric(_) => Vec::new(),
            ColumnData::Categorical { .. } => (0..c.len()).map(|i| rows::text(c, i)).collect(),
        })
        .collect();
    let columns: Vec<OutColumn<'_>> = table
        .columns()
        .iter()
        .zip(&texts)
        .map(|(c, text)| OutColumn {
            name: &c.name,
            data: match &c.data {
                ColumnData::Numeric(v) => OutData::Number(v),
                ColumnData::Categorical { .. } => OutData::Text(text),
            },
        })
        .collect();
    Ok(guike_store::write_file(out, |path| guike_store::write_csv(path, &columns))?)
}
