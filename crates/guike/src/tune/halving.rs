//! Random search with successive halving, from a journal that survives the process.
//!
//! The one idea: the resource is the **number of folds**. All trials are judged on the first fold, the better half on the
//! second too, the better half of those on two more, and so on, until a few are judged on all. No fit is ever repeated: what
//! a trial lost on the first folds counts to its end. The settings that come along are judged on all folds first; a learner
//! that is far behind the best gets no draws, and a trial that falls far behind it ends at once.
//!
//! Hyperband's further brackets, which hedge against halving too early, are left out: a fold is already a fit on the full
//! training rows, so that a trial which looks bad on its first fold is rarely a slow starter.
//!
//! # Source
//! Jamieson & Talwalkar (2016), "Non-stochastic best arm identification and hyperparameter optimization", algorithm 1, with
//! folds as budget; Bergstra & Bengio (2012) for random search.

use std::collections::BTreeMap;

use guike_core::{Progress, Seed};
use guike_store::Journal;
use serde::{Deserialize, Serialize};

use super::space::{Knob, Values, draw};
use crate::error::Error;

/// A trial whose loss is this much above the best of the settings that come along, relatively, is hopeless.
const HOPELESS: f64 = 0.1;

/// A learner with the values of its hyper-parameters; those not named are its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Trial {
    /// Its name.
    pub(crate) learner: String,
    /// The values.
    pub(crate) values: Values,
}

/// What is searched, and by which budget.
#[derive(Debug)]
pub(crate) struct Work<'a> {
    /// Learners with their settings as they come along.
    pub(crate) defaults: Vec<(Trial, &'a [Knob])>,
    /// Draws.
    pub(crate) n_trials: usize,
    /// How much each fold counts.
    pub(crate) fold_weights: Vec<f64>,
    /// Where the draws come from.
    pub(crate) seed: Seed,
}

/// How far a trial came.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum End {
    /// Judged on every fold.
    Finished,
    /// Among the worse half.
    Halved,
    /// Far behind the settings that come along.
    Hopeless,
    /// The learner refused, in its words.
    Failed(String),
}

/// A trial and what it lost on the folds it was judged on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Tried {
    pub(crate) trial: Trial,
    /// Whether these are settings as they come along.
    pub(crate) default: bool,
    pub(crate) losses: Vec<f64>,
    pub(crate) end: End,
}

/// All trials, with the best of those that come along and the best of all.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Search {
    pub(crate) tried: Vec<Tried>,
    pub(crate) best_default: usize,
    pub(crate) best: usize,
    fold_weights: Vec<f64>,
}

impl Search {
    /// Weighted mean loss over the folds that a trial was judged on.
    pub(crate) fn loss(&self, i: usize) -> Option<f64> {
        mean(&self.tried[i].losses, &self.fold_weights)
    }
}

/// A finished piece of the work, as the journal keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Piece {
    trial: usize,
    fold: usize,
    /// Kept so that a journal can be read by people.
    of: Trial,
    loss: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failure: Option<String>,
}

/// Mean loss of a trial on a fold, or why the learner refused.
type Loss = Result<f64, String>;

