//! A connection to a database, for reading: everything it reads is as of the moment of its opening, where the server can.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::time::timeout;

use crate::error::DbError;
use crate::location::{Location, System};
use crate::mongo::Mongo;
use crate::mysql::MySql;
use crate::postgres::Postgres;
use crate::rows::{Request, TakeRows};
use crate::sql::SqlServer;

/// How long a server may take to let us in.
const KNOCK: Duration = Duration::from_secs(15);
/// How long a server may be silent before rows come, and between them.
const SILENCE: Duration = Duration::from_secs(600);

/// How often the one who takes rows is asked whether to wait on.
const GLANCE: Duration = Duration::from_millis(200);

/// What reading found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// Rows that were handed on.
    pub rows: u64,
    /// Columns of a collection that only turned up after the columns had been settled, and were not read.
    pub unread: Vec<String>,
}

/// A connection to one database.
///
/// MySQL and PostgreSQL are read in one read-only transaction that sees the database as of its beginning; MongoDB has no
/// such thing on a single server, and a collection that changes while it is read may be seen half-changed.
///
/// # Example
/// ```no_run
/// use guike_db::{Location, Session};
///
/// let place = Location::parse("postgres://reader@localhost/erp").expect("an address")?;
/// let mut session = Session::open(&place)?;
/// println!("{}", session.tables()?.join(", "));
/// # Ok::<(), guike_db::DbError>(())
/// ```
#[derive(Debug)]
pub struct Session {
    runtime: Runtime,
    place: Location,
    link: Link,
}

#[derive(Debug)]
enum Link {
    MySql(MySql),
    Postgres(Postgres),
    Mongo(Mongo),
}

impl Session {
    /// Connects, and begins to see the database as of now.
    ///
    /// # Errors
    /// [`DbError::Connect`] when there is no server, no way in or no encryption.
    pub fn open(place: &Location) -> Result<Session, DbError> {
        let runtime = runtime(place)?;
        let link = runtime.block_on(async {
            Ok::<_, DbError>(match place.system() {
                System::MySql => Link::MySql(knock(place, MySql::open(place)).await?),
                System::Postgres => Link::Postgres(knock(place, Postgres::open(place)).await?),
                System::MongoDb => Link::Mongo(knock(place, Mongo::open(place)).await?),
            })
        })?;
        Ok(Session { runtime, place: place.clone(), link })
    }

    /// Names of the tables, views or collections that may be read, sorted; with the schema where it must be said.
    ///
    /// # Errors
    /// When the server refuses or the connection breaks.
    pub fn tables(&mut self) -> Result<Vec<String>, DbError> {
        let place = &self.place;
        self.runtime.block_on(async {
            match &mut self.link {
                Link::MySql(link) => patient(place, link.tables()).await,
                Link::Postgres(link) => patient(place, link.tables()).await,
                Link::Mongo(link) => patient(place, link.tables()).await,
            }
        })
    }

    /// About how many rows a table has, where the server keeps count.
    pub fn about_rows(&mut self, table: &str) -> Option<u64> {
        let place = &self.place;
        let found = self.runtime.block_on(async {
            match &mut self.link {
                Link::MySql(link) => patient(place, link.about_rows(table)).await,
                Link::Postgres(link) => patient(place, link.about_rows(table)).await,
                Link::Mongo(link) => patient(place, link.about_rows(table)).await,
            }
        });
        found.ok().flatten()
    }

    /// The columns of a table's primary key; none where it has none.
    ///
    /// # Errors
    /// When the server refuses or the connection breaks.
    pub fn key(&mut self, table: &str) -> Result<Vec<String>, DbError> {
        let place = &self.place;
        self.runtime.block_on(async {
            match &mut self.link {
                Link::MySql(link) => patient(place, link.key(table)).await,
                Link::Postgres(link) => patient(place, link.key(table)).await,
                Link::Mongo(_) => Ok(vec!["_id".to_owned()]),
            }
        })
    }

    /// Reads rows in the order of the primary key, where there is one. Memory does not grow with the table.
    ///
    /// # Errors
    /// [`DbError::NoTable`], [`DbError::Refused`], [`DbError::Lost`], and what `taker` says.
    pub fn read(&mut self, request: &Request, taker: &mut dyn TakeRows) -> Result<Told, DbError> {
        self.runtime.block_on(async {
            match &mut self.link {
                Link::MySql(link) => link.read(request, taker).await,
                Link::Postgres(link) => link.read(request, taker).await,
                Link::Mongo(link) => link.read(request, taker).await,
            }
        })
    }

    /// The greatest value of a column, in the words in which [`crate::Since`] takes it; `None` in a table without rows.
    ///
    /// # Errors
    /// When there is no such column, the server refuses, or the connection breaks.
    pub fn highest(&mut self, table: &str, column: &str) -> Result<Option<String>, DbError> {
        let place = &self.place;
        self.runtime.block_on(async {
            match &mut self.link {
                Link::MySql(link) => patient(place, link.highest(table, column)).await,
                Link::Postgres(link) => patient(place, link.highest(table, column)).await,
                Link::Mongo(link) => patient(place, link.highest(table, column)).await,
            }
        })
    }
}

/// One thread of the caller's, and no other.
pub(crate) fn runtime(place: &Location) -> Result<Runtime, DbError> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| DbError::Connect {
        place: place.to_string(),
        detail: format!("the system gives no sockets ({e})"),
        passing: false,
    })
}

/// Connects, or gives up.
pub(crate) async fn knock<T>(place: &Location, door: impl Future<Output = Result<T, DbError>>) -> Result<T, DbError> {
    timeout(KNOCK, door).await.unwrap_or_else(|_| {
        Err(DbError::Connect {
            place: place.to_string(),
            detail: format!("no answer within {} seconds; check host, port and firewall", KNOCK.as_secs()),
            passing: true,
        })
    })
}

/// Waits for rows, but not for ever, and not when `taker` has no patience left.
pub(crate) async fn attentive<T>(
    place: &Location,
    taker: &dyn TakeRows,
    answer: impl Future<Output = Result<T, DbError>>,
) -> Result<T, DbError> {
    let mut answer = pin!(patient(place, answer));
    loop {
        match timeout(GLANCE, &mut answer).await {
            Ok(answer) => return answer,
            Err(_) => taker.waiting().map_err(DbError::Taker)?,
        }
    }
}

/// Waits for an answer, but not for ever.
pub(crate) async fn patient<T>(
    place: &Location,
    answer: impl Future<Output = Result<T, DbError>>,
) -> Result<T, DbError> {
    timeout(SILENCE, answer).await.unwrap_or_else(|_| {
        Err(DbError::Lost {
            place: place.to_string(),
            when: "while waiting for an answer".to_owned(),
            detail: format!("it has been silent for {} minutes", SILENCE.as_secs() / 60),
        })
    })
}
