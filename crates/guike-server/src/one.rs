//! `GET /v1/customers/{id}/history` and `/explanation`: what one customer did, what is expected of her day by day, and why.
//!
//! The one idea: both ask the run's own model about her as she is now, with what was told of her since the run. Who is like
//! her is told as the asker may see customers.

use guike::ErrorKind;
use guike::events::Event;
use guike::explain::{CustomerExplanation, Expected, Explanation, Fact, Found};
use guike::history::History;

use crate::app::{Answer, App, Call, internal};
use crate::ledger::Sight;
use crate::problem::{Code, Problem};
use crate::query::Query;
use crate::served::ServedRun;
use crate::v1;
use crate::views::{
    AheadView, AlikeView, CustomerHistory, ExpectedView, ExplanationView, FactView, PurchaseView, ThemeView, WhatIfView,
};

/// A customer whose history is at hand.
pub(crate) struct One<'a> {
    pub(crate) run: &'a ServedRun,
    pub(crate) at: usize,
    history: &'a History,
    /// What was told of her since the run.
    told: Vec<Event>,
}

impl<'a> One<'a> {
    /// The customer at a place of the results.
    ///
    /// # Errors
    /// [`Problem`] where the run kept no log, or it is still being read.
    pub(crate) fn at(app: &App, run: &'a ServedRun, at: usize) -> Result<One<'a>, Problem> {
        let history = run.history()?;
        let told = app.live.as_ref().map_or_else(Vec::new, |live| live.told(run.results.id(at), history));
        Ok(One { run, at, history, told })
    }

    /// The customer of an address.
    fn asked<'b: 'a>(app: &'b App, call: &Call) -> Result<One<'a>, Problem> {
        Query::parse(&call.query, &["purpose"])?;
        let run = v1::run(app)?;
        One::at(app, run, v1::found(run, call).ok_or_else(v1::no_customer)?)
    }

    fn id(&self) -> &str {
        self.run.results.id(self.at)
    }

    /// Her purchase days.
    pub(crate) fn bought(&self) -> Vec<guike::history::Bought> {
        self.history.bought(self.id(), &self.told)
    }

    /// What is expected of her from now on.
    ///
    /// # Errors
    /// [`Problem`] where the model cannot tell.
    pub(crate) fn ahead(&self) -> Result<Vec<guike::history::Ahead>, Problem> {
        self.history.ahead(self.id(), &self.told).map_err(|e| unsaid(&e))
    }

    /// Why her forecast is what it is.
    ///
    /// # Errors
    /// [`Problem`] where the model cannot tell.
    pub(crate) fn why(&self) -> Result<Explanation, Problem> {
        self.history.explain(self.id(), &self.told).map_err(|e| unsaid(&e))
    }
}

fn unsaid(e: &guike::Error) -> Problem {
    match e.kind() {
        ErrorKind::Data => Problem::new(Code::NoReasons, e.to_string()),
        _ => internal(),
    }
}

/// `GET /v1/customers/{id}/history`.
pub(crate) fn history(app: &App, call: &Call) -> Result<Answer, Problem> {
    let one = One::asked(app, call)?;
    let purchase = |b: guike::history::Bought| PurchaseView { day: b.day.to_string(), spend: b.spend };
    let step = |a: guike::history::Ahead| AheadView {
        days: a.days as usize,
        expected_spend: a.spend,
        spend_p10: a.interval[0],
        spend_p90: a.interval[1],
        p_active: a.p_active,
    };
    let view = CustomerHistory {
        customer_id: call.sight.shown(one.id()).into_owned(),
        as_of: one.run.results.known_until(one.at),
        purchases: one.bought().into_iter().map(purchase).collect(),
        ahead: one.ahead()?.into_iter().map(step).collect(),
    };
    Ok(Answer::of(&view).with_tag(&call.sight.tag(&one.run.tag())).about(1))
}

/// `GET /v1/customers/{id}/explanation`.
pub(crate) fn explanation(app: &App, call: &Call) -> Result<Answer, Problem> {
    let one = One::asked(app, call)?;
    let said = one.why()?;
    let Found::Customer { at, why } = &said.found else { return Err(internal()) };
    let view = view(&said.model, at.cutoff.to_string(), at.horizon_days, why, &call.sight);
    let n = 1 + why.alike.len();
    Ok(Answer::of(&view).with_tag(&call.sight.tag(&one.run.tag())).about(n))
}

fn view(model: &str, as_of: String, horizon_days: u32, why: &CustomerExplanation, sight: &Sight) -> ExplanationView {
    let expected =
        |e: &Expected| ExpectedView { expected_spend: e.spend, expected_orders: e.orders, p_active: e.p_active };
    let fact = |f: &Fact| FactView {
        feature: f.feature.clone(),
        value: f.value,
        category: f.category.clone(),
        median: f.median,
    };
    let tier = |t: &guike::explain::TierName| t.key.clone();
    ExplanationView {
        customer_id: sight.shown(&why.customer).into_owned(),
        model: model.to_owned(),
        as_of,
        horizon_days: horizon_days as usize,
        expected: expected(&why.expected),
        spend_p10: why.spend_interval[0],
        spend_p90: why.spend_interval[1],
        base: expected(&why.base),
        compared_with: why.background,
        exact: why.exact,
        themes: why
            .themes
            .iter()
            .map(|t| ThemeView {
                theme: t.theme,
                expected_spend: t.spend,
                standard_error: t.spend_error,
                p_active: t.p_active,
                facts: t.facts.iter().map(fact).collect(),
            })
            .collect(),
        alike: why
            .alike
            .iter()
            .map(|a| AlikeView {
                customer_id: sight.shown(&a.customer).into_owned(),
                days_since_last_order: a.recency_days,
                purchase_days: a.purchase_days as usize,
                spend_mean: a.spend_mean,
                expected: expected(&a.expected),
            })
            .collect(),
        tier: why.standing.as_ref().map(|s| tier(&s.tier)),
        next_tier: why.standing.as_ref().and_then(|s| s.next.as_ref()).map(|n| tier(&n.tier)),
        next_tier_order: why.standing.as_ref().and_then(|s| s.next.as_ref()).and_then(|n| n.order),
        what_if: why
            .what_if
            .iter()
            .map(|w| WhatIfView {
                order: w.order,
                times_usual: w.times_usual,
                expected: expected(&w.expected),
                tier: w.tier.as_ref().map(tier),
            })
            .collect(),
    }
}
