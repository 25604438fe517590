//! The section about a straight line around a row, beside its Shapley values.

use guike_explain::text::{count, percent};

use super::page::{Block, Section, Table, Text, numbers, words};
use super::why_table::{cell, level, told};
use super::words::{Word, word};
use crate::table::explain::{About, Disagreement, How, LineColumn, LocalLine, RowExplanation};

/// Below this the line is not the model.
const FITS: f64 = 0.5;
/// Below this another draw would name other columns.
const STABLE: f64 = 0.8;

pub(super) fn section(about: &About, why: &RowExplanation, line: &LocalLine) -> Section {
    let lead = vec![
        word(
            "Close to this row a straight line explains **{fit}** of how the model's output moves; two draws of it share **{stable}** of their {top} steepest columns. {trust}",
            "在本行附近，一条直线解释了模型输出变动的 **{fit}**；两次抽样所得直线最陡的 {top} 列有 **{stable}** 相同。{trust}",
        )
        .with(&[
            ("fit", Text::same(percent(line.r_squared.max(0.0)))),
            ("stable", Text::same(percent(line.stability))),
            ("top", Text::same(line.top.to_string())),
            ("trust", trust(line).text()),
        ]),
    ];
    let mut blocks: Vec<Block> = if line.disagree.is_empty() {
        let same = word(
            "Line and Shapley values tell the same story: what matters for one matters for the other, in the same direction.",
            "直线与沙普利值说法一致：对一者重要的列对另一者也重要，方向相同。",
        );
        vec![Block::Prose(same.text())]
    } else {
        line.disagree.iter().filter_map(|d| Some(Block::Prose(differs(about, why, line, d)?))).collect()
    };
    let mut table = Table::new(vec![
        words(word("Column", "列").text()),
        words(word("Value", "取值").text()),
        numbers(word("Part (Shapley)", "份额（沙普利）").text()),
        numbers(word("By the line", "按直线").text()),
        numbers(word("One spread more", "增加一个标准差").text()),
        numbers(word("± between draws", "± 抽样间").text()),
    ]);
    for (c, p) in line.columns.iter().zip(&why.parts) {
        let by_line = |v: f64| if c.is_empty { Text::same("–") } else { told(about, v) };
        // of a category the line knows only that one and any other
        let slope = if c.is_category { Text::default() } else { by_line(c.slope) };
        let spread = if c.is_category { c.adds_spread } else { c.slope_spread };
        table.row(vec![
            Text::same(&c.column),
            cell(&p.value),
            told(about, c.part),
            by_line(c.adds),
            slope,
            if c.is_empty { Text::same("–") } else { distance(about, spread) },
        ]);
    }
    blocks.push(Block::Table(table));
    let how = word(
        "LIME: {n} rows were disturbed around this one, the model was asked about each, and a weighted line was fitted ten times. “By the line” is slope × distance from the mean of the column, so that it can stand beside the part. The line ends at {end} for this row, the parts at {output}.",
        "LIME：在本行周围扰动出 {n} 行并逐一询问模型，加权拟合十次直线。“按直线”为斜率 × 与列均值的距离，因此可与份额并列。对本行，直线给出 {end}，各份额合计为 {output}。",
    )
    .with(&[
        ("n", Text::same(count(line.rows_asked as u64))),
        ("end", level(about, line.prediction)),
        ("output", level(about, why.output)),
    ]);
    blocks.push(Block::Prose(how));
    let title = word("A straight line around this row", "本行附近的直线近似").text();
    Section { id: "lime", title, lead, blocks }
}

/// A standard deviation, in the same words as what it belongs to but without a sign.
fn distance(about: &About, spread: f64) -> Text {
    Text::each(|lang| told(about, spread).pick(lang).trim_start_matches('+').to_owned())
}

fn trust(line: &LocalLine) -> Word {
    match (line.r_squared >= FITS, line.stability >= STABLE) {
        (false, _) => word("That is too little: trust the parts, not the line.", "比例太低：请以份额为准，勿信直线。"),
        (true, false) => word(
            "Another draw would name other columns, so look at the spreads.",
            "换一次抽样会指向别的列，请留意抽样间的差异。",
        ),
        (true, true) => word("It may stand for the model here.", "在此处可以代表该模型。"),
    }
}

fn differs(about: &About, why: &RowExplanation, line: &LocalLine, d: &Disagreement) -> Option<Text> {
    let is = |c: &&LineColumn| c.column == d.column;
    let (c, value) = line.columns.iter().zip(&why.parts).map(|(c, p)| (c, &p.value)).find(|(c, _)| is(c))?;
    let words = match d.how {
        How::Opposite => word(
            "They disagree on **{column} = {value}**: the part is {part}, the line says {line}. The model bends here: compared with other rows the value does one thing, a small step does another.",
            "在 **{column} = {value}** 上说法相反：份额为 {part}，直线为 {line}。模型在此处弯曲：与其他行相比是一种作用，小幅变动又是另一种。",
        ),
        How::OnlyParts => word(
            "They disagree on **{column} = {value}**: its part is {part}, and a small step would hardly move the output ({line}).",
            "在 **{column} = {value}** 上说法不同：份额为 {part}，而小幅变动几乎不影响输出（{line}）。",
        ),
        How::OnlyLine => word(
            "They disagree on **{column} = {value}**: its part is only {part}, and a small step would move the output ({line}).",
            "在 **{column} = {value}** 上说法不同：份额仅为 {part}，而小幅变动会影响输出（{line}）。",
        ),
    };
    Some(words.with(&[
        ("column", Text::same(&c.column)),
        ("value", cell(value)),
        ("part", told(about, c.part)),
        ("line", told(about, c.adds)),
    ]))
}
