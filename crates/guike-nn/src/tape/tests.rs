//! Every operation's gradient against finite differences.

use guike_core::Seed;
use rand_distr::{Distribution, StandardNormal};

use super::*;
use crate::params::Start;

fn noise(n: usize, name: &str) -> Vec<f32> {
    let mut rng = Seed(7).derive(name).rng();
    (0..n).map(|_| StandardNormal.sample(&mut rng)).collect()
}

/// Builds a value from parameters with `build`; its inner product with fixed numbers is the loss whose gradient by every
/// parameter must be the slope of the loss.
fn check(params: Params, build: impl Fn(&mut Tape<'_>) -> Var) {
    let mut ws = Workspace::default();
    let loss = |params: &Params, ws: &mut Workspace| -> f64 {
        let mut tape = Tape::new(params, ws);
        let y = build(&mut tape);
        let y = tape.value(y);
        y.iter().zip(noise(y.len(), "functional")).map(|(y, r)| f64::from(y * r)).sum()
    };
    let mut gradient = vec![0.0; params.len()];
    let mut tape = Tape::new(&params, &mut ws);
    let y = build(&mut tape);
    let functional = noise(tape.value(y).len(), "functional");
    tape.backward(&[(y, &functional)], &mut gradient);
    let scale = gradient.iter().fold(0.0_f32, |m, g| m.max(g.abs()));
    assert!(scale > 0.0, "no gradient at all");
    for i in 0..params.len() {
        let step = 4e-3;
        let moved = |by: f32| {
            let mut p = params.clone();
            p.values[i] += by;
            p
        };
        let slope = (loss(&moved(step), &mut ws) - loss(&moved(-step), &mut ws)) / (2.0 * f64::from(step));
        let off = (slope - f64::from(gradient[i])).abs();
        assert!(off < 5e-3 * f64::from(scale), "parameter {i}: slope {slope}, gradient {}", gradient[i]);
    }
}

/// Parameters x (rows × cols) and others, all random.
fn with(shapes: &[(&str, usize, usize)]) -> (Params, Vec<ParamId>) {
    let mut params = Params::default();
    let ids = shapes
        .iter()
        .map(|&(name, rows, cols)| params.add(name, rows, cols, Start::Normal((rows as f32).sqrt() * 0.7), Seed(3)))
        .collect();
    (params, ids)
}

#[test]
fn a_linear_map_with_gelu() {
    let (params, id) = with(&[("w", 3, 4), ("b", 1, 4), ("w2", 4, 2)]);
    check(params, |t| {
        let x = t.input(5, 3, |v| v.copy_from_slice(&noise(15, "x")));
        let h = t.linear(x, id[0], Some(id[1]));
        let h = t.gelu(h);
        t.linear(h, id[2], None)
    });
}

#[test]
fn layer_normalisation() {
    let (params, id) = with(&[("w", 3, 6), ("gain", 1, 6), ("bias", 1, 6)]);
    check(params, |t| {
        let x = t.input(5, 3, |v| v.copy_from_slice(&noise(15, "x")));
        let h = t.linear(x, id[0], None);
        t.norm(h, id[1], id[2])
    });
}

#[test]
fn sums_groups_stacks_and_rows() {
    let (params, id) = with(&[("w", 3, 4), ("g", 2, 4), ("v", 3, 4)]);
    check(params, |t| {
        let x = t.input(5, 3, |v| v.copy_from_slice(&noise(15, "x")));
        let h = t.linear(x, id[0], None);
        let other = t.linear(x, id[2], None);
        let h = t.add(h, other);
        let g = t.param(id[1]);
        let h = t.add_groups(h, g, &[(2, 1), (3, 0)]);
        let both = t.stack(h, other);
        t.rows(both, 3, 5)
    });
}

#[test]
fn attention_over_a_context() {
    let (params, id) = with(&[("q", 3, 4), ("k", 3, 4), ("v", 3, 4)]);
    check(params, |t| {
        let x = t.input(5, 3, |v| v.copy_from_slice(&noise(15, "x")));
        let context = t.input(7, 3, |v| v.copy_from_slice(&noise(21, "context")));
        let q = t.linear(x, id[0], None);
        let (k, v) = (t.linear(context, id[1], None), t.linear(context, id[2], None));
        t.attend(q, k, v, 2)
    });
}

#[test]
fn a_scan_over_events() {
    let (params, id) = with(&[("gate", 2, 3), ("value", 2, 3), ("decay", 1, 3)]);
    check(params, |t| {
        let events = t.input(6, 2, |v| v.copy_from_slice(&noise(12, "events")));
        let gate = t.linear(events, id[0], None);
        let value = t.linear(events, id[1], None);
        t.scan(gate, value, id[2], &[0, 1, 1, 6], &[0.0, 0.0, 0.3, 1.0, 0.2, 2.0], &[0.5, 1.0, 0.1])
    });
}

#[test]
fn attention_of_events_over_those_before_them() {
    let (params, id) = with(&[("q", 3, 4), ("k", 3, 4), ("v", 3, 4)]);
    check(params, |t| {
        let x = t.input(6, 3, |v| v.copy_from_slice(&noise(18, "x")));
        let [q, k, v] = [0, 1, 2].map(|i| t.linear(x, id[i], None));
        t.attend_back(q, k, v, 2, &[0, 1, 1, 6])
    });
}

#[test]
fn an_event_does_not_see_those_after_it_nor_those_of_others() {
    let (params, id) = with(&[("q", 3, 4), ("k", 3, 4), ("v", 3, 4)]);
    let of = |late: f32| {
        let mut ws = Workspace::default();
        let mut t = Tape::new(&params, &mut ws);
        let mut numbers = noise(18, "x");
        numbers[12] += late;
        let x = t.input(6, 3, |v| v.copy_from_slice(&numbers));
        let [q, k, v] = [0, 1, 2].map(|i| t.linear(x, id[i], None));
        let y = t.attend_back(q, k, v, 2, &[0, 2, 5, 6]);
        t.value(y).to_vec()
    };
    // row 4 is the last of the second customer
    let (one, other) = (of(0.0), of(1.0));
    assert_eq!(one[..16], other[..16]);
    assert_ne!(one[16..20], other[16..20]);
    assert_eq!(one[20..], other[20..]);
}

#[test]
fn a_recurrent_unit_over_events() {
    let (params, id) = with(&[("w", 2, 9), ("b", 1, 9), ("u", 3, 9)]);
    check(params, |t| {
        let events = t.input(6, 2, |v| v.copy_from_slice(&noise(12, "events")));
        let gates = t.linear(events, id[0], Some(id[1]));
        let states = t.gru(gates, id[2], &[0, 1, 1, 6]);
        t.last_of_runs(states, &[0, 1, 1, 6])
    });
}

#[test]
fn a_convolution_with_pooling_and_a_mask() {
    let (params, id) = with(&[("w0", 2, 3), ("w", 9, 4), ("w2", 8, 2)]);
    check(params, |t| {
        let x = t.input(8, 2, |v| v.copy_from_slice(&noise(16, "weeks")));
        let x = t.linear(x, id[0], None);
        let x = t.times(x, |by| by.iter_mut().enumerate().for_each(|(i, b)| *b = (i % 3) as f32));
        let h = t.neighbours(x, &[0, 4, 8], 1, 1);
        let h = t.linear(h, id[1], None);
        let h = t.gelu(h);
        let h = t.mean_of_runs(h, &[0, 2, 4, 6, 8]);
        let h = t.reshape(h, 2, 8);
        t.linear(h, id[2], None)
    });
}

#[test]
fn blocks_side_by_side_and_back_through_a_map() {
    let (params, id) = with(&[("w", 3, 5), ("u", 4, 5), ("v", 4, 2)]);
    check(params, |t| {
        let x = t.input(6, 3, |v| v.copy_from_slice(&noise(18, "x")));
        let h = t.linear(x, id[0], None);
        let h = t.blocks(h, &[Block::Tanh(1), Block::Softmax(3), Block::Tanh(1)]);
        let h = t.linear_back(h, id[1]);
        let other = t.linear(h, id[2], None);
        t.beside(h, other)
    });
}

#[test]
fn neighbours_are_those_of_the_same_run() {
    let params = Params::default();
    let mut ws = Workspace::default();
    let mut t = Tape::new(&params, &mut ws);
    let x = t.input(4, 1, |v| v.copy_from_slice(&[1.0, 2.0, 3.0, 4.0]));
    let y = t.neighbours(x, &[0, 3, 4], 1, 1);
    assert_eq!(t.value(y), [0.0, 1.0, 2.0, 1.0, 2.0, 3.0, 2.0, 3.0, 0.0, 0.0, 4.0, 0.0]);
}

#[test]
fn a_second_step_in_the_same_workspace_gives_the_same_bits() {
    let (params, id) = with(&[("q", 3, 4), ("k", 3, 4)]);
    let mut ws = Workspace::default();
    let step = |ws: &mut Workspace| {
        let mut t = Tape::new(&params, ws);
        let x = t.input(5, 3, |v| v.copy_from_slice(&noise(15, "x")));
        let (q, k, v) = (t.linear(x, id[0], None), t.linear(x, id[1], None), t.linear(x, id[1], None));
        let y = t.attend(q, k, v, 2);
        let mut gradient = vec![0.0; params.len()];
        t.backward(&[(y, &[1.0; 20])], &mut gradient);
        gradient
    };
    assert_eq!(step(&mut ws), step(&mut ws));
}
