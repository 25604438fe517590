//! Saved audiences: filters of customers under a name.
//!
//! The one idea: what is kept is the question and not the customers, so that an audience is whoever answers to it in the run
//! that is looked at. What a filter means is not known here.

use guike_core::Timestamp;
use rusqlite::{OptionalExtension as _, params};

use super::Workspace;
use super::database::sql;
use super::registry::{is_sealed, seal};
use crate::StoreError;

/// Most audiences of a workspace: a list that a person reads.
pub const MOST_AUDIENCES: usize = 200;
/// Characters of a name.
const LONGEST_NAME: usize = 64;

/// A filter of customers that was saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audience {
    /// Its name.
    pub name: String,
    /// The filter, as the address of a page says it.
    pub filter: String,
    /// When it was saved.
    pub created: Timestamp,
    /// Who saved it.
    pub by: String,
}

/// What became of saving.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Saved {
    /// It is on disk.
    Now,
    /// The same filter is there under this name.
    Before,
    /// Another filter is there under this name.
    Taken,
}

impl Workspace {
    /// The saved audiences by name.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn audiences(&self) -> Result<Vec<Audience>, StoreError> {
        let path = self.database();
        let read = || -> rusqlite::Result<Vec<Audience>> {
            // a workspace that cannot be written was not brought up to date, either
            let text = "SELECT count(*) FROM sqlite_schema WHERE name = 'audiences'";
            if self.db.query_row(text, [], |r| r.get::<_, i64>(0))? == 0 {
                return Ok(Vec::new());
            }
            let mut statement =
                self.db.prepare("SELECT name, filter, created, made_by, seal FROM audiences ORDER BY name")?;
            let rows = statement.query_map([], |r| {
                let (name, filter, created): (String, String, i64) = (r.get(0)?, r.get(1)?, r.get(2)?);
                let by: String = r.get(3)?;
                is_sealed(r, 4, &seal(&[&name, &filter, &by], &[Some(created)]))?;
                Ok(Audience { name, filter, created: Timestamp(created), by })
            })?;
            rows.collect()
        };
        read().map_err(sql("read", &path))
    }

    /// Saves an audience; it is on disk then.
    ///
    /// # Errors
    /// [`StoreError::Refused`] for a name that is none, or one too many; when the database cannot be written.
    ///
    /// # Example
    /// ```
    /// use guike_core::Timestamp;
    /// use guike_store::Workspace;
    /// use guike_store::workspace::{Audience, Saved};
    /// let tmp = tempfile::tempdir().unwrap();
    /// let mut w = Workspace::open_or_create(&tmp.path().join("shop")).unwrap();
    /// let gold = Audience {
    ///     name: "gold at risk".to_owned(),
    ///     filter: "tier=gold&max_p_active=0.5".to_owned(),
    ///     created: Timestamp(0),
    ///     by: "mei".to_owned(),
    /// };
    /// assert_eq!(w.save_audience(&gold).unwrap(), Saved::Now);
    /// assert_eq!(w.audiences().unwrap(), [gold.clone()]);
    /// let other = Audience { filter: "tier=silver".to_owned(), ..gold };
    /// assert_eq!(w.save_audience(&other).unwrap(), Saved::Taken);
    /// assert!(w.delete_audience("gold at risk").unwrap() && !w.delete_audience("gold at risk").unwrap());
    /// assert!(w.save_audience(&Audience { name: "a/b".to_owned(), ..other }).is_err());
    /// ```
    pub fn save_audience(&mut self, audience: &Audience) -> Result<Saved, StoreError> {
        let Audience { name, filter, created, by } = audience;
        let refused = |rule: String| StoreError::Refused { what: "name", value: name.clone(), rule };
        let is_name = name.trim() == name
            && (1..=LONGEST_NAME).contains(&name.chars().count())
            && !name.chars().any(|c| c.is_control() || c == '/');
        if !is_name {
            let rule = format!(
                "a name has 1 to {LONGEST_NAME} characters, none of them `/` or a sign that cannot be seen, and no blank at either end"
            );
            return Err(refused(rule));
        }
        self.changeable()?;
        let path = self.database();
        let write = || sql("write", &path);
        let tx = self.db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).map_err(write())?;
        let found: Option<String> = tx
            .query_row("SELECT filter FROM audiences WHERE name = ?1", [name], |r| r.get(0))
            .optional()
            .map_err(write())?;
        if let Some(found) = found {
            return Ok(if found == *filter { Saved::Before } else { Saved::Taken });
        }
        let n: i64 = tx.query_row("SELECT count(*) FROM audiences", [], |r| r.get(0)).map_err(write())?;
        if n as usize >= MOST_AUDIENCES {
            return Err(refused(format!("a workspace keeps {MOST_AUDIENCES} audiences; delete one that is not used")));
        }
        let seal = seal(&[name, filter, by], &[Some(created.0)]);
        let insert = "INSERT INTO audiences (name, filter, created, made_by, seal) VALUES (?1, ?2, ?3, ?4, ?5)";
        tx.execute(insert, params![name, filter, created.0, by, seal]).map_err(write())?;
        tx.commit().map_err(write())?;
        Ok(Saved::Now)
    }

    /// Deletes an audience; says whether there was one.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn delete_audience(&mut self, name: &str) -> Result<bool, StoreError> {
        self.changeable()?;
        let path = self.database();
        let n = self.db.execute("DELETE FROM audiences WHERE name = ?1", [name]).map_err(sql("write", &path))?;
        Ok(n > 0)
    }
}
