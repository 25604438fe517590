//! The kernel against definitions written a second time, slowly, straight from their words.

use std::collections::{BTreeMap, BTreeSet};

use guike_core::{
    Column, ColumnData, Cutoff, Day, EventKind, EventLog, EventLogBuilder, Events, Horizon, Table, Timestamp,
};
use guike_features::{
    FeatureSet, LogShape, Scratch, compute, feature_table, feature_tables, features, labels, rfm, sequences,
};
use proptest::prelude::*;

const DAY: i64 = 86_400;

/// One event, in a row.
#[derive(Debug, Clone)]
struct Row {
    time: i64,
    kind: u8,
    amount: i64,
    quantity: f32,
    item: u32,
    category: u32,
    order: u32,
}

fn log_of(customers: &[Vec<Row>]) -> EventLog {
    let mut b = EventLogBuilder { offsets: vec![0], ..Default::default() };
    for (i, rows) in customers.iter().enumerate() {
        b.customer_ids.push(format!("c{i}"));
        let mut rows = rows.clone();
        rows.sort_by_key(|r| r.time);
        for r in rows {
            b.time.push(r.time);
            b.kind.push(r.kind);
            b.amount.push(r.amount);
            b.quantity.push(r.quantity);
            b.item.push(r.item);
            b.category.push(r.category);
            b.order.push(r.order);
        }
        b.offsets.push(b.time.len() as u64);
    }
    b.categories = (0..5).map(|c| format!("category {c}")).collect();
    b.items = (0..9).map(|c| format!("item {c}")).collect();
    b.build()
}

fn row() -> impl Strategy<Value = Row> {
    let code = |n: u32| prop_oneof![9 => 0..n, 1 => Just(Events::MISSING)];
    let quantity = prop_oneof![9 => (1_u8..20).prop_map(f32::from), 1 => Just(f32::NAN)];
    // times on few days, so that equal days and equal moments are common; before and after the epoch
    let time = (-300_i64..500, 0_i64..24, 0_i64..2).prop_map(|(d, h, s)| d * DAY + h * 3600 + s);
    let kind = prop_oneof![6 => Just(0_u8), 1 => Just(1_u8), 3 => 2_u8..9];
    (time, kind, 0_i64..200_000_000, quantity, code(9), code(5), code(12)).prop_map(
        |(time, kind, amount, quantity, item, category, order)| {
            let amount = if kind == EventKind::Refund as u8 { -amount } else { amount };
            Row { time, kind, amount, quantity, item, category, order }
        },
    )
}

fn shop() -> impl Strategy<Value = Vec<Vec<Row>>> {
    prop::collection::vec(prop::collection::vec(row(), 0..40), 1..4)
}

fn horizon() -> Horizon {
    Horizon::from_days(60).expect("60 is a horizon")
}

fn everything() -> LogShape {
    LogShape {
        clock: true,
        quantity: true,
        item: true,
        category: true,
        order: true,
        kinds: [true; 9],
        history_days: 5000,
    }
}

fn mean(v: &[f64]) -> f64 {
    v.iter().sum::<f64>() / v.len() as f64
}

fn std(v: &[f64]) -> f64 {
    if v.len() < 2 {
        return f64::NAN;
    }
    let m = mean(v);
    (v.iter().map(|x| (x - m).powi(2)).sum::<f64>() / (v.len() - 1) as f64).sqrt()
}

fn shares<K: Ord>(keys: impl Iterator<Item = K>) -> (BTreeMap<K, f64>, f64) {
    let mut counts = BTreeMap::new();
    for k in keys {
        *counts.entry(k).or_insert(0.0) += 1.0;
    }
    let n = counts.values().sum();
    (counts, n)
}

