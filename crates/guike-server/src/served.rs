//! What is served: the models, read once and never changed.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;

use axum::http::HeaderValue;
use guike::Error;
use guike::results::Results;
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
    /// How good it is, where the training's evaluation lies beside it.
    pub(crate) evaluation: Option<serde_json::Value>,
    /// Rows that it has predicted since the start.
    pub(crate) predicted: AtomicU64,
}

/// Everything that is served.
#[derive(Debug)]
pub(crate) struct Served {
    /// `POST /predict` asks the first.
    pub(crate) models: Vec<ServedModel>,
    /// The results of `guike run`.
    pub(crate) run: Option<ServedRun>,
}

/// The results of a run.
#[derive(Debug)]
pub(crate) struct ServedRun {
    /// The name of its folder.
    pub(crate) name: String,
    /// A short form of the forecasts' checksum.
    pub(crate) version: String,
    pub(crate) results: Results,
}

impl ServedRun {
    /// The model that was chosen.
    pub(crate) fn learner(&self) -> String {
        self.results.evaluation()["chosen"].as_str().unwrap_or("unknown").to_owned()
    }
}

/// Hexadecimal digits of a checksum that tell models apart.
const VERSION_DIGITS: usize = 12;

impl Served {
    /// Reads everything.
    ///
    /// # Errors
    /// [`Error`] when something is not there, damaged, or two models have the same name.
    pub(crate) fn open(sources: &[PathBuf]) -> Result<Served, Error> {
        let mut served = Served { models: Vec::with_capacity(sources.len()), run: None };
        let refused = |source: &Path, rule: String| Error::Config {
            what: "MODEL_OR_FOLDER".to_owned(),
            value: source.display().to_string(),
            rule,
        };
        for source in sources {
            let name = name_of(source);
            if served.names().contains(&name.as_str()) {
                let rule =
                    format!("something else is already called `{name}`, as its folder; rename one of the folders");
                return Err(refused(source, rule));
            }
            if !source.join(guike::file_names::FORECASTS_CSV).is_file() {
                served.models.push(ServedModel::open(source, name)?);
            } else if served.run.is_some() {
                let rule = "the results of one run are served at a time; start another server for the others";
                return Err(refused(source, rule.to_owned()));
            } else {
                let results = Results::open(source)?;
                served.run = Some(ServedRun { name, version: version(results.fingerprint()), results });
            }
        }
        Ok(served)
    }

    /// The names of everything.
    pub(crate) fn names(&self) -> Vec<&str> {
        self.models.iter().map(|m| m.name.as_str()).chain(self.run.iter().map(|r| r.name.as_str())).collect()
    }
}

/// The beginning of a checksum.
fn version(fingerprint: &str) -> String {
    fingerprint.rsplit('-').next().unwrap_or_default().chars().take(VERSION_DIGITS).collect()
}

impl ServedModel {
    fn open(source: &Path, name: String) -> Result<ServedModel, Error> {
        let scorer = Scorer::open(source)?;
        let json = |text: &String| serde_json::to_string(text).expect("a text is JSON");
        let classes = match scorer.outcome() {
            Outcome::Regression => Vec::new(),
            Outcome::Classification { classes, .. } => classes.iter().map(json).collect(),
        };
        let version = version(scorer.fingerprint());
        let folder = if source.is_dir() { Some(source) } else { source.parent() };
        let beside = folder.map(|f| f.join(guike::table::file_names::EVALUATION_JSON)).filter(|f| f.is_file());
        Ok(ServedModel {
            header: HeaderValue::from_str(&format!("{}/{version}", encoded(&name))).expect("letters of an address"),
            name,
            version,
            classes,
            columns: scorer.inputs().iter().map(|c| json(&c.name)).collect(),
            scorer,
            evaluation: beside.and_then(|f| serde_json::from_slice(&std::fs::read(f).ok()?).ok()),
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
