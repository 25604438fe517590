//! The fitted learners on top of their prior, and the weighted mean of all as a model.

use std::collections::BTreeMap;
use std::sync::Arc;

use guike_core::{
    Artifact, Cases, FitContext, FitError, Fitted, ForecastError, Forecasts, Horizon, Inputs, Learner, Matrix, Model,
    ModelCard, Quantiles, Target, TrainingSet,
};
use guike_learn::value::{Heads, HeadsConfig, SpendHead};
use guike_nn::foundation::{FoundationModel, nano};
use rayon::prelude::*;
use serde_json::json;

use super::lessons::{Ahead, Lessons, as_fit_error};
use super::rows::Schema;
use super::{BLEND, COMPLEXITY, members};
use crate::combination::Average;

/// The card's parameter that tells the length of the label window.
const WINDOW: &str = "window_days";
/// A customer's prior may grow or shrink by at most this factor from the window to the horizon.
const MAX_CARRY: f64 = 50.0;

/// Prior and learners, fitted at one cutoff.
#[derive(Debug)]
pub struct Learned {
    prior: Average,
    deep: Arc<FoundationModel>,
    schema: Schema,
    heads: Heads,
    /// What puts each spend head's total on the prior's.
    spend_level: Vec<f64>,
    /// What puts the orders head's total on the prior's.
    orders_level: f64,
}

impl Learned {
    /// Fits all learners; and what they say about the cases of now, which setting the level needed.
    ///
    /// # Errors
    /// As the learners'.
    pub fn fit(
        from: &Lessons,
        now: &Cases<'_>,
        config: &HeadsConfig,
        cx: &FitContext<'_>,
    ) -> Result<(Learned, Said), FitError> {
        let mut learned = Learned {
            prior: from.prior.clone(),
            deep: Arc::clone(&from.deep),
            schema: from.schema.clone(),
            heads: Heads::fit(&from.rows, config, cx)?,
            spend_level: vec![1.0; SpendHead::ALL.len()],
            orders_level: 1.0,
        };
        let said = learned.say_on(&from.ahead, from.deep_ahead.clone(), now).map_err(|e| as_fit_error(BLEND, &e))?;
        learned.put_on_level(&said);
        Ok((learned, said))
    }

    fn put_on_level(&mut self, said: &Said) {
        let total = |v: &[f64]| v.iter().sum::<f64>();
        let factor = |wanted: f64, got: f64| if got > 0.0 && wanted > 0.0 { wanted / got } else { 1.0 };
        self.spend_level = said.spend.iter().map(|s| factor(total(&said.prior.expected_spend), total(s))).collect();
        self.orders_level = factor(total(&said.prior.expected_orders), total(&said.orders));
    }

    /// What prior and learners say about these cases.
    ///
    /// # Errors
    /// As the prior, and [`ForecastError::Schema`] for cases without the features.
    pub fn say(&self, cases: &Cases<'_>) -> Result<Said, ForecastError> {
        self.say_on(&Ahead::of(&self.prior, cases, self.schema.window)?, self.deep.forecast(cases)?, cases)
    }

    /// The same where the forecasts of the prior and of the foundation model are known.
    fn say_on(&self, ahead: &Ahead, deep: Forecasts, cases: &Cases<'_>) -> Result<Said, ForecastError> {
        let (at_horizon, at_window) = (&ahead.horizon, ahead.window());
        let x: Matrix = self.schema.rows(cases, at_window)?;
        let carry = |far: f64, near: f64| if near > 0.0 { (far / near).clamp(1.0 / MAX_CARRY, MAX_CARRY) } else { 1.0 };
        let spend = (0..SpendHead::ALL.len())
            .map(|k| {
                let near = self.heads.spend(k, &x, &at_window.expected_spend);
                let ahead = at_horizon.expected_spend.iter().zip(&at_window.expected_spend);
                near.iter().zip(ahead).map(|(v, (&far, &near))| v * carry(far, near)).collect()
            })
            .collect();
        let orders = self
            .heads
            .orders(&x, &at_window.expected_orders)
            .iter()
            .zip(at_horizon.expected_orders.iter().zip(&at_window.expected_orders))
            .map(|(v, (&far, &near))| v * carry(far, near))
            .collect();
        // hazards carry over like rates: 1 − (1 − p)^r with r the prior's ratio of cumulated hazards
        let hazard = |p: f64| -(-p.clamp(1e-9, 1.0 - 1e-9)).ln_1p();
        let active = self
            .heads
            .active(&x)
            .iter()
            .zip(at_horizon.p_active.iter().zip(&at_window.p_active))
            .map(|(&p, (&far, &near))| -(-hazard(p) * carry(hazard(far), hazard(near))).exp_m1())
            .collect();
        Ok(Said { prior: at_horizon.clone(), deep, spend, orders, active })
    }

