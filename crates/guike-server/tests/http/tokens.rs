//! Tokens of an identity provider: what each role's opens, what forged ones do not, and what is taken away.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use guike::audit::{AuditFiles, records};
use guike_guard::TokenRules;
use guike_server::{Guard, Limits, Tokens};
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
};
use serde_json::{Value, json};

use crate::support::{Answer, Running, Trained, not_started, post, results};

const ISSUER: &str = "https://id.example";
const ANN: &str = r#"{"age":30,"income":6000,"purchase_frequency":5,"amount":500,"category":"books"}"#;

pub(crate) fn encoded(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A key of the identity provider.
pub(crate) enum Signer {
    Ed(Ed25519KeyPair),
    Ec(EcdsaKeyPair),
    Rsa(RsaKeyPair),
}

impl Signer {
    pub(crate) fn ed(seed: u8) -> Signer {
        Signer::Ed(Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).expect("a key"))
    }

    pub(crate) fn ec() -> Signer {
        let random = SystemRandom::new();
        let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).expect("a key");
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, made.as_ref(), &random);
        Signer::Ec(pair.expect("its own"))
    }

    /// `openssl` makes it; `None` where that is not installed.
    #[allow(clippy::print_stderr, reason = "a skipped test says why")]
    fn rsa(folder: &Path) -> Option<Signer> {
        let file = folder.join("rsa.der");
        let words = "genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -outform DER -out";
        let Ok(made) = Command::new("openssl").args(words.split(' ')).arg(&file).output() else {
            eprintln!("skipped: openssl is not installed");
            return None;
        };
        assert!(made.status.success());
        let key = std::fs::read(file).expect("written");
        // versions of openssl differ in which of the two forms they write
        let pair = RsaKeyPair::from_pkcs8(&key).or_else(|_| RsaKeyPair::from_der(&key));
        Some(Signer::Rsa(pair.expect("a key")))
    }

    pub(crate) fn algorithm(&self) -> &'static str {
        match self {
            Signer::Ed(_) => "EdDSA",
            Signer::Ec(_) => "ES256",
            Signer::Rsa(_) => "RS256",
        }
    }

    pub(crate) fn jwk(&self, kid: &str) -> Value {
        match self {
            Signer::Ed(pair) => {
                json!({ "kty": "OKP", "crv": "Ed25519", "kid": kid, "x": encoded(pair.public_key()) })
            }
            Signer::Ec(pair) => {
                let point = pair.public_key().as_ref();
                let (x, y) = (encoded(&point[1..33]), encoded(&point[33..]));
                json!({ "kty": "EC", "crv": "P-256", "kid": kid, "x": x, "y": y, "alg": "ES256" })
            }
            Signer::Rsa(pair) => {
                let public = PublicKeyComponents::<Vec<u8>>::from(pair.public());
                json!({ "kty": "RSA", "use": "sig", "kid": kid, "n": encoded(public.n), "e": encoded(public.e) })
            }
        }
    }

    /// A token with this head and these claims, signed whatever they say.
    pub(crate) fn token(&self, head: &Value, claims: &Value) -> String {
        let text = format!("{}.{}", encoded(head.to_string()), encoded(claims.to_string()));
        let random = SystemRandom::new();
        let signature = match self {
            Signer::Ed(pair) => pair.sign(text.as_bytes()).as_ref().to_vec(),
            Signer::Ec(pair) => pair.sign(&random, text.as_bytes()).expect("signed").as_ref().to_vec(),
            Signer::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, text.as_bytes(), &mut signature).expect("signed");
                signature
            }
        };
        format!("{text}.{}", encoded(signature))
    }

    /// A good token.
    fn good(&self, kid: &str, role: &str) -> String {
        self.token(&json!({ "alg": self.algorithm(), "kid": kid, "typ": "JWT" }), &claims(role))
    }
}

pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

fn claims(role: &str) -> Value {
    json!({ "iss": ISSUER, "aud": "guike", "sub": "crm-program", "exp": now() + 600, "iat": now(), "roles": [role] })
}

