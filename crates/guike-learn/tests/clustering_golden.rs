//! Clustering against scikit-learn 1.x and scipy on one set of 150 points that both can compute from a formula.

use guike_core::Seed;
use guike_learn::{Covariance, DbScan, GaussianMixture, Hierarchical, KMeans, Linkage, Points, silhouette};

/// Six loose groups of 25 points in two dimensions.
fn points() -> Vec<f64> {
    let g = 0.618_033_988_749_894_9_f64;
    (0..150)
        .flat_map(|i| {
            let t = f64::from(i);
            let x = f64::from(i % 3) * 4.0 + 3.0 * (t * g).fract();
            let y = f64::from((i / 3) % 2) * 5.0 + 2.0 * (t * g * g * 7.3).fract();
            [x, y]
        })
        .collect()
}

#[test]
fn the_points_are_those_of_the_reference_run() {
    let v = points();
    for (got, expected) in
        [(v[14], 4.978_713_76), (v[15], 1.036_926_35), (v[298], 8.261_192_97), (v[299], 5.928_860_87)]
    {
        assert!((got - expected).abs() < 1e-7, "{got} {expected}");
    }
}

#[test]
fn k_means_reaches_scikit_learns_best_inertia_of_200_starts() {
    let v = points();
    for (k, inertia) in [(2, 1_426.581_698_415_885), (3, 862.142_766_124_182_3), (6, 163.307_928_194_742_8)] {
        for seed in 1..4 {
            let fit = KMeans { k, ..Default::default() }.fit(Points::new(&v, 2), Seed(seed));
            assert!(fit.converged);
            assert!((fit.inertia / inertia - 1.0).abs() < 1e-9, "k = {k}, seed {seed}: {} {inertia}", fit.inertia);
        }
    }
}

#[test]
fn the_silhouette_is_scikit_learns() {
    let v = points();
    let fit = KMeans { k: 6, ..Default::default() }.fit(Points::new(&v, 2), Seed(1));
    let s = silhouette(Points::new(&v, 2), &fit.labels, Seed(1)).expect("six clusters");
    assert!((s - 0.625_923_787_545_356_9).abs() < 1e-12, "{s}");
}

#[test]
fn the_trees_have_scipys_heights() {
    let v = points();
    for (linkage, top, sum) in [
        (
            Linkage::Ward,
            [19.670_854_706_551_054, 25.051_449_536_332_37, 35.431_096_186_229_14, 48.674_000_244_555_05],
            282.925_717_925_344_54,
        ),
        (
            Linkage::Average,
            [4.024_875_335_988_844_5, 5.778_508_309_622_683, 5.841_542_065_976_705_4, 6.787_309_386_645_755],
            106.664_439_991_991_88,
        ),
        (
            Linkage::Complete,
            [6.929_404_403_543_717, 7.280_391_314_272_532, 9.183_222_628_044_613, 12.707_574_178_684_093],
            153.597_233_519_806_85,
        ),
    ] {
        let tree = Hierarchical { linkage, ..Default::default() }.fit(Points::new(&v, 2), Seed(1));
        let heights: Vec<f64> = tree.merges.iter().map(|m| m.height).collect();
        assert_eq!(heights.len(), 149);
        for (got, expected) in heights[145..].iter().zip(top) {
            assert!((got - expected).abs() < 1e-9, "{linkage:?}: {got} {expected}");
        }
        assert!((heights.iter().sum::<f64>() - sum).abs() < 1e-7, "{linkage:?}");
        assert_eq!((tree.merges[148].a, tree.merges[148].b), (296, 297));
        let mut sizes = [0; 6];
        tree.cut(6).iter().for_each(|&l| sizes[l as usize] += 1);
        assert_eq!(sizes, [25; 6], "{linkage:?}: scipy's fcluster finds six groups of 25");
    }
}

#[test]
fn mixtures_have_scikit_learns_likelihood_criteria_and_clouds() {
    // scikit-learn 1.9.1, GaussianMixture(k, covariance_type, tol=1e-12): two ellipsoids from k-means as ours, the others
    // from the groups' means; six free ellipsoids have too many maxima to compare
    let v = points();
    for (k, covariance, log_likelihood, bic, aic, weight, mean, spread) in [
        (
            2,
            Covariance::Full,
            -729.092_633_339_9,
            1_513.302_254_914_87,
            1_480.185_266_679_8,
            0.296_553_86,
            [1.425_876_55, 3.464_948_36],
            vec![0.752_504_39, 0.088_781_33, 0.088_781_33, 6.531_574_21],
        ),
        (
            6,
            Covariance::Tied,
            -589.987_134_475_22,
            1_280.186_974_832_365_2,
            1_219.974_268_950_44,
            0.166_510_178_058_349_75,
            [1.500_247_729_684_601_7, 0.963_441_156_673_009_3],
            vec![
                0.796_536_455_681_545_1,
                0.004_130_562_905_032_397,
                0.004_130_562_905_032_397,
                0.333_332_832_284_590_5,
            ],
        ),
        (
            6,
            Covariance::Diagonal,
            -589.927_475_433_268_5,
            1_325.163_374_395_332_8,
            1_237.854_950_866_537,
            0.166_907_670_514_971_16,
            [1.505_429_888_520_278, 0.963_031_292_471_652_2],
            vec![0.846_525_784_900_567_7, 0.337_245_569_428_668_07],
        ),
        (
            6,
            Covariance::Spherical,
            -602.898_419_581_219_1,
            1_321.041_450_926_652,
            1_251.796_839_162_438_1,
            0.166_732_855_130_068_14,
            [1.497_578_152_417_329_5, 0.962_597_255_957_649_1],
            vec![0.578_362_194_354_072_1],
        ),
    ] {
        let how = GaussianMixture { k, covariance, tolerance: 1e-12, max_iterations: 5000, ..Default::default() };
        let fit = how.fit(Points::new(&v, 2), Seed(1));
        assert!(fit.converged, "{covariance:?}");
        let close = |got: f64, expected: f64, within: f64| {
            assert!((got - expected).abs() < within, "{covariance:?}: {got} {expected}");
        };
        close(fit.log_likelihood, log_likelihood, 1e-5);
        close(fit.bic(), bic, 2e-5);
        close(fit.aic(), aic, 2e-5);
        // both stop where the likelihood is flat
        close(fit.mixture.weights[0], weight, 1e-4);
        fit.mixture.means.iter().zip(mean).for_each(|(&got, expected)| close(got, expected, 1e-3));
        fit.mixture.covariances.iter().zip(spread).for_each(|(&got, expected)| close(got, expected, 1e-3));
    }
}

#[test]
fn dense_places_have_scikit_learns_labels() {
    // scikit-learn 1.9.1, DBSCAN(eps, min_samples): clusters, noise, core points, Σ (label + 1) · (row + 1)
    let v = points();
    for (radius, min_points, clusters, noise, core, sum) in [
        (0.5, 5, 0, 150, 0, 0),
        (0.8, 5, 10, 8, 129, 56_206),
        (0.35, 3, 33, 38, 46, 143_323),
        (1.2, 8, 6, 0, 136, 39_825),
    ] {
        let fit = DbScan { radius, min_points }.fit(Points::new(&v, 2));
        assert_eq!((fit.n_clusters, fit.n_core), (clusters, core), "{radius} {min_points}");
        assert_eq!(fit.labels.iter().filter(|l| l.is_none()).count(), noise);
        let labels = fit.labels.iter().enumerate();
        assert_eq!(labels.map(|(row, l)| l.map_or(0, |l| (l + 1) * (row as u32 + 1))).sum::<u32>(), sum);
    }
}
