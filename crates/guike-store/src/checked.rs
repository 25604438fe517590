//! JSON of ours with a checksum: small files that are written whole, and refused when a bit of them is another one.
//!
//! A file is `{"checksum": "xxh3-…", "content": …}`. The checksum covers the compact JSON of `content`, so that re-indenting
//! the file keeps it valid. A file of an earlier Guike is the content alone and is read as it is.

use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use xxhash_rust::xxh3::xxh3_128;

use crate::{StoreError, read_json, write_bytes};

/// The text of such a file for `path`.
///
/// # Errors
/// [`StoreError::Encode`].
pub(crate) fn checked_text(path: &Path, content: &impl Serialize) -> Result<String, StoreError> {
    let encode = |e: serde_json::Error| StoreError::Encode { path: path.to_owned(), reason: e.to_string() };
    let content = serde_json::to_value(content).map_err(encode)?;
    let whole = json!({ "checksum": checksum(&content), "content": content });
    Ok(serde_json::to_string_pretty(&whole).map_err(encode)? + "\n")
}

/// Writes such a file, whole or not at all.
///
/// # Errors
/// [`StoreError::Encode`], [`StoreError::Io`]; the file is then as it was before.
///
/// # Example
/// ```
/// let tmp = tempfile::tempdir().unwrap();
/// let file = tmp.path().join("jobs.json");
/// guike_store::write_checked(&file, &[1, 2]).unwrap();
/// assert_eq!(guike_store::read_checked::<Vec<u32>>(&file).unwrap(), [1, 2]);
/// let text = std::fs::read_to_string(&file).unwrap().replace("2\n", "3\n");
/// std::fs::write(&file, text).unwrap();
/// assert!(guike_store::read_checked::<Vec<u32>>(&file).is_err());
/// std::fs::write(&file, "[4]").unwrap(); // of an earlier version
/// assert_eq!(guike_store::read_checked::<Vec<u32>>(&file).unwrap(), [4]);
/// ```
pub fn write_checked(path: &Path, content: &impl Serialize) -> Result<(), StoreError> {
    write_bytes(path, checked_text(path, content)?.as_bytes())
}

/// Reads such a file.
///
/// # Errors
/// [`StoreError::Io`]; [`StoreError::Corrupt`] when it is not JSON, fails its checksum, or holds something else.
pub fn read_checked<T: DeserializeOwned>(path: &Path) -> Result<T, StoreError> {
    let corrupt = |reason: String| StoreError::Corrupt { path: path.to_owned(), reason };
    let mut whole: Value = read_json(path)?;
    let is_checked = whole.as_object().is_some_and(|m| m.len() == 2 && m.contains_key("content"));
    let content = if is_checked {
        let content = whole["content"].take();
        if whole["checksum"].as_str() != Some(&checksum(&content)) {
            return Err(corrupt("it does not fit its checksum; put it back from a copy".to_owned()));
        }
        content
    } else {
        whole
    };
    serde_json::from_value(content).map_err(|e| corrupt(e.to_string()))
}

fn checksum(content: &Value) -> String {
    format!("xxh3-{:032x}", xxh3_128(content.to_string().as_bytes()))
}
