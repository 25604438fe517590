//! k-means: points to their nearest of k centres, centres to the mean of their points.
//!
//! The one idea is to spend distance computations only where they can change something. Greedy k-means++ starts well
//! (Arthur & Vassilvitskii 2007; the best of 2 + ln k proposals per centre, Celebi et al. 2013), several restarts guard
//! against a bad start, and Hamerly's two bounds per point (2010) skip most distances afterwards.
//!
//! With many points the restarts run on a seeded sample, and only the best of them is finished on all points. Sums are
//! taken over fixed chunks in a fixed order, so results are the same bits at any number of threads.

use guike_core::Seed;
use rand::RngExt;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::points::{Points, sample_rows, squared_distance};

/// How to cluster.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct KMeans {
    /// Number of clusters, at least 1.
    pub k: usize,
    /// Number of starts; the one of least inertia wins. At least 5 by experience, 10 by default.
    pub restarts: u32,
    /// Most passes over the points per start.
    pub max_iterations: u32,
    /// Stop when no centre moved by more than this share of the data's standard deviation.
    pub tolerance: f64,
    /// With more points than this the restarts run on a sample of this size.
    pub sample: usize,
}

impl Default for KMeans {
    fn default() -> KMeans {
        KMeans { k: 5, restarts: 10, max_iterations: 300, tolerance: 1e-6, sample: 20_000 }
    }
}

/// The clusters found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KMeansFit {
    /// Centres, row by row, in ascending order of their coordinates.
    pub centers: Vec<f64>,
    /// Coordinates per centre.
    pub width: usize,
    /// Cluster of every point.
    pub labels: Vec<u32>,
    /// Sum of squared distances to the own centre.
    pub inertia: f64,
    /// Passes of the final run over all points.
    pub iterations: u32,
    /// Whether the final run came to rest.
    pub converged: bool,
    /// Number of points that the restarts saw, where that was a sample.
    pub sampled: Option<usize>,
}

impl KMeansFit {
    /// Number of clusters; fewer than asked for when there were fewer distinct points.
    pub fn k(&self) -> usize {
        self.centers.len() / self.width
    }

    /// The nearest centre to a point; ties go to the first.
    pub fn assign(&self, point: &[f64]) -> u32 {
        nearest(point, Points::new(&self.centers, self.width)).0 as u32
    }
}

/// Points per piece of parallel work: fixed, so that sums never depend on the number of threads.
const CHUNK: usize = 4096;

impl KMeans {
    /// Clusters the points; an empty set gives no cluster.
    ///
    /// ```
    /// use guike_core::Seed;
    /// use guike_learn::{KMeans, Points};
    /// let fit = KMeans { k: 2, ..Default::default() }.fit(Points::new(&[0.0, 0.1, 9.0, 9.2], 1), Seed(1));
    /// assert_eq!(fit.labels, vec![0, 0, 1, 1]);
    /// assert!((fit.inertia - 0.025).abs() < 1e-12);
    /// ```
    pub fn fit(&self, points: Points<'_>, seed: Seed) -> KMeansFit {
        let seed = seed.derive("k-means");
        let n = points.len();
        if n == 0 {
            return self.result(
                points,
                Run { centers: Vec::new(), labels: Vec::new(), inertia: 0.0, iterations: 0, converged: true },
                None,
            );
        }
        let sampled = (n > self.sample).then_some(self.sample.max(self.k));
        let sample_values = sampled.map(|size| points.gather(&sample_rows(n, size, seed.derive("sample"))));
        let tried = sample_values.as_ref().map_or(points, |v| Points::new(v, points.width()));
        let tolerance = self.tolerance * mean_variance(tried).sqrt();
        let runs: Vec<Run> = (0..u64::from(self.restarts.max(1)))
            .into_par_iter()
            .map(|r| {
                let start = greedy_plus_plus(tried, self.k.max(1), seed.derive("restart").at(r));
                lloyd(tried, start, self.max_iterations, tolerance)
            })
            .collect();
        let best =
            runs.into_iter().reduce(|a, b| if b.inertia < a.inertia { b } else { a }).expect("at least one start");
        let best = if sampled.is_some() { lloyd(points, best.centers, self.max_iterations, tolerance) } else { best };
        self.result(points, best, sampled)
    }

