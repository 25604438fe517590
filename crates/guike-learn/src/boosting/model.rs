//! Boosted trees, fitted.

use guike_core::{Matrix, Trees};
use serde::Deserialize;
use serde_json::{Value, json};

use super::NAME;
use crate::forest::compact::{CompactTrees, row_sums};
use crate::forest::store::TreesText;
use crate::tabular::{Link, TabularModel, Task};

/// Boosted trees.
#[derive(Debug, Clone)]
pub struct Boosted {
    trees: Trees,
    link: Link,
    task: Task,
    n_columns: usize,
    rounds: u32,
    /// `None` where the trees do not fit its limits; the plain reading gives the same bits.
    fast: Option<CompactTrees>,
}

impl Boosted {
    pub(super) fn new(trees: Trees, link: Link, task: Task, n_columns: usize, rounds: u32) -> Boosted {
        let fast = CompactTrees::new(&trees, n_columns);
        Boosted { trees, link, task, n_columns, rounds, fast }
    }

    /// The same trees whose predictions, behind a log link, are `factor` times as large.
    pub(crate) fn times(self, factor: f64) -> Boosted {
        debug_assert_eq!(self.link, Link::Log, "only a log turns a factor into a sum");
        let mut trees = self.trees;
        trees.base.iter_mut().for_each(|b| *b += factor.ln());
        Boosted::new(trees, self.link, self.task, self.n_columns, self.rounds)
    }

    /// Rounds that were kept.
    pub fn rounds(&self) -> u32 {
        self.rounds
    }

    /// Raw sums before the link, without any offset, row-major.
    ///
    /// # Panics
    /// When the matrix has another number of columns.
    pub fn sums(&self, x: &Matrix) -> Vec<f64> {
        assert_eq!(x.n_columns(), self.n_columns, "the columns it was fitted on");
        match &self.fast {
            Some(fast) => fast.predict(&self.trees, x),
            None => (0..x.n_rows()).flat_map(|i| self.trees.predict_row(|j| x.at(i, j))).collect(),
        }
    }

    /// The gain of every column's splits, with sum 1; all 0 when nothing was split.
    pub fn gain_importance(&self) -> Vec<f64> {
        let mut gains = vec![0.0; self.n_columns];
        for node in self.trees.trees.iter().flat_map(|t| &t.nodes) {
            if let Some(split) = &node.split {
                gains[split.column()] += node.gain;
            }
        }
        let total: f64 = gains.iter().sum();
        if total > 0.0 {
            gains.iter_mut().for_each(|g| *g /= total);
        }
        gains
    }

    /// Reads a model back.
    ///
    /// # Errors
    /// What is missing or damaged, in words.
    pub fn load(value: &Value) -> Result<Boosted, String> {
        #[derive(Deserialize)]
        struct Body {
            kind: String,
            trees: TreesText,
            link: Link,
            task: Task,
            n_columns: usize,
            rounds: u32,
        }
        let b = Body::deserialize(value).map_err(|e| e.to_string())?;
        if b.kind != NAME {
            return Err(format!("`kind` is `{}`, not `{NAME}`", b.kind));
        }
        let trees = b.trees.read(b.n_columns, b.link.n_sums(b.task))?;
        Ok(Boosted::new(trees, b.link, b.task, b.n_columns, b.rounds))
    }
}

impl TabularModel for Boosted {
    fn task(&self) -> Task {
        self.task
    }

    fn n_columns(&self) -> usize {
        self.n_columns
    }

    fn predict(&self, x: &Matrix) -> Vec<f64> {
        let sums = self.sums(x);
        let k = self.trees.base.len();
        let mut out = Vec::with_capacity(x.n_rows() * self.task.n_outputs());
        sums.chunks_exact(k).for_each(|s| self.link.apply(s, &mut out));
        out
    }

    fn predict_row(&self, row: &[f64], out: &mut Vec<f64>) {
        assert_eq!(row.len(), self.n_columns, "the columns it was fitted on");
        self.link.apply(&row_sums(&self.trees, self.fast.as_ref(), row), out);
    }

    fn trees(&self) -> Option<(&Trees, Link)> {
        Some((&self.trees, self.link))
    }

    fn save(&self) -> Value {
        json!({
            "kind": NAME,
            "task": self.task,
            "link": self.link,
            "n_columns": self.n_columns,
            "rounds": self.rounds,
            "trees": TreesText::from(&self.trees),
        })
    }
}
