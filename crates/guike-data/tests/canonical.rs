//! The canonical log comes back as it was written, and nothing else passes for one.

use std::path::PathBuf;

use guike_core::{Column, ColumnData, EventLog, EventLogBuilder, Events, Quiet, Table};
use guike_data::canonical::{read_canonical, write_canonical};
use guike_data::{ImportOptions, Imported, QualityReport, import};
use proptest::prelude::*;

fn bits(log: &EventLog) -> String {
    let e = log.all();
    let quantity: Vec<u32> = e.quantity.iter().map(|q| q.to_bits()).collect();
    let heads = (log.customer_ids(), log.offsets(), log.items(), log.categories(), log.currency());
    let attributes = format!("{:?}", log.attributes());
    format!(
        "{heads:?} {:?} {:?} {:?} {quantity:?} {:?} {:?} {:?} {attributes}",
        e.time, e.kind, e.amount, e.item, e.category, e.order
    )
}

fn round_trip(log: &EventLog) -> EventLog {
    let quality = QualityReport { rows_read: 7, amount: "column `实付金额`".into(), ..QualityReport::default() };
    let imported = Imported { log: log.clone(), quality };
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("log.parquet");
    write_canonical(&imported.log, &imported.quality, &path).expect("written");
    let files: Vec<PathBuf> = std::fs::read_dir(folder.path()).expect("a folder").flatten().map(|f| f.path()).collect();
    assert_eq!(files, std::slice::from_ref(&path), "nothing beside the log is left");
    let back = read_canonical(&path).expect("read");
    assert_eq!(back.quality, imported.quality);
    back.log
}

prop_compose! {
    fn any_log()(
        counts in prop::collection::vec(0_usize..6, 0..20),
        seeds in prop::collection::vec(any::<u64>(), 120),
        optional in any::<[bool; 4]>(),
        attributes in any::<bool>(),
        currency in prop::option::of(Just("CNY".to_owned())),
    ) -> EventLog {
        let mut b = EventLogBuilder { offsets: vec![0], currency, ..Default::default() };
        let code = |s: u64, of: u64| if s % (of + 1) == of { Events::MISSING } else { (s % (of + 1)) as u32 };
        for (i, &n) in counts.iter().enumerate() {
            b.customer_ids.push(format!("客户 {i}\""));
            let mut time: Vec<i64> = (0..n).map(|k| (seeds[(i * 6 + k) % 120] % 4_000_000_000) as i64 - 1_000_000_000).collect();
            time.sort_unstable();
            b.time.extend(time);
            for k in 0..n {
                let s = seeds[(i * 6 + k) % 120] >> 7;
                b.kind.push((s % 9) as u8);
                b.amount.push((s % 2_000_000_000_000_000_001) as i64 - 1_000_000_000_000_000_000);
                b.quantity.push(if s % 5 == 0 { f32::NAN } else { (s % 1000) as f32 / 8.0 });
                b.item.push(code(s, 7));
                b.category.push(code(s >> 3, 3));
                b.order.push(code(s >> 5, 900_000_000));
            }
            b.offsets.push(b.time.len() as u64);
        }
        let [quantity, item, category, order] = optional;
        if !quantity { b.quantity.clear(); }
        if !item { b.item.clear(); }
        if !category { b.category.clear(); }
        if !order { b.order.clear(); }
        // names in an order of their own, one of them unused
        b.items = (0..8).rev().map(|i| format!("item, {i}\n")).collect();
        b.categories = ["乙", "甲", ""].map(str::to_owned).to_vec();
        if attributes {
            let n = b.customer_ids.len();
            let age = (0..n).map(|i| if i % 3 == 0 { f64::NAN } else { i as f64 / 3.0 }).collect();
            let city = ColumnData::Categorical { codes: vec![1; n], levels: vec!["Xi'an".into(), "Paris".into()] };
            b.attributes = Table::new(vec![Column::numeric("age", age), Column { name: "city".into(), data: city }]).ok();
        }
        b.build()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_log_comes_back_bit_for_bit(log in any_log()) {
        prop_assert_eq!(bits(&round_trip(&log)), bits(&log));
    }
}

#[test]
fn a_log_of_many_batches_comes_back() {
    let n = 200_000_usize;
    let per = 7;
    let customers = n.div_ceil(per);
    let b = EventLogBuilder {
        customer_ids: (0..customers).map(|c| c.to_string()).collect(),
        offsets: (0..=customers).map(|c| (c * per).min(n) as u64).collect(),
        time: (0..n as i64).map(|i| i * 60).collect(),
        kind: vec![0; n],
        amount: (0..n as i64).map(|i| i * 10_000).collect(),
        item: (0..n as u32).map(|i| i * 7919 % 5000).collect(),
        items: (0..5000).map(|i| format!("i{i}")).collect(),
        ..Default::default()
    };
    let log = b.build();
    assert!(bits(&round_trip(&log)) == bits(&log));
}

#[test]
fn what_is_no_canonical_log_is_refused_with_a_reason() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("log.parquet");
    let refusal = || read_canonical(&path).expect_err("refused").to_string();
    assert!(refusal().starts_with("cannot read `"), "{}", refusal());
    std::fs::write(&path, b"PAR1 and so on").expect("written");
    assert!(refusal().contains("is damaged"), "{}", refusal());
    let empty = EventLogBuilder { offsets: vec![0], ..Default::default() }.build();
    let empty = Imported { log: empty, quality: QualityReport::default() };
    assert!(write_canonical(&empty.log, &empty.quality, &folder.path().join("no/such/log.parquet")).is_err());
}

