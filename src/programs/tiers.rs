//! The tier of a partner over time.

use chrono::{DateTime, NaiveDate, Utc};
use sea_orm::ConnectionTrait;

use super::{calendar::Calendar, store};
use crate::{
    access::Scope,
    entity::{
        enrollment,
        ids::{EnrollmentId, ProgramId},
        tier_change,
    },
    error::Result,
    tx::Tx,
};

/// The row of history for a tier that an enrolment has from now on.
#[must_use]
pub fn given(tx: &Tx, enrollment: &enrollment::Model) -> tier_change::Model {
    tier_change::Model {
        id: tx.id(),
        enrollment_id: enrollment.id,
        program_id: enrollment.program_id,
        partner_id: enrollment.partner_id,
        tier: enrollment.tier.clone(),
        effective_from: tx.now(),
        decided_by: tx.actor().user_id(),
        created_at: tx.now(),
    }
}

/// The tier of an enrolment at an instant; none before the partner joined.
///
/// # Errors
/// The database failed.
pub async fn at<C: ConnectionTrait>(
    db: &C,
    enrollment: EnrollmentId,
    at: DateTime<Utc>,
) -> Result<Option<String>> {
    let history = store::tier_history(db, Scope::All, &[enrollment], at).await?;
    Ok(history.last().map(|change| change.tier.clone()))
}

/// The instant of which the tier of a day is that of a partner: the last of the day in the programme's time zone.
#[must_use]
pub fn end_of(calendar: &Calendar, program: ProgramId, day: NaiveDate) -> Option<DateTime<Utc>> {
    let next = day.succ_opt()?;
    let begins = calendar.start_of_day(program, next)?;
    Some(begins - chrono::TimeDelta::microseconds(1))
}
