//! How sure we are: the backtest of every candidate, and of the chosen one in detail.

use guike_eval::Scores;
use guike_eval::metrics::DecilePoint;
use guike_eval::selection::Reason;
use guike_eval::selection::Standing;
use guike_explain::Interval;

use super::words;
use crate::forecast::Calibration;
use crate::learners;
use crate::report::view::{AtCutoff, Backtest, Bilingual, CandidateRow, Coverage, Metric, Part, Score, Why, WhyChosen};
use crate::run::Findings;

/// Days of history below which nothing can be held out.
const NEEDED_DAYS: u32 = 21;

pub(super) fn backtest(f: &Findings) -> Part<Backtest> {
    let Some(selection) = &f.selection else {
        return Part::Missing(Why::HistoryTooShort { found_days: f.rfm.history_days, needed_days: NEEDED_DAYS });
    };
    let baselines: Vec<&str> = learners::baselines().iter().map(|l| l.name()).collect();
    let candidates: Vec<CandidateRow> = selection.standings.iter().map(|s| row(s, &baselines)).collect();
    let Some(chosen) = selection.standings.iter().position(|s| s.name == f.chosen) else {
        return Part::Missing(Why::Because(Bilingual::new(
            format!("The model `{}` could not be tested on the history.", f.chosen),
            format!("模型 {} 无法在历史数据上回测。", f.chosen),
        )));
    };
    let anchor = &f.backtest.anchors[0];
    let raw = f.backtest.candidate(&f.chosen).and_then(|c| c.forecasts.as_ref().ok()).and_then(|v| v.first());
    let Some(raw) = raw else {
        return Part::Missing(Why::SwitchedOff);
    };
    // what the page shows is what a user would have got: with the corrections
    let shown = f.fitted.calibration.apply(raw.clone()).unwrap_or_else(|_| raw.clone());
    let scores = Scores::of_forecasts(&(&anchor.labels).into(), raw);
    let corrected = Scores::of_forecasts(&(&anchor.labels).into(), &shown);
    Part::Here(Backtest {
        cutoff: anchor.anchor.cutoff,
        horizon: anchor.anchor.horizon,
        n_anchors: f.backtest.anchors.len() as u32,
        metric: Metric {
            name: Bilingual::new("Loss", "综合损失"),
            meaning: Bilingual::new(
                "Made of ranking by value (normalised Gini), telling buyers from others (AUC), orders and level, averaged \
                 over the earlier cutoffs.",
                "由价值排序（归一化基尼）、识别购买者（AUC）、订单数和总水平组成，在多个历史截止日上平均。",
            ),
            higher_is_better: false,
            decimals: 3,
        },
        more_metrics: vec![
            Bilingual::new("Gini", "基尼"),
            Bilingual::new("AUC", "AUC"),
            Bilingual::new("forecast / actual", "预测／实际"),
        ],
        candidates,
        chosen,
        why: why(f, selection, chosen),
        predicted: shown.expected_spend.clone(),
        actual: anchor.labels.spend.clone(),
        p_active: shown.p_active.clone(),
        deciles: Vec::new(),
        coverage: coverage(f, &corrected, &f.fitted.calibration),
        scores: score_lines(&scores),
        course: course(f, &selection.standings[chosen]),
    })
}

/// The chosen model from cutoff to cutoff, the oldest first.
fn course(f: &Findings, chosen: &Standing) -> Vec<AtCutoff> {
    let at = |(anchor, scores): (&guike_eval::Anchor, &Scores)| {
        let total = |of: fn(&DecilePoint) -> f64| scores.deciles.iter().map(|d| d.n as f64 * of(d)).sum();
        AtCutoff {
            cutoff: anchor.cutoff,
            horizon: anchor.horizon,
            customers: scores.n as u64,
            predicted: total(|d| d.predicted),
            actual: total(|d| d.actual),
            gini: scores.gini_norm,
            auc: scores.auc_p,
        }
    };
    let mut course: Vec<AtCutoff> = f.backtest.anchors.iter().map(|a| &a.anchor).zip(&chosen.scores).map(at).collect();
    course.sort_by_key(|a| a.cutoff);
    course
}

