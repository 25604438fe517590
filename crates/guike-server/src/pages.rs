//! The dashboard: pages for people, of the same results that `/v1` answers for programs.
//!
//! The one idea: a page is a list of [`show::Block`]s made from what is served, in the reader's language, and one template
//! lays them out. Everything is computed here; the browser gets words, tables, and the numbers of charts to draw. Without
//! its script every page still works, and every chart has its table.
//!
//! What it does not do: it saves nothing but audiences, in the workspace. Languages, colours and filters live in the address
//! and two cookies.

mod admin;
mod assets;
mod audiences;
mod calling;
mod course;
mod customer;
mod customers;
mod cuts;
mod drift;
mod explain;
mod export;
mod frame;
mod jobs;
mod models;
mod outline;
mod overview;
mod quality;
mod reader;
mod retention;
mod returns;
mod rfm;
mod show;
mod tiers;
mod trying;
mod ways;
mod words;
mod words_running;

use guike_guard::{Action, Resource};

use crate::app::{Answer, App, Call};
use crate::jobs::FORM;
use crate::problem::Problem;
use crate::routes::{Method, Route, Work};
use crate::who::Needs;

pub(crate) use frame::problem;
pub(crate) use reader::Reader;

/// What is seen of the shop, of single customers (by pseudonyms, where an audit log is kept and no purpose is stated), and of
/// models.
const SHOP: Option<Needs> = Some((Resource::Results, Action::Read));
const CUSTOMERS: Option<Needs> = Some((Resource::Customers, Action::Read));
const DECIDE: Option<Needs> = Some((Resource::Results, Action::Change));
const LISTS: Option<Needs> = Some((Resource::Customers, Action::Export));
const MODELS: Option<Needs> = Some((Resource::Models, Action::Read));

/// A page that is read.
const fn page(
    path: &'static str,
    needs: Option<Needs>,
    handler: fn(&App, &Call) -> Result<Answer, Problem>,
    about: &'static str,
) -> Route {
    Route {
        method: Method::Get,
        path,
        work: Work::Whole(handler),
        needs,
        about,
        parameters: &[],
        body: None,
        answer: None,
        is_page: true,
    }
}

/// All pages and what they load; the table of routes takes them over.
pub(crate) const PAGES: &[Route] = &[
    page("/", SHOP, overview::answer, "The shop in a page."),
    page("/customers", CUSTOMERS, customers::answer, "Customers, searched, filtered and in order."),
    page("/customers/{id}", CUSTOMERS, customer::answer, "One customer."),
    page("/customers/{id}/why", CUSTOMERS, course::why, "Why one customer's forecast is what it is."),
    page("/customers.csv", LISTS, export::answer, "The customers of a question as CSV."),
    page("/customers.xlsx", LISTS, export::answer, "The customers of a question as an Excel workbook."),
    page("/customers.parquet", LISTS, export::answer, "The customers of a question as Parquet."),
    page("/audiences", SHOP, audiences::answer, "Filters of customers that were saved, and who answers to them."),
    Route {
        method: Method::Post,
        ..page("/audiences", DECIDE, audiences::save, "Saves a filter of customers under a name.")
    },
    Route { method: Method::Post, ..page("/audiences/delete", DECIDE, audiences::delete, "Deletes a saved audience.") },
    page("/tiers", SHOP, tiers::answer, "The tiers, and what other borders would change."),
    page("/rfm", SHOP, rfm::answer, "Recency, frequency and money."),
    page("/rfm.csv", LISTS, cuts::file, "Customers with scores and groups by other cuts as CSV."),
    page("/rfm.xlsx", LISTS, cuts::file, "Customers with scores and groups by other cuts as an Excel workbook."),
    page("/rfm.parquet", LISTS, cuts::file, "Customers with scores and groups by other cuts as Parquet."),
    page("/quality", SHOP, quality::answer, "How far the forecasts can be trusted."),
    page("/explain", SHOP, explain::answer, "What the forecasts rest on."),
    page("/retention", SHOP, retention::answer, "Whether customers stay."),
    page("/drift", SHOP, drift::answer, "How customers have moved since earlier runs."),
    page("/models", MODELS, models::all, "Models of tables."),
    page("/models/{name}", MODELS, models::one, "A model of a table: how good it is, and a form to try it."),
    Route {
        method: Method::Post,
        ..page(
            "/models/{name}",
            Some((Resource::Predictions, Action::Read)),
            trying::answer,
            "What a model says of the values of a form.",
        )
    },
    page("/jobs", Some((Resource::Jobs, Action::Read)), jobs::answer, "Training and refreshing."),
    Route {
        method: Method::Post,
        ..page("/jobs", Some((Resource::Jobs, Action::Change)), jobs::change, "Asks for a job, or stops one.")
    },
    Route {
        method: Method::Post,
        work: Work::Streamed(jobs::train),
        ..page(FORM, Some((Resource::Jobs, Action::Change)), jobs::change, "Trains on the table of a form.")
    },
    page("/admin", Some((Resource::Users, Action::Read)), admin::answer, "Who may ask, and the record of who did."),
    Route {
        method: Method::Post,
        ..page("/admin/users", Some((Resource::Users, Action::Change)), admin::users, "Changes a user.")
    },
    Route {
        method: Method::Post,
        ..page("/admin/keys", Some((Resource::Keys, Action::Change)), admin::keys, "Makes a key or revokes one.")
    },
    page("/assets/{file}", None, assets::answer, "The script and the style of the pages."),
];

/// What the page at a path needs.
fn needs(path: &str) -> Option<Needs> {
    PAGES.iter().find(|r| r.path == path && r.method == Method::Get).and_then(|r| r.needs)
}
