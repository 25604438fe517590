//! Operating it: health, metrics, the log, what is refused, and how it ends.

use std::io::{Read, Write};
use std::time::Duration;

use guike_core::Quiet;
use guike_server::{Config, Limits, Log};

use crate::support::{Answer, Running, Trained, post};

const ANN: &str = r#"{"age":30,"income":6000,"purchase_frequency":5,"amount":500,"category":"books"}"#;

#[test]
fn it_is_healthy_and_ready() {
    let trained = Trained::logistic();
    let server = Running::of(&trained);
    assert_eq!((server.get("/health").status, server.get("/ready").status), (200, 200));
    server.get("/health?x=1").is_problem(400, "malformed-query", &["no parameters"]);
    server.get("/nothing").is_problem(404, "no-such-path", &["docs/serve.md"]);
    let other = server.get("/predict");
    other.is_problem(405, "method-not-allowed", &["allow"]);
    assert_eq!(other.header("allow"), Some("post"));
}

#[test]
fn metrics_count_requests_and_rows_and_the_log_has_a_line_each() {
    let trained = Trained::logistic();
    let mut server = Running::of(&trained);
    let ids: Vec<String> = (0..3)
        .map(|_| server.post("/predict", &format!("[{ANN},{ANN}]")).header("x-request-id").expect("an id").to_owned())
        .collect();
    server.post("/predict", "{}").is_problem(422, "missing-column", &[]);
    let text = server.get("/metrics").body;
    for line in [
        r#"guike_http_requests_total{method="POST",route="/predict",status="200"} 3"#,
        r#"guike_http_requests_total{method="POST",route="/predict",status="422"} 1"#,
        r#"guike_http_request_seconds_bucket{method="POST",route="/predict",le="+Inf"} 4"#,
        r#"guike_http_request_seconds_count{method="POST",route="/predict"} 4"#,
        r#"guike_predictions_total{model="value-model""#,
        r#"guike_model_info{model="value-model""#,
        "guike_log_lines_dropped_total 0",
    ] {
        assert!(text.contains(line), "`{line}` is not in: {text}");
    }
    assert!(text.lines().any(|l| l.starts_with("guike_predictions_total") && l.ends_with(" 6")), "{text}");
    assert!(text.lines().all(|l| l.starts_with("# ")
        || l.split_once(' ').is_some_and(|(_, v)| v.rsplit(' ').next().is_some_and(|v| v.parse::<f64>().is_ok()))));
    server.end();
    let log = server.log.text();
    let lines: Vec<serde_json::Value> = log.lines().map(|l| serde_json::from_str(l).expect("JSON")).collect();
    assert_eq!(lines.len(), 5, "{log}");
    for (line, id) in lines.iter().zip(&ids) {
        assert_eq!((line["id"].as_str(), line["route"].as_str()), (Some(id.as_str()), Some("/predict")));
    }
    assert_eq!(lines[3]["code"], "missing-column");
}

#[test]
fn a_connection_answers_many_requests_also_when_they_come_at_once() {
    let trained = Trained::logistic();
    let server = Running::of(&trained);
    let request = post("/predict", "localhost", "application/json", ANN).replace("connection: close\r\n", "");
    let mut stream = server.connect();
    for _ in 0..3 {
        stream.write_all(request.as_bytes()).expect("sent");
        assert_eq!(Answer::read(&mut stream).status, 200);
    }
    let last = post("/predict", "localhost", "application/json", ANN);
    stream.write_all(format!("{request}{request}{last}").as_bytes()).expect("sent");
    let mut all = String::new();
    stream.read_to_string(&mut all).expect("three answers");
    assert_eq!(all.matches("HTTP/1.1 200").count(), 3, "{all}");
}

#[test]
fn a_request_that_is_being_sent_is_answered_before_the_server_ends() {
    let trained = Trained::logistic();
    let mut server = Running::of(&trained);
    let request = post("/predict", "localhost", "application/json", ANN);
    let (first, rest) = request.split_at(request.len() - 10);
    let mut stream = server.connect();
    stream.write_all(first.as_bytes()).expect("sent");
    std::thread::sleep(Duration::from_millis(200));
    let answer = std::thread::spawn({
        let rest = rest.to_owned();
        move || {
            std::thread::sleep(Duration::from_millis(300));
            stream.write_all(rest.as_bytes()).expect("sent");
            Answer::read(&mut stream).status
        }
    });
    server.end();
    assert_eq!(answer.join().expect("answered"), 200);
}

#[test]
fn a_body_that_does_not_come_is_not_waited_for_without_end() {
    let trained = Trained::logistic();
    let limits = Limits { seconds: 1, ..Limits::default() };
    let server = Running::with(vec![trained.model()], limits);
    let request = post("/predict", "localhost", "application/json", ANN);
    server.send(&request.as_bytes()[..request.len() - 10]).is_problem(408, "too-slow", &["1 seconds"]);
    // nor a head
    let mut stream = server.connect();
    stream.write_all(b"GET /health HTTP/1.1\r\nhost:").expect("sent");
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).expect("the connection ends");
}

#[test]
fn too_many_requests_at_a_time_are_told_to_come_back() {
    let trained = Trained::logistic();
    let limits = Limits { in_flight: 1, ..Limits::default() };
    let server = Running::with(vec![trained.model()], limits);
    let request = post("/predict", "localhost", "application/json", ANN);
    let (first, rest) = request.split_at(request.len() - 10);
    let mut slow = server.connect();
    slow.write_all(first.as_bytes()).expect("sent");
    std::thread::sleep(Duration::from_millis(200));
    let busy = server.get("/health");
    busy.is_problem(503, "busy", &["--max-in-flight"]);
    assert_eq!(busy.header("retry-after"), Some("1"));
    slow.write_all(rest.as_bytes()).expect("sent");
    assert_eq!(Answer::read(&mut slow).status, 200);
    assert_eq!(server.get("/health").status, 200);
}

#[test]
fn an_address_of_the_network_and_one_that_is_taken_are_refused() {
    let trained = Trained::logistic();
    let server = Running::of(&trained);
    let taken = server.address.to_string();
    for (address, words) in [("0.0.0.0:0", "guike keys add"), (taken.as_str(), "choose another port")] {
        let config = Config {
            run: None,
            events: None,
            orders: Vec::new(),
            sources: vec![trained.model()],
            address: address.parse().expect("an address"),
            keys: None,
            guard: guike_server::Guard::default(),
            limits: Limits::default(),
            threads: 1,
            log: Log::Off,
        };
        let error = guike_server::serve(config, |_, _| panic!("it listens"), &Quiet).expect_err("refused");
        assert_eq!(error.kind(), guike::ErrorKind::Config);
        assert!(error.to_string().contains(words) && error.to_string().contains(address), "{error}");
    }
}
