//! Every route and who may ask it, once more and in full: whoever adds a route writes here who it is for.

use axum::http::Request;
use axum::http::request::Parts;
use guike_core::Day;
use guike_guard::{Keyring, Rights, Role, Scope};

use super::*;
use crate::access::Access;

/// `V`iewer, a`N`alyst, `M`arketer, a`G`ent, `A`dmin, a`U`ditor; keys with the scopes `p`redict, `r`ead, `m`etrics; `*` is
/// everybody, with or without a name.
const WHO_MAY: &str = "
    POST /predict                                     NMGA p
    GET  /health                                      *
    GET  /ready                                       *
    GET  /metrics                                     A m
    GET  /openapi.json                                *
    GET  /v1/models                                   VNMAU r
    GET  /v1/models/{name}                            VNMAU r
    GET  /v1/models/{name}/versions                   VNMAU r
    GET  /v1/runs                                     VNMAU r
    GET  /v1/summary                                  VNMGA r
    GET  /v1/tiers                                    VNMGA r
    GET  /v1/customers                                VNMGA r
    GET  /v1/customers/{id}                           VNMGA r
    GET  /v2                                          VNMAU r
    GET  /v2/health/live                              *
    GET  /v2/health/ready                             *
    GET  /v2/models/{name}                            VNMAU r
    GET  /v2/models/{name}/ready                      VNMAU r
    POST /v2/models/{name}/infer                      NMGA p
    GET  /v2/models/{name}/versions/{version}         VNMAU r
    GET  /v2/models/{name}/versions/{version}/ready   VNMAU r
    POST /v2/models/{name}/versions/{version}/infer   NMGA p
";

fn request(key: Option<&str>) -> Parts {
    let mut request = Request::builder().header("host", "guike.example");
    if let Some(key) = key {
        request = request.header("authorization", format!("Bearer {key}"));
    }
    request.body(()).expect("a request").into_parts().0
}

#[test]
fn every_route_answers_to_those_who_are_listed_here_and_to_nobody_else() {
    let mut keyring = Keyring::default();
    let mut key = |name: &str, scopes: &[Scope], expires, random| {
        keyring.add(name, scopes, Day(1), expires, [random; 32]).expect("added").reveal().to_owned()
    };
    let mut keys: Vec<(char, Option<String>)> = Scope::ALL
        .into_iter()
        .zip(['p', 'r', 'm'])
        .map(|(scope, letter)| (letter, Some(key(scope.name(), &[scope], None, letter as u8))))
        .collect();
    // out of force, wrong, and none
    keys.push(('x', Some(key("over", &Scope::ALL, Some(Day(2)), 1))));
    keys.push(('w', Some("guike_0000".to_owned())));
    keys.push(('-', None));
    let access = Access::new(Some(keyring), false, None);
    let mut lines: Vec<Vec<&str>> =
        WHO_MAY.lines().map(|l| l.split_whitespace().collect()).filter(|l: &Vec<_>| !l.is_empty()).collect();
    for route in &ROUTES {
        let name = format!("{} {}", route.method.as_str(), route.path);
        let at = lines.iter().position(|l| l[..2] == [route.method.as_str(), route.path]);
        let letters = lines.remove(at.unwrap_or_else(|| panic!("say in WHO_MAY who may ask {name}")))[2..].concat();
        for (letter, key) in &keys {
            let said = access.admit(&request(key.as_deref()), route.needs);
            assert_eq!(said.is_ok(), letters == "*" || letters.contains(*letter), "{name} for {letter}");
            if let Err(problem) = said {
                let expected = if matches!(letter, 'x' | 'w' | '-') { 401 } else { 403 };
                assert_eq!(problem.status(), expected, "{name} for {letter}");
            }
        }
        for (role, letter) in Role::ALL.into_iter().zip(['V', 'N', 'M', 'G', 'A', 'U']) {
            let may = route.needs.is_none_or(|(resource, action)| Rights::of_role(role).allow(resource, action));
            assert_eq!(may, letters == "*" || letters.contains(letter), "{name} for {letter}");
        }
    }
    assert!(lines.is_empty(), "no such routes: {lines:?}");
}

#[test]
fn every_operation_of_the_description_is_a_route_and_open_where_the_route_is() {
    let document: Value =
        serde_json::from_str(include_str!("../../../../docs/openapi.json")).expect("docs/openapi.json is JSON");
    let mut n = 0;
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for (method, operation) in methods.as_object().expect("methods") {
            let route = ROUTES.iter().find(|r| r.path == path && r.method.as_str().eq_ignore_ascii_case(method));
            let route = route.unwrap_or_else(|| panic!("{method} {path} is described and not there"));
            let is_open = operation["security"].as_array().is_some_and(Vec::is_empty);
            assert_eq!(is_open, route.needs.is_none(), "{method} {path}");
            n += 1;
        }
    }
    assert_eq!(n, ROUTES.len());
}
