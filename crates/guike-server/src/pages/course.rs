//! One customer in time: what she bought, what is expected of her from now on, and `GET /customers/{id}/why`.

use guike::explain::Found;
use guike::history::{Ahead, Bought};
use guike::report::text::percent;
use guike::report::told;
use guike::report::words as w;
use guike_core::Day;
use serde_json::{Value, json};

use super::frame::Page;
use super::show::{Block, Chart, Grid};
use super::words as own;
use crate::app::{Answer, App, Call, internal};
use crate::one::One;
use crate::problem::Problem;
use crate::served::encoded;
use crate::v1;

/// Purchase days that are drawn; a longer history begins with what was spent before.
const DRAWN: usize = 300;
/// Purchase days in the table, the last first.
const LISTED: usize = 20;

/// Spend so far and ahead, and the chance of a purchase; or why they are not there.
pub(super) fn course(page: &Page<'_>, app: &App, at: usize) -> Vec<Block> {
    let found = page.run().and_then(|run| One::at(app, run, at)).and_then(|one| Ok((one.bought(), one.ahead()?)));
    match found {
        Err(problem) if problem.status() == 503 => vec![Block::Missing { html: page.html(own::STILL_READING) }],
        Err(_) => vec![Block::Missing { html: page.html(own::NO_LOG) }],
        Ok((bought, ahead)) => {
            let now: Option<Day> = page.run().ok().and_then(|run| run.results.known_until(at).parse().ok());
            let Some(now) = now else { return Vec::new() };
            vec![Block::Charts(vec![spend(page, now, &bought, &ahead), chance(page, &ahead)])]
        }
    }
}

/// Spend added up: a stair of what happened, and from now on what is expected, with its interval.
fn spend(page: &Page<'_>, now: Day, bought: &[Bought], ahead: &[Ahead]) -> Chart {
    let total: f64 = bought.iter().map(|b| b.spend).sum();
    let drawn = &bought[bought.len().saturating_sub(DRAWN)..];
    let mut sum = total - drawn.iter().map(|b| b.spend).sum::<f64>();
    let mut past: Vec<(i32, f64)> = Vec::with_capacity(2 * drawn.len() + 1);
    for b in drawn {
        let day = b.day.0 - now.0;
        past.push((day, sum));
        sum += b.spend;
        past.push((day, sum));
    }
    past.push((0, sum));
    let from_now = |of: &dyn Fn(&Ahead) -> f64| -> Vec<(u32, f64)> {
        std::iter::once((0, total)).chain(ahead.iter().map(|a| (a.days, total + of(a)))).collect()
    };
    let series = json!([
        { "name": page.say(own::SPENT_LINE), "role": "main", "points": past },
        { "name": page.say(w::EXPECTED_SPEND), "role": "other", "dots": true, "points": from_now(&|a| a.spend) },
        { "name": page.say(own::LOWER_END), "role": "chance", "points": from_now(&|a| a.interval[0]) },
        { "name": page.say(own::UPPER_END), "role": "chance", "points": from_now(&|a| a.interval[1]) },
    ]);
    let first = past.first().map_or(0, |p| p.0);
    let last = ahead.last().map_or(1, |a| a.days);
    let data = json!({
        "kind": "curves", "series": series,
        "x": { "name": page.fill(own::DAYS_FROM, &[("day", now.to_string())]), "min": first, "max": last, "measure": "count" },
        "y": { "min": 0, "measure": "money" },
    });
    let mut table = Grid::new(vec![(page.say(own::DAY), false), (page.say(own::SPENT_THEN), true)]);
    for a in ahead.iter().rev() {
        let range = a.interval.map(|v| page.money().full(v)).join(" – ");
        table.row(vec![
            page.fill(own::UNTIL, &[("day", now.plus(a.days as i32).to_string())]),
            format!("{} ({range})", page.money().full(a.spend)),
        ]);
    }
    for b in bought.iter().rev().take(LISTED) {
        table.row(vec![b.day.to_string(), page.money().full(b.spend)]);
    }
    let caption = own::COURSE_CAPTION.text();
    let keys = vec![
        ("line", page.say(own::SPENT_LINE)),
        ("s2", page.say(w::EXPECTED_SPEND)),
        ("dash", page.fill(w::INTERVAL, &[("level", "80%".to_owned())])),
    ];
    Chart::new("course", page.say(own::COURSE), &caption, page.lang, &data)
        .unit(page.money_axis(own::SPEND_ADDED))
        .keys(keys)
        .wide()
        .table(table)
}

