//! What the report shows, as plain data: the façade fills a [`ReportView`], [`super::render`] turns it into a page.
//!
//! The one idea: this is a picture of results, not the results' own types. It holds numbers and names; sentences in both
//! languages, number formats, charts and layout are made from it. Parts that cannot be shown say why ([`Part::Missing`]).

use guike_core::{Cutoff, Horizon};
pub use guike_explain::calibration::Group;
pub use guike_explain::cohort::Cohort;
pub use guike_explain::rfm::RfmCell;
pub use guike_explain::totals::{Expected, Period};
use guike_explain::{Interval, Lang};
use serde::{Deserialize, Deserializer, Serialize};

/// A text in both languages.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Bilingual {
    /// English.
    pub en: String,
    /// Simplified Chinese.
    pub zh: String,
}

impl Bilingual {
    /// A text with two wordings.
    pub fn new(en: impl Into<String>, zh: impl Into<String>) -> Bilingual {
        Bilingual { en: en.into(), zh: zh.into() }
    }

    /// A text that is the same in both languages, such as an id.
    pub fn same(text: impl Into<String>) -> Bilingual {
        let text = text.into();
        Bilingual { en: text.clone(), zh: text }
    }

    /// The wording in one language.
    pub fn pick(&self, lang: Lang) -> &str {
        lang.pick(&self.en, &self.zh)
    }
}

/// Why a part of the report has nothing to show.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// Too few customers for the statistics to mean anything.
    TooFewCustomers {
        /// Customers there are.
        found: u64,
        /// Customers needed.
        needed: u64,
    },
    /// The history is too short, for example to hold out a horizon for a backtest.
    HistoryTooShort {
        /// Days of history there are.
        found_days: u32,
        /// Days needed.
        needed_days: u32,
    },
    /// The user switched the part off.
    SwitchedOff,
    /// Any other reason, as a whole sentence.
    Because(Bilingual),
}

/// A part of the report, or the reason why it is missing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part<T> {
    /// There is something to show.
    Here(T),
    /// There is not.
    Missing(Why),
}

/// Everything the report shows.
///
/// Amounts of money are in currency units, shares and probabilities from 0 to 1, per-customer vectors in any common order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReportView {
    /// Language shown first; the reader can switch.
    pub lang: Lang,
    /// Name of the log, for example its file name.
    pub source: String,
    /// Currency code or sign; `None` where the log names none.
    pub currency: Option<String>,
    /// Last known day.
    pub cutoff: Cutoff,
    /// How far the forecast looks.
    pub horizon: Horizon,
    /// Level of the intervals, for example 0.8.
    pub level: f64,
    /// The answer in numbers.
    pub answer: Answer,
    /// Spend per period (usually calendar month) up to the cutoff; the last 48 are drawn.
    pub history: Vec<Period>,
    /// Expected spend per period after the cutoff. Empty: the total is drawn once, as its average per 30.4 days.
    pub forecast: Vec<Expected>,
    /// Tiers, from the top down.
    pub tiers: Part<Tiers>,
    /// Expected spend of each customer (for the distribution and the Lorenz curve).
    pub expected_spend: Vec<f64>,
    /// The RFM map and its named groups.
    pub rfm: Part<Rfm>,
    /// The most valuable customers, best first; at most 20 are shown.
    pub top_customers: Vec<TopCustomer>,
    /// How well the forecast would have done in the past.
    pub backtest: Part<Backtest>,
    /// What the forecasts rest on.
    pub drivers: Part<Drivers>,
    /// Retention of customers by the period of their first purchase, oldest first; at most the latest 18 are drawn.
    pub cohorts: Part<Vec<Cohort>>,
    /// What became of the rows.
    pub quality: Quality,
    /// How the result was made.
    pub method: Method,
}

/// The answer in numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// Customers with a forecast.
    pub n_customers: u64,
    /// Expected spend of all of them within the horizon, with its interval at the report's level.
    pub expected_spend: Interval,
    /// Expected number of customers who buy at least once within the horizon (the sum of `p_active`).
    pub expected_buyers: f64,
    /// Expected purchase days of all customers within the horizon.
    pub expected_orders: f64,
    /// What the same customers spent in a window of the horizon's length up to the cutoff; `None` where the history is
    /// shorter than that.
    pub past_spend: Option<f64>,
    /// Customers who have bought exactly once.
    pub n_bought_once: u64,
    /// Good customers who may be leaving.
    pub at_risk: Option<AtRisk>,
}

/// Good customers who may be leaving: past spend at or above the upper quartile of buyers, and `p_active` below a limit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct AtRisk {
    /// How many.
    pub n_customers: u64,
    /// What they spent in the window of the horizon's length before the cutoff (or in the whole history where that is
    /// shorter).
    pub past_spend: f64,
    /// What they are expected to spend within the horizon.
    pub expected_spend: f64,
    /// The limit: each of them buys within the horizon with a probability below this.
    pub p_active_below: f64,
}

