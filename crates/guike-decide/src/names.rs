//! What tiers are called.

use serde::{Deserialize, Serialize};

/// A tier's names: a stable key for files, and one for people in each language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TierName {
    /// Lower-case key in files and flags.
    pub key: String,
    /// English name.
    pub en: String,
    /// Chinese name.
    pub zh: String,
}

/// From the most to the least valuable. The five in the middle are the default; more tiers grow at the ends.
const LADDER: [(&str, &str, &str); 10] = [
    ("crown", "Crown", "皇冠"),
    ("black-diamond", "Black diamond", "黑钻"),
    ("diamond", "Diamond", "钻石"),
    ("platinum", "Platinum", "铂金"),
    ("gold", "Gold", "黄金"),
    ("silver", "Silver", "白银"),
    ("bronze", "Bronze", "青铜"),
    ("iron", "Iron", "黑铁"),
    ("wood", "Wood", "木质"),
    ("basic", "Basic", "普通"),
];
/// Two tiers are no metals but an answer to a question.
const PAIR: [(&str, &str, &str); 2] = [("high", "High value", "高价值"), ("low", "Low value", "低价值")];

/// The default names of `n` tiers, best first.
///
/// ```
/// let names = guike_decide::names::default_names(5);
/// let keys: Vec<&str> = names.iter().map(|n| n.key.as_str()).collect();
/// assert_eq!(keys, ["diamond", "platinum", "gold", "silver", "bronze"]);
/// assert_eq!(guike_decide::names::default_names(2)[0].zh, "高价值");
/// ```
///
/// # Panics
/// When `n` is not within 2 … 10; a plan checks that first.
pub fn default_names(n: usize) -> Vec<TierName> {
    assert!((2..=10).contains(&n), "2 to 10 tiers");
    let chosen = match n {
        2 => &PAIR[..],
        3 => &LADDER[4..7],
        4 => &LADDER[3..7],
        5 => &LADDER[2..7],
        6 => &LADDER[1..7],
        _ => &LADDER[..n],
    };
    chosen.iter().map(|&(key, en, zh)| TierName { key: key.into(), en: en.into(), zh: zh.into() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_of_tiers_has_distinct_names() {
        for n in 2..=10 {
            let mut keys: Vec<String> = default_names(n).into_iter().map(|t| t.key).collect();
            assert_eq!(keys.len(), n);
            keys.sort();
            keys.dedup();
            assert_eq!(keys.len(), n);
        }
    }
}
