//! Persons at an identity provider: the whole way there and back, everything that may come back and may not, and what stands
//! nowhere afterwards.

mod provider;
mod wrong;

use std::path::Path;

use guike::audit::{AuditFiles, records};
use guike_guard::Role;
use guike_server::{ClientSecret, Guard, Limits, Oidc};
use serde_json::{Value, json};

use self::provider::{ACCESS, CLIENT, ORIGIN, Provider, SECRET, Wrong, fields};
use crate::people::{cookie, form, users};
use crate::support::{Answer, Running, Trained};
use crate::tokens::Signer;

fn oidc(issuer: &str) -> Oidc {
    Oidc {
        issuer: issuer.to_owned(),
        client: CLIENT.to_owned(),
        secret: ClientSecret::new(SECRET),
        origin: ORIGIN.to_owned(),
        scopes: vec!["groups".to_owned()],
        role_claim: "groups".to_owned(),
        roles: vec![("shop-analysts".to_owned(), Role::Analyst), ("shop-heads".to_owned(), Role::Admin)],
        label: None,
        authorities: None,
        session_seconds: 12 * 3_600,
    }
}

fn audit(folder: &Path) -> AuditFiles {
    AuditFiles::new(&folder.join("audit.jsonl"), None)
}

fn serving(trained: &Trained, folder: &Path, oidc: Oidc) -> Running {
    let guard = Guard { audit: Some(audit(folder)), oidc: Some(oidc), ..Guard::default() };
    Running::recorded(vec![trained.model()], Limits::default(), None, guard)
}

/// A server with its model, provider and folder.
struct Shop {
    server: Running,
    provider: Provider,
    folder: tempfile::TempDir,
}

impl Shop {
    fn open() -> Shop {
        Shop::with(|_| ())
    }

    fn with(change: impl FnOnce(&mut Oidc)) -> Shop {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let provider = Provider::start();
        let mut oidc = oidc(&provider.issuer);
        change(&mut oidc);
        let trained = Trained::logistic();
        let server = serving(&trained, folder.path(), oidc);
        Shop { server, provider, folder }
    }

    fn get(&self, path: &str, head: &str) -> Answer {
        let head = if head.is_empty() { String::new() } else { format!("{head}\r\n") };
        self.server
            .send(format!("GET {path} HTTP/1.1\r\nhost: localhost:5000\r\n{head}connection: close\r\n\r\n").as_bytes())
    }

    /// Begins a login: where the browser is sent, and the cookie that it keeps.
    fn begin(&self) -> (String, String) {
        let answer = self.get("/login/oidc?next=%2Fv1%2Fmodels", "");
        assert_eq!(answer.status, 303, "{}", answer.body);
        (answer.exact_header("location").expect("a place").to_owned(), binding(&answer))
    }

    /// Goes there and back; what the server says then.
    fn log_in(&self) -> Answer {
        let (location, binding) = self.begin();
        self.get(&self.provider.log_in(&location), &binding)
    }

    fn metrics(&self) -> String {
        self.provider.script().claims = Box::new(|c| c["groups"] = json!("shop-heads"));
        let admin = cookie(&self.log_in());
        self.get("/metrics", &admin).body
    }

    /// What the audit log says of logins: who, role, how it ended.
    fn recorded(&self) -> Vec<String> {
        let recorded = records(&audit(self.folder.path())).expect("read").0;
        let of = |r: &Value| ["action", "who", "role", "result"].map(|m| r[m].as_str().unwrap_or("-").to_owned());
        recorded.iter().filter(|r| r["resource"] == "sessions").map(|r| of(r).join(" ")).collect()
    }

    /// The words of the log about logins, in order.
    fn told(&mut self) -> Vec<String> {
        self.server.end();
        let log = self.server.log.text();
        let lines = log.lines().map(|l| serde_json::from_str::<Value>(l).expect("JSON"));
        lines.filter_map(|l| Some(format!("{}: {}", l["event"].as_str()?, l["detail"].as_str()?))).collect()
    }
}

