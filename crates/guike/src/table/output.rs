//! The files of a training: what stands in each of them. `docs/files.md` describes them for readers.

use std::path::{Path, PathBuf};

use guike_store::{OutColumn, OutData, Staged, write_csv};
use serde::Serialize;

use crate::error::Error;
use crate::report::training::render_training;
use crate::run::Language;

use super::choose::Estimate;
use super::columns::{InputColumn, LeftOut};
use super::figures::{Decision, Figures, keys};
use super::leaks::Leak;
use super::model::Saved;
use super::predict::called;
use super::settings::TableSettings;
use super::target::Outcome;
use super::train::{CandidateResult, Findings, Part};

/// File names within the folder of a training.
pub mod names {
    /// The model, complete in itself.
    pub const MODEL_JSON: &str = "model.json";
    /// Every candidate's figures, the choice and the final figures.
    pub const EVALUATION_JSON: &str = "evaluation.json";
    /// Every labelled row with a prediction by a model that had not seen it.
    pub const PREDICTIONS_CSV: &str = "predictions.csv";
    /// Its column that says which rows belong together; there with `--group`.
    pub const GROUP_NUMBER: &str = "group_number";
    /// The page for people.
    pub const REPORT_HTML: &str = "report.html";
    /// The settings of the training.
    pub const SETTINGS_TOML: &str = "train.toml";
}

/// What `evaluation.json` holds.
#[derive(Serialize)]
struct Evaluation<'a> {
    guike: &'static str,
    target: &'a str,
    outcome: &'a Outcome,
    rows_read: u64,
    rows_labelled: usize,
    rows_without_label: usize,
    rows_kept_apart: usize,
    folds: usize,
    chosen: &'a str,
    why: &'a str,
    candidates: &'a [CandidateResult],
    cross_validated: &'a Figures,
    test: Option<&'a Figures>,
    decision: &'a Decision,
    calibration: &'a super::calibrate::Calibrator,
    tiers: Option<&'a super::standing::Tiers>,
    intervals: Option<&'a super::standing::Kept>,
    columns: &'a [InputColumn],
    left_out: &'a [LeftOut],
    leaks: &'a [Leak],
    importance: &'a [Importance],
    outline: Option<&'a super::explain::Outline>,
    warnings: Vec<String>,
    notes: Vec<String>,
}

/// How much a column matters.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Importance {
    /// The column.
    pub column: String,
    /// How much worse the mean loss gets when the column's cells are shuffled.
    pub loss: Estimate,
}

/// Writes everything into the staging folder.
pub(super) fn write(
    staged: &Staged,
    f: &Findings,
    settings: &TableSettings,
    file: &Path,
    language: Language,
) -> Result<(), Error> {
    let evaluation = Evaluation {
        guike: env!("CARGO_PKG_VERSION"),
        target: &settings.target,
        outcome: &f.target.outcome,
        rows_read: f.rows_read,
        rows_labelled: f.target.y.len(),
        rows_without_label: f.target.n_missing,
        rows_kept_apart: f.plan.test.len(),
        folds: f.plan.folds.len(),
        chosen: f.chosen.name,
        why: &f.why[0],
        candidates: &f.candidates,
        cross_validated: &f.cross_validated,
        test: f.tested.as_ref(),
        decision: &f.decision,
        calibration: &f.model.calibrator,
        tiers: f.standing.tiers.as_ref(),
        intervals: f.intervals.as_ref(),
        columns: &f.features.inputs,
        left_out: &f.features.left_out,
        leaks: &f.leaks,
        importance: &f.importance,
        outline: f.outline.as_ref(),
        warnings: f.warnings(settings),
        notes: f.notes.clone(),
    };
    json(staged, names::EVALUATION_JSON, &evaluation)?;
    let mut saved =
        Saved::of(f.chosen.name, &settings.target, &f.target.outcome, &f.decision, &f.features.inputs, &f.model);
    saved.standing = Some(f.standing.clone());
    guike_store::write_sealed(staged, names::MODEL_JSON, &saved)?;
    write_predictions(staged, f)?;
    let config = settings.to_toml()?;
    staged.write(names::SETTINGS_TOML, &config)?;
    let source = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let view = super::view::view(f, settings, &source, language, config);
    let page = render_training(&view).map_err(|e| Error::Internal(e.to_string()))?;
    Ok(staged.write(names::REPORT_HTML, page)?)
}

