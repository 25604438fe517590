//! Facts about the foundation model as a whole: training can be stopped and gone on with, and depends on nothing but its seed.

use std::sync::Arc;

use guike_core::{
    Artifact, Cases, Cutoff, Day, FitContext, Horizon, Learner, Model, Purchases, Quiet, RfmTable, Seed, TrainingSet,
};
use guike_nn::Weights;
use guike_nn::foundation::{
    AdaptConfig, EpisodeConfig, Foundation, FoundationModel, KnownShop, Lesson, Net, NetConfig, Schedule, TrainConfig,
    Trainer, examine, nano,
};
use rand::RngExt;

/// A shop of 60 customers over 300 days who buy at their own steady rates and leave at random.
fn lesson(index: u64) -> Lesson {
    let mut rng = Seed(11).at(index).rng();
    let mut shop = Purchases { offsets: vec![0], ..Purchases::default() };
    let mut left = Vec::new();
    for _ in 0..60 {
        let (rate, end) = (rng.random_range(0.01..0.2), rng.random_range(30.0..600.0));
        let spend = rng.random_range(5.0..50.0_f32);
        let first = rng.random_range(0..100);
        for day in first..300 {
            if day == first || (f64::from(day) < end && rng.random_bool(rate)) {
                shop.day.push(day);
                shop.spend.push(spend * rng.random_range(0.5..1.5_f32));
            }
        }
        left.push(end.max(f64::from(first)));
        shop.offsets.push(shop.day.len() as u64);
    }
    Lesson { shop, last_day: 299, left: Some(left) }
}

fn tiny() -> NetConfig {
    NetConfig { width: 16, encoder_blocks: 1, looks: 1, heads: 2, state: 8, ..NetConfig::nano() }
}

fn config() -> TrainConfig {
    let episode = EpisodeConfig { customers: 24, examples: 48, ..EpisodeConfig::default() };
    let schedule = Schedule { peak: 5e-3, warm_up: 10, ..Schedule::default() };
    TrainConfig { steps: 120, shops: 4, schedule, episode, ..TrainConfig::default() }
}

fn trained(steps: u64) -> Trainer {
    let mut trainer = Trainer::begin(tiny(), config(), Seed(1), &lesson);
    (0..steps).for_each(|_| {
        trainer.advance(&lesson);
    });
    trainer
}

fn with_threads<T: Send>(n: usize, work: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new().num_threads(n).build().expect("a pool").install(work)
}

#[test]
fn training_lowers_the_loss_on_shops_that_it_has_not_seen() {
    let held = |i: u64| lesson(1_000_000 + i);
    let loss = |net: &Net| examine(net, &held, 40, &config().episode, Seed(3)).total();
    let trainer = trained(120);
    let (before, after) = (loss(&trained(0).net), loss(&trainer.averaged()));
    assert!(after < before - 0.1, "{before} {after}");
}

#[test]
fn training_gives_the_same_bits_at_any_number_of_threads() {
    let run = |threads| with_threads(threads, || trained(6).save().to_bytes());
    assert_eq!(run(1), run(2));
}

#[test]
fn training_goes_on_from_a_checkpoint_to_the_same_bits() {
    let whole = trained(9);
    let bytes = trained(5).save().to_bytes();
    let mut resumed = Trainer::resume(&Weights::from_bytes(&bytes).expect("its own bytes")).expect("a training");
    (0..4).for_each(|_| {
        resumed.advance(&lesson);
    });
    assert_eq!(resumed.save().to_bytes(), whole.save().to_bytes());
}

#[test]
fn a_network_that_is_written_and_read_forecasts_the_same_bits() {
    let net = Arc::new(trained(3).net);
    let bytes = net.to_weights().to_bytes();
    let back = Arc::new(Net::from_weights(&Weights::from_bytes(&bytes).expect("its own bytes")).expect("a network"));
    assert_eq!(net.fingerprint(), back.fingerprint());
    let shop = lesson(5).shop;
    let (cutoff, horizon) = (Cutoff::after(Day(200)), Horizon::from_days(60).expect("days"));
    let say = |net: &Arc<Net>| {
        KnownShop::read(net, &shop, cutoff, horizon, Seed(1)).expect("a shop").forecast(&shop, cutoff, horizon)
    };
    assert_eq!(say(&net), say(&back));
}

