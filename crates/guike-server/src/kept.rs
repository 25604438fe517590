//! A workspace that is served: what it keeps, and seeing what it decides.
//!
//! The one idea: a thread of its own asks twice a second for three numbers that change with every version and decision. When
//! they do, it reads what is new, and only then does that take the place of the old: no request waits for it, and when
//! something cannot be read, what was served stays.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use guike::Error;
use guike::workspace::{
    Audience, Decision, Kind, Revision, Saved, Stage, StoreError, UnchangedFile, Version, Workspace,
};

use crate::app::{Answer, App, Call, Door, internal};
use crate::drift::Drifts;
use crate::model_file;
use crate::problem::{Code, Problem};
use crate::query::Query;
use crate::served::Served;
use crate::views::{DecisionView, Runs, VersionView, Versions};

const NO_VERSION: &str = "the workspace keeps no such version; GET /v1/models/{name}/versions lists them";
const NOTHING_OF_THIS_NAME: &str =
    "the workspace keeps nothing of this name; GET /v1/models and GET /v1/runs list what it keeps";

/// How often a workspace is asked.
const EVERY: Duration = Duration::from_millis(500);

/// What a workspace keeps, at one moment.
#[derive(Debug)]
pub(crate) struct Kept {
    versions: Vec<Version>,
    decisions: Vec<Decision>,
    revision: Revision,
    /// Which runs are served.
    run: Option<String>,
    /// The workspace itself, for what is kept in it beside versions; `None` until it is handed over.
    workspace: Mutex<Option<Workspace>>,
}

impl Kept {
    /// Reads what a workspace keeps; `run` says which of several runs are served, and is believed later (`is_start`).
    ///
    /// # Errors
    /// [`Error::Config`] when it does not, or there is none of this name; [`Error::Store`].
    pub(crate) fn read(workspace: &Workspace, run: Option<&str>, is_start: bool) -> Result<Kept, Error> {
        // asked first: what comes later is seen the next time
        let revision = workspace.revision()?;
        let (versions, decisions) = (workspace.versions()?, workspace.decisions(None)?);
        let mut names: Vec<&str> =
            versions.iter().filter(|v| v.kind == Kind::Orders).map(|v| v.name.as_str()).collect();
        names.dedup();
        let refused =
            |value: &str, rule: String| Err(Error::Config { what: "--run".to_owned(), value: value.to_owned(), rule });
        let listed = names.join("`, `");
        let run = match (run, names.as_slice()) {
            (Some(run), _) if is_start && !names.is_empty() && !names.contains(&run) => {
                return refused(run, format!("the workspace has no runs of this name; it has `{listed}`"));
            }
            (Some(run), _) => Some(run.to_owned()),
            (None, []) => None,
            (None, [one]) => Some((*one).to_owned()),
            (None, _) => {
                return refused("", format!("the runs of one name are served at a time; choose one of `{listed}`"));
            }
        };
        Ok(Kept { versions, decisions, revision, run, workspace: Mutex::default() })
    }

    /// With the workspace that it was read from.
    pub(crate) fn holding(mut self, workspace: Workspace) -> Kept {
        self.workspace = Mutex::new(Some(workspace));
        self
    }

    /// The saved audiences by name.
    ///
    /// # Errors
    /// [`Problem`] when they cannot be read.
    pub(crate) fn audiences(&self) -> Result<Vec<Audience>, Problem> {
        self.asked(Code::WrongAudience, |workspace| workspace.audiences())
    }

    /// Saves an audience; it is on disk then.
    ///
    /// # Errors
    /// [`Problem`] for a name that is none, and what cannot be written.
    pub(crate) fn save(&self, audience: &Audience) -> Result<Saved, Problem> {
        self.asked(Code::WrongAudience, |workspace| workspace.save_audience(audience))
    }

    /// Deletes an audience; says whether there was one.
    ///
    /// # Errors
    /// [`Problem`] for what cannot be written.
    pub(crate) fn delete(&self, name: &str) -> Result<bool, Problem> {
        self.asked(Code::WrongAudience, |workspace| workspace.delete_audience(name))
    }

