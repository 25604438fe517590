//! Sorted orders with their tied groups, the common ground of every rank statistic.

/// Positions in ascending order of value, stable, with `-0.0` equal to `0.0`; values must not be NaN.
pub(crate) fn argsort(values: &[f64]) -> Vec<u32> {
    let mut idx: Vec<u32> = (0..values.len() as u32).collect();
    // adding zero turns -0.0 into 0.0, which `total_cmp` would put apart
    idx.sort_by(|&a, &b| (values[a as usize] + 0.0).total_cmp(&(values[b as usize] + 0.0)));
    idx
}

/// Positions in descending order of value, ties in their original order.
pub(crate) fn argsort_descending(values: &[f64]) -> Vec<u32> {
    let mut idx: Vec<u32> = (0..values.len() as u32).collect();
    idx.sort_by(|&a, &b| (values[b as usize] + 0.0).total_cmp(&(values[a as usize] + 0.0)));
    idx
}

/// End (exclusive) of every run of equal values along `order`.
pub(crate) fn group_ends(values: &[f64], order: &[u32]) -> Vec<u32> {
    let n = order.len();
    (1..=n)
        .filter(|&i| i == n || values[order[i - 1] as usize] != values[order[i] as usize])
        .map(|i| i as u32)
        .collect()
}

/// Ranks 1 … n, tied values sharing the mean of their ranks.
pub(crate) fn average_ranks(values: &[f64]) -> Vec<f64> {
    let order = argsort(values);
    let mut ranks = vec![0.0; values.len()];
    let mut start = 0;
    for end in group_ends(values, &order) {
        let end = end as usize;
        let mean = (start + 1 + end) as f64 / 2.0;
        for &i in &order[start..end] {
            ranks[i as usize] = mean;
        }
        start = end;
    }
    ranks
}

/// The sizes of `parts` nearly equal parts of `n`: the first `n % parts` are one larger (numpy's `array_split`).
pub(crate) fn split_sizes(n: u64, parts: u64) -> impl Iterator<Item = u64> {
    (0..parts).map(move |i| n / parts + u64::from(i < n % parts))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_share_the_mean_rank() {
        assert_eq!(average_ranks(&[3.0, 1.0, 3.0, 2.0]), vec![3.5, 1.0, 3.5, 2.0]);
        assert_eq!(average_ranks(&[0.0, -0.0]), vec![1.5, 1.5]);
    }

    #[test]
    fn both_orders_keep_ties_in_place() {
        assert_eq!(argsort(&[1.0, 0.0, 1.0]), vec![1, 0, 2]);
        assert_eq!(argsort_descending(&[1.0, 0.0, 1.0]), vec![0, 2, 1]);
    }

    #[test]
    fn parts_differ_by_at_most_one() {
        assert_eq!(split_sizes(23, 10).collect::<Vec<_>>(), vec![3, 3, 3, 2, 2, 2, 2, 2, 2, 2]);
        assert_eq!(split_sizes(3, 10).sum::<u64>(), 3);
    }
}
