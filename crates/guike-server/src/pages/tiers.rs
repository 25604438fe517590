//! `GET /tiers`: what each tier is worth and who moved, and what other borders would change.
//!
//! The one idea of the editor: borders are parameters of the address, the server counts who would move, and nothing is kept.

use askama::Template;
use guike::report::text::{count, grouped, percent};
use guike::report::told;
use guike::report::view::{ReportView, Tiers};
use guike::report::words::{self as w, Word};
use guike::results::{DAYS_SINCE, EXPECTED_SPEND, P_ACTIVE, PURCHASE_DAYS, Results, SPEND_SO_FAR};
use serde_json::{Value, json};

use super::customers::named_tiers;
use super::frame::Page;
use super::show::{Block, Chart, Grid, GridRow, escaped};
use super::{ways, words as own};
use crate::app::{Answer, App, Call};
use crate::problem::Problem;
use crate::query::Query;

/// Parameters of the borders, the best tier first; there are at most ten tiers.
const FROM: [&str; 9] = ["from1", "from2", "from3", "from4", "from5", "from6", "from7", "from8", "from9"];

/// The files give nine digits: a value that stands on a border may be written this share below it.
const IN_FILE: f64 = 1e-8;

/// `GET /tiers`.
pub(super) fn answer(app: &App, call: &Call) -> Result<Answer, Problem> {
    let page = Page::open(app, call, &FROM)?;
    let run = page.run()?;
    let mut blocks = Vec::new();
    match page.view() {
        Err(missing) => blocks.push(missing),
        Ok(view) => match told::part(&view.tiers) {
            Err(why) => blocks.push(Block::Missing { html: why.html_in(page.lang) }),
            Ok(of) => {
                let lead = told::tiers_lead(view);
                blocks.extend(lead.map(|t| Block::Lead { html: t.html_in(page.lang), is_first: true }));
                blocks.push(Block::Grid(worth(&page, view, of, &run.results)));
                let mut charts = vec![pyramid(&page, view, of)];
                charts.extend(moved(&page, of));
                blocks.push(Block::Charts(charts));
                if of.migration.is_none() {
                    blocks.push(Block::Prose {
                        html: format!("<span class=\"quiet\">{}</span>", page.html(own::NO_MOVED)),
                    });
                }
                blocks.push(Block::Heading(page.say(own::EDIT)));
                blocks.push(editor(&page, &run.results));
                blocks.extend(ways::part(&page, run));
                blocks.push(Block::Heading(page.say(w::HOW_CUT)));
                let how = told::tiers_how(of).into_iter();
                blocks.extend(how.map(|t| Block::Prose { html: t.html_in(page.lang) }));
            }
        },
    }
    let title = page.say(w::TIERS);
    Ok(page.answer(&title, None, blocks))
}

/// The report's table, with the value at risk.
fn worth(page: &Page<'_>, view: &ReportView, of: &Tiers, r: &Results) -> Grid {
    let mut table = Grid::of(&told::tiers_table(view, of), page.lang);
    let listed = r.tier_analysis()["tiers"].as_array();
    table.head.push((page.html(own::AT_RISK), true));
    for (i, row) in table.rows.iter_mut().enumerate() {
        let risk = listed.and_then(|t| t.get(i)?["value_at_risk"].as_f64());
        row.cells.push((risk.map_or_else(|| "–".to_owned(), |v| escaped(&page.money().whole(v))), "n"));
    }
    table
}

/// Customers against value, a tier per row.
pub(super) fn pyramid(page: &Page<'_>, view: &ReportView, of: &Tiers) -> Chart {
    let n: u64 = of.rows.iter().map(|t| t.n_customers).sum();
    let value: f64 = of.rows.iter().map(|t| t.expected_spend).sum();
    let share = |part: f64, whole: f64| if whole > 0.0 { part / whole } else { 0.0 };
    let row = |t: &guike::report::view::TierRow| {
        json!({
            "name": t.name.pick(page.lang),
            "customers": share(t.n_customers as f64, n as f64),
            "value": share(t.expected_spend, value),
        })
    };
    let (left, right) = (page.say(w::SHARE_CUSTOMERS), page.say(w::SHARE_VALUE));
    let rows: Vec<Value> = of.rows.iter().map(row).collect();
    let data = json!({ "kind": "pyramid", "left": left, "right": right, "rows": rows });
    Chart::told("pyramid", &told::pyramid(view, of), page.lang, &data)
        .keys(vec![("s3", left), ("s1", right)])
        .height(if of.rows.len() > 6 { "h4" } else { "h3" })
}

