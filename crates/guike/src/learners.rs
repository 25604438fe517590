//! The one table of everything that can learn: what `guike models` lists, what a run tries, and how a file is read back.

use std::sync::Arc;

use guike_core::{Artifact, ForecastError, Inputs, Learner, Model};
use guike_learn::baseline::{Baseline, HistoricalRate, RepeatLastWindow, RfmScore, Zero};
use guike_learn::value::HeadsConfig;
use guike_nn::deep::{self, Deep, DeepConfig, DeepModel};
use guike_nn::foundation::{self, Foundation, FoundationModel};
use serde::Serialize;

use crate::combination::{self, Average, Combination};
use crate::tune::{Given, Knob, Range, Values};
use crate::value::{self, Blend, BlendLearner};

/// Version of the artifacts of all models here.
const FORMAT: u32 = 1;

const fn knob(name: &'static str, range: Range, meaning: &'static str) -> Knob {
    Knob { name, range, meaning }
}

/// What `guike tune log` may change about the learners that read features, and `guike.toml` may give under
/// `[forecast.heads]`.
pub const HEADS: &[Knob] = &[
    knob("learning_rate", Range::Log(0.02, 0.2), "part of each step of boosting that is taken"),
    knob("max_leaves", Range::Whole(3, 63), "most leaves per boosted tree"),
    knob("min_leaf_rows", Range::Whole(5, 200), "fewest rows of a leaf of a boosted tree"),
    knob("l2", Range::Log(0.5, 50.0), "shrinkage of the leaf values of boosted trees"),
    knob("column_fraction", Range::Linear(0.2, 1.0), "share of the features each boosted tree sees"),
    knob("row_fraction", Range::Linear(0.4, 1.0), "share of the rows each boosted tree sees"),
    knob("forest_leaf_rows", Range::Whole(2, 50), "fewest rows of a leaf of the forest"),
];

/// The learners' settings with these values in the place of their own.
pub(crate) fn heads_with(base: HeadsConfig, values: &Values) -> HeadsConfig {
    let of = Given(Some(values));
    HeadsConfig {
        learning_rate: of.number("learning_rate", base.learning_rate),
        max_leaves: of.count("max_leaves", base.max_leaves as usize) as u32,
        min_leaf_rows: of.count("min_leaf_rows", base.min_leaf_rows as usize) as u32,
        l2: of.number("l2", base.l2),
        column_fraction: of.number("column_fraction", base.column_fraction),
        row_fraction: of.number("row_fraction", base.row_fraction),
        forest_leaf_rows: of.count("forest_leaf_rows", base.forest_leaf_rows as usize) as u32,
        ..base
    }
}

/// One learner, for people.
#[derive(Debug, Clone, Serialize)]
pub struct LearnerInfo {
    /// Stable name, for flags and files.
    pub name: &'static str,
    /// Which view of the past it reads.
    pub needs: Inputs,
    /// Number of free parameters.
    pub parameters: u32,
    /// One line on the idea.
    pub idea: &'static str,
    /// Where it comes from.
    pub source: &'static str,
}

/// Every learner with its default settings, in the order they are tried.
pub fn all() -> Vec<Box<dyn Learner>> {
    let mut list = baselines();
    list.extend(guike_btyd::learners::pairs().into_iter().map(|p| Box::new(p) as Box<dyn Learner>));
    list.extend(foundation());
    list.extend(deep(DeepConfig::default()));
    list
}

/// Networks that are trained on the shop.
pub fn deep(config: DeepConfig) -> Vec<Box<dyn Learner>> {
    let learners = deep::NAMES.into_iter().filter_map(deep::named);
    learners.map(|learner| Box::new(Deep { config, ..learner }) as Box<dyn Learner>).collect()
}

/// The foundation model as it comes, and adapted to the shop.
pub fn foundation() -> Vec<Box<dyn Learner>> {
    let net = foundation::nano();
    let as_it_comes = Foundation { net: Arc::clone(&net), adapt: None };
    let adapted = Foundation { net, adapt: Some(foundation::AdaptConfig::default()) };
    vec![Box::new(as_it_comes), Box::new(adapted)]
}

