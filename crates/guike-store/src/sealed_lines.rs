//! A file of checked lines that only grows: what was acknowledged is there, once, unchanged and in its order.
//!
//! The one idea: a line counts when it and the head after it are on disk ([`AppendOnly`]), and every line carries a checksum
//! over its text and its number. What stands behind the head was being written when the process was killed: a line that is
//! whole is kept, a part of one is cut off when the file is opened again, because nobody was told that it is there. (A head
//! with a bit that is another one leaves the one before it; the lines behind that are whole, and none is lost.) One that was
//! acknowledged and is no longer what it was is an error that names it, and never silently left out.
//!
//! What it does not do: it does not know what the lines say.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Read, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed, xxh3_128};

use crate::append_only::{AppendOnly, opened};
use crate::{StoreError, io};

/// Bytes of a head: lines, bytes and a checksum, as hexadecimal digits.
const HEAD_BYTES: usize = 51;
/// Bytes before the text of a line.
const CHECK_BYTES: usize = 17;

/// How far the file goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Head {
    lines: u64,
    bytes: u64,
}

impl Head {
    fn to_bytes(self) -> Vec<u8> {
        let text = format!("{:016x} {:016x}", self.lines, self.bytes);
        format!("{text} {:016x}\n", xxh3_64(text.as_bytes())).into_bytes()
    }

    fn parse(bytes: &[u8]) -> Option<Head> {
        let text = std::str::from_utf8(bytes).ok()?;
        let number = |range| u64::from_str_radix(text.get(range)?, 16).ok();
        let head = Head { lines: number(0..16)?, bytes: number(17..33)? };
        (head.to_bytes() == bytes).then_some(head)
    }

    /// The newer of the two places, and which it is.
    fn newest(places: &[Vec<u8>; 2]) -> Option<(Head, usize)> {
        let known = places.iter().enumerate().filter_map(|(i, bytes)| Some((Head::parse(bytes)?, i)));
        known.max_by_key(|(head, _)| head.lines)
    }
}

/// An open file of checked lines; nobody else can write it meanwhile.
#[derive(Debug)]
pub struct SealedLines {
    file: AppendOnly,
    head: Head,
}

impl SealedLines {
    /// Opens the file, or begins one, and hands over every line in its order. Beside `FILE` lies its head, `FILE.head`.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when an acknowledged line is missing or changed, or `each` says why it cannot take one;
    /// [`StoreError::InUse`] while another process writes it; [`StoreError::Io`].
    ///
    /// # Example
    /// ```
    /// use guike_store::SealedLines;
    /// let folder = std::env::temp_dir().join(format!("guike-sealed-{}", std::process::id()));
    /// std::fs::create_dir_all(&folder).unwrap();
    /// let file = folder.join("events.log");
    /// let mut lines = SealedLines::open(&file, &mut |_| Ok(())).unwrap();
    /// lines.append(["one", "two"]).unwrap(); // both are on disk now
    /// drop(lines);
    /// let mut found = Vec::new();
    /// SealedLines::open(&file, &mut |line| Ok(found.push(line.to_owned()))).unwrap();
    /// assert_eq!(found, ["one", "two"]);
    /// # std::fs::remove_dir_all(&folder).unwrap();
    /// ```
    pub fn open(path: &Path, each: &mut dyn FnMut(&str) -> Result<(), String>) -> Result<SealedLines, StoreError> {
        let opened = AppendOnly::open(path, &head_path(path), HEAD_BYTES).map_err(|e| match e {
            StoreError::Busy(path) => StoreError::InUse(path),
            e => e,
        });
        let (mut file, places) = opened?;
        let (head, place) = match Head::newest(&places) {
            Some(newest) => newest,
            // the head of an empty file is on disk before anything is acknowledged
            None if file.is_empty() => {
                file.append(b"", &Head::default().to_bytes())?;
                return Ok(SealedLines { file, head: Head::default() });
            }
            None => return Err(headless(path)),
        };
        scan(path, head, each)?;
        let whole = scan_behind(path, head, each)?;
        file.keep(whole.bytes, place)?;
        if whole != head {
            file.append(b"", &whole.to_bytes())?;
        }
        Ok(SealedLines { file, head: whole })
    }

    /// Appends lines, all or none; when this returns they are on disk.
    ///
    /// # Panics
    /// When a line holds an end of line.
    /// # Errors
    /// [`StoreError::Io`]; then none of them counts, and the next call may go well.
    pub fn append<'a>(&mut self, lines: impl IntoIterator<Item = &'a str>) -> Result<(), StoreError> {
        let (mut bytes, mut head) = (Vec::new(), self.head);
        for text in lines {
            assert!(!text.contains('\n'), "a line has no end of line in it");
            bytes.extend_from_slice(format!("{:016x} ", check(text.as_bytes(), head.lines)).as_bytes());
            bytes.extend_from_slice(text.as_bytes());
            bytes.push(b'\n');
            head.lines += 1;
        }
        if head == self.head {
            return Ok(());
        }
        head.bytes += bytes.len() as u64;
        self.file.append(&bytes, &head.to_bytes())?;
        self.head = head;
        Ok(())
    }

    /// Lines that are acknowledged.
    pub fn len(&self) -> u64 {
        self.head.lines
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.head.lines == 0
    }
}

