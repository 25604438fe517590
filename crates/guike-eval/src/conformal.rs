//! Intervals whose coverage has been seen to hold: quantiles of spend corrected by what an inner anchor showed.
//!
//! The one idea: at an inner anchor we know by how much outcomes passed the forecast quantiles. Each quantile is moved by
//! the amount that would have been right there, separately below and above (asymmetric conformalised quantile regression)
//! and separately for small and big customers.
//!
//! * **Score.** For an upper quantile `q` at level `τ`: `E = (y − q) / s`; the correction is the `⌈(n + 1) τ⌉`-th smallest
//!   `E`, and the new quantile is `q + E·s`. A lower quantile mirrors it. Under exchangeability an outcome then lies above
//!   the new upper quantile with probability at most `1 − τ`, for any forecast. When the wanted rank exceeds n (too few
//!   customers), the largest score is used and [`ConformalGroup::exact`] is false.
//! * **Scale.** `s` is the predicted mean, at least 1 % of the average predicted mean: a correction then means "so many
//!   times the forecast", fits big and small customers alike, and follows a change of currency unit.
//! * **Groups.** Customers are grouped by predicted spend per day (Mondrian conformal prediction), so that coverage holds
//!   within each group and not just on average. Equal forecasts share a group; every group has enough customers.
//! * **Zeros.** Spend is at least zero, and many spend nothing. A lower end is clipped at zero, where no outcome can fall
//!   below it: groups with many zeros are covered *more* often than nominal, because the meaning of each quantile column
//!   ("at most τ of such customers spend less") comes first.
//! * Both tails stay on their side of the median, and the 90 % interval contains the 80 % interval; both only widen.
//!
//! What is assumed: the customers after the cutoff miss their forecasts as those after the anchor did. A shop that changes
//! breaks that; [`Conformal::cross_coverage`] shows the coverage on customers that were left out, at the same anchor.
//!
//! # Source
//! Romano, Patterson & Candès (2019), "Conformalized Quantile Regression" (two-sided scores, §6); Vovk, Gammerman & Shafer
//! (2005), §4.5 (Mondrian).

use guike_core::{Forecasts, Horizon, Quantiles, Seed};
use rand::RngExt;
use serde::{Deserialize, Serialize};

use crate::distribution::{Coverage, central_intervals};
use crate::order::argsort;

/// How to group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConformalConfig {
    /// Most groups by predicted spend; five match the default tiers.
    pub max_groups: usize,
    /// Least customers in a group; 100 place a 95 % quantile with a standard error of two points of coverage.
    pub min_group: usize,
}

impl Default for ConformalConfig {
    fn default() -> ConformalConfig {
        ConformalConfig { max_groups: 5, min_group: 100 }
    }
}

/// Least share of the average forecast that counts as a customer's scale.
const MIN_SCALE: f64 = 0.01;
/// Level that separates lower from upper quantiles.
const MEDIAN: f64 = 0.5;

/// Corrections for customers within one range of predicted spend.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConformalGroup {
    /// Least predicted spend per day that belongs here.
    pub from_rate: f64,
    /// Number of customers it was learned from.
    pub n: usize,
    /// One correction per level, in units of the scale; 0 for the median.
    pub shift: Vec<f64>,
    /// Whether there were enough customers for the finite-sample guarantee at every level.
    pub exact: bool,
}

/// Learned corrections of spend quantiles.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Conformal {
    /// Levels it corrects, as the forecasts carried them.
    pub levels: Vec<f64>,
    /// By rising predicted spend per day; the first also takes everything below.
    pub groups: Vec<ConformalGroup>,
    /// Least scale, in currency units per day.
    pub min_rate: f64,
}

/// Why no correction was learned, or why it does not apply.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConformalError {
    /// No customer to learn from.
    #[error("intervals need at least one customer with a known outcome, and there is none")]
    Empty,
    /// Outcomes and forecasts do not belong together.
    #[error("{forecasts} forecasts and {outcomes} outcomes do not match; give one outcome per forecast")]
    Length {
        /// Number of forecasts.
        forecasts: usize,
        /// Number of outcomes.
        outcomes: usize,
    },
    /// The forecasts carry other levels.
    #[error(
        "the forecasts carry other quantile levels than the corrections were learned for; forecast with the same levels"
    )]
    Levels,
}

