//! Section 1: the answer in words, four key figures, what to do first, and the totals over time.

use guike_explain::text::{compact, count, percent};
use guike_explain::totals::{Expected, Totals, totals};
use guike_explain::{Frame, Interval};

use super::page::{Block, Figure, Section, Table, Text, Tile, numbers, words};
use super::view::{Part, ReportView, TierRow};
use super::{days, money, short_money, words as w};

/// Periods of history that are drawn at most.
const MAX_PERIODS: usize = 48;
/// Mean days of a calendar month in the Gregorian calendar.
const DAYS_PER_MONTH: f64 = 365.2425 / 12.0;

pub(super) fn section(view: &ReportView) -> Section {
    let mut blocks = vec![Block::Tiles(tiles(view))];
    let steps = steps(view);
    if !steps.is_empty() {
        blocks.push(Block::Heading(w::FIRST.text()));
        blocks.push(Block::Steps(steps));
    }
    blocks.push(Block::Figures(vec![history(view)]));
    Section { id: "answer", title: w::ANSWER.text(), lead: lead(view), blocks }
}

/// The tiers with their shares of customers and value, from the top down.
pub(super) fn shares(view: &ReportView) -> Vec<(&TierRow, f64, f64)> {
    let Part::Here(tiers) = &view.tiers else { return Vec::new() };
    let n: u64 = tiers.rows.iter().map(|t| t.n_customers).sum();
    let value: f64 = tiers.rows.iter().map(|t| t.expected_spend).sum();
    let of = |part: f64, whole: f64| if whole > 0.0 { part / whole } else { 0.0 };
    tiers.rows.iter().map(|t| (t, of(t.n_customers as f64, n as f64), of(t.expected_spend, value))).collect()
}

fn level(view: &ReportView) -> Text {
    Text::same(percent(view.level))
}

pub(super) fn lead(view: &ReportView) -> Vec<Text> {
    let a = &view.answer;
    let spend = a.expected_spend;
    let answer = w::ANSWER_SPEND.with(&[
        ("days", days(view)),
        ("n", Text::same(count(a.n_customers))),
        ("spend", short_money(view, spend.mid)),
        ("level", level(view)),
        ("lo", short_money(view, spend.lo)),
        ("hi", short_money(view, spend.hi)),
    ]);
    let mut more = Vec::new();
    if let Some(past) = a.past_spend.filter(|p| *p > 0.0) {
        let change = spend.mid / past - 1.0;
        let word = match change {
            c if c > 0.02 => w::ANSWER_UP,
            c if c < -0.02 => w::ANSWER_DOWN,
            _ => w::ANSWER_LEVEL,
        };
        let mut fill = vec![("past", short_money(view, past)), ("days", days(view))];
        fill.push(("change", Text::same(percent((change.abs() * 100.0).round() / 100.0))));
        more.push(word.with(&fill));
    }
    more.push(w::ANSWER_BUYERS.with(&[
        ("buyers", Text::same(count(a.expected_buyers.max(0.0).round() as u64))),
        ("share", Text::same(percent(share_of_buyers(view)))),
    ]));
    if let Some((top, customers, value)) = shares(view).first() {
        more.push(w::ANSWER_TOP.with(&[
            ("tier", Text::from(&top.name)),
            ("customers", Text::same(percent(*customers))),
            ("value", Text::same(percent(*value))),
        ]));
    }
    vec![answer, Text::sentences(&more)]
}

fn share_of_buyers(view: &ReportView) -> f64 {
    let a = &view.answer;
    if a.n_customers == 0 { 0.0 } else { (a.expected_buyers / a.n_customers as f64).clamp(0.0, 1.0) }
}

pub(super) fn tiles(view: &ReportView) -> Vec<Tile> {
    let a = &view.answer;
    let mut tiles = vec![
        Tile {
            name: w::TILE_VALUE.text(),
            value: short_money(view, a.expected_spend.mid),
            detail: w::TILE_VALUE_DETAIL.with(&[
                ("level", level(view)),
                ("lo", short_money(view, a.expected_spend.lo)),
                ("hi", short_money(view, a.expected_spend.hi)),
            ]),
        },
        Tile {
            name: w::TILE_BUYERS.text(),
            value: Text::same(count(a.expected_buyers.max(0.0).round() as u64)),
            detail: w::TILE_BUYERS_DETAIL.with(&[
                ("share", Text::same(percent(share_of_buyers(view)))),
                ("orders", Text::each(|lang| compact(a.expected_orders.round(), lang))),
            ]),
        },
    ];
    if let Some((top, _, value)) = shares(view).first() {
        tiles.push(Tile {
            name: w::TILE_TOP.text(),
            value: Text::same(percent(*value)),
            detail: w::TILE_TOP_DETAIL
                .with(&[("tier", Text::from(&top.name)), ("n", Text::same(count(top.n_customers)))]),
        });
    }
    tiles.push(match a.at_risk.filter(|r| r.n_customers > 0) {
        Some(risk) => Tile {
            name: w::TILE_RISK.text(),
            value: short_money(view, risk.past_spend),
            detail: w::TILE_RISK_DETAIL.with(&[("n", Text::same(count(risk.n_customers)))]),
        },
        None => Tile { name: w::TILE_RISK.text(), value: w::NO_RISK.text(), detail: w::NO_RISK_DETAIL.text() },
    });
    tiles
}

