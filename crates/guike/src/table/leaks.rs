//! Columns that know the answer: what was computed from the target, or is known only after it.
//!
//! The one idea: each column is asked alone, by four questions with an answer in numbers. Each names what was seen, so that the
//! reader can judge: a discovery looks the same as a leak. None of them sees columns that leak only together, and no answer
//! proves that there is no leak.
//!
//! | question | asked |
//! |---|---|
//! | does it tell nearly all of the target? | always: a small tree on one half of the rows, judged on the other |
//! | does being filled (or empty) fix the target? | always: the cell is filled in when the outcome is known |
//! | does it hold moments after the row's own? | with a column of moments |
//! | does it tell the target in older rows and not in the newest? | with a column of moments: there it is not filled in yet |

use guike_core::{Column, ColumnData, FitContext, FitError, Matrix, Progress, Table};
use guike_data::CellKind;
use guike_learn::forest::DecisionTree;
use guike_learn::{ColumnKind, Examples, TabularLearner};
use serde::Serialize;

use crate::error::Error;
use crate::report::view::Bilingual;

use super::figures::losses;
use super::settings::TableSettings;
use super::target::{Outcome, Target};

/// A column that explains this share of the target's spread alone is named.
const SUSPICIOUS: f64 = 0.9;
/// Rows that are looked at; more would only cost time.
const MOST_ROWS: usize = 20_000;
/// Filled (or empty) cells fix the target when this share of their rows has one and the same.
const FIXED: f64 = 0.98;
/// Fewest such rows, and the chance, under the share that the value has among all rows, below which it is no coincidence.
const FIXED_ROWS: usize = 20;
const COINCIDENCE: f64 = 1e-9;
/// A value that most rows have anyway fixes nothing.
const COMMON: f64 = 0.9;
/// Share of rows with a later moment from which a column of moments is named.
const LATER: f64 = 0.01;
/// What a column must explain among older rows, and the most that is left of it among the newest, to be named as fading.
const TELLS: f64 = 0.1;
const LEFT: f64 = 0.25;
/// Fewest rows on either side of that comparison.
const FEWEST_IN_TIME: usize = 200;
/// Standard errors by which it must fall.
const SURE: f64 = 4.0;

/// A suspicious column.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Leak {
    /// Its name.
    pub column: String,
    /// What was seen.
    #[serde(flatten)]
    pub seen: Seen,
}

/// What makes a column suspicious.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "seen")]
pub(super) enum Seen {
    /// It alone tells the target.
    TellsAll {
        /// Share of the target's variance or entropy that it explains on rows not learned from.
        explained: f64,
    },
    /// Whether it is filled fixes the target.
    FilledFixes {
        /// Filled cells do, or empty ones.
        filled: bool,
        /// Their rows.
        rows: usize,
        /// The value that the target has there.
        value: String,
        /// In which share of them, and in which share of all rows.
        share: [f64; 2],
    },
    /// It holds moments after the row's own.
    Later {
        /// Share of the rows with both.
        share: f64,
    },
    /// It tells the target in older rows and not in the newest.
    Fades {
        /// Share of the target's spread explained there, on rows not learned from.
        older: f64,
        /// The same among the newest rows.
        newest: f64,
    },
}

/// When each row is of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moments<'a> {
    /// One per row; NaN where there is none.
    pub(super) at: &'a [f64],
    /// Whether they are days, which can be compared with other columns of days.
    pub(super) days: bool,
}

impl Leak {
    /// In words.
    pub(super) fn words(&self, target: &str) -> Bilingual {
        let column = &self.column;
        let flag = if column.contains([' ', ',', '\'']) { format!("\"{column}\"") } else { column.clone() };
        let percent = |share: f64| format!("{:.0}", 100.0 * share);
        let (en, zh) = match &self.seen {
            Seen::TellsAll { explained } => (
                format!(
                    "column `{column}` alone explains {} % of the target `{target}`: was it computed from the target, or known \
                     only after it?",
                    percent(*explained)
                ),
                format!(
                    "仅凭列“{column}”就能解释目标“{target}”的 {}%：它是否由目标计算而来，或在目标之后才得知？",
                    percent(*explained)
                ),
            ),
            Seen::FilledFixes { filled, rows, value, share } => {
                let (word, word_zh) = if *filled { ("filled", "已填写") } else { ("empty", "为空") };
                (
                    format!(
                        "where column `{column}` is {word} ({rows} rows), the target `{target}` is `{value}` in {} % of the \
                         rows, against {} % of all: is it filled in when the target is known?",
                        percent(share[0]),
                        percent(share[1])
                    ),
                    format!(
                        "列“{column}”{word_zh}的 {rows} 行中，目标“{target}”有 {}% 为“{value}”，而全部行中为 {}%：它是否在目标得知之后才填写？",
                        percent(share[0]),
                        percent(share[1])
                    ),
                )
            }
            Seen::Later { share } => (
                format!(
                    "column `{column}` holds days after the row's own in {} % of the rows: is it known by then?",
                    percent(*share)
                ),
                format!("列“{column}”在 {}% 的行中晚于该行自身的日期：届时是否已经得知？", percent(*share)),
            ),
            Seen::Fades { older, newest } => (
                format!(
                    "column `{column}` explains {} % of the target `{target}` in older rows and {} % in the newest third: is it \
                     filled in only after the target is known?",
                    percent(*older),
                    percent(newest.max(0.0))
                ),
                format!(
                    "列“{column}”在较早的行中能解释目标“{target}”的 {}%，而在最新的三分之一行中只有 {}%：它是否在目标得知之后才填写？",
                    percent(*older),
                    percent(newest.max(0.0))
                ),
            ),
        };
        Bilingual::new(format!("{en} --drop {flag} learns without it"), format!("{zh}--drop {flag} 可不使用它"))
    }

