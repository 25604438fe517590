//! The record of who did what: lines that are chained and sealed, so that a change of any of them is found.
//!
//! The one idea, in three parts. Every line holds a SHA-256 over the hash of the line before and its own record: whoever
//! edits, deletes or reorders breaks the chain, and anybody can see it. Every line also holds a seal, an HMAC with a key that
//! the log's readers do not have: whoever rewrites the whole chain cannot seal it. And a [`Head`] beside the log, sealed too,
//! says how many lines there are and which is the last: whoever cuts the end off is found by it.
//!
//! What it cannot find: somebody who has the key can write another history, and somebody who keeps an old log with its old
//! head can put both back. Against these a hash that was noted elsewhere helps (`guike audit verify --anchor`).
//!
//! Nothing personal is recorded: a customer is a [`Pseudonyms`] of her id.

use serde::Serialize;
use serde_json::{Value, json};
use subtle::ConstantTimeEq as _;

use crate::hash::{Hmac, bytes, hexadecimal, sha256};

/// The first line of a log; its hash is what the first record is chained to.
pub const AUDIT_BEGINS: &str = "{\"guike_audit\":1}\n";
/// Bytes of a head as it is kept.
pub const HEAD_BYTES: usize = 256;
/// Bytes of a seal in a line: enough that nobody guesses one.
const SEAL: usize = 16;

/// What is done to whom, by whom, and how it ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Record {
    /// When: `2026-01-31T23:59:59.999Z`.
    pub time: String,
    /// Who: the name of a user or a key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub who: Option<String>,
    /// `user`, `key`, `local` or `nobody`.
    pub kind: &'static str,
    /// The role of a user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<&'static str>,
    /// What was done: `read`, `reveal`, `export`, `change`, `log-in` …
    pub action: String,
    /// To what: `customers`, `users` …
    pub resource: &'static str,
    /// The model or run that it was done to, with the number of its version: `value-model 3`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The customer, as a pseudonym.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// How many customers were told of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customers: Option<usize>,
    /// What for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purpose: Option<&'static str>,
    /// How it ended: a status of HTTP, or the code of the problem; of a decision `made` or `forced`.
    pub result: String,
    /// The id of the request in the access log, or `decision-N` of the workspace.
    pub request: String,
}

/// The key with which lines and heads are sealed; it does not print itself.
#[derive(Clone)]
pub struct AuditKey {
    seals: Hmac,
    heads: Hmac,
    pseudonyms: [u8; 32],
}

impl std::fmt::Debug for AuditKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl AuditKey {
    /// The key from 32 random bytes; each of its uses has a key of its own that is computed from them.
    pub fn new(random: &[u8; 32]) -> AuditKey {
        let root = Hmac::new(random);
        let of = |purpose: &[u8]| root.of(&[purpose]);
        AuditKey {
            seals: Hmac::new(&of(b"guike audit seal")),
            heads: Hmac::new(&of(b"guike audit head")),
            pseudonyms: of(b"guike pseudonym"),
        }
    }

    /// Reads a file of 64 hexadecimal digits.
    pub fn parse(text: &str) -> Option<AuditKey> {
        bytes(text.trim_end()).map(|random| AuditKey::new(&random))
    }

    /// The text of the file for 32 random bytes.
    pub fn to_text(random: &[u8; 32]) -> String {
        hexadecimal(random) + "\n"
    }

    /// What stands for customers in records and masked answers.
    pub fn pseudonyms(&self) -> Pseudonyms {
        Pseudonyms(Hmac::new(&self.pseudonyms))
    }
}

/// Names that stand for customers: the same for the same id, and told to be nobody's without the key.
#[derive(Clone)]
pub struct Pseudonyms(Hmac);

impl std::fmt::Debug for Pseudonyms {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// What every pseudonym begins with.
const PSEUDONYM: &str = "c~";

impl Pseudonyms {
    /// With a key that nobody keeps: pseudonyms for as long as a server runs.
    pub fn new(random: &[u8; 32]) -> Pseudonyms {
        AuditKey::new(random).pseudonyms()
    }

    /// The number in the pseudonym of an id: 64 bits, so that two of a hundred million customers share one with a chance of
    /// about one in 4,000.
    pub fn number(&self, id: &str) -> u64 {
        let hash = self.0.of(&[id.as_bytes()]);
        u64::from_be_bytes(hash[..8].try_into().expect("eight bytes"))
    }

