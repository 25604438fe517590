//! Writing results where a CRM reads them: rows that replace those of the same key, all or none.

use mongodb::bson::{Bson, Document, doc};
use sqlx::{AssertSqlSafe, Connection, Database, Encode, Executor, IntoArguments, QueryBuilder, Type, raw_sql};

use crate::error::DbError;
use crate::location::{Location, System};
use crate::mongo::{self, Mongo};
use crate::session::{knock, patient, runtime};
use crate::sql::statement_error;
use crate::{mysql, postgres};

/// Cells per statement: half of what PostgreSQL's protocol can count.
const CELLS: usize = 30_000;

/// A column of the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field<'a> {
    /// Its name.
    pub name: &'a str,
    /// Whether it holds numbers; text otherwise.
    pub is_number: bool,
}

/// A cell; NULL where the value is `None`.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// Text.
    Text(Option<String>),
    /// A number.
    Number(Option<f64>),
}

/// A table of results on its way into a database.
pub struct Upsert<'a> {
    /// The table or collection; made where it is not there.
    pub table: &'a str,
    /// The columns; the first is the key, and text.
    pub fields: &'a [Field<'a>],
    /// Told how many rows are there so far.
    pub progress: &'a dyn Fn(u64),
}

/// Writes `rows`, a cell per field each, and gives their number. A row whose key is there replaces it; other rows stay. In MySQL
/// and PostgreSQL one transaction: after an error nothing has changed. MongoDB on a single server has no such thing: there an
/// error may leave some of the rows written, and the same call again makes it whole.
///
/// # Errors
/// When there is no way in, the table cannot be made or does not fit, or the connection breaks.
pub fn upsert(place: &Location, what: &Upsert<'_>, rows: &mut dyn Iterator<Item = Vec<Cell>>) -> Result<u64, DbError> {
    let runtime = runtime(place)?;
    runtime.block_on(async {
        match place.system() {
            System::MySql => {
                let connection = knock(place, mysql::connect(place)).await?;
                into_sql::<sqlx::MySql>(place, what, rows, &MYSQL, connection).await
            }
            System::Postgres => {
                let connection = knock(place, postgres::connect(place)).await?;
                into_sql::<sqlx::Postgres>(place, what, rows, &POSTGRES, connection).await
            }
            System::MongoDb => into_mongo(place, what, rows).await,
        }
    })
}

