//! From the backtest to forecasts: choose, fit on all that is known, correct level and intervals.
//!
//! The one idea: whatever is corrected is learned at inner anchors only, and travels with the model as a [`Calibration`],
//! so that a saved model forecasts the same as the run that made it.

use guike_core::{Cases, FitContext, Forecasts, Labels, Learner, Model, Note, Progress, Seed};
use guike_eval::level::AnchorTotal;
use guike_eval::selection::{AnchorTruth, Candidate, SelectionConfig};
use guike_eval::{Conformal, ConformalConfig, Level, LevelConfig, Prediction, Selection, select};
use serde::{Deserialize, Serialize};

use crate::backtest::{Backtest, Known};
use crate::combination;
use crate::error::Error;
use crate::value;

/// Corrections learned at inner anchors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Factor on expected orders, with the evidence for it.
    pub orders: Level,
    /// Factor on spend, with the evidence for it.
    pub spend: Level,
    /// Corrections of the spend quantiles; `None` when there was no anchor to learn them from.
    pub intervals: Option<Conformal>,
}

impl Calibration {
    /// Corrects raw forecasts of a model.
    ///
    /// # Errors
    /// [`Error::Internal`] when the quantile levels differ from those at the anchor.
    pub fn apply(&self, mut raw: Forecasts) -> Result<Forecasts, Error> {
        let days = raw.horizon.days();
        scale(&mut raw, self.orders.factor_at(days), self.spend.factor_at(days));
        if let Some(intervals) = &self.intervals {
            raw.spend = intervals.apply(&raw).map_err(|e| Error::Internal(e.to_string()))?;
        }
        match raw.flaw() {
            None => Ok(raw),
            Some(flaw) => Err(Error::Internal(format!("the corrected forecasts broke a promise: {flaw}"))),
        }
    }
}

/// Multiplies orders and spend; P(active) and the waiting time follow the rate of orders.
///
/// With purchases at rate λ, P(active) = 1 − exp(−λh) at leading order, so a factor f on the rate makes it 1 − (1 − p)^f.
pub(crate) fn scale(f: &mut Forecasts, orders: f64, spend: f64) {
    if orders != 1.0 {
        f.expected_orders.iter_mut().for_each(|v| *v *= orders);
        f.p_active.iter_mut().for_each(|p| *p = 1.0 - (1.0 - *p).powf(orders));
        f.next_order_days.iter_mut().for_each(|d| *d /= orders);
    }
    if spend != 1.0 {
        f.expected_spend.iter_mut().for_each(|v| *v *= spend);
        f.spend.values.iter_mut().for_each(|v| *v *= spend);
    }
}

/// Picks a candidate by the anchors inside the history; `None` when there is no anchor.
///
/// # Errors
/// [`Error::NoAnswer`] when every candidate failed at some anchor.
pub fn choose(backtest: &Backtest, seed: Seed) -> Result<Option<Selection>, Error> {
    if backtest.anchors.iter().all(|a| a.known.rfm.is_empty()) {
        return Ok(None);
    }
    let truths: Vec<AnchorTruth<'_>> = backtest
        .anchors
        .iter()
        .map(|a| AnchorTruth {
            truth: (&a.labels).into(),
            customer_idx: &a.known.rfm.customer_idx,
            weight: a.anchor.weight,
        })
        .collect();
    let candidates: Vec<Candidate<'_>> = backtest
        .candidates
        .iter()
        .map(|c| Candidate {
            name: c.name,
            complexity: c.complexity,
            forecasts: match &c.forecasts {
                Ok(f) => Ok(f.iter().map(Prediction::from).collect()),
                Err(e) => Err(e.clone()),
            },
        })
        .collect();
    let mut config = SelectionConfig::default();
    config.bootstrap.seed = seed.derive("selection");
    // the blend where there is one: shrunk weights rarely lose against the best single candidate of a few noisy windows
    let default = if backtest.weights.is_some() { value::BLEND } else { combination::NAME };
    config.default_candidate = Some(default.to_owned());
    let selection = select(&truths, &candidates, &config).map_err(|e| Error::NoAnswer(e.to_string()))?;
    Ok(Some(selection))
}