/// What every model must beat; shown in every report.
pub fn baselines() -> Vec<Box<dyn Learner>> {
    vec![
        Box::new(Zero::default()),
        Box::new(RepeatLastWindow::default()),
        Box::new(HistoricalRate::default()),
        Box::new(RfmScore::default()),
    ]
}

/// How much learners that take their time may take.
#[derive(Debug, Clone, Copy, Default)]
pub struct Effort {
    /// Of those that read features.
    pub heads: HeadsConfig,
    /// Of networks that are trained on the shop.
    pub deep: DeepConfig,
}

/// The learner of this name, the average included.
pub fn named(name: &str) -> Option<Box<dyn Learner>> {
    named_with(name, Effort::default())
}

/// The learner of this name, which learns as `effort` says.
///
/// # Example
/// ```
/// use guike::learners::{Effort, names, named_with};
/// use guike_learn::value::HeadsConfig;
/// let heads = HeadsConfig { max_rounds: 20, forest_trees: 10, ..HeadsConfig::default() };
/// let quick = Effort { heads, ..Effort::default() };
/// assert!(names().into_iter().all(|name| named_with(name, quick).is_some()));
/// assert!(named_with("crystal-ball", quick).is_none());
/// ```
pub fn named_with(name: &str, Effort { heads, deep }: Effort) -> Option<Box<dyn Learner>> {
    if name == combination::NAME {
        return Some(Box::new(Combination::default()));
    }
    if name == value::BLEND {
        return Some(blend(value::starting_weights(), heads));
    }
    let others = || all().into_iter().find(|l| l.name() == name);
    let trained = || self::deep(deep).into_iter().find(|l| l.name() == name);
    member(name, heads).or_else(trained).or_else(others)
}

/// The member of the blend of this name that learns as `config` says.
pub(crate) fn member(name: &str, config: HeadsConfig) -> Option<Box<dyn Learner>> {
    if !value::learners().any(|l| l == name) {
        return None;
    }
    let members = value::members();
    let k = members.iter().position(|&m| m == name)?;
    let weights = (0..members.len()).map(|j| f64::from(u8::from(j == k))).collect();
    Some(Box::new(BlendLearner { name: members[k], weights, config }))
}

/// The blend with these weights.
pub fn blend(weights: Vec<f64>, config: HeadsConfig) -> Box<dyn Learner> {
    Box::new(BlendLearner { name: value::BLEND, weights, config })
}

/// Whether this model is learned from features.
pub fn reads_features(name: &str) -> bool {
    name == value::BLEND || value::learners().any(|l| l == name)
}

/// Every name that `--model` accepts besides `auto`.
pub fn names() -> Vec<&'static str> {
    let learned = value::learners().chain([value::BLEND]);
    all().iter().map(|l| l.name()).chain([combination::NAME]).chain(learned).collect()
}

/// What to tell people about every learner.
pub fn describe() -> Vec<LearnerInfo> {
    names().into_iter().filter_map(named).map(|l| info(l.as_ref())).collect()
}

fn info(learner: &dyn Learner) -> LearnerInfo {
    let (idea, source) = words(learner.name());
    LearnerInfo { name: learner.name(), needs: learner.needs(), parameters: learner.complexity(), idea, source }
}