/// Runs the search; `judge` is called fold by fold, so that it may keep what it prepared for the fold at hand.
///
/// # Errors
/// [`Error::Interrupted`] on request (the journal then holds what was done), [`Error::NoAnswer`] when no learner can be judged
/// with the settings that come along, and those of the journal and of `judge`.
pub(crate) fn search(
    work: &Work<'_>,
    journal: &mut Journal,
    done: Vec<Piece>,
    progress: &dyn Progress,
    judge: &mut dyn FnMut(&Trial, usize) -> Result<Loss, Error>,
) -> Result<Search, Error> {
    let n_folds = work.fold_weights.len();
    let rungs = rungs(n_folds);
    let known = done.into_iter().map(|p| ((p.trial, p.fold), p)).collect();
    let mut bench = Bench { known, journal, progress, judge };
    progress.stage("tuning", (work.defaults.len() * n_folds + planned(work.n_trials, &rungs)) as u64);
    let mut tried: Vec<Tried> = work.defaults.iter().map(|(t, _)| Tried::new(t.clone(), true)).collect();
    let every: Vec<usize> = (0..tried.len()).collect();
    for fold in 0..n_folds {
        bench.judge(&mut tried, &every, fold)?;
    }
    let loss = |t: &Tried| (t.end == End::Finished).then(|| mean(&t.losses, &work.fold_weights)).flatten();
    let least = |tried: &[Tried]| {
        (0..tried.len())
            .filter_map(|i| Some((loss(&tried[i])?, i)))
            .min_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)))
    };
    let Some((reference, best_default)) = least(&tried) else {
        let why =
            tried.iter().map(|t| format!("{}: {}", t.trial.learner, t.end.words())).collect::<Vec<_>>().join("; ");
        return Err(Error::NoAnswer(format!("no learner could be judged with its own settings ({why})")));
    };
    let worth: Vec<&(Trial, &[Knob])> = work
        .defaults
        .iter()
        .zip(&tried)
        .filter(|((_, space), t)| !space.is_empty() && loss(t).is_some_and(|l| !is_hopeless(l, reference)))
        .map(|(d, _)| d)
        .collect();
    let first = tried.len();
    if !worth.is_empty() {
        tried.extend((0..work.n_trials).map(|i| {
            let (own, space) = worth[i % worth.len()];
            let mut values = own.values.clone();
            values.extend(draw(space, work.seed.at(i as u64)));
            Tried::new(Trial { learner: own.learner.clone(), values }, false)
        }));
    }
    let mut alive: Vec<usize> = (first..tried.len()).collect();
    let mut judged = 0;
    for (r, &upto) in rungs.iter().enumerate() {
        for fold in judged..upto {
            bench.judge(&mut tried, &alive, fold)?;
        }
        judged = upto;
        let weights = &work.fold_weights[..upto];
        let yardstick = mean(&tried[best_default].losses[..upto], weights).unwrap_or(f64::INFINITY);
        let mut ranked: Vec<(f64, usize)> = Vec::new();
        for &i in &alive {
            if tried[i].end != End::Finished {
                continue;
            }
            match mean(&tried[i].losses, weights) {
                Some(l) if !is_hopeless(l, yardstick) => ranked.push((l, i)),
                _ => tried[i].end = End::Hopeless,
            }
        }
        ranked.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        if r + 1 < rungs.len() {
            let keep = ranked.len().div_ceil(2);
            ranked.drain(keep..).for_each(|(_, i)| tried[i].end = End::Halved);
        }
        alive = ranked.into_iter().map(|(_, i)| i).collect();
        alive.sort_unstable();
    }
    let (_, best) = least(&tried).expect("the best of those that come along is among them");
    Ok(Search { tried, best_default, best, fold_weights: work.fold_weights.clone() })
}

/// Folds on which a trial has been judged after each round: 1, 2, 4 … and all.
fn rungs(n_folds: usize) -> Vec<usize> {
    let mut rungs: Vec<usize> = std::iter::successors(Some(1), |r| Some(2 * r)).take_while(|&r| r < n_folds).collect();
    rungs.push(n_folds);
    rungs
}

/// Fits of the draws when no trial ends before its time.
fn planned(n_trials: usize, rungs: &[usize]) -> usize {
    let (mut alive, mut before, mut fits) = (n_trials, 0, 0);
    for &r in rungs {
        fits += alive * (r - before);
        (alive, before) = (alive.div_ceil(2), r);
    }
    fits
}

fn is_hopeless(loss: f64, reference: f64) -> bool {
    loss > reference + HOPELESS * reference.abs()
}

fn mean(losses: &[f64], weights: &[f64]) -> Option<f64> {
    let total: f64 = weights.iter().zip(losses).map(|(w, _)| w).sum();
    let sum: f64 = losses.iter().zip(weights).map(|(l, w)| l * w).sum();
    (!losses.is_empty() && sum.is_finite()).then(|| sum / total)
}

impl End {
    /// In a word.
    pub(crate) fn words(&self) -> &str {
        match self {
            End::Finished => "finished",
            End::Halved => "worse half",
            End::Hopeless => "hopeless",
            End::Failed(why) => why,
        }
    }
}

impl Tried {
    fn new(trial: Trial, default: bool) -> Tried {
        Tried { trial, default, losses: Vec::new(), end: End::Finished }
    }
}

/// Judges pieces, or remembers them.
struct Bench<'a> {
    known: BTreeMap<(usize, usize), Piece>,
    journal: &'a mut Journal,
    progress: &'a dyn Progress,
    judge: &'a mut dyn FnMut(&Trial, usize) -> Result<Loss, Error>,
}

