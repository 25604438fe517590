//! `/v1`: models, and the customers of a run with their forecasts and tiers.

use std::sync::Arc;

use guike::explain::TierName;
use guike::results::{Ask, Page, Results, Sort};
use guike::table::Outcome;
use guike::table::score::InputKind;
use guike::workspace::Stage;
use guike_guard::Pseudonyms;
use serde_json::Value;

use crate::app::{Answer, App, Call};
use crate::filter;
use crate::ledger::Sight;
use crate::problem::{Code, Problem};
use crate::query::Query;
use crate::served::{ServedModel, ServedRun};
use crate::shape::Nullable;
use crate::views::{
    CustomerView, Customers, InputView, ModelLine, ModelView, Models, Summary, TierBorder, TierLine, Tiers,
};

/// Customers of a page, where nothing is asked for, and at most.
pub(crate) const PAGE: usize = 50;
pub(crate) const LARGEST_PAGE: usize = 1_000;

/// `GET /v1/models`.
pub(crate) fn models(app: &App, call: &Call) -> Result<Answer, Problem> {
    Query::parse(&call.query, &[])?;
    let table = app.served.models.iter().map(|m| ModelLine {
        name: m.name.clone(),
        version: m.version.clone(),
        stage: m.stage.map(Stage::name),
        kind: "table",
        learner: m.scorer.learner().to_owned(),
    });
    let run = app.served.run.iter().map(|r| ModelLine {
        name: r.name.clone(),
        version: r.version.clone(),
        stage: r.stage.map(Stage::name),
        kind: "orders",
        learner: r.learner(),
    });
    Ok(Answer::of(&Models { models: table.chain(run).collect() }))
}

/// `GET /v1/models/{name}`.
pub(crate) fn model(app: &App, call: &Call) -> Result<Answer, Problem> {
    Query::parse(&call.query, &[])?;
    let name = call.param("name");
    if let Some(r) = app.served.run.as_ref().filter(|r| r.name == name) {
        return Ok(Answer::of(&ModelView {
            name: r.name.clone(),
            version: r.version.clone(),
            stage: r.stage.map(Stage::name),
            kind: "orders",
            learner: r.learner(),
            target: None,
            inputs: None,
            classes: None,
            positive: None,
            threshold: None,
            tiers: None,
            evaluation: Some(r.results.evaluation().clone()),
        }));
    }
    let m = app.model(name)?;
    let classes = match m.scorer.outcome() {
        Outcome::Regression => None,
        Outcome::Classification { classes, .. } => Some(classes.clone()),
    };
    let positive = m.scorer.outcome().positive().and_then(|p| classes.as_ref().map(|c| c[p].clone()));
    Ok(Answer::of(&ModelView {
        name: m.name.clone(),
        version: m.version.clone(),
        stage: m.stage.map(Stage::name),
        kind: "table",
        learner: m.scorer.learner().to_owned(),
        target: Some(m.scorer.target().to_owned()),
        inputs: Some(inputs(m)),
        threshold: positive.as_ref().map(|_| m.scorer.threshold()),
        classes,
        positive,
        tiers: Some(tier_borders(m)).filter(|t| !t.is_empty()),
        evaluation: m.evaluation.clone(),
    }))
}

fn tier_borders(m: &ServedModel) -> Vec<TierBorder> {
    let border = |(tier, at_least): (&TierName, Option<f64>)| TierBorder {
        tier: tier.key.clone(),
        name: tier.en.clone(),
        name_zh: tier.zh.clone(),
        at_least,
    };
    m.scorer.tiers().into_iter().map(border).collect()
}

fn inputs(m: &ServedModel) -> Vec<InputView> {
    let view = |input: &guike::table::score::Input| {
        let (kind, categories, format) = match &input.kind {
            InputKind::Number => ("number", None, None),
            InputKind::Category(levels) => ("category", Some(levels.clone()), None),
            InputKind::Date(format) => ("date", None, Some(format.to_string())),
        };
        InputView { name: input.name.clone(), kind, categories, format }
    };
    m.scorer.inputs().iter().map(view).collect()
}

