//! Fitting the BG family: starts, bounds, the prior for thin data, and what to tell the reader.
//!
//! The one idea: the search runs over logarithms in a wide box, from a start at the observed rate. Shops with many
//! distinct histories take their first steps on merged neighbours ([`Grouped::coarsened`]), so that all customers are
//! passed over two or three times only.

use guike_core::{FitError, Note};

use crate::bg_family::{Family, Kind};
use crate::fit::{Estimate, FitOptions, buying_remarks, no_drop_out, not_converged, standard_errors_of_exp};
use crate::grouped::Grouped;
use crate::optimize::{Coordinate, Evaluation, Failure, Maximum, maximise};
use crate::prior::{LogNormalPrior, add_prior, is_thin, thin_note};

const NAMES: [&str; 4] = ["ln r", "ln alpha", "ln a", "ln b"];
/// The box of the search, per parameter.
const LOWER: [f64; 4] = [1e-4, 1e-4, 1e-5, 1e-3];
const UPPER: [f64; 4] = [1e3, 1e6, 1e3, 1e4];
/// Fits with more groups take their first steps on about this many.
const COARSE_GROUPS: usize = 3000;
/// Drop-out chances below this are no drop-out: a customer would make a thousand purchases.
const NO_DROP_OUT: f64 = 1e-3;

/// Maximum likelihood, or the posterior mode where the data are thin.
pub(crate) fn fit(
    learner: &'static str,
    kind: Kind,
    data: &Grouped,
    options: &FitOptions,
) -> Result<Estimate<Family>, FitError> {
    if data.is_empty() {
        return Err(FitError::TooLittle { learner, needs: "customers".into(), found: "are none".into() });
    }
    let thin = is_thin(data, options);
    let start = start(kind, data);
    let mut maximum = None;
    if data.len() > 2 * COARSE_GROUPS {
        let coarse = data.coarsened(data.len().div_ceil(COARSE_GROUPS));
        // a start that fails is no harm: the full fit begins elsewhere
        maximum = search(kind, &coarse, options, thin, start).ok();
    }
    let start = maximum.map_or(start, |m: Maximum| std::array::from_fn(|i| m.theta[i].exp()));
    let maximum = search(kind, data, options, thin, start).map_err(|failure| not_converged(learner, &failure))?;
    let [r, alpha, a, b] = std::array::from_fn(|i| maximum.theta[i].exp());
    let model = Family { kind, r, alpha, a, b };
    let mut notes = Vec::new();
    let mut log_likelihood = maximum.value;
    if thin {
        notes.push(thin_note(data, options));
        log_likelihood = model.derivatives(data, &data.survivors()).value;
    }
    notes.extend(remarks(&model));
    Ok(Estimate {
        model,
        log_likelihood,
        standard_errors: standard_errors_of_exp(&maximum),
        notes,
        iterations: maximum.iterations,
    })
}

fn search(kind: Kind, data: &Grouped, options: &FitOptions, thin: bool, start: [f64; 4]) -> Result<Maximum, Failure> {
    let coordinates = coordinates(start);
    let survivors = data.survivors();
    maximise(&coordinates, options.stop, |theta| {
        let [r, alpha, a, b] = std::array::from_fn(|i| theta[i].exp());
        let d = Family { kind, r, alpha, a, b }.derivatives(data, &survivors);
        let mut evaluation = Evaluation { value: d.value, gradient: d.gradient.to_vec(), hessian: d.hessian.concat() };
        if thin {
            add_prior(&mut evaluation, theta, &priors(kind));
        }
        evaluation
    })
}

/// The box of the search in logarithms, with its start.
pub(crate) fn coordinates(start: [f64; 4]) -> [Coordinate; 4] {
    std::array::from_fn(|i| Coordinate {
        name: NAMES[i],
        start: start[i].ln(),
        lower: LOWER[i].ln(),
        upper: UPPER[i].ln(),
    })
}

pub(crate) fn priors(kind: Kind) -> [LogNormalPrior; 4] {
    let LogNormalPrior { median, log_sd } = LogNormalPrior::RATE_SCALE;
    [
        LogNormalPrior::RATE_SHAPE,
        // k sub-events make a purchase, so their rate is k times as high
        LogNormalPrior { median: median / f64::from(kind.k), log_sd },
        LogNormalPrior::DROP_OUT_A,
        LogNormalPrior::DROP_OUT_B,
    ]
}

