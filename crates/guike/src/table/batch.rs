//! Rows of a stream to the same rows with predictions: what `guike predict --keep` writes and what a server answers.
//!
//! The one idea: a row is read, predicted and written before the next piece comes, so that a file of any length takes the
//! memory of a piece. Cells are read as [`super::predict()`] reads them and predictions are written as it writes them; but
//! there nobody has to see a note, so that here a cell that does not fit its column is an error, which names row and column
//! and never the value.

mod parquet;

use guike_data::LogFile;
use guike_data::pieces::{self, LONGEST_ROW, RowPiece, RowReader, RowTrouble};
use guike_store::{StoreError, push_csv_number, push_csv_text, significant};
use serde_json::{Map, Value, json};

use crate::error::Error;

use super::score::{InputKind, Scorer};
use super::target::Outcome;

pub use guike_data::pieces::RowFormat;
pub use parquet::{ParquetBatch, Scratch};

/// Which columns of the rows are written before the predictions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keep {
    /// All of them; a JSON object as it came.
    All,
    /// These, in this order.
    Only(Vec<String>),
}

impl Keep {
    /// `all`, `none`, or names with commas between them.
    ///
    /// ```
    /// use guike::table::batch::Keep;
    /// assert_eq!(Keep::parse("all"), Keep::All);
    /// assert_eq!(Keep::parse("none"), Keep::Only(vec![]));
    /// assert_eq!(Keep::parse("id,city"), Keep::Only(vec!["id".to_owned(), "city".to_owned()]));
    /// ```
    pub fn parse(text: &str) -> Keep {
        match text {
            "all" => Keep::All,
            "none" => Keep::Only(Vec::new()),
            names => Keep::Only(names.split(',').map(str::to_owned).collect()),
        }
    }
}

/// What kind of trouble it is, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchTrouble {
    /// The text is not rows of the format.
    Malformed,
    /// A column of the model is not there.
    MissingColumn,
    /// A column that is to be kept is not there.
    NotKept,
    /// A column is there twice, or has the name of one that is added.
    DuplicateColumn,
    /// A cell is not of its column's kind.
    WrongType,
    /// There are more rows than are taken.
    TooManyRows,
}

/// Why a stream ended early; the rows before it were written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct BatchError {
    /// The kind.
    pub trouble: BatchTrouble,
    /// The row, from 1, where it is about one.
    pub row: Option<u64>,
    /// The column.
    pub column: Option<String>,
    /// The sentence that says what to do.
    pub detail: String,
}

impl From<BatchError> for Error {
    fn from(e: BatchError) -> Error {
        Error::NoAnswer(e.detail)
    }
}

/// A stream that is being predicted.
///
/// # Example
/// ```no_run
/// use guike::table::batch::{Batch, Keep, RowFormat};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let scorer = guike::table::score::Scorer::open("guike-model".as_ref())?;
/// let mut batch = Batch::new(&scorer, RowFormat::Csv, Keep::All, u64::MAX);
/// let mut out = Vec::new();
/// batch.push(&scorer, b"age,income\n30,60", &mut out)?;
/// batch.push(&scorer, b"000\n", &mut out)?;
/// batch.finish(&scorer, &mut out)?; // out: age,income,predicted,p_high,p_low …
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Batch {
    reader: RowReader,
    format: RowFormat,
    keep: Keep,
    most: u64,
    /// Names of the columns that are added.
    added: Vec<String>,
    /// Where each column of the model stands in the rows; empty before the header.
    inputs: Vec<usize>,
    /// Where each column that is kept stands; of CSV only.
    kept: Vec<usize>,
    rows: u64,
}

impl Batch {
    /// Begins a stream; `most` rows are taken.
    pub fn new(scorer: &Scorer, format: RowFormat, keep: Keep, most: u64) -> Batch {
        let wanted = scorer.inputs().iter().map(|c| c.name.clone()).collect();
        let inputs = match format {
            RowFormat::Csv => Vec::new(),
            RowFormat::JsonLines => (0..scorer.inputs().len()).collect(),
        };
        Batch {
            reader: RowReader::new(format, wanted),
            format,
            keep,
            most,
            added: added(scorer),
            inputs,
            kept: Vec::new(),
            rows: 0,
        }
    }

