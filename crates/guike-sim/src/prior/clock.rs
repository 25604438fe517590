//! The pace of a shop: calendar days against the time that its customers feel.
//!
//! The one idea: a process with the rate λ·ρ(day) is the process with rate λ on the time Λ(day) = ∫ρ (the time change of
//! point processes; Daley & Vere-Jones 2003, section 7.4). Season, trend and promotions are ρ; every mechanism runs
//! in its own steady time, and one table takes it to the calendar.

/// Λ at the beginning of every day, with ρ constant within a day.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Clock {
    /// Days before the log that the table begins with.
    before: f64,
    /// One entry per day and one for the end.
    pace: Vec<f64>,
}

impl Clock {
    /// From ρ per day, beginning `before` days before day 0. At least one ρ must be above 0.
    pub(super) fn new(before: u32, rho: impl Iterator<Item = f64>) -> Clock {
        let mut sum = 0.0;
        let mut pace = vec![0.0];
        pace.extend(rho.map(|r| {
            sum += r;
            sum
        }));
        assert!(sum > 0.0, "a shop is open on some day");
        Clock { before: f64::from(before), pace }
    }

    fn n_days(&self) -> usize {
        self.pace.len() - 1
    }

    /// ρ of a day of the log or before it.
    pub(super) fn rho(&self, day: i32) -> f64 {
        let i = (f64::from(day) + self.before).clamp(0.0, (self.n_days() - 1) as f64) as usize;
        self.pace[i + 1] - self.pace[i]
    }

    /// Λ at a moment, which is clamped to the table.
    pub(super) fn pace(&self, day: f64) -> f64 {
        let at = (day + self.before).clamp(0.0, self.n_days() as f64);
        let i = (at as usize).min(self.n_days() - 1);
        self.pace[i] + (at - i as f64) * (self.pace[i + 1] - self.pace[i])
    }

    /// The moment at which Λ is `pace`, by a galloping search from `cursor` on, which moves there. Paces must ascend
    /// from call to call with one cursor, and lie below the end of the table.
    pub(super) fn day(&self, pace: f64, cursor: &mut usize) -> f64 {
        let (mut low, mut step) = (*cursor, 1);
        while low + step < self.n_days() && self.pace[low + step] <= pace {
            low += step;
            step *= 2;
        }
        let high = (low + step).min(self.n_days());
        // closed days repeat an entry: the last of equals is the day on which something can happen
        low += self.pace[low..high].partition_point(|&p| p <= pace).max(1) - 1;
        *cursor = low;
        let part = (pace - self.pace[low]) / (self.pace[low + 1] - self.pace[low]);
        // rounding may not carry a purchase into the next day, which may be closed
        low as f64 + if part.is_finite() { part.clamp(0.0, 1.0 - 1e-9) } else { 0.0 } - self.before
    }

    /// The moment, or if the shop is closed on that day the same time of the next open day (the last one at the end).
    pub(super) fn open(&self, day: f64) -> f64 {
        let last = self.n_days() as i32 - self.before as i32 - 1;
        let first = (day.floor() as i32).min(last);
        let time = day - day.floor();
        let next = (first..=last).find(|&d| self.rho(d) > 0.0);
        let found = next.or_else(|| (-(self.before as i32)..first).rev().find(|&d| self.rho(d) > 0.0));
        f64::from(found.unwrap_or(first)) + time
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_day_is_the_inverse_of_the_pace() {
        let clock = Clock::new(10, (0..100).map(|d| if d % 7 == 3 { 0.0 } else { 0.5 + f64::from(d % 5) }));
        let mut cursor = 0;
        for i in 0..900 {
            let day = f64::from(i) / 9.0 - 10.0;
            let there = clock.day(clock.pace(day), &mut cursor);
            let closed = clock.rho(day.floor() as i32) == 0.0;
            assert!(closed || (there - day).abs() < 1e-6, "{day} {there}");
            assert!(clock.rho(there.floor() as i32) > 0.0, "{day} {there}");
        }
    }

    #[test]
    fn who_finds_the_shop_closed_comes_on_the_next_open_day() {
        let clock = Clock::new(1, [1.0, 0.0, 0.0, 2.0, 0.0].into_iter());
        assert_eq!((clock.open(0.25), clock.open(2.5), clock.open(3.5)), (2.25, 2.5, 2.5));
    }
}
