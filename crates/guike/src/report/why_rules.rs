//! A tree's leaves as rules in words.

use guike_explain::text::percent;
use guike_explain::{Lang, Measure};

use super::page::{Block, Text};
use super::words::word;
use crate::table::explain::{RuleCondition, TreeRule};

/// Rules that are told; the tree of a model itself may have hundreds.
const TOLD: usize = 12;

/// The rules, the highest value first; where there are too many, those of most rows.
pub(super) fn blocks(rules: &[TreeRule], measure: Measure<'_>) -> Vec<Block> {
    let mut most: Vec<usize> = (0..rules.len()).collect();
    most.sort_by(|&a, &b| rules[b].share.total_cmp(&rules[a].share).then(a.cmp(&b)));
    most.truncate(TOLD);
    most.sort_unstable();
    let mut blocks = vec![Block::Heading(word("The same as rules", "写成规则").text())];
    blocks.extend(most.iter().map(|&r| Block::Prose(rule(&rules[r], measure))));
    if rules.len() > TOLD {
        let rest = word("{n} further rules speak of fewer rows.", "其余 {n} 条规则涉及的行更少。");
        blocks.push(Block::Note(false, rest.with(&[("n", Text::same((rules.len() - TOLD).to_string()))])));
    }
    blocks
}

fn rule(rule: &TreeRule, measure: Measure<'_>) -> Text {
    let short = |v: f64| Text::each(|lang| measure.short(v, lang));
    let when = Text::each(|lang| {
        rule.when.iter().map(|c| condition(c, lang)).collect::<Vec<_>>().join(lang.pick(" and ", " 且 "))
    });
    let fill = [
        ("when", when),
        ("says", short(rule.says)),
        ("share", Text::same(percent(rule.share))),
        ("error", short(rule.error)),
    ];
    match (rule.when.is_empty(), rule.error.is_finite()) {
        (true, _) => word("Always **{says}**.", "一律为 **{says}**。").with(&fill[1..2]),
        (false, false) => word("If {when}: **{says}** (no row)", "若 {when}：**{says}**（无此类行）").with(&fill[..2]),
        (false, true) => word(
            "If {when}: **{says}** ({share} of the rows, ± {error})",
            "若 {when}：**{says}**（占 {share} 的行，± {error}）",
        )
        .with(&fill),
    }
}

fn condition(c: &RuleCondition, lang: Lang) -> String {
    let listed = |names: &[String]| names.join(lang.pick(" or ", " 或 "));
    let says = match (c.above, c.up_to) {
        (Some(a), Some(b)) => format!("{} < {} ≤ {}", short(a), c.column, short(b)),
        (Some(a), None) => format!("{} > {}", c.column, short(a)),
        (None, Some(b)) => format!("{} ≤ {}", c.column, short(b)),
        (None, None) if !c.none_of.is_empty() => {
            format!("{} {} {}", c.column, lang.pick("is not", "不是"), listed(&c.none_of))
        }
        (None, None) if !c.one_of.is_empty() => format!("{} {} {}", c.column, lang.pick("is", "是"), listed(&c.one_of)),
        (None, None) => return format!("{} {}", c.column, lang.pick("is empty", "为空")),
    };
    if c.or_empty { format!("{says} {}", lang.pick("or empty", "或为空")) } else { says }
}

/// A border as people read it: five digits tell values apart where they are told apart at all.
fn short(v: f64) -> String {
    let digits = 4 - v.abs().log10().floor().max(0.0) as i32;
    let text = format!("{v:.*}", digits.max(0) as usize);
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about(column: &str) -> RuleCondition {
        RuleCondition {
            column: column.to_owned(),
            above: None,
            up_to: None,
            one_of: Vec::new(),
            none_of: Vec::new(),
            or_empty: false,
        }
    }

    #[test]
    fn a_rule_is_a_sentence_in_both_languages() {
        let when = vec![
            RuleCondition { above: Some(30.0), up_to: Some(52.125), or_empty: true, ..about("age") },
            RuleCondition { none_of: vec!["Bonn".to_owned(), "Rome".to_owned()], ..about("city") },
        ];
        let text = rule(&TreeRule { when, says: 0.72, share: 0.181, mean: 0.7, error: 0.04 }, Measure::Percent);
        let clean = |lang| text.pick(lang).replace(super::super::page::BOLD, "");
        assert_eq!(
            clean(Lang::En),
            "If 30 < age ≤ 52.125 or empty and city is not Bonn or Rome: 72% (18.1% of the rows, ± 4%)"
        );
        assert_eq!(
            clean(Lang::Zh),
            "若 30 < age ≤ 52.125 或为空 且 city 不是 Bonn 或 Rome：72%（占 18.1% 的行，± 4%）"
        );
    }
}
