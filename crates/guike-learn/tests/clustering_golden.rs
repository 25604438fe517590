//! Clustering against scikit-learn 1.x and scipy on one set of 150 points that both can compute from a formula.

use guike_core::Seed;
use guike_learn::{Hierarchical, KMeans, Linkage, Points, silhouette};

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
