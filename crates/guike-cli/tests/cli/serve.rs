//! `guike serve`: the documents' example as it stands there, and how the server ends.
#![cfg(unix)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::support::Desk;

/// What stands between quotes after `--json` in a document.
fn example(document: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(document);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{document}: {e}"));
    let line = text.lines().find(|l| l.starts_with("curl http://127.0.0.1:5000/predict --json '"));
    let line = line.unwrap_or_else(|| panic!("{document} has no example with curl"));
    line.split('\'').nth(1).expect("a body between quotes").to_owned()
}

/// A running server, ended with the test.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: String,
    said: BufReader<std::process::ChildStderr>,
}

impl Server {
    pub(crate) fn start(desk: &Desk, args: &[&str]) -> Server {
        Server::tried(desk, args).unwrap_or_else(|words| panic!("{words}"))
    }

    /// Starts one, or gives what it said when it ended instead.
    pub(crate) fn tried(desk: &Desk, args: &[&str]) -> Result<Server, String> {
        let mut child = desk.command(args).stderr(Stdio::piped()).spawn().expect("the binary starts");
        let mut said = BufReader::new(child.stderr.take().expect("a pipe"));
        let mut line = String::new();
        said.read_line(&mut line).expect("it says where it listens");
        let Some(address) = line.split("http://").nth(1) else {
            said.read_to_string(&mut line).expect("its last words");
            child.wait().expect("it ends");
            return Err(line);
        };
        let address = address.split([';', ' ']).next().expect("an address").to_owned();
        Ok(Server { child, address, said })
    }

    fn post(&self, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).expect("it accepts");
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a time limit");
        let n = body.len();
        let head = format!(
            "POST /predict HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\ncontent-length: {n}\r\nconnection: close\r\n\r\n",
            self.address
        );
        stream.write_all((head + body).as_bytes()).expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let status = answer.split(' ').nth(1).and_then(|s| s.parse().ok()).expect("a status");
        (status, answer.split_once("\r\n\r\n").expect("a head").1.to_owned())
    }

    /// Sends SIGTERM; the exit code and what was still said.
    fn end(mut self) -> (Option<i32>, String) {
        let sent = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().expect("kill starts");
        assert!(sent.success());
        let mut rest = String::new();
        self.said.read_to_string(&mut rest).expect("its last words");
        (self.child.wait().expect("it ends").code(), rest)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a request and gives status and body; `None` where no answer comes.
pub(crate) fn ask(address: &str, method: &str, path: &str, head: &str, body: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(30))).ok()?;
    let n = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\n{head}content-length: {n}\r\nconnection: close\r\n\r\n"
    );
    stream.write_all((head + body).as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}

/// Customers as in the example, whose column is called `freq`.
pub(crate) fn desk() -> Desk {
    let desk = Desk::new();
    let simulated = desk.guike(&["simulate", "customers", "--n", "1000", "--seed", "1"]);
    desk.put("customers.csv", simulated.stdout.replacen("purchase_frequency", "freq", 1));
    desk
}

#[test]
fn the_example_of_the_documents_is_answered_as_they_say() {
    let desk = desk();
    let train = ["train", "customers.csv", "--target", "value", "--drop", "category", "--out", "value-model"];
    assert_eq!(desk.guike(&train).code, 0);
    let server = Server::start(&desk, &["serve", "value-model", "--addr", "127.0.0.1:0"]);
    let mut answers = Vec::new();
    for document in ["README.md", "README.zh-CN.md", "docs/serve.md"] {
        let (status, body) = server.post(&example(document));
        assert_eq!(status, 200, "{body}");
        answers.push(body);
    }
    assert!(answers.iter().all(|a| *a == answers[0]));
    let said: Value = serde_json::from_str(&answers[0]).expect("JSON");
    let page =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/serve.md")).expect("read");
    let line = page.lines().find(|l| l.starts_with("{\"predicted\"")).expect("the answer is on the page");
    let shown: Value = serde_json::from_str(line).expect("JSON");
    assert_eq!(said["predicted"], shown["predicted"]);
    for (class, p) in shown["probabilities"].as_object().expect("classes") {
        let (p, q) = (p.as_f64().expect("a number"), said["probabilities"][class].as_f64().expect("a number"));
        assert!((p - q).abs() < 1e-4, "docs/serve.md says {p} for {class}, and it is {q}");
    }
    assert_eq!(said["tier"], shown["tier"]);
    for end in ["lower", "upper"] {
        let (shown, said) = (shown["interval"][end].as_f64().expect("a number"), said["interval"][end].as_f64());
        assert!((shown - said.expect("a number")).abs() < 1e-4, "docs/serve.md says {shown}, and it is {said:?}");
    }
    let (code, rest) = server.end();
    assert_eq!(code, Some(0), "{rest}");
    assert!(rest.contains("\"route\":\"/predict\",\"status\":200") && rest.ends_with("ended\n"), "{rest}");
}

