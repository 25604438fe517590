//! Small trees without walking: all questions of a tree are asked for many rows side by side.
//!
//! The one idea (QuickScorer; Lucchese et al. 2015): number the leaves from left to right and give every row a word with a
//! bit per leaf. A question that is answered with "right" clears the bits of its left half; whatever else is asked, the
//! lowest bit left is the leaf that the row reaches. There is nothing to look up and nothing to wait for, so that the
//! processor's wide registers ask several rows at once. In a symmetric tree all nodes of a level ask the same question, and
//! the answers are the bits of the leaf's number.

use guike_core::tree::Tree;

use super::compact::GROUP;

/// A question on codes as in [`super::compact`]: right when `code + shift`, wrapping, is above `limit`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Test {
    pub(super) column: u16,
    pub(super) shift: u16,
    pub(super) limit: u16,
    /// Leaves that remain after "right".
    pub(super) keep: u32,
}

/// One tree.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Lanes {
    /// One question per level instead of one per node.
    is_symmetric: bool,
    tests: Vec<Test>,
    /// Nodes and first values of the leaves from left to right.
    nodes: Vec<u32>,
    values: Vec<f64>,
}

impl Lanes {
    /// `None` for a tree of more than 32 leaves that is not symmetric; `test` says what is asked at a node.
    pub(super) fn new(tree: &Tree, test: impl Fn(usize) -> Test) -> Option<Lanes> {
        let symmetric = symmetric(tree, &test);
        if symmetric.is_none() && tree.n_leaves() > 32 {
            return None;
        }
        let mut nodes = Vec::new();
        let mut tests = Vec::new();
        // left first, so that leaves come from left to right; a question is finished when its left half is known
        let mut stack = vec![(0, None)];
        while let Some((at, asked)) = stack.pop() {
            if let Some(first) = asked {
                let keep = if symmetric.is_some() { 0 } else { !(((1_u64 << nodes.len()) - (1_u64 << first)) as u32) };
                tests.push(Test { keep, ..test(at) });
                continue;
            }
            let node = &tree.nodes[at];
            if node.split.is_none() {
                nodes.push(at as u32);
            } else {
                stack.push((node.right as usize, None));
                stack.push((at, Some(nodes.len())));
                stack.push((node.left as usize, None));
            }
        }
        let values = nodes.iter().map(|&at| tree.value(at as usize)[0]).collect();
        Some(match symmetric {
            Some(tests) => Lanes { is_symmetric: true, tests, nodes, values },
            None => Lanes { is_symmetric: false, tests, nodes, values },
        })
    }

    /// Which leaf from the left every row of a group reaches.
    pub(super) fn ranks(&self, codes: &[u16]) -> [u32; GROUP] {
        if self.is_symmetric { self.by_level(codes) } else { self.by_bits(codes) }
    }

    fn by_bits(&self, codes: &[u16]) -> [u32; GROUP] {
        let mut left = [u32::MAX; GROUP];
        for test in &self.tests {
            let Test { shift, limit, keep, .. } = *test;
            for (left, code) in left.iter_mut().zip(test.column_of(codes)) {
                let right = u32::from(code.wrapping_add(shift) > limit);
                // all bits stay where the answer is "left"; without a branch, so that rows are asked side by side
                *left &= keep | right.wrapping_sub(1);
            }
        }
        left.map(u32::trailing_zeros)
    }

    fn by_level(&self, codes: &[u16]) -> [u32; GROUP] {
        let mut path = [0_u16; GROUP];
        for test in &self.tests {
            let Test { shift, limit, .. } = *test;
            for (path, code) in path.iter_mut().zip(test.column_of(codes)) {
                *path = 2 * *path + u16::from(code.wrapping_add(shift) > limit);
            }
        }
        path.map(u32::from)
    }

    /// The first value of the leaf of this rank.
    pub(super) fn value(&self, rank: u32) -> f64 {
        self.values[rank as usize]
    }

    /// The node of the leaf of this rank.
    pub(super) fn node(&self, rank: u32) -> u32 {
        self.nodes[rank as usize]
    }
}

