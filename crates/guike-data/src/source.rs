//! A source: its columns, a sample of its rows, and its rows as a stream of blocks.
//!
//! Reading is one thread (or one per Parquet row group) that stays a few pieces ahead; pieces become [`Block`]s on the
//! caller's threads. The order of pieces is the order of the file, whatever the number of threads.

use std::io::Read;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};

use encoding_rs::Encoding;
use memchr::{memchr, memchr_iter};

use crate::block::Block;
use crate::delimited::{self, Delimiter, Layout};
use crate::encoding::{self, Utf8Reader};
use crate::error::DataError;
use crate::head;
use crate::input::{Format, Input};
use crate::json;
use crate::mapping;
use crate::options::ReadOptions;
use crate::parquet_source::ParquetSource;
use crate::quality::SourceInfo;
use crate::sqlite::SqliteSource;
use crate::workbook::Workbook;

/// Bytes of text per piece.
const PIECE: usize = 1 << 20;
/// Most bytes of one record.
pub(crate) const RECORD_LIMIT: usize = 1 << 20;
/// Bytes of text from which columns and formats are guessed.
const SAMPLE: usize = 1 << 20;
/// Pieces a reading thread may be ahead.
pub(crate) const AHEAD: usize = 4;

/// A run of the source, not yet or already in columns.
#[derive(Debug)]
pub(crate) enum Piece {
    /// Whole records of text.
    Text(Vec<u8>),
    /// Columns.
    Ready(Block),
}

/// What a reading thread sends.
pub(crate) type Message = Result<Option<Piece>, DataError>;

/// A file whose columns are known.
#[derive(Debug)]
pub(crate) enum Source {
    Text(TextSource),
    Parquet(ParquetSource),
    Workbook(Workbook),
    Sqlite(SqliteSource),
}

/// How pieces become blocks.
#[derive(Debug, Clone)]
pub(crate) enum Shape {
    Delimited(Layout),
    Json { names: Arc<Vec<String>>, wanted: Vec<usize>, hash: bool },
    Ready,
}

impl Shape {
    /// The piece in columns.
    pub(crate) fn block(&self, piece: Piece) -> Block {
        match (piece, self) {
            (Piece::Ready(block), _) => block,
            (Piece::Text(bytes), Shape::Delimited(layout)) => delimited::tokenize(bytes, layout),
            (Piece::Text(bytes), Shape::Json { names, wanted, hash }) => json::tokenize(&bytes, names, wanted, *hash),
            (Piece::Text(_), Shape::Ready) => unreachable!("typed sources send blocks"),
        }
    }
}

/// The rows of a source, in order.
pub(crate) struct Stream {
    pub(crate) shape: Shape,
    parts: Vec<Receiver<Message>>,
    n_parts: usize,
    part: usize,
    taken: Arc<AtomicU64>,
    reported: u64,
}

impl Stream {
    /// A stream whose part `i` of `n_parts` comes through receiver `i mod receivers`; each part ends with `None`.
    pub(crate) fn new(shape: Shape, parts: Vec<Receiver<Message>>, n_parts: usize, taken: Arc<AtomicU64>) -> Stream {
        Stream { shape, parts, n_parts, part: 0, taken, reported: 0 }
    }

    /// The next piece; `None` at the end.
    pub(crate) fn next_piece(&mut self) -> Result<Option<Piece>, DataError> {
        while self.part < self.n_parts {
            let receiver = &self.parts[self.part % self.parts.len()];
            match receiver.recv().expect("a reading thread ends every part")? {
                Some(piece) => return Ok(Some(piece)),
                None => self.part += 1,
            }
        }
        Ok(None)
    }

    /// Bytes taken from disk since the last call.
    pub(crate) fn advance(&mut self) -> u64 {
        let taken = self.taken.load(Ordering::Relaxed);
        let new = taken - self.reported;
        self.reported = taken;
        new
    }
}

impl Source {
    /// Opens `input` and finds its columns; of a workbook or a database the first sheet or table that has rows.
    pub(crate) fn open(input: Input, options: &ReadOptions) -> Result<Source, DataError> {
        Source::open_any(input, options, &|_, _, _| true)
    }

