//! Where a prediction stands: its tier among those of training, and an interval.
//!
//! The one idea: all of it is learned from predictions of rows that the model had not seen (out of fold), is kept in
//! `model.json` as a few sorted numbers, and costs a look into a short list when it is asked for.
//!
//! * **Tiers** cut what is predicted (a number, or the probability of the positive class) at shares of the rows of training,
//!   or at borders that were given. Of several classes none is better than another, so that there are none.
//! * **The interval of a number** is where the middle 80 % of the truth lay, out of fold, around predictions about as large:
//!   Mondrian conformal regression (Boström & Johansson 2020, <https://proceedings.mlr.press/v128/bostrom20a.html>), with
//!   cross-validated residuals (Barber, Candès, Ramdas & Tibshirani 2021, <https://arxiv.org/abs/1905.02928>, section 2.2).
//!   The model is fitted to all rows afterwards, so that the share is measured and not guaranteed: the rows kept apart say it.
//! * **The interval of a probability** are the two of an inductive Venn–Abers predictor (Vovk & Petej 2014,
//!   <https://arxiv.org/abs/1211.0025>): the isotonic calibration if this row were of the class, and if it were not. Scores
//!   are first put into classes of equally many rows, and the interval is widened where it does not hold the probability itself.

use guike_decide::TierName;
use guike_decide::names::default_names;
use guike_decide::rules::default_customer_shares;
use serde::{Deserialize, Serialize};

use crate::error::Error;

use super::target::Outcome;

/// How much of the truth an interval of numbers is to hold.
const LEVEL: f64 = 0.8;
/// Classes of predictions that have residuals of their own, and rows that each needs.
const MOST_BINS: usize = 10;
const ROWS_OF_BIN: usize = 50;
/// Fewer residuals than this have no tenth on either side.
const FEWEST: usize = 9;
/// Classes of scores whose calibration is told apart, and rows that each needs.
const MOST_STEPS: usize = 100;
const ROWS_OF_STEP: usize = 10;
/// Tiers where no borders are given, as of a run.
const TIERS: usize = 5;

/// Names of tiers of a probability, which may be one of something bad.
const CHANCES: [(&str, &str, &str); 5] = [
    ("very-high", "Very high", "很高"),
    ("high", "High", "高"),
    ("middle", "Middle", "中"),
    ("low", "Low", "低"),
    ("very-low", "Very low", "很低"),
];

/// An interval of a prediction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Its lower end.
    pub lower: f64,
    /// Its upper end.
    pub upper: f64,
    /// Which share of the truth it is to hold; `None` for that of a probability.
    pub level: Option<f64>,
}

/// What is learned about where predictions stand.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Standing {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) tiers: Option<Tiers>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    numbers: Option<Residuals>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    classes: Vec<Calibrations>,
}

/// Tiers, the best or most probable first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Tiers {
    pub(super) names: Vec<TierName>,
    /// From which prediction on each begins, but for the last.
    pub(super) at_least: Vec<f64>,
}

/// How far the truth lay from predictions, by how large these were.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Residuals {
    level: f64,
    /// Where all classes but the first begin.
    starts: Vec<f64>,
    /// What is added to a prediction of each class.
    lower: Vec<f64>,
    upper: Vec<f64>,
    /// No row of training was below this.
    floor: Option<f64>,
}

/// The two calibrations of a class's probability.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Calibrations {
    /// Where all steps but the first begin.
    starts: Vec<f64>,
    /// Were the row not of the class, and were it.
    lower: Vec<f64>,
    upper: Vec<f64>,
}

/// How the intervals did on the rows kept apart.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Kept {
    rows: usize,
    /// Of numbers: what was to be within, what was, and how wide intervals are on average.
    #[serde(skip_serializing_if = "Option::is_none")]
    level: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    within: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mean_width: Option<f64>,
    /// Of the positive class: the share of it, and the means of both ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    share: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mean_lower: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mean_upper: Option<f64>,
}

