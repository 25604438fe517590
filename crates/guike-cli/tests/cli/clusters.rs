//! `guike cluster`: rows that are alike, by every method.

use std::fmt::Write as _;

use crate::support::{Desk, Ended, Numbers, cells};

const METHODS: [&str; 4] = ["k-means", "ward", "mixture", "dbscan"];

/// Three kinds of customers by income and visits, 3 : 2 : 1, with an id and a colour, and now and then an empty cell.
fn customers(n: u64) -> String {
    let mut numbers = Numbers(21);
    let mut text = String::from("customer_id,income,visits,colour\n");
    for i in 0..n {
        let (income, visits) = [(3_000, 4), (9_000, 40), (20_000, 12)][[0, 0, 0, 1, 1, 2][(i % 6) as usize]];
        let income = income + numbers.below(900) + numbers.below(900);
        let visits = visits + numbers.below(4) + numbers.below(4);
        let colour = ["red", "green"][numbers.below(2) as usize];
        let income = if i == 17 { String::new() } else { income.to_string() };
        let _ = writeln!(text, "C{i:04},{income},{visits},{colour}");
    }
    text
}

fn cluster(desk: &Desk, args: &[&str]) -> Ended {
    desk.guike(&[&["cluster", "t.csv"], args].concat())
}

#[test]
fn every_method_finds_the_three_kinds_and_their_number() {
    let desk = Desk::new();
    desk.put("t.csv", customers(600));
    for method in METHODS {
        // whole numbers of visits are dense lines of their own to a radius found from the distances
        let radius: &[&str] = if method == "dbscan" { &["--radius", "0.3"] } else { &[] };
        let ended = cluster(&desk, &[&["--method", method, "--out", method, "--format", "csv"], radius].concat());
        assert_eq!(ended.code, 0, "{}", ended.stderr);
        assert!(ended.stderr.contains("3 clusters ("), "{method}: {}", ended.stderr);
        assert!(ended.stderr.contains("column `colour`: it holds no numbers"), "{}", ended.stderr);
        assert!(ended.stderr.contains("column `income`: 1 empty cells count as its median"), "{}", ended.stderr);
        let (head, found) = cells(&ended.stdout);
        assert_eq!(head, ["cluster", "rows", "share", "mean income", "mean visits"], "{method}");
        let number = |cell: &str| cell.parse::<f64>().expect("a number");
        for (row, (rows, income)) in found.iter().zip([(300.0, 3_900.0), (200.0, 9_900.0), (100.0, 20_900.0)]) {
            // dbscan leaves the outermost to noise
            assert!(number(row[1]) >= 0.85 * rows && number(row[1]) <= rows + 1.0, "{method}: {row:?}");
            assert!((number(row[3]) - income).abs() < 200.0, "{method}: {row:?}");
        }
        assert_eq!(
            desk.files(method).iter().map(|f| f.0.as_str()).collect::<Vec<_>>(),
            ["clusters.csv", "clusters.json"]
        );
        let text = desk.text(&format!("{method}/clusters.csv"));
        let (head, rows) = cells(&text);
        assert_eq!(head[..3], ["row", "customer_id", "cluster"]);
        assert_eq!((rows.len(), head.contains(&"probability")), (600, method == "mixture"));
        let of_kind = |kind: u64| rows.iter().enumerate().filter(move |(i, _)| [0, 0, 0, 1, 1, 2][i % 6] == kind);
        for kind in 0..3 {
            let own = (kind + 1).to_string();
            assert!(of_kind(kind).all(|(i, r)| i == 17 || r[2] == own || (method == "dbscan" && r[2].is_empty())));
        }
    }
}

#[test]
fn the_number_can_be_asked_for_and_columns_chosen() {
    let desk = Desk::new();
    desk.put("t.csv", customers(300));
    for method in &METHODS[..3] {
        let ended = cluster(&desk, &["--method", method, "--k", "2", "--columns", "visits", "--format", "csv"]);
        assert_eq!(ended.code, 0, "{}", ended.stderr);
        let (head, rows) = cells(&ended.stdout);
        assert_eq!((head, rows.len()), (vec!["cluster", "rows", "share", "mean visits"], 2), "{method}");
    }
    for covariance in ["tied", "diagonal", "spherical"] {
        let ended = cluster(&desk, &["--method", "mixture", "--covariance", covariance]);
        assert!(ended.code == 0 && ended.stderr.contains("Bayesian information criterion"), "{}", ended.stderr);
    }
    let ended = cluster(&desk, &["--method", "dbscan", "--radius", "0.0001", "--drop", "visits"]);
    assert!(ended.code == 0 && ended.stderr.contains("every row is noise"), "{}", ended.stderr);
    assert!(ended.stdout.contains("noise"));
}

#[test]
fn the_same_table_gives_the_same_bytes_at_any_number_of_threads() {
    let desk = Desk::new();
    desk.put("t.csv", customers(400));
    for method in METHODS {
        for (out, threads) in [("one", "1"), ("two", "2")] {
            let ended =
                cluster(&desk, &["--method", method, "--out", &format!("{method}-{out}"), "--threads", threads]);
            assert_eq!(ended.code, 0, "{}", ended.stderr);
        }
        assert_eq!(desk.files(&format!("{method}-one")), desk.files(&format!("{method}-two")));
    }
}

#[test]
fn what_cannot_be_grouped_says_why_and_leaves_nothing() {
    for (text, args, code, words) in [
        (customers(60), &["--k", "1"][..], 2, "2 to 1,000"),
        (customers(60), &["--columns", "incom"], 2, "did you mean `income`"),
        (customers(60), &["--columns", "colour"], 3, "it holds no numbers"),
        (customers(60), &["--method", "dbscan", "--k", "3"], 2, "as many clusters as there are dense places"),
        (customers(60), &["--radius", "2"], 2, "only --method dbscan"),
        (customers(5), &["--k", "9"], 3, "5 rows, too few for 9 clusters"),
        ("a,b\nx,1\ny,1\n".to_owned(), &[], 3, "no column of numbers is left"),
    ] {
        let desk = Desk::new();
        desk.put("t.csv", &text);
        let ended = cluster(&desk, args);
        assert_eq!((ended.code, ended.stdout.as_str()), (code, ""), "{args:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(words), "{args:?}: {}", ended.stderr);
        assert_eq!(desk.names(), ["t.csv"]);
    }
}

#[test]
fn enormous_values_and_fewer_kinds_than_asked_for_get_an_answer() {
    let desk = Desk::new();
    let rows: String = (0..40).map(|i| format!("{},{}\n", ["1e308", "-1e308", "0"][i % 3], i % 2)).collect();
    desk.put("t.csv", format!("a,b\n{rows}"));
    for method in METHODS {
        let ended = cluster(&desk, &["--method", method]);
        assert_eq!(ended.code, 0, "{method}: {}", ended.stderr);
    }
    let ended = cluster(&desk, &["--k", "9"]);
    assert!(
        ended.stderr.contains("9 clusters were asked for, and the rows fall into no more than 6"),
        "{}",
        ended.stderr
    );
}
