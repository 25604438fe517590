//! Tiers by borders on one indicator.
//!
//! The one idea: sort customers from the best down; a customer's *position* is the share (of customers or of value) that
//! stands strictly before her, and equal values share the mean of their positions. A tier takes those whose position is
//! less than its cumulative share. So equal values always share a tier, the first customer is always in the top tier, and
//! a shop of identical customers is a shop of middling customers.

use guike_learn::{ColumnScale, Scaling, jenks};
use serde::{Deserialize, Serialize};

use crate::rules::{Method, default_customer_shares, default_value_shares};

/// The least value of each tier but the lowest, best first; `None` for a tier that nobody reaches.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Borders {
    /// One fewer than there are tiers.
    pub at_least: Vec<Option<f64>>,
}

impl Borders {
    /// The tier of a value, 0 for the best; a missing value (NaN) is in the lowest.
    ///
    /// ```
    /// use guike_decide::Borders;
    /// let b = Borders { at_least: vec![Some(100.0), None, Some(10.0)] };
    /// assert_eq!([100.0, 99.0, 10.0, 0.0, f64::NAN].map(|v| b.tier(v)), [0, 2, 2, 3, 3]);
    /// ```
    pub fn tier(&self, value: f64) -> usize {
        self.at_least.iter().position(|b| b.is_some_and(|b| value >= b)).unwrap_or(self.at_least.len())
    }

    /// The tier of a value that was in `previous` before: she moves only over borders that she passes by `margin` (a share
    /// of the border's value).
    ///
    /// ```
    /// use guike_decide::Borders;
    /// let b = Borders { at_least: vec![Some(100.0), Some(10.0)] };
    /// assert_eq!(b.tier_after(105.0, 1, 0.1), 1, "over the border, but not clearly");
    /// assert_eq!(b.tier_after(111.0, 1, 0.1), 0);
    /// assert_eq!(b.tier_after(95.0, 0, 0.1), 0, "below the border, but not clearly");
    /// assert_eq!(b.tier_after(2.0, 0, 0.1), 2, "clearly below both");
    /// ```
    pub fn tier_after(&self, value: f64, previous: usize, margin: f64) -> usize {
        let lowest = self.at_least.len();
        let previous = previous.min(lowest);
        let clearly_over = |b: &Option<f64>| b.is_some_and(|b| value >= b + margin * b.abs());
        if let Some(better) = self.at_least[..previous].iter().position(clearly_over) {
            return better;
        }
        let clearly_below = |b: &Option<f64>| b.is_none_or(|b| value.is_nan() || value < b - margin * b.abs());
        (previous..lowest).find(|&t| !clearly_below(&self.at_least[t])).unwrap_or(lowest)
    }

    /// The borders of a method on one indicator.
    pub(crate) fn fit(
        values: &[f64],
        tiers: usize,
        method: &Method,
        scaling: Scaling,
        zero_is_worthless: bool,
    ) -> Borders {
        match method {
            Method::Thresholds { at_least } => Borders { at_least: at_least.iter().map(|&b| Some(b)).collect() },
            Method::Quantiles { shares } => {
                let shares = or_default(shares, || default_customer_shares(tiers));
                by_position(values, &shares, |_| 1.0, 0.0, zero_is_worthless)
            }
            Method::ValueShare { shares, min_top_customers } => {
                let shares = or_default(shares, || default_value_shares(tiers));
                by_position(values, &shares, |v| v.max(0.0), *min_top_customers, true)
            }
            Method::NaturalBreaks => natural(values, tiers, scaling, zero_is_worthless),
            Method::KMeans | Method::Hierarchical { .. } | Method::Mixture { .. } => {
                unreachable!("clusters have no borders")
            }
        }
    }
}

fn or_default(shares: &[f64], default: impl Fn() -> Vec<f64>) -> Vec<f64> {
    if shares.is_empty() { default() } else { shares.to_vec() }
}

