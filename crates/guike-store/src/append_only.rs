//! A file that only grows, with a small head beside it that says how far it goes.
//!
//! The one idea: what is appended is acknowledged when it and the head after it are on disk. The head has two places that take
//! turns, so that a head that was being written when the machine went down leaves the one before. What stands in the file
//! behind the newest good head was acknowledged to nobody, or is whole and may be kept; the caller decides, who knows what
//! a line is.
//!
//! After an error (a full disk) the file is cut back to what was acknowledged before anything else is appended; a head that may
//! have been written for what is cut off is taken back before that, so that no head ever tells of more than there is.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::staged::sync_folder_of;
use crate::{StoreError, io};

/// An open file that grows; nobody else can open it meanwhile.
#[derive(Debug)]
pub struct AppendOnly {
    path: PathBuf,
    file: File,
    head_path: PathBuf,
    head: File,
    /// Bytes of a head.
    head_bytes: usize,
    /// The place that is written next.
    place: u64,
    /// Bytes that are acknowledged.
    len: u64,
    /// Whether there may be more than that in the file.
    is_dirty: bool,
    /// Whether the place that is written next may hold a head of what was acknowledged to nobody.
    is_head_dirty: bool,
}

impl AppendOnly {
    /// Opens the file and its head, or makes both; gives what stands in the two places of the head.
    ///
    /// # Errors
    /// [`StoreError::Busy`] while another process has it open, [`StoreError::Io`].
    ///
    /// # Example
    /// ```
    /// use guike_store::AppendOnly;
    /// let folder = std::env::temp_dir().join(format!("guike-append-{}", std::process::id()));
    /// std::fs::create_dir_all(&folder).unwrap();
    /// let (log, head) = (folder.join("log"), folder.join("log.head"));
    /// let (mut file, _) = AppendOnly::open(&log, &head, 4).unwrap();
    /// file.append(b"one\n", b"   1").unwrap();
    /// file.append(b"two\n", b"   2").unwrap();
    /// drop(file);
    /// let (mut file, heads) = AppendOnly::open(&log, &head, 4).unwrap();
    /// assert_eq!((heads[0].as_slice(), heads[1].as_slice()), (&b"   1"[..], &b"   2"[..]));
    /// assert_eq!(file.read_from(4).unwrap(), b"two\n");
    /// # std::fs::remove_dir_all(&folder).unwrap();
    /// ```
    pub fn open(path: &Path, head_path: &Path, head_bytes: usize) -> Result<(AppendOnly, [Vec<u8>; 2]), StoreError> {
        let file = opened(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StoreError::Busy(path.to_owned())),
            Err(TryLockError::Error(e)) => return Err(io("lock", path)(e)),
        }
        let mut head = opened(head_path)?;
        // that there are such files has to be on disk before anything in them counts
        sync_folder_of(path)?;
        sync_folder_of(head_path)?;
        let mut kept = Vec::new();
        head.read_to_end(&mut kept).map_err(io("read", head_path))?;
        let place = |i: usize| kept.get(i * head_bytes..(i + 1) * head_bytes).unwrap_or_default().to_vec();
        let heads = [place(0), place(1)];
        let len = file.metadata().map_err(io("read", path))?.len();
        let file = AppendOnly {
            path: path.to_owned(),
            file,
            head_path: head_path.to_owned(),
            head,
            head_bytes,
            place: 0,
            len,
            is_dirty: false,
            is_head_dirty: false,
        };
        Ok((file, heads))
    }

    /// Bytes of the file.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// What stands in the file from this byte on.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn read_from(&mut self, at: u64) -> Result<Vec<u8>, StoreError> {
        let mut bytes = Vec::new();
        self.file.seek(SeekFrom::Start(at)).map_err(io("read", &self.path))?;
        self.file.read_to_end(&mut bytes).map_err(io("read", &self.path))?;
        Ok(bytes)
    }

    /// Keeps the file up to this byte; the head in `place` (0 or 1) is the newest, so that the other one is written next.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn keep(&mut self, len: u64, place: usize) -> Result<(), StoreError> {
        self.place = 1 - (place as u64).min(1);
        self.is_dirty = self.len != len;
        self.len = len;
        self.cut_back()
    }

    /// Appends, and puts a head of the length that was told when it was opened; when this returns both are on disk.
    ///
    /// # Errors
    /// [`StoreError::Io`]; then nothing of it counts, and the next call may go well.
    pub fn append(&mut self, bytes: &[u8], head: &[u8]) -> Result<(), StoreError> {
        assert_eq!(head.len(), self.head_bytes, "a head has the length that was told");
        self.cut_back()?;
        let appended = self.try_append(bytes, head);
        if appended.is_err() {
            // at once where it can be, so that a kill leaves nothing of it; otherwise before the next one
            let _ = self.cut_back();
        }
        appended
    }

    fn try_append(&mut self, bytes: &[u8], head: &[u8]) -> Result<(), StoreError> {
        self.is_dirty = true;
        let path = &self.path;
        self.file.seek(SeekFrom::Start(self.len)).map_err(io("write", path))?;
        self.file.write_all(bytes).map_err(io("write", path))?;
        self.file.sync_data().map_err(io("flush", path))?;
        self.is_head_dirty = true;
        self.put_head(head)?;
        self.is_head_dirty = false;
        self.place = 1 - self.place;
        self.len += bytes.len() as u64;
        self.is_dirty = false;
        Ok(())
    }

    fn put_head(&mut self, head: &[u8]) -> Result<(), StoreError> {
        let path = &self.head_path;
        self.head.seek(SeekFrom::Start(self.place * self.head_bytes as u64)).map_err(io("write", path))?;
        self.head.write_all(head).map_err(io("write", path))?;
        self.head.sync_data().map_err(io("flush", path))
    }

    fn cut_back(&mut self) -> Result<(), StoreError> {
        if self.is_head_dirty {
            self.put_head(&vec![b'-'; self.head_bytes])?;
            self.is_head_dirty = false;
        }
        if self.is_dirty {
            self.file.set_len(self.len).map_err(io("cut", &self.path))?;
            self.file.sync_data().map_err(io("flush", &self.path))?;
            self.is_dirty = false;
        }
        Ok(())
    }
}

