//! `guike train`: from a table with a target to a model that was chosen by evidence.

use guike_core::folds::Split;
use guike_core::{FitContext, FitError, Progress, Table};
use guike_data::{CellKind, LogFile, TableRead, read_table};
use serde::Serialize;

use crate::error::Error;
use crate::report::view::Bilingual;
use crate::settings::AUTO;

use super::calibrate::Calibrator;
use super::choose::{Choice, Contender, Estimate, choose, estimate};
use super::columns::{Features, LeftOut, divide};
use super::explain::{self, Outline};
use super::figures::{Decision, Figures, figures, losses};
use super::importance::permutation;
use super::leaks::{Leak, Moments};
use super::learners::{self, Entry};
use super::output::Importance;
use super::pipeline::{self, Fitted, Prepared};
use super::rows;
use super::settings::TableSettings;
use super::split::{Plan, Rows, in_time};
use super::standing::{Kept, Standing};
use super::target::{self, Outcome, Target};

/// Name of the yardstick: the mean, or the share of every class, for everybody.
pub(super) const YARDSTICK: &str = "no-model";

/// A learner that was tried.
#[derive(Debug, Clone, Serialize)]
pub(super) struct CandidateResult {
    /// Its name.
    pub name: String,
    /// Figures out of fold; `None` when it failed.
    pub figures: Option<Figures>,
    /// Mean loss out of fold.
    pub loss: Option<f64>,
    /// Mean extra loss over the best candidate's, with its 95 % interval over rows or groups.
    pub extra: Option<Estimate>,
    /// Whether it is the model.
    pub chosen: bool,
    /// Whether it is only a yardstick.
    pub yardstick: bool,
    /// Why it could not be fitted.
    pub failure: Option<String>,
}

/// What a labelled row was used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Part {
    /// Judged in this fold of the cross-validation, from 1; learned from in the others.
    Fold(usize),
    /// Kept apart until the end.
    Test,
    /// Only learned from: the oldest rows of folds in time.
    Learned,
}

/// Everything that training found out.
#[derive(Debug)]
pub(super) struct Findings {
    /// Remarks of the reading, rows.
    pub(super) read_notes: Vec<String>,
    pub(super) rows_read: u64,
    pub(super) target: Target,
    pub(super) features: Features,
    /// The labelled rows' ids.
    pub(super) ids: Option<Vec<String>>,
    /// The labelled rows' groups, where rows come in groups.
    pub(super) groups: Option<Vec<u32>>,
    pub(super) plan: Plan,
    pub(super) part: Vec<Part>,
    pub(super) candidates: Vec<CandidateResult>,
    pub(super) chosen: &'static Entry,
    pub(super) why: [String; 2],
    /// Calibrated predictions of rows that were not learned from; NaN for rows that were only learned from.
    pub(super) predicted: Vec<f64>,
    pub(super) decision: Decision,
    /// Figures of the chosen one, out of fold and on the rows kept apart.
    pub(super) cross_validated: Figures,
    pub(super) tested: Option<Figures>,
    /// Where predictions stand, learned out of fold, and how its intervals did on the rows kept apart.
    pub(super) standing: Standing,
    pub(super) intervals: Option<Kept>,
    /// Fitted on every labelled row: what is saved.
    pub(super) model: Fitted,
    pub(super) leaks: Vec<Leak>,
    pub(super) importance: Vec<Importance>,
    /// The model that is saved as a small tree.
    pub(super) outline: Option<Outline>,
    /// Further pictures for the page: title, picture, caption.
    pub(super) pictures: Vec<(Bilingual, Bilingual, Bilingual)>,
    pub(super) notes: Vec<String>,
}

/// The columns of the file, by the kinds that the settings ask for.
pub(super) fn read(file: &LogFile, settings: &TableSettings, progress: &dyn Progress) -> Result<TableRead, Error> {
    let asked: Vec<(String, CellKind)> = settings.categories.iter().map(|c| (c.clone(), CellKind::Category)).collect();
    Ok(read_table(file, &settings.read, &asked, progress)?)
}

