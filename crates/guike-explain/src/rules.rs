//! A tree as rules that can be read aloud, and how far it can be trusted to stand for another model.
//!
//! The one idea: a surrogate is a small tree that was fitted to a model's outputs instead of to the truth. Its leaves become
//! rules in which every feature is named once, and each rule carries the share of rows that it speaks of and how far the
//! model's own outputs lie from what it says. It makes no words: names, units and languages belong to who writes them.

use guike_core::Matrix;
use guike_core::tree::{Split, Tree};

use crate::error::ExplainError;
use crate::tree_shap::plan::check;

/// What a rule asks of one column.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// The column.
    pub column: usize,
    /// The values that satisfy it.
    pub values: Values,
    /// Whether a missing value satisfies it too.
    pub missing: bool,
}

/// Values that satisfy a condition.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// More than `above` and not more than `up_to`; an end that is not asked about is infinite.
    Between {
        /// Lower end, not included.
        above: f64,
        /// Upper end, included.
        up_to: f64,
    },
    /// One of these codes, ascending.
    OneOf(Vec<u32>),
    /// Any but these codes, ascending.
    NoneOf(Vec<u32>),
}

/// A leaf of the tree.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// All of them must hold; in the order in which the tree asks first. None for a tree without a split.
    pub conditions: Vec<Condition>,
    /// What the rule says, in the unit of the tree's output.
    pub says: f64,
    /// Share of the rows that it speaks of.
    pub share: f64,
    /// Mean of the model's outputs for these rows; NaN for none.
    pub mean: f64,
    /// Root mean square distance of the model's outputs from what the rule says; NaN for no row.
    pub error: f64,
}

/// All rules of a tree.
#[derive(Debug, Clone, PartialEq)]
pub struct Rules {
    /// The highest value first.
    pub rules: Vec<Rule>,
    /// Share of the variance of the model's outputs that the rules explain: 1 when they are the model, 0 when they say no more
    /// than its mean, less when they say worse. NaN where the model says the same of every row and the rules do not.
    pub fidelity: f64,
}

