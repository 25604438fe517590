//! The audit log as a file: opened and repaired, written by one thread for all, shown and verified.
//!
//! The one idea: whoever does something that is recorded waits until the record is on disk. Records that come while the disk
//! is at work are written together afterwards, so that a hundred of them at a time cost as much as one.
//!
//! Beside the log `FILE` lies its head, `FILE.head`, and somewhere its key; what they are for says [`guike_guard::verify`].

use std::path::{Path, PathBuf};

use guike_guard::{AUDIT_BEGINS, AuditKey, HEAD_BYTES, Head, Pseudonyms, Record, Tampered, hash_from_text, verify};
use guike_store::{AppendOnly, StoreError};
use serde_json::Value;

use crate::error::Error;
use crate::together::Together;

/// Where the parts of an audit log are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditFiles {
    /// The log.
    pub log: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

impl AuditFiles {
    /// The log here; its key there, or beside it as `FILE.key`.
    pub fn new(log: &Path, key: Option<&Path>) -> AuditFiles {
        AuditFiles { log: log.to_owned(), key: key.map_or_else(|| beside(log, "key"), Path::to_owned) }
    }

    fn head(&self) -> PathBuf {
        beside(&self.log, "head")
    }
}

fn beside(log: &Path, ending: &str) -> PathBuf {
    let mut name = log.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    PathBuf::from(name)
}

/// What is told when a record is on disk (`true`), or could not be put there.
pub type Done = Box<dyn FnOnce(bool) + Send>;

/// An audit log that is being written; when it is dropped everything that waits is written.
#[derive(Debug)]
pub struct Audit {
    writer: Together<(Record, Done)>,
    pseudonyms: Pseudonyms,
}

impl Audit {
    /// Opens the log, or begins one; `random` becomes the key where there is none yet.
    ///
    /// What the machine was writing when it went down is taken back, or kept where it is whole: it was acknowledged to nobody.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when the end of the log was cut off or changed, or the key is another one; [`StoreError::Busy`]
    /// while another process writes it; [`StoreError::Io`].
    pub fn open(files: &AuditFiles, random: &[u8; 32]) -> Result<Audit, Error> {
        let corrupt = |reason: &str| StoreError::Corrupt { path: files.log.clone(), reason: reason.to_owned() };
        let is_first = !exists(&files.key);
        match (is_first, exists(&files.log)) {
            (true, false) => guike_store::write_bytes(&files.key, AuditKey::to_text(random).as_bytes())?,
            (true, true) => return Err(corrupt("its key is missing; put it back, or move the log away").into()),
            // whoever removed the log would otherwise have it begun anew, as if nothing had ever happened
            (false, false) => {
                return Err(
                    corrupt("it is missing where its key is; put it back, or remove the key to begin anew").into()
                );
            }
            (false, true) => {}
        }
        let key = read_key(&files.key)?;
        let (mut file, heads) = AppendOnly::open(&files.log, &files.head(), HEAD_BYTES)?;
        let begun = if is_first { begin(&mut file, &key) } else { repaired(&mut file, &heads, &key) };
        let head = begun.map_err(|trouble| match trouble {
            Trouble::Store(e) => e,
            Trouble::Tampered(reason) => StoreError::Corrupt { path: files.log.clone(), reason },
        })?;
        let (pseudonyms, mut head) = (key.pseudonyms(), head);
        let writer = Together::start(move |records| write(records, &mut file, &mut head, &key));
        Ok(Audit { writer, pseudonyms })
    }

    /// Hands over a record; `done` is told when it is on disk, from another thread.
    pub fn add(&self, record: Record, done: Done) {
        self.writer.add((record, done));
    }

    /// What stands for customers in records and masked answers.
    pub fn pseudonyms(&self) -> &Pseudonyms {
        &self.pseudonyms
    }
}

/// Writes records that came together.
fn write(records: Vec<(Record, Done)>, file: &mut AppendOnly, head: &mut Head, key: &AuditKey) {
    let (mut text, mut next) = (String::new(), *head);
    for (record, _) in &records {
        let (line, after) = next.line(record, key);
        text.push_str(&line);
        next = after;
    }
    let is_written = file.append(text.as_bytes(), &next.to_bytes(key)).is_ok();
    if is_written {
        *head = next;
    }
    records.into_iter().for_each(|(_, done)| done(is_written));
}

enum Trouble {
    Store(StoreError),
    Tampered(String),
}

impl From<StoreError> for Trouble {
    fn from(e: StoreError) -> Trouble {
        Trouble::Store(e)
    }
}

/// The first line of a log, with its head.
fn begin(file: &mut AppendOnly, key: &AuditKey) -> Result<Head, Trouble> {
    file.append(AUDIT_BEGINS.as_bytes(), &Head::empty().to_bytes(key))?;
    Ok(Head::empty())
}

/// Where the log goes on: what its head says, and whole lines behind it that the machine still wrote.
fn repaired(file: &mut AppendOnly, heads: &[Vec<u8>; 2], key: &AuditKey) -> Result<Head, Trouble> {
    let known = |i: usize| Head::parse(&heads[i], key).map(|h| (h, i));
    let newest = [known(0), known(1)].into_iter().flatten().max_by_key(|(h, _)| h.n);
    let Some((head, place)) = newest else {
        let reason = "its head is missing, damaged or sealed with another key; put it back, or move log, head and key away to begin anew";
        return Err(Trouble::Tampered(reason.to_owned()));
    };
    if file.len() < head.bytes {
        let reason = format!("it has {} bytes where its head knows {}: the end was cut off", file.len(), head.bytes);
        return Err(Trouble::Tampered(reason));
    }
    let behind = file.read_from(head.bytes)?;
    let (mut at, mut whole) = (head, Vec::new());
    for line in behind.split_inclusive(|b| *b == b'\n') {
        match at.follow(line, Some(key)) {
            Some((_, next)) => {
                whole.extend_from_slice(line);
                at = next;
            }
            None => break,
        }
    }
    file.keep(head.bytes, place)?;
    if at.n > head.n {
        file.append(&whole, &at.to_bytes(key))?;
    }
    Ok(at)
}

