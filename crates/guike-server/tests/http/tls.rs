//! HTTPS: who gets through, what a renewed and a broken certificate do, and what silent clients cannot do.
//!
//! Certificates and keys are made by `openssl` for each test; where that is not installed, the tests say so and end.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use guike_guard::Role;
use guike_server::{Guard, Limits, TlsFiles};
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{
    ClientConfig, ClientConnection, ProtocolVersion, RootCertStore, StreamOwned, SupportedProtocolVersion, crypto,
};

use crate::people::{PASSWORD, users};
use crate::support::{Running, Trained, not_started};

/// Runs `openssl` with these words, and files of the folder.
fn openssl(folder: &Path, words: &str) -> bool {
    let made = Command::new("openssl").args(words.split_whitespace()).current_dir(folder).output();
    made.is_ok_and(|made| {
        assert!(made.status.success(), "openssl {words}: {}", String::from_utf8_lossy(&made.stderr));
        true
    })
}

/// A root, an authority under it, and a certificate for `guike.example`: `NAME.crt` holds the latter two, `NAME.key` the key.
fn certificate(folder: &Path, name: &str) -> bool {
    certificate_for(folder, name, "guike.example")
}

/// The same for a host of this name.
#[allow(clippy::print_stderr, reason = "a skipped test says why")]
pub(crate) fn certificate_for(folder: &Path, name: &str, host: &str) -> bool {
    let new = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30";
    let authority = "-addext basicConstraints=critical,CA:TRUE";
    let own = format!("-addext basicConstraints=critical,CA:FALSE -addext subjectAltName=DNS:{host}");
    let made = openssl(folder, &format!("{new} -subj /CN=root -keyout root.key -out {name}.root {authority}"))
        && openssl(
            folder,
            &format!("{new} -subj /CN=mid -CA {name}.root -CAkey root.key -keyout mid.key -out mid.crt {authority}"),
        )
        && openssl(
            folder,
            &format!("{new} -subj /CN=guike -CA mid.crt -CAkey mid.key -keyout {name}.key -out {name}.crt {own}"),
        );
    if !made {
        eprintln!("skipped: openssl is not installed");
        return false;
    }
    let both = [read(folder, &format!("{name}.crt")), read(folder, "mid.crt")].concat();
    std::fs::write(folder.join(format!("{name}.crt")), both).expect("written");
    true
}

fn read(folder: &Path, name: &str) -> Vec<u8> {
    std::fs::read(folder.join(name)).expect("openssl wrote it")
}

fn files(folder: &Path, name: &str) -> TlsFiles {
    TlsFiles { cert: folder.join(format!("{name}.crt")), key: folder.join(format!("{name}.key")) }
}

fn serving(trained: &Trained, limits: Limits, tls: TlsFiles) -> Running {
    Running::recorded(vec![trained.model()], limits, None, Guard { tls: Some(tls), ..Guard::default() })
}

/// Who trusts this root only and speaks this version.
struct Client {
    config: Arc<ClientConfig>,
}

impl Client {
    fn trusting(root: &Path, version: &'static SupportedProtocolVersion) -> Client {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(root).expect("PEM")).expect("a root");
        let mut config = ClientConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
            .with_protocol_versions(&[version])
            .expect("a version")
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Client { config: Arc::new(config) }
    }

    /// Sends a request over HTTPS; what is answered, or why there was no connection.
    fn ask(&self, server: &Running, request: &str) -> Result<(String, Option<ProtocolVersion>), String> {
        let name = ServerName::try_from("guike.example").expect("a name");
        let connection = ClientConnection::new(Arc::clone(&self.config), name).expect("a client");
        let mut stream = StreamOwned::new(connection, server.connect());
        stream.write_all(request.as_bytes()).map_err(|e| e.to_string())?;
        assert_eq!(stream.conn.alpn_protocol(), Some(&b"http/1.1"[..]));
        let mut answer = String::new();
        stream.read_to_string(&mut answer).map_err(|e| e.to_string())?;
        Ok((answer, stream.conn.protocol_version()))
    }

    fn get(&self, server: &Running, host: &str) -> Result<(String, Option<ProtocolVersion>), String> {
        self.ask(server, &format!("GET /login HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n"))
    }
}

