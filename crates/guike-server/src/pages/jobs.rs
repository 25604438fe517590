//! `GET /jobs`, `POST /jobs`: long work, how far it is, and a button that ends it. Plain forms; the list asks for itself anew
//! where the script is there.

use std::sync::Arc;

use askama::Template;
use axum::body::Body;
use axum::http::StatusCode;
use guike::report::text::percent;

use super::frame::Page;
use super::show::Block;
use super::words_running as say;
use crate::app::{Answer, App, Call};
use crate::batch::{Answering, drained};
use crate::jobs::{self, JobView};
use crate::login::{needs_own_page, see_other, sent};
use crate::problem::{Code, Problem};
use guike_guard::{Action, Resource};

struct Row {
    id: usize,
    what: String,
    state: String,
    /// What it is at, or what came of it.
    said: String,
    /// From 0 to 100, where it runs and that is known.
    percent: Option<u32>,
    is_running: bool,
    by: String,
    asked: String,
    took: String,
    can_cancel: bool,
}

struct Field {
    name: &'static str,
    label: String,
    hint: &'static str,
    is_needed: bool,
}

#[derive(Template)]
#[template(path = "train.html", escape = "html")]
struct Form {
    action: &'static str,
    token: Option<String>,
    lead: String,
    fields: Vec<Field>,
    budget: String,
    budgets: [(&'static str, String); 3],
    promote: String,
    table: String,
    train: String,
}

#[derive(Template)]
#[template(path = "jobs.html", escape = "html")]
struct Html {
    rows: Vec<Row>,
    /// Whether something goes on, so that the list changes.
    is_live: bool,
    may: bool,
    can_refresh: bool,
    token: Option<String>,
    none: String,
    head: [String; 7],
    list: String,
    cancel: String,
    refresh: String,
    promote: String,
    again: String,
    progress: String,
}

/// `GET /jobs`.
pub(super) fn answer(app: &App, call: &Call) -> Result<Answer, Problem> {
    shown(app, call, Vec::new())
}

/// `POST /jobs/train`: the form with a table.
pub(super) fn train(app: Arc<App>, call: Call, mut body: Body, _: String) -> Answering {
    Box::pin(async move {
        match jobs::train_by_form(&app, &call, &mut body).await {
            Ok(job) => Ok(see_other("/jobs").did(format!("train job {}", job.id))),
            Err(problem) => {
                // who still sends gets to read why
                tokio::spawn(drained(body));
                refused(&app, &call, &problem)
            }
        }
    })
}

/// The page with what was wrong.
fn refused(app: &App, call: &Call, problem: &Problem) -> Result<Answer, Problem> {
    let html = super::show::escaped(problem.detail());
    let status = StatusCode::from_u16(problem.status()).unwrap_or(StatusCode::UNPROCESSABLE_ENTITY);
    Ok(shown(app, call, vec![Block::Warning { html }])?.with_status(status))
}

/// `POST /jobs`.
pub(super) fn change(app: &App, call: &Call) -> Result<Answer, Problem> {
    needs_own_page(call)?;
    let form = sent(call, &["csrf", "do", "job", "promote"])?;
    let done = match form.get("do") {
        Some("refresh") => jobs::refresh(app, call, form.get("promote") == Some("on"))
            .map(|job| format!("{} job {}", job.kind.name(), job.id)),
        Some("cancel") => {
            let id = form.get("job").and_then(|id| id.parse().ok()).unwrap_or(0);
            jobs::stop(app, id).map(|()| format!("cancel job {id}"))
        }
        _ => Err(Problem::new(Code::MalformedQuery, "the form is not one of this page; load the page again")),
    };
    match done {
        Ok(did) => Ok(see_other("/jobs").did(did)),
        Err(problem) => refused(app, call, &problem),
    }
}

fn shown(app: &App, call: &Call, mut blocks: Vec<Block>) -> Result<Answer, Problem> {
    let page = Page::open(app, call, &[])?;
    let title = page.say(say::JOBS_TITLE);
    let Some(jobs) = app.jobs.as_deref() else {
        blocks.push(Block::Missing { html: page.html(say::NO_JOBS_HERE) });
        return Ok(page.answer(&title, None, blocks));
    };
    blocks.push(Block::Lead { html: page.html(say::JOBS_LEAD), is_first: true });
    let may = page.who.may(Resource::Jobs, Action::Change);
    let views: Vec<JobView> = jobs.list().iter().map(|found| jobs::view(jobs, call, found)).collect();
    let is_live = views.iter().any(|v| matches!(v.state, "queued" | "running"));
    let head = [say::JOB, say::JOB_WHAT, say::STATE, say::JOB_RESULT, say::WHO, say::WHEN, say::JOB_TOOK];
    let html = Html {
        rows: views.iter().map(|v| row(&page, v, may)).collect(),
        is_live,
        may,
        can_refresh: jobs.can_refresh(),
        token: page.token.clone(),
        none: page.say(say::NO_JOBS_YET),
        head: head.map(|word| page.say(word)),
        list: page.say(say::JOBS),
        cancel: page.say(say::CANCEL),
        refresh: page.say(say::REFRESH),
        promote: page.say(say::PROMOTE),
        again: page.say(say::LOOK_AGAIN),
        progress: page.say(say::PROGRESS),
    };
    blocks.push(Block::Part { html: html.render().expect("a String takes every page") });
    if may {
        blocks.push(Block::Heading(page.say(say::TRAIN)));
        blocks.push(form(&page, jobs.table_bytes()));
        let how = page.html(if jobs.can_refresh() { say::TRAIN_HOW } else { say::TRAIN_HOW_NO_ORDERS });
        let example = "curl -X POST -T customers.csv -H 'content-type: text/csv' \\\n  \
                       'http://127.0.0.1:5000/v1/jobs?kind=train&name=value-model&target=value&promote=true'";
        let html = format!("<p>{how}</p><pre class=\"scroll\" tabindex=\"0\">{}</pre>", super::show::escaped(example));
        blocks.push(Block::Part { html });
    }
    Ok(page.answer(&title, None, blocks))
}

/// The form that trains on a table.
fn form(page: &Page<'_>, most: u64) -> Block {
    let text = |name: &'static str, label, hint, is_needed| Field { name, label: page.say(label), hint, is_needed };
    let fields = vec![
        text("name", say::F_NAME, "value-model", true),
        text("target", say::F_TARGET, "value", true),
        text("positive", say::F_POSITIVE, "", false),
        text("drop", say::F_DROP, "", false),
    ];
    let budgets = [("standard", say::B_STANDARD), ("fast", say::B_FAST), ("thorough", say::B_THOROUGH)];
    let html = Form {
        action: jobs::FORM,
        token: page.token.clone(),
        lead: page.fill(say::F_LEAD, &[("most", (most >> 20).to_string())]),
        fields,
        budget: page.say(say::F_BUDGET),
        budgets: budgets.map(|(key, word)| (key, page.say(word))),
        promote: page.say(say::PROMOTE),
        table: page.say(say::F_TABLE),
        train: page.say(say::TRAIN),
    };
    Block::Part { html: html.render().expect("a String takes every page") }
}

fn row(page: &Page<'_>, v: &JobView, may: bool) -> Row {
    let is_running = v.state == "running";
    let state = match v.state {
        _ if v.stopping => say::S_STOPPING,
        "queued" => say::S_QUEUED,
        "running" => say::S_RUNNING,
        "done" => say::S_DONE,
        "failed" => say::S_FAILED,
        "cancelled" => say::S_CANCELLED,
        _ => say::S_INTERRUPTED,
    };
    let made = v.version.as_ref().map(|n| {
        let word = match (v.champion, &v.gate) {
            (Some(true), _) => say::MADE_CHAMPION,
            (_, Some(_)) => say::MADE_HELD_BACK,
            _ => say::MADE_CANDIDATE,
        };
        page.fill(word, &[("n", n.clone()), ("why", v.gate.clone().unwrap_or_default())])
    });
    let at = v.stage.as_ref().map(|stage| match (v.progress, v.stage_seconds_left) {
        (Some(share), Some(left)) => {
            page.fill(say::AT_LEFT, &[("stage", stage.clone()), ("share", percent(share)), ("left", seconds(left))])
        }
        (Some(share), None) => page.fill(say::AT_SHARE, &[("stage", stage.clone()), ("share", percent(share))]),
        (None, _) => stage.clone(),
    });
    let usual = v.usual_seconds.map(|s| page.fill(say::USUALLY, &[("time", seconds(s))]));
    let remarks = v.warnings.iter().chain(&v.notes).flatten().cloned();
    let said =
        [made, at, usual, v.trouble.clone()].into_iter().flatten().chain(remarks).collect::<Vec<_>>().join(" · ");
    Row {
        id: v.id,
        what: match (&v.table, page.say(if v.kind == "train" { say::K_TRAIN } else { say::K_REFRESH })) {
            (Some(table), kind) => format!("{kind} {} ({table})", v.name),
            (None, kind) => format!("{kind} {}", v.name),
        },
        state: page.say(state),
        said,
        percent: v.progress.filter(|_| is_running).map(|share| (share * 100.0).round() as u32),
        is_running,
        by: v.by.clone(),
        asked: v.asked.chars().take(19).collect::<String>().replace('T', " "),
        took: took(v).map_or_else(|| "–".to_owned(), seconds),
        can_cancel: may && !v.stopping && matches!(v.state, "queued" | "running"),
    }
}

/// Seconds from beginning to end.
fn took(v: &JobView) -> Option<usize> {
    let second = |text: &String| {
        let (day, time) = text.trim_end_matches('Z').split_once('T')?;
        let day: guike_core::Day = day.parse().ok()?;
        let mut parts = time.split(':').map(|p| p.parse::<i64>().ok());
        let (h, m, s) = (parts.next()??, parts.next()??, parts.next()??);
        Some(i64::from(day.0) * 86_400 + h * 3_600 + m * 60 + s)
    };
    usize::try_from(second(v.ended.as_ref()?)? - second(v.begun.as_ref()?)?).ok()
}

/// `3:07`, or `1:03:07`.
fn seconds(n: usize) -> String {
    let (h, m, s) = (n / 3_600, n / 60 % 60, n % 60);
    if h > 0 { format!("{h}:{m:02}:{s:02}") } else { format!("{m}:{s:02}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_told_as_a_clock_does() {
        assert_eq!([seconds(7), seconds(187), seconds(3_787)], ["0:07", "3:07", "1:03:07"]);
    }
}
