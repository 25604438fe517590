//! What all requests share: what is served, the limits, the counters, and the way of every request from its head to its
//! answer.
//!
//! The one idea: everything around a handler (who may ask, how much, how long, what is counted and logged) happens once, in
//! [`App::answer`]; a handler is a plain function from what is asked to an [`Answer`] or a [`Problem`].

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::body::{Body, Bytes};
use axum::extract::{FromRequestParts, RawPathParams, Request};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method, Response, StatusCode, header};
use guike::audit::AuditFiles;
use guike::workspace::Decision;
use guike_guard::{Action, Resource, csrf_token};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::Limits;
use crate::access::{Access, is_own_page, session};
use crate::drift::Drifts;
use crate::jobs::Jobs;
use crate::keyfile::Keys;
use crate::ledger::{Entry, Ledger, Sight};
use crate::live::Live;
use crate::log::{Line, Log, Logger};
use crate::login;
use crate::metrics::Metrics;
use crate::pages::{self, Reader};
use crate::people::People;
use crate::problem::{Code, Problem};
use crate::query::list;
use crate::routes::{Handler, ROUTES, Route, Work};
use crate::served::{Served, ServedModel};
use crate::who::Who;

/// Bodies above this are worked on by threads of their own, so that small requests do not wait behind them.
const LARGE: usize = 32 * 1024;

/// What a handler is asked.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) parts: Parts,
    /// Who asks, and what that one may do.
    pub(crate) who: Who,
    /// How that one sees customers.
    pub(crate) sight: Sight,
    /// What follows the `?`.
    pub(crate) query: String,
    /// Parts of the path by name.
    params: Vec<(String, String)>,
    pub(crate) body: Bytes,
}

impl Call {
    /// A part of the path; empty where the path has no such part.
    pub(crate) fn param(&self, name: &str) -> &str {
        self.params.iter().find(|p| p.0 == name).map_or("", |p| p.1.as_str())
    }

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

    /// As [`Call::needs_json`], but a body of no type at all is taken for JSON: Triton's clients send none. A page can do
    /// that too, but its browser adds where it comes from.
    ///
    /// # Errors
    /// [`Problem`] for another type, and for a page of another site.
    pub(crate) fn needs_json_or_no_type(&self) -> Result<(), Problem> {
        let headers = &self.parts.headers;
        let is_of_page = headers.contains_key("sec-fetch-site") || headers.contains_key(header::ORIGIN);
        if is_of_page || headers.contains_key(header::CONTENT_TYPE) { self.needs_json() } else { Ok(()) }
    }
}

/// What a handler answers.
#[derive(Debug)]
pub(crate) struct Answer {
    status: StatusCode,
    kind: &'static str,
    body: Vec<u8>,
    /// A body that is made while it is sent, in place of `body`.
    stream: Option<Body>,
    /// Headers of its own, which come before the usual ones.
    headers: Vec<(HeaderName, HeaderValue)>,
    model: Option<HeaderValue>,
    /// What the answer is made from, for a client that has it already.
    tag: Option<HeaderValue>,
    /// How many customers it tells of.
    customers: Option<usize>,
    /// What happened to a session, and whose it is.
    event: Option<(&'static str, Who)>,
    /// What was done to what, in place of the action alone, for the audit log.
    deed: Option<String>,
}

impl Answer {
    pub(crate) fn json(body: Vec<u8>) -> Answer {
        Answer::text("application/json", body)
    }

    /// A view as JSON.
    pub(crate) fn of(view: &impl serde::Serialize) -> Answer {
        Answer::json(serde_json::to_vec(view).expect("views have names for keys"))
    }

    pub(crate) fn text(kind: &'static str, body: Vec<u8>) -> Answer {
        Answer {
            status: StatusCode::OK,
            kind,
            body,
            stream: None,
            headers: Vec::new(),
            model: None,
            tag: None,
            customers: None,
            event: None,
            deed: None,
        }
    }

    /// Something whose length is not known before it ends.
    pub(crate) fn streamed(kind: &'static str, stream: Body) -> Answer {
        Answer { stream: Some(stream), ..Answer::text(kind, Vec::new()) }
    }

    pub(crate) fn header(mut self, name: HeaderName, value: HeaderValue) -> Answer {
        self.headers.push((name, value));
        self
    }