impl Standing {
    /// From out-of-fold predictions (row-major) with the truth; `borders` of tiers where they are given, falling.
    ///
    /// # Errors
    /// [`Error::Config`] for borders that this target cannot have.
    pub(super) fn fit(predicted: &[f64], y: &[f64], outcome: &Outcome, borders: &[f64]) -> Result<Standing, Error> {
        let k = outcome.task().n_outputs();
        let column = |c: usize| predicted.iter().skip(c).step_by(k).copied().collect::<Vec<f64>>();
        let tiered = match outcome {
            Outcome::Regression => Some(0),
            Outcome::Classification { positive, .. } => *positive,
        };
        let tiers = match tiered {
            Some(c) => Tiers::fit(&column(c), outcome, borders)?,
            None if borders.is_empty() => None,
            None => return Err(refused(borders, "of several classes none is better than another; leave them out")),
        };
        let is_sound = !y.is_empty() && predicted.iter().all(|p| p.is_finite());
        let (numbers, classes) = match outcome {
            _ if !is_sound => (None, Vec::new()),
            Outcome::Regression => (Residuals::fit(predicted, y), Vec::new()),
            Outcome::Classification { classes, positive } => {
                let of = |c: usize| {
                    let is: Vec<bool> = y.iter().map(|&y| y as usize == c).collect();
                    Calibrations::fit(&column(c), &is)
                };
                let fitted = match positive {
                    // two classes say the same from both sides
                    Some(p) if *p == 0 => vec![of(0), of(0).mirrored()],
                    Some(_) => vec![of(1).mirrored(), of(1)],
                    None => (0..classes.len()).map(of).collect(),
                };
                (None, fitted)
            }
        };
        Ok(Standing { tiers, numbers, classes })
    }

    /// In words, what is damaged.
    pub(super) fn check(&self, n_outputs: usize) -> Result<(), String> {
        let rises = |v: &[f64]| v.windows(2).all(|w| w[0] < w[1]) && v.iter().all(|x| x.is_finite());
        let fits = |starts: &[f64], lower: &[f64], upper: &[f64]| {
            let n = starts.len() + 1;
            rises(starts)
                && (lower.len(), upper.len()) == (n, n)
                && lower.iter().zip(upper).all(|(l, u)| l <= u && l.is_finite() && u.is_finite())
        };
        let tiers = self.tiers.as_ref().is_none_or(|t| {
            let is_key = |c: char| c.is_ascii_alphanumeric() || c == '-';
            t.names.len() == t.at_least.len() + 1
                && t.names.iter().all(|n| n.key.chars().all(is_key))
                && t.at_least.windows(2).all(|w| w[0] >= w[1])
        });
        let numbers = self.numbers.as_ref().is_none_or(|r| fits(&r.starts, &r.lower, &r.upper));
        let classes = self.classes.is_empty() || self.classes.len() == n_outputs;
        if tiers && numbers && classes && self.classes.iter().all(|c| fits(&c.starts, &c.lower, &c.upper)) {
            return Ok(());
        }
        Err("its tiers or intervals do not hold together".to_owned())
    }

    /// The tier of a prediction.
    pub(super) fn tier(&self, values: &[f64], outcome: &Outcome) -> Option<&TierName> {
        let tiers = self.tiers.as_ref()?;
        let value = values.get(outcome.positive().unwrap_or(0)).filter(|v| !v.is_nan())?;
        tiers.names.get(tiers.at_least.iter().position(|b| value >= b).unwrap_or(tiers.at_least.len()))
    }

    /// The interval of a number, or of the probability of `class`.
    pub(super) fn interval(&self, values: &[f64], class: usize) -> Option<Interval> {
        let value = *values.get(class).filter(|v| !v.is_nan())?;
        if let Some(r) = &self.numbers {
            let bin = place(&r.starts, value);
            let least = |v: f64| r.floor.map_or(v, |floor| v.max(floor));
            let (lower, upper) = (least(value + r.lower[bin]), least(value + r.upper[bin]));
            return Some(Interval { lower, upper, level: Some(r.level) });
        }
        let c = self.classes.get(class)?;
        let step = place(&c.starts, value);
        Some(Interval { lower: c.lower[step].min(value), upper: c.upper[step].max(value), level: None })
    }