    /// Clusters in ascending order of their centres: a name that does not depend on the start.
    fn result(&self, points: Points<'_>, run: Run, sampled: Option<usize>) -> KMeansFit {
        let p = points.width();
        let k = run.centers.len() / p;
        let center = |c: usize| &run.centers[c * p..(c + 1) * p];
        let mut order: Vec<usize> = (0..k).collect();
        order.sort_by(|&a, &b| {
            let differ = center(a).iter().zip(center(b)).map(|(x, y)| x.total_cmp(y)).find(|o| o.is_ne());
            differ.unwrap_or(std::cmp::Ordering::Equal)
        });
        let mut new_name = vec![0u32; k];
        order.iter().enumerate().for_each(|(new, &old)| new_name[old] = new as u32);
        KMeansFit {
            centers: order.iter().flat_map(|&c| center(c)).copied().collect(),
            width: p,
            labels: run.labels.iter().map(|&l| new_name[l as usize]).collect(),
            inertia: run.inertia,
            iterations: run.iterations,
            converged: run.converged,
            sampled,
        }
    }
}

struct Run {
    centers: Vec<f64>,
    labels: Vec<u32>,
    inertia: f64,
    iterations: u32,
    converged: bool,
}

fn mean_variance(points: Points<'_>) -> f64 {
    let (n, p) = (points.len() as f64, points.width());
    let mut mean = vec![0.0; p];
    for row in points.values().chunks_exact(p) {
        mean.iter_mut().zip(row).for_each(|(m, x)| *m += x / n);
    }
    points.values().chunks_exact(p).map(|row| squared_distance(row, &mean)).sum::<f64>() / n / p as f64
}

/// Nearest and second-nearest centre: index, squared distance, second squared distance.
fn nearest(point: &[f64], centers: Points<'_>) -> (usize, f64, f64) {
    let (mut at, mut best, mut second) = (0, f64::INFINITY, f64::INFINITY);
    for c in 0..centers.len() {
        let d = squared_distance(point, centers.row(c));
        if d < best {
            second = best;
            (at, best) = (c, d);
        } else if d < second {
            second = d;
        }
    }
    (at, best, second)
}

/// Greedy k-means++, the best of some proposals for every centre: what Lloyd's iteration begins well at.
fn greedy_plus_plus(points: Points<'_>, k: usize, seed: Seed) -> Vec<f64> {
    plus_plus(points, k, 2 + (k as f64).ln() as usize, seed)
}

/// The labels and centres of one draw of k-means++ (Arthur & Vassilvitskii 2007): points drawn far from each other, and
/// everybody to the nearest.
pub(crate) fn drawn_apart(points: Points<'_>, k: usize, seed: Seed) -> (Vec<u32>, Vec<f64>) {
    let centers = plus_plus(points, k, 1, seed);
    let c = Points::new(&centers, points.width());
    let labels = points.values().chunks_exact(points.width()).map(|row| nearest(row, c).0 as u32).collect();
    (labels, centers)
}

/// k-means++ with this many proposals per centre: fewer centres when there are fewer distinct points.
fn plus_plus(points: Points<'_>, k: usize, proposals: usize, seed: Seed) -> Vec<f64> {
    let mut rng = seed.rng();
    let n = points.len();
    let mut centers = points.row(rng.random_range(0..n)).to_vec();
    let mut distance: Vec<f64> = (0..n).map(|i| squared_distance(points.row(i), &centers)).collect();
    for _ in 1..k {
        let mut cumulative = Vec::with_capacity(n);
        let mut total = 0.0;
        for &d in &distance {
            total += d;
            cumulative.push(total);
        }
        if total <= 0.0 {
            break;
        }
        let mut best: Option<(f64, Vec<f64>, usize)> = None;
        for _ in 0..proposals {
            let target = rng.random::<f64>() * total;
            let i = cumulative.partition_point(|&c| c <= target).min(n - 1);
            let row = points.row(i);
            let after: Vec<f64> = (0..n).map(|j| distance[j].min(squared_distance(points.row(j), row))).collect();
            let potential: f64 = after.iter().sum();
            if best.as_ref().is_none_or(|b| potential < b.0) {
                best = Some((potential, after, i));
            }
        }
        let (_, after, i) = best.expect("at least one proposal was made");
        distance = after;
        centers.extend_from_slice(points.row(i));
    }
    centers
}

