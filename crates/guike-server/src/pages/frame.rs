//! What every page has around it: where one can go, what is being looked at, languages and colours; and the page of a problem.

use std::sync::Arc;

use askama::Template;
use axum::http::{HeaderValue, header};
use guike::report::page::Text;
use guike::report::text::count;
use guike::report::view::ReportView;
use guike::report::words::{self as w, Word};
use guike::report::{Lang, Measure};
use guike_core::{Day, SECONDS_PER_DAY};
use guike_guard::csrf_token;

use super::reader::{Reader, Theme};
use super::show::Block;
use super::{assets, words as own, words_running};
use crate::access::session;
use crate::app::{Answer, App, Call};
use crate::ledger::Sight;
use crate::problem::{Code, Problem};
use crate::query::Query;
use crate::served::{ServedRun, encoded};
use crate::who::Who;

/// What a page may load and where it may be shown: nothing from elsewhere, no script or style inside it, in no frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// A page that is being made.
pub(super) struct Page<'a> {
    pub(super) app: &'a App,
    pub(super) reader: Reader,
    pub(super) who: Who,
    /// How the reader sees customers.
    pub(super) sight: Sight,
    /// What shows that a form is one of ours, for who is logged in.
    pub(super) token: Option<String>,
    pub(super) query: Query,
    pub(super) lang: Lang,
}

/// A link of the page's surroundings.
struct Link {
    href: String,
    label: String,
    /// The language of the label, where it is another.
    lang: &'static str,
    is_current: bool,
}

#[derive(Template)]
#[template(path = "page.html", escape = "html")]
struct Html {
    lang: &'static str,
    theme: Option<&'static str>,
    /// The sign of the currency, for the numbers of charts.
    sign: String,
    script: String,
    style: String,
    title: String,
    shop: String,
    nav: Vec<Link>,
    languages: Vec<Link>,
    themes: Vec<Link>,
    facts: Vec<(String, String)>,
    back: Option<(String, String)>,
    blocks: Vec<Block>,
    /// Who is logged in: the name, the token, and what the button says.
    user: Option<(String, String, String)>,
    say: Say,
}

/// Words of the surroundings.
struct Say {
    skip: String,
    pages: String,
    language: String,
    theme: String,
    as_table: String,
    save: String,
    no_script: String,
    footer: String,
    lang: Lang,
}

impl Say {
    fn save_of(&self, what: &str) -> String {
        own::SAVE_OF.with(&[("what", Text::same(what))]).plain(self.lang)
    }

    fn table_of(&self, what: &str) -> String {
        own::TABLE_OF.with(&[("what", Text::same(what))]).plain(self.lang)
    }
}

