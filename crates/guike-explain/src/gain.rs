//! The cumulative gain curve: contact customers from the best forecast down; how much of the value is reached?

use crate::curve::{Curve, by_score, clean, draw, thin};
use crate::plot::Frame;
use crate::text::percent;

/// Points `(share of customers, share of actual value)` with customers ordered by `score` from high to low.
///
/// Customers with equal scores are taken together, so the curve does not depend on the order of rows. Values that are
/// negative or undefined count as zero.
///
/// # Panics
/// When the slices differ in length.
///
/// ```
/// use guike_explain::gain::points;
/// assert_eq!(points(&[2.0, 1.0], &[30.0, 10.0]), [(0.0, 0.0), (0.5, 0.75), (1.0, 1.0)]);
/// assert_eq!(points(&[1.0, 1.0], &[30.0, 10.0]), [(0.0, 0.0), (1.0, 1.0)]);
/// ```
pub fn points(score: &[f64], value: &[f64]) -> Vec<(f64, f64)> {
    assert_eq!(score.len(), value.len(), "one score and one value per customer");
    let total: f64 = value.iter().map(|&v| clean(v)).sum();
    if !(total.is_finite() && total > 0.0) {
        return vec![(0.0, 0.0), (1.0, 1.0)];
    }
    let order = by_score(score);
    let n = order.len() as f64;
    let mut out = vec![(0.0, 0.0)];
    let mut sum = 0.0;
    for (i, &row) in order.iter().enumerate() {
        sum += clean(value[row]);
        let tied = order.get(i + 1).is_some_and(|&next| score[next].total_cmp(&score[row]).is_eq());
        if !tied {
            out.push(((i + 1) as f64 / n, (sum / total).min(1.0)));
        }
    }
    out
}

/// Height of a curve of ascending points at `x`.
fn height_at(points: &[(f64, f64)], x: f64) -> f64 {
    let i = points.partition_point(|p| p.0 < x);
    if i == 0 {
        return points.first().map_or(0.0, |p| p.1);
    }
    let (a, b) = (points[i - 1], points.get(i).copied().unwrap_or(points[i - 1]));
    if b.0 > a.0 { a.1 + (x - a.0) / (b.0 - a.0) * (b.1 - a.1) } else { a.1 }
}

/// The share of actual value held by the customers with the highest `share` of scores (0.1: top-decile capture).
///
/// ```
/// assert_eq!(guike_explain::gain::captured(&[2.0, 1.0], &[30.0, 10.0], 0.5), 0.75);
/// ```
pub fn captured(score: &[f64], value: &[f64], share: f64) -> f64 {
    height_at(&points(score, value), share)
}

/// Draws the gain of ordering customers by `score`, between a random and a perfect order.
///
/// # Panics
/// When the slices differ in length.
pub fn gain(score: &[f64], value: &[f64], frame: &Frame<'_>) -> String {
    if score.is_empty() {
        return frame.empty();
    }
    let curve = points(score, value);
    let perfect = points(value, value);
    let (by_model, best) = (height_at(&curve, 0.2), height_at(&perfect, 0.2));
    let desc = frame.lang.pick(
        format!(
            "Cumulative gain over {} customers: the 20% with the highest forecasts brought {} of the actual value; \
             a random 20% would bring 20%, a perfect order {}.",
            score.len(),
            percent(by_model),
            percent(best)
        ),
        format!(
            "{} 位顾客的累积增益曲线：预测值最高的 20% 顾客带来了 {} 的实际价值；随机挑选约为 20%，完美排序为 {}。",
            score.len(),
            percent(by_model),
            percent(best)
        ),
    );
    let note = format!("{} → {}", frame.lang.pick("top 20%", "前 20%"), percent(by_model));
    let curves = [
        Curve {
            name: frame.lang.pick("by forecast", "按预测排序"), class: "l1", points: thin(curve), tinted: true
        },
        Curve {
            name: frame.lang.pick("perfect order", "完美排序"), class: "l3", points: thin(perfect), tinted: false
        },
        Curve {
            name: frame.lang.pick("random order", "随机排序"),
            class: "dash",
            points: vec![(0.0, 0.0), (1.0, 1.0)],
            tinted: false,
        },
    ];
    draw(frame, &desc, &curves, &note)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_perfect_order_lies_above_every_other() {
        let value = [5.0, 0.0, 2.0, 9.0, 1.0];
        let other = [1.0, 2.0, 3.0, 4.0, 5.0];
        for share in [0.2, 0.4, 0.6, 0.8] {
            assert!(captured(&value, &value, share) >= captured(&other, &value, share));
        }
    }
}
