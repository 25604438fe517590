//! What goes wrong on the way to a provider and back: forged tokens, providers that are down, slow or not who they say, and
//! settings that cannot be.

use std::sync::Arc;
use std::time::Duration;

use guike::audit::AuditFiles;
use guike_server::{ClientSecret, Guard, Oidc};
use serde_json::{Value, json};
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ServerConfig, crypto};

use super::provider::{CLIENT, Provider, SECRET, Wrong, nowhere};
use super::{CANNOT_BE_REACHED, NOT_VERIFIED, Shop, audit, is_page, oidc, serving};
use crate::people::cookie;
use crate::support::{Trained, not_started};
use crate::tls::certificate_for;
use crate::tokens::{Signer, encoded, now};

#[test]
fn every_forged_token_is_refused_in_the_same_words() {
    let mut shop = Shop::open();
    type Claims = fn(&mut Value);
    let claims: [(&str, Claims); 15] = [
        ("nonce", |c| c["nonce"] = json!("another")),
        ("nonce", |c| c["nonce"] = Value::Null),
        ("issuer", |c| c["iss"] = json!("https://id.example")),
        ("audience", |c| c["aud"] = json!("another")),
        ("audience", |c| c["aud"] = Value::Null),
        ("party", |c| c["aud"] = json!([CLIENT, "another"])),
        ("party", |c| (c["aud"], c["azp"]) = (json!([CLIENT, "another"]), json!("another"))),
        ("party", |c| c["azp"] = json!("another")),
        ("time", |c| c["exp"] = json!(now() - 61)),
        ("time", |c| c["exp"] = Value::Null),
        ("time", |c| c["nbf"] = json!(now() + 600)),
        ("subject", |c| c["sub"] = Value::Null),
        ("subject", |c| c["sub"] = json!("")),
        ("access-token", |c| c["at_hash"] = json!("77QmUPtjPfzWtF2AnpK9RQ")),
        ("access-token", |c| c["at_hash"] = json!(7)),
    ];
    let good: super::provider::Token =
        Box::new(|s, kid, claims| s.token(&json!({ "alg": "EdDSA", "kid": kid }), claims));
    shop.provider.script().token = good;
    let mut expected = Vec::new();
    let mut body = None;
    let mut refused = |shop: &Shop, fault: &str| {
        let answer = shop.log_in();
        is_page(&answer, 401, NOT_VERIFIED);
        assert_eq!(body.get_or_insert_with(|| answer.body.clone()), &answer.body, "{fault}");
        expected.push(format!("login-not-believed: {fault}"));
    };
    for (fault, change) in claims {
        shop.provider.script().claims = Box::new(change);
        refused(&shop, fault);
    }
    shop.provider.script().claims = Box::new(|_| ());
    type Token = fn(&Signer, &str, &Value) -> String;
    let tokens: [(&str, Token); 9] = [
        ("key", |_, kid, c| {
            format!("{}.{}.", encoded(json!({ "alg": "none", "kid": kid }).to_string()), encoded(c.to_string()))
        }),
        ("key", |_, kid, c| {
            let text =
                format!("{}.{}", encoded(json!({ "alg": "HS256", "kid": kid }).to_string()), encoded(c.to_string()));
            let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, SECRET.as_bytes());
            format!("{text}.{}", encoded(ring::hmac::sign(&key, text.as_bytes())))
        }),
        ("signature", |_, kid, c| Signer::ed(2).token(&json!({ "alg": "EdDSA", "kid": kid }), c)),
        ("key", |s, _, c| s.token(&json!({ "alg": "EdDSA", "kid": "gone" }), c)),
        ("key", |s, kid, c| s.token(&json!({ "alg": "ES256", "kid": kid }), c)),
        ("form", |s, kid, c| s.token(&json!({ "alg": "EdDSA", "kid": kid, "typ": "at+jwt" }), c)),
        ("form", |s, kid, c| s.token(&json!({ "alg": "EdDSA", "kid": kid, "crit": ["b64"] }), c)),
        ("form", |_, _, _| "canary".to_owned()),
        ("form", |s, kid, c| {
            let mut c = c.clone();
            c["padding"] = json!("x".repeat(40_000));
            s.token(&json!({ "alg": "EdDSA", "kid": kid }), &c)
        }),
    ];
    for (fault, token) in tokens {
        shop.provider.script().token = Box::new(token);
        refused(&shop, fault);
    }
    assert_eq!(shop.recorded(), vec!["log-in - - 401"; expected.len()]);
    assert_eq!(shop.told(), expected);
}

