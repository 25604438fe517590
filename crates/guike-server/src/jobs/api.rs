//! What is asked about jobs, and what is answered.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::header;
use guike::Language;
use guike::jobs::{Job, JobKind, Made};
use guike::report::Lang;
use guike::table::TableSettings;
use guike_guard::{Action, Resource};
use http_body_util::BodyExt;
use serde_json::json;

use super::upload::Arriving;
use super::{Jobs, NewJob, Place, Progressed};
use crate::access::is_own_page;
use crate::app::{Answer, App, Call, internal};
use crate::batch::{Answering, drained};
use crate::pages::Reader;
use crate::problem::{Code, Problem};
use crate::query::{Query, list};
use crate::shape::shaped;

/// Parameters of `POST /v1/jobs`.
const ASKED: [&str; 12] =
    ["kind", "name", "promote", "target", "model", "budget", "positive", "drop", "keep", "time", "group", "lang"];
/// The name of a refreshed run, where no run is served yet.
const SHOP: &str = "shop";

shaped! {
    /// Jobs.
    JobsView {
        /// The newest first.
        jobs: Vec<JobView>,
    }

    /// A job, and how it stands.
    JobView {
        /// Its number.
        id: usize,
        /// `train` or `refresh`.
        kind: &'static str,
        /// Under which name its result is registered.
        name: String,
        /// `queued`, `running`, `done`, `failed`, `cancelled` or `interrupted` (the server ended before it was done).
        state: &'static str,
        /// Whether it was asked to stop and has not yet.
        stopping: bool,
        /// Who asked for it.
        by: String,
        /// When it was asked for.
        asked: String,
        /// When it began.
        begun: Option<String>,
        /// When it ended.
        ended: Option<String>,
        /// What it is at.
        stage: Option<String>,
        /// How much of the stage is done, from 0 to 1; left out where that is not known.
        progress: Option<f64>,
        /// Seconds that are left of the stage at the pace so far; left out where that is not known.
        stage_seconds_left: Option<usize>,
        /// Seconds that the last such job took.
        usual_seconds: Option<usize>,
        /// The number of the version that it made.
        version: Option<String>,
        /// Whether that version is the champion.
        champion: Option<bool>,
        /// Why it is not, where it was to be.
        gate: Option<String>,
        /// What its table was called.
        table: Option<String>,
        /// What must be read about the table, as suspected leaks; told to who may ask for jobs.
        warnings: Option<Vec<String>>,
        /// What may be read about the table; told to who may ask for jobs.
        notes: Option<Vec<String>>,
        /// What went wrong; told to who may ask for jobs.
        trouble: Option<String>,
    }
}

pub(super) fn jobs(app: &App) -> Result<&Jobs, Problem> {
    let detail = "jobs go into a workspace that can be written, and none is served; start the server with one \
                  (`guike train --workspace` makes it)";
    app.jobs.as_deref().ok_or_else(|| Problem::new(Code::NoWorkspace, detail))
}

/// A job as it is told to who asks.
pub(crate) fn view(jobs: &Jobs, call: &Call, (job, far): &(Job, Option<Progressed>)) -> JobView {
    let moment = |at: guike_core::Timestamp| at.to_string().replacen(' ', "T", 1) + "Z";
    // it may name columns and values of the table
    let sees_trouble = call.who.may(Resource::Jobs, Action::Change);
    let told = |of: fn(&Made) -> &Vec<String>| {
        job.made.as_ref().filter(|_| sees_trouble).map(of).filter(|list| !list.is_empty()).cloned()
    };
    let seconds = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    JobView {
        id: usize::try_from(job.id).unwrap_or(usize::MAX),
        kind: job.kind.name(),
        name: job.name.clone(),
        state: job.state.name(),
        stopping: far.as_ref().is_some_and(|f| f.is_stopping),
        by: job.by.clone(),
        asked: moment(job.asked),
        begun: job.begun.map(moment),
        ended: job.ended.map(moment),
        stage: far.as_ref().map(|f| f.stage.clone()).filter(|s| !s.is_empty()),
        progress: far.as_ref().and_then(|f| f.share),
        stage_seconds_left: far.as_ref().and_then(|f| f.seconds_left).map(seconds),
        usual_seconds: if job.state.is_over() { None } else { jobs.usual_seconds(job).map(seconds) },
        version: job.made.as_ref().map(|m| m.version.to_string()),
        champion: job.made.as_ref().map(|m| m.is_champion),
        gate: job.made.as_ref().and_then(|m| m.gate.clone()),
        table: job.table.clone().filter(|_| sees_trouble),
        warnings: told(|m| &m.warnings),
        notes: told(|m| &m.notes),
        trouble: job.trouble.clone().filter(|_| sees_trouble),
    }
}

