//! The model that all tree learners here give: trees, their fast form, and what was measured on the way.

use guike_core::{Matrix, Trees};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::compact::{CompactTrees, plain_leaf, row_sums};
use super::quantiles::{LeafLabels, leaves_of};
use super::store::TreesText;
use super::{EXTRA, FOREST, TREE};
use crate::tabular::{Examples, Link, TabularModel, Task};

/// Rows per piece of parallel work.
const CHUNK: usize = 1024;

/// A decision tree, random forest or extra trees.
#[derive(Debug, Clone, PartialEq)]
pub struct TreesModel {
    kind: &'static str,
    task: Task,
    n_columns: usize,
    trees: Trees,
    compact: Option<CompactTrees>,
    out_of_bag: Option<OutOfBag>,
    out_of_bag_score: Option<f64>,
    labels: Option<LeafLabels>,
}

/// Predictions of the training rows by the trees that did not see them.
#[derive(Debug, Clone, PartialEq)]
pub struct OutOfBag {
    /// Row-major as [`TabularModel::predict`]; NaN for a row that every tree saw.
    pub predictions: Vec<f64>,
    /// Rows with a prediction.
    pub n_rows: usize,
}

/// What is saved.
#[derive(Serialize, Deserialize)]
struct Saved {
    kind: String,
    task: Task,
    n_columns: usize,
    trees: TreesText,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    out_of_bag_score: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    leaf_labels: Option<LeafLabels>,
}

impl TreesModel {
    pub(super) fn new(kind: &'static str, task: Task, n_columns: usize, trees: Trees) -> TreesModel {
        let compact = CompactTrees::new(&trees, n_columns);
        TreesModel { kind, task, n_columns, trees, compact, out_of_bag: None, out_of_bag_score: None, labels: None }
    }

    pub(super) fn keep_labels(&mut self, labels: LeafLabels) {
        self.labels = Some(labels);
    }

    /// Which learner made it: `"decision-tree"`, `"random-forest"` or `"extra-trees"`.
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// How much each column lowered the impurity: per tree as a share of all its gains, then the mean over the trees that
    /// have a split (scikit-learn's `feature_importances_`). Sums to 1, or is 0 everywhere when no tree has a split.
    ///
    /// Measured on training rows, it flatters columns with many values; permutation importance does not.
    pub fn importance(&self) -> Vec<f64> {
        let mut out = vec![0.0; self.n_columns];
        for tree in &self.trees.trees {
            let mut own = vec![0.0; self.n_columns];
            let top = tree.nodes.iter().fold(0.0, |a: f64, n| a.max(n.gain));
            if top == 0.0 {
                continue;
            }
            for node in &tree.nodes {
                if let Some(split) = &node.split {
                    own[split.column()] += node.gain / top;
                }
            }
            let total: f64 = own.iter().sum();
            out.iter_mut().zip(&own).for_each(|(o, v)| *o += v / total);
        }
        let total: f64 = out.iter().sum();
        if total > 0.0 {
            out.iter_mut().for_each(|o| *o /= total);
        }
        out
    }

    /// Predictions of the training rows by trees that did not see them, where asked for; not saved.
    pub fn out_of_bag(&self) -> Option<&OutOfBag> {
        self.out_of_bag.as_ref()
    }

    /// R² for numbers, accuracy for classes, of the out-of-bag predictions (scikit-learn's `oob_score_`).
    pub fn out_of_bag_score(&self) -> Option<f64> {
        self.out_of_bag_score
    }

    /// Quantiles at these levels (0 to 1), row-major, rows × levels, where the forest was grown with `quantiles`.
    ///
    /// # Panics
    /// When the matrix has another number of columns.
    ///
    /// # Source
    /// Meinshausen, Quantile regression forests, JMLR 7 (2006).
    pub fn predict_quantiles(&self, x: &Matrix, levels: &[f64]) -> Option<Vec<f64>> {
        assert_eq!(x.n_columns(), self.n_columns, "the matrix has the columns of the training");
        let labels = self.labels.as_ref()?;
        let mut out = vec![0.0; x.n_rows() * levels.len()];
        if levels.is_empty() {
            return Some(out);
        }
        let n_trees = self.trees.trees.len();
        out.par_chunks_mut(CHUNK * levels.len()).enumerate().for_each(|(c, out)| {
            let n = out.len() / levels.len();
            let mut leaves = vec![0; n * n_trees];
            match &self.compact {
                Some(compact) => compact.leaves(x, c * CHUNK, n, |t, row, leaf| leaves[row * n_trees + t] = leaf),
                None => {
                    for (row, leaves) in leaves.chunks_exact_mut(n_trees).enumerate() {
                        leaves.copy_from_slice(&leaves_of(&self.trees, x, c * CHUNK + row));
                    }
                }
            }
            for (out, leaves) in out.chunks_exact_mut(levels.len()).zip(leaves.chunks_exact(n_trees)) {
                labels.quantiles(leaves, levels, out);
            }
        });
        Some(out)
    }

