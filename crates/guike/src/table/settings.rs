//! Everything `guike train` can be told, as plain data: what `train.toml` and the file of `--settings` hold.

use std::collections::BTreeMap;
use std::path::Path;

use guike_core::Seed;
use guike_data::ReadOptions;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::settings::{AUTO, Budget};
use crate::tune::{Given, Values, check};

use super::figures::Decision;
use super::learners;

/// There are at most ten tiers.
const MOST_BORDERS: usize = 9;

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
    /// From which probability of the positive class a row is called positive, above 0 and below 1; `None` takes the one that
    /// the costs make best.
    pub threshold: Option<f64>,
    /// Where tiers of predictions begin, the best first, falling; empty cuts them at shares of the rows of training.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tier_borders: Vec<f64>,
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
    /// Column of groups, such as a customer with several rows: no group is learned from and judged at once.
    pub group: Option<String>,
    /// How to put numbers on one scale for the learners that need it.
    pub scaling: ScalingChoice,
    /// Length of a step of gradient descent per unit of gradient, above 0.
    pub learning_rate: f64,
    /// Steps of gradient descent, 1 to 1,000,000.
    pub iterations: usize,
    /// How to read the file.
    pub read: ReadOptions,
    /// Hyper-parameters by learner and name, where they are not the learner's own: what `guike tune` finds.
    pub learners: BTreeMap<String, Values>,
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
            threshold: None,
            tier_borders: Vec::new(),
            budget: Budget::default(),
            seed: Seed(1),
            drop: Vec::new(),
            keep: Vec::new(),
            categories: Vec::new(),
            time: None,
            group: None,
            scaling: ScalingChoice::default(),
            learning_rate: 0.01,
            iterations: 1_000,
            read: ReadOptions::default(),
            learners: BTreeMap::new(),
        }
    }
}

impl TableSettings {
    /// The settings in this text of a settings file; `path` names it in errors.
    ///
    /// # Errors
    /// [`Error::ConfigFile`] with the line, for a name or value that is not known.
    pub fn from_toml(text: &str, path: &Path) -> Result<TableSettings, Error> {
        toml::from_str(text).map_err(|e| Error::ConfigFile { path: path.to_owned(), reason: e.to_string() })
    }

    /// The text of a settings file that says the same.
    ///
    /// # Errors
    /// [`Error::Internal`] when a setting has no TOML form, which is a mistake of ours.
    pub fn to_toml(&self) -> Result<String, Error> {
        toml::to_string(self).map_err(|e| Error::Internal(format!("the settings have no TOML form: {e}")))
    }

    /// The hyper-parameters of this learner that are not its own.
    pub(super) fn given(&self, learner: &str) -> Given<'_> {
        Given(self.learners.get(learner))
    }

    /// How rows are called: at the threshold that was given, else at the one that the costs make best.
    pub(super) fn decision(&self) -> Decision {
        let by_costs = Decision::by_costs(self.cost_fp, self.cost_fn);
        Decision { threshold: self.threshold.unwrap_or(by_costs.threshold), ..by_costs }
    }

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
        if let Some(t) = self.threshold.filter(|t| !(*t > 0.0 && *t < 1.0)) {
            return refuse("--threshold", t.to_string(), "give a probability above 0 and below 1");
        }
        let falls =
            self.tier_borders.windows(2).all(|w| w[0] > w[1]) && self.tier_borders.iter().all(|b| b.is_finite());
        if !falls || self.tier_borders.len() > MOST_BORDERS {
            let listed = self.tier_borders.iter().map(f64::to_string).collect::<Vec<_>>().join(",");
            return refuse(
                "--tier-borders",
                listed,
                "give at most 9 numbers, each below the one before it, as 500,100,20",
            );
        }
        if self.group.is_some() && self.time.is_some() {
            let rule = "rows are divided by time or by group, not by both; leave out --group or --cutoff-column";
            return refuse("--group", self.group.clone().unwrap_or_default(), rule);
        }
        if !(self.learning_rate > 0.0 && self.learning_rate.is_finite()) {
            return refuse("--learning-rate", self.learning_rate.to_string(), "give a number above 0");
        }
        if !(1..=1_000_000).contains(&self.iterations) {
            return refuse("--iterations", self.iterations.to_string(), "give 1 to 1,000,000");
        }
        let unknown = |asked: &str| {
            let names = learners::names();
            let near = nearest(asked, &names).map_or_else(String::new, |n| format!("did you mean `{n}`? "));
            format!("no learner on tables has this name; {near}they are {}", names.join(", "))
        };
        if self.model != AUTO && learners::named(&self.model).is_none() {
            return refuse("--model", self.model.clone(), &(unknown(&self.model) + ", and `auto`"));
        }
        for (name, values) in &self.learners {
            let Some(entry) = learners::named(name) else { return refuse("learners", name.clone(), &unknown(name)) };
            check(&format!("learners.{name}"), entry.space, values)?;
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
