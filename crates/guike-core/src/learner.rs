//! The contract between whatever learns and whatever uses it.
//!
//! A [`Learner`] is plain hyper-parameters; `fit` turns it into a [`Model`], which is immutable and cannot exist unfitted.
//! Models see tables, never raw events.

use std::collections::BTreeMap;
use std::fmt::Debug;

use serde::{Deserialize, Serialize};

use crate::forecast::Forecasts;
use crate::progress::{Cancelled, Progress};
use crate::purchases::Purchases;
use crate::rfm::RfmTable;
use crate::seed::Seed;
use crate::table::Table;
use crate::time::{Cutoff, Horizon};

/// Which view of the past a learner reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Inputs {
    /// The recency–frequency–age–spend summary.
    Rfm,
    /// The feature table.
    Features,
    /// Whole histories of purchase days.
    Sequences,
}

/// What a model can forecast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// Purchase days within the horizon.
    Orders,
    /// Spend within the horizon.
    Spend,
    /// Whether there is any purchase within the horizon.
    Active,
}

/// The customers to forecast, as they were known at a cutoff.
#[derive(Debug, Clone, Copy)]
pub struct Cases<'a> {
    /// The moment of prediction.
    pub cutoff: Cutoff,
    /// How far ahead.
    pub horizon: Horizon,
    /// One row per case.
    pub rfm: &'a RfmTable,
    /// One row per case in the same order, where the learner needs features.
    pub features: Option<&'a Table>,
    /// The same cases in the same order, where the learner needs sequences.
    pub purchases: Option<&'a Purchases>,
}

impl Cases<'_> {
    /// Number of cases.
    pub fn len(&self) -> usize {
        self.rfm.len()
    }

    /// Whether there is no case.
    pub fn is_empty(&self) -> bool {
        self.rfm.is_empty()
    }
}

/// What truly happened to each case within the horizon.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Labels {
    /// Purchase days.
    pub orders: Vec<f64>,
    /// Spend in currency units.
    pub spend: Vec<f64>,
}

impl Labels {
    /// Whether the case bought at all.
    pub fn active(&self) -> Vec<bool> {
        self.orders.iter().map(|&n| n > 0.0).collect()
    }
}

/// An earlier anchor whose future is already known.
#[derive(Debug, Clone, Copy)]
pub struct Labelled<'a> {
    /// As known at the anchor; its horizon is the length over which the labels were counted.
    pub cases: Cases<'a>,
    /// What happened after the anchor.
    pub labels: &'a Labels,
}

/// What a learner may learn from: everything known at one cutoff.
#[derive(Debug, Clone, Copy)]
pub struct TrainingSet<'a> {
    /// The customers at the training cutoff, their future unknown.
    pub now: Cases<'a>,
    /// Earlier anchors with labels that end by the training cutoff, newest first; may be empty.
    pub anchors: &'a [Labelled<'a>],
}

/// What a fit may use besides the data.
#[derive(Clone, Copy)]
pub struct FitContext<'a> {
    /// The only source of randomness.
    pub seed: Seed,
    /// Where to report, and who may stop the fit.
    pub progress: &'a dyn Progress,
}

/// Why a fit gave no model.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum FitError {
    /// Too little or degenerate data for this learner.
    #[error("{learner} needs {needs}, and there {found}")]
    TooLittle {
        /// The learner's name.
        learner: &'static str,
        /// What it needs.
        needs: String,
        /// What was found, beginning with "is" or "are".
        found: String,
    },
    /// The optimiser stopped before the likelihood was at its maximum.
    #[error("{learner} did not converge: {cause}")]
    NotConverged {
        /// The learner's name.
        learner: &'static str,
        /// The cause in words.
        cause: String,
    },
    /// A hyper-parameter or input is outside its range.
    #[error("{learner} cannot use {what} = {value}: {rule}")]
    Invalid {
        /// The learner's name.
        learner: &'static str,
        /// The parameter or column.
        what: String,
        /// Its value.
        value: String,
        /// The rule it breaks.
        rule: String,
    },
    /// The caller asked to stop.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

/// Why a model gave no forecasts.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ForecastError {
    /// The cases lack an input the model was trained with.
    #[error("model `{model}` was trained with {needs}, which these cases do not have")]
    Schema {
        /// The model's name.
        model: String,
        /// What is missing.
        needs: String,
    },
    /// An artifact that is not this model's, or is damaged.
    #[error("model file: {0}")]
    Artifact(String),
}

/// Something the reader of a report should know about a fit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note(pub String);

/// A model and what is worth saying about how it was learned.
#[derive(Debug)]
pub struct Fitted {
    /// The model.
    pub model: Box<dyn Model>,
    /// Remarks such as "no drop-out was detected".
    pub notes: Vec<Note>,
    /// Its forecast of the training cases, where learning had to make it: the same bits as [`Model::forecast`] would give.
    pub said: Option<Forecasts>,
}

/// Who a model is: stored with it, shown with every result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelCard {
    /// The learner's stable name.
    pub name: String,
    /// Version of the artifact's format.
    pub format: u32,
    /// Cutoff of the training data.
    pub cutoff: Cutoff,
    /// The horizon it was trained for; probability models serve any other too.
    pub horizon: Horizon,
    /// Number of customers it learned from.
    pub n_customers: usize,
    /// Seed of the fit.
    pub seed: Seed,
    /// Names of the feature columns it reads, empty for summaries.
    pub features: Vec<String>,
    /// Fitted parameters by name, for people and for other languages.
    pub parameters: BTreeMap<String, f64>,
    /// Maximised log-likelihood, where there is one.
    pub log_likelihood: Option<f64>,
}

/// A model as JSON; `card` repeated inside so that the file stands alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Artifact {
    /// Who the model is.
    pub card: ModelCard,
    /// All that is needed to forecast.
    pub body: serde_json::Value,
}

/// How to learn: plain, serialisable hyper-parameters with a good `Default`.
pub trait Learner: Debug + Send + Sync {
    /// Stable name, used in files and flags: `"bg-nbd+gamma-gamma"`.
    fn name(&self) -> &'static str;
    /// Which view of the past it reads.
    fn needs(&self) -> Inputs;
    /// What its model can forecast.
    fn targets(&self) -> &'static [Target];
    /// How many free parameters its model has: of two candidates that do not differ, the smaller is preferred.
    fn complexity(&self) -> u32;
    /// Learns.
    ///
    /// # Errors
    /// [`FitError`]; never a model that did not converge.
    fn fit(&self, train: &TrainingSet<'_>, cx: &FitContext<'_>) -> Result<Fitted, FitError>;
}

/// What was learned: immutable and thread-safe.
pub trait Model: Debug + Send + Sync {
    /// Who it is.
    fn card(&self) -> &ModelCard;
    /// Forecasts for the cases, in their order, for the cases' own horizon.
    ///
    /// # Errors
    /// [`ForecastError::Schema`] when the cases lack what the model reads.
    fn forecast(&self, cases: &Cases<'_>) -> Result<Forecasts, ForecastError>;
    /// Everything needed to forecast the same again.
    fn save(&self) -> Artifact;
}