impl Conformal {
    /// Learns the corrections from forecasts at an inner anchor and the spend that followed.
    ///
    /// # Errors
    /// [`ConformalError`] when there is no customer or the lengths differ.
    ///
    /// ```
    /// use guike_core::{Forecasts, Horizon, Quantiles};
    /// use guike_eval::conformal::{Conformal, ConformalConfig};
    /// // everybody is forecast 8 … 12, and truly spends 0 … 20
    /// let n = 400;
    /// let f = Forecasts {
    ///     horizon: Horizon::from_days(30).unwrap(),
    ///     expected_orders: vec![1.0; n], expected_spend: vec![10.0; n], p_active: vec![0.9; n],
    ///     next_order_days: vec![10.0; n],
    ///     spend: Quantiles { levels: vec![0.1, 0.5, 0.9], values: [8.0, 10.0, 12.0].repeat(n) },
    /// };
    /// let spend: Vec<f64> = (0..n).map(|i| (i % 21) as f64).collect();
    /// let c = Conformal::fit(&f, &spend, &ConformalConfig::default()).unwrap();
    /// let q = c.apply(&f).unwrap();
    /// assert_eq!(q.row(0), &[2.0, 10.0, 18.0]);
    /// assert!(Conformal::fit(&f, &spend[1..], &ConformalConfig::default()).is_err());
    /// ```
    pub fn fit(forecasts: &Forecasts, spend: &[f64], config: &ConformalConfig) -> Result<Conformal, ConformalError> {
        let n = forecasts.len();
        if n != spend.len() {
            return Err(ConformalError::Length { forecasts: n, outcomes: spend.len() });
        }
        let rows: Vec<usize> = (0..n).collect();
        Conformal::fit_rows(forecasts, spend, &rows, config)
    }

    fn fit_rows(
        forecasts: &Forecasts,
        spend: &[f64],
        rows: &[usize],
        config: &ConformalConfig,
    ) -> Result<Conformal, ConformalError> {
        if rows.is_empty() {
            return Err(ConformalError::Empty);
        }
        let days = f64::from(forecasts.horizon.days());
        let rates: Vec<f64> = rows.iter().map(|&i| forecasts.expected_spend[i] / days).collect();
        let mean_rate = rates.iter().sum::<f64>() / rates.len() as f64;
        // nobody is expected to spend: any positive scale will do, take what was spent, or one unit
        let spent = rows.iter().map(|&i| spend[i].abs()).sum::<f64>() / rows.len() as f64 / days;
        let min_rate = [MIN_SCALE * mean_rate, spent].into_iter().find(|&r| r > 0.0).unwrap_or(1.0);
        let order = argsort(&rates);
        let groups = group_borders(&rates, &order, config)
            .windows(2)
            .map(|w| {
                let members: Vec<usize> = order[w[0]..w[1]].iter().map(|&k| rows[k as usize]).collect();
                let from_rate = rates[order[w[0]] as usize];
                corrections(forecasts, spend, &members, from_rate, min_rate * days)
            })
            .collect();
        Ok(Conformal { levels: forecasts.spend.levels.clone(), groups, min_rate })
    }

    /// The corrected quantiles, in the order of the forecasts; ascending and never negative.
    ///
    /// # Errors
    /// [`ConformalError::Levels`] when the forecasts carry other levels.
    pub fn apply(&self, forecasts: &Forecasts) -> Result<Quantiles, ConformalError> {
        if forecasts.spend.levels != self.levels {
            return Err(ConformalError::Levels);
        }
        let mut values = forecasts.spend.values.clone();
        let k = self.levels.len();
        if k > 0 {
            for (row, &mean) in values.chunks_exact_mut(k).zip(&forecasts.expected_spend) {
                self.correct(row, mean, forecasts.horizon);
            }
        }
        Ok(Quantiles { levels: self.levels.clone(), values })
    }

    /// Corrects one customer's quantiles in place.
    fn correct(&self, row: &mut [f64], mean: f64, horizon: Horizon) {
        let days = f64::from(horizon.days());
        let rate = mean / days;
        let at = self.groups.partition_point(|g| g.from_rate <= rate).max(1) - 1;
        let scale = rate.max(self.min_rate) * days;
        // everything is pushed outwards from the middle
        let first_upper = self.levels.partition_point(|&l| l < MEDIAN);
        let middle = match self.levels.get(first_upper) {
            Some(&l) if l == MEDIAN => Some(row[first_upper]),
            _ => None,
        };
        let mut ceiling = middle.unwrap_or(f64::INFINITY);
        for j in (0..first_upper).rev() {
            ceiling = (row[j] + self.groups[at].shift[j] * scale).clamp(0.0, ceiling.max(0.0));
            row[j] = ceiling;
        }
        let mut floor = middle.unwrap_or(if first_upper > 0 { row[first_upper - 1] } else { 0.0 }).max(0.0);
        for j in first_upper..row.len() {
            floor = (row[j] + self.groups[at].shift[j] * scale).max(floor);
            row[j] = floor;
        }
    }

