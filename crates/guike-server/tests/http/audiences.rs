//! Saved audiences: kept, found again, asked anew, deleted; and who may.

use guike::audit::AuditFiles;
use guike_guard::Role;
use guike_server::{Guard, Limits};

use crate::people::{PASSWORD, cookie, form, users};
use crate::support::{Answer, Running, post, results, results_into};
use crate::workspace::Shop;

fn delete(server: &Running, path: &str) -> Answer {
    server.send(format!("DELETE {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").as_bytes())
}

#[test]
fn an_audience_is_kept_asked_anew_and_deleted() {
    let shop = Shop::new();
    results_into(&Shop::place(&shop.root(), "shop"));
    let mut server = shop.serve();
    assert_eq!(server.get("/v1/audiences").json()["audiences"], serde_json::json!([]));
    let gold = r#"{"name":"gold & more","filter":"max_p_active=0.99&tier=gold"}"#;
    let made = server.post("/v1/audiences", gold);
    assert_eq!((made.status, made.json()["filter"].as_str()), (200, Some("tier=gold&max_p_active=0.99")));
    assert_eq!(made.json()["by"], "local");
    assert_eq!(server.post("/v1/audiences", gold).status, 200, "the same again is the same");
    server.post("/v1/audiences", r#"{"name":"gold & more","filter":"tier=silver"}"#).is_problem(
        409,
        "taken-name",
        &["delete"],
    );
    // a new start finds it
    server.end();
    let server = shop.serve();
    let found = server.get("/v1/audiences/gold%20%26%20more?limit=3").json();
    let all = server.get("/v1/customers?tier=gold&max_p_active=0.99&limit=1000").json();
    let all = all["customers"].as_array().expect("customers");
    let spend: f64 = all.iter().map(|c| c["expected_spend"].as_f64().expect("a number")).sum();
    assert_eq!(found["customers"], all.len());
    assert!((found["expected_spend"].as_f64().expect("a number") - spend).abs() < 1e-6, "{found}");
    assert_eq!(found["members"].as_array().expect("members")[..], all[..3]);
    let next = found["next"].as_str().expect("a next page");
    let second = server.get(&format!("/v1/audiences/gold%20%26%20more?limit=3&cursor={next}")).json();
    assert_eq!(second["members"][0], all[3]);
    // on its page
    let page = server.get("/audiences").body;
    assert!(page.contains("gold &#38; more") || page.contains("gold &amp; more"), "{page}");
    assert!(
        page.contains("/customers?tier=gold&#38;max_p_active=0.99") || page.contains("/customers?tier=gold&amp;max"),
        "{page}"
    );
    assert_eq!(delete(&server, "/v1/audiences/gold%20%26%20more").json()["deleted"], true);
    delete(&server, "/v1/audiences/gold%20%26%20more").is_problem(404, "no-audience", &[]);
    server.get("/v1/audiences/nobody").is_problem(404, "no-audience", &["GET /v1/audiences"]);
}

