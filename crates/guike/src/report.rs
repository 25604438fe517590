//! The report: one HTML file that answers a shop owner's questions, opens offline and asks nobody for anything.
//!
//! The one idea: [`view`] is plain data, the sections (one file each) turn it into headings, sentences, charts and tables
//! in both languages, and one template lays them out. Both languages and both themes are in the file; switching them is
//! done by CSS alone, so it works where scripts are blocked.
//!
//! ```
//! fn page(view: &guike::report::view::ReportView) -> String {
//!     guike::report::render(view).expect("a String holds any page")
//! }
//! ```

mod answer;
mod classification;
mod cohorts;
mod method;
pub mod page;
mod plain;
mod quality;
mod sure;
mod tiers;
pub mod told;
pub mod training;
pub mod view;
mod who;
pub(crate) mod why;
mod why_change;
mod why_line;
mod why_rules;
mod why_table;
pub mod words;

use askama::Template;
use guike_explain::theme::{Theme, chart_css, variables};
pub use guike_explain::{Interval, Lang, Measure, text, theme};

use page::{Block, Section, Text};
use view::ReportView;
use words as w;

/// A report that could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The template engine refused; only possible when memory runs out.
    #[error("write the report: {0}")]
    Template(#[from] askama::Error),
}

#[derive(Template)]
#[template(path = "report.html", escape = "html")]
struct Html<'a> {
    zh_first: bool,
    light: String,
    dark: String,
    chart_css: String,
    source: &'a str,
    version: &'a str,
    title: Text,
    facts: Vec<(Text, Text)>,
    sections: Vec<Section>,
    skip: Text,
    language: Text,
    theme: Text,
    auto: Text,
    bright: Text,
    dim: Text,
    contents: Text,
    as_table: Text,
    check: Text,
    footer: Text,
}

/// What stands above the sections of a page.
struct Head<'a> {
    lang: Lang,
    source: &'a str,
    version: &'a str,
    title: Text,
    facts: Vec<(Text, Text)>,
}

impl<'a> Html<'a> {
    fn new(head: Head<'a>, sections: Vec<Section>) -> Html<'a> {
        Html {
            zh_first: head.lang == Lang::Zh,
            light: variables(Theme::Light),
            dark: variables(Theme::Dark),
            chart_css: chart_css(),
            source: head.source,
            version: head.version,
            title: head.title,
            facts: head.facts,
            sections,
            skip: w::SKIP.text(),
            language: w::LANGUAGE.text(),
            theme: w::THEME.text(),
            auto: w::AUTO.text(),
            bright: w::LIGHT.text(),
            dim: w::DARK.text(),
            contents: w::CONTENTS.text(),
            as_table: w::AS_TABLE.text(),
            check: w::WARNING.text(),
            footer: w::FOOTER.with(&[("version", Text::same(head.version))]),
        }
    }
}

/// The report as one self-contained HTML page.
///
/// Its size does not grow with the number of customers (about 300 kB).
///
/// # Errors
/// [`ReportError`]; in practice never.
pub fn render(view: &ReportView) -> Result<String, ReportError> {
    let head = Head {
        lang: view.lang,
        source: &view.source,
        version: &view.method.version,
        title: w::REPORT.text(),
        facts: vec![
            (w::LOG.text(), Text::same(&view.source)),
            (w::KNOWN_UNTIL.text(), Text::same(view.cutoff.to_string())),
            (w::LOOKS_AHEAD.text(), w::DAYS_UNTIL.with(&[("n", days(view)), ("day", Text::whole(last_day(view)))])),
            (w::CUSTOMERS_TITLE.text(), Text::same(guike_explain::text::count(view.answer.n_customers))),
        ],
    };
    let sections = vec![
        answer::section(view),
        tiers::section(view),
        who::section(view),
        sure::section(view),
        cohorts::section(view),
        quality::section(view),
        method::section(view),
    ];
    Ok(Html::new(head, sections).render()?)
}

/// The report's measure of money.
fn money(view: &ReportView) -> Measure<'_> {
    Measure::Money(view.currency.as_deref())
}

/// An amount of money in three significant digits.
fn short_money(view: &ReportView, value: f64) -> Text {
    Text::each(|lang| money(view).short(value, lang))
}

/// The horizon's days.
fn days(view: &ReportView) -> Text {
    Text::same(view.horizon.days().to_string())
}

/// The last day the forecast looks at.
fn last_day(view: &ReportView) -> String {
    view.cutoff.last_day().plus(view.horizon.days() as i32).to_string()
}

#[cfg(test)]
mod sample;
#[cfg(test)]
mod tests;
