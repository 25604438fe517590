//! `guike tune table`: hyper-parameters of the learners on tables, searched on the folds of a training and judged on the rows
//! that it keeps apart.
//!
//! The one idea: rows are divided exactly as `guike train` divides them, so that the found settings meet the default ones on
//! the very rows that a training would report. Small tables are divided into folds twice, because one division of few rows
//! ranks settings by luck.

use std::path::{Path, PathBuf};

use guike_core::{FitContext, FitError, Progress};
use guike_data::LogFile;
use guike_store::{Journal, Staged, fingerprint};
use serde_json::json;

use crate::error::Error;
use crate::settings::{AUTO, Budget};
use crate::tune::{self, Findings, OneAnswer, Trial, TuneSummary, Values, Within, search};

use super::calibrate::Calibrator;
use super::choose::estimate;
use super::figures::losses;
use super::learners::{self, Entry};
use super::pipeline::Shared;
use super::settings::TableSettings;
use super::target::Outcome;
use super::train::{self, Opened, Work, at};

/// Tables with fewer rows to learn from are divided into folds twice.
const FEW_ROWS: usize = 5_000;

/// How much to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TuneBudget {
    /// Draws; `None` takes 20, 60 or 200 by the settings' budget.
    pub trials: Option<usize>,
}

impl TuneBudget {
    /// The number of draws.
    ///
    /// # Errors
    /// [`Error::Config`] outside 1 to 10,000.
    pub fn trials(self, budget: Budget) -> Result<usize, Error> {
        let n = self.trials.unwrap_or(match budget {
            Budget::Fast => 20,
            Budget::Standard => 60,
            Budget::Thorough => 200,
        });
        if (1..=10_000).contains(&n) {
            return Ok(n);
        }
        let rule = "give 1 to 10,000".to_owned();
        Err(Error::Config { what: "--trials".to_owned(), value: n.to_string(), rule })
    }
}

/// The log of trials of the tuning that writes to `out`: beside it, until the results are complete.
pub(crate) fn journal_path(out: &Path) -> PathBuf {
    let name = out.file_name().unwrap_or_default().to_string_lossy();
    out.with_file_name(format!("{name}.trials.ndjson"))
}

/// Searches for better hyper-parameters for `table` (a path, or a [`LogFile`]) and writes settings, trials and answer into the folder `out`.
///
/// Every trial is logged beside `out` (in `OUT.trials.ndjson`) when it is done; the same call goes on from there after any
/// end, and gives the same bytes as if it had never ended. The log is removed when `out` is complete.
///
/// # Errors
/// As [`super::train`](super::train()), and [`Error::Config`] for no rows kept apart or a number of trials out of range,
/// [`Error::Store`] when the log is of other data or settings.
pub fn tune(
    table: impl Into<LogFile>,
    out: &Path,
    settings: &TableSettings,
    budget: TuneBudget,
    progress: &dyn Progress,
) -> Result<TuneSummary, Error> {
    settings.validate()?;
    let table = table.into();
    let n_trials = budget.trials(settings.budget)?;
    if settings.test <= 0.0 {
        return Err(Error::Config {
            what: "--test".to_owned(),
            value: settings.test.to_string(),
            rule: "tuning needs rows kept apart to see whether it gained anything; give a share above 0".to_owned(),
        });
    }
    let staged = Staged::begin(out)?;
    let data = fingerprint(table.at())?;
    let work = json!({
        "guike": env!("CARGO_PKG_VERSION"), "kind": "table", "data": data, "trials": n_trials, "settings": settings,
    });
    let opened = Opened::read(&table, settings, progress)?;
    let (mut journal, done) = Journal::open(&journal_path(out), &work)?;
    let findings = find(&opened, settings, n_trials, data, &mut journal, done, progress)?;
    let summary = tune::write(&staged, &findings, out)?;
    progress.check()?;
    staged.commit()?;
    journal.remove()?;
    Ok(summary)
}

