//! `dashboard.json`: what a run found about the shop as a whole, for the pages of `guike serve`.
//!
//! The one idea: it is the report's own data ([`ReportView`]) without its customers. Whatever holds one number or name per
//! customer is left out or put together into curves and groups, so that the file does not grow with the shop and names nobody;
//! the customers themselves are in `forecasts.csv` and `tiers.csv`. The one picture of single customers, what themes add for
//! a sample of some twenty, has rounded numbers that cannot be put together again.

mod returns;

use std::path::Path;

use guike_core::{Column, ColumnData, Quiet, Seed, Table};
pub use guike_decide::Alternatives;
use guike_decide::Population;
use guike_explain::{calibration, gain};
use guike_store::read_json_if_there;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::output::names;
use crate::report::view::{Group, Part, ReportView};
use crate::run::Findings;
use crate::table::explain::Outline;
pub use returns::{ReturnCurve, ReturnPoint, Returns};

/// Points of a curve that are kept.
const POINTS: usize = 100;
/// Groups of customers by forecast.
const GROUPS: usize = 10;
/// Customers that are looked at for it, evenly spread.
const MOST_OUTLINED: usize = 20_000;
/// What [`Board::outline`] asks about: days since the last purchase, purchase days, mean spend of these, and days since the
/// first. Names of the catalogue of features.
pub const OUTLINED: [&str; 4] = ["recency_days", "orders", "spend_mean", "tenure_days"];

/// What `dashboard.json` holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Board {
    /// The report's data without its customers.
    #[serde(flatten)]
    pub view: ReportView,
    /// How the chosen model's forecasts met what happened, where there was a backtest.
    pub curves: Option<Curves>,
    /// Other ways of making tiers beside the one that is used; not there in a run of an earlier version.
    #[serde(default)]
    pub alternatives: Option<Alternatives>,
    /// How soon customers come back; not there in a run of an earlier version.
    #[serde(default)]
    pub returns: Option<Returns>,
    /// The forecast of spend as a small tree over [`OUTLINED`]; not there where there are too few customers, or in a run of
    /// an earlier version.
    #[serde(default)]
    pub outline: Option<Outline>,
}

/// The chosen model at the backtest's cutoff, customers taken together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Curves {
    /// Customers.
    pub customers: u64,
    /// Sum of the forecasts of spend, in currency units.
    pub predicted: f64,
    /// What they spent.
    pub actual: f64,
    /// Share of customers, highest forecast first, and the share of spend that they hold.
    pub gain: Vec<(f64, f64)>,
    /// Customers who bought.
    pub buyers: u64,
    /// From which probability on customers are called buyers, and what comes of it; from the highest threshold down.
    pub calls: Vec<Call>,
    /// Customers by probability to buy, lowest first: mean probability, and the share that bought.
    pub chances: Vec<Group>,
}

/// What comes of calling customers buyers from a threshold on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// The threshold of the probability.
    pub from: f64,
    /// Called customers who bought.
    pub hits: u64,
    /// Called customers who did not.
    pub alarms: u64,
}

impl Board {
    /// Takes the customers out of a report's data.
    pub(crate) fn of(mut view: ReportView) -> Board {
        view.expected_spend.clear();
        view.top_customers.clear();
        let mut curves = None;
        if let Part::Here(test) = &mut view.backtest {
            let (predicted, actual) = (std::mem::take(&mut test.predicted), std::mem::take(&mut test.actual));
            let chance = std::mem::take(&mut test.p_active);
            if test.deciles.is_empty() {
                test.deciles = calibration::groups(&predicted, &actual, GROUPS);
            }
            curves = (!predicted.is_empty()).then(|| Curves::of(&predicted, &actual, &chance));
        }
        if let Part::Here(drivers) = &mut view.drivers {
            drivers.top.clear();
            drivers.themes.iter_mut().for_each(|theme| unlink(&mut theme.customers));
        }
        for dropped in &mut view.quality.dropped {
            dropped.examples.clear();
        }
        Board { view, curves, alternatives: None, returns: None, outline: None }
    }

    /// With what only pages show.
    ///
    /// # Errors
    /// [`Error::Plan`] when the plan of the tiers is none, [`Error::Data`] when a temporary file cannot be read.
    pub(crate) fn with(mut self, f: &Findings) -> Result<Board, Error> {
        let people = Population { forecasts: &f.forecasts, rfm: &f.rfm, features: None, portrait: None };
        let tiering = &f.tiers.tiering;
        if !f.rfm.is_empty() {
            self.alternatives = Some(guike_decide::alternatives(&tiering.plan, &people, &tiering.tiers)?);
        }
        self.returns = Some(Returns::of(f)?);
        self.outline = outline(f)?;
        Ok(self)
    }

    /// Reads the file of a run; `None` where a run of an earlier version left none.
    ///
    /// # Errors
    /// [`Error::Store`] when it is damaged.
    pub fn read(folder: &Path) -> Result<Option<Board>, Error> {
        Ok(read_json_if_there(&folder.join(names::DASHBOARD_JSON))?)
    }
}