#[test]
fn keys_are_made_shown_once_listed_and_revoked() {
    let desk = Desk::new();
    let add =
        |name: &str| desk.guike(&["keys", "add", "keys.json", name, "--scope", "predict", "--expires", "2099-01-31"]);
    let made = add("crm");
    assert_eq!(made.code, 0, "{}", made.stderr);
    let key = made.stdout.trim().to_owned();
    assert!(key.starts_with("guike_") && key.len() == 70, "{key}");
    assert!(!desk.text("keys.json").contains(&key[6..]), "only its hash is kept");
    assert_ne!(add("shop").stdout, made.stdout);
    let again = add("crm");
    assert_eq!(again.code, 2, "{}", again.stderr);
    assert!(again.stderr.contains("already called `crm`"), "{}", again.stderr);
    let list = desk.guike(&["keys", "list", "keys.json", "--format", "csv"]).stdout;
    assert!(list.starts_with("name,scopes,created,expires\ncrm,predict,20") && list.contains("2099-01-31"), "{list}");
    assert_eq!(desk.guike(&["keys", "revoke", "keys.json", "crm"]).code, 0);
    let gone = desk.guike(&["keys", "revoke", "keys.json", "crm"]);
    assert_eq!(gone.code, 4, "{}", gone.stderr);
    let wrong = desk.guike(&["keys", "add", "keys.json", "x", "--scope", "everything"]);
    assert!(wrong.code == 2 && wrong.stderr.contains("predict, read, metrics"), "{}", wrong.stderr);
}

#[test]
fn a_model_that_is_not_there_and_an_address_of_the_network_are_refused() {
    let desk = Desk::new();
    let ended = desk.guike(&["serve", "no-such-model"]);
    assert_eq!(ended.code, 4, "{}", ended.stderr);
    assert!(ended.stderr.contains("no-such-model"), "{}", ended.stderr);
    let ended = desk.guike(&["serve", "no-such-model", "--addr", "0.0.0.0:5000"]);
    assert_eq!(ended.code, 2, "{}", ended.stderr);
    assert!(ended.stderr.contains("0.0.0.0:5000") && ended.stderr.contains("127.0.0.1:5000"), "{}", ended.stderr);
    let ended = desk.guike(&["serve", "no-such-model", "--tls-cert", "a.crt"]);
    assert!(ended.code == 2 && ended.stderr.contains("--tls-key"), "{}", ended.stderr);
    let ended = desk.guike(&["serve", "no-such-model", "--tls-cert", "a.crt", "--tls-key", "a.key"]);
    assert!(ended.code == 4 && ended.stderr.contains("a.crt"), "{}", ended.stderr);
    let ended =
        desk.guike(&["serve", "no-such-model", "--jwt-keys", "jwks.json", "--jwt-issuer", "https://id.example"]);
    assert!(ended.code == 2 && ended.stderr.contains("--jwt-audience"), "{}", ended.stderr);
    let issuer = ["serve", "no-such-model", "--oidc-issuer", "https://id.example"];
    let ended = desk.guike(&issuer);
    assert!(ended.code == 2 && ended.stderr.contains("--oidc-role"), "{}", ended.stderr);
    let more = ["--oidc-client", "guike", "--oidc-origin", "https://guike.example", "--oidc-role", "staff=root"];
    let ended = desk.guike(&[&issuer[..], &more].concat());
    assert!(ended.code == 2 && ended.stderr.contains("a role is one of"), "{}", ended.stderr);
    assert!(desk.names().is_empty());
}
