//! Which features work together: a heat map of how much pairs of features add beyond what each adds alone.

use crate::grid::{Cell, Grid};
use crate::plot::Frame;

/// Draws the lower triangle of a symmetric `strength[i][j]`: off the diagonal the pair's, on it the feature's own.
///
/// The colour is the pair's strength against the strongest pair; the diagonal has no colour, because main effects are nearly
/// always much larger and would leave every pair pale. Values that are not finite are left out.
///
/// # Panics
/// When `strength` is not a square of one row and column per name.
pub fn interaction_map(names: &[String], strength: &[Vec<f64>], frame: &Frame<'_>) -> String {
    assert!(
        strength.len() == names.len() && strength.iter().all(|r| r.len() == names.len()),
        "one row and column per feature"
    );
    let lang = frame.lang;
    let mut pairs: Vec<(usize, usize)> = (0..names.len()).flat_map(|r| (0..r).map(move |c| (r, c))).collect();
    pairs.retain(|&(r, c)| strength[r][c].is_finite());
    if pairs.is_empty() {
        return frame.empty();
    }
    pairs.sort_by(|a, b| strength[b.0][b.1].total_cmp(&strength[a.0][a.1]));
    let (r, c) = pairs[0];
    let most = strength[r][c].max(1e-300);
    let desc = lang.pick(
        format!(
            "{} features and how much their pairs add together; the strongest pair is {} with {} ({}).",
            names.len(),
            names[r],
            names[c],
            frame.short(strength[r][c])
        ),
        format!(
            "{} 个特征两两之间的交互强度；最强的一对是{}与{}（{}）。",
            names.len(),
            names[r],
            names[c],
            frame.short(strength[r][c])
        ),
    );
    let cells: Vec<Option<Cell>> = (0..names.len())
        .flat_map(|r| (0..names.len()).map(move |c| (r, c)))
        .map(|(r, c)| {
            let v = strength[r][c];
            (c <= r && v.is_finite()).then(|| Cell {
                level: if c == r { 0.0 } else { (v / most).clamp(0.0, 1.0) },
                main: frame.short(v),
                sub: String::new(),
                tip: if c == r {
                    format!("{}: {}", names[r], frame.short(v))
                } else {
                    format!("{} × {}: {}", names[r], names[c], frame.short(v))
                },
                marked: c == r,
            })
        })
        .collect();
    // numbers name the columns: names would not fit side by side
    let rows: Vec<String> = names.iter().enumerate().map(|(i, n)| format!("{n}  {}", i + 1)).collect();
    let columns: Vec<String> = (1..=names.len()).map(|i| i.to_string()).collect();
    let height = (300.0 / names.len() as f64).clamp(24.0, 44.0);
    let scale = Some((lang.pick("no interaction", "无交互").to_owned(), frame.short(most)));
    Grid { rows: &rows, columns: &columns, cells: &cells, row_height: height, scale }.draw(frame, &desc)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Lang;

    #[test]
    fn the_strongest_pair_is_named_and_each_pair_is_drawn_once() {
        let names = ["age".to_owned(), "income".to_owned(), "colour".to_owned()];
        let strength = vec![vec![9.0, 0.5, 0.1], vec![0.5, 8.0, 2.0], vec![0.1, 2.0, 1.0]];
        let svg = interaction_map(&names, &strength, &Frame::new(Lang::En, "t", "", ""));
        assert!(svg.contains("the strongest pair is colour with income (2)"), "{svg}");
        assert_eq!(svg.matches("<title>").count(), 1 + 6);
    }
}
