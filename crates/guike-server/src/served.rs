//! What is served: models and results, read once and never changed.
//!
//! The one idea: what is served is a value. When a workspace decides otherwise, a new value is made, of which everything that
//! is still in use is taken over, and takes the place of the old one.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};

use axum::http::HeaderValue;
use guike::Error;
use guike::history::{History, Now};
use guike::results::Results;
use guike::table::Outcome;
use guike::table::outcomes::Outcomes;
use guike::table::score::Scorer;
use guike::workspace::{Kind, Stage, UnchangedFile, Version, Workspace};
use guike_guard::Pseudonyms;

use crate::kept::Kept;
use crate::problem::{Code, Problem};

/// A model on tables, ready to answer.
#[derive(Debug)]
pub(crate) struct ServedModel {
    /// The name of its folder.
    pub(crate) name: String,
    /// Its number in the workspace; elsewhere a short form of the file's checksum: another one is another model.
    pub(crate) version: String,
    /// Its stage in the workspace.
    pub(crate) stage: Option<Stage>,
    /// Name and version, as the header `guike-model` says them.
    pub(crate) header: HeaderValue,
    pub(crate) scorer: Scorer,
    /// The names of the classes as JSON.
    pub(crate) classes: Vec<String>,
    /// The names of the columns as JSON.
    pub(crate) columns: Vec<String>,
    /// Its `model.json`; `None` for a text that LightGBM saved.
    pub(crate) file: Option<UnchangedFile>,
    /// How good it is, where the training's evaluation lies beside it.
    pub(crate) evaluation: Option<serde_json::Value>,
    /// How its probabilities of the positive class met what happened, where the training's predictions lie beside it.
    pub(crate) outcomes: Option<Outcomes>,
    /// Rows that it has predicted since the start.
    pub(crate) predicted: AtomicU64,
}

/// Everything that is served.
#[derive(Debug)]
pub(crate) struct Served {
    /// `POST /predict` asks the first.
    pub(crate) models: Vec<Arc<ServedModel>>,
    /// The results of `guike run`.
    pub(crate) run: Option<Arc<ServedRun>>,
    /// What the workspace keeps, where one is served.
    pub(crate) kept: Option<Arc<Kept>>,
}

/// The results of a run.
#[derive(Debug)]
pub(crate) struct ServedRun {
    /// The name of its folder.
    pub(crate) name: String,
    /// Its number in the workspace; elsewhere a short form of the forecasts' checksum.
    pub(crate) version: String,
    /// Its stage in the workspace.
    pub(crate) stage: Option<Stage>,
    /// What its files say, with what events have changed since.
    pub(crate) results: Arc<Results>,
    /// Events of the server's log that the results know of, but for those that the run read itself.
    events: usize,
    /// The run's log and model, read while requests are answered already.
    shelf: Arc<Shelf>,
    /// The numbers of all pseudonyms in order, with whose they are; made when one is asked for.
    names: OnceLock<Vec<(u64, u32)>>,
}

/// What takes long to read: empty until it is there; then what a run kept, or why it cannot be had.
type Shelf = OnceLock<Result<Option<History>, String>>;

impl ServedRun {
    /// The customer of a pseudonym.
    pub(crate) fn named(&self, names: &Pseudonyms, number: u64) -> Option<usize> {
        let sorted = self.names.get_or_init(|| {
            let mut all: Vec<(u64, u32)> =
                (0..self.results.len()).map(|at| (names.number(self.results.id(at)), at as u32)).collect();
            all.sort_unstable();
            all
        });
        let at = sorted.binary_search_by_key(&number, |(n, _)| *n).ok()?;
        Some(sorted[at].1 as usize)
    }

    /// The log and the model of the run.
    ///
    /// # Errors
    /// [`Problem`] where the run kept no log, or it is still being read.
    pub(crate) fn history(&self) -> Result<&History, Problem> {
        match self.shelf.get() {
            Some(Ok(Some(history))) => Ok(history),
            Some(Ok(None)) => Err(Problem::new(
                Code::NoHistory,
                "the results hold no log: it was left out with --without-log, or an earlier version made them; run again",
            )),
            Some(Err(_)) => Err(Problem::new(
                Code::NoHistory,
                "the log or the model of the run cannot be read; the server's log says why",
            )),
            None => {
                let detail = "the log of the run is still being read; ask again in a moment";
                Err(Problem::new(Code::StillReading, detail).retry_after(1))
            }
        }
    }

