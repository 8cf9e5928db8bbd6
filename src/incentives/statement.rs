//! What a partner earned, lost again and was paid in a period, with every line behind it.
//!
//! opening + earned + adjustments − paid = closing. Lines count by the day on which they were earned (or taken
//! back), payments by the day on which they were paid, all in UTC; held-back commission counts as earned from the
//! start. So the closing of today is what the ledger owes: accrued, held, payable and in payout, less the
//! receivable.

mod csv;
pub mod graphql;
mod store;

use std::collections::HashMap;

use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};
use sea_orm::ConnectionTrait;

pub use csv::{MAX_ROWS, file};
pub use store::{Line, lines};

use crate::{
    entity::ids::PartnerId,
    error::{Faults, Result},
    platform::money::Currency,
    tx::CHUNK,
};

/// The rule under which every line was rounded, for people.
pub const ROUNDING: &str = "Each pool is a rate times the value of the deal, rounded once, half to even, to the smallest \
    unit of the currency. A pool is divided by largest remainder: every part is rounded down, and the units left over go \
    one each to the largest remainders, at equal remainders to the earliest touch. The parts sum to the pool exactly. A volume \
    rebate is the rebate on the volume so far, rounded once in the same way, less what was booked of it before.";

/// A span of days in UTC, as instants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Period {
    /// The first day.
    pub first_day: NaiveDate,
    /// The last day.
    pub last_day: NaiveDate,
    /// The instant at which the first day starts.
    pub start: DateTime<Utc>,
    /// The instant at which the last day is over.
    pub end: DateTime<Utc>,
}

impl Period {
    /// The days from the first to the last, both included.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` at `periodEnd` for a last day before the first, or one beyond the calendar.
    pub fn days(first_day: NaiveDate, last_day: NaiveDate) -> Result<Self> {
        let mut faults = Faults::default();
        if last_day < first_day {
            faults.add("periodEnd", "must not be before periodStart");
        }
        let after = last_day.checked_add_days(Days::new(1));
        if after.is_none() {
            faults.add("periodEnd", "is beyond the calendar");
        }
        faults.check()?;
        let midnight = |day: NaiveDate| day.and_time(NaiveTime::MIN).and_utc();
        Ok(Self {
            first_day,
            last_day,
            start: midnight(first_day),
            end: midnight(after.unwrap_or(last_day)),
        })
    }
}

/// Which statement: of whom, and what is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Subject {
    /// The partner.
    pub partner: PartnerId,
    /// What is in it.
    pub span: Span,
}

/// What a statement is about: which currency, which days.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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

impl Sums {
    /// Owed after the period.
    #[must_use]
    pub const fn closing(&self) -> i64 {
        self.opening + self.earned + self.adjustments - self.paid
    }
}

/// The sums of statements about one span, by partner, in one statement to the database whatever their length.
///
/// # Errors
/// The database failed.
pub async fn sums<C: ConnectionTrait>(
    db: &C,
    partners: &[PartnerId],
    span: Span,
) -> Result<HashMap<PartnerId, Sums>> {
    let mut sums: HashMap<_, _> = partners.iter().map(|id| (*id, Sums::default())).collect();
    for chunk in partners.chunks(CHUNK) {
        let moved = store::moved(db, chunk, span).await?.into_iter();
        sums.extend(moved.map(|moved| {
            let sums = Sums {
                opening: moved.opening,
                earned: moved.earned,
                adjustments: moved.taken_back,
                paid: moved.paid,
            };
            (moved.partner_id, sums)
        }));
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
        let period = Period::days(day("2026-03-01"), day("2026-03-31")).unwrap();
        assert_eq!(period.start.to_rfc3339(), "2026-03-01T00:00:00+00:00");
        assert_eq!(period.end.to_rfc3339(), "2026-04-01T00:00:00+00:00");
        assert!(Period::days(day("2026-03-02"), day("2026-03-01")).is_err());
        assert!(Period::days(day("2026-03-02"), NaiveDate::MAX).is_err());
    }
}
