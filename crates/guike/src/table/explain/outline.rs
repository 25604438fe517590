//! A model in outline: a small tree that imitates its predictions, as plain data for a page.
//!
//! The one idea: whoever asks "who is worth so much?" wants three questions and not a thousand trees. The outline says how
//! much of the predictions it explains, so that nobody takes it for the model, and each of its groups holds enough rows
//! that it speaks of nobody in particular.

use guike_core::tree::Split;
use guike_core::{FitContext, Progress, Seed, Table};
use guike_explain::rules::rules;
use guike_learn::forest::DecisionTree;
use serde::{Deserialize, Serialize};

use super::imitation::{alone, has_empty, imitate};
use super::internal;
use crate::error::Error;

/// Questions from the root to a leaf, at most: what fits side by side on a page.
const DEPTH: u32 = 3;
/// Rows of a group, at least; an outline needs some groups.
const ROWS_OF_GROUP: usize = 20;
const ROWS: usize = 5 * ROWS_OF_GROUP;

/// A model as a small tree.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outline {
    /// Share of the variance of the model's predictions that it explains, on rows that it was not fitted to.
    pub fidelity: f64,
    /// The groups, all rows first; a group that is divided comes before its parts.
    pub groups: Vec<OutlineGroup>,
}

/// Some rows of a table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OutlineGroup {
    /// Their share of all rows.
    pub share: f64,
    /// What the model predicts for them on average.
    pub mean: f64,
    /// What divides them; `None` for a leaf.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub question: Option<OutlineQuestion>,
}

/// What divides a group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OutlineQuestion {
    /// The column.
    pub column: String,
    /// Is its number not above this?
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub up_to: Option<f64>,
    /// Or is it one of these? `…` stands for any that learning saw too seldom.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub one_of: Vec<String>,
    /// Whether an empty cell counts as a yes.
    pub or_empty: bool,
    /// Positions of those who say yes, and of the others.
    pub parts: [usize; 2],
}

impl Outline {
    /// The outline of what a model says of every row of a table, one number each; `None` for fewer than 100 rows, or where
    /// it says the same of all.
    ///
    /// # Errors
    /// [`Error::Interrupted`]; in practice no other.
    pub(crate) fn of(
        inputs: &Table,
        said: &[f64],
        seed: Seed,
        progress: &dyn Progress,
    ) -> Result<Option<Outline>, Error> {
        let is_flat = said.iter().all(|v| *v == said[0]);
        if said.len() < ROWS || is_flat || said.iter().any(|v| !v.is_finite()) {
            return Ok(None);
        }
        let small = DecisionTree { max_depth: Some(DEPTH), min_samples_leaf: ROWS_OF_GROUP, ..DecisionTree::default() };
        let cx = FitContext { seed: seed.derive("outline"), progress };
        let Some(found) = imitate(inputs, said, &small, &cx)? else { return Ok(None) };
        let tree = alone(&found.named);
        let fidelity = rules(&tree, &found.x, &found.outputs).map_err(internal)?.fidelity;
        if !fidelity.is_finite() || tree.nodes.len() < 2 {
            return Ok(None);
        }
        let all = tree.nodes[0].cover;
        let group = |(at, node): (usize, &guike_core::tree::Node)| OutlineGroup {
            share: node.cover / all,
            mean: tree.value(at)[0],
            question: node.split.as_ref().map(|split| {
                let parts = [node.left as usize, node.right as usize];
                let column = &found.named.columns[split.column()];
                let (up_to, one_of, or_empty) = match split {
                    Split::Number { threshold, missing_left, .. } => (Some(*threshold), Vec::new(), *missing_left),
                    Split::Category { left, missing_left, .. } => {
                        let name = |code: &u32| column.levels.get(*code as usize).cloned().unwrap_or_default();
                        (None, left.iter().map(name).collect(), *missing_left)
                    }
                };
                let or_empty = or_empty && inputs.column(&column.name).is_some_and(has_empty);
                OutlineQuestion { column: column.name.clone(), up_to, one_of, or_empty, parts }
            }),
        };
        Ok(Some(Outline { fidelity, groups: tree.nodes.iter().enumerate().map(group).collect() }))
    }
}

#[cfg(test)]
mod tests {
    use guike_core::{Column, ColumnData, Quiet};

    use super::*;

    fn table(n: usize) -> (Table, Vec<f64>) {
        let orders: Vec<f64> = (0..n).map(|i| (i % 10) as f64).collect();
        let channel: Vec<u32> = (0..n).map(|i| (i / 10 % 2) as u32).collect();
        let said = orders.iter().zip(&channel).map(|(o, c)| if *o > 6.5 { 100.0 } else { 10.0 + 5.0 * f64::from(*c) });
        let said = said.collect();
        let levels = vec!["shop".to_owned(), "web".to_owned()];
        let columns = vec![
            Column { name: "orders".into(), data: ColumnData::Numeric(orders) },
            Column { name: "channel".into(), data: ColumnData::Categorical { codes: channel, levels } },
        ];
        (Table::new(columns).expect("a table"), said)
    }

    #[test]
    fn what_a_model_says_by_three_groups_is_found_as_three_groups() {
        let (inputs, said) = table(2_000);
        let outline = Outline::of(&inputs, &said, Seed(1), &Quiet).expect("found").expect("an outline");
        assert!(outline.fidelity > 0.999, "{outline:?}");
        let root = outline.groups[0].question.as_ref().expect("a question");
        assert_eq!((root.column.as_str(), root.up_to, root.or_empty), ("orders", Some(6.5), false));
        let [few, many] = root.parts.map(|p| &outline.groups[p]);
        // three of ten rows, of which it sees those that do not judge it
        assert!(many.question.is_none() && (many.mean - 100.0).abs() < 1e-9);
        assert!((many.share - 4.0 / 15.0).abs() < 1e-9, "{}", many.share);
        let channel = few.question.as_ref().expect("a question");
        assert_eq!((channel.column.as_str(), channel.one_of.len(), channel.up_to), ("channel", 1, None));
    }

    #[test]
    fn few_rows_and_a_model_that_says_the_same_of_everybody_have_no_outline() {
        let (inputs, said) = table(99);
        assert_eq!(Outline::of(&inputs, &said, Seed(1), &Quiet).expect("looked"), None);
        let (inputs, _) = table(500);
        assert_eq!(Outline::of(&inputs, &[3.0; 500], Seed(1), &Quiet).expect("looked"), None);
    }
}
