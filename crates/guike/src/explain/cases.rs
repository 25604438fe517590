//! The few customers that an explanation looks at, and the hybrids made of them.
//!
//! The one idea: whoever asks about one customer of a million needs her, a small seeded sample of the others, and variants
//! of her. [`Reader::people`] computes summaries and features of exactly these, with what the whole log offers as known
//! facts, so that they are what a forecast of everybody would have read.
//!
//! A *hybrid* takes some themes from one customer and the others from another. Her columns are put side by side, and her
//! summary is made possible where the parts contradict each other: no repeat purchase without days to make it on, no last
//! purchase before the first.

use std::collections::BTreeMap;
use std::sync::Arc;

use guike_core::{
    Attributes, Cases, Cutoff, EventLog, EventLogBuilder, Events, Horizon, ModelCard, Purchases, RfmTable, Seed, Table,
};
use guike_explain::shapley::Hybrid;
use guike_features::{FeatureSet, LogShape, Theme, feature_table, rfm};

use crate::crowd::read_by;
use crate::error::Error;
use crate::events::{Event, Has, joined_as};

/// Features that are told beside the themes, whether the model reads them or not; those that the log does not offer are
/// left out.
const FACTS: [&str; 12] = [
    "recency_days",
    "orders",
    "tenure_days",
    "spend_mean",
    "gap_mean",
    "year_ago_orders",
    "items",
    "categories",
    "quantity_mean",
    "refunds",
    "view_events_28d",
    "login_events_28d",
];

/// A customer of the log as she is, or with one purchase more on the last known day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Who {
    /// Index in the log; from its number of customers on, nobody in it.
    pub(super) customer: u32,
    /// Millionths of the currency unit.
    pub(super) buys_now: Option<i64>,
}

impl Who {
    pub(crate) fn is(customer: u32) -> Who {
        Who { customer, buys_now: None }
    }
}

/// Customers as a model reads them.
#[derive(Debug)]
pub(crate) struct People {
    pub(super) cutoff: Cutoff,
    pub(super) horizon: Horizon,
    pub(crate) rfm: RfmTable,
    pub(super) purchases: Purchases,
    /// What the model reads beside the summary.
    pub(super) features: Option<Table>,
    /// [`FACTS`] and attributes.
    pub(crate) facts: Table,
}

impl People {
    pub(crate) fn cases(&self) -> Cases<'_> {
        Cases {
            cutoff: self.cutoff,
            horizon: self.horizon,
            rfm: &self.rfm,
            features: self.features.as_ref(),
            purchases: Some(&self.purchases),
        }
    }

    /// The themes that the model reads, in the order in which they are told.
    pub(super) fn themes(&self) -> Vec<Theme> {
        let summary = [Theme::Recency, Theme::Frequency, Theme::Tenure, Theme::Spend];
        let columns = self.features.iter().flat_map(|t| t.columns()).map(|c| Theme::of(&c.name));
        let read: Vec<Theme> = summary.into_iter().chain(columns).collect();
        Theme::ALL.into_iter().filter(|t| read.contains(t)).collect()
    }
}

/// What a log offers at a cutoff, found out once by a walk over all of it.
#[derive(Debug)]
pub(crate) struct Offer {
    cutoff: Cutoff,
    set: Option<FeatureSet>,
    facts: FeatureSet,
    history_days: u32,
    /// Customers with a purchase by the cutoff, ascending.
    buyers: Vec<u32>,
}

impl Offer {
    /// # Errors
    /// [`Error::NoAnswer`] when the log lacks what the model reads.
    pub(crate) fn of(log: &EventLog, card: &ModelCard, cutoff: Cutoff, horizon: Horizon) -> Result<Offer, Error> {
        let past = log.before(cutoff);
        Offer::with(&LogShape::of(&past), past.attributes(), past.buyers(), card, cutoff, horizon)
    }

