//! Text of any encoding as UTF-8, in a stream.
//!
//! How the encoding is found: a byte order mark decides (UTF-8, UTF-16). Otherwise the first 64 KiB-piece with a byte
//! above 127 decides: valid UTF-8 is UTF-8; else, if every high byte is part of a valid GB18030 pair and at least half of
//! the pairs are common characters (GB2312 level 1 and punctuation), it is GB18030, which contains GBK and GB2312; else
//! Windows-1252, which contains Latin-1. Pure ASCII is all of these at once. `--encoding` overrides.
//!
//! Exports of several programs put one after another may mix encodings: a line of a UTF-8 text that is no UTF-8 is judged
//! by itself, and that it happened is said.

use std::io::{self, Read};

use encoding_rs::{Decoder, Encoding, GB18030, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

/// The encoding that `label` names, with `gbk` and `latin-1` among them.
pub(crate) fn by_name(label: &str) -> Option<&'static Encoding> {
    let label = label.trim().to_ascii_lowercase();
    match label.as_str() {
        "gbk" | "gb2312" | "gb18030" | "cp936" => Some(GB18030),
        "latin-1" | "latin1" | "cp1252" => Some(WINDOWS_1252),
        "utf8" => Some(UTF_8),
        "utf16" | "utf-16" => Some(UTF_16LE),
        other => Encoding::for_label(other.as_bytes()),
    }
}

/// UTF-16 that begins without a byte order mark, as some tills write it: every other byte of plain text is zero.
pub(crate) fn unmarked_utf16(head: &[u8]) -> Option<&'static Encoding> {
    let zeros = |odd: usize| head.iter().skip(odd).step_by(2).filter(|b| **b == 0).count();
    let (even, odd, half) = (zeros(0), zeros(1), head.len() / 2);
    // names of goods may be Chinese: most of the rest is digits and delimiters
    match half >= 4 {
        true if odd * 2 > half && even * 10 < odd => Some(UTF_16LE),
        true if even * 2 > half && odd * 10 < even => Some(UTF_16BE),
        _ => None,
    }
}

/// The encoding of a piece of text that begins with its first byte; `None` when it is ASCII so far.
pub(crate) fn detect(piece: &[u8], at_start: bool) -> Option<&'static Encoding> {
    if at_start && let Some((encoding, _)) = Encoding::for_bom(piece) {
        return Some(encoding);
    }
    if at_start && let Some(encoding) = unmarked_utf16(piece) {
        return Some(encoding);
    }
    let first = piece.iter().position(|b| *b >= 0x80)?;
    let high = &piece[first..];
    match std::str::from_utf8(high) {
        Ok(_) => Some(UTF_8),
        // a character cut by the end of the piece is no fault
        Err(e) if e.error_len().is_none() && e.valid_up_to() + 4 > high.len() && high.len() > 3 => Some(UTF_8),
        Err(_) if is_partly_utf8(piece) => Some(UTF_8),
        Err(_) if is_gb18030(high) => Some(GB18030),
        Err(_) => Some(WINDOWS_1252),
    }
}

/// Whether a good part of the lines with high bytes are UTF-8; in text of another encoding hardly any is, by chance.
fn is_partly_utf8(piece: &[u8]) -> bool {
    let high = || piece.split(|&b| b == b'\n').filter(|l| !l.is_ascii());
    let valid = high().filter(|l| std::str::from_utf8(l).is_ok()).count();
    valid * 5 >= high().count()
}

