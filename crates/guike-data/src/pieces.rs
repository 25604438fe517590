//! Rows of a stream as they come: text in pieces of any size, whole rows out, and never more than a row in between.
//!
//! The one idea: what [`crate::read_table`] decides from a file's beginning, a stream says of itself: its format, UTF-8,
//! commas, decimal points. So nothing has to wait, and cells are the same as in a file. And a row that is broken is not left
//! out: it ends the reading, after the rows before it.

use std::io::Read;

use arrow_buffer::Buffer;
use memchr::memrchr;
use serde_json::{Map, Value};

use crate::block::{Column, Span};
use crate::delimited::{Delimiter, Layout, first_record, records_end, tokenize};
use crate::error::DataError;
use crate::files::LogFile;
use crate::input::{Format, Input};
use crate::json::flatten;

/// What a stream of rows is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowFormat {
    /// RFC 4180 with a header: UTF-8, commas, quotes where they are needed.
    Csv,
    /// A JSON object a line.
    JsonLines,
}

/// What ended the reading; the row counts from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowTrouble {
    /// There is no row.
    NoRow,
    /// Two columns of the header have one name; their numbers, from 1, because what stands there may be no header.
    Twice(usize, usize),
    /// It is no UTF-8.
    NotText,
    /// The row has another number of cells than the header.
    Misshapen,
    /// The line is no JSON object.
    NotAnObject,
    /// The object lacks the wanted column at this position.
    Lacks(usize),
    /// The row is longer than [`LONGEST_ROW`].
    TooLong,
}

/// Bytes of a row, or of the header.
pub const LONGEST_ROW: usize = 1 << 20;

/// Rows that came together.
#[derive(Debug, Default)]
pub struct RowPiece {
    /// How many.
    pub n_rows: usize,
    columns: Vec<Column>,
    text: Vec<u8>,
    /// Where each object stands in the text.
    objects: Vec<Span>,
    /// What ended the reading, after these rows.
    pub trouble: Option<RowTrouble>,
}

impl RowPiece {
    /// A cell, without the spaces around it; empty where there is none. Columns are those of [`RowReader::names`].
    pub fn cell(&self, row: usize, column: usize) -> &[u8] {
        match &self.columns[column] {
            Column::Text { bytes, spans } => &bytes[spans[row].0 as usize..spans[row].1 as usize],
            _ => unreachable!("streams of rows are text"),
        }
    }

    /// The object of a row as it came, from brace to brace; for JSON only.
    pub fn object(&self, row: usize) -> &[u8] {
        &self.text[self.objects[row].0 as usize..self.objects[row].1 as usize]
    }
}

/// Makes rows of pieces of text.
#[derive(Debug)]
pub struct RowReader {
    format: RowFormat,
    names: Vec<String>,
    waiting: Vec<u8>,
    has_header: bool,
    is_at_start: bool,
    any_row: bool,
}

impl RowReader {
    /// `wanted` are the columns that every JSON object must have; of CSV, the header says the columns.
    pub fn new(format: RowFormat, wanted: Vec<String>) -> RowReader {
        let (names, has_header) = match format {
            RowFormat::Csv => (Vec::new(), false),
            RowFormat::JsonLines => (wanted, true),
        };
        RowReader { format, names, waiting: Vec::new(), has_header, is_at_start: true, any_row: false }
    }

    /// The columns of the header, once it is there; of JSON those that are wanted.
    pub fn names(&self) -> Option<&[String]> {
        self.has_header.then_some(&self.names)
    }

    /// The rows that are complete with these bytes.
    pub fn push(&mut self, bytes: &[u8]) -> RowPiece {
        self.waiting.extend_from_slice(bytes);
        if self.is_at_start && self.waiting.len() < BOM.len() && BOM.starts_with(&self.waiting) {
            return RowPiece::default();
        }
        let end = match self.format {
            RowFormat::Csv => records_end(&self.waiting, COMMA),
            RowFormat::JsonLines => memrchr(b'\n', &self.waiting).map_or(0, |at| at + 1),
        };
        let rest = self.waiting.split_off(end);
        let whole = std::mem::replace(&mut self.waiting, rest);
        let mut piece = self.rows(whole);
        if piece.trouble.is_none() && self.waiting.len() > LONGEST_ROW {
            piece.trouble = Some(RowTrouble::TooLong);
        }
        piece
    }

    /// The last row, where it has no end of line.
    pub fn finish(&mut self) -> RowPiece {
        let whole = std::mem::take(&mut self.waiting);
        let mut piece = self.rows(whole);
        if piece.trouble.is_none() && !self.any_row {
            piece.trouble = Some(RowTrouble::NoRow);
        }
        piece
    }

