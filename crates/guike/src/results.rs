//! What a run found, to be looked at: the customers of a folder of `guike run`, held column by column in memory.
//!
//! The one idea: a folder of results never changes once it is complete, so it is read once, every order that somebody asks
//! for is sorted once, and a page is a walk along that order from where the last page ended.
//!
//! It reads what the files say and computes nothing new. What events change since is another value ([`Results::revised`]).

mod bounds;
pub mod export;
mod revised;
pub mod rfm;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::OnceLock;

use guike_core::Day;
use guike_decide::RfmGroup;
use guike_store::{InColumn, ReadAs, StoreError, Texts};
use rayon::prelude::*;
use serde_json::Value;

pub use bounds::Bounds;

use crate::board::Board;
use crate::error::Error;
use crate::output::names;
use crate::report::view::Bilingual;

/// Columns of numbers: those of `forecasts.csv`, then those that `tiers.csv` adds.
pub const NUMBERS: [&str; 12] = [
    "expected_orders",
    "expected_spend",
    "median_spend",
    "spend_p05",
    "spend_p10",
    "spend_p90",
    "spend_p95",
    "p_active",
    "next_order_days",
    "days_since_last_order",
    "purchase_days",
    "spend_so_far",
];
/// How many of them `forecasts.csv` has.
const FORECAST: usize = 9;
/// Below this part of all customers, those with a prefix are sorted for each page.
const FEW: usize = 16;
/// Steps of the curve of concentration.
const STEPS: usize = 1_000;
/// Positions of some of them.
pub const EXPECTED_ORDERS: usize = 0;
/// See [`NUMBERS`].
pub const EXPECTED_SPEND: usize = 1;
/// See [`NUMBERS`].
pub const P_ACTIVE: usize = 7;
/// See [`NUMBERS`].
pub const NEXT_ORDER: usize = 8;
/// See [`NUMBERS`].
pub const DAYS_SINCE: usize = 9;
/// See [`NUMBERS`].
pub const PURCHASE_DAYS: usize = 10;
/// See [`NUMBERS`].
pub const SPEND_SO_FAR: usize = 11;

/// By what customers are put in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    /// The id, byte by byte.
    Id,
    /// One of [`NUMBERS`].
    Number(usize),
}

/// Which customers, in which order.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// Only ids that begin so.
    pub prefix: &'a str,
    /// Only this tier, by its position in [`Results::tiers`].
    pub tier: Option<u32>,
    /// Only this named group of recency, frequency and money, by its position in [`Results::groups`].
    pub group: Option<u32>,
    /// Only those whose numbers are within.
    pub bounds: Bounds,
    /// The order.
    pub sort: Sort,
    /// The greatest first.
    pub descending: bool,
    /// Where the last page ended: its [`Page::next`].
    pub from: usize,
    /// Most customers of the page.
    pub limit: usize,
}

/// A page of customers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Positions of the customers.
    pub customers: Vec<usize>,
    /// Where the next page begins; `None` after the last one.
    pub next: Option<usize>,
}

/// How many customers are asked for, and what they are worth.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Tally {
    /// Customers.
    pub customers: usize,
    /// Their expected spend.
    pub expected_spend: f64,
    /// Customers of every tier who are asked for but for the tier, by its position in [`Results::tiers`].
    pub by_tier: Vec<usize>,
}

/// A folder of `guike run`.
#[derive(Debug)]
pub struct Results {
    ids: Texts,
    numbers: Vec<Vec<f64>>,
    tier: Names,
    score: Names,
    group: Names,
    /// The last known day of customers of whom something was told since the run, by position.
    as_of: BTreeMap<u32, Day>,
    by_id: Vec<u32>,
    by_number: Vec<OnceLock<Vec<u32>>>,
    /// Where customers stand by recency, frequency and mean spend.
    places: OnceLock<Vec<[f32; 3]>>,
    concentration: OnceLock<Vec<(f64, f64)>>,
    /// What `tiers.json` holds.
    tiers_file: Value,
    /// What `evaluation.json` holds.
    evaluation: Value,
    /// What `dashboard.json` holds.
    board: Option<Board>,
    fingerprint: String,
}

