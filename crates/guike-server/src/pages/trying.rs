//! `POST /models/{name}`: what a model says of the values of a form, and why.
//!
//! The values come in the body and not in the address: they may be a person's, and addresses are kept in many places.

use std::sync::atomic::Ordering;

use askama::Template;
use guike::report::text::percent;
use guike::report::words as w;
use guike::table::Outcome;
use guike::table::score::{Input, InputKind, Scorer};
use serde_json::json;

use super::frame::Page;
use super::models::{self, class_of};
use super::quality::score;
use super::show::{Block, Chart, Figure, Grid};
use super::words as own;
use crate::app::{Answer, App, Call};
use crate::problem::{Code, Problem};
use crate::query::decoded;
use crate::served::{ServedModel, encoded};

/// Parts of an answer that are drawn, the largest.
const PARTS: usize = 12;
/// Groups of a column that are offered.
const GROUPS: usize = 200;

struct Field {
    id: String,
    label: String,
    value: String,
    /// `number`, `text` or `date`.
    kind: &'static str,
    groups: Vec<String>,
    hint: String,
    wrong: Option<String>,
}

#[derive(Template)]
#[template(path = "try.html", escape = "html")]
struct Html {
    action: String,
    token: Option<String>,
    fields: Vec<Field>,
    predict: String,
}

/// `POST /models/{name}`.
pub(super) fn answer(app: &App, call: &Call) -> Result<Answer, Problem> {
    let page = Page::open(app, call, &[])?;
    let m = app.model(call.param("name"))?;
    let typed = typed(m, call)?;
    let (cells, wrong) = cells(&page, m, &typed);
    let mut tried =
        vec![form(&page, m, &typed.iter().zip(&wrong).map(|(t, w)| (t.clone(), w.clone())).collect::<Vec<_>>())];
    if wrong.iter().all(Option::is_none) {
        m.predicted.fetch_add(1, Ordering::Relaxed);
        tried.extend(said(&page, m, &cells, &typed));
    }
    Ok(models::shown(page, app, m, tried))
}

/// The form; `filled` holds what was typed into each field and what is wrong with it.
pub(super) fn form(page: &Page<'_>, m: &ServedModel, filled: &[(String, Option<String>)]) -> Block {
    let field = |(i, input): (usize, &Input)| {
        let (value, wrong) = filled.get(i).cloned().unwrap_or_default();
        let (kind, groups, hint) = match &input.kind {
            InputKind::Number => ("text", Vec::new(), String::new()),
            InputKind::Category(levels) => ("text", levels.iter().take(GROUPS).cloned().collect(), String::new()),
            InputKind::Date(format) => ("text", Vec::new(), format.to_string()),
        };
        Field { id: format!("c{i}"), label: input.name.clone(), value, kind, groups, hint, wrong }
    };
    let html = Html {
        action: format!("/models/{}", encoded(&m.name)),
        token: page.token.clone(),
        fields: m.scorer.inputs().iter().enumerate().map(field).collect(),
        predict: page.say(own::PREDICT),
    };
    Block::Part { html: html.render().expect("a String takes every page") }
}

/// What was typed, a text for every column.
fn typed(m: &ServedModel, call: &Call) -> Result<Vec<String>, Problem> {
    let malformed = |detail: &str| Problem::new(Code::MalformedQuery, detail.to_owned());
    let body =
        std::str::from_utf8(&call.body).map_err(|_| malformed("the form is no UTF-8 text; send it from the page"))?;
    let mut typed = vec![String::new(); m.scorer.inputs().len()];
    for pair in body.split('&').filter(|p| !p.is_empty() && !p.starts_with("csrf=")) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let at = name.strip_prefix('c').and_then(|i| i.parse::<usize>().ok()).filter(|i| *i < typed.len());
        let at = at.ok_or_else(|| malformed("the form has a field that this model does not; load its page again"))?;
        typed[at] = decoded(value).ok_or_else(|| malformed("a field of the form is no UTF-8 text"))?.trim().to_owned();
    }
    Ok(typed)
}

/// The cells of the row, and what is wrong with each text.
fn cells(page: &Page<'_>, m: &ServedModel, typed: &[String]) -> (Vec<f64>, Vec<Option<String>>) {
    let each = typed.iter().zip(m.scorer.inputs()).enumerate().map(|(i, (text, input))| {
        if text.is_empty() {
            return (Scorer::MISSING, None);
        }
        let read = match &input.kind {
            InputKind::Number => text.parse().ok().and_then(|v| m.scorer.number(i, v).ok()),
            InputKind::Category(_) | InputKind::Date(_) => m.scorer.text(i, text).ok(),
        };
        let wrong = || match &input.kind {
            InputKind::Date(format) => {
                page.fill(own::WRONG_DATE, &[("column", input.name.clone()), ("format", format.to_string())])
            }
            _ => page.fill(own::WRONG_NUMBER, &[("column", input.name.clone())]),
        };
        match read {
            Some(cell) => (cell, None),
            None => (Scorer::MISSING, Some(wrong())),
        }
    });
    each.unzip()
}

