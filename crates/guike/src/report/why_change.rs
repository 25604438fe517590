//! The section about the smallest change that takes a row to another prediction.

use guike_explain::text::{count, grouped, percent};

use super::page::{Block, Section, Table, Text, numbers, words};
use super::why_table::cell;
use super::words::{Word, word};
use crate::table::explain::{About, CellChange, ChangeExplanation, Ending, Wanted, WhyLeftOut};

pub(super) fn section(about: &About, change: &ChangeExplanation) -> Section {
    let goal = ("goal", goal(&change.wanted));
    let names = ("columns", some(change));
    let lead = match change.ending {
        Ending::Already => {
            word("Nothing has to change for {goal}: it is so already.", "无需改变：“{goal}”已经成立。").with(&[goal])
        }
        Ending::Changed => word(
            "For {goal}, this would be enough: {changes}. {then}",
            "要使“{goal}”成立，以下改变即可：{changes}。{then}",
        )
        .with(&[goal, ("changes", list(change.changes.iter().map(one))), ("then", then(about, change))]),
        Ending::Impossible if change.actionable.is_empty() => word(
            "None of the named columns can be changed in this row, so nothing leads to {goal}.",
            "所列各列在本行均无法改变，因此“{goal}”无从达到。",
        )
        .with(&[goal]),
        Ending::Impossible => word(
            "No change of {columns}, within the values of this table, leads to {goal}: all were tried.",
            "在本表取值范围内，改变 {columns} 无法达到“{goal}”：所有组合均已尝试。",
        )
        .with(&[goal, names]),
        Ending::NotFound => word(
            "No change of {columns} was found that leads to {goal}; one may exist, but not a small one.",
            "未找到改变 {columns} 而达到“{goal}”的办法；或许存在，但幅度不小。",
        )
        .with(&[goal, names]),
    };
    let mut blocks = Vec::new();
    if change.ending == Ending::Changed {
        blocks.push(Block::Table(cells(change)));
        blocks.push(Block::Prose(match (change.smallest, change.nothing_below) {
            (true, _) | (_, None) => word(
                "No smaller change of these columns does it ({calls} were tried).",
                "这些列没有更小的改变可以做到（共尝试 {calls} 种）。",
            )
            .with(&[("calls", calls(change))]),
            (false, Some(below)) => word(
                "A smaller change may exist; everything that costs less than {below} was tried ({calls} in all).",
                "或许存在更小的改变；代价低于 {below} 的均已尝试（共 {calls} 种）。",
            )
            .with(&[("below", Text::same(grouped(below, 2))), ("calls", calls(change))]),
        }));
    }
    for l in &change.left_out {
        let why = match l.why {
            WhyLeftOut::Empty => word(
                "Left out: {column} is empty in this row, so there is nothing to move from.",
                "未考虑：{column} 在本行为空，无从改变。",
            ),
            WhyLeftOut::NeverVaries => word(
                "Left out: {column} has one value in the whole table, so nothing says how far it might go.",
                "未考虑：{column} 在全表只有一个取值，无从得知可变范围。",
            ),
        };
        blocks.push(Block::Note(false, why.with(&[("column", Text::same(&l.column))])));
    }
    let how = word(
        "A change costs its distance in standard deviations of the column, and half of one for each column that is touched; another category costs up to one. It changes the model's inputs: whether a customer who moved that way would behave as predicted, only an experiment tells.",
        "改变的代价为以该列标准差计的距离，每动一列另加半个标准差；换一个类别至多计一个标准差。这里改变的是模型的输入：顾客真的这样变化后是否如预测般行动，只有实验才能说明。",
    );
    blocks.push(Block::Prose(how.text()));
    let title = word("What would change the prediction", "怎样才能改变预测").text();
    Section { id: "change", title, lead: vec![lead], blocks }
}

/// The actionable columns, and how many of them may change together where not all may.
fn some(change: &ChangeExplanation) -> Text {
    let columns = list(change.actionable.iter().map(Text::same));
    if change.most_changes == change.actionable.len() {
        return columns;
    }
    let n = Text::same(change.most_changes.to_string());
    word("up to {n} of {columns}", "{columns} 中至多 {n} 列").with(&[("n", n), ("columns", columns)])
}

fn calls(change: &ChangeExplanation) -> Text {
    Text::same(count(change.calls as u64))
}

/// The goal as the end of a sentence.
fn goal(wanted: &Wanted) -> Text {
    let number = |v: f64| match &wanted.class {
        Some(_) => Text::same(percent(v)),
        None => Text::same(guike_store::significant(v).to_string()),
    };
    let what = match &wanted.class {
        Some(class) => word("probability of {class}", "{class} 的概率").with(&[("class", Text::same(class))]),
        None => word("prediction", "预测值").text(),
    };
    let bound = |words: Word, v: f64| words.with(&[("what", what.clone()), ("v", number(v))]);
    match (&wanted.class, wanted.at_least, wanted.at_most) {
        (_, Some(v), _) => bound(word("a {what} of {v} or more", "{what}不低于 {v}"), v),
        (_, None, Some(v)) => bound(word("a {what} of {v} or less", "{what}不高于 {v}"), v),
        (class, None, None) => word("the prediction **{class}**", "预测为 **{class}**")
            .with(&[("class", Text::same(class.clone().unwrap_or_default()))]),
    }
}

fn one(c: &CellChange) -> Text {
    word("**{column}** from {from} to **{to}**", "**{column}** 由 {from} 变为 **{to}**").with(&[
        ("column", Text::same(&c.column)),
        ("from", cell(&c.from)),
        ("to", cell(&c.to)),
    ])
}

fn then(about: &About, change: &ChangeExplanation) -> Text {
    let predicted = ("predicted", Text::same(change.predicted.clone().unwrap_or_default()));
    match (change.probability, &about.class) {
        (Some(p), Some(class)) => word(
            "The model would then predict {predicted}, with a probability of {class} of {p}.",
            "此时模型预测为 {predicted}，{class} 的概率为 {p}。",
        )
        .with(&[predicted, ("class", Text::same(class)), ("p", Text::same(percent(p)))]),
        _ => word("The model would then predict {predicted}.", "此时模型预测为 {predicted}。").with(&[predicted]),
    }
}

fn cells(change: &ChangeExplanation) -> Table {
    let mut table = Table::new(vec![
        words(word("Column", "列").text()),
        words(word("Now", "现在").text()),
        words(word("Then", "之后").text()),
        numbers(word("Distance, standard deviations", "距离（标准差）").text()),
    ]);
    for c in &change.changes {
        let distance = c.spreads.map_or_else(String::new, |s| grouped(s, 2));
        table.row(vec![Text::same(&c.column), cell(&c.from), cell(&c.to), Text::same(distance)]);
    }
    table
}

/// Several things in a sentence.
fn list(things: impl Iterator<Item = Text>) -> Text {
    let things: Vec<Text> = things.collect();
    Text::each(|lang| things.iter().map(|t| t.pick(lang)).collect::<Vec<_>>().join(lang.pick(", ", "、")))
}
