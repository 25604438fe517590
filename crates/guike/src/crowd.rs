//! Shops with very many customers: learn from some of them, forecast all of them a piece at a time.
//!
//! The one idea: what a model learns from 100,000 customers hardly changes with the next million, but the memory for looking at
//! everybody in every way at once does. So above a number of customers ([`ForecastSettings::learn_from`]) candidates are
//! compared, and the chosen one is fitted, on customers drawn by the seed; the fitted model then forecasts everybody, [`PIECE`]
//! customers at a time. A customer's forecast rests on her own events, the model, and a few facts of the whole shop, so that
//! the pieces say what one look at everybody would, to the last bit.
//!
//! [`ForecastSettings::learn_from`]: crate::ForecastSettings::learn_from

use guike_core::{Attributes, Cases, Cutoff, EventLog, Forecasts, Horizon, ModelCard, Progress, RfmTable, Seed};
use guike_data::{PiecewiseLog, Reads};
use guike_features::{FeatureSet, LogShape, feature_table, purchases, rfm};

use crate::error::Error;
use crate::forecast::Final;
use crate::value::features_of;

/// Customers who are looked at together. With a hundred features each they take some 50 MB.
const PIECE: usize = 50_000;

/// The customers with a purchase by a cutoff.
#[derive(Debug)]
pub(crate) struct Buyers {
    /// Their places in the log, ascending.
    pub(crate) customers: Vec<u32>,
    /// Whoever bought first, the first in the log of several.
    first: Option<u32>,
}

impl Buyers {
    /// # Errors
    /// When a temporary file cannot be read.
    pub(crate) fn of(log: &PiecewiseLog, cutoff: Cutoff) -> Result<Buyers, Error> {
        let of_piece = |begin: usize, piece: &EventLog| {
            let buyers = piece.before(cutoff).buyers();
            let first_purchase = |c: u32| {
                let events = piece.customer(c as usize);
                (0..events.len()).find(|&r| events.is_purchase(r)).map(|r| events.time[r])
            };
            let first = buyers.iter().map(|&c| (first_purchase(c), begin as u32 + c)).min();
            let customers: Vec<u32> = buyers.iter().map(|c| begin as u32 + c).collect();
            Ok::<_, Error>((customers, first))
        };
        let found = log.map(Reads::Purchases, of_piece)?;
        let first = found.iter().filter_map(|(_, first)| *first).min().map(|(_, c)| c);
        Ok(Buyers { customers: found.into_iter().flat_map(|(customers, _)| customers).collect(), first })
    }
}

/// The log of the customers to learn from, where there are more than `most` buyers; `None` where there are not, and all are
/// learned from.
///
/// About `most` of them, each by her rank among the buyers and the seed, so that those who come after the cutoff change nothing;
/// and whoever bought first, so that the history is as long as the shop's.
///
/// # Errors
/// When a temporary file cannot be read.
pub(crate) fn learned_from(
    log: &PiecewiseLog,
    buyers: &Buyers,
    most: usize,
    seed: Seed,
) -> Result<Option<EventLog>, Error> {
    let Buyers { customers: buyers, first } = buyers;
    if buyers.len() <= most {
        return Ok(None);
    }
    let mut customers: Vec<u32> =
        drawn(buyers, buyers, most, seed.derive("learned-from")).into_iter().map(|i| buyers[i]).collect();
    if let Some(first) = *first
        && let Err(at) = customers.binary_search(&first)
    {
        customers.insert(at, first);
    }
    Ok(Some(log.only(&customers)?))
}

/// Rows of about `most` customers: those whose rank among all `buyers` has a small seeded number, so that the same seed draws
/// the same customers at every anchor. An index in the log would change with customers who come after the cutoff.
pub(crate) fn drawn(customer_idx: &[u32], buyers: &[u32], most: usize, seed: Seed) -> Vec<usize> {
    let limit = (u64::MAX as f64 * most as f64 / customer_idx.len() as f64) as u64;
    let rank = |c: u32| buyers.partition_point(|&b| b < c) as u64;
    (0..customer_idx.len()).filter(|&i| seed.at(rank(customer_idx[i])).0 <= limit).collect()
}

/// What a model reads of a log of this shape besides the summary; `None` where it reads nothing else.
///
/// # Errors
/// [`Error::NoAnswer`] when the log lacks it.
pub(crate) fn read_by(
    card: &ModelCard,
    attributes: Option<&Attributes>,
    shape: &LogShape,
) -> Result<Option<FeatureSet>, Error> {
    let Some(reads) = features_of(card) else { return Ok(None) };
    // attributes are columns of the log's customers, not of the catalogue
    let own = |n: &&String| attributes.is_none_or(|a| a.column(n).is_none());
    let names: Vec<&str> = reads.names.iter().filter(own).map(String::as_str).collect();
    let set = FeatureSet::named(&names, shape, reads.window);
    Ok(Some(set.map_err(|e| Error::NoAnswer(format!("the model cannot read this log: {e}")))?))
}

/// The summaries of all customers with a purchase by the cutoff, and what the model expects of each.
///
/// # Errors
/// [`Error::NoAnswer`] when the log lacks what the model reads, [`Error::Interrupted`] on request, and as
/// [`Final::forecast`].
pub(crate) fn forecast_everybody(
    log: &PiecewiseLog,
    cutoff: Cutoff,
    horizon: Horizon,
    model: &Final,
    progress: &dyn Progress,
) -> Result<(RfmTable, Forecasts), Error> {
    in_pieces(log, cutoff, horizon, model, PIECE, progress)
}

