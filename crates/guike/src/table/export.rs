//! `guike export`: a saved model in a form that other programs read.

use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::saved;

use super::onnx;

/// A form to export to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportFormat {
    /// ONNX, with columns of the table as inputs.
    Onnx,
}

/// Protobuf readers refuse more.
const MOST_BYTES: usize = i32::MAX as usize;

/// Writes the model at `model` (a `model.json` or its folder) to `out`, by default beside it under the same name, and says
/// where.
///
/// # Errors
/// [`Error::Config`] when the model reads order logs, the learner has no such form or the file would be too large, [`Error::Store`] for a damaged model or
/// when the file cannot be written.
pub fn export(model: &Path, format: ExportFormat, out: Option<&Path>) -> Result<PathBuf, Error> {
    let ExportFormat::Onnx = format;
    let (loaded, path) = saved::open(model)?.on_tables()?;
    let refused = |rule: String| Error::Config { what: "--to".to_owned(), value: "onnx".to_owned(), rule };
    let bytes = onnx::bytes(&loaded).ok_or_else(|| {
        let why = match loaded.learner.as_str() {
            "neural-network" => "has no form in ONNX yet",
            _ => {
                "keeps its training rows and compares every new row with all of them, which ONNX cannot say in a graph of \
                 reasonable size"
            }
        };
        refused(format!(
            "{} {why}; `guike train --model` takes another learner, and docs/model-json.md says how to score model.json",
            loaded.learner
        ))
    })?;
    if bytes.len() > MOST_BYTES {
        return Err(refused(format!(
            "the file would have {} MB, and readers of ONNX accept {}; train a smaller model, for example `--model boosting`",
            bytes.len() >> 20,
            MOST_BYTES >> 20
        )));
    }
    let out = out.map_or_else(|| path.with_extension("onnx"), Path::to_owned);
    guike_store::write_bytes(&out, &bytes)?;
    Ok(out)
}
