//! `GET /drift`: how the shop's customers have moved since earlier runs, and whether earlier forecasts came true.

use std::sync::Arc;

use guike::drift::{Drift, LARGE, MeasureDrift, NOTICEABLE, NoOutcome, Outcome, Shares};
use guike::report::page::Text;
use guike::report::text::{compact, count, grouped, percent};
use guike::report::words::{self as w, Word};
use guike::results::Results;
use guike::workspace::Version;
use serde_json::{Value, json};

use super::customers::named_tiers;
use super::frame::Page;
use super::show::{Block, Chart, Grid, escaped};
use super::{words as own, words_running as say};
use crate::app::{Answer, App, Call};
use crate::drift::{LATEST, Pair, asked};
use crate::problem::Problem;

/// A comparison of two neighbours of the history.
type Step<'a> = (&'a Version, Arc<Drift>);

/// `GET /drift`.
pub(super) fn answer(app: &App, call: &Call) -> Result<Answer, Problem> {
    let page = Page::open(app, call, &["run", "against"])?;
    let title = page.say(say::DRIFT_TITLE);
    if app.served.kept.is_none() {
        page.run()?;
        let blocks = vec![Block::Missing { html: page.html(say::DRIFT_NO_WORKSPACE) }];
        return Ok(page.answer(&title, None, blocks));
    }
    let pair = asked(app, &page.query)?;
    let Some(against) = pair.against else {
        let with = [("n", pair.run.number.to_string())];
        let blocks = vec![Block::Missing { html: page.fill_html(say::DRIFT_ONE_RUN, &with) }];
        return Ok(page.answer(&title, None, blocks));
    };
    let drift = app.drifts.between(against, pair.run).map_err(|e| Problem::from(&e))?;
    let mut blocks = vec![lead(&page, &drift, against, pair.run)];
    blocks.push(Block::Part { html: form(&page, &pair) });
    blocks.extend(warning(&page, &drift));
    let latest = &pair.runs[pair.runs.len().saturating_sub(LATEST)..];
    let steps = latest.windows(2).map(|two| Ok((two[1], app.drifts.between(two[0], two[1])?)));
    // a run whose files are damaged is left out of the history, and told where it is asked for
    let steps: Vec<Step<'_>> = steps.filter_map(|s: Result<Step<'_>, guike::Error>| s.ok()).collect();
    let mut charts = vec![indices(&page, &drift)];
    charts.extend(history(&page, &steps));
    blocks.push(Block::Charts(charts));
    blocks.push(Block::Prose { html: quiet(&page, say::DRIFT_CONVENTION) });
    blocks.push(Block::Heading(page.say(say::OUTCOMES)));
    blocks.extend(outcomes(&page, &drift, &steps));
    blocks.push(Block::Heading(page.say(say::DISTRIBUTIONS)));
    let names = app.served.run.as_ref().map(|r| named_tiers(&page, &r.results)).unwrap_or_default();
    let tier_name = |key: &str| names.iter().find(|t| t.0 == key).map_or_else(|| key.to_owned(), |t| t.1.clone());
    let group_name = |key: &str| Results::group_name(key).pick(page.lang).to_owned();
    let order = |key: &str| names.iter().position(|t| t.0 == key).unwrap_or(usize::MAX);
    let mut charts = vec![shares(&page, "tier-shares", say::BY_TIER, &drift.tiers, &tier_name, &order)];
    charts.extend(drift.measures.iter().map(|m| distribution(&page, m)));
    charts.push(shares(&page, "group-shares", say::BY_GROUP, &drift.groups, &group_name, &|_| 0).wide());
    blocks.push(Block::Charts(charts));
    if drift.measures.len() < guike::drift::MEASURES.len() {
        blocks.push(Block::Prose { html: quiet(&page, say::OTHER_HORIZON) });
    }
    Ok(page.answer(&title, None, blocks))
}

fn quiet(page: &Page<'_>, word: Word) -> String {
    format!("<span class=\"quiet\">{}</span>", page.html(word))
}

