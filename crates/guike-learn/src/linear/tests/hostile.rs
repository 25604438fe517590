//! Data that is not kind: never NaN, never a panic, an error that helps.

use super::*;
use crate::linear::{Family, GeneralisedLinear, LinearRegression, LogisticRegression, Solver};

const CODES: [f64; 6] = [0.0, 0.0, 0.0, 1.0, 1.0, 1.0];

fn all() -> Vec<(Box<dyn TabularLearner>, Task)> {
    let descent = Solver::GradientDescent { rate: 0.1, iterations: 100 };
    vec![
        (Box::new(LinearRegression::default()), Task::Regression),
        (Box::new(LinearRegression { penalty: 0.1, l1_ratio: 0.0 }), Task::Regression),
        (Box::new(LinearRegression { penalty: 0.1, l1_ratio: 1.0 }), Task::Regression),
        (Box::new(GeneralisedLinear::default()), Task::Regression),
        (Box::new(GeneralisedLinear { family: Family::Tweedie { power: 1.5 }, penalty: 0.1 }), Task::Regression),
        (Box::new(LogisticRegression::default()), TWO),
        (Box::new(LogisticRegression::default()), THREE),
        (Box::new(LogisticRegression { penalty: 1.0, solver: descent }), TWO),
        (Box::new(LogisticRegression { penalty: 1.0, solver: descent }), THREE),
    ]
}

fn error(result: Result<Box<dyn TabularModel>, FitError>) -> String {
    result.expect_err("this cannot be learned").to_string()
}

#[test]
fn separated_classes_have_no_unpenalised_coefficients() {
    let x = Matrix::from_columns(6, &[[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]]);
    let free = LogisticRegression { penalty: 0.0, ..Default::default() };
    let text = "logistic-regression did not converge: the columns separate the classes without an error, so that \
                unpenalised coefficients have no finite value; set a `penalty`, or look for a column that gives the \
                label away";
    assert_eq!(error(fit(&free, &x, &CODES, TWO)), text);
    assert_eq!(error(fit(&free, &x, &[0.0, 0.0, 1.0, 1.0, 2.0, 2.0], THREE)), text);
    // C=1 in scikit-learn 1.9.1: LogisticRegression(solver="newton-cholesky", tol=1e-12).fit(x, y)
    let held = fit(&LogisticRegression::default(), &x, &CODES, TWO).expect("a penalty holds the coefficients");
    assert_close(&parameters(&*held), &[1.1206096000874792, -3.9221336003061777], 1e-6, "separated");
}

#[test]
fn a_column_that_separates_a_part_of_the_rows_is_named() {
    let part = [0.0, 0.0, 0.0, 0.0, 1.0, 1.0];
    let x = Matrix::from_columns(6, &[[1.0, 2.0, 3.0, 1.5, 2.5, 2.0], part]);
    let free = LogisticRegression { penalty: 0.0, ..Default::default() };
    let text = error(fit(&free, &x, &[0.0, 1.0, 0.0, 1.0, 1.0, 1.0], TWO));
    assert!(text.contains("column 1 grows without end"), "{text}");
    let counts = GeneralisedLinear { penalty: 0.0, ..Default::default() };
    let text = error(fit(&counts, &x, &[2.0, 1.0, 0.0, 1.0, 0.0, 0.0], Task::Regression));
    assert!(text.contains("set a `penalty`"), "{text}");
    assert!(fit(&GeneralisedLinear::default(), &x, &[2.0, 1.0, 0.0, 1.0, 0.0, 0.0], Task::Regression).is_ok());
}

#[test]
fn columns_that_repeat_each_other_share_the_coefficient() {
    let s = sample();
    let once = Matrix::from_columns(40, &[s.x.column(0)]);
    let twice = Matrix::from_columns(40, &[s.x.column(0), s.x.column(0)]);
    let free = LogisticRegression { penalty: 0.0, ..Default::default() };
    let counts = GeneralisedLinear { penalty: 0.0, ..Default::default() };
    let cases: [(&dyn TabularLearner, &[f64], Task); 4] = [
        (&LinearRegression::default(), &s.numbers, Task::Regression),
        (&counts, &s.counts, Task::Regression),
        (&free, &s.two, TWO),
        (&free, &s.three, THREE),
    ];
    for (learner, y, task) in cases {
        let (one, two) = (fit(learner, &once, y, task), fit(learner, &twice, y, task));
        let (one, two) = (one.expect("sound data"), two.expect("sound data"));
        assert_close(&two.predict(&twice), &one.predict(&once), 1e-6, &format!("{learner:?}"));
        let (one, two) = (linear(&*one).coefficients, linear(&*two).coefficients);
        for (c, pair) in one.iter().zip(two.chunks_exact(2)) {
            assert_close(pair, &[c / 2.0, c / 2.0], 1e-3, &format!("{learner:?}"));
        }
    }
}

