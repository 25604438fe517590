//! Rows of a Parquet file to the same rows with predictions, as Parquet.
//!
//! The one idea: as for text, a piece is read, predicted and written before the next one; but a Parquet file says at its end
//! what is in it, so that all of it has to be there before the first row is read. The columns that are kept go through
//! untouched, with their types. Cells mean what they mean when `guike predict` reads the file.

use guike_data::parquet_rows::{ParquetCell, ParquetPiece, ParquetPieces, ParquetRows, ParquetTrouble};
use guike_store::{OutColumn, OutData, ParquetStream};

pub use guike_store::Scratch;

use super::{BatchError, BatchTrouble, Keep, added, not_kept, taken, too_many, wrong};
use crate::table::score::{InputKind, NotOfThisKind, Scorer};

/// A Parquet file that is being predicted.
#[derive(Debug)]
pub struct ParquetBatch {
    pieces: ParquetPieces,
    out: ParquetStream,
    /// Names of the columns that are added.
    added: Vec<String>,
    most: u64,
    rows: u64,
}

impl ParquetBatch {
    /// Finds the columns in a file; `most` rows are taken.
    ///
    /// # Errors
    /// [`BatchError`] for a file that is none, and for columns that do not fit.
    pub fn open(scorer: &Scorer, file: Scratch, keep: &Keep, most: u64) -> Result<ParquetBatch, BatchError> {
        let file = file.whole().map_err(|e| BatchError {
            trouble: BatchTrouble::Malformed,
            row: None,
            column: None,
            detail: format!("the file cannot be read while it is worked on ({e})"),
        })?;
        let rows = ParquetRows::open(file).map_err(|e| broken(&e, 0))?;
        let names = rows.names();
        let place = |name: &str| names.iter().position(|n| *n == name);
        let missing: Vec<&str> =
            scorer.inputs().iter().map(|c| c.name.as_str()).filter(|n| place(n).is_none()).collect();
        if let Some(first) = missing.first() {
            let quoted: Vec<String> = missing.iter().map(|m| format!("`{m}`")).collect();
            return Err(BatchError {
                trouble: BatchTrouble::MissingColumn,
                row: None,
                column: Some((*first).to_owned()),
                detail: format!("the file lacks {} that the model was trained on", quoted.join(", ")),
            });
        }
        let kept: Vec<usize> = match keep {
            Keep::All => (0..names.len()).collect(),
            Keep::Only(wanted) => {
                wanted.iter().map(|n| place(n).ok_or_else(|| not_kept(n, None))).collect::<Result<_, _>>()?
            }
        };
        let added = added(scorer);
        if let Some(&c) = kept.iter().find(|&&c| added.iter().any(|a| a == names[c])) {
            return Err(taken(names[c], None));
        }
        let inputs = scorer.inputs().iter().filter_map(|c| place(&c.name));
        let wanted: Vec<usize> = inputs.chain(kept.iter().copied()).collect();
        let out = ParquetStream::begin(rows.schema_of(&kept));
        let pieces = rows.pieces(&wanted).map_err(|e| broken(&e, 0))?;
        Ok(ParquetBatch { pieces, out, added, most, rows: 0 })
    }

    /// Rows that were predicted.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Predicts the next rows and appends the bytes that are ready; `true` when the table has ended.
    ///
    /// # Errors
    /// [`BatchError`] for the first row that cannot be predicted; the table is over then, without its end.
    pub fn next(&mut self, scorer: &Scorer, out: &mut Vec<u8>) -> Result<bool, BatchError> {
        let unwritten = |e: guike_store::StoreError| BatchError {
            trouble: BatchTrouble::Malformed,
            row: None,
            column: None,
            detail: format!("the rows cannot be written as Parquet ({e})"),
        };
        let Some(piece) = self.pieces.next_piece().map_err(|e| broken(&e, self.rows))? else {
            if self.rows == 0 {
                return Err(BatchError {
                    trouble: BatchTrouble::Malformed,
                    row: None,
                    column: None,
                    detail: "the file holds no row; send rows".to_owned(),
                });
            }
            out.extend(self.out.finish().map_err(unwritten)?);
            return Ok(true);
        };
        let n = piece.n_rows();
        let mut cells = Vec::with_capacity(n * scorer.inputs().len());
        for row in 0..n {
            let number = self.rows + row as u64 + 1;
            if number > self.most {
                return Err(too_many(number, self.most));
            }
            for column in 0..scorer.inputs().len() {
                cells.push(cell(scorer, &piece, row, column).map_err(|_| wrong(scorer, column, number))?);
            }
        }
        let predicted = scorer.predict_in_turn(&cells);
        self.write(scorer, &piece, &predicted).map_err(unwritten)?;
        self.rows += n as u64;
        out.extend(self.out.take());
        Ok(false)
    }

