//! `GET /admin`, `POST /admin/users`, `POST /admin/keys`: who may ask, and the record of who did. Plain forms, no script.

use askama::Template;
use axum::http::{StatusCode, header};
use guike::report::text::count;
use guike_guard::{Action, Resource, Role, Scope};
use serde_json::Value;

use super::frame::Page;
use super::show::{Block, Grid, escaped};
use super::{words as own, words_running as say};
use crate::admin::{self, AuditView, KeyView, UserDeed, UserView};
use crate::app::{Answer, App, Call};
use crate::login::{needs_own_page, see_other, sent};
use crate::problem::{Code, Problem};
use crate::query::Query;

/// Records of the audit log on the page.
const RECORDS: usize = 50;

struct UserRow {
    name: String,
    role: &'static str,
    state: String,
    since: String,
    last_login: String,
    may_log_in: bool,
}

struct KeyRow {
    name: String,
    scopes: String,
    since: String,
    expires: String,
    state: String,
}

#[derive(Template)]
#[template(path = "admin.html", escape = "html")]
struct Html {
    users: Option<Vec<UserRow>>,
    keys: Option<Vec<KeyRow>>,
    may_users: bool,
    may_keys: bool,
    roles: Vec<&'static str>,
    scopes: Vec<&'static str>,
    token: Option<String>,
    say: Say,
}

/// Words of the tables and forms.
struct Say {
    users: String,
    keys: String,
    name: String,
    role: String,
    state: String,
    since: String,
    last_login: String,
    change: String,
    set_role: String,
    disable: String,
    enable: String,
    new_link: String,
    add_user: String,
    add_user_how: String,
    scopes: String,
    expires: String,
    expires_field: String,
    revoke: String,
    add_key: String,
    add_key_how: String,
}

/// `GET /admin`.
pub(super) fn answer(app: &App, call: &Call) -> Result<Answer, Problem> {
    shown(app, call, Vec::new())
}

/// `POST /admin/users`.
pub(super) fn users(app: &App, call: &Call) -> Result<Answer, Problem> {
    needs_own_page(call)?;
    admin::people(app)?;
    let form = sent(call, &["csrf", "do", "name", "role"])?;
    let role = || admin::role(form.get("role").unwrap_or_default());
    let deed = match form.get("do") {
        Some("add") => role().map(UserDeed::Add),
        Some("role") => role().map(UserDeed::Role),
        Some("disable") => Ok(UserDeed::Disable),
        Some("enable") => Ok(UserDeed::Enable),
        Some("link") => Ok(UserDeed::Link),
        _ => Err(foreign()),
    };
    let name = form.get("name").unwrap_or_default().trim();
    match deed.and_then(|deed| admin::change_user(app, name, deed)) {
        Err(problem) => refused(app, call, &problem),
        Ok((user, did)) => match &user.link {
            None => Ok(see_other("/admin").did(did)),
            Some(path) => {
                let host = call.parts.headers.get(header::HOST).and_then(|v| v.to_str().ok()).unwrap_or_default();
                Ok(secret(app, call, say::LINK_ONCE, &user.name, &format!("{host}{path}"))?.did(did))
            }
        },
    }
}

/// `POST /admin/keys`.
pub(super) fn keys(app: &App, call: &Call) -> Result<Answer, Problem> {
    needs_own_page(call)?;
    admin::keys(app)?;
    let form =
        sent(call, &["csrf", "do", "name", "expires", "scope-predict", "scope-read", "scope-metrics", "scope-events"])?;
    let name = form.get("name").unwrap_or_default().trim();
    let done = match form.get("do") {
        Some("revoke") => admin::end_key(app, name).map(|did| (None, did)),
        Some("add") => admin::make_key(app, name, &ticked(&form), form.get("expires")).map(|(key, did)| (key.key, did)),
        _ => Err(foreign()),
    };
    match done {
        Err(problem) => refused(app, call, &problem),
        Ok((None, did)) => Ok(see_other("/admin").did(did)),
        Ok((Some(key), did)) => Ok(secret(app, call, say::KEY_ONCE, name, &key)?.did(did)),
    }
}

fn ticked(form: &Query) -> Vec<String> {
    let is = |s: &Scope| form.get(&format!("scope-{}", s.name())).is_some();
    Scope::ALL.iter().filter(|s| is(s)).map(|s| s.name().to_owned()).collect()
}

fn foreign() -> Problem {
    Problem::new(Code::MalformedQuery, "the form is not one of this page; load the page again")
}

/// The page with why nothing was changed.
fn refused(app: &App, call: &Call, problem: &Problem) -> Result<Answer, Problem> {
    let status = StatusCode::from_u16(problem.status()).unwrap_or(StatusCode::UNPROCESSABLE_ENTITY);
    Ok(shown(app, call, vec![Block::Warning { html: escaped(problem.detail()) }])?.with_status(status))
}

/// The page with something that is told this once.
fn secret(app: &App, call: &Call, word: guike::report::words::Word, name: &str, text: &str) -> Result<Answer, Problem> {
    let page = Page::open(app, call, &[])?;
    let lead = page.fill_html(word, &[("name", name.to_owned())]);
    let html = format!(
        "<div class=\"said\" role=\"status\"><p>{lead}</p><p><code class=\"once\">{}</code></p></div>",
        escaped(text)
    );
    shown(app, call, vec![Block::Part { html }])
}

