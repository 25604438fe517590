//! Section 3: who the customers are: the RFM map, the named groups and the most valuable customers.

use guike_explain::rfm::rfm;
use guike_explain::text::{count, percent};
use guike_explain::{Frame, Measure};

use super::page::{Block, Figure, Section, Table, Text, numbers, words};
use super::view::{Bilingual, Part, ReportView, Rfm, WhyTop};
use super::why::signed;
use super::{money, words as w};

/// Customers that are listed at most.
const MAX_LISTED: usize = 20;
/// Parts of a forecast that are told one by one, unless they are below this share of the largest.
const MOST_TOLD: usize = 4;
const LEAST_TOLD: f64 = 0.02;

pub(super) fn section(view: &ReportView) -> Section {
    let mut lead = Vec::new();
    let mut blocks = Vec::new();
    match &view.rfm {
        Part::Missing(why) => blocks.push(Block::missing(why)),
        Part::Here(map) => {
            lead.push(w::WHO_LEAD.with(&[("best", Text::same(count(map.cells[4][4].n_customers)))]));
            blocks.push(Block::Figures(vec![picture(view, map)]));
            if !map.groups.is_empty() {
                blocks.push(Block::Heading(w::GROUPS.text()));
                blocks.push(Block::Table(groups(view, map)));
            }
        }
    }
    blocks.push(Block::Heading(w::TOP_CUSTOMERS.text()));
    if view.top_customers.is_empty() {
        blocks.push(Block::Missing(w::NO_TOP.text()));
    } else {
        let n = view.top_customers.len().min(MAX_LISTED);
        blocks.push(Block::Prose(w::TOP_CUSTOMERS_NOTE.with(&[("n", Text::same(n.to_string()))])));
        blocks.push(Block::Table(top(view)));
        if let Part::Here(drivers) = &view.drivers {
            blocks.push(Block::Heading(w::WHY_TOP.text()));
            blocks.extend(drivers.top.iter().map(|t| Block::Prose(why(view, t))));
            blocks.push(Block::Note(false, w::WHY_TOP_NOTE.text()));
        }
    }
    Section { id: "who", title: w::WHO.text(), lead, blocks }
}

/// A customer's forecast in a sentence: the average, the largest parts, and the rest.
fn why(view: &ReportView, top: &WhyTop) -> Text {
    let amount = |v: f64| ("amount", signed(money(view), v));
    let largest = top.parts.iter().map(|p| p.1.abs()).fold(0.0, f64::max);
    let is_told = |p: &&(Bilingual, f64)| p.1.abs() > LEAST_TOLD * largest;
    let told: Vec<&(Bilingual, f64)> = top.parts.iter().filter(is_told).take(MOST_TOLD).collect();
    let mut parts: Vec<Text> =
        told.iter().map(|(what, v)| w::WHY_TOP_PART.with(&[("what", Text::from(what)), amount(*v)])).collect();
    if told.len() < top.parts.len() {
        let all: f64 = top.parts.iter().map(|p| p.1).sum();
        parts.push(w::WHY_TOP_REST.with(&[amount(all - told.iter().map(|p| p.1).sum::<f64>())]));
    }
    let parts = Text::each(|lang| parts.iter().map(|p| p.pick(lang)).collect::<Vec<_>>().join(lang.pick(", ", "，")));
    let short = |v: f64| Text::each(|lang| money(view).short(v, lang));
    w::WHY_TOP_ONE.with(&[
        ("id", Text::same(&top.id)),
        ("expected", short(top.expected)),
        ("base", short(top.base)),
        ("parts", parts),
    ])
}

pub(super) fn picture(view: &ReportView, map: &Rfm) -> Figure {
    let draw = |width: f64| {
        move |lang| {
            let frame = Frame::new(lang, w::RFM.pick(lang), w::RFM_X.pick(lang), w::RFM_Y.pick(lang))
                .measuring(money(view))
                .wide(width);
            rfm(&map.cells, &frame)
        }
    };
    let mut head = vec![words(w::RECENCY.text())];
    head.extend((1..=5).map(|f| numbers(w::FREQUENCY.with(&[("n", Text::same(f.to_string()))]))));
    let mut table = Table::new(head);
    for (r, row) in map.cells.iter().enumerate().rev() {
        let cell = |c: &guike_explain::rfm::RfmCell| {
            Text::each(|lang| format!("{} · {}", count(c.n_customers), money(view).short(c.value, lang)))
        };
        table.row(std::iter::once(Text::same((r + 1).to_string())).chain(row.iter().map(cell)).collect());
    }
    Figure::new(w::RFM.text(), draw(480.0), w::RFM_CAPTION.text()).wide(draw(900.0)).table(table)
}

pub(super) fn groups(view: &ReportView, map: &Rfm) -> Table {
    let n: u64 = map.groups.iter().map(|g| g.n_customers).sum();
    let value: f64 = map.groups.iter().map(|g| g.expected_spend).sum();
    let mut table = Table::new(vec![
        words(w::GROUP.text()),
        words(w::GROUP_IS.text()),
        numbers(w::CUSTOMERS.text()),
        numbers(w::SHARE_CUSTOMERS.text()),
        numbers(w::EXPECTED_SPEND.text()),
        numbers(w::SHARE_VALUE.text()),
        numbers(w::P_ACTIVE.text()),
    ]);
    for g in &map.groups {
        table.row(vec![
            Text::from(&g.name),
            Text::from(&g.about),
            Text::same(count(g.n_customers)),
            Text::same(percent(g.n_customers as f64 / n.max(1) as f64)),
            Text::same(money(view).whole(g.expected_spend)),
            Text::same(percent(if value > 0.0 { g.expected_spend / value } else { 0.0 })),
            Text::same(percent(g.p_active)),
        ]);
    }
    table
}

fn top(view: &ReportView) -> Table {
    let m: Measure<'_> = money(view);
    let mut table = Table::new(vec![
        words(w::CUSTOMER.text()),
        words(w::TIER.text()),
        numbers(w::EXPECTED_SPEND.text()),
        numbers(w::INTERVAL.with(&[("level", Text::same(percent(view.level)))])),
        numbers(w::P_ACTIVE.text()),
        numbers(w::SO_FAR.text()),
        numbers(w::PURCHASE_DAYS.text()),
        numbers(w::LAST_PURCHASE.text()),
    ]);
    let tier = |idx: Option<usize>| match &view.tiers {
        Part::Here(t) => idx.and_then(|i| t.rows.get(i)).map(|t| Text::from(&t.name)),
        Part::Missing(_) => None,
    };
    for c in view.top_customers.iter().take(MAX_LISTED) {
        let s = c.expected_spend;
        table.row(vec![
            Text::same(&c.id),
            tier(c.tier).unwrap_or_default(),
            Text::same(m.full(s.mid)),
            Text::each(|lang| format!("{} – {}", m.short(s.lo, lang), m.short(s.hi, lang))),
            Text::same(percent(c.p_active)),
            Text::same(m.full(c.past_spend)),
            Text::same(count(c.n_purchase_days)),
            Text::same(&c.last_purchase),
        ]);
    }
    table
}
