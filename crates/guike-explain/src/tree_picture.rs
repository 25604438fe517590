//! A tree as a picture and as DOT text: the questions, who goes where, and what is predicted there.
//!
//! The picture runs from left to right, so that the questions stay readable in a page's width; "yes" goes up. It shows the
//! splits that gained most, as deep as the width allows, and says how many questions a cut branch still holds. The DOT text
//! (for Graphviz) holds the whole tree.

use std::fmt::Write as _;

use guike_core::Tree;
use guike_core::tree::{Node, Split};

use crate::plot::{Frame, SMALL, TEXT};
use crate::svg::{Path, Svg};
use crate::text::{Lang, fit, grouped, percent, width};
use crate::theme::ramp_class;

/// Most leaves of the picture.
const MOST_LEAVES: usize = 16;
/// Least width of a level, in units of the view box.
const LEVEL: f64 = 140.0;
/// Height of a leaf's row.
const ROW: f64 = 38.0;
const BOX: f64 = 28.0;

/// What a column of the tree's matrix is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeColumn {
    /// Name.
    pub name: String,
    /// Names of the categories by code; empty for numbers.
    pub levels: Vec<String>,
}

/// A tree and the words for it.
#[derive(Debug, Clone, Copy)]
pub struct TreePicture<'a> {
    /// The tree.
    pub tree: &'a Tree,
    /// Names of the columns, by position; a column without one is called by its number.
    pub columns: &'a [TreeColumn],
    /// What is added to the values: the ensemble's base, 0 for none.
    pub base: f64,
    /// Which of the tree's outputs is shown.
    pub output: usize,
}

