//! What a run found, to be looked at: the customers of a folder of `guike run`, held column by column in memory.
//!
//! The one idea: a folder of results never changes once it is complete, so it is read once, every order that somebody asks
//! for is sorted once, and a page is a walk along that order from where the last page ended.
//!
//! It reads what the files say and computes nothing new.

use std::path::Path;
use std::sync::OnceLock;

use guike_store::{InColumn, ReadAs, StoreError, Texts};
use serde_json::Value;

use crate::error::Error;
use crate::output::names;

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

/// A folder of `guike run`.
#[derive(Debug)]
pub struct Results {
    ids: Texts,
    numbers: Vec<Vec<f64>>,
    tier: Names,
    score: Names,
    group: Names,
    by_id: Vec<u32>,
    by_number: Vec<OnceLock<Vec<u32>>>,
    /// What `tiers.json` holds.
    tiers_file: Value,
    /// What `evaluation.json` holds.
    evaluation: Value,
    fingerprint: String,
}

#[derive(Debug)]
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
            ids,
            numbers,
            tier,
            score,
            group,
            by_id,
            by_number,
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

    /// The position of the customer with this id.
    pub fn find(&self, id: &str) -> Option<usize> {
        let at = self.by_id.binary_search_by(|&i| self.ids.get(i as usize).cmp(id)).ok()?;
        Some(self.by_id[at] as usize)
    }

    /// The id of the customer at a position.
    pub fn id(&self, at: usize) -> &str {
        self.ids.get(at)
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
        let fits = |&i: &u32| {
            let i = i as usize;
            ask.tier.is_none_or(|t| self.tier.codes[i] == t) && self.ids.get(i).starts_with(ask.prefix)
        };
        let order = self.order(ask.sort);
        // missing numbers are last in both directions
        let n_there = match ask.sort {
            Sort::Id => order.len(),
            Sort::Number(c) => order.partition_point(|&i| !self.numbers[c][i as usize].is_nan()),
        };
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

    fn order(&self, sort: Sort) -> &[u32] {
        let Sort::Number(column) = sort else { return &self.by_id };
        self.by_number[column].get_or_init(|| {
            let values = &self.numbers[column];
            let mut order = self.by_id.clone();
            // stable, so that equal ones stay by id; total_cmp puts NaN last
            order.sort_by(|&a, &b| values[a as usize].total_cmp(&values[b as usize]));
            order
        })
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
mod tests {
    #![allow(clippy::disallowed_methods)] // writes and reads results in a temporary folder

    use super::*;

    /// Five customers: two of a tier, one without a next order, ids out of order.
    fn results() -> (tempfile::TempDir, Results) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let ids = ["bo", "ann", "cy", "an", "di"];
        let tiers = ["gold", "silver", "gold", "bronze", "silver"];
        let spend = [30.0, 20.0, 30.0, 0.0, 10.0];
        let next = ["5", "", "7", "", "6"];
        let mut forecasts = format!("customer_id,{},tier\n", NUMBERS[..FORECAST].join(","));
        let mut history = format!("customer_id,tier,rfm_score,rfm_group,{}\n", NUMBERS[FORECAST..].join(","));
        for i in 0..5 {
            let (id, tier, spend, next) = (ids[i], tiers[i], spend[i], next[i]);
            forecasts += &format!("{id},1,{spend},0,0,0,50,60,0.5,{next},{tier}\n");
            history += &format!("{id},{tier},555,champions,{i},2,100.5\n");
        }
        let put = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("written");
        put(names::FORECASTS_CSV, &forecasts);
        put(names::TIERS_CSV, &history);
        put(names::TIERS_JSON, r#"{"tiers":[{"name":{"key":"gold","en":"Gold","zh":"黄金"},"n":2}]}"#);
        put(names::EVALUATION_JSON, r#"{"chosen":"bg-nbd","cutoff":"2024-01-01"}"#);
        let results = Results::open(folder.path()).expect("read");
        (folder, results)
    }

    const ALL: Ask<'_> = Ask { prefix: "", tier: None, sort: Sort::Id, descending: false, from: 0, limit: 100 };

    fn ids(results: &Results, ask: &Ask<'_>) -> Vec<String> {
        results.page(ask).customers.iter().map(|&i| results.id(i).to_owned()).collect()
    }

    #[test]
    fn customers_come_in_every_order_and_missing_numbers_last() {
        let (_folder, r) = results();
        let by = |name: &str, descending: bool| {
            ids(&r, &Ask { sort: Results::sort(name).expect("a column"), descending, ..ALL })
        };
        assert_eq!(by("customer_id", false), ["an", "ann", "bo", "cy", "di"]);
        assert_eq!(by("customer_id", true), ["di", "cy", "bo", "ann", "an"]);
        assert_eq!(by("expected_spend", true), ["cy", "bo", "ann", "di", "an"]);
        assert_eq!(by("next_order_days", false), ["bo", "di", "cy", "an", "ann"]);
        assert_eq!(by("next_order_days", true), ["cy", "di", "bo", "an", "ann"]);
        assert_eq!(Results::sort("tier"), None);
    }

    #[test]
    fn pages_of_any_size_hold_every_customer_once() {
        let (_folder, r) = results();
        for limit in 1..6 {
            for (prefix, tier, expected) in [("", None, 5), ("an", None, 2), ("", Some(0), 2), ("x", None, 0)] {
                let (mut all, mut from) = (Vec::new(), Some(0));
                while let Some(at) = from {
                    let page = r.page(&Ask { prefix, tier, from: at, limit, ..ALL });
                    all.extend(page.customers);
                    from = page.next;
                }
                all.sort_unstable();
                all.dedup();
                assert_eq!(all.len(), expected, "{limit} {prefix} {tier:?}");
            }
        }
    }

    #[test]
    fn a_customer_is_found_by_the_whole_id() {
        let (_folder, r) = results();
        let ann = r.find("ann").expect("there");
        assert_eq!((r.tier(ann), r.number(ann, 1), r.number(ann, 8)), ("silver", Some(20.0), None));
        assert_eq!((r.rfm_score(ann), r.number(ann, 11), r.number(ann, 9)), ("555", Some(100.5), Some(1.0)));
        assert_eq!((r.find("a"), r.find(""), r.len()), (None, None, 5));
    }

    #[test]
    fn files_that_do_not_belong_together_are_refused() {
        let (folder, _) = results();
        let path = folder.path().join(names::TIERS_CSV);
        let text = std::fs::read_to_string(&path).expect("read").replace("ann,", "eve,");
        std::fs::write(&path, text).expect("written");
        let error = Results::open(folder.path()).expect_err("refused").to_string();
        assert!(error.contains("other customers"), "{error}");
    }
}
