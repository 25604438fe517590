//! The commands on a workspace: flags to a call of the façade, and what to print.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use guike::Error;
use guike::workspace::{self, Ask, BackupSummary, Decision, EventsToKeep, Place, Version, Workspace};
use guike_core::Timestamp;
use serde_json::{Value, json};

use crate::args::{Format, Told};
use crate::show::{self, Rows};
use crate::workspace_args::{Registered, Who};

/// Where results of now are registered.
///
/// # Errors
/// When the clock is before 1970.
pub(crate) fn place<'a>(workspace: &'a Path, name: &'a str) -> Result<Place<'a>, Error> {
    Ok(Place { workspace, name, now: now()? })
}

/// What became of a version, in words.
pub(crate) fn tell_version(v: &Version) {
    let name = &v.name;
    show::message(&match v.follows {
        None => format!("`{name}` version {}: {}", v.number, v.stage.name()),
        Some(champion) => format!(
            "`{name}` version {}: {}; champion is version {champion}, and `guike models promote {name} {}` would change that",
            v.number,
            v.stage.name(),
            v.number
        ),
    });
}

/// `guike models list`, `show`, `promote`, `rollback`, `archive`, `remove`, `check`.
///
/// # Errors
/// The façade's.
pub(crate) fn models(what: &Registered, quiet: bool) -> Result<(), Error> {
    let say = |text: String| {
        if !quiet {
            show::message(&text);
        }
    };
    match what {
        Registered::List { at, output } => list(&Workspace::open(&at.workspace)?, output.format)?,
        Registered::Show { name, version, at, format } => {
            let workspace = Workspace::open(&at.workspace)?;
            let found = workspace.find(name, *version)?;
            let decisions = workspace.decisions(Some(name))?;
            match format {
                Told::Json => show::data(&format!("{:#}\n", json!({ "version": found, "decisions": decisions }))),
                Told::Text => show::data(&in_words(&found, &decisions)),
            }
        }
        Registered::Promote { name, version, at, who, force } => {
            let by = by(who);
            let promotion = workspace::promote(&at.workspace, name, *version, &ask(who, &by, *force)?)?;
            let before = promotion.before.map_or_else(String::new, |b| format!(" in place of version {b}"));
            say(format!("`{name}`: version {version} is champion{before}; {}", promotion.comparison.words));
        }
        Registered::Rollback { name, at, who } => {
            let by = by(who);
            let back = workspace::rollback(&at.workspace, name, &ask(who, &by, false)?)?;
            say(format!("`{name}`: version {} is champion again", back.number));
        }
        Registered::Archive { name, version, at, who } => {
            let by = by(who);
            workspace::archive(&at.workspace, name, *version, &ask(who, &by, false)?)?;
            say(format!("`{name}`: version {version} is archived"));
        }
        Registered::Remove { name, version, at, who } => {
            let by = by(who);
            workspace::remove(&mut Workspace::open(&at.workspace)?, name, *version, &ask(who, &by, false)?)?;
            say(format!("`{name}`: version {version} is removed"));
        }
        Registered::Check { at } => {
            let workspace = Workspace::open(&at.workspace)?;
            let found = workspace.check()?;
            if !found.is_empty() {
                return Err(Error::Damaged(found));
            }
            say(format!("{} versions are whole", workspace.versions()?.len()));
        }
    }
    Ok(())
}

/// `guike backup`.
///
/// # Errors
/// The façade's.
pub(crate) fn backup(from: &Path, to: &Path, events: EventsToKeep<'_>, quiet: bool) -> Result<(), Error> {
    let summary = workspace::backup(from, to, events, now()?)?;
    if !quiet {
        let events = match &summary.events {
            Some((log, n)) => format!("the events of {n} requests in {}", log.display()),
            None => "no events".to_owned(),
        };
        show::message(&format!("copied {} and {events} to {}", in_numbers(&summary), to.display()));
    }
    Ok(())
}

/// `guike restore`.
///
/// # Errors
/// The façade's.
pub(crate) fn restore(from: &Path, to: &Path, quiet: bool) -> Result<(), Error> {
    let summary = workspace::restore(from, to)?;
    if !quiet {
        show::message(&format!("restored {} of {} UTC to {}", in_numbers(&summary), summary.created, to.display()));
        if let Some((log, n)) = &summary.events {
            let log = log.display();
            show::message(&format!("and the events of {n} requests; go on with them by `guike serve --events {log}`"));
        }
    }
    Ok(())
}