fn json(staged: &Staged, name: &str, value: &impl Serialize) -> Result<(), Error> {
    let text =
        serde_json::to_string_pretty(value).map_err(|e| Error::Internal(format!("`{name}` has no JSON form: {e}")))?;
    Ok(staged.write(name, text + "\n")?)
}

fn write_predictions(staged: &Staged, f: &Findings) -> Result<(), Error> {
    let outcome = &f.target.outcome;
    let rows: Vec<i64> = f.target.rows.iter().map(|&i| i as i64 + 1).collect();
    let part: Vec<String> = f
        .part
        .iter()
        .map(|p| match p {
            Part::Fold(k) => format!("fold {k}"),
            Part::Test => "test".to_owned(),
            Part::Learned => "learned".to_owned(),
        })
        .collect();
    let actual_class: Vec<String> = match outcome {
        Outcome::Regression => Vec::new(),
        Outcome::Classification { classes, .. } => f.target.y.iter().map(|&c| classes[c as usize].clone()).collect(),
    };
    let (predicted, probabilities) = called(&f.predicted, outcome, &f.decision);
    let mut columns = vec![OutColumn { name: "row", data: OutData::Integer(&rows) }];
    if let (Some(name), Some(ids)) = (&f.features.id, &f.ids) {
        columns.push(OutColumn { name, data: OutData::Text(ids) });
    }
    let groups: Vec<i64> = f.groups.iter().flatten().map(|&g| i64::from(g) + 1).collect();
    if !groups.is_empty() {
        columns.push(OutColumn { name: names::GROUP_NUMBER, data: OutData::Integer(&groups) });
    }
    columns.push(OutColumn { name: "part", data: OutData::Text(&part) });
    columns.push(OutColumn {
        name: "actual",
        data: if actual_class.is_empty() { OutData::Number(&f.target.y) } else { OutData::Text(&actual_class) },
    });
    columns.push(OutColumn { name: "predicted", data: predicted.data() });
    columns.extend(probabilities.iter().map(|(name, v)| OutColumn { name, data: OutData::Number(v) }));
    Ok(write_csv(&staged.path(names::PREDICTIONS_CSV)?, &columns)?)
}

/// What a training found, in short.
#[derive(Debug, Clone)]
pub struct TrainSummary {
    /// The folder of the results.
    pub out: PathBuf,
    /// Keys of the figures to show per candidate.
    pub metrics: Vec<&'static str>,
    /// Every candidate, best first.
    pub candidates: Vec<CandidateLine>,
    /// The chosen learner.
    pub chosen: String,
    /// Why.
    pub why: String,
    /// Figures on the rows kept apart, in words.
    pub test: Option<String>,
    /// How many rows those are.
    pub test_rows: usize,
    /// What must be read.
    pub warnings: Vec<String>,
    /// What may be read.
    pub notes: Vec<String>,
}

/// A candidate in the summary.
#[derive(Debug, Clone)]
pub struct CandidateLine {
    /// Its name.
    pub name: String,
    /// Figures out of fold.
    pub scores: std::collections::BTreeMap<&'static str, f64>,
    /// Extra loss over the best.
    pub extra: Option<Estimate>,
    /// Whether it was chosen.
    pub chosen: bool,
    /// Why it could not be fitted.
    pub failure: Option<String>,
}

/// How many figures a line of the summary shows.
const SHOWN: usize = 4;

pub(super) fn summary(f: &Findings, settings: &TableSettings, out: &Path) -> TrainSummary {
    let metrics: Vec<&'static str> = keys(&f.target.outcome).iter().copied().take(SHOWN).collect();
    let say = |t: &Figures| {
        let parts: Vec<String> = metrics
            .iter()
            .filter_map(|k| Some(format!("{} {:.4}", super::figures::words(k).0.en, t.values.get(k)?)))
            .collect();
        parts.join(", ")
    };
    TrainSummary {
        out: out.to_owned(),
        candidates: f
            .candidates
            .iter()
            .map(|c| CandidateLine {
                name: c.name.clone(),
                scores: c.figures.as_ref().map(|x| x.values.clone()).unwrap_or_default(),
                extra: c.extra,
                chosen: c.chosen,
                failure: c.failure.clone(),
            })
            .collect(),
        chosen: f.chosen.name.to_owned(),
        why: f.why[0].clone(),
        test: f.tested.as_ref().map(say),
        test_rows: f.plan.test.len(),
        warnings: f.warnings(settings),
        notes: f.read_notes.iter().chain(&f.notes).cloned().collect(),
        metrics,
    }
}
