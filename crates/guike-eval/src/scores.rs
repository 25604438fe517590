//! All metrics of one forecast in one serialisable table.

use guike_core::{Forecasts, Labels};
use serde::{Deserialize, Serialize};

use crate::distribution::{Coverage, central_intervals, crps};
use crate::metrics::{
    DecilePoint, auc, decile_calibration, gini_normalized, mae, poisson_deviance, rmse, spearman, top_decile_capture,
    total_bias,
};

/// What truly happened to each customer within the horizon.
#[derive(Debug, Clone, Copy)]
pub struct Truth<'a> {
    /// Spend in currency units.
    pub spend: &'a [f64],
    /// Purchase days.
    pub orders: &'a [f64],
}

impl<'a> From<&'a Labels> for Truth<'a> {
    fn from(labels: &'a Labels) -> Truth<'a> {
        Truth { spend: &labels.spend, orders: &labels.orders }
    }
}

impl Truth<'_> {
    /// Number of customers.
    pub fn len(&self) -> usize {
        self.spend.len()
    }

    /// Whether there is no customer.
    pub fn is_empty(&self) -> bool {
        self.spend.is_empty()
    }

    /// Who is active: who spent more than nothing.
    pub fn active(&self) -> Vec<bool> {
        self.spend.iter().map(|&y| y > 0.0).collect()
    }
}

/// What was forecast for each customer.
#[derive(Debug, Clone, Copy)]
pub struct Prediction<'a> {
    /// Expected spend in currency units.
    pub spend: &'a [f64],
    /// Expected purchase days.
    pub orders: &'a [f64],
    /// P(at least one purchase).
    pub p_active: &'a [f64],
}

impl<'a> From<&'a Forecasts> for Prediction<'a> {
    fn from(f: &'a Forecasts) -> Prediction<'a> {
        Prediction { spend: &f.expected_spend, orders: &f.expected_orders, p_active: &f.p_active }
    }
}

/// Every number we print about a forecast; a number that the data do not define is `None`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// Number of customers.
    pub n: usize,
    /// Share of customers who spent anything.
    pub active_share: f64,
    /// Mean absolute error of spend.
    pub mae: f64,
    /// Root mean squared error of spend.
    pub rmse: f64,
    /// Rank correlation of spend.
    pub spearman: Option<f64>,
    /// Normalised Gini of spend.
    pub gini_norm: Option<f64>,
    /// Share of revenue held by the tenth ranked highest.
    pub top10: Option<f64>,
    /// The same for the perfect ranking.
    pub top10_ideal: Option<f64>,
    /// Mean absolute percentage error over ten groups by predicted spend.
    pub decile_mape: Option<f64>,
    /// The ten groups.
    pub deciles: Vec<DecilePoint>,
    /// Total predicted over total actual spend.
    pub bias: Option<f64>,
    /// ROC area of `p_active` for any spend.
    pub auc_p: Option<f64>,
    /// ROC area of expected orders for any spend.
    pub auc_orders: Option<f64>,
    /// Mean absolute error of orders.
    pub orders_mae: f64,
    /// Root mean squared error of orders.
    pub orders_rmse: f64,
    /// Total predicted over total actual orders.
    pub orders_bias: Option<f64>,
    /// Rank correlation of orders.
    pub orders_spearman: Option<f64>,
    /// Mean Poisson deviance of orders.
    pub orders_deviance: f64,
    /// CRPS of spend from the quantiles, where there are any.
    pub spend_crps: Option<f64>,
    /// Coverage of the 80 % and 90 % intervals, where there are quantiles.
    pub intervals: Vec<Coverage>,
}

impl Scores {
    /// The metrics that need only point forecasts.
    ///
    /// ```
    /// use guike_eval::{Prediction, Scores, Truth};
    /// let truth = Truth { spend: &[0.0, 30.0], orders: &[0.0, 2.0] };
    /// let forecast = Prediction { spend: &[3.0, 27.0], orders: &[0.3, 1.7], p_active: &[0.2, 0.8] };
    /// let s = Scores::of(&truth, &forecast);
    /// assert_eq!((s.bias, s.gini_norm, s.auc_p, s.mae), (Some(1.0), Some(1.0), Some(1.0), 3.0));
    /// ```
    pub fn of(truth: &Truth<'_>, p: &Prediction<'_>) -> Scores {
        let active = truth.active();
        let deciles = decile_calibration(truth.spend, p.spend);
        Scores {
            n: truth.len(),
            active_share: active.iter().filter(|&&a| a).count() as f64 / truth.len().max(1) as f64,
            mae: mae(truth.spend, p.spend),
            rmse: rmse(truth.spend, p.spend),
            spearman: spearman(truth.spend, p.spend),
            gini_norm: gini_normalized(truth.spend, p.spend),
            top10: top_decile_capture(truth.spend, p.spend),
            top10_ideal: top_decile_capture(truth.spend, truth.spend),
            decile_mape: deciles.mape,
            deciles: deciles.points,
            bias: total_bias(truth.spend, p.spend),
            auc_p: auc(&active, p.p_active),
            auc_orders: auc(&active, p.orders),
            orders_mae: mae(truth.orders, p.orders),
            orders_rmse: rmse(truth.orders, p.orders),
            orders_bias: total_bias(truth.orders, p.orders),
            orders_spearman: spearman(truth.orders, p.orders),
            orders_deviance: poisson_deviance(truth.orders, p.orders),
            spend_crps: None,
            intervals: Vec::new(),
        }
    }

    /// All metrics, those of the quantiles too.
    pub fn of_forecasts(truth: &Truth<'_>, forecasts: &Forecasts) -> Scores {
        let q = &forecasts.spend;
        Scores {
            spend_crps: (!q.levels.is_empty()).then(|| crps(truth.spend, q)),
            intervals: central_intervals(truth.spend, q),
            ..Scores::of(truth, &forecasts.into())
        }
    }
}