impl TreePicture<'_> {
    /// The tree as SVG.
    ///
    /// ```
    /// use guike_core::tree::{Node, Split, Tree};
    /// use guike_explain::tree_picture::{TreeColumn, TreePicture};
    /// use guike_explain::{Frame, Lang};
    /// let leaf = |cover| Node { split: None, left: 0, right: 0, cover, gain: 0.0 };
    /// let split = Split::Number { column: 0, threshold: 30.5, missing_left: true };
    /// let root = Node { split: Some(split), left: 1, right: 2, cover: 4.0, gain: 1.0 };
    /// let tree = Tree { nodes: vec![root, leaf(3.0), leaf(1.0)], values: vec![0.0, 5.0, 9.0], first_output: 0, n_outputs: 1 };
    /// let columns = [TreeColumn { name: "age".into(), levels: vec![] }];
    /// let picture = TreePicture { tree: &tree, columns: &columns, base: 0.0, output: 0 };
    /// assert!(picture.svg(&Frame::new(Lang::En, "t", "", "")).contains("age ≤ 30.5"));
    /// assert!(picture.dot(&Frame::new(Lang::Zh, "t", "", "")).starts_with("digraph"));
    /// ```
    pub fn svg(&self, frame: &Frame<'_>) -> String {
        if self.tree.nodes.is_empty() {
            return frame.empty();
        }
        let values = self.means();
        let levels = ((frame.width / LEVEL) as usize).clamp(2, 7);
        let places = self.places(levels - 1);
        let n_rows = places.iter().filter(|p| p.children.is_none()).count();
        let deepest = places.iter().map(|p| p.depth).max().unwrap_or(0);
        let level = frame.width / (deepest + 1) as f64;
        let top = frame.head() + 4.0;
        let shown = || places.iter().filter(|p| p.children.is_none()).map(|p| values[p.node]).filter(|v| v.is_finite());
        let (lo, hi) = (shown().fold(f64::INFINITY, f64::min), shown().fold(f64::NEG_INFINITY, f64::max));
        let mut svg = frame.begin(top + ROW * n_rows as f64 + 24.0, &self.describe(frame, &values));
        let at = |p: &Place| (level * p.depth as f64, top + ROW * (p.row + 0.5));
        let wide = level - 34.0;
        for p in &places {
            let Some(children) = p.children else { continue };
            let from = at(p);
            for (child, answer) in children.into_iter().zip([frame.lang.pick("yes", "是"), frame.lang.pick("no", "否")])
            {
                let to = at(&places[child]);
                let bend = to.0 - 22.0;
                let path = Path::through([(from.0 + wide, from.1), (bend, from.1), (bend, to.1), (to.0, to.1)]);
                let share = self.share(places[child].node);
                svg.tag("g").num("stroke-width", 1.0 + 5.0 * share).begin();
                svg.path(&path, "ax");
                svg.end();
                svg.text(to.0 - 3.0, to.1 - 4.0, "m xs e", answer);
            }
        }
        for p in &places {
            let node = &self.tree.nodes[p.node];
            let (x, y) = at(p);
            let share = percent(self.share(p.node));
            if let (Some(split), Some(_)) = (&node.split, p.children) {
                let question = self.question(split, frame.lang);
                svg.tag("rect")
                    .area(x, y - BOX / 2.0, wide, BOX)
                    .attr("rx", "4")
                    .class("card")
                    .tip(&format!("{question} · {share}"));
                svg.text(x + 7.0, y + 4.0, "b", &self.fitted(split, frame.lang, wide - 12.0));
            } else {
                self.draw_leaf(&mut svg, frame, p, (x, y, wide), values[p.node], (lo, hi), &share);
            }
        }
        let note = frame.lang.pick(
            "shares are of the training rows; the darker, the higher the prediction",
            "百分比为训练行占比；颜色越深，预测越高",
        );
        svg.text(0.0, top + ROW * n_rows as f64 + 16.0, "m s", &fit(note, SMALL, frame.width));
        svg.finish()
    }

    fn draw_leaf(
        &self,
        svg: &mut Svg,
        frame: &Frame<'_>,
        p: &Place,
        (x, y, wide): (f64, f64, f64),
        value: f64,
        (lo, hi): (f64, f64),
        share: &str,
    ) {
        let level = if hi > lo { 0.1 + 0.9 * (value - lo) / (hi - lo) } else { 0.5 };
        let text = frame.short(value);
        let more = match p.hidden {
            0 => String::new(),
            n => frame.lang.pick(format!("{n} more questions"), format!("另有 {n} 个问题")),
        };
        svg.group(ramp_class(level));
        let tip = if more.is_empty() { format!("{text} · {share}") } else { format!("{text} · {share} · {more}") };
        svg.tag("rect").area(x, y - BOX / 2.0, wide, BOX).attr("rx", "4").tip(&tip);
        svg.text(x + 7.0, y + 4.0, "b", &text);
        let at = x + 7.0 + width(&text, TEXT) * 1.08 + 8.0;
        let rest = if p.hidden > 0 { format!("{share} …") } else { share.to_owned() };
        if width(&rest, SMALL) < x + wide - at {
            svg.text(at, y + 4.0, "s", &rest);
        }
        svg.end();
    }

    /// The whole tree in the language of Graphviz.
    pub fn dot(&self, frame: &Frame<'_>) -> String {
        let mut out = String::from(
            "digraph tree {\n  rankdir=LR;\n  node [shape=box, style=rounded, fontname=\"sans-serif\"];\n",
        );
        let values = self.means();
        let (yes, no, missing, of_rows) =
            frame.lang.pick(("yes", "no", "missing", "of rows"), ("是", "否", "缺失", "的行"));
        for (i, node) in self.tree.nodes.iter().enumerate() {
            let share = format!("{} {of_rows}", percent(self.share(i)));
            let label = match &node.split {
                Some(split) => format!("{}\\n{share}", quoted(&self.question(split, frame.lang))),
                None => format!("{}\\n{share}", quoted(&frame.short(values[i]))),
            };
            let style = if node.split.is_none() { ", style=\"rounded,filled\", fillcolor=\"#d9e9ed\"" } else { "" };
            writeln!(out, "  n{i} [label=\"{label}\"{style}];").expect("writing to a String cannot fail");
            let Some(split) = &node.split else { continue };
            let missing_left = match split {
                Split::Number { missing_left, .. } | Split::Category { missing_left, .. } => *missing_left,
            };
            for (child, answer, takes) in [(node.left, yes, missing_left), (node.right, no, !missing_left)] {
                let also = if takes { format!(", {missing}") } else { String::new() };
                writeln!(out, "  n{i} -> n{child} [label=\"{answer}{also}\"];")
                    .expect("writing to a String cannot fail");
            }
        }
        out.push_str("}\n");
        out
    }

    /// Mean prediction below every node, by cover.
    fn means(&self) -> Vec<f64> {
        let nodes = &self.tree.nodes;
        let mut means = vec![0.0; nodes.len()];
        for i in (0..nodes.len()).rev() {
            let n = &nodes[i];
            means[i] = if n.split.is_none() {
                self.base + self.tree.value(i)[self.output]
            } else {
                let (l, r) = (n.left as usize, n.right as usize);
                let (a, b) = (nodes[l].cover.max(0.0), nodes[r].cover.max(0.0));
                if a + b > 0.0 { (a * means[l] + b * means[r]) / (a + b) } else { 0.5 * (means[l] + means[r]) }
            };
        }
        means
    }

    /// Share of the rows that come by a node.
    fn share(&self, node: usize) -> f64 {
        let (here, all) = (self.tree.nodes[node].cover, self.tree.nodes[0].cover);
        if all > 0.0 { here / all } else { f64::NAN }
    }

    /// The question in words; `yes` is the left child.
    fn question(&self, split: &Split, lang: Lang) -> String {
        let (name, rest) = self.parts(split, lang);
        name + &rest
    }

    /// The question in so much room: of a long one the column's name is cut before its threshold.
    fn fitted(&self, split: &Split, lang: Lang, room: f64) -> String {
        // bold type is wider than the estimate
        let size = TEXT * 1.06;
        let (name, rest) = self.parts(split, lang);
        let left = (room - width(&rest, size)).max(room * 0.35);
        fit(&(fit(&name, size, left) + &rest), size, room)
    }

    /// What is asked about, and what is asked.
    fn parts(&self, split: &Split, lang: Lang) -> (String, String) {
        let column = self.columns.get(split.column());
        let name = column.map_or_else(|| format!("#{}", split.column()), |c| c.name.clone());
        let rest = match split {
            Split::Number { threshold, .. } => format!(" ≤ {}", number(*threshold)),
            Split::Category { left, .. } => {
                let level = |c: &u32| match column.and_then(|t| t.levels.get(*c as usize)) {
                    Some(l) => l.clone(),
                    None => c.to_string(),
                };
                let list: Vec<String> = left.iter().map(level).collect();
                format!(" = {}", list.join(lang.pick(" or ", " 或 ")))
            }
        };
        (name, rest)
    }

    /// The nodes that are shown, parents before children: those with the largest gain first, to this depth.
    fn places(&self, most_depth: usize) -> Vec<Place> {
        let nodes = &self.tree.nodes;
        let mut places = vec![Place { node: 0, depth: 0, children: None, row: 0.0, hidden: 0 }];
        let open = |places: &[Place]| {
            let can = |p: &Place| p.children.is_none() && p.depth < most_depth && nodes[p.node].split.is_some();
            let key = |n: &Node| (n.gain, n.cover);
            let by = |a: &usize, b: &usize| {
                let (x, y) = (key(&nodes[places[*a].node]), key(&nodes[places[*b].node]));
                x.0.total_cmp(&y.0).then(x.1.total_cmp(&y.1)).then(b.cmp(a))
            };
            (0..places.len()).filter(|&i| can(&places[i])).max_by(by)
        };
        for _ in 1..MOST_LEAVES {
            let Some(i) = open(&places) else { break };
            let (n, depth) = (&nodes[places[i].node], places[i].depth + 1);
            let at = places.len();
            for node in [n.left as usize, n.right as usize] {
                places.push(Place { node, depth, children: None, row: 0.0, hidden: 0 });
            }
            places[i].children = Some([at, at + 1]);
        }
        let mut next = 0.0;
        lay_out(&mut places, 0, &mut next);
        for p in places.iter_mut().filter(|p| p.children.is_none()) {
            p.hidden = questions(self.tree, p.node);
        }
        places
    }

    fn describe(&self, frame: &Frame<'_>, values: &[f64]) -> String {
        let leaves: Vec<usize> = (0..self.tree.nodes.len()).filter(|&i| self.tree.nodes[i].split.is_none()).collect();
        let best = leaves.iter().copied().max_by(|a, b| values[*a].total_cmp(&values[*b])).unwrap_or(0);
        let (n, top, share) = (leaves.len(), frame.short(values[best]), percent(self.share(best)));
        let first = self.tree.nodes[0].split.as_ref().map(|s| self.question(s, frame.lang));
        match first {
            Some(q) => frame.lang.pick(
                format!("A tree with {n} leaves. Its first question is {q}; the highest prediction, {top}, is made for {share} of the rows."),
                format!("一棵有 {n} 个叶节点的树。第一个问题是 {q}；最高预测 {top}，占 {share} 的行。"),
            ),
            None => frame.lang.pick(
                format!("A tree without a question: it predicts {top} for everybody."),
                format!("一棵没有问题的树：对所有行都预测 {top}。"),
            ),
        }
    }
}