impl Bench<'_> {
    fn judge(&mut self, tried: &mut [Tried], which: &[usize], fold: usize) -> Result<(), Error> {
        for &i in which {
            if tried[i].end != End::Finished {
                continue;
            }
            self.progress.check()?;
            let piece = match self.known.remove(&(i, fold)) {
                Some(piece) if piece.of == tried[i].trial => piece,
                Some(_) => return Err(Error::Internal(format!("trial {i} of the journal is another one"))),
                None => {
                    let of = tried[i].trial.clone();
                    let piece = match (self.judge)(&of, fold)? {
                        Ok(loss) if loss.is_finite() => Piece { trial: i, fold, of, loss: Some(loss), failure: None },
                        Ok(_) => {
                            let failure = Some("its predictions are no numbers".to_owned());
                            Piece { trial: i, fold, of, loss: None, failure }
                        }
                        Err(why) => Piece { trial: i, fold, of, loss: None, failure: Some(why) },
                    };
                    self.journal.append(&piece)?;
                    piece
                }
            };
            match (piece.loss, piece.failure) {
                (Some(loss), _) => tried[i].losses.push(loss),
                (None, why) => tried[i].end = End::Failed(why.unwrap_or_default()),
            }
            self.progress.advance(1);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::space::Range;
    use super::*;
    use guike_core::Quiet;
    use serde_json::json;

    const SPACE: &[Knob] = &[Knob { name: "x", range: Range::Linear(0.0, 1.0), meaning: "" }];

    fn work(n_trials: usize, n_folds: usize) -> Work<'static> {
        let own = |name: &str| Trial { learner: name.to_owned(), values: Values::new() };
        Work {
            defaults: vec![(own("good"), SPACE), (own("fixed"), &[]), (own("bad"), SPACE)],
            n_trials,
            fold_weights: vec![1.0; n_folds],
            seed: Seed(5),
        }
    }

    /// The loss is least at x = 0.7; folds differ in level, as real ones do.
    fn loss(trial: &Trial, fold: usize) -> Loss {
        let x = trial.values.get("x").copied();
        match trial.learner.as_str() {
            "good" => Ok(1.0 + 0.1 * fold as f64 + 0.2 * (x.unwrap_or(0.3) - 0.7).powi(2)),
            "fixed" => Ok(1.05 + 0.1 * fold as f64),
            _ => Ok(3.0),
        }
    }

    fn run(path: &std::path::Path, work: &Work<'_>, stop_after: usize) -> (Result<Search, Error>, usize) {
        let mut fits = 0;
        let (mut journal, done) = Journal::open(path, &json!({"seed": 5})).expect("opened");
        let mut judge = |t: &Trial, f: usize| {
            if fits == stop_after {
                return Err(Error::Interrupted);
            }
            fits += 1;
            Ok(loss(t, f))
        };
        let found = search(work, &mut journal, done, &Quiet, &mut judge);
        (found, fits)
    }

    #[test]
    fn a_search_finds_the_valley_with_a_fraction_of_the_fits() {
        let tmp = tempfile::tempdir().expect("a folder");
        let (found, fits) = run(&tmp.path().join("a.ndjson"), &work(32, 8), usize::MAX);
        let found = found.expect("found");
        assert!((found.tried[found.best].trial.values["x"] - 0.7).abs() < 0.1, "{:?}", found.tried[found.best]);
        assert_eq!(found.tried[found.best_default].trial.learner, "good");
        // 3 defaults × 8 folds, then 32 + 16 + 8 × 2 + 4 × 4
        assert_eq!(fits, 24 + 80);
        assert!(found.tried.iter().skip(3).all(|t| t.trial.learner == "good"), "a far worse learner gets no draws");
        let ended = |end: End| found.tried.iter().filter(|t| t.end == end).count();
        assert_eq!((ended(End::Finished), ended(End::Halved)), (3 + 4, 28));
    }

    #[test]
    fn it_goes_on_wherever_it_was_stopped_and_ends_the_same() {
        let tmp = tempfile::tempdir().expect("a folder");
        let work = work(8, 4);
        let (whole, n) = run(&tmp.path().join("whole.ndjson"), &work, usize::MAX);
        let whole = whole.expect("found");
        for stop in 0..n {
            let path = tmp.path().join(format!("{stop}.ndjson"));
            assert!(matches!(run(&path, &work, stop).0, Err(Error::Interrupted)));
            let (again, fits) = run(&path, &work, usize::MAX);
            assert_eq!((again.expect("found"), fits), (whole.clone(), n - stop));
        }
    }

    #[test]
    fn a_trial_that_fails_or_is_hopeless_ends_and_a_default_that_fails_is_named() {
        let tmp = tempfile::tempdir().expect("a folder");
        let (mut journal, done) = Journal::open(&tmp.path().join("j"), &json!({})).expect("opened");
        let mut judge = |t: &Trial, _: usize| {
            Ok(match t.values.get("x") {
                Some(x) if *x < 0.3 => Err("it refused".to_owned()),
                Some(x) if *x < 0.6 => Ok(9.0),
                _ => Ok(1.0),
            })
        };
        let found = search(&work(20, 2), &mut journal, done, &Quiet, &mut judge).expect("found");
        for t in found.tried.iter().skip(3) {
            let x = t.trial.values["x"];
            match &t.end {
                End::Failed(why) => assert!(x < 0.3 && why == "it refused"),
                End::Hopeless => assert!((0.3..0.6).contains(&x)),
                End::Finished | End::Halved => assert!(x >= 0.6),
            }
        }
        drop(journal);
        let (mut journal, done) = Journal::open(&tmp.path().join("k"), &json!({})).expect("opened");
        let mut judge = |_: &Trial, _: usize| Ok(Err("too few rows".to_owned()));
        let e = search(&work(2, 2), &mut journal, done, &Quiet, &mut judge).expect_err("refused");
        assert!(e.to_string().contains("good: too few rows"), "{e}");
    }
}