/// `GET /v1/jobs`.
pub(crate) fn all(app: &App, call: &Call) -> Result<Answer, Problem> {
    Query::parse(&call.query, &[])?;
    let jobs = jobs(app)?;
    let views = jobs.list().iter().map(|found| view(jobs, call, found)).collect();
    Ok(Answer::of(&JobsView { jobs: views }))
}

/// `GET /v1/jobs/{job}`.
pub(crate) fn one(app: &App, call: &Call) -> Result<Answer, Problem> {
    Query::parse(&call.query, &[])?;
    let jobs = jobs(app)?;
    let found = call.param("job").parse().ok().and_then(|id| jobs.find(id)).ok_or_else(none)?;
    Ok(Answer::of(&view(jobs, call, &found)))
}

fn none() -> Problem {
    Problem::new(Code::NoJob, "no job has this number; GET /v1/jobs lists them")
}

/// `POST /v1/jobs/{job}/cancel`.
pub(crate) fn cancel(app: &App, call: &Call) -> Result<Answer, Problem> {
    Query::parse(&call.query, &[])?;
    call.needs_json()?;
    let id = call.param("job").parse().map_err(|_| none())?;
    stop(app, id)?;
    let jobs = jobs(app)?;
    let found = jobs.find(id).ok_or_else(none)?;
    Ok(Answer::of(&view(jobs, call, &found)).did(format!("cancel job {id}")))
}

/// Stops a job that waits or runs.
pub(crate) fn stop(app: &App, id: u64) -> Result<(), Problem> {
    jobs(app)?.cancel(id)?.map(|_| ()).ok_or_else(none)
}

/// Puts a refresh into the queue.
pub(crate) fn refresh(app: &App, call: &Call, promote: bool) -> Result<Job, Problem> {
    let jobs = jobs(app)?;
    if !jobs.can_refresh() {
        let detail = "the server does not know the order log; start it with --orders FILE";
        return Err(Problem::new(Code::NotChanged, detail));
    }
    let name = app.served.run.as_ref().filter(|r| r.stage.is_some()).map_or(SHOP, |r| r.name.as_str()).to_owned();
    let language = language(call);
    let new = NewJob { kind: JobKind::Refresh, name, by: by(call), settings: None, promote, table: None, language };
    jobs.place()?.take(new)
}

/// Who asks, as jobs and decisions name her.
pub(crate) fn by(call: &Call) -> String {
    match call.who.kind() {
        (_, Some(name)) => name.to_owned(),
        (kind, None) => kind.to_owned(),
    }
}

/// `POST /v1/jobs`: the body is the table, or nothing.
pub(crate) fn ask(app: Arc<App>, call: Call, mut body: Body, _: String) -> Answering {
    Box::pin(async move {
        let asked = asked(&app, &call, &mut body).await;
        if asked.is_err() {
            // who still sends gets to read why
            tokio::spawn(drained(body));
        }
        asked
    })
}

