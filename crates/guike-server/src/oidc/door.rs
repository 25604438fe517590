//! `/login/oidc` sends a browser to the identity provider, and `/login/oidc/back` takes it in again.
//!
//! The one idea: what comes back is in an address, so that nothing of it is repeated anywhere: not on the page that says no,
//! not in its links, not in the log. A login that fails says so in one of five sentences, and how to begin again.

use std::sync::Arc;

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use guike_guard::Secret;

use super::{Brought, Gate, NotIn};
use crate::access::{COOKIE, cookies, session};
use crate::app::{Answer, App, Call, internal};
use crate::batch::Answering;
use crate::login::{self, Words, local, not_in, page, see_other, text};
use crate::problem::{Code, Problem};
use crate::query::{Query, decoded};
use crate::routes::{Method, Route, Work};
use crate::served::encoded;
use crate::who::Who;

/// Where the provider sends browsers back to.
pub(crate) const BACK: &str = "/login/oidc/back";
/// The cookie that binds a login to the browser in which it began. `Lax`: the provider's page leads back here.
const BINDING: &str = "__Host-guike-login";
/// Seconds that the browser keeps it, as long as the server waits.
const KEPT: u32 = 600;
/// Bytes of the longest way back to where somebody wanted to go; longer ones lead to the first page.
const LONGEST_NEXT: usize = 1_024;

/// The way to the provider and back; the table of routes takes them over.
pub(crate) const OIDC: [Route; 3] = [
    Route {
        work: Work::Waiting(begin),
        ..page(Method::Get, "/login/oidc", nobody, "Sends a person to the identity provider.")
    },
    Route { work: Work::Waiting(back), ..page(Method::Get, BACK, nobody, "Takes a person back from there.") },
    Route {
        work: Work::Waiting(end),
        ..page(Method::Get, "/login/oidc/out", nobody, "Sends a person to the provider's own logout.")
    },
];

/// Takes the place of a handler where work is waited for.
fn nobody(_: &App, _: &Call) -> Result<Answer, Problem> {
    Err(internal())
}

fn gate(app: &App) -> Result<&Gate, Problem> {
    let detail = "nobody logs in so here: the server was started without --oidc-issuer";
    app.people().and_then(|p| p.gate.as_ref()).ok_or_else(|| Problem::new(Code::NoSuchPath, detail))
}

/// `GET /login/oidc`.
fn begin(app: Arc<App>, call: Call) -> Answering {
    Box::pin(async move {
        let gate = gate(&app)?;
        let query = Query::parse(&call.query, &["next", "lang"])?;
        // a page of another site may not log its reader in here
        login::needs_own_page(&call)?;
        let words = login::words(&call, query.get("lang"));
        let next = query.get("next").filter(|next| next.len() <= LONGEST_NEXT).map_or("/", local);
        let host = call.parts.headers.get(header::HOST).and_then(|v| v.to_str().ok()).unwrap_or_default();
        if !gate.origin.is_host(host) {
            // the cookie would stay with this name, and the provider sends back to the other one
            let to = format!("{}/login?next={}&lang={}", gate.origin.text, encoded(next), words.lang);
            return Ok(see_other(&to));
        }
        let network = login::network_of(&app, &call);
        match gate.begin(&network, next, words.lang).await {
            Ok((to, binding)) => Ok(see_other(&to).header(header::SET_COOKIE, kept(&binding))),
            Err(why) => refused(&app, words, &why),
        }
    })
}

/// `GET /login/oidc/back`.
fn back(app: Arc<App>, call: Call) -> Answering {
    Box::pin(async move {
        let gate = gate(&app)?;
        let asked = login::words(&call, None);
        let Some(brought) = brought(&call.query) else { return refused(&app, asked, &NotIn::Over) };
        let begun = match gate.back(&brought, binding(&call.parts.headers)) {
            Ok(begun) => begun,
            Err(why) => return refused(&app, asked, &why),
        };
        let words = login::words(&call, Some(begun.lang));
        let answer = match gate.person(&brought, &begun).await {
            Ok(person) => taken_in(&app, &call, person, (&begun.next, words))?,
            // somebody had begun it here: that it failed is recorded
            Err(why) => refused(&app, words, &why)?.happened("log-in", Who::ANYBODY),
        };
        Ok(answer.header(header::SET_COOKIE, text(&format!("{BINDING}=; {ATTRIBUTES}; Max-Age=0"))))
    })
}

