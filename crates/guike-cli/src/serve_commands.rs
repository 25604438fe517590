//! `guike serve`: flags to a configuration, and what is said when it listens.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use guike::Error;
use guike_server::{Config, Limits, Log};

use crate::args::Threads;
use crate::commands::bytes;
use crate::progress::Bar;
use crate::show;

/// `guike serve`.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Folders of `guike train`, or their model.json; `POST /predict` asks the first.
    #[arg(value_name = "MODEL", required = true)]
    pub(crate) sources: Vec<PathBuf>,
    /// Where to listen; port 0 takes a free one.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:5000")]
    pub(crate) addr: SocketAddr,
    /// Most rows of a request.
    #[arg(long, value_name = "N", default_value_t = Limits::default().rows)]
    pub(crate) max_rows: usize,
    /// Most bytes of a request.
    #[arg(long, value_name = "SIZE", default_value = "8MiB")]
    pub(crate) max_body: String,
    /// Most requests answered at a time; more are told to come back.
    #[arg(long, value_name = "N", default_value_t = Limits::default().in_flight)]
    pub(crate) max_in_flight: u32,
    /// Most connections at a time; more wait.
    #[arg(long, value_name = "N", default_value_t = Limits::default().connections)]
    pub(crate) max_connections: usize,
    /// Seconds that a request may take to arrive.
    #[arg(long, value_name = "SECONDS", default_value_t = Limits::default().seconds)]
    pub(crate) timeout: u32,
    #[command(flatten)]
    pub(crate) threads: Threads,
}

/// Serves until Ctrl-C or SIGTERM.
///
/// # Errors
/// The façade's, before it listens.
pub(crate) fn serve(flags: Serve, bar: &Bar, quiet: bool) -> Result<(), Error> {
    let config = Config {
        sources: flags.sources,
        address: flags.addr,
        limits: Limits {
            body_bytes: usize::try_from(bytes("--max-body", &flags.max_body)?).unwrap_or(usize::MAX),
            rows: flags.max_rows,
            seconds: flags.timeout,
            in_flight: flags.max_in_flight,
            connections: flags.max_connections,
        },
        threads: flags
            .threads
            .threads
            .or_else(|| std::thread::available_parallelism().ok().map(Into::into))
            .unwrap_or(1),
        log: if quiet { Log::Off } else { Log::To(Box::new(std::io::stderr())) },
    };
    let listening = |address: SocketAddr, models: &[&str]| {
        bar.finish();
        if !quiet {
            show::message(&format!("serving {} at http://{address}; Ctrl-C ends it", models.join(", ")));
        }
    };
    guike_server::serve(config, listening, bar)?;
    if !quiet {
        show::message("ended");
    }
    Ok(())
}
