//! One pass of expectation and maximisation after the other.

use rayon::prelude::*;

use super::{Covariance, GaussianMixture, Mixture};
use crate::linalg::{BLOCK, Cholesky, dot, sum_rows};
use crate::points::Points;

/// Where a start led.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) mixture: Mixture,
    /// Mean over the points, of the parameters before the last update.
    pub(super) log_likelihood: f64,
    pub(super) iterations: u32,
    pub(super) converged: bool,
}

/// Where every point belongs.
#[derive(Debug, Default)]
pub(super) struct Labelled {
    /// Most probable cloud, the first of equals.
    pub(super) labels: Vec<u32>,
    /// Probability of that cloud.
    pub(super) probability: Vec<f64>,
    /// Log-likelihood of all points.
    pub(super) log_likelihood: f64,
}

/// Improves the parameters until the likelihood comes to rest.
pub(super) fn run(points: Points<'_>, start: Mixture, how: &GaussianMixture) -> Run {
    let mut run = Run { mixture: start, log_likelihood: f64::NEG_INFINITY, iterations: 0, converged: false };
    while run.iterations < how.max_iterations.max(1) && !run.converged {
        run.iterations += 1;
        let sums = run.mixture.expect(points);
        let mean = sums[0] / points.len() as f64;
        run.converged = (mean - run.log_likelihood).abs() < how.tolerance;
        run.log_likelihood = mean;
        run.mixture = run.mixture.maximise(&sums[1..], points.len() as f64, how.regularisation);
    }
    run
}

/// The clouds when every point belongs to one of them.
pub(super) fn from_labels(points: Points<'_>, labels: &[u32], centers: Vec<f64>, how: &GaussianMixture) -> Mixture {
    let p = points.width();
    let k = centers.len() / p;
    let start = Mixture {
        weights: vec![1.0 / k as f64; k],
        means: centers,
        width: p,
        covariance: how.covariance,
        covariances: Vec::new(),
    };
    let sums = start.sums(points, |rows, joint| {
        for (b, i) in rows.enumerate() {
            for c in 0..k {
                joint[c * BLOCK + b] = if labels[i] as usize == c { 0.0 } else { f64::NEG_INFINITY };
            }
        }
    });
    start.maximise(&sums[1..], points.len() as f64, how.regularisation)
}

/// A block of points in columns, and room for what is computed from it.
struct Room {
    /// p × BLOCK: differences from the mean.
    from_mean: Vec<f64>,
    /// p × BLOCK: the same in units of the cloud, or weighted.
    other: Vec<f64>,
    /// k × BLOCK: log of weight × density, then responsibilities.
    joint: Vec<f64>,
    /// BLOCK: log of the density, and what is largest on the way.
    total: Vec<f64>,
}

impl Mixture {
    pub(super) fn none(covariance: Covariance, width: usize) -> Mixture {
        Mixture { weights: Vec::new(), means: Vec::new(), width, covariance, covariances: Vec::new() }
    }

    /// Whether sums over pairs of coordinates are needed.
    fn is_matrix(&self) -> bool {
        matches!(self.covariance, Covariance::Full | Covariance::Tied)
    }

    /// Numbers per cloud among the sums: weight, differences, and their products.
    fn stride(&self) -> usize {
        let p = self.width;
        1 + p + if self.is_matrix() { p * p } else { p }
    }

    fn room(&self) -> Room {
        let zeros = |n: usize| vec![0.0; n * BLOCK];
        Room { from_mean: zeros(self.width), other: zeros(self.width), joint: zeros(self.k()), total: zeros(1) }
    }

    /// The clouds in ascending order of their means.
    pub(super) fn ordered(&self) -> Mixture {
        let mut order: Vec<usize> = (0..self.k()).collect();
        order.sort_by(|&a, &b| {
            let differ = self.mean(a).iter().zip(self.mean(b)).map(|(x, y)| x.total_cmp(y)).find(|o| o.is_ne());
            differ.unwrap_or(std::cmp::Ordering::Equal)
        });
        self.select(&order)
    }

    /// The log-likelihood, and per cloud the sums of its responsibilities, of differences and of their products.
    fn expect(&self, points: Points<'_>) -> Vec<f64> {
        let shapes = self.shapes();
        self.sums_with(points, |rows, room| self.log_joint_of_block(points, rows, &shapes, room))
    }

    /// The same where `fill` gives the logarithms of weight × density (k × BLOCK).
    fn sums(&self, points: Points<'_>, fill: impl Fn(std::ops::Range<usize>, &mut [f64]) + Sync) -> Vec<f64> {
        self.sums_with(points, |rows, room| fill(rows, &mut room.joint))
    }

