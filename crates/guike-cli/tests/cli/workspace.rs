//! A workspace from outside: versions, the gate, rollback, damage, backup, and what a server of it shows.

use serde_json::Value;

use crate::support::{Desk, Ended, shop_csv};

/// Trains on the simulated customers into the workspace `w`.
fn train(desk: &Desk, name: &str, more: &[&str]) -> Ended {
    let base = ["train", "customers.csv", "--target", "value", "--workspace", "w", "--name", name, "--budget", "fast"];
    desk.guike(&[&base[..], more].concat())
}

fn desk() -> Desk {
    let desk = Desk::new();
    let simulated = desk.guike(&["simulate", "customers", "--n", "400", "--seed", "1"]);
    desk.put("customers.csv", simulated.stdout);
    desk
}

fn models(desk: &Desk, args: &[&str]) -> Ended {
    desk.guike(&[&["models"], args, &["--workspace", "w"]].concat())
}

/// Name, version and stage of everything, as `value 1 champion`.
fn listed(desk: &Desk) -> Vec<String> {
    let said = models(desk, &["list", "--format", "json"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    let rows: Vec<Value> = serde_json::from_str(&said.stdout).expect("JSON");
    let text = |v: &Value| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
    rows.iter().map(|r| ["name", "version", "stage"].map(|k| text(&r[k])).join(" ")).collect()
}

fn done(ended: &Ended, words: &[&str]) {
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    words.iter().for_each(|w| assert!(ended.stderr.contains(w), "`{w}` is not in: {}", ended.stderr));
}

fn refused(ended: &Ended, code: i32, words: &[&str]) {
    assert_eq!(ended.code, code, "{}", ended.stderr);
    words.iter().for_each(|w| assert!(ended.stderr.contains(w), "`{w}` is not in: {}", ended.stderr));
}

#[test]
fn versions_are_kept_promoted_when_no_worse_and_rolled_back() {
    let desk = desk();
    done(
        &train(&desk, "value", &["--model", "logistic-regression"]),
        &["`value` version 1: champion", "w/models/value/1"],
    );
    assert_eq!(desk.names(), ["customers.csv", "w"]);
    let again = train(&desk, "value", &["--model", "logistic-regression"]);
    done(&again, &["version 2: candidate", "champion is version 1"]);
    assert_eq!(desk.files("w/models/value/1"), desk.files("w/models/value/2"), "what `--out` would hold, twice");
    // the same model again is no worse on any row
    done(&models(&desk, &["promote", "value", "2", "--by", "ann"]), &["+0.00 %", "worse than -0.50 % is ruled out"]);
    assert_eq!(listed(&desk), ["value 1 archived", "value 2 champion"]);

    done(&train(&desk, "value", &["--model", "decision-tree"]), &["version 3: candidate"]);
    let worse = models(&desk, &["promote", "value", "3"]);
    refused(&worse, 6, &["version 3 of `value` is not promoted: it is worse", "on 400 rows that neither learned from"]);
    refused(&models(&desk, &["promote", "value", "3", "--force"]), 2, &["--reason"]);
    refused(&models(&desk, &["promote", "value", "3", "--force", "--reason", " "]), 2, &["--reason TEXT"]);
    let forced = ["promote", "value", "3", "--force", "--reason", "a drill", "--by", "bo"];
    done(&models(&desk, &forced), &["version 3 is champion in place of version 2"]);
    done(&models(&desk, &["rollback", "value", "--by", "ann"]), &["version 2 is champion again"]);
    done(&models(&desk, &["rollback", "value"]), &["version 1 is champion again"]);
    refused(&models(&desk, &["rollback", "value"]), 2, &["no champion before"]);
    assert_eq!(listed(&desk), ["value 1 champion", "value 2 archived", "value 3 archived"]);

    let shown = models(&desk, &["show", "value"]).stdout;
    for words in
        ["value version 1 (champion, table)", "by bo, forced: a drill", "rollback version 2 in place of 3, by ann"]
    {
        assert!(shown.contains(words), "`{words}` is not in: {shown}");
    }
    let told: Value =
        serde_json::from_str(&models(&desk, &["show", "value", "3", "--format", "json"]).stdout).expect("JSON");
    assert_eq!(told["version"]["follows"], 2);
    assert_eq!(told["version"]["lineage"]["seed"], 1);
    assert!(told["version"]["lineage"]["settings"].as_str().expect("text").contains("decision-tree"));
    let figures = &told["decisions"][2]["figures"];
    assert!(figures["change"]["hi"].as_f64().expect("a number") < 0.0 && figures["cases"] == 400, "{figures}");
}

#[test]
fn what_cannot_be_compared_is_said_and_not_promoted() {
    let desk = desk();
    done(&train(&desk, "value", &["--model", "logistic-regression"]), &[]);
    done(&train(&desk, "fewer", &["--model", "logistic-regression"]), &[]);
    done(&train(&desk, "fewer", &["--model", "logistic-regression", "--drop", "category"]), &[]);
    let words = ["it does not read `category`, and refuses clients that send it; besides", "on 400 rows"];
    refused(&models(&desk, &["promote", "fewer", "2"]), 6, &words);
    let other = desk.guike(&["simulate", "customers", "--n", "400", "--seed", "2"]);
    desk.put("customers.csv", other.stdout);
    done(&train(&desk, "value", &["--model", "logistic-regression"]), &[]);
    let words = ["cannot be compared with champion 1", "different tables", "--force"];
    refused(&models(&desk, &["promote", "value", "2"]), 6, &words);
    done(&models(&desk, &["archive", "value", "2"]), &[]);
    refused(&models(&desk, &["archive", "value", "1"]), 2, &["only a candidate"]);
    assert_eq!(listed(&desk), ["value 1 champion", "value 2 archived", "fewer 1 champion", "fewer 2 candidate"]);
    refused(&models(&desk, &["remove", "value", "1"]), 2, &["never removed"]);
    refused(&models(&desk, &["remove", "fewer", "2"]), 2, &["only archived versions", "guike models archive fewer 2"]);
    done(&models(&desk, &["remove", "value", "2", "--reason", "old"]), &["`value`: version 2 is removed"]);
    assert_eq!(listed(&desk), ["value 1 champion", "fewer 1 champion", "fewer 2 candidate"]);
    refused(&models(&desk, &["promote", "value", "7"]), 4, &["no version 7", "it has 1"]);
    refused(&models(&desk, &["show", "price"]), 4, &["nothing called `price`"]);
}

#[test]
fn rows_in_groups_are_compared_by_groups() {
    let desk = desk();
    let table = desk.text("customers.csv");
    // every row four times, and whose it is: rows say nothing that their group does not
    let rows = table.lines().skip(1).take(100).enumerate();
    let four = |(i, row): (usize, &str)| format!("{row},c{i}\n").repeat(4);
    let header = table.lines().next().expect("a header");
    desk.put("customers.csv", format!("{header},who\n") + &rows.map(four).collect::<String>());
    let grouped = ["--model", "logistic-regression", "--group", "who"];
    done(&train(&desk, "value", &grouped), &[]);
    done(&train(&desk, "value", &[&grouped[..], &["--seed", "9"]].concat()), &[]);
    let said = models(&desk, &["promote", "value", "2"]);
    assert!(said.stderr.contains("on 400 rows that neither learned from, over groups"), "{}", said.stderr);
    assert!(desk.text("w/models/value/1/predictions.csv").starts_with("row,group_number,part,"));
}

#[test]
fn runs_are_compared_by_their_methods() {
    let desk = Desk::new();
    desk.put("orders.csv", shop_csv(300));
    let run_far = |days: &str, more: &[&str]| {
        let base = ["run", "orders.csv", "--workspace", "w", "--horizon", days, "--budget", "fast"];
        desk.guike(&[&base[..], more].concat())
    };
    let run = |more: &[&str]| run_far("60d", more);
    done(&run(&["--cutoff", "2023-10-31"]), &["`shop` version 1: champion", "w/runs/0001"]);
    done(&run(&[]), &["`shop` version 2: candidate"]);
    done(&run(&["--model", "zero"]), &["`shop` version 3: candidate"]);
    done(&run_far("30d", &[]), &["`shop` version 4: candidate"]);
    done(&run(&["--name", "other"]), &["`other` version 1: champion", "w/runs/0005"]);
    done(&models(&desk, &["promote", "shop", "2"]), &["ruled out", "anchors of its backtest"]);
    done(&run(&[]), &["`shop` version 5: candidate", "w/runs/0006"]);
    done(&models(&desk, &["promote", "shop", "5"]), &["+0.00 %", "both use"]);
    refused(&models(&desk, &["promote", "shop", "3"]), 6, &["took no part in its backtest"]);
    refused(&models(&desk, &["promote", "shop", "4"]), 6, &["it looks 30 days ahead and the champion 60"]);
    refused(&models(&desk, &["promote", "shop", "1"]), 6, &["it knows the log up to"]);
    assert!(desk.path("w/runs/0002/report.html").is_file());
    let clash = desk.guike(&["serve", "w", "--addr", "127.0.0.1:0"]);
    refused(&clash, 2, &["--run", "choose one of `shop`, `other`"]);
}

#[test]
fn names_and_folders_that_cannot_be_are_refused_before_the_work_begins() {
    let desk = desk();
    refused(&train(&desk, "../value", &[]), 2, &["../value", "letters, digits"]);
    refused(&train(&desk, "value", &["--out", "x"]), 2, &["--out"]);
    refused(&desk.guike(&["train", "customers.csv", "--target", "value", "--workspace", "w"]), 2, &["--name"]);
    refused(&desk.guike(&["train", "customers.csv", "--target", "value", "--name", "x"]), 2, &["--workspace"]);
    let in_use = ["train", "customers.csv", "--target", "value", "--workspace", ".", "--name", "x"];
    refused(&desk.guike(&in_use), 2, &["holds other things"]);
    refused(&models(&desk, &["list"]), 4, &["`w`"]);
    std::fs::create_dir(desk.path("w")).expect("made");
    refused(&models(&desk, &["list"]), 4, &["no workspace", "guike.sqlite"]);
    done(&train(&desk, "value", &["--model", "decision-tree"]), &["version 1: champion"]);
    desk.put("orders.csv", shop_csv(60));
    refused(&desk.guike(&["run", "orders.csv", "--workspace", "w", "--name", "value"]), 2, &["belongs to models of"]);
    // the list of learners is what it was
    let learners = desk.guike(&["models", "--format", "csv"]);
    assert!(learners.stdout.starts_with("name,learns_from,parameters"), "{}", learners.stdout);
}

#[test]
fn damaged_files_are_named_and_neither_promoted_nor_served_nor_backed_up() {
    let desk = desk();
    for _ in 0..2 {
        done(&train(&desk, "value", &["--model", "decision-tree"]), &[]);
    }
    done(&models(&desk, &["check"]), &["2 versions are whole"]);
    done(&desk.guike(&["backup", "w", "saved"]), &["copied 2 versions"]);
    let model = desk.path("w/models/value/2/model.json");
    let whole = std::fs::read(&model).expect("read");
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    for bytes in [flipped, whole[..whole.len() / 2].to_vec()] {
        std::fs::write(&model, bytes).expect("written");
        refused(&models(&desk, &["check"]), 5, &["value version 2", "model.json"]);
        refused(&models(&desk, &["promote", "value", "2"]), 5, &["value/2/model.json"]);
        refused(&desk.guike(&["backup", "w", "second"]), 5, &["model.json"]);
    }
    assert!(!desk.path("second").exists());
    assert_eq!(listed(&desk), ["value 1 champion", "value 2 candidate"]);
    std::fs::write(desk.path("w/models/value/1/model.json"), "{}").expect("written");
    refused(&desk.guike(&["serve", "w", "--addr", "127.0.0.1:0"]), 5, &["value/1/model.json"]);

    done(&desk.guike(&["restore", "saved", "again"]), &["restored 2 versions"]);
    assert_eq!(desk.guike(&["models", "check", "--workspace", "again"]).code, 0);
    refused(&desk.guike(&["restore", "saved", "again"]), 2, &["not empty"]);
    refused(&desk.guike(&["restore", "again", "third"]), 2, &["no backup"]);

    let database = desk.path("w/guike.sqlite");
    std::fs::write(&database, "this is no database, and was one").expect("written");
    refused(&models(&desk, &["list"]), 5, &["guike.sqlite", "guike restore"]);
    refused(&train(&desk, "value", &[]), 5, &["guike.sqlite"]);
}
