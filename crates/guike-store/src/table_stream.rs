//! Tables that are sent while they are written: CSV, Excel, Parquet and JSON Lines.
//!
//! The one idea: rows go in a part at a time and bytes come out as soon as there are any, so that a table of a million rows
//! takes the memory of a part. [`TableFile`](crate::TableFile) writes the same columns into a file of a run; here they go to
//! people, so CSV is as spreadsheets want it.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use parquet::arrow::ArrowWriter;

use crate::table_file::{batch_of, checked_rows, push_csv_number, push_csv_text, push_number, row_groups, significant};
use crate::xlsx::{self, Sheet};
use crate::{OutColumn, OutData, StoreError};

/// Rows of a group of Parquet: what is in memory at a time.
const GROUP: usize = 65_536;

/// How a table is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableForm {
    /// CSV for spreadsheets: UTF-8 with the mark by which they know it, and texts that they would run begin with an
    /// apostrophe.
    Csv,
    /// A workbook with one sheet.
    Xlsx,
    /// Parquet (zstd).
    Parquet,
    /// A JSON object per line; missing numbers are null.
    JsonLines,
}

impl TableForm {
    /// Every form.
    pub const ALL: [TableForm; 4] = [TableForm::Csv, TableForm::Xlsx, TableForm::Parquet, TableForm::JsonLines];

    /// The ending of its files.
    pub fn ending(self) -> &'static str {
        match self {
            TableForm::Csv => "csv",
            TableForm::Xlsx => "xlsx",
            TableForm::Parquet => "parquet",
            TableForm::JsonLines => "ndjson",
        }
    }

    /// The media type of its files.
    pub fn media_type(self) -> &'static str {
        match self {
            TableForm::Csv => "text/csv; charset=utf-8",
            TableForm::Xlsx => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            TableForm::Parquet => "application/vnd.apache.parquet",
            TableForm::JsonLines => "application/x-ndjson",
        }
    }

    /// Most rows of a table, where the form has a limit; the names of its columns are none.
    pub fn most_rows(self) -> Option<usize> {
        (self == TableForm::Xlsx).then_some(xlsx::MOST_ROWS - 1)
    }
}

/// Bytes that were written and not yet taken.
#[derive(Debug, Clone, Default)]
struct Waiting(Arc<Mutex<Vec<u8>>>);

impl Waiting {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for Waiting {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A table that is sent while it is written.
///
/// # Example
/// ```
/// use guike_store::{OutColumn, OutData, TableForm, TableStream};
/// let mut table = TableStream::begin(TableForm::Csv, "t").unwrap();
/// let ids = ["007".to_owned(), "=1+1".to_owned()];
/// table.append(&[OutColumn { name: "id", data: OutData::Text(&ids) }]).unwrap();
/// assert_eq!(table.take(), "\u{feff}id\n007\n'=1+1\n".as_bytes());
/// assert!(table.finish().unwrap().is_empty());
/// ```
pub struct TableStream {
    /// What errors call it.
    name: PathBuf,
    out: Waiting,
    form: Form,
}

enum Form {
    Csv {
        has_header: bool,
    },
    Xlsx(Box<Sheet<Waiting>>),
    /// Begins with the first part, which says what the columns are.
    Parquet(Option<Box<ArrowWriter<Waiting>>>),
    JsonLines,
}

impl std::fmt::Debug for TableStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TableStream").field("name", &self.name).finish_non_exhaustive()
    }
}

impl TableStream {
    /// Begins a table of this name, which is a word.
    ///
    /// # Errors
    /// [`StoreError::Encode`].
    pub fn begin(form: TableForm, name: &str) -> Result<TableStream, StoreError> {
        let out = Waiting::default();
        let file = PathBuf::from(format!("{name}.{}", form.ending()));
        let form = match form {
            TableForm::Csv => Form::Csv { has_header: false },
            TableForm::Xlsx => {
                let sheet = Sheet::begin(out.clone(), name).map_err(|e| encode(&file, &e))?;
                Form::Xlsx(Box::new(sheet))
            }
            TableForm::Parquet => Form::Parquet(None),
            TableForm::JsonLines => Form::JsonLines,
        };
        Ok(TableStream { name: file, out, form })
    }