    /// The forecasts of the prior and of every learner, in the order of [`members`].
    pub fn by_member(&self, said: &Said) -> Vec<Forecasts> {
        let n_members = members().len();
        (0..n_members)
            .into_par_iter()
            .map(|k| {
                let mut weights = vec![0.0; n_members];
                weights[k] = 1.0;
                self.blended(said, &weights)
            })
            .collect()
    }

    /// The weighted mean; `weights` in the order of [`members`].
    ///
    /// The weighted mean of spend; orders by the weights of the prior, the foundation model and all learners; P(active) is the
    /// mean of theirs and the two classifiers', which rank customers better together than any of them alone.
    pub fn blended(&self, said: &Said, weights: &[f64]) -> Forecasts {
        let (prior, deep) = (&said.prior, &said.deep);
        let [own, deep_weight] = [weights[0], weights[1]].map(|w| w.clamp(0.0, 1.0));
        if own >= 1.0 {
            return prior.clone();
        }
        if deep_weight >= 1.0 {
            return deep.clone();
        }
        let rest = (1.0 - own - deep_weight).max(0.0);
        let n = prior.len();
        let learned_spend: Vec<f64> = (0..n)
            .map(|i| {
                let sum: f64 = weights[2..]
                    .iter()
                    .zip(&said.spend)
                    .zip(&self.spend_level)
                    .map(|((w, s), level)| w * s[i] * level)
                    .sum();
                if rest > 0.0 { sum / rest } else { 0.0 }
            })
            .collect();
        let mean = |p: f64, d: f64, l: f64| own * p + deep_weight * d + rest * l;
        let over = |of: &dyn Fn(usize) -> f64| (0..n).map(of).collect::<Vec<f64>>();
        let expected_spend = over(&|i| mean(prior.expected_spend[i], deep.expected_spend[i], learned_spend[i]));
        let expected_orders =
            over(&|i| mean(prior.expected_orders[i], deep.expected_orders[i], said.orders[i] * self.orders_level));
        let p_active = over(&|i| (prior.p_active[i] + deep.p_active[i] + 2.0 * said.active[i]) / 4.0);
        let next_order_days = (0..n)
            .map(|i| {
                let faster = expected_orders[i] / prior.expected_orders[i];
                let factor = if faster.is_finite() { faster.clamp(0.1, 10.0) } else { 1.0 };
                prior.next_order_days[i] / factor
            })
            .collect();
        let spend = self.quantiles(prior, deep, &learned_spend, &p_active, [own, deep_weight, rest]);
        Forecasts { horizon: prior.horizon, expected_orders, expected_spend, p_active, next_order_days, spend }
    }

    /// Quantiles level by level: the prior's, the foundation model's, and those of "nothing with 1 − p, else log-normal about
    /// the learned mean".
    fn quantiles(
        &self,
        prior: &Forecasts,
        deep: &Forecasts,
        learned: &[f64],
        p_active: &[f64],
        [own, deep_weight, rest]: [f64; 3],
    ) -> Quantiles {
        let levels = prior.spend.levels.clone();
        let mut values = Vec::with_capacity(prior.spend.values.len());
        for (i, (&mean, &p)) in learned.iter().zip(p_active).enumerate() {
            for ((&level, &of_prior), &of_deep) in levels.iter().zip(prior.spend.row(i)).zip(deep.spend.row(i)) {
                let ours = self.heads.spend_quantile(mean, p, level);
                values.push(own * of_prior + deep_weight * of_deep + rest * ours);
            }
        }
        Quantiles { levels, values }
    }
}

/// What prior and learners say about the same cases over the horizon, before levels and weights.
#[derive(Debug)]
pub struct Said {
    prior: Forecasts,
    deep: Forecasts,
    /// By spend head.
    spend: Vec<Vec<f64>>,
    orders: Vec<f64>,
    active: Vec<f64>,
}

/// The weighted mean of the prior and the learners as a learner; a single learner is a weight of one.
#[derive(Debug)]
pub struct BlendLearner {
    /// [`BLEND`], or the name of the only member with weight.
    pub name: &'static str,
    /// In the order of [`members`]; not negative, with sum 1.
    pub weights: Vec<f64>,
    /// How the learners learn.
    pub config: HeadsConfig,
}

