//! `/v1/jobs`: training and refreshing while requests are answered.
//!
//! The one idea: one thread of its own takes one job after the other, on fewer threads than the machine has cores and with
//! less right to them, so that answers keep theirs. What a job makes goes through the workspace's registry, as on the command line; the server sees the
//! new version as it sees any other. How jobs stand is on disk before it is told ([`guike::jobs`]).

mod api;
mod meter;
mod upload;

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{SystemTime, UNIX_EPOCH};

use guike::jobs::{Job, JobKind, JobState, RefreshFrom};
use guike::table::TableSettings;
use guike::workspace::Workspace;
use guike::{Error, ErrorKind, Language};
use guike_core::Timestamp;

use crate::JobLimits;
use crate::problem::{Code, Problem};

pub(crate) use api::by as asker;
pub(crate) use api::{JobView, JobsView, all, ask, cancel, one, refresh, stop, view};
use meter::Meter;
pub(crate) use upload::{FORM, train_by_form};

/// How far jobs stand back on Linux: of two threads on one core, theirs gets a tenth.
#[cfg(target_os = "linux")]
const NICE: i32 = 10;
/// The folder for tables that came with jobs, within the workspace.
const DRAFTS: &str = "drafts";
/// Held by the server that does the jobs of a workspace.
const LOCK: &str = ".jobs";

/// The jobs of a workspace; [`Jobs::end`] ends the one that runs.
#[derive(Debug)]
pub(crate) struct Jobs {
    shared: Arc<Shared>,
    runner: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Shared {
    /// The workspace.
    root: PathBuf,
    /// What refreshing reads, and under which name it registers.
    from: RefreshFrom,
    limits: JobLimits,
    state: Mutex<State>,
    come: Condvar,
    has_ended: AtomicBool,
    // held as long as jobs are done here
    _lock: File,
}

#[derive(Debug)]
struct State {
    jobs: Vec<Job>,
    /// The next id: also those whose table is still arriving have one.
    next: u64,
    /// Jobs whose table is still arriving.
    arriving: usize,
    /// What runs, and how far it is.
    running: Option<(u64, Arc<Meter>)>,
}

/// How far a job is that runs.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Progressed {
    /// The name of the stage.
    pub(crate) stage: String,
    /// How much of it is done, from 0 to 1; `None` where that is not known.
    pub(crate) share: Option<f64>,
    /// Seconds that are left of the stage, at the pace so far.
    pub(crate) seconds_left: Option<u64>,
    /// Whether it was asked to stop.
    pub(crate) is_stopping: bool,
}

/// What is asked for.
#[derive(Debug, Clone)]
pub(crate) struct NewJob {
    pub(crate) kind: JobKind,
    pub(crate) name: String,
    pub(crate) by: String,
    pub(crate) settings: Option<TableSettings>,
    pub(crate) promote: bool,
    /// What the table is called.
    pub(crate) table: Option<String>,
    /// Of who asks.
    pub(crate) language: Language,
}

impl Jobs {
    /// Finds the jobs that were left, and waits for new ones; `None` where another server does those of this workspace.
    ///
    /// # Errors
    /// [`Error`] when the file of jobs is damaged or cannot be written.
    pub(crate) fn open(root: &Path, from: RefreshFrom, limits: JobLimits) -> Result<Option<Jobs>, Error> {
        let Some(lock) = locked_folder(root)? else { return Ok(None) };
        let jobs = guike::jobs::open(root, now())?;
        let next = jobs.iter().map(|j| j.id).max().unwrap_or(0) + 1;
        let shared = Arc::new(Shared {
            root: root.to_owned(),
            from,
            limits,
            state: Mutex::new(State { jobs, next, arriving: 0, running: None }),
            come: Condvar::new(),
            has_ended: AtomicBool::new(false),
            _lock: lock,
        });
        let of_thread = Arc::clone(&shared);
        let runner = std::thread::Builder::new().name("jobs".to_owned()).spawn(move || {
            stand_back();
            of_thread.run_all();
        });
        let runner = runner.map_err(|e| Error::Internal(format!("the system gives no thread ({e})")))?;
        Ok(Some(Jobs { shared, runner: Mutex::new(Some(runner)) }))
    }

    /// All jobs, the newest first, with how far each is that runs.
    pub(crate) fn list(&self) -> Vec<(Job, Option<Progressed>)> {
        let state = self.shared.locked();
        let far = |job: &Job| state.running.as_ref().filter(|(id, _)| *id == job.id).map(|(_, meter)| meter.far());
        state.jobs.iter().rev().map(|job| (job.clone(), far(job))).collect()
    }

    /// The job of this number.
    pub(crate) fn find(&self, id: u64) -> Option<(Job, Option<Progressed>)> {
        self.list().into_iter().find(|(job, _)| job.id == id)
    }

