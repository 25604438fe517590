//! A workspace through its life: registering, deciding, being killed, damaged, backed up and restored.

use std::fs;

use guike_core::Timestamp;
use serde_json::{Value, json};

use super::*;

fn desk() -> (tempfile::TempDir, Workspace) {
    let tmp = tempfile::tempdir().expect("a temporary folder");
    let workspace = Workspace::open_or_create(&tmp.path().join("shop")).expect("made");
    (tmp, workspace)
}

fn draft(workspace: &Workspace, text: &str) -> Draft {
    let draft = workspace.draft().expect("begun");
    fs::create_dir_all(draft.folder().join("model")).expect("made");
    fs::write(draft.folder().join("model.json"), text).expect("written");
    fs::write(draft.folder().join("model/calibration.json"), "{}").expect("written");
    draft
}

fn new(name: &str, kind: Kind) -> NewVersion<'_> {
    NewVersion {
        name,
        kind,
        created: Timestamp(1_800_000_000),
        data: "xxh3-1".to_owned(),
        card: json!({ "learner": "logistic" }),
        metrics: json!({ "auc": 0.75 }),
        lineage: json!({ "seed": 1 }),
    }
}

fn add(workspace: &mut Workspace, name: &str, kind: Kind) -> Version {
    let draft = draft(workspace, name);
    workspace.register(draft, &new(name, kind)).expect("registered")
}

const BY_ANN: Judgement<'_> =
    Judgement { at: Timestamp(1_800_000_100), by: "ann", reason: "better", forced: false, figures: &Value::Null };

fn stages(workspace: &Workspace, name: &str) -> Vec<(u32, Stage)> {
    let all = workspace.versions().expect("listed");
    all.into_iter().filter(|v| v.name == name).map(|v| (v.number, v.stage)).collect()
}

#[test]
fn versions_are_numbered_by_name_and_the_first_is_champion() {
    let (_tmp, mut w) = desk();
    let first = add(&mut w, "value-model", Kind::Table);
    let second = add(&mut w, "value-model", Kind::Table);
    let run = add(&mut w, "shop", Kind::Orders);
    assert_eq!((first.number, first.stage, first.follows), (1, Stage::Champion, None));
    assert_eq!((second.number, second.stage, second.follows), (2, Stage::Candidate, Some(1)));
    assert_eq!((run.number, run.stage), (1, Stage::Champion));
    assert!(second.folder.ends_with("models/value-model/2") && run.folder.ends_with("runs/0001"));
    assert!(run.folder.join("model/calibration.json").is_file());
    assert_eq!(w.find("value-model", None).expect("there"), first);
    assert_eq!((first.metrics["auc"].as_f64(), first.created), (Some(0.75), Timestamp(1_800_000_000)));
    assert_ne!(first.checksum, run.checksum);
    assert_eq!(add(&mut w, "other-model", Kind::Table).number, 1, "runs have numbers of their own");
    assert!(w.check().expect("checked").is_empty());
}

#[test]
fn rollback_goes_back_step_by_step_and_no_further_than_there_were_champions() {
    let (_tmp, mut w) = desk();
    let v: Vec<Version> = (0..4).map(|_| add(&mut w, "m", Kind::Table)).collect();
    for (old, new) in [(0, 1), (1, 2)] {
        w.promote(&v[new], Some(&v[old]), &BY_ANN).expect("promoted");
    }
    use Stage::{Archived, Candidate, Champion};
    assert_eq!(stages(&w, "m"), [(1, Archived), (2, Archived), (3, Champion), (4, Candidate)]);
    assert_eq!(w.rollback("m", &BY_ANN).expect("rolled back").number, 2);
    assert_eq!(w.rollback("m", &BY_ANN).expect("rolled back").number, 1);
    let said = w.rollback("m", &BY_ANN).expect_err("refused").to_string();
    assert!(said.contains("no champion before"), "{said}");
    w.promote(&v[3], Some(&v[0]), &BY_ANN).expect("promoted");
    assert_eq!(w.rollback("m", &BY_ANN).expect("rolled back").number, 1);
    assert_eq!(stages(&w, "m"), [(1, Champion), (2, Archived), (3, Archived), (4, Archived)]);
    let told: Vec<(Action, u32, Option<u32>)> =
        w.decisions(Some("m")).expect("read").iter().map(|d| (d.action, d.version, d.before)).collect();
    assert_eq!(told[0], (Action::First, 1, None));
    assert_eq!(told[3], (Action::Rollback, 2, Some(3)));
    assert_eq!(told[5], (Action::Promote, 4, Some(1)));
    assert!(w.check().expect("checked").is_empty());
}