    /// Opens `input` and finds its columns; of a workbook or a database the first sheet or table that holds an order log.
    pub(crate) fn open_log(input: Input, options: &ReadOptions) -> Result<Source, DataError> {
        let is_log =
            |columns: &[String], header: bool, sample: &Block| mapping::find(columns, header, sample, options).is_ok();
        Source::open_any(input, options, &is_log)
    }

    fn open_any(
        input: Input,
        options: &ReadOptions,
        fits: &dyn Fn(&[String], bool, &Block) -> bool,
    ) -> Result<Source, DataError> {
        Ok(match input.format {
            Format::Delimited | Format::Json => Source::Text(TextSource::open(input, options)?),
            Format::Parquet => Source::Parquet(ParquetSource::open(input)?),
            Format::Workbook => Source::Workbook(Workbook::open(input, options, fits)?),
            Format::Sqlite => Source::Sqlite(SqliteSource::open(input, options, fits)?),
        })
    }

    /// Size on disk.
    pub(crate) fn bytes(&self) -> u64 {
        match self {
            Source::Text(s) => s.input.bytes,
            Source::Parquet(s) => s.input.bytes,
            Source::Workbook(s) => s.input.bytes,
            Source::Sqlite(s) => s.input.bytes,
        }
    }

    /// The sheet that is read and those that are not, of a workbook with several.
    pub(crate) fn sheets(&self) -> Option<(&str, &[String])> {
        match self {
            Source::Workbook(s) if !s.left_out.is_empty() => Some((s.sheets.first()?, &s.left_out)),
            Source::Sqlite(s) => s.others(),
            Source::Parquet(s) => s.others(),
            Source::Text(_) | Source::Workbook(_) => None,
        }
    }

    /// Column names, in order.
    pub(crate) fn columns(&self) -> &[String] {
        match self {
            Source::Text(s) => &s.columns,
            Source::Parquet(s) => &s.columns,
            Source::Workbook(s) => &s.columns,
            Source::Sqlite(s) => &s.columns,
        }
    }

    /// Whether the source itself names its columns.
    pub(crate) fn has_names(&self) -> bool {
        match self {
            Source::Text(s) => s.header,
            Source::Parquet(_) | Source::Sqlite(_) => true,
            Source::Workbook(s) => s.header,
        }
    }

    /// The first rows, every column.
    pub(crate) fn sample(&self) -> Result<Block, DataError> {
        match self {
            Source::Text(s) => Ok(s.sample_block()),
            Source::Parquet(s) => s.sample(),
            Source::Workbook(s) => Ok(s.sample()),
            Source::Sqlite(s) => Ok(s.sample()),
        }
    }

    /// Number of rows, where the format says so.
    pub(crate) fn rows_hint(&self) -> Option<u64> {
        match self {
            Source::Text(_) => None,
            Source::Parquet(s) => Some(s.n_rows),
            Source::Workbook(s) => Some(s.n_rows() as u64),
            Source::Sqlite(s) => Some(s.n_rows),
        }
    }

    /// Whether duplicates are rows that agree in every column.
    pub(crate) fn compares_whole_rows(&self) -> bool {
        match self {
            Source::Parquet(s) => s.compares_whole_rows(),
            Source::Text(_) | Source::Workbook(_) | Source::Sqlite(_) => true,
        }
    }

    /// Smallest and largest value of a whole-number column, where the format says so.
    pub(crate) fn range(&self, column: usize) -> Option<(i64, i64)> {
        match self {
            Source::Parquet(s) => s.range(column),
            _ => None,
        }
    }

    /// All rows, the `wanted` columns only, with a hash of the whole row where asked.
    pub(crate) fn stream(&self, wanted: &[usize], hash: bool) -> Result<Stream, DataError> {
        match self {
            Source::Text(s) => s.stream(wanted, hash),
            Source::Parquet(s) => s.stream(wanted, hash),
            Source::Workbook(s) => Ok(s.stream(wanted, hash)),
            Source::Sqlite(s) => s.stream(wanted, hash),
        }
    }

