//! A mixture of Gaussians: every point comes from one of k clouds, and belongs to each with a probability.
//!
//! The one idea: the EM algorithm (Dempster, Laird & Rubin 1977) in one pass over the points per iteration. The pass works on
//! blocks of points, one coordinate after the other; sums for the next iteration are taken around the present means, so that
//! nothing cancels, and in pieces of fixed borders, so that a result has the same bits at any number of threads.
//! Probabilities stay in logarithms until they have been scaled by the largest (log-sum-exp).
//!
//! The first start is a quick k-means run. K-means leads almost every draw of its own to the same centres, and EM from there
//! to the same clouds, so the other starts are draws of k-means++ that no k-means run has smoothed (Biernacki, Celeux &
//! Govaert 2003: starts must differ for restarts to help). With many points they run on a seeded sample, and the best is
//! finished on all.
//! [`GaussianMixture::choose`] finds the number of clouds by the Bayesian information criterion (Schwarz 1978). Nothing here
//! drops columns or scales them: scale first.

mod em;
#[cfg(test)]
mod tests;

use guike_core::Seed;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::kmeans::{KMeans, drawn_apart};
use crate::points::{Points, sample_rows};
use crate::tabular::Link;

/// What the clouds may look like.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Covariance {
    /// Each its own ellipsoid, in any direction.
    #[default]
    Full,
    /// All the same ellipsoid.
    Tied,
    /// Each its own ellipsoid along the axes.
    Diagonal,
    /// Each its own ball.
    Spherical,
}

/// Variance on a scale on which whole columns have one, below which a cloud is not a kind of rows but one value that many of
/// them share, such as a whole number of visits.
pub const LEAST_VARIANCE: f64 = 1e-3;

/// How to cluster.
///
/// Counterpart: scikit-learn's `GaussianMixture(n_components=k, covariance_type, tol, reg_covar, max_iter, n_init=restarts)`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct GaussianMixture {
    /// Number of clouds, at least 1.
    pub k: usize,
    /// What they may look like.
    pub covariance: Covariance,
    /// Number of starts, at k-means' clusters and at draws that differ from them; the one of the highest likelihood wins.
    pub restarts: u32,
    /// Most passes over the points per start.
    pub max_iterations: u32,
    /// Stop when the mean log-likelihood per point rises by less.
    pub tolerance: f64,
    /// Added to every variance, in squared units of the points, above 0: keeps a cloud from collapsing onto a point.
    pub regularisation: f64,
    /// With more points than this the restarts run on a sample of this size.
    pub sample: usize,
}

impl Default for GaussianMixture {
    fn default() -> GaussianMixture {
        GaussianMixture {
            k: 5,
            covariance: Covariance::Full,
            restarts: 5,
            max_iterations: 200,
            tolerance: 1e-3,
            regularisation: 1e-6,
            sample: 10_000,
        }
    }
}

/// Clouds, in ascending order of their means' coordinates.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mixture {
    /// Share of the points in each cloud; adds to 1.
    pub weights: Vec<f64>,
    /// Means, row by row.
    pub means: Vec<f64>,
    /// Coordinates per mean.
    pub width: usize,
    /// What the clouds look like.
    pub covariance: Covariance,
    /// Row-major: k matrices (full), one matrix (tied), k rows of variances (diagonal), or k variances (spherical).
    pub covariances: Vec<f64>,
}

/// The clouds found, and where every point belongs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MixtureFit {
    /// The clouds; fewer than asked for when there were fewer distinct points.
    pub mixture: Mixture,
    /// Most probable cloud of every point; ties go to the first.
    pub labels: Vec<u32>,
    /// Probability of that cloud.
    pub probability: Vec<f64>,
    /// Logarithm of the likelihood of all points.
    pub log_likelihood: f64,
    /// Passes of the final run over all points.
    pub iterations: u32,
    /// Whether the final run came to rest.
    pub converged: bool,
    /// Number of points that the restarts saw, where that was a sample.
    pub sampled: Option<usize>,
}