    /// Rows that were predicted.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Takes the next bytes and appends the rows that are complete, predicted.
    ///
    /// # Errors
    /// [`BatchError`] for the first row that cannot be predicted; those before it are appended, and the stream is over.
    pub fn push(&mut self, scorer: &Scorer, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), BatchError> {
        let piece = self.reader.push(bytes);
        self.piece(scorer, &piece, out)
    }

    /// Takes the last row, where it has no end of line.
    ///
    /// # Errors
    /// As [`Batch::push`]; also when there was no row at all.
    pub fn finish(&mut self, scorer: &Scorer, out: &mut Vec<u8>) -> Result<(), BatchError> {
        let piece = self.reader.finish();
        self.piece(scorer, &piece, out)
    }

    fn piece(&mut self, scorer: &Scorer, piece: &RowPiece, out: &mut Vec<u8>) -> Result<(), BatchError> {
        if self.inputs.is_empty() && self.reader.names().is_some() {
            self.header(scorer, out)?;
        }
        let mut trouble = None;
        let mut cells = Vec::with_capacity(piece.n_rows * self.inputs.len());
        let mut n = 0;
        while n < piece.n_rows && trouble.is_none() {
            trouble = self.row(scorer, piece, n, &mut cells).err();
            n += usize::from(trouble.is_none());
        }
        cells.truncate(n * self.inputs.len());
        let predicted = scorer.predict_in_turn(&cells);
        for (row, values) in predicted.chunks_exact(scorer.n_outputs()).enumerate() {
            match self.format {
                RowFormat::Csv => self.csv(scorer, piece, row, values, out),
                RowFormat::JsonLines => self.json(scorer, piece, row, values, out),
            }
        }
        self.rows += n as u64;
        match (trouble, &piece.trouble) {
            (Some(e), _) => Err(e),
            (None, Some(trouble)) => Err(self.broken(scorer, trouble)),
            (None, None) => Ok(()),
        }
    }

    /// Finds the columns, and writes the header.
    fn header(&mut self, scorer: &Scorer, out: &mut Vec<u8>) -> Result<(), BatchError> {
        let names = self.reader.names().unwrap_or_default();
        let place = |name: &String| names.iter().position(|n| n == name);
        let missing: Vec<&String> = scorer.inputs().iter().map(|c| &c.name).filter(|n| place(n).is_none()).collect();
        if let Some(first) = missing.first() {
            // nothing of the header is repeated: it may be a row of a file without one
            let quoted: Vec<String> = missing.iter().map(|m| format!("`{m}`")).collect();
            return Err(BatchError {
                trouble: BatchTrouble::MissingColumn,
                row: None,
                column: Some((*first).clone()),
                detail: format!(
                    "the header lacks {} that the model was trained on: {}; names are separated by commas",
                    if missing.len() == 1 { "a column" } else { "columns" },
                    quoted.join(", ")
                ),
            });
        }
        let kept = match &self.keep {
            Keep::All => (0..names.len()).collect(),
            Keep::Only(wanted) => {
                wanted.iter().map(|n| place(n).ok_or_else(|| not_kept(n, None))).collect::<Result<Vec<usize>, _>>()?
            }
        };
        if let Some(&c) = kept.iter().find(|&&c| self.added.contains(&names[c])) {
            return Err(taken(&names[c], None));
        }
        self.inputs = scorer.inputs().iter().filter_map(|c| place(&c.name)).collect();
        for (i, name) in kept.iter().map(|&c| &names[c]).chain(&self.added).enumerate() {
            if i > 0 {
                out.push(b',');
            }
            push_csv_text(out, name);
        }
        out.push(b'\n');
        self.kept = kept;
        Ok(())
    }