/// A start at the observed rate of purchases with typical heterogeneity and drop-out.
pub(crate) fn start(kind: Kind, data: &Grouped) -> [f64; 4] {
    let totals = data.totals();
    let rate = (totals.repeats + 0.5) / (totals.age + 1.0) * f64::from(kind.k);
    [0.5, (0.4 / rate).clamp(0.01, 1e4), 0.8, 2.0]
}

/// What the estimates say about the shop that a reader should know.
pub(crate) fn remarks(model: &Family) -> Vec<Note> {
    let mut notes = Vec::new();
    if model.a / (model.a + model.b) < NO_DROP_OUT {
        notes.push(no_drop_out());
    } else if model.a + model.b > 0.5 * UPPER[2] {
        notes.push(Note("the chance of leaving does not measurably differ between customers".into()));
    }
    notes.extend(buying_remarks(model.r, model.alpha, [UPPER[0], UPPER[1]]));
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn customers_who_never_leave_show_no_drop_out_and_say_so() {
        // everybody was seen in the last week
        let n = 600_u32;
        let x: Vec<u32> = (0..n).map(|i| 1 + i % 17).collect();
        let age: Vec<f64> = (0..n).map(|i| f64::from(140 + i % 90)).collect();
        let recency: Vec<f64> = age.iter().map(|t| t - 1.0).collect();
        let data = Grouped::from_days(&x, &recency, &age).expect("valid");
        let fit = fit("bg-nbd", Kind { k: 1, early_chances: 0 }, &data, &FitOptions::default()).expect("fits");
        assert!(fit.notes.iter().any(|n| n.0.starts_with("no drop-out was detected")), "{fit:?}");
        assert!(fit.model.p_alive(data.history(0)) > 0.99);
    }

    #[test]
    fn a_shop_of_twenty_gets_a_finite_model_that_says_so() {
        let x: Vec<u32> = (0..20).map(|i| [0, 0, 0, 1, 2][i % 5]).collect();
        let age: Vec<f64> = (0..20).map(|i| f64::from(20 + 7 * i)).collect();
        let recency: Vec<f64> = age.iter().zip(&x).map(|(t, x)| (t * f64::from(*x) / 3.0).floor()).collect();
        let data = Grouped::from_days(&x, &recency, &age).expect("valid");
        for k in [1, 3] {
            let fit = fit("bg-nbd", Kind { k, early_chances: 1 }, &data, &FitOptions::default()).expect("fits");
            assert!(fit.notes[0].0.starts_with("only 8 of 20 customers bought again"), "{:?}", fit.notes);
            assert!(fit.standard_errors.iter().all(Option::is_some));
            let Family { r, alpha, a, b, .. } = fit.model;
            assert!([r, alpha, a, b].iter().all(|p| (0.01..200.0).contains(p)), "{:?}", fit.model);
        }
    }

    #[test]
    fn one_customer_or_one_day_is_enough() {
        for (x, t_x, age) in [(0, 0.0, 0.0), (0, 0.0, 400.0), (3, 9.0, 9.0)] {
            let data = Grouped::from_days(&[x], &[t_x], &[age]).expect("valid");
            for kind in [Kind { k: 1, early_chances: 0 }, Kind { k: 2, early_chances: 1 }] {
                let fit = fit("bg-nbd", kind, &data, &FitOptions::default()).expect("fits");
                assert!(fit.model.expected_if_alive(data.history(0), 52.0).is_finite());
            }
        }
    }

    #[test]
    fn a_shop_without_any_repeat_purchase_gets_a_finite_model_even_without_a_prior() {
        let age: Vec<f64> = (0..50).map(f64::from).collect();
        let data = Grouped::from_days(&[0; 50], &[0.0; 50], &age).expect("valid");
        let options = FitOptions { thin_below_repeaters: 0.0, ..FitOptions::default() };
        for early_chances in [0, 1] {
            let fit = fit("bg-nbd", Kind { k: 1, early_chances }, &data, &options).expect("fits");
            let h = data.history(20);
            assert!(fit.model.p_alive(h) * fit.model.expected_if_alive(h, 52.0) < 1e-2, "{fit:?}");
        }
    }
}
