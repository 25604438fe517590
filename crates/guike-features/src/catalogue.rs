//! The catalogue: the only place where a feature is defined.
//!
//! A definition with an [`Each`] other than [`Each::Once`] is a family: its `{}` is replaced by the window, weekday …
//! Everything else (which columns are read, what the kernel keeps, which features a log can have) follows from it.
//!
//! Words: *orders* are purchase days, *spend* is money on purchases only, *rows* are purchase events; the *tenure* is
//! the time since the first purchase day. Days are counted to the last known day: who bought on it has recency 0.

use guike_core::EventKind;

use crate::set::LogShape;
use crate::state::{HOUR_BAND, Snapshot, group, ratio, units};

/// Look-back windows in days: powers of two of a week, and the months and year that people think in.
pub const WINDOWS: [u32; 13] = [7, 14, 28, 30, 56, 90, 112, 180, 224, 365, 448, 896, 1792];

const WEEKDAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// Kinds of event that count as behaviour.
const BEHAVIOUR_KINDS: [EventKind; 7] = [
    EventKind::View,
    EventKind::Cart,
    EventKind::Favourite,
    EventKind::Login,
    EventKind::Message,
    EventKind::Payment,
    EventKind::Other,
];

/// Over what a definition is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Each {
    /// A single feature.
    Once,
    /// One per look-back window shorter than the history.
    Window,
    /// One per day of the week.
    Weekday,
    /// One per month of the year.
    Month,
    /// One per four hours of the day.
    HourBand,
    /// One per kind of behaviour event that the log has.
    Behaviour,
}

/// What a feature is computed from, and hence when a log can have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    Purchases,
    Clock,
    Quantity,
    Item,
    Category,
    Order,
    Refunds,
    Behaviour,
    /// A history of at least one year.
    Year,
}

impl Source {
    /// Whether a log of this shape has it.
    pub(crate) fn in_log(self, shape: &LogShape) -> bool {
        match self {
            Source::Purchases => true,
            Source::Clock => shape.clock,
            Source::Quantity => shape.quantity,
            Source::Item => shape.item,
            Source::Category => shape.category,
            Source::Order => shape.order,
            Source::Refunds => shape.kinds[EventKind::Refund as usize],
            Source::Behaviour => BEHAVIOUR_KINDS.iter().any(|&k| shape.kinds[k as usize]),
            Source::Year => shape.history_days > 365,
        }
    }

    /// In words, after "needs".
    pub(crate) fn words(self) -> &'static str {
        match self {
            Source::Purchases => "purchases",
            Source::Clock => "times of day",
            Source::Quantity => "a quantity column",
            Source::Item => "an item column",
            Source::Category => "a category column",
            Source::Order => "an order column",
            Source::Refunds => "refund events",
            Source::Behaviour => "such behaviour events",
            Source::Year => "more than a year of history",
        }
    }
}

/// What a column of the table holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// Numbers.
    Number,
    /// Codes of the log's categories.
    Category,
}

/// What a feature is about, for explanations: whoever asks why gets an answer per theme and not per column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Theme {
    /// How long ago the last purchase was.
    Recency,
    /// How often.
    Frequency,
    /// How long the customer has been one.
    Tenure,
    /// How much money.
    Spend,
    /// How regularly, and whether more or less of late.
    Rhythm,
    /// On which days, in which months, at which hours, and what was a year ago.
    Calendar,
    /// What and how many pieces.
    Assortment,
    /// What came back.
    Refunds,
    /// What else the customer does.
    Behaviour,
    /// Who the customer is: columns of the customers' file, which are not in the catalogue.
    Attributes,
}

impl Theme {
    /// All themes, in the order in which they are told.
    pub const ALL: [Theme; 10] = [
        Theme::Recency,
        Theme::Frequency,
        Theme::Tenure,
        Theme::Spend,
        Theme::Rhythm,
        Theme::Calendar,
        Theme::Assortment,
        Theme::Refunds,
        Theme::Behaviour,
        Theme::Attributes,
    ];