/// The rules of a fitted tree, judged on rows and the model's outputs for them. Take rows that the tree was not fitted to.
///
/// # Shapes
/// `outputs`: one number per row of `x`, of the output that the tree stands for
///
/// # Errors
/// [`ExplainError::Tree`] for a damaged tree or one with several outputs, [`ExplainError::Columns`] when it asks about a
/// column that the matrix does not have.
///
/// # Panics
/// When there is not one output per row.
///
/// # Source
/// Craven & Shavlik (1996), *Extracting tree-structured representations of trained networks*, NIPS, for fidelity to the model
/// instead of accuracy.
///
/// # Example
/// ```
/// use guike_core::tree::{Node, Split, Tree};
/// use guike_core::Matrix;
/// use guike_explain::rules::{Values, rules};
///
/// let leaf = |cover| Node { split: None, left: 0, right: 0, cover, gain: 0.0 };
/// let split = Split::Number { column: 0, threshold: 2.0, missing_left: true };
/// let root = Node { split: Some(split), left: 1, right: 2, cover: 4.0, gain: 1.0 };
/// let nodes = vec![root, leaf(3.0), leaf(1.0)];
/// let tree = Tree { nodes, values: vec![0.0, 10.0, 50.0], first_output: 0, n_outputs: 1 };
///
/// let said = rules(&tree, &Matrix::from_row_major(1, &[1.0, 2.0, 2.0, 9.0]), &[9.0, 10.0, 11.0, 50.0])?;
/// assert_eq!((said.rules[0].says, said.rules[0].share), (50.0, 0.25));
/// assert_eq!(said.rules[0].conditions[0].values, Values::Between { above: 2.0, up_to: f64::INFINITY });
/// assert!(said.rules[1].conditions[0].missing && said.fidelity > 0.99);
/// # Ok::<(), guike_explain::ExplainError>(())
/// ```
pub fn rules(tree: &Tree, x: &Matrix, outputs: &[f64]) -> Result<Rules, ExplainError> {
    assert_eq!(x.n_rows(), outputs.len(), "there is one output per row");
    check(tree, tree.first_output as usize + 1).map_err(|(node, rule)| ExplainError::Tree { tree: 0, node, rule })?;
    let needed = tree.nodes.iter().filter_map(|n| n.split.as_ref()).map(|s| s.column() + 1).max().unwrap_or(0);
    if x.n_columns() < needed {
        return Err(ExplainError::Columns { needed, found: x.n_columns() });
    }
    let n = outputs.len() as f64;
    // by node: rows, sum of outputs, sum of squared distances from the leaf's value
    let mut sums = vec![(0.0, 0.0, 0.0); tree.nodes.len()];
    for (i, &output) in outputs.iter().enumerate() {
        let at = tree.leaf(|j| x.at(i, j));
        let sum = &mut sums[at];
        *sum = (sum.0 + 1.0, sum.1 + output, sum.2 + (output - tree.value(at)[0]).powi(2));
    }
    let mut found = Vec::new();
    let mut stack = vec![(0, Vec::new())];
    while let Some((at, conditions)) = stack.pop() {
        let node = &tree.nodes[at];
        let Some(split) = &node.split else {
            let (rows, sum, squares) = sums[at];
            let (share, mean, error) = (rows / n, sum / rows, (squares / rows).sqrt());
            found.push(Rule { conditions, says: tree.value(at)[0], share, mean, error });
            continue;
        };
        stack.push((node.right as usize, narrowed(&conditions, split, false)));
        stack.push((node.left as usize, narrowed(&conditions, split, true)));
    }
    found.sort_by(|a, b| b.says.total_cmp(&a.says));
    let level = outputs.iter().sum::<f64>() / n;
    let total: f64 = outputs.iter().map(|v| (v - level).powi(2)).sum();
    let left: f64 = sums.iter().map(|s| s.2).sum();
    // rounding of the mean must not pass for movement
    let moves = |squares: f64| squares > n * (1e-12 * level).powi(2);
    let fidelity = match (moves(left), moves(total)) {
        (_, true) => 1.0 - left / total,
        (false, false) => 1.0,
        (true, false) => f64::NAN,
    };
    Ok(Rules { rules: found, fidelity })
}

/// The conditions with one more answer: a column that was asked about before gets narrower, another is added.
fn narrowed(conditions: &[Condition], split: &Split, left: bool) -> Vec<Condition> {
    let mut conditions = conditions.to_vec();
    let (column, values, missing) = match split {
        Split::Number { column, threshold, missing_left } => {
            let (above, up_to) = if left { (f64::NEG_INFINITY, *threshold) } else { (*threshold, f64::INFINITY) };
            (*column as usize, Values::Between { above, up_to }, *missing_left == left)
        }
        Split::Category { column, left: codes, missing_left } => {
            let values = if left { Values::OneOf(codes.clone()) } else { Values::NoneOf(codes.clone()) };
            (*column as usize, values, *missing_left == left)
        }
    };
    match conditions.iter_mut().find(|c| c.column == column) {
        Some(known) => {
            known.missing &= missing;
            known.values = both(&known.values, values);
        }
        None => conditions.push(Condition { column, values, missing }),
    }
    conditions
}

/// Values that satisfy both. A column is asked either about numbers or about codes; where a damaged tree mixes them the
/// later question stands.
fn both(known: &Values, new: Values) -> Values {
    let without = |codes: &[u32], gone: &[u32]| codes.iter().copied().filter(|c| !gone.contains(c)).collect();
    match (known, new) {
        (Values::Between { above: a, up_to: b }, Values::Between { above, up_to }) => {
            Values::Between { above: a.max(above), up_to: b.min(up_to) }
        }
        (Values::OneOf(a), Values::OneOf(b)) => Values::OneOf(a.iter().copied().filter(|c| b.contains(c)).collect()),
        (Values::OneOf(a), Values::NoneOf(b)) => Values::OneOf(without(a, &b)),
        (Values::NoneOf(a), Values::OneOf(b)) => Values::OneOf(without(&b, a)),
        (Values::NoneOf(a), Values::NoneOf(b)) => {
            let mut all = [a.as_slice(), &b].concat();
            all.sort_unstable();
            all.dedup();
            Values::NoneOf(all)
        }
        (_, new) => new,
    }
}

