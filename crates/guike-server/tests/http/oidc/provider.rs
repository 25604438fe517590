//! An identity provider of the tests' own: small, on this machine, strict about what Guike asks, and able to go wrong in
//! every way that a test wants.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use ring::digest::{SHA256, SHA512, digest};
use serde_json::{Value, json};
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::tokens::{Signer, encoded, now};

pub(crate) const CLIENT: &str = "guike-client";
/// With signs that must be encoded on the way.
pub(crate) const SECRET: &str = "canary secret+/=&%";
pub(crate) const ACCESS: &str = "canary-access-token";
/// Where browsers reach the server of the test, as the forms of the other tests say it.
pub(crate) const ORIGIN: &str = "http://localhost:5000";

/// How a path goes wrong.
#[derive(Clone, Copy)]
pub(crate) enum Wrong {
    Status(u16),
    Redirect,
    Huge,
    NotJson,
    Slow,
    Cut,
}

/// What a code stands for.
struct Given {
    challenge: String,
    nonce: String,
    redirect: String,
}

type Change = Box<dyn Fn(&mut Value) + Send>;
pub(crate) type Token = Box<dyn Fn(&Signer, &str, &Value) -> String + Send>;

/// What the provider does; tests change it while it runs.
pub(crate) struct Script {
    pub(crate) signer: Signer,
    pub(crate) kid: String,
    /// What the key set holds.
    pub(crate) keys: Vec<Value>,
    /// What is otherwise in the description, in the claims, and in the answer with the tokens.
    pub(crate) description: Change,
    pub(crate) claims: Change,
    /// How the ID token is made of its claims.
    pub(crate) token: Token,
    /// What goes back to the browser besides code and state.
    pub(crate) back: String,
    pub(crate) wrong: BTreeMap<&'static str, Wrong>,
    /// How the client shows its secret: `basic`, `post`, or `none`.
    pub(crate) showing: &'static str,
    codes: BTreeMap<String, Given>,
    /// Every question: `GET /jwks`.
    pub(crate) asked: Vec<String>,
    n: usize,
}

pub(crate) struct Provider {
    pub(crate) issuer: String,
    script: Arc<Mutex<Script>>,
}

impl Provider {
    /// Over plain HTTP on this machine.
    pub(crate) fn start() -> Provider {
        Provider::with(None)
    }

    /// Over HTTPS as `localhost`, where a configuration is given.
    pub(crate) fn with(tls: Option<Arc<ServerConfig>>) -> Provider {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("its address");
        let issuer = match tls {
            Some(_) => format!("https://localhost:{}/realms/shop", address.port()),
            None => format!("http://{address}/realms/shop"),
        };
        let signer = Signer::ed(1);
        let script = Arc::new(Mutex::new(Script {
            keys: vec![signer.jwk("k1")],
            signer,
            kid: "k1".to_owned(),
            description: Box::new(|_| ()),
            claims: Box::new(|_| ()),
            token: Box::new(|signer, kid, claims| {
                signer.token(&json!({ "alg": signer.algorithm(), "kid": kid, "typ": "JWT" }), claims)
            }),
            back: String::new(),
            wrong: BTreeMap::new(),
            showing: "basic",
            codes: BTreeMap::new(),
            asked: Vec::new(),
            n: 0,
        }));
        let (of_thread, of_issuer) = (Arc::clone(&script), issuer.clone());
        // it ends with the process of the test
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { return };
                let (script, issuer, tls) = (Arc::clone(&of_thread), of_issuer.clone(), tls.clone());
                std::thread::spawn(move || match tls {
                    None => answer(stream, &script, &issuer),
                    Some(tls) => {
                        let connection = ServerConnection::new(tls).expect("a connection");
                        answer(StreamOwned::new(connection, stream), &script, &issuer);
                    }
                });
            }
        });
        Provider { issuer, script }
    }

    pub(crate) fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().expect("nobody panics here")
    }

    /// How often something was asked.
    pub(crate) fn count(&self, question: &str) -> usize {
        self.script().asked.iter().filter(|a| *a == question).count()
    }

    /// What a browser does that is sent here: the person logs in, and the provider sends her back to this path.
    pub(crate) fn log_in(&self, location: &str) -> String {
        let start = format!("{}/authorize?theme=shop&", self.issuer);
        let query = location.strip_prefix(&start).unwrap_or_else(|| panic!("{location} is not at {start}"));
        let fields = fields(query);
        let of = |name: &str| fields.get(name).cloned().unwrap_or_else(|| panic!("no `{name}` in {location}"));
        assert_eq!((of("response_type").as_str(), of("code_challenge_method").as_str()), ("code", "S256"));
        assert_eq!((of("client_id").as_str(), of("redirect_uri")), (CLIENT, format!("{ORIGIN}/login/oidc/back")));
        assert!(of("scope").split(' ').any(|s| s == "openid"), "{location}");
        for secret in ["state", "nonce", "code_challenge"] {
            assert!(of(secret).len() >= 43, "256 bits");
        }
        let mut script = self.script();
        script.n += 1;
        let code = format!("canary-code-{}", script.n);
        let given = Given { challenge: of("code_challenge"), nonce: of("nonce"), redirect: of("redirect_uri") };
        script.codes.insert(code.clone(), given);
        format!("/login/oidc/back?code={code}&state={}{}", of("state"), script.back)
    }
}

