//! `guike serve` and `guike keys`: flags to a configuration, and what is said.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use guike::Error;
use guike::audit::AuditFiles;
use guike_core::{Day, SECONDS_PER_DAY};
use guike_guard::{Scope, Secret, TokenRules};
use guike_server::{BatchLimits, Config, Guard, JobLimits, Limits, Log, TlsFiles, Tokens};

use crate::args::{Output, Threads};
use crate::commands::bytes;
use crate::oidc_args::OidcFlags;
use crate::progress::Bar;
use crate::show::{self, Rows};
use serde_json::{Value, json};

/// `guike serve`.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Folders of `guike train`, or their model.json, of which `POST /predict` asks the first; and a folder of `guike run`; or
    /// a workspace, whose champions are served.
    #[arg(value_name = "MODEL_OR_FOLDER", required = true)]
    pub(crate) sources: Vec<PathBuf>,
    /// Which runs of a workspace are served, where they have several names.
    #[arg(long, value_name = "NAME")]
    pub(crate) run: Option<String>,
    /// File in which events are kept that clients tell of (`POST /v1/events`); made where there is none. Without it none are
    /// taken.
    #[arg(long, value_name = "FILE")]
    pub(crate) events: Option<PathBuf>,
    /// File of the order log that refresh jobs read (`POST /v1/jobs?kind=refresh`); once for each. Without it a workspace is
    /// refreshed by `guike refresh` only.
    #[arg(long, value_name = "FILE")]
    pub(crate) orders: Vec<PathBuf>,
    /// Where to listen; port 0 takes a free one.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:5000")]
    pub(crate) addr: SocketAddr,
    /// File of the keys that clients must have, as `guike keys add` makes it; needed on any address but this machine's.
    #[arg(long, value_name = "FILE")]
    pub(crate) keys: Option<PathBuf>,
    /// File of the persons who may log in, as `guike users add` makes it; without any, a link is printed that makes the first.
    #[arg(long, value_name = "FILE")]
    pub(crate) users: Option<PathBuf>,
    /// A proxy takes the requests, speaks HTTPS, and says in `x-forwarded-for` from where they come.
    #[arg(long)]
    pub(crate) behind_proxy: bool,
    /// Certificate with which it speaks HTTPS, as PEM, and behind it those that lead to an authority; read again when it
    /// changes.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// Key of that certificate, as PEM without a passphrase; others than its owner and group may not read it.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Public keys of an identity provider (a JSON Web Key Set): programs come with tokens that it signs; read again when it
    /// changes.
    #[arg(long, value_name = "FILE", requires_all = ["jwt_issuer", "jwt_audience"])]
    pub(crate) jwt_keys: Option<PathBuf>,
    /// Who must have issued the tokens (`iss`).
    #[arg(long, value_name = "ISSUER", requires = "jwt_keys")]
    pub(crate) jwt_issuer: Option<String>,
    /// For whom the tokens must be (`aud`): the name of this server at the issuer.
    #[arg(long, value_name = "AUDIENCE", requires = "jwt_keys")]
    pub(crate) jwt_audience: Option<String>,
    /// Claim of the tokens that names a role of Guike; points lead into objects.
    #[arg(long, value_name = "CLAIM", requires = "jwt_keys", default_value = "roles")]
    pub(crate) jwt_role_claim: String,
    #[command(flatten)]
    pub(crate) oidc: OidcFlags,
    /// File in which it is recorded who saw which customer; customers are then told by name for a stated
    /// purpose only. Default `audit.jsonl` beside the file of users.
    #[arg(long, value_name = "FILE")]
    pub(crate) audit: Option<PathBuf>,
    /// Key of that record; made where there is none. Default the same file with `.key` behind it.
    #[arg(long, value_name = "FILE")]
    pub(crate) audit_key: Option<PathBuf>,
    /// Most requests a second of one key, or of everybody without keys; default any number.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_rate: Option<u32>,
    /// Most rows of a request.
    #[arg(long, value_name = "N", default_value_t = Limits::default().rows)]
    pub(crate) max_rows: usize,
    /// Most bytes of a request.
    #[arg(long, value_name = "SIZE", default_value = "8MiB")]
    pub(crate) max_body: String,
    /// Most requests answered at a time; more are told to come back.
    #[arg(long, value_name = "N", default_value_t = Limits::default().in_flight)]
    pub(crate) max_in_flight: u32,
    /// Most connections at a time; more are told to come again.
    #[arg(long, value_name = "N", default_value_t = Limits::default().connections)]
    pub(crate) max_connections: usize,
    /// Seconds that a request may take to arrive.
    #[arg(long, value_name = "SECONDS", default_value_t = Limits::default().seconds)]
    pub(crate) timeout: u32,
    /// Most files of rows predicted at a time (`POST /v1/models/NAME/batch`); more are told to come back.
    #[arg(long, value_name = "N", default_value_t = Limits::default().batch.at_a_time)]
    pub(crate) max_batches: usize,
    /// Most bytes of such a file.
    #[arg(long, value_name = "SIZE", default_value = "1GiB")]
    pub(crate) max_batch_body: String,
    /// Most rows of such a file.
    #[arg(long, value_name = "N", default_value_t = Limits::default().batch.rows)]
    pub(crate) max_batch_rows: u64,
    /// Seconds that such a file may take from its beginning to its end.
    #[arg(long, value_name = "SECONDS", default_value_t = Limits::default().batch.seconds)]
    pub(crate) batch_seconds: u32,
    /// Most jobs that wait while one runs (`POST /v1/jobs`); more are told to come back.
    #[arg(long, value_name = "N", default_value_t = JobLimits::default().queue)]
    pub(crate) max_jobs: usize,
    /// Most bytes of a table that comes with a job.
    #[arg(long, value_name = "SIZE", default_value = "256MiB")]
    pub(crate) max_job_body: String,
    /// Threads that a job works with; default half of the cores.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) job_threads: Option<u16>,
    #[command(flatten)]
    pub(crate) threads: Threads,
}