fn read_key(file: &Path) -> Result<AuditKey, Error> {
    let text = guike_store::read_text(file)?;
    AuditKey::parse(&text).ok_or_else(|| Error::ConfigFile {
        path: file.to_owned(),
        reason: "it is no key of an audit log: 64 hexadecimal digits".to_owned(),
    })
}

/// What was found when a log was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Records.
    pub n: u64,
    /// The hash of the last, to be noted elsewhere.
    pub hash: String,
    /// Whether seals were looked at: the key was there.
    pub has_key: bool,
    /// Whether the end could be checked: the head was there.
    pub has_head: bool,
}

/// Follows a whole log; without its key only the chain, without its head not its end. `anchors` are `N:HASH` as an earlier
/// verification printed them.
///
/// # Errors
/// [`StoreError::Corrupt`] with the first thing that was changed, [`Error::Config`] for an anchor that is none.
pub fn check(files: &AuditFiles, anchors: &[String]) -> Result<Verified, Error> {
    let anchors = anchors
        .iter()
        .map(|text| {
            let parsed = text.split_once(':').and_then(|(n, hash)| Some((n.parse().ok()?, hash_from_text(hash)?)));
            parsed.ok_or_else(|| Error::Config {
                what: "--anchor".to_owned(),
                value: text.clone(),
                rule: "it is N:HASH, as an earlier `guike audit verify` printed it".to_owned(),
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    let key = if exists(&files.key) { Some(read_key(&files.key)?) } else { None };
    let log = guike_store::read_bytes(&files.log)?;
    let corrupt = |reason: String| StoreError::Corrupt { path: files.log.clone(), reason };
    let mut head = None;
    if let (Some(key), true) = (&key, exists(&files.head())) {
        let kept = guike_store::read_bytes(&files.head())?;
        let newest = kept.chunks(HEAD_BYTES).filter_map(|h| Head::parse(h, key)).max_by_key(|h| h.n);
        head = Some(newest.ok_or_else(|| corrupt("its head is damaged, or sealed with another key".to_owned()))?);
    }
    let found = verify(&log, key.as_ref(), head.as_ref(), &anchors).map_err(|e: Tampered| corrupt(e.to_string()))?;
    Ok(Verified { n: found.n, hash: found.hash_text(), has_key: key.is_some(), has_head: head.is_some() })
}

/// The records of a log, as far as its chain can be followed; and whether that is to its end.
///
/// # Errors
/// [`StoreError::Io`] when it cannot be read, [`StoreError::Corrupt`] when it is no audit log.
pub fn records(files: &AuditFiles) -> Result<(Vec<Value>, bool), Error> {
    let log = guike_store::read_bytes(&files.log)?;
    let not_one = || StoreError::Corrupt { path: files.log.clone(), reason: Tampered::Begin.to_string() };
    let rest = log.strip_prefix(AUDIT_BEGINS.as_bytes()).ok_or_else(not_one)?;
    let (mut records, mut at) = (Vec::new(), Head::empty());
    for line in rest.split_inclusive(|b| *b == b'\n') {
        let Some((record, next)) = at.follow(line, None) else { return Ok((records, false)) };
        records.push(record);
        at = next;
    }
    Ok((records, true))
}

/// The newest records of a log, and whether all of it verifies.
#[derive(Debug, Clone, PartialEq)]
pub struct Latest {
    /// The newest records, the last one last.
    pub records: Vec<Value>,
    /// What was found, or the first thing that was changed, in words.
    pub found: Result<Verified, String>,
}

/// How often a log is looked at again that somebody wrote to meanwhile.
const TRIES: usize = 8;

/// The newest `most` records of a log that may be written meanwhile, and whether all of it verifies.
///
/// # Errors
/// [`StoreError::Io`] when it cannot be read.
pub fn latest(files: &AuditFiles, most: usize) -> Result<Latest, Error> {
    let head = || if exists(&files.head()) { guike_store::read_bytes(&files.head()).map(Some) } else { Ok(None) };
    let mut tries = 0;
    let found = loop {
        let before = head()?;
        tries += 1;
        match check(files, &[]) {
            Ok(found) => break Ok(found),
            // a record that came between the look at the log and the look at its head is no cut end
            Err(Error::Store(StoreError::Corrupt { .. })) if tries < TRIES && head()? != before => {}
            Err(Error::Store(StoreError::Corrupt { reason, .. })) => break Err(reason),
            Err(other) => return Err(other),
        }
    };
    let log = guike_store::read_bytes(&files.log)?;
    let text = String::from_utf8_lossy(&log);
    let lines = text.lines().skip(1).collect::<Vec<_>>();
    let newest = lines[lines.len().saturating_sub(most)..].iter();
    let record = |line: &&str| serde_json::from_str::<Value>(line).ok().map(|mut whole| whole["record"].take());
    Ok(Latest { records: newest.filter_map(record).collect(), found })
}

fn exists(path: &Path) -> bool {
    guike_store::is_there(path)
}

#[cfg(test)]
mod tests;
