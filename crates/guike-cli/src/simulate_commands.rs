//! `guike simulate shop`: an order log whose truth is known.

use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueEnum};
use guike::Error;
use guike::simulate::{self as facade, LogFormat, Mechanism, ShopOf, ShopRequest};
use guike_core::{Day, Seed};

use crate::progress::Bar;
use crate::show;

/// Flags of `guike simulate shop`.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:\n  guike simulate shop --out shop.csv --truth truth.csv\n  \
    guike simulate shop --like cdnow --customers 2357 --out cdnow.csv\n  \
    guike simulate shop --browse --out clicks.parquet          views and carts too\n  \
    guike simulate shop --mechanism dormant --out shop.csv     drawn with all that shops differ in\n  \
    guike run shop.csv")]
pub(crate) struct SimulateShop {
    /// The log to write.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// A CSV file with who the customers are: whether they are still there, how often they buy, when they left, what they
    /// spend.
    #[arg(long, value_name = "FILE")]
    truth: Option<PathBuf>,
    /// A shop like this one.
    #[arg(long, value_enum, default_value_t = Like::OnlineStore)]
    like: Like,
    /// Add what customers look at and put into the cart before they buy, and when they do not.
    #[arg(long, conflicts_with = "mechanism")]
    browse: bool,
    /// Draw a shop in which customers buy in this way instead, with season, trend, age of the shop, spend and all else drawn
    /// too; the log has purchase days only.
    #[arg(long, value_enum, conflicts_with = "like")]
    mechanism: Option<How>,
    /// Nothing but the mechanism: no season, trend, customers from before the log, or tails of spend.
    #[arg(long, requires = "mechanism")]
    plain: bool,
    /// Number of customers, each with a purchase.
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    customers: u32,
    /// Length of the log in days; default the shop's.
    #[arg(long, value_name = "N")]
    days: Option<u32>,
    /// First day of the log; default the shop's.
    #[arg(long, value_name = "DAY")]
    start: Option<Day>,
    /// Root of all randomness.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// What to write; default by the name of the file, else CSV.
    #[arg(long, value_enum)]
    format: Option<FileFormat>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Like {
    /// A music shop's cohort of twelve weeks of 1997, most of whom do not come back.
    Cdnow,
    /// Households that buy about weekly, in a rhythm, and stay for years.
    Grocery,
    /// A store that grows, with a busy end of the year and goods that come back.
    OnlineStore,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum How {
    /// Any of the others.
    Any,
    /// At random, leaving at any time.
    ParetoNbd,
    /// At random, leaving after a repeat purchase.
    BgNbd,
    /// At random, leaving after a purchase, the first one too.
    MbgNbd,
    /// In a rhythm.
    Regular,
    /// Subscriptions that are renewed.
    Contractual,
    /// With long sleeps.
    Dormant,
    /// In bursts.
    Bursty,
    /// Two or three of these in one shop.
    Mixed,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum FileFormat {
    Csv,
    Parquet,
}

impl How {
    fn mechanism(self) -> Option<Mechanism> {
        Some(match self {
            How::Any => return None,
            How::ParetoNbd => Mechanism::ParetoNbd,
            How::BgNbd => Mechanism::BgNbd,
            How::MbgNbd => Mechanism::MbgNbd,
            How::Regular => Mechanism::Regular,
            How::Contractual => Mechanism::Contractual,
            How::Dormant => Mechanism::Dormant,
            How::Bursty => Mechanism::Bursty,
            How::Mixed => Mechanism::Mixed,
        })
    }
}

/// Does it.
///
/// # Errors
/// The façade's.
pub(crate) fn shop(flags: &SimulateShop, bar: &Bar, quiet: bool) -> Result<(), Error> {
    let of = match flags.mechanism {
        Some(how) => ShopOf::Drawn { mechanism: how.mechanism(), plain: flags.plain },
        None => {
            let like = match flags.like {
                Like::Cdnow => facade::Like::Cdnow,
                Like::Grocery => facade::Like::Grocery,
                Like::OnlineStore => facade::Like::OnlineStore,
            };
            ShopOf::Like { like, browse: flags.browse }
        }
    };
    let is_parquet = flags.out.extension().is_some_and(|e| e.eq_ignore_ascii_case("parquet"));
    let format = match flags.format {
        Some(FileFormat::Csv) => LogFormat::Csv,
        Some(FileFormat::Parquet) => LogFormat::Parquet,
        None if is_parquet => LogFormat::Parquet,
        None => LogFormat::Csv,
    };
    let request = ShopRequest {
        of,
        customers: flags.customers,
        days: flags.days,
        start: flags.start,
        seed: Seed(flags.seed),
        format,
    };
    let written = facade::shop_to(&request, &flags.out, flags.truth.as_deref(), bar);
    bar.finish();
    let written = written?;
    if !quiet {
        let how = written.mechanism.map_or_else(String::new, |m| format!(", {}", m.name()));
        let last = written.start.plus(written.days as i32 - 1);
        show::message(&format!(
            "wrote {} events of {} customers from {} to {last}{how} to {}",
            written.rows,
            written.customers,
            written.start,
            flags.out.display()
        ));
        if let Some(truth) = &flags.truth {
            show::message(&format!("who they are stands in {}", truth.display()));
        }
    }
    Ok(())
}
