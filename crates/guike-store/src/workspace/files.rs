//! The files of a version: which there are, and whether they are still the same.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::Path;

use rusqlite::params;
use xxhash_rust::xxh3::{Xxh3, xxh3_128};

use super::Workspace;
use super::database::{corrupt, sql};
use super::version::Version;
use crate::{StoreError, UnchangedFile, fingerprint, io};

/// A file of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kept {
    /// Below the version's folder, with `/` between its parts.
    pub(super) path: String,
    pub(super) bytes: u64,
    pub(super) checksum: String,
}

/// All files below a folder, by path.
pub(super) fn of_folder(folder: &Path) -> Result<Vec<Kept>, StoreError> {
    fn walk(base: &Path, folder: &Path, found: &mut Vec<Kept>) -> Result<(), StoreError> {
        for entry in crate::staged::sorted_entries(folder)? {
            if entry.is_dir() {
                walk(base, &entry, found)?;
                continue;
            }
            let parts = entry.strip_prefix(base).unwrap_or(&entry).components();
            let path = parts.map(|p| p.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/");
            let bytes = fs::metadata(&entry).map_err(io("read", &entry))?.len();
            found.push(Kept { path, bytes, checksum: fingerprint(&entry)? });
        }
        Ok(())
    }
    let mut found = Vec::new();
    walk(folder, folder, &mut found)?;
    // as the database orders them
    found.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

/// One checksum of all of them.
pub(super) fn together(files: &[Kept]) -> String {
    let text: String = files.iter().map(|f| format!("{} {} {}\n", f.checksum, f.bytes, f.path)).collect();
    format!("xxh3-{:032x}", xxh3_128(text.as_bytes()))
}

impl Workspace {
    /// Whether every file of a version is there, whole and unchanged.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] with the first file that is not, [`StoreError::Io`].
    pub fn verify(&self, version: &Version) -> Result<(), StoreError> {
        for kept in self.files(version)? {
            let path = version.folder.join(&kept.path);
            let bytes = match fs::metadata(&path) {
                Ok(m) => m.len(),
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                    return Err(damaged(&path, "it is missing".to_owned()));
                }
                Err(e) => return Err(io("read", &path)(e)),
            };
            if bytes != kept.bytes {
                return Err(damaged(&path, format!("it has {bytes} bytes where {} were registered", kept.bytes)));
            }
            same(&path, &fingerprint(&path)?, &kept)?;
        }
        Ok(())
    }

    /// The file at `path` below the folder of a version, as it was registered; `None` where the version has no such file.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn file(&self, version: &Version, path: &str) -> Result<Option<UnchangedFile>, StoreError> {
        let kept = self.files(version)?.into_iter().find(|f| f.path == path);
        Ok(kept.map(|f| UnchangedFile::noted(version.folder.join(f.path), f.bytes, f.checksum)))
    }

    pub(super) fn files(&self, version: &Version) -> Result<Vec<Kept>, StoreError> {
        let path = self.database();
        let read = || -> rusqlite::Result<Vec<Kept>> {
            let text = "SELECT path, bytes, checksum FROM files WHERE version_id = ?1 ORDER BY path";
            let mut statement = self.db.prepare(text)?;
            let rows = statement.query_map(params![version.id], |r| {
                Ok(Kept { path: r.get(0)?, bytes: r.get::<_, i64>(1)?.unsigned_abs(), checksum: r.get(2)? })
            })?;
            rows.collect()
        };
        let kept = read().map_err(sql("read", &path))?;
        if together(&kept) == version.checksum {
            return Ok(kept);
        }
        Err(corrupt(
            &path,
            format!("the files of `{}` version {} do not fit their checksum", version.name, version.number),
        ))
    }
}

/// Copies a file and makes sure that it is the one that was registered.
pub(super) fn copy(from: &Path, to: &Path, kept: &Kept) -> Result<(), StoreError> {
    let mut source = match File::open(from) {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Err(damaged(from, "it is missing".to_owned())),
        Err(e) => return Err(io("read", from)(e)),
    };
    let mut target = File::create(to).map_err(io("create", to))?;
    let (mut hash, mut buffer) = (Xxh3::new(), vec![0; 1 << 18]);
    loop {
        match source.read(&mut buffer).map_err(io("read", from))? {
            0 => break,
            n => {
                hash.update(&buffer[..n]);
                target.write_all(&buffer[..n]).map_err(io("write", to))?;
            }
        }
    }
    same(from, &format!("xxh3-{:032x}", hash.digest128()), kept)
}

fn same(path: &Path, found: &str, kept: &Kept) -> Result<(), StoreError> {
    if found == kept.checksum {
        return Ok(());
    }
    Err(damaged(path, format!("its checksum is {found} where {} was registered", kept.checksum)))
}

fn damaged(path: &Path, reason: String) -> StoreError {
    let reason = format!("{reason}; take it from a backup, or make this version again");
    StoreError::Corrupt { path: path.to_owned(), reason }
}
