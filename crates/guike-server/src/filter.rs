//! Which customers: what an address may say about them, the same for pages, programs, exports and audiences.

use guike::results::{Ask, Bounds, NUMBERS, Results, Sort};

use crate::ledger::Sight;
use crate::problem::Problem;
use crate::query::{Query, list};
use crate::served::encoded;
use crate::v1::wrong;

/// What may be said of ids, tiers and groups.
pub(crate) const NAMED: [&str; 3] = ["prefix", "tier", "group"];
/// What may be said of every one of [`NUMBERS`]: the least value, and the greatest.
pub(crate) const ENDS: [[&str; 2]; NUMBERS.len()] = [
    ["min_expected_orders", "max_expected_orders"],
    ["min_expected_spend", "max_expected_spend"],
    ["min_median_spend", "max_median_spend"],
    ["min_spend_p05", "max_spend_p05"],
    ["min_spend_p10", "max_spend_p10"],
    ["min_spend_p90", "max_spend_p90"],
    ["min_spend_p95", "max_spend_p95"],
    ["min_p_active", "max_p_active"],
    ["min_next_order_days", "max_next_order_days"],
    ["min_days_since_last_order", "max_days_since_last_order"],
    ["min_purchase_days", "max_purchase_days"],
    ["min_spend_so_far", "max_spend_so_far"],
];

/// The names of everything that may be said of customers, and these.
pub(crate) fn names(more: &[&'static str]) -> Vec<&'static str> {
    NAMED.iter().chain(ENDS.as_flattened()).chain(more).copied().collect()
}

/// Which customers the parameters ask for, and in which order (`sort`).
///
/// # Errors
/// [`Problem`] for an order, a tier or a group that there is not, for bounds that are no numbers, and for what would tell ids
/// to who may not know them.
pub(crate) fn ask<'a>(results: &Results, query: &'a Query, sight: &Sight, limit: usize) -> Result<Ask<'a>, Problem> {
    let sorted = query.get("sort").filter(|s| !s.is_empty()).unwrap_or("-expected_spend");
    let (name, descending) = sorted.strip_prefix('-').map_or((sorted, false), |s| (s, true));
    let sort = Results::sort(name).ok_or_else(|| {
        wrong(format!(
            "parameter `sort` takes `customer_id` or one of {}, with `-` before it for the greatest first",
            list(&NUMBERS)
        ))
    })?;
    if query.get("prefix").is_some_and(|p| !p.is_empty()) {
        sight.needs_ids("parameter `prefix`")?;
    }
    if matches!(sort, Sort::Id) {
        sight.needs_ids("the order of `customer_id`")?;
    }
    let one_of = |parameter: &str, known: &[String]| -> Result<Option<u32>, Problem> {
        match query.get(parameter).filter(|key| !key.is_empty()) {
            None => Ok(None),
            Some(key) => {
                let at = known.iter().position(|t| t == key).ok_or_else(|| {
                    let names: Vec<&str> = known.iter().map(String::as_str).collect();
                    wrong(format!("parameter `{parameter}` takes one of {}", list(&names)))
                })?;
                Ok(Some(at as u32))
            }
        }
    };
    let tier = one_of("tier", results.tiers())?;
    let group = one_of("group", results.groups())?;
    let bounds = bounds(query)?;
    Ok(Ask { prefix: query.get("prefix").unwrap_or(""), tier, group, bounds, sort, descending, from: 0, limit })
}

fn bounds(query: &Query) -> Result<Bounds, Problem> {
    let mut bounds = Bounds::OPEN;
    for (column, [least, greatest]) in ENDS.iter().enumerate() {
        let end = |name: &str| -> Result<Option<f64>, Problem> {
            let Some(text) = query.get(name).map(str::trim).filter(|t| !t.is_empty()) else { return Ok(None) };
            let number = text.parse().ok().filter(|v: &f64| v.is_finite());
            number.map(Some).ok_or_else(|| wrong(format!("parameter `{name}` takes a number, such as 12.5")))
        };
        let (from, to) = (end(least)?, end(greatest)?);
        if let (Some(from), Some(to)) = (from, to)
            && from > to
        {
            return Err(wrong(format!("`{least}` is above `{greatest}`, so nobody is between them; swap the two")));
        }
        from.into_iter().for_each(|v| bounds.from(column, v));
        to.into_iter().for_each(|v| bounds.up_to(column, v));
    }
    Ok(bounds)
}

/// Whether anything is said of customers.
pub(crate) fn is_any(query: &Query) -> bool {
    names(&[]).iter().any(|n| query.get(n).is_some_and(|v| !v.is_empty()))
}

/// What is said of customers as an address says it, always in the same order.
pub(crate) fn text(query: &Query) -> String {
    let said = |name: &'static str| query.get(name).map(str::trim).filter(|v| !v.is_empty()).map(|v| (name, v));
    let pairs = names(&[]).into_iter().filter_map(said);
    pairs.map(|(name, value)| format!("{name}={}", encoded(value))).collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_has_a_least_and_a_greatest() {
        for (name, [least, greatest]) in NUMBERS.iter().zip(ENDS) {
            assert_eq!((least, greatest), (&*format!("min_{name}"), &*format!("max_{name}")));
        }
    }

    #[test]
    fn a_filter_is_written_in_one_way_only() {
        let query = |text: &str| Query::parse(text, &names(&["sort"])).expect("read");
        let one = query("max_p_active=0.5&sort=-p_active&tier=gold&min_p_active=&prefix=a%20b");
        assert_eq!(text(&one), "prefix=a%20b&tier=gold&max_p_active=0.5");
        assert_eq!(text(&query("sort=p_active")), "");
    }

    #[test]
    fn bounds_are_numbers_in_their_order() {
        let query = |text: &str| Query::parse(text, &names(&["sort"])).expect("read");
        assert!(bounds(&query("min_p_active=x")).is_err() && bounds(&query("max_p_active=inf")).is_err());
        assert!(bounds(&query("min_p_active=0.5&max_p_active=0.4")).is_err());
        assert!(bounds(&query("min_p_active=0.4&max_p_active=0.4")).expect("read").hold(|_| 0.4));
    }
}
