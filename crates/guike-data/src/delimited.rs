//! Delimited text: its dialect, where records end, and cells as spans.
//!
//! Two steps so that threads can work: [`records_end`] cuts the stream where a record surely ends (a serial scan that only
//! stops at quotes), and [`tokenize`] turns such a piece into columns. A quote opens a quoted cell only at the start of a
//! cell; anywhere else it is an ordinary character, as in `5" pipe`.

use arrow_buffer::Buffer;
use memchr::{memchr, memchr2, memrchr};
use xxhash_rust::xxh3::xxh3_64;

use crate::block::{Block, Column, Span};

/// What separates cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delimiter {
    /// One character.
    Byte(u8),
    /// Runs of spaces and tabs, as in fixed-width tables.
    Spaces,
}

impl Delimiter {
    /// For the report.
    pub(crate) fn name(self) -> String {
        match self {
            Delimiter::Byte(b'\t') => "tab".into(),
            Delimiter::Byte(b) => char::from(b).to_string(),
            Delimiter::Spaces => "space".into(),
        }
    }

    /// The delimiter an option names.
    pub(crate) fn by_name(text: &str) -> Option<Delimiter> {
        match text {
            "tab" | "\\t" | "\t" => Some(Delimiter::Byte(b'\t')),
            "space" | "spaces" | " " => Some(Delimiter::Spaces),
            "comma" => Some(Delimiter::Byte(b',')),
            "semicolon" => Some(Delimiter::Byte(b';')),
            _ => match text.as_bytes() {
                [b] if b.is_ascii_punctuation() && *b != b'"' => Some(Delimiter::Byte(*b)),
                _ => None,
            },
        }
    }
}

const QUOTE: u8 = b'"';

/// Where the text after the closing quote of a cell that opens at `open` begins; `None` when it is not closed.
fn after_quoted(b: &[u8], open: usize) -> Option<usize> {
    let mut at = open + 1;
    loop {
        at += memchr(QUOTE, &b[at..])? + 1;
        if b.get(at) != Some(&QUOTE) {
            return Some(at);
        }
        at += 1;
    }
}

/// The end of the last complete record in `b`, which begins with a record; 0 when there is none.
pub(crate) fn records_end(b: &[u8], delimiter: Delimiter) -> usize {
    let Delimiter::Byte(delimiter) = delimiter else {
        return memrchr(b'\n', b).map_or(0, |at| at + 1);
    };
    let (mut from, mut end) = (0, 0);
    loop {
        let quote = memchr(QUOTE, &b[from..]).map(|at| from + at);
        let stop = quote.unwrap_or(b.len());
        if let Some(at) = memrchr(b'\n', &b[from..stop]) {
            end = from + at + 1;
        }
        let Some(quote) = quote else { return end };
        let opens = quote == 0 || b[quote - 1] == delimiter || b[quote - 1] == b'\n';
        if opens {
            match after_quoted(b, quote) {
                Some(next) => from = next,
                None => return end,
            }
        } else {
            from = quote + 1;
        }
    }
}

/// Whether `b`, a complete piece, ends inside a quoted cell.
pub(crate) fn ends_open(b: &[u8], delimiter: Delimiter) -> bool {
    let tail = &b[records_end(b, delimiter)..];
    // what is left is one unfinished record: walk its cells
    let Delimiter::Byte(d) = delimiter else { return false };
    let mut at = 0;
    while at < tail.len() {
        if tail[at] == QUOTE {
            match after_quoted(tail, at) {
                Some(next) => at = next,
                None => return true,
            }
        }
        match memchr(d, &tail[at..]) {
            Some(next) => at += next + 1,
            None => return false,
        }
    }
    false
}

/// Which cells of a record are wanted.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    pub(crate) delimiter: Delimiter,
    /// Cells of a well-formed record.
    pub(crate) n_cells: usize,
    /// Numbers of the wanted columns.
    pub(crate) wanted: Vec<usize>,
    /// Whether whole rows are hashed.
    pub(crate) hash: bool,
}

fn trim(b: &[u8], (mut from, mut to): (usize, usize)) -> Span {
    while from < to && matches!(b[from], b' ' | b'\t' | b'\r') {
        from += 1;
    }
    while to > from && matches!(b[to - 1], b' ' | b'\t' | b'\r') {
        to -= 1;
    }
    let odd = |c: u8| c >= 0x80 || matches!(c, b'`' | b'=' | b'\'' | QUOTE);
    if from < to && (odd(b[from]) || b[to - 1] >= 0x80) {
        return trim_marks(b, (from, to));
    }
    (from as u32, to as u32)
}

