//! The gate of the dashboard: the committed script and style are what their source gives, and every page is looked at in a
//! browser.
//!
//! It needs node, what `npm ci` installs (`./check` does that), and chromium; where one of them is not there it says so and
//! counts what it could not do as skipped.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::check::{Count, plain};

/// Where the npm project is.
const FOLDER: &str = "crates/guike-server/dashboard";

/// Names another chromium than the usual one.
const CHROMIUM: &str = "GUIKE_CHROMIUM";

/// Builds and compares, then looks.
pub(crate) fn gate(root: &Path) -> Count {
    let folder = root.join(FOLDER);
    if !folder.join("node_modules/esbuild").is_dir() || !starts("node", "--version") {
        println!("node or `npm ci` in {FOLDER} is missing: script and style are not compared, pages not looked at");
        let mut skipped = Count::SKIP;
        skipped.add(Count::SKIP);
        return skipped;
    }
    let mut count = plain(Command::new("node").current_dir(&folder).args(["build.mjs", "--check"]));
    count.add(look(root, &folder));
    count
}

/// Every page in a browser.
fn look(root: &Path, folder: &Path) -> Count {
    let chromium = std::env::var_os(CHROMIUM).map_or_else(|| PathBuf::from("/usr/bin/chromium"), PathBuf::from);
    if !chromium.is_file() {
        println!("{} is not there: the pages are not looked at; {CHROMIUM} names another one", chromium.display());
        return Count::SKIP;
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let guike = target.join("debug/guike");
    if !guike.is_file() {
        println!("{} is not there: the tests before this gate build it", guike.display());
        return Count::FAIL;
    }
    let looked = Command::new("node")
        .current_dir(folder)
        .arg("test/browser.mjs")
        .args([guike, target.join("dashboard")])
        .env(CHROMIUM, chromium)
        .status();
    match looked {
        Ok(status) if status.success() => Count::PASS,
        _ => Count::FAIL,
    }
}

fn starts(program: &str, argument: &str) -> bool {
    Command::new(program).arg(argument).output().is_ok_and(|o| o.status.success())
}