    /// Seconds that the newest job of this kind and name took which was done.
    pub(crate) fn usual_seconds(&self, job: &Job) -> Option<u64> {
        let state = self.shared.locked();
        let same = |j: &&Job| j.kind == job.kind && j.name == job.name && j.state == JobState::Done;
        let found = state.jobs.iter().rev().find(same)?;
        u64::try_from(found.ended?.0 - found.begun?.0).ok()
    }

    /// Whether a refresh can be asked for.
    pub(crate) fn can_refresh(&self) -> bool {
        !self.shared.from.orders.is_empty()
    }

    /// A place for a job whose table is about to arrive: its number, and where the table goes.
    ///
    /// # Errors
    /// [`Problem`] when as many wait as may.
    pub(crate) fn place(&self) -> Result<Place<'_>, Problem> {
        let mut state = self.shared.locked();
        let waiting = state.jobs.iter().filter(|j| j.state == JobState::Queued).count() + state.arriving;
        if waiting >= self.shared.limits.queue {
            let detail = format!(
                "{waiting} jobs wait, as many as --max-jobs allows; ask again when one has ended, or cancel one that waits"
            );
            return Err(Problem::new(Code::TooManyJobs, detail).retry_after(30));
        }
        let id = state.next;
        state.next += 1;
        state.arriving += 1;
        Ok(Place { jobs: self, id, is_taken: false })
    }

    /// Bytes that a table may have.
    pub(crate) fn table_bytes(&self) -> u64 {
        self.shared.limits.table_bytes
    }

    /// Stops a job that waits or runs; `None` where there is none of this number.
    ///
    /// # Errors
    /// [`Problem`] for a job that is over.
    pub(crate) fn cancel(&self, id: u64) -> Result<Option<Job>, Problem> {
        let mut state = self.shared.locked();
        if let Some((_, meter)) = state.running.as_ref().filter(|r| r.0 == id) {
            meter.stop();
            return Ok(state.jobs.iter().find(|j| j.id == id).cloned());
        }
        let Some(job) = state.jobs.iter_mut().find(|j| j.id == id) else { return Ok(None) };
        if job.state.is_over() {
            let detail = format!("the job is {} already", job.state.name());
            return Err(Problem::new(Code::JobOver, detail));
        }
        let before = job.clone();
        job.state = JobState::Cancelled;
        job.ended = Some(now());
        let cancelled = job.clone();
        if self.shared.keep(&mut state).is_err() {
            state.jobs.iter_mut().filter(|j| j.id == id).for_each(|j| *j = before.clone());
            return Err(not_written());
        }
        let _ = std::fs::remove_file(table_of(&self.shared.root, id));
        Ok(Some(cancelled))
    }

    /// Stops what runs and waits for its end: it is found as interrupted at the next start.
    pub(crate) fn end(&self) {
        {
            let state = self.shared.locked();
            self.shared.has_ended.store(true, Ordering::Release);
            if let Some((_, meter)) = &state.running {
                meter.stop();
            }
        }
        self.shared.come.notify_all();
        let runner = self.runner.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(runner) = runner {
            let _ = runner.join();
        }
    }
}

/// A place in the queue; given back when it is dropped without a job.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    jobs: &'a Jobs,
    id: u64,
    is_taken: bool,
}

impl Place<'_> {
    /// Where the table goes.
    pub(crate) fn table(&self) -> PathBuf {
        table_of(&self.jobs.shared.root, self.id)
    }

    /// Puts the job into the queue; it is on disk when this comes back.
    ///
    /// # Errors
    /// [`Problem`] when it cannot be kept.
    pub(crate) fn take(mut self, new: NewJob) -> Result<Job, Problem> {
        let shared = &self.jobs.shared;
        let mut state = shared.locked();
        let job = Job {
            id: self.id,
            kind: new.kind,
            name: new.name,
            state: JobState::Queued,
            by: new.by,
            asked: now(),
            begun: None,
            ended: None,
            settings: new.settings,
            promote: new.promote,
            table: new.table,
            language: new.language,
            made: None,
            trouble: None,
        };
        // by number, also where a table that was asked for later arrived sooner
        let at = state.jobs.partition_point(|j| j.id < job.id);
        state.jobs.insert(at, job.clone());
        if shared.keep(&mut state).is_err() {
            state.jobs.retain(|j| j.id != job.id);
            return Err(not_written());
        }
        self.is_taken = true;
        state.arriving -= 1;
        drop(state);
        shared.come.notify_all();
        Ok(job)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if !self.is_taken {
            self.jobs.shared.locked().arriving -= 1;
            let _ = std::fs::remove_file(self.table());
        }
    }
}

impl Shared {
    fn locked(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, state: &mut State) -> Result<(), Error> {
        guike::jobs::write(&self.root, &mut state.jobs)
    }

