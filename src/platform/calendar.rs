//! Days of a time zone: which day an instant is on, when a day starts, and how far N days reach.
//!
//! This is the one place that turns days into instants and back. Every rule that works by days uses it with the zone
//! of the programme it is about; only the protection of a registration ends in the registration's own zone.
//!
//! A date without a time is stored as the start of its day. A day starts at midnight. Where clocks jump over midnight,
//! it starts at the first moment after the jump; where midnight comes twice, at the first of the two.

use chrono::{
    DateTime, Days, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, Offset as _, TimeDelta,
    TimeZone, Utc,
};
use chrono_tz::{GapInfo, Tz};

/// The day that an instant is on.
#[must_use]
pub fn day_of(zone: Tz, at: DateTime<Utc>) -> NaiveDate {
    at.with_timezone(&zone).date_naive()
}

/// The first instant of a day; none beyond the calendar.
#[must_use]
pub fn start_of_day(zone: Tz, day: NaiveDate) -> Option<DateTime<Utc>> {
    instant(zone, day.and_time(NaiveTime::MIN), None)
}

/// The first instant after a day; none beyond the calendar.
#[must_use]
pub fn end_of_day(zone: Tz, day: NaiveDate) -> Option<DateTime<Utc>> {
    start_of_day(zone, day.checked_add_days(Days::new(1))?)
}

/// The last instant that a recorded time stands for: a date without a time, which is the start of its day, stands for
/// the whole day; any other time stands for itself.
#[must_use]
pub fn last_instant(zone: Tz, at: DateTime<Utc>) -> DateTime<Utc> {
    let day = day_of(zone, at);
    if start_of_day(zone, day) != Some(at) {
        return at;
    }
    end_of_day(zone, day).map_or(at, |end| end - TimeDelta::microseconds(1))
}

/// The instant `days` days later at the same time of day, whatever the clocks do in between. Where that time is
/// skipped, the first moment after the gap; where it comes twice, the one with the same offset, else the first.
#[must_use]
pub fn add_days(zone: Tz, at: DateTime<Utc>, days: u32) -> Option<DateTime<Utc>> {
    moved(zone, at, |local| {
        local.checked_add_days(Days::new(days.into()))
    })
}

/// The instant `days` days earlier at the same time of day; see [`add_days`].
#[must_use]
pub fn sub_days(zone: Tz, at: DateTime<Utc>, days: u32) -> Option<DateTime<Utc>> {
    moved(zone, at, |local| {
        local.checked_sub_days(Days::new(days.into()))
    })
}

/// An offset of a time zone from UTC and the instant from which it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offset {
    /// From when on.
    pub from: DateTime<Utc>,
    /// The seconds by which clocks are ahead of UTC.
    pub seconds: i32,
}

/// The offsets of a time zone between two instants, oldest first; the first holds from `from` on.
#[must_use]
pub fn offsets(zone: Tz, from: DateTime<Utc>, until: DateTime<Utc>) -> Vec<Offset> {
    let seconds = |at: DateTime<Utc>| at.with_timezone(&zone).offset().fix().local_minus_utc();
    let mut offsets = vec![Offset {
        from,
        seconds: seconds(from),
    }];
    let mut at = from;
    while at < until {
        // No zone changes its clocks twice a day.
        let next = at + TimeDelta::days(1);
        if seconds(at) != seconds(next) {
            let (mut before, mut after) = (at.timestamp(), next.timestamp());
            while after - before > 1 {
                let middle = before + (after - before) / 2;
                let same = DateTime::from_timestamp(middle, 0).map(seconds) == Some(seconds(at));
                if same {
                    before = middle
                } else {
                    after = middle
                }
            }
            offsets.push(Offset {
                from: DateTime::from_timestamp(after, 0).unwrap_or(next),
                seconds: seconds(next),
            });
        }
        at = next;
    }
    offsets
}

fn moved(
    zone: Tz,
    at: DateTime<Utc>,
    step: impl Fn(NaiveDateTime) -> Option<NaiveDateTime>,
) -> Option<DateTime<Utc>> {
    let local = step(at.with_timezone(&zone).naive_local())?;
    instant(zone, local, Some(at))
}

/// The instant of a local time; of two, the one with the offset that counts at `like`, else the first.
fn instant(zone: Tz, local: NaiveDateTime, like: Option<DateTime<Utc>>) -> Option<DateTime<Utc>> {
    let offset = |at: &DateTime<Tz>| at.offset().fix();
    let found = match zone.from_local_datetime(&local) {
        LocalResult::Single(only) => only,
        LocalResult::Ambiguous(first, second) => {
            let same = like.map(|at| offset(&at.with_timezone(&zone))) == Some(offset(&second));
            if same { second } else { first }
        }
        LocalResult::None => GapInfo::new(&local, &zone)?.end?,
    };
    Some(found.with_timezone(&Utc))
}

#[cfg(test)]
mod tests {
    use chrono_tz::{America, Asia, Europe, Pacific};
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn an_instant_is_on_another_day_in_another_zone() {
        for (instant, zone, expected) in [
            ("2026-04-30T22:00:00Z", Europe::Berlin, "2026-05-01"),
            ("2026-04-30T21:59:59Z", Europe::Berlin, "2026-04-30"),
            ("2026-05-01T06:59:59Z", America::Los_Angeles, "2026-04-30"),
            ("2026-05-01T06:30:00Z", America::Los_Angeles, "2026-04-30"),
            ("2026-04-30T12:00:00Z", Pacific::Auckland, "2026-05-01"),
            ("2028-02-28T18:30:00Z", Asia::Kolkata, "2028-02-29"),
            ("2026-04-30T23:59:59Z", Tz::UTC, "2026-04-30"),
        ] {
            assert_eq!(day_of(zone, at(instant)), day(expected), "{instant} {zone}");
        }
    }