    fn rows(&mut self, mut whole: Vec<u8>) -> RowPiece {
        if whole.is_empty() {
            return RowPiece::default();
        }
        if std::mem::take(&mut self.is_at_start) && whole.starts_with(BOM) {
            whole.drain(..BOM.len());
        }
        let mut trouble = None;
        if let Err(e) = std::str::from_utf8(&whole) {
            // rows before the bytes that are no text are rows all the same
            let before = &whole[..e.valid_up_to()];
            whole.truncate(match self.format {
                RowFormat::Csv => records_end(before, COMMA),
                RowFormat::JsonLines => memrchr(b'\n', before).map_or(0, |at| at + 1),
            });
            trouble = Some(RowTrouble::NotText);
        }
        if !self.has_header {
            let blank = whole.iter().take_while(|b| matches!(b, b'\n' | b'\r')).count();
            whole.drain(..blank);
            if whole.is_empty() {
                return RowPiece { trouble, ..RowPiece::default() };
            }
            let (names, end) = first_record(&whole, COMMA);
            whole.drain(..end);
            for (second, name) in names.iter().enumerate() {
                if let Some(first) = names[..second].iter().position(|n| n == name) {
                    return RowPiece { trouble: Some(RowTrouble::Twice(first + 1, second + 1)), ..RowPiece::default() };
                }
            }
            (self.names, self.has_header) = (names, true);
        }
        let mut piece = match self.format {
            RowFormat::Csv => self.cells(whole),
            RowFormat::JsonLines => self.objects(whole),
        };
        piece.trouble = piece.trouble.or(trouble);
        self.any_row |= piece.n_rows > 0 || piece.trouble.is_some();
        piece
    }

    fn cells(&self, whole: Vec<u8>) -> RowPiece {
        let n_cells = self.names.len();
        let layout = Layout { delimiter: COMMA, n_cells, wanted: (0..n_cells).collect(), hash: false };
        let block = tokenize(whole, &layout);
        let (n_rows, trouble) = match block.misshapen.first() {
            None => (block.n_rows, None),
            Some(&first) => (first as usize, Some(RowTrouble::Misshapen)),
        };
        RowPiece { n_rows, columns: block.columns, trouble, ..RowPiece::default() }
    }

    fn objects(&self, whole: Vec<u8>) -> RowPiece {
        let mut piece = RowPiece::default();
        let mut spans: Vec<Vec<Span>> = vec![Vec::new(); self.names.len()];
        let mut text: Vec<u8> = Vec::with_capacity(whole.len() / 2);
        let mut found: Vec<Option<Span>> = Vec::new();
        let mut at = 0;
        for line in whole.split(|&b| b == b'\n') {
            let from = at + line.len() - line.trim_ascii_start().len();
            at += line.len() + 1;
            let line = line.trim_ascii();
            if line.is_empty() {
                continue;
            }
            let Ok(map) = serde_json::from_slice::<Map<String, Value>>(line) else {
                piece.trouble = Some(RowTrouble::NotAnObject);
                break;
            };
            found.clear();
            found.resize(self.names.len(), None);
            flatten("", map, &mut |name, value| {
                let Some(column) = self.names.iter().position(|n| n == name) else { return };
                let begin = text.len() as u32;
                match value {
                    Value::Null => {}
                    Value::String(s) => text.extend_from_slice(s.trim().as_bytes()),
                    other => text.extend_from_slice(other.to_string().as_bytes()),
                }
                found[column] = Some((begin, text.len() as u32));
            });
            if let Some(lacks) = found.iter().position(Option::is_none) {
                piece.trouble = Some(RowTrouble::Lacks(lacks));
                break;
            }
            spans.iter_mut().zip(&found).for_each(|(s, f)| s.extend(*f));
            piece.objects.push((from as u32, (from + line.len()) as u32));
            piece.n_rows += 1;
        }
        let bytes = Buffer::from_vec(text);
        piece.columns = spans.into_iter().map(|spans| Column::Text { bytes: bytes.clone(), spans }).collect();
        piece.text = whole;
        piece
    }
}

/// A file that is read in pieces; what packs it is looked through.
pub struct PieceFile {
    input: Input,
    stream: Box<dyn Read + Send>,
}

impl std::fmt::Debug for PieceFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PieceFile").field("input", &self.input).finish_non_exhaustive()
    }
}

impl PieceFile {
    /// Reads the next bytes, and says how many; 0 at the end.
    ///
    /// # Errors
    /// [`DataError::Io`].
    pub fn next(&mut self, bytes: &mut [u8]) -> Result<usize, DataError> {
        loop {
            match self.stream.read(bytes) {
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                read => return read.map_err(|e| self.input.stream_error(e)),
            }
        }
    }
}

