//! How the customers of a shop have moved between two runs, from the files that the runs left behind.
//!
//! The one idea: `tiers.csv` of a run holds where every customer stood then. Two of them side by side say how distributions
//! have shifted, and, because each holds what a customer had spent so far, what the customers of the earlier run really spent
//! between the two cutoffs: the answer to the earlier forecast.
//!
//! What comes out holds shares and sums and no customer. Two runs of one shop hold mostly the same customers, so that shares
//! move less between them than between two independent samples; [`guike_eval::drift`] says what follows from that.

use std::collections::BTreeMap;
use std::path::Path;

use guike_core::Day;
pub use guike_eval::drift::{Bin, Distance, LARGE, NOTICEABLE, Stability};
use guike_eval::drift::{distance, stability, stability_of_counts};
use guike_store::{InColumn, ReadAs, StoreError, Texts};
use serde::Serialize;
use serde_json::Value;

use crate::error::Error;
use crate::output::names;

/// What is compared, by its column in `tiers.csv`: recency, frequency, spend so far, and the two forecasts.
pub const MEASURES: [&str; 5] =
    ["days_since_last_order", "purchase_days", "spend_so_far", "expected_spend", "p_active"];
/// Position of spend so far and purchase days among them.
const SPEND: usize = 2;
const PURCHASES: usize = 1;
/// From here on a measure is about the future, and only comparable over equal horizons.
const FORECAST: usize = 3;
/// Cutoffs may be apart by this much less or more of the horizon for a forecast to be held against what happened.
const APART: f64 = 0.5;
/// Share of the earlier customers whom the later log may not know; where there are more, it is another log.
const UNKNOWN: f64 = 0.05;

/// A run as drift sees it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Facts {
    /// The last day that was known.
    pub cutoff: Day,
    /// How far ahead it looks, in days.
    pub horizon_days: u32,
    /// Customers.
    pub customers: u64,
    /// Expected spend of all, in currency units.
    pub expected: f64,
    /// Ends of the 80 % interval of that total.
    pub interval: [f64; 2],
    /// Expected number of customers who buy.
    pub active: f64,
}

/// Where the customers of a run stood.
#[derive(Debug)]
pub struct Snapshot {
    facts: Facts,
    ids: Texts,
    values: Vec<Vec<f64>>,
    tiers: Vec<(String, u64)>,
    groups: Vec<(String, u64)>,
}

/// How one measure has moved.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MeasureDrift {
    /// One of [`MEASURES`].
    pub measure: &'static str,
    /// Population stability index with its bins.
    pub stability: Stability,
    /// Kolmogorov–Smirnov distance.
    pub distance: Distance,
    /// Medians before and now.
    pub median: [f64; 2],
    /// Means before and now.
    pub mean: [f64; 2],
}

/// How customers are spread over categories, before and now.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Shares {
    /// Population stability index over the categories.
    pub psi: f64,
    /// What it stays below by chance alone, with probability .95.
    pub by_chance: f64,
    /// Key of the category, customers before, customers now; by key.
    pub rows: Vec<(String, u64, u64)>,
}

/// What an earlier run forecast, and what its customers did until the later one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Outcome {
    /// Days between the two cutoffs.
    pub days: u32,
    /// Days that were forecast.
    pub horizon_days: u32,
    /// What was expected of these days: the forecast itself where they are the horizon, else the forecast in proportion to
    /// them, which ignores that customers spend less as time goes on.
    pub expected: f64,
    /// The 80 % interval of the forecast, where the days are the horizon.
    pub interval: Option<[f64; 2]>,
    /// What the customers of the earlier run spent in these days, says the later log.
    pub actual: f64,
    /// Customers who were expected to buy, where the days are the horizon.
    pub active_expected: Option<f64>,
    /// Customers who did.
    pub active_actual: u64,
    /// Customers of the earlier run whom the later log does not know; they count as having spent nothing.
    pub unknown: u64,
}

/// Why a forecast cannot be held against a later run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NoOutcome {
    /// The other run knows no later day.
    NotLater,
    /// The days between the cutoffs are less than half of the horizon, or more than one and a half.
    OtherLength,
    /// More than one in twenty customers are not in the later log.
    OtherLog,
}

impl NoOutcome {
    /// `not_later`, `other_length` or `other_log`.
    pub fn name(self) -> &'static str {
        match self {
            NoOutcome::NotLater => "not_later",
            NoOutcome::OtherLength => "other_length",
            NoOutcome::OtherLog => "other_log",
        }
    }
}

/// How the customers of a shop have moved between two runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Drift {
    /// The run that is compared with.
    pub before: Facts,
    /// The run that is looked at.
    pub after: Facts,
    /// What could be compared: forecasts only where both look equally far ahead.
    pub measures: Vec<MeasureDrift>,
    /// Customers by tier.
    pub tiers: Shares,
    /// Customers by named group of recency, frequency and money.
    pub groups: Shares,
    /// The forecast of the run that is compared with against what happened.
    pub outcome: Result<Outcome, NoOutcome>,
}

