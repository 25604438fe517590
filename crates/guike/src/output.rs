//! The files of a run: what stands in each of them, in which column.
//!
//! `docs/files.md` describes them for readers; this is the only place that names them.

use std::ops::Range;

use guike_core::Progress;
use guike_data::{LogFiles, write_piecewise};
use guike_eval::{AnchorPlan, Selection};
use guike_learn::baseline::RfmQuintiles;
use guike_store::{OutColumn, OutData, Staged, TableFile, write_artifact};
use serde::Serialize;

use crate::board::Board;
use crate::error::Error;
use crate::fill::fill;
use crate::forecast::Calibration;
use crate::report;
use crate::run::{Findings, Holdout, Language, Total};
use crate::settings::Settings;

/// File names within the folder of a run.
pub mod names {
    /// One row per customer.
    pub const FORECASTS_CSV: &str = "forecasts.csv";
    /// The same with all bits.
    pub const FORECASTS_PARQUET: &str = "forecasts.parquet";
    /// Tier, scores and group per customer.
    pub const TIERS_CSV: &str = "tiers.csv";
    /// What was read, kept and dropped.
    pub const QUALITY_JSON: &str = "quality.json";
    /// Backtest of every candidate.
    pub const EVALUATION_JSON: &str = "evaluation.json";
    /// Each tier's rule and worth.
    pub const TIERS_JSON: &str = "tiers.json";
    /// What the shop looks like as a whole, for the pages of `guike serve`.
    pub const DASHBOARD_JSON: &str = "dashboard.json";
    /// The page for people.
    pub const REPORT_HTML: &str = "report.html";
    /// The fitted model.
    pub const MODEL_JSON: &str = "model/model.json";
    /// The corrections that belong to it.
    pub const CALIBRATION_JSON: &str = "model/calibration.json";
    /// The cleaned log, as `guike import` writes it.
    pub const LOG_PARQUET: &str = "log.parquet";
    /// The settings of the run.
    pub const SETTINGS_TOML: &str = "guike.toml";
}

/// Customers whose rows are made together: the texts of all at once would be as large as the log.
const PIECE: usize = 1 << 16;

/// What `evaluation.json` holds.
#[derive(Serialize)]
struct Evaluation<'a> {
    guike: &'static str,
    cutoff: String,
    horizon_days: u32,
    chosen: &'a str,
    why: &'a str,
    anchors: &'a AnchorPlan,
    selection: Option<&'a Selection>,
    calibration: &'a Calibration,
    total: Total,
    holdout: Option<&'a Holdout>,
    notes: &'a [String],
}

/// Writes everything into the staging folder.
///
/// # Errors
/// [`Error::Store`], or [`Error::Internal`] when something of ours cannot be encoded.
pub(crate) fn write(
    staged: &Staged,
    findings: &Findings,
    settings: &Settings,
    log: &LogFiles,
    language: Language,
    progress: &dyn Progress,
) -> Result<(), Error> {
    progress.stage("write forecasts and tiers", 2 * findings.rfm.len() as u64);
    write_forecasts(staged, findings, progress)?;
    write_tiers(staged, findings, progress)?;
    let f = findings;
    json(staged, names::QUALITY_JSON, &f.quality)?;
    json(staged, names::TIERS_JSON, &TiersFile::of(f))?;
    let evaluation = Evaluation {
        guike: env!("CARGO_PKG_VERSION"),
        cutoff: f.cutoff.to_string(),
        horizon_days: f.horizon.days(),
        chosen: &f.chosen,
        why: &f.why[0],
        anchors: &f.backtest.plan,
        selection: f.selection.as_ref(),
        calibration: &f.fitted.calibration,
        total: f.total,
        holdout: f.holdout.as_ref(),
        notes: &f.notes,
    };
    json(staged, names::EVALUATION_JSON, &evaluation)?;
    write_artifact(staged, names::MODEL_JSON, &f.fitted.model.save())?;
    json(staged, names::CALIBRATION_JSON, &f.fitted.calibration)?;
    staged.write(names::SETTINGS_TOML, settings.to_toml()?)?;
    if !settings.without_log {
        write_piecewise(&f.log, &f.quality, &staged.path(names::LOG_PARQUET)?, progress)?;
    }
    progress.stage("write the report", 0);
    let view = fill(f, settings, &log.title(), language)?;
    let page = report::render(&view).map_err(|e| Error::Internal(e.to_string()))?;
    staged.write(names::REPORT_HTML, page)?;
    json(staged, names::DASHBOARD_JSON, &Board::of(view).with(f)?)?;
    Ok(())
}