fn put(folder: &Path, keys: &[Value]) -> PathBuf {
    let file = folder.join("jwks.json");
    std::fs::write(&file, json!({ "keys": keys }).to_string()).expect("written");
    file
}

fn tokens(keys: PathBuf) -> Tokens {
    let rules = TokenRules { issuer: ISSUER.into(), audience: "guike".into(), role_claim: "roles".into() };
    Tokens { keys, rules }
}

fn get(server: &Running, path: &str, token: &str) -> Answer {
    server.get_with(path, &format!("authorization: Bearer {token}"))
}

#[test]
fn a_token_opens_what_its_role_may_and_nothing_else() {
    let ((_shop, out), trained) = (results(), Trained::logistic());
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut signers = vec![("ed", Signer::ed(1)), ("ec", Signer::ec())];
    signers.extend(Signer::rsa(folder.path()).map(|rsa| ("rsa", rsa)));
    let keys: Vec<Value> = signers.iter().map(|(kid, signer)| signer.jwk(kid)).collect();
    let files = AuditFiles::new(&folder.path().join("audit.jsonl"), None);
    let guard =
        Guard { audit: Some(files.clone()), tokens: Some(tokens(put(folder.path(), &keys))), ..Guard::default() };
    let mut server = Running::recorded(vec![trained.model(), out], Limits::default(), None, guard);
    for (kid, signer) in &signers {
        let analyst = signer.good(kid, "analyst");
        assert_eq!(get(&server, "/v1/models", &analyst).status, 200, "{kid}");
        let request = post("/predict", "example.org", "application/json", ANN);
        let ask = |token: &str| {
            server.send(request.replacen("\r\n", &format!("\r\nauthorization: bearer {token}\r\n"), 1).as_bytes())
        };
        assert_eq!(ask(&analyst).status, 200, "{kid}");
        get(&server, "/metrics", &analyst).is_problem(403, "foreign-role", &["admin"]);
        let viewer = signer.good(kid, "viewer");
        ask(&viewer).is_problem(403, "foreign-role", &["analyst"]);
        // who may not know who customers are sees pseudonyms, whatever she says that it is for
        let seen = get(&server, "/v1/customers?limit=1&purpose=service", &viewer).json();
        assert!(seen["customers"][0]["customer_id"].as_str().is_some_and(|id| id.starts_with("c~")), "{seen}");
    }
    server.get("/v1/models").is_problem(401, "no-key", &["send a token"]);
    get(&server, "/v1/models", "guike_00").is_problem(401, "unknown-key", &[]);
    server.end();
    let log = server.log.text();
    assert!(log.contains("\"token\":\"crm-program\""), "{log}");
    let (records, _) = records(&files).expect("read");
    let seen: Vec<&Value> = records.iter().filter(|r| r["resource"] == "customers").collect();
    assert_eq!(seen.len(), signers.len());
    for record in seen {
        let of = |name: &str| record[name].as_str();
        assert_eq!((of("kind"), of("who"), of("role")), (Some("token"), Some("crm-program"), Some("viewer")));
    }
}

