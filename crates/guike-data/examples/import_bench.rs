//! Times the import of one order log.
//!
//! `cargo run --release -p guike-data --example import_bench -- LOG [REPEATS]`
//!
//! Prints one JSON line per repeat; with `REPORT=1` as third argument also the quality report.
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use guike_core::Quiet;
use guike_data::{ImportOptions, import};

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [log, rest @ ..] = &args[..] else { return Err("give an order log".into()) };
    let repeats = rest.first().map_or(Ok(1), |n| n.parse::<usize>())?;
    let bytes = std::fs::metadata(log)?.len();
    for _ in 0..repeats {
        let start = Instant::now();
        let imported = import(Path::new(log), &ImportOptions::default(), &Quiet)?;
        let wall = start.elapsed().as_secs_f64();
        let q = &imported.quality;
        println!(
            r#"{{"rows": {}, "kept": {}, "customers": {}, "mb": {:.1}, "wall_s": {wall:.3}, "mb_per_s": {:.0}}}"#,
            q.rows_read,
            q.rows_kept,
            q.customers,
            bytes as f64 / 1e6,
            bytes as f64 / 1e6 / wall
        );
        if rest.get(1).is_some() {
            println!("{}", serde_json::to_string_pretty(q)?);
        }
    }
    Ok(())
}
