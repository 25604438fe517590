//! Names and versions: registering, finding and listing them.
//!
//! The one idea: a version's folder gets its last name while the database is held, right before the transaction that makes it
//! known ends; so two processes never take the same number, and what is known is there.

use std::fs;

use guike_core::Timestamp;
use rusqlite::{OptionalExtension as _, Row, Transaction, TransactionBehavior, params};
use serde_json::Value;
use xxhash_rust::xxh3::xxh3_128;

use super::database::sql;
use super::decisions::{champion, decide};
use super::version::{Action, Judgement, Kind, NewVersion, Revision, Stage, Version, Word};
use super::{Draft, MODELS, RUNS, Workspace, check_name, files};
use crate::{StoreError, io};

/// All columns of versions that were not removed, in the order in which they are read.
pub(super) const VERSION: &str = "SELECT v.id, n.name, v.number, n.kind, v.stage, v.folder, v.created, v.checksum, v.data, v.follows, \
                       v.card, v.metrics, v.lineage, v.seal FROM versions v JOIN names n ON n.id = v.name_id \
                       AND v.id NOT IN (SELECT version_id FROM removals)";

impl Workspace {
    /// Gives the results in a draft a version, and makes it the champion where its name has none.
    ///
    /// # Errors
    /// [`StoreError::Refused`] for a name that is none or belongs to another kind, [`StoreError::Io`] and
    /// [`StoreError::InUse`] when it cannot be written: nothing is registered then, and the files are gone with the draft;
    /// [`StoreError::Unregistered`] when only the database could not be written: the files lie where the error says.
    pub fn register(&mut self, draft: Draft, new: &NewVersion<'_>) -> Result<Version, StoreError> {
        check_name(new.name)?;
        let database = self.database();
        let kept = files::of_folder(&draft.folder())?;
        let write = || sql("write", &database);
        let tx = self.db.transaction_with_behavior(TransactionBehavior::Immediate).map_err(write())?;
        let name_id = name_id(&tx, new).map_err(write())??;
        let used: u32 = tx
            .query_row("SELECT coalesce(max(number), 0) FROM versions WHERE name_id = ?1", [name_id], |r| r.get(0))
            .map_err(write())?;
        let parent = match new.kind {
            Kind::Table => self.root.join(MODELS).join(new.name),
            Kind::Orders => self.root.join(RUNS),
        };
        // folders that nobody knows of keep their number: what is complete is never overwritten
        let on_disk = super::below(&parent)?.iter().filter_map(|f| f.file_name()?.to_str()?.parse().ok()).max();
        let on_disk = on_disk.unwrap_or(0_u32);
        let (number, folder) = match new.kind {
            Kind::Table => {
                let number = on_disk.max(used) + 1;
                (number, format!("{MODELS}/{}/{number}", new.name))
            }
            Kind::Orders => (used + 1, format!("{RUNS}/{:04}", on_disk.max(last_run(&tx).map_err(write())?) + 1)),
        };
        let target = self.root.join(&folder);
        fs::create_dir_all(&parent).map_err(io("create", &parent))?;
        fs::rename(draft.folder(), &target).map_err(io("rename", &target))?;
        for folder in [Some(parent.as_path()), parent.parent(), Some(self.root.as_path())].into_iter().flatten() {
            crate::staged::sync_folder(folder)?;
        }
        let insert = || -> rusqlite::Result<i64> {
            let champion = champion(&tx, name_id)?;
            let stage = if champion.is_none() { Stage::Champion } else { Stage::Candidate };
            let (checksum, follows) = (files::together(&kept), champion.map(|c| c.1));
            let [card, metrics, lineage] = [&new.card, &new.metrics, &new.lineage].map(Value::to_string);
            let texts = [new.name, &folder, &checksum, &new.data, &card, &metrics, &lineage];
            let seal = seal(&texts, &[Some(number.into()), Some(new.created.0), follows.map(i64::from)]);
            tx.execute(
                "INSERT INTO versions (name_id, number, stage, folder, created, checksum, data, follows, card, metrics, \
                 lineage, seal) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
                params![
                    name_id,
                    number,
                    stage.word(),
                    folder,
                    new.created.0,
                    checksum,
                    new.data,
                    follows,
                    card,
                    metrics,
                    lineage,
                    seal
                ],
            )?;
            let id = tx.last_insert_rowid();
            for f in &kept {
                tx.execute(
                    "INSERT INTO files (version_id, path, bytes, checksum) VALUES (?1, ?2, ?3, ?4)",
                    params![id, f.path, i64::try_from(f.bytes).unwrap_or(i64::MAX), f.checksum],
                )?;
            }
            if stage == Stage::Champion {
                let reason = "the first of its name has no rival";
                let judgement =
                    Judgement { at: new.created, by: "guike", reason, forced: false, figures: &Value::Null };
                decide(&tx, name_id, Action::First, id, None, None, &judgement)?;
            }
            tx.commit()?;
            Ok(id)
        };
        // hours of work may be in it: it stays where it is
        insert().map_err(write()).map_err(|e| StoreError::Unregistered { folder: target, source: Box::new(e) })?;
        self.find(new.name, Some(number))
    }

