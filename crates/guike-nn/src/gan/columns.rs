//! Columns as a generator draws them: numbers as a mode and a place within it, categories as places, and back.

use std::collections::BTreeMap;
use std::ops::Range;

use guike_core::{Column, ColumnData, Seed, Table};
use guike_learn::{Covariance, GaussianMixture, Points};
use rand::{Rng, RngExt};

use crate::tape::Block;

/// A category needs so many rows: a rarer one would point at who has it.
const LEAST_ROWS: usize = 5;
/// Most categories of a column; rarer ones count as missing.
const MOST_CATEGORIES: usize = 100;
/// Numbers with at most so many different values are categories.
const FEW_VALUES: usize = 12;
/// Most modes of a number, and the least share of rows of one.
const MOST_MODES: usize = 6;
const LEAST_SHARE: f64 = 0.01;
/// Most numbers that modes are looked for in.
const SAMPLE: usize = 5_000;
/// Standard deviations to the end of a mode.
const REACH: f64 = 4.0;

/// A category as it stands in the table.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Value {
    Level(u32),
    Number(f64),
    Missing,
}

#[derive(Debug, Clone, PartialEq)]
struct Mode {
    mean: f64,
    sd: f64,
    /// Logarithm of its share.
    log_share: f64,
}

#[derive(Debug, Clone)]
enum Kind {
    Number {
        modes: Vec<Mode>,
        /// Whether a last mode stands for missing.
        missing: bool,
        whole: bool,
        /// The fifth smallest and largest: nobody's extreme is shown.
        range: [f64; 2],
    },
    Category {
        values: Vec<Value>,
        /// Rows of each.
        counts: Vec<usize>,
        /// Names, where it is a column of names.
        levels: Option<Vec<String>>,
    },
}

impl Kind {
    fn width(&self) -> usize {
        match self {
            Kind::Number { modes, missing, .. } => 1 + modes.len() + usize::from(*missing),
            Kind::Category { values, .. } => values.len(),
        }
    }
}

/// How a table becomes rows of numbers between −1 and 1, and back.
#[derive(Debug, Clone)]
pub(super) struct Coding {
    columns: Vec<(String, Kind)>,
    left_out: Vec<(String, String)>,
    blocks: Vec<Block>,
    /// Where each column begins, and the width at the end.
    starts: Vec<usize>,
    /// Where each column's categories begin among those that can be asked for.
    wishes: Vec<Option<usize>>,
    wish_width: usize,
}

/// A table as rows of numbers, and which rows have a category.
#[derive(Debug)]
pub(super) struct Encoded {
    rows: Vec<f32>,
    width: usize,
    with: BTreeMap<(usize, usize), Vec<u32>>,
}

impl Encoded {
    pub(super) fn len(&self) -> usize {
        self.rows.len() / self.width
    }

    pub(super) fn row(&self, at: usize) -> &[f32] {
        &self.rows[at * self.width..][..self.width]
    }

    /// Any row with this category.
    pub(super) fn with(&self, asked: (usize, usize), rng: &mut impl Rng) -> usize {
        let rows = &self.with[&asked];
        rows[rng.random_range(0..rows.len())] as usize
    }
}

/// The kind of a column of numbers, or why it is left out.
fn of_numbers(values: &[f64], seed: Seed) -> Result<Kind, String> {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let whole = sorted.iter().all(|v| v.fract() == 0.0);
    let missing = values.len() - sorted.len();
    let mut different = sorted.clone();
    different.dedup();
    if different.len() <= FEW_VALUES {
        let all = values.iter().map(|&v| if v.is_finite() { Value::Number(v) } else { Value::Missing });
        return of_categories(all.collect(), None);
    }
    if whole && different.len() == values.len() {
        return Err("every row has a whole number of its own, as identifiers do".to_owned());
    }
    let n = sorted.len();
    let edge = (LEAST_ROWS - 1).min(n / 2);
    let range = [sorted[edge], sorted[n - 1 - edge]];
    // the middle of the sorted numbers: one extreme must not become the scale
    let (centre, scale) = (sorted[n / 2], (sorted[n * 9 / 10] - sorted[n / 10]).max((range[1] - range[0]) / 10.0));
    let scale = if scale > 0.0 && scale.is_finite() { scale / 2.56 } else { 1.0 };
    let step = n.div_ceil(SAMPLE);
    let points: Vec<f64> =
        sorted.iter().step_by(step).map(|v| ((v.clamp(range[0], range[1])) - centre) / scale).collect();
    let mixture = GaussianMixture { k: MOST_MODES, restarts: 2, ..GaussianMixture::of_scaled(Covariance::Full) };
    let found = mixture.fit(Points::new(&points, 1), seed).mixture;
    let mut modes: Vec<Mode> = (0..found.k())
        .filter(|&i| found.weights[i] >= LEAST_SHARE)
        .map(|i| Mode {
            mean: centre + scale * found.mean(i)[0],
            sd: scale * found.covariances[i].sqrt().max(1e-6),
            log_share: found.weights[i].ln(),
        })
        .collect();
    if modes.is_empty() {
        modes.push(Mode { mean: centre, sd: scale, log_share: 0.0 });
    }
    Ok(Kind::Number { modes, missing: missing >= LEAST_ROWS, whole, range })
}

