//! What is to be predicted: a number or a class, found from the target's cells.

use std::collections::BTreeMap;

use guike_core::{Column, ColumnData, Table};
use guike_learn::Task;
use serde::{Deserialize, Serialize};

use crate::error::Error;

use super::settings::{TableSettings, TaskChoice, nearest};

/// Numeric targets with more different values than this are numbers, not classes.
const MOST_NUMERIC_CLASSES: usize = 20;
/// More classes than this are names of single rows.
const MOST_CLASSES: usize = 100;
/// Fewest rows with a label, and fewest rows of every class, from which anything can be learned and tested.
const FEWEST_ROWS: usize = 20;
const FEWEST_OF_CLASS: usize = 2;

/// Names of the class that one asks about, in the order in which they win.
const POSITIVE: [&str; 22] = [
    "1",
    "yes",
    "y",
    "true",
    "t",
    "high",
    "positive",
    "churn",
    "churned",
    "default",
    "bad",
    "responded",
    "buyer",
    "active",
    "是",
    "高",
    "高价值",
    "流失",
    "违约",
    "购买",
    "真",
    "有",
];

/// What the predicted values mean; part of the model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "task")]
pub enum Outcome {
    /// A number.
    Regression,
    /// One of these classes, in the order of the probabilities.
    Classification {
        /// Names as in the table.
        classes: Vec<String>,
        /// Of two classes, the one asked about.
        positive: Option<usize>,
    },
}

impl Outcome {
    /// The learners' view of it.
    pub fn task(&self) -> Task {
        match self {
            Outcome::Regression => Task::Regression,
            Outcome::Classification { classes, .. } => Task::Classification { classes: classes.len() as u32 },
        }
    }

    /// Names of the classes; empty for numbers.
    pub fn classes(&self) -> &[String] {
        match self {
            Outcome::Regression => &[],
            Outcome::Classification { classes, .. } => classes,
        }
    }

    /// Of two classes, the one asked about.
    pub fn positive(&self) -> Option<usize> {
        match self {
            Outcome::Regression => None,
            Outcome::Classification { positive, .. } => *positive,
        }
    }
}

/// The labels of the rows that have one.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Target {
    /// What they mean.
    pub outcome: Outcome,
    /// Positions of the labelled rows in the table.
    pub rows: Vec<usize>,
    /// One finite number or class code per labelled row.
    pub y: Vec<f64>,
    /// Rows without a label.
    pub n_missing: usize,
    /// What a reader should know.
    pub notes: Vec<String>,
}

/// The labels in the column that the settings name.
///
/// # Errors
/// [`Error::Config`] when there is no such column or class, [`Error::NoAnswer`] when its cells cannot be learned: all
/// missing, all equal, one class, or as many classes as rows.
pub(super) fn find(table: &Table, settings: &TableSettings) -> Result<Target, Error> {
    let name = settings.target.as_str();
    let column = table.column(name).ok_or_else(|| no_such_column("--target", name, table))?;
    let labels = Labels::of(column);
    let n_missing = labels.cells.iter().filter(|c| c.is_none()).count();
    let n_labelled = labels.cells.len() - n_missing;
    if n_labelled == 0 {
        return Err(Error::NoAnswer(format!(
            "every cell of the target `{name}` is empty; name another column with --target"
        )));
    }
    if n_labelled < FEWEST_ROWS {
        return Err(Error::NoAnswer(format!(
            "only {n_labelled} rows have a value in the target `{name}`; at least {FEWEST_ROWS} are needed to learn and to test"
        )));
    }
    if labels.levels.len() == 1 {
        return Err(Error::NoAnswer(format!(
            "every row of the target `{name}` has the same value, `{}`: there is nothing to tell apart",
            labels.levels[0].0
        )));
    }
    let mut notes = Vec::new();
    if n_missing > 0 {
        notes.push(format!("{n_missing} rows without a value in the target `{name}` were left out"));
    }
    let rows = (0..labels.cells.len()).filter(|&i| labels.cells[i].is_some()).collect();
    let outcome = labels.outcome(name, settings, &mut notes)?;
    let y = match outcome {
        Outcome::Regression => labels.cells.iter().flatten().map(|&c| labels.levels[c].1).collect(),
        Outcome::Classification { .. } => labels.cells.iter().flatten().map(|&c| c as f64).collect(),
    };
    Ok(Target { outcome, rows, y, n_missing, notes })
}

/// "there is no column … did you mean …".
pub(super) fn no_such_column(flag: &str, name: &str, table: &Table) -> Error {
    let names: Vec<&str> = table.columns().iter().map(|c| c.name.as_str()).collect();
    let near = nearest(name, &names).map_or_else(String::new, |n| format!("did you mean `{n}`? "));
    const MOST: usize = 30;
    let shown: Vec<String> = names.iter().take(MOST).map(|n| format!("`{n}`")).collect();
    let more = if names.len() > MOST { format!(" and {} more", names.len() - MOST) } else { String::new() };
    Error::Config {
        what: flag.to_owned(),
        value: name.to_owned(),
        rule: format!("there is no such column; {near}the columns are {}{more}", shown.join(", ")),
    }
}

