//! Persons of whom a company's identity provider tells after they have logged in there (ID tokens of OpenID Connect).
//!
//! The one idea: what holds for every other token must hold here, and then that the token was made for this login and for
//! nobody else. Which role that gives is not what the token says, but what a table makes of it; whatever is not in the table
//! gives none.

use ring::digest::{SHA256, SHA512, digest};
use serde_json::Value;
use subtle::ConstantTimeEq as _;

use crate::jwks::{TokenKeys, decoded};
use crate::roles::Role;
use crate::tokens::{TokenFault, claim, name, texts};

/// Bytes of the longest ID token: two hundred groups, as many as providers write, take about 12 KiB.
const LONGEST: usize = 32 * 1024;
/// What an ID token may say that it is; one for a resource (`at+jwt`) is none.
const KINDS: [&str; 1] = ["jwt"];
/// What stands before the name of who logged in elsewhere: no user of ours has a `~` in her name.
const ELSEWHERE: &str = "oidc~";

/// Which ID tokens are for this server, and what they make of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdRules {
    /// Who must have issued them (`iss`), letter by letter.
    pub issuer: String,
    /// For whom they must be (`aud`): the client id of this server at the issuer.
    pub client: String,
    /// The claim that tells roles or groups, as a text or a list; `realm_access.roles` is one within another.
    pub role_claim: String,
    /// Which of its values give which role.
    pub roles: Vec<(String, Role)>,
}

/// What was asked, and came with the token.
#[derive(Debug, Clone, Copy)]
pub struct Answered<'a> {
    /// What the login was begun with.
    pub nonce: &'a str,
    /// The access token that came along, of which the ID token may tell a hash.
    pub access_token: Option<&'a str>,
}

/// Who logged in elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// `oidc~` and the subject, where that is a name as ours are; otherwise `oidc~sub~` and the beginning of its SHA-256.
    pub name: String,
    /// What she may do; `None` where her claims give no role, or several.
    pub role: Option<Role>,
}

impl TokenKeys {
    /// Whom this ID token tells of, at this second since 1970.
    ///
    /// # Errors
    /// [`TokenFault`], the first thing that does not hold. That there is no role for her is no error: she is known.
    ///
    /// # Source
    /// OpenID Connect Core 1.0, sections 3.1.3.7 and 3.1.3.8; checked against forged tokens in `tests/http/oidc` of the
    /// server.
    pub fn person(&self, token: &str, rules: &IdRules, answered: Answered<'_>, now: u64) -> Result<Person, TokenFault> {
        let (claims, algorithm) = self.claims(token, LONGEST, &KINDS)?;
        rules.person(&claims, algorithm, answered, now)
    }
}

impl IdRules {
    fn person(&self, claims: &Value, algorithm: &str, answered: Answered<'_>, now: u64) -> Result<Person, TokenFault> {
        let name = name(claims, (&self.issuer, &self.client), now)?;
        // of several for whom it is, one asked for it; and who asked must be us
        let is_for_several = texts(&claims["aud"]).count() > 1;
        match &claims["azp"] {
            Value::Null if !is_for_several => {}
            Value::String(party) if *party == self.client => {}
            _ => return Err(TokenFault::Party),
        }
        let nonce = claims["nonce"].as_str().unwrap_or_default();
        if answered.nonce.is_empty() || !bool::from(nonce.as_bytes().ct_eq(answered.nonce.as_bytes())) {
            return Err(TokenFault::Nonce);
        }
        match (&claims["at_hash"], answered.access_token) {
            (Value::Null, _) => {}
            (Value::String(hash), Some(token)) if decoded(hash) == Some(half_hash(algorithm, token)) => {}
            _ => return Err(TokenFault::AccessToken),
        }
        let given = texts(claim(claims, &self.role_claim));
        let mut roles: Vec<Role> =
            given.flat_map(|value| self.roles.iter().filter(move |r| r.0 == value).map(|r| r.1)).collect();
        roles.sort_unstable();
        roles.dedup();
        // several may exclude each other, as who acts and who audits do
        let role = if let [role] = roles[..] { Some(role) } else { None };
        Ok(Person { name: format!("{ELSEWHERE}{name}"), role })
    }
}

/// The left half of a token's hash, by the hash that belongs to the algorithm: SHA-512 is Ed25519's own.
fn half_hash(algorithm: &str, token: &str) -> Vec<u8> {
    let hash = digest(if algorithm == "EdDSA" { &SHA512 } else { &SHA256 }, token.as_bytes());
    hash.as_ref()[..hash.as_ref().len() / 2].to_vec()
}