#[test]
fn what_cannot_be_an_audience_says_why() {
    let shop = Shop::new();
    results_into(&Shop::place(&shop.root(), "shop"));
    let server = shop.serve();
    for (body, status, code, words) in [
        (r#"{"name":"a/b"}"#, 422, "wrong-audience", "1 to 64 characters"),
        (r#"{"name":""}"#, 422, "wrong-audience", "1 to 64 characters"),
        (r#"{"name":1}"#, 422, "wrong-audience", "two texts"),
        (r#"{"name":"x","luck":1}"#, 422, "wrong-audience", "two texts"),
        (r#"{"name":"x""#, 400, "malformed-json", "ends too early"),
        (r#"{"name":"x","filter":"tier=tin"}"#, 400, "malformed-query", "`gold`"),
        (r#"{"name":"x","filter":"min_p_active=much"}"#, 400, "malformed-query", "a number"),
        (r#"{"name":"x","filter":"sort=p_active"}"#, 400, "malformed-query", "`prefix`"),
    ] {
        server.post("/v1/audiences", body).is_problem(status, code, &[words]);
    }
    assert_eq!(server.send(post("/v1/audiences", "localhost", "text/plain", "{}").as_bytes()).status, 415);
    // a folder keeps none, and the pages say so
    let (_folder, out) = results();
    let server = Running::with(vec![out], Limits::default());
    server.get("/v1/audiences").is_problem(404, "no-workspace", &["workspace"]);
    server.post("/v1/audiences", r#"{"name":"x"}"#).is_problem(404, "no-workspace", &["workspace"]);
    for path in ["/audiences", "/customers?tier=gold"] {
        let page = server.get(path).body;
        assert!(page.contains("A filter is kept in a workspace"), "{path}: {page}");
        assert!(!page.contains("name=\"filter\""), "{path}");
    }
}

#[test]
fn marketers_save_audiences_with_a_form_of_ours_and_viewers_look_at_them() {
    let (shop, folder) = (Shop::new(), tempfile::tempdir().expect("a temporary folder"));
    results_into(&Shop::place(&shop.root(), "shop"));
    let file = users(folder.path(), &[("mei", Role::Marketer), ("vic", Role::Viewer)]);
    let audit = Some(AuditFiles::new(&file.with_file_name("audit.jsonl"), None));
    let guard = Guard { users: Some(file), audit, ..Guard::default() };
    let server = Running::recorded(vec![shop.root()], Limits::default(), None, guard);
    let log_in = |name: &str| {
        let body = format!("name={name}&password={}&next=%2Faudiences", PASSWORD.replace(' ', "+"));
        cookie(&form(&server, "/login", "", &body))
    };
    let (mei, vic) = (log_in("mei"), log_in("vic"));
    let page = |path: &str, who: &str| server.get_with(path, &format!("accept: text/html\r\n{who}")).body;
    let found = page("/customers?tier=gold", &mei);
    let token = found.split("name=\"csrf\" value=\"").nth(1).and_then(|t| t.split('"').next()).expect("a token");
    let body = format!("name=gold&filter=tier%3Dgold&csrf={token}");
    form(&server, "/audiences", &format!("{mei}\r\n"), "name=gold&filter=tier%3Dgold").is_problem(
        403,
        "foreign-page",
        &[],
    );
    form(&server, "/audiences", &format!("{vic}\r\n"), &body).is_problem(403, "foreign-role", &["`marketer`"]);
    let saved = form(&server, "/audiences", &format!("{mei}\r\n"), &body);
    assert_eq!((saved.status, saved.header("location")), (303, Some("/audiences")), "{}", saved.body);
    let seen = page("/audiences", &vic);
    assert!(seen.contains(">gold</a>") && seen.contains("mei, ") && !seen.contains("Delete"), "{seen}");
    assert!(!page("/customers?tier=gold", &vic).contains("name=\"filter\""));
    let form_of = |who: &str, token: &str| {
        form(&server, "/audiences/delete", &format!("{who}\r\n"), &format!("name=gold&csrf={token}"))
    };
    assert_eq!(form_of(&mei, token).status, 303);
    assert!(page("/audiences", &vic).contains("None is saved yet"));
}

#[test]
fn where_nobody_logs_in_a_form_of_another_site_saves_nothing() {
    let shop = Shop::new();
    results_into(&Shop::place(&shop.root(), "shop"));
    let server = shop.serve();
    let send = |from: &str| {
        let body = "name=gold&filter=tier%3Dgold";
        server.send(
            format!(
                "POST /audiences HTTP/1.1\r\nhost: localhost\r\n{from}\r\ncontent-type: application/x-www-form-urlencoded\r\n\
                 content-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            )
            .as_bytes(),
        )
    };
    send("origin: https://evil.example").is_problem(403, "foreign-page", &[]);
    send("sec-fetch-site: cross-site").is_problem(403, "foreign-page", &[]);
    assert_eq!(server.get("/v1/audiences").json()["audiences"], serde_json::json!([]));
    assert_eq!(send("origin: http://localhost").status, 303);
}