/// One feature of one customer, from the words of the catalogue.
fn naive(name: &str, e: &Events<'_>, anchor: Cutoff) -> f64 {
    let last_known = anchor.last_day().0;
    let rows: Vec<usize> = (0..e.len()).filter(|&r| e.time[r] < anchor.end().0).collect();
    let bought: Vec<usize> = rows.iter().copied().filter(|&r| e.kind[r] == 0).collect();
    let mut by_day: BTreeMap<i32, i64> = BTreeMap::new();
    for &r in &bought {
        *by_day.entry(Timestamp(e.time[r]).day().0).or_insert(0) += e.amount[r];
    }
    let days: Vec<i32> = by_day.keys().copied().collect();
    let spends: Vec<f64> = by_day.values().map(|&m| m as f64 / 1e6).collect();
    let spend: f64 = by_day.values().sum::<i64>() as f64 / 1e6;
    let gaps: Vec<f64> = days.windows(2).map(|w| f64::from(w[1] - w[0])).collect();
    let n = days.len() as f64;
    let over = |a: f64, b: f64| if b > 0.0 { a / b } else { f64::NAN };
    let if_any = |v: f64| if days.is_empty() { f64::NAN } else { v };
    let recency = days.last().map_or(f64::NAN, |&d| f64::from(last_known - d));
    let tenure = days.first().map_or(f64::NAN, |&d| f64::from(last_known - d));
    let gap_mean = if gaps.is_empty() { f64::NAN } else { mean(&gaps) };
    let within =
        |from: i32, to: i32| by_day.range(from..to).fold((0.0, 0), |(n, m), (_, &micros)| (n + 1.0, m + micros));
    let named = |codes: &[u32]| -> Vec<(u32, i32)> {
        let with = bought.iter().filter(|&&r| codes[r] != Events::MISSING);
        with.map(|&r| (codes[r], Timestamp(e.time[r]).day().0)).collect()
    };
    let items = named(e.item);
    let categories = named(e.category);
    let top = |v: &[(u32, i32)]| {
        let (counts, total) = shares(v.iter().map(|&(c, _)| c));
        let best = counts.values().copied().fold(0.0, f64::max);
        let code = counts.iter().find(|&(_, &c)| c == best).map(|(&c, _)| c);
        (code.map_or(f64::NAN, f64::from), over(best, total))
    };
    let first_day_rows: Vec<usize> =
        bought.iter().copied().filter(|&r| Some(&Timestamp(e.time[r]).day().0) == days.first()).collect();
    let pieces = |rows: &[usize]| rows.iter().map(|&r| f64::from(e.quantity[r])).filter(|q| !q.is_nan()).sum::<f64>();
    let halves = |amount: bool| {
        let Some(&first) = days.first() else { return f64::NAN };
        let length = last_known - first + 1;
        let middle = first + length / 2 + length % 2;
        let (early, late) = (within(first, middle), within(middle, last_known + 1));
        let (a, b) = if amount { (early.1 as f64 / 1e6, late.1 as f64 / 1e6) } else { (early.0, late.0) };
        over(b - a, a + b)
    };
    let refunds: Vec<usize> = rows.iter().copied().filter(|&r| e.kind[r] == 1).collect();
    let year_ago = within(last_known + 1 - 365, (last_known + 1 - 365 + 60).min(last_known + 1));
    match name {
        "recency_days" => recency,
        "tenure_days" => tenure,
        "recency_share" => over(recency, tenure),
        "orders" => n,
        "orders_per_30d" => 30.0 * n / (tenure + 1.0),
        "purchase_rows" => bought.len() as f64,
        "baskets" => named(e.order).iter().map(|o| o.0).collect::<BTreeSet<_>>().len() as f64,
        "spend" => spend,
        "spend_mean" => over(spend, n),
        "spend_std" => std(&spends),
        "spend_median" => {
            let mut s: Vec<i64> = by_day.values().copied().collect();
            s.sort_unstable();
            if_any(if s.is_empty() { 0.0 } else { (s[(s.len() - 1) / 2] + s[s.len() / 2]) as f64 / 2e6 })
        }
        "spend_max" => if_any(spends.iter().copied().fold(f64::MIN, f64::max)),
        "spend_min" => if_any(spends.iter().copied().fold(f64::MAX, f64::min)),
        "spend_last" => spends.last().copied().unwrap_or(f64::NAN),
        "spend_last_ratio" => spends.last().map_or(f64::NAN, |&s| over(s, spend / n)),
        "spend_per_30d" => 30.0 * spend / (tenure + 1.0),
        "first_spend" => spends.first().copied().unwrap_or(f64::NAN),
        "first_rows" => if_any(first_day_rows.len() as f64),
        "first_quantity" => if_any(pieces(&first_day_rows)),
        "first_items" => {
            let on_first = items.iter().filter(|i| Some(&i.1) == days.first());
            if_any(on_first.map(|i| i.0).collect::<BTreeSet<_>>().len() as f64)
        }
        "first_category" => categories.first().map_or(f64::NAN, |c| f64::from(c.0)),
        "gap_mean" => gap_mean,
        "gap_std" => std(&gaps),
        "gap_cv" => std(&gaps) / gap_mean,
        "gap_last" => gaps.last().copied().unwrap_or(f64::NAN),
        "gap_max" => gaps.iter().copied().reduce(f64::max).unwrap_or(f64::NAN),
        "recency_over_gap" => recency / gap_mean,
        "orders_trend" => halves(false),
        "spend_trend" => halves(true),
        "year_ago_orders" => year_ago.0,
        "year_ago_spend" => year_ago.1 as f64 / 1e6,
        "quantity" => pieces(&bought),
        "quantity_mean" => over(pieces(&bought), n),
        "price_mean" => over(spend, pieces(&bought)),
        "items" => items.iter().map(|i| i.0).collect::<BTreeSet<_>>().len() as f64,
        "repeat_item_share" => {
            let again = items.iter().filter(|&&(i, d)| items.iter().any(|&(j, before)| j == i && before < d));
            over(again.count() as f64, items.len() as f64)
        }
        "top_item_share" => top(&items).1,
        "categories" => categories.iter().map(|i| i.0).collect::<BTreeSet<_>>().len() as f64,
        "top_category" => top(&categories).0,
        "top_category_share" => top(&categories).1,
        "category_entropy" => {
            let (counts, total) = shares(categories.iter().map(|c| c.0));
            if total == 0.0 { f64::NAN } else { counts.values().map(|c| -c / total * (c / total).ln()).sum() }
        }
        "refunds" => refunds.len() as f64,
        "refund_rate" => over(refunds.len() as f64, bought.len() as f64),
        "refund_spend_share" => over(-refunds.iter().map(|&r| e.amount[r]).sum::<i64>() as f64 / 1e6, spend),
        "refund_recency_days" => {
            refunds.last().map_or(f64::NAN, |&r| f64::from(last_known - Timestamp(e.time[r]).day().0))
        }
        _ => family(name, e, &rows, &bought, &days, last_known, &within),
    }
}