#[test]
fn every_forged_token_is_refused_in_the_same_words() {
    let (trained, folder) = (Trained::logistic(), tempfile::tempdir().expect("a temporary folder"));
    let (ed, ec, stranger) = (Signer::ed(1), Signer::ec(), Signer::ed(2));
    let keys = [ed.jwk("ed"), ec.jwk("ec")];
    let file = put(folder.path(), &keys);
    let text = std::fs::read(&file).expect("written");
    let guard = Guard { tokens: Some(tokens(file)), ..Guard::default() };
    let mut server = Running::recorded(vec![trained.model()], Limits::default(), None, guard);
    let head = json!({ "alg": "EdDSA", "kid": "ed" });
    let good = ed.token(&head, &claims("admin"));
    let ask = |token: &str| get(&server, "/v1/models", token);
    assert_eq!(ask(&good).status, 200);
    let with = |member: &str, value: Value| {
        let mut claims = claims("admin");
        claims[member] = value;
        ed.token(&head, &claims)
    };
    let part = |at: usize| good.split('.').nth(at).expect("three parts");
    // a shared secret that everybody knows: the public key, as it stands in the file, and the whole file
    let by_secret = |secret: &[u8]| {
        let text = format!("{}.{}", encoded(json!({ "alg": "HS256", "kid": "ed" }).to_string()), part(1));
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret);
        format!("{text}.{}", encoded(ring::hmac::sign(&key, text.as_bytes())))
    };
    let none = |alg: &str| format!("{}.{}.", encoded(json!({ "alg": alg, "kid": "ed" }).to_string()), part(1));
    let Signer::Ed(pair) = &ed else { unreachable!("made above") };
    let forged = [
        ("key", none("none")),
        ("key", none("None")),
        ("key", format!("{}{}", none("none"), part(2))),
        ("signature", none("EdDSA")),
        ("key", by_secret(pair.public_key().as_ref())),
        ("key", by_secret(encoded(pair.public_key()).as_bytes())),
        ("key", by_secret(&text)),
        ("key", ed.token(&json!({ "alg": "EdDSA", "kid": "gone" }), &claims("admin"))),
        ("key", ed.token(&json!({ "alg": "EdDSA" }), &claims("admin"))),
        ("key", ed.token(&json!({ "alg": "ES256", "kid": "ed" }), &claims("admin"))),
        ("key", ed.token(&json!({ "alg": "EdDSA", "kid": "ec" }), &claims("admin"))),
        ("signature", ed.token(&json!({ "alg": "ES256", "kid": "ec" }), &claims("admin"))),
        ("signature", stranger.good("ed", "admin")),
        ("signature", {
            // a key of the forger's own in the head
            let mut head = head.clone();
            head["jwk"] = stranger.jwk("ed");
            head["jku"] = json!("https://evil.example/jwks.json");
            stranger.token(&head, &claims("admin"))
        }),
        ("signature", format!("{}.{}.{}", part(0), encoded(claims("auditor").to_string()), part(2))),
        ("signature", format!("{}.{}.{}", part(0), part(1), encoded([0; 64]))),
        ("form", format!("{good}=")),
        ("signature", format!("{good}.{}", part(2))),
        ("form", part(0).to_owned()),
        ("form", "..".to_owned()),
        ("form", ed.token(&json!({ "alg": "EdDSA", "kid": "ed", "typ": "logout+jwt" }), &claims("admin"))),
        ("form", ed.token(&json!({ "alg": "EdDSA", "kid": "ed", "crit": ["b64"], "b64": false }), &claims("admin"))),
        ("form", ed.token(&json!(["EdDSA"]), &claims("admin"))),
        ("form", with("padding", json!("x".repeat(8_000)))),
        ("time", with("exp", json!(now() - 61))),
        ("time", with("exp", Value::Null)),
        ("time", with("nbf", json!(now() + 600))),
        ("issuer", with("iss", json!("https://id.example.evil.example"))),
        ("audience", with("aud", json!("another"))),
        ("subject", with("sub", Value::Null)),
        ("role", with("roles", json!(["root"]))),
        ("role", with("roles", json!(["viewer", "admin"]))),
        ("role", with("roles", Value::Null)),
    ];
    let mut words = None;
    for (fault, token) in &forged {
        let mut answer = ask(token);
        answer.is_problem(401, "unknown-token", &["not believed"]);
        let id = answer.json()["request_id"].as_str().expect("an id").to_owned();
        answer.body = answer.body.replace(&id, "");
        assert_eq!(words.get_or_insert_with(|| answer.body.clone()), &answer.body, "{fault}");
        assert_eq!(answer.header("www-authenticate"), Some("bearer"));
    }
    // two credentials are not better than one
    let both = server.get_with("/v1/models", &format!("authorization: Bearer {}\r\nx-api-key: {good}", none("none")));
    both.is_problem(401, "unknown-token", &[]);
    server.end();
    let log = server.log.text();
    let lines: Vec<Value> = log.lines().map(|l| serde_json::from_str(l).expect("JSON")).collect();
    let faults: Vec<&str> = lines.iter().filter_map(|l| l["fault"].as_str()).collect();
    let expected: Vec<&str> = forged.iter().map(|f| f.0).chain(["key"]).collect();
    assert_eq!(faults, expected);
    let parts = forged.iter().flat_map(|(_, token)| token.split('.')).filter(|part| part.len() > 8);
    parts.for_each(|part| assert!(!log.contains(part), "a piece of a token stands in the log"));
}

