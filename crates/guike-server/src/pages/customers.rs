//! `GET /customers`: search, filters, order and pages, all of them in the address.

use std::fmt::Write as _;

use askama::Template;
use guike::report::text::{count, percent};
use guike::report::words::{self as w, Word};
use guike::results::{
    Ask, DAYS_SINCE, EXPECTED_ORDERS, EXPECTED_SPEND, NEXT_ORDER, NUMBERS, P_ACTIVE, PURCHASE_DAYS, Results,
    SPEND_SO_FAR,
};

use guike_guard::{Action, Resource};

use super::frame::Page;
use super::show::{Block, escaped};
use super::words as own;
use crate::app::{Answer, App, Call};
use crate::ledger::PURPOSES;
use crate::problem::Problem;
use crate::served::{ServedRun, encoded};
use crate::v1::{self, PAGE};
use crate::{audiences, filter};

/// Numbers that the form bounds; the others can be bounded in the address.
const BOUNDED: [(usize, Word); 7] = [
    (EXPECTED_SPEND, w::EXPECTED_SPEND),
    (P_ACTIVE, own::BOUND_ACTIVE),
    (EXPECTED_ORDERS, own::BOUND_ORDERS),
    (NEXT_ORDER, own::BOUND_NEXT),
    (DAYS_SINCE, own::DAYS_SINCE),
    (PURCHASE_DAYS, w::PURCHASE_DAYS),
    (SPEND_SO_FAR, w::SO_FAR),
];
/// Files that what is found can be saved as, and how they are called.
pub(super) const FILES: [(&str, &str); 3] = [("csv", "CSV"), ("xlsx", "Excel"), ("parquet", "Parquet")];

/// A column of the list.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    name: Word,
    /// What `sort` calls it.
    sort: Option<&'static str>,
    cell: Cell,
}

/// How a column's cells come about.
#[derive(Debug, Clone, Copy)]
enum Cell {
    Id,
    Tier,
    Money(usize),
    Interval,
    Share(usize),
    Count(usize),
    Group,
}

/// The columns of the list.
pub(super) const LISTED: [Column; 9] = [
    Column { name: w::CUSTOMER, sort: Some("customer_id"), cell: Cell::Id },
    Column { name: w::TIER, sort: None, cell: Cell::Tier },
    Column { name: w::EXPECTED_SPEND, sort: Some(NUMBERS[EXPECTED_SPEND]), cell: Cell::Money(EXPECTED_SPEND) },
    Column { name: w::INTERVAL, sort: None, cell: Cell::Interval },
    Column { name: w::P_ACTIVE, sort: Some(NUMBERS[P_ACTIVE]), cell: Cell::Share(P_ACTIVE) },
    Column { name: own::DAYS_SINCE, sort: Some(NUMBERS[DAYS_SINCE]), cell: Cell::Count(DAYS_SINCE) },
    Column { name: w::PURCHASE_DAYS, sort: Some(NUMBERS[PURCHASE_DAYS]), cell: Cell::Count(PURCHASE_DAYS) },
    Column { name: w::SO_FAR, sort: Some(NUMBERS[SPEND_SO_FAR]), cell: Cell::Money(SPEND_SO_FAR) },
    Column { name: w::GROUP, sort: None, cell: Cell::Group },
];

/// A filter that can be taken.
struct Chip {
    href: String,
    name: String,
    n: String,
    is_current: bool,
}

/// The form that keeps a filter.
struct Keep {
    token: Option<String>,
    filter: String,
    label: String,
    save: String,
}

