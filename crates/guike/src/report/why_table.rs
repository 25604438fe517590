//! The page and the words about an explanation of a model on tables: one row, or the model in all.

use guike_explain::beeswarm::{Swarm, beeswarm};
use guike_explain::dependence_picture::{Curves, Places, curves};
use guike_explain::importance::{Importance, importance};
use guike_explain::interaction_map::interaction_map;
use guike_explain::text::{compact, count, grouped, percent};
use guike_explain::waterfall::{Step, waterfall};
use guike_explain::{Frame, Interval, Lang, Measure};

use super::page::{Block, Figure, Section, Table, Text, numbers, words};
use super::words::{self as w, Word, word};
use super::{why_change, why_line, why_rules};
use crate::table::explain::{About, ColumnCurves, Method, NamedTree, RowExplanation, TableExplanation, TreeRule, Unit};

/// Parts of a row that are told one by one; the rest are added up.
const TOLD: usize = 12;
/// Columns in the pictures of all rows.
const SHOWN: usize = 12;
/// From this share on, the mean curve hides more than it shows.
const MISLEADING: f64 = 0.5;

/// What is predicted; a model that LightGBM saved does not know its name.
pub(super) fn target(about: &About) -> Text {
    if about.target.is_empty() { word("the target", "目标值").text() } else { Text::same(&about.target) }
}

/// What the parts add up in.
fn unit(about: &About) -> Text {
    let class = ("class", Text::same(about.class.clone().unwrap_or_default()));
    let target = ("target", target(about));
    match about.unit {
        Unit::Number => word("{target}", "{target}").with(&[target]),
        Unit::LogNumber => word("logarithm of {target}", "{target} 的对数").with(&[target]),
        Unit::Probability => word("probability of {class}", "{class} 的概率").with(&[class]),
        Unit::LogOdds => word("log-odds of {class}", "{class} 的对数几率").with(&[class]),
        Unit::Score => word("score of {class}", "{class} 的得分").with(&[class]),
    }
}

/// A part as people read it: an amount, points of probability, or a factor.
pub(super) fn told(about: &About, v: f64) -> Text {
    let signed = |text: String| if v > 0.0 { format!("+{text}") } else { text };
    match about.unit {
        Unit::Number | Unit::Score => Text::each(|lang| signed(compact(v, lang))),
        Unit::Probability => {
            word("{p} points", "{p} 个百分点").with(&[("p", Text::same(signed(grouped(100.0 * v, 1))))])
        }
        Unit::LogOdds => word("odds × {f}", "几率 × {f}").with(&[("f", Text::same(grouped(v.exp(), 2)))]),
        Unit::LogNumber => Text::same(format!("× {}", grouped(v.exp(), 2))),
    }
}

/// A base or an end as people read it.
pub(super) fn level(about: &About, v: f64) -> Text {
    match about.unit {
        Unit::Number | Unit::Score => Text::each(|lang| compact(v, lang)),
        Unit::Probability => Text::same(percent(v)),
        Unit::LogOdds => Text::same(percent(1.0 / (1.0 + (-v).exp()))),
        Unit::LogNumber => Text::each(|lang| compact(v.exp(), lang)),
    }
}

/// What a row is called.
pub(super) fn name(why: &RowExplanation) -> Text {
    match &why.id {
        Some(id) => Text::same(id),
        None => Text::same(why.row.to_string()),
    }
}

pub(super) fn row(about: &About, why: &RowExplanation) -> Vec<Section> {
    let mut lead = vec![
        word(
            "Row {row}: {target} is predicted to be **{predicted}**.",
            "第 {row} 行：预测 {target} 为 **{predicted}**。",
        )
        .with(&[("row", name(why)), ("target", target(about)), ("predicted", Text::same(&why.predicted))]),
    ];
    if let (Some(p), Some(class)) = (why.probability, &about.class) {
        let fill = [("p", Text::same(percent(p))), ("class", Text::same(class))];
        lead.push(word("The probability of {class} is **{p}**.", "{class} 的概率为 **{p}**。").with(&fill));
    }
    lead.push(
        word(
            "An average row has {base}; the columns of this one move it to {output}.",
            "平均而言为 {base}；本行各列将其推至 {output}。",
        )
        .with(&[("base", level(about, why.base)), ("output", level(about, why.output))]),
    );
    let mut blocks = Vec::new();
    for (heading, sign) in [(word("What raises it", "推高的因素"), 1.0), (word("What lowers it", "拉低的因素"), -1.0)]
    {
        let parts: Vec<Block> = why
            .parts
            .iter()
            .take(TOLD)
            .filter(|p| p.amount * sign > 0.0)
            .map(|p| {
                Block::Prose(word("{column} = {value}: **{amount}**", "{column} = {value}：**{amount}**").with(&[
                    ("column", Text::same(&p.column)),
                    ("value", cell(&p.value)),
                    ("amount", told(about, p.amount)),
                ]))
            })
            .collect();
        if !parts.is_empty() {
            blocks.push(Block::Heading(heading.text()));
            blocks.extend(parts);
        }
    }
    blocks.push(Block::Figures(vec![parts(about, why)]));
    let mut sections = vec![Section { id: "answer", title: w::ANSWER.text(), lead, blocks }];
    sections.extend(why.change.as_ref().map(|c| why_change::section(about, c)));
    sections.extend(why.lime.as_ref().map(|l| why_line::section(about, why, l)));
    sections.push(method(about, None));
    sections
}

