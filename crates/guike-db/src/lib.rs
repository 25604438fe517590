//! Databases of shops: MySQL and MariaDB, PostgreSQL, MongoDB. Rows come as text, and results go back as a table.
//!
//! The one idea: a database tells what a CSV file would tell. Every cell is taken as the server prints it, and what it means
//! is found where it is found for files; this crate knows servers and nothing of logs.
//!
//! * [`Location`]: where a database is, which prints without its secret.
//! * [`Session`]: reads tables, queries and collections, as of one moment and in bounded memory.
//! * [`Since`], [`LookBack`]: reading only what is new.
//! * [`upsert`]: writes rows, replacing those of the same key.
//!
//! What leaves this machine is encrypted unless the address says otherwise. Certificates are verified where the address asks
//! for it (`ssl-mode=VERIFY_IDENTITY`, `sslmode=verify-full`; MongoDB always does).

mod copy_text;
mod error;
mod location;
mod mongo;
mod mysql;
mod postgres;
mod rows;
mod session;
mod since;
mod sql;
mod target;

pub use error::DbError;
pub use location::{Location, System};
pub use rows::{Request, Since, Stop, TakeRows, What};
pub use session::{Session, Told};
pub use since::{LookBack, shown};
pub use target::{Cell, Field, Upsert, upsert};
