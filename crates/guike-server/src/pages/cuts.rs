//! The cuts of recency, frequency and money on `GET /rfm`: a form, and what other cuts would change; and the customers with
//! the scores and groups of other cuts as a file.
//!
//! The one idea is that of the editor of tiers: cuts are parameters of the address, the server counts, and nothing is kept.

use askama::Template;
use guike::report::text::{count, grouped, percent};
use guike::report::words as w;
use guike::results::Results;
use guike::results::rfm::{Regrouping, RfmCuts};
use guike_guard::{Action, Resource};

use super::customers::FILES;
use super::frame::Page;
use super::show::{Block, Grid, GridRow, escaped};
use super::words as own;
use crate::app::{Answer, App, Call};
use crate::problem::{Code, Problem};
use crate::query::Query;
use crate::served::encoded;
use crate::{export, filter};

/// Parameters: from where on scores 2 to 5 of recency, frequency and money are given.
pub(super) const CUTS: [&str; 12] = ["r2", "r3", "r4", "r5", "f2", "f3", "f4", "f5", "m2", "m3", "m4", "m5"];

struct Field {
    name: &'static str,
    label: String,
    value: String,
}

struct Part {
    title: String,
    fields: Vec<Field>,
}

#[derive(Template)]
#[template(path = "cuts.html", escape = "html")]
struct Html {
    lead: String,
    parts: Vec<Part>,
    nobody: String,
    preview: String,
    reset: Option<String>,
    show: String,
    wrong: Option<String>,
    says: String,
    table: Option<Grid>,
    export: String,
    files: Vec<(String, &'static str)>,
}

/// The form of cuts, with what those in force would change; nothing where an earlier version kept none.
pub(super) fn editor(page: &Page<'_>, r: &Results) -> Option<Block> {
    let own_cuts = RfmCuts::of(r)?;
    let asked = asked(&page.query, &own_cuts);
    let cuts = asked.as_ref().copied().unwrap_or(own_cuts);
    let wrong = asked.err().map(|wrong| match wrong {
        Wrong::Number(name) => page.fill(own::CUT_NUMBER, &[("field", label(page, name))]),
        Wrong::Order => page.say(own::CUT_ORDER),
    });
    let is_changed = CUTS.iter().any(|name| page.query.get(name).is_some());
    let field = |name: &'static str, cut: f64| Field {
        name,
        label: label(page, name),
        value: page.query.get(name).map_or_else(|| shown(cut), str::to_owned),
    };
    let part = |title: String, at: usize, cuts: [f64; 4]| Part {
        title,
        fields: CUTS[at..at + 4].iter().zip(cuts).map(|(name, cut)| field(name, cut)).collect(),
    };
    let money = page.say(w::SO_FAR) + page.money_unit();
    let parts = vec![
        part(page.say(own::DAYS_SINCE), 0, own_cuts.days),
        part(page.say(w::PURCHASE_DAYS), 4, own_cuts.purchase_days),
        part(money, 8, own_cuts.spend),
    ];
    let found = r.regrouped(&own_cuts, &cuts);
    let may = page.who.may(Resource::Customers, Action::Export);
    let pairs: Vec<String> = CUTS
        .iter()
        .filter_map(|name| page.query.get(name).map(|value| format!("{name}={}", encoded(value))))
        .chain(page.query.get("purpose").map(|p| format!("purpose={}", encoded(p))))
        .collect();
    let address = |ending: &str| {
        if pairs.is_empty() { format!("/rfm.{ending}") } else { format!("/rfm.{ending}?{}", pairs.join("&")) }
    };
    let html = Html {
        lead: page.say(own::CUT_LEAD),
        parts,
        nobody: page.say(own::CUT_NOBODY),
        preview: page.say(own::PREVIEW),
        reset: is_changed.then(|| page.say(own::CUT_RESET)),
        show: page.say(own::APPLY),
        says: says(page, r, &found),
        table: wrong.is_none().then(|| table(page, &found)),
        wrong,
        export: page.say(own::CUT_EXPORT),
        files: if may { FILES.map(|(ending, name)| (address(ending), name)).into() } else { Vec::new() },
    };
    Some(Block::Part { html: html.render().expect("a String takes every page") })
}

/// `GET /rfm.csv`, `/rfm.xlsx`, `/rfm.parquet`: all customers, with scores and groups by the cuts of the address.
pub(super) fn file(app: &App, call: &Call) -> Result<Answer, Problem> {
    let page = Page::open(app, call, &CUTS)?;
    let run = page.run()?;
    let own_cuts = RfmCuts::of(&run.results).ok_or_else(|| {
        Problem::new(Code::NoResults, "the run was made by an earlier version, which kept no cuts; run again")
    })?;
    let cuts = asked(&page.query, &own_cuts).map_err(|wrong| {
        let detail = match wrong {
            Wrong::Number(name) => format!("parameter `{name}` takes a number of at least 0"),
            Wrong::Order => "cuts must rise from score to score, and days fall; see the form on /rfm".to_owned(),
        };
        Problem::new(Code::MalformedQuery, detail)
    })?;
    let everybody = Query::parse("", &[])?;
    let ask = filter::ask(&run.results, &everybody, &page.sight, 1)?;
    let ending = call.parts.uri.path().rsplit('.').next().unwrap_or_default();
    export::regrouped(run, &ask, export::form(ending)?, &page.sight, (own_cuts, cuts))
}

