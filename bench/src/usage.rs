//! What work costs: CPU seconds and peak memory, as the operating system counts them.
//!
//! CPU time is the only fair clock on a machine that does other things too. Peak memory belongs to a process, so a
//! command that is to be measured runs below a small process of its own ([`measured`] starts this binary again as
//! `bench measure FILE COMMAND …`), whose only child it is.

use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Instant;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use serde::{Deserialize, Serialize};

/// What a piece of work took.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Cost {
    /// User and system time of all threads, in seconds.
    pub(crate) cpu_s: f64,
    /// Time on the wall, in seconds.
    pub(crate) wall_s: f64,
    /// Largest resident memory of the process so far, in MiB.
    pub(crate) peak_mib: f64,
}

fn usage(who: UsageWho) -> (f64, f64) {
    let usage = getrusage(who).expect("the kernel counts for its own process");
    let cpu_s = (usage.user_time().num_microseconds() + usage.system_time().num_microseconds()) as f64 / 1e6;
    // Linux counts resident memory in KiB
    (cpu_s, usage.max_rss() as f64 / 1024.0)
}

/// Runs `work` in this process and says what it took.
pub(crate) fn timed<T>(work: impl FnOnce() -> T) -> (T, Cost) {
    let (wall, (before, _)) = (Instant::now(), usage(UsageWho::RUSAGE_SELF));
    let result = work();
    let (after, peak_mib) = usage(UsageWho::RUSAGE_SELF);
    (result, Cost { cpu_s: after - before, wall_s: wall.elapsed().as_secs_f64(), peak_mib })
}

/// Runs a command in a process of its own and reads the JSON that it prints.
///
/// # Errors
/// As [`measured`], and when what is printed is something else.
pub(crate) fn answer<T: serde::de::DeserializeOwned>(command: &[String], folder: &Path) -> Result<T, String> {
    let (_, stdout) = measured(command, folder)?;
    serde_json::from_str(&stdout).map_err(|e| format!("{command:?} printed `{}`: {e}", stdout.trim()))
}

/// Runs a command in a process of its own and says what it took; its stdout comes back too.
///
/// # Errors
/// When the command cannot start or ends badly; its last words are in the text.
pub(crate) fn measured(command: &[String], folder: &Path) -> Result<(Cost, String), String> {
    let note = folder.join(format!("usage-{}.json", std::process::id()));
    let this = std::env::current_exe().map_err(|e| format!("cannot find this program: {e}"))?;
    let mut wrapper = Command::new(this);
    wrapper.arg("measure").arg(&note).args(command).stdin(Stdio::null());
    // one thread per library: a peer's idle spinning threads would count against it
    for name in ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"] {
        wrapper.env(name, "1");
    }
    let output = wrapper.output().map_err(|e| format!("{command:?}: {e}"))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        let tail: Vec<&str> = text.lines().rev().take(12).collect();
        let tail: Vec<&str> = tail.into_iter().rev().collect();
        return Err(format!("{}: {}\n{}", command.join(" "), output.status, tail.join("\n")));
    }
    let text = std::fs::read_to_string(&note).map_err(|e| format!("{}: {e}", note.display()))?;
    let _ = std::fs::remove_file(&note);
    let cost = serde_json::from_str(&text).map_err(|e| format!("{}: {e}", note.display()))?;
    Ok((cost, String::from_utf8_lossy(&output.stdout).into_owned()))
}

/// The small process around a measured command: runs it, and writes what it took to `note`.
pub(crate) fn measure(note: &str, command: &[String]) -> Result<ExitStatus, String> {
    let (program, args) = command.split_first().ok_or("measure needs a command")?;
    let wall = Instant::now();
    let status = Command::new(program).args(args).status().map_err(|e| format!("{program}: {e}"))?;
    let (cpu_s, peak_mib) = usage(UsageWho::RUSAGE_CHILDREN);
    let cost = Cost { cpu_s, wall_s: wall.elapsed().as_secs_f64(), peak_mib };
    let text = serde_json::to_string(&cost).map_err(|e| e.to_string())?;
    std::fs::write(note, text).map_err(|e| format!("{note}: {e}"))?;
    Ok(status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_costs_cpu_and_waiting_does_not() {
        let (sum, busy) = timed(|| (0..30_000_000_u64).fold(0_u64, |a, b| a.wrapping_mul(31).wrapping_add(b)));
        let ((), idle) = timed(|| std::thread::sleep(std::time::Duration::from_millis(60)));
        assert_ne!(sum, 0);
        assert!(busy.cpu_s > 0.0 && busy.peak_mib > 0.5, "{busy:?}");
        assert!(idle.wall_s >= 0.06 && idle.cpu_s < 0.03, "{idle:?}");
    }
}