#[derive(Debug, Clone)]
struct Names {
    codes: Vec<u32>,
    names: Vec<String>,
}

impl Names {
    fn of(&self, at: usize) -> &str {
        &self.names[self.codes[at] as usize]
    }
}

impl Results {
    /// Reads the files of a run.
    ///
    /// # Errors
    /// [`Error::Store`] when one is missing or damaged, or they do not tell of the same customers.
    pub fn open(folder: &Path) -> Result<Results, Error> {
        let (forecasts, tiers) = (folder.join(names::FORECASTS_CSV), folder.join(names::TIERS_CSV));
        let mut wanted = vec![("customer_id", ReadAs::Text), ("tier", ReadAs::Name)];
        wanted.extend(NUMBERS[..FORECAST].iter().map(|c| (*c, ReadAs::Number)));
        let mut read = guike_store::read_csv_typed(&forecasts, &wanted)?.into_iter();
        let (ids, tier) = (text(read.next()), name(read.next()));
        let mut numbers: Vec<Vec<f64>> = read.map(|c| number(Some(c))).collect();
        let mut wanted = vec![("customer_id", ReadAs::Text), ("rfm_score", ReadAs::Name), ("rfm_group", ReadAs::Name)];
        wanted.extend(NUMBERS[FORECAST..].iter().map(|c| (*c, ReadAs::Number)));
        let mut read = guike_store::read_csv_typed(&tiers, &wanted)?.into_iter();
        let (same, score, group) = (text(read.next()), name(read.next()), name(read.next()));
        numbers.extend(read.map(|c| number(Some(c))));
        let corrupt =
            |path: &Path, reason: &str| StoreError::Corrupt { path: path.to_owned(), reason: reason.to_owned() };
        if same != ids {
            return Err(corrupt(&tiers, "it tells of other customers than forecasts.csv beside it; run again").into());
        }
        let n =
            u32::try_from(ids.len()).map_err(|_| corrupt(&forecasts, "it has more than 4,294,967,295 customers"))?;
        let mut by_id: Vec<u32> = (0..n).collect();
        by_id.sort_unstable_by_key(|&i| ids.get(i as usize));
        if by_id.windows(2).any(|w| ids.get(w[0] as usize) == ids.get(w[1] as usize)) {
            return Err(corrupt(&forecasts, "a customer stands in it twice").into());
        }
        let by_number = (0..numbers.len()).map(|_| OnceLock::new()).collect();
        Ok(Results {
            fingerprint: guike_store::fingerprint(&forecasts)?,
            tiers_file: guike_store::read_json(&folder.join(names::TIERS_JSON))?,
            evaluation: guike_store::read_json(&folder.join(names::EVALUATION_JSON))?,
            board: Board::read(folder)?,
            ids,
            numbers,
            tier,
            score,
            group,
            as_of: BTreeMap::new(),
            by_id,
            by_number,
            places: OnceLock::new(),
            concentration: OnceLock::new(),
        })
    }

    /// Number of customers.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// The checksum of the forecasts: another one is another run.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// The order by the id or by one of [`NUMBERS`].
    pub fn sort(name: &str) -> Option<Sort> {
        if name == "customer_id" {
            return Some(Sort::Id);
        }
        NUMBERS.iter().position(|n| *n == name).map(Sort::Number)
    }

    /// The keys of the tiers that some customer has.
    pub fn tiers(&self) -> &[String] {
        &self.tier.names
    }

    /// The keys of the named groups that some customer is in.
    pub fn groups(&self) -> &[String] {
        &self.group.names
    }

    /// The name of a group in both languages.
    pub fn group_name(key: &str) -> Bilingual {
        let group = RfmGroup::ALL.into_iter().find(|g| g.key() == key);
        group.map_or_else(|| Bilingual::same(key), |g| Bilingual::new(g.en(), g.zh()))
    }

