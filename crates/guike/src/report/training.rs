//! The page about a model that was learned from a table: what it can do, how that is known, and what it looks at.
//!
//! As for the main report, [`TrainingView`] is plain data and everything else is made from it; the page has the same
//! template, languages and themes.

use askama::Template;
use guike_explain::calibration::{calibration, groups};
use guike_explain::candidates::{Candidate, candidates};
use guike_explain::importance::{Importance, importance};
use guike_explain::text::grouped;
use guike_explain::{Frame, Interval, Lang, scatter};

use super::page::{Block, Figure, Section, Table, Text, Tile, numbers, words};
use super::view::Bilingual;
use super::words::{self as w, word};
use super::{Head, Html, ReportError};

/// Everything the page shows.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainingView {
    /// Language shown first.
    pub lang: Lang,
    /// Name of the table's file.
    pub source: String,
    /// Version of Guike.
    pub version: String,
    /// Name of the target.
    pub target: String,
    /// Labelled rows.
    pub n_rows: u64,
    /// Columns learned from.
    pub n_inputs: u64,
    /// The chosen learner's name, and why it was chosen.
    pub chosen: String,
    /// Why, in a sentence.
    pub why: Bilingual,
    /// What a careful reader must know before anything else: leaks, too few rows.
    pub warnings: Vec<Bilingual>,
    /// Remarks.
    pub notes: Vec<Bilingual>,
    /// Every candidate, best first.
    pub candidates: Vec<Tried>,
    /// What the candidates' loss is called.
    pub loss: Bilingual,
    /// Names of the further figures of the candidates.
    pub more: Vec<Bilingual>,
    /// Whether the rows behind `figures` and the pictures took no part in learning or choosing; else they are out of fold.
    pub tested: bool,
    /// Rows behind the pictures.
    pub n_tested: u64,
    /// Names and values of the figures.
    pub figures: Vec<(Bilingual, Bilingual, String)>,
    /// Rows behind the pictures: what was predicted and what is true.
    pub shown: Shown,
    /// Columns by importance, most important first, with its interval; and what the number is.
    pub importance: Vec<Importance>,
    /// What `importance` measures, as a sentence.
    pub importance_is: Bilingual,
    /// Further pictures, such as the SHAP summary: title, picture, caption.
    pub pictures: Vec<(Bilingual, Bilingual, Bilingual)>,
    /// Every input: name, kind, and who is left out and why.
    pub columns: Vec<(String, Bilingual)>,
    /// Settings, as text.
    pub config: String,
    /// How it was done, in sentences.
    pub steps: Vec<Bilingual>,
}

/// A candidate.
#[derive(Debug, Clone, PartialEq)]
pub struct Tried {
    /// Its name.
    pub name: String,
    /// What it is, in a line.
    pub idea: Bilingual,
    /// Its loss with the interval of the difference from the best.
    pub loss: Interval,
    /// Whether it is only a yardstick.
    pub yardstick: bool,
    /// Further figures, as `more` names them.
    pub more: Vec<f64>,
    /// Why it could not be used.
    pub failure: Option<String>,
}

/// Predictions beside the truth.
#[derive(Debug, Clone, PartialEq)]
pub enum Shown {
    /// Probability of the positive class, whether it is true, and the threshold.
    Binary {
        /// Name of the positive class.
        positive: String,
        /// Name of the other.
        negative: String,
        /// Probabilities.
        score: Vec<f64>,
        /// Truth.
        happened: Vec<bool>,
        /// From which probability a row is called positive.
        threshold: f64,
        /// What a false alarm costs, and what a missed case costs.
        costs: (f64, f64),
    },
    /// `counts[actual][predicted]`.
    Classes {
        /// Names.
        names: Vec<String>,
        /// Counts.
        counts: Vec<Vec<u64>>,
        /// Probabilities, one row of classes after the other.
        probabilities: Vec<f64>,
        /// Class of each row.
        actual: Vec<usize>,
    },
    /// Numbers.
    Numbers {
        /// Predicted.
        predicted: Vec<f64>,
        /// Actual.
        actual: Vec<f64>,
    },
}