fn in_numbers(s: &BackupSummary) -> String {
    format!("{} versions ({} files, {} bytes)", s.versions, s.files, s.bytes)
}

fn list(workspace: &Workspace, format: Format) -> Result<(), Error> {
    let columns = ["name", "version", "stage", "kind", "created", "learner", "measure", "value"];
    let row = |v: &Version| {
        let (measure, value) = headline(v);
        vec![
            json!(v.name),
            json!(v.number),
            json!(v.stage.name()),
            json!(v.kind.name()),
            json!(v.created.to_string()),
            v.card["learner"].clone(),
            json!(measure),
            value,
        ]
    };
    let rows = workspace.versions()?.iter().map(row).collect();
    Rows { columns: columns.map(str::to_owned).to_vec(), rows }.print(format);
    Ok(())
}

/// The figure that says most about a version.
fn headline(v: &Version) -> (String, Value) {
    const TELLING: [&str; 3] = ["auc", "r2", "accuracy"];
    for part in ["test", "cross_validated"] {
        let figures = &v.metrics[part];
        if let Some(key) = TELLING.iter().find(|k| figures[**k].is_number()) {
            let of = if part == "test" { "rows kept apart" } else { "cross-validated" };
            return (format!("{key} ({of})"), figures[*key].clone());
        }
    }
    ("loss (backtest)".to_owned(), v.metrics["loss"].clone())
}

fn in_words(v: &Version, decisions: &[Decision]) -> String {
    let text = |v: &Value| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
    let mut lines = vec![
        format!("{} version {} ({}, {})", v.name, v.number, v.stage.name(), v.kind.name()),
        format!("  folder    {}", v.folder.display()),
        format!("  created   {} UTC by Guike {}", v.created, text(&v.lineage["guike"])),
        format!("  checksum  {}", v.checksum),
        format!("  data      {}", v.data),
        format!("  learner   {}", text(&v.card["learner"])),
        format!("  why       {}", text(&v.card["why"])),
    ];
    let mut put = |name: &str, value: &Value| match value {
        Value::Null => {}
        Value::Object(inner) => {
            let parts: Vec<String> =
                inner.iter().filter(|i| i.1.is_number()).map(|(k, v)| format!("{k} {}", show::rounded(v))).collect();
            lines.push(format!("  {name:<9} {}", parts.join(", ")));
        }
        other => lines.push(format!("  {name:<9} {}", show::rounded(other))),
    };
    for (name, key) in [("validated", "cross_validated"), ("kept apart", "test"), ("loss", "loss"), ("total", "total")]
    {
        put(name, &v.metrics[key]);
    }
    for (name, key) in [("cutoff", "cutoff"), ("horizon", "horizon_days"), ("seed", "seed")] {
        put(name, &v.lineage[key]);
    }
    lines.push(format!("decisions about {}", v.name));
    for d in decisions {
        let before = d.before.map_or_else(String::new, |b| format!(" in place of {b}"));
        let forced = if d.forced { ", forced" } else { "" };
        let reason = if d.reason.is_empty() { String::new() } else { format!(": {}", d.reason) };
        lines.push(format!(
            "  {} UTC  {} version {}{before}, by {}{forced}{reason}",
            d.at,
            d.action.name(),
            d.version,
            d.by
        ));
        if let Some(words) = d.figures["words"].as_str() {
            lines.push(format!("      {words}"));
        }
    }
    lines.join("\n") + "\n"
}

fn ask<'a>(who: &'a Who, by: &'a str, force: bool) -> Result<Ask<'a>, Error> {
    Ok(Ask { by, reason: &who.reason, force, now: now()? })
}

/// Who decides.
fn by(who: &Who) -> String {
    let user = || ["USER", "LOGNAME", "USERNAME"].iter().find_map(|v| std::env::var(v).ok().filter(|u| !u.is_empty()));
    who.by.clone().or_else(user).unwrap_or_else(|| "unknown".to_owned())
}

fn now() -> Result<Timestamp, Error> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let seconds = since.ok().and_then(|s| i64::try_from(s.as_secs()).ok());
    seconds.map(Timestamp).ok_or_else(|| Error::Internal("the clock of this machine is before 1970".to_owned()))
}
