//! The same customers in tiers made by clustering, beside the tiers that are used.
//!
//! The one idea: all are judged on the same four numbers of a customer (expected spend, recency, frequency, money, on
//! logarithmic scales), so that their silhouettes can be compared; a rule that cuts one of them is at a disadvantage there,
//! and is easier to say to a customer. Clusters are found on a seeded sample and everybody joins the nearest centre: what a
//! million customers add to four thousand does not move a centre.

use guike_learn::{Linkage, Points, Scaler, Scaling, silhouette};
use rand::seq::index::sample;
use serde::{Deserialize, Serialize};

use crate::rules::{Indicator, Method, PlanError, Population, TierPlan};
use crate::stability::adjusted_rand_index;
use crate::tiers::Matrix;

/// Customers on whom clusters are found, at most: trees cost the square of their number.
pub const MOST_FITTED: usize = 4_000;

/// Tiers that are used and others that could be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alternatives {
    /// The numbers by which clusters are found and all are judged.
    pub indicators: Vec<String>,
    /// Customers.
    pub customers: usize,
    /// Customers of the seeded sample on which clusters were found; all of them in a small shop. Silhouettes are means over
    /// at most as many.
    pub sampled: usize,
    /// The tiers that are used, then the others.
    pub ways: Vec<Way>,
}

/// A way of making tiers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Way {
    /// The stable name of its method.
    pub method: String,
    /// Customers of every tier, the best first.
    pub customers: Vec<usize>,
    /// Their expected spend, in currency units.
    pub expected_spend: Vec<f64>,
    /// Mean silhouette (−1 … 1); `None` when all customers share a tier.
    pub silhouette: Option<f64>,
    /// Adjusted Rand index against the tiers that are used: 1 for the same grouping, 0 for chance.
    pub adjusted_rand: f64,
    /// Share of customers who are in the tier of the same rank.
    pub agreement: f64,
}

/// Tiers of these customers by k-means and by Ward's tree beside the tiers that are `used`, which the plan made.
///
/// # Errors
/// [`PlanError`] when the plan is none.
///
/// # Panics
/// When there is not one tier per customer.
///
/// # Source
/// Ward (1963), Rousseeuw (1987), Hubert & Arabie (1985); the arithmetic is that of `guike-learn` and
/// [`adjusted_rand_index`], checked there.
pub fn alternatives(plan: &TierPlan, people: &Population<'_>, used: &[u8]) -> Result<Alternatives, PlanError> {
    assert_eq!(used.len(), people.len(), "a tier for every customer");
    let indicators = vec![Indicator::ExpectedSpend, Indicator::Recency, Indicator::Frequency, Indicator::Monetary];
    let seed = plan.seed.derive("alternatives");
    let by = |method: Method| TierPlan {
        method,
        indicators: indicators.clone(),
        scaling: Scaling::Log1p,
        stability_draws: 0,
        seed,
        ..plan.clone()
    };
    let matrix = by(Method::KMeans).matrix(people)?;
    let n = people.len();
    let sampled = n.min(MOST_FITTED);
    let mut rows = sample(&mut seed.derive("sample").rng(), n, sampled).into_vec();
    rows.sort_unstable();
    let few = Matrix { values: rows.iter().flat_map(|&r| matrix.row(r)).copied().collect(), width: matrix.width };
    let scaled = Scaler::fit(Points::new(&matrix.values, matrix.width), Scaling::Log1p)
        .apply(Points::new(&few.values, matrix.width));
    let way = |name: &str, tiers: &[u8]| {
        let labels: Vec<u32> = rows.iter().map(|&r| u32::from(tiers[r])).collect();
        let (mut customers, mut expected_spend) = (vec![0; plan.tiers], vec![0.0; plan.tiers]);
        for (&tier, &spend) in tiers.iter().zip(&people.forecasts.expected_spend) {
            customers[usize::from(tier)] += 1;
            expected_spend[usize::from(tier)] += spend;
        }
        let same = tiers.iter().zip(used).filter(|(a, b)| a == b).count();
        Way {
            method: name.to_owned(),
            customers,
            expected_spend,
            silhouette: silhouette(Points::new(&scaled, matrix.width), &labels, seed),
            adjusted_rand: adjusted_rand_index(used, tiers),
            agreement: same as f64 / n.max(1) as f64,
        }
    };
    let mut ways = vec![way(plan.method.name(), used)];
    for method in [Method::KMeans, Method::Hierarchical { linkage: Linkage::Ward }] {
        let other = by(method);
        let rule = other.fit(&few, seed);
        let tiers: Vec<u8> = (0..n).map(|i| rule.tier(matrix.row(i)) as u8).collect();
        ways.push(way(other.method.name(), &tiers));
    }
    let indicators = indicators.iter().map(|i| i.name().to_owned()).collect();
    Ok(Alternatives { indicators, customers: n, sampled, ways })
}

