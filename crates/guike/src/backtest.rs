//! What every candidate would have said at earlier anchors, and what then happened.
//!
//! Standing at an anchor, a learner sees the summaries as of that day, and labelled anchors whose windows ended by that
//! day. Nothing after the anchor reaches it. All candidates face the same customers.

use guike_core::{
    Cases, Cutoff, EventLog, FitContext, FitError, Forecasts, Horizon, Labelled, Labels, Learner, Note, Progress,
    RfmTable, Seed, TrainingSet,
};
use guike_eval::anchors::{evaluation_anchors, training_anchors};
use guike_eval::{Anchor, AnchorConfig, AnchorPlan};
use guike_features::{labels, rfm};
use rayon::prelude::*;

use crate::combination;
use crate::error::Error;
use crate::learners;

/// The past as of one cutoff, and the labelled pasts before it: what a learner may see.
#[derive(Debug)]
pub struct Known {
    /// Where we stand.
    pub cutoff: Cutoff,
    /// How far ahead to look.
    pub horizon: Horizon,
    /// Summaries of all buyers.
    pub rfm: RfmTable,
    /// Earlier anchors with labels, newest first.
    training: Vec<(Cutoff, Horizon, RfmTable, Labels)>,
}

impl Known {
    /// Everything known at `cutoff`.
    pub fn at(log: &EventLog, cutoff: Cutoff, horizon: Horizon) -> Known {
        let rfm = rfm(&log.before(cutoff), horizon.days());
        let config = AnchorConfig { max_training: 1, ..AnchorConfig::default() };
        let anchors = match log.purchase_span() {
            Some((first, _)) if first <= cutoff.last_day() => training_anchors(first, cutoff, horizon, &config).anchors,
            _ => Vec::new(),
        };
        let training = anchors
            .iter()
            .map(|a| {
                let past = guike_features::rfm(&log.before(a.cutoff), a.horizon.days());
                let labels = labels(&log.after(a.cutoff, a.horizon), &past.customer_idx);
                (a.cutoff, a.horizon, past, labels)
            })
            .collect();
        Known { cutoff, horizon, rfm, training }
    }

    /// The customers to forecast.
    pub fn cases(&self) -> Cases<'_> {
        Cases { cutoff: self.cutoff, horizon: self.horizon, rfm: &self.rfm, features: None }
    }

    /// Calls `use_it` with the training set.
    pub fn with_training<T>(&self, use_it: impl FnOnce(&TrainingSet<'_>) -> T) -> T {
        let anchors: Vec<Labelled<'_>> = self
            .training
            .iter()
            .map(|(cutoff, horizon, rfm, labels)| Labelled {
                cases: Cases { cutoff: *cutoff, horizon: *horizon, rfm, features: None },
                labels,
            })
            .collect();
        use_it(&TrainingSet { now: self.cases(), anchors: &anchors })
    }
}

/// One anchor of the backtest.
#[derive(Debug)]
pub struct BacktestAnchor {
    /// Where it lies and how much it counts.
    pub anchor: Anchor,
    /// What was known.
    pub known: Known,
    /// What then happened.
    pub labels: Labels,
}

/// One candidate's forecasts at every anchor.
#[derive(Debug)]
pub struct CandidateForecasts {
    /// Stable name.
    pub name: &'static str,
    /// Number of free parameters.
    pub complexity: u32,
    /// One per anchor, or why the candidate cannot be judged.
    pub forecasts: Result<Vec<Forecasts>, String>,
    /// Remarks of the fits, without repetition.
    pub notes: Vec<Note>,
}

/// All candidates at all anchors.
#[derive(Debug)]
pub struct Backtest {
    /// How the anchors were placed.
    pub plan: AnchorPlan,
    /// The anchors, newest first.
    pub anchors: Vec<BacktestAnchor>,
    /// The candidates, in the order of the catalogue; the average last.
    pub candidates: Vec<CandidateForecasts>,
}

impl Backtest {
    /// The candidate of this name.
    pub fn candidate(&self, name: &str) -> Option<&CandidateForecasts> {
        self.candidates.iter().find(|c| c.name == name)
    }
}

