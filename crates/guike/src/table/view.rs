//! What the page about a training shows, from what the training found.

use guike_explain::{Interval, importance};

use crate::report::training::{Shown, TrainingView, Tried};
use crate::report::view::Bilingual;
use crate::run::Language;

use super::figures::{keys, words};
use super::learners;
use super::settings::TableSettings;
use super::target::Outcome;
use super::train::{Findings, YARDSTICK, at};

/// Columns that the picture of importance shows.
const MOST_SHOWN: usize = 15;

pub(super) fn view(
    f: &Findings,
    settings: &TableSettings,
    source: &str,
    language: Language,
    config: String,
) -> TrainingView {
    let outcome = &f.target.outcome;
    let k = outcome.task().n_outputs();
    let rows: Vec<usize> = if f.plan.test.is_empty() {
        f.plan.folds.iter().flat_map(|s| s.test.iter().copied()).collect()
    } else {
        f.plan.test.clone()
    };
    let p = at(&f.predicted, &rows, k);
    let y: Vec<f64> = rows.iter().map(|&i| f.target.y[i]).collect();
    let judged = f.tested.as_ref().unwrap_or(&f.cross_validated);
    let shown = match outcome {
        Outcome::Regression => Shown::Numbers { predicted: p, actual: y },
        Outcome::Classification { classes, positive: Some(c) } => Shown::Binary {
            positive: classes[*c].clone(),
            negative: classes[1 - c].clone(),
            score: p.chunks_exact(k).map(|r| r[*c]).collect(),
            happened: y.iter().map(|&v| v as usize == *c).collect(),
            threshold: f.decision.threshold,
            costs: (f.decision.cost_fp, f.decision.cost_fn),
        },
        Outcome::Classification { classes, positive: None } => Shown::Classes {
            names: classes.clone(),
            counts: judged.confusion.clone(),
            actual: y.iter().map(|&v| v as usize).collect(),
            probabilities: p,
        },
    };
    let more: Vec<&str> = keys(outcome).iter().copied().filter(|k| *k != "log_loss").take(4).collect();
    let best = f.candidates.iter().filter_map(|c| c.loss).fold(f64::INFINITY, f64::min);
    let candidates = f
        .candidates
        .iter()
        .map(|c| Tried {
            name: c.name.clone(),
            idea: match learners::named(&c.name) {
                Some(e) => Bilingual::new(e.idea, e.idea_zh),
                None if c.name == YARDSTICK => Bilingual::new(
                    "the average for everybody: what every learner must beat",
                    "对所有行都给出平均值：每个模型都必须胜过它",
                ),
                None => Bilingual::default(),
            },
            loss: Interval {
                mid: c.loss.unwrap_or(f64::NAN),
                lo: best + c.extra.map_or(0.0, |e| e.lo),
                hi: best + c.extra.map_or(0.0, |e| e.hi),
            },
            yardstick: c.yardstick,
            more: more
                .iter()
                .map(|m| c.figures.as_ref().and_then(|x| x.values.get(m).copied()).unwrap_or(f64::NAN))
                .collect(),
            failure: c.failure.clone(),
        })
        .collect();
    let figures = keys(outcome)
        .iter()
        .filter_map(|key| {
            let (name, meaning) = words(key);
            Some((name, meaning, guike_explain::text::grouped(*judged.values.get(key)?, 4)))
        })
        .collect();
    let same = |t: &String| Bilingual::same(t.clone());
    let mut columns: Vec<(String, Bilingual)> = f
        .features
        .inputs
        .iter()
        .map(|c| {
            let (en, zh) = match c.kind {
                guike_data::CellKind::Number => ("numbers", "数值"),
                guike_data::CellKind::Category => ("categories", "类别"),
                guike_data::CellKind::Date(_) => ("dates, as days", "日期（按天计）"),
            };
            (c.name.clone(), Bilingual::new(en, zh))
        })
        .collect();
    columns
        .extend(f.features.left_out.iter().map(|l| (l.name.clone(), Bilingual::new(l.why.words(), l.why.words_zh()))));
    TrainingView {
        lang: language.lang(),
        source: source.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        target: settings.target.clone(),
        n_rows: f.target.y.len() as u64,
        n_inputs: f.features.inputs.len() as u64,
        chosen: f.chosen.name.to_owned(),
        why: Bilingual::new(capital(&f.why[0]), format!("{}。", f.why[1])),
        warnings: f.bilingual_warnings(settings),
        notes: f.read_notes.iter().chain(&f.notes).map(same).collect(),
        candidates,
        loss: match outcome {
            Outcome::Regression => Bilingual::new("mean squared error", "均方误差"),
            Outcome::Classification { .. } => Bilingual::new("log loss", "对数损失"),
        },
        more: more.iter().map(|m| words(m).0).collect(),
        tested: f.tested.is_some(),
        n_tested: rows.len() as u64,
        figures,
        shown,
        importance: f
            .importance
            .iter()
            .take(MOST_SHOWN)
            .map(|i| importance::Importance {
                name: i.column.clone(),
                weight: Interval { mid: i.loss.mid, lo: i.loss.lo, hi: i.loss.hi },
            })
            .collect(),
        importance_is: Bilingual::new(
            "How much worse the mean loss gets when the cells of one column are shuffled among the rows, with its 95% interval.",
            "把某一列的单元格在各行之间打乱后，平均损失变差多少，附 95% 区间。",
        ),
        pictures: f.pictures.clone(),
        columns,
        config,
        steps: steps(f, settings),
    }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |c| c.to_uppercase().chain(chars).collect::<String>() + ".")
}

fn steps(f: &Findings, settings: &TableSettings) -> Vec<Bilingual> {
    let (folds, test) = (f.plan.folds.len(), f.plan.test.len());
    let split = if settings.time.is_some() {
        Bilingual::new(
            format!(
                "The newest {test} rows were kept apart. The others were divided in time into {folds} folds, each predicted by models that saw only older rows."
            ),
            format!("最新的 {test} 行留作检验。其余各行按时间分为 {folds} 折，每折只由见过更早数据的模型预测。"),
        )
    } else {
        Bilingual::new(
            format!(
                "{test} rows were drawn and kept apart. The others were divided into {folds} folds with equal shares of every class or size, and every fold was predicted by models that saw only the others."
            ),
            format!(
                "抽取 {test} 行留作检验。其余各行分为 {folds} 折，各类别（或大小）占比一致，每折只由见过其余各折的模型预测。"
            ),
        )
    };
    vec![
        split,
        Bilingual::new(
            "Filling, scaling and coding of columns are learned anew in every fold, from the rows that learn.",
            "各列的填补、缩放与编码在每一折中都只从训练行重新学习。",
        ),
        Bilingual::new(
            "Probabilities are calibrated by the out-of-fold predictions before learners are compared. The simplest learner within one standard error and 2% of the lowest loss is chosen.",
            "比较之前先用折外预测校准概率。在最低损失的一个标准误且 2% 之内，选择最简单的模型。",
        ),
        Bilingual::new(
            "The saved model has the same recipe and is fitted on all labelled rows.",
            "保存的模型采用相同做法，并用全部有标签的行重新拟合。",
        ),
    ]
}