    fn sums_with(&self, points: Points<'_>, fill: impl Fn(std::ops::Range<usize>, &mut Room) + Sync) -> Vec<f64> {
        let (p, stride) = (self.width, self.stride());
        sum_rows(
            points.len(),
            1 + self.k() * stride,
            || self.room(),
            |rows, sums, room| {
                let b = rows.len();
                fill(rows.clone(), room);
                sums[0] += responsibilities(&mut room.joint, &mut room.total, b);
                for (c, sums) in sums[1..].chunks_exact_mut(stride).enumerate() {
                    let r = &room.joint[c * BLOCK..][..b];
                    let weight: f64 = r.iter().sum();
                    if weight == 0.0 {
                        continue;
                    }
                    differences(points, rows.clone(), self.mean(c), &mut room.from_mean);
                    for (d, w) in room.from_mean.chunks_exact(BLOCK).zip(room.other.chunks_exact_mut(BLOCK)) {
                        w[..b].iter_mut().zip(&d[..b]).zip(r).for_each(|((w, d), r)| *w = d * r);
                    }
                    sums[0] += weight;
                    let (first, products) = sums[1..].split_at_mut(p);
                    for (sum, w) in first.iter_mut().zip(room.other.chunks_exact(BLOCK)) {
                        *sum += w[..b].iter().sum::<f64>();
                    }
                    for i in 0..p {
                        let w = &room.other[i * BLOCK..][..b];
                        if self.is_matrix() {
                            for j in 0..=i {
                                products[i * p + j] += dot(w, &room.from_mean[j * BLOCK..][..b]);
                            }
                        } else {
                            products[i] += dot(w, &room.from_mean[i * BLOCK..][..b]);
                        }
                    }
                }
            },
        )
    }

    /// The most likely clouds given the sums.
    fn maximise(&self, sums: &[f64], n: f64, regularisation: f64) -> Mixture {
        let (p, stride) = (self.width, self.stride());
        let mut next = Mixture { covariances: Vec::new(), ..self.clone() };
        let mut tied = vec![0.0; p * p];
        for (c, sums) in sums.chunks_exact(stride).enumerate() {
            // a cloud that lost all its points keeps its place, as one point's worth of nothing
            let weight = sums[0].max(10.0 * f64::EPSILON);
            let shift: Vec<f64> = sums[1..=p].iter().map(|s| s / weight).collect();
            next.weights[c] = weight / n;
            next.means[c * p..(c + 1) * p].iter_mut().zip(&shift).for_each(|(m, s)| *m += s);
            let products = &sums[1 + p..];
            let about_new = |i: usize, j: usize| products[i * p + j] / weight - shift[i] * shift[j];
            match self.covariance {
                Covariance::Full => {
                    let ridge = |i: usize, j: usize| if i == j { regularisation } else { 0.0 };
                    let entry = |i: usize, j: usize| about_new(i.max(j), i.min(j)) + ridge(i, j);
                    next.covariances.extend((0..p * p).map(|at| entry(at / p, at % p)));
                }
                Covariance::Tied => {
                    for i in 0..p {
                        for j in 0..p {
                            tied[i * p + j] += weight * about_new(i.max(j), i.min(j));
                        }
                    }
                }
                Covariance::Diagonal | Covariance::Spherical => {
                    let variance = |j: usize| (products[j] / weight - shift[j] * shift[j]).max(0.0) + regularisation;
                    if self.covariance == Covariance::Diagonal {
                        next.covariances.extend((0..p).map(variance));
                    } else {
                        next.covariances.push((0..p).map(variance).sum::<f64>() / p as f64);
                    }
                }
            }
        }
        if self.covariance == Covariance::Tied {
            let ridge = |at: usize| if at / p == at % p { regularisation } else { 0.0 };
            next.covariances = tied.iter().enumerate().map(|(at, v)| v / n + ridge(at)).collect();
        }
        let total: f64 = next.weights.iter().sum();
        next.weights.iter_mut().for_each(|w| *w /= total);
        next
    }

    /// What turns differences into units of each cloud.
    fn shapes(&self) -> Vec<Shape> {
        let p = self.width;
        // the ridge on the diagonal is the least eigenvalue; whatever is below is rounding error
        let matrix = |m: &[f64]| Shape::Matrix(Cholesky::with_floor(m.to_vec(), p, least_diagonal(m, p)));
        match self.covariance {
            Covariance::Full => self.covariances.chunks_exact(p * p).map(matrix).collect(),
            Covariance::Tied => self.covariances.chunks_exact(p * p).map(matrix).collect(),
            Covariance::Diagonal => {
                self.covariances.chunks_exact(p).map(|v| Shape::Axes(v.iter().map(|v| v.sqrt()).collect())).collect()
            }
            Covariance::Spherical => self.covariances.iter().map(|v| Shape::Axes(vec![v.sqrt(); p])).collect(),
        }
    }

    /// log(weight × density) of the points for every cloud, into `room.joint`.
    fn log_joint_of_block(&self, points: Points<'_>, rows: std::ops::Range<usize>, shapes: &[Shape], room: &mut Room) {
        let (p, b) = (self.width, rows.len());
        let constant = p as f64 * (2.0 * std::f64::consts::PI).ln();
        for c in 0..self.k() {
            let shape = &shapes[if self.covariance == Covariance::Tied { 0 } else { c }];
            differences(points, rows.clone(), self.mean(c), &mut room.from_mean);
            let log_size = shape.units(&mut room.from_mean, p, b);
            let out = &mut room.joint[c * BLOCK..][..b];
            out.fill(0.0);
            for z in room.from_mean.chunks_exact(BLOCK).take(p) {
                out.iter_mut().zip(z).for_each(|(o, z)| *o += z * z);
            }
            let log_weight = self.weights[c].ln();
            // a point beyond all numbers is infinitely unlikely in every cloud, which no share could be made of
            out.iter_mut().for_each(|o| *o = log_weight - log_size - 0.5 * (o.min(1e300) + constant));
        }
    }