/// The page as one self-contained HTML text.
///
/// # Errors
/// [`ReportError`]; in practice never.
pub fn render_training(view: &TrainingView) -> Result<String, ReportError> {
    let head = Head {
        lang: view.lang,
        source: &view.source,
        version: &view.version,
        title: word("What predicts {target}", "如何预测 {target}").with(&[("target", Text::same(&view.target))]),
        facts: vec![
            (word("Table", "数据表").text(), Text::same(&view.source)),
            (word("Rows", "行数").text(), Text::same(guike_explain::text::count(view.n_rows))),
            (word("Columns learned from", "使用的列").text(), Text::same(view.n_inputs.to_string())),
            (word("Model", "模型").text(), Text::same(&view.chosen)),
        ],
    };
    let sections = vec![answer(view), compared(view), tested(view), why(view), data(view), method(view)];
    Ok(Html::new(head, sections).render()?)
}

fn text(b: &Bilingual) -> Text {
    Text::from(b)
}

fn answer(view: &TrainingView) -> Section {
    let lead = if view.tested {
        word(
            "**{model}** was chosen to predict {target}; these are its figures on **{n}** rows that took no part in learning or choosing.",
            "选定 **{model}** 来预测 {target}；以下是它在未参与训练和选择的 **{n}** 行上的表现。",
        )
    } else {
        word(
            "**{model}** was chosen to predict {target}; these are its figures on **{n}** rows, each predicted by a model that had not seen it.",
            "选定 **{model}** 来预测 {target}；以下是它在 **{n}** 行上的表现，每一行都由未见过它的模型预测。",
        )
    };
    let lead = lead.with(&[
        ("model", Text::same(&view.chosen)),
        ("target", Text::same(&view.target)),
        ("n", Text::same(guike_explain::text::count(view.n_tested))),
    ]);
    let tiles = view
        .figures
        .iter()
        .take(4)
        .map(|(name, detail, value)| Tile { name: text(name), value: Text::same(value), detail: text(detail) })
        .collect();
    let mut blocks = vec![Block::Tiles(tiles)];
    blocks.extend(view.warnings.iter().map(|t| Block::Note(true, text(t))));
    Section { id: "answer", title: w::ANSWER.text(), lead: vec![lead], blocks }
}

fn compared(view: &TrainingView) -> Section {
    let draw = |width: f64| {
        move |lang: Lang| {
            let rows: Vec<Candidate> = view
                .candidates
                .iter()
                .map(|c| Candidate {
                    name: c.name.clone(),
                    score: c.loss,
                    baseline: c.yardstick,
                    chosen: c.name == view.chosen,
                })
                .collect();
            let title = word("Candidates", "候选模型").pick(lang);
            candidates(&rows, 4, &Frame::new(lang, title, view.loss.pick(lang), "").wide(width))
        }
    };
    let mut head =
        vec![words(word("Model", "模型").text()), words(word("Idea", "思路").text()), numbers(text(&view.loss))];
    head.extend(view.more.iter().map(|m| numbers(text(m))));
    let mut table = Table::new(head);
    for c in &view.candidates {
        let idea = c.failure.as_ref().map_or_else(|| text(&c.idea), Text::same);
        let mut cells = vec![Text::same(&c.name), idea, Text::same(grouped(c.loss.mid, 4))];
        cells.extend((0..view.more.len()).map(|k| Text::same(grouped(c.more.get(k).copied().unwrap_or(f64::NAN), 4))));
        table.marked_row(cells, c.name == view.chosen);
    }
    let caption = word(
        "Every candidate predicted the same rows out of fold; lower is better. Whiskers are the 95% interval of the difference from the best one.",
        "所有候选模型都对相同的行做了折外预测；越低越好。须线为与最佳模型之差的 95% 区间。",
    );
    let figure = Figure::new(word("Candidates", "候选模型").text(), draw(480.0), caption.text()).wide(draw(900.0));
    let lead = vec![text(&view.why)];
    let title = word("What was compared", "模型比较").text();
    Section { id: "compared", title, lead, blocks: vec![Block::Figures(vec![figure]), Block::Table(table)] }
}