    /// The same of a log of this shape, with these attributes and customers with a purchase by the cutoff, who ascend.
    ///
    /// # Errors
    /// As [`Offer::of`].
    pub(super) fn with(
        shape: &LogShape,
        attributes: Option<&Attributes>,
        buyers: Vec<u32>,
        card: &ModelCard,
        cutoff: Cutoff,
        horizon: Horizon,
    ) -> Result<Offer, Error> {
        let set = read_by(card, attributes, shape)?;
        let offered: Vec<&str> =
            FACTS.into_iter().filter(|n| FeatureSet::named(&[n], shape, horizon).is_ok()).collect();
        let facts = FeatureSet::named(&offered, shape, horizon)
            .map_err(|e| Error::Internal(format!("a feature that is offered cannot be computed: {e}")))?;
        Ok(Offer { cutoff, set, facts, history_days: shape.history_days, buyers })
    }

    /// At most `n` buyers other than `except`, by chance, the same for the same seed; ascending.
    ///
    /// By rank among the buyers: an index in the log would change with customers who come after the cutoff.
    pub(super) fn sample(&self, n: usize, except: Option<u32>, seed: Seed) -> Vec<u32> {
        let mut drawn: Vec<(u64, u32)> = self
            .buyers
            .iter()
            .enumerate()
            .filter(|(_, c)| Some(**c) != except)
            .map(|(rank, &c)| (seed.at(rank as u64).0, c))
            .collect();
        if drawn.len() > n {
            drawn.select_nth_unstable(n);
            drawn.truncate(n);
        }
        let mut customers: Vec<u32> = drawn.into_iter().map(|d| d.1).collect();
        customers.sort_unstable();
        customers
    }
}

/// Reads customers as a model does.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    log: &'a EventLog,
    /// Which customers the log has, ascending, where it is a part of the one that customers are told by; `None` for all.
    part: Option<&'a [u32]>,
    cutoff: Cutoff,
    horizon: Horizon,
    offer: Arc<Offer>,
    /// What was told of customers since the log ended, by their index; one that the log does not have is a new customer.
    told: BTreeMap<u32, &'a [Event]>,
}

