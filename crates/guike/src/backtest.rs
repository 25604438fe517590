//! What every candidate would have said at earlier anchors, and what then happened.
//!
//! Standing at an anchor, a learner sees the summaries as of that day, and labelled anchors whose windows ended by that
//! day. Nothing after the anchor reaches it. All candidates face the same customers.

use guike_btyd::learners::{BuyTillYouDie, FittedPair, PairFit, fit_together};
use guike_btyd::outlook::forecast_together;
use guike_core::{
    Cases, Cutoff, EventLog, FitContext, FitError, Forecasts, Horizon, Labelled, Labels, Learner, Note, Progress,
    Purchases, RfmTable, Seed, Table, TrainingSet,
};
use guike_eval::anchors::{evaluation_anchors, training_anchors};
use guike_eval::stacking::{StackingAnchor, StackingConfig, stack};
use guike_eval::{Anchor, AnchorConfig, AnchorPlan};
use guike_features::{FeatureSet, LogShape, feature_table, labels, rfm};
use guike_learn::value::HeadsConfig;
use rayon::prelude::*;

use crate::combination::{self, Average};
use crate::crowd::drawn;
use crate::error::Error;
use crate::value::{self, Ahead, Learned, Lessons, Said};

/// What to prepare for learners.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// Summaries only.
    Summaries,
    /// Summaries, and every feature that the log offers at the cutoff and at all training anchors.
    Features,
}

/// Most labelled rows, all training anchors together: more rows make learned forecasts slower and hardly better.
const MAX_ROWS: usize = 20_000;
/// Most training anchors of learners that read features.
const MAX_TRAINING: u32 = 4;

/// The past as of one cutoff, and the labelled pasts before it: what a learner may see.
#[derive(Debug)]
pub struct Known {
    /// Where we stand.
    pub cutoff: Cutoff,
    /// How far ahead to look.
    pub horizon: Horizon,
    /// Summaries of all buyers.
    pub rfm: RfmTable,
    /// Whole histories of all buyers.
    purchases: Purchases,
    /// One row per buyer, where features are wanted.
    features: Option<Table>,
    /// Earlier anchors with labels, newest first.
    training: Vec<Trained>,
}

/// One training anchor.
#[derive(Debug)]
struct Trained {
    cutoff: Cutoff,
    horizon: Horizon,
    rfm: RfmTable,
    features: Option<Table>,
    labels: Labels,
}

impl Known {
    /// Everything known at `cutoff`; `seed` draws customers where a shop has more than learners need.
    pub fn at(log: &EventLog, cutoff: Cutoff, horizon: Horizon, view: View, seed: Seed) -> Known {
        let past = log.before(cutoff);
        let rfm = rfm(&past, horizon.days());
        let config = AnchorConfig {
            max_training: if view == View::Features { MAX_TRAINING } else { 1 },
            ..AnchorConfig::default()
        };
        let anchors = match log.purchase_span() {
            Some((first, _)) if first <= cutoff.last_day() => training_anchors(first, cutoff, horizon, &config).anchors,
            _ => Vec::new(),
        };
        // tables that are compared hold what the earliest of them can hold
        let set = match (view, anchors.last()) {
            (View::Features, Some(oldest)) => {
                Some(FeatureSet::all(&LogShape::of(&log.before(oldest.cutoff)), oldest.horizon))
            }
            _ => None,
        };
        let features = set.as_ref().map(|set| feature_table(&past, &rfm.customer_idx, set));
        let most = MAX_ROWS / anchors.len().max(1);
        let buyers = rfm.customer_idx.clone();
        let training = anchors
            .iter()
            .map(|a| {
                let past = log.before(a.cutoff);
                let mut rfm = guike_features::rfm(&past, a.horizon.days());
                if set.is_some() && rfm.len() > most {
                    rfm = rfm.take(&drawn(&rfm.customer_idx, &buyers, most, seed.derive("rows")));
                }
                let labels = labels(&log.after(a.cutoff, a.horizon), &rfm.customer_idx);
                let features = set.as_ref().map(|set| feature_table(&past, &rfm.customer_idx, set));
                Trained { cutoff: a.cutoff, horizon: a.horizon, rfm, features, labels }
            })
            .collect();
        let purchases = guike_features::purchases(&past, &rfm.customer_idx);
        Known { cutoff, horizon, rfm, purchases, features, training }
    }

