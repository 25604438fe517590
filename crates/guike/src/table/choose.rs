//! Which candidate to use: the simplest of those that the evidence cannot tell from the best.
//!
//! All candidates are judged on the same out-of-fold rows, so their losses are compared row by row. A candidate counts as
//! good as the best when its mean extra loss is within one standard error of 0 (Breiman et al. 1984, section 3.4.3) and
//! below a margin of the best one's loss; the margin matters on small tables, where one standard error forgives much.
//! The standard error is over rows, or over groups where rows come in groups (`--group`): rows of one customer err alike, and
//! a hundred of them tell little more than one. It knows nothing of how another draw of the training rows would have come
//! out.

use std::collections::BTreeMap;

use serde::Serialize;

/// Most extra loss that simplicity may cost, as a share of the best candidate's loss.
const MARGIN: f64 = 0.02;

/// A candidate's out-of-fold losses.
#[derive(Debug, Clone, Copy)]
pub(super) struct Contender<'a> {
    /// Loss per row, lower is better; all contenders on the same rows.
    pub(super) losses: &'a [f64],
    /// Of two that do not differ, the lower is preferred.
    pub(super) complexity: u32,
}

/// A mean with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Estimate {
    /// The mean.
    pub mid: f64,
    /// Lower end.
    pub lo: f64,
    /// Upper end.
    pub hi: f64,
}

/// What was chosen.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Choice {
    /// The contender with the lowest mean loss.
    pub(super) best: usize,
    /// The one to use.
    pub(super) chosen: usize,
    /// Each contender's mean extra loss over the best one's.
    pub(super) extra: Vec<Estimate>,
}