#[test]
fn what_the_rules_do_not_allow_is_refused_in_words() {
    let (tmp, mut w) = desk();
    let (first, second) = (add(&mut w, "m", Kind::Table), add(&mut w, "m", Kind::Table));
    let said = |e: StoreError| e.to_string();
    assert!(said(w.promote(&first, Some(&first), &BY_ANN).expect_err("refused")).contains("champion of `m` already"));
    // somebody else was quicker
    assert!(matches!(w.promote(&second, None, &BY_ANN), Err(StoreError::InUse(_))));
    assert!(said(w.archive(&first, &BY_ANN).expect_err("refused")).contains("only a candidate"));
    w.archive(&second, &BY_ANN).expect("archived");
    assert!(said(w.find("m", Some(9)).expect_err("refused")).contains("it has 1, 2"));
    assert!(said(w.find("n", None).expect_err("refused")).contains("nothing called `n`"));
    for name in ["", ".", "..", ".hidden", "a/b", "a b", "-x", &"x".repeat(65)] {
        let draft = draft(&w, "x");
        assert!(matches!(w.register(draft, &new(name, Kind::Table)), Err(StoreError::Refused { .. })), "{name}");
    }
    let other = draft(&w, "x");
    assert!(said(w.register(other, &new("m", Kind::Orders)).expect_err("refused")).contains("`guike train`"));
    assert_eq!(add(&mut w, "贵客", Kind::Table).number, 1);
    fs::create_dir(tmp.path().join("notes")).expect("made");
    fs::write(tmp.path().join("notes/mine.txt"), "").expect("written");
    let said = said(Workspace::open_or_create(&tmp.path().join("notes")).expect_err("refused"));
    assert!(said.contains("holds other things"), "{said}");
    assert!(matches!(Workspace::open(&tmp.path().join("notes")), Err(StoreError::NoWorkspace(_))));
}

#[test]
fn a_folder_that_a_killed_process_left_is_ignored_told_and_never_overwritten() {
    let (_tmp, mut w) = desk();
    add(&mut w, "m", Kind::Table);
    // killed between the rename and the end of the transaction
    let left = w.root().join("models/m/2");
    fs::create_dir(&left).expect("made");
    fs::write(left.join("model.json"), "left").expect("written");
    let next = add(&mut w, "m", Kind::Table);
    assert_eq!(next.number, 3);
    assert_eq!(fs::read_to_string(left.join("model.json")).expect("read"), "left");
    let found = w.check().expect("checked");
    assert!(found.len() == 1 && found[0].contains("is not registered"), "{found:?}");
}

#[test]
fn drafts_that_nobody_is_at_are_cleared_and_others_are_not() {
    let (_tmp, w) = desk();
    let alive = draft(&w, "alive");
    let dead = w.root().join("drafts/draft-dead");
    fs::create_dir_all(dead.join("results")).expect("made");
    fs::write(dead.join(LOCK), "").expect("written");
    drop(draft(&w, "next"));
    assert!(!dead.exists() && alive.folder().join("model.json").is_file());
    let names: Vec<_> = below(&w.root().join(DRAFTS)).expect("listed");
    assert_eq!(names.len(), 1, "{names:?}");
}

#[test]
fn every_changed_cut_or_missing_file_is_found() {
    let (_tmp, mut w) = desk();
    let version = add(&mut w, "m", Kind::Table);
    let path = version.folder.join("model.json");
    let whole = fs::read(&path).expect("read");
    w.verify(&version).expect("whole");
    let mut flipped = whole.clone();
    flipped[0] ^= 1;
    for (case, bytes) in [("flipped", flipped), ("cut", Vec::new()), ("longer", [&whole[..], b"x"].concat())] {
        fs::write(&path, bytes).expect("written");
        let said = w.verify(&version).expect_err(case);
        assert!(matches!(&said, StoreError::Corrupt { path: p, .. } if *p == path), "{case}: {said}");
    }
    fs::remove_file(&path).expect("removed");
    assert!(w.verify(&version).expect_err("missing").to_string().contains("it is missing"));
    assert_eq!(w.check().expect("checked").len(), 1);
}

