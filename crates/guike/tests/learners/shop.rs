//! A small shop with everything that learners read, and what can be done to its log.

use guike::backtest::{Known, View};
use guike_core::{
    Cases, Cutoff, Day, EventLog, EventLogBuilder, FitContext, FitError, Forecasts, Horizon, Learner, Model, Progress,
    Purchases, Quiet, RfmTable, Seed, Table,
};
use guike_sim::{Acquisition, Buying, Refunds};

/// First day of every log here.
const START: Day = Day(19_358);
/// Where the shop's learners stand: 300 days are past, 60 more are in the log.
pub(crate) fn cutoff() -> Cutoff {
    after_day(299)
}

/// 160 customers of a year who arrive over half of it, with refunds, categories and items.
pub(crate) fn log() -> EventLog {
    let shop = guike_sim::Shop {
        customers: 160,
        start: START,
        days: 360,
        buying: Buying { r: 0.9, alpha: 5.0, ..Buying::default() },
        acquisition: Acquisition { days: 180, growth: 1.5 },
        refunds: Refunds { rate: 0.03, ..Refunds::default() },
        ..guike_sim::Shop::default()
    };
    shop.simulate(Seed(11)).expect("the parameters are in range").log
}

pub(crate) fn days(n: u32) -> Horizon {
    Horizon::from_days(n).expect("a horizon")
}

/// Everything known at the cutoff for a forecast of 60 days.
pub(crate) fn known(log: &EventLog) -> Known {
    known_at(log, cutoff())
}

pub(crate) fn known_at(log: &EventLog, cutoff: Cutoff) -> Known {
    Known::at(log, cutoff, days(60), View::Features, Seed(5))
}

pub(crate) fn try_fit(
    learner: &dyn Learner,
    known: &Known,
    progress: &dyn Progress,
) -> Result<Box<dyn Model>, FitError> {
    let cx = FitContext { seed: Seed(7), progress };
    known.with_training(|t| learner.fit(t, &cx)).map(|fitted| fitted.model)
}

pub(crate) fn fit(learner: &dyn Learner, known: &Known) -> Box<dyn Model> {
    try_fit(learner, known, &Quiet).unwrap_or_else(|e| panic!("{}: {e}", learner.name()))
}

/// The forecasts, which keep every promise.
pub(crate) fn forecast(model: &dyn Model, cases: &Cases<'_>) -> Forecasts {
    let name = &model.card().name;
    let f = model.forecast(cases).unwrap_or_else(|e| panic!("{name}: {e}"));
    assert_eq!(f.flaw(), None, "{name}");
    assert_eq!((f.len(), f.horizon), (cases.len(), cases.horizon), "{name}");
    f
}

/// The cases at `rows`, in that order.
#[derive(Debug)]
pub(crate) struct Part {
    rfm: RfmTable,
    features: Option<Table>,
    purchases: Option<Purchases>,
}

impl Part {
    pub(crate) fn of(cases: &Cases<'_>, rows: &[usize]) -> Part {
        let features = cases.features.map(|table| table.take(rows));
        Part { rfm: cases.rfm.take(rows), features, purchases: cases.purchases.map(|p| p.take(rows)) }
    }

    pub(crate) fn cases<'a>(&'a self, like: &Cases<'_>) -> Cases<'a> {
        Cases {
            cutoff: like.cutoff,
            horizon: like.horizon,
            rfm: &self.rfm,
            features: self.features.as_ref(),
            purchases: self.purchases.as_ref(),
        }
    }
}

/// The events of these customers, in this order, as far as `keep` keeps them; `money` changes amounts.
pub(crate) fn rebuilt(
    log: &EventLog,
    customers: &[usize],
    keep: impl Fn(i64) -> bool,
    money: impl Fn(i64) -> i64,
) -> EventLog {
    let mut new = EventLogBuilder {
        offsets: vec![0],
        items: log.items().to_vec(),
        categories: log.categories().to_vec(),
        ..EventLogBuilder::default()
    };
    for &c in customers {
        let e = log.customer(c);
        new.customer_ids.push(log.customer_ids()[c].clone());
        for row in (0..e.len()).filter(|&row| keep(e.time[row])) {
            new.time.push(e.time[row]);
            new.kind.push(e.kind[row]);
            new.amount.push(money(e.amount[row]));
            new.quantity.push(e.quantity[row]);
            new.item.push(e.item[row]);
            new.category.push(e.category[row]);
            new.order.push(e.order[row]);
        }
        new.offsets.push(new.time.len() as u64);
    }
    new.build()
}

/// A log of purchases only: per customer, the days (0 the first) on which she spends 10.
pub(crate) fn purchases(of: &[&[i32]]) -> EventLog {
    let mut new = EventLogBuilder { offsets: vec![0], ..EventLogBuilder::default() };
    for (i, days) in of.iter().enumerate() {
        new.customer_ids.push(format!("c{i}"));
        for &day in *days {
            new.time.push(START.plus(day).start().0);
            new.kind.push(0);
            new.amount.push(10_000_000);
        }
        new.offsets.push(new.time.len() as u64);
    }
    new.build()
}

/// The cutoff after this day, 0 the first.
pub(crate) fn after_day(day: i32) -> Cutoff {
    Cutoff::after(START.plus(day))
}