    /// Whether the other is this run, whatever events have changed.
    pub(crate) fn is_same_run(&self, other: &ServedRun) -> bool {
        Arc::ptr_eq(&self.shelf, &other.shelf)
    }

    /// The same run with customers as they are after so many events of the server's log.
    pub(crate) fn revised(&self, now: &[Now], events: usize) -> ServedRun {
        ServedRun {
            name: self.name.clone(),
            version: self.version.clone(),
            stage: self.stage,
            results: Arc::new(self.results.revised(now)),
            events,
            shelf: Arc::clone(&self.shelf),
            names: OnceLock::new(),
        }
    }

    /// What tells one state of the results from another: the version, and after events how many.
    pub(crate) fn tag(&self) -> String {
        if self.events == 0 { self.version.clone() } else { format!("{}.{}", self.version, self.events) }
    }

    /// The model that was chosen.
    pub(crate) fn learner(&self) -> String {
        self.results.evaluation()["chosen"].as_str().unwrap_or("unknown").to_owned()
    }
}

/// Hexadecimal digits of a checksum that tell models apart.
const VERSION_DIGITS: usize = 12;

impl Served {
    /// Reads everything; of a workspace the champions, and of its runs those called `run`. What `before` served and is still
    /// to be served is not read again.
    ///
    /// # Errors
    /// [`Error`] when something is not there, damaged, or two things have the same name.
    pub(crate) fn open(sources: &[PathBuf], run: Option<&str>, before: Option<&Served>) -> Result<Served, Error> {
        let mut served = Served { models: Vec::with_capacity(sources.len()), run: None, kept: None };
        for source in sources {
            if !Workspace::is_at(source) {
                served.add_folder(source, before)?;
            } else if served.kept.is_some() {
                return Err(refused(source, "one workspace is served at a time; start another server for the others"));
            } else {
                served.add_workspace(source, run, before)?;
            }
        }
        Ok(served)
    }

    /// A folder of `guike train` or `guike run`, by its name.
    fn add_folder(&mut self, source: &Path, before: Option<&Served>) -> Result<(), Error> {
        let name = name_of(source);
        self.is_free(source, &name)?;
        let is_run = source.join(guike::file_names::FORECASTS_CSV).is_file();
        // folders are read when the server starts, and stay
        if let Some(model) = before.and_then(|b| b.models.iter().find(|m| m.stage.is_none() && m.name == name)) {
            self.models.push(Arc::clone(model));
        } else if !is_run {
            self.models.push(Arc::new(ServedModel::open(source, name, None)?));
        } else if self.run.is_some() {
            return Err(refused(
                source,
                "the results of one run are served at a time; start another server for the others",
            ));
        } else if let Some(run) = before.and_then(|b| b.run.as_ref()).filter(|r| r.stage.is_none()) {
            self.run = Some(Arc::clone(run));
        } else {
            self.run = Some(Arc::new(ServedRun::open(source, name, None)?));
        }
        Ok(())
    }

    /// The champions of a workspace.
    fn add_workspace(&mut self, source: &Path, run: Option<&str>, before: Option<&Served>) -> Result<(), Error> {
        let workspace = Workspace::open(source)?;
        let kept = Kept::read(&workspace, run, before.is_none())?;
        for version in kept.champions() {
            self.is_free(source, &version.name)?;
            let number = version.number.to_string();
            match version.kind {
                Kind::Table => {
                    let same = |m: &&Arc<ServedModel>| {
                        m.name == version.name && m.version == number && m.stage == Some(version.stage)
                    };
                    let model = match before.and_then(|b| b.models.iter().find(same)) {
                        Some(model) => Arc::clone(model),
                        None => {
                            workspace.verify(version)?;
                            Arc::new(ServedModel::open(&version.folder, version.name.clone(), Some(version))?)
                        }
                    };
                    self.models.push(model);
                }
                Kind::Orders if self.run.is_some() => {
                    return Err(refused(
                        source,
                        "the results of one run are served at a time; leave one of the two out",
                    ));
                }
                Kind::Orders => {
                    let same = |r: &&Arc<ServedRun>| {
                        r.name == version.name && r.version == number && r.stage == Some(version.stage)
                    };
                    self.run = Some(match before.and_then(|b| b.run.as_ref()).filter(same) {
                        Some(run) => Arc::clone(run),
                        None => {
                            workspace.verify(version)?;
                            Arc::new(ServedRun::open(&version.folder, version.name.clone(), Some(version))?)
                        }
                    });
                }
            }
        }
        self.kept = Some(Arc::new(kept.holding(workspace)));
        Ok(())
    }