/// Why cuts cannot be used.
enum Wrong {
    /// Not a number of at least 0.
    Number(&'static str),
    /// Not on the right side of the one before.
    Order,
}

/// The cuts that are asked for, or else the run's own.
fn asked(query: &Query, own: &RfmCuts) -> Result<RfmCuts, Wrong> {
    let mut cuts = *own;
    let all = cuts.days.iter_mut().chain(&mut cuts.purchase_days).chain(&mut cuts.spend);
    for (name, cut) in CUTS.into_iter().zip(all) {
        let text = query.get(name).map(str::trim).filter(|t| !t.is_empty());
        // what the form shows of the run's own cut stands for all its digits
        if let Some(text) = text.filter(|t| *t != shown(*cut)) {
            let number = text.parse().ok().filter(|v: &f64| v.is_finite() && *v >= 0.0);
            *cut = number.ok_or(Wrong::Number(name))?;
        }
    }
    // a cut that nobody reaches has no place among days, where it is the least
    let days: Vec<f64> = cuts.days.iter().copied().filter(|d| d.is_finite()).collect();
    let days_fall = days.windows(2).all(|w| w[0] >= w[1]);
    let rises = RfmCuts { days: [0.0; 4], ..cuts }.is_in_order();
    if days_fall && rises { Ok(cuts) } else { Err(Wrong::Order) }
}

/// A cut as the form shows it; nothing for one that nobody reaches.
fn shown(cut: f64) -> String {
    if cut.is_finite() { super::tiers::rounded(cut) } else { String::new() }
}

fn label(page: &Page<'_>, name: &str) -> String {
    let score = name.get(1..).unwrap_or_default().to_owned();
    page.fill(if name.starts_with('r') { own::CUT_AT_MOST } else { own::CUT_AT_LEAST }, &[("score", score)])
}

fn says(page: &Page<'_>, r: &Results, found: &Regrouping) -> String {
    let (n, spend) = found.moved;
    if n == 0 && found.rescored == 0 {
        return page.html(own::CUT_NO_CHANGE);
    }
    let with = [
        ("n", count(n as u64)),
        ("share", percent(n as f64 / r.len().max(1) as f64)),
        ("scores", count(found.rescored as u64)),
        ("spend", page.short(spend)),
    ];
    page.fill_html(own::CUT_MOVES, &with)
}

/// Every group now and then.
fn table(page: &Page<'_>, found: &Regrouping) -> Grid {
    let head = [w::GROUP, own::NOW, own::THEN, own::CHANGE, w::EXPECTED_SPEND, own::THEN_VALUE];
    let mut table = Grid::new(head.iter().enumerate().map(|(i, word)| (page.say(*word), i > 0)).collect());
    table.caption = page.say(own::CUTS);
    let all: f64 = found.groups.iter().map(|g| g.expected_spend[1]).sum();
    for g in &found.groups {
        let [now, then] = g.customers;
        let change = then as i64 - now as i64;
        let (sign, class) = match change {
            1.. => ("+", "n up"),
            0 => ("", "n"),
            _ => ("", "n down"),
        };
        table.rows.push(GridRow {
            cells: vec![
                (escaped(g.name.pick(page.lang)), ""),
                (count(now as u64), "n"),
                (count(then as u64), "n"),
                (format!("{sign}{}", grouped(change as f64, 0)), class),
                (escaped(&page.money().whole(g.expected_spend[1])), "n"),
                (percent(if all > 0.0 { g.expected_spend[1] / all } else { 0.0 }), "n"),
            ],
            is_marked: false,
        });
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_go_in_their_direction_and_keep_all_their_digits() {
        let own = RfmCuts {
            days: [90.123_456, 60.0, 30.0, 7.0],
            purchase_days: [2.0, 2.0, 4.0, f64::INFINITY],
            spend: [10.0, 20.0, 40.0, 80.0],
        };
        let query = |text: &str| Query::parse(text, &CUTS).expect("read");
        let of = |text: &str| asked(&query(text), &own);
        assert_eq!(of("").ok(), Some(own));
        assert_eq!(of("r2=90.12&f5=&m5=100").ok(), Some(RfmCuts { spend: [10.0, 20.0, 40.0, 100.0], ..own }));
        assert_eq!(of("f5=9").ok().map(|c| c.purchase_days[3]), Some(9.0));
        for wrong in ["r5=40", "m2=21", "f4=1"] {
            assert!(matches!(of(wrong), Err(Wrong::Order)), "{wrong}");
        }
        for wrong in ["r5=-1", "m2=x", "f4=inf"] {
            assert!(matches!(of(wrong), Err(Wrong::Number(_))), "{wrong}");
        }
    }
}
