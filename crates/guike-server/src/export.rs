//! Customers as a file: `GET /v1/customers/export` for programs, `/customers.csv` and its like for people.
//!
//! The one idea: the file is made while it is sent, a piece whenever the connection takes one, on a thread that may work;
//! between two pieces it holds none, so that a slow client costs nothing.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::http::{HeaderValue, header};
use guike::Error;
use guike::report::text::count;
use guike::results::Ask;
use guike::results::export::{Export, TableForm};
use hyper::body::Frame;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::app::{Answer, App, Call, internal};
use crate::filter;
use crate::ledger::Sight;
use crate::problem::{Code, Problem};
use crate::query::{Query, list};
use crate::served::ServedRun;
use crate::v1::{run, wrong};

/// `GET /v1/customers/export`.
pub(crate) fn answer(app: &App, call: &Call) -> Result<Answer, Problem> {
    let query = Query::parse(&call.query, &filter::names(&["sort", "format", "purpose"]))?;
    let form = form(query.get("format").unwrap_or("csv"))?;
    let run = run(app)?;
    let ask = filter::ask(&run.results, &query, &call.sight, 1)?;
    file(run, &ask, form, &call.sight)
}

/// The form of this ending.
///
/// # Errors
/// [`Problem`] for another one.
pub(crate) fn form(ending: &str) -> Result<TableForm, Problem> {
    TableForm::ALL.into_iter().find(|f| f.ending() == ending).ok_or_else(|| {
        wrong(format!("parameter `format` takes one of {}", list(&TableForm::ALL.map(TableForm::ending))))
    })
}

/// The customers of a question as a file.
///
/// # Errors
/// [`Problem`] when they are more than the form can hold.
pub(crate) fn file(run: &Arc<ServedRun>, ask: &Ask<'_>, form: TableForm, sight: &Sight) -> Result<Answer, Problem> {
    let n = run.results.tally(ask).customers;
    if let Some(most) = form.most_rows().filter(|most| n > *most) {
        let detail = format!(
            "a sheet of a workbook holds {} customers, and these are {}; filter them, or save them as csv or parquet",
            count(most as u64),
            count(n as u64)
        );
        return Err(Problem::new(Code::TooManyRows, detail));
    }
    let sight = sight.clone();
    let shown = move |id: &str| sight.shown(id).into_owned();
    let export = Export::begin(Arc::clone(&run.results), ask, form, shown).map_err(|_| internal())?;
    let name = format!("attachment; filename=\"customers.{}\"", form.ending());
    Ok(Answer::streamed(form.media_type(), Body::new(Sending::Waiting(Some(Box::new(export)))))
        .header(header::CONTENT_DISPOSITION, HeaderValue::from_str(&name).expect("letters of a header"))
        .header(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"))
        .about(n))
}

/// An export with its next piece.
type Made = (Box<Export>, Result<Option<Vec<u8>>, Error>);

/// A file on its way.
enum Sending {
    /// Nobody asks for a piece; `None` when there are no more.
    Waiting(Option<Box<Export>>),
    /// The next piece is being made.
    Working(JoinHandle<Made>),
}

impl HttpBody for Sending {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if let Sending::Waiting(export) = &mut *self {
            let Some(mut export) = export.take() else { return Poll::Ready(None) };
            let work = move || {
                let piece = export.piece();
                (export, piece)
            };
            *self = Sending::Working(spawn_blocking(work));
        }
        let Sending::Working(work) = &mut *self else { return Poll::Ready(None) };
        let made = std::task::ready!(Pin::new(work).poll(context));
        let (export, piece) = match made {
            Ok((export, Ok(Some(piece)))) => (Some(export), Some(Ok(Frame::data(Bytes::from(piece))))),
            Ok((_, Ok(None))) => (None, None),
            // the head has gone out: that the transfer breaks off is all that can still be said
            Ok((_, Err(e))) => (None, Some(Err(io::Error::other(e.to_string())))),
            Err(_) => (None, Some(Err(io::Error::other("the work on the file was ended")))),
        };
        *self = Sending::Waiting(export);
        Poll::Ready(piece)
    }
}
