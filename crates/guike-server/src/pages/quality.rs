//! `GET /quality`: how far the forecasts can be trusted: candidates, the backtest, probabilities and the data.

use guike::board::Curves;
use guike::report::Interval;
use guike::report::text::{grouped, percent};
use guike::report::told;
use guike::report::view::{AtCutoff, Backtest, Group, ReportView};
use guike::report::words::{self as w, Word};
use serde_json::{Value, json};

use super::calling::{self, Calling};
use super::frame::Page;
use super::show::{Block, Chart, Grid};
use super::words as own;
use crate::app::{Answer, App, Call};
use crate::problem::Problem;

/// `GET /quality`.
pub(super) fn answer(app: &App, call: &Call) -> Result<Answer, Problem> {
    let page = Page::open(app, call, &calling::ASKED)?;
    let run = page.run()?;
    let mut blocks = Vec::new();
    match page.view() {
        Err(missing) => blocks.push(missing),
        Ok(view) => {
            match told::part(&view.backtest) {
                Err(why) => {
                    blocks.push(Block::Lead { html: page.html(w::SURE_NO_LEAD), is_first: true });
                    blocks.push(Block::Missing { html: why.html_in(page.lang) });
                }
                Ok(test) => {
                    let curves = run.results.board().and_then(|b| b.curves.as_ref());
                    blocks.extend(tested(&page, view, test, curves));
                }
            }
            let (lead, legend) = told::rows(view);
            blocks.push(Block::Heading(page.say(w::QUALITY)));
            blocks.push(Block::Prose { html: lead.html_in(page.lang) });
            for note in view.quality.notes.iter().filter(|n| n.warning) {
                let html = guike::report::page::Text::from(&note.text).html_in(page.lang);
                blocks.push(Block::Warning { html });
            }
            blocks.extend(legend.table.map(|t| Block::Grid(without_examples(Grid::of(&t, page.lang)))));
        }
    }
    let title = page.say(w::SURE);
    Ok(page.answer(&title, None, blocks))
}

fn tested(page: &Page<'_>, view: &ReportView, test: &Backtest, curves: Option<&Curves>) -> Vec<Block> {
    let mut blocks = Vec::new();
    if let Some(c) = curves {
        let html = told::met(view, test, [c.predicted, c.actual]).html_in(page.lang);
        blocks.push(Block::Lead { html, is_first: true });
    }
    blocks.extend(told::choice(test).into_iter().map(|t| Block::Prose { html: t.html_in(page.lang) }));
    let mut charts = vec![candidates(page, test), deciles(page, view, test)];
    charts.extend(course(page, view, test));
    charts.extend(curves.map(|c| gain(page, c)));
    let buyers = curves.filter(|c| !c.calls.is_empty() && c.buyers > 0 && c.buyers < c.customers);
    if let Some(c) = buyers {
        charts.push(chances(page, c));
        let calls = Calling { calls: &c.calls, positive: c.buyers, all: c.customers, class: None, usual: 0.5 };
        let caption = page.filled(w::ROC_CAPTION, &[("auc", percent(calls.area()))]);
        charts.extend(calls.charts(page, (page.say(w::ROC), caption), [w::ROC_X, w::ROC_Y]));
        blocks.push(Block::Charts(charts));
        blocks.push(Block::Heading(page.say(own::CALL)));
        blocks.push(Block::Part { html: calls.form(page) });
    } else {
        blocks.push(Block::Charts(charts));
    }
    blocks.push(Block::Heading(page.say(w::SCORES)));
    blocks.push(Block::Grid(Grid::of(&told::scores(test), page.lang)));
    blocks
}

/// The report's table of rows without its last column: examples are rows of customers.
fn without_examples(mut table: Grid) -> Grid {
    table.head.pop();
    for row in &mut table.rows {
        row.cells.pop();
    }
    table
}

fn finite(v: f64) -> Option<f64> {
    Some(v).filter(|v| v.is_finite())
}

/// Every model that was tried, with its loss; those that could not be fitted stand in the table only.
fn candidates(page: &Page<'_>, test: &Backtest) -> Chart {
    let item = |(i, c): (usize, &guike::report::view::CandidateRow)| {
        let Interval { mid, lo, hi } = c.score;
        finite(mid).map(|mid| {
            json!({
                "name": c.name.pick(page.lang), "value": mid, "lo": finite(lo), "hi": finite(hi),
                "marked": i == test.chosen, "yardstick": c.baseline,
            })
        })
    };
    let items: Vec<Value> = test.candidates.iter().enumerate().filter_map(item).collect();
    let many = items.len() > 12;
    let data = json!({
        "kind": "rank", "style": "dots", "measure": "plain", "xName": test.metric.name.pick(page.lang), "items": items,
    });
    let chart = Chart::told("candidates", &told::candidates(test), page.lang, &data)
        .keys(vec![
            ("dot", page.say(own::MARK_CHOSEN)),
            ("ring", page.say(w::YARDSTICK)),
            ("whisker", page.fill(w::INTERVAL, &[("level", "95%".to_owned())])),
        ])
        .height(if many { "h5" } else { "h4" });
    if many { chart.wide() } else { chart }
}