/// A table with its target found and its columns divided.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) read_notes: Vec<String>,
    pub(super) rows_read: u64,
    pub(super) target: Target,
    pub(super) features: Features,
    /// The labelled rows, all columns.
    labelled: Table,
    /// The labelled rows, the columns that are learned from.
    pub(super) data: Table,
    /// Whether the column of moments holds days.
    time_is_days: bool,
}

impl Opened {
    /// Reads the table in `file`.
    pub(super) fn read(file: &LogFile, settings: &TableSettings, progress: &dyn Progress) -> Result<Opened, Error> {
        let TableRead { table, kinds, rows_read, notes: read_notes, .. } = read(file, settings, progress)?;
        let target = target::find(&table, settings)?;
        let features = divide(&table, &kinds, &target.rows, settings)?;
        let labelled = rows::select(&table, &target.rows);
        let data = rows::columns(&labelled, features.inputs.iter().map(|c| c.name.as_str()));
        let time = settings.time.as_ref().and_then(|t| table.columns().iter().position(|c| c.name == *t));
        let time_is_days = time.is_some_and(|t| matches!(kinds[t], CellKind::Date(_)));
        Ok(Opened { read_notes, rows_read, target, features, labelled, data, time_is_days })
    }

    /// Rows kept apart, and folds among the others, divided anew `repeats` times where chance divides them.
    pub(super) fn plan(&self, settings: &TableSettings, repeats: usize) -> Result<Plan, Error> {
        let target = &self.target;
        let plan = match &settings.time {
            Some(name) => in_time(self.moments(name)?, settings.folds, settings.test),
            None => {
                let groups = self.groups(settings);
                let rows = Rows { y: &target.y, outcome: &target.outcome, groups: groups.as_deref() };
                rows.drawn(settings.folds, repeats, settings.test, settings.seed)
            }
        };
        let judged: usize = plan.folds.iter().map(|f| f.test.len()).sum();
        if plan.folds.is_empty() || judged == 0 {
            return Err(Error::NoAnswer(format!(
                "the {} labelled rows cannot be divided into {} folds; lower --folds or --test",
                target.y.len(),
                settings.folds
            )));
        }
        Ok(plan)
    }

    /// The group of each labelled row, where rows come in groups.
    pub(super) fn groups(&self, settings: &TableSettings) -> Option<Vec<u32>> {
        settings.group.as_ref().and_then(|g| self.labelled.column(g)).map(rows::groups)
    }

    /// When each labelled row is of.
    fn moments(&self, name: &str) -> Result<&[f64], Error> {
        self.labelled.column(name).and_then(|c| c.as_numeric()).ok_or_else(|| Error::Config {
            what: "--cutoff-column".to_owned(),
            value: name.to_owned(),
            rule: "its cells are no dates and no numbers; --date-format helps where their order is unclear".to_owned(),
        })
    }

    fn ids(&self) -> Option<Vec<String>> {
        let column = self.features.id.as_ref().and_then(|id| self.labelled.column(id))?;
        Some((0..column.len()).map(|i| rows::text(column, i)).collect())
    }

    /// What a reader should know about rows and columns.
    pub(super) fn notes(&self) -> Vec<String> {
        let left_out = |l: &LeftOut| format!("column `{}` is not learned from: {}", l.name, l.why.words());
        self.target.notes.iter().cloned().chain(self.features.left_out.iter().map(left_out)).collect()
    }
}

