//! Long work that a server does into its workspace: what was asked, how it stands, what came of it.
//!
//! The one idea: a job is a line of one file, `jobs.json` in the workspace, which is written whole at every change of its
//! state. What a job makes goes through the registry as on the command line, so that a kill at any moment leaves a job that
//! is found as interrupted at the next start, and no half of a model.
//!
//! Who runs jobs, in which order and how many, is decided in `guike-server`.

use std::path::{Path, PathBuf};

use guike_core::{Progress, Timestamp};
use guike_data::{LogFile, LogFiles};
use guike_store::workspace::JOBS_JSON;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::run::Language;
use crate::steps::in_pool;
use crate::table::TableSettings;
use crate::workspace::{self, Ask, Place, Stage, Version};

/// Jobs that are kept, the newest.
const KEPT: usize = 200;

/// What a job does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobKind {
    /// Learns from a table, as `guike train --workspace`.
    Train,
    /// Runs on the order log with the events behind it, as `guike refresh --workspace`.
    Refresh,
}

/// How a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// Waits for those before it.
    Queued,
    /// Is being worked on.
    Running,
    /// Has a result.
    Done,
    /// Ended with an error.
    Failed,
    /// Was stopped on request.
    Cancelled,
    /// The server ended or was killed before it was done.
    Interrupted,
}

impl JobKind {
    /// `train` or `refresh`.
    pub fn name(self) -> &'static str {
        match self {
            JobKind::Train => "train",
            JobKind::Refresh => "refresh",
        }
    }
}

impl JobState {
    /// `queued`, `running`, `done`, `failed`, `cancelled` or `interrupted`.
    pub fn name(self) -> &'static str {
        match self {
            JobState::Queued => "queued",
            JobState::Running => "running",
            JobState::Done => "done",
            JobState::Failed => "failed",
            JobState::Cancelled => "cancelled",
            JobState::Interrupted => "interrupted",
        }
    }

    /// Whether nothing more comes of it.
    pub fn is_over(self) -> bool {
        !matches!(self, JobState::Queued | JobState::Running)
    }
}

/// A job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Counts from 1.
    pub id: u64,
    /// What it does.
    pub kind: JobKind,
    /// Under which name its result is registered.
    pub name: String,
    /// How it stands.
    pub state: JobState,
    /// Who asked for it.
    pub by: String,
    /// When it was asked for.
    pub asked: Timestamp,
    /// When it began.
    pub begun: Option<Timestamp>,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// What to learn from the table; `None` where it is a refresh.
    pub settings: Option<TableSettings>,
    /// Whether its result may take the champion's place, if the gate allows it.
    pub promote: bool,
    /// What who asked called the table.
    #[serde(default)]
    pub table: Option<String>,
    /// The language that the report opens in: that of who asked.
    #[serde(default)]
    pub language: Language,
    /// What came of it.
    pub made: Option<Made>,
    /// What went wrong.
    pub trouble: Option<String>,
}

/// What came of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Made {
    /// The number of the version.
    pub version: u32,
    /// Whether it is the champion.
    pub is_champion: bool,
    /// Why it is not, where it was to be.
    pub gate: Option<String>,
    /// What must be read about the table: suspected leaks, cells that did not fit.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// What may be read.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// What refreshing reads.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RefreshFrom {
    /// The files of the order log.
    pub orders: Vec<PathBuf>,
    /// The log of events behind it.
    pub events: Option<PathBuf>,
}

/// The jobs of a workspace as they were left; those that were not over are interrupted from now on.
///
/// # Errors
/// [`Error::Store`] when the file is damaged or cannot be written.
pub fn open(workspace: &Path, now: Timestamp) -> Result<Vec<Job>, Error> {
    let file = workspace.join(JOBS_JSON);
    let mut jobs: Vec<Job> = if guike_store::is_there(&file) { guike_store::read_checked(&file)? } else { Vec::new() };
    let mut left = jobs.iter_mut().filter(|j| !j.state.is_over()).peekable();
    if left.peek().is_none() {
        return Ok(jobs);
    }
    for job in left {
        job.state = JobState::Interrupted;
        job.ended = Some(now);
    }
    write(workspace, &mut jobs)?;
    Ok(jobs)
}

