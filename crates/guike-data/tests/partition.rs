//! Sorting by customer: whatever the order of arrival in memory, on disk, on threads, the log is the same.

use std::collections::BTreeMap;

use guike_core::{Cutoff, Day, EventLog, Events, Quiet, Seed};
use guike_data::{
    DataError, Dictionaries, PartitionConfig, Partitioned, Partitioner, Reads, RowBatch, RowColumns, RowSink,
};
use guike_features::LogShape;
use proptest::prelude::*;

const ALL: RowColumns = RowColumns { quantity: true, item: true, category: true, order: true, hash: true, flags: true };

/// A batch of `n` rows of `customers` customers, drawn from a seed; rows count on from `first_row`.
fn batch(seed: Seed, n: usize, customers: u32, first_row: u32, columns: RowColumns) -> RowBatch {
    let draw = |name: &str, i: usize| seed.derive(name).at(i as u64).0;
    let rows = || 0..n;
    let some = |filled: bool| 0..if filled { n } else { 0 };
    let code = |name: &str, i: usize, of: u64| match draw(name, i) % (of + 1) {
        0 => Events::MISSING,
        c => c as u32 - 1,
    };
    RowBatch {
        customer: rows().map(|i| (draw("customer", i) % u64::from(customers)) as u32).collect(),
        // few distinct moments, so that the source order decides often
        time: rows().map(|i| (draw("time", i) % 50) as i64 * 86_400 - 1_000_000).collect(),
        kind: rows().map(|i| (draw("kind", i) % 3) as u8).collect(),
        amount: rows().map(|i| (draw("amount", i) % 1_000_000) as i64 * 10_000 - 777).collect(),
        quantity: some(columns.quantity).map(|i| (draw("quantity", i) % 9) as f32 - 1.5).collect(),
        item: some(columns.item).map(|i| code("item", i, 90_000)).collect(),
        category: some(columns.category).map(|i| code("category", i, 20)).collect(),
        order: some(columns.order).map(|i| code("order", i, 900)).collect(),
        row: rows().map(|i| first_row + i as u32).collect(),
        hash: some(columns.hash).map(|i| draw("hash", i)).collect(),
        flags: some(columns.flags).map(|i| (draw("flags", i) % 8) as u8).collect(),
    }
}

fn batches(seed: u64, sizes: &[usize], customers: u32, columns: RowColumns) -> Vec<RowBatch> {
    let mut first_row = 0;
    let one = |(k, &n): (usize, &usize)| {
        let b = batch(Seed(seed).at(k as u64), n, customers, first_row, columns);
        first_row += n as u32;
        b
    };
    sizes.iter().enumerate().map(one).collect()
}

/// Ranks against the order of the codes, so that a confusion of both would show.
fn names(customers: u32) -> Dictionaries {
    Dictionaries {
        customer_ids: (0..customers).map(|r| format!("{:05}", customers - 1 - r)).collect(),
        customer_rank: (0..customers).rev().collect(),
        ..Dictionaries::default()
    }
}

fn partitioned(batches: &[RowBatch], columns: RowColumns, hint: Option<u64>, limit: usize) -> Partitioned {
    let mut p = Partitioner::new(PartitionConfig { memory_limit: limit, ..Default::default() });
    p.begin(columns, hint).expect("room");
    for b in batches {
        p.push(b.clone()).expect("room");
    }
    p.finish().expect("room")
}

/// Time, kind, amount, item and order of a row.
type Cells = (i64, u8, i64, u32, u32);

/// The same log by a plain stable sort.
fn plain(batches: &[RowBatch], customers: u32) -> BTreeMap<u32, Vec<Cells>> {
    let mut by_rank: BTreeMap<u32, Vec<Cells>> = BTreeMap::new();
    for b in batches {
        for i in 0..b.len() {
            let cell = |column: &[u32]| column.get(i).copied().unwrap_or(0);
            let row = (b.time[i], b.kind[i], b.amount[i], cell(&b.item), cell(&b.order));
            by_rank.entry(customers - 1 - b.customer[i]).or_default().push(row);
        }
    }
    by_rank.values_mut().for_each(|rows| rows.sort_by_key(|r| r.0));
    by_rank
}

fn rows_of(log: &EventLog, customer: usize) -> Vec<Cells> {
    let e = log.customer(customer);
    let cell = |column: &[u32], i: usize| column.get(i).copied().unwrap_or(0);
    (0..e.len()).map(|i| (e.time[i], e.kind[i], e.amount[i], cell(e.item, i), cell(e.order, i))).collect()
}

