//! `guike ingest`: events from a stream of lines.

use std::io::BufReader;
use std::path::PathBuf;

use clap::Args;
use guike::Error;
use guike_core::Timestamp;
use serde_json::json;

use crate::commands::now;
use crate::show;

/// Bytes that are read at once: what comes together is flushed together.
const CHUNK: usize = 1 << 18;

/// `guike ingest`.
#[derive(Debug, Args)]
pub(crate) struct Ingest {
    /// `-`, standard input: a JSON object a line with `customer_id`, `time`, `amount` and the members of the key.
    #[arg(value_name = "-", value_parser = ["-"])]
    stream: String,
    /// The log of events to write; made where it is not there. A server that takes events writes its own.
    #[arg(long, value_name = "FILE")]
    events: PathBuf,
    /// The members that tell events apart, such as partition and offset: what comes again is taken once.
    #[arg(long, value_name = "MEMBER", value_delimiter = ',', required = true)]
    key: Vec<String>,
}

/// Takes the stream to its end; tells after every flush up to which key everything is on disk.
pub(crate) fn ingest(flags: &Ingest, quiet: bool) -> Result<(), Error> {
    let mut lines = BufReader::with_capacity(CHUNK, std::io::stdin().lock());
    let clock = || now().unwrap_or(Timestamp(i64::MAX));
    let mut tell = |so_far: &guike::events::Ingested| {
        let line = json!({ "taken": so_far.taken, "repeated": so_far.repeated, "key": so_far.key });
        show::data(&format!("{line}\n"));
    };
    let done = guike::events::ingest(&mut lines, &flags.events, &flags.key, &clock, &mut tell)?;
    if !quiet {
        show::message(&format!("{} events taken, {} were there before", done.taken, done.repeated));
    }
    Ok(())
}