/// Chooses among contenders; `None` when there is none with finite losses. `groups` are those of the judged rows.
pub(super) fn choose(contenders: &[Contender<'_>], groups: Option<&[u32]>) -> Option<Choice> {
    let means: Vec<f64> = contenders.iter().map(|c| mean(c.losses)).collect();
    let usable = |i: &usize| means[*i].is_finite();
    let best = (0..means.len()).filter(usable).min_by(|&a, &b| means[a].total_cmp(&means[b]))?;
    let with_error: Vec<(f64, f64)> = contenders
        .iter()
        .map(|c| {
            let extra: Vec<f64> = c.losses.iter().zip(contenders[best].losses).map(|(a, b)| a - b).collect();
            (mean(&extra), standard_error(&extra, groups))
        })
        .collect();
    let as_good = |i: &usize| {
        let (extra, error) = with_error[*i];
        *i == best || (extra <= error && extra <= MARGIN * means[best].abs())
    };
    let order = |&i: &usize| (contenders[i].complexity, i);
    let chosen = (0..means.len())
        .filter(usable)
        .filter(as_good)
        .min_by(|a, b| {
            order(a).0.cmp(&order(b).0).then(means[*a].total_cmp(&means[*b])).then(order(a).1.cmp(&order(b).1))
        })
        .unwrap_or(best);
    let extra = with_error.iter().map(|&(m, e)| around(m, e)).collect();
    Some(Choice { best, chosen, extra })
}

/// The mean with its 95 % interval; `groups[i]` is the group of value i, where values come in groups.
pub(crate) fn estimate(v: &[f64], groups: Option<&[u32]>) -> Estimate {
    around(mean(v), standard_error(v, groups))
}

/// A mean with the 95 % interval of its standard error.
pub(super) fn around(mean: f64, standard_error: f64) -> Estimate {
    Estimate { mid: mean, lo: mean - 1.96 * standard_error, hi: mean + 1.96 * standard_error }
}

fn mean(v: &[f64]) -> f64 {
    v.iter().sum::<f64>() / v.len() as f64
}

/// Standard error of the mean; of values in groups, the one that holds however alike values of a group are. Infinite for a
/// single group, which says nothing about another.
///
/// # Source
/// Liang & Zeger (1986), with the usual factor G / (G − 1) for G groups; a group per value gives the ordinary one.
fn standard_error(v: &[f64], groups: Option<&[u32]>) -> f64 {
    let (m, n) = (mean(v), v.len() as f64);
    let Some(groups) = groups else {
        let squares: f64 = v.iter().map(|x| (x - m).powi(2)).sum();
        return (squares / (n - 1.0).max(1.0) / n).sqrt();
    };
    let mut off_by_group = BTreeMap::<u32, f64>::new();
    v.iter().zip(groups).for_each(|(x, &g)| *off_by_group.entry(g).or_default() += x - m);
    let n_groups = off_by_group.len() as f64;
    if n_groups < 2.0 {
        return f64::INFINITY;
    }
    let squares: f64 = off_by_group.values().map(|off| off.powi(2)).sum();
    (squares * n_groups / (n_groups - 1.0)).sqrt() / n
}

#[cfg(test)]
mod tests {
    use super::*;

    fn losses(base: f64, wobble: f64) -> Vec<f64> {
        (0..400).map(|i| base + if i % 2 == 0 { wobble } else { -wobble }).collect()
    }

    fn chosen(list: &[(Vec<f64>, u32)]) -> Option<usize> {
        let contenders: Vec<_> = list.iter().map(|(l, c)| Contender { losses: l, complexity: *c }).collect();
        choose(&contenders, None).map(|c| c.chosen)
    }

    #[test]
    fn the_simpler_of_two_that_do_not_differ_is_chosen() {
        assert_eq!(chosen(&[(losses(0.5, 0.0), 9), (losses(0.502, 0.3), 1)]), Some(1));
    }

    #[test]
    fn a_clear_winner_wins_however_complex() {
        assert_eq!(chosen(&[(losses(0.4, 0.1), 9), (losses(0.5, 0.1), 1)]), Some(0));
    }

    #[test]
    fn simplicity_may_cost_no_more_than_the_margin() {
        // the difference is within its standard error and still above 2 %
        assert_eq!(chosen(&[(losses(0.5, 0.0), 9), (losses(0.515, 1.0), 1)]), Some(0));
    }

    #[test]
    fn a_contender_without_a_loss_is_never_chosen() {
        assert_eq!(chosen(&[(vec![f64::NAN; 400], 1), (losses(0.5, 0.1), 2)]), Some(1));
        assert_eq!(chosen(&[(vec![f64::NAN; 400], 1)]), None);
    }

    #[test]
    fn rows_of_one_group_that_err_alike_count_as_one() {
        // 40 customers with 10 equal rows each
        let of_customer = |i: usize| (i / 10) as u32;
        let v: Vec<f64> = (0..400).map(|i| f64::from(of_customer(i) % 5)).collect();
        let groups: Vec<u32> = (0..400).map(of_customer).collect();
        let one_each: Vec<f64> = v.iter().copied().step_by(10).collect();
        let (rows, grouped) = (standard_error(&v, None), standard_error(&v, Some(&groups)));
        assert!((grouped / standard_error(&one_each, None) - 1.0).abs() < 1e-12);
        assert!(grouped > 3.0 * rows, "{grouped} {rows}");
        // a group per row is no group
        let apart: Vec<u32> = (0..400).collect();
        assert!((standard_error(&v, Some(&apart)) / rows - 1.0).abs() < 1e-12);
        assert_eq!(standard_error(&v, Some(&[7; 400])), f64::INFINITY);
    }

    #[test]
    fn a_simpler_contender_is_forgiven_more_where_rows_come_in_groups() {
        let (best, other) = (vec![0.5; 400], (0..400).map(|i| 0.507 + [0.05, -0.05][i / 10 % 2]).collect::<Vec<f64>>());
        let contenders = [Contender { losses: &best, complexity: 9 }, Contender { losses: &other, complexity: 1 }];
        let groups: Vec<u32> = (0..400).map(|i| i / 10).collect();
        let chosen = |groups| choose(&contenders, groups).map(|c| c.chosen);
        assert_eq!((chosen(None), chosen(Some(&groups[..]))), (Some(0), Some(1)));
    }
}
