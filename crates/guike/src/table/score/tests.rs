//! Facts about answering row by row.
#![allow(clippy::disallowed_methods)] // writes and reads tables in a temporary folder

use guike_core::{ColumnData, Quiet, Seed, Table};
use guike_data::{ReadOptions, read_table};

use super::*;
use crate::table::{Label, TableSettings, simulate_customers, train, write_table_csv};

/// A model of this learner on 300 simulated customers, read back, and the table it learned from.
pub(in crate::table) fn trained(
    learner: &str,
    change: impl FnOnce(&mut TableSettings),
) -> (Scorer, Table, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (file, out) = (folder.path().join("customers.csv"), folder.path().join("model"));
    let table = simulate_customers(300, Label::Drawn, Seed(1)).expect("simulated");
    write_table_csv(&table, &file).expect("written");
    let mut settings = TableSettings { target: "value".to_owned(), model: learner.to_owned(), ..Default::default() };
    change(&mut settings);
    train(&file, &out, &settings, crate::Language::English, &Quiet).expect("trained");
    (Scorer::open(&out).expect("read"), table, folder)
}

/// The cells of every row of a table.
pub(in crate::table) fn cells(scorer: &Scorer, table: &Table) -> Vec<f64> {
    let mut cells = Vec::new();
    for i in 0..table.n_rows() {
        for (j, input) in scorer.inputs().iter().enumerate() {
            cells.push(match &table.column(&input.name).expect("there").data {
                ColumnData::Numeric(v) => scorer.number(j, v[i]).expect("a number"),
                ColumnData::Categorical { codes, levels } => {
                    scorer.text(j, &levels[codes[i] as usize]).expect("a text")
                }
            });
        }
    }
    cells
}

#[test]
fn rows_one_by_one_and_many_at_once_have_the_bits_of_a_file() {
    for learner in ["logistic-regression", "random-forest", "boosting", "kernel-svm", "k-nearest-neighbours"] {
        let (scorer, table, folder) = trained(learner, |_| ());
        let opened = crate::saved::open(&folder.path().join("model")).expect("read");
        let (loaded, _) = opened.on_tables().expect("a model on tables");
        let file = folder.path().join("customers.csv");
        let read = read_table(&file, &ReadOptions::default(), &loaded.expected(), &Quiet).expect("read");
        let of_file = loaded.fitted.predict(&loaded.inputs(&read.table).expect("its columns"));
        let cells = cells(&scorer, &table);
        assert!(table.n_rows() >= MANY);
        let one_by_one: Vec<f64> =
            cells.chunks_exact(scorer.inputs().len()).flat_map(|row| scorer.predict(row)).collect();
        for (how, found) in [("one by one", one_by_one), ("at once", scorer.predict(&cells))] {
            assert!(found.iter().zip(&of_file).all(|(a, b)| a.to_bits() == b.to_bits()), "{learner} {how}");
            assert_eq!(found.len(), of_file.len());
        }
    }
}

#[test]
fn values_become_cells_as_cells_of_a_file_do() {
    let (scorer, ..) = trained("logistic-regression", |s| s.drop = vec!["customer_id".to_owned()]);
    let at = |name: &str| scorer.position(name).expect("a column");
    let (age, category) = (at("age"), at("category"));
    assert_eq!(scorer.number(age, 30.0), Ok(30.0));
    assert_eq!(scorer.number(age, f64::INFINITY), Err(NotOfThisKind));
    assert_eq!(scorer.text(age, "30"), Err(NotOfThisKind));
    let known = scorer.text(category, " books ").expect("a category");
    let other = scorer.text(category, "spaceships").expect("a category");
    assert!(!scorer.is_unknown(category, known) && scorer.is_unknown(category, other));
    assert!(scorer.text(category, "N/A").expect("missing").is_nan() && !scorer.is_unknown(category, Scorer::MISSING));
    assert_eq!(scorer.nearest("agee"), Some("age"));
    assert_eq!(scorer.position("value"), None, "the target is not read");
}