fn in_pieces(
    log: &PiecewiseLog,
    cutoff: Cutoff,
    horizon: Horizon,
    model: &Final,
    piece: usize,
    progress: &dyn Progress,
) -> Result<(RfmTable, Forecasts), Error> {
    let shape = log.shape(cutoff);
    let set = read_by(model.model.card(), log.attributes(), &shape)?;
    progress.stage("forecasting", log.n_customers() as u64);
    let of_piece = |begin: usize, log: &EventLog| {
        let past = log.before(cutoff);
        let mut all = rfm(&past, horizon.days());
        // what is known of the whole shop
        all.history_days = shape.history_days;
        let mut said: Vec<Forecasts> = Vec::new();
        let (mut from, mut told) = (0, 0);
        // once even without anybody: forecasts of nobody have levels, too
        loop {
            let to = (from + piece).min(all.len());
            let mut rfm = all.take(&(from..to).collect::<Vec<usize>>());
            let features = set.as_ref().map(|set| feature_table(&past, &rfm.customer_idx, set));
            let purchases = purchases(&past, &rfm.customer_idx);
            rfm.customer_idx.iter_mut().for_each(|c| *c += begin as u32);
            let cases = Cases { cutoff, horizon, rfm: &rfm, features: features.as_ref(), purchases: Some(&purchases) };
            said.push(model.forecast(&cases)?);
            progress.check()?;
            // all of the log's customers are told of, those without a purchase with the last ones
            let until = if to == all.len() { log.n_customers() } else { all.customer_idx[to] as usize };
            progress.advance((until - told) as u64);
            (from, told) = (to, until);
            if from >= all.len() {
                break;
            }
        }
        all.customer_idx.iter_mut().for_each(|c| *c += begin as u32);
        Ok::<_, Error>((all, said))
    };
    let reads = if set.is_some() { Reads::Everything } else { Reads::Purchases };
    let mut everybody =
        RfmTable { window_days: horizon.days(), history_days: shape.history_days, ..RfmTable::default() };
    everybody.reserve(log.n_customers());
    let mut all: Option<Forecasts> = None;
    log.fold(reads, of_piece, |(rfm, said)| {
        everybody.append(rfm);
        for some in said {
            match &mut all {
                Some(all) => all.append(some),
                none => none.insert(some).reserve(log.n_customers()),
            }
        }
        Ok(())
    })?;
    Ok((everybody, all.expect("there was a piece")))
}

#[cfg(test)]
mod tests {
    use guike_core::{Day, Quiet};

    use super::*;
    use crate::backtest::{Known, View};
    use crate::forecast::{calibrate, fit_final};
    use crate::learners;

    fn log() -> PiecewiseLog {
        let shop = guike_sim::Shop { customers: 300, start: Day(19_000), days: 400, ..guike_sim::Shop::default() };
        shop.simulate(Seed(3)).expect("the parameters are in range").log.into()
    }

    fn cutoff() -> Cutoff {
        Cutoff::after(Day(19_339))
    }

    #[test]
    fn pieces_say_what_one_look_at_everybody_says() {
        let log = log();
        let horizon = Horizon::from_days(60).expect("in range");
        let known = Known::at(log.in_memory().expect("a small log"), cutoff(), horizon, View::Features, Seed(5));
        let none = crate::backtest::Backtest {
            plan: guike_eval::anchors::evaluation_anchors(
                Day(19_000),
                cutoff(),
                horizon,
                &guike_eval::AnchorConfig::default(),
            ),
            anchors: Vec::new(),
            candidates: Vec::new(),
            weights: None,
        };
        let calibration = calibrate(&none, &[], true).expect("nothing to calibrate by is no mistake");
        let blend = learners::blend(crate::value::starting_weights(), Default::default());
        let pair = learners::named("bg-nbd+gamma-gamma").expect("it is in the table");
        for learner in [pair, blend] {
            let (model, at_once) =
                fit_final(learner.as_ref(), &known, calibration.clone(), Seed(7), &Quiet).expect("it can be fitted");
            let (rfm, all) = forecast_everybody(&log, cutoff(), horizon, &model, &Quiet).expect("forecast");
            assert_eq!(rfm, known.rfm);
            assert_eq!(all, at_once, "{}", learner.name());
            for piece in [1, 7, 299] {
                let (_, pieces) = in_pieces(&log, cutoff(), horizon, &model, piece, &Quiet).expect("forecast");
                assert_eq!(pieces, all, "{} in pieces of {piece}", learner.name());
            }
        }
    }

    #[test]
    fn the_seed_draws_about_as_many_as_were_asked_for_and_whoever_bought_first() {
        let log = log();
        let few = |log: &PiecewiseLog, most: usize, seed: u64| {
            let buyers = Buyers::of(log, cutoff()).expect("in memory");
            learned_from(log, &buyers, most, Seed(seed)).expect("in memory")
        };
        let before = Buyers::of(&log, cutoff()).expect("in memory").customers;
        assert!(few(&log, before.len(), 1).is_none(), "all are learned from");
        let ids = |seed| {
            let few = few(&log, 100, seed).expect("fewer than there are");
            assert_eq!(few.purchase_span().map(|s| s.0), log.purchase_span().map(|s| s.0));
            few.customer_ids().to_vec()
        };
        let drawn = ids(1);
        assert!((60..=140).contains(&drawn.len()), "{}", drawn.len());
        assert_eq!(drawn, ids(1));
        assert_ne!(drawn, ids(2));
        // who comes later changes nothing
        let early = log.only(&before).expect("in memory").into();
        assert_eq!(few(&early, 100, 1).expect("fewer than there are").customer_ids(), drawn);
    }
}
