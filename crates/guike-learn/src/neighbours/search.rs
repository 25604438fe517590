//! The k nearest of many points, exactly.
//!
//! The one idea: with few columns a k-d tree skips most points, with many it skips none, and then plain blocks of points,
//! laid out so that one instruction serves several of them, are fastest. Both add squared differences column by column in
//! the same order, and a box is never nearer in floating point than the points in it, so both give the same bits.

/// Most columns for which a tree pays.
const TREE_COLUMNS: usize = 12;
/// Fewest points for which a tree pays.
const TREE_POINTS: usize = 256;
/// Points in a leaf of the tree.
const LEAF: usize = 16;
/// Points in a block of the plain search: their distances stay in the first-level cache.
const BLOCK: usize = 256;

/// A point found: squared distance and position among the points.
pub(crate) type Found = (f64, u32);

/// Points ready to be searched.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Index {
    Tree(KdTree),
    Blocks(Blocks),
}

impl Index {
    /// Finite points, row-major.
    pub(crate) fn new(rows: &[f64], width: usize) -> Index {
        if width <= TREE_COLUMNS && rows.len() / width >= TREE_POINTS {
            Index::Tree(KdTree::new(rows, width))
        } else {
            Index::Blocks(Blocks::new(rows, width))
        }
    }

    /// The `k` nearest, nearest first; equal distances in the order of the points. `found` is emptied first.
    pub(crate) fn nearest(&self, query: &[f64], k: usize, found: &mut Vec<Found>) {
        found.clear();
        let mut best = Best { found, k };
        match self {
            Index::Tree(tree) => tree.search(0, query, &mut best),
            Index::Blocks(blocks) => blocks.search(query, &mut best),
        }
    }

    /// Positions of the points of a squared distance of at most `limit`, in no order that matters but always the same.
    /// `found` is emptied first.
    pub(crate) fn within(&self, query: &[f64], limit: f64, found: &mut Vec<u32>) {
        found.clear();
        match self {
            Index::Tree(tree) => tree.within(0, query, limit, found),
            Index::Blocks(blocks) => blocks.each(query, |at, distance| {
                if distance <= limit {
                    found.push(at);
                }
            }),
        }
    }
}

/// The nearest so far, ascending.
struct Best<'a> {
    found: &'a mut Vec<Found>,
    k: usize,
}

impl Best<'_> {
    /// Nothing farther than this can enter.
    fn limit(&self) -> f64 {
        if self.found.len() < self.k { f64::INFINITY } else { self.found[self.k - 1].0 }
    }

    fn offer(&mut self, distance: f64, at: u32) {
        let comes_before = |f: &Found| (f.0, f.1) < (distance, at);
        if self.found.len() == self.k {
            if comes_before(&self.found[self.k - 1]) {
                return;
            }
            self.found.pop();
        }
        let place = self.found.partition_point(comes_before);
        self.found.insert(place, (distance, at));
    }
}

/// Points in blocks, column-major within a block.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Blocks {
    values: Vec<f64>,
    width: usize,
    n: usize,
}

impl Blocks {
    fn new(rows: &[f64], width: usize) -> Blocks {
        let n = rows.len() / width;
        let mut values = Vec::with_capacity(rows.len());
        for block in rows.chunks(BLOCK * width) {
            for j in 0..width {
                values.extend(block.iter().skip(j).step_by(width));
            }
        }
        Blocks { values, width, n }
    }

    /// Every point with its squared distance.
    fn each(&self, query: &[f64], mut visit: impl FnMut(u32, f64)) {
        let mut distance = [0.0; BLOCK];
        for (b, block) in self.values.chunks(BLOCK * self.width).enumerate() {
            let size = block.len() / self.width;
            let distance = &mut distance[..size];
            distance.fill(0.0);
            for (column, &q) in block.chunks_exact(size).zip(query) {
                for (d, &x) in distance.iter_mut().zip(column) {
                    *d += (q - x) * (q - x);
                }
            }
            for (i, &d) in distance.iter().enumerate() {
                visit((b * BLOCK + i) as u32, d);
            }
        }
    }

    fn search(&self, query: &[f64], best: &mut Best<'_>) {
        let mut limit = best.limit();
        self.each(query, |at, distance| {
            if distance <= limit {
                best.offer(distance, at);
                limit = best.limit();
            }
        });
        debug_assert_eq!(best.found.len(), best.k.min(self.n), "every point was offered");
    }
}

/// A k-d tree with the bounding box of every node (Bentley 1975; boxes as in Friedman, Bentley & Finkel 1977).
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct KdTree {
    /// Points in the order of the leaves, row-major.
    rows: Vec<f64>,
    /// Their original positions.
    positions: Vec<u32>,
    width: usize,
    nodes: Vec<KdNode>,
    /// Per node the lowest and then the highest coordinates.
    boxes: Vec<f64>,
}

#[derive(Debug, Clone, PartialEq)]
struct KdNode {
    start: u32,
    end: u32,
    /// Position of the two children, which are neighbours; 0 at a leaf.
    children: u32,
}

impl KdTree {
    fn new(rows: &[f64], width: usize) -> KdTree {
        let n = rows.len() / width;
        let mut tree = KdTree {
            rows: Vec::with_capacity(rows.len()),
            positions: (0..n as u32).collect(),
            width,
            nodes: vec![KdNode { start: 0, end: n as u32, children: 0 }],
            boxes: Vec::new(),
        };
        let mut at = 0;
        while at < tree.nodes.len() {
            tree.grow(at, rows);
            at += 1;
        }
        for &p in &tree.positions {
            tree.rows.extend_from_slice(&rows[p as usize * width..][..width]);
        }
        tree
    }

