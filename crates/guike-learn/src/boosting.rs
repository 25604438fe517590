//! Histogram gradient boosting: many small trees, each a step down the slope of the loss.
//!
//! The one idea (Friedman 2001; Ke et al. 2017, LightGBM): the raw sum of a row is a start plus one leaf value per tree, and
//! every tree is grown on the first two derivatives of the loss at the sums so far, so that one engine serves every loss.
//! Counterparts: LightGBM's `LGBMRegressor` and `LGBMClassifier`, scikit-learn's `HistGradientBoosting*`; with
//! [`Shape::Symmetric`], CatBoost's trees.
//!
//! On the same rows its losses agree with LightGBM's within 4 % for every objective, with weights, categories, missing values
//! and constraints (`tests.rs` holds LightGBM's figures); models that LightGBM saved are read by [`lightgbm`].
//!
//! Columns are read as at most 255 bins ([`crate::bins`]); missing values go where the loss is smaller; categories are
//! ordered by their mean step and cut. All randomness comes from the seed, and results are the same at any number of
//! threads.

mod codes;
mod fit;
mod grow;
mod histogram;
pub mod lightgbm;
mod model;
mod objective;
mod search;
#[cfg(test)]
mod tests;

use guike_core::{FitContext, FitError};
use serde::{Deserialize, Serialize};

use crate::tabular::{ColumnKind, Examples, TabularLearner, TabularModel, Task, Wants};
pub use codes::Binned;
pub use model::Boosted;
pub use objective::Objective;

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
    /// The columns of the examples, binned before: several fits on the same columns share it.
    pub binned: Option<&'a Binned>,
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

    fn check_constraints(&self, examples: &Examples<'_>) -> Result<(), FitError> {
        let n = examples.x.n_columns();
        let fits = self.monotone.is_empty() || self.monotone.len() == n;
        let is_one = |(m, kind): (&i8, &ColumnKind)| (-1..=1).contains(m) && (*m == 0 || *kind == ColumnKind::Number);
        if fits && self.monotone.iter().zip(examples.kinds).all(is_one) {
            return Ok(());
        }
        Err(FitError::Invalid {
            learner: NAME,
            what: "monotone".to_owned(),
            value: format!("{:?}", self.monotone),
            rule: format!("it is empty, or has −1, 0 or 1 for each of {n} columns and 0 for categories"),
        })
    }

    /// Learns, with an offset, rows kept aside, or columns binned before.
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
        self.check_constraints(examples)?;
        let objective = self.objective_for(examples.task)?;
        check_labels(objective, examples)?;
        fit::fit(self, objective, examples, extra, cx)
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
