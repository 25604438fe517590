//! Workbooks (xlsx, xlsb, xls, ods): the first sheet that holds what is wanted and every one that shares its header, as one
//! table of text cells.
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
use crate::head::{self, LOOK_AT};
use crate::input::Input;
use crate::mapping::list;
use crate::options::ReadOptions;
use crate::quality::SourceInfo;
use crate::source::{Piece, Shape, Stream};

/// Rows per block.
const BLOCK_ROWS: usize = 16_384;

/// One worksheet.
#[derive(Debug)]
struct Sheet {
    name: String,
    columns: Vec<String>,
    header: bool,
    title_lines: u32,
    /// All columns.
    blocks: Vec<Block>,
}

impl Sheet {
    /// The first rows.
    fn sample(&self) -> Block {
        self.blocks.first().cloned().unwrap_or_else(|| empty_block(self.columns.len()))
    }

    /// Whether the rows of both are of one table.
    fn is_like(&self, other: &Sheet) -> bool {
        self.header == other.header
            && if self.header { self.columns == other.columns } else { self.columns.len() == other.columns.len() }
    }
}

fn empty_block(n_columns: usize) -> Block {
    let nothing = Column::Text { bytes: Buffer::from_vec(Vec::<u8>::new()), spans: Vec::new() };
    Block { columns: vec![nothing; n_columns], ..Block::default() }
}

/// A workbook's rows.
#[derive(Debug)]
pub(crate) struct Workbook {
    pub(crate) input: Input,
    pub(crate) columns: Vec<String>,
    pub(crate) header: bool,
    title_lines: u32,
    /// Names of the sheets that are read.
    pub(crate) sheets: Vec<String>,
    /// Names of those with cells that are not.
    pub(crate) left_out: Vec<String>,
    format: &'static str,
    blocks: Vec<Block>,
}

fn damaged(input: &Input, error: impl std::fmt::Display) -> DataError {
    DataError::Damaged { path: input.path.clone(), detail: format!("it is not a workbook that can be read ({error})") }
}

impl Workbook {
    /// Reads the first sheet that `fits` (or, where none does, the first with rows) and all that are like it.
    pub(crate) fn open(
        input: Input,
        options: &ReadOptions,
        fits: &dyn Fn(&[String], bool, &Block) -> bool,
    ) -> Result<Workbook, DataError> {
        let (mut book, format) = open_any(&input)?;
        let mut names = book.sheet_names();
        if let Some(wanted) = &options.sheet {
            if !names.contains(wanted) {
                return Err(DataError::Option {
                    option: "--sheet",
                    value: wanted.clone(),
                    rule: format!("the sheets are {}", list(&names)),
                });
            }
            names.retain(|n| n == wanted);
        }
        let mut sheets = Vec::new();
        for name in names {
            let mut rows = Rows::new(options);
            read_sheet(&mut book, &name, &mut rows).map_err(|e| damaged(&input, e))?;
            sheets.extend(rows.finish(name));
        }
        let has_rows = |s: &Sheet| !s.blocks.is_empty();
        let chosen = sheets
            .iter()
            .position(|s| has_rows(s) && fits(&s.columns, s.header, &s.sample()))
            .or_else(|| sheets.iter().position(has_rows));
        if sheets.is_empty() {
            return Err(DataError::Empty { path: input.path });
        }
        let chosen = sheets.remove(chosen.unwrap_or(0));
        let (alike, others): (Vec<Sheet>, Vec<Sheet>) = sheets.into_iter().partition(|s| s.is_like(&chosen));
        let Sheet { name, columns, header, title_lines, blocks } = chosen;
        let mut read = Workbook {
            input,
            columns,
            header,
            title_lines,
            sheets: vec![name],
            left_out: others.into_iter().map(|s| s.name).collect(),
            format,
            blocks,
        };
        for sheet in alike {
            read.sheets.push(sheet.name);
            read.blocks.extend(sheet.blocks);
        }
        Ok(read)
    }

    pub(crate) fn n_rows(&self) -> usize {
        self.blocks.iter().map(|b| b.n_rows).sum()
    }

    pub(crate) fn sample(&self) -> Block {
        self.blocks.first().cloned().unwrap_or_else(|| empty_block(self.columns.len()))
    }

