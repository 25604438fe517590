//! Which earlier cutoffs to judge candidates on, and which to train learners on.
//!
//! The one idea: standing at an earlier day (an *anchor*), only what was known then is past, and what we have seen since is
//! the label. Every label window ends by the cutoff, so nothing after the cutoff ever helps to choose or to train.
//!
//! Rules, all in days, with `history` = first purchase day … cutoff day:
//!
//! * A backtest looks `min(horizon, history / 2)` ahead: half of a short log stays to learn from.
//! * The newest anchor's window ends exactly at the cutoff. Older anchors follow at steps of a whole window where the
//!   history is at least four windows long, of half a window from three windows on, and of a quarter below that. Steps
//!   below a window make label windows overlap: [`AnchorPlan::overlapping`] says so, because scores at overlapping anchors
//!   are not independent.
//! * An anchor needs at least half a window of history before it, and never less than [`AnchorConfig::min_history_days`].
//! * With a year or more between the first usable day and the cutoff, the days 364, 728 … before the cutoff (whole weeks,
//!   so that weekdays match) become anchors too: they face the same season as the forecast does. They count fully; other
//!   older anchors count less, because an older shop resembles today's less.
//! * A log shorter than twice [`AnchorConfig::min_window_days`] cannot be backtested; the plan is then empty and says so.

use guike_core::{Cutoff, Day, Horizon};
use serde::{Deserialize, Serialize};

/// Days in the year of 52 whole weeks.
pub const SEASON_DAYS: u32 = 364;

/// Limits of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct AnchorConfig {
    /// Most evaluation anchors besides the seasonal ones. Three show whether a ranking is stable; each costs one fit per
    /// candidate.
    pub max_evaluation: u32,
    /// Most seasonal anchors.
    pub max_seasonal: u32,
    /// Most training anchors.
    pub max_training: u32,
    /// Least days of history before any anchor: two weeks show every weekday twice.
    pub min_history_days: u32,
    /// Shortest label window worth having: one week.
    pub min_window_days: u32,
    /// Weight of an anchor relative to the next newer one, in (0, 1].
    pub ageing: f64,
}

impl Default for AnchorConfig {
    fn default() -> AnchorConfig {
        AnchorConfig {
            max_evaluation: 3,
            max_seasonal: 2,
            max_training: 6,
            min_history_days: 14,
            min_window_days: 7,
            ageing: 0.7,
        }
    }
}

/// An earlier cutoff whose following `horizon` is known by now.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Anchor {
    /// Where we stand.
    pub cutoff: Cutoff,
    /// Length of the label window.
    pub horizon: Horizon,
    /// Days of history known at the anchor.
    pub history_days: u32,
    /// Relative weight when scores are averaged; 1 for the newest.
    pub weight: f64,
    /// Whether the window lies in the same season as the forecast's, whole years earlier.
    pub seasonal: bool,
}

/// Anchors, newest first, and what there is to say about them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AnchorPlan {
    /// Newest first; empty when the history is too short.
    pub anchors: Vec<Anchor>,
    /// Whether any two label windows share a day.
    pub overlapping: bool,
    /// Number of windows' worth of distinct labelled days: the number of independent looks at the future, at most the
    /// number of anchors.
    pub independent_windows: f64,
    /// Whether windows are shorter than the horizon asked for.
    pub shortened: bool,
    /// Remarks for the report.
    pub notes: Vec<String>,
}

/// Days of history at a cutoff: first purchase day and last known day both count.
fn history_at(first_day: Day, cutoff: Cutoff) -> u32 {
    u32::try_from(cutoff.last_day().0 - first_day.0 + 1).unwrap_or(0)
}

