//! The one table of what can be asked: path, method, who may ask, who answers, and what the answer looks like.
//!
//! The router, the description of the interface, the metrics and the log know paths from here and nowhere else.

use std::sync::Arc;

use axum::body::Body;
use guike_guard::{Action, Resource};
use serde_json::{Value, json};

use crate::app::{Answer, App, Call};
use crate::login::LOGIN;
use crate::oidc::OIDC;
use crate::openapi::{self, Parameter};
use crate::pages::PAGES;
use crate::problem::Problem;
use crate::query::Query;
use crate::shape::{Schemas, Shape};
use crate::views::{
    AudienceDeleted, AudienceLine, AudienceView, Audiences, CustomerHistory, CustomerView, Customers, EventsTaken,
    ExplanationView, ModelView, Models, Prediction, Status, Summary, Tiers,
};
use crate::who::Needs;
use crate::{admin, audiences, batch, drift, events, export, jobs, kserve, one, predict, v1};

mod versions;

use versions::VERSIONS;

/// A request's method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Post,
    Delete,
}

impl Method {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Delete => "DELETE",
        }
    }
}

/// Who answers: a plain function of what is served and what is asked.
pub(crate) type Handler = fn(&App, &Call) -> Result<Answer, Problem>;

/// Who answers while the body is still arriving; the text is the id of the request.
pub(crate) type StreamHandler = fn(Arc<App>, Call, Body, String) -> batch::Answering;

/// Who answers when something else than a processor is ready, as a disk.
pub(crate) type WaitingHandler = fn(Arc<App>, Call) -> batch::Answering;

/// How something is answered.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Work {
    /// When the whole body is there.
    Whole(Handler),
    /// The same, by a thread of its own: it takes more than a blink.
    Slow(Handler),
    /// When the whole body is there, and what it waits for.
    Waiting(WaitingHandler),
    /// While it arrives; who answers holds the limits.
    Streamed(StreamHandler),
}

/// A schema, which adds those that it names.
pub(crate) type SchemaOf = fn(&mut Schemas) -> Value;

/// Something that can be asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Route {
    pub(crate) method: Method,
    /// With `{name}` where a part of the path is a parameter.
    pub(crate) path: &'static str,
    pub(crate) work: Work,
    /// What who asks must be allowed; `None` is open to everybody.
    pub(crate) needs: Option<Needs>,
    /// What it does.
    pub(crate) about: &'static str,
    /// Parameters after the `?`.
    pub(crate) parameters: &'static [Parameter],
    /// What the body must be.
    pub(crate) body: Option<SchemaOf>,
    /// What the answer is; `None` is text.
    pub(crate) answer: Option<SchemaOf>,
    /// Whether it is for people: its problems are pages, too, and the description for programs leaves it out.
    pub(crate) is_page: bool,
}

impl Route {
    /// A name for programs that are written from the description: `get_v1_customers_id`.
    pub(crate) fn id(&self) -> String {
        let words = self.path.split(['/', '{', '}', '.']).filter(|w| !w.is_empty());
        words.fold(self.method.as_str().to_lowercase(), |id, word| id + "_" + word)
    }

    /// Statuses of the problems that it can end in.
    pub(crate) fn problems(&self) -> Vec<u16> {
        let mut all = vec![400, 403, 500, 503];
        if self.needs.is_some() {
            all.extend([401, 429]);
        }
        if self.body.is_some() {
            all.extend([408, 413, 415, 422]);
        }
        if self.path == AUDIENCES && self.body.is_some() {
            all.push(409);
        }
        if self.path == EXPORT {
            all.push(413);
        }
        if self.method == Method::Delete && self.path.contains("/versions/") {
            all.push(422);
        }
        if self.path.contains('{') || self.path.starts_with("/v1") || self.body.is_some() {
            all.push(404);
        }
        all.sort_unstable();
        all
    }
}