/// The members of families, told apart by their names.
fn family(
    name: &str,
    e: &Events<'_>,
    rows: &[usize],
    bought: &[usize],
    days: &[i32],
    last_known: i32,
    within: &dyn Fn(i32, i32) -> (f64, i64),
) -> f64 {
    let share = |hits: usize, of: usize| if of == 0 { f64::NAN } else { hits as f64 / of as f64 };
    let window = |text: &str| text.strip_suffix('d').and_then(|d| d.parse::<i32>().ok()).expect("a window");
    if let Some(w) = name.strip_prefix("orders_") {
        return within(last_known - window(w) + 1, last_known + 1).0;
    }
    if let Some(w) = name.strip_prefix("spend_") {
        return within(last_known - window(w) + 1, last_known + 1).1 as f64 / 1e6;
    }
    if let Some(d) = name.strip_prefix("weekday_") {
        let wanted = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"].iter().position(|w| d.starts_with(w));
        let hits = days.iter().filter(|&&d| Some(Day(d).weekday() as usize) == wanted).count();
        return share(hits, days.len());
    }
    if let Some(m) = name.strip_prefix("month_") {
        let wanted: u32 = m[..2].parse().expect("a month");
        return share(days.iter().filter(|&&d| Day(d).ymd().1 == wanted).count(), days.len());
    }
    if let Some(h) = name.strip_prefix("hour_") {
        let from: u32 = h[..2].parse().expect("an hour");
        let hits = bought.iter().filter(|&&r| (from..from + 4).contains(&Timestamp(e.time[r]).hour())).count();
        return share(hits, bought.len());
    }
    let kind = EventKind::ALL.into_iter().find(|k| name.starts_with(k.name())).expect("a kind of event");
    let when: Vec<i32> =
        rows.iter().filter(|&&r| e.kind[r] == kind as u8).map(|&r| Timestamp(e.time[r]).day().0).collect();
    let since = |days_back: i32| when.iter().filter(|&&d| d > last_known - days_back).count() as f64;
    if name.ends_with("_recency_days") {
        when.last().map_or(f64::NAN, |&d| f64::from(last_known - d))
    } else if name.ends_with("_7d") {
        since(7)
    } else if name.ends_with("_28d") {
        since(28)
    } else {
        when.len() as f64
    }
}

fn close(a: f64, b: f64) -> bool {
    (a.is_nan() && b.is_nan()) || (a - b).abs() <= 1e-9 * (1.0 + a.abs().max(b.abs()))
}

