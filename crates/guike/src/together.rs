//! One thread that works for all: on everything that waits at a time, together.
//!
//! The one idea: what makes writing to a disk slow is waiting for it, so what comes while it is at work is written with one
//! flush afterwards. A hundred at a time then cost as much as one.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// A thread to which things are handed; when this is dropped, everything that waits is worked on first.
pub(crate) struct Together<T> {
    shared: Arc<Shared<T>>,
    worker: Option<JoinHandle<()>>,
}

struct Shared<T> {
    waiting: Mutex<Waiting<T>>,
    come: Condvar,
}

struct Waiting<T> {
    things: Vec<T>,
    has_ended: bool,
}

impl<T: Send + 'static> Together<T> {
    /// Starts the thread; `work` is never called with nothing, and gets things in the order in which they were handed over.
    pub(crate) fn start(mut work: impl FnMut(Vec<T>) + Send + 'static) -> Together<T> {
        let waiting = Mutex::new(Waiting { things: Vec::new(), has_ended: false });
        let shared = Arc::new(Shared { waiting, come: Condvar::new() });
        let of_thread = Arc::clone(&shared);
        let worker = std::thread::spawn(move || {
            loop {
                let (things, has_ended) = of_thread.wait();
                if !things.is_empty() {
                    work(things);
                }
                if has_ended {
                    return;
                }
            }
        });
        Together { shared, worker: Some(worker) }
    }

    /// Hands something over.
    pub(crate) fn add(&self, thing: T) {
        self.shared.lock().things.push(thing);
        self.shared.come.notify_one();
    }
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, Waiting<T>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything that waits, as soon as there is something, and whether that is the end.
    fn wait(&self) -> (Vec<T>, bool) {
        let nothing = |w: &mut Waiting<T>| w.things.is_empty() && !w.has_ended;
        let mut waiting = self.come.wait_while(self.lock(), nothing).unwrap_or_else(PoisonError::into_inner);
        (std::mem::take(&mut waiting.things), waiting.has_ended)
    }
}

impl<T> Drop for Together<T> {
    fn drop(&mut self) {
        self.shared.lock().has_ended = true;
        self.shared.come.notify_one();
        if let Some(worker) = self.worker.take() {
            let _ = worker.join();
        }
    }
}

impl<T> std::fmt::Debug for Together<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Together")
    }
}
