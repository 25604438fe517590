//! What a page is made of, in one language: words, key figures, charts with their tables.
//!
//! Fields that end in `_html` were escaped where they were made; the template escapes everything else.

use guike::report::Lang;
use guike::report::page::{Table, Text, Tile};
use guike::report::told::Legend;
use serde_json::Value;

/// A piece of a page.
#[derive(Debug)]
pub(super) enum Block {
    /// The page in a sentence or two; the first one larger.
    Lead {
        html: String,
        is_first: bool,
    },
    Heading(String),
    Prose {
        html: String,
    },
    /// Key figures side by side; the flag makes them small.
    Tiles(Vec<Figure>, bool),
    Steps(Vec<(String, String)>),
    /// Charts side by side.
    Charts(Vec<Chart>),
    Grid(Grid),
    /// A part that is not there, and why.
    Missing {
        html: String,
    },
    Warning {
        html: String,
    },
    /// Something with a template of its own.
    Part {
        html: String,
    },
}

/// A key figure.
#[derive(Debug)]
pub(super) struct Figure {
    pub(super) name_html: String,
    pub(super) value_html: String,
    pub(super) detail_html: String,
}

impl Figure {
    pub(super) fn new(name: &str, value: &str, detail: &str) -> Figure {
        Figure { name_html: escaped(name), value_html: escaped(value), detail_html: escaped(detail) }
    }

    pub(super) fn of(tile: &Tile, lang: Lang) -> Figure {
        Figure {
            name_html: tile.name.html_in(lang),
            value_html: tile.value.html_in(lang),
            detail_html: tile.detail.html_in(lang),
        }
    }
}

/// A chart: its words, the numbers to draw, and the same as a table.
#[derive(Debug)]
pub(super) struct Chart {
    pub(super) id: &'static str,
    pub(super) title: String,
    /// The chart in words, for who does not see it.
    pub(super) label: String,
    pub(super) unit: String,
    /// Marks of the chart and what they mean.
    pub(super) keys: Vec<(&'static str, String)>,
    pub(super) caption_html: String,
    pub(super) is_wide: bool,
    /// `h1` (low) to `h6` (high).
    pub(super) height: &'static str,
    /// The numbers, as a JSON text that is safe inside a script element.
    pub(super) json: String,
    pub(super) table: Option<Grid>,
}

impl Chart {
    pub(super) fn new(id: &'static str, title: String, caption: &Text, lang: Lang, data: &Value) -> Chart {
        Chart {
            id,
            label: format!("{title}. {}", caption.plain(lang)),
            title,
            unit: String::new(),
            keys: Vec::new(),
            caption_html: caption.html_in(lang),
            is_wide: false,
            height: "h3",
            json: inside_script(data),
            table: None,
        }
    }

    /// With the report's title, caption and table.
    pub(super) fn told(id: &'static str, legend: &Legend, lang: Lang, data: &Value) -> Chart {
        let mut chart = Chart::new(id, legend.title.plain(lang), &legend.caption, lang, data);
        chart.table = legend.table.as_ref().map(|t| Grid::of(t, lang));
        chart
    }

    pub(super) fn unit(mut self, unit: impl Into<String>) -> Chart {
        self.unit = unit.into();
        self
    }

    pub(super) fn keys(mut self, keys: Vec<(&'static str, String)>) -> Chart {
        self.keys = keys;
        self
    }

    pub(super) fn wide(mut self) -> Chart {
        self.is_wide = true;
        self
    }

    pub(super) fn height(mut self, height: &'static str) -> Chart {
        self.height = height;
        self
    }

    pub(super) fn table(mut self, table: Grid) -> Chart {
        self.table = Some(table);
        self
    }
}

/// A table; its first column names the row.
#[derive(Debug, Default)]
pub(super) struct Grid {
    pub(super) caption: String,
    /// Column names, and whether the column holds numbers.
    pub(super) head: Vec<(String, bool)>,
    pub(super) rows: Vec<GridRow>,
}

#[derive(Debug, Default)]
pub(super) struct GridRow {
    /// HTML and the class of the cell.
    pub(super) cells: Vec<(String, &'static str)>,
    pub(super) is_marked: bool,
}

impl Grid {
    /// Columns by name; those with `true` hold numbers.
    pub(super) fn new(head: Vec<(String, bool)>) -> Grid {
        Grid {
            caption: String::new(),
            head: head.into_iter().map(|(n, is)| (escaped(&n), is)).collect(),
            rows: Vec::new(),
        }
    }

    /// The report's table in one language.
    pub(super) fn of(table: &Table, lang: Lang) -> Grid {
        let rows = table.rows.iter().map(|r| GridRow {
            cells: r.cells.iter().enumerate().map(|(i, c)| (c.html_in(lang), table.class(&i))).collect(),
            is_marked: r.marked,
        });
        Grid {
            caption: String::new(),
            head: table.head.iter().map(|(name, is_number)| (name.html_in(lang), *is_number)).collect(),
            rows: rows.collect(),
        }
    }

    /// Adds a row of plain texts.
    pub(super) fn row(&mut self, cells: Vec<String>) {
        self.row_html(cells.iter().map(|c| escaped(c)).collect());
    }

    /// Adds a row of cells that are HTML.
    pub(super) fn row_html(&mut self, cells: Vec<String>) {
        assert_eq!(cells.len(), self.head.len(), "a cell for every column");
        let class = |i: usize| if self.head[i].1 { "n" } else { "" };
        let cells = cells.into_iter().enumerate().map(|(i, c)| (c, class(i))).collect();
        self.rows.push(GridRow { cells, is_marked: false });
    }
}

/// Text as HTML.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// JSON that cannot end the script element that holds it.
fn inside_script(data: &Value) -> String {
    data.to_string().replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_leaves_the_place_it_was_put_in() {
        let hostile = "</script><script>alert(\"1\")</script>&'";
        let json = inside_script(&serde_json::json!({ "name": hostile }));
        assert!(!json.contains('<') && !json.contains('&'), "{json}");
        let back: Value = serde_json::from_str(&json).expect("JSON");
        assert_eq!(back["name"], hostile);
        let html = escaped(hostile);
        assert!(!html.contains(['<', '"', '\'']), "{html}");
    }
}
