//! Customers grouped to distinct histories (x, t_x, T), because equal histories have equal likelihoods.
//!
//! The one idea: shops count in whole days, so a million customers share a few hundred thousand histories, a few dozen
//! values of x and a few hundred values of time. [`Grouped`] holds the distinct histories sorted by x, then T, then
//! t_x, each with its number of customers, and keeps times as indices into one table of distinct times, so that a
//! likelihood takes logarithms once per distinct time instead of once per customer. Sorting also makes every sum
//! independent of the order of customers.
//!
//! It knows no model and drops no customer: [`Grouped::spread`] gives each customer its group's value.

use std::ops::Range;

/// Days in the models' unit of time, the week.
pub const DAYS_PER_WEEK: f64 = 7.0;

/// What count models see of a customer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct History {
    /// Repeat purchases `x`.
    pub x: u32,
    /// Time from the first to the last purchase `t_x`; 0 without a repeat.
    pub t_x: f64,
    /// Time from the first purchase to the cutoff `T ≥ t_x`, in the same unit.
    pub age: f64,
}

/// A table that does not describe customers.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum HistoryError {
    /// Columns of different lengths.
    #[error("{repeats} repeat counts, {recencies} recencies and {ages} ages; the three must be as many")]
    Ragged {
        /// Number of x.
        repeats: usize,
        /// Number of t_x.
        recencies: usize,
        /// Number of T.
        ages: usize,
    },
    /// Times that no customer can have.
    #[error("customer {row} has recency {recency} at age {age}; need 0 ≤ recency ≤ age, both finite")]
    Times {
        /// The row.
        row: usize,
        /// Its t_x.
        recency: f64,
        /// Its T.
        age: f64,
    },
}

/// Distinct histories with the number of customers of each, sorted by (x, T, t_x).
#[derive(Debug, Clone)]
pub struct Grouped {
    x: Vec<u32>,
    recency_idx: Vec<u32>,
    age_idx: Vec<u32>,
    weight: Vec<f64>,
    times: Vec<f64>,
    runs: Vec<(u32, Range<usize>)>,
    group_of: Vec<u32>,
}

impl Grouped {
    /// Groups customers whose times are days, measuring time in weeks.
    ///
    /// # Errors
    /// [`HistoryError`] when lengths differ or a time is negative, not finite, or a recency exceeds its age.
    ///
    /// ```
    /// use guike_btyd::grouped::{Grouped, History};
    /// let g = Grouped::from_days(&[2, 0, 2], &[14.0, 0.0, 14.0], &[70.0, 35.0, 70.0]).unwrap();
    /// assert_eq!((g.len(), g.n_customers()), (2, 3));
    /// assert_eq!(g.history(1), History { x: 2, t_x: 2.0, age: 10.0 });
    /// assert_eq!(g.spread(&[0.5, 0.9]), vec![0.9, 0.5, 0.9]);
    /// assert!(Grouped::from_days(&[1], &[9.0], &[7.0]).is_err());
    /// ```
    pub fn from_days(repeats: &[u32], recency_days: &[f64], age_days: &[f64]) -> Result<Grouped, HistoryError> {
        Self::scaled(repeats, recency_days, age_days, DAYS_PER_WEEK)
    }

    /// Groups customers whose times are already in the models' unit.
    ///
    /// # Errors
    /// As [`Grouped::from_days`].
    pub fn new(repeats: &[u32], recency: &[f64], age: &[f64]) -> Result<Grouped, HistoryError> {
        Self::scaled(repeats, recency, age, 1.0)
    }

    fn scaled(repeats: &[u32], recency: &[f64], age: &[f64], unit: f64) -> Result<Grouped, HistoryError> {
        let n = repeats.len();
        if recency.len() != n || age.len() != n {
            return Err(HistoryError::Ragged { repeats: n, recencies: recency.len(), ages: age.len() });
        }
        assert!(u32::try_from(n).is_ok(), "customers are indexed by 32 bits");
        match WholeDays::scan(repeats, recency, age)? {
            Some(days) => Ok(group_whole_days(repeats, recency, age, days, unit)),
            None => Ok(group_any_times(repeats, recency, age, unit)),
        }
    }

    /// Number of distinct histories.
    pub fn len(&self) -> usize {
        self.x.len()
    }

    /// Whether there is no customer.
    pub fn is_empty(&self) -> bool {
        self.x.is_empty()
    }

    /// Number of customers.
    pub fn n_customers(&self) -> usize {
        self.group_of.len()
    }

    /// The distinct history of group `group`.
    pub fn history(&self, group: usize) -> History {
        History {
            x: self.x[group],
            t_x: self.times[self.recency_idx[group] as usize],
            age: self.times[self.age_idx[group] as usize],
        }
    }

