//! `guike doctor`: whether this build and this machine are sound, and whether folders of results are whole.
//!
//! The one idea: every check says what it found and, where that is no good, what to do; nothing is changed.

use std::net::TcpListener;
use std::path::{Path, PathBuf};

use clap::Args;
use guike::results::Results;
use guike::table::score::Scorer;
use guike::workspace::{self, Workspace};
use guike::{Error, ErrorKind, file_names};
use serde_json::{Value, json};

use crate::args::{DataFlags, Output};
use crate::commands;
use crate::progress::Bar;
use crate::show::Rows;

/// `guike doctor`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  guike doctor\n  guike doctor guike-out value-model      also whether these are whole"
)]
pub(crate) struct Doctor {
    /// Folders of `guike run` or `guike train`, workspaces, or a model.json, to be looked through.
    #[arg(value_name = "FOLDER")]
    folders: Vec<PathBuf>,
    #[command(flatten)]
    output: Output,
}

/// Below this much memory a run over a log of a few million rows may be ended by the system.
const MEMORY: u64 = 1 << 30;
/// Below this much disk a run's results and what it spills may not fit.
const DISK: u64 = 1 << 30;
/// Where `guike serve` listens by default.
const ADDRESS: &str = "127.0.0.1:5000";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Good,
    Warning,
    Broken,
}

/// One check.
#[derive(Debug)]
struct Finding {
    check: String,
    verdict: Verdict,
    found: String,
    advice: &'static str,
}

impl Finding {
    fn good(check: impl Into<String>, found: impl Into<String>) -> Finding {
        Finding { check: check.into(), verdict: Verdict::Good, found: found.into(), advice: "" }
    }

    fn warning(check: impl Into<String>, found: impl Into<String>, advice: &'static str) -> Finding {
        Finding { verdict: Verdict::Warning, advice, ..Finding::good(check, found) }
    }

    fn broken(check: impl Into<String>, found: impl Into<String>, advice: &'static str) -> Finding {
        Finding { verdict: Verdict::Broken, advice, ..Finding::good(check, found) }
    }

    fn row(&self) -> Vec<Value> {
        let verdict = match self.verdict {
            Verdict::Good => "good",
            Verdict::Warning => "warning",
            Verdict::Broken => "broken",
        };
        vec![json!(self.check), json!(verdict), json!(self.found), json!(self.advice)]
    }
}

/// Checks everything and prints it.
///
/// # Errors
/// The first error among what is broken, after everything was printed.
pub(crate) fn doctor(flags: &Doctor, bar: &Bar) -> Result<(), Error> {
    let mut first_error = None;
    let mut findings = vec![build(), arithmetic(bar, &mut first_error), processors(), memory()];
    findings.extend(folder("this folder", Path::new(".")));
    findings.extend(folder("temporary folder", &std::env::temp_dir()));
    findings.push(configuration(&mut first_error));
    findings.push(port());
    findings.extend(flags.folders.iter().map(|f| results(f, &mut first_error)));
    bar.finish();
    let columns = ["check", "verdict", "found", "advice"].map(str::to_owned).to_vec();
    Rows { columns, rows: findings.iter().map(Finding::row).collect() }.print(flags.output.format);
    first_error.map_or(Ok(()), Err)
}

fn build() -> Finding {
    let found =
        format!("guike {} for {} on {}", env!("CARGO_PKG_VERSION"), std::env::consts::OS, std::env::consts::ARCH);
    if cfg!(debug_assertions) {
        let advice = "a development build is several times slower; build with `cargo build --release`";
        return Finding::warning("build", found, advice);
    }
    Finding::good("build", found)
}

fn arithmetic(bar: &Bar, first_error: &mut Option<Error>) -> Finding {
    let check = "arithmetic";
    let advice = "build it again from a clean checkout; if it stays, report it with this table";
    let figures = match guike::checkup(bar) {
        Ok(figures) => figures,
        Err(error) => return failed(check, error, advice, first_error),
    };
    match figures.iter().find(|f| !f.agrees()) {
        None => Finding::good(check, "BG/NBD on the CDNOW sample has the published estimates"),
        Some(f) => {
            let text = format!("{} of BG/NBD on the CDNOW sample is {}, published {}", f.name, f.found, f.published);
            failed(check, Error::Internal(text), advice, first_error)
        }
    }
}

