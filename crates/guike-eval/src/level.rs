//! Is the total right? A factor for the level of all forecasts, learned on inner anchors and kept only when it helps there.
//!
//! The one idea: at every inner anchor we know `actual total / forecast total`. The anchors that resemble today most say by
//! how much the forecast's level is off; because few windows are weak evidence, the factor is shrunk towards 1.
//!
//! * **Season.** Where anchors lie whole years before the cutoff, only those count: they face the season that the forecast
//!   faces, and a model that knows only recency and frequency misses every season in the same way. Rolling anchors face
//!   other seasons and would undo the correction.
//! * **Newest first.** Otherwise the newest window counts, and older ones that do not overlap a newer one: an overlapping
//!   window repeats what the newer one shows, seen from a younger shop whose customers were still arriving. Each counts
//!   with its weight times the square of the history it had, relative to the newest.
//! * **Shrinkage.** With `r_k = ln(actual / forecast)`, prior `b ~ N(0, 0.3²)` (level errors of some 30 % are usual) and
//!   `r_k ~ N(b, σ² + ν_k)`, the factor is `exp(E[b | r])`. `σ²` is the anchors' own scatter, never below `0.15²`; `ν_k` is
//!   what the customers' own luck does to a total, which matters in small shops. One window of a large shop moves the
//!   level by four fifths of what it shows.
//! * **Kept only when it helps.** The corrected totals must miss those anchors by clearly less than the raw ones, so that
//!   anchors that disagree among themselves change nothing.
//!
//! * **Drift.** What a level misses is mostly drift (growth, prices, habits), and drift accumulates: a forecast twice as far
//!   ahead misses by about twice as much on the log scale. So a factor above 1 learned on windows of h days is raised to the
//!   power `horizon / h`, at most 1½ ([`Level::factor_at`]): half as far again as was seen, no further. A factor below 1 is used as it is, because expected spend
//!   must not fall when the horizon grows.
//!
//! Factors stay within ⅓ … 3: beyond that something else is wrong, which a factor would only hide.

use serde::{Deserialize, Serialize};

/// Limits of the recalibration.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LevelConfig {
    /// Standard deviation of level errors expected beforehand, on the log scale.
    pub prior_sd: f64,
    /// Least scatter between windows on the log scale, whatever few anchors happen to show.
    pub min_scatter: f64,
    /// Share by which the mean miss must fall for a factor to be kept.
    pub min_gain: f64,
}

impl Default for LevelConfig {
    fn default() -> LevelConfig {
        LevelConfig { prior_sd: 0.3, min_scatter: 0.15, min_gain: 0.1 }
    }
}

/// Largest factor, and one over the least.
const MAX_FACTOR: f64 = 3.0;
/// Most windows over which drift is carried on: beyond that nothing was seen of it.
const MAX_STRETCH: f64 = 1.5;

/// Totals at one inner anchor.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct AnchorTotal {
    /// Forecast total.
    pub predicted: f64,
    /// What happened.
    pub actual: f64,
    /// Relative variance of the actual total by the customers' own luck: Σ (actual − forecast)² / (Σ actual)².
    pub noise: f64,
    /// Days of history at the anchor.
    pub history_days: u32,
    /// Whether the window lies whole years before the forecast's.
    pub seasonal: bool,
    /// Relative weight, positive.
    pub weight: f64,
}

/// A level correction, or the reason for none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Level {
    /// What forecasts over windows of `window_days` are multiplied by; 1 when not kept.
    pub factor: f64,
    /// Length of the windows it was learned on, in days.
    pub window_days: u32,
    /// Whether the factor was kept.
    pub kept: bool,
    /// Whether it was learned in the same season of earlier years.
    pub seasonal: bool,
    /// Weighted mean of |ln(actual / forecast)| at the anchors used, as forecast.
    pub error_before: f64,
    /// The same after the factor.
    pub error_after: f64,
    /// Why, in words.
    pub reason: String,
}

