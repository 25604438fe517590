//! Tiers by a mixture of Gaussians: every tier is a cloud, and a customer is in the tier she most probably belongs to.
//!
//! The one idea: k-means cuts halfway between centres, as if all groups had one size and were round. A mixture lets a large
//! group reach farther than a small one and follows indicators that move together. The clouds share one shape unless the
//! plan says otherwise: then whoever is worth more is never in a worse tier by one indicator alone. With shapes of their own
//! a wide cloud lies on *both* sides of a narrow one, and the least valuable customers would share the tier of the most
//! valuable; a plan with one indicator is refused for that.
//!
//! Clouds are ordered by the mean of the first indicator over their customers.

use guike_core::Seed;
use guike_learn::{Covariance, GaussianMixture, Mixture, Points, Scaler, Scaling};
use serde::{Deserialize, Serialize};

use crate::borders::spread;

/// Clouds in scaled space, best tier first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Clouds {
    /// How indicators are scaled.
    pub scaler: Scaler,
    /// The clouds, best first.
    pub mixture: Mixture,
    /// The tier of each cloud; rising.
    pub tier: Vec<usize>,
    /// Number of sampled customers on which the starts ran, where they did.
    pub sampled: Option<usize>,
}

/// Customers that the number of clouds is chosen on, at most: enough to tell clouds apart.
const MOST_CUSTOMERS: usize = 20_000;

/// The number of clouds that a criterion prefers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Chosen {
    /// Number of clouds of lowest criterion, at least 2.
    pub(crate) k: usize,
    /// Every number tried, from 1, and its Bayesian information criterion; lower is better.
    pub(crate) tried: Vec<(usize, f64)>,
}

/// How many clouds, of `2..=most`, describe the rows of `values` (n × `width`) best.
pub(crate) fn choose(
    values: &[f64],
    width: usize,
    most: usize,
    covariance: Covariance,
    scaling: Scaling,
    seed: Seed,
) -> Chosen {
    // every step-th customer stands for all in a large shop; customers come in no order of value
    let step = (values.len() / width).div_ceil(MOST_CUSTOMERS).max(1);
    let some: Vec<f64> = values.chunks_exact(width).step_by(step).flatten().copied().collect();
    let points = Points::new(&some, width);
    let scaled = Scaler::fit(points, scaling).apply(points);
    let how = GaussianMixture::of_scaled(covariance);
    let tried = how.choose(Points::new(&scaled, width), 1..=most, seed).map_or_else(Vec::new, |(_, tried)| tried);
    let best = tried.iter().skip(1).min_by(|a, b| a.1.total_cmp(&b.1));
    Chosen { k: best.map_or(2, |b| b.0), tried }
}

impl Clouds {
    /// Finds clouds of the rows of `values` (n × `width`).
    pub(crate) fn fit(
        values: &[f64],
        width: usize,
        tiers: usize,
        covariance: Covariance,
        scaling: Scaling,
        seed: Seed,
    ) -> Clouds {
        let points = Points::new(values, width);
        let scaler = Scaler::fit(points, scaling);
        let scaled = scaler.apply(points);
        let how = GaussianMixture { k: tiers, ..GaussianMixture::of_scaled(covariance) };
        let fit = how.fit(Points::new(&scaled, width), seed);
        let (mut worth, mut counts) = (vec![0.0; fit.mixture.k()], vec![0.0; fit.mixture.k()]);
        for (i, &label) in fit.labels.iter().enumerate() {
            let first = points.row(i)[0];
            worth[label as usize] += if first.is_nan() { 0.0 } else { first };
            counts[label as usize] += 1.0;
        }
        // a cloud that nobody most probably belongs to has no worth and is no tier
        let mut order: Vec<usize> = (0..counts.len()).filter(|&c| counts[c] > 0.0).collect();
        order.sort_by(|&a, &b| (worth[b] / counts[b]).total_cmp(&(worth[a] / counts[a])).then(a.cmp(&b)));
        Clouds {
            scaler,
            mixture: fit.mixture.select(&order),
            tier: (0..order.len()).map(|rank| spread(rank, order.len(), tiers)).collect(),
            sampled: fit.sampled,
        }
    }

    fn scaled(&self, row: &[f64]) -> Vec<f64> {
        row.iter().zip(&self.scaler.columns).map(|(&x, c)| c.apply(x)).collect()
    }

    fn tier_of_scaled(&self, z: &[f64]) -> usize {
        self.tier.get(self.mixture.assign(z) as usize).copied().unwrap_or(0)
    }

    /// The tier of a customer with these (unscaled) indicators; of equally probable clouds the better.
    pub fn tier(&self, row: &[f64]) -> usize {
        self.tier_of_scaled(&self.scaled(row))
    }