fn processors() -> Finding {
    match std::thread::available_parallelism() {
        Ok(n) => Finding::good("processors", n.to_string()),
        Err(e) => Finding::warning("processors", format!("not known ({e})"), "give --threads"),
    }
}

/// The memory that a new process can have: what the system says is available, and no more than its group may have.
fn memory() -> Finding {
    let check = "memory";
    let Some(available) = available_memory() else {
        return Finding::good(check, "not known on this system");
    };
    let found = format!("{} available", size(available));
    if available < MEMORY {
        let advice = "logs of millions of rows may not fit; end other programs, or use `--budget fast`";
        return Finding::warning(check, found, advice);
    }
    Finding::good(check, found)
}

fn available_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|l| l.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    let number = |path: &str| std::fs::read_to_string(path).ok()?.trim().parse::<u64>().ok();
    let of_group = number("/sys/fs/cgroup/memory.max")
        .map(|most| most.saturating_sub(number("/sys/fs/cgroup/memory.current").unwrap_or(0)));
    Some((kib * 1024).min(of_group.unwrap_or(u64::MAX)))
}

/// Whether results can be written there, and how much of them.
fn folder(check: &str, path: &Path) -> Vec<Finding> {
    let probe =
        tempfile::NamedTempFile::new_in(path).and_then(|mut file| std::io::Write::write_all(&mut file, b"guike"));
    let mut findings = vec![match probe {
        Ok(()) => Finding::good(check, "can be written"),
        Err(e) => {
            let advice =
                "results and temporary files need a folder that can be written; choose one with --out or TMPDIR";
            Finding::warning(check, format!("cannot be written ({e})"), advice)
        }
    }];
    if let Some(free) = free_disk(path) {
        let (check, found) = (format!("disk of {check}"), format!("{} free", size(free)));
        findings.push(if free < DISK {
            Finding::warning(check, found, "a large log may not fit beside its results; make room")
        } else {
            Finding::good(check, found)
        });
    }
    findings
}

#[cfg(unix)]
fn free_disk(path: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(path).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

#[cfg(not(unix))]
fn free_disk(_path: &Path) -> Option<u64> {
    None
}

fn configuration(first_error: &mut Option<Error>) -> Finding {
    let check = "settings";
    match commands::settings(&DataFlags::default(), None).and_then(|s| s.validate()) {
        Ok(()) if Path::new(commands::CONFIG_FILE).is_file() => Finding::good(check, "guike.toml is in order"),
        Ok(()) => Finding::good(check, "no guike.toml here; the defaults hold"),
        Err(error) => failed(check, error, "correct guike.toml; `guike config` prints one that works", first_error),
    }
}

fn port() -> Finding {
    match TcpListener::bind(ADDRESS) {
        Ok(_) => Finding::good("port", format!("{ADDRESS} is free for `guike serve`")),
        Err(e) => Finding::warning(
            "port",
            format!("{ADDRESS} cannot be listened on ({e})"),
            "`guike serve --addr` takes another",
        ),
    }
}

/// Whether a folder of results is whole.
fn results(path: &Path, first_error: &mut Option<Error>) -> Finding {
    let check = path.display().to_string();
    let found = if Workspace::is_at(path) {
        workspace::verify(path).map(|n| format!("a workspace of {n} versions, whole"))
    } else if let Err(error) = guike::check_folder(path) {
        Err(error)
    } else if path.join(file_names::FORECASTS_CSV).is_file() {
        Results::open(path).map(|run| format!("a run over {} customers, whole", run.len()))
    } else {
        Scorer::open(path).map(|model| format!("a model of {} columns, whole", model.inputs().len()))
    };
    match found {
        Ok(found) => Finding::good(check, found),
        Err(error) => {
            let advice = match error.kind() {
                ErrorKind::NotFound => "check the path",
                _ => "make it again, or take it from a backup",
            };
            failed(check, error, advice, first_error)
        }
    }
}

fn failed(check: impl Into<String>, error: Error, advice: &'static str, first_error: &mut Option<Error>) -> Finding {
    let finding = Finding::broken(check, error.to_string(), advice);
    first_error.get_or_insert(error);
    finding
}

/// Bytes for people.
fn size(bytes: u64) -> String {
    format!("{:.1} GiB", bytes as f64 / (1u64 << 30) as f64)
}
