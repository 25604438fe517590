//! A server for one test, and a client that shows exactly what was answered.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use guike::table::{Label, TableSettings};
use guike_core::{Progress, Quiet, Seed};
use guike_server::{Config, Guard, Limits, Log};
use serde_json::Value;

/// A folder with a model that was trained on 300 simulated customers.
pub(crate) struct Trained {
    folder: tempfile::TempDir,
}

impl Trained {
    /// A model of this learner; without the column `category` if so asked.
    pub(crate) fn new(learner: &str, change: impl FnOnce(&mut TableSettings)) -> Trained {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("customers.csv");
        let table = guike::table::simulate_customers(300, Label::Drawn, Seed(1)).expect("simulated");
        guike::table::write_table_csv(&table, &file).expect("written");
        let mut settings =
            TableSettings { target: "value".to_owned(), model: learner.to_owned(), ..Default::default() };
        change(&mut settings);
        let out = folder.path().join("value-model");
        guike::table::train(&file, &out, &settings, guike::Language::English, &Quiet).expect("trained");
        Trained { folder }
    }

    pub(crate) fn logistic() -> Trained {
        Trained::new("logistic-regression", |_| ())
    }

    pub(crate) fn model(&self) -> PathBuf {
        self.folder.path().join("value-model")
    }
}

/// A folder of `guike run` on a small shop: `C00`, `C01` …
pub(crate) fn results() -> (tempfile::TempDir, PathBuf) {
    results_of(|customer| format!("C{customer:02}"))
}

/// A folder of `guike run` on a small shop with these ids.
pub(crate) fn results_of(id: impl Fn(usize) -> String) -> (tempfile::TempDir, PathBuf) {
    let (folder, files, settings) = orders(id);
    let out = folder.path().join("shop");
    guike::run(&files, &out, None, &settings, guike::Language::English, &Quiet).expect("run");
    (folder, out)
}

/// The same in a workspace.
pub(crate) fn results_into(place: &guike::workspace::Place<'_>) {
    let (_folder, files, settings) = orders(|customer| format!("C{customer:02}"));
    guike::workspace::run(place, &files, None, &settings, guike::Language::English, &Quiet).expect("run");
}

/// The same as it was known on an earlier day, with a forecast of so many days.
pub(crate) fn results_until(place: &guike::workspace::Place<'_>, cutoff: &str, horizon: &str) {
    let (_folder, files, mut settings) = orders(|customer| format!("C{customer:02}"));
    settings.forecast.cutoff = Some(cutoff.parse().expect("a day"));
    settings.forecast.horizon = Some(horizon.parse().expect("a horizon"));
    guike::workspace::run(place, &files, None, &settings, guike::Language::English, &Quiet).expect("run");
}

pub(crate) fn orders(id: impl Fn(usize) -> String) -> (tempfile::TempDir, guike::LogFiles, guike::Settings) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut text = String::from("customer_id,date,amount\n");
    let mut seed = 7_u64;
    let mut below = |n: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % n
    };
    for customer in 0..80 {
        let (pace, mut day) = (5 + below(60), below(200));
        while day < 360 {
            let (month, of_month) = (1 + day / 30, 1 + day % 30);
            // no month has a 30th of February: 28 days are enough
            let id = id(customer);
            text += &format!("{id},2023-{month:02}-{:02},{}.5\n", of_month.min(28), 10 + below(90));
            day += 1 + below(2 * pace);
        }
    }
    let log = folder.path().join("orders.csv");
    std::fs::write(&log, text).expect("written");
    let mut settings = guike::Settings::default();
    settings.forecast.budget = guike::Budget::Fast;
    let files = guike::LogFiles::find(&[log]).expect("found");
    (folder, files, settings)
}

/// Where a log is gathered.
#[derive(Clone, Default)]
pub(crate) struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("nobody panics here").clone()).expect("a log is text")
    }
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("nobody panics here").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[derive(Default)]
struct Stop(AtomicBool);

