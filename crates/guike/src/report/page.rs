//! What a page is made of: sections of headings, sentences, figures and tables, each in both languages.

use guike_explain::{Lang, escape};

use super::view::{Bilingual, Why};
use super::words as w;

/// Begin and end of bold type inside a text; private-use characters, so that no user's text means them.
pub(super) const BOLD: [char; 2] = ['\u{e000}', '\u{e001}'];

/// Begin and end of a piece that is never broken over two lines.
const WHOLE: [char; 2] = ['\u{e002}', '\u{e003}'];

/// A text in both languages, ready for the page.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Text(pub(super) Bilingual);

impl Text {
    /// A text that is the same in both languages.
    pub fn same(text: impl Into<String>) -> Text {
        Text(Bilingual::same(text))
    }

    /// A text made for each language.
    pub fn each(f: impl Fn(Lang) -> String) -> Text {
        Text(Bilingual::new(f(Lang::En), f(Lang::Zh)))
    }

    /// A text that stays on one line, such as a date.
    pub fn whole(text: impl std::fmt::Display) -> Text {
        Text::same(format!("{}{text}{}", WHOLE[0], WHOLE[1]))
    }

    /// Sentences one after another, with a space between them in English.
    pub fn sentences(parts: &[Text]) -> Text {
        let join = |lang: Lang| parts.iter().map(|p| p.pick(lang)).collect::<Vec<_>>().join(lang.pick(" ", ""));
        Text::each(join)
    }

    /// As HTML: one text where both wordings agree, else one element per language of which the page shows one.
    pub(super) fn html(&self) -> String {
        if self.0.en == self.0.zh {
            return marked(&self.0.en);
        }
        format!("<span lang=\"en\">{}</span><span lang=\"zh\">{}</span>", marked(&self.0.en), marked(&self.0.zh))
    }

    /// As HTML in one language.
    pub fn html_in(&self, lang: Lang) -> String {
        marked(self.pick(lang))
    }

    /// In one language, without marks: for an attribute or a chart.
    pub fn plain(&self, lang: Lang) -> String {
        self.pick(lang).replace(BOLD, "").replace(WHOLE, "")
    }

    pub(super) fn pick(&self, lang: Lang) -> &str {
        self.0.pick(lang)
    }
}

/// Escaped, with bold type and whole pieces as elements.
fn marked(text: &str) -> String {
    let bold = escape(text).replace(BOLD[0], "<b>").replace(BOLD[1], "</b>");
    bold.replace(WHOLE[0], "<span class=\"whole\">").replace(WHOLE[1], "</span>")
}

impl From<&Bilingual> for Text {
    fn from(text: &Bilingual) -> Text {
        let clean = |t: &str| t.replace(BOLD, "").replace(WHOLE, "");
        Text(Bilingual::new(clean(&text.en), clean(&text.zh)))
    }
}

/// A section with its anchor.
#[derive(Debug)]
pub(super) struct Section {
    pub(super) id: &'static str,
    pub(super) title: Text,
    /// The section in a sentence or two, set larger.
    pub(super) lead: Vec<Text>,
    pub(super) blocks: Vec<Block>,
}

/// A piece of a section.
#[derive(Debug)]
pub(super) enum Block {
    Heading(Text),
    Prose(Text),
    /// Key figures side by side.
    Tiles(Vec<Tile>),
    /// What to do, in order.
    Steps(Vec<(Text, Text)>),
    /// Charts side by side.
    Figures(Vec<Figure>),
    Table(Table),
    /// A remark; the flag makes it a warning.
    Note(bool, Text),
    /// A part that is not there, and why.
    Missing(Text),
    /// A text as it was typed, with its name.
    Verbatim(Text, String),
    /// Words and their meanings.
    Terms(Vec<(Text, Text)>),
}

impl Block {
    /// Why a part has nothing to show.
    pub(super) fn missing(why: &Why) -> Block {
        Block::Missing(match why {
            Why::TooFewCustomers { found, needed } => {
                w::WHY_FEW.with(&[("found", Text::same(found.to_string())), ("needed", Text::same(needed.to_string()))])
            }
            Why::HistoryTooShort { found_days, needed_days } => w::WHY_SHORT.with(&[
                ("found", Text::same(found_days.to_string())),
                ("needed", Text::same(needed_days.to_string())),
            ]),
            Why::SwitchedOff => w::WHY_OFF.text(),
            Why::Because(text) => Text::from(text),
        })
    }
}

/// A key figure.
#[derive(Debug, Clone)]
pub struct Tile {
    /// What it is.
    pub name: Text,
    /// The figure.
    pub value: Text,
    /// What belongs to it.
    pub detail: Text,
}

/// A chart with its words and its table.
#[derive(Debug)]
pub(super) struct Figure {
    pub(super) title: Text,
    /// The picture per language, for half a page or a phone.
    pub(super) picture: Bilingual,
    /// The picture for a full page, where it deserves one.
    pub(super) wide: Option<Bilingual>,
    /// How to read it, in a sentence.
    pub(super) caption: Text,
    /// The same numbers as a table.
    pub(super) table: Option<Table>,
}

impl Figure {
    pub(super) fn new(title: Text, picture: impl Fn(Lang) -> String, caption: Text) -> Figure {
        Figure { title, picture: Text::each(picture).0, wide: None, caption, table: None }
    }

    pub(super) fn table(self, table: Table) -> Figure {
        Figure { table: Some(table), ..self }
    }

    pub(super) fn wide(self, picture: impl Fn(Lang) -> String) -> Figure {
        Figure { wide: Some(Text::each(picture).0), ..self }
    }
}

/// A table. Its first column names the row.
#[derive(Debug, Clone)]
pub struct Table {
    /// Column names, and whether the column holds numbers.
    pub head: Vec<(Text, bool)>,
    /// Rows, in order.
    pub rows: Vec<Row>,
}

/// A row of a table.
#[derive(Debug, Clone)]
pub struct Row {
    /// One per column.
    pub cells: Vec<Text>,
    /// Whether the row stands out.
    pub marked: bool,
}

impl Table {
    /// A table with these columns.
    pub fn new(head: Vec<(Text, bool)>) -> Table {
        Table { head, rows: Vec::new() }
    }

    /// Adds a row.
    ///
    /// # Panics
    /// Where it has not one cell per column.
    pub fn row(&mut self, cells: Vec<Text>) {
        self.marked_row(cells, false);
    }

    /// Adds a row that may stand out.
    ///
    /// # Panics
    /// Where it has not one cell per column.
    pub fn marked_row(&mut self, cells: Vec<Text>, marked: bool) {
        assert_eq!(cells.len(), self.head.len(), "one cell per column");
        self.rows.push(Row { cells, marked });
    }

    /// The class of a column: numbers, prose (which must not be squeezed on a phone) or short words.
    pub fn class(&self, column: &usize) -> &'static str {
        const PROSE_CHARS: usize = 40;
        let is_prose = |r: &Row| r.cells[*column].pick(Lang::En).chars().count() > PROSE_CHARS;
        match self.head[*column].1 {
            true => "n",
            false if self.rows.iter().any(is_prose) => "p",
            false => "",
        }
    }
}

/// A column of words.
pub fn words(name: Text) -> (Text, bool) {
    (name, false)
}

/// A column of numbers.
pub fn numbers(name: Text) -> (Text, bool) {
    (name, true)
}
