//! The figures by which a model on a table is judged, with a name and a sentence for each.

use std::collections::BTreeMap;

use guike_eval::metrics::{auc, confusion, mae, matthews, rmse};
use guike_eval::thresholds::Thresholds;
use serde::Serialize;

use crate::report::view::Bilingual;

use super::target::Outcome;

/// Least probability that a true class is credited with: a single sure mistake must not decide a comparison.
const LEAST_P: f64 = 1e-6;

/// A model's figures on some rows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Figures {
    /// Rows they are from.
    pub n: usize,
    /// Figures by key, in the order of [`keys`]; those that these rows do not allow are left out.
    pub values: BTreeMap<&'static str, f64>,
    /// `counts[actual][predicted]`, for classes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub confusion: Vec<Vec<u64>>,
}

/// Keys of the figures of an outcome, the telling ones first.
pub fn keys(outcome: &Outcome) -> &'static [&'static str] {
    match outcome {
        Outcome::Regression => &["r2", "rmse", "mae", "bias"],
        Outcome::Classification { positive: Some(_), .. } => &[
            "auc",
            "accuracy",
            "f1",
            "log_loss",
            "precision",
            "recall",
            "average_precision",
            "brier",
            "mcc",
            "ks",
            "lift_10",
            "cost",
        ],
        Outcome::Classification { positive: None, .. } => {
            &["accuracy", "macro_f1", "log_loss", "mean_auc", "mean_average_precision", "mcc"]
        }
    }
}

/// Name and meaning of a figure.
pub fn words(key: &str) -> (Bilingual, Bilingual) {
    let (en, zh, meaning, meaning_zh) = match key {
        "r2" => (
            "R²",
            "R²",
            "share of the target's variance explained; 1 is perfect, 0 is guessing the mean",
            "解释的方差占比；1 为完美，0 相当于猜均值",
        ),
        "rmse" => ("RMSE", "均方根误差", "typical error, large errors counting more", "典型误差，大误差权重更高"),
        "mae" => ("MAE", "平均绝对误差", "mean size of the error", "误差绝对值的均值"),
        "bias" => ("Total predicted / actual", "预测总和/实际总和", "1 is a level met exactly", "1 表示总量恰好准确"),
        "auc" => (
            "AUC",
            "AUC",
            "chance that a true case has a higher probability than another; 0.5 is guessing",
            "真例概率高于非真例的可能性；0.5 相当于瞎猜",
        ),
        "accuracy" => ("Accuracy", "准确率", "share of rows called right", "判断正确的行占比"),
        "f1" => ("F1", "F1", "harmonic mean of precision and recall", "精确率与召回率的调和平均"),
        "macro_f1" => ("Macro F1", "宏平均 F1", "F1 averaged over the classes", "各类别 F1 的平均"),
        "log_loss" => (
            "Log loss",
            "对数损失",
            "mean surprise at the truth; lower is better",
            "对真实结果的平均意外程度；越低越好",
        ),
        "precision" => ("Precision", "精确率", "share of the called rows that are true", "判为真的行中确为真的占比"),
        "recall" => ("Recall", "召回率", "share of the true rows that are called", "真例中被判为真的占比"),
        "average_precision" => {
            ("Average precision", "平均精确率", "area under precision over recall", "精确率-召回率曲线下面积")
        }
        "brier" => (
            "Brier score",
            "Brier 分数",
            "mean squared error of the probability; lower is better",
            "概率的均方误差；越低越好",
        ),
        "mcc" => (
            "MCC",
            "马修斯相关系数",
            "correlation of call and truth; 0 is guessing",
            "判断与真实的相关系数；0 相当于瞎猜",
        ),
        "ks" => (
            "KS",
            "KS",
            "largest gap between the shares of true and other cases found",
            "真例与非真例累积占比的最大差距",
        ),
        "lift_10" => (
            "Lift of the top tenth",
            "前 10% 提升度",
            "how many times as many true cases as in a random tenth",
            "相对随机抽取 10% 的真例倍数",
        ),
        "cost" => (
            "Cost per row",
            "每行成本",
            "mean cost of false alarms and missed cases, as given",
            "误报与漏报的平均成本（按给定成本）",
        ),
        "mean_auc" => {
            ("Mean AUC", "平均 AUC", "AUC of every class against the rest, averaged", "每类对其余类的 AUC 的平均")
        }
        "mean_average_precision" => (
            "Mean average precision",
            "平均精确率的均值",
            "average precision of every class against the rest, averaged",
            "每类对其余类的平均精确率的均值",
        ),
        other => (other, other, "", ""),
    };
    (Bilingual::new(en, zh), Bilingual::new(meaning, meaning_zh))
}

/// How rows are called and what mistakes cost.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Decision {
    /// From which probability of the positive class a row is called positive.
    pub threshold: f64,
    /// Cost of a false alarm.
    pub cost_fp: f64,
    /// Cost of a missed case.
    pub cost_fn: f64,
}

impl Decision {
    /// The threshold at which calling and not calling cost the same, for calibrated probabilities (Elkan 2001, eq. 2).
    pub(super) fn by_costs(cost_fp: f64, cost_fn: f64) -> Decision {
        Decision { threshold: cost_fp / (cost_fp + cost_fn), cost_fp, cost_fn }
    }

