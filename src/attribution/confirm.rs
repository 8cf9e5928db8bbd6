//! The other side confirms or refuses what was recorded.

use chrono_tz::Tz;

use super::{store, touchpoint::TouchpointAction};
use crate::{
    access::{Action, Held},
    entity::{
        deal,
        ids::TouchpointId,
        touchpoint::{self, TouchpointStatus},
    },
    error::{Code, Error, Faults, Refusal, Result},
    events::Event,
    platform::{calendar, transition::StateMachine},
    tx::Tx,
};

/// A decision about a touchpoint.
#[derive(Clone, Debug)]
pub struct Decide {
    /// Which touchpoint.
    pub touchpoint: TouchpointId,
    /// The version that the caller saw.
    pub expected_version: Option<i64>,
}

/// A refusal of a touchpoint.
#[derive(Clone, Debug)]
pub struct Reject {
    /// Which touchpoint.
    pub touchpoint: Decide,
    /// Why.
    pub reason: String,
}

/// Confirms a touchpoint. It counts in credit that is computed from then on; what is stored stays as it is.
///
/// What a partner recorded is confirmed by the vendor; what the vendor recorded, by somebody else of the vendor or by
/// a manager of the partner; what happened or was entered after the close, by the vendor. Nobody confirms his own entry.
///
/// # Errors
/// `NOT_FOUND` at `touchpointId`; `FORBIDDEN`; `SAME_PERSON` for whoever recorded it; `STALE_OBJECT`;
/// `ILLEGAL_TRANSITION` when it is decided already. Records `touchpoint.verified`.
pub async fn verify(tx: &Tx, command: Decide) -> Result<Held<touchpoint::Entity>> {
    let row = decidable(tx, &command).await?;
    let status = row.status.apply(TouchpointAction::Verify)?;
    tx.record(Event::TouchpointVerified {
        touchpoint_id: row.id,
        deal_id: row.deal_id,
        partner_id: row.partner_id,
    });
    tx.save(&row, |row| {
        row.status = status;
        row.verified_by = tx.actor().user_id();
        row.verified_at = Some(tx.now());
    })
    .await
}

/// Refuses a touchpoint for a reason that the partner can read; it stays and does not count.
///
/// # Errors
/// As [`verify`]; `REASON_REQUIRED` at `reason` without one. Records `touchpoint.rejected`.
pub async fn reject(tx: &Tx, command: Reject) -> Result<Held<touchpoint::Entity>> {
    let row = decidable(tx, &command.touchpoint).await?;
    let reason = command.reason;
    let status = row
        .status
        .apply_because(TouchpointAction::Reject, Some(&reason))?;
    let mut faults = Faults::default();
    let reason = faults.text("reason", &reason, 1_000);
    faults.check()?;
    tx.record(Event::TouchpointRejected {
        touchpoint_id: row.id,
        deal_id: row.deal_id,
        partner_id: row.partner_id,
    });
    tx.save(&row, |row| {
        row.status = status;
        row.rejection_reason = Some(reason);
    })
    .await
}

/// Puts what happened after the close of a deal back to waiting for the vendor's approval, whether it was confirmed
/// while the deal was open or not: a deal can be closed as of an earlier day.
///
/// # Errors
/// The database failed.
pub async fn after_close(tx: &Tx, deal: &deal::Model, zone: Tz) -> Result<()> {
    match deal.closed_at {
        // Nothing that is recorded lies in the future.
        Some(close) if close < tx.now() => {
            store::await_approval(tx, deal.id, calendar::last_instant(zone, close)).await
        }
        _ => Ok(()),
    }
}

/// The touchpoint, if the actor is a person of the other side of it.
async fn decidable(tx: &Tx, command: &Decide) -> Result<Held<touchpoint::Entity>> {
    let actor = tx.actor();
    let person = actor.person()?;
    let action = match actor.partner_id() {
        Some(_) => Action::TouchpointVerifyOwn,
        None => Action::TouchpointVerify,
    };
    let row = tx
        .load::<touchpoint::Entity>(command.touchpoint, action)
        .await?;
    if row.recorded_by == Some(person) {
        return Err(Refusal::new(
            Code::SamePerson,
            "Somebody else must confirm what you recorded.",
        )
        .into());
    }
    let vendors_claim =
        row.recorded_by_partner.is_none() && row.status != TouchpointStatus::AwaitingApproval;
    if actor.partner_id().is_some() && !vendors_claim {
        return Err(Error::forbidden());
    }
    row.at_version(command.expected_version)?;
    Ok(row)
}