/// The kind of a column of categories, one value per row, or why it is left out.
fn of_categories(rows: Vec<Value>, levels: Option<Vec<String>>) -> Result<Kind, String> {
    let key = |v: &Value| match v {
        Value::Level(l) => (0, u64::from(*l)),
        Value::Number(x) => (1, x.to_bits()),
        Value::Missing => (2, 0),
    };
    let mut counted: BTreeMap<(u8, u64), (Value, usize)> = BTreeMap::new();
    for value in &rows {
        counted.entry(key(value)).or_insert((*value, 0)).1 += 1;
    }
    let mut all: Vec<(Value, usize)> = counted.into_values().filter(|(_, n)| *n >= LEAST_ROWS).collect();
    // the most frequent first; equals stay in their order
    all.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    all.truncate(MOST_CATEGORIES);
    let kept: usize = all.iter().map(|(_, n)| n).sum();
    if 2 * kept < rows.len() {
        return Err(format!("most of its values stand in fewer than {LEAST_ROWS} rows each, as identifiers do"));
    }
    if kept < rows.len() && !all.iter().any(|(v, _)| *v == Value::Missing) {
        all.push((Value::Missing, rows.len() - kept));
    } else if let Some((_, n)) = all.iter_mut().find(|(v, _)| *v == Value::Missing) {
        *n += rows.len() - kept;
    }
    let (values, counts) = all.into_iter().unzip();
    Ok(Kind::Category { values, counts, levels })
}

impl Coding {
    pub(super) fn of(table: &Table, seed: Seed) -> Coding {
        let (mut columns, mut left_out) = (Vec::new(), Vec::new());
        for column in table.columns() {
            let kind = match &column.data {
                ColumnData::Numeric(values) => of_numbers(values, seed.derive(&column.name)),
                ColumnData::Categorical { codes, levels } => {
                    let value = |&c: &u32| if c == Column::MISSING { Value::Missing } else { Value::Level(c) };
                    of_categories(codes.iter().map(value).collect(), Some(levels.clone()))
                }
            };
            match kind {
                Ok(kind) => columns.push((column.name.clone(), kind)),
                Err(why) => left_out.push((column.name.clone(), why)),
            }
        }
        let (mut blocks, mut starts, mut wishes, mut wish_width) = (Vec::new(), vec![0], Vec::new(), 0);
        for (_, kind) in &columns {
            let width = kind.width();
            match kind {
                Kind::Number { .. } => {
                    blocks.extend([Block::Tanh(1), Block::Softmax(width - 1)]);
                    wishes.push(None);
                }
                Kind::Category { .. } => {
                    blocks.push(Block::Softmax(width));
                    wishes.push(Some(wish_width));
                    wish_width += width;
                }
            }
            starts.push(starts[starts.len() - 1] + width);
        }
        Coding { columns, left_out, blocks, starts, wishes, wish_width }
    }

    /// Numbers per row.
    pub(super) fn width(&self) -> usize {
        self.starts[self.columns.len()]
    }

    pub(super) fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    pub(super) fn left_out(&self) -> &[(String, String)] {
        &self.left_out
    }

    /// Categories that can be asked for.
    pub(super) fn wish_width(&self) -> usize {
        self.wish_width
    }

    /// Where a column's category stands among them.
    pub(super) fn wish_place(&self, (column, place): (usize, usize)) -> usize {
        self.wishes[column].expect("a column of categories") + place
    }

    /// Where a column's numbers lie in a row.
    pub(super) fn block_of(&self, column: usize) -> Range<usize> {
        self.starts[column]..self.starts[column + 1]
    }

