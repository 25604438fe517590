//! Saved models and the results of a run over HTTP: predictions, customers, and what operating it needs.
//!
//! The one idea: models are read once, before anything listens, and never change; a request is a plain function of them
//! (`routes`). Everything around that function (limits, problems, counters, the log) happens in one place (`app`). Where a
//! workspace is served, what it decides is seen within a second, and takes the place of what was served (`kept`).
//!
//! What it does not do: it trains only what a job asks for, into a workspace; it writes no other file but those of users, keys, events
//! and the audit log, and knows no flag; the command line
//! hands it a [`Config`].

mod access;
mod admin;
mod app;
mod audiences;
mod batch;
mod bearers;
mod drift;
mod events;
mod export;
mod filter;
mod handshakes;
mod jobs;
mod kept;
mod keyfile;
mod kserve;
mod ledger;
mod listen;
mod live;
mod log;
mod login;
mod metrics;
mod model_file;
mod multipart;
mod oidc;
mod one;
mod openapi;
mod pages;
mod people;
mod predict;
mod problem;
mod query;
mod removal;
mod routes;
mod rows;
mod sending;
mod served;
mod shape;
mod tls;
mod v1;
mod views;
mod watched;
mod who;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use guike::Error;
use guike_core::Progress;
use guike_guard::Secret;

use access::Access;
use app::{App, Door};
use bearers::Bearers;
pub use bearers::Tokens;
use guike::audit::AuditFiles;
use guike::workspace::Workspace;
use jobs::Jobs;
use ledger::Ledger;
use live::{Follower, Live};
pub use log::Log;
use oidc::Gate;
pub use oidc::{ClientSecret, Oidc};
use people::People;
use served::Served;
use tls::Tls;
pub use tls::TlsFiles;
use watched::{Lookout, Renewed};

/// What to serve, where, and how much of it.
#[derive(Debug)]
pub struct Config {
    /// Folders of `guike train`, or their `model.json`, of which `POST /predict` asks the first, and a folder of `guike run`;
    /// or a workspace, whose champions are served.
    pub sources: Vec<PathBuf>,
    /// Where events are kept that clients tell of; without it none are taken.
    pub events: Option<PathBuf>,
    /// The order log that refreshing reads, behind which it puts the events; without it a workspace is not refreshed here.
    pub orders: Vec<PathBuf>,
    /// Which runs of a workspace are served; `None` where they all have one name.
    pub run: Option<String>,
    /// Where to listen; port 0 takes a free one.
    pub address: SocketAddr,
    /// The file of the keys that clients must have; without it, only programs of this machine are answered.
    pub keys: Option<PathBuf>,
    /// How persons log in, what is recorded, and how the way is kept secret.
    pub guard: Guard,
    /// What a client may ask for.
    pub limits: Limits,
    /// Threads that answer.
    pub threads: usize,
    /// Where the access log goes.
    pub log: Log,
}

/// How persons log in, what is recorded about who asks, and how the way between is kept secret.
#[derive(Debug, Default)]
pub struct Guard {
    /// The audit log; where it is kept, who a customer is is told for a stated purpose only. Persons need it.
    pub audit: Option<AuditFiles>,
    /// The file of the users who may log in; without it, nobody.
    pub users: Option<PathBuf>,
    /// What opens the page of the first admin, where there is no user yet.
    pub link: Option<Secret>,
    /// Whether a proxy takes requests in, speaks HTTPS, and says in `x-forwarded-for` from where they come.
    pub is_behind_proxy: bool,
    /// The certificate and key with which it speaks HTTPS; without them it speaks HTTP.
    pub tls: Option<TlsFiles>,
    /// Which tokens of an identity provider are believed; without them none are.
    pub tokens: Option<Tokens>,
    /// How persons log in at an identity provider; without it they do not.
    pub oidc: Option<Oidc>,
}

