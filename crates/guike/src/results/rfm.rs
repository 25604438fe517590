//! Recency, frequency and money by other cuts than those of the run.
//!
//! The one idea: what stands on the same side of a cut as before keeps the score that the run gave it, so that only a cut that
//! is moved moves anybody; files give nine digits, and a value on a border would fall to either side by chance otherwise.

use guike_decide::RfmGroup;

use super::{DAYS_SINCE, EXPECTED_SPEND, PURCHASE_DAYS, Results, SPEND_SO_FAR};
use crate::report::view::Bilingual;

/// The files give nine digits: a value that stands on a border may be written this share below it.
const IN_FILE: f64 = 1e-8;

/// From where on scores 2, 3, 4 and 5 are given; infinite where nobody gets them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RfmCuts {
    /// Days since the last purchase, at most; falling.
    pub days: [f64; 4],
    /// Purchase days, at least; rising. Who bought on one day scores 1.
    pub purchase_days: [f64; 4],
    /// Spend so far, at least; rising.
    pub spend: [f64; 4],
}

/// A named group before and after.
#[derive(Debug, Clone, PartialEq)]
pub struct Regrouped {
    /// Its name.
    pub name: Bilingual,
    /// Its key.
    pub key: &'static str,
    /// Customers by the run's cuts, and by the others.
    pub customers: [usize; 2],
    /// What these are expected to spend.
    pub expected_spend: [f64; 2],
}

/// What other cuts would change.
#[derive(Debug, Clone, PartialEq)]
pub struct Regrouping {
    /// Every group, from the most to the least engaged.
    pub groups: Vec<Regrouped>,
    /// Customers who would be in another group, and what they are expected to spend.
    pub moved: (usize, f64),
    /// Customers with another score, in another group or not.
    pub rescored: usize,
}

impl RfmCuts {
    /// Those of the run; `None` where an earlier version did not keep them.
    pub fn of(results: &Results) -> Option<RfmCuts> {
        let borders = &results.tiers_file["rfm_borders"];
        let four = |name: &str| -> Option<[f64; 4]> {
            let list = borders[name].as_array()?;
            let each: Option<Vec<f64>> = list.iter().map(serde_json::Value::as_f64).collect();
            // nobody reaches what is as large as numbers get
            let known = |v: f64| if v >= f64::MAX { f64::INFINITY } else { v };
            each?.into_iter().map(known).collect::<Vec<f64>>().try_into().ok()
        };
        Some(RfmCuts { days: four("recency")?.map(|v| -v), purchase_days: four("frequency")?, spend: four("spend")? })
    }

    /// Whether each stands on the right side of the one before.
    pub fn is_in_order(&self) -> bool {
        let rises = |v: &[f64; 4]| v.windows(2).all(|w| w[0] <= w[1]);
        self.days.windows(2).all(|w| w[0] >= w[1]) && rises(&self.purchase_days) && rises(&self.spend)
    }

    fn scores(&self, days: f64, purchase_days: f64, spend: f64) -> [u8; 3] {
        let at_least = |v: f64, cuts: &[f64; 4]| {
            1 + cuts.iter().filter(|b| b.is_finite() && v >= **b - b.abs() * IN_FILE).count() as u8
        };
        let recent = self.days.iter().filter(|b| b.is_finite() && days <= **b + b.abs() * IN_FILE).count();
        let often = if purchase_days <= 1.0 { 1 } else { at_least(purchase_days, &self.purchase_days) };
        [1 + recent as u8, often, at_least(spend, &self.spend)]
    }
}

impl Results {
    /// The scores of a customer by other cuts than `own`, the run's, and her group by them.
    pub fn rescored(&self, at: usize, own: &RfmCuts, cuts: &RfmCuts) -> ([u8; 3], &'static str) {
        let [days, often, spend] = [DAYS_SINCE, PURCHASE_DAYS, SPEND_SO_FAR].map(|c| self.numbers(c)[at]);
        let (before, after) = (own.scores(days, often, spend), cuts.scores(days, often, spend));
        let digits = self.rfm_score(at).as_bytes();
        let mut scores = after;
        for (i, score) in scores.iter_mut().enumerate() {
            let given = digits.get(i).map(|d| d.wrapping_sub(b'0')).filter(|d| (1..=5).contains(d));
            if before[i] == after[i] {
                *score = given.unwrap_or(*score);
            }
        }
        (scores, RfmGroup::of(scores).key())
    }

    /// What other cuts would change.
    pub fn regrouped(&self, own: &RfmCuts, cuts: &RfmCuts) -> Regrouping {
        let mut groups: Vec<Regrouped> = RfmGroup::ALL
            .into_iter()
            .map(|g| Regrouped {
                name: Bilingual::new(g.en(), g.zh()),
                key: g.key(),
                customers: [0; 2],
                expected_spend: [0.0; 2],
            })
            .collect();
        let place = |key: &str| RfmGroup::ALL.iter().position(|g| g.key() == key).unwrap_or(RfmGroup::ALL.len() - 1);
        let names: Vec<usize> = self.groups().iter().map(|key| place(key)).collect();
        let (mut moved, mut rescored) = ((0, 0.0), 0);
        let spend = self.numbers(EXPECTED_SPEND);
        for (at, &value) in spend.iter().enumerate() {
            let (scores, key) = self.rescored(at, own, cuts);
            let (before, after) = (names[self.group.codes[at] as usize], place(key));
            for (side, group) in [before, after].into_iter().enumerate() {
                groups[group].customers[side] += 1;
                groups[group].expected_spend[side] += if value.is_finite() { value } else { 0.0 };
            }
            if before != after {
                moved.0 += 1;
                moved.1 += if value.is_finite() { value } else { 0.0 };
            }
            rescored += usize::from(self.rfm_score(at).bytes().ne(scores.iter().map(|s| s + b'0')));
        }
        Regrouping { groups, moved, rescored }
    }
}