/// Learns from the table in `file`.
pub(super) fn learn(file: &LogFile, settings: &TableSettings, progress: &dyn Progress) -> Result<Findings, Error> {
    let opened = Opened::read(file, settings, progress)?;
    let (target, data) = (&opened.target, &opened.data);
    let plan = opened.plan(settings, 1)?;
    let part = parts(&plan, target.y.len());
    let cx = FitContext { seed: settings.seed.derive("train"), progress };
    let task = Work { data, target, settings, cx };

    let entries = candidates(&target.outcome, settings, data.n_rows())?;
    let tried = task.compare(&entries, &plan.folds)?;
    let judged_rows: Vec<usize> = plan.folds.iter().flat_map(|f| f.test.iter().copied()).collect();
    let groups = opened.groups(settings);
    let judged_groups = groups.as_ref().map(|g| judged_rows.iter().map(|&i| g[i]).collect::<Vec<u32>>());
    let (choice, candidates) = task.standings(&entries, &tried, &judged_rows, judged_groups.as_deref())?;
    let entry = entries[choice.chosen];
    let why = reason(&entries, &choice, &candidates, settings);

    let outcome = &target.outcome;
    let k = outcome.task().n_outputs();
    let raw = &tried[choice.chosen].predicted;
    let y_judged: Vec<f64> = judged_rows.iter().map(|&i| target.y[i]).collect();
    let calibrator = Calibrator::fit(&at(raw, &judged_rows, k), &y_judged, outcome);
    let decision = settings.decision();
    let mut predicted = vec![f64::NAN; target.y.len() * k];
    put(&mut predicted, &tried[choice.chosen].calibrated, &judged_rows, k);

    let standing = Standing::fit(&at(&predicted, &judged_rows, k), &y_judged, outcome, &settings.tier_borders)?;

    progress.stage("fit the chosen model", 2);
    let mut judged = task.fit(entry, &plan.train)?;
    judged.calibrator = calibrator.clone();
    progress.advance(1);
    let mut intervals = None;
    let tested = (!plan.test.is_empty()).then(|| {
        let p = judged.predict(&rows::select(data, &plan.test));
        for (slot, &i) in plan.test.iter().enumerate() {
            predicted[i * k..(i + 1) * k].copy_from_slice(&p[slot * k..(slot + 1) * k]);
        }
        let y: Vec<f64> = plan.test.iter().map(|&i| target.y[i]).collect();
        intervals = standing.kept(&p, &y, outcome);
        figures(&p, &y, outcome, &decision)
    });
    let cross_validated = figures(&at(&predicted, &judged_rows, k), &y_judged, outcome, &decision);
    let all: Vec<usize> = (0..target.y.len()).collect();
    let mut model = task.fit(entry, &all)?;
    model.calibrator = calibrator;
    progress.advance(1);

    let notes = opened.notes();
    let cells: Vec<CellKind> = opened.features.inputs.iter().map(|c| c.kind).collect();
    let moments = match &settings.time {
        None => None,
        Some(name) => Some(Moments { at: opened.moments(name)?, days: opened.time_is_days }),
    };
    let leaks = super::leaks::find(data, &cells, target, moments, settings, progress)?;
    // the rows kept apart tell what the model leans on; without any, the rows it learned from must do
    let shown: &[usize] = if plan.test.is_empty() { &all } else { &plan.test };
    let y_shown: Vec<f64> = shown.iter().map(|&i| target.y[i]).collect();
    let seed = settings.seed.derive("importance");
    let importance = permutation(&judged, &rows::select(data, shown), &y_shown, outcome, seed, progress)?;
    let said = model.predict(data);
    let class = explain::class(outcome, &said, None);
    let said: Vec<f64> = said.iter().skip(class).step_by(k).copied().collect();
    let outline = Outline::of(data, &said, settings.seed, progress)?;
    let ids = opened.ids();
    let Opened { read_notes, rows_read, target, features, .. } = opened;
    Ok(Findings {
        read_notes,
        rows_read,
        features,
        ids,
        groups,
        plan,
        part,
        candidates,
        chosen: entry,
        why,
        predicted,
        decision,
        cross_validated,
        tested,
        standing,
        intervals,
        model,
        leaks,
        importance,
        outline,
        pictures: Vec::new(),
        notes,
        target,
    })
}

