//! What a deep learner learns from: customers at earlier anchors of the shop, and what they then did.

use guike_core::{Purchases, Seed};

use super::net::Reading;
use crate::told::{Base, Rows, Scene, drawn, happened};

/// Weeks before the anchor that a convolution sees, oldest first.
pub(super) const WEEKS: usize = 52;
/// Numbers per week: purchase days, spend, and whether she was a customer yet.
pub(super) const WEEK_FEATURES: usize = 3;
/// Most anchors that are learned from, a quarter of a window apart.
const ANCHORS: i32 = 4;
/// Fewest days before an anchor.
const LEAST_HISTORY: i32 = 28;
/// Fewest days of a label window.
const LEAST_WINDOW: i32 = 7;

/// Customers as networks are told about them.
#[derive(Debug, Clone, Default)]
pub(super) struct Told {
    pub(super) rows: Rows,
    /// n × [`WEEKS`] × [`WEEK_FEATURES`]; empty where nobody looks at weeks.
    pub(super) weeks: Vec<f32>,
}

impl Told {
    pub(super) fn new() -> Told {
        Told { rows: Rows::new(), weeks: Vec::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Adds a customer with her purchase days up to the scene's anchor, at least one.
    pub(super) fn push(&mut self, day: &[i32], spend: &[f32], scene: &Scene, reading: Reading) {
        self.rows.push(day, spend, scene);
        if reading == Reading::Convolution {
            let at = self.weeks.len();
            self.weeks.resize(at + WEEKS * WEEK_FEATURES, 0.0);
            weeks_of(day, spend, scene, &mut self.weeks[at..]);
        }
    }

    /// The customers at these places, in that order.
    pub(super) fn take(&self, places: &[u32]) -> Told {
        let mut taken = Told { rows: self.rows.take(places), weeks: Vec::new() };
        if !self.weeks.is_empty() {
            let each = WEEKS * WEEK_FEATURES;
            places.iter().for_each(|&p| taken.weeks.extend_from_slice(&self.weeks[p as usize * each..][..each]));
        }
        taken
    }
}

/// Purchase days and spend by week.
fn weeks_of(day: &[i32], spend: &[f32], scene: &Scene, out: &mut [f32]) {
    let week_of = |d: i32| WEEKS as i32 - 1 - (scene.anchor - d) / 7;
    let typical = scene.log_spend.exp();
    let mut money = [0.0_f64; WEEKS];
    for (&d, &s) in day.iter().zip(spend) {
        if let Ok(week) = usize::try_from(week_of(d)) {
            out[week * WEEK_FEATURES] += 1.0;
            money[week] += f64::from(s) / typical;
        }
    }
    for ((week, out), money) in out.chunks_exact_mut(WEEK_FEATURES).enumerate().zip(money) {
        out[0] = out[0].ln_1p();
        out[1] = money.ln_1p() as f32;
        out[2] = f32::from(u8::from(week as i32 >= week_of(day[0])));
    }
}

/// What a customer did within the window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Happened {
    pub(super) orders: u32,
    /// Relative to the shop's median purchase day.
    pub(super) spend: f64,
}

/// Labelled customers of all anchors.
#[derive(Debug, Clone)]
pub(super) struct Lessons {
    pub(super) told: Told,
    pub(super) bases: Vec<Base>,
    pub(super) happened: Vec<Happened>,
    /// Places of those who are learned from, and of those who are kept aside: no customer is among both.
    pub(super) learned: Vec<u32>,
    pub(super) aside: Vec<u32>,
    /// Days of the label window.
    pub(super) window: i32,
}

/// The label window for a history and a horizon, and how far back anchors lie, newest first.
fn anchors(history: i32, horizon: i32) -> (i32, Vec<i32>) {
    let window = horizon.min(history / 2);
    let needed = ((history - window) / 3).max(LEAST_HISTORY);
    let back = (0..ANCHORS).map(|k| window + k * (window / 4).max(1));
    (window, back.filter(|&b| window >= LEAST_WINDOW && history - b >= needed).collect())
}

impl Lessons {
    /// At most `most` customers from the anchors before `cutoff`; every fifth is kept aside.
    pub(super) fn draw(
        shop: &Purchases,
        scene: &Scene,
        horizon: i32,
        reading: Reading,
        most: usize,
        seed: Seed,
    ) -> Lessons {
        let (window, back) = anchors(scene.history_days() as i32, horizon);
        let mut lessons = Lessons {
            told: Told::new(),
            bases: Vec::new(),
            happened: Vec::new(),
            learned: Vec::new(),
            aside: Vec::new(),
            window,
        };
        let each = most / back.len().max(1);
        let scenes = back.into_iter().filter_map(|back| Scene::read(shop, scene.anchor - back));
        for (k, scene) in scenes.enumerate() {
            let known: Vec<u32> = (0..shop.len() as u32)
                .filter(|&i| shop.case(i as usize).0.first().is_some_and(|&d| d <= scene.anchor))
                .collect();
            for case in drawn(shop, known, scene.anchor, each, seed.at(k as u64)) {
                let (day, spend) = shop.case(case as usize);
                // by what stays the same at every anchor and in any order of the customers
                let aside = seed.derive("aside").at(day[0] as u64).at(case_key(day)).0.is_multiple_of(5);
                let n = day.partition_point(|&d| d <= scene.anchor);
                let place = lessons.bases.len() as u32;
                lessons.told.push(&day[..n], &spend[..n], &scene, reading);
                lessons.bases.push(Base::of(&day[..n], &spend[..n], scene.anchor, scene.log_spend));
                let (orders, spent) = happened(day, spend, scene.anchor, window);
                lessons.happened.push(Happened { orders, spend: spent / scene.log_spend.exp() });
                if aside { &mut lessons.aside } else { &mut lessons.learned }.push(place);
            }
        }
        lessons
    }

