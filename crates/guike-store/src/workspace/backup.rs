//! Backups: a workspace as it was at one moment, in a folder of its own, and back.
//!
//! The one idea: the database is copied first, by SQLite itself and while others may write; then exactly the files are copied
//! that this copy knows. They never change, so whatever is registered meanwhile, the backup is of one moment. Every file is
//! held against its checksum while it is copied, in both directions.
//!
//! The log of events lies outside, where the server was told to keep it; the workspace knows where ([`super::noted`]). It is
//! copied after the database, up to what is acknowledged then: every run of the backup finds the events that it read.
//!
//! A backup is a folder, because a folder can be looked at, and any archiver makes one file of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use guike_core::Timestamp;
use rusqlite::Connection;
use rusqlite::backup::Backup;
use serde::{Deserialize, Serialize};

use super::database::{self, sql};
use super::version::Version;
use super::{DATABASE, JOBS_JSON, Workspace, files, noted, refused};
use crate::checked::checked_text;
use crate::{Staged, StoreError, copy_sealed_lines, fingerprint, io, read_checked};

/// Newest format of a backup. 2: events and jobs, and a checksum of the label.
const FORMAT: u32 = 2;
/// What tells a backup from other folders.
pub(super) const LABEL: &str = "backup.json";
/// The log of events in a backup, and in a workspace that was made from it.
const EVENTS: &str = "events.log";
/// Pages of the database that are copied at once; others may write in between.
const PAGES: std::ffi::c_int = 1_000;

#[derive(Debug, Serialize, Deserialize)]
struct Label {
    guike_backup: u32,
    /// Seconds since 1970.
    created: i64,
    database: String,
    versions: usize,
    /// Lines of the log of events; `None` where there was none.
    #[serde(default)]
    events: Option<u64>,
    /// Checksum of the file of jobs; `None` where there was none.
    #[serde(default)]
    jobs: Option<String>,
}

/// Which log of events belongs into a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventsToKeep<'a> {
    /// The one that the workspace knows of, where it knows of one.
    Noted,
    /// This one.
    At(&'a Path),
    /// None.
    Without,
}

/// What was copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupSummary {
    /// When the backup was made.
    pub created: Timestamp,
    /// Versions.
    pub versions: usize,
    /// Their files.
    pub files: usize,
    /// Bytes of them.
    pub bytes: u64,
    /// Where the log of events was (of a backup) or is now (of what was made from it), and how many requests told of them.
    pub events: Option<(PathBuf, u64)>,
}

impl Workspace {
    /// Copies the workspace as it is now into a new folder, whole or not at all; others may go on writing.
    ///
    /// # Errors
    /// [`StoreError::Refused`] for a folder that holds something, [`StoreError::Corrupt`] for a file that is not what was
    /// registered: a damaged backup would be worse than none.
    pub fn backup(&self, to: &Path, events: EventsToKeep<'_>, now: Timestamp) -> Result<BackupSummary, StoreError> {
        free(to, "a backup is written into a new folder")?;
        let log = self.log_to_keep(events)?;
        let staged = Staged::begin(to)?;
        let copy = staged.path(DATABASE)?;
        self.copy_database(&copy)?;
        let snapshot = Workspace::of_copy(&self.root, &copy)?;
        let mut summary = BackupSummary { created: now, versions: 0, files: 0, bytes: 0, events: None };
        for version in snapshot.versions()? {
            let folder = staged.path(&below_root(&self.root, &version))?;
            copy_version(&snapshot, &version, &folder, &mut summary)?;
        }
        // one file again, without a log beside it
        settle(&snapshot.db, &copy)?;
        drop(snapshot);
        if let Some(log) = log {
            summary.events = Some((log.clone(), copy_sealed_lines(&log, &staged.path(EVENTS)?)?));
        }
        let label = Label {
            guike_backup: FORMAT,
            created: now.0,
            database: fingerprint(&copy)?,
            versions: summary.versions,
            events: summary.events.as_ref().map(|e| e.1),
            jobs: copy_jobs(&self.root, &staged)?,
        };
        staged.write(LABEL, checked_text(&to.join(LABEL), &label)?)?;
        at_once(staged, to)?;
        Ok(summary)
    }

    /// Where the log of events is that belongs into a backup.
    fn log_to_keep(&self, events: EventsToKeep<'_>) -> Result<Option<PathBuf>, StoreError> {
        let log = match events {
            EventsToKeep::Without => return Ok(None),
            EventsToKeep::At(log) => log.to_owned(),
            EventsToKeep::Noted => match self.events_log()? {
                Some(log) => log,
                None => return Ok(None),
            },
        };
        if !log.is_file() {
            let rule = "the events of this workspace are kept there, and no file is there now; say where it lies with \
                        --events FILE, or leave events out with --without-events";
            return Err(refused("--events", &log, rule));
        }
        Ok(Some(log))
    }

    /// What a copy of the database knows of the files below `root`.
    fn of_copy(root: &Path, copy: &Path) -> Result<Workspace, StoreError> {
        let (db, is_frozen) = database::open(copy, false, false)?;
        Ok(Workspace { root: root.to_owned(), db, is_frozen })
    }