    /// The `model.json` of a version.
    ///
    /// # Errors
    /// [`Problem`] where there is no such version, it is a run, or the workspace cannot be read.
    pub(crate) fn model_file(&self, name: &str, number: &str) -> Result<UnchangedFile, Problem> {
        let of_name: Vec<&Version> = self.versions.iter().filter(|v| v.name == name).collect();
        let Some(version) = of_name.iter().find(|v| v.number.to_string() == number) else {
            let numbers: Vec<String> = of_name.iter().map(|v| v.number.to_string()).collect();
            let detail = if numbers.is_empty() {
                NOTHING_OF_THIS_NAME.to_owned()
            } else {
                format!("the workspace keeps no such version of this name; it has {}", numbers.join(", "))
            };
            return Err(Problem::new(Code::NoModel, detail));
        };
        if version.kind == Kind::Orders {
            return Err(model_file::of_a_run());
        }
        let file =
            self.asked(Code::NotChanged, |workspace| workspace.file(version, guike::table::file_names::MODEL_JSON))?;
        file.ok_or_else(|| Problem::new(Code::NoModelFile, "this version was registered without a model.json"))
    }

    /// Asks the workspace itself; `code` is what a refusal is.
    pub(crate) fn asked<T>(
        &self,
        code: Code,
        ask: impl FnOnce(&mut Workspace) -> Result<T, StoreError>,
    ) -> Result<T, Problem> {
        let mut held = self.workspace.lock().unwrap_or_else(PoisonError::into_inner);
        let workspace = held.as_mut().ok_or_else(internal)?;
        // one that could not be written when it was opened may be so now: space returned, a disk is mounted otherwise
        if workspace.is_frozen()
            && let Ok(again) = Workspace::open(workspace.root())
        {
            *workspace = again;
        }
        ask(workspace).map_err(|e| match e {
            StoreError::Refused { what: "WORKSPACE", rule, .. } => Problem::new(Code::NotSaved, rule),
            StoreError::Refused { rule, .. } => Problem::new(code, rule),
            StoreError::NotRegistered(_) => Problem::new(Code::NoModel, NO_VERSION),
            StoreError::InUse(_) => {
                let detail = "the workspace is being written by another process; try again in a moment";
                Problem::new(Code::Busy, detail).retry_after(1)
            }
            StoreError::Io { .. } => {
                let detail = "the workspace cannot be written, so nothing was changed; is the disk full or read-only?";
                Problem::new(Code::NotSaved, detail).retry_after(5)
            }
            _ => internal(),
        })
    }

    /// The runs of the name that is served, by number, whatever their stage.
    pub(crate) fn runs(&self) -> impl Iterator<Item = &Version> {
        self.versions.iter().filter(|v| v.kind == Kind::Orders && Some(&v.name) == self.run.as_ref())
    }

    /// The versions of a name, by number.
    pub(crate) fn versions_of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Version> {
        self.versions.iter().filter(move |v| v.name == name)
    }

    /// The versions to serve: champions, of runs those that were chosen.
    pub(crate) fn champions(&self) -> impl Iterator<Item = &Version> {
        let chosen = |v: &&Version| v.kind == Kind::Table || Some(&v.name) == self.run.as_ref();
        self.versions.iter().filter(|v| v.stage == Stage::Champion).filter(chosen)
    }
}

