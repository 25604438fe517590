//! `GET /customers.csv` and its like: the customers of a question as a file, for who looks at them on a page.

use super::frame::Page;
use crate::app::{Answer, App, Call};
use crate::problem::Problem;
use crate::{export, filter};

/// `GET /customers.csv`, `/customers.xlsx`, `/customers.parquet`.
pub(super) fn answer(app: &App, call: &Call) -> Result<Answer, Problem> {
    let page = Page::open(app, call, &filter::names(&["sort"]))?;
    let run = page.run()?;
    let ask = filter::ask(&run.results, &page.query, &page.sight, 1)?;
    let ending = call.parts.uri.path().rsplit('.').next().unwrap_or_default();
    export::file(run, &ask, export::form(ending)?, &page.sight)
}