/// Serves until Ctrl-C or SIGTERM.
///
/// # Errors
/// The façade's, before it listens.
pub(crate) fn serve(flags: Serve, bar: &Bar, quiet: bool) -> Result<(), Error> {
    let is_new = match &flags.users {
        Some(file) => guike::users::read_if_there(file)?.users().is_empty(),
        None => false,
    };
    let random = random()?;
    // what persons see is always recorded
    let beside = |users: &PathBuf| users.with_file_name("audit.jsonl");
    let audit = flags.audit.or_else(|| flags.users.as_ref().map(beside));
    let issued = flags.jwt_issuer.zip(flags.jwt_audience);
    let tokens = flags.jwt_keys.zip(issued).map(|(keys, (issuer, audience))| Tokens {
        keys,
        rules: TokenRules { issuer, audience, role_claim: flags.jwt_role_claim },
    });
    let config = Config {
        sources: flags.sources,
        events: flags.events,
        orders: flags.orders,
        run: flags.run,
        address: flags.addr,
        keys: flags.keys,
        guard: Guard {
            audit: audit.map(|log| AuditFiles::new(&log, flags.audit_key.as_deref())),
            users: flags.users,
            link: is_new.then(|| Secret::from_random(&random)),
            is_behind_proxy: flags.behind_proxy,
            tls: flags.tls_cert.zip(flags.tls_key).map(|(cert, key)| TlsFiles { cert, key }),
            tokens,
            oidc: flags.oidc.config()?,
        },
        limits: Limits {
            body_bytes: usize::try_from(bytes("--max-body", &flags.max_body)?).unwrap_or(usize::MAX),
            rows: flags.max_rows,
            seconds: flags.timeout,
            in_flight: flags.max_in_flight,
            connections: flags.max_connections,
            rate: flags.max_rate,
            jobs: JobLimits {
                queue: flags.max_jobs,
                table_bytes: bytes("--max-job-body", &flags.max_job_body)?,
                threads: flags.job_threads.map(Into::into),
            },
            batch: BatchLimits {
                at_a_time: flags.max_batches,
                body_bytes: bytes("--max-batch-body", &flags.max_batch_body)?,
                rows: flags.max_batch_rows,
                seconds: flags.batch_seconds,
            },
        },
        threads: flags
            .threads
            .threads
            .or_else(|| std::thread::available_parallelism().ok().map(Into::into))
            .unwrap_or(1),
        log: if quiet { Log::Off } else { Log::To(Box::new(std::io::stderr())) },
    };
    let scheme = if config.guard.tls.is_some() { "https" } else { "http" };
    let listening = |address: SocketAddr, models: &[&str]| {
        bar.finish();
        if !quiet {
            show::message(&format!("serving {} at {scheme}://{address}; Ctrl-C ends it", models.join(", ")));
        }
        if is_new {
            // nobody could log in without it, so that it is said with --quiet, too
            let token = Secret::from_random(&random);
            show::message(&format!(
                "nobody can log in yet; make the first admin within an hour, once, at\n  {scheme}://{address}/setup?token={}",
                token.reveal()
            ));
        }
    };
    guike_server::serve(config, listening, bar)?;
    if !quiet {
        show::message("ended");
    }
    Ok(())
}