/// A measure in words.
fn name_of(measure: &str) -> Word {
    match measure {
        "days_since_last_order" => say::M_RECENCY,
        "purchase_days" => say::M_FREQUENCY,
        "spend_so_far" => say::M_SPEND,
        "expected_spend" => say::M_EXPECTED,
        "p_active" => say::M_ACTIVE,
        "tier" => say::M_TIER,
        _ => say::M_GROUP,
    }
}

/// Everything with an index: its name, the index, and what it stays below by chance alone.
fn all_indices(d: &Drift) -> Vec<(Word, f64, f64)> {
    let measures = d.measures.iter().map(|m| (name_of(m.measure), m.stability.psi, m.stability.by_chance));
    let shares = [("tier", &d.tiers), ("rfm_group", &d.groups)].map(|(name, s)| (name_of(name), s.psi, s.by_chance));
    measures.chain(shares).collect()
}

/// The names of what has moved by at least so much, and more than chance gives.
fn moved(page: &Page<'_>, d: &Drift, from: f64) -> Option<String> {
    let names = all_indices(d).into_iter().filter(|(_, psi, chance)| *psi >= from && psi > chance);
    let names: Vec<String> = names.map(|(name, ..)| page.say(name)).collect();
    (!names.is_empty()).then(|| names.join(page.lang.pick(", ", "、")))
}

fn lead(page: &Page<'_>, d: &Drift, against: &Version, run: &Version) -> Block {
    let facts = [
        ("run", run.number.to_string()),
        ("day", d.after.cutoff.to_string()),
        ("against", against.number.to_string()),
        ("before", d.before.cutoff.to_string()),
    ];
    let html = match moved(page, d, NOTICEABLE) {
        Some(names) => page.fill_html(say::DRIFT_MOVED, &[facts.as_slice(), &[("names", names)]].concat()),
        None => page.fill_html(say::DRIFT_STILL, &facts),
    };
    Block::Lead { html, is_first: true }
}

fn warning(page: &Page<'_>, d: &Drift) -> Option<Block> {
    let names = moved(page, d, LARGE)?;
    Some(Block::Warning { html: page.fill_html(say::DRIFT_LARGE, &[("names", names)]) })
}

/// Which two runs are compared.
fn form(page: &Page<'_>, pair: &Pair<'_>) -> String {
    let field = |name: &str, label: Word, chosen: Option<&Version>| {
        let option = |v: &&Version| {
            let is = if chosen.is_some_and(|c| c.number == v.number) { " selected" } else { "" };
            let cutoff = v.lineage["cutoff"].as_str().unwrap_or_default();
            let text = page.fill(say::RUN_OF, &[("n", v.number.to_string()), ("day", cutoff.to_owned())]);
            format!("<option value=\"{}\"{is}>{}</option>", v.number, escaped(&text))
        };
        let options: String = pair.runs.iter().rev().map(option).collect();
        format!(
            "<div class=\"field\"><label for=\"{name}\">{}</label><select id=\"{name}\" name=\"{name}\">{options}</select></div>",
            page.html(label)
        )
    };
    format!(
        "<form class=\"filters\" action=\"/drift\" method=\"get\">{}{}<button type=\"submit\">{}</button></form>",
        field("run", say::LOOK_AT, Some(pair.run)),
        field("against", say::COMPARE_WITH, pair.against),
        page.html(own::APPLY),
    )
}

fn index(psi: f64) -> String {
    grouped(psi, 3)
}

fn chance(p: f64) -> String {
    if p < 0.001 { "< 0.001".to_owned() } else { grouped(p, 3) }
}

