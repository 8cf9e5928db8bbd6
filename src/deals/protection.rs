//! How long an approved deal is protected, when its partner is reminded, and when the protection
//! may be extended.
//!
//! Protection is counted in whole days of the registration's time zone: the day of approval is day
//! 0, and the protection ends at 24:00 of day N. A deal approved on 1 March for 90 days ends on 30
//! May at 24:00, whatever the clocks did in between. 24:00 is the first moment of the following
//! day, as [`calendar`] has it.
//!
//! Pure: decides from facts alone.

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;

use crate::platform::calendar;

/// The moment at which protection of `days` days ends for a deal approved at `approved_at`; the
/// deal is protected before it and no longer at it. A window that outruns the calendar never ends.
pub fn window(approved_at: DateTime<Utc>, days: u16, zone: Tz) -> DateTime<Utc> {
    end_after(calendar::day_of(zone, approved_at), days, zone)
}

/// Whether a deal protected until `until` is protected at `now`.
pub fn is_protected(now: DateTime<Utc>, until: DateTime<Utc>) -> bool {
    now < until
}

/// A reminder that protection is about to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reminder {
    /// How many days before the last protected day it falls due.
    pub days_left: u16,
    /// When it falls due: the beginning of that day in the registration's zone.
    pub due_at: DateTime<Utc>,
}

/// The reminders of a protection that began at `from` and ends at `until`, earliest first: one for
/// each entry of `days_before`, counted back from the last protected day. For 90 days and `[14, 3]`
/// these are days 76 and 87. A reminder that would fall before the protection began is left out.
pub fn reminders(
    from: DateTime<Utc>,
    until: DateTime<Utc>,
    zone: Tz,
    days_before: &[u16],
) -> Vec<Reminder> {
    let last_day = last_protected_day(until, zone);
    let mut due: Vec<_> = days_before
        .iter()
        .filter_map(|&days_left| {
            let day = last_day.checked_sub_days(Days::new(days_left.into()))?;
            let due_at = calendar::start_of_day(zone, day)?;
            (due_at >= from).then_some(Reminder { days_left, due_at })
        })
        .collect();
    due.sort_by_key(|reminder| reminder.due_at);
    due
}

/// What is known about a protection when its extension is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Extension {
    /// When it is asked.
    pub now: DateTime<Utc>,
    /// The end of the protection so far.
    pub until: DateTime<Utc>,
    /// Extensions already granted.
    pub used: u16,
    /// Extensions that the tier allows in all.
    pub allowed: u16,
    /// Days that one extension adds.
    pub days: u16,
    /// Rank of the deal's stage when it was approved or last extended.
    pub rank_then: i32,
    /// Rank of the deal's stage now.
    pub rank_now: i32,
}

/// Why an extension was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExtensionRefusal {
    /// The protection has ended; the customer is open to others.
    #[error("the protection has already ended")]
    Ended,
    /// The tier allows no further extension.
    #[error("no further extension is allowed")]
    LimitReached,
    /// The deal has not reached a higher stage since it was approved or last extended.
    #[error("the deal has not progressed to a higher stage")]
    NoProgress,
}

/// The new end of protection: 24:00 of the day that is the extension's days after the last
/// protected day, so that asking early costs nothing.
///
/// # Errors
/// The protection has ended, the extensions are used up, or the deal has made no progress; checked
/// in this order.
pub fn extend(ask: Extension, zone: Tz) -> Result<DateTime<Utc>, ExtensionRefusal> {
    if !is_protected(ask.now, ask.until) {
        return Err(ExtensionRefusal::Ended);
    }
    if ask.used >= ask.allowed {
        return Err(ExtensionRefusal::LimitReached);
    }
    if ask.rank_now <= ask.rank_then {
        return Err(ExtensionRefusal::NoProgress);
    }
    Ok(end_after(
        last_protected_day(ask.until, zone),
        ask.days,
        zone,
    ))
}

fn last_protected_day(until: DateTime<Utc>, zone: Tz) -> NaiveDate {
    let last_moment = until
        .checked_sub_signed(TimeDelta::nanoseconds(1))
        .unwrap_or(until);
    calendar::day_of(zone, last_moment)
}

