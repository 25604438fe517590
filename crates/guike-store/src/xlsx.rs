//! One sheet of an Excel workbook, written while it is sent.
//!
//! The one idea: a workbook is a zip of a few XML parts, and a sheet of texts and numbers needs the plainest of them. They are
//! written in order into a zip that is never gone back in, so that a million rows are neither in memory nor on a disk; a
//! library of everything that workbooks can hold keeps a sheet until it is whole.
//!
//! Texts are cells of text and formatted as such: leading zeros stay, and nothing is a formula, not even after a spreadsheet's
//! user has edited the cell.
//!
//! # Source
//! ECMA-376, part 1: SpreadsheetML (sheet 18.3, styles 18.8, texts 22.9.2.19), part 2: the package.

use std::io::{self, Write};

use zip::result::ZipError;
use zip::write::{SimpleFileOptions, StreamWriter};
use zip::{CompressionMethod, ZipWriter};

use crate::{OutColumn, OutData};

/// Rows of a sheet, the names of the columns among them.
pub(crate) const MOST_ROWS: usize = 1_048_576;
/// Characters of a cell.
const MOST_CHARACTERS: usize = 32_767;
/// Of nine levels the quickest: sheets repeat themselves, and a stronger one saves a few percent more.
const LEVEL: i64 = 1;
/// Widths of columns of text and of numbers, in characters.
const WIDTHS: [u32; 2] = [22, 16];
/// Positions in `cellXfs` of [`STYLES`].
const TEXT: &str = "1";
const HEADING: &str = "2";

const HEAD: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>"#;
const TYPES: &str = r#"<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/><Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/><Override PartName="/xl/worksheets/sheet1.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/><Override PartName="/xl/styles.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.styles+xml"/></Types>"#;
const PACKAGE: &str = r#"<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>"#;
const WORKBOOK: &str = r#"<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="SHEET" sheetId="1" r:id="rId1"/></sheets></workbook>"#;
const PARTS: &str = r#"<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/><Relationship Id="rId2" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/styles" Target="styles.xml"/></Relationships>"#;
/// Number format 49 is text.
const STYLES: &str = r#"<styleSheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><fonts count="2"><font><sz val="11"/><name val="Calibri"/></font><font><b/><sz val="11"/><name val="Calibri"/></font></fonts><fills count="2"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill></fills><borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders><cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs><cellXfs count="3"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/><xf numFmtId="49" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/><xf numFmtId="49" fontId="1" fillId="0" borderId="0" xfId="0" applyNumberFormat="1" applyFont="1"/></cellXfs><cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>"#;
const SHEET: &str = r#"<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetViews><sheetView workbookViewId="0"><pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/></sheetView></sheetViews><sheetFormatPr defaultRowHeight="15"/>"#;

/// A sheet that is being written.
pub(crate) struct Sheet<W: Write> {
    zip: ZipWriter<StreamWriter<W>>,
    /// Rows that were written, the names among them; 0 before the first part, which says what the columns are.
    rows: usize,
    xml: String,
}

impl<W: Write> Sheet<W> {
    /// Begins the workbook; the name has no characters that XML or spreadsheets read as their own.
    pub(crate) fn begin(to: W, name: &str) -> io::Result<Sheet<W>> {
        let mut zip = ZipWriter::new_stream(to);
        let workbook = WORKBOOK.replace("SHEET", name);
        for (path, part) in [
            ("[Content_Types].xml", TYPES),
            ("_rels/.rels", PACKAGE),
            ("xl/workbook.xml", &workbook),
            ("xl/_rels/workbook.xml.rels", PARTS),
            ("xl/styles.xml", STYLES),
        ] {
            zip.start_file(path, options()).map_err(broken)?;
            zip.write_all(HEAD.as_bytes())?;
            zip.write_all(part.as_bytes())?;
        }
        zip.start_file("xl/worksheets/sheet1.xml", options()).map_err(broken)?;
        Ok(Sheet { zip, rows: 0, xml: String::new() })
    }