pub(super) fn cell(value: &str) -> Text {
    if value.is_empty() { word("(empty)", "（空）").text() } else { Text::same(value) }
}

fn parts(about: &About, why: &RowExplanation) -> Figure {
    let title = word("From an average row to this one", "从平均行到本行");
    let (begin, end) = (word("average row", "平均行"), word("this row", "本行"));
    let rest: f64 = why.parts.iter().skip(TOLD).map(|p| p.amount).sum();
    let n_rest = why.parts.len().saturating_sub(TOLD);
    let others = word("{n} others", "其余 {n} 列").with(&[("n", Text::same(n_rest.to_string()))]);
    let draw = |width: f64| {
        let others = others.clone();
        move |lang: Lang| {
            let one = |p: &crate::table::explain::Part| Step {
                name: format!("{} = {}", p.column, cell(&p.value).pick(lang)),
                amount: p.amount,
            };
            let mut steps: Vec<Step> = why.parts.iter().take(TOLD).map(one).collect();
            if n_rest > 0 {
                steps.push(Step { name: others.pick(lang).to_owned(), amount: rest });
            }
            let x = unit(about);
            let frame = Frame::new(lang, title.pick(lang), x.pick(lang), "").measuring(measure(about)).wide(width);
            waterfall(why.base, &steps, begin.pick(lang), end.pick(lang), &frame)
        }
    };
    let mut table = Table::new(vec![
        words(word("Column", "列").text()),
        words(word("Value", "取值").text()),
        numbers(word("Part", "份额").text()),
        numbers(unit(about)),
    ]);
    let number = |v: f64| Text::same(grouped(v, 4));
    for p in &why.parts {
        let with_error = if p.error > 0.0 {
            Text::same(format!("{} ± {}", grouped(p.amount, 4), grouped(1.96 * p.error, 4)))
        } else {
            number(p.amount)
        };
        table.row(vec![Text::same(&p.column), cell(&p.value), told(about, p.amount), with_error]);
    }
    table.marked_row(vec![end.text(), Text::default(), level(about, why.output), number(why.output)], true);
    let caption = word(
        "Each bar is what one column's value adds (Shapley value). Bars add up exactly to what the model says before its probabilities are calibrated.",
        "每一条是该列取值的贡献（沙普利值）。各条之和恰为模型在概率校准之前的输出。",
    );
    Figure::new(title.text(), draw(480.0), caption.text()).wide(draw(860.0)).table(table)
}

fn measure(about: &About) -> Measure<'static> {
    if about.unit == Unit::Probability { Measure::Percent } else { Measure::Number }
}

/// What curves and trees count: the prediction itself.
fn predicted(about: &About) -> (Measure<'static>, Text) {
    match &about.class {
        Some(class) => {
            (Measure::Percent, word("probability of {class}", "{class} 的概率").with(&[("class", Text::same(class))]))
        }
        None => (Measure::Number, target(about)),
    }
}

pub(super) fn all(about: &About, why: &TableExplanation) -> Vec<Section> {
    let first: Vec<&str> = why.columns.iter().take(3).map(|c| c.column.as_str()).collect();
    let lead = word(
        "Over {n} of {all} rows, the predictions of {target} lean most on **{first}**.",
        "在 {all} 行中抽取的 {n} 行上，对 {target} 的预测最倚重 **{first}**。",
    )
    .with(&[
        ("n", Text::same(count(why.explained as u64))),
        ("all", Text::same(count(why.n_rows as u64))),
        ("target", target(about)),
        ("first", Text::each(|lang| first.join(lang.pick(", ", "、")))),
    ]);
    let blocks = vec![Block::Figures(vec![bars(about, why), swarm(about, why)])];
    let mut sections = vec![Section { id: "answer", title: w::ANSWER.text(), lead: vec![lead], blocks }];
    if !why.curves.is_empty() {
        let lead = word(
            "One column is changed in {n} rows while all others stay: what the model would predict.",
            "在 {n} 行中只改变一列、其余保持不变时，模型的预测。",
        )
        .with(&[("n", Text::same(why.curves[0].rows.len().to_string()))]);
        let figures = why.curves.iter().map(|c| depends(about, c)).collect();
        let title = word("How it depends on single columns", "对单列的依赖").text();
        sections.push(Section { id: "dependence", title, lead: vec![lead], blocks: vec![Block::Figures(figures)] });
    }
    if let Some((names, strength)) = &why.interactions {
        sections.push(pairs(about, names, strength));
    }
    if let Some(tree) = &why.tree {
        sections.push(as_tree(about, tree, &why.rules));
    }
    sections.push(method(about, Some(why)));
    sections
}

