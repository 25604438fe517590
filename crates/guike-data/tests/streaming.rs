//! Features that stream through partitions are the features of the log in memory, whatever the way in.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, DictionaryArray, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use guike_core::{Column, ColumnData, Cutoff, Day, EventLog, EventLogBuilder, Horizon, Quiet, Seed, Table};
use guike_data::clean::clean_customer;
use guike_data::{
    CustomerFeatures, CustomerNames, CustomerRows, FeatureQuery, ImportOptions, PartitionConfig, Partitioner, RowsRead,
    TypedColumns, TypedLog, import, read_rows, read_typed_parquet,
};
use guike_features::{FeatureSet, LogShape, feature_table, features};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;

fn bits(table: &Table) -> Vec<(String, Vec<u64>, Vec<String>)> {
    let column = |c: &Column| match &c.data {
        ColumnData::Numeric(v) => (c.name.clone(), v.iter().map(|x| x.to_bits()).collect(), Vec::new()),
        ColumnData::Categorical { codes, levels } => {
            (c.name.clone(), codes.iter().map(|&c| u64::from(c)).collect(), levels.clone())
        }
    };
    table.columns().iter().map(column).collect()
}

fn horizon() -> Horizon {
    Horizon::from_days(90).expect("90 is a horizon")
}

/// A row of the typed test log.
#[derive(Debug, Clone)]
struct Sale {
    customer: Option<i64>,
    second: i64,
    amount: Option<f64>,
    category: Option<usize>,
    item: Option<i32>,
}

const CATEGORIES: [&str; 4] = ["茶", "books", "toys", "shoes"];

/// `n` sales in no order; customers' numbers are `first + step × 0..customers`.
fn sales(n: usize, customers: u64, first: i64, step: i64) -> Vec<Sale> {
    let draw = |name: &str, i: usize| Seed(5).derive(name).at(i as u64).0;
    let sale = |i: usize| Sale {
        customer: (draw("none", i) % 500 > 0).then(|| first + step * (draw("customer", i) % customers) as i64),
        second: 1_600_000_000 + (draw("time", i) % (600 * 86_400)) as i64,
        amount: (draw("unpaid", i) % 400 > 0).then(|| (draw("amount", i) % 50_000) as f64 / 100.0 - 20.0),
        // a category that only the later half of the file knows, so that row groups number categories differently
        category: match draw("category", i) % 5 {
            4 => None,
            0 if i < n / 2 => Some(1),
            c => Some(c as usize),
        },
        item: (draw("item", i) % 9 > 0).then(|| (draw("item", i) % 777) as i32 - 5),
    };
    (0..n).map(sale).collect()
}

fn write(path: &Path, sales: &[Sale]) {
    let keys: Int32Array = sales.iter().map(|s| s.category.map(|c| c as i32)).collect();
    let names: ArrayRef = Arc::new(StringArray::from_iter_values(CATEGORIES));
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("customer_id", Arc::new(sales.iter().map(|s| s.customer).collect::<Int64Array>())),
        (
            "time",
            Arc::new(sales.iter().map(|s| Some(s.second * 1_000_000 + 999_999)).collect::<TimestampMicrosecondArray>()),
        ),
        ("amount", Arc::new(sales.iter().map(|s| s.amount).collect::<Float64Array>())),
        ("category", Arc::new(DictionaryArray::<Int32Type>::try_new(keys, names).expect("keys of names"))),
        ("item", Arc::new(sales.iter().map(|s| s.item).collect::<Int32Array>())),
    ];
    let batch =
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, c)| (n, c, true))).expect("a batch");
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(7_000)).build();
    let file = std::fs::File::create(path).expect("a file");
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).expect("a writer");
    writer.write(&batch).expect("written");
    writer.close().expect("written");
}

const COLUMNS: TypedColumns<'static> = TypedColumns {
    customer: "customer_id",
    time: "time",
    amount: "amount",
    item: Some("item"),
    category: Some("category"),
};