#[test]
fn a_key_that_is_taken_away_opens_nothing_two_seconds_later() {
    let (trained, folder) = (Trained::logistic(), tempfile::tempdir().expect("a temporary folder"));
    let (old, new) = (Signer::ed(1), Signer::ec());
    let file = put(folder.path(), &[old.jwk("old")]);
    let guard = Guard { tokens: Some(tokens(file.clone())), ..Guard::default() };
    let server = Running::recorded(vec![trained.model()], Limits::default(), None, guard);
    let status = |signer: &Signer, kid: &str| get(&server, "/v1/models", &signer.good(kid, "viewer")).status;
    let told = |event: &str, times: usize| {
        let begun = Instant::now();
        while server.log.text().matches(event).count() < times {
            assert!(begun.elapsed() < Duration::from_secs(20), "`{event}` is not in: {}", server.log.text());
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    assert_eq!((status(&old, "old"), status(&new, "new")), (200, 401));
    std::fs::write(&file, "{\"keys\":[{\"kty\":\"oct\",\"k\":\"c2VjcmV0\"}]}").expect("written");
    told("token-keys-not-read", 1);
    assert!(!server.log.text().contains("c2VjcmV0"), "{}", server.log.text());
    assert_eq!((status(&old, "old"), status(&new, "new")), (200, 401));
    put(folder.path(), &[new.jwk("new")]);
    told("token-keys-read", 1);
    assert_eq!((status(&old, "old"), status(&new, "new")), (401, 200));
    put(folder.path(), &[]);
    told("token-keys-read", 2);
    assert_eq!((status(&old, "old"), status(&new, "new")), (401, 401));
}

#[test]
fn a_token_may_ask_so_often_and_a_server_without_good_keys_does_not_start() {
    let (trained, folder) = (Trained::logistic(), tempfile::tempdir().expect("a temporary folder"));
    let ed = Signer::ed(1);
    let file = put(folder.path(), &[ed.jwk("ed")]);
    let limits = Limits { rate: Some(3), ..Limits::default() };
    let guard = Guard { tokens: Some(tokens(file.clone())), ..Guard::default() };
    let server = Running::recorded(vec![trained.model()], limits, None, guard);
    let answers: Vec<Answer> = (0..8).map(|_| get(&server, "/v1/models", &ed.good("ed", "viewer"))).collect();
    let refused = answers.iter().find(|a| a.status != 200).expect("more than three a second");
    refused.is_problem(429, "too-many-requests", &["--max-rate"]);
    let start =
        |tokens: Tokens| not_started("0.0.0.0:0", None, Guard { tokens: Some(tokens), ..Guard::default() }).to_string();
    assert!(start(tokens(file.clone())).contains("nothing"), "these keys are good, and the model is not there");
    let mut for_anybody = tokens(file.clone());
    for_anybody.rules.audience = String::new();
    assert!(start(for_anybody).contains("--jwt-audience"));
    put(folder.path(), &[]);
    assert!(start(tokens(file.clone())).contains("no key for RS256"));
    std::fs::write(&file, "{}").expect("written");
    assert!(start(tokens(file)).contains("no JSON Web Key Set"));
    assert!(start(tokens(folder.path().join("none"))).contains("no such file"));
}