fn end_after(date: NaiveDate, days_later: u16, zone: Tz) -> DateTime<Utc> {
    date.checked_add_days(Days::new(days_later.into()))
        .and_then(|last_day| calendar::end_of_day(zone, last_day))
        .unwrap_or(DateTime::<Utc>::MAX_UTC)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono_tz::{America, Europe, Pacific};
    use proptest::prelude::*;

    fn utc(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn ninety_days_from_the_first_of_march_end_on_the_thirtieth_of_may_at_midnight() {
        let approved = utc("2026-03-01T10:15:00Z");
        assert_eq!(window(approved, 90, Tz::UTC), utc("2026-05-31T00:00:00Z"));
        assert_eq!(
            window(approved, 90, Europe::Berlin),
            utc("2026-05-30T22:00:00Z")
        );
        assert_eq!(
            window(approved, 90, America::New_York),
            utc("2026-05-31T04:00:00Z")
        );
    }

    #[test]
    fn the_day_of_approval_is_the_local_one() {
        let late_evening = utc("2026-03-01T04:30:00Z");
        assert_eq!(
            window(late_evening, 90, America::New_York),
            utc("2026-05-30T04:00:00Z")
        );
    }

    #[test]
    fn where_clocks_jump_over_midnight_the_day_ends_with_the_jump() {
        let approved = utc("2026-09-04T15:00:00Z");
        assert_eq!(
            window(approved, 1, America::Santiago),
            utc("2026-09-06T04:00:00Z")
        );
    }

    #[test]
    fn where_midnight_comes_twice_the_first_one_ends_the_day() {
        let approved = utc("2026-10-30T15:00:00Z");
        assert_eq!(
            window(approved, 1, America::Havana),
            utc("2026-11-01T04:00:00Z")
        );
    }

    #[test]
    fn a_day_that_a_country_skipped_has_no_length() {
        let approved = utc("2011-12-28T20:00:00Z");
        assert_eq!(
            window(approved, 1, Pacific::Apia),
            utc("2011-12-30T10:00:00Z")
        );
        assert_eq!(
            window(approved, 2, Pacific::Apia),
            utc("2011-12-30T10:00:00Z")
        );
    }

    #[test]
    fn protection_ends_exactly_at_its_end() {
        let until = utc("2026-05-31T00:00:00Z");
        assert!(is_protected(utc("2026-05-30T23:59:59.999999Z"), until));
        assert!(!is_protected(until, until));
        assert!(!is_protected(utc("2026-05-31T00:00:00.000001Z"), until));
    }

    #[test]
    fn reminders_come_on_days_76_and_87_of_90() {
        let approved = utc("2026-03-01T10:15:00Z");
        let until = window(approved, 90, Europe::Berlin);
        let due = reminders(approved, until, Europe::Berlin, &[3, 14]);
        let (day_76, day_87) = (utc("2026-05-15T22:00:00Z"), utc("2026-05-26T22:00:00Z"));
        assert_eq!(
            due,
            [
                Reminder {
                    days_left: 14,
                    due_at: day_76
                },
                Reminder {
                    days_left: 3,
                    due_at: day_87
                }
            ]
        );
    }

    #[test]
    fn a_short_protection_has_only_the_reminders_that_fit() {
        let approved = utc("2026-03-01T10:15:00Z");
        let until = window(approved, 10, Tz::UTC);
        let due = reminders(approved, until, Tz::UTC, &[14, 3]);
        assert_eq!(
            due,
            [Reminder {
                days_left: 3,
                due_at: utc("2026-03-08T00:00:00Z")
            }]
        );
    }

    fn ask() -> Extension {
        Extension {
            now: utc("2026-05-20T12:00:00Z"),
            until: utc("2026-05-30T22:00:00Z"),
            used: 0,
            allowed: 1,
            days: 30,
            rank_then: 10,
            rank_now: 20,
        }
    }

    #[test]
    fn an_extension_counts_from_the_old_end() {
        assert_eq!(
            extend(ask(), Europe::Berlin),
            Ok(utc("2026-06-29T22:00:00Z"))
        );
    }

    #[test]
    fn an_extension_is_refused_once_ended_used_up_or_without_progress() {
        let zone = Europe::Berlin;
        let just_before = Extension {
            now: utc("2026-05-30T21:59:59Z"),
            ..ask()
        };
        assert!(extend(just_before, zone).is_ok());
        let at_the_end = Extension {
            now: utc("2026-05-30T22:00:00Z"),
            ..ask()
        };
        assert_eq!(extend(at_the_end, zone), Err(ExtensionRefusal::Ended));
        let second = Extension { used: 1, ..ask() };
        assert_eq!(extend(second, zone), Err(ExtensionRefusal::LimitReached));
        let idle = Extension {
            rank_now: 10,
            ..ask()
        };
        assert_eq!(extend(idle, zone), Err(ExtensionRefusal::NoProgress));
    }

    proptest! {
        #[test]
        fn the_end_is_never_early_and_the_last_day_is_the_promised_one(
            seconds in 1_262_304_000_i64..2_524_608_000, days in 1_u16..730, zone in 0..chrono_tz::TZ_VARIANTS.len()
        ) {
            let zone = chrono_tz::TZ_VARIANTS[zone];
            let approved = DateTime::from_timestamp(seconds, 0).unwrap();
            let until = window(approved, days, zone);
            let promised = calendar::day_of(zone, approved) + Days::new(days.into());
            prop_assert!(is_protected(approved, until));
            prop_assert!(calendar::day_of(zone, until) > promised);
            prop_assert!(last_protected_day(until, zone) <= promised);
        }
    }
}
