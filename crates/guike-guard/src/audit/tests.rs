//! Logs that were tampered with, and what of it is found by whom.

use super::*;

fn key() -> AuditKey {
    AuditKey::new(&[7; 32])
}

fn record(i: u64) -> Record {
    Record {
        time: format!("2026-11-27T10:00:{:02}.000Z", i % 60),
        who: Some(["mei", "root", "crm"][i as usize % 3].to_owned()),
        kind: "user",
        role: Some("agent"),
        action: ["read", "export", "log-in"][i as usize % 3].to_owned(),
        resource: "customers",
        version: (i % 3 == 1).then(|| "value-model 3".to_owned()),
        about: i.is_multiple_of(2).then(|| key().pseudonyms().of(&format!("customer {i}"))),
        customers: Some(i as usize),
        purpose: Some("service"),
        result: "200".to_owned(),
        request: format!("5b1c-{i:x}"),
    }
}

/// A log of `n` records, its lines and its head.
fn log(n: u64) -> (Vec<String>, Head) {
    let (mut lines, mut head) = (vec![AUDIT_BEGINS.to_owned()], Head::empty());
    for i in 0..n {
        let (line, next) = head.line(&record(i), &key());
        lines.push(line);
        head = next;
    }
    (lines, head)
}

/// Small, and the same in every run: numbers of a linear congruence.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % n as u64) as usize
    }
}

/// Chains the records of these lines anew, without the key: the seals are those that the lines had.
fn chained_anew(lines: &[String]) -> Vec<String> {
    let mut hash = Head::empty().hash;
    let mut out = vec![lines[0].clone()];
    for (i, line) in lines[1..].iter().enumerate() {
        let mut whole: Value = serde_json::from_str(line).expect("a line of ours");
        whole["record"]["n"] = json!(i + 1);
        let text = whole["record"].to_string();
        hash = sha256(&[&hash, text.as_bytes()]);
        let seal = bytes(whole["seal"].as_str().expect("a seal")).expect("digits");
        out.push(written(&text, &hash, &seal));
    }
    out
}

#[test]
fn a_whole_log_is_followed_to_its_head_with_and_without_the_key() {
    for n in [0, 1, 40] {
        let (lines, head) = log(n);
        let text = lines.concat();
        assert_eq!(head.bytes, text.len() as u64);
        for key in [None, Some(&key())] {
            assert_eq!(verify(text.as_bytes(), key, Some(&head), &[(n, head.hash)]), Ok(head));
        }
        assert_eq!(Head::parse(&head.to_bytes(&key()), &key()), Some(head));
        assert_eq!(Head::parse(&head.to_bytes(&key()), &AuditKey::new(&[8; 32])), None);
    }
}

#[test]
fn a_thousand_tamperings_are_all_found() {
    let (lines, head) = log(60);
    let key = key();
    let mut dice = Dice(1);
    let mut found = [0; 8];
    for round in 0..1_000 {
        let what = round % found.len();
        let mut bad = lines.clone();
        let (a, b) = (1 + dice.below(60), 1 + dice.below(60));
        match what {
            // an edit of one byte
            0 => {
                let mut text = lines.concat().into_bytes();
                let at = dice.below(text.len());
                text[at] ^= 1 << dice.below(7);
                assert!(verify(&text, Some(&key), Some(&head), &[]).is_err(), "byte {at}");
                found[what] += 1;
                continue;
            }
            1 => drop(bad.remove(a)),
            2 if a != b => bad.swap(a, b),
            2 => drop(bad.remove(a)),
            3 => bad.insert(a, lines[b].clone()),
            // the end cut off, at a line and anywhere
            4 => bad.truncate(a),
            5 => {
                let text = lines.concat();
                let text = &text.as_bytes()[..dice.below(text.len())];
                assert!(verify(text, Some(&key), Some(&head), &[]).is_err());
                found[what] += 1;
                continue;
            }
            // an edit by somebody who knows how lines are chained, and has no key
            6 => {
                bad[a] = bad[a].replacen("2026-11-27", "2026-11-26", 1);
                bad = chained_anew(&bad);
            }
            _ => {
                bad.remove(a);
                bad = chained_anew(&bad);
            }
        }
        let text = bad.concat();
        assert!(verify(text.as_bytes(), Some(&key), Some(&head), &[]).is_err(), "kind {what}, {a}, {b}");
        found[what] += 1;
    }
    assert_eq!(found.iter().sum::<usize>(), 1_000);
}

#[test]
fn who_has_no_key_sees_edits_and_who_noted_a_hash_sees_even_a_new_history() {
    let (lines, head) = log(20);
    let edited = lines.concat().replacen("export", "reveal", 1);
    assert_eq!(verify(edited.as_bytes(), None, None, &[]), Err(Tampered::Line(3)));
    // chained anew without the key: the chain holds, the seals and the head do not
    let anew = chained_anew(&lines[..15]).concat();
    assert!(verify(anew.as_bytes(), None, None, &[]).is_ok());
    assert!(matches!(verify(anew.as_bytes(), None, Some(&head), &[]), Err(Tampered::Cut { found: 14, sealed: 20 })));
    // written anew with the key and put back with its head: only a noted hash tells
    let (_, noted) = log(10);
    let (other, other_head) = (1..30).fold((AUDIT_BEGINS.to_owned(), Head::empty()), |(text, head), i| {
        let (line, head) = head.line(&record(i), &key());
        (text + &line, head)
    });
    assert!(verify(other.as_bytes(), Some(&key()), Some(&other_head), &[]).is_ok());
    let anchored = verify(other.as_bytes(), Some(&key()), Some(&other_head), &[(10, noted.hash)]);
    assert_eq!(anchored, Err(Tampered::Anchor(10)));
    let short = verify(AUDIT_BEGINS.as_bytes(), Some(&key()), None, &[(10, noted.hash)]);
    assert_eq!(short, Err(Tampered::Cut { found: 0, sealed: 10 }));
    assert_eq!(verify(b"{}\n", None, None, &[]), Err(Tampered::Begin));
}

#[test]
fn what_was_written_when_the_machine_went_down_is_told_from_what_is_missing() {
    let (lines, head) = log(5);
    let (_, before) = log(4);
    let text = lines.concat();
    // the fifth line was being written: its head is that of four
    let torn = &text.as_bytes()[..text.len() - 3];
    assert_eq!(verify(torn, Some(&key()), Some(&before), &[]), Err(Tampered::Torn(4)));
    assert_eq!(verify(torn, Some(&key()), Some(&head), &[]), Err(Tampered::Line(6)));
    // it was written, and its head was not yet
    assert_eq!(verify(text.as_bytes(), Some(&key()), Some(&before), &[]), Ok(head));
}

#[test]
fn a_customer_is_a_pseudonym_that_needs_the_key() {
    let names = key().pseudonyms();
    let name = names.of("mei@example.org");
    assert_eq!(name, names.of("mei@example.org"));
    assert_eq!(Pseudonyms::parse(&name), Some(names.number("mei@example.org")));
    assert_ne!(name, AuditKey::new(&[8; 32]).pseudonyms().of("mei@example.org"));
    assert!(Pseudonyms::parse("mei@example.org").is_none() && Pseudonyms::parse("c~00").is_none());
    let random = [3; 32];
    let read = AuditKey::parse(&AuditKey::to_text(&random)).expect("read");
    assert_eq!(read.pseudonyms().of("a"), AuditKey::new(&random).pseudonyms().of("a"));
    assert!(AuditKey::parse("xyz").is_none() && format!("{:?}", key()) == "***");
}
