//! The customers of a run, one at a time: what they did, what is expected of them after what was told since, and why.
//!
//! The one idea: a run keeps the log that it read. What its model says of a customer rests on her own events and on a few
//! facts of the shop that do not change with one more purchase, so an event costs one look at one customer, whatever the size
//! of the shop. Model, corrections, borders of tiers and scores stay those of the run until the next one, which reads the
//! same events behind its log: `guike forecast LOG --events FILE --model-dir RUN` says the same of her, to the last bit.
//!
//! Who has no event since the run stays where the run left her: only that customer's day goes on of whom something was told.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use guike_core::{Cases, Cutoff, Day, EventLog, Forecasts, Horizon, Money, Seed, Timestamp};
use guike_data::quality::EventsRead;
use guike_data::{Imported, read_canonical};
use guike_decide::RfmGroups;
use guike_store::{read_json, significant};
use serde::Serialize;

use crate::error::Error;
use crate::events::{self, Event};
use crate::explain::cases::{Offer, People, Reader, Who};
use crate::explain::customer::{self, SavedTiers};
use crate::explain::{At, CustomerExplanation, Explanation, Found};
use crate::forecast::Final;
use crate::learners;
use crate::output::names;
use crate::results::NUMBERS;
use crate::saved;

/// Steps of what is expected from the cutoff on.
const STEPS: u32 = 12;

/// A run whose log is at hand.
#[derive(Debug)]
pub struct History {
    log: EventLog,
    /// Positions in the log by id.
    by_id: Vec<u32>,
    /// The events that the log holds already.
    read: Option<EventsRead>,
    /// The last moment of the log.
    last: Timestamp,
    model: Final,
    cutoff: Cutoff,
    horizon: Horizon,
    offer: Arc<Offer>,
    tiers: SavedTiers,
    /// How many events of the server's log are those that the run read, once that is sure.
    known: OnceLock<usize>,
}

/// What is expected of a customer after what was told of her.
#[derive(Debug, Clone, PartialEq)]
pub struct Now {
    /// Her id.
    pub customer_id: String,
    /// The last day that is known of her.
    pub as_of: Day,
    /// Her numbers, in the order of [`NUMBERS`]; NaN where the files of a run have none.
    pub numbers: [f64; NUMBERS.len()],
    /// The key of her tier by the borders of the run; `None` where they rest on what is not known of one customer.
    pub tier: Option<String>,
    /// Recency, frequency and money by the borders of the run, each from 1 to 5.
    pub rfm_score: String,
    /// The key of the named group of that score.
    pub rfm_group: String,
}

/// What a customer bought on one day.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Bought {
    /// The day.
    pub day: Day,
    /// What she spent, in currency units.
    pub spend: f64,
}

/// What is expected of a customer up to a day.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Ahead {
    /// Days after the last known one.
    pub days: u32,
    /// Expected spend until then, in currency units.
    pub spend: f64,
    /// Ends of the 80 % interval of spend until then.
    pub interval: [f64; 2],
    /// Probability of a purchase until then.
    pub p_active: f64,
}

/// Which of the events of a server a run has not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unread {
    from: usize,
    after: Option<Timestamp>,
}

impl Unread {
    /// Whether the event at this place of the log of events is one of them.
    pub fn holds(&self, at: usize, event: &Event) -> bool {
        at >= self.from && self.after.is_none_or(|after| event.time > after)
    }
}

impl History {
    /// Reads the log and the model of a run; `None` where the run kept no log.
    ///
    /// # Errors
    /// [`Error::Store`] or [`Error::Data`] for a file that is damaged.
    pub fn open(run: &Path) -> Result<Option<History>, Error> {
        let path = run.join(names::LOG_PARQUET);
        if !guike_store::is_there(&path) || guike_store::is_left_over(&path)? {
            return Ok(None);
        }
        guike_store::check_listed(&path)?;
        let (artifact, file) = saved::open(run)?.on_orders("RUN")?;
        let model = learners::load(&artifact)?;
        let model = Final { model, calibration: saved::calibration_beside(&file)?, notes: Vec::new() };
        let tiers: SavedTiers = read_json(&run.join(names::TIERS_JSON))?;
        let Imported { log, quality } = read_canonical(&path)?;
        let card = model.model.card();
        let (cutoff, horizon) = (card.cutoff, card.horizon);
        let offer = Arc::new(Offer::of(&log, card, cutoff, horizon)?);
        let mut by_id: Vec<u32> = (0..log.n_customers() as u32).collect();
        by_id.sort_unstable_by_key(|&c| log.customer_ids()[c as usize].as_str());
        let last = Timestamp(log.all().time.iter().copied().max().unwrap_or(i64::MIN));
        Ok(Some(History {
            by_id,
            read: quality.events,
            last,
            model,
            cutoff,
            horizon,
            offer,
            tiers,
            log,
            known: OnceLock::new(),
        }))
    }

