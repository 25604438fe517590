//! Backups: a workspace as it was at one moment, in a folder of its own, and back.
//!
//! The one idea: the database is copied first, by SQLite itself and while others may write; then exactly the files are copied
//! that this copy knows. They never change, so whatever is registered meanwhile, the backup is of one moment. Every file is
//! held against its checksum while it is copied, in both directions.
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
use super::{DATABASE, Workspace, files, refused};
use crate::{Staged, StoreError, fingerprint, io, read_json};

/// Newest format of a backup.
const FORMAT: u32 = 1;
/// What tells a backup from other folders.
const LABEL: &str = "backup.json";
/// Pages of the database that are copied at once; others may write in between.
const PAGES: std::ffi::c_int = 1_000;

#[derive(Debug, Serialize, Deserialize)]
struct Label {
    guike_backup: u32,
    /// Seconds since 1970.
    created: i64,
    database: String,
    versions: usize,
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
}

impl Workspace {
    /// Copies the workspace as it is now into a new folder, whole or not at all; others may go on writing.
    ///
    /// # Errors
    /// [`StoreError::Refused`] for a folder that holds something, [`StoreError::Corrupt`] for a file that is not what was
    /// registered: a damaged backup would be worse than none.
    pub fn backup(&self, to: &Path, now: Timestamp) -> Result<BackupSummary, StoreError> {
        free(to, "a backup is written into a new folder")?;
        let staged = Staged::begin(to)?;
        let copy = staged.path(DATABASE)?;
        self.copy_database(&copy)?;
        let snapshot = Workspace::of_copy(&self.root, &copy)?;
        let mut summary = BackupSummary { created: now, versions: 0, files: 0, bytes: 0 };
        for version in snapshot.versions()? {
            let folder = staged.path(&below_root(&self.root, &version))?;
            copy_version(&snapshot, &version, &folder, &mut summary)?;
        }
        // one file again, without a log beside it
        settle(&snapshot.db, &copy)?;
        drop(snapshot);
        let label =
            Label { guike_backup: FORMAT, created: now.0, database: fingerprint(&copy)?, versions: summary.versions };
        let text = serde_json::to_string_pretty(&label)
            .map_err(|e| StoreError::Encode { path: to.join(LABEL), reason: e.to_string() })?;
        staged.write(LABEL, text + "\n")?;
        at_once(staged, to)?;
        Ok(summary)
    }

    /// What a copy of the database knows of the files below `root`.
    fn of_copy(root: &Path, copy: &Path) -> Result<Workspace, StoreError> {
        let (db, is_frozen) = database::open(copy, false)?;
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
    let label: Label = read_json(&label_path)?;
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
    let mut summary = BackupSummary { created: Timestamp(label.created), versions: 0, files: 0, bytes: 0 };
    for version in snapshot.versions()? {
        let folder = staged.path(&below_root(backup, &version))?;
        copy_version(&snapshot, &version, &folder, &mut summary)?;
    }
    settle(&snapshot.db, &copy)?;
    drop(snapshot);
    at_once(staged, to)?;
    Ok(summary)
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
