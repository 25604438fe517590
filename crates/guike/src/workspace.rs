//! Models and runs in a workspace: made, registered, compared, promoted, rolled back, backed up.
//!
//! The one idea: a new version is a candidate, and takes the champion's place only when its own evaluation says that it is not
//! worse ([`compare`]); whoever knows better says so with a reason, which is kept with the figures.
//!
//! What a workspace is on disk is decided in `guike-store`; here is what is written into it and what is concluded from it.

pub mod compare;

use std::path::Path;

use guike_core::{Progress, Timestamp};
use guike_data::{LogFile, LogFiles};
pub use guike_store::StoreError;
pub use guike_store::UnchangedFile;
pub use guike_store::Workspace;
use guike_store::read_json;
pub use guike_store::workspace::{
    Action, Audience, BackupSummary, DATABASE, Decision, EventsToKeep, Kind, MOST_AUDIENCES, Revision, Saved, Stage,
    Version,
};
use guike_store::workspace::{Judgement, NewVersion};
use serde_json::{Value, json};

use crate::error::Error;
use crate::output::names;
use crate::run::{Language, RunSummary};
use crate::settings::Settings;
use crate::table::{self, TableSettings, TrainSummary};
use compare::Comparison;

/// Where results are registered.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The folder of the workspace; made where there is none.
    pub workspace: &'a Path,
    /// The name; its versions are counted.
    pub name: &'a str,
    /// Now.
    pub now: Timestamp,
}

/// Who decides, why, and when.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// Who.
    pub by: &'a str,
    /// Why; may be empty where the figures speak for it.
    pub reason: &'a str,
    /// Whether to decide against the figures, or without any.
    pub force: bool,
    /// Now.
    pub now: Timestamp,
}

/// A version that became champion.
#[derive(Debug, Clone)]
pub struct Promotion {
    /// The champion now.
    pub version: Version,
    /// The champion before.
    pub before: Option<u32>,
    /// How the two compare.
    pub comparison: Comparison,
}

/// Reads every file of every version and compares checksums; gives the number of versions.
///
/// # Errors
/// [`Error::Store`] with the first thing that does not hold.
pub fn verify(workspace: &Path) -> Result<usize, Error> {
    let opened = Workspace::open(workspace)?;
    match opened.check()?.into_iter().next() {
        None => Ok(opened.versions()?.len()),
        Some(reason) => Err(StoreError::Corrupt { path: workspace.to_owned(), reason }.into()),
    }
}

/// [`crate::run()`] into a workspace, as the next version of a name.
///
/// # Errors
/// As [`crate::run()`], and [`Error::Store`] for a workspace that cannot be written; nothing is registered then.
pub fn run(
    place: &Place<'_>,
    log: &LogFiles,
    previous_tiers: Option<&Path>,
    settings: &Settings,
    language: Language,
    progress: &dyn Progress,
) -> Result<(RunSummary, Version), Error> {
    settings.validate()?;
    let mut workspace = opened(place, Kind::Orders)?;
    if let Some(log) = settings.events.as_deref().filter(|log| guike_store::is_there(log)) {
        workspace.note_events(log)?;
    }
    let draft = workspace.draft()?;
    let read_from: Vec<&Path> = log.iter().map(guike_data::LogFile::at).chain(settings.customers.as_deref()).collect();
    let data = guike_store::fingerprint_of(&read_from)?;
    let folder = draft.folder();
    let mut summary = crate::run(log, &folder, previous_tiers, settings, language, progress)?;
    let evaluation: Value = read_json(&folder.join(names::EVALUATION_JSON))?;
    let artifact = guike_store::read_artifact(&folder.join(names::MODEL_JSON))?;
    let standings = evaluation["selection"]["standings"].as_array();
    let chosen = standings.and_then(|s| s.iter().find(|s| s["name"] == evaluation["chosen"]));
    let new = NewVersion {
        name: place.name,
        kind: Kind::Orders,
        created: place.now,
        data,
        card: json!({ "learner": evaluation["chosen"], "why": evaluation["why"], "model": artifact.card }),
        metrics: json!({
            "customers": summary.customers,
            "total": evaluation["total"],
            "loss": chosen.map_or(&Value::Null, |c| &c["loss"]),
            "holdout": evaluation["holdout"]["scores"],
        }),
        lineage: json!({
            "log": log.title(),
            "rows": summary.rows,
            "cutoff": evaluation["cutoff"],
            "horizon_days": evaluation["horizon_days"],
            "settings": guike_store::read_text(&folder.join(names::SETTINGS_TOML))?,
            "seed": settings.forecast.seed,
            "guike": env!("CARGO_PKG_VERSION"),
            "environment": environment(),
        }),
    };
    let version = workspace.register(draft, &new)?;
    summary.out.clone_from(&version.folder);
    Ok((summary, version))
}

