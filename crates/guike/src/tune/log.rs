//! `guike tune log`: hyper-parameters of the learners that read features of an order log.
//!
//! The one idea: time divides. The newest window is kept apart; the search stands at the anchors of the history before it, the
//! oldest first, and its loss is the one by which a backtest selects. What is tuned are the heads of the blend together, judged
//! by the blend with its starting weights: weights found by stacking would hide a bad head from the search.

use std::path::Path;

use guike_core::{FitContext, FitError, Forecasts, Labels, Progress, Seed};
use guike_data::{Imported, LogFile, LogFiles, PiecewiseLog};
use guike_eval::anchors::{AnchorConfig, evaluation_anchors};
use guike_eval::selection::{AnchorTruth, Candidate, Criterion, SelectionConfig};
use guike_eval::{Anchor, Prediction, select};
use guike_features::labels;
use guike_learn::value::HeadsConfig;
use guike_store::{Journal, Staged, fingerprint};
use serde_json::json;

use super::Within;
use super::halving::{Piece, Trial, Work, search};
use super::result::{Findings, OneAnswer, TuneSummary, write};
use crate::backtest::{Known, View};
use crate::crowd::{Buyers, learned_from};
use crate::error::Error;
use crate::learners::{HEADS, heads_with};
use crate::run::{cutoff_and_horizon, enough_to_learn, read_piecewise};
use crate::settings::Settings;
use crate::table::{Estimate, TuneBudget, journal_path};
use crate::value::{self, Learned, Lessons};

/// What to tune of an order log, and how much to try.
#[derive(Debug, Clone, Copy)]
pub struct LogTuning<'a> {
    /// The settings of a run.
    pub settings: &'a Settings,
    /// Draws.
    pub budget: TuneBudget,
}

/// An anchor with what was known and what then happened.
struct Judged {
    anchor: Anchor,
    known: Known,
    labels: Labels,
    /// What every trial learns from; the words of a learner that refused.
    lessons: Result<Lessons, String>,
}

/// Searches for better settings of the learners on this log, and writes settings, trials and answer into `out`.
///
/// Every trial is logged beside `out` when it is done, as for tables: the same call goes on from there after any end.
///
/// # Errors
/// As [`crate::run()`]; [`Error::Config`] for a budget without learners, [`Error::NoAnswer`] for a history that is too short to
/// keep a window apart, [`Error::Store`] when the log of trials is of other data or settings.
pub fn log(files: &LogFiles, out: &Path, asked: &LogTuning<'_>, progress: &dyn Progress) -> Result<TuneSummary, Error> {
    let settings = asked.settings;
    settings.validate()?;
    let n_trials = asked.budget.trials(settings.forecast.budget)?;
    let Some(base) = settings.forecast.budget.heads() else {
        return Err(Error::Config {
            what: "--budget".to_owned(),
            value: "fast".to_owned(),
            rule: "a fast run has no learners to tune; take `standard` or `thorough`".to_owned(),
        });
    };
    let staged = Staged::begin(out)?;
    let read_from = files.iter().map(LogFile::at).chain(settings.customers.as_deref());
    let data = read_from.map(fingerprint).collect::<Result<Vec<String>, _>>()?.join(" ");
    // the moment of the call is no part of the work: going on tomorrow is the same work
    let mut same = settings.clone();
    same.data.now = None;
    let work = json!({
        "guike": env!("CARGO_PKG_VERSION"), "kind": "log", "data": data, "trials": n_trials, "settings": same,
    });
    progress.stage("reading", 0);
    let Imported { log, .. } = read_piecewise(files, settings, progress)?;
    let (mut journal, done) = Journal::open(&journal_path(out), &work)?;
    let findings = find(log, &same, base, n_trials, data, &mut journal, done, progress)?;
    let summary = write(&staged, &findings, out)?;
    progress.check()?;
    staged.commit()?;
    journal.remove()?;
    Ok(summary)
}

