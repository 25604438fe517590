//! A folder of results that appears at once.
//!
//! Files are written into `.NAME.guike-partial` beside the destination `NAME`. [`Staged::commit`] flushes every file and
//! folder and renames: the whole folder when the destination does not exist yet, otherwise entry by entry, each of them
//! atomically. Dropping a [`Staged`] without committing removes what was staged. A lock file inside tells a live run from
//! what a killed one left behind, which the next run clears away.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::checked::checked_text;
use crate::checksums::{CHECKSUMS_JSON, Checksums};
use crate::{StoreError, fingerprint, io};

const LOCK: &str = ".lock";
/// How the names of what is being written end.
const PARTIAL: &str = ".guike-partial";
/// After so long without a change, what nobody holds was left by a process that was killed.
const LEFT_AFTER: Duration = Duration::from_secs(3_600);

/// A staging folder; see the module.
#[derive(Debug)]
pub struct Staged {
    destination: PathBuf,
    folder: PathBuf,
    lock: Option<File>,
}

impl Staged {
    /// Begins staging for `destination`, which need not exist.
    ///
    /// # Errors
    /// [`StoreError::Busy`] while another run stages for the same destination, [`StoreError::NotAFolder`] when the
    /// destination is a file, [`StoreError::Io`] when its parent cannot be written.
    pub fn begin(destination: &Path) -> Result<Staged, StoreError> {
        if destination.is_file() {
            return Err(StoreError::NotAFolder(destination.to_owned()));
        }
        let name = destination.file_name().map_or_else(|| "out".to_owned(), |n| n.to_string_lossy().into_owned());
        let parent = parent_of(destination);
        fs::create_dir_all(&parent).map_err(io("create", &parent))?;
        clear_left(&parent);
        let folder = parent.join(format!(".{name}{PARTIAL}"));
        fs::create_dir_all(&folder).map_err(io("create", &folder))?;
        let lock_path = folder.join(LOCK);
        let lock = File::create(&lock_path).map_err(io("create", &lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StoreError::Busy(destination.to_owned())),
            Err(TryLockError::Error(e)) => return Err(io("lock", &lock_path)(e)),
        }
        let staged = Staged { destination: destination.to_owned(), folder, lock: Some(lock) };
        staged.clear_leftovers()?;
        Ok(staged)
    }

    /// The path under which to write the file `name` (may contain `/`).
    ///
    /// # Errors
    /// [`StoreError::Io`] when its folder cannot be made.
    pub fn path(&self, name: &str) -> Result<PathBuf, StoreError> {
        let path = self.folder.join(name);
        let parent = parent_of(&path);
        fs::create_dir_all(&parent).map_err(io("create", &parent))?;
        Ok(path)
    }