impl Test {
    fn column_of<'a>(&self, codes: &'a [u16]) -> &'a [u16; GROUP] {
        codes[usize::from(self.column) * GROUP..].first_chunk().expect("a group has the codes of every column")
    }
}

/// The questions level by level, where all leaves lie at one depth and all nodes of a level ask the same.
fn symmetric(tree: &Tree, test: impl Fn(usize) -> Test) -> Option<Vec<Test>> {
    let mut level = vec![0_usize];
    let mut tests = Vec::new();
    while tree.nodes[level[0]].split.is_some() {
        let asked = test(level[0]);
        if tests.len() == 16 || level.iter().any(|&at| tree.nodes[at].split.is_none() || test(at) != asked) {
            return None;
        }
        tests.push(asked);
        level = level.iter().flat_map(|&at| [tree.nodes[at].left as usize, tree.nodes[at].right as usize]).collect();
    }
    level.iter().all(|&at| tree.nodes[at].split.is_none()).then_some(tests)
}

#[cfg(test)]
mod tests {
    use super::super::compact::CompactTrees;
    use guike_core::tree::{Node, Split, Tree, Trees};
    use guike_core::{Matrix, Seed};
    use rand::{Rng, RngExt};

    /// A tree grown by chance; `symmetric` asks one question per level.
    fn tree(leaves: usize, symmetric: bool, rng: &mut impl Rng) -> Tree {
        let leaf = Node { split: None, left: 0, right: 0, cover: 1.0, gain: 0.0 };
        let mut nodes = vec![leaf.clone()];
        let mut question = || {
            let column = rng.random_range(0..3);
            let threshold = f64::from(rng.random_range(-3..4)) * 0.5;
            Split::Number { column, threshold, missing_left: rng.random() }
        };
        let mut open = std::collections::VecDeque::from([0_usize]);
        let mut asked = question();
        let mut n = 1;
        while n < leaves {
            // symmetric trees are complete, others grow at either end
            if !symmetric || (n as u32).is_power_of_two() && open.len() == n {
                asked = question();
            }
            let at = if symmetric || n % 3 > 0 { open.pop_front() } else { open.pop_back() }.expect("a leaf is open");
            let first = nodes.len();
            nodes.extend([leaf.clone(), leaf.clone()]);
            (nodes[at].left, nodes[at].right, nodes[at].split) = (first as u32, first as u32 + 1, Some(asked.clone()));
            open.extend([first, first + 1]);
            n += 1;
        }
        let values = (0..nodes.len()).map(|i| 1.0 / (i as f64 + 3.0)).collect();
        Tree { nodes, values, first_output: 0, n_outputs: 1 }
    }

    #[test]
    fn any_tree_gives_the_bits_of_the_plain_reading_for_any_number_of_rows() {
        let mut rng = Seed(5).rng();
        for (leaves, symmetric) in [
            (1, false),
            (2, true),
            (7, false),
            (31, false),
            (32, false),
            (33, false),
            (90, false),
            (64, true),
            (128, true),
        ] {
            let trees: Vec<Tree> = (0..5).map(|_| tree(leaves, symmetric, &mut rng)).collect();
            let trees = Trees { base: vec![0.5], trees };
            for n in [1, 7, 8, 63, 64, 65, 700] {
                let mut value = || match rng.random_range(0..8) {
                    0 => f64::NAN,
                    1 => f64::INFINITY,
                    2 => f64::NEG_INFINITY,
                    _ => f64::from(rng.random_range(-40..40)) * 0.05,
                };
                let columns: Vec<Vec<f64>> = (0..3).map(|_| (0..n).map(|_| value()).collect()).collect();
                let x = Matrix::from_columns(n, &columns);
                let fast = CompactTrees::new(&trees, 3).expect("few thresholds").predict(&trees, &x);
                for (i, fast) in fast.iter().enumerate() {
                    assert_eq!(
                        fast.to_bits(),
                        trees.predict_row(|j| x.at(i, j))[0].to_bits(),
                        "{leaves} leaves, row {i} of {n}"
                    );
                }
            }
        }
    }
}
