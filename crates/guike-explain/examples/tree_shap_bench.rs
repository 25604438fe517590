//! CPU time of tree attributions, to be held against LightGBM's on the same trees (`bench/peers/tree_shap.py`).
//!
//! `tree_shap_bench TREES ROWS COLUMNS [BACKGROUND]`: TREES is JSON as `guike_core::Trees` is written, ROWS holds
//! little-endian `f64`s, column after column. With a number of background rows (the first ones) the attributions are those
//! against them, else those by the trees' covers. Prints CPU seconds and the sum of all absolute attributions.

#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "a measuring tool, not the library")]

use std::error::Error;
use std::io::Write;

use guike_core::{Matrix, Trees};
use guike_explain::tree_shap::TreeShap;
use guike_explain::tree_shap::interventional::InterventionalShap;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [trees, rows, columns, rest @ ..] = args.as_slice() else {
        return Err("give a file of trees, a file of rows and the number of columns".into());
    };
    let trees: Trees = serde_json::from_slice(&std::fs::read(trees)?)?;
    let columns: usize = columns.parse()?;
    let numbers: Vec<f64> =
        std::fs::read(rows)?.chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().expect("eight bytes"))).collect();
    let x = Matrix::from_column_major(numbers.len() / columns, columns, numbers);
    let begin = cpu_seconds()?;
    let explained = match rest.first() {
        None => TreeShap::new(&trees)?.attribute(&x)?,
        Some(n) => {
            let background = x.select_rows(&(0..n.parse()?).collect::<Vec<usize>>());
            InterventionalShap::new(&trees, &background)?.attribute(&x)?
        }
    };
    let seconds = cpu_seconds()? - begin;
    let sum: f64 = explained.values().iter().map(|v| v.abs()).sum();
    writeln!(std::io::stdout(), "{seconds:.3} {sum:.9}")?;
    Ok(())
}

/// CPU time of all threads of this process so far: fields 14 and 15 of `/proc/self/stat`, in hundredths of a second.
fn cpu_seconds() -> Result<f64, Box<dyn Error>> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let after_name = stat.rsplit(')').next().ok_or("/proc/self/stat has a name in brackets")?;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    Ok((fields[11].parse::<f64>()? + fields[12].parse::<f64>()?) / 100.0)
}