    /// The tier of a customer who was in `previous` before: she moves only when she would be elsewhere even with every
    /// indicator by the share `margin` of itself nearer to the mean of her old cloud.
    pub fn tier_after(&self, row: &[f64], previous: usize, margin: f64) -> usize {
        let old = (0..self.tier.len()).filter(|&c| self.tier[c] == previous);
        if old.into_iter().any(|c| self.tier_of_scaled(&self.scaled(&self.nearer(row, c, margin))) == previous) {
            previous
        } else {
            self.tier(row)
        }
    }

    /// Indicators moved by the share `margin` of themselves towards the mean of a cloud, and not beyond it.
    fn nearer(&self, row: &[f64], cloud: usize, margin: f64) -> Vec<f64> {
        let means = self.mixture.mean(cloud).iter().zip(&self.scaler.columns).map(|(&z, c)| c.invert(z));
        let step = |x: f64, mean: f64| {
            let step = margin * x.abs();
            if mean > x { (x + step).min(mean) } else { (x - step).max(mean) }
        };
        row.iter().zip(means).map(|(&x, mean)| if x.is_nan() { x } else { step(x, mean) }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::RngExt;

    /// (value, orders) of three groups, a small one of the best, whose two indicators move together.
    fn shop() -> (Vec<f64>, Vec<usize>) {
        let mut rng = Seed(3).rng();
        let mut wiggle = || (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0;
        let mut values = Vec::new();
        let mut group = Vec::new();
        for i in 0..900 {
            let g = [0, 1, 1, 2, 2, 2, 2, 2, 2][i % 9];
            let (a, b) = (wiggle(), wiggle());
            // logarithms around 7, 4.5 and 2, and orders that follow the value within a group
            values.extend([(7.0 - 2.5 * g as f64 + 0.4 * a).exp(), (3.0 - 0.5 * g as f64 + 0.3 * a + 0.1 * b).exp()]);
            group.push(g);
        }
        (values, group)
    }

    #[test]
    fn clouds_are_ordered_by_the_first_indicator_whatever_they_look_like() {
        let (v, group) = shop();
        for covariance in [Covariance::Tied, Covariance::Full] {
            let c = Clouds::fit(&v, 2, 3, covariance, Scaling::Log1p, Seed(1));
            let right = v.chunks_exact(2).zip(&group).filter(|(r, g)| c.tier(r) == **g).count();
            assert!(right > 880, "{covariance:?}: {right} of 900");
            assert_eq!(c.tier, [0, 1, 2]);
        }
    }

    #[test]
    fn the_criterion_finds_how_many_groups_there_are() {
        let (v, _) = shop();
        let chosen = choose(&v, 2, 8, Covariance::Tied, Scaling::Log1p, Seed(1));
        assert_eq!((chosen.k, chosen.tried.len()), (3, 8), "{:?}", chosen.tried);
        let nobody = choose(&[], 1, 8, Covariance::Tied, Scaling::Log1p, Seed(1));
        assert_eq!(nobody.k, 2);
    }

    #[test]
    fn by_one_indicator_whoever_is_worth_more_is_in_no_worse_tier() {
        let (v, _) = shop();
        let worth: Vec<f64> = v.iter().step_by(2).copied().collect();
        let c = Clouds::fit(&worth, 1, 4, Covariance::Tied, Scaling::Log1p, Seed(1));
        let mut last = usize::MAX;
        for step in 0..2_000 {
            let tier = c.tier(&[(f64::from(step) * 0.01).exp_m1()]);
            assert!(tier <= last, "a value of {} falls from tier {last} to {tier}", (f64::from(step) * 0.01).exp_m1());
            last = tier;
        }
        assert_eq!(last, 0);
    }

    #[test]
    fn a_customer_between_two_clouds_stays_where_she_was() {
        let (v, _) = shop();
        let worth: Vec<f64> = v.iter().step_by(2).copied().collect();
        let c = Clouds::fit(&worth, 1, 3, Covariance::Tied, Scaling::Log1p, Seed(1));
        let border = (1..1_000_000).map(|i| f64::from(i) * 0.01).find(|&x| c.tier(&[x]) == 1).expect("a second tier");
        assert_eq!(c.tier_after(&[border * 1.02], 2, 0.1), 2, "over the border, but not clearly");
        assert_eq!(c.tier_after(&[border * 2.0], 2, 0.1), 1);
        assert_eq!(c.tier_after(&[border * 0.98], 1, 0.1), 1, "below the border, but not clearly");
        assert_eq!(c.tier_after(&[border * 2.0], 7, 0.1), 1, "a tier that is gone keeps nobody");
    }

    #[test]
    fn fewer_distinct_customers_than_tiers_take_the_ends() {
        let c = Clouds::fit(&[1.0, 1.0, 9.0], 1, 5, Covariance::Tied, Scaling::Log1p, Seed(1));
        assert_eq!((c.tier(&[9.0]), c.tier(&[1.0])), (0, 4));
        assert!(Clouds::fit(&[], 1, 5, Covariance::Tied, Scaling::Log1p, Seed(1)).tier.is_empty());
    }
}