#[test]
fn two_that_register_at_once_get_numbers_of_their_own() {
    let (_tmp, w) = desk();
    let root = w.root().to_owned();
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let root = root.clone();
            std::thread::spawn(move || {
                let mut w = Workspace::open(&root).expect("opened");
                (0..5).map(|_| add(&mut w, "m", Kind::Table).number).collect::<Vec<u32>>()
            })
        })
        .collect();
    let mut numbers: Vec<u32> = threads.into_iter().flat_map(|t| t.join().expect("ended")).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=20).collect::<Vec<u32>>());
    assert!(w.check().expect("checked").is_empty());
    assert_eq!(stages(&w, "m").iter().filter(|s| s.1 == Stage::Champion).count(), 1);
}

#[test]
fn the_revision_changes_with_versions_and_decisions_of_others() {
    let (_tmp, mut w) = desk();
    let other = Workspace::open(w.root()).expect("opened");
    let mut seen = vec![other.revision().expect("read")];
    let first = add(&mut w, "m", Kind::Table);
    seen.push(other.revision().expect("read"));
    let second = add(&mut w, "m", Kind::Table);
    seen.push(other.revision().expect("read"));
    w.promote(&second, Some(&first), &BY_ANN).expect("promoted");
    seen.push(other.revision().expect("read"));
    assert!(seen.windows(2).all(|w| w[0] != w[1]), "{seen:?}");
    assert_eq!(other.revision().expect("read"), seen[3]);
}

#[test]
fn a_backup_is_of_one_moment_and_comes_back_the_same() {
    let (tmp, mut w) = desk();
    let first = add(&mut w, "m", Kind::Table);
    add(&mut w, "shop", Kind::Orders);
    let (to, back) = (tmp.path().join("backup"), tmp.path().join("back"));
    let summary = w.backup(&to, EventsToKeep::Noted, Timestamp(1_800_000_500)).expect("backed up");
    assert_eq!((summary.versions, summary.files), (2, 4));
    let second = add(&mut w, "m", Kind::Table);
    w.promote(&second, Some(&first), &BY_ANN).expect("promoted");
    assert_eq!(restore(&to, &back).expect("restored"), summary);
    let mut restored = Workspace::open(&back).expect("opened");
    assert_eq!(stages(&restored, "m"), [(1, Stage::Champion)]);
    assert!(restored.check().expect("checked").is_empty());
    assert_eq!(add(&mut restored, "m", Kind::Table).number, 2, "it goes on as a workspace of its own");
    // a backup is a workspace too
    let mut served = Workspace::open(&to).expect("opened");
    assert_eq!((served.versions().expect("listed").len(), served.is_frozen()), (2, true));
    let said = served.promote(&second, Some(&first), &BY_ANN).expect_err("it stays as it was made").to_string();
    assert!(said.contains("guike restore"), "{said}");
    drop(served);
    assert_eq!(restore(&to, &tmp.path().join("later")).expect("nobody changed it"), summary);
    for (folder, said) in
        [(&to, w.backup(&to, EventsToKeep::Noted, Timestamp(0)).err()), (&back, restore(&to, &back).err())]
    {
        let said = said.unwrap_or_else(|| panic!("{} was overwritten", folder.display())).to_string();
        assert!(said.contains("not empty"), "{said}");
    }
}

#[test]
fn a_damaged_workspace_makes_no_backup_and_a_damaged_backup_no_workspace() {
    let (tmp, mut w) = desk();
    let version = add(&mut w, "m", Kind::Table);
    let (to, back) = (tmp.path().join("backup"), tmp.path().join("back"));
    w.backup(&to, EventsToKeep::Noted, Timestamp(0)).expect("backed up");
    fs::write(version.folder.join("model.json"), "other").expect("written");
    let said = w.backup(&tmp.path().join("second"), EventsToKeep::Noted, Timestamp(0)).expect_err("refused");
    assert!(matches!(said, StoreError::Corrupt { .. }), "{said}");
    assert!(!tmp.path().join("second").exists());
    for name in ["models/m/1/model.json", DATABASE, "backup.json"] {
        let whole = fs::read(to.join(name)).expect("read");
        fs::write(to.join(name), &whole[..whole.len() / 2]).expect("written");
        assert!(matches!(restore(&to, &back), Err(StoreError::Corrupt { .. })), "{name}");
        assert!(!back.exists());
        fs::write(to.join(name), whole).expect("written");
    }
    assert!(restore(&to, &back).is_ok());
    assert!(matches!(restore(&version.folder, &tmp.path().join("x")), Err(StoreError::Refused { .. })));
}