impl Progress for Stop {
    fn stage(&self, _: &str, _: u64) {}
    fn advance(&self, _: u64) {}
    fn cancelled(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// A server that ends with the test.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) log: Lines,
    stop: Arc<Stop>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    pub(crate) fn with(sources: Vec<PathBuf>, limits: Limits) -> Running {
        Running::guarded(sources, limits, None)
    }

    /// With a file of keys.
    pub(crate) fn guarded(sources: Vec<PathBuf>, limits: Limits, keys: Option<PathBuf>) -> Running {
        Running::recorded(sources, limits, keys, Guard::default())
    }

    /// With a file of keys, a record, and persons who log in.
    pub(crate) fn recorded(sources: Vec<PathBuf>, limits: Limits, keys: Option<PathBuf>, guard: Guard) -> Running {
        Running::taking(sources, None, limits, keys, guard)
    }

    /// With a file for events, too.
    pub(crate) fn taking(
        sources: Vec<PathBuf>,
        events: Option<PathBuf>,
        limits: Limits,
        keys: Option<PathBuf>,
        guard: Guard,
    ) -> Running {
        Running::start(sources, (Vec::new(), events), limits, keys, guard)
    }

    /// With an order log that refreshing reads, and a file for events.
    pub(crate) fn refreshing(sources: Vec<PathBuf>, orders: Vec<PathBuf>, events: Option<PathBuf>) -> Running {
        Running::start(sources, (orders, events), Limits::default(), None, Guard::default())
    }

    fn start(
        sources: Vec<PathBuf>,
        (orders, events): (Vec<PathBuf>, Option<PathBuf>),
        limits: Limits,
        keys: Option<PathBuf>,
        guard: Guard,
    ) -> Running {
        let (log, stop) = (Lines::default(), Arc::<Stop>::default());
        let config = Config {
            sources,
            events,
            orders,
            run: None,
            address: "127.0.0.1:0".parse().expect("an address"),
            keys,
            guard,
            limits,
            threads: 2,
            log: Log::To(Box::new(log.clone())),
        };
        let (tell, told) = mpsc::channel();
        let of_thread = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let listening = move |address, _: &[&str]| tell.send(address).expect("the test listens");
            guike_server::serve(config, listening, &*of_thread).expect("served");
        });
        let address = told.recv_timeout(Duration::from_secs(60)).expect("it listens");
        Running { address, log, stop, thread: Some(thread) }
    }

    pub(crate) fn of(trained: &Trained) -> Running {
        Running::with(vec![trained.model()], Limits::default())
    }

    /// Asks it to end, and waits.
    pub(crate) fn end(&mut self) {
        self.stop.0.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the server ends well");
        }
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("it accepts");
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a time limit");
        stream
    }

    /// Sends these bytes and reads the answer.
    pub(crate) fn send(&self, bytes: &[u8]) -> Answer {
        let mut stream = self.connect();
        stream.write_all(bytes).expect("sent");
        Answer::read(&mut stream)
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.send(format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").as_bytes())
    }

    /// With a key, and what else belongs to the head.
    pub(crate) fn get_with(&self, path: &str, head: &str) -> Answer {
        self.send(format!("GET {path} HTTP/1.1\r\nhost: example.org\r\n{head}\r\nconnection: close\r\n\r\n").as_bytes())
    }

    pub(crate) fn post(&self, path: &str, body: &str) -> Answer {
        self.send(post(path, "localhost", "application/json", body).as_bytes())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.0.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Why a server of a model that is not there does not start: what is wrong before that is told first.
pub(crate) fn not_started(address: &str, keys: Option<PathBuf>, guard: Guard) -> guike::Error {
    let config = Config {
        sources: vec!["nothing".into()],
        events: None,
        orders: Vec::new(),
        run: None,
        address: address.parse().expect("an address"),
        keys,
        guard,
        limits: Limits::default(),
        threads: 1,
        log: Log::Off,
    };
    guike_server::serve(config, |_, _| panic!("it listens"), &Quiet).expect_err("refused")
}

pub(crate) fn post(path: &str, host: &str, kind: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// In lower case.
    pub(crate) head: String,
    /// As it came.
    pub(crate) exact: String,
    pub(crate) body: String,
}

impl Answer {
    /// Reads one answer with a length from a connection.
    pub(crate) fn read(stream: &mut TcpStream) -> Answer {
        let mut bytes = Vec::new();
        let mut piece = [0; 4096];
        loop {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let length = head
                    .lines()
                    .find_map(|l| l.strip_prefix("content-length: "))
                    .map_or(0, |n| n.parse().expect("a number"));
                if body.len() >= length {
                    let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).expect("a status");
                    return Answer { status, head: head.to_lowercase(), exact: head.to_owned(), body: body.to_owned() };
                }
            }
            let n = stream.read(&mut piece).expect("an answer in time");
            assert!(n > 0, "the connection ended after: {text}");
            bytes.extend_from_slice(&piece[..n]);
        }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.body))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(": "))
    }

    /// A header with its capital letters.
    pub(crate) fn exact_header(&self, name: &str) -> Option<&str> {
        self.exact.lines().find_map(|l| l.split_once(": ").filter(|(n, _)| n.eq_ignore_ascii_case(name))).map(|h| h.1)
    }

    /// Checks that it is this problem and that its detail has these words.
    pub(crate) fn is_problem(&self, status: u16, code: &str, words: &[&str]) {
        assert_eq!((self.status, self.json()["code"].as_str()), (status, Some(code)), "{}", self.body);
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{}", self.head);
        let detail = self.json()["detail"].as_str().expect("a detail").to_owned();
        for word in words {
            assert!(detail.contains(word), "`{word}` is not in: {detail}");
        }
    }
}