    fn copy_database(&self, to: &Path) -> Result<(), StoreError> {
        let from = self.database();
        let mut target = Connection::open(to).map_err(sql("create", to))?;
        Backup::new(&self.db, &mut target)
            .and_then(|backup| backup.run_to_completion(PAGES, Duration::ZERO, None))
            .map_err(sql("copy", &from))
    }
}

/// Makes a workspace from a backup, in a folder that is empty or not there yet, whole or not at all.
///
/// # Errors
/// [`StoreError::Refused`] for a folder that holds something or a backup that is none, [`StoreError::Corrupt`] for a backup
/// that was changed, [`StoreError::Newer`].
pub fn restore(backup: &Path, to: &Path) -> Result<BackupSummary, StoreError> {
    let label_path = backup.join(LABEL);
    if !label_path.is_file() {
        fs::metadata(backup).map_err(io("open", backup))?;
        return Err(refused("BACKUP", backup, "it is no backup of `guike backup`: it has no backup.json"));
    }
    let label: Label = read_checked(&label_path)?;
    if label.guike_backup > FORMAT {
        return Err(StoreError::Newer { path: label_path, found: label.guike_backup, known: FORMAT });
    }
    free(to, "a backup is restored into a new folder; move the old workspace away first")?;
    let database = backup.join(DATABASE);
    let found = fingerprint(&database)?;
    if found != label.database {
        let reason = format!("its checksum is {found} where {} was backed up; take another backup", label.database);
        return Err(StoreError::Corrupt { path: database, reason });
    }
    let staged = Staged::begin(to)?;
    let copy = staged.path(DATABASE)?;
    fs::copy(&database, &copy).map_err(io("copy", &database))?;
    let snapshot = Workspace::of_copy(backup, &copy)?;
    let mut summary =
        BackupSummary { created: Timestamp(label.created), versions: 0, files: 0, bytes: 0, events: None };
    for version in snapshot.versions()? {
        let folder = staged.path(&below_root(backup, &version))?;
        copy_version(&snapshot, &version, &folder, &mut summary)?;
    }
    settle(&snapshot.db, &copy)?;
    drop(snapshot);
    if let Some(expected) = label.events {
        let log = backup.join(EVENTS);
        let found = copy_sealed_lines(&log, &staged.path(EVENTS)?)?;
        if found != expected {
            let reason = format!("it has {found} lines where {expected} were backed up; take another backup");
            return Err(StoreError::Corrupt { path: log, reason });
        }
        noted::write(&staged.path(noted::EVENTS_JSON)?, EVENTS)?;
        summary.events = Some((to.join(EVENTS), found));
    }
    if copy_jobs(backup, &staged)? != label.jobs {
        let reason = "it is not what was backed up; take another backup".to_owned();
        return Err(StoreError::Corrupt { path: backup.join(JOBS_JSON), reason });
    }
    at_once(staged, to)?;
    Ok(summary)
}

/// Copies the file of jobs, which is written whole at every change; gives the checksum of the copy, or `None` where there is no
/// such file.
fn copy_jobs(from: &Path, staged: &Staged) -> Result<Option<String>, StoreError> {
    let (jobs, copy) = (from.join(JOBS_JSON), staged.path(JOBS_JSON)?);
    match fs::copy(&jobs, &copy) {
        Ok(_) => fingerprint(&copy).map(Some),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(io("copy", &jobs)(e)),
    }
}

/// A folder that is there would be filled step by step; a new one appears at once.
fn at_once(staged: Staged, to: &Path) -> Result<(), StoreError> {
    if to.is_dir() {
        fs::remove_dir(to).map_err(io("replace", to))?;
    }
    staged.commit()
}

fn copy_version(
    snapshot: &Workspace,
    version: &Version,
    to: &Path,
    summary: &mut BackupSummary,
) -> Result<(), StoreError> {
    for kept in snapshot.files(version)? {
        let target = to.join(&kept.path);
        let parent = target.parent().unwrap_or(to);
        fs::create_dir_all(parent).map_err(io("create", parent))?;
        files::copy(&version.folder.join(&kept.path), &target, &kept)?;
        summary.files += 1;
        summary.bytes += kept.bytes;
    }
    summary.versions += 1;
    Ok(())
}

/// The folder of a version below the workspace.
fn below_root(root: &Path, version: &Version) -> String {
    let below: PathBuf = version.folder.strip_prefix(root).unwrap_or(&version.folder).to_owned();
    below.to_string_lossy().into_owned()
}

fn settle(db: &Connection, path: &Path) -> Result<(), StoreError> {
    db.query_row("PRAGMA journal_mode = DELETE", [], |r| r.get::<_, String>(0)).map_err(sql("write", path))?;
    Ok(())
}

/// # Errors
/// When something is there already.
fn free(folder: &Path, rule: &str) -> Result<(), StoreError> {
    let what = "FOLDER";
    match fs::read_dir(folder).map(|mut entries| entries.next().is_none()) {
        Ok(true) => Ok(()),
        Ok(false) => Err(refused(what, folder, &format!("it is there and not empty; {rule}"))),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(_) if folder.is_file() => Err(refused(what, folder, &format!("it is a file; {rule}"))),
        Err(e) => Err(io("open", folder)(e)),
    }
}