/// The evaluation anchors for a forecast at `cutoff` over `horizon` from a log that begins on `first_day`.
///
/// ```
/// use guike_core::{Cutoff, Day, Horizon};
/// use guike_eval::anchors::{evaluation_anchors, AnchorConfig};
/// let first = Day::from_ymd(1997, 1, 1).unwrap();
/// let cutoff = Cutoff::after(Day::from_ymd(1997, 9, 30).unwrap());
/// let plan = evaluation_anchors(first, cutoff, Horizon::from_days(273).unwrap(), &AnchorConfig::default());
/// assert_eq!(plan.anchors[0].horizon.days(), 136, "half of 273 days of history");
/// assert_eq!(plan.anchors[0].cutoff.to_string(), "1997-05-17");
/// assert!(plan.shortened && plan.overlapping);
/// ```
pub fn evaluation_anchors(first_day: Day, cutoff: Cutoff, horizon: Horizon, config: &AnchorConfig) -> AnchorPlan {
    let history = history_at(first_day, cutoff);
    let Some(window) = window(history, horizon, config) else {
        return too_short(history, horizon, config);
    };
    let days = window.days();
    let step = match history / days {
        0..=2 => days / 4,
        3 => days / 2,
        _ => days,
    }
    .max(1);
    let needed = (days / 2).max(config.min_history_days);
    let mut anchors: Vec<Anchor> = (0..config.max_evaluation)
        .map(|k| (days + k * step, config.ageing.powi(k as i32)))
        .filter_map(|(back, weight)| anchor(cutoff, history, window, back, needed, weight, false))
        .collect();
    for year in 1..=config.max_seasonal {
        let back = year * SEASON_DAYS;
        // the label window must have ended by the cutoff; a longer horizon than a year is judged on what fits
        if back < days {
            continue;
        }
        let Some(seasonal) = anchor(cutoff, history, window, back, needed, 1.0, true) else { break };
        // a rolling anchor within a quarter window of it would tell the same story twice
        anchors
            .retain(|a| a.history_days.abs_diff(seasonal.history_days) > days / 4 || a.cutoff == cutoff.earlier(days));
        match anchors.iter_mut().find(|a| a.history_days.abs_diff(seasonal.history_days) <= days / 4) {
            Some(newest) => newest.seasonal = true,
            None => anchors.push(seasonal),
        }
    }
    finish(anchors, window, horizon)
}

/// The labelled anchors a learner may train on when it stands at `cutoff`: as dense as a quarter window, as far back as
/// enough history remains (a third of what the newest has).
pub fn training_anchors(first_day: Day, cutoff: Cutoff, horizon: Horizon, config: &AnchorConfig) -> AnchorPlan {
    let history = history_at(first_day, cutoff);
    let Some(window) = window(history, horizon, config) else {
        return too_short(history, horizon, config);
    };
    let days = window.days();
    let step = (days / 4).max(1);
    let needed = ((history - days) / 3).max(config.min_history_days);
    let anchors = (0..config.max_training)
        .filter_map(|k| anchor(cutoff, history, window, days + k * step, needed, config.ageing.powi(k as i32), false))
        .collect();
    finish(anchors, window, horizon)
}

fn window(history: u32, horizon: Horizon, config: &AnchorConfig) -> Option<Horizon> {
    let days = horizon.days().min(history / 2);
    let shortest = config.min_window_days.min(horizon.days()).max(1);
    (days >= shortest && history - days >= config.min_history_days).then(|| Horizon::from_days(days)).flatten()
}

fn anchor(
    cutoff: Cutoff,
    history: u32,
    window: Horizon,
    back: u32,
    needed: u32,
    weight: f64,
    seasonal: bool,
) -> Option<Anchor> {
    let left = history.checked_sub(back)?;
    (left >= needed.min(history - window.days())).then(|| Anchor {
        cutoff: cutoff.earlier(back),
        horizon: window,
        history_days: left,
        weight,
        seasonal,
    })
}

fn finish(mut anchors: Vec<Anchor>, window: Horizon, horizon: Horizon) -> AnchorPlan {
    anchors.sort_by_key(|a| std::cmp::Reverse(a.cutoff));
    let days = window.days();
    // newest first: a window shares days with the next newer one when it begins less than a window before it
    let gaps: Vec<u32> = anchors.windows(2).map(|w| w[0].history_days - w[1].history_days).collect();
    let covered: u32 = days + gaps.iter().map(|&g| g.min(days)).sum::<u32>();
    let overlapping = gaps.iter().any(|&g| g < days);
    let shortened = days < horizon.days();
    let mut notes = Vec::new();
    if shortened {
        notes.push(format!(
            "the history is too short to test {} days ahead; candidates are tested {days} days ahead",
            horizon.days()
        ));
    }
    if overlapping {
        notes.push("label windows of the anchors overlap, so their scores are not independent".to_owned());
    }
    if anchors.iter().any(|a| a.seasonal) {
        notes.push("one anchor or more lies whole years before the cutoff and so faces the same season".to_owned());
    }
    AnchorPlan { independent_windows: f64::from(covered) / f64::from(days), anchors, overlapping, shortened, notes }
}