/// The settings of the run that is champion of a name, for another run; `None` where there is none.
///
/// # Errors
/// [`Error::Store`] for a workspace that cannot be read.
pub fn champion_settings(workspace: &Path, name: &str) -> Result<Option<Settings>, Error> {
    let workspace = Workspace::open(workspace)?;
    let Some(champion) = workspace.champion(name)? else { return Ok(None) };
    workspace.verify(&champion)?;
    let file = champion.folder.join(names::SETTINGS_TOML);
    let mut settings = Settings::from_toml(&guike_store::read_text(&file)?, &file)?;
    // the day of an earlier run is none of its settings: what came since would change nothing
    settings.forecast.cutoff = None;
    Ok(Some(settings))
}

/// [`table::train`] into a workspace, as the next version of a name.
///
/// # Errors
/// As [`table::train`], and [`Error::Store`] for a workspace that cannot be written; nothing is registered then.
pub fn train(
    place: &Place<'_>,
    file: impl Into<LogFile>,
    settings: &TableSettings,
    language: Language,
    progress: &dyn Progress,
) -> Result<(TrainSummary, Version), Error> {
    settings.validate()?;
    let file = file.into();
    let mut workspace = opened(place, Kind::Table)?;
    let draft = workspace.draft()?;
    let data = guike_store::fingerprint(file.at())?;
    let folder = draft.folder();
    let mut summary = table::train(&file, &folder, settings, language, progress)?;
    let evaluation: Value = read_json(&folder.join(table::file_names::EVALUATION_JSON))?;
    let of = |keys: &[&str]| Value::Object(keys.iter().map(|k| ((*k).to_owned(), evaluation[*k].clone())).collect());
    let mut card = of(&["target", "outcome", "columns", "decision"]);
    card["learner"] = evaluation["chosen"].clone();
    card["why"] = evaluation["why"].clone();
    let new = NewVersion {
        name: place.name,
        kind: Kind::Table,
        created: place.now,
        data,
        card,
        metrics: json!({
            "cross_validated": evaluation["cross_validated"]["values"],
            "test": evaluation["test"]["values"],
            "rows_labelled": evaluation["rows_labelled"],
            "rows_kept_apart": evaluation["rows_kept_apart"],
        }),
        lineage: json!({
            "table": file.name().file_name().unwrap_or_default().to_string_lossy(),
            "rows": evaluation["rows_read"],
            "settings": guike_store::read_text(&folder.join(table::file_names::SETTINGS_TOML))?,
            "seed": settings.seed,
            "guike": env!("CARGO_PKG_VERSION"),
            "environment": environment(),
        }),
    };
    let version = workspace.register(draft, &new)?;
    summary.out.clone_from(&version.folder);
    Ok((summary, version))
}

/// On what it was computed: results do not depend on it, and whoever doubts that wants to know.
fn environment() -> String {
    format!("{} {}", std::env::consts::OS, std::env::consts::ARCH)
}

/// The workspace, if this kind may have this name in it: a long work should not end with a refusal.
fn opened(place: &Place<'_>, kind: Kind) -> Result<Workspace, Error> {
    guike_store::workspace::check_name(place.name)?;
    let workspace = Workspace::open_or_create(place.workspace)?;
    workspace.check_kind(place.name, kind)?;
    Ok(workspace)
}

