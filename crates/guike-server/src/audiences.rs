//! `/v1/audiences`: filters of customers that are kept under a name, and who answers to them in the run that is served.
//!
//! The one idea: an audience is a question; it is asked anew whenever somebody looks, so that it is never out of date.

use std::time::{SystemTime, UNIX_EPOCH};

use guike::results::{Ask, Results, Tally};
use guike::workspace::{Audience, Saved};
use guike_core::Timestamp;
use guike_guard::{Action, Resource};
use serde::Deserialize;

use crate::app::{Answer, App, Call};
use crate::filter;
use crate::kept::{kept, moment};
use crate::ledger::Sight;
use crate::problem::{Code, Problem};
use crate::query::Query;
use crate::rows::malformed;
use crate::v1::{self, run};
use crate::views::{AudienceDeleted, AudienceLine, AudienceView, Audiences};
use crate::who::Who;

/// `GET /v1/audiences`.
pub(crate) fn all(app: &App, call: &Call) -> Result<Answer, Problem> {
    Query::parse(&call.query, &["purpose"])?;
    let audiences = kept(app)?.audiences()?.iter().map(|a| line(a, &call.sight)).collect();
    Ok(Answer::of(&Audiences { audiences }))
}

/// The body of `POST /v1/audiences`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct New {
    name: String,
    #[serde(default)]
    filter: String,
}

/// `POST /v1/audiences`.
pub(crate) fn make(app: &App, call: &Call) -> Result<Answer, Problem> {
    Query::parse(&call.query, &["purpose"])?;
    call.needs_json()?;
    let new: New = serde_json::from_slice(&call.body).map_err(|e| match e.classify() {
        serde_json::error::Category::Data => {
            let detail =
                "the body is an object of two texts: `name`, and `filter` as it stands after the ? of /v1/customers";
            Problem::new(Code::WrongAudience, detail)
        }
        _ => malformed(&e),
    })?;
    let saved = save(app, &call.who, &call.sight, &new.name, &new.filter)?;
    Ok(Answer::of(&line(&saved, &call.sight)))
}

/// `DELETE /v1/audiences/{name}`.
pub(crate) fn remove(app: &App, call: &Call) -> Result<Answer, Problem> {
    Query::parse(&call.query, &["purpose"])?;
    delete(app, call.param("name"))?;
    Ok(Answer::of(&AudienceDeleted { deleted: true }))
}

/// `GET /v1/audiences/{name}`.
pub(crate) fn one(app: &App, call: &Call) -> Result<Answer, Problem> {
    let query = Query::parse(&call.query, &["sort", "limit", "cursor", "purpose"])?;
    let audience = named(app, call.param("name"))?;
    let r = run(app)?;
    let limit = v1::limit(&query)?;
    let text = with_sort(&audience.filter, query.get("sort"));
    let asked = Query::parse(&text, &filter::names(&["sort"]))?;
    let about = line(&audience, &call.sight);
    let (tally, page, next) = match ask(&r.results, &asked, &call.sight, limit)? {
        None => (Tally::default(), Vec::new(), None),
        Some(ask) => {
            let from = v1::from(r, &query, &ask)?;
            let page = r.results.page(&Ask { from, ..ask });
            let next = v1::cursor(r, &page, &ask);
            (r.results.tally(&ask), page.customers, next)
        }
    };
    let n = page.len();
    let view = AudienceView {
        name: about.name,
        filter: about.filter,
        created: about.created,
        by: about.by,
        customers: tally.customers,
        expected_spend: tally.expected_spend,
        members: page.into_iter().map(|at| v1::view(&r.results, at, &call.sight)).collect(),
        next,
    };
    Ok(Answer::of(&view).about(n))
}

/// What is asked; `None` where the run has nobody of the tier or the group, which another run may have.
///
/// # Errors
/// As [`filter::ask`].
pub(crate) fn ask<'a>(r: &Results, query: &'a Query, sight: &Sight, limit: usize) -> Result<Option<Ask<'a>>, Problem> {
    let is_there = |name: &str, known: &[String]| query.get(name).is_none_or(|key| known.iter().any(|k| k == key));
    if is_there("tier", r.tiers()) && is_there("group", r.groups()) {
        return filter::ask(r, query, sight, limit).map(Some);
    }
    Ok(None)
}

/// The audience of this name.
///
/// # Errors
/// [`Problem`] where there is none.
pub(crate) fn named(app: &App, name: &str) -> Result<Audience, Problem> {
    let found = kept(app)?.audiences()?.into_iter().find(|a| a.name == name);
    found.ok_or_else(|| Problem::new(Code::NoAudience, "no audience has this name; GET /v1/audiences lists them"))
}

/// Keeps a filter under a name.
///
/// # Errors
/// [`Problem`] for a name or a filter that is none, a name that another filter has, and what cannot be written.
pub(crate) fn save(app: &App, who: &Who, sight: &Sight, name: &str, filter: &str) -> Result<Audience, Problem> {
    let r = run(app)?;
    let query = Query::parse(filter, &filter::names(&[]))?;
    filter::ask(&r.results, &query, sight, 1)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs() as i64);
    let (kind, by) = who.kind();
    let audience = Audience {
        name: name.trim().to_owned(),
        filter: filter::text(&query),
        created: Timestamp(now),
        by: by.unwrap_or(kind).to_owned(),
    };
    match kept(app)?.save(&audience)? {
        Saved::Now | Saved::Before => Ok(audience),
        Saved::Taken => {
            let detail = "another audience has this name; choose another one, or delete that audience first";
            Err(Problem::new(Code::TakenName, detail))
        }
    }
}

/// Deletes an audience.
///
/// # Errors
/// [`Problem`] where there is none.
pub(crate) fn delete(app: &App, name: &str) -> Result<(), Problem> {
    if kept(app)?.delete(name)? {
        return Ok(());
    }
    Err(Problem::new(Code::NoAudience, "no audience has this name; it may have been deleted already"))
}

/// Whether who asks may keep and delete audiences.
pub(crate) fn may_change(who: &Who) -> bool {
    who.may(Resource::Results, Action::Change)
}

/// A filter with an order.
fn with_sort(filter: &str, sort: Option<&str>) -> String {
    let sort = sort.filter(|s| !s.is_empty()).map(|s| format!("sort={}", crate::served::encoded(s)));
    [Some(filter.to_owned()).filter(|f| !f.is_empty()), sort].into_iter().flatten().collect::<Vec<_>>().join("&")
}

fn line(a: &Audience, sight: &Sight) -> AudienceLine {
    // the beginning of an id may be the whole of it
    let is_told = |pair: &&str| !sight.is_masked() || !pair.starts_with("prefix=");
    AudienceLine {
        name: a.name.clone(),
        filter: a.filter.split('&').filter(is_told).collect::<Vec<_>>().join("&"),
        created: moment(a.created),
        by: a.by.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_put_behind_a_filter() {
        assert_eq!(with_sort("tier=gold", Some("-p_active")), "tier=gold&sort=-p_active");
        assert_eq!(with_sort("", Some("p_active")), "sort=p_active");
        assert_eq!(with_sort("tier=gold", None), "tier=gold");
    }
}
