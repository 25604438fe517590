//! How soon customers come back after a purchase day: after the first, second, third …, and after the first by tier and by
//! quarter.
//!
//! The one idea: a shop without contracts is never told that somebody has left, so what is measured is the time from one
//! purchase day to the next, which is still running at the cutoff for everybody's last one
//! ([`kaplan_meier`](guike_eval::kaplan_meier)). Every curve has at most one gap of a customer, so that its band counts
//! customers.
//!
//! What it does not say: tiers are made from what customers did, coming back among it; by tier the curves describe, and
//! predict nothing.

use std::collections::BTreeSet;

use guike_core::{Day, EventLog};
use guike_data::Reads;
use guike_eval::kaplan_meier;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::thin_to;
use crate::error::Error;
use crate::report::view::Bilingual;
use crate::run::Findings;

/// Quarters of first purchases that are told, the latest.
const QUARTERS: usize = 6;
/// Purchase days after which coming back is told.
const ORDINALS: [(&str, &str); 4] = [("first", "首"), ("second", "第二"), ("third", "第三"), ("fourth", "第四")];
/// Customers whose gaps are found together.
const TOGETHER: usize = 4_096;
/// Customers that a curve needs, and who must have been watched for as many days as it tells of.
const LEAST: usize = 20;
/// Points of a curve that are kept.
const POINTS: usize = 40;
/// Days within which the share that came back is told.
const WITHIN: [u32; 4] = [30, 90, 180, 365];

/// How soon customers come back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Returns {
    /// After the first purchase day, the second and so on.
    pub after: Vec<ReturnCurve>,
    /// After the first purchase day, by the tier that customers are in at the cutoff, the best first.
    pub tiers: Vec<ReturnCurve>,
    /// After the first purchase day, by the quarter that it was in, the oldest first.
    pub quarters: Vec<ReturnCurve>,
}

/// How soon some customers come back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReturnCurve {
    /// Which customers, or after which purchase day.
    pub name: Bilingual,
    /// Customers.
    pub customers: u64,
    /// Those who came back by the cutoff.
    pub returned: u64,
    /// Greatest number of days that enough of them were watched for.
    pub until: u32,
    /// The curve.
    pub points: Vec<ReturnPoint>,
    /// Its values after a month, a quarter, half a year and a year, as far as `until`.
    pub within: Vec<ReturnPoint>,
    /// Days after which half of them had come back, where half did.
    pub median: Option<u32>,
}

/// The share that has come back within some days.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ReturnPoint {
    /// Days since the purchase day.
    pub day: u32,
    /// Share that has come back by then.
    pub share: f64,
    /// Lower end of its 95 % band.
    pub lo: f64,
    /// Upper end.
    pub hi: f64,
}

/// The gap after a purchase day.
#[derive(Debug, Clone, Copy)]
struct Gap {
    /// Days until the next purchase day, or the cutoff.
    days: u32,
    /// Whether there was a next one.
    came_back: bool,
    /// Days until the cutoff: how long coming back would have been seen.
    watched: u32,
}

type Gaps = Vec<Gap>;

impl Returns {
    /// What the log tells.
    ///
    /// # Errors
    /// When a temporary file cannot be read.
    pub(crate) fn of(f: &Findings) -> Result<Returns, Error> {
        let tiering = &f.tiers.tiering;
        let mut gaps = gaps(f)?;
        let last = f.cutoff.last_day().0;
        // customers have one first gap each, in the order of the cases
        let of_some = |is_one: &dyn Fn(usize, i32) -> bool| -> Gaps {
            let first_day = |gap: &Gap| last - gap.watched as i32;
            let all = gaps[0].iter().enumerate();
            all.filter(|(case, gap)| is_one(*case, first_day(gap))).map(|(_, gap)| *gap).collect()
        };
        let tiers = tiering.names.iter().enumerate().filter_map(|(tier, name)| {
            let theirs = of_some(&|case, _| usize::from(tiering.tiers[case]) == tier);
            ReturnCurve::of(Bilingual::new(&name.en, &name.zh), theirs)
        });
        let tiers = tiers.collect();
        let of_first_days: BTreeSet<i32> = gaps[0].iter().map(|gap| quarter_of(last - gap.watched as i32)).collect();
        let mut quarters: Vec<ReturnCurve> = of_first_days
            .into_iter()
            .rev()
            .filter_map(|quarter| {
                let (year, n) = (quarter.div_euclid(4), quarter.rem_euclid(4) + 1);
                let name = Bilingual::new(format!("{year} Q{n}"), format!("{year} 年第 {n} 季度"));
                ReturnCurve::of(name, of_some(&|_, day| quarter_of(day) == quarter))
            })
            .take(QUARTERS)
            .collect();
        quarters.reverse();
        let after = ORDINALS.into_iter().enumerate().filter_map(|(n, (en, zh))| {
            let name = Bilingual::new(format!("after the {en} purchase day"), format!("{zh}个购买日之后"));
            ReturnCurve::of(name, std::mem::take(&mut gaps[n]))
        });
        Ok(Returns { after: after.collect(), tiers, quarters })
    }
}

/// Quarters since the year 0.
fn quarter_of(day: i32) -> i32 {
    let (year, month, _) = Day(day).ymd();
    year * 4 + (month as i32 - 1) / 3
}