fn bars(about: &About, why: &TableExplanation) -> Figure {
    let title = word("Columns by importance", "列的重要性");
    let draw = |lang: Lang| {
        let rows: Vec<Importance> = why
            .columns
            .iter()
            .take(SHOWN)
            .map(|c| Importance {
                name: c.column.clone(),
                weight: Interval {
                    mid: c.mean_part,
                    lo: (c.mean_part - 1.96 * c.error).max(0.0),
                    hi: c.mean_part + 1.96 * c.error,
                },
            })
            .collect();
        let x = word("mean part, up or down: {unit}", "平均份额（不分方向）：{unit}").with(&[("unit", unit(about))]);
        importance(&rows, &Frame::new(lang, title.pick(lang), x.pick(lang), "").measuring(measure(about)))
    };
    let mut table = Table::new(vec![words(word("Column", "列").text()), numbers(word("Mean part", "平均份额").text())]);
    for c in &why.columns {
        table.row(vec![Text::same(&c.column), Text::same(grouped(c.mean_part, 4))]);
    }
    let caption = word(
        "How far a column moves a prediction on average, with the 95% interval of that mean over rows.",
        "每一列平均使预测移动多少，附该均值在各行间的 95% 区间。",
    );
    Figure::new(title.text(), draw, caption.text()).table(table)
}

fn swarm(about: &About, why: &TableExplanation) -> Figure {
    let title = word("Column by column, row by row", "逐列、逐行");
    let draw = |width: f64| {
        move |lang: Lang| {
            let rows: Vec<Swarm> = why
                .columns
                .iter()
                .take(SHOWN)
                .map(|c| Swarm {
                    name: c.column.clone(),
                    effects: c.rows.iter().map(|r| r.0).collect(),
                    values: c.rows.iter().map(|r| r.1).collect(),
                })
                .collect();
            let x = unit(about);
            beeswarm(&rows, &Frame::new(lang, title.pick(lang), x.pick(lang), "").measuring(measure(about)).wide(width))
        }
    };
    let caption = word(
        "Each dot is a row; dots to the right raise its prediction. Dark is a high value of the column, pale a low one, grey a category or an empty cell.",
        "每个点是一行；越靠右越推高预测。深色为该列取值高，浅色为低，灰色为类别或空值。",
    );
    Figure::new(title.text(), draw(480.0), caption.text()).wide(draw(860.0))
}

fn depends(about: &About, c: &ColumnCurves) -> Figure {
    let (measure, y) = predicted(about);
    let draw = |lang: Lang| {
        let places = if c.names.is_empty() { Places::Numbers(&c.at) } else { Places::Names(&c.names) };
        let picture = Curves { places, mean: &c.mean, rows: &c.rows, data: &c.data };
        curves(&picture, &Frame::new(lang, &c.column, &c.column, y.pick(lang)).measuring(measure))
    };
    let caption = if c.heterogeneity > MISLEADING {
        word(
            "Rows go different ways: {share} of their movement is not in the average, so look at the single lines.",
            "各行走向不一：{share} 的变动不在平均线上，请看单行曲线。",
        )
        .with(&[("share", Text::same(percent(c.heterogeneity)))])
    } else {
        word(
            "The thick line is the average over rows, thin lines are rows; marks under them show where the data are.",
            "粗线为各行的平均，细线为单行；下方刻度表示数据所在之处。",
        )
        .text()
    };
    let mut table = Table::new(vec![words(Text::same(&c.column)), numbers(y.clone())]);
    for (i, m) in c.mean.iter().enumerate() {
        let at = c.names.get(i).cloned().unwrap_or_else(|| place(c.at[i]));
        table.row(vec![Text::same(at), Text::each(|lang| measure.short(*m, lang))]);
    }
    Figure::new(Text::same(&c.column), draw, caption).table(table)
}

