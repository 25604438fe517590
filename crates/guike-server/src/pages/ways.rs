//! Other ways of making tiers beside the one that is used: a part of `GET /tiers`.

use guike::board::Alternatives;
use guike::report::text::{count, percent};
use guike::report::words::{self as w, Word};
use serde_json::json;

use super::customers::named_tiers;
use super::frame::Page;
use super::show::{Block, Chart, Grid};
use super::words as own;
use crate::served::ServedRun;

/// The part, or the words why it is not there.
pub(super) fn part(page: &Page<'_>, run: &ServedRun) -> Vec<Block> {
    let heading = Block::Heading(page.say(own::WAYS));
    let Some(found) = run.results.board().and_then(|b| b.alternatives.as_ref()) else {
        return vec![heading, Block::Missing { html: page.html(own::OLD_RUN) }];
    };
    let what: Vec<String> = found.indicators.iter().map(|i| indicator(page, i)).collect();
    let lead = page.fill_html(own::WAYS_LEAD, &[("what", what.join(page.lang.pick(", ", "、")))]);
    let with = [("n", count(found.sampled as u64)), ("all", count(found.customers as u64))];
    let how = if found.sampled < found.customers { own::WAYS_SAMPLE } else { own::WAYS_ALL };
    vec![
        heading,
        Block::Prose { html: lead },
        Block::Grid(table(page, found)),
        Block::Prose { html: page.html(own::SAME_NOTE) },
        Block::Prose { html: page.fill_html(how, &with) },
        Block::Charts(vec![map(page, run, found)]),
    ]
}

fn indicator(page: &Page<'_>, name: &str) -> String {
    let word = match name {
        "expected_spend" => w::EXPECTED_SPEND,
        "recency" => own::I_RECENCY,
        "frequency" => own::I_FREQUENCY,
        "monetary" => own::I_MONEY,
        other => return other.to_owned(),
    };
    page.say(word).to_lowercase()
}

/// What a way is called.
fn named(page: &Page<'_>, found: &Alternatives, at: usize) -> String {
    let method = found.ways[at].method.as_str();
    let word: Option<Word> = match method {
        "value-share" => Some(own::WAY_VALUE),
        "quantiles" => Some(own::WAY_COUNT),
        "thresholds" => Some(own::WAY_FIXED),
        "natural-breaks" => Some(own::WAY_BREAKS),
        "k-means" => Some(own::WAY_KMEANS),
        "hierarchical" => Some(own::WAY_TREE),
        "mixture" => Some(own::WAY_CLOUDS),
        _ => None,
    };
    let way = word.map_or_else(|| method.to_owned(), |word| page.say(word));
    // the first is the one that is used
    if at == 0 { page.fill(own::WAY_USED, &[("way", way)]) } else { way }
}

fn table(page: &Page<'_>, found: &Alternatives) -> Grid {
    let head = [own::WAY, own::SILHOUETTE, own::SAME_GROUPING, own::SAME_TIER];
    let mut table = Grid::new(head.iter().enumerate().map(|(i, word)| (page.say(*word), i > 0)).collect());
    table.caption = page.say(own::WAYS);
    for (at, way) in found.ways.iter().enumerate() {
        let silhouette = way.silhouette.map_or_else(|| "–".to_owned(), |s| format!("{s:.2}"));
        let (same, agreement) = match at {
            0 => ("–".to_owned(), "–".to_owned()),
            _ => (format!("{:.2}", way.adjusted_rand), percent(way.agreement)),
        };
        table.row(vec![named(page, found, at), silhouette, same, agreement]);
    }
    table
}

/// Ways against tiers: what share of the value each tier holds, and of how many customers.
fn map(page: &Page<'_>, run: &ServedRun, found: &Alternatives) -> Chart {
    let tiers = named_tiers(page, &run.results);
    let share = |part: f64, whole: f64| if whole > 0.0 { part / whole } else { 0.0 };
    let mut head = vec![(page.say(own::WAY), false)];
    head.extend(tiers.iter().map(|t| (t.1.clone(), true)));
    let mut table = Grid::new(head);
    let mut cells = Vec::new();
    for (y, way) in found.ways.iter().enumerate() {
        let all: f64 = way.expected_spend.iter().sum();
        let mut row = vec![named(page, found, y)];
        for (x, (&n, &spend)) in way.customers.iter().zip(&way.expected_spend).enumerate().take(tiers.len()) {
            let (value, people) = (share(spend, all), share(n as f64, found.customers as f64));
            let people = format!("{} · {}", percent(people), count(n as u64));
            cells.push(json!([x, y, value, percent(value), people]));
            row.push(format!("{} · {} · {}", percent(value), people, page.money().whole(spend)));
        }
        row.resize(tiers.len() + 1, "–".to_owned());
        table.row(row);
    }
    let data = json!({
        "kind": "heat",
        "x": tiers.iter().map(|t| t.1.as_str()).collect::<Vec<_>>(),
        "y": (0..found.ways.len()).map(|at| named(page, found, at)).collect::<Vec<_>>(),
        "cells": cells,
    });
    let caption = own::WAYS_CAPTION.text();
    Chart::new("ways", page.say(own::WAYS_TITLE), &caption, page.lang, &data).wide().height("h2").table(table)
}
