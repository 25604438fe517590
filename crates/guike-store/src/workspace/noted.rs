//! Where the events of a workspace's shop are kept: the log lies where the server was told to keep it, and a backup has to
//! find it.
//!
//! The one idea: whoever serves a workspace with a log of events, or runs with one, leaves its place in `events.json`. The last
//! one counts. A log within the workspace is named from there, so that the two can be moved together.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Workspace;
use crate::{StoreError, io, read_checked, write_checked};

/// The file within a workspace.
pub(super) const EVENTS_JSON: &str = "events.json";

#[derive(Serialize, Deserialize)]
struct Noted {
    log: String,
}

impl Workspace {
    /// Where the events are kept, as far as the workspace knows.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] for a note that is damaged, [`StoreError::Io`].
    ///
    /// # Example
    /// ```
    /// use guike_store::Workspace;
    /// let tmp = tempfile::tempdir().unwrap();
    /// let w = Workspace::open_or_create(&tmp.path().join("shop")).unwrap();
    /// assert_eq!(w.events_log().unwrap(), None);
    /// let log = tmp.path().join("shop/events.log");
    /// w.note_events(&log).unwrap();
    /// assert_eq!(w.events_log().unwrap(), Some(log));
    /// ```
    pub fn events_log(&self) -> Result<Option<PathBuf>, StoreError> {
        let file = self.root.join(EVENTS_JSON);
        if !file.is_file() {
            return Ok(None);
        }
        let noted: Noted = read_checked(&file)?;
        // one with a place of its own takes the place of the root
        Ok(Some(self.root.join(noted.log)))
    }

    /// Keeps where the events are, for the next backup.
    ///
    /// # Errors
    /// [`StoreError::Io`] where it cannot be written, [`StoreError::Refused`] for a backup, [`StoreError::Encode`] for a place that is no text.
    pub fn note_events(&self, log: &Path) -> Result<(), StoreError> {
        self.changeable()?;
        let absolute = |path: &Path| std::path::absolute(path).map_err(io("find", path));
        let (log, root) = (absolute(log)?, absolute(&self.root)?);
        let place = log.strip_prefix(&root).unwrap_or(&log);
        let encode = || StoreError::Encode { path: log.clone(), reason: "its name is no text".to_owned() };
        let place = place.to_str().ok_or_else(encode)?;
        if self.events_log().is_ok_and(|noted| noted == Some(self.root.join(place))) {
            return Ok(());
        }
        write(&self.root.join(EVENTS_JSON), place)
    }
}

pub(super) fn write(file: &Path, place: &str) -> Result<(), StoreError> {
    write_checked(file, &Noted { log: place.to_owned() })
}
