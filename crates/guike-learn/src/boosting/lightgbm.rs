//! Models that LightGBM saved as text (`Booster.save_model("model.txt")`), as trees of ours.
//!
//! The one idea: a LightGBM node is a [`Split`] once two habits of its own are put elsewhere. Where a column treats missing
//! values as zero, a missing value goes where zero goes; where zero itself counts as missing, the column is prepared so
//! ([`InputKind::NonZero`]). What remains, the default direction, category sets, averaged forests and the scale of the
//! logistic function, goes into the trees, so that predicting, explaining and exporting know no difference.
//!
//! Predictions equal LightGBM's to rounding; golden files of version 4.7 are among the tests. Linear trees and objectives
//! whose link we do not have are refused by name.

use std::collections::{BTreeMap, BTreeSet};

use guike_core::tree::{Node, Split, Tree, Trees};

use super::Boosted;
use crate::tabular::{Link, Task};

/// A model read from LightGBM's text.
#[derive(Debug)]
pub struct Imported {
    /// What the columns of its matrix are, in order: the features that it asks about.
    pub inputs: Vec<Input>,
    /// The model.
    pub model: Boosted,
}

/// One column of the matrix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// The feature's name in the file.
    pub name: String,
    /// How its values become numbers.
    pub kind: InputKind,
}

/// How a feature's values become numbers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum InputKind {
    /// The number, or the category's code where the model was trained on codes; NaN for missing.
    Number,
    /// The number, but zero (up to [`ZERO`]) is missing as well (LightGBM's `zero_as_missing`).
    NonZero,
    /// The position among these categories (a pandas column of categories); any other is missing.
    Category(Vec<String>),
}

/// What LightGBM takes for zero: up to this size (`kZeroThreshold`).
pub const ZERO: f64 = 1e-35_f32 as f64;

/// Whether a text begins as LightGBM's models do.
pub fn is_lightgbm(text: &str) -> bool {
    text.lines().next().is_some_and(|l| l.trim_end() == "tree") && text.contains("\nnum_tree_per_iteration=")
}

/// Reads a model.
///
/// # Errors
/// In words: what is missing, damaged or not supported.
///
/// # Source
/// LightGBM 4.7, `gbdt_model_text.cpp` and `tree.cpp` for the format, `tree.h` for the decisions
pub fn read(text: &str) -> Result<Imported, String> {
    if !is_lightgbm(text) {
        return Err("it does not begin as a LightGBM model does".to_owned());
    }
    let mut blocks = Blocks::new(text);
    let header = blocks.next().expect("the first line was looked at");
    let version = header.text("version")?;
    if !["v2", "v3", "v4"].contains(&version) {
        return Err(format!("its format is `{version}`; known are v2, v3 and v4"));
    }
    let per_round = header.number::<usize>("num_tree_per_iteration")?.max(1);
    let blocks: Vec<Block<'_>> = blocks.collect();
    let rounds = blocks.len() / per_round;
    let (link, task, unit) = objective(header.lines.get("objective").copied().unwrap_or(""), per_round)?;
    // a forest's trees are averaged, boosted trees are added
    let unit = if header.flags.contains("average_output") { unit / rounds.max(1) as f64 } else { unit };
    let raw = blocks.iter().enumerate().map(|(t, b)| RawTree::read(b).map_err(|e| format!("tree {t}: {e}")));
    let raw: Vec<RawTree> = raw.collect::<Result<_, _>>()?;

    let features = header.words("feature_names").collect::<Vec<_>>();
    let levels = categories(text, header.words("feature_infos"))?;
    let used: BTreeSet<(usize, bool)> = raw.iter().flat_map(RawTree::columns).collect();
    let columns: BTreeMap<(usize, bool), u32> = used.iter().copied().zip(0..).collect();
    let input = |&(feature, zero_is_missing): &(usize, bool)| {
        let name =
            features.get(feature).ok_or_else(|| format!("it asks about feature {feature} of {}", features.len()))?;
        let kind = match levels.get(&feature) {
            Some(levels) => InputKind::Category(levels.clone()),
            None if zero_is_missing => InputKind::NonZero,
            None => InputKind::Number,
        };
        Ok(Input { name: (*name).to_owned(), kind })
    };
    let inputs: Vec<Input> = used.iter().map(input).collect::<Result<_, String>>()?;
    let trees = raw.iter().enumerate().map(|(t, raw)| {
        let tree = raw.tree(&columns, unit, (t % per_round) as u32);
        tree.ok_or_else(|| format!("tree {t}: its nodes do not make a tree"))
    });
    let trees = Trees { base: vec![0.0; per_round], trees: trees.collect::<Result<_, _>>()? };
    let model = Boosted::new(trees, link, task, inputs.len(), rounds as u32);
    Ok(Imported { inputs, model })
}

