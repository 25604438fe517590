//! What each tier is worth, how likely it is to leave, and what sets it apart.
//!
//! The one idea: standardised differences. A tier differs from the other customers in a feature by
//! `(mean inside − mean outside) / pooled standard deviation` (Cohen's d), which has no unit, so that features can be
//! ranked against each other.

use guike_core::ColumnData;
use serde::{Deserialize, Serialize};

use crate::names::TierName;
#[cfg(test)]
use crate::rules::Portrait;
use crate::rules::{Indicator, Population};

/// Features named per tier.
const TOP_FEATURES: usize = 5;

/// A feature in which a tier differs from the other customers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FeatureDifference {
    /// Name of the feature.
    pub feature: String,
    /// Mean in the tier.
    pub mean_inside: f64,
    /// Mean of all other customers.
    pub mean_outside: f64,
    /// Standardised difference: beyond ±0.8 is large.
    pub difference: f64,
}

/// One tier in numbers; value is expected spend within the horizon. Means of nobody are `None`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TierAnalysis {
    /// Names.
    pub name: TierName,
    /// Number of customers.
    pub n: usize,
    /// Share of all customers.
    pub share_customers: f64,
    /// Total value.
    pub value_total: f64,
    /// Share of all value; 0 when nobody is worth anything.
    pub share_value: f64,
    /// Mean value.
    pub value_mean: Option<f64>,
    /// Median value.
    pub value_median: Option<f64>,
    /// Least and greatest value.
    pub value_range: Option<(f64, f64)>,
    /// Mean expected purchase days.
    pub orders_mean: Option<f64>,
    /// Mean spend so far.
    pub spend_so_far_mean: Option<f64>,
    /// Churn risk: 1 − mean chance of any purchase within the horizon.
    pub churn_risk: Option<f64>,
    /// Value at risk: the sum of value × (1 − chance of any purchase).
    pub value_at_risk: f64,
    /// What sets the tier apart, strongest first.
    pub top_features: Vec<FeatureDifference>,
}

/// The analysis of every tier, best first; `tiers[i]` is customer i's.
pub fn analyse(people: &Population<'_>, tiers: &[u8], names: &[TierName]) -> Vec<TierAnalysis> {
    let f = people.forecasts;
    let total: f64 = f.expected_spend.iter().sum();
    let mut differences = feature_differences(people, tiers, names.len());
    names
        .iter()
        .enumerate()
        .map(|(t, name)| {
            let members: Vec<usize> = (0..tiers.len()).filter(|&i| usize::from(tiers[i]) == t).collect();
            let n = members.len();
            // the sum of nobody is 0, where an empty floating-point sum would be −0
            let sum = |v: &[f64]| members.iter().fold(0.0, |s, &i| s + v[i]);
            let mean = |v: &[f64]| (n > 0).then(|| sum(v) / n as f64);
            let mut values: Vec<f64> = members.iter().map(|&i| f.expected_spend[i]).collect();
            values.sort_by(f64::total_cmp);
            let value_total = sum(&f.expected_spend);
            TierAnalysis {
                name: name.clone(),
                n,
                share_customers: if tiers.is_empty() { 0.0 } else { n as f64 / tiers.len() as f64 },
                value_total,
                share_value: if total > 0.0 { value_total / total } else { 0.0 },
                value_mean: mean(&f.expected_spend),
                value_median: (n > 0).then(|| (values[(n - 1) / 2] + values[n / 2]) / 2.0),
                value_range: values.first().copied().zip(values.last().copied()),
                orders_mean: mean(&f.expected_orders),
                spend_so_far_mean: mean(&people.rfm.spend_total),
                churn_risk: mean(&f.p_active).map(|p| 1.0 - p),
                value_at_risk: members.iter().fold(0.0, |s, &i| s + f.expected_spend[i] * (1.0 - f.p_active[i])),
                top_features: std::mem::take(&mut differences[t]),
            }
        })
        .collect()
}

/// Strongest standardised differences per tier, over the feature table and the three of recency, frequency and money.
fn feature_differences(people: &Population<'_>, tiers: &[u8], n_tiers: usize) -> Vec<Vec<FeatureDifference>> {
    let mut all: Vec<Vec<FeatureDifference>> = vec![Vec::new(); n_tiers];
    let rows = people.portrait.map(|p| p.rows);
    let theirs: Option<Vec<u8>> = rows.map(|rows| rows.iter().map(|&i| tiers[i]).collect());
    let tiers = theirs.as_deref().unwrap_or(tiers);
    let mut add = |name: &str, values: &[f64]| {
        for (t, found) in all.iter_mut().enumerate() {
            found.extend(difference(name, values, tiers, t));
        }
    };
    if let Some(table) = people.portrait.map(|p| p.features).or(people.features) {
        for column in table.columns() {
            if let ColumnData::Numeric(values) = &column.data {
                add(&column.name, values);
            }
        }
    }
    for indicator in [Indicator::Recency, Indicator::Frequency, Indicator::Monetary, Indicator::MeanSpend] {
        if let Ok(values) = indicator.values(people) {
            let picked: Option<Vec<f64>> = rows.map(|rows| rows.iter().map(|&i| values[i]).collect());
            add(indicator.name(), picked.as_deref().unwrap_or(&values));
        }
    }
    for found in &mut all {
        // stable: of equal differences the one named first in the table
        found.sort_by(|a, b| b.difference.abs().total_cmp(&a.difference.abs()));
        found.dedup_by(|later, earlier| {
            later.mean_inside == earlier.mean_inside && later.mean_outside == earlier.mean_outside
        });
        found.truncate(TOP_FEATURES);
    }
    all
}

