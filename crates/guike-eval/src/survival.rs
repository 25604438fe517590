//! How long until something happens, where for some it has not happened yet: Kaplan and Meier's estimate with its bands.
//!
//! The one idea: somebody who was only watched for `t` days says something about the days up to `t` and nothing about those
//! after. Day by day, the share of those still watched to whom it happens is taken, and what is left multiplies.
//!
//! It holds when who is watched for less long is like the others. Customers who bought first of late are watched shorter: where
//! new customers are of another kind than old ones, late days of a curve tell of the old ones only.

use serde::{Deserialize, Serialize};

/// Standard normal quantile of a two-sided band of 95 %.
const Z95: f64 = 1.959_963_984_540_054;

/// A day of the estimate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SurvivalStep {
    /// Days since the watch began.
    pub day: u32,
    /// Who was still watched when the day began.
    pub at_risk: u64,
    /// To whom it happened on that day.
    pub events: u64,
    /// Share to whom it has not happened by the end of the day.
    pub survival: f64,
    /// Standard error of that share (Greenwood).
    pub error: f64,
    /// Lower end of its 95 % band.
    pub lo: f64,
    /// Upper end.
    pub hi: f64,
}

/// Share to whom it has not happened, at every day on which it happens to somebody.
///
/// `watched` holds for each how many days until it happened (`true`), or how long there was nothing (`false`); a watch that
/// ends on a day on which it happens to others was still on when that happened.
/// With `S` the product of `1 − d/n` over days (d events among n at risk), Greenwood's variance is
/// `S² Σ d / (n (n − d))`, and the band is symmetric in `ln(−ln S)`: `S^exp(±z √V / ln S)` with `V` that sum, which keeps
/// it within 0 and 1. Where `S` is 0 the band is not known and spans what it was the day before.
///
/// # Source
/// Kaplan & Meier (1958); Greenwood (1926); Kalbfleisch & Prentice, *The Statistical Analysis of Failure Time Data* (2nd ed.,
/// 2002), section 1.4; checked against their example of remissions under 6-mercaptopurine (Freireich et al. 1963).
///
/// # Example
/// ```
/// let steps = guike_eval::kaplan_meier(&mut [(1, true), (2, false), (3, true), (4, false)]);
/// assert_eq!((steps[0].survival, steps[1].survival), (0.75, 0.375));
/// assert_eq!((steps[1].day, steps[1].at_risk), (3, 2));
/// assert!(guike_eval::kaplan_meier(&mut [(5, false)]).is_empty(), "nothing has happened yet");
/// ```
pub fn kaplan_meier(watched: &mut [(u32, bool)]) -> Vec<SurvivalStep> {
    watched.sort_unstable();
    let mut steps: Vec<SurvivalStep> = Vec::new();
    let (mut survival, mut sum, mut at) = (1.0, 0.0, 0);
    while at < watched.len() {
        let day = watched[at].0;
        let same = watched[at..].partition_point(|w| w.0 == day);
        let events = watched[at..at + same].iter().filter(|w| w.1).count();
        let at_risk = watched.len() - at;
        at += same;
        if events == 0 {
            continue;
        }
        let (n, d) = (at_risk as f64, events as f64);
        survival *= 1.0 - d / n;
        sum += d / (n * (n - d));
        let (lo, hi) = match survival {
            s if s > 0.0 => {
                let spread = Z95 * f64::sqrt(sum) / -s.ln();
                (s.powf(spread.exp()), s.powf((-spread).exp()))
            }
            _ => (0.0, steps.last().map_or(1.0, |s| s.hi)),
        };
        let error = if survival > 0.0 { survival * f64::sqrt(sum) } else { 0.0 };
        let (at_risk, events) = (at_risk as u64, events as u64);
        steps.push(SurvivalStep { day, at_risk, events, survival, error, lo, hi });
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Weeks in remission of 21 patients under 6-mercaptopurine; `false` where it lasted longer than they were watched.
    const REMISSION: [(u32, bool); 21] = [
        (6, true),
        (6, true),
        (6, true),
        (6, false),
        (7, true),
        (9, false),
        (10, true),
        (10, false),
        (11, false),
        (13, true),
        (16, true),
        (17, false),
        (19, false),
        (20, false),
        (22, true),
        (23, true),
        (25, false),
        (32, false),
        (32, false),
        (34, false),
        (35, false),
    ];

    #[test]
    fn the_remissions_of_freireich_come_out_to_the_printed_digits() {
        // week, at risk, S, Greenwood's error, ends of the log-log band
        let printed = [
            (6, 21, 0.857, 0.0764, 0.620, 0.952),
            (7, 17, 0.807, 0.0869, 0.563, 0.923),
            (10, 15, 0.753, 0.0963, 0.503, 0.889),
            (13, 12, 0.690, 0.1068, 0.432, 0.849),
            (16, 11, 0.627, 0.1141, 0.368, 0.805),
            (22, 7, 0.538, 0.1282, 0.268, 0.747),
            (23, 6, 0.448, 0.1346, 0.188, 0.680),
        ];
        let mut shuffled = REMISSION;
        shuffled.reverse();
        let found = kaplan_meier(&mut shuffled);
        assert_eq!(found.len(), printed.len());
        for (step, (day, at_risk, survival, error, lo, hi)) in found.iter().zip(printed) {
            assert_eq!((step.day, step.at_risk), (day, at_risk));
            let near = |a: f64, b: f64, digit: f64| (a - b).abs() <= 0.5 * digit + 1e-9;
            assert!(near(step.survival, survival, 1e-3) && near(step.error, error, 1e-4), "{step:?}");
            assert!(near(step.lo, lo, 1e-3) && near(step.hi, hi, 1e-3), "{step:?}");
        }
    }

    #[test]
    fn without_anybody_who_leaves_early_it_is_the_share_that_is_left() {
        let mut all: Vec<(u32, bool)> = (1..=10).map(|d| (d, true)).collect();
        let steps = kaplan_meier(&mut all);
        for (k, step) in steps.iter().enumerate() {
            assert!((step.survival - (9 - k) as f64 / 10.0).abs() < 1e-12);
            assert!((0.0..=step.survival).contains(&step.lo) && (step.survival..=1.0).contains(&step.hi), "{step:?}");
        }
        assert!(kaplan_meier(&mut []).is_empty());
    }
}