    /// `sharp` for every number that is part of a draw, and 1 for places within modes.
    pub(super) fn sharpness(&self, sharp: f32) -> Vec<f32> {
        let of = |block: &Block| match *block {
            Block::Tanh(n) => vec![1.0; n],
            Block::Softmax(n) => vec![sharp; n],
        };
        self.blocks.iter().flat_map(of).collect()
    }

    /// A column of categories, all alike, and one of them by `weight` of its rows.
    fn ask_by(&self, rng: &mut impl Rng, weight: impl Fn(usize) -> f64) -> Option<(usize, usize)> {
        let asked: Vec<usize> = (0..self.columns.len()).filter(|&c| self.wishes[c].is_some()).collect();
        if asked.is_empty() {
            return None;
        }
        let column = asked[rng.random_range(0..asked.len())];
        let Kind::Category { counts, .. } = &self.columns[column].1 else { return None };
        let weights: Vec<f64> = counts.iter().map(|&n| weight(n)).collect();
        Some((column, drawn(&weights, rng)))
    }

    /// What to ask for while learning: rare categories as often as the logarithm of their rows.
    pub(super) fn ask(&self, rng: &mut impl Rng) -> Option<(usize, usize)> {
        self.ask_by(rng, |n| (n as f64).ln_1p())
    }

    /// What to ask for when rows are drawn.
    pub(super) fn ask_as_often_as_seen(&self, rng: &mut impl Rng) -> Option<(usize, usize)> {
        self.ask_by(rng, |n| n as f64)
    }

    /// The rows of a table with these columns.
    pub(super) fn encode(&self, table: &Table, seed: Seed) -> Encoded {
        let (n, width) = (table.n_rows(), self.width());
        let mut rows = vec![0.0_f32; n * width];
        let mut with: BTreeMap<(usize, usize), Vec<u32>> = BTreeMap::new();
        let mut rng = seed.rng();
        for (at, (name, kind)) in self.columns.iter().enumerate() {
            let column = table.column(name).expect("the column it was made from");
            for row in 0..n {
                let out = &mut rows[row * width..][self.block_of(at)];
                let place = match (kind, &column.data) {
                    (Kind::Number { modes, .. }, ColumnData::Numeric(values)) => {
                        let v = values[row];
                        if v.is_finite() {
                            let mode = mode_of(modes, v, &mut rng);
                            let m = &modes[mode];
                            out[0] = ((v - m.mean) / (REACH * m.sd)).clamp(-1.0, 1.0) as f32;
                            1 + mode
                        } else {
                            // without a mode for it, what is missing is the last
                            out.len() - 1
                        }
                    }
                    (Kind::Category { values, .. }, data) => {
                        let own = match data {
                            ColumnData::Numeric(v) if v[row].is_finite() => Value::Number(v[row]),
                            ColumnData::Categorical { codes, .. } if codes[row] != Column::MISSING => {
                                Value::Level(codes[row])
                            }
                            _ => Value::Missing,
                        };
                        let of = |wanted: Value| values.iter().position(|v| *v == wanted);
                        let place = of(own).or_else(|| of(Value::Missing)).unwrap_or(0);
                        with.entry((at, place)).or_default().push(row as u32);
                        place
                    }
                    (Kind::Number { .. }, ColumnData::Categorical { .. }) => continue,
                };
                out[place] = 1.0;
            }
        }
        Encoded { rows, width, with }
    }

    /// Rows of a table from logits.
    pub(super) fn decode(&self, logits: &[f32], seed: Seed) -> Table {
        let width = self.width();
        let n = logits.len() / width.max(1);
        let columns = self.columns.iter().enumerate().map(|(at, (name, kind))| {
            let drawn: Vec<(f32, usize)> = (0..n)
                .map(|row| {
                    let mut rng = seed.derive(name).at(row as u64).rng();
                    let own = &logits[row * width..][self.block_of(at)];
                    let (place, choice) = match kind {
                        Kind::Number { .. } => (own[0].tanh(), &own[1..]),
                        Kind::Category { .. } => (0.0, own),
                    };
                    let most = choice.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                    let weights: Vec<f64> = choice.iter().map(|z| f64::from(z - most).exp()).collect();
                    (place, self::drawn(&weights, &mut rng))
                })
                .collect();
            Column { name: name.clone(), data: kind.back(&drawn) }
        });
        Table::new(columns.collect()).expect("columns of one length, each with a name of its own")
    }
}

