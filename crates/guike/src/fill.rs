//! From findings to the report's plain data.
//!
//! The one idea: [`crate::report`] knows how a page looks and nothing of models; this module knows what was found and
//! nothing of pages. Every number of the report is taken or summed here.

mod backtest;
mod cohorts;
mod drivers;
mod words;

use guike_core::{Day, Forecasts, RfmTable};
use guike_decide::rfm_groups::RfmCell as DecideCell;
use guike_decide::{Method as TierMethod, TierRule};
use guike_explain::Interval;
use guike_explain::rfm::RfmCell;
use guike_explain::totals::Period;

use crate::error::Error;
use crate::report::view::{
    Answer, AtRisk, Bilingual, DroppedRows, MappedColumn, Method, Part, Quality, Remark, ReportView, Rfm, RfmGroup,
    TierRow, Tiers, TopCustomer, Why,
};
use crate::run::{Findings, Language};
use crate::settings::Settings;

/// A good customer with a chance below this may be leaving.
const AT_RISK_BELOW: f64 = 0.5;
/// Customers in the table of the most valuable.
const TOP_CUSTOMERS: usize = 20;
/// Share of buyers whose spend counts as good: the upper quarter.
const GOOD_SHARE: f64 = 0.75;

/// The report's data.
///
/// # Errors
/// [`Error::Internal`] when the settings have no TOML form.
pub(crate) fn fill(f: &Findings, settings: &Settings, source: &str, language: Language) -> Result<ReportView, Error> {
    Ok(ReportView {
        lang: language.lang(),
        source: source.to_owned(),
        currency: f.log.currency().map(str::to_owned),
        cutoff: f.cutoff,
        horizon: f.horizon,
        level: 0.8,
        answer: answer(f),
        history: history(f),
        forecast: Vec::new(),
        tiers: tiers(f),
        expected_spend: f.forecasts.expected_spend.clone(),
        rfm: rfm(f),
        top_customers: top_customers(f),
        backtest: backtest::backtest(f),
        drivers: drivers::drivers(f, settings.forecast.seed),
        cohorts: cohorts::cohorts(&f.log, f.cutoff)?,
        quality: quality(f),
        method: method(f, settings)?,
    })
}

fn answer(f: &Findings) -> Answer {
    let r = &f.rfm;
    let total = &f.total;
    Answer {
        n_customers: r.len() as u64,
        expected_spend: Interval { mid: total.expected, lo: total.lower, hi: total.upper },
        expected_buyers: total.active,
        expected_orders: f.forecasts.expected_orders.iter().sum(),
        past_spend: (r.history_days >= r.window_days).then(|| r.window_spend.iter().sum()),
        n_bought_once: r.repeats.iter().filter(|&&x| x == 0).count() as u64,
        at_risk: at_risk(r, &f.forecasts),
    }
}

fn at_risk(r: &RfmTable, forecasts: &Forecasts) -> Option<AtRisk> {
    let mut spend = r.spend_total.clone();
    spend.sort_by(f64::total_cmp);
    let good = *spend.get((spend.len() as f64 * GOOD_SHARE) as usize)?;
    let who: Vec<usize> = (0..r.len())
        .filter(|&i| r.spend_total[i] >= good && r.repeats[i] > 0 && forecasts.p_active[i] < AT_RISK_BELOW)
        .collect();
    (!who.is_empty()).then(|| AtRisk {
        n_customers: who.len() as u64,
        past_spend: who.iter().map(|&i| r.window_spend[i]).sum(),
        expected_spend: who.iter().map(|&i| forecasts.expected_spend[i]).sum(),
        p_active_below: AT_RISK_BELOW,
    })
}

/// Spend per calendar month up to the cutoff.
fn history(f: &Findings) -> Vec<Period> {
    let Some((first, _)) = f.log.purchase_span() else { return Vec::new() };
    let last = f.cutoff.last_day();
    let mut periods: Vec<Period> = Vec::new();
    for (i, spend) in f.daily.spend.iter().enumerate() {
        let (year, month, day) = first.plus(i as i32).ymd();
        let label = format!("{year:04}-{month:02}");
        match periods.last_mut() {
            Some(p) if p.label == label => p.value += spend,
            // the first month is whole only when the log begins on its first day
            _ => periods.push(Period { label, value: *spend, complete: day == 1 }),
        }
    }
    if let Some(p) = periods.last_mut() {
        p.complete &= last.plus(1).ymd().2 == 1;
    }
    periods
}

