//! What time it is. Everything that happens takes its time from here, so that tests can set it, and in whole
//! microseconds, because that is what the database keeps: a time read back equals the time written.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

/// The source of time.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's clock.
    System,
    /// Hands that stand still until somebody moves them.
    Manual(ManualClock),
}

impl Clock {
    /// The present moment in UTC, cut to microseconds.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the machine's clock"
    )]
    pub fn now(&self) -> DateTime<Utc> {
        let now = match self {
            Self::System => SystemTime::now().into(),
            Self::Manual(hands) => hands.read(),
        };
        now.trunc_subsecs(6)
    }
}

impl From<&ManualClock> for Clock {
    fn from(hands: &ManualClock) -> Self {
        Self::Manual(hands.clone())
    }
}

/// The hands of a clock for tests and replays; clones move together.
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<Mutex<DateTime<Utc>>>);

impl ManualClock {
    /// Hands that stand at `start`.
    pub fn new(start: DateTime<Utc>) -> Self {
        Self(Arc::new(Mutex::new(start)))
    }

    /// Moves the hands; a negative span moves them back.
    pub fn advance(&self, by: TimeDelta) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) += by;
    }

    /// Puts the hands to `moment`.
    pub fn set(&self, moment: DateTime<Utc>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = moment;
    }

    fn read(&self) -> DateTime<Utc> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hands_move_together_and_only_when_moved() {
        let hands = ManualClock::new(DateTime::UNIX_EPOCH);
        let (clock, other) = (Clock::from(&hands), Clock::from(&hands));
        assert_eq!(clock.now(), clock.now());
        hands.advance(TimeDelta::minutes(10));
        assert_eq!(other.now(), DateTime::UNIX_EPOCH + TimeDelta::minutes(10));
        hands.set(DateTime::UNIX_EPOCH);
        assert_eq!(clock.now(), DateTime::UNIX_EPOCH);
    }

    #[test]
    fn times_are_cut_to_microseconds() {
        let hands = ManualClock::new(DateTime::UNIX_EPOCH + TimeDelta::nanoseconds(1_999));
        assert_eq!(
            Clock::from(&hands).now(),
            DateTime::UNIX_EPOCH + TimeDelta::microseconds(1)
        );
        assert_eq!(Clock::System.now().timestamp_subsec_nanos() % 1_000, 0);
    }
}