/// What clients may ask for at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a body. 8 MiB are about 100,000 small rows.
    pub body_bytes: usize,
    /// Rows of a body.
    pub rows: usize,
    /// Seconds that a head or a body may take to arrive.
    pub seconds: u32,
    /// Requests that are answered at the same time; more are told to come back.
    pub in_flight: u32,
    /// Connections; half as many more at a time are told to come again.
    pub connections: usize,
    /// Requests a second of one key, or of everybody without keys; `None` for any number.
    pub rate: Option<u32>,
    /// Files of rows that are predicted while they are sent.
    pub batch: BatchLimits,
    /// Training and refreshing.
    pub jobs: JobLimits,
}

/// What jobs may be at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobLimits {
    /// Jobs that wait while one runs; more are told to come back.
    pub queue: usize,
    /// Bytes of a table that comes with a job.
    pub table_bytes: u64,
    /// Threads that a job works with, 1 or more; `None` for half of the cores, so that answers keep the other half.
    pub threads: Option<usize>,
}

impl Default for JobLimits {
    fn default() -> JobLimits {
        JobLimits { queue: 8, table_bytes: 256 << 20, threads: None }
    }
}

/// What a batch may be at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchLimits {
    /// Batches at a time; more are told to come back. Each keeps one thread busy.
    pub at_a_time: usize,
    /// Bytes of the file.
    pub body_bytes: u64,
    /// Rows of the file.
    pub rows: u64,
    /// Seconds from its beginning to its end.
    pub seconds: u32,
}

impl Default for BatchLimits {
    fn default() -> BatchLimits {
        BatchLimits { at_a_time: 2, body_bytes: 1 << 30, rows: 10_000_000, seconds: 3_600 }
    }
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            body_bytes: 8 << 20,
            rows: 10_000,
            seconds: 10,
            in_flight: 256,
            connections: 512,
            rate: None,
            batch: BatchLimits::default(),
            jobs: JobLimits::default(),
        }
    }
}

