//! Section 4: how sure we are: the backtest, the choice of the model, and how its forecasts met what happened.

use std::collections::BTreeMap;

use guike_explain::calibration::{Group, calibration, groups};
use guike_explain::candidates::{Candidate, candidates};
use guike_explain::importance::{Importance, importance};
use guike_explain::text::{count, grouped, percent};
use guike_explain::{Frame, gain, roc, scatter};

use super::answer::money_axis;
use super::page::{Block, Figure, Section, Table, Text, numbers, words};
use super::view::{Backtest, Drivers, Part, ReportView, WhyChosen};
use super::{money, short_money, words as w};

/// Candidates that fit beside another picture.
const MAX_BESIDE: usize = 9;
/// An interval that covers so much more or less than is right deserves a word why.
const COVERAGE_OFF_BY: f64 = 0.05;

pub(super) fn section(view: &ReportView) -> Section {
    let (lead, mut blocks) = match &view.backtest {
        Part::Missing(why) => (vec![w::SURE_NO_LEAD.text()], vec![Block::missing(why)]),
        Part::Here(test) => (lead(view, test), blocks(view, test)),
    };
    blocks.push(Block::Heading(w::DRIVERS.text()));
    blocks.push(match &view.drivers {
        Part::Missing(why) => Block::missing(why),
        Part::Here(d) => Block::Figures(vec![drivers(view, d)]),
    });
    Section { id: "sure", title: w::SURE.text(), lead, blocks }
}

fn lead(view: &ReportView, test: &Backtest) -> Vec<Text> {
    vec![met(view, test, [test.predicted.iter().sum(), test.actual.iter().sum()])]
}

/// How a total that was predicted met the actual one.
pub(super) fn met(view: &ReportView, test: &Backtest, [predicted, actual]: [f64; 2]) -> Text {
    let off = if actual > 0.0 { percent((predicted / actual - 1.0).abs()) } else { "–".to_owned() };
    w::SURE_LEAD.with(&[
        ("days", Text::same(test.horizon.days().to_string())),
        ("cutoff", Text::whole(test.cutoff)),
        ("predicted", short_money(view, predicted)),
        ("actual", short_money(view, actual)),
        ("off", Text::same(off)),
    ])
}

fn blocks(view: &ReportView, test: &Backtest) -> Vec<Block> {
    let mut blocks: Vec<Block> = choice(test).into_iter().map(Block::Prose).collect();
    let mut figures = Vec::new();
    if !test.candidates.is_empty() {
        figures.push(tried(test));
    }
    if !test.predicted.is_empty() {
        figures.push(deciles(view, test));
        figures.push(found(test));
        figures.push(one_by_one(view, test));
    }
    if let Some(auc) = (!test.p_active.is_empty()).then(|| roc::auc(&test.p_active, &bought(test))).flatten() {
        figures.push(buyers(test, auc));
    }
    blocks.push(Block::Figures(figures));
    if test.course.len() > 1 {
        let (caption, table) = course(view, test);
        blocks.extend([Block::Heading(w::COURSE.text()), Block::Prose(caption), Block::Table(table)]);
    }
    if !(test.scores.is_empty() && test.coverage.is_empty()) {
        blocks.push(Block::Heading(w::SCORES.text()));
        blocks.push(Block::Table(scores(test)));
    }
    blocks
}

fn bought(test: &Backtest) -> Vec<bool> {
    test.actual.iter().map(|a| *a > 0.0).collect()
}