/// The tiers and how they were cut.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tiers {
    /// From the top down; at least one.
    pub rows: Vec<TierRow>,
    /// How the tiers were cut, as a sentence: `Cut where 80 % of the value is reached …`.
    pub method: Bilingual,
    /// Mean silhouette (−1 … 1), where computed.
    pub silhouette: Option<f64>,
    /// Share of customers who keep their tier when the data are resampled, where computed.
    pub stability: Option<f64>,
    /// `counts[before][now]` against a previous run, tiers from the top down, where there was one.
    pub migration: Option<Vec<Vec<u64>>>,
}

/// One tier.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TierRow {
    /// Name.
    pub name: Bilingual,
    /// Customers.
    pub n_customers: u64,
    /// Expected spend of the tier within the horizon.
    pub expected_spend: f64,
    /// Expected purchase days of the tier within the horizon.
    pub expected_orders: f64,
    /// Mean probability to buy within the horizon.
    pub p_active: f64,
    /// Smallest value of the indicator in the tier, where one indicator cuts the tiers.
    pub from: Option<f64>,
}

/// The RFM map.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rfm {
    /// `cells[r][f]`: recency class `r + 1`, frequency class `f + 1`, 5 the best; value is expected spend.
    pub cells: [[RfmCell; 5]; 5],
    /// Named groups, in the order to show.
    pub groups: Vec<RfmGroup>,
}

/// A named group of the RFM map.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RfmGroup {
    /// Name, for example `Champions` / `冠军顾客`.
    pub name: Bilingual,
    /// Who they are and what helps, in a sentence.
    pub about: Bilingual,
    /// Customers.
    pub n_customers: u64,
    /// Expected spend within the horizon.
    pub expected_spend: f64,
    /// Mean probability to buy within the horizon.
    pub p_active: f64,
}

/// One of the most valuable customers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TopCustomer {
    /// Customer id as in the log (or its pseudonym).
    pub id: String,
    /// Index into [`Tiers::rows`], where there are tiers.
    pub tier: Option<usize>,
    /// Expected spend within the horizon, with its interval.
    pub expected_spend: Interval,
    /// Probability to buy within the horizon.
    pub p_active: f64,
    /// Purchase days so far.
    pub n_purchase_days: u64,
    /// Spend so far.
    pub past_spend: f64,
    /// Day of the last purchase.
    pub last_purchase: String,
}

/// How well the forecast would have done: made as of an earlier cutoff, compared with what then happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Backtest {
    /// Cutoff of the backtest that the pictures show (the latest inner one).
    pub cutoff: Cutoff,
    /// Horizon of the backtest.
    pub horizon: Horizon,
    /// Earlier cutoffs that were tried for the choice of the model.
    pub n_anchors: u32,
    /// The score by which candidates were compared.
    pub metric: Metric,
    /// Names of further scores in the candidates' table.
    pub more_metrics: Vec<Bilingual>,
    /// Candidates, best first, baselines among them.
    pub candidates: Vec<CandidateRow>,
    /// Index of the chosen candidate.
    pub chosen: usize,
    /// Why that one.
    pub why: WhyChosen,
    /// The chosen model's forecast of spend per customer, as of the backtest's cutoff.
    pub predicted: Vec<f64>,
    /// What the same customers then spent.
    pub actual: Vec<f64>,
    /// The chosen model's probability to buy, same customers; empty where it has none.
    pub p_active: Vec<f64>,
    /// Groups of customers by forecast, lowest first; empty: ten groups are made from the two vectors above.
    pub deciles: Vec<Group>,
    /// How often what happened lay within the intervals.
    pub coverage: Vec<Coverage>,
    /// The chosen model's scores, in the order to show.
    pub scores: Vec<Score>,
    /// The chosen model at every earlier cutoff, the oldest first, without corrections; empty in a run of an earlier version.
    #[serde(default)]
    pub course: Vec<AtCutoff>,
}

/// How the chosen model did at one earlier cutoff.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AtCutoff {
    /// The cutoff.
    pub cutoff: Cutoff,
    /// How far ahead.
    pub horizon: Horizon,
    /// Customers known by then.
    pub customers: u64,
    /// What all of them were forecast to spend, in currency units.
    pub predicted: f64,
    /// What they spent.
    pub actual: f64,
    /// Normalised Gini of the ranking by value.
    pub gini: Option<f64>,
    /// AUC of the chance to buy.
    pub auc: Option<f64>,
}

/// A score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Metric {
    /// Name, for example `Normalised Gini`.
    pub name: Bilingual,
    /// What it tells, in a sentence.
    pub meaning: Bilingual,
    /// Whether more is better.
    pub higher_is_better: bool,
    /// Digits after the point.
    pub decimals: usize,
}

