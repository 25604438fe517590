//! Scores of whole forecast distributions: pinball, CRPS from quantiles, log score of counts, coverage of intervals.

use guike_core::Quantiles;
use serde::{Deserialize, Serialize};

/// Probabilities below this count as this in log scores, so that one impossible event does not hide all others.
pub const MIN_PROBABILITY: f64 = 1e-12;

/// Pinball loss of a `level` quantile for one outcome: `level · (y − q)` above it, `(1 − level) · (q − y)` below.
///
/// ```
/// assert!((guike_eval::distribution::pinball(10.0, 4.0, 0.9) - 5.4).abs() < 1e-12);
/// ```
pub fn pinball(actual: f64, quantile: f64, level: f64) -> f64 {
    if actual >= quantile { level * (actual - quantile) } else { (1.0 - level) * (quantile - actual) }
}

/// Mean pinball loss at every level of the quantiles.
pub fn pinball_by_level(actual: &[f64], quantiles: &Quantiles) -> Vec<f64> {
    check(actual, quantiles);
    let n = actual.len().max(1) as f64;
    let mut sums = vec![0.0; quantiles.levels.len()];
    for (i, &y) in actual.iter().enumerate() {
        for ((s, &q), &l) in sums.iter_mut().zip(quantiles.row(i)).zip(&quantiles.levels) {
            *s += pinball(y, q, l);
        }
    }
    sums.iter().map(|s| s / n).collect()
}

/// Continuous ranked probability score approximated from a few quantiles: twice the pinball loss integrated over levels,
/// each level standing for the levels nearer to it than to its neighbours.
///
/// In the unit of the outcome; a point forecast's CRPS is its absolute error. With the five levels that forecasts carry it
/// is coarse but still proper for those quantiles.
///
/// # Source
/// Gneiting & Ranjan (2011), eq. 12: CRPS = ∫ 2 ρ_τ(y − q_τ) dτ.
pub fn crps(actual: &[f64], quantiles: &Quantiles) -> f64 {
    let weights = level_weights(&quantiles.levels);
    2.0 * pinball_by_level(actual, quantiles).iter().zip(weights).map(|(p, w)| p * w).sum::<f64>()
}

/// Width of the cell of levels around each level; they sum to one.
fn level_weights(levels: &[f64]) -> Vec<f64> {
    let k = levels.len();
    (0..k)
        .map(|j| {
            let low = if j == 0 { 0.0 } else { (levels[j - 1] + levels[j]) / 2.0 };
            let high = if j + 1 == k { 1.0 } else { (levels[j] + levels[j + 1]) / 2.0 };
            high - low
        })
        .collect()
}

/// Mean negative log probability of the observed counts; `pmf` is row-major n × `width` and its last column is the
/// probability of `width − 1` or more.
///
/// ```
/// use guike_eval::distribution::count_log_score;
/// let pmf = [0.5, 0.25, 0.25];                      // one customer: P(0), P(1), P(2 or more)
/// assert!((count_log_score(&[7], &pmf, 3) - 4f64.ln()).abs() < 1e-12);
/// ```
///
/// # Panics
/// When `pmf` does not have one row per count.
pub fn count_log_score(counts: &[u32], pmf: &[f64], width: usize) -> f64 {
    assert_eq!(pmf.len(), counts.len() * width, "one row of probabilities per count");
    if counts.is_empty() {
        return 0.0;
    }
    let sum: f64 = counts
        .iter()
        .zip(pmf.chunks_exact(width))
        .map(|(&c, row)| -row[(c as usize).min(width - 1)].max(MIN_PROBABILITY).ln())
        .sum();
    sum / counts.len() as f64
}

/// Mean negative log-likelihood of "bought at all" under `p_active`.
pub fn active_log_score(active: &[bool], p_active: &[f64]) -> f64 {
    assert_eq!(active.len(), p_active.len(), "one probability per case");
    let sum: f64 =
        active.iter().zip(p_active).map(|(&a, &p)| -(if a { p } else { 1.0 - p }).max(MIN_PROBABILITY).ln()).sum();
    if active.is_empty() { 0.0 } else { sum / active.len() as f64 }
}

/// How an interval did.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Coverage {
    /// Nominal coverage, such as 0.8.
    pub nominal: f64,
    /// The coverage to expect of right quantiles: nominal, and the lower tail of those whose interval begins at zero,
    /// because nobody spends less than nothing.
    pub expected: f64,
    /// Share of outcomes within the closed interval.
    pub coverage: f64,
    /// Share of outcomes below the lower end.
    pub below: f64,
    /// Share of outcomes above the upper end.
    pub above: f64,
    /// Mean width.
    pub width_mean: f64,
    /// Median width.
    pub width_median: f64,
    /// Mean interval score (lower is better): width + 2/α × the distance by which the outcome is missed.
    pub score: f64,
}

