//! A bad line to a server: it breaks, stalls or lies after some bytes.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// Stands before a server; every connection breaks after a number of bytes from the server that a seed decides.
pub(crate) struct BadLine {
    pub(crate) port: u16,
    cuts: Arc<AtomicU64>,
    ended: Arc<AtomicBool>,
}

impl BadLine {
    /// Before the server at `port`; breaks connections within their first `most` bytes, every other one.
    pub(crate) fn before(port: u16, most: u64, seed: u64) -> BadLine {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let own = listener.local_addr().expect("bound").port();
        let (cuts, ended) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (counter, end) = (Arc::clone(&cuts), Arc::clone(&ended));
        std::thread::spawn(move || {
            let mut state = seed;
            for client in listener.incoming().flatten() {
                if end.load(Ordering::Relaxed) {
                    return;
                }
                let mut draw = || {
                    // SplitMix64
                    state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
                    let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
                    z ^ (z >> 31)
                };
                let (breaks, at, how) = (draw() % 2 == 0, draw() % most, draw() % 3);
                let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else { continue };
                let counter = Arc::clone(&counter);
                std::thread::spawn(move || pass(client, server, breaks.then_some((at, how)), &counter));
            }
        });
        BadLine { port: own, cuts, ended }
    }

    /// Connections that were broken.
    pub(crate) fn cuts(&self) -> u64 {
        self.cuts.load(Ordering::Relaxed)
    }
}

impl Drop for BadLine {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn pass(client: TcpStream, server: TcpStream, fault: Option<(u64, u64)>, cuts: &AtomicU64) {
    let (Ok(mut from_client), Ok(mut to_server)) = (client.try_clone(), server.try_clone()) else { return };
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut from_client, &mut to_server);
        let _ = to_server.shutdown(Shutdown::Both);
    });
    let (mut from_server, mut to_client) = (server, client);
    let mut passed = 0;
    let mut buffer = [0; 4096];
    while let Ok(n @ 1..) = from_server.read(&mut buffer) {
        let mut give = n;
        if let Some((at, how)) = fault.filter(|(at, _)| passed + n as u64 > *at) {
            give = (at - passed) as usize;
            cuts.fetch_add(1, Ordering::Relaxed);
            let _ = to_client.write_all(&buffer[..give]);
            match how {
                0 => {}
                1 => std::thread::sleep(Duration::from_millis(100)),
                _ => {
                    let _ = to_client.write_all(&[0xff; 64]);
                }
            }
            break;
        }
        passed += n as u64;
        if to_client.write_all(&buffer[..give]).is_err() {
            break;
        }
    }
    let _ = to_client.shutdown(Shutdown::Both);
    let _ = from_server.shutdown(Shutdown::Both);
}