/// Whether this is the name of who logged in elsewhere.
///
/// # Example
/// ```
/// assert!(guike_guard::is_from_elsewhere("oidc~mei") && !guike_guard::is_from_elsewhere("mei"));
/// ```
pub fn is_from_elsewhere(name: &str) -> bool {
    name.starts_with(ELSEWHERE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const NOW: u64 = 1_800_000_000;

    fn of(change: impl FnOnce(&mut Value)) -> Result<Person, TokenFault> {
        let role = |value: &str, role| (value.to_owned(), role);
        let rules = IdRules {
            issuer: "https://id.example".into(),
            client: "guike".into(),
            role_claim: "realm_access.roles".into(),
            roles: vec![
                role("shop-analysts", Role::Analyst),
                role("shop-heads", Role::Admin),
                role("a=b", Role::Admin),
            ],
        };
        let mut claims = json!({
            "iss": "https://id.example", "aud": "guike", "exp": NOW + 300, "iat": NOW, "sub": "mei", "nonce": "n1",
            "realm_access": { "roles": ["offline_access", "shop-analysts"] },
        });
        change(&mut claims);
        rules.person(
            &claims,
            "RS256",
            Answered { nonce: "n1", access_token: Some("jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y") },
            NOW,
        )
    }

    #[test]
    fn a_role_is_what_the_table_makes_of_the_claim_and_nothing_else() {
        let role = |roles: Value| of(|c| c["realm_access"]["roles"] = roles).map(|p| p.role);
        assert_eq!(of(|_| ()), Ok(Person { name: "oidc~mei".to_owned(), role: Some(Role::Analyst) }));
        assert_eq!(role(json!("a=b")), Ok(Some(Role::Admin)));
        assert_eq!(role(json!(["shop-heads", "a=b"])), Ok(Some(Role::Admin)), "two values may give one role");
        for none in [json!(["admin"]), json!("admin"), json!([]), Value::Null, json!(["shop-heads", "shop-analysts"])] {
            assert_eq!(role(none.clone()), Ok(None), "{none}");
        }
    }

    #[test]
    fn a_token_for_another_login_or_another_program_is_refused() {
        type Change = fn(&mut Value);
        let cases: [(Change, Option<TokenFault>); 13] = [
            (|c| c["nonce"] = json!("n2"), Some(TokenFault::Nonce)),
            (|c| c["nonce"] = json!(""), Some(TokenFault::Nonce)),
            (|c| c["nonce"] = Value::Null, Some(TokenFault::Nonce)),
            (|c| c["aud"] = json!(["guike", "other"]), Some(TokenFault::Party)),
            (|c| (c["aud"], c["azp"]) = (json!(["guike", "other"]), json!("guike")), None),
            (|c| (c["aud"], c["azp"]) = (json!(["guike", "other"]), json!("other")), Some(TokenFault::Party)),
            (|c| c["azp"] = json!("other"), Some(TokenFault::Party)),
            (|c| c["aud"] = json!("other"), Some(TokenFault::Audience)),
            (|c| c["iss"] = json!("https://id.example/"), Some(TokenFault::Issuer)),
            (|c| c["exp"] = json!(NOW - 60), Some(TokenFault::Time)),
            (|c| c["sub"] = Value::Null, Some(TokenFault::Subject)),
            // the example of OpenID Connect Core 1.0, appendix A.3
            (|c| c["at_hash"] = json!("77QmUPtjPfzWtF2AnpK9RQ"), None),
            (|c| c["at_hash"] = json!("77QmUPtjPfzWtF2AnpK9RA"), Some(TokenFault::AccessToken)),
        ];
        for (at, (change, fault)) in cases.into_iter().enumerate() {
            assert_eq!(of(change).err(), fault, "{at}");
        }
    }

    #[test]
    fn an_address_of_a_person_is_no_name_and_no_user_of_ours_is_meant() {
        // printf %s mei@shop.example | sha256sum | cut -c1-16
        assert_eq!(
            of(|c| c["sub"] = json!("mei@shop.example")).map(|p| p.name),
            Ok("oidc~sub~0285a2237a8215da".to_owned())
        );
        let mut users = crate::Users::default();
        let taken = users.add("oidc~mei", Role::Admin, "a long sentence is easy", guike_core::Day(1), [1; 16]);
        assert!(taken.is_err(), "a user of ours may not be called so");
    }
}