    /// The pseudonym of an id.
    pub fn of(&self, id: &str) -> String {
        format!("{PSEUDONYM}{:016x}", self.number(id))
    }

    /// The number in a pseudonym; `None` for any other text.
    pub fn parse(text: &str) -> Option<u64> {
        bytes::<8>(text.strip_prefix(PSEUDONYM)?).map(u64::from_be_bytes)
    }
}

/// How far a log goes: the number of its last record, that record's hash, and the bytes up to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Records.
    pub n: u64,
    /// Hash of the last, or of the first line where there is none.
    pub hash: [u8; 32],
    /// Bytes.
    pub bytes: u64,
}

impl Head {
    /// The head of a log without records.
    pub fn empty() -> Head {
        Head { n: 0, hash: sha256(&[AUDIT_BEGINS.as_bytes()]), bytes: AUDIT_BEGINS.len() as u64 }
    }

    /// The hash in digits.
    pub fn hash_text(&self) -> String {
        hexadecimal(&self.hash)
    }

    /// As it is kept: a line that is filled up with spaces.
    pub fn to_bytes(self, key: &AuditKey) -> [u8; HEAD_BYTES] {
        let (seal, hash) = (hexadecimal(&self.seal(key)), self.hash_text());
        let line = json!({ "bytes": self.bytes, "hash": hash, "n": self.n, "seal": seal }).to_string();
        let mut out = [b' '; HEAD_BYTES];
        out[..line.len()].copy_from_slice(line.as_bytes());
        out[HEAD_BYTES - 1] = b'\n';
        out
    }

    /// Reads a head; `None` for what is none, or was not sealed with this key.
    pub fn parse(kept: &[u8], key: &AuditKey) -> Option<Head> {
        let value: Value = serde_json::from_slice(kept).ok()?;
        let number = |name: &str| value[name].as_u64();
        let head = Head { n: number("n")?, hash: bytes(value["hash"].as_str()?)?, bytes: number("bytes")? };
        let seal: [u8; 32] = bytes(value["seal"].as_str()?)?;
        bool::from(seal.ct_eq(&head.seal(key))).then_some(head)
    }

    fn seal(&self, key: &AuditKey) -> [u8; 32] {
        key.heads.of(&[&self.n.to_be_bytes(), &self.bytes.to_be_bytes(), &self.hash])
    }

    /// The line for the next record, and the head after it.
    pub fn line(self, record: &Record, key: &AuditKey) -> (String, Head) {
        let mut value = serde_json::to_value(record).expect("texts and numbers are JSON");
        value["n"] = json!(self.n + 1);
        // keys come sorted, so that a record has one text
        let text = value.to_string();
        let hash = sha256(&[&self.hash, text.as_bytes()]);
        let line = written(&text, &hash, &seal_of(key, &hash));
        (line.clone(), Head { n: self.n + 1, hash, bytes: self.bytes + line.len() as u64 })
    }

    /// Follows one line, with its end; `None` when it is not the next one. Without the key its seal is not looked at.
    pub fn follow(self, line: &[u8], key: Option<&AuditKey>) -> Option<(Value, Head)> {
        let whole: Value = serde_json::from_slice(line.strip_suffix(b"\n")?).ok()?;
        let record = &whole["record"];
        let text = record.to_string();
        let hash = sha256(&[&self.hash, text.as_bytes()]);
        let seal: [u8; SEAL] = bytes(whole["seal"].as_str()?)?;
        let is_next = record["n"].as_u64() == Some(self.n + 1);
        let is_sealed = key.is_none_or(|key| seal_of(key, &hash).ct_eq(&seal).into());
        // the line may be written in one way only: nothing can be hidden beside what is hashed
        if !is_next || !is_sealed || written(&text, &hash, &seal).as_bytes() != line {
            return None;
        }
        Some((record.clone(), Head { n: self.n + 1, hash, bytes: self.bytes + line.len() as u64 }))
    }
}

fn written(record: &str, hash: &[u8; 32], seal: &[u8; SEAL]) -> String {
    format!("{{\"hash\":\"{}\",\"record\":{record},\"seal\":\"{}\"}}\n", hexadecimal(hash), hexadecimal(seal))
}

