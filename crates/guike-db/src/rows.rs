//! What is asked of a database, and who takes the answer.

use std::error::Error;

/// Why the one who takes rows wants no more.
pub type Stop = Box<dyn Error + Send + Sync>;

/// Takes the rows of a table, cell by cell as text.
pub trait TakeRows {
    /// The names of the columns, once, before any row; each is there once.
    ///
    /// # Errors
    /// Anything; reading ends with it.
    fn columns(&mut self, names: &[String]) -> Result<(), Stop>;

    /// The next row: a cell per column, `None` for NULL.
    ///
    /// # Errors
    /// Anything; reading ends with it.
    fn row(&mut self, cells: &[Option<&[u8]>]) -> Result<(), Stop>;

    /// Asked a few times a second while the server is silent.
    ///
    /// # Errors
    /// Anything, to wait no longer.
    fn waiting(&self) -> Result<(), Stop> {
        Ok(())
    }
}

/// What is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A table, a view or a collection, by name; a schema may stand before it.
    Table(String),
    /// The rows of a SELECT.
    Query(String),
}

/// What is asked of a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Table or query.
    pub what: What,
    /// Of a collection: the array whose elements are rows of their own.
    pub unwind: Option<String>,
    /// Of a collection: columns that are read wherever they turn up.
    pub named: Vec<String>,
    /// Most rows; all of them where `None`.
    pub most: Option<u64>,
    /// Only rows whose column has this value or a later one.
    pub since: Option<Since>,
}

impl Request {
    /// All of `what`.
    pub fn all(what: What) -> Request {
        Request { what, unwind: None, named: Vec::new(), most: None, since: None }
    }
}

/// A border below which rows are not read again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Since {
    /// The column that grows.
    pub column: String,
    /// Its least value, as the database tells it.
    pub value: String,
}

/// Names, each once: a second `id` is `id_2`.
pub(crate) fn each_once(names: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut once: Vec<String> = Vec::new();
    for name in names {
        let free = |candidate: &String| !once.contains(candidate);
        let numbered = || (2..).map(|n| format!("{name}_{n}")).find(&free);
        let given = if free(&name) { Some(name.clone()) } else { numbered() };
        once.extend(given);
    }
    once
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_of_a_join_are_told_apart() {
        let names = ["id", "day", "id", "id_2", "id"].map(str::to_owned);
        assert_eq!(each_once(names), ["id", "day", "id_2", "id_2_2", "id_3"]);
    }
}
