//! Histogram gradient boosting: many small trees, each a step down the slope of the loss.
//!
//! The one idea (Friedman 2001; Ke et al. 2017, LightGBM): the raw sum of a row is a start plus one leaf value per tree, and
//! every tree is grown on the first two derivatives of the loss at the sums so far, so that one engine serves every loss.
//! Counterparts: LightGBM's `LGBMRegressor` and `LGBMClassifier`, scikit-learn's `HistGradientBoosting*`; with
//! [`Shape::Symmetric`], CatBoost's trees.
//!
//! Columns are read as at most 255 bins ([`crate::bins`]); missing values go where the loss is smaller; categories are
//! ordered by their mean step and cut. All randomness comes from the seed, and results are the same at any number of
//! threads.

mod grow;
mod objective;

use guike_core::tree::{Tree, Trees};
use guike_core::{FitContext, FitError, Matrix};
use rand::RngExt;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::bins::Bins;
use crate::forest::compact::CompactTrees;
use crate::forest::store::TreesText;
use crate::points::sample_rows;
use crate::tabular::{Examples, Link, TabularLearner, TabularModel, Task, Wants};
use grow::{Grower, Grown, Limits, Packed, pack};
pub use objective::Objective;
use objective::{softmax, weighted_quantile};

const NAME: &str = "boosting";

/// The shape of the trees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// The leaf with the largest gain is split next (LightGBM).
    #[default]
    BestFirst,
    /// All leaves of a level ask the same question (CatBoost); the depth is the logarithm of `max_leaves`.
    Symmetric,
}

/// How to boost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GradientBoosting {
    /// What to minimise; `None` chooses by the task: squared error, logistic or softmax.
    pub objective: Option<Objective>,
    /// Trees per class, at most; 1 or more.
    pub rounds: u32,
    /// Part of each step that is taken, in (0, 1]: smaller needs more rounds and generalises better.
    pub learning_rate: f64,
    /// Leaves per tree, 2 or more.
    pub max_leaves: u32,
    /// Questions in a row, at most.
    pub max_depth: u32,
    /// Least rows per leaf.
    pub min_leaf_rows: u32,
    /// Least sum of second derivatives per leaf.
    pub min_leaf_hessian: f64,
    /// Ridge penalty on leaf values, at least 0.
    pub l2: f64,
    /// Gain below which nothing is split.
    pub min_gain: f64,
    /// Part of the columns drawn for each tree, in (0, 1].
    pub column_fraction: f64,
    /// Part of the rows drawn for each tree, in (0, 1].
    pub row_fraction: f64,
    /// Bins per column, 2 to 255.
    pub max_bins: u32,
    /// Per column −1 (falls), 0 or 1 (rises); empty for none.
    pub monotone: Vec<i8>,
    /// Stop when this many rounds brought no better loss on rows kept aside; 0 never stops.
    pub early_stopping: u32,
    /// Part of the rows kept aside to stop by, in (0, 1).
    pub aside_fraction: f64,
    /// The shape of the trees.
    pub shape: Shape,
}

impl Default for GradientBoosting {
    fn default() -> GradientBoosting {
        GradientBoosting {
            objective: None,
            rounds: 100,
            learning_rate: 0.1,
            max_leaves: 31,
            max_depth: 64,
            min_leaf_rows: 20,
            min_leaf_hessian: 1e-3,
            l2: 0.0,
            min_gain: 0.0,
            column_fraction: 1.0,
            row_fraction: 1.0,
            max_bins: 255,
            monotone: Vec::new(),
            early_stopping: 0,
            aside_fraction: 0.2,
            shape: Shape::BestFirst,
        }
    }
}

/// What a fit may be given beyond its examples.
#[derive(Debug, Clone, Copy, Default)]
pub struct Extra<'a> {
    /// n raw sums to begin with; the same must be added to the sums at prediction ([`Boosted::sums`]).
    pub offset: Option<&'a [f64]>,
    /// n flags: rows that are kept aside to stop by and not learned from.
    pub aside: Option<&'a [bool]>,
}