#[test]
fn a_provider_that_is_down_slow_or_wrong_logs_nobody_in() {
    const DESCRIPTION: &str = "/.well-known/openid-configuration";
    let mut shop = Shop::open();
    let mut expected = Vec::new();
    {
        // after a failure nobody asks for half a second
        let mut fails = |shop: &Shop, words: &str| {
            std::thread::sleep(Duration::from_millis(550));
            is_page(&shop.get("/login/oidc", ""), 503, CANNOT_BE_REACHED);
            expected.push(format!("provider-trouble: {words}"));
        };
        for (wrong, words) in [
            (Wrong::Status(500), "it answers with status 500"),
            (Wrong::Status(400), "it answers with status 400"),
            (Wrong::Redirect, "it sends on to another address, which is not followed; give the final one"),
            (Wrong::Huge, "its answer has more than 256 KiB"),
            (Wrong::NotJson, "its answer is not the JSON that is expected"),
            (Wrong::Cut, "it broke the connection off, or speaks no HTTP"),
            (Wrong::Slow, "it did not answer within 5 seconds"),
        ] {
            shop.provider.script().wrong.insert(DESCRIPTION, wrong);
            fails(&shop, words);
        }
        shop.provider.script().wrong.clear();
        let issuer = "its description is of another issuer than --oidc-issuer says, letter by letter";
        let address = "it names an address that is not https (or http on this machine)";
        let keys = "its keys are none for RS256 (from 2,048 bits), ES256 or EdDSA, or no key set";
        type Change = fn(&mut Value);
        let changes: [(Change, &str); 8] = [
            (|d| d["issuer"] = json!("https://id.example"), issuer),
            (|d| d["issuer"] = json!(format!("{}/", d["issuer"].as_str().unwrap_or_default())), issuer),
            (|d| *d = json!([]), issuer),
            (|d| d["token_endpoint"] = json!("http://id.example/token"), address),
            (|d| d["authorization_endpoint"] = json!("javascript:alert(1)"), address),
            (|d| d["jwks_uri"] = Value::Null, address),
            (|d| d["end_session_endpoint"] = json!("//evil.example"), address),
            (
                |d| d["token_endpoint_auth_methods_supported"] = json!(["private_key_jwt"]),
                "it takes a client secret neither in the header (client_secret_basic) nor in the form (client_secret_post); set one of them for this client",
            ),
        ];
        for (change, words) in changes {
            shop.provider.script().description = Box::new(change);
            fails(&shop, words);
        }
        shop.provider.script().description = Box::new(|_| ());
        let good = std::mem::replace(&mut shop.provider.script().keys, vec![json!({ "kty": "oct", "k": "Y2FuYXJ5" })]);
        fails(&shop, keys);
        shop.provider.script().keys = Vec::new();
        fails(&shop, keys);
        shop.provider.script().keys = good;
    }
    std::thread::sleep(Duration::from_millis(550));
    cookie(&shop.log_in());
    // the description is known by now; the tokens may still not come
    for (wrong, words) in [
        (Wrong::Status(502), "it answers with status 502"),
        (Wrong::Status(401), "it refuses the code: another error"),
        (Wrong::Redirect, "it sends on to another address, which is not followed; give the final one"),
        (Wrong::Huge, "its answer has more than 256 KiB"),
    ] {
        shop.provider.script().wrong.insert("/token", wrong);
        is_page(&shop.log_in(), 503, CANNOT_BE_REACHED);
        expected.push(format!("provider-trouble: {words}"));
    }
    assert_eq!(shop.told(), expected);
    // nobody is there at all, and the server starts and answers all the same
    let folder = tempfile::tempdir().expect("a temporary folder");
    let trained = Trained::logistic();
    let server = serving(&trained, folder.path(), oidc(&format!("http://{}", nowhere())));
    let shop = Shop { server, provider: Provider::start(), folder };
    assert_eq!(shop.get("/health", "").status, 200);
    is_page(&shop.get("/login/oidc", ""), 503, CANNOT_BE_REACHED);
}

