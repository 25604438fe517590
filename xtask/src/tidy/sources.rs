//! Rules of a Rust file: it says what it is for, it is finished, and it fits a reader's head.

use std::path::Path;

use super::{Problem, files_with_extension, read};

/// Lines above which a file is refused.
const LINES_MAX: usize = 800;
/// Lines above which a file is worth a second look.
const LINES_WARN: usize = 500;

/// Words that mark unfinished work; written in halves so that this file does not find itself.
const UNFINISHED: [&str; 5] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("todo", "!("),
    concat!("unimple", "mented!("),
    concat!("XX", "X:"),
];

pub(super) fn problems(root: &Path) -> Vec<Problem> {
    let mut found = Vec::new();
    for path in files_with_extension(root, "rs") {
        found.extend(judge(&path.display().to_string(), &read(root, &path)));
    }
    found
}

/// Files that are allowed but long.
pub(super) fn long_files(root: &Path) -> Vec<Problem> {
    let files = files_with_extension(root, "rs").into_iter().map(|path| (read(root, &path).lines().count(), path));
    let long = files.filter(|(lines, _)| (LINES_WARN + 1..=LINES_MAX).contains(lines));
    long.map(|(lines, path)| {
        Problem::new(path.display().to_string(), format!("{lines} lines; look for the second idea in it"))
    })
    .collect()
}

fn judge(place: &str, text: &str) -> Vec<Problem> {
    let mut found = Vec::new();
    if !text.trim_start().starts_with("//!") {
        found.push(Problem::new(place, "begins without `//!`; say what the file is for and what it does not do"));
    }
    let lines = text.lines().count();
    if lines > LINES_MAX {
        let text = format!("{lines} lines are more than {LINES_MAX}; look for the second idea in it and split");
        found.push(Problem::new(place, text));
    }
    for (i, line) in text.lines().enumerate() {
        if let Some(word) = UNFINISHED.iter().find(|w| line.contains(**w)) {
            let text = format!("`{word}` marks unfinished work; finish it, or say in a sentence what is missing");
            found.push(Problem::new(format!("{place}:{}", i + 1), text));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_says_what_it_is_for_and_is_finished() {
        assert!(judge("a.rs", "//! Words.\nfn f() {}\n").is_empty());
        assert_eq!(judge("a.rs", "fn f() {}\n").len(), 1);
        let unfinished = format!("//! Words.\n// {} later\n", UNFINISHED[0]);
        assert_eq!(judge("a.rs", &unfinished)[0].place, "a.rs:2");
        let long = format!("//! Words.\n{}", "\n".repeat(LINES_MAX));
        assert!(judge("a.rs", &long)[0].text.starts_with("801 lines"));
    }
}