impl GradientBoosting {
    /// Checks every setting.
    ///
    /// # Errors
    /// [`FitError::Invalid`] with the setting, its value and the rule.
    pub fn validate(&self) -> Result<(), FitError> {
        let share = |x: f64| x > 0.0 && x <= 1.0;
        let check = |ok: bool, what: &str, value: String, rule: &str| {
            if ok {
                return Ok(());
            }
            Err(FitError::Invalid { learner: NAME, what: what.to_owned(), value, rule: rule.to_owned() })
        };
        check(self.rounds >= 1, "rounds", self.rounds.to_string(), "it is at least 1")?;
        check(share(self.learning_rate), "learning_rate", self.learning_rate.to_string(), "it lies in (0, 1]")?;
        check(self.max_leaves >= 2, "max_leaves", self.max_leaves.to_string(), "it is at least 2")?;
        check(self.max_depth >= 1, "max_depth", self.max_depth.to_string(), "it is at least 1")?;
        check(self.l2 >= 0.0 && self.l2.is_finite(), "l2", self.l2.to_string(), "it is at least 0")?;
        check(share(self.column_fraction), "column_fraction", self.column_fraction.to_string(), "it lies in (0, 1]")?;
        check(share(self.row_fraction), "row_fraction", self.row_fraction.to_string(), "it lies in (0, 1]")?;
        check((2..=255).contains(&self.max_bins), "max_bins", self.max_bins.to_string(), "it lies in 2 to 255")?;
        check(
            self.aside_fraction > 0.0 && self.aside_fraction < 1.0,
            "aside_fraction",
            self.aside_fraction.to_string(),
            "it lies strictly between 0 and 1",
        )?;
        match self.objective {
            Some(Objective::Tweedie { power }) => {
                check(power > 1.0 && power < 2.0, "power", power.to_string(), "it lies strictly between 1 and 2")
            }
            Some(Objective::Quantile { level }) => {
                check(level > 0.0 && level < 1.0, "level", level.to_string(), "it lies strictly between 0 and 1")
            }
            _ => Ok(()),
        }
    }

    fn objective_for(&self, task: Task) -> Result<Objective, FitError> {
        let fitting = match task {
            Task::Regression => Objective::SquaredError,
            Task::Classification { classes: 2 } => Objective::Logistic,
            Task::Classification { .. } => Objective::Softmax,
        };
        let objective = self.objective.unwrap_or(fitting);
        let classes = task.n_outputs() as u32;
        if objective.task(classes) != task {
            return Err(FitError::Invalid {
                learner: NAME,
                what: "objective".to_owned(),
                value: format!("{objective:?}"),
                rule: format!("it does not predict a {task:?}"),
            });
        }
        Ok(objective)
    }

    /// Learns, with an offset or rows kept aside.
    ///
    /// # Errors
    /// [`FitError`] for settings or labels out of range, no rows, or a request to stop.
    pub fn fit_with(
        &self,
        examples: &Examples<'_>,
        extra: Extra<'_>,
        cx: &FitContext<'_>,
    ) -> Result<Boosted, FitError> {
        self.validate()?;
        let objective = self.objective_for(examples.task)?;
        check_labels(objective, examples)?;
        Booster::new(self, objective, examples, extra, cx)?.run(cx)
    }
}

fn check_labels(objective: Objective, examples: &Examples<'_>) -> Result<(), FitError> {
    let invalid = |what: &str, value: f64, rule: &str| FitError::Invalid {
        learner: NAME,
        what: what.to_owned(),
        value: value.to_string(),
        rule: rule.to_owned(),
    };
    let n = examples.x.n_rows();
    assert!(examples.y.len() == n && examples.weight.is_none_or(|w| w.len() == n), "one label and weight per row");
    if n == 0 {
        return Err(FitError::TooLittle {
            learner: NAME,
            needs: "labelled rows".to_owned(),
            found: "are none".to_owned(),
        });
    }
    // beyond this the square of a label is no number
    if let Some(&y) = examples.y.iter().find(|y| y.is_nan() || y.abs() > 1e150) {
        return Err(invalid("label", y, "labels are numbers of at most 1e150 in size"));
    }
    if let Some(&w) = examples.weight.and_then(|w| w.iter().find(|w| !(w.is_finite() && **w >= 0.0))) {
        return Err(invalid("weight", w, "weights are numbers of at least 0"));
    }
    match objective {
        Objective::Poisson | Objective::Tweedie { .. } => {
            if let Some(&y) = examples.y.iter().find(|y| **y < 0.0) {
                return Err(invalid("label", y, "counts and amounts are at least 0"));
            }
        }
        Objective::Logistic | Objective::Softmax => {
            let classes = examples.task.n_outputs() as f64;
            if let Some(&y) = examples.y.iter().find(|y| y.fract() != 0.0 || **y < 0.0 || **y >= classes) {
                return Err(invalid("label", y, "a class is a whole number below the number of classes"));
            }
            if examples.y.iter().all(|y| *y == examples.y[0]) {
                return Err(FitError::TooLittle {
                    learner: NAME,
                    needs: "labels of two classes".to_owned(),
                    found: "is one".to_owned(),
                });
            }
        }
        _ => {}
    }
    Ok(())
}