/// The cookie that binds a login to a browser, as the browser sends it back.
fn binding(answer: &Answer) -> String {
    let set = answer.exact_header("set-cookie").expect("a cookie");
    for part in ["; Path=/", "; Secure", "; HttpOnly", "; SameSite=Lax", "; Max-Age=600"] {
        assert!(set.contains(part), "{set}");
    }
    let value = set.split(';').next().and_then(|c| c.strip_prefix("__Host-guike-login=")).expect("the binding");
    assert!(value.len() == 64 && !set.to_lowercase().contains("domain"), "{set}");
    format!("cookie: __Host-guike-login={value}")
}

fn is_page(answer: &Answer, status: u16, words: &str) {
    assert_eq!(answer.status, status, "{}", answer.body);
    assert!(answer.body.contains(words), "{}", answer.body);
    assert!(answer.body.contains("href=\"/login?lang="), "no way out: {}", answer.body);
    assert!(answer.head.contains("referrer-policy: no-referrer"), "{}", answer.head);
    assert!(!answer.head.contains("__host-guike="), "nobody is logged in: {}", answer.head);
    assert!(!answer.body.to_lowercase().contains("canary"), "{}", answer.body);
}

const NOT_VERIFIED: &str = "cannot be verified";
const BEGIN_AGAIN: &str = "Begin it again";
const CANNOT_BE_REACHED: &str = "cannot be reached";

