//! Pictures of a classifier: what it does at every threshold, and at the one in use.

use guike_eval::thresholds::{LiftRow, Thresholds, lift_table};
use guike_explain::calibration::{calibration, groups};
use guike_explain::text::{grouped, percent};
use guike_explain::{Frame, Lang, Measure, confusion, cost, gain, ks, lift, precision_recall, roc};

use super::page::{Figure, Table, Text, numbers};
use super::words::{Word, word};

/// Groups of the lift table and of the calibration.
const GROUPS: usize = 10;

fn matrix(names: &[String], counts: &[Vec<u64>], more: Text) -> Figure {
    let draw = |lang: Lang| {
        let title = word("Confusion matrix", "混淆矩阵").pick(lang);
        let (x, y) = (word("predicted", "预测").pick(lang), word("actual", "实际").pick(lang));
        confusion::confusion(names, counts, &Frame::new(lang, title, x, y))
    };
    let caption = word("Rows are what is true, columns what was predicted.", "行为实际类别，列为预测类别。").text();
    Figure::new(word("Confusion matrix", "混淆矩阵").text(), draw, Text::sentences(&[caption, more]))
}

/// Of two classes: the confusion matrix, ROC, precision–recall, KS, gain, lift, calibration and cost.
pub(super) fn binary(
    positive: &str,
    negative: &str,
    score: &[f64],
    happened: &[bool],
    threshold: f64,
    costs: (f64, f64),
) -> Vec<Figure> {
    let mut counts = vec![vec![0_u64; 2]; 2];
    for (s, &h) in score.iter().zip(happened) {
        counts[usize::from(h)][usize::from(*s >= threshold)] += 1;
    }
    let names = [negative.to_owned(), positive.to_owned()];
    let at = word("A row is called {class} from a probability of {p}.", "概率达到 {p} 即判为 {class}。");
    let at = at.with(&[("class", Text::same(positive)), ("p", Text::same(percent(threshold)))]);
    let frame =
        |lang: Lang, title: Word, x: Word, y: Word| Frame::new(lang, title.pick(lang), x.pick(lang), y.pick(lang));
    let hit = word("share of true cases found", "真例检出率");
    let roc_title = word("ROC curve", "ROC 曲线");
    let roc = Figure::new(
        roc_title.text(),
        |lang| roc::roc(score, happened, &frame(lang, roc_title, word("share of other cases called", "误报率"), hit)),
        word(
            "Each point is a threshold. The area under the curve is the chance that a true case has a higher probability than another.",
            "曲线上每一点对应一个阈值。曲线下面积为真例的概率高于非真例的可能性。",
        )
        .text(),
    );
    let value: Vec<f64> = happened.iter().map(|&h| f64::from(u8::from(h))).collect();
    let gain_title = word("Cumulative gain", "累积增益");
    let gain = Figure::new(
        gain_title.text(),
        |lang| {
            gain::gain(
                score,
                &value,
                &frame(lang, gain_title, word("share of rows, best first", "按概率从高到低的行占比"), hit),
            )
        },
        word(
            "Going through the rows from the highest probability down: how many of the true cases are found.",
            "按概率从高到低查看各行时，已找到的真例占比。",
        )
        .text(),
    );
    let rows = groups(score, &value, GROUPS);
    let calibration_title = word("Calibration", "校准");
    let calibrated = Figure::new(
        calibration_title.text(),
        |lang| {
            let x = word("group of rows by probability, lowest first", "按概率分组（由低到高）");
            calibration(
                &rows,
                &frame(lang, calibration_title, x, word("share of true cases", "真例占比")).measuring(Measure::Percent),
            )
        },
        word(
            "Rows in ten groups by probability: what was predicted beside what is true.",
            "按概率把各行分为十组：预测值与实际值对照。",
        )
        .text(),
    );
    let all = Thresholds::of(happened, score);
    let rate = value.iter().sum::<f64>() / value.len().max(1) as f64;
    let pr_title = word("Precision and recall", "精确率与召回率");
    let curve = all.precision_recall();
    let pr = Figure::new(
        pr_title.text(),
        |lang| {
            let f = frame(lang, pr_title, hit, word("share of the called that are true", "判为真者中真例占比"));
            precision_recall::precision_recall(&curve, all.average_precision().unwrap_or(f64::NAN), rate, &f)
        },
        word(
            "How sure a call is when more and more of the true cases are found; where true cases are rare, this says more than the ROC curve.",
            "找到的真例越来越多时，判断有多可靠；真例稀少时，它比 ROC 曲线更有说服力。",
        )
        .text(),
    );
    let ks_title = word("KS curve", "KS 曲线");
    let shares = all.shares();
    let ks = Figure::new(
        ks_title.text(),
        |lang| {
            let x = word("share of rows, best first", "按概率从高到低的行占比");
            ks::ks(&shares, &frame(lang, ks_title, x, word("share found", "累积占比")))
        },
        word(
            "True and other cases found from the highest probability down; the largest distance is the KS statistic of credit scoring.",
            "按概率从高到低累积的真例与非真例占比；最大差距即信用评分中的 KS 统计量。",
        )
        .text(),
    );
    let rows = lift_table(happened, score, GROUPS);
    let lift_title = word("Lift by tenth", "十分位提升度");
    let lifts: Vec<f64> = rows.iter().map(|r| r.lift).collect();
    let lift = Figure::new(
        lift_title.text(),
        |lang| {
            let x = word("tenth of the rows, highest probability first", "按概率从高到低的十分位");
            lift::lift(&lifts, &frame(lang, lift_title, x, word("times chance", "相对随机的倍数")))
        },
        word(
            "How many times as many true cases each tenth holds as by chance.",
            "每个十分位中的真例是随机情况的多少倍。",
        )
        .text(),
    )
    .table(gain_table(&rows));
    vec![matrix(&names, &counts, at), roc, pr, ks, gain, lift, calibrated, cost_of(&all, threshold, costs)]
}

