//! Our metrics against the numbers of the reference scorer (`score.py`, numpy and pandas) on the same predictions.
//!
//! `score_golden.json` holds six small cases with ties, zeros and fewer than ten customers, and what the scorer printed
//! for them without rounding.

use guike_eval::{Prediction, Scores, Truth};
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct Case {
    name: String,
    spend: Vec<f64>,
    orders: Vec<f64>,
    ps: Vec<f64>,
    po: Vec<f64>,
    pa: Vec<f64>,
    expected: serde_json::Map<String, Value>,
}

/// Looser than rounding errors, tighter than the sixth decimal.
const TOLERANCE: f64 = 1e-9;

#[test]
fn every_metric_equals_the_reference_scorer() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("score_golden.json")).expect("the golden file parses");
    assert_eq!(cases.len(), 6);
    for c in &cases {
        let truth = Truth { spend: &c.spend, orders: &c.orders };
        let s = Scores::of(&truth, &Prediction { spend: &c.ps, orders: &c.po, p_active: &c.pa });
        for (key, got) in [
            ("mae", Some(s.mae)),
            ("rmse", Some(s.rmse)),
            ("spearman", s.spearman),
            ("gini_norm", s.gini_norm),
            ("top10", s.top10),
            ("top10_ideal", s.top10_ideal),
            ("decile_mape", s.decile_mape),
            ("bias", s.bias),
            ("auc_p", s.auc_p),
            ("auc_txn", s.auc_orders),
            ("txn_mae", Some(s.orders_mae)),
            ("txn_rmse", Some(s.orders_rmse)),
            ("txn_bias", s.orders_bias),
            ("txn_spearman", s.orders_spearman),
        ] {
            let expected = c.expected[key].as_f64();
            let same = match (got, expected) {
                (Some(a), Some(b)) => (a - b).abs() <= TOLERANCE * b.abs().max(1.0),
                (a, b) => a == b,
            };
            assert!(same, "{}: {key} is {got:?}, the reference scorer says {expected:?}", c.name);
        }
    }
}