    /// What the report says of the source; complete once the stream has ended.
    pub(crate) fn info(&self) -> SourceInfo {
        match self {
            Source::Text(s) => s.info(),
            Source::Parquet(s) => s.info(),
            Source::Workbook(s) => s.info(),
            Source::Sqlite(s) => s.info(),
        }
    }

    /// Remarks about the reading, once the stream has ended.
    pub(crate) fn notes(&self) -> Vec<String> {
        match self {
            Source::Text(s) => s.outcome.lock().expect("no thread panics with it").notes(),
            Source::Parquet(s) => s.notes(),
            Source::Workbook(s) => s.notes(),
            Source::Sqlite(s) => s.notes(),
        }
    }
}

/// What reading found out about the text.
#[derive(Debug, Default)]
struct Outcome {
    encoding: String,
    replaced: bool,
    mixed: Option<&'static str>,
}

impl Outcome {
    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if let Some(other) = self.mixed {
            notes.push(format!(
                "some lines are in the encoding {other} and the others in {}; each was read as what it is",
                self.encoding
            ));
        }
        if self.replaced {
            notes.push(
                "some bytes were not valid in the file's encoding and were replaced by �; --encoding names another"
                    .into(),
            );
        }
        notes
    }
}

/// Delimited text or JSON.
#[derive(Debug)]
pub(crate) struct TextSource {
    input: Input,
    encoding: Option<&'static Encoding>,
    delimiter: Delimiter,
    header: bool,
    /// Lines and bytes of decoded text above the first row, header included in the bytes only.
    title_lines: u32,
    body_at: usize,
    columns: Vec<String>,
    /// Whole records from the start, without the header.
    sample: Vec<u8>,
    outcome: Arc<Mutex<Outcome>>,
}

impl TextSource {
    fn open(input: Input, options: &ReadOptions) -> Result<TextSource, DataError> {
        let encoding = match &options.encoding {
            None => None,
            Some(label) => Some(encoding::by_name(label).ok_or_else(|| DataError::Option {
                option: "encoding",
                value: label.clone(),
                rule: "write utf-8, utf-16le, utf-16be, gb18030 or latin-1".into(),
            })?),
        };
        let (raw, _) = input.stream()?;
        let mut reader = Utf8Reader::new(raw, encoding);
        let mut sample = Vec::new();
        let mut whole = false;
        while sample.len() < SAMPLE && !whole {
            match reader.read_into(&mut sample) {
                Ok(more) => whole = !more,
                // the break comes up again when the rows are read; what is here may already be no log at all
                Err(_) if !sample.is_empty() => break,
                Err(e) => return Err(input.stream_error(e)),
            }
        }
        if let Some(at) = memchr(0, &sample) {
            let line = memchr_iter(b'\n', &sample[..at]).count() as u64 + 1;
            return Err(DataError::NulByte { path: input.path, line });
        }
        unify_line_ends(&mut sample);
        let mut source = TextSource {
            input,
            encoding,
            delimiter: Delimiter::Byte(b','),
            header: true,
            title_lines: 0,
            body_at: 0,
            columns: Vec::new(),
            sample: Vec::new(),
            outcome: Arc::default(),
        };
        if source.input.format == Format::Json {
            source.columns = json::columns(&sample);
            if source.columns.is_empty() {
                let path = source.input.path.clone();
                let too_long = !whole && json::objects_end(&sample) == 0;
                return Err(match too_long {
                    true => DataError::LineTooLong { path, line: 1, limit: RECORD_LIMIT },
                    false => {
                        DataError::Damaged { path, detail: "it begins like JSON and has no readable object".into() }
                    }
                });
            }
            sample.truncate(json::objects_end(&sample));
            source.sample = sample;
            return Ok(source);
        }
        if !whole {
            let given = options.delimiter.as_deref().and_then(Delimiter::by_name);
            let end = delimited::records_end(&sample, given.unwrap_or(Delimiter::Byte(b',')));
            let end = if end == 0 { delimited::records_end(&sample, Delimiter::Spaces) } else { end };
            if end == 0 {
                return Err(DataError::LineTooLong { path: source.input.path, line: 1, limit: RECORD_LIMIT });
            }
            sample.truncate(end);
        }
        source.delimiter = match &options.delimiter {
            Some(text) => Delimiter::by_name(text).ok_or_else(|| DataError::Option {
                option: "delimiter",
                value: text.clone(),
                rule: "write one character such as `,` or `;`, or `tab` or `space`".into(),
            })?,
            None => delimited::find_delimiter(&sample).0,
        };
        let records = first_records(&sample, source.delimiter);
        // where the first record after the titles begins
        let start = match options.title_lines {
            Some(lines) => lines_end(&sample, lines),
            None => records[..head::titles(records.iter().map(|r| r.0.as_slice()))].last().map_or(0, |r| r.1),
        };
        source.title_lines = memchr_iter(b'\n', &sample[..start]).count() as u32;
        let (first, next) = delimited::first_record(&sample[start..], source.delimiter);
        source.header = options.header.unwrap_or_else(|| !head::looks_like_data(&first));
        source.columns = if source.header {
            source.body_at = start + next;
            first
        } else {
            source.body_at = start;
            (1..=first.len()).map(|i| format!("column_{i}")).collect()
        };
        let rows = || records.iter().filter(|r| r.1 > source.body_at).map(|r| &r.0);
        // R leaves the name of the row names out: every row has one cell more than the header, and not because it ends
        // with a delimiter
        let longer = |r: &Vec<String>| r.len() == source.columns.len() + 1 && !r[0].is_empty();
        let delimiter_at_end = || rows().all(|r| r.last().is_some_and(String::is_empty));
        if source.header && rows().count() > 1 && rows().all(longer) && !delimiter_at_end() {
            source.columns.insert(0, String::new());
        }
        sample.drain(..source.body_at);
        // a header that ends with a delimiter names a last column nobody has
        while source.columns.len() > 1 && source.columns.last().is_some_and(String::is_empty) {
            source.columns.pop();
        }
        source.sample = sample;
        Ok(source)
    }

