//! The main job: from an order log to forecasts, tiers and a report, written whole or not at all.

use std::path::{Path, PathBuf};

use guike_btyd::learners::pairs;
use guike_core::{Cases, Cutoff, Day, EventLog, Forecasts, Horizon, Learner, Progress, RfmTable};
use guike_data::quality::EventsRead;
use guike_data::{Imported, LogFiles, PiecewiseLog, QualityReport, Reads, import_piecewise, read_customers};
use guike_eval::{Scores, Selection};
use guike_learn::value::HeadsConfig;
use guike_nn::deep::{self, DeepConfig};
use guike_store::Staged;
use serde::{Deserialize, Serialize};

use crate::backtest::{Backtest, Contenders, Known, View, backtest};
use crate::combination;
use crate::crowd::{Buyers, forecast_everybody, learned_from};
use crate::error::Error;
use crate::events;
use crate::forecast::{Final, calibrate, choose, fit_final};
use crate::learners;
use crate::output;
use crate::settings::{AUTO, Budget, LevelRule, Settings};
use crate::tier::{PreviousTiers, Tiers, tier};
use crate::value;

/// Tried in this order when there is no backtest to choose by, or the chosen model cannot be fitted to everything.
const FALLBACKS: [&str; 3] = [combination::NAME, "historical-rate", "zero"];
/// The default horizon, when the history is at least twice as long.
const DEFAULT_HORIZON_DAYS: u32 = 90;
/// Shortest stretch after the cutoff that is worth checking the forecast against.
const MIN_HOLDOUT_DAYS: u32 = 7;

/// Everything a run found out, before it is written.
#[derive(Debug)]
pub struct Findings {
    /// The cleaned log.
    pub log: PiecewiseLog,
    /// What was read, kept and dropped.
    pub quality: QualityReport,
    /// The moment of prediction.
    pub cutoff: Cutoff,
    /// How far ahead.
    pub horizon: Horizon,
    /// The customers forecast.
    pub rfm: RfmTable,
    /// Candidates at anchors inside the history.
    pub backtest: Backtest,
    /// Which candidate was chosen and why; `None` without a backtest or with `--model`.
    pub selection: Option<Selection>,
    /// Name of the model used.
    pub chosen: String,
    /// Why, in an English and a Chinese sentence.
    pub why: [String; 2],
    /// The model on all that is known, with its corrections.
    pub fitted: Final,
    /// Its forecasts.
    pub forecasts: Forecasts,
    /// The shop's expected total.
    pub total: Total,
    /// Who is who.
    pub tiers: Tiers,
    /// The forecast against what the log says happened after the cutoff, where it goes on.
    pub holdout: Option<Holdout>,
    /// Daily totals up to the cutoff.
    pub daily: DailyTotals,
    /// Things the reader should know.
    pub notes: Vec<String>,
}

/// The shop's totals per day, from the first purchase day to the cutoff.
#[derive(Debug, Clone, Default)]
pub struct DailyTotals {
    /// Purchase days of all customers.
    pub orders: Vec<f64>,
    /// Spend of all customers, in currency units.
    pub spend: Vec<f64>,
}

/// The shop's expected total spend.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Total {
    /// Sum of expected spend, in currency units.
    pub expected: f64,
    /// Lower end of the 80 % interval.
    pub lower: f64,
    /// Upper end of the 80 % interval.
    pub upper: f64,
    /// Expected number of customers who buy.
    pub active: f64,
}

/// How the forecast met what happened.
#[derive(Debug, Clone, Serialize)]
pub struct Holdout {
    /// Days compared: the horizon, or what the log has of it.
    pub days: u32,
    /// All metrics.
    pub scores: Scores,
}

/// What to tell the person who ran it.
#[derive(Debug, Clone, Serialize)]
pub struct RunSummary {
    /// Where the results are.
    pub out: PathBuf,
    /// Rows read and kept.
    pub rows: [u64; 2],
    /// Customers forecast.
    pub customers: usize,
    /// Last known day.
    pub cutoff: Cutoff,
    /// How far ahead.
    pub horizon: Horizon,
    /// The model used.
    pub model: String,
    /// Why.
    pub why: String,
    /// The shop's expected total.
    pub total: Total,
    /// Currency, where the log names one.
    pub currency: Option<String>,
    /// Name, customers and share of value of every tier, best first.
    pub tiers: Vec<(String, usize, f64)>,
    /// The check against what happened after the cutoff, where there was one.
    pub holdout: Option<Holdout>,
    /// Things the reader should know.
    pub notes: Vec<String>,
}

