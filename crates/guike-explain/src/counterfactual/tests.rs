//! Advice against a look at every allowed combination.

use guike_core::Seed;
use proptest::prelude::*;
use rand::RngExt;

use super::{Change, Counterfactual, Direction, Found, Goal, Lever, Search, counterfactual};
use crate::ExplainError;

fn ask(levers: &[Lever], goal: Goal, search: &Search, model: impl Fn(&[f64]) -> f64) -> Counterfactual {
    counterfactual(levers, goal, search, |rows: &[Vec<f64>]| {
        assert!(rows.len() <= 256);
        Ok::<_, ExplainError>(rows.iter().map(|r| model(r)).collect())
    })
    .unwrap()
}

fn lever(from: f64, high: f64) -> Lever {
    Lever { from, low: 0.0, high, step: 1.0, direction: Direction::Up, spread: 1.0 }
}

fn changes(of: &Counterfactual) -> (Vec<Change>, f64, bool) {
    match &of.found {
        Found::Change { changes, cost, smallest, .. } => (changes.clone(), *cost, *smallest),
        other => panic!("{other:?}"),
    }
}

/// The least cost over all values on the grid, or none.
fn by_trying_all(levers: &[Lever], goal: Goal, search: &Search, model: impl Fn(&[f64]) -> f64) -> Option<f64> {
    let grids: Vec<Vec<f64>> = levers
        .iter()
        .map(|l| {
            let steps = (-40..=40).map(|s| (s, l.from + f64::from(s) * l.step));
            let allowed = steps.filter(|&(s, v)| {
                let way = match l.direction {
                    Direction::Up => s > 0,
                    Direction::Down => s < 0,
                    Direction::Both => true,
                };
                s == 0 || (way && v >= l.low && v <= l.high)
            });
            allowed.map(|(_, v)| v).collect()
        })
        .collect();
    let mut best: Option<f64> = None;
    let n: usize = grids.iter().map(Vec::len).product();
    for mut at in 0..n {
        let row: Vec<f64> = grids
            .iter()
            .map(|g| {
                let v = g[at % g.len()];
                at /= g.len();
                v
            })
            .collect();
        let moved: Vec<f64> = row.iter().zip(levers).map(|(v, l)| (v - l.from).abs() / l.spread).collect();
        let n_changes = moved.iter().filter(|m| **m > 0.0).count();
        if n_changes <= search.most_changes && goal.missing(model(&row)) <= 0.0 {
            let cost = moved.iter().sum::<f64>() + search.price * n_changes as f64;
            best = Some(best.map_or(cost, |b| b.min(cost)));
        }
    }
    best
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 80, ..ProptestConfig::default() })]

    #[test]
    fn on_a_small_grid_the_change_is_the_smallest_there_is(seed in 0_u64..1_000_000, p in 1_usize..5, most in 1_usize..4) {
        let rng = &mut Seed(seed).rng();
        let levers: Vec<Lever> = (0..p)
            .map(|_| {
                let from = f64::from(rng.random_range(-3..4));
                let direction = [Direction::Up, Direction::Down, Direction::Both][rng.random_range(0..3)];
                let step = [0.5, 1.0, 2.0][rng.random_range(0..3)];
                Lever { from, low: -4.0, high: 4.0, step, direction, spread: rng.random_range(0.5..3.0) }
            })
            .collect();
        let weights: Vec<f64> = (0..p).map(|_| rng.random_range(-1.0..1.0)).collect();
        let model = |r: &[f64]| {
            let sum: f64 = r.iter().zip(&weights).map(|(v, w)| v * w).sum();
            sum + if r[0] > 1.0 { 0.5 } else { 0.0 } + r[0] * r[p - 1] / 8.0
        };
        let now = model(&levers.iter().map(|l| l.from).collect::<Vec<_>>());
        let step = rng.random_range(0.1..3.0);
        let goal = if rng.random_bool(0.5) { Goal::AtLeast(now + step) } else { Goal::AtMost(now - step) };
        let search = Search { most_changes: most, calls: 200_000, ..Search::default() };
        let said = ask(&levers, goal, &search, model);
        match by_trying_all(&levers, goal, &search, model) {
            Some(least) => {
                let (parts, cost, smallest) = changes(&said);
                prop_assert!(smallest && (cost - least).abs() < 1e-9, "{cost} and not {least}");
                prop_assert!(parts.len() <= most);
                prop_assert!(parts.iter().all(|c| (c.spreads.abs() - (c.to - c.from).abs() / levers[c.lever].spread).abs() < 1e-12));
            }
            None => prop_assert_eq!(said.found, Found::Impossible),
        }
    }
}