    /// The shop as a whole; `None` where a run of an earlier version did not keep it.
    pub fn board(&self) -> Option<&Board> {
        self.board.as_ref()
    }

    /// The position of the customer with this id.
    pub fn find(&self, id: &str) -> Option<usize> {
        let at = self.by_id.binary_search_by(|&i| self.ids.get(i as usize).cmp(id)).ok()?;
        Some(self.by_id[at] as usize)
    }

    /// The id of the customer at a position.
    pub fn id(&self, at: usize) -> &str {
        self.ids.get(at)
    }

    /// The last day that is known of her, where something was told of her since the run.
    pub fn as_of(&self, at: usize) -> Option<Day> {
        self.as_of.get(&u32::try_from(at).ok()?).copied()
    }

    /// The last day that is known of her: the run's, or of what was told of her since.
    pub fn known_until(&self, at: usize) -> String {
        let of_run = || self.evaluation["cutoff"].as_str().unwrap_or_default().to_owned();
        self.as_of(at).map_or_else(of_run, |day| day.to_string())
    }

    /// How many customers are another than the run left them.
    pub fn n_revised(&self) -> usize {
        self.as_of.len()
    }

    /// The position of her tier in [`Results::tiers`].
    pub fn tier_code(&self, at: usize) -> usize {
        self.tier.codes[at] as usize
    }

    /// The key of her tier.
    pub fn tier(&self, at: usize) -> &str {
        self.tier.of(at)
    }

    /// Recency, frequency and money, each from 1 to 5.
    pub fn rfm_score(&self, at: usize) -> &str {
        self.score.of(at)
    }

    /// The named group of that score.
    pub fn rfm_group(&self, at: usize) -> &str {
        self.group.of(at)
    }

    /// Her number in one of [`NUMBERS`]; `None` where the file has none.
    pub fn number(&self, at: usize, column: usize) -> Option<f64> {
        Some(self.numbers[column][at]).filter(|v| v.is_finite())
    }

    /// A page of the customers that are asked for. Equal ones stand by id; a descending order is the ascending one from its end,
    /// but for missing numbers, which are last in both.
    pub fn page(&self, ask: &Ask<'_>) -> Page {
        let fits = |&i: &u32| self.is_among(i as usize, ask) && self.ids.get(i as usize).starts_with(ask.prefix);
        let order = self.order_of(ask);
        let n_there = self.n_there(ask.sort, &order);
        let at = |step: usize| if ask.descending && step < n_there { order[n_there - 1 - step] } else { order[step] };
        let mut customers = Vec::with_capacity(ask.limit.min(order.len()));
        for step in ask.from..order.len() {
            let i = at(step);
            if fits(&i) {
                if customers.len() == ask.limit {
                    return Page { customers, next: Some(step) };
                }
                customers.push(i as usize);
            }
        }
        Page { customers, next: None }
    }