    /// All distinct histories with their number of customers, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (History, f64)> + '_ {
        (0..self.len()).map(|g| (self.history(g), self.weight[g]))
    }

    /// Number of customers of each group.
    pub fn weights(&self) -> &[f64] {
        &self.weight
    }

    /// The distinct times, ascending, to which [`Grouped::recency_idx`] and [`Grouped::age_idx`] point.
    pub fn times(&self) -> &[f64] {
        &self.times
    }

    /// Per group, the place of t_x in [`Grouped::times`].
    pub fn recency_idx(&self) -> &[u32] {
        &self.recency_idx
    }

    /// Per group, the place of T in [`Grouped::times`].
    pub fn age_idx(&self) -> &[u32] {
        &self.age_idx
    }

    /// The distinct x in ascending order, each with its range of groups.
    pub fn runs(&self) -> &[(u32, Range<usize>)] {
        &self.runs
    }

    /// The largest x, 0 without customers.
    pub fn max_x(&self) -> u32 {
        self.runs.last().map_or(0, |(x, _)| *x)
    }

    /// Per customer, its group.
    pub fn group_of(&self) -> &[u32] {
        &self.group_of
    }

    /// Each customer gets its group's value.
    ///
    /// # Shapes      `per_group`: one value per group → one per customer
    pub fn spread<V: Copy>(&self, per_group: &[V]) -> Vec<V> {
        assert_eq!(per_group.len(), self.len(), "one value per group");
        self.group_of.iter().map(|&g| per_group[g as usize]).collect()
    }

    /// Number of customers that the groups stand for; unlike [`Grouped::n_customers`] also after coarsening.
    pub fn total_weight(&self) -> f64 {
        self.weight.iter().sum()
    }

    /// Number of customers with at least one repeat purchase.
    pub fn n_repeaters(&self) -> f64 {
        self.runs.iter().filter(|(x, _)| *x > 0).flat_map(|(_, r)| &self.weight[r.clone()]).sum()
    }

    /// Customers with more than 0, 1, 2 … repeat purchases, up to the largest x: the weights of the factors of
    /// Γ(r+x)/Γ(r).
    pub fn survivors(&self) -> Vec<f64> {
        let mut survivors = vec![0.0; self.max_x() as usize];
        for (x, run) in self.runs.iter().filter(|(x, _)| *x > 0) {
            survivors[*x as usize - 1] += self.weight[run.clone()].iter().sum::<f64>();
        }
        for x in (1..survivors.len()).rev() {
            survivors[x - 1] += survivors[x];
        }
        survivors
    }

    /// Weighted totals of x and T: the repeat purchases seen and the customer time watched.
    pub fn totals(&self) -> Totals {
        let mut totals = Totals { customers: 0.0, repeats: 0.0, recency: 0.0, age: 0.0 };
        for (h, w) in self.iter() {
            totals.customers += w;
            totals.repeats += w * f64::from(h.x);
            totals.recency += w * h.t_x;
            totals.age += w * h.age;
        }
        totals
    }

    /// Neighbouring groups of equal x merged, `factor` at a time, into their middle one.
    ///
    /// Neighbours have nearly the same T and t_x, so the likelihood of the merged groups has nearly the same maximum:
    /// a cheap place to take the first Newton steps. The result has no customers to spread to.
    #[must_use]
    pub fn coarsened(&self, factor: usize) -> Grouped {
        let mut coarse = Grouped { times: self.times.clone(), ..Grouped::without_groups() };
        for (x, run) in &self.runs {
            let begin = coarse.x.len();
            for start in run.clone().step_by(factor) {
                let end = (start + factor).min(run.end);
                let middle = usize::midpoint(start, end - 1);
                coarse.x.push(*x);
                coarse.recency_idx.push(self.recency_idx[middle]);
                coarse.age_idx.push(self.age_idx[middle]);
                coarse.weight.push(self.weight[start..end].iter().sum());
            }
            coarse.runs.push((*x, begin..coarse.x.len()));
        }
        coarse
    }

    fn without_groups() -> Grouped {
        Grouped {
            x: Vec::new(),
            recency_idx: Vec::new(),
            age_idx: Vec::new(),
            weight: Vec::new(),
            times: Vec::new(),
            runs: Vec::new(),
            group_of: Vec::new(),
        }
    }

    fn push(&mut self, x: u32, recency_idx: u32, age_idx: u32) {
        let g = self.x.len();
        match self.runs.last_mut() {
            Some((last, run)) if *last == x => run.end = g + 1,
            _ => self.runs.push((x, g..g + 1)),
        }
        self.x.push(x);
        self.recency_idx.push(recency_idx);
        self.age_idx.push(age_idx);
        self.weight.push(0.0);
    }
}

