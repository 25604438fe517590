//! Every route and who may ask it, once more and in full: whoever adds a route writes here who it is for.

use axum::http::Request;
use axum::http::request::Parts;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use guike_core::Day;
use guike_guard::{Keyring, Role, Scope, TokenRules};
use ring::signature::{Ed25519KeyPair, KeyPair as _};

use super::*;
use crate::access::{Access, COOKIE};
use crate::bearers::{Bearers, Tokens};
use crate::keyfile::Keys;
use crate::people::People;

/// `V`iewer, a`N`alyst, `M`arketer, a`G`ent, `A`dmin, a`U`ditor; keys with the scopes `p`redict, `r`ead, `m`etrics, `e`vents; `*` is
/// everybody, with or without a name.
const WHO_MAY: &str = "
    POST /predict                                     NMGA p
    GET  /health                                      *
    GET  /ready                                       *
    GET  /metrics                                     A m
    GET  /openapi.json                                *
    GET  /v1/models                                   VNMAU r
    GET  /v1/models/{name}                            VNMAU r
    POST /v1/models/{name}/batch                      NMA p
    POST /v1/events                                   A e
    GET  /v1/jobs                                     VNMAU r
    POST /v1/jobs                                     NA
    GET  /v1/jobs/{job}                               VNMAU r
    POST /v1/jobs/{job}/cancel                        NA
    GET  /v1/users                                    AU
    POST /v1/users                                    A
    POST /v1/users/{name}                             A
    GET  /v1/keys                                     AU
    POST /v1/keys                                     A
    POST /v1/keys/{name}/revoke                       A
    GET  /v1/audit                                    AU
    GET  /v1/drift                                    VNMGA r
    GET  /v1/summary                                  VNMGA r
    GET  /v1/tiers                                    VNMGA r
    GET  /v1/customers                                VNMGA r
    GET  /v1/customers/export                         NMA r
    GET  /v1/customers/{id}                           VNMGA r
    GET  /v1/audiences                                VNMGA r
    POST /v1/audiences                                MA
    GET  /v1/audiences/{name}                         VNMGA r
    DELETE /v1/audiences/{name}                       MA
    GET  /v1/customers/{id}/history                   VNMGA r
    GET  /v1/customers/{id}/explanation               VNMGA r
    GET  /v2                                          VNMAU r
    GET  /v2/health/live                              *
    GET  /v2/health/ready                             *
    GET  /v2/models/{name}                            VNMAU r
    GET  /v2/models/{name}/ready                      VNMAU r
    POST /v2/models/{name}/infer                      NMGA p
    GET  /v2/models/{name}/versions/{version}         VNMAU r
    GET  /v2/models/{name}/versions/{version}/ready   VNMAU r
    POST /v2/models/{name}/versions/{version}/infer   NMGA p
    GET  /v1/models/{name}/versions                   VNMAU r
    GET  /v1/models/{name}/versions/{version}/model.json VNMAU r
    DELETE /v1/models/{name}/versions/{version}       NA
    GET  /v1/runs                                     VNMAU r
    GET  /login                                       *
    POST /login                                       *
    POST /logout                                      *
    GET  /setup                                       *
    POST /setup                                       *
    GET  /login.css                                   *
    GET  /login/oidc                                  *
    GET  /login/oidc/back                             *
    GET  /login/oidc/out                              *
    GET  /                                            VNMGA r
    GET  /customers                                   VNMGA r
    GET  /customers/{id}                              VNMGA r
    GET  /customers/{id}/why                          VNMGA r
    GET  /customers.csv                               NMA r
    GET  /customers.xlsx                              NMA r
    GET  /customers.parquet                           NMA r
    GET  /audiences                                   VNMGA r
    POST /audiences                                   MA
    POST /audiences/delete                            MA
    GET  /tiers                                       VNMGA r
    GET  /rfm                                         VNMGA r
    GET  /rfm.csv                                     NMA r
    GET  /rfm.xlsx                                    NMA r
    GET  /rfm.parquet                                 NMA r
    GET  /quality                                     VNMGA r
    GET  /explain                                     VNMGA r
    GET  /retention                                   VNMGA r
    GET  /drift                                       VNMGA r
    GET  /models                                      VNMAU r
    GET  /models/{name}                               VNMAU r
    POST /models/{name}                               NMGA p
    GET  /jobs                                        VNMAU r
    POST /jobs                                        NA
    POST /jobs/train                                  NA
    GET  /admin                                       AU
    POST /admin/users                                 A
    POST /admin/keys                                  A
    GET  /assets/{file}                               *
";

/// The letters of the roles.
const ROLES: [char; 6] = ['V', 'N', 'M', 'G', 'A', 'U'];
const PASSWORD: &str = "correct horse battery";

