//! `GET /retention`: whether customers stay, by the month of their first purchase, and how soon they come back.

use guike::report::text::{count, percent};
use guike::report::told;
use guike::report::view::Cohort;
use guike::report::words as w;
use serde_json::json;

use super::frame::Page;
use super::show::{Block, Chart, Grid};
use super::{returns, words as own};
use crate::app::{Answer, App, Call};
use crate::problem::Problem;

/// Cohorts that have a line of their own, the latest.
const LINES: usize = 8;

/// `GET /retention`.
pub(super) fn answer(app: &App, call: &Call) -> Result<Answer, Problem> {
    let page = Page::open(app, call, &[])?;
    page.run()?;
    let mut blocks = Vec::new();
    match page.view() {
        Err(missing) => blocks.push(missing),
        Ok(view) => match told::part(&view.cohorts) {
            Err(why) => blocks.push(Block::Missing { html: why.html_in(page.lang) }),
            Ok(all) => match told::retention(all) {
                None => blocks.push(Block::Missing { html: page.html(w::COHORTS_NONE) }),
                Some((lead, shown, legend)) => {
                    blocks.push(Block::Lead { html: lead.html_in(page.lang), is_first: true });
                    let map = Chart::told("cohorts", &legend, page.lang, &heat(&page, &shown));
                    let height = if shown.len() > 9 { "h5" } else { "h3" };
                    blocks.push(Block::Charts(vec![map.wide().height(height), curves(&page, &shown)]));
                }
            },
        },
    }
    let board = page.run()?.results.board();
    if let Some(board) = board {
        blocks.extend(returns::part(&page, board.returns.as_ref()));
    }
    let title = page.say(w::COHORTS);
    Ok(page.answer(&title, None, blocks))
}

fn months(shown: &[Cohort]) -> usize {
    shown.iter().map(|c| c.retained.len()).max().unwrap_or(0)
}

fn heat(page: &Page<'_>, shown: &[Cohort]) -> serde_json::Value {
    let most = shown.iter().flat_map(|c| c.retained.iter().flatten()).copied().fold(0.0, f64::max);
    let mut cells = Vec::new();
    for (y, c) in shown.iter().enumerate() {
        for (x, share) in c.retained.iter().enumerate().filter_map(|(x, s)| Some((x, (*s)?))) {
            let level = if most > 0.0 { share / most } else { 0.0 };
            cells.push(json!([x, y, level, percent((share * 100.0).round() / 100.0)]));
        }
    }
    let label = |c: &Cohort| format!("{} ({})", c.label, count(c.n_customers));
    json!({
        "kind": "heat",
        "x": (1..=months(shown)).map(|m| m.to_string()).collect::<Vec<_>>(),
        "y": shown.iter().map(label).collect::<Vec<_>>(),
        "cells": cells,
        "xName": page.say(w::COHORT_X),
    })
}

/// A line per cohort, and their average.
fn curves(page: &Page<'_>, shown: &[Cohort]) -> Chart {
    let line = |c: &Cohort| -> Vec<(usize, f64)> {
        c.retained.iter().enumerate().filter_map(|(m, s)| Some((m + 1, (*s)?))).collect()
    };
    let average: Vec<(usize, f64)> = (0..months(shown))
        .filter_map(|m| {
            let known = shown.iter().filter_map(|c| Some((c.n_customers as f64, (*c.retained.get(m)?)?)));
            let (n, kept) = known.fold((0.0, 0.0), |(n, kept), (size, share)| (n + size, kept + size * share));
            (n > 0.0).then(|| (m + 1, kept / n))
        })
        .collect();
    let mut series: Vec<_> = shown[shown.len().saturating_sub(LINES)..]
        .iter()
        .map(|c| json!({ "name": c.label, "role": "faint", "dots": true, "points": line(c) }))
        .collect();
    series.push(json!({ "name": page.say(own::AVERAGE), "role": "main", "dots": true, "points": average }));
    let data = json!({
        "kind": "curves", "series": series,
        "x": { "name": page.say(own::MONTHS_AFTER), "min": 1, "max": months(shown).max(2), "step": 1, "measure": "count" },
        "y": { "name": page.say(own::BOUGHT_AGAIN), "min": 0, "measure": "percent" },
    });
    let mut table = Grid::new(vec![(page.say(own::MONTHS_AFTER), false), (page.say(own::AVERAGE), true)]);
    for (month, share) in &average {
        table.row(vec![month.to_string(), percent(*share)]);
    }
    let caption = own::CURVES_CAPTION.text();
    Chart::new("curves", page.say(own::CURVES), &caption, page.lang, &data)
        .keys(vec![("line", page.say(own::AVERAGE)), ("s3", page.say(w::COHORT))])
        .wide()
        .table(table)
}
