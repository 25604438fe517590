//! `GET /`: the shop in a page: what it is worth, how sure that is, what to do first, and how fresh the data are.

use guike::report::page::Text;
use guike::report::told;
use guike::report::view::{Part, ReportView};
use guike::report::words as w;
use guike::results::{Ask, Bounds, EXPECTED_SPEND, Sort};
use guike_guard::{Action, Resource};
use serde_json::json;

use super::customers::{LISTED, listing};
use super::frame::{Page, today};
use super::show::{Block, Chart, Figure};
use super::{models, rfm, tiers, words as own};
use crate::app::{Answer, App, Call};
use crate::problem::Problem;
use crate::served::ServedRun;

/// Customers that are listed.
const TOP: usize = 8;
/// Periods of the history that are drawn.
const PERIODS: usize = 48;
/// Mean days of a calendar month in the Gregorian calendar.
const DAYS_PER_MONTH: f64 = 365.2425 / 12.0;

/// `GET /`.
pub(super) fn answer(app: &App, call: &Call) -> Result<Answer, Problem> {
    if app.served.run.is_none() {
        return models::all(app, call);
    }
    let page = Page::open(app, call, &[])?;
    let run = page.run()?;
    let title = page.say(own::OVERVIEW);
    let mut blocks = Vec::new();
    match page.view() {
        Ok(view) => {
            blocks.extend(stale(&page, view));
            for (i, text) in told::lead(view).iter().enumerate() {
                blocks.push(Block::Lead { html: text.html_in(page.lang), is_first: i == 0 });
            }
            let tiles = told::tiles(view).iter().map(|t| Figure::of(t, page.lang)).collect();
            blocks.push(Block::Tiles(tiles, false));
            let mut charts = vec![history(&page, view)];
            if let Part::Here(of) = &view.tiers {
                charts.push(tiers::pyramid(&page, view, of).height("h4"));
            }
            if let Part::Here(map) = &view.rfm {
                charts.push(rfm::heat(&page, view, map));
            }
            blocks.push(Block::Charts(charts));
            let steps = told::steps(view);
            if !steps.is_empty() {
                blocks.push(Block::Heading(page.say(w::FIRST)));
                let html = |(what, why): &(Text, Text)| (what.html_in(page.lang), why.html_in(page.lang));
                blocks.push(Block::Steps(steps.iter().map(html).collect()));
            }
            blocks.extend(best(&page, run));
            blocks.extend(sure(&page, run, view));
        }
        Err(missing) => {
            blocks.push(missing);
            blocks.extend(best(&page, run));
        }
    }
    Ok(page.answer(&title, None, blocks))
}

/// A warning once the days that were forecast are over.
fn stale(page: &Page<'_>, view: &ReportView) -> Option<Block> {
    let until = view.cutoff.last_day().plus(view.horizon.days() as i32);
    (today().0 > until.0).then(|| Block::Warning { html: page.fill_html(own::STALE, &[("until", until.to_string())]) })
}

/// Spend per month that happened, and the mean month of what is expected.
fn history(page: &Page<'_>, view: &ReportView) -> Chart {
    let shown = &view.history[view.history.len().saturating_sub(PERIODS)..];
    let per_month = DAYS_PER_MONTH / f64::from(view.horizon.days());
    let total = view.answer.expected_spend;
    let data = json!({
        "kind": "trend",
        "labels": shown.iter().map(|p| p.label.as_str()).collect::<Vec<_>>(),
        "values": shown.iter().map(|p| p.value).collect::<Vec<_>>(),
        "complete": shown.iter().map(|p| p.complete).collect::<Vec<_>>(),
        "next": page.fill(w::PER_MONTH, &[("n", view.horizon.days().to_string())]),
        "mid": total.mid * per_month,
        "lo": total.lo * per_month,
        "hi": total.hi * per_month,
    });
    let interval = page.fill(w::INTERVAL, &[("level", guike::report::text::percent(view.level))]);
    Chart::told("history", &told::history(view), page.lang, &data)
        .unit(page.money_axis(w::HISTORY_Y))
        .keys(vec![("s3", page.say(w::ACTUAL)), ("s1", page.say(w::EXPECTED)), ("whisker", interval)])
        .wide()
}

/// The most valuable customers, with the way to all of them.
fn best(page: &Page<'_>, run: &ServedRun) -> Vec<Block> {
    // where it is recorded who sees customers, they have pages of their own for that
    if page.sight.names().is_some() || !page.who.may(Resource::Customers, Action::Reveal) {
        return Vec::new();
    }
    let ask = Ask {
        prefix: "",
        tier: None,
        group: None,
        bounds: Bounds::OPEN,
        sort: Sort::Number(EXPECTED_SPEND),
        descending: true,
        from: 0,
        limit: TOP,
    };
    let columns = &LISTED[..LISTED.len() - 1];
    let table = listing(page, run, columns, &run.results.page(&ask).customers);
    let link = format!("<p><a href=\"/customers\">{} →</a></p>", page.html(own::ALL_CUSTOMERS));
    vec![Block::Heading(page.say(own::BEST)), Block::Part { html: table + &link }]
}

/// Which model forecasts, how it did, and how fresh the data are.
fn sure(page: &Page<'_>, run: &ServedRun, view: &ReportView) -> Vec<Block> {
    let mut blocks = vec![Block::Heading(page.say(own::SURE_LINK))];
    match told::part(&view.backtest) {
        Ok(test) => {
            if let Some(curves) = run.results.board().and_then(|b| b.curves.as_ref()) {
                let met = told::met(view, test, [curves.predicted, curves.actual]);
                blocks.push(Block::Prose { html: met.html_in(page.lang) });
            }
            let choice = told::choice(test).into_iter().map(|t| Block::Prose { html: t.html_in(page.lang) });
            blocks.extend(choice);
            let link = format!("<a href=\"/quality\">{} →</a>", page.html(own::SURE_LINK));
            blocks.push(Block::Prose { html: link });
        }
        Err(why) => blocks.push(Block::Missing { html: why.html_in(page.lang) }),
    }
    blocks.push(Block::Heading(page.say(own::FRESHNESS)));
    let day = view.cutoff.last_day();
    let (age, until) = (today().0 - day.0, day.plus(view.horizon.days() as i32));
    let word = if age > 0 { own::FRESH } else { own::FRESH_TODAY };
    let with =
        [("day", day.to_string()), ("n", guike::report::text::count(age.max(0) as u64)), ("until", until.to_string())];
    blocks.push(Block::Prose { html: page.fill_html(word, &with) });
    let (lead, _) = told::rows(view);
    blocks.push(Block::Prose { html: lead.html_in(page.lang) });
    blocks
}