fn bits(table: &Table) -> Vec<(String, Vec<u64>)> {
    let column = |c: &Column| {
        let values = match &c.data {
            ColumnData::Numeric(v) => v.iter().map(|x| x.to_bits()).collect(),
            ColumnData::Categorical { codes, .. } => codes.iter().map(|&c| u64::from(c)).collect(),
        };
        (c.name.clone(), values)
    };
    table.columns().iter().map(column).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn every_feature_equals_its_words(shop in shop(), mut anchors in prop::collection::vec(-310_i32..520, 1..5)) {
        anchors.sort_unstable();
        let anchors: Vec<Cutoff> = anchors.into_iter().map(|d| Cutoff::after(Day(d))).collect();
        let log = log_of(&shop);
        let set = FeatureSet::all(&everything(), horizon());
        let mut scratch = Scratch::default();
        for c in 0..log.n_customers() {
            let mut out = vec![0.0; anchors.len() * set.len()];
            compute(log.customer(c), &anchors, &set, &mut scratch, &mut out);
            for (&anchor, values) in anchors.iter().zip(out.chunks_exact(set.len())) {
                for (feature, &value) in set.iter().zip(values) {
                    let expected = naive(&feature.name, &log.customer(c), anchor);
                    prop_assert!(close(value, expected), "{} at {anchor}: {value}, in words {expected}", feature.name);
                }
            }
        }
    }

    #[test]
    fn many_anchors_give_the_bits_of_each_alone(shop in shop(), mut days in prop::collection::vec(-310_i32..520, 1..6)) {
        days.sort_unstable();
        let anchors: Vec<Cutoff> = days.iter().map(|&d| Cutoff::after(Day(d))).collect();
        let log = log_of(&shop);
        let customers: Vec<u32> = (0..log.n_customers() as u32).rev().collect();
        let set = FeatureSet::all(&everything(), horizon());
        let last = *anchors.last().expect("at least one");
        let together = feature_tables(&log.before(last), &customers, &anchors, &set);
        for (&anchor, table) in anchors.iter().zip(&together) {
            prop_assert_eq!(bits(&feature_table(&log.before(anchor), &customers, &set)), bits(table));
        }
    }

    #[test]
    fn the_future_never_changes_what_was_known(shop in shop(), future in shop(), day in -310_i32..520) {
        let cutoff = Cutoff::after(Day(day));
        let mut longer = shop.clone();
        for (i, rows) in longer.iter_mut().enumerate() {
            rows.retain(|r| r.time < cutoff.end().0);
            let later = future.get(i).into_iter().flatten().cloned();
            rows.extend(later.map(|mut r| { r.time = cutoff.end().0 + r.time.abs(); r }));
        }
        let past_only: Vec<Vec<Row>> = longer
            .iter()
            .map(|rows| rows.iter().filter(|r| r.time < cutoff.end().0).cloned().collect())
            .collect();
        let (a, b) = (log_of(&past_only), log_of(&longer));
        let customers: Vec<u32> = (0..a.n_customers() as u32).collect();
        let table = |log: &EventLog| bits(&features(&log.before(cutoff), &customers, horizon()));
        prop_assert_eq!(table(&a), table(&b));
        prop_assert_eq!(rfm(&a.before(cutoff), 30), rfm(&b.before(cutoff), 30));
    }

    #[test]
    fn the_order_of_customers_changes_no_customer(shop in shop(), day in -310_i32..520) {
        let cutoff = Cutoff::after(Day(day));
        let turned: Vec<Vec<Row>> = shop.iter().rev().cloned().collect();
        let (a, b) = (log_of(&shop), log_of(&turned));
        let n = a.n_customers() as u32;
        let forward: Vec<u32> = (0..n).collect();
        let backward: Vec<u32> = (0..n).rev().collect();
        let one = bits(&features(&a.before(cutoff), &forward, horizon()));
        let two = bits(&features(&b.before(cutoff), &backward, horizon()));
        prop_assert_eq!(one, two);
    }

    #[test]
    fn summary_and_features_tell_the_same_story(shop in shop(), day in -310_i32..520) {
        let log = log_of(&shop);
        let past = log.before(Cutoff::after(Day(day)));
        let summary = rfm(&past, 90);
        prop_assert_eq!(&summary.customer_idx, &past.buyers());
        let shape = LogShape { history_days: 5000, ..LogShape::of(&past) };
        let set = FeatureSet::all(&shape, horizon());
        let table = feature_table(&past, &summary.customer_idx, &set);
        let column = |name: &str| table.column(name).and_then(Column::as_numeric).expect("in every table").to_vec();
        for i in 0..summary.len() {
            prop_assert_eq!(f64::from(summary.repeats[i]) + 1.0, column("orders")[i]);
            prop_assert_eq!(summary.age_days[i], column("tenure_days")[i]);
            prop_assert_eq!(summary.age_days[i] - summary.recency_days[i], column("recency_days")[i]);
            prop_assert_eq!(summary.spend_total[i].to_bits(), column("spend")[i].to_bits());
            prop_assert_eq!(f64::from(summary.window_purchase_days[i]), column("orders_90d")[i]);
            prop_assert_eq!(summary.window_spend[i].to_bits(), column("spend_90d")[i].to_bits());
        }
    }
}

