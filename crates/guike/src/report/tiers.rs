//! Section 2: the tiers, how concentrated and how spread the value is, and who moved.

use guike_explain::text::{count, grouped, percent};
use guike_explain::{Frame, histogram, lorenz, migration, pyramid};

use super::answer::{money_axis, shares};
use super::page::{Block, Figure, Section, Table, Text, numbers, words};
use super::view::{Part, ReportView, Tiers};
use super::{days, money, short_money, words as w};

pub(super) fn section(view: &ReportView) -> Section {
    let mut lead = Vec::new();
    let mut blocks = Vec::new();
    let mut figures = Vec::new();
    match &view.tiers {
        Part::Missing(why) => blocks.push(Block::missing(why)),
        Part::Here(tiers) => {
            lead.extend(self::lead(view));
            blocks.push(Block::Table(table(view, tiers)));
            figures.push(picture(view, tiers));
        }
    }
    if view.expected_spend.iter().any(|v| *v > 0.0) {
        figures.push(concentration(view));
        figures.push(spread(view));
    } else {
        blocks.push(Block::Missing(w::WHY_NO_VALUE.text()));
    }
    if let Part::Here(Tiers { migration: Some(counts), rows, .. }) = &view.tiers {
        figures.push(moved(rows.iter().map(|r| Text::from(&r.name)).collect(), counts));
    }
    blocks.push(Block::Figures(figures));
    if let Part::Here(tiers) = &view.tiers {
        blocks.extend(how(tiers));
    }
    Section { id: "tiers", title: w::TIERS.text(), lead, blocks }
}

pub(super) fn lead(view: &ReportView) -> Option<Text> {
    let shares = shares(view);
    let (top, customers, value) = shares.first()?;
    Some(w::TIERS_LEAD.with(&[
        ("tier", Text::from(&top.name)),
        ("customers", Text::same(percent(*customers))),
        ("value", Text::same(percent(*value))),
        ("days", days(view)),
    ]))
}

pub(super) fn table(view: &ReportView, tiers: &Tiers) -> Table {
    let with_start = tiers.rows.iter().any(|t| t.from.is_some());
    let mut head = vec![
        words(w::TIER.text()),
        numbers(w::CUSTOMERS.text()),
        numbers(w::SHARE_CUSTOMERS.text()),
        numbers(w::EXPECTED_SPEND.text()),
        numbers(w::SHARE_VALUE.text()),
        numbers(w::PER_CUSTOMER.text()),
        numbers(w::ORDERS_EACH.text()),
        numbers(w::P_ACTIVE.text()),
    ];
    if with_start {
        head.push(numbers(w::STARTS_AT.text()));
    }
    let mut table = Table::new(head);
    for (t, customers, value) in shares(view) {
        let n = t.n_customers.max(1) as f64;
        let mut cells = vec![
            Text::from(&t.name),
            Text::same(count(t.n_customers)),
            Text::same(percent(customers)),
            Text::same(money(view).whole(t.expected_spend)),
            Text::same(percent(value)),
            Text::same(money(view).full(t.expected_spend / n)),
            Text::same(grouped(t.expected_orders / n, 2)),
            Text::same(percent(t.p_active)),
        ];
        if with_start {
            cells.push(Text::same(t.from.map_or(String::new(), |v| money(view).full(v))));
        }
        table.row(cells);
    }
    table
}

pub(super) fn picture(view: &ReportView, tiers: &Tiers) -> Figure {
    let draw = |lang| {
        let rows: Vec<pyramid::Tier> = tiers
            .rows
            .iter()
            .map(|t| pyramid::Tier {
                name: t.name.pick(lang).to_owned(),
                n_customers: t.n_customers,
                value: t.expected_spend,
            })
            .collect();
        pyramid::pyramid(&rows, &Frame::new(lang, w::PYRAMID.pick(lang), "", ""))
    };
    let head = [words(w::TIER.text()), numbers(w::SHARE_CUSTOMERS.text()), numbers(w::SHARE_VALUE.text())];
    let mut table = Table::new(head.into());
    for (tier, customers, value) in shares(view) {
        table.row(vec![Text::from(&tier.name), Text::same(percent(customers)), Text::same(percent(value))]);
    }
    Figure::new(w::PYRAMID.text(), draw, w::PYRAMID_CAPTION.text()).table(table)
}