/// Link, task and the factor on leaf values of an objective.
fn objective(line: &str, per_round: usize) -> Result<(Link, Task, f64), String> {
    let mut words = line.split_whitespace();
    let name = words.next().unwrap_or("custom");
    let options: Vec<&str> = words.collect();
    let option = |key: &str| options.iter().find_map(|o| o.strip_prefix(key)?.strip_prefix(':'));
    let two = Task::Classification { classes: 2 };
    let found = match name {
        _ if options.contains(&"sqrt") => {
            return Err("its target was trained on square roots (`reg_sqrt`), which is not supported".to_owned());
        }
        "regression" | "regression_l1" | "huber" | "fair" | "quantile" | "mape" | "lambdarank" | "rank_xendcg"
        | "custom" => (Link::Identity, Task::Regression, 1.0),
        "poisson" | "gamma" | "tweedie" => (Link::Log, Task::Regression, 1.0),
        "binary" => {
            let scale = option("sigmoid").map_or(Ok(1.0), str::parse);
            (Link::Logit, two, scale.map_err(|_| format!("`{line}` has no number after `sigmoid`"))?)
        }
        "cross_entropy" => (Link::Logit, two, 1.0),
        "multiclass" => (Link::Softmax, Task::Classification { classes: per_round as u32 }, 1.0),
        other => {
            return Err(format!(
                "its objective `{other}` is not supported; `multiclass`, `binary` and those of regression are"
            ));
        }
    };
    if found.0.n_sums(found.1) != per_round || (name == "multiclass" && per_round < 2) {
        return Err(format!("{per_round} trees per round do not fit the objective `{line}`"));
    }
    Ok(found)
}

/// The categories of every feature that pandas knew as categories, from the file's last line.
fn categories<'a>(text: &str, infos: impl Iterator<Item = &'a str>) -> Result<BTreeMap<usize, Vec<String>>, String> {
    // numbers have a range in brackets, unused features say `none`, categories list their codes
    let features: Vec<usize> =
        infos.enumerate().filter(|(_, info)| !info.starts_with('[') && *info != "none").map(|(f, _)| f).collect();
    let line = text.lines().rev().find_map(|l| l.strip_prefix("pandas_categorical:")).unwrap_or("null");
    let lists: Option<Vec<Vec<serde_json::Value>>> =
        serde_json::from_str(line).map_err(|e| format!("`pandas_categorical` is not readable ({e})"))?;
    let lists = lists.unwrap_or_default();
    if lists.is_empty() {
        return Ok(BTreeMap::new());
    }
    if lists.len() != features.len() {
        return Err(format!(
            "it lists {} sets of categories for {} columns with categories, so that one cannot tell which belongs to which; \
             train without the columns that hold one category only",
            lists.len(),
            features.len()
        ));
    }
    let name = |v: serde_json::Value| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
    Ok(features.into_iter().zip(lists.into_iter().map(|list| list.into_iter().map(name).collect())).collect())
}

/// The lines of the header or of one tree.
#[derive(Debug, Default)]
struct Block<'a> {
    lines: BTreeMap<&'a str, &'a str>,
    flags: BTreeSet<&'a str>,
}

/// Header and trees, one after the other.
struct Blocks<'a> {
    lines: std::iter::Peekable<std::str::Lines<'a>>,
}

