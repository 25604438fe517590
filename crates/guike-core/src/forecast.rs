//! What we believe about each customer's next `horizon`.

use serde::{Deserialize, Serialize};

use crate::time::Horizon;

/// The quantile levels every forecast carries: the ends of the 80 % and 90 % intervals and the median.
pub const INTERVAL_LEVELS: [f64; 5] = [0.05, 0.10, 0.50, 0.90, 0.95];

/// Quantiles of spend for n cases at a few levels.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Quantiles {
    /// Ascending levels in (0, 1).
    pub levels: Vec<f64>,
    /// Row-major, n cases × levels; ascending within a case, never negative.
    pub values: Vec<f64>,
}

impl Quantiles {
    /// The quantiles of one case.
    pub fn row(&self, case: usize) -> &[f64] {
        let k = self.levels.len();
        &self.values[case * k..(case + 1) * k]
    }

    /// The column at `level`, or `None` when that level was not computed.
    pub fn at(&self, level: f64) -> Option<Vec<f64>> {
        let k = self.levels.len();
        let j = self.levels.iter().position(|&l| (l - level).abs() < 1e-9)?;
        Some(self.values.iter().skip(j).step_by(k).copied().collect())
    }
}

/// Forecasts of n cases, in the order of the cases; never NaN, never negative.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Forecasts {
    /// How far ahead.
    pub horizon: Horizon,
    /// Expected purchase days within the horizon.
    pub expected_orders: Vec<f64>,
    /// Expected spend (mean) within the horizon, in currency units.
    pub expected_spend: Vec<f64>,
    /// P(at least one purchase within the horizon).
    pub p_active: Vec<f64>,
    /// Median waiting time to the next purchase in days; infinite when it may never come.
    pub next_order_days: Vec<f64>,
    /// Quantiles of spend at [`INTERVAL_LEVELS`].
    pub spend: Quantiles,
}

impl Forecasts {
    /// Number of cases.
    pub fn len(&self) -> usize {
        self.expected_spend.len()
    }

    /// Whether there is no case.
    pub fn is_empty(&self) -> bool {
        self.expected_spend.is_empty()
    }

    /// Makes room for so many cases more.
    pub fn reserve(&mut self, cases: usize) {
        self.expected_orders.reserve_exact(cases);
        self.expected_spend.reserve_exact(cases);
        self.p_active.reserve_exact(cases);
        self.next_order_days.reserve_exact(cases);
        self.spend.values.reserve_exact(cases * self.spend.levels.len());
    }

    /// Puts the forecasts of further cases behind these.
    ///
    /// # Panics
    /// When horizon or levels are others: that is a mistake in the code that asks.
    pub fn append(&mut self, further: Forecasts) {
        assert_eq!(self.horizon, further.horizon, "forecasts of one horizon");
        assert_eq!(self.spend.levels, further.spend.levels, "quantiles at the same levels");
        self.expected_orders.extend(further.expected_orders);
        self.expected_spend.extend(further.expected_spend);
        self.p_active.extend(further.p_active);
        self.next_order_days.extend(further.next_order_days);
        self.spend.values.extend(further.spend.values);
    }

    /// The first broken promise (length, NaN, sign, order of quantiles) in words, or `None` when all hold.
    pub fn flaw(&self) -> Option<String> {
        let n = self.len();
        for (name, v, upper) in [
            ("expected_orders", &self.expected_orders, f64::INFINITY),
            ("expected_spend", &self.expected_spend, f64::INFINITY),
            ("p_active", &self.p_active, 1.0),
        ] {
            if v.len() != n {
                return Some(format!("{name} has {} values for {n} cases", v.len()));
            }
            if let Some(i) = v.iter().position(|x| !(x.is_finite() && *x >= 0.0 && *x <= upper)) {
                return Some(format!("{name} of case {i} is {}", v[i]));
            }
        }
        if self.next_order_days.len() != n {
            return Some(format!("next_order_days has {} values for {n} cases", self.next_order_days.len()));
        }
        if let Some(i) = self.next_order_days.iter().position(|x| x.is_nan() || *x < 0.0) {
            return Some(format!("next_order_days of case {i} is {}", self.next_order_days[i]));
        }
        if self.spend.values.len() != n * self.spend.levels.len() {
            return Some(format!(
                "{} quantiles for {n} cases at {} levels",
                self.spend.values.len(),
                self.spend.levels.len()
            ));
        }
        (0..n)
            .find(|&i| {
                let q = self.spend.row(i);
                !q.is_sorted() || q.iter().any(|v| !v.is_finite() || *v < 0.0)
            })
            .map(|i| format!("quantiles of case {i} are {:?}", self.spend.row(i)))
    }
}
