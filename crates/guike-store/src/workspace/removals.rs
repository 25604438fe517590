//! Removing versions that are archived.
//!
//! The one idea: one transaction says that a version is removed, and only then its files go. Whoever is killed in between
//! leaves files that nobody is shown any more, and the next who opens the workspace removes them ([`sweep`]).

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use guike_core::Timestamp;
use rusqlite::{Connection, TransactionBehavior, params};
use serde_json::Value;

use super::Workspace;
use super::database::sql;
use super::registry::{is_sealed, seal};
use super::version::{Action, Decision, Judgement, Stage, Version};
use crate::{StoreError, io};

/// What a database of an earlier schema, which cannot be written, lacks.
pub(super) const NONE_YET: &str = "CREATE TEMP TABLE removals (id INTEGER PRIMARY KEY, version_id INTEGER, at INTEGER, \
                                   after_id INTEGER, made_by TEXT, reason TEXT, seal TEXT)";

impl Workspace {
    /// Removes an archived version: it is on disk that it is removed, and then its files are gone. Its number is not used
    /// again, and what was decided about it stays.
    ///
    /// # Errors
    /// [`StoreError::Refused`] for the champion, for a candidate, and for the version to which a rollback would return;
    /// [`StoreError::Io`] and [`StoreError::InUse`] when it cannot be written: nothing is removed then. Files that cannot be
    /// removed yet are no error, they go when the workspace is opened again.
    pub fn remove(&mut self, version: &Version, judgement: &Judgement<'_>) -> Result<(), StoreError> {
        let refused = |rule: String| StoreError::Refused { what: "VERSION", value: version.number.to_string(), rule };
        let name = &version.name;
        // of a name without a champion before there is none to keep
        if self.before(name).is_ok_and(|before| before.id == version.id) {
            return Err(refused(format!(
                "a rollback of `{name}` would return to it; promote another version first, and this one can be removed"
            )));
        }
        let path = self.database();
        let write = || sql("write", &path);
        let tx = self.db.transaction_with_behavior(TransactionBehavior::Immediate).map_err(write())?;
        let change = || -> rusqlite::Result<Option<String>> {
            let text =
                "SELECT v.stage FROM versions v WHERE v.id = ?1 AND v.id NOT IN (SELECT version_id FROM removals)";
            let stage: Option<String> =
                rusqlite::OptionalExtension::optional(tx.query_row(text, [version.id], |r| r.get(0)))?;
            if stage.as_deref() != Some(Stage::Archived.name()) {
                return Ok(stage.or_else(|| Some("removed".to_owned())));
            }
            let Judgement { at, by, reason, .. } = judgement;
            let after: i64 = tx.query_row("SELECT coalesce(max(id), 0) FROM decisions", [], |r| r.get(0))?;
            let seal = seal(&[by, reason], &[Some(version.id), Some(at.0), Some(after)]);
            tx.execute(
                "INSERT INTO removals (version_id, at, after_id, made_by, reason, seal) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                params![version.id, at.0, after, by, reason, seal],
            )?;
            tx.commit()?;
            Ok(None)
        };
        match change().map_err(write())?.as_deref() {
            None => {
                // what cannot go now goes later
                let _later = gone(&version.folder);
                Ok(())
            }
            Some("removed") => Err(refused("it was removed already".to_owned())),
            Some("champion") => Err(refused(format!(
                "it is the champion of `{name}`, which is never removed; promote another version first"
            ))),
            Some(stage) => Err(refused(format!(
                "only archived versions are removed, and this one is {stage}; `guike models archive {name} {}` puts it aside",
                version.number
            ))),
        }
    }
}

/// What was removed about a name, or about all, with the decision after which it was; the oldest first.
pub(super) fn removals(db: &Connection, name: Option<&str>) -> rusqlite::Result<Vec<(i64, Decision)>> {
    let mut statement = db.prepare(
        "SELECT r.at, n.name, v.number, r.made_by, r.reason, r.after_id, r.version_id, r.seal FROM removals r \
         JOIN versions v ON v.id = r.version_id JOIN names n ON n.id = v.name_id WHERE ?1 IS NULL OR n.name = ?1 \
         ORDER BY r.id",
    )?;
    let rows = statement.query_map(params![name], |r| {
        let (by, reason, after): (String, String, i64) = (r.get(3)?, r.get(4)?, r.get(5)?);
        is_sealed(r, 7, &seal(&[&by, &reason], &[Some(r.get(6)?), Some(r.get(0)?), Some(after)]))?;
        let decision = Decision {
            at: Timestamp(r.get(0)?),
            name: r.get(1)?,
            action: Action::Remove,
            version: r.get(2)?,
            before: None,
            by,
            reason,
            forced: false,
            figures: Value::Null,
        };
        Ok((after, decision))
    })?;
    rows.collect()
}

/// Removes files that were left when somebody was stopped between the transaction and their end.
pub(super) fn sweep(db: &Connection, root: &Path) {
    let read = || -> rusqlite::Result<Vec<String>> {
        let text = "SELECT v.folder FROM removals r JOIN versions v ON v.id = r.version_id ORDER BY r.id";
        let mut statement = db.prepare(text)?;
        let folders = statement.query_map([], |r| r.get(0))?;
        folders.collect()
    };
    for folder in read().unwrap_or_default() {
        // what cannot go now goes the next time
        let _later = gone(&root.join(folder));
    }
}

fn gone(folder: &Path) -> Result<(), StoreError> {
    match fs::remove_dir_all(folder) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(io("remove", folder)(e)),
        _ => Ok(()),
    }
}