/// Which model, and why, in plain words.
pub(super) fn choice(test: &Backtest) -> Vec<Text> {
    let Some(chosen) = test.candidates.get(test.chosen) else { return Vec::new() };
    let name = || Text::from(&chosen.name);
    let metric = || Text::from(&test.metric.name);
    let which = if chosen.about == super::view::Bilingual::default() {
        w::CHOSEN_PLAIN.with(&[("name", name())])
    } else {
        w::CHOSEN.with(&[("name", name()), ("about", Text::from(&chosen.about))])
    };
    let why = match &test.why {
        WhyChosen::Best => w::WHY_BEST.with(&[
            ("n", Text::same(test.candidates.len().to_string())),
            ("metric", metric()),
            ("anchors", Text::same(test.n_anchors.to_string())),
        ]),
        WhyChosen::SimplerThan(best) => {
            let best = test.candidates.get(*best).map_or_else(Text::default, |c| Text::from(&c.name));
            w::WHY_SIMPLER.with(&[("best", best), ("metric", metric()), ("name", name())])
        }
        WhyChosen::OnlyOne => w::WHY_ONLY.text(),
        WhyChosen::Asked => w::WHY_ASKED.text(),
        WhyChosen::Because(text) => Text::from(text),
    };
    vec![which, why]
}

pub(super) fn tried(test: &Backtest) -> Figure {
    let metric = &test.metric;
    let draw = |width: f64| {
        move |lang| {
            let rows: Vec<Candidate> = test
                .candidates
                .iter()
                .enumerate()
                .map(|(i, c)| Candidate {
                    name: c.name.pick(lang).to_owned(),
                    score: c.score,
                    baseline: c.baseline,
                    chosen: i == test.chosen,
                })
                .collect();
            let frame = Frame::new(lang, w::CANDIDATES.pick(lang), metric.name.pick(lang), "");
            candidates(&rows, metric.decimals, &frame.wide(width))
        }
    };
    let direction = if metric.higher_is_better { w::HIGHER } else { w::LOWER_BETTER };
    let caption =
        w::CANDIDATES_CAPTION.with(&[("meaning", Text::from(&metric.meaning)), ("direction", direction.text())]);
    let mut head = vec![
        words(w::MODEL.text()),
        words(w::MEANING.text()),
        numbers(Text::from(&metric.name)),
        numbers(w::INTERVAL.with(&[("level", Text::same("95%"))])),
    ];
    head.extend(test.more_metrics.iter().map(|m| numbers(Text::from(m))));
    let mut table = Table::new(head);
    let number = |v: f64| Text::same(grouped(v, metric.decimals));
    for (i, c) in test.candidates.iter().enumerate() {
        let mark = match (i == test.chosen, c.baseline) {
            (true, _) => Some(w::CHOSEN_MARK),
            (false, true) => Some(w::YARDSTICK),
            (false, false) => None,
        };
        let name = Text::each(|lang| match mark {
            Some(m) => format!("{} · {}", c.name.pick(lang), m.pick(lang)),
            None => c.name.pick(lang).to_owned(),
        });
        let interval = format!(
            "{} – {}",
            number(c.score.lo).pick(guike_explain::Lang::En),
            number(c.score.hi).pick(guike_explain::Lang::En)
        );
        let mut cells = vec![name, Text::from(&c.about), number(c.score.mid), Text::same(interval)];
        cells.extend(
            (0..test.more_metrics.len()).map(|k| Text::same(grouped(c.more.get(k).copied().unwrap_or(f64::NAN), 3))),
        );
        table.marked_row(cells, i == test.chosen);
    }
    let figure = Figure::new(w::CANDIDATES.text(), draw(480.0), caption).table(table);
    // a long list beside a square picture would leave a hole in the page
    if test.candidates.len() > MAX_BESIDE { figure.wide(draw(900.0)) } else { figure }
}

pub(super) fn deciles(view: &ReportView, test: &Backtest) -> Figure {
    let rows: Vec<Group> =
        if test.deciles.is_empty() { groups(&test.predicted, &test.actual, 10) } else { test.deciles.clone() };
    let draw = |lang| {
        let y = money_axis(view, w::DECILES_Y);
        let frame =
            Frame::new(lang, w::DECILES.pick(lang), w::DECILES_X.pick(lang), y.pick(lang)).measuring(money(view));
        calibration(&rows, &frame)
    };
    let mut table = Table::new(vec![
        words(w::GROUP_NO.text()),
        numbers(w::PREDICTED.text()),
        numbers(w::ACTUAL.text()),
        numbers(w::LOWER.text()),
        numbers(w::UPPER.text()),
    ]);
    let full = |v: f64| Text::same(money(view).full(v));
    for (i, g) in rows.iter().enumerate() {
        let (lo, hi) = g.actual_interval.unwrap_or((f64::NAN, f64::NAN));
        table.row(vec![Text::same((i + 1).to_string()), full(g.predicted), full(g.actual), full(lo), full(hi)]);
    }
    let caption = w::DECILES_CAPTION.with(&[("n", Text::same(rows.len().to_string()))]);
    Figure::new(w::DECILES.text(), draw, caption).table(table)
}

