//! The plain average of several models, as a model.
//!
//! Averages of forecasts with equal weights are hard to beat by estimated weights (Bates & Granger 1969; Clemen 1989:
//! "the forecast combination puzzle"): the weights cost nothing to learn, and errors that the members do not share
//! cancel. Expected orders, spend and P(active) are averaged; so are quantiles, level by level (Lichtendahl,
//! Grushka-Cockayne & Winkler 2013: averaging quantiles is sharper than averaging probabilities). The waiting time is the
//! members' median, because one member's "never" must not decide.

use guike_core::{
    Artifact, Cases, FitContext, FitError, Fitted, ForecastError, Forecasts, Inputs, Learner, Model, ModelCard, Note,
    Quantiles, Target, TrainingSet,
};
use serde_json::json;

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

/// Learns every member and averages them; members that cannot be learned are left out with a note.
#[derive(Debug)]
pub struct Combination {
    /// The learners to average.
    pub members: Vec<Box<dyn Learner>>,
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
        let mut models = Vec::new();
        let mut said: Vec<(String, Vec<&'static str>)> = Vec::new();
        let mut notes = Vec::new();
        let mut failure = None;
        for learner in &self.members {
            match learner.fit(train, cx) {
                Ok(fitted) => {
                    for Note(text) in fitted.notes {
                        match said.iter_mut().find(|(t, _)| *t == text) {
                            Some((_, by)) => by.push(learner.name()),
                            None => said.push((text, vec![learner.name()])),
                        }
                    }
                    models.push(fitted.model);
                }
                Err(FitError::Cancelled(c)) => return Err(c.into()),
                Err(e) => {
                    notes.push(Note(format!("left out of the average: {e}")));
                    failure = Some(e);
                }
            }
        }
        // what several members say is said once
        notes.extend(said.into_iter().map(|(text, by)| Note(format!("{text} ({})", by.join(", ")))));
        match failure {
            Some(e) if models.is_empty() => Err(e),
            _ => Ok(Fitted { model: Box::new(Average::of(models, train, cx)), notes }),
        }
    }
}

/// The fitted average.
#[derive(Debug)]
pub struct Average {
    card: ModelCard,
    members: Vec<Box<dyn Model>>,
}

impl Average {
    fn of(members: Vec<Box<dyn Model>>, train: &TrainingSet<'_>, cx: &FitContext<'_>) -> Average {
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
        Average { card, members }
    }

    /// Reads the average back; `load` reads a member.
    ///
    /// # Errors
    /// [`ForecastError::Artifact`] when the members are missing or one of them cannot be read.
    pub fn load(
        artifact: &Artifact,
        load: impl Fn(&Artifact) -> Result<Box<dyn Model>, ForecastError>,
    ) -> Result<Average, ForecastError> {
        let bad = |reason: String| ForecastError::Artifact(format!("the average's members: {reason}"));
        let members: Vec<Artifact> = artifact
            .body
            .get("members")
            .ok_or_else(|| bad("`members` is missing".to_owned()))
            .and_then(|m| serde_json::from_value(m.clone()).map_err(|e| bad(e.to_string())))?;
        if members.is_empty() {
            return Err(bad("there is none".to_owned()));
        }
        let members = members.iter().map(load).collect::<Result<_, _>>()?;
        Ok(Average { card: artifact.card.clone(), members })
    }
}

impl Model for Average {
    fn card(&self) -> &ModelCard {
        &self.card
    }

    fn forecast(&self, cases: &Cases<'_>) -> Result<Forecasts, ForecastError> {
        let all = self.members.iter().map(|m| m.forecast(cases)).collect::<Result<Vec<_>, _>>()?;
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
}