/// Lloyd's iteration with Hamerly's bounds.
fn lloyd(points: Points<'_>, mut centers: Vec<f64>, max_iterations: u32, tolerance: f64) -> Run {
    let (n, p) = (points.len(), points.width());
    let k = centers.len() / p;
    // per point: own centre, upper bound to it, lower bound to every other
    let mut state: Vec<(u32, f64, f64)> = vec![(0, f64::INFINITY, 0.0); n];
    let (mut iterations, mut converged) = (0, false);
    while iterations < max_iterations.max(1) {
        iterations += 1;
        let spread = half_gaps(Points::new(&centers, p));
        assign_all(points, &centers, &spread, &mut state);
        let moved = update(points, &state, &mut centers);
        let (first, second, first_at) = two_largest(&moved);
        if first <= tolerance {
            converged = true;
            break;
        }
        state.par_chunks_mut(CHUNK).for_each(|chunk| {
            for s in chunk {
                s.1 += moved[s.0 as usize];
                s.2 -= if s.0 as usize == first_at { second } else { first };
            }
        });
    }
    debug_assert!(k > 0, "points have at least one centre");
    // last: everybody to the nearest of the final centres, with exact distances
    let c = Points::new(&centers, p);
    let exact: Vec<(Vec<u32>, f64)> = points
        .values()
        .par_chunks(CHUNK * p)
        .map(|chunk| {
            let mut sum = 0.0;
            let labels = chunk
                .chunks_exact(p)
                .map(|row| {
                    let (at, d, _) = nearest(row, c);
                    sum += d;
                    at as u32
                })
                .collect();
            (labels, sum)
        })
        .collect();
    let inertia = exact.iter().map(|e| e.1).sum();
    Run { labels: exact.into_iter().flat_map(|e| e.0).collect(), centers, inertia, iterations, converged }
}

/// Half the distance from each centre to its nearest other.
fn half_gaps(centers: Points<'_>) -> Vec<f64> {
    let k = centers.len();
    (0..k)
        .map(|a| {
            let nearest = (0..k)
                .filter(|&b| b != a)
                .map(|b| squared_distance(centers.row(a), centers.row(b)))
                .fold(f64::INFINITY, f64::min);
            nearest.sqrt() / 2.0
        })
        .collect()
}

fn assign_all(points: Points<'_>, centers: &[f64], spread: &[f64], state: &mut [(u32, f64, f64)]) {
    let p = points.width();
    let c = Points::new(centers, p);
    state.par_chunks_mut(CHUNK).zip(points.values().par_chunks(CHUNK * p)).for_each(|(states, rows)| {
        for (s, row) in states.iter_mut().zip(rows.chunks_exact(p)) {
            let bound = s.2.max(spread[s.0 as usize]);
            if s.1 <= bound {
                continue;
            }
            s.1 = squared_distance(row, c.row(s.0 as usize)).sqrt();
            if s.1 <= bound {
                continue;
            }
            let (at, d, second) = nearest(row, c);
            *s = (at as u32, d.sqrt(), second.sqrt());
        }
    });
}

/// Moves every centre to the mean of its points; an empty cluster takes the point farthest from its centre. Gives how far
/// each centre moved.
fn update(points: Points<'_>, state: &[(u32, f64, f64)], centers: &mut [f64]) -> Vec<f64> {
    let p = points.width();
    let k = centers.len() / p;
    let partial: Vec<(Vec<f64>, Vec<u64>)> = points
        .values()
        .par_chunks(CHUNK * p)
        .zip(state.par_chunks(CHUNK))
        .map(|(rows, states)| {
            let (mut sums, mut counts) = (vec![0.0; k * p], vec![0u64; k]);
            for (row, s) in rows.chunks_exact(p).zip(states) {
                let c = s.0 as usize;
                counts[c] += 1;
                sums[c * p..(c + 1) * p].iter_mut().zip(row).for_each(|(t, x)| *t += x);
            }
            (sums, counts)
        })
        .collect();
    let (mut sums, mut counts) = (vec![0.0; k * p], vec![0u64; k]);
    for (s, c) in &partial {
        sums.iter_mut().zip(s).for_each(|(t, x)| *t += x);
        counts.iter_mut().zip(c).for_each(|(t, x)| *t += x);
    }
    let mut taken: Vec<usize> = Vec::new();
    (0..k)
        .map(|c| {
            let target: Vec<f64> = if counts[c] > 0 {
                sums[c * p..(c + 1) * p].iter().map(|s| s / counts[c] as f64).collect()
            } else {
                let distance = |i: usize| squared_distance(points.row(i), &centers[state[i].0 as usize * p..][..p]);
                let far = (0..points.len())
                    .filter(|i| !taken.contains(i))
                    .max_by(|&a, &b| distance(a).total_cmp(&distance(b)).then(b.cmp(&a)))
                    .expect("more points than centres");
                taken.push(far);
                points.row(far).to_vec()
            };
            let own = &mut centers[c * p..(c + 1) * p];
            let moved = squared_distance(own, &target).sqrt();
            own.copy_from_slice(&target);
            moved
        })
        .collect()
}