#[test]
fn weights_of_something_else_are_refused_in_words() {
    let mut weights = trained(0).net.to_weights();
    weights.arrays.pop();
    let refused = Net::from_weights(&weights).unwrap_err().to_string();
    assert!(refused.contains("season.bias") && refused.contains("missing"), "{refused}");
    weights.about.insert("guike.kind".to_owned(), "foundation-9".to_owned());
    let refused = Net::from_weights(&weights).unwrap_err().to_string();
    assert!(refused.contains("foundation-9"), "{refused}");
}

/// Customers of one rate each, so that more days in the history must mean more days to come.
#[test]
fn the_shipped_network_expects_more_of_those_who_buy_more_and_are_not_late() {
    let mut shop = Purchases { offsets: vec![0], ..Purchases::default() };
    for i in 0..200 {
        let gap = [5, 10, 20, 40, 80][i % 5];
        let phase = (i / 5) as i32 % gap;
        // every second customer of each kind falls silent after half of the time
        let end = if i % 10 < 5 { 400 } else { 200 };
        for day in (phase..end).step_by(gap as usize) {
            shop.day.push(day);
            shop.spend.push(20.0);
        }
        shop.offsets.push(shop.day.len() as u64);
    }
    let (cutoff, horizon) = (Cutoff::after(Day(399)), Horizon::from_days(90).expect("days"));
    let known = KnownShop::read(&nano(), &shop, cutoff, horizon, Seed(1)).expect("a shop");
    let f = known.forecast(&shop, cutoff, horizon);
    assert_eq!(f.flaw(), None);
    let mean = |kind: usize| (0..20).map(|k| f.expected_orders[k * 10 + kind]).sum::<f64>() / 20.0;
    for kind in 0..4 {
        assert!(mean(kind) > mean(kind + 1), "{} {}", mean(kind), mean(kind + 1));
        assert!(mean(kind) > 5.0 * mean(kind + 5), "silent: {} {}", mean(kind), mean(kind + 5));
    }
    let alive = known.alive(&shop);
    assert!(alive[0] > 0.8 && alive[5] < 0.3, "{} {}", alive[0], alive[5]);
    // they bought every 5 to 80 days for 400, and a forecast over 90 should say so
    assert!((mean(0) - 18.0).abs() < 5.0 && (mean(2) - 4.5).abs() < 1.5, "{} {}", mean(0), mean(2));
}

#[test]
fn an_adapted_model_of_a_history_too_short_to_adapt_is_read_back_and_says_so() {
    let shop = lesson(3).shop;
    let known: Vec<usize> = (0..shop.len()).filter(|&i| shop.case(i).0[0] <= 30).collect();
    let early = shop.take(&known);
    let rfm = RfmTable { customer_idx: (0..early.len() as u32).collect(), ..RfmTable::default() };
    let (cutoff, horizon) = (Cutoff::after(Day(30)), Horizon::from_days(90).expect("days"));
    let now = Cases { cutoff, horizon, rfm: &rfm, features: None, purchases: Some(&early) };
    let learner = Foundation { net: nano(), adapt: Some(AdaptConfig::default()) };
    let cx = FitContext { seed: Seed(1), progress: &Quiet };
    let fitted = learner.fit(&TrainingSet { now, anchors: &[] }, &cx).expect("a shop");
    assert!(fitted.notes[0].0.contains("too short"), "{:?}", fitted.notes);
    let text = serde_json::to_string(&fitted.model.save()).expect("JSON");
    let artifact: Artifact = serde_json::from_str(&text).expect("its own text");
    let back = FoundationModel::load(&artifact, &nano()).expect("its own artifact");
    assert_eq!(back.forecast(&now), fitted.model.forecast(&now));
}
