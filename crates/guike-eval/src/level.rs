//! Is the total right? A factor for the level of all forecasts, learned on inner anchors and kept only when it helps.
//!
//! The one idea: at every inner anchor we know `actual total / forecast total`. When those ratios agree, multiplying by
//! them is knowledge; when they scatter, it is noise. So the factor is shrunk towards 1 by how much they scatter, and it is
//! kept only if, leaving out each anchor in turn, the factor from the others brings the left-out total nearer.
//!
//! With `r_k = ln(actual / forecast)` at anchor k, prior `b ~ N(0, 0.3²)` (level errors of some 30 % are usual) and
//! `r_k ~ N(b, σ²)`, the factor is `exp(E[b | r])`. `σ²` is estimated from the anchors, never below `0.1²`; overlapping
//! label windows count as the number of independent windows they cover.
//!
//! **Season.** A model that knows only recency and frequency expects the coming season to be like the recent one. The
//! season ratio says how last year's same window compared with the window just before it. Its logarithm times an exponent
//! of 0, ½ or 1 joins the factor; the exponent too is chosen by leaving anchors out.
//!
//! Factors stay within ⅓ … 3: beyond that something else is wrong, which a factor would only hide.

use serde::{Deserialize, Serialize};

use crate::anchors::SEASON_DAYS;

/// Limits of the recalibration.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LevelConfig {
    /// Standard deviation of level errors expected beforehand, on the log scale.
    pub prior_sd: f64,
    /// Least scatter between anchors on the log scale, whatever few anchors happen to show.
    pub min_scatter: f64,
    /// Share by which the left-out error must fall for a factor to be kept.
    pub min_gain: f64,
}

impl Default for LevelConfig {
    fn default() -> LevelConfig {
        LevelConfig { prior_sd: 0.3, min_scatter: 0.1, min_gain: 0.1 }
    }
}

/// Largest factor, and one over the least.
const MAX_FACTOR: f64 = 3.0;
/// Exponents of the season ratio that are tried.
const SEASON_EXPONENTS: [f64; 3] = [0.0, 0.5, 1.0];

/// Totals at one inner anchor.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct AnchorTotal {
    /// Forecast total.
    pub predicted: f64,
    /// What happened.
    pub actual: f64,
    /// Season ratio at that anchor, where a year of history was there (see [`season_ratio`]).
    pub season: Option<f64>,
    /// Relative weight, positive.
    pub weight: f64,
}

/// A level correction, or the reason for none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Level {
    /// Multiply every forecast of spend (mean and quantiles) by this; 1 when not kept.
    pub factor: f64,
    /// The part that is not season.
    pub base: f64,
    /// Exponent on the season ratio: 0 when season is not used.
    pub season_exponent: f64,
    /// Whether the factor passed the leave-one-anchor-out check.
    pub kept: bool,
    /// Weighted mean |ln(actual / forecast)| without correction.
    pub error_before: f64,
    /// The same with each anchor corrected by what the others showed; `None` when fewer than two anchors can be judged.
    pub error_left_out: Option<f64>,
    /// Why, in words.
    pub reason: String,
}

impl Level {
    fn none(error_before: f64, error_left_out: Option<f64>, reason: String) -> Level {
        Level { factor: 1.0, base: 1.0, season_exponent: 0.0, kept: false, error_before, error_left_out, reason }
    }

