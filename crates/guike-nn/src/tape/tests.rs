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