impl<'a> Blocks<'a> {
    fn new(text: &'a str) -> Blocks<'a> {
        Blocks { lines: text.lines().peekable() }
    }
}

impl<'a> Iterator for Blocks<'a> {
    type Item = Block<'a>;

    fn next(&mut self) -> Option<Block<'a>> {
        // the line that names the block: `tree` or `Tree=3`
        let first = self.lines.next()?;
        if first.trim() == "end of trees" {
            self.lines.by_ref().for_each(drop);
            return None;
        }
        let mut block = Block::default();
        let ends = |l: &str| l.starts_with("Tree=") || l.trim() == "end of trees";
        while let Some(line) = self.lines.next_if(|l| !ends(l)) {
            match line.trim_end().split_once('=') {
                Some((key, value)) => drop(block.lines.insert(key, value)),
                None => drop(block.flags.insert(line.trim())),
            }
        }
        Some(block)
    }
}

impl<'a> Block<'a> {
    fn text(&self, key: &str) -> Result<&'a str, String> {
        self.lines.get(key).copied().ok_or_else(|| format!("`{key}` is missing"))
    }

    fn words(&self, key: &str) -> impl Iterator<Item = &'a str> + use<'a> {
        self.lines.get(key).copied().unwrap_or("").split_whitespace()
    }

    fn number<T: std::str::FromStr>(&self, key: &str) -> Result<T, String> {
        let text = self.text(key)?;
        text.trim().parse().map_err(|_| format!("`{key}` is `{text}`, which is no number of its kind"))
    }

    fn numbers<T: std::str::FromStr>(&self, key: &str, n: usize) -> Result<Vec<T>, String> {
        let values: Option<Vec<T>> = self.words(key).map(|w| w.parse().ok()).collect();
        let values = values.ok_or_else(|| format!("`{key}` holds something else than numbers"))?;
        if values.len() == n { Ok(values) } else { Err(format!("`{key}` has {} values instead of {n}", values.len())) }
    }
}

/// A tree as it stands in the file: inner nodes by number, leaves as `!number`.
#[derive(Debug)]
struct RawTree {
    splits: Vec<RawSplit>,
    left: Vec<i64>,
    right: Vec<i64>,
    gains: Vec<f64>,
    inner_values: Vec<f64>,
    inner_counts: Vec<f64>,
    leaf_values: Vec<f64>,
    leaf_counts: Vec<f64>,
}

#[derive(Debug)]
enum RawSplit {
    Number { feature: usize, threshold: f64, zero_is_missing: bool, missing_left: bool },
    Category { feature: usize, left: Vec<u32> },
}