/// The target's cells by level, levels in order.
struct Labels {
    cells: Vec<Option<usize>>,
    /// Name and number; NaN where the level is no number.
    levels: Vec<(String, f64)>,
    numeric: bool,
}

impl Labels {
    fn of(column: &Column) -> Labels {
        match &column.data {
            ColumnData::Numeric(values) => {
                // −0 is 0, and the order of bits is the order of numbers
                let key = |v: f64| {
                    let bits = (v + 0.0).to_bits() as i64;
                    bits ^ (((bits >> 63) as u64) >> 1) as i64
                };
                let mut seen: BTreeMap<i64, (f64, usize)> =
                    values.iter().filter(|v| v.is_finite()).map(|&v| (key(v), (v + 0.0, 0))).collect();
                seen.values_mut().enumerate().for_each(|(i, s)| s.1 = i);
                let cells = values.iter().map(|&v| seen.get(&key(v)).filter(|_| v.is_finite()).map(|s| s.1)).collect();
                let levels = seen.values().map(|s| (s.0.to_string(), s.0)).collect();
                Labels { cells, levels, numeric: true }
            }
            ColumnData::Categorical { codes, levels } => {
                // levels that no row has do not count
                let mut used = vec![false; levels.len()];
                for &c in codes {
                    used.get_mut(c as usize).into_iter().for_each(|u| *u = true);
                }
                let mut place = vec![None; levels.len()];
                let mut kept = Vec::new();
                for (c, name) in levels.iter().enumerate().filter(|(c, _)| used[*c]) {
                    place[c] = Some(kept.len());
                    kept.push((name.clone(), f64::NAN));
                }
                let cells = codes.iter().map(|&c| place.get(c as usize).copied().flatten()).collect();
                Labels { cells, levels: kept, numeric: false }
            }
        }
    }

    fn outcome(&self, name: &str, settings: &TableSettings, notes: &mut Vec<String>) -> Result<Outcome, Error> {
        let n = self.levels.len();
        let whole = self.levels.iter().all(|l| l.1.fract() == 0.0);
        let regression = match settings.task {
            Some(TaskChoice::Regression) if !self.numeric => {
                return Err(Error::Config {
                    what: "--task".to_owned(),
                    value: "regression".to_owned(),
                    rule: format!(
                        "the target `{name}` holds text such as `{}`; only numbers can be regressed",
                        self.levels[0].0
                    ),
                });
            }
            Some(choice) => choice == TaskChoice::Regression,
            None => self.numeric && n > 2 && (n > MOST_NUMERIC_CLASSES || !whole),
        };
        if regression {
            if settings.positive.is_some() {
                return Err(Error::Config {
                    what: "--positive".to_owned(),
                    value: settings.positive.clone().unwrap_or_default(),
                    rule: format!(
                        "the target `{name}` is a number and has no classes; --task classification makes its values classes"
                    ),
                });
            }
            return Ok(Outcome::Regression);
        }
        if n > MOST_CLASSES {
            return Err(Error::NoAnswer(format!(
                "the target `{name}` has {n} different values, more than {MOST_CLASSES} classes; is it an id? \
                 name another column with --target{}",
                if self.numeric { ", or say --task regression" } else { "" }
            )));
        }
        let mut counts = vec![0_usize; n];
        self.cells.iter().flatten().for_each(|&c| counts[c] += 1);
        if let Some(rare) = (0..n).find(|&c| counts[c] < FEWEST_OF_CLASS) {
            return Err(Error::NoAnswer(format!(
                "class `{}` of the target `{name}` has {} row; every class needs at least {FEWEST_OF_CLASS}: join it with another \
                 class, or leave its rows out{}",
                self.levels[rare].0,
                counts[rare],
                if self.numeric { ", or say --task regression" } else { "" }
            )));
        }
        let classes: Vec<String> = self.levels.iter().map(|l| l.0.clone()).collect();
        let positive = match (&settings.positive, n) {
            (Some(asked), _) => Some(self.class_named(asked, name)?),
            (None, 2) => Some(guess_positive(&classes, &counts)),
            (None, _) => None,
        };
        if settings.positive.is_some() && n > 2 {
            return Err(Error::Config {
                what: "--positive".to_owned(),
                value: settings.positive.clone().unwrap_or_default(),
                rule: format!("the target `{name}` has {n} classes; one of two can be the positive one"),
            });
        }
        if let (Some(p), None) = (positive, &settings.positive) {
            notes.push(format!("`{}` is taken as the positive class; --positive names the other one", classes[p]));
        }
        Ok(Outcome::Classification { classes, positive })
    }

