//! Attributions of trees against their definition: sums over every subset of the features.

use guike_core::Matrix;
use guike_core::Seed;
use guike_core::tree::{Node, Split, Tree, Trees};
use proptest::prelude::*;
use rand::RngExt;

use super::TreeShap;
use super::interventional::InterventionalShap;
use super::random::{random_rows, random_tree};
use crate::ExplainError;

/// What a tree expects when only the columns of `known` are: algorithm 1 of Lundberg et al. (2020).
fn expects(tree: &Tree, at: usize, row: &[f64], known: u32) -> Vec<f64> {
    let node = &tree.nodes[at];
    let Some(split) = &node.split else { return tree.value(at).to_vec() };
    let (left, right) = (node.left as usize, node.right as usize);
    if known >> split.column() & 1 == 1 {
        return expects(tree, if split.goes_left(row[split.column()]) { left } else { right }, row, known);
    }
    let (l, r) = (tree.nodes[left].cover, tree.nodes[right].cover);
    let share = if l + r > 0.0 { l / (l + r) } else { 0.5 };
    let (a, b) = (expects(tree, left, row, known), expects(tree, right, row, known));
    a.iter().zip(&b).map(|(a, b)| share * a + (1.0 - share) * b).collect()
}

/// By coalition of known columns, what the trees expect by their covers: coalitions × outputs.
fn by_covers(trees: &Trees, row: &[f64]) -> Vec<Vec<f64>> {
    let (p, k) = (row.len(), trees.base.len());
    (0..1_u32 << p)
        .map(|known| {
            let mut sum = vec![0.0; k];
            for tree in &trees.trees {
                let from = tree.first_output as usize;
                for (s, v) in sum[from..].iter_mut().zip(expects(tree, 0, row, known)) {
                    *s += v;
                }
            }
            sum
        })
        .collect()
}

/// By coalition, the mean over the background of what the trees say when all other columns come from it.
fn by_background(trees: &Trees, row: &[f64], background: &Matrix) -> Vec<Vec<f64>> {
    let n = background.n_rows() as f64;
    (0..1_u32 << row.len())
        .map(|known| {
            let mut mean = vec![0.0; trees.base.len()];
            for b in 0..background.n_rows() {
                let said = trees.predict_row(|j| if known >> j & 1 == 1 { row[j] } else { background.at(b, j) });
                mean.iter_mut().zip(said).for_each(|(m, v)| *m += v / n);
            }
            mean
        })
        .collect()
}

fn factorial(n: usize) -> f64 {
    (1..=n).map(|i| i as f64).product()
}

/// The Shapley value of column `j` by its definition.
fn value(game: &[Vec<f64>], p: usize, output: usize, j: usize) -> f64 {
    let without = (0..1_usize << p).filter(|s| s >> j & 1 == 0);
    without
        .map(|s| {
            let size = s.count_ones() as usize;
            let weight = factorial(size) * factorial(p - size - 1) / factorial(p);
            weight * (game[s | 1 << j][output] - game[s][output])
        })
        .sum()
}

/// The SHAP interaction value of two columns by its definition (Lundberg et al. 2020, eq. 5).
fn interaction(game: &[Vec<f64>], p: usize, output: usize, i: usize, j: usize) -> f64 {
    let (a, b) = (1 << i, 1 << j);
    let without = (0..1_usize << p).filter(|s| s & (a | b) == 0);
    without
        .map(|s| {
            let size = s.count_ones() as usize;
            let weight = factorial(size) * factorial(p - size - 2) / (2.0 * factorial(p - 1));
            weight * (game[s | a | b][output] - game[s | a][output] - game[s | b][output] + game[s][output])
        })
        .sum()
}

