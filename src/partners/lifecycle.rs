//! A partner moves in its life with the vendor.

use sea_orm::ActiveEnum;

use crate::{
    access::{Action, Held},
    entity::{
        ids::PartnerId,
        partner,
        partner_lifecycle_event::{self, PartnerAction},
    },
    error::{Faults, Result},
    events::Event,
    platform::transition::StateMachine,
    tx::Tx,
};

/// The most characters of a reason.
const REASON: usize = 2_000;

/// A move to be made.
#[derive(Clone, Debug)]
pub struct Move {
    /// The partner.
    pub partner: PartnerId,
    /// Which move.
    pub action: PartnerAction,
    /// Why; some moves need it.
    pub reason: Option<String>,
}

/// Makes a move and keeps it in the partner's history. Of two equal moves at once one is made and the other refused.
///
/// # Errors
/// `NOT_FOUND` for a partner the caller does not see, `FORBIDDEN` for everybody but the vendor's administrators and
/// alliance managers, `ILLEGAL_TRANSITION` when the partner's state does not allow the move, `REASON_REQUIRED` at
/// `reason`. Records `partner.status_changed`.
pub async fn apply(tx: &Tx, command: Move) -> Result<Held<partner::Entity>> {
    let Move {
        partner: id,
        action,
        reason,
    } = command;
    let partner = tx.load::<partner::Entity>(id, Action::PartnerRead).await?;
    tx.actor().may(Action::PartnerLifecycle)?;
    let mut faults = Faults::default();
    let reason = faults.optional_text("reason", reason.as_deref(), REASON);
    faults.check()?;
    let next = partner.status.apply_because(action, reason.as_deref())?;
    tx.add(partner_lifecycle_event::Model {
        id: tx.id(),
        partner_id: id,
        action,
        from_status: Some(partner.status),
        to_status: next,
        actor_id: tx.actor().user_id(),
        reason,
        at: tx.now(),
    })
    .await?;
    tx.record(Event::PartnerStatusChanged {
        partner_id: id,
        from: partner.status.to_value(),
        to: next.to_value(),
    });
    tx.save(&partner, |row| row.status = next).await
}
