//! A load client: how many requests a second a server answers, and how long each one takes.
//!
//! `cargo run --release --example load -- ADDRESS [BODY] [CONNECTIONS] [SECONDS] [RATE]`
//!
//! With a rate, connections share so many requests a second, evenly spread, instead of asking again at once; an answer's time
//! then counts from when it was due.
//!
//! One thread keeps all connections busy, each with one request at a time on a connection that stays open, and does as little
//! as it can besides: it shares the machine with the server that it measures. On Linux it waits for all of them with `epoll`
//! through tokio. It checks every status and the length of every answer, and understands no answer.
//! Answers that say that it is too much (429 and 503) are told apart from those that were wanted; a connection that was turned
//! away is tried again after 50 ms, much sooner than the server asks for.
#![allow(clippy::print_stdout, clippy::print_stderr)] // this is a command: printing is its work

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use tokio::net::TcpStream;

const ANN: &str = r#"{"age":30,"income":60000,"freq":5,"amount":500}"#;

/// How long a connection that was turned away waits.
const AGAIN: Duration = Duration::from_millis(50);
const CLOSES: &[u8] = b"connection: close";

/// What one connection saw.
#[derive(Debug, Default)]
struct Seen {
    /// Microseconds per answer that was wanted.
    micros: Vec<u32>,
    /// Microseconds per answer that told to come again; for a connection that was turned away from its beginning.
    excess: Vec<u32>,
    /// Other answers.
    errors: u64,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let address = args.first().ok_or("usage: load ADDRESS [BODY] [CONNECTIONS] [SECONDS]")?.clone();
    let body = args.get(1).map_or(ANN, String::as_str);
    let connections: usize = args.get(2).map_or(Ok(64), |n| n.parse())?;
    let seconds: u64 = args.get(3).map_or(Ok(10), |n| n.parse())?;
    let rate: Option<f64> = args.get(4).map(|n| n.parse()).transpose()?;
    let every = rate.map(|rate| Duration::from_secs_f64(connections as f64 / rate));
    let request = format!(
        "POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let begun = Instant::now();
    let until = begun + Duration::from_secs(seconds);
    let all = runtime.block_on(async {
        let tasks: Vec<_> = (0..connections)
            .map(|_| tokio::spawn(connection(address.clone(), request.clone(), until, every)))
            .collect();
        let mut all = Seen::default();
        for task in tasks {
            let seen = task.await.map_err(|e| e.to_string())??;
            all.micros.extend(seen.micros);
            all.excess.extend(seen.excess);
            all.errors += seen.errors;
        }
        Ok::<Seen, String>(all)
    })?;
    let took = begun.elapsed().as_secs_f64();
    if all.micros.is_empty() {
        return Err("nothing was answered".into());
    }
    println!("{:.0} requests/s, {} errors", all.micros.len() as f64 / took, all.errors);
    tell("answered", all.micros);
    tell("told to come again", all.excess);
    Ok(())
}

fn tell(what: &str, mut micros: Vec<u32>) {
    micros.sort_unstable();
    let at = |q: f64| f64::from(micros[((micros.len() - 1) as f64 * q) as usize]) / 1000.0;
    if micros.is_empty() {
        return;
    }
    println!(
        "{} {what}, milliseconds p50 {:.2} p90 {:.2} p99 {:.2} p99.9 {:.2} max {:.2}",
        micros.len(),
        at(0.5),
        at(0.9),
        at(0.99),
        at(0.999),
        at(1.0)
    );
}

async fn connection(address: String, request: String, until: Instant, every: Option<Duration>) -> Result<Seen, String> {
    let mut seen = Seen::default();
    while Instant::now() < until {
        if !until_closed(&address, &request, (until, every), &mut seen).await.map_err(|e| e.to_string())? {
            tokio::time::sleep(AGAIN).await;
        }
    }
    Ok(seen)
}

/// Asks on one connection until the time is over, or the server turns it away: then false.
async fn until_closed(
    address: &str,
    request: &str,
    (until, every): (Instant, Option<Duration>),
    seen: &mut Seen,
) -> std::io::Result<bool> {
    let mut sent = Instant::now();
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; 64 * 1024];
    while Instant::now() < until {
        send(&stream, request.as_bytes()).await?;
        let mut filled = 0;
        loop {
            stream.readable().await?;
            match stream.try_read(&mut buffer[filled..]) {
                Ok(0) => return Err(std::io::Error::other("the server closed a connection without an answer")),
                Ok(n) => filled += n,
                Err(e) if e.kind() == ErrorKind::WouldBlock => continue,
                Err(e) => return Err(e),
            }
            if is_whole(&buffer[..filled]).map_err(std::io::Error::other)? {
                break;
            }
        }
        let micros = u32::try_from(sent.elapsed().as_micros()).unwrap_or(u32::MAX);
        match buffer.get(9..12) {
            Some(b"200") => seen.micros.push(micros),
            Some(b"429" | b"503") => seen.excess.push(micros),
            _ => seen.errors += 1,
        }
        if buffer[..filled].windows(CLOSES.len()).any(|w| w == CLOSES) {
            return Ok(false);
        }
        sent = match every {
            None => Instant::now(),
            Some(every) => {
                tokio::time::sleep_until((sent + every).into()).await;
                sent + every
            }
        };
    }
    Ok(true)
}

async fn send(stream: &TcpStream, mut bytes: &[u8]) -> std::io::Result<()> {
    while !bytes.is_empty() {
        match stream.try_write(bytes) {
            Ok(n) => bytes = &bytes[n..],
            Err(e) if e.kind() == ErrorKind::WouldBlock => stream.writable().await?,
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// Whether head and body are there.
fn is_whole(answer: &[u8]) -> Result<bool, String> {
    const LENGTH: &[u8] = b"content-length: ";
    let Some(head) = answer.windows(4).position(|w| w == b"\r\n\r\n") else { return Ok(false) };
    let at = answer[..head].windows(LENGTH.len()).position(|w| w == LENGTH).ok_or("an answer without a length")?;
    let digits = answer[at + LENGTH.len()..].iter().take_while(|b| b.is_ascii_digit());
    let length = digits.fold(0, |n, b| n * 10 + usize::from(b - b'0'));
    Ok(answer.len() >= head + 4 + length)
}