    /// Every version, by name in the order of their first ones, then by number.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn versions(&self) -> Result<Vec<Version>, StoreError> {
        self.query(&format!("{VERSION} ORDER BY n.id, v.number"), &[])
    }

    /// A version; the champion of the name, or its newest version without one, where no number is given.
    ///
    /// # Errors
    /// [`StoreError::NotRegistered`] with those that there are.
    pub fn find(&self, name: &str, number: Option<u32>) -> Result<Version, StoreError> {
        let of_name = self.query(&format!("{VERSION} WHERE n.name = ?1 ORDER BY v.number"), &[&name])?;
        let numbers: Vec<String> = of_name.iter().map(|v| v.number.to_string()).collect();
        let found = match number {
            Some(number) => of_name.into_iter().find(|v| v.number == number),
            None => of_name.into_iter().max_by_key(|v| (v.stage == Stage::Champion, v.number)),
        };
        found.ok_or_else(|| {
            let root = self.root.display();
            StoreError::NotRegistered(match number {
                Some(number) if !numbers.is_empty() => {
                    format!("`{name}` has no version {number} in `{root}`; it has {}", numbers.join(", "))
                }
                _ => format!("`{root}` has nothing called `{name}`; `guike models list --workspace {root}` lists it"),
            })
        })
    }

    /// The champion of a name.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn champion(&self, name: &str) -> Result<Option<Version>, StoreError> {
        let found = self.query(&format!("{VERSION} WHERE n.name = ?1 AND v.stage = 'champion'"), &[&name])?;
        Ok(found.into_iter().next())
    }

    /// What changes with everything that is registered, decided or removed: three numbers that are cheap to ask for.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn revision(&self) -> Result<Revision, StoreError> {
        let text = "SELECT coalesce((SELECT max(id) FROM versions), 0), coalesce((SELECT max(id) FROM decisions), 0), \
                    coalesce((SELECT max(id) FROM removals), 0)";
        let path = self.database();
        self.db.query_row(text, [], |r| Ok(Revision([r.get(0)?, r.get(1)?, r.get(2)?]))).map_err(sql("read", &path))
    }

    pub(super) fn query(&self, text: &str, values: &[&dyn rusqlite::ToSql]) -> Result<Vec<Version>, StoreError> {
        let path = self.database();
        let read = || -> rusqlite::Result<Vec<Version>> {
            let mut statement = self.db.prepare(text)?;
            let rows = statement.query_map(values, |r| self.version(r))?;
            rows.collect()
        };
        read().map_err(sql("read", &path))
    }

    /// A row of [`VERSION`], if it still fits its seal.
    fn version(&self, r: &Row<'_>) -> rusqlite::Result<Version> {
        let text = |at: usize| r.get::<_, String>(at);
        let (name, folder, checksum, data) = (text(1)?, text(5)?, text(7)?, text(8)?);
        let (card, metrics, lineage) = (text(10)?, text(11)?, text(12)?);
        let (number, created, follows): (u32, i64, Option<u32>) = (r.get(2)?, r.get(6)?, r.get(9)?);
        let texts = [&name, &folder, &checksum, &data, &card, &metrics, &lineage].map(String::as_str);
        is_sealed(r, 13, &seal(&texts, &[Some(number.into()), Some(created), follows.map(i64::from)]))?;
        Ok(Version {
            id: r.get(0)?,
            name,
            number,
            kind: parsed(r, 3)?,
            stage: parsed(r, 4)?,
            folder: self.root.join(folder),
            created: Timestamp(created),
            checksum,
            data,
            follows,
            card: json(r, 10)?,
            metrics: json(r, 11)?,
            lineage: json(r, 12)?,
        })
    }
}

