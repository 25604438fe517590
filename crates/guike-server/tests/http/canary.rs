//! Planted personal values through every door: none of them may be found where nobody should find one.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::Path;

use guike::audit::AuditFiles;
use guike::keys::{NewKey, add};
use guike_core::Day;
use guike_guard::{Scope, TokenRules};
use guike_server::{Guard, Limits, Tokens};

use crate::support::{Running, Trained, post, results};
use crate::tokens::encoded;

/// How often everything is tried; each time plants some hundred and thirty values.
const ROUNDS: usize = 78;
/// Rows of a list, each with a value.
const ROWS: usize = 50;

/// Everything that lies in a folder.
fn contents(folder: &Path, out: &mut Vec<u8>) {
    for entry in fs::read_dir(folder).expect("listed") {
        let path = entry.expect("an entry").path();
        out.extend_from_slice(path.to_string_lossy().as_bytes());
        if path.is_dir() {
            contents(&path, out);
        } else {
            out.extend(fs::read(&path).expect("read"));
        }
    }
}

#[test]
fn ten_thousand_planted_values_are_found_in_no_log_no_problem_no_metric_and_no_file() {
    let ((_shop, out), trained) = (results(), Trained::logistic());
    let folder = tempfile::tempdir().expect("a temporary folder");
    let keys = folder.path().join("keys.json");
    let new = NewKey { name: "all", scopes: &Scope::ALL, created: Day(20_000), expires: None, random: [1; 32] };
    let key = add(&keys, &new).expect("added").reveal().to_owned();
    let audit = AuditFiles::new(&folder.path().join("audit.jsonl"), None);
    let jwks = folder.path().join("jwks.json");
    let public = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
    fs::write(&jwks, public).expect("written");
    let rules = TokenRules { issuer: "i".into(), audience: "a".into(), role_claim: "roles".into() };
    let tokens = Some(Tokens { keys: jwks, rules });
    let guard = Guard { audit: Some(audit), users: Some(folder.path().join("users.json")), tokens, ..Guard::default() };
    // events that are taken are kept with whose they are: what is looked at here is those that are not
    let events = Some(folder.path().join("events.log"));
    let mut server = Running::taking(vec![trained.model(), out], events, Limits::default(), Some(keys), guard);
    let mut planted = 0;
    let mut fresh = || {
        planted += 1;
        // as an id, a name, a telephone number or the beginning of an address may look, and never twice
        format!("Canary{planted:05}")
    };
    let mut answers = String::new();
    let mut heard = |text: &str| {
        answers.push_str(text);
        answers.push('\n');
    };
    let get = |path: String, head: String| {
        let more = if head.is_empty() { "" } else { "\r\n" };
        let a = server.get_with(&path, &format!("x-api-key: {key}{more}{head}"));
        format!("{}{}", a.head, a.body)
    };
    let send = |path: &str, body: &str, head: &str| {
        let request = post(path, "example.org", "application/json", body);
        let head = format!("\r\nx-api-key: {key}\r\n{head}");
        let a = server.send(request.replacen("\r\n", &head, 1).as_bytes());
        format!("{}{}", a.head, a.body)
    };
    // an answer whose length is not known before it ends
    let stream = |head: &str, body: &str| {
        let mut stream = server.connect();
        let n = body.len();
        let rest = format!("host: example.org\r\nx-api-key: {key}\r\ncontent-length: {n}\r\nconnection: close\r\n\r\n");
        stream.write_all(format!("{head}\r\n{rest}{body}").as_bytes()).expect("sent");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("an answer");
        String::from_utf8_lossy(&answer).into_owned()
    };
    for round in 0..ROUNDS {
        // rows: as categories, where numbers belong, as names of columns, cut short and not JSON at all
        let good =
            |c: &str| format!(r#"{{"age":30,"income":6000,"purchase_frequency":5,"amount":500,"category":"{c}"}}"#);
        heard(&send("/predict", &good(&fresh()), ""));
        heard(&send("/predict", &good("books").replace("30", &format!("\"{}\"", fresh())), ""));
        heard(&send("/predict", &good("books").replace("30", &format!("{{\"{}\":1}}", fresh())), ""));
        heard(&send("/predict", &good(&fresh())[..round % 80 + 1], ""));
        heard(&send("/predict", &format!("{} {}", fresh(), good("books")), ""));
        heard(&send("/predict", &format!("[{},{}", good("books"), fresh()), ""));
        heard(&send(
            "/v2/models/value-model/infer",
            &format!(r#"{{"inputs":[{{"name":"age","shape":[1],"datatype":"FP64","data":["{}"]}}]}}"#, fresh()),
            "",
        ));
        heard(&send(
            "/v2/models/value-model/infer",
            &format!(r#"{{"inputs":[],"outputs":[{{"name":"{}"}}]}}"#, fresh()),
            "",
        ));
        heard(&send(&format!("/{}", fresh()), "{}", ""));
        heard(&send(&format!("/predict?{}=1", fresh()), &good("books"), ""));
        heard(&send(
            &format!("/predict?reasons={}", fresh()),
            &good("books"),
            &format!("x-forwarded-for: {}\r\n", fresh()),
        ));
        let rows: Vec<String> = (0..ROWS).map(|_| good(&fresh())).collect();
        heard(&send("/predict", &format!("[{}]", rows.join(",")), ""));
        // files of rows: as categories, then where a number belongs, and in the header
        let batch =
            |keep: &str| format!("POST /v1/models/value-model/batch?keep={keep} HTTP/1.1\r\ncontent-type: text/csv");
        let columns = "age,income,purchase_frequency,amount,category\n";
        let rows: String = (0..ROWS).map(|_| format!("30,6000,5,500,{}\n", fresh())).collect();
        heard(&stream(&batch("none"), &format!("{columns}{rows}")));
        heard(&stream(&batch("none"), &format!("{columns}30,{},5,500,books\n", fresh())));
        heard(&stream(&batch("none"), &format!("{},{columns}", fresh())));
        heard(&stream(&batch(&fresh()), columns));
        // events that are refused
        let key_of = |n: usize| format!("idempotency-key: {n}\r\n");
        let event =
            |c: &str, time: &str, amount: &str| format!(r#"{{"customer_id":"{c}","time":"{time}","amount":{amount}}}"#);
        heard(&send("/v1/events", &event(&fresh(), &fresh(), "1"), &key_of(round)));
        heard(&send("/v1/events", &event(&fresh(), "2023-01-01", &format!("\"{}\"", fresh())), &key_of(round)));
        heard(&send("/v1/events", &event(&fresh(), "2023-01-01", "1"), ""));
        // exports, and audiences where there is no workspace
        heard(&stream(&format!("GET /v1/customers/export?prefix={}&purpose=quality HTTP/1.1", fresh()), ""));
        heard(&get(format!("/v1/customers/export?format={}", fresh()), String::new()));
        heard(&get(format!("/v1/customers?min_{}=1&max_p_active={}", fresh(), fresh()), String::new()));
        heard(&send("/v1/audiences", &format!(r#"{{"name":"{}","filter":"prefix={}"}}"#, fresh(), fresh()), ""));
        heard(&get(format!("/v1/audiences/{}", fresh()), String::new()));
        heard(&get(format!("/v1/drift?{}=1", fresh()), String::new()));
        // tokens, whole and in pieces
        let claims = format!(r#"{{"iss":"{}","sub":"{}"}}"#, fresh(), fresh());
        for token in [format!("{}.{}.{}", encoded(r#"{"alg":"EdDSA"}"#), encoded(claims), fresh()), fresh() + ".a.b"] {
            let a = server.get_with("/v1/models", &format!("authorization: Bearer {token}"));
            heard(&format!("{}{}", a.head, a.body));
        }
        // paths, parameters and heads
        heard(&get(format!("/v1/customers/{}", fresh()), String::new()));
        heard(&get(format!("/v1/customers/{}?purpose=service", fresh()), String::new()));
        heard(&get(format!("/v1/customers?prefix={}&purpose=fraud", fresh()), String::new()));
        heard(&get(format!("/v1/customers?tier={}", fresh()), String::new()));
        heard(&get(format!("/v1/customers?sort={}&cursor={}", fresh(), fresh()), String::new()));
        heard(&get("/v1/customers?limit=1".to_owned(), format!("x-purpose: {}", fresh())));
        heard(&get(format!("/v1/models/{}", fresh()), format!("referer: https://example.org/{}", fresh())));
        heard(&get("/v1/summary".to_owned(), format!("cookie: __Host-guike={}\r\nuser-agent: {}", fresh(), fresh())));
        let a = server.get_with("/v1/models", &format!("authorization: Bearer {}", fresh()));
        heard(&format!("{}{}", a.head, a.body));
        let form = format!("name={}&password={}&next=/{}", fresh(), fresh(), fresh());
        let kind = "application/x-www-form-urlencoded";
        let a = server.send(post("/login", "example.org", kind, &form).as_bytes());
        // the address of the next page comes back to who sent it, and goes nowhere else
        heard(&a.body.replace(form.rsplit('/').next().unwrap_or_default(), ""));
        let a = server.send(post("/setup", "example.org", kind, &form.replace("next", "token")).as_bytes());
        heard(&a.body);
        let a = server.send(format!("{} /v1/models HTTP/1.1\r\nhost: {}\r\n\r\n", "DELETE", fresh()).as_bytes());
        heard(&format!("{}{}", a.head, a.body));
    }
    let metrics = get("/metrics".to_owned(), String::new());
    server.end();
    assert!(planted >= 10_000, "{planted}");
    let mut files = Vec::new();
    contents(folder.path(), &mut files);
    let lower = |text: &str| text.to_lowercase();
    for (place, text) in [
        ("an answer", lower(&answers)),
        ("the metrics", lower(&metrics)),
        ("the access log", lower(&server.log.text())),
        ("a file", lower(&String::from_utf8_lossy(&files))),
    ] {
        assert!(!text.is_empty());
        let at = text.find("canary");
        assert!(at.is_none(), "{place} holds …{}…", &text[at.unwrap_or(0).saturating_sub(200)..][..300]);
    }
}