/// Distinct values from the largest down, each with its number of customers.
fn descending(values: &[f64], zero_is_worthless: bool) -> Vec<(f64, f64)> {
    let mut sorted: Vec<f64> =
        values.iter().copied().filter(|v| !v.is_nan() && (*v > 0.0 || !zero_is_worthless)).collect();
    sorted.sort_by(|a, b| b.total_cmp(a));
    let mut runs: Vec<(f64, f64)> = Vec::new();
    for v in sorted {
        match runs.last_mut() {
            Some(run) if run.0 == v => run.1 += 1.0,
            _ => runs.push((v, 1.0)),
        }
    }
    runs
}

fn by_position(
    values: &[f64],
    shares: &[f64],
    worth: impl Fn(f64) -> f64,
    min_top_customers: f64,
    zero_is_worthless: bool,
) -> Borders {
    let runs = descending(values, zero_is_worthless);
    // customers worth nothing or with no value still count as customers
    let n = values.len() as f64;
    let total: f64 =
        if zero_is_worthless && worth(0.0) == 0.0 { runs.iter().map(|r| worth(r.0) * r.1).sum() } else { n };
    let mut at_least = vec![None; shares.len() - 1];
    let (mut before, mut customers_before) = (0.0, 0.0);
    for (value, count) in runs {
        let position = (before + worth(value) * (count - 1.0) / 2.0) / total;
        let customer_position = (customers_before + (count - 1.0) / 2.0) / n;
        let mut cumulative = 0.0;
        let mut tier = shares.len() - 1;
        for (t, share) in shares[..shares.len() - 1].iter().enumerate() {
            cumulative += share;
            // 0.05 + 0.10 must not lose the customer at position 0.15
            if position < cumulative - 1e-12 {
                tier = t;
                break;
            }
        }
        if customer_position < min_top_customers {
            tier = 0;
        }
        if let Some(border) = at_least.get_mut(tier) {
            *border = Some(value);
        }
        before += worth(value) * count;
        customers_before += count;
    }
    Borders { at_least }
}

fn natural(values: &[f64], tiers: usize, scaling: Scaling, zero_is_worthless: bool) -> Borders {
    let kept: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
    let scale = ColumnScale::fit(kept.iter().copied(), scaling);
    let scaled: Vec<f64> = kept.iter().map(|&v| scale.apply(v)).collect();
    let breaks = jenks(&scaled, tiers);
    let classes = breaks.borders.len() + 1;
    let mut at_least = vec![None; tiers - 1];
    for (&v, &z) in kept.iter().zip(&scaled) {
        if zero_is_worthless && v <= 0.0 {
            continue;
        }
        let tier = spread(classes - 1 - breaks.class(z), classes, tiers);
        if let Some(border) = at_least.get_mut(tier) {
            *border = Some(border.map_or(v, |b: f64| b.min(v)));
        }
    }
    Borders { at_least }
}

