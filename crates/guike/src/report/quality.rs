//! Section 6: the data: what became of every row, which column was taken for what, and what to know.

use guike_explain::Frame;
use guike_explain::quality::{Dropped, quality};
use guike_explain::text::{count, percent};

use super::page::{Block, Figure, Section, Table, Text, numbers, words};
use super::view::{Quality, ReportView};
use super::words as w;

/// Examples shown per reason.
const MAX_EXAMPLES: usize = 3;
/// Characters shown of an example.
const MAX_EXAMPLE_CHARS: usize = 80;

pub(super) fn section(view: &ReportView) -> Section {
    let q = &view.quality;
    let lead = lead(q);
    let mut blocks: Vec<Block> =
        q.notes.iter().filter(|n| n.warning).map(|n| Block::Note(true, Text::from(&n.text))).collect();
    blocks.push(Block::Figures(vec![picture(q)]));
    if !q.mapping.is_empty() {
        blocks.push(Block::Heading(w::MAPPING.text()));
        let mut table = Table::new(vec![words(w::ROLE.text()), words(w::COLUMN.text()), words(w::HOW.text())]);
        for m in &q.mapping {
            table.row(vec![Text::from(&m.role), Text::same(&m.column), Text::from(&m.how)]);
        }
        blocks.push(Block::Table(table));
    }
    if q.notes.iter().any(|n| !n.warning) {
        blocks.push(Block::Heading(w::NOTES.text()));
        blocks.extend(q.notes.iter().filter(|n| !n.warning).map(|n| Block::Note(false, Text::from(&n.text))));
    }
    Section { id: "data", title: w::QUALITY.text(), lead: vec![lead], blocks }
}

pub(super) fn lead(q: &Quality) -> Text {
    w::QUALITY_LEAD.with(&[
        ("read", Text::same(count(q.n_read))),
        ("kept", Text::same(count(q.n_kept))),
        ("dropped", Text::same(count(q.dropped.iter().map(|d| d.rows).sum()))),
        ("customers", Text::same(count(q.n_customers))),
        ("days", Text::same(count(q.n_purchase_days))),
        ("first", Text::whole(&q.first_day)),
        ("last", Text::whole(&q.last_day)),
    ])
}

pub(super) fn picture(q: &Quality) -> Figure {
    let draw = |width: f64| {
        move |lang| {
            let dropped: Vec<Dropped> =
                q.dropped.iter().map(|d| Dropped { reason: d.reason.pick(lang).to_owned(), rows: d.rows }).collect();
            quality(q.n_kept, &dropped, &Frame::new(lang, w::QUALITY_PICTURE.pick(lang), "", "").wide(width))
        }
    };
    let clean = q.dropped.iter().all(|d| d.rows == 0);
    let caption = if clean { w::QUALITY_CLEAN.text() } else { w::QUALITY_CAPTION.text() };
    let mut table = Table::new(vec![
        words(w::REASON.text()),
        numbers(w::ROWS.text()),
        numbers(w::SHARE.text()),
        words(w::EXAMPLES.text()),
    ]);
    let share = |rows: u64| Text::same(percent(rows as f64 / q.n_read.max(1) as f64));
    table.row(vec![w::KEPT.text(), Text::same(count(q.n_kept)), share(q.n_kept), Text::default()]);
    for d in q.dropped.iter().filter(|d| d.rows > 0) {
        let examples: Vec<String> = d.examples.iter().take(MAX_EXAMPLES).map(|e| clip(e)).collect();
        table.row(vec![
            Text::from(&d.reason),
            Text::same(count(d.rows)),
            share(d.rows),
            Text::same(examples.join(" · ")),
        ]);
    }
    Figure::new(w::QUALITY_PICTURE.text(), draw(480.0), caption).wide(draw(900.0)).table(table)
}

fn clip(text: &str) -> String {
    match text.char_indices().nth(MAX_EXAMPLE_CHARS) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}