    /// Coverage of the central intervals on customers that were left out: five folds over customers, each corrected by
    /// what the other four showed.
    ///
    /// # Errors
    /// As [`Conformal::fit`].
    pub fn cross_coverage(
        forecasts: &Forecasts,
        spend: &[f64],
        config: &ConformalConfig,
        seed: Seed,
    ) -> Result<Vec<Coverage>, ConformalError> {
        const FOLDS: u64 = 5;
        let n = forecasts.len();
        if n != spend.len() {
            return Err(ConformalError::Length { forecasts: n, outcomes: spend.len() });
        }
        let seed = seed.derive("conformal-folds");
        let fold: Vec<u64> = (0..n).map(|i| seed.at(i as u64).rng().random_range(0..FOLDS)).collect();
        let k = forecasts.spend.levels.len();
        let mut values = forecasts.spend.values.clone();
        for f in 0..FOLDS {
            let others: Vec<usize> = (0..n).filter(|&i| fold[i] != f).collect();
            let fitted = Conformal::fit_rows(forecasts, spend, &others, config)?;
            for i in (0..n).filter(|&i| fold[i] == f) {
                fitted.correct(&mut values[i * k..(i + 1) * k], forecasts.expected_spend[i], forecasts.horizon);
            }
        }
        Ok(central_intervals(spend, &Quantiles { levels: forecasts.spend.levels.clone(), values }))
    }
}

/// Where groups begin along the order of rates, with the number of customers at the end.
fn group_borders(rates: &[f64], order: &[u32], config: &ConformalConfig) -> Vec<usize> {
    let n = order.len();
    let wanted = (n / config.min_group.max(1)).clamp(1, config.max_groups.max(1));
    let mut borders = vec![0];
    for g in 1..wanted {
        let mut at = g * n / wanted;
        // equal forecasts stay together: move up to where the value changes
        while at < n && rates[order[at] as usize] == rates[order[at - 1] as usize] {
            at += 1;
        }
        let last = borders[borders.len() - 1];
        if at - last >= config.min_group && n - at >= config.min_group {
            borders.push(at);
        }
    }
    borders.push(n);
    borders
}

fn corrections(
    forecasts: &Forecasts,
    spend: &[f64],
    members: &[usize],
    from_rate: f64,
    min_scale: f64,
) -> ConformalGroup {
    let n = members.len();
    let mut exact = true;
    let shift = forecasts
        .spend
        .levels
        .iter()
        .enumerate()
        .map(|(j, &level)| {
            if level == MEDIAN {
                return 0.0;
            }
            let side = if level > MEDIAN { 1.0 } else { -1.0 };
            let kept = level.max(1.0 - level);
            let mut scores: Vec<f64> = members
                .iter()
                .map(|&i| {
                    let scale = forecasts.expected_spend[i].max(min_scale);
                    side * (spend[i] - forecasts.spend.row(i)[j]) / scale
                })
                .collect();
            scores.sort_by(f64::total_cmp);
            // (n + 1)·0.9 must not become 91.00000000000001 and so the 92nd
            let rank = ((n as f64 + 1.0) * kept - 1e-9).ceil() as usize;
            exact &= rank <= n;
            side * scores[rank.min(n) - 1]
        })
        .collect();
    ConformalGroup { from_rate, n, shift, exact }
}

#[cfg(test)]
mod tests {
    use super::*;
    use guike_core::INTERVAL_LEVELS;

    /// Customers who spend nothing with probability 0.6 and else an exponential amount around their mean; forecasts are
    /// the quantiles of a much too narrow uniform.
    fn shop(n: usize, seed: u64) -> (Forecasts, Vec<f64>) {
        let mut rng = Seed(seed).rng();
        let mut mean = Vec::new();
        let mut spend = Vec::new();
        for _ in 0..n {
            let m = (rng.random::<f64>() * 6.0).exp();
            mean.push(m);
            spend.push(if rng.random::<f64>() < 0.6 { 0.0 } else { -(1.0 - rng.random::<f64>()).ln() * m / 0.4 });
        }
        let values = mean.iter().flat_map(|m| INTERVAL_LEVELS.map(|l| m * (0.8 + 0.4 * l))).collect();
        let f = Forecasts {
            horizon: Horizon::from_days(90).expect("in range"),
            expected_orders: vec![1.0; n],
            expected_spend: mean,
            p_active: vec![0.4; n],
            next_order_days: vec![30.0; n],
            spend: Quantiles { levels: INTERVAL_LEVELS.to_vec(), values },
        };
        (f, spend)
    }