/// The session of who came back, or the page that says that she may not.
fn taken_in(
    app: &App,
    call: &Call,
    person: guike_guard::Person,
    (next, words): (&str, &'static Words),
) -> Result<Answer, Problem> {
    let people = login::people(app)?;
    let name: Arc<str> = Arc::from(person.name);
    let Some(role) = person.role else {
        app.logger.note(
            "login-without-role",
            "a person whom the provider knows has none of the roles of --oidc-role, or several",
        );
        let answer = unreferred(not_in(words, words.oidc.no_role, StatusCode::FORBIDDEN)?);
        return Ok(answer.happened("log-in", Who::stranger(name)));
    };
    let seconds = gate(app)?.session_seconds;
    let Some(session_of_hers) = people.let_in(&name, role, seconds) else {
        return refused(app, words, &NotIn::Busy);
    };
    // who was logged in before in this browser is not any more
    if let Some(before) = session(&call.parts.headers) {
        people.log_out(before);
    }
    let cookie = format!("{COOKIE}={}; {ATTRIBUTES}", session_of_hers.reveal());
    Ok(see_other(local(next)).header(header::SET_COOKIE, text(&cookie)).happened("log-in", Who::user(name, role)))
}

/// `GET /login/oidc/out`: our session is over already, or goes on; this is about the other one.
fn end(app: Arc<App>, call: Call) -> Answering {
    Box::pin(async move {
        let gate = gate(&app)?;
        let query = Query::parse(&call.query, &["lang"])?;
        login::needs_own_page(&call)?;
        let words = login::words(&call, query.get("lang"));
        match gate.end().await {
            Ok(Some(to)) => Ok(see_other(&to)),
            Ok(None) => not_in(words, words.oidc.no_end, StatusCode::NOT_FOUND),
            Err(why) => refused(&app, words, &why),
        }
    })
}

/// The page that says no, and the line of the log that says why.
fn refused(app: &App, words: &'static Words, why: &NotIn) -> Result<Answer, Problem> {
    let (said, status) = match why {
        NotIn::Over => (words.oidc.over, StatusCode::UNAUTHORIZED),
        NotIn::Declined(word) => {
            app.logger.note("login-declined", word);
            (words.oidc.declined, StatusCode::UNAUTHORIZED)
        }
        NotIn::NotBelieved(fault) => {
            app.logger.note("login-not-believed", fault);
            (words.oidc.not_believed, StatusCode::UNAUTHORIZED)
        }
        NotIn::Trouble(trouble) => {
            app.logger.note("provider-trouble", &trouble.to_string());
            (words.oidc.unreachable, StatusCode::SERVICE_UNAVAILABLE)
        }
        NotIn::Busy => (words.busy, StatusCode::SERVICE_UNAVAILABLE),
    };
    let answer = unreferred(not_in(words, said, status)?);
    Ok(match status {
        StatusCode::SERVICE_UNAVAILABLE => answer.header(header::RETRY_AFTER, HeaderValue::from(1)),
        _ => answer,
    })
}

/// The address of this page may hold a code: no other page is told it.
fn unreferred(answer: Answer) -> Answer {
    answer.header(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"))
}

/// What belongs to every cookie of ours.
const ATTRIBUTES: &str = "Path=/; Secure; HttpOnly; SameSite=Lax";

fn kept(binding: &Secret) -> HeaderValue {
    text(&format!("{BINDING}={}; {ATTRIBUTES}; Max-Age={KEPT}", binding.reveal()))
}

/// What a browser keeps of the login that began in it; two of them were not both set by us.
fn binding(headers: &HeaderMap) -> Option<&str> {
    let mut ours = cookies(headers, BINDING);
    let first = ours.next();
    first.filter(|_| ours.next().is_none())
}

/// What comes back in the address. Whatever else a provider adds is nothing to us (RFC 6749, section 4.1.2); what comes
/// twice, or is no text, is none.
fn brought(query: &str) -> Option<Brought> {
    let mut brought = Brought::default();
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let place = match name {
            "code" => &mut brought.code,
            "state" => &mut brought.state,
            "iss" => &mut brought.iss,
            "error" => &mut brought.error,
            _ => continue,
        };
        if place.replace(decoded(value)?).is_some() {
            return None;
        }
    }
    Some(brought)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_back_is_read_once_and_the_rest_is_passed_over() {
        let b = brought("code=a%20b&state=c&session_state=d&iss=https%3A%2F%2Fid.example").expect("read");
        assert_eq!((b.code.as_deref(), b.state.as_deref()), (Some("a b"), Some("c")));
        assert_eq!((b.iss.as_deref(), b.error), (Some("https://id.example"), None));
        for bad in ["code=a&code=b", "state=%ff", "error=a&error="] {
            assert!(brought(bad).is_none(), "{bad}");
        }
    }
}
