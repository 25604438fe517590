//! The migration matrix: from which tier to which tier customers moved between two runs.

use crate::confusion::square;
use crate::plot::Frame;
use crate::text::{count, percent};

/// Draws `counts[before][now]` for tiers from the top down; who stayed is outlined.
///
/// # Panics
/// When `counts` is not a square of one row and column per tier.
pub fn migration(tiers: &[String], counts: &[Vec<u64>], frame: &Frame<'_>) -> String {
    assert_eq!(tiers.len(), counts.len(), "one row per tier");
    let total: u64 = counts.iter().flatten().sum();
    if total == 0 {
        return frame.empty();
    }
    let moved = |keep: fn(usize, usize) -> bool| -> u64 {
        counts
            .iter()
            .enumerate()
            .flat_map(|(r, row)| row.iter().enumerate().filter(move |&(c, _)| keep(r, c)))
            .map(|(_, n)| n)
            .sum()
    };
    let (stayed, up, down) = (moved(|r, c| r == c), moved(|r, c| c < r), moved(|r, c| c > r));
    let part = |n: u64| percent(n as f64 / total as f64);
    let desc = frame.lang.pick(
        format!(
            "Of {} customers {} stayed in their tier, {} rose and {} fell.",
            count(total),
            part(stayed),
            part(up),
            part(down)
        ),
        format!("{} 位顾客中，{} 留在原层级，{} 上升，{} 下降。", count(total), part(stayed), part(up), part(down)),
    );
    square(tiers, counts, frame, &desc)
}