    pub(crate) fn with_status(mut self, status: StatusCode) -> Answer {
        self.status = status;
        self
    }

    /// Says what happened to a session and whose it is, for the audit log.
    pub(crate) fn happened(mut self, what: &'static str, to: Who) -> Answer {
        self.event = Some((what, to));
        self
    }

    /// Says what was done, for the audit log: `disable mei`.
    pub(crate) fn did(mut self, what: String) -> Answer {
        self.deed = Some(what);
        self
    }

    /// Says which version of what is served it is made from: as long as that is the same, the answer to the same question is.
    pub(crate) fn with_tag(mut self, version: &str) -> Answer {
        self.tag = HeaderValue::from_str(&format!("\"{version}\"")).ok();
        self
    }

    /// Says how many customers it tells of, for the audit log.
    pub(crate) fn about(mut self, customers: usize) -> Answer {
        self.customers = Some(customers);
        self
    }

    /// Without the body, where the client has it already.
    fn unless(mut self, known: Option<&HeaderValue>) -> Answer {
        if self.tag.is_some() && self.tag.as_ref() == known {
            self.body = Vec::new();
            self.status = StatusCode::NOT_MODIFIED;
        }
        self
    }

    /// Names the model that answered in the header `guike-model`.
    pub(crate) fn with_model(mut self, model: &ServedModel) -> Answer {
        self.model = Some(model.header.clone());
        self
    }
}

/// How a request ended.
#[derive(Debug)]
struct Asked {
    said: Result<Answer, Problem>,
    /// Bytes of the body that was read.
    bytes_in: usize,
    /// Who asked.
    who: Who,
}

impl From<Problem> for Asked {
    fn from(problem: Problem) -> Asked {
        // a page for who is not logged in any more shows nothing of what that one could do
        let is_told = |who: &Who| problem.status() == 403 || who.key_name().is_some();
        let who = problem.by.as_ref().filter(|who| is_told(who)).map_or(Who::ANYBODY, |who| Who::clone(who));
        Asked { said: Err(problem), bytes_in: 0, who }
    }
}

/// What all requests share. Everything but what is served is the same as long as the server runs.
#[derive(Debug, Clone)]
pub(crate) struct App {
    pub(crate) served: Arc<Served>,
    pub(crate) limits: Limits,
    access: Arc<Access>,
    /// Events that are taken, where any are.
    pub(crate) live: Option<Arc<Live>>,
    /// Training and refreshing, where there is a workspace for it.
    pub(crate) jobs: Option<Arc<Jobs>>,
    /// The audit log, where one is kept.
    ledger: Option<Arc<Ledger>>,
    pub(crate) metrics: Arc<Metrics>,
    /// What runs of a workspace say about each other.
    pub(crate) drifts: Arc<Drifts>,
    pub(crate) logger: Arc<Logger>,
    stopping: Arc<AtomicBool>,
    /// Large requests that are worked on at a time.
    large: Arc<Semaphore>,
    /// Batches that are answered at a time.
    pub(crate) batches: Arc<Semaphore>,
    /// What request ids begin with, another in every process.
    prefix: Arc<str>,
    n_requests: Arc<AtomicU64>,
}

/// Where every request finds what is served now. A request keeps what it found until it is answered, so that other models
/// can take their place meanwhile; finding it is one atomic step, and nobody holds the lock longer than that.
#[derive(Debug)]
pub(crate) struct Door {
    app: RwLock<Arc<App>>,
    /// Whoever changes what is served does it after whoever began before.
    changing: Mutex<()>,
}

impl Door {
    pub(crate) fn new(app: App) -> Door {
        Door { app: RwLock::new(Arc::new(app)), changing: Mutex::default() }
    }