fn parts(plan: &Plan, n: usize) -> Vec<Part> {
    let mut part = vec![Part::Learned; n];
    for (f, fold) in plan.folds.iter().enumerate() {
        fold.test.iter().for_each(|&i| part[i] = Part::Fold(f + 1));
    }
    plan.test.iter().for_each(|&i| part[i] = Part::Test);
    part
}

/// The learners to try, in order of preference among equals.
pub(super) fn candidates(
    outcome: &Outcome,
    settings: &TableSettings,
    n_rows: usize,
) -> Result<Vec<&'static Entry>, Error> {
    let task = outcome.task();
    if settings.model != AUTO {
        let entry = learners::named(&settings.model)
            .ok_or_else(|| Error::Internal(format!("settings let the model `{}` pass", settings.model)))?;
        if !entry.can(task) {
            let rule = match outcome {
                Outcome::Regression => {
                    "it tells classes apart and cannot predict a number; `guike models` says what each can"
                }
                Outcome::Classification { .. } => {
                    "it predicts numbers and cannot tell classes apart; `guike models` says what each can"
                }
            };
            return Err(Error::Config {
                what: "--model".to_owned(),
                value: settings.model.clone(),
                rule: rule.to_owned(),
            });
        }
        return Ok(vec![entry]);
    }
    Ok(learners::ALL.iter().filter(|e| e.is_tried(settings.budget, n_rows) && e.can(task)).collect())
}

/// Out-of-fold predictions of one candidate.
pub(super) struct Tried {
    /// As the learner gave them; NaN for rows that no fold judges.
    pub(super) predicted: Vec<f64>,
    /// Calibrated, each fold by the other folds.
    pub(super) calibrated: Vec<f64>,
    pub(super) failure: Option<String>,
}

/// What every fit needs.
pub(super) struct Work<'a> {
    pub(super) data: &'a Table,
    pub(super) target: &'a Target,
    pub(super) settings: &'a TableSettings,
    pub(super) cx: FitContext<'a>,
}

