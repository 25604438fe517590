//! A model as a file for other programs: its bytes, who scores it, and what has none.

use std::path::Path;
use std::process::{Command, Stdio};

use guike::workspace::{self, Ask};
use guike_core::Timestamp;
use guike_server::Limits;

use crate::support::{Answer, Running, Trained, results_into};
use crate::workspace::Shop;

const ASK: Ask<'_> = Ask { by: "ann", reason: "a test", force: true, now: Timestamp(1_800_000_000) };

fn file(server: &Running, name: &str, version: &str) -> Answer {
    server.get(&format!("/v1/models/{name}/versions/{version}/model.json"))
}

#[test]
fn every_version_of_a_workspace_is_given_out_byte_for_byte_whatever_its_stage() {
    let shop = Shop::new();
    shop.train("value-model", "logistic-regression");
    shop.train("value-model", "decision-tree");
    shop.train("value-model", "decision-tree");
    workspace::archive(&shop.root(), "value-model", 3, &ASK).expect("archived");
    let server = shop.serve();
    for version in ["1", "2", "3"] {
        let got = file(&server, "value-model", version);
        let kept = shop.root().join(format!("models/value-model/{version}/model.json"));
        let kept = std::fs::read_to_string(kept).expect("read");
        assert_eq!((got.status, &got.body), (200, &kept), "version {version}");
        assert_eq!(got.header("content-length"), Some(kept.len().to_string().as_str()));
        assert_eq!(got.header("content-type"), Some("application/json"));
        let disposition = got.header("content-disposition").expect("a name").to_owned();
        assert!(disposition.ends_with(&format!("value-model-{version}.model.json")), "{disposition}");
    }
    let page = server.get("/models/value-model").body;
    for (version, stage) in [("1", "champion"), ("2", "candidate"), ("3", "archived")] {
        let link = format!("href=\"/v1/models/value-model/versions/{version}/model.json\" download");
        assert!(page.contains(&link) && page.contains(stage), "{page}");
    }
    file(&server, "value-model", "4").is_problem(404, "no-model", &["1, 2, 3"]);
    file(&server, "price", "1").is_problem(404, "no-model", &["keeps nothing"]);
    let path = shop.root().join("models/value-model/2/model.json");
    std::fs::write(&path, "{}").expect("written");
    file(&server, "value-model", "2").is_problem(500, "damaged-file", &["guike restore"]);
    std::fs::remove_file(&path).expect("removed");
    file(&server, "value-model", "2").is_problem(500, "damaged-file", &["cannot be read"]);
}

#[test]
fn a_run_and_a_text_of_lightgbm_have_no_model_json_and_say_so() {
    let shop = Shop::new();
    shop.train("value-model", "decision-tree");
    results_into(&Shop::place(&shop.root(), "shop"));
    file(&shop.serve(), "shop", "1").is_problem(404, "no-model-file", &["guike run", "/v1/customers"]);

    let text = Path::new(env!("CARGO_MANIFEST_DIR")).join("../guike-learn/tests/lightgbm/binary.txt");
    let server = Running::with(vec![text], Limits::default());
    let model = server.get("/v1/models").json()["models"][0].clone();
    let [name, version] = ["name", "version"].map(|m| model[m].as_str().expect("a text").to_owned());
    file(&server, &name, &version).is_problem(404, "no-model-file", &["LightGBM"]);
    assert!(server.get(&format!("/models/{name}")).body.contains("none: a text of LightGBM"));
}

#[test]
fn the_model_of_a_folder_is_given_out_as_the_version_that_is_served() {
    let trained = Trained::logistic();
    let server = Running::of(&trained);
    let version = server.get("/v1/models").json()["models"][0]["version"].as_str().expect("a version").to_owned();
    let kept = std::fs::read_to_string(trained.model().join("model.json")).expect("read");
    assert_eq!(file(&server, "value-model", &version).body, kept);
    file(&server, "value-model", "1").is_problem(404, "no-model", &[&version]);
    file(&server, "price", "1").is_problem(404, "no-model", &["value-model"]);
    assert!(server.get("/models/value-model").body.contains(&format!("versions/{version}/model.json\" download")));
    // what is served is no longer what lies there
    std::fs::write(trained.model().join("model.json"), kept.replace('1', "2")).expect("written");
    file(&server, "value-model", &version).is_problem(500, "damaged-file", &[]);
}

#[test]
#[allow(clippy::print_stderr, reason = "a skipped test says why")]
fn the_file_scores_in_python_what_the_server_answers() {
    let is_there = |p: &&&str| {
        let ended = Command::new(p).args(["-c", "import sys; sys.exit(sys.version_info < (3, 8))"]).status();
        ended.is_ok_and(|s| s.success())
    };
    let Some(python) = ["python3", "python"].iter().find(is_there) else {
        eprintln!("skipped: there is no Python 3.8 or newer on the PATH");
        return;
    };
    let trained = Trained::new("boosting", |_| ());
    let server = Running::of(&trained);
    let version = server.get("/v1/models").json()["models"][0]["version"].as_str().expect("a version").to_owned();
    let desk = tempfile::tempdir().expect("a temporary folder");
    let [model, rows] = ["downloaded.json", "rows.csv"].map(|n| desk.path().join(n));
    std::fs::write(&model, file(&server, "value-model", &version).body).expect("written");
    let ages = [19, 30, 47, 71];
    let lines = ages.map(|age| format!("{age},{},5,500,books\n", age * 150)).concat();
    std::fs::write(&rows, format!("age,income,purchase_frequency,amount,category\n{lines}")).expect("written");
    let scorer = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scorers/guike_score.py");
    let ended = Command::new(python).arg(scorer).args([&model, &rows]).stdin(Stdio::null()).output().expect("started");
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    let said = String::from_utf8(ended.stdout).expect("text");
    let head: Vec<&str> = said.lines().next().expect("a head").split(',').collect();
    let at = head.iter().position(|c| *c == "p_high").expect("a probability");
    for (age, line) in ages.into_iter().zip(said.lines().skip(1)) {
        let theirs: f64 = line.split(',').nth(at).expect("a cell").parse().expect("a number");
        let row = serde_json::json!({
            "age": age, "income": age * 150, "purchase_frequency": 5, "amount": 500, "category": "books",
        });
        let ours =
            server.post("/predict", &row.to_string()).json()["probabilities"]["high"].as_f64().expect("a number");
        assert!((ours - theirs).abs() <= 1e-6, "{age}: {ours} and {theirs}");
    }
}
