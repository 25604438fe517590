//! The way in and out for persons: `/login`, `/logout`, and `/setup` for the first admin. Plain forms, no script.
//!
//! The one idea: these few pages are open to everybody, so they say as little as can be. A wrong name and a wrong password
//! are told in the same words, after the same time; nothing that was typed comes back.

use std::net::IpAddr;

use askama::Template;
use axum::http::{HeaderValue, StatusCode, header};
use guike_guard::{csrf_token, is_from_elsewhere};

use crate::access::{COOKIE, is_own_page, session};
use crate::app::{Answer, App, Call};
use crate::listen::Peer;
use crate::people::{NotIn, NotMade, People, network};
use crate::problem::{Code, Problem};
use crate::query::{Query, decoded};
use crate::routes::{Method, Route};
use crate::served::encoded;

/// Where somebody goes who came from nowhere.
const HOME: &str = "/";
/// What a browser may do with these pages: show them, and send their forms back here.
const POLICY: &str =
    "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

pub(crate) const fn page(
    method: Method,
    path: &'static str,
    handler: crate::routes::Handler,
    about: &'static str,
) -> Route {
    let (parameters, body, answer) = (&[], None, None);
    Route {
        method,
        path,
        work: crate::routes::Work::Whole(handler),
        needs: None,
        about,
        parameters,
        body,
        answer,
        is_page: true,
    }
}

/// The way in and out; the table of routes takes them over.
pub(crate) const LOGIN: [Route; 6] = [
    page(Method::Get, "/login", form, "The form to log in, or who is logged in."),
    page(Method::Post, "/login", log_in, "Logs in."),
    page(Method::Post, "/logout", log_out, "Logs out."),
    page(Method::Get, "/setup", setup_form, "The form for the first admin, for who has the link."),
    page(Method::Post, "/setup", setup, "Makes the first admin."),
    page(Method::Get, "/login.css", style, "How these pages look."),
];

/// Which page, and what it shows.
enum Page<'a> {
    LogIn { next: &'a str, said: Option<String>, ways: Ways<'a> },
    LoggedIn { name: &'a str, role: &'static str, csrf: String },
    Setup { token: &'a str, said: Option<&'static str> },
    Choose { token: &'a str, name: String, said: Option<&'static str> },
    NoLink,
    NotIn { said: &'static str },
    LoggedOut { ends_there: bool },
}

/// How persons may log in.
struct Ways<'a> {
    has_users: bool,
    /// What stands on the button that leads to the identity provider.
    button: Option<&'a str>,
}

impl Ways<'_> {
    fn of<'a>(people: &'a People, words: &'static Words) -> Ways<'a> {
        let button = people.gate.as_ref().map(|gate| gate.label.as_deref().unwrap_or(words.oidc.button));
        Ways { has_users: people.has_users(), button }
    }
}

#[derive(Template)]
#[template(path = "login.html")]
struct Shown<'a> {
    words: &'static Words,
    /// What the link to the other language keeps of the address.
    again: String,
    /// Where that link leads, where it is not this page.
    at: &'static str,
    page: Page<'a>,
}

/// The words of these pages.
pub(crate) struct Words {
    pub(crate) lang: &'static str,
    title: &'static str,
    name: &'static str,
    password: &'static str,
    log_in: &'static str,
    logged_in: &'static str,
    log_out: &'static str,
    setup: &'static str,
    rules: &'static str,
    /// Why no admin was made, where the rule is not told in its own words.
    not_good: Option<&'static str>,
    make: &'static str,
    choose: &'static str,
    choose_rules: &'static str,
    choose_it: &'static str,
    no_link: &'static str,
    wrong: &'static str,
    wait: &'static str,
    seconds: &'static str,
    pub(crate) busy: &'static str,
    no_file: &'static str,
    other: &'static str,
    other_lang: &'static str,
    /// Of the way through an identity provider.
    pub(crate) oidc: &'static crate::oidc::Words,
}

const ENGLISH: Words = Words {
    lang: "en",
    title: "Log in",
    name: "Name",
    password: "Password",
    log_in: "Log in",
    logged_in: "You are logged in",
    log_out: "Log out",
    setup: "The first admin",
    rules: "A name of letters, digits, - _ and . (no e-mail address), and a password of at least 12 characters.",
    not_good: None,
    make: "Make the admin",
    choose: "Choose your password",
    choose_rules: "A password of at least 12 characters; a sentence is easy to remember.",
    choose_it: "Use this password",
    no_link: "This link was used already, is older than an hour, or never was. An admin makes a new one; as long as there is no user, a new start of the server prints one.",
    wrong: "Name or password is wrong.",
    wait: "Too many tries. Try again in",
    seconds: "seconds.",
    busy: "Too many are logging in right now. Try again in a moment.",
    no_file: "The file of users cannot be written; the server's log says more.",
    other: "中文",
    other_lang: "zh",
    oidc: &crate::oidc::Words::ENGLISH,
};