fn tiers(f: &Findings) -> Part<Tiers> {
    let t = &f.tiers.tiering;
    if f.rfm.is_empty() {
        return Part::Missing(Why::TooFewCustomers { found: 0, needed: 1 });
    }
    let borders = match &t.rule {
        TierRule::Borders(_) => true,
        TierRule::Centers(_) | TierRule::Clouds(_) => false,
    };
    let mut orders = vec![0.0; t.names.len()];
    for (&tier, &n) in t.tiers.iter().zip(&f.forecasts.expected_orders) {
        orders[usize::from(tier)] += n;
    }
    let rows = t
        .analysis
        .iter()
        .zip(orders)
        .map(|(a, expected_orders)| TierRow {
            name: Bilingual::new(&a.name.en, &a.name.zh),
            n_customers: a.n as u64,
            expected_spend: a.value_total,
            expected_orders,
            p_active: a.churn_risk.map_or(0.0, |r| 1.0 - r),
            from: if borders { a.value_range.map(|r| r.0) } else { None },
        })
        .collect();
    Part::Here(Tiers {
        rows,
        method: tier_method(&t.plan.method),
        silhouette: t.silhouette,
        stability: t.stability.as_ref().map(|s| s.agreement),
        migration: f
            .tiers
            .migration
            .as_ref()
            .map(|m| m.counts.iter().map(|row| row.iter().map(|&n| n as u64).collect()).collect()),
    })
}

fn tier_method(method: &TierMethod) -> Bilingual {
    match method {
        TierMethod::ValueShare { .. } => Bilingual::new(
            "Customers are ranked by expected spend; each of the upper tiers brings the same share of the value, and the \
             best percent always belongs to the top tier.",
            "客户按预期消费排序；前几个等级各自带来相同份额的价值，最优的百分之一始终属于最高等级。",
        ),
        TierMethod::Quantiles { .. } => {
            Bilingual::new("Customers are ranked and cut into shares of customers.", "客户排序后按人数比例划分。")
        }
        TierMethod::Thresholds { .. } => {
            Bilingual::new("Tiers begin at fixed values set by the shop.", "各等级从商家设定的固定数值开始。")
        }
        TierMethod::NaturalBreaks => Bilingual::new(
            "Tiers are cut where the values leave natural gaps (optimal one-dimensional clustering).",
            "在数值自然断开处划分等级（一维最优聚类）。",
        ),
        TierMethod::KMeans => Bilingual::new("Customers are grouped by k-means.", "客户按 k-means 聚类分组。"),
        TierMethod::Hierarchical { .. } => {
            Bilingual::new("Customers are grouped by hierarchical clustering.", "客户按层次聚类分组。")
        }
        TierMethod::Mixture { choose: false, .. } => Bilingual::new(
            "Each customer is in the cloud of a mixture of Gaussians that she most probably belongs to; clouds are ordered \
             by what their customers are worth.",
            "客户归入高斯混合模型中概率最高的一类，各类按客户价值高低排序。",
        ),
        TierMethod::Mixture { choose: true, .. } => Bilingual::new(
            "Each customer is in the cloud of a mixture of Gaussians that she most probably belongs to; clouds are ordered \
             by what their customers are worth, and there are as many as describe the customers best (Bayesian \
             information criterion).",
            "客户归入高斯混合模型中概率最高的一类，各类按客户价值高低排序；类别数取最能描述客户的数目（贝叶斯信息准则）。",
        ),
    }
}

fn rfm(f: &Findings) -> Part<Rfm> {
    const NEEDED: u64 = 25;
    let found = f.rfm.len() as u64;
    if found < NEEDED {
        return Part::Missing(Why::TooFewCustomers { found, needed: NEEDED });
    }
    let g = &f.tiers.rfm_groups;
    let cell = |c: &DecideCell| RfmCell { n_customers: c.n as u64, value: c.value_total };
    let cells = std::array::from_fn(|r| std::array::from_fn(|c| cell(&g.heat[r][c])));
    let groups = g
        .by_group
        .iter()
        .filter(|(_, cell)| cell.n > 0)
        .map(|(group, cell)| {
            let members = g.groups.iter().zip(&f.forecasts.p_active).filter(|(x, _)| *x == group);
            RfmGroup {
                name: Bilingual::new(group.en(), group.zh()),
                about: words::group(*group),
                n_customers: cell.n as u64,
                expected_spend: cell.value_total,
                p_active: members.map(|(_, p)| p).sum::<f64>() / cell.n as f64,
            }
        })
        .collect();
    Part::Here(Rfm { cells, groups })
}