/// The chosen model at every earlier cutoff: what all customers were forecast to spend, and what they spent.
fn course(page: &Page<'_>, view: &ReportView, test: &Backtest) -> Option<Chart> {
    let legend = told::course(view, test)?;
    let group = |at: &AtCutoff| Group { predicted: at.predicted, actual: at.actual, actual_interval: None };
    let groups: Vec<Group> = test.course.iter().map(group).collect();
    let mut data = paired(page, &groups, [w::ACTUAL, w::PREDICTED], w::COURSE_X, "money");
    data["labels"] = test.course.iter().map(|at| at.cutoff.to_string()).collect();
    let chart = Chart::told("course", &legend, page.lang, &data).unit(page.money_axis(w::COURSE_Y));
    Some(chart.keys(vec![("s3", page.say(w::ACTUAL)), ("dot", page.say(w::PREDICTED))]))
}

/// Groups of customers: what happened with its interval, and what was predicted.
fn paired(page: &Page<'_>, groups: &[Group], names: [Word; 2], x: Word, measure: &str) -> Value {
    let end = |g: &Group, at: usize| g.actual_interval.map(|(lo, hi)| [lo, hi][at]).and_then(finite);
    json!({
        "kind": "pairs",
        "labels": (1..=groups.len()).map(|i| i.to_string()).collect::<Vec<_>>(),
        "actual": groups.iter().map(|g| g.actual).collect::<Vec<_>>(),
        "predicted": groups.iter().map(|g| g.predicted).collect::<Vec<_>>(),
        "lo": groups.iter().map(|g| end(g, 0)).collect::<Vec<_>>(),
        "hi": groups.iter().map(|g| end(g, 1)).collect::<Vec<_>>(),
        "actualName": page.say(names[0]),
        "predictedName": page.say(names[1]),
        "xName": page.say(x),
        "measure": measure,
    })
}

fn pair_keys(page: &Page<'_>, actual: Word) -> Vec<(&'static str, String)> {
    vec![
        ("s3", page.say(actual)),
        ("whisker", page.fill(w::INTERVAL, &[("level", "95%".to_owned())])),
        ("dot", page.say(w::PREDICTED)),
    ]
}

fn deciles(page: &Page<'_>, view: &ReportView, test: &Backtest) -> Chart {
    let data = paired(page, &test.deciles, [w::ACTUAL, w::PREDICTED], w::DECILES_X, "money");
    Chart::told("deciles", &told::deciles(view, test), page.lang, &data)
        .unit(page.money_axis(w::DECILES_Y))
        .keys(pair_keys(page, w::ACTUAL))
}

fn chances(page: &Page<'_>, curves: &Curves) -> Chart {
    let data = paired(page, &curves.chances, [own::BOUGHT, w::PREDICTED], w::DECILES_X, "percent");
    let head = [w::GROUP_NO, w::PREDICTED, own::BOUGHT];
    let mut table = Grid::new(head.iter().enumerate().map(|(i, word)| (page.say(*word), i > 0)).collect());
    for (i, g) in curves.chances.iter().enumerate() {
        table.row(vec![(i + 1).to_string(), percent(g.predicted), percent(g.actual)]);
    }
    let caption = own::CHANCES_CAPTION.text();
    Chart::new("chances", page.say(own::CHANCES), &caption, page.lang, &data)
        .unit(page.say(own::CHANCES_Y))
        .keys(pair_keys(page, own::BOUGHT))
        .table(table)
}

/// How much of what was spent the customers with the highest forecasts hold.
fn gain(page: &Page<'_>, curves: &Curves) -> Chart {
    let at = |x: f64| {
        let i = curves.gain.partition_point(|p| p.0 < x);
        match (curves.gain.get(i.saturating_sub(1)), curves.gain.get(i)) {
            (Some(a), Some(b)) if b.0 > a.0 => a.1 + (x - a.0) / (b.0 - a.0) * (b.1 - a.1),
            (_, Some(b)) => b.1,
            _ => 1.0,
        }
    };
    let mut table = Grid::new(vec![(page.say(w::GAIN_X), false), (page.say(w::GAIN_Y), true)]);
    for share in [0.05, 0.1, 0.2, 0.3, 0.5, 0.7] {
        table.row(vec![percent(share), percent(at(share))]);
    }
    let axis = |name: Word| json!({ "name": page.say(name), "min": 0, "max": 1, "measure": "percent" });
    let data = json!({
        "kind": "curves", "x": axis(w::GAIN_X), "y": axis(w::GAIN_Y),
        "series": [
            { "name": page.say(own::CHANCE), "role": "chance", "points": [[0, 0], [1, 1]] },
            { "name": page.say(own::GAIN_MODEL), "role": "main", "area": true, "points": curves.gain },
        ],
    });
    let caption = page.filled(w::GAIN_CAPTION, &[("share", percent(at(0.2)))]);
    Chart::new("gain", page.say(w::GAIN), &caption, page.lang, &data)
        .keys(vec![("line", page.say(own::GAIN_MODEL)), ("dash", page.say(own::CHANCE))])
        .table(table)
}

/// A number of a score, in as many digits as it deserves.
pub(super) fn score(v: f64) -> String {
    if v.abs() >= 1_000.0 { grouped(v, 0) } else { grouped(v, 3) }
}
