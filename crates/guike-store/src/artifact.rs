//! `model.json`: a model as a file that a person can read, with a checksum.
//!
//! The file is `{"guike_model": FORMAT, "checksum": "xxh3-…", "model": {card, body}}`. The checksum covers the compact JSON
//! of `model`, so that re-indenting the file keeps it valid and changing a digit does not.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use guike_core::Artifact;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use xxhash_rust::xxh3::xxh3_128;

use crate::checksums::{CHECKSUMS_JSON, check_listed};
use crate::{Staged, StoreError, io};

/// Newest format of `model.json` that this version writes and reads.
pub const ARTIFACT_FORMAT: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Envelope {
    guike_model: u32,
    checksum: String,
    model: Value,
}

fn checksum(model: &Value) -> String {
    // serde_json keeps object keys sorted and prints the shortest text that reads back to the same f64
    fingerprint(model.to_string().as_bytes())
}

fn fingerprint(bytes: &[u8]) -> String {
    format!("xxh3-{:032x}", xxh3_128(bytes))
}

/// Above this many bytes a file is for programs: it is written without line breaks.
const READABLE: usize = 1 << 20;

/// Writes `name` into a staging folder.
///
/// # Errors
/// [`StoreError::Io`], [`StoreError::Encode`].
pub fn write_artifact(staged: &Staged, name: &str, artifact: &Artifact) -> Result<(), StoreError> {
    write_sealed(staged, name, artifact)
}

/// Writes any model under a format number and a checksum.
///
/// # Errors
/// [`StoreError::Io`], [`StoreError::Encode`].
pub fn write_sealed(staged: &Staged, name: &str, model: &impl Serialize) -> Result<(), StoreError> {
    let path = staged.path(name)?;
    let encode = |e: serde_json::Error| StoreError::Encode { path: path.clone(), reason: e.to_string() };
    let model = serde_json::to_value(model).map_err(encode)?;
    let envelope = Envelope { guike_model: ARTIFACT_FORMAT, checksum: checksum(&model), model };
    let compact = serde_json::to_string(&envelope).map_err(encode)?;
    let text =
        if compact.len() > READABLE { compact } else { serde_json::to_string_pretty(&envelope).map_err(encode)? };
    staged.write(name, text + "\n")
}

/// Reads and verifies a `model.json`.
///
/// # Errors
/// [`StoreError::Corrupt`] when it is not JSON, not ours, or fails its checksum; [`StoreError::Newer`] for a later format.
pub fn read_artifact(path: &Path) -> Result<Artifact, StoreError> {
    read_sealed(path)
}

/// Reads and verifies what [`write_sealed`] wrote.
///
/// # Errors
/// As [`read_artifact`], and [`StoreError::Corrupt`] when it is another kind of model than `T`.
pub fn read_sealed<T: DeserializeOwned>(path: &Path) -> Result<T, StoreError> {
    Ok(read_with_seal(path)?.0)
}

/// The same, with the checksum: a fingerprint of what the file holds.
///
/// # Errors
/// As [`read_sealed`].
pub fn read_with_seal<T: DeserializeOwned>(path: &Path) -> Result<(T, String), StoreError> {
    let corrupt = |reason: String| StoreError::Corrupt { path: path.to_owned(), reason };
    check_listed(path)?;
    let bytes = fs::read(path).map_err(io("read", path))?;
    let whole: Value = serde_json::from_slice(&bytes).map_err(|e| corrupt(format!("it is not valid JSON ({e})")))?;
    let format = whole.get("guike_model").and_then(Value::as_u64);
    match format {
        None => return Err(corrupt("it has no `guike_model` format number".to_owned())),
        Some(f) if f > u64::from(ARTIFACT_FORMAT) => {
            let found = u32::try_from(f).unwrap_or(u32::MAX);
            return Err(StoreError::Newer { path: path.to_owned(), found, known: ARTIFACT_FORMAT });
        }
        Some(_) => {}
    }
    let envelope: Envelope = serde_json::from_value(whole).map_err(|e| corrupt(e.to_string()))?;
    let found = checksum(&envelope.model);
    if found != envelope.checksum {
        return Err(corrupt(format!("its checksum is {found} where the file says {}", envelope.checksum)));
    }
    let model = serde_json::from_value(envelope.model).map_err(|e| corrupt(e.to_string()))?;
    Ok((model, found))
}