impl<'a> Page<'a> {
    /// Reads what is asked; these parameters are known beside language and colours.
    pub(super) fn open(app: &'a App, call: &Call, known: &[&'static str]) -> Result<Page<'a>, Problem> {
        let reader = Reader::of(&call.parts);
        let known: Vec<&'static str> = known.iter().copied().chain(["lang", "theme", "purpose"]).collect();
        let query = Query::parse(&call.query, &known)?;
        Ok(Page {
            app,
            lang: reader.lang,
            reader,
            who: call.who.clone(),
            sight: call.sight.clone(),
            token: token(call),
            query,
        })
    }

    /// What for customers are looked at, as the address says it: nothing, or `?purpose=…`.
    pub(super) fn purpose(&self) -> String {
        self.query
            .get("purpose")
            .filter(|p| !p.is_empty())
            .map_or_else(String::new, |p| format!("?purpose={}", encoded(p)))
    }

    /// The results that are served.
    pub(super) fn run(&self) -> Result<&'a Arc<ServedRun>, Problem> {
        let missing = || Problem::new(Code::NoResults, own::NO_RUN.text().plain(self.lang));
        self.app.served.run.as_ref().ok_or_else(missing)
    }

    /// The shop as a whole, or the words why it is not there.
    pub(super) fn view(&self) -> Result<&'a ReportView, Block> {
        let run = self.app.served.run.as_ref();
        let board = run.and_then(|r| r.results.board());
        board.map(|b| &b.view).ok_or_else(|| Block::Missing { html: self.html(own::OLD_RUN) })
    }

    pub(super) fn say(&self, word: Word) -> String {
        word.text().plain(self.lang)
    }

    pub(super) fn fill(&self, word: Word, with: &[(&str, String)]) -> String {
        self.filled(word, with).plain(self.lang)
    }

    pub(super) fn html(&self, word: Word) -> String {
        word.text().html_in(self.lang)
    }

    pub(super) fn fill_html(&self, word: Word, with: &[(&str, String)]) -> String {
        self.filled(word, with).html_in(self.lang)
    }

    pub(super) fn filled(&self, word: Word, with: &[(&str, String)]) -> Text {
        let with: Vec<(&str, Text)> = with.iter().map(|(name, value)| (*name, Text::same(value))).collect();
        word.with(&with)
    }

    /// How money is written.
    pub(super) fn money(&self) -> Measure<'a> {
        let board = self.app.served.run.as_ref().and_then(|r| r.results.board());
        Measure::Money(board.and_then(|b| b.view.currency.as_deref()))
    }

    /// An amount in three digits.
    pub(super) fn short(&self, amount: f64) -> String {
        self.money().short(amount, self.lang)
    }

    /// The name of an axis of money, which says so where the currency is not known.
    pub(super) fn money_axis(&self, name: Word) -> String {
        format!("{}{}", name.pick(self.lang), self.money_unit())
    }

    /// What is said of amounts where the currency is not known.
    pub(super) fn money_unit(&self) -> &'static str {
        match self.money() {
            Measure::Money(None) => w::LOG_UNIT.pick(self.lang),
            _ => "",
        }
    }

    /// The page as an answer.
    pub(super) fn answer(self, title: &str, back: Option<(String, String)>, blocks: Vec<Block>) -> Answer {
        let facts = self.app.served.run.as_ref().filter(|_| !self.reader.path.starts_with("/models"));
        let facts = facts.map(|r| self.facts(r)).unwrap_or_default();
        self.framed(title, facts, back, blocks)
    }

    fn framed(
        &self,
        title: &str,
        facts: Vec<(String, String)>,
        back: Option<(String, String)>,
        blocks: Vec<Block>,
    ) -> Answer {
        let lang = self.lang;
        let sign = self.money().short(0.0, lang).replace('0', "");
        let of = |t: Theme| {
            (
                t,
                match t {
                    Theme::Auto => w::AUTO,
                    Theme::Light => w::LIGHT,
                    Theme::Dark => w::DARK,
                },
            )
        };
        let page = Html {
            lang: lang.pick("en", "zh-CN"),
            theme: Some(self.reader.theme).filter(|t| *t != Theme::Auto).map(Theme::name),
            sign,
            script: assets::script(),
            style: assets::style(),
            title: title.to_owned(),
            shop: self.app.served.names().first().copied().unwrap_or_default().to_owned(),
            nav: self.nav(),
            languages: [(Lang::En, "English"), (Lang::Zh, "中文")]
                .map(|(l, name)| Link {
                    href: self.reader.with("lang", l.tag()),
                    label: name.to_owned(),
                    lang: l.pick("en", "zh-CN"),
                    is_current: l == lang,
                })
                .into(),
            themes: Theme::ALL
                .map(of)
                .map(|(t, name)| Link {
                    href: self.reader.with("theme", t.name()),
                    label: self.say(name),
                    lang: "",
                    is_current: t == self.reader.theme,
                })
                .into(),
            facts,
            back,
            blocks,
            user: self
                .who
                .logged_in()
                .zip(self.token.clone())
                .map(|((name, _), token)| (name.to_owned(), token, self.say(own::LOG_OUT))),
            say: Say {
                skip: self.say(own::SKIP),
                pages: self.say(own::PAGES),
                language: self.say(w::LANGUAGE),
                theme: self.say(w::THEME),
                as_table: self.say(w::AS_TABLE),
                save: self.say(own::SAVE),
                no_script: self.say(own::NO_SCRIPT),
                footer: self.fill(own::FOOTER, &[("version", env!("CARGO_PKG_VERSION").to_owned())]),
                lang,
            },
        };
        let html = page.render().expect("a String takes every page");
        let answer = Answer::text("text/html; charset=utf-8", html.into_bytes());
        let cookies: Vec<HeaderValue> = self.reader.cookies().collect();
        cookies.into_iter().fold(guarded(answer), |a, c| a.header(header::SET_COOKIE, c))
    }

    fn nav(&self) -> Vec<Link> {
        const OF_RUN: [(&str, Word); 9] = [
            ("/", own::OVERVIEW),
            ("/customers", w::CUSTOMERS_TITLE),
            ("/audiences", own::AUDIENCES),
            ("/tiers", w::TIERS),
            ("/rfm", own::RFM),
            ("/quality", own::QUALITY),
            ("/explain", own::EXPLAIN),
            ("/retention", own::RETENTION),
            ("/drift", words_running::DRIFT),
        ];
        let run = self.app.served.run.is_some();
        let models = !self.app.served.models.is_empty();
        let is_guarded = self.app.people().is_some() || self.app.keys().is_some() || self.app.audit_files().is_some();
        let pages = OF_RUN
            .into_iter()
            .filter(|_| run)
            .chain([("/models", own::MODELS)].into_iter().filter(|_| models))
            .chain([("/jobs", words_running::JOBS)].into_iter().filter(|_| self.app.jobs.is_some()))
            .chain([("/admin", words_running::ADMIN)].into_iter().filter(|_| is_guarded));
        let path = self.reader.path.as_str();
        let may = |href: &str| super::needs(href).is_none_or(|(resource, action)| self.who.may(resource, action));
        pages
            .filter(|(href, _)| may(href))
            .map(|(href, word)| Link {
                href: if matches!(href, "/customers" | "/audiences") {
                    href.to_owned() + &self.purpose()
                } else {
                    href.to_owned()
                },
                label: self.say(word),
                lang: "",
                is_current: path == href
                    || (href != "/" && path.strip_prefix(href).is_some_and(|rest| rest.starts_with('/')))
                    || (path == "/" && !run && href == "/models"),
            })
            .collect()
    }

    /// What is being looked at: which log, until when, how far, who forecasts.
    fn facts(&self, run: &ServedRun) -> Vec<(String, String)> {
        let e = run.results.evaluation();
        let text = |name: &str| e[name].as_str().map(str::to_owned);
        let days = e["horizon_days"].as_u64().map(|d| d.to_string());
        let mut facts = Vec::new();
        let mut put = |name: Word, value: Option<String>| facts.extend(value.map(|v| (self.say(name), v)));
        put(own::SOURCE, run.results.board().map(|b| b.view.source.clone()));
        let until = text("cutoff").and_then(|c| c.parse::<Day>().ok()).zip(e["horizon_days"].as_i64());
        put(w::KNOWN_UNTIL, text("cutoff"));
        let ahead = until.and_then(|(day, ahead)| Some(day.plus(i32::try_from(ahead).ok()?).to_string()));
        put(w::LOOKS_AHEAD, days.zip(ahead).map(|(n, day)| self.fill(w::DAYS_UNTIL, &[("n", n), ("day", day)])));
        put(w::CUSTOMERS_TITLE, Some(count(run.results.len() as u64)));
        facts
    }
}

