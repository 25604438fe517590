//! A file that is not to change: where it lies, and what its bytes are.
//!
//! The one idea: whoever hands a file out opens it here, so that what goes out is what was there when it was noted, or
//! nothing.

use std::fs::File;
use std::io::{Read, Seek as _};
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::Xxh3;

use crate::{StoreError, io};

/// A file with its length and checksum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnchangedFile {
    path: PathBuf,
    bytes: u64,
    checksum: String,
}

impl UnchangedFile {
    /// The file as it is now.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn now(path: &Path) -> Result<UnchangedFile, StoreError> {
        let mut file = File::open(path).map_err(io("open", path))?;
        let (bytes, checksum) = told(&mut file).map_err(io("read", path))?;
        Ok(UnchangedFile { path: path.to_owned(), bytes, checksum })
    }

    /// The file as it was noted elsewhere.
    pub(crate) fn noted(path: PathBuf, bytes: u64, checksum: String) -> UnchangedFile {
        UnchangedFile { path, bytes, checksum }
    }

    /// Its length in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The file at its beginning, after all of it was read and held against length and checksum.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when it is another one by now, [`StoreError::Io`] when it cannot be read.
    ///
    /// # Example
    /// ```
    /// use guike_store::UnchangedFile;
    /// let tmp = tempfile::tempdir().unwrap();
    /// let path = tmp.path().join("model.json");
    /// std::fs::write(&path, "{}").unwrap();
    /// let noted = UnchangedFile::now(&path).unwrap();
    /// assert!(noted.open().is_ok() && noted.bytes() == 2);
    /// std::fs::write(&path, "[]").unwrap();
    /// assert!(noted.open().is_err());
    /// ```
    pub fn open(&self) -> Result<File, StoreError> {
        let mut file = File::open(&self.path).map_err(io("open", &self.path))?;
        let (bytes, checksum) = told(&mut file).map_err(io("read", &self.path))?;
        if (bytes, &checksum) != (self.bytes, &self.checksum) {
            let reason = format!("it has {bytes} bytes with checksum {checksum}, and was {}", self.checksum);
            return Err(StoreError::Corrupt { path: self.path.clone(), reason });
        }
        file.rewind().map_err(io("read", &self.path))?;
        Ok(file)
    }
}

/// Length and checksum of what a file holds.
fn told(file: &mut File) -> std::io::Result<(u64, String)> {
    let (mut hash, mut buffer, mut bytes) = (Xxh3::new(), vec![0; 1 << 16], 0);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok((bytes, format!("xxh3-{:032x}", hash.digest128()))),
            n => {
                hash.update(&buffer[..n]);
                bytes += n as u64;
            }
        }
    }
}
