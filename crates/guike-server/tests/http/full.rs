//! More connections than there are places for.

use std::io::Write as _;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use guike_server::Limits;

use crate::support::{Answer, Running, Trained};

const ASKED: &[u8] = b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n";

fn asked(stream: &mut TcpStream) -> Answer {
    stream.write_all(ASKED).expect("sent");
    Answer::read(stream)
}

#[test]
fn who_comes_when_all_places_are_taken_is_told_at_once_and_served_when_one_is_free() {
    let trained = Trained::logistic();
    let server = Running::with(vec![trained.model()], Limits { connections: 2, ..Limits::default() });
    let mut kept: Vec<TcpStream> = (0..2).map(|_| server.connect()).collect();
    assert!(kept.iter_mut().all(|stream| asked(stream).status == 200));
    for _ in 0..20 {
        let begun = Instant::now();
        let mut away = server.connect();
        let answer = asked(&mut away);
        assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
        answer.is_problem(503, "busy", &["2 connections are open", "--max-connections"]);
        assert_eq!(answer.header("retry-after"), Some("1"));
        assert_eq!(answer.header("connection"), Some("close"));
    }
    assert!(kept.iter_mut().all(|stream| asked(stream).status == 200), "who has a place keeps it");
    kept.pop();
    let until = Instant::now() + Duration::from_secs(5);
    while asked(&mut server.connect()).status != 200 {
        assert!(Instant::now() < until, "a place that was given up is free again");
    }
}

#[test]
fn silent_ones_without_a_place_do_not_keep_others_from_being_told() {
    let trained = Trained::logistic();
    let server = Running::with(vec![trained.model()], Limits { connections: 1, ..Limits::default() });
    let mut kept = server.connect();
    assert_eq!(asked(&mut kept).status, 200);
    let silent = server.connect();
    // the silent one has the only other place, for two seconds
    asked(&mut server.connect()).is_problem(503, "busy", &[]);
    assert_eq!(asked(&mut kept).status, 200);
    drop(silent);
}