    /// Writes a whole text or JSON file.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> Result<(), StoreError> {
        let path = self.path(name)?;
        fs::write(&path, content).map_err(io("write", &path))
    }

    /// Puts a list of the checksums of everything that is staged beside it; whoever reads a file back holds it against that.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::Encode`].
    pub fn list(&self) -> Result<(), StoreError> {
        fn walk(base: &Path, folder: &Path, list: &mut Checksums) -> Result<(), StoreError> {
            for entry in sorted_entries(folder)? {
                if entry.is_dir() {
                    walk(base, &entry, list)?;
                    continue;
                }
                let parts = entry.strip_prefix(base).unwrap_or(&entry).components();
                let name = parts.map(|p| p.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/");
                if name != LOCK {
                    list.insert(name, fingerprint(&entry)?);
                }
            }
            Ok(())
        }
        let mut list = Checksums::new();
        walk(&self.folder, &self.folder, &mut list)?;
        self.write(CHECKSUMS_JSON, checked_text(&self.folder.join(CHECKSUMS_JSON), &list)?)
    }

    /// Makes everything durable and visible.
    ///
    /// # Errors
    /// [`StoreError::Io`]; the destination then holds the files of the run before, or this one's, each of them whole.
    pub fn commit(mut self) -> Result<(), StoreError> {
        let lock_path = self.folder.join(LOCK);
        fs::remove_file(&lock_path).map_err(io("remove", &lock_path))?;
        sync_tree(&self.folder)?;
        let parent = parent_of(&self.destination);
        if self.destination.exists() {
            for entry in sorted_entries(&self.folder)? {
                let name = entry.file_name().unwrap_or_default();
                replace(&entry, &self.destination.join(name))?;
            }
            sync_folder(&self.destination)?;
            fs::remove_dir_all(&self.folder).map_err(io("remove", &self.folder))?;
        } else {
            fs::rename(&self.folder, &self.destination).map_err(io("rename", &self.folder))?;
        }
        self.lock = None;
        sync_folder(&parent)
    }

    fn clear_leftovers(&self) -> Result<(), StoreError> {
        for entry in sorted_entries(&self.folder)? {
            if entry.file_name().is_some_and(|n| n == LOCK) {
                continue;
            }
            let removed = if entry.is_dir() { fs::remove_dir_all(&entry) } else { fs::remove_file(&entry) };
            removed.map_err(io("remove", &entry))?;
        }
        Ok(())
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if self.lock.is_some() {
            // nothing to tell anyone: the next run clears what is left
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

/// Moves `from` over `to`. A folder cannot be replaced in one step: the old one steps aside first.
fn replace(from: &Path, to: &Path) -> Result<(), StoreError> {
    if to.is_dir() {
        let name = to.file_name().unwrap_or_default().to_string_lossy();
        let aside = to.with_file_name(format!(".{name}.guike-old"));
        if aside.exists() {
            fs::remove_dir_all(&aside).map_err(io("remove", &aside))?;
        }
        fs::rename(to, &aside).map_err(io("rename", to))?;
        fs::rename(from, to).map_err(io("rename", from))?;
        return fs::remove_dir_all(&aside).map_err(io("remove", &aside));
    }
    fs::rename(from, to).map_err(io("rename", from))
}

/// Writes one file whole or not at all: `fill` writes a hidden neighbour, which is flushed and renamed.
///
/// # Errors
/// [`StoreError::Io`], or what `fill` says; `destination` is then as it was before.
pub fn write_file(destination: &Path, fill: impl FnOnce(&Path) -> Result<(), StoreError>) -> Result<(), StoreError> {
    let parent = parent_of(destination);
    fs::create_dir_all(&parent).map_err(io("create", &parent))?;
    clear_left(&parent);
    let neighbour = tempfile::Builder::new()
        .prefix(".")
        .suffix(PARTIAL)
        .tempfile_in(&parent)
        .map_err(io("create", destination))?
        .into_temp_path();
    fill(&neighbour)?;
    File::open(&neighbour).and_then(|f| f.sync_all()).map_err(io("flush", destination))?;
    neighbour.persist(destination).map_err(|e| io("rename", destination)(e.error))?;
    sync_folder(&parent)
}

/// Writes one file of these bytes, whole or not at all.
///
/// # Errors
/// [`StoreError::Io`]; `destination` is then as it was before.
pub fn write_bytes(destination: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    write_file(destination, |path| fs::write(path, bytes).map_err(io("write", destination)))
}

/// Removes what killed processes left half written here, whatever it was to become; what cannot be removed does no harm.
fn clear_left(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let is_partial = name.to_str().is_some_and(|n| n.starts_with('.') && n.ends_with(PARTIAL));
        if !is_partial || !is_old(&entry.path()) {
            continue;
        }
        let path = entry.path();
        if path.is_dir() {
            let lock = path.join(LOCK);
            // who is at it holds its lock, however long it takes
            if File::open(&lock).map_or(true, |lock| lock.try_lock().is_ok()) {
                let _ = fs::remove_dir_all(&path);
            }
        } else {
            let _ = fs::remove_file(&path);
        }
    }
}

fn is_old(path: &Path) -> bool {
    let changed = fs::metadata(path).and_then(|m| m.modified());
    changed.ok().and_then(|at| at.elapsed().ok()).is_some_and(|age| age > LEFT_AFTER)
}

fn parent_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(p) if !p.as_os_str().is_empty() => p.to_owned(),
        _ => PathBuf::from("."),
    }
}

pub(crate) fn sorted_entries(folder: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let listing = fs::read_dir(folder).map_err(io("list", folder))?;
    let mut entries =
        listing.map(|e| e.map(|e| e.path())).collect::<Result<Vec<_>, _>>().map_err(io("list", folder))?;
    entries.sort();
    Ok(entries)
}

/// Makes it durable that a file is in its folder.
pub(crate) fn sync_folder_of(file: &Path) -> Result<(), StoreError> {
    sync_folder(&parent_of(file))
}

pub(crate) fn sync_folder(folder: &Path) -> Result<(), StoreError> {
    File::open(folder).and_then(|f| f.sync_all()).map_err(io("flush", folder))
}