    fn class_named(&self, asked: &str, target: &str) -> Result<usize, Error> {
        let same = |l: &(String, f64)| l.0 == asked || (l.1.is_finite() && asked.trim().parse::<f64>() == Ok(l.1));
        self.levels.iter().position(same).ok_or_else(|| {
            let names: Vec<String> = self.levels.iter().take(20).map(|l| format!("`{}`", l.0)).collect();
            Error::Config {
                what: "--positive".to_owned(),
                value: asked.to_owned(),
                rule: format!("the target `{target}` has no such class; its classes are {}", names.join(", ")),
            }
        })
    }
}

/// The class one asks about: by its name, else the rarer one, else the second.
fn guess_positive(classes: &[String], counts: &[usize]) -> usize {
    let rank = |c: &String| POSITIVE.iter().position(|p| c.trim().eq_ignore_ascii_case(p));
    match (rank(&classes[0]), rank(&classes[1])) {
        (Some(a), Some(b)) => usize::from(b < a),
        (Some(_), None) => 0,
        (None, Some(_)) => 1,
        (None, None) => usize::from(counts[1] <= counts[0]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(cells: &[&str]) -> Column {
        let mut levels: Vec<String> = cells.iter().filter(|c| !c.is_empty()).map(|c| (*c).to_owned()).collect();
        levels.sort();
        levels.dedup();
        let code = |c: &&str| levels.iter().position(|l| l == c).map_or(Column::MISSING, |i| i as u32);
        let codes = cells.iter().map(code).collect();
        Column { name: "t".to_owned(), data: ColumnData::Categorical { codes, levels } }
    }

    fn found(column: Column, change: impl FnOnce(&mut TableSettings)) -> Result<Target, String> {
        let mut settings = TableSettings { target: "t".to_owned(), ..TableSettings::default() };
        change(&mut settings);
        let table = Table::new(vec![column]).expect("one column");
        find(&table, &settings).map_err(|e| e.to_string())
    }

    fn numbers(of: impl Fn(usize) -> f64) -> Column {
        Column::numeric("t", (0..60).map(of).collect())
    }

    #[test]
    fn what_a_target_is_follows_from_its_cells() {
        let outcome = |c: Column| found(c, |_| ()).expect("found").outcome;
        assert_eq!(outcome(numbers(|i| i as f64)), Outcome::Regression);
        assert_eq!(outcome(numbers(|i| (i % 3) as f64 + 0.5)), Outcome::Regression);
        assert_eq!(outcome(numbers(|i| (i % 3) as f64)).classes(), ["0", "1", "2"]);
        let two = outcome(numbers(|i| (i % 2) as f64));
        assert_eq!((two.classes().len(), two.positive()), (2, Some(1)));
        let text: Vec<&str> = (0..60).map(|i| if i % 4 == 0 { "low" } else { "high" }).collect();
        assert_eq!(outcome(column(&text)).positive(), Some(0), "high is the one asked about");
        let text: Vec<&str> = (0..60).map(|i| if i % 4 == 0 { "a" } else { "b" }).collect();
        assert_eq!(outcome(column(&text)).positive(), Some(0), "the rarer one");
    }

    #[test]
    fn rows_without_a_label_are_left_out_and_counted() {
        let t = found(numbers(|i| if i % 10 == 0 { f64::NAN } else { i as f64 }), |_| ()).expect("found");
        assert_eq!((t.n_missing, t.y.len(), t.rows[0], t.y[0]), (6, 54, 1, 1.0));
        assert!(t.notes[0].contains("6 rows without a value"), "{:?}", t.notes);
    }

    #[test]
    fn targets_that_cannot_be_learned_say_why() {
        let say = |c: Column| found(c, |_| ()).expect_err("refused");
        assert!(say(numbers(|_| 7.0)).contains("the same value, `7`"));
        assert!(say(numbers(|_| f64::NAN)).contains("every cell of the target `t` is empty"));
        assert!(say(column(&["x"; 40])).contains("the same value, `x`"));
        let names: Vec<String> = (0..300).map(|i| format!("n{i:04}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        assert!(say(column(&names)).contains("300 different values"));
        let mut rare = vec!["a"; 30];
        rare.extend(vec!["b"; 30]);
        rare.push("c");
        assert!(say(column(&rare)).contains("class `c` of the target `t` has 1 row"));
    }

    #[test]
    fn wishes_that_do_not_fit_are_refused() {
        let text: Vec<&str> = (0..60).map(|i| if i % 4 == 0 { "low" } else { "high" }).collect();
        let e = found(column(&text), |s| s.positive = Some("hgih".to_owned())).expect_err("refused");
        assert!(e.contains("`high`, `low`"), "{e}");
        let e = found(column(&text), |s| s.task = Some(TaskChoice::Regression)).expect_err("refused");
        assert!(e.contains("holds text such as `high`"), "{e}");
        let e = found(column(&text), |s| s.target = "tt".to_owned()).expect_err("refused");
        assert!(e.contains("did you mean `t`"), "{e}");
    }
}