/// Serves until `stop` is cancelled: then nothing new is accepted, and what is being answered ends.
///
/// `listening` is told the address, the names of the models, and that requests may come.
///
/// # Errors
/// [`Error`] when a model cannot be read, or the address cannot be listened on; nothing is served then.
///
/// # Example
/// ```
/// use guike_core::Quiet;
/// let config = guike_server::Config {
///     sources: vec!["no-such-model".into()],
///     events: None,
///     orders: Vec::new(),
///     run: None,
///     address: "127.0.0.1:0".parse().unwrap(),
///     keys: None,
///     guard: guike_server::Guard::default(),
///     limits: guike_server::Limits::default(),
///     threads: 1,
///     log: guike_server::Log::Off,
/// };
/// let error = guike_server::serve(config, |_, _| (), &Quiet).unwrap_err();
/// assert!(error.to_string().contains("no-such-model"));
/// ```
pub fn serve(config: Config, listening: impl FnOnce(SocketAddr, &[&str]), stop: &dyn Progress) -> Result<(), Error> {
    let Config { sources, events, orders, run, address, keys, guard, limits, threads, log } = config;
    let is_local = address.ip().is_loopback();
    let has_persons = guard.users.is_some() || guard.oidc.is_some();
    if keys.is_none() && !has_persons && guard.tokens.is_none() && !is_local {
        return Err(refused(
            address,
            "others than this machine could ask, and nobody would be asked who they are; make keys with `guike keys add` and \
             start with --keys FILE, or users with `guike users add` and --users FILE, or listen on `127.0.0.1:5000`",
        ));
    }
    let users = guard.users.as_ref().map(|file| ("--users", file.display().to_string()));
    let persons = users.or_else(|| guard.oidc.as_ref().map(|oidc| ("--oidc-issuer", oidc.issuer.clone())));
    if let (Some((flag, value)), None) = (persons, &guard.audit) {
        let rule = "what persons see is recorded; say where with --audit FILE".to_owned();
        return Err(Error::Config { what: flag.to_owned(), value, rule });
    }
    let is_secret = is_local || guard.is_behind_proxy || guard.tls.is_some();
    if has_persons && !is_secret {
        return Err(refused(
            address,
            "passwords and sessions would be sent where everybody on the way can read them; speak HTTPS with --tls-cert FILE \
             and --tls-key FILE, or put the server behind a proxy that does and say so with --behind-proxy, or listen on \
             `127.0.0.1:5000`",
        ));
    }
    let tls = guard.tls.map(Tls::open).transpose()?.map(Arc::new);
    let bearers = guard.tokens.map(Bearers::open).transpose()?.map(Arc::new);
    let gate = guard.oidc.map(Gate::open).transpose()?;
    let people = match has_persons {
        true => Some(People::open(guard.users, guard.link.as_ref(), guard.is_behind_proxy)?.through(gate)),
        false => None,
    };
    let rate = limits.rate.map(f64::from);
    let keys = match keys {
        Some(file) => Some(keyfile::Keys::new(guike::keys::read(&file)?, Some(file), rate)),
        None => None,
    };
    let served = Served::open(&sources, run.as_deref(), None)?;
    let internal = |e: std::io::Error| Error::Internal(format!("the system gives no threads or sockets ({e})"));
    let threads = threads.max(1);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build().map_err(internal)?;
    let listener = runtime
        .block_on(async { listen::bound(address) })
        .map_err(|e| refused(address, &format!("it cannot be listened on ({e}); choose another port with --addr")))?;
    let address = listener.local_addr().map_err(internal)?;
    // last of what can fail: a server that does not start leaves no log behind
    let ledger = guard.audit.as_ref().map(Ledger::open).transpose()?;
    let from = guike::jobs::RefreshFrom { orders, events: events.clone() };
    let live = events.as_deref().map(Live::open).transpose()?;
    let noted = events;
    let heard = live.as_ref().map(Live::heard);
    let jobs = match jobs::place_for_jobs(&sources) {
        Some(root) => Jobs::open(root, from, limits.jobs)?,
        None => None,
    };
    let access = Access::new(keys, people, is_local, limits.rate).believing(bearers.clone());
    let app = App::new(served, limits, (access, ledger), threads, log).taking(live, jobs);
    let jobs = app.jobs.clone();
    if let Some((root, log)) = sources.iter().find(|s| Workspace::is_at(s)).zip(noted) {
        note_events(root, &log, &app);
    }
    listening(address, &app.served.names());
    let door = Arc::new(Door::new(app));
    drift::Drifts::warm(door.app());
    let _follower = heard.map(|heard| Follower::start(heard, Arc::clone(&door)));
    let _watcher = kept::Watcher::start(sources, Arc::clone(&door));
    let tls_again = tls.iter().map(|tls| Arc::clone(tls) as Arc<dyn Renewed>);
    let renewed = bearers.into_iter().map(|b| b as Arc<dyn Renewed>).chain(tls_again).collect();
    let _lookout = Lookout::start(renewed, Arc::clone(&door.app().logger));
    if !is_secret {
        let detail = "keys and tokens are sent where everybody on the way can read them; speak HTTPS with --tls-cert and --tls-key, \
                      or put the server behind a proxy that does and say so with --behind-proxy";
        door.app().logger.note("plain-http", detail);
    }
    let ended = runtime.block_on(listen::listen(listener, door, tls, stop)).map_err(internal);
    if let Some(jobs) = jobs {
        jobs.end();
    }
    ended
}

/// Leaves in the workspace where its events are, for backups; a backup that is served, or a disk that is full, is no reason not to
/// serve.
fn note_events(root: &std::path::Path, log: &std::path::Path, app: &App) {
    if let Err(e) = guike::workspace::note_events(root, log) {
        app.logger.note("events-not-noted", &format!("{e}; name them to `guike backup` with --events"));
    }
}

fn refused(address: SocketAddr, rule: &str) -> Error {
    Error::Config { what: "--addr".to_owned(), value: address.to_string(), rule: rule.to_owned() }
}