impl GaussianMixture {
    /// For columns on one scale, each with a variance of about 1: no cloud is narrower than [`LEAST_VARIANCE`].
    pub fn of_scaled(covariance: Covariance) -> GaussianMixture {
        GaussianMixture { covariance, regularisation: LEAST_VARIANCE, ..GaussianMixture::default() }
    }

    /// Finds the clouds; an empty set gives none.
    ///
    /// # Panics
    /// When the regularisation is not above 0.
    ///
    /// # Example
    /// ```
    /// use guike_core::Seed;
    /// use guike_learn::{GaussianMixture, Points};
    /// let values = [0.0, 0.2, 0.4, 9.0, 9.3, 9.6];
    /// let fit = GaussianMixture { k: 2, ..Default::default() }.fit(Points::new(&values, 1), Seed(1));
    /// assert_eq!(fit.labels, vec![0, 0, 0, 1, 1, 1]);
    /// let clouds = fit.mixture;
    /// assert!((clouds.weights[0] - 0.5).abs() < 1e-9 && (clouds.means[1] - 9.3).abs() < 1e-9);
    /// assert!(clouds.probabilities(&[4.8])[1] > 0.1, "a point between two clouds belongs to both");
    /// ```
    pub fn fit(&self, points: Points<'_>, seed: Seed) -> MixtureFit {
        assert!(self.regularisation > 0.0, "a regularisation of {} lets clouds collapse", self.regularisation);
        let seed = seed.derive("gaussian mixture");
        let (n, p) = (points.len(), points.width());
        if n == 0 {
            return self.result(points, Mixture::none(self.covariance, p), 0, true, None);
        }
        let sampled = (n > self.sample).then_some(self.sample.max(self.k));
        let sample_values = sampled.map(|size| points.gather(&sample_rows(n, size, seed.derive("sample"))));
        let tried = sample_values.as_ref().map_or(points, |v| Points::new(v, p));
        let runs: Vec<em::Run> = (0..u64::from(self.restarts.max(1)))
            .into_par_iter()
            .map(|r| em::run(tried, self.start(tried, r, seed.derive("restart").at(r)), self))
            .collect();
        let best = runs.into_iter().reduce(|a, b| if b.log_likelihood > a.log_likelihood { b } else { a });
        let best = best.expect("at least one start");
        let best = if sampled.is_some() { em::run(points, best.mixture, self) } else { best };
        self.result(points, best.mixture, best.iterations, best.converged, sampled)
    }

    /// The number of clouds of lowest [`MixtureFit::bic`] among `ks`, as a fit, with every number's criterion.
    ///
    /// ```
    /// use guike_core::Seed;
    /// use guike_learn::{GaussianMixture, Points};
    /// let values: Vec<f64> = (0..60).map(|i| f64::from(i % 3) * 10.0 + f64::from(i / 3) * 0.1).collect();
    /// let (fit, _) = GaussianMixture::default().choose(Points::new(&values, 1), 1..=5, Seed(1)).unwrap();
    /// assert_eq!(fit.mixture.k(), 3);
    /// ```
    pub fn choose(
        &self,
        points: Points<'_>,
        ks: impl IntoIterator<Item = usize>,
        seed: Seed,
    ) -> Option<(MixtureFit, Vec<(usize, f64)>)> {
        let mut best: Option<MixtureFit> = None;
        let mut criteria = Vec::new();
        for k in ks {
            let fit = GaussianMixture { k, ..*self }.fit(points, seed);
            criteria.push((k, fit.bic()));
            if best.as_ref().is_none_or(|b| fit.bic() < b.bic()) {
                best = Some(fit);
            }
        }
        Some((best?, criteria))
    }

    /// Where EM begins: the clouds of a quick k-means run, then those around points that were drawn apart.
    fn start(&self, points: Points<'_>, restart: u64, seed: Seed) -> Mixture {
        let (labels, centers) = if restart == 0 {
            let quick = KMeans { k: self.k, restarts: 1, max_iterations: 20, tolerance: 1e-2, sample: usize::MAX };
            let fit = quick.fit(points, seed);
            (fit.labels, fit.centers)
        } else {
            drawn_apart(points, self.k.max(1), seed)
        };
        em::from_labels(points, &labels, centers, self)
    }