    /// Stable name, for files and lists.
    pub fn name(self) -> &'static str {
        match self {
            Theme::Recency => "recency",
            Theme::Frequency => "frequency",
            Theme::Tenure => "tenure",
            Theme::Spend => "spend",
            Theme::Rhythm => "rhythm",
            Theme::Calendar => "calendar",
            Theme::Assortment => "assortment",
            Theme::Refunds => "refunds",
            Theme::Behaviour => "behaviour",
            Theme::Attributes => "attributes",
        }
    }

    /// The theme of the feature of this name; [`Theme::Attributes`] for a name that the catalogue does not have.
    ///
    /// ```
    /// use guike_features::Theme;
    /// assert_eq!(Theme::of("spend_90d"), Theme::Spend);
    /// assert_eq!(Theme::of("city"), Theme::Attributes);
    /// ```
    pub fn of(feature: &str) -> Theme {
        let everything = LogShape::everything();
        let is_it =
            |d: &&Definition| d.members(&everything).iter().any(|(text, _)| d.name.replace("{}", text) == feature);
        CATALOGUE.iter().find(is_it).map_or(Theme::Attributes, |d| d.theme)
    }
}

/// One row of the catalogue.
#[derive(Debug, Clone, Copy)]
pub struct Definition {
    /// Name; `{}` stands for the window, weekday … of a family.
    pub name: &'static str,
    /// Unit of the values.
    pub unit: &'static str,
    /// When the value is missing; empty when never.
    pub missing: &'static str,
    /// One line for people.
    pub about: &'static str,
    /// Over what it is repeated.
    pub each: Each,
    /// What the column holds.
    pub holds: Holds,
    /// What it is about.
    pub theme: Theme,
    pub(crate) source: Source,
    pub(crate) groups: u16,
    pub(crate) value: fn(&Snapshot<'_>, usize) -> f64,
}

impl Definition {
    /// What the feature is computed from, in words ("a category column").
    pub fn needs(&self) -> &'static str {
        self.source.words()
    }

    /// Members of the family: the text that replaces `{}`, and the index its function gets.
    pub(crate) fn members(&self, shape: &LogShape) -> Vec<(String, usize)> {
        match self.each {
            Each::Once => vec![(String::new(), 0)],
            Each::Window => {
                let shorter = WINDOWS.iter().filter(|&&w| w < shape.history_days);
                shorter.enumerate().map(|(i, w)| (w.to_string(), i)).collect()
            }
            Each::Weekday => WEEKDAYS.iter().enumerate().map(|(i, d)| ((*d).to_owned(), i)).collect(),
            Each::Month => (0..12).map(|m| (format!("{:02}", m + 1), m)).collect(),
            Each::HourBand => (0..24 / HOUR_BAND)
                .map(|b| (format!("{:02}_{:02}", b * HOUR_BAND, b * HOUR_BAND + HOUR_BAND - 1), b as usize))
                .collect(),
            Each::Behaviour => {
                let seen = BEHAVIOUR_KINDS.iter().filter(|&&k| shape.kinds[k as usize]);
                seen.map(|&k| (k.name().to_owned(), k as usize)).collect()
            }
        }
    }
}

/// A feature of every log: number, once, from purchases.
const BASE: Definition = Definition {
    name: "",
    unit: "",
    missing: "",
    about: "",
    each: Each::Once,
    holds: Holds::Number,
    theme: Theme::Attributes,
    source: Source::Purchases,
    groups: group::DAYS,
    value: |_, _| f64::NAN,
};

