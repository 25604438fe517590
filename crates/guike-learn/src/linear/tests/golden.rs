//! Coefficients are scikit-learn's.

use super::*;
use crate::linear::{Family, GeneralisedLinear, LinearRegression, LogisticRegression};

/// scikit-learn 1.9.1, coefficients then intercepts:
/// ```python
/// g = 0.6180339887498949; i = np.arange(1, 41); f = lambda t: t - np.floor(t)
/// x = np.c_[f(i*g), 100*f(i*i*g), f(i*g) - 3*f(7*i*g)]; w = i % 4 + 0.5
/// numbers = 2 + 3*x[:,0] - 0.05*x[:,1] + f(i**3*g)
/// counts = np.floor(4*f(i*g)*f(5*i*g)*(1 + x[:,0]))
/// amounts = np.exp(x[:,0] + 0.01*x[:,1])*(0.1 + f(3*i*g))
/// two = (f(11*i*g) + 0.4*x[:,0] > 0.7)*1.0
/// three = np.floor(3*f(x[:,0] + f(i**3*g)*0.5))
/// for s in (None, w):
///     W = 40 if s is None else s.sum(); k = dict(sample_weight=s)
///     LinearRegression().fit(x, numbers, **k)
///     Ridge(0.3*W, solver="svd").fit(x, numbers, **k)
///     Lasso(0.05, tol=1e-14, max_iter=10**6).fit(x, numbers, **k)
///     ElasticNet(0.1, l1_ratio=0.4, tol=1e-14, max_iter=10**6).fit(x, numbers, **k)
///     o = dict(solver="newton-cholesky", tol=1e-12, max_iter=1000)
///     PoissonRegressor(alpha=0.1, **o).fit(x, counts, **k)
///     GammaRegressor(alpha=0.1, **o).fit(x, amounts, **k)
///     TweedieRegressor(power=1.5, link="log", alpha=0.1, **o).fit(x, counts*amounts, **k)
///     LogisticRegression(C=2, **o).fit(x, two, **k)
///     LogisticRegression(C=np.inf, **o).fit(x, two, **k)
///     LogisticRegression(C=2, **o).fit(x, three, **k)
/// ```
fn check(learner: &dyn TabularLearner, y: &[f64], task: Task, unweighted: &[f64], weighted_: &[f64]) {
    let s = sample();
    let what = format!("{learner:?}");
    let model = fit(learner, &s.x, y, task).expect("sound data");
    assert_close(&parameters(&*model), unweighted, 1e-6, &what);
    let model = weighted(learner, &s.x, y, Some(&s.weight), task).expect("sound data");
    assert_close(&parameters(&*model), weighted_, 1e-6, &format!("{what} with weights"));
}

#[test]
fn least_squares_is_scikit_learns() {
    let y = sample().numbers;
    let squares = |penalty, l1_ratio, plain: [f64; 4], heavy: [f64; 4]| {
        check(&LinearRegression { penalty, l1_ratio }, &y, Task::Regression, &plain, &heavy);
    };
    squares(
        0.0,
        0.0,
        [3.05053335691596, -0.048233613551993154, -0.09875006261117067, 2.33815675716584],
        [3.0576999885467746, -0.04829560429435215, -0.0702730994025372, 2.3883134625757956],
    );
    squares(
        0.3,
        0.0,
        [0.6257046979832658, -0.048642857395576014, 0.06053137685778683, 3.723709083362972],
        [0.6267416849165519, -0.050601183058308304, 0.044011583526193096, 3.737117697949615],
    );
    squares(
        0.05,
        1.0,
        [2.3648775409376848, -0.04837361852249247, 0.0, 2.787182777413323],
        [2.39220636841038, -0.049008303356075575, 0.0, 2.8048831373550156],
    );
    squares(
        0.1,
        0.4,
        [1.4306646091510653, -0.048462913020206715, 0.0, 3.253637219630829],
        [1.4326050061311415, -0.04978054833904999, 0.0, 3.280679338404894],
    );
}

#[test]
fn generalised_linear_models_are_scikit_learns() {
    let s = sample();
    let spend: Vec<f64> = s.counts.iter().zip(&s.amounts).map(|(n, a)| n * a).collect();
    let general = |family, y: &[f64], plain: [f64; 4], heavy: [f64; 4]| {
        check(&GeneralisedLinear { family, penalty: 0.1 }, y, Task::Regression, &plain, &heavy);
    };
    general(
        Family::Poisson,
        &s.counts,
        [1.6784312167253879, 0.00046976099912779537, 0.11091578862259673, -0.5452959291300299],
        [1.652849263491548, 0.0016908844537534987, 0.1475244673604669, -0.5847295258144788],
    );
    general(
        Family::Gamma,
        &s.amounts,
        [0.619207622177512, 0.008568721925288118, 0.06952222446762027, -0.14951046447954672],
        [0.5466515625899543, 0.0075537064848257, 0.07705824938394336, -0.07127183017929474],
    );
    general(
        Family::Tweedie { power: 1.5 },
        &spend,
        [2.740719958916214, 0.007144581588422842, 0.1272609651168622, -0.9029981884367583],
        [2.5073717163575733, 0.009630805959488476, 0.2111505394992093, -0.8771165785894415],
    );
}

#[test]
fn logistic_regression_is_scikit_learns() {
    let s = sample();
    let logit = |penalty| LogisticRegression { penalty, ..Default::default() };
    check(
        &logit(0.5),
        &s.two,
        TWO,
        &[1.038962686008061, 0.00763268372059708, 0.08280968240740172, -0.2648675760890264],
        &[1.6260086262402513, 0.012655201540729735, -0.025840252587679507, -0.7997638024928441],
    );
    check(
        &logit(0.0),
        &s.two,
        TWO,
        &[1.8336296782132737, 0.008160830074059615, 0.029537563768998083, -0.7159714434096228],
        &[2.3279290012348897, 0.014049432432804793, -0.07454077161289135, -1.2096418781561888],
    );
}

#[test]
#[rustfmt::skip]
fn several_classes_are_scikit_learns() {
    check(
        &LogisticRegression { penalty: 0.5, ..Default::default() },
        &sample().three,
        THREE,
        &[
            1.366669777510187, -0.0013680254227263471, -0.07429527547869061,
            -1.7170367863770108, 0.005474689620993288, 0.18536724666452842,
            0.3503670088668246, -0.004106664198215115, -0.11107197118584057,
            -0.32675084022149437, 0.09110046529305024, 0.23565037492844418,
        ],
        &[
            1.2404715591883877, -0.003980818962308426, -0.10929931539388162,
            -2.070392524691224, 0.027233727175988612, 0.04256280880800832,
            0.8299209655028372, -0.02325290821338858, 0.06673650658586876,
            0.08860243763038977, -1.2180575201580077, 1.1294550825276177,
        ],
    );
}
