//! Forecasts of a log by a saved model, as rows for other programs.
//!
//! The one idea: what is known of a customer is a few dozen bytes, and her row as text or JSON a thousand; so rows are made when
//! they are asked for, some at a time.

use std::ops::Range;
use std::path::Path;

use guike_core::{Day, Forecasts, Horizon, Progress};
use guike_data::{Imported, LogFiles};
use guike_store::{OutColumn, OutData};
use serde_json::{Value, json};

use crate::crowd::forecast_everybody;
use crate::error::Error;
use crate::forecast::Final;
use crate::learners;
use crate::output::with_forecast_columns;
use crate::run::{cutoff_and_horizon, read_piecewise};
use crate::saved;
use crate::settings::Settings;

/// What a model expects of the customers of a log.
#[derive(Debug)]
pub struct ForecastTable {
    ids: Vec<String>,
    forecasts: Forecasts,
}

impl ForecastTable {
    /// Number of customers.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Names of the columns.
    ///
    /// # Errors
    /// As [`ForecastTable::rows`].
    pub fn columns(&self) -> Result<Vec<String>, Error> {
        with_forecast_columns(&[], &self.forecasts, 0..0, None, |columns| {
            columns.iter().map(|c| c.name.to_owned()).collect()
        })
    }

    /// The rows of some of the customers.
    ///
    /// # Errors
    /// [`Error::Internal`] when the forecasts lack a quantile, which is a mistake of ours.
    ///
    /// # Panics
    /// When there are not so many customers.
    pub fn rows(&self, customers: Range<usize>) -> Result<Vec<Vec<Value>>, Error> {
        let n = customers.len();
        with_forecast_columns(&self.ids[customers.clone()], &self.forecasts, customers, None, |columns| {
            let cell = |c: &OutColumn<'_>, i: usize| match c.data {
                OutData::Text(v) => json!(v[i]),
                OutData::Number(v) => json!(v[i].is_finite().then(|| guike_store::significant(v[i]))),
                OutData::Integer(v) => json!(v[i]),
            };
            (0..n).map(|i| columns.iter().map(|c| cell(c, i)).collect()).collect()
        })
    }
}

/// Forecasts a log with the model of an earlier run.
///
/// # Errors
/// [`Error`].
pub fn forecast_with(
    log: &LogFiles,
    model_dir: &Path,
    cutoff: Option<Day>,
    horizon: Option<Horizon>,
    settings: &Settings,
    progress: &dyn Progress,
) -> Result<ForecastTable, Error> {
    let (artifact, file) = saved::open(model_dir)?.on_orders("--model-dir")?;
    let calibration = saved::calibration_beside(&file)?;
    let model = learners::load(&artifact)?;
    let mut settings = settings.clone();
    settings.forecast.cutoff = cutoff.or(settings.forecast.cutoff);
    settings.forecast.horizon = horizon.or(Some(model.card().horizon));
    let Imported { log, .. } = read_piecewise(log, &settings, progress)?;
    let (cutoff, horizon) = cutoff_and_horizon(log.purchase_span(), &settings)?;
    let model = Final { model, calibration, notes: Vec::new() };
    let (rfm, forecasts) = forecast_everybody(&log, cutoff, horizon, &model, progress)?;
    let ids = rfm.customer_idx.iter().map(|&c| log.customer_ids()[c as usize].clone()).collect();
    Ok(ForecastTable { ids, forecasts })
}
