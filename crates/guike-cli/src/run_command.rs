//! `guike run`, the main job, and `guike refresh`: the same once more, with what happened since behind the order log.

use std::path::PathBuf;

use clap::Args;
use guike::workspace::{Workspace, champion_settings};
use guike::{Error, Settings};

use crate::args::{DataFlags, ForecastFlags, Language, Log};
use crate::commands::{files, language_of, overlaid, settings, tell};
use crate::progress::Bar;
use crate::workspace_commands;

/// `guike run`.
#[derive(Debug, Args)]
pub(crate) struct RunFlags {
    #[command(flatten)]
    log: Log,
    /// Folder for the results; appears only when everything is complete.
    #[arg(long, default_value = "guike-out")]
    out: PathBuf,
    /// Keep the results in this workspace instead, as the next version of `--name`; made where there is none.
    #[arg(long, value_name = "FOLDER", conflicts_with = "out")]
    workspace: Option<PathBuf>,
    /// What the run is called in the workspace.
    #[arg(long, default_value = "shop", requires = "workspace")]
    name: String,
    #[command(flatten)]
    data: DataFlags,
    #[command(flatten)]
    forecast: ForecastFlags,
    /// Earlier tiers.csv: a customer changes tier only when clearly over the border.
    #[arg(long, value_name = "FILE")]
    previous: Option<PathBuf>,
    /// Leave the cleaned log out of the results; `guike serve` then cannot tell of one customer what she bought, why she is
    /// forecast so, or what an event changes.
    #[arg(long)]
    without_log: bool,
    #[command(flatten)]
    language: Language,
}

/// `guike refresh`.
#[derive(Debug, Args)]
pub(crate) struct RefreshFlags {
    /// The log of events that `guike serve --events` keeps; it may go on meanwhile.
    #[arg(long, value_name = "FILE")]
    events: PathBuf,
    #[command(flatten)]
    run: RunFlags,
}

/// Runs.
///
/// # Errors
/// The façade's.
pub(crate) fn run(flags: RunFlags, bar: &Bar, quiet: bool) -> Result<(), Error> {
    let settings = settings(&flags.data, Some(&flags.forecast))?;
    run_with(&flags, settings, bar, quiet)
}

/// Runs with the events, in a workspace with the settings of its champion unless `--config` names others.
///
/// # Errors
/// The façade's.
pub(crate) fn refresh(flags: RefreshFlags, bar: &Bar, quiet: bool) -> Result<(), Error> {
    let RefreshFlags { events, run } = flags;
    let root = run.workspace.as_deref().filter(|w| run.data.config.is_none() && Workspace::is_at(w));
    let champions = root.map(|root| champion_settings(root, &run.name)).transpose()?.flatten();
    let mut settings = match champions {
        Some(champions) => overlaid(champions, &run.data, Some(&run.forecast))?,
        None => settings(&run.data, Some(&run.forecast))?,
    };
    settings.events = Some(events);
    run_with(&run, settings, bar, quiet)
}

fn run_with(flags: &RunFlags, mut settings: Settings, bar: &Bar, quiet: bool) -> Result<(), Error> {
    settings.without_log |= flags.without_log;
    let log = files(&flags.log.log, &settings.data.read, bar)?;
    let language = language_of(flags.language.lang);
    let previous = flags.previous.as_deref();
    let ended = guike::in_pool(flags.forecast.threads.threads, || match &flags.workspace {
        None => Ok((guike::run(&log, &flags.out, previous, &settings, language, bar)?, None)),
        Some(workspace) => {
            let place = workspace_commands::place(workspace, &flags.name)?;
            let (summary, version) = guike::workspace::run(&place, &log, previous, &settings, language, bar)?;
            Ok((summary, Some(version)))
        }
    });
    bar.finish();
    let (summary, version) = ended?;
    tell(&summary, quiet);
    if let Some(version) = version.filter(|_| !quiet) {
        workspace_commands::tell_version(&version);
    }
    Ok(())
}
