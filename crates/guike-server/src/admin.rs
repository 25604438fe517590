//! `/v1/users`, `/v1/keys`, `/v1/audit`: who may ask, and the record of who did.
//!
//! The one idea: what the files of users and keys hold may be seen by admins and auditors, and changed by admins, who are
//! recorded before the change and after it. A password or a key is never told again: a new user gets a link with which she
//! chooses her own password, once, and a key is shown to who makes it, once.

use std::sync::Arc;

use guike::{Error, ErrorKind};
use guike_core::Day;
use guike_guard::{Key, Role, Scope, Secret, User};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::app::{Answer, App, Call, internal};
use crate::batch::Answering;
use crate::keyfile::Keys;
use crate::people::People;
use crate::problem::{Code, Problem};
use crate::query::Query;
use crate::shape::{Schemas, shaped};

/// Records that are told where nothing else is asked for, and at most.
const RECORDS: usize = 100;
const MOST_RECORDS: usize = 1_000;

shaped! {
    /// Everybody who may log in, or might again.
    UsersView {
        /// By the order in which they were added.
        users: Vec<UserView>,
    }

    /// A user, without her password.
    UserView {
        /// By what she is known.
        name: String,
        /// What she may do.
        role: &'static str,
        /// Whether she may log in.
        may_log_in: bool,
        /// The day on which she was added.
        created: String,
        /// When she last logged in since the server was started; left out where she did not.
        last_login: Option<String>,
        /// The path of the page on which she chooses a password, once, within an hour; told to who asks for it, once.
        link: Option<String>,
    }

    /// Every key, without what opens it.
    KeysView {
        /// By the order in which they were made.
        keys: Vec<KeyView>,
    }

    /// A key.
    KeyView {
        /// Whose it is.
        name: String,
        /// What it opens.
        scopes: Vec<&'static str>,
        /// The day on which it was made.
        created: String,
        /// The last day on which it opens anything; left out where it has no end.
        expires: Option<String>,
        /// Whether it opens anything today.
        in_force: bool,
        /// The key itself; told to who makes it, once.
        key: Option<String>,
    }

    /// The newest records of the audit log, and whether all of it verifies.
    AuditView {
        /// The newest records, the last one last.
        records: Vec<Value>,
        /// Whether chain, seals and end are as they should be.
        verified: bool,
        /// What does not fit; left out where everything does.
        trouble: Option<String>,
        /// Records in the whole log; left out where it does not verify.
        n: Option<usize>,
        /// Number and hash of the last record, to be noted elsewhere.
        anchor: Option<String>,
    }
}

/// Who may log in, where persons may.
pub(crate) fn people(app: &App) -> Result<&People, Problem> {
    let detail = "nobody logs in with a password here: the server was started without --users";
    app.people().filter(|p| p.has_users()).ok_or_else(|| Problem::new(Code::NoSuchPath, detail))
}

/// The keys, where any are asked for.
pub(crate) fn keys(app: &App) -> Result<&Keys, Problem> {
    let detail = "no keys are asked for: the server was started without --keys";
    app.keys().ok_or_else(|| Problem::new(Code::NoSuchPath, detail))
}

/// `GET /v1/users`.
pub(crate) fn users(app: &App, call: &Call) -> Result<Answer, Problem> {
    Query::parse(&call.query, &[])?;
    let people = people(app)?;
    let users = people.users().users().iter().map(|u| user_view(people, u)).collect();
    Ok(Answer::of(&UsersView { users }))
}

/// A user as she is told.
pub(crate) fn user_view(people: &People, u: &User) -> UserView {
    UserView {
        name: u.name.clone(),
        role: u.role.name(),
        may_log_in: !u.is_disabled,
        created: u.created.to_string(),
        last_login: people.last_login(&u.name),
        link: None,
    }
}

/// What becomes of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UserDeed {
    /// She is added.
    Add(Role),
    /// She gets another role.
    Role(Role),
    /// She may not log in.
    Disable,
    /// She may log in again.
    Enable,
    /// She gets a link with which she chooses another password.
    Link,
}

/// Does it; what comes back is what is told of her, and the link where there is one.
pub(crate) fn change_user(app: &App, name: &str, deed: UserDeed) -> Result<(UserView, String), Problem> {
    let people = people(app)?;
    let (link, words) = match deed {
        UserDeed::Add(role) => (Some(people.invite(name, role).map_err(|e| refused(&e, Code::NoUser))?), "add"),
        UserDeed::Link => (Some(people.invite_again(name).map_err(|e| refused(&e, Code::NoUser))?), "link"),
        UserDeed::Role(role) => {
            people.change(name, guike::users::UserChange::Role(role)).map_err(|e| refused(&e, Code::NoUser))?;
            (None, "role")
        }
        UserDeed::Disable => {
            people.change(name, guike::users::UserChange::Disable).map_err(|e| refused(&e, Code::NoUser))?;
            (None, "disable")
        }
        UserDeed::Enable => {
            people.change(name, guike::users::UserChange::Enable).map_err(|e| refused(&e, Code::NoUser))?;
            (None, "enable")
        }
    };
    let users = people.users();
    let user = users.user(name).ok_or_else(internal)?;
    let role = match deed {
        UserDeed::Add(role) | UserDeed::Role(role) => format!(" {}", role.name()),
        UserDeed::Disable | UserDeed::Enable | UserDeed::Link => String::new(),
    };
    let link = link.map(|secret: Secret| format!("/setup?token={}", secret.reveal()));
    Ok((UserView { link, ..user_view(people, user) }, format!("{words} {name}{role}")))
}

