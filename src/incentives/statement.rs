//! What a partner earned, lost again and was paid in a period, with every line behind it.
//!
//! opening + earned + adjustments − paid = closing. Lines count by the day on which they were earned (or taken
//! back), payments by the day on which they were paid, each in the time zone of its programme; held-back commission
//! counts as earned from the start. So the closing of today is what the ledger owes: accrued, held, payable and in payout, less the
//! receivable.
//!
//! A statement is read live, and published once when its period is over.

mod csv;
pub mod graphql;
pub mod publish;
mod store;

use std::{collections::HashMap, sync::Arc};

use chrono::{DateTime, Datelike, Days, NaiveDate, Utc};
use chrono_tz::Tz;
use sea_orm::ConnectionTrait;

pub use csv::{MAX_ROWS, file};
pub use store::{Line, lines};

use crate::{
    entity::{
        ids::{PartnerId, ProgramId},
        partner_statement,
    },
    error::{Error, Faults, Result},
    platform::money::Currency,
    programs::calendar::{Bound, Calendar},
    tx::CHUNK,
};

/// The rule under which every line was rounded, for people.
pub const ROUNDING: &str = "Each pool is a rate times the value of the deal, rounded once, half to even, to the smallest \
    unit of the currency. A pool is divided by largest remainder: every part is rounded down, and the units left over go \
    one each to the largest remainders, at equal remainders to the earliest touch. The parts sum to the pool exactly. A volume \
    rebate is the rebate on the volume so far, rounded once in the same way, less what was booked of it before.";

/// A span of days, and as instants in the time zone of each programme.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Period {
    /// The first day.
    pub first_day: NaiveDate,
    /// The last day.
    pub last_day: NaiveDate,
    /// The instants at which these days start and are over, by time zone; at least one.
    pub bounds: Arc<[Bound]>,
}

impl Period {
    /// The days from the first to the last, both included.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` at `periodEnd` for a last day before the first, or one beyond the calendar.
    pub fn days(calendar: &Calendar, first_day: NaiveDate, last_day: NaiveDate) -> Result<Self> {
        let mut faults = Faults::default();
        if last_day < first_day {
            faults.add("periodEnd", "must not be before periodStart");
        }
        let after = last_day.checked_add_days(Days::new(1));
        let bounds = after.and_then(|after| calendar.bounds(first_day, after));
        let bounds = faults.take("periodEnd", bounds.ok_or("is beyond the calendar"));
        faults.check()?;
        Ok(Self {
            first_day,
            last_day,
            bounds: bounds.ok_or_else(|| Error::internal("a period has no bounds"))?,
        })
    }

    /// The time zone of a programme.
    #[must_use]
    pub fn zone(&self, program: ProgramId) -> Tz {
        let of = |bound: &&Bound| bound.programs.contains(&program);
        let bound = self.bounds.iter().find(of).or(self.bounds.first());
        bound.map_or(Tz::UTC, |bound| bound.zone)
    }

    /// The earliest instant of the first day in some programme.
    #[must_use]
    pub fn start(&self) -> DateTime<Utc> {
        let starts = self.bounds.iter().map(|bound| bound.start);
        starts.min().unwrap_or_default()
    }

    /// The instant from which the last day is over in every programme.
    #[must_use]
    pub fn end(&self) -> DateTime<Utc> {
        let ends = self.bounds.iter().map(|bound| bound.end);
        ends.max().unwrap_or_default()
    }

    /// The last whole month that is over at an instant in every programme.
    ///
    /// # Errors
    /// There is none in the calendar.
    pub fn month_before(calendar: &Calendar, at: DateTime<Utc>) -> Result<Self> {
        let before = |day: NaiveDate, days: u32| {
            day.checked_sub_days(Days::new(days.into()))
                .ok_or_else(|| Error::internal("the calendar does not reach back so far"))
        };
        let today = calendar.earliest_day(at);
        let last_day = before(today, today.day())?;
        Self::days(calendar, before(last_day, last_day.day0())?, last_day)
    }
}

/// Which statement: of whom, and what is in it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Subject {
    /// The partner.
    pub partner: PartnerId,
    /// What is in it.
    pub span: Span,
}

/// What a statement is about: which currency, which days.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Span {
    /// The currency of every line and payment.
    pub currency: Currency,
    /// The days.
    pub period: Period,
}

/// The sums of a statement in minor units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Owed before the period: earned less taken back less paid.
    pub opening: i64,
    /// Earned in the period, held back parts included.
    pub earned: i64,
    /// Taken back in the period; zero or negative.
    pub adjustments: i64,
    /// Paid in the period.
    pub paid: i64,
}

impl From<&partner_statement::Model> for Sums {
    fn from(row: &partner_statement::Model) -> Self {
        Self {
            opening: row.opening_minor,
            earned: row.earned_minor,
            adjustments: row.adjustments_minor,
            paid: row.paid_minor,
        }
    }
}

impl Sums {
    /// Owed after the period.
    #[must_use]
    pub const fn closing(&self) -> i64 {
        self.opening
            .saturating_add(self.earned)
            .saturating_add(self.adjustments)
            .saturating_sub(self.paid)
    }
}

/// The sums of statements about one span, by partner, in one statement to the database whatever their length.
///
/// # Errors
/// The database failed.
pub async fn sums<C: ConnectionTrait>(
    db: &C,
    partners: &[PartnerId],
    span: &Span,
) -> Result<HashMap<PartnerId, Sums>> {
    let mut sums: HashMap<_, _> = partners.iter().map(|id| (*id, Sums::default())).collect();
    for chunk in partners.chunks(CHUNK) {
        let moved = store::moved(db, chunk, span).await?.into_iter();
        sums.extend(moved.map(|moved| (moved.partner_id, moved.sums())));
    }
    Ok(sums)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_carried_opens_the_next_period() {
        let march = Sums {
            opening: 0,
            earned: 142_857,
            adjustments: -35_714,
            paid: 0,
        };
        assert_eq!(march.closing(), 107_143);
        let april = Sums {
            opening: march.closing(),
            earned: 60_000,
            adjustments: 0,
            paid: 167_143,
        };
        assert_eq!(april.closing(), 0);
    }

    #[test]
    fn a_period_has_both_its_days() {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        let period =
            Period::days(&Calendar::default(), day("2026-03-01"), day("2026-03-31")).unwrap();
        assert_eq!(period.start().to_rfc3339(), "2026-03-01T00:00:00+00:00");
        assert_eq!(period.end().to_rfc3339(), "2026-04-01T00:00:00+00:00");
        assert!(Period::days(&Calendar::default(), day("2026-03-02"), day("2026-03-01")).is_err());
        assert!(Period::days(&Calendar::default(), day("2026-03-02"), NaiveDate::MAX).is_err());
    }

    #[test]
    fn the_month_before_is_whole() {
        for (at, first_day, last_day) in [
            ("2026-03-01T00:00:00Z", "2026-02-01", "2026-02-28"),
            ("2026-03-31T23:59:59Z", "2026-02-01", "2026-02-28"),
            ("2026-01-15T12:00:00Z", "2025-12-01", "2025-12-31"),
            ("2028-03-31T12:00:00Z", "2028-02-01", "2028-02-29"),
        ] {
            let month = Period::month_before(&Calendar::default(), at.parse().unwrap()).unwrap();
            assert_eq!(
                (month.first_day, month.last_day),
                (first_day.parse().unwrap(), last_day.parse().unwrap()),
                "{at}"
            );
        }
        assert!(Period::month_before(&Calendar::default(), DateTime::<Utc>::MIN_UTC).is_err());
    }
}