    fn shape(&self, wanted: &[usize], hash: bool) -> Shape {
        match self.input.format {
            Format::Json => Shape::Json { names: Arc::new(self.columns.clone()), wanted: wanted.to_vec(), hash },
            _ => Shape::Delimited(Layout {
                delimiter: self.delimiter,
                n_cells: self.columns.len(),
                wanted: wanted.to_vec(),
                hash,
            }),
        }
    }

    fn sample_block(&self) -> Block {
        let all: Vec<usize> = (0..self.columns.len()).collect();
        self.shape(&all, false).block(Piece::Text(self.sample.clone()))
    }

    fn stream(&self, wanted: &[usize], hash: bool) -> Result<Stream, DataError> {
        let (raw, taken) = self.input.stream()?;
        let (sender, receiver) = sync_channel(AHEAD);
        let cutter = Cutter {
            input: self.input.clone(),
            reader: Utf8Reader::new(raw, self.encoding),
            delimiter: self.delimiter,
            skip: self.body_at,
            line: 1,
            sender,
            outcome: Arc::clone(&self.outcome),
        };
        std::thread::spawn(move || cutter.run());
        Ok(Stream::new(self.shape(wanted, hash), vec![receiver], 1, taken))
    }

    fn info(&self) -> SourceInfo {
        let delimited = self.input.format == Format::Delimited;
        let encoding = self.outcome.lock().expect("no thread panics with it").encoding.clone();
        SourceInfo {
            file: self.input.short_name(),
            format: if delimited { "csv" } else { "json-lines" }.into(),
            compression: self.input.compression.name().map(str::to_owned),
            encoding: Some(encoding).filter(|e| !e.is_empty()),
            delimiter: delimited.then(|| self.delimiter.name()),
            header: self.header,
            title_lines: self.title_lines,
            columns: self.columns.clone(),
            bytes: self.input.bytes,
            ..SourceInfo::default()
        }
    }
}