fn row(s: &Standing, baselines: &[&str]) -> CandidateRow {
    let mean = |of: fn(&Scores) -> Option<f64>| {
        let known: Vec<f64> = s.scores.iter().filter_map(of).collect();
        if known.is_empty() { f64::NAN } else { known.iter().sum::<f64>() / known.len() as f64 }
    };
    let loss = s.loss.unwrap_or(f64::NAN);
    // the interval is that of the difference to the leader, moved to where the candidate stands
    let (lo, hi) = s.against_leader.map_or((loss, loss), |i| (loss + i.lo - i.value, loss + i.hi - i.value));
    CandidateRow {
        name: words::model(&s.name),
        about: match &s.failure {
            Some(why) => Bilingual::same(why),
            None => words::idea(&s.name),
        },
        score: Interval { mid: loss, lo, hi },
        more: vec![mean(|x| x.gini_norm), mean(|x| x.auc_p), mean(|x| x.bias)],
        baseline: baselines.contains(&s.name.as_str()),
    }
}

fn why(f: &Findings, selection: &guike_eval::Selection, chosen: usize) -> WhyChosen {
    if f.why[0] != selection.text_en {
        // --model was given, or the chosen one could not be fitted to everything
        return WhyChosen::Because(Bilingual::new(sentence(&f.why[0], '.'), sentence(&f.why[1], '。')));
    }
    match &selection.reason {
        Reason::Best { .. } if chosen == 0 => WhyChosen::Best,
        Reason::OnlyOne => WhyChosen::OnlyOne,
        Reason::SimplerAndAsGood { .. } => WhyChosen::SimplerThan(0),
        _ => {
            let plain = |text: &str, zh: bool| {
                let mut names: Vec<&str> = selection.standings.iter().map(|s| s.name.as_str()).collect();
                // longest first: one name is the beginning of another
                names.sort_by_key(|n| std::cmp::Reverse(n.len()));
                names.into_iter().fold(text.to_owned(), |t, name| {
                    let model = words::model(name);
                    t.replace(name, if zh { &model.zh } else { &model.en })
                })
            };
            let (en, zh) = (plain(&f.why[0], false), plain(&f.why[1], true));
            WhyChosen::Because(Bilingual::new(sentence(&en, '.'), sentence(&zh, '。')))
        }
    }
}

/// Begins with a capital and ends with a stop.
fn sentence(text: &str, stop: char) -> String {
    let mut chars = text.chars();
    let first: String = chars.next().map(|c| c.to_uppercase().collect()).unwrap_or_default();
    let rest = chars.as_str();
    if text.ends_with(stop) { format!("{first}{rest}") } else { format!("{first}{rest}{stop}") }
}

/// Coverage on the days after the cutoff where the log has them, otherwise at the newest anchor.
fn coverage(f: &Findings, at_anchor: &Scores, calibration: &Calibration) -> Vec<Coverage> {
    if calibration.intervals.is_none() {
        return Vec::new();
    }
    let scores = f.holdout.as_ref().map_or(at_anchor, |h| &h.scores);
    let row = |c: &guike_eval::distribution::Coverage| Coverage {
        level: c.nominal,
        observed: c.coverage,
        expected: c.expected,
        below: c.below,
        above: c.above,
    };
    scores.intervals.iter().map(row).collect()
}

fn score_lines(s: &Scores) -> Vec<Score> {
    let line = |en: &str, zh: &str, value: Option<f64>, decimals: usize, en_means: &str, zh_means: &str| {
        value.map(|value| Score {
            name: Bilingual::new(en, zh),
            value,
            interval: None,
            decimals,
            meaning: Bilingual::new(en_means, zh_means),
        })
    };
    [
        line(
            "Normalised Gini",
            "归一化基尼",
            s.gini_norm,
            3,
            "How well customers are ranked by value: 0 is chance, 1 is perfect.",
            "按价值排序的准确度：0 为随机，1 为完美。",
        ),
        line(
            "Value captured by the top tenth",
            "前十分之一客户带来的价值",
            s.top10,
            3,
            "Share of the spend that came from the tenth of customers ranked highest.",
            "排名最高的十分之一客户贡献的消费份额。",
        ),
        line(
            "AUC of the chance to buy",
            "购买概率 AUC",
            s.auc_p,
            3,
            "How often a customer who bought had a higher chance than one who did not.",
            "购买者的概率高于未购买者的比例。",
        ),
        line(
            "Forecast total / actual total",
            "预测总额／实际总额",
            s.bias,
            3,
            "1 means that the total was right, before any correction.",
            "1 表示总额准确（校正之前）。",
        ),
        line(
            "Mean error per customer",
            "平均每客误差",
            Some(s.mae),
            2,
            "Mean distance between forecast and actual spend, in currency units.",
            "预测与实际消费的平均差距（货币单位）。",
        ),
        line(
            "Rank correlation",
            "秩相关",
            s.spearman,
            3,
            "Spearman's correlation of forecast and actual spend.",
            "预测与实际消费的斯皮尔曼相关系数。",
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}
