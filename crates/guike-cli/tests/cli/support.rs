//! One way to call the command, and small logs to call it on.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A folder of its own for one test, with helpers to fill it, run `guike` in it, and look at what is left.
pub(crate) struct Desk {
    folder: tempfile::TempDir,
}

/// How one call ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Desk {
    pub(crate) fn new() -> Desk {
        Desk { folder: tempfile::tempdir().expect("a temporary folder") }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Puts a file on the desk.
    pub(crate) fn put(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, content).expect("can write into the temporary folder");
        path
    }

    /// `guike ARGS` in this folder, not started yet, in a known environment.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_guike"));
        command.args(args).current_dir(self.folder.path()).stdin(std::process::Stdio::null());
        command.env("LANG", "C.UTF-8").env_remove("LC_ALL").env_remove("NO_COLOR").env_remove("RUST_BACKTRACE");
        command
    }

    /// Runs `guike ARGS` to its end.
    pub(crate) fn guike(&self, args: &[&str]) -> Ended {
        ended(&self.command(args).output().expect("the binary starts"))
    }

    /// Names of everything in the folder, hidden things included, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        names_in(self.folder.path())
    }

    /// Every file below `name`, with its bytes, sorted by path.
    pub(crate) fn files(&self, name: &str) -> Vec<(String, Vec<u8>)> {
        fn walk(base: &Path, folder: &Path, found: &mut Vec<(String, Vec<u8>)>) {
            for name in names_in(folder) {
                let path = folder.join(&name);
                if path.is_dir() {
                    walk(base, &path, found);
                } else {
                    let relative = path.strip_prefix(base).expect("below the base").display().to_string();
                    found.push((relative, std::fs::read(&path).expect("can read a result")));
                }
            }
        }
        let base = self.path(name);
        let mut found = Vec::new();
        walk(&base, &base, &mut found);
        found
    }

    /// The text of a result.
    pub(crate) fn text(&self, name: &str) -> String {
        String::from_utf8(std::fs::read(self.path(name)).unwrap_or_else(|e| panic!("{name}: {e}")))
            .expect("results are UTF-8")
    }
}

pub(crate) fn ended(output: &Output) -> Ended {
    Ended {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

fn names_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut names: Vec<String> = entries.flatten().map(|e| e.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// A sequence of numbers that look random and are the same everywhere (the constants are Knuth's MMIX).
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

/// `customer_id,date,amount` of a shop in which people come, buy at their own pace and leave, over two years from
/// 2022-01-01.
pub(crate) fn shop_csv(n_customers: u64) -> String {
    let mut text = String::from("customer_id,date,amount\n");
    let mut numbers = Numbers(7);
    for customer in 0..n_customers {
        let pace = 5 + numbers.below(90);
        let leaves = 30 + numbers.below(1_400);
        let mut day = numbers.below(500);
        let gone = day + leaves;
        loop {
            let cents = 500 + numbers.below(9_500);
            let _ = writeln!(text, "C{customer:05},{},{}.{:02}", date(day), cents / 100, cents % 100);
            day += 1 + numbers.below(2 * pace);
            if day >= gone.min(730) {
                break;
            }
        }
    }
    text
}

/// Day `n` after 2022-01-01 as `year-month-day`, for `n` below three years (none is a leap year but 2024).
pub(crate) fn date(n: u64) -> String {
    let lengths =
        |year: u64| [31, if year.is_multiple_of(4) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let (mut year, mut month, mut rest) = (2022, 0, n);
    while rest >= lengths(year)[month] {
        rest -= lengths(year)[month];
        month += 1;
        if month == 12 {
            (year, month) = (year + 1, 0);
        }
    }
    format!("{year}-{:02}-{:02}", month + 1, rest + 1)
}

/// The header and cells of a CSV without quotes.
pub(crate) fn cells(csv: &str) -> (Vec<&str>, Vec<Vec<&str>>) {
    let mut lines = csv.lines();
    let header = lines.next().unwrap_or_default().split(',').collect();
    (header, lines.map(|l| l.split(',').collect()).collect())
}