    fn write(
        &mut self,
        scorer: &Scorer,
        piece: &ParquetPiece,
        predicted: &[f64],
    ) -> Result<(), guike_store::StoreError> {
        let k = scorer.n_outputs();
        let called: Vec<String> =
            predicted.chunks_exact(k).filter_map(|p| scorer.called(p)).map(str::to_owned).collect();
        let of_class: Vec<Vec<f64>> = match self.added.len() {
            1 => Vec::new(),
            _ => (0..k).map(|c| predicted.iter().skip(c).step_by(k).copied().collect()).collect(),
        };
        let first = if of_class.is_empty() { OutData::Number(predicted) } else { OutData::Text(&called) };
        let mut columns = vec![OutColumn { name: &self.added[0], data: first }];
        columns.extend(
            self.added[1..].iter().zip(&of_class).map(|(name, p)| OutColumn { name, data: OutData::Number(p) }),
        );
        self.out.append(piece.kept(piece.n_rows(), scorer.inputs().len()), &columns)
    }
}

/// A cell as the model reads it.
fn cell(scorer: &Scorer, piece: &ParquetPiece, row: usize, column: usize) -> Result<f64, NotOfThisKind> {
    match (piece.cell(row, column), &scorer.inputs()[column].kind) {
        (ParquetCell::Missing, _) => Ok(Scorer::MISSING),
        (ParquetCell::Number(v), _) => scorer.number(column, v),
        (ParquetCell::Moment(days, _), InputKind::Date(_)) => Ok(days),
        (ParquetCell::Moment(..), InputKind::Number) => Err(NotOfThisKind),
        (ParquetCell::Moment(_, text), InputKind::Category(_)) => scorer.text(column, &text),
        (ParquetCell::Text(text), _) => scorer.cell(column, &text),
    }
}

fn broken(trouble: &ParquetTrouble, rows: u64) -> BatchError {
    let (kind, column, advice) = match trouble {
        ParquetTrouble::Damaged => (BatchTrouble::Malformed, None, "send the whole file"),
        ParquetTrouble::Twice(name) => (BatchTrouble::DuplicateColumn, Some(name.clone()), "rename one of them"),
        ParquetTrouble::Nested(name) => (BatchTrouble::WrongType, Some(name.clone()), "leave it out, or keep others"),
    };
    let row = (rows > 0).then_some(rows + 1);
    BatchError { trouble: kind, row, column, detail: format!("{trouble}; {advice}") }
}

#[cfg(test)]
mod tests {
    use guike_core::{Quiet, Seed};
    use guike_data::ReadOptions;

    use super::*;
    use crate::table::score::tests::trained;
    use crate::table::{Label, predict, simulate_customers, write_table_csv};

    /// The bytes that come of a file, and what ended it.
    fn all_of(scorer: &Scorer, file: Scratch, keep: &Keep, most: u64) -> Result<Vec<u8>, BatchError> {
        let mut batch = ParquetBatch::open(scorer, file, keep, most)?;
        let mut out = Vec::new();
        while !batch.next(scorer, &mut out)? {}
        Ok(out)
    }

    fn file_of(bytes: &[u8]) -> Scratch {
        let mut scratch = Scratch::new().expect("a file");
        scratch.push(bytes).expect("written");
        scratch
    }

    #[allow(clippy::disallowed_methods)] // reads a table of a temporary folder
    fn lies(path: &std::path::Path) -> Scratch {
        file_of(&std::fs::read(path).expect("read"))
    }

