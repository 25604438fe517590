//! `cargo xtask tidy`: the written rules that a machine can hold, each problem with its place and the way out.
//!
//! Every rule is a function from the files of the workspace to a list of problems; nothing is changed. Warnings are
//! printed and do not fail.

mod architecture;
mod edges;
mod manifest;
mod markdown;
mod sources;

use std::fmt;
use std::path::{Path, PathBuf};

/// Something that breaks a written rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Problem {
    /// File, and line where there is one: `crates/guike/Cargo.toml` or `README.md:12`.
    place: String,
    /// The thing, the rule and the way out.
    text: String,
}

impl Problem {
    fn new(place: impl Into<String>, text: impl Into<String>) -> Problem {
        Problem { place: place.into(), text: text.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.text)
    }
}

/// Prints every problem and warning, and says whether there is no problem.
pub(crate) fn run(root: &Path) -> bool {
    for warning in sources::long_files(root) {
        println!("warning: {warning}");
    }
    let problems = problems(root);
    for problem in &problems {
        println!("{problem}");
    }
    println!("tidy: {} problems", problems.len());
    problems.is_empty()
}

/// Every broken rule, sorted by place.
fn problems(root: &Path) -> Vec<Problem> {
    let mut all = edges::problems(root);
    all.extend(manifest::problems(root));
    all.extend(sources::problems(root));
    all.extend(markdown::problems(root));
    all.sort();
    all
}

/// Files below `root` with this extension, as paths relative to `root`, sorted; build output and hidden folders apart.
fn files_with_extension(root: &Path, extension: &str) -> Vec<PathBuf> {
    fn walk(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) {
        let Ok(entries) = std::fs::read_dir(folder) else { return };
        for entry in entries.flatten() {
            let (path, name) = (entry.path(), entry.file_name());
            let name = name.to_string_lossy();
            if name.starts_with('.') || name == "target" || name == "node_modules" || path.is_symlink() {
                continue;
            }
            if path.is_dir() {
                walk(&path, extension, found);
            } else if path.extension().is_some_and(|e| e == extension) {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(root, extension, &mut found);
    let mut found: Vec<PathBuf> =
        found.iter().filter_map(|p| p.strip_prefix(root).ok()).map(Path::to_path_buf).collect();
    found.sort();
    found
}

/// The text of a file below `root`, empty when it cannot be read.
fn read(root: &Path, relative: impl AsRef<Path>) -> String {
    std::fs::read(root.join(relative)).map_or_else(|_| String::new(), |b| String::from_utf8_lossy(&b).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_is_tidy() {
        let problems = problems(&crate::root());
        let list: Vec<String> = problems.iter().map(Problem::to_string).collect();
        assert!(list.is_empty(), "{} problems:\n{}", list.len(), list.join("\n"));
    }
}
