//! Results from files that were written by hand: orders, pages, counts and comparisons.

#![allow(clippy::disallowed_methods)] // writes and reads results in a temporary folder

use super::*;
use crate::history::Now;

/// Five customers: two of a tier, one without a next order, ids out of order.
fn results() -> (tempfile::TempDir, Results) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let ids = ["bo", "ann", "cy", "an", "di"];
    let tiers = ["gold", "silver", "gold", "bronze", "silver"];
    let spend = [30.0, 20.0, 30.0, 0.0, 10.0];
    let next = ["5", "", "7", "", "6"];
    let mut forecasts = format!("customer_id,{},tier\n", NUMBERS[..FORECAST].join(","));
    let mut history = format!("customer_id,tier,rfm_score,rfm_group,{}\n", NUMBERS[FORECAST..].join(","));
    for i in 0..5 {
        let (id, tier, spend, next) = (ids[i], tiers[i], spend[i], next[i]);
        forecasts += &format!("{id},1,{spend},0,0,0,50,60,0.5,{next},{tier}\n");
        history += &format!("{id},{tier},555,champions,{i},2,100.5\n");
    }
    let put = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("written");
    put(names::FORECASTS_CSV, &forecasts);
    put(names::TIERS_CSV, &history);
    put(names::TIERS_JSON, r#"{"tiers":[{"name":{"key":"gold","en":"Gold","zh":"黄金"},"n":2}]}"#);
    put(names::EVALUATION_JSON, r#"{"chosen":"bg-nbd","cutoff":"2024-01-01"}"#);
    let results = Results::open(folder.path()).expect("read");
    (folder, results)
}

const ALL: Ask<'_> = Ask {
    prefix: "",
    tier: None,
    group: None,
    bounds: Bounds::OPEN,
    sort: Sort::Id,
    descending: false,
    from: 0,
    limit: 100,
};

fn ids(results: &Results, ask: &Ask<'_>) -> Vec<String> {
    results.page(ask).customers.iter().map(|&i| results.id(i).to_owned()).collect()
}

#[test]
fn customers_come_in_every_order_and_missing_numbers_last() {
    let (_folder, r) = results();
    let by = |name: &str, descending: bool| {
        ids(&r, &Ask { sort: Results::sort(name).expect("a column"), descending, ..ALL })
    };
    assert_eq!(by("customer_id", false), ["an", "ann", "bo", "cy", "di"]);
    assert_eq!(by("customer_id", true), ["di", "cy", "bo", "ann", "an"]);
    assert_eq!(by("expected_spend", true), ["cy", "bo", "ann", "di", "an"]);
    assert_eq!(by("next_order_days", false), ["bo", "di", "cy", "an", "ann"]);
    assert_eq!(by("next_order_days", true), ["cy", "di", "bo", "an", "ann"]);
    assert_eq!(Results::sort("tier"), None);
}

#[test]
fn pages_of_any_size_hold_every_customer_once() {
    let (_folder, r) = results();
    for limit in 1..6 {
        for (prefix, tier, expected) in [("", None, 5), ("an", None, 2), ("", Some(0), 2), ("x", None, 0)] {
            let (mut all, mut from) = (Vec::new(), Some(0));
            while let Some(at) = from {
                let page = r.page(&Ask { prefix, tier, from: at, limit, ..ALL });
                all.extend(page.customers);
                from = page.next;
            }
            all.sort_unstable();
            all.dedup();
            assert_eq!(all.len(), expected, "{limit} {prefix} {tier:?}");
        }
    }
}

#[test]
fn customers_are_counted_compared_and_found_alike() {
    let (_folder, r) = results();
    let gold = r.tally(&Ask { tier: Some(0), ..ALL });
    assert_eq!((gold.customers, gold.expected_spend), (2, 60.0));
    assert_eq!(r.tally(&Ask { prefix: "an", ..ALL }).customers, 2);
    assert_eq!(gold.by_tier, [2, 2, 1]);
    assert_eq!(r.tally(&Ask { group: Some(0), prefix: "x", ..ALL }).customers, 0);
    r.warm();
    let curve = r.concentration();
    assert_eq!((curve[0], curve[1_000]), ((0.0, 0.0), (1.0, 1.0)));
    // the two best of five hold 60 of 90
    assert!((1.0 - curve[600].1 - 60.0 / 90.0).abs() < 1e-12, "{:?}", curve[600]);
    let bo = r.find("bo").expect("there");
    assert_eq!(r.share_below(bo, EXPECTED_SPEND), Some(0.75));
    assert_eq!(r.alike(bo, 1), [r.find("ann").expect("there")], "one day longer ago than bo, the others more");
    assert_eq!(Results::group_name("champions").en, "Champions");
    assert!(r.board().is_none());
}

#[test]
fn a_customer_is_found_by_the_whole_id() {
    let (_folder, r) = results();
    let ann = r.find("ann").expect("there");
    assert_eq!((r.tier(ann), r.number(ann, 1), r.number(ann, 8)), ("silver", Some(20.0), None));
    assert_eq!((r.rfm_score(ann), r.number(ann, 11), r.number(ann, 9)), ("555", Some(100.5), Some(1.0)));
    assert_eq!((r.find("a"), r.find(""), r.len()), (None, None, 5));
}

