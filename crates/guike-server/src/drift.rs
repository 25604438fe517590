//! `GET /v1/drift`: how the shop's customers have moved between two runs that a workspace keeps.
//!
//! The one idea: files of a run never change, so what two of them say is found once and kept. It takes seconds for a million
//! customers; a thread of its own does it when a run begins to be served, so that hardly anybody waits for it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use guike::Error;
use guike::drift::{Drift, Facts, LARGE, NOTICEABLE, Shares, Snapshot};
use guike::workspace::Version;

use crate::app::{Answer, App, Call, internal};
use crate::batch::Answering;
use crate::kept::kept;
use crate::problem::{Code, Problem};
use crate::query::Query;
use crate::served::Served;
use crate::shape::shaped;

/// Runs of the history: each is compared with the one before it.
pub(crate) const LATEST: usize = 9;
/// Comparisons that are kept; more than pages ask for of one name.
const KEPT: usize = 64;

shaped! {
    /// How the shop's customers have moved between two runs.
    DriftView {
        /// The run that is looked at.
        run: DriftRun,
        /// The run that it is compared with.
        against: DriftRun,
        /// From which population stability index on a change is commonly called noticeable, and large: a convention.
        thresholds: Vec<f64>,
        /// What could be compared; forecasts only where both runs look equally far ahead.
        measures: Vec<MeasureView>,
        /// Customers by tier.
        tiers: SharesView,
        /// Customers by named group of recency, frequency and money.
        groups: SharesView,
        /// The forecast of the run that is compared with, against what its customers did; left out where the two do not tell.
        outcome: Option<OutcomeView>,
        /// Why they do not: `not_later`, `other_length` or `other_log`.
        no_outcome: Option<&'static str>,
    }

    /// A run in a few numbers.
    DriftRun {
        /// Its number.
        version: String,
        /// The last day that it knows.
        cutoff: String,
        /// How far ahead it looks, in days.
        horizon_days: usize,
        /// Customers.
        customers: usize,
        /// Expected spend of all of them.
        expected: f64,
    }

    /// How one measure has moved.
    MeasureView {
        /// The column of `tiers.csv`.
        measure: &'static str,
        /// Population stability index over bins of equal shares of the run that is compared with.
        psi: f64,
        /// What it stays below by chance alone, with probability .95.
        psi_by_chance: f64,
        /// Kolmogorov–Smirnov distance.
        ks: f64,
        /// Chance of at least this distance between two independent samples of one distribution.
        ks_p_value: f64,
        /// Median before.
        median_before: f64,
        /// Median now.
        median_after: f64,
        /// Mean before.
        mean_before: f64,
        /// Mean now.
        mean_after: f64,
        /// The bins, ascending.
        bins: Vec<BinView>,
    }

    /// Values above `above`, up to and including `up_to`.
    BinView {
        /// Left out in the first bin and in that of missing values.
        above: Option<f64>,
        /// Left out in the last bin and in that of missing values.
        up_to: Option<f64>,
        /// Whether it holds missing values.
        is_missing: bool,
        /// Customers before.
        before: usize,
        /// Customers now.
        after: usize,
    }

    /// Customers by category.
    SharesView {
        /// Population stability index over the categories.
        psi: f64,
        /// What it stays below by chance alone, with probability .95.
        psi_by_chance: f64,
        /// The categories, by key.
        rows: Vec<ShareView>,
    }

    /// A category.
    ShareView {
        /// Its key.
        key: String,
        /// Customers before.
        before: usize,
        /// Customers now.
        after: usize,
    }

    /// What was forecast, and what happened until the later run.
    OutcomeView {
        /// Days between the two cutoffs.
        days: usize,
        /// Days that were forecast.
        horizon_days: usize,
        /// Expected spend in these days; in proportion to them where they are not the horizon.
        expected: f64,
        /// Lower end of the 80 % interval; left out where the days are not the horizon.
        lower: Option<f64>,
        /// Upper end of the 80 % interval.
        upper: Option<f64>,
        /// What the customers of then spent.
        actual: f64,
        /// Customers who were expected to buy; left out where the days are not the horizon.
        active_expected: Option<f64>,
        /// Customers who did.
        active_actual: usize,
        /// Customers of then whom the later log does not know.
        unknown: usize,
    }
}

