//! Persons who log in at the company's identity provider (OpenID Connect, authorization code flow with PKCE).
//!
//! The one idea: the browser is only a messenger. It carries a state out and a code back; who somebody is comes from the
//! provider itself, over a way that is verified, in a token that was made for this login (`guike-guard` checks it). Of all
//! that comes, a name and a role are kept, and no token.
//!
//! No library of OpenID Connect: `openidconnect` brings its own tokens, RSA in software and a second HTTP client, to do what
//! three questions and the tokens that are verified here anyway do.

mod door;
mod fetch;
mod provider;
mod trouble;
mod words;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use axum::http::StatusCode;
use guike::Error;
use guike_guard::{Answered, Begun, IdRules, Logins, Person, Role, Secret, TokenFault, basic};
use tokio::sync::Semaphore;

pub(crate) use door::{BACK, OIDC};
use fetch::{Fetcher, Place, origin};
use provider::{Known, Provider, Showing};
use trouble::{Trouble, standard};
pub(crate) use words::Words;

use crate::people::random;
use crate::served::encoded;
use crate::tls::is_open_to_all;

/// Seconds of the longest session, as of every other.
const LONGEST_SESSION: u32 = 12 * 3_600;
/// Questions to the provider at a time; more persons are told to come back.
const PLACES: usize = 32;
/// Letters of the longest label of the button.
const LABEL: usize = 60;
/// Bytes of the longest code.
const CODE: usize = 4 * 1024;

/// How persons log in at an identity provider.
#[derive(Debug, Clone)]
pub struct Oidc {
    /// What the provider calls itself, letter by letter: `https://id.example/realms/shop`.
    pub issuer: String,
    /// What it calls this server.
    pub client: String,
    /// With what this server shows who it is; without one it is a public client.
    pub secret: Option<ClientSecret>,
    /// Where browsers reach this server: `https://guike.example`.
    pub origin: String,
    /// Scopes that are asked for besides `openid`.
    pub scopes: Vec<String>,
    /// The claim of ID tokens that tells roles or groups; points lead into objects.
    pub role_claim: String,
    /// Which of its values give which role; whoever has none of them, or of two roles, is refused.
    pub roles: Vec<(String, Role)>,
    /// What stands on the button, 1 to 60 letters; `None` for words of our own.
    pub label: Option<String>,
    /// Certificates of the only authorities that are believed on the way there; `None` for those that browsers believe.
    pub authorities: Option<PathBuf>,
    /// Seconds after which a session is over in any case, 300 to 43,200.
    pub session_seconds: u32,
}

/// What this server shows to the provider; it does not print itself.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientSecret(String);

impl std::fmt::Debug for ClientSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl ClientSecret {
    /// This text; `None` for an empty one.
    ///
    /// # Example
    /// ```
    /// let secret = guike_server::ClientSecret::new("hunter2").unwrap();
    /// assert_eq!(format!("{secret:?}"), "***");
    /// assert!(guike_server::ClientSecret::new("").is_none());
    /// ```
    pub fn new(text: &str) -> Option<ClientSecret> {
        (!text.is_empty()).then(|| ClientSecret(text.to_owned()))
    }

    /// What stands in a file, without the end of its line.
    ///
    /// # Errors
    /// [`Error`] for a file that cannot be read, is empty, or that everybody on this machine may read.
    pub fn read(file: &Path) -> Result<ClientSecret, Error> {
        let refused = |reason: String| Error::ConfigFile { path: file.to_owned(), reason };
        let text = std::fs::read_to_string(file).map_err(|e| {
            refused(format!("it must hold the client secret, and cannot be read ({e}); check the path"))
        })?;
        if is_open_to_all(file) {
            let reason =
                "everybody on this machine may read the secret; take that right away: `chmod o-rwx` and the file";
            return Err(refused(reason.to_owned()));
        }
        ClientSecret::new(text.trim_end_matches(['\r', '\n']))
            .ok_or_else(|| refused("it is empty; write the client secret into it, as the provider shows it".to_owned()))
    }
}

/// The door to the provider.
#[derive(Debug)]
pub(crate) struct Gate {
    rules: IdRules,
    secret: Option<ClientSecret>,
    origin: Place,
    /// `openid` and the other scopes.
    scope: String,
    /// What stands on the button.
    pub(crate) label: Option<String>,
    session_seconds: u64,
    provider: Provider,
    logins: Mutex<Logins>,
    places: Semaphore,
    began: Instant,
}

