//! An order log of a shop whose truth is known, as a file like any other: to try Guike on, and to hold it against.
//!
//! The one idea: customers are drawn a few thousand at a time and written at once, so that a million of them need no more
//! memory than a few thousand. A customer depends on the request, the seed and her number alone.
//!
//! Two kinds of shops: one [`Like`] a shop that exists, with items, refunds and, if asked, views and carts; or one drawn
//! from the prior ([`guike_sim::Prior`]), with purchase days only and anything that shops differ in.

use std::ops::Range;
use std::path::Path;

use guike_core::{Day, EventKind, Progress, Seed};
use guike_sim::{Acquisition, Browsing, Buying, DropOut, GammaGamma, Goods, Prior, Refunds, Season, Shop, SimError};
use guike_store::{OutColumn, OutData, StoreError, TableFile};

use crate::error::Error;

pub use guike_sim::Mechanism;

/// Customers who are drawn and written at once.
const AT_ONCE: u32 = 4096;

/// What to simulate.
#[derive(Debug, Clone, PartialEq)]
pub struct ShopRequest {
    /// What shop.
    pub of: ShopOf,
    /// Customers, each with a purchase.
    pub customers: u32,
    /// Length of the log in days; the shop's own where it is not given.
    pub days: Option<u32>,
    /// First day of the log; the shop's own where it is not given.
    pub start: Option<Day>,
    /// Root of all randomness.
    pub seed: Seed,
    /// What to write.
    pub format: LogFormat,
}

/// Where a simulated shop comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShopOf {
    /// One that resembles a shop that exists; `browse` adds views and carts.
    Like {
        /// Which.
        like: Like,
        /// Whether customers look before they buy.
        browse: bool,
    },
    /// One drawn from the prior.
    Drawn {
        /// How customers buy and leave; any way where it is not given.
        mechanism: Option<Mechanism>,
        /// Nothing but the mechanism: no season, trend, truncation or tails.
        plain: bool,
    },
}

/// A file format for logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Comma-separated, UTF-8.
    Csv,
    /// Apache Parquet.
    Parquet,
}

/// Shops that exist, or might.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Like {
    /// CDNOW: a cohort of twelve weeks of 1997 that buys music and mostly does not come back.
    Cdnow,
    /// A grocer: households that buy about weekly, in a rhythm, and stay for years.
    Grocery,
    /// An online store that grows, with a busy end of the year and goods that come back.
    OnlineStore,
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SimulatedShop {
    /// Rows of the log.
    pub rows: u64,
    /// Customers.
    pub customers: u32,
    /// First day of the log.
    pub start: Day,
    /// Its length in days.
    pub days: u32,
    /// How customers buy and leave, where the shop was drawn from the prior.
    pub mechanism: Option<Mechanism>,
}

impl Like {
    /// The parameters of such a shop.
    pub fn shop(self) -> Shop {
        let day = |y, m, d| Day::from_ymd(y, m, d).expect("a day of the calendar");
        match self {
            // the estimates of Fader, Hardie & Lee (2005) and of Fader & Hardie (2013) are the defaults
            Like::Cdnow => Shop {
                start: day(1997, 1, 1),
                days: 546,
                acquisition: Acquisition { days: 84, growth: 1.0 },
                ..Shop::default()
            },
            Like::Grocery => Shop {
                start: day(2023, 1, 2),
                days: 728,
                buying: Buying {
                    r: 2.5,
                    alpha: 2.2,
                    drop_out: DropOut::ParetoNbd { s: 0.5, beta: 150.0 },
                    regularity: 2,
                    unit_days: 7.0,
                },
                spend: GammaGamma { p: 4.0, q: 5.0, gamma: 35.0 },
                acquisition: Acquisition { days: 60, growth: 1.0 },
                season: Season { strength: 0.1, peak_day: 350.0 },
                refunds: Refunds { rate: 0.005, lag_days: 3.0 },
                goods: Goods { categories: 15, items_per_category: 60, loyalty: 0.3, rows_mean: 6.0 },
                ..Shop::default()
            },
            Like::OnlineStore => Shop {
                start: day(2023, 1, 1),
                days: 730,
                buying: Buying {
                    r: 0.6,
                    alpha: 6.0,
                    drop_out: DropOut::ParetoNbd { s: 0.6, beta: 20.0 },
                    regularity: 1,
                    unit_days: 7.0,
                },
                acquisition: Acquisition { days: 730, growth: 2.0 },
                season: Season { strength: 0.35, peak_day: 340.0 },
                refunds: Refunds { rate: 0.06, lag_days: 9.0 },
                goods: Goods { categories: 8, items_per_category: 40, loyalty: 0.6, rows_mean: 1.8 },
                ..Shop::default()
            },
        }
    }
}

