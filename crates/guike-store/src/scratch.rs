//! A file without a name, for what must lie somewhere while it is worked on.
//!
//! The one idea: it has no name from its beginning, so that nobody else opens it and nothing is left of it however the process
//! ends. It lies where the system keeps temporary files (`TMPDIR`).

use std::fs::File;
use std::io::{Seek as _, Write as _};
use std::path::Path;

use crate::{StoreError, io};

/// A file that is gone with this.
#[derive(Debug)]
pub struct Scratch(File);

impl Scratch {
    /// An empty one.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    ///
    /// # Example
    /// ```
    /// use std::io::Read as _;
    /// let mut scratch = guike_store::Scratch::new().unwrap();
    /// scratch.push(b"rows").unwrap();
    /// let mut text = String::new();
    /// scratch.whole().unwrap().read_to_string(&mut text).unwrap();
    /// assert_eq!(text, "rows");
    /// ```
    pub fn new() -> Result<Scratch, StoreError> {
        tempfile::tempfile().map(Scratch).map_err(io("create", Path::new("a temporary file")))
    }

    /// Adds bytes.
    ///
    /// # Errors
    /// [`StoreError::Io`], when the disk is full for instance.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.0.write_all(bytes).map_err(io("write", Path::new("a temporary file")))
    }

    /// All of it, to be read from its beginning.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn whole(mut self) -> Result<File, StoreError> {
        self.0.rewind().map_err(io("read", Path::new("a temporary file")))?;
        Ok(self.0)
    }
}