async fn asked(app: &App, call: &Call, body: &mut Body) -> Result<Answer, Problem> {
    let query = Query::parse(&call.query, &ASKED)?;
    if !is_own_page(&call.parts) {
        return Err(Problem::new(Code::ForeignPage, "a page of another site sent this; ask from one of this server"));
    }
    let promote = query.flag("promote")?;
    let job = match query.get("kind") {
        Some("refresh") => {
            call.needs_json()?;
            let surplus = ASKED.iter().filter(|n| !["kind", "promote", "lang"].contains(n) && query.get(n).is_some());
            if let Some(name) = surplus.copied().next() {
                let detail = format!("a refresh takes no parameter `{name}`; it has the settings of the champion");
                return Err(Problem::new(Code::MalformedQuery, detail));
            }
            refresh(app, call, promote)?
        }
        Some("train") => train(app, call, &query, body, promote).await?,
        _ => {
            let detail = format!("parameter `kind` takes one of {}", list(&["train", "refresh"]));
            return Err(Problem::new(Code::MalformedQuery, detail));
        }
    };
    let jobs = jobs(app)?;
    let found = jobs.find(job.id).ok_or_else(internal)?;
    Ok(Answer::of(&view(jobs, call, &found)).did(format!("{} job {}", job.kind.name(), job.id)))
}

async fn train(app: &App, call: &Call, query: &Query, body: &mut Body, promote: bool) -> Result<Job, Problem> {
    let jobs = jobs(app)?;
    let kind = call.parts.headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    if !kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("text/csv") {
        let detail = "the body must be the table as CSV and say so; add the header `content-type: text/csv`";
        return Err(Problem::new(Code::NotRows, detail));
    }
    let (settings, name) = (settings(query)?, train_name(query)?);
    let place = jobs.place()?;
    arrive(app, jobs, &place, body).await?;
    let language = language(call);
    let settings = Some(settings);
    place.take(NewJob { kind: JobKind::Train, name, by: by(call), settings, promote, table: None, language })
}

pub(super) fn wrong(detail: String) -> Problem {
    Problem::new(Code::MalformedQuery, detail)
}

/// Under which name the model is registered.
pub(super) fn train_name(query: &Query) -> Result<String, Problem> {
    let name = query.get("name").unwrap_or_default().to_owned();
    guike::jobs::check_name(&name).map_err(|e| wrong(e.to_string()))?;
    Ok(name)
}

/// The language of who asks.
pub(super) fn language(call: &Call) -> Language {
    match Reader::of(&call.parts).lang() {
        Lang::En => Language::English,
        Lang::Zh => Language::Chinese,
    }
}

/// What to learn, from the parameters.
pub(super) fn settings(query: &Query) -> Result<TableSettings, Problem> {
    let text = |name: &str| query.get(name).filter(|v| !v.is_empty()).map(str::to_owned);
    let names = |name: &str| {
        query.get(name).unwrap_or_default().split(',').filter(|n| !n.is_empty()).map(str::to_owned).collect::<Vec<_>>()
    };
    let usual = TableSettings::default();
    let budget = match query.get("budget").filter(|v| !v.is_empty()) {
        None => usual.budget,
        Some(named) => serde_json::from_value(json!(named)).map_err(|_| {
            let detail = format!("parameter `budget` takes one of {}", list(&["fast", "standard", "thorough"]));
            Problem::new(Code::MalformedQuery, detail)
        })?,
    };
    let settings = TableSettings {
        target: text("target").unwrap_or_default(),
        model: text("model").unwrap_or(usual.model),
        positive: text("positive"),
        time: text("time"),
        group: text("group"),
        drop: names("drop"),
        keep: names("keep"),
        budget,
        ..TableSettings::default()
    };
    if settings.target.is_empty() {
        return Err(wrong("parameter `target` names the column to learn; add it".to_owned()));
    }
    settings.validate().map_err(|e| wrong(e.to_string()))?;
    Ok(settings)
}

/// Writes the table to its place while it arrives.
async fn arrive(app: &App, jobs: &Jobs, place: &Place<'_>, body: &mut Body) -> Result<(), Problem> {
    let mut arriving = Arriving::at(place, jobs.table_bytes())?;
    let seconds = app.limits.seconds;
    loop {
        let arrived = tokio::time::timeout(Duration::from_secs(seconds.into()), body.frame()).await.map_err(|_| {
            let detail = format!("nothing of the body arrived for {seconds} seconds; send it faster");
            Problem::new(Code::TooSlow, detail)
        })?;
        let Some(frame) = arrived else { break };
        let gone = || Problem::new(Code::TooSlow, "the body broke off; send it again");
        let Ok(data) = frame.map_err(|_| gone())?.into_data() else { continue };
        arriving.push(&data)?;
    }
    arriving.whole()
}