    #[test]
    fn a_day_starts_at_midnight_or_right_after_a_gap() {
        for (of, zone, expected) in [
            ("2026-05-01", Europe::Berlin, "2026-04-30T22:00:00Z"),
            ("2026-05-01", America::Los_Angeles, "2026-05-01T07:00:00Z"),
            ("2026-05-01", Pacific::Auckland, "2026-04-30T12:00:00Z"),
            ("2028-02-29", Asia::Kolkata, "2028-02-28T18:30:00Z"),
            // Midnight is skipped in Santiago; in Havana it comes twice.
            ("2026-09-06", America::Santiago, "2026-09-06T04:00:00Z"),
            ("2026-11-01", America::Havana, "2026-11-01T04:00:00Z"),
        ] {
            assert_eq!(
                start_of_day(zone, day(of)),
                Some(at(expected)),
                "{of} {zone}"
            );
        }
    }

    #[test]
    fn a_date_stands_for_its_whole_day_and_a_time_for_itself() {
        let berlin = Europe::Berlin;
        assert_eq!(
            last_instant(berlin, at("2026-04-30T22:00:00Z")),
            at("2026-05-01T21:59:59.999999Z")
        );
        let time = at("2026-04-30T22:00:01Z");
        assert_eq!(last_instant(berlin, time), time);
        // Midnight in UTC is 2 in the morning in Berlin.
        let midnight = at("2026-05-01T00:00:00Z");
        assert_eq!(last_instant(berlin, midnight), midnight);
        assert_eq!(
            last_instant(Tz::UTC, midnight),
            at("2026-05-01T23:59:59.999999Z")
        );
    }

    #[test]
    fn days_later_it_is_the_same_time_of_day() {
        for (zone, from, days, expected) in [
            // Clocks go forward on 29 March and back on 25 October.
            (
                Europe::Berlin,
                "2026-03-01T11:00:00Z",
                30,
                "2026-03-31T10:00:00Z",
            ),
            (
                Europe::Berlin,
                "2026-10-01T10:00:00Z",
                30,
                "2026-10-31T11:00:00Z",
            ),
            // 2:30 does not exist on 29 March, and comes twice on 25 October.
            (
                Europe::Berlin,
                "2026-03-28T01:30:00Z",
                1,
                "2026-03-29T01:00:00Z",
            ),
            (
                Europe::Berlin,
                "2026-10-24T00:30:00Z",
                1,
                "2026-10-25T00:30:00Z",
            ),
            (Tz::UTC, "2028-01-30T12:00:00Z", 30, "2028-02-29T12:00:00Z"),
        ] {
            assert_eq!(add_days(zone, at(from), days), Some(at(expected)), "{from}");
        }
        assert_eq!(
            sub_days(Europe::Berlin, at("2026-03-31T10:00:00Z"), 30),
            Some(at("2026-03-01T11:00:00Z"))
        );
        assert_eq!(
            sub_days(Europe::Berlin, at("2026-10-26T01:30:00Z"), 1),
            Some(at("2026-10-25T01:30:00Z"))
        );
    }

    #[test]
    fn offsets_change_with_the_clocks() {
        let found = offsets(
            Europe::Berlin,
            at("2026-01-01T00:00:00Z"),
            at("2026-12-31T00:00:00Z"),
        );
        let found: Vec<_> = found
            .iter()
            .map(|offset| (offset.from, offset.seconds))
            .collect();
        assert_eq!(
            found,
            [
                (at("2026-01-01T00:00:00Z"), 3_600),
                (at("2026-03-29T01:00:00Z"), 7_200),
                (at("2026-10-25T01:00:00Z"), 3_600),
            ]
        );
        let now = at("2026-05-01T00:00:00Z");
        let only = Offset {
            from: now,
            seconds: 19_800,
        };
        assert_eq!(offsets(Asia::Kolkata, now, now), [only]);
    }

    proptest! {
        #[test]
        fn every_instant_is_between_the_ends_of_its_day(
            seconds in 1_262_304_000_i64..2_524_608_000, zone in 0..chrono_tz::TZ_VARIANTS.len()
        ) {
            let zone = chrono_tz::TZ_VARIANTS[zone];
            let at = DateTime::from_timestamp(seconds, 0).unwrap();
            let day = day_of(zone, at);
            prop_assert!(start_of_day(zone, day).unwrap() <= at);
            prop_assert!(at < end_of_day(zone, day).unwrap());
            prop_assert!(last_instant(zone, at) >= at);
            prop_assert_eq!(day_of(zone, last_instant(zone, at)), day);
        }

        #[test]
        fn days_there_and_back_end_on_the_same_day(
            seconds in 1_262_304_000_i64..2_524_608_000, days in 0_u32..4_000,
            zone in 0..chrono_tz::TZ_VARIANTS.len()
        ) {
            let zone = chrono_tz::TZ_VARIANTS[zone];
            let at = DateTime::from_timestamp(seconds, 0).unwrap();
            let later = add_days(zone, at, days).unwrap();
            let passed = day_of(zone, later) - day_of(zone, at);
            // A whole day can be skipped where a country crosses the date line.
            prop_assert!((0..=1).contains(&(passed.num_days() - i64::from(days))));
        }
    }
}