/// `guike keys`.
#[derive(Debug, Subcommand)]
pub(crate) enum Keys {
    /// Make a key and print it, this once.
    #[command(
        after_help = "Example:\n  guike keys add keys.json crm --scope predict --scope read --expires 2027-12-31"
    )]
    Add {
        /// The file of keys; made where there is none.
        file: PathBuf,
        /// Whose key it is: letters, digits, `-`, `_` and `.`.
        name: String,
        /// What it opens: predict, read, metrics or events; once for each.
        #[arg(long, value_name = "SCOPE", required = true)]
        scope: Vec<Scope>,
        /// The last day on which it opens anything; default no end.
        #[arg(long, value_name = "DAY")]
        expires: Option<Day>,
    },
    /// List the keys, without what opens them.
    #[command(after_help = "Example:\n  guike keys list keys.json")]
    List {
        /// The file of keys.
        file: PathBuf,
        #[command(flatten)]
        output: Output,
    },
    /// Take a key out of force; servers that are running see it within about a second.
    #[command(after_help = "Example:\n  guike keys revoke keys.json crm")]
    Revoke {
        /// The file of keys.
        file: PathBuf,
        /// Whose key it is.
        name: String,
    },
}

/// `guike keys`.
///
/// # Errors
/// The façade's.
pub(crate) fn keys(what: &Keys, quiet: bool) -> Result<(), Error> {
    match what {
        Keys::Add { file, name, scope, expires } => {
            let random = random()?;
            let new = guike::keys::NewKey { name, scopes: scope, created: today(), expires: *expires, random };
            let secret = guike::keys::add(file, &new)?;
            show::data(&format!("{}\n", secret.reveal()));
            if !quiet {
                show::message(&format!(
                    "this is the only time that the key is shown; {} holds its hash",
                    file.display()
                ));
            }
        }
        Keys::List { file, output } => {
            let columns = ["name", "scopes", "created", "expires"].map(str::to_owned).to_vec();
            let row = |k: &guike_guard::Key| {
                let scopes: Vec<&str> = k.scopes.iter().map(|s| s.name()).collect();
                let expires = k.expires.map_or(Value::Null, |d| json!(d.to_string()));
                vec![json!(k.name), json!(scopes.join(" ")), json!(k.created.to_string()), expires]
            };
            let rows = guike::keys::read(file)?.keys().iter().map(row).collect();
            Rows { columns, rows }.print(output.format);
        }
        Keys::Revoke { file, name } => {
            guike::keys::revoke(file, name)?;
            if !quiet {
                show::message(&format!(
                    "`{name}` opens nothing any more; servers with this file see it within about a second"
                ));
            }
        }
    }
    Ok(())
}

/// Random bytes of the system.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut random = [0; N];
    getrandom::fill(&mut random).map_err(|e| Error::Internal(format!("the system gives no random numbers ({e})")))?;
    Ok(random)
}

/// Today, at Greenwich.
pub(crate) fn today() -> Day {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_secs());
    Day(i32::try_from(since / SECONDS_PER_DAY as u64).unwrap_or(i32::MAX))
}