#[test]
fn no_flipped_bit_of_the_database_is_taken_for_the_truth() {
    let (_tmp, mut w) = desk();
    let first = add(&mut w, "m", Kind::Table);
    let second = add(&mut w, "m", Kind::Table);
    w.promote(&second, Some(&first), &BY_ANN).expect("promoted");
    add(&mut w, "shop", Kind::Orders);
    let all = |w: &Workspace| -> Result<(Vec<Version>, Vec<Decision>), StoreError> {
        let versions = w.versions()?;
        versions.iter().try_for_each(|v| w.verify(v))?;
        Ok((versions, w.decisions(None)?))
    };
    let (root, path, truth) = (w.root().to_owned(), w.database(), all(&w).expect("whole"));
    // the last to close it puts everything into one file
    drop(w);
    let whole = fs::read(&path).expect("read");
    let mut seed = 7_u64;
    let (mut n_seen, n) = (0, 400);
    for _ in 0..n {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let bit = (seed >> 20) as usize % (whole.len() * 8);
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        fs::write(&path, &bytes).expect("written");
        let found = Workspace::open(&root).and_then(|w| all(&w));
        for beside in ["guike.sqlite-wal", "guike.sqlite-shm"] {
            let _ = fs::remove_file(root.join(beside));
        }
        match found {
            // most of a database is room that nothing stands in
            Ok(found) => assert_eq!(found, truth, "bit {bit} was flipped"),
            Err(_) => n_seen += 1,
        }
    }
    assert!(n_seen > 0, "of {n} flipped bits none was seen");
}

#[test]
fn a_backup_takes_the_events_that_are_acknowledged_and_the_jobs_along() {
    let (tmp, mut w) = desk();
    add(&mut w, "shop", Kind::Orders);
    let (log, to, back) = (tmp.path().join("events.log"), tmp.path().join("backup"), tmp.path().join("back"));
    let lines = |path: &Path| {
        let mut found = Vec::new();
        crate::read_sealed_lines(path, &mut |line| {
            found.push(line.to_owned());
            Ok(())
        })
        .map(|_| found)
    };
    let mut file = crate::SealedLines::open(&log, &mut |_| Ok(())).expect("begun");
    file.append(["one", "two"]).expect("appended");
    w.note_events(&log).expect("noted");
    crate::write_checked(&w.root().join(JOBS_JSON), &["a job"]).expect("written");
    let summary = w.backup(&to, EventsToKeep::Noted, Timestamp(0)).expect("backed up while it is open");
    assert_eq!(summary.events, Some((log.clone(), 2)));
    file.append(["three"]).expect("appended");
    let restored = restore(&to, &back).expect("restored");
    assert_eq!(restored.events, Some((back.join("events.log"), 2)));
    assert_eq!(lines(&back.join("events.log")).expect("read"), ["one", "two"]);
    assert_eq!(crate::read_checked::<Vec<String>>(&back.join(JOBS_JSON)).expect("read"), ["a job"]);
    // what was restored knows its own log, and goes on with it
    let again = Workspace::open(&back).expect("opened");
    assert_eq!(again.events_log().expect("read"), Some(back.join("events.log")));
    let mut file = crate::SealedLines::open(&back.join("events.log"), &mut |_| Ok(())).expect("opened");
    file.append(["four"]).expect("appended");
    let second = tmp.path().join("second");
    assert_eq!(
        again.backup(&second, EventsToKeep::Noted, Timestamp(0)).expect("backed up").events.map(|e| e.1),
        Some(3)
    );
    // a bit that is another one in anything of it, and it is no backup any more
    for name in ["events.log", "events.log.head", JOBS_JSON, "backup.json", DATABASE] {
        let whole = fs::read(to.join(name)).expect("read");
        let mut bytes = whole.clone();
        bytes[20] ^= 1;
        fs::write(to.join(name), bytes).expect("written");
        let target = tmp.path().join("not");
        let said = restore(&to, &target).expect_err("refused").to_string();
        assert!(said.contains(name) && !target.exists(), "{name}: {said}");
        fs::write(to.join(name), whole).expect("written");
    }
    assert!(restore(&to, &tmp.path().join("whole")).is_ok());
    // who moved the log away is asked where it is
    drop(file);
    fs::rename(&log, tmp.path().join("moved.log")).expect("moved");
    let third = tmp.path().join("third");
    let said = w.backup(&third, EventsToKeep::Noted, Timestamp(0)).expect_err("refused").to_string();
    assert!(said.contains("events.log") && said.contains("--without-events") && !third.exists(), "{said}");
    assert_eq!(w.backup(&third, EventsToKeep::Without, Timestamp(0)).expect("backed up").events, None);
}

