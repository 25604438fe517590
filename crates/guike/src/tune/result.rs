//! What a tuning found, as files and as a summary: the trials, the gain on what was kept apart, and the settings to use.
//!
//! The one idea: the settings file always holds what to use. Found settings stand in it only when they lost less than the
//! default ones where neither had been tried before, by more than a standard error; else it holds the default ones and says so.

use std::path::{Path, PathBuf};

use guike_store::{OutColumn, OutData, Staged, write_csv};
use serde::Serialize;

use super::halving::{Search, Trial, Tried};
use crate::error::Error;
use crate::table::Estimate;

/// File names within the folder of a tuning.
pub mod names {
    /// The settings to use, for `guike train --settings` or `guike run --config`.
    pub const SETTINGS_TOML: &str = "settings.toml";
    /// Every trial.
    pub const TRIALS_CSV: &str = "trials.csv";
    /// The answer, for programs.
    pub const TUNING_JSON: &str = "tuning.json";
}

/// The settings of a tuning's one question, and what they lost.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OneAnswer {
    /// The learner.
    pub learner: String,
    /// Its hyper-parameters; those not named are its own.
    pub values: super::Values,
    /// Mean loss over the folds of the search. Of the found settings it is too good, because they were chosen by it.
    pub loss_in_search: f64,
    /// Mean loss on what was kept apart.
    pub loss_apart: f64,
}

/// Everything a tuning found out.
#[derive(Debug)]
pub(crate) struct Findings {
    /// What was tuned: `table` or `log`.
    pub(crate) kind: &'static str,
    /// Fingerprint of the data.
    pub(crate) data: String,
    /// What the loss is called.
    pub(crate) loss: &'static str,
    pub(crate) search: Search,
    /// Losses on what was kept apart.
    pub(crate) default: OneAnswer,
    pub(crate) tuned: OneAnswer,
    /// Loss of the default settings less that of the found ones there, with the 95 % interval of the paired difference.
    pub(crate) gain: Estimate,
    /// What was kept apart, in words: `200 rows that took no part`.
    pub(crate) apart: String,
    /// The settings file of either answer.
    pub(crate) settings_of: [String; 2],
    pub(crate) notes: Vec<String>,
}

/// What to use.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Proposal {
    /// Whether the found settings are proposed.
    pub proposed: bool,
    /// The settings that come along.
    pub default: OneAnswer,
    /// The best that was found.
    pub tuned: OneAnswer,
    /// Loss of the default less that of the found ones, on what was kept apart.
    pub gain: Estimate,
    /// The verdict, in a sentence.
    pub why: String,
}

/// What a tuning found, in short.
#[derive(Debug, Clone)]
pub struct TuneSummary {
    /// The folder of the results.
    pub out: PathBuf,
    /// Every trial, best first, those that ended early after those that were finished.
    pub trials: Vec<TrialLine>,
    /// What to use.
    pub proposal: Proposal,
    /// Remarks.
    pub notes: Vec<String>,
}

/// A trial, for people.
#[derive(Debug, Clone, PartialEq)]
pub struct TrialLine {
    /// Its number, in the order of the draws.
    pub trial: usize,
    /// The learner.
    pub learner: String,
    /// `name=value` of every hyper-parameter that was set; empty for the learner's own.
    pub values: String,
    /// Folds it was judged on.
    pub folds: usize,
    /// Mean loss over them.
    pub loss: Option<f64>,
    /// How it ended.
    pub end: String,
}

#[derive(Serialize)]
struct Answer<'a> {
    guike: &'static str,
    kind: &'static str,
    data: &'a str,
    loss: &'static str,
    kept_apart: &'a str,
    proposal: &'a Proposal,
    trials: &'a [Tried],
    notes: &'a [String],
}