impl<'a> Reader<'a> {
    /// # Errors
    /// As [`Offer::of`].
    pub(super) fn new(
        log: &'a EventLog,
        card: &ModelCard,
        cutoff: Cutoff,
        horizon: Horizon,
    ) -> Result<Reader<'a>, Error> {
        let offer = Arc::new(Offer::of(log, card, cutoff, horizon)?);
        Ok(Reader { log, part: None, cutoff, horizon, offer, told: BTreeMap::new() })
    }

    /// Of a log of which only a `part` is at hand: these customers, who ascend, and only of them may be asked.
    pub(super) fn of_part(log: &'a EventLog, part: &'a [u32], offer: &Arc<Offer>, horizon: Horizon) -> Reader<'a> {
        let cutoff = offer.cutoff;
        Reader { log, part: Some(part), cutoff, horizon, offer: Arc::clone(offer), told: BTreeMap::new() }
    }

    /// Where a customer stands in the log; `None` for nobody in it.
    fn place(&self, customer: u32) -> Option<usize> {
        match self.part {
            Some(part) => Some(part.binary_search(&customer).expect("a customer of the part")),
            None => Some(customer as usize).filter(|&at| at < self.log.n_customers()),
        }
    }

    /// As the log would be with what was `told`, from a `cutoff` that is not before the offer's.
    pub(crate) fn later(
        log: &'a EventLog,
        offer: &Arc<Offer>,
        cutoff: Cutoff,
        horizon: Horizon,
        told: BTreeMap<u32, &'a [Event]>,
    ) -> Reader<'a> {
        Reader { log, part: None, cutoff, horizon, offer: Arc::clone(offer), told }
    }

    /// Days from the first purchase day of the shop to the cutoff, both counted.
    fn history_days(&self) -> u32 {
        let (cutoff, known) = (self.cutoff.last_day().0, self.offer.cutoff.last_day().0);
        let first = known - self.offer.history_days as i32 + 1;
        let told = self.told.values().flat_map(|events| events.iter()).filter(|e| !e.is_refund());
        let first = told.map(|e| e.time.day().0).fold(first, i32::min);
        (cutoff - first + 1) as u32
    }

    /// Number of customers with a purchase by the cutoff.
    pub(crate) fn n_buyers(&self) -> usize {
        self.offer.buyers.len()
    }

    /// Whether this customer has a purchase by the cutoff.
    pub(super) fn is_buyer(&self, customer: u32) -> bool {
        self.offer.buyers.binary_search(&customer).is_ok()
    }

    /// What the log offers.
    pub(super) fn offer(&self) -> &Offer {
        &self.offer
    }

    /// As [`Offer::sample`].
    pub(super) fn sample(&self, n: usize, except: Option<u32>, seed: Seed) -> Vec<u32> {
        self.offer.sample(n, except, seed)
    }

    /// Summaries, features and facts of these customers, in this order.
    pub(crate) fn people(&self, who: &[Who]) -> People {
        let small = self.small_log(who);
        let past = small.before(self.cutoff);
        let mut rfm = rfm(&past, self.horizon.days());
        // what is known of the whole shop
        rfm.history_days = self.history_days();
        assert_eq!(rfm.len(), who.len(), "every one of them has a purchase by the cutoff");
        let everyone: Vec<u32> = (0..who.len() as u32).collect();
        let features = self.offer.set.as_ref().map(|set| feature_table(&past, &everyone, set));
        let facts = feature_table(&past, &everyone, &self.offer.facts);
        let purchases = guike_features::purchases(&past, &everyone);
        People { cutoff: self.cutoff, horizon: self.horizon, rfm, purchases, features, facts }
    }

    /// A log of these customers' past alone.
    pub(crate) fn small_log(&self, who: &[Who]) -> EventLog {
        let past = self.log.before(self.cutoff);
        let mut b = EventLogBuilder {
            offsets: vec![0],
            categories: self.log.categories().to_vec(),
            currency: self.log.currency().map(str::to_owned),
            ..EventLogBuilder::default()
        };
        let has = Has::of(self.log);
        for (i, w) in who.iter().enumerate() {
            let e = self.place(w.customer).map_or(Events::default(), |at| past.customer(at));
            b.push_customer(i.to_string(), e);
            if let Some(amount) = w.buys_now {
                buy(&mut b, e, self.cutoff, amount, has);
            }
        }
        b.attributes = self.log.attributes().map(|table| {
            // of a row that is not there nothing is known
            let rows: Vec<usize> = who.iter().map(|w| self.place(w.customer).unwrap_or(usize::MAX)).collect();
            table.take(&rows)
        });
        let small = b.build();
        if self.told.is_empty() {
            return small;
        }
        let name = |event: &Event, row: usize| Event { customer_id: row.to_string(), ..event.clone() };
        let of_row = |(row, w): (usize, &Who)| {
            let told = self.told.get(&w.customer).copied().unwrap_or_default();
            told.iter().map(move |e| name(e, row)).collect::<Vec<Event>>()
        };
        let told: Vec<Event> = who.iter().enumerate().flat_map(of_row).collect();
        joined_as(small, &told, has).expect("every customer of these events is in the small log")
    }
}

/// One purchase more of the last customer, on the last known day, of what she bought last.
fn buy(b: &mut EventLogBuilder, e: Events<'_>, cutoff: Cutoff, amount: i64, has: Has) {
    let day = i64::from(cutoff.last_day().0) * guike_core::SECONDS_PER_DAY;
    b.time.push(e.time.last().map_or(day, |&t| t.max(day)));
    b.kind.push(guike_core::EventKind::Purchase as u8);
    b.amount.push(amount);
    let last = (0..e.len()).rfind(|&r| e.is_purchase(r));
    let of_last = |codes: &[u32]| last.and_then(|r| codes.get(r).copied()).unwrap_or(Events::MISSING);
    b.quantity.extend(has.quantity.then(|| last.and_then(|r| e.quantity.get(r).copied()).unwrap_or(f32::NAN)));
    b.item.extend(has.item.then(|| of_last(e.item)));
    b.category.extend(has.category.then(|| of_last(e.category)));
    // a new order has a number of its own; which one does not matter
    b.order.extend(has.order.then_some(Events::MISSING));
    *b.offsets.last_mut().expect("a customer was added") = b.time.len() as u64;
}

