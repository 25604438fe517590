//! Times the features of a typed Parquet log, as the benchmark against DuckDB does.
//!
//! `cargo run --release -p guike-data --example features_bench -- LOG.parquet 2023-12-31 [OUT.csv]`
//!
//! Prints one JSON line. With OUT.csv it also writes the features, to compare them with the peer's.
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use guike_core::{Column, Cutoff, Day, Horizon, Quiet};
use guike_data::{FeatureQuery, PartitionConfig, TypedColumns, read_typed_parquet};
use guike_features::FeatureSet;

/// The features that the peers compute too.
const FEATURES: [&str; 14] = [
    "recency_days",
    "orders",
    "spend_mean",
    "spend_std",
    "tenure_days",
    "gap_mean",
    "gap_std",
    "orders_30d",
    "spend_30d",
    "orders_90d",
    "spend_90d",
    "orders_180d",
    "spend_180d",
    "category_entropy",
];

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [log, cutoff, out @ ..] = &args[..] else { return Err("give LOG.parquet and the last known day".into()) };
    let cutoff = Cutoff::after(cutoff.parse::<Day>()?);
    let columns = TypedColumns {
        customer: "customer_id",
        time: "time",
        amount: "amount",
        item: None,
        category: Some("category"),
    };
    let start = Instant::now();
    let typed = read_typed_parquet(Path::new(log), columns, PartitionConfig::default(), &Quiet)?
        .ok_or("the columns are not of the types this way serves")?;
    let read = start.elapsed();
    let horizon = Horizon::from_days(90).expect("90 days are a horizon");
    let set = FeatureSet::named(&FEATURES, &typed.rows.shape(cutoff), horizon)?;
    let query = FeatureQuery { cutoff, customers: typed.customers(), categories: &typed.categories };
    let (features, _) = typed.rows.features(query, &set, None, &Quiet)?;
    println!(
        r#"{{"engine": "guike", "rows": {}, "customers": {}, "spilled": {}, "read_s": {:.2}, "wall_s": {:.2}}}"#,
        typed.rows.n_rows(),
        features.customer_ids.len(),
        typed.rows.spilled(),
        read.as_secs_f64(),
        start.elapsed().as_secs_f64()
    );
    if let Some(path) = out.first() {
        let mut file = std::io::BufWriter::new(std::fs::File::create(path)?);
        writeln!(file, "customer_id,{}", FEATURES.join(","))?;
        let columns: Vec<&[f64]> = features.table.columns().iter().filter_map(Column::as_numeric).collect();
        for (row, id) in features.customer_ids.iter().enumerate() {
            write!(file, "{id}")?;
            for column in &columns {
                write!(file, ",{}", column[row])?;
            }
            writeln!(file)?;
        }
    }
    Ok(())
}
