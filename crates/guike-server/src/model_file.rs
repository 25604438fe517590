//! `GET /v1/models/{name}/versions/{version}/model.json`: a model as the file that other programs score.
//!
//! The one idea: what goes out has the bytes that were registered, or was read when the server started. They are held against
//! their checksum before the first of them goes, and then sent piece by piece.

use std::fs::File;
use std::io::{self, Read as _};

use axum::http::{HeaderValue, header};
use guike::workspace::{StoreError, UnchangedFile};

use crate::app::{Answer, App, Call};
use crate::problem::{Code, Problem};
use crate::query::Query;
use crate::sending::{Pieces, Sending};
use crate::served::{ServedModel, encoded};

/// Bytes of a piece.
const PIECE: usize = 256 << 10;

/// The address of a version's file.
pub(crate) fn address(name: &str, version: &str) -> String {
    format!("/v1/models/{}/versions/{}/model.json", encoded(name), encoded(version))
}

/// `GET /v1/models/{name}/versions/{version}/model.json`.
pub(crate) fn answer(app: &App, call: &Call) -> Result<Answer, Problem> {
    Query::parse(&call.query, &[])?;
    let (name, version) = (call.param("name"), call.param("version"));
    let file = find(app, name, version)?;
    let opened = file.open().map_err(|e| match e {
        StoreError::Corrupt { .. } => Problem::new(
            Code::DamagedFile,
            "the file is not what it was when it was registered, or when the server started; `guike models check` says \
             more, and `guike restore` takes it from a backup",
        ),
        _ => Problem::new(Code::DamagedFile, "the file cannot be read; `guike models check` says more"),
    })?;
    // letters that every client reads, and the name itself for those that can
    let disposition = format!(
        "attachment; filename=\"model.json\"; filename*=UTF-8''{}-{}.model.json",
        encoded(name),
        encoded(version)
    );
    Ok(Answer::streamed("application/json", Sending::of(Opened(opened), Some(file.bytes())))
        .header(header::CONTENT_DISPOSITION, HeaderValue::from_str(&disposition).expect("letters of an address"))
        .header(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")))
}

/// The file of a version that a workspace keeps, or of the model of a folder.
fn find(app: &App, name: &str, version: &str) -> Result<UnchangedFile, Problem> {
    if let Some(model) = app.served.models.iter().find(|m| m.stage.is_none() && m.name == name) {
        return of_folder(model, version);
    }
    match &app.served.kept {
        Some(kept) => kept.model_file(name, version),
        // says which there are
        None => of_folder(app.model(name)?, version),
    }
}

fn of_folder(model: &ServedModel, version: &str) -> Result<UnchangedFile, Problem> {
    if model.version != version {
        let detail = format!("a folder has one version, and that of this one is {}", model.version);
        return Err(Problem::new(Code::NoModel, detail));
    }
    model.file.clone().ok_or_else(|| {
        let detail = "this model is a text that LightGBM saved, and has no model.json; take the text itself";
        Problem::new(Code::NoModelFile, detail)
    })
}

/// What a run has in place of one file.
pub(crate) fn of_a_run() -> Problem {
    let detail = "this is a `guike run`, whose model is a folder (model.json and what lies beside it) and no file that \
                  scores by itself; GET /v1/customers has its forecasts";
    Problem::new(Code::NoModelFile, detail)
}

/// A file that was held against its checksum.
struct Opened(File);

impl Pieces for Opened {
    fn piece(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut piece = Vec::with_capacity(PIECE);
        self.0.by_ref().take(PIECE as u64).read_to_end(&mut piece)?;
        Ok(Some(piece).filter(|p| !p.is_empty()))
    }
}