/// Views before a purchase, carts, and visits without one, where a log has them.
const BROWSING: Browsing = Browsing { views: 4.0, lead_days: 2.0, carts: 0.6, idle: 0.8 };

/// Writes the log of a simulated shop to `out`, and who its customers are to `truth`; both appear whole or not at all.
///
/// The truth has a row per customer: `customer_id`, `alive` (1 or 0) at the end of the log, `rate_per_day` (purchases per
/// day while she is a customer), `death_day` (days from the beginning of the log until she left; empty for those who have
/// not), `spend_mean` (per purchase).
///
/// # Errors
/// [`Error::Config`] for a shop that cannot be, [`Error::Store`], [`Error::Interrupted`].
pub fn shop_to(
    request: &ShopRequest,
    out: &Path,
    truth: Option<&Path>,
    progress: &dyn Progress,
) -> Result<SimulatedShop, Error> {
    let (source, mut done) = Source::of(request)?;
    let mut known = Truth::default();
    let mut stopped = None;
    progress.stage("simulating", u64::from(request.customers));
    let written = guike_store::write_file(out, |path| {
        let mut table = match request.format {
            LogFormat::Csv => TableFile::csv(path)?,
            LogFormat::Parquet => TableFile::parquet(path)?,
        };
        let mut rows = Rows::default();
        for from in (0..request.customers).step_by(AT_ONCE as usize) {
            if let Err(cancelled) = progress.check() {
                stopped = Some(Error::from(cancelled));
                // never seen: what stopped it is told instead
                return Err(StoreError::Encode { path: path.to_owned(), reason: "stopped".to_owned() });
            }
            let part = from..request.customers.min(from + AT_ONCE);
            progress.advance(part.len() as u64);
            source.draw(part, request.seed, &mut rows, &mut known);
            table.append(&rows.columns())?;
            done.rows += rows.customer.len() as u64;
            rows.clear();
        }
        table.finish()?;
        match truth {
            Some(truth) => guike_store::write_file(truth, |path| guike_store::write_csv(path, &known.columns())),
            None => Ok(()),
        }
    });
    match stopped {
        Some(error) => Err(error),
        None => Ok(written.map(|()| done)?),
    }
}

/// A shop that can be drawn part by part.
enum Source {
    Shop(Shop),
    Prior(Prior),
}

impl Source {
    fn of(request: &ShopRequest) -> Result<(Source, SimulatedShop), Error> {
        match request.of {
            ShopOf::Like { like, browse } => {
                let mut shop = like.shop();
                shop.customers = request.customers;
                shop.start = request.start.unwrap_or(shop.start);
                // a log of another length keeps the share of it in which customers arrive
                if let Some(days) = request.days {
                    let share = f64::from(shop.acquisition.days) / f64::from(shop.days);
                    shop.acquisition.days = ((share * f64::from(days)).round() as u32).max(1);
                    shop.days = days;
                }
                if browse {
                    shop.browsing = BROWSING;
                }
                shop.validate().map_err(refused)?;
                let (start, days, customers) = (shop.start, shop.days, shop.customers);
                at_least_one(customers)?;
                Ok((Source::Shop(shop), SimulatedShop { rows: 0, customers, start, days, mechanism: None }))
            }
            ShopOf::Drawn { mechanism, plain } => {
                let mut prior = Prior { plain, start: request.start, customers: request.customers, ..Prior::default() };
                if let Some(mechanism) = mechanism {
                    prior.weights = Prior::only(mechanism).weights;
                }
                if let Some(days) = request.days {
                    prior.days = (days, days);
                }
                prior.validate().map_err(refused)?;
                let none = prior.part(request.seed, 0..0);
                let done = SimulatedShop {
                    rows: 0,
                    customers: request.customers,
                    start: none.start,
                    days: none.days,
                    mechanism: Some(none.mechanism),
                };
                Ok((Source::Prior(prior), done))
            }
        }
    }

    /// Adds these customers' rows and truth.
    fn draw(&self, customers: Range<u32>, seed: Seed, rows: &mut Rows, known: &mut Truth) {
        match self {
            Source::Shop(shop) => rows.add_shop(shop, customers, seed, known),
            Source::Prior(prior) => rows.add_prior(prior, customers, seed, known),
        }
    }
}

fn at_least_one(customers: u32) -> Result<(), Error> {
    if customers > 0 {
        return Ok(());
    }
    Err(refused(SimError { name: "customers", value: 0.0, rule: "above 0 and finite" }))
}

fn refused(e: SimError) -> Error {
    let what = if e.name.starts_with("days") { "days" } else { e.name };
    Error::Config { what: format!("--{what}"), value: e.value.to_string(), rule: format!("it must be {}", e.rule) }
}

