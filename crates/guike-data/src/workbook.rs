//! Workbooks (xlsx, xlsb, xls, ods): every sheet that shares the first one's header, as one table of text cells.
//!
//! Cells with a date format become ISO text, so that dates need no guessing; a sheet holds at most 1,048,576 rows, so the
//! text of a workbook is kept in memory. Xlsx sheets are streamed cell by cell, without calamine's grid of the whole sheet.

use std::fs::File;
use std::io::{BufReader, Write};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::mpsc::sync_channel;

use arrow_buffer::Buffer;
use calamine::{DataType, Ods, Reader, Sheets, Xls, Xlsb, Xlsx, open_workbook};

use crate::block::{Block, Column, Span};
use crate::error::DataError;
use crate::input::Input;
use crate::options::ReadOptions;
use crate::quality::SourceInfo;
use crate::source::{Piece, Shape, Stream};

/// Rows per block.
const BLOCK_ROWS: usize = 16_384;

/// A workbook's rows.
#[derive(Debug)]
pub(crate) struct Workbook {
    input: Input,
    pub(crate) columns: Vec<String>,
    pub(crate) header: bool,
    sheets: Vec<String>,
    format: &'static str,
    /// All columns.
    blocks: Vec<Block>,
}

fn damaged(input: &Input, error: impl std::fmt::Display) -> DataError {
    DataError::Damaged { path: input.path.clone(), detail: format!("it is not a workbook that can be read ({error})") }
}

impl Workbook {
    pub(crate) fn open(input: Input, options: &ReadOptions) -> Result<Workbook, DataError> {
        let (mut book, format) = open_any(&input)?;
        let mut names = book.sheet_names();
        if let Some(wanted) = &options.sheet {
            if !names.contains(wanted) {
                return Err(DataError::Option {
                    option: "sheet",
                    value: wanted.clone(),
                    rule: format!("the sheets are {}", names.join(", ")),
                });
            }
            names.retain(|n| n == wanted);
        }
        let mut rows = Rows { header: options.header, ..Rows::default() };
        let mut sheets = Vec::new();
        for name in names {
            rows.begin_sheet();
            read_sheet(&mut book, &name, &mut rows).map_err(|e| damaged(&input, e))?;
            if rows.end_sheet() {
                sheets.push(name);
            }
        }
        if rows.columns.is_empty() {
            return Err(DataError::Empty { path: input.path });
        }
        let Rows { columns, has_names, blocks, .. } = rows;
        Ok(Workbook { input, columns, header: has_names, sheets, format, blocks })
    }

    pub(crate) fn n_rows(&self) -> usize {
        self.blocks.iter().map(|b| b.n_rows).sum()
    }

    pub(crate) fn sample(&self) -> Block {
        self.blocks.first().cloned().unwrap_or_else(|| Rows::empty_block(self.columns.len()))
    }

    pub(crate) fn stream(&self, wanted: &[usize], hash: bool) -> Stream {
        let (sender, receiver) = sync_channel(self.blocks.len() + 1);
        for whole in &self.blocks {
            let mut block = Block { n_rows: whole.n_rows, n_source_rows: whole.n_rows, ..Block::default() };
            if hash {
                block.hash = vec![0; whole.n_rows];
                whole.columns.iter().for_each(|c| c.hash_into(&mut block.hash));
            }
            block.columns = wanted.iter().map(|&c| whole.columns[c].clone()).collect();
            sender.send(Ok(Some(Piece::Ready(block)))).expect("the channel holds every block");
        }
        sender.send(Ok(None)).expect("the channel holds the end as well");
        Stream::new(Shape::Ready, vec![receiver], 1, Arc::new(AtomicU64::new(self.input.bytes)))
    }

    pub(crate) fn info(&self) -> SourceInfo {
        SourceInfo {
            format: self.format.into(),
            header: self.header,
            sheets: self.sheets.clone(),
            columns: self.columns.clone(),
            bytes: self.input.bytes,
            ..SourceInfo::default()
        }
    }
}

type Book = Sheets<BufReader<File>>;

/// Opens by content: the extension may be anything.
fn open_any(input: &Input) -> Result<(Book, &'static str), DataError> {
    let path = &input.path;
    let first = match open_workbook::<Xlsx<_>, _>(path) {
        Ok(book) => return Ok((Sheets::Xlsx(book), "xlsx")),
        Err(e) => e,
    };
    if let Ok(book) = open_workbook::<Xlsb<_>, _>(path) {
        return Ok((Sheets::Xlsb(book), "xlsb"));
    }
    if let Ok(book) = open_workbook::<Ods<_>, _>(path) {
        return Ok((Sheets::Ods(book), "ods"));
    }
    match open_workbook::<Xls<_>, _>(path) {
        Ok(book) => Ok((Sheets::Xls(book), "xls")),
        Err(_) => Err(damaged(input, first)),
    }
}