impl Level {
    /// Learns the factor from inner anchors, newest first, each followed by a window of `window_days`.
    ///
    /// ```
    /// use guike_eval::level::{AnchorTotal, Level, LevelConfig};
    /// let at = |history_days, predicted, actual| AnchorTotal { predicted, actual, history_days, noise: 0.0, seasonal: false, weight: 1.0 };
    /// let level = Level::fit(&[at(400, 80.0, 100.0), at(310, 82.0, 100.0), at(220, 78.0, 100.0)], 90, &LevelConfig::default());
    /// assert!(level.kept && level.factor > 1.15 && level.factor < 1.25, "{level:?}");
    /// assert!((level.factor_at(135) - level.factor.powf(1.5)).abs() < 1e-12, "half as far again, half as much again");
    /// let level = Level::fit(&[at(400, 80.0, 100.0), at(310, 145.0, 100.0)], 90, &LevelConfig::default());
    /// assert!(!level.kept && level.factor == 1.0);
    /// ```
    pub fn fit(anchors: &[AnchorTotal], window_days: u32, config: &LevelConfig) -> Level {
        let usable = |a: &&AnchorTotal| a.predicted > 0.0 && a.actual > 0.0 && a.weight > 0.0 && a.history_days > 0;
        let seasonal = anchors.iter().filter(usable).any(|a| a.seasonal);
        let newest = anchors.iter().map(|a| a.history_days).max().unwrap_or(0);
        let mut begins = u32::MAX;
        let seen: Vec<Seen> = anchors
            .iter()
            .filter(usable)
            .filter(|a| a.seasonal || !seasonal)
            .filter(|a| {
                let apart = a.history_days.saturating_add(window_days) <= begins;
                if apart {
                    begins = a.history_days;
                }
                apart
            })
            .map(|a| Seen {
                ratio: (a.actual / a.predicted).ln(),
                noise: a.noise.max(0.0),
                weight: if seasonal {
                    a.weight
                } else {
                    a.weight * (f64::from(a.history_days) / f64::from(newest)).powi(2)
                },
            })
            .collect();
        if seen.is_empty() {
            let reason = "there is no earlier window with a forecast and purchases to learn a level from".to_owned();
            let (error_before, error_after) = (0.0, 0.0);
            return Level { factor: 1.0, window_days, kept: false, seasonal, error_before, error_after, reason };
        }
        let limit = MAX_FACTOR.ln();
        let log_factor = posterior(&seen, config).clamp(-limit, limit);
        let before = mean_abs(&seen, 0.0);
        let after = mean_abs(&seen, log_factor);
        let kept = after <= before * (1.0 - config.min_gain);
        let windows = if seasonal { "the same season of earlier years" } else { "earlier windows" };
        let reason = format!(
            "totals in {windows} missed by {:.0} % as forecast and by {:.0} % after a factor of {:.3}: {}",
            100.0 * before.exp_m1(),
            100.0 * after.exp_m1(),
            log_factor.exp(),
            if kept { "kept" } else { "not kept" }
        );
        let factor = if kept { log_factor.exp() } else { 1.0 };
        Level { factor, window_days, kept, seasonal, error_before: before, error_after: after, reason }
    }

    /// What forecasts over this many days are multiplied by.
    pub fn factor_at(&self, horizon_days: u32) -> f64 {
        if self.factor <= 1.0 || self.window_days == 0 {
            return self.factor;
        }
        let stretch = (f64::from(horizon_days) / f64::from(self.window_days)).min(MAX_STRETCH);
        self.factor.powf(stretch).min(MAX_FACTOR)
    }
}

/// One anchor on the log scale.
#[derive(Debug, Clone, Copy)]
struct Seen {
    ratio: f64,
    noise: f64,
    weight: f64,
}

fn mean_abs(seen: &[Seen], shift: f64) -> f64 {
    let total: f64 = seen.iter().map(|s| s.weight).sum();
    seen.iter().map(|s| s.weight * (s.ratio - shift).abs()).sum::<f64>() / total
}