/// What the numbers suggest doing, the most valuable first.
pub(super) fn steps(view: &ReportView) -> Vec<(Text, Text)> {
    let a = &view.answer;
    let shares = shares(view);
    let n = |n: u64| Text::same(count(n));
    let mut steps = Vec::new();
    if let Some((top, _, value)) = shares.first().filter(|(t, _, v)| t.n_customers > 0 && *v > 0.0) {
        let each = top.expected_spend / top.n_customers as f64;
        steps.push((
            w::DO_KEEP.with(&[("tier", Text::from(&top.name))]),
            w::DO_KEEP_WHY.with(&[
                ("n", n(top.n_customers)),
                ("share", Text::same(percent(*value))),
                ("each", short_money(view, each)),
            ]),
        ));
    }
    if let Some(risk) = a.at_risk.filter(|r| r.n_customers > 0) {
        steps.push((
            w::DO_WIN.with(&[("n", n(risk.n_customers))]),
            w::DO_WIN_WHY.with(&[
                ("past", short_money(view, risk.past_spend)),
                ("expected", short_money(view, risk.expected_spend)),
                ("p", Text::same(percent(risk.p_active_below))),
            ]),
        ));
    }
    if a.n_bought_once > 0 && a.n_customers > 0 {
        let share = a.n_bought_once as f64 / a.n_customers as f64;
        steps.push((
            w::DO_SECOND.with(&[("n", n(a.n_bought_once))]),
            w::DO_SECOND_WHY.with(&[("share", Text::same(percent(share)))]),
        ));
    }
    let low = shares.last().filter(|(t, customers, value)| shares.len() > 1 && t.n_customers > 0 && value < customers);
    if let Some((low, _, value)) = low {
        steps.push((
            w::DO_SPARE.with(&[("tier", Text::from(&low.name))]),
            w::DO_SPARE_WHY.with(&[("n", n(low.n_customers)), ("share", Text::same(percent(*value)))]),
        ));
    }
    steps
}

pub(super) fn history(view: &ReportView) -> Figure {
    let history = &view.history[view.history.len().saturating_sub(MAX_PERIODS)..];
    let average = |lang| {
        let per_month = DAYS_PER_MONTH / f64::from(view.horizon.days());
        let s = view.answer.expected_spend;
        let total = Interval { mid: s.mid * per_month, lo: s.lo * per_month, hi: s.hi * per_month };
        vec![Expected { label: w::PER_MONTH.with(&[("n", days(view))]).pick(lang).to_owned(), total }]
    };
    let forecast = |lang| if view.forecast.is_empty() { average(lang) } else { view.forecast.clone() };
    let draw = |width: f64| {
        move |lang| {
            let y = money_axis(view, w::HISTORY_Y).pick(lang).to_owned();
            let frame = Frame::new(lang, w::HISTORY.pick(lang), "", &y).measuring(money(view)).wide(width);
            totals(&Totals { history, forecast: &forecast(lang), level: view.level }, &frame)
        }
    };
    let caption = match (history.first(), history.last()) {
        (Some(a), Some(b)) => {
            w::HISTORY_CAPTION.with(&[("first", Text::whole(&a.label)), ("last", Text::whole(&b.label))])
        }
        _ => w::HISTORY_CAPTION_EMPTY.text(),
    };
    let mut table = Table::new(vec![
        words(w::MONTH.text()),
        numbers(w::ACTUAL.text()),
        numbers(w::EXPECTED.text()),
        numbers(w::LOWER.text()),
        numbers(w::UPPER.text()),
    ]);
    let full = |v: f64| Text::same(money(view).full(v));
    let none = || Text::same("");
    for p in history {
        table.row(vec![Text::same(&p.label), full(p.value), none(), none(), none()]);
    }
    let (en, zh) = (forecast(guike_explain::Lang::En), forecast(guike_explain::Lang::Zh));
    for (e, z) in en.iter().zip(&zh) {
        let label = Text::each(|lang| lang.pick(&e.label, &z.label).clone());
        table.row(vec![label, none(), full(e.total.mid), full(e.total.lo), full(e.total.hi)]);
    }
    Figure::new(w::HISTORY.text(), draw(480.0), caption).wide(draw(1000.0)).table(table)
}

/// The name of an axis with money, which says so where the currency is not known.
pub(super) fn money_axis(view: &ReportView, name: w::Word) -> Text {
    Text::each(|lang| match view.currency {
        Some(_) => name.pick(lang).to_owned(),
        None => format!("{}{}", name.pick(lang), w::LOG_UNIT.pick(lang)),
    })
}