/// Takes off what is no part of a cell's value: spaces that are none of ASCII's, and the marks by which exports tell a
/// spreadsheet that a number is text (a backtick, an apostrophe, `="00123"`).
#[cold]
fn trim_marks(b: &[u8], (mut from, mut to): (usize, usize)) -> Span {
    const SPACES: [&[u8]; 4] = [b"\xc2\xa0", b"\xe3\x80\x80", b"\xe2\x80\x8b", b"\xef\xbb\xbf"];
    while let Some(space) = SPACES.iter().find(|s| b[from..to].starts_with(s)) {
        from += space.len();
    }
    while let Some(space) = SPACES.iter().find(|s| b[from..to].ends_with(s)) {
        to -= space.len();
    }
    let cell = &b[from..to];
    let inner = |text: &[u8], mark: u8| !text.is_empty() && !text.contains(&mark);
    if let [b'=', QUOTE, text @ .., QUOTE] = cell
        && inner(text, QUOTE)
    {
        return (from as u32 + 2, to as u32 - 1);
    }
    match cell {
        // quotes behind a space, as in `1, "2024-05-01"`
        [QUOTE, text @ .., QUOTE] if inner(text, QUOTE) => (from as u32 + 1, to as u32 - 1),
        [mark @ (b'`' | b'\''), text @ ..] if inner(text, *mark) => (from as u32 + 1, to as u32),
        _ => (from as u32, to as u32),
    }
}

/// The rows of `bytes`, whole records only.
pub(crate) fn tokenize(mut bytes: Vec<u8>, layout: &Layout) -> Block {
    if let Delimiter::Spaces = layout.delimiter {
        return tokenize_spaces(bytes, layout);
    }
    let Delimiter::Byte(delimiter) = layout.delimiter else { unreachable!("spaces were dealt with above") };
    let mut slot_of = vec![usize::MAX; layout.n_cells];
    layout.wanted.iter().enumerate().for_each(|(slot, &c)| slot_of[c] = slot);
    let mut spans: Vec<Vec<Span>> = vec![Vec::new(); layout.wanted.len()];
    let mut block = Block::default();
    let mut unescaped: Vec<u8> = Vec::new();
    let end = bytes.len();
    let mut at = 0;
    while at < end {
        // blank lines are no rows
        if bytes[at] == b'\n' || (bytes[at] == b'\r' && bytes.get(at + 1) == Some(&b'\n')) {
            at += 1 + usize::from(bytes[at] == b'\r');
            continue;
        }
        let start = at;
        let (mut cell, mut extra) = (0, false);
        loop {
            let mut span = None;
            let mut from = at;
            if at < end && bytes[at] == QUOTE {
                let next = after_quoted(&bytes, at).unwrap_or(end);
                let clean_end = next >= end || bytes[next] == delimiter || matches!(bytes[next], b'\n' | b'\r');
                if clean_end {
                    let inner = (at + 1, (next - 1).max(at + 1));
                    span = Some(if memchr(QUOTE, &bytes[inner.0..inner.1]).is_some() {
                        let begin = end + unescaped.len();
                        let text = &bytes[inner.0..inner.1];
                        let mut i = 0;
                        while i < text.len() {
                            unescaped.push(text[i]);
                            i += if text[i] == QUOTE { 2 } else { 1 };
                        }
                        (begin as u32, (end + unescaped.len()) as u32)
                    } else {
                        trim(&bytes, inner)
                    });
                }
                from = next;
            }
            let stop = memchr2(delimiter, b'\n', &bytes[from..]).map_or(end, |n| from + n);
            let slot = slot_of.get(cell).copied();
            match slot {
                Some(usize::MAX) => {}
                Some(slot) => spans[slot].push(span.unwrap_or_else(|| trim(&bytes, (at, stop)))),
                None => {
                    let (a, b) = span.unwrap_or_else(|| trim(&bytes, (at, stop)));
                    extra |= a < b;
                }
            }
            cell += 1;
            at = stop + 1;
            if stop >= end || bytes[stop] == b'\n' {
                break;
            }
        }
        let line = start..at.min(end + 1) - 1;
        let position = block.n_source_rows as u32;
        block.n_source_rows += 1;
        let raw = &bytes[line.start..line.end.min(end)];
        let raw = raw.strip_suffix(b"\r").unwrap_or(raw);
        // a trailing delimiter gives one cell too many, and it is empty: no harm
        if cell < layout.n_cells || extra {
            spans.iter_mut().for_each(|s| s.truncate(block.n_rows));
            if block.misshapen.is_empty() {
                block.positions = (0..block.n_rows as u32).collect();
            }
            block.misshapen.push(position);
            if layout.hash {
                block.misshapen_hash.push(xxh3_64(raw));
            }
            continue;
        }
        block.n_rows += 1;
        if !block.misshapen.is_empty() {
            block.positions.push(position);
        }
        if layout.hash {
            block.hash.push(xxh3_64(raw));
        }
    }
    bytes.append(&mut unescaped);
    finish(block, bytes, spans)
}

