//! `GET /rfm`: recency, frequency and money: the map of five classes each, the named groups, and how the facts are spread.

use guike::report::page::Text;
use guike::report::text::{compact, count, percent};
use guike::report::told;
use guike::report::view::{ReportView, Rfm};
use guike::report::words::{self as w, Word};
use guike::results::{DAYS_SINCE, EXPECTED_SPEND, PURCHASE_DAYS, Results, SPEND_SO_FAR};
use serde_json::json;

use super::frame::Page;
use super::show::{Block, Chart, Grid};
use super::{cuts, words as own};
use crate::app::{Answer, App, Call};
use crate::problem::Problem;

/// Classes of a histogram.
const BINS: usize = 24;
/// The last class of purchase days holds this many and more.
const MANY_DAYS: usize = 12;
/// Steps of the curve of concentration.
const POINTS: usize = 100;

/// `GET /rfm`.
pub(super) fn answer(app: &App, call: &Call) -> Result<Answer, Problem> {
    let page = Page::open(app, call, &cuts::CUTS)?;
    let run = page.run()?;
    let mut blocks = Vec::new();
    match page.view() {
        Err(missing) => blocks.push(missing),
        Ok(view) => match told::part(&view.rfm) {
            Err(why) => blocks.push(Block::Missing { html: why.html_in(page.lang) }),
            Ok(map) => {
                let best = count(map.cells[4][4].n_customers);
                blocks.push(Block::Lead { html: page.fill_html(w::WHO_LEAD, &[("best", best)]), is_first: true });
                blocks.push(Block::Charts(vec![heat(&page, view, map), tree(&page, map)]));
                blocks.push(Block::Heading(page.say(w::GROUPS)));
                blocks.push(Block::Grid(Grid::of(&told::groups(view, map), page.lang)));
            }
        },
    }
    let r = &run.results;
    if let Some(editor) = cuts::editor(&page, r) {
        blocks.push(Block::Heading(page.say(own::CUTS)));
        blocks.push(editor);
    }
    let charts = [
        spread(&page, r, "recency", own::HIST_RECENCY, DAYS_SINCE, own::HIST_RECENCY_X, Scale::Even),
        days(&page, r),
        spread(&page, r, "money", own::HIST_MONEY, SPEND_SO_FAR, own::HIST_MONEY_X, Scale::Log),
        spread(&page, r, "value", w::SPREAD, EXPECTED_SPEND, own::HIST_SPREAD_X, Scale::Log),
        concentration(&page, r),
    ];
    blocks.push(Block::Charts(charts.into_iter().flatten().collect()));
    let title = page.say(own::RFM_TITLE);
    Ok(page.answer(&title, None, blocks))
}

/// The map: the best recency on top, the best frequency on the right. Roots of shares tell small ones apart.
pub(super) fn heat(page: &Page<'_>, view: &ReportView, map: &Rfm) -> Chart {
    let all = map.cells.iter().flatten().map(|c| c.value).sum::<f64>();
    let most = map.cells.iter().flatten().map(|c| c.value).fold(0.0, f64::max);
    let mut cells = Vec::new();
    for (r, row) in map.cells.iter().enumerate() {
        for (f, cell) in row.iter().enumerate() {
            let level = (cell.n_customers > 0).then(|| if most > 0.0 { (cell.value / most).sqrt() } else { 0.0 });
            let share = if all > 0.0 { percent(cell.value / all) } else { "–".to_owned() };
            let text =
                if cell.n_customers > 0 { [count(cell.n_customers), share] } else { ["–".to_owned(), String::new()] };
            cells.push(json!([f, 4 - r, level, text[0], text[1]]));
        }
    }
    let data = json!({
        "kind": "heat", "x": ["1", "2", "3", "4", "5"], "y": ["5", "4", "3", "2", "1"], "cells": cells,
        "xName": page.say(w::RFM_X), "yName": page.say(w::RFM_Y),
    });
    Chart::told("rfm", &told::rfm(view, map), page.lang, &data).height("h4")
}

fn tree(page: &Page<'_>, map: &Rfm) -> Chart {
    let largest = map.groups.iter().map(|g| g.p_active).fold(0.0, f64::max);
    let items: Vec<_> = map
        .groups
        .iter()
        .filter(|g| g.expected_spend > 0.0)
        .map(|g| {
            json!({
                "name": g.name.pick(page.lang),
                "value": g.expected_spend,
                "level": if largest > 0.0 { g.p_active / largest } else { 0.0 },
                "text": format!(
                    "{}: {}\n{}: {}\n{}: {}",
                    page.say(w::CUSTOMERS), count(g.n_customers),
                    page.say(w::EXPECTED_SPEND), page.money().whole(g.expected_spend),
                    page.say(w::P_ACTIVE), percent(g.p_active),
                ),
            })
        })
        .collect();
    let mut table = Grid::new(vec![
        (page.say(w::GROUP), false),
        (page.say(w::EXPECTED_SPEND), true),
        (page.say(w::P_ACTIVE), true),
    ]);
    for g in &map.groups {
        let cells = [g.name.pick(page.lang).to_owned(), page.money().whole(g.expected_spend), percent(g.p_active)];
        table.row(cells.into());
    }
    let data = json!({ "kind": "treemap", "measure": "money", "items": items });
    let caption = own::RFM_TREE_CAPTION.text();
    Chart::new("groups", page.say(own::RFM_TREE), &caption, page.lang, &data)
        .unit(page.money_axis(w::EXPECTED_SPEND))
        .height("h4")
        .table(table)
}

/// How classes are spaced.
#[derive(Clone, Copy, PartialEq)]
enum Scale {
    Even,
    /// Each class is a constant factor wide; what is zero has a class of its own.
    Log,
}