/// A route that is read: no body, no parameters.
const fn get(
    path: &'static str,
    needs: Option<Needs>,
    handler: Handler,
    answer: SchemaOf,
    about: &'static str,
) -> Route {
    Route {
        method: Method::Get,
        path,
        work: Work::Whole(handler),
        needs,
        about,
        parameters: &[],
        body: None,
        answer: Some(answer),
        is_page: false,
    }
}

const MODELS: Option<Needs> = Some((Resource::Models, Action::Read));
const CHANGE_MODELS: Option<Needs> = Some((Resource::Models, Action::Change));
const RESULTS: Option<Needs> = Some((Resource::Results, Action::Read));
const CUSTOMERS: Option<Needs> = Some((Resource::Customers, Action::Read));
const LISTS: Option<Needs> = Some((Resource::Customers, Action::Export));
const PREDICTIONS: Option<Needs> = Some((Resource::Predictions, Action::Read));
const BATCHES: Option<Needs> = Some((Resource::Predictions, Action::Export));
const EVENTS: Option<Needs> = Some((Resource::Events, Action::Change));
const USERS: Option<Needs> = Some((Resource::Users, Action::Read));
const CHANGE_USERS: Option<Needs> = Some((Resource::Users, Action::Change));
const KEYS: Option<Needs> = Some((Resource::Keys, Action::Read));
const CHANGE_KEYS: Option<Needs> = Some((Resource::Keys, Action::Change));
const AUDIT: Option<Needs> = Some((Resource::Audit, Action::Read));
const DECIDE: Option<Needs> = Some((Resource::Results, Action::Change));
const JOBS: Option<Needs> = Some((Resource::Jobs, Action::Read));
const CHANGE_JOBS: Option<Needs> = Some((Resource::Jobs, Action::Change));
const METRICS: Option<Needs> = Some((Resource::Metrics, Action::Read));

/// What for it is asked who customers are.
const PURPOSE: Parameter = Parameter {
    name: "purpose",
    about: "What for, where an audit log is kept: without a purpose customers are told by pseudonyms. The header `x-purpose` says the same.",
    schema: r#"{"enum":["service","marketing","retention","credit","fraud","data-subject","quality"]}"#,
};

/// The path of saved audiences.
const AUDIENCES: &str = "/v1/audiences";
/// The path of customers as a file.
pub(crate) const EXPORT: &str = "/v1/customers/export";

/// Which customers, by what is no number; numbers are added to the description from their names.
mod filtered {
    use super::Parameter;