const CHINESE: Words = Words {
    lang: "zh",
    title: "登录",
    name: "用户名",
    password: "密码",
    log_in: "登录",
    logged_in: "您已登录",
    log_out: "退出",
    setup: "第一位管理员",
    rules: "用户名由字母、数字、- _ 和 . 组成（不要用邮箱），密码至少 12 个字符。",
    not_good: Some("用户名或密码不符合要求：密码不能过短、过于简单或与用户名相近。"),
    make: "创建管理员",
    choose: "设置密码",
    choose_rules: "密码至少 12 个字符；一句话更容易记住。",
    choose_it: "使用此密码",
    no_link: "此链接已用过、超过一小时或不存在。管理员可创建新链接；若还没有用户，重新启动服务会打印新的链接。",
    wrong: "用户名或密码不正确。",
    wait: "尝试次数过多，请在",
    seconds: "秒后再试。",
    busy: "当前登录人数过多，请稍后再试。",
    no_file: "无法写入用户文件，详情见服务日志。",
    other: "English",
    other_lang: "en",
    oidc: &crate::oidc::Words::CHINESE,
};

/// `GET /login`.
fn form(app: &App, call: &Call) -> Result<Answer, Problem> {
    let people = people(app)?;
    let query = Query::parse(&call.query, &["next", "lang", "out"])?;
    let words = words(call, query.get("lang"));
    let page = match (call.who.logged_in(), session(&call.parts.headers), &people.gate) {
        (Some((name, role)), Some(session), _) => Page::LoggedIn { name, role: role.name(), csrf: csrf_token(session) },
        (_, _, Some(gate)) if query.flag("out")? => Page::LoggedOut { ends_there: gate.ends_there() },
        _ => {
            let next = local(query.get("next").unwrap_or_default());
            Page::LogIn { next, said: None, ways: Ways::of(people, words) }
        }
    };
    shown(words, page, StatusCode::OK)
}

/// `POST /login`.
fn log_in(app: &App, call: &Call) -> Result<Answer, Problem> {
    let people = people(app)?;
    needs_own_page(call)?;
    let sent = sent(call, &["name", "password", "next", "lang", "csrf"])?;
    let next = local(sent.get("next").unwrap_or_default());
    let words = words(call, sent.get("lang"));
    if !people.has_users() {
        let detail = "nobody logs in with a password here; open /login, which leads to the identity provider";
        return Err(Problem::new(Code::NoSuchPath, detail));
    }
    let ways = Ways::of(people, words);
    let known = people.log_in(
        sent.get("name").unwrap_or_default(),
        sent.get("password").unwrap_or_default(),
        address(app, call),
    );
    match known {
        Ok((session, who)) => {
            let cookie = format!("{COOKIE}={}; Path=/; Secure; HttpOnly; SameSite=Lax", session.reveal());
            // who was logged in before in this browser is not any more
            if let Some(before) = crate::access::session(&call.parts.headers) {
                people.log_out(before);
            }
            Ok(see_other(next).header(header::SET_COOKIE, text(&cookie)).happened("log-in", who))
        }
        Err(NotIn::Wrong) => {
            let page = Page::LogIn { next, said: Some(words.wrong.to_owned()), ways };
            let answer = shown(words, page, StatusCode::UNAUTHORIZED)?;
            // what was typed as a name may be a password: only names that are there are recorded
            Ok(answer.happened("log-in", people.named(sent.get("name").unwrap_or_default())))
        }
        Err(NotIn::Wait(seconds)) => {
            let said = format!("{} {seconds} {}", words.wait, words.seconds);
            let page = Page::LogIn { next, said: Some(said), ways };
            let answer = shown(words, page, StatusCode::TOO_MANY_REQUESTS)?;
            Ok(answer.header(header::RETRY_AFTER, HeaderValue::from(seconds)))
        }
        Err(NotIn::Busy) => {
            let page = Page::LogIn { next, said: Some(words.busy.to_owned()), ways };
            let answer = shown(words, page, StatusCode::SERVICE_UNAVAILABLE)?;
            Ok(answer.header(header::RETRY_AFTER, HeaderValue::from(1)))
        }
    }
}