/// Posterior mean of the level error.
fn posterior(seen: &[Seen], config: &LevelConfig) -> f64 {
    let total: f64 = seen.iter().map(|s| s.weight).sum();
    let mean = seen.iter().map(|s| s.weight * s.ratio).sum::<f64>() / total;
    // Kish's effective number of anchors
    let effective = total * total / seen.iter().map(|s| s.weight * s.weight).sum::<f64>();
    let scatter = seen.iter().map(|s| s.weight * (s.ratio - mean).powi(2)).sum::<f64>() / total;
    let k = seen.len() as f64;
    let variance = if k > 1.0 { scatter * k / (k - 1.0) } else { 0.0 }.max(config.min_scatter * config.min_scatter);
    let noise = seen.iter().map(|s| s.weight * s.noise).sum::<f64>() / total;
    let prior = config.prior_sd * config.prior_sd;
    mean * prior / (prior + (variance + noise) / effective)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ratio: f64, history_days: u32, seasonal: bool) -> AnchorTotal {
        AnchorTotal { predicted: 100.0, actual: 100.0 * ratio, noise: 0.0, history_days, seasonal, weight: 1.0 }
    }

    fn fit(anchors: &[AnchorTotal]) -> Level {
        Level::fit(anchors, 90, &LevelConfig::default())
    }

    #[test]
    fn one_window_moves_the_level_by_four_fifths() {
        let l = fit(&[at(1.5, 100, false)]);
        assert!(l.kept);
        assert!((l.factor.ln() - 0.8 * 1.5f64.ln()).abs() < 1e-12, "{l:?}");
        assert!(!fit(&[]).kept);
    }

    #[test]
    fn anchors_that_disagree_change_nothing() {
        let l = fit(&[at(1.3, 200, false), at(0.6, 110, false)]);
        assert!(!l.kept && l.factor == 1.0, "{l:?}");
    }

    #[test]
    fn the_luck_of_few_customers_counts_less() {
        let lucky = AnchorTotal { noise: 0.1, ..at(1.5, 100, false) };
        assert!(fit(&[lucky]).factor < fit(&[at(1.5, 100, false)]).factor);
    }

    #[test]
    fn windows_that_overlap_a_newer_one_do_not_count() {
        let newest = at(1.25, 200, false);
        assert_eq!(fit(&[newest, at(0.9, 180, false), at(0.9, 111, false)]).factor, fit(&[newest]).factor);
        assert!(fit(&[newest, at(1.0, 110, false)]).factor < fit(&[newest]).factor);
    }

    #[test]
    fn the_same_season_of_earlier_years_decides_alone() {
        let l = fit(&[at(0.7, 400, false), at(0.8, 300, false), at(1.25, 213, true)]);
        assert!(l.kept && l.seasonal && l.factor > 1.15, "{l:?}");
    }

    #[test]
    fn an_older_anchor_stands_in_a_younger_shop_and_counts_less() {
        let l = fit(&[at(1.25, 200, false), at(0.95, 50, false)]);
        assert!(l.kept && l.factor > 1.1, "{l:?}");
    }

    #[test]
    fn drift_accumulates_upwards_only() {
        let up = fit(&[at(1.2, 100, false)]);
        assert!(up.factor_at(45) < up.factor && up.factor < up.factor_at(135));
        assert_eq!(up.factor_at(180), up.factor_at(900));
        let down = fit(&[at(0.8, 100, false)]);
        assert_eq!((down.factor_at(1), down.factor_at(900)), (down.factor, down.factor));
    }

    #[test]
    fn factors_are_limited() {
        let l = fit(&[at(50.0, 300, false), at(55.0, 200, false), at(60.0, 100, false)]);
        assert!(l.kept && (l.factor - 3.0).abs() < 1e-12);
    }

    #[test]
    fn windows_without_purchases_teach_nothing() {
        let empty =
            AnchorTotal { predicted: 5.0, actual: 0.0, noise: 0.0, history_days: 9, seasonal: false, weight: 1.0 };
        assert!(!fit(&[empty]).kept);
    }
}
