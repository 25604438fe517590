//! How far a job is: what the work tells while it goes on, for those who look.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use guike_core::Progress;

use super::Progressed;

/// Seconds of a stage before its pace says anything.
const PACE_AFTER: f64 = 2.0;

/// The stage that goes on.
#[derive(Debug)]
struct StageNow {
    name: String,
    total: u64,
    begun: Instant,
}

/// What a job tells; it is asked to stop here, too.
#[derive(Debug, Default)]
pub(super) struct Meter {
    stage: Mutex<Option<StageNow>>,
    done: AtomicU64,
    is_stopping: AtomicBool,
}

impl Meter {
    pub(super) fn stop(&self) {
        self.is_stopping.store(true, Ordering::Release);
    }

    pub(super) fn far(&self) -> Progressed {
        let stage = self.stage.lock().unwrap_or_else(PoisonError::into_inner);
        let done = self.done.load(Ordering::Relaxed);
        let (name, total, took) = stage
            .as_ref()
            .map_or((String::new(), 0, 0.0), |s| (s.name.clone(), s.total, s.begun.elapsed().as_secs_f64()));
        let share = (total > 0).then(|| (done as f64 / total as f64).min(1.0));
        let left = share.filter(|s| *s > 0.0 && took >= PACE_AFTER).map(|s| (took / s * (1.0 - s)).round() as u64);
        Progressed { stage: name, share, seconds_left: left, is_stopping: self.is_stopping.load(Ordering::Acquire) }
    }
}

impl Progress for Meter {
    fn stage(&self, name: &str, total: u64) {
        let mut stage = self.stage.lock().unwrap_or_else(PoisonError::into_inner);
        self.done.store(0, Ordering::Relaxed);
        *stage = Some(StageNow { name: name.to_owned(), total, begun: Instant::now() });
    }

    fn advance(&self, amount: u64) {
        self.done.fetch_add(amount, Ordering::Relaxed);
    }

    fn cancelled(&self) -> bool {
        self.is_stopping.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_begins_at_nothing_and_one_of_unknown_length_has_no_share() {
        let meter = Meter::default();
        assert_eq!(meter.far().stage, "");
        meter.stage("reading", 0);
        meter.advance(7);
        assert_eq!((meter.far().stage.as_str(), meter.far().share), ("reading", None));
        meter.stage("fitting", 4);
        assert_eq!(meter.far().share, Some(0.0));
        meter.advance(3);
        assert_eq!((meter.far().share, meter.far().seconds_left), (Some(0.75), None));
        meter.advance(9);
        assert!(meter.far().share == Some(1.0) && !meter.cancelled());
        meter.stop();
        assert!(meter.check().is_err() && meter.far().is_stopping);
    }
}
