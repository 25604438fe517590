//! `GET /customers/{id}`: one customer: what is expected, how sure that is, and how she compares.

use guike::report::page::Text;
use guike::report::text::{count, grouped, percent};
use guike::report::words as w;
use guike::results::{DAYS_SINCE, EXPECTED_SPEND, P_ACTIVE, PURCHASE_DAYS, Results, SPEND_SO_FAR};
use guike_core::Day;
use serde_json::json;

use super::course;
use super::customers::{LISTED, listing, named_tiers, tier_html};
use super::frame::Page;
use super::show::{Block, Chart, Figure, Grid, escaped};
use super::words as own;
use crate::app::{Answer, App, Call};
use crate::problem::Problem;
use crate::served::{ServedRun, encoded};
use crate::v1;

/// Look-alikes that are listed.
const ALIKE: usize = 6;

/// `GET /customers/{id}`.
pub(super) fn answer(app: &App, call: &Call) -> Result<Answer, Problem> {
    let page = Page::open(app, call, &[])?;
    let run = page.run()?;
    let at = v1::found(run, call).ok_or_else(v1::no_customer)?;
    let r = &run.results;
    let e = r.evaluation();
    let number = |column: usize| r.number(at, column);
    let money = |column: usize| number(column).map_or_else(|| "–".to_owned(), |v| page.short(v));
    let share = number(P_ACTIVE).map_or_else(|| "–".to_owned(), percent);
    let horizon = e["horizon_days"].as_u64().unwrap_or_default().to_string();
    let cutoff = r.known_until(at);
    let lead = page.fill_html(
        own::CUSTOMER_LEAD,
        &[
            ("days", horizon.clone()),
            ("cutoff", cutoff.clone()),
            ("spend", money(EXPECTED_SPEND)),
            ("lo", money(4)),
            ("hi", money(5)),
            ("p", share.clone()),
        ],
    );
    let mut blocks = vec![Block::Lead { html: lead, is_first: true }, tiles(&page, run, at, cutoff.parse().ok())];
    if r.as_of(at).is_some() {
        let html = page.fill_html(own::SINCE_RUN, &[("day", cutoff.clone())]);
        blocks.push(Block::Prose { html: format!("<span class=\"quiet\">{html}</span>") });
    }
    let why = format!("/customers/{}/why{}", encoded(&page.sight.shown(r.id(at))), page.purpose());
    blocks.push(Block::Part { html: format!("<p><a href=\"{}\">{}</a></p>", escaped(&why), page.html(own::WHY_LINK)) });
    let mut charts: Vec<Chart> = range(&page, r, at, &horizon).into_iter().collect();
    charts.push(place(&page, r, at));
    blocks.push(Block::Charts(charts));
    blocks.extend(course::course(&page, app, at));
    let alike = r.alike(at, ALIKE);
    if !alike.is_empty() {
        blocks.push(Block::Heading(page.say(own::ALIKE)));
        blocks.push(Block::Prose { html: format!("<span class=\"quiet\">{}</span>", page.html(own::ALIKE_NOTE)) });
        blocks.push(Block::Part { html: listing(&page, run, &LISTED, &alike) });
    }
    let title = format!("{} {}", page.say(w::CUSTOMER), page.sight.shown(r.id(at)));
    let back = Some(("/customers".to_owned() + &page.purpose(), page.say(own::BACK)));
    Ok(page.answer(&title, back, blocks).about(1 + alike.len()))
}

fn tiles(page: &Page<'_>, run: &ServedRun, at: usize, cutoff: Option<Day>) -> Block {
    let r = &run.results;
    let whole =
        |column: usize| r.number(at, column).map_or_else(|| "–".to_owned(), |v| count(v.max(0.0).round() as u64));
    let day = |days: f64| cutoff.map(|c| c.plus(days.round() as i32).to_string());
    let next = match r.number(at, 8).and_then(day) {
        Some(day) => (day, page.say(own::EVEN_ODDS)),
        None => (page.say(own::NEXT_NEVER), String::new()),
    };
    let last = r.number(at, DAYS_SINCE).and_then(|d| day(-d)).unwrap_or_default();
    let orders = r.number(at, 0).map_or_else(|| "–".to_owned(), |v| grouped(v, 2));
    let tier = Figure {
        name_html: page.html(w::TIER),
        value_html: tier_html(&named_tiers(page, r), r.tier(at)),
        detail_html: escaped(Results::group_name(r.rfm_group(at)).pick(page.lang)),
    };
    let spent = r.number(at, SPEND_SO_FAR).map_or_else(|| "–".to_owned(), |v| page.money().full(v));
    let rfm = r.rfm_score(at).chars().map(String::from).collect::<Vec<_>>().join("·");
    Block::Tiles(
        vec![
            tier,
            Figure::new(
                &page.say(own::NEXT_ORDER),
                &next.0,
                &[next.1, page.fill(own::ORDERS_AHEAD, &[("n", orders)])].join(" "),
            ),
            Figure::new(&page.say(w::LAST_PURCHASE), &last, &page.fill(own::DAYS_BEFORE, &[("n", whole(DAYS_SINCE))])),
            Figure::new(&page.say(w::SO_FAR), &spent, &page.fill(own::DAYS_SO_FAR, &[("n", whole(PURCHASE_DAYS))])),
            Figure::new("RFM", &rfm, &page.say(own::RFM_ABOUT)),
        ],
        true,
    )
}