/// The gaps after everybody's first purchase day, second and so on, each in the order of the cases.
fn gaps(f: &Findings) -> Result<[Gaps; ORDINALS.len()], Error> {
    let last = f.cutoff.last_day();
    let cases = &f.rfm.customer_idx;
    let of_piece = |begin: usize, piece: &EventLog| {
        let past = piece.before(f.cutoff);
        let from = cases.partition_point(|&c| (c as usize) < begin);
        let to = cases.partition_point(|&c| (c as usize) < begin + piece.n_customers());
        let of_some = |customers: &[u32]| {
            let mut gaps: [Gaps; ORDINALS.len()] = Default::default();
            for &customer in customers {
                let days = guike_features::purchase_days(past.customer(customer as usize - begin));
                let mut days = days.map(|d| d.day).peekable();
                for gaps in &mut gaps {
                    let Some(day) = days.next() else { break };
                    let watched = last.0.abs_diff(day);
                    let next = days.peek().map(|next| next.abs_diff(day));
                    gaps.push(Gap { days: next.unwrap_or(watched), came_back: next.is_some(), watched });
                }
            }
            gaps
        };
        Ok::<_, Error>(cases[from..to].par_chunks(TOGETHER).map(of_some).collect::<Vec<_>>())
    };
    let mut all: [Gaps; ORDINALS.len()] = Default::default();
    f.log.fold(Reads::Purchases, of_piece, |found| {
        for some in found {
            all.iter_mut().zip(some).for_each(|(all, some)| all.extend(some));
        }
        Ok(())
    })?;
    Ok(all)
}

impl ReturnCurve {
    /// `None` for too few customers, and where none has come back while enough were watched.
    fn of(name: Bilingual, gaps: Gaps) -> Option<ReturnCurve> {
        if gaps.len() < LEAST {
            return None;
        }
        let mut told: Vec<(u32, bool)> = gaps.iter().map(|g| (g.days, g.came_back)).collect();
        let steps = kaplan_meier(&mut told);
        let mut watched: Vec<u32> = gaps.iter().map(|g| g.watched).collect();
        watched.sort_unstable();
        let until = watched[watched.len() - LEAST];
        // four digits are more than a curve shows
        let share = |left: f64| ((1.0 - left) * 1e4).round() / 1e4;
        let point = |s: &guike_eval::SurvivalStep| ReturnPoint {
            day: s.day,
            share: share(s.survival),
            lo: share(s.hi),
            hi: share(s.lo),
        };
        let told: Vec<ReturnPoint> = steps.iter().filter(|s| s.day <= until).map(point).collect();
        let within = WITHIN.iter().filter(|day| **day <= until).filter_map(|&day| {
            let at = told.iter().rev().find(|p| p.day <= day)?;
            Some(ReturnPoint { day, ..*at })
        });
        let within = within.collect();
        let median = told.iter().find(|p| p.share >= 0.5).map(|p| p.day);
        if told.is_empty() {
            return None;
        }
        Some(ReturnCurve {
            name,
            customers: gaps.len() as u64,
            returned: gaps.iter().filter(|g| g.came_back).count() as u64,
            until,
            points: thin_to(told, POINTS),
            within,
            median,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(gaps: impl Iterator<Item = (u32, bool, u32)>) -> Option<ReturnCurve> {
        let gaps = gaps.map(|(days, came_back, watched)| Gap { days, came_back, watched }).collect();
        ReturnCurve::of(Bilingual::same("x"), gaps)
    }

    #[test]
    fn a_curve_ends_where_too_few_were_watched() {
        // forty customers, watched for 1 … 40 days; every second one came back on the last of them
        let found = curve((1..=40).map(|d| (d, d % 2 == 0, d))).expect("enough");
        assert_eq!((found.customers, found.returned, found.until), (40, 20, 21));
        assert_eq!(found.points.last().map(|p| p.day), Some(20));
        assert!(found.within.is_empty() && found.median.is_none(), "{found:?}");
        let first = found.points[0];
        assert!((first.share - 1.0 / 39.0).abs() < 1e-4 && first.lo <= first.share && first.share <= first.hi);
        // that all of them came back soon ends no curve
        let found = curve((1..=40).map(|d| (d, true, 400))).expect("enough");
        assert_eq!((found.until, found.median), (400, Some(20)));
        assert_eq!(found.within.iter().map(|p| p.share).collect::<Vec<_>>(), [0.75, 1.0, 1.0, 1.0]);
    }

    #[test]
    fn what_came_of_a_month_is_told_only_when_a_month_was_watched() {
        let some = || (0..100).map(|i| if i < 60 { (10 + i % 7, true, 200) } else { (200, false, 200) });
        let found = curve(some()).expect("enough");
        assert_eq!(found.within.iter().map(|p| p.day).collect::<Vec<_>>(), [30, 90, 180]);
        assert_eq!(found.within[0].share, 0.6);
        assert!(found.median.is_some_and(|d| (10..=16).contains(&d)));
        assert!(curve(some().take(19)).is_none(), "too few");
        assert!(curve((0..40).map(|_| (50, false, 50))).is_none(), "nobody yet");
    }
}
