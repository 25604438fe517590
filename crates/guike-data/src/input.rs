//! Opening a file: what it is by its first bytes, and its content as a stream of bytes.
//!
//! The content decides and not the extension: people rename files. Compression is looked through before the format is
//! asked for. Nothing here holds more than a few hundred kilobytes.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::encoding::unmarked_utf16;
use crate::error::DataError;
use crate::files::{LogFile, Origin};

/// How the bytes of the file are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    /// Not at all.
    None,
    /// gzip, possibly several members.
    Gzip,
    /// Zstandard.
    Zstd,
}

impl Compression {
    pub(crate) fn name(self) -> Option<&'static str> {
        match self {
            Compression::None => None,
            Compression::Gzip => Some("gzip"),
            Compression::Zstd => Some("zstd"),
        }
    }
}

/// What the content is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// Delimited text.
    Delimited,
    /// JSON objects, one after another or in an array.
    Json,
    /// Parquet.
    Parquet,
    /// A workbook: xlsx, xlsb, xls or ods.
    Workbook,
    /// An SQLite database.
    Sqlite,
}

/// A file and what it is.
#[derive(Debug, Clone)]
pub(crate) struct Input {
    /// What errors call it.
    pub(crate) path: PathBuf,
    file: LogFile,
    pub(crate) compression: Compression,
    pub(crate) format: Format,
    /// Size on disk.
    pub(crate) bytes: u64,
}

