//! The one table of everything that can learn: what `guike models` lists, what a run tries, and how a file is read back.

use guike_core::{Artifact, ForecastError, Inputs, Learner, Model};
use guike_learn::baseline::{Baseline, HistoricalRate, RepeatLastWindow, RfmScore, Zero};
use guike_learn::value::HeadsConfig;
use serde::Serialize;

use crate::combination::{self, Average, Combination};
use crate::value::{self, Blend, BlendLearner};

/// Probability models whose forecasts make up the average: those with drop-out and a spend model, both ways of fitting the
/// spend. NBD has no drop-out and would bias the average upwards; the Erlang variants repeat their exponential ones.
const AVERAGED: [&str; 6] = [
    "bg-nbd+gamma-gamma",
    "mbg-nbd+gamma-gamma",
    "pareto-nbd+gamma-gamma",
    "bg-nbd+gamma-gamma-all",
    "mbg-nbd+gamma-gamma-all",
    "pareto-nbd+gamma-gamma-all",
];

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
    list.extend(guike_btyd::learners::learners());
    list
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

/// The learner of this name, the average included.
pub fn named(name: &str) -> Option<Box<dyn Learner>> {
    if name == combination::NAME {
        let members = all().into_iter().filter(|l| is_member_of_average(l.name())).collect();
        return Some(Box::new(Combination { members }));
    }
    let members = value::members();
    if let Some(k) = members.iter().position(|&m| m == name) {
        let weights = (0..members.len()).map(|j| f64::from(u8::from(j == k))).collect();
        return Some(Box::new(BlendLearner { name: members[k], weights, config: HeadsConfig::default() }));
    }
    if name == value::BLEND {
        return Some(blend(value::starting_weights(), HeadsConfig::default()));
    }
    all().into_iter().find(|l| l.name() == name)
}

/// The blend with these weights.
pub fn blend(weights: Vec<f64>, config: HeadsConfig) -> Box<dyn Learner> {
    Box::new(BlendLearner { name: value::BLEND, weights, config })
}

/// Whether this model is learned from features.
pub fn reads_features(name: &str) -> bool {
    name == value::BLEND || value::members()[1..].contains(&name)
}

/// Every name that `--model` accepts besides `auto`.
pub fn names() -> Vec<&'static str> {
    let learned = value::members().into_iter().skip(1).chain([value::BLEND]);
    all().iter().map(|l| l.name()).chain([combination::NAME]).chain(learned).collect()
}

/// Whether this learner's forecasts go into the average.
pub(crate) fn is_member_of_average(name: &str) -> bool {
    AVERAGED.contains(&name)
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
/// [`ForecastError::Artifact`] for a name that this version does not know, or a body that does not fit it.
pub fn load(artifact: &Artifact) -> Result<Box<dyn Model>, ForecastError> {
    let name = artifact.card.name.as_str();
    if name == combination::NAME {
        return Ok(Box::new(Average::load(artifact, load)?));
    }
    if reads_features(name) {
        return Ok(Box::new(Blend::load(artifact, load)?));
    }
    if baselines().iter().any(|l| l.name() == name) {
        return Ok(Box::new(Baseline::load(artifact)?));
    }
    if guike_btyd::learners::learners().iter().any(|l| l.name() == name) {
        return guike_btyd::learners::load(artifact);
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
    fn every_member_of_the_average_exists() {
        let names = names();
        for name in AVERAGED {
            assert!(names.contains(&name), "{name}");
        }
    }
}