/// The number of the newest folder of a run, of those that were removed, too: none is used twice.
fn last_run(tx: &Transaction<'_>) -> rusqlite::Result<u32> {
    let mut statement = tx.prepare("SELECT folder FROM versions")?;
    let folders: rusqlite::Result<Vec<String>> = statement.query_map([], |r| r.get(0))?.collect();
    let number = |folder: &String| folder.strip_prefix(RUNS)?.strip_prefix('/')?.parse().ok();
    Ok(folders?.iter().filter_map(number).max().unwrap_or(0))
}

/// A checksum of what stands in a row.
pub(super) fn seal(texts: &[&str], numbers: &[Option<i64>]) -> String {
    // as JSON, so that no two rows are the same text
    let row = serde_json::json!([texts, numbers]).to_string();
    format!("xxh3-{:032x}", xxh3_128(row.as_bytes()))
}

/// Whether a row has the seal that belongs to it.
pub(super) fn is_sealed(row: &Row<'_>, at: usize, expected: &str) -> rusqlite::Result<()> {
    let found: String = row.get(at)?;
    if found == expected {
        return Ok(());
    }
    Err(not_ours(at, "a row does not fit its checksum".into()))
}

/// The row of a name, made where there is none; refused where it belongs to another kind.
fn name_id(tx: &Transaction<'_>, new: &NewVersion<'_>) -> rusqlite::Result<Result<i64, StoreError>> {
    let text = "SELECT id, kind FROM names WHERE name = ?1";
    let found: Option<(i64, Kind)> = tx.query_row(text, [new.name], |r| Ok((r.get(0)?, parsed(r, 1)?))).optional()?;
    match found {
        Some((id, kind)) if kind == new.kind => Ok(Ok(id)),
        Some((_, kind)) => Ok(Err(foreign_name(new.name, kind))),
        None => {
            tx.execute("INSERT INTO names (name, kind) VALUES (?1, ?2)", params![new.name, new.kind.word()])?;
            Ok(Ok(tx.last_insert_rowid()))
        }
    }
}

/// A name that belongs to this kind.
pub(super) fn foreign_name(name: &str, kind: Kind) -> StoreError {
    let rule = format!("the name belongs to {}; take another one", kind.words());
    StoreError::Refused { what: "--name", value: name.to_owned(), rule }
}

/// A word of ours in a column.
pub(super) fn parsed<T: Word>(row: &Row<'_>, at: usize) -> rusqlite::Result<T> {
    let text: String = row.get(at)?;
    T::parse(&text).ok_or_else(|| not_ours(at, format!("`{text}` is no word of this version").into()))
}

/// JSON in a column.
pub(super) fn json(row: &Row<'_>, at: usize) -> rusqlite::Result<Value> {
    let text: String = row.get(at)?;
    serde_json::from_str(&text).map_err(|e| not_ours(at, e.into()))
}

fn not_ours(at: usize, why: Box<dyn std::error::Error + Send + Sync>) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(at, rusqlite::types::Type::Text, why)
}