/// A node on the page.
struct Place {
    node: usize,
    depth: usize,
    children: Option<[usize; 2]>,
    row: f64,
    /// Questions below that are not shown.
    hidden: usize,
}

/// Leaves get rows from the top, parents stand between their children.
fn lay_out(places: &mut [Place], at: usize, next: &mut f64) {
    match places[at].children {
        None => {
            places[at].row = *next;
            *next += 1.0;
        }
        Some([a, b]) => {
            lay_out(places, a, next);
            lay_out(places, b, next);
            places[at].row = 0.5 * (places[a].row + places[b].row);
        }
    }
}

/// Number of questions in the subtree.
fn questions(tree: &Tree, at: usize) -> usize {
    let (mut todo, mut n) = (vec![at], 0);
    while let Some(i) = todo.pop() {
        let node = &tree.nodes[i];
        if node.split.is_some() {
            n += 1;
            todo.extend([node.left as usize, node.right as usize]);
        }
    }
    n
}

/// A threshold with enough digits to be used: five significant ones, and a half stays a half up to a million.
fn number(v: f64) -> String {
    let whole = v.abs().log10().floor().max(-8.0);
    let least = if v.abs() < 1e6 { 1.0 } else { 0.0 };
    let decimals = if v == 0.0 || !v.is_finite() { 0.0 } else { (4.0 - whole).clamp(least, 9.0) };
    let text = grouped(v, decimals as usize);
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// A text inside a quoted DOT string.
fn quoted(text: &str) -> String {
    text.replace(['\n', '\r'], " ").replace('\\', "\\\\").replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf(cover: f64) -> Node {
        Node { split: None, left: 0, right: 0, cover, gain: 0.0 }
    }

    /// Asks age, and colour of the young.
    fn tree() -> Tree {
        let age = Split::Number { column: 0, threshold: 42.25, missing_left: true };
        let colour = Split::Category { column: 1, left: vec![0, 2], missing_left: false };
        let nodes = vec![
            Node { split: Some(age), left: 1, right: 2, cover: 10.0, gain: 5.0 },
            Node { split: Some(colour), left: 3, right: 4, cover: 8.0, gain: 1.0 },
            leaf(2.0),
            leaf(6.0),
            leaf(2.0),
        ];
        Tree { nodes, values: vec![0.0, 0.0, 9.0, 1.0, 5.0], first_output: 0, n_outputs: 1 }
    }

    fn columns() -> Vec<TreeColumn> {
        let levels = ["red", "green", "b\"lue"].map(str::to_owned).to_vec();
        vec![TreeColumn { name: "age".into(), levels: vec![] }, TreeColumn { name: "colour".into(), levels }]
    }

    #[test]
    fn questions_name_columns_and_categories() {
        let (tree, columns) = (tree(), columns());
        let picture = TreePicture { tree: &tree, columns: &columns, base: 1.0, output: 0 };
        let svg = picture.svg(&Frame::new(Lang::En, "t", "", "").wide(860.0));
        assert!(svg.contains("age ≤ 42.25") && svg.contains("colour = red or b&quot;lue"), "{svg}");
        assert!(svg.contains("A tree with 3 leaves. Its first question is age ≤ 42.25; the highest prediction, 10, is made for 20% of the rows."));
        let dot = picture.dot(&Frame::new(Lang::En, "t", "", ""));
        assert!(dot.contains("n1 [label=\"colour = red or b\\\"lue\\n80% of rows\"];"), "{dot}");
        assert!(
            dot.contains("n0 -> n1 [label=\"yes, missing\"];") && dot.contains("n1 -> n4 [label=\"no, missing\"];")
        );
        assert!(dot.contains("n3 [label=\"2\\n60% of rows\", style=\"rounded,filled\""), "{dot}");
    }

    #[test]
    fn a_narrow_picture_says_what_it_hides() {
        let (mut tree, columns) = (tree(), columns());
        // a chain of questions deeper than any page is wide
        for _ in 0..12 {
            let last = tree.nodes.len() - 1;
            let split = Split::Number { column: 0, threshold: 1.0, missing_left: true };
            tree.nodes[last] =
                Node { split: Some(split), left: last as u32 + 1, right: last as u32 + 2, cover: 2.0, gain: 0.1 };
            tree.nodes.extend([leaf(1.0), leaf(1.0)]);
            tree.values.extend([1.0, 2.0]);
        }
        let picture = TreePicture { tree: &tree, columns: &columns, base: 0.0, output: 0 };
        assert!(picture.svg(&Frame::new(Lang::En, "t", "", "")).contains("12 more questions"));
        assert_eq!(picture.dot(&Frame::new(Lang::En, "t", "", "")).matches("->").count(), tree.nodes.len() - 1);
    }

    #[test]
    fn a_long_name_is_cut_before_its_threshold() {
        let (tree, mut columns) = (tree(), columns());
        columns[0].name = "the age of the customer in whole years at the cutoff".into();
        let picture = TreePicture { tree: &tree, columns: &columns, base: 0.0, output: 0 };
        let svg = picture.svg(&Frame::new(Lang::En, "t", "", ""));
        assert!(svg.contains("… ≤ 42.25</text>"), "{svg}");
    }

    #[test]
    fn thresholds_keep_the_digits_that_matter() {
        for (v, text) in [
            (2012.5, "2,012.5"),
            (0.123_456, "0.12346"),
            (42.25, "42.25"),
            (-1.5, "−1.5"),
            (0.0, "0"),
            (1e-7, "0.0000001"),
        ] {
            assert_eq!(number(v), text);
        }
    }
}
