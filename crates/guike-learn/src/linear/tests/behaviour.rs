//! What holds whatever the numbers: weights, files, threads, solvers.

use super::*;
use crate::linear::{Family, GeneralisedLinear, LinearModel, LinearRegression, LogisticRegression, Solver};
use crate::tabular::{Link, Wants};

/// Every learner, with labels and task.
fn learners() -> Vec<(Box<dyn TabularLearner>, Vec<f64>, Task)> {
    let s = sample();
    let descent = Solver::GradientDescent { rate: 1e-4, iterations: 50 };
    vec![
        (Box::new(LinearRegression::default()), s.numbers.clone(), Task::Regression),
        (Box::new(LinearRegression { penalty: 0.1, l1_ratio: 0.0 }), s.numbers.clone(), Task::Regression),
        (Box::new(LinearRegression { penalty: 0.1, l1_ratio: 0.5 }), s.numbers, Task::Regression),
        (Box::new(GeneralisedLinear::default()), s.counts.clone(), Task::Regression),
        (Box::new(GeneralisedLinear { family: Family::Gamma, penalty: 0.0 }), s.amounts, Task::Regression),
        (
            Box::new(GeneralisedLinear { family: Family::Tweedie { power: 1.3 }, penalty: 0.01 }),
            s.counts,
            Task::Regression,
        ),
        (Box::new(LogisticRegression::default()), s.two.clone(), TWO),
        (Box::new(LogisticRegression::default()), s.three.clone(), THREE),
        (Box::new(LogisticRegression { penalty: 1.0, solver: descent }), s.two, TWO),
        (Box::new(LogisticRegression { penalty: 1.0, solver: descent }), s.three, THREE),
    ]
}

/// Many rows start from every tenth of them: in the one order that part is four rows over and over, in the other it is all
/// forty.
#[test]
fn many_rows_have_the_minimum_of_their_weights_in_any_order() {
    let s = sample();
    let weight = vec![600.0; 40];
    let turns: Vec<usize> = (0..24_000).map(|i| i % 40).collect();
    let sorted: Vec<usize> = (0..24_000).map(|i| i / 600).collect();
    let learners: [(Box<dyn TabularLearner>, &[f64], Task); 3] = [
        (Box::new(LogisticRegression::default()), &s.two, TWO),
        (Box::new(LogisticRegression::default()), &s.three, THREE),
        (Box::new(GeneralisedLinear::default()), &s.counts, Task::Regression),
    ];
    for (learner, y, task) in learners {
        let want = parameters(weighted(learner.as_ref(), &s.x, y, Some(&weight), task).expect("fits").as_ref());
        for rows in [&turns, &sorted] {
            let labels: Vec<f64> = rows.iter().map(|&i| y[i]).collect();
            let got = fit(learner.as_ref(), &s.x.select_rows(rows), &labels, task).expect("fits");
            assert_close(&parameters(got.as_ref()), &want, 1e-6, learner.name());
        }
    }
}

#[test]
fn a_weight_is_that_many_copies_of_a_row() {
    let x = sample().x;
    let times: Vec<usize> = (0..40).map(|i| i % 3).collect();
    let weight: Vec<f64> = times.iter().map(|&t| t as f64).collect();
    let rows: Vec<usize> = (0..40).flat_map(|i| vec![i; times[i]]).collect();
    for (learner, y, task) in learners() {
        let by_weight = weighted(&*learner, &x, &y, Some(&weight), task).expect("sound data");
        let copies: Vec<f64> = rows.iter().map(|&i| y[i]).collect();
        let by_copies = fit(&*learner, &x.select_rows(&rows), &copies, task).expect("sound data");
        assert_close(&parameters(&*by_weight), &parameters(&*by_copies), 1e-6, &format!("{learner:?}"));
    }
}

#[test]
fn all_want_scaled_columns_and_know_their_tasks() {
    for (learner, _, task) in learners() {
        assert_eq!(learner.wants(), Wants::Scaled);
        assert!(learner.can(task));
        let other = if task == Task::Regression { TWO } else { Task::Regression };
        assert!(!learner.can(other));
        let s = sample();
        assert!(fit(&*learner, &s.x, &s.two, other).is_err());
    }
}

#[test]
fn a_saved_model_comes_back_to_the_bit() {
    let x = sample().x;
    for (learner, y, task) in learners() {
        let model = fit(&*learner, &x, &y, task).expect("sound data");
        let text = model.save().to_string();
        let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(value["kind"], learner.name());
        let back = LinearModel::load(&value).expect("what was saved");
        let bits = |v: Vec<f64>| v.into_iter().map(f64::to_bits).collect::<Vec<_>>();
        assert_eq!(bits(parameters(&back)), bits(parameters(&*model)));
        assert_eq!(bits(back.predict(&x)), bits(model.predict(&x)));
        assert_eq!((back.task(), back.n_columns(), back.kind()), (task, 3, learner.name()));
        assert_eq!(back.save(), value);
    }
}

