//! `GET /audiences`: the saved audiences with who answers to them now; `POST` saves and deletes.

use askama::Template;
use axum::http::{HeaderValue, StatusCode, header};
use guike::report::text::count;
use guike::report::words as w;
use guike::results::{NUMBERS, Results};
use guike::workspace::Audience;
use guike_guard::{Action, Resource};

use super::customers::{FILES, number_name, tier_name};
use super::frame::Page;
use super::show::Block;
use super::words as own;
use crate::access::is_own_page;
use crate::app::{Answer, App, Call};
use crate::audiences;
use crate::filter;
use crate::kept::kept;
use crate::problem::{Code, Problem};
use crate::query::{Query, decoded};

/// An audience in the list.
struct Row {
    name: String,
    /// Its filter in words.
    filter: String,
    /// Its customers on their page.
    href: String,
    customers: String,
    expected: String,
    created: String,
    by: String,
    files: Vec<(String, &'static str)>,
    delete_label: String,
}

#[derive(Template)]
#[template(path = "audiences.html", escape = "html")]
struct Html {
    caption: String,
    head: [String; 6],
    rows: Vec<Row>,
    token: Option<String>,
    /// What deletes one, for who may.
    delete: Option<String>,
}

/// `GET /audiences`.
pub(super) fn answer(app: &App, call: &Call) -> Result<Answer, Problem> {
    let page = Page::open(app, call, &[])?;
    let run = page.run()?;
    let mut blocks = vec![Block::Lead { html: page.html(own::AUDIENCES_LEAD), is_first: true }];
    if app.served.kept.is_none() {
        blocks.push(Block::Missing { html: page.html(own::NO_AUDIENCES_HERE) });
    } else {
        let saved = kept(app)?.audiences()?;
        if saved.is_empty() {
            blocks.push(Block::Missing { html: page.html(own::NO_AUDIENCES) });
        } else {
            let head = [own::AUDIENCE, own::FILTER, w::CUSTOMERS_TITLE, w::EXPECTED_SPEND, own::SAVED_BY, own::SAVE_AS];
            let html = Html {
                caption: page.say(own::AUDIENCES),
                head: head.map(|word| page.say(word)),
                rows: saved.iter().map(|a| row(&page, &run.results, a)).collect(),
                token: page.token.clone(),
                delete: audiences::may_change(&page.who).then(|| page.say(own::DELETE)),
            };
            blocks.push(Block::Part { html: html.render().expect("a String takes every page") });
        }
    }
    let link = format!("<a href=\"/customers{}\">{} →</a>", page.purpose(), page.html(own::ALL_CUSTOMERS));
    blocks.push(Block::Prose { html: link });
    let title = page.say(own::AUDIENCES);
    Ok(page.answer(&title, None, blocks))
}

fn row(page: &Page<'_>, r: &Results, a: &Audience) -> Row {
    // what was saved was read before it was
    let query = Query::parse(&a.filter, &filter::names(&[])).unwrap_or_default();
    // counts tell no ids
    let tally = audiences::ask(r, &query, &crate::ledger::Sight::OPEN, 1).ok().flatten().map(|ask| r.tally(&ask));
    let tally = tally.unwrap_or_default();
    let purpose = page.query.get("purpose").filter(|p| !p.is_empty()).map(|p| format!("purpose={p}"));
    let asked = [Some(a.filter.clone()).filter(|f| !f.is_empty()), purpose].into_iter().flatten();
    let asked = asked.collect::<Vec<_>>().join("&");
    let address = |path: &str| if asked.is_empty() { path.to_owned() } else { format!("{path}?{asked}") };
    let may_export = page.who.may(Resource::Customers, Action::Export) && tally.customers > 0;
    // the beginning of an id is in the address: who may not know ids is not told it
    let hides = page.sight.is_masked() && query.get("prefix").is_some();
    let files = FILES.iter().filter(|_| may_export && !hides);
    Row {
        name: a.name.clone(),
        filter: said(page, r, &query),
        href: if hides { String::new() } else { address("/customers") },
        customers: count(tally.customers as u64),
        expected: page.money().whole(tally.expected_spend),
        created: a.created.day().to_string(),
        by: a.by.clone(),
        files: files.map(|(ending, name)| (address(&format!("/customers.{ending}")), *name)).collect(),
        delete_label: page.fill(own::DELETE_ONE, &[("name", a.name.clone())]),
    }
}

/// A filter in words.
pub(super) fn said(page: &Page<'_>, r: &Results, query: &Query) -> String {
    let value = |name: &str| query.get(name).filter(|v| !v.is_empty());
    let mut parts = Vec::new();
    if let Some(prefix) = value("prefix") {
        let prefix = if page.sight.is_masked() { "…" } else { prefix };
        parts.push(format!("{} {prefix}", page.say(own::SEARCH)));
    }
    parts.extend(value("tier").map(|key| tier_name(page, r, key)));
    parts.extend(value("group").map(|key| Results::group_name(key).pick(page.lang).to_owned()));
    for column in 0..NUMBERS.len() {
        let [least, greatest] = filter::ENDS[column].map(value);
        let name = || number_name(page, column);
        match (least, greatest) {
            (None, None) => {}
            (Some(least), None) => parts.push(format!("{} ≥ {least}", name())),
            (None, Some(greatest)) => parts.push(format!("{} ≤ {greatest}", name())),
            (Some(least), Some(greatest)) => parts.push(format!("{least} ≤ {} ≤ {greatest}", name())),
        }
    }
    if parts.is_empty() { page.say(own::ALL_CUSTOMERS) } else { parts.join(" · ") }
}

/// The fields of a form.
fn field(call: &Call, name: &str) -> Result<String, Problem> {
    let body = std::str::from_utf8(&call.body).unwrap_or_default();
    let sent = body.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    let detail = "the form is not one of this page's; load the page again";
    sent.and_then(decoded).ok_or_else(|| Problem::new(Code::MalformedQuery, detail))
}

/// `POST /audiences`.
pub(super) fn save(app: &App, call: &Call) -> Result<Answer, Problem> {
    own_form(call)?;
    audiences::save(app, &call.who, &call.sight, &field(call, "name")?, &field(call, "filter")?)?;
    Ok(back(call))
}

/// `POST /audiences/delete`.
pub(super) fn delete(app: &App, call: &Call) -> Result<Answer, Problem> {
    own_form(call)?;
    audiences::delete(app, &field(call, "name")?)?;
    Ok(back(call))
}

/// Who is logged in shows a token; where nobody logs in, a form of another site is told by where it comes from.
fn own_form(call: &Call) -> Result<(), Problem> {
    if is_own_page(&call.parts) {
        return Ok(());
    }
    Err(Problem::new(Code::ForeignPage, "send the form from a page of this server"))
}

/// To the list, which is then loaded anew.
fn back(call: &Call) -> Answer {
    let purpose = call.query.split('&').find(|p| p.starts_with("purpose="));
    let to = format!("/audiences{}", purpose.map_or_else(String::new, |p| format!("?{p}")));
    Answer::text("text/plain; charset=utf-8", Vec::new())
        .with_status(StatusCode::SEE_OTHER)
        .header(header::LOCATION, HeaderValue::from_str(&to).unwrap_or(HeaderValue::from_static("/audiences")))
}