/// The answer, with the probability of every class and the reasons.
fn said(page: &Page<'_>, m: &ServedModel, cells: &[f64], typed: &[String]) -> Vec<Block> {
    let values = m.scorer.predict(cells);
    let called = m.scorer.call(&values);
    let mut blocks = Vec::new();
    let html = match m.scorer.outcome() {
        Outcome::Regression => page.fill_html(own::SAYS, &[("answer", score(values[0]))]),
        Outcome::Classification { classes, .. } => {
            page.fill_html(own::SAYS_P, &[("answer", classes[called].clone()), ("p", percent(values[called]))])
        }
    };
    blocks.push(Block::Part { html: format!("<p class=\"lead first said\" role=\"status\">{html}</p>") });
    blocks.extend(stands(page, m, &values, called));
    let unseen = m.scorer.inputs().iter().enumerate().filter(|(i, _)| m.scorer.is_unknown(*i, cells[*i]));
    for (_, input) in unseen {
        let html = page.fill_html(own::NEVER_SEEN, &[("column", input.name.clone())]);
        blocks.push(Block::Warning { html });
    }
    if let Outcome::Classification { classes, .. } = m.scorer.outcome() {
        let figures = classes.iter().zip(&values).map(|(class, p)| Figure::new(class, &percent(*p), ""));
        blocks.push(Block::Tiles(figures.collect(), true));
    }
    blocks.push(reasons(page, m, cells, called, typed));
    blocks
}

/// Its tier and interval, where the model has them.
fn stands(page: &Page<'_>, m: &ServedModel, values: &[f64], called: usize) -> Option<Block> {
    let tier = m.scorer.tier(values).map(|t| {
        let name = page.lang.pick(&t.en, &t.zh).to_owned();
        match class_of(m) {
            Some(class) => page.fill_html(own::TIER_OF_CLASS, &[("tier", name), ("class", class.to_owned())]),
            None => page.fill_html(own::TIER_OF_NUMBER, &[("tier", name)]),
        }
    });
    let interval = m.scorer.interval(values, called).map(|i| match i.level {
        Some(level) => {
            let with = [("level", percent(level)), ("lower", score(i.lower)), ("upper", score(i.upper))];
            page.fill_html(own::INTERVAL_OF_NUMBER, &with)
        }
        None => {
            let with = [("lower", percent(i.lower)), ("upper", percent(i.upper))];
            page.fill_html(own::INTERVAL_OF_CHANCE, &with)
        }
    });
    let said: Vec<String> = [tier, interval].into_iter().flatten().collect();
    (!said.is_empty()).then(|| Block::Prose { html: said.join(" ") })
}

/// What each column adds.
fn reasons(page: &Page<'_>, m: &ServedModel, cells: &[f64], called: usize, typed: &[String]) -> Block {
    let class = m.scorer.outcome().positive().unwrap_or(called);
    let Ok(Some(found)) = m.scorer.reasons(cells, &[class]) else {
        return Block::Missing { html: page.html(own::NO_REASONS) };
    };
    let mut order: Vec<usize> = (0..found.parts.len()).collect();
    order.sort_by(|&a, &b| found.parts[b].abs().total_cmp(&found.parts[a].abs()));
    let base = found.base[0];
    let total = base + found.parts.iter().sum::<f64>();
    let step = |name: String, from: f64, to: f64, role: &str, text: String| json!({ "name": name, "from": from, "to": to, "role": role, "text": text });
    let signed = |v: f64| format!("{}{}", if v > 0.0 { "+" } else { "" }, score(v));
    let mut steps = vec![step(page.say(own::BASE), 0.0, base, "base", score(base))];
    let mut table =
        Grid::new(vec![(page.say(w::COLUMN), false), (page.say(w::VALUE), false), (page.say(own::REASONS), true)]);
    table.row(vec![page.say(own::BASE), String::new(), score(base)]);
    let mut at = base;
    for &j in order.iter().take(PARTS) {
        let value = if typed[j].is_empty() { page.say(own::KNOWN_NOT) } else { typed[j].clone() };
        let name = &m.scorer.inputs()[j].name;
        let amount = found.parts[j];
        steps.push(step(format!("{name}: {value}"), at, at + amount, "part", signed(amount)));
        table.row(vec![name.clone(), value, signed(amount)]);
        at += amount;
    }
    if order.len() > PARTS {
        let rest = page.fill(w::WHY_TOP_REST, &[("amount", String::new())]).trim().to_owned();
        steps.push(step(rest.clone(), at, total, "part", signed(total - at)));
        table.row(vec![rest, String::new(), signed(total - at)]);
    }
    steps.push(step(page.say(own::ANSWER), 0.0, total, "total", score(total)));
    table.row(vec![page.say(own::ANSWER), String::new(), score(total)]);
    let unit = serde_json::to_value(found.unit).ok().and_then(|u| u.as_str().map(str::to_owned)).unwrap_or_default();
    let unit = match unit.as_str() {
        "log_odds" => page.lang.pick("log-odds", "对数几率").to_owned(),
        "probability" => page.lang.pick("probability", "概率").to_owned(),
        "log_number" => page.lang.pick("logarithm of the number", "数值的对数").to_owned(),
        _ => page.lang.pick("score", "分值").to_owned(),
    };
    let name = match m.scorer.outcome() {
        Outcome::Regression => None,
        Outcome::Classification { classes, .. } => class_of(m).or_else(|| classes.get(class).map(String::as_str)),
    };
    let caption = match name {
        Some(class) => page.filled(own::REASONS_CAPTION, &[("class", class.to_owned()), ("unit", unit)]),
        None => own::REASONS_CAPTION_NUMBER.text(),
    };
    let data = json!({ "kind": "waterfall", "measure": "plain", "steps": steps });
    let height = if steps.len() > 8 { "h5" } else { "h3" };
    let chart = Chart::new("reasons", page.say(own::REASONS), &caption, page.lang, &data);
    Block::Charts(vec![chart.wide().height(height).table(table)])
}