fn bits(log: &EventLog) -> String {
    let e = log.all();
    let quantity: Vec<u32> = e.quantity.iter().map(|q| q.to_bits()).collect();
    format!(
        "{:?} {:?} {:?} {:?} {:?} {quantity:?} {:?} {:?} {:?}",
        log.customer_ids(),
        log.offsets(),
        e.time,
        e.kind,
        e.amount,
        e.item,
        e.category,
        e.order
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn the_log_is_a_stable_sort_by_customer_and_time(
        seed in any::<u64>(),
        sizes in prop::collection::vec(1_usize..400, 1..8),
        customers in 1_u32..300,
        hint in prop::option::of(1_u64..2_000_000),
        limit in prop_oneof![Just(usize::MAX), 0_usize..20_000],
        optional in any::<[bool; 6]>(),
    ) {
        let [quantity, item, category, order, hash, flags] = optional;
        let columns = RowColumns { quantity, item, category, order, hash, flags };
        let batches = batches(seed, &sizes, customers, columns);
        let (log, _) = partitioned(&batches, columns, hint, limit)
            .into_log(names(customers), None, &Quiet)
            .expect("sorted");
        let expected = plain(&batches, customers);
        prop_assert_eq!(log.n_customers(), expected.len(), "only customers with rows");
        for (i, (rank, rows)) in expected.iter().enumerate() {
            prop_assert_eq!(&log.customer_ids()[i], &format!("{:05}", customers - 1 - rank));
            prop_assert_eq!(&rows_of(&log, i), rows);
        }
    }
}

#[test]
fn disk_and_memory_threads_and_partitions_give_the_same_bits() {
    let batches = batches(7, &[70_000, 1, 30_000, 65_536, 40_000], 5000, ALL);
    let log = |threads: usize, hint, limit| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        pool.install(|| {
            let p = partitioned(&batches, ALL, hint, limit);
            assert_eq!(p.spilled(), limit < 1 << 30);
            assert_eq!(p.n_rows(), 205_537);
            bits(&p.into_log(names(5000), None, &Quiet).expect("sorted").0)
        })
    };
    let reference = log(1, None, usize::MAX);
    assert!(reference == log(1, None, 0), "on disk");
    assert!(reference == log(3, None, 3_000_000), "partly on disk, three threads");
    assert!(reference == log(4, Some(1), usize::MAX), "one partition");
    assert!(reference == log(2, Some(100_000_000), 1_000_000), "1024 partitions");
}

#[test]
fn pieces_are_the_log_that_is_held_whole() {
    let batches = batches(11, &[200_000, 1, 250_000, 165_536], 5000, ALL);
    // some customers lose all of their rows, so that places in the log are not those in the dictionary
    let clean = |rows: &mut guike_data::CustomerRows<'_>, _: &mut _| {
        let keep = rows.amount[0] % 7 != 0;
        rows.keep.iter_mut().zip(rows.flags).for_each(|(k, &flag)| *k = keep && flag != 3);
    };
    let read = |limit: usize| {
        let config = PartitionConfig { memory_limit: limit, ..PartitionConfig::default() };
        let p = partitioned(&batches, ALL, None, limit);
        p.into_piecewise(names(5000), Some(&clean), &config, &Quiet).expect("sorted").0
    };
    let whole = read(usize::MAX);
    let whole = whole.in_memory().expect("it fits");
    assert!(whole.n_customers() < 5000 && whole.n_events() > 400_000);
    for (threads, limit) in [(1, 0), (3, 4_000_000)] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        pool.install(|| {
            let apart = read(limit);
            assert!(apart.in_memory().is_none());
            assert_eq!((apart.n_customers(), apart.n_events()), (whole.n_customers(), whole.n_events()));
            assert_eq!(apart.customer_ids(), whole.customer_ids());
            assert_eq!(apart.purchase_span(), whole.purchase_span());
            for day in [-20, 3, 30] {
                let cutoff = Cutoff::after(Day(day));
                assert_eq!(apart.shape(cutoff), LogShape::of(&whole.before(cutoff)), "day {day}");
            }
            let mut next = 0;
            let of_piece = |first: usize, piece: &EventLog| Ok::<_, DataError>((first, piece.clone()));
            apart
                .fold(Reads::Everything, of_piece, |(first, piece)| {
                    assert_eq!(first, next);
                    let same: Vec<u32> = (first..first + piece.n_customers()).map(|c| c as u32).collect();
                    assert!(bits(&piece) == bits(&whole.only(&same)), "the piece from {first} on");
                    next += piece.n_customers();
                    Ok(())
                })
                .expect("read");
            assert_eq!(next, whole.n_customers());
            let purchases = |_, piece: &EventLog| {
                assert!(piece.all().item.is_empty());
                Ok::<_, DataError>(piece.all().amount.iter().sum::<i64>())
            };
            let spend: i64 = apart.map(Reads::Purchases, purchases).expect("read").iter().sum();
            assert_eq!(spend, whole.all().amount.iter().sum::<i64>());
            let some: Vec<u32> = (0..whole.n_customers() as u32).filter(|c| c % 701 == 5).collect();
            assert!(bits(&apart.only(&some).expect("read")) == bits(&whole.only(&some)));
            assert!(bits(&apart.whole().expect("read")) == bits(whole));
        });
    }
}