    /// How strong the suspicion is, to name the strongest first.
    fn strength(&self) -> f64 {
        match &self.seen {
            Seen::TellsAll { explained } => 1.0 + explained,
            Seen::FilledFixes { share, .. } => share[0],
            Seen::Later { share } => *share,
            Seen::Fades { older, .. } => *older,
        }
    }
}

/// Every suspicious column, the most suspicious first; each with the first question that it answered.
pub(super) fn find(
    data: &Table,
    kinds: &[CellKind],
    target: &Target,
    moments: Option<Moments<'_>>,
    settings: &TableSettings,
    progress: &dyn Progress,
) -> Result<Vec<Leak>, Error> {
    let n = target.y.len();
    let looked_at: Vec<usize> = (0..n).step_by(n.div_ceil(MOST_ROWS)).collect();
    let alone = Alone { target, cx: FitContext { seed: settings.seed, progress } };
    let halves = halves(&looked_at, target);
    let in_time = moments.and_then(|m| Time::of(&looked_at, m.at, target));
    let tree = DecisionTree { max_leaves: Some(64), min_samples_leaf: 2, ..DecisionTree::default() };
    let mut found = Vec::new();
    for (column, kind) in data.columns().iter().zip(kinds) {
        progress.check()?;
        let (values, as_is) = numbers(column);
        let gains = alone.explained(&tree, &values, as_is, &halves.0, &halves.1)?;
        let days = moments.filter(|m| m.days && matches!(kind, CellKind::Date(_)));
        let mut seen = gains
            .map(|gains| mean(&gains))
            .filter(|explained| *explained >= SUSPICIOUS)
            .map(|explained| Seen::TellsAll { explained })
            .or_else(|| filled_fixes(&values, target))
            .or_else(|| later(&values, days?.at));
        if let (None, Some(time)) = (&seen, &in_time) {
            seen = time.fades(&alone, &values, as_is)?;
        }
        found.extend(seen.map(|seen| Leak { column: column.name.clone(), seen }));
    }
    found.sort_by(|a, b| b.strength().total_cmp(&a.strength()));
    Ok(found)
}

/// Every second row learns and every second judges, in an order that follows the target.
fn halves(rows: &[usize], target: &Target) -> (Vec<usize>, Vec<usize>) {
    let mut order = rows.to_vec();
    order.sort_by(|&a, &b| target.y[a].total_cmp(&target.y[b]).then(a.cmp(&b)));
    (order.iter().copied().step_by(2).collect(), order.iter().copied().skip(1).step_by(2).collect())
}

/// One column at a time.
struct Alone<'a> {
    target: &'a Target,
    cx: FitContext<'a>,
}

impl Alone<'_> {
    /// By how much a tree on the column lowers each judged row's loss, relative to the mean loss of knowing only their shares
    /// of the classes, or their mean; `None` where no tree can be learned.
    fn explained(
        &self,
        tree: &DecisionTree,
        values: &[f64],
        kind: ColumnKind,
        learn: &[usize],
        judge: &[usize],
    ) -> Result<Option<Vec<f64>>, Error> {
        let outcome = &self.target.outcome;
        let labels = |rows: &[usize]| rows.iter().map(|&i| self.target.y[i]).collect::<Vec<f64>>();
        let at =
            |rows: &[usize]| Matrix::from_columns(rows.len(), &[rows.iter().map(|&i| values[i]).collect::<Vec<f64>>()]);
        let (y_learn, y_judge) = (labels(learn), labels(judge));
        let examples = Examples { x: &at(learn), kinds: &[kind], y: &y_learn, weight: None, task: outcome.task() };
        let model = match tree.fit(&examples, &self.cx) {
            Ok(model) => model,
            Err(FitError::Cancelled(_)) => return Err(Error::Interrupted),
            Err(_) => return Ok(None),
        };
        let nothing = losses(&constant(&y_judge, outcome), &y_judge, outcome);
        let spread = mean(&nothing);
        let lost = losses(&model.predict(&at(judge)), &y_judge, outcome);
        Ok((spread > 0.0).then(|| nothing.iter().zip(&lost).map(|(n, l)| (n - l) / spread).collect()))
    }
}