/// The spend with its intervals.
fn range(page: &Page<'_>, r: &Results, at: usize, horizon: &str) -> Option<Chart> {
    let v = |column: usize| r.number(at, column);
    let (mid, median) = (v(EXPECTED_SPEND)?, v(2)?);
    let (outer, inner) = ((v(3)?, v(6)?), (v(4)?, v(5)?));
    let level = |level: &str| page.fill(w::INTERVAL, &[("level", level.to_owned())]);
    let both = |(lo, hi): (f64, f64)| format!("{} – {}", page.money().full(lo), page.money().full(hi));
    let mut table = Grid::new(vec![(page.say(w::FACT), false), (page.say(w::VALUE), true)]);
    table.row(vec![page.say(own::MEAN), page.money().full(mid)]);
    table.row(vec![page.say(own::MEDIAN), page.money().full(median)]);
    table.row(vec![level("80%"), both(inner)]);
    table.row(vec![level("90%"), both(outer)]);
    let text: Vec<String> = [(level("80%"), both(inner)), (level("90%"), both(outer))]
        .into_iter()
        .map(|(name, range)| format!("{name}: {range}"))
        .collect();
    let data = json!({
        "kind": "ranges", "outer": [outer.0, outer.1], "inner": [inner.0, inner.1], "mid": mid, "median": median,
        "measure": "money", "text": text,
    });
    let keys = vec![
        ("half", level("80%")),
        ("pale", level("90%")),
        ("ring", page.say(own::MEAN)),
        ("bar", page.say(own::MEDIAN)),
    ];
    let title = page.say(own::FORECAST_RANGE);
    let caption = own::FORECAST_RANGE_CAPTION.text();
    let unit = page.money_axis(own::SPEND_AHEAD).replace("{days}", horizon);
    Some(Chart::new("range", title, &caption, page.lang, &data).unit(unit).keys(keys).height("h1").table(table))
}

/// Where she stands among all customers.
fn place(page: &Page<'_>, r: &Results, at: usize) -> Chart {
    let v = |column: usize| r.number(at, column);
    let whole = |column: usize| v(column).map_or_else(|| "–".to_owned(), |v| count(v.max(0.0).round() as u64));
    let money = |column: usize| v(column).map_or_else(|| "–".to_owned(), |v| page.short(v));
    let rows = [
        (page.fill(own::PLACE_VALUE, &[("spend", money(EXPECTED_SPEND))]), r.share_below(at, EXPECTED_SPEND)),
        // the fewer days the better
        (page.fill(own::PLACE_RECENCY, &[("n", whole(DAYS_SINCE))]), r.share_above(at, DAYS_SINCE)),
        (page.fill(own::PLACE_FREQUENCY, &[("n", whole(PURCHASE_DAYS))]), r.share_below(at, PURCHASE_DAYS)),
        (page.fill(own::PLACE_MONEY, &[("spend", money(SPEND_SO_FAR))]), r.share_below(at, SPEND_SO_FAR)),
    ];
    let mut table = Grid::new(vec![(page.say(w::FACT), false), (page.say(own::PLACE_X), true)]);
    for (name, share) in &rows {
        table.row(vec![name.clone(), share.map_or_else(|| "–".to_owned(), percent)]);
    }
    let item = |(name, share): &(String, Option<f64>)| json!({ "name": name, "value": share });
    let items: Vec<_> = rows.iter().map(item).collect();
    let data = json!({
        "kind": "rank", "style": "bar", "measure": "percent", "xName": page.say(own::PLACE_X), "max": 1, "items": items,
    });
    let caption: Text = own::PLACE_CAPTION.text();
    Chart::new("place", page.say(own::PLACE), &caption, page.lang, &data).height("h2").table(table)
}