fn finish(mut block: Block, bytes: Vec<u8>, spans: Vec<Vec<Span>>) -> Block {
    let bytes = Buffer::from_vec(bytes);
    block.columns = spans.into_iter().map(|spans| Column::Text { bytes: bytes.clone(), spans }).collect();
    block
}

fn tokenize_spaces(bytes: Vec<u8>, layout: &Layout) -> Block {
    let mut spans: Vec<Vec<Span>> = vec![Vec::new(); layout.wanted.len()];
    let mut block = Block::default();
    let mut cells: Vec<Span> = Vec::new();
    for line in bytes.split(|&b| b == b'\n') {
        let base = line.as_ptr() as usize - bytes.as_ptr() as usize;
        cells.clear();
        let mut at = 0;
        while at < line.len() {
            if line[at].is_ascii_whitespace() {
                at += 1;
                continue;
            }
            let stop = line[at..].iter().position(u8::is_ascii_whitespace).map_or(line.len(), |n| at + n);
            cells.push(((base + at) as u32, (base + stop) as u32));
            at = stop;
        }
        if cells.is_empty() {
            continue;
        }
        let position = block.n_source_rows as u32;
        block.n_source_rows += 1;
        let hash = layout.hash.then(|| xxh3_64(line.trim_ascii()));
        if cells.len() != layout.n_cells {
            if block.misshapen.is_empty() {
                block.positions = (0..block.n_rows as u32).collect();
            }
            block.misshapen.push(position);
            block.misshapen_hash.extend(hash);
            continue;
        }
        if !block.misshapen.is_empty() {
            block.positions.push(position);
        }
        block.n_rows += 1;
        block.hash.extend(hash);
        for (slot, &c) in layout.wanted.iter().enumerate() {
            spans[slot].push(cells[c]);
        }
    }
    finish(block, bytes, spans)
}

/// The cells of the first record of `b` (which may go on after it), and where the next begins.
pub(crate) fn first_record(b: &[u8], delimiter: Delimiter) -> (Vec<String>, usize) {
    let mut skipped = 0;
    while b.get(skipped).is_some_and(|c| matches!(c, b'\n' | b'\r')) {
        skipped += 1;
    }
    let b = &b[skipped..];
    let text = |a: usize, z: usize| {
        let (a, z) = trim(b, (a, z));
        String::from_utf8_lossy(&b[a as usize..z as usize]).into_owned()
    };
    let line_end = |from: usize| memchr(b'\n', &b[from..]).map_or(b.len(), |n| from + n);
    let Delimiter::Byte(delimiter) = delimiter else {
        let end = line_end(0);
        let line = String::from_utf8_lossy(&b[..end]);
        return (line.split_ascii_whitespace().map(str::to_owned).collect(), skipped + (end + 1).min(b.len()));
    };
    let mut cells = Vec::new();
    let mut at = 0;
    loop {
        let quoted = if b.get(at) == Some(&QUOTE) { after_quoted(b, at) } else { None };
        let from = quoted.unwrap_or(at);
        let stop = memchr2(delimiter, b'\n', &b[from..]).map_or(b.len(), |n| from + n);
        cells.push(match quoted {
            Some(next) if next > at + 1 => text(at + 1, next - 1).replace("\"\"", "\""),
            _ => text(at, stop),
        });
        at = (stop + 1).min(b.len());
        if stop >= b.len() || b[stop] == b'\n' {
            return (cells, skipped + at);
        }
    }
}

