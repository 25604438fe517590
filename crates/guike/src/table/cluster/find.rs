//! The groups by each method, and how many.

use guike_core::Progress;
use guike_learn::{DbScan, GaussianMixture, Hierarchical, KMeans, Points, silhouette};
use serde::Serialize;

use crate::error::Error;

use super::{ClusterMethod, ClusterSettings, TRIED};

/// What a method found on the common scale.
#[derive(Debug, Default, Serialize)]
pub(super) struct Found {
    #[serde(skip)]
    pub(super) labels: Vec<Option<u32>>,
    #[serde(skip)]
    pub(super) probability: Option<Vec<f64>>,
    /// How the number of groups came about.
    pub(super) chosen_by: &'static str,
    /// Number of groups that was tried, and its criterion.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) tried: Vec<Tried>,
    /// Sum of squared distances to the own centre, for k-means.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) inertia: Option<f64>,
    /// Log-likelihood and criteria of a mixture.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub(super) likelihood: Option<Likelihood>,
    /// Radius and neighbours of dbscan.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub(super) density: Option<DbScan>,
}

/// A number of groups that was tried.
#[derive(Debug, Serialize)]
pub(super) struct Tried {
    k: usize,
    /// The silhouette (more is better), or the Bayesian information criterion of a mixture (less is better).
    criterion: Option<f64>,
}

/// How well a mixture fits.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Likelihood {
    log_likelihood: f64,
    pub(super) bic: f64,
    aic: f64,
}

/// Finds the groups of scaled points.
pub(super) fn find(
    points: Points<'_>,
    settings: &ClusterSettings,
    notes: &mut Vec<String>,
    progress: &dyn Progress,
) -> Result<Found, Error> {
    let n = points.len();
    let least = settings.k.unwrap_or(2);
    if n < least {
        return Err(Error::NoAnswer(format!("the table has {n} rows, too few for {least} clusters")));
    }
    let found = match settings.method {
        ClusterMethod::KMeans => k_means(points, settings, progress)?,
        ClusterMethod::Ward => ward(points, settings, notes, progress)?,
        ClusterMethod::Mixture => mixture(points, settings, notes, progress),
        ClusterMethod::Dbscan => dbscan(points, settings, notes)?,
    };
    let k = found.labels.iter().flatten().max().map_or(0, |&m| m as usize + 1);
    if let Some(asked) = settings.k.filter(|&asked| k < asked) {
        notes.push(format!("{asked} clusters were asked for, and the rows fall into no more than {k}"));
    }
    Ok(found)
}

/// The best of some labellings by silhouette, or the only one.
fn by_silhouette<F>(
    points: Points<'_>,
    settings: &ClusterSettings,
    progress: &dyn Progress,
    labels: impl Fn(usize) -> (Vec<u32>, F),
) -> Result<(Found, F), Error> {
    let some = |labels: Vec<u32>| labels.into_iter().map(Some).collect();
    if let Some(k) = settings.k {
        let (labels, more) = labels(k);
        return Ok((Found { labels: some(labels), chosen_by: "asked for", ..Found::default() }, more));
    }
    let mut tried = Vec::new();
    let mut best: Option<(f64, Vec<u32>, F)> = None;
    progress.stage("find the number of clusters", TRIED.count() as u64);
    for k in TRIED.filter(|&k| k <= points.len()) {
        progress.check()?;
        let (labels, more) = labels(k);
        let criterion = silhouette(points, &labels, settings.seed);
        tried.push(Tried { k, criterion });
        let score = criterion.unwrap_or(f64::NEG_INFINITY);
        if best.as_ref().is_none_or(|b| score > b.0) {
            best = Some((score, labels, more));
        }
        progress.advance(1);
    }
    let (_, labels, more) = best.expect("two rows are enough for two clusters");
    Ok((Found { labels: some(labels), chosen_by: "highest silhouette", tried, ..Found::default() }, more))
}

fn k_means(points: Points<'_>, settings: &ClusterSettings, progress: &dyn Progress) -> Result<Found, Error> {
    let (found, inertia) = by_silhouette(points, settings, progress, |k| {
        let fit = KMeans { k, ..KMeans::default() }.fit(points, settings.seed);
        (fit.labels, fit.inertia)
    })?;
    Ok(Found { inertia: Some(inertia), ..found })
}

fn ward(
    points: Points<'_>,
    settings: &ClusterSettings,
    notes: &mut Vec<String>,
    progress: &dyn Progress,
) -> Result<Found, Error> {
    let tree = Hierarchical::default().fit(points, settings.seed);
    if let Some(centroids) = tree.on_centroids() {
        let n = points.len();
        notes.push(format!("with {n} rows the tree was built on {centroids} k-means centroids, not on every row"));
    }
    Ok(by_silhouette(points, settings, progress, |k| (tree.cut(k), ()))?.0)
}

fn mixture(points: Points<'_>, settings: &ClusterSettings, notes: &mut Vec<String>, progress: &dyn Progress) -> Found {
    let how = GaussianMixture::of_scaled(settings.covariance);
    let ks = settings.k.map_or(1..=*TRIED.end(), |k| k..=k).filter(|&k| k <= points.len());
    progress.stage("fit the mixture", 1);
    let (fit, criteria) = how.choose(points, ks, settings.seed).expect("one number of clusters at least");
    progress.advance(1);
    let tried: Vec<Tried> = criteria.into_iter().map(|(k, bic)| Tried { k, criterion: Some(bic) }).collect();
    if fit.mixture.k() == 1 {
        notes.push("one cloud describes these rows best: they fall into no clusters by this method".to_owned());
    }
    if !fit.converged {
        notes.push(format!("the mixture was still improving after {} passes", fit.iterations));
    }
    let likelihood = Likelihood { log_likelihood: fit.log_likelihood, bic: fit.bic(), aic: fit.aic() };
    Found {
        labels: fit.labels.into_iter().map(Some).collect(),
        probability: Some(fit.probability),
        chosen_by: if settings.k.is_some() { "asked for" } else { "lowest Bayesian information criterion" },
        tried: if settings.k.is_some() { Vec::new() } else { tried },
        likelihood: Some(likelihood),
        ..Found::default()
    }
}

fn dbscan(points: Points<'_>, settings: &ClusterSettings, notes: &mut Vec<String>) -> Result<Found, Error> {
    let min_points = settings.min_points.unwrap_or((2 * points.width()).max(4));
    let radius = match settings.radius {
        Some(radius) => radius,
        None => DbScan::radius_of(points, min_points).ok_or_else(|| {
            Error::NoAnswer(format!("the table has {} rows, too few for places of {min_points} rows", points.len()))
        })?,
    };
    let how = DbScan { radius, min_points };
    let fit = how.fit(points);
    if fit.n_clusters == 0 {
        notes.push(format!(
            "no place holds {min_points} rows within a distance of {radius:.3}: every row is noise; a larger --radius or a \
             smaller --min-points finds looser clusters"
        ));
    }
    Ok(Found { labels: fit.labels, chosen_by: "density", density: Some(how), ..Found::default() })
}