/// Everything that changes from round to round.
struct Booster<'a> {
    settings: &'a GradientBoosting,
    objective: Objective,
    examples: &'a Examples<'a>,
    weight: Vec<f64>,
    codes: Vec<u8>,
    bins: Bins,
    /// Rows that are learned from, and rows to stop by.
    learned: Vec<u32>,
    aside: Vec<u32>,
    /// Row-major, n × sums per row.
    sums: Vec<f64>,
    trees: Trees,
    n_sums: usize,
}

impl<'a> Booster<'a> {
    fn new(
        settings: &'a GradientBoosting,
        objective: Objective,
        examples: &'a Examples<'a>,
        extra: Extra<'_>,
        cx: &FitContext<'_>,
    ) -> Result<Booster<'a>, FitError> {
        let n = examples.x.n_rows();
        let n_sums = objective.link().n_sums(examples.task);
        let bins = Bins::fit(examples.x, examples.kinds, settings.max_bins as usize, cx.seed);
        let columns = bins.codes(examples.x);
        let width = columns.len();
        let mut codes = vec![0_u8; n * width];
        codes.par_chunks_mut(width.max(1) * 4096).enumerate().for_each(|(block, out)| {
            for (i, row) in out.chunks_exact_mut(width.max(1)).enumerate() {
                for (code, column) in row.iter_mut().zip(&columns) {
                    *code = column[block * 4096 + i];
                }
            }
        });
        let weight = examples.weight.map_or_else(|| vec![1.0; n], <[f64]>::to_vec);
        let (learned, aside) = match extra.aside {
            Some(flags) => {
                assert_eq!(flags.len(), n, "one flag per row");
                (0..n as u32).partition(|&i| !flags[i as usize])
            }
            None if settings.early_stopping > 0 && n >= 10 => {
                let size = ((n as f64 * settings.aside_fraction) as usize).clamp(1, n - 1);
                let drawn = sample_rows(n, size, cx.seed.derive("aside"));
                let mut flags = vec![false; n];
                drawn.iter().for_each(|&i| flags[i] = true);
                (0..n as u32).partition(|&i| !flags[i as usize])
            }
            None => ((0..n as u32).collect::<Vec<u32>>(), Vec::new()),
        };
        if learned.is_empty() {
            return Err(FitError::TooLittle {
                learner: NAME,
                needs: "rows that are not kept aside".to_owned(),
                found: "are none".to_owned(),
            });
        }
        let offset = |i: usize| extra.offset.map_or(0.0, |o| o[i]);
        let base: Vec<f64> = (0..n_sums)
            .map(|k| {
                let label = |i: usize| match objective {
                    Objective::Softmax => f64::from(u8::from(examples.y[i] == k as f64)),
                    _ => examples.y[i],
                };
                let rows = learned.iter().map(|&i| i as usize).map(|i| (label(i), weight[i], offset(i)));
                let start = objective.start(rows, extra.offset.is_some());
                // a softmax begins at the logs of the classes' shares
                if objective == Objective::Softmax { crate::tabular::sigmoid(start).max(1e-12).ln() } else { start }
            })
            .collect();
        let sums = (0..n).flat_map(|i| base.iter().map(move |b| (i, *b))).map(|(i, b)| b + offset(i)).collect();
        let trees = Trees { base, trees: Vec::new() };
        Ok(Booster { settings, objective, examples, weight, codes, bins, learned, aside, sums, trees, n_sums })
    }

    fn run(mut self, cx: &FitContext<'_>) -> Result<Boosted, FitError> {
        let s = self.settings;
        let width = self.bins.columns.len();
        // a column of one bin can never be asked about
        let useful: Vec<usize> =
            (0..width).filter(|&j| self.bins.columns[j].len() > 1 || self.has_missing(j)).collect();
        let seed = cx.seed.derive("boosting");
        let mut best = (self.loss_aside(), 0);
        let mut losses = Vec::new();
        for round in 0..s.rounds {
            cx.progress.check()?;
            let seed = seed.at(u64::from(round));
            let columns = draw(&useful, s.column_fraction, seed.derive("columns"));
            let rows = draw(&self.learned, s.row_fraction, seed.derive("rows"));
            let grew = self.round(&rows, &columns, seed);
            if !self.aside.is_empty() && s.early_stopping > 0 {
                let loss = self.loss_aside();
                losses.push(loss);
                if loss < best.0 {
                    best = (loss, self.trees.trees.len());
                } else if self.trees.trees.len() >= best.1 + (s.early_stopping as usize) * self.n_sums {
                    break;
                }
            }
            if !grew {
                break;
            }
        }
        if !losses.is_empty() {
            self.trees.trees.truncate(best.1);
        }
        let rounds = (self.trees.trees.len() / self.n_sums.max(1)) as u32;
        Ok(Boosted::new(self.trees, self.objective.link(), self.examples.task, width, rounds))
    }

    fn has_missing(&self, column: usize) -> bool {
        self.examples.x.column(column).iter().any(|v| v.is_nan())
    }

    /// Adds one tree per sum; says whether any of them asks anything.
    fn round(&mut self, rows: &[u32], columns: &[usize], seed: guike_core::Seed) -> bool {
        let n = self.examples.x.n_rows();
        let k = self.n_sums;
        let mut g = vec![0.0; n * k];
        let mut h = vec![0.0; n * k];
        g.par_chunks_mut(k * 4096).zip(h.par_chunks_mut(k * 4096)).enumerate().for_each(|(block, (g, h))| {
            for (i, (g, h)) in g.chunks_exact_mut(k).zip(h.chunks_exact_mut(k)).enumerate() {
                let row = block * 4096 + i;
                let sums = &self.sums[row * k..(row + 1) * k];
                if k == 1 {
                    (g[0], h[0]) = self.objective.derivatives(self.examples.y[row], sums[0]);
                } else {
                    softmax(self.examples.y[row] as usize, sums, g, h);
                }
                g.iter_mut().chain(h.iter_mut()).for_each(|d| *d *= self.weight[row]);
            }
        });
        let mut grew = false;
        for class in 0..k {
            let at = |row: u32| row as usize * k + class;
            let (values, unit) = quantise(n, rows, |row| (g[at(row)], h[at(row)]), seed.at(class as u64));
            let limits = self.limits();
            let grower = Grower { codes: &self.codes, bins: &self.bins, limits, monotone: &self.settings.monotone };
            let grown = grower.grow(rows.to_vec(), columns, &Packed { values: &values, unit });
            grew |= grown.nodes.len() > 1;
            self.add(grown, class, |row| (g[at(row)], h[at(row)]));
        }
        grew
    }

    fn limits(&self) -> Limits {
        let s = self.settings;
        Limits {
            max_leaves: s.max_leaves as usize,
            max_depth: s.max_depth as usize,
            min_leaf_rows: f64::from(s.min_leaf_rows),
            min_leaf_hessian: s.min_leaf_hessian.max(1e-12),
            l2: s.l2,
            min_gain: s.min_gain.max(1e-12),
            symmetric: s.shape == Shape::Symmetric,
        }
    }

    /// Gives every leaf its value and every row its step.
    fn add(&mut self, grown: Grown, class: usize, derivatives: impl Fn(u32) -> (f64, f64)) {
        let k = self.n_sums;
        let mut values = vec![0.0; grown.nodes.len()];
        for ((node, range), bounds) in grown.leaves.iter().zip(&grown.bounds) {
            let rows = &grown.order[range.clone()];
            let value = match self.objective {
                // the slope of a quantile's loss has no curvature: the leaf takes the quantile of what is left
                Objective::Quantile { level } => {
                    let mut left: Vec<(f64, f64)> = rows
                        .iter()
                        .map(|&i| i as usize)
                        .map(|i| (self.examples.y[i] - self.sums[i * k + class], self.weight[i]))
                        .collect();
                    weighted_quantile(&mut left, level)
                }
                _ => {
                    let (g, h) = rows.iter().map(|&i| derivatives(i)).fold((0.0, 0.0), |a, d| (a.0 + d.0, a.1 + d.1));
                    if h + self.settings.l2 > 0.0 {
                        (-g / (h + self.settings.l2)).clamp(bounds.0, bounds.1)
                    } else {
                        0.0
                    }
                }
            };
            values[*node] = self.settings.learning_rate * if value.is_finite() { value } else { 0.0 };
        }
        let width = self.bins.columns.len();
        let mut drawn = vec![false; self.examples.x.n_rows()];
        for (node, range) in &grown.leaves {
            for &row in &grown.order[range.clone()] {
                self.sums[row as usize * k + class] += values[*node];
                drawn[row as usize] = true;
            }
        }
        let codes = &self.codes;
        self.sums.par_chunks_mut(k).zip(&drawn).enumerate().filter(|(_, (_, drawn))| !**drawn).for_each(
            |(row, (sums, _))| {
                let mut at = 0;
                while let Some((column, left)) = &grown.goes_left[at] {
                    let code = codes[row * width + *column as usize];
                    at = if left[usize::from(code)] { grown.nodes[at].left } else { grown.nodes[at].right } as usize;
                }
                sums[class] += values[at];
            },
        );
        self.trees.trees.push(Tree { nodes: grown.nodes, values, first_output: class as u32, n_outputs: 1 });
    }

    fn loss_aside(&self) -> f64 {
        let k = self.n_sums;
        let total: f64 = self
            .aside
            .iter()
            .map(|&i| i as usize)
            .map(|i| {
                let sums = &self.sums[i * k..(i + 1) * k];
                let loss = if k == 1 {
                    self.objective.loss(self.examples.y[i], sums[0])
                } else {
                    let top = sums.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                    top + sums.iter().map(|s| (s - top).exp()).sum::<f64>().ln() - sums[self.examples.y[i] as usize]
                };
                self.weight[i] * loss
            })
            .sum();
        if total.is_finite() { total } else { f64::INFINITY }
    }
}

