//! `cargo xtask check`: every gate in order, each with its own verdict, and one count at the end.
//!
//! A gate that is not a test suite (format, lints, rules, documentation) counts as one test. A suite that does not even
//! compile counts as one failure with its name, never as zero tests. The last line of the output is always
//! `N passed, N failed`, with `, N skipped` where something was skipped.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use crate::{dashboard, tidy};

/// How many tests had which end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Count {
    passed: u64,
    failed: u64,
    skipped: u64,
}

impl Count {
    pub(crate) const PASS: Count = Count { passed: 1, failed: 0, skipped: 0 };
    pub(crate) const FAIL: Count = Count { passed: 0, failed: 1, skipped: 0 };
    pub(crate) const SKIP: Count = Count { passed: 0, failed: 0, skipped: 1 };

    pub(crate) fn add(&mut self, other: Count) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }

    fn verdict(self) -> String {
        let skipped = if self.skipped > 0 { format!(", {} skipped", self.skipped) } else { String::new() };
        format!("{} passed, {} failed{skipped}", self.passed, self.failed)
    }
}

/// Runs every gate, prints what it does, and says whether all passed.
pub(crate) fn run(root: &Path) -> bool {
    let mut total = Count::default();
    let mut trouble: Vec<String> = Vec::new();
    for (name, gate) in GATES {
        println!("\n== {name}");
        let _ = std::io::stdout().flush();
        let count = gate(root);
        println!("-- {name}: {}", count.verdict());
        if count.failed > 0 {
            trouble.push((*name).to_owned());
        }
        total.add(count);
    }
    println!();
    if !trouble.is_empty() {
        println!("failed: {}", trouble.join(", "));
    }
    println!("{}", total.verdict());
    total.failed == 0
}

/// Names the Python with onnxruntime; `./check` sets it.
const ONNX_PYTHON: &str = "GUIKE_ONNX_PYTHON";

/// A gate's name and how to run it.
type Gate = (&'static str, fn(&Path) -> Count);

const GATES: &[Gate] = &[
    ("format (cargo fmt --check)", format_gate),
    ("rules (cargo xtask tidy)", |root| if tidy::run(root) { Count::PASS } else { Count::FAIL }),
    ("lints (cargo clippy)", lint_gate),
    ("tests (cargo nextest run, or cargo test)", test_gate),
    ("doctests (cargo test --doc)", |root| {
        suite(cargo(root).args(["test", "--workspace", "--doc", "--no-fail-fast"]), libtest_count)
    }),
    ("dashboard (npm, chromium)", dashboard::gate),
    ("documentation (cargo doc)", |root| {
        plain(cargo(root).args(["doc", "--workspace", "--no-deps", "--quiet"]).env("RUSTDOCFLAGS", "-D warnings"))
    }),
];

fn format_gate(root: &Path) -> Count {
    if !has_tool(root, "fmt") {
        println!("rustfmt is not installed: `rustup component add rustfmt` brings it");
        return Count::SKIP;
    }
    plain(cargo(root).args(["fmt", "--all", "--check"]))
}

fn lint_gate(root: &Path) -> Count {
    if !has_tool(root, "clippy") {
        println!("clippy is not installed: `rustup component add clippy` brings it");
        return Count::SKIP;
    }
    plain(cargo(root).args(["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"]))
}

fn test_gate(root: &Path) -> Count {
    // tests that need onnxruntime are the only ignored ones
    let has_onnx = std::env::var_os(ONNX_PYTHON).is_some();
    if !has_onnx {
        println!("{ONNX_PYTHON} names no Python with onnxruntime: the tests that run exported models are skipped");
    }
    if has_tool(root, "nextest") {
        let quiet = ["--no-tests", "pass", "--no-fail-fast", "--status-level", "fail", "--final-status-level", "fail"];
        let ignored: &[&str] = if has_onnx { &["--run-ignored", "all"] } else { &[] };
        let run = ["nextest", "run", "--workspace", "--color", "never"];
        suite(cargo(root).args(run).args(quiet).args(ignored), nextest_count)
    } else {
        println!("cargo-nextest is not installed: cargo test runs the same tests");
        let ignored: &[&str] = if has_onnx { &["--", "--include-ignored"] } else { &[] };
        let run = ["test", "--workspace", "--lib", "--bins", "--tests", "--no-fail-fast"];
        suite(cargo(root).args(run).args(ignored), libtest_count)
    }
}

/// The cargo that runs this program, in `root`, asking nothing.
fn cargo(root: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root).stdin(Stdio::null()).env("CARGO_TERM_COLOR", "never");
    command
}

fn has_tool(root: &Path, subcommand: &str) -> bool {
    let mut probe = cargo(root);
    probe.args([subcommand, "--version"]).stdout(Stdio::null()).stderr(Stdio::null());
    probe.status().is_ok_and(|s| s.success())
}

/// A gate that passes or fails as a whole.
pub(crate) fn plain(command: &mut Command) -> Count {
    match command.status() {
        Ok(status) if status.success() => Count::PASS,
        Ok(_) => Count::FAIL,
        Err(error) => {
            println!("{command:?} did not start: {error}");
            Count::FAIL
        }
    }
}

