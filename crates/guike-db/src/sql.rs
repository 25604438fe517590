//! What MySQL and PostgreSQL share: names in lists of tables, statements, and what errors of the drivers mean.

use crate::error::DbError;
use crate::location::Location;
use crate::rows::{Request, What};
use crate::since;

/// A table by the two parts of its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) schema: String,
    pub(crate) name: String,
    /// Whether the name alone finds it.
    pub(crate) visible: bool,
}

impl Table {
    pub(crate) fn shown(&self) -> String {
        if self.visible { self.name.clone() } else { format!("{}.{}", self.schema, self.name) }
    }

    fn is(&self, wanted: &str) -> bool {
        (self.visible && self.name == wanted) || format!("{}.{}", self.schema, self.name) == wanted
    }
}

/// The table that `wanted` names.
fn find(place: &Location, tables: &[Table], wanted: &str) -> Result<Table, DbError> {
    tables
        .iter()
        .find(|t| t.is(wanted))
        .cloned()
        .ok_or_else(|| no_table(place, wanted, tables.iter().map(Table::shown)))
}

/// Names in an error that lists what is there.
const NAMED: usize = 20;

pub(crate) fn no_table(place: &Location, wanted: &str, there: impl Iterator<Item = String>) -> DbError {
    let names: Vec<String> = there.collect();
    let more = names.len().saturating_sub(NAMED);
    let mut rule = match names.len() {
        0 => "there is none at all: name another database, or let the user read".to_owned(),
        _ => format!("there are {}", names[..names.len() - more].join(", ")),
    };
    if more > 0 {
        rule.push_str(&format!(" and {more} more"));
    }
    DbError::NoTable { place: place.to_string(), table: wanted.to_owned(), rule }
}

/// How a system writes names, text, and a value as text.
pub(crate) struct Grammar {
    pub(crate) quoted: fn(&str) -> String,
    pub(crate) literal: fn(&str) -> String,
    pub(crate) as_text: fn(&str) -> String,
}

impl Grammar {
    /// A table's whole name.
    pub(crate) fn full(&self, table: &Table) -> String {
        format!("{}.{}", (self.quoted)(&table.schema), (self.quoted)(&table.name))
    }

    /// The statement that reads a table in the order of its key.
    fn select(&self, place: &Location, request: &Request, table: &Table, key: &[String]) -> Result<String, DbError> {
        let since = match &request.since {
            None => String::new(),
            Some(since) => {
                let value = since::checked(place, &since.column, since.value.clone())?;
                format!(" WHERE {} >= {}", (self.quoted)(&since.column), (self.literal)(&value))
            }
        };
        let columns: Vec<String> = key.iter().map(|c| (self.quoted)(c)).collect();
        let order = if columns.is_empty() { String::new() } else { format!(" ORDER BY {}", columns.join(", ")) };
        Ok(format!("SELECT * FROM {}{since}{order}{}", self.full(table), limit(request.most)))
    }
}

/// A connection to a server that speaks SQL: what is asked of every system, in the words of each.
pub(crate) trait SqlServer {
    const GRAMMAR: Grammar;
    /// Gives schema, name, and `true` where the name alone finds it, of every table that may be read; those first.
    const TABLES: &'static str;
    /// Whether tables that need their schema belong to the database that the address names.
    const SCHEMAS: bool;

    fn place(&self) -> &Location;

    /// The statement that tells about how many rows a table has.
    fn count_of(table: &Table) -> String;

    /// The statement that tells the columns of a table's primary key.
    fn key_columns_of(table: &Table) -> String;

    /// The cells of the rows that a statement of our own gives, as text.
    async fn texts(&mut self, sql: String, action: &str) -> Result<Vec<Vec<Option<String>>>, DbError>;

    /// The first cell of them.
    async fn text(&mut self, sql: String, action: &str) -> Result<Option<String>, DbError> {
        Ok(self.texts(sql, action).await?.into_iter().flatten().flatten().next())
    }

    async fn all_tables(&mut self) -> Result<Vec<Table>, DbError> {
        let rows = self.texts(Self::TABLES.to_owned(), "list its tables").await?;
        let tables = rows.into_iter().filter_map(|row| match &row[..] {
            [Some(schema), Some(name), Some(visible)] => {
                Some(Table { schema: schema.clone(), name: name.clone(), visible: visible == "true" })
            }
            _ => None,
        });
        Ok(tables.collect())
    }

    async fn tables(&mut self) -> Result<Vec<String>, DbError> {
        let all = Self::SCHEMAS || self.place().database().is_none();
        let tables = self.all_tables().await?;
        Ok(tables.iter().filter(|t| t.visible || all).map(Table::shown).collect())
    }

    async fn table(&mut self, name: &str) -> Result<Table, DbError> {
        let tables = self.all_tables().await?;
        find(self.place(), &tables, name)
    }

    /// `None` where nobody counted yet.
    async fn about_rows(&mut self, table: &str) -> Result<Option<u64>, DbError> {
        let table = self.table(table).await?;
        Ok(self.text(Self::count_of(&table), "count rows").await?.and_then(|n| n.parse().ok()))
    }

    async fn key(&mut self, table: &str) -> Result<Vec<String>, DbError> {
        let table = self.table(table).await?;
        self.key_of(&table).await
    }

