//! What an identity provider says about itself: where to send browsers, where to ask, and the keys with which it signs.
//!
//! The one idea: it is read when the first person wants to log in and believed for ten minutes; a key that is not known
//! then is looked for once more, but not more often than every half minute, so that forged tokens make nobody ask. A
//! description that does not fit in every point is none.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use guike_guard::TokenKeys;
use serde_json::Value;

use super::fetch::{Fetcher, Place, Question};
use super::trouble::Trouble;

/// How long a description and keys are believed.
const FRESH: Duration = Duration::from_secs(600);
/// How often keys are looked for because a token names one that is not known.
const AGAIN: Duration = Duration::from_secs(30);
/// After a failure nobody asks for so long: everybody gets the same words.
const AFTER_TROUBLE: Duration = Duration::from_millis(500);

/// How this server shows who it is when it asks for tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Showing {
    /// In the header `authorization`.
    Basic,
    /// In the form.
    Post,
    /// By its name alone.
    Nothing,
}

/// What is known of the provider.
#[derive(Debug)]
pub(super) struct Known {
    /// Where browsers go.
    pub(super) authorize: String,
    /// Where tokens come from.
    pub(super) token: Place,
    /// Where browsers log out, if anywhere.
    pub(super) end: Option<String>,
    pub(super) showing: Showing,
    /// Whether it always says in the answer that it is the one who answers (RFC 9207).
    pub(super) says_issuer: bool,
    pub(super) keys: TokenKeys,
    jwks: Place,
    read: Instant,
    /// When keys were looked for once more.
    again: Option<Instant>,
}

/// The provider.
#[derive(Debug)]
pub(super) struct Provider {
    issuer: String,
    has_secret: bool,
    fetcher: Fetcher,
    known: RwLock<Option<Arc<Known>>>,
    /// The last failure.
    trouble: Mutex<Option<(Instant, Trouble)>>,
    /// Held by who asks, so that all others wait for the same answer.
    turn: tokio::sync::Mutex<()>,
}

impl Provider {
    pub(super) fn new(issuer: String, has_secret: bool, fetcher: Fetcher) -> Provider {
        Provider {
            issuer,
            has_secret,
            fetcher,
            known: RwLock::default(),
            trouble: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
        }
    }

    /// What is known and still believed.
    fn fresh(&self) -> Option<Arc<Known>> {
        self.last().filter(|known| known.read.elapsed() < FRESH)
    }