    /// Adds rows; all parts have the same columns.
    ///
    /// # Errors
    /// [`StoreError::Encode`].
    pub fn append(&mut self, columns: &[OutColumn<'_>]) -> Result<(), StoreError> {
        let rows = checked_rows(columns);
        let name = &self.name;
        match &mut self.form {
            Form::Csv { has_header } => {
                let mut text = Vec::with_capacity(rows * columns.len() * 12);
                if !std::mem::replace(has_header, true) {
                    text.extend_from_slice("\u{feff}".as_bytes());
                    csv_line(&mut text, columns, |out, c| push_csv_text(out, c.name));
                }
                for i in 0..rows {
                    csv_line(&mut text, columns, |out, c| match c.data {
                        OutData::Text(v) => push_disarmed(out, &v[i]),
                        OutData::Number(v) => push_csv_number(out, v[i]),
                        OutData::Integer(v) => push_number(out, v[i]),
                    });
                }
                self.out.write_all(&text).map_err(|e| encode(name, &e))
            }
            Form::Xlsx(sheet) => sheet.append(columns, rows).map_err(|e| encode(name, &e)),
            Form::Parquet(writer) => {
                let batch = batch_of(columns).map_err(|e| encode(name, &e))?;
                if writer.is_none() {
                    let begun =
                        ArrowWriter::try_new(self.out.clone(), batch.schema(), Some(row_groups(columns, GROUP)));
                    *writer = Some(Box::new(begun.map_err(|e| encode(name, &e))?));
                }
                let writer = writer.as_mut().expect("begun with the first part");
                writer.write(&batch).map_err(|e| encode(name, &e))
            }
            Form::JsonLines => {
                let mut text = Vec::with_capacity(rows * columns.len() * 24);
                for i in 0..rows {
                    json_line(&mut text, columns, i);
                }
                self.out.write_all(&text).map_err(|e| encode(name, &e))
            }
        }
    }

    /// The bytes that were written since the last time.
    pub fn take(&self) -> Vec<u8> {
        self.out.take()
    }

    /// Ends the table, and gives its last bytes.
    ///
    /// # Errors
    /// [`StoreError::Encode`], also for Parquet without a part.
    pub fn finish(self) -> Result<Vec<u8>, StoreError> {
        let name = &self.name;
        match self.form {
            Form::Csv { .. } | Form::JsonLines => {}
            Form::Xlsx(sheet) => sheet.finish().map_err(|e| encode(name, &e))?,
            Form::Parquet(Some(writer)) => writer.close().map(drop).map_err(|e| encode(name, &e))?,
            Form::Parquet(None) => return Err(encode(name, &"a Parquet table needs columns")),
        }
        Ok(self.out.take())
    }
}

fn encode(name: &std::path::Path, reason: &dyn std::fmt::Display) -> StoreError {
    StoreError::Encode { path: name.to_owned(), reason: reason.to_string() }
}

fn csv_line(out: &mut Vec<u8>, columns: &[OutColumn<'_>], cell: impl Fn(&mut Vec<u8>, &OutColumn<'_>)) {
    for (j, column) in columns.iter().enumerate() {
        if j > 0 {
            out.push(b',');
        }
        cell(out, column);
    }
    out.push(b'\n');
}

/// A text as a cell of CSV. One that a spreadsheet would run as a formula begins with an apostrophe, which makes it a text.
fn push_disarmed(out: &mut Vec<u8>, text: &str) {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        push_csv_text(out, &format!("'{text}"));
    } else {
        push_csv_text(out, text);
    }
}

fn json_line(out: &mut Vec<u8>, columns: &[OutColumn<'_>], row: usize) {
    let text = |out: &mut Vec<u8>, t: &str| serde_json::to_writer(out, t).expect("a text is JSON, and a Vec takes all");
    for (j, column) in columns.iter().enumerate() {
        out.push(if j == 0 { b'{' } else { b',' });
        text(out, column.name);
        out.push(b':');
        match column.data {
            OutData::Text(v) => text(out, &v[row]),
            // as the pages of the interface write them; what is not finite is null
            OutData::Number(v) => serde_json::to_writer(&mut *out, &significant(v[row])).expect("a Vec takes all"),
            OutData::Integer(v) => push_number(out, v[row]),
        }
    }
    out.extend_from_slice(b"}\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(form: TableForm) -> Vec<u8> {
        let mut table = TableStream::begin(form, "t").expect("begun");
        let mut bytes = Vec::new();
        for (ids, x) in [(["C01", "=cmd()"], [0.1 + 0.2, f64::NAN]), (["a,\"b", "贵"], [-1.0, 3.0])] {
            let ids = ids.map(str::to_owned);
            let columns = [
                OutColumn { name: "id", data: OutData::Text(&ids) },
                OutColumn { name: "x", data: OutData::Number(&x) },
            ];
            table.append(&columns).expect("written");
            bytes.extend(table.take());
        }
        bytes.extend(table.finish().expect("finished"));
        bytes
    }

    #[test]
    fn csv_disarms_formulas_and_json_lines_keep_what_is_missing() {
        let csv = String::from_utf8(written(TableForm::Csv)).expect("text");
        assert_eq!(csv, "\u{feff}id,x\nC01,0.3\n'=cmd(),\n\"a,\"\"b\",-1\n贵,3\n");
        let lines = String::from_utf8(written(TableForm::JsonLines)).expect("text");
        let ids: Vec<String> = lines
            .lines()
            .map(|l| serde_json::from_str::<serde_json::Value>(l).expect("JSON")["id"].as_str().expect("id").to_owned())
            .collect();
        assert_eq!(ids, ["C01", "=cmd()", "a,\"b", "贵"]);
        assert!(lines.contains("\"x\":null") && lines.contains("\"x\":0.3}"), "{lines}");
    }

    #[test]
    fn parquet_and_workbooks_begin_and_end_as_such() {
        let parquet = written(TableForm::Parquet);
        assert_eq!((&parquet[..4], &parquet[parquet.len() - 4..]), (&b"PAR1"[..], &b"PAR1"[..]));
        let xlsx = written(TableForm::Xlsx);
        assert_eq!(&xlsx[..4], b"PK\x03\x04");
        assert_eq!(xlsx, written(TableForm::Xlsx), "same rows, same bytes");
    }
}