fn random_trees(rng: &mut impl RngExt, p: u32, depth: u32, k: u32) -> Trees {
    let trees = (0..3).map(|_| random_tree(rng, p, depth, k)).collect();
    Trees { base: vec![0.5; k as usize], trees }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn they_are_the_shapley_values_of_the_definition(seed in 0_u64..1_000_000, p in 1_u32..11, depth in 0_u32..9, k in 1_u32..4) {
        let rng = &mut Seed(seed).rng();
        let trees = random_trees(rng, p, depth, k);
        let (x, p) = (random_rows(rng, 3, p as usize), p as usize);
        let explained = TreeShap::new(&trees).unwrap().attribute(&x).unwrap();
        for r in 0..x.n_rows() {
            let game = by_covers(&trees, &x.row(r));
            for output in 0..k as usize {
                for (j, v) in explained.of(r, output).iter().enumerate() {
                    let exact = value(&game, p, output, j);
                    prop_assert!((v - exact).abs() < 1e-10, "row {r}, column {j}: {v}, not {exact}");
                }
            }
        }
    }

    #[test]
    fn against_a_background_they_are_the_shapley_values_of_the_definition(
        seed in 0_u64..1_000_000, p in 1_u32..11, depth in 0_u32..9, k in 1_u32..3, n in 1_usize..12
    ) {
        let rng = &mut Seed(seed).rng();
        let trees = random_trees(rng, p, depth, k);
        let (x, background, p) = (random_rows(rng, 3, p as usize), random_rows(rng, n, p as usize), p as usize);
        let shap = InterventionalShap::new(&trees, &background).unwrap();
        let explained = shap.attribute(&x).unwrap();
        for r in 0..x.n_rows() {
            let game = by_background(&trees, &x.row(r), &background);
            let said = trees.predict_row(|j| x.at(r, j));
            for output in 0..k as usize {
                prop_assert!((shap.expected()[output] - game[0][output]).abs() < 1e-12);
                prop_assert!((explained.prediction(r, output) - said[output]).abs() < 1e-9);
                for (j, v) in explained.of(r, output).iter().enumerate() {
                    let exact = value(&game, p, output, j);
                    prop_assert!((v - exact).abs() < 1e-10, "row {r}, column {j}: {v}, not {exact}");
                }
            }
        }
    }

    #[test]
    fn pairs_are_the_interactions_of_the_definition(seed in 0_u64..1_000_000, p in 2_u32..8, depth in 0_u32..9, k in 1_u32..3) {
        let rng = &mut Seed(seed).rng();
        let trees = random_trees(rng, p, depth, k);
        let (x, p) = (random_rows(rng, 3, p as usize), p as usize);
        let shap = TreeShap::new(&trees).unwrap();
        let (explained, mean) = (shap.attribute(&x).unwrap(), shap.mean_interactions(&x).unwrap());
        let mut sums = vec![0.0; mean.values().len()];
        for r in 0..x.n_rows() {
            let (game, pairs) = (by_covers(&trees, &x.row(r)), shap.interactions(&x, r).unwrap());
            sums.iter_mut().zip(pairs.values()).for_each(|(s, v)| *s += v.abs() / x.n_rows() as f64);
            for output in 0..k as usize {
                for i in 0..p {
                    let line: f64 = (0..p).map(|j| pairs.of(output, i, j)).sum();
                    prop_assert!((line - explained.of(r, output)[i]).abs() < 1e-10);
                    for j in (0..p).filter(|&j| j != i) {
                        let exact = interaction(&game, p, output, i, j);
                        prop_assert!((pairs.of(output, i, j) - exact).abs() < 1e-10, "{i} with {j}: not {exact}");
                    }
                }
            }
        }
        prop_assert!(sums.iter().zip(mean.values()).all(|(s, m)| (s - m).abs() < 1e-12));
    }

    #[test]
    fn against_a_background_they_add_up_however_deep(seed in 0_u64..1_000_000, p in 1_u32..150, depth in 1_u32..11, n in 1_usize..150) {
        let rng = &mut Seed(seed).rng();
        let trees = Trees { base: vec![3.0], trees: vec![random_tree(rng, p, depth, 1)] };
        let (x, background) = (random_rows(rng, 70, p as usize), random_rows(rng, n, p as usize));
        let explained = InterventionalShap::new(&trees, &background).unwrap().attribute(&x).unwrap();
        for r in 0..x.n_rows() {
            let said = trees.predict_row(|j| x.at(r, j))[0];
            prop_assert!((explained.prediction(r, 0) - said).abs() < 1e-9);
        }
    }

    #[test]
    fn they_add_up_to_the_prediction_however_deep(seed in 0_u64..1_000_000, p in 1_u32..150, depth in 1_u32..14) {
        let rng = &mut Seed(seed).rng();
        let one = Trees { base: vec![3.0, -1.0], trees: vec![Tree { first_output: 1, ..random_tree(rng, p, depth, 1) }] };
        let x = random_rows(rng, 70, p as usize);
        let explained = TreeShap::new(&one).unwrap().attribute(&x).unwrap();
        for r in 0..x.n_rows() {
            let said = one.predict_row(|j| x.column(j)[r]);
            for (output, said) in said.iter().enumerate() {
                prop_assert!((explained.prediction(r, output) - said).abs() < 1e-9);
            }
        }
    }
}

/// A chain that asks about a new column at every node: the longest path a tree can have.
#[test]
fn a_path_of_three_hundred_columns_stays_exact() {
    let n = 300_u32;
    let mut nodes = Vec::new();
    for column in 0..n {
        let split = Split::Number { column, threshold: 0.5, missing_left: false };
        let cover = f64::from(2 * (n - column));
        nodes.push(Node { split: Some(split), left: 2 * column + 1, right: 2 * column + 2, cover, gain: 1.0 });
        nodes.push(Node { split: None, left: 0, right: 0, cover: 2.0, gain: 0.0 });
    }
    nodes.push(Node { split: None, left: 0, right: 0, cover: 2.0, gain: 0.0 });
    let values = (0..nodes.len()).map(|i| (i % 7) as f64).collect();
    let trees = Trees { base: vec![0.0], trees: vec![Tree { nodes, values, first_output: 0, n_outputs: 1 }] };
    let x = Matrix::from_row_major(n as usize, &vec![1.0; n as usize]);
    let explained = TreeShap::new(&trees).unwrap().attribute(&x).unwrap();
    let said = trees.predict_row(|_| 1.0)[0];
    assert!((explained.prediction(0, 0) - said).abs() < 1e-9, "{} and not {said}", explained.prediction(0, 0));

    let background = random_rows(&mut Seed(2).rng(), 9, n as usize);
    let explained = InterventionalShap::new(&trees, &background).unwrap().attribute(&x).unwrap();
    assert!((explained.prediction(0, 0) - said).abs() < 1e-9, "{} and not {said}", explained.prediction(0, 0));
}