/// Old Mac files end lines with a lone carriage return.
fn unify_line_ends(text: &mut [u8]) {
    if memchr(b'\n', text).is_none() && memchr(b'\r', text).is_some() {
        text.iter_mut().filter(|b| **b == b'\r').for_each(|b| *b = b'\n');
    }
}

/// The first records, and where each ends.
fn first_records(text: &[u8], delimiter: Delimiter) -> Vec<(Vec<String>, usize)> {
    let mut records = Vec::new();
    let mut at = 0;
    while at < text.len() && records.len() < head::LOOK_AT {
        let (cells, next) = delimited::first_record(&text[at..], delimiter);
        at += next.max(1);
        records.push((cells, at));
    }
    records
}

/// Where line `n` ends.
fn lines_end(text: &[u8], n: u32) -> usize {
    match n.checked_sub(1) {
        None => 0,
        Some(last) => memchr_iter(b'\n', text).nth(last as usize).map_or(text.len(), |at| at + 1),
    }
}

/// The thread that reads, decodes and cuts text.
struct Cutter {
    input: Input,
    reader: Utf8Reader<Box<dyn Read + Send>>,
    delimiter: Delimiter,
    /// Bytes of titles and header, which are no rows.
    skip: usize,
    line: u64,
    sender: SyncSender<Message>,
    outcome: Arc<Mutex<Outcome>>,
}

impl Cutter {
    fn run(mut self) {
        let end = self.pieces();
        *self.outcome.lock().expect("no thread panics with it") = Outcome {
            encoding: self.reader.encoding().to_owned(),
            replaced: self.reader.replaced(),
            mixed: self.reader.mixed(),
        };
        // a caller that stopped listening has stopped on purpose
        let _ = self.sender.send(end.map(|()| None));
    }

    fn end_of_records(&self, text: &[u8]) -> usize {
        match self.input.format {
            Format::Json => json::objects_end(text),
            _ => delimited::records_end(text, self.delimiter),
        }
    }

    fn pieces(&mut self) -> Result<(), DataError> {
        let path = || self.input.path.clone();
        let mut text = Vec::with_capacity(PIECE + (256 << 10));
        let (mut more, mut checked, mut mac) = (true, 0, None);
        while more {
            while more && text.len() < PIECE {
                more = self.reader.read_into(&mut text).map_err(|e| self.input.stream_error(e))?;
            }
            if let Some(at) = memchr(0, &text[checked..]) {
                let line = self.line + memchr_iter(b'\n', &text[..checked + at]).count() as u64;
                return Err(DataError::NulByte { path: path(), line });
            }
            if *mac.get_or_insert_with(|| memchr(b'\n', &text).is_none() && memchr(b'\r', &text).is_some()) {
                text[checked..].iter_mut().filter(|b| **b == b'\r').for_each(|b| *b = b'\n');
            }
            let cut = if more { self.end_of_records(&text) } else { text.len() };
            if more && cut == 0 {
                return Err(DataError::LineTooLong { path: path(), line: self.line, limit: RECORD_LIMIT });
            }
            if !more && self.input.format == Format::Json && text[json::objects_end(&text)..].contains(&b'{') {
                return Err(DataError::Truncated { path: path(), format: "JSON" });
            }
            let rest = text[cut..].to_vec();
            text.truncate(cut);
            checked = rest.len();
            let mut piece = std::mem::replace(&mut text, rest);
            text.reserve(PIECE + (256 << 10) - text.len().min(PIECE));
            if !more && self.input.format == Format::Delimited && delimited::ends_open(&piece, self.delimiter) {
                let whole = delimited::records_end(&piece, self.delimiter);
                let line = self.line + memchr_iter(b'\n', &piece[..whole]).count() as u64;
                return Err(DataError::OpenQuote { path: path(), line });
            }
            self.line += memchr_iter(b'\n', &piece).count() as u64;
            let skipped = self.skip.min(piece.len());
            piece.drain(..skipped);
            self.skip -= skipped;
            if !piece.is_empty() && self.sender.send(Ok(Some(Piece::Text(piece)))).is_err() {
                return Ok(());
            }
        }
        Ok(())
    }
}