/// The token of the session, for who is logged in.
fn token(call: &Call) -> Option<String> {
    call.who.logged_in()?;
    session(&call.parts.headers).map(csrf_token)
}

/// With what keeps a page to itself.
fn guarded(answer: Answer) -> Answer {
    [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // with `no-referrer` a browser would call the origin of the pages' forms `null`, and they would be refused
        (header::REFERRER_POLICY, "same-origin"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ]
    .into_iter()
    .fold(answer, |a, (name, value)| a.header(name, HeaderValue::from_static(value)))
}

/// A problem as a page.
pub(crate) fn problem(app: &App, reader: &Reader, who: &Who, problem: &Problem, request_id: &str) -> Answer {
    let page = Page {
        app,
        lang: reader.lang,
        reader: reader.clone(),
        who: who.clone(),
        sight: Sight::OPEN,
        token: None,
        query: Query::default(),
    };
    let (_, _, title) = problem.code.words();
    let html = super::show::escaped(problem.detail());
    let id = page.fill_html(own::PROBLEM_ID, &[("id", request_id.to_owned())]);
    let blocks = vec![Block::Missing { html }, Block::Prose { html: format!("<span class=\"quiet\">{id}</span>") }];
    let title = if problem.code == Code::NoCustomer { page.say(own::NO_CUSTOMER) } else { title.to_owned() };
    let back = Some(("/".to_owned(), page.say(own::GO_HOME)));
    page.framed(&title, Vec::new(), back, blocks)
}

/// Today, at Greenwich.
pub(super) fn today() -> Day {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_secs());
    Day(i32::try_from(now / SECONDS_PER_DAY as u64).unwrap_or(i32::MAX))
}
