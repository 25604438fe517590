//! Which model lies at a path: one of `guike run`, one of `guike train`, or a text that LightGBM saved.
//!
//! The one idea: every command that takes a model opens it here. So all of them take the same things (the file, its folder,
//! the folder of a run), and a model of the other kind is called what it is, with the command that reads it.

use std::path::{Path, PathBuf};

use guike_core::Artifact;
use guike_store::{StoreError, file_among, read_json, read_text_beginning, read_with_seal};
use serde_json::Value;

use crate::error::Error;
use crate::forecast::Calibration;
use crate::output::names;
use crate::table::{self, Loaded};

/// A model that was read back.
pub(crate) enum SavedModel {
    /// Of `guike run`: it reads order logs.
    Orders(Box<Artifact>),
    /// Of `guike train` or LightGBM: it reads tables.
    Table(Box<Loaded>),
}

/// A model and the file in which it lies.
pub(crate) struct Opened {
    pub(crate) file: PathBuf,
    pub(crate) model: SavedModel,
}

/// Opens the model at `path`: a `model.json`, a text that LightGBM saved, the folder of either, or the folder of a run.
///
/// # Errors
/// [`Error::Store`] for a model that is missing or damaged.
pub(crate) fn open(path: &Path) -> Result<Opened, Error> {
    let file = file_among(path, &[table::file_names::MODEL_JSON, names::MODEL_JSON]);
    let corrupt = |reason: String| StoreError::Corrupt { path: file.clone(), reason };
    if let Some((text, fingerprint)) = read_text_beginning(&file, table::LIGHTGBM_BEGINS)? {
        let loaded = Loaded::of_lightgbm(&text, fingerprint).map_err(corrupt)?;
        return Ok(Opened { file, model: SavedModel::Table(Box::new(loaded)) });
    }
    let (saved, fingerprint): (Value, String) = read_with_seal(&file)?;
    let model = if table::is_table_model(&saved) {
        SavedModel::Table(Box::new(Loaded::of_json(saved, fingerprint).map_err(corrupt)?))
    } else {
        SavedModel::Orders(Box::new(serde_json::from_value(saved).map_err(|e| corrupt(e.to_string()))?))
    };
    Ok(Opened { file, model })
}

impl Opened {
    /// A model on tables.
    ///
    /// # Errors
    /// [`Error::Config`] for a model of `guike run`, with the commands that read it.
    pub(crate) fn on_tables(self) -> Result<(Loaded, PathBuf), Error> {
        match self.model {
            SavedModel::Table(loaded) => Ok((*loaded, self.file)),
            SavedModel::Orders(artifact) => Err(Error::Config {
                what: "MODEL".to_owned(),
                value: self.file.display().to_string(),
                rule: format!(
                    "this is the model `{}` that `guike run` fitted to an order log, and not one of `guike train`; \
                     `guike forecast LOG --model-dir {}` forecasts with it, and `guike explain` says why",
                    artifact.card.name,
                    folder(&self.file)
                ),
            }),
        }
    }

    /// A model on order logs; `what` is the flag that named it.
    ///
    /// # Errors
    /// [`Error::Config`] for a model on tables, with the commands that read it.
    pub(crate) fn on_orders(self, what: &str) -> Result<(Artifact, PathBuf), Error> {
        match self.model {
            SavedModel::Orders(artifact) => Ok((*artifact, self.file)),
            SavedModel::Table(loaded) => Err(Error::Config {
                what: what.to_owned(),
                value: self.file.display().to_string(),
                rule: format!(
                    "this is a model that reads tables ({}), and not one of `guike run`; `guike predict {} TABLE` predicts \
                     with it, and `guike explain` says why",
                    loaded.learner_name(),
                    self.file.display()
                ),
            }),
        }
    }
}

/// The corrections that belong to a model of `guike run`: they lie beside it.
///
/// # Errors
/// [`Error::Store`] when they are missing or damaged.
pub(crate) fn calibration_beside(model: &Path) -> Result<Calibration, Error> {
    let name = Path::new(names::CALIBRATION_JSON).file_name().unwrap_or_default();
    Ok(read_json(&model.with_file_name(name))?)
}

/// The folder of a file, as one types it.
fn folder(file: &Path) -> String {
    match file.parent() {
        Some(p) if !p.as_os_str().is_empty() => p.display().to_string(),
        _ => ".".to_owned(),
    }
}