/// The text of a file that begins with `start`, and a fingerprint of it; `None` where it begins otherwise, after reading no
/// more than that.
///
/// # Errors
/// [`StoreError::Io`]; [`StoreError::Corrupt`] when it begins so and is no text.
pub fn read_text_beginning(path: &Path, start: &str) -> Result<Option<(String, String)>, StoreError> {
    let mut file = fs::File::open(path).map_err(io("read", path))?;
    let mut bytes = Vec::new();
    file.by_ref().take(start.len() as u64).read_to_end(&mut bytes).map_err(io("read", path))?;
    if bytes != start.as_bytes() {
        return Ok(None);
    }
    file.read_to_end(&mut bytes).map_err(io("read", path))?;
    let fingerprint = fingerprint(&bytes);
    let text = String::from_utf8(bytes)
        .map_err(|e| StoreError::Corrupt { path: path.to_owned(), reason: format!("it is not text ({e})") })?;
    Ok(Some((text, fingerprint)))
}

/// The bytes of a file.
///
/// # Errors
/// [`StoreError::Io`].
pub fn read_bytes(path: &Path) -> Result<Vec<u8>, StoreError> {
    fs::read(path).map_err(io("read", path))
}

/// Whether there is a file here.
pub fn is_there(path: &Path) -> bool {
    path.is_file()
}

/// The text of a file.
///
/// # Errors
/// [`StoreError::Io`], also when it is no text.
pub fn read_text(path: &Path) -> Result<String, StoreError> {
    fs::read_to_string(path).map_err(io("read", path))
}

/// The file `name` in a folder, or the path itself where it is no folder.
pub fn file_of(path: &Path, name: &str) -> PathBuf {
    if path.is_dir() { path.join(name) } else { path.to_owned() }
}

/// The first of the files `names` that is in a folder, or the path itself where it is no folder. The first name stands for
/// all where none is there, so that the error about it tells what was looked for.
pub fn file_among(path: &Path, names: &[&str]) -> PathBuf {
    if !path.is_dir() {
        return path.to_owned();
    }
    let there = names.iter().map(|n| path.join(n)).find(|p| p.is_file());
    there.unwrap_or_else(|| names.first().map_or_else(|| path.to_owned(), |n| path.join(n)))
}

/// Reads a JSON file of ours, or nothing where there is no such file.
///
/// # Errors
/// As [`read_json`].
pub fn read_json_if_there<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, StoreError> {
    if path.is_file() { read_json(path).map(Some) } else { Ok(None) }
}

/// Reads a JSON file of ours that carries no checksum of its own; where its folder has a list of them, it is held against that.
///
/// # Errors
/// [`StoreError::Corrupt`] when it is not JSON or not what it should be.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, StoreError> {
    if path.file_name().is_none_or(|name| name != CHECKSUMS_JSON) {
        check_listed(path)?;
    }
    let bytes = fs::read(path).map_err(io("read", path))?;
    serde_json::from_slice(&bytes).map_err(|e| StoreError::Corrupt { path: path.to_owned(), reason: e.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use guike_core::{Cutoff, Day, Horizon, ModelCard, Seed};

    fn artifact() -> Artifact {
        Artifact {
            card: ModelCard {
                name: "historical-rate".into(),
                format: 1,
                cutoff: Cutoff::after(Day(10_000)),
                horizon: Horizon::from_days(90).expect("in range"),
                n_customers: 3,
                seed: Seed(u64::MAX),
                features: vec![],
                parameters: [("r".to_owned(), 0.1 + 0.2)].into(),
                log_likelihood: Some(-9582.429),
            },
            body: serde_json::json!({"r": 0.1 + 0.2}),
        }
    }

    fn written() -> (tempfile::TempDir, std::path::PathBuf) {
        let tmp = tempfile::tempdir().expect("a temporary folder");
        let out = tmp.path().join("model");
        let staged = Staged::begin(&out).expect("begun");
        write_artifact(&staged, "model.json", &artifact()).expect("written");
        staged.commit().expect("committed");
        (tmp, out.join("model.json"))
    }

    #[test]
    fn a_model_file_reads_back_the_same() {
        let (_tmp, path) = written();
        assert_eq!(read_artifact(&path).expect("read"), artifact());
    }

    #[test]
    fn a_changed_digit_a_cut_and_a_newer_format_are_refused() {
        let (_tmp, path) = written();
        let text = fs::read_to_string(&path).expect("read");
        for (case, bad) in [
            ("digit", text.replace("-9582.429", "-9582.428")),
            ("cut", text[..text.len() / 2].to_owned()),
            ("foreign", "{}".to_owned()),
        ] {
            fs::write(&path, bad).expect("written");
            assert!(matches!(read_artifact(&path), Err(StoreError::Corrupt { .. })), "{case}");
        }
        fs::write(&path, text.replace("\"guike_model\": 1", "\"guike_model\": 9")).expect("written");
        assert!(matches!(read_artifact(&path), Err(StoreError::Newer { found: 9, .. })));
    }
}