    /// How intervals did on rows that took no part.
    pub(super) fn kept(&self, predicted: &[f64], y: &[f64], outcome: &Outcome) -> Option<Kept> {
        let k = outcome.task().n_outputs();
        let class = outcome.positive().unwrap_or(0);
        if k > 1 && outcome.positive().is_none() {
            return None;
        }
        let each: Vec<Interval> =
            predicted.chunks_exact(k).map(|p| self.interval(p, class)).collect::<Option<Vec<_>>>()?;
        let n = each.len() as f64;
        let mean = |v: &dyn Fn(usize) -> f64| Some((0..each.len()).map(v).sum::<f64>() / n).filter(|m| m.is_finite());
        let mut kept = Kept {
            rows: each.len(),
            level: None,
            within: None,
            mean_width: None,
            share: None,
            mean_lower: None,
            mean_upper: None,
        };
        if self.numbers.is_some() {
            kept.level = Some(LEVEL);
            kept.within = mean(&|i| f64::from(u8::from(each[i].lower <= y[i] && y[i] <= each[i].upper)));
            kept.mean_width = mean(&|i| each[i].upper - each[i].lower);
        } else {
            kept.share = mean(&|i| f64::from(u8::from(y[i] as usize == class)));
            kept.mean_lower = mean(&|i| each[i].lower);
            kept.mean_upper = mean(&|i| each[i].upper);
        }
        Some(kept)
    }
}

fn refused(borders: &[f64], rule: &str) -> Error {
    let value = borders.iter().map(f64::to_string).collect::<Vec<_>>().join(",");
    Error::Config { what: "--tier-borders".to_owned(), value, rule: rule.to_owned() }
}

impl Tiers {
    fn fit(predicted: &[f64], outcome: &Outcome, borders: &[f64]) -> Result<Option<Tiers>, Error> {
        let is_number = *outcome == Outcome::Regression;
        if !is_number && borders.iter().any(|b| !(*b > 0.0 && *b < 1.0)) {
            return Err(refused(borders, "they cut a probability; give numbers above 0 and below 1"));
        }
        if !is_number && borders.len() >= CHANCES.len() {
            return Err(refused(borders, "a probability has at most five tiers; give at most four borders"));
        }
        let mut sorted: Vec<f64> = predicted.iter().copied().filter(|v| !v.is_nan()).collect();
        sorted.sort_unstable_by(|a, b| b.total_cmp(a));
        let at_least: Vec<f64> = if !borders.is_empty() {
            borders.to_vec()
        } else if sorted.is_empty() {
            return Ok(None);
        } else {
            let mut share = 0.0;
            let shares = default_customer_shares(TIERS);
            let last = |share: f64| ((share * sorted.len() as f64).round() as usize).clamp(1, sorted.len()) - 1;
            let cut = |s: &f64| {
                share += s;
                sorted[last(share)]
            };
            shares[..TIERS - 1].iter().map(cut).collect()
        };
        let n = at_least.len() + 1;
        let names = if is_number { default_names(n) } else { chances(n) };
        Ok(Some(Tiers { names, at_least }))
    }
}

/// Names of `n` tiers of a probability, 2 to 5.
fn chances(n: usize) -> Vec<TierName> {
    let which: &[usize] = match n {
        2 => &[1, 3],
        3 => &[1, 2, 3],
        4 => &[0, 1, 3, 4],
        _ => &[0, 1, 2, 3, 4],
    };
    let name = |&i: &usize| {
        let (key, en, zh) = CHANCES[i];
        TierName { key: key.to_owned(), en: en.to_owned(), zh: zh.to_owned() }
    };
    which.iter().map(name).collect()
}

/// In which class a value is; each but the first begins at its start.
fn place(starts: &[f64], value: f64) -> usize {
    starts.partition_point(|s| *s <= value)
}

/// Starts of at most `most` classes of about equally many values, each of at least `fewest`.
fn cut(values: &[f64], most: usize, fewest: usize) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let (n, mut starts, mut before) = (sorted.len(), Vec::new(), 0);
    for j in 1..most {
        let start = sorted[j * n / most];
        let first = sorted.partition_point(|v| *v < start);
        if first >= before + fewest && n - first >= fewest {
            starts.push(start);
            before = first;
        }
    }
    starts
}

impl Residuals {
    fn fit(predicted: &[f64], y: &[f64]) -> Option<Residuals> {
        let starts = cut(predicted, MOST_BINS, ROWS_OF_BIN);
        let mut off: Vec<Vec<f64>> = vec![Vec::new(); starts.len() + 1];
        for (p, y) in predicted.iter().zip(y) {
            off[place(&starts, *p)].push(y - p);
        }
        let (mut lower, mut upper) = (Vec::with_capacity(off.len()), Vec::with_capacity(off.len()));
        for mut off in off {
            // the rank that makes the share hold for the next row, too
            let n = off.len();
            let rank = ((n + 1) as f64 * (1.0 + LEVEL) / 2.0).ceil() as usize;
            if n < FEWEST || rank > n {
                return None;
            }
            off.sort_unstable_by(f64::total_cmp);
            lower.push(off[n - rank]);
            upper.push(off[rank - 1]);
        }
        let least = y.iter().copied().fold(f64::INFINITY, f64::min);
        Some(Residuals { level: LEVEL, starts, lower, upper, floor: (least >= 0.0).then_some(0.0) })
    }
}