    /// Which of the events that a server took the log does not hold.
    ///
    /// A run that read events says how many. One that did not, or read another log of events, may know some of them from
    /// its files: then those count that came after the last moment of its log.
    pub fn unread(&self, all: &[Event]) -> Unread {
        if let (None, Some(read)) = (self.known.get(), &self.read) {
            let n = usize::try_from(read.events).unwrap_or(usize::MAX);
            if all.get(..n).is_some_and(|first| events::digest(first) == read.digest) {
                let _ = self.known.set(n);
            }
        }
        match self.known.get() {
            Some(&from) => Unread { from, after: None },
            None => Unread { from: 0, after: Some(self.last) },
        }
    }

    /// What is expected of these customers after what was `told` of each, in the order of their ids. Who never bought
    /// anything is left out.
    ///
    /// # Errors
    /// [`Error::Internal`] when the model breaks a promise.
    pub fn now(&self, told: &BTreeMap<String, Vec<Event>>) -> Result<Vec<Now>, Error> {
        // one look at all whose day is the same
        let mut by_day: BTreeMap<Day, Vec<(&str, &[Event])>> = BTreeMap::new();
        for (id, events) in told.iter().filter(|(id, events)| self.has_bought(id, events)) {
            by_day.entry(self.as_of(events)).or_default().push((id, events));
        }
        let mut all = Vec::with_capacity(told.len());
        for (day, group) in by_day {
            let (who, of_whom) = self.known(&group);
            let reader = Reader::later(&self.log, &self.offer, Cutoff::after(day), self.horizon, of_whom);
            let people = reader.people(&who);
            let forecasts = self.model.forecast(&people.cases())?;
            all.extend(self.standing(day, &group, &people, &forecasts)?);
        }
        all.sort_by(|a, b| a.customer_id.cmp(&b.customer_id));
        Ok(all)
    }

    fn standing(
        &self,
        as_of: Day,
        group: &[(&str, &[Event])],
        people: &People,
        forecasts: &Forecasts,
    ) -> Result<Vec<Now>, Error> {
        let rfm = &people.rfm;
        let tiers = self.tiers.tiers(people, forecasts);
        let names = self.tiers.plan.tier_names();
        let borders = self.tiers.rfm_borders.as_ref().ok_or_else(|| {
            Error::Internal("the run kept its log and not the borders of its scores; run again".to_owned())
        })?;
        let (scores, groups) = RfmGroups::by(borders, rfm);
        let quantile = |level: f64| {
            forecasts.spend.at(level).ok_or_else(|| Error::Internal(format!("forecasts lack the quantile {level}")))
        };
        let quantiles = [quantile(0.5)?, quantile(0.05)?, quantile(0.1)?, quantile(0.9)?, quantile(0.95)?];
        let one = |(i, (id, _)): (usize, &(&str, &[Event]))| {
            let [median, p05, p10, p90, p95] = quantiles.each_ref().map(|q| q[i]);
            let next = forecasts.next_order_days[i];
            let [r, f, m] = scores[i];
            Now {
                customer_id: (*id).to_owned(),
                as_of,
                numbers: [
                    forecasts.expected_orders[i],
                    forecasts.expected_spend[i],
                    median,
                    p05,
                    p10,
                    p90,
                    p95,
                    forecasts.p_active[i],
                    if next.is_finite() { next } else { f64::NAN },
                    rfm.age_days[i] - rfm.recency_days[i],
                    f64::from(rfm.repeats[i] + 1),
                    rfm.spend_total[i],
                ]
                .map(significant),
                tier: tiers.as_ref().map(|t| names[t[i]].key.clone()),
                rfm_score: format!("{r}{f}{m}"),
                rfm_group: groups[i].key().to_owned(),
            }
        };
        Ok(group.iter().enumerate().map(one).collect())
    }

    /// Her purchase days up to what is known of her, the first first; empty for who never bought anything.
    pub fn bought(&self, id: &str, told: &[Event]) -> Vec<Bought> {
        let group = [(id, told)];
        let (who, of_whom) = self.known(&group);
        let day = self.as_of(told);
        let small = Reader::later(&self.log, &self.offer, Cutoff::after(day), self.horizon, of_whom).small_log(&who);
        let days = guike_features::purchase_days(small.customer(0));
        days.map(|d| Bought { day: Day(d.day), spend: Money::sum_units(d.micros) }).collect()
    }

