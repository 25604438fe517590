//! Tokens that a company's identity provider signs (JSON Web Tokens, RFC 7519), and whom they make of a program.
//!
//! The one idea: a token is believed when every one of a fixed list of things holds, in a fixed order with the signature
//! before anything that is said, and otherwise nobody learns which did not. Everything that may hold or not is required:
//! what a token leaves out is not taken for granted.

use serde::Deserialize;
use serde_json::Value;

use crate::hash::{fits_name, hexadecimal, sha256};
use crate::jwks::{TokenKeys, decoded};
use crate::roles::Role;

/// Bytes of the longest token that is looked at.
const LONGEST: usize = 8 * 1024;
/// Bytes of the longest subject.
const LONGEST_SUBJECT: usize = 255;
/// Seconds by which the clocks of two machines may differ.
const LEEWAY: f64 = 60.0;
/// What a token may say that it is; others are made for other purposes.
const KINDS: [&str; 3] = ["jwt", "at+jwt", "application/at+jwt"];

/// Which tokens are for this server, and where they say what their owner may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRules {
    /// Who must have issued them (`iss`), letter by letter.
    pub issuer: String,
    /// For whom they must be (`aud`): the name of this server at the issuer.
    pub audience: String,
    /// The claim that names the role, as a text or a list; `realm_access.roles` is one within another.
    pub role_claim: String,
}

/// Whom a token makes of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bearer {
    /// Its subject where that is a name as ours are; otherwise `sub~` and the beginning of the subject's SHA-256, so that no
    /// address of a person comes to stand in a log.
    pub name: String,
    /// What it may do.
    pub role: Role,
}

/// Why a token is not believed: for the log of the server, never for who sent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenFault {
    /// It is no token, or too long for one.
    Form,
    /// No key has its name, or the key is for another algorithm.
    Key,
    /// It was not signed with the key.
    Signature,
    /// Somebody else issued it.
    Issuer,
    /// It is for somebody else.
    Audience,
    /// It has no end, has ended, or has not begun.
    Time,
    /// It does not say whose it is.
    Subject,
    /// It names none of our roles, or several.
    Role,
    /// It was not made for the login that began here (`nonce`).
    Nonce,
    /// It was given to another program (`azp`).
    Party,
    /// It does not belong to the access token that came with it (`at_hash`).
    AccessToken,
}

impl TokenFault {
    /// In a word.
    pub fn name(self) -> &'static str {
        match self {
            TokenFault::Form => "form",
            TokenFault::Key => "key",
            TokenFault::Signature => "signature",
            TokenFault::Issuer => "issuer",
            TokenFault::Audience => "audience",
            TokenFault::Time => "time",
            TokenFault::Subject => "subject",
            TokenFault::Role => "role",
            TokenFault::Nonce => "nonce",
            TokenFault::Party => "party",
            TokenFault::AccessToken => "access-token",
        }
    }
}

#[derive(Deserialize)]
struct Head {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    /// What must be understood to believe it; we understand nothing of that kind.
    crit: Option<Value>,
}

impl TokenKeys {
    /// Who this token is, at this second since 1970.
    ///
    /// # Errors
    /// [`TokenFault`], the first thing that does not hold.
    ///
    /// # Source
    /// RFC 7519, section 7.2, with the advice of RFC 8725; checked against forged tokens in `tests/http/tokens.rs` of the
    /// server.
    pub fn check(&self, token: &str, rules: &TokenRules, now: u64) -> Result<Bearer, TokenFault> {
        let (claims, _) = self.claims(token, LONGEST, &KINDS)?;
        rules.bearer(&claims, now)
    }

    /// What a token of at most so many bytes and one of these kinds says, with the algorithm that signed it.
    pub(crate) fn claims(
        &self,
        token: &str,
        longest: usize,
        kinds: &[&str],
    ) -> Result<(Value, &'static str), TokenFault> {
        if token.len() > longest {
            return Err(TokenFault::Form);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(TokenFault::Form)?;
        let (head, claims) = signed.split_once('.').ok_or(TokenFault::Form)?;
        // a fourth part would be a point in the third, which base64 does not have
        let part = |text: &str| decoded(text).ok_or(TokenFault::Form);
        let head: Head = serde_json::from_slice(&part(head)?).map_err(|_| TokenFault::Form)?;
        let is_kind = head.typ.as_ref().is_none_or(|t| kinds.contains(&t.to_ascii_lowercase().as_str()));
        if head.crit.is_some() || !is_kind {
            return Err(TokenFault::Form);
        }
        let key = self.find(head.kid.as_deref()).filter(|key| key.algorithm() == head.alg).ok_or(TokenFault::Key)?;
        if !key.signed(signed.as_bytes(), &part(signature)?) {
            return Err(TokenFault::Signature);
        }
        let claims = serde_json::from_slice(&part(claims)?).map_err(|_| TokenFault::Form)?;
        Ok((claims, key.algorithm()))
    }
}

impl TokenRules {
    /// Whom the claims of a token make, whose signature is good.
    fn bearer(&self, claims: &Value, now: u64) -> Result<Bearer, TokenFault> {
        let name = name(claims, (&self.issuer, &self.audience), now)?;
        let mut roles: Vec<Role> =
            texts(claim(claims, &self.role_claim)).filter_map(|name| name.parse().ok()).collect();
        roles.sort_unstable();
        roles.dedup();
        // several may exclude each other, as who acts and who audits do
        let [role] = roles[..] else { return Err(TokenFault::Role) };
        Ok(Bearer { name, role })
    }
}

/// By what name whoever these claims are about is known, where they are from this issuer, for this audience and in force.
pub(crate) fn name(claims: &Value, (issuer, audience): (&str, &str), now: u64) -> Result<String, TokenFault> {
    if claims["iss"].as_str() != Some(issuer) {
        return Err(TokenFault::Issuer);
    }
    if !texts(&claims["aud"]).any(|aud| aud == audience) {
        return Err(TokenFault::Audience);
    }
    let now = now as f64;
    let ends = claims["exp"].as_f64().ok_or(TokenFault::Time)?;
    let has_begun = |name: &str| match &claims[name] {
        Value::Null => true,
        moment => moment.as_f64().is_some_and(|begin| begin <= now + LEEWAY),
    };
    if now >= ends + LEEWAY || !has_begun("nbf") || !has_begun("iat") {
        return Err(TokenFault::Time);
    }
    let subject = claims["sub"].as_str().filter(|s| !s.is_empty() && s.len() <= LONGEST_SUBJECT);
    let subject = subject.ok_or(TokenFault::Subject)?;
    Ok(match fits_name(subject) {
        true => subject.to_owned(),
        false => format!("sub~{}", &hexadecimal(&sha256(&[subject.as_bytes()]))[..16]),
    })
}

/// The claim of this name, or along its points.
pub(crate) fn claim<'a>(claims: &'a Value, name: &str) -> &'a Value {
    match claims.get(name) {
        Some(claim) => claim,
        None => name.split('.').fold(claims, |at, part| at.get(part).unwrap_or(&Value::Null)),
    }
}

