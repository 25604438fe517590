//! The sections of a page as plain text in one language, for a terminal: the same words, without pictures.

use guike_explain::Lang;

use super::page::{Block, Figure, Section, Table, Text};

/// Sections one after another, each with its title underlined.
pub(super) fn plain(sections: &[Section], lang: Lang) -> String {
    let mut out = String::new();
    for section in sections {
        let title = words(&section.title, lang);
        out += &format!("{title}\n{}\n", "─".repeat(columns(&title)));
        for text in &section.lead {
            out += &format!("{}\n", words(text, lang));
        }
        for block in &section.blocks {
            out += &of_block(block, lang);
        }
        out.push('\n');
    }
    out.truncate(out.trim_end().len());
    out + "\n"
}

fn of_block(block: &Block, lang: Lang) -> String {
    let line = |t: &Text| format!("{}\n", words(t, lang));
    match block {
        Block::Heading(t) => format!("\n{}", line(t)),
        Block::Prose(t) => format!("  {}", line(t)),
        Block::Note(_, t) | Block::Missing(t) => line(t),
        // figures that a sentence has said already
        Block::Tiles(_) => String::new(),
        Block::Steps(steps) => {
            steps.iter().map(|(what, why)| format!("  {} {}\n", words(what, lang), words(why, lang))).collect()
        }
        Block::Figures(figures) => figures.iter().map(|f| of_figure(f, lang)).collect(),
        Block::Table(t) => of_table(t, lang),
        // for other programs; JSON and page have it
        Block::Verbatim(..) => String::new(),
        Block::Terms(terms) => {
            terms.iter().map(|(n, m)| format!("  {}: {}\n", words(n, lang), words(m, lang))).collect()
        }
    }
}

/// A picture's table, where it has one.
fn of_figure(figure: &Figure, lang: Lang) -> String {
    figure
        .table
        .as_ref()
        .map_or_else(String::new, |t| format!("\n{}\n{}", words(&figure.title, lang), of_table(t, lang)))
}

fn of_table(table: &Table, lang: Lang) -> String {
    let rows: Vec<Vec<String>> = std::iter::once(table.head.iter().map(|h| words(&h.0, lang)).collect())
        .chain(table.rows.iter().map(|r| r.cells.iter().map(|c| words(c, lang)).collect()))
        .collect();
    let widths: Vec<usize> =
        (0..table.head.len()).map(|j| rows.iter().map(|r| columns(&r[j])).max().unwrap_or(0)).collect();
    let mut out = String::new();
    for row in &rows {
        let cells: Vec<String> = row
            .iter()
            .enumerate()
            .map(|(j, cell)| {
                let space = " ".repeat(widths[j] - columns(cell));
                if table.head[j].1 { format!("{space}{cell}") } else { format!("{cell}{space}") }
            })
            .collect();
        out += &format!("  {}\n", cells.join("  ").trim_end());
    }
    out
}

/// The words without marks.
fn words(text: &Text, lang: Lang) -> String {
    text.pick(lang).chars().filter(|c| !('\u{e000}'..='\u{e003}').contains(c)).collect()
}

/// Columns of a terminal that the text takes: an ideograph takes two.
fn columns(text: &str) -> usize {
    text.chars().map(|c| if (c as u32) < 0x2e80 { 1 } else { 2 }).sum()
}

#[cfg(test)]
mod tests {
    use super::super::page;
    use super::*;

    #[test]
    fn a_table_is_aligned_in_both_languages() {
        let name = Text::each(|lang| lang.pick("what", "主题").to_owned());
        let mut table = Table::new(vec![page::words(name.clone()), page::numbers(Text::same("n"))]);
        table.row(vec![Text::each(|lang| lang.pick("a longer name", "消费金额").to_owned()), Text::same("7")]);
        let section = Section { id: "x", title: name, lead: vec![], blocks: vec![Block::Table(table)] };
        assert_eq!(plain(&[section], Lang::Zh), "主题\n────\n  主题      n\n  消费金额  7\n");
    }
}