/// What runs say about each other, once it was found.
#[derive(Debug, Default)]
pub(crate) struct Drifts {
    found: Mutex<BTreeMap<(PathBuf, PathBuf), Arc<Drift>>>,
    /// Held while something is found: two who ask the same do not find it twice.
    turn: Mutex<()>,
}

impl Drifts {
    /// How customers have moved from one run to another.
    ///
    /// # Errors
    /// [`Error`] when files of a run cannot be read.
    pub(crate) fn between(&self, before: &Version, after: &Version) -> Result<Arc<Drift>, Error> {
        if let Some(found) = self.known(before, after) {
            return Ok(found);
        }
        let _turn = locked(&self.turn);
        if let Some(found) = self.known(before, after) {
            return Ok(found);
        }
        let snapshot = |version: &Version| Snapshot::read(&version.folder);
        let drift = Arc::new(guike::drift::compare(&snapshot(before)?, &snapshot(after)?)?);
        let mut found = locked(&self.found);
        if found.len() >= KEPT {
            found.clear();
        }
        found.insert((before.folder.clone(), after.folder.clone()), Arc::clone(&drift));
        Ok(drift)
    }

    fn known(&self, before: &Version, after: &Version) -> Option<Arc<Drift>> {
        locked(&self.found).get(&(before.folder.clone(), after.folder.clone())).cloned()
    }

    /// Finds what the history of the served runs will be asked for, on a thread of its own.
    pub(crate) fn warm(app: Arc<App>) {
        std::thread::spawn(move || {
            let runs = app.served.kept.iter().flat_map(|k| k.runs()).collect::<Vec<_>>();
            for pair in runs[runs.len().saturating_sub(LATEST)..].windows(2).rev() {
                // who asks for it is told what is wrong
                let _ = app.drifts.between(pair[0], pair[1]);
            }
        });
    }

    /// The newest run against the one before it, for Prometheus; nothing while that is being found.
    pub(crate) fn metrics(&self, served: &Served) -> String {
        let mut out = String::new();
        let mut put = |line: std::fmt::Arguments<'_>| writeln!(out, "{line}").expect("a String takes all");
        let runs: Vec<&Version> = served.kept.iter().flat_map(|k| k.runs()).collect();
        if let [.., before, after] = runs.as_slice()
            && let Some(drift) = self.known(before, after)
        {
            put(format_args!(
                "# HELP guike_drift_psi Population stability index of the newest run against the one before."
            ));
            put(format_args!("# TYPE guike_drift_psi gauge"));
            let measures = drift.measures.iter().map(|m| (m.measure, m.stability.psi));
            for (measure, psi) in measures.chain([("tier", drift.tiers.psi), ("rfm_group", drift.groups.psi)]) {
                put(format_args!("guike_drift_psi{{measure=\"{measure}\"}} {psi}"));
            }
        }
        if let Some(run) = &served.run {
            put(format_args!("# HELP guike_tier_customers Customers of the run that is served, by tier."));
            put(format_args!("# TYPE guike_tier_customers gauge"));
            for tier in run.results.tier_analysis()["tiers"].as_array().into_iter().flatten() {
                let (Some(key), Some(n)) = (tier["name"]["key"].as_str(), tier["n"].as_u64()) else { continue };
                // keys may be of the shop's own making
                let key: String = key.chars().filter(|c| !c.is_control() && !matches!(c, '"' | '\\')).collect();
                put(format_args!("guike_tier_customers{{tier=\"{key}\"}} {n}"));
            }
        }
        out
    }
}

/// The two runs that are asked for.
pub(crate) struct Pair<'a> {
    /// All runs of the name that is served, by number.
    pub(crate) runs: Vec<&'a Version>,
    /// The run that is looked at.
    pub(crate) run: &'a Version,
    /// The run that it is compared with; `None` where there is no other.
    pub(crate) against: Option<&'a Version>,
}