/// Idea and source by the part of the name before the spend model.
fn words(name: &str) -> (&'static str, &'static str) {
    match name.split('+').next().unwrap_or(name) {
        "zero" => ("nobody buys again: what every model must beat", ""),
        "repeat-last-window" => ("the last window of the same length repeats itself", ""),
        "historical-rate" => ("each customer goes on at the average rate so far", ""),
        "rfm-score" => ("what customers of the same recency, frequency and money score did before", "Hughes (1994)"),
        "nbd" => ("customers buy at random at their own steady rates and never leave", "Ehrenberg (1959)"),
        "bg-nbd" => ("they may leave for good after any purchase", "Fader, Hardie & Lee (2005)"),
        "mbg-nbd" => {
            ("as BG/NBD, and may leave after the very first purchase too", "Batislam, Denizel & Filiztekin (2007)")
        }
        "pareto-nbd" => ("they may leave at any moment", "Schmittlein, Morrison & Colombo (1987)"),
        "bg-cnbd-k" => ("as BG/NBD, with regular rather than random timing", "Platzer & Reutterer (2016)"),
        "mbg-cnbd-k" => ("as MBG/NBD, with regular rather than random timing", "Platzer & Reutterer (2016)"),
        foundation::ZERO_SHOT => (
            "a network that has seen tens of thousands of simulated shops reads this one's histories; nothing is fitted",
            "Müller et al. (2022); docs/models/foundation.md",
        ),
        foundation::ADAPTED => (
            "the same, with its last step fitted to the shop's earlier anchors where that helps on the newest",
            "docs/models/foundation.md",
        ),
        "mlp-ziln" => (
            "a multi-layer perceptron on aggregates, trained on earlier anchors: whether she buys, and how much, log-normal",
            "Wang, Liu & Miao (2019)",
        ),
        "mlp-quantile" => ("the same, and how much by seven quantiles and a mean", "Koenker & Bassett (1978)"),
        "convolutional" => (
            "the same as mlp-ziln, with a convolution over the last 52 weeks",
            "LeCun et al. (1989); Bai, Kolter & Koltun (2018)",
        ),
        "recurrent" => ("the same as mlp-ziln, with a gated recurrent unit over purchase days", "Cho et al. (2014)"),
        "transformer" => {
            ("the same as mlp-ziln, with causal self-attention over purchase days", "Vaswani et al. (2017)")
        }
        combination::NAME => (
            "the plain average of BG/NBD, MBG/NBD and Pareto/NBD with both spend models",
            "Bates & Granger (1969); Clemen (1989)",
        ),
        "boosting" => {
            ("boosted trees on features of earlier anchors, Tweedie deviance", "Friedman (2001); Jørgensen (1987)")
        }
        "boosting-on-prior" => ("boosted trees that correct the average", "Friedman (2001)"),
        "two-stage" => ("P(active) times the spend of the active, both by boosted trees", "Vanderveld et al. (2016)"),
        "extra-trees" => ("a forest of extremely randomised trees on features", "Geurts, Ernst & Wehenkel (2006)"),
        value::BLEND => (
            "the weighted mean of the average and the learners, weights found out of time",
            "Timmermann (2006); Breiman (1996)",
        ),
        _ => ("", ""),
    }
}

/// Reads a model back from its artifact.
///
/// # Errors
/// [`ForecastError::Artifact`] for a name or a format that this version does not know, or a body that does not fit it.
pub fn load(artifact: &Artifact) -> Result<Box<dyn Model>, ForecastError> {
    let name = artifact.card.name.as_str();
    if artifact.card.format != FORMAT {
        let found = artifact.card.format;
        return Err(ForecastError::Artifact(format!("format {found} of `{name}`; this version reads format {FORMAT}")));
    }
    if name == combination::NAME {
        return Ok(Box::new(Average::load(artifact)?));
    }
    if reads_features(name) {
        return Ok(Box::new(Blend::load(artifact)?));
    }
    if baselines().iter().any(|l| l.name() == name) {
        return Ok(Box::new(Baseline::load(artifact)?));
    }
    if [foundation::ZERO_SHOT, foundation::ADAPTED].contains(&name) {
        return Ok(Box::new(FoundationModel::load(artifact, &foundation::nano())?));
    }
    if deep::NAMES.contains(&name) {
        return Ok(Box::new(DeepModel::load(artifact)?));
    }
    if guike_btyd::learners::pairs().iter().any(|l| l.name() == name) {
        return Ok(Box::new(guike_btyd::learners::load(artifact)?));
    }
    Err(ForecastError::Artifact(format!("this version knows no model `{name}`; see `guike models`")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_learner_has_a_name_of_its_own_and_a_line_about_it() {
        let list = describe();
        for (i, l) in list.iter().enumerate() {
            assert!(!l.idea.is_empty(), "{} has no idea", l.name);
            assert!(list[..i].iter().all(|m| m.name != l.name), "{} is there twice", l.name);
        }
    }

    #[test]
    fn every_declared_hyper_parameter_reaches_the_heads() {
        for knob in HEADS {
            let at = |u| heads_with(HeadsConfig::default(), &[(knob.name.to_owned(), knob.range.at(u))].into());
            assert_ne!(at(0.0), at(0.999_999), "{}", knob.name);
        }
    }
}