/// A file of which only its owner reads and writes.
pub(crate) fn opened(path: &Path) -> Result<File, StoreError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map_err(io("open", path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn heads_take_turns_and_a_second_opener_waits() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (log, head) = (folder.path().join("log"), folder.path().join("head"));
        let (mut file, heads) = AppendOnly::open(&log, &head, 2).expect("made");
        assert!(heads[0].is_empty() && heads[1].is_empty() && file.is_empty());
        for (line, of) in [("a\n", "01"), ("b\n", "02"), ("c\n", "03")] {
            file.append(line.as_bytes(), of.as_bytes()).expect("appended");
        }
        assert!(matches!(AppendOnly::open(&log, &head, 2), Err(StoreError::Busy(_))));
        drop(file);
        assert_eq!(fs::read(&head).expect("read"), b"0302");
        let (mut file, heads) = AppendOnly::open(&log, &head, 2).expect("opened");
        assert_eq!(heads, [b"03".to_vec(), b"02".to_vec()]);
        file.keep(6, 0).expect("kept");
        file.append(b"d\n", b"04").expect("appended");
        assert_eq!(
            (fs::read(&log).expect("read"), fs::read(&head).expect("read")),
            (b"a\nb\nc\nd\n".to_vec(), b"0304".to_vec())
        );
    }

    #[test]
    fn what_was_not_acknowledged_is_cut_off() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (log, head) = (folder.path().join("log"), folder.path().join("head"));
        let (mut file, _) = AppendOnly::open(&log, &head, 2).expect("made");
        file.append(b"a\n", b"01").expect("appended");
        drop(file);
        fs::write(&log, b"a\nhalf a li").expect("written");
        let (mut file, _) = AppendOnly::open(&log, &head, 2).expect("opened");
        assert_eq!(file.read_from(2).expect("read"), b"half a li");
        file.keep(2, 0).expect("kept");
        file.append(b"b\n", b"02").expect("appended");
        assert_eq!(fs::read(&log).expect("read"), b"a\nb\n");
    }
}