/// What one SQL system says otherwise than another.
struct Dialect {
    quoted: fn(&str) -> String,
    /// Types of the key, of numbers and of text.
    kinds: [&'static str; 3],
    /// How a row takes the place of the one with its key: what stands before the columns, and what a column becomes.
    replacing: fn(key: &str) -> String,
    replaced: fn(column: &str) -> String,
}

// ids that differ in case only are two customers
const MYSQL: Dialect = Dialect {
    quoted: mysql::quoted,
    kinds: [
        "VARCHAR(512) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL PRIMARY KEY",
        "DOUBLE",
        "VARCHAR(512) CHARACTER SET utf8mb4",
    ],
    replacing: |_| " ON DUPLICATE KEY UPDATE ".to_owned(),
    replaced: |column| format!("{column} = VALUES({column})"),
};
const POSTGRES: Dialect = Dialect {
    quoted: postgres::quoted,
    kinds: ["text PRIMARY KEY", "double precision", "text"],
    replacing: |key| format!(" ON CONFLICT ({key}) DO UPDATE SET "),
    replaced: |column| format!("{column} = EXCLUDED.{column}"),
};

async fn into_sql<DB>(
    place: &Location,
    what: &Upsert<'_>,
    rows: &mut dyn Iterator<Item = Vec<Cell>>,
    dialect: &Dialect,
    mut connection: DB::Connection,
) -> Result<u64, DbError>
where
    DB: Database,
    DB::Arguments: IntoArguments<DB>,
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
    for<'q> Option<String>: Encode<'q, DB> + Type<DB>,
    for<'q> Option<f64>: Encode<'q, DB> + Type<DB>,
{
    let action = format!("write `{}`", what.table);
    let failed = |e: sqlx::Error| statement_error(place, &e, &action);
    let table = what.table.splitn(2, '.').map(dialect.quoted).collect::<Vec<_>>().join(".");
    let names: Vec<String> = what.fields.iter().map(|f| (dialect.quoted)(f.name)).collect();
    let kind = |i: usize| dialect.kinds[if i == 0 { 0 } else { 2 - usize::from(what.fields[i].is_number) }];
    let columns: Vec<String> = names.iter().enumerate().map(|(i, name)| format!("{name} {}", kind(i))).collect();
    let make = format!("CREATE TABLE IF NOT EXISTS {table} ({})", columns.join(", "));
    patient(place, async { raw_sql(AssertSqlSafe(make)).execute(&mut connection).await.map_err(failed) }).await?;
    let head = format!("INSERT INTO {table} ({}) ", names.join(", "));
    let replaced: Vec<String> = names[1..].iter().map(|n| (dialect.replaced)(n)).collect();
    let tail = format!("{}{}", (dialect.replacing)(&names[0]), replaced.join(", "));
    let mut transaction = connection.begin().await.map_err(failed)?;
    let mut written = 0;
    loop {
        let some: Vec<Vec<Cell>> = rows.take((CELLS / what.fields.len().max(1)).max(1)).collect();
        if some.is_empty() {
            break;
        }
        let mut query = QueryBuilder::<DB>::new(head.clone());
        query.push_values(&some, |mut row, cells| {
            for cell in cells {
                match cell {
                    Cell::Text(text) => row.push_bind(text.clone()),
                    Cell::Number(number) => row.push_bind(*number),
                };
            }
        });
        query.push(&tail);
        patient(place, async { query.build().execute(&mut *transaction).await.map_err(failed) }).await?;
        written += some.len() as u64;
        (what.progress)(written);
    }
    transaction.commit().await.map_err(failed)?;
    Ok(written)
}

/// Documents per command.
const DOCUMENTS: usize = 1_000;

async fn into_mongo(
    place: &Location,
    what: &Upsert<'_>,
    rows: &mut dyn Iterator<Item = Vec<Cell>>,
) -> Result<u64, DbError> {
    let action = format!("write `{}`", what.table);
    let link = knock(place, Mongo::open(place)).await?;
    let mut written = 0;
    loop {
        let some: Vec<Vec<Cell>> = rows.take(DOCUMENTS).collect();
        if some.is_empty() {
            return Ok(written);
        }
        let n = some.len() as u64;
        let updates: Vec<Document> = some.into_iter().map(|cells| replacement(what.fields, cells)).collect();
        let command = doc! { "update": what.table, "ordered": true, "updates": updates };
        let failed = |e: mongodb::error::Error| mongo::statement_error(place, &e, &action);
        let answer = patient(place, async { link.database.run_command(command).await.map_err(failed) }).await?;
        if let Some(error) = answer.get_array("writeErrors").ok().and_then(|errors| errors.first()) {
            let detail =
                error.as_document().and_then(|d| d.get_str("errmsg").ok()).unwrap_or("a row was refused").to_owned();
            return Err(DbError::Refused { place: place.to_string(), action, detail });
        }
        written += n;
        (what.progress)(written);
    }
}

/// The document of a row, with the key as `_id` too, replacing the one that is there.
fn replacement(fields: &[Field<'_>], cells: Vec<Cell>) -> Document {
    let mut document = Document::new();
    for (field, cell) in fields.iter().zip(cells) {
        let value = match cell {
            Cell::Text(Some(text)) => Bson::String(text),
            Cell::Number(Some(number)) => Bson::Double(number),
            Cell::Text(None) | Cell::Number(None) => Bson::Null,
        };
        document.insert(field.name, value);
    }
    let key = document.get(fields[0].name).cloned().unwrap_or(Bson::Null);
    document.insert("_id", key.clone());
    doc! { "q": { "_id": key }, "u": document, "upsert": true }
}