fn read(path: &Path, memory_limit: usize) -> TypedLog {
    let config = PartitionConfig { memory_limit, ..PartitionConfig::default() };
    read_typed_parquet(path, COLUMNS, config, &Quiet).expect("read").expect("typed")
}

fn stream(typed: &TypedLog, cutoff: Cutoff) -> CustomerFeatures {
    let query = FeatureQuery { cutoff, customers: typed.customers(), categories: &typed.categories };
    typed.rows.all_features(query, horizon(), None, &Quiet).expect("features").0
}

/// The same log by plain sorting.
fn plain(sales: &[Sale], categories: &[String]) -> EventLog {
    let usable: Vec<&Sale> = sales.iter().filter(|s| s.customer.is_some() && s.amount.is_some()).collect();
    let mut sorted = usable;
    sorted.sort_by_key(|s| (s.customer, s.second));
    let first_item = sales.iter().filter_map(|s| s.item).min().unwrap_or(0);
    let mut b = EventLogBuilder { offsets: vec![0], categories: categories.to_vec(), ..Default::default() };
    for s in sorted {
        let id = s.customer.expect("filtered").to_string();
        if b.customer_ids.last() != Some(&id) {
            b.customer_ids.push(id);
            b.offsets.push(b.time.len() as u64);
        }
        let micros = (s.amount.expect("filtered") * 1e6).round() as i64;
        b.time.push(s.second);
        b.amount.push(micros);
        b.kind.push(u8::from(micros < 0));
        let code = |c: usize| categories.iter().position(|n| n == CATEGORIES[c]).expect("seen") as u32;
        b.category.push(s.category.map_or(u32::MAX, code));
        b.item.push(s.item.map_or(u32::MAX, |i| (i - first_item) as u32));
        *b.offsets.last_mut().expect("begins with 0") += 1;
    }
    b.build()
}

fn typed_file(name: &str, sales: &[Sale]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(name);
    write(&path, sales);
    (folder, path)
}

#[test]
fn typed_features_are_those_of_the_log_in_memory() {
    // dense numbers (no dictionary), and numbers spread over 63 bits (one dictionary)
    for (first, step) in [(1_000, 1), (-5, 2), (-4_000_000_000_000_000_000, 4_000_000_000_000_000)] {
        let sales = sales(40_000, 2_000, first, step);
        let (_folder, path) = typed_file("log.parquet", &sales);
        let typed = read(&path, usize::MAX);
        let left_out = sales.iter().filter(|s| s.customer.is_none() || s.amount.is_none()).count() as u64;
        assert!(left_out > 50);
        assert_eq!(typed.rows_left_out, left_out);
        assert_eq!(typed.rows.n_rows() + left_out, 40_000);
        let log = plain(&sales, &typed.categories);
        for day in [18_600, 18_900, 19_200] {
            let cutoff = Cutoff::after(Day(day));
            let past = log.before(cutoff);
            let buyers = past.buyers();
            let streamed = stream(&typed, cutoff);
            let ids: Vec<&String> = buyers.iter().map(|&i| &log.customer_ids()[i as usize]).collect();
            assert!(streamed.customer_ids.iter().eq(ids), "buyers in the order of their numbers");
            assert!(bits(&streamed.table) == bits(&features(&past, &buyers, horizon())), "day {day}, step {step}");
        }
    }
}

#[test]
fn limits_and_threads_change_no_bit() {
    let sales = sales(60_000, 3_000, 7, 3);
    let (_folder, path) = typed_file("log.parquet", &sales);
    let run = |threads: usize, limit: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        pool.install(|| {
            let typed = read(&path, limit);
            assert_eq!(typed.rows.spilled(), limit < 1 << 30);
            let f = stream(&typed, Cutoff::after(Day(19_000)));
            (f.customer_ids, bits(&f.table), typed.categories)
        })
    };
    let reference = run(1, usize::MAX);
    assert!(reference == run(3, usize::MAX));
    assert!(reference == run(2, 200_000));
    assert!(reference == run(4, 0));
}