impl Kind {
    /// The column of what was drawn: a place within the mode, and which.
    fn back(&self, drawn: &[(f32, usize)]) -> ColumnData {
        match self {
            Kind::Number { modes, whole, range, .. } => {
                let number = |&(place, mode): &(f32, usize)| match modes.get(mode) {
                    None => f64::NAN,
                    Some(m) => {
                        let v = (m.mean + REACH * m.sd * f64::from(place)).clamp(range[0], range[1]);
                        if *whole { v.round() } else { v }
                    }
                };
                ColumnData::Numeric(drawn.iter().map(number).collect())
            }
            Kind::Category { values, levels: None, .. } => {
                let number = |&(_, i): &(f32, usize)| match values[i] {
                    Value::Number(v) => v,
                    _ => f64::NAN,
                };
                ColumnData::Numeric(drawn.iter().map(number).collect())
            }
            Kind::Category { values, levels: Some(levels), .. } => {
                let code = |&(_, i): &(f32, usize)| match values[i] {
                    Value::Level(l) => l,
                    _ => Column::MISSING,
                };
                ColumnData::Categorical { codes: drawn.iter().map(code).collect(), levels: levels.clone() }
            }
        }
    }
}

/// A mode of a number, drawn by how likely each is to have given it.
fn mode_of(modes: &[Mode], v: f64, rng: &mut impl Rng) -> usize {
    let logs: Vec<f64> = modes.iter().map(|m| m.log_share - m.sd.ln() - ((v - m.mean) / m.sd).powi(2) / 2.0).collect();
    let most = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    drawn(&logs.iter().map(|l| (l - most).exp()).collect::<Vec<_>>(), rng)
}

/// A place by weight.
fn drawn(weights: &[f64], rng: &mut impl Rng) -> usize {
    let mut at = rng.random::<f64>() * weights.iter().sum::<f64>();
    let beyond = |w: &f64| {
        at -= w;
        at < 0.0
    };
    weights.iter().position(beyond).unwrap_or(weights.len() - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let n = 300;
        let money = (0..n).map(|i| if i % 9 == 0 { f64::NAN } else { f64::from(i * i % 977) + 0.5 }).collect();
        let codes = (0..n as u32).map(|i| if i == 7 { 3 } else { i % 3 }).collect();
        let levels = ["red", "green", "blue", "the only one"].map(str::to_owned).to_vec();
        Table::new(vec![
            Column::numeric("id", (0..n).map(|i| f64::from(1000 - i)).collect()),
            Column::numeric("money", money),
            Column::numeric("children", (0..n).map(|i| f64::from(i % 4)).collect()),
            Column { name: "colour".to_owned(), data: ColumnData::Categorical { codes, levels } },
        ])
        .expect("a table")
    }

    #[test]
    fn rows_go_there_and_back() {
        let table = table();
        let coding = Coding::of(&table, Seed(1));
        assert_eq!(coding.left_out().iter().map(|(n, _)| n.as_str()).collect::<Vec<_>>(), ["id"]);
        let encoded = coding.encode(&table, Seed(2));
        // what was certain is drawn again
        let logits: Vec<f32> = (0..encoded.len())
            .flat_map(|r| {
                let row = encoded.row(r);
                let sharp = coding.sharpness(100.0);
                row.iter()
                    .zip(sharp)
                    .map(|(x, s)| if s > 1.0 { s * x } else { x.clamp(-0.999, 0.999).atanh() })
                    .collect::<Vec<_>>()
            })
            .collect();
        let back = coding.decode(&logits, Seed(3));
        let numbers = |t: &Table, name: &str| t.column(name).and_then(Column::as_numeric).expect("numbers").to_vec();
        for (a, b) in numbers(&table, "money").iter().zip(numbers(&back, "money")) {
            assert!((a.is_nan() && b.is_nan()) || (a - b).abs() < 12.0, "{a} {b}");
        }
        assert_eq!(numbers(&table, "children"), numbers(&back, "children"));
        let ColumnData::Categorical { codes, .. } = &back.column("colour").expect("there").data else {
            panic!("names")
        };
        assert_eq!((codes[6], codes[7], codes[8]), (0, Column::MISSING, 2), "a category of one row is not shown");
    }

    #[test]
    fn nobodys_extreme_is_shown() {
        let mut values: Vec<f64> = (0..500).map(|i| f64::from(i % 250) + 0.25).collect();
        values[3] = 1e9;
        let Ok(Kind::Number { range, modes, .. }) = of_numbers(&values, Seed(1)) else { panic!("a number") };
        assert!(range[1] <= 249.25, "{range:?}");
        assert!(modes.iter().all(|m| m.mean < 300.0));
    }
}
