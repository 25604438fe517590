//! What is served: the models, read once and never changed.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;

use axum::http::HeaderValue;
use guike::Error;
use guike::table::Outcome;
use guike::table::score::Scorer;

/// A model on tables, ready to answer.
#[derive(Debug)]
pub(crate) struct ServedModel {
    /// The name of its folder.
    pub(crate) name: String,
    /// A short form of the file's checksum: another one is another model.
    pub(crate) version: String,
    /// Name and version, as the header `guike-model` says them.
    pub(crate) header: HeaderValue,
    pub(crate) scorer: Scorer,
    /// The names of the classes as JSON.
    pub(crate) classes: Vec<String>,
    /// The names of the columns as JSON.
    pub(crate) columns: Vec<String>,
    /// Rows that it has predicted since the start.
    pub(crate) predicted: AtomicU64,
}

/// Everything that is served.
#[derive(Debug)]
pub(crate) struct Served {
    /// At least one; `POST /predict` asks the first.
    pub(crate) models: Vec<ServedModel>,
}

/// Hexadecimal digits of a checksum that tell models apart.
const VERSION_DIGITS: usize = 12;

impl Served {
    /// Reads everything.
    ///
    /// # Errors
    /// [`Error`] when something is not there, damaged, or two models have the same name.
    pub(crate) fn open(sources: &[PathBuf]) -> Result<Served, Error> {
        let mut models: Vec<ServedModel> = Vec::with_capacity(sources.len());
        for source in sources {
            let model = ServedModel::open(source)?;
            if let Some(same) = models.iter().find(|m| m.name == model.name) {
                return Err(Error::Config {
                    what: "MODEL".to_owned(),
                    value: source.display().to_string(),
                    rule: format!(
                        "another model is already called `{}`, as its folder; rename one of the folders",
                        same.name
                    ),
                });
            }
            models.push(model);
        }
        Ok(Served { models })
    }
}

impl ServedModel {
    fn open(source: &Path) -> Result<ServedModel, Error> {
        let scorer = Scorer::open(source)?;
        let digits = scorer.fingerprint().rsplit('-').next().unwrap_or_default();
        let json = |text: &String| serde_json::to_string(text).expect("a text is JSON");
        let classes = match scorer.outcome() {
            Outcome::Regression => Vec::new(),
            Outcome::Classification { classes, .. } => classes.iter().map(json).collect(),
        };
        let (name, version) = (name_of(source), digits.chars().take(VERSION_DIGITS).collect::<String>());
        Ok(ServedModel {
            header: HeaderValue::from_str(&format!("{}/{version}", encoded(&name))).expect("letters of an address"),
            name,
            version,
            classes,
            columns: scorer.inputs().iter().map(|c| json(&c.name)).collect(),
            scorer,
            predicted: AtomicU64::new(0),
        })
    }
}

/// The folder's name, or the file's without its ending; of `value-model/model.json` the folder's.
fn name_of(source: &Path) -> String {
    let absolute = std::path::absolute(source).unwrap_or_else(|_| source.to_owned());
    let named = if absolute.file_name().is_some_and(|n| n == "model.json") {
        absolute.parent().and_then(Path::file_name)
    } else if absolute.is_dir() {
        absolute.file_name()
    } else {
        absolute.file_stem()
    };
    let letters = named.map_or_else(|| "model".into(), |n| n.to_string_lossy());
    // the name is part of addresses and metrics
    letters.chars().map(|c| if c.is_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '-' }).collect()
}

/// As a part of an address: what is not a letter of it becomes %XX.
pub(crate) fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for b in text.bytes() {
        match b {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(b)),
            _ => out.push_str(&format!("%{b:02X}")),
        }
    }
    out
}