/// How far everything has moved.
fn indices(page: &Page<'_>, d: &Drift) -> Chart {
    let items: Vec<Value> =
        all_indices(d).iter().map(|(name, psi, _)| json!({ "name": page.say(*name), "value": psi })).collect();
    let head = [say::MEASURE, say::PSI, say::PSI_CHANCE, say::KS, say::KS_P, say::MEDIAN_BEFORE, say::MEDIAN_NOW];
    let mut table = Grid::new(head.iter().enumerate().map(|(i, name)| (page.say(*name), i > 0)).collect());
    for m in &d.measures {
        table.row(vec![
            page.say(name_of(m.measure)),
            index(m.stability.psi),
            index(m.stability.by_chance),
            grouped(m.distance.distance, 3),
            chance(m.distance.p_value),
            number(page, m.measure, m.median[0]),
            number(page, m.measure, m.median[1]),
        ]);
    }
    for (name, s) in [("tier", &d.tiers), ("rfm_group", &d.groups)] {
        let none = || "–".to_owned();
        table.row(vec![page.say(name_of(name)), index(s.psi), index(s.by_chance), none(), none(), none(), none()]);
    }
    let data = json!({ "kind": "rank", "style": "bar", "measure": "plain", "items": items });
    let caption: Text = say::PSI_CAPTION.text();
    Chart::new("indices", page.say(say::PSI_TITLE), &caption, page.lang, &data).unit(page.say(say::PSI)).table(table)
}

/// Every run of the history against the one before it.
fn history(page: &Page<'_>, steps: &[Step<'_>]) -> Option<Chart> {
    const ROLES: [(&str, &str); 5] =
        [("main", "s1"), ("other", "s2"), ("third", "s4"), ("faint", "s3"), ("chance", "dash")];
    if steps.len() < 2 {
        return None;
    }
    let mut table = Grid::new(
        [say::RUN, w::KNOWN_UNTIL]
            .into_iter()
            .map(|name| (page.say(name), false))
            .chain(guike::drift::MEASURES.map(|m| (page.say(name_of(m)), true)))
            .collect(),
    );
    let of = |d: &Drift, measure: &str| d.measures.iter().find(|m| m.measure == measure).map(|m| m.stability.psi);
    for (run, d) in steps {
        let mut cells = vec![run.number.to_string(), d.after.cutoff.to_string()];
        cells.extend(guike::drift::MEASURES.map(|m| of(d, m).map_or_else(|| "–".to_owned(), index)));
        table.row(cells);
    }
    let (mut series, mut keys) = (Vec::new(), Vec::new());
    for (measure, (role, key)) in guike::drift::MEASURES.into_iter().zip(ROLES) {
        let points: Vec<(u32, f64)> = steps.iter().filter_map(|(run, d)| Some((run.number, of(d, measure)?))).collect();
        series.push(
            json!({ "name": page.say(name_of(measure)), "role": role, "dots": role != "chance", "points": points }),
        );
        keys.push((key, page.say(name_of(measure))));
    }
    let (first, last) = (steps[0].0.number, steps[steps.len() - 1].0.number);
    let data = json!({
        "kind": "curves", "series": series,
        "x": { "name": page.say(say::RUN), "min": first, "max": last, "step": 1, "measure": "count" },
        "y": { "name": page.say(say::PSI), "min": 0, "measure": "plain" },
    });
    let caption: Text = say::HISTORY_CAPTION.text();
    Some(Chart::new("drift-history", page.say(say::HISTORY), &caption, page.lang, &data).keys(keys).table(table))
}