/// Cohen's d of one feature between a tier and everybody else; `None` where either side has fewer than two values or
/// nothing varies.
fn difference(name: &str, values: &[f64], tiers: &[u8], tier: usize) -> Option<FeatureDifference> {
    let side = |inside: bool| {
        let picked = || {
            values.iter().zip(tiers).filter(|(v, t)| !v.is_nan() && (usize::from(**t) == tier) == inside).map(|x| *x.0)
        };
        let n = picked().count() as f64;
        let mean = picked().sum::<f64>() / n;
        (n, mean, picked().map(|v| (v - mean) * (v - mean)).sum::<f64>())
    };
    let ((n1, mean1, squares1), (n0, mean0, squares0)) = (side(true), side(false));
    if n1 < 2.0 || n0 < 2.0 {
        return None;
    }
    let sd = ((squares1 + squares0) / (n1 + n0 - 2.0)).sqrt();
    (sd > 0.0 && sd.is_finite()).then(|| FeatureDifference {
        feature: name.to_owned(),
        mean_inside: mean1,
        mean_outside: mean0,
        difference: (mean1 - mean0) / sd,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::default_names;
    use guike_core::{Column, Forecasts, Horizon, Quantiles, RfmTable, Table};

    fn check(with: impl Fn(&[TierAnalysis])) {
        let n = 6;
        let forecasts = Forecasts {
            horizon: Horizon::from_days(30).expect("in range"),
            expected_orders: vec![4.0, 2.0, 1.0, 1.0, 0.0, 0.0],
            expected_spend: vec![60.0, 20.0, 10.0, 10.0, 0.0, 0.0],
            p_active: vec![0.9, 0.7, 0.5, 0.5, 0.1, 0.1],
            next_order_days: vec![9.0; n],
            spend: Quantiles::default(),
        };
        let rfm = RfmTable {
            customer_idx: (0..6).collect(),
            repeats: vec![0; n],
            recency_days: vec![0.0; n],
            age_days: vec![5.0; n],
            spend_total: vec![1.0; n],
            spend_mean: vec![1.0; n],
            ..Default::default()
        };
        let features = Table::new(vec![
            Column::numeric("flat", vec![3.0; n]),
            Column::numeric("visits", vec![10.0, 8.0, 2.0, f64::NAN, 1.0, 3.0]),
        ])
        .expect("a table");
        let people = Population { forecasts: &forecasts, rfm: &rfm, features: Some(&features), portrait: None };
        let tiers = [0, 0, 1, 1, 1, 1];
        let of_all = analyse(&people, &tiers, &default_names(3));
        with(&of_all);
        // whoever looks at everybody through a portrait sees the same
        let portrait = Some(Portrait { rows: &[0, 1, 2, 3, 4, 5], features: &features });
        let seen = Population { features: None, portrait, ..people };
        assert_eq!(analyse(&seen, &tiers, &default_names(3)), of_all);
        // and without customer 1 there is one in the best tier, too few to set apart
        let rows = [0, 2, 4, 5];
        let portrait = Some(Portrait { rows: &rows, features: &features.take(&rows) });
        let few = analyse(&Population { portrait, ..seen }, &tiers, &default_names(3));
        assert_eq!((few[0].n, few[0].top_features.len()), (2, 0));
    }

    #[test]
    fn a_tier_is_described_in_money_and_risk() {
        check(|a| {
            assert_eq!(
                (a[0].n, a[0].value_total, a[0].value_mean, a[0].value_median),
                (2, 80.0, Some(40.0), Some(40.0))
            );
            assert_eq!(a[0].share_value, 0.8);
            assert_eq!(a[1].value_median, Some(5.0));
            assert!((a[0].churn_risk.expect("members") - 0.2).abs() < 1e-12);
            assert!((a[0].value_at_risk - (6.0 + 6.0)).abs() < 1e-12);
        });
    }

    #[test]
    fn an_empty_tier_has_no_means() {
        check(|a| {
            assert_eq!((a[2].n, a[2].value_mean, a[2].churn_risk, a[2].share_value), (0, None, None, 0.0));
            assert!(a[2].top_features.is_empty());
        });
    }

    #[test]
    fn what_varies_sets_apart_and_missing_values_are_left_out() {
        check(|a| {
            assert_eq!(a[0].top_features.len(), 1, "constant features never set anybody apart");
            let d = &a[0].top_features[0];
            assert_eq!((d.feature.as_str(), d.mean_inside, d.mean_outside), ("visits", 9.0, 2.0));
            assert!((d.difference - 7.0 / (4.0f64 / 3.0).sqrt()).abs() < 1e-12);
        });
    }
}
