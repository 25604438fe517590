//! Who may use whom: the edges in every Cargo.toml against the tables in ARCHITECTURE.md.
//!
//! Normal dependencies count; what only tests use is free.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::architecture::Architecture;
use super::{Problem, read};

/// What one Cargo.toml says.
#[derive(Debug, Clone, Default)]
struct Member {
    name: String,
    /// Folder relative to the root.
    folder: String,
    dependencies: BTreeSet<String>,
    has_clippy_toml: bool,
}

pub(super) fn problems(root: &Path) -> Vec<Problem> {
    let architecture = Architecture::parse(&read(root, "ARCHITECTURE.md"));
    judge(&architecture, &members(root))
}

/// Folders of all members: `crates/*`, `xtask`, `bench`.
pub(super) fn member_folders(root: &Path) -> Vec<String> {
    let mut folders: Vec<String> = std::fs::read_dir(root.join("crates"))
        .map(|entries| entries.flatten().map(|e| format!("crates/{}", e.file_name().to_string_lossy())).collect())
        .unwrap_or_default();
    folders.extend(["xtask".to_owned(), "bench".to_owned()]);
    folders.retain(|f| root.join(f).join("Cargo.toml").is_file());
    folders.sort();
    folders
}

fn members(root: &Path) -> Vec<Member> {
    let mut all = Vec::new();
    for folder in member_folders(root) {
        let Ok(manifest) = read(root, format!("{folder}/Cargo.toml")).parse::<toml::Table>() else { continue };
        let name = manifest.get("package").and_then(|p| p.get("name")).and_then(|n| n.as_str()).unwrap_or_default();
        let mut dependencies = BTreeSet::new();
        collect_dependencies(&manifest, &mut dependencies);
        for target in manifest.get("target").and_then(|t| t.as_table()).into_iter().flat_map(|t| t.values()) {
            target.as_table().into_iter().for_each(|t| collect_dependencies(t, &mut dependencies));
        }
        let has_clippy_toml = root.join(&folder).join("clippy.toml").is_file();
        all.push(Member { name: name.to_owned(), folder, dependencies, has_clippy_toml });
    }
    all
}

fn collect_dependencies(table: &toml::Table, into: &mut BTreeSet<String>) {
    for section in ["dependencies", "build-dependencies"] {
        let Some(listed) = table.get(section).and_then(|d| d.as_table()) else { continue };
        for (key, value) in listed {
            // `alias = { package = "real-name" }` counts under its real name
            into.insert(value.get("package").and_then(|p| p.as_str()).unwrap_or(key).to_owned());
        }
    }
}