    /// What is served now.
    pub(crate) fn app(&self) -> Arc<App> {
        Arc::clone(&self.app.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// From now on what `change` makes of what is served is served; `None` changes nothing.
    pub(crate) fn change(&self, change: impl FnOnce(&Served) -> Option<Served>) {
        let _one_at_a_time = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.app();
        let Some(served) = change(&before.served) else { return };
        let app = Arc::new(App { served: Arc::new(served), ..App::clone(&before) });
        *self.app.write().unwrap_or_else(PoisonError::into_inner) = app;
    }
}

impl App {
    pub(crate) fn new(
        served: Served,
        limits: Limits,
        (access, ledger): (Access, Option<Ledger>),
        threads: usize,
        log: Log,
    ) -> App {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        App {
            served: Arc::new(served),
            limits,
            access: Arc::new(access),
            live: None,
            jobs: None,
            ledger: ledger.map(Arc::new),
            metrics: Arc::new(Metrics::new(now.as_secs())),
            drifts: Arc::default(),
            logger: Arc::new(Logger::start(log)),
            stopping: Arc::default(),
            large: Arc::new(Semaphore::new(2 * threads)),
            batches: Arc::new(Semaphore::new(limits.batch.at_a_time)),
            prefix: format!("{:012x}", RandomState::new().build_hasher().finish() >> 16).into(),
            n_requests: Arc::default(),
        }
    }

    /// The same, with a log for events and a place for jobs.
    pub(crate) fn taking(mut self, live: Option<Live>, jobs: Option<Jobs>) -> App {
        self.live = live.map(Arc::new);
        self.jobs = jobs.map(Arc::new);
        self
    }

    /// The model that `POST /predict` asks.
    pub(crate) fn first_model(&self) -> Result<&ServedModel, Problem> {
        let detail = "no model on tables is served; start the server with a folder of `guike train`";
        self.served.models.first().map(AsRef::as_ref).ok_or_else(|| Problem::new(Code::NoModel, detail))
    }

    /// The model of this name.
    pub(crate) fn model(&self, name: &str) -> Result<&ServedModel, Problem> {
        self.found(name).map(AsRef::as_ref)
    }

    /// The same, for work that goes on when another version has taken its place.
    pub(crate) fn shared_model(&self, name: &str) -> Result<Arc<ServedModel>, Problem> {
        self.found(name).map(Arc::clone)
    }

    fn found(&self, name: &str) -> Result<&Arc<ServedModel>, Problem> {
        self.served.models.iter().find(|m| m.name == name).ok_or_else(|| {
            let names: Vec<&str> = self.served.models.iter().map(|m| m.name.as_str()).collect();
            let known =
                if names.is_empty() { "none is served".to_owned() } else { format!("there is {}", list(&names)) };
            Problem::new(Code::NoModel, format!("no model on tables has this name; {known}"))
        })
    }

    /// Who may log in, where persons may.
    pub(crate) fn people(&self) -> Option<&People> {
        self.access.people.as_ref()
    }

    /// The keys, where any are asked for.
    pub(crate) fn keys(&self) -> Option<&Keys> {
        self.access.keys.as_ref()
    }

    /// Requests a second that one who asks may make, where that is limited.
    pub(crate) fn rate(&self) -> Option<f64> {
        self.access.rate
    }

    /// Where the audit log is, where one is kept.
    pub(crate) fn audit_files(&self) -> Option<&AuditFiles> {
        self.ledger.as_ref().map(|l| &l.files)
    }

    /// # Errors
    /// [`Problem`] once it was asked to end.
    pub(crate) fn needs_ready(&self) -> Result<(), Problem> {
        if !self.stopping.load(Ordering::Relaxed) {
            return Ok(());
        }
        let detail = "the server was asked to end and takes nothing new; ask another one";
        Err(Problem::new(Code::Stopping, detail).retry_after(5))
    }

    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    pub(crate) fn metrics_text(&self) -> String {
        self.metrics.text(&self.served, self.logger.dropped()) + &self.drifts.metrics(&self.served)
    }

    /// Answers a request for a route, given by its position in [`ROUTES`].
    pub(crate) async fn answer(self: Arc<App>, at: usize, request: Request) -> Response<Body> {
        let route = &ROUTES[at];
        let (parts, body) = request.into_parts();
        let reader = (route.is_page && Reader::wants_page(&parts.headers)).then(|| Reader::of(&parts));
        let request = Request::from_parts(parts, body);
        let id = self.next_id();
        self.accounted(at, route.method.as_str(), &id, reader, self.ask(route, request, &id)).await
    }

    fn next_id(&self) -> String {
        format!("{}-{:x}", self.prefix, self.n_requests.fetch_add(1, Ordering::Relaxed))
    }

    /// Answers a request that no route is for, or that comes when there is no place for it.
    pub(crate) async fn refuse(self: Arc<App>, problem: Problem, request: Request) -> Response<Body> {
        let method = known_method(request.method().as_str());
        let (parts, _) = request.into_parts();
        let reader = Reader::wants_page(&parts.headers).then(|| Reader::of(&parts));
        let refused = async { Asked::from(problem) };
        self.accounted(ROUTES.len(), method, &self.next_id(), reader, refused).await
    }

    /// Counts, times and logs; `ask` gives the answer and the length of the body that was read. A reader gets problems as
    /// pages.
    async fn accounted(
        &self,
        at: usize,
        method: &'static str,
        id: &str,
        reader: Option<Reader>,
        ask: impl Future<Output = Asked> + Send,
    ) -> Response<Body> {
        let begun = Instant::now();
        let route = ROUTES.get(at).map_or("other", |r| r.path);
        let in_flight = self.metrics.in_flight.fetch_add(1, Ordering::Relaxed) + 1;
        let asked = if in_flight > i64::from(self.limits.in_flight) {
            let detail = format!(
                "{} requests are being answered, as many as --max-in-flight allows; try again later",
                self.limits.in_flight
            );
            Asked::from(Problem::new(Code::Busy, detail).retry_after(1))
        } else {
            ask.await
        };
        self.metrics.in_flight.fetch_sub(1, Ordering::Relaxed);
        let Asked { said, bytes_in, who } = asked;
        let code = said.as_ref().err().map(|problem| problem.code.words().1);
        let fault = said.as_ref().err().and_then(|problem| problem.fault);
        let is_inference = route.starts_with("/v2");
        let (response, bytes_out) = match said {
            Ok(answer) => respond(answer, id),
            Err(problem) => match &reader {
                Some(reader) => refuse(&problem, pages::problem(self, reader, &who, &problem, id), id),
                None => {
                    let body = problem.body(id, is_inference);
                    refuse(&problem, Answer::text("application/problem+json", body), id)
                }
            },
        };
        let (status, took) = (response.status().as_u16(), begun.elapsed());
        self.metrics.count(at, status, took);
        let (key, token, user) = (who.key_name(), who.bearer_name(), who.logged_in().map(|(name, _)| name));
        self.logger.add(&Line { id, method, route, status, code, fault, took, bytes_in, bytes_out, key, token, user });
        response
    }

    async fn ask(self: &Arc<App>, route: &'static Route, asked: Request, request: &str) -> Asked {
        let (mut parts, body) = asked.into_parts();
        let admitted = match self.access.admit(&parts, route.needs) {
            Err(problem) => Err(self.refused(route, &mut parts, problem, request).await),
            admitted => admitted,
        };
        let who = match admitted {
            Ok(who) => who,
            Err(problem) if problem.status() == 401 && self.people().is_some() && is_for_a_reader(&parts) => {
                let from = parts.uri.path_and_query().map_or("/", |p| p.as_str());
                return Asked { said: Ok(login::sent_to_login(from)), ..problem.into() };
            }
            Err(problem) => return problem.into(),
        };
        let (body, arriving) = match route.work {
            Work::Streamed(answer) => (Bytes::new(), Some((answer, body))),
            Work::Whole(_) | Work::Slow(_) | Work::Waiting(_) => match self.read(body).await {
                Ok(body) => (body, None),
                Err(problem) => return Asked { who, ..problem.into() },
            },
        };
        let bytes_in = body.len();
        let params = if route.path.contains('{') { params(&mut parts).await } else { Vec::new() };
        let query = parts.uri.query().unwrap_or_default().to_owned();
        let unchanged = parts.headers.get(header::IF_NONE_MATCH).cloned();
        let seen = match &self.ledger {
            Some(ledger) => ledger.sight(&parts, &who),
            None => Sight::open(&parts),
        };
        let sight = match seen {
            Ok(sight) => sight,
            Err(problem) => return Asked { who, bytes_in, ..problem.into() },
        };
        let call = Call { parts, who: who.clone(), sight: sight.clone(), query, params, body };
        let customer = call.params.iter().find(|p| p.0 == "id").map(|p| p.1.clone());
        if let Err(problem) = needs_own_form(route, &call) {
            let mut parts = call.parts;
            let problem = self.refused(route, &mut parts, problem.by(&who), request).await;
            return Asked { who, bytes_in, ..problem.into() };
        }
        if let (Some(ledger), Some((resource, action))) = (&self.ledger, Ledger::is_announced(route.needs)) {
            let (action, resource) = (action.name(), resource.name());
            let result = "asked".to_owned();
            let entry =
                Entry { action, resource, who: &who, id: None, customers: None, sight: &sight, result, request };
            if let Err(problem) = ledger.record(entry).await {
                return Asked { who, bytes_in, ..problem.into() };
            }
        }
        // a page may look at every customer, and a file counts them
        let looks_at_all = route.is_page || route.needs == Some((Resource::Customers, Action::Export));
        let is_slow = matches!(route.work, Work::Slow(_)) || (looks_at_all && route.needs.is_some());
        let is_large = bytes_in > LARGE || is_slow;
        let said = match (route.work, arriving) {
            (Work::Whole(handler) | Work::Slow(handler), _) if is_large => self.large(handler, call).await,
            (Work::Whole(handler) | Work::Slow(handler), _) => self.handled(handler, &call),
            (Work::Waiting(answer), _) => match self.place(is_large) {
                Ok(_place) => answer(Arc::clone(self), call).await,
                Err(problem) => Err(problem),
            },
            (Work::Streamed(_), Some((answer, body))) => answer(Arc::clone(self), call, body, request.to_owned()).await,
            (Work::Streamed(_), None) => Err(internal()),
        };
        let mut said = said.map(|answer| answer.unless(unchanged.as_ref()));
        if let Some(ledger) = &self.ledger {
            let event = said.as_ref().ok().and_then(|answer| answer.event.clone());
            let deed = said.as_ref().ok().and_then(|answer| answer.deed.clone());
            let (customers, result) = match &said {
                Ok(answer) => (answer.customers, answer.status.as_str().to_owned()),
                Err(problem) => (None, problem.code.words().1.to_owned()),
            };
            let done = match &event {
                Some((what, whose)) => Some((*what, "sessions", whose)),
                None => Ledger::is_kept(route.needs).map(|(resource, action)| {
                    let action = if sight.is_revealed() { Action::Reveal } else { action };
                    (deed.as_deref().unwrap_or(action.name()), resource.name(), &who)
                }),
            };
            if let Some((action, resource, who)) = done {
                let id = customer.as_deref();
                let entry = Entry { action, resource, who, id, customers, sight: &sight, result, request };
                if let Err(problem) = ledger.record(entry).await {
                    said = Err(problem);
                }
            }
        }
        Asked { said, bytes_in, who }
    }

    /// Records that somebody who is known was refused, where an audit log is kept; what is answered then.
    async fn refused(&self, route: &Route, parts: &mut Parts, problem: Problem, request: &str) -> Problem {
        let (Some(ledger), Some(who), Some((resource, action))) = (&self.ledger, &problem.by, route.needs) else {
            return problem;
        };
        if !who.is_named() {
            return problem;
        }
        let params = params(parts).await;
        let id = params.iter().find(|p| p.0 == "id").map(|p| p.1.as_str());
        let (action, resource) = (action.name(), resource.name());
        let result = problem.code.words().1.to_owned();
        let entry = Entry { action, resource, who, id, customers: None, sight: &Sight::OPEN, result, request };
        match ledger.record(entry).await {
            Ok(()) => problem,
            Err(not_recorded) => not_recorded,
        }
    }

    /// What was decided about models elsewhere goes into the audit log, where one is kept; whether it is there.
    pub(crate) fn decided(&self, decision: &Decision, n: usize) -> bool {
        self.ledger.as_ref().is_none_or(|ledger| ledger.decided(decision, n))
    }

    /// Records what became of work that went on after its answer began, where an audit log is kept.
    ///
    /// # Errors
    /// [`Problem`] when it could not be recorded.
    pub(crate) async fn record(&self, entry: Entry<'_>) -> Result<(), Problem> {
        match &self.ledger {
            Some(ledger) => ledger.record(entry).await,
            None => Ok(()),
        }
    }

    /// A large request, on a thread of its own so that small ones do not wait behind it.
    async fn large(self: &Arc<App>, handler: Handler, call: Call) -> Result<Answer, Problem> {
        let _place = self.place(true)?;
        let app = Arc::clone(self);
        let handled = tokio::task::spawn_blocking(move || app.handled(handler, &call)).await;
        handled.unwrap_or_else(|_| Err(internal()))
    }

    /// A place among the large requests, where it is one.
    fn place(&self, is_large: bool) -> Result<Option<SemaphorePermit<'_>>, Problem> {
        let detail = "as many large requests as are good for this machine are being worked on; try again later";
        let permit = is_large.then(|| self.large.try_acquire()).transpose();
        permit.map_err(|_| Problem::new(Code::Busy, detail).retry_after(1))
    }

    /// What the handler says; a mistake of ours ends this request and no other.
    fn handled(&self, handler: Handler, call: &Call) -> Result<Answer, Problem> {
        catch_unwind(AssertUnwindSafe(|| handler(self, call))).unwrap_or_else(|_| Err(internal()))
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

/// The parts of the path by name, decoded.
async fn params(parts: &mut Parts) -> Vec<(String, String)> {
    match RawPathParams::from_request_parts(parts, &()).await {
        Ok(params) => params.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        // bytes that are no text name nothing that is here
        Err(_) => Vec::new(),
    }
}

/// Whether a browser asks for a page to look at.
fn is_for_a_reader(parts: &Parts) -> bool {
    let accepts = parts.headers.get(header::ACCEPT).and_then(|v| v.to_str().ok()).unwrap_or_default();
    parts.method == Method::GET && accepts.contains("text/html")
}

/// A page of another site can make a browser send a form, and its cookie with it; only a page of ours knows the token.
fn needs_own_form(route: &Route, call: &Call) -> Result<(), Problem> {
    let (Some(_), Some(session)) = (call.who.logged_in(), session(&call.parts.headers)) else { return Ok(()) };
    if route.method == crate::routes::Method::Get || route.path == "/login" || route.path == crate::jobs::FORM {
        return Ok(());
    }
    let expected = csrf_token(session);
    let header = call.parts.headers.get("x-csrf-token").and_then(|v| v.to_str().ok());
    let is_ours = header == Some(expected.as_str()) || login::csrf_field(call).is_some_and(|sent| sent == expected);
    if is_ours && is_own_page(&call.parts) {
        return Ok(());
    }
    let detail =
        "send the token of the session in the header `x-csrf-token` or the field `csrf`, from a page of this server";
    Err(Problem::new(Code::ForeignPage, detail))
}

pub(crate) fn internal() -> Problem {
    Problem::new(Code::Internal, "this is a mistake in Guike, please report it; other requests are not affected")
}

/// The method where it is one of HTTP's own: a log does not repeat what anybody may make up.
fn known_method(name: &str) -> &'static str {
    const KNOWN: [&str; 9] = ["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "CONNECT", "TRACE"];
    KNOWN.into_iter().find(|k| *k == name).unwrap_or("other")
}

fn respond(answer: Answer, id: &str) -> (Response<Body>, usize) {
    let n = answer.body.len();
    let mut response = Response::new(answer.stream.unwrap_or_else(|| Body::from(answer.body)));
    *response.status_mut() = answer.status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(answer.kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("x-request-id", HeaderValue::from_str(id).expect("hexadecimal digits"));
    for (name, value) in answer.headers {
        match name {
            // one for every cookie
            header::SET_COOKIE => headers.append(name, value),
            name => headers.insert(name, value).is_some(),
        };
    }
    if let Some(model) = answer.model {
        headers.insert("guike-model", model);
    }
    if let Some(tag) = answer.tag {
        headers.insert(header::ETAG, tag);
        // a client may keep it, and asks each time whether it is still the same
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    }
    (response, n)
}

fn refuse(problem: &Problem, answer: Answer, id: &str) -> (Response<Body>, usize) {
    let (mut response, n) = respond(answer, id);
    *response.status_mut() = StatusCode::from_u16(problem.status()).expect("a status of the table");
    if problem.status() == 401 {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if let Some(seconds) = problem.retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    (response, n)
}