fn find(
    opened: &Opened,
    settings: &TableSettings,
    n_trials: usize,
    data: String,
    journal: &mut Journal,
    done: Vec<tune::Piece>,
    progress: &dyn Progress,
) -> Result<Findings, Error> {
    let target = &opened.target;
    let few = settings.time.is_none() && (target.y.len() as f64) * (1.0 - settings.test) < FEW_ROWS as f64;
    let plan = opened.plan(settings, if few { 2 } else { 1 })?;
    let entries = train::candidates(&target.outcome, settings, opened.data.n_rows())?;
    let own = |e: &Entry| Trial {
        learner: e.name.to_owned(),
        values: settings.learners.get(e.name).cloned().unwrap_or_default(),
    };
    let within = Within(progress);
    let cx = FitContext { seed: settings.seed.derive("train"), progress: &within };
    let asked = tune::Work {
        defaults: entries.iter().map(|e| (own(e), e.space)).collect(),
        n_trials,
        // a fold in time may be small
        fold_weights: plan.folds.iter().map(|f| f.test.len() as f64).collect(),
        seed: settings.seed.derive("trials"),
    };
    if settings.model != AUTO && entries.iter().all(|e| e.space.is_empty()) {
        let rule = "it has nothing to tune; `guike models` says what each learner has".to_owned();
        return Err(Error::Config { what: "--model".to_owned(), value: settings.model.clone(), rule });
    }
    let groups = opened.groups(settings).map(|g| plan.test.iter().map(|&i| g[i]).collect::<Vec<u32>>());
    if let Some(groups) = groups.as_ref().filter(|g| g.iter().all(|x| *x == g[0])) {
        return Err(Error::NoAnswer(format!(
            "the {} rows kept apart are of one group, which cannot show a gain in others; raise --test, or give a --group \
             column with more groups",
            groups.len()
        )));
    }
    let mut shared: Option<(usize, Shared<'_>)> = None;
    let mut judge = |trial: &Trial, f: usize| {
        let fold = &plan.folds[f];
        if shared.as_ref().is_none_or(|s| s.0 != f) {
            shared = Some((f, Shared::new(&opened.data, fold, target, settings)));
        }
        let shared = &mut shared.as_mut().expect("prepared above").1;
        let cx = FitContext { seed: cx.seed.at(f as u64), ..cx };
        match shared.fit_and_predict(entry(trial)?, &with(settings, trial), &cx) {
            Ok(raw) => {
                let y: Vec<f64> = fold.test.iter().map(|&i| target.y[i]).collect();
                Ok(Ok(calibrated_loss(&raw, &y, &target.outcome)))
            }
            Err(FitError::Cancelled(_)) => Err(Error::Interrupted),
            Err(e) => Ok(Err(e.to_string())),
        }
    };
    let search = search(&asked, journal, done, progress, &mut judge)?;
    drop(shared);

    // one meeting on the rows kept apart
    progress.stage("judge what was found", 2);
    let folds = plan.folds.len().min(settings.folds);
    let apart = |trial: &Trial| {
        let settings = with(settings, trial);
        let work = Work { data: &opened.data, target, settings: &settings, cx };
        let lost = work.loss_apart(entry(trial)?, &plan.train, &plan.folds[..folds], &plan.test);
        progress.advance(1);
        lost
    };
    let (default, tuned) = (&search.tried[search.best_default].trial, &search.tried[search.best].trial);
    let lost = [apart(default)?, apart(tuned)?];
    let gain: Vec<f64> = lost[0].iter().zip(&lost[1]).map(|(a, b)| a - b).collect();
    let answer = |i: usize, lost: &[f64]| OneAnswer {
        learner: search.tried[i].trial.learner.clone(),
        values: search.tried[i].trial.values.clone(),
        loss_in_search: search.loss(i).unwrap_or(f64::NAN),
        loss_apart: estimate(lost, None).mid,
    };
    let chosen = TableSettings { model: tuned.learner.clone(), ..with(settings, tuned) };
    Ok(Findings {
        kind: "table",
        data,
        loss: match target.outcome {
            Outcome::Regression => "mean squared error",
            Outcome::Classification { .. } => "log loss",
        },
        default: answer(search.best_default, &lost[0]),
        tuned: answer(search.best, &lost[1]),
        gain: estimate(&gain, groups.as_deref()),
        apart: match &groups {
            None => format!("{} rows that took no part", plan.test.len()),
            Some(g) => {
                let n_groups = g.iter().collect::<std::collections::BTreeSet<_>>().len();
                format!("{} rows of {n_groups} groups that took no part", plan.test.len())
            }
        },
        settings_of: [settings.to_toml()?, chosen.to_toml()?],
        notes: opened.notes(),
        search,
    })
}

fn entry(trial: &Trial) -> Result<&'static Entry, Error> {
    learners::named(&trial.learner).ok_or_else(|| Error::Internal(format!("no learner `{}`", trial.learner)))
}

/// The settings with a trial's values in the place of its learner's.
fn with(settings: &TableSettings, trial: &Trial) -> TableSettings {
    let mut settings = settings.clone();
    settings.learners.insert(trial.learner.clone(), trial.values.clone());
    settings.learners.retain(|_, v: &mut Values| !v.is_empty());
    settings
}

/// Mean loss of a fold's predictions after calibration, each half of the rows calibrated by the other: what a fold says alone,
/// so that a trial's later folds change nothing about its earlier ones.
fn calibrated_loss(raw: &[f64], y: &[f64], outcome: &Outcome) -> f64 {
    let k = outcome.task().n_outputs();
    let half = |odd: usize| (odd..y.len()).step_by(2).collect::<Vec<usize>>();
    let halves = [half(0), half(1)];
    let mut sum = 0.0;
    for (judged, other) in [(&halves[0], &halves[1]), (&halves[1], &halves[0])] {
        let labels = |rows: &[usize]| rows.iter().map(|&i| y[i]).collect::<Vec<f64>>();
        let calibrator = Calibrator::fit(&at(raw, other, k), &labels(other), outcome);
        let predicted = calibrator.apply(&at(raw, judged, k), k);
        sum += losses(&predicted, &labels(judged), outcome).iter().sum::<f64>();
    }
    sum / y.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overconfidence_alone_costs_a_trial_nothing() {
        let outcome = Outcome::Classification { classes: vec!["a".to_owned(), "b".to_owned()], positive: Some(1) };
        let y: Vec<f64> = (0..4_000).map(|i| f64::from(u8::from(i % 10 < if i % 4 < 2 { 3 } else { 7 }))).collect();
        let say = |low: f64, high: f64| -> Vec<f64> {
            (0..4_000).map(|i| if i % 4 < 2 { low } else { high }).flat_map(|p| [1.0 - p, p]).collect()
        };
        let honest = calibrated_loss(&say(0.3, 0.7), &y, &outcome);
        let bold = calibrated_loss(&say(0.01, 0.99), &y, &outcome);
        assert!((honest - bold).abs() < 1e-3, "{honest} {bold}");
        assert!(honest < calibrated_loss(&say(0.5, 0.5), &y, &outcome) - 0.05);
    }

    #[test]
    fn trials_have_a_number_by_budget_and_a_range() {
        let n = |trials, budget| TuneBudget { trials }.trials(budget);
        assert_eq!(n(None, Budget::Fast).ok(), Some(20));
        assert!(n(Some(0), Budget::Fast).expect_err("refused").to_string().contains("--trials"));
    }
}