    async fn key_of(&mut self, table: &Table) -> Result<Vec<String>, DbError> {
        let columns = self.texts(Self::key_columns_of(table), "find the primary key").await?;
        Ok(columns.into_iter().flatten().flatten().collect())
    }

    async fn highest(&mut self, table: &str, column: &str) -> Result<Option<String>, DbError> {
        let table = self.table(table).await?;
        let highest = (Self::GRAMMAR.as_text)(&format!("MAX({})", (Self::GRAMMAR.quoted)(column)));
        let sql = format!("SELECT {highest} FROM {}", Self::GRAMMAR.full(&table));
        let found = self.text(sql, &format!("find the highest `{column}` of `{}`", table.shown())).await?;
        found.map(|value| since::checked(self.place(), column, value)).transpose()
    }

    /// The statement that a request is.
    async fn statement_of(&mut self, request: &Request) -> Result<String, DbError> {
        let table = match &request.what {
            What::Query(query) => return Ok(of_query(query, request.most)),
            What::Table(name) => self.table(name).await?,
        };
        let key = self.key_of(&table).await?;
        Self::GRAMMAR.select(self.place(), request, &table, &key)
    }
}

/// What reading is called in errors.
pub(crate) fn reading(what: &What) -> String {
    match what {
        What::Table(table) => format!("read `{table}`"),
        What::Query(_) => "answer the query".to_owned(),
    }
}

fn limit(most: Option<u64>) -> String {
    most.map(|n| format!(" LIMIT {n}")).unwrap_or_default()
}

/// The statement that gives the first rows of a query, or all.
fn of_query(query: &str, most: Option<u64>) -> String {
    let query = query.trim().trim_end_matches([';', ' ', '\n', '\r', '\t']);
    match most {
        None => query.to_owned(),
        Some(_) => format!("SELECT * FROM (\n{query}\n) AS asked{}", limit(most)),
    }
}

/// What a failed connection means.
pub(crate) fn connect_error(place: &Location, error: &sqlx::Error, without_tls: &str) -> DbError {
    let words = place.without_secret(&error.to_string());
    let (detail, passing) = match error {
        sqlx::Error::Tls(_) => (
            format!(
                "{words}; what leaves this machine is encrypted: let the server offer TLS, or write {without_tls} behind \
                 the address where the network is yours alone"
            ),
            false,
        ),
        sqlx::Error::Database(e) => (place.without_secret(e.message()), is_passing(&**e)),
        sqlx::Error::Io(_) => (format!("{words}; check host, port and whether the server runs"), true),
        _ => (words, false),
    };
    DbError::Connect { place: place.to_string(), detail, passing }
}

/// What a failed statement means.
pub(crate) fn statement_error(place: &Location, error: &sqlx::Error, action: &str) -> DbError {
    let words = |text: &str| place.without_secret(text);
    match error {
        sqlx::Error::Database(e) if !is_passing(&**e) => {
            DbError::Refused { place: place.to_string(), action: action.to_owned(), detail: words(e.message()) }
        }
        sqlx::Error::Database(e) => DbError::Lost {
            place: place.to_string(),
            when: format!("on the way to {action}"),
            detail: words(e.message()),
        },
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed => {
            DbError::Lost {
                place: place.to_string(),
                when: format!("on the way to {action}"),
                detail: words(&error.to_string()),
            }
        }
        other => {
            DbError::Refused { place: place.to_string(), action: action.to_owned(), detail: words(&other.to_string()) }
        }
    }
}

/// Whether the server only could not at this moment: it stops, starts, has no seat left, or ended a deadlock.
fn is_passing(error: &dyn sqlx::error::DatabaseError) -> bool {
    let mysql = error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>().map(|e| e.number());
    match mysql {
        Some(number) => matches!(number, 1040 | 1053 | 1077 | 1205 | 1213 | 1317 | 1927),
        // operator intervention, no seat left, connection trouble, serialisation
        None => error
            .code()
            .is_some_and(|c| c.starts_with("57P") || c == "53300" || c.starts_with("08") || c.starts_with("40")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_found_by_its_name_or_with_its_schema() {
        let place = Location::parse("postgres://localhost/erp").expect("an address").expect("whole");
        let table = |schema: &str, name: &str, visible| Table { schema: schema.into(), name: name.into(), visible };
        let tables = [table("public", "orders", true), table("old", "orders", false), table("public", "a.b", true)];
        let found = |wanted: &str| find(&place, &tables, wanted).map(|t| t.schema);
        assert_eq!(found("orders").expect("found"), "public");
        assert_eq!(found("public.orders").expect("found"), "public");
        assert_eq!(found("old.orders").expect("found"), "old");
        assert_eq!(found("a.b").expect("found"), "public");
        let error = found("order").expect_err("not there").to_string();
        assert!(error.contains("`order`") && error.contains("orders, old.orders"), "{error}");
    }

    #[test]
    fn a_query_loses_its_end() {
        assert_eq!(of_query(" SELECT 1 ; \n", None), "SELECT 1");
        assert_eq!(of_query("SELECT 1;", Some(5)), "SELECT * FROM (\nSELECT 1\n) AS asked LIMIT 5");
    }
}
