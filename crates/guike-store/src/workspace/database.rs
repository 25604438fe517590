//! The database of a workspace: opened safely, one schema version, and errors that say what to do.
//!
//! The one idea: a database that is not ours, is damaged, or is from a newer Guike is refused before anything is read from
//! it; an older one is brought up to date in one transaction.

use std::fs;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use crate::StoreError;

/// One step per schema version; a step that was released never changes.
const MIGRATIONS: [&str; 3] =
    [include_str!("schema_1.sql"), include_str!("schema_2.sql"), include_str!("schema_3.sql")];
/// The newest schema.
pub(super) const SCHEMA: u32 = MIGRATIONS.len() as u32;
/// The schema from which on versions are removed.
const REMOVALS: u32 = 3;
/// Tells our databases from others: `GUIK`.
const APPLICATION: i32 = 0x4755_494b;
/// How long another process may hold the database before we give up; what holds it are single transactions.
const PATIENCE: Duration = Duration::from_secs(10);

/// Makes a database, or finishes one whose making was cut short.
pub(super) fn create(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut db = Connection::open_with_flags(path, flags).map_err(sql("create", path))?;
    prepare(&db, path)?;
    migrate(&mut db, path)?;
    Ok(db)
}

/// Opens a database, and says whether it can only be read as it lies there; `has_results` says whether an empty one can be
/// right, `is_backup` that not even its log may be put beside it.
pub(super) fn open(path: &Path, has_results: bool, is_backup: bool) -> Result<(Connection, bool), StoreError> {
    let (mut db, is_frozen) = if is_backup && is_settled(path) {
        (as_it_lies(path)?, true)
    } else {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(path, flags).map_err(sql("open", path))?;
        match prepare(&db, path) {
            Ok(()) => (db, false),
            // where nothing can be written (a read-only folder, a full disk) it cannot keep its log beside it
            Err(StoreError::Io { .. }) if is_settled(path) => (as_it_lies(path)?, true),
            Err(e) => return Err(e),
        }
    };
    let version = version(&db, path)?;
    if version > SCHEMA {
        return Err(StoreError::Newer { path: path.to_owned(), found: version, known: SCHEMA });
    }
    if version == 0 && has_results {
        return Err(corrupt(path, "it is empty, and there are models or runs beside it".to_owned()));
    }
    // what cannot be written is read as it is: what later schemas added is then empty
    if !is_frozen || version == 0 {
        migrate(&mut db, path)?;
    } else if version < REMOVALS {
        db.execute_batch(super::removals::NONE_YET).map_err(sql("read", path))?;
    }
    let application: i32 = db.query_row("PRAGMA application_id", [], |r| r.get(0)).map_err(sql("read", path))?;
    if application != APPLICATION {
        return Err(corrupt(path, "it is a database of another program".to_owned()));
    }
    // with indexes, which a quick check leaves out: one that lies hides what is registered; for 5,000 versions of 12 files both take 75 ms
    let said: String = db.query_row("PRAGMA integrity_check(1)", [], |r| r.get(0)).map_err(sql("read", path))?;
    if said != "ok" {
        return Err(corrupt(path, said));
    }
    let mut strays = db.prepare("PRAGMA foreign_key_check").map_err(sql("read", path))?;
    if strays.exists([]).map_err(sql("read", path))? {
        return Err(corrupt(path, "a row tells of something that is not there".to_owned()));
    }
    drop(strays);
    Ok((db, is_frozen))
}

/// Read-only, without a log beside it.
fn as_it_lies(path: &Path) -> Result<Connection, StoreError> {
    let absolute = std::path::absolute(path).map_err(crate::io("open", path))?;
    let mut uri = String::from("file:");
    for b in absolute.as_os_str().as_encoded_bytes() {
        match b {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' => uri.push(char::from(*b)),
            _ => uri.push_str(&format!("%{b:02X}")),
        }
    }
    uri.push_str("?immutable=1");
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(uri, flags).map_err(sql("open", path))?;
    db.pragma_update(None, "foreign_keys", true).map_err(sql("open", path))?;
    // what earlier schemas lack is put beside it, and there is no disk for that
    db.pragma_update(None, "temp_store", "MEMORY").map_err(sql("open", path))?;
    Ok(db)
}

/// Whether everything that was acknowledged is in the database itself, and nothing in a log beside it.
fn is_settled(path: &Path) -> bool {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    match fs::metadata(Path::new(&log)) {
        Ok(log) => log.len() == 0,
        Err(e) => e.kind() == std::io::ErrorKind::NotFound,
    }
}

fn prepare(db: &Connection, path: &Path) -> Result<(), StoreError> {
    let set = || -> rusqlite::Result<()> {
        db.busy_timeout(PATIENCE)?;
        db.pragma_update(None, "foreign_keys", true)?;
        // what is acknowledged is on disk
        db.pragma_update(None, "synchronous", "FULL")?;
        let _: String = db.query_row("PRAGMA journal_mode = WAL", [], |r| r.get(0))?;
        // the first look at the file itself
        let _: i64 = db.query_row("SELECT count(*) FROM sqlite_schema", [], |r| r.get(0))?;
        Ok(())
    };
    set().map_err(sql("open", path))
}

fn version(db: &Connection, path: &Path) -> Result<u32, StoreError> {
    db.query_row("PRAGMA user_version", [], |r| r.get(0)).map_err(sql("read", path))
}