impl RawTree {
    fn read(block: &Block<'_>) -> Result<RawTree, String> {
        if block.lines.get("is_linear").is_some_and(|v| v.trim() == "1") {
            return Err("it has linear models in its leaves (`linear_tree`), which are not supported".to_owned());
        }
        let n_leaves: usize = block.number("num_leaves")?;
        let n = n_leaves.checked_sub(1).ok_or("it has no leaf")?;
        let features: Vec<usize> = block.numbers("split_feature", n)?;
        let thresholds: Vec<f64> = block.numbers("threshold", n)?;
        let decisions: Vec<u8> = block.numbers("decision_type", n)?;
        let n_sets: usize = if block.lines.contains_key("num_cat") { block.number("num_cat")? } else { 0 };
        let starts: Vec<usize> = if n_sets > 0 { block.numbers("cat_boundaries", n_sets + 1)? } else { Vec::new() };
        let words: Vec<u32> = match starts.last() {
            Some(&end) => block.numbers("cat_threshold", end)?,
            None => Vec::new(),
        };
        let split = |i: usize| {
            let (feature, threshold, decision) = (features[i], thresholds[i], decisions[i]);
            if decision & 1 == 0 {
                let default_left = decision & 2 != 0;
                // bits 2 and 3: nothing is missing, zero is, NaN is
                let (zero_is_missing, missing_left) = match decision >> 2 & 3 {
                    0 => (false, 0.0 <= threshold),
                    1 => (true, default_left),
                    2 => (false, default_left),
                    _ => return Err(format!("node {i} has the unknown decision type {decision}")),
                };
                return Ok(RawSplit::Number { feature, threshold, zero_is_missing, missing_left });
            }
            // the threshold is the number of a set of categories, kept as bits
            let set = threshold as usize;
            let words = starts.get(set..set + 2).and_then(|s| words.get(s[0]..s[1]));
            let words = words.ok_or_else(|| format!("node {i} has no set of categories"))?;
            let bits = words.iter().zip((0_u32..).step_by(32));
            let left =
                bits.flat_map(|(word, first)| (0..32).filter(move |b| word >> b & 1 == 1).map(move |b| first + b));
            Ok(RawSplit::Category { feature, left: left.collect() })
        };
        // trees of one leaf leave most lists out
        let or_zeros = |key: &str, n: usize| {
            if block.words(key).next().is_none() { Ok(vec![0.0; n]) } else { block.numbers::<f64>(key, n) }
        };
        Ok(RawTree {
            splits: (0..n).map(split).collect::<Result<_, _>>()?,
            left: block.numbers("left_child", n)?,
            right: block.numbers("right_child", n)?,
            gains: or_zeros("split_gain", n)?,
            inner_values: or_zeros("internal_value", n)?,
            inner_counts: or_zeros("internal_count", n)?,
            leaf_values: block.numbers("leaf_value", n_leaves)?,
            leaf_counts: or_zeros("leaf_count", n_leaves)?,
        })
    }

    /// The columns that it asks about: feature, and whether its zero is missing.
    fn columns(&self) -> impl Iterator<Item = (usize, bool)> {
        self.splits.iter().map(|split| match split {
            RawSplit::Number { feature, zero_is_missing, .. } => (*feature, *zero_is_missing),
            RawSplit::Category { feature, .. } => (*feature, false),
        })
    }

    /// Children side by side, after their parents; `None` where nodes are missing or met twice.
    fn tree(&self, columns: &BTreeMap<(usize, bool), u32>, unit: f64, first_output: u32) -> Option<Tree> {
        let n = self.splits.len() + self.leaf_values.len();
        let empty = Node { split: None, left: 0, right: 0, cover: 0.0, gain: 0.0 };
        let (mut nodes, mut values) = (vec![empty.clone()], vec![0.0]);
        // (where it stands in the file, where it comes to stand)
        let mut open = vec![(if self.splits.is_empty() { !0 } else { 0_i64 }, 0_usize)];
        while let Some((from, at)) = open.pop() {
            let Ok(inner) = usize::try_from(from) else {
                let leaf = usize::try_from(!from).expect("negative numbers are leaves");
                values[at] = self.leaf_values.get(leaf)? * unit;
                nodes[at].cover = *self.leaf_counts.get(leaf)?;
                continue;
            };
            let split = match self.splits.get(inner)? {
                RawSplit::Number { feature, threshold, zero_is_missing, missing_left } => {
                    let column = columns[&(*feature, *zero_is_missing)];
                    Split::Number { column, threshold: *threshold, missing_left: *missing_left }
                }
                RawSplit::Category { feature, left } => {
                    Split::Category { column: columns[&(*feature, false)], left: left.clone(), missing_left: false }
                }
            };
            let first = nodes.len();
            if first + 2 > n {
                return None;
            }
            nodes.extend([empty.clone(), empty.clone()]);
            values.extend([0.0, 0.0]);
            let node = &mut nodes[at];
            (node.split, node.left, node.right) = (Some(split), first as u32, first as u32 + 1);
            (node.cover, node.gain) = (self.inner_counts[inner], self.gains[inner]);
            values[at] = self.inner_values[inner] * unit;
            open.extend([(self.right[inner], first + 1), (self.left[inner], first)]);
        }
        (nodes.len() == n).then_some(Tree { nodes, values, first_output, n_outputs: 1 })
    }
}