    /// Appends the cells of a row.
    fn row(&self, scorer: &Scorer, piece: &RowPiece, row: usize, cells: &mut Vec<f64>) -> Result<(), BatchError> {
        let number = self.rows + row as u64 + 1;
        if number > self.most {
            return Err(too_many(number, self.most));
        }
        for (column, &at) in self.inputs.iter().enumerate() {
            let text = std::str::from_utf8(piece.cell(row, at)).unwrap_or_default();
            cells.push(scorer.cell(column, text).map_err(|_| wrong(scorer, column, number))?);
        }
        if self.format == RowFormat::JsonLines {
            let object = object(piece, row);
            if let Keep::Only(wanted) = &self.keep {
                wanted.iter().find(|n| !object.contains_key(*n)).map_or(Ok(()), |n| Err(not_kept(n, Some(number))))?;
            }
            let is_kept = |name: &&String| match &self.keep {
                Keep::All => object.contains_key(*name),
                Keep::Only(wanted) => wanted.contains(*name),
            };
            self.added.iter().find(is_kept).map_or(Ok(()), |n| Err(taken(n, Some(number))))?;
        }
        Ok(())
    }

    fn csv(&self, scorer: &Scorer, piece: &RowPiece, row: usize, values: &[f64], out: &mut Vec<u8>) {
        for &column in &self.kept {
            push_csv_text(out, std::str::from_utf8(piece.cell(row, column)).unwrap_or_default());
            out.push(b',');
        }
        match scorer.called(values) {
            None => push_csv_number(out, values[0]),
            Some(class) => {
                push_csv_text(out, class);
                for &p in values {
                    out.push(b',');
                    push_csv_number(out, p);
                }
            }
        }
        out.push(b'\n');
    }

    fn json(&self, scorer: &Scorer, piece: &RowPiece, row: usize, values: &[f64], out: &mut Vec<u8>) {
        let member = |name: &str, value: &Value, out: &mut Vec<u8>| {
            if out.last() != Some(&b'{') {
                out.push(b',');
            }
            serde_json::to_writer(&mut *out, name).expect("a text is JSON");
            out.push(b':');
            serde_json::to_writer(&mut *out, value).expect("a value is JSON");
        };
        match &self.keep {
            Keep::All => {
                // as it came, so that no digit of an id is lost
                let raw = piece.object(row);
                out.extend_from_slice(raw[..raw.len() - 1].trim_ascii_end());
            }
            Keep::Only(wanted) => {
                let object = object(piece, row);
                out.push(b'{');
                wanted.iter().for_each(|name| member(name, &object[name], out));
            }
        }
        let number = |x: f64| json!(x.is_finite().then(|| significant(x)));
        match scorer.called(values) {
            None => member(&self.added[0], &number(values[0]), out),
            Some(class) => {
                member(&self.added[0], &json!(class), out);
                self.added[1..].iter().zip(values).for_each(|(name, &p)| member(name, &number(p), out));
            }
        }
        out.extend_from_slice(b"}\n");
    }

    /// What ended the reading, in words.
    fn broken(&self, scorer: &Scorer, trouble: &RowTrouble) -> BatchError {
        let row = self.rows + 1;
        let (kind, column, detail) = match trouble {
            RowTrouble::NoRow => {
                (BatchTrouble::Malformed, None, "there is no row; send rows, of CSV after a header".to_owned())
            }
            RowTrouble::Twice(first, second) => (
                BatchTrouble::DuplicateColumn,
                None,
                format!("columns {first} and {second} have one name; rename one of them, or add the header"),
            ),
            RowTrouble::NotText => {
                (BatchTrouble::Malformed, None, format!("row {row} or what follows it is no UTF-8; send UTF-8"))
            }
            RowTrouble::Misshapen => (
                BatchTrouble::Malformed,
                None,
                format!("row {row} has another number of cells than the header; quote cells that hold commas"),
            ),
            RowTrouble::NotAnObject => {
                (BatchTrouble::Malformed, None, format!("row {row} is no JSON object; send one a line"))
            }
            RowTrouble::Lacks(column) => {
                let name = scorer.inputs()[*column].name.clone();
                let detail = format!(
                    "row {row} lacks column `{name}` that the model was trained on; send null where it is not known"
                );
                (BatchTrouble::MissingColumn, Some(name), detail)
            }
            RowTrouble::TooLong => (
                BatchTrouble::Malformed,
                None,
                format!("row {row} has more than {LONGEST_ROW} bytes; is a quote open, or an end of line missing?"),
            ),
        };
        let is_about_a_row = !matches!(trouble, RowTrouble::NoRow | RowTrouble::Twice(..));
        BatchError { trouble: kind, row: is_about_a_row.then_some(row), column, detail }
    }
}

