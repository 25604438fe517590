//! What a registered version is, and what a decision about it is.

use std::path::PathBuf;

use guike_core::Timestamp;
use serde::Serialize;
use serde_json::Value;

/// What a version reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Tables: a model of `guike train`.
    Table,
    /// An order log: a `guike run`.
    Orders,
}

/// What a version is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// May become champion.
    Candidate,
    /// In use; at most one of a name.
    Champion,
    /// Was in use, or was put aside.
    Archived,
}

/// What changed a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// A name's first version became champion, because it had no rival.
    First,
    /// A version took the champion's place.
    Promote,
    /// The champion before came back.
    Rollback,
    /// A candidate was put aside.
    Archive,
    /// The files of an archived version were removed.
    Remove,
}

/// The words of the database.
pub(super) trait Word: Copy + PartialEq + 'static {
    const WORDS: &'static [(Self, &'static str)];

    fn word(self) -> &'static str {
        Self::WORDS.iter().find(|w| w.0 == self).map_or("", |w| w.1)
    }

    fn parse(word: &str) -> Option<Self> {
        Self::WORDS.iter().find(|w| w.1 == word).map(|w| w.0)
    }
}

impl Word for Kind {
    const WORDS: &'static [(Kind, &'static str)] = &[(Kind::Table, "table"), (Kind::Orders, "orders")];
}

impl Word for Stage {
    const WORDS: &'static [(Stage, &'static str)] =
        &[(Stage::Candidate, "candidate"), (Stage::Champion, "champion"), (Stage::Archived, "archived")];
}

impl Word for Action {
    const WORDS: &'static [(Action, &'static str)] = &[
        (Action::First, "first"),
        (Action::Promote, "promote"),
        (Action::Rollback, "rollback"),
        (Action::Archive, "archive"),
        (Action::Remove, "remove"),
    ];
}

impl Kind {
    /// What it is, in words.
    pub(super) fn words(self) -> &'static str {
        match self {
            Kind::Table => "models of `guike train`",
            Kind::Orders => "runs of `guike run`",
        }
    }

    /// `table` or `orders`.
    pub fn name(self) -> &'static str {
        self.word()
    }
}

impl Stage {
    /// `candidate`, `champion` or `archived`.
    pub fn name(self) -> &'static str {
        self.word()
    }
}

impl Action {
    /// `first`, `promote`, `rollback`, `archive` or `remove`.
    pub fn name(self) -> &'static str {
        self.word()
    }
}

/// What is to be registered.
#[derive(Debug, Clone, PartialEq)]
pub struct NewVersion<'a> {
    /// Its name.
    pub name: &'a str,
    /// What it reads.
    pub kind: Kind,
    /// Now.
    pub created: Timestamp,
    /// Fingerprint of what it was learned from.
    pub data: String,
    /// What the model is.
    pub card: Value,
    /// How good it is.
    pub metrics: Value,
    /// Where it comes from.
    pub lineage: Value,
}

/// A registered version.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Version {
    #[serde(skip)]
    pub(super) id: i64,
    /// Its name.
    pub name: String,
    /// 1, 2, 3 …
    pub number: u32,
    /// What it reads.
    pub kind: Kind,
    /// What it is for.
    pub stage: Stage,
    /// Where its files are.
    pub folder: PathBuf,
    /// When it was registered.
    #[serde(serialize_with = "moment")]
    pub created: Timestamp,
    /// Of all its files.
    pub checksum: String,
    /// Fingerprint of what it was learned from.
    pub data: String,
    /// The champion's number when it was registered.
    pub follows: Option<u32>,
    /// What the model is.
    pub card: Value,
    /// How good it is.
    pub metrics: Value,
    /// Where it comes from.
    pub lineage: Value,
}

/// Who decides what, why, and on what figures.
#[derive(Debug, Clone, Copy)]
pub struct Judgement<'a> {
    /// Now.
    pub at: Timestamp,
    /// Who.
    pub by: &'a str,
    /// Why; may be empty.
    pub reason: &'a str,
    /// Whether it goes against the figures, or without any.
    pub forced: bool,
    /// On what.
    pub figures: &'a Value,
}

/// A decision that was made.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Decision {
    /// When.
    #[serde(serialize_with = "moment")]
    pub at: Timestamp,
    /// About which name.
    pub name: String,
    /// What.
    pub action: Action,
    /// About which version.
    pub version: u32,
    /// The champion before.
    pub before: Option<u32>,
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Whether against the figures, or without any.
    pub forced: bool,
    /// On what.
    pub figures: Value,
}

/// Changes with everything that is registered, decided or removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Revision(pub(super) [i64; 3]);

/// Seconds since 1970 as `2026-01-31T23:59:59Z`.
fn moment<S: serde::Serializer>(at: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&(at.to_string().replacen(' ', "T", 1) + "Z"))
}
