//! Is the challenger worse than the champion: what their evaluations say, and whether they can say it at all.
//!
//! The one idea: only figures of the same cases are compared, case by case where the files allow it, and the answer is an
//! interval. A challenger passes when the whole interval lies above [`LEAST`]; where the two cannot be compared it does not
//! pass, and the words say why.
//!
//! * Models of tables: every row that both predicted without having learned from it, from `predictions.csv` of the same table.
//! * Runs: the champion's method and the challenger's at the challenger's anchors, from its `evaluation.json`. Methods are
//!   compared and not the two fitted models: the newer log is what the champion would have been fitted to today.

use guike_eval::Selection;
use guike_eval::selection::Standing;
use guike_store::{InColumn, ReadAs, read_csv_typed, read_json};
use serde::Serialize;
use serde_json::Value;

use crate::error::Error;
use crate::output::names as run_names;
use crate::table::{self, Estimate, Outcome};

use super::{Kind, Version};

/// The least that the interval of the change may include: half a percent worse.
pub const LEAST: f64 = -0.005;

/// How a challenger compares with a champion.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// The champion's number.
    pub champion: Option<u32>,
    /// By how much the challenger's loss is lower, as a share of the champion's, with its 95 % interval; `None` where the two
    /// cannot be compared.
    pub change: Option<Estimate>,
    /// Rows or anchors it is from.
    pub cases: usize,
    /// Whether it may become champion.
    pub passes: bool,
    /// The answer and its reason.
    pub words: String,
}

impl Comparison {
    /// Nobody is there to be worse than.
    pub(super) fn without_rival() -> Comparison {
        let words = "there is no champion to be compared with".to_owned();
        Comparison { champion: None, change: None, cases: 0, passes: true, words }
    }
}

/// What comparing found, before words.
struct Change {
    share: Estimate,
    cases: usize,
    on: String,
    /// What clients of the champion would have to change.
    clash: Option<String>,
}

/// Compares two versions of a name by what their evaluations hold.
///
/// # Errors
/// [`Error::Store`] when their files cannot be read.
pub fn compare(champion: &Version, challenger: &Version) -> Result<Comparison, Error> {
    let found = match challenger.kind {
        Kind::Table => on_rows(champion, challenger)?,
        Kind::Orders => at_anchors(champion, challenger)?,
    };
    let number = champion.number;
    Ok(match found {
        Err(why) => Comparison {
            champion: Some(number),
            change: None,
            cases: 0,
            passes: false,
            words: format!("it cannot be compared with champion {number}: {why}"),
        },
        Ok(Change { share, cases, on, clash }) => {
            let is_good = share.lo >= LEAST;
            let passes = is_good && clash.is_none();
            let percent = |x: f64| format!("{:+.2} %", 100.0 * x);
            let verdict = match (is_good, share.hi < 0.0) {
                (true, _) => format!("worse than {} is ruled out", percent(LEAST)),
                (false, true) => "it is worse".to_owned(),
                (false, false) => format!("it may be worse than {}", percent(LEAST)),
            };
            let clash = clash.map_or_else(String::new, |c| format!("{c}; besides, "));
            let side = if share.mid < 0.0 { "higher" } else { "lower" };
            let words = format!(
                "{clash}{verdict}: its loss is {:.2} % {side} than that of champion {number} (95 % interval of the gain {} to {}), \
                 {on}",
                100.0 * share.mid.abs(),
                percent(share.lo),
                percent(share.hi)
            );
            Comparison { champion: Some(number), change: Some(share), cases, passes, words }
        }
    })
}

/// Models of tables, row by row.
fn on_rows(champion: &Version, challenger: &Version) -> Result<Result<Change, String>, Error> {
    if champion.data != challenger.data {
        let why = "they learned from different tables, whose rows do not correspond; train the champion's settings on the \
                   new table as well, or judge by what you know";
        return Ok(Err(why.to_owned()));
    }
    for (what, key) in [("columns", "target"), ("classes", "outcome")] {
        if champion.card[key] != challenger.card[key] {
            return Ok(Err(format!("they predict different {what}")));
        }
    }
    let (old, new) = (Judged::read(champion)?, Judged::read(challenger)?);
    if old.rows != new.rows || old.actual != new.actual {
        return Ok(Err("their predictions are of different rows of the table".to_owned()));
    }
    let both: Vec<usize> = (0..old.rows.len()).filter(|&i| old.held_out[i] && new.held_out[i]).collect();
    if both.len() < 2 {
        return Ok(Err("there are no rows that neither of them learned from".to_owned()));
    }
    // rows of one group err alike: the interval is over groups where either of them was told so
    let groups = new.groups.or(old.groups).map(|g| both.iter().map(|&i| g[i] as u32).collect::<Vec<u32>>());
    let of = |losses: &[f64]| both.iter().map(|&i| losses[i]).collect::<Vec<f64>>();
    let (old, new) = (of(&old.losses), of(&new.losses));
    let saved: Vec<f64> = old.iter().zip(&new).map(|(a, b)| a - b).collect();
    let mean = old.iter().sum::<f64>() / old.len() as f64;
    let how = if groups.is_some() { ", over groups" } else { "" };
    let on = format!("on {} rows that neither learned from{how}", both.len());
    let share = share_of(table::estimate(&saved, groups.as_deref()), mean);
    Ok(Ok(Change { share, cases: both.len(), on, clash: other_columns(&champion.card, &challenger.card) }))
}

