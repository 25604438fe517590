//! The customers of a question as a table, made while it is sent.
//!
//! The one idea: the table of a million customers is never in memory; a piece of it is made whenever somebody takes one.

use std::sync::Arc;

use guike_store::{OutColumn, OutData, TableStream};

pub use guike_store::TableForm;

use super::rfm::RfmCuts;
use super::{Ask, NUMBERS, Results};
use crate::error::Error;

/// Customers of a piece.
const PIECE: usize = 2_000;

/// What a customer is called, by her id.
type Shown = Box<dyn Fn(&str) -> String + Send>;

/// A table that is being made.
pub struct Export {
    results: Arc<Results>,
    /// What is asked, but for the prefix.
    ask: Ask<'static>,
    prefix: String,
    /// Where the next piece begins; `None` after the last one.
    from: Option<usize>,
    shown: Shown,
    /// The cuts of the run, and others by which scores and groups are told.
    cuts: Option<(RfmCuts, RfmCuts)>,
    /// `None` when it has ended.
    table: Option<TableStream>,
}

impl std::fmt::Debug for Export {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Export").field("from", &self.from).finish_non_exhaustive()
    }
}

impl Export {
    /// Begins the table of the customers that are asked for, wherever the page begins; `shown` says what they are called.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn begin(
        results: Arc<Results>,
        ask: &Ask<'_>,
        form: TableForm,
        shown: impl Fn(&str) -> String + Send + 'static,
    ) -> Result<Export, Error> {
        Ok(Export {
            prefix: ask.prefix.to_owned(),
            ask: Ask { prefix: "", ..*ask },
            from: Some(0),
            shown: Box::new(shown),
            cuts: None,
            table: Some(TableStream::begin(form, "customers")?),
            results,
        })
    }

    /// The same with scores and groups by other cuts than those of the run, which come first.
    pub fn regrouped(mut self, own: RfmCuts, cuts: RfmCuts) -> Export {
        self.cuts = Some((own, cuts));
        self
    }

    /// The next bytes; `None` after the last ones.
    ///
    /// # Errors
    /// [`Error::Store`], after which there is nothing more.
    pub fn piece(&mut self) -> Result<Option<Vec<u8>>, Error> {
        // some forms gather rows before there are bytes
        while let Some(from) = self.from.take() {
            let Some(mut table) = self.table.take() else { return Ok(None) };
            let page = self.results.page(&Ask { prefix: &self.prefix, from, limit: PIECE, ..self.ask });
            self.append(&mut table, &page.customers)?;
            self.from = page.next;
            let bytes = table.take();
            self.table = Some(table);
            if !bytes.is_empty() {
                return Ok(Some(bytes));
            }
        }
        let last = self.table.take().map(TableStream::finish).transpose()?;
        Ok(last.filter(|bytes| !bytes.is_empty()))
    }

    fn append(&self, table: &mut TableStream, customers: &[usize]) -> Result<(), Error> {
        let r = &self.results;
        let texts = |of: &dyn Fn(usize) -> String| customers.iter().map(|&at| of(at)).collect::<Vec<String>>();
        let ids = texts(&|at| (self.shown)(r.id(at)));
        let tiers = texts(&|at| r.tier(at).to_owned());
        let days = texts(&|at| r.known_until(at));
        let (scores, groups) = match &self.cuts {
            None => (texts(&|at| r.rfm_score(at).to_owned()), texts(&|at| r.rfm_group(at).to_owned())),
            Some((own, cuts)) => {
                let one = |at: usize| {
                    let ([recency, frequency, money], group) = r.rescored(at, own, cuts);
                    (format!("{recency}{frequency}{money}"), group.to_owned())
                };
                customers.iter().map(|&at| one(at)).unzip()
            }
        };
        let of = |column: usize| customers.iter().map(|&at| r.numbers(column)[at]).collect::<Vec<f64>>();
        let numbers: Vec<Vec<f64>> = (0..NUMBERS.len()).map(of).collect();
        let text = |name, values| OutColumn { name, data: OutData::Text(values) };
        let mut columns = vec![text("customer_id", &ids), text("tier", &tiers), text("as_of", &days)];
        columns.extend(NUMBERS.iter().zip(&numbers).map(|(name, v)| OutColumn { name, data: OutData::Number(v) }));
        columns.extend([text("rfm_score", &scores), text("rfm_group", &groups)]);
        Ok(table.append(&columns)?)
    }
}