    /// Learns the factor from inner anchors; `now` is the season ratio at the cutoff itself, and `independent_windows`
    /// comes from the anchor plan.
    ///
    /// ```
    /// use guike_eval::level::{AnchorTotal, Level, LevelConfig};
    /// let at = |predicted, actual| AnchorTotal { predicted, actual, season: None, weight: 1.0 };
    /// let level = Level::fit(&[at(80.0, 100.0), at(82.0, 100.0), at(78.0, 100.0)], None, 3.0, &LevelConfig::default());
    /// assert!(level.kept && level.factor > 1.15 && level.factor < 1.25, "{level:?}");
    /// let level = Level::fit(&[at(80.0, 100.0), at(125.0, 100.0)], None, 2.0, &LevelConfig::default());
    /// assert!(!level.kept && level.factor == 1.0);
    /// ```
    pub fn fit(anchors: &[AnchorTotal], now: Option<f64>, independent_windows: f64, config: &LevelConfig) -> Level {
        let seen: Vec<Seen> = anchors
            .iter()
            .filter(|a| a.predicted > 0.0 && a.actual > 0.0 && a.weight > 0.0)
            .map(|a| Seen {
                ratio: (a.actual / a.predicted).ln(),
                season: a.season.filter(|&s| s > 0.0).map(f64::ln),
                weight: a.weight,
            })
            .collect();
        let before = mean_abs(&seen, |s| s.ratio);
        if seen.len() < 2 {
            let reason = format!("{} anchor with totals is too few to check a level correction", seen.len());
            return Level::none(before, None, reason);
        }
        let share = (independent_windows / anchors.len() as f64).clamp(f64::MIN_POSITIVE, 1.0);
        let now = now.filter(|&s| s > 0.0).map(f64::ln);
        let season_known = now.is_some() && seen.iter().all(|s| s.season.is_some());
        let exponents = if season_known { &SEASON_EXPONENTS[..] } else { &SEASON_EXPONENTS[..1] };
        let (exponent, left_out) = exponents
            .iter()
            .map(|&e| (e, left_out_error(&seen, e, share, config)))
            .reduce(|best, next| if next.1 < best.1 { next } else { best })
            .expect("at least the exponent zero is tried");
        if left_out > before * (1.0 - config.min_gain) {
            let reason = format!(
                "left-out anchors miss by {:.0} % with a level correction and by {:.0} % without: not kept",
                100.0 * left_out.exp_m1(),
                100.0 * before.exp_m1()
            );
            return Level::none(before, Some(left_out), reason);
        }
        let base = posterior(&seen, exponent, share, config);
        let limit = MAX_FACTOR.ln();
        let log_factor = (base + exponent * now.unwrap_or(0.0)).clamp(-limit, limit);
        Level {
            factor: log_factor.exp(),
            base: base.exp(),
            season_exponent: exponent,
            kept: true,
            error_before: before,
            error_left_out: Some(left_out),
            reason: format!(
                "left-out anchors miss by {:.0} % with the level correction instead of {:.0} % without",
                100.0 * left_out.exp_m1(),
                100.0 * before.exp_m1()
            ),
        }
    }
}

/// One anchor on the log scale.
#[derive(Debug, Clone, Copy)]
struct Seen {
    ratio: f64,
    season: Option<f64>,
    weight: f64,
}

impl Seen {
    fn rest(&self, exponent: f64) -> f64 {
        self.ratio - exponent * self.season.unwrap_or(0.0)
    }
}

fn mean_abs(seen: &[Seen], of: impl Fn(&Seen) -> f64) -> f64 {
    let total: f64 = seen.iter().map(|s| s.weight).sum();
    if total == 0.0 { 0.0 } else { seen.iter().map(|s| s.weight * of(s).abs()).sum::<f64>() / total }
}

/// Posterior mean of the level error that is left when the season is taken out.
fn posterior(seen: &[Seen], exponent: f64, share: f64, config: &LevelConfig) -> f64 {
    let total: f64 = seen.iter().map(|s| s.weight).sum();
    let mean = seen.iter().map(|s| s.weight * s.rest(exponent)).sum::<f64>() / total;
    // Kish's effective number of anchors, less what overlap takes away
    let effective = total * total / seen.iter().map(|s| s.weight * s.weight).sum::<f64>() * share;
    let scatter = seen.iter().map(|s| s.weight * (s.rest(exponent) - mean).powi(2)).sum::<f64>() / total;
    let k = seen.len() as f64;
    let variance = if k > 1.0 { scatter * k / (k - 1.0) } else { 0.0 }.max(config.min_scatter * config.min_scatter);
    let prior = config.prior_sd * config.prior_sd;
    mean * prior / (prior + variance / effective.max(share))
}