fn read_sheet(book: &mut Book, name: &str, rows: &mut Rows) -> Result<(), calamine::Error> {
    if let Sheets::Xlsx(book) = book {
        let mut cells = match book.worksheet_cells_reader(name) {
            Ok(cells) => cells,
            // charts are sheets without cells
            Err(calamine::XlsxError::NotAWorksheet(_)) => return Ok(()),
            Err(e) => return Err(e.into()),
        };
        while let Some(cell) = cells.next_cell()? {
            let (row, column) = cell.get_position();
            rows.cell(row, column as usize, cell.get_value());
        }
        return Ok(());
    }
    let range = book.worksheet_range(name)?;
    for (r, row) in range.rows().enumerate() {
        for (c, cell) in row.iter().enumerate() {
            rows.cell(r as u32, c, cell);
        }
    }
    Ok(())
}

/// The text of a cell, appended.
fn write_cell(cell: &impl DataType, out: &mut Vec<u8>) {
    let done = if let Some(moment) = cell.get_datetime().filter(|m| m.is_datetime()) {
        let (y, m, d, h, min, s, _) = moment.to_ymd_hms_milli();
        write!(out, "{y:04}-{m:02}-{d:02} {h:02}:{min:02}:{s:02}")
    } else if let Some(moment) = cell.get_datetime() {
        write!(out, "{}", moment.as_f64())
    } else if let Some(text) = cell.get_string().or_else(|| cell.get_datetime_iso()) {
        out.write_all(text.trim().as_bytes())
    } else if let Some(number) = cell.get_float() {
        write!(out, "{number}")
    } else if let Some(number) = cell.get_int() {
        write!(out, "{number}")
    } else if let Some(truth) = cell.get_bool() {
        write!(out, "{truth}")
    } else {
        Ok(())
    };
    done.expect("writing to memory");
}

/// Collects cells into rows and rows into blocks.
#[derive(Debug, Default)]
struct Rows {
    header: Option<bool>,
    has_names: bool,
    columns: Vec<String>,
    blocks: Vec<Block>,
    /// Cells of the row under way, by column.
    row: Vec<(usize, Span)>,
    row_number: Option<u32>,
    /// Whether this sheet's header was seen, and whether the sheet is to be read.
    started: bool,
    accepted: bool,
    text: Vec<u8>,
    spans: Vec<Vec<Span>>,
    n: usize,
}

impl Rows {
    fn empty_block(n_columns: usize) -> Block {
        let nothing = Column::Text { bytes: Buffer::from_vec(Vec::<u8>::new()), spans: Vec::new() };
        Block { columns: vec![nothing; n_columns], ..Block::default() }
    }

    fn begin_sheet(&mut self) {
        (self.started, self.accepted, self.row_number) = (false, false, None);
    }

    fn end_sheet(&mut self) -> bool {
        self.end_row();
        self.flush();
        self.accepted
    }

    fn cell(&mut self, row: u32, column: usize, cell: &impl DataType) {
        if self.row_number != Some(row) {
            self.end_row();
            self.row_number = Some(row);
        }
        let from = self.text.len() as u32;
        write_cell(cell, &mut self.text);
        let to = self.text.len() as u32;
        if to > from {
            self.row.push((column, (from, to)));
        }
    }

    fn end_row(&mut self) {
        let row = std::mem::take(&mut self.row);
        if row.is_empty() {
            return;
        }
        if !self.started {
            self.started = true;
            if self.take_header(&row) {
                self.row = row;
                self.row.clear();
                return;
            }
        }
        if self.accepted {
            for (c, spans) in self.spans.iter_mut().enumerate() {
                spans.push(row.iter().find(|(column, _)| *column == c).map_or((0, 0), |&(_, span)| span));
            }
            self.n += 1;
            if self.n == BLOCK_ROWS {
                self.flush();
            }
        }
        self.row = row;
        self.row.clear();
    }

    /// Looks at a sheet's first row; whether it is a header line rather than data.
    fn take_header(&mut self, row: &[(usize, Span)]) -> bool {
        let width = row.iter().map(|(c, _)| c + 1).max().unwrap_or(0);
        let mut names = vec![String::new(); width];
        for &(c, (a, z)) in row {
            names[c] = String::from_utf8_lossy(&self.text[a as usize..z as usize]).into_owned();
        }
        let names_here = self.header.unwrap_or_else(|| !crate::source::looks_like_data(&names));
        if self.columns.is_empty() {
            self.has_names = names_here;
            self.columns = if names_here { names } else { (1..=width).map(|i| format!("column_{i}")).collect() };
            self.spans = vec![Vec::new(); self.columns.len()];
            self.accepted = true;
        } else {
            self.accepted = names_here == self.has_names
                && if names_here { names == self.columns } else { width == self.columns.len() };
        }
        names_here
    }

    fn flush(&mut self) {
        if self.n > 0 {
            let bytes = Buffer::from_vec(std::mem::take(&mut self.text));
            let spans = self.spans.iter_mut().map(std::mem::take);
            let columns = spans.map(|spans| Column::Text { bytes: bytes.clone(), spans }).collect();
            self.blocks.push(Block { columns, n_rows: self.n, n_source_rows: self.n, ..Block::default() });
            self.n = 0;
        }
        self.text.clear();
    }
}