fn tested(view: &TrainingView) -> Section {
    let figures = match &view.shown {
        Shown::Binary { positive, negative, score, happened, threshold, costs } => {
            super::classification::binary(positive, negative, score, happened, *threshold, *costs)
        }
        Shown::Classes { names, counts, probabilities, actual } => {
            super::classification::several(names, counts, probabilities, actual)
        }
        Shown::Numbers { predicted, actual } => of_numbers(&view.target, predicted, actual),
    };
    let mut table = Table::new(vec![
        words(word("Figure", "指标").text()),
        words(word("What it says", "含义").text()),
        numbers(word("Value", "数值").text()),
    ]);
    for (name, detail, value) in &view.figures {
        table.row(vec![text(name), text(detail), Text::same(value)]);
    }
    let blocks = vec![Block::Figures(figures), Block::Table(table)];
    Section { id: "tested", title: word("How good it is", "效果如何").text(), lead: Vec::new(), blocks }
}

fn of_numbers(target: &str, predicted: &[f64], actual: &[f64]) -> Vec<Figure> {
    let rows = groups(predicted, actual, 10);
    let by_group = word("Predicted and actual by group", "分组预测与实际");
    let one_by_one = word("Row by row", "逐行对照");
    let groups_figure = Figure::new(
        by_group.text(),
        |lang| {
            let x = word("group of rows by prediction, lowest first", "按预测值分组（由低到高）").pick(lang);
            calibration(&rows, &Frame::new(lang, by_group.pick(lang), x, target))
        },
        word("Rows in ten groups of equal size by prediction.", "按预测值把各行等分为十组。").text(),
    );
    let scatter_figure = Figure::new(
        one_by_one.text(),
        |lang| {
            let (x, y) = (word("predicted", "预测").pick(lang), word("actual", "实际").pick(lang));
            scatter::scatter(predicted, actual, &Frame::new(lang, one_by_one.pick(lang), x, y))
        },
        word("Each row at its prediction and its true value.", "每一行按其预测值与实际值绘出。").text(),
    );
    vec![groups_figure, scatter_figure]
}

fn why(view: &TrainingView) -> Section {
    let title = word("What matters", "重要的列");
    let mut figures = Vec::new();
    if !view.importance.is_empty() {
        let draw = |lang: Lang| {
            let x = word("importance", "重要性").pick(lang);
            importance(&view.importance, &Frame::new(lang, title.pick(lang), x, ""))
        };
        let mut table =
            Table::new(vec![words(word("Column", "列").text()), numbers(word("Importance", "重要性").text())]);
        for i in &view.importance {
            table.row(vec![Text::same(&i.name), Text::same(grouped(i.weight.mid, 4))]);
        }
        figures.push(
            Figure::new(word("Columns by importance", "列的重要性").text(), draw, text(&view.importance_is))
                .table(table),
        );
    }
    for (name, picture, caption) in &view.pictures {
        figures.push(Figure::new(text(name), |lang| picture.pick(lang).to_owned(), text(caption)));
    }
    Section { id: "why", title: title.text(), lead: Vec::new(), blocks: vec![Block::Figures(figures)] }
}

fn data(view: &TrainingView) -> Section {
    let mut table = Table::new(vec![words(word("Column", "列").text()), words(word("How it was used", "用法").text())]);
    for (name, how) in &view.columns {
        table.row(vec![Text::same(name), text(how)]);
    }
    let mut blocks: Vec<Block> = view.notes.iter().map(|n| Block::Note(false, text(n))).collect();
    blocks.push(Block::Table(table));
    Section { id: "data", title: word("The data", "数据").text(), lead: Vec::new(), blocks }
}

fn method(view: &TrainingView) -> Section {
    let mut blocks: Vec<Block> = view.steps.iter().map(|s| Block::Prose(text(s))).collect();
    blocks.push(Block::Verbatim(w::CONFIG.text(), view.config.clone()));
    Section { id: "method", title: w::METHOD.text(), lead: Vec::new(), blocks }
}
