//! PostgreSQL, by COPY: every cell as the server prints it, at several times the pace of single rows.

use std::str::FromStr;

use futures_util::StreamExt;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgRow, PgSslMode};
use sqlx::{AssertSqlSafe, Column, Connection, Executor, Row, SqlSafeStr, Statement, raw_sql};

use crate::copy_text::CopyText;
use crate::error::DbError;
use crate::location::Location;
use crate::rows::{Request, TakeRows, each_once};
use crate::session::{Told, attentive};
use crate::sql::{Grammar, SqlServer, Table, connect_error, reading, statement_error};

/// How to do without encryption.
const WITHOUT_TLS: &str = "?sslmode=disable";

/// A connection to PostgreSQL.
#[derive(Debug)]
pub(crate) struct Postgres {
    place: Location,
    connection: PgConnection,
}

/// A name as PostgreSQL wants it.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Text as PostgreSQL wants it, whatever a backslash means to the server.
fn literal(text: &str) -> String {
    format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

/// A connection outside any transaction.
pub(crate) async fn connect(place: &Location) -> Result<PgConnection, DbError> {
    let failed = |e: sqlx::Error| connect_error(place, &e, WITHOUT_TLS);
    let mut options = PgConnectOptions::from_str(place.address()).map_err(failed)?;
    if place.wants_tls() {
        options = options.ssl_mode(PgSslMode::Require);
    }
    if let Some(password) = place.password() {
        options = options.password(password);
    }
    PgConnection::connect_with(&options.application_name("guike")).await.map_err(failed)
}

impl Postgres {
    pub(crate) async fn open(place: &Location) -> Result<Postgres, DbError> {
        let mut connection = connect(place).await?;
        // `+08:00` means east here, as everywhere but in POSIX
        let zone = match place.timezone() {
            None => "SET TIME ZONE 'UTC'".to_owned(),
            Some(zone) if zone.starts_with(['+', '-']) => {
                format!("SET TIME ZONE INTERVAL {} HOUR TO MINUTE", literal(zone))
            }
            Some(zone) => format!("SET TIME ZONE {}", literal(zone)),
        };
        for statement in [
            zone,
            "SET datestyle = 'ISO, YMD'".to_owned(),
            "SET bytea_output = 'hex'".to_owned(),
            // a table without a key is read from its beginning
            "SET synchronize_seqscans = off".to_owned(),
            "SET max_parallel_workers_per_gather = 0".to_owned(),
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY".to_owned(),
        ] {
            let done = raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await;
            done.map_err(|e| statement_error(place, &e, "begin a reading transaction"))?;
        }
        Ok(Postgres { place: place.clone(), connection })
    }

    /// Reads; what a statement leaves undone when it is refused does not hurt the next one.
    pub(crate) async fn read(&mut self, request: &Request, taker: &mut dyn TakeRows) -> Result<Told, DbError> {
        let place = self.place.clone();
        let failed = |e: sqlx::Error| statement_error(&place, &e, "set a mark");
        let sql = self.statement_of(request).await?;
        raw_sql("SAVEPOINT before_reading").execute(&mut self.connection).await.map_err(failed)?;
        let told = self.copy(&sql, request, taker).await;
        if matches!(told, Err(DbError::Refused { .. })) {
            raw_sql("ROLLBACK TO before_reading").execute(&mut self.connection).await.map_err(failed)?;
        }
        told
    }

    async fn copy(&mut self, sql: &str, request: &Request, taker: &mut dyn TakeRows) -> Result<Told, DbError> {
        let place = self.place.clone();
        let action = reading(&request.what);
        let failed = |e: sqlx::Error| statement_error(&place, &e, &action);
        let prepared = attentive(&place, &*taker, async {
            self.connection.prepare(AssertSqlSafe(sql.to_owned()).into_sql_str()).await.map_err(failed)
        });
        let names = each_once(prepared.await?.columns().iter().map(|c| c.name().to_owned()));
        taker.columns(&names).map_err(DbError::Taker)?;
        let command = format!("COPY (\n{sql}\n) TO STDOUT");
        let started =
            attentive(&place, &*taker, async { self.connection.copy_out_raw(&command).await.map_err(failed) });
        let mut pieces = started.await?;
        let mut text = CopyText::new(names.len());
        let mut told = Told::default();
        while let Some(piece) =
            attentive(&place, &*taker, async { pieces.next().await.transpose().map_err(failed) }).await?
        {
            told.rows += text.take(&piece, taker)?;
        }
        Ok(told)
    }
}

impl SqlServer for Postgres {
    const GRAMMAR: Grammar = Grammar { quoted, literal, as_text: |value| format!("{value}::text") };
    const TABLES: &'static str = "SELECT n.nspname::text, c.relname::text, pg_table_is_visible(c.oid)::text FROM pg_class c JOIN \
        pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'v', 'm', 'p', 'f') AND NOT c.relispartition AND \
        n.nspname NOT IN ('pg_catalog', 'information_schema') AND has_schema_privilege(n.oid, 'USAGE') AND \
        has_table_privilege(c.oid, 'SELECT') ORDER BY 3 DESC, 1, 2";
    const SCHEMAS: bool = true;

    fn place(&self) -> &Location {
        &self.place
    }

    fn count_of(table: &Table) -> String {
        let name = literal(&Self::GRAMMAR.full(table));
        format!("SELECT reltuples::bigint::text FROM pg_class WHERE oid = {name}::regclass")
    }

    fn key_columns_of(table: &Table) -> String {
        let name = literal(&Self::GRAMMAR.full(table));
        format!(
            "SELECT a.attname::text FROM pg_index i CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY k(n, place) JOIN \
             pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.n WHERE i.indisprimary AND i.indrelid = {name}::regclass \
             ORDER BY k.place"
        )
    }

    /// All columns of the statement are text.
    async fn texts(&mut self, sql: String, action: &str) -> Result<Vec<Vec<Option<String>>>, DbError> {
        let rows = raw_sql(AssertSqlSafe(sql)).fetch_all(&mut self.connection).await;
        let rows = rows.map_err(|e| statement_error(&self.place, &e, action))?;
        let texts = |row: &PgRow| (0..row.len()).map(|i| row.try_get::<Option<String>, _>(i).ok().flatten()).collect();
        Ok(rows.iter().map(texts).collect())
    }
}
