//! A workspace: a folder that keeps models and runs by name and version, and knows which of them is in use.
//!
//! The one idea: what a version holds are files that never change; which versions there are, and in what stage, says one
//! database beside them. Files become whole first, then one transaction registers them. So a process that is killed leaves at
//! worst a folder that nobody knows of, and never a version without its files.
//!
//! ```text
//! W/guike.sqlite              names, versions, checksums, decisions; saved audiences
//! W/models/NAME/VERSION/      what `guike train` writes
//! W/runs/NNNN/                what `guike run` writes
//! W/drafts/                   what is being made; cleared when nobody is at it any more
//! W/events.json               where the log of events is, for backups
//! ```
//!
//! It does not know what makes one version better than another: whoever decides hands in figures and a reason, which are kept.

mod audiences;
mod backup;
mod database;
mod decisions;
mod files;
mod noted;
mod registry;
mod removals;
#[cfg(test)]
mod tests;
mod version;

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use tempfile::TempDir;

use crate::{StoreError, io};

pub use audiences::{Audience, MOST_AUDIENCES, Saved};
pub use backup::{BackupSummary, EventsToKeep, restore};
pub use version::{Action, Decision, Judgement, Kind, NewVersion, Revision, Stage, Version};

/// The database within a workspace.
pub const DATABASE: &str = "guike.sqlite";
/// The file of a server's jobs within a workspace.
pub const JOBS_JSON: &str = "jobs.json";
const MODELS: &str = "models";
const RUNS: &str = "runs";
const DRAFTS: &str = "drafts";
const LOCK: &str = ".lock";
/// Longest name, in characters.
const LONGEST_NAME: usize = 64;

/// An open workspace.
#[derive(Debug)]
pub struct Workspace {
    root: PathBuf,
    db: Connection,
    /// Whether the database is read as it lay there when it was opened.
    is_frozen: bool,
}

/// A place in which results are made before they have a version; removed with this, unless they were registered.
#[derive(Debug)]
pub struct Draft {
    folder: TempDir,
    // held as long as somebody is at it
    _lock: File,
}

impl Draft {
    /// The folder to fill; it does not exist yet.
    pub fn folder(&self) -> PathBuf {
        self.folder.path().join("results")
    }
}

impl Workspace {
    /// Whether a workspace is there.
    pub fn is_at(root: &Path) -> bool {
        root.join(DATABASE).is_file()
    }

    /// Opens a workspace; one of an older Guike is brought up to date.
    ///
    /// # Errors
    /// [`StoreError::NoWorkspace`], [`StoreError::Corrupt`] for a damaged database, [`StoreError::Newer`],
    /// [`StoreError::InUse`], [`StoreError::Io`].
    pub fn open(root: &Path) -> Result<Workspace, StoreError> {
        if !Workspace::is_at(root) {
            return Err(match fs::metadata(root) {
                Err(e) => io("open", root)(e),
                Ok(_) => StoreError::NoWorkspace(root.to_owned()),
            });
        }
        let is_backup = root.join(backup::LABEL).is_file();
        let (db, is_frozen) = database::open(&root.join(DATABASE), has_results(root), is_backup)?;
        if !is_frozen && !is_backup {
            removals::sweep(&db, root);
        }
        Ok(Workspace { root: root.to_owned(), db, is_frozen })
    }

    /// # Errors
    /// [`StoreError::Refused`] for a backup: it stays as it was made.
    fn changeable(&self) -> Result<(), StoreError> {
        if self.root.join(backup::LABEL).is_file() {
            let rule = "it is a backup, which stays as it was made; `guike restore` makes a workspace of it";
            return Err(refused("WORKSPACE", &self.root, rule));
        }
        Ok(())
    }

    /// Whether nothing could be written when it was opened (a folder that is read-only, a disk that is full): then it shows
    /// what there was at that moment, and has to be opened again to see more.
    pub fn is_frozen(&self) -> bool {
        self.is_frozen
    }

    /// Opens a workspace, or makes one in a folder that is empty or not there yet.
    ///
    /// # Errors
    /// As [`Workspace::open`], and [`StoreError::Refused`] for a folder that holds something else.
    ///
    /// # Example
    /// ```
    /// use guike_store::Workspace;
    /// let tmp = tempfile::tempdir().unwrap();
    /// let root = tmp.path().join("shop");
    /// assert!(Workspace::open(&root).is_err());
    /// assert!(Workspace::open_or_create(&root).unwrap().versions().unwrap().is_empty());
    /// assert!(Workspace::open(&root).is_ok());
    /// ```
    pub fn open_or_create(root: &Path) -> Result<Workspace, StoreError> {
        if root.is_file() {
            return Err(refused("--workspace", root, "it is a file, and a workspace is a folder"));
        }
        if !Workspace::is_at(root) {
            let is_empty = match fs::read_dir(root) {
                Ok(mut entries) => entries.next().is_none(),
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => true,
                Err(e) => return Err(io("open", root)(e)),
            };
            if !is_empty {
                let rule = "the folder holds other things and is no workspace; name a new or an empty folder";
                return Err(refused("--workspace", root, rule));
            }
            fs::create_dir_all(root).map_err(io("create", root))?;
            drop(database::create(&root.join(DATABASE))?);
            crate::staged::sync_folder(root)?;
        }
        Workspace::open(root)
    }

