//! Files that are read again when they change, while the server runs: certificates, and keys of tokens.
//!
//! The one idea: two looks at a file, a second apart, must find the same before it is read, so that a pair of files that is
//! being replaced is not taken for a broken one. What cannot be read leaves in force what was there, and is told once.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use crate::log::Logger;

/// How often files are looked at.
const EVERY: Duration = Duration::from_secs(1);

/// When a file was written and how long it is; `None` where it is not there.
pub(crate) type Stamp = Option<(SystemTime, u64)>;

/// The stamp of a file, or of what a link leads to.
pub(crate) fn stamp(file: &Path) -> Stamp {
    let metadata = std::fs::metadata(file).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

/// Files that belong together.
#[derive(Debug)]
pub(crate) struct Watched {
    files: Vec<PathBuf>,
    /// As they were when they were last read.
    read: Vec<Stamp>,
    /// As they were at the last look.
    seen: Vec<Stamp>,
}

impl Watched {
    /// To be made before the files are read: what changes after that is seen.
    pub(crate) fn new(files: Vec<PathBuf>) -> Watched {
        let seen: Vec<Stamp> = files.iter().map(|f| stamp(f)).collect();
        Watched { files, read: seen.clone(), seen }
    }

    /// Whether they are others than when they were last read, and no longer being written; they count as read then.
    pub(crate) fn are_others(&mut self) -> bool {
        let now: Vec<Stamp> = self.files.iter().map(|f| stamp(f)).collect();
        let is_settled = now == self.seen;
        self.seen = now;
        if !is_settled || self.seen == self.read {
            return false;
        }
        self.read.clone_from(&self.seen);
        true
    }
}

/// What a look found: an event and words for the log.
pub(crate) type Found = Vec<(&'static str, String)>;

/// Something that is made of files, and made anew when they change.
pub(crate) trait Renewed: Send + Sync {
    /// Looks at the files; `looks` were made before.
    fn look(&self, looks: u64) -> Found;
}

/// The thread that looks; it ends with this.
#[derive(Debug)]
pub(crate) struct Lookout {
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Lookout {
    /// Looks at these; `None` where there are none.
    pub(crate) fn start(renewed: Vec<Arc<dyn Renewed>>, logger: Arc<Logger>) -> Option<Lookout> {
        if renewed.is_empty() {
            return None;
        }
        let ended = Arc::<AtomicBool>::default();
        let of_thread = Arc::clone(&ended);
        let thread = std::thread::spawn(move || {
            let mut looks = 0;
            while !of_thread.load(Ordering::Acquire) {
                for (event, detail) in renewed.iter().flat_map(|r| r.look(looks)) {
                    logger.note(event, &detail);
                }
                looks += 1;
                std::thread::park_timeout(EVERY);
            }
        });
        Some(Lookout { ended, thread: Some(thread) })
    }
}

impl Drop for Lookout {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_again_once_when_all_of_them_have_settled() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (a, b) = (folder.path().join("a"), folder.path().join("b"));
        std::fs::write(&a, "1").expect("written");
        let mut watched = Watched::new(vec![a.clone(), b.clone()]);
        assert!(!watched.are_others());
        std::fs::write(&b, "22").expect("written");
        assert!(!watched.are_others(), "it may still be being written");
        std::fs::write(&a, "333").expect("written");
        assert!(!watched.are_others(), "the other file of the pair changed meanwhile");
        assert!(watched.are_others());
        assert!(!watched.are_others(), "they were read");
        std::fs::remove_file(&a).expect("removed");
        assert!(!watched.are_others() && watched.are_others());
    }
}
