//! `GET /customers.csv`: the customers of a question as a file, written while it is sent.
//!
//! The one idea: the file of a million customers is never in memory; a piece of it is made whenever the connection takes one.

use std::fmt::Write as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::http::{HeaderValue, header};
use guike::results::{Ask, NUMBERS, Results, Sort};
use hyper::body::Frame;

use super::customers::ASKED;
use super::frame::Page;
use crate::app::{Answer, App, Call};
use crate::ledger::Sight;
use crate::problem::Problem;
use crate::served::ServedRun;
use crate::v1;

/// Customers of a piece.
const PIECE: usize = 2_000;

/// `GET /customers.csv`.
pub(super) fn answer(app: &App, call: &Call) -> Result<Answer, Problem> {
    let page = Page::open(app, call, &ASKED[..4])?;
    let run = page.run()?;
    let ask = v1::ask(&run.results, &page.query, &page.sight, PIECE)?;
    let file = File {
        run: Arc::clone(run),
        prefix: ask.prefix.to_owned(),
        tier: ask.tier,
        group: ask.group,
        sort: ask.sort,
        descending: ask.descending,
        from: Some(0),
        is_begun: false,
        sight: page.sight.clone(),
    };
    let n = run.results.tally(&ask).customers;
    Ok(Answer::streamed("text/csv; charset=utf-8", Body::new(file))
        .header(header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"customers.csv\""))
        .header(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"))
        .about(n))
}

/// A file that is being written.
struct File {
    run: Arc<ServedRun>,
    prefix: String,
    tier: Option<u32>,
    group: Option<u32>,
    sort: Sort,
    descending: bool,
    /// Where the next piece begins; `None` after the last one.
    from: Option<usize>,
    is_begun: bool,
    /// What the reader may call them.
    sight: Sight,
}

impl File {
    fn piece(&mut self) -> Option<String> {
        let from = self.from?;
        let ask = Ask {
            prefix: &self.prefix,
            tier: self.tier,
            group: self.group,
            sort: self.sort,
            descending: self.descending,
            from,
            limit: PIECE,
        };
        let page = self.run.results.page(&ask);
        let mut text = String::with_capacity(PIECE * 160);
        if !self.is_begun {
            // the mark by which spreadsheets know that this is UTF-8
            writeln!(text, "\u{feff}customer_id,tier,{},rfm_score,rfm_group", NUMBERS.join(","))
                .expect("a String takes all");
        }
        for &at in &page.customers {
            let id = self.sight.shown(self.run.results.id(at));
            line(&self.run.results, at, &id, &mut text);
        }
        self.is_begun = true;
        self.from = page.next;
        Some(text)
    }
}

fn line(r: &Results, at: usize, id: &str, out: &mut String) {
    out.push_str(&cell(id));
    out.push(',');
    out.push_str(&cell(r.tier(at)));
    for column in 0..NUMBERS.len() {
        out.push(',');
        if let Some(v) = r.number(at, column) {
            write!(out, "{v}").expect("a String takes all");
        }
    }
    writeln!(out, ",{},{}", cell(r.rfm_score(at)), cell(r.rfm_group(at))).expect("a String takes all");
}

/// A text as a cell. One that a spreadsheet would run as a formula begins with an apostrophe, which makes it a text.
fn cell(text: &str) -> String {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if is_formula { format!("'{text}") } else { text.to_owned() };
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

impl HttpBody for File {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::convert::Infallible>>> {
        Poll::Ready(self.piece().map(|text| Ok(Frame::data(Bytes::from(text)))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_text_and_never_a_formula() {
        for (text, written) in [
            ("C01", "C01"),
            ("=cmd()", "'=cmd()"),
            ("@x", "'@x"),
            ("-1", "'-1"),
            ("a,b", "\"a,b\""),
            ("=a\"b", "\"'=a\"\"b\""),
            ("贵", "贵"),
        ] {
            assert_eq!(cell(text), written);
        }
    }
}