/// How a number is spread over customers; `None` where nobody has one above zero.
fn spread(
    page: &Page<'_>,
    r: &Results,
    id: &'static str,
    title: Word,
    column: usize,
    x: Word,
    scale: Scale,
) -> Option<Chart> {
    let values = r.numbers(column);
    let order = r.order_by(column);
    let known = order.partition_point(|&i| !values[i as usize].is_nan());
    let at = |i: usize| values[order[i] as usize];
    let zeros = order[..known].partition_point(|&i| values[i as usize] <= 0.0);
    if known == zeros {
        return None;
    }
    let is_log = scale == Scale::Log;
    // one customer in 200 below the first class does not stretch the axis
    let (low, high) = match scale {
        Scale::Even => (0.0, at(known - 1) * 1.000_001),
        Scale::Log => (at(zeros + (known - zeros) / 200), at(known - 1) * 1.000_001),
    };
    let border = |k: usize| {
        let share = k as f64 / BINS as f64;
        if is_log { low * (high / low).powf(share) } else { low + (high - low) * share }
    };
    let below = |v: f64| order[..known].partition_point(|&i| values[i as usize] < v);
    let said = |v: f64| if column == DAYS_SINCE { compact(v, page.lang) } else { page.short(v) };
    let (mut labels, mut ranges, mut counts) = (Vec::new(), Vec::new(), Vec::new());
    if is_log && zeros > 0 {
        labels.push("0".to_owned());
        ranges.push("0".to_owned());
        counts.push(zeros);
    }
    for k in 0..BINS {
        let from = if k == 0 { if is_log { zeros } else { 0 } } else { below(border(k)) };
        let to = if k + 1 == BINS { known } else { below(border(k + 1)) };
        labels.push(said(border(k)));
        ranges.push(format!("{} – {}", said(border(k)), said(border(k + 1))));
        counts.push(to.saturating_sub(from));
    }
    let data = json!({
        "kind": "bars", "labels": labels, "ranges": ranges, "values": counts, "measure": "count", "gap": "6%",
        "xName": page.say(x), "first_apart": is_log && zeros > 0,
    });
    let caption = page.filled(own::HIST_CAPTION, &[("median", said(at(known / 2)))]);
    let mut table = Grid::new(vec![(page.say(own::RANGE), false), (page.say(w::CUSTOMERS), true)]);
    for (range, n) in ranges.iter().zip(&counts) {
        table.row(vec![range.clone(), count(*n as u64)]);
    }
    let chart = Chart::new(id, page.say(title), &caption, page.lang, &data);
    Some(chart.unit(page.say(w::CUSTOMERS)).height("h2").table(table))
}

/// How many purchase days customers have.
fn days(page: &Page<'_>, r: &Results) -> Option<Chart> {
    let mut counts = [0_usize; MANY_DAYS];
    for v in r.numbers(PURCHASE_DAYS).iter().filter(|v| **v >= 1.0) {
        counts[(*v as usize).min(MANY_DAYS) - 1] += 1;
    }
    let label = |i: usize| if i + 1 == MANY_DAYS { format!("{MANY_DAYS}+") } else { (i + 1).to_string() };
    let labels: Vec<String> = (0..MANY_DAYS).map(label).collect();
    let order = r.order_by(PURCHASE_DAYS);
    let median = r.numbers(PURCHASE_DAYS)[*order.get(order.len() / 2)? as usize];
    let caption = page.filled(own::HIST_CAPTION, &[("median", count((median as u64).max(1) + 1))]);
    let mut table = Grid::new(vec![(page.say(w::PURCHASE_DAYS), false), (page.say(w::CUSTOMERS), true)]);
    for (label, n) in labels.iter().zip(&counts) {
        table.row(vec![label.clone(), count(*n as u64)]);
    }
    let data = json!({
        "kind": "bars", "labels": labels, "values": counts, "measure": "count", "gap": "24%",
        "xName": page.say(own::HIST_FREQUENCY_X),
    });
    let chart = Chart::new("frequency", page.say(own::HIST_FREQUENCY), &caption, page.lang, &data);
    Some(chart.unit(page.say(w::CUSTOMERS)).height("h2").table(table))
}

/// How much of the value few customers hold.
fn concentration(page: &Page<'_>, r: &Results) -> Option<Chart> {
    let all = r.concentration();
    let last = all.len().checked_sub(1)?;
    let points: Vec<(f64, f64)> = (0..=POINTS).map(|i| all[i * last / POINTS]).collect();
    let top = |share: f64| percent(1.0 - all[((1.0 - share) * last as f64).round() as usize].1);
    let caption: Text = page.filled(w::LORENZ_CAPTION, &[("top", top(0.2))]);
    let mut table = Grid::new(vec![(page.say(w::TOP_SHARE), false), (page.say(w::OF_VALUE), true)]);
    for share in [0.01, 0.05, 0.1, 0.2, 0.3, 0.5] {
        table.row(vec![percent(share), top(share)]);
    }
    let axis = |name: Word| json!({ "name": page.say(name), "min": 0, "max": 1, "measure": "percent" });
    let data = json!({
        "kind": "curves", "x": axis(w::LORENZ_X), "y": axis(w::LORENZ_Y),
        "series": [
            { "name": page.say(own::CHANCE), "role": "chance", "points": [[0, 0], [1, 1]] },
            { "name": page.say(w::EXPECTED_SPEND), "role": "main", "area": true, "points": points },
        ],
    });
    Some(Chart::new("concentration", page.say(w::LORENZ), &caption, page.lang, &data).wide().table(table))
}