impl Findings {
    fn proposal(&self) -> Proposal {
        let error = (self.gain.hi - self.gain.lo) / (2.0 * 1.96);
        let found = self.search.best != self.search.best_default;
        let proposed = found && self.gain.mid > error;
        let (loss, apart, gain) = (self.loss, &self.apart, &self.gain);
        let share = 100.0 * gain.mid / self.default.loss_apart.abs().max(f64::MIN_POSITIVE);
        let figures = format!("{:.5} (95 % {:.5} to {:.5})", gain.mid, gain.lo, gain.hi);
        let why = if !found {
            "no trial was better than the settings that come along, so they are kept".to_owned()
        } else if proposed {
            format!("on {apart} the {loss} of the found settings is lower by {figures}, {share:.1} %: use them")
        } else {
            format!(
                "on {apart} the found settings lower the {loss} by {figures}, which is no more than chance gives; \
                 the settings that come along are kept"
            )
        };
        Proposal { proposed, default: self.default.clone(), tuned: self.tuned.clone(), gain: *gain, why }
    }

    fn lines(&self) -> Vec<TrialLine> {
        let tried = &self.search.tried;
        let mut order: Vec<usize> = (0..tried.len()).collect();
        let loss = |i: usize| self.search.loss(i).unwrap_or(f64::INFINITY);
        order.sort_by(|&a, &b| {
            let folds = |i: usize| std::cmp::Reverse(tried[i].losses.len());
            folds(a).cmp(&folds(b)).then(loss(a).total_cmp(&loss(b))).then(a.cmp(&b))
        });
        let line = |i: usize| TrialLine {
            trial: i,
            learner: tried[i].trial.learner.clone(),
            values: values_in_words(&tried[i].trial),
            folds: tried[i].losses.len(),
            loss: self.search.loss(i),
            end: if tried[i].default && tried[i].end == super::halving::End::Finished {
                "as it comes".to_owned()
            } else {
                tried[i].end.words().to_owned()
            },
        };
        order.into_iter().map(line).collect()
    }
}

/// Writes everything into the staging folder and gives the summary.
pub(crate) fn write(staged: &Staged, f: &Findings, out: &Path) -> Result<TuneSummary, Error> {
    let (proposal, lines) = (f.proposal(), f.lines());
    let answer = Answer {
        guike: env!("CARGO_PKG_VERSION"),
        kind: f.kind,
        data: &f.data,
        loss: f.loss,
        kept_apart: &f.apart,
        proposal: &proposal,
        trials: &f.search.tried,
        notes: &f.notes,
    };
    let text = serde_json::to_string_pretty(&answer)
        .map_err(|e| Error::Internal(format!("`{}` has no JSON form: {e}", names::TUNING_JSON)))?;
    staged.write(names::TUNING_JSON, text + "\n")?;
    let settings = &f.settings_of[usize::from(proposal.proposed)];
    staged.write(names::SETTINGS_TOML, format!("# guike tune: {}\n{settings}", proposal.why))?;
    let of = |word: fn(&TrialLine) -> &str| lines.iter().map(|l| word(l).to_owned()).collect::<Vec<String>>();
    let (learner, values, end) = (of(|l| &l.learner), of(|l| &l.values), of(|l| &l.end));
    let trial: Vec<i64> = lines.iter().map(|l| l.trial as i64).collect();
    let folds: Vec<i64> = lines.iter().map(|l| l.folds as i64).collect();
    let loss: Vec<f64> = lines.iter().map(|l| l.loss.unwrap_or(f64::NAN)).collect();
    let columns = [
        OutColumn { name: "trial", data: OutData::Integer(&trial) },
        OutColumn { name: "learner", data: OutData::Text(&learner) },
        OutColumn { name: "settings", data: OutData::Text(&values) },
        OutColumn { name: "folds", data: OutData::Integer(&folds) },
        OutColumn { name: "loss", data: OutData::Number(&loss) },
        OutColumn { name: "end", data: OutData::Text(&end) },
    ];
    write_csv(&staged.path(names::TRIALS_CSV)?, &columns)?;
    Ok(TuneSummary { out: out.to_owned(), trials: lines, proposal, notes: f.notes.clone() })
}

fn values_in_words(trial: &Trial) -> String {
    trial.values.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(" ")
}