/// The cases of the most valuable customers, best first.
fn by_value(f: &Findings, n: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..f.rfm.len()).collect();
    let spend = &f.forecasts.expected_spend;
    order.sort_by(|&a, &b| spend[b].total_cmp(&spend[a]).then(a.cmp(&b)));
    order.truncate(n);
    order
}

fn top_customers(f: &Findings) -> Vec<TopCustomer> {
    let spend = &f.forecasts.expected_spend;
    let order = by_value(f, TOP_CUSTOMERS);
    let (low, high) = (f.forecasts.spend.at(0.1), f.forecasts.spend.at(0.9));
    let at = |q: &Option<Vec<f64>>, i: usize| q.as_ref().map_or(f64::NAN, |v| v[i]);
    order
        .into_iter()
        .map(|i| {
            let since = (f.rfm.age_days[i] - f.rfm.recency_days[i]) as i32;
            TopCustomer {
                id: f.log.customer_ids()[f.rfm.customer_idx[i] as usize].clone(),
                tier: Some(usize::from(f.tiers.tiering.tiers[i])),
                expected_spend: Interval { mid: spend[i], lo: at(&low, i), hi: at(&high, i) },
                p_active: f.forecasts.p_active[i],
                n_purchase_days: u64::from(f.rfm.repeats[i]) + 1,
                past_spend: f.rfm.spend_total[i],
                last_purchase: f.cutoff.last_day().plus(-since).to_string(),
            }
        })
        .collect()
}

fn quality(f: &Findings) -> Quality {
    let q = &f.quality;
    let day = |d: Option<Day>| d.map_or_else(|| "–".to_owned(), |d| d.to_string());
    let example = |e: &guike_data::quality::Example| {
        let cell = match (&e.column, &e.value) {
            (Some(c), Some(v)) => format!(": {c} = {v}"),
            (Some(c), None) => format!(": {c}"),
            _ => String::new(),
        };
        let file = e.file.as_ref().map_or_else(String::new, |f| format!("{f} "));
        format!("{file}{}{cell}", e.row)
    };
    let mut notes: Vec<Remark> = Vec::new();
    let said = |warning: bool| move |t: &String| Remark { warning, text: words::note(t) };
    notes.extend(q.notes.iter().map(said(true)));
    notes.extend(f.notes.iter().map(said(false)));
    notes.extend(q.rules.iter().map(said(false)));
    Quality {
        n_read: q.rows_read,
        n_kept: q.rows_kept,
        dropped: q
            .dropped
            .iter()
            .map(|d| DroppedRows {
                reason: words::reason(d.reason),
                rows: d.rows,
                examples: d.examples.iter().map(example).collect(),
            })
            .collect(),
        first_day: day(q.first_day),
        last_day: day(q.last_day),
        n_customers: q.customers,
        n_purchase_days: f.daily.orders.iter().sum::<f64>() as u64,
        mapping: q
            .mapping
            .iter()
            .map(|m| MappedColumn {
                role: words::role(&m.role),
                column: m.column.clone(),
                how: words::note(&m.because),
            })
            .collect(),
        notes,
    }
}

fn method(f: &Findings, settings: &Settings) -> Result<Method, Error> {
    let calibration = &f.fitted.calibration;
    let mut facts = vec![
        (Bilingual::new("Model", "模型"), f.chosen.clone()),
        (Bilingual::new("Level correction of spend", "消费水平校正"), calibration.spend.reason.clone()),
        (Bilingual::new("Level correction of orders", "订单水平校正"), calibration.orders.reason.clone()),
    ];
    if let Some(h) = &f.holdout {
        let figure = |x: Option<f64>| x.map_or_else(|| "–".to_owned(), |v| format!("{v:.3}"));
        facts.push((
            Bilingual::new("Checked against the days after the cutoff", "与截止日之后的实际情况对照"),
            format!(
                "{} d: forecast / actual {}, Gini {}, AUC {}",
                h.days,
                figure(h.scores.bias),
                figure(h.scores.gini_norm),
                figure(h.scores.auc_p)
            ),
        ));
    }
    let parameters = f.fitted.model.card().parameters.iter();
    facts.extend(parameters.map(|(name, value)| (Bilingual::same(name), format!("{value:.6}"))));
    Ok(Method {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        seed: settings.forecast.seed.0,
        command: None,
        config: settings.to_toml()?,
        steps: words::steps(),
        facts,
    })
}
