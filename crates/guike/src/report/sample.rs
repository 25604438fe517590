//! A made-up shop for the tests of the report: plausible numbers from a fixed generator, nothing measured.

use guike_core::{Cutoff, Day, Horizon};
use guike_explain::cohort::Cohort;
use guike_explain::rfm::RfmCell;
use guike_explain::totals::{Expected, Period};
use guike_explain::{Interval, Lang};

use super::view::*;

/// A small generator of numbers in [0, 1); only for made-up data.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// About normal: the sum of twelve rolls less six.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.roll()).sum::<f64>() - 6.0
    }
}

fn b(en: &str, zh: &str) -> Bilingual {
    Bilingual::new(en, zh)
}

/// A shop with 23,570 customers and every part of the report.
pub(crate) fn shop(lang: Lang) -> ReportView {
    let mut dice = Dice(7);
    let n = 23_570;
    let predicted: Vec<f64> = (0..n).map(|_| (2.2 + 1.25 * dice.normal()).exp()).collect();
    let p_active: Vec<f64> = predicted.iter().map(|p| p / (p + 38.0)).collect();
    let actual: Vec<f64> = predicted
        .iter()
        .zip(&p_active)
        .map(|(p, a)| if dice.roll() < *a { p / a * (0.7 * dice.normal() - 0.245).exp() } else { 0.0 })
        .map(|v| (v * 100.0).round() / 100.0)
        .collect();
    let total: f64 = predicted.iter().sum();
    ReportView {
        lang,
        source: "orders-2024.csv".into(),
        currency: Some("GBP".into()),
        cutoff: cutoff(2024, 9, 30),
        horizon: Horizon::from_days(273).expect("in range"),
        level: 0.8,
        answer: Answer {
            n_customers: n as u64,
            expected_spend: Interval { mid: total, lo: total * 0.91, hi: total * 1.1 },
            expected_buyers: p_active.iter().sum(),
            expected_orders: p_active.iter().sum::<f64>() * 2.3,
            past_spend: Some(total * 1.32),
            n_bought_once: 9_214,
            at_risk: Some(AtRisk {
                n_customers: 1_486,
                past_spend: total * 0.17,
                expected_spend: total * 0.031,
                p_active_below: 0.5,
            }),
        },
        history: history(&mut dice, total),
        forecast: forecast(total),
        tiers: Part::Here(tiers(&predicted, &p_active)),
        expected_spend: predicted.clone(),
        rfm: Part::Here(rfm(total)),
        top_customers: top(&mut dice, &predicted),
        backtest: Part::Here(backtest(predicted, actual, p_active)),
        drivers: Part::Here(drivers()),
        cohorts: Part::Here(cohorts(&mut dice)),
        quality: quality(),
        method: method(),
    }
}

fn cutoff(year: i32, month: u32, day: u32) -> Cutoff {
    Cutoff::after(Day::from_ymd(year, month, day).expect("a day"))
}

fn month(k: i32) -> String {
    format!("{}-{:02}", 2023 + k.div_euclid(12), k.rem_euclid(12) + 1)
}

fn history(dice: &mut Dice, total: f64) -> Vec<Period> {
    (0..21)
        .map(|k| {
            let season = 1.0 + 0.25 * (f64::from(k) * 0.52).sin() + if k % 12 == 10 { 0.5 } else { 0.0 };
            Period { label: month(k), value: total / 7.2 * season * (1.0 + 0.05 * dice.normal()), complete: k > 0 }
        })
        .collect()
}

fn forecast(total: f64) -> Vec<Expected> {
    (0..9)
        .map(|k| {
            let mid = total / 9.0 * (1.14 - 0.035 * f64::from(k)) + if k == 1 { total * 0.03 } else { 0.0 };
            Expected { label: month(21 + k), total: Interval { mid, lo: mid * 0.86, hi: mid * 1.17 } }
        })
        .collect()
}