/// A seeded part of the items, in their order; all of them for a share of 1.
fn draw<T: Copy>(items: &[T], share: f64, seed: guike_core::Seed) -> Vec<T> {
    if share >= 1.0 || items.len() < 2 {
        return items.to_vec();
    }
    let size = ((items.len() as f64 * share).round() as usize).max(1);
    sample_rows(items.len(), size, seed).into_iter().map(|i| items[i]).collect()
}

/// Rounds the derivatives of `rows` at random to whole numbers; gives one packed value per row of all `n`, and units.
fn quantise(
    n: usize,
    rows: &[u32],
    derivatives: impl Fn(u32) -> (f64, f64) + Sync,
    seed: guike_core::Seed,
) -> (Vec<i64>, (f64, f64)) {
    // the sum of all second derivatives must stay within 32 bits, that of the first within 31
    let steps = ((f64::from(u32::MAX) / 2.0 / rows.len().max(1) as f64).floor() - 1.0).clamp(1.0, 32_767.0);
    let (top_g, top_h) = rows.iter().fold((0.0_f64, 0.0_f64), |top, &row| {
        let (g, h) = derivatives(row);
        (top.0.max(g.abs()), top.1.max(h))
    });
    let unit = |top: f64| if top > 0.0 && top.is_finite() { top / steps } else { 1.0 };
    let unit = (unit(top_g), unit(top_h));
    let mut values = vec![0_i64; n];
    let mut rng = seed.derive("rounding").rng();
    for &row in rows {
        let (g, h) = derivatives(row);
        // one draw serves both: their sums are used apart
        let u: f64 = rng.random();
        let whole = |x: f64| (x + u).floor() as i64;
        values[row as usize] = pack(whole(g / unit.0), whole(h / unit.1).max(0));
    }
    (values, unit)
}

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
    fn new(trees: Trees, link: Link, task: Task, n_columns: usize, rounds: u32) -> Boosted {
        let fast = CompactTrees::new(&trees, n_columns);
        Boosted { trees, link, task, n_columns, rounds, fast }
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

impl TabularLearner for GradientBoosting {
    fn name(&self) -> &'static str {
        NAME
    }

    fn wants(&self) -> Wants {
        Wants::Raw
    }

    fn can(&self, task: Task) -> bool {
        self.objective.is_none_or(|o| o.task(task.n_outputs() as u32) == task)
    }

    fn fit(&self, examples: &Examples<'_>, cx: &FitContext<'_>) -> Result<Box<dyn TabularModel>, FitError> {
        Ok(Box::new(self.fit_with(examples, Extra::default(), cx)?))
    }
}