/// A test suite: shows its output while it runs, and counts by what it printed.
fn suite(command: &mut Command, count: fn(&[String]) -> Count) -> Count {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(error) => {
            println!("{command:?} did not start: {error}");
            return Count::FAIL;
        }
    };
    let lines = Arc::new(Mutex::new(Vec::new()));
    let streams: [Option<Box<dyn Read + Send>>; 2] =
        [child.stdout.take().map(|s| Box::new(s) as _), child.stderr.take().map(|s| Box::new(s) as _)];
    let threads: Vec<_> = streams.into_iter().flatten().map(|s| follow(s, Arc::clone(&lines))).collect();
    let ended_well = child.wait().is_ok_and(|status| status.success());
    for thread in threads {
        thread.join().expect("a thread that copies lines does not panic");
    }
    let mut counted = count(&lines.lock().expect("no thread panicked while it held the lines"));
    if !ended_well && counted.failed == 0 {
        println!("the suite ended with an error before it could count: it does not compile, or was stopped");
        counted.add(Count::FAIL);
    }
    counted
}

/// Copies a stream line by line to stdout and into `lines`.
fn follow(stream: Box<dyn Read + Send>, lines: Arc<Mutex<Vec<String>>>) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        let mut reader = BufReader::new(stream);
        let mut bytes = Vec::new();
        while reader.read_until(b'\n', &mut bytes).is_ok_and(|n| n > 0) {
            let line = String::from_utf8_lossy(&bytes).trim_end().to_owned();
            println!("{line}");
            lines.lock().expect("no thread panicked while it held the lines").push(line);
            bytes.clear();
        }
    })
}

/// Counts nextest's `Summary [ 1.2s] 300 tests run: 298 passed (2 slow), 1 failed, 1 timed out, 3 skipped`.
fn nextest_count(lines: &[String]) -> Count {
    let mut total = Count::default();
    for line in lines.iter().filter(|l| l.trim_start().starts_with("Summary [")) {
        let Some((_, ends)) = line.split_once(" run: ") else { continue };
        for part in without_parentheses(ends).split(", ") {
            let mut words = part.split_whitespace();
            let (Some(Ok(n)), Some(what)) = (words.next().map(str::parse::<u64>), words.next()) else { continue };
            match what {
                "passed" => total.passed += n,
                "skipped" => total.skipped += n,
                // failed, timed out, exec failed, aborted: anything that is neither passed nor skipped
                _ => total.failed += n,
            }
        }
    }
    total
}

/// The text outside parentheses: nextest lists slow and flaky tests there, which count as passed already.
fn without_parentheses(text: &str) -> String {
    let pieces = text.split(['(', ')']);
    pieces.step_by(2).collect()
}

/// Counts libtest's `test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; …` of every binary.
fn libtest_count(lines: &[String]) -> Count {
    let mut total = Count::default();
    for line in lines {
        let Some(ends) = line.trim_start().strip_prefix("test result: ") else { continue };
        for part in ends.split_once(". ").map_or("", |(_, rest)| rest).split("; ") {
            let mut words = part.split_whitespace();
            let (Some(Ok(n)), Some(what)) = (words.next().map(str::parse::<u64>), words.next()) else { continue };
            match what {
                "passed" => total.passed += n,
                "failed" => total.failed += n,
                "ignored" => total.skipped += n,
                _ => {}
            }
        }
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn nextest_summaries_are_counted() {
        for (text, passed, failed, skipped) in [
            ("     Summary [   0.010s] 3 tests run: 3 passed, 0 skipped", 3, 0, 0),
            (
                "     Summary [   9.1s] 300 tests run: 297 passed (2 slow, 1 flaky), 2 failed, 1 timed out, 4 skipped",
                297,
                3,
                4,
            ),
            ("     Summary [   0.1s] 2/9 tests run: 1 passed, 1 exec failed, 0 skipped", 1, 1, 0),
            ("error: could not compile `guike`", 0, 0, 0),
        ] {
            assert_eq!(nextest_count(&lines(text)), Count { passed, failed, skipped }, "{text}");
        }
    }

    #[test]
    fn results_of_several_test_binaries_add_up() {
        let text = "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s\n\
                    test a ... FAILED\n\
                    test result: FAILED. 5 passed; 2 failed; 0 ignored; 0 measured; 7 filtered out; finished in 1.00s";
        assert_eq!(libtest_count(&lines(text)), Count { passed: 8, failed: 2, skipped: 1 });
    }

    #[test]
    fn the_last_line_names_skipped_tests_only_when_there_are_any() {
        assert_eq!(Count { passed: 2, failed: 0, skipped: 0 }.verdict(), "2 passed, 0 failed");
        assert_eq!(Count { passed: 2, failed: 1, skipped: 3 }.verdict(), "2 passed, 1 failed, 3 skipped");
    }

    #[cfg(unix)]
    #[test]
    fn a_suite_that_does_not_compile_is_one_failure() {
        let mut broken = Command::new("sh");
        broken.args(["-c", "echo 'error: could not compile' >&2; exit 101"]);
        assert_eq!(suite(&mut broken, nextest_count), Count::FAIL);
        let mut counted = Command::new("sh");
        counted.args(["-c", "echo 'test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured'; exit 101"]);
        assert_eq!(suite(&mut counted, libtest_count), Count { passed: 1, failed: 2, skipped: 0 });
    }
}