/// Opens a file of rows, and tells what they are; `None` for a file that is neither delimited text nor JSON.
///
/// # Errors
/// [`DataError`] when it cannot be read.
pub fn open(file: &LogFile) -> Result<Option<(RowFormat, PieceFile)>, DataError> {
    let input = Input::open(file)?;
    let format = match input.format {
        Format::Delimited => RowFormat::Csv,
        Format::Json => RowFormat::JsonLines,
        _ => return Ok(None),
    };
    let (stream, _) = input.stream()?;
    Ok(Some((format, PieceFile { input, stream })))
}

const COMMA: Delimiter = Delimiter::Byte(b',');
/// The mark with which spreadsheets begin UTF-8.
const BOM: &[u8] = b"\xef\xbb\xbf";

#[cfg(test)]
mod tests {
    use super::*;

    /// All cells, and what ended the reading after how many rows, from pieces of `size` bytes.
    fn read(format: RowFormat, text: &[u8], size: usize) -> (Vec<Vec<String>>, Option<RowTrouble>) {
        let wanted = ["a", "b"].map(str::to_owned).to_vec();
        let mut reader = RowReader::new(format, wanted);
        let (mut rows, mut trouble) = (Vec::new(), None);
        let mut take = |piece: RowPiece| {
            for row in 0..piece.n_rows {
                let cell = |c| String::from_utf8_lossy(piece.cell(row, c)).into_owned();
                rows.push((0..piece.columns.len()).map(cell).collect());
            }
            trouble = piece.trouble;
            trouble.is_none()
        };
        if text.chunks(size).all(|bytes| take(reader.push(bytes))) {
            take(reader.finish());
        }
        (rows, trouble)
    }

    #[test]
    fn rows_are_the_same_however_the_text_is_cut() {
        for (format, text) in [
            (RowFormat::Csv, "\u{feff}a,b\r\n1, x \r\n\r\n\"2\n3\",\"q\"\"r\"\r\n贵,\n5,z"),
            (
                RowFormat::JsonLines,
                "{\"b\":\"x\",\"a\":1.50}\n\n {\"a\":null,\"b\":\"}\\n\",\"c\":[1]} \r\n{\"a\":0,\"b\":2}",
            ),
        ] {
            let whole = read(format, text.as_bytes(), text.len());
            assert_eq!((whole.0.len(), &whole.1), (if format == RowFormat::Csv { 4 } else { 3 }, &None));
            for size in 1..20 {
                assert_eq!(read(format, text.as_bytes(), size), whole, "{size}");
            }
        }
    }

    #[test]
    fn what_is_broken_ends_the_reading_after_the_rows_before_it() {
        for (format, text, n, trouble) in [
            (RowFormat::Csv, &b"a,b\n1,2\n3\n4,5\n"[..], 1, RowTrouble::Misshapen),
            (RowFormat::Csv, b"a,b\n1,2\n3,4,5\n", 1, RowTrouble::Misshapen),
            (RowFormat::Csv, b"a,b\n1,2\n3,\xff\n4,5\n", 1, RowTrouble::NotText),
            (RowFormat::Csv, b"a,a\n1,2\n", 0, RowTrouble::Twice(1, 2)),
            (RowFormat::Csv, b"a,b\n", 0, RowTrouble::NoRow),
            (RowFormat::Csv, b"", 0, RowTrouble::NoRow),
            (RowFormat::JsonLines, b"{\"a\":1,\"b\":2}\n[1]\n", 1, RowTrouble::NotAnObject),
            (RowFormat::JsonLines, b"{\"a\":1,\"b\":2}\n{\"a\":1}\n", 1, RowTrouble::Lacks(1)),
            (RowFormat::JsonLines, b"\n\n", 0, RowTrouble::NoRow),
        ] {
            for size in [3, text.len().max(1)] {
                let (rows, found) = read(format, text, size);
                assert_eq!((rows.len(), found.as_ref()), (n, Some(&trouble)), "{}", String::from_utf8_lossy(text));
            }
        }
    }

    #[test]
    fn a_row_without_an_end_does_not_fill_the_memory() {
        let mut reader = RowReader::new(RowFormat::Csv, Vec::new());
        reader.push(b"a\n\"");
        let trouble = (0..100).find_map(|_| reader.push(&[b'x'; 16_384]).trouble);
        assert_eq!(trouble, Some(RowTrouble::TooLong));
        assert!(reader.waiting.len() < LONGEST_ROW + 32_768);
    }
}
