//! Facts about streams of rows.
#![allow(clippy::disallowed_methods)] // writes and reads tables in a temporary folder

use guike_core::{Quiet, Seed};
use guike_data::ReadOptions;

use super::*;
use crate::table::score::tests::trained;
use crate::table::{Label, predict, simulate_customers, write_table_csv};

/// What comes of a text that arrives in pieces of `size` bytes, and what ended it.
fn stream(
    scorer: &Scorer,
    (format, keep): (RowFormat, Keep),
    text: &str,
    size: usize,
    most: u64,
) -> (String, Option<BatchError>) {
    let mut batch = Batch::new(scorer, format, keep, most);
    let mut out = Vec::new();
    let mut ended = text.as_bytes().chunks(size).find_map(|bytes| batch.push(scorer, bytes, &mut out).err());
    if ended.is_none() {
        ended = batch.finish(scorer, &mut out).err();
    }
    (String::from_utf8(out).expect("text"), ended)
}

fn all_of(scorer: &Scorer, how: (RowFormat, Keep), text: &str) -> String {
    let (out, ended) = stream(scorer, how, text, 1_000, u64::MAX);
    assert_eq!(ended, None);
    out
}

#[test]
fn a_stream_is_answered_with_the_bytes_that_guike_predict_writes() {
    for learner in ["logistic-regression", "boosting", "random-forest"] {
        let (scorer, _, folder) = trained(learner, |_| ());
        let table = simulate_customers(500, Label::Drawn, Seed(2)).expect("simulated");
        let (file, written) = (folder.path().join("new.csv"), folder.path().join("predictions.csv"));
        write_table_csv(&table, &file).expect("written");
        let model = folder.path().join("model");
        let predictions = predict(&model, file.as_path(), &ReadOptions::default(), &Quiet).expect("predicted");
        predictions.write_csv(&written).expect("written");
        let expected = std::fs::read_to_string(&written).expect("read");
        let keep = Keep::Only(predictions.id.iter().map(|(name, _)| name.clone()).collect());
        let text = std::fs::read_to_string(&file).expect("read");
        assert_eq!(all_of(&scorer, (RowFormat::Csv, keep), &text), expected, "{learner}");
        // with all columns, each line is the row as it was and then the prediction
        let kept = all_of(&scorer, (RowFormat::Csv, Keep::All), &text);
        let bare = all_of(&scorer, (RowFormat::Csv, Keep::Only(Vec::new())), &text);
        for ((line, row), prediction) in kept.lines().zip(text.lines()).zip(bare.lines()) {
            assert_eq!(line, format!("{row},{prediction}"));
        }
        assert_eq!((kept.lines().count(), bare.lines().count()), (501, 501));
    }
}

#[test]
fn json_lines_say_the_same_as_csv_and_keep_every_digit() {
    let (scorer, table, _folder) = trained("logistic-regression", |s| s.drop = vec!["category".to_owned()]);
    let names: Vec<&str> = scorer.inputs().iter().map(|c| c.name.as_str()).collect();
    let mut csv = format!("{}\n", names.join(","));
    let mut json = String::new();
    for i in 0..50 {
        let values: Vec<f64> =
            names.iter().map(|n| table.column(n).and_then(|c| c.as_numeric()).expect("numbers")[i]).collect();
        csv += &(values.iter().map(f64::to_string).collect::<Vec<_>>().join(",") + "\n");
        let members: Vec<String> = names.iter().zip(&values).map(|(n, v)| format!("\"{n}\": {v}")).collect();
        json += &format!("{{\"id\": 123456789012345678901, {} }}\n", members.join(", "));
    }
    let of_csv = all_of(&scorer, (RowFormat::Csv, Keep::Only(Vec::new())), &csv);
    let header: Vec<&str> = of_csv.lines().next().expect("a header").split(',').collect();
    let of_json = all_of(&scorer, (RowFormat::JsonLines, Keep::All), &json);
    for ((line, came), cells) in of_json.lines().zip(json.lines()).zip(of_csv.lines().skip(1)) {
        assert!(line.starts_with(came.trim_end_matches([' ', '}'])), "{line}");
        let object: Value = serde_json::from_str(line).expect("JSON");
        for (name, cell) in header.iter().zip(cells.split(',')) {
            let said = object[*name].as_str().map_or_else(|| object[*name].to_string(), str::to_owned);
            assert_eq!(said, cell, "{name}");
        }
    }
    let only = all_of(&scorer, (RowFormat::JsonLines, Keep::Only(vec![names[0].to_owned()])), &json);
    assert!(only.starts_with(&format!("{{\"{}\":", names[0])) && !only.contains("\"id\""), "{only}");
}