/// The fields of a form, decoded.
pub(crate) fn fields(text: &str) -> BTreeMap<String, String> {
    let decoded = |text: &str| {
        let (mut out, mut rest) = (Vec::new(), text.as_bytes());
        while let [first, more @ ..] = rest {
            let digits = (*first == b'%').then(|| std::str::from_utf8(&more[..2]).expect("digits"));
            out.push(digits.map_or(*first, |d| u8::from_str_radix(d, 16).expect("hexadecimal")));
            rest = if digits.is_some() { &more[2..] } else { more };
        }
        String::from_utf8(out).expect("UTF-8")
    };
    text.split('&').filter_map(|pair| pair.split_once('=')).map(|(n, v)| (n.to_owned(), decoded(v))).collect()
}

fn answer(mut stream: impl Read + Write, script: &Mutex<Script>, issuer: &str) {
    let Some((head, body)) = question(&mut stream) else { return };
    let mut words = head.split(' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let path = path.strip_prefix("/realms/shop").unwrap_or_default();
    let wrong = {
        let mut script = script.lock().expect("nobody panics here");
        script.asked.push(format!("{method} {path}"));
        script.wrong.iter().find(|w| *w.0 == path).map(|w| *w.1)
    };
    let (status, body) = match wrong {
        Some(Wrong::Slow) => {
            std::thread::sleep(Duration::from_secs(7));
            (200, "{}".to_owned())
        }
        Some(Wrong::Cut) => return,
        Some(Wrong::Status(status)) => (status, json!({ "error": "canary-error" }).to_string()),
        Some(Wrong::Redirect) => (302, String::new()),
        Some(Wrong::Huge) => (200, format!("{{\"canary\":\"{}\"}}", "x".repeat(300 * 1024))),
        Some(Wrong::NotJson) => (200, "<html>canary</html>".to_owned()),
        None => match (method, path) {
            ("GET", "/.well-known/openid-configuration") => (200, description(script, issuer)),
            ("GET", "/jwks") => (200, json!({ "keys": script.lock().expect("nobody panics here").keys }).to_string()),
            ("POST", "/token") => tokens(&mut script.lock().expect("nobody panics here"), issuer, &head, &body),
            _ => (404, "{}".to_owned()),
        },
    };
    let location = if status == 302 { format!("location: {issuer}/elsewhere\r\n") } else { String::new() };
    let head = format!(
        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\n{location}content-length: {}\r\n\r\n",
        body.len()
    );
    let _ = stream
        .write_all(head.as_bytes())
        .and_then(|()| stream.write_all(body.as_bytes()))
        .and_then(|()| stream.flush());
}

/// Head and body of what is asked.
fn question(stream: &mut impl Read) -> Option<(String, String)> {
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
                return Some((head.to_owned(), body.to_owned()));
            }
        }
        let n = stream.read(&mut piece).ok().filter(|n| *n > 0)?;
        bytes.extend_from_slice(&piece[..n]);
    }
}

fn description(script: &Mutex<Script>, issuer: &str) -> String {
    let script = script.lock().expect("nobody panics here");
    let methods = match script.showing {
        "post" => json!(["private_key_jwt", "client_secret_post"]),
        _ => json!(["client_secret_basic", "client_secret_post"]),
    };
    let mut description = json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize?theme=shop"),
        "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}/jwks"),
        "end_session_endpoint": format!("{issuer}/end"),
        "token_endpoint_auth_methods_supported": methods,
    });
    (script.description)(&mut description);
    description.to_string()
}

fn tokens(script: &mut Script, issuer: &str, head: &str, body: &str) -> (u16, String) {
    let refused = |word: &str| (400, json!({ "error": word, "error_description": "canary-description" }).to_string());
    let fields = fields(body);
    let of = |name: &str| fields.get(name).map_or("", String::as_str);
    let authorization = head.lines().find_map(|l| l.strip_prefix("authorization: ")).unwrap_or_default();
    // RFC 6749, section 2.3.1: both are encoded as for a form before they are put together
    let basic = {
        use base64::Engine as _;
        let pair = format!("{CLIENT}:canary%20secret%2B%2F%3D%26%25");
        format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair))
    };
    let is_known = match script.showing {
        "basic" => authorization == basic && of("client_secret").is_empty(),
        "post" => authorization.is_empty() && of("client_id") == CLIENT && of("client_secret") == SECRET,
        _ => authorization.is_empty() && of("client_id") == CLIENT && of("client_secret").is_empty(),
    };
    if !is_known {
        return refused("invalid_client");
    }
    let Some(given) = script.codes.remove(of("code")) else { return refused("invalid_grant") };
    let challenge = encoded(digest(&SHA256, of("code_verifier").as_bytes()));
    if given.redirect != of("redirect_uri") || given.challenge != challenge || of("grant_type") != "authorization_code"
    {
        return refused("invalid_grant");
    }
    let hash = match script.signer.algorithm() {
        "EdDSA" => digest(&SHA512, ACCESS.as_bytes()),
        _ => digest(&SHA256, ACCESS.as_bytes()),
    };
    let mut claims = json!({
        "iss": issuer, "aud": CLIENT, "sub": "mei", "nonce": given.nonce, "exp": now() + 60, "iat": now(),
        "at_hash": encoded(&hash.as_ref()[..hash.as_ref().len() / 2]),
        "email": "canary@shop.example", "name": "Canary Mei", "groups": ["staff", "shop-analysts"],
    });
    (script.claims)(&mut claims);
    let id_token = (script.token)(&script.signer, &script.kid, &claims);
    (200, json!({ "token_type": "Bearer", "access_token": ACCESS, "expires_in": 60, "id_token": id_token }).to_string())
}

/// A connection to nobody: what listened there is gone.
pub(crate) fn nowhere() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("its address");
    drop(listener);
    assert!(TcpStream::connect(address).is_err());
    address
}