/// What `POST /v1/users` takes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewUser {
    name: String,
    role: String,
}

/// `POST /v1/users`.
pub(crate) fn add_user(app: &App, call: &Call) -> Result<Answer, Problem> {
    Query::parse(&call.query, &[])?;
    people(app)?;
    let new: NewUser = body(call, "{\"name\":\"mei\",\"role\":\"analyst\"}")?;
    let (view, did) = change_user(app, &new.name, UserDeed::Add(role(&new.role)?))?;
    Ok(Answer::of(&view).did(did))
}

/// What `POST /v1/users/{name}` takes: one of them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OtherUser {
    role: Option<String>,
    may_log_in: Option<bool>,
    link: Option<bool>,
}

/// `POST /v1/users/{name}`.
pub(crate) fn alter_user(app: &App, call: &Call) -> Result<Answer, Problem> {
    Query::parse(&call.query, &[])?;
    people(app)?;
    let example = "{\"role\":\"agent\"}, {\"may_log_in\":false} or {\"link\":true}";
    let other: OtherUser = body(call, example)?;
    let deed = match (other.role.as_deref(), other.may_log_in, other.link) {
        (Some(name), None, None) => UserDeed::Role(role(name)?),
        (None, Some(true), None) => UserDeed::Enable,
        (None, Some(false), None) => UserDeed::Disable,
        (None, None, Some(true)) => UserDeed::Link,
        _ => return Err(malformed(example)),
    };
    let (view, did) = change_user(app, call.param("name"), deed)?;
    Ok(Answer::of(&view).did(did))
}

/// A role by its name.
pub(crate) fn role(name: &str) -> Result<Role, Problem> {
    name.parse().map_err(|rule: String| Problem::new(Code::NotChanged, rule))
}

/// `GET /v1/keys`.
pub(crate) fn all_keys(app: &App, call: &Call) -> Result<Answer, Problem> {
    Query::parse(&call.query, &[])?;
    let keyring = keys(app)?.known(app.rate());
    Ok(Answer::of(&KeysView { keys: keyring.keyring.keys().iter().map(key_view).collect() }))
}

/// A key as it is told.
pub(crate) fn key_view(k: &Key) -> KeyView {
    KeyView {
        name: k.name.clone(),
        scopes: k.scopes.iter().map(|s| s.name()).collect(),
        created: k.created.to_string(),
        expires: k.expires.map(|d| d.to_string()),
        in_force: k.expires.is_none_or(|last| crate::access::today() <= last),
        key: None,
    }
}

/// What `POST /v1/keys` takes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewKey {
    name: String,
    scopes: Vec<String>,
    expires: Option<String>,
}

/// `POST /v1/keys`.
pub(crate) fn add_key(app: &App, call: &Call) -> Result<Answer, Problem> {
    Query::parse(&call.query, &[])?;
    keys(app)?;
    let new: NewKey = body(call, "{\"name\":\"crm\",\"scopes\":[\"read\"],\"expires\":\"2027-12-31\"}")?;
    let (view, did) = make_key(app, &new.name, &new.scopes, new.expires.as_deref())?;
    Ok(Answer::of(&view).did(did))
}

/// Makes a key; what comes back holds it, this once.
pub(crate) fn make_key(
    app: &App,
    name: &str,
    scopes: &[String],
    expires: Option<&str>,
) -> Result<(KeyView, String), Problem> {
    let rule = |rule: String| Problem::new(Code::NotChanged, rule);
    let scopes = scopes.iter().map(|s| s.parse()).collect::<Result<Vec<Scope>, String>>().map_err(rule)?;
    let day = |text: &str| text.parse::<Day>().map_err(|_| rule("a day is written as 2027-12-31".to_owned()));
    let expires = expires.filter(|text| !text.is_empty()).map(day).transpose()?;
    let keys = keys(app)?;
    let secret = keys.add(name, &scopes, expires, app.rate()).map_err(|e| refused(&e, Code::NoKeyName))?;
    let known = keys.known(app.rate());
    let key = known.keyring.keys().iter().find(|k| k.name == name).ok_or_else(internal)?;
    Ok((KeyView { key: Some(secret.reveal().to_owned()), ..key_view(key) }, format!("add {name}")))
}