#[test]
fn a_bad_row_ends_the_stream_after_the_rows_before_it_and_its_value_is_not_repeated() {
    let (scorer, _, folder) = trained("logistic-regression", |s| s.drop = vec!["category".to_owned()]);
    let text = std::fs::read_to_string(folder.path().join("customers.csv")).expect("read");
    let mut lines: Vec<&str> = text.lines().collect();
    let good = lines[7].to_owned();
    let column = lines[0].split(',').position(|n| n == "age").expect("a column");
    let bad = good.split(',').enumerate().map(|(i, c)| if i == column { "secret" } else { c });
    let bad = bad.collect::<Vec<_>>().join(",");
    lines[7] = &bad;
    let text = lines.join("\n");
    let keep = (RowFormat::Csv, Keep::All);
    for size in [1, 100, 1 << 20] {
        let (out, ended) = stream(&scorer, keep.clone(), &text, size, u64::MAX);
        let e = ended.expect("an error");
        assert_eq!((e.trouble, e.row, e.column.as_deref()), (BatchTrouble::WrongType, Some(7), Some("age")));
        assert_eq!(
            e.to_string(),
            "column `age` of row 7 holds no number with a decimal point; leave it empty where it is not known"
        );
        assert_eq!(out.lines().count(), 7, "a header and six rows");
    }
    let (out, ended) = stream(&scorer, keep, &text, 100, 3);
    assert_eq!((out.lines().count(), ended.map(|e| e.trouble)), (4, Some(BatchTrouble::TooManyRows)));
}

#[test]
fn what_does_not_fit_the_model_is_named_before_anything_is_written() {
    let (scorer, _, _folder) = trained("logistic-regression", |s| s.drop = vec!["category".to_owned()]);
    let names: Vec<&str> = scorer.inputs().iter().map(|c| c.name.as_str()).collect();
    let header = names.join(",");
    let cells = vec!["1"; names.len()].join(",");
    let keep = |names: &[&str]| Keep::Only(names.iter().map(|n| (*n).to_owned()).collect());
    for (keep, text, trouble, words) in [
        (Keep::All, format!("{}\n{cells}\n", header.replace("age", "aeg")), BatchTrouble::MissingColumn, "`age`"),
        (Keep::All, format!("{header},predicted\n{cells},1\n"), BatchTrouble::DuplicateColumn, "`predicted`"),
        (keep(&["city"]), format!("{header}\n{cells}\n"), BatchTrouble::NotKept, "`city` to keep"),
        (Keep::All, format!("{header}\n"), BatchTrouble::Malformed, "no row"),
    ] {
        let (out, ended) = stream(&scorer, (RowFormat::Csv, keep), &text, 10, u64::MAX);
        let e = ended.expect("an error");
        assert!(e.trouble == trouble && e.detail.contains(words), "{e:?}");
        assert!(out.is_empty() || trouble == BatchTrouble::Malformed, "{out}");
    }
    // where only some are kept, a column of that name is no harm
    let (out, ended) = stream(&scorer, (RowFormat::Csv, keep(&[])), &format!("{header},predicted\n{cells},x\n"), 10, 9);
    assert!(ended.is_none() && out.starts_with("predicted,"), "{out}");
}