    /// The class that is called from a row's probabilities.
    pub(super) fn call(&self, p: &[f64], positive: Option<usize>) -> usize {
        match positive {
            Some(k) if p.len() == 2 => {
                if p[k] >= self.threshold {
                    k
                } else {
                    1 - k
                }
            }
            _ => (0..p.len()).fold(0, |best, k| if p[k] > p[best] { k } else { best }),
        }
    }
}

/// Loss per row: −ln of the probability given to the truth, or the squared error.
pub(crate) fn losses(predicted: &[f64], y: &[f64], outcome: &Outcome) -> Vec<f64> {
    match outcome {
        Outcome::Regression => predicted.iter().zip(y).map(|(p, y)| (p - y).powi(2)).collect(),
        Outcome::Classification { classes, .. } => predicted
            .chunks_exact(classes.len())
            .zip(y)
            .map(|(p, &y)| -p[y as usize].clamp(LEAST_P, 1.0).ln())
            .collect(),
    }
}

/// The figures of these predictions (row-major, as the model gives them).
pub(super) fn figures(predicted: &[f64], y: &[f64], outcome: &Outcome, decision: &Decision) -> Figures {
    let n = y.len();
    let mut values = BTreeMap::new();
    let mut put = |key: &'static str, value: Option<f64>| {
        if let Some(v) = value.filter(|v| v.is_finite()) {
            values.insert(key, v);
        }
    };
    let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
    if n == 0 {
        return Figures { n, values, confusion: Vec::new() };
    }
    let loss = mean(&losses(predicted, y, outcome));
    let Outcome::Classification { classes, positive } = outcome else {
        let centre = mean(y);
        let spread = y.iter().map(|v| (v - centre).powi(2)).sum::<f64>() / n as f64;
        put("r2", Some(1.0 - loss / spread));
        put("rmse", Some(rmse(y, predicted)));
        put("mae", Some(mae(y, predicted)));
        put("bias", guike_eval::metrics::total_bias(y, predicted));
        return Figures { n, values, confusion: Vec::new() };
    };
    let k = classes.len();
    let mut counts = vec![vec![0_u64; k]; k];
    for (p, &actual) in predicted.chunks_exact(k).zip(y) {
        counts[actual as usize][decision.call(p, *positive)] += 1;
    }
    let right: u64 = (0..k).map(|c| counts[c][c]).sum();
    put("log_loss", Some(loss));
    put("accuracy", Some(right as f64 / n as f64));
    put("mcc", Some(matthews(&counts)));
    let class_score = |c: usize| predicted.chunks_exact(k).map(|p| p[c]).collect::<Vec<f64>>();
    let is_class = |c: usize| y.iter().map(|&v| v as usize == c).collect::<Vec<bool>>();
    match positive {
        Some(pos) => {
            let (score, truth) = (class_score(*pos), is_class(*pos));
            let calls = confusion(&truth, &score, decision.threshold);
            put("auc", auc(&truth, &score));
            put("f1", calls.f1());
            put("precision", calls.precision());
            put("recall", calls.recall());

            put(
                "brier",
                Some(
                    score.iter().zip(&truth).map(|(p, &t)| (p - f64::from(u8::from(t))).powi(2)).sum::<f64>()
                        / n as f64,
                ),
            );
            let (fp, fns) = (counts[1 - pos][*pos] as f64, counts[*pos][1 - pos] as f64);
            put("cost", Some((fp * decision.cost_fp + fns * decision.cost_fn) / n as f64));
            let all = Thresholds::of(&truth, &score);
            put("average_precision", all.average_precision());
            put("ks", all.ks());
            let value: Vec<f64> = truth.iter().map(|&t| f64::from(u8::from(t))).collect();
            let tenth = (n as f64 * 0.1).ceil() / n as f64;
            put("lift_10", guike_eval::metrics::top_decile_capture(&value, &score).map(|share| share / tenth));
        }
        None => {
            let aucs: Vec<f64> = (0..k).filter_map(|c| auc(&is_class(c), &class_score(c))).collect();
            put("mean_auc", (!aucs.is_empty()).then(|| mean(&aucs)));
            let precisions: Vec<f64> =
                (0..k).filter_map(|c| Thresholds::of(&is_class(c), &class_score(c)).average_precision()).collect();
            put("mean_average_precision", (!precisions.is_empty()).then(|| mean(&precisions)));
            let f1 = |c: usize| {
                let called: u64 = counts.iter().map(|row| row[c]).sum();
                let actual: u64 = counts[c].iter().sum();
                if called + actual == 0 { 0.0 } else { 2.0 * counts[c][c] as f64 / (called + actual) as f64 }
            };
            put("macro_f1", Some((0..k).map(f1).sum::<f64>() / k as f64));
        }
    }
    Figures { n, values, confusion: counts }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binary() -> Outcome {
        Outcome::Classification { classes: vec!["no".to_owned(), "yes".to_owned()], positive: Some(1) }
    }

    /// ```python
    /// # scikit-learn 1.9
    /// y = [1, 0, 1, 1, 0, 0, 1, 0]; p = [.9, .8, .7, .6, .55, .3, .2, .1]
    /// from sklearn.metrics import *
    /// roc_auc_score(y, p), average_precision_score(y, p), log_loss(y, p), brier_score_loss(y, p)
    /// c = [v >= .5 for v in p]; matthews_corrcoef(y, c), f1_score(y, c)
    /// ```
    #[test]
    fn figures_agree_with_scikit_learn() {
        let y = [1.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0, 0.0];
        let p: Vec<f64> = [0.9, 0.8, 0.7, 0.6, 0.55, 0.3, 0.2, 0.1].iter().flat_map(|p| [1.0 - p, *p]).collect();
        let f = figures(&p, &y, &binary(), &Decision::by_costs(1.0, 1.0));
        for (key, expected) in FROZEN {
            assert!((f.values[key] - expected).abs() < 1e-12, "{key}: {} {expected}", f.values[key]);
        }
        assert_eq!(f.confusion, [[2, 2], [1, 3]]);
    }

    const FROZEN: [(&str, f64); 7] = [
        ("auc", 0.6875),
        ("average_precision", 0.7470238095238095),
        ("log_loss", 0.6815350080056352),
        ("brier", 0.24281250000000004),
        ("mcc", 0.2581988897471611),
        ("f1", 2.0 / 3.0),
        ("ks", 0.5),
    ];

    /// ```python
    /// # scikit-learn 1.9.1
    /// accuracy_score(y, c), f1_score(y, c, average="macro"), log_loss(y, p), matthews_corrcoef(y, c)
    /// roc_auc_score(y, p, multi_class="ovr", average="macro")
    /// mean([average_precision_score(y == c, p[:, c]) for c in range(3)])
    /// ```
    #[test]
    fn figures_of_three_classes_agree_with_scikit_learn() {
        let classes = ["a", "b", "c"].map(str::to_owned).to_vec();
        let outcome = Outcome::Classification { classes, positive: None };
        let y: Vec<f64> = THREE_Y.iter().map(|&c| f64::from(c)).collect();
        let f = figures(&THREE_P, &y, &outcome, &Decision::by_costs(1.0, 1.0));
        for (key, expected) in [
            ("accuracy", 0.6),
            ("macro_f1", 0.5930946291560103),
            ("log_loss", 0.9225769913389077),
            ("mcc", 0.4429246579655117),
            ("mean_auc", 0.79673721340388),
            ("mean_average_precision", 0.6962556270889605),
        ] {
            assert!((f.values[key] - expected).abs() < 1e-12, "{key}: {} {expected}", f.values[key]);
        }
        assert_eq!(f.confusion, [[7, 0, 2], [6, 4, 2], [1, 1, 7]]);
    }

    const THREE_Y: [u8; 30] =
        [1, 0, 2, 2, 0, 1, 0, 0, 1, 2, 2, 1, 1, 1, 0, 1, 2, 1, 0, 0, 2, 0, 2, 2, 1, 1, 2, 1, 1, 0];
    #[rustfmt::skip]
    const THREE_P: [f64; 90] = [
        0.736, 0.034, 0.23, 0.069, 0.098, 0.833, 0.546, 0.14, 0.314, 0.244, 0.107, 0.649, 0.684, 0.101, 0.215, 0.429,
        0.54, 0.031, 0.848, 0.0, 0.152, 0.582, 0.124, 0.294, 0.224, 0.292, 0.484, 0.159, 0.152, 0.689, 0.123, 0.139,
        0.738, 0.059, 0.167, 0.774, 0.414, 0.356, 0.23, 0.478, 0.43, 0.092, 0.584, 0.211, 0.205, 0.427, 0.416, 0.157,
        0.224, 0.11, 0.666, 0.078, 0.677, 0.245, 0.298, 0.083, 0.619, 0.4, 0.367, 0.233, 0.38, 0.399, 0.221, 0.65,
        0.245, 0.105, 0.434, 0.119, 0.447, 0.301, 0.125, 0.574, 0.666, 0.095, 0.239, 0.071, 0.478, 0.451, 0.36, 0.015,
        0.625, 0.453, 0.405, 0.142, 0.039, 0.707, 0.254, 0.738, 0.047, 0.215,
    ];

    #[test]
    fn a_missed_case_that_costs_more_lowers_the_threshold() {
        let d = Decision::by_costs(1.0, 4.0);
        assert_eq!(d.threshold, 0.2);
        assert_eq!((d.call(&[0.75, 0.25], Some(1)), d.call(&[0.85, 0.15], Some(1))), (1, 0));
        assert_eq!(d.call(&[0.2, 0.5, 0.3], None), 1);
    }

    #[test]
    fn a_model_that_says_the_mean_explains_nothing() {
        let f = figures(&[2.0; 4], &[1.0, 3.0, 1.0, 3.0], &Outcome::Regression, &Decision::by_costs(1.0, 1.0));
        assert_eq!((f.values["r2"], f.values["rmse"], f.values["bias"]), (0.0, 1.0, 1.0));
    }
}
