//! What all requests share: what is served, the limits, the counters, and the way of every request from its head to its
//! answer.
//!
//! The one idea: everything around a handler (who may ask, how much, how long, what is counted and logged) happens once, in
//! [`App::answer`]; a handler is a plain function from what is asked to an [`Answer`] or a [`Problem`].

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{HeaderValue, Response, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::sync::Semaphore;

use crate::Limits;
use crate::log::{Line, Log, Logger};
use crate::metrics::Metrics;
use crate::problem::{Code, Problem};
use crate::routes::{ROUTES, Route};
use crate::served::{Served, ServedModel};

/// Bodies above this are worked on by threads of their own, so that small requests do not wait behind them.
const LARGE: usize = 32 * 1024;

/// What a handler is asked.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) parts: Parts,
    /// What follows the `?`.
    pub(crate) query: String,
    pub(crate) body: Bytes,
}

impl Call {
    /// # Errors
    /// [`Problem`] when the body is not said to be JSON. A page of another site cannot say so without asking first, which
    /// is refused; this is what keeps it from using a server on its reader's own machine.
    pub(crate) fn needs_json(&self) -> Result<(), Problem> {
        let kind = self.parts.headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        if kind.eq_ignore_ascii_case("application/json") {
            return Ok(());
        }
        let detail = "the body must be JSON and say so; add the header `content-type: application/json`";
        Err(Problem::new(Code::NotJson, detail))
    }
}

/// What a handler answers, with status 200.
#[derive(Debug)]
pub(crate) struct Answer {
    kind: &'static str,
    body: Vec<u8>,
    model: Option<HeaderValue>,
}

impl Answer {
    pub(crate) fn json(body: Vec<u8>) -> Answer {
        Answer { kind: "application/json", body, model: None }
    }

    pub(crate) fn text(kind: &'static str, body: Vec<u8>) -> Answer {
        Answer { kind, body, model: None }
    }

    /// Names the model that answered in the header `guike-model`.
    pub(crate) fn with_model(mut self, model: &ServedModel) -> Answer {
        self.model = Some(model.header.clone());
        self
    }
}

/// An answer or a problem, with the length of the body that was read.
type Asked = Result<(usize, Answer), (usize, Problem)>;

/// What all requests share.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) served: Served,
    pub(crate) limits: Limits,
    /// Whether only programs of this machine can reach it.
    is_local: bool,
    metrics: Metrics,
    logger: Logger,
    stopping: AtomicBool,
    /// Large requests that are worked on at a time.
    large: Semaphore,
    /// What request ids begin with, another in every process.
    prefix: String,
    n_requests: AtomicU64,
}

impl App {
    pub(crate) fn new(served: Served, limits: Limits, is_local: bool, threads: usize, log: Log) -> App {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        App {
            served,
            limits,
            is_local,
            metrics: Metrics::new(now.as_secs()),
            logger: Logger::start(log),
            stopping: AtomicBool::new(false),
            large: Semaphore::new(2 * threads),
            prefix: format!("{:012x}", RandomState::new().build_hasher().finish() >> 16),
            n_requests: AtomicU64::new(0),
        }
    }