impl Snapshot {
    /// Reads `tiers.csv` and `evaluation.json` of a folder of `guike run`.
    ///
    /// # Errors
    /// [`Error::Store`] when one is missing or damaged.
    pub fn read(folder: &Path) -> Result<Snapshot, Error> {
        let file = folder.join(names::TIERS_CSV);
        let mut wanted = vec![("customer_id", ReadAs::Text), ("tier", ReadAs::Name), ("rfm_group", ReadAs::Name)];
        wanted.extend(MEASURES.map(|m| (m, ReadAs::Number)));
        let (mut ids, mut of_names, mut values) = (Texts::default(), Vec::new(), Vec::new());
        for column in guike_store::read_csv_typed(&file, &wanted)? {
            match column {
                InColumn::Text(texts) => ids = texts,
                InColumn::Name { codes, names } => of_names.push(counted(&codes, &names)),
                InColumn::Number(numbers) => values.push(numbers),
            }
        }
        let file = folder.join(names::EVALUATION_JSON);
        let e: Value = guike_store::read_json(&file)?;
        let facts = facts(&e, ids.len() as u64).ok_or_else(|| StoreError::Corrupt {
            path: file,
            reason: "it has no cutoff, horizon or total; run again".to_owned(),
        })?;
        let groups = of_names.pop().unwrap_or_default();
        Ok(Snapshot { facts, ids, values, tiers: of_names.pop().unwrap_or_default(), groups })
    }

    /// The run in a few numbers.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Customers by tier, by its key.
    pub fn tiers(&self) -> &[(String, u64)] {
        &self.tiers
    }
}

/// How customers have moved from one run to another.
///
/// # Errors
/// [`Error::Config`] when one of the runs has no customers.
pub fn compare(before: &Snapshot, after: &Snapshot) -> Result<Drift, Error> {
    let nobody = || Error::Config {
        what: "drift".to_owned(),
        value: String::new(),
        rule: "a run without customers cannot be compared; choose another one".to_owned(),
    };
    let same_horizon = before.facts.horizon_days == after.facts.horizon_days;
    let comparable = MEASURES.iter().enumerate().filter(|(i, _)| *i < FORECAST || same_horizon);
    let measures = comparable.map(|(i, measure)| {
        let (b, a) = (&before.values[i], &after.values[i]);
        Some(MeasureDrift {
            measure,
            stability: stability(b, a)?,
            distance: distance(b, a)?,
            median: [median(b)?, median(a)?],
            mean: [mean(b), mean(a)],
        })
    });
    Ok(Drift {
        before: before.facts,
        after: after.facts,
        measures: measures.collect::<Option<_>>().ok_or_else(nobody)?,
        tiers: shares(&before.tiers, &after.tiers).ok_or_else(nobody)?,
        groups: shares(&before.groups, &after.groups).ok_or_else(nobody)?,
        outcome: outcome(before, after),
    })
}

/// What the customers of the earlier run did until the later one, against what was forecast of them.
///
/// # Errors
/// [`NoOutcome`] when the two do not tell.
pub fn outcome(earlier: &Snapshot, later: &Snapshot) -> Result<Outcome, NoOutcome> {
    let facts = &earlier.facts;
    let days = u32::try_from(later.facts.cutoff.0 - facts.cutoff.0).unwrap_or(0);
    if days == 0 {
        return Err(NoOutcome::NotLater);
    }
    let part = f64::from(days) / f64::from(facts.horizon_days.max(1));
    if (part - 1.0).abs() > APART {
        return Err(NoOutcome::OtherLength);
    }
    let places: BTreeMap<&str, usize> = (0..later.ids.len()).map(|i| (later.ids.get(i), i)).collect();
    let (mut actual, mut active_actual, mut unknown) = (0.0, 0, 0);
    for i in 0..earlier.ids.len() {
        let Some(&at) = places.get(earlier.ids.get(i)) else {
            unknown += 1;
            continue;
        };
        let more = |column: usize| later.values[column][at] - earlier.values[column][i];
        actual += more(SPEND);
        active_actual += u64::from(more(PURCHASES) > 0.0);
    }
    if unknown as f64 > UNKNOWN * earlier.ids.len() as f64 {
        return Err(NoOutcome::OtherLog);
    }
    let is_whole = days == facts.horizon_days;
    Ok(Outcome {
        days,
        horizon_days: facts.horizon_days,
        expected: facts.expected * part,
        interval: is_whole.then_some(facts.interval),
        actual,
        active_expected: is_whole.then_some(facts.active),
        active_actual,
        unknown,
    })
}

fn facts(e: &Value, customers: u64) -> Option<Facts> {
    let of = |name: &str| e["total"][name].as_f64();
    Some(Facts {
        cutoff: e["cutoff"].as_str()?.parse().ok()?,
        horizon_days: u32::try_from(e["horizon_days"].as_u64()?).ok()?,
        customers,
        expected: of("expected")?,
        interval: [of("lower")?, of("upper")?],
        active: of("active")?,
    })
}