    /// One job after the other, until the server ends.
    fn run_all(&self) {
        loop {
            let mut state = self.locked();
            let at = loop {
                if self.has_ended.load(Ordering::Acquire) {
                    return;
                }
                match state.jobs.iter().position(|j| j.state == JobState::Queued) {
                    Some(at) => break at,
                    None => state = self.come.wait(state).unwrap_or_else(PoisonError::into_inner),
                }
            };
            let meter = Arc::new(Meter::default());
            let job = &mut state.jobs[at];
            job.state = JobState::Running;
            job.begun = Some(now());
            let job = job.clone();
            state.running = Some((job.id, Arc::clone(&meter)));
            // a disk that is full is told by the job itself
            let _ = self.keep(&mut state);
            drop(state);
            let ended = self.worked(&job, &meter);
            let mut state = self.locked();
            state.running = None;
            if let Some(job) = state.jobs.iter_mut().find(|j| j.id == job.id) {
                job.ended = Some(now());
                match ended {
                    Ok(made) => (job.state, job.made) = (JobState::Done, Some(made)),
                    Err(None) if self.has_ended.load(Ordering::Acquire) => job.state = JobState::Interrupted,
                    Err(None) => job.state = JobState::Cancelled,
                    Err(Some(trouble)) => (job.state, job.trouble) = (JobState::Failed, Some(trouble)),
                }
            }
            let _ = self.keep(&mut state);
            let _ = std::fs::remove_file(table_of(&self.root, job.id));
        }
    }

    /// Words of an error without where the machine keeps its files.
    fn without_places(&self, words: &str, table: &Path) -> String {
        let words = words.replace(&table.display().to_string(), "table");
        let read = self.from.orders.iter().chain(&self.from.events);
        let words = read.fold(words, |words, file| {
            let name = file.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
            words.replace(&file.display().to_string(), &name)
        });
        words.replace(&self.root.display().to_string(), "workspace")
    }

    /// Does the work; an error is its words, or nothing where it was stopped.
    fn worked(&self, job: &Job, meter: &Meter) -> Result<guike::jobs::Made, Option<String>> {
        let table = table_of(&self.root, job.id);
        let cores = || std::thread::available_parallelism().map_or(1, Into::into);
        let threads = (self.limits.threads.unwrap_or_else(|| cores() / 2), now());
        let work = || guike::jobs::work(&self.root, job, (table.as_path(), &self.from), threads, meter);
        match catch_unwind(AssertUnwindSafe(work)) {
            Ok(Ok(made)) => Ok(made),
            Ok(Err(e)) if e.kind() == ErrorKind::Interrupted => Err(None),
            Ok(Err(e)) => Err(Some(self.without_places(&e.to_string(), &table))),
            Err(_) => Err(Some("this is a mistake in Guike, please report it; other jobs are not affected".to_owned())),
        }
    }
}

/// Lets this thread, and those that it starts, have what others leave of the processors: who asks does not wait for a job.
fn stand_back() {
    // elsewhere it would hold for the whole server
    #[cfg(target_os = "linux")]
    let _as_before = rustix::process::nice(NICE);
}

/// Where the table of a job is.
fn table_of(root: &Path, id: u64) -> PathBuf {
    root.join(DRAFTS).join(format!("job-{id}.csv"))
}

/// The lock of the folder for tables; tables of jobs that were killed are removed. `None` where another server has it.
fn locked_folder(root: &Path) -> Result<Option<File>, Error> {
    let folder = root.join(DRAFTS);
    let trouble = |e: std::io::Error| Error::Internal(format!("`{}` cannot be written ({e})", folder.display()));
    std::fs::create_dir_all(&folder).map_err(trouble)?;
    let lock = File::create(folder.join(LOCK)).map_err(trouble)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(std::fs::TryLockError::WouldBlock) => return Ok(None),
        Err(std::fs::TryLockError::Error(e)) => return Err(trouble(e)),
    }
    for entry in std::fs::read_dir(&folder).map_err(trouble)?.flatten() {
        let name = entry.file_name();
        let is_table = name.to_str().is_some_and(|n| n.starts_with("job-") && n.ends_with(".csv"));
        if is_table {
            std::fs::remove_file(entry.path()).map_err(trouble)?;
        }
    }
    Ok(Some(lock))
}

/// The workspace among the sources, where one is served that can be written.
pub(crate) fn place_for_jobs(sources: &[PathBuf]) -> Option<&Path> {
    let root = sources.iter().find(|s| Workspace::is_at(s))?;
    Workspace::open(root).is_ok_and(|w| !w.is_frozen()).then_some(root.as_path())
}

fn not_written() -> Problem {
    Problem::new(Code::NotWritten, "the workspace cannot be written; is the disk full?").retry_after(30)
}

pub(crate) fn now() -> Timestamp {
    Timestamp(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs() as i64))
}