/// A model that was tried.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CandidateRow {
    /// Name.
    pub name: Bilingual,
    /// What it does, in half a sentence.
    pub about: Bilingual,
    /// Score by [`Backtest::metric`] with its interval; NaN where it could not be fitted.
    pub score: Interval,
    /// Further scores, as many as [`Backtest::more_metrics`]; NaN where there is none.
    #[serde(deserialize_with = "nan_where_null")]
    pub more: Vec<f64>,
    /// Whether it is only a yardstick.
    pub baseline: bool,
}

/// Why a candidate was chosen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhyChosen {
    /// It had the best score.
    Best,
    /// Another (index of the candidate) scored better, but not by more than chance would explain, and this one is simpler.
    SimplerThan(usize),
    /// It was the only one that could be fitted.
    OnlyOne,
    /// The user asked for it.
    Asked,
    /// Another reason, as a sentence.
    Because(Bilingual),
}

/// How often what happened lay within an interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Coverage {
    /// Level the interval claims.
    pub level: f64,
    /// Share of customers whose actual spend lay within it.
    pub observed: f64,
    /// Share to expect: more than the level where intervals begin at zero, because nobody spends less than nothing.
    pub expected: f64,
    /// Share of customers who spent less than their interval.
    pub below: f64,
    /// Share of customers who spent more than their interval.
    pub above: f64,
}

/// One score of the chosen model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// Name.
    pub name: Bilingual,
    /// Value.
    pub value: f64,
    /// Interval, where known.
    pub interval: Option<(f64, f64)>,
    /// Digits after the point.
    pub decimals: usize,
    /// What it means, in a sentence.
    pub meaning: Bilingual,
}

/// What the forecasts rest on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Drivers {
    /// Customers over whom it was found.
    pub n_customers: u64,
    /// Groups of features, most important first.
    pub themes: Vec<Driver>,
    /// Why the most valuable customers are expected to spend what they are, best first.
    pub top: Vec<WhyTop>,
}

/// A group of features that the forecasts rest on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Driver {
    /// Name of the group.
    pub name: Bilingual,
    /// Mean change of a forecast, up or down, in currency units, with its 95 % interval.
    pub weight: Interval,
    /// The feature that tells the explained customers apart, where the group has one of numbers.
    #[serde(default)]
    pub shade: Option<String>,
    /// For every explained customer, without saying who: what the group adds to her expected spend, in currency units, and
    /// her value of `shade`. Empty in a run of an earlier version.
    #[serde(default)]
    pub customers: Vec<(f64, Option<f64>)>,
}

/// Why one customer is expected to spend what she is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WhyTop {
    /// Her id.
    pub id: String,
    /// Expected spend.
    pub expected: f64,
    /// Mean expected spend of the customers she is compared with.
    pub base: f64,
    /// What is known about her and what it adds, largest first; with the base they add up to the forecast.
    pub parts: Vec<(Bilingual, f64)>,
}

/// What became of the rows that were read: read = kept + dropped.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Quality {
    /// Rows read.
    pub n_read: u64,
    /// Rows kept.
    pub n_kept: u64,
    /// Rows dropped, by reason.
    pub dropped: Vec<DroppedRows>,
    /// First day in the log.
    pub first_day: String,
    /// Last day in the log.
    pub last_day: String,
    /// Customers in the log.
    pub n_customers: u64,
    /// Purchase days in the log.
    pub n_purchase_days: u64,
    /// Which column was taken for what.
    pub mapping: Vec<MappedColumn>,
    /// Things to know about the data or the run.
    pub notes: Vec<Remark>,
}

/// Rows dropped for one reason.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DroppedRows {
    /// The reason.
    pub reason: Bilingual,
    /// How many.
    pub rows: u64,
    /// First examples, as read; at most three are shown.
    pub examples: Vec<String>,
}

/// A column and its meaning.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MappedColumn {
    /// What it was taken for, for example `customer` / `顾客`.
    pub role: Bilingual,
    /// Name of the column in the log.
    pub column: String,
    /// How it was found: by its name, by its content, by a flag.
    pub how: Bilingual,
}

/// A remark about the data or the run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Remark {
    /// Whether it asks for attention.
    pub warning: bool,
    /// The remark, as a sentence.
    pub text: Bilingual,
}

/// How the result was made.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Method {
    /// Guike's version.
    pub version: String,
    /// Seed of all random numbers.
    pub seed: u64,
    /// The command that made the report, where known.
    pub command: Option<String>,
    /// The configuration in force, as TOML.
    pub config: String,
    /// How the forecast is made, as sentences.
    pub steps: Vec<Bilingual>,
    /// Further facts, name and value.
    pub facts: Vec<(Bilingual, String)>,
}

/// Numbers of which some may be NaN, which JSON writes as null.
fn nan_where_null<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<f64>, D::Error> {
    let read: Vec<Option<f64>> = Vec::deserialize(from)?;
    Ok(read.into_iter().map(|v| v.unwrap_or(f64::NAN)).collect())
}