/// Whether earlier forecasts came true: that of the run that is compared with in words, those of the history as a chart.
fn outcomes(page: &Page<'_>, d: &Drift, steps: &[Step<'_>]) -> Vec<Block> {
    let html = match &d.outcome {
        Ok(o) => {
            let with = [
                ("days", o.days.to_string()),
                ("cutoff", d.before.cutoff.to_string()),
                ("expected", page.short(o.expected)),
                ("actual", page.short(o.actual)),
                ("off", percent((o.actual / o.expected - 1.0).abs())),
            ];
            let word = match (o.interval.is_some(), o.actual >= o.expected) {
                (true, true) => say::OUTCOME_MORE,
                (true, false) => say::OUTCOME_LESS,
                (false, true) => say::OUTCOME_MORE_PART,
                (false, false) => say::OUTCOME_LESS_PART,
            };
            page.fill_html(word, &with)
        }
        Err(NoOutcome::NotLater) => page.html(say::OUTCOME_NOT_LATER),
        Err(NoOutcome::OtherLength) => page.html(say::OUTCOME_OTHER_LENGTH),
        Err(NoOutcome::OtherLog) => page.html(say::OUTCOME_OTHER_LOG),
    };
    let mut blocks = vec![Block::Prose { html }];
    if let Some(within) = d.outcome.as_ref().ok().and_then(within) {
        blocks.push(Block::Prose { html: page.html(if within { say::OUTCOME_WITHIN } else { say::OUTCOME_OUTSIDE }) });
    }
    let known: Vec<(String, Outcome)> =
        steps.iter().filter_map(|(_, d)| Some((d.before.cutoff.to_string(), d.outcome.ok()?))).collect();
    if known.is_empty() {
        return blocks;
    }
    let of = |value: fn(&Outcome) -> Option<f64>| known.iter().map(|(_, o)| value(o)).collect::<Vec<_>>();
    let data = json!({
        "kind": "pairs", "measure": "money", "labels": known.iter().map(|(day, _)| day).collect::<Vec<_>>(),
        "actual": of(|o| Some(o.actual)), "predicted": of(|o| Some(o.expected)),
        "lo": of(|o| o.interval.map(|i| i[0])), "hi": of(|o| o.interval.map(|i| i[1])),
        "xName": page.say(say::FORECAST_OF), "actualName": page.say(w::ACTUAL), "predictedName": page.say(w::EXPECTED),
    });
    let head =
        [say::FORECAST_OF, say::DAYS, w::EXPECTED, w::LOWER, w::UPPER, w::ACTUAL, say::BUYERS_EXPECTED, say::BUYERS];
    let mut table = Grid::new(head.iter().enumerate().map(|(i, name)| (page.say(*name), i > 0)).collect());
    let amount = |v: Option<f64>| v.map_or_else(|| "–".to_owned(), |v| page.money().whole(v));
    for (day, o) in &known {
        table.row(vec![
            day.clone(),
            count(o.days.into()),
            amount(Some(o.expected)),
            amount(o.interval.map(|i| i[0])),
            amount(o.interval.map(|i| i[1])),
            amount(Some(o.actual)),
            o.active_expected.map_or_else(|| "–".to_owned(), |n| grouped(n, 0)),
            count(o.active_actual),
        ]);
    }
    let caption: Text = say::OUTCOMES_CAPTION.text();
    let keys = vec![
        ("s3", page.say(w::ACTUAL)),
        ("dot", page.say(w::EXPECTED)),
        ("whisker", page.fill(w::INTERVAL, &[("level", "80%".to_owned())])),
    ];
    let chart = Chart::new("outcomes", page.say(say::OUTCOMES_TITLE), &caption, page.lang, &data)
        .unit(page.money_axis(say::SPEND_OF_THEN))
        .keys(keys)
        .wide()
        .table(table);
    blocks.push(Block::Charts(vec![chart]));
    blocks
}

/// Whether what happened lies in the interval; `None` where there is none.
fn within(o: &Outcome) -> Option<bool> {
    o.interval.map(|[lo, hi]| (lo..=hi).contains(&o.actual))
}

/// A value of a measure as it is said.
fn number(page: &Page<'_>, measure: &str, value: f64) -> String {
    match measure {
        "p_active" => percent(value),
        "spend_so_far" | "expected_spend" => page.short(value),
        _ => compact(value, page.lang),
    }
}

/// The values of a bin: `≤ 3`, `4 – 9`, `> 9`.
fn range(page: &Page<'_>, m: &MeasureDrift, [above, up_to]: [Option<f64>; 2]) -> String {
    let said = |v: f64| number(page, m.measure, v);
    let whole = matches!(m.measure, "purchase_days" | "days_since_last_order");
    match (above, up_to) {
        (None, None) => page.say(say::MISSING),
        (None, Some(to)) => format!("≤ {}", said(to)),
        (Some(from), None) => format!("> {}", said(from)),
        // whole numbers begin behind the border
        (Some(from), Some(to)) if whole && from + 1.0 >= to => said(to),
        (Some(from), Some(to)) => format!("{} – {}", said(if whole { from + 1.0 } else { from }), said(to)),
    }
}