/// Coverage and width of the closed, central intervals `[lower, upper]` of nominal coverage `nominal`, of outcomes that are
/// never negative; `None` without cases.
///
/// # Source
/// Interval score: Gneiting & Raftery (2007), eq. 43.
pub fn interval_coverage(actual: &[f64], lower: &[f64], upper: &[f64], nominal: f64) -> Option<Coverage> {
    assert!(actual.len() == lower.len() && actual.len() == upper.len(), "one interval per case");
    if actual.is_empty() {
        return None;
    }
    let n = actual.len() as f64;
    let alpha = 1.0 - nominal;
    let (mut below, mut above, mut score) = (0usize, 0usize, 0.0);
    let from_zero = lower.iter().filter(|l| **l <= 0.0).count();
    let mut widths: Vec<f64> = lower.iter().zip(upper).map(|(l, u)| u - l).collect();
    for ((&y, &l), &u) in actual.iter().zip(lower).zip(upper) {
        below += usize::from(y < l);
        above += usize::from(y > u);
        score += (u - l) + 2.0 / alpha * ((l - y).max(0.0) + (y - u).max(0.0));
    }
    let width_mean = widths.iter().sum::<f64>() / n;
    widths.sort_by(f64::total_cmp);
    Some(Coverage {
        nominal,
        expected: nominal + 0.5 * alpha * from_zero as f64 / n,
        coverage: (actual.len() - below - above) as f64 / n,
        below: below as f64 / n,
        above: above as f64 / n,
        width_mean,
        width_median: percentile(&widths, 0.5),
        score: score / n,
    })
}

/// The central 80 % and 90 % intervals of the quantiles, where their levels are there.
pub fn central_intervals(actual: &[f64], quantiles: &Quantiles) -> Vec<Coverage> {
    [(0.10, 0.90, 0.8), (0.05, 0.95, 0.9)]
        .into_iter()
        .filter_map(|(low, high, nominal)| {
            interval_coverage(actual, &quantiles.at(low)?, &quantiles.at(high)?, nominal)
        })
        .collect()
}

/// The `p` quantile of ascending values by linear interpolation (numpy's default); values must not be empty.
pub(crate) fn percentile(sorted: &[f64], p: f64) -> f64 {
    let at = p * (sorted.len() - 1) as f64;
    let low = at.floor() as usize;
    let high = (low + 1).min(sorted.len() - 1);
    sorted[low] + (sorted[high] - sorted[low]) * (at - low as f64)
}

fn check(actual: &[f64], quantiles: &Quantiles) {
    assert_eq!(quantiles.values.len(), actual.len() * quantiles.levels.len(), "one row of quantiles per case");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crps_of_a_point_forecast_is_its_absolute_error() {
        let q = Quantiles { levels: vec![0.05, 0.1, 0.5, 0.9, 0.95], values: vec![3.0; 5] };
        let expected: f64 = 2.0 * level_weights(&q.levels).iter().zip(&q.levels).map(|(w, l)| w * l * 4.0).sum::<f64>();
        assert!((crps(&[7.0], &q) - expected).abs() < 1e-12);
        assert!((expected - 4.0).abs() < 0.01, "{expected}");
        assert!((level_weights(&q.levels).iter().sum::<f64>() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn many_quantiles_approach_the_exact_crps_of_a_uniform() {
        // CRPS of U(0, 1) at y = 0.3: ∫(F − 1{x ≥ y})² dx = 0.3³/3 + 0.7³/3
        let levels: Vec<f64> = (0..1000).map(|i| (f64::from(i) + 0.5) / 1000.0).collect();
        let q = Quantiles { values: levels.clone(), levels };
        assert!((crps(&[0.3], &q) - (0.027 + 0.343) / 3.0).abs() < 1e-5);
    }

    #[test]
    fn coverage_counts_both_ends_as_inside() {
        let c = interval_coverage(&[0.0, 1.0, 2.0, 5.0], &[0.0; 4], &[2.0; 4], 0.8).expect("cases");
        assert_eq!((c.coverage, c.below, c.above), (0.75, 0.0, 0.25));
        assert!((c.expected - 0.9).abs() < 1e-12, "no outcome can fall below these");
        let away = interval_coverage(&[0.0, 1.0], &[0.0, 0.5], &[2.0; 2], 0.8).expect("cases");
        assert!((away.expected - 0.85).abs() < 1e-12);
        assert!((c.score - (2.0 + 10.0 * 3.0 / 4.0)).abs() < 1e-9);
        assert!(interval_coverage(&[], &[], &[], 0.8).is_none());
    }

    #[test]
    fn impossible_events_cost_much_but_not_everything() {
        let s = active_log_score(&[true, false], &[0.0, 0.0]);
        assert!((s - -MIN_PROBABILITY.ln() / 2.0).abs() < 1e-9);
    }

    #[test]
    fn percentiles_interpolate_like_numpy() {
        assert_eq!(percentile(&[1.0, 2.0, 4.0], 0.75), 3.0);
        assert_eq!(percentile(&[5.0], 0.3), 5.0);
    }
}
