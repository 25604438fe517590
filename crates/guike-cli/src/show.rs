//! What a person reads: errors, summaries and tables.

use std::io::Write;

use comfy_table::presets::UTF8_BORDERS_ONLY;
use comfy_table::{CellAlignment, ContentArrangement, Table};
use serde_json::Value;

use crate::args::Format;

/// Prints an error with everything that caused it.
pub(crate) fn error(error: &guike::Error) {
    message(&format!("error: {error}"));
}

/// A line on standard error. A closed terminal is no reason to fail.
pub(crate) fn message(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Text on standard output. A reader that went away (`| head`) is no reason to fail.
pub(crate) fn data(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Rows with named columns, in the format asked for.
#[derive(Debug)]
pub(crate) struct Rows {
    pub(crate) columns: Vec<String>,
    pub(crate) rows: Vec<Vec<Value>>,
}

/// Rows that are printed some at a time, and look as those that are printed at once.
#[derive(Debug)]
pub(crate) struct Parts {
    columns: Vec<String>,
    format: Format,
    has_rows: bool,
}

impl Parts {
    /// # Panics
    /// For a table: its columns are as wide as their widest row.
    pub(crate) fn begin(columns: Vec<String>, format: Format) -> Parts {
        assert!(format != Format::Table, "a table is printed at once");
        if format == Format::Csv {
            data(&(columns.join(",") + "\n"));
        }
        Parts { columns, format, has_rows: false }
    }

    pub(crate) fn append(&mut self, rows: Vec<Vec<Value>>) {
        if rows.is_empty() {
            return;
        }
        let part = Rows { columns: self.columns.clone(), rows };
        match self.format {
            Format::Json => {
                // between the brackets of its own, without the line break before the last
                let text = part.json();
                let inner = &text["[".len()..text.len() - "\n]\n".len()];
                data(&format!("{}{inner}", if self.has_rows { "," } else { "[" }));
            }
            Format::Csv | Format::Table => data(&part.csv_lines()),
        }
        self.has_rows = true;
    }

    pub(crate) fn end(self) {
        if self.format == Format::Json {
            data(if self.has_rows { "\n]\n" } else { "[]\n" });
        }
    }
}

impl Rows {
    pub(crate) fn print(&self, format: Format) {
        data(&match format {
            Format::Json => self.json(),
            Format::Csv => self.csv(),
            Format::Table => self.table(),
        });
    }

    fn json(&self) -> String {
        let objects: Vec<Value> = self
            .rows
            .iter()
            .map(|r| Value::Object(self.columns.iter().cloned().zip(r.iter().cloned()).collect()))
            .collect();
        format!("{:#}\n", Value::Array(objects))
    }

    fn csv(&self) -> String {
        self.columns.join(",") + "\n" + &self.csv_lines()
    }

    fn csv_lines(&self) -> String {
        let cell = |v: &Value| {
            let text = plain(v);
            if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
        };
        let mut out = String::new();
        for r in &self.rows {
            out += &(r.iter().map(cell).collect::<Vec<_>>().join(",") + "\n");
        }
        out
    }

    fn table(&self) -> String {
        let mut table = Table::new();
        table.load_style(UTF8_BORDERS_ONLY).set_content_arrangement(ContentArrangement::Dynamic);
        table.set_header(&self.columns);
        for r in &self.rows {
            table.add_row(r.iter().map(rounded));
        }
        for (i, column) in table.column_iter_mut().enumerate() {
            if self.rows.iter().any(|r| r[i].is_number()) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        format!("{table}\n")
    }
}

fn plain(v: &Value) -> String {
    match v {
        Value::Null => String::new(),
        Value::String(s) => s.clone(),
        // as files write numbers: 1 and not 1.0
        Value::Number(n) if n.is_f64() => n.as_f64().map_or_else(String::new, |x| x.to_string()),
        other => other.to_string(),
    }
}

/// Four decimals are enough for eyes.
pub(crate) fn rounded(v: &Value) -> String {
    match v.as_f64() {
        Some(x) if v.is_f64() => format!("{x:.4}"),
        _ => plain(v),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_part_of_the_rows_looks_as_it_does_among_all() {
        let rows = Rows { columns: vec!["id".into(), "x".into()], rows: vec![vec![json!("a"), json!(1.5)]] };
        let text = rows.json();
        assert!(text.starts_with("[\n  {") && text.ends_with("}\n]\n"), "{text}");
        assert_eq!(rows.csv(), "id,x\na,1.5\n");
    }
}
