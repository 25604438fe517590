//! The plain average of several models, as a model.
//!
//! Averages of forecasts with equal weights are hard to beat by estimated weights (Bates & Granger 1969; Clemen 1989:
//! "the forecast combination puzzle"): the weights cost nothing to learn, and errors that the members do not share
//! cancel. Expected orders, spend and P(active) are averaged; so are quantiles, level by level (Lichtendahl,
//! Grushka-Cockayne & Winkler 2013: averaging quantiles is sharper than averaging probabilities). The waiting time is the
//! members' median, because one member's "never" must not decide.

use guike_btyd::learners::{BuyTillYouDie, FittedPair, PairFit, fit_together, pairs};
use guike_btyd::outlook::forecast_together;
use guike_core::{
    Artifact, Cases, FitContext, FitError, Fitted, ForecastError, Forecasts, Inputs, Learner, Model, ModelCard, Note,
    Quantiles, Target, TrainingSet,
};
use serde_json::json;

/// Pairs whose forecasts make up the average: those with drop-out and a spend model, both ways of fitting the spend. NBD
/// has no drop-out and would bias the average upwards; the Erlang variants repeat their exponential ones.
const AVERAGED: [&str; 6] = [
    "bg-nbd+gamma-gamma",
    "mbg-nbd+gamma-gamma",
    "pareto-nbd+gamma-gamma",
    "bg-nbd+gamma-gamma-all",
    "mbg-nbd+gamma-gamma-all",
    "pareto-nbd+gamma-gamma-all",
];

/// Stable name of the combination.
pub const NAME: &str = "average";

/// The equal-weight average of forecasts of the same cases.
///
/// # Panics
/// When there is no member or the members forecast different cases.
pub fn average(members: &[&Forecasts]) -> Forecasts {
    let first = members.first().expect("an average has members");
    let n = first.len();
    assert!(members.iter().all(|m| m.len() == n && m.horizon == first.horizon), "members forecast the same cases");
    let scale = 1.0 / members.len() as f64;
    let mean = |column: fn(&Forecasts) -> &[f64]| -> Vec<f64> {
        let mut sum = vec![0.0; column(first).len()];
        for m in members {
            for (s, v) in sum.iter_mut().zip(column(m)) {
                *s += v;
            }
        }
        sum.iter_mut().for_each(|s| *s *= scale);
        sum
    };
    let mut waiting = vec![0.0; members.len()];
    let next_order_days = (0..n)
        .map(|i| {
            for (w, m) in waiting.iter_mut().zip(members) {
                *w = m.next_order_days[i];
            }
            waiting.sort_by(f64::total_cmp);
            waiting[waiting.len() / 2]
        })
        .collect();
    Forecasts {
        horizon: first.horizon,
        expected_orders: mean(|f| &f.expected_orders),
        expected_spend: mean(|f| &f.expected_spend),
        p_active: mean(|f| &f.p_active).into_iter().map(|p| p.min(1.0)).collect(),
        next_order_days,
        spend: Quantiles { levels: first.spend.levels.clone(), values: mean(|f| &f.spend.values) },
    }
}

/// Whether this learner's forecasts go into the average.
pub fn is_member(name: &str) -> bool {
    AVERAGED.contains(&name)
}

/// Learns every member and averages them; members that cannot be learned are left out with a note.
#[derive(Debug)]
pub struct Combination {
    members: Vec<BuyTillYouDie>,
}

impl Default for Combination {
    fn default() -> Combination {
        Combination { members: pairs().into_iter().filter(|p| is_member(p.name())).collect() }
    }
}

impl Combination {
    /// The fitted average, and what its members had to say.
    ///
    /// # Errors
    /// As [`Average::of`].
    pub fn learn(&self, train: &TrainingSet<'_>, cx: &FitContext<'_>) -> Result<(Average, Vec<Note>), FitError> {
        let fits = fit_together(&self.members, train, cx);
        Average::of(self.members.iter().map(BuyTillYouDie::name).zip(fits), train, cx)
    }
}

impl Learner for Combination {
    fn name(&self) -> &'static str {
        NAME
    }

    fn needs(&self) -> Inputs {
        Inputs::Rfm
    }

    fn targets(&self) -> &'static [Target] {
        &[Target::Orders, Target::Spend, Target::Active]
    }

    fn complexity(&self) -> u32 {
        // no weight is estimated: it is as flexible as its most flexible member
        self.members.iter().map(|m| m.complexity()).max().unwrap_or(0)
    }

    fn fit(&self, train: &TrainingSet<'_>, cx: &FitContext<'_>) -> Result<Fitted, FitError> {
        let (average, notes) = self.learn(train, cx)?;
        Ok(Fitted { model: Box::new(average), notes, said: None })
    }
}