/// Weighted sums over customers, see [`Grouped::totals`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Totals {
    /// Customers.
    pub customers: f64,
    /// Σ x.
    pub repeats: f64,
    /// Σ t_x.
    pub recency: f64,
    /// Σ T.
    pub age: f64,
}

/// The widths of the columns when all times are whole numbers.
#[derive(Debug, Clone, Copy)]
struct WholeDays {
    max_x: u32,
    max_time: u32,
}

impl WholeDays {
    /// Checks every row; `None` when a time is not a whole number below 2²⁰.
    fn scan(repeats: &[u32], recency: &[f64], age: &[f64]) -> Result<Option<WholeDays>, HistoryError> {
        const LIMIT: f64 = 1_048_576.0;
        let (mut whole, mut max_time) = (true, 0.0_f64);
        for (row, (&t_x, &t)) in recency.iter().zip(age).enumerate() {
            if !(t_x >= 0.0 && t_x <= t && t < f64::INFINITY) {
                return Err(HistoryError::Times { row, recency: t_x, age: t });
            }
            whole &= t < LIMIT && f64::from(t as u32) == t && f64::from(t_x as u32) == t_x;
            max_time = max_time.max(t);
        }
        let max_x = repeats.iter().copied().max().unwrap_or(0);
        Ok(whole.then_some(WholeDays { max_x, max_time: max_time as u32 }))
    }
}

/// Bits needed for values up to `max`.
fn bits(max: u32) -> u32 {
    32 - max.leading_zeros()
}

/// One radix sort of packed (x, T, t_x, row) words.
fn group_whole_days(repeats: &[u32], recency: &[f64], age: &[f64], days: WholeDays, unit: f64) -> Grouped {
    let n = repeats.len();
    let (x_bits, time_bits, row_bits) = (bits(days.max_x), bits(days.max_time), bits(n.saturating_sub(1) as u32));
    let key_bits = x_bits + 2 * time_bits;
    if key_bits + row_bits > 64 {
        return group_any_times(repeats, recency, age, unit);
    }
    let word = |i: usize| {
        let key = (u64::from(repeats[i]) << (2 * time_bits)) | ((age[i] as u64) << time_bits) | recency[i] as u64;
        (key << row_bits) | i as u64
    };
    let sorted = radix_sort((0..n).map(word).collect(), row_bits, key_bits);

    let time_mask = (1_u64 << time_bits) - 1;
    let mut seen = vec![false; days.max_time as usize + 1];
    for (&t_x, &t) in recency.iter().zip(age) {
        seen[t as usize] = true;
        seen[t_x as usize] = true;
    }
    let mut place = vec![0_u32; seen.len()];
    let mut grouped = Grouped::without_groups();
    for (day, _) in seen.iter().enumerate().filter(|(_, s)| **s) {
        place[day] = grouped.times.len() as u32;
        grouped.times.push(day as f64 / unit);
    }
    grouped.group_of = vec![0; n];
    let mut last = u64::MAX;
    for word in sorted {
        let key = word >> row_bits;
        if key != last || grouped.x.is_empty() {
            last = key;
            let x = (key >> (2 * time_bits)) as u32;
            grouped.push(x, place[(key & time_mask) as usize], place[((key >> time_bits) & time_mask) as usize]);
        }
        let g = grouped.weight.len() - 1;
        grouped.weight[g] += 1.0;
        grouped.group_of[(word & ((1_u64 << row_bits) - 1)) as usize] = g as u32;
    }
    grouped
}

/// Sorts words by the `key_bits` bits above `skip_bits`; rows below stay in order because the sort is stable.
fn radix_sort(mut words: Vec<u64>, skip_bits: u32, key_bits: u32) -> Vec<u64> {
    const DIGIT_BITS: u32 = 11;
    if words.len() < 4096 {
        words.sort_unstable();
        return words;
    }
    let mut other = vec![0_u64; words.len()];
    let mut shift = skip_bits;
    while shift < skip_bits + key_bits {
        let digit = |w: u64| ((w >> shift) & ((1 << DIGIT_BITS) - 1)) as usize;
        let mut place = [0_u32; 1 << DIGIT_BITS];
        for &w in &words {
            place[digit(w)] += 1;
        }
        let mut total = 0;
        for p in &mut place {
            let count = *p;
            *p = total;
            total += count;
        }
        for &w in &words {
            let p = &mut place[digit(w)];
            other[*p as usize] = w;
            *p += 1;
        }
        std::mem::swap(&mut words, &mut other);
        shift += DIGIT_BITS;
    }
    words
}

