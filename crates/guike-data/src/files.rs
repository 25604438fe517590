//! Which files a log is: one, several, those of a folder, those that match a pattern, or a stream that is kept aside.
//!
//! Shops export by month: files with the same columns are one log, read one after another in the order given (a folder's
//! by name). Nothing but folders is looked into here; what a file holds is found when it is read ([`crate::import`()]).
//! Folders within a folder are not entered.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempPath;

use crate::error::DataError;

/// Endings of the files of a folder that are read, before `.gz`, `.zst` or `.zstd`.
const TABLES: [&str; 16] = [
    "csv", "tsv", "tab", "txt", "json", "jsonl", "ndjson", "parquet", "pq", "xlsx", "xlsm", "xlsb", "xls", "ods",
    "sqlite", "sqlite3",
];

/// One file: what people call it, and where its bytes lie.
#[derive(Debug, Clone)]
pub struct LogFile {
    name: PathBuf,
    /// Where its bytes lie, of a file that is called something else.
    other: Option<PathBuf>,
    /// The copy of a stream or of a table, deleted with its last owner; `None` for a file that lies under its own name.
    kept: Option<Arc<TempPath>>,
    /// Where the copy of a table comes from.
    origin: Option<Arc<Origin>>,
}

/// What a report says of rows that were copied out of a database.
#[derive(Debug, Default)]
pub(crate) struct Origin {
    /// `mysql`, `postgresql` or `mongodb`.
    pub(crate) format: &'static str,
    /// The table that was read; none of a query.
    pub(crate) table: Option<String>,
    /// Tables that were not.
    pub(crate) left_out: Vec<String>,
    /// Remarks.
    pub(crate) notes: Vec<String>,
}

impl LogFile {
    /// The file at `path`, which errors and reports call `name`.
    ///
    /// ```
    /// use guike_data::LogFile;
    /// let file = LogFile::called("customers.csv", "/var/lib/job-7".as_ref());
    /// assert_eq!((file.name().to_str(), file.at().to_str()), (Some("customers.csv"), Some("/var/lib/job-7")));
    /// ```
    pub fn called(name: &str, path: &Path) -> LogFile {
        LogFile { name: name.into(), other: Some(path.to_owned()), kept: None, origin: None }
    }

    /// What errors and reports call it.
    pub fn name(&self) -> &Path {
        &self.name
    }

    /// Where its bytes lie.
    pub fn at(&self) -> &Path {
        let lies = self.other.as_deref().unwrap_or(&self.name);
        self.kept.as_deref().map_or(lies, |kept| kept)
    }

    /// The database behind the copy.
    pub(crate) fn origin(&self) -> Option<&Origin> {
        self.origin.as_deref()
    }

    /// The name without folders.
    pub(crate) fn short_name(&self) -> String {
        self.name.file_name().unwrap_or(self.name.as_os_str()).to_string_lossy().into_owned()
    }
}

impl From<&Path> for LogFile {
    fn from(path: &Path) -> LogFile {
        LogFile { name: path.to_owned(), other: None, kept: None, origin: None }
    }
}

impl From<&PathBuf> for LogFile {
    fn from(path: &PathBuf) -> LogFile {
        path.as_path().into()
    }
}

impl From<&LogFile> for LogFile {
    fn from(file: &LogFile) -> LogFile {
        file.clone()
    }
}

/// The files of one log, in the order in which they are read; at least one.
#[derive(Debug, Clone)]
pub struct LogFiles {
    files: Vec<LogFile>,
    /// What lay beside them in a folder and is no table by its name.
    passed_over: Vec<String>,
}

impl From<&Path> for LogFiles {
    /// The one file at `path`.
    fn from(path: &Path) -> LogFiles {
        LogFiles { files: vec![path.into()], passed_over: Vec::new() }
    }
}

impl From<&PathBuf> for LogFiles {
    fn from(path: &PathBuf) -> LogFiles {
        path.as_path().into()
    }
}

impl From<&LogFiles> for LogFiles {
    fn from(files: &LogFiles) -> LogFiles {
        files.clone()
    }
}