    /// The customers to forecast.
    pub fn cases(&self) -> Cases<'_> {
        Cases {
            cutoff: self.cutoff,
            horizon: self.horizon,
            rfm: &self.rfm,
            features: self.features.as_ref(),
            purchases: Some(&self.purchases),
        }
    }

    /// Calls `use_it` with the training set.
    pub fn with_training<T>(&self, use_it: impl FnOnce(&TrainingSet<'_>) -> T) -> T {
        let anchors: Vec<Labelled<'_>> = self
            .training
            .iter()
            .map(|t| Labelled {
                cases: Cases {
                    cutoff: t.cutoff,
                    horizon: t.horizon,
                    rfm: &t.rfm,
                    features: t.features.as_ref(),
                    // whole histories tell their earlier anchors themselves
                    purchases: None,
                },
                labels: &t.labels,
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
    /// The candidates, in the order of the catalogue; then the average, the learners and the blend.
    pub candidates: Vec<CandidateForecasts>,
    /// Weights of the blend, in the order of [`value::members`]; `None` where it could not be judged.
    pub weights: Option<Vec<f64>>,
}

impl Backtest {
    /// The candidate of this name.
    pub fn candidate(&self, name: &str) -> Option<&CandidateForecasts> {
        self.candidates.iter().find(|c| c.name == name)
    }

    /// Lets go of what the other candidates said, once one is chosen: together it is the most that a run holds.
    pub(crate) fn keep_only(&mut self, name: &str) {
        self.candidates.retain(|c| c.name == name);
    }
}

/// What a backtest compares.
#[derive(Debug)]
pub struct Contenders {
    /// What every model must beat.
    pub baselines: Vec<Box<dyn Learner>>,
    /// Probability models.
    pub pairs: Vec<BuyTillYouDie>,
    /// Learners that read whole histories.
    pub deep: Vec<Box<dyn Learner>>,
    /// How the learners that read features learn; `None` where they are not wanted.
    pub heads: Option<HeadsConfig>,
}

impl Contenders {
    fn members(&self) -> usize {
        self.heads.as_ref().map_or(0, |_| value::members().len())
    }

    /// Name and number of free parameters of baselines, pairs and deep learners, in the order of their outcomes.
    fn simple(&self) -> Vec<(&'static str, u32)> {
        let baselines = self.baselines.iter().map(|l| (l.name(), l.complexity()));
        let deep = self.deep.iter().map(|l| (l.name(), l.complexity()));
        baselines.chain(self.pairs.iter().map(|p| (p.name(), p.complexity()))).chain(deep).collect()
    }
}

/// Runs every contender at every anchor inside the history.
///
/// # Errors
/// [`Error::Interrupted`] on request. A learner that fails is not an error: its candidate says why.
pub fn backtest(
    log: &EventLog,
    cutoff: Cutoff,
    horizon: Horizon,
    contenders: &Contenders,
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
            let view = if contenders.heads.is_some() { View::Features } else { View::Summaries };
            let known = Known::at(log, anchor.cutoff, anchor.horizon, view, seed);
            let labels = labels(&log.after(anchor.cutoff, anchor.horizon), &known.rfm.customer_idx);
            BacktestAnchor { anchor, known, labels }
        })
        .collect();
    let simple = contenders.simple();
    progress.stage("testing candidates", (anchors.len() * (simple.len() + contenders.members())) as u64);
    let at_anchors: Vec<AtAnchor> =
        anchors.par_iter().map(|at| judge_all(contenders, at, seed, progress)).collect::<Result<_, Error>>()?;
    let mut judged = Vec::new();
    let mut outcomes: Vec<Vec<Outcome>> = simple.iter().map(|_| Vec::with_capacity(anchors.len())).collect();
    for AtAnchor { simple, learned } in at_anchors {
        outcomes.iter_mut().zip(simple).for_each(|(of_one, outcome)| of_one.push(outcome));
        judged.extend(learned);
    }
    let mut candidates: Vec<CandidateForecasts> =
        simple.into_iter().zip(outcomes).map(|((name, complexity), o)| gather(name, complexity, o)).collect();
    candidates.extend(combine(&candidates, anchors.len()));
    let mut weights = None;
    if contenders.heads.is_some() {
        let learned = blends(&anchors, judged)?;
        weights = learned.1;
        candidates.extend(learned.0);
    }
    Ok(Backtest { plan, anchors, candidates, weights })
}

type Outcome = Result<(Forecasts, Vec<Note>), String>;

/// All contenders at one anchor.
struct AtAnchor {
    /// Baselines, then pairs, then deep learners.
    simple: Vec<Outcome>,
    /// The learners that read features, where they are wanted.
    learned: Option<Result<Taught, String>>,
}

/// The learners fitted at an anchor, what they say there, and that as forecasts by member.
struct Taught {
    learned: Learned,
    said: Said,
    by_member: Vec<Forecasts>,
}

fn judge_all(
    contenders: &Contenders,
    at: &BacktestAnchor,
    seed: Seed,
    progress: &dyn Progress,
) -> Result<AtAnchor, Error> {
    let mut simple = Vec::new();
    for learner in &contenders.baselines {
        simple.push(run_one(learner.as_ref(), at, seed, progress)?);
        progress.advance(1);
    }
    progress.check()?;
    let cx = FitContext { seed: seed.derive(value::BLEND), progress };
    let fits = at.known.with_training(|t| fit_together(&contenders.pairs, t, &cx));
    if fits.iter().any(|f| matches!(f, Err(FitError::Cancelled(_)))) {
        return Err(Error::Interrupted);
    }
    let fitted: Vec<&FittedPair> = fits.iter().filter_map(|f| f.as_ref().ok().map(|(pair, _)| pair)).collect();
    let mut forecasts = forecast_together(&fitted, &at.known.cases()).map(Vec::into_iter);
    for (pair, fit) in contenders.pairs.iter().zip(&fits) {
        let outcome = match (fit, &mut forecasts) {
            (Err(e), _) => Err(e.to_string()),
            (_, Err(e)) => Err(e.to_string()),
            (Ok((_, notes)), Ok(list)) => Ok((list.next().expect("one forecast per fit"), notes.clone())),
        };
        simple.push(without_flaw(pair.name(), outcome)?);
        progress.advance(1);
    }
    for learner in &contenders.deep {
        simple.push(run_one(learner.as_ref(), at, seed, progress)?);
        progress.advance(1);
    }
    let learned = match &contenders.heads {
        None => None,
        Some(config) => Some(teach(contenders, fits, &simple, config, at, &cx)?),
    };
    progress.advance(contenders.members() as u64);
    Ok(AtAnchor { simple, learned })
}

/// Fits the learners that read features on top of the pairs that are fitted already.
fn teach(
    contenders: &Contenders,
    fits: Vec<PairFit>,
    simple: &[Outcome],
    config: &HeadsConfig,
    at: &BacktestAnchor,
    cx: &FitContext<'_>,
) -> Result<Result<Taught, String>, Error> {
    let pairs = contenders.pairs.iter().map(BuyTillYouDie::name);
    let outcomes = simple[contenders.baselines.len()..].iter();
    let said: Vec<&Forecasts> = pairs
        .clone()
        .zip(outcomes)
        .filter(|(name, _)| combination::is_member(name))
        .filter_map(|(_, outcome)| outcome.as_ref().ok().map(|(forecasts, _)| forecasts))
        .collect();
    let fit = |train: &TrainingSet<'_>| {
        let members = pairs.zip(fits).filter(|(name, _)| combination::is_member(name));
        let (prior, _) = Average::of(members, train, cx)?;
        let ahead = Ahead::from_horizon(&prior, combination::average(&said), train)
            .map_err(|e| value::as_fit_error(value::BLEND, &e))?;
        let lessons = Lessons::prepare(train, prior, ahead, cx)?;
        Learned::fit(&lessons, &train.now, config, cx)
    };
    match at.known.with_training(fit) {
        Ok((learned, said)) => {
            let by_member = learned.by_member(&said);
            Ok(Ok(Taught { learned, said, by_member }))
        }
        Err(FitError::Cancelled(_)) => Err(Error::Interrupted),
        Err(e) => Ok(Err(e.to_string())),
    }
}