    #[test]
    #[allow(clippy::disallowed_methods)] // reads and writes tables in a temporary folder
    fn a_parquet_file_is_answered_with_what_guike_predict_says_of_it_and_its_own_columns() {
        let (scorer, _, folder) = trained("boosting", |_| ());
        let n = 20_000;
        let table = simulate_customers(n, Label::Drawn, Seed(2)).expect("simulated");
        let ids: Vec<String> = (0..n).map(|i| format!("{i:05}")).collect();
        let texts = |name: &str| -> Vec<String> {
            let column = table.column(name).expect("a column");
            (0..n).map(|i| crate::table::rows::text(column, i)).collect()
        };
        let category = texts("category");
        let numbers: Vec<(&str, Vec<f64>)> = ["age", "income", "purchase_frequency", "amount"]
            .into_iter()
            .map(|name| (name, table.column(name).and_then(|c| c.as_numeric()).expect("numbers").to_vec()))
            .collect();
        let mut columns = vec![
            OutColumn { name: "id", data: OutData::Text(&ids) },
            OutColumn { name: "category", data: OutData::Text(&category) },
        ];
        columns.extend(numbers.iter().map(|(name, v)| OutColumn { name, data: OutData::Number(v) }));
        let path = folder.path().join("new.parquet");
        guike_store::write_parquet(&path, &columns).expect("written");

        let out = all_of(&scorer, lies(&path), &Keep::All, u64::MAX).expect("predicted");
        let answered = folder.path().join("answered.parquet");
        std::fs::write(&answered, &out).expect("written");
        let read =
            guike_data::read_table(answered.as_path(), &ReadOptions::default(), &[], &Quiet).expect("read").table;
        let names: Vec<&str> = read.columns().iter().map(|c| c.name.as_str()).collect();
        assert_eq!(names[..6], ["id", "category", "age", "income", "purchase_frequency", "amount"]);
        assert_eq!(names[6..], ["predicted", "p_high", "p_low"]);
        assert_eq!(crate::table::rows::text(read.column("id").expect("ids"), 7), "00007", "texts stay texts");
        let p = read.column("p_high").and_then(|c| c.as_numeric()).expect("numbers");
        let csv = folder.path().join("new.csv");
        write_table_csv(&table, &csv).expect("written");
        let (model, options) = (folder.path().join("model"), ReadOptions::default());
        let expected = predict(&model, csv.as_path(), &options, &Quiet).expect("predicted");
        let (head, cells) = expected.cells();
        let high = head.iter().position(|c| c == "p_high").expect("a column");
        for (i, (p, row)) in p.iter().zip(&cells).enumerate() {
            assert!((p - row[high].as_f64().expect("a number")).abs() < 1e-8, "row {i}");
        }
        // only some columns, in this order
        let keep = Keep::parse("amount,id");
        let out = all_of(&scorer, lies(&path), &keep, u64::MAX).expect("predicted");
        let names = ParquetRows::open(file_of(&out).whole().expect("read")).expect("parquet").names().join(",");
        assert_eq!(names, "amount,id,predicted,p_high,p_low");
        let few = all_of(&scorer, lies(&path), &keep, 10).expect_err("too many");
        assert_eq!((few.trouble, few.row), (BatchTrouble::TooManyRows, Some(11)));
    }

    #[test]
    #[allow(clippy::disallowed_methods)] // writes tables into a temporary folder
    fn what_does_not_fit_is_named_with_row_and_column_and_never_with_its_value() {
        let (scorer, _, folder) = trained("logistic-regression", |s| s.drop = vec!["category".to_owned()]);
        let ages = ["30", "secret"].map(str::to_owned);
        let numbers = [1.0, 2.0];
        let mut columns = vec![OutColumn { name: "age", data: OutData::Text(&ages) }];
        columns.extend(
            ["income", "purchase_frequency", "amount"].map(|name| OutColumn { name, data: OutData::Number(&numbers) }),
        );
        let path = folder.path().join("bad.parquet");
        guike_store::write_parquet(&path, &columns).expect("written");
        let e = all_of(&scorer, lies(&path), &Keep::All, 9).expect_err("refused");
        assert_eq!((e.trouble, e.row, e.column.as_deref()), (BatchTrouble::WrongType, Some(2), Some("age")));
        assert!(!e.detail.contains("secret"), "{e}");
        guike_store::write_parquet(&path, &columns[1..]).expect("written");
        let e = all_of(&scorer, lies(&path), &Keep::All, 9).expect_err("refused");
        assert_eq!((e.trouble, e.column.as_deref()), (BatchTrouble::MissingColumn, Some("age")));
        let whole = std::fs::read(&path).expect("read");
        for bytes in [&b"PAR1"[..], &whole[..whole.len() / 2], b"", b"age,income\n1,2\n"] {
            let e = all_of(&scorer, file_of(bytes), &Keep::All, 9).expect_err("refused");
            assert_eq!((e.trouble, e.row), (BatchTrouble::Malformed, None), "{e}");
        }
    }
}