/// The tier of class `rank` (0 the best) when there are only `classes` of them: best to best, worst to worst, one alone to
/// the middle.
pub(crate) fn spread(rank: usize, classes: usize, tiers: usize) -> usize {
    if classes <= 1 { tiers / 2 } else { (rank * (tiers - 1) + (classes - 1) / 2) / (classes - 1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tiers(values: &[f64], k: usize, method: &Method) -> Vec<usize> {
        let b = Borders::fit(values, k, method, Scaling::Log1p, true);
        assert_eq!(b.at_least.len(), k - 1);
        let known: Vec<f64> = b.at_least.iter().flatten().copied().collect();
        assert!(known.windows(2).all(|w| w[0] > w[1]), "borders fall: {b:?}");
        values.iter().map(|&v| b.tier(v)).collect()
    }

    const SHARE: Method = Method::ValueShare { shares: Vec::new(), min_top_customers: 0.0 };
    const QUANTILES: Method = Method::Quantiles { shares: Vec::new() };

    #[test]
    fn value_shares_make_a_pyramid_of_skewed_values() {
        let values: Vec<f64> = (1..=2000).map(|i| 1e6 / f64::from(i)).collect();
        let t = tiers(&values, 5, &SHARE);
        let total: f64 = values.iter().sum();
        let held = |k: usize| values.iter().zip(&t).filter(|x| *x.1 == k).map(|x| x.0).sum::<f64>() / total;
        let count = |k: usize| t.iter().filter(|&&x| x == k).count();
        assert!(
            (0..4).all(|k| count(k) < count(k + 1)) || count(3) > count(4),
            "{:?}",
            (0..5).map(count).collect::<Vec<_>>()
        );
        assert!(held(0) >= 0.25 && held(0) + held(1) >= 0.5 && (held(4) - 0.05).abs() < 0.01);
    }

    #[test]
    fn quantiles_hold_their_share_of_customers() {
        let values: Vec<f64> = (1..=100).map(f64::from).collect();
        let t = tiers(&values, 5, &QUANTILES);
        let counts: Vec<usize> = (0..5).map(|k| t.iter().filter(|&&x| x == k).count()).collect();
        assert_eq!(counts, vec![5, 10, 20, 30, 35]);
        assert_eq!(t[99], 0);
    }

    #[test]
    fn equal_values_share_a_tier_and_zero_is_lowest() {
        for method in [SHARE, QUANTILES, Method::NaturalBreaks] {
            let values: Vec<f64> = (0..300).map(|i| [0.0, 5.0, 5.0, 5.0, 80.0][i % 5]).collect();
            let t = tiers(&values, 5, &method);
            for i in 0..300 {
                assert_eq!(t[i], t[i % 5], "{method:?}");
            }
            assert_eq!(t[0], 4, "{method:?}");
            assert!(t[4] < t[1], "{method:?}");
            assert!(tiers(&[0.0; 20], 5, &method).iter().all(|&x| x == 4), "{method:?}");
        }
    }

    #[test]
    fn identical_customers_are_middling() {
        for method in [SHARE, QUANTILES, Method::NaturalBreaks] {
            assert!(tiers(&[7.0; 100], 5, &method).iter().all(|&x| (1..=3).contains(&x)), "{method:?}");
        }
    }

    #[test]
    fn one_wholesaler_does_not_keep_the_top_for_herself() {
        let mut values = vec![1e9];
        values.extend((1..500).map(f64::from));
        let alone = tiers(&values, 5, &SHARE);
        assert_eq!(alone.iter().filter(|&&t| t == 0).count(), 1);
        let t = tiers(&values, 5, &Method::default());
        assert_eq!(t.iter().filter(|&&t| t == 0).count(), 5, "one percent of 500");
    }

    #[test]
    fn missing_values_and_small_shops_are_no_trouble() {
        assert_eq!(tiers(&[f64::NAN, 3.0], 5, &QUANTILES)[0], 4);
        assert_eq!(tiers(&[9.0], 5, &SHARE), vec![0]);
        assert!(tiers(&[], 5, &SHARE).is_empty());
        assert_eq!(tiers(&[1.0, 1000.0], 5, &Method::NaturalBreaks), vec![4, 0]);
    }

    #[test]
    fn negative_values_of_a_feature_can_be_ranked() {
        let values = [-50.0, -1.0, -10.0, -3.0];
        let b = Borders::fit(&values, 2, &Method::Quantiles { shares: vec![0.5, 0.5] }, Scaling::None, false);
        assert_eq!(values.map(|v| b.tier(v)), [1, 0, 1, 0]);
        assert_eq!(b.at_least, vec![Some(-3.0)]);
        assert_eq!(b.tier_after(-2.9, 1, 0.1), 1, "margins also work below zero");
        assert_eq!(b.tier_after(-2.6, 1, 0.1), 0);
    }

    #[test]
    fn fewer_classes_than_tiers_are_spread_out() {
        assert_eq!((0..2).map(|r| spread(r, 2, 5)).collect::<Vec<_>>(), vec![0, 4]);
        assert_eq!((0..3).map(|r| spread(r, 3, 5)).collect::<Vec<_>>(), vec![0, 2, 4]);
        assert_eq!((0..5).map(|r| spread(r, 5, 5)).collect::<Vec<_>>(), vec![0, 1, 2, 3, 4]);
        assert_eq!(spread(0, 1, 5), 2);
    }
}