impl Work<'_> {
    /// Every candidate's predictions of every fold by models that saw only the other folds.
    fn compare(&self, entries: &[&'static Entry], folds: &[Split]) -> Result<Vec<Tried>, Error> {
        let n = self.target.y.len();
        let k = self.target.outcome.task().n_outputs();
        let mut tried: Vec<Tried> = entries
            .iter()
            .map(|_| Tried { predicted: vec![f64::NAN; n * k], calibrated: Vec::new(), failure: None })
            .collect();
        self.cx.progress.stage("compare learners", (entries.len() * folds.len()) as u64);
        for (f, fold) in folds.iter().enumerate() {
            let seed = self.cx.seed.at(f as u64);
            let cx = FitContext { seed, ..self.cx };
            let mut prepared = pipeline::Shared::new(self.data, fold, self.target, self.settings);
            for (entry, result) in entries.iter().zip(&mut tried).filter(|(_, r)| r.failure.is_none()) {
                cx.progress.check()?;
                match prepared.fit_and_predict(entry, self.settings, &cx) {
                    Ok(p) => {
                        for (slot, &i) in fold.test.iter().enumerate() {
                            result.predicted[i * k..(i + 1) * k].copy_from_slice(&p[slot * k..(slot + 1) * k]);
                        }
                    }
                    Err(FitError::Cancelled(_)) => return Err(Error::Interrupted),
                    Err(e) => result.failure = Some(e.to_string()),
                }
                cx.progress.advance(1);
            }
        }
        for result in &mut tried {
            result.calibrated = self.cross_calibrated(&result.predicted, folds);
        }
        Ok(tried)
    }

    /// Calibrated predictions in the order of the folds' test rows; each fold's calibration is learned from the others.
    fn cross_calibrated(&self, predicted: &[f64], folds: &[Split]) -> Vec<f64> {
        let (k, outcome) = (self.target.outcome.task().n_outputs(), &self.target.outcome);
        let mut out = Vec::with_capacity(predicted.len());
        for (f, fold) in folds.iter().enumerate() {
            let others: Vec<usize> =
                folds.iter().enumerate().filter(|(g, _)| *g != f).flat_map(|(_, s)| s.test.iter().copied()).collect();
            let y: Vec<f64> = others.iter().map(|&i| self.target.y[i]).collect();
            let calibrator = Calibrator::fit(&at(predicted, &others, k), &y, outcome);
            out.extend(calibrator.apply(&at(predicted, &fold.test, k), k));
        }
        out
    }

    fn standings(
        &self,
        entries: &[&'static Entry],
        tried: &[Tried],
        judged: &[usize],
        groups: Option<&[u32]>,
    ) -> Result<(Choice, Vec<CandidateResult>), Error> {
        let outcome = &self.target.outcome;
        let y: Vec<f64> = judged.iter().map(|&i| self.target.y[i]).collect();
        let decision = self.settings.decision();
        let loss: Vec<Vec<f64>> = tried
            .iter()
            .map(|t| if t.failure.is_some() { vec![f64::NAN; y.len()] } else { losses(&t.calibrated, &y, outcome) })
            .collect();
        let contenders: Vec<Contender<'_>> =
            entries.iter().zip(&loss).map(|(e, l)| Contender { losses: l, complexity: e.complexity }).collect();
        let Some(choice) = choose(&contenders, groups) else {
            let why: Vec<String> = entries
                .iter()
                .zip(tried)
                .map(|(e, t)| {
                    format!("{}: {}", e.name, t.failure.as_deref().unwrap_or("its predictions are no numbers"))
                })
                .collect();
            return Err(Error::NoAnswer(format!("no learner could learn from this table ({})", why.join("; "))));
        };
        let mean = |v: &[f64]| Some(v.iter().sum::<f64>() / v.len() as f64).filter(|m| m.is_finite());
        let mut list: Vec<CandidateResult> = entries
            .iter()
            .zip(tried)
            .enumerate()
            .map(|(i, (e, t))| CandidateResult {
                name: e.name.to_owned(),
                figures: t.failure.is_none().then(|| figures(&t.calibrated, &y, outcome, &decision)),
                loss: mean(&loss[i]),
                extra: Some(choice.extra[i]).filter(|x| x.mid.is_finite()),
                chosen: i == choice.chosen,
                yardstick: false,
                failure: t.failure.clone(),
            })
            .collect();
        let nothing = self.yardstick(judged);
        let best = &loss[choice.best];
        let own = losses(&nothing, &y, outcome);
        let extra: Vec<f64> = own.iter().zip(best).map(|(a, b)| a - b).collect();
        list.push(CandidateResult {
            name: YARDSTICK.to_owned(),
            figures: Some(figures(&nothing, &y, outcome, &decision)),
            loss: mean(&own),
            extra: Some(estimate(&extra, groups)),
            chosen: false,
            yardstick: true,
            failure: None,
        });
        list.sort_by(|a, b| a.loss.unwrap_or(f64::INFINITY).total_cmp(&b.loss.unwrap_or(f64::INFINITY)));
        Ok((choice, list))
    }

    /// Everybody's mean, or everybody's shares of the classes.
    fn yardstick(&self, judged: &[usize]) -> Vec<f64> {
        let n = judged.len() as f64;
        let one: Vec<f64> = match &self.target.outcome {
            Outcome::Regression => vec![judged.iter().map(|&i| self.target.y[i]).sum::<f64>() / n],
            Outcome::Classification { classes, .. } => (0..classes.len())
                .map(|c| judged.iter().filter(|&&i| self.target.y[i] as usize == c).count() as f64 / n)
                .collect(),
        };
        judged.iter().flat_map(|_| one.iter().copied()).collect()
    }

    /// Losses of the rows kept apart under the learner fitted on `train` and calibrated by its predictions of the folds.
    pub(super) fn loss_apart(
        &self,
        entry: &'static Entry,
        train: &[usize],
        folds: &[Split],
        apart: &[usize],
    ) -> Result<Vec<f64>, Error> {
        let (outcome, k) = (&self.target.outcome, self.target.outcome.task().n_outputs());
        let labels = |rows: &[usize]| rows.iter().map(|&i| self.target.y[i]).collect::<Vec<f64>>();
        let tried = self.compare(&[entry], folds)?;
        let judged: Vec<usize> = folds.iter().flat_map(|f| f.test.iter().copied()).collect();
        let mut fitted = self.fit(entry, train)?;
        fitted.calibrator = Calibrator::fit(&at(&tried[0].predicted, &judged, k), &labels(&judged), outcome);
        Ok(losses(&fitted.predict(&rows::select(self.data, apart)), &labels(apart), outcome))
    }

    /// The learner fitted on these rows.
    pub(super) fn fit(&self, entry: &'static Entry, train: &[usize]) -> Result<Fitted, Error> {
        let prepared = Prepared::fit(self.data, self.target, train, entry.wants(), self.settings);
        Ok(prepared.learn(entry, self.target, train, self.settings, &self.cx)?)
    }
}

/// The predictions of these rows, `k` each.
pub(super) fn at(predicted: &[f64], rows: &[usize], k: usize) -> Vec<f64> {
    rows.iter().flat_map(|&i| predicted[i * k..(i + 1) * k].iter().copied()).collect()
}

fn put(all: &mut [f64], some: &[f64], rows: &[usize], k: usize) {
    for (slot, &i) in rows.iter().enumerate() {
        all[i * k..(i + 1) * k].copy_from_slice(&some[slot * k..(slot + 1) * k]);
    }
}

fn reason(
    entries: &[&Entry],
    choice: &Choice,
    candidates: &[CandidateResult],
    settings: &TableSettings,
) -> [String; 2] {
    let chosen = entries[choice.chosen].name;
    if settings.model != AUTO {
        return ["it was asked for".to_owned(), "按要求使用".to_owned()];
    }
    let n = candidates.iter().filter(|c| !c.yardstick && c.failure.is_none()).count();
    if choice.chosen == choice.best {
        return [
            format!("{chosen} has the lowest loss of {n} learners out of fold"),
            format!("{chosen} 在 {n} 个模型中折外损失最低"),
        ];
    }
    let best = entries[choice.best].name;
    [
        format!(
            "{best} has the lowest loss of {n} learners out of fold, and {chosen} is simpler and within one standard error of it"
        ),
        format!("{best} 在 {n} 个模型中折外损失最低，而 {chosen} 更简单，且与其相差在一个标准误之内"),
    ]
}

impl Findings {
    /// What a careful reader must know first.
    pub(super) fn warnings(&self, settings: &TableSettings) -> Vec<String> {
        self.bilingual_warnings(settings).into_iter().map(|w| w.en).collect()
    }

    pub(super) fn bilingual_warnings(&self, settings: &TableSettings) -> Vec<Bilingual> {
        let mut warnings: Vec<Bilingual> = self.leaks.iter().map(|l| l.words(&settings.target)).collect();
        // the best candidate cannot be told from knowing nothing
        let yardstick = self.candidates.iter().find(|c| c.yardstick).and_then(|c| c.extra);
        if yardstick.is_some_and(|extra| extra.lo <= 0.0) {
            warnings.push(Bilingual::new(
                "no learner predicts the target better than its average does; these columns say nothing about it that could be shown",
                "没有模型比直接用平均值预测得更好；看不出这些列与目标有关",
            ));
        }
        warnings
    }
}