/// A number that the form bounds: its name, and name, value and label of both ends.
struct Bounded {
    name: String,
    ends: [(&'static str, String, String); 2],
}

#[derive(Template)]
#[template(path = "customers.html", escape = "html")]
struct Html<'a> {
    /// Whether ids may be searched.
    has_search: bool,
    purposes: Vec<(&'static str, String, bool)>,
    purpose: &'a str,
    purpose_label: String,
    no_purpose: String,
    prefix: &'a str,
    tier: &'a str,
    sort: &'a str,
    groups: Vec<(String, String, bool)>,
    search: String,
    tier_label: String,
    group_label: String,
    all_groups: String,
    apply: String,
    clear: Option<String>,
    bounds_label: String,
    has_bounds: bool,
    bounds: Vec<Bounded>,
    /// Of what the form does not show: name and value.
    others: Vec<(&'static str, &'a str)>,
    chips: Vec<Chip>,
    found: String,
    table: String,
    export: String,
    /// Address and name of every file.
    files: Vec<(String, &'static str)>,
    /// What keeps the filter, for who may: the token, the filter, and the words.
    keep: Option<Keep>,
    /// Why filters cannot be kept here.
    not_kept: Option<String>,
    next: Option<(String, String)>,
    first: Option<(String, String)>,
}

/// `GET /customers`.
pub(super) fn answer(app: &App, call: &Call) -> Result<Answer, Problem> {
    let page = Page::open(app, call, &filter::names(&["sort", "cursor"]))?;
    let run = page.run()?;
    let ask = filter::ask(&run.results, &page.query, &page.sight, PAGE)?;
    let from = v1::from(run, &page.query, &ask)?;
    let found = run.results.page(&Ask { from, ..ask });
    let tally = run.results.tally(&ask);
    let value = |name: &str| page.query.get(name).unwrap_or_default();
    // the filters in force, for links that change one of them
    let kept = filter::names(&["sort", "purpose"]);
    let link = |change: &[(&str, &str)]| {
        let mut pairs: Vec<(&str, &str)> = kept.iter().map(|n| (*n, value(n))).collect();
        for (name, new) in change {
            pairs.retain(|p| p.0 != *name);
            pairs.push((name, new));
        }
        address("/customers", &pairs)
    };
    let sorted = page.query.get("sort").unwrap_or("-expected_spend");
    let head = |c: &Column| {
        let name = escaped(&column_name(&page, c.name));
        let Some(sort) = c.sort else { return format!("<th scope=\"col\"{}>{name}</th>", c.class()) };
        let (is_up, is_down) = (sorted == sort, sorted.strip_prefix('-') == Some(sort));
        // numbers begin with the greatest, ids with the first
        let next = if is_down || (!is_up && sort == "customer_id") { sort.to_owned() } else { format!("-{sort}") };
        let aria = if is_up {
            " aria-sort=\"ascending\""
        } else if is_down {
            " aria-sort=\"descending\""
        } else {
            ""
        };
        let arrow = if is_up {
            " ↑"
        } else if is_down {
            " ↓"
        } else {
            ""
        };
        let title = escaped(&page.fill(own::SORTED_BY, &[("what", column_name(&page, c.name))]));
        let href = escaped(&link(&[("sort", &next)]));
        format!("<th scope=\"col\"{}{aria}><a href=\"{href}\" title=\"{title}\">{name}{arrow}</a></th>", c.class())
    };
    let is_filtered = filter::is_any(&page.query);
    let may_keep = audiences::may_change(&page.who);
    let all = count(run.results.len() as u64);
    let n = count(tally.customers as u64);
    let spend = page.short(tally.expected_spend);
    let with = [("n", n.clone()), ("all", all.clone()), ("spend", spend)];
    let nobody = page.html(own::FOUND_NONE);
    let is_empty = tally.customers == 0;
    let tiers = named_tiers(&page, &run.results);
    let chip = |key: &str, name: String, n: usize| Chip {
        href: link(&[("tier", key)]),
        name,
        n: count(n as u64),
        is_current: value("tier") == key,
    };
    let of_tier = |tier: u32| tally.by_tier[tier as usize];
    let mut chips = vec![chip("", page.say(own::TIER_ALL), tally.by_tier.iter().sum())];
    chips.extend(tiers.iter().map(|(key, name, code)| chip(key, name.clone(), code.map_or(0, of_tier))));
    let groups = run.results.groups().iter().map(|key| {
        let name = Results::group_name(key).pick(page.lang).to_owned();
        (key.clone(), name, value("group") == key)
    });
    // who may learn ids says what for, where that is recorded
    let asks_purpose = page.sight.names().is_some() && page.who.may(Resource::Customers, Action::Reveal);
    let purposes = PURPOSES.iter().filter(|_| asks_purpose).map(|p| (*p, purpose_word(p), value("purpose") == *p));
    let html = Html {
        has_search: !page.sight.is_masked(),
        purposes: purposes.map(|(key, word, is)| (key, page.say(word), is)).collect(),
        purpose: value("purpose"),
        purpose_label: page.say(own::PURPOSE),
        no_purpose: page.say(own::NO_PURPOSE),
        prefix: value("prefix"),
        tier: value("tier"),
        sort: value("sort"),
        groups: groups.collect(),
        search: page.say(own::SEARCH),
        tier_label: page.say(w::TIER),
        group_label: page.say(w::GROUP),
        all_groups: page.say(own::GROUP_ALL),
        apply: page.say(own::APPLY),
        clear: is_filtered.then(|| page.say(own::CLEAR)),
        bounds_label: page.say(own::BOUNDS),
        has_bounds: filter::ENDS.as_flattened().iter().any(|n| !value(n).is_empty()),
        bounds: BOUNDED.map(|(column, name)| bounded(&page, column, name)).into(),
        others: (0..NUMBERS.len())
            .filter(|column| BOUNDED.iter().all(|b| b.0 != *column))
            .flat_map(|column| filter::ENDS[column])
            .map(|name| (name, value(name)))
            .filter(|(_, v)| !v.is_empty())
            .collect(),
        chips,
        found: page.fill_html(if is_filtered { own::FOUND } else { own::FOUND_ALL }, &with),
        table: match is_empty {
            true => format!("<p class=\"missing\">{nobody}</p>"),
            false => table(&page, run, &LISTED, &found.customers, head),
        },
        export: page.fill(own::EXPORT, &[("n", n)]),
        files: match is_empty || !page.who.may(Resource::Customers, Action::Export) {
            true => Vec::new(),
            false => {
                let pairs: Vec<(&str, &str)> = kept.iter().map(|n| (*n, value(n))).collect();
                FILES.map(|(ending, name)| (address(&format!("/customers.{ending}"), &pairs), name)).into()
            }
        },
        keep: (is_filtered && may_keep && app.served.kept.is_some()).then(|| Keep {
            token: page.token.clone(),
            filter: filter::text(&page.query),
            label: page.say(own::AUDIENCE_NAME),
            save: page.say(own::KEEP),
        }),
        not_kept: (is_filtered && may_keep && app.served.kept.is_none()).then(|| page.say(own::NO_AUDIENCES_HERE)),
        next: v1::cursor(run, &found, &ask).map(|cursor| (link(&[("cursor", &cursor)]), page.say(own::NEXT))),
        first: page.query.get("cursor").map(|_| (link(&[]), page.say(own::FIRST_PAGE))),
    };
    let part = html.render().expect("a String takes every page");
    let title = page.say(w::CUSTOMERS_TITLE);
    Ok(page.answer(&title, None, vec![Block::Part { html: part }]).about(found.customers.len()))
}

/// The name of one of [`NUMBERS`].
pub(super) fn number_name(page: &Page<'_>, column: usize) -> String {
    let named = BOUNDED.iter().find(|b| b.0 == column);
    named.map_or_else(|| NUMBERS[column].to_owned(), |(_, name)| page.say(*name))
}

/// The name of a tier.
pub(super) fn tier_name(page: &Page<'_>, results: &Results, key: &str) -> String {
    let found = named_tiers(page, results).into_iter().find(|t| t.0 == key);
    found.map_or_else(|| key.to_owned(), |t| t.1)
}

/// The fields of a number's least and greatest value.
fn bounded(page: &Page<'_>, column: usize, name: Word) -> Bounded {
    let name = page.say(name);
    let end = |at: usize, word: Word| {
        let parameter = filter::ENDS[column][at];
        let value = page.query.get(parameter).unwrap_or_default().to_owned();
        (parameter, value, page.fill(word, &[("what", name.clone())]))
    };
    Bounded { ends: [end(0, own::AT_LEAST), end(1, own::AT_MOST)], name }
}

fn purpose_word(purpose: &str) -> Word {
    match purpose {
        "service" => own::P_SERVICE,
        "marketing" => own::P_MARKETING,
        "retention" => own::P_RETENTION,
        "credit" => own::P_CREDIT,
        "fraud" => own::P_FRAUD,
        "data-subject" => own::P_SUBJECT,
        _ => own::P_QUALITY,
    }
}

/// The tiers, best first: key, name and the position of those that some customer has.
pub(super) fn named_tiers(page: &Page<'_>, results: &Results) -> Vec<(String, String, Option<u32>)> {
    let listed = results.tier_analysis()["tiers"].as_array().cloned().unwrap_or_default();
    let named = listed.iter().filter_map(|t| {
        let key = t["name"]["key"].as_str()?;
        let name = t["name"][page.lang.tag()].as_str().unwrap_or(key);
        let code = results.tiers().iter().position(|k| k == key).map(|at| at as u32);
        Some((key.to_owned(), name.to_owned(), code))
    });
    named.collect()
}

impl Column {
    fn class(&self) -> &'static str {
        match self.cell {
            Cell::Id | Cell::Tier | Cell::Group => "",
            _ => " class=\"n\"",
        }
    }
}

fn column_name(page: &Page<'_>, name: Word) -> String {
    page.fill(name, &[("level", "80%".to_owned())])
}

/// Customers in rows, without a way to put them in another order.
pub(super) fn listing(page: &Page<'_>, run: &ServedRun, columns: &[Column], customers: &[usize]) -> String {
    let head = |c: &Column| format!("<th scope=\"col\"{}>{}</th>", c.class(), escaped(&column_name(page, c.name)));
    table(page, run, columns, customers, head)
}

fn table(
    page: &Page<'_>,
    run: &ServedRun,
    columns: &[Column],
    customers: &[usize],
    head: impl Fn(&Column) -> String,
) -> String {
    let label = page.say(w::CUSTOMERS_TITLE);
    let mut out =
        format!("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{label}\"><table><thead><tr>");
    columns.iter().for_each(|c| out.push_str(&head(c)));
    out.push_str("</tr></thead><tbody>");
    let tiers = named_tiers(page, &run.results);
    for &at in customers {
        out.push_str("<tr>");
        for c in columns {
            let cell = cell(page, &run.results, &tiers, c.cell, at);
            let (open, close) =
                if matches!(c.cell, Cell::Id) { ("<th scope=\"row\"", "</th>") } else { ("<td", "</td>") };
            write!(out, "{open}{}>{cell}{close}", c.class()).expect("a String takes all");
        }
        out.push_str("</tr>");
    }
    out.push_str("</tbody></table></div>");
    out
}

fn cell(page: &Page<'_>, r: &Results, tiers: &[(String, String, Option<u32>)], cell: Cell, at: usize) -> String {
    let none = || "–".to_owned();
    match cell {
        Cell::Id => {
            let shown = page.sight.shown(r.id(at));
            let href = format!("/customers/{}{}", encoded(&shown), page.purpose());
            format!("<a href=\"{}\">{}</a>", escaped(&href), escaped(&shown))
        }
        Cell::Tier => tier_html(tiers, r.tier(at)),
        Cell::Money(column) => r.number(at, column).map_or_else(none, |v| escaped(&page.money().full(v))),
        Cell::Interval => match (r.number(at, 4), r.number(at, 5)) {
            (Some(lo), Some(hi)) => escaped(&format!("{} – {}", page.short(lo), page.short(hi))),
            _ => none(),
        },
        Cell::Share(column) => match r.number(at, column) {
            Some(p) => format!(
                "<progress class=\"bar\" max=\"1\" value=\"{p:.3}\" aria-hidden=\"true\"></progress><span class=\"w\">{}</span>",
                percent(p)
            ),
            None => none(),
        },
        Cell::Count(column) => r.number(at, column).map_or_else(none, |v| count(v.max(0.0).round() as u64)),
        Cell::Group => escaped(Results::group_name(r.rfm_group(at)).pick(page.lang)),
    }
}

/// A tier with its mark, the darker the better.
pub(super) fn tier_html(tiers: &[(String, String, Option<u32>)], key: &str) -> String {
    const MARKS: usize = 5;
    let at = tiers.iter().position(|t| t.0 == key);
    let name = at.map_or(key, |i| tiers[i].1.as_str());
    // the five marks spread over however many tiers there are
    let mark = at.map_or(MARKS - 1, |i| if tiers.len() > 1 { i * (MARKS - 1) / (tiers.len() - 1) } else { 0 });
    format!("<span class=\"tier r{mark}\">{}</span>", escaped(name))
}

/// A path with those parameters that have a value.
fn address(path: &str, pairs: &[(&str, &str)]) -> String {
    let given = pairs.iter().filter(|(_, v)| !v.is_empty());
    let query: Vec<String> = given.map(|(name, value)| format!("{name}={}", encoded(value))).collect();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{}", query.join("&")) }
}
