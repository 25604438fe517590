//! A log of long work, one JSON line per finished piece, from which the work goes on after any end.
//!
//! The one idea: a line is flushed to disk before the next piece begins, so that a process that is killed loses the piece it
//! was at and nothing else. The first line says what work it is; other work is refused rather than mixed in. A last line
//! without its end was being written when the process died and is taken back.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use crate::{StoreError, io};

/// Newest format of a journal.
const FORMAT: u64 = 1;

/// An open journal; nobody else can open it meanwhile.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
}

impl Journal {
    /// Opens the journal at `path` for this `work`, or begins it in a folder that it makes, and gives the pieces that are there already.
    ///
    /// # Errors
    /// [`StoreError::Busy`] while another process has it open, [`StoreError::OtherWork`] when it was begun for other work,
    /// with the first thing that differs, [`StoreError::Corrupt`] for a changed line, [`StoreError::Newer`], [`StoreError::Io`].
    ///
    /// # Example
    /// ```
    /// use guike_store::Journal;
    /// let path = std::env::temp_dir().join(format!("guike-journal-{}.ndjson", std::process::id()));
    /// let work = serde_json::json!({"data": "a", "seed": 1});
    /// let (mut journal, done) = Journal::open::<u32>(&path, &work).unwrap();
    /// assert!(done.is_empty());
    /// journal.append(&7).unwrap();
    /// drop(journal);
    /// let (journal, done) = Journal::open::<u32>(&path, &work).unwrap();
    /// assert_eq!(done, [7]);
    /// assert!(Journal::open::<u32>(&path, &serde_json::json!({"data": "b", "seed": 1})).is_err());
    /// journal.remove().unwrap();
    /// ```
    pub fn open<T: DeserializeOwned>(path: &Path, work: &Value) -> Result<(Journal, Vec<T>), StoreError> {
        if let Some(folder) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(io("create", folder))?;
        }
        let mut options = OpenOptions::new();
        let mut file =
            options.read(true).write(true).create(true).truncate(false).open(path).map_err(io("open", path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StoreError::Busy(path.to_owned())),
            Err(TryLockError::Error(e)) => return Err(io("lock", path)(e)),
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(io("read", path))?;
        let whole = bytes.iter().rposition(|&b| b == b'\n').map_or(0, |end| end + 1);
        if whole < bytes.len() {
            file.set_len(whole as u64).map_err(io("cut", path))?;
        }
        file.seek(SeekFrom::Start(whole as u64)).map_err(io("read", path))?;
        let mut journal = Journal { path: path.to_owned(), file };
        let mut lines = bytes[..whole].split(|&b| b == b'\n').filter(|l| !l.is_empty());
        match lines.next() {
            None => {
                journal.append(&json!({ "guike_journal": FORMAT, "work": work }))?;
                Ok((journal, Vec::new()))
            }
            Some(first) => {
                journal.same_work(first, work)?;
                let done = lines.map(|line| journal.piece(line)).collect::<Result<Vec<T>, StoreError>>()?;
                Ok((journal, done))
            }
        }
    }

    /// Adds a finished piece; when this returns it is on disk.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::Encode`].
    pub fn append(&mut self, piece: &impl Serialize) -> Result<(), StoreError> {
        let encode = |e: serde_json::Error| StoreError::Encode { path: self.path.clone(), reason: e.to_string() };
        let piece = serde_json::to_value(piece).map_err(encode)?;
        let line = json!({ "sum": checksum(&piece), "piece": piece }).to_string() + "\n";
        self.file.write_all(line.as_bytes()).map_err(io("write", &self.path))?;
        self.file.sync_data().map_err(io("flush", &self.path))
    }

    /// The work is complete and its results are elsewhere.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn remove(self) -> Result<(), StoreError> {
        std::fs::remove_file(&self.path).map_err(io("remove", &self.path))
    }

    fn same_work(&self, line: &[u8], work: &Value) -> Result<(), StoreError> {
        let head: Value = self.piece(line)?;
        match head.get("guike_journal").and_then(Value::as_u64) {
            Some(FORMAT) => {}
            Some(f) if f > FORMAT => {
                let (found, known) = (u32::try_from(f).unwrap_or(u32::MAX), FORMAT as u32);
                return Err(StoreError::Newer { path: self.path.clone(), found, known });
            }
            _ => return Err(self.corrupt("its first line says no format".to_owned())),
        }
        let before = &head["work"];
        match difference(before, work, "") {
            None => Ok(()),
            Some(what) => Err(StoreError::OtherWork { path: self.path.clone(), what }),
        }
    }

    fn piece<T: DeserializeOwned>(&self, line: &[u8]) -> Result<T, StoreError> {
        let mut line: Value = serde_json::from_slice(line).map_err(|e| self.corrupt(e.to_string()))?;
        let piece = line["piece"].take();
        if line["sum"].as_str() != Some(&checksum(&piece)) {
            return Err(self.corrupt("a line fails its checksum".to_owned()));
        }
        serde_json::from_value(piece).map_err(|e| self.corrupt(e.to_string()))
    }

    fn corrupt(&self, reason: String) -> StoreError {
        StoreError::Corrupt { path: self.path.clone(), reason }
    }
}

