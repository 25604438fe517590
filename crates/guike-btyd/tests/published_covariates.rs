//! Pareto/NBD with covariates on the simulated apparel shop of CLVTools: 600 customers, gender and channel.
//!
//! Reference: the likelihood of Fader & Hardie (2007) written with SciPy's `hyp2f1`, maximised by BFGS and Nelder–Mead in
//! turn; standard errors from its second differences.

mod common;

use std::collections::HashMap;

use common::{APPAREL, rows};
use guike_btyd::covariates::Covariates;
use guike_btyd::pareto_nbd::ParetoNbd;
use guike_btyd::pareto_nbd_covariates::ParetoNbdCovariates;
use guike_btyd::{CountModel, FitOptions, Grouped, History};
use guike_core::{Column, Table};

fn apparel() -> Option<(Vec<History>, Table)> {
    let covariates: HashMap<String, (f64, f64)> = rows("clvtools_apparel/apparelStaticCov.csv.gz")?
        .into_iter()
        .map(|row| (row[0].clone(), (row[1].parse().expect("a number"), row[2].parse().expect("a number"))))
        .collect();
    let customers = APPAREL.customers("2006-12-31", 365)?;
    let histories =
        customers.iter().map(|c| History { x: c.repeats, t_x: c.recency_days / 7.0, age: c.age_days / 7.0 }).collect();
    let column = |name: &str, part: fn(&(f64, f64)) -> f64| {
        Column::numeric(name, customers.iter().map(|c| part(&covariates[&c.id])).collect())
    };
    let table = Table::new(vec![column("Gender", |c| c.0), column("Channel", |c| c.1)]).expect("a table");
    Some((histories, table))
}

fn close(found: f64, reference: f64, relative: f64) {
    assert!((found / reference - 1.0).abs() < relative, "{found}, reference {reference}");
}

#[test]
fn gender_and_channel_change_buying_and_leaving() {
    let Some((histories, table)) = apparel() else { return };
    let both = Covariates { buying: &table, leaving: &table };
    let fit = ParetoNbdCovariates::fit(&histories, both, &FitOptions::default()).expect("fits");
    assert!((fit.log_likelihood + 5_821.062_685_869).abs() < 1e-6, "{}", fit.log_likelihood);
    let effects = fit.model.buying.iter().chain(&fit.model.leaving).map(|c| c.value);
    let found: Vec<f64> = fit.model.base.parameters().into_iter().map(|(_, v)| v).chain(effects).collect();
    let reference = [1.838967, 92.96296, 0.591304, 49.51308, 0.286135, 0.623930, -0.641868, 0.789759];
    let errors = [0.345766, 16.97926, 0.260265, 36.1434, 0.104139, 0.104942, 0.295500, 0.305781];
    for i in 0..8 {
        close(found[i], reference[i], 2e-5);
        close(fit.standard_errors[i].expect("bounded by the data"), errors[i], 1e-3);
    }
    // twice the gain in log-likelihood is χ² with 4 degrees of freedom if covariates say nothing: 99.9 % below 18.5
    let x: Vec<u32> = histories.iter().map(|h| h.x).collect();
    let t_x: Vec<f64> = histories.iter().map(|h| h.t_x).collect();
    let age: Vec<f64> = histories.iter().map(|h| h.age).collect();
    let plain = ParetoNbd::fit(&Grouped::new(&x, &t_x, &age).expect("valid"), &FitOptions::default()).expect("fits");
    assert!(2.0 * (fit.log_likelihood - plain.log_likelihood) > 18.5);
    // each customer's own model gives the likelihood
    let each = fit.model.of_each(both).expect("same columns");
    let sum: f64 = each.iter().zip(&histories).map(|(m, h)| m.log_likelihood(*h)).sum();
    assert!((sum - fit.log_likelihood).abs() < 1e-8);
}