/// Takes the steps that are missing, all of them or none.
fn migrate(db: &mut Connection, path: &Path) -> Result<(), StoreError> {
    if version(db, path)? >= SCHEMA {
        return Ok(());
    }
    let update = sql("update", path);
    let mut step = || -> rusqlite::Result<()> {
        let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // somebody else may have been quicker
        let done: u32 = tx.query_row("PRAGMA user_version", [], |r| r.get(0))?;
        if done == 0 {
            let others: i64 = tx.query_row("SELECT count(*) FROM sqlite_schema", [], |r| r.get(0))?;
            if others > 0 {
                // not ours: the check of the application says so
                return Ok(());
            }
            tx.pragma_update(None, "application_id", APPLICATION)?;
        }
        for step in MIGRATIONS.iter().skip(done as usize) {
            tx.execute_batch(step)?;
        }
        tx.pragma_update(None, "user_version", SCHEMA.max(done))?;
        tx.commit()
    };
    step().map_err(update)
}

pub(super) fn corrupt(path: &Path, reason: String) -> StoreError {
    let reason = format!("{reason}; `guike restore` puts a backup in its place");
    StoreError::Corrupt { path: path.to_owned(), reason }
}

/// What an error of the database means for a person.
pub(super) fn sql<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(rusqlite::Error) -> StoreError + 'a {
    use std::io::ErrorKind;
    move |e| {
        let system = |kind: ErrorKind, text: String| StoreError::Io {
            action,
            path: path.to_owned(),
            source: std::io::Error::new(kind, text),
        };
        match e.sqlite_error_code() {
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => corrupt(path, e.to_string()),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::InUse(path.to_owned()),
            Some(ErrorCode::DiskFull) => {
                system(ErrorKind::StorageFull, "the disk is full; free some space and repeat this".to_owned())
            }
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => {
                system(ErrorKind::PermissionDenied, format!("the folder or the file cannot be written ({e})"))
            }
            None if matches!(e, rusqlite::Error::FromSqlConversionFailure(..)) => corrupt(path, e.to_string()),
            _ => system(ErrorKind::Other, e.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_a_foreign_and_a_damaged_database_are_refused_and_left_as_they_are() {
        let tmp = tempfile::tempdir().expect("a temporary folder");
        let path = tmp.path().join("guike.sqlite");
        drop(create(&path).expect("created"));
        let whole = fs::read(&path).expect("read");

        let newer = Connection::open(&path).expect("opened");
        newer.pragma_update(None, "user_version", SCHEMA + 1).expect("updated");
        drop(newer);
        let said = open(&path, false, false).expect_err("refused");
        assert!(matches!(said, StoreError::Newer { found, known: SCHEMA, .. } if found == SCHEMA + 1), "{said}");

        fs::remove_file(&path).expect("removed");
        let foreign = Connection::open(&path).expect("opened");
        foreign.execute_batch("CREATE TABLE notes (text TEXT)").expect("written");
        drop(foreign);
        let said = open(&path, false, false).expect_err("refused").to_string();
        assert!(said.contains("another program"), "{said}");

        for (case, bytes) in [
            ("cut", whole[..whole.len() / 2].to_vec()),
            ("noise", vec![7_u8; 8_192]),
            ("page", [&whole[..4_096], &vec![0xff; whole.len() - 4_096]].concat()),
        ] {
            let _ = fs::remove_file(tmp.path().join("guike.sqlite-wal"));
            fs::write(&path, &bytes).expect("written");
            let said = open(&path, false, false).expect_err(case);
            assert!(matches!(said, StoreError::Corrupt { .. }), "{case}: {said}");
            assert!(said.to_string().contains("guike restore"), "{case}: {said}");
        }

        fs::write(&path, "").expect("written");
        assert!(open(&path, false, false).is_ok(), "its making was cut short");
        fs::write(&path, "").expect("written");
        let _ = fs::remove_file(tmp.path().join("guike.sqlite-wal"));
        let said = open(&path, true, false).expect_err("refused").to_string();
        assert!(said.contains("models or runs beside it"), "{said}");
    }

    #[test]
    fn a_database_of_the_first_schema_is_brought_up_to_date() {
        let tmp = tempfile::tempdir().expect("a temporary folder");
        let path = tmp.path().join("guike.sqlite");
        let old = Connection::open(&path).expect("opened");
        old.execute_batch(MIGRATIONS[0]).expect("written");
        old.execute_batch("INSERT INTO names (name, kind) VALUES ('a', 'table')").expect("written");
        old.pragma_update(None, "application_id", APPLICATION).expect("updated");
        old.pragma_update(None, "user_version", 1).expect("updated");
        drop(old);
        let (db, is_frozen) = open(&path, false, false).expect("opened");
        assert_eq!((version(&db, &path).expect("read"), is_frozen), (SCHEMA, false));
        let count = |table: &str| -> i64 {
            db.query_row(&format!("SELECT count(*) FROM {table}"), [], |r| r.get(0)).expect("read")
        };
        assert_eq!((count("names"), count("audiences")), (1, 0));
    }

    #[test]
    fn a_database_that_lies_where_nothing_can_be_written_is_read() {
        let tmp = tempfile::tempdir().expect("a temporary folder");
        let path = tmp.path().join("a name? with #signs%.sqlite");
        drop(create(&path).expect("created"));
        let db = as_it_lies(&path).expect("opened");
        assert_eq!(version(&db, &path).expect("read"), SCHEMA);
        let said = db.execute("INSERT INTO names (name, kind) VALUES ('a', 'table')", []).map_err(sql("write", &path));
        let said = said.expect_err("refused").to_string();
        assert!(said.contains("cannot be written"), "{said}");
    }
}