/// Forecasts of every learner that reads features, those of their blend, and the blend's weights.
///
/// The blend at an anchor uses weights that were found at the other anchors, so that it is judged on what it has not seen;
/// the weights that are returned use all.
fn blends(
    anchors: &[BacktestAnchor],
    at_anchors: Vec<Result<Taught, String>>,
) -> Result<(Vec<CandidateForecasts>, Option<Vec<f64>>), Error> {
    let candidate =
        |name, forecasts| CandidateForecasts { name, complexity: value::COMPLEXITY, forecasts, notes: Vec::new() };
    let judged = match at_anchors.into_iter().collect::<Result<Vec<Taught>, String>>() {
        Ok(j) if !j.is_empty() => j,
        Ok(_) => return Ok((Vec::new(), None)),
        Err(why) => return Ok((vec![candidate(value::BLEND, Err(why))], None)),
    };
    let evidence: Vec<StackingAnchor<'_>> = anchors
        .iter()
        .zip(&judged)
        .map(|(a, taught)| StackingAnchor {
            members: taught.by_member.iter().map(|f| f.expected_spend.as_slice()).collect(),
            actual: &a.labels.spend,
            weight: a.anchor.weight,
        })
        .collect();
    let (start, how) = (value::starting_weights(), StackingConfig::default());
    let mut blends = Vec::with_capacity(anchors.len());
    for (i, taught) in judged.iter().enumerate() {
        let mut others = evidence.clone();
        others.remove(i);
        blends.push(taught.learned.blended(&taught.said, &stack(&others, &start, &how)));
    }
    let weights = stack(&evidence, &start, &how);
    let members = value::members();
    let mut by_member: Vec<Vec<Forecasts>> = members.iter().map(|_| Vec::with_capacity(anchors.len())).collect();
    for taught in judged {
        by_member.iter_mut().zip(taught.by_member).for_each(|(m, f)| m.push(f));
    }
    // the average and the foundation model are candidates already
    let mut candidates: Vec<CandidateForecasts> =
        members.iter().zip(by_member).skip(2).map(|(&name, f)| candidate(name, Ok(f))).collect();
    candidates.push(candidate(value::BLEND, Ok(blends)));
    for f in candidates.iter().filter_map(|c| c.forecasts.as_ref().ok()).flatten() {
        if let Some(flaw) = f.flaw() {
            return Err(Error::Internal(format!("a learner broke a promise: {flaw}")));
        }
    }
    Ok((candidates, Some(weights)))
}