/// Language the report opens in; both are in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Language {
    /// English.
    #[default]
    English,
    /// Chinese.
    Chinese,
}

impl Language {
    /// The same for pictures and pages.
    pub(crate) fn lang(self) -> guike_explain::Lang {
        match self {
            Language::English => guike_explain::Lang::En,
            Language::Chinese => guike_explain::Lang::Zh,
        }
    }
}

/// Reads the log in these files, forecasts and tiers every customer, and writes all results into the folder `out`.
///
/// # Errors
/// [`Error`]; the folder `out` is then as it was before.
pub fn run(
    log: &LogFiles,
    out: &Path,
    previous_tiers: Option<&Path>,
    settings: &Settings,
    language: Language,
    progress: &dyn Progress,
) -> Result<RunSummary, Error> {
    settings.validate()?;
    // staging first: a destination that cannot be written should not cost a whole run
    let staged = Staged::begin(out)?;
    progress.stage("reading", 0);
    let imported = read_piecewise(log, settings, progress)?;
    let previous = previous_tiers.map(PreviousTiers::read).transpose()?;
    let findings = find_out(imported, previous.as_ref(), settings, progress)?;
    output::write(&staged, &findings, settings, log, language, progress)?;
    progress.check()?;
    staged.list()?;
    staged.commit()?;
    Ok(summary(out, &findings))
}

/// Reads and cleans the log, and joins the events and the customers' attributes where the settings name files of them.
pub(crate) fn read(log: &LogFiles, settings: &Settings, progress: &dyn Progress) -> Result<Imported, Error> {
    Ok(read_piecewise(log, settings, progress)?.whole()?)
}

/// The same of a log that need not fit in memory; with events it has to.
pub(crate) fn read_piecewise(
    log: &LogFiles,
    settings: &Settings,
    progress: &dyn Progress,
) -> Result<Imported<PiecewiseLog>, Error> {
    // the log that another run kept is held against that run's list
    log.iter().try_for_each(|file| guike_store::check_listed(file.at()))?;
    let Imported { mut log, mut quality } = import_piecewise(log, &settings.data, progress)?;
    if let Some(path) = &settings.events {
        log = with_events(log.whole()?, path, &mut quality)?.into();
    }
    let Some(path) = &settings.customers else { return Ok(Imported { log, quality }) };
    let customers = read_customers(path, &settings.data.read, log.customer_ids(), progress)?;
    quality.notes.push(format!(
        "{} of {} customers have attributes; {} rows of the attributes file were not used",
        customers.matched,
        log.n_customers(),
        customers.unused
    ));
    quality.notes.extend(customers.notes);
    Ok(Imported { log: log.with_attributes(customers.attributes), quality })
}

/// The log with the events of a server behind it, and the report that says so.
fn with_events(log: EventLog, path: &Path, quality: &mut QualityReport) -> Result<EventLog, Error> {
    let events = events::read(path)?;
    let before = log.n_customers();
    let log = events::joined(log, &events)?;
    let days = events.iter().map(|e| e.time.day());
    quality.first_day = quality.first_day.into_iter().chain(days.clone()).min();
    quality.last_day = quality.last_day.into_iter().chain(days).max();
    quality.customers += (log.n_customers() - before) as u64;
    quality.events = Some(EventsRead { events: events.len() as u64, digest: events::digest(&events) });
    quality.notes.push(format!(
        "{} events that a server took were put behind the log; {} customers are new",
        events.len(),
        log.n_customers() - before
    ));
    Ok(log)
}

/// What a run compares: all, or the one that was named beside the baselines.
///
/// # Errors
/// [`Error::Internal`] when a name passed validation and is not there.
pub fn contenders(settings: &Settings) -> Result<Contenders, Error> {
    let name = settings.forecast.model.as_str();
    // baselines stay beside a named model: a report without them says little
    let mut networks = learners::foundation();
    // training networks at every anchor takes minutes, and on most shops they add nothing: they are for whoever has time
    if settings.forecast.budget == Budget::Thorough || deep::NAMES.contains(&name) {
        networks.extend(learners::deep(DeepConfig::default()));
    }
    let mut all =
        Contenders { baselines: learners::baselines(), pairs: pairs(), deep: networks, heads: heads(settings) };
    if name == AUTO || name == combination::NAME || learners::reads_features(name) {
        return Ok(all);
    }
    all.pairs.retain(|p| p.name() == name);
    all.deep.retain(|l| l.name() == name);
    if all.pairs.is_empty() && all.deep.is_empty() && !all.baselines.iter().any(|l| l.name() == name) {
        return Err(Error::Internal(format!("there is no learner `{name}`")));
    }
    Ok(all)
}

