//! The text format of PostgreSQL's COPY: tabs between cells, line feeds between rows, `\N` for NULL, backslashes before what
//! would be misread (PostgreSQL 17, "COPY", File Formats, Text Format).

use crate::error::DbError;
use crate::rows::TakeRows;

/// Turns pieces of COPY's text into rows.
#[derive(Debug)]
pub(crate) struct CopyText {
    n_columns: usize,
    /// A row that has not ended yet.
    rest: Vec<u8>,
    /// Cells of the row at hand, unescaped, one after another.
    text: Vec<u8>,
    spans: Vec<Option<(usize, usize)>>,
}

impl CopyText {
    pub(crate) fn new(n_columns: usize) -> CopyText {
        CopyText { n_columns, rest: Vec::new(), text: Vec::new(), spans: Vec::new() }
    }

    /// Hands on the rows that `piece` ends, and says how many they are.
    pub(crate) fn take(&mut self, piece: &[u8], taker: &mut dyn TakeRows) -> Result<u64, DbError> {
        let mut rows = 0;
        let mut from = 0;
        // a line feed in a cell is written as `\n`: one in the text always ends a row
        while let Some(length) = piece[from..].iter().position(|&b| b == b'\n') {
            let line = &piece[from..from + length];
            if self.rest.is_empty() {
                self.row(line, taker)?;
            } else {
                let mut whole = std::mem::take(&mut self.rest);
                whole.extend_from_slice(line);
                self.row(&whole, taker)?;
            }
            rows += 1;
            from += length + 1;
        }
        self.rest.extend_from_slice(&piece[from..]);
        Ok(rows)
    }

    fn row(&mut self, line: &[u8], taker: &mut dyn TakeRows) -> Result<(), DbError> {
        self.text.clear();
        self.spans.clear();
        if self.n_columns > 0 {
            for cell in line.split(|&b| b == b'\t') {
                let start = self.text.len();
                if cell == b"\\N" {
                    self.spans.push(None);
                    continue;
                }
                unescape(cell, &mut self.text);
                self.spans.push(Some((start, self.text.len())));
            }
        }
        self.spans.resize(self.n_columns, None);
        let cells: Vec<Option<&[u8]>> = self.spans.iter().map(|s| s.map(|(a, z)| &self.text[a..z])).collect();
        taker.row(&cells).map_err(DbError::Taker)
    }
}

fn unescape(cell: &[u8], into: &mut Vec<u8>) {
    let mut rest = cell;
    while let Some(at) = rest.iter().position(|&b| b == b'\\') {
        into.extend_from_slice(&rest[..at]);
        let Some(&mark) = rest.get(at + 1) else { break };
        into.push(match mark {
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'v' => 11,
            other => other,
        });
        rest = &rest[at + 2..];
    }
    into.extend_from_slice(rest);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::Stop;

    #[derive(Default)]
    struct Rows(Vec<Vec<Option<String>>>);

    impl TakeRows for Rows {
        fn columns(&mut self, _: &[String]) -> Result<(), Stop> {
            Ok(())
        }

        fn row(&mut self, cells: &[Option<&[u8]>]) -> Result<(), Stop> {
            self.0.push(cells.iter().map(|c| c.map(|b| String::from_utf8_lossy(b).into_owned())).collect());
            Ok(())
        }
    }

    #[test]
    fn rows_are_the_same_however_the_text_is_cut() {
        let text = "a\\tb\t\\N\t\nc:\\\\d\\n\t\\\\N\t客户🙂\n".as_bytes();
        let cell = |text: &str| Some(text.to_owned());
        let expected = vec![vec![cell("a\tb"), None, cell("")], vec![cell("c:\\d\n"), cell("\\N"), cell("客户🙂")]];
        for cut in 0..=text.len() {
            let (mut rows, mut copy) = (Rows::default(), CopyText::new(3));
            let n =
                copy.take(&text[..cut], &mut rows).expect("taken") + copy.take(&text[cut..], &mut rows).expect("taken");
            assert_eq!((n, &rows.0), (2, &expected), "cut at {cut}");
        }
    }
}