#[cfg(test)]
mod tests {
    use guike_core::{Forecasts, Horizon, Quantiles, RfmTable};

    use super::*;

    /// Customers of three kinds who could not be told apart less; `n` of each.
    fn shop(n: usize) -> (Forecasts, RfmTable) {
        let kinds = [(900.0, 2.0, 30, 4_000.0), (90.0, 60.0, 6, 400.0), (2.0, 600.0, 0, 20.0)];
        let all = || (0..3 * n).map(|i| (kinds[i % 3], 1.0 + 0.01 * (i % 7) as f64));
        let forecasts = Forecasts {
            horizon: Horizon::from_days(90).expect("a horizon"),
            expected_orders: vec![1.0; 3 * n],
            expected_spend: all().map(|(k, f)| k.0 * f).collect(),
            p_active: vec![0.5; 3 * n],
            next_order_days: vec![40.0; 3 * n],
            spend: Quantiles::default(),
        };
        let rfm = RfmTable {
            customer_idx: (0..3 * n as u32).collect(),
            repeats: all().map(|(k, _)| k.2).collect(),
            recency_days: all().map(|(k, f)| 700.0 - k.1 * f).collect(),
            age_days: vec![700.0; 3 * n],
            repeat_spend_mean: vec![0.0; 3 * n],
            spend_mean: vec![1.0; 3 * n],
            spend_total: all().map(|(k, f)| k.3 * f).collect(),
            window_purchase_days: vec![0; 3 * n],
            window_spend: vec![0.0; 3 * n],
            ..Default::default()
        };
        (forecasts, rfm)
    }

    #[test]
    fn clusters_find_three_kinds_of_customers_whatever_their_number() {
        for n in [20, 2_000] {
            let (forecasts, rfm) = shop(n);
            let people = Population { forecasts: &forecasts, rfm: &rfm, features: None, portrait: None };
            let plan = TierPlan { tiers: 3, ..Default::default() };
            let used: Vec<u8> = (0..3 * n).map(|i| (i % 3) as u8).collect();
            let found = alternatives(&plan, &people, &used).expect("possible");
            assert_eq!((found.customers, found.sampled), (3 * n, (3 * n).min(MOST_FITTED)));
            let names: Vec<&str> = found.ways.iter().map(|w| w.method.as_str()).collect();
            assert_eq!(names, ["value-share", "k-means", "hierarchical"]);
            for way in &found.ways {
                assert_eq!(way.customers, [n, n, n], "{}", way.method);
                assert!((way.adjusted_rand - 1.0).abs() < 1e-9 && way.agreement == 1.0, "{way:?}");
                assert!(way.silhouette.is_some_and(|s| s > 0.9), "{way:?}");
                assert!((way.expected_spend[0] / n as f64 - 927.0).abs() < 1.0, "{way:?}");
            }
            assert_eq!(found, alternatives(&plan, &people, &used).expect("possible"), "same seed, same bytes");
        }
    }

    #[test]
    fn tiers_that_cut_elsewhere_agree_less() {
        let (forecasts, rfm) = shop(30);
        let people = Population { forecasts: &forecasts, rfm: &rfm, features: None, portrait: None };
        let plan = TierPlan { tiers: 3, ..Default::default() };
        let used: Vec<u8> = (0..90).map(|i| u8::from(i >= 45)).collect();
        let found = alternatives(&plan, &people, &used).expect("possible");
        assert!(found.ways[0].silhouette < found.ways[1].silhouette);
        assert!(found.ways[1].adjusted_rand < 0.1 && found.ways[1].agreement < 0.5, "{:?}", found.ways[1]);
    }
}