impl LogFiles {
    /// The files that `paths` name: a folder stands for its tables, `*` and `?` in the last part of a path that is no file
    /// for all that match.
    ///
    /// # Errors
    /// When a folder or pattern has no table, a folder cannot be listed, or one file is named twice.
    ///
    /// # Example
    /// ```
    /// use guike_data::LogFiles;
    ///
    /// let folder = tempfile::tempdir().unwrap();
    /// for name in ["orders-2024.csv", "orders-2023.csv.gz", "read me.pdf"] {
    ///     std::fs::write(folder.path().join(name), "").unwrap();
    /// }
    /// let files = LogFiles::find(&[folder.path().to_owned()]).unwrap();
    /// assert_eq!(files.title(), "orders-2023.csv.gz and 1 more");
    /// assert!(LogFiles::find(&[folder.path().join("*.parquet")]).is_err());
    /// ```
    pub fn find(paths: &[PathBuf]) -> Result<LogFiles, DataError> {
        let mut found = LogFiles { files: Vec::new(), passed_over: Vec::new() };
        for path in paths {
            if path.is_dir() {
                let all = names_in(path)?;
                let (tables, others): (Vec<String>, Vec<String>) = all.into_iter().partition(|name| is_table(name));
                if tables.is_empty() {
                    return Err(DataError::NoFiles {
                        path: path.clone(),
                        rule: format!("no file in this folder ends in one of {}", TABLES.join(", ")),
                    });
                }
                found.files.extend(tables.iter().map(|name| LogFile::from(path.join(name).as_path())));
                found.passed_over.extend(others);
            } else if let Some(pattern) = pattern_of(path) {
                let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
                let names: Vec<String> = names_in(folder)?.into_iter().filter(|n| matches(&pattern, n)).collect();
                if names.is_empty() {
                    let rule = format!("no file in `{}` matches it", folder.display());
                    return Err(DataError::NoFiles { path: path.clone(), rule });
                }
                found.files.extend(names.iter().map(|name| LogFile::from(path.with_file_name(name).as_path())));
            } else {
                found.files.push(path.as_path().into());
            }
        }
        let real = |f: &LogFile| f.name.canonicalize().unwrap_or_else(|_| f.name.clone());
        for (i, file) in found.files.iter().enumerate() {
            if found.files[..i].iter().any(|earlier| real(earlier) == real(file)) {
                return Err(DataError::FileTwice { path: file.name.clone() });
            }
        }
        if found.files.is_empty() {
            return Err(DataError::NoFiles { path: PathBuf::new(), rule: "no file was named".to_owned() });
        }
        Ok(found)
    }

    /// The one log that comes through `stream`, kept in a temporary file: a log is looked at more than once, and Parquet
    /// and workbooks are read from their end.
    ///
    /// # Errors
    /// When the stream breaks or the temporary folder is full.
    pub fn of_stream(stream: &mut dyn Read, name: &str) -> Result<LogFiles, DataError> {
        let name = PathBuf::from(name);
        let failed = |e| DataError::io("read", &name, e);
        let mut kept = tempfile::NamedTempFile::new().map_err(failed)?;
        std::io::copy(stream, &mut kept).map_err(failed)?;
        let kept = Some(Arc::new(kept.into_temp_path()));
        Ok(LogFiles { files: vec![LogFile { name, other: None, kept, origin: None }], passed_over: Vec::new() })
    }

    /// The rows that `copy` holds, which came from somewhere else.
    pub(crate) fn of_copy(name: PathBuf, copy: TempPath, origin: Origin) -> LogFiles {
        let file = LogFile { name, other: None, kept: Some(Arc::new(copy)), origin: Some(Arc::new(origin)) };
        LogFiles { files: vec![file], passed_over: Vec::new() }
    }