fn concentration(view: &ReportView) -> Figure {
    let values = &view.expected_spend;
    let draw = |lang| {
        let frame = Frame::new(lang, w::LORENZ.pick(lang), w::LORENZ_X.pick(lang), w::LORENZ_Y.pick(lang));
        lorenz::lorenz(values, &frame)
    };
    let top = |share| percent(lorenz::top_share(values, share));
    let mut table = Table::new(vec![words(w::TOP_SHARE.text()), numbers(w::OF_VALUE.text())]);
    for share in [0.01, 0.05, 0.1, 0.2, 0.3, 0.5] {
        table.row(vec![Text::same(percent(share)), Text::same(top(share))]);
    }
    Figure::new(w::LORENZ.text(), draw, w::LORENZ_CAPTION.with(&[("top", Text::same(top(0.2)))])).table(table)
}

fn spread(view: &ReportView) -> Figure {
    let draw = |lang| {
        let x = w::SPREAD_X.with(&[("days", days(view))]);
        let frame = Frame::new(lang, w::SPREAD.pick(lang), x.pick(lang), w::SPREAD_Y.pick(lang)).measuring(money(view));
        histogram::histogram(&view.expected_spend, &frame)
    };
    let mut sorted: Vec<f64> = view.expected_spend.iter().copied().filter(|v| v.is_finite()).collect();
    sorted.sort_by(f64::total_cmp);
    let quantile = |q: f64| sorted[((sorted.len() - 1) as f64 * q).round() as usize];
    let mut table = Table::new(vec![words(w::SHARE_CUSTOMERS.text()), numbers(money_axis(view, w::EXPECTED_SPEND))]);
    for q in [0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 1.0] {
        table.row(vec![Text::same(format!("≤ {}", percent(q))), Text::same(money(view).full(quantile(q)))]);
    }
    let caption = w::SPREAD_CAPTION.with(&[("median", short_money(view, quantile(0.5)))]);
    Figure::new(w::SPREAD.text(), draw, caption).table(table)
}

pub(super) fn moved(names: Vec<Text>, counts: &[Vec<u64>]) -> Figure {
    let draw = |lang| {
        let names: Vec<String> = names.iter().map(|n| n.pick(lang).to_owned()).collect();
        let frame = Frame::new(lang, w::MIGRATION.pick(lang), w::MIGRATION_X.pick(lang), w::MIGRATION_Y.pick(lang));
        migration::migration(&names, counts, &frame)
    };
    let mut table =
        Table::new(std::iter::once(words(w::MIGRATION_Y.text())).chain(names.iter().cloned().map(numbers)).collect());
    for (name, row) in names.iter().zip(counts) {
        table.row(std::iter::once(name.clone()).chain(row.iter().map(|&n| Text::same(count(n)))).collect());
    }
    Figure::new(w::MIGRATION.text(), draw, w::MIGRATION_CAPTION.text()).table(table)
}

pub(super) fn how(tiers: &Tiers) -> Vec<Block> {
    let mut blocks = vec![Block::Heading(w::HOW_CUT.text()), Block::Prose(Text::from(&tiers.method))];
    if let Some(s) = tiers.silhouette {
        blocks.push(Block::Prose(w::SILHOUETTE.with(&[("value", Text::same(grouped(s, 2)))])));
    }
    if let Some(s) = tiers.stability {
        blocks.push(Block::Prose(w::STABILITY.with(&[("value", Text::same(percent(s)))])));
    }
    blocks
}
