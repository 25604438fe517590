//! Facts about mixtures.

use super::*;
use rand::RngExt;

const EVERY: [Covariance; 4] = [Covariance::Full, Covariance::Tied, Covariance::Diagonal, Covariance::Spherical];

/// Clouds of 3 coordinates around (0, 0, 0), (9, 9, 9) …, the first two coordinates correlated.
fn clouds(n: usize, k: usize) -> Vec<f64> {
    let mut rng = Seed(5).rng();
    let mut normal = move || (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0;
    (0..n)
        .flat_map(|i| {
            let centre = 9.0 * (i % k) as f64;
            let (a, b, c) = (normal(), normal(), normal());
            [centre + a, centre + 0.8 * a + 0.6 * b, centre + 0.5 * c]
        })
        .collect()
}

fn with(k: usize, covariance: Covariance) -> GaussianMixture {
    GaussianMixture { k, covariance, ..Default::default() }
}

#[test]
fn clouds_that_are_apart_are_found_whatever_they_may_look_like() {
    let v = clouds(900, 3);
    for covariance in EVERY {
        let fit = with(3, covariance).fit(Points::new(&v, 3), Seed(1));
        assert!(fit.converged && (0..900).all(|i| fit.labels[i] as usize == i % 3), "{covariance:?}");
        assert!((fit.mixture.weights.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        assert!(
            fit.mixture.means.iter().enumerate().all(|(i, m)| (m - 9.0 * (i / 3) as f64).abs() < 0.2),
            "{covariance:?}"
        );
    }
    let fit = with(3, Covariance::Full).fit(Points::new(&v, 3), Seed(1));
    // a, 0.8 a + 0.6 b and 0.5 c for independent standard normal a, b, c
    let truth = [1.0, 0.8, 0.0, 0.8, 1.0, 0.0, 0.0, 0.0, 0.25];
    for (got, expected) in fit.mixture.covariances.iter().zip(truth.iter().cycle()) {
        assert!((got - expected).abs() < 0.2, "{:?}", fit.mixture.covariances);
    }
}

#[test]
fn the_likelihood_never_falls() {
    let v = clouds(400, 4);
    let points = Points::new(&v, 3);
    for covariance in EVERY {
        let mut last = f64::NEG_INFINITY;
        for max_iterations in [1, 2, 3, 5, 9, 17, 33] {
            let how = GaussianMixture { max_iterations, tolerance: 0.0, restarts: 1, ..with(3, covariance) };
            let now = how.fit(points, Seed(2)).log_likelihood;
            assert!(now >= last - 1e-9 * last.abs(), "{covariance:?}: {now} after {last}");
            last = now;
        }
    }
}

/// Four long clouds side by side, which every k-means run cuts across.
fn stripes(n: usize) -> Vec<f64> {
    let mut rng = Seed(6).rng();
    let mut normal = move || (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0;
    (0..n).flat_map(|i| [4.0 * normal(), 3.0 * (i % 4) as f64 + 0.3 * normal()]).collect()
}

/// scikit-learn's five starts at k-means' clusters all end at a mean log-likelihood of −5.3 on such points, and starts at
/// draws of k-means++ at −4.4 in every third to sixth.
#[test]
fn restarts_find_clouds_that_every_k_means_start_misses() {
    let v = stripes(900);
    let found = |restarts| {
        let finds = |seed| {
            let fit = GaussianMixture { restarts, ..with(4, Covariance::Full) }.fit(Points::new(&v, 2), Seed(seed));
            fit.log_likelihood > -4.6 * 900.0
        };
        (0..10).filter(|&seed| finds(seed)).count()
    };
    let (one, five) = (found(1), found(5));
    assert!(one <= 1 && five >= 3, "one start finds the stripes in {one} and five in {five} of 10");
}

#[test]
fn the_criterion_finds_the_number_of_clouds() {
    let v = clouds(1200, 4);
    let (fit, criteria) = GaussianMixture::default().choose(Points::new(&v, 3), 1..=6, Seed(1)).expect("numbers");
    assert_eq!((fit.mixture.k(), criteria.len()), (4, 6));
    assert!(criteria.iter().all(|c| c.1 >= fit.bic()));
    assert_eq!(GaussianMixture::default().choose(Points::new(&v, 3), [], Seed(1)), None);
}

#[test]
fn a_point_is_where_its_probability_is_highest() {
    let v = clouds(300, 3);
    for covariance in EVERY {
        let fit = with(3, covariance).fit(Points::new(&v, 3), Seed(1));
        for (i, row) in v.chunks_exact(3).enumerate() {
            assert_eq!(fit.mixture.assign(row), fit.labels[i]);
            assert!((fit.mixture.probabilities(row).iter().sum::<f64>() - 1.0).abs() < 1e-12);
        }
        let far = fit.mixture.probabilities(&[1e200, -1e200, 0.0]);
        assert!(far.iter().all(|p| p.is_finite()), "{covariance:?}: {far:?}");
        let text = serde_json::to_string(&fit).expect("JSON");
        assert_eq!(serde_json::from_str::<MixtureFit>(&text).expect("its own text"), fit);
    }
}

#[test]
fn one_thread_and_many_give_the_same_bits_with_and_without_a_sample() {
    let v = clouds(5000, 3);
    for sample in [1000, 10_000] {
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a thread pool");
            let how = GaussianMixture { sample, restarts: 2, ..with(4, Covariance::Full) };
            pool.install(|| how.fit(Points::new(&v, 3), Seed(9)))
        };
        assert_eq!(run(1), run(3));
    }
}

#[test]
fn equal_few_and_no_points_are_no_trouble() {
    for covariance in EVERY {
        let how = with(3, covariance);
        assert_eq!(how.fit(Points::new(&[], 2), Seed(1)).mixture.k(), 0);
        let fit = how.fit(Points::new(&[1.0, 2.0, 1.0, 2.0, 5.0, 5.0], 2), Seed(1));
        assert_eq!((fit.mixture.k(), fit.labels.as_slice()), (2, &[0, 0, 1][..]), "{covariance:?}");
        assert!(fit.log_likelihood.is_finite() && fit.bic().is_finite() && fit.aic().is_finite());
        // a coordinate that never changes, and one that repeats another
        let v: Vec<f64> = (0..60).flat_map(|i| [f64::from(i % 7), 3.0, f64::from(i % 7)]).collect();
        assert!(how.fit(Points::new(&v, 3), Seed(1)).log_likelihood.is_finite(), "{covariance:?}");
    }
}