/// Finds the runs of the parameters `run` (the newest) and `against` (the one before it).
///
/// # Errors
/// [`Problem`] where no workspace is served, it has no runs, or none of this number.
pub(crate) fn asked<'a>(app: &'a App, query: &Query) -> Result<Pair<'a>, Problem> {
    let runs: Vec<&Version> = kept(app)?.runs().collect();
    let Some(newest) = runs.last() else {
        return Err(Problem::new(Code::NoResults, "the workspace keeps no run; make one with guike run --workspace"));
    };
    let of = |name: &str| match query.get(name).filter(|v| !v.is_empty()) {
        None => Ok(None),
        Some(number) => runs.iter().find(|v| v.number.to_string() == number).copied().map(Some).ok_or_else(|| {
            let detail = format!("parameter `{name}` takes the number of a run; GET /v1/runs lists them");
            Problem::new(Code::MalformedQuery, detail)
        }),
    };
    let run = of("run")?.unwrap_or(newest);
    let against = of("against")?.or_else(|| runs.iter().rev().find(|v| v.number < run.number).copied());
    if against.is_some_and(|a| a.number == run.number) {
        let detail = "a run does not differ from itself; parameters `run` and `against` take different numbers";
        return Err(Problem::new(Code::MalformedQuery, detail));
    }
    Ok(Pair { run, against, runs })
}

/// `GET /v1/drift`.
pub(crate) fn answer(app: Arc<App>, call: Call) -> Answering {
    Box::pin(async move {
        // files of a million customers are read beside those who ask about one
        tokio::task::spawn_blocking(move || found(&app, &call)).await.map_err(|_| internal())?
    })
}

fn found(app: &App, call: &Call) -> Result<Answer, Problem> {
    let query = Query::parse(&call.query, &["run", "against"])?;
    let pair = asked(app, &query)?;
    let detail = "there is one run, and nothing that it could have moved from; the next `guike run` or `guike refresh` \
                  into the workspace makes another one";
    let against = pair.against.ok_or_else(|| Problem::new(Code::NoResults, detail))?;
    let drift = app.drifts.between(against, pair.run).map_err(|e| Problem::from(&e))?;
    let tag = format!("{}-{}-{}", pair.run.name, against.number, pair.run.number);
    Ok(Answer::of(&view(&drift, against, pair.run)).with_tag(&tag))
}

fn view(d: &Drift, against: &Version, run: &Version) -> DriftView {
    let measures = d.measures.iter().map(|m| MeasureView {
        measure: m.measure,
        psi: m.stability.psi,
        psi_by_chance: m.stability.by_chance,
        ks: m.distance.distance,
        ks_p_value: m.distance.p_value,
        median_before: m.median[0],
        median_after: m.median[1],
        mean_before: m.mean[0],
        mean_after: m.mean[1],
        bins: m
            .stability
            .bins
            .iter()
            .map(|b| BinView {
                above: b.above,
                up_to: b.up_to,
                is_missing: b.is_missing,
                before: b.before as usize,
                after: b.after as usize,
            })
            .collect(),
    });
    DriftView {
        run: of_run(run, &d.after),
        against: of_run(against, &d.before),
        thresholds: vec![NOTICEABLE, LARGE],
        measures: measures.collect(),
        tiers: shares(&d.tiers),
        groups: shares(&d.groups),
        outcome: d.outcome.as_ref().ok().map(|o| OutcomeView {
            days: o.days as usize,
            horizon_days: o.horizon_days as usize,
            expected: o.expected,
            lower: o.interval.map(|i| i[0]),
            upper: o.interval.map(|i| i[1]),
            actual: o.actual,
            active_expected: o.active_expected,
            active_actual: o.active_actual as usize,
            unknown: o.unknown as usize,
        }),
        no_outcome: d.outcome.as_ref().err().map(|why| why.name()),
    }
}

fn of_run(version: &Version, facts: &Facts) -> DriftRun {
    DriftRun {
        version: version.number.to_string(),
        cutoff: facts.cutoff.to_string(),
        horizon_days: facts.horizon_days as usize,
        customers: facts.customers as usize,
        expected: facts.expected,
    }
}

fn shares(s: &Shares) -> SharesView {
    let row = |(key, before, after): &(String, u64, u64)| ShareView {
        key: key.clone(),
        before: *before as usize,
        after: *after as usize,
    };
    SharesView { psi: s.psi, psi_by_chance: s.by_chance, rows: s.rows.iter().map(row).collect() }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
