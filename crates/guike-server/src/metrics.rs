//! Counters for Prometheus, in its text format: what was asked and answered, how fast, by which models.
//!
//! The one idea: everything is counted by route and status, which are few and known, so that counting is an addition and
//! nothing about a customer can become a label.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use crate::routes::ROUTES;
use crate::served::Served;

/// Upper ends of the latency buckets in seconds.
const BUCKETS: [f64; 14] = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];
/// Statuses that are counted apart; any other is counted as the last.
const STATUSES: [u16; 17] = [200, 303, 304, 400, 401, 403, 404, 405, 408, 413, 415, 422, 429, 500, 503, 206, 0];

/// What was counted for one route.
#[derive(Debug, Default)]
struct Counted {
    by_status: [AtomicU64; STATUSES.len()],
    by_bucket: [AtomicU64; BUCKETS.len() + 1],
    nanoseconds: AtomicU64,
}

/// All counters.
#[derive(Debug)]
pub(crate) struct Metrics {
    /// One per route, and one for everything else.
    routes: Vec<Counted>,
    /// Requests that are being answered.
    pub(crate) in_flight: AtomicI64,
    /// How often a workspace had something else to serve, and how often it could not be read.
    pub(crate) reloads: [AtomicU64; 2],
    /// Customers whose forecasts followed events.
    pub(crate) rescored: AtomicU64,
    /// How many batches came to their end, were refused, and were cut short.
    pub(crate) batches: [AtomicU64; 3],
    /// Seconds since 1970 at the start.
    started: u64,
}

impl Metrics {
    pub(crate) fn new(started: u64) -> Metrics {
        let routes = (0..=ROUTES.len()).map(|_| Counted::default()).collect();
        Metrics {
            routes,
            in_flight: AtomicI64::new(0),
            reloads: Default::default(),
            rescored: AtomicU64::new(0),
            batches: Default::default(),
            started,
        }
    }

    /// Counts an answer; `route` is a position in [`ROUTES`], or their number for a path that is none.
    pub(crate) fn count(&self, route: usize, status: u16, took: Duration) {
        let counted = &self.routes[route];
        let at = STATUSES.iter().position(|s| *s == status).unwrap_or(STATUSES.len() - 1);
        counted.by_status[at].fetch_add(1, Ordering::Relaxed);
        let seconds = took.as_secs_f64();
        let bucket = BUCKETS.iter().position(|b| seconds <= *b).unwrap_or(BUCKETS.len());
        counted.by_bucket[bucket].fetch_add(1, Ordering::Relaxed);
        counted.nanoseconds.fetch_add(took.as_nanos() as u64, Ordering::Relaxed);
    }

