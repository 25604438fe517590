//! How soon customers come back: a part of `GET /retention`.

use guike::board::{ReturnCurve, Returns};
use guike::report::text::{count, percent};
use serde_json::json;

use super::frame::Page;
use super::show::{Block, Chart, Grid};
use super::words as own;
use guike::report::words::{self as w, Word};

/// Days within which the share is told in tables.
const WITHIN: [u32; 4] = [30, 90, 180, 365];
/// Days of the sentence, the longest that was watched.
const TOLD: [u32; 3] = [90, 30, 180];
/// Roles of the curves after the first, second, third and fourth purchase day, and their marks.
const ROLES: [(&str, &str); 4] = [("main", "s1"), ("other", "s2"), ("third", "s4"), ("faint", "s3")];
/// The same for curves in an order, the strongest first.
const RANKS: [&str; 6] = ["r0", "r1", "r2", "r3", "r4", "r5"];

/// The part, or the words why it is not there.
pub(super) fn part(page: &Page<'_>, returns: Option<&Returns>) -> Vec<Block> {
    let mut blocks = vec![Block::Heading(page.say(own::RETURNS))];
    let Some(found) = returns else {
        blocks.push(Block::Missing { html: page.html(own::OLD_RUN) });
        return blocks;
    };
    blocks.push(Block::Prose { html: page.html(own::RETURNS_LEAD) });
    if found.after.is_empty() {
        blocks.push(Block::Missing { html: page.html(w::COHORTS_NONE) });
        return blocks;
    }
    blocks.extend(told(page, found));
    let mut charts = vec![chart(page, "after", [own::AFTER, own::AFTER_CAPTION], &found.after, true).wide()];
    if !found.tiers.is_empty() {
        charts.push(chart(page, "return-tiers", [own::BY_TIER, own::BY_TIER_CAPTION], &found.tiers, false));
    }
    if !found.quarters.is_empty() {
        // the latest is the strongest
        let latest: Vec<ReturnCurve> = found.quarters.iter().rev().cloned().collect();
        charts.push(chart(page, "return-quarters", [own::BY_QUARTER, own::BY_QUARTER_CAPTION], &latest, false));
    }
    blocks.push(Block::Charts(charts));
    blocks
}

/// A sentence about the first and the second purchase day.
fn told(page: &Page<'_>, found: &Returns) -> Option<Block> {
    let [first, second] = [found.after.first()?, found.after.get(1)?];
    let at = |c: &ReturnCurve, day: u32| c.within.iter().find(|p| p.day == day).map(|p| percent(p.share));
    let with = TOLD.iter().find_map(|&day| Some((day, at(first, day)?, at(second, day)?)));
    let (days, first, second) = with?;
    let with = [("days", days.to_string()), ("first", first), ("second", second)];
    Some(Block::Prose { html: page.fill_html(own::RETURNS_BETTER, &with) })
}

fn chart(
    page: &Page<'_>,
    id: &'static str,
    [title, caption]: [Word; 2],
    curves: &[ReturnCurve],
    banded: bool,
) -> Chart {
    let mark = |i: usize| if banded { ROLES[i.min(3)] } else { (RANKS[i.min(5)], RANKS[i.min(5)]) };
    let mut series: Vec<_> = curves
        .iter()
        .enumerate()
        .map(|(i, c)| {
            let start = json!([0, 0.0]);
            let points: Vec<_> =
                std::iter::once(start).chain(c.points.iter().map(|p| json!([p.day, rounded(p.share)]))).collect();
            let band: Vec<_> = c.points.iter().map(|p| json!([p.day, rounded(p.lo), rounded(p.hi)])).collect();
            json!({
                "name": c.name.pick(page.lang), "role": mark(i).0, "step": true, "points": points,
                "band": if banded { band } else { Vec::new() },
            })
        })
        .collect();
    // the first on top
    series.reverse();
    let longest = curves.iter().filter_map(|c| c.points.last()).map(|p| p.day).max().unwrap_or(1);
    let data = json!({
        "kind": "curves", "series": series,
        "x": { "name": page.say(own::DAYS_AFTER), "min": 0, "max": longest, "measure": "count" },
        "y": { "name": page.say(own::CAME_BACK), "min": 0, "measure": "percent" },
    });
    let mut head = vec![(page.say(own::WHICH), false), (page.say(w::CUSTOMERS_TITLE), true)];
    head.extend(WITHIN.map(|n| (page.fill(own::WITHIN, &[("n", n.to_string())]), true)));
    head.extend([(page.say(own::HALF), true), (page.say(own::WATCHED), true)]);
    let mut table = Grid::new(head);
    let none = || "–".to_owned();
    for c in curves {
        let mut row = vec![c.name.pick(page.lang).to_owned(), count(c.customers)];
        row.extend(WITHIN.map(|day| {
            let at = c.within.iter().find(|p| p.day == day);
            at.map_or_else(none, |p| format!("{} ({} – {})", percent(p.share), percent(p.lo), percent(p.hi)))
        }));
        row.push(c.median.map_or_else(none, |d| d.to_string()));
        row.push(c.until.to_string());
        table.row(row);
    }
    let keys = curves.iter().enumerate().map(|(i, c)| (mark(i).1, c.name.pick(page.lang).to_owned()));
    Chart::new(id, page.say(title), &caption.text(), page.lang, &data).keys(keys.collect()).table(table).height("h4")
}

/// A share as a chart needs it.
fn rounded(share: f64) -> f64 {
    (share * 1e4).round() / 1e4
}
