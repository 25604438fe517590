//! Everything a run can be told, as plain data: the contents of `guike.toml`, overlaid by flags.

use std::path::{Path, PathBuf};

use guike_core::{Day, Horizon, Seed};
use guike_data::ImportOptions;
use guike_data::dates::DateFormat;
use guike_decide::{Method, TierPlan};
use guike_learn::value::HeadsConfig;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::learners;
use crate::tune::Values;

/// Fewer customers than this tell too little of how they differ to be called a sample.
const LEAST_LEARNED_FROM: usize = 1_000;

/// All settings; every field has a default that serves most shops.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// File of customer attributes, with the customer's column.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customers: Option<PathBuf>,
    /// Log of events that a server took since; they are put behind the order log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub events: Option<PathBuf>,
    /// Leave the cleaned log out of the results: then they cannot tell of one customer why, or what an event changes.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub without_log: bool,
    /// What to forecast and how.
    pub forecast: ForecastSettings,
    /// How to tier.
    pub tiers: TierPlan,
    /// How to read the log.
    pub data: ImportOptions,
}

/// What to forecast and how.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ForecastSettings {
    /// How far ahead; default 90 days, or half of a history shorter than 180 days.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub horizon: Option<Horizon>,
    /// Last day that is known; default the log's last day. Later rows only check the forecast.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cutoff: Option<Day>,
    /// `auto` or the name of one model.
    pub model: String,
    /// Correct the total by what the backtest showed: `auto` keeps a correction only when it helps there.
    pub level: LevelRule,
    /// How much work to spend on learning.
    pub budget: Budget,
    /// Most customers to learn from, at least 1,000: of a shop that has more, so many are drawn by the seed to compare
    /// candidates and to fit the chosen one, which then forecasts all.
    pub learn_from: usize,
    /// Root of all randomness.
    pub seed: Seed,
    /// Hyper-parameters of the learners that read features, where they are not their own: what `guike tune log` finds.
    #[serde(skip_serializing_if = "Values::is_empty")]
    pub heads: Values,
}

/// How much work to spend on learning, from order logs and from tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Budget {
    /// On logs probability models and baselines only; on tables linear models and boosting.
    Fast,
    /// On logs learners that read features too, blended with the probability models; on tables every learner that is not
    /// there for comparison only.
    #[default]
    Standard,
    /// The same with larger ensembles and smaller steps.
    Thorough,
}

impl Budget {
    /// How the learners learn; `None` where there are none.
    pub fn heads(self) -> Option<HeadsConfig> {
        match self {
            Budget::Fast => None,
            Budget::Standard => Some(HeadsConfig::default()),
            Budget::Thorough => Some(HeadsConfig {
                max_rounds: 1_000,
                learning_rate: 0.02,
                forest_trees: 400,
                forest_rows: 20_000,
                ..HeadsConfig::default()
            }),
        }
    }
}

/// Whether to correct the level of all forecasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LevelRule {
    /// When leaving anchors out shows that it helps.
    #[default]
    Auto,
    /// Never.
    Off,
}

impl Default for ForecastSettings {
    fn default() -> ForecastSettings {
        ForecastSettings {
            horizon: None,
            cutoff: None,
            model: AUTO.to_owned(),
            level: LevelRule::Auto,
            budget: Budget::default(),
            learn_from: 100_000,
            seed: Seed(1),
            heads: Values::new(),
        }
    }
}

/// Let the backtest choose the model.
pub const AUTO: &str = "auto";

impl Settings {
    /// The settings in this text of `guike.toml`; `path` names it in errors.
    ///
    /// # Errors
    /// [`Error::ConfigFile`] with the line, for a name or value that is not known.
    pub fn from_toml(text: &str, path: &Path) -> Result<Settings, Error> {
        toml::from_str(text).map_err(|e| Error::ConfigFile { path: path.to_owned(), reason: e.to_string() })
    }

    /// The text of `guike.toml` that says the same.
    ///
    /// # Errors
    /// [`Error::Internal`] when a setting has no TOML form, which is a mistake of ours.
    pub fn to_toml(&self) -> Result<String, Error> {
        toml::to_string(self).map_err(|e| Error::Internal(format!("the settings have no TOML form: {e}")))
    }

