//! Decisions: which version is the champion, and how it came to that.
//!
//! The one idea: a stage changes only together with a decision that says when, by whom, why and on what figures. The decisions
//! of a name form a chain in which each one knows the one before it: a rollback goes one step back along the chain, and the
//! next rollback one step further.

use guike_core::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params};

use super::Workspace;
use super::database::sql;
use super::registry::{VERSION, is_sealed, json, parsed, seal};
use super::removals::removals;
use super::version::{Action, Decision, Judgement, Version, Word as _};
use crate::StoreError;

impl Workspace {
    /// The decisions about a name, or about all, the oldest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn decisions(&self, name: Option<&str>) -> Result<Vec<Decision>, StoreError> {
        let path = self.database();
        let read = || -> rusqlite::Result<Vec<Decision>> {
            let mut statement = self.db.prepare(
                "SELECT d.at, n.name, d.action, v.number, b.number, d.made_by, d.reason, d.forced, d.figures, d.seal, \
                 d.version_id, d.before_id, d.parent_id, d.id FROM decisions d \
                 JOIN names n ON n.id = d.name_id JOIN versions v ON v.id = d.version_id \
                 LEFT JOIN versions b ON b.id = d.before_id WHERE ?1 IS NULL OR n.name = ?1 ORDER BY d.id",
            )?;
            let rows = statement.query_map(params![name], |r| {
                let action: String = r.get(2)?;
                let (by, reason, figures): (String, String, String) = (r.get(5)?, r.get(6)?, r.get(8)?);
                let numbers = [Some(r.get(0)?), Some(r.get(10)?), r.get(11)?, r.get(12)?, Some(r.get(7)?)];
                is_sealed(r, 9, &seal(&[&action, &by, &reason, &figures], &numbers))?;
                let decision = Decision {
                    at: Timestamp(r.get(0)?),
                    name: r.get(1)?,
                    action: parsed(r, 2)?,
                    version: r.get(3)?,
                    before: r.get(4)?,
                    by: r.get(5)?,
                    reason: r.get(6)?,
                    forced: r.get(7)?,
                    figures: json(r, 8)?,
                };
                Ok((r.get(13)?, decision))
            })?;
            // each removal behind the decisions that were there before it: what comes later is always at the end
            let decided: Vec<(i64, Decision)> = rows.collect::<rusqlite::Result<_>>()?;
            let mut all: Vec<(i64, bool, Decision)> = decided.into_iter().map(|(id, d)| (id, false, d)).collect();
            all.extend(removals(&self.db, name)?.into_iter().map(|(after, d)| (after, true, d)));
            all.sort_by_key(|(id, is_removal, _)| (*id, *is_removal));
            Ok(all.into_iter().map(|(_, _, decision)| decision).collect())
        };
        read().map_err(sql("read", &path))
    }

    /// Makes a version the champion of its name; the champion before is archived.
    ///
    /// # Errors
    /// [`StoreError::InUse`] when somebody else changed the champion since `rival` was judged, [`StoreError::Refused`] for
    /// the champion itself.
    pub fn promote(
        &mut self,
        version: &Version,
        rival: Option<&Version>,
        judgement: &Judgement<'_>,
    ) -> Result<(), StoreError> {
        self.changeable()?;
        let path = self.database();
        let write = || sql("write", &path);
        let tx = self.db.transaction_with_behavior(TransactionBehavior::Immediate).map_err(write())?;
        let change = || -> rusqlite::Result<bool> {
            let name_id = name_of(&tx, version.id)?;
            let now = champion(&tx, name_id)?.map(|c| c.0);
            if now != rival.map(|r| r.id) || now == Some(version.id) {
                return Ok(false);
            }
            let parent = last(&tx, name_id)?.map(|d| d.id);
            crown(&tx, now, version.id)?;
            decide(&tx, name_id, Action::Promote, version.id, now, parent, judgement)?;
            tx.commit()?;
            Ok(true)
        };
        match change().map_err(write())? {
            true => Ok(()),
            false if rival.is_some_and(|r| r.id == version.id) => Err(StoreError::Refused {
                what: "VERSION",
                value: version.number.to_string(),
                rule: format!("it is the champion of `{}` already", version.name),
            }),
            false => Err(StoreError::InUse(path)),
        }
    }

    /// Brings back the champion before, and archives the one that there is. The same again goes one step further back.
    ///
    /// # Errors
    /// [`StoreError::NotRegistered`] for a name without versions, [`StoreError::Refused`] when there was no champion before.
    pub fn rollback(&mut self, name: &str, judgement: &Judgement<'_>) -> Result<Version, StoreError> {
        self.changeable()?;
        let before = self.before(name)?;
        let path = self.database();
        let write = || sql("write", &path);
        let tx = self.db.transaction_with_behavior(TransactionBehavior::Immediate).map_err(write())?;
        let change = || -> rusqlite::Result<bool> {
            let name_id = name_of(&tx, before.id)?;
            let now = champion(&tx, name_id)?.map(|c| c.0);
            let to = last(&tx, name_id)?.and_then(|d| d.parent);
            let Some((version, parent)) = to.map(|to| decision(&tx, to)).transpose()? else { return Ok(false) };
            if version != before.id {
                return Ok(false);
            }
            crown(&tx, now, version)?;
            decide(&tx, name_id, Action::Rollback, version, now, parent, judgement)?;
            tx.commit()?;
            Ok(true)
        };
        if !change().map_err(write())? {
            return Err(StoreError::InUse(path));
        }
        self.find(name, Some(before.number))
    }

    /// The version to which a rollback would return.
    ///
    /// # Errors
    /// As [`Workspace::rollback`].
    pub fn before(&self, name: &str) -> Result<Version, StoreError> {
        let newest = self.find(name, None)?;
        let path = self.database();
        let read = || -> rusqlite::Result<Option<i64>> {
            let Some(parent) = last(&self.db, name_of(&self.db, newest.id)?)?.and_then(|d| d.parent) else {
                return Ok(None);
            };
            decision(&self.db, parent).map(|d| Some(d.0))
        };
        let Some(id) = read().map_err(sql("read", &path))? else {
            return Err(StoreError::Refused {
                what: "NAME",
                value: name.to_owned(),
                rule: "there was no champion before the one that there is; promote another version".to_owned(),
            });
        };
        let found = self.query(&format!("{VERSION} WHERE v.id = ?1"), &[&id])?;
        found.into_iter().next().ok_or_else(|| StoreError::Refused {
            what: "NAME",
            value: name.to_owned(),
            rule: "the champion before the one that there is was removed; promote another version".to_owned(),
        })
    }

    /// Puts a candidate aside.
    ///
    /// # Errors
    /// [`StoreError::Refused`] for the champion and for what is archived already.
    pub fn archive(&mut self, version: &Version, judgement: &Judgement<'_>) -> Result<(), StoreError> {
        self.changeable()?;
        let path = self.database();
        let write = || sql("write", &path);
        let tx = self.db.transaction_with_behavior(TransactionBehavior::Immediate).map_err(write())?;
        let change = || -> rusqlite::Result<bool> {
            let changed = tx.execute(
                "UPDATE versions SET stage = 'archived' WHERE id = ?1 AND stage = 'candidate'",
                [version.id],
            )?;
            if changed == 0 {
                return Ok(false);
            }
            let name_id = name_of(&tx, version.id)?;
            decide(&tx, name_id, Action::Archive, version.id, None, None, judgement)?;
            tx.commit()?;
            Ok(true)
        };
        if change().map_err(write())? {
            return Ok(());
        }
        Err(StoreError::Refused {
            what: "VERSION",
            value: version.number.to_string(),
            rule: "only a candidate can be archived; promote another version, and the champion is archived".to_owned(),
        })
    }
}