/// The rule and worth of every tier, without the customers.
#[derive(Serialize)]
struct TiersFile<'a> {
    plan: &'a guike_decide::TierPlan,
    rule: &'a guike_decide::TierRule,
    tiers: &'a [guike_decide::TierAnalysis],
    silhouette: Option<f64>,
    stability: &'a Option<guike_decide::stability::Stability>,
    held_by_margin: usize,
    migration: &'a Option<guike_decide::Migration>,
    rfm_borders: &'a RfmQuintiles,
    notes: &'a [String],
}

impl<'a> TiersFile<'a> {
    fn of(f: &'a Findings) -> TiersFile<'a> {
        let t = &f.tiers.tiering;
        TiersFile {
            plan: &t.plan,
            rule: &t.rule,
            tiers: &t.analysis,
            silhouette: t.silhouette,
            stability: &t.stability,
            held_by_margin: t.held_by_margin,
            migration: &f.tiers.migration,
            rfm_borders: &f.tiers.rfm_groups.quintiles,
            notes: &t.notes,
        }
    }
}

fn json(staged: &Staged, name: &str, value: &impl Serialize) -> Result<(), Error> {
    let text =
        serde_json::to_string_pretty(value).map_err(|e| Error::Internal(format!("`{name}` has no JSON form: {e}")))?;
    Ok(staged.write(name, text + "\n")?)
}

/// Ids of these cases.
fn ids(f: &Findings, cases: Range<usize>) -> Vec<String> {
    f.rfm.customer_idx[cases].iter().map(|&c| f.log.customer_ids()[c as usize].clone()).collect()
}

/// All cases in pieces, and one piece of nobody where there is none: a table without rows still has its columns.
fn pieces(f: &Findings) -> impl Iterator<Item = Range<usize>> {
    let n = f.rfm.len();
    (0..n.max(1)).step_by(PIECE).map(move |from| from..(from + PIECE).min(n))
}

/// Calls `use_it` with the columns of a forecast table of these cases; `tier` is left out where there is none.
pub(crate) fn with_forecast_columns<T>(
    ids: &[String],
    forecasts: &guike_core::Forecasts,
    cases: Range<usize>,
    tier: Option<&[String]>,
    use_it: impl FnOnce(&[OutColumn<'_>]) -> T,
) -> Result<T, Error> {
    let levels = &forecasts.spend.levels;
    let quantile = |level: f64| {
        let at = levels.iter().position(|&l| (l - level).abs() < 1e-9);
        let at = at.ok_or_else(|| Error::Internal(format!("forecasts lack the quantile {level}")))?;
        Ok::<Vec<f64>, Error>(cases.clone().map(|case| forecasts.spend.row(case)[at]).collect())
    };
    let quantiles = [
        ("median_spend", quantile(0.5)?),
        ("spend_p05", quantile(0.05)?),
        ("spend_p10", quantile(0.1)?),
        ("spend_p90", quantile(0.9)?),
        ("spend_p95", quantile(0.95)?),
    ];
    let number = |name, values| OutColumn { name, data: OutData::Number(values) };
    let mut columns = vec![
        OutColumn { name: "customer_id", data: OutData::Text(ids) },
        number("expected_orders", &forecasts.expected_orders[cases.clone()]),
        number("expected_spend", &forecasts.expected_spend[cases.clone()]),
    ];
    columns.extend(quantiles.iter().map(|(name, values)| number(name, values)));
    columns.push(number("p_active", &forecasts.p_active[cases.clone()]));
    columns.push(number("next_order_days", &forecasts.next_order_days[cases]));
    columns.extend(tier.map(|t| OutColumn { name: "tier", data: OutData::Text(t) }));
    Ok(use_it(&columns))
}

fn tier_keys(f: &Findings, cases: Range<usize>) -> Vec<String> {
    let t = &f.tiers.tiering;
    t.tiers[cases].iter().map(|&i| t.names[usize::from(i)].key.clone()).collect()
}

fn write_forecasts(staged: &Staged, f: &Findings, progress: &dyn Progress) -> Result<(), Error> {
    let mut csv = TableFile::csv(&staged.path(names::FORECASTS_CSV)?)?;
    let mut parquet = TableFile::parquet(&staged.path(names::FORECASTS_PARQUET)?)?;
    for cases in pieces(f) {
        let (ids, tiers) = (ids(f, cases.clone()), tier_keys(f, cases.clone()));
        let n = cases.len() as u64;
        with_forecast_columns(&ids, &f.forecasts, cases, Some(&tiers), |columns| {
            csv.append(columns)?;
            parquet.append(columns)
        })??;
        progress.check()?;
        progress.advance(n);
    }
    csv.finish()?;
    Ok(parquet.finish()?)
}

fn write_tiers(staged: &Staged, f: &Findings, progress: &dyn Progress) -> Result<(), Error> {
    let mut csv = TableFile::csv(&staged.path(names::TIERS_CSV)?)?;
    for cases in pieces(f) {
        append_tiers(&mut csv, f, cases.clone())?;
        progress.check()?;
        progress.advance(cases.len() as u64);
    }
    Ok(csv.finish()?)
}

fn append_tiers(csv: &mut TableFile, f: &Findings, cases: Range<usize>) -> Result<(), Error> {
    let t = &f.tiers.tiering;
    let (scores, groups) = (&f.tiers.rfm_groups.scores[cases.clone()], &f.tiers.rfm_groups.groups[cases.clone()]);
    let zh: Vec<String> = t.tiers[cases.clone()].iter().map(|&i| t.names[usize::from(i)].zh.clone()).collect();
    let scores: Vec<String> = scores.iter().map(|[r, q, m]| format!("{r}{q}{m}")).collect();
    let group: Vec<String> = groups.iter().map(|g| g.key().to_owned()).collect();
    let group_zh: Vec<String> = groups.iter().map(|g| g.zh().to_owned()).collect();
    let recency: Vec<f64> = cases.clone().map(|i| f.rfm.age_days[i] - f.rfm.recency_days[i]).collect();
    let frequency: Vec<i64> = f.rfm.repeats[cases.clone()].iter().map(|&x| i64::from(x) + 1).collect();
    Ok(csv.append(&[
        OutColumn { name: "customer_id", data: OutData::Text(&ids(f, cases.clone())) },
        OutColumn { name: "tier", data: OutData::Text(&tier_keys(f, cases.clone())) },
        OutColumn { name: "tier_zh", data: OutData::Text(&zh) },
        OutColumn { name: "expected_spend", data: OutData::Number(&f.forecasts.expected_spend[cases.clone()]) },
        OutColumn { name: "p_active", data: OutData::Number(&f.forecasts.p_active[cases.clone()]) },
        OutColumn { name: "days_since_last_order", data: OutData::Number(&recency) },
        OutColumn { name: "purchase_days", data: OutData::Integer(&frequency) },
        OutColumn { name: "spend_so_far", data: OutData::Number(&f.rfm.spend_total[cases]) },
        OutColumn { name: "rfm_score", data: OutData::Text(&scores) },
        OutColumn { name: "rfm_group", data: OutData::Text(&group) },
        OutColumn { name: "rfm_group_zh", data: OutData::Text(&group_zh) },
    ])?)
}