/// The thread that sees what a workspace decides; it ends with this.
#[derive(Debug)]
pub(crate) struct Watcher {
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Watcher {
    /// Watches the workspace among the sources; `None` where there is none.
    pub(crate) fn start(sources: Vec<PathBuf>, door: Arc<Door>) -> Option<Watcher> {
        let root = sources.iter().find(|s| Workspace::is_at(s))?.clone();
        let ended = Arc::<AtomicBool>::default();
        let of_thread = Arc::clone(&ended);
        let thread = std::thread::spawn(move || {
            let mut workspace = None;
            let mut failed = String::new();
            let mut recorded = Recorded::of(&door.app());
            while !of_thread.load(Ordering::Acquire) {
                std::thread::park_timeout(EVERY);
                let seen = look(&root, &mut workspace, &sources, &door);
                let app = door.app();
                if let Some(workspace) = &workspace {
                    recorded.go_on(workspace, &app);
                }
                match seen {
                    Ok(None) => failed.clear(),
                    Ok(Some(served)) => {
                        failed.clear();
                        app.metrics.reloads[0].fetch_add(1, Ordering::Relaxed);
                        app.logger.note("workspace-served", &served);
                    }
                    Err(e) => {
                        workspace = None;
                        app.metrics.reloads[1].fetch_add(1, Ordering::Relaxed);
                        // told once, and tried again each time: the disk may have been full
                        let words = e.to_string();
                        if words != failed {
                            app.logger.note("workspace-not-read", &words);
                            failed = words;
                        }
                    }
                }
            }
        });
        Some(Watcher { ended, thread: Some(thread) })
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}

/// How far the decisions of the workspace stand in the audit log.
struct Recorded {
    n: usize,
    revision: Option<Revision>,
}

impl Recorded {
    /// What was decided before the start is not recorded.
    fn of(app: &App) -> Recorded {
        let kept = app.served.kept.as_ref();
        Recorded { n: kept.map_or(0, |k| k.decisions.len()), revision: kept.map(|k| k.revision) }
    }

    /// Records what was decided since; what cannot be recorded now is tried again at the next look.
    fn go_on(&mut self, workspace: &Workspace, app: &App) {
        let Ok(revision) = workspace.revision() else { return };
        if self.revision == Some(revision) {
            return;
        }
        let Ok(decisions) = workspace.decisions(None) else { return };
        for decision in decisions.iter().skip(self.n) {
            if !app.decided(decision, self.n + 1) {
                return;
            }
            self.n += 1;
        }
        self.revision = Some(revision);
    }
}

/// Serves what the workspace decided since it was last read; says what that is.
fn look(
    root: &std::path::Path,
    workspace: &mut Option<Workspace>,
    sources: &[PathBuf],
    door: &Door,
) -> Result<Option<String>, Error> {
    // one that could not be written shows no more than there was when it was opened
    if workspace.as_ref().is_none_or(Workspace::is_frozen) {
        *workspace = Some(Workspace::open(root)?);
    }
    let Some(workspace) = workspace else { return Ok(None) };
    let app = door.app();
    let kept = app.served.kept.as_ref();
    if kept.is_some_and(|k| workspace.revision().is_ok_and(|now| now == k.revision)) {
        return Ok(None);
    }
    // an error of the question is that of the reading, too
    let served = Served::open(sources, kept.and_then(|k| k.run.as_deref()), Some(&app.served))?;
    let models = served.models.iter().map(|m| format!("{} {}", m.name, m.version));
    let run = served.run.iter().map(|r| format!("{} {}", r.name, r.version));
    let words = models.chain(run).collect::<Vec<String>>().join(", ");
    door.change(|now| Some(served.with_events_of(now)));
    Drifts::warm(door.app());
    Ok(Some(words))
}

pub(crate) fn kept(app: &App) -> Result<&Kept, Problem> {
    let detail =
        "folders are served, which have no versions; start the server with a workspace (`guike train --workspace`)";
    app.served.kept.as_deref().ok_or_else(|| Problem::new(Code::NoWorkspace, detail))
}

/// `GET /v1/models/{name}/versions`.
pub(crate) fn versions(app: &App, call: &Call) -> Result<Answer, Problem> {
    Query::parse(&call.query, &[])?;
    let (kept, name) = (kept(app)?, call.param("name"));
    let versions: Vec<VersionView> = kept.versions.iter().filter(|v| v.name == name).map(view).collect();
    if versions.is_empty() {
        return Err(Problem::new(Code::NoModel, NOTHING_OF_THIS_NAME));
    }
    let number = |n: u32| n.to_string();
    let decisions = kept.decisions.iter().filter(|d| d.name == name).map(|d| DecisionView {
        at: moment(d.at),
        action: d.action.name(),
        version: number(d.version),
        before: d.before.map(number),
        reason: d.reason.clone(),
        forced: d.forced,
        figures: d.figures.clone(),
    });
    Ok(Answer::of(&Versions { versions, decisions: decisions.collect() }))
}

/// `GET /v1/runs`.
pub(crate) fn runs(app: &App, call: &Call) -> Result<Answer, Problem> {
    Query::parse(&call.query, &[])?;
    let runs = kept(app)?.versions.iter().filter(|v| v.kind == Kind::Orders).map(view).collect();
    Ok(Answer::of(&Runs { runs }))
}

fn view(v: &Version) -> VersionView {
    let mut lineage = v.lineage.clone();
    // they may name files of the machine
    if let Some(members) = lineage.as_object_mut() {
        for name in ["settings", "log", "table"] {
            members.remove(name);
        }
    }
    VersionView {
        name: v.name.clone(),
        version: v.number.to_string(),
        stage: v.stage.name(),
        kind: v.kind.name(),
        learner: v.card["learner"].clone(),
        created: moment(v.created),
        checksum: v.checksum.clone(),
        data: v.data.clone(),
        follows: v.follows.map(|n| n.to_string()),
        metrics: v.metrics.clone(),
        lineage,
    }
}

/// `2026-01-31T23:59:59Z`.
pub(crate) fn moment(at: guike_core::Timestamp) -> String {
    at.to_string().replacen(' ', "T", 1) + "Z"
}