/// A place on a curve. Above this size digits say nothing more and fill the terminal.
fn place(v: f64) -> String {
    const TOO_LONG: f64 = 1e12;
    if v.abs() < TOO_LONG { grouped(v, usize::from(v.fract() != 0.0) * 2) } else { format!("{v:.3e}") }
}

fn pairs(about: &About, names: &[String], strength: &[Vec<f64>]) -> Section {
    let title = word("Which columns work together", "哪些列相互作用");
    let draw = |width: f64| {
        move |lang: Lang| {
            let frame = Frame::new(lang, title.pick(lang), "", "").measuring(measure(about)).wide(width);
            interaction_map(names, strength, &frame)
        }
    };
    let caption = word(
        "Mean absolute interaction, {unit}: how much two columns add together beyond what each adds alone. Outlined is each column alone.",
        "平均绝对交互，{unit}：两列合在一起超出各自单独贡献的部分。有边框的格子为单列自身。",
    )
    .with(&[("unit", unit(about))]);
    let figure = Figure::new(title.text(), draw(480.0), caption).wide(draw(860.0));
    Section { id: "pairs", title: title.text(), lead: Vec::new(), blocks: vec![Block::Figures(vec![figure])] }
}

fn as_tree(about: &About, t: &NamedTree, rules: &[TreeRule]) -> Section {
    let title = if t.fidelity.is_none() {
        word("The tree", "决策树")
    } else {
        word("The model as a small tree", "用一棵小树概括模型")
    };
    let (measure, y) = predicted(about);
    let picture = t.picture();
    let draw = |width: f64| {
        move |lang: Lang| picture.svg(&Frame::new(lang, title.pick(lang), "", "").measuring(measure).wide(width))
    };
    let caption = word("Leaves show the {y}.", "叶节点为{y}。").with(&[("y", y)]);
    let figure = Figure::new(title.text(), draw(480.0), caption).wide(draw(860.0));
    let lead = match t.fidelity {
        None => word("This tree is the model itself.", "这棵树就是模型本身。").text(),
        Some(f) => word(
            "A small tree that was taught to imitate the model explains {share} of how its predictions vary, on rows that it did not learn from. {trust}",
            "一棵学着模仿该模型的小树，在未参与学习的行上解释了其预测变异的 {share}。{trust}",
        )
        .with(&[("share", Text::same(percent(f.max(0.0)))), ("trust", trust(f).text())]),
    };
    let dot = picture.dot(&Frame::new(Lang::En, "", "", "").measuring(measure));
    let mut blocks = vec![Block::Figures(vec![figure])];
    blocks.extend(why_rules::blocks(rules, measure));
    blocks.push(Block::Verbatim(word("The same for Graphviz", "Graphviz 文本").text(), dot));
    Section { id: "tree", title: title.text(), lead: vec![lead], blocks }
}

/// Whether a tree's picture may stand for the model.
fn trust(fidelity: f64) -> Word {
    match fidelity {
        f if f > 0.9 => word("Its questions may stand for the model.", "它的问题可以代表该模型。"),
        f if f > 0.6 => word("Its questions are the outline, not the model.", "它的问题只是轮廓，并非模型本身。"),
        _ => word("Too little to trust its questions.", "比例太低，不宜据此理解模型。"),
    }
}

fn method(about: &About, all: Option<&TableExplanation>) -> Section {
    let how = match about.method {
        Method::TreeShap => word(
            "The parts are exact Shapley values of the model's trees; what is not known is averaged by the rows that learned them.",
            "各份额为模型中树的精确沙普利值；未知的列按训练行的分布取平均。",
        ),
        Method::Linear => word(
            "The parts are exact: coefficient × distance from the mean of the rows of this table.",
            "各份额是精确的：系数 × 与本表各行均值之差。",
        ),
        Method::Asked => word(
            "The model was asked about mixtures of rows; where the columns were too many for all mixtures, the parts have the standard error that is shown.",
            "以各行的混合体询问模型；列数过多而无法询问所有组合时，份额带有所示的标准误。",
        ),
    };
    let mut blocks = vec![Block::Prose(how.text())];
    if all.is_some_and(|a| a.interactions.is_some()) {
        let pairs = word(
            "Interactions are Shapley interaction values of the trees, averaged over the rows without their signs.",
            "交互为树的沙普利交互值，取绝对值后对各行平均。",
        );
        blocks.push(Block::Prose(pairs.text()));
    }
    let not = word(
        "It says what the model leans on. It does not say what causes what, and columns that move together share their effect.",
        "它说明模型依据什么，而不说明因果；相互关联的列会分摊彼此的影响。",
    );
    blocks.push(Block::Prose(not.text()));
    Section { id: "method", title: word("How to read this", "如何解读").text(), lead: Vec::new(), blocks }
}