    #[test]
    fn coverage_holds_on_new_customers_big_and_small() {
        let (f, spend) = shop(4000, 1);
        let c = Conformal::fit(&f, &spend, &ConformalConfig::default()).expect("fits");
        assert_eq!(c.groups.len(), 5);
        assert!(c.groups.iter().all(|g| g.exact));
        let (new, outcome) = shop(20_000, 2);
        let q = c.apply(&new).expect("same levels");
        let corrected = Forecasts { spend: q, ..new };
        assert_eq!(corrected.flaw(), None);
        for (quarter, rows) in [(0, 0.0..4.0), (1, 4.0..60.0), (2, 60.0..1e9)] {
            let pick: Vec<usize> = (0..20_000).filter(|&i| rows.contains(&corrected.expected_spend[i])).collect();
            for (level, nominal) in [(0.9, 0.1), (0.95, 0.05)] {
                let ends = corrected.spend.at(level).expect("carried");
                let above = pick.iter().filter(|&&i| outcome[i] > ends[i]).count() as f64 / pick.len() as f64;
                assert!((above - nominal).abs() < 0.03, "group {quarter}, level {level}: {above} above");
            }
        }
        for c in central_intervals(&outcome, &corrected.spend) {
            assert!(c.coverage >= c.nominal - 0.015, "{c:?}");
        }
    }

    #[test]
    fn cross_coverage_tells_the_truth_about_new_customers() {
        let (f, spend) = shop(3000, 4);
        let raw = central_intervals(&spend, &f.spend);
        assert!(raw[0].coverage < 0.2, "the narrow forecast fails: {raw:?}");
        let inside = Conformal::cross_coverage(&f, &spend, &ConformalConfig::default(), Seed(1)).expect("fits");
        assert!(inside[0].coverage > 0.78 && inside[1].coverage > 0.88, "{inside:?}");
    }

    #[test]
    fn a_few_customers_make_one_group_and_say_that_it_is_not_exact() {
        let (f, spend) = shop(12, 3);
        let c = Conformal::fit(&f, &spend, &ConformalConfig::default()).expect("fits");
        assert_eq!((c.groups.len(), c.groups[0].exact), (1, false));
        assert_eq!(Forecasts { spend: c.apply(&f).expect("same levels"), ..f }.flaw(), None);
    }

    #[test]
    fn corrections_follow_the_currency_unit() {
        let (f, spend) = shop(600, 5);
        let scaled = Forecasts {
            expected_spend: f.expected_spend.iter().map(|v| v * 1024.0).collect(),
            spend: Quantiles {
                levels: f.spend.levels.clone(),
                values: f.spend.values.iter().map(|v| v * 1024.0).collect(),
            },
            ..f.clone()
        };
        let outcome: Vec<f64> = spend.iter().map(|v| v * 1024.0).collect();
        let a = Conformal::fit(&f, &spend, &ConformalConfig::default()).and_then(|c| c.apply(&f)).expect("fits");
        let b = Conformal::fit(&scaled, &outcome, &ConformalConfig::default())
            .and_then(|c| c.apply(&scaled))
            .expect("fits");
        for (x, y) in a.values.iter().zip(&b.values) {
            assert!((x * 1024.0 - y).abs() <= 1e-9 * y.abs(), "{x} {y}");
        }
    }

    #[test]
    fn a_forecast_of_zero_for_all_gets_an_interval_from_what_was_spent() {
        let n = 200;
        let f = Forecasts {
            horizon: Horizon::from_days(30).expect("in range"),
            expected_orders: vec![0.0; n],
            expected_spend: vec![0.0; n],
            p_active: vec![0.0; n],
            next_order_days: vec![f64::INFINITY; n],
            spend: Quantiles { levels: INTERVAL_LEVELS.to_vec(), values: vec![0.0; n * 5] },
        };
        let spend: Vec<f64> = (0..n).map(|i| (i % 10) as f64).collect();
        let q = Conformal::fit(&f, &spend, &ConformalConfig::default()).and_then(|c| c.apply(&f)).expect("fits");
        let expected = [0.0, 0.0, 0.0, 9.0, 9.0];
        assert!(q.row(0).iter().zip(expected).all(|(a, b)| (a - b).abs() < 1.0 + 1e-9), "{:?}", q.row(0));
        assert!(matches!(Conformal::fit(&f, &[], &ConformalConfig::default()), Err(ConformalError::Length { .. })));
    }

    #[test]
    fn equal_forecasts_share_a_group() {
        let rates = [1.0; 500];
        let order = argsort(&rates);
        assert_eq!(group_borders(&rates, &order, &ConformalConfig::default()), vec![0, 500]);
    }
}
