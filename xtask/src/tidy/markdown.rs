//! Documents that stay true: links lead somewhere, and the commands of the README exist.
//!
//! Only links inside the repository are followed; nothing is fetched. That the subcommands and flags of `guike` exist is
//! held by the tests of guike-cli, which can ask the binary.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use super::{Problem, files_with_extension, read};

pub(super) fn problems(root: &Path) -> Vec<Problem> {
    let mut found = Vec::new();
    for path in files_with_extension(root, "md") {
        found.extend(broken_links(root, &path, &read(root, &path)));
    }
    for name in ["README.md", "README.zh-CN.md", "CONTRIBUTING.md"] {
        if root.join(name).is_file() {
            found.extend(unknown_commands(root, name, &read(root, name)));
        } else {
            found.push(Problem::new(name, "is missing"));
        }
    }
    found
}

/// Relative links whose file or heading does not exist.
fn broken_links(root: &Path, path: &Path, text: &str) -> Vec<Problem> {
    let mut found = Vec::new();
    let folder = path.parent().unwrap_or(Path::new(""));
    for (line, target) in links(text) {
        if target.contains("://") || target.starts_with("mailto:") {
            continue;
        }
        let place = format!("{}:{line}", path.display());
        let (file, heading) = target.split_once('#').map_or((target, None), |(f, h)| (f, Some(h)));
        let linked = if file.is_empty() { path.to_path_buf() } else { normal(&folder.join(file)) };
        if !root.join(&linked).exists() {
            found.push(Problem::new(place, format!("link to `{target}`: there is no such file")));
        } else if let Some(heading) = heading
            && linked.extension().is_some_and(|e| e == "md")
            && !anchors(&read(root, &linked)).contains(heading)
        {
            found.push(Problem::new(place, format!("link to `{target}`: there is no such heading")));
        }
    }
    found
}

/// Commands in code blocks that call something of the repository which is not there.
fn unknown_commands(root: &Path, place: &str, text: &str) -> Vec<Problem> {
    let mut found = Vec::new();
    for (line, command) in code_lines(text) {
        let words: Vec<&str> = command.trim_start_matches("$ ").split_whitespace().collect();
        let missing = match words.as_slice() {
            ["cargo", "xtask", name, ..] => !crate::COMMANDS.iter().any(|(n, ..)| n == name),
            ["cargo", "run", rest @ ..] => match rest.iter().position(|w| *w == "-p" || *w == "--package") {
                Some(at) => !rest.get(at + 1).is_some_and(|p| is_member(root, p)),
                None => false,
            },
            [script, ..] if script.starts_with("./") => !root.join(script).is_file(),
            _ => false,
        };
        if missing {
            found.push(Problem::new(
                format!("{place}:{line}"),
                format!("`{command}` calls something that does not exist"),
            ));
        }
    }
    found
}

fn is_member(root: &Path, package: &str) -> bool {
    [package.to_owned(), format!("crates/{package}")].iter().any(|f| root.join(f).join("Cargo.toml").is_file())
}

/// `(line number, target)` of every inline link or picture outside code.
fn links(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for (number, line) in prose_lines(text) {
        let mut rest = line;
        while let Some(at) = rest.find("](") {
            rest = &rest[at + 2..];
            let Some(end) = rest.find(')') else { break };
            let target = rest[..end].split_whitespace().next().unwrap_or_default();
            found.push((number, target));
            rest = &rest[end..];
        }
    }
    found
}

/// Lines outside fenced code, numbered from 1.
fn prose_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    fenced(text).filter(|&(.., code)| !code).map(|(n, line, _)| (n, line))
}

/// Lines inside fenced code, numbered from 1.
fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    fenced(text).filter(|&(.., code)| code).map(|(n, line, _)| (n, line))
}

/// Every line with whether it lies inside a fence; the fences themselves are left out.
fn fenced(text: &str) -> impl Iterator<Item = (usize, &str, bool)> {
    let mut inside = false;
    text.lines().enumerate().filter_map(move |(i, line)| {
        if line.trim_start().starts_with("```") {
            inside = !inside;
            return None;
        }
        Some((i + 1, line, inside))
    })
}

/// The anchors that a forge gives to the headings: lower case, spaces to hyphens, punctuation dropped.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = prose_lines(text).filter(|(_, l)| l.starts_with('#')).map(|(_, l)| l.trim_start_matches('#').trim());
    let mut seen = BTreeSet::new();
    for heading in headings {
        let slug: String = heading
            .to_lowercase()
            .chars()
            .filter_map(|c| match c {
                ' ' => Some('-'),
                c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c),
                _ => None,
            })
            .collect();
        let again = (1..).map(|n| format!("{slug}-{n}")).find(|s| !seen.contains(s)).unwrap_or_default();
        let fresh = if seen.contains(&slug) { again } else { slug };
        seen.insert(fresh);
    }
    seen
}

/// The path without `.` and `..`.
fn normal(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_needs_its_file_and_its_heading() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::create_dir(folder.path().join("docs")).expect("can create a folder");
        std::fs::write(folder.path().join("docs/a.md"), "# Über Uns\n").expect("can write");
        std::fs::write(folder.path().join("README.md"), "").expect("can write");
        let check = |text: &str| broken_links(folder.path(), Path::new("docs/a.md"), text).len();
        assert_eq!(check("[x](../README.md) [y](https://example.org/z) ![z](a.md#über-uns)"), 0);
        assert_eq!(check("[x](b.md) and [y](a.md#nowhere)"), 2);
        assert_eq!(check("```\n[x](b.md)\n```"), 0);
    }

    #[test]
    fn commands_of_the_repository_exist() {
        let check = |text: &str| unknown_commands(&crate::root(), "x.md", &format!("```sh\n{text}\n```")).len();
        assert_eq!(check("cargo xtask tidy"), 0);
        assert_eq!(check("cargo xtask fly"), 1);
        assert_eq!(check("cargo run --release -p bench -- steps"), 0);
        assert_eq!(check("cargo run -p nobody"), 1);
        assert_eq!(check("./no-such-script"), 1);
    }

    #[test]
    fn anchors_are_those_of_the_forge() {
        let text = "# Where to change what?\n## Same\n## Same\n```\n# not a heading\n```\n";
        let expected = ["same", "same-1", "where-to-change-what"].map(str::to_owned);
        assert_eq!(anchors(text), BTreeSet::from(expected));
    }
}
