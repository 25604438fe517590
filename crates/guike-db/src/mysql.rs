//! MySQL and MariaDB, by the text protocol: every cell as the server prints it.

use std::str::FromStr;

use futures_util::StreamExt;
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlRow, MySqlSslMode};
use sqlx::{AssertSqlSafe, Column, Connection, Executor, Row, SqlSafeStr, Statement, TypeInfo, raw_sql};

use crate::error::DbError;
use crate::location::Location;
use crate::rows::{Request, TakeRows, each_once};
use crate::session::{Told, attentive};
use crate::sql::{Grammar, SqlServer, Table, connect_error, reading, statement_error};

/// How to do without encryption.
const WITHOUT_TLS: &str = "?ssl-mode=DISABLED";

/// A connection to MySQL or MariaDB.
#[derive(Debug)]
pub(crate) struct MySql {
    place: Location,
    connection: MySqlConnection,
}

/// A name as MySQL wants it.
pub(crate) fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// A connection in the session's settings, outside any transaction.
pub(crate) async fn connect(place: &Location) -> Result<MySqlConnection, DbError> {
    let failed = |e: sqlx::Error| connect_error(place, &e, WITHOUT_TLS);
    let mut options = MySqlConnectOptions::from_str(place.address()).map_err(failed)?;
    if place.wants_tls() {
        options = options.ssl_mode(MySqlSslMode::Required);
    }
    if let Some(password) = place.password() {
        options = options.password(password);
    }
    options = options.timezone(Some(place.timezone().unwrap_or("+00:00").to_owned()));
    MySqlConnection::connect_with(&options).await.map_err(failed)
}

impl MySql {
    pub(crate) async fn open(place: &Location) -> Result<MySql, DbError> {
        let mut connection = connect(place).await?;
        // a reader that is slower than the table is long is not thrown out
        for statement in [
            "SET SESSION net_write_timeout = 3600",
            "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
            "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
        ] {
            let done = connection.execute(statement).await;
            done.map_err(|e| statement_error(place, &e, "begin a reading transaction"))?;
        }
        Ok(MySql { place: place.clone(), connection })
    }

    pub(crate) async fn read(&mut self, request: &Request, taker: &mut dyn TakeRows) -> Result<Told, DbError> {
        let sql = self.statement_of(request).await?;
        let place = self.place.clone();
        let action = reading(&request.what);
        let failed = |e: sqlx::Error| statement_error(&place, &e, &action);
        let prepared = attentive(&place, &*taker, async {
            self.connection.prepare(AssertSqlSafe(sql.clone()).into_sql_str()).await.map_err(&failed)
        });
        let names = each_once(prepared.await?.columns().iter().map(|c| c.name().to_owned()));
        taker.columns(&names).map_err(DbError::Taker)?;
        let mut rows = raw_sql(AssertSqlSafe(sql)).fetch(&mut self.connection);
        let mut told = Told::default();
        let mut spare: Vec<Option<String>> = Vec::new();
        while let Some(row) =
            attentive(&place, &*taker, async { rows.next().await.transpose().map_err(&failed) }).await?
        {
            if row.len() != names.len() {
                return Err(changed(&place));
            }
            // most cells are text as they are; those that are not are written out first
            spare.clear();
            spare.extend((0..row.len()).map(|i| if is_binary(&row, i) { written_out(&row, i) } else { None }));
            let cell = |i: usize| spare[i].as_ref().map(String::as_bytes).or_else(|| bytes(&row, i));
            let cells: Vec<Option<&[u8]>> = (0..row.len()).map(cell).collect();
            taker.row(&cells).map_err(DbError::Taker)?;
            told.rows += 1;
        }
        Ok(told)
    }
}

impl SqlServer for MySql {
    const GRAMMAR: Grammar = Grammar { quoted, literal, as_text: str::to_owned };
    const TABLES: &'static str = "SELECT table_schema, table_name, IF(COALESCE(table_schema = DATABASE(), 0), 'true', 'false') \
        FROM information_schema.tables WHERE table_schema NOT IN ('information_schema', 'mysql', 'performance_schema', 'sys') \
        ORDER BY 3 DESC, 1, 2";
    // what others call a schema is a database of its own here
    const SCHEMAS: bool = false;

    fn place(&self) -> &Location {
        &self.place
    }

    fn count_of(table: &Table) -> String {
        format!(
            "SELECT table_rows FROM information_schema.tables WHERE table_schema = {} AND table_name = {}",
            literal(&table.schema),
            literal(&table.name)
        )
    }

    fn key_columns_of(table: &Table) -> String {
        format!(
            "SELECT column_name FROM information_schema.key_column_usage WHERE constraint_name = 'PRIMARY' AND table_schema = \
             {} AND table_name = {} ORDER BY ordinal_position",
            literal(&table.schema),
            literal(&table.name)
        )
    }

    async fn texts(&mut self, sql: String, action: &str) -> Result<Vec<Vec<Option<String>>>, DbError> {
        let rows = raw_sql(AssertSqlSafe(sql)).fetch_all(&mut self.connection).await;
        let rows = rows.map_err(|e| statement_error(&self.place, &e, action))?;
        Ok(rows.iter().map(|row| (0..row.len()).map(|i| text(row, i)).collect()).collect())
    }
}

/// The table changed between its description and its rows.
fn changed(place: &Location) -> DbError {
    DbError::Refused {
        place: place.to_string(),
        action: "give rows of the columns that it had announced".to_owned(),
        detail: "the table was altered meanwhile; try again".to_owned(),
    }
}

/// Text as MySQL wants it, in hexadecimal: no mode of the server gives a backslash another meaning.
fn literal(text: &str) -> String {
    if text.is_empty() {
        return "''".to_owned();
    }
    let digits: String = text.bytes().map(|b| format!("{b:02x}")).collect();
    format!("CONVERT(0x{digits} USING utf8mb4)")
}

fn bytes(row: &MySqlRow, i: usize) -> Option<&[u8]> {
    row.try_get_unchecked::<Option<&[u8]>, _>(i).ok().flatten()
}

fn text(row: &MySqlRow, i: usize) -> Option<String> {
    bytes(row, i).map(|b| String::from_utf8_lossy(b).into_owned())
}

/// Whether a column is told as bytes. Text that is compared byte by byte (`utf8mb4_bin`, MariaDB's JSON) is told so too.
fn is_binary(row: &MySqlRow, i: usize) -> bool {
    let name = row.column(i).type_info().name();
    name == "BIT" || name == "GEOMETRY" || name.ends_with("BINARY") || name.ends_with("BLOB")
}

/// Bits as a number, bytes that are no text in hexadecimal; `None` for text, which stays as it is.
fn written_out(row: &MySqlRow, i: usize) -> Option<String> {
    let cell = bytes(row, i)?;
    if row.column(i).type_info().name() == "BIT" && cell.len() <= 8 {
        return Some(cell.iter().fold(0_u64, |n, &b| n << 8 | u64::from(b)).to_string());
    }
    let control = |c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r');
    match std::str::from_utf8(cell) {
        Ok(text) if !text.contains(control) => None,
        _ => Some(cell.iter().map(|b| format!("{b:02x}")).collect()),
    }
}