/// A log with every column, names, a currency and attributes.
fn rich_log() -> EventLog {
    let n = 600_usize;
    let b = EventLogBuilder {
        customer_ids: (0..n / 6).map(|c| format!("客 {c}")).collect(),
        offsets: (0..=n / 6).map(|c| c as u64 * 6).collect(),
        time: (0..n as i64).map(|i| 1_600_000_000 + i * 86_413).collect(),
        kind: (0..n).map(|i| u8::from(i % 11 == 0)).collect(),
        amount: (0..n as i64).map(|i| if i % 11 == 0 { -i } else { i * i % 977 } * 10_000).collect(),
        quantity: (0..n).map(|i| if i % 7 == 0 { f32::NAN } else { (i % 5) as f32 }).collect(),
        item: (0..n as u32).map(|i| i * 7919 % 50).collect(),
        category: (0..n as u32).map(|i| if i % 9 == 0 { Events::MISSING } else { i % 3 }).collect(),
        order: (0..n as u32).collect(),
        items: (0..50).map(|i| format!("i{i}")).collect(),
        categories: ["a", "b", "c"].map(str::to_owned).to_vec(),
        currency: Some("CNY".into()),
        attributes: Table::new(vec![Column::numeric("age", (0..n / 6).map(|i| i as f64).collect())]).ok(),
    };
    b.build()
}

#[test]
fn a_bit_that_is_another_one_is_refused_with_the_file_or_changes_nothing_that_is_read() {
    let log = rich_log();
    let quality = QualityReport { rows_read: 600, rows_kept: 600, customers: 100, ..QualityReport::default() };
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("log.parquet");
    write_canonical(&log, &quality, &path).expect("written");
    let whole = std::fs::read(&path).expect("read");
    let read = || import(&path, &ImportOptions::default(), &Quiet);
    let before = read().expect("the file as it was written");
    assert_eq!(bits(&before.log), bits(&log));
    let (mut refused, mut by_checksum, mut flips) = (0, 0, 0);
    // every bit of some bytes all over the file, and of all in its last part, where the header lies
    let n = whole.len();
    for at in (0..n).filter(|at| at % 13 == 0 || n - at < 700) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        std::fs::write(&path, &bytes).expect("written");
        flips += 1;
        match read() {
            Ok(again) => {
                assert_eq!(bits(&again.log), bits(&log), "bit {} of byte {at} of {n}", at % 8);
                assert_eq!(again.quality, before.quality, "bit {} of byte {at} of {n}", at % 8);
            }
            Err(e) => {
                assert!(e.to_string().contains("log.parquet"), "{e}");
                refused += 1;
                by_checksum += usize::from(e.to_string().contains("have the checksum"));
            }
        }
    }
    assert!(refused * 2 > flips && by_checksum > 0, "{refused} of {flips} were refused, {by_checksum} by the checksum");
}
