//! Which features to compute: all that a log offers, or those that were asked for.

use guike_core::{EventKind, Horizon, Past, SECONDS_PER_DAY, Timestamp};

use crate::catalogue::{CATALOGUE, Definition, Each, Source, WINDOWS};
use crate::error::FeatureError;
use crate::state::{Snapshot, group};

/// What a log offers to features, as far as it was known at an anchor.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LogShape {
    /// Some event has a time of day other than midnight.
    pub clock: bool,
    /// Quantities are recorded.
    pub quantity: bool,
    /// Items are recorded.
    pub item: bool,
    /// Categories are recorded.
    pub category: bool,
    /// Order numbers are recorded.
    pub order: bool,
    /// Kinds of event that occur, by number.
    pub kinds: [bool; EventKind::ALL.len()],
    /// Days from the first purchase day of the log to the anchor, both counted.
    pub history_days: u32,
}

impl LogShape {
    /// A log that offers every feature of the catalogue.
    pub(crate) fn everything() -> LogShape {
        LogShape {
            clock: true,
            quantity: true,
            item: true,
            category: true,
            order: true,
            kinds: [true; EventKind::ALL.len()],
            history_days: u32::MAX,
        }
    }

    /// The shape of the log as it was known at the cutoff: what came later leaves no trace.
    pub fn of(past: &Past<'_>) -> LogShape {
        let mut shape = LogShape::default();
        let mut first: Option<i64> = None;
        for i in 0..past.n_customers() {
            let e = past.customer(i);
            if e.is_empty() {
                continue;
            }
            shape.quantity |= !e.quantity.is_empty();
            shape.item |= !e.item.is_empty();
            shape.category |= !e.category.is_empty();
            shape.order |= !e.order.is_empty();
            for &k in e.kind {
                shape.kinds[usize::from(k)] = true;
            }
            shape.clock = shape.clock || e.time.iter().any(|t| t % SECONDS_PER_DAY != 0);
            if let Some(row) = (0..e.len()).find(|&r| e.is_purchase(r)) {
                first = Some(first.map_or(e.time[row], |f| f.min(e.time[row])));
            }
        }
        let last_day = past.cutoff().last_day().0;
        shape.history_days = first.map_or(0, |t| (last_day - Timestamp(t).day().0 + 1) as u32);
        shape
    }
}

/// One column to compute.
#[derive(Debug, Clone)]
pub struct Feature {
    /// Column name.
    pub name: String,
    /// Its row of the catalogue.
    pub definition: &'static Definition,
    member: usize,
}

impl Feature {
    #[inline]
    pub(crate) fn value(&self, snapshot: &Snapshot<'_>) -> f64 {
        (self.definition.value)(snapshot, self.member)
    }
}

/// The optional columns that a set of features reads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reads {
    /// Quantities.
    pub quantity: bool,
    /// Items.
    pub item: bool,
    /// Categories.
    pub category: bool,
    /// Order numbers.
    pub order: bool,
}

/// The features to compute, in the order of the columns, and the horizon they look forward to.
#[derive(Debug, Clone)]
pub struct FeatureSet {
    features: Vec<Feature>,
    windows: Vec<u32>,
    horizon: Horizon,
    groups: u16,
}

impl FeatureSet {
    /// All features that a log of this shape offers: none whose column is absent, no window as long as the history.
    pub fn all(shape: &LogShape, horizon: Horizon) -> FeatureSet {
        let available = CATALOGUE.iter().filter(|d| d.source.in_log(shape));
        let features = available.flat_map(|definition| expand(definition, shape)).collect();
        FeatureSet::new(features, horizon)
    }

    /// The features of these names, in this order.
    ///
    /// # Errors
    /// [`FeatureError`] for the first name that the catalogue or this log does not have.
    pub fn named(names: &[&str], shape: &LogShape, horizon: Horizon) -> Result<FeatureSet, FeatureError> {
        // a shape that offers everything tells unknown names from unavailable ones
        let any = LogShape::everything();
        let find =
            |name: &str, shape: &LogShape| CATALOGUE.iter().flat_map(|d| expand(d, shape)).find(|f| f.name == name);
        let mut features = Vec::with_capacity(names.len());
        for &name in names {
            let ideal = find(name, &any).ok_or_else(|| FeatureError::Unknown(name.to_owned()))?;
            let needs = ideal.definition.needs();
            if ideal.definition.each == Each::Window {
                let window_days = WINDOWS[ideal.member];
                if window_days >= shape.history_days {
                    let history_days = shape.history_days;
                    return Err(FeatureError::TooLong { name: name.to_owned(), window_days, history_days });
                }
            }
            let unavailable = || FeatureError::Unavailable { name: name.to_owned(), needs };
            if !ideal.definition.source.in_log(shape) {
                return Err(unavailable());
            }
            features.push(find(name, shape).ok_or_else(unavailable)?);
        }
        Ok(FeatureSet::new(features, horizon))
    }