    /// The model that `POST /predict` asks.
    pub(crate) fn first_model(&self) -> Result<&ServedModel, Problem> {
        let detail = "no model on tables is served; start the server with a folder of `guike train`";
        self.served.models.first().ok_or_else(|| Problem::new(Code::NoModel, detail))
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    pub(crate) fn metrics_text(&self) -> String {
        self.metrics.text(&self.served, self.logger.dropped())
    }

    /// Answers a request for a route, given by its position in [`ROUTES`].
    pub(crate) async fn answer(self: Arc<App>, at: usize, request: Request) -> Response<Body> {
        let route = &ROUTES[at];
        self.accounted(at, route.method.as_str(), self.ask(route, request)).await
    }

    /// Answers a request that no route is for.
    pub(crate) async fn refuse(self: Arc<App>, code: Code, request: Request) -> Response<Body> {
        let detail = match code {
            Code::MethodNotAllowed => "this path has another method; the header `allow` lists them",
            _ => "nothing is at this path; docs/serve.md lists what can be asked",
        };
        let method = known_method(request.method().as_str());
        self.accounted(ROUTES.len(), method, async { Err((0, Problem::new(code, detail))) }).await
    }

    /// Counts, times and logs; `ask` gives the answer and the length of the body that was read.
    async fn accounted(
        &self,
        at: usize,
        method: &'static str,
        ask: impl Future<Output = Asked> + Send,
    ) -> Response<Body> {
        let begun = Instant::now();
        let id = format!("{}-{:x}", self.prefix, self.n_requests.fetch_add(1, Ordering::Relaxed));
        let route = ROUTES.get(at).map_or("other", |r| r.path);
        let in_flight = self.metrics.in_flight.fetch_add(1, Ordering::Relaxed) + 1;
        let asked = if in_flight > i64::from(self.limits.in_flight) {
            let detail = format!(
                "{} requests are being answered, as many as --max-in-flight allows; try again later",
                self.limits.in_flight
            );
            Err((0, Problem::new(Code::Busy, detail).retry_after(1)))
        } else {
            ask.await
        };
        self.metrics.in_flight.fetch_sub(1, Ordering::Relaxed);
        let (bytes_in, code) = match &asked {
            Ok((n, _)) => (*n, None),
            Err((n, problem)) => (*n, Some(problem.code.words().1)),
        };
        let (response, bytes_out) = match asked {
            Ok((_, answer)) => respond(answer, &id),
            Err((_, problem)) => refuse(&problem, &id),
        };
        let (status, took) = (response.status().as_u16(), begun.elapsed());
        self.metrics.count(at, status, took);
        self.logger.add(&Line { id: &id, method, route, status, code, took, bytes_in, bytes_out });
        response
    }

    async fn ask(self: &Arc<App>, route: &'static Route, request: Request) -> Asked {
        let (parts, body) = request.into_parts();
        self.admit(&parts).map_err(|p| (0, p))?;
        let body = self.read(body).await.map_err(|p| (0, p))?;
        let n = body.len();
        let query = parts.uri.query().unwrap_or_default().to_owned();
        let call = Call { parts, query, body };
        let handled = if n > LARGE {
            let detail = "as many large requests as are good for this machine are being worked on; try again later";
            let permit = self.large.try_acquire().map_err(|_| (n, Problem::new(Code::Busy, detail).retry_after(1)))?;
            let app = Arc::clone(self);
            let handled = tokio::task::spawn_blocking(move || app.handled(route, &call)).await;
            drop(permit);
            handled.unwrap_or_else(|_| Err(internal()))
        } else {
            self.handled(route, &call)
        };
        handled.map(|answer| (n, answer)).map_err(|problem| (n, problem))
    }

    /// What the handler says; a mistake of ours ends this request and no other.
    fn handled(&self, route: &Route, call: &Call) -> Result<Answer, Problem> {
        catch_unwind(AssertUnwindSafe(|| (route.handler)(self, call))).unwrap_or_else(|_| Err(internal()))
    }

    /// Whether this may be asked at all.
    fn admit(&self, parts: &Parts) -> Result<(), Problem> {
        // a page of another site may send its reader's browser here under a name that it makes point to this machine
        let host = parts.headers.get(header::HOST).and_then(|v| v.to_str().ok());
        if self.is_local && !host.is_some_and(is_this_machine) {
            let detail = "this server answers only for localhost; ask it as http://localhost or http://127.0.0.1";
            return Err(Problem::new(Code::ForeignHost, detail));
        }
        Ok(())
    }

    /// The whole body, within the limits on size and time.
    async fn read(&self, body: Body) -> Result<Bytes, Problem> {
        let most = self.limits.body_bytes;
        let slow = || {
            let seconds = self.limits.seconds;
            Problem::new(
                Code::TooSlow,
                format!("the body did not arrive within {seconds} seconds; send it faster or in parts"),
            )
        };
        let collected = Limited::new(body, most).collect();
        match tokio::time::timeout(Duration::from_secs(self.limits.seconds.into()), collected).await {
            Err(_) => Err(slow()),
            Ok(Ok(collected)) => Ok(collected.to_bytes()),
            Ok(Err(e)) if e.is::<LengthLimitError>() => Err(Problem::new(
                Code::BodyTooLarge,
                format!(
                    "the body has more than {most} bytes; send it in parts, or start the server with a higher --max-body"
                ),
            )),
            // the client went away; nobody reads this
            Ok(Err(_)) => Err(slow()),
        }
    }
}

fn internal() -> Problem {
    Problem::new(Code::Internal, "this is a mistake in Guike, please report it; other requests are not affected")
}

/// The method where it is one of HTTP's own: a log does not repeat what anybody may make up.
fn known_method(name: &str) -> &'static str {
    const KNOWN: [&str; 9] = ["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "CONNECT", "TRACE"];
    KNOWN.into_iter().find(|k| *k == name).unwrap_or("other")
}

/// Whether a `Host` header names this machine: `localhost:5000`, `127.0.0.1`, `[::1]:5000`.
fn is_this_machine(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn respond(answer: Answer, id: &str) -> (Response<Body>, usize) {
    let n = answer.body.len();
    let mut response = Response::new(Body::from(answer.body));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(answer.kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("x-request-id", HeaderValue::from_str(id).expect("hexadecimal digits"));
    if let Some(model) = answer.model {
        headers.insert("guike-model", model);
    }
    (response, n)
}

fn refuse(problem: &Problem, id: &str) -> (Response<Body>, usize) {
    let answer = Answer::text("application/problem+json", problem.body(id));
    let (mut response, n) = respond(answer, id);
    *response.status_mut() = StatusCode::from_u16(problem.status()).expect("a status of the table");
    if let Some(seconds) = problem.retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    (response, n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_this_machine_are_known_with_and_without_a_port() {
        for host in ["localhost", "LOCALHOST:5000", "127.0.0.1:5000", "127.9.9.9", "[::1]", "[::1]:5000"] {
            assert!(is_this_machine(host), "{host}");
        }
        for host in ["example.org", "example.org:5000", "localhost.example.org", "10.0.0.1", "", "127.0.0.1.nip.io"] {
            assert!(!is_this_machine(host), "{host}");
        }
    }
}