/// The general way: a comparison sort.
fn group_any_times(repeats: &[u32], recency: &[f64], age: &[f64], unit: f64) -> Grouped {
    let n = repeats.len();
    let mut times: Vec<f64> = recency.iter().chain(age).copied().collect();
    times.sort_unstable_by(f64::total_cmp);
    times.dedup();
    let place = |t: f64| times.partition_point(|&s| s < t) as u32;
    let mut rows: Vec<(u32, u32, u32, u32)> =
        (0..n).map(|i| (repeats[i], place(age[i]), place(recency[i]), i as u32)).collect();
    rows.sort_unstable();
    let mut grouped = Grouped { group_of: vec![0; n], ..Grouped::without_groups() };
    let mut last = None;
    for (x, age_idx, recency_idx, row) in rows {
        if last != Some((x, age_idx, recency_idx)) {
            last = Some((x, age_idx, recency_idx));
            grouped.push(x, recency_idx, age_idx);
        }
        let g = grouped.weight.len() - 1;
        grouped.weight[g] += 1.0;
        grouped.group_of[row as usize] = g as u32;
    }
    grouped.times = times.into_iter().map(|t| t / unit).collect();
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(x: &[u32], recency: &[f64], age: &[f64], unit: f64) {
        let g = Grouped::scaled(x, recency, age, unit).expect("valid");
        assert_eq!(g.weights().iter().sum::<f64>(), x.len() as f64, "every customer is in a group");
        for (i, &group) in g.group_of().iter().enumerate() {
            let expected = History { x: x[i], t_x: recency[i] / unit, age: age[i] / unit };
            assert_eq!(g.history(group as usize), expected, "customer {i}");
        }
        let keys: Vec<_> = (0..g.len()).map(|i| (g.history(i).x, g.age_idx()[i], g.recency_idx()[i])).collect();
        assert!(keys.windows(2).all(|w| w[0] < w[1]), "distinct and sorted");
        assert!(g.runs().iter().all(|(x, run)| run.clone().all(|i| g.history(i).x == *x)));
        assert_eq!(g.runs().iter().map(|(_, r)| r.len()).sum::<usize>(), g.len());
    }

    #[test]
    fn many_whole_days_take_the_radix_path() {
        let n = 20_000_u32;
        let x: Vec<u32> = (0..n).map(|i| (i * 7919) % 13).collect();
        let age: Vec<f64> = (0..n).map(|i| f64::from((i * 104_729) % 400)).collect();
        let recency: Vec<f64> = age.iter().zip(&x).map(|(t, x)| (t * f64::from(*x) / 13.0).floor()).collect();
        check(&x, &recency, &age, 7.0);
    }

    #[test]
    fn no_customers_make_no_groups() {
        let g = Grouped::from_days(&[], &[], &[]).expect("valid");
        assert!(g.is_empty() && g.runs().is_empty() && g.max_x() == 0);
    }

    #[test]
    fn impossible_times_are_named() {
        let error = Grouped::from_days(&[1, 1], &[3.0, f64::NAN], &[7.0, 9.0]).expect_err("NaN");
        assert_eq!(error.to_string(), "customer 1 has recency NaN at age 9; need 0 ≤ recency ≤ age, both finite");
    }

    #[test]
    fn coarsening_keeps_every_customer() {
        let x = [0, 0, 0, 1, 1, 1, 1, 2];
        let age = [9.0, 8.0, 7.0, 9.0, 8.0, 8.0, 7.0, 9.0];
        let recency = [0.0, 0.0, 0.0, 3.0, 4.0, 5.0, 6.0, 7.0];
        let coarse = Grouped::from_days(&x, &recency, &age).expect("valid").coarsened(3);
        assert_eq!(coarse.weights(), [3.0, 3.0, 1.0, 1.0]);
    }

    proptest! {
        #[test]
        fn groups_are_exact(rows in prop::collection::vec((0_u32..5, 0_u32..9, 0_u32..9, prop::bool::ANY), 0..60)) {
            let fraction = rows.iter().any(|r| r.3);
            let x: Vec<u32> = rows.iter().map(|r| r.0).collect();
            let recency: Vec<f64> = rows.iter().map(|r| f64::from(r.1) + if fraction { 0.5 } else { 0.0 }).collect();
            let age: Vec<f64> = rows.iter().zip(&recency).map(|(r, t)| t + f64::from(r.2)).collect();
            check(&x, &recency, &age, 1.0);
            check(&x, &recency, &age, 7.0);
        }
    }
}