#[test]
fn files_that_do_not_belong_together_are_refused() {
    let (folder, _) = results();
    let path = folder.path().join(names::TIERS_CSV);
    let text = std::fs::read_to_string(&path).expect("read").replace("ann,", "eve,");
    std::fs::write(&path, text).expect("written");
    let error = Results::open(folder.path()).expect_err("refused").to_string();
    assert!(error.contains("other customers"), "{error}");
}

#[test]
fn bounds_leave_out_who_is_beyond_them_and_whose_number_is_missing() {
    let (_folder, r) = results();
    let within = |least: f64, greatest: f64, column: usize| {
        let mut bounds = Bounds::OPEN;
        bounds.from(column, least);
        bounds.up_to(column, greatest);
        ids(&r, &Ask { bounds, ..ALL })
    };
    assert_eq!(within(10.0, 20.0, EXPECTED_SPEND), ["ann", "di"]);
    assert_eq!(within(20.0, f64::INFINITY, EXPECTED_SPEND), ["ann", "bo", "cy"]);
    assert_eq!(within(0.0, 100.0, 8), ["bo", "cy", "di"], "two have no next order");
    let mut bounds = Bounds::OPEN;
    bounds.up_to(EXPECTED_SPEND, 10.0);
    assert_eq!(r.tally(&Ask { bounds, ..ALL }).by_tier, [0, 1, 1]);
}

#[test]
fn an_export_holds_who_is_asked_for_under_the_names_that_are_shown() {
    let (_folder, r) = results();
    let r = std::sync::Arc::new(r);
    for form in export::TableForm::ALL {
        let ask = Ask { tier: Some(0), ..ALL };
        let mut table = export::Export::begin(std::sync::Arc::clone(&r), &ask, form, str::to_uppercase).expect("begun");
        let mut bytes = Vec::new();
        while let Some(piece) = table.piece().expect("made") {
            bytes.extend(piece);
        }
        assert!(!bytes.is_empty() && table.piece().expect("ended").is_none());
        if form == export::TableForm::Csv {
            let text = String::from_utf8(bytes).expect("text");
            let rows: Vec<&str> = text.lines().skip(1).map(|l| l.split(',').next().expect("an id")).collect();
            assert_eq!(rows, ["BO", "CY"]);
            assert!(text.contains("BO,gold,2024-01-01,1,30,0,0,0,50,60,0.5,5,0,2,100.5,555,champions\n"), "{text}");
        }
    }
    let nobody = Ask { prefix: "x", ..ALL };
    let mut table = export::Export::begin(r, &nobody, export::TableForm::Parquet, str::to_owned).expect("begun");
    assert_eq!(&table.piece().expect("made").expect("bytes")[..4], b"PAR1");
}

#[test]
fn revised_customers_stand_where_a_run_with_them_would_have_them() {
    let (_folder, r) = results();
    r.warm();
    let now = |id: &str, spend: f64, next: f64, tier: Option<&str>| Now {
        customer_id: id.to_owned(),
        as_of: "2024-02-01".parse().expect("a day"),
        numbers: [1.0, spend, 0.0, 0.0, 0.0, 50.0, 60.0, 0.5, next, 0.0, 3.0, 200.0],
        tier: tier.map(str::to_owned),
        rfm_score: "554".to_owned(),
        rfm_group: "loyal".to_owned(),
    };
    let revised = r.revised(&[now("an", 25.0, 4.0, Some("platinum")), now("eve", 10.0, f64::NAN, None)]);
    // a place is a customer's, whatever happens to her
    assert_eq!(revised.find("ann"), r.find("ann"));
    let eve = revised.find("eve").expect("the new one");
    assert_eq!((eve, revised.tier(eve), revised.rfm_score(eve)), (5, "gold", "554"), "the lowest tier of the file");
    assert_eq!(revised.tier(revised.find("an").expect("there")), "platinum");
    assert_eq!((revised.n_revised(), r.n_revised()), (2, 0));
    assert!(revised.as_of(eve).is_some() && revised.as_of(0).is_none());
    // merged orders are those that sorting gives
    for column in 0..NUMBERS.len() {
        let sorted = revised.sorted(revised.by_id.clone(), column);
        assert_eq!(revised.order_by(column), sorted, "{}", NUMBERS[column]);
    }
    assert_eq!(ids(&revised, &ALL), ["an", "ann", "bo", "cy", "di", "eve"]);
    let again = revised.revised(&[now("eve", 40.0, 1.0, Some("gold"))]);
    assert_eq!((again.len(), again.order_by(EXPECTED_SPEND).last()), (6, Some(&(eve as u32))));
}

#[test]
fn a_page_goes_on_behind_the_last_customer_of_the_one_before() {
    let (_folder, r) = results();
    for sort in [Sort::Id, Sort::Number(EXPECTED_SPEND), Sort::Number(8)] {
        for (descending, prefix) in [(false, ""), (true, ""), (false, "an")] {
            let ask = Ask { sort, descending, prefix, ..ALL };
            let all = r.page(&ask).customers;
            for (i, &at) in all.iter().enumerate() {
                let from = r.step_after(&ask, at, r.place_in(sort, at)).expect("she is there");
                assert_eq!(r.page(&Ask { from, ..ask }).customers, all[i + 1..], "{sort:?} {descending} {prefix} {i}");
            }
        }
    }
    assert_eq!(r.step_after(&ALL, 5, 0.0), None);
}
