//! Random trees and rows, for tests.

use guike_core::Matrix;
use guike_core::tree::{Node, Split, Tree};
use rand::RngExt;

/// A random tree over `p` columns, with missing values, categories and columns that come again on a path.
pub(crate) fn random_tree(rng: &mut impl RngExt, p: u32, depth: u32, n_outputs: u32) -> Tree {
    let mut nodes = Vec::new();
    grow(rng, &mut nodes, p, depth, 64.0);
    let values = (0..nodes.len() * n_outputs as usize).map(|_| rng.random_range(-2.0..2.0)).collect();
    Tree { nodes, values, first_output: 0, n_outputs }
}

fn grow(rng: &mut impl RngExt, nodes: &mut Vec<Node>, p: u32, depth: u32, cover: f64) -> u32 {
    let at = nodes.len();
    nodes.push(Node { split: None, left: 0, right: 0, cover, gain: 0.0 });
    if depth > 0 && rng.random_bool(0.9) {
        let (column, missing_left) = (rng.random_range(0..p), rng.random_bool(0.5));
        let split = if column % 3 == 2 {
            Split::Category { column, left: vec![rng.random_range(0..2), 3], missing_left }
        } else {
            Split::Number { column, threshold: rng.random_range(0.0..4.0), missing_left }
        };
        // one child in ten saw no training row at all
        let share = if rng.random_bool(0.1) { 0.0 } else { rng.random_range(0.05..0.95) };
        let left = grow(rng, nodes, p, depth - 1, cover * share);
        let right = grow(rng, nodes, p, depth - 1, cover * (1.0 - share));
        nodes[at] = Node { split: Some(split), left, right, cover, gain: 1.0 };
    }
    at as u32
}

/// Rows of small whole numbers, one in ten of them missing.
pub(crate) fn random_rows(rng: &mut impl RngExt, n: usize, p: usize) -> Matrix {
    let cells = (0..n * p).map(|_| if rng.random_bool(0.1) { f64::NAN } else { f64::from(rng.random_range(0..5)) });
    Matrix::from_row_major(p, &cells.collect::<Vec<_>>())
}