/// Whether a result may have this name; see [`guike_store::workspace::check_name`].
///
/// # Errors
/// [`Error::Store`] with the rule.
pub fn check_name(name: &str) -> Result<(), Error> {
    Ok(guike_store::workspace::check_name(name)?)
}

/// Writes the jobs of a workspace; the oldest that are over are forgotten.
///
/// # Errors
/// [`Error::Store`] when the file cannot be written.
pub fn write(workspace: &Path, jobs: &mut Vec<Job>) -> Result<(), Error> {
    while jobs.len() > KEPT {
        let Some(oldest) = jobs.iter().position(|j| j.state.is_over()) else { break };
        jobs.remove(oldest);
    }
    Ok(guike_store::write_checked(&workspace.join(JOBS_JSON), jobs)?)
}

/// Does what a job asks for, on so many threads: trains on `table`, or runs on what `from` names.
///
/// # Errors
/// As [`workspace::train`] and [`workspace::run`]; a result that the gate holds back is no error.
pub fn work(
    root: &Path,
    job: &Job,
    (table, from): (&Path, &RefreshFrom),
    (threads, now): (usize, Timestamp),
    progress: &dyn Progress,
) -> Result<Made, Error> {
    let place = Place { workspace: root, name: &job.name, now };
    let language = job.language;
    // what compares versions works on these threads, too: the others belong to who answers
    in_pool(Some(threads.max(1)), || match &job.settings {
        Some(settings) => {
            let file = LogFile::called(job.table.as_deref().unwrap_or("table"), table);
            let (summary, version) = workspace::train(&place, &file, settings, language, progress)?;
            promoted(root, job, &version, (summary.warnings, summary.notes), now)
        }
        None => {
            let mut settings = workspace::champion_settings(root, &job.name)?.unwrap_or_default();
            settings.events.clone_from(&from.events);
            let log = LogFiles::find(&from.orders)?;
            let (summary, version) = workspace::run(&place, &log, None, &settings, language, progress)?;
            promoted(root, job, &version, (Vec::new(), summary.notes), now)
        }
    })
}

fn promoted(
    root: &Path,
    job: &Job,
    version: &Version,
    (warnings, notes): (Vec<String>, Vec<String>),
    now: Timestamp,
) -> Result<Made, Error> {
    let made = |is_champion, gate| Made { version: version.number, is_champion, gate, warnings, notes };
    if version.stage == Stage::Champion || !job.promote {
        return Ok(made(version.stage == Stage::Champion, None));
    }
    let ask = Ask { by: &job.by, reason: "", force: false, now };
    match workspace::promote(root, &job.name, version.number, &ask) {
        Ok(_) => Ok(made(true, None)),
        Err(Error::Gate(why)) => Ok(made(false, Some(why))),
        Err(other) => Err(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(id: u64, state: JobState) -> Job {
        Job {
            id,
            kind: JobKind::Refresh,
            name: "shop".to_owned(),
            state,
            by: "mei".to_owned(),
            asked: Timestamp(1),
            begun: None,
            ended: None,
            settings: None,
            promote: false,
            table: None,
            language: Language::English,
            made: None,
            trouble: None,
        }
    }

    #[test]
    fn jobs_that_were_not_over_are_found_interrupted_and_the_oldest_are_forgotten() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        assert!(open(folder.path(), Timestamp(5)).expect("none yet").is_empty());
        let mut jobs: Vec<Job> = (1..=250).map(|i| job(i, JobState::Done)).collect();
        jobs.extend([job(251, JobState::Running), job(252, JobState::Queued)]);
        write(folder.path(), &mut jobs).expect("written");
        let found = open(folder.path(), Timestamp(9)).expect("read");
        assert_eq!((found.len(), found[0].id), (KEPT, 53));
        let last: Vec<_> = found[KEPT - 2..].iter().map(|j| (j.state, j.ended)).collect();
        assert_eq!(last, [(JobState::Interrupted, Some(Timestamp(9))); 2]);
        assert_eq!(open(folder.path(), Timestamp(11)).expect("read"), found);
    }
}