/// The chosen model from cutoff to cutoff: how to read it, and its table.
pub(super) fn course(view: &ReportView, test: &Backtest) -> (Text, Table) {
    let mut table = Table::new(vec![
        words(w::CUTOFF.text()),
        numbers(w::COURSE_CUSTOMERS.text()),
        numbers(w::PREDICTED.text()),
        numbers(w::ACTUAL.text()),
        numbers(w::RATIO.text()),
        numbers(w::GINI.text()),
        numbers(w::AUC.text()),
    ]);
    let score = |v: Option<f64>| Text::same(v.map_or_else(|| "–".to_owned(), |v| grouped(v, 3)));
    for at in &test.course {
        table.row(vec![
            Text::whole(at.cutoff),
            Text::same(count(at.customers)),
            short_money(view, at.predicted),
            short_money(view, at.actual),
            score((at.actual > 0.0).then_some(at.predicted / at.actual)),
            score(at.gini),
            score(at.auc),
        ]);
    }
    (w::COURSE_CAPTION.with(&[("days", Text::same(test.horizon.days().to_string()))]), table)
}

fn found(test: &Backtest) -> Figure {
    let draw = |lang| {
        let frame = Frame::new(lang, w::GAIN.pick(lang), w::GAIN_X.pick(lang), w::GAIN_Y.pick(lang));
        gain::gain(&test.predicted, &test.actual, &frame)
    };
    let at = |share| percent(gain::captured(&test.predicted, &test.actual, share));
    let mut table = Table::new(vec![words(w::GAIN_X.text()), numbers(w::GAIN_Y.text())]);
    for share in [0.05, 0.1, 0.2, 0.3, 0.5, 0.7] {
        table.row(vec![Text::same(percent(share)), Text::same(at(share))]);
    }
    Figure::new(w::GAIN.text(), draw, w::GAIN_CAPTION.with(&[("share", Text::same(at(0.2)))])).table(table)
}

fn one_by_one(view: &ReportView, test: &Backtest) -> Figure {
    let draw = |lang| {
        let y = money_axis(view, w::SCATTER_Y);
        let frame =
            Frame::new(lang, w::SCATTER.pick(lang), w::SCATTER_X.pick(lang), y.pick(lang)).measuring(money(view));
        scatter::scatter(&test.predicted, &test.actual, &frame)
    };
    Figure::new(w::SCATTER.text(), draw, w::SCATTER_CAPTION.text()).table(by_size(view, test))
}

/// Customers by the size of their forecast, in steps of ten: what was predicted and what happened.
fn by_size(view: &ReportView, test: &Backtest) -> Table {
    let step = |p: f64| if p > 0.0 { p.log10().floor().clamp(-3.0, 12.0) as i32 } else { i32::MIN };
    let mut groups: BTreeMap<i32, [f64; 4]> = BTreeMap::new();
    for (&p, &a) in test.predicted.iter().zip(&test.actual) {
        let g = groups.entry(step(p)).or_default();
        for (sum, v) in g.iter_mut().zip([1.0, p, a, f64::from(u8::from(a <= 0.0))]) {
            *sum += v;
        }
    }
    let mut table = Table::new(vec![
        words(w::SCATTER_RANGE.text()),
        numbers(w::CUSTOMERS.text()),
        numbers(w::MEAN_PREDICTED.text()),
        numbers(w::MEAN_ACTUAL.text()),
        numbers(w::SCATTER_NONE.text()),
    ]);
    let m = money(view);
    for (step, [n, p, a, none]) in groups {
        let end = |k: i32, lang| m.short(10f64.powi(k), lang);
        table.row(vec![
            Text::each(|lang| match step {
                i32::MIN => "0".to_owned(),
                k => format!("{} – {}", end(k, lang), end(k + 1, lang)),
            }),
            Text::same(grouped(n, 0)),
            Text::same(m.full(p / n)),
            Text::same(m.full(a / n)),
            Text::same(percent(none / n)),
        ]);
    }
    table
}