/// What shares two samples have: bars before, dots now.
fn paired(page: &Page<'_>, labels: &[String], counts: &[(u64, u64)], x: String) -> (Value, Grid) {
    let (n, m) = counts.iter().fold((0, 0), |(n, m), (b, a)| (n + b, m + a));
    let share = |part: u64, all: u64| part as f64 / (all as f64).max(1.0);
    let data = json!({
        "kind": "pairs", "measure": "percent", "labels": labels, "xName": x, "lo": [], "hi": [],
        "actual": counts.iter().map(|c| share(c.0, n)).collect::<Vec<_>>(),
        "predicted": counts.iter().map(|c| share(c.1, m)).collect::<Vec<_>>(),
        "actualName": page.say(say::THEN), "predictedName": page.say(say::NOW),
    });
    let head = [say::RANGE, say::THEN, say::NOW, say::SHARE_THEN, say::SHARE_NOW];
    let mut table = Grid::new(head.iter().enumerate().map(|(i, name)| (page.say(*name), i > 0)).collect());
    for (label, (b, a)) in labels.iter().zip(counts) {
        table.row(vec![label.clone(), count(*b), count(*a), percent(share(*b, n)), percent(share(*a, m))]);
    }
    (data, table)
}

fn keys(page: &Page<'_>) -> Vec<(&'static str, String)> {
    vec![("s3", page.say(say::THEN)), ("dot", page.say(say::NOW))]
}

fn distribution(page: &Page<'_>, m: &MeasureDrift) -> Chart {
    let labels: Vec<String> = m.stability.bins.iter().map(|b| range(page, m, [b.above, b.up_to])).collect();
    let counts: Vec<(u64, u64)> = m.stability.bins.iter().map(|b| (b.before, b.after)).collect();
    let name = page.say(name_of(m.measure));
    let (data, table) = paired(page, &labels, &counts, name.clone());
    let caption = page.filled(
        say::DISTRIBUTION_CAPTION,
        &[
            ("psi", index(m.stability.psi)),
            ("ks", grouped(m.distance.distance, 3)),
            ("p", chance(m.distance.p_value)),
            ("before", number(page, m.measure, m.median[0])),
            ("after", number(page, m.measure, m.median[1])),
        ],
    );
    let id = match m.measure {
        "days_since_last_order" => "drift-recency",
        "purchase_days" => "drift-frequency",
        "spend_so_far" => "drift-spend",
        "expected_spend" => "drift-expected",
        _ => "drift-active",
    };
    let unit = page.say(say::SHARE_OF_CUSTOMERS);
    Chart::new(id, name, &caption, page.lang, &data).unit(unit).keys(keys(page)).height("h2").table(table)
}

fn shares(
    page: &Page<'_>,
    id: &'static str,
    title: Word,
    s: &Shares,
    name: &dyn Fn(&str) -> String,
    order: &dyn Fn(&str) -> usize,
) -> Chart {
    let mut rows: Vec<&(String, u64, u64)> = s.rows.iter().collect();
    rows.sort_by_key(|r| order(&r.0));
    let labels: Vec<String> = rows.iter().map(|r| name(&r.0)).collect();
    let counts: Vec<(u64, u64)> = rows.iter().map(|r| (r.1, r.2)).collect();
    let (data, table) = paired(page, &labels, &counts, String::new());
    let caption = page.filled(say::SHARES_CAPTION, &[("psi", index(s.psi))]);
    let unit = page.say(say::SHARE_OF_CUSTOMERS);
    Chart::new(id, page.say(title), &caption, page.lang, &data).unit(unit).keys(keys(page)).height("h2").table(table)
}