    pub(super) const PREFIX: Parameter =
        Parameter { name: "prefix", about: "Only ids that begin so.", schema: r#"{"type":"string"}"# };
    pub(super) const TIER: Parameter =
        Parameter { name: "tier", about: "Only this tier, by its key.", schema: r#"{"type":"string"}"# };
    pub(super) const GROUP: Parameter =
        Parameter { name: "group", about: "Only this named group, by its key.", schema: r#"{"type":"string"}"# };
    pub(super) const SORT: Parameter = Parameter {
        name: "sort",
        about: "`customer_id` or a number of a customer; with `-` before it the greatest first.",
        schema: r#"{"type":"string","default":"-expected_spend"}"#,
    };
}

/// A route that changes something: a body, no parameters.
const fn post(
    path: &'static str,
    needs: Option<Needs>,
    handler: Handler,
    (body, answer): (SchemaOf, SchemaOf),
    about: &'static str,
) -> Route {
    Route { method: Method::Post, body: Some(body), ..get(path, needs, handler, answer, about) }
}

/// Everything for programs.
const API: &[Route] = &[
    Route {
        method: Method::Post,
        path: "/predict",
        work: Work::Whole(predict::answer),
        needs: PREDICTIONS,
        about: "Predict one customer or a list of them with the first model of a table.",
        parameters: &[Parameter {
            name: "reasons",
            about: "Whether to tell by how much each column lifts or lowers the answer.",
            schema: r#"{"type":"boolean","default":false}"#,
        }],
        body: Some(rows),
        answer: Some(predictions),
        is_page: false,
    },
    get("/health", None, health, Status::schema, "Whether the process lives."),
    get("/ready", None, ready, Status::schema, "Whether it takes requests."),
    Route {
        answer: None,
        ..get("/metrics", METRICS, metrics, Status::schema, "Counters in the text format of Prometheus.")
    },
    get("/openapi.json", None, openapi::answer, anything, "This description."),
    get("/v1/models", MODELS, v1::models, Models::schema, "All models."),
    get("/v1/models/{name}", MODELS, v1::model, ModelView::schema, "A model: what it reads, says, and how good it is."),
    Route {
        method: Method::Post,
        path: "/v1/models/{name}/batch",
        work: Work::Streamed(batch::answer),
        needs: BATCHES,
        about: "Predict a file of rows: CSV and JSON Lines while they are sent, Parquet once it is there, answered as the same rows with predictions.",
        parameters: &[
            Parameter {
                name: "keep",
                about: "Which columns of the rows stand before the predictions: `all`, `none`, or names with commas between them.",
                schema: r#"{"type":"string","default":"all"}"#,
            },
            PURPOSE,
        ],
        body: Some(text),
        answer: Some(text),
        is_page: false,
    },
    Route {
        method: Method::Post,
        path: "/v1/events",
        work: Work::Waiting(events::answer),
        needs: EVENTS,
        about: "Tell of purchases and refunds since the last run; they are on disk when this is answered.",
        parameters: &[
            Parameter {
                name: events::KEY,
                about: "What tells this request from all others of this client; the same again under the same key is taken once.",
                schema: r#"{"type":"string","minLength":1,"maxLength":200}"#,
            },
            PURPOSE,
        ],
        body: Some(happened),
        answer: Some(EventsTaken::schema),
        is_page: false,
    },
    get("/v1/jobs", JOBS, jobs::all, jobs::JobsView::schema, "Jobs, the newest first."),
    Route {
        method: Method::Post,
        path: "/v1/jobs",
        work: Work::Streamed(jobs::ask),
        needs: CHANGE_JOBS,
        about: "Ask for a job: train on the table that is the body, or refresh the run.",
        parameters: &[
            Parameter { name: "kind", about: "What to do.", schema: r#"{"enum":["train","refresh"]}"# },
            Parameter {
                name: "promote",
                about: "Whether the result becomes the champion where the gate allows it.",
                schema: r#"{"type":"boolean","default":false}"#,
            },
            Parameter {
                name: "name",
                about: "Under which name a trained model is registered.",
                schema: r#"{"type":"string"}"#,
            },
            Parameter { name: "target", about: "The column to learn.", schema: r#"{"type":"string"}"# },
            Parameter {
                name: "model",
                about: "The learner; left out all are compared.",
                schema: r#"{"type":"string","default":"auto"}"#,
            },
            Parameter {
                name: "budget",
                about: "How much work to spend.",
                schema: r#"{"enum":["fast","standard","thorough"],"default":"standard"}"#,
            },
            Parameter {
                name: "positive",
                about: "The class whose probability counts, of two.",
                schema: r#"{"type":"string"}"#,
            },
            Parameter {
                name: "drop",
                about: "Columns not to learn from, with commas between them.",
                schema: r#"{"type":"string"}"#,
            },
            Parameter {
                name: "keep",
                about: "Columns to learn from although they look like ids.",
                schema: r#"{"type":"string"}"#,
            },
            Parameter {
                name: "time",
                about: "Column of moments: the newest rows test.",
                schema: r#"{"type":"string"}"#,
            },
            Parameter { name: "group", about: "Column of groups that stay together.", schema: r#"{"type":"string"}"# },
            Parameter {
                name: "lang",
                about: "The language that the report opens in; left out that of `accept-language`.",
                schema: r#"{"enum":["en","zh"]}"#,
            },
        ],
        body: Some(text),
        answer: Some(jobs::JobView::schema),
        is_page: false,
    },
    get("/v1/jobs/{job}", JOBS, jobs::one, jobs::JobView::schema, "A job: how far it is, or what came of it."),
    post(
        "/v1/jobs/{job}/cancel",
        CHANGE_JOBS,
        jobs::cancel,
        (admin::nothing, jobs::JobView::schema),
        "Stop a job that waits or runs.",
    ),
    get("/v1/users", USERS, admin::users, admin::UsersView::schema, "Everybody who may log in."),
    post(
        "/v1/users",
        CHANGE_USERS,
        admin::add_user,
        (admin::new_user_shape, admin::UserView::schema),
        "Add a user, who gets a link with which she chooses her password.",
    ),
    post(
        "/v1/users/{name}",
        CHANGE_USERS,
        admin::alter_user,
        (admin::other_user_shape, admin::UserView::schema),
        "Give a user another role or a link for another password, keep her from logging in, or let her again.",
    ),
    get("/v1/keys", KEYS, admin::all_keys, admin::KeysView::schema, "Every key, without what opens it."),
    post(
        "/v1/keys",
        CHANGE_KEYS,
        admin::add_key,
        (admin::new_key_shape, admin::KeyView::schema),
        "Make a key, which is told this once.",
    ),
    post(
        "/v1/keys/{name}/revoke",
        CHANGE_KEYS,
        admin::revoke_key,
        (admin::nothing, admin::KeysView::schema),
        "Take a key out of force, at once.",
    ),
    Route {
        work: Work::Waiting(admin::audit),
        parameters: &[Parameter {
            name: "last",
            about: "How many of the newest records.",
            schema: r#"{"type":"integer","minimum":1,"maximum":1000,"default":100}"#,
        }],
        ..get(
            "/v1/audit",
            AUDIT,
            health,
            admin::AuditView::schema,
            "The newest records of the audit log, and whether all of it verifies.",
        )
    },
    Route {
        work: Work::Waiting(drift::answer),
        parameters: &[
            Parameter {
                name: "run",
                about: "The number of the run to look at; left out the newest.",
                schema: r#"{"type":"integer","minimum":1}"#,
            },
            Parameter {
                name: "against",
                about: "The number of the run to compare it with; left out the one before.",
                schema: r#"{"type":"integer","minimum":1}"#,
            },
        ],
        ..get(
            "/v1/drift",
            RESULTS,
            v1::summary,
            drift::DriftView::schema,
            "How the shop's customers have moved between two runs that the workspace keeps.",
        )
    },
    get("/v1/summary", RESULTS, v1::summary, Summary::schema, "The shop in a few numbers."),
    get("/v1/tiers", RESULTS, v1::tiers, Tiers::schema, "The tiers with their rule, size, value and risk."),
    Route {
        parameters: &[
            filtered::PREFIX,
            filtered::TIER,
            filtered::GROUP,
            filtered::SORT,
            Parameter {
                name: "limit",
                about: "Most customers of a page.",
                schema: r#"{"type":"integer","minimum":1,"maximum":1000,"default":50}"#,
            },
            Parameter { name: "cursor", about: "`next` of the page before.", schema: r#"{"type":"string"}"# },
            PURPOSE,
        ],
        ..get(
            "/v1/customers",
            CUSTOMERS,
            v1::customers,
            Customers::schema,
            "Customers, searched, filtered and in order, page by page.",
        )
    },
    Route {
        parameters: &[
            Parameter {
                name: "format",
                about: "How the file is written.",
                schema: r#"{"enum":["csv","xlsx","parquet","ndjson"],"default":"csv"}"#,
            },
            filtered::PREFIX,
            filtered::TIER,
            filtered::GROUP,
            filtered::SORT,
            PURPOSE,
        ],
        ..get(
            EXPORT,
            LISTS,
            export::answer,
            text,
            "Customers, searched, filtered and in order, all of them as a file that is made while it is sent.",
        )
    },
    Route {
        parameters: &[PURPOSE],
        ..get(
            "/v1/customers/{id}",
            CUSTOMERS,
            v1::customer,
            CustomerView::schema,
            "A customer with forecast, intervals and tier.",
        )
    },
    Route {
        parameters: &[PURPOSE],
        ..get(
            AUDIENCES,
            RESULTS,
            audiences::all,
            Audiences::schema,
            "The saved audiences: filters of customers under a name.",
        )
    },
    Route {
        method: Method::Post,
        body: Some(audience),
        parameters: &[PURPOSE],
        ..get(AUDIENCES, DECIDE, audiences::make, AudienceLine::schema, "Keep a filter of customers under a name.")
    },
    Route {
        parameters: &[
            filtered::SORT,
            Parameter {
                name: "limit",
                about: "Most customers of a page.",
                schema: r#"{"type":"integer","minimum":1,"maximum":1000,"default":50}"#,
            },
            Parameter { name: "cursor", about: "`next` of the page before.", schema: r#"{"type":"string"}"# },
            PURPOSE,
        ],
        ..get(
            "/v1/audiences/{name}",
            CUSTOMERS,
            audiences::one,
            AudienceView::schema,
            "Who answers to an audience now: count, expected spend, and the customers page by page.",
        )
    },
    Route {
        method: Method::Delete,
        parameters: &[PURPOSE],
        ..get(
            "/v1/audiences/{name}",
            DECIDE,
            audiences::remove,
            AudienceDeleted::schema,
            "Delete an audience; no customer is touched.",
        )
    },
    Route {
        parameters: &[PURPOSE],
        ..get(
            "/v1/customers/{id}/history",
            CUSTOMERS,
            one::history,
            CustomerHistory::schema,
            "What a customer bought, and what is expected of her day by day.",
        )
    },
    Route {
        parameters: &[PURPOSE],
        work: Work::Slow(one::explanation),
        ..get(
            "/v1/customers/{id}/explanation",
            CUSTOMERS,
            one::explanation,
            ExplanationView::schema,
            "Why a customer's forecast is what it is, who is like her, and what one more order would change.",
        )
    },
    get("/v2", MODELS, kserve::server, kserve::ServerMetadata::schema, "Open Inference Protocol: the server."),
    get(
        "/v2/health/live",
        None,
        kserve::live,
        kserve::Live::schema,
        "Open Inference Protocol: whether the process lives.",
    ),
    get(
        "/v2/health/ready",
        None,
        kserve::ready,
        kserve::Ready::schema,
        "Open Inference Protocol: whether it takes requests.",
    ),
    get(
        "/v2/models/{name}",
        MODELS,
        kserve::metadata,
        kserve::ModelMetadata::schema,
        "Open Inference Protocol: a model's tensors.",
    ),
    get(
        "/v2/models/{name}/ready",
        MODELS,
        kserve::model_ready,
        kserve::ModelReady::schema,
        "Open Inference Protocol: whether a model answers.",
    ),
    INFER,
    get(
        "/v2/models/{name}/versions/{version}",
        MODELS,
        kserve::metadata,
        kserve::ModelMetadata::schema,
        "Open Inference Protocol: the tensors of a version.",
    ),
    get(
        "/v2/models/{name}/versions/{version}/ready",
        MODELS,
        kserve::model_ready,
        kserve::ModelReady::schema,
        "Open Inference Protocol: whether a version answers.",
    ),
    Route { path: "/v2/models/{name}/versions/{version}/infer", ..INFER },
];

/// Everything that can be asked.
pub(crate) static ROUTES: [Route; N_ROUTES] = {
    let parts = [API, VERSIONS, &LOGIN, &OIDC, PAGES];
    let mut all = [API[0]; N_ROUTES];
    let (mut at, mut part, mut first) = (0, 0, 0);
    while at < all.len() {
        if at - first == parts[part].len() {
            first = at;
            part += 1;
        }
        all[at] = parts[part][at - first];
        at += 1;
    }
    all
};
const N_ROUTES: usize = API.len() + VERSIONS.len() + LOGIN.len() + OIDC.len() + PAGES.len();

const INFER: Route = Route {
    method: Method::Post,
    path: "/v2/models/{name}/infer",
    work: Work::Whole(kserve::infer),
    needs: PREDICTIONS,
    about: "Open Inference Protocol: predict rows that come as one tensor per column.",
    parameters: &[],
    body: Some(kserve::InferRequest::schema),
    answer: Some(kserve::InferAnswer::schema),
    is_page: false,
};

/// An event or a list of them.
fn happened(_: &mut Schemas) -> Value {
    let event = json!({
        "type": "object",
        "description": "a purchase, or money that was given back",
        "properties": {
            "customer_id": {
                "type": ["string", "integer"],
                "description": "whose it is, as the order log writes customers; 1 to 200 bytes",
            },
            "time": {
                "type": "string",
                "description": "the day, or the day and the time of day, in the shop's own time; not after now",
                "examples": ["2026-11-27", "2026-11-27T18:30:00"],
            },
            "amount": { "type": "number", "description": "what was paid; below zero what was given back" },
        },
        "required": ["customer_id", "time", "amount"],
        "additionalProperties": false,
    });
    json!({ "oneOf": [event, { "type": "array", "minItems": 1, "items": event }] })
}

/// A name and a filter.
fn audience(_: &mut Schemas) -> Value {
    json!({
        "type": "object",
        "properties": {
            "name": { "type": "string", "minLength": 1, "maxLength": 64, "examples": ["gold at risk"] },
            "filter": {
                "type": "string",
                "description": "what stands after the ? of /v1/customers, without order and pages",
                "default": "",
                "examples": ["tier=gold&max_p_active=0.5"],
            },
        },
        "required": ["name"],
        "additionalProperties": false,
    })
}

/// A customer or a list of them, by the columns of the model.
fn rows(_: &mut Schemas) -> Value {
    let row = json!({
        "type": "object",
        "description": "a value for every column of the model; null where it is not known",
        "additionalProperties": { "type": ["number", "string", "boolean", "null"] },
        "examples": [{ "age": 30, "income": 60000, "freq": 5, "amount": 500 }],
    });
    json!({ "oneOf": [row, { "type": "array", "items": row }] })
}

/// An answer or a list of them.
fn predictions(to: &mut Schemas) -> Value {
    let one = Prediction::schema(to);
    json!({ "oneOf": [one, { "type": "array", "items": one }] })
}

/// Rows, as the content type says.
fn text(_: &mut Schemas) -> Value {
    json!({ "type": "string" })
}

fn anything(_: &mut Schemas) -> Value {
    json!({ "type": "object" })
}

/// The process lives and answers.
fn health(_: &App, call: &Call) -> Result<Answer, Problem> {
    Query::parse(&call.query, &[])?;
    Ok(Answer::of(&Status { status: "ok" }))
}

/// It takes requests: models are read before it listens, so it only stops being ready.
fn ready(app: &App, call: &Call) -> Result<Answer, Problem> {
    Query::parse(&call.query, &[])?;
    app.needs_ready()?;
    Ok(Answer::of(&Status { status: "ready" }))
}

/// Counters for Prometheus.
fn metrics(app: &App, call: &Call) -> Result<Answer, Problem> {
    Query::parse(&call.query, &[])?;
    Ok(Answer::text("text/plain; version=0.0.4; charset=utf-8", app.metrics_text().into_bytes()))
}

#[cfg(test)]
mod tests;