fn seal_of(key: &AuditKey, hash: &[u8; 32]) -> [u8; SEAL] {
    key.seals.of(&[hash])[..SEAL].try_into().expect("longer than a seal")
}

/// What is wrong with a log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Tampered {
    /// The first line is another one.
    #[error("its first line is not that of an audit log of this version")]
    Begin,
    /// A line that does not follow from those before.
    #[error(
        "line {0} does not follow from the line before: it was changed, moved or put in, or lines before it are missing"
    )]
    Line(u64),
    /// The end is missing.
    #[error("it ends after {found} records where its head has {sealed}: the end was cut off")]
    Cut {
        /// Records that are there.
        found: u64,
        /// Records that were there.
        sealed: u64,
    },
    /// The record that the head names is another one.
    #[error("record {0}, the last that its head knows, is another one: the log was written anew")]
    Rewritten(u64),
    /// Bytes after the last whole line, which the head does not explain.
    #[error("a piece of a line stands after record {0}; `guike serve` takes it back when it opens the log")]
    Torn(u64),
    /// A noted hash is not that of the log.
    #[error("record {0} does not have the hash that was noted: what stands before it was written anew, or is missing")]
    Anchor(u64),
}

/// Follows a whole log from its first line.
///
/// `head` is what lies beside it; `anchors` are numbers of records with hashes that were noted elsewhere. A log may be longer
/// than its head by what was written while the machine went down; a server that opens it brings the head up to date.
///
/// # Errors
/// [`Tampered`], the first thing that is found.
///
/// # Example
/// ```
/// use guike_guard::{AUDIT_BEGINS, AuditKey, Head, Record, Tampered, verify};
/// let key = AuditKey::new(&[7; 32]);
/// let (first, head) = Head::empty().line(&Record { action: "log-in".into(), ..Record::default() }, &key);
/// let (second, head) = head.line(&Record { action: "export".into(), ..Record::default() }, &key);
/// let log = format!("{AUDIT_BEGINS}{first}{second}");
/// assert_eq!(verify(log.as_bytes(), Some(&key), Some(&head), &[]).unwrap(), head);
/// let edited = log.replace("export", "reveal");
/// assert_eq!(verify(edited.as_bytes(), Some(&key), Some(&head), &[]), Err(Tampered::Line(3)));
/// let cut = format!("{AUDIT_BEGINS}{first}");
/// assert_eq!(verify(cut.as_bytes(), Some(&key), Some(&head), &[]), Err(Tampered::Cut { found: 1, sealed: 2 }));
/// ```
pub fn verify(
    log: &[u8],
    key: Option<&AuditKey>,
    head: Option<&Head>,
    anchors: &[(u64, [u8; 32])],
) -> Result<Head, Tampered> {
    let rest = log.strip_prefix(AUDIT_BEGINS.as_bytes()).ok_or(Tampered::Begin)?;
    let mut at = Head::empty();
    let noted = |at: &Head| {
        if let Some(sealed) = head.filter(|h| h.n == at.n && (h.hash != at.hash || h.bytes != at.bytes)) {
            return Err(Tampered::Rewritten(sealed.n));
        }
        match anchors.iter().find(|(n, hash)| *n == at.n && *hash != at.hash) {
            Some((n, _)) => Err(Tampered::Anchor(*n)),
            None => Ok(()),
        }
    };
    noted(&at)?;
    for line in rest.split_inclusive(|b| *b == b'\n') {
        if !line.ends_with(b"\n") {
            // what was being written when the machine went down was acknowledged to nobody
            return Err(if head.is_some_and(|h| h.n > at.n) { Tampered::Line(at.n + 2) } else { Tampered::Torn(at.n) });
        }
        (_, at) = at.follow(line, key).ok_or(Tampered::Line(at.n + 2))?;
        noted(&at)?;
    }
    let furthest = head.map(|h| h.n).into_iter().chain(anchors.iter().map(|a| a.0)).max().unwrap_or(0);
    if furthest > at.n {
        return Err(Tampered::Cut { found: at.n, sealed: furthest });
    }
    Ok(at)
}

/// A hash in 64 digits, as [`Head::hash_text`] writes it.
pub fn hash_from_text(text: &str) -> Option<[u8; 32]> {
    bytes(text)
}

#[cfg(test)]
mod tests;