    /// The files, in order.
    pub fn iter(&self) -> std::slice::Iter<'_, LogFile> {
        self.files.iter()
    }

    /// The one file that it is; `None` for several.
    pub fn single(&self) -> Option<&LogFile> {
        if self.are_several() { None } else { Some(self.first()) }
    }

    /// Whether the log is more than one file.
    pub(crate) fn are_several(&self) -> bool {
        self.files.len() > 1
    }

    /// The first file.
    pub(crate) fn first(&self) -> &LogFile {
        &self.files[0]
    }

    /// What a folder holds besides tables.
    pub(crate) fn passed_over(&self) -> &[String] {
        &self.passed_over
    }

    /// What to call the log: the first file's name, and how many more there are.
    pub fn title(&self) -> String {
        let first = self.first().short_name();
        match self.files.len() {
            1 => first,
            n => format!("{first} and {} more", n - 1),
        }
    }

    /// The log in errors: the one file's path, or the title.
    pub(crate) fn path(&self) -> PathBuf {
        if self.are_several() { self.title().into() } else { self.first().name.clone() }
    }
}

/// Names of the visible files in a folder, sorted.
fn names_in(folder: &Path) -> Result<Vec<String>, DataError> {
    let failed = |e| DataError::io("read", folder, e);
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        // `~$orders.xlsx` is Excel's lock, `_SUCCESS` Spark's mark
        let hidden = name.starts_with(['.', '_']) || name.starts_with("~$");
        if !hidden && entry.path().is_file() {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

fn is_table(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let plain = [".gz", ".zst", ".zstd"].iter().find_map(|end| lower.strip_suffix(end)).unwrap_or(&lower);
    plain.rsplit_once('.').is_some_and(|(_, end)| TABLES.contains(&end))
}

/// The last part of a path that names no file and holds `*` or `?`.
fn pattern_of(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    (name.contains(['*', '?']) && !path.exists()).then(|| name.to_owned())
}

/// Whether `name` matches `pattern`, where `*` stands for any text and `?` for one character.
fn matches(pattern: &str, name: &str) -> bool {
    let (p, n): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut i, mut j, mut star) = (0, 0, None);
    while j < n.len() {
        if i < p.len() && p[i] == '*' {
            star = Some((i, j));
            i += 1;
        } else if i < p.len() && (p[i] == '?' || p[i] == n[j]) {
            (i, j) = (i + 1, j + 1);
        } else if let Some((at, taken)) = star {
            // let the last star take one character more
            star = Some((at, taken + 1));
            (i, j) = (at + 1, taken + 1);
        } else {
            return false;
        }
    }
    p[i..].iter().all(|&c| c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks_match() {
        for (pattern, name, expected) in [
            ("orders-*.csv", "orders-2024.csv", true),
            ("orders-*.csv", "orders-2024.csv.gz", false),
            ("*", "anything", true),
            ("*a*b*", "xxaxxbxx", true),
            ("*a*b*", "xxbxxaxx", false),
            ("订单-202?.xlsx", "订单-2024.xlsx", true),
            ("a?", "a", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn a_folder_stands_for_its_tables_by_name() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for name in ["2024-02.csv", "2024-01.CSV.GZ", ".hidden.csv", "~$lock.xlsx", "_SUCCESS", "notes.docx"] {
            std::fs::write(folder.path().join(name), "").expect("room");
        }
        std::fs::create_dir(folder.path().join("older.csv")).expect("room");
        let found = LogFiles::find(&[folder.path().to_owned()]).expect("tables");
        let names: Vec<String> = found.iter().map(LogFile::short_name).collect();
        assert_eq!(names, ["2024-01.CSV.GZ", "2024-02.csv"]);
        assert_eq!(found.passed_over(), ["notes.docx"]);
        let twice = [folder.path().join("2024-02.csv"), folder.path().join("*.csv")];
        let error = LogFiles::find(&twice).expect_err("named twice").to_string();
        assert!(error.contains("2024-02.csv") && error.contains("twice"), "{error}");
    }

    #[test]
    fn a_stream_lies_in_a_file_that_goes_with_its_last_owner() {
        let files = LogFiles::of_stream(&mut &b"a,b\n"[..], "standard input").expect("kept");
        let at = files.first().at().to_owned();
        let second = files.clone();
        drop(files);
        assert_eq!(std::fs::read(&at).expect("still there"), b"a,b\n");
        assert_eq!(second.title(), "standard input");
        drop(second);
        assert!(!at.exists());
    }
}