    /// Predicts the training rows by trees that did not draw them. `kept` are the positions of the rows that were drawn
    /// from, `drawn` how often each tree drew each of them.
    pub(super) fn judge_out_of_bag(&mut self, examples: &Examples<'_>, kept: &[usize], drawn: &[Vec<u16>]) {
        let k = self.task.n_outputs();
        let share = 1.0 / self.trees.trees.len() as f64;
        let chunks: Vec<Vec<f64>> = kept
            .par_chunks(CHUNK)
            .enumerate()
            .map(|(c, rows)| {
                let mut sums = vec![0.0; rows.len() * k];
                let mut voters = vec![0.0; rows.len()];
                let mut reached = |t: usize, row: usize, leaf: usize| {
                    if drawn[t][c * CHUNK + row] == 0 {
                        voters[row] += share;
                        let value = self.trees.trees[t].value(leaf);
                        sums[row * k..(row + 1) * k].iter_mut().zip(value).for_each(|(s, v)| *s += v);
                    }
                };
                let x = examples.x.select_rows(rows);
                match &self.compact {
                    Some(compact) => compact.leaves(&x, 0, rows.len(), reached),
                    None => {
                        for (t, tree) in self.trees.trees.iter().enumerate() {
                            (0..rows.len()).for_each(|row| reached(t, row, plain_leaf(tree, &x, row)));
                        }
                    }
                }
                // 0 / 0 is NaN: nobody voted
                sums.chunks_exact_mut(k).zip(&voters).for_each(|(s, v)| s.iter_mut().for_each(|s| *s /= v));
                share_out(self.task, &mut sums);
                sums
            })
            .collect();
        let mut predictions = vec![f64::NAN; examples.y.len() * k];
        for (&row, p) in kept.iter().zip(chunks.concat().chunks_exact(k)) {
            predictions[row * k..(row + 1) * k].copy_from_slice(p);
        }
        let known: Vec<(f64, &[f64])> =
            examples.y.iter().copied().zip(predictions.chunks_exact(k)).filter(|(_, p)| !p[0].is_nan()).collect();
        let n_rows = known.len();
        self.out_of_bag_score = score(self.task, &known);
        self.out_of_bag = Some(OutOfBag { predictions, n_rows });
    }

    /// Reads what [`TabularModel::save`] wrote.
    ///
    /// # Errors
    /// In words, when it is another kind of model or damaged.
    pub fn load(value: &serde_json::Value) -> Result<TreesModel, String> {
        let name = value.get("kind").and_then(serde_json::Value::as_str).unwrap_or("(none)");
        let kind = [TREE, FOREST, EXTRA].into_iter().find(|&k| k == name);
        let kind = kind.ok_or_else(|| format!("a model of kind `{name}` is no `{TREE}`, `{FOREST}` or `{EXTRA}`"))?;
        let saved = Saved::deserialize(value).map_err(|e| format!("{kind}: {e}"))?;
        let trees = saved.trees.read(saved.n_columns, saved.task.n_outputs()).map_err(|e| format!("{kind}: {e}"))?;
        if saved.leaf_labels.as_ref().is_some_and(|l| !l.fits(trees.trees.iter().map(|t| t.nodes.len()))) {
            return Err(format!("{kind}: the labels of the leaves do not belong to its trees"));
        }
        let mut model = TreesModel::new(kind, saved.task, saved.n_columns, trees);
        (model.out_of_bag_score, model.labels) = (saved.out_of_bag_score, saved.leaf_labels);
        Ok(model)
    }
}

/// Takes the rounding of many added shares out of probabilities, so that none is above 1.
fn share_out(task: Task, sums: &mut [f64]) {
    if task != Task::Regression {
        for row in sums.chunks_exact_mut(task.n_outputs()) {
            let total: f64 = row.iter().sum();
            row.iter_mut().for_each(|p| *p /= total);
        }
    }
}

/// R² or accuracy; `None` where it means nothing.
fn score(task: Task, known: &[(f64, &[f64])]) -> Option<f64> {
    let n = known.len() as f64;
    if known.is_empty() {
        return None;
    }
    if task == Task::Regression {
        let mean = known.iter().map(|(y, _)| y / n).sum::<f64>();
        let spread: f64 = known.iter().map(|(y, _)| (y - mean) * (y - mean)).sum();
        let error: f64 = known.iter().map(|(y, p)| (y - p[0]) * (y - p[0])).sum();
        return (spread > 0.0 && spread.is_finite() && error.is_finite()).then(|| 1.0 - error / spread);
    }
    let is_right = |(y, p): &&(f64, &[f64])| {
        let top = (1..p.len()).fold(0, |a, k| if p[k] > p[a] { k } else { a });
        top as f64 == *y
    };
    Some(known.iter().filter(is_right).count() as f64 / n)
}

impl TabularModel for TreesModel {
    fn task(&self) -> Task {
        self.task
    }

    fn n_columns(&self) -> usize {
        self.n_columns
    }

    fn predict(&self, x: &Matrix) -> Vec<f64> {
        assert_eq!(x.n_columns(), self.n_columns, "the matrix has the columns of the training");
        let mut out = match &self.compact {
            Some(compact) => compact.predict(&self.trees, x),
            None => {
                let rows: Vec<Vec<f64>> =
                    (0..x.n_rows()).into_par_iter().map(|i| self.trees.predict_row(|j| x.at(i, j))).collect();
                rows.concat()
            }
        };
        share_out(self.task, &mut out);
        out
    }

    fn predict_row(&self, row: &[f64], out: &mut Vec<f64>) {
        assert_eq!(row.len(), self.n_columns, "the row has the columns of the training");
        let mut sums = row_sums(&self.trees, self.compact.as_ref(), row);
        share_out(self.task, &mut sums);
        out.append(&mut sums);
    }

    fn trees(&self) -> Option<(&Trees, Link)> {
        Some((&self.trees, Link::Identity))
    }

    fn save(&self) -> serde_json::Value {
        let saved = Saved {
            kind: self.kind.to_owned(),
            task: self.task,
            n_columns: self.n_columns,
            trees: TreesText::from(&self.trees),
            out_of_bag_score: self.out_of_bag_score,
            leaf_labels: self.labels.clone(),
        };
        serde_json::to_value(&saved).expect("numbers and names are JSON")
    }
}