#[test]
fn a_subset_of_the_catalogue_is_computed_alone() {
    let sales = sales(5_000, 200, 0, 1);
    let (_folder, path) = typed_file("log.parquet", &sales);
    let columns = TypedColumns { item: None, category: None, ..COLUMNS };
    let typed = read_typed_parquet(&path, columns, PartitionConfig::default(), &Quiet).expect("read").expect("typed");
    let cutoff = Cutoff::after(Day(19_100));
    let shape = typed.rows.shape(cutoff);
    assert!(FeatureSet::named(&["items"], &shape, horizon()).is_err(), "a column that was not read is not offered");
    let set = FeatureSet::named(&["spend", "orders_90d"], &shape, horizon()).expect("offered");
    let query = FeatureQuery { cutoff, customers: typed.customers(), categories: &[] };
    let (some, _) = typed.rows.features(query, &set, None, &Quiet).expect("features");
    let log = plain(&sales, &CATEGORIES.map(str::to_owned));
    let past = log.before(cutoff);
    assert!(bits(&some.table) == bits(&feature_table(&past, &past.buyers(), &set)));
}

#[test]
fn columns_of_other_types_are_left_to_the_general_reader() {
    let (_folder, path) = typed_file("log.parquet", &sales(100, 10, 0, 1));
    for columns in [
        TypedColumns { customer: "category", ..COLUMNS },
        TypedColumns { time: "amount", ..COLUMNS },
        TypedColumns { amount: "no such column", ..COLUMNS },
        TypedColumns { category: Some("item"), ..COLUMNS },
    ] {
        let read = read_typed_parquet(&path, columns, PartitionConfig::default(), &Quiet).expect("legible");
        assert!(read.is_none(), "{columns:?}");
    }
}

#[test]
fn a_damaged_file_is_named() {
    let (_folder, path) = typed_file("log.parquet", &sales(30_000, 100, 0, 1));
    let bytes = std::fs::read(&path).expect("legible");
    std::fs::write(&path, &bytes[..bytes.len() / 2]).expect("written");
    let error =
        read_typed_parquet(&path, COLUMNS, PartitionConfig::default(), &Quiet).expect_err("cut off").to_string();
    assert!(error.contains("log.parquet` is damaged"), "{error}");
}

#[test]
fn streaming_through_the_cleaning_gives_what_the_import_gives() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/online_retail");
    let Some(path) = std::fs::read_dir(&path).ok().and_then(|folder| {
        folder
            .flatten()
            .map(|f| f.path())
            .find(|p| p.to_string_lossy().contains(".csv") || p.to_string_lossy().contains(".xlsx"))
    }) else {
        println!("skipped: no shared data");
        return;
    };
    let options = ImportOptions::default();
    let imported = import(&path, &options, &Quiet).expect("imported");
    let mut partitioner = Partitioner::new(PartitionConfig { memory_limit: 1 << 20, ..PartitionConfig::default() });
    let RowsRead { dictionaries, rules, .. } = read_rows(&path, &options, &Quiet, &mut partitioner).expect("read");
    let rows = partitioner.finish().expect("sorted");
    assert!(rows.spilled());
    let clean = |rows: &mut CustomerRows<'_>, ledger: &mut _| clean_customer(rows, &rules, ledger);
    let cutoff = Cutoff::after("2011-06-30".parse().expect("a day"));
    let customers = CustomerNames::Dictionary(&dictionaries);
    let query = FeatureQuery { cutoff, customers, categories: &dictionaries.categories };
    let (streamed, _) = rows.all_features(query, horizon(), Some(&clean), &Quiet).expect("features");
    let past = imported.log.before(cutoff);
    let buyers = past.buyers();
    assert!(LogShape::of(&past).quantity && buyers.len() > 2000);
    assert!(bits(&streamed.table) == bits(&features(&past, &buyers, horizon())));
}