/// Who moved since an earlier run.
fn moved(page: &Page<'_>, of: &Tiers) -> Option<Chart> {
    let counts = of.migration.as_ref()?;
    let legend = told::migration(of)?;
    let name = |i: usize| of.rows[i].name.pick(page.lang);
    let nodes: Vec<Value> = (0..2)
        .flat_map(|side| (0..of.rows.len()).map(move |i| (side, i)))
        .map(|(side, i)| json!({ "name": format!("{side}-{i}"), "label": name(i), "side": side, "rank": i }))
        .collect();
    let mut links = Vec::new();
    for (before, row) in counts.iter().enumerate() {
        for (now, n) in row.iter().enumerate().filter(|(_, n)| **n > 0) {
            links.push(json!({
                "source": format!("0-{before}"), "target": format!("1-{now}"), "value": n,
                "turn": before as i64 - now as i64, "text": format!("{} → {}", name(before), name(now)),
            }));
        }
    }
    let data = json!({ "kind": "sankey", "nodes": nodes, "links": links });
    Some({
        let mut chart =
            Chart::new("moved", legend.title.plain(page.lang), &own::MOVED_CAPTION.text(), page.lang, &data);
        chart.table = legend.table.map(|t| Grid::of(&t, page.lang));
        chart.keys(vec![("s1", page.say(own::MOVED_UP)), ("s2", page.say(own::MOVED_DOWN))]).height("h4")
    })
}

/// The indicator of the run's borders: how it is called, its values, and whether it is money.
fn indicator<'a>(page: &Page<'_>, r: &'a Results) -> Option<(String, std::borrow::Cow<'a, [f64]>, bool)> {
    let name = r.tier_analysis()["plan"]["indicators"].as_array().filter(|i| i.len() == 1)?[0].as_str()?.to_owned();
    let said = |word: Word| page.say(word);
    let own_column = |column: usize| std::borrow::Cow::Borrowed(r.numbers(column));
    Some(match name.as_str() {
        "expected_spend" => (said(w::EXPECTED_SPEND), own_column(EXPECTED_SPEND), true),
        "expected_orders" => (said(own::I_ORDERS), own_column(0), false),
        "p_active" => (said(own::I_ACTIVE), own_column(P_ACTIVE), false),
        "frequency" => (said(w::PURCHASE_DAYS), own_column(PURCHASE_DAYS), false),
        "monetary" => (said(w::SO_FAR), own_column(SPEND_SO_FAR), true),
        "recency" => (said(own::DAYS_SINCE), r.numbers(DAYS_SINCE).iter().map(|d| -d).collect(), false),
        _ => return None,
    })
}

struct Field {
    name: &'static str,
    label: String,
    value: String,
    most: String,
}

#[derive(Template)]
#[template(path = "tiers.html", escape = "html")]
struct Html {
    lead: String,
    about: String,
    fields: Vec<Field>,
    preview: String,
    reset: Option<String>,
    show: String,
    wrong: Option<String>,
    says: String,
    table: Option<Grid>,
    matrix: Option<Grid>,
    matrix_title: String,
    risk_note: String,
}

/// The form of borders, with what those in force would change.
fn editor(page: &Page<'_>, r: &Results) -> Block {
    let tiers = named_tiers(page, r);
    let borders: Vec<Option<f64>> = match r.tier_analysis()["rule"]["borders"]["at_least"].as_array() {
        Some(list) => list.iter().map(Value::as_f64).collect(),
        None => Vec::new(),
    };
    let found = indicator(page, r).filter(|_| borders.len() + 1 == tiers.len() && !borders.is_empty());
    let Some((what, values, is_money)) = found else {
        return Block::Missing { html: page.html(own::NO_EDIT) };
    };
    let asked = asked(&page.query, &borders);
    let wrong = asked.as_ref().err().map(|e| told_wrong(page, &tiers, e));
    let settled = asked.unwrap_or_else(|_| borders.clone());
    let is_changed = FROM.iter().any(|name| page.query.get(name).is_some());
    let preview = Preview::of(r, &values, [&borders, &settled], &tiers);
    let most = values.iter().copied().filter(|v| v.is_finite()).fold(0.0, f64::max);
    let shown = |name: &'static str, border: Option<f64>| {
        page.query.get(name).map(str::to_owned).unwrap_or_else(|| border.map(rounded).unwrap_or_default())
    };
    let fields = FROM.iter().zip(&borders).zip(&tiers).map(|((name, border), tier)| Field {
        name,
        label: page.fill(own::STARTS, &[("tier", tier.1.clone())]),
        value: shown(name, *border),
        most: rounded((most * 1.1).max(1.0)),
    });
    let unit = if is_money { page.money_unit() } else { "" };
    let about = page.fill(own::INDICATOR, &[("what", what.to_lowercase() + unit)]);
    let html = Html {
        lead: page.say(own::EDIT_LEAD),
        about,
        fields: fields.collect(),
        preview: page.say(own::PREVIEW),
        reset: is_changed.then(|| page.say(own::RESET)),
        show: page.say(own::APPLY),
        says: preview.says(page, r),
        table: wrong.is_none().then(|| preview.table(page, &tiers)),
        matrix: (wrong.is_none() && preview.moved() > 0).then(|| preview.matrix(page, &tiers)),
        wrong,
        matrix_title: page.say(own::MATRIX),
        risk_note: page.say(own::AT_RISK_NOTE),
    };
    Block::Part { html: html.render().expect("a String takes every page") }
}