/// A decision about a champion.
struct Link {
    id: i64,
    /// The decision to which a rollback returns.
    parent: Option<i64>,
}

/// The newest decision that made a champion.
fn last(db: &Connection, name_id: i64) -> rusqlite::Result<Option<Link>> {
    let text =
        "SELECT id, parent_id FROM decisions WHERE name_id = ?1 AND action <> 'archive' ORDER BY id DESC LIMIT 1";
    db.query_row(text, [name_id], |r| Ok(Link { id: r.get(0)?, parent: r.get(1)? })).optional()
}

/// The version that a decision made champion, and the decision before it.
fn decision(db: &Connection, id: i64) -> rusqlite::Result<(i64, Option<i64>)> {
    db.query_row("SELECT version_id, parent_id FROM decisions WHERE id = ?1", [id], |r| Ok((r.get(0)?, r.get(1)?)))
}

/// The champion of a name: its row and its number.
pub(super) fn champion(db: &Connection, name_id: i64) -> rusqlite::Result<Option<(i64, u32)>> {
    let text = "SELECT id, number FROM versions WHERE name_id = ?1 AND stage = 'champion'";
    db.query_row(text, [name_id], |r| Ok((r.get(0)?, r.get(1)?))).optional()
}

fn name_of(db: &Connection, version: i64) -> rusqlite::Result<i64> {
    db.query_row("SELECT name_id FROM versions WHERE id = ?1", [version], |r| r.get(0))
}

/// One version steps down, another one up.
fn crown(db: &Connection, old: Option<i64>, new: i64) -> rusqlite::Result<()> {
    if let Some(old) = old {
        db.execute("UPDATE versions SET stage = 'archived' WHERE id = ?1", [old])?;
    }
    db.execute("UPDATE versions SET stage = 'champion' WHERE id = ?1", [new])?;
    Ok(())
}

/// Writes a decision down.
pub(super) fn decide(
    db: &Connection,
    name_id: i64,
    action: Action,
    version: i64,
    before: Option<i64>,
    parent: Option<i64>,
    judgement: &Judgement<'_>,
) -> rusqlite::Result<()> {
    let Judgement { at, by, reason, forced, figures } = judgement;
    let figures = figures.to_string();
    let numbers = [Some(at.0), Some(version), before, parent, Some(i64::from(*forced))];
    let seal = seal(&[action.word(), by, reason, &figures], &numbers);
    db.execute(
        "INSERT INTO decisions (at, name_id, action, version_id, before_id, parent_id, made_by, reason, forced, figures, seal) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        params![at.0, name_id, action.word(), version, before, parent, by, reason, forced, figures, seal],
    )?;
    Ok(())
}