/// Runs every learner at every anchor inside the history.
///
/// # Errors
/// [`Error::Interrupted`] on request. A learner that fails is not an error: its candidate says why.
pub fn backtest(
    log: &EventLog,
    cutoff: Cutoff,
    horizon: Horizon,
    learners: &[Box<dyn Learner>],
    seed: Seed,
    progress: &dyn Progress,
) -> Result<Backtest, Error> {
    let Some((first, _)) = log.purchase_span() else {
        return Err(Error::NoAnswer("the log has no purchase, so there is nothing to forecast from".to_owned()));
    };
    let plan = evaluation_anchors(first, cutoff, horizon, &AnchorConfig::default());
    let anchors: Vec<BacktestAnchor> = plan
        .anchors
        .par_iter()
        .map(|&anchor| {
            let known = Known::at(log, anchor.cutoff, anchor.horizon);
            let labels = labels(&log.after(anchor.cutoff, anchor.horizon), &known.rfm.customer_idx);
            BacktestAnchor { anchor, known, labels }
        })
        .collect();
    progress.stage("testing candidates", (anchors.len() * learners.len()) as u64);
    let jobs: Vec<(usize, usize)> = (0..learners.len()).flat_map(|l| (0..anchors.len()).map(move |a| (l, a))).collect();
    let mut results: Vec<Outcome> = jobs
        .into_par_iter()
        .map(|(l, a)| {
            progress.check()?;
            let outcome = run_one(learners[l].as_ref(), &anchors[a], seed, progress);
            progress.advance(1);
            outcome
        })
        .collect::<Result<_, Error>>()?;
    let mut candidates: Vec<CandidateForecasts> = Vec::new();
    for learner in learners {
        let rest = results.split_off(anchors.len());
        candidates.push(gather(learner.as_ref(), std::mem::replace(&mut results, rest)));
    }
    candidates.extend(combine(&candidates, anchors.len()));
    Ok(Backtest { plan, anchors, candidates })
}

type Outcome = Result<(Forecasts, Vec<Note>), String>;

fn run_one(learner: &dyn Learner, at: &BacktestAnchor, seed: Seed, progress: &dyn Progress) -> Result<Outcome, Error> {
    let cx = FitContext { seed: seed.derive(learner.name()), progress };
    let fitted = match at.known.with_training(|t| learner.fit(t, &cx)) {
        Ok(f) => f,
        Err(FitError::Cancelled(_)) => return Err(Error::Interrupted),
        Err(e) => return Ok(Err(e.to_string())),
    };
    let forecasts = match fitted.model.forecast(&at.known.cases()) {
        Ok(f) => f,
        Err(e) => return Ok(Err(e.to_string())),
    };
    match forecasts.flaw() {
        None => Ok(Ok((forecasts, fitted.notes))),
        Some(flaw) => Err(Error::Internal(format!("{} broke a promise: {flaw}", learner.name()))),
    }
}

fn gather(learner: &dyn Learner, outcomes: Vec<Outcome>) -> CandidateForecasts {
    let mut notes: Vec<Note> = Vec::new();
    let forecasts = outcomes
        .into_iter()
        .map(|o| {
            o.map(|(forecasts, said)| {
                for note in said {
                    if !notes.contains(&note) {
                        notes.push(note);
                    }
                }
                forecasts
            })
        })
        .collect();
    CandidateForecasts { name: learner.name(), complexity: learner.complexity(), forecasts, notes }
}

/// The average of the members that could be judged everywhere, when there are at least two.
fn combine(candidates: &[CandidateForecasts], n_anchors: usize) -> Option<CandidateForecasts> {
    let members: Vec<(&Vec<Forecasts>, u32)> = candidates
        .iter()
        .filter(|c| learners::is_member_of_average(c.name))
        .filter_map(|c| c.forecasts.as_ref().ok().map(|f| (f, c.complexity)))
        .collect();
    if members.len() < 2 || n_anchors == 0 {
        return None;
    }
    let forecasts =
        (0..n_anchors).map(|a| combination::average(&members.iter().map(|(f, _)| &f[a]).collect::<Vec<_>>())).collect();
    Some(CandidateForecasts {
        name: combination::NAME,
        complexity: members.iter().map(|m| m.1).max().unwrap_or(0),
        forecasts: Ok(forecasts),
        notes: Vec::new(),
    })
}