/// Older rows in two halves, and the newest.
struct Time {
    learn: Vec<usize>,
    older: Vec<usize>,
    newest: Vec<usize>,
}

impl Time {
    fn of(rows: &[usize], moment: &[f64], target: &Target) -> Option<Time> {
        let mut order: Vec<usize> = rows.iter().copied().filter(|&i| moment[i].is_finite()).collect();
        order.sort_by(|&a, &b| moment[a].total_cmp(&moment[b]).then(a.cmp(&b)));
        let border = order.len() * 2 / 3;
        let newest = order.split_off(border);
        let (learn, older) = halves(&order, target);
        (older.len().min(newest.len()) >= FEWEST_IN_TIME).then_some(Time { learn, older, newest })
    }

    fn fades(&self, alone: &Alone<'_>, values: &[f64], kind: ColumnKind) -> Result<Option<Seen>, Error> {
        // few and large leaves: a surprise in a leaf of two rows would pass for a break
        let min_samples_leaf = (self.learn.len() / 50).max(20);
        let tree = DecisionTree { max_leaves: Some(16), min_samples_leaf, ..DecisionTree::default() };
        let (Some(then), Some(now)) = (
            alone.explained(&tree, values, kind, &self.learn, &self.older)?,
            alone.explained(&tree, values, kind, &self.learn, &self.newest)?,
        ) else {
            return Ok(None);
        };
        let (older, newest) = (mean(&then), mean(&now));
        let error = (variance(&then) / then.len() as f64 + variance(&now) / now.len() as f64).sqrt();
        let fades = older >= TELLS && newest <= LEFT * older && older - newest > SURE * error;
        Ok(fades.then_some(Seen::Fades { older, newest }))
    }
}

/// Whether filled, or empty, cells fix the target.
fn filled_fixes(values: &[f64], target: &Target) -> Option<Seen> {
    let n = values.len() as f64;
    let counts = |keep: &dyn Fn(usize) -> bool| {
        let mut of = std::collections::BTreeMap::<u64, usize>::new();
        (0..values.len()).filter(|&i| keep(i)).for_each(|i| *of.entry((target.y[i] + 0.0).to_bits()).or_default() += 1);
        of
    };
    let all = counts(&|_| true);
    [true, false].into_iter().find_map(|filled| {
        let here = counts(&|i| values[i].is_nan() != filled);
        let rows: usize = here.values().sum();
        let (&bits, &most) = here.iter().max_by_key(|(_, n)| **n)?;
        let share = [most as f64 / rows as f64, all[&bits] as f64 / n];
        let by_chance = most as f64 * share[1].ln();
        let fixes = rows >= FIXED_ROWS
            && rows < values.len()
            && share[0] >= FIXED
            && share[1] <= COMMON
            && by_chance < COINCIDENCE.ln();
        let value = f64::from_bits(bits);
        let value = match &target.outcome {
            Outcome::Regression => value.to_string(),
            Outcome::Classification { classes, .. } => classes[value as usize].clone(),
        };
        fixes.then_some(Seen::FilledFixes { filled, rows, value, share })
    })
}

/// Whether a column of days lies after the rows' own moments.
fn later(values: &[f64], moment: &[f64]) -> Option<Seen> {
    let both = || values.iter().zip(moment).filter(|(v, m)| v.is_finite() && m.is_finite());
    let share = both().filter(|(v, m)| v > m).count() as f64 / both().count().max(1) as f64;
    (share >= LATER).then_some(Seen::Later { share })
}

/// The shares of the classes, or the mean, for every row.
fn constant(y: &[f64], outcome: &Outcome) -> Vec<f64> {
    let n = y.len() as f64;
    let one: Vec<f64> = match outcome {
        Outcome::Regression => vec![mean(y)],
        Outcome::Classification { classes, .. } => {
            (0..classes.len()).map(|c| y.iter().filter(|&&v| v as usize == c).count() as f64 / n).collect()
        }
    };
    y.iter().flat_map(|_| one.iter().copied()).collect()
}

fn mean(v: &[f64]) -> f64 {
    v.iter().sum::<f64>() / v.len() as f64
}