/// Who asks: the letter of the table (or what is wrong with the credential), and the header that says it.
struct Asker {
    letter: char,
    header: Option<(&'static str, String)>,
}

/// Tokens of every role, a role that there is not, and somebody else's; and what believes them.
fn bearers(folder: &std::path::Path) -> (Bearers, Vec<Asker>) {
    let encoded = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let [ours, other] = [1, 2].map(|seed| Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).expect("a key"));
    let keys = folder.join("jwks.json");
    let key = json!({ "kty": "OKP", "crv": "Ed25519", "x": encoded(ours.public_key().as_ref()) });
    std::fs::write(&keys, json!({ "keys": [key] }).to_string()).expect("written");
    let token = |pair: &Ed25519KeyPair, role: &str| {
        let claims = json!({ "iss": "i", "aud": "a", "sub": "crm", "exp": u32::MAX, "role": role });
        let text = format!("{}.{}", encoded(br#"{"alg":"EdDSA"}"#), encoded(claims.to_string().as_bytes()));
        format!("Bearer {text}.{}", encoded(pair.sign(text.as_bytes()).as_ref()))
    };
    let roles = Role::ALL.into_iter().zip(ROLES).map(|(role, letter)| (letter, token(&ours, role.name())));
    let wrong = [('w', token(&ours, "root")), ('w', token(&other, "admin"))];
    let asker = |(letter, token)| Asker { letter, header: Some(("authorization", token)) };
    let rules = TokenRules { issuer: "i".into(), audience: "a".into(), role_claim: "role".into() };
    (Bearers::open(Tokens { keys, rules }).expect("opened"), roles.chain(wrong).map(asker).collect())
}

/// Access with a user of every role who is logged in, a token of every role and a key of every scope; and everybody who may
/// come.
fn everybody(folder: &std::path::Path) -> (Access, Vec<Asker>) {
    let file = folder.join("users.json");
    let mut users = guike_guard::Users::default();
    for (i, role) in Role::ALL.into_iter().enumerate() {
        users.add(role.name(), role, PASSWORD, Day(1), [i as u8; 16]).expect("added");
    }
    std::fs::write(&file, users.to_text()).expect("written");
    let mut keyring = Keyring::default();
    let mut key = |name: &str, scopes: &[Scope], expires, random| {
        keyring.add(name, scopes, Day(1), expires, [random; 32]).expect("added").reveal().to_owned()
    };
    let bearer = |key: String| Some(("authorization", format!("Bearer {key}")));
    let mut askers: Vec<Asker> = Scope::ALL
        .into_iter()
        .zip(['p', 'r', 'm', 'e'])
        .map(|(scope, letter)| Asker { letter, header: bearer(key(scope.name(), &[scope], None, letter as u8)) })
        .collect();
    askers.push(Asker { letter: 'x', header: bearer(key("over", &Scope::ALL, Some(Day(2)), 1)) });
    askers.push(Asker { letter: 'w', header: bearer("guike_0000".to_owned()) });
    askers.push(Asker { letter: 'w', header: Some(("cookie", format!("{COOKIE}={}", "0".repeat(64)))) });
    askers.push(Asker { letter: '-', header: None });
    let people = People::open(Some(file), None, false).expect("opened");
    for (role, letter) in Role::ALL.into_iter().zip(ROLES) {
        let from = std::net::IpAddr::from([127, 0, 0, 1]);
        let (session, _) = people.log_in(role.name(), PASSWORD, from).expect("logged in");
        askers.push(Asker { letter, header: Some(("cookie", format!("{COOKIE}={}", session.reveal()))) });
    }
    let (bearers, with_tokens) = bearers(folder);
    askers.extend(with_tokens);
    let access = Access::new(Some(Keys::new(keyring, None, None)), Some(people), false, None);
    (access.believing(Some(Arc::new(bearers))), askers)
}

fn request(asker: &Asker) -> Parts {
    let mut request = Request::builder().header("host", "guike.example");
    if let Some((name, value)) = &asker.header {
        request = request.header(*name, value);
    }
    request.body(()).expect("a request").into_parts().0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn every_route_answers_to_those_who_are_listed_here_and_to_nobody_else() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (access, askers) = everybody(folder.path());
    let mut lines: Vec<Vec<&str>> =
        WHO_MAY.lines().map(|l| l.split_whitespace().collect()).filter(|l: &Vec<_>| !l.is_empty()).collect();
    for route in &ROUTES {
        let at = lines.iter().position(|l| l[..2] == [route.method.as_str(), route.path]);
        let at = at.unwrap_or_else(|| panic!("say in WHO_MAY who may ask {} {}", route.method.as_str(), route.path));
        let letters = lines.remove(at)[2..].concat();
        for asker in &askers {
            let said = access.admit(&request(asker), route.needs);
            let is_listed = letters == "*" || letters.contains(asker.letter);
            let place = format!("{} {} for {}", route.method.as_str(), route.path, asker.letter);
            assert_eq!(said.is_ok(), is_listed, "{place}");
            if let Err(problem) = said {
                let expected = if matches!(asker.letter, 'x' | 'w' | '-') { 401 } else { 403 };
                assert_eq!(problem.status(), expected, "{place}");
            }
        }
    }
    assert!(lines.is_empty(), "no such routes: {lines:?}");
}

#[test]
fn every_operation_of_the_description_is_a_route_of_the_table_and_the_other_way_round() {
    let document: Value =
        serde_json::from_str(include_str!("../../../../docs/openapi.json")).expect("docs/openapi.json is JSON");
    let mut described: Vec<(String, String)> = Vec::new();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for (method, operation) in methods.as_object().expect("methods") {
            let is_open = operation["security"].as_array().is_some_and(Vec::is_empty);
            let route = ROUTES.iter().find(|r| r.path == path && r.method.as_str().eq_ignore_ascii_case(method));
            let route = route.unwrap_or_else(|| panic!("{method} {path} is described and not there"));
            assert_eq!(is_open, route.needs.is_none(), "{method} {path}");
            described.push((method.to_uppercase(), path.clone()));
        }
    }
    let for_programs = ROUTES.iter().filter(|r| !r.is_page).count();
    assert_eq!(described.len(), for_programs);
}