/// Learns level and intervals from one candidate's forecasts at the anchors.
///
/// # Errors
/// [`Error::Internal`] when forecasts and labels differ in length, which is a mistake of ours.
pub fn calibrate(backtest: &Backtest, forecasts: &[Forecasts], level: bool) -> Result<Calibration, Error> {
    let fit = |predicted: fn(&Forecasts) -> &[f64], actual: fn(&Labels) -> &[f64]| {
        let totals: Vec<AnchorTotal> = backtest
            .anchors
            .iter()
            .zip(forecasts)
            .map(|(a, f)| {
                let (forecast, happened) = (predicted(f), actual(&a.labels));
                let total: f64 = happened.iter().sum();
                let luck: f64 = forecast.iter().zip(happened).map(|(p, y)| (y - p) * (y - p)).sum();
                AnchorTotal {
                    predicted: forecast.iter().sum(),
                    actual: total,
                    noise: if total > 0.0 { luck / (total * total) } else { 0.0 },
                    history_days: a.anchor.history_days,
                    seasonal: a.anchor.seasonal,
                    weight: a.anchor.weight,
                }
            })
            .collect();
        let totals = if level { &totals[..] } else { &[] };
        let window_days = backtest.anchors.first().map_or(0, |a| a.anchor.horizon.days());
        Level::fit(totals, window_days, &LevelConfig::default())
    };
    let orders = fit(|f| &f.expected_orders, |l| &l.orders);
    let spend = fit(|f| &f.expected_spend, |l| &l.spend);
    let newest = backtest.anchors.first().zip(forecasts.first()).filter(|(a, _)| !a.labels.spend.is_empty());
    let intervals = match newest {
        None => None,
        Some((anchor, raw)) => {
            let mut corrected = raw.clone();
            let days = anchor.anchor.horizon.days();
            scale(&mut corrected, orders.factor_at(days), spend.factor_at(days));
            let fitted = Conformal::fit(&corrected, &anchor.labels.spend, &ConformalConfig::default());
            Some(fitted.map_err(|e| Error::Internal(e.to_string()))?)
        }
    };
    Ok(Calibration { orders, spend, intervals })
}

/// A fitted model with everything needed to use it again.
#[derive(Debug)]
pub struct Final {
    /// The model.
    pub model: Box<dyn Model>,
    /// Its corrections.
    pub calibration: Calibration,
    /// What the fit had to say.
    pub notes: Vec<Note>,
}

/// Fits the learner on everything known at the cutoff; and its corrected forecasts of the customers there.
///
/// # Errors
/// [`Error::Fit`] when it cannot be learned from this log; as [`Final::forecast`].
pub fn fit_final(
    learner: &dyn Learner,
    known: &Known,
    calibration: Calibration,
    seed: Seed,
    progress: &dyn Progress,
) -> Result<(Final, Forecasts), Error> {
    let cx = FitContext { seed: seed.derive(learner.name()), progress };
    let fitted = known.with_training(|t| learner.fit(t, &cx))?;
    let raw = match fitted.said {
        Some(raw) => raw,
        None => fitted.model.forecast(&known.cases())?,
    };
    let forecasts = calibration.apply(raw)?;
    Ok((Final { model: fitted.model, calibration, notes: fitted.notes }, forecasts))
}

impl Final {
    /// Corrected forecasts.
    ///
    /// # Errors
    /// As the model's, and [`Error::Internal`] when a promise is broken.
    pub fn forecast(&self, cases: &Cases<'_>) -> Result<Forecasts, Error> {
        self.calibration.apply(self.model.forecast(cases)?)
    }
}