/// Rows of the log that wait to be written; a log of purchase days fills the first three columns.
#[derive(Debug, Default)]
struct Rows {
    customer: Vec<String>,
    time: Vec<String>,
    amount: Vec<f64>,
    kind: Vec<String>,
    quantity: Vec<f64>,
    item: Vec<String>,
    category: Vec<String>,
    order: Vec<String>,
}

impl Rows {
    fn clear(&mut self) {
        self.customer.clear();
        self.time.clear();
        self.amount.clear();
        self.kind.clear();
        self.quantity.clear();
        self.item.clear();
        self.category.clear();
        self.order.clear();
    }

    fn columns(&self) -> Vec<OutColumn<'_>> {
        let text = |name, values| OutColumn { name, data: OutData::Text(values) };
        let number = |name, values| OutColumn { name, data: OutData::Number(values) };
        if self.kind.is_empty() {
            return vec![text("customer_id", &self.customer), text("date", &self.time), number("amount", &self.amount)];
        }
        vec![
            text("customer_id", &self.customer),
            text("time", &self.time),
            text("event_type", &self.kind),
            number("amount", &self.amount),
            number("quantity", &self.quantity),
            text("item_id", &self.item),
            text("category", &self.category),
            text("order_id", &self.order),
        ]
    }

    fn add_prior(&mut self, prior: &Prior, customers: Range<u32>, seed: Seed, known: &mut Truth) {
        let first = customers.start;
        let shop = prior.part(seed, customers);
        for c in 0..shop.n_customers() {
            let id = id_of(first + c as u32);
            let (days, spend) = shop.customer(c);
            for (&day, &spend) in days.iter().zip(spend) {
                self.customer.push(id.clone());
                self.time.push(shop.start.plus(day).to_string());
                // tenths of a cent are the least that a currency has
                self.amount.push((f64::from(spend) * 1e3).round().max(1.0) / 1e3);
            }
            known.id.push(id);
            known.alive.push(i64::from(shop.alive_after(c, shop.days as i32 - 1)));
        }
        known.rate.extend(&shop.rate_per_day);
        known.death.extend(&shop.death_day);
        known.spend.extend(&shop.spend_mean);
    }

    fn add_shop(&mut self, shop: &Shop, customers: Range<u32>, seed: Seed, known: &mut Truth) {
        let first = customers.start;
        let simulated = shop.part(seed, customers).expect("validated with the request");
        let log = &simulated.log;
        for c in 0..log.n_customers() {
            let id = id_of(first + c as u32);
            let events = log.customer(c);
            let first_order = events.order.iter().copied().min().unwrap_or(0);
            for i in 0..events.len() {
                let kind = EventKind::from_u8(events.kind[i]).expect("a shop knows its kinds");
                let seconds = events.time[i].rem_euclid(guike_core::SECONDS_PER_DAY);
                let day = Day(events.day(i));
                let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
                self.customer.push(id.clone());
                self.time.push(format!("{day} {hour:02}:{minute:02}:{second:02}"));
                self.kind.push(kind.name().to_owned());
                let is_order = events.order[i] != guike_core::Events::MISSING;
                // what is looked at costs nothing, and nobody has paid nothing
                let amount = events.amount[i] as f64 / guike_core::Money::PER_UNIT as f64;
                self.amount.push(if is_order { amount } else { f64::NAN });
                self.quantity.push(f64::from(events.quantity[i]));
                self.item.push(log.items()[events.item[i] as usize].clone());
                self.category.push(log.categories()[events.category[i] as usize].clone());
                let order =
                    if is_order { format!("{id}-{}", events.order[i] - first_order + 1) } else { String::new() };
                self.order.push(order);
            }
            known.id.push(id);
            known.alive.push(i64::from(simulated.truth.alive_after(c, shop.days - 1)));
        }
        known.rate.extend(&simulated.truth.rate_per_day);
        known.death.extend(&simulated.truth.death_day);
        known.spend.extend(&simulated.truth.spend_mean);
    }
}

/// Ids begin with a letter, so that no spreadsheet takes the zeros away.
fn id_of(customer: u32) -> String {
    format!("C{:07}", u64::from(customer) + 1)
}

/// Who the customers are.
#[derive(Debug, Default)]
struct Truth {
    id: Vec<String>,
    alive: Vec<i64>,
    rate: Vec<f64>,
    death: Vec<f64>,
    spend: Vec<f64>,
}

impl Truth {
    fn columns(&self) -> [OutColumn<'_>; 5] {
        [
            OutColumn { name: "customer_id", data: OutData::Text(&self.id) },
            OutColumn { name: "alive", data: OutData::Integer(&self.alive) },
            OutColumn { name: "rate_per_day", data: OutData::Number(&self.rate) },
            OutColumn { name: "death_day", data: OutData::Number(&self.death) },
            OutColumn { name: "spend_mean", data: OutData::Number(&self.spend) },
        ]
    }
}