/// Whoever asks the champion sends its columns: a model that reads others would refuse them.
fn other_columns(old: &Value, new: &Value) -> Option<String> {
    let columns = |card: &Value| -> Vec<String> {
        let columns = card["columns"].as_array().into_iter().flatten();
        columns.filter_map(|c| c["name"].as_str().map(str::to_owned)).collect()
    };
    let (old, new) = (columns(old), columns(new));
    let listed = |some: &[String], others: &[String]| {
        let only: Vec<String> = some.iter().filter(|c| !others.contains(c)).map(|c| format!("`{c}`")).collect();
        only.join(", ")
    };
    let (more, fewer) = (listed(&new, &old), listed(&old, &new));
    match (more.is_empty(), fewer.is_empty()) {
        (true, true) => None,
        (false, true) => Some(format!("it also reads {more}, which clients of the champion do not send")),
        (true, false) => Some(format!("it does not read {fewer}, and refuses clients that send it")),
        (false, false) => Some(format!("it reads {more} instead of {fewer}, which clients of the champion send")),
    }
}

/// What `predictions.csv` of a training tells.
struct Judged {
    rows: Vec<f64>,
    /// Class or number.
    actual: Vec<f64>,
    /// Whether the model that predicted the row had not seen it.
    held_out: Vec<bool>,
    losses: Vec<f64>,
    /// Which rows belong together, where the training was told so.
    groups: Option<Vec<f64>>,
}

impl Judged {
    fn read(version: &Version) -> Result<Judged, Error> {
        let outcome: Outcome = serde_json::from_value(version.card["outcome"].clone())
            .map_err(|e| Error::Internal(format!("a registered card tells no outcome ({e})")))?;
        let file = version.folder.join(table::file_names::PREDICTIONS_CSV);
        let settings = version.lineage["settings"].as_str().unwrap_or_default();
        let is_grouped = table::TableSettings::from_toml(settings, &file)?.group.is_some();
        let probabilities: Vec<String> = outcome.classes().iter().map(|c| format!("p_{c}")).collect();
        let is_class = !probabilities.is_empty();
        let actual_as = if is_class { ReadAs::Name } else { ReadAs::Number };
        let mut wanted = vec![("row", ReadAs::Number), ("part", ReadAs::Name), ("actual", actual_as)];
        if is_class {
            wanted.extend(probabilities.iter().map(|p| (p.as_str(), ReadAs::Number)));
        } else {
            wanted.push(("predicted", ReadAs::Number));
        }
        if is_grouped {
            wanted.push((table::file_names::GROUP_NUMBER, ReadAs::Number));
        }
        let (mut rows, mut held_out, mut actual, mut outputs) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut groups = None;
        for ((name, _), column) in wanted.iter().zip(read_csv_typed(&file, &wanted)?) {
            match (*name, column) {
                ("row", InColumn::Number(v)) => rows = v,
                ("actual", InColumn::Number(v)) => actual = v,
                (table::file_names::GROUP_NUMBER, InColumn::Number(v)) => groups = Some(v),
                ("part", InColumn::Name { codes, names }) => {
                    held_out = codes.iter().map(|&c| names[c as usize] != "learned").collect();
                }
                ("actual", InColumn::Name { codes, names }) => {
                    let class = |n: &String| outcome.classes().iter().position(|c| c == n);
                    let classes: Option<Vec<usize>> = names.iter().map(class).collect();
                    let classes = classes.ok_or_else(|| Error::Internal("a class that is none".to_owned()))?;
                    actual = codes.iter().map(|&c| classes[c as usize] as f64).collect();
                }
                (_, InColumn::Number(v)) => outputs.push(v),
                _ => return Err(Error::Internal("a column was read as another kind".to_owned())),
            }
        }
        let predicted: Vec<f64> = (0..rows.len()).flat_map(|i| outputs.iter().map(move |o| o[i])).collect();
        let losses = table::losses(&predicted, &actual, &outcome);
        Ok(Judged { rows, actual, held_out, losses, groups })
    }
}