/// How the learners that read features learn; `None` where they are not wanted.
pub(crate) fn heads(settings: &Settings) -> Option<HeadsConfig> {
    let name = settings.forecast.model.as_str();
    let heads = match settings.forecast.budget.heads() {
        // a model that was named is fitted whatever the budget
        None if learners::reads_features(name) => Some(HeadsConfig::default()),
        heads if name == AUTO || learners::reads_features(name) => heads,
        _ => None,
    };
    heads.map(|base| learners::heads_with(base, &settings.forecast.heads))
}

/// When to stand and how far to look, from the settings and the log's first and last day with a purchase.
///
/// # Errors
/// [`Error::NoAnswer`] for a log without purchases, [`Error::Config`] for a cutoff before the first one.
pub fn cutoff_and_horizon(purchases: Option<(Day, Day)>, settings: &Settings) -> Result<(Cutoff, Horizon), Error> {
    let Some((first, last)) = purchases else {
        return Err(Error::NoAnswer(
            "the log has no purchase left after cleaning, so there is nothing to forecast from; see why rows were dropped \
             with `guike profile`"
                .to_owned(),
        ));
    };
    let cutoff = Cutoff::after(settings.forecast.cutoff.unwrap_or(last));
    if cutoff.last_day() < first {
        return Err(Error::Config {
            what: "--cutoff".to_owned(),
            value: cutoff.to_string(),
            rule: format!("the first purchase is on {first}; choose a day from then on, up to {last}"),
        });
    }
    let history = (cutoff.last_day().0 - first.0 + 1) as u32;
    let default = if history >= 2 * DEFAULT_HORIZON_DAYS { DEFAULT_HORIZON_DAYS } else { (history / 2).max(7) };
    let horizon = match settings.forecast.horizon {
        Some(h) => h,
        None => {
            Horizon::from_days(default).ok_or_else(|| Error::Internal(format!("{default} days is not a horizon")))?
        }
    };
    Ok((cutoff, horizon))
}

/// Whether there is anything to learn from at all.
///
/// # Errors
/// [`Error::NoAnswer`] with a single customer or a single day: what one customer does says nothing about another, and
/// nobody has had a day to come back on.
pub(crate) fn enough_to_learn(purchases: Option<(Day, Day)>, buyers: &Buyers, cutoff: Cutoff) -> Result<(), Error> {
    if buyers.customers.len() < 2 {
        return Err(Error::NoAnswer(format!(
            "the log has {} customer with a purchase by {cutoff}, and a forecast learns from how customers differ; give a log \
             with at least 2 customers, better 100",
            buyers.customers.len()
        )));
    }
    match purchases {
        Some((first, last)) if first == last || first == cutoff.last_day() => Err(Error::NoAnswer(format!(
            "all purchases up to the cutoff are on one day ({first}), so nobody has had a chance to buy again; give a log over \
             several weeks, and check --time and --date-format if it has more days than that"
        ))),
        _ => Ok(()),
    }
}