#[test]
fn cleaning_sees_each_customer_once_sorted_and_what_it_drops_is_gone() {
    let batches = batches(3, &[5000, 5000], 40, ALL);
    let clean = |rows: &mut guike_data::CustomerRows<'_>, _: &mut _| {
        assert!(rows.time.is_sorted() && !rows.is_empty());
        let keyed: Vec<_> = rows.time.iter().zip(rows.row).collect();
        assert!(keyed.is_sorted(), "equal moments in source order");
        assert!(rows.keep.iter().all(|&k| k));
        assert_eq!((rows.hash.len(), rows.flags.len(), rows.quantity.len()), (rows.len(), rows.len(), rows.len()));
        for i in 0..rows.len() {
            rows.keep[i] = rows.flags[i] != 3;
            rows.amount[i] = i64::from(rows.flags[i]);
        }
    };
    for limit in [0, usize::MAX] {
        let p = partitioned(&batches, ALL, None, limit);
        let (log, _) = p.into_log(names(40), Some(&clean), &Quiet).expect("sorted");
        let dropped = batches.iter().flat_map(|b| &b.flags).filter(|&&f| f == 3).count();
        assert!(dropped > 1000);
        assert_eq!(log.n_events(), 10_000 - dropped);
        assert!(log.all().amount.iter().all(|&a| a != 3 && a < 8));
    }
}

#[test]
fn a_customer_whose_rows_are_all_dropped_is_not_in_the_log() {
    let batches = batches(3, &[500], 4, RowColumns::default());
    let gone = batches[0].customer.iter().zip(&batches[0].row).filter(|&(&c, _)| c == 2).map(|(_, &r)| r);
    let gone: Vec<u32> = gone.collect();
    let clean = |rows: &mut guike_data::CustomerRows<'_>, _: &mut _| {
        if gone.contains(&rows.row[0]) {
            rows.keep.fill(false);
        }
    };
    let p = partitioned(&batches, RowColumns::default(), None, usize::MAX);
    let (log, _) = p.into_log(names(4), Some(&clean), &Quiet).expect("sorted");
    assert_eq!(log.customer_ids(), ["00003", "00001", "00000"]);
    assert_eq!(log.n_events(), 500 - gone.len());
}

#[test]
fn moments_millennia_apart_are_sorted_too() {
    let far = i64::MAX / 4;
    let b = RowBatch {
        customer: vec![0; 4],
        time: vec![far, -far, 0, -far],
        kind: vec![0; 4],
        amount: vec![1, 2, 3, 4],
        row: vec![0, 1, 2, 3],
        ..RowBatch::default()
    };
    let p = partitioned(&[b], RowColumns::default(), Some(4), usize::MAX);
    let (log, _) = p.into_log(names(1), None, &Quiet).expect("sorted");
    assert_eq!(log.all().amount, [2, 4, 3, 1]);
}

#[test]
fn no_rows_give_an_empty_log() {
    let p = partitioned(&[], ALL, None, usize::MAX);
    assert_eq!(p.into_log(names(0), None, &Quiet).expect("nothing to sort").0.n_customers(), 0);
}

#[test]
fn an_unusable_temporary_folder_is_named() {
    let missing = std::path::PathBuf::from("no-such-folder-here");
    let config = PartitionConfig { memory_limit: 0, temporary_folder: Some(missing) };
    let mut p = Partitioner::new(config);
    p.begin(RowColumns::default(), None).expect("room");
    p.push(batch(Seed(1), 10, 2, 0, RowColumns::default())).expect("not yet a run");
    let error = p.finish().expect_err("no such folder").to_string();
    assert!(error.starts_with("cannot create a temporary file in `no-such-folder-here`"), "{error}");
}
