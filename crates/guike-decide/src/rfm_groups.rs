//! The eleven named groups of recency, frequency and money.
//!
//! The one idea: score each of the three from 1 to 5 by quintiles of the shop's own customers, join frequency and money
//! into one score (their mean, halves rounded down), and read the group off a 5 × 5 table that every CRM tool shows in one
//! form or another. The groups say what to *do*; tiers say how much a customer is *worth*.
//!
//! A customer with one purchase day always has frequency score 1. Plain quintiles would give her the middle score in a
//! shop where most customers bought once, and such a shop would have no "new customers" at all.

use guike_core::RfmTable;
use guike_learn::baseline::RfmQuintiles;
use serde::{Deserialize, Serialize};

/// A named group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RfmGroup {
    /// Bought lately, often, and for much.
    Champions,
    /// Buy regularly.
    Loyal,
    /// Recent, with some frequency: may become loyal.
    PotentialLoyalists,
    /// Bought for the first time lately.
    New,
    /// Fairly recent first buyers.
    Promising,
    /// Middling in everything: a nudge decides.
    NeedAttention,
    /// Below the middle, and slipping away.
    AboutToSleep,
    /// Were good, long not seen.
    AtRisk,
    /// Were among the best, longest not seen.
    CannotLose,
    /// Little, long ago.
    Hibernating,
    /// Least, longest ago.
    Lost,
}

use RfmGroup::{
    AboutToSleep, AtRisk, CannotLose, Champions, Hibernating, Lost, Loyal, NeedAttention, New, PotentialLoyalists,
    Promising,
};

/// Rows: recency 1 … 5; columns: joint frequency and money score 1 … 5.
const TABLE: [[RfmGroup; 5]; 5] = [
    [Lost, Lost, AtRisk, AtRisk, CannotLose],
    [Hibernating, Hibernating, AtRisk, AtRisk, CannotLose],
    [AboutToSleep, AboutToSleep, NeedAttention, Loyal, Loyal],
    [Promising, PotentialLoyalists, PotentialLoyalists, Loyal, Loyal],
    [New, PotentialLoyalists, PotentialLoyalists, Champions, Champions],
];

/// Mean of the two scores, halves rounded down.
fn joint_score(frequency: usize, money: usize) -> usize {
    (frequency + money) / 2
}

impl RfmGroup {
    /// Every group, from the most to the least engaged.
    pub const ALL: [RfmGroup; 11] = [
        Champions,
        Loyal,
        PotentialLoyalists,
        New,
        Promising,
        NeedAttention,
        AboutToSleep,
        AtRisk,
        CannotLose,
        Hibernating,
        Lost,
    ];

    /// The group of three scores from 1 to 5.
    ///
    /// ```
    /// use guike_decide::RfmGroup;
    /// assert_eq!(RfmGroup::of([5, 5, 4]), RfmGroup::Champions);
    /// assert_eq!(RfmGroup::of([5, 1, 2]), RfmGroup::New);
    /// assert_eq!(RfmGroup::of([1, 5, 5]).zh(), "不能失去客户");
    /// ```
    ///
    /// # Panics
    /// When a score is not within 1 … 5.
    pub fn of(scores: [u8; 3]) -> RfmGroup {
        let [recency, frequency, money] = scores.map(usize::from);
        TABLE[recency - 1][joint_score(frequency, money) - 1]
    }

    /// Stable key in files.
    pub fn key(self) -> &'static str {
        match self {
            Champions => "champions",
            Loyal => "loyal",
            PotentialLoyalists => "potential_loyalists",
            New => "new",
            Promising => "promising",
            NeedAttention => "need_attention",
            AboutToSleep => "about_to_sleep",
            AtRisk => "at_risk",
            CannotLose => "cannot_lose",
            Hibernating => "hibernating",
            Lost => "lost",
        }
    }

    /// English name.
    pub fn en(self) -> &'static str {
        match self {
            Champions => "Champions",
            Loyal => "Loyal customers",
            PotentialLoyalists => "Potential loyalists",
            New => "New customers",
            Promising => "Promising",
            NeedAttention => "Need attention",
            AboutToSleep => "About to sleep",
            AtRisk => "At risk",
            CannotLose => "Cannot lose them",
            Hibernating => "Hibernating",
            Lost => "Lost",
        }
    }

    /// Chinese name.
    pub fn zh(self) -> &'static str {
        match self {
            Champions => "重要价值客户",
            Loyal => "忠诚客户",
            PotentialLoyalists => "潜在忠诚客户",
            New => "新客户",
            Promising => "有潜力客户",
            NeedAttention => "需要关注客户",
            AboutToSleep => "即将沉睡客户",
            AtRisk => "流失预警客户",
            CannotLose => "不能失去客户",
            Hibernating => "沉睡客户",
            Lost => "已流失客户",
        }
    }
}