#[test]
fn a_known_rule_gives_its_own_shortest_way() {
    // gold: 6 orders, or 4 orders and a basket of 50
    let model = |r: &[f64]| f64::from(u8::from(r[0] >= 6.0 || (r[0] >= 4.0 && r[1] >= 50.0)));
    let basket = Lever { step: 5.0, spread: 20.0, ..lever(40.0, 100.0) };
    let (parts, cost, smallest) =
        changes(&ask(&[lever(3.0, 9.0), basket], Goal::AtLeast(1.0), &Search::default(), model));
    // one order and two steps cost 1 + 0.5 and twice the price, three orders 3 and the price once
    let expected = [
        Change { lever: 0, from: 3.0, to: 4.0, spreads: 1.0 },
        Change { lever: 1, from: 40.0, to: 50.0, spreads: 0.5 },
    ];
    assert_eq!((parts, cost, smallest), (expected.to_vec(), 2.5, true));

    // touching a feature is dear: the same rule is followed by orders alone
    let dear = Search { price: 2.0, ..Search::default() };
    let (parts, ..) = changes(&ask(&[lever(3.0, 9.0), basket], Goal::AtLeast(1.0), &dear, model));
    assert_eq!(parts, [Change { lever: 0, from: 3.0, to: 6.0, spreads: 3.0 }]);

    // no more than five orders are possible, and the basket may not move: there is no way, and that is said
    let said = ask(&[lever(3.0, 5.0)], Goal::AtLeast(1.0), &Search::default(), |r| model(&[r[0], 40.0]));
    assert_eq!((said.found, said.calls), (Found::Impossible, 3));
    let there = ask(&[lever(7.0, 9.0)], Goal::AtLeast(1.0), &Search::default(), |r| model(&[r[0], 40.0]));
    assert_eq!((there.found, there.now, there.calls), (Found::Already, 1.0, 1));
}

#[test]
fn where_the_calls_do_not_last_a_good_change_is_found_and_not_called_the_smallest() {
    // thirty levers of a thousand steps; the two that matter are far from where they are
    let levers: Vec<Lever> = (0..30).map(|_| Lever { spread: 100.0, ..lever(0.0, 1_000.0) }).collect();
    let model = |r: &[f64]| 2.0 * r[7] + r[20].min(300.0);
    let search = Search { calls: 8_000, ..Search::default() };
    let said = ask(&levers, Goal::AtLeast(1_000.0), &search, model);
    let (parts, cost, smallest) = changes(&said);
    // 500 steps of lever 7 alone cost 5 and the price; lever 20 would cost as much per step for half of it
    assert!(!smallest && said.calls <= 8_000 && said.nothing_below < cost);
    assert_eq!(parts, [Change { lever: 7, from: 0.0, to: 500.0, spreads: 5.0 }]);

    // two levers that do nothing but together: no greedy step helps, a random one does
    let both = |r: &[f64]| f64::from(u8::from(r[3] > 400.0 && r[4] > 400.0));
    let few: Vec<Lever> = levers[..6].to_vec();
    let (parts, ..) = changes(&ask(&few, Goal::AtLeast(1.0), &search, both));
    assert_eq!(parts.iter().map(|c| (c.lever, c.to)).collect::<Vec<_>>(), [(3, 401.0), (4, 401.0)]);

    let never = ask(&levers, Goal::AtLeast(1.0), &search, |_| 0.0);
    assert_eq!(never.found, Found::NotFound);
    assert!(never.nothing_below > 0.5 && never.calls <= 8_000);
}

#[test]
fn levers_that_make_no_sense_are_refused_and_such_that_cannot_move_are_left() {
    let refused = |l: Lever| {
        let model = |rows: &[Vec<f64>]| Ok::<_, ExplainError>(vec![0.0; rows.len()]);
        counterfactual(&[l], Goal::AtLeast(1.0), &Search::default(), model).unwrap_err().to_string()
    };
    let no_step = refused(Lever { step: 0.0, ..lever(1.0, 2.0) });
    assert_eq!(no_step, "lever 0: its step and its spread must be positive numbers; leave out what never varies");
    let missing = refused(lever(f64::NAN, 2.0));
    assert_eq!(missing, "lever 0: its value now must be a number; leave out what is missing");

    // she is beyond the bound: she may come back, but not go further
    let beyond = Lever { direction: Direction::Both, ..lever(12.0, 10.0) };
    assert_eq!(ask(&[beyond], Goal::AtLeast(13.0), &Search::default(), |r| r[0]).found, Found::Impossible);
    let (parts, ..) = changes(&ask(&[beyond], Goal::AtMost(9.0), &Search::default(), |r| r[0]));
    assert_eq!(parts[0].to, 9.0);
    assert_eq!(ask(&[], Goal::AtLeast(1.0), &Search::default(), |_| 0.0).found, Found::Impossible);
}