fn sync_tree(folder: &Path) -> Result<(), StoreError> {
    for entry in sorted_entries(folder)? {
        if entry.is_dir() {
            sync_tree(&entry)?;
        } else {
            File::open(&entry).and_then(|f| f.sync_all()).map_err(io("flush", &entry))?;
        }
    }
    sync_folder(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut v: Vec<String> = fs::read_dir(folder)
            .expect("listed")
            .map(|e| e.expect("entry").file_name().to_string_lossy().into_owned())
            .collect();
        v.sort();
        v
    }

    #[test]
    fn nothing_appears_before_the_commit_and_everything_after_it() {
        let tmp = tempfile::tempdir().expect("a temporary folder");
        let out = tmp.path().join("results");
        let staged = Staged::begin(&out).expect("begun");
        staged.write("a.txt", "one").expect("written");
        staged.write("model/b.txt", "two").expect("written");
        assert!(!out.exists());
        staged.commit().expect("committed");
        assert_eq!(names(&out), ["a.txt", "model"]);
        assert_eq!(names(tmp.path()), ["results"]);
    }

    #[test]
    fn a_dropped_run_leaves_no_trace_and_the_old_results_whole() {
        let tmp = tempfile::tempdir().expect("a temporary folder");
        let out = tmp.path().join("results");
        let first = Staged::begin(&out).expect("begun");
        first.write("a.txt", "old").expect("written");
        first.commit().expect("committed");
        let second = Staged::begin(&out).expect("begun");
        second.write("a.txt", "new").expect("written");
        drop(second);
        assert_eq!(fs::read_to_string(out.join("a.txt")).expect("read"), "old");
        assert_eq!(names(tmp.path()), ["results"]);
    }

    #[test]
    fn a_second_run_replaces_files_and_folders_and_keeps_strangers() {
        let tmp = tempfile::tempdir().expect("a temporary folder");
        let out = tmp.path().join("results");
        fs::create_dir(&out).expect("made");
        fs::write(out.join("notes.txt"), "mine").expect("written");
        for text in ["1", "2"] {
            let s = Staged::begin(&out).expect("begun");
            s.write("a.txt", text).expect("written");
            s.write("model/m.json", text).expect("written");
            s.commit().expect("committed");
        }
        assert_eq!(names(&out), ["a.txt", "model", "notes.txt"]);
        assert_eq!(fs::read_to_string(out.join("model/m.json")).expect("read"), "2");
    }

    #[test]
    fn two_runs_cannot_stage_for_one_place_and_a_killed_one_does_not_block() {
        let tmp = tempfile::tempdir().expect("a temporary folder");
        let out = tmp.path().join("results");
        let first = Staged::begin(&out).expect("begun");
        assert!(matches!(Staged::begin(&out), Err(StoreError::Busy(_))));
        drop(first);
        fs::create_dir(tmp.path().join(".results.guike-partial")).expect("made");
        fs::write(tmp.path().join(".results.guike-partial/half.csv"), "x").expect("written");
        let next = Staged::begin(&out).expect("a killed run's leftovers are cleared");
        next.write("a.txt", "whole").expect("written");
        next.commit().expect("committed");
        assert_eq!(names(&out), ["a.txt"]);
    }

    #[test]
    fn what_killed_processes_left_is_cleared_after_an_hour_and_what_is_held_is_not() {
        let tmp = tempfile::tempdir().expect("a temporary folder");
        let old = std::time::SystemTime::now() - 2 * LEFT_AFTER;
        let age = |path: &Path| File::open(path).and_then(|f| f.set_modified(old)).expect("older");
        let held = Staged::begin(&tmp.path().join("held")).expect("begun");
        for name in [".killed.guike-partial", ".fresh.guike-partial"] {
            fs::create_dir(tmp.path().join(name)).expect("made");
            fs::write(tmp.path().join(name).join("half.csv"), "x").expect("written");
        }
        fs::write(tmp.path().join(".x.guike-partial"), "x").expect("written");
        for name in [".killed.guike-partial", ".held.guike-partial", ".x.guike-partial"] {
            age(&tmp.path().join(name));
        }
        write_bytes(&tmp.path().join("file"), b"whole").expect("written");
        assert_eq!(names(tmp.path()), [".fresh.guike-partial", ".held.guike-partial", "file"]);
        held.commit().expect("committed");
    }

    #[test]
    fn a_file_in_the_way_is_refused() {
        let tmp = tempfile::tempdir().expect("a temporary folder");
        let out = tmp.path().join("results");
        fs::write(&out, "").expect("written");
        assert!(matches!(Staged::begin(&out), Err(StoreError::NotAFolder(_))));
    }
}
