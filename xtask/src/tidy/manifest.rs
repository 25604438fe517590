//! Every outside library is a guest: one place gives its version, with a comment that says why it is here.

use std::path::Path;

use super::edges::member_folders;
use super::{Problem, read};

pub(super) fn problems(root: &Path) -> Vec<Problem> {
    let mut found = guests_without_reason(&read(root, "Cargo.toml"));
    for folder in member_folders(root) {
        let text = read(root, format!("{folder}/Cargo.toml"));
        found.extend(own_versions(&format!("{folder}/Cargo.toml"), &text));
    }
    found
}

/// Lines of `[workspace.dependencies]` without a comment above; neighbours of one family (`arrow-array`,
/// `arrow-schema`) may share it.
fn guests_without_reason(manifest: &str) -> Vec<Problem> {
    let mut found = Vec::new();
    let (mut inside, mut above) = (false, String::new());
    for (i, line) in manifest.lines().enumerate() {
        if line.starts_with('[') {
            inside = line.trim() == "[workspace.dependencies]";
        } else if inside
            && let Some(name) = line.split(['=', '.']).next().map(str::trim)
            && !name.is_empty()
            && !line.starts_with('#')
        {
            let ours = line.contains("path = ");
            let relative = !above.starts_with('#') && !above.is_empty() && family(&above) == family(name);
            if !ours && !above.starts_with('#') && !relative {
                let text = format!("`{name}` is a guest without a reason; add a comment line that says why it is here");
                found.push(Problem::new(format!("Cargo.toml:{}", i + 1), text));
            }
        }
        above = line.trim().to_owned();
    }
    found
}

/// `arrow` of `arrow-array = …`.
fn family(line: &str) -> &str {
    line.split(['-', '_', ' ', '=', '.']).next().unwrap_or_default()
}

/// Dependencies of a member that name a version instead of taking the workspace's.
fn own_versions(place: &str, text: &str) -> Vec<Problem> {
    let Ok(manifest) = text.parse::<toml::Table>() else {
        return vec![Problem::new(place, "is not TOML")];
    };
    let mut found = Vec::new();
    for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
        let Some(listed) = manifest.get(section).and_then(|d| d.as_table()) else { continue };
        for (name, value) in listed {
            if value.get("workspace").and_then(|w| w.as_bool()) != Some(true) {
                let text = format!("`{name}` has its own version; put it into [workspace.dependencies] of the root");
                found.push(Problem::new(place, text));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_needs_a_reason_and_a_family_shares_one() {
        let text = "[workspace.dependencies]\nours = { path = \"crates/ours\" }\n\n# random numbers\nrand = \"0.10\"\n\
                    rand_distr = \"0.6\"\nserde = \"1\"\n\n[profile.dev]\nopt-level = 1\n";
        let found = guests_without_reason(text);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].place, "Cargo.toml:7");
    }

    #[test]
    fn members_take_versions_from_the_workspace() {
        let text = "[dependencies]\nserde.workspace = true\nrand = { workspace = true }\nlibm = \"0.2\"\n";
        let found = own_versions("x/Cargo.toml", text);
        assert_eq!(found.len(), 1);
        assert!(found[0].text.starts_with("`libm`"));
    }
}