/// Why nobody was logged in.
#[derive(Debug, Clone, PartialEq, Eq)]
enum NotIn {
    /// No login of this browser is on its way with this state.
    Over,
    /// The provider did not log anybody in; why, in a word.
    Declined(&'static str),
    /// What came back is not believed; why, in a word.
    NotBelieved(&'static str),
    /// The provider cannot be asked.
    Trouble(Trouble),
    /// Too many are logging in.
    Busy,
}

impl From<Trouble> for NotIn {
    fn from(trouble: Trouble) -> NotIn {
        NotIn::Trouble(trouble)
    }
}

/// What a browser brings back.
#[derive(Debug, Default)]
struct Brought {
    code: Option<String>,
    state: Option<String>,
    iss: Option<String>,
    error: Option<String>,
}

impl Gate {
    /// Checks what was configured; the provider is not asked yet, so that the server starts without it.
    ///
    /// # Errors
    /// [`Error`] for a flag against its rule, or a file that cannot be used.
    pub(crate) fn open(oidc: Oidc) -> Result<Gate, Error> {
        let refused = |what: &str, value: &str, rule: &str| Error::Config {
            what: what.to_owned(),
            value: value.to_owned(),
            rule: rule.to_owned(),
        };
        let is_issuer = Place::parse(&oidc.issuer, true).is_some() && !oidc.issuer.contains('?');
        if !is_issuer {
            let rule =
                "the provider's issuer is an address with https (or http on this machine) and without `?` or `#`";
            return Err(refused("--oidc-issuer", &oidc.issuer, rule));
        }
        if oidc.client.is_empty() {
            return Err(refused("--oidc-client", "", "give the client id that the provider gave this server"));
        }
        let rule = "it is where browsers reach this server: `https://guike.example`, in small letters and without anything \
                    behind the host or port; http for `localhost` only";
        let origin = origin(&oidc.origin).ok_or_else(|| refused("--oidc-origin", &oidc.origin, rule))?;
        if oidc.roles.is_empty() || oidc.roles.iter().any(|(value, _)| value.is_empty()) {
            let rule = "say which value of the claim gives which role, as `--oidc-role shop-analysts=analyst`; without one \
                        nobody could log in";
            return Err(refused("--oidc-role", "", rule));
        }
        let is_scope = |s: &String| !s.is_empty() && s.bytes().all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\');
        if let Some(bad) = oidc.scopes.iter().find(|s| !is_scope(s)) {
            return Err(refused("--oidc-scope", bad, "a scope is one word; give the flag once for each"));
        }
        if let Some(label) = &oidc.label
            && (label.trim().is_empty() || label.chars().count() > LABEL || label.chars().any(char::is_control))
        {
            return Err(refused("--oidc-label", label, "it stands on a button: 1 to 60 letters"));
        }
        if !(300..=LONGEST_SESSION).contains(&oidc.session_seconds) {
            let minutes = (oidc.session_seconds / 60).to_string();
            return Err(refused("--oidc-minutes", &minutes, "a session lasts between 5 and 720 minutes"));
        }
        let mut scopes = vec!["openid"];
        scopes.extend(oidc.scopes.iter().map(String::as_str).filter(|s| *s != "openid"));
        Ok(Gate {
            scope: scopes.join(" "),
            provider: Provider::new(
                oidc.issuer.clone(),
                oidc.secret.is_some(),
                Fetcher::new(oidc.authorities.as_deref())?,
            ),
            rules: IdRules { issuer: oidc.issuer, client: oidc.client, role_claim: oidc.role_claim, roles: oidc.roles },
            secret: oidc.secret,
            origin,
            label: oidc.label,
            session_seconds: oidc.session_seconds.into(),
            logins: Mutex::default(),
            places: Semaphore::new(PLACES),
            began: Instant::now(),
        })
    }

    /// Whether the provider is known to log persons out, too.
    pub(crate) fn ends_there(&self) -> bool {
        self.provider.last().is_some_and(|known| known.end.is_some())
    }

    /// Where the provider sends browsers back to; registered there letter by letter.
    fn redirect(&self) -> String {
        format!("{}{BACK}", self.origin.text)
    }

    fn now(&self) -> u64 {
        self.began.elapsed().as_secs()
    }

    /// Begins a login: where the browser goes, and what it keeps.
    async fn begin(&self, network: &str, next: &str, lang: &'static str) -> Result<(String, Secret), NotIn> {
        let _place = self.places.try_acquire().map_err(|_| NotIn::Busy)?;
        let known = self.provider.known().await?;
        let random = random::<128>().map_err(|_| Trouble::Random)?;
        let mut parts = [[0; 32]; 4];
        parts.iter_mut().zip(random.chunks_exact(32)).for_each(|(part, random)| part.copy_from_slice(random));
        let leaving = {
            let mut logins = self.logins.lock().unwrap_or_else(PoisonError::into_inner);
            logins.begin(network, (next.to_owned(), lang), self.now(), &parts)
        };
        let query = form(&[
            ("response_type", "code"),
            ("client_id", &self.rules.client),
            ("redirect_uri", &self.redirect()),
            ("scope", &self.scope),
            ("state", leaving.state.reveal()),
            ("nonce", &leaving.nonce),
            ("code_challenge", &leaving.challenge),
            ("code_challenge_method", "S256"),
        ]);
        Ok((with_query(&known.authorize, &query), leaving.binding))
    }

    /// The login that comes back; its state is used up.
    fn back(&self, brought: &Brought, binding: Option<&str>) -> Result<Begun, NotIn> {
        let state = brought.state.as_deref().ok_or(NotIn::Over)?;
        let mut logins = self.logins.lock().unwrap_or_else(PoisonError::into_inner);
        logins.back(state, binding, self.now()).ok_or(NotIn::Over)
    }

    /// Who came back.
    async fn person(&self, brought: &Brought, begun: &Begun) -> Result<Person, NotIn> {
        let _place = self.places.try_acquire().map_err(|_| NotIn::Busy)?;
        let known = self.provider.known().await?;
        match &brought.iss {
            Some(iss) if *iss != self.rules.issuer => return Err(NotIn::NotBelieved("issuer")),
            None if known.says_issuer => return Err(NotIn::NotBelieved("issuer")),
            _ => {}
        }
        if let Some(word) = &brought.error {
            return Err(NotIn::Declined(standard(word)));
        }
        let code = brought.code.as_deref().filter(|code| !code.is_empty() && code.len() <= CODE);
        let (id_token, access_token) =
            self.tokens(&known, code.ok_or(NotIn::NotBelieved("form"))?, begun.verifier.reveal()).await?;
        let answered = Answered { nonce: begun.nonce.reveal(), access_token: access_token.as_deref() };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
        let person = |known: &Known| known.keys.person(&id_token, &self.rules, answered, now);
        let person = match person(&known) {
            // a key that came after the others were read
            Err(TokenFault::Key) => person(&*self.provider.with_newer_keys(&known).await?),
            person => person,
        };
        person.map_err(|fault| NotIn::NotBelieved(fault.name()))
    }

    /// The ID token that belongs to a code, and the access token that comes along.
    async fn tokens(&self, known: &Known, code: &str, verifier: &str) -> Result<(String, Option<String>), Trouble> {
        let redirect = self.redirect();
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", redirect.as_str()),
            ("code_verifier", verifier),
        ];
        let mut authorization = None;
        match (&self.secret, known.showing) {
            (Some(secret), Showing::Basic) => {
                authorization = Some(basic(&encoded(&self.rules.client), &encoded(&secret.0)));
            }
            (Some(secret), Showing::Post) => {
                fields.extend([("client_id", self.rules.client.as_str()), ("client_secret", secret.0.as_str())]);
            }
            _ => fields.push(("client_id", self.rules.client.as_str())),
        }
        let (status, said) = self.provider.tokens(known, &form(&fields), authorization.as_deref()).await?;
        if status != StatusCode::OK {
            return Err(Trouble::Refused(standard(said["error"].as_str().unwrap_or_default())));
        }
        let text = |name: &str| said[name].as_str().map(str::to_owned);
        Ok((text("id_token").ok_or(Trouble::NoToken)?, text("access_token")))
    }

    /// Where a browser goes to log out at the provider, too; `None` where that is not offered.
    async fn end(&self) -> Result<Option<String>, NotIn> {
        let _place = self.places.try_acquire().map_err(|_| NotIn::Busy)?;
        let known: Arc<Known> = self.provider.known().await?;
        let after = format!("{}/login", self.origin.text);
        let query = form(&[("client_id", &self.rules.client), ("post_logout_redirect_uri", &after)]);
        Ok(known.end.as_ref().map(|end| with_query(end, &query)))
    }
}

/// The fields of a form, or of the part of an address after `?`.
fn form(fields: &[(&str, &str)]) -> String {
    fields.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect::<Vec<_>>().join("&")
}

/// An address that may have parameters already, and these.
fn with_query(address: &str, query: &str) -> String {
    format!("{address}{}{query}", if address.contains('?') { '&' } else { '?' })
}