    /// Clouds in ascending order of their means: a name that does not depend on the start.
    fn result(
        &self,
        points: Points<'_>,
        found: Mixture,
        iterations: u32,
        converged: bool,
        sampled: Option<usize>,
    ) -> MixtureFit {
        let mixture = found.ordered();
        let em::Labelled { labels, probability, log_likelihood } = mixture.label(points);
        MixtureFit { mixture, labels, probability, log_likelihood, iterations, converged, sampled }
    }
}

impl Mixture {
    /// Number of clouds.
    pub fn k(&self) -> usize {
        self.weights.len()
    }

    /// The mean of a cloud.
    ///
    /// # Panics
    /// When there is no such cloud.
    pub fn mean(&self, cloud: usize) -> &[f64] {
        &self.means[cloud * self.width..(cloud + 1) * self.width]
    }

    /// These clouds alone, in this order; their shares are made to add to 1 again.
    ///
    /// # Panics
    /// When there is no such cloud.
    ///
    /// ```
    /// use guike_core::Seed;
    /// use guike_learn::{GaussianMixture, Points};
    /// let fit = GaussianMixture { k: 2, ..Default::default() }.fit(Points::new(&[0.0, 0.2, 9.0, 9.3], 1), Seed(1));
    /// let turned = fit.mixture.select(&[1, 0]);
    /// assert_eq!((fit.mixture.assign(&[9.1]), turned.assign(&[9.1])), (1, 0));
    /// assert_eq!(fit.mixture.select(&[1]).weights, [1.0]);
    /// ```
    #[must_use]
    pub fn select(&self, clouds: &[usize]) -> Mixture {
        let whole: f64 = clouds.iter().map(|&c| self.weights[c]).sum();
        Mixture {
            weights: clouds.iter().map(|&c| self.weights[c] / whole).collect(),
            means: clouds.iter().flat_map(|&c| self.mean(c)).copied().collect(),
            width: self.width,
            covariance: self.covariance,
            covariances: if self.covariance == Covariance::Tied {
                self.covariances.clone()
            } else {
                let each = self.covariances.len() / self.k().max(1);
                clouds.iter().flat_map(|&c| &self.covariances[c * each..(c + 1) * each]).copied().collect()
            },
        }
    }

    /// Free parameters.
    pub fn n_parameters(&self) -> usize {
        let (k, p) = (self.k(), self.width);
        let spread = match self.covariance {
            Covariance::Full => k * p * (p + 1) / 2,
            Covariance::Tied => p * (p + 1) / 2,
            Covariance::Diagonal => k * p,
            Covariance::Spherical => k,
        };
        (k + k * p + spread).saturating_sub(1)
    }

    /// Probability of each cloud for a point.
    ///
    /// # Panics
    /// When the point has another number of coordinates.
    pub fn probabilities(&self, point: &[f64]) -> Vec<f64> {
        let mut p = Vec::new();
        Link::Softmax.apply(&self.log_joint(point), &mut p);
        p
    }

    /// Logarithm of weight × density of each cloud at a point.
    ///
    /// # Panics
    /// When the point has another number of coordinates.
    pub fn log_joint(&self, point: &[f64]) -> Vec<f64> {
        assert_eq!(point.len(), self.width, "one value per coordinate");
        self.log_joint_of(point)
    }

    /// The most probable cloud of a point; ties go to the first.
    pub fn assign(&self, point: &[f64]) -> u32 {
        let p = self.probabilities(point);
        (1..p.len()).fold(0, |best, c| if p[c] > p[best] { c } else { best }) as u32
    }
}

impl MixtureFit {
    /// Bayesian information criterion (Schwarz 1978): lower is better.
    pub fn bic(&self) -> f64 {
        self.mixture.n_parameters() as f64 * (self.labels.len() as f64).max(1.0).ln() - 2.0 * self.log_likelihood
    }

    /// Akaike's information criterion (1974): lower is better, and more lenient to many clouds than [`MixtureFit::bic`].
    pub fn aic(&self) -> f64 {
        2.0 * self.mixture.n_parameters() as f64 - 2.0 * self.log_likelihood
    }
}