#[test]
fn the_bits_do_not_depend_on_threads_nor_on_company() {
    let rng = &mut Seed(5).rng();
    let trees = Trees { base: vec![0.0], trees: (0..20).map(|_| random_tree(rng, 12, 7, 1)).collect() };
    let x = random_rows(rng, 333, 12);
    let shap = TreeShap::new(&trees).unwrap();
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| shap.attribute(&x).unwrap())
    };
    let (one, four) = (with(1), with(4));
    assert_eq!(one, four);
    let alone = shap.attribute(&x.select_rows(&[200])).unwrap();
    assert_eq!(alone.of(0, 0), one.of(200, 0));

    let against = InterventionalShap::new(&trees, &x.select_rows(&(0..90).collect::<Vec<_>>())).unwrap();
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| (against.attribute(&x).unwrap(), shap.mean_interactions(&x).unwrap()))
    };
    let (one, four) = (with(1), with(4));
    assert_eq!(one, four);
    assert_eq!(against.attribute(&x.select_rows(&[200])).unwrap().of(0, 0), one.0.of(200, 0));
}

/// Two trees of LightGBM 4.7.0, and what its `predict(rows, pred_contrib=True)` says of four rows, the base last:
/// ```python
/// rng = numpy.random.default_rng(1)
/// x = rng.integers(0, 40, size=(200, 4)) / 4; x[rng.random((200, 4)) < 0.1] = nan
/// y = nan_to_num(x[:, 0], nan=5) * nan_to_num(x[:, 1], nan=3) + nan_to_num(x[:, 2], nan=-1)
/// lightgbm.train({"num_leaves": 4, "min_data_in_leaf": 5, "seed": 1, "boost_from_average": False}, Dataset(x, y), 2)
/// ```
/// The nodes of `dump_model()` are in pre-order here, `internal_count` and `leaf_count` are the covers.
#[test]
fn they_are_what_lightgbm_says() {
    let lightgbm = include_str!("lightgbm.json");
    let gold: serde_json::Value = serde_json::from_str(lightgbm).unwrap();
    let trees: Trees = serde_json::from_value(gold["trees"].clone()).unwrap();
    let rows: Vec<Vec<f64>> = serde_json::from_value(gold["rows"].clone()).unwrap();
    let contributions: Vec<Vec<f64>> = serde_json::from_value(gold["contributions"].clone()).unwrap();
    let shap = TreeShap::new(&trees).unwrap();
    let explained = shap.attribute(&Matrix::from_row_major(rows[0].len(), &rows.concat())).unwrap();
    for (r, theirs) in contributions.iter().enumerate() {
        let ours = explained.of(r, 0);
        for (a, b) in ours.iter().chain(shap.expected()).zip(theirs) {
            assert!((a - b).abs() < 1e-9, "row {r}: {ours:?} and not {theirs:?}");
        }
    }
}

#[test]
fn damaged_trees_are_refused_by_name() {
    let leaf = |cover| Node { split: None, left: 0, right: 0, cover, gain: 0.0 };
    let root = |left, right| {
        let split = Split::Number { column: 1, threshold: 0.0, missing_left: true };
        Node { split: Some(split), left, right, cover: 2.0, gain: 0.0 }
    };
    let of = |nodes: Vec<Node>| {
        let values = vec![1.0; nodes.len()];
        Trees { base: vec![0.0], trees: vec![Tree { nodes, values, first_output: 0, n_outputs: 1 }] }
    };
    let rule = |trees: Trees| match TreeShap::new(&trees).unwrap_err() {
        ExplainError::Tree { rule, .. } => rule,
        other => panic!("{other}"),
    };
    assert_eq!(rule(of(vec![])), "a tree has at least one node");
    assert_eq!(rule(of(vec![root(0, 1), leaf(1.0)])), "a child must come after its parent and exist");
    assert_eq!(rule(of(vec![root(1, 1), leaf(1.0)])), "a node has one parent");
    assert_eq!(rule(of(vec![leaf(f64::NAN)])), "a cover is a finite number that is not negative");
    let whole = of(vec![root(1, 2), leaf(1.0), leaf(1.0)]);
    let narrow = TreeShap::new(&whole).unwrap().attribute(&Matrix::from_row_major(1, &[0.0])).unwrap_err();
    assert_eq!(narrow, ExplainError::Columns { needed: 2, found: 1 });
}
