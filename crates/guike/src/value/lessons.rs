//! What the heads learn from at one cutoff: the prior, and the labelled rows of earlier anchors.
//!
//! The one idea: nothing here depends on how the heads learn, so whoever tries many settings prepares once.

use std::sync::Arc;

use guike_core::{
    Cases, FitContext, FitError, ForecastError, Forecasts, Horizon, Labelled, Matrix, Model, Note, Table, TrainingSet,
};
use guike_learn::value::ValueRows;
use guike_nn::foundation::{Foundation, FoundationModel, nano};
use rayon::prelude::*;

use super::BLEND;
use super::rows::Schema;
use crate::combination::{Average, Combination};

/// Fewest labelled rows, all anchors together: below, a tree has nothing to split.
const MIN_ROWS: usize = 200;
/// Fewest labelled rows with a purchase.
const MIN_ACTIVE: usize = 50;

/// The prior's forecasts of the same cases over the horizon and over the label window.
#[derive(Debug, Clone)]
pub struct Ahead {
    /// Over the cases' own horizon.
    pub horizon: Forecasts,
    /// Over the label window; `None` where that is the horizon.
    window: Option<Forecasts>,
}

impl Ahead {
    /// What the prior says of these cases.
    ///
    /// # Errors
    /// As the prior.
    pub fn of(prior: &Average, cases: &Cases<'_>, window: Horizon) -> Result<Ahead, ForecastError> {
        Ahead { horizon: prior.forecast(cases)?, window: None }.down_to(prior, cases, window)
    }

    /// The same from forecasts over the horizon that are there already.
    ///
    /// # Errors
    /// As the prior.
    pub fn from_horizon(prior: &Average, horizon: Forecasts, train: &TrainingSet<'_>) -> Result<Ahead, ForecastError> {
        Ahead { horizon, window: None }.down_to(prior, &train.now, window_of(train))
    }

    fn down_to(self, prior: &Average, cases: &Cases<'_>, window: Horizon) -> Result<Ahead, ForecastError> {
        let shorter = || prior.forecast(&Cases { horizon: window, ..*cases });
        let window = if cases.horizon == window { None } else { Some(shorter()?) };
        Ok(Ahead { window, ..self })
    }

    /// Over the label window.
    pub fn window(&self) -> &Forecasts {
        self.window.as_ref().unwrap_or(&self.horizon)
    }
}

/// The label window of the newest anchor; without anchors, the horizon.
fn window_of(train: &TrainingSet<'_>) -> Horizon {
    train.anchors.first().map_or(train.now.horizon, |a| a.cases.horizon)
}

/// Everything that the heads learn from.
#[derive(Debug)]
pub struct Lessons {
    pub(super) prior: Average,
    pub(super) ahead: Ahead,
    /// The shop as the foundation model has read it, and what it says of the cases of now.
    pub(super) deep: Arc<FoundationModel>,
    pub(super) deep_ahead: Forecasts,
    pub(super) schema: Schema,
    pub(super) rows: ValueRows,
}

impl Lessons {
    /// Fits the prior and prepares with it; and what the prior had to say.
    ///
    /// # Errors
    /// As the prior, and [`Lessons::prepare`].
    pub fn fit(train: &TrainingSet<'_>, cx: &FitContext<'_>) -> Result<(Lessons, Vec<Note>), FitError> {
        let (prior, notes) = Combination::default().learn(train, cx)?;
        let ahead = Ahead::of(&prior, &train.now, window_of(train)).map_err(|e| as_fit_error(BLEND, &e))?;
        Ok((Lessons::prepare(train, prior, ahead, cx)?, notes))
    }

    /// The rows of all anchors, each with the prior as it would have been fitted there; `prior` is the one fitted now and
    /// `ahead` what it says of the cases of now.
    ///
    /// # Errors
    /// [`FitError::TooLittle`] when there is too little to learn from beyond the prior.
    pub fn prepare(
        train: &TrainingSet<'_>,
        prior: Average,
        ahead: Ahead,
        cx: &FitContext<'_>,
    ) -> Result<Lessons, FitError> {
        if train.anchors.is_empty() {
            return Err(too_little("a history long enough for labelled anchors", "is none".to_owned()));
        }
        let tables: Vec<&Table> = std::iter::once(train.now.features)
            .chain(train.anchors.iter().map(|a| a.cases.features))
            .flatten()
            .collect();
        if tables.len() != train.anchors.len() + 1 {
            return Err(too_little("feature tables", "are only summaries".to_owned()));
        }
        let schema = Schema::of(&tables, window_of(train));
        let rows = labelled_rows(&schema, train.anchors, cx)?;
        let active = rows.orders.iter().filter(|&&n| n > 0.0).count();
        if rows.orders.len() < MIN_ROWS || active < MIN_ACTIVE {
            return Err(too_little(
                "200 labelled cases and 50 with a purchase",
                format!("are {} with {active}", rows.orders.len()),
            ));
        }
        let (deep, _) = Foundation { net: nano(), adapt: None }.read(train, cx)?;
        let deep_ahead = deep.forecast(&train.now).map_err(|e| as_fit_error(BLEND, &e))?;
        Ok(Lessons { prior, ahead, deep: Arc::new(deep), deep_ahead, schema, rows })
    }
}

fn too_little(needs: &str, found: String) -> FitError {
    FitError::TooLittle { learner: BLEND, needs: needs.to_owned(), found }
}

/// A forecast that failed while fitting, as a reason why the fit failed.
pub fn as_fit_error(learner: &'static str, e: &ForecastError) -> FitError {
    FitError::NotConverged { learner, cause: e.to_string() }
}

fn labelled_rows(schema: &Schema, anchors: &[Labelled<'_>], cx: &FitContext<'_>) -> Result<ValueRows, FitError> {
    let prior = Combination::default();
    let at = |anchor: &Labelled<'_>| -> Result<(Matrix, Forecasts), FitError> {
        cx.progress.check()?;
        let cases = Cases { horizon: schema.window, ..anchor.cases };
        let (there, _) = prior.learn(&TrainingSet { now: anchor.cases, anchors: &[] }, cx)?;
        let said = there.forecast(&cases).map_err(|e| as_fit_error(BLEND, &e))?;
        let x = schema.rows(&cases, &said).map_err(|e| as_fit_error(BLEND, &e))?;
        Ok((x, said))
    };
    let of_anchors: Vec<(Matrix, Forecasts)> = anchors.par_iter().map(at).collect::<Result<_, _>>()?;
    let mut rows = ValueRows::new(schema.kinds());
    for (anchor, (x, said)) in anchors.iter().zip(of_anchors) {
        rows.push(&x, anchor.labels, &anchor.cases.rfm.customer_idx, &said.expected_orders, &said.expected_spend);
    }
    Ok(rows)
}