/// Runs, by their methods at the challenger's anchors.
fn at_anchors(champion: &Version, challenger: &Version) -> Result<Result<Change, String>, Error> {
    let read = |v: &Version| read_json::<Value>(&v.folder.join(run_names::EVALUATION_JSON));
    let (old, new) = (read(champion)?, read(challenger)?);
    if old["horizon_days"] != new["horizon_days"] {
        return Ok(Err(format!(
            "it looks {} days ahead and the champion {}",
            new["horizon_days"], old["horizon_days"]
        )));
    }
    // written year-month-day, so the order of texts is that of days
    if new["cutoff"].as_str() < old["cutoff"].as_str() {
        return Ok(Err(format!("it knows the log up to {} and the champion up to {}", new["cutoff"], old["cutoff"])));
    }
    let selection: Option<Selection> = serde_json::from_value(new["selection"].clone())
        .map_err(|e| Error::Internal(format!("a registered evaluation cannot be read ({e})")))?;
    let Some(selection) = selection else {
        return Ok(Err("its history was too short for a backtest".to_owned()));
    };
    let name = |e: &Value| e["chosen"].as_str().unwrap_or_default().to_owned();
    Ok(between(&selection, &name(&old), &name(&new)))
}

/// The method `new` against the method `old`, from where everybody stands against the leader.
fn between(selection: &Selection, old: &str, new: &str) -> Result<Change, String> {
    let standing = |name: &str| selection.standings.iter().find(|s| s.name == name);
    let (Some(was), Some(is)) = (standing(old), standing(new)) else {
        let missing = if standing(old).is_none() { old } else { new };
        return Err(format!("`{missing}` took no part in its backtest; run with --model auto and the same --budget"));
    };
    let (Some(loss), Some(_)) = (was.loss, is.loss) else {
        return Err("one of the two methods could not be judged in its backtest".to_owned());
    };
    let cases = is.scores.len();
    let anchors = if cases == 1 { "anchor" } else { "anchors" };
    if old == new {
        let same = Estimate { mid: 0.0, lo: 0.0, hi: 0.0 };
        return Ok(Change {
            share: same,
            cases,
            on: format!("both use `{new}`, fitted to what each of them knew"),
            clash: None,
        });
    }
    // the leader is no worse than itself
    let extra = |s: &Standing| s.against_leader.map_or((0.0, 0.0, 0.0), |i| (i.value, i.lo, i.hi));
    let (a, b) = (extra(was), extra(is));
    let saved = Estimate { mid: a.0 - b.0, lo: a.1 - b.2, hi: a.2 - b.1 };
    let cautious = if was.against_leader.is_some() && is.against_leader.is_some() {
        "; a cautious interval, from those of both against the leader"
    } else {
        ""
    };
    let on = format!("`{new}` against `{old}` at {cases} {anchors} of its backtest{cautious}");
    Ok(Change { share: share_of(saved, loss), cases, on, clash: None })
}

/// As a share of a loss.
fn share_of(saved: Estimate, loss: f64) -> Estimate {
    // nothing is better than no loss at all, and any loss is far worse
    let share = |x: f64| if loss > 0.0 { x / loss } else { x.signum().min(0.0) * f64::from(u8::from(x != 0.0)) };
    Estimate { mid: share(saved.mid), lo: share(saved.lo), hi: share(saved.hi) }
}

#[cfg(test)]
mod tests {
    use guike_eval::Interval;
    use guike_eval::selection::{Criterion, Reason};

    use super::*;

    /// Name, loss, and extra loss over the leader with its ends.
    type Stands = (&'static str, f64, Option<(f64, f64, f64)>);

    fn selection(standings: &[Stands]) -> Selection {
        let standing = |&(name, loss, extra): &Stands| Standing {
            name: name.to_owned(),
            complexity: 1,
            loss: Some(loss),
            parts: None,
            scores: Vec::new(),
            against_leader: extra.map(|(value, lo, hi)| Interval { value, lo, hi }),
            as_good: false,
            failure: None,
        };
        Selection {
            selected: standings[0].0.to_owned(),
            reason: Reason::Best { loss: standings[0].1, runner_up: None, margin: None },
            text_en: String::new(),
            text_zh: String::new(),
            standings: standings.iter().map(standing).collect(),
            criterion: Criterion::default(),
        }
    }

    #[test]
    fn a_method_is_compared_through_the_leader_and_in_the_right_direction() {
        let s = selection(&[
            ("best", 0.50, None),
            ("good", 0.52, Some((0.02, 0.01, 0.03))),
            ("bad", 0.60, Some((0.10, 0.05, 0.15))),
        ]);
        let change = |old: &str, new: &str| {
            let share = between(&s, old, new).map(|c| c.share).expect("comparable");
            [share.lo, share.mid, share.hi].map(|x| (x * 1e4).round() / 1e4)
        };
        assert_eq!(change("good", "best"), [0.0192, 0.0385, 0.0577]);
        assert_eq!(change("best", "good"), [-0.06, -0.04, -0.02]);
        // neither leads: the ends of both intervals
        assert_eq!(change("bad", "good"), [0.0333, 0.1333, 0.2333]);
        assert_eq!(change("good", "good"), [0.0; 3]);
        assert!(between(&s, "gone", "best").err().expect("not there").contains("`gone` took no part"));
    }

    #[test]
    fn a_share_of_no_loss_is_no_number_to_divide_by() {
        let e = |x: f64| share_of(Estimate { mid: x, lo: x, hi: x }, 0.0).mid;
        assert_eq!((e(0.0), e(-3.0)), (0.0, -1.0));
    }
}