fn buyers(test: &Backtest, auc: f64) -> Figure {
    let draw = |lang| {
        let frame = Frame::new(lang, w::ROC.pick(lang), w::ROC_X.pick(lang), w::ROC_Y.pick(lang));
        roc::roc(&test.p_active, &bought(test), &frame)
    };
    let points = roc::points(&test.p_active, &bought(test));
    let mut table = Table::new(vec![words(w::ROC_X.text()), numbers(w::ROC_Y.text())]);
    for alarms in [0.05, 0.1, 0.2, 0.3, 0.5] {
        let hits = points[points.partition_point(|p| p.0 <= alarms).saturating_sub(1)].1;
        table.row(vec![Text::same(percent(alarms)), Text::same(percent(hits))]);
    }
    Figure::new(w::ROC.text(), draw, w::ROC_CAPTION.with(&[("auc", Text::same(percent(auc)))])).table(table)
}

pub(super) fn drivers(view: &ReportView, d: &Drivers) -> Figure {
    let draw = |width: f64| {
        move |lang| {
            let row = |d: &super::view::Driver| Importance { name: d.name.pick(lang).to_owned(), weight: d.weight };
            let rows: Vec<Importance> = d.themes.iter().map(row).collect();
            let frame = Frame::new(lang, w::DRIVERS_BARS.pick(lang), w::DRIVERS_X.pick(lang), "");
            importance(&rows, &frame.measuring(money(view)).wide(width))
        }
    };
    let mut table = Table::new(vec![
        words(w::FEATURE.text()),
        numbers(w::DRIVERS_X.text()),
        numbers(w::INTERVAL.with(&[("level", Text::same("95%"))])),
    ]);
    for t in &d.themes {
        let short = |v: f64| short_money(view, v);
        let (lo, hi) = (short(t.weight.lo), short(t.weight.hi));
        let interval = Text::each(|lang| format!("{} – {}", lo.pick(lang), hi.pick(lang)));
        table.row(vec![Text::from(&t.name), short(t.weight.mid), interval]);
    }
    let caption = w::DRIVERS_CAPTION.with(&[("n", Text::same(count(d.n_customers)))]);
    Figure::new(w::DRIVERS_BARS.text(), draw(480.0), caption).wide(draw(900.0)).table(table)
}

pub(super) fn scores(test: &Backtest) -> Table {
    let mut table = Table::new(vec![
        words(w::SCORE.text()),
        numbers(w::VALUE.text()),
        numbers(w::INTERVAL.with(&[("level", Text::same("95%"))])),
        words(w::MEANING.text()),
    ]);
    for s in &test.scores {
        let interval = s
            .interval
            .map_or(String::new(), |(lo, hi)| format!("{} – {}", grouped(lo, s.decimals), grouped(hi, s.decimals)));
        table.row(vec![
            Text::from(&s.name),
            Text::same(grouped(s.value, s.decimals)),
            Text::same(interval),
            Text::from(&s.meaning),
        ]);
    }
    for c in &test.coverage {
        let share = |of: f64| Text::same(percent(of));
        let mut meaning = vec![w::COVERAGE_MEANING.with(&[("expected", share(c.expected))])];
        if c.expected - c.level > 0.005 {
            meaning.push(w::COVERAGE_ZEROS.with(&[("level", share(c.level))]));
        }
        if (c.observed - c.expected).abs() > COVERAGE_OFF_BY {
            meaning.push(w::COVERAGE_OFF.with(&[("below", share(c.below)), ("above", share(c.above))]));
        }
        table.row(vec![
            w::COVERAGE_ROW.with(&[("level", share(c.level))]),
            share(c.observed),
            Text::same(""),
            Text::sentences(&meaning),
        ]);
    }
    table
}