fn tiers(value: &[f64], p_active: &[f64]) -> Tiers {
    let mut order: Vec<usize> = (0..value.len()).collect();
    order.sort_by(|&i, &j| value[j].total_cmp(&value[i]));
    let names = [("Diamond", "钻石"), ("Platinum", "铂金"), ("Gold", "黄金"), ("Silver", "白银"), ("Bronze", "青铜")];
    let cuts = [0.0, 0.04, 0.13, 0.3, 0.6, 1.0];
    let rows = names
        .iter()
        .zip(cuts.windows(2))
        .map(|((en, zh), w)| {
            let at = |s: f64| (s * order.len() as f64) as usize;
            let rows = &order[at(w[0])..at(w[1])];
            let spend: f64 = rows.iter().map(|&i| value[i]).sum();
            let active: f64 = rows.iter().map(|&i| p_active[i]).sum();
            TierRow {
                name: b(en, zh),
                n_customers: rows.len() as u64,
                expected_spend: spend,
                expected_orders: active * 2.3,
                p_active: active / rows.len() as f64,
                from: rows.last().map(|&i| value[i]),
            }
        })
        .collect();
    Tiers {
        rows,
        method: b(
            "By expected spend, cut where the tiers hold fixed shares of the value.",
            "按预期消费排序，在各层级达到固定价值占比处划分。",
        ),
        silhouette: Some(0.58),
        stability: Some(0.93),
        migration: Some(vec![
            vec![801, 116, 21, 4, 0],
            vec![132, 1_644, 287, 50, 8],
            vec![10, 301, 3_118, 540, 38],
            vec![0, 44, 561, 5_702, 764],
            vec![0, 16, 20, 775, 8_618],
        ]),
    }
}

fn rfm(total: f64) -> Rfm {
    let mut cells = [[RfmCell::default(); 5]; 5];
    for (r, row) in cells.iter_mut().enumerate() {
        for (f, cell) in row.iter_mut().enumerate() {
            let near = 6.0 - (r as f64 - f as f64).abs();
            cell.n_customers = (near * near * 46.0 - 20.0 * f as f64).max(30.0) as u64;
            cell.value = total * (r as f64 * 0.62 + f as f64 * 0.5 - 4.9).exp();
        }
    }
    let group = |name, about, n_customers, share, p_active| RfmGroup {
        name,
        about,
        n_customers,
        expected_spend: total * share,
        p_active,
    };
    Rfm {
        cells,
        groups: vec![
            group(
                b("Champions", "冠军顾客"),
                b("Bought recently and often. Reward them.", "最近且经常购买。请予以回馈。"),
                2_410,
                0.46,
                0.81,
            ),
            group(
                b("Loyal", "忠诚顾客"),
                b("Buy often. Offer them more.", "经常购买。可推荐更多商品。"),
                3_894,
                0.27,
                0.55,
            ),
            group(
                b("New", "新顾客"),
                b("First purchase not long ago. Invite them back.", "首购不久。请邀请他们再来。"),
                2_120,
                0.07,
                0.31,
            ),
            group(
                b("At risk", "有流失风险"),
                b("Bought often, but not lately. Win them back.", "曾经常购买，近来没有。请设法挽回。"),
                3_206,
                0.12,
                0.22,
            ),
            group(b("Asleep", "沉睡顾客"), b("Few purchases, long ago.", "购买少且久远。"), 11_940, 0.08, 0.07),
        ],
    }
}

fn top(dice: &mut Dice, value: &[f64]) -> Vec<TopCustomer> {
    let mut best = value.to_vec();
    best.sort_by(|a, b| b.total_cmp(a));
    best.iter()
        .take(20)
        .map(|v| TopCustomer {
            id: format!("C{:05}", (dice.roll() * 99_999.0) as u32),
            tier: Some(0),
            expected_spend: Interval { mid: *v, lo: v * 0.35, hi: v * 1.9 },
            p_active: 0.93 + 0.06 * dice.roll(),
            n_purchase_days: 12 + (dice.roll() * 40.0) as u64,
            past_spend: v * (2.0 + dice.roll()),
            last_purchase: format!("2024-09-{:02}", 3 + (dice.roll() * 27.0) as u32),
        })
        .collect()
}