impl Condition {
    /// Whether this value satisfies it.
    ///
    /// ```
    /// use guike_explain::rules::{Condition, Values};
    /// let known = Condition { column: 0, values: Values::NoneOf(vec![2]), missing: false };
    /// assert!(known.holds(1.0) && !known.holds(2.0) && !known.holds(f64::NAN));
    /// ```
    pub fn holds(&self, value: f64) -> bool {
        if value.is_nan() {
            return self.missing;
        }
        match &self.values {
            Values::Between { above, up_to } => value > *above && value <= *up_to,
            Values::OneOf(codes) => is_one_of(codes, value),
            Values::NoneOf(codes) => !is_one_of(codes, value),
        }
    }
}

fn is_one_of(codes: &[u32], value: f64) -> bool {
    codes.iter().any(|&c| value >= 0.0 && value.trunc() == f64::from(c))
}

#[cfg(test)]
mod tests {
    use guike_core::Seed;
    use rand::RngExt;

    use super::*;
    use crate::tree_shap::random::{random_rows, random_tree};

    /// Every row satisfies the rule of its own leaf and no other, columns are named once, and shares and errors are those of
    /// the rows.
    #[test]
    fn a_rule_is_its_leaf() {
        for seed in 0..40 {
            let rng = &mut Seed(seed).rng();
            let tree = random_tree(rng, 4, 6, 1);
            let x = random_rows(rng, 200, 4);
            let outputs: Vec<f64> =
                (0..200).map(|i| tree.value(tree.leaf(|j| x.at(i, j)))[0] + rng.random::<f64>()).collect();
            let said = rules(&tree, &x, &outputs).unwrap();
            assert_eq!(said.rules.len(), tree.n_leaves());
            assert!(said.rules.windows(2).all(|w| w[0].says >= w[1].says));
            let (mut share, mut left) = (0.0, 0.0);
            for rule in &said.rules {
                let mut columns: Vec<usize> = rule.conditions.iter().map(|c| c.column).collect();
                columns.sort_unstable();
                columns.dedup();
                assert_eq!(columns.len(), rule.conditions.len());
                let rows: Vec<usize> =
                    (0..200).filter(|&i| rule.conditions.iter().all(|c| c.holds(x.at(i, c.column)))).collect();
                assert!(rows.iter().all(|&i| tree.value(tree.leaf(|j| x.at(i, j)))[0] == rule.says));
                assert!((rule.share - rows.len() as f64 / 200.0).abs() < 1e-12);
                if !rows.is_empty() {
                    let mean = rows.iter().map(|&i| outputs[i]).sum::<f64>() / rows.len() as f64;
                    assert!((rule.mean - mean).abs() < 1e-12);
                    left += rule.error.powi(2) * rows.len() as f64;
                }
                share += rule.share;
            }
            assert!((share - 1.0).abs() < 1e-9);
            let mean = outputs.iter().sum::<f64>() / 200.0;
            let total: f64 = outputs.iter().map(|v| (v - mean).powi(2)).sum();
            assert!((said.fidelity - (1.0 - left / total)).abs() < 1e-9);
        }
    }

    #[test]
    fn a_model_that_never_moves_is_followed_or_not() {
        let leaf = guike_core::tree::Node { split: None, left: 0, right: 0, cover: 1.0, gain: 0.0 };
        let tree = Tree { nodes: vec![leaf], values: vec![3.0], first_output: 0, n_outputs: 1 };
        let x = Matrix::from_row_major(1, &[0.0, 1.0]);
        let same = rules(&tree, &x, &[3.0, 3.0]).unwrap();
        assert_eq!((same.fidelity, same.rules[0].conditions.len(), same.rules[0].share), (1.0, 0, 1.0));
        let x = Matrix::from_row_major(1, &[0.0; 7]);
        assert!(rules(&tree, &x, &[4.1; 7]).unwrap().fidelity.is_nan());
        let two = Tree { values: vec![3.0, 1.0], n_outputs: 2, ..tree };
        assert!(rules(&two, &x, &[3.0; 7]).is_err(), "a surrogate has one output");
    }
}
