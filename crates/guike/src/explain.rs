//! Why the model says what it says: of one customer, of a shop, of a row, of a table.
//!
//! The one idea: [`explain`] looks at what kind of model it is given. A model of `guike run` reads an order log, and its
//! forecast is shared out among *themes* (recency, frequency, money …) by asking the whole saved model about hybrids of
//! customers; a model of `guike train` reads a table and is explained by columns. Either gives plain data ([`Explanation`])
//! from which JSON, words and a page are made.
//!
//! Opening a log of a million customers computes features of about a thousand of them, whatever is asked. It explains the
//! model and not the world: what would happen if a customer were nudged is a question for an experiment.

pub(crate) mod asking;
pub(crate) mod cases;
pub(crate) mod customer;
mod of_run;
mod shop;

use std::path::Path;

use guike_core::{Artifact, Cutoff, Horizon, Progress};
use guike_data::{Imported, LogFiles};
use guike_store::read_json_if_there;
use serde::Serialize;

pub(crate) use of_run::explain as explain_run;

pub use guike_decide::TierName;

pub use customer::{Alike, CustomerExplanation, Expected, Fact, NextTier, Standing, ThemeShare, WhatIf};
pub use shop::{ShopExplanation, ThemeImportance};

pub use crate::table::explain::{About, OfRow, RowExplanation, TableExplanation};

use crate::error::Error;
use crate::forecast::Final;
use crate::learners;
use crate::output::names;
use crate::report;
use crate::run::{Language, cutoff_and_horizon, read};
use crate::saved::{self, Opened, SavedModel};
use crate::settings::Settings;
use crate::table::explain::{Asked, Why};
use crate::table::{self, Loaded};
use cases::{Reader, Who};
use customer::SavedTiers;
use shop::Effort;

/// What to explain.
#[derive(Debug, Clone, Default)]
pub struct Question {
    /// A customer's id, or the id of a row where the table has an id column; `None` for all.
    pub who: Option<String>,
    /// Number of a row of a table, from 1.
    pub row: Option<usize>,
    /// What else is asked about the row.
    pub of_row: OfRow,
    /// Last known day of an order log; default the log's last day.
    pub cutoff: Option<guike_core::Day>,
    /// How far ahead; default the horizon that the model was chosen for.
    pub horizon: Option<Horizon>,
}

/// An explanation with everything to show it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// Name of the model.
    pub model: String,
    /// Name of the file that was read.
    pub source: String,
    /// What was asked and found.
    #[serde(flatten)]
    pub found: Found,
}

/// What was explained.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "explains")]
pub enum Found {
    /// One customer of an order log.
    Customer {
        /// Where and how far.
        #[serde(flatten)]
        at: At,
        /// Why.
        #[serde(flatten)]
        why: Box<CustomerExplanation>,
    },
    /// All customers of an order log.
    Shop {
        /// Where and how far.
        #[serde(flatten)]
        at: At,
        /// Why.
        #[serde(flatten)]
        why: ShopExplanation,
    },
    /// One row of a table.
    Row {
        /// What the parts are parts of.
        #[serde(flatten)]
        about: About,
        /// Why.
        #[serde(flatten)]
        why: Box<RowExplanation>,
    },
    /// A model on all rows of a table.
    Table {
        /// What the parts are parts of.
        #[serde(flatten)]
        about: About,
        /// Why.
        #[serde(flatten)]
        why: Box<TableExplanation>,
    },
}

/// Where a forecast stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct At {
    /// Last known day.
    pub cutoff: Cutoff,
    /// How far ahead, in days.
    pub horizon_days: u32,
    /// Currency, where the log names one.
    pub currency: Option<String>,
}

impl Explanation {
    /// As plain text, for a terminal.
    pub fn text(&self, language: Language) -> String {
        report::why::text(self, language)
    }

    /// As one self-contained HTML page in both languages, this one first.
    ///
    /// # Errors
    /// [`Error::Internal`]; in practice never.
    pub fn page(&self, language: Language) -> Result<String, Error> {
        report::why::page(self, language).map_err(|e| Error::Internal(e.to_string()))
    }

    /// Writes the page, whole or not at all.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn write_page(&self, language: Language, out: &Path) -> Result<(), Error> {
        let page = self.page(language)?;
        Ok(guike_store::write_bytes(out, page.as_bytes())?)
    }
}

/// Explains what the model at `model` (a `model.json`, a text that LightGBM saved, its folder, or the folder of a run) says about the log or table at
/// `data`. A table is one file; an order log may be several.
///
/// # Errors
/// [`Error::NotThere`] for a customer without a purchase by the cutoff or a row that is not there, [`Error::Config`] for a
/// question that this kind of model cannot be asked, [`Error::Store`] for a model that is missing or damaged,
/// [`Error::Data`] for a bad log or table.
pub fn explain(
    model: &Path,
    data: &LogFiles,
    question: &Question,
    settings: &Settings,
    progress: &dyn Progress,
) -> Result<Explanation, Error> {
    let Opened { file, model } = saved::open(model)?;
    match model {
        SavedModel::Table(loaded) => explain_table(&loaded, data, question, settings, progress),
        SavedModel::Orders(artifact) => explain_log(&file, &artifact, data, question, settings, progress),
    }
}

