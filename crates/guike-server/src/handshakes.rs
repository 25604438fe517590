//! Handshakes of TLS: how many at a time, and how long each may take.
//!
//! The one idea: an honest client is done in milliseconds, so among too many that are not, the one that began first is given
//! up for the newcomer. A client that connects and stays silent keeps nobody out.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

/// Handshakes that have begun and are not done.
#[derive(Debug)]
pub(crate) struct Handshakes {
    most: usize,
    within: Duration,
    begun: Mutex<VecDeque<Arc<Notify>>>,
}

/// The place of one of them, which is free again when this goes.
#[derive(Debug)]
pub(crate) struct Place {
    all: Arc<Handshakes>,
    given_up: Arc<Notify>,
}

impl Handshakes {
    /// At most so many, each done within this time.
    pub(crate) fn new(most: usize, within: Duration) -> Handshakes {
        Handshakes { most: most.max(1), within, begun: Mutex::default() }
    }

    /// Gives all of them up: the server ends.
    pub(crate) fn end(&self) {
        for place in self.begun.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            place.notify_one();
        }
    }

    /// A place for a handshake. It is taken when a connection is accepted, and not when somebody comes to it: the newest is
    /// then never taken for the oldest.
    pub(crate) fn begin(self: &Arc<Self>) -> Place {
        let given_up = Arc::<Notify>::default();
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        if begun.len() >= self.most
            && let Some(first) = begun.pop_front()
        {
            first.notify_one();
        }
        begun.push_back(Arc::clone(&given_up));
        Place { all: Arc::clone(self), given_up }
    }
}

impl Place {
    /// What the handshake ends with; `None` when it failed, took too long or was given up.
    pub(crate) async fn done<T, E>(self, handshake: impl Future<Output = Result<T, E>>) -> Option<T> {
        tokio::select! {
            done = tokio::time::timeout(self.all.within, handshake) => done.ok()?.ok(),
            () = self.given_up.notified() => None,
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut begun = self.all.begun.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = begun.iter().position(|p| Arc::ptr_eq(p, &self.given_up)) {
            begun.remove(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Shaken = Result<u8, ()>;

    #[tokio::test]
    async fn the_first_of_too_many_silent_ones_is_given_up_and_a_slow_one_ends() {
        let all = Arc::new(Handshakes::new(2, Duration::from_millis(300)));
        let silent = async || all.begin().done(std::future::pending::<Shaken>()).await;
        let shaken = async |with: Shaken| all.begin().done(async { with }).await;
        let begun = std::time::Instant::now();
        let given_up = async {
            assert_eq!(silent().await, None);
            begun.elapsed()
        };
        let rest = async { tokio::join!(silent(), shaken(Shaken::Ok(7)), shaken(Shaken::Err(()))) };
        let (first, (slow, good, bad)) = tokio::join!(given_up, rest);
        assert!(first < Duration::from_millis(200), "{first:?}");
        assert!(begun.elapsed() >= Duration::from_millis(300));
        assert_eq!((slow, good, bad), (None, Some(7), None));
        assert!(all.begun.lock().expect("nobody panics here").is_empty(), "every place is free again");
    }

    #[tokio::test]
    async fn the_end_of_the_server_waits_for_no_handshake() {
        let all = Arc::new(Handshakes::new(9, Duration::from_secs(60)));
        let end = async { all.end() };
        let (none, ()) = tokio::join!(all.begin().done(std::future::pending::<Shaken>()), end);
        assert_eq!(none, None);
    }
}
