//! The confusion matrix: what was predicted against what happened.

use crate::grid::{Cell, Grid};
use crate::plot::Frame;
use crate::text::{count, percent};

/// Draws `counts[actual][predicted]` for named classes; the colour is the share of the row, correct cells are outlined.
///
/// # Panics
/// When `counts` is not a square of one row and column per class.
pub fn confusion(classes: &[String], counts: &[Vec<u64>], frame: &Frame<'_>) -> String {
    assert_eq!(classes.len(), counts.len(), "one row per class");
    let total: u64 = counts.iter().flatten().sum();
    if total == 0 {
        return frame.empty();
    }
    let correct: u64 = counts.iter().enumerate().map(|(i, row)| row[i]).sum();
    let accuracy = correct as f64 / total as f64;
    let desc = frame.lang.pick(
        format!("Of {} cases, {} ({}) were predicted correctly.", count(total), count(correct), percent(accuracy)),
        format!("共 {} 例，其中 {} 例（{}）预测正确。", count(total), count(correct), percent(accuracy)),
    );
    square(classes, counts, frame, &desc)
}

/// A square of counts coloured by their share of the row, with the diagonal outlined.
pub(crate) fn square(classes: &[String], counts: &[Vec<u64>], frame: &Frame<'_>, desc: &str) -> String {
    let cells: Vec<Option<Cell>> = counts
        .iter()
        .enumerate()
        .flat_map(|(r, row)| {
            assert_eq!(row.len(), classes.len(), "one column per class");
            let sum = row.iter().sum::<u64>().max(1) as f64;
            row.iter().enumerate().map(move |(c, &n)| {
                let share = n as f64 / sum;
                Some(Cell {
                    level: share,
                    main: count(n),
                    sub: percent(share),
                    tip: format!("{} → {}: {} ({})", classes[r], classes[c], count(n), percent(share)),
                    marked: r == c,
                })
            })
        })
        .collect();
    let height = (260.0 / classes.len().max(1) as f64).clamp(38.0, 76.0);
    Grid { rows: classes, columns: classes, cells: &cells, row_height: height, scale: None }.draw(frame, desc)
}