fn too_short(history: u32, horizon: Horizon, config: &AnchorConfig) -> AnchorPlan {
    let note = format!(
        "{history} days of history are too few for a backtest; it needs {} days before and {} days after an anchor",
        config.min_history_days, config.min_window_days
    );
    AnchorPlan {
        anchors: Vec::new(),
        overlapping: false,
        independent_windows: 0.0,
        shortened: horizon.days() > history / 2,
        notes: vec![note],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(history: u32, horizon: u32) -> AnchorPlan {
        let cutoff = Cutoff::after(Day(history as i32 - 1));
        evaluation_anchors(Day(0), cutoff, Horizon::from_days(horizon).expect("in range"), &AnchorConfig::default())
    }

    #[test]
    fn every_label_window_ends_by_the_cutoff_and_has_a_past() {
        for history in [1, 5, 20, 21, 28, 60, 137, 273, 400, 577, 800, 1500] {
            for horizon in [1, 7, 30, 90, 162, 273, 365, 1000] {
                for p in [plan(history, horizon), {
                    let cutoff = Cutoff::after(Day(history as i32 - 1));
                    let h = Horizon::from_days(horizon).expect("in range");
                    training_anchors(Day(0), cutoff, h, &AnchorConfig::default())
                }] {
                    for a in &p.anchors {
                        assert!(a.cutoff.last_day().0 + (a.horizon.days() as i32) < history as i32);
                        assert_eq!(a.history_days as i32, a.cutoff.last_day().0 + 1);
                        assert!(a.history_days >= 14, "{history} {horizon} {a:?}");
                        assert!(a.horizon.days() <= horizon);
                    }
                    assert!(p.anchors.windows(2).all(|w| w[0].cutoff > w[1].cutoff), "newest first, all distinct");
                    assert!(p.independent_windows <= p.anchors.len() as f64 + 1e-9);
                    assert_eq!(p.anchors.is_empty(), p.independent_windows == 0.0);
                }
            }
        }
    }

    #[test]
    fn a_thin_history_has_no_anchor_and_says_so() {
        let p = plan(13, 30);
        assert!(p.anchors.is_empty());
        assert!(p.notes[0].contains("13 days of history are too few"), "{:?}", p.notes);
    }

    #[test]
    fn half_of_a_short_history_is_kept_to_learn_from() {
        let p = plan(60, 273);
        assert_eq!(p.anchors[0].horizon.days(), 30);
        assert_eq!(p.anchors[0].history_days, 30);
        assert!(p.shortened);
    }

    #[test]
    fn a_long_history_gets_windows_that_do_not_overlap() {
        let p = plan(300, 30);
        assert!(!p.overlapping && !p.shortened);
        assert_eq!(p.anchors.iter().map(|a| a.history_days).collect::<Vec<_>>(), vec![270, 240, 210]);
        assert_eq!(p.independent_windows, 3.0);
    }

    #[test]
    fn a_year_of_history_brings_the_same_season() {
        // two retail years: 577 days before the cutoff, 162 days ahead
        let p = plan(577, 162);
        let seasonal: Vec<_> = p.anchors.iter().filter(|a| a.seasonal).collect();
        assert_eq!(seasonal.len(), 1);
        assert_eq!(seasonal[0].history_days, 577 - 364);
        assert_eq!(seasonal[0].weight, 1.0);
        assert!(!p.anchors[0].seasonal);
        assert_eq!(plan(1500, 30).anchors.iter().filter(|a| a.seasonal).count(), 2);
    }

    #[test]
    fn training_anchors_are_dense() {
        let cutoff = Cutoff::after(Day(272));
        let h = Horizon::from_days(273).expect("in range");
        let p = training_anchors(Day(0), cutoff, h, &AnchorConfig::default());
        assert_eq!(p.anchors.iter().map(|a| a.history_days).collect::<Vec<_>>(), vec![137, 103, 69]);
    }
}
