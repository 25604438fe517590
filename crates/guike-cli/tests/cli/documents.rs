//! The documents against the binary: every `guike …` in a code block names a command and flags that exist.

use std::path::Path;

use crate::support::Desk;

#[test]
fn commands_in_the_documents_exist_with_their_flags() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let desk = Desk::new();
    let mut n_checked = 0;
    for name in [
        "README.md",
        "README.zh-CN.md",
        "docs/cli.md",
        "docs/data-in.md",
        "docs/files.md",
        "docs/tuning.md",
        "docs/tutorial-table.md",
        "docs/explain.md",
        "docs/access.md",
        "docs/serve.md",
        "docs/deploy.md",
        "docs/workspace.md",
        "docs/simulate.md",
    ] {
        let text = std::fs::read_to_string(root.join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
        for line in code_lines(&text) {
            let line = line.replace("cargo run --release -- ", "guike ");
            let mut words = line.split_whitespace().skip_while(|w| *w == "$");
            if words.next() != Some("guike") {
                continue;
            }
            let words: Vec<&str> = words.take_while(|w| !["|", ">", "&&", "#"].contains(w)).collect();
            let Some(command) = words.first() else { continue };
            // these have commands of their own
            let n_words = match words.get(1) {
                _ if ["audit", "keys", "simulate", "tune", "users"].contains(command) => 2,
                Some(second) if *command == "models" && !second.starts_with('-') => 2,
                _ => 1,
            };
            let help = desk.guike(&[&words[..n_words.min(words.len())], &["--help"]].concat());
            assert_eq!(help.code, 0, "{name}: `{line}`: {}", help.stderr);
            for flag in words.iter().filter(|w| w.starts_with("--")) {
                let flag = flag.split('=').next().unwrap_or(flag);
                assert!(help.stdout.contains(flag), "{name}: `{line}`: `guike {command}` has no {flag}");
            }
            n_checked += 1;
        }
    }
    assert!(n_checked > 3, "the documents show how to call the command");
}

fn code_lines(text: &str) -> Vec<&str> {
    let mut inside = false;
    let mut found = Vec::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            inside = !inside;
        } else if inside {
            found.push(line);
        }
    }
    found
}

#[test]
fn every_exit_code_of_the_help_is_documented() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let page = std::fs::read_to_string(root.join("docs/exit-codes.md")).expect("docs/exit-codes.md");
    let help = Desk::new().guike(&["--help"]).stdout;
    let (_, codes) = help.split_once("Exit codes:").expect("the help lists exit codes");
    let numbers = codes.split(|c: char| !c.is_ascii_digit()).filter(|n| !n.is_empty());
    for code in numbers {
        assert!(page.contains(&format!("| {code} |")), "docs/exit-codes.md lacks {code}");
    }
}
