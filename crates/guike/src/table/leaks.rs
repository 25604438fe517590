//! Columns that know the answer: one column alone that determines the target is more often a leak than a discovery.
//!
//! The one idea: a small tree on one column at a time, learned on half of the rows and judged on the other half. What
//! explains nearly all of the target by itself is named. It says nothing about columns that leak together.

use guike_core::{Column, ColumnData, FitContext, Matrix, Progress, Table};
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

/// A column that alone tells the target.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Leak {
    /// Its name.
    pub column: String,
    /// Share of the target's variance or entropy that it explains on rows not learned from.
    pub explained: f64,
}

impl Leak {
    /// In words.
    pub(super) fn words(&self, target: &str) -> Bilingual {
        let (column, share) = (&self.column, format!("{:.0}", 100.0 * self.explained));
        let flag = if column.contains([' ', ',', '\'']) { format!("\"{column}\"") } else { column.clone() };
        Bilingual::new(
            format!(
                "column `{column}` alone explains {share} % of the target `{target}`: was it computed from the target, or known \
                 only after it? --drop {flag} learns without it"
            ),
            format!(
                "仅凭列“{column}”就能解释目标“{target}”的 {share}%：它是否由目标计算而来，或在目标之后才得知？--drop {flag} 可不使用它"
            ),
        )
    }
}

/// Every suspicious column, the most suspicious first.
pub(super) fn find(
    data: &Table,
    target: &Target,
    settings: &TableSettings,
    progress: &dyn Progress,
) -> Result<Vec<Leak>, Error> {
    let n = target.y.len();
    let step = n.div_ceil(MOST_ROWS);
    // every second row of the rows looked at, in an order that follows the target, judges
    let mut order: Vec<usize> = (0..n).step_by(step).collect();
    order.sort_by(|&a, &b| target.y[a].total_cmp(&target.y[b]).then(a.cmp(&b)));
    let (learn, judge): (Vec<usize>, Vec<usize>) =
        (order.iter().copied().step_by(2).collect(), order.iter().copied().skip(1).step_by(2).collect());
    let labels = |rows: &[usize]| rows.iter().map(|&i| target.y[i]).collect::<Vec<f64>>();
    let (y_learn, y_judge) = (labels(&learn), labels(&judge));
    let nothing = spread(&y_judge, &target.outcome);
    let tree = DecisionTree { max_leaves: Some(64), min_samples_leaf: 2, ..DecisionTree::default() };
    let cx = FitContext { seed: settings.seed, progress };
    let task = target.outcome.task();
    let mut found = Vec::new();
    for column in data.columns() {
        progress.check()?;
        let (values, kind) = numbers(column);
        let at =
            |rows: &[usize]| Matrix::from_columns(rows.len(), &[rows.iter().map(|&i| values[i]).collect::<Vec<f64>>()]);
        let examples = Examples { x: &at(&learn), kinds: &[kind], y: &y_learn, weight: None, task };
        let Ok(model) = tree.fit(&examples, &cx) else { continue };
        let predicted = model.predict(&at(&judge));
        let loss = losses(&predicted, &y_judge, &target.outcome).iter().sum::<f64>() / judge.len() as f64;
        let explained = 1.0 - loss / nothing;
        if explained >= SUSPICIOUS {
            found.push(Leak { column: column.name.clone(), explained });
        }
    }
    found.sort_by(|a, b| b.explained.total_cmp(&a.explained));
    Ok(found)
}

/// Mean loss of knowing only the shares of the classes, or the mean.
fn spread(y: &[f64], outcome: &Outcome) -> f64 {
    let n = y.len() as f64;
    match outcome {
        Outcome::Regression => {
            let mean = y.iter().sum::<f64>() / n;
            y.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n
        }
        Outcome::Classification { classes, .. } => (0..classes.len())
            .map(|c| y.iter().filter(|&&v| v as usize == c).count() as f64 / n)
            .filter(|p| *p > 0.0)
            .map(|p| -p * p.ln())
            .sum(),
    }
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