/// Makes a version the champion of its name, if it is not worse than the one that there is.
///
/// # Errors
/// [`Error::Gate`] with the comparison in words; [`Error::Store`] for a version that is not there, is damaged, or is the
/// champion already; [`Error::Config`] for force without a reason.
pub fn promote(workspace: &Path, name: &str, number: u32, ask: &Ask<'_>) -> Result<Promotion, Error> {
    if ask.force && ask.reason.trim().is_empty() {
        return Err(Error::Config {
            what: "--force".to_owned(),
            value: String::new(),
            rule: "who decides against the figures says why; add --reason TEXT, which is kept".to_owned(),
        });
    }
    let mut workspace = Workspace::open(workspace)?;
    let challenger = workspace.find(name, Some(number))?;
    let champion = workspace.champion(name)?;
    // what is in use must be whole
    workspace.verify(&challenger)?;
    let comparison = match champion.as_ref().filter(|c| c.number != challenger.number) {
        Some(champion) => compare::compare(champion, &challenger)?,
        None => Comparison::without_rival(),
    };
    if !comparison.passes && !ask.force {
        return Err(Error::Gate(format!(
            "version {number} of `{name}` is not promoted: {}; with --force and --reason TEXT it becomes champion all the same",
            comparison.words
        )));
    }
    let figures = json!(comparison);
    let forced = !comparison.passes;
    let judgement = Judgement { at: ask.now, by: ask.by, reason: ask.reason, forced, figures: &figures };
    workspace.promote(&challenger, champion.as_ref(), &judgement)?;
    let version = workspace.find(name, Some(number))?;
    Ok(Promotion { version, before: champion.map(|c| c.number), comparison })
}

/// Brings back the champion before the one that there is.
///
/// # Errors
/// [`Error::Store`] when there was none, or it is damaged.
pub fn rollback(workspace: &Path, name: &str, ask: &Ask<'_>) -> Result<Version, Error> {
    let mut workspace = Workspace::open(workspace)?;
    workspace.verify(&workspace.before(name)?)?;
    Ok(workspace.rollback(name, &judgement(ask))?)
}

/// Puts a candidate aside.
///
/// # Errors
/// [`Error::Store`] for a version that is not there, or is no candidate.
pub fn archive(workspace: &Path, name: &str, number: u32, ask: &Ask<'_>) -> Result<Version, Error> {
    let mut workspace = Workspace::open(workspace)?;
    let version = workspace.find(name, Some(number))?;
    workspace.archive(&version, &judgement(ask))?;
    Ok(workspace.find(name, Some(number))?)
}

/// Removes an archived version and its files; what was decided about it stays.
///
/// # Errors
/// [`StoreError`] for a version that is not there, is not archived, or to which a rollback would return.
pub fn remove(workspace: &mut Workspace, name: &str, number: u32, ask: &Ask<'_>) -> Result<(), StoreError> {
    let version = workspace.find(name, Some(number))?;
    workspace.remove(&version, &judgement(ask))
}

fn judgement<'a>(ask: &Ask<'a>) -> Judgement<'a> {
    Judgement { at: ask.now, by: ask.by, reason: ask.reason, forced: false, figures: &Value::Null }
}

/// Copies a workspace as it is now into a new folder; see [`Workspace::backup`].
///
/// # Errors
/// [`Error::Store`].
pub fn backup(workspace: &Path, to: &Path, events: EventsToKeep<'_>, now: Timestamp) -> Result<BackupSummary, Error> {
    Ok(Workspace::open(workspace)?.backup(to, events, now)?)
}

/// Keeps in a workspace where the events of its shop are, so that a backup takes them along; see [`Workspace::note_events`].
///
/// # Errors
/// [`Error::Store`] for a workspace that cannot be written.
pub fn note_events(workspace: &Path, log: &Path) -> Result<(), Error> {
    Ok(Workspace::open(workspace)?.note_events(log)?)
}

/// Makes a workspace from a backup.
///
/// # Errors
/// [`Error::Store`].
pub fn restore(backup: &Path, to: &Path) -> Result<BackupSummary, Error> {
    Ok(guike_store::workspace::restore(backup, to)?)
}