    /// What is expected of her from the last known day on, in steps up to the horizon.
    ///
    /// # Errors
    /// [`Error::NotThere`] for who never bought anything; [`Error::Internal`] when the model breaks a promise.
    pub fn ahead(&self, id: &str, told: &[Event]) -> Result<Vec<Ahead>, Error> {
        let group = self.buyer(id, told)?;
        let (who, of_whom) = self.known(&group);
        let cutoff = Cutoff::after(self.as_of(told));
        let whole = self.horizon.days();
        let mut steps: Vec<u32> = (1..=STEPS).map(|k| (whole * k).div_ceil(STEPS)).collect();
        steps.dedup();
        let one = |days: u32| {
            let horizon = Horizon::from_days(days)
                .ok_or_else(|| Error::Internal(format!("a part of a horizon is none: {days} days")))?;
            let people = Reader::later(&self.log, &self.offer, cutoff, horizon, of_whom.clone()).people(&who);
            let f = self.model.forecast(&Cases { horizon, ..people.cases() })?;
            let at = |level: f64| f.spend.at(level).map_or(f64::NAN, |v| v[0]);
            Ok(Ahead { days, spend: f.expected_spend[0], interval: [at(0.1), at(0.9)], p_active: f.p_active[0] })
        };
        steps.into_iter().map(one).collect()
    }

    /// Why her forecast is what it is, compared with a few others as they are known on the same day.
    ///
    /// # Errors
    /// As [`History::ahead`], and [`Error::NoAnswer`] in a shop of one customer.
    pub fn explain(&self, id: &str, told: &[Event]) -> Result<Explanation, Error> {
        let group = self.buyer(id, told)?;
        let (who, of_whom) = self.known(&group);
        let cutoff = Cutoff::after(self.as_of(told));
        let reader = Reader::later(&self.log, &self.offer, cutoff, self.horizon, of_whom);
        if reader.n_buyers() < 2 {
            let why = "the log has one customer, and an explanation compares customers".to_owned();
            return Err(Error::NoAnswer(why));
        }
        // the seed of `guike explain`, whose answer this is
        let seed = Seed(1).derive("explain");
        let ids = self.log.customer_ids();
        let why: CustomerExplanation =
            customer::explain(&self.model, &reader, ids, (who[0], id), Some(&self.tiers), seed)?;
        let at = At { cutoff, horizon_days: self.horizon.days(), currency: self.log.currency().map(str::to_owned) };
        let model = self.model.model.card().name.clone();
        Ok(Explanation {
            model,
            source: names::LOG_PARQUET.to_owned(),
            found: Found::Customer { at, why: Box::new(why) },
        })
    }

    /// The last day that is known of a customer of whom this was told.
    fn as_of(&self, told: &[Event]) -> Day {
        told.iter().map(|e| e.time.day()).fold(self.cutoff.last_day(), Day::max)
    }

    /// These customers as a reader takes them, and what was told of them; new ones stand behind those of the log.
    fn known<'e>(&self, group: &[(&str, &'e [Event])]) -> (Vec<Who>, BTreeMap<u32, &'e [Event]>) {
        let (mut who, mut told) = (Vec::with_capacity(group.len()), BTreeMap::new());
        let mut next = self.log.n_customers() as u32;
        for (id, events) in group {
            let customer = self.find(id).unwrap_or_else(|| {
                next += 1;
                next - 1
            });
            who.push(Who::is(customer));
            told.insert(customer, *events);
        }
        (who, told)
    }

    fn buyer<'e>(&self, id: &'e str, told: &'e [Event]) -> Result<[(&'e str, &'e [Event]); 1], Error> {
        if self.has_bought(id, told) {
            return Ok([(id, told)]);
        }
        let day = self.as_of(told);
        Err(Error::NotThere(format!("this customer has no purchase by {day}, so there is no forecast")))
    }

    fn has_bought(&self, id: &str, told: &[Event]) -> bool {
        let before = |c: u32| {
            let e = self.log.before(Cutoff::after(self.as_of(told))).customer(c as usize);
            (0..e.len()).any(|row| e.is_purchase(row))
        };
        told.iter().any(|e| !e.is_refund()) || self.find(id).is_some_and(before)
    }

    /// Her position in the log.
    fn find(&self, id: &str) -> Option<u32> {
        let ids = self.log.customer_ids();
        let at = self.by_id.binary_search_by(|&c| ids[c as usize].as_str().cmp(id)).ok()?;
        Some(self.by_id[at])
    }
}