#[test]
fn an_archived_version_is_removed_and_neither_its_number_nor_what_was_decided_is_lost() {
    let (tmp, mut w) = desk();
    let v: Vec<Version> = (0..4).map(|_| add(&mut w, "m", Kind::Table)).collect();
    let said = |e: StoreError| e.to_string();
    assert!(said(w.remove(&v[0], &BY_ANN).expect_err("refused")).contains("never removed"));
    assert!(said(w.remove(&v[1], &BY_ANN).expect_err("refused")).contains("guike models archive m 2"));
    w.promote(&v[1], Some(&v[0]), &BY_ANN).expect("promoted");
    assert!(said(w.remove(&v[0], &BY_ANN).expect_err("refused")).contains("a rollback of `m` would return to it"));
    w.promote(&v[2], Some(&v[1]), &BY_ANN).expect("promoted");
    let before = (w.revision().expect("read"), w.decisions(None).expect("read"));
    w.remove(&v[0], &BY_ANN).expect("removed");
    assert!(!v[0].folder.exists() && v[1].folder.is_dir());
    assert_ne!(w.revision().expect("read"), before.0);
    assert!(said(w.remove(&v[0], &BY_ANN).expect_err("refused")).contains("removed already"));
    assert!(matches!(w.find("m", Some(1)), Err(StoreError::NotRegistered(_))));
    assert_eq!(stages(&w, "m").iter().map(|s| s.0).collect::<Vec<_>>(), [2, 3, 4]);
    // what was decided stays, and what comes later is behind it
    w.promote(&v[3], Some(&v[2]), &BY_ANN).expect("promoted");
    let all = w.decisions(Some("m")).expect("read");
    let told: Vec<(&str, u32)> = all.iter().map(|d| (d.action.name(), d.version)).collect();
    assert_eq!(told, [("first", 1), ("promote", 2), ("promote", 3), ("remove", 1), ("promote", 4)]);
    assert_eq!((&all[..3], all[3].by.as_str()), (&before.1[..], "ann"));
    // back to 3, to 2, and no further
    assert_eq!(w.rollback("m", &BY_ANN).expect("rolled back").number, 3);
    assert_eq!(w.rollback("m", &BY_ANN).expect("rolled back").number, 2);
    assert!(said(w.rollback("m", &BY_ANN).expect_err("refused")).contains("was removed"));
    assert_eq!(add(&mut w, "m", Kind::Table).number, 5);
    assert!(w.check().expect("checked").is_empty());
    // who was stopped before the files went leaves them to the next
    std::fs::create_dir_all(v[0].folder.join("model")).expect("made");
    assert!(!w.check().expect("checked").is_empty());
    drop(w);
    let w = Workspace::open(&tmp.path().join("shop")).expect("opened");
    assert!(!v[0].folder.exists() && w.check().expect("checked").is_empty());
    let copy = tmp.path().join("copy");
    w.backup(&copy, EventsToKeep::Without, Timestamp(2)).expect("backed up");
    assert_eq!(stages(&Workspace::open(&copy).expect("opened"), "m"), stages(&w, "m"));
}

#[test]
fn the_folder_of_a_removed_run_is_not_used_again() {
    let (_tmp, mut w) = desk();
    let v: Vec<Version> = (0..3).map(|_| add(&mut w, "shop", Kind::Orders)).collect();
    w.archive(&v[2], &BY_ANN).expect("archived");
    w.remove(&v[2], &BY_ANN).expect("removed");
    let next = add(&mut w, "shop", Kind::Orders);
    assert!(next.number == 4 && next.folder.ends_with("runs/0004") && v[2].folder.ends_with("runs/0003"), "{next:?}");
}
