//! Facts about prepared columns.

use super::*;

fn category(cells: &[&str]) -> Column {
    let mut levels: Vec<String> = cells.iter().filter(|c| !c.is_empty()).map(|c| (*c).to_owned()).collect();
    levels.sort();
    levels.dedup();
    let at: BTreeMap<&str, u32> = levels.iter().enumerate().map(|(i, l)| (l.as_str(), i as u32)).collect();
    let codes = cells.iter().map(|c| at.get(c).copied().unwrap_or(Column::MISSING)).collect();
    Column { name: "c".to_owned(), data: ColumnData::Categorical { codes, levels } }
}

fn table(columns: Vec<Column>) -> Table {
    Table::new(columns).expect("a table")
}

fn columns(x: &Matrix) -> Vec<Vec<f64>> {
    (0..x.n_columns()).map(|j| x.column(j).to_vec()).collect()
}

/// The preparation of a column and the prepared training rows.
fn fitted(column: Column, wants: Wants, scaling: ScalingChoice) -> (Preparation, Vec<Vec<f64>>) {
    let y: Vec<f64> = (0..column.len()).map(|i| (i % 3) as f64).collect();
    labelled(column, &y, Task::Regression, wants, scaling)
}

fn labelled(
    column: Column,
    y: &[f64],
    task: Task,
    wants: Wants,
    scaling: ScalingChoice,
) -> (Preparation, Vec<Vec<f64>>) {
    let t = table(vec![column]);
    let (p, x) = Preparation::fit(&t, Labels { y, task }, wants, scaling, Seed(1));
    assert_eq!((p.kinds().len(), x.n_rows()), (x.n_columns(), t.n_rows()));
    if !p.steps.iter().any(|s| matches!(s, Step::Encoded { .. })) {
        let again = p.apply(&t);
        assert!(x.values().iter().zip(again.values()).all(|(a, b)| a.to_bits() == b.to_bits()));
    }
    let text = serde_json::to_string(&p).expect("JSON");
    assert_eq!(serde_json::from_str::<Preparation>(&text).expect("its own text"), p);
    (p, columns(&x))
}

#[test]
fn numbers_are_filled_with_the_median_and_put_on_one_scale() {
    let v = vec![1.0, 2.0, 6.0, f64::NAN];
    let (_, x) = fitted(Column::numeric("x", v.clone()), Wants::Scaled, ScalingChoice::MinMax);
    assert_eq!(x, [vec![0.0, 0.2, 1.0, 0.2], vec![0.0, 0.0, 0.0, 1.0]]);
    let (_, x) = fitted(Column::numeric("x", v), Wants::Scaled, ScalingChoice::Standard);
    assert!(x[0][..3].iter().sum::<f64>().abs() < 1e-12);
}

#[test]
fn rare_and_unseen_categories_share_a_place_and_missing_has_its_own() {
    let mut cells = vec!["red"; 60];
    cells.extend(vec!["blue"; 38]);
    cells.extend(["gold", ""]);
    let (p, x) = fitted(category(&cells), Wants::Scaled, ScalingChoice::Standard);
    assert_eq!(p.levels("c"), Some(&["blue".to_owned(), "red".to_owned()][..]));
    assert_eq!((x.len(), x[2][98], x[3][99]), (4, 1.0, 1.0));
    let new = p.apply(&table(vec![category(&["green", "red"])]));
    assert_eq!(new.to_row_major(), [0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0]);
    let (p, _) = fitted(category(&cells), Wants::Raw, ScalingChoice::Standard);
    assert_eq!(p.apply(&table(vec![category(&["green", "red", ""])])).column(0)[..2], [3.0, 2.0]);
}

#[test]
fn too_many_categories_become_mean_labels() {
    // 300 streets of 3 rows, one of a single row and one row without; the label is the street's number
    let names: Vec<String> = (0..300).map(|s| format!("street {s:03}")).collect();
    let mut cells: Vec<&str> = (0..900).map(|i| names[i % 300].as_str()).collect();
    cells.extend(["lane", ""]);
    let mut y: Vec<f64> = (0..900).map(|i| (i % 300) as f64).collect();
    y.extend([1e3, 17.0]);
    let mean = y.iter().sum::<f64>() / 902.0;
    let (p, x) = labelled(category(&cells), &y, Task::Regression, Wants::Raw, ScalingChoice::Standard);
    assert_eq!((x.len(), p.levels("c").map(<[String]>::len)), (1, Some(300)));
    assert!(x[0].contains(&mean), "a first row knows no more than the mean");
    let new = p.apply(&table(vec![category(&["street 007", "lane", "alley", ""])]));
    // (3 · 7 + 1 · mean) / 4, drawn by one row because the streets tell nearly all
    assert!((new.at(0, 0) - (21.0 + mean) / 4.0).abs() < 1e-9, "{}", new.at(0, 0));
    assert_eq!((new.at(1, 0), new.at(2, 0)), (mean, mean));
    assert!((new.at(3, 0) - (17.0 + mean) / 2.0).abs() < 1e-9);
}

#[test]
fn encoded_columns_are_on_one_scale_and_one_per_class() {
    let names: Vec<String> = (0..60).map(|s| format!("s{s:02}")).collect();
    let cells: Vec<&str> = (0..600).map(|i| names[i % 60].as_str()).collect();
    for (classes, width) in [(2, 1), (4, 4)] {
        let y: Vec<f64> = (0..600).map(|i| ((i % 60) % classes) as f64).collect();
        let task = Task::Classification { classes: classes as u32 };
        let (p, x) = labelled(category(&cells), &y, task, Wants::Scaled, ScalingChoice::MinMax);
        assert_eq!(x.len(), width);
        for column in &x {
            let mean = column.iter().sum::<f64>() / 600.0;
            let spread = column.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 600.0;
            assert!(mean.abs() < 1e-9 && (spread - 1.0).abs() < 1e-9, "{mean} {spread}");
        }
        // the column of class 1, or of the class asked about, rises with it
        let new = p.apply(&table(vec![category(&["s00", "s01"])]));
        let j = if classes == 2 { 0 } else { 1 };
        assert!(new.at(1, j) > new.at(0, j) + 1.0);
    }
}