    /// What was known last, however long ago.
    pub(super) fn last(&self) -> Option<Arc<Known>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn keep(&self, known: Known) -> Arc<Known> {
        let known = Arc::new(known);
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&known));
        known
    }

    /// What the provider says about itself, asked for where nothing is known or too long ago.
    pub(super) async fn known(&self) -> Result<Arc<Known>, Trouble> {
        if let Some(known) = self.fresh() {
            return Ok(known);
        }
        let _turn = self.turn.lock().await;
        if let Some(known) = self.fresh() {
            return Ok(known);
        }
        if let Some((at, trouble)) = *locked(&self.trouble)
            && at.elapsed() < AFTER_TROUBLE
        {
            return Err(trouble);
        }
        let read = self.read().await;
        *locked(&self.trouble) = read.as_ref().err().map(|trouble| (Instant::now(), *trouble));
        read.map(|known| self.keep(known))
    }

    /// The same with keys that were looked for just now, unless that was done a moment ago.
    pub(super) async fn with_newer_keys(&self, than: &Arc<Known>) -> Result<Arc<Known>, Trouble> {
        let _turn = self.turn.lock().await;
        let now = self.last().unwrap_or_else(|| Arc::clone(than));
        if !Arc::ptr_eq(&now, than) || now.again.is_some_and(|again| again.elapsed() < AGAIN) {
            return Ok(now);
        }
        let keys = self.keys(&now.jwks).await;
        let known = |keys| Known {
            authorize: now.authorize.clone(),
            token: now.token.clone(),
            end: now.end.clone(),
            showing: now.showing,
            says_issuer: now.says_issuer,
            keys,
            jwks: now.jwks.clone(),
            read: now.read,
            again: Some(Instant::now()),
        };
        match keys {
            Ok(keys) => Ok(self.keep(known(keys))),
            Err(trouble) => {
                self.keep(known(now.keys.clone()));
                Err(trouble)
            }
        }
    }

    async fn read(&self) -> Result<Known, Trouble> {
        let address = format!("{}/.well-known/openid-configuration", self.issuer.trim_end_matches('/'));
        let place = Place::parse(&address, true).ok_or(Trouble::Address)?;
        let said = self.ok(&place).await?;
        if said["issuer"].as_str() != Some(&self.issuer) {
            return Err(Trouble::Issuer);
        }
        // a provider that is asked over HTTPS names nothing else
        let may_be_plain = place.is_plain();
        let named = |name: &str| said[name].as_str().and_then(|text| Place::parse(text, may_be_plain));
        let needed = |name: &str| named(name).ok_or(Trouble::Address);
        let end = match &said["end_session_endpoint"] {
            Value::Null => None,
            _ => Some(needed("end_session_endpoint")?.text),
        };
        let jwks = needed("jwks_uri")?;
        let keys = self.keys(&jwks).await?;
        Ok(Known {
            authorize: needed("authorization_endpoint")?.text,
            token: needed("token_endpoint")?,
            end,
            showing: showing(&said, self.has_secret)?,
            says_issuer: said["authorization_response_iss_parameter_supported"] == true,
            keys,
            jwks,
            read: Instant::now(),
            again: None,
        })
    }

    async fn keys(&self, place: &Place) -> Result<TokenKeys, Trouble> {
        let said = self.ok(place).await?;
        let keys = TokenKeys::parse(&said.to_string()).map_err(|_| Trouble::Keys)?;
        if keys.is_empty() { Err(Trouble::Keys) } else { Ok(keys) }
    }

    async fn ok(&self, place: &Place) -> Result<Value, Trouble> {
        match self.fetcher.json(place, Question::Get).await? {
            (StatusCode::OK, said) => Ok(said),
            (status, _) => Err(Trouble::Status(status.as_u16())),
        }
    }

    /// Asks for tokens with these fields of a form.
    pub(super) async fn tokens(
        &self,
        known: &Known,
        fields: &str,
        authorization: Option<&str>,
    ) -> Result<(StatusCode, Value), Trouble> {
        self.fetcher.json(&known.token, Question::Form { fields, authorization }).await
    }
}

/// The way to show who asks that the provider knows; without a word of it, it knows the header only.
fn showing(said: &Value, has_secret: bool) -> Result<Showing, Trouble> {
    let methods = said["token_endpoint_auth_methods_supported"].as_array();
    let knows = |method: &str| match methods {
        Some(methods) => methods.iter().any(|m| m == method),
        None => method == "client_secret_basic",
    };
    match has_secret {
        true if knows("client_secret_basic") => Ok(Showing::Basic),
        true if knows("client_secret_post") => Ok(Showing::Post),
        true => Err(Trouble::Authentication),
        // many that know clients without a secret do not say so
        false => Ok(Showing::Nothing),
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_secret_is_shown_as_the_provider_says() {
        let of = |methods: Value, has_secret| {
            let said = json!({ "token_endpoint_auth_methods_supported": methods });
            showing(&said, has_secret)
        };
        assert_eq!(of(Value::Null, true), Ok(Showing::Basic));
        assert_eq!(of(json!(["private_key_jwt", "client_secret_post"]), true), Ok(Showing::Post));
        assert_eq!(of(json!(["client_secret_post", "client_secret_basic"]), true), Ok(Showing::Basic));
        assert_eq!(of(json!(["private_key_jwt"]), true), Err(Trouble::Authentication));
        assert_eq!(of(json!(["client_secret_basic"]), false), Ok(Showing::Nothing));
    }
}