    /// Adds rows; what the columns are says the first part.
    pub(crate) fn append(&mut self, columns: &[OutColumn<'_>], rows: usize) -> io::Result<()> {
        self.xml.clear();
        if self.rows == 0 {
            self.heading(columns);
        }
        if self.rows + rows > MOST_ROWS {
            return Err(io::Error::other(format!("a sheet has at most {MOST_ROWS} rows")));
        }
        for i in 0..rows {
            self.rows += 1;
            self.xml.push_str(&format!("<row r=\"{}\">", self.rows));
            for (j, column) in columns.iter().enumerate() {
                match column.data {
                    OutData::Text(v) => text(&mut self.xml, place(j, self.rows), TEXT, &v[i])?,
                    OutData::Number(v) if v[i].is_finite() => number(&mut self.xml, place(j, self.rows), v[i]),
                    OutData::Number(_) => {}
                    OutData::Integer(v) => number(&mut self.xml, place(j, self.rows), v[i]),
                }
            }
            self.xml.push_str("</row>");
        }
        self.zip.write_all(self.xml.as_bytes())
    }

    fn heading(&mut self, columns: &[OutColumn<'_>]) {
        self.rows = 1;
        self.xml.push_str(HEAD);
        self.xml.push_str(SHEET);
        self.xml.push_str("<cols>");
        for (j, column) in columns.iter().enumerate() {
            let width = WIDTHS[usize::from(!matches!(column.data, OutData::Text(_)))];
            let at = j + 1;
            self.xml.push_str(&format!("<col min=\"{at}\" max=\"{at}\" width=\"{width}\" customWidth=\"1\"/>"));
        }
        self.xml.push_str("</cols><sheetData><row r=\"1\">");
        for (j, column) in columns.iter().enumerate() {
            text(&mut self.xml, place(j, 1), HEADING, column.name).expect("names of columns are short");
        }
        self.xml.push_str("</row>");
    }

    /// Ends the workbook.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.zip.write_all(b"</sheetData></worksheet>")?;
        self.zip.finish().map(drop).map_err(broken)
    }
}

/// The same time in every file: the same customers are the same bytes.
fn options() -> SimpleFileOptions {
    SimpleFileOptions::default().compression_method(CompressionMethod::Deflated).compression_level(Some(LEVEL))
}

fn broken(e: ZipError) -> io::Error {
    match e {
        ZipError::Io(e) => e,
        e => io::Error::other(e.to_string()),
    }
}

/// `A1`, `B7`, `AA10`.
fn place(column: usize, row: usize) -> String {
    let mut letters = String::new();
    let mut left = column + 1;
    while left > 0 {
        letters.insert(0, char::from(b'A' + ((left - 1) % 26) as u8));
        left = (left - 1) / 26;
    }
    letters + &row.to_string()
}

fn number(xml: &mut String, place: String, value: impl std::fmt::Display) {
    xml.push_str(&format!("<c r=\"{place}\"><v>{value}</v></c>"));
}

fn text(xml: &mut String, place: String, style: &str, value: &str) -> io::Result<()> {
    if value.chars().count() > MOST_CHARACTERS {
        return Err(io::Error::other(format!(
            "a cell of a sheet holds {MOST_CHARACTERS} characters, and a text is longer; save as CSV instead"
        )));
    }
    xml.push_str(&format!("<c r=\"{place}\" s=\"{style}\" t=\"inlineStr\"><is><t xml:space=\"preserve\">"));
    for (at, c) in value.char_indices() {
        match c {
            '&' => xml.push_str("&amp;"),
            '<' => xml.push_str("&lt;"),
            '>' => xml.push_str("&gt;"),
            // what XML has no letter for is written as _x0007_, and what looks so already gets its own first sign written so
            c if is_no_xml(c) => xml.push_str(&format!("_x{:04X}_", u32::from(c))),
            '_' if is_written_sign(&value[at..]) => xml.push_str("_x005F_"),
            c => xml.push(c),
        }
    }
    xml.push_str("</t></is></c>");
    Ok(())
}

fn is_no_xml(c: char) -> bool {
    matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\r' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}')
}

/// Whether a text begins like `_x005F_`.
fn is_written_sign(text: &str) -> bool {
    let b = text.as_bytes();
    b.len() >= 7 && b[1] == b'x' && b[2..6].iter().all(u8::is_ascii_hexdigit) && b[6] == b'_'
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Read};

    use super::*;

    fn sheet(ids: &[String], x: &[f64]) -> String {
        let mut bytes = Vec::new();
        let mut sheet = Sheet::begin(&mut bytes, "customers").expect("begun");
        for (ids, x) in ids.chunks(2).zip(x.chunks(2)) {
            let columns =
                [OutColumn { name: "id", data: OutData::Text(ids) }, OutColumn { name: "x", data: OutData::Number(x) }];
            sheet.append(&columns, ids.len()).expect("written");
        }
        sheet.finish().expect("finished");
        let mut zip = zip::ZipArchive::new(Cursor::new(bytes)).expect("a zip");
        assert_eq!(zip.len(), 6);
        let mut text = String::new();
        zip.by_name("xl/worksheets/sheet1.xml").expect("a sheet").read_to_string(&mut text).expect("text");
        text
    }

    #[test]
    fn ids_stay_texts_and_missing_numbers_stay_empty() {
        let ids = ["007", "=1+1", "a<b & \u{7}", "_x0041_", "_x", "贵"].map(str::to_owned);
        let xml = sheet(&ids, &[1.5, f64::NAN, f64::INFINITY, -2.0, 0.0, 1e21]);
        for cell in [
            r#"<c r="A2" s="1" t="inlineStr"><is><t xml:space="preserve">007</t></is></c><c r="B2"><v>1.5</v></c>"#,
            r#"<row r="3"><c r="A3" s="1" t="inlineStr"><is><t xml:space="preserve">=1+1</t></is></c></row>"#,
            r#"">a&lt;b &amp; _x0007_</t></is></c></row>"#,
            r#"">_x005F_x0041_</t>"#,
            r#"">_x</t></is></c><c r="B6"><v>0</v></c></row>"#,
            r#"">贵</t></is></c><c r="B7"><v>1000000000000000000000</v></c></row></sheetData></worksheet>"#,
        ] {
            assert!(xml.contains(cell), "{cell} is not in {xml}");
        }
        assert!(!xml.contains("<f>"), "no formula");
    }

    #[test]
    fn columns_are_counted_in_letters() {
        for (column, letters) in [(0, "A1"), (25, "Z1"), (26, "AA1"), (701, "ZZ1"), (702, "AAA1")] {
            assert_eq!(place(column, 1), letters);
        }
    }
}