/// `POST /logout`; that the form is one of ours was seen to before.
fn log_out(app: &App, call: &Call) -> Result<Answer, Problem> {
    let people = people(app)?;
    needs_own_page(call)?;
    if let Some(session) = session(&call.parts.headers) {
        people.log_out(session);
    }
    let cookie = format!("{COOKIE}=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0");
    // who came from the provider is told that a session may go on there
    let came_from_there = call.who.logged_in().is_some_and(|(name, _)| is_from_elsewhere(name));
    let to = if came_from_there { "/login?out=true" } else { "/login" };
    Ok(see_other(to).header(header::SET_COOKIE, text(&cookie)).happened("log-out", call.who.clone()))
}

/// `GET /setup`.
fn setup_form(app: &App, call: &Call) -> Result<Answer, Problem> {
    let people = people(app)?;
    let query = Query::parse(&call.query, &["token", "lang"])?;
    let words = words(call, query.get("lang"));
    let token = query.get("token").unwrap_or_default();
    if people.is_link(token) {
        shown(words, Page::Setup { token, said: None }, StatusCode::OK)
    } else if let Some(name) = people.invited(token) {
        shown(words, Page::Choose { token, name, said: None }, StatusCode::OK)
    } else {
        shown(words, Page::NoLink, StatusCode::FORBIDDEN)
    }
}

/// `POST /setup`.
fn setup(app: &App, call: &Call) -> Result<Answer, Problem> {
    let people = people(app)?;
    needs_own_page(call)?;
    let sent = sent(call, &["token", "name", "password", "lang", "csrf"])?;
    let words = words(call, sent.get("lang"));
    let token = sent.get("token").unwrap_or_default();
    let (name, password) = (sent.get("name").unwrap_or_default(), sent.get("password").unwrap_or_default());
    if let Some(invited) = people.invited(token) {
        return chosen(people, words, token, invited, password);
    }
    match people.first_admin(token, name, password) {
        Ok(()) => Ok(see_other("/login").happened("first-admin", people.named(name))),
        Err(NotMade::Link) => shown(words, Page::NoLink, StatusCode::FORBIDDEN),
        Err(NotMade::Rule(said)) => {
            let said = Some(words.not_good.unwrap_or(said));
            shown(words, Page::Setup { token, said }, StatusCode::UNPROCESSABLE_ENTITY)
        }
        Err(NotMade::File) => {
            let page = Page::Setup { token, said: Some(words.no_file) };
            shown(words, page, StatusCode::INTERNAL_SERVER_ERROR)
        }
    }
}

/// `POST /setup` of a user who chooses her password.
fn chosen(
    people: &People,
    words: &'static Words,
    token: &str,
    name: String,
    password: &str,
) -> Result<Answer, Problem> {
    let (said, status) = match people.choose(token, password) {
        Ok(who) => return Ok(see_other("/login").happened("password", who)),
        Err(NotMade::Link) => return shown(words, Page::NoLink, StatusCode::FORBIDDEN),
        Err(NotMade::Rule(said)) => (words.not_good.unwrap_or(said), StatusCode::UNPROCESSABLE_ENTITY),
        Err(NotMade::File) => (words.no_file, StatusCode::INTERNAL_SERVER_ERROR),
    };
    shown(words, Page::Choose { token, name, said: Some(said) }, status)
}

/// `GET /login.css`.
fn style(_: &App, call: &Call) -> Result<Answer, Problem> {
    Query::parse(&call.query, &[])?;
    Ok(Answer::text("text/css; charset=utf-8", include_bytes!("../assets/login.css").to_vec()))
}

/// Sends a browser without a session to the form, and from there back.
pub(crate) fn sent_to_login(path_and_query: &str) -> Answer {
    see_other(&format!("/login?next={}", encoded(path_and_query)))
}

pub(crate) fn people(app: &App) -> Result<&People, Problem> {
    let detail = "nobody logs in here: the server was started with neither --users nor --oidc-issuer";
    app.people().ok_or_else(|| Problem::new(Code::NoSuchPath, detail))
}

pub(crate) fn needs_own_page(call: &Call) -> Result<(), Problem> {
    if is_own_page(&call.parts) {
        return Ok(());
    }
    let detail = "a page of another site, or a proxy that changes the header `host`, sent this form; open /login here";
    Err(Problem::new(Code::ForeignPage, detail))
}