/// The fitted average.
#[derive(Debug, Clone)]
pub struct Average {
    card: ModelCard,
    members: Vec<FittedPair>,
}

impl Average {
    /// The average of the pairs that could be fitted, with their remarks and a note on each that could not.
    ///
    /// # Errors
    /// The last failure, when no pair is left; [`FitError::Cancelled`] as soon as a fit was stopped.
    pub fn of(
        fits: impl Iterator<Item = (&'static str, PairFit)>,
        train: &TrainingSet<'_>,
        cx: &FitContext<'_>,
    ) -> Result<(Average, Vec<Note>), FitError> {
        let mut members = Vec::new();
        let mut said: Vec<(String, Vec<&'static str>)> = Vec::new();
        let mut notes = Vec::new();
        let mut failure = None;
        for (name, fit) in fits {
            match fit {
                Ok((pair, remarks)) => {
                    for Note(text) in remarks {
                        match said.iter_mut().find(|(t, _)| *t == text) {
                            Some((_, by)) => by.push(name),
                            None => said.push((text, vec![name])),
                        }
                    }
                    members.push(pair);
                }
                Err(FitError::Cancelled(c)) => return Err(c.into()),
                Err(e) => {
                    notes.push(Note(format!("left out of the average: {e}")));
                    failure = Some(e);
                }
            }
        }
        if let (Some(e), true) = (failure, members.is_empty()) {
            return Err(e);
        }
        // what several members say is said once
        notes.extend(said.into_iter().map(|(text, by)| Note(format!("{text} ({})", by.join(", ")))));
        let card = ModelCard {
            name: NAME.to_owned(),
            format: 1,
            cutoff: train.now.cutoff,
            horizon: train.now.horizon,
            n_customers: train.now.len(),
            seed: cx.seed,
            features: Vec::new(),
            parameters: [("members".to_owned(), members.len() as f64)].into(),
            log_likelihood: None,
        };
        Ok((Average { card, members }, notes))
    }

    /// Reads the average back.
    ///
    /// # Errors
    /// [`ForecastError::Artifact`] when the members are missing or one of them cannot be read.
    pub fn load(artifact: &Artifact) -> Result<Average, ForecastError> {
        let bad = |reason: String| ForecastError::Artifact(format!("the average's members: {reason}"));
        let members: Vec<Artifact> = artifact
            .body
            .get("members")
            .ok_or_else(|| bad("`members` is missing".to_owned()))
            .and_then(|m| serde_json::from_value(m.clone()).map_err(|e| bad(e.to_string())))?;
        if members.is_empty() {
            return Err(bad("there is none".to_owned()));
        }
        let members = members.iter().map(guike_btyd::learners::load).collect::<Result<_, _>>()?;
        Ok(Average { card: artifact.card.clone(), members })
    }
}

impl Model for Average {
    fn card(&self) -> &ModelCard {
        &self.card
    }

    fn forecast(&self, cases: &Cases<'_>) -> Result<Forecasts, ForecastError> {
        let all = forecast_together(&self.members.iter().collect::<Vec<_>>(), cases)?;
        Ok(average(&all.iter().collect::<Vec<_>>()))
    }

    fn save(&self) -> Artifact {
        let members: Vec<Artifact> = self.members.iter().map(|m| m.save()).collect();
        Artifact { card: self.card.clone(), body: json!({ "members": members }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use guike_core::{Horizon, INTERVAL_LEVELS};

    fn forecasts(value: f64, waiting: f64) -> Forecasts {
        Forecasts {
            horizon: Horizon::from_days(90).expect("in range"),
            expected_orders: vec![value],
            expected_spend: vec![10.0 * value],
            p_active: vec![value / 10.0],
            next_order_days: vec![waiting],
            spend: Quantiles { levels: INTERVAL_LEVELS.to_vec(), values: vec![0.0, 0.0, value, value, value] },
        }
    }

    #[test]
    fn an_average_is_the_mean_of_its_members_and_the_median_of_their_waiting() {
        let (a, b, c) = (forecasts(1.0, 5.0), forecasts(2.0, f64::INFINITY), forecasts(6.0, 9.0));
        let mean = average(&[&a, &b, &c]);
        assert_eq!(mean.expected_orders, [3.0]);
        assert_eq!(mean.expected_spend, [30.0]);
        assert_eq!(mean.next_order_days, [9.0]);
        assert_eq!(mean.flaw(), None);
    }

    #[test]
    fn every_member_exists() {
        let members = Combination::default().members;
        assert_eq!(members.iter().map(BuyTillYouDie::name).filter(|n| is_member(n)).count(), AVERAGED.len());
    }
}