fn left_out_error(seen: &[Seen], exponent: f64, share: f64, config: &LevelConfig) -> f64 {
    let mut errors: Vec<Seen> = seen.to_vec();
    for (i, e) in errors.iter_mut().enumerate() {
        let mut others = seen.to_vec();
        others.remove(i);
        e.ratio = seen[i].rest(exponent) - posterior(&others, exponent, share, config);
    }
    mean_abs(&errors, |s| s.ratio)
}

/// How the window that begins on `day` compared, a year earlier, with the window just before it: mean spend per day in
/// `[day − 364, day − 364 + horizon)` over that in `[day − 364 − horizon, day − 364)`.
///
/// `daily_spend[i]` is the shop's total on day i of the log; `day` is the index of the first day after the cutoff. `None`
/// when the log does not reach back far enough, the horizon is longer than the year, or there was no spend.
///
/// ```
/// use guike_eval::level::season_ratio;
/// let mut daily = vec![10.0; 400];
/// daily[36..66].fill(30.0);                     // a feast last year
/// assert_eq!(season_ratio(&daily, 400, 30), Some(3.0));
/// assert_eq!(season_ratio(&daily, 380, 30), None, "no window before it");
/// ```
pub fn season_ratio(daily_spend: &[f64], day: usize, horizon: u32) -> Option<f64> {
    let (h, year) = (horizon as usize, SEASON_DAYS as usize);
    let start = day.checked_sub(year)?;
    let before = start.checked_sub(h)?;
    if h > year || h == 0 || day > daily_spend.len() {
        return None;
    }
    let after: f64 = daily_spend[start..start + h].iter().sum();
    let reference: f64 = daily_spend[before..start].iter().sum();
    (after > 0.0 && reference > 0.0).then(|| after / reference)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ratio: f64, season: Option<f64>) -> AnchorTotal {
        AnchorTotal { predicted: 100.0, actual: 100.0 * ratio, season, weight: 1.0 }
    }

    #[test]
    fn one_anchor_is_never_enough() {
        let l = Level::fit(&[at(2.0, None)], None, 1.0, &LevelConfig::default());
        assert!(!l.kept && l.error_left_out.is_none());
        assert_eq!(l.factor, 1.0);
        assert!(!Level::fit(&[], None, 0.0, &LevelConfig::default()).kept);
    }

    #[test]
    fn a_level_that_was_right_is_left_alone() {
        let l = Level::fit(&[at(1.01, None), at(0.99, None), at(1.02, None)], None, 3.0, &LevelConfig::default());
        assert!(!l.kept, "{l:?}");
    }

    #[test]
    fn overlapping_windows_shrink_more() {
        let anchors = [at(1.3, None), at(1.25, None), at(1.35, None)];
        let apart = Level::fit(&anchors, None, 3.0, &LevelConfig::default());
        let over = Level::fit(&anchors, None, 1.5, &LevelConfig::default());
        assert!(apart.kept && over.kept);
        assert!(1.0 < over.factor && over.factor < apart.factor && apart.factor < 1.3);
    }

    #[test]
    fn a_season_that_explains_the_misses_is_used() {
        let anchors = [at(1.8, Some(1.8)), at(0.6, Some(0.62)), at(1.1, Some(1.1))];
        let l = Level::fit(&anchors, Some(1.5), 3.0, &LevelConfig::default());
        assert!(l.kept && l.season_exponent == 1.0, "{l:?}");
        assert!((l.factor - 1.5).abs() < 0.05);
        let blind = Level::fit(&anchors, None, 3.0, &LevelConfig::default());
        assert!(!blind.kept);
    }

    #[test]
    fn factors_are_limited() {
        let l = Level::fit(&[at(50.0, None), at(55.0, None), at(60.0, None)], None, 3.0, &LevelConfig::default());
        assert!(l.kept && (l.factor - 3.0).abs() < 1e-12);
    }
}
