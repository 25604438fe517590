//! Text of any encoding as UTF-8, in a stream.
//!
//! How the encoding is found: a byte order mark decides (UTF-8, UTF-16). Otherwise the first 64 KiB-piece with a byte
//! above 127 decides: valid UTF-8 is UTF-8; else, if every high byte is part of a valid GB18030 pair and at least half of
//! the pairs are common characters (GB2312 level 1 and punctuation), it is GB18030, which contains GBK and GB2312; else
//! Windows-1252, which contains Latin-1. Pure ASCII is all of these at once. `--encoding` overrides.

use std::io::{self, Read};

use encoding_rs::{Decoder, Encoding, GB18030, UTF_8, UTF_16LE, WINDOWS_1252};

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

/// The encoding of a piece of text that begins with its first byte; `None` when it is ASCII so far.
pub(crate) fn detect(piece: &[u8], at_start: bool) -> Option<&'static Encoding> {
    if at_start && let Some((encoding, _)) = Encoding::for_bom(piece) {
        return Some(encoding);
    }
    let first = piece.iter().position(|b| *b >= 0x80)?;
    let high = &piece[first..];
    match std::str::from_utf8(high) {
        Ok(_) => Some(UTF_8),
        // a character cut by the end of the piece is no fault
        Err(e) if e.error_len().is_none() && e.valid_up_to() + 4 > high.len() && high.len() > 3 => Some(UTF_8),
        Err(_) if is_gb18030(high) => Some(GB18030),
        Err(_) => Some(WINDOWS_1252),
    }
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
}

const PIECE: usize = 64 << 10;

impl<R: Read> Utf8Reader<R> {
    /// Decodes with `given`, or with what the bytes look like.
    pub(crate) fn new(inner: R, given: Option<&'static Encoding>) -> Utf8Reader<R> {
        Utf8Reader { inner, given, decoder: None, started: false, raw: vec![0; PIECE], used: "ASCII", replaced: false }
    }

    /// Name of the encoding found so far.
    pub(crate) fn encoding(&self) -> &'static str {
        self.used
    }

    /// Whether some bytes were not valid in that encoding and became U+FFFD.
    pub(crate) fn replaced(&self) -> bool {
        self.replaced
    }

    /// Appends the next piece to `out`; false at the end.
    pub(crate) fn read_into(&mut self, out: &mut Vec<u8>) -> io::Result<bool> {
        let n = loop {
            match self.inner.read(&mut self.raw) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                other => break other?,
            }
        };
        let piece = &self.raw[..n];
        if self.decoder.is_none() {
            let found = self.given.or_else(|| detect(piece, !self.started));
            if let Some(encoding) = found {
                self.used = encoding.name();
                self.decoder = Some(if self.started {
                    encoding.new_decoder_without_bom_handling()
                } else {
                    encoding.new_decoder_with_bom_removal()
                });
            }
        }
        self.started = true;
        let last = n == 0;
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
    }

    #[test]
    fn a_given_encoding_overrides() {
        let (gbk, _, _) = encoding_rs::GBK.encode("金额");
        assert_eq!(read(&gbk, Some("latin-1")).1, "windows-1252");
        assert!(by_name("klingon").is_none());
    }
}