/// Appends lines of a text that is UTF-8 by and large; whether a character could not be read, and the encoding of lines
/// that are something else.
fn decode_lines(bytes: &[u8], out: &mut Vec<u8>) -> (bool, Option<&'static Encoding>) {
    if std::str::from_utf8(bytes).is_ok() {
        out.extend_from_slice(bytes);
        return (false, None);
    }
    let (mut replaced, mut other) = (false, None);
    for line in bytes.split_inclusive(|&b| b == b'\n') {
        if std::str::from_utf8(line).is_ok() {
            out.extend_from_slice(line);
            continue;
        }
        let lossy = String::from_utf8_lossy(line);
        let broken = lossy.chars().filter(|&c| c == char::REPLACEMENT_CHARACTER).count();
        let whole = lossy.chars().filter(|&c| !c.is_ascii() && c != char::REPLACEMENT_CHARACTER).count();
        if whole >= broken {
            // one character cut short, as where a field has a limit in bytes
            replaced = true;
            out.extend_from_slice(lossy.as_bytes());
            continue;
        }
        let encoding = if is_gb18030(line) { GB18030 } else { WINDOWS_1252 };
        other = Some(encoding);
        out.extend_from_slice(encoding.decode_without_bom_handling(line).0.as_bytes());
    }
    (replaced, other)
}

fn is_gb18030(bytes: &[u8]) -> bool {
    let (mut pairs, mut common, mut i) = (0_usize, 0_usize, 0);
    while i < bytes.len() {
        let lead = bytes[i];
        if lead < 0x80 {
            i += 1;
            continue;
        }
        let Some(&trail) = bytes.get(i + 1) else { break };
        let ok = (0x81..=0xfe).contains(&lead)
            && ((0x40..=0xfe).contains(&trail) && trail != 0x7f || trail.is_ascii_digit());
        if !ok {
            return false;
        }
        pairs += 1;
        // GB2312 symbols (A1–A3) and its 3,755 most used characters (B0–D7)
        common += usize::from(trail >= 0xa1 && (matches!(lead, 0xa1..=0xa3) || matches!(lead, 0xb0..=0xd7)));
        i += 2;
    }
    pairs > 0 && common * 2 >= pairs
}

/// Reads bytes of some encoding, gives UTF-8.
pub(crate) struct Utf8Reader<R> {
    inner: R,
    given: Option<&'static Encoding>,
    decoder: Option<Decoder>,
    started: bool,
    raw: Vec<u8>,
    used: &'static str,
    replaced: bool,
    /// Lines of a UTF-8 text, the last one not yet ended.
    lines: Option<Vec<u8>>,
    mixed: Option<&'static str>,
}

const PIECE: usize = 64 << 10;

impl<R: Read> Utf8Reader<R> {
    /// Decodes with `given`, or with what the bytes look like.
    pub(crate) fn new(inner: R, given: Option<&'static Encoding>) -> Utf8Reader<R> {
        Utf8Reader {
            inner,
            given,
            decoder: None,
            started: false,
            raw: vec![0; PIECE],
            used: "ASCII",
            replaced: false,
            lines: None,
            mixed: None,
        }
    }

