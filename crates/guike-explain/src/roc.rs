//! The ROC curve of a score against what happened, with the area under it; one per class where there are several.

use crate::curve::{Curve, by_score, draw, thin};
use crate::plot::Frame;

/// Points `(false positive rate, true positive rate)` over all thresholds, from `(0, 0)` to `(1, 1)`.
///
/// Equal scores share a threshold. Empty when one of the two outcomes never happened.
///
/// # Panics
/// When the slices differ in length.
///
/// ```
/// use guike_explain::roc::points;
/// assert_eq!(points(&[0.9, 0.1], &[true, false]), [(0.0, 0.0), (0.0, 1.0), (1.0, 1.0)]);
/// assert!(points(&[0.9, 0.1], &[true, true]).is_empty());
/// ```
pub fn points(score: &[f64], happened: &[bool]) -> Vec<(f64, f64)> {
    assert_eq!(score.len(), happened.len(), "one score and one outcome per case");
    let positive = happened.iter().filter(|&&h| h).count() as f64;
    let negative = happened.len() as f64 - positive;
    if positive == 0.0 || negative == 0.0 {
        return Vec::new();
    }
    let order = by_score(score);
    let (mut hits, mut alarms) = (0.0, 0.0);
    let mut out = vec![(0.0, 0.0)];
    for (i, &row) in order.iter().enumerate() {
        if happened[row] {
            hits += 1.0
        } else {
            alarms += 1.0
        }
        let tied = order.get(i + 1).is_some_and(|&next| score[next].total_cmp(&score[row]).is_eq());
        if !tied {
            out.push((alarms / negative, hits / positive));
        }
    }
    out
}

/// The area under the curve: the chance that a case where it happened scores above one where it did not, ties half.
///
/// `None` when one of the two outcomes never happened.
///
/// ```
/// assert_eq!(guike_explain::roc::auc(&[0.9, 0.4, 0.4], &[true, false, true]), Some(0.75));
/// ```
pub fn auc(score: &[f64], happened: &[bool]) -> Option<f64> {
    let points = points(score, happened);
    (!points.is_empty()).then(|| points.windows(2).map(|w| (w[1].0 - w[0].0) * (w[0].1 + w[1].1) / 2.0).sum())
}

/// Draws the ROC curve.
///
/// # Panics
/// When the slices differ in length.
pub fn roc(score: &[f64], happened: &[bool], frame: &Frame<'_>) -> String {
    let Some(auc) = auc(score, happened) else { return frame.empty() };
    let desc = frame.lang.pick(
        format!(
            "ROC curve of {} customers: the area under it is {auc:.3}; 0.5 would be guessing, 1 would be perfect.",
            score.len()
        ),
        format!("{} 位顾客的 ROC 曲线：曲线下面积为 {auc:.3}；0.5 相当于瞎猜，1 为完美。", score.len()),
    );
    let curves = [
        Curve {
            name: frame.lang.pick("model", "模型"),
            class: "l1",
            points: thin(points(score, happened)),
            tinted: true,
        },
        Curve {
            name: frame.lang.pick("guessing", "瞎猜"),
            class: "dash",
            points: vec![(0.0, 0.0), (1.0, 1.0)],
            tinted: false,
        },
    ];
    draw(frame, &desc, &curves, &format!("AUC {auc:.3}"))
}

/// A class with the score of each case for it, and whether the case is of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OneClass<'a> {
    /// Name of the class.
    pub name: &'a str,
    /// Scores.
    pub score: &'a [f64],
    /// Truth.
    pub happened: &'a [bool],
}

/// Most classes that get a curve: more could not be told apart.
const MOST_CLASSES: usize = 4;

/// Draws the ROC curve of each class against the rest; of more than four classes, those with the most cases.
///
/// # Panics
/// When a class has another number of scores than of cases.
pub fn roc_by_class(classes: &[OneClass<'_>], frame: &Frame<'_>) -> String {
    const STROKES: [&str; MOST_CLASSES] = ["l1", "l2", "l4", "l3"];
    let mut shown: Vec<(&OneClass<'_>, f64)> =
        classes.iter().filter_map(|c| Some((c, auc(c.score, c.happened)?))).collect();
    if shown.is_empty() {
        return frame.empty();
    }
    // a stable sort: classes with as many cases keep their order
    shown.sort_by_key(|(c, _)| std::cmp::Reverse(c.happened.iter().filter(|&&h| h).count()));
    let left_out = shown.len().saturating_sub(MOST_CLASSES);
    shown.truncate(MOST_CLASSES);
    let names: Vec<String> = shown.iter().map(|(c, auc)| format!("{} {auc:.3}", c.name)).collect();
    let more = match left_out {
        0 => String::new(),
        n => frame.lang.pick(format!(" ({n} rarer classes are left out)"), format!("（另有 {n} 个较少的类别未画出）")),
    };
    let desc = frame.lang.pick(
        format!("ROC curves of each class against the rest; areas under them: {}{more}.", names.join(", ")),
        format!("各类别对其余类别的 ROC 曲线；曲线下面积：{}{more}。", names.join("，")),
    );
    let mut curves: Vec<Curve<'_>> = shown
        .iter()
        .zip(&names)
        .zip(STROKES)
        .map(|(((c, _), name), class)| Curve { name, class, points: thin(points(c.score, c.happened)), tinted: false })
        .collect();
    curves.push(Curve {
        name: frame.lang.pick("guessing", "瞎猜"),
        class: "dash",
        points: vec![(0.0, 0.0), (1.0, 1.0)],
        tinted: false,
    });
    draw(frame, &desc, &curves, "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Lang;

    #[test]
    fn every_class_has_its_area_and_the_rarest_of_many_are_left_out() {
        let truth: Vec<usize> = (0..60).map(|i| if i < 10 { i % 5 } else { i % 4 }).collect();
        let score: Vec<f64> = (0..60).map(|i| f64::from(i * 7 % 11)).collect();
        let of: Vec<Vec<bool>> = (0..5).map(|c| truth.iter().map(|&t| t == c).collect()).collect();
        let names = ["a", "b", "c", "d", "rare"];
        let classes: Vec<OneClass<'_>> =
            names.iter().zip(&of).map(|(&name, happened)| OneClass { name, score: &score, happened }).collect();
        let svg = roc_by_class(&classes, &Frame::new(Lang::En, "ROC", "x", "y"));
        let area = auc(&score, &of[0]).expect("both kinds");
        assert!(svg.contains(&format!("a {area:.3}")), "{svg}");
        assert!(svg.contains("1 rarer classes") && !svg.contains("rare 0"), "{svg}");
    }
}
