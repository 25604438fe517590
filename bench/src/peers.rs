//! The peers' world: a Python environment of their own, made on first use, with pinned versions.

use std::path::{Path, PathBuf};
use std::process::Command;

/// What the peers' programs import; pinned, so that a comparison can be repeated.
const REQUIREMENTS: &str = "bench/peers/requirements.txt";

/// The Python of `target/bench/venv`, made from `bench/peers/requirements.txt` when it is not there yet.
///
/// `GUIKE_BENCH_PYTHON` names another interpreter that has the packages already.
///
/// # Errors
/// When there is no Python, or the packages cannot be installed.
pub(crate) fn python(root: &Path) -> Result<PathBuf, String> {
    if let Some(given) = std::env::var_os("GUIKE_BENCH_PYTHON") {
        return Ok(given.into());
    }
    let venv = root.join("target/bench/venv");
    let python = venv.join("bin/python");
    let done = venv.join("installed.txt");
    let wanted = std::fs::read_to_string(root.join(REQUIREMENTS)).map_err(|e| format!("{REQUIREMENTS}: {e}"))?;
    if std::fs::read_to_string(&done).is_ok_and(|t| t == wanted) {
        return Ok(python);
    }
    let run = |command: &mut Command| match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{command:?}: {status}")),
        Err(error) => Err(format!("{command:?}: {error}")),
    };
    run(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
    run(Command::new(&python).args(["-m", "pip", "install", "--quiet", "-r"]).arg(root.join(REQUIREMENTS)))?;
    std::fs::write(&done, wanted).map_err(|e| format!("{}: {e}", done.display()))?;
    Ok(python)
}

/// `package version` of each package as the interpreter has it.
pub(crate) fn versions(python: &Path, packages: &[&str]) -> Vec<String> {
    let code = "import importlib.metadata as m, sys\nfor p in sys.argv[1:]: print(p, m.version(p))";
    let output = Command::new(python).args(["-c", code]).args(packages).output();
    let text = output.map(|o| String::from_utf8_lossy(&o.stdout).into_owned()).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}