#[test]
fn the_way_to_the_provider_needs_a_certificate_that_is_believed() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    if !certificate_for(folder.path(), "id", "localhost") || !certificate_for(folder.path(), "other", "id.example") {
        return;
    }
    let provider = |name: &str| {
        let of = |kind: &str| folder.path().join(format!("{name}.{kind}"));
        let chain: Vec<_> = CertificateDer::pem_file_iter(of("crt")).expect("PEM").map(|c| c.expect("one")).collect();
        let key = PrivateKeyDer::from_pem_file(of("key")).expect("PEM");
        let tls = ServerConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(chain, key);
        Provider::with(Some(Arc::new(tls.expect("a pair"))))
    };
    let shop = |provider: Provider, root: Option<&str>| {
        let authorities = root.map(|name| folder.path().join(format!("{name}.root")));
        let own = tempfile::tempdir().expect("a temporary folder");
        let trained = Trained::logistic();
        let server = serving(&trained, own.path(), Oidc { authorities, ..oidc(&provider.issuer) });
        Shop { server, provider, folder: own }
    };
    cookie(&shop(provider("id"), Some("id")).log_in());
    // an authority that nobody knows, another one than was named, and a certificate for another host
    for (name, root) in [("id", None), ("id", Some("other")), ("other", Some("other"))] {
        let mut shop = shop(provider(name), root);
        is_page(&shop.get("/login/oidc", ""), 503, CANNOT_BE_REACHED);
        let told = shop.told();
        assert!(told.len() == 1 && told[0].contains("its certificate is not believed"), "{told:?}");
        assert!(shop.provider.script().asked.is_empty(), "nothing was asked before");
    }
    // who is asked over HTTPS names nothing over HTTP, not even on this machine
    let mut shop = shop(provider("id"), Some("id"));
    shop.provider.script().description = Box::new(|d| d["token_endpoint"] = json!("http://localhost:1/token"));
    is_page(&shop.get("/login/oidc", ""), 503, CANNOT_BE_REACHED);
    assert!(shop.told()[0].contains("it names an address that is not https"));
}

#[test]
fn a_server_with_wrong_settings_does_not_start() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let start = |address: &str, audit: Option<AuditFiles>, change: &dyn Fn(&mut Oidc)| {
        let mut oidc = oidc("https://id.example/realms/shop");
        change(&mut oidc);
        not_started(address, None, Guard { audit, oidc: Some(oidc), ..Guard::default() }).to_string()
    };
    let here = |change: &dyn Fn(&mut Oidc)| start("127.0.0.1:0", Some(audit(folder.path())), change);
    assert!(here(&|_| ()).contains("nothing"), "these settings are good, and the model is not there");
    assert!(start("127.0.0.1:0", None, &|_| ()).contains("--audit"), "what persons see is recorded");
    assert!(start("0.0.0.0:0", Some(audit(folder.path())), &|_| ()).contains("--tls-cert"));
    for (flag, change) in [
        ("--oidc-issuer", (|o| o.issuer = "http://id.example".to_owned()) as fn(&mut Oidc)),
        ("--oidc-issuer", |o| o.issuer = "https://id.example/#a".to_owned()),
        ("--oidc-issuer", |o| o.issuer = "id.example".to_owned()),
        ("--oidc-client", |o| o.client = String::new()),
        ("--oidc-origin", |o| o.origin = "http://guike.example".to_owned()),
        ("--oidc-origin", |o| o.origin = "https://guike.example/".to_owned()),
        ("--oidc-role", |o| o.roles.clear()),
        ("--oidc-scope", |o| o.scopes = vec!["a b".to_owned()]),
        ("--oidc-label", |o| o.label = Some("x".repeat(61))),
        ("--oidc-minutes", |o| o.session_seconds = 43_201),
        ("cannot be read", |o| o.authorities = Some("none.pem".into())),
    ] {
        let said = here(&change);
        assert!(said.contains(flag), "{flag}: {said}");
    }
    let secret = folder.path().join("secret");
    let read = || ClientSecret::read(&secret).map_err(|e| e.to_string());
    assert!(read().expect_err("refused").contains("client secret"));
    std::fs::write(&secret, "\n").expect("written");
    let _ = std::process::Command::new("chmod").arg("600").arg(&secret).status();
    assert!(read().expect_err("refused").contains("empty"));
    std::fs::write(&secret, "canary\r\n").expect("written");
    assert_eq!(read(), Ok(ClientSecret::new("canary").expect("a secret")));
    if std::process::Command::new("chmod").arg("644").arg(&secret).status().is_ok_and(|s| s.success()) {
        let said = read().expect_err("refused");
        assert!(said.contains("chmod o-rwx") && !said.contains("canary"), "{said}");
    }
}