pub(crate) fn run(app: &App) -> Result<&Arc<ServedRun>, Problem> {
    let detail = "no results of `guike run` are served; start the server with their folder";
    app.served.run.as_ref().ok_or_else(|| Problem::new(Code::NoResults, detail))
}

/// `GET /v1/summary`.
pub(crate) fn summary(app: &App, call: &Call) -> Result<Answer, Problem> {
    Query::parse(&call.query, &[])?;
    let r = run(app)?;
    let e = r.results.evaluation();
    let of = |t: &Value| TierLine {
        tier: t["name"]["key"].clone(),
        name: t["name"]["en"].clone(),
        name_zh: t["name"]["zh"].clone(),
        customers: t["n"].clone(),
        share_customers: t["share_customers"].clone(),
        value_total: t["value_total"].clone(),
        share_value: t["share_value"].clone(),
        value_at_risk: t["value_at_risk"].clone(),
    };
    let tiers = r.results.tier_analysis()["tiers"].as_array().map(|t| t.iter().map(of).collect());
    let summary = Summary {
        customers: r.results.len(),
        cutoff: e["cutoff"].clone(),
        horizon_days: e["horizon_days"].clone(),
        model: e["chosen"].clone(),
        why: e["why"].clone(),
        total: e["total"].clone(),
        holdout: e["holdout"].clone(),
        notes: e["notes"].clone(),
        tiers: tiers.unwrap_or_default(),
    };
    Ok(Answer::of(&summary).with_tag(&r.tag()))
}

/// `GET /v1/tiers`.
pub(crate) fn tiers(app: &App, call: &Call) -> Result<Answer, Problem> {
    Query::parse(&call.query, &[])?;
    let r = run(app)?;
    let t = r.results.tier_analysis();
    let tiers = Tiers {
        plan: t["plan"].clone(),
        rule: t["rule"].clone(),
        tiers: t["tiers"].clone(),
        silhouette: t["silhouette"].clone(),
        stability: t["stability"].clone(),
        held_by_margin: t["held_by_margin"].clone(),
        migration: t["migration"].clone(),
        notes: t["notes"].clone(),
    };
    Ok(Answer::of(&tiers).with_tag(&r.tag()))
}

/// `GET /v1/customers/{id}`.
pub(crate) fn customer(app: &App, call: &Call) -> Result<Answer, Problem> {
    Query::parse(&call.query, &["purpose"])?;
    let r = run(app)?;
    let at = found(r, call).ok_or_else(no_customer)?;
    Ok(Answer::of(&view(&r.results, at, &call.sight)).with_tag(&call.sight.tag(&r.tag())).about(1))
}

/// Ids may be personal: the problem does not repeat them.
pub(crate) fn no_customer() -> Problem {
    let detail = "no customer has this id; write it as the log does, with %XX for what an address cannot hold";
    Problem::new(Code::NoCustomer, detail)
}

/// `GET /v1/customers`.
pub(crate) fn customers(app: &App, call: &Call) -> Result<Answer, Problem> {
    let query = Query::parse(&call.query, &filter::names(&["sort", "limit", "cursor", "purpose"]))?;
    let r = run(app)?;
    let limit = limit(&query)?;
    let ask = filter::ask(&r.results, &query, &call.sight, limit)?;
    let from = from(r, &query, &ask)?;
    let page = r.results.page(&Ask { from, ..ask });
    let customers = Customers {
        customers: page.customers.iter().map(|&at| view(&r.results, at, &call.sight)).collect(),
        next: cursor(r, &page, &ask),
    };
    let n = customers.customers.len();
    Ok(Answer::of(&customers).with_tag(&call.sight.tag(&r.tag())).about(n))
}