fn backtest(predicted: Vec<f64>, actual: Vec<f64>, p_active: Vec<f64>) -> Backtest {
    let row = |name, about, mid: f64, more: [f64; 3], baseline| CandidateRow {
        name,
        about,
        score: Interval { mid, lo: mid - 0.012, hi: mid + 0.011 },
        more: more.to_vec(),
        baseline,
    };
    Backtest {
        cutoff: cutoff(2023, 12, 31),
        horizon: Horizon::from_days(273).expect("in range"),
        n_anchors: 4,
        metric: Metric {
            name: b("normalised Gini", "归一化基尼系数"),
            meaning: b(
                "How well customers are put in order of what they then spend: 1 is perfect, 0 is chance.",
                "按其后消费排列顾客的准确程度：1 为完美，0 为随机。",
            ),
            higher_is_better: true,
            decimals: 3,
        },
        more_metrics: vec![b("AUC", "AUC"), b("Bias", "总量比"), b("MAE", "平均绝对误差")],
        candidates: vec![
            row(
                b("Pareto/NBD + Gamma-Gamma", "Pareto/NBD + Gamma-Gamma"),
                b("buying while alive, with a hidden day of leaving", "活跃期间随机购买，流失日不可见"),
                0.684,
                [0.812, 1.04, 31.2],
                false,
            ),
            row(
                b("MBG/NBD + Gamma-Gamma", "MBG/NBD + Gamma-Gamma"),
                b("may leave after any purchase", "每次购买后都可能流失"),
                0.681,
                [0.811, 1.02, 31.0],
                false,
            ),
            row(
                b("BG/NBD + Gamma-Gamma", "BG/NBD + Gamma-Gamma"),
                b("may leave after a repeat purchase", "复购后可能流失"),
                0.676,
                [0.806, 1.07, 31.6],
                false,
            ),
            row(
                b("RFM score", "RFM 评分"),
                b("mean of similar customers", "相似顾客的均值"),
                0.642,
                [0.781, 1.11, 33.8],
                true,
            ),
            row(
                b("Historical rate", "历史平均速率"),
                b("goes on as on average so far", "按至今的平均速度延续"),
                0.611,
                [0.744, 1.83, 47.0],
                true,
            ),
            row(
                b("Repeat the last window", "沿用上一窗口"),
                b("the same again", "与上期相同"),
                0.588,
                [0.716, 1.35, 41.9],
                true,
            ),
            row(b("Zero", "零"), b("nobody buys", "无人购买"), 0.0, [0.5, 0.0, 44.4], true),
        ],
        chosen: 1,
        why: WhyChosen::SimplerThan(0),
        predicted,
        actual,
        p_active,
        deciles: Vec::new(),
        coverage: vec![
            Coverage { level: 0.8, observed: 0.892, expected: 0.885, below: 0.011, above: 0.097 },
            Coverage { level: 0.9, observed: 0.861, expected: 0.942, below: 0.006, above: 0.133 },
        ],
        scores: vec![
            Score {
                name: b("Normalised Gini", "归一化基尼系数"),
                value: 0.681,
                interval: Some((0.669, 0.692)),
                decimals: 3,
                meaning: b(
                    "Order of customers by value: 1 is perfect, 0 is chance.",
                    "顾客价值排序：1 为完美，0 为随机。",
                ),
            },
            Score {
                name: b("Total bias", "总量偏差"),
                value: 1.021,
                interval: Some((0.968, 1.074)),
                decimals: 3,
                meaning: b("Predicted over actual total: 1 is exact.", "预测总量与实际总量之比：1 为准确。"),
            },
            Score {
                name: b("Top-decile capture", "前 10% 捕获率"),
                value: 0.522,
                interval: Some((0.507, 0.538)),
                decimals: 3,
                meaning: b(
                    "Share of actual spend held by the tenth with the highest forecasts.",
                    "预测最高的 10% 顾客占实际消费的比例。",
                ),
            },
        ],
        course: [(2022, 0.94, 0.655, 0.79), (2023, 1.02, 0.681, 0.81)].into_iter().map(at).collect(),
    }
}

/// A cutoff at the end of March, with the ratio of forecast and actual, Gini and AUC.
fn at((year, ratio, gini, auc): (i32, f64, f64, f64)) -> AtCutoff {
    AtCutoff {
        cutoff: cutoff(year, 3, 31),
        horizon: Horizon::from_days(273).expect("in range"),
        customers: 2_000,
        predicted: 150_000.0 * ratio,
        actual: 150_000.0,
        gini: Some(gini),
        auc: Some(auc),
    }
}

fn drivers() -> Drivers {
    let driver = |name: Bilingual, mid: f64| Driver {
        name,
        weight: Interval { mid, lo: 0.8 * mid, hi: 1.2 * mid },
        shade: None,
        customers: Vec::new(),
    };
    let parts = vec![
        (b("bought on 61 days (median 2)", "有 61 个购买日（中位数 2）"), 2_900.0),
        (b("last bought 3 days ago (median 143)", "上次购买在 3 天前（中位数 143）"), 1_150.0),
        (b("spends £84 per purchase day (median £31)", "每个购买日消费 £84（中位数 £31）"), 610.0),
        (b("first bought 640 days ago (median 410)", "首次购买在 640 天前（中位数 410）"), -45.0),
    ];
    Drivers {
        n_customers: 20,
        themes: vec![
            driver(b("how often", "购买频率"), 41.0),
            driver(b("last purchase", "最近购买"), 33.0),
            driver(b("how much money", "消费金额"), 21.0),
            driver(b("how long a customer", "客龄"), 5.0),
        ],
        top: vec![WhyTop { id: "<C00001>".to_owned(), expected: 4_655.0, base: 40.0, parts }],
    }
}