/// `POST /v1/keys/{name}/revoke`.
pub(crate) fn revoke_key(app: &App, call: &Call) -> Result<Answer, Problem> {
    Query::parse(&call.query, &[])?;
    // a page of another site cannot say that it sends JSON
    call.needs_json()?;
    let did = end_key(app, call.param("name"))?;
    let keyring = keys(app)?.known(app.rate());
    Ok(Answer::of(&KeysView { keys: keyring.keyring.keys().iter().map(key_view).collect() }).did(did))
}

/// Takes a key out of force.
pub(crate) fn end_key(app: &App, name: &str) -> Result<String, Problem> {
    keys(app)?.revoke(name, app.rate()).map_err(|e| refused(&e, Code::NoKeyName))?;
    Ok(format!("revoke {name}"))
}

/// `GET /v1/audit`.
pub(crate) fn audit(app: Arc<App>, call: Call) -> Answering {
    Box::pin(async move {
        // the whole log is read and verified
        tokio::task::spawn_blocking(move || audited(&app, &call)).await.map_err(|_| internal())?
    })
}

fn audited(app: &App, call: &Call) -> Result<Answer, Problem> {
    let query = Query::parse(&call.query, &["last"])?;
    let most = match query.get("last") {
        None => RECORDS,
        Some(text) => text.parse().ok().filter(|n| (1..=MOST_RECORDS).contains(n)).ok_or_else(|| {
            let detail = format!("parameter `last` takes a whole number from 1 to {MOST_RECORDS}");
            Problem::new(Code::MalformedQuery, detail)
        })?,
    };
    Ok(Answer::of(&latest(app, most)?))
}

/// The newest records, and whether all of them verify.
pub(crate) fn latest(app: &App, most: usize) -> Result<AuditView, Problem> {
    let detail = "no audit log is kept: the server was started without --audit";
    let files = app.audit_files().ok_or_else(|| Problem::new(Code::NoSuchPath, detail))?;
    let latest = guike::audit::latest(files, most).map_err(|e| Problem::from(&e))?;
    let found = latest.found.as_ref().ok();
    Ok(AuditView {
        verified: found.is_some(),
        trouble: latest.found.as_ref().err().cloned(),
        n: found.map(|f| f.n as usize),
        anchor: found.map(|f| format!("{}:{}", f.n, f.hash)),
        records: latest.records,
    })
}

/// What a file did not take, in words that name no file.
fn refused(e: &Error, none: Code) -> Problem {
    match (e, e.kind()) {
        (_, ErrorKind::NotFound) => Problem::new(none, "nothing has this name; the list of them shows the names"),
        (Error::ConfigFile { reason, .. }, _) => Problem::new(Code::NotChanged, reason.clone()),
        _ => Problem::new(Code::NotWritten, "the file cannot be written or is damaged; is the disk full?"),
    }
}

fn malformed(example: &str) -> Problem {
    Problem::new(Code::MalformedJson, format!("the body is not as it should be; send {example}"))
}

/// The body as what it should be; what it held is not repeated.
fn body<T: for<'a> Deserialize<'a>>(call: &Call, example: &str) -> Result<T, Problem> {
    call.needs_json()?;
    serde_json::from_slice(&call.body).map_err(|_| malformed(example))
}

/// What `POST /v1/users` takes.
pub(crate) fn new_user_shape(_: &mut Schemas) -> Value {
    let roles: Vec<&str> = Role::ALL.iter().map(|r| r.name()).collect();
    json!({
        "type": "object",
        "properties": { "name": { "type": "string" }, "role": { "enum": roles } },
        "required": ["name", "role"],
        "additionalProperties": false,
    })
}

/// What `POST /v1/users/{name}` takes.
pub(crate) fn other_user_shape(_: &mut Schemas) -> Value {
    let roles: Vec<&str> = Role::ALL.iter().map(|r| r.name()).collect();
    json!({
        "type": "object",
        "description": "one of the three",
        "properties": {
            "role": { "enum": roles },
            "may_log_in": { "type": "boolean" },
            "link": { "const": true, "description": "a link with which she chooses another password" },
        },
        "additionalProperties": false,
    })
}

/// What `POST /v1/keys` takes.
pub(crate) fn new_key_shape(_: &mut Schemas) -> Value {
    let scopes: Vec<&str> = Scope::ALL.iter().map(|s| s.name()).collect();
    json!({
        "type": "object",
        "properties": {
            "name": { "type": "string" },
            "scopes": { "type": "array", "items": { "enum": scopes }, "minItems": 1 },
            "expires": { "type": "string", "format": "date", "description": "the last day on which it opens anything" },
        },
        "required": ["name", "scopes"],
        "additionalProperties": false,
    })
}

/// Nothing but the word that it is JSON.
pub(crate) fn nothing(_: &mut Schemas) -> Value {
    json!({ "type": "object", "additionalProperties": false })
}