    /// Name of the encoding found so far.
    pub(crate) fn encoding(&self) -> &'static str {
        self.used
    }

    /// Whether some bytes were not valid in that encoding and became U+FFFD.
    pub(crate) fn replaced(&self) -> bool {
        self.replaced
    }

    /// The encoding of lines that are not in the encoding of the text.
    pub(crate) fn mixed(&self) -> Option<&'static str> {
        self.mixed
    }

    /// Appends the lines that have ended, all of them at the end of the text.
    fn take_lines(&mut self, n: usize, last: bool, out: &mut Vec<u8>) {
        const LONGEST: usize = 1 << 20;
        let lines = self.lines.get_or_insert_default();
        lines.extend_from_slice(&self.raw[..n]);
        let end = if last { lines.len() } else { memchr::memrchr(b'\n', lines).map_or(0, |at| at + 1) };
        // a line without end must not fill the memory; the reader refuses it anyway
        let end = if end == 0 && lines.len() > LONGEST { lines.len() } else { end };
        let (replaced, other) = decode_lines(&lines[..end], out);
        lines.drain(..end);
        self.replaced |= replaced;
        self.mixed = self.mixed.or(other.map(Encoding::name));
    }

    /// Appends the next piece to `out`; false at the end.
    pub(crate) fn read_into(&mut self, out: &mut Vec<u8>) -> io::Result<bool> {
        let n = loop {
            match self.inner.read(&mut self.raw) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                other => break other?,
            }
        };
        let last = n == 0;
        if self.lines.is_some() {
            self.take_lines(n, last, out);
            return Ok(!last);
        }
        let piece = &self.raw[..n];
        if self.decoder.is_none() {
            let found = self.given.or_else(|| detect(piece, !self.started));
            if let Some(encoding) = found {
                self.used = encoding.name();
                if encoding == UTF_8 && self.given.is_none() {
                    let mark = !self.started && piece.starts_with(b"\xef\xbb\xbf");
                    let from = if mark { 3 } else { 0 };
                    self.raw.copy_within(from..n, 0);
                    self.started = true;
                    self.take_lines(n - from, last, out);
                    return Ok(!last);
                }
                self.decoder = Some(if self.started {
                    encoding.new_decoder_without_bom_handling()
                } else {
                    encoding.new_decoder_with_bom_removal()
                });
            }
        }
        self.started = true;
        match &mut self.decoder {
            None => out.extend_from_slice(piece),
            Some(decoder) => {
                let room = decoder.max_utf8_buffer_length(n).unwrap_or(n * 3 + 16);
                let start = out.len();
                out.resize(start + room, 0);
                let (_, _, written, bad) = decoder.decode_to_utf8(piece, &mut out[start..], last);
                self.replaced |= bad;
                out.truncate(start + written);
            }
        }
        Ok(!last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8], given: Option<&str>) -> (String, &'static str) {
        let mut reader = Utf8Reader::new(bytes, given.and_then(by_name));
        let mut out = Vec::new();
        while reader.read_into(&mut out).expect("reading a slice") {}
        (String::from_utf8(out).expect("UTF-8"), reader.encoding())
    }

    #[test]
    fn encodings_are_found_from_the_bytes() {
        let text = "会员,金额\n张三,12\n";
        assert_eq!(read(text.as_bytes(), None), (text.into(), "UTF-8"));
        let bom = [&b"\xef\xbb\xbf"[..], text.as_bytes()].concat();
        assert_eq!(read(&bom, None), (text.into(), "UTF-8"));
        let utf16: Vec<u8> = std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
        assert_eq!(read(&utf16, None), (text.into(), "UTF-16LE"));
        let (gbk, _, _) = encoding_rs::GBK.encode(text);
        assert_eq!(read(&gbk, None), (text.into(), "gb18030"));
        assert_eq!(read(b"caf\xe9,1\nn\xfcrnberg,2\n", None), ("café,1\nnürnberg,2\n".into(), "windows-1252"));
        assert_eq!(read(b"a,b\n", None), ("a,b\n".into(), "ASCII"));
        let little: Vec<u8> = "a,金额\n1,2\n3,4\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(read(&little, None), ("a,金额\n1,2\n3,4\n".into(), "UTF-16LE"));
    }

    #[test]
    fn lines_in_another_encoding_are_read_as_such() {
        let (gbk, _, _) = encoding_rs::GBK.encode("李四,2\n");
        let mixed = ["张三,1\n".as_bytes(), &gbk, b"M\xfcller,3\n", "王五,4".as_bytes()].concat();
        assert_eq!(read(&mixed, None).0, "张三,1\n李四,2\nMüller,3\n王五,4");
        let cut = ["张三,一二三\n李四,一二".as_bytes(), b"\xe4\xb8,5\n"].concat();
        assert_eq!(read(&cut, None).0, "张三,一二三\n李四,一二\u{fffd},5\n");
    }

    #[test]
    fn a_given_encoding_overrides() {
        let (gbk, _, _) = encoding_rs::GBK.encode("金额");
        assert_eq!(read(&gbk, Some("latin-1")).1, "windows-1252");
        assert!(by_name("klingon").is_none());
    }
}
