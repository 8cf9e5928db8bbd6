//! How much a caller may ask for over time: a bucket of points that refills steadily.
//!
//! A request takes what its document costs. Whoever empties his bucket is told when it will hold enough again.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// What came of asking for points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charge {
    /// Points left in the bucket afterwards.
    pub available: u64,
    /// `None` when the points were taken; otherwise how long until the bucket holds enough.
    pub wait: Option<Duration>,
}

/// Keeps the points of every caller. A deployment of several replicas may share one through its database.
pub trait Budget: Send + Sync + 'static {
    /// Takes `points` from the bucket of `caller`, or nothing if it holds fewer.
    fn charge(&self, caller: &str, points: u64) -> Charge;

    /// Points given back each second.
    fn restore_rate(&self) -> u64;
}

/// Buckets in the memory of this process.
#[derive(Debug)]
pub struct Buckets {
    capacity: u64,
    restore_rate: u64,
    levels: Mutex<HashMap<String, Level>>,
}

/// Points are kept in thousandths, so that a refill of a few milliseconds is not lost to rounding.
#[derive(Clone, Copy, Debug)]
struct Level {
    thousandths: u64,
    at: Instant,
}

/// From here on full buckets are dropped before another is made: a caller unknown has a full bucket anyway.
const PRUNE_AT: usize = 10_000;

impl Default for Buckets {
    /// 10,000 points, 500 of them back each second.
    fn default() -> Self {
        Self::new(10_000, 500)
    }
}

impl Buckets {
    /// Buckets of `capacity` points that get `restore_rate` points back each second.
    #[must_use]
    pub fn new(capacity: u64, restore_rate: u64) -> Self {
        Self {
            capacity,
            restore_rate: restore_rate.max(1),
            levels: Mutex::default(),
        }
    }

    fn charge_at(&self, caller: &str, points: u64, now: Instant) -> Charge {
        let mut levels = self.levels.lock().unwrap_or_else(PoisonError::into_inner);
        if levels.len() >= PRUNE_AT && !levels.contains_key(caller) {
            levels.retain(|_, level| self.refilled(*level, now) < self.full());
        }
        let held = levels
            .get(caller)
            .map_or(self.full(), |level| self.refilled(*level, now));
        let wanted = points.saturating_mul(1_000);
        let (left, wait) = match held.checked_sub(wanted) {
            Some(left) => (left, None),
            // Points per second are thousandths per millisecond.
            None => (
                held,
                Some(Duration::from_millis(
                    (wanted - held).div_ceil(self.restore_rate),
                )),
            ),
        };
        levels.insert(
            caller.to_owned(),
            Level {
                thousandths: left,
                at: now,
            },
        );
        Charge {
            available: left / 1_000,
            wait,
        }
    }

    fn full(&self) -> u64 {
        self.capacity.saturating_mul(1_000)
    }

    fn refilled(&self, level: Level, now: Instant) -> u64 {
        let micros =
            u64::try_from(now.saturating_duration_since(level.at).as_micros()).unwrap_or(u64::MAX);
        let back = micros.saturating_mul(self.restore_rate) / 1_000;
        level.thousandths.saturating_add(back).min(self.full())
    }
}

impl Budget for Buckets {
    fn charge(&self, caller: &str, points: u64) -> Charge {
        self.charge_at(caller, points, Instant::now())
    }

    fn restore_rate(&self) -> u64 {
        self.restore_rate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_bucket_says_when_it_holds_enough_and_then_does() {
        let buckets = Buckets::new(100, 50);
        let start = Instant::now();
        assert_eq!(
            buckets.charge_at("a", 90, start),
            Charge {
                available: 10,
                wait: None
            }
        );
        let refused = buckets.charge_at("a", 60, start);
        assert_eq!(
            refused,
            Charge {
                available: 10,
                wait: Some(Duration::from_secs(1))
            }
        );
        let later = start + Duration::from_secs(1);
        assert_eq!(
            buckets.charge_at("a", 60, later),
            Charge {
                available: 0,
                wait: None
            }
        );
        assert_eq!(buckets.charge_at("b", 1, later).available, 99);
    }

    #[test]
    fn frequent_looks_do_not_lose_the_refill() {
        let buckets = Buckets::new(100, 1);
        let start = Instant::now();
        buckets.charge_at("a", 100, start);
        for millis in 1..=1_000 {
            buckets.charge_at("a", 101, start + Duration::from_millis(millis));
        }
        assert_eq!(
            buckets
                .charge_at("a", 0, start + Duration::from_secs(1))
                .available,
            1
        );
    }

    #[test]
    fn no_arithmetic_overflows() {
        let buckets = Buckets::new(u64::MAX, u64::MAX);
        let start = Instant::now();
        buckets.charge_at("a", u64::MAX, start);
        buckets.charge_at(
            "a",
            u64::MAX,
            start + Duration::from_secs(u64::from(u32::MAX)),
        );
    }

    #[test]
    fn full_buckets_are_forgotten_before_memory_grows() {
        let buckets = Buckets::new(10, 10);
        let start = Instant::now();
        for caller in 0..PRUNE_AT {
            buckets.charge_at(&caller.to_string(), 1, start);
        }
        buckets.charge_at("one more", 1, start + Duration::from_secs(60));
        assert_eq!(
            buckets
                .levels
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .len(),
            1
        );
    }
}