/// Customers of a page.
///
/// # Errors
/// [`Problem`] for what is no number of them.
pub(crate) fn limit(query: &Query) -> Result<usize, Problem> {
    let Some(text) = query.get("limit") else { return Ok(PAGE) };
    let number = text.parse().ok().filter(|n| (1..=LARGEST_PAGE).contains(n));
    number.ok_or_else(|| wrong(format!("parameter `limit` takes a whole number from 1 to {LARGEST_PAGE}")))
}

pub(crate) fn wrong(detail: String) -> Problem {
    Problem::new(Code::MalformedQuery, detail)
}

/// Where the page begins that the parameter `cursor` asks for.
///
/// # Errors
/// [`Problem`] for a cursor of another question or of other results.
pub(crate) fn from(r: &ServedRun, query: &Query, ask: &Ask<'_>) -> Result<usize, Problem> {
    match query.get("cursor").filter(|c| !c.is_empty()) {
        None => Ok(0),
        Some(text) => opened(text, r, ask).ok_or_else(|| {
            wrong("parameter `cursor` belongs to other results or another question; begin again without it".to_owned())
        }),
    }
}

/// The customer of an address: by her pseudonym, or by her id where that may be known.
pub(crate) fn found(r: &ServedRun, call: &Call) -> Option<usize> {
    let id = call.param("id");
    let by_name = call.sight.names().zip(Pseudonyms::parse(id)).and_then(|(names, number)| r.named(names, number));
    // who sees pseudonyms is not told whether an id is there
    let by_id = || if call.sight.is_masked() { None } else { r.results.find(id) };
    by_name.or_else(by_id)
}

pub(crate) fn view(r: &Results, at: usize, sight: &Sight) -> CustomerView {
    let number = |column: usize| Nullable(r.number(at, column));
    CustomerView {
        customer_id: sight.shown(r.id(at)).into_owned(),
        tier: r.tier(at).to_owned(),
        as_of: r.known_until(at),
        expected_orders: number(0),
        expected_spend: number(1),
        median_spend: number(2),
        spend_p05: number(3),
        spend_p10: number(4),
        spend_p90: number(5),
        spend_p95: number(6),
        p_active: number(7),
        next_order_days: number(8),
        days_since_last_order: number(9),
        purchase_days: number(10),
        spend_so_far: number(11),
        rfm_score: r.rfm_score(at).to_owned(),
        rfm_group: r.rfm_group(at).to_owned(),
    }
}

/// What the next page of this question goes on behind, in a form that another question does not take: the last customer of
/// this one and her number, so that it goes on there when events have changed the order meanwhile.
pub(crate) fn cursor(r: &ServedRun, page: &Page, ask: &Ask<'_>) -> Option<String> {
    let last = page.next.and(page.customers.last().copied())?;
    let value = r.results.place_in(ask.sort, last).to_bits();
    Some(format!("{last:x}-{value:x}-{:016x}", question(&r.version, ask)))
}

/// Where the page of a cursor begins, if it belongs to this question.
fn opened(cursor: &str, r: &ServedRun, ask: &Ask<'_>) -> Option<usize> {
    let mut parts = cursor.split('-');
    let (last, value, asked) = (parts.next()?, parts.next()?, parts.next()?);
    let fits = parts.next().is_none() && u64::from_str_radix(asked, 16).ok()? == question(&r.version, ask);
    let value = f64::from_bits(u64::from_str_radix(value, 16).ok()?);
    let last = usize::from_str_radix(last, 16).ok().filter(|_| fits)?;
    r.results.step_after(ask, last, value)
}

/// A checksum of what is asked of which results (FNV-1a); the size of a page may change on the way.
fn question(version: &str, ask: &Ask<'_>) -> u64 {
    let sort = match ask.sort {
        Sort::Id => usize::MAX,
        Sort::Number(column) => column,
    };
    let text = format!(
        "{version}\n{}\n{:?}\n{:?}\n{}\n{sort}\n{}",
        ask.prefix,
        ask.tier,
        ask.group,
        ask.bounds.key(),
        ask.descending
    );
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
}