fn checksum(piece: &Value) -> String {
    format!("{:016x}", xxh3_64(piece.to_string().as_bytes()))
}

/// The first place where two values differ, as `name.of.it: before → now`.
fn difference(before: &Value, now: &Value, at: &str) -> Option<String> {
    if let (Value::Object(a), Value::Object(b)) = (before, now) {
        let mut names: Vec<&String> = a.keys().chain(b.keys()).collect();
        names.sort_unstable();
        names.dedup();
        return names.into_iter().find_map(|n| {
            let name = if at.is_empty() { n.clone() } else { format!("{at}.{n}") };
            difference(a.get(n).unwrap_or(&Value::Null), b.get(n).unwrap_or(&Value::Null), &name)
        });
    }
    (before != now).then(|| format!("{at}: {before} then, {now} now"))
}

/// A fingerprint of a file's bytes.
///
/// # Errors
/// [`StoreError::Io`].
pub fn fingerprint(path: &Path) -> Result<String, StoreError> {
    let mut file = File::open(path).map_err(io("open", path))?;
    let (mut hash, mut buffer) = (Xxh3::new(), vec![0; 1 << 16]);
    loop {
        match file.read(&mut buffer).map_err(io("read", path))? {
            0 => return Ok(format!("xxh3-{:032x}", hash.digest128())),
            n => hash.update(&buffer[..n]),
        }
    }
}

/// A fingerprint of several files together, in this order; of one file, its own.
///
/// # Errors
/// [`StoreError::Io`].
pub fn fingerprint_of(paths: &[&Path]) -> Result<String, StoreError> {
    let each = paths.iter().map(|p| fingerprint(p)).collect::<Result<Vec<String>, _>>()?;
    match each.as_slice() {
        [one] => Ok(one.clone()),
        several => Ok(format!("xxh3-{:032x}", xxhash_rust::xxh3::xxh3_128(several.join("\n").as_bytes()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn desk() -> (tempfile::TempDir, PathBuf) {
        let tmp = tempfile::tempdir().expect("a temporary folder");
        let path = tmp.path().join("work.ndjson");
        (tmp, path)
    }

    fn work(seed: u64) -> Value {
        json!({ "data": "xxh3-1", "settings": { "seed": seed, "folds": 5 } })
    }

    #[test]
    fn a_torn_last_line_is_taken_back_and_the_rest_goes_on() {
        let (_tmp, path) = desk();
        let (mut journal, _) = Journal::open::<u32>(&path, &work(1)).expect("begun");
        for i in 0..3_u32 {
            journal.append(&i).expect("appended");
        }
        drop(journal);
        let whole = fs::read(&path).expect("read");
        for cut in whole.len() - 20..whole.len() {
            fs::write(&path, &whole[..cut]).expect("written");
            let (mut journal, done) = Journal::open::<u32>(&path, &work(1)).expect("opened");
            assert_eq!(done, [0, 1]);
            journal.append(&2_u32).expect("appended");
            drop(journal);
            assert_eq!(fs::read(&path).expect("read"), whole);
        }
    }

    #[test]
    fn other_work_is_refused_with_what_differs() {
        let (_tmp, path) = desk();
        drop(Journal::open::<u32>(&path, &work(1)).expect("begun"));
        let e = Journal::open::<u32>(&path, &work(2)).expect_err("refused");
        assert!(matches!(&e, StoreError::OtherWork { what, .. } if what == "settings.seed: 1 then, 2 now"), "{e}");
    }

    #[test]
    fn a_changed_digit_a_second_opener_and_a_strange_file_are_refused() {
        let (_tmp, path) = desk();
        let (mut journal, _) = Journal::open::<f64>(&path, &work(1)).expect("begun");
        journal.append(&0.123).expect("appended");
        assert!(matches!(Journal::open::<f64>(&path, &work(1)), Err(StoreError::Busy(_))));
        drop(journal);
        let text = fs::read_to_string(&path).expect("read");
        for bad in [text.replace("0.123", "0.124"), "{}\n".to_owned(), "hello\n".to_owned()] {
            fs::write(&path, bad).expect("written");
            assert!(matches!(Journal::open::<f64>(&path, &work(1)), Err(StoreError::Corrupt { .. })));
        }
    }

    #[test]
    fn a_fingerprint_changes_with_every_byte() {
        let (_tmp, path) = desk();
        let of = |bytes: &[u8]| {
            fs::write(&path, bytes).expect("written");
            fingerprint(&path).expect("read")
        };
        assert_ne!(of(b"abc"), of(b"abd"));
        assert_eq!(of(b"abc"), of(b"abc"));
    }
}
