//! A model as a small tree: its chart, and its groups as a table of rules.

use guike::report::text::percent;
use guike::report::words::Word;
use guike::table::explain::{Outline, OutlineQuestion};
use serde_json::{Value, json};

use super::frame::Page;
use super::show::{Chart, Grid};
use super::words as own;

/// What a page says about the columns and predictions of an outline.
pub(super) struct Said<'a> {
    pub(super) title: Word,
    /// What the numbers of the groups are.
    pub(super) mean: String,
    /// How the chart shows them: `money`, `percent` or `plain`.
    pub(super) measure: &'static str,
    /// The same for the table.
    pub(super) number: &'a dyn Fn(f64) -> String,
    /// What a column is called.
    pub(super) column: &'a dyn Fn(&str) -> String,
    /// Whether numbers of a column are whole.
    pub(super) is_whole: &'a dyn Fn(&str) -> bool,
}

/// The tree with its table; `None` where the file holds none that hangs together.
pub(super) fn chart(page: &Page<'_>, outline: &Outline, said: &Said<'_>) -> Option<Chart> {
    let mut drawn = Drawn { page, outline, said, nodes: Vec::new(), rules: Vec::new(), path: Vec::new() };
    drawn.group(0, 0, "")?;
    let mut table = Grid::new(vec![
        (page.say(own::OUTLINE_RULE), false),
        (page.say(own::OUTLINE_SHARE), true),
        (said.mean.clone(), true),
    ]);
    drawn.rules.sort_by(|a, b| b.1.total_cmp(&a.1));
    for (rule, mean, share) in &drawn.rules {
        table.row(vec![rule.clone(), percent(*share), (said.number)(*mean)]);
    }
    let (nodes, rows) = (&drawn.nodes, drawn.rules.len());
    let depth = nodes.iter().filter_map(|n| n["depth"].as_u64()).max().unwrap_or(0);
    let data = json!({ "kind": "tree", "measure": said.measure, "nodes": nodes, "rows": rows, "depth": depth });
    let caption = page.filled(own::OUTLINE_CAPTION, &[("share", percent(outline.fidelity.clamp(0.0, 1.0)))]);
    let height = if rows > 4 { "h5" } else { "h3" };
    Some(
        Chart::new("outline", page.say(said.title), &caption, page.lang, &data)
            .unit(said.mean.clone())
            .wide()
            .height(height)
            .table(table),
    )
}

struct Drawn<'a> {
    page: &'a Page<'a>,
    outline: &'a Outline,
    said: &'a Said<'a>,
    nodes: Vec<Value>,
    /// Of every leaf, from the top: its rule, mean and share.
    rules: Vec<(String, f64, f64)>,
    path: Vec<String>,
}

impl Drawn<'_> {
    /// Adds a group and its parts; on which row it stands.
    fn group(&mut self, at: usize, depth: usize, answer: &str) -> Option<f64> {
        let group = self.outline.groups.get(at)?;
        let node = |row: f64, text: String, is_leaf: bool| {
            json!({
                "depth": depth, "row": row, "answer": answer, "text": text, "share": percent(group.share),
                "value": group.mean, "leaf": is_leaf,
            })
        };
        let Some(question) = &group.question else {
            let row = self.rules.len() as f64;
            let rule = match self.path.is_empty() {
                true => self.page.say(own::OUTLINE_ALL),
                false => self.path.join(self.page.lang.pick(" and ", "，且")),
            };
            self.rules.push((rule, group.mean, group.share));
            self.nodes.push(node(row, String::new(), true));
            return Some(row);
        };
        // the file's own order keeps this from going round in circles
        if question.parts.iter().any(|&part| part <= at) {
            return None;
        }
        let slot = self.nodes.len();
        let (yes, no) = (self.condition(question, true), self.condition(question, false));
        self.nodes.push(node(0.0, yes.clone(), false));
        let mut rows = [0.0; 2];
        // who spends more stands above
        let mut parts = [(question.parts[0], yes, own::OUTLINE_YES), (question.parts[1], no, own::OUTLINE_NO)];
        let mean = |part: usize| self.outline.groups.get(part).map_or(f64::NEG_INFINITY, |g| g.mean);
        if mean(parts[1].0) > mean(parts[0].0) {
            parts.swap(0, 1);
        }
        for (row, (part, rule, answer)) in rows.iter_mut().zip(parts) {
            self.path.push(rule);
            *row = self.group(part, depth + 1, &self.page.say(answer))?;
            self.path.pop();
        }
        let row = (rows[0] + rows[1]) / 2.0;
        self.nodes[slot]["row"] = row.into();
        self.nodes[slot]["parts"] = json!(rows);
        Some(row)
    }

    /// The question as a condition that holds, or does not.
    fn condition(&self, q: &OutlineQuestion, holds: bool) -> String {
        let name = (self.said.column)(&q.column);
        let mut text = match q.up_to {
            Some(v) => {
                let v = if (self.said.is_whole)(&q.column) { v.floor() } else { v };
                let digits = if v.fract() == 0.0 { 0 } else { 2 };
                let number = guike::report::text::grouped(v, digits);
                format!("{name} {} {number}", if holds { "≤" } else { ">" })
            }
            None => {
                let list = q.one_of.join(self.page.lang.pick(", ", "、"));
                format!("{name} {} {list}", if holds { "=" } else { "≠" })
            }
        };
        if q.or_empty && holds {
            text += &self.page.say(own::OUTLINE_OR_EMPTY);
        }
        text
    }
}