/// The gain table of direct marketing and credit scoring.
fn gain_table(rows: &[LiftRow]) -> Table {
    let head = [
        word("Tenth", "十分位"),
        word("Rows", "行数"),
        word("Mean probability", "平均概率"),
        word("True cases", "真例"),
        word("Share of true cases", "真例占比"),
        word("Lift", "提升度"),
        word("Found so far", "累计检出"),
        word("KS", "KS"),
    ];
    let mut table = Table::new(head.into_iter().map(|w| numbers(w.text())).collect());
    for (i, r) in rows.iter().enumerate() {
        let cells = [
            (i + 1).to_string(),
            r.n.to_string(),
            percent(r.mean_score),
            // equal scores on both sides of a border share their true cases out
            grouped(r.positives, usize::from(r.positives.fract() != 0.0)),
            percent(r.rate),
            grouped(r.lift, 2),
            percent(r.captured),
            grouped(r.gap, 3),
        ];
        table.row(cells.into_iter().map(Text::same).collect());
    }
    table
}

fn cost_of(all: &Thresholds, threshold: f64, (cost_fp, cost_fn): (f64, f64)) -> Figure {
    let at = |t: f64| (t, all.cost(&all.at(t), cost_fp, cost_fn));
    let mut points: Vec<(f64, f64)> = all.steps().iter().rev().map(|c| at(c.threshold)).collect();
    points.insert(0, at(0.0));
    points.push(at(1.0));
    let title = word("Cost over the threshold", "不同阈值的成本");
    let draw = |lang: Lang| {
        let (x, y) = (word("threshold", "阈值").pick(lang), word("mean cost per row", "每行平均成本").pick(lang));
        cost::cost(&points, at(threshold), &Frame::new(lang, title.pick(lang), x, y))
    };
    let caption = word(
        "A false alarm costs {fp}, a missed case {fn}. The upright line is the threshold in use; the lowest point is the best in hindsight only.",
        "误报成本 {fp}，漏报成本 {fn}。竖线为所用阈值；最低点只是事后最优。",
    );
    let costs = [("fp", Text::same(grouped(cost_fp, 2))), ("fn", Text::same(grouped(cost_fn, 2)))];
    Figure::new(title.text(), draw, caption.with(&costs))
}

/// Of several classes: the confusion matrix and the ROC curve of each class against the rest.
pub(super) fn several(names: &[String], counts: &[Vec<u64>], probabilities: &[f64], actual: &[usize]) -> Vec<Figure> {
    let k = names.len();
    let scores: Vec<Vec<f64>> = (0..k).map(|c| probabilities.chunks_exact(k).map(|p| p[c]).collect()).collect();
    let truth: Vec<Vec<bool>> = (0..k).map(|c| actual.iter().map(|&a| a == c).collect()).collect();
    let title = word("ROC curves, each class against the rest", "各类别对其余类别的 ROC 曲线");
    let draw = |lang: Lang| {
        let classes: Vec<roc::OneClass<'_>> =
            (0..k).map(|c| roc::OneClass { name: &names[c], score: &scores[c], happened: &truth[c] }).collect();
        let x = word("share of other cases called", "误报率").pick(lang);
        let y = word("share of the class found", "该类检出率").pick(lang);
        roc::roc_by_class(&classes, &Frame::new(lang, title.pick(lang), x, y))
    };
    let caption = word(
        "For every class, its probability tells its rows from all others; beside the name is the area under the curve.",
        "以某一类别的概率区分该类与其余各类；名称旁为曲线下面积。",
    );
    vec![matrix(names, counts, Text::default()), Figure::new(title.text(), draw, caption.text())]
}
