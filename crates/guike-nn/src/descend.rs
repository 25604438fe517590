//! Training a small network on the rows of one shop or table: steps over shuffled batches, until rows that were kept aside get
//! worse; what is kept is the running average of the parameters where those were predicted best.

use guike_core::{Cancelled, Progress, Seed};
use rand::RngExt;
use rand::seq::SliceRandom;

use crate::optimizer::{AdamW, Schedule};
use crate::params::Params;
use crate::tape::{Tape, Var, Workspace};

/// How long and how fast.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Pace {
    /// Most passes over the rows that are learned from.
    pub(crate) epochs: usize,
    /// Passes without getting better after which it stops.
    pub(crate) patience: usize,
    /// Rows per step.
    pub(crate) batch: usize,
    /// Highest learning rate.
    pub(crate) rate: f32,
    /// Shrinkage of matrices per unit of learning rate.
    pub(crate) decay: f32,
    /// Share of numbers that are dropped while learning.
    pub(crate) dropout: f32,
}

/// Which rows are learned from, and which are kept aside.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Split<'a> {
    pub(crate) learned: &'a [u32],
    pub(crate) aside: &'a [u32],
}

/// Memory of the running average of parameters, in steps.
const AVERAGE: f32 = 50.0;
/// Rows that are examined together.
const TOGETHER: usize = 256;

/// What is dropped in one step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dropout {
    share: f32,
    seed: Seed,
}

/// A step of learning: what is dropped, and where the gradient is gathered.
pub(crate) type Step<'g> = (Dropout, &'g mut [f32]);

impl Dropout {
    /// What takes numbers away, at random; without a step nothing is taken.
    pub(crate) fn of(step: Option<Dropout>) -> impl FnMut(&mut Tape<'_>, Var) -> Var {
        let mut at = step.filter(|d| d.share > 0.0).map(|d| (d.share, d.seed.rng()));
        move |tape, x| match &mut at {
            None => x,
            Some((share, rng)) => {
                let kept = 1.0 / (1.0 - *share);
                tape.times(x, |by| {
                    by.iter_mut().for_each(|b| *b = if rng.random::<f32>() < *share { 0.0 } else { kept })
                })
            }
        }
    }
}

/// Trains; gives the best parameters and the number of passes that led there.
///
/// `learn` gives the mean loss of the rows at these places, and adds its gradient in a step of learning.
pub(crate) fn descend(
    mut params: Params,
    split: Split<'_>,
    pace: &Pace,
    seed: Seed,
    progress: &dyn Progress,
    learn: impl Fn(&Params, &[u32], &mut Workspace, Option<Step<'_>>) -> f64,
) -> Result<(Params, usize), Cancelled> {
    let mut ws = Workspace::default();
    let mut order = split.learned.to_vec();
    let each = order.len().div_ceil(pace.batch) as u64;
    let steps = each * pace.epochs as u64;
    let schedule = Schedule { peak: pace.rate, warm_up: each.min(50), cool_down: 0.8, floor: 0.05 };
    let optimizer = AdamW { decay: pace.decay, ..AdamW::default() };
    let zeros = vec![0.0; params.len()];
    let (mut moments, mut gradient) = ([zeros.clone(), zeros.clone()], zeros);
    let mut averaged = params.clone();
    let examine = |params: &Params, ws: &mut Workspace| {
        let parts = split.aside.chunks(TOGETHER);
        let sum: f64 = parts.map(|part| part.len() as f64 * learn(params, part, ws, None)).sum();
        sum / split.aside.len().max(1) as f64
    };
    let mut best = (examine(&params, &mut ws), params.clone());
    let (mut since, mut passes, mut step) = (0, 0, 0);
    for epoch in 0..pace.epochs {
        progress.check()?;
        order.shuffle(&mut seed.derive("order").at(epoch as u64).rng());
        for batch in order.chunks(pace.batch) {
            gradient.fill(0.0);
            let dropout = Dropout { share: pace.dropout, seed: seed.derive("dropout").at(step) };
            learn(&params, batch, &mut ws, Some((dropout, &mut gradient)));
            optimizer.step(&mut params, &mut gradient, &mut moments, step, schedule.rate(step, steps));
            step += 1;
            let fresh = 1.0 / (1.0 + step as f32).min(AVERAGE);
            averaged.values.iter_mut().zip(&params.values).for_each(|(a, &p)| *a += fresh * (p - *a));
        }
        let now = examine(&averaged, &mut ws);
        if now < best.0 {
            best = (now, averaged.clone());
            (since, passes) = (0, epoch + 1);
        } else {
            since += 1;
            if since >= pace.patience {
                break;
            }
        }
    }
    Ok((best.1, passes))
}