/// A table of rows that are chosen per column.
fn pick<'r>(table: &Table, rows: impl Fn(&str) -> &'r [usize]) -> Table {
    let columns = table.columns().iter().map(|c| c.take(rows(&c.name))).collect();
    Table::new(columns).expect("columns of a table, each with as many rows")
}

/// Hybrids of `people`, by theme.
#[derive(Debug)]
pub(super) struct Composer<'a> {
    people: &'a People,
    /// The themes that are shared out; the groups of the game.
    pub(super) themes: Vec<Theme>,
}

impl<'a> Composer<'a> {
    pub(super) fn new(people: &'a People) -> Composer<'a> {
        Composer { people, themes: people.themes() }
    }

    /// The hybrids of customer `case` with the customers in `background`, as the model reads them.
    pub(super) fn hybrids(
        &self,
        case: usize,
        background: &[usize],
        hybrids: &[Hybrid],
    ) -> (RfmTable, Option<Table>, Purchases) {
        // by theme, the row that gives it to each hybrid
        let source: Vec<Vec<usize>> = (0..self.themes.len())
            .map(|g| hybrids.iter().map(|h| if h.from_case(g) { case } else { background[h.background] }).collect())
            .collect();
        let of = |theme: Theme| {
            let g = self.themes.iter().position(|t| *t == theme).expect("every theme that is read takes part");
            source[g].as_slice()
        };
        let from = (of(Theme::Recency), of(Theme::Frequency), of(Theme::Tenure), of(Theme::Spend));
        let summary = summaries(&self.people.rfm, from);
        let features = self.people.features.as_ref().map(|t| pick(t, |name| of(Theme::of(name))));
        let cutoff = self.people.cutoff.last_day().0;
        let histories = histories(&self.people.purchases, &summary, cutoff, of(Theme::Frequency), of(Theme::Spend));
        (summary, features, histories)
    }
}

/// Possible summaries whose recency, frequency, tenure and spend come from these rows.
///
/// Recency is the days since the last purchase, as people think of it, and not the days from the first to the last.
fn summaries(
    rfm: &RfmTable,
    (recency, frequency, tenure, spend): (&[usize], &[usize], &[usize], &[usize]),
) -> RfmTable {
    let n = recency.len();
    let mut out = RfmTable {
        customer_idx: tenure.iter().map(|&i| rfm.customer_idx[i]).collect(),
        window_days: rfm.window_days,
        history_days: rfm.history_days,
        ..RfmTable::default()
    };
    for k in 0..n {
        let (r, f, t, m) = (recency[k], frequency[k], tenure[k], spend[k]);
        let age = rfm.age_days[t];
        let since = rfm.age_days[r] - rfm.recency_days[r];
        // one day for each repeat purchase
        let repeats = f64::from(rfm.repeats[f]).min(age.floor());
        let last = if repeats > 0.0 { (age - since).clamp(repeats, age) } else { 0.0 };
        let repeat_spend = if rfm.repeats[m] > 0 { rfm.repeat_spend_mean[m] } else { rfm.spend_mean[m] };
        let repeats = repeats as u32;
        out.repeats.push(repeats);
        out.recency_days.push(last);
        out.age_days.push(age);
        out.repeat_spend_mean.push(if repeats > 0 { repeat_spend } else { 0.0 });
        out.spend_mean.push(rfm.spend_mean[m]);
        out.spend_total.push(if m == f && repeats == rfm.repeats[f] {
            rfm.spend_total[m]
        } else {
            rfm.spend_mean[m] * f64::from(repeats + 1)
        });
        out.window_purchase_days.push(rfm.window_purchase_days[f].min(repeats + 1));
        out.window_spend.push(rfm.window_spend[m]);
    }
    out
}

/// Histories that fit these summaries: the rhythm of the customers in `rhythm`, stretched between first and last purchase,
/// with the spends of those in `spend`, in their order.
fn histories(all: &Purchases, summary: &RfmTable, cutoff: i32, rhythm: &[usize], spend: &[usize]) -> Purchases {
    let mut out = Purchases { offsets: vec![0], ..Purchases::default() };
    for k in 0..summary.len() {
        let n = summary.repeats[k] as usize + 1;
        let first = cutoff - summary.age_days[k] as i32;
        let span = summary.recency_days[k] as i32;
        let ((days, _), (_, spends)) = (all.case(rhythm[k]), all.case(spend[k]));
        let whole = f64::from(days[days.len() - 1] - days[0]).max(1.0);
        let mut before = first - 1;
        for i in 0..n {
            // the donor's own day where both have as many
            let at = |of: usize| if n > 1 { (i * (of - 1) + (n - 1) / 2) / (n - 1) } else { 0 };
            let share = f64::from(days[at(days.len())] - days[0]) / whole;
            let day = first + (share * f64::from(span)).round() as i32;
            // every day once, and room for those that follow
            let day = day.max(before + 1).min(first + span - (n - 1 - i) as i32);
            out.day.push(day);
            out.spend.push(spends[at(spends.len())]);
            before = day;
        }
        out.offsets.push(out.day.len() as u64);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_history_of_one_customer_is_hers_and_every_hybrid_has_its_days_in_order() {
        let all = Purchases {
            offsets: vec![0, 1, 5, 8],
            day: vec![95, 10, 20, 21, 100, 40, 41, 60],
            spend: vec![50.0, 1.0, 2.0, 3.0, 4.0, 7.0, 8.0, 9.0],
        };
        let summary = |repeats: Vec<u32>, recency: Vec<f64>, age: Vec<f64>| RfmTable {
            customer_idx: vec![0, 1, 2],
            repeats,
            recency_days: recency,
            age_days: age,
            ..RfmTable::default()
        };
        let same = summary(vec![0, 3, 2], vec![0.0, 90.0, 20.0], vec![5.0, 90.0, 60.0]);
        assert_eq!(histories(&all, &same, 100, &[0, 1, 2], &[0, 1, 2]), all);
        // tight: as many days as purchases
        let tight = summary(vec![3, 3, 2], vec![3.0, 5.0, 2.0], vec![3.0, 7.0, 60.0]);
        let mixed = histories(&all, &tight, 100, &[1, 1, 2], &[2, 0, 1]);
        for case in 0..3 {
            let (days, _) = mixed.case(case);
            let first = 100 - tight.age_days[case] as i32;
            assert!(days.windows(2).all(|w| w[0] < w[1]) && days[0] == first, "{days:?}");
            assert_eq!(days[days.len() - 1] - first, tight.recency_days[case] as i32);
        }
    }

    fn table() -> RfmTable {
        RfmTable {
            customer_idx: vec![0, 1, 2],
            repeats: vec![0, 40, 3],
            recency_days: vec![0.0, 380.0, 20.0],
            age_days: vec![5.0, 400.0, 90.0],
            repeat_spend_mean: vec![0.0, 10.0, 7.0],
            spend_mean: vec![50.0, 12.0, 8.0],
            spend_total: vec![50.0, 492.0, 32.0],
            window_days: 90,
            window_purchase_days: vec![1, 9, 4],
            window_spend: vec![50.0, 99.0, 32.0],
            history_days: 500,
        }
    }

    #[test]
    fn a_hybrid_of_one_customer_is_that_customer() {
        let rfm = table();
        let same = [0, 1, 2];
        assert_eq!(summaries(&rfm, (&same, &same, &same, &same)), rfm);
    }

    #[test]
    fn every_hybrid_is_possible() {
        let rfm = table();
        let all: Vec<[usize; 4]> = (0..81).map(|i| [i % 3, i / 3 % 3, i / 9 % 3, i / 27]).collect();
        let column = |j: usize| all.iter().map(|a| a[j]).collect::<Vec<_>>();
        let out = summaries(&rfm, (&column(0), &column(1), &column(2), &column(3)));
        for i in 0..out.len() {
            let (x, t_x, age) = (f64::from(out.repeats[i]), out.recency_days[i], out.age_days[i]);
            assert!(x <= t_x || x == 0.0, "{:?}", all[i]);
            assert!(
                t_x <= age && (x > 0.0 || t_x == 0.0) && (x > 0.0) == (out.repeat_spend_mean[i] > 0.0),
                "{:?}",
                all[i]
            );
            assert!(out.window_purchase_days[i] <= out.repeats[i] + 1);
        }
    }
}
