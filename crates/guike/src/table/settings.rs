//! Everything `guike train` can be told, as plain data.

use guike_core::Seed;
use guike_data::ReadOptions;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::settings::{AUTO, Budget};

use super::learners;

/// What to learn from a table and how; only `target` has no default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TableSettings {
    /// The column to predict.
    pub target: String,
    /// What the target is; `None` finds out.
    pub task: Option<TaskChoice>,
    /// The class whose probability counts, of two; `None` chooses by name, then the rarer one.
    pub positive: Option<String>,
    /// `auto`, or one learner's name.
    pub model: String,
    /// Folds of the cross-validation, 2 to 50.
    pub folds: usize,
    /// Share of the rows kept apart for the final figures, 0 to 0.5; 0 keeps none.
    pub test: f64,
    /// What it costs to call a negative case positive, in any unit. With `cost_fn` it sets the threshold.
    pub cost_fp: f64,
    /// What it costs to call a positive case negative, in the same unit.
    pub cost_fn: f64,
    /// How much to try.
    pub budget: Budget,
    /// Root of all randomness.
    pub seed: Seed,
    /// Columns not to learn from.
    pub drop: Vec<String>,
    /// Columns to learn from although they look like ids.
    pub keep: Vec<String>,
    /// Columns of numbers that are codes of groups.
    pub categories: Vec<String>,
    /// Column of moments: the test rows are then the newest, and every fold learns from what is older than what it is tested on.
    pub time: Option<String>,
    /// How to put numbers on one scale for the learners that need it.
    pub scaling: ScalingChoice,
    /// Length of a step of gradient descent per unit of gradient, above 0.
    pub learning_rate: f64,
    /// Steps of gradient descent, 1 to 1,000,000.
    pub iterations: usize,
    /// How to read the file.
    pub read: ReadOptions,
}

/// What a target can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskChoice {
    /// A number.
    Regression,
    /// One of two or more classes.
    Classification,
}

/// How numbers are put on one scale.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScalingChoice {
    /// By column: the logarithm where values are skewed and not negative, then mean 0 and standard deviation 1.
    #[default]
    Auto,
    /// Mean 0, standard deviation 1.
    Standard,
    /// From 0 to 1.
    MinMax,
    /// By median and quartiles, for columns with outliers.
    Robust,
    /// The logarithm where no value is negative, then mean 0 and standard deviation 1.
    Log,
}

impl Default for TableSettings {
    fn default() -> TableSettings {
        TableSettings {
            target: String::new(),
            task: None,
            positive: None,
            model: AUTO.to_owned(),
            folds: 5,
            test: 0.2,
            cost_fp: 1.0,
            cost_fn: 1.0,
            budget: Budget::default(),
            seed: Seed(1),
            drop: Vec::new(),
            keep: Vec::new(),
            categories: Vec::new(),
            time: None,
            scaling: ScalingChoice::default(),
            learning_rate: 0.01,
            iterations: 1_000,
            read: ReadOptions::default(),
        }
    }
}

impl TableSettings {
    /// Checks what the types cannot.
    ///
    /// # Errors
    /// [`Error::Config`] naming the setting, its value and the rule.
    pub fn validate(&self) -> Result<(), Error> {
        let refuse = |what: &str, value: String, rule: &str| {
            Err(Error::Config { what: what.to_owned(), value, rule: rule.to_owned() })
        };
        if !(2..=50).contains(&self.folds) {
            return refuse("--folds", self.folds.to_string(), "give 2 to 50");
        }
        if !(0.0..=0.5).contains(&self.test) {
            return refuse("--test", self.test.to_string(), "give a share from 0 to 0.5");
        }
        for (what, cost) in [("--cost-fp", self.cost_fp), ("--cost-fn", self.cost_fn)] {
            if !(cost > 0.0 && cost.is_finite()) {
                return refuse(what, cost.to_string(), "give a number above 0");
            }
        }
        if !(self.learning_rate > 0.0 && self.learning_rate.is_finite()) {
            return refuse("--learning-rate", self.learning_rate.to_string(), "give a number above 0");
        }
        if !(1..=1_000_000).contains(&self.iterations) {
            return refuse("--iterations", self.iterations.to_string(), "give 1 to 1,000,000");
        }
        if self.model != AUTO && learners::named(&self.model).is_none() {
            let names = learners::names();
            let near = nearest(&self.model, &names).map_or_else(String::new, |n| format!("did you mean `{n}`? "));
            let rule = format!("no learner on tables has this name; {near}they are {}, and `auto`", names.join(", "));
            return refuse("--model", self.model.clone(), &rule);
        }
        Ok(())
    }
}

/// The name most like `asked`, if one is like it at all.
pub(super) fn nearest<'a>(asked: &str, names: &[&'a str]) -> Option<&'a str> {
    let similarity = |n: &str| strsim::jaro_winkler(&n.to_lowercase(), &asked.to_lowercase());
    let best = names.iter().map(|n| (similarity(n), *n)).max_by(|a, b| a.0.total_cmp(&b.0))?;
    (best.0 > 0.7).then_some(best.1)
}