    pub(crate) fn notes(&self) -> Vec<String> {
        if self.left_out.is_empty() {
            return Vec::new();
        }
        vec![format!("sheets not read: {}; --sheet names another than {}", list(&self.left_out), list(&self.sheets))]
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
            file: self.input.short_name(),
            format: self.format.into(),
            header: self.header,
            title_lines: self.title_lines,
            sheets: self.sheets.clone(),
            sheets_left_out: self.left_out.clone(),
            columns: self.columns.clone(),
            bytes: self.input.bytes,
            ..SourceInfo::default()
        }
    }
}

type Book = Sheets<BufReader<File>>;

/// Opens by content: the extension may be anything.
fn open_any(input: &Input) -> Result<(Book, &'static str), DataError> {
    let path = input.at();
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

fn read_sheet(book: &mut Book, name: &str, rows: &mut Rows<'_>) -> Result<(), calamine::Error> {
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
    let done = if let Some(moment) = cell.get_datetime().filter(|m| m.is_datetime() && (0.0..1.0).contains(&m.as_f64()))
    {
        // a time of day without a day
        let s = ((moment.as_f64() * 86_400.0).round() as u32).min(86_399);
        write!(out, "{:02}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
    } else if let Some(moment) = cell.get_datetime().filter(|m| m.is_datetime()) {
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

/// Cells of one row, by column.
type Cells = Vec<(usize, Span)>;

/// Collects the cells of a sheet into rows and rows into blocks.
#[derive(Debug)]
struct Rows<'a> {
    options: &'a ReadOptions,
    /// The row under way.
    row: Cells,
    row_number: Option<u32>,
    /// The first rows and their numbers, until the header is found among them.
    waiting: Vec<(u32, Cells)>,
    head: Option<Head>,
    text: Vec<u8>,
    spans: Vec<Vec<Span>>,
    n: usize,
    blocks: Vec<Block>,
}

#[derive(Debug)]
struct Head {
    columns: Vec<String>,
    header: bool,
    title_lines: u32,
}

impl<'a> Rows<'a> {
    fn new(options: &'a ReadOptions) -> Rows<'a> {
        Rows {
            options,
            row: Vec::new(),
            row_number: None,
            waiting: Vec::new(),
            head: None,
            text: Vec::new(),
            spans: Vec::new(),
            n: 0,
            blocks: Vec::new(),
        }
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
        let (row, Some(number)) = (std::mem::take(&mut self.row), self.row_number) else { return };
        if row.is_empty() || self.options.title_lines.is_some_and(|n| number < n) {
            return;
        }
        if self.head.is_none() {
            self.waiting.push((number, row));
            if self.waiting.len() == LOOK_AT {
                self.find_head();
            }
            return;
        }
        self.push(&row);
    }

    fn texts(&self, row: &Cells) -> Vec<String> {
        let width = row.iter().map(|(c, _)| c + 1).max().unwrap_or(0);
        let mut texts = vec![String::new(); width];
        for &(c, (a, z)) in row {
            texts[c] = String::from_utf8_lossy(&self.text[a as usize..z as usize]).into_owned();
        }
        texts
    }

    /// Finds the header among the rows that wait, and lets the rows below it through.
    fn find_head(&mut self) {
        let waiting = std::mem::take(&mut self.waiting);
        let texts: Vec<Vec<String>> = waiting.iter().map(|(_, row)| self.texts(row)).collect();
        let at = match self.options.title_lines {
            Some(_) => 0,
            None => head::titles(texts.iter().map(Vec::as_slice)),
        };
        let (Some(first), Some(&(title_lines, _))) = (texts.get(at), waiting.get(at)) else { return };
        let header = self.options.header.unwrap_or_else(|| !head::looks_like_data(first));
        let columns = if header { first.clone() } else { (1..=first.len()).map(|i| format!("column_{i}")).collect() };
        self.spans = vec![Vec::new(); columns.len()];
        self.head = Some(Head { columns, header, title_lines });
        waiting.iter().skip(at + usize::from(header)).for_each(|(_, row)| self.push(row));
    }

    fn push(&mut self, row: &Cells) {
        for (c, spans) in self.spans.iter_mut().enumerate() {
            spans.push(row.iter().find(|(column, _)| *column == c).map_or((0, 0), |&(_, span)| span));
        }
        self.n += 1;
        if self.n == BLOCK_ROWS {
            self.flush();
        }
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

    /// The sheet, unless it has no cell.
    fn finish(mut self, name: String) -> Option<Sheet> {
        self.end_row();
        if self.head.is_none() {
            self.find_head();
        }
        self.flush();
        let Head { columns, header, title_lines } = self.head?;
        Some(Sheet { name, columns, header, title_lines, blocks: self.blocks })
    }
}