/// The fields of a form.
pub(crate) fn sent(call: &Call, known: &[&'static str]) -> Result<Query, Problem> {
    let wrong = || Problem::new(Code::MalformedQuery, "the body is no form; send `name=value&…` as a browser does");
    let kind = call.parts.headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    if !kind.trim().to_ascii_lowercase().starts_with("application/x-www-form-urlencoded") {
        return Err(wrong());
    }
    Query::parse(std::str::from_utf8(&call.body).map_err(|_| wrong())?, known)
}

/// The form's token in a body, for the check that it is one of ours.
pub(crate) fn csrf_field(call: &Call) -> Option<String> {
    let body = std::str::from_utf8(&call.body).ok()?;
    decoded(body.split('&').find_map(|pair| pair.strip_prefix("csrf="))?)
}

/// A path of this server, or the page that everybody may see: a link in a mail may not send anybody elsewhere.
pub(crate) fn local(next: &str) -> &str {
    let is_path = next.starts_with('/') && !next.starts_with("//");
    let is_plain = next.bytes().all(|b| b.is_ascii_graphic() && b != b'\\');
    if is_path && is_plain { next } else { HOME }
}

/// Whose tries are counted together.
fn address(app: &App, call: &Call) -> IpAddr {
    let peer = call.parts.extensions.get::<Peer>().map_or(IpAddr::from([127, 0, 0, 1]), |p| p.address);
    if !app.people().is_some_and(|p| p.is_behind_proxy) {
        return peer;
    }
    // the last one was written by our own proxy; those before it by anybody
    let forwarded = call.parts.headers.get_all("x-forwarded-for").iter().next_back().and_then(|v| v.to_str().ok());
    forwarded.and_then(|v| v.rsplit(',').next()?.trim().parse().ok()).unwrap_or(peer)
}

/// The network from which somebody comes.
pub(crate) fn network_of(app: &App, call: &Call) -> String {
    network(address(app, call))
}

/// The page that says that nobody was logged in, and leads back to the form.
pub(crate) fn not_in(words: &'static Words, said: &'static str, status: StatusCode) -> Result<Answer, Problem> {
    shown(words, Page::NotIn { said }, status)
}

/// The reader's language: as asked for, or as the browser says.
pub(crate) fn words(call: &Call, asked: Option<&str>) -> &'static Words {
    let accepted = call.parts.headers.get(header::ACCEPT_LANGUAGE).and_then(|v| v.to_str().ok());
    let lang = asked.or(accepted).unwrap_or_default();
    if lang.trim().to_ascii_lowercase().starts_with("zh") { &CHINESE } else { &ENGLISH }
}

fn shown(words: &'static Words, page: Page<'_>, status: StatusCode) -> Result<Answer, Problem> {
    let again = match &page {
        Page::LogIn { next, .. } => format!("next={}&", encoded(next)),
        Page::Setup { token, .. } | Page::Choose { token, .. } => format!("token={}&", encoded(token)),
        Page::LoggedOut { .. } => "out=true&".to_owned(),
        Page::LoggedIn { .. } | Page::NoLink | Page::NotIn { .. } => String::new(),
    };
    // the address of the page that says no may hold what belongs to nobody else
    let at = if matches!(page, Page::NotIn { .. }) { "/login" } else { "" };
    let html = Shown { words, again, at, page }.render();
    let html = html.map_err(|_| Problem::new(Code::Internal, "the page cannot be written; please report it"))?;
    Ok(Answer::text("text/html; charset=utf-8", html.into_bytes())
        .with_status(status)
        .header(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY))
        .header(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"))
        // with `no-referrer` a browser would call the origin of these forms `null`
        .header(header::REFERRER_POLICY, HeaderValue::from_static("same-origin")))
}

pub(crate) fn see_other(to: &str) -> Answer {
    let answer = Answer::text("text/plain; charset=utf-8", Vec::new()).with_status(StatusCode::SEE_OTHER);
    answer.header(header::LOCATION, text(to))
}

pub(crate) fn text(value: &str) -> HeaderValue {
    HeaderValue::from_str(value).expect("letters of an address or of a cookie")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_to_another_host() {
        for good in ["/", "/customers?tier=gold&page=2", "/customers/a%2Fb"] {
            assert_eq!(local(good), good);
        }
        for bad in [
            "",
            "//evil.example",
            "https://evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "evil",
            "/a\r\nb: c",
            "/ä",
            "javascript:alert(1)",
            "/\t/evil.example",
        ] {
            assert_eq!(local(bad), HOME, "{bad}");
        }
    }
}
