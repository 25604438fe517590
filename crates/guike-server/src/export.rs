//! Customers as a file: `GET /v1/customers/export` for programs, `/customers.csv` and its like for people.
//!
//! The one idea: the file is made while it is sent, a piece whenever the connection takes one ([`crate::sending`]).

use std::io;
use std::sync::Arc;

use axum::http::{HeaderValue, header};
use guike::report::text::count;
use guike::results::Ask;
use guike::results::export::{Export, TableForm};
use guike::results::rfm::RfmCuts;

use crate::app::{Answer, App, Call, internal};
use crate::filter;
use crate::ledger::Sight;
use crate::problem::{Code, Problem};
use crate::query::{Query, list};
use crate::sending::{Pieces, Sending};
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

/// The same with scores and groups by other cuts than those of the run, which come first.
///
/// # Errors
/// As [`file`].
pub(crate) fn regrouped(
    run: &Arc<ServedRun>,
    ask: &Ask<'_>,
    form: TableForm,
    sight: &Sight,
    (own, cuts): (RfmCuts, RfmCuts),
) -> Result<Answer, Problem> {
    sent(run, ask, form, sight, |export| export.regrouped(own, cuts))
}

/// The customers of a question as a file.
///
/// # Errors
/// [`Problem`] when they are more than the form can hold.
pub(crate) fn file(run: &Arc<ServedRun>, ask: &Ask<'_>, form: TableForm, sight: &Sight) -> Result<Answer, Problem> {
    sent(run, ask, form, sight, |export| export)
}

fn sent(
    run: &Arc<ServedRun>,
    ask: &Ask<'_>,
    form: TableForm,
    sight: &Sight,
    with: impl FnOnce(Export) -> Export,
) -> Result<Answer, Problem> {
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
    let export = with(Export::begin(Arc::clone(&run.results), ask, form, shown).map_err(|_| internal())?);
    let name = format!("attachment; filename=\"customers.{}\"", form.ending());
    Ok(Answer::streamed(form.media_type(), Sending::of(export, None))
        .header(header::CONTENT_DISPOSITION, HeaderValue::from_str(&name).expect("letters of a header"))
        .header(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"))
        .about(n))
}

impl Pieces for Export {
    fn piece(&mut self) -> io::Result<Option<Vec<u8>>> {
        Export::piece(self).map_err(|e| io::Error::other(e.to_string()))
    }
}