impl Learner for BlendLearner {
    fn name(&self) -> &'static str {
        self.name
    }

    fn needs(&self) -> Inputs {
        Inputs::Features
    }

    fn targets(&self) -> &'static [Target] {
        &[Target::Orders, Target::Spend, Target::Active]
    }

    fn complexity(&self) -> u32 {
        COMPLEXITY
    }

    fn fit(&self, train: &TrainingSet<'_>, cx: &FitContext<'_>) -> Result<Fitted, FitError> {
        let (lessons, notes) = Lessons::fit(train, cx)?;
        let (learned, said) = Learned::fit(&lessons, &train.now, &self.config, cx)?;
        let said = Some(learned.blended(&said, &self.weights));
        let model = Blend::new(self.name, Arc::new(learned), self.weights.clone(), train, cx);
        Ok(Fitted { model: Box::new(model), notes, said })
    }
}

/// The fitted blend.
#[derive(Debug)]
pub struct Blend {
    card: ModelCard,
    learned: Arc<Learned>,
    weights: Vec<f64>,
}

impl Blend {
    fn new(
        name: &str,
        learned: Arc<Learned>,
        weights: Vec<f64>,
        train: &TrainingSet<'_>,
        cx: &FitContext<'_>,
    ) -> Blend {
        let weight = |(m, &w): (&&str, &f64)| (format!("weight of {m}"), w);
        let mut parameters: BTreeMap<String, f64> = members().iter().zip(&weights).map(weight).collect();
        parameters.insert(WINDOW.to_owned(), f64::from(learned.schema.window.days()));
        let card = ModelCard {
            name: name.to_owned(),
            format: 1,
            cutoff: train.now.cutoff,
            horizon: train.now.horizon,
            n_customers: train.now.len(),
            seed: cx.seed,
            features: learned.schema.features(),
            parameters,
            log_likelihood: None,
        };
        Blend { card, learned, weights }
    }

    /// Reads a blend back.
    ///
    /// # Errors
    /// [`ForecastError::Artifact`] for a body that is not a blend's.
    pub fn load(artifact: &Artifact) -> Result<Blend, ForecastError> {
        let bad = |what: &str, e: String| ForecastError::Artifact(format!("the blend's `{what}`: {e}"));
        let part = |name: &str| artifact.body.get(name).ok_or_else(|| bad(name, "is missing".to_owned()));
        fn read<T: serde::de::DeserializeOwned>(v: &serde_json::Value) -> Result<T, String> {
            T::deserialize(v).map_err(|e| e.to_string())
        }
        let prior: Artifact = read(part("prior")?).map_err(|e| bad("prior", e))?;
        let deep: Artifact = read(part("foundation")?).map_err(|e| bad("foundation", e))?;
        let weights: Vec<f64> = read(part("weights")?).map_err(|e| bad("weights", e))?;
        let spend_level: Vec<f64> = read(part("spend_level")?).map_err(|e| bad("spend_level", e))?;
        if weights.len() != members().len() || spend_level.len() != SpendHead::ALL.len() {
            return Err(bad(
                "weights",
                format!("there are {}, and this version has {} members", weights.len(), members().len()),
            ));
        }
        let learned = Learned {
            prior: Average::load(&prior)?,
            deep: Arc::new(FoundationModel::load(&deep, &nano())?),
            schema: read(part("schema")?).map_err(|e| bad("schema", e))?,
            heads: Heads::load(part("heads")?).map_err(|e| bad("heads", e))?,
            spend_level,
            orders_level: read(part("orders_level")?).map_err(|e| bad("orders_level", e))?,
        };
        Ok(Blend { card: artifact.card.clone(), learned: Arc::new(learned), weights })
    }
}

impl Model for Blend {
    fn card(&self) -> &ModelCard {
        &self.card
    }

    fn forecast(&self, cases: &Cases<'_>) -> Result<Forecasts, ForecastError> {
        Ok(self.learned.blended(&self.learned.say(cases)?, &self.weights))
    }

    fn save(&self) -> Artifact {
        let l = &self.learned;
        let body = json!({
            "weights": self.weights,
            "prior": l.prior.save(),
            "foundation": l.deep.save(),
            "schema": l.schema,
            "spend_level": l.spend_level,
            "orders_level": l.orders_level,
            "heads": l.heads.save(),
        });
        Artifact { card: self.card.clone(), body }
    }
}

/// The features that a model reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reads<'a> {
    /// Names of the features and attributes.
    pub names: &'a [String],
    /// Length of the label window that the model was trained on.
    pub window: Horizon,
}

/// The features that a model reads and the window they were made for; `None` for a model that reads summaries.
pub fn features_of(card: &ModelCard) -> Option<Reads<'_>> {
    let window = Horizon::from_days(*card.parameters.get(WINDOW)? as u32)?;
    (!card.features.is_empty()).then_some(Reads { names: &card.features, window })
}