#[test]
fn a_person_goes_to_the_provider_and_comes_back_logged_in() {
    let mut shop = Shop::open();
    // a browser asks for a page, is sent to the login, and finds a button there that needs no script
    let sent = shop.get("/v1/models", "accept: text/html");
    assert_eq!(sent.exact_header("location"), Some("/login?next=%2Fv1%2Fmodels"));
    let page = shop.get("/login?next=%2Fv1%2Fmodels", "");
    assert!(page.body.contains("Log in with the company&#39;s account"), "{}", page.body);
    assert!(!page.body.contains("type=\"password\"") && !page.body.contains("<script"), "{}", page.body);
    assert!(shop.get("/login?lang=zh", "").body.contains("使用公司账号登录"));
    let href = page.body.split("href=\"").find(|h| h.starts_with("/login/oidc?")).and_then(|h| h.split('"').next());
    let href = href.expect("a button").replace("&#38;", "&").replace("&amp;", "&");
    let away = shop.get(&href, "sec-fetch-site: same-origin");
    let location = away.exact_header("location").expect("a place").to_owned();
    assert_eq!(fields(location.split_once('?').expect("a query").1)["scope"], "openid groups");
    let back = shop.get(&shop.provider.log_in(&location), &format!("{}\r\nsec-fetch-site: cross-site", binding(&away)));
    assert_eq!(back.exact_header("location"), Some("/v1/models"), "{}", back.body);
    assert!(back.exact.contains("__Host-guike-login=; ") && back.exact.contains("Max-Age=0"), "{}", back.exact);
    let mei = cookie(&back);
    assert_eq!(shop.get("/v1/models", &mei).status, 200);
    shop.get("/metrics", &mei).is_problem(403, "foreign-role", &["`admin`"]);
    // the session is like every other: who is logged in is told, and what changes something needs its token
    let page = shop.get("/login", &mei);
    assert!(page.body.contains("oidc~mei · analyst"), "{}", page.body);
    let csrf = page.body.split(r#"name="csrf" value=""#).nth(1).and_then(|s| s.split('"').next()).expect("a token");
    form(&shop.server, "/logout", &format!("{mei}\r\n"), "").is_problem(403, "foreign-page", &["csrf"]);
    let out = form(&shop.server, "/logout", &format!("{mei}\r\n"), &format!("csrf={csrf}"));
    assert_eq!(out.exact_header("location"), Some("/login?out=true"));
    shop.get("/v1/models", &mei).is_problem(401, "no-session", &[]);
    // and the provider's own logout is offered
    assert!(shop.get("/login?out=true", "").body.contains("href=\"/login/oidc/out?lang=en\""));
    assert!(shop.get("/login?out=true&lang=zh", "").body.contains("您已在此退出"));
    let end = shop.get("/login/oidc/out", "");
    let after = format!(
        "{}/end?client_id={CLIENT}&post_logout_redirect_uri=http%3A%2F%2Flocalhost%3A5000%2Flogin",
        shop.provider.issuer
    );
    assert_eq!(end.exact_header("location"), Some(after.as_str()));
    assert_eq!(shop.recorded(), ["log-in oidc~mei analyst 303", "log-out oidc~mei analyst 303"]);
    assert!(shop.metrics().contains("route=\"/login/oidc/back\",status=\"303\"} 2"));
    shop.server.end();
    assert!(shop.server.log.text().contains("\"user\":\"oidc~mei\""));
}

#[test]
fn a_login_comes_back_once_and_to_the_browser_in_which_it_began() {
    let mut shop = Shop::open();
    let (location, mine) = shop.begin();
    let (_, other) = shop.begin();
    let path = shop.provider.log_in(&location);
    let over = |path: &str, head: &str| is_page(&shop.get(path, head), 401, BEGIN_AGAIN);
    over("/login/oidc/back", &mine);
    over("/login/oidc/back?code=a", &mine);
    over(&format!("/login/oidc/back?code=a&state={}", "0".repeat(64)), &mine);
    over(&format!("{path}&state={}", "0".repeat(64)), &mine);
    // what came before used nothing up
    cookie(&shop.get(&path, &mine));
    // the state and the code were used
    over(&path, &mine);
    // another browser, which was made to open the address, or one without cookies: and the state is used up, too
    for head in
        [other.as_str(), "", &format!("{mine}; __Host-guike-login={}", "0".repeat(64)), "cookie: __Host-guike-login="]
    {
        let (location, mine) = shop.begin();
        let path = shop.provider.log_in(&location);
        over(&path, head);
        over(&path, &mine);
    }
    let zh = shop.get("/login/oidc/back?state=a", "accept-language: zh-CN");
    is_page(&zh, 401, "请重新开始");
    // a code that was used comes back with a good state
    let (location, mine) = shop.begin();
    let fresh = shop.provider.log_in(&location);
    let state = fresh.split("state=").nth(1).expect("a state");
    is_page(&shop.get(&format!("/login/oidc/back?code=canary-code-1&state={state}"), &mine), 503, CANNOT_BE_REACHED);
    // the code of somebody else's login does not fit the verifier
    let ((location, mine), (theirs, _)) = (shop.begin(), shop.begin());
    let (path, theirs) = (shop.provider.log_in(&location), shop.provider.log_in(&theirs));
    let (code, state) = (theirs.split('&').next().expect("a code"), path.split('&').nth(1).expect("a state"));
    is_page(&shop.get(&format!("{code}&{state}"), &mine), 503, CANNOT_BE_REACHED);
    let told = shop.told();
    assert_eq!(told, vec!["provider-trouble: it refuses the code: invalid_grant"; 2]);
}

#[test]
fn a_new_key_is_found_and_forged_names_of_keys_make_nobody_ask_often() {
    let mut shop = Shop::open();
    cookie(&shop.log_in());
    assert_eq!(
        (shop.provider.count("GET /.well-known/openid-configuration"), shop.provider.count("GET /jwks")),
        (1, 1)
    );
    let turn = |signer: Signer, kid: &str| {
        let mut script = shop.provider.script();
        script.keys = vec![signer.jwk(kid)];
        (script.signer, script.kid) = (signer, kid.to_owned());
    };
    turn(Signer::ec(), "k2");
    cookie(&shop.log_in());
    assert_eq!(shop.provider.count("GET /jwks"), 2);
    // half a minute has to pass before keys are looked for again
    turn(Signer::ed(3), "k3");
    (0..5).for_each(|_| is_page(&shop.log_in(), 401, NOT_VERIFIED));
    assert_eq!(
        (shop.provider.count("GET /.well-known/openid-configuration"), shop.provider.count("GET /jwks")),
        (1, 2)
    );
    assert_eq!(shop.told(), vec!["login-not-believed: key"; 5]);
}

#[test]
fn who_has_no_role_is_told_so_and_recorded() {
    let mut shop = Shop::open();
    let with = |groups: Value| {
        shop.provider.script().claims = Box::new(move |c| {
            c["groups"] = groups.clone();
            c["sub"] = json!("canary@shop.example");
        });
        shop.log_in()
    };
    for groups in [json!(["staff"]), json!(["analyst", "admin"]), json!(["shop-analysts", "shop-heads"]), Value::Null] {
        is_page(&with(groups), 403, "Your account may not use this server");
    }
    let (location, mine) = {
        let answer = shop.get("/login/oidc?lang=zh", "");
        (answer.exact_header("location").expect("a place").to_owned(), binding(&answer))
    };
    is_page(&shop.get(&shop.provider.log_in(&location), &mine), 403, "您的账号无权使用此服务");
    // printf %s canary@shop.example | sha256sum | cut -c1-16
    assert_eq!(shop.recorded(), vec!["log-in oidc~sub~c40be29244231435 - 403"; 5]);
    shop.server.end();
    assert!(!shop.server.log.text().contains("canary"), "{}", shop.server.log.text());
}

#[test]
fn what_the_provider_says_in_the_address_is_checked() {
    let mut shop = Shop::open();
    let with = |more: &str| {
        shop.provider.script().back = more.to_owned();
        shop.log_in()
    };
    let issuer = shop.provider.issuer.replace(':', "%3A").replace('/', "%2F");
    cookie(&with(&format!("&iss={issuer}&session_state=abc")));
    is_page(&with("&iss=https%3A%2F%2Fevil.example"), 401, NOT_VERIFIED);
    is_page(&with("&error=access_denied&error_description=canary"), 401, "did not log you in");
    is_page(&with("&error=canary"), 401, "did not log you in");
    assert_eq!(
        shop.told(),
        ["login-not-believed: issuer", "login-declined: access_denied", "login-declined: another error"]
    );
    // one that always says who it is must always say it
    let shop = Shop::open();
    shop.provider.script().description =
        Box::new(|d| d["authorization_response_iss_parameter_supported"] = json!(true));
    is_page(&shop.log_in(), 401, NOT_VERIFIED);
    shop.provider.script().back = format!("&iss={issuer}");
    is_page(&shop.log_in(), 401, NOT_VERIFIED);
    let issuer = shop.provider.issuer.replace(':', "%3A").replace('/', "%2F");
    shop.provider.script().back = format!("&iss={issuer}");
    cookie(&shop.log_in());
}

#[test]
fn nobody_is_sent_elsewhere_and_no_other_site_begins_a_login() {
    let shop = Shop::open();
    for next in
        ["//evil.example", "https:%2F%2Fevil.example", "%2F%5Cevil.example", &format!("%2F{}", "a".repeat(2_000))]
    {
        let answer = shop.get(&format!("/login/oidc?next={next}"), "");
        let location = answer.exact_header("location").expect("a place").to_owned();
        let back = shop.get(&shop.provider.log_in(&location), &binding(&answer));
        assert_eq!(back.exact_header("location"), Some("/"), "{next}");
    }
    for head in ["sec-fetch-site: cross-site", "sec-fetch-site: same-site", "origin: https://evil.example"] {
        for path in ["/login/oidc", "/login/oidc/out"] {
            shop.get(path, head).is_problem(403, "foreign-page", &["open /login"]);
        }
    }
    // under another name the cookie would stay there: the browser goes to the right one first, and no host is believed
    let other = shop.server.get_with("/login/oidc?next=%2Ftiers", "accept: text/html");
    assert_eq!(other.exact_header("location"), Some("http://localhost:5000/login?next=%2Ftiers&lang=en"));
    shop.get("/login/oidc?next=a&next=b", "").is_problem(400, "malformed-query", &["next"]);
    // without a provider there is no such way
    let trained = Trained::logistic();
    let open = Running::of(&trained);
    open.get("/login/oidc").is_problem(404, "no-such-path", &["--oidc-issuer"]);
    open.get("/login/oidc/back?code=a&state=b").is_problem(404, "no-such-path", &["--oidc-issuer"]);
}

#[test]
fn a_client_shows_its_secret_as_the_provider_wants_or_has_none() {
    for (showing, has_secret) in [("basic", true), ("post", true), ("none", false)] {
        let shop = Shop::with(|oidc| oidc.secret = oidc.secret.take().filter(|_| has_secret));
        shop.provider.script().showing = showing;
        cookie(&shop.log_in());
    }
    let mut shop = Shop::with(|oidc| oidc.secret = ClientSecret::new("wrong"));
    is_page(&shop.log_in(), 503, CANNOT_BE_REACHED);
    assert_eq!(shop.told(), ["provider-trouble: it refuses the code: invalid_client"]);
}

#[test]
fn users_with_passwords_and_persons_from_elsewhere_are_never_taken_for_each_other() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = users(folder.path(), &[("root", Role::Admin), ("mei", Role::Auditor)]);
    let provider = Provider::start();
    let label = Some("Shop <b>ID</b>".to_owned());
    let guard = Guard {
        audit: Some(audit(folder.path())),
        users: Some(file),
        oidc: Some(Oidc { label, ..oidc(&provider.issuer) }),
        ..Guard::default()
    };
    let trained = Trained::logistic();
    let server = Running::recorded(vec![trained.model()], Limits::default(), None, guard);
    let shop = Shop { server, provider, folder };
    let page = shop.get("/login", "");
    assert!(page.body.contains("type=\"password\"") && page.body.contains("Shop &#60;b&#62;ID"), "{}", page.body);
    let mei = cookie(&crate::people::log_in(&shop.server, "mei", crate::people::PASSWORD));
    // the same browser comes back from the provider: the session of before is over
    let (location, binding) = shop.begin();
    let back = shop.get(&shop.provider.log_in(&location), &format!("{binding}; {}", mei.replace("cookie: ", "")));
    let other = cookie(&back);
    shop.get("/v1/models", &mei).is_problem(401, "no-session", &[]);
    assert_eq!(shop.get("/v1/models", &other).status, 200);
    assert_eq!(shop.recorded(), ["log-in mei auditor 303", "log-in oidc~mei analyst 303"],);
    // without users nobody logs in with a password, and there is nobody to look after
    let shop = Shop::open();
    form(&shop.server, "/login", "", "name=root&password=a").is_problem(404, "no-such-path", &["identity provider"]);
    shop.provider.script().claims = Box::new(|c| c["groups"] = json!("shop-heads"));
    let admin = cookie(&shop.log_in());
    shop.get("/v1/users", &admin).is_problem(404, "no-such-path", &["--users"]);
    assert_eq!(shop.get("/admin", &format!("{admin}\r\naccept: text/html")).status, 200);
}