impl Calibrations {
    fn fit(p: &[f64], is: &[bool]) -> Calibrations {
        let starts = cut(p, MOST_STEPS, ROWS_OF_STEP);
        // rows of the class, and rows
        let mut steps = vec![(0.0, 0.0); starts.len() + 1];
        for (p, &is) in p.iter().zip(is) {
            let step = &mut steps[place(&starts, *p)];
            step.0 += f64::from(u8::from(is));
            step.1 += 1.0;
        }
        let with = |step: usize, label: f64| {
            let mut steps = steps.clone();
            steps[step].0 += label;
            steps[step].1 += 1.0;
            isotonic(&steps)[step]
        };
        let all = 0..steps.len();
        let (lower, upper) = (all.clone().map(|s| with(s, 0.0)).collect(), all.map(|s| with(s, 1.0)).collect());
        Calibrations { starts, lower, upper }
    }

    /// The same of the other of two classes.
    fn mirrored(self) -> Calibrations {
        let back = |v: Vec<f64>| v.into_iter().rev().map(|p| 1.0 - p).collect();
        Calibrations { starts: back(self.starts), lower: back(self.upper), upper: back(self.lower) }
    }
}

/// The rising shares that are nearest to those of the steps (count of the class, count), by pooling adjacent violators.
fn isotonic(steps: &[(f64, f64)]) -> Vec<f64> {
    // pooled count of the class, count, steps
    let mut pools: Vec<(f64, f64, usize)> = Vec::with_capacity(steps.len());
    for &(is, n) in steps {
        let mut pool = (is, n, 1);
        while let Some(&(was, of, many)) = pools.last() {
            if was * pool.1 < pool.0 * of {
                break;
            }
            pools.pop();
            pool = (was + pool.0, of + pool.1, many + pool.2);
        }
        pools.push(pool);
    }
    pools.iter().flat_map(|&(is, n, many)| std::iter::repeat_n(is / n, many)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two() -> Outcome {
        Outcome::Classification { classes: vec!["no".into(), "yes".into()], positive: Some(1) }
    }

    /// Numbers between 0 and 1 that look drawn.
    fn drawn(n: usize, step: f64) -> Vec<f64> {
        (0..n).map(|i| (i as f64 * step).fract()).collect()
    }

    #[test]
    fn an_interval_holds_the_share_that_it_says_where_errors_grow_with_the_prediction() {
        let (p, noise) = (drawn(4_000, 0.618_033_988_75), drawn(4_000, 0.754_877_666));
        let y: Vec<f64> = p.iter().zip(&noise).map(|(p, e)| p * 100.0 * (0.5 + e)).collect();
        let predicted: Vec<f64> = p.iter().map(|p| p * 100.0).collect();
        let standing = Standing::fit(&predicted[..2_000], &y[..2_000], &Outcome::Regression, &[]).expect("fitted");
        let kept = standing.kept(&predicted[2_000..], &y[2_000..], &Outcome::Regression).expect("rows");
        assert!(kept.within.is_some_and(|w| (w - 0.8).abs() < 0.03), "{kept:?}");
        let width = |v: f64| standing.interval(&[v], 0).map(|i| i.upper - i.lower).expect("an interval");
        assert!(width(90.0) > 4.0 * width(10.0), "{} {}", width(90.0), width(10.0));
        assert_eq!(standing.interval(&[f64::NAN], 0), None);
        // no truth was below zero, so that no interval is
        assert!(standing.interval(&[-50.0], 0).is_some_and(|i| i.lower == 0.0 && i.upper == 0.0));
    }

    #[test]
    fn tiers_are_a_pyramid_of_the_rows_of_training_or_begin_where_was_said() {
        let predicted: Vec<f64> = (1..=100).map(f64::from).collect();
        let standing = Standing::fit(&predicted, &predicted, &Outcome::Regression, &[]).expect("fitted");
        let key = |s: &Standing, v: f64| s.tier(&[v], &Outcome::Regression).map(|t| t.key.clone()).expect("a tier");
        assert_eq!(standing.tiers.as_ref().map(|t| t.at_least.clone()), Some(vec![96.0, 86.0, 66.0, 36.0]));
        assert_eq!([96.0, 95.0, 36.0, 35.0].map(|v| key(&standing, v)), ["diamond", "platinum", "silver", "bronze"]);
        let given = Standing::fit(&predicted, &predicted, &Outcome::Regression, &[50.0, 10.0]).expect("fitted");
        assert_eq!([50.0, 49.0, 9.0].map(|v| key(&given, v)), ["gold", "silver", "bronze"]);
        let p: Vec<f64> = drawn(100, 0.618).into_iter().flat_map(|p| [1.0 - p, p]).collect();
        let y: Vec<f64> = p.chunks(2).map(|p| f64::from(u8::from(p[1] > 0.5))).collect();
        let classes = Standing::fit(&p, &y, &two(), &[0.9, 0.5]).expect("fitted");
        assert_eq!(classes.tier(&[0.05, 0.95], &two()).map(|t| t.key.as_str()), Some("high"));
        assert!(Standing::fit(&p, &y, &two(), &[9.0]).is_err_and(|e| e.to_string().contains("below 1")));
        let several = Outcome::Classification { classes: vec!["a".into(), "b".into(), "c".into()], positive: None };
        let standing = Standing::fit(&[0.2, 0.3, 0.5], &[2.0], &several, &[]).expect("fitted");
        assert!(standing.tiers.is_none() && standing.interval(&[0.2, 0.3, 0.5], 2).is_some());
        assert!(Standing::fit(&[0.2, 0.3, 0.5], &[2.0], &several, &[0.5]).is_err());
    }

    #[test]
    fn the_two_calibrations_hold_how_often_it_happens_and_draw_near_with_more_rows() {
        let mut widths = Vec::new();
        for n in [200, 20_000] {
            let (p, noise) = (drawn(n, 0.618_033_988_75), drawn(n, 0.754_877_666));
            // it happens as often as p², which p does not know
            let y: Vec<f64> = p.iter().zip(&noise).map(|(p, e)| f64::from(u8::from(*e < p * p))).collect();
            let predicted: Vec<f64> = p.iter().flat_map(|p| [1.0 - p, *p]).collect();
            let standing = Standing::fit(&predicted, &y, &two(), &[]).expect("fitted");
            let yes = standing.interval(&[0.4, 0.6], 1).expect("an interval");
            let no = standing.interval(&[0.4, 0.6], 0).expect("an interval");
            assert!(yes.lower < 0.4 && yes.upper >= 0.6 && yes.level.is_none(), "{yes:?}");
            assert!((yes.lower + no.upper - 1.0).abs() < 0.02 && (yes.upper + no.lower - 1.0).abs() < 1e-12, "{no:?}");
            let c = &standing.classes[1];
            widths.push(c.upper[c.upper.len() / 2] - c.lower[c.lower.len() / 2]);
            assert!(c.lower.windows(2).all(|w| w[0] <= w[1]) && standing.check(2).is_ok(), "{c:?}");
        }
        assert!(widths[1] < 0.2 * widths[0], "{widths:?}");
    }

    #[test]
    fn neighbours_out_of_order_are_pooled() {
        let fitted = isotonic(&[(1.0, 2.0), (0.0, 2.0), (3.0, 4.0), (2.0, 2.0)]);
        assert_eq!(fitted, [0.25, 0.25, 0.75, 1.0]);
    }

    #[test]
    fn a_few_rows_and_ties_make_no_interval_of_numbers_but_tiers() {
        let standing = Standing::fit(&[1.0; 8], &[2.0; 8], &Outcome::Regression, &[]).expect("fitted");
        assert!(standing.interval(&[1.0], 0).is_none() && standing.tier(&[1.0], &Outcome::Regression).is_some());
        let tied = Standing::fit(&[1.0; 500], &drawn(500, 0.618), &Outcome::Regression, &[]).expect("fitted");
        let i = tied.interval(&[1.0], 0).expect("an interval");
        assert!((i.lower - 0.1).abs() < 0.01 && (i.upper - 0.9).abs() < 0.01 && tied.check(1).is_ok(), "{i:?}");
    }
}
