//! What would take a row to another prediction, by changing only what can be acted upon.
//!
//! The one idea: the caller says which columns can be changed and where the prediction should go; the smallest such change
//! within the values of the table is sought ([`guike_explain::counterfactual`]), and the answer says whether it is the
//! smallest, or that there is none.

use guike_core::{Column, ColumnData, Seed, Table};
use guike_explain::counterfactual::{Counterfactual, Direction, Found, Goal, Lever, Search, counterfactual};

use super::cells::{Range, counts};
use super::found::{CellChange, ChangeExplanation, Ending, LeftOut, Wanted, WhyLeftOut};
use super::{Case, OfRow};
use crate::error::Error;
use crate::explain::asking::Asking;
use crate::table::settings::nearest;
use crate::table::target::Outcome;

/// A column that can be acted upon.
struct Actionable {
    column: usize,
    lever: Lever,
    /// For a category, the codes by lever value, its own first; empty for numbers.
    codes: Vec<f64>,
}

impl Actionable {
    /// The cell at a value of the lever.
    fn cell(&self, value: f64) -> f64 {
        self.codes.get(value as usize).copied().unwrap_or(value)
    }
}

/// The border in the scale in which the model is asked.
struct Border {
    wanted: Wanted,
    goal: Goal,
    /// What the goal is about, from a row's predictions.
    measure: Measure,
}

#[derive(Clone, Copy)]
enum Measure {
    /// The output at this position.
    Output(usize),
    /// By how much this class is ahead of the others.
    Lead(usize),
}

impl Measure {
    fn of(self, p: &[f64]) -> f64 {
        match self {
            Measure::Output(k) => p[k],
            Measure::Lead(k) => {
                let others = p.iter().enumerate().filter(|(j, _)| *j != k).map(|(_, v)| *v);
                p[k] - others.fold(f64::NEG_INFINITY, f64::max)
            }
        }
    }
}

