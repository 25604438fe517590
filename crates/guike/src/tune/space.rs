//! What may be tuned: names, ranges and scales of hyper-parameters, as each learner's entry declares them.
//!
//! A declared range is also the rule for values in a settings file: what cannot be drawn cannot be asked for.

use std::collections::BTreeMap;

use guike_core::Seed;
use rand::RngExt;
use strsim::jaro_winkler;

use crate::error::Error;

/// Values by the name of the hyper-parameter.
pub type Values = BTreeMap<String, f64>;

/// One hyper-parameter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Knob {
    /// Stable name, as in settings files.
    pub name: &'static str,
    /// Which values it takes.
    pub range: Range,
    /// What it does, in a line.
    pub meaning: &'static str,
}

/// Which values a hyper-parameter takes, and on which scale they are drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Range {
    /// Numbers whose logarithm is drawn evenly.
    Log(f64, f64),
    /// Numbers drawn evenly.
    Linear(f64, f64),
    /// Whole numbers whose logarithm is drawn evenly.
    Whole(u32, u32),
    /// One of these.
    Choice(&'static [f64]),
}

impl Range {
    /// The value at `u` in [0, 1), with three significant digits so that people can read and repeat it.
    pub fn at(&self, u: f64) -> f64 {
        let log = |lo: f64, hi: f64| (lo.ln() + u * (hi.ln() - lo.ln())).exp();
        match *self {
            Range::Log(lo, hi) => readable(log(lo, hi)).clamp(lo, hi),
            Range::Linear(lo, hi) => readable(lo + u * (hi - lo)).clamp(lo, hi),
            // half a step beyond both ends, so that the ends are as likely as their neighbours
            Range::Whole(lo, hi) => {
                log(f64::from(lo) - 0.499, f64::from(hi) + 0.499).round().clamp(f64::from(lo), f64::from(hi))
            }
            Range::Choice(of) => of[((u * of.len() as f64) as usize).min(of.len() - 1)],
        }
    }

    /// Whether a settings file may ask for this value.
    pub fn holds(&self, value: f64) -> bool {
        match *self {
            Range::Log(lo, hi) | Range::Linear(lo, hi) => (lo..=hi).contains(&value),
            Range::Whole(lo, hi) => (f64::from(lo)..=f64::from(hi)).contains(&value) && value.fract() == 0.0,
            Range::Choice(of) => of.contains(&value),
        }
    }

    /// In words: `0.005 to 0.2 (log)`.
    pub fn words(&self) -> String {
        match *self {
            Range::Log(lo, hi) => format!("{lo} to {hi} (log)"),
            Range::Linear(lo, hi) => format!("{lo} to {hi}"),
            Range::Whole(lo, hi) => format!("{lo} to {hi} (whole, log)"),
            Range::Choice(of) => {
                let of: Vec<String> = of.iter().map(f64::to_string).collect();
                format!("one of {}", of.join(", "))
            }
        }
    }
}

fn readable(x: f64) -> f64 {
    format!("{x:.2e}").parse().unwrap_or(x)
}

/// One value for every hyper-parameter, each from a stream of its own: adding one leaves the others' draws as they were.
pub(super) fn draw(space: &[Knob], seed: Seed) -> Values {
    space.iter().map(|k| (k.name.to_owned(), k.range.at(seed.derive(k.name).rng().random()))).collect()
}

/// Checks the values of a settings file.
///
/// # Errors
/// [`Error::Config`] with the name, its value and its range.
pub fn check(owner: &str, space: &[Knob], values: &Values) -> Result<(), Error> {
    for (name, &value) in values {
        let refuse =
            |rule: String| Err(Error::Config { what: format!("{owner}.{name}"), value: value.to_string(), rule });
        let Some(knob) = space.iter().find(|k| k.name == name) else {
            let near = space.iter().map(|k| (jaro_winkler(k.name, name), k.name)).max_by(|a, b| a.0.total_cmp(&b.0));
            let near = near.filter(|n| n.0 > 0.7).map_or_else(String::new, |n| format!("did you mean `{}`? ", n.1));
            let names: Vec<&str> = space.iter().map(|k| k.name).collect();
            let there =
                if names.is_empty() { "it has none".to_owned() } else { format!("there are {}", names.join(", ")) };
            return refuse(format!("there is no such setting; {near}{there}"));
        };
        if !knob.range.holds(value) {
            return refuse(format!("give {}", knob.range.words()));
        }
    }
    Ok(())
}

/// The values a settings file gives for one learner; the rest is the learner's own.
#[derive(Debug, Clone, Copy)]
pub struct Given<'a>(pub Option<&'a Values>);

impl Given<'_> {
    /// The number of this name.
    pub fn number(&self, name: &str, otherwise: f64) -> f64 {
        self.0.and_then(|v| v.get(name)).copied().unwrap_or(otherwise)
    }

    /// The whole number of this name.
    pub fn count(&self, name: &str, otherwise: usize) -> usize {
        self.0.and_then(|v| v.get(name)).map_or(otherwise, |v| v.round() as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RANGES: [Range; 4] =
        [Range::Log(1e-4, 10.0), Range::Linear(0.2, 1.0), Range::Whole(1, 64), Range::Choice(&[8.0, 16.0, 64.0])];

    #[test]
    fn every_drawn_value_may_be_asked_for_and_both_ends_are_reached() {
        for range in RANGES {
            let drawn: Vec<f64> = (0..1000).map(|i| range.at(f64::from(i) / 1000.0)).collect();
            assert!(drawn.iter().all(|&v| range.holds(v)), "{range:?}");
            assert!(drawn.windows(2).all(|w| w[0] <= w[1]), "{range:?}");
            assert!(!range.holds(drawn[0] - 0.3 * drawn[0].abs() - 1e-6) && !range.holds(f64::NAN));
        }
        assert_eq!((RANGES[2].at(0.0), RANGES[2].at(0.9999)), (1.0, 64.0));
    }

    #[test]
    fn a_log_scale_draws_as_often_below_its_geometric_middle_as_above() {
        let middle = (1e-4_f64 * 10.0).sqrt();
        assert!((RANGES[0].at(0.5) / middle - 1.0).abs() < 0.01);
    }

    #[test]
    fn wrong_names_and_values_are_answered_with_what_there_is() {
        let space = [Knob { name: "max_leaves", range: Range::Whole(3, 64), meaning: "" }];
        let say = |name: &str, v: f64| {
            check("learners.boosting", &space, &[(name.to_owned(), v)].into()).expect_err("refused").to_string()
        };
        assert_eq!(say("max_leaves", 2.5), "learners.boosting.max_leaves = `2.5`: give 3 to 64 (whole, log)");
        assert!(say("max_leafs", 8.0).contains("did you mean `max_leaves`"));
        assert!(check("x", &space, &[("max_leaves".to_owned(), 8.0)].into()).is_ok());
    }

    #[test]
    fn draws_follow_the_seed_and_the_name_alone() {
        let a = Knob { name: "a", range: RANGES[0], meaning: "" };
        let b = Knob { name: "b", range: RANGES[1], meaning: "" };
        assert_eq!(draw(&[a, b], Seed(3))["a"], draw(&[a], Seed(3))["a"]);
        assert_ne!(draw(&[a], Seed(3)), draw(&[a], Seed(4)));
    }
}