    /// How many of all bought within the window.
    pub(super) fn active(&self) -> usize {
        self.happened.iter().filter(|h| h.orders > 0).count()
    }
}

/// Tells customers with the same first day apart by when they came back, if they did.
fn case_key(day: &[i32]) -> u64 {
    day.get(1).map_or(0, |&d| d as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anchors_leave_room_for_a_history_and_for_the_window() {
        assert_eq!(anchors(273, 273), (136, vec![136, 170, 204]));
        assert_eq!(anchors(730, 90), (90, vec![90, 112, 134, 156]));
        assert_eq!(anchors(40, 30).1, Vec::<i32>::new());
        assert_eq!(anchors(10, 3).1, Vec::<i32>::new());
    }

    fn shop() -> Purchases {
        let mut shop = Purchases { offsets: vec![0], ..Purchases::default() };
        for i in 0..60 {
            shop.day.extend([i, 61 + i, 150 + i % 30]);
            shop.spend.extend([1.0, 2.0, 3.0]);
            shop.offsets.push(shop.day.len() as u64);
        }
        shop
    }

    #[test]
    fn nobody_is_learned_from_and_kept_aside() {
        let shop = shop();
        let scene = Scene::read(&shop, 199).expect("there are customers");
        let lessons = Lessons::draw(&shop, &scene, 60, Reading::Aggregates, 1000, Seed(1));
        assert_eq!(lessons.window, 60);
        assert!(lessons.aside.len() > 10 && lessons.learned.len() > 2 * lessons.aside.len());
        assert_eq!(lessons.aside.len() + lessons.learned.len(), lessons.bases.len());
    }

    #[test]
    fn weeks_end_at_the_anchor() {
        let shop = shop();
        let scene = Scene::read(&shop, 65).expect("there are customers");
        let mut told = Told::new();
        told.push(&[4, 61, 65], &[1.0, 2.0, 3.0], &scene, Reading::Convolution);
        let week = |w: usize| &told.weeks[w * WEEK_FEATURES..][..WEEK_FEATURES];
        assert_eq!(week(51)[0], 2.0_f32.ln_1p());
        assert_eq!(week(51 - 8)[0], 1.0_f32.ln_1p());
        assert_eq!((week(51 - 8)[2], week(51 - 9)[2]), (1.0, 0.0));
        assert_eq!(told.take(&[0, 0]).weeks.len(), 2 * told.weeks.len());
    }
}