#[test]
fn nothing_that_came_stands_anywhere_afterwards() {
    let mut shop = Shop::open();
    let mut seen = String::new();
    let mut states = Vec::new();
    for round in 0..6 {
        let wrong = [None, Some(Wrong::NotJson), Some(Wrong::Status(400)), None, None, None][round];
        shop.provider.script().wrong = wrong.map(|wrong| ("/token", wrong)).into_iter().collect();
        shop.provider.script().claims = match round {
            3 => Box::new(|c| c["nonce"] = json!("canary")),
            4 => Box::new(|c| c["groups"] = json!("canary")),
            _ => Box::new(|_| ()),
        };
        shop.provider.script().back =
            if round == 5 { "&error=canary&error_description=canary".to_owned() } else { String::new() };
        let (location, mine) = shop.begin();
        states.extend(["state", "nonce"].map(|n| fields(location.split_once('?').expect("a query").1)[n].clone()));
        states.push(mine.rsplit('=').next().expect("a binding").to_owned());
        let path = shop.provider.log_in(&location);
        for head in [mine.clone(), format!("{mine}\r\naccept: text/html")] {
            let answer = shop.get(&path, &head);
            seen += &format!("{}{}", answer.exact, answer.body);
        }
    }
    {
        let mut script = shop.provider.script();
        script.back.clear();
        script.wrong.clear();
    }
    seen += &shop.metrics();
    shop.server.end();
    seen += &shop.server.log.text();
    for entry in std::fs::read_dir(shop.folder.path()).expect("listed") {
        seen += &String::from_utf8_lossy(&std::fs::read(entry.expect("an entry").path()).expect("read"));
    }
    let seen = seen.to_lowercase();
    for word in ["canary", ACCESS, "shop.example", "shop-analysts", "eyj"] {
        assert!(!seen.contains(word), "`{word}` stands somewhere");
    }
    states
        .iter()
        .for_each(|secret| assert!(!seen.contains(secret.as_str()), "a state, nonce or binding stands somewhere"));
}