/// First bytes of formats that people hand in by mistake.
const STRANGERS: &[(&[u8], &str)] = &[
    (b"%PDF", "a PDF document"),
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a Windows program"),
    (b"BZh", "a bzip2 archive; unpack it first"),
    (b"\xfd7zXZ\0", "an xz archive; unpack it first"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive; unpack it first"),
    (b"Rar!", "a RAR archive; unpack it first"),
    (b"ORC", "an ORC file; convert it to Parquet"),
    (b"Obj\x01", "an Avro file; convert it to Parquet"),
    (b"ARROW1", "an Arrow file; convert it to Parquet"),
    (b"\x89HDF", "an HDF5 file; convert it to Parquet"),
    (b"RDX", "an R data file; write it as CSV"),
    (b"\x80\x04", "a Python pickle; write it as Parquet or CSV"),
    (b"<!DOCTYPE", "a web page"),
    (b"<!doctype", "a web page"),
    (b"<html", "a web page"),
    (b"<?xml", "an XML document"),
    (b"version https://git-lfs", "a Git LFS pointer; fetch the file itself"),
];

/// Bytes of content looked at to tell what it is.
const HEAD: usize = 64 << 10;

impl Input {
    /// Looks at the first bytes of `file`.
    ///
    /// # Errors
    /// When the file cannot be read, is empty, or is something else than an order log.
    pub(crate) fn open(file: &LogFile) -> Result<Input, DataError> {
        let path = file.name();
        let io = |e| DataError::io("read", path, e);
        let opened = File::open(file.at()).map_err(io)?;
        let meta = opened.metadata().map_err(io)?;
        if meta.is_dir() {
            return Err(DataError::io(
                "read",
                path,
                io::Error::new(io::ErrorKind::IsADirectory, "it is a folder; give a file"),
            ));
        }
        let raw = read_head(opened, 8).map_err(io)?;
        let compression = match raw[..] {
            [0x1f, 0x8b, ..] => Compression::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Compression::Zstd,
            _ => Compression::None,
        };
        let (path, file) = (path.to_owned(), file.clone());
        let mut input = Input { path, file, compression, format: Format::Delimited, bytes: meta.len() };
        let head = read_head(input.stream()?.0, HEAD).map_err(|e| input.stream_error(e))?;
        input.format = input.format_of(&head)?;
        if input.compression != Compression::None
            && matches!(input.format, Format::Parquet | Format::Workbook | Format::Sqlite)
        {
            let found =
                format!("a {} file inside {}; unpack it first", input.format_name(), compression.name().unwrap_or(""));
            return Err(DataError::NotALog { path: input.path, found });
        }
        Ok(input)
    }

    /// The file itself, from its start.
    pub(crate) fn file(&self) -> Result<File, DataError> {
        File::open(self.file.at()).map_err(|e| DataError::io("read", &self.path, e))
    }

    /// Where its bytes lie.
    pub(crate) fn at(&self) -> &Path {
        self.file.at()
    }

    /// The database that its rows were copied from.
    pub(crate) fn origin(&self) -> Option<&Origin> {
        self.file.origin()
    }

    /// What the report calls it.
    pub(crate) fn short_name(&self) -> String {
        self.file.short_name()
    }

    fn format_name(&self) -> &'static str {
        match self.format {
            Format::Delimited => "text",
            Format::Json => "JSON",
            Format::Parquet => "Parquet",
            Format::Workbook => "workbook",
            Format::Sqlite => "SQLite",
        }
    }

    fn format_of(&self, head: &[u8]) -> Result<Format, DataError> {
        let stranger =
            |found: &str| DataError::NotALog { path: self.path.clone(), found: format!("it looks like {found}") };
        if head.is_empty() || (head.len() < HEAD && head.iter().all(u8::is_ascii_whitespace)) {
            return Err(DataError::Empty { path: self.path.clone() });
        }
        if head.starts_with(b"PAR1") {
            return Ok(Format::Parquet);
        }
        if head.starts_with(b"PK\x03\x04") || head.starts_with(&[0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1]) {
            return Ok(Format::Workbook);
        }
        if head.starts_with(b"SQLite format 3\0") {
            return Ok(Format::Sqlite);
        }
        if let Some((_, what)) = STRANGERS.iter().find(|(magic, _)| head.starts_with(magic)) {
            return Err(stranger(what));
        }
        let marked = head.starts_with(&[0xff, 0xfe]) || head.starts_with(&[0xfe, 0xff]);
        let utf16 = marked || unmarked_utf16(head).is_some();
        if !utf16 {
            // text has tabs, line ends and form feeds; a handful of other control bytes may be somebody's typo
            let control = |b: &u8| *b < 0x20 && !matches!(*b, b'\t' | b'\n' | b'\r' | 0x0c | 0x1b);
            let controls = head.iter().filter(|b| control(b)).count();
            let zeros = head.iter().filter(|b| **b == 0).count();
            if controls * 100 > head.len() || zeros * 1000 > head.len() {
                return Err(stranger("binary data"));
            }
        }
        let text = head.strip_prefix(&[0xef, 0xbb, 0xbf]).unwrap_or(head).trim_ascii_start();
        Ok(match text {
            [b'{', ..] => Format::Json,
            [b'[', rest @ ..] if matches!(rest.trim_ascii_start().first(), Some(b'{' | b']')) => Format::Json,
            _ => Format::Delimited,
        })
    }

    /// The unpacked content, and a counter of the bytes taken from disk.
    pub(crate) fn stream(&self) -> Result<(Box<dyn Read + Send>, Arc<AtomicU64>), DataError> {
        let file = self.file()?;
        let taken = Arc::new(AtomicU64::new(0));
        let counted = Counted { inner: file, taken: Arc::clone(&taken) };
        let stream: Box<dyn Read + Send> = match self.compression {
            Compression::None => Box::new(counted),
            Compression::Gzip => {
                Box::new(flate2::bufread::MultiGzDecoder::new(io::BufReader::with_capacity(256 << 10, counted)))
            }
            Compression::Zstd => {
                Box::new(zstd::stream::read::Decoder::new(counted).map_err(|e| DataError::io("read", &self.path, e))?)
            }
        };
        Ok((stream, taken))
    }

    /// What a failed read of the unpacked content means.
    pub(crate) fn stream_error(&self, error: io::Error) -> DataError {
        let (path, name) = (self.path.clone(), self.compression.name());
        match (error.kind(), name) {
            (io::ErrorKind::UnexpectedEof, Some(format)) => DataError::Truncated { path, format },
            (_, Some("zstd")) if error.to_string().contains("incomplete") => {
                DataError::Truncated { path, format: "zstd" }
            }
            (io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData | io::ErrorKind::Other, Some(format)) => {
                DataError::Damaged { path, detail: format!("its {format} data cannot be unpacked ({error})") }
            }
            _ => DataError::io("read", &self.path, error),
        }
    }
}

/// Counts what passes.
struct Counted<R> {
    inner: R,
    taken: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buf)?;
        self.taken.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

/// Up to `most` bytes from the start. A stream that breaks after some bytes gives those: the break is met again later.
pub(crate) fn read_head(mut stream: impl Read, most: usize) -> io::Result<Vec<u8>> {
    let mut head = vec![0; most];
    let mut n = 0;
    while n < most {
        match stream.read(&mut head[n..]) {
            Ok(0) => break,
            Ok(got) => n += got,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(_) if n > 0 => break,
            Err(e) => return Err(e),
        }
    }
    head.truncate(n);
    Ok(head)
}