#[test]
fn a_constant_column_gets_nothing_and_more_columns_than_rows_are_fine() {
    let wide: Vec<Vec<f64>> = (0..9)
        .map(|j| (0..6).map(|i| if j == 4 { 7.3 } else { ((i * i + 3 * j + i * j) % 7) as f64 }).collect())
        .collect();
    let x = Matrix::from_columns(6, &wide);
    for (learner, task) in all() {
        let y = if task == THREE { [0.0, 1.0, 2.0, 0.0, 1.0, 2.0] } else { CODES };
        let model = fit(&*learner, &x, &y, task).expect("sound data");
        assert!(model.predict(&x).iter().all(|p| p.is_finite()));
        if !format!("{learner:?}").contains("GradientDescent") {
            assert_eq!(linear(&*model).coefficients[4], 0.0, "{learner:?}");
        }
    }
}

#[test]
fn no_columns_leave_the_mean() {
    let none: [[f64; 6]; 0] = [];
    let x = Matrix::from_columns(6, &none);
    for (learner, task) in all() {
        let model = fit(&*learner, &x, &CODES, task).expect("an intercept alone");
        let predictions = model.predict(&x);
        if task == Task::Regression {
            assert_close(&predictions, &[0.5; 6], 1e-9, "the mean");
        } else {
            assert!((predictions[0] - predictions[1]).abs() < 1e-6, "{predictions:?}");
        }
    }
}

#[test]
fn numbers_that_cannot_be_squared_are_refused() {
    let rule = "values are numbers from -1e100 to 1e100";
    for bad in [1e308, -1e308, f64::NAN, f64::INFINITY] {
        let x = Matrix::from_columns(6, &[[1.0, 2.0, 3.0, bad, 1.0, 0.0]]);
        let good = Matrix::from_columns(6, &[[1.0, 2.0, 3.0, 7.0, 1.0, 0.0]]);
        for (learner, task) in all() {
            let text = error(fit(&*learner, &x, &CODES, task));
            assert_eq!(text, format!("{} cannot use a value of column 0 (row 3) = {bad:?}: {rule}", learner.name()));
            let mut y = CODES;
            y[2] = bad;
            assert!(fit(&*learner, &good, &y, task).is_err());
            assert!(weighted(&*learner, &good, &CODES, Some(&y), task).is_err());
        }
    }
}

#[test]
fn huge_and_tiny_columns_give_numbers_or_an_error() {
    for scale in [1e100, 1e60, 1e-60, 1e-100, 1e-300] {
        let x = Matrix::from_columns(6, &[[1.0, 2.0, 3.0, 2.5, 1.0, 0.0].map(|v: f64| v / 3.0 * scale)]);
        for (learner, task) in all() {
            for factor in [1.0, scale.min(1e99)] {
                let y = if task == Task::Regression { CODES.map(|y| (y + 0.5) * factor) } else { CODES };
                if let Ok(model) = fit(&*learner, &x, &y, task) {
                    let predictions = model.predict(&x);
                    assert!(predictions.iter().all(|p| p.is_finite()), "{learner:?} {scale} {predictions:?}");
                }
            }
            let weight = [scale; 6];
            if let Ok(model) = weighted(&*learner, &x, &CODES, Some(&weight), task) {
                assert!(model.predict(&x).iter().all(|p| p.is_finite()));
            }
        }
    }
}

