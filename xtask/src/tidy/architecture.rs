//! Reads the two tables of ARCHITECTURE.md that the rules hold the workspace against.
//!
//! The tables are the design: a new edge or a new guest begins there, and only then in a Cargo.toml.

use std::collections::{BTreeMap, BTreeSet};

/// One row of the table under `## Crates`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CrateRow {
    /// The crate's name.
    pub(super) name: String,
    /// Its level; `None` for tools, which stand above all levels.
    pub(super) level: Option<u32>,
    /// The crates of ours that it may use.
    pub(super) uses: BTreeSet<String>,
    /// Whether it may touch files, network, clock and environment.
    pub(super) touches_the_world: bool,
}

/// What ARCHITECTURE.md promises.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Architecture {
    /// The rows of `## Crates`, in order.
    pub(super) crates: Vec<CrateRow>,
    /// `## Guests`: an outside library, and the crates that may know it.
    pub(super) guests: BTreeMap<String, BTreeSet<String>>,
}

impl Architecture {
    /// Reads the tables, whose columns are `level | crate | what it is | uses | I/O` and `libraries | known only to`.
    pub(super) fn parse(text: &str) -> Architecture {
        let mut parsed = Architecture::default();
        for cells in table(text, "## Crates") {
            let [level, name, _, uses, io] = cells.as_slice() else { continue };
            for name in quoted(name) {
                parsed.crates.push(CrateRow {
                    name,
                    level: level.trim().parse().ok(),
                    uses: quoted(uses).into_iter().collect(),
                    touches_the_world: io.trim() != "no",
                });
            }
        }
        for cells in table(text, "## Guests") {
            let [libraries, known_to] = cells.as_slice() else { continue };
            for library in quoted(libraries) {
                parsed.guests.insert(library, quoted(known_to).into_iter().collect());
            }
        }
        parsed
    }
}

/// The cells of the first table under a heading, without its head.
fn table<'a>(text: &'a str, heading: &str) -> Vec<Vec<&'a str>> {
    let after = text.lines().skip_while(|l| l.trim_end() != heading).skip(1);
    let section = after.take_while(|l| !l.starts_with("## "));
    let rows = section.skip_while(|l| !l.starts_with('|')).take_while(|l| l.starts_with('|')).skip(2);
    rows.map(|l| l.trim().trim_matches('|').split('|').collect()).collect()
}

/// The words in backquotes.
fn quoted(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_tables_are_read() {
        let text = "## Crates\nwords\n\n| level | crate | one line | uses | I/O |\n|---|---|---|---|---|\n\
                    | 0 | `a` | nouns | – | no |\n| 2 | `b` | reads | `a` | **reads** |\n| – | `x`, `y` | tools | `a`, `b` | yes |\n\n\
                    ## Guests\n| libraries | known only to |\n|---|---|\n| `arrow`, `parquet` | `b` |\n\n## Next\n| `no` | `no` |\n";
        let parsed = Architecture::parse(text);
        let names: Vec<_> = parsed.crates.iter().map(|c| (c.name.as_str(), c.level, c.touches_the_world)).collect();
        assert_eq!(names, [("a", Some(0), false), ("b", Some(2), true), ("x", None, true), ("y", None, true)]);
        assert_eq!(parsed.crates[3].uses.len(), 2);
        assert_eq!(parsed.guests.keys().collect::<Vec<_>>(), ["arrow", "parquet"]);
    }
}
