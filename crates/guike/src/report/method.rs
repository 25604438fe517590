//! Section 7: how it was done, the settings, and the words.

use super::page::{Block, Section, Table, Text, words};
use super::view::ReportView;
use super::{days, words as w};

pub(super) fn section(view: &ReportView) -> Section {
    let m = &view.method;
    let mut blocks = Vec::new();
    if !m.steps.is_empty() {
        blocks.push(Block::Heading(w::METHOD_HOW.text()));
        blocks.extend(m.steps.iter().map(|s| Block::Prose(Text::from(s))));
    }
    blocks.push(Block::Heading(w::SETTINGS.text()));
    let mut table = Table::new(vec![words(w::FACT.text()), words(w::VALUE.text())]);
    table.row(vec![w::VERSION.text(), Text::same(&m.version)]);
    table.row(vec![w::CUTOFF.text(), Text::same(view.cutoff.to_string())]);
    table.row(vec![w::HORIZON.text(), w::N_DAYS.with(&[("n", days(view))])]);
    table.row(vec![w::SEED.text(), Text::same(m.seed.to_string())]);
    for (name, value) in &m.facts {
        table.row(vec![Text::from(name), Text::same(value)]);
    }
    blocks.push(Block::Table(table));
    blocks.push(Block::Prose(w::REPEATABLE.text()));
    if let Some(command) = &m.command {
        blocks.push(Block::Verbatim(w::COMMAND.text(), command.clone()));
    }
    if !m.config.trim().is_empty() {
        blocks.push(Block::Verbatim(w::CONFIG.text(), m.config.clone()));
    }
    blocks.push(Block::Heading(w::GLOSSARY.text()));
    blocks.push(Block::Terms(w::GLOSSARY_ENTRIES.iter().map(|(t, is)| (t.text(), is.text())).collect()));
    Section { id: "method", title: w::METHOD.text(), lead: Vec::new(), blocks }
}