/// Hands over every acknowledged line of such a file in its order, also while another process appends to it.
///
/// # Errors
/// As [`SealedLines::open`], but for [`StoreError::InUse`]; [`StoreError::Io`] also where there is no such file.
pub fn read_sealed_lines(path: &Path, each: &mut dyn FnMut(&str) -> Result<(), String>) -> Result<u64, StoreError> {
    let (head, is_torn) = head_of(path)?;
    scan(path, head, each)?;
    Ok(if is_torn { scan_behind(path, head, each)?.lines } else { head.lines })
}

/// Copies what is acknowledged now of such a file into a new one, every line held against its checksum, also while another
/// process appends to it; gives the number of lines.
///
/// # Errors
/// As [`read_sealed_lines`]; [`StoreError::Io`] when the copy cannot be written.
pub fn copy_sealed_lines(from: &Path, to: &Path) -> Result<u64, StoreError> {
    let (head, is_torn) = head_of(from)?;
    let mut copy = BufWriter::with_capacity(1 << 18, opened(to)?);
    let (mut number, mut failed) = (0, None);
    let mut each = |text: &str| {
        let written = writeln!(copy, "{:016x} {text}", check(text.as_bytes(), number));
        number += 1;
        written.map_err(|e| {
            failed = Some(e);
            String::new()
        })
    };
    let scanned =
        scan(from, head, &mut each).and_then(|()| if is_torn { scan_behind(from, head, &mut each) } else { Ok(head) });
    if let Some(e) = failed {
        return Err(io("write", to)(e));
    }
    let head = scanned?;
    copy.flush().map_err(io("write", to))?;
    let to = head_path(to);
    opened(&to)?.write_all(&head.to_bytes()).map_err(io("write", &to))?;
    Ok(head.lines)
}

/// How far a file goes that another process may be writing; and whether one of the two places holds no head, so that more may
/// have been acknowledged than the other one says.
fn head_of(path: &Path) -> Result<(Head, bool), StoreError> {
    let kept = std::fs::read(head_path(path)).map_err(io("read", &head_path(path)))?;
    let place = |i: usize| kept.get(i * HEAD_BYTES..(i + 1) * HEAD_BYTES).unwrap_or_default().to_vec();
    let places = [place(0), place(1)];
    let (head, _) = Head::newest(&places).ok_or_else(|| headless(path))?;
    let is_torn = places.iter().any(|p| Head::parse(p).is_none());
    Ok((head, is_torn))
}

/// Whole lines behind the head, up to the first that is none; gives how far the file goes with them.
fn scan_behind(path: &Path, head: Head, each: &mut dyn FnMut(&str) -> Result<(), String>) -> Result<Head, StoreError> {
    let mut file = File::open(path).map_err(io("read", path))?;
    file.seek(SeekFrom::Start(head.bytes)).map_err(io("read", path))?;
    let (mut file, mut whole, mut line) = (BufReader::with_capacity(1 << 18, file), head, Vec::new());
    loop {
        line.clear();
        let n = file.read_until(b'\n', &mut line).map_err(io("read", path))?;
        let Some(text) = checked(&line, whole.lines) else { return Ok(whole) };
        if each(text).is_err() {
            return Ok(whole);
        }
        whole = Head { lines: whole.lines + 1, bytes: whole.bytes + n as u64 };
    }
}

/// The text of a whole line that is what was written; its end stands on the line.
fn checked(line: &[u8], number: u64) -> Option<&str> {
    let whole = line.strip_suffix(b"\n")?;
    let text = std::str::from_utf8(whole.get(CHECK_BYTES..)?).ok()?;
    (whole[..CHECK_BYTES] == *format!("{:016x} ", check(text.as_bytes(), number)).as_bytes()).then_some(text)
}

/// 128 bits that tell texts apart; no secret is safe behind them.
pub fn digest(bytes: &[u8]) -> u128 {
    xxh3_128(bytes)
}

fn check(text: &[u8], number: u64) -> u64 {
    xxh3_64_with_seed(text, number)
}

fn head_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".head");
    PathBuf::from(name)
}

fn headless(path: &Path) -> StoreError {
    let reason = format!(
        "its head `{}` is missing or damaged, so that nobody knows how far it goes; put both back from a copy",
        head_path(path).display()
    );
    StoreError::Corrupt { path: path.to_owned(), reason }
}