/// Everything between reading and writing: a pure function of log and settings.
///
/// # Errors
/// [`Error`].
pub fn find_out(
    imported: Imported<PiecewiseLog>,
    previous: Option<&PreviousTiers>,
    settings: &Settings,
    progress: &dyn Progress,
) -> Result<Findings, Error> {
    let Imported { mut log, quality } = imported;
    let seed = settings.forecast.seed;
    let purchases = log.purchase_span();
    let (cutoff, horizon) = cutoff_and_horizon(purchases, settings)?;
    progress.stage("looking for customers to learn from", 0);
    let buyers = Buyers::of(&log, cutoff)?;
    enough_to_learn(purchases, &buyers, cutoff)?;
    let mut notes = Vec::new();
    let few = learned_from(&log, &buyers, settings.forecast.learn_from, seed)?;
    drop(buyers);
    if few.is_none() {
        // all are learned from: the rows of so few customers, however many, are needed at once
        log = log.whole()?.into();
    }
    let learned_from = few.as_ref().or(log.in_memory()).expect("either some are learned from, or all are in memory");
    if few.is_some() {
        notes.push(format!(
            "candidates were compared and fitted on {} customers, drawn by the seed (--learn-from); all customers are \
             forecast",
            learned_from.n_customers()
        ));
    }
    let mut backtest = backtest(learned_from, cutoff, horizon, &contenders(settings)?, seed, progress)?;
    notes.extend(backtest.plan.notes.iter().cloned());
    let selection = choose(&backtest, seed)?;
    let (wanted, mut why) = decide(settings, selection.as_ref());
    progress.stage("fitting", 0);
    let view = if learners::reads_features(&wanted) { View::Features } else { View::Summaries };
    let known = Known::at(learned_from, cutoff, horizon, view, seed);
    let daily = daily_totals(&log, cutoff)?;
    let (chosen, fitted, forecasts) = fit_or_fall_back(&wanted, &backtest, &known, settings, &mut notes, progress)?;
    if chosen != wanted {
        why = [
            format!("`{wanted}` was chosen and could not be fitted to the whole history, so `{chosen}` is used"),
            format!("选定的 {wanted} 无法在全部历史上拟合，因此改用 {chosen}"),
        ];
    }
    backtest.keep_only(&chosen);
    progress.check()?;
    notes.extend(fitted.notes.iter().map(|n| n.0.clone()));
    let holdout = holdout(learned_from, &known, &forecasts, &fitted)?;
    let (rfm, forecasts) = match &few {
        None => (known.rfm, forecasts),
        Some(_) => forecast_everybody(&log, cutoff, horizon, &fitted, progress)?,
    };
    let total = total(&forecasts, &fitted);
    progress.stage("tiering", 0);
    let tiers = tier(&log, cutoff, horizon, &rfm, &forecasts, previous, settings)?;
    notes.extend(tiers.tiering.notes.iter().cloned());
    Ok(Findings {
        quality,
        cutoff,
        horizon,
        rfm,
        backtest,
        selection,
        chosen,
        why,
        fitted,
        forecasts,
        total,
        tiers,
        holdout,
        daily,
        notes,
        log,
    })
}

/// The model to use and why, in English and Chinese.
fn decide(settings: &Settings, selection: Option<&Selection>) -> (String, [String; 2]) {
    let name = &settings.forecast.model;
    if name != AUTO {
        let why = [
            format!("`{name}` was asked for with --model; the backtest below shows how it compares"),
            format!("按 --model 指定使用 {name}；下面的回测显示它与其他模型的比较"),
        ];
        return (name.clone(), why);
    }
    match selection {
        Some(s) => (s.selected.clone(), [s.text_en.clone(), s.text_zh.clone()]),
        None => (
            FALLBACKS[0].to_owned(),
            [
                "the history is too short to test candidates, so the average of the probability models is used"
                    .to_owned(),
                "历史太短，无法回测候选模型，因此采用各概率模型的平均".to_owned(),
            ],
        ),
    }
}

fn fit_or_fall_back(
    wanted: &str,
    backtest: &Backtest,
    known: &Known,
    settings: &Settings,
    notes: &mut Vec<String>,
    progress: &dyn Progress,
) -> Result<(String, Final, Forecasts), Error> {
    let level = settings.forecast.level == LevelRule::Auto;
    let mut names = vec![wanted];
    if settings.forecast.model == AUTO {
        names.extend(FALLBACKS.iter().filter(|f| **f != wanted));
    }
    let mut first_error = None;
    for name in names {
        let at_anchors = backtest.candidate(name).and_then(|c| c.forecasts.as_deref().ok()).unwrap_or(&[]);
        let calibration = calibrate(backtest, at_anchors, level)?;
        let learner = final_learner(name, backtest, settings)?;
        match fit_final(learner.as_ref(), known, calibration, settings.forecast.seed, progress) {
            Ok((fitted, forecasts)) => return Ok((name.to_owned(), fitted, forecasts)),
            Err(Error::Interrupted) => return Err(Error::Interrupted),
            Err(e) => {
                notes.push(format!("{name} could not be used: {e}"));
                first_error.get_or_insert(e);
            }
        }
    }
    Err(first_error.unwrap_or_else(|| Error::Internal("no model was tried".to_owned())))
}

/// The learner of this name, the blend with the weights that the backtest found.
fn final_learner(name: &str, backtest: &Backtest, settings: &Settings) -> Result<Box<dyn Learner>, Error> {
    let config = heads(settings).unwrap_or_default();
    if name == value::BLEND {
        let weights = backtest.weights.clone().unwrap_or_else(value::starting_weights);
        return Ok(learners::blend(weights, config));
    }
    learners::member(name, config)
        .or_else(|| learners::named(name))
        .ok_or_else(|| Error::Internal(format!("there is no learner `{name}`")))
}