/// Why borders cannot be used.
enum Wrong {
    /// Not a number.
    Number(usize),
    /// Not below the one above it.
    Order(usize, f64),
}

/// The borders that are asked for, or else the run's own.
fn asked(query: &Query, borders: &[Option<f64>]) -> Result<Vec<Option<f64>>, Wrong> {
    let mut settled = Vec::with_capacity(borders.len());
    for (i, (name, own)) in FROM.iter().zip(borders).enumerate() {
        let text = query.get(name).map(str::trim).filter(|t| !t.is_empty());
        // what the form shows of the run's own border stands for all its digits
        let unchanged = text.is_none() || own.is_some_and(|b| text == Some(rounded(b).as_str()));
        let value = match text.filter(|_| !unchanged) {
            None => *own,
            Some(t) => Some(t.parse().ok().filter(|v: &f64| v.is_finite()).ok_or(Wrong::Number(i))?),
        };
        let above = settled.iter().rev().find_map(|b: &Option<f64>| *b);
        if let (Some(v), Some(above)) = (value, above)
            && v >= above
        {
            return Err(Wrong::Order(i, v));
        }
        settled.push(value);
    }
    Ok(settled)
}

fn told_wrong(page: &Page<'_>, tiers: &[(String, String, Option<u32>)], wrong: &Wrong) -> String {
    match wrong {
        Wrong::Number(i) => page.fill(own::BORDER_NUMBER, &[("tier", tiers[*i].1.clone())]),
        Wrong::Order(i, v) => page.fill(own::BORDER_ORDER, &[("tier", tiers[*i].1.clone()), ("value", rounded(*v))]),
    }
}

