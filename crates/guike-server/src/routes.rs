//! The one table of what can be asked: path, method, and who answers.
//!
//! The router, the metrics and the log know paths from here and nowhere else.

use crate::app::{Answer, App, Call};
use crate::problem::{Code, Problem};
use crate::{predict, query::Query};

/// A request's method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Post,
}

impl Method {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Post => "POST",
        }
    }
}

/// Who answers: a plain function of what is served and what is asked.
pub(crate) type Handler = fn(&App, &Call) -> Result<Answer, Problem>;

/// Something that can be asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Route {
    pub(crate) method: Method,
    /// With `{name}` where a part of the path is a parameter.
    pub(crate) path: &'static str,
    pub(crate) handler: Handler,
}

/// Everything that can be asked.
pub(crate) static ROUTES: [Route; 4] = [
    Route { method: Method::Post, path: "/predict", handler: predict::answer },
    Route { method: Method::Get, path: "/health", handler: health },
    Route { method: Method::Get, path: "/ready", handler: ready },
    Route { method: Method::Get, path: "/metrics", handler: metrics },
];

/// The process lives and answers.
fn health(_: &App, call: &Call) -> Result<Answer, Problem> {
    Query::parse(&call.query, &[])?;
    Ok(Answer::json(b"{\"status\":\"ok\"}".to_vec()))
}

/// It takes requests: models are read before it listens, so it only stops being ready.
fn ready(app: &App, call: &Call) -> Result<Answer, Problem> {
    Query::parse(&call.query, &[])?;
    if app.is_stopping() {
        let detail = "the server was asked to end and takes nothing new; ask another one";
        return Err(Problem::new(Code::Stopping, detail).retry_after(5));
    }
    Ok(Answer::json(b"{\"status\":\"ready\"}".to_vec()))
}

/// Counters for Prometheus.
fn metrics(app: &App, call: &Call) -> Result<Answer, Problem> {
    Query::parse(&call.query, &[])?;
    Ok(Answer::text("text/plain; version=0.0.4; charset=utf-8", app.metrics_text().into_bytes()))
}