/// The delimiter that splits the first records of `sample` most evenly, and into how many cells.
pub(crate) fn find_delimiter(sample: &[u8]) -> (Delimiter, usize) {
    const LOOK_AT: usize = 50;
    let counts = |delimiter: Delimiter| {
        let (mut at, mut counts) = (0, Vec::new());
        while at < sample.len() && counts.len() < LOOK_AT {
            let (cells, next) = first_record(&sample[at..], delimiter);
            at += next.max(1);
            // the last record of a sample may be cut
            if at < sample.len() || counts.is_empty() {
                counts.push(cells.len());
            }
        }
        counts
    };
    let mut best = (Delimiter::Byte(b','), 1, 0.0);
    let candidates = [b',', b'\t', b';', b'|', 0x01].map(Delimiter::Byte);
    for delimiter in candidates.into_iter().chain([Delimiter::Spaces]) {
        let counts = counts(delimiter);
        let Some(&first) = counts.first() else { continue };
        let usual = *counts.iter().max_by_key(|&&c| (counts.iter().filter(|&&d| d == c).count(), c)).unwrap_or(&first);
        let even = counts.iter().filter(|&&c| c == usual).count() as f64 / counts.len() as f64;
        // spaces occur in every prose: they count only when nothing else does and all lines agree
        let eligible = usual > 1 && (delimiter != Delimiter::Spaces || (best.1 == 1 && usual > 2 && even == 1.0));
        let score = even * even * (usual as f64).sqrt();
        if eligible && score > best.2 {
            best = (delimiter, usual, score);
        }
    }
    (best.0, best.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(text: &str, delimiter: Delimiter, n_cells: usize) -> (Vec<Vec<String>>, Vec<u32>) {
        let layout = Layout { delimiter, n_cells, wanted: (0..n_cells).collect(), hash: true };
        let block = tokenize(text.as_bytes().to_vec(), &layout);
        assert_eq!(block.hash.len(), block.n_rows);
        assert_eq!(block.n_rows + block.misshapen.len(), block.n_source_rows);
        let rows = (0..block.n_rows)
            .map(|r| block.columns.iter().map(|c| String::from_utf8(c.cell_text(r)).expect("UTF-8")).collect())
            .collect();
        (rows, block.misshapen)
    }

    #[test]
    fn quotes_escapes_and_line_breaks_in_cells() {
        let text = "1,\"a,b\",x\r\n2,\"say \"\"hi\"\"\",\"two\nlines\"\n\n3, 5\" pipe ,\n4,last,one";
        let (rows, bad) = cells(text, Delimiter::Byte(b','), 3);
        assert_eq!(rows[0], ["1", "a,b", "x"]);
        assert_eq!(rows[1], ["2", "say \"hi\"", "two\nlines"]);
        assert_eq!(rows[2], ["3", "5\" pipe", ""]);
        assert_eq!(rows[3], ["4", "last", "one"]);
        assert!(bad.is_empty());
    }

    #[test]
    fn marks_for_spreadsheets_and_odd_spaces_are_no_part_of_a_cell() {
        let text = "`2024-05-01,'00123,=\"007\"\n1, \"a\" ,\"b\"\n\u{a0}a\u{3000},'t x',\u{200b}=1+1\n";
        let (rows, bad) = cells(text, Delimiter::Byte(b','), 3);
        assert_eq!(rows, [["2024-05-01", "00123", "007"], ["1", "a", "b"], ["a", "'t x'", "=1+1"]]);
        assert!(bad.is_empty());
    }

    #[test]
    fn rows_of_another_width_are_set_aside() {
        let (rows, bad) = cells("1,2\n1\n1,2,\n1,2,3\n5,6\n", Delimiter::Byte(b','), 2);
        assert_eq!((rows.len(), bad), (3, vec![1, 3]));
    }

    #[test]
    fn fixed_width_tables_split_at_runs_of_spaces() {
        let (rows, bad) = cells(" 00001 19970101  1   11.77\n 00002 19970112  1   12.00\n", Delimiter::Spaces, 4);
        assert_eq!((rows[1].join("|"), bad.len()), ("00002|19970112|1|12.00".into(), 0));
    }

    #[test]
    fn a_piece_ends_where_a_record_ends() {
        let d = Delimiter::Byte(b',');
        assert_eq!(records_end(b"a,b\nc,\"d\ne\"\nf", d), 12);
        assert_eq!(records_end(b"a,b\nc,\"d\ne", d), 4);
        assert_eq!(records_end(b"5\" x\n6\n7", d), 7);
        assert_eq!(records_end(b"no end", d), 0);
        assert!(ends_open(b"a\nb,\"c\n", d));
        assert!(!ends_open(b"a\nb,\"c\"", d));
        assert!(!ends_open(b"a\nb, 5\" x", d));
    }

    #[test]
    fn the_delimiter_is_the_one_that_splits_evenly() {
        for (text, expected) in [
            ("a,b\n1,2\n3,4\n", (Delimiter::Byte(b','), 2)),
            ("a;b\n1,5;2\n3,5;4\n", (Delimiter::Byte(b';'), 2)),
            ("a\tb c\n1\t2 2\n", (Delimiter::Byte(b'\t'), 2)),
            ("a|b|c\n1|2|3\n", (Delimiter::Byte(b'|'), 3)),
            (" 1 2 3.0\n 4 5 6.0\n", (Delimiter::Spaces, 3)),
            ("\"a,b\";c\n\"1,2\";3\n", (Delimiter::Byte(b';'), 2)),
        ] {
            assert_eq!(find_delimiter(text.as_bytes()), expected, "{text}");
        }
    }
}