#[test]
fn damaged_files_are_refused_in_words() {
    let s = sample();
    let good = fit(&LogisticRegression::default(), &s.x, &s.two, TWO).expect("sound data").save();
    let refused = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut value = good.clone();
        change(&mut value);
        LinearModel::load(&value).expect_err("damaged")
    };
    assert_eq!(refused(&|v| v["kind"] = "k-means".into()), "a model of kind `k-means` is not a linear model");
    assert!(refused(&|v| *v = 3.into()).contains("(none)"));
    for change in [
        |v: &mut serde_json::Value| v["n_columns"] = 4.into(),
        |v: &mut serde_json::Value| v["n_columns"] = u64::MAX.into(),
        |v: &mut serde_json::Value| v["link"] = "identity".into(),
        |v: &mut serde_json::Value| v["link"] = "softmax".into(),
        |v: &mut serde_json::Value| v["task"]["classification"]["classes"] = 0.into(),
        |v: &mut serde_json::Value| v["intercepts"] = vec![0.0, 1.0].into(),
    ] {
        assert!(refused(&change).contains("do not fit together"));
    }
    assert!(refused(&|v| v["coefficients"][0] = serde_json::Value::Null).starts_with("logistic-regression: "));
}

/// Five thousand rows by a formula, so that sums are taken in several pieces.
fn long() -> (Matrix, Vec<f64>) {
    let noise = |i: usize, j: usize| ((i * (j + 3) * 7919 + j * 104_729) % 1009) as f64 / 1009.0;
    let columns: Vec<Vec<f64>> = (0..6).map(|j| (0..5000).map(|i| noise(i, j)).collect()).collect();
    let y = (0..5000).map(|i| f64::from(u8::from(noise(i, 1) + noise(i, 17) > 1.0))).collect();
    (Matrix::from_columns(5000, &columns), y)
}

#[test]
fn threads_do_not_change_a_bit() {
    let (x, y) = long();
    for (learner, _, task) in learners() {
        let y: Vec<f64> =
            if learner.name() == "generalised-linear" { y.iter().map(|y| y + 0.5).collect() } else { y.clone() };
        let with = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool of threads");
            pool.install(|| {
                let model = fit(&*learner, &x, &y, task).expect("sound data");
                (parameters(&*model), model.predict(&x))
            })
        };
        assert_eq!(with(1), with(2), "{learner:?}");
    }
}

#[test]
fn many_steps_of_gradient_descent_reach_the_exact_minimum() {
    let s = sample();
    let x = Matrix::from_columns(40, &[s.x.column(0), s.x.column(2)]);
    for (y, task) in [(&s.two, TWO), (&s.three, THREE)] {
        let learner = |solver| LogisticRegression { penalty: 1.0, solver };
        let exact = fit(&learner(Solver::Exact), &x, y, task).expect("sound data");
        let steps = Solver::GradientDescent { rate: 0.5, iterations: 20_000 };
        let slow = fit(&learner(steps), &x, y, task).expect("sound data");
        assert_close(&parameters(&*slow), &parameters(&*exact), 1e-6, "descent");
    }
}

/// By hand, one step of rate 0.5 from zero: every p is ½, the mean gradient of the coefficient is
/// ((½)·1 + (½)·2 − (½)·3 − (½)·6)/4 = −¾, that of the intercept 0.
#[test]
fn a_step_of_gradient_descent_is_the_textbooks() {
    let x = Matrix::from_columns(4, &[[1.0, 2.0, 3.0, 6.0]]);
    let solver = Solver::GradientDescent { rate: 0.5, iterations: 1 };
    let model = fit(&LogisticRegression { penalty: 0.0, solver }, &x, &[0.0, 0.0, 1.0, 1.0], TWO).expect("sound data");
    assert_eq!(parameters(&*model), [0.375, 0.0]);
}

#[test]
fn l_bfgs_and_newton_meet() {
    // 3 classes × 140 terms are more parameters than Newton's method takes; constant columns change only their number
    let (x, y) = long();
    let three: Vec<f64> = y.iter().enumerate().map(|(i, y)| if i % 5 == 0 { 2.0 } else { *y }).collect();
    let padded: Vec<Vec<f64>> =
        (0..139).map(|j| if j < 6 { x.column(j).to_vec() } else { vec![j as f64; 5000] }).collect();
    let wide = Matrix::from_columns(5000, &padded);
    let narrow = fit(&LogisticRegression::default(), &x, &three, THREE).expect("sound data");
    let wide = fit(&LogisticRegression::default(), &wide, &three, THREE).expect("sound data");
    let (narrow, wide) = (linear(&*narrow), linear(&*wide));
    for class in 0..3 {
        let (few, many) = (&narrow.coefficients[class * 6..][..6], &wide.coefficients[class * 139..][..139]);
        assert_close(&many[..6], few, 1e-6, "coefficients");
        assert!(many[6..].iter().all(|c| *c == 0.0), "constant columns have no coefficient");
    }
    assert_close(wide.intercepts, narrow.intercepts, 1e-6, "intercepts");
}

#[test]
fn links_turn_sums_into_predictions() {
    let s = sample();
    for (learner, y, task) in learners() {
        let model = fit(&*learner, &s.x, &y, task).expect("sound data");
        let Linear { coefficients, intercepts, link } = linear(&*model);
        let mut want = Vec::new();
        for i in 0..40 {
            let sums: Vec<f64> = (0..intercepts.len())
                .map(|k| intercepts[k] + (0..3).map(|j| coefficients[k * 3 + j] * s.x.at(i, j)).sum::<f64>())
                .collect();
            link.apply(&sums, &mut want);
        }
        assert_close(&model.predict(&s.x), &want, 1e-12, "predictions");
        assert_eq!(link == Link::Log, learner.name() == "generalised-linear");
    }
}
