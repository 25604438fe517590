//! The checksums of a folder of results: `checksums.json` in it.
//!
//! The one idea: whoever reads a file of a folder of results back holds it against the list first ([`check_listed`]), so that
//! a bit that is another one is an error that names the file, and never another forecast. A folder of an earlier Guike has no
//! list, and a file that was copied out of its folder has none beside it: both are read as they are.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::{StoreError, fingerprint, read_checked};

/// The list within a folder of results.
pub const CHECKSUMS_JSON: &str = "checksums.json";

/// Checksums by the path below the folder, with `/` between its parts.
pub(crate) type Checksums = BTreeMap<String, String>;

/// The list of a folder; `None` where there is none.
///
/// # Errors
/// [`StoreError::Corrupt`] for a list that is damaged, [`StoreError::Io`].
fn of_folder(folder: &Path) -> Result<Option<Checksums>, StoreError> {
    let list = folder.join(CHECKSUMS_JSON);
    if list.is_file() { read_checked(&list).map(Some) } else { Ok(None) }
}

/// Whether a file of a folder of results is the one that was written; nothing where no list tells of it.
///
/// # Errors
/// [`StoreError::Corrupt`] with the file when it is another one, or the list itself is damaged; [`StoreError::Io`].
///
/// # Example
/// ```
/// use guike_store::{Staged, check_listed};
/// let tmp = tempfile::tempdir().unwrap();
/// let out = tmp.path().join("out");
/// let staged = Staged::begin(&out).unwrap();
/// staged.write("model/model.json", "{}").unwrap();
/// staged.list().unwrap();
/// staged.commit().unwrap();
/// let file = out.join("model/model.json");
/// assert!(check_listed(&file).is_ok());
/// std::fs::write(&file, "{ }").unwrap();
/// assert!(check_listed(&file).unwrap_err().to_string().contains("model.json` is damaged"));
/// ```
pub fn check_listed(path: &Path) -> Result<(), StoreError> {
    match listed(path)? {
        Some((_, Some(expected))) => {
            let found = fingerprint(path)?;
            if found == expected { Ok(()) } else { Err(changed(path, &found, &expected)) }
        }
        _ => Ok(()),
    }
}

/// Whether a folder of results was written without the file that lies in it: it is left from results before.
///
/// # Errors
/// As [`check_listed`].
pub fn is_left_over(path: &Path) -> Result<bool, StoreError> {
    Ok(matches!(listed(path)?, Some((_, None))))
}

/// Whether every file that the list of a folder tells of is there, and is the one that was written; gives their number, or
/// `None` where there is no list.
///
/// # Errors
/// [`StoreError::Corrupt`] with the first file that is not; [`StoreError::Io`].
pub fn check_folder(folder: &Path) -> Result<Option<usize>, StoreError> {
    let Some(list) = of_folder(folder)? else { return Ok(None) };
    for (name, expected) in &list {
        let path = folder.join(name);
        if !path.is_file() {
            let reason = "it is missing; make these results again, or take it from a copy".to_owned();
            return Err(StoreError::Corrupt { path, reason });
        }
        let found = fingerprint(&path)?;
        if found != *expected {
            return Err(changed(&path, &found, expected));
        }
    }
    Ok(Some(list.len()))
}

/// The list that a file belongs to, in its folder or the one above, and what that says of it.
fn listed(path: &Path) -> Result<Option<(PathBuf, Option<String>)>, StoreError> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return Ok(None) };
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let name = name.to_string_lossy().into_owned();
    if let Some(mut list) = of_folder(folder)? {
        return Ok(Some((folder.to_owned(), list.remove(&name))));
    }
    // `model/model.json` of a run, as one names it from within `model`, too
    let absolute = std::path::absolute(folder).map_err(crate::io("open", folder))?;
    let (Some(above), Some(inner)) = (absolute.parent(), absolute.file_name()) else { return Ok(None) };
    let below = format!("{}/{name}", inner.to_string_lossy());
    let list = of_folder(above)?;
    // other folders may lie in a folder of results: of those it says nothing
    Ok(list.and_then(|mut list| list.remove(&below)).map(|expected| (above.to_owned(), Some(expected))))
}

fn changed(path: &Path, found: &str, expected: &str) -> StoreError {
    let reason = format!(
        "its checksum is {found} where `{CHECKSUMS_JSON}` says {expected}: it was changed after it was written, by hand or by the \
         disk; undo that, make these results again, or take it from a copy"
    );
    StoreError::Corrupt { path: path.to_owned(), reason }
}