fn judge(architecture: &Architecture, members: &[Member]) -> Vec<Problem> {
    let mut found = Vec::new();
    let rows: BTreeMap<&str, _> = architecture.crates.iter().map(|row| (row.name.as_str(), row)).collect();
    let ours: BTreeSet<&str> = members.iter().map(|m| m.name.as_str()).collect();
    for row in &architecture.crates {
        if !ours.contains(row.name.as_str()) {
            found.push(Problem::new(
                "ARCHITECTURE.md",
                format!("the table names `{}`, which is no crate of the workspace; remove the row", row.name),
            ));
        }
        for used in &row.uses {
            let lower = match (row.level, rows.get(used.as_str()).and_then(|r| r.level)) {
                (Some(above), Some(below)) => below < above,
                (None, Some(_)) => true,
                (_, None) => false,
            };
            if !lower {
                let rule = "a crate uses lower levels only";
                found.push(Problem::new("ARCHITECTURE.md", format!("`{}` may not use `{used}`: {rule}", row.name)));
            }
        }
    }
    for member in members {
        let place = format!("{}/Cargo.toml", member.folder);
        let Some(row) = rows.get(member.name.as_str()) else {
            let text = format!("`{}` has no row in the table of ARCHITECTURE.md; add one with its level", member.name);
            found.push(Problem::new(place, text));
            continue;
        };
        for used in &member.dependencies {
            if ours.contains(used.as_str()) && !row.uses.contains(used) {
                let text =
                    format!("edge `{}` → `{used}` is not in ARCHITECTURE.md; a new edge is decided there", row.name);
                found.push(Problem::new(place.clone(), text));
            }
            if let Some(hosts) = architecture.guests.get(used)
                && !hosts.contains(&member.name)
            {
                let hosts: Vec<_> = hosts.iter().map(String::as_str).collect();
                let text = format!("`{used}` is known only to {}; use their interface", hosts.join(", "));
                found.push(Problem::new(place.clone(), text));
            }
        }
        if row.touches_the_world != member.has_clippy_toml {
            let text = if row.touches_the_world {
                "a crate that touches the world has its own permissive clippy.toml; add one"
            } else {
                "a pure crate keeps the strict clippy.toml of the root; remove its own"
            };
            found.push(Problem::new(member.folder.clone(), text));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLES: &str = "## Crates\n| level | crate | what | uses | I/O |\n|---|---|---|---|---|\n\
        | 0 | `core` | | – | no |\n| 1 | `model` | | `core` | no |\n| 2 | `data` | | `core` | reads |\n\
        ## Guests\n| libraries | known only to |\n|---|---|\n| `parquet` | `data` |\n";

    fn member(name: &str, dependencies: &[&str], has_clippy_toml: bool) -> Member {
        let dependencies = dependencies.iter().map(|d| (*d).to_owned()).collect();
        Member { name: name.into(), folder: name.into(), dependencies, has_clippy_toml }
    }

    fn check(tables: &str, members: &[Member]) -> String {
        let found = judge(&Architecture::parse(tables), members);
        found.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n")
    }

    fn good() -> Vec<Member> {
        vec![
            member("core", &["serde"], false),
            member("model", &["core"], false),
            member("data", &["core", "parquet"], true),
        ]
    }

    #[test]
    fn what_the_tables_allow_is_no_problem() {
        assert_eq!(check(TABLES, &good()), "");
    }

    #[test]
    fn an_edge_or_guest_outside_the_tables_is_named_with_the_way_out() {
        let mut members = good();
        members[1] = member("model", &["core", "data", "parquet"], false);
        let text = check(TABLES, &members);
        assert!(text.contains("edge `model` → `data` is not in ARCHITECTURE.md"), "{text}");
        assert!(text.contains("`parquet` is known only to data"), "{text}");
    }

    #[test]
    fn the_table_itself_may_not_point_upwards() {
        let text = check(&TABLES.replace("| `model` | | `core` |", "| `model` | | `data` |"), &good());
        assert!(text.contains("`model` may not use `data`: a crate uses lower levels only"), "{text}");
    }

    #[test]
    fn a_pure_crate_keeps_the_strict_clippy_and_a_new_crate_needs_a_row() {
        let mut members = good();
        members[1].has_clippy_toml = true;
        members[2].has_clippy_toml = false;
        members.push(member("new", &[], false));
        let text = check(TABLES, &members);
        assert!(text.contains("remove its own") && text.contains("add one"), "{text}");
        assert!(text.contains("`new` has no row"), "{text}");
    }

    /// The strict file must bite in a pure crate and not in one with its own clippy.toml.
    #[test]
    fn clippy_bans_the_clock_in_a_pure_crate_only() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let put = |path: &str, text: &str| {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().expect("a file has a folder")).expect("can create a folder");
            std::fs::write(path, text).expect("can write a file");
        };
        put("Cargo.toml", "[workspace]\nresolver = \"3\"\nmembers = [\"crates/*\"]\n");
        put("clippy.toml", &read(&crate::root(), "clippy.toml"));
        put("crates/io/clippy.toml", &read(&crate::root(), "xtask/clippy.toml"));
        for name in ["io", "pure"] {
            let manifest = format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n");
            put(&format!("crates/{name}/Cargo.toml"), &manifest);
            let code = "//! x\n/// f\npub fn f() -> bool {\n    std::time::Instant::now().elapsed().is_zero()\n}\n";
            put(&format!("crates/{name}/src/lib.rs"), code);
        }
        let mut clippy = std::process::Command::new(env!("CARGO"));
        clippy.args(["clippy", "--workspace", "--offline", "--color", "never"]).current_dir(folder.path());
        let output = clippy.env("CARGO_TARGET_DIR", folder.path().join("target")).output().expect("cargo starts");
        let text = String::from_utf8_lossy(&output.stderr);
        if text.contains("no such command") || text.contains("is not installed") {
            println!("skipped: clippy is not installed");
            return;
        }
        assert!(text.contains("crates/pure/src/lib.rs"), "{text}");
        assert!(text.contains("disallowed type `std::time::Instant`"), "{text}");
        assert!(!text.contains("crates/io/src/lib.rs"), "{text}");
    }
}