fn find(
    log: PiecewiseLog,
    settings: &Settings,
    base: HeadsConfig,
    n_trials: usize,
    data: String,
    journal: &mut Journal,
    done: Vec<Piece>,
    progress: &dyn Progress,
) -> Result<Findings, Error> {
    let seed = settings.forecast.seed;
    let purchases = log.purchase_span();
    let (cutoff, horizon) = cutoff_and_horizon(purchases, settings)?;
    let buyers = Buyers::of(&log, cutoff)?;
    enough_to_learn(purchases, &buyers, cutoff)?;
    let log = match learned_from(&log, &buyers, settings.forecast.learn_from, seed)? {
        Some(few) => few,
        None => log.whole()?,
    };
    let log = &log;
    let Some((first, _)) = log.purchase_span() else {
        return Err(Error::Internal("a log without purchases has a cutoff".to_owned()));
    };
    let config = AnchorConfig::default();
    let newest = evaluation_anchors(first, cutoff, horizon, &config).anchors.first().copied();
    let earlier = newest.map(|a| evaluation_anchors(first, a.cutoff, a.horizon, &config).anchors).unwrap_or_default();
    let Some(apart) = newest.filter(|_| !earlier.is_empty()) else {
        return Err(Error::NoAnswer(format!(
            "the history up to {cutoff} is too short to keep a window of {} days apart and to search before it; shorten \
             --horizon",
            horizon.days()
        )));
    };
    let within = Within(progress);
    let stand = |anchor: Anchor| -> Result<Judged, Error> {
        let known = Known::at(log, anchor.cutoff, anchor.horizon, View::Features, seed);
        let labels = labels(&log.after(anchor.cutoff, anchor.horizon), &known.rfm.customer_idx);
        let cx = FitContext { seed: seed.derive(value::BLEND), progress: &within };
        let lessons = match known.with_training(|t| Lessons::fit(t, &cx)) {
            Ok((lessons, _)) => Ok(lessons),
            Err(FitError::Cancelled(_)) => return Err(Error::Interrupted),
            Err(e) => Err(e.to_string()),
        };
        Ok(Judged { anchor, known, labels, lessons })
    };
    // oldest first: the least is known there, so that the first round is also the cheapest
    let anchors: Vec<Judged> = earlier.iter().rev().map(|&a| stand(a)).collect::<Result<_, Error>>()?;
    let criterion = Criterion::default();
    let mut judge = |trial: &Trial, fold: usize| {
        let at = &anchors[fold];
        Ok(forecast(&heads_with(base, &trial.values), at, seed, &within)?
            .map(|f| criterion.of(&truth(at, 1.0), &Prediction::from(&f))))
    };
    let asked = Work {
        defaults: vec![(Trial { learner: value::BLEND.to_owned(), values: settings.forecast.heads.clone() }, HEADS)],
        n_trials,
        fold_weights: anchors.iter().map(|a| a.anchor.weight).collect(),
        seed: seed.derive("trials"),
    };
    let search = search(&asked, journal, done, progress, &mut judge)?;

    progress.stage("judge what was found", 2);
    let apart = stand(apart)?;
    let once = |i: usize| {
        let said = forecast(&heads_with(base, &search.tried[i].trial.values), &apart, seed, &within)?;
        progress.advance(1);
        said.map_err(Error::NoAnswer)
    };
    let (default, tuned) = (once(search.best_default)?, once(search.best)?);
    let lost = |f: &Forecasts| criterion.of(&truth(&apart, 1.0), &Prediction::from(f));
    let answer = |i: usize, f: &Forecasts| OneAnswer {
        learner: value::BLEND.to_owned(),
        values: search.tried[i].trial.values.clone(),
        loss_in_search: search.loss(i).unwrap_or(f64::NAN),
        loss_apart: lost(f),
    };
    let mut chosen = settings.clone();
    chosen.forecast.heads = search.tried[search.best].trial.values.clone();
    Ok(Findings {
        kind: "log",
        data,
        loss: "backtest loss",
        default: answer(search.best_default, &default),
        tuned: answer(search.best, &tuned),
        gain: gain(&apart, &default, &tuned, seed)?,
        apart: format!(
            "the {} customers and {} days after {}, which took no part,",
            apart.known.rfm.len(),
            apart.anchor.horizon.days(),
            apart.anchor.cutoff
        ),
        settings_of: [settings.to_toml()?, chosen.to_toml()?],
        notes: Vec::new(),
        search,
    })
}

fn truth(at: &Judged, weight: f64) -> AnchorTruth<'_> {
    AnchorTruth { truth: (&at.labels).into(), customer_idx: &at.known.rfm.customer_idx, weight }
}

/// What the blend with starting weights says at an anchor; the words of a learner that refused.
fn forecast(
    heads: &HeadsConfig,
    at: &Judged,
    seed: Seed,
    progress: &dyn Progress,
) -> Result<Result<Forecasts, String>, Error> {
    let cx = FitContext { seed: seed.derive(value::BLEND), progress };
    let lessons = match &at.lessons {
        Ok(lessons) => lessons,
        Err(why) => return Ok(Err(why.clone())),
    };
    match Learned::fit(lessons, &at.known.cases(), heads, &cx) {
        Ok((learned, said)) => Ok(Ok(learned.blended(&said, &value::starting_weights()))),
        Err(FitError::Cancelled(_)) => Err(Error::Interrupted),
        Err(e) => Ok(Err(e.to_string())),
    }
}

/// How much less the tuned one lost, with the paired bootstrap interval over customers.
fn gain(at: &Judged, default: &Forecasts, tuned: &Forecasts, seed: Seed) -> Result<Estimate, Error> {
    let candidate = |name, f| Candidate { name, complexity: 1, forecasts: Ok(vec![Prediction::from(f)]) };
    let mut config = SelectionConfig::default();
    config.bootstrap.seed = seed.derive("tuning");
    let both = [candidate("default", default), candidate("tuned", tuned)];
    let selection = select(&[truth(at, 1.0)], &both, &config).map_err(|e| Error::NoAnswer(e.to_string()))?;
    let behind = selection.standings.iter().find_map(|s| Some((s.name.as_str(), s.against_leader?)));
    Ok(match behind {
        Some(("default", extra)) => Estimate { mid: extra.value, lo: extra.lo, hi: extra.hi },
        Some((_, extra)) => Estimate { mid: -extra.value, lo: -extra.hi, hi: -extra.lo },
        None => Estimate { mid: 0.0, lo: 0.0, hi: 0.0 },
    })
}