/// Waits until the log has this text so many times.
fn told(server: &Running, text: &str, times: usize) -> String {
    let begun = Instant::now();
    loop {
        let log = server.log.text();
        if log.matches(text).count() >= times {
            return log;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "`{text}` is not in: {log}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn both_versions_get_through_and_a_browser_stays_with_https() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    if !certificate(folder.path(), "a") {
        return;
    }
    let trained = Trained::logistic();
    let file = users(folder.path(), &[("mei", Role::Admin)]);
    let audit = guike::audit::AuditFiles::new(&folder.path().join("audit.jsonl"), None);
    let tls = Some(files(folder.path(), "a"));
    let guard = Guard { users: Some(file), audit: Some(audit), tls, ..Guard::default() };
    let server = Running::recorded(vec![trained.model()], Limits::default(), None, guard);
    for (version, spoken) in [(&TLS12, ProtocolVersion::TLSv1_2), (&TLS13, ProtocolVersion::TLSv1_3)] {
        let client = Client::trusting(&folder.path().join("a.root"), version);
        let (answer, version) = client.get(&server, "guike.example").expect("answered");
        assert_eq!(version, Some(spoken));
        assert!(
            answer.starts_with("HTTP/1.1 200") && answer.contains("strict-transport-security: max-age="),
            "{answer}"
        );
        // a rule for `localhost` would hold for the programs on all of its ports
        assert!(!client.get(&server, "localhost:5000").expect("answered").0.contains("strict-transport-security"));
    }
    let client = Client::trusting(&folder.path().join("a.root"), &TLS13);
    let log_in = |origin: &str| {
        let body = format!("name=mei&password={}&next=/", PASSWORD.replace(' ', "+"));
        let kind = "application/x-www-form-urlencoded";
        let request = crate::support::post("/login", "guike.example", kind, &body);
        client.ask(&server, &request.replacen("\r\n", &format!("\r\norigin: {origin}\r\n"), 1)).expect("answered").0
    };
    let cookie = log_in("https://guike.example");
    assert!(cookie.starts_with("HTTP/1.1 303") && cookie.contains("set-cookie: __Host-guike="), "{cookie}");
    let foreign = log_in("http://guike.example");
    assert!(foreign.starts_with("HTTP/1.1 403") && foreign.contains("foreign-page"), "{foreign}");
    // whoever speaks no TLS learns nothing and stops nobody
    let mut plain = server.connect();
    plain.write_all(b"GET / HTTP/1.1\r\nhost: guike.example\r\n\r\n").expect("sent");
    let mut said = Vec::new();
    let _ = plain.read_to_end(&mut said);
    assert!(!said.starts_with(b"HTTP"), "{said:?}");
    assert!(client.get(&server, "guike.example").is_ok());
}

#[test]
fn a_renewed_certificate_is_taken_without_a_start_and_a_broken_one_is_not() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = folder.path();
    if !(certificate(at, "old") && certificate(at, "new")) {
        return;
    }
    let trained = Trained::logistic();
    let now = TlsFiles { cert: at.join("now.crt"), key: at.join("now.key") };
    let put = |name: &str, ending: &str| {
        std::fs::copy(at.join(format!("{name}.{ending}")), at.join(format!("now.{ending}"))).expect("copied");
    };
    put("old", "crt");
    put("old", "key");
    let server = serving(&trained, Limits::default(), now.clone());
    let [old, new] = ["old", "new"].map(|n| Client::trusting(&at.join(format!("{n}.root")), &TLS13));
    assert!(old.get(&server, "localhost").is_ok());
    assert!(new.get(&server, "localhost").is_err_and(|e| e.contains("certificate")));
    // a certificate without its key
    put("new", "crt");
    let log = told(&server, "certificate-not-read", 1);
    assert!(log.contains("stays in force") && log.contains("not the key of the first certificate"), "{log}");
    assert!(old.get(&server, "localhost").is_ok());
    // now the key, too
    put("new", "key");
    told(&server, "certificate-read", 1);
    assert!(new.get(&server, "localhost").is_ok() && old.get(&server, "localhost").is_err());
    // nothing is lost with the files, either
    std::fs::remove_file(&now.key).expect("removed");
    told(&server, "certificate-not-read", 2);
    assert!(new.get(&server, "localhost").is_ok());
    let key = String::from_utf8(read(at, "new.key")).expect("text");
    let secret = key.lines().nth(1).expect("a line of the key");
    assert!(!server.log.text().contains(secret), "the key stands in the log");
}