impl Case<'_> {
    /// The smallest change of the actionable columns of `row` that reaches the goal; `now` are its predictions.
    pub(super) fn change(
        &self,
        row: usize,
        now: &[f64],
        asked: &OfRow,
        seed: Seed,
    ) -> Result<ChangeExplanation, Error> {
        let border = self.border(now, asked.goal.as_deref())?;
        let (mut actionable, mut left_out) = (Vec::new(), Vec::new());
        for name in &asked.actionable {
            let (column, direction) = self.named(name)?;
            if actionable.iter().any(|a: &Actionable| a.column == column) {
                continue;
            }
            match self.lever(column, row, direction) {
                Ok(a) => actionable.push(a),
                Err(why) => left_out.push(LeftOut { column: self.columns()[column].name.clone(), why }),
            }
        }
        let k = self.task().n_outputs();
        let levers: Vec<Lever> = actionable.iter().map(|a| a.lever).collect();
        let search = Search { seed: seed.derive("change"), ..Search::default() };
        let found = counterfactual(&levers, border.goal, &search, |rows: &[Vec<f64>]| {
            self.progress.check().map_err(Error::from)?;
            let p = self.loaded.fitted.predict(&self.with_levers(row, &actionable, rows));
            Ok::<_, Asking>(p.chunks_exact(k).map(|p| border.measure.of(p)).collect())
        })
        .map_err(Error::from)?;
        Ok(self.told(row, &actionable, border.wanted, left_out, found, &search))
    }

    /// The row with the levers at these values, once for each.
    fn with_levers(&self, row: usize, actionable: &[Actionable], values: &[Vec<f64>]) -> Table {
        let columns: Vec<Vec<f64>> = (0..self.columns().len())
            .map(|j| match actionable.iter().position(|a| a.column == j) {
                Some(l) => values.iter().map(|v| actionable[l].cell(v[l])).collect(),
                None => vec![self.value(j, row); values.len()],
            })
            .collect();
        self.table(&columns)
    }

    fn told(
        &self,
        row: usize,
        actionable: &[Actionable],
        wanted: Wanted,
        left_out: Vec<LeftOut>,
        found: Counterfactual,
        search: &Search,
    ) -> ChangeExplanation {
        let (mut changes, mut smallest, mut then) = (Vec::new(), false, None);
        let ending = match found.found {
            Found::Already => Ending::Already,
            Found::Impossible => Ending::Impossible,
            Found::NotFound => Ending::NotFound,
            Found::Change { changes: moved, smallest: is_smallest, .. } => {
                smallest = is_smallest;
                let mut values: Vec<f64> = actionable.iter().map(|a| a.lever.from).collect();
                for c in moved {
                    values[c.lever] = c.to;
                    let a = &actionable[c.lever];
                    changes.push(CellChange {
                        column: self.columns()[a.column].name.clone(),
                        from: self.text(a.column, a.cell(c.from)),
                        to: self.text(a.column, a.cell(c.to)),
                        spreads: a.codes.is_empty().then_some(c.spreads),
                    });
                }
                let p = self.loaded.fitted.predict(&self.with_levers(row, actionable, &[values]));
                then = Some((self.called(&p), self.loaded.outcome.classes().get(self.class).map(|_| p[self.class])));
                Ending::Changed
            }
        };
        let (predicted, probability) = then.unzip();
        ChangeExplanation {
            wanted,
            ending,
            changes,
            predicted,
            probability: probability.flatten(),
            smallest,
            nothing_below: Some(found.nothing_below).filter(|v| v.is_finite()),
            most_changes: search.most_changes.min(actionable.len()),
            actionable: actionable.iter().map(|a| self.columns()[a.column].name.clone()).collect(),
            left_out,
            calls: found.calls,
        }
    }

    /// The column of this name, and which way it may go: `visits`, `visits:up`, `age:down`.
    fn named(&self, name: &str) -> Result<(usize, Direction), Error> {
        let at = |n: &str| self.columns().iter().position(|c| c.name == n);
        let with = |end: &str, direction| Some((at(name.strip_suffix(end)?)?, direction));
        let found = at(name)
            .map(|j| (j, Direction::Both))
            .or_else(|| with(":up", Direction::Up))
            .or_else(|| with(":down", Direction::Down));
        let refused = |rule: String| Error::Config { what: "--actionable".to_owned(), value: name.to_owned(), rule };
        match found {
            Some((j, direction)) if direction != Direction::Both && self.columns()[j].as_numeric().is_none() => {
                Err(refused("a column of categories has no up and down; name it alone".to_owned()))
            }
            Some(found) => Ok(found),
            None => {
                let names: Vec<&str> = self.columns().iter().map(|c| c.name.as_str()).collect();
                let near = nearest(name, &names).map_or_else(String::new, |n| format!(" (is `{n}` meant?)"));
                let all = names.join(", ");
                Err(refused(format!("the model reads no column of this name{near}; it reads {all}")))
            }
        }
    }

    /// How a column can be moved from where it stands in this row.
    fn lever(&self, column: usize, row: usize, direction: Direction) -> Result<Actionable, WhyLeftOut> {
        let from = self.value(column, row);
        match &self.columns()[column].data {
            ColumnData::Numeric(v) => {
                if !from.is_finite() {
                    return Err(WhyLeftOut::Empty);
                }
                let range = Range::of(v).filter(|r| r.spread > 0.0).ok_or(WhyLeftOut::NeverVaries)?;
                let lever = Lever {
                    from,
                    low: range.low,
                    high: range.high,
                    step: range.step(),
                    direction,
                    spread: range.spread,
                };
                Ok(Actionable { column, lever, codes: Vec::new() })
            }
            ColumnData::Categorical { codes, levels } => {
                // any other category that the table has, the most frequent first: a common one is nearer, and the rarest
                // is one spread away
                let n = counts(codes, levels);
                let own = if from.is_nan() { f64::from(Column::MISSING) } else { from };
                let mut others: Vec<usize> = (0..levels.len()).filter(|&l| n[l] > 0.0 && l as f64 != own).collect();
                others.sort_by(|&a, &b| n[b].total_cmp(&n[a]).then(a.cmp(&b)));
                if others.is_empty() {
                    return Err(WhyLeftOut::NeverVaries);
                }
                let most = others.len() as f64;
                let lever =
                    Lever { from: 0.0, low: 0.0, high: most, step: 1.0, direction: Direction::Up, spread: most };
                Ok(Actionable {
                    column,
                    lever,
                    codes: [from].into_iter().chain(others.iter().map(|&l| l as f64)).collect(),
                })
            }
        }
    }

    /// Where the prediction should go.
    fn border(&self, now: &[f64], goal: Option<&str>) -> Result<Border, Error> {
        let refused =
            |value: &str, rule: String| Error::Config { what: "--goal".to_owned(), value: value.to_owned(), rule };
        let number = goal.and_then(|g| g.trim().parse::<f64>().ok()).filter(|g| g.is_finite());
        let Outcome::Classification { classes, positive } = &self.loaded.outcome else {
            let Some(to) = number else {
                let rule = "the model predicts a number; say which one should be reached, for example --goal 100";
                return Err(refused(goal.unwrap_or_default(), rule.to_owned()));
            };
            return Ok(Border::at(to, now[0], None, 0));
        };
        let called = self.loaded.decision.call(now, *positive);
        let class = match goal {
            None => {
                // the most probable of the others
                let others = (0..classes.len()).filter(|&c| c != called);
                others.max_by(|&a, &b| now[a].total_cmp(&now[b]).then(b.cmp(&a))).unwrap_or(called)
            }
            Some(name) => match classes.iter().position(|c| c == name) {
                Some(c) => c,
                None => match (number.filter(|p| (0.0..=1.0).contains(p)), positive) {
                    (Some(p), Some(k)) => return Ok(Border::at(p, now[*k], Some(classes[*k].clone()), *k)),
                    _ => {
                        let p = positive.map_or_else(String::new, |k| {
                            format!(", and a number from 0 to 1 is a probability of {}", classes[k])
                        });
                        return Err(refused(name, format!("the model knows the classes {}{p}", classes.join(", "))));
                    }
                },
            },
        };
        let wanted = Wanted { class: Some(classes[class].clone()), at_least: None, at_most: None };
        let threshold = self.loaded.decision.threshold;
        Ok(match positive {
            Some(k) if *k == class => Border { wanted, goal: Goal::AtLeast(threshold), measure: Measure::Output(*k) },
            Some(k) => Border { wanted, goal: Goal::AtMost(threshold.next_down()), measure: Measure::Output(*k) },
            None => Border { wanted, goal: Goal::AtLeast(f64::MIN_POSITIVE), measure: Measure::Lead(class) },
        })
    }
}

impl Border {
    /// Up or down to a number from where the prediction is now.
    fn at(to: f64, now: f64, class: Option<String>, output: usize) -> Border {
        let measure = Measure::Output(output);
        if now < to {
            let wanted = Wanted { class, at_least: Some(to), at_most: None };
            Border { wanted, goal: Goal::AtLeast(to), measure }
        } else {
            let wanted = Wanted { class, at_least: None, at_most: Some(to) };
            Border { wanted, goal: Goal::AtMost(to), measure }
        }
    }
}