    /// The order in which a question goes through customers, ascending.
    fn order_of(&self, ask: &Ask<'_>) -> Cow<'_, [u32]> {
        match ask.sort {
            Sort::Id => Cow::Borrowed(self.with_prefix(ask.prefix)),
            // few of many are sooner sorted than looked for
            Sort::Number(column) if self.with_prefix(ask.prefix).len() < self.len() / FEW => {
                Cow::Owned(self.sorted(self.with_prefix(ask.prefix).to_vec(), column))
            }
            Sort::Number(_) => Cow::Borrowed(self.order(ask.sort)),
        }
    }

    /// How many of an order have a number; missing ones are last in both directions.
    fn n_there(&self, sort: Sort, order: &[u32]) -> usize {
        match sort {
            Sort::Id => order.len(),
            Sort::Number(c) => order.partition_point(|&i| !self.numbers[c][i as usize].is_nan()),
        }
    }

    /// What a page after the customer at this place begins behind: her number in the order of the question.
    pub fn place_in(&self, sort: Sort, at: usize) -> f64 {
        match sort {
            Sort::Id => 0.0,
            Sort::Number(column) => self.numbers[column][at],
        }
    }

    /// Where the page begins after a customer whose number was `value` when the page before ended with her; also where
    /// numbers have changed meanwhile. `None` when there is no such customer.
    pub fn step_after(&self, ask: &Ask<'_>, at: usize, value: f64) -> Option<usize> {
        let id = (at < self.len()).then(|| self.ids.get(at))?;
        let order = self.order_of(ask);
        let compare = |&i: &u32| {
            let by_id = self.ids.get(i as usize).cmp(id);
            match ask.sort {
                Sort::Id => by_id,
                Sort::Number(c) => self.numbers[c][i as usize].total_cmp(&value).then(by_id),
            }
        };
        let n_there = self.n_there(ask.sort, &order);
        if ask.descending && !value.is_nan() {
            return Some(n_there - order[..n_there].partition_point(|i| compare(i).is_lt()));
        }
        Some(order.partition_point(|i| compare(i).is_le()))
    }

    /// How many customers are asked for, whatever the page, and what they are worth.
    pub fn tally(&self, ask: &Ask<'_>) -> Tally {
        let mut tally = Tally { by_tier: vec![0; self.tiers().len()], ..Tally::default() };
        let every_tier = Ask { tier: None, ..*ask };
        let mut add = |i: usize| {
            if self.is_among(i, &every_tier) {
                tally.by_tier[self.tier.codes[i] as usize] += 1;
                if self.is_among(i, ask) {
                    tally.customers += 1;
                    tally.expected_spend += self.numbers[EXPECTED_SPEND][i];
                }
            }
        };
        match ask.prefix {
            // in the order of the file, which is the order of memory
            "" => (0..self.len()).for_each(add),
            prefix => self.with_prefix(prefix).iter().for_each(|&i| add(i as usize)),
        }
        tally
    }

    /// All values of one of [`NUMBERS`], NaN where the file has none, in the order of positions.
    pub fn numbers(&self, column: usize) -> &[f64] {
        &self.numbers[column]
    }

    /// Positions of customers by one of [`NUMBERS`], the least first, missing ones last.
    pub fn order_by(&self, column: usize) -> &[u32] {
        self.order(Sort::Number(column))
    }

    /// The share of the other customers whose number is below hers; `None` where hers is missing.
    pub fn share_below(&self, at: usize, column: usize) -> Option<f64> {
        let value = self.number(at, column)?;
        let below = self.order_by(column).partition_point(|&i| self.numbers[column][i as usize] < value);
        Some(below as f64 / (self.len() - 1).max(1) as f64)
    }

    /// The share of the other customers whose number is above hers; `None` where hers is missing.
    pub fn share_above(&self, at: usize, column: usize) -> Option<f64> {
        let value = self.number(at, column)?;
        let known = self.order_by(column).partition_point(|&i| !self.numbers[column][i as usize].is_nan());
        let up_to = self.order_by(column)[..known].partition_point(|&i| self.numbers[column][i as usize] <= value);
        Some((known - up_to) as f64 / (self.len() - 1).max(1) as f64)
    }

    /// Customers much like this one by recency, frequency and mean spend so far, on logarithmic scales, the nearest first.
    pub fn alike(&self, at: usize, n: usize) -> Vec<usize> {
        let places = self.places();
        let her = places[at];
        let distance = |i: usize| places[i].iter().zip(her).map(|(a, b)| (a - b).powi(2)).sum::<f32>();
        let mut near: Vec<(f32, usize)> = Vec::with_capacity(n + 1);
        for i in (0..self.len()).filter(|&i| i != at) {
            let d = distance(i);
            if near.len() < n || near.last().is_some_and(|worst| d < worst.0) {
                near.insert(near.partition_point(|x| x.0 <= d), (d, i));
                near.truncate(n);
            }
        }
        near.into_iter().map(|(_, i)| i).collect()
    }

    /// Logarithms make the three comparable: a step is a factor in each.
    fn places(&self) -> &[[f32; 3]] {
        self.places.get_or_init(|| {
            let log = |v: f64| v.max(0.0).ln_1p() as f32;
            let place = |i: usize| {
                let days = self.numbers[PURCHASE_DAYS][i];
                let each = self.numbers[SPEND_SO_FAR][i].max(0.0) / days.max(1.0);
                [log(self.numbers[DAYS_SINCE][i]), log(days), log(each)]
            };
            (0..self.len()).map(place).collect()
        })
    }

    /// Share of customers, the least expected spend first, and the share of expected spend that they hold: 1,001 points.
    /// Empty when nobody is expected to spend anything.
    pub fn concentration(&self) -> &[(f64, f64)] {
        self.concentration.get_or_init(|| {
            let spend = |i: u32| Some(self.numbers[EXPECTED_SPEND][i as usize]).filter(|v| *v > 0.0).unwrap_or(0.0);
            let order = self.order_by(EXPECTED_SPEND);
            let total: f64 = order.iter().map(|&i| spend(i)).sum();
            if total <= 0.0 {
                return Vec::new();
            }
            let (mut at, mut sum) = (0, 0.0);
            let point = |k: usize| {
                let to = order.len() * k / STEPS;
                sum += order[at..to].iter().map(|&i| spend(i)).sum::<f64>();
                at = to;
                (to as f64 / order.len() as f64, (sum / total).min(1.0))
            };
            (0..=STEPS).map(point).collect()
        })
    }

    fn is_among(&self, i: usize, ask: &Ask<'_>) -> bool {
        ask.tier.is_none_or(|t| self.tier.codes[i] == t)
            && ask.group.is_none_or(|g| self.group.codes[i] == g)
            && (ask.bounds.is_open() || ask.bounds.hold(|column| self.numbers[column][i]))
    }

    /// Positions of the customers whose id begins so, by id.
    fn with_prefix(&self, prefix: &str) -> &[u32] {
        let begin = self.by_id.partition_point(|&i| self.ids.get(i as usize) < prefix);
        let rest = &self.by_id[begin..];
        &rest[..rest.partition_point(|&i| self.ids.get(i as usize).starts_with(prefix))]
    }

    /// Those that stand by id, by a number: equal ones stay by id.
    fn sorted(&self, mut by_id: Vec<u32>, column: usize) -> Vec<u32> {
        let values = &self.numbers[column];
        // stable; total_cmp puts NaN last
        by_id.par_sort_by(|&a, &b| values[a as usize].total_cmp(&values[b as usize]));
        by_id
    }

    /// Makes every order that may be asked for, so that nobody waits for the first time.
    pub fn warm(&self) {
        for column in 0..NUMBERS.len() {
            self.order_by(column);
        }
        self.concentration();
        self.places();
    }

    fn order(&self, sort: Sort) -> &[u32] {
        let Sort::Number(column) = sort else { return &self.by_id };
        self.by_number[column].get_or_init(|| self.sorted(self.by_id.clone(), column))
    }

    /// Rule, size, value and risk of every tier, as `tiers.json` has them.
    pub fn tier_analysis(&self) -> &Value {
        &self.tiers_file
    }

    /// How the forecast came about and how far it can be trusted, as `evaluation.json` has it.
    pub fn evaluation(&self) -> &Value {
        &self.evaluation
    }
}

fn text(column: Option<InColumn>) -> Texts {
    match column {
        Some(InColumn::Text(texts)) => texts,
        other => unreachable!("a text was asked for, and {other:?} was read"),
    }
}

fn name(column: Option<InColumn>) -> Names {
    match column {
        Some(InColumn::Name { codes, names }) => Names { codes, names },
        other => unreachable!("a name was asked for, and {other:?} was read"),
    }
}

fn number(column: Option<InColumn>) -> Vec<f64> {
    match column {
        Some(InColumn::Number(values)) => values,
        other => unreachable!("a number was asked for, and {other:?} was read"),
    }
}

#[cfg(test)]
mod tests;