fn variance(v: &[f64]) -> f64 {
    let m = mean(v);
    v.iter().map(|x| (x - m).powi(2)).sum::<f64>() / (v.len() as f64 - 1.0).max(1.0)
}

fn numbers(column: &Column) -> (Vec<f64>, ColumnKind) {
    match &column.data {
        ColumnData::Numeric(v) => (v.clone(), ColumnKind::Number),
        ColumnData::Categorical { codes, .. } => {
            let code = |&c: &u32| if c == Column::MISSING { f64::NAN } else { f64::from(c) };
            (codes.iter().map(code).collect(), ColumnKind::Category)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use guike_core::{Quiet, Seed};
    use rand::RngExt;

    const N: usize = 1_500;

    /// Rows of 1,500 days with a target that an honest column tells in part, and one more column.
    fn seen(extra: impl Fn(usize, bool, &mut dyn FnMut() -> f64) -> f64, days: bool) -> Vec<Leak> {
        let mut rng = Seed(8).rng();
        let mut draw = || rng.random::<f64>();
        let honest: Vec<f64> = (0..N).map(|_| draw()).collect();
        let truth: Vec<bool> = honest.iter().map(|h| draw() < 0.1 + 0.5 * h).collect();
        let moment: Vec<f64> = (0..N).map(|i| i as f64).collect();
        let column: Vec<f64> = (0..N).map(|i| extra(i, truth[i], &mut draw)).collect();
        let table =
            Table::new(vec![Column::numeric("honest", honest), Column::numeric("extra", column)]).expect("a table");
        let date = CellKind::Date(guike_data::dates::DateFormat::ALL[0]);
        let kinds = [CellKind::Number, if days { date } else { CellKind::Number }];
        let target = Target {
            outcome: Outcome::Classification { classes: vec!["no".to_owned(), "yes".to_owned()], positive: Some(1) },
            rows: (0..N).collect(),
            y: truth.iter().map(|&t| f64::from(u8::from(t))).collect(),
            n_missing: 0,
            notes: Vec::new(),
        };
        let moments = Moments { at: &moment, days: true };
        find(&table, &kinds, &target, Some(moments), &TableSettings::default(), &Quiet).expect("found")
    }

    #[test]
    fn a_cell_that_is_filled_in_once_the_outcome_is_known_is_named() {
        // half of the true rows have a reason
        let found = seen(|_, truth, draw| if truth && draw() < 0.5 { draw() } else { f64::NAN }, false);
        assert_eq!(found.len(), 1);
        assert!(
            matches!(&found[0].seen, Seen::FilledFixes { filled: true, value, share, .. } if value == "yes" && share[0] == 1.0),
            "{found:?}"
        );
        let words = found[0].words("churn").en;
        assert!(
            words.starts_with("where column `extra` is filled (") && words.contains("`churn` is `yes` in 100 %"),
            "{words}"
        );
    }

    #[test]
    fn a_day_after_the_rows_own_is_named_and_one_before_is_not() {
        let found = seen(|i, _, draw| i as f64 - 50.0 + if draw() < 0.3 { 80.0 } else { 0.0 }, true);
        assert!(
            matches!(found[..], [Leak { seen: Seen::Later { share }, .. }] if (0.25..0.35).contains(&share)),
            "{found:?}"
        );
        assert_eq!(seen(|i, _, draw| i as f64 - 50.0 * draw(), true), []);
        // numbers that are no days are not compared with days
        assert_eq!(seen(|i, _, draw| i as f64 + 50.0 * draw(), false), []);
    }

    #[test]
    fn a_column_that_tells_the_target_only_of_older_rows_is_named() {
        let known = |i: usize, truth: bool, draw: &mut dyn FnMut() -> f64| {
            if i < N * 2 / 3 && draw() < 0.8 { f64::from(u8::from(truth)) } else { f64::from(u8::from(draw() < 0.35)) }
        };
        let found = seen(known, false);
        assert!(
            matches!(found[..], [Leak { seen: Seen::Fades { older, newest }, .. }] if older > 0.3 && newest < 0.05),
            "{found:?}"
        );
        // one that tells as much throughout is no leak
        let steady = |_: usize, truth: bool, draw: &mut dyn FnMut() -> f64| {
            if draw() < 0.7 { f64::from(u8::from(truth)) } else { f64::from(u8::from(draw() < 0.35)) }
        };
        assert_eq!(seen(steady, false), []);
    }

    #[test]
    fn cells_that_are_missing_by_chance_are_not_named() {
        for share in [0.02, 0.3, 0.9] {
            assert_eq!(seen(|_, _, draw| if draw() < share { f64::NAN } else { draw() }, false), [], "{share}");
        }
    }
}