fn cohorts(dice: &mut Dice) -> Vec<Cohort> {
    (0..21)
        .map(|k: i32| Cohort {
            label: month(k),
            n_customers: 600 + (dice.roll() * 1_100.0) as u64,
            retained: (0..20 - k)
                .map(|m| Some((0.34 / (1.0 + 0.16 * f64::from(m)) * (1.0 + 0.08 * dice.normal())).clamp(0.0, 1.0)))
                .collect(),
        })
        .collect()
}

fn quality() -> Quality {
    let dropped = |reason, rows, examples: &[&str]| DroppedRows {
        reason,
        rows,
        examples: examples.iter().map(|e| (*e).to_owned()).collect(),
    };
    let column = |role, column: &str, how| MappedColumn { role, column: column.to_owned(), how };
    let by_name = || b("by its name", "列名");
    Quality {
        n_read: 541_909,
        n_kept: 392_273,
        dropped: vec![
            dropped(
                b("no customer", "缺少顾客编号"),
                135_080,
                &["row 623: 536414,22139,,56,2010-12-01 11:52,0.0,,United Kingdom"],
            ),
            dropped(
                b("cancelled order", "取消的订单"),
                9_288,
                &["row 142: C536379,D,Discount,-1", "row 155: C536383,35004C"],
            ),
            dropped(b("exact duplicate", "完全重复"), 5_268, &["row 518: 536409,21866,UNION JACK FLAG LUGGAGE TAG"]),
        ],
        first_day: "2023-01-04".into(),
        last_day: "2024-09-30".into(),
        n_customers: 23_570,
        n_purchase_days: 69_659,
        mapping: vec![
            column(b("customer", "顾客"), "CustomerID", by_name()),
            column(b("time", "时间"), "InvoiceDate", by_name()),
            column(b("price × quantity", "单价 × 数量"), "UnitPrice, Quantity", b("by its content", "列内容")),
            column(b("order", "订单"), "InvoiceNo", by_name()),
        ],
        notes: vec![
            Remark {
                warning: true,
                text: b(
                    "One customer spent 4.1 % of all money; check that it is not a wholesale account.",
                    "有一位顾客占总消费的 4.1%，请确认是否为批发账户。",
                ),
            },
            Remark {
                warning: false,
                text: b(
                    "Dates were read as day/month/year, decided from the whole column.",
                    "日期按“日/月/年”读取，依据整列判断。",
                ),
            },
        ],
    }
}

fn method() -> Method {
    Method {
        version: "0.1.0".into(),
        seed: 1,
        command: Some("guike run orders-2024.csv --out result --horizon 273d".into()),
        config: "[forecast]\nmodel = \"auto\"\nhorizon = \"273d\"\n\n[tiers]\nmethod = \"value-share\"\ncount = 5\n"
            .into(),
        steps: vec![b(
            "Every candidate was fitted as of earlier dates inside the history and compared with what then happened; the chosen one was fitted again on all data up to the cutoff.",
            "每个候选模型都在历史中的较早时点拟合，并与其后的实际比较；入选者再用截止日前的全部数据重新拟合。",
        )],
        facts: vec![(b("Log fingerprint", "日志指纹"), "9f3c 71aa 02de 4410".into())],
    }
}

/// A shop of three customers with everything missing that can be missing.
pub(crate) fn tiny(lang: Lang) -> ReportView {
    let few = || Why::TooFewCustomers { found: 3, needed: 20 };
    ReportView {
        source: "<b>小店</b> & Co.csv".into(),
        currency: None,
        answer: Answer {
            n_customers: 3,
            expected_spend: Interval { mid: 12.5, lo: 0.0, hi: 60.0 },
            expected_buyers: 0.8,
            expected_orders: 1.1,
            past_spend: None,
            n_bought_once: 3,
            at_risk: None,
        },
        history: Vec::new(),
        forecast: Vec::new(),
        tiers: Part::Missing(few()),
        expected_spend: vec![0.0; 3],
        rfm: Part::Missing(few()),
        top_customers: Vec::new(),
        backtest: Part::Missing(Why::HistoryTooShort { found_days: 14, needed_days: 60 }),
        drivers: Part::Missing(few()),
        cohorts: Part::Missing(Why::Because(b(
            "Not shown: all customers began in the same month.",
            "未显示：所有顾客都在同一个月开始购买。",
        ))),
        quality: Quality {
            n_read: 3,
            n_kept: 3,
            dropped: Vec::new(),
            n_customers: 3,
            n_purchase_days: 3,
            mapping: Vec::new(),
            notes: Vec::new(),
            ..quality()
        },
        method: Method { version: "0.1.0".into(), ..Method::default() },
        ..shop(lang)
    }
}