fn explain_table(
    loaded: &Loaded,
    data: &LogFiles,
    question: &Question,
    settings: &Settings,
    progress: &dyn Progress,
) -> Result<Explanation, Error> {
    let only_logs = [
        ("--cutoff", question.cutoff.map(|d| d.to_string())),
        ("--horizon", question.horizon.map(|h| h.days().to_string())),
    ];
    if let Some((what, value)) = only_logs.into_iter().find_map(|(flag, v)| Some((flag, v?))) {
        let rule = "this model was made by `guike train` and reads a table, which has no time; leave it out".to_owned();
        return Err(Error::Config { what: what.to_owned(), value, rule });
    }
    let Some(file) = data.single() else {
        return Err(Error::Config {
            what: "DATA".to_owned(),
            value: data.title(),
            rule: "this model reads a table, which is one file; name the one that holds the rows".to_owned(),
        });
    };
    let asked = Asked { row: question.row, id: question.who.clone(), more: question.of_row.clone() };
    let seed = settings.forecast.seed.derive("explain");
    let (about, found) = table::explain::explain(loaded, file, &asked, &settings.data.read, seed, progress)?;
    let found = match found {
        Why::Row(why) => Found::Row { about, why },
        Why::All(why) => Found::Table { about, why },
    };
    Ok(Explanation { model: loaded.learner_name().to_owned(), source: data.title(), found })
}

fn explain_log(
    file: &Path,
    artifact: &Artifact,
    data: &LogFiles,
    question: &Question,
    settings: &Settings,
    progress: &dyn Progress,
) -> Result<Explanation, Error> {
    if let Some((what, value)) = question.of_row.first_flag() {
        let rule =
            "this model was made by `guike run`; for a customer's id it is always told what one more order would do"
                .to_owned();
        return Err(Error::Config { what: what.to_owned(), value, rule });
    }
    if let Some(row) = question.row {
        let rule =
            "this model was made by `guike run` and reads an order log, which has customers; give a customer's id"
                .to_owned();
        return Err(Error::Config { what: "--row".to_owned(), value: row.to_string(), rule });
    }
    let calibration = saved::calibration_beside(file)?;
    let model = learners::load(artifact)?;
    // the rule of the run's tiers lies beside the model's folder
    let tiers: Option<SavedTiers> = match file.parent().and_then(Path::parent) {
        Some(run) => read_json_if_there(&run.join(names::TIERS_JSON))?,
        None => None,
    };
    let mut settings = settings.clone();
    settings.forecast.cutoff = question.cutoff.or(settings.forecast.cutoff);
    settings.forecast.horizon = question.horizon.or(Some(model.card().horizon));
    progress.stage("reading", 0);
    let Imported { log, .. } = read(data, &settings, progress)?;
    let (cutoff, horizon) = cutoff_and_horizon(log.purchase_span(), &settings)?;
    progress.stage("explaining", 0);
    let model = Final { model, calibration, notes: Vec::new() };
    let reader = Reader::new(&log, model.model.card(), cutoff, horizon)?;
    if reader.n_buyers() < 2 {
        let why =
            format!("the log has one customer with a purchase by {cutoff}, and an explanation compares customers");
        return Err(Error::NoAnswer(why));
    }
    let seed = settings.forecast.seed.derive("explain");
    let at = At { cutoff, horizon_days: horizon.days(), currency: log.currency().map(str::to_owned) };
    let found = match &question.who {
        None => Found::Shop { at, why: shop::explain(&model, &reader, Effort::default(), seed)? },
        Some(id) => {
            let customer = find(log.customer_ids(), id, &reader, cutoff)?;
            let why =
                customer::explain(&model, &reader, log.customer_ids(), (Who::is(customer), id), tiers.as_ref(), seed)?;
            Found::Customer { at, why: Box::new(why) }
        }
    };
    Ok(Explanation { model: artifact.card.name.clone(), source: data.title(), found })
}

/// The customer of this id.
///
/// An id may be a telephone number or an address: neither the one that was typed nor a customer's is repeated in an error.
fn find(ids: &[String], id: &str, reader: &Reader<'_>, cutoff: Cutoff) -> Result<u32, Error> {
    let position = |is: &dyn Fn(&str) -> bool| ids.iter().position(|c| is(c)).map(|i| i as u32);
    let n = reader.n_buyers();
    match position(&|c| c == id) {
        Some(customer) if reader.is_buyer(customer) => Ok(customer),
        Some(_) => Err(Error::NotThere(format!(
            "this customer has no purchase by {cutoff}, so there is no forecast to explain; choose a later --cutoff"
        ))),
        None => {
            let plain = |t: &str| t.trim().trim_start_matches('0').to_lowercase();
            let near = position(&|c| plain(c) == plain(id)).is_some();
            let hint = if near {
                "one customer's id differs from it only by case, spaces or leading zeros; write it as the log does"
            } else {
                "write it as the log does, with leading zeros and in the same case; forecasts.csv lists all ids"
            };
            Err(Error::NotThere(format!("none of the {n} customers with a purchase by {cutoff} has this id: {hint}")))
        }
    }
}