fn counted(codes: &[u32], names: &[String]) -> Vec<(String, u64)> {
    let mut counts = vec![0; names.len()];
    codes.iter().for_each(|&c| counts[c as usize] += 1);
    names.iter().cloned().zip(counts).collect()
}

fn shares(before: &[(String, u64)], after: &[(String, u64)]) -> Option<Shares> {
    let mut all: BTreeMap<&str, [u64; 2]> = BTreeMap::new();
    for (side, counts) in [before, after].into_iter().enumerate() {
        counts.iter().for_each(|(key, n)| all.entry(key).or_default()[side] += n);
    }
    let of = |side: usize| all.values().map(|n| n[side]).collect::<Vec<u64>>();
    let (psi, by_chance) = stability_of_counts(&of(0), &of(1))?;
    Some(Shares { psi, by_chance, rows: all.into_iter().map(|(key, [b, a])| (key.to_owned(), b, a)).collect() })
}

fn median(values: &[f64]) -> Option<f64> {
    let mut known: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
    let middle = known.len().checked_sub(1)? / 2;
    Some(*known.select_nth_unstable_by(middle, f64::total_cmp).1)
}

fn mean(values: &[f64]) -> f64 {
    let known = values.iter().filter(|v| v.is_finite());
    let (n, sum) = known.fold((0_u64, 0.0), |(n, sum), v| (n + 1, sum + v));
    sum / (n as f64).max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(cutoff: i32, customers: &[(&str, &str, [f64; 5])]) -> Snapshot {
        let mut ids = Texts::default();
        customers.iter().for_each(|c| ids.push(c.0));
        let expected = customers.iter().map(|c| c.2[3]).sum();
        let facts = Facts {
            cutoff: Day(cutoff),
            horizon_days: 90,
            customers: customers.len() as u64,
            expected,
            interval: [0.5 * expected, 2.0 * expected],
            active: customers.iter().map(|c| c.2[4]).sum(),
        };
        let tiers: Vec<(String, u64)> = customers.iter().map(|c| (c.1.to_owned(), 1)).collect();
        let values = (0..5).map(|i| customers.iter().map(|c| c.2[i]).collect()).collect();
        Snapshot { facts, ids, values, groups: tiers.clone(), tiers }
    }

    const BEFORE: [(&str, &str, [f64; 5]); 2] =
        [("ann", "gold", [10.0, 3.0, 90.0, 40.0, 0.8]), ("bo", "bronze", [80.0, 1.0, 20.0, 4.0, 0.1])];
    const AFTER: [(&str, &str, [f64; 5]); 3] = [
        ("cy", "bronze", [1.0, 1.0, 500.0, 10.0, 0.5]),
        ("bo", "bronze", [170.0, 1.0, 20.0, 2.0, 0.1]),
        ("ann", "gold", [5.0, 5.0, 150.0, 40.0, 0.9]),
    ];

    #[test]
    fn the_customers_of_then_answer_the_forecast_and_new_ones_do_not() {
        let found = outcome(&snapshot(100, &BEFORE), &snapshot(190, &AFTER)).expect("a horizon later");
        assert_eq!((found.actual, found.active_actual, found.unknown), (60.0, 1, 0));
        assert_eq!((found.expected, found.interval), (44.0, Some([22.0, 88.0])));
        assert!(found.active_expected.is_some_and(|n| (n - 0.9).abs() < 1e-12));
        let half = outcome(&snapshot(100, &BEFORE), &snapshot(145, &AFTER)).expect("half a horizon later");
        assert_eq!((half.expected, half.interval, half.active_expected), (22.0, None, None));
    }

    #[test]
    fn runs_that_cannot_answer_say_why() {
        let before = snapshot(100, &BEFORE);
        let said = |other: &Snapshot| outcome(&before, other).expect_err("no answer");
        assert_eq!(said(&snapshot(100, &AFTER)), NoOutcome::NotLater);
        assert_eq!(said(&snapshot(40, &AFTER)), NoOutcome::NotLater);
        assert_eq!(said(&snapshot(400, &AFTER)), NoOutcome::OtherLength);
        assert_eq!(said(&snapshot(190, &AFTER[..1])), NoOutcome::OtherLog);
    }

    #[test]
    fn forecasts_over_other_horizons_are_not_compared_and_shares_are() {
        let mut after = snapshot(190, &AFTER);
        let same = compare(&snapshot(100, &BEFORE), &after).expect("compared");
        assert_eq!(same.measures.iter().map(|m| m.measure).collect::<Vec<_>>(), MEASURES);
        assert_eq!(same.measures[1].median, [1.0, 1.0]);
        assert_eq!(same.tiers.rows, [("bronze".to_owned(), 1, 2), ("gold".to_owned(), 1, 1)]);
        after.facts.horizon_days = 30;
        assert_eq!(compare(&snapshot(100, &BEFORE), &after).expect("compared").measures.len(), FORECAST);
        assert!(compare(&snapshot(1, &[]), &after).is_err());
    }
}