/// One cell of the heat map or one line of the table of groups.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct RfmCell {
    /// Number of customers.
    pub n: usize,
    /// Their mean value; 0 for nobody.
    pub value_mean: f64,
    /// Their total value.
    pub value_total: f64,
}

impl RfmCell {
    fn add(&mut self, value: f64) {
        self.n += 1;
        self.value_total += value;
        self.value_mean = self.value_total / self.n as f64;
    }
}

/// Scores and groups of all customers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RfmGroups {
    /// Borders between the scores, for new customers.
    pub quintiles: RfmQuintiles,
    /// Recency, frequency and money score of every customer, 1 … 5.
    pub scores: Vec<[u8; 3]>,
    /// Group of every customer.
    pub groups: Vec<RfmGroup>,
    /// Every group with its customers, in the order of [`RfmGroup::ALL`].
    pub by_group: Vec<(RfmGroup, RfmCell)>,
    /// `heat[r][f]`: customers with recency score r + 1 and joint frequency and money score f + 1.
    pub heat: Vec<Vec<RfmCell>>,
}

impl RfmGroups {
    /// Scores and groups of the customers; `value` (expected spend, say) is averaged per cell.
    ///
    /// # Panics
    /// When there is not one value per customer.
    pub fn of(rfm: &RfmTable, value: &[f64]) -> RfmGroups {
        assert_eq!(rfm.len(), value.len(), "one value per customer");
        let quintiles = RfmQuintiles::of(rfm);
        let (scores, groups) = RfmGroups::by(&quintiles, rfm);
        let mut heat = vec![vec![RfmCell::default(); 5]; 5];
        let mut by_group = RfmGroup::ALL.map(|g| (g, RfmCell::default()));
        for ((s, g), &v) in scores.iter().zip(&groups).zip(value) {
            let joint = joint_score(usize::from(s[1]), usize::from(s[2]));
            heat[usize::from(s[0]) - 1][joint - 1].add(v);
            by_group[RfmGroup::ALL.iter().position(|x| x == g).expect("every group is listed")].1.add(v);
        }
        RfmGroups { quintiles, scores, groups, by_group: by_group.to_vec(), heat }
    }

    /// Scores and groups of customers by borders that were found on others.
    pub fn by(quintiles: &RfmQuintiles, rfm: &RfmTable) -> (Vec<[u8; 3]>, Vec<RfmGroup>) {
        let mut scores = quintiles.scores(rfm);
        for (s, &repeats) in scores.iter_mut().zip(&rfm.repeats) {
            if repeats == 0 {
                s[1] = 1;
            }
        }
        let groups = scores.iter().map(|&s| RfmGroup::of(s)).collect();
        (scores, groups)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_score_has_a_group_and_every_group_a_score() {
        let mut seen: Vec<RfmGroup> =
            (0..125u8).map(|i| RfmGroup::of([1 + i / 25, 1 + i / 5 % 5, 1 + i % 5])).collect();
        seen.sort();
        seen.dedup();
        assert_eq!(seen, RfmGroup::ALL);
    }

    #[test]
    fn a_recent_first_buyer_of_little_is_new_even_where_most_bought_once() {
        let rfm = RfmTable {
            customer_idx: (0..10).collect(),
            repeats: vec![0, 0, 0, 0, 0, 0, 0, 0, 3, 4],
            recency_days: vec![0.0; 10],
            age_days: (0..10).map(|i| f64::from(i) * 10.0).collect(),
            spend_total: (0..10).map(|i| 10.0 + f64::from(i)).collect(),
            ..Default::default()
        };
        let g = RfmGroups::of(&rfm, &[1.0; 10]);
        assert_eq!((g.scores[0], g.groups[0]), ([5, 1, 1], New));
        assert_eq!(g.scores[9][1], 5);
    }

    #[test]
    fn the_heat_map_counts_every_customer_once() {
        let n = 100;
        let rfm = RfmTable {
            customer_idx: (0..n).collect(),
            repeats: (0..n).map(|i| i % 7).collect(),
            recency_days: (0..n).map(f64::from).collect(),
            age_days: vec![100.0; n as usize],
            spend_total: (0..n).map(|i| f64::from(i * i % 83)).collect(),
            ..Default::default()
        };
        let value = vec![2.0; n as usize];
        let g = RfmGroups::of(&rfm, &value);
        assert_eq!(g.heat.iter().flatten().map(|c| c.n).sum::<usize>(), 100);
        assert_eq!(g.by_group.iter().map(|c| c.1.n).sum::<usize>(), 100);
        assert!(g.by_group.iter().all(|c| c.1.n == 0 || c.1.value_mean == 2.0));
        assert_eq!(g.scores[99][0], 5, "bought most recently");
        assert_eq!(g.scores[0][0], 1);
    }
}