    /// Where it is.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The file of the database.
    fn database(&self) -> PathBuf {
        self.root.join(DATABASE)
    }

    /// A place for results that are to be registered. What processes that were killed left there is cleared.
    ///
    /// # Errors
    /// [`StoreError::Io`], for a workspace that cannot be written.
    pub fn draft(&self) -> Result<Draft, StoreError> {
        self.changeable()?;
        let drafts = self.root.join(DRAFTS);
        fs::create_dir_all(&drafts).map_err(io("create", &drafts))?;
        let gate_path = drafts.join(LOCK);
        let gate = File::create(&gate_path).map_err(io("create", &gate_path))?;
        // between a folder and its lock nobody may look
        gate.lock().map_err(io("lock", &gate_path))?;
        for entry in crate::staged::sorted_entries(&drafts)? {
            let lock = entry.join(LOCK);
            let is_left = match File::open(&lock) {
                Ok(lock) => lock.try_lock().is_ok(),
                Err(_) => entry.is_dir(),
            };
            if is_left && entry.is_dir() {
                fs::remove_dir_all(&entry).map_err(io("remove", &entry))?;
            }
        }
        let folder = tempfile::Builder::new().prefix("draft-").tempdir_in(&drafts).map_err(io("create", &drafts))?;
        let lock_path = folder.path().join(LOCK);
        let lock = File::create(&lock_path).map_err(io("create", &lock_path))?;
        lock.lock().map_err(io("lock", &lock_path))?;
        Ok(Draft { folder, _lock: lock })
    }

    /// Whether versions of this kind may have this name.
    ///
    /// # Errors
    /// [`StoreError::Refused`] for a name that belongs to another kind.
    pub fn check_kind(&self, name: &str, kind: Kind) -> Result<(), StoreError> {
        match self.versions()?.iter().find(|v| v.name == name) {
            Some(v) if v.kind != kind => Err(registry::foreign_name(name, v.kind)),
            _ => Ok(()),
        }
    }

    /// Everything that does not hold: files that are missing or changed, and folders that no version is registered for.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn check(&self) -> Result<Vec<String>, StoreError> {
        let versions = self.versions()?;
        let mut found = Vec::new();
        for version in &versions {
            if let Err(e) = self.verify(version) {
                found.push(format!("{} version {}: {e}", version.name, version.number));
            }
        }
        for folder in result_folders(&self.root)? {
            if versions.iter().all(|v| v.folder != folder) {
                let folder = folder.display();
                found.push(format!(
                    "`{folder}` is not registered: its command was stopped at the last moment; what it holds is complete, \
                     so use the folder as it is, or remove it"
                ));
            }
        }
        Ok(found)
    }
}

/// Whether this is a name: it becomes a part of paths and addresses.
///
/// # Errors
/// [`StoreError::Refused`] with the rule.
///
/// ```
/// use guike_store::workspace::check_name;
/// assert!(check_name("value-model").is_ok() && check_name("贵客").is_ok());
/// assert!(check_name("../secrets").is_err());
/// ```
pub fn check_name(name: &str) -> Result<(), StoreError> {
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    let is_name = name.chars().all(fits)
        && name.chars().next().is_some_and(char::is_alphanumeric)
        && name.chars().count() <= LONGEST_NAME;
    if is_name {
        return Ok(());
    }
    Err(StoreError::Refused {
        what: "--name",
        value: name.to_owned(),
        rule: format!(
            "a name has letters, digits, `-`, `_` and `.`, begins with a letter or digit, and has at most {LONGEST_NAME} \
             of them, as `value-model`"
        ),
    })
}

fn refused(what: &'static str, path: &Path, rule: &str) -> StoreError {
    StoreError::Refused { what, value: path.display().to_string(), rule: rule.to_owned() }
}

/// Whether some version was ever put here, registered or not.
fn has_results(root: &Path) -> bool {
    result_folders(root).is_ok_and(|found| !found.is_empty())
}

/// The folders of models and runs, registered or not.
fn result_folders(root: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let mut found = below(&root.join(RUNS))?;
    for model in below(&root.join(MODELS))? {
        found.extend(below(&model)?);
    }
    Ok(found)
}

/// The folders in a folder; none where it is not there.
fn below(folder: &Path) -> Result<Vec<PathBuf>, StoreError> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    Ok(crate::staged::sorted_entries(folder)?.into_iter().filter(|e| e.is_dir()).collect())
}