    /// Measures node `at` and halves it along its widest side; nodes are visited in the order they were made.
    fn grow(&mut self, at: usize, rows: &[f64]) {
        let p = self.width;
        let (start, end) = (self.nodes[at].start as usize, self.nodes[at].end as usize);
        let points = &mut self.positions[start..end];
        let value = |point: u32, j: usize| rows[point as usize * p + j];
        let (mut low, mut high) = (vec![f64::INFINITY; p], vec![f64::NEG_INFINITY; p]);
        for &point in points.iter() {
            for j in 0..p {
                low[j] = low[j].min(value(point, j));
                high[j] = high[j].max(value(point, j));
            }
        }
        let side = |j: usize| high[j] - low[j];
        let widest = (1..p).fold(0, |a, j| if side(j) > side(a) { j } else { a });
        if points.len() > LEAF && side(widest) > 0.0 {
            let middle = points.len() / 2;
            points
                .select_nth_unstable_by(middle, |&a, &b| value(a, widest).total_cmp(&value(b, widest)).then(a.cmp(&b)));
            self.nodes[at].children = self.nodes.len() as u32;
            let cut = (start + middle) as u32;
            self.nodes.push(KdNode { start: start as u32, end: cut, children: 0 });
            self.nodes.push(KdNode { start: cut, end: end as u32, children: 0 });
        }
        self.boxes.extend(low);
        self.boxes.extend(high);
    }

    /// Squared distance from the query to the box of a node: not above that to any point inside, also after rounding,
    /// because every term is a rounded monotone function of a difference that is not larger, added in the same order.
    fn to_box(&self, node: usize, query: &[f64]) -> f64 {
        let corners = &self.boxes[node * 2 * self.width..][..2 * self.width];
        let (low, high) = corners.split_at(self.width);
        let mut sum = 0.0;
        for ((&q, &l), &h) in query.iter().zip(low).zip(high) {
            let gap = (l - q).max(q - h).max(0.0);
            sum += gap * gap;
        }
        sum
    }

    fn within(&self, at: usize, query: &[f64], limit: f64, found: &mut Vec<u32>) {
        if self.to_box(at, query) > limit {
            return;
        }
        let node = &self.nodes[at];
        if node.children > 0 {
            for child in [node.children as usize, node.children as usize + 1] {
                self.within(child, query, limit, found);
            }
            return;
        }
        for i in node.start as usize..node.end as usize {
            if self.to_point(i, query) <= limit {
                found.push(self.positions[i]);
            }
        }
    }

    /// Squared distance to the point at place `i` of the leaves' order.
    fn to_point(&self, i: usize, query: &[f64]) -> f64 {
        let row = &self.rows[i * self.width..][..self.width];
        let mut distance = 0.0;
        for (&q, &x) in query.iter().zip(row) {
            distance += (q - x) * (q - x);
        }
        distance
    }

    fn search(&self, at: usize, query: &[f64], best: &mut Best<'_>) {
        let node = &self.nodes[at];
        if node.children == 0 {
            for i in node.start as usize..node.end as usize {
                let distance = self.to_point(i, query);
                if distance <= best.limit() {
                    best.offer(distance, self.positions[i]);
                }
            }
            return;
        }
        let pair = [node.children as usize, node.children as usize + 1];
        let gap = pair.map(|child| self.to_box(child, query));
        let order = if gap[1] < gap[0] { [1, 0] } else { [0, 1] };
        for side in order {
            // equal distance may still hold a point that comes first
            if gap[side] <= best.limit() {
                self.search(pair[side], query, best);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use guike_core::Seed;
    use rand::RngExt;

    #[test]
    fn the_tree_finds_what_a_full_sort_finds_ties_included() {
        for (width, levels) in [(1, 50.0), (3, 6.0), (5, 1e9)] {
            let mut rng = Seed(width as u64).rng();
            // few levels make many ties
            let mut draw = |n: usize| -> Vec<f64> {
                (0..n * width).map(|_| (rng.random::<f64>() * levels).floor() / 3.0).collect()
            };
            let (rows, queries) = (draw(1500), draw(60));
            let (tree, blocks) = (KdTree::new(&rows, width), Blocks::new(&rows, width));
            for (i, query) in queries.chunks_exact(width).enumerate() {
                let mut all: Vec<Found> = rows
                    .chunks_exact(width)
                    .enumerate()
                    .map(|(at, row)| (row.iter().zip(query).map(|(x, q)| (q - x) * (q - x)).sum(), at as u32))
                    .collect();
                all.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
                let k = 1 + i % 17;
                for index in [Index::Tree(tree.clone()), Index::Blocks(blocks.clone())] {
                    let mut found = Vec::new();
                    index.nearest(query, k, &mut found);
                    assert_eq!(found, all[..k], "width {width}, k {k}");
                }
            }
        }
    }

    #[test]
    fn distances_that_overflow_are_ties_at_infinity() {
        let index = Index::new(&[1e308, -1e308, 0.0], 1);
        let mut found = Vec::new();
        index.nearest(&[1.0], 3, &mut found);
        assert_eq!(found, [(1.0, 2), (f64::INFINITY, 0), (f64::INFINITY, 1)]);
    }
}