    /// Tiers by the method of this name, with its defaults unless it is the method in use.
    ///
    /// # Errors
    /// [`Error::Config`] with the names there are.
    ///
    /// ```
    /// use guike::Settings;
    /// let mut s = Settings::default();
    /// s.tier_by("mixture").unwrap();
    /// assert_eq!(s.tiers.method.name(), "mixture");
    /// assert!(s.tier_by("astrology").unwrap_err().to_string().contains("natural-breaks"));
    /// ```
    pub fn tier_by(&mut self, method: &str) -> Result<(), Error> {
        if self.tiers.method.name() != method {
            self.tiers.method = Method::named(method).ok_or_else(|| Error::Config {
                what: "--tier-method".to_owned(),
                value: method.to_owned(),
                rule: format!(
                    "it is one of {}; thresholds need their limits, which `guike.toml` gives under [tiers.method]",
                    Method::NAMES.join(", ")
                ),
            })?;
        }
        Ok(())
    }

    /// As many tiers, from 2 to 10, as the clouds of a mixture describe the customers by best.
    ///
    /// # Errors
    /// [`Error::Config`] when another method than the default is in use, which cannot find its number of tiers.
    pub fn find_number_of_tiers(&mut self) -> Result<(), Error> {
        if self.tiers.method == Method::default() {
            self.tier_by("mixture")?;
        }
        let Method::Mixture { choose, .. } = &mut self.tiers.method else {
            return Err(Error::Config {
                what: "--tiers".to_owned(),
                value: AUTO.to_owned(),
                rule: format!(
                    "`{}` cannot find its number of tiers; give a number, or --tier-method mixture",
                    self.tiers.method.name()
                ),
            });
        };
        *choose = true;
        self.tiers.tiers = *TierPlan::TIERS.end();
        Ok(())
    }

    /// Checks what the types cannot.
    ///
    /// # Errors
    /// [`Error::Config`] naming the setting, its value and the rule.
    pub fn validate(&self) -> Result<(), Error> {
        self.tiers.validate()?;
        crate::tune::check("forecast.heads", learners::HEADS, &self.forecast.heads)?;
        let most = self.forecast.learn_from;
        if most < LEAST_LEARNED_FROM {
            return Err(Error::Config {
                what: "--learn-from".to_owned(),
                value: most.to_string(),
                rule: format!("a forecast learns from how customers differ; take at least {LEAST_LEARNED_FROM}"),
            });
        }
        let model = &self.forecast.model;
        let known = learners::names();
        if model != AUTO && !known.contains(&model.as_str()) {
            let near = known
                .iter()
                .map(|k| (strsim::jaro_winkler(k, model), *k))
                .max_by(|a, b| a.0.total_cmp(&b.0))
                .filter(|(similarity, _)| *similarity > 0.7)
                .map_or_else(String::new, |(_, k)| format!("did you mean `{k}`? "));
            return Err(Error::Config {
                what: "--model".to_owned(),
                value: model.clone(),
                rule: format!(
                    "there is no such model; {near}`guike models` lists them, and `auto` lets the backtest choose"
                ),
            });
        }
        Ok(())
    }
}

/// The date format of this name.
///
/// # Errors
/// [`Error::Config`] with the names there are.
pub fn date_format(name: &str) -> Result<DateFormat, Error> {
    DateFormat::try_from(name.to_owned()).map_err(|_| Error::Config {
        what: "--date-format".to_owned(),
        value: name.to_owned(),
        rule: format!("it is one of {}", DateFormat::ALL.map(DateFormat::name).join(", ")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_say_the_same_after_a_trip_through_toml() {
        let mut s = Settings::default();
        s.forecast.horizon = "39w".parse().ok();
        s.forecast.seed = Seed(7);
        let text = s.to_toml().expect("printed");
        let back = Settings::from_toml(&text, Path::new("guike.toml")).expect("read");
        assert_eq!(back.to_toml().expect("printed"), text);
        assert!(text.contains("horizon = \"273d\""), "{text}");
    }

    #[test]
    fn an_unknown_setting_is_refused_with_its_line() {
        let e = Settings::from_toml("[forecast]\nhorison = \"90d\"\n", Path::new("guike.toml")).expect_err("refused");
        let text = e.to_string();
        assert!(text.contains("horison") && text.contains("line 2"), "{text}");
    }

    #[test]
    fn a_misspelt_model_is_answered_with_the_nearest() {
        let mut s = Settings::default();
        s.forecast.model = "pareto-nbd+gama-gama".to_owned();
        let text = s.validate().expect_err("refused").to_string();
        assert!(text.contains("did you mean `pareto-nbd+gamma-gamma`"), "{text}");
    }
}