    /// The same with what events have changed in the run that is served now, if it is the same run.
    pub(crate) fn with_events_of(mut self, now: &Served) -> Served {
        if let Some((run, of_now)) = self.run.as_mut().zip(now.run.as_ref()).filter(|(run, n)| run.is_same_run(n)) {
            *run = Arc::clone(of_now);
        }
        self
    }

    fn is_free(&self, source: &Path, name: &str) -> Result<(), Error> {
        if !self.names().contains(&name) {
            return Ok(());
        }
        Err(refused(
            source,
            &format!("something else is already called `{name}`, as its folder; rename one of the folders"),
        ))
    }

    /// The names of everything.
    pub(crate) fn names(&self) -> Vec<&str> {
        self.models.iter().map(|m| m.name.as_str()).chain(self.run.iter().map(|r| r.name.as_str())).collect()
    }
}

fn refused(source: &Path, rule: &str) -> Error {
    Error::Config { what: "MODEL_OR_FOLDER".to_owned(), value: source.display().to_string(), rule: rule.to_owned() }
}

impl ServedRun {
    fn open(source: &Path, name: String, registered: Option<&Version>) -> Result<ServedRun, Error> {
        let results = Arc::new(Results::open(source)?);
        // the first who asks for an order does not wait until a million customers are sorted
        let orders = Arc::clone(&results);
        std::thread::spawn(move || orders.warm());
        let version = registered.map_or_else(|| version(results.fingerprint()), |v| v.number.to_string());
        let shelf = Arc::new(Shelf::new());
        let (filled, source) = (Arc::clone(&shelf), source.to_owned());
        std::thread::spawn(move || {
            // nobody else fills it
            let _ = filled.set(History::open(&source).map_err(|e| e.to_string()));
        });
        let stage = registered.map(|v| v.stage);
        Ok(ServedRun { name, version, stage, results, events: 0, shelf, names: OnceLock::new() })
    }
}

/// The beginning of a checksum.
fn version(fingerprint: &str) -> String {
    fingerprint.rsplit('-').next().unwrap_or_default().chars().take(VERSION_DIGITS).collect()
}

impl ServedModel {
    fn open(source: &Path, name: String, registered: Option<&Version>) -> Result<ServedModel, Error> {
        let scorer = Scorer::open(source)?;
        let json = |text: &String| serde_json::to_string(text).expect("a text is JSON");
        let classes = match scorer.outcome() {
            Outcome::Regression => Vec::new(),
            Outcome::Classification { classes, .. } => classes.iter().map(json).collect(),
        };
        let version = registered.map_or_else(|| version(scorer.fingerprint()), |v| v.number.to_string());
        let folder = if source.is_dir() { Some(source) } else { source.parent() };
        let file = if source.is_dir() { source.join(guike::table::file_names::MODEL_JSON) } else { source.to_owned() };
        let file = scorer.is_of_json().then(|| UnchangedFile::now(&file)).transpose()?;
        let positive = scorer.outcome().positive().and_then(|p| match scorer.outcome() {
            Outcome::Classification { classes, .. } => classes.get(p),
            Outcome::Regression => None,
        });
        let outcomes = match (folder, positive) {
            (Some(folder), Some(class)) => Outcomes::read(folder, class)?,
            _ => None,
        };
        let beside = folder.map(|f| f.join(guike::table::file_names::EVALUATION_JSON)).filter(|f| f.is_file());
        Ok(ServedModel {
            header: HeaderValue::from_str(&format!("{}/{version}", encoded(&name))).expect("letters of an address"),
            name,
            version,
            stage: registered.map(|v| v.stage),
            classes,
            columns: scorer.inputs().iter().map(|c| json(&c.name)).collect(),
            scorer,
            file,
            outcomes,
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