/// The probability that she has bought by a day.
fn chance(page: &Page<'_>, ahead: &[Ahead]) -> Chart {
    let points: Vec<(u32, f64)> = std::iter::once((0, 0.0)).chain(ahead.iter().map(|a| (a.days, a.p_active))).collect();
    let last = ahead.last().map_or(1, |a| a.days);
    let data = json!({
        "kind": "curves",
        "series": [{ "name": page.say(own::BOUGHT_BY), "role": "main", "dots": true, "area": true, "points": points }],
        "x": { "name": page.say(own::DAYS_AHEAD), "min": 0, "max": last, "measure": "count" },
        "y": { "name": page.say(own::BOUGHT_BY), "min": 0, "max": 1, "measure": "percent" },
    });
    let mut table = Grid::new(vec![(page.say(own::DAYS_AHEAD), false), (page.say(own::BOUGHT_BY), true)]);
    for a in ahead {
        table.row(vec![a.days.to_string(), percent(a.p_active)]);
    }
    Chart::new("chance", page.say(own::BY_THEN), &own::BY_THEN_CAPTION.text(), page.lang, &data).table(table)
}

/// `GET /customers/{id}/why`.
pub(super) fn why(app: &App, call: &Call) -> Result<Answer, Problem> {
    let page = Page::open(app, call, &[])?;
    let run = page.run()?;
    let at = v1::found(run, call).ok_or_else(v1::no_customer)?;
    let said = One::at(app, run, at)?.why()?;
    let Found::Customer { at: place, why } = &said.found else { return Err(internal()) };
    let story = told::customer(place, why);
    let lang = page.lang;
    let mut blocks: Vec<Block> = Vec::new();
    for (i, text) in story.lead.iter().enumerate() {
        blocks.push(Block::Lead { html: text.html_in(lang), is_first: i == 0 });
    }
    let steps: Vec<Value> = story.steps.iter().map(|s| {
        json!({ "name": s.name.plain(lang), "from": s.from, "to": s.to, "role": s.role, "text": s.amount.plain(lang) })
    }).collect();
    let data = json!({ "kind": "waterfall", "measure": "money", "steps": steps });
    let chart = Chart::told("reasons", &story.parts, lang, &data);
    blocks.push(Block::Charts(vec![chart.wide().height("h5")]));
    blocks.push(Block::Heading(story.what_if.title.plain(lang)));
    for text in &story.what_if.lead {
        blocks.push(Block::Prose { html: text.html_in(lang) });
    }
    match &story.what_if.table {
        Some(table) => blocks.push(Block::Grid(Grid::of(table, lang))),
        None => blocks.push(Block::Missing { html: page.html(own::NO_WHAT_IF) }),
    }
    for text in &story.what_if.notes {
        blocks.push(Block::Prose { html: format!("<span class=\"quiet\">{}</span>", text.html_in(lang)) });
    }
    let shown = page.sight.shown(run.results.id(at)).into_owned();
    let title = page.fill(own::WHY_TITLE, &[("id", shown.clone())]);
    let back =
        Some((format!("/customers/{}{}", encoded(&shown), page.purpose()), page.fill(own::BACK_TO, &[("id", shown)])));
    Ok(page.answer(&title, back, blocks).about(1))
}