fn purchases(days_and_units: &[(i64, i64)]) -> Vec<Row> {
    let row = |&(day, units): &(i64, i64)| Row {
        time: day * DAY,
        kind: 0,
        amount: units * 1_000_000,
        quantity: 1.0,
        item: 0,
        category: 0,
        order: 0,
    };
    days_and_units.iter().map(row).collect()
}

#[test]
fn the_summary_of_a_known_customer() {
    let log = log_of(&[purchases(&[(0, 5), (0, 7), (10, 20), (40, 10), (41, 99)]), purchases(&[(41, 1)]), vec![]]);
    let t = rfm(&log.before(Cutoff::after(Day(40))), 30);
    assert_eq!(t.customer_idx, [0], "customers without a past purchase are no case");
    assert_eq!((t.repeats[0], t.recency_days[0], t.age_days[0]), (2, 40.0, 40.0));
    assert_eq!((t.repeat_spend_mean[0], t.spend_mean[0], t.spend_total[0]), (15.0, 14.0, 42.0));
    assert_eq!((t.window_purchase_days[0], t.window_spend[0]), (1, 10.0), "day 10 is 31 days back");
    assert_eq!(t.history_days, 41);
}

#[test]
fn labels_count_the_days_after_the_cutoff_within_the_horizon() {
    let log = log_of(&[purchases(&[(0, 5), (1, 7), (1, 8), (10, 20), (11, 40)]), purchases(&[(0, 1)])]);
    let ten = Horizon::from_days(10).expect("10 is a horizon");
    let l = labels(&log.after(Cutoff::after(Day(0)), ten), &[1, 0]);
    assert_eq!((l.orders, l.spend), (vec![0.0, 2.0], vec![0.0, 35.0]));
}

#[test]
fn threads_change_no_bit() {
    let shop: Vec<Vec<Row>> = (0..3000_i64)
        .map(|c| (0..c % 23).map(|k| (k * (7 + c % 5), 1 + (c * k) % 97)).collect::<Vec<_>>())
        .map(|days| purchases(&days))
        .collect();
    let log = log_of(&shop);
    let past = log.before(Cutoff::after(Day(120)));
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        pool.install(|| (bits(&features(&past, &past.buyers(), horizon())), rfm(&past, 30)))
    };
    assert_eq!(with(1), with(5));
}

#[test]
fn attributes_pass_through_and_never_hide_a_feature() {
    let mut b = EventLogBuilder {
        customer_ids: vec!["a".into(), "b".into()],
        offsets: vec![0, 1, 2],
        time: vec![0, DAY],
        kind: vec![0, 0],
        amount: vec![1_000_000, 2_000_000],
        ..Default::default()
    };
    let city = ColumnData::Categorical { codes: vec![1, 0], levels: vec!["Paris".into(), "Xi'an".into()] };
    let columns = vec![Column::numeric("spend", vec![30.0, 41.0]), Column { name: "city".into(), data: city }];
    b.attributes = Some(Table::new(columns).expect("two columns"));
    let log = b.build();
    let t = features(&log.before(Cutoff::after(Day(5))), &[1, 0], horizon());
    assert_eq!(t.column("spend").and_then(Column::as_numeric), Some(&[2.0, 1.0][..]));
    assert_eq!(t.column("attribute_spend").and_then(Column::as_numeric), Some(&[41.0, 30.0][..]));
    let Some(ColumnData::Categorical { codes, levels }) = t.column("city").map(|c| &c.data) else {
        panic!("categories")
    };
    assert_eq!((&codes[..], levels[codes[1] as usize].as_str()), (&[0, 1][..], "Xi'an"));
}

#[test]
fn sequences_are_the_latest_events_before_the_cutoff() {
    let log = log_of(&[purchases(&[(0, 5), (2, 7), (3, 8), (9, 1)]), vec![]]);
    let s = sequences(&log.before(Cutoff::after(Day(4))), &[1, 0], 2);
    assert_eq!((s.n_customers(), &s.offsets[..]), (2, &[0, 0, 2][..]));
    assert_eq!(s.range(1), 0..2);
    assert_eq!((&s.days_before[..], &s.gap_days[..]), (&[3.0, 2.0][..], &[2.0, 1.0][..]));
    assert_eq!((&s.amount[..], &s.item[..]), (&[7.0, 8.0][..], &[0, 0][..]));
    let all = sequences(&log.before(Cutoff::after(Day(4))), &[0], 100);
    assert!(all.gap_days[0].is_nan(), "nothing came before the first event");
}