fn shown(app: &App, call: &Call, said: Vec<Block>) -> Result<Answer, Problem> {
    let page = Page::open(app, call, &[])?;
    let title = page.say(say::ADMIN_TITLE);
    let mut blocks = said;
    let may = |resource, action| page.who.may(resource, action);
    blocks.push(Block::Heading(page.say(say::USERS)));
    match admin::people(app) {
        Err(_) => blocks.push(Block::Missing { html: page.html(say::NO_USERS) }),
        Ok(people) => {
            let users = people.users();
            let rows = users.users().iter().map(|u| user_row(&page, admin::user_view(people, u))).collect();
            blocks.push(Block::Part { html: html(&page, Some(rows), None) });
        }
    }
    if may(Resource::Keys, Action::Read) {
        blocks.push(Block::Heading(page.say(say::KEYS)));
        match admin::keys(app) {
            Err(_) => blocks.push(Block::Missing { html: page.html(say::NO_KEYS) }),
            Ok(keys) => {
                let known = keys.known(app.rate());
                let rows = known.keyring.keys().iter().map(|k| key_row(&page, admin::key_view(k))).collect();
                blocks.push(Block::Part { html: html(&page, None, Some(rows)) });
            }
        }
    }
    if may(Resource::Audit, Action::Read) {
        blocks.push(Block::Heading(page.say(say::AUDIT)));
        match app.audit_files() {
            None => blocks.push(Block::Missing { html: page.html(say::NO_AUDIT) }),
            Some(_) => blocks.extend(audit(&page, &admin::latest(app, RECORDS)?)),
        }
    }
    Ok(page.answer(&title, None, blocks))
}

fn html(page: &Page<'_>, users: Option<Vec<UserRow>>, keys: Option<Vec<KeyRow>>) -> String {
    let html = Html {
        users,
        keys,
        may_users: page.who.may(Resource::Users, Action::Change),
        may_keys: page.who.may(Resource::Keys, Action::Change),
        roles: Role::ALL.iter().map(|r| r.name()).collect(),
        scopes: Scope::ALL.iter().map(|s| s.name()).collect(),
        token: page.token.clone(),
        say: Say {
            users: page.say(say::USERS),
            keys: page.say(say::KEYS),
            name: page.say(say::NAME),
            role: page.say(say::ROLE),
            state: page.say(say::STATE),
            since: page.say(say::SINCE),
            last_login: page.say(say::LAST_LOGIN),
            change: page.say(own::CHANGE),
            set_role: page.say(say::SET_ROLE),
            disable: page.say(say::DISABLE),
            enable: page.say(say::ENABLE),
            new_link: page.say(say::NEW_LINK),
            add_user: page.say(say::ADD_USER),
            add_user_how: page.say(say::ADD_USER_HOW),
            scopes: page.say(say::SCOPES),
            expires: page.say(say::EXPIRES),
            expires_field: page.say(say::EXPIRES_FIELD),
            revoke: page.say(say::REVOKE),
            add_key: page.say(say::ADD_KEY),
            add_key_how: page.say(say::ADD_KEY_HOW),
        },
    };
    html.render().expect("a String takes every page")
}

fn user_row(page: &Page<'_>, u: UserView) -> UserRow {
    UserRow {
        state: page.say(if u.may_log_in { say::MAY_LOG_IN } else { say::MAY_NOT_LOG_IN }),
        last_login: u.last_login.unwrap_or_else(|| page.say(say::NOT_SINCE_START)),
        name: u.name,
        role: u.role,
        since: u.created,
        may_log_in: u.may_log_in,
    }
}

fn key_row(page: &Page<'_>, k: KeyView) -> KeyRow {
    KeyRow {
        name: k.name,
        scopes: k.scopes.join(" "),
        since: k.created,
        expires: k.expires.unwrap_or_else(|| "–".to_owned()),
        state: page.say(if k.in_force { say::IN_FORCE } else { say::OUT_OF_FORCE }),
    }
}

fn audit(page: &Page<'_>, a: &AuditView) -> Vec<Block> {
    let said = match (&a.trouble, a.n, &a.anchor) {
        (None, Some(n), Some(anchor)) => {
            let with = [("n", count(n as u64)), ("anchor", anchor.clone())];
            Block::Prose { html: page.fill_html(say::VERIFIED, &with) }
        }
        (trouble, ..) => {
            let with = [("trouble", trouble.clone().unwrap_or_default())];
            Block::Warning { html: page.fill_html(say::NOT_VERIFIED, &with) }
        }
    };
    let head = [say::WHEN, say::WHO, say::ROLE, say::DID, say::TO, say::ABOUT, own::PURPOSE, say::ENDED];
    let mut table = Grid::new(head.iter().map(|name| (page.say(*name), false)).collect());
    for record in a.records.iter().rev() {
        let of = |name: &str| match &record[name] {
            Value::String(text) => text.clone(),
            Value::Number(n) => n.to_string(),
            _ => String::new(),
        };
        let about = match (of("about"), of("customers")) {
            (about, customers) if customers.is_empty() => about,
            (_, customers) => page.fill(say::N_CUSTOMERS, &[("n", customers)]),
        };
        let who = if of("who").is_empty() { of("kind") } else { of("who") };
        let when = of("time").chars().take(19).collect::<String>().replace('T', " ");
        table.row(vec![when, who, of("role"), of("action"), of("resource"), about, of("purpose"), of("result")]);
    }
    vec![said, Block::Grid(table)]
}
