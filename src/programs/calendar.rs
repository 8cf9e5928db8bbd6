//! The days of programmes: each works by the days of its own time zone.
//!
//! A programme can change its zone with a new version of its rules. The start of a day is then in the zone that is in
//! force at midnight UTC of that day, so that periods follow each other without a gap and past ones never move.

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use chrono_tz::Tz;
use sea_orm::ConnectionTrait;

use super::store;
use crate::{
    entity::ids::ProgramId,
    error::{Error, Result},
    platform::calendar,
};

/// The time zones of all programmes, over time.
#[derive(Clone, Debug, Default)]
pub struct Calendar(BTreeMap<ProgramId, Vec<(DateTime<Utc>, Tz)>>);

/// A span of days as instants in one time zone: from `start`, before `end`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Bound {
    /// The instant at which the first day starts.
    pub start: DateTime<Utc>,
    /// The instant at which the last day is over.
    pub end: DateTime<Utc>,
    /// The programmes whose days these are.
    pub programs: Vec<ProgramId>,
    /// The time zone in which the first day starts.
    pub zone: Tz,
}

/// Reads the time zones of all programmes.
///
/// # Errors
/// The database failed.
pub async fn load<C: ConnectionTrait>(db: &C) -> Result<Calendar> {
    let mut calendar = Calendar::default();
    for (program, from, zone) in store::zones(db).await? {
        let zone = zone
            .parse()
            .map_err(|_| Error::internal(format!("unknown time zone {zone}")))?;
        calendar.0.entry(program).or_default().push((from, zone));
    }
    Ok(calendar)
}

impl Calendar {
    /// The span from the first instant of one day to that of another, in each time zone; at least one. None beyond the
    /// calendar.
    #[must_use]
    pub fn bounds(&self, first: NaiveDate, after_last: NaiveDate) -> Option<Arc<[Bound]>> {
        let bound = |zones: &[(DateTime<Utc>, Tz)]| {
            Some(Bound {
                start: start_of_day(zones, first)?,
                end: start_of_day(zones, after_last)?,
                programs: Vec::new(),
                zone: zone_at(zones, first.and_time(NaiveTime::MIN).and_utc()),
            })
        };
        let mut bounds: Vec<Bound> = Vec::new();
        for (program, zones) in &self.0 {
            let of_program = bound(zones)?;
            let same = |known: &&mut Bound| {
                (known.start, known.end, known.zone)
                    == (of_program.start, of_program.end, of_program.zone)
            };
            match bounds.iter_mut().find(same) {
                Some(known) => known.programs.push(*program),
                None => bounds.push(Bound {
                    programs: vec![*program],
                    ..of_program
                }),
            }
        }
        if bounds.is_empty() {
            bounds.push(bound(&[])?);
        }
        bounds.sort_unstable_by_key(|bound| (bound.start, bound.end));
        Some(bounds.into())
    }

    /// The instant at which a day starts in a programme. None for an unknown programme, and beyond the calendar.
    #[must_use]
    pub fn start_of_day(&self, program: ProgramId, day: NaiveDate) -> Option<DateTime<Utc>> {
        start_of_day(self.0.get(&program)?, day)
    }

    /// The earliest day that an instant is on in some programme.
    #[must_use]
    pub fn earliest_day(&self, at: DateTime<Utc>) -> NaiveDate {
        let days = self
            .0
            .values()
            .map(|zones| calendar::day_of(zone_at(zones, at), at));
        days.min().unwrap_or_else(|| at.date_naive())
    }
}

fn zone_at(zones: &[(DateTime<Utc>, Tz)], at: DateTime<Utc>) -> Tz {
    let begun = zones.iter().rfind(|(from, _)| *from <= at);
    begun.or(zones.first()).map_or(Tz::UTC, |(_, zone)| *zone)
}

fn start_of_day(zones: &[(DateTime<Utc>, Tz)], day: NaiveDate) -> Option<DateTime<Utc>> {
    let midnight = day.and_time(NaiveTime::MIN).and_utc();
    calendar::start_of_day(zone_at(zones, midnight), day)
}

#[cfg(test)]
mod tests {
    use chrono_tz::{America, Europe};

    use super::*;
    use crate::platform::ids::TypedId;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn each_programme_has_days_of_its_own() {
        let program = |n| ProgramId::of(uuid::Uuid::from_u128(n));
        let start = at("2020-01-01T00:00:00Z");
        let calendar = Calendar(BTreeMap::from([
            (program(1), vec![(start, Europe::Berlin)]),
            (program(2), vec![(start, America::Los_Angeles)]),
        ]));
        let bounds = calendar
            .bounds(day("2026-05-01"), day("2026-06-01"))
            .unwrap();
        let spans: Vec<_> = bounds
            .iter()
            .map(|bound| (bound.start, bound.end))
            .collect();
        assert_eq!(
            spans,
            [
                (at("2026-04-30T22:00:00Z"), at("2026-05-31T22:00:00Z")),
                (at("2026-05-01T07:00:00Z"), at("2026-06-01T07:00:00Z")),
            ]
        );
        let night = at("2026-05-01T03:00:00Z");
        assert_eq!(calendar.earliest_day(night), day("2026-04-30"));
        assert_eq!(Calendar::default().earliest_day(night), day("2026-05-01"));
        let more = Calendar(BTreeMap::from([
            (program(1), vec![(start, Europe::Berlin)]),
            (program(2), vec![(start, Europe::Berlin)]),
        ]));
        let bounds = more.bounds(day("2026-05-01"), day("2026-06-01")).unwrap();
        assert_eq!(bounds.len(), 1);
        assert_eq!(bounds[0].programs, [program(1), program(2)]);
        let nobody = Calendar::default();
        let bounds = nobody.bounds(day("2026-05-01"), day("2026-06-01")).unwrap();
        assert_eq!(bounds[0].start, at("2026-05-01T00:00:00Z"));
    }

    #[test]
    fn a_change_of_zone_moves_no_day_before_it() {
        let zones = [
            (at("2020-01-01T00:00:00Z"), Tz::UTC),
            (at("2026-05-15T09:00:00Z"), Europe::Berlin),
        ];
        let starts = ["2019-01-01", "2026-05-01", "2026-05-15", "2026-06-01"]
            .map(|text| start_of_day(&zones, day(text)).unwrap());
        assert_eq!(
            starts,
            [
                "2019-01-01T00:00:00Z",
                "2026-05-01T00:00:00Z",
                "2026-05-15T00:00:00Z",
                "2026-05-31T22:00:00Z",
            ]
            .map(at)
        );
    }
}