// what every row ends with: a feature of its theme
const RECENCY: Definition = Definition { theme: Theme::Recency, ..BASE };
const FREQUENCY: Definition = Definition { theme: Theme::Frequency, ..BASE };
const TENURE: Definition = Definition { theme: Theme::Tenure, ..BASE };
const SPEND: Definition = Definition { theme: Theme::Spend, ..BASE };
const RHYTHM: Definition = Definition { theme: Theme::Rhythm, ..BASE };
const CALENDAR: Definition = Definition { theme: Theme::Calendar, ..BASE };
const ASSORTMENT: Definition = Definition { theme: Theme::Assortment, ..BASE };
const REFUNDS: Definition = Definition { theme: Theme::Refunds, ..BASE };
const BEHAVIOUR: Definition = Definition { theme: Theme::Behaviour, ..BASE };

const NO_PURCHASE: &str = "no purchase";
const ONE_DAY: &str = "fewer than 2 purchase days";
const TWO_DAYS: &str = "fewer than 3 purchase days";
const NO_ITEM: &str = "no item named";
const NO_CATEGORY: &str = "no category named";

/// Every feature, in the order of the table's columns.
#[rustfmt::skip]
pub static CATALOGUE: &[Definition] = &[
    // how recently, how often, how long
    Definition { name: "recency_days", unit: "days", missing: NO_PURCHASE, about: "days since the last purchase day",
        value: |s, _| s.recency(), ..RECENCY },
    Definition { name: "tenure_days", unit: "days", missing: NO_PURCHASE, about: "days since the first purchase day",
        value: |s, _| s.tenure(), ..TENURE },
    Definition { name: "recency_share", unit: "share", missing: "no purchase before the last known day",
        about: "recency over tenure: 1 when the first purchase day was the last",
        value: |s, _| ratio(s.recency(), s.tenure()), ..RECENCY },
    Definition { name: "orders", unit: "purchase days", about: "purchase days so far", value: |s, _| s.n_days(), ..FREQUENCY },
    Definition { name: "orders_per_30d", unit: "purchase days / 30 days", missing: NO_PURCHASE,
        about: "purchase days per 30 days of tenure, both ends counted",
        value: |s, _| 30.0 * s.n_days() / (s.tenure() + 1.0), ..FREQUENCY },
    Definition { name: "purchase_rows", unit: "rows", about: "rows of the log that are purchases",
        value: |s, _| s.state.purchase_rows as f64, ..FREQUENCY },
    Definition { name: "baskets", unit: "orders", about: "distinct order numbers", source: Source::Order, groups: group::ORDER,
        value: |s, _| s.state.orders.distinct() as f64, ..FREQUENCY },

    // how much
    Definition { name: "spend", unit: "currency", about: "total spend", value: |s, _| s.spend(), ..SPEND },
    Definition { name: "spend_mean", unit: "currency", missing: NO_PURCHASE, about: "mean spend per purchase day",
        value: |s, _| s.spend_mean(), ..SPEND },
    Definition { name: "spend_std", unit: "currency", missing: ONE_DAY, groups: group::SPREAD,
        about: "sample standard deviation of the spend per purchase day", value: |s, _| s.spend_std(), ..SPEND },
    Definition { name: "spend_median", unit: "currency", missing: NO_PURCHASE, groups: group::MEDIAN,
        about: "median spend per purchase day", value: |s, _| s.state.median, ..SPEND },
    Definition { name: "spend_max", unit: "currency", missing: NO_PURCHASE, about: "largest spend on one purchase day",
        value: |s, _| if s.n_days() > 0.0 { units(s.state.max_day_spend) } else { f64::NAN }, ..SPEND },
    Definition { name: "spend_min", unit: "currency", missing: NO_PURCHASE, about: "smallest spend on one purchase day",
        value: |s, _| if s.n_days() > 0.0 { units(s.state.min_day_spend) } else { f64::NAN }, ..SPEND },
    Definition { name: "spend_last", unit: "currency", missing: NO_PURCHASE, about: "spend on the last purchase day",
        value: |s, _| s.state.days.len().checked_sub(1).map_or(f64::NAN, |at| s.day_spend(at)), ..SPEND },
    Definition { name: "spend_last_ratio", unit: "ratio", missing: "mean spend not above 0",
        about: "spend on the last purchase day over the mean",
        value: |s, _| s.state.days.len().checked_sub(1).map_or(f64::NAN, |at| ratio(s.day_spend(at), s.spend_mean())), ..SPEND },
    Definition { name: "spend_per_30d", unit: "currency / 30 days", missing: NO_PURCHASE,
        about: "spend per 30 days of tenure, both ends counted", value: |s, _| 30.0 * s.spend() / (s.tenure() + 1.0), ..SPEND },

    // the first order
    Definition { name: "first_spend", unit: "currency", missing: NO_PURCHASE, about: "spend on the first purchase day",
        value: |s, _| if s.n_days() > 0.0 { s.day_spend(0) } else { f64::NAN }, ..SPEND },
    Definition { name: "first_rows", unit: "rows", missing: NO_PURCHASE, about: "rows on the first purchase day",
        value: |s, _| if s.n_days() > 0.0 { s.state.first_rows as f64 } else { f64::NAN }, ..ASSORTMENT },
    Definition { name: "first_quantity", unit: "pieces", missing: NO_PURCHASE, about: "pieces on the first purchase day",
        source: Source::Quantity, groups: group::QUANTITY,
        value: |s, _| if s.n_days() > 0.0 { s.state.first_quantity } else { f64::NAN }, ..ASSORTMENT },
    Definition { name: "first_items", unit: "items", missing: NO_PURCHASE, about: "distinct items on the first purchase day",
        source: Source::Item, groups: group::ITEM,
        value: |s, _| if s.n_days() > 0.0 { s.state.first_items as f64 } else { f64::NAN }, ..ASSORTMENT },
    Definition { name: "first_category", unit: "category", missing: NO_CATEGORY, about: "the first category ever bought",
        source: Source::Category, groups: group::CATEGORY, holds: Holds::Category,
        value: |s, _| if s.state.categories.total() > 0 { f64::from(s.state.first_category) } else { f64::NAN }, ..ASSORTMENT },

    // the rhythm
    Definition { name: "gap_mean", unit: "days", missing: ONE_DAY, about: "mean days between purchase days",
        value: |s, _| s.gap_mean(), ..RHYTHM },
    Definition { name: "gap_std", unit: "days", missing: TWO_DAYS, about: "sample standard deviation of the days between",
        value: |s, _| s.gap_std(), ..RHYTHM },
    Definition { name: "gap_cv", unit: "ratio", missing: TWO_DAYS, about: "their standard deviation over their mean: 0 is clockwork",
        value: |s, _| s.gap_std() / s.gap_mean(), ..RHYTHM },
    Definition { name: "gap_last", unit: "days", missing: ONE_DAY, about: "days between the last two purchase days",
        value: |s, _| match s.state.days[..] { [.., a, b] => f64::from(b - a), _ => f64::NAN }, ..RHYTHM },
    Definition { name: "gap_max", unit: "days", missing: ONE_DAY, about: "longest pause so far",
        value: |s, _| if s.n_days() > 1.0 { f64::from(s.state.max_gap) } else { f64::NAN }, ..RHYTHM },
    Definition { name: "recency_over_gap", unit: "ratio", missing: ONE_DAY,
        about: "recency over the mean gap: above 1 the customer is late", value: |s, _| s.recency() / s.gap_mean(), ..RECENCY },

    // look-back windows that end at the cutoff
    Definition { name: "orders_{}d", unit: "purchase days", about: "purchase days in the last so many days", each: Each::Window,
        value: |s, w| s.window_orders(w), ..FREQUENCY },
    Definition { name: "spend_{}d", unit: "currency", about: "spend in the last so many days", each: Each::Window,
        value: |s, w| s.window_spend(w), ..SPEND },

    // where it is going, and the season
    Definition { name: "orders_trend", unit: "−1 … 1", missing: NO_PURCHASE,
        about: "purchase days in the later half of the tenure minus the earlier, over both",
        value: |s, _| s.halves().map_or(f64::NAN, |((a, _), (b, _))| ratio(b - a, a + b)), ..RHYTHM },
    Definition { name: "spend_trend", unit: "−1 … 1", missing: "no spend above 0",
        about: "spend in the later half of the tenure minus the earlier, over both",
        value: |s, _| s.halves().map_or(f64::NAN, |((_, a), (_, b))| ratio(b - a, a + b)), ..RHYTHM },
    Definition { name: "year_ago_orders", unit: "purchase days", source: Source::Year,
        about: "purchase days in the stretch that is the horizon a year earlier", value: |s, _| s.year_ago().0, ..CALENDAR },
    Definition { name: "year_ago_spend", unit: "currency", source: Source::Year,
        about: "spend in the stretch that is the horizon a year earlier", value: |s, _| s.year_ago().1, ..CALENDAR },
    Definition { name: "weekday_{}_share", unit: "share", missing: NO_PURCHASE, about: "share of purchase days on this weekday",
        each: Each::Weekday, groups: group::CALENDAR, value: |s, d| ratio(f64::from(s.state.weekday[d]), s.n_days()), ..CALENDAR },
    Definition { name: "month_{}_share", unit: "share", missing: NO_PURCHASE, about: "share of purchase days in this month",
        each: Each::Month, source: Source::Year, groups: group::CALENDAR,
        value: |s, m| ratio(f64::from(s.state.month[m]), s.n_days()), ..CALENDAR },
    Definition { name: "hour_{}_share", unit: "share", missing: NO_PURCHASE, about: "share of purchase rows in these hours",
        each: Each::HourBand, source: Source::Clock, groups: group::HOUR,
        value: |s, h| ratio(f64::from(s.state.hour[h]), s.state.purchase_rows as f64), ..CALENDAR },

    // what is bought
    Definition { name: "quantity", unit: "pieces", about: "pieces bought", source: Source::Quantity, groups: group::QUANTITY,
        value: |s, _| s.state.quantity, ..ASSORTMENT },
    Definition { name: "quantity_mean", unit: "pieces", missing: NO_PURCHASE, about: "mean pieces per purchase day",
        source: Source::Quantity, groups: group::QUANTITY, value: |s, _| ratio(s.state.quantity, s.n_days()), ..ASSORTMENT },
    Definition { name: "price_mean", unit: "currency / piece", missing: "no pieces counted", about: "spend over pieces",
        source: Source::Quantity, groups: group::QUANTITY, value: |s, _| ratio(s.spend(), s.state.quantity), ..SPEND },
    Definition { name: "items", unit: "items", about: "distinct items bought", source: Source::Item, groups: group::ITEM,
        value: |s, _| s.state.items.distinct() as f64, ..ASSORTMENT },
    Definition { name: "repeat_item_share", unit: "share", missing: NO_ITEM, source: Source::Item, groups: group::ITEM,
        about: "share of rows whose item was bought on an earlier day",
        value: |s, _| ratio(s.state.repeat_item_rows as f64, s.state.item_rows as f64), ..ASSORTMENT },
    Definition { name: "top_item_share", unit: "share", missing: NO_ITEM, about: "share of rows with the most frequent item",
        source: Source::Item, groups: group::ITEM,
        value: |s, _| s.state.items.top().map_or(f64::NAN, |e| f64::from(e.count) / s.state.items.total() as f64), ..ASSORTMENT },
    Definition { name: "categories", unit: "categories", about: "distinct categories bought",
        source: Source::Category, groups: group::CATEGORY, value: |s, _| s.state.categories.distinct() as f64, ..ASSORTMENT },
    Definition { name: "top_category", unit: "category", missing: NO_CATEGORY, about: "the category of most rows",
        source: Source::Category, groups: group::CATEGORY, holds: Holds::Category,
        value: |s, _| s.state.categories.top().map_or(f64::NAN, |e| f64::from(e.code)), ..ASSORTMENT },
    Definition { name: "top_category_share", unit: "share", missing: NO_CATEGORY, about: "share of rows in that category",
        source: Source::Category, groups: group::CATEGORY,
        value: |s, _| s.state.categories.top().map_or(f64::NAN, |e| f64::from(e.count) / s.state.categories.total() as f64), ..ASSORTMENT },
    Definition { name: "category_entropy", unit: "nats", missing: NO_CATEGORY, source: Source::Category, groups: group::CATEGORY,
        about: "Shannon entropy of the shares of rows by category: 0 is one category only", value: |s, _| s.state.entropy, ..ASSORTMENT },

    // what comes back
    Definition { name: "refunds", unit: "rows", about: "refund rows", source: Source::Refunds, groups: group::REFUND,
        value: |s, _| s.state.refund_rows as f64, ..REFUNDS },
    Definition { name: "refund_rate", unit: "ratio", missing: NO_PURCHASE, about: "refund rows over purchase rows",
        source: Source::Refunds, groups: group::REFUND,
        value: |s, _| ratio(s.state.refund_rows as f64, s.state.purchase_rows as f64), ..REFUNDS },
    Definition { name: "refund_spend_share", unit: "ratio", missing: "no spend above 0", about: "money given back over spend",
        source: Source::Refunds, groups: group::REFUND, value: |s, _| ratio(units(s.state.refunded), s.spend()), ..REFUNDS },
    Definition { name: "refund_recency_days", unit: "days", missing: "no refund", about: "days since the last refund",
        source: Source::Refunds, groups: group::REFUND,
        value: |s, _| if s.state.refund_rows > 0 { f64::from(s.last_day - s.state.last_refund_day) } else { f64::NAN }, ..REFUNDS },

    // what else the customer does
    Definition { name: "{}_events", unit: "events", about: "events of this kind so far", each: Each::Behaviour,
        source: Source::Behaviour, groups: group::BEHAVIOUR, value: |s, k| s.state.kind_days[k].len() as f64, ..BEHAVIOUR },
    Definition { name: "{}_events_7d", unit: "events", about: "events of this kind in the last 7 days", each: Each::Behaviour,
        source: Source::Behaviour, groups: group::BEHAVIOUR, value: |s, k| s.kind_within(k, 7), ..BEHAVIOUR },
    Definition { name: "{}_events_28d", unit: "events", about: "events of this kind in the last 28 days", each: Each::Behaviour,
        source: Source::Behaviour, groups: group::BEHAVIOUR, value: |s, k| s.kind_within(k, 28), ..BEHAVIOUR },
    Definition { name: "{}_recency_days", unit: "days", missing: "no such event", about: "days since the last event of this kind",
        each: Each::Behaviour, source: Source::Behaviour, groups: group::BEHAVIOUR,
        value: |s, k| s.state.kind_days[k].last().map_or(f64::NAN, |&d| f64::from(s.last_day - d)), ..BEHAVIOUR },
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_unique_and_fit_a_column() {
        let mut names = BTreeSet::new();
        for d in CATALOGUE {
            for (member, _) in d.members(&LogShape::everything()) {
                let name = d.name.replace("{}", &member);
                assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'), "{name}");
                assert!(names.insert(name), "{} is defined twice", d.name);
            }
        }
    }

    #[test]
    fn every_row_says_what_it_is() {
        for d in CATALOGUE {
            assert!(!d.unit.is_empty() && !d.about.is_empty(), "{}", d.name);
            assert_eq!(d.name.contains("{}"), d.each != Each::Once, "{}", d.name);
            assert_ne!(d.theme, Theme::Attributes, "{} ends with `..BASE` and not with its theme's row", d.name);
        }
    }
}
