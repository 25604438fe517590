//! The summary that probability models and baselines read: recency, frequency, age and spend per customer.

use serde::{Deserialize, Serialize};

/// One row per case (a customer with at least one purchase day by the cutoff), in columns.
///
/// The unit of frequency is the *purchase day*: all purchases of a customer on one calendar day count once (Fader, Hardie
/// & Lee 2005). All lengths are equal. Times are in days; probability models choose their own unit.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RfmTable {
    /// Index of the customer in the log.
    pub customer_idx: Vec<u32>,
    /// Repeat purchase days `x`: purchase days after the first.
    pub repeats: Vec<u32>,
    /// `t_x`: days from the first to the last purchase day; 0 without a repeat.
    pub recency_days: Vec<f64>,
    /// `T`: days from the first purchase day to the cutoff's last day.
    pub age_days: Vec<f64>,
    /// Mean spend per repeat purchase day, in currency units; 0 without a repeat.
    pub repeat_spend_mean: Vec<f64>,
    /// Mean spend over all purchase days, in currency units.
    pub spend_mean: Vec<f64>,
    /// Total spend on purchases by the cutoff, in currency units.
    pub spend_total: Vec<f64>,
    /// Length of the look-back window of the next two columns, in days, ending with the cutoff.
    pub window_days: u32,
    /// Purchase days within the window.
    pub window_purchase_days: Vec<u32>,
    /// Spend within the window, in currency units.
    pub window_spend: Vec<f64>,
    /// Days from the first purchase in the whole log to the cutoff: how much history there is.
    pub history_days: u32,
}

impl RfmTable {
    /// Number of cases.
    pub fn len(&self) -> usize {
        self.customer_idx.len()
    }

    /// Whether there is no case.
    pub fn is_empty(&self) -> bool {
        self.customer_idx.is_empty()
    }

    /// Makes room for so many cases more.
    pub fn reserve(&mut self, cases: usize) {
        self.customer_idx.reserve_exact(cases);
        self.repeats.reserve_exact(cases);
        self.recency_days.reserve_exact(cases);
        self.age_days.reserve_exact(cases);
        self.repeat_spend_mean.reserve_exact(cases);
        self.spend_mean.reserve_exact(cases);
        self.spend_total.reserve_exact(cases);
        self.window_purchase_days.reserve_exact(cases);
        self.window_spend.reserve_exact(cases);
    }

    /// Puts further cases behind these; what is known of the shop stays as it is.
    pub fn append(&mut self, further: RfmTable) {
        self.customer_idx.extend(further.customer_idx);
        self.repeats.extend(further.repeats);
        self.recency_days.extend(further.recency_days);
        self.age_days.extend(further.age_days);
        self.repeat_spend_mean.extend(further.repeat_spend_mean);
        self.spend_mean.extend(further.spend_mean);
        self.spend_total.extend(further.spend_total);
        self.window_purchase_days.extend(further.window_purchase_days);
        self.window_spend.extend(further.window_spend);
    }

    /// The cases at `rows`, in that order.
    #[must_use]
    pub fn take(&self, rows: &[usize]) -> RfmTable {
        fn pick<T: Copy>(column: &[T], rows: &[usize]) -> Vec<T> {
            rows.iter().map(|&r| column[r]).collect()
        }
        RfmTable {
            customer_idx: pick(&self.customer_idx, rows),
            repeats: pick(&self.repeats, rows),
            recency_days: pick(&self.recency_days, rows),
            age_days: pick(&self.age_days, rows),
            repeat_spend_mean: pick(&self.repeat_spend_mean, rows),
            spend_mean: pick(&self.spend_mean, rows),
            spend_total: pick(&self.spend_total, rows),
            window_days: self.window_days,
            window_purchase_days: pick(&self.window_purchase_days, rows),
            window_spend: pick(&self.window_spend, rows),
            history_days: self.history_days,
        }
    }
}
