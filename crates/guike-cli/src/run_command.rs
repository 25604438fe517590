//! `guike run`, the main job, and `guike refresh`: the same once more, with what happened since behind the order log.

use std::path::PathBuf;

use clap::Args;
use guike::workspace::{Stage, Workspace};
use guike::{Error, Settings};

use crate::args::{DataFlags, ForecastFlags, Language, Log};
use crate::commands::{files, language_of, settings, tell};
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
pub(crate) fn refresh(mut flags: RefreshFlags, bar: &Bar, quiet: bool) -> Result<(), Error> {
    let champion = if flags.run.data.config.is_none() { champion_settings(&flags.run)? } else { None };
    let is_champions = champion.is_some();
    flags.run.data.config = flags.run.data.config.or(champion);
    let mut settings = settings(&flags.run.data, Some(&flags.run.forecast))?;
    if is_champions {
        // the day of an earlier run is none of its settings: what came since would change nothing
        settings.forecast.cutoff = flags.run.forecast.cutoff;
    }
    settings.events = Some(flags.events);
    run_with(&flags.run, settings, bar, quiet)
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

/// The settings file of the run that is champion, where there is one.
fn champion_settings(flags: &RunFlags) -> Result<Option<PathBuf>, Error> {
    let Some(workspace) = flags.workspace.as_deref().filter(|w| Workspace::is_at(w)) else { return Ok(None) };
    let versions = Workspace::open(workspace)?.versions()?;
    let champion = versions.into_iter().find(|v| v.name == flags.name && v.stage == Stage::Champion);
    Ok(champion.map(|v| v.folder.join(guike::file_names::SETTINGS_TOML)))
}
