//! Where a table begins: titles above it are passed over, and a header is told from data.
//!
//! Reports exported from a shop's back office begin with a title, a period, a blank line; only then comes the header. The
//! header is the first record that names two roles of an order log; where none does, the first that fills at least half as
//! many cells as records usually do.

use crate::dates::DateFormat;
use crate::names::{Role, squeeze};
use crate::numbers::{self, DecimalSign};

/// Records looked at, from the first that is not blank.
pub(crate) const LOOK_AT: usize = 60;
/// The header is among the first of them.
const TITLES: usize = 30;

/// The number of records above the table (or above its first row, where it has no header).
pub(crate) fn titles<'a>(records: impl Iterator<Item = &'a [String]>) -> usize {
    let records: Vec<&[String]> = records.take(LOOK_AT).collect();
    let filled = |r: &&[String]| r.iter().filter(|c| !c.is_empty()).count();
    // `sep=;` tells Excel the delimiter
    let hint = |r: &&[String]| r.first().is_some_and(|c| c.starts_with("sep="));
    let first = usize::from(records.first().is_some_and(hint));
    let among = || records.iter().enumerate().take(TITLES).skip(first);
    if let Some((at, _)) = among().find(|(_, r)| names_roles(r)) {
        return at;
    }
    let counts: Vec<usize> = records.iter().skip(first).map(filled).collect();
    let usual = counts.iter().max_by_key(|&&c| (counts.iter().filter(|&&d| d == c).count(), c)).copied().unwrap_or(0);
    among().find(|(_, r)| filled(r) > 0 && filled(r) * 2 >= usual).map_or(first, |(at, _)| at)
}

/// Whether a record names at least two roles of an order log.
fn names_roles(record: &[String]) -> bool {
    let role = |cell: &String| {
        let word = squeeze(cell);
        Role::ALL.into_iter().find(|r| r.synonyms().contains(&word.as_str()))
    };
    let mut named: Vec<Role> = record.iter().filter_map(role).collect();
    named.sort_unstable();
    named.dedup();
    named.len() >= 2
}

/// Whether a first record holds values rather than names.
pub(crate) fn looks_like_data(cells: &[String]) -> bool {
    let number = |c: &String| numbers::parse(c.as_bytes(), DecimalSign::Point).is_some();
    // a name may be a number, never a date with separators
    let date = |c: &String| !number(c) && DateFormat::ALL.iter().any(|f| f.parse(c.as_bytes()).is_some());
    if cells.iter().any(date) {
        return true;
    }
    let values = cells.iter().filter(|c| number(c)).count();
    // names are seldom numbers; one pivot column called `2010` is no reason to lose a header
    values > 0 && values * 2 >= cells.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> usize {
        let records: Vec<Vec<String>> =
            text.lines().map(|l| l.split(',').map(|c| c.trim().to_owned()).collect()).collect();
        titles(records.iter().map(Vec::as_slice))
    }

    #[test]
    fn titles_periods_and_group_headings_are_above_the_table() {
        for (expected, text) in [
            (0, "customer_id,date,amount\n1,2024-01-01,5\n"),
            (2, "销售明细表,,,\n导出时间：2024-05-01,,,\n会员ID,下单时间,金额,备注\nU1,2024-01-01,5,\n"),
            (2, "报表,销售明细\n店铺,旗舰店\n会员ID,下单时间,金额\nU1,2024-01-01,5\n"),
            (1, "sep=;\na,b\n1,2\n"),
            (1, "订单信息,,,客户信息,\n单据,品名,数,姓,城\n1,x,2,y,z\n2,x,2,y,z\n"),
            (1, "Sales report\nkunde,tag,wert\nA,2020-01-01,1\nA,2020-01-02,2\n"),
            // pandas leaves the name of its index empty
            (0, ",a,b\n0,1,2\n1,3,4\n"),
            (0, "only\n1\n2\n"),
            (0, ""),
        ] {
            assert_eq!(at(text), expected, "{text}");
        }
    }
}