    /// Everything as text.
    pub(crate) fn text(&self, served: &Served, dropped_log_lines: u64) -> String {
        let mut out = String::with_capacity(8 * 1024);
        let mut put = |line: std::fmt::Arguments<'_>| writeln!(out, "{line}").expect("a String takes all");
        let route_of = |i: usize| ROUTES.get(i).map_or(("", "other"), |r| (r.method.as_str(), r.path));
        put(format_args!("# HELP guike_http_requests_total Answers by route and status."));
        put(format_args!("# TYPE guike_http_requests_total counter"));
        for (i, counted) in self.routes.iter().enumerate() {
            let (method, path) = route_of(i);
            for (status, n) in STATUSES.iter().zip(&counted.by_status) {
                let n = n.load(Ordering::Relaxed);
                if n > 0 {
                    put(format_args!(
                        "guike_http_requests_total{{method=\"{method}\",route=\"{path}\",status=\"{status}\"}} {n}"
                    ));
                }
            }
        }
        put(format_args!("# HELP guike_http_request_seconds Time from the head of a request to its answer."));
        put(format_args!("# TYPE guike_http_request_seconds histogram"));
        for (i, counted) in self.routes.iter().enumerate() {
            let (method, path) = route_of(i);
            let counts: Vec<u64> = counted.by_bucket.iter().map(|n| n.load(Ordering::Relaxed)).collect();
            let total: u64 = counts.iter().sum();
            if total == 0 {
                continue;
            }
            let label = format!("method=\"{method}\",route=\"{path}\"");
            let mut below = 0;
            for (bucket, n) in BUCKETS.iter().zip(&counts) {
                below += n;
                put(format_args!("guike_http_request_seconds_bucket{{{label},le=\"{bucket}\"}} {below}"));
            }
            put(format_args!("guike_http_request_seconds_bucket{{{label},le=\"+Inf\"}} {total}"));
            let seconds = Duration::from_nanos(counted.nanoseconds.load(Ordering::Relaxed)).as_secs_f64();
            put(format_args!("guike_http_request_seconds_sum{{{label}}} {seconds}"));
            put(format_args!("guike_http_request_seconds_count{{{label}}} {total}"));
        }
        put(format_args!("# HELP guike_http_requests_in_flight Requests that are being answered."));
        put(format_args!("# TYPE guike_http_requests_in_flight gauge"));
        put(format_args!("guike_http_requests_in_flight {}", self.in_flight.load(Ordering::Relaxed)));
        put(format_args!("# HELP guike_model_info The models that are served."));
        put(format_args!("# TYPE guike_model_info gauge"));
        for m in &served.models {
            let learner = m.scorer.learner();
            put(format_args!(
                "guike_model_info{{model=\"{}\",version=\"{}\",learner=\"{learner}\"}} 1",
                m.name, m.version
            ));
        }
        if let Some(r) = &served.run {
            let learner = r.learner();
            put(format_args!(
                "guike_model_info{{model=\"{}\",version=\"{}\",learner=\"{learner}\"}} 1",
                r.name, r.version
            ));
        }
        put(format_args!("# HELP guike_predictions_total Rows that were predicted."));
        put(format_args!("# TYPE guike_predictions_total counter"));
        for m in &served.models {
            let n = m.predicted.load(Ordering::Relaxed);
            put(format_args!("guike_predictions_total{{model=\"{}\",version=\"{}\"}} {n}", m.name, m.version));
        }
        put(format_args!("# HELP guike_batches_total Files of rows that were predicted while they were sent."));
        put(format_args!("# TYPE guike_batches_total counter"));
        for (result, n) in ["whole", "refused", "cut"].iter().zip(&self.batches) {
            put(format_args!("guike_batches_total{{result=\"{result}\"}} {}", n.load(Ordering::Relaxed)));
        }
        if served.run.is_some() {
            put(format_args!(
                "# HELP guike_customers_rescored_total Customers whose forecasts followed what was told of them."
            ));
            put(format_args!("# TYPE guike_customers_rescored_total counter"));
            put(format_args!("guike_customers_rescored_total {}", self.rescored.load(Ordering::Relaxed)));
        }
        if served.kept.is_some() {
            put(format_args!(
                "# HELP guike_workspace_reloads_total How often the workspace had something else to serve."
            ));
            put(format_args!("# TYPE guike_workspace_reloads_total counter"));
            for (result, n) in ["served", "failed"].iter().zip(&self.reloads) {
                let n = n.load(Ordering::Relaxed);
                put(format_args!("guike_workspace_reloads_total{{result=\"{result}\"}} {n}"));
            }
        }
        put(format_args!("# HELP guike_log_lines_dropped_total Lines of the access log that nobody took in time."));
        put(format_args!("# TYPE guike_log_lines_dropped_total counter"));
        put(format_args!("guike_log_lines_dropped_total {dropped_log_lines}"));
        put(format_args!("# HELP guike_build_info The version that runs."));
        put(format_args!("# TYPE guike_build_info gauge"));
        put(format_args!("guike_build_info{{version=\"{}\"}} 1", env!("CARGO_PKG_VERSION")));
        put(format_args!("# HELP process_start_time_seconds Seconds since 1970 at the start."));
        put(format_args!("# TYPE process_start_time_seconds gauge"));
        put(format_args!("process_start_time_seconds {}", self.started));
        out
    }
}