    /// The most probable cloud of every point.
    pub(super) fn label(&self, points: Points<'_>) -> Labelled {
        let shapes = self.shapes();
        let starts: Vec<usize> = (0..points.len()).step_by(BLOCK).collect();
        let one = |room: &mut Room, start: usize| {
            let rows = start..(start + BLOCK).min(points.len());
            let b = rows.len();
            self.log_joint_of_block(points, rows, &shapes, room);
            let log_likelihood = responsibilities(&mut room.joint, &mut room.total, b);
            let at = |c: usize, i: usize| room.joint[c * BLOCK + i];
            let best = |i| (1..self.k()).fold(0, |best, c| if at(c, i) > at(best, i) { c } else { best }) as u32;
            let labels: Vec<u32> = (0..b).map(best).collect();
            let probability = labels.iter().enumerate().map(|(i, &l)| at(l as usize, i)).collect();
            Labelled { labels, probability, log_likelihood }
        };
        let blocks: Vec<Labelled> = starts.into_par_iter().with_min_len(16).map_init(|| self.room(), one).collect();
        blocks.into_iter().fold(Labelled::default(), |mut all, block| {
            all.labels.extend(block.labels);
            all.probability.extend(block.probability);
            all.log_likelihood += block.log_likelihood;
            all
        })
    }

    /// log(weight × density) of one point for every cloud.
    pub(super) fn log_joint_of(&self, point: &[f64]) -> Vec<f64> {
        let mut room = self.room();
        self.log_joint_of_block(Points::new(point, self.width), 0..1, &self.shapes(), &mut room);
        room.joint.chunks_exact(BLOCK).map(|j| j[0]).collect()
    }
}

/// What turns differences into units of a cloud.
enum Shape {
    Matrix(Cholesky),
    /// Standard deviations.
    Axes(Vec<f64>),
}

impl Shape {
    /// Turns p × BLOCK differences, of which `b` of each row count, into units of the cloud; gives the logarithm of its size.
    fn units(&self, d: &mut [f64], p: usize, b: usize) -> f64 {
        match self {
            Shape::Axes(deviations) => {
                for (row, s) in d.chunks_exact_mut(BLOCK).zip(deviations) {
                    row[..b].iter_mut().for_each(|x| *x /= s);
                }
                deviations.iter().map(|s| s.ln()).sum()
            }
            Shape::Matrix(factor) => {
                // forward substitution of all points of the block at once
                let mut log_size = 0.0;
                for i in 0..p {
                    let l = factor.lower_row(i);
                    let (done, rest) = d.split_at_mut(i * BLOCK);
                    let own = &mut rest[..b];
                    for (z, &l) in done.chunks_exact(BLOCK).zip(l) {
                        own.iter_mut().zip(z).for_each(|(x, z)| *x -= l * z);
                    }
                    let scale = 1.0 / l[i];
                    own.iter_mut().for_each(|x| *x *= scale);
                    log_size += l[i].ln();
                }
                log_size
            }
        }
    }
}

fn least_diagonal(matrix: &[f64], p: usize) -> f64 {
    let least = (0..p).map(|i| matrix[i * p + i]).fold(f64::INFINITY, f64::min);
    (least * f64::EPSILON).max(f64::MIN_POSITIVE)
}

/// Points less the mean, one coordinate after the other.
fn differences(points: Points<'_>, rows: std::ops::Range<usize>, mean: &[f64], out: &mut [f64]) {
    let p = mean.len();
    let values = &points.values()[rows.start * p..rows.end * p];
    for (i, row) in values.chunks_exact(p).enumerate() {
        for ((j, x), m) in row.iter().enumerate().zip(mean) {
            out[j * BLOCK + i] = x - m;
        }
    }
}

/// Turns log(weight × density) of `b` points into probabilities, and gives the sum of the points' log-densities.
fn responsibilities(joint: &mut [f64], total: &mut [f64], b: usize) -> f64 {
    let top = &mut total[..b];
    top.fill(f64::NEG_INFINITY);
    for row in joint.chunks_exact(BLOCK) {
        top.iter_mut().zip(row).for_each(|(t, x)| *t = t.max(*x));
    }
    let mut sum = [0.0; BLOCK];
    for row in joint.chunks_exact_mut(BLOCK) {
        for ((x, t), s) in row[..b].iter_mut().zip(top.iter()).zip(&mut sum) {
            *x = (*x - t).exp();
            *s += *x;
        }
    }
    for row in joint.chunks_exact_mut(BLOCK) {
        row[..b].iter_mut().zip(&sum).for_each(|(x, s)| *x /= s);
    }
    top.iter().zip(&sum).map(|(t, s)| t + s.ln()).sum()
}