fn run_one(learner: &dyn Learner, at: &BacktestAnchor, seed: Seed, progress: &dyn Progress) -> Result<Outcome, Error> {
    let cx = FitContext { seed: seed.derive(learner.name()), progress };
    let fitted = match at.known.with_training(|t| learner.fit(t, &cx)) {
        Ok(f) => f,
        Err(FitError::Cancelled(_)) => return Err(Error::Interrupted),
        Err(e) => return Ok(Err(e.to_string())),
    };
    let forecasts = fitted.model.forecast(&at.known.cases()).map_err(|e| e.to_string());
    without_flaw(learner.name(), forecasts.map(|f| (f, fitted.notes)))
}

/// The outcome as it is, or an error when its forecasts break a promise.
fn without_flaw(name: &str, outcome: Outcome) -> Result<Outcome, Error> {
    match outcome.as_ref().ok().and_then(|(forecasts, _)| forecasts.flaw()) {
        None => Ok(outcome),
        Some(flaw) => Err(Error::Internal(format!("{name} broke a promise: {flaw}"))),
    }
}

fn gather(name: &'static str, complexity: u32, outcomes: Vec<Outcome>) -> CandidateForecasts {
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
    CandidateForecasts { name, complexity, forecasts, notes }
}

/// The average of the members that could be judged everywhere, when there are at least two.
fn combine(candidates: &[CandidateForecasts], n_anchors: usize) -> Option<CandidateForecasts> {
    let members: Vec<(&Vec<Forecasts>, u32)> = candidates
        .iter()
        .filter(|c| combination::is_member(c.name))
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
