//! A workspace that is served: champions, what is decided while it runs, and trouble with its files.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use guike::table::{Label, TableSettings};
use guike::workspace::{self, Ask, Place};
use guike_core::{Quiet, Seed, Timestamp};
use guike_server::Limits;

use crate::support::{Answer, Running, post, results_into};

const ROW: &str = r#"{"age":30,"income":6000,"purchase_frequency":5,"amount":500,"category":"books"}"#;
const ASK: Ask<'_> = Ask { by: "ann", reason: "a test", force: true, now: Timestamp(1_800_000_000) };
/// Longer than it may take, for machines that have other things to do.
pub(crate) const SOON: Duration = Duration::from_secs(20);

pub(crate) struct Shop {
    folder: tempfile::TempDir,
}

impl Shop {
    pub(crate) fn new() -> Shop {
        Shop { folder: tempfile::tempdir().expect("a temporary folder") }
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.folder.path().join("shop")
    }

    pub(crate) fn place<'a>(root: &'a Path, name: &'a str) -> Place<'a> {
        Place { workspace: root, name, now: Timestamp(1_800_000_000) }
    }

    pub(crate) fn train(&self, name: &str, learner: &str) -> u32 {
        let file = self.folder.path().join("customers.csv");
        let table = guike::table::simulate_customers(300, Label::Drawn, Seed(1)).expect("simulated");
        guike::table::write_table_csv(&table, &file).expect("written");
        let settings = TableSettings { target: "value".to_owned(), model: learner.to_owned(), ..Default::default() };
        let root = self.root();
        let place = Shop::place(&root, name);
        workspace::train(&place, &file, &settings, guike::Language::English, &Quiet).expect("trained").1.number
    }

    pub(crate) fn serve(&self) -> Running {
        Running::with(vec![self.root()], Limits::default())
    }
}

fn model(answer: &Answer) -> String {
    answer.header("guike-model").unwrap_or_default().to_owned()
}

/// Asks until the answer is as it should be.
fn soon(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < SOON, "{what} was not seen within {SOON:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_promotion_and_a_rollback_are_seen_without_a_start_and_requests_in_flight_end_as_they_began() {
    let shop = Shop::new();
    shop.train("value-model", "logistic-regression");
    shop.train("value-model", "decision-tree");
    let server = shop.serve();
    let ask = || server.post("/predict", ROW);
    let first = ask();
    assert_eq!((first.status, model(&first).as_str()), (200, "value-model/1"), "{}", first.body);

    let whole = post("/predict", "localhost", "application/json", ROW);
    let mut slow = server.connect();
    slow.write_all(&whole.as_bytes()[..whole.len() - 10]).expect("sent");
    // it has to be read before the promotion
    std::thread::sleep(Duration::from_millis(200));
    workspace::promote(&shop.root(), "value-model", 2, &ASK).expect("promoted");
    soon("the promotion", || model(&ask()) == "value-model/2");
    assert_ne!(ask().body, first.body);
    slow.write_all(&whole.as_bytes()[whole.len() - 10..]).expect("sent");
    let late = Answer::read(&mut slow);
    assert_eq!((model(&late).as_str(), &late.body), ("value-model/1", &first.body));

    let listed = server.get("/v1/models").json();
    assert_eq!((&listed["models"][0]["version"], &listed["models"][0]["stage"]), (&"2".into(), &"champion".into()));
    let told = server.get("/v1/models/value-model/versions").json();
    assert_eq!((&told["versions"][0]["stage"], &told["versions"][1]["follows"]), (&"archived".into(), &"1".into()));
    assert_eq!((&told["decisions"][1]["action"], &told["decisions"][1]["forced"]), (&"promote".into(), &true.into()));
    assert!(told["decisions"][1]["by"].is_null(), "who decided is nobody's business here");
    server.get("/v1/models/price/versions").is_problem(404, "no-model", &["keeps nothing"]);
    server.get("/v1/summary").is_problem(404, "no-results", &[]);

    workspace::rollback(&shop.root(), "value-model", &ASK).expect("rolled back");
    soon("the rollback", || model(&ask()) == "value-model/1");
    assert_eq!(ask().body, first.body);
    soon("the line in the log", || {
        server.log.text().contains("\"detail\":\"value-model 1\",\"event\":\"workspace-served\"")
    });
}

#[test]
fn an_empty_workspace_is_served_and_fills_while_it_runs() {
    let shop = Shop::new();
    drop(workspace::Workspace::open_or_create(&shop.root()).expect("made"));
    let server = shop.serve();
    server.post("/predict", ROW).is_problem(404, "no-model", &[]);
    assert!(server.get("/v1/runs").json()["runs"].as_array().expect("a list").is_empty());
    shop.train("value-model", "decision-tree");
    soon("the first model", || server.post("/predict", ROW).status == 200);
    results_into(&Shop::place(&shop.root(), "shop"));
    soon("the first run", || server.get("/v1/summary").status == 200);
    let runs = server.get("/v1/runs").json();
    assert_eq!((&runs["runs"][0]["name"], &runs["runs"][0]["stage"]), (&"shop".into(), &"champion".into()));
    assert!(runs["runs"][0]["lineage"]["cutoff"].is_string() && runs["runs"][0]["lineage"]["settings"].is_null());
    let models = server.get("/v1/models").json();
    let names: Vec<&str> =
        models["models"].as_array().expect("a list").iter().filter_map(|m| m["name"].as_str()).collect();
    assert_eq!(names, ["value-model", "shop"]);
}

#[test]
fn when_the_workspace_cannot_be_read_what_was_served_stays_until_it_can() {
    let shop = Shop::new();
    shop.train("value-model", "logistic-regression");
    let server = shop.serve();
    let answer = server.post("/predict", ROW);
    let failures = || {
        let text = server.get("/metrics").body;
        let line = text.lines().find(|l| l.starts_with("guike_workspace_reloads_total{result=\"failed\"}"));
        line.and_then(|l| l.rsplit(' ').next()?.parse::<u64>().ok()).expect("a counter")
    };
    assert_eq!(failures(), 0);
    shop.train("value-model", "decision-tree");
    let file = shop.root().join("models/value-model/2/model.json");
    let whole = std::fs::read(&file).expect("read");
    workspace::promote(&shop.root(), "value-model", 2, &ASK).expect("promoted");
    // damaged right after the promotion has looked at it, or before the server has: either way nothing false is served
    std::fs::write(&file, &whole[..whole.len() / 2]).expect("written");
    soon("the damage or the promotion", || failures() > 0 || model(&server.post("/predict", ROW)) == "value-model/2");
    let now = server.post("/predict", ROW);
    assert!(now.status == 200 && (now.body == answer.body || model(&now) == "value-model/2"), "{}", now.body);
    std::fs::write(&file, &whole).expect("written");
    soon("the repaired file", || model(&server.post("/predict", ROW)) == "value-model/2");
}

#[test]
fn folders_have_no_versions() {
    let trained = crate::support::Trained::logistic();
    let server = Running::of(&trained);
    server.get("/v1/runs").is_problem(404, "no-workspace", &["--workspace"]);
    server.get("/v1/models/value-model/versions").is_problem(404, "no-workspace", &[]);
    assert!(server.get("/v1/models").json()["models"][0]["stage"].is_null());
}