/// Totals per day from the first purchase day to the cutoff.
fn daily_totals(log: &PiecewiseLog, cutoff: Cutoff) -> Result<DailyTotals, Error> {
    let Some((first, _)) = log.purchase_span() else { return Ok(DailyTotals::default()) };
    let days = (cutoff.last_day().0 - first.0 + 1).max(0) as usize;
    let of_piece = |_, log: &EventLog| {
        let (mut orders, mut micros) = (vec![0_u64; days], vec![0_i128; days]);
        for customer in 0..log.n_customers() {
            for d in guike_features::purchase_days(log.before(cutoff).customer(customer)) {
                let i = (d.day - first.0) as usize;
                orders[i] += 1;
                micros[i] += d.micros;
            }
        }
        Ok::<_, Error>((orders, micros))
    };
    let (mut orders, mut micros) = (vec![0_u64; days], vec![0_i128; days]);
    log.fold(Reads::Purchases, of_piece, |(n, spend)| {
        orders.iter_mut().zip(n).for_each(|(all, n)| *all += n);
        micros.iter_mut().zip(spend).for_each(|(all, spend)| *all += spend);
        Ok(())
    })?;
    Ok(DailyTotals {
        orders: orders.into_iter().map(|n| n as f64).collect(),
        spend: micros.into_iter().map(guike_core::Money::sum_units).collect(),
    })
}

/// The total and its 80 % interval.
///
/// Two things make a total uncertain: customers' own luck, which nearly cancels over many customers, and the level, which
/// does not. The first comes from the quantiles (a tenth to nine tenths span 2.563 standard deviations); the second from how
/// far totals missed at inner anchors. Mean absolute errors become standard deviations by √(π/2).
fn total(forecasts: &Forecasts, fitted: &Final) -> Total {
    const Z80: f64 = 1.281_551_565_544_6;
    let expected: f64 = forecasts.expected_spend.iter().sum();
    let own: f64 = match (forecasts.spend.at(0.1), forecasts.spend.at(0.9)) {
        (Some(lo), Some(hi)) => lo.iter().zip(&hi).map(|(l, h)| ((h - l) / (2.0 * Z80)).powi(2)).sum(),
        _ => 0.0,
    };
    let level = &fitted.calibration.spend;
    let missed = if level.kept { level.error_after } else { level.error_before };
    // one window is weak evidence: totals of the same shop differ by a tenth from window to window; and without a backtest
    // totals of shops with so little history have missed by some 30 %
    let missed = if fitted.calibration.intervals.is_some() {
        (missed * (std::f64::consts::PI / 2.0).sqrt()).max(0.1)
    } else {
        0.3
    };
    let sd = if expected > 0.0 { (own.sqrt() / expected).hypot(missed) } else { 0.0 };
    Total {
        expected,
        lower: expected * (-Z80 * sd).exp(),
        upper: expected * (Z80 * sd).exp(),
        active: forecasts.p_active.iter().sum(),
    }
}

fn holdout(log: &EventLog, known: &Known, at_horizon: &Forecasts, fitted: &Final) -> Result<Option<Holdout>, Error> {
    let (cutoff, horizon) = (known.cutoff, known.horizon);
    let last = log.all().time.iter().max().map_or(cutoff.last_day(), |&t| guike_core::Timestamp(t).day());
    let days = (last.0 - cutoff.last_day().0).clamp(0, horizon.days() as i32) as u32;
    let Some(window) = Horizon::from_days(days).filter(|_| days >= MIN_HOLDOUT_DAYS.min(horizon.days())) else {
        return Ok(None);
    };
    let shorter = match window == horizon {
        true => None,
        false => Some(fitted.forecast(&Cases { horizon: window, ..known.cases() })?),
    };
    let labels = guike_features::labels(&log.after(cutoff, window), &known.rfm.customer_idx);
    if labels.spend.iter().all(|&s| s == 0.0) {
        return Ok(None);
    }
    let scores = Scores::of_forecasts(&(&labels).into(), shorter.as_ref().unwrap_or(at_horizon));
    Ok(Some(Holdout { days, scores }))
}

fn summary(out: &Path, f: &Findings) -> RunSummary {
    RunSummary {
        out: out.to_owned(),
        rows: [f.quality.rows_read, f.quality.rows_kept],
        customers: f.rfm.len(),
        cutoff: f.cutoff,
        horizon: f.horizon,
        model: f.chosen.clone(),
        why: f.why[0].clone(),
        total: f.total,
        currency: f.log.currency().map(str::to_owned),
        tiers: f.tiers.tiering.analysis.iter().map(|t| (t.name.en.clone(), t.n, t.share_value)).collect(),
        holdout: f.holdout.clone(),
        notes: f.notes.clone(),
    }
}