    fn new(mut features: Vec<Feature>, horizon: Horizon) -> FeatureSet {
        let groups = features.iter().fold(group::DAYS, |g, f| g | f.definition.groups);
        // only the windows in use are looked up; a window feature's member becomes its place among them
        let mut windows: Vec<u32> =
            features.iter().filter(|f| f.definition.each == Each::Window).map(|f| WINDOWS[f.member]).collect();
        windows.sort_unstable();
        windows.dedup();
        for f in features.iter_mut().filter(|f| f.definition.each == Each::Window) {
            f.member = windows.iter().position(|&w| w == WINDOWS[f.member]).expect("the window was collected above");
        }
        FeatureSet { features, windows, horizon, groups }
    }

    /// Number of features.
    pub fn len(&self) -> usize {
        self.features.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.features.is_empty()
    }

    /// The features, in the order of the columns.
    pub fn iter(&self) -> std::slice::Iter<'_, Feature> {
        self.features.iter()
    }

    /// How far ahead the forecast will look.
    pub fn horizon(&self) -> Horizon {
        self.horizon
    }

    /// The optional columns that must be read.
    pub fn reads(&self) -> Reads {
        let uses = |source| self.features.iter().any(|f| f.definition.source == source);
        Reads {
            quantity: uses(Source::Quantity),
            item: uses(Source::Item),
            category: uses(Source::Category),
            order: uses(Source::Order),
        }
    }

    pub(crate) fn windows(&self) -> &[u32] {
        &self.windows
    }

    pub(crate) fn groups(&self) -> u16 {
        self.groups
    }
}

fn expand(definition: &'static Definition, shape: &LogShape) -> impl Iterator<Item = Feature> {
    definition.members(shape).into_iter().map(move |(text, member)| Feature {
        name: definition.name.replace("{}", &text),
        definition,
        member,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn horizon() -> Horizon {
        Horizon::from_days(30).expect("30 is a horizon")
    }

    fn names(shape: &LogShape) -> Vec<String> {
        FeatureSet::all(shape, horizon()).iter().map(|f| f.name.clone()).collect()
    }

    #[test]
    fn a_bare_log_offers_no_feature_of_absent_columns() {
        let names = names(&LogShape { history_days: 60, ..LogShape::default() });
        for absent in ["quantity", "items", "category_entropy", "baskets", "refunds", "view_events", "hour_00_03_share"]
        {
            assert!(!names.iter().any(|n| n == absent), "{absent}");
        }
        assert!(names.contains(&"orders_56d".to_owned()));
        assert!(!names.contains(&"orders_90d".to_owned()) && !names.contains(&"year_ago_spend".to_owned()));
    }

    #[test]
    fn only_behaviour_that_occurs_is_counted() {
        let mut shape = LogShape { history_days: 60, ..LogShape::default() };
        shape.kinds[EventKind::View as usize] = true;
        let names = names(&shape);
        assert!(names.contains(&"view_events".to_owned()) && !names.contains(&"cart_events".to_owned()));
    }

    #[test]
    fn refusals_name_the_feature_and_the_way_out() {
        let shape = LogShape { history_days: 60, ..LogShape::default() };
        let check = |name: &str, text: &str| {
            let error = FeatureSet::named(&[name], &shape, horizon()).expect_err(name);
            assert_eq!(error.to_string(), text);
        };
        check("spent", "feature `spent` is not in the catalogue; `guike features --list` prints all names");
        check(
            "items",
            "feature `items` needs an item column, which this log does not have; leave it out or map such a column",
        );
        check("spend_365d", "feature `spend_365d` looks back 365 days, and the history has 60; use a shorter window");
    }

    #[test]
    fn a_subset_reads_only_its_columns() {
        let shape = LogShape { category: true, item: true, history_days: 400, ..LogShape::default() };
        let set = FeatureSet::named(&["orders", "spend_90d", "category_entropy"], &shape, horizon()).expect("offered");
        assert_eq!(set.reads(), Reads { category: true, ..Reads::default() });
        assert_eq!(set.windows(), [90]);
    }
}
