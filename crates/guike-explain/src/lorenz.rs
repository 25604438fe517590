//! The Lorenz curve: how unequally value is spread over customers, with the Gini coefficient.

use crate::curve::{Curve, clean, draw, thin};
use crate::plot::Frame;
use crate::text::percent;

/// Points `(share of customers, share of value)` with customers from the least to the most valuable, `(0, 0)` first.
///
/// Negative and undefined values count as zero. Without value the curve is the diagonal.
///
/// ```
/// assert_eq!(guike_explain::lorenz::points(&[3.0, 1.0]), [(0.0, 0.0), (0.5, 0.25), (1.0, 1.0)]);
/// ```
pub fn points(values: &[f64]) -> Vec<(f64, f64)> {
    let mut sorted: Vec<f64> = values.iter().map(|&v| clean(v)).collect();
    sorted.sort_by(f64::total_cmp);
    let total: f64 = sorted.iter().sum();
    if !(total.is_finite() && total > 0.0) {
        return vec![(0.0, 0.0), (1.0, 1.0)];
    }
    let n = sorted.len() as f64;
    let mut sum = 0.0;
    let steps = sorted.iter().enumerate().map(|(i, v)| {
        sum += v;
        ((i + 1) as f64 / n, (sum / total).min(1.0))
    });
    std::iter::once((0.0, 0.0)).chain(steps).collect()
}

/// The Gini coefficient: twice the area between the curve and the diagonal; 0 when all are equal, towards 1 when one
/// customer holds everything.
///
/// # Source
/// Trapezoids under the empirical Lorenz curve; equals `Σᵢ Σⱼ |xᵢ − xⱼ| / (2 n² x̄)`.
///
/// ```
/// assert!((guike_explain::lorenz::gini(&[1.0, 3.0]) - 0.25).abs() < 1e-12);
/// ```
pub fn gini(values: &[f64]) -> f64 {
    let area: f64 = points(values).windows(2).map(|w| (w[1].0 - w[0].0) * (w[0].1 + w[1].1) / 2.0).sum();
    1.0 - 2.0 * area
}

/// The share of value held by the most valuable `share` of customers.
pub fn top_share(values: &[f64], share: f64) -> f64 {
    let points = points(values);
    let from = 1.0 - share.clamp(0.0, 1.0);
    let below = points.partition_point(|p| p.0 <= from).max(1);
    let (a, b) = (points[below - 1], points.get(below).copied().unwrap_or((1.0, 1.0)));
    let t = if b.0 > a.0 { (from - a.0) / (b.0 - a.0) } else { 0.0 };
    1.0 - (a.1 + t * (b.1 - a.1))
}

/// Draws the Lorenz curve of one value per customer (any order, currency units).
pub fn lorenz(values: &[f64], frame: &Frame<'_>) -> String {
    if values.is_empty() {
        return frame.empty();
    }
    let (gini, top) = (gini(values), top_share(values, 0.2));
    let desc = frame.lang.pick(
        format!(
            "Lorenz curve of {} customers: the most valuable 20% hold {} of the value; Gini coefficient {gini:.2}.",
            values.len(),
            percent(top)
        ),
        format!(
            "{} 位顾客的洛伦兹曲线：价值最高的 20% 顾客占总价值的 {}，基尼系数 {gini:.2}。",
            values.len(),
            percent(top)
        ),
    );
    let curves = [
        Curve {
            name: frame.lang.pick("customers, least to most valuable", "顾客（价值由低到高）"),
            class: "l1",
            points: thin(points(values)),
            tinted: true,
        },
        Curve {
            name: frame.lang.pick("if all were equal", "人人相同"),
            class: "dash",
            points: vec![(0.0, 0.0), (1.0, 1.0)],
            tinted: false,
        },
    ];
    draw(frame, &desc, &curves, &format!("{} {gini:.2}", frame.lang.pick("Gini", "基尼系数")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_customers_have_no_inequality_and_one_rich_customer_has_nearly_all() {
        assert!(gini(&[5.0; 10]).abs() < 1e-12);
        let mut one = vec![0.0; 99];
        one.push(7.0);
        assert!((gini(&one) - 0.99).abs() < 1e-12);
        assert!((top_share(&one, 0.01) - 1.0).abs() < 1e-9);
        assert!((top_share(&[1.0; 10], 0.2) - 0.2).abs() < 1e-9);
    }
}