/// A text, or the texts of a list.
pub(crate) fn texts(value: &Value) -> impl Iterator<Item = &str> {
    let list = value.as_array().map(Vec::as_slice).unwrap_or_else(|| std::slice::from_ref(value));
    list.iter().filter_map(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const NOW: u64 = 1_800_000_000;

    fn of(claim: &str, change: impl FnOnce(&mut Value)) -> Result<Bearer, TokenFault> {
        let rules =
            TokenRules { issuer: "https://id.example".into(), audience: "guike".into(), role_claim: claim.into() };
        let mut claims = json!({
            "iss": "https://id.example", "aud": ["other", "guike"], "exp": NOW + 300, "nbf": NOW, "sub": "crm",
            "roles": ["offline_access", "analyst"], "realm_access": { "roles": ["viewer"] }, "a.b": "agent",
        });
        change(&mut claims);
        rules.bearer(&claims, NOW)
    }

    #[test]
    fn a_role_is_found_where_the_rules_say() {
        for (claim, role) in [("roles", Role::Analyst), ("realm_access.roles", Role::Viewer), ("a.b", Role::Agent)] {
            assert_eq!(of(claim, |_| ()), Ok(Bearer { name: "crm".to_owned(), role }));
        }
        for claim in ["none", "realm_access", "realm_access.roles.0", "exp", ""] {
            assert_eq!(of(claim, |_| ()), Err(TokenFault::Role), "{claim}");
        }
        for roles in [json!(["viewer", "admin"]), json!([]), json!("Admin"), json!("admin viewer"), json!([["admin"]])]
        {
            assert_eq!(of("roles", |c| c["roles"] = roles.clone()), Err(TokenFault::Role), "{roles}");
        }
        assert!(of("roles", |c| c["roles"] = json!(["admin", "admin"])).is_ok());
    }

    #[test]
    fn whatever_is_missing_or_not_in_force_is_refused() {
        type Change = fn(&mut Value);
        let cases: [(Change, Option<TokenFault>); 16] = [
            (|c| c["iss"] = json!("https://id.example/"), Some(TokenFault::Issuer)),
            (|c| c["iss"] = Value::Null, Some(TokenFault::Issuer)),
            (|c| c["aud"] = json!("guike2"), Some(TokenFault::Audience)),
            (|c| c["aud"] = json!([]), Some(TokenFault::Audience)),
            (|c| c["aud"] = json!("guike"), None),
            (|c| c["exp"] = Value::Null, Some(TokenFault::Time)),
            (|c| c["exp"] = json!("1800000300"), Some(TokenFault::Time)),
            (|c| c["exp"] = json!(NOW - 60), Some(TokenFault::Time)),
            (|c| c["exp"] = json!(NOW - 59), None),
            (|c| c["nbf"] = json!(NOW + 61), Some(TokenFault::Time)),
            (|c| c["nbf"] = json!(NOW + 60), None),
            (|c| c["iat"] = json!("soon"), Some(TokenFault::Time)),
            (|c| c["iat"] = json!(NOW + 3600), Some(TokenFault::Time)),
            (|c| c["sub"] = json!(""), Some(TokenFault::Subject)),
            (|c| c["sub"] = json!(7), Some(TokenFault::Subject)),
            (|c| *c = json!(7), Some(TokenFault::Issuer)),
        ];
        for (at, (change, fault)) in cases.into_iter().enumerate() {
            assert_eq!(of("roles", change).err(), fault, "{at}");
        }
    }

    #[test]
    fn an_address_of_a_person_is_no_name() {
        let name = of("roles", |c| c["sub"] = json!("mei@shop.example")).expect("believed").name;
        // printf %s mei@shop.example | sha256sum | cut -c1-16
        assert_eq!(name, "sub~0285a2237a8215da");
        assert!(name.len() == 20 && !name.contains("mei"));
    }
}