/// Every line up to the head. The text of a line is never part of an error.
fn scan(path: &Path, head: Head, each: &mut dyn FnMut(&str) -> Result<(), String>) -> Result<(), StoreError> {
    let corrupt = |number: u64, what: &str| {
        let reason =
            format!("line {} of {} {what}; put the file and its head back from a copy", number + 1, head.lines);
        StoreError::Corrupt { path: path.to_owned(), reason }
    };
    let file = File::open(path).map_err(io("read", path))?;
    let mut file = BufReader::with_capacity(1 << 18, file.take(head.bytes));
    let (mut line, mut bytes) = (Vec::new(), 0);
    for number in 0..head.lines {
        line.clear();
        bytes += file.read_until(b'\n', &mut line).map_err(io("read", path))? as u64;
        match checked(&line, number) {
            Some(text) => each(text).map_err(|what| corrupt(number, &what))?,
            None if !line.ends_with(b"\n") => return Err(corrupt(number, "was cut off")),
            None => return Err(corrupt(number, "is not what was written")),
        }
    }
    if bytes != head.bytes {
        return Err(corrupt(head.lines, "was not written"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn lines(path: &Path) -> Result<Vec<String>, StoreError> {
        let mut found = Vec::new();
        SealedLines::open(path, &mut |line| {
            found.push(line.to_owned());
            Ok(())
        })?;
        Ok(found)
    }

    fn written() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("events.log");
        let mut file = SealedLines::open(&path, &mut |_| Ok(())).expect("begun");
        file.append(["one", "贵"]).expect("appended");
        file.append(["three"]).expect("appended");
        assert_eq!(file.len(), 3);
        (folder, path)
    }

    #[test]
    fn what_was_appended_is_read_back_and_a_part_of_a_line_is_cut_off() {
        let (_folder, path) = written();
        let whole = fs::read(&path).expect("read");
        let tail = format!("{:016x} four with a long tail\n", check(b"four with a long tail", 3));
        for cut in 0..tail.len() {
            fs::write(&path, [&whole[..], &tail.as_bytes()[..cut]].concat()).expect("written");
            assert_eq!(read_sealed_lines(&path, &mut |_| Ok(())).expect("read"), 3);
            assert_eq!(lines(&path).expect("opened"), ["one", "贵", "three"]);
            assert_eq!(fs::read(&path).expect("read"), whole);
        }
        // one that is whole was told of, and is kept
        fs::write(&path, [&whole[..], tail.as_bytes()].concat()).expect("written");
        assert_eq!(read_sealed_lines(&path, &mut |_| Ok(())).expect("read"), 3);
        assert_eq!(lines(&path).expect("opened")[3], "four with a long tail");
        assert_eq!(read_sealed_lines(&path, &mut |_| Ok(())).expect("read"), 4);
    }

    #[test]
    fn no_flipped_bit_of_the_head_loses_a_line() {
        let (folder, path) = written();
        let (whole, head) = (fs::read(&path).expect("read"), fs::read(head_path(&path)).expect("read"));
        for bit in 0..head.len() * 8 {
            let mut bytes = head.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            fs::write(head_path(&path), bytes).expect("written");
            assert_eq!(read_sealed_lines(&path, &mut |_| Ok(())).expect("read"), 3, "bit {bit}");
            let copy = folder.path().join(format!("copy-{bit}"));
            assert_eq!(copy_sealed_lines(&path, &copy).expect("copied"), 3, "bit {bit}");
            assert_eq!(fs::read(&copy).expect("read"), whole);
            assert_eq!(lines(&path).expect("opened"), ["one", "贵", "three"], "bit {bit}");
            assert_eq!(fs::read(&path).expect("read"), whole);
        }
    }

    #[test]
    fn a_torn_head_leaves_the_one_before_it() {
        let (_folder, path) = written();
        let head = head_path(&path);
        let whole = fs::read(&head).expect("read");
        // the third append would be written over the older place
        let older =
            if Head::newest(&[whole[..51].to_vec(), whole[51..].to_vec()]).expect("a head").1 == 0 { 51 } else { 0 };
        for torn in 0..HEAD_BYTES {
            let mut bytes = whole.clone();
            bytes[older + torn..older + HEAD_BYTES].fill(b'?');
            fs::write(&head, bytes).expect("written");
            assert_eq!(lines(&path).expect("opened").len(), 3);
        }
    }

    #[test]
    fn an_acknowledged_line_that_was_changed_moved_or_cut_is_an_error_without_its_text() {
        let (_folder, path) = written();
        let (whole, head) = (fs::read(&path).expect("read"), fs::read(head_path(&path)).expect("read"));
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            fs::write(&path, bytes).expect("written");
            let e = lines(&path).expect_err("a changed byte").to_string();
            assert!(e.contains("is not what was written") || e.contains("was cut off"), "{at}: {e}");
            assert!(!e.contains("three"), "{e}");
            fs::write(&path, &whole[..at]).expect("written");
            assert!(lines(&path).is_err(), "cut at {at}");
        }
        let mut moved: Vec<&[u8]> = whole.split_inclusive(|b| *b == b'\n').collect();
        moved.swap(0, 1);
        fs::write(&path, moved.concat()).expect("written");
        assert!(lines(&path).is_err());
        fs::write(&path, &whole).expect("written");
        fs::write(head_path(&path), b"").expect("written");
        assert!(lines(&path).expect_err("no head").to_string().contains("its head"));
        fs::write(head_path(&path), head).expect("written");
        let _open = SealedLines::open(&path, &mut |_| Ok(())).expect("opened");
        assert!(matches!(lines(&path), Err(StoreError::InUse(_))));
    }
}