#[test]
fn predictions_of_rows_beyond_reason_are_numbers() {
    let s = sample();
    let odd = [f64::MAX, -f64::MAX, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 0.0];
    let x = Matrix::from_columns(6, &[odd, odd, [0.0, 1.0, -1e308, 1e308, f64::NAN, 5.0]]);
    for (learner, task) in all() {
        let y = if task == THREE { &s.three } else { &s.two };
        let model = fit(&*learner, &s.x, y, task).expect("sound data");
        let predictions = model.predict(&x);
        assert!(predictions.iter().all(|p| p.is_finite()), "{learner:?} {predictions:?}");
        for row in predictions.chunks_exact(task.n_outputs()) {
            assert!(task == Task::Regression || (row.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        }
    }
}

#[test]
fn a_class_without_rows_has_probability_zero() {
    let s = sample();
    let two = fit(&LogisticRegression::default(), &s.x, &s.two, TWO).expect("sound data").predict(&s.x);
    let codes: Vec<f64> = s.two.iter().map(|y| 2.0 * y).collect();
    let three = fit(&LogisticRegression::default(), &s.x, &codes, THREE).expect("sound data").predict(&s.x);
    for (two, three) in two.chunks_exact(2).zip(three.chunks_exact(3)) {
        assert_close(three, &[two[0], 0.0, two[1]], 1e-12, "the others are as without it");
        assert_eq!(three[1], 0.0);
    }
    let only = error(fit(&LogisticRegression::default(), &s.x, &[1.0; 40], TWO));
    assert_eq!(only, "logistic-regression needs rows of at least two classes, and there is one");
}

#[test]
fn impossible_settings_and_labels_are_told() {
    let x = Matrix::from_columns(6, &[[1.0, 2.0, 3.0, 7.0, 1.0, 0.0]]);
    let told = |learner: &dyn TabularLearner, y: [f64; 6], task| error(fit(learner, &x, &y, task));
    let number = Task::Regression;
    let strong = LinearRegression { penalty: f64::NAN, l1_ratio: 0.0 };
    let rule = "a finite number of at least 0 is needed";
    assert_eq!(told(&strong, CODES, number), format!("linear-regression cannot use penalty = NaN: {rule}"));
    assert!(told(&LinearRegression { penalty: 1.0, l1_ratio: 1.5 }, CODES, number).contains("l1_ratio = 1.5"));
    let gamma = GeneralisedLinear { family: Family::Gamma, penalty: 0.0 };
    let text = "generalised-linear cannot use the label of row 0 = 0: gamma has labels above 0; take `tweedie` where \
                some are 0";
    assert_eq!(told(&gamma, CODES, number), text);
    let power = GeneralisedLinear { family: Family::Tweedie { power: 2.5 }, penalty: 0.0 };
    assert!(told(&power, CODES, number).contains("power = 2.5"));
    assert!(told(&GeneralisedLinear::default(), [-1.0; 6], number).contains("at least 0"));
    assert!(told(&GeneralisedLinear::default(), [0.0; 6], number).contains("at least one label above 0"));
    assert!(told(&LogisticRegression::default(), [0.0, 1.0, 0.5, 1.0, 0.0, 1.0], TWO).contains("class codes 0 to 1"));
    let solver = Solver::GradientDescent { rate: 0.0, iterations: 1 };
    assert!(told(&LogisticRegression { penalty: 0.0, solver }, CODES, TWO).contains("rate = 0"));
    let solver = Solver::GradientDescent { rate: 1e300, iterations: 9 };
    assert!(told(&LogisticRegression { penalty: 1.0, solver }, CODES, TWO).contains("lower `rate`"));
    let empty = Matrix::from_columns(0, &[[0.0; 0]]);
    let none = weighted(&LinearRegression::default(), &x, &CODES, Some(&[0.0; 6]), number);
    assert!(error(none).contains("a weight above 0"));
    assert!(error(fit(&LinearRegression::default(), &empty, &[], number)).contains("at least one row"));
}

#[test]
fn labels_without_spread_are_predicted() {
    let x = Matrix::from_columns(6, &[[1.0, 2.0, 3.0, 7.0, 1.0, 0.0]]);
    for (learner, _) in all().into_iter().filter(|(_, task)| *task == Task::Regression) {
        let model = fit(&*learner, &x, &[4.2; 6], Task::Regression).expect("sound data");
        assert_close(&model.predict(&x), &[4.2; 6], 1e-9, &format!("{learner:?}"));
    }
}

#[test]
fn money_and_ages_do_not_spoil_the_arithmetic() {
    // a year around 2,000 beside an income around 1e9: exact on exact data
    let year: Vec<f64> = (0..50).map(|i| 2000.0 + f64::from(i * 7 % 13)).collect();
    let income: Vec<f64> = (0..50).map(|i| 1e9 + f64::from(i * i % 17) * 1e3).collect();
    let y: Vec<f64> = year.iter().zip(&income).map(|(a, b)| 5.0 + 2.0 * (a - 2000.0) - 3e-3 * (b - 1e9)).collect();
    let model = fit(&LinearRegression::default(), &Matrix::from_columns(50, &[year, income]), &y, Task::Regression);
    assert_close(linear(&*model.expect("sound data")).coefficients, &[2.0, -3e-3], 1e-9, "exact");
}