#[test]
fn files_that_cannot_be_used_are_refused_in_words() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = folder.path();
    if !(certificate(at, "a") && certificate(at, "b")) {
        return;
    }
    openssl(at, "pkey -in a.key -aes256 -passout pass:secret -out locked.key");
    std::fs::write(at.join("empty"), "").expect("written");
    std::fs::write(at.join("cut.crt"), &read(at, "a.crt")[..300]).expect("written");
    std::fs::copy(at.join("a.key"), at.join("open.key")).expect("copied");
    let error = |cert: &str, key: &str| {
        let tls = Some(TlsFiles { cert: at.join(cert), key: at.join(key) });
        let error = not_started("127.0.0.1:0", None, Guard { tls, ..Guard::default() });
        (error.kind(), error.to_string())
    };
    use guike::ErrorKind::{Config, NotFound};
    let mut cases = vec![
        ("none.crt", "a.key", NotFound, "--tls-cert"),
        ("a.crt", "none.key", NotFound, "--tls-key"),
        ("empty", "a.key", Config, "there is no certificate in it"),
        ("a.key", "a.key", Config, "there is no certificate in it"),
        ("cut.crt", "a.key", Config, "cut short"),
        ("a.crt", "a.crt", Config, ""),
        ("a.crt", "b.key", Config, "not the key of the first certificate"),
        ("mid.crt", "b.key", Config, "not the key of the first certificate"),
        ("a.crt", "locked.key", Config, "encrypted"),
    ];
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(at.join("open.key"), std::fs::Permissions::from_mode(0o644)).expect("set");
        std::fs::set_permissions(at.join("empty"), std::fs::Permissions::from_mode(0o600)).expect("set");
        cases.push(("a.crt", "open.key", Config, "chmod o-rwx"));
        cases.push(("a.crt", "empty", Config, "there is no private key in it"));
    }
    for (cert, key, kind, words) in cases {
        let (found, text) = error(cert, key);
        assert!(found == kind && text.contains(words), "{cert} {key}: {found:?} {text}");
    }
    assert!(error("a.crt", "a.key").1.contains("nothing"), "this pair is good");
}

#[test]
fn a_certificate_that_ended_is_served_and_told() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = folder.path();
    if !certificate(at, "a") {
        return;
    }
    let authority = "[ca]\ndefault_ca=d\n[d]\ndatabase=index\nserial=serial\nnew_certs_dir=.\ndefault_md=sha256\npolicy=p\n\
                     x509_extensions=x\n[p]\ncommonName=supplied\n[x]\nbasicConstraints=CA:FALSE\n";
    for (name, text) in [("ca.cnf", authority), ("index", ""), ("serial", "01\n")] {
        std::fs::write(at.join(name), text).expect("written");
    }
    openssl(at, "req -new -key a.key -subj /CN=guike -out a.csr");
    let dates = "-startdate 20200101000000Z -enddate 20200201000000Z";
    openssl(at, &format!("ca -batch -config ca.cnf -selfsign -keyfile a.key -in a.csr -notext {dates} -out ended.crt"));
    openssl(at, "x509 -in a.crt -signkey a.key -days 5 -out ending.crt");
    let trained = Trained::logistic();
    for (cert, words) in
        [("ended.crt", "the certificate ended on 2020-02-01"), ("ending.crt", "the certificate ends on 20")]
    {
        let tls = TlsFiles { cert: at.join(cert), key: at.join("a.key") };
        let server = serving(&trained, Limits::default(), tls);
        assert!(told(&server, "certificate-ends", 1).contains(words), "{}", server.log.text());
    }
}

#[test]
fn silent_clients_keep_nobody_out() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    if !certificate(folder.path(), "a") {
        return;
    }
    let trained = Trained::logistic();
    // four handshakes at a time
    let limits = Limits { connections: 16, seconds: 30, ..Limits::default() };
    let mut server = serving(&trained, limits, files(folder.path(), "a"));
    let silent: Vec<TcpStream> = (0..40).map(|_| server.connect()).collect();
    let client = Client::trusting(&folder.path().join("a.root"), &TLS13);
    let begun = Instant::now();
    assert!(client.get(&server, "localhost").is_ok());
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    // nor does the server wait for them when it ends
    server.end();
    assert!(begun.elapsed() < Duration::from_secs(12), "{:?}", begun.elapsed());
    drop(silent);
}

#[test]
fn with_https_persons_log_in_on_an_address_of_the_network() {
    let refused = |tls: Option<TlsFiles>| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let audit = guike::audit::AuditFiles::new(&folder.path().join("audit.jsonl"), None);
        let guard =
            Guard { users: Some(folder.path().join("users.json")), audit: Some(audit), tls, ..Guard::default() };
        not_started("0.0.0.0:0", None, guard).to_string()
    };
    assert!(refused(None).contains("--tls-cert"));
    let none = PathBuf::from("none");
    let tls = TlsFiles { cert: none.clone(), key: none };
    assert!(refused(Some(tls)).contains("there is no such file"), "it gets as far as the certificate");
}