/// A border as a form shows it: at most two digits after the point, or three in all.
pub(super) fn rounded(v: f64) -> String {
    let digits = if v.abs() >= 1.0 || v == 0.0 { 2 } else { 2 + (-v.abs().log10()).ceil() as usize };
    let text = format!("{v:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// Who would be where with other borders.
struct Preview {
    /// `counts[now][then]`, and the expected spend of these customers.
    counts: Vec<Vec<usize>>,
    value: Vec<Vec<f64>>,
}

impl Preview {
    /// From the run's own borders to others. Who is held by the margin of an earlier run stays as long as the borders around
    /// her do.
    fn of(
        r: &Results,
        values: &[f64],
        [own, asked]: [&[Option<f64>]; 2],
        tiers: &[(String, String, Option<u32>)],
    ) -> Preview {
        let k = tiers.len();
        let (mut counts, mut value) = (vec![vec![0; k]; k], vec![vec![0.0; k]; k]);
        let mut rank = vec![k - 1; r.tiers().len()];
        for (i, (_, _, code)) in tiers.iter().enumerate() {
            if let Some(code) = code {
                rank[*code as usize] = i;
            }
        }
        let reached = |b: &Option<f64>, v: f64| b.is_some_and(|b| v >= b - b.abs() * IN_FILE);
        let tier = |borders: &[Option<f64>], v: f64| borders.iter().position(|b| reached(b, v)).unwrap_or(k - 1);
        let spend = r.numbers(EXPECTED_SPEND);
        for (at, &v) in values.iter().enumerate() {
            let now = rank[r.tier_code(at)];
            let (by_own, by_asked) = (tier(own, v), tier(asked, v));
            let then = if by_own == by_asked { now } else { by_asked };
            counts[now][then] += 1;
            value[now][then] += spend[at];
        }
        Preview { counts, value }
    }

    fn over<T: Copy + std::iter::Sum<T>>(of: &[Vec<T>], is: impl Fn(usize, usize) -> bool) -> T {
        let cells =
            of.iter().enumerate().flat_map(|(now, row)| row.iter().enumerate().map(move |(then, v)| (now, then, *v)));
        cells.filter(|(now, then, _)| is(*now, *then)).map(|c| c.2).sum()
    }

    fn moved(&self) -> usize {
        Preview::over(&self.counts, |now, then| now != then)
    }

    fn says(&self, page: &Page<'_>, r: &Results) -> String {
        let n = self.moved();
        if n == 0 {
            return page.html(own::NO_CHANGE);
        }
        let with = [
            ("n", count(n as u64)),
            ("share", percent(n as f64 / r.len().max(1) as f64)),
            ("up", count(Preview::over(&self.counts, |now, then| then < now) as u64)),
            ("down", count(Preview::over(&self.counts, |now, then| then > now) as u64)),
            ("spend", page.short(Preview::over(&self.value, |now, then| now != then))),
        ];
        page.fill_html(own::MOVES, &with)
    }

    /// Every tier now and then.
    fn table(&self, page: &Page<'_>, tiers: &[(String, String, Option<u32>)]) -> Grid {
        let head = [w::TIER, own::NOW, own::THEN, own::CHANGE, w::EXPECTED_SPEND, own::THEN_VALUE];
        let mut table = Grid::new(head.iter().enumerate().map(|(i, word)| (page.say(*word), i > 0)).collect());
        table.caption = page.say(own::EDIT);
        let all = Preview::over(&self.value, |_, _| true);
        for (i, tier) in tiers.iter().enumerate() {
            let now = Preview::over(&self.counts, |n, _| n == i);
            let then = Preview::over(&self.counts, |_, t| t == i);
            let value = Preview::over(&self.value, |_, t| t == i);
            let change = then as i64 - now as i64;
            let sign = if change > 0 { "+" } else { "" };
            let class = if change > 0 {
                "n up"
            } else if change < 0 {
                "n down"
            } else {
                "n"
            };
            table.rows.push(GridRow {
                cells: vec![
                    (super::customers::tier_html(tiers, &tier.0), ""),
                    (count(now as u64), "n"),
                    (count(then as u64), "n"),
                    (format!("{sign}{}", grouped(change as f64, 0)), class),
                    (escaped(&page.money().whole(value)), "n"),
                    (percent(if all > 0.0 { value / all } else { 0.0 }), "n"),
                ],
                is_marked: false,
            });
        }
        table
    }

    /// From which tier to which.
    fn matrix(&self, page: &Page<'_>, tiers: &[(String, String, Option<u32>)]) -> Grid {
        let mut head = vec![(page.say(own::FROM_TO), false)];
        head.extend(tiers.iter().map(|t| (t.1.clone(), true)));
        let mut table = Grid::new(head);
        table.caption = page.say(own::MATRIX);
        for (now, tier) in tiers.iter().enumerate() {
            let cell = |then: usize| match (now == then, self.counts[now][then]) {
                (true, n) => format!("<span class=\"quiet\">{}</span>", count(n as u64)),
                (false, 0) => "·".to_owned(),
                (false, n) => format!("<b>{}</b> · {}", count(n as u64), escaped(&page.short(self.value[now][then]))),
            };
            let cells = std::iter::once(escaped(&tier.1)).chain((0..tiers.len()).map(cell)).collect();
            table.row_html(cells);
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn borders_fall_from_tier_to_tier_and_keep_all_their_digits() {
        let own = [Some(207.722_105), Some(94.511_39), None, Some(8.2)];
        let query = |text: &str| Query::parse(text, &FROM).expect("read");
        assert_eq!(asked(&query(""), &own).ok(), Some(own.to_vec()));
        assert_eq!(asked(&query("from1=207.72&from4=5"), &own).ok(), Some(vec![own[0], own[1], None, Some(5.0)]));
        assert!(matches!(asked(&query("from2=300"), &own), Err(Wrong::Order(1, _))));
        assert!(matches!(asked(&query("from4=100"), &own), Err(Wrong::Order(3, _))));
        assert!(matches!(asked(&query("from1=inf"), &own), Err(Wrong::Number(0))));
        assert!(matches!(asked(&query("from1=x"), &own), Err(Wrong::Number(0))));
    }

    #[test]
    fn borders_are_shown_in_few_digits() {
        for (v, text) in
            [(207.722_1, "207.72"), (50.0, "50"), (0.0, "0"), (0.012_345, "0.0123"), (-3.5, "-3.5"), (100.0, "100")]
        {
            assert_eq!(rounded(v), text);
        }
    }
}