/// Names of the columns that predictions stand in.
fn added(scorer: &Scorer) -> Vec<String> {
    let mut added = vec!["predicted".to_owned()];
    if let Outcome::Classification { classes, .. } = scorer.outcome() {
        added.extend(classes.iter().map(|name| format!("p_{name}")));
    }
    added
}

fn too_many(row: u64, most: u64) -> BatchError {
    BatchError {
        trouble: BatchTrouble::TooManyRows,
        row: Some(row),
        column: None,
        detail: format!("there are more than {most} rows; send them in parts"),
    }
}

/// The members of a row.
fn object(piece: &RowPiece, row: usize) -> Map<String, Value> {
    serde_json::from_slice(piece.object(row)).expect("it was read as an object before")
}

fn wrong(scorer: &Scorer, column: usize, row: u64) -> BatchError {
    let input = &scorer.inputs()[column];
    let needs = match &input.kind {
        InputKind::Number => "number with a decimal point".to_owned(),
        InputKind::Category(_) => "text".to_owned(),
        InputKind::Date(format) => format!("date written as `{format}`"),
    };
    BatchError {
        trouble: BatchTrouble::WrongType,
        row: Some(row),
        column: Some(input.name.clone()),
        detail: format!(
            "column `{}` of row {row} holds no {}; leave it empty where it is not known",
            input.name, needs
        ),
    }
}

fn not_kept(name: &str, row: Option<u64>) -> BatchError {
    BatchError {
        trouble: BatchTrouble::NotKept,
        row,
        column: Some(name.to_owned()),
        detail: format!("there is no column `{name}` to keep; say `all`, `none`, or columns that are there"),
    }
}

fn taken(name: &str, row: Option<u64>) -> BatchError {
    BatchError {
        trouble: BatchTrouble::DuplicateColumn,
        row,
        column: Some(name.to_owned()),
        detail: format!("column `{name}` is there already, where predictions go; rename it, or keep others"),
    }
}

/// Predicts all rows of a file or a kept stream into `to`, a piece at a time, and says how many they were. It may be packed
/// with gzip or zstd.
///
/// # Errors
/// [`Error::NoAnswer`] for a row that cannot be predicted, the rows before it are written; [`Error::Config`] for a file that
/// is neither CSV nor JSON Lines, [`Error::Data`] for one that cannot be read, [`Error::Store`] when it cannot be written. A reader of `to` that goes away is no error.
pub fn predict_file(scorer: &Scorer, file: &LogFile, keep: Keep, to: &mut dyn std::io::Write) -> Result<u64, Error> {
    let (format, mut from) = pieces::open(file)?.ok_or_else(|| Error::Config {
        what: "TABLE".to_owned(),
        value: file.name().display().to_string(),
        rule: "rows are taken as they come from CSV and JSON Lines only; convert the file, or leave out --keep"
            .to_owned(),
    })?;
    let mut batch = Batch::new(scorer, format, keep, u64::MAX);
    let (mut bytes, mut out) = (vec![0; PIECE], Vec::new());
    loop {
        let n = from.next(&mut bytes)?;
        let said = if n > 0 { batch.push(scorer, &bytes[..n], &mut out) } else { batch.finish(scorer, &mut out) };
        match to.write_all(&out).and_then(|()| if n == 0 { to.flush() } else { Ok(()) }) {
            Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => return Ok(batch.rows()),
            Err(source) => {
                return Err(StoreError::Io { action: "write", path: "standard output".into(), source }.into());
            }
            Ok(()) => {}
        }
        out.clear();
        said?;
        if n == 0 {
            return Ok(batch.rows());
        }
    }
}

/// Bytes that are read at a time.
const PIECE: usize = 64 << 10;

#[cfg(test)]
mod tests;