/// Largest and second-largest value and where the largest is.
fn two_largest(v: &[f64]) -> (f64, f64, usize) {
    let (mut first, mut second, mut at) = (0.0, 0.0, 0);
    for (i, &x) in v.iter().enumerate() {
        if x > first {
            second = first;
            (first, at) = (x, i);
        } else if x > second {
            second = x;
        }
    }
    (first, second, at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blobs(n: usize, p: usize) -> Vec<f64> {
        let mut rng = Seed(5).rng();
        (0..n)
            .flat_map(|i| {
                let c = (i % 4) as f64 * 10.0;
                (0..p).map(|_| c + rng.random::<f64>() * 4.0).collect::<Vec<_>>()
            })
            .collect()
    }

    fn plain_lloyd(points: Points<'_>, mut centers: Vec<f64>) -> f64 {
        let p = points.width();
        let mut last = f64::INFINITY;
        loop {
            let c = Points::new(&centers, p);
            let labels: Vec<(usize, f64)> =
                (0..points.len()).map(|i| nearest(points.row(i), c)).map(|x| (x.0, x.1)).collect();
            let inertia: f64 = labels.iter().map(|l| l.1).sum();
            if inertia >= last {
                return inertia;
            }
            last = inertia;
            let k = c.len();
            let mut next = vec![0.0; k * p];
            let mut count = vec![0.0; k];
            for (i, l) in labels.iter().enumerate() {
                count[l.0] += 1.0;
                (0..p).for_each(|j| next[l.0 * p + j] += points.row(i)[j]);
            }
            (0..k * p).for_each(|j| next[j] /= f64::max(count[j / p], 1.0));
            centers = next;
        }
    }

    #[test]
    fn hamerlys_bounds_change_nothing_but_time() {
        let v = blobs(3000, 3);
        let points = Points::new(&v, 3);
        for s in 0..5 {
            let start = greedy_plus_plus(points, 6, Seed(s));
            let fast = lloyd(points, start.clone(), 1000, 0.0);
            assert!(fast.converged);
            assert!((fast.inertia / plain_lloyd(points, start) - 1.0).abs() < 1e-9);
        }
    }

    #[test]
    fn a_sample_finds_the_same_blobs() {
        let v = blobs(10_000, 2);
        let fit = KMeans { k: 4, sample: 500, ..Default::default() }.fit(Points::new(&v, 2), Seed(1));
        assert_eq!(fit.sampled, Some(500));
        assert!((0..10_000).all(|i| fit.labels[i] as usize == i % 4));
        assert_eq!(fit.assign(&[31.0, 31.0]), 3);
    }

    #[test]
    fn fewer_distinct_points_give_fewer_clusters() {
        let fit = KMeans::default().fit(Points::new(&[1.0, 1.0, 2.0, 2.0, 2.0], 1), Seed(1));
        assert_eq!((fit.k(), fit.inertia), (2, 0.0));
        assert_eq!(fit.labels, vec![0, 0, 1, 1, 1]);
        assert_eq!(KMeans::default().fit(Points::new(&[], 2), Seed(1)).k(), 0);
    }

    #[test]
    fn one_thread_and_many_give_the_same_bits() {
        let v = blobs(9000, 2);
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a thread pool");
            pool.install(|| KMeans { k: 7, ..Default::default() }.fit(Points::new(&v, 2), Seed(9)))
        };
        assert_eq!(run(1), run(3));
    }
}