/// The forecast of spend by what every shop knows of its customers.
fn outline(f: &Findings) -> Result<Option<Outline>, Error> {
    let rfm = &f.rfm;
    let step = rfm.len().div_ceil(MOST_OUTLINED).max(1);
    let each = |of: &dyn Fn(usize) -> f64| (0..rfm.len()).step_by(step).map(of).collect::<Vec<f64>>();
    let known = [
        each(&|i| rfm.age_days[i] - rfm.recency_days[i]),
        each(&|i| f64::from(rfm.repeats[i]) + 1.0),
        each(&|i| rfm.spend_mean[i]),
        each(&|i| rfm.age_days[i]),
    ];
    let columns =
        OUTLINED.iter().zip(known).map(|(name, v)| Column { name: (*name).to_owned(), data: ColumnData::Numeric(v) });
    let table = Table::new(columns.collect()).map_err(|e| Error::Internal(e.to_string()))?;
    Outline::of(&table, &each(&|i| f.forecasts.expected_spend[i]), Seed(0), &Quiet)
}

impl Curves {
    fn of(predicted: &[f64], actual: &[f64], chance: &[f64]) -> Curves {
        let bought: Vec<bool> = actual.iter().map(|a| *a > 0.0).collect();
        let happened: Vec<f64> = bought.iter().map(|b| f64::from(u8::from(*b))).collect();
        Curves {
            customers: predicted.len() as u64,
            predicted: predicted.iter().sum(),
            actual: actual.iter().sum(),
            gain: thin(gain::points(predicted, actual)),
            buyers: bought.iter().filter(|b| **b).count() as u64,
            calls: calls(chance, &bought),
            chances: if chance.is_empty() { Vec::new() } else { calibration::groups(chance, &happened, GROUPS) },
        }
    }
}

/// Puts the dots of a theme in the order of their values and rounds them to two digits, so that nobody is known by them and
/// the dots of a customer in different themes cannot be put together again.
fn unlink(dots: &mut [(f64, Option<f64>)]) {
    for (added, value) in dots.iter_mut() {
        *added = two_digits(*added);
        *value = value.map(two_digits);
    }
    dots.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.unwrap_or(f64::MIN).total_cmp(&b.1.unwrap_or(f64::MIN))));
}

fn two_digits(v: f64) -> f64 {
    format!("{v:.1e}").parse().unwrap_or(v)
}

/// At most [`POINTS`] points, evenly along the curve, with both ends.
fn thin<T: Copy>(points: Vec<T>) -> Vec<T> {
    thin_to(points, POINTS)
}

/// The same for another number of points.
fn thin_to<T: Copy>(points: Vec<T>, most: usize) -> Vec<T> {
    if points.len() <= most {
        return points;
    }
    (0..most).map(|i| points[i * (points.len() - 1) / (most - 1)]).collect()
}

/// What comes of every threshold, from the highest probability down; equal probabilities share one.
pub(crate) fn calls(score: &[f64], happened: &[bool]) -> Vec<Call> {
    let mut order: Vec<usize> = (0..score.len()).filter(|&i| score[i].is_finite()).collect();
    order.sort_by(|&a, &b| score[b].total_cmp(&score[a]));
    let (mut hits, mut alarms) = (0, 0);
    let mut all: Vec<Call> = Vec::new();
    for (step, &i) in order.iter().enumerate() {
        if happened[i] {
            hits += 1;
        } else {
            alarms += 1;
        }
        let is_tied = order.get(step + 1).is_some_and(|&next| score[next] == score[i]);
        if !is_tied {
            all.push(Call { from: score[i], hits, alarms });
        }
    }
    thin(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_threshold_counts_who_is_called() {
        let found = calls(&[0.2, 0.9, 0.9, f64::NAN, 0.5], &[true, true, false, true, false]);
        let call = |from, hits, alarms| Call { from, hits, alarms };
        assert_eq!(found, [call(0.9, 1, 1), call(0.5, 1, 2), call(0.2, 2, 2)]);
        assert_eq!(calls(&[], &[]), []);
    }

    #[test]
    fn dots_of_a_customer_cannot_be_put_together_again() {
        let mut dots = [(1465.36, Some(19.0)), (-3.217, None), (1459.0, Some(0.123))];
        unlink(&mut dots);
        assert_eq!(dots, [(-3.2, None), (1500.0, Some(0.12)), (1500.0, Some(19.0))]);
        assert_eq!((two_digits(0.0), two_digits(-99.9)), (0.0, -100.0));
    }

    #[test]
    fn long_curves_keep_their_ends() {
        let kept = thin((0..1_000).collect());
        assert_eq!((kept.len(), kept[0], kept[POINTS - 1]), (POINTS, 0, 999));
        assert_eq!(thin(vec![1, 2]), [1, 2]);
    }
}
